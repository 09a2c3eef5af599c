"""CLASSES: one class label for each row; models return probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, is_regressor
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.utils.multiclass import check_classification_targets

from .._checks import check_proba, label_column, listed, missing_y, unite
from ..losses import PROBABILITY_FLOOR, CrossEntropy, Loss, Targets, Terms, softmax
from ..program import Op, Softmax
from ._task import UNLABELED, Task, has_proba

Array = NDArray[Any]

#: So many times as often as two students differ, a teacher differs from their mean if it has memorised noise. Between
#: 1.25 and 1.5 half and a quarter are level; above, a quarter is better by a hundredth, and below, half is by three.
_APART = 1.5
#: That is asked on so many rows at least.
_FEWEST_ANSWERS = 100


class Classes(Task):
    """One class label for each row."""

    name = "classes"
    estimator = "classifier"
    method = "predict_proba"
    given = "teacher_proba"
    scoring = "neg_log_loss"
    out_of_bag = "oob_decision_function_"
    stratified = True
    gap_in = "accuracy"
    loss_name = "log_loss"
    fidelity = "agreement"
    logit_scales = tuple(np.round(np.geomspace(0.7, 2.5, 27), 3).tolist())
    answer_scales = 0.15, 3.0
    memorised_share = 0.67
    memorised_correlation = 0.02
    noisy_share: ClassVar[float] = 0.25

    def check_teacher(self, model: Any, called: str) -> None:
        """Raise a ValueError for a regressor, or a classifier without predict_proba."""
        if isinstance(model, BaseEstimator) and is_regressor(model):
            raise ValueError(f"{called} is a regressor; DistilledClassifier needs a classifier with predict_proba.")
        if not has_proba(model):
            raise ValueError(
                f"{called} has no predict_proba. DistilledClassifier learns from probabilities: {_remedy(model)}, or "
                "pass a callable X -> probabilities."
            )

    def check_answers(self, values: Any, *, n_rows: int, source: str, n_targets: int | None = None) -> Array:
        """Return probabilities, each row summing to one exactly."""
        return check_proba(values, n_rows=n_rows, n_classes=n_targets, source=source)

    def missing_out_of_bag(self, values: Array) -> Array:
        """Return the rows without an answer: zeros from a forest, NaN from bagging."""
        return ~(values.sum(axis=1) > 0)

    def columns(
        self, names: Array | None, n_targets: int, y: Array | None, given: ArrayLike | None, y_names: Array | None
    ) -> tuple[Array | None, Array | None]:
        """Return the labels of the columns, and these sorted: the teacher's, else the user's, else those of y."""
        columns = _named(n_targets, y, given) if names is None else _typed(names, y)
        order = unite([columns])
        if len(order) < len(columns):
            raise ValueError(f"The teacher's classes are not distinct: {columns.tolist()}.")
        return columns, order

    def union(self, several: Sequence[Array]) -> Array:
        """Return the labels that any teacher knows, sorted."""
        return unite(several)

    def classes(self, names: Array | None) -> Array | None:
        """Return the class labels, which the names are."""
        return names

    def check_y(self, y: Any, n_rows: int, source: str = "y") -> Array:
        """Return the labels, shape (n_rows,); raise if they are continuous or missing."""
        try:
            y = label_column(y)
        except ValueError as error:
            unlabeled = any(part in str(error) for part in ("contains NaN", "of one kind"))
            raise ValueError(f"{error} {UNLABELED}" if unlabeled else error) from error
        if len(y) != n_rows:
            raise ValueError(f"X has {n_rows} rows and {source} has {len(y)}; each row needs one label. {UNLABELED}")
        check_classification_targets(y.astype(str) if y.dtype == object and isinstance(y[0], str) else y)
        return y

    def check_enough(self, y: Array) -> None:
        """Raise a ValueError where there are fewer than two classes."""
        n_classes = len(np.unique(y))
        if n_classes < 2:
            raise ValueError(
                f"y holds {n_classes} class{'' if n_classes == 1 else 'es'} in {len(y)} rows; an unfitted teacher "
                "needs two classes or more."
            )

    def encode(self, y: Array, names: Array | None) -> Array:
        """Return the index of each label among the classes."""
        assert names is not None
        labels = self.encode_known(y, names)
        if (labels < 0).any():
            unknown = sorted(set(y[labels < 0].tolist()), key=str)
            raise ValueError(
                f"y holds {listed(unknown)}, which the teacher does not know; its classes are "
                f"{listed(names.tolist())}.{_hint(unknown)}"
            )
        return labels

    def encode_known(self, y: Array, names: Array | None) -> Array:
        """Return the index of each label among the classes, -1 for a label that is none of them."""
        assert names is not None
        position = {label: index for index, label in enumerate(names.tolist())}
        return np.array([position.get(label, -1) for label in y.tolist()], dtype=np.int64)

    def goals(self, labels: Array, n_targets: int) -> Array:
        """Return one for each row's class, and zero for the others; all zeros for an index of -1."""
        return (labels[:, None] == np.arange(n_targets)).astype(np.float64)

    def folds(self, labels: Array, n_folds: int, seed: int) -> Iterator[tuple[Array, Array]]:
        """Yield folds that have each class, where it has enough rows."""
        rarest = np.unique(labels, return_counts=True)[1].min()
        folds = (StratifiedKFold if rarest >= n_folds else KFold)(n_folds, shuffle=True, random_state=seed)
        return folds.split(labels, labels)

    def strata(self, labels: Array, share: float) -> Array | None:
        """Return the labels, where each class has rows for both parts."""
        classes, counts = np.unique(labels, return_counts=True)
        enough = counts.min() >= 2 and len(labels) * min(share, 1 - share) >= len(classes)
        return labels if enough else None

    def loss(self) -> Loss:
        """Return the cross-entropy at temperature 1."""
        return CrossEntropy()

    def only_labels(self, y: Any, *, n_rows: int, sample_weight: Array | None, loss: Loss, called: str) -> Targets:
        """Return targets of labels if `y` is one column, of probabilities of the classes 0, 1, ... if it is several."""
        proba, y = self.soft_or_labels(y, n_rows=n_rows, called=called)
        if proba is not None:
            return Targets(proba, None, sample_weight, loss=loss, task=self, classes=np.arange(proba.shape[1]))
        assert y is not None
        classes = np.unique(y if sample_weight is None else y[sample_weight > 0])
        if len(classes) < 2:
            raise ValueError(
                f"{called} needs at least two classes in y; the data contain only one class: {classes.tolist()[0]!r}."
            )
        # a row of weight zero may hold a class of its own; any index serves for it
        labels = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
        return Targets(None, labels, sample_weight, 0.0, loss, task=self, classes=classes)

    def soft_or_labels(
        self, y: Any, *, n_rows: int, called: str, n_classes: int | None = None
    ) -> tuple[Array | None, Array | None]:
        """Return soft targets of shape (n_rows, n_classes), or labels of shape (n_rows,), checked; the other is None.

        Parameters
        ----------
        y : array-like of shape (n_rows,) or (n_rows, n_classes)
            As a student's own fit takes it.
        n_rows : int
            The number of rows.
        called : str
            The student's name in messages.
        n_classes : int or None, default=None
            How many columns soft targets must have; None allows any number.
        """
        if y is None:
            raise ValueError(missing_y(called))
        y = y if hasattr(y, "iloc") else np.asarray(y)
        if y.ndim == 2 and y.shape[1] > 1:
            return check_proba(y, n_rows=n_rows, n_classes=n_classes, source="y as soft targets"), None
        labels = label_column(y)
        check_classification_targets(labels)
        if len(labels) != n_rows:
            raise ValueError(f"X has {n_rows} rows and y has {len(labels)}; each row needs one label.")
        return None, labels

    def end(self, targets: Targets, terms: Terms) -> Op:
        """Return the softmax."""
        return Softmax()

    def boosted(self) -> Any | None:
        """Return scikit-learn's classifier."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        return HistGradientBoostingClassifier

    def constant(self, goals: Array) -> Array:
        """Return the share of each class; a label that is none of the classes does not count."""
        return np.broadcast_to(goals.sum(axis=0) / max(1.0, goals.sum()), goals.shape)

    def row_losses(self, goals: Array, values: Array, spread: Array | None = None) -> Array:
        """Return the cross-entropies; no probability counts for less than the floor, so that no row outweighs all."""
        # numpy takes several times as long over a sum of two numbers
        return -np.einsum("ij,ij->i", goals, np.log(np.maximum(values, PROBABILITY_FLOOR)))

    def scores(self, labels: Array, values: Array, teacher: Array, weight: Array | None) -> dict[str, float]:
        """Return log-loss, accuracy, agreement with the teacher, and the rarest class's mean answer over its rate."""
        first, goals = values.argmax(axis=1), self.goals(labels, values.shape[1])
        rows = {
            "log_loss": self.row_losses(goals, values),
            "accuracy": first == labels,
            "agreement": first == teacher.argmax(axis=1),
        }
        found = {name: float(np.average(per_row, weights=weight)) for name, per_row in rows.items()}
        rates, means = (np.average(one, axis=0, weights=weight) for one in (goals, values))
        rarest = int(np.argmin(np.where(rates > 0, rates, np.inf)))
        return found | {"rarest_class": float(means[rarest] / rates[rarest])}

    def score(self, labels: Array, values: Array, weight: Array | None) -> float:
        """Return the accuracy."""
        return float(np.average(values.argmax(axis=1) == labels, weights=weight))

    def votes(self, values: Array) -> Array:
        """Return one for the most probable class of each row, and zero for the others."""
        return np.eye(values.shape[1])[values.argmax(axis=1)]

    def far_ahead(self, students: float, teacher: float, n_rows: int) -> bool:
        """Return whether the accuracy gap is larger than a standard error less than the one allowed."""
        # by more than chance: the accuracy is that of a sample
        error = np.sqrt(students * (1.0 - students) / n_rows)
        return bool(teacher - students > self.memorised_gap - error)

    def share_of_seen(
        self, students: float, teacher: float, n_rows: int, answers: Array, each: Sequence[Array]
    ) -> float:
        """Return a quarter for a teacher that has memorised noise, else half.

        It has if its accuracy is far above the students', unless the students disagree with each other, as with more
        columns than rows can tell apart: then they differ on new rows nearly as often from each other as the teacher
        does from their mean.
        """
        if not self.far_ahead(students, teacher, n_rows):
            return 0.5
        if len(answers) < _FEWEST_ANSWERS or len(each) < 2:
            return self.noisy_share
        votes = np.sum([self.votes(values) for values in each], axis=0)
        alike = (votes * (votes - 1)).sum() / (len(each) * (len(each) - 1) * len(votes))
        differs = (self.votes(answers) != self.votes(np.mean(each, axis=0))).any(axis=1)
        return self.noisy_share if differs.mean() > _APART * (1.0 - alike) else 0.5

    def rescaled(self, values: Array, scale: float) -> Array:
        """Return probabilities whose logits are multiplied by a number."""
        return values if scale == 1 else softmax(np.log(np.maximum(values, PROBABILITY_FLOOR)) * scale)

    def usefulness(self, labels: Array, values: Array, weight: Array | None) -> str | None:
        """Return that the teacher is no better than chance, by accuracy and by log-loss.

        The accuracy of chance is that of the same predictions in another order, as in Cohen's kappa: a rare class
        that is found counts there, however little it adds to the accuracy.
        """
        goals, predicted = self.goals(labels, values.shape[1]), self.goals(values.argmax(axis=1), values.shape[1])
        rate, predicted_rate = (np.average(one, axis=0, weights=weight) for one in (goals, predicted))
        accuracy = float(np.average((goals * predicted).sum(axis=1), weights=weight))
        losses = self.row_losses(goals, values), self.row_losses(goals, np.broadcast_to(rate, values.shape))
        loss, constant = (float(np.average(one, weights=weight)) for one in losses)
        n_rows = len(labels) if weight is None else np.count_nonzero(weight)
        chance = float(rate @ predicted_rate)
        if n_rows < 30 or loss <= constant or accuracy > chance + 2 * np.sqrt(chance * (1 - chance) / n_rows):
            return None
        return (
            f"its accuracy on the {n_rows} labelled rows is {accuracy:.3f} and its log-loss {loss:.3f}, where chance "
            f"has {chance:.3f} and {constant:.3f}"
        )


#: The task of classifiers.
CLASSES = Classes()


def _named(n_targets: int, y: Array | None, given: ArrayLike | None) -> Array:
    """Return the labels of columns of which the teacher does not say what they stand for."""
    if given is not None:
        named = np.asarray(given)
        if named.shape != (n_targets,):
            raise ValueError(
                f"classes has shape {named.shape}; expected a label for each of the {n_targets} columns of the "
                "teacher's answers."
            )
        return named
    if y is None:
        return np.arange(n_targets)
    seen = np.unique(y)
    if len(seen) != n_targets:
        raise ValueError(
            f"The teacher's answers have {n_targets} columns and y has {len(seen)} classes {listed(seen.tolist())}. "
            f"Name the labels that the columns stand for: DistilledClassifier(classes=[...]).{_hint(seen)}"
        )
    return seen


def _hint(labels: Any) -> str:
    """Return how rows without a label are passed, where a label looks like a mark for one."""
    return f" {UNLABELED}" if any(not isinstance(label, str) and label == -1 for label in labels) else ""


def _typed(names: Array, y: Array | None) -> Array:
    """Return the labels of columns in the type of y, where a frame has written them out: "0", "1"."""
    if y is None or names.dtype.kind not in "USO" or y.dtype.kind in "USO":
        return names
    labels = [False, True] if y.dtype.kind == "b" else names.tolist()
    try:
        written = {str(name): label for name, label in zip(labels, np.array(labels).astype(y.dtype), strict=True)}
        return np.array([written[str(name)] for name in names.tolist()], dtype=y.dtype)
    except (KeyError, TypeError, ValueError):
        return names


def _remedy(model: Any) -> str:
    params = model.get_params(deep=False) if hasattr(model, "get_params") else {}
    if params.get("voting") == "hard":
        return "set voting='soft'"
    if params.get("probability") is False:
        return "set probability=True"
    return "wrap it in CalibratedClassifierCV"
