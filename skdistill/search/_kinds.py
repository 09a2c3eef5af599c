"""What a search within a budget asks of students: of those that name classes, and of those that predict numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_regressor
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split
from sklearn.utils.multiclass import type_of_target

from .._distilled import DistilledClassifier
from .._distilled_regressor import DistilledRegressor
from .._validation import check_numbers, column_or_rows, is_loss, label_column
from ..losses import PROBABILITY_FLOOR, Targets
from ..metrics import answer_score, fidelity_score
from ..metrics._retention import as_scorer, ratio
from ..teacher import is_estimator, members

Array = NDArray[Any]
Metric = str | Callable[..., Any]


class Kind:
    """What is asked and measured; a subclass says of what.

    Parameters
    ----------
    metric : str or callable
        What is to be retained.
    """

    #: The key of the loss among a student's figures.
    loss: ClassVar[str]
    #: How much the labels count where the best student is looked for; the rest is what good students agree on.
    labels_share: ClassVar[float]
    #: By how many standard errors the loss of another student has to be lower than that of a steady one.
    margin: ClassVar[float]
    #: What a teacher is ahead in that has learnt its rows by heart.
    by_heart_in: ClassVar[str]
    #: Whether numbers are predicted.
    regression: ClassVar[bool]
    _method: ClassVar[str]

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        # a metric that does not exist is found before long work starts
        self._is_loss = is_loss(as_scorer(metric))

    def distiller(self, teacher: Any, classes: ArrayLike | None, seed: int) -> Any:
        """Return a distiller, not fitted."""
        raise NotImplementedError

    def labels(self, y: ArrayLike, n_rows: int, source: str) -> Array:
        """Return what is to be predicted, checked."""
        raise NotImplementedError

    def split(self, y: Array, share: float, seed: int) -> tuple[Array, Array]:
        """Return the rows to learn from and those to judge by."""
        raise NotImplementedError

    def folds(self, y: Array, n_folds: int, seed: int) -> Iterator[tuple[Array, Array]]:
        """Yield the rows to keep and those to leave out, for each part."""
        raise NotImplementedError

    def figures(self, y: Array, told: Array, answers: Array, classes: Array | None) -> dict[str, float]:
        """Return how closely a student follows its teacher, and its loss."""
        raise NotImplementedError

    def goals(self, y: Array, classes: Array | None) -> Array:
        """Return what a perfect student would say of rows, shape (n_rows, n_columns)."""
        raise NotImplementedError

    def as_targets(self, y: Array, classes: Array | None) -> Array:
        """Return labels as targets hold them."""
        raise NotImplementedError

    def losses(self, goals: Array, answers: Array) -> Array:
        """Return a student's loss on each row, linear in `goals` but for what all students share."""
        raise NotImplementedError

    def answers(self, model: Any, X: Any) -> Array:
        """Return what a student says of rows."""
        return getattr(model, self._method)(X)

    def score(self, y: Array, answers: Array, classes: Array | None) -> float:
        """Return the score, with losses negative."""
        return answer_score(y, answers, self.metric, self._method, classes)

    def retention(self, teacher: float, student: float) -> float:
        """Return the share of the teacher's score that a student keeps."""
        return ratio(teacher, student, loss=self._is_loss)


class OfClasses(Kind):
    """Classifiers: see Kind."""

    loss = "log_loss"
    labels_share = 0.25
    margin = 1.0
    by_heart_in = "accuracy"
    regression = False
    _method = "predict_proba"

    def distiller(self, teacher: Any, classes: ArrayLike | None, seed: int) -> Any:
        """Return a DistilledClassifier."""
        return DistilledClassifier(teacher, classes=classes, random_state=seed)

    def labels(self, y: ArrayLike, n_rows: int, source: str) -> Array:
        """Return labels, shape (n_rows,)."""
        return label_column(y)

    def split(self, y: Array, share: float, seed: int) -> tuple[Array, Array]:
        """Return rows with as much of each class, where there is enough of it."""
        classes, counts = np.unique(y, return_counts=True)
        enough = counts.min() >= 2 and len(y) * min(share, 1 - share) >= len(classes)
        return _halves(len(y), share, seed, y if enough else None)

    def folds(self, y: Array, n_folds: int, seed: int) -> Iterator[tuple[Array, Array]]:
        """Yield parts with as much of each class, where there is enough of it."""
        rarest = np.unique(y, return_counts=True)[1].min()
        folds = (StratifiedKFold if rarest >= n_folds else KFold)(n_folds, shuffle=True, random_state=seed)
        return folds.split(y, y)

    def figures(self, y: Array, told: Array, answers: Array, classes: Array | None) -> dict[str, float]:
        """Return agreement and log-loss."""
        loss = -answer_score(y, _floored(answers), "neg_log_loss", classes=classes)
        return {"fidelity": fidelity_score(told, answers), self.loss: loss}

    def goals(self, y: Array, classes: Array | None) -> Array:
        """Return one for each row's class, and zero for the others."""
        return (y[:, None] == np.asarray(classes)).astype(np.float64)

    def as_targets(self, y: Array, classes: Array | None) -> Array:
        """Return the indices of the classes, none of a class that nobody knows."""
        named = self.goals(y, classes) > 0
        return np.where(named.any(axis=1), named.argmax(axis=1), int(Targets.NO_LABEL))

    def losses(self, goals: Array, answers: Array) -> Array:
        """Return the cross-entropies."""
        return -(goals * np.log(_floored(answers))).sum(axis=1)


class OfNumbers(Kind):
    """Regressors: see Kind."""

    loss = "rmse"
    # a number says more of a student than the name of a class
    labels_share = 1.0
    margin = 0.0
    by_heart_in = "R2"
    regression = True
    _method = "predict"

    def distiller(self, teacher: Any, classes: ArrayLike | None, seed: int) -> Any:
        """Return a DistilledRegressor."""
        if classes is not None:
            raise ValueError("classes is given, and the teacher predicts numbers.")
        return DistilledRegressor(teacher, random_state=seed)

    def labels(self, y: ArrayLike, n_rows: int, source: str) -> Array:
        """Return numbers, shape (n_rows,) or (n_rows, n_outputs)."""
        return column_or_rows(check_numbers(y, n_rows=n_rows, source=source))

    def split(self, y: Array, share: float, seed: int) -> tuple[Array, Array]:
        """Return rows drawn by chance."""
        return _halves(len(y), share, seed, None)

    def folds(self, y: Array, n_folds: int, seed: int) -> Iterator[tuple[Array, Array]]:
        """Yield parts drawn by chance."""
        return KFold(n_folds, shuffle=True, random_state=seed).split(y)

    def figures(self, y: Array, told: Array, answers: Array, classes: Array | None) -> dict[str, float]:
        """Return R2 against the teacher, and the root mean squared error."""
        loss = -answer_score(y, answers, "neg_root_mean_squared_error", "predict")
        return {"fidelity": float(r2_score(told, answers)), self.loss: loss}

    def goals(self, y: Array, classes: Array | None) -> Array:
        """Return the numbers, as (n_rows, n_outputs)."""
        return y.reshape(len(y), -1)

    def as_targets(self, y: Array, classes: Array | None) -> Array:
        """Return the numbers, as (n_rows, n_outputs)."""
        return self.goals(y, classes)

    def losses(self, goals: Array, answers: Array) -> Array:
        """Return the squared errors, each output's in units of its own."""
        scale = goals.std(axis=0)
        errors = (goals - answers.reshape(goals.shape)) / np.where(scale > 0, scale, 1.0)
        return (errors**2).sum(axis=1)


def kind_of(teacher: Any, y: ArrayLike, metric: Metric | None) -> Kind:
    """Return what to ask for: numbers of regressors, and of callables where `y` has fractions; else classes."""
    estimators = [one for one in members(teacher) if is_estimator(one)]
    numbers = (
        any(is_regressor(one) for one in estimators) if estimators else "continuous" in type_of_target(np.asarray(y))
    )
    if numbers:
        return OfNumbers("r2" if metric is None else metric)
    return OfClasses("accuracy" if metric is None else metric)


def _floored(proba: Array) -> Array:
    """Return probabilities none of which is so small that one row weighs more than a hundred others."""
    floored = np.maximum(proba, PROBABILITY_FLOOR)
    return floored / floored.sum(axis=1, keepdims=True)


def _halves(n_rows: int, share: float, seed: int, stratify: Array | None) -> tuple[Array, Array]:
    kept, held_out = train_test_split(np.arange(n_rows), test_size=share, random_state=seed, stratify=stratify)
    return np.sort(kept), np.sort(held_out)
