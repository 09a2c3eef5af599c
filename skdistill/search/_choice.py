"""Which student is taken: of those within the limits that are not clearly worse than the best, the smallest."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import UndefinedMetricWarning

from .._sklearn import is_loss
from ..metrics import answer_score, as_scorer, retention_ratio
from ..tasks import LABELS, Task

Array = NDArray[Any]

#: A score that is no mean over rows is compared by the jackknife over so many parts of the validation rows.
_N_PARTS = 10
#: The share of the best student's gain over a constant prediction that a smaller one may lose. Where events are rare, a
#: student that knows nothing of them is not clearly worse on the rows held out.
_MOST_LOST = 0.05


class Validation:
    """The validation rows: what the teacher answers for them, and how students compare on them.

    Parameters
    ----------
    task : Task
        The kind of target.
    scoring : str, callable or None
        The score that counts; None takes the negative log-loss of classes and R2 of numbers.
    y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        The rows' labels.
    seed : int
        Seeds the parts of these rows.

    Raises
    ------
    ValueError
        If there are fewer than three rows, or no such score.
    """

    def __init__(self, task: Task, scoring: str | Callable[..., Any] | None, y: Array, seed: int) -> None:
        self.scoring = task.scoring if scoring is None else scoring
        # a score that does not exist is found before long work starts
        self._is_loss = is_loss(as_scorer(self.scoring))
        self._by_row = self.scoring == task.scoring or (self.scoring == "accuracy" and task != LABELS)
        self._task, self._y = task, y
        n_parts = min(_N_PARTS, len(y))
        # the score of a single row may be undefined
        if n_parts < 3:
            raise ValueError(f"There are {len(y)} validation rows; expected three or more.")
        # all rows but a tenth of them, ten times, every row being left out once
        self._parts = [] if self._by_row else [kept for kept, _ in task.folds(y, n_parts, seed)]

    def set_teacher(self, values: Array, order: Array | None) -> float:
        """Keep the teacher's answers and the order of their columns, and return the teacher's score."""
        self._teacher, self._order = values, order
        self._labels = self._task.encode_known(self._y, order)
        self.teacher_score = self._score(self._y, values)
        return self.teacher_score

    def figures(self, values: Array) -> dict[str, float]:
        """Return a student's score, retention, fidelity and loss."""
        score, task = self._score(self._y, values), self._task
        scores = task.scores(self._labels, values, self._teacher, None)
        return {
            "score": score,
            "retention": retention_ratio(self.teacher_score, score, loss=self._is_loss),
            "fidelity": scores[task.fidelity],
            task.loss_name: scores[task.loss_name],
        }

    def losses(self, values: Array) -> Array:
        """Return a student's loss of each row, or pseudo-values of its score, whose mean is the score as well.

        Pseudo-values are those of the jackknife: Efron and Tibshirani (1993), chapter 11.
        """
        if self._by_row and self.scoring == "accuracy":
            return np.asarray(values.argmax(axis=1) != self._labels, dtype=np.float64)
        if self._by_row:
            return self._task.row_losses(self._task.goals(self._labels, values.shape[1]), values)
        n_parts = len(self._parts)
        with warnings.catch_warnings():
            # a part may lack a class; choose_student knows what is not defined
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            without = np.array([self._score(self._y[rows], values[rows]) for rows in self._parts])
        return (n_parts - 1) * without - n_parts * self._score(self._y, values)

    def constant_losses(self) -> Array:
        """Return the losses of a constant prediction: the share of each class, or the mean."""
        return self.losses(self._task.constant(self._task.goals(self._labels, self._teacher.shape[1])))

    def _score(self, y: Array, values: Array) -> float:
        task = self._task
        return answer_score(y, task.as_given(values), self.scoring, task.method, task.classes(self._order))


def choose_student(
    rows: Sequence[dict[str, Any]], losses: Sequence[Array], constant: Array, budget: dict[str, float]
) -> int:
    """Return which student to take.

    Parameters
    ----------
    rows : sequence of dict
        The figures of each student.
    losses : sequence of ndarray
        What Validation.losses returned of each.
    constant : ndarray
        The losses of a constant prediction.
    budget : dict
        The limits that were passed.

    Returns
    -------
    index : int
        Among the students within all limits (if there is none, among those within the limits of size and time; and if
        there is none of these, the one that exceeds them least) those whose mean loss is not above the lowest by more
        than one standard error of the difference, paired by row, nor by more than a twentieth of what the lowest gains
        over a constant prediction; and of these the smallest.
    """
    excess = [_excess(row, budget) for row in rows]
    least = min(excess)
    if least > 0:
        return excess.index(least)
    fitting = [at for at, over in enumerate(excess) if over == 0]
    small = [at for at in fitting if is_within(rows[at], budget)] or fitting
    # a score is not defined where a part of the rows lacks a class
    small = [at for at in small if np.isfinite(losses[at]).all()] or small
    lowest = min((losses[at] for at in small), key=np.mean)
    most = _MOST_LOST * max(0.0, float((constant - lowest).mean()))
    above = [(at, losses[at] - lowest) for at in small]
    good = [at for at, own in above if own.mean() <= most and not _is_clear(own)] or small
    return min(good, key=lambda at: by_size(rows[at]))


def _is_clear(differences: Array) -> bool:
    """Return whether the mean of differences is above zero by more than its standard error."""
    return bool(differences.mean() > differences.std(ddof=1) / np.sqrt(len(differences)))


def is_within(row: dict[str, Any], budget: dict[str, float]) -> bool:
    """Return whether a student keeps all limits."""
    retains = "min_retention" not in budget or row["retention"] >= budget["min_retention"]
    return bool(retains) and _excess(row, budget) == 0


def by_size(row: dict[str, Any]) -> float:
    """Return a key that sorts students by size, the smallest first and those without a size last."""
    return float("inf") if np.isnan(row["nbytes"]) else row["nbytes"]


def _excess(row: dict[str, Any], budget: dict[str, float]) -> float:
    """Return by how much a student exceeds the limits of size and time, as a share of each; zero within them."""
    total = 0.0
    for name, key in (("max_bytes", "nbytes"), ("max_latency_us", "latency_us")):
        if name in budget:
            # what has no Program has no size
            total += float("inf") if np.isnan(row[key]) else max(0.0, row[key] / budget[name] - 1.0)
    return total
