"""NUMBERS: regression, one or several outputs; models return predictions in the target's unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.model_selection import KFold

from .._checks import check_numbers, column_or_rows, listed, missing_y
from ..losses import Loss, SquaredError, Targets, Terms, exponents
from ..program import Op, Unstandardize, as_labels, column_names, is_frame
from ._task import UNLABELED, Task, answers_with_classes

Array = NDArray[Any]

#: The teacher's weight if labels can be predicted without error and the teacher does so.
_SHARE = 0.4


class Numbers(Task):
    """One number, or several, for each row."""

    name = "numbers"
    estimator = "regressor"
    method = "predict"
    given = "teacher_pred"
    scoring = "r2"
    change_points = True
    out_of_bag = "oob_prediction_"
    gap_in = "R2"
    loss_name = "rmse"
    fidelity = "r2_teacher"

    def check_teacher(self, model: Any, called: str) -> None:
        """Raise a ValueError for a classifier, or a model without predict."""
        if answers_with_classes(model):
            raise ValueError(
                f"{called} is a classifier; DistilledRegressor needs a regressor. Use DistilledClassifier, or pass a "
                "callable X -> numbers."
            )
        if not hasattr(model, "predict"):
            raise ValueError(f"{called} has no predict; DistilledRegressor needs a regressor.")

    def check_answers(self, values: Any, *, n_rows: int, source: str, n_targets: int | None = None) -> Array:
        """Return finite numbers as columns."""
        numbers = check_numbers(values, n_rows=n_rows, source=source)
        if n_targets is not None and numbers.shape[1] != n_targets:
            raise ValueError(f"{source} returned {numbers.shape[1]} outputs; expected {n_targets}.")
        return numbers

    def as_given(self, values: Array) -> Array:
        """Return the numbers as ``predict`` returns them: shape (n_rows,) for a single output."""
        return column_or_rows(values)

    def missing_out_of_bag(self, values: Array) -> Array:
        """Return the rows without an answer: scikit-learn's forests answer zero."""
        return (values == 0).all(axis=1) | np.isnan(values).any(axis=1)

    def columns(
        self, names: Array | None, n_targets: int, y: Array | None, given: ArrayLike | None, y_names: Array | None
    ) -> tuple[Array | None, Array | None]:
        """Return the names of the teacher's outputs, and those of y, or else the teacher's, as the order."""
        if names is not None and y_names is not None:
            self.union([y_names, names])
        return names, names if y_names is None else y_names

    def union(self, several: Sequence[Array]) -> Array:
        """Return the first names; the others must be the same, in whatever order."""
        first, *_ = lists = [names.tolist() for names in several]
        for names in lists:
            if len(set(names)) < len(names):
                raise ValueError(f"The outputs {listed(names)} have names that are not distinct.")
            if set(map(str, names)) != set(map(str, first)):
                raise ValueError(
                    f"Outputs are named {listed(first)} in one place, {listed(names)} in another; they are matched by "
                    "name. Rename the columns, or pass arrays, which are matched by position."
                )
        return several[0]

    def check_y(self, y: Any, n_rows: int, source: str = "y") -> Array:
        """Return the numbers, shape (n_rows, n_outputs)."""
        return check_numbers(y, n_rows=n_rows, source=source, hint=f" {UNLABELED}")

    def y_names(self, y: Any) -> Array | None:
        """Return the names of the outputs, where y is a frame of several."""
        names = column_names(y) if is_frame(y) else []
        if len(names) < 2 or len(set(names)) < len(names) or names == list(range(len(names))):
            return None
        return as_labels(names)

    def for_estimator(self, y: Array) -> Array:
        """Return the numbers, shape (n_rows,) for a single output."""
        return column_or_rows(y)

    def encode(self, y: Array, names: Array | None) -> Array:
        """Return the numbers, shape (n_rows, n_outputs)."""
        return y.reshape(len(y), -1)

    def goals(self, labels: Array, n_targets: int) -> Array:
        """Return the numbers."""
        return labels

    def folds(self, labels: Array, n_folds: int, seed: int) -> Iterator[tuple[Array, Array]]:
        """Yield folds drawn by chance."""
        return KFold(n_folds, shuffle=True, random_state=seed).split(labels)

    def loss(self) -> Loss:
        """Return the squared error."""
        return SquaredError()

    def targets(
        self,
        values: Array,
        names: Array | None,
        y: Array | None,
        *,
        loss: Loss,
        alpha: float,
        sample_weight: Array | None = None,
    ) -> Targets:
        """Return what a student has to fit; labels and answers must have as many outputs."""
        if y is not None and y.shape[1] != values.shape[1]:
            raise ValueError(
                f"y has {y.shape[1]} output{'s' * (y.shape[1] > 1)}, and the teacher returned {values.shape[1]}."
            )
        return super().targets(values, names, y, loss=loss, alpha=alpha, sample_weight=sample_weight)

    def only_labels(self, y: Any, *, n_rows: int, sample_weight: Array | None, loss: Loss, called: str) -> Targets:
        """Return targets of the numbers in `y`."""
        if y is None:
            raise ValueError(missing_y(called))
        labels = check_numbers(y, n_rows=n_rows, source="y")
        return Targets(None, labels, sample_weight, 0.0, loss, task=self)

    def end(self, targets: Targets, terms: Terms) -> Op:
        """Return the op from standardised numbers to the target's unit."""
        assert terms.units is not None
        return Unstandardize(*terms.units)

    def row_losses(self, goals: Array, values: Array, spread: Array | None = None) -> Array:
        """Return the mean squared errors over outputs, each as a share of its variance."""
        deviation = self.spread(goals) if spread is None else spread
        return (((values - goals) / np.where(deviation > 0, deviation, 1.0)) ** 2).mean(axis=1)

    def spread(self, labels: Array) -> Array:
        """Return the standard deviation of each output."""
        exponent = exponents(labels)
        return np.ldexp(np.nanstd(np.ldexp(labels, -exponent), axis=0), exponent)

    def scores(self, labels: Array, values: Array, teacher: Array, weight: Array | None) -> dict[str, float]:
        """Return RMSE, MAE and R2 against the labels, and R2 against the teacher; means over outputs."""
        exponent, (goals, found) = _squarable(labels, values)
        rmse = root_mean_squared_error(goals, found, sample_weight=weight, multioutput="raw_values")
        return {
            "rmse": float(np.ldexp(rmse, exponent).mean()),
            "mae": float(mean_absolute_error(labels, values, sample_weight=weight)),
            "r2": self.score(labels, values, weight),
            "r2_teacher": self.score(teacher, values, weight),
        }

    def score(self, labels: Array, values: Array, weight: Array | None) -> float:
        """Return the R2, a mean over outputs."""
        _, (goals, found) = _squarable(labels, values)
        return float(r2_score(goals, found, sample_weight=weight))

    def share_of_seen(
        self, students: float, teacher: float, n_rows: int, answers: Array, each: Sequence[Array]
    ) -> float:
        """Return a share that falls with what labels leave unexplained, and with how far the teacher is off.

        A teacher so far above has memorised noise; one so far below knows less than the labels.
        """
        return _SHARE * max(0.0, students - 2.0 * abs(teacher - students))

    def usefulness(self, labels: Array, values: Array, weight: Array | None) -> str | None:
        """Return that the teacher's R2 is below 0, where a constant does better: often its unit is another one."""
        if len(labels) < 30:
            return None
        r2 = self.score(labels, values, weight)
        if r2 >= 0:
            return None
        centers = np.average(values, axis=0, weights=weight), np.average(labels, axis=0, weights=weight)
        teacher, own = (", ".join(f"{number:.4g}" for number in center) for center in centers)
        return (
            f"its R2 on the {len(labels)} labelled rows is {r2:.3g}, below that of a constant. Its mean answer is "
            f"{teacher} and the mean of y {own}: they must be in the same unit"
        )


def _squarable(*several: Array) -> tuple[Array, list[Array]]:
    """Return arrays divided by a power of two for each output, and its exponent: their squares do not overflow."""
    exponent = exponents(np.concatenate(several))
    return exponent, [np.ldexp(one, -exponent) for one in several]


#: The task of regressors.
NUMBERS = Numbers()
