"""How the recipe judges students: by log-loss and accuracy those of classes, by squares those of numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.model_selection import KFold, StratifiedKFold

from .losses import PROBABILITY_FLOOR, RegressionTargets, Targets, softmax

Array = NDArray[Any]

#: How far the teacher may be ahead, in accuracy on rows that it may know by heart, of students that have not seen
#: them, and still be believed about rows that nobody has seen. A search warns of a teacher that is further ahead, of
#: numbers in R2.
LEARNT_BY_HEART = 0.15
#: The share of a teacher of numbers, where labels can be foreseen without fault and it is level with that.
NUMBERS_SHARE = 0.4
#: What logits may be multiplied by.
_SCALES = np.round(np.geomspace(0.7, 2.5, 27), 3)


@dataclass(frozen=True)
class Trust:
    """How far a teacher is to be followed.

    Parameters
    ----------
    ahead : float
        How far it is ahead of students that have not seen the rows.
    believed : bool
        Whether to believe it about rows that nobody has seen.
    ways : list of (float, bool)
        The shares to try, each without or with new rows, the first to be preferred.
    """

    ahead: float
    believed: bool
    ways: list[tuple[float, bool]]


class Judge(Protocol):
    """What the recipe asks of students, and of what they answer for the rows held out."""

    def answers(self, student: Any, X: Any) -> Array:
        """Return a fitted student's answers, shape (n_rows, n_classes) or (n_rows, n_outputs)."""

    def folds(self, labels: Array, n_folds: int, seed: int) -> Iterator[tuple[Array, Array]]:
        """Yield the rows to fit and those to leave out, for each fold."""

    def trust(self, told: Array, targets: Any) -> Trust:
        """Return how far to follow the teacher, beyond those whom `told` is from, on all rows of the targets."""

    def losses(self, answers: Array, targets: Any) -> Array:
        """Return the loss of each row held out."""

    def scores(self, answers: Array, targets: Any) -> dict[str, float]:
        """Return the scores of answers for the rows held out."""

    def scaled(self, answers: Array, targets: Any) -> tuple[float, Array]:
        """Return what to multiply the logits by, and the answers that this makes."""


def gain(better: Array, targets: Any) -> tuple[float, float]:
    """Return the mean gain on the rows held out, each counted by its weight, and its standard error."""
    weight = np.ones(len(better)) if targets.sample_weight is None else targets.sample_weight[targets.held_out]
    weight = weight / weight.sum()
    mean = float(weight @ better)
    return mean, float(np.sqrt(weight**2 @ (better - mean) ** 2))


class ClassJudge:
    """Judges students of classifiers: see Judge."""

    def answers(self, student: Any, X: Any) -> Array:
        """Return the probabilities."""
        return student.predict_proba(X)

    def folds(self, labels: Array, n_folds: int, seed: int) -> Iterator[tuple[Array, Array]]:
        """Yield folds that have each class, where there are enough of it."""
        rarest = np.bincount(labels)[np.unique(labels)].min()
        folds = (StratifiedKFold if rarest >= n_folds else KFold)(n_folds, shuffle=True, random_state=seed)
        return folds.split(labels, labels)

    def trust(self, told: Array, targets: Targets) -> Trust:
        """Return half for a teacher that is not far ahead in accuracy, also on new rows; else a quarter."""
        labels, weight = targets.labels, targets.sample_weight
        hits, taught = (np.average(p.argmax(axis=1) == labels, weights=weight) for p in (told, targets.answered()))
        accuracy = float(hits)
        ahead = float(taught) - accuracy
        # by more than chance: the accuracy is that of so many rows
        error = np.sqrt(accuracy * (1.0 - accuracy) / len(told))
        if 0.0 <= ahead <= LEARNT_BY_HEART - error:
            return Trust(ahead, True, [(0.5, True), (0.5, False), (0.25, False), (0.0, False)])
        return Trust(ahead, False, [(0.25, False), (0.0, False)])

    def losses(self, answers: Array, targets: Targets) -> Array:
        """Return the log-losses."""
        assert targets.labels is not None
        labels = targets.labels[targets.held_out]
        return -np.log(np.maximum(answers[np.arange(len(labels)), labels], PROBABILITY_FLOOR))

    def scores(self, answers: Array, targets: Targets) -> dict[str, float]:
        """Return log-loss, accuracy, and agreement with the teacher."""
        held_out = targets.held_out
        assert targets.labels is not None
        weight = None if targets.sample_weight is None else targets.sample_weight[held_out]
        told = answers.argmax(axis=1)
        rows = {
            "log_loss": self.losses(answers, targets),
            "accuracy": told == targets.labels[held_out],
            "agreement": told == targets.answered()[held_out].argmax(axis=1),
        }
        return {name: float(np.average(values, weights=weight)) for name, values in rows.items()}

    def scaled(self, answers: Array, targets: Targets) -> tuple[float, Array]:
        """Return what to multiply the logits by; one, unless better by more than chance has it.

        A forest is less sure of itself than it could be, and its students with it.
        """
        losses = self.losses(answers, targets)
        best, most = 1.0, 0.0
        for scale in _SCALES:
            mean, error = gain(losses - self.losses(_times(answers, scale), targets), targets)
            if mean > max(2.0 * error, most):
                best, most = float(scale), mean
        # the fewer rows, the less of it is believed
        scale = float(best ** (len(losses) / (len(losses) + 100.0)))
        return scale, _times(answers, scale)


def _times(proba: Array, scale: float) -> Array:
    """Return probabilities whose logits are multiplied by a number."""
    return proba if scale == 1 else softmax(np.log(np.maximum(proba, PROBABILITY_FLOOR)) * scale)


class NumberJudge:
    """Judges students of regressors: see Judge."""

    def answers(self, student: Any, X: Any) -> Array:
        """Return the numbers as columns."""
        values = student.predict(X)
        return values.reshape(len(values), -1)

    def folds(self, labels: Array, n_folds: int, seed: int) -> Iterator[tuple[Array, Array]]:
        """Yield folds drawn by chance."""
        return KFold(n_folds, shuffle=True, random_state=seed).split(labels)

    def trust(self, told: Array, targets: RegressionTargets) -> Trust:
        """Return a share by R2: the less, the less labels can be foreseen, and none where the teacher is off by half.

        New rows are made in any case, as the students in whose place they are answered say a lot of them.
        """
        assert targets.labels is not None
        taught, alone = (
            float(r2_score(targets.labels, answers, sample_weight=targets.sample_weight))
            for answers in (targets.answered(), told)
        )
        ahead = taught - alone
        # so far ahead it has learnt noise by heart, so far behind it knows less than labels do
        share = round(NUMBERS_SHARE * max(0.0, alone - 2.0 * abs(ahead)), 2)
        return Trust(ahead, share > 0, list(dict.fromkeys([(share, True), (0.0, True)])))

    def losses(self, answers: Array, targets: RegressionTargets) -> Array:
        """Return the squared errors, those of each output over its variance."""
        assert targets.labels is not None
        spread = np.nanvar(targets.labels, axis=0)
        squares = (answers - targets.labels[targets.held_out]) ** 2
        return (squares / np.where(spread > 0, spread, 1.0)).mean(axis=1)

    def scores(self, answers: Array, targets: RegressionTargets) -> dict[str, float]:
        """Return RMSE, MAE and R2 against the labels, and R2 against the teacher; means over outputs."""
        held_out = targets.held_out
        assert targets.labels is not None
        weight = None if targets.sample_weight is None else targets.sample_weight[held_out]
        labels = targets.labels[held_out]
        return {
            "rmse": float(root_mean_squared_error(labels, answers, sample_weight=weight)),
            "mae": float(mean_absolute_error(labels, answers, sample_weight=weight)),
            "r2": float(r2_score(labels, answers, sample_weight=weight)),
            "r2_teacher": float(r2_score(targets.answered()[held_out], answers, sample_weight=weight)),
        }

    def scaled(self, answers: Array, targets: RegressionTargets) -> tuple[float, Array]:
        """Return the answers as they are: there are no logits."""
        return 1.0, answers
