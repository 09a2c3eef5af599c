"""Which student is taken: within the budget, and among those that the validation rows hardly tell apart."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._sklearn import is_loss
from ..metrics import answer_score, as_scorer, retention_ratio, undominated
from ..tasks import Task

Array = NDArray[Any]

#: Scores are compared by the jackknife over so many parts of the validation rows.
_N_PARTS = 10
#: By so many standard errors a score has to be lower to be clearly lower, and a loss to be higher to be clearly higher.
_LOWER_SCORE, _HIGHER_LOSS = 2.0, 3.0


class Validation:
    """The validation rows: what students answer for them, and how these compare.

    Parameters
    ----------
    task : Task
        Classes or numbers.
    scoring : str, callable or None
        The score that is to be retained; None takes the task's own.
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
        self._task, self._y = task, y
        self._answers: dict[str, Array] = {}
        self._parts_scores: dict[str, Array] = {}
        n_parts = min(_N_PARTS, len(y))
        # the score of a single row may be undefined
        if n_parts < 3:
            raise ValueError(f"There are {len(y)} validation rows; needed are three or more.")
        # all rows but a tenth of them, ten times, every row being left out once
        self._parts = [kept for kept, _ in task.folds(y, n_parts, seed)]

    def set_teacher(self, values: Array, order: Array | None) -> float:
        """Keep the teacher's answers and the order of their columns, and return the teacher's score."""
        self._teacher, self._order = values, order
        labels = self._task.encode_known(self._y, order)
        self._labels, self._goals = labels, self._task.goals(labels, values.shape[1])
        self.teacher_score = self._score(self._y, values)
        return self.teacher_score

    def figures(self, name: str, values: Array) -> dict[str, float]:
        """Return a student's score, retention, fidelity and loss, and keep its answers."""
        self._answers[name] = values
        self._parts_scores[name] = np.array([self._score(self._y[rows], values[rows]) for rows in self._parts])
        score = self._score(self._y, values)
        scores = self._task.scores(self._labels, values, self._teacher, None)
        return {
            "score": score,
            "retention": retention_ratio(self.teacher_score, score, loss=self._is_loss),
            "fidelity": scores[self._task.fidelity],
            self._task.loss_name: scores[self._task.loss_name],
        }

    def best(
        self, rows: list[dict[str, Any]], reference: Collection[str], steady: Collection[str] = ()
    ) -> dict[str, Any]:
        """Return the best of several students.

        Among those whose score is not clearly lower than the highest, it is the one with the lowest loss against
        the labels and, for classification, the consensus together: a few hundred labels tell students apart by chance,
        and the mean answer of the good ones has little of that chance in it. Where one of them is a small ensemble,
        another is taken only if its loss against the labels is clearly lower: larger students agree on noise as well.

        Parameters
        ----------
        rows : list of dict
            The students to choose among: name, score and size.
        reference : collection of str
            The students whose mean answer is the consensus, except those with a clearly higher loss.
        steady : collection of str, default=()
            The smallest ensemble, in all its variants.

        Returns
        -------
        row : dict
            One of `rows`.
        """
        highest = max(rows, key=lambda row: row["score"])
        good = [row for row in rows if highest["score"] - row["score"] <= self._least_difference(highest, row)]
        losses = self._losses([row["name"] for row in good], reference)

        def at(row: dict[str, Any]) -> tuple[float, ...]:
            return losses[row["name"]], *by_size(row)

        safe = min((row for row in good if row["name"] in steady), key=at, default=None)
        if safe is not None:
            margin, most = self._task.selection_margin, self._row_losses(safe["name"], self._goals)
            # by more than chance, against the labels
            better = [row for row in good if is_clear(most - self._row_losses(row["name"], self._goals), margin)]
            good = better or [safe]
        return min(good, key=at)

    def _score(self, y: Array, values: Array) -> float:
        task = self._task
        return answer_score(y, task.as_given(values), self.scoring, task.method, task.classes(self._order))

    def _row_losses(self, name: str, goals: Array) -> Array:
        return self._task.row_losses(goals, self._answers[name])

    def _least_difference(self, row: dict[str, Any], other: dict[str, Any]) -> float:
        """Return how large the difference of two scores has to be to be more than chance."""
        # the jackknife's standard error of the difference (Efron and Tibshirani, 1993, chapter 11)
        gains = self._parts_scores[row["name"]] - self._parts_scores[other["name"]]
        return _LOWER_SCORE * float(np.sqrt((len(gains) - 1) * np.mean((gains - gains.mean()) ** 2)))

    def _losses(self, names: list[str], reference: Collection[str]) -> dict[str, float]:
        """Return the mean loss of students against labels and consensus together."""
        losses = {name: self._row_losses(name, self._goals) for name in reference}
        lowest = min(losses.values(), key=np.mean)
        good = [self._answers[name] for name, loss in losses.items() if not is_clear(loss - lowest, _HIGHER_LOSS)]
        share = self._task.label_share
        goals = share * self._goals + (1.0 - share) * np.mean(good, axis=0)
        return {name: float(self._row_losses(name, goals).mean()) for name in names}


def is_clear(differences: Array, n_errors: float) -> bool:
    """Return whether the mean of differences is above zero by more than so many of its standard errors."""
    return bool(differences.mean() > n_errors * differences.std() / np.sqrt(len(differences)))


def choose_student(
    frontier: list[dict[str, Any]],
    budget: dict[str, float],
    validation: Validation,
    reference: Collection[str],
    steady: Collection[str],
    ensembles: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """Return the student to take, and note in each whether it is on the Pareto front.

    Parameters
    ----------
    frontier : list of dict
        The figures of each student.
    budget : dict
        The limits that were given.
    validation : Validation
        The answers of these students.
    reference, steady : collection of str
        As in Validation.best.
    ensembles : mapping of str to list of str
        For single nets, the ensembles of the same net. The first of these that is within the budget as well replaces
        a single net, which looked better by chance.

    Returns
    -------
    row : dict
        One of `frontier`.
    """
    # what has no Program is larger than all that have one, and yet on the front if it is better
    sizes = np.minimum([by_size(row)[0] for row in frontier], np.finfo(np.float64).max)
    best = undominated(sizes.tolist(), [row["score"] for row in frontier])
    for at, row in enumerate(frontier):
        row["on_frontier"] = at in best
    within = [row for row in frontier if row["within_budget"]]
    if within and set(budget) == {"min_retention"}:
        return min(within, key=by_size)
    small = within or [row for row in frontier if _size_excess(row, budget) == 0]
    if not small:
        return min(frontier, key=lambda row: _size_excess(row, budget))
    taken = validation.best(small, reference, steady)
    found = {row["name"]: row for row in small}
    return next((found[name] for name in ensembles.get(taken["name"], ()) if name in found), taken)


def is_within(row: dict[str, Any], budget: dict[str, float]) -> bool:
    """Return whether a student keeps all limits."""
    retains = "min_retention" not in budget or row["retention"] >= budget["min_retention"]
    return bool(retains) and _size_excess(row, budget) == 0


def by_size(row: dict[str, Any]) -> tuple[float, float]:
    """Return a key that sorts students by size, the smallest first."""
    return (float("inf") if row["nbytes"] is None else row["nbytes"], row["latency_us"])


def _size_excess(row: dict[str, Any], budget: dict[str, float]) -> float:
    """Return by how much a student exceeds the limits of size and time, as a share of each; zero within them."""
    total = 0.0
    for name, key in (("max_bytes", "nbytes"), ("max_latency_us", "latency_us")):
        if name in budget:
            # what has no Program has no size
            total += float("inf") if row[key] is None else max(0.0, row[key] / budget[name] - 1.0)
    return total
