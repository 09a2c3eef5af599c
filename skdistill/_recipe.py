"""The recipe: what a student is fitted to where the user leaves it to the data, and what that was worth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import KFold, StratifiedKFold

from ._validation import take_rows
from .losses import PROBABILITY_FLOOR, Targets
from .student import read_space
from .teacher import assemble, munge, stack

Array = NDArray[Any]

#: How far the teacher may be ahead, in accuracy on rows that it may know by heart, of students that have not seen
#: them, and still be believed about rows that nobody has seen.
LEARNT_BY_HEART = 0.15
#: With fewer labelled rows there are none to spare for a choice.
_FEWEST_ROWS = 100
#: A labels-only student is fitted on at most so many rows, and new ones are made from no more.
_MOST_ROWS = 20_000
#: New rows for each row that there is.
_AUGMENT = 2.0


@dataclass(frozen=True)
class Plan:
    """How a student is to be fitted: what the user said, and "auto" where the data are to say.

    Parameters
    ----------
    student : estimator
        The student, not fitted.
    ask : callable or None
        Rows to the teacher's probabilities, in the order of the classes; None where there are but
        answers given beforehand.
    alpha, temperature, augment : float or "auto"
        As in DistilledClassifier.
    committee : int or "auto"
        As in DistilledClassifier.
    seed : int
        Seeds everything random.
    """

    student: Any
    ask: Callable[[Any], Array] | None
    alpha: float | str
    temperature: float | str
    augment: float | str
    committee: int | str
    seed: int

    @property
    def chooses(self) -> bool:
        """Whether alpha or temperature is to be chosen."""
        return isinstance(self.alpha, str) or isinstance(self.temperature, str)


@dataclass
class Candidate:
    """A student fitted in one of the ways among which the choice is."""

    alpha: float
    temperature: float
    transfer: bool
    student: Any = None
    losses: Array = field(default_factory=lambda: np.empty(0))
    scores: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Committee:
    """Students fitted on labels alone, each on all folds of the labelled rows but one.

    Parameters
    ----------
    members : list of estimator
        The fitted students.
    accuracy : float
        The share of labels that they hit, each on the fold that it has not seen.
    """

    members: list[Any]
    accuracy: float

    def proba(self, X: Any) -> Array:
        """Return the mean of the members' probabilities."""
        return np.mean([member.predict_proba(X) for member in self.members], axis=0)


def distil(plan: Plan, X: Any, targets: Targets) -> tuple[Any, dict[str, Any]]:
    """Fit a student to a teacher's answers and labels, choosing what is left open.

    Parameters
    ----------
    plan : Plan
        How.
    X : ndarray, sparse matrix or frame of shape (n_rows, n_columns)
        The rows, raw.
    targets : Targets
        The teacher's answers and the labels of these rows; their `alpha` and `temperature` stand
        for what is to be chosen.

    Returns
    -------
    student : estimator
        The fitted student.
    report : dict
        As ``distillation_report_``.
    """
    n_rows = X.shape[0]
    labelled = _labelled(targets)
    choosing = plan.chooses and len(labelled) >= _FEWEST_ROWS
    if choosing:
        targets = replace(targets, held_out=_hold_out(labelled, n_rows, plan.seed))
    report: dict[str, Any] = {"n_rows": n_rows, "n_labelled": len(labelled), "n_held_out": 0}
    committee = _committee(plan, X, targets, labelled) if _wants_committee(plan, choosing) else None
    believed = False
    if committee is not None:
        targets = replace(targets, label_proba=committee.proba(X))
        assert targets.proba is not None
        kept = labelled if targets.held_out is None else labelled[~targets.held_out[labelled]]
        ahead = float(np.mean(targets.proba[kept].argmax(axis=1) == _labels(targets)[kept])) - committee.accuracy
        believed = 0.0 <= ahead <= LEARNT_BY_HEART
        report |= {"n_committee": len(committee.members), "teacher_ahead": ahead}
    amount = _amount(plan, X, believed and choosing)
    extra = _transfer_set(plan, X, targets, committee, amount) if amount else (X, targets)
    fits: list[Candidate] = []

    def fit(alpha: float, temperature: float, transfer: bool) -> Candidate:
        rows, goals = extra if transfer else (X, targets)
        fits.append(_fit(plan, rows, replace(goals, alpha=alpha, temperature=temperature)))
        if choosing:
            _judge(fits[-1], X, targets)
        return fits[-1]

    first_temperature = 1.0 if isinstance(plan.temperature, str) else plan.temperature
    if not isinstance(plan.alpha, str):
        chosen = fit(plan.alpha, first_temperature, bool(amount))
    elif not choosing:
        chosen = fit(targets.alpha, first_temperature, bool(amount))
    else:
        first, *others = _alphas(committee is not None, believed)
        chosen = fit(first, first_temperature, bool(amount))
        chosen = _better([chosen, *(fit(alpha, first_temperature, False) for alpha in others)])
    if choosing and isinstance(plan.temperature, str):
        chosen = _better([chosen, *(fit(chosen.alpha, value, chosen.transfer) for value in (2.0, 4.0))])
    return chosen, report
