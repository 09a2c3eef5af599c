"""Which student is taken: within the budget, and of those that the rows to judge by hardly tell apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._kinds import Kind

Array = NDArray[Any]

#: Scores are told apart by so many parts of the rows to judge by.
_N_PARTS = 10
#: By so many standard errors a score has to be lower to be clearly lower, and a loss to be higher to be clearly higher.
_LOWER_SCORE, _HIGHER_LOSS = 2.0, 3.0


class Hearing:
    """What students said of the rows to judge by, and what follows for the choice.

    Parameters
    ----------
    kind : Kind
        Says what is measured.
    y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        The rows' labels.
    seed : int
        Seeds the parts of these rows.

    Raises
    ------
    ValueError
        If there are fewer than three rows.
    """

    def __init__(self, kind: Kind, y: Array, seed: int) -> None:
        self.kind = kind
        self.y = y
        #: The answers' columns; known once the teacher has been asked.
        self.classes: Array | None = None
        self._answers: dict[str, Array] = {}
        self._partly: dict[str, Array] = {}
        n_parts = min(_N_PARTS, len(y))
        # a score of a single row may be none
        if n_parts < 3:
            raise ValueError(f"There are {len(y)} rows to judge by; needed are three or more.")
        # all rows but a tenth of them, ten times, every row being left out once
        self._parts = [kept for kept, _ in kind.folds(y, n_parts, seed)]

    def score(self, name: str, answers: Array) -> float:
        """Return the score of a student, and keep what it said."""
        self._answers[name] = answers
        each = [self.kind.score(self.y[rows], answers[rows], self.classes) for rows in self._parts]
        self._partly[name] = np.array(each)
        return self.kind.score(self.y, answers, self.classes)

    def best(self, rows: list[dict[str, Any]], voices: Collection[str], steady: Collection[str] = ()) -> dict[str, Any]:
        """Return the best of some students.

        Of those whose score is not clearly lower than the highest, it is the one with the lowest loss against
        the labels and, of classes, the consensus together. A few hundred labels tell students apart by chance, and
        what the good ones agree on has little of that chance in it. Where one of them is steady, though, others are
        taken only if their loss against the labels is clearly lower: larger students agree on the noise as well.

        Parameters
        ----------
        rows : list of dict
            The students to choose among: name, score and size.
        voices : collection of str
            The students whose mean answer, but for those with a clearly higher loss, is the consensus.
        steady : collection of str, default=()
            The students with the least chance in them.

        Returns
        -------
        row : dict
            One of `rows`.
        """
        highest = max(rows, key=lambda row: row["score"])
        good = [row for row in rows if highest["score"] - row["score"] <= self._least_difference(highest, row)]
        losses = self._losses([row["name"] for row in good], voices)

        def at(row: dict[str, Any]) -> tuple[float, ...]:
            return losses[row["name"]], *by_size(row)

        safe = min((row for row in good if row["name"] in steady), key=at, default=None)
        if safe is not None:
            good = [row for row in good if self._is_clearly_nearer(row["name"], safe["name"])] or [safe]
        return min(good, key=at)

    def _is_clearly_nearer(self, name: str, other: str) -> bool:
        """Tell whether a student's loss against the labels is lower than another's by more than chance."""
        labels = self.kind.goals(self.y, self.classes)
        less = self.kind.losses(labels, self._answers[other]) - self.kind.losses(labels, self._answers[name])
        return bool(less.mean() > self.kind.margin * less.std() / np.sqrt(len(less)))

    def _least_difference(self, row: dict[str, Any], other: dict[str, Any]) -> float:
        """Return how large the difference of two scores has to be to be more than chance."""
        # the jackknife's standard error of the difference (Efron and Tibshirani, 1993, chapter 11)
        gains = self._partly[row["name"]] - self._partly[other["name"]]
        return _LOWER_SCORE * float(np.sqrt((len(gains) - 1) * np.mean((gains - gains.mean()) ** 2)))

    def _losses(self, names: list[str], voices: Collection[str]) -> dict[str, float]:
        """Return the mean loss of students against labels and consensus together."""
        labels = self.kind.goals(self.y, self.classes)
        losses = {name: self.kind.losses(labels, self._answers[name]) for name in voices}
        lowest = min(losses.values(), key=np.mean)

        def is_clearly_higher(loss: Array) -> bool:
            more = loss - lowest
            return bool(more.mean() > _HIGHER_LOSS * more.std() / np.sqrt(len(more)))

        heard = [self._answers[name] for name, loss in losses.items() if not is_clearly_higher(loss)]
        consensus = np.mean(heard, axis=0).reshape(labels.shape)
        share = self.kind.labels_share
        goals = share * labels + (1.0 - share) * consensus
        return {name: float(self.kind.losses(goals, self._answers[name]).mean()) for name in names}


def choose(
    frontier: list[dict[str, Any]],
    budget: dict[str, float],
    hearing: Hearing,
    voices: Collection[str],
    steady: Collection[str],
    several: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """Return the student to take, and note in each whether it is on the frontier.

    Parameters
    ----------
    frontier : list of dict
        A line for each student.
    budget : dict
        The limits that were given.
    hearing : Hearing
        What these students said.
    voices, steady : collection of str
        As in Hearing.best.
    several : mapping of str to list of str
        For nets, the students that are several of them as one. The first of these that is within the budget as well
        is taken in a net's place: a single one looked better by chance.

    Returns
    -------
    row : dict
        One of `frontier`.
    """
    for row in frontier:
        row["on_frontier"] = not any(
            by_size(other)[0] <= by_size(row)[0] and other["score"] > row["score"] for other in frontier
        )
    within = [row for row in frontier if row["within_budget"]]
    if within and set(budget) == {"min_retention"}:
        return min(within, key=by_size)
    small = within or [row for row in frontier if _size_excess(row, budget) == 0]
    if not small:
        return min(frontier, key=lambda row: _size_excess(row, budget))
    best = hearing.best(small, voices, steady)
    found = {row["name"]: row for row in small}
    return next((found[name] for name in several.get(best["name"], ()) if name in found), best)


def is_within(row: dict[str, Any], budget: dict[str, float]) -> bool:
    """Tell whether a student keeps all limits."""
    retains = "min_retention" not in budget or row["retention"] >= budget["min_retention"]
    return bool(retains) and _size_excess(row, budget) == 0


def by_size(row: dict[str, Any]) -> tuple[float, float]:
    """Return what to sort students by, the smallest first."""
    return (float("inf") if row["nbytes"] is None else row["nbytes"], row["latency_us"])


def _size_excess(row: dict[str, Any], budget: dict[str, float]) -> float:
    """Return by how much a student exceeds the limits of size and time, as a share of each; zero within them."""
    total = 0.0
    for name, key in (("max_bytes", "nbytes"), ("max_latency_us", "latency_us")):
        if name in budget:
            # what has no Program has no size that could be kept
            total += float("inf") if row[key] is None else max(0.0, row[key] / budget[name] - 1.0)
    return total
