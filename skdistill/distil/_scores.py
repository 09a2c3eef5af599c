"""Scores on the rows held out: of candidates, of students of the labels alone, and of trees beside a net."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..losses import Targets
from ..program import user_level
from ..tasks import Task
from ._label_ensemble import LabelEnsemble
from ._scaling import weight_of

Array = NDArray[Any]

#: `fit` warns if the student's accuracy is below that of the trees by so much and two standard errors.
_CLEARLY = 0.05


@dataclass(frozen=True)
class Candidate:
    """A candidate: one way to fit the student, and the scores of a student fitted in this way.

    Parameters
    ----------
    alpha : float
        The weight of the teacher's term.
    temperature : float or None
        What the teacher was softened by; None for a regressor.
    losses : ndarray of shape (n_held_out,)
        The loss of each held-out row.
    scores : dict
        Scores on the held-out rows.
    """

    alpha: float
    temperature: float | None
    losses: Array
    scores: dict[str, float]

    def line(self) -> dict[str, Any]:
        """Return its entry in the report."""
        return {"alpha": self.alpha, "temperature": self.temperature, **self.scores}


def scores_of(task: Task, targets: Targets, rows: Array, values: Array | None) -> dict[str, float]:
    """Return scores on some rows, of the teacher itself where there are no values."""
    assert targets.labels is not None
    assert targets.answers is not None
    teacher = targets.answers[rows]
    values = teacher if values is None else values
    return task.scores(targets.labels[rows], values, teacher, weight_of(targets, rows))


def scores_on_labels(
    task: Task, ensemble: LabelEnsemble | None, candidates: list[Candidate], targets: Targets, held_out: Array
) -> dict[str, float] | None:
    """Return the scores of a student on labels only: the mean over the ensemble, or the candidate with alpha 0."""
    if ensemble is None or not held_out.any():
        return next((one.scores for one in candidates if one.alpha == 0), None)
    rows = np.flatnonzero(held_out)
    each = [scores_of(task, targets, rows, values) for values in ensemble.students]
    return {name: float(np.mean([scores[name] for scores in each])) for name in each[0]}


def check_trees(
    task: Task, ensemble: LabelEnsemble, whole: Targets, candidates: Sequence[Candidate], n_held_out: int
) -> None:
    """Warn where a net does not learn what boosted trees learn from the labels alone."""
    if not ensemble.tree_weight:
        return
    assert whole.labels is not None
    known = ensemble.rows
    trees = task.score(whole.labels[known], ensemble.out_of_fold, weight_of(whole, known))
    student = max(one.scores[task.gap_in] for one in candidates)
    if trees - student > _CLEARLY + 2.0 * np.sqrt(trees * (1.0 - trees) / n_held_out):
        warnings.warn(
            f"The student's {task.gap_in} on the rows held out is {student:.3f}; a label ensemble with boosted trees, "
            f"which know no teacher, has {trees:.3f} on rows that it has not seen. A net does not learn this table as "
            "trees do: try student='tree', or serve trees.",
            UserWarning,
            stacklevel=user_level(),
        )
