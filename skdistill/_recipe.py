"""The recipe: what a student is fitted to where the user leaves it to the data, and what that was worth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.model_selection import KFold, StratifiedKFold

from ._validation import copy_unfitted, take_rows
from .losses import PROBABILITY_FLOOR, Targets, softmax
from .student import read_space
from .teacher import MOST_SOURCES, assemble, munge, stack

Array = NDArray[Any]

#: How far the teacher may be ahead, in accuracy on rows that it may know by heart, of students that have not seen
#: them, and still be believed about rows that nobody has seen.
LEARNT_BY_HEART = 0.15
#: With fewer labelled rows there are none to spare for a choice.
_FEWEST_ROWS = 100
#: Ways to fit are compared on so many rows at most. Of fewer labelled rows those held out are missed, and the
#: committee is seated again, with them, before the last fit.
_FEW_ROWS = 5_000
#: A labels-only student is fitted on at most so many rows.
_MOST_ROWS = 20_000
#: How many new rows are made, and the fewest and the most of them for each row that there is.
_NEW_ROWS = 20_000
_AUGMENT = (1.0, 5.0)
#: What logits may be multiplied by.
_SCALES = np.round(np.geomspace(0.7, 2.5, 27), 3)
#: What is tried besides a temperature of one.
_TEMPERATURES = (2.0, 4.0)


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


@dataclass(frozen=True)
class Candidate:
    """One of the ways among which the choice is, and what a student fitted in this way scores.

    Parameters
    ----------
    alpha, temperature : float
        What the student was fitted with.
    new_rows : bool
        Whether it was fitted to new rows as well.
    scale : float
        What its logits are multiplied by.
    losses : ndarray of shape (n_held_out,)
        Its log-loss on each row held out.
    scores : dict
        Its scores on the rows held out.
    """

    alpha: float
    temperature: float
    new_rows: bool
    scale: float
    losses: Array
    scores: dict[str, float]

    def line(self) -> dict[str, Any]:
        """Return what the report says of it."""
        return {"alpha": self.alpha, "temperature": self.temperature, "new_rows": self.new_rows, **self.scores}


@dataclass(frozen=True)
class Committee:
    """Students fitted on labels alone, each on all folds of the labelled rows but one.

    Parameters
    ----------
    members : list of estimator
        The fitted students.
    """

    members: list[Any]

    def proba(self, X: Any) -> Array:
        """Return the mean of the members' probabilities."""
        return np.mean([member.predict_proba(X) for member in self.members], axis=0)


@dataclass(frozen=True)
class Lesson:
    """What a student is to be fitted to, once all that was left open is chosen.

    Parameters
    ----------
    rows : ndarray, sparse matrix or frame of shape (n_rows, n_columns)
        The rows, new ones among them.
    targets : Targets
        What to fit on them.
    scale : float
        What the student's logits are to be multiplied by.
    report : dict
        As ``distillation_report_``.
    """

    rows: Any
    targets: Targets
    scale: float
    report: dict[str, Any]

    def teach(self, student: Any) -> Any:
        """Return a copy of a student that is fitted."""
        fitted = copy_unfitted(student).fit_targets(self.rows, self.targets)
        if self.scale != 1 and hasattr(fitted, "scale_logits"):
            fitted.scale_logits(self.scale)
        return fitted


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
    lesson = prepare(plan, X, targets)
    return lesson.teach(plan.student), lesson.report


def prepare(plan: Plan, X: Any, targets: Targets) -> Lesson:
    """Choose what is left open, and make what a student is fitted to; of one lesson several students can learn.

    Parameters
    ----------
    plan, X, targets : object
        As in :func:`distil`.

    Returns
    -------
    lesson : Lesson
        Rows, targets and report.
    """
    weight = targets.sample_weight
    if weight is not None and not weight.all():
        # a row of weight zero is no row, and none to make new ones from
        rows = np.flatnonzero(weight > 0)
        X, targets = take_rows(X, rows), targets.take(rows)
    labelled = _labelled(targets)
    choosing = plan.chooses and len(labelled) >= _FEWEST_ROWS
    if choosing:
        targets = replace(targets, held_out=_hold_out(labelled, X.shape[0], plan.seed))
    committee, believed, ahead = None, False, None
    if _wants_committee(plan, choosing):
        committee, believed, ahead = _seat_committee(plan, X, targets, labelled)
        targets = replace(targets, label_proba=committee.proba(X))
    candidates: list[Candidate] = []
    alpha, temperature, makes_rows = targets.alpha, targets.temperature, False
    if choosing:
        candidates = _tried(plan, X, targets, committee, believed)
        chosen = _best(candidates, targets, _margin(committee))
        alpha, temperature, makes_rows = chosen.alpha, chosen.temperature, chosen.new_rows
    # the rows held out have done their duty: what is chosen learns from all
    goals = replace(targets, alpha=alpha, temperature=temperature, held_out=None)
    seated = committee
    if choosing and committee is not None and len(labelled) < _FEW_ROWS:
        seated = _seat_committee(plan, X, goals, labelled)[0]
        goals = replace(goals, label_proba=seated.proba(X))
    n_new = _n_new(plan, X, makes_rows)
    rows, all_goals = _with_new_rows(plan, X, goals, seated, n_new) if n_new else (X, goals)
    scale = chosen.scale if choosing else 1.0
    report = {
        "alpha": alpha,
        "temperature": temperature,
        "n_rows": X.shape[0],
        "n_labelled": len(labelled),
        "n_new": n_new,
        "n_committee": 0 if committee is None else len(committee.members),
        "teacher_ahead": ahead,
        "logit_scale": scale,
    }
    if choosing:
        report |= {
            "n_held_out": len(chosen.losses),
            "candidates": [one.line() for one in candidates],
            "distilled": chosen.scores,
            "labels_only": _labels_only(committee, candidates, X, targets),
            "teacher": _scores(_held_out(targets), targets),
        }
    return Lesson(rows, all_goals, scale, report)


def _labelled(targets: Targets) -> Array:
    """Return the rows that have a label and a weight."""
    if targets.labels is None:
        return np.empty(0, dtype=np.int64)
    there = targets.labels >= 0
    return np.flatnonzero(there if targets.sample_weight is None else there & (targets.sample_weight > 0))


def _hold_out(labelled: Array, n_rows: int, seed: int) -> Array:
    """Return a mask of the rows to choose by: a tenth of those labelled, and of fewer than 1,000 more."""
    share = float(np.clip(100 / len(labelled), 0.1, 0.2))
    rows = np.random.RandomState(seed).permutation(labelled)[: round(share * len(labelled))]
    held_out = np.zeros(n_rows, dtype=bool)
    held_out[rows] = True
    return held_out


def _judges_itself(student: Any) -> bool:
    """Tell whether a student learns step by step, and so uses rows held out and soft labels."""
    return bool(getattr(student, "_judges_itself", False))


def _wants_committee(plan: Plan, choosing: bool) -> bool:
    if not isinstance(plan.committee, str):
        return plan.committee > 0
    return choosing and isinstance(plan.alpha, str) and _judges_itself(plan.student)


def _seat_committee(plan: Plan, X: Any, targets: Targets, labelled: Array) -> tuple[Committee, bool, float]:
    """Return students fitted on labels alone, and whether, and how far, the teacher is to be believed beyond them."""
    kept = labelled if targets.held_out is None else labelled[~targets.held_out[labelled]]
    size = plan.committee if not isinstance(plan.committee, str) else 10 if len(kept) < 2_000 else 5
    if len(kept) < 2 * size:
        raise ValueError(f"committee={size} needs at least {2 * size} labelled rows; there are {len(kept)}.")
    assert targets.labels is not None
    assert targets.proba is not None
    labels = targets.labels[kept]
    rarest = np.bincount(labels)[np.unique(labels)].min()
    folds = (StratifiedKFold if rarest >= size else KFold)(size, shuffle=True, random_state=plan.seed % 2**32)
    members, hits = [], np.zeros(len(kept))
    for number, (seen, unseen) in enumerate(folds.split(kept, labels), start=1):
        rows = kept[np.random.RandomState(plan.seed).permutation(seen)[:_MOST_ROWS]]
        alone = replace(targets.take(rows), proba=None, alpha=0.0, temperature=1.0, held_out=None)
        members.append(_seeded(plan, number).fit_targets(take_rows(X, rows), alone))
        told = members[-1].predict_proba(take_rows(X, kept[unseen])).argmax(axis=1)
        hits[unseen] = told == labels[unseen]
    weight = None if targets.sample_weight is None else targets.sample_weight[kept]
    accuracy = float(np.average(hits, weights=weight))
    ahead = float(np.average(targets.proba[kept].argmax(axis=1) == labels, weights=weight)) - accuracy
    # by more than chance: the accuracy is that of so many rows
    error = np.sqrt(accuracy * (1.0 - accuracy) / len(kept))
    return Committee(members), 0.0 <= ahead <= LEARNT_BY_HEART - error, ahead


def _seeded(plan: Plan, number: int) -> Any:
    """Return the student with a seed of its own, and silent."""
    student = copy_unfitted(plan.student)
    params = student.get_params(deep=False)
    if "random_state" in params:
        student.set_params(random_state=(plan.seed + number) % 2**31)
    if "verbose" in params:
        student.set_params(verbose=0)
    return student


def _n_new(plan: Plan, X: Any, makes_rows: bool) -> int:
    """Return how many new rows to make."""
    n_sources = min(X.shape[0], MOST_SOURCES)
    if not isinstance(plan.augment, str):
        return round(plan.augment * n_sources)
    if not (makes_rows and _can_make_rows(plan, X)):
        return 0
    fewest, most = _AUGMENT
    return round(n_sources * float(np.clip(_NEW_ROWS / n_sources, fewest, most)))


def _can_make_rows(plan: Plan, X: Any) -> bool:
    return plan.ask is not None and not sparse.issparse(X) and len(X.shape) == 2


def _with_new_rows(
    plan: Plan, X: Any, targets: Targets, committee: Committee | None, n_new: int
) -> tuple[Any, Targets]:
    """Return rows and targets with new rows below them, which teacher and committee have answered."""
    assert plan.ask is not None
    # what is held out is nobody's neighbour, so that nothing of it gets into the new rows
    sources = X if targets.held_out is None else take_rows(X, np.flatnonzero(~targets.held_out))
    space = read_space(sources, plan.seed)
    index = munge(space.points, space.columns, space.numeric, n_new, np.random.RandomState(plan.seed))
    rows = assemble(sources, index)
    label_proba = None if committee is None else committee.proba(rows)
    return stack(X, rows), extended(targets, plan.ask(rows), label_proba)


def extended(targets: Targets, proba: Array, label_proba: Array | None = None) -> Targets:
    """Return targets with those of rows without labels below them.

    Parameters
    ----------
    targets : Targets
        The targets of the rows above.
    proba : ndarray of shape (n_new, n_classes)
        The teacher's answers for the rows below.
    label_proba : ndarray of shape (n_new, n_classes) or None
        What is fitted in the place of their labels.

    Returns
    -------
    targets : Targets
        Of all rows. A row below weighs as much as the average row above.
    """

    def below(above: Array | None, value: Any) -> Array | None:
        if above is None:
            return None
        return np.concatenate([above, value if np.ndim(value) else np.full(len(proba), value, dtype=above.dtype)])

    weight = targets.sample_weight
    return replace(
        targets,
        proba=below(targets.proba, proba),
        labels=below(targets.labels, -1),
        sample_weight=below(weight, 0.0 if weight is None else weight[weight > 0].mean()),
        label_proba=below(targets.label_proba, label_proba),
        held_out=below(targets.held_out, False),
    )


def _tried(plan: Plan, X: Any, targets: Targets, committee: Committee | None, believed: bool) -> list[Candidate]:
    """Return what students score that are fitted in each of the ways to choose among, the first to be preferred."""
    held_out = targets.held_out
    assert held_out is not None
    if X.shape[0] > _FEW_ROWS + held_out.sum():
        # ways can be told apart by fewer rows
        kept = np.random.RandomState(plan.seed).permutation(np.flatnonzero(~held_out))[:_FEW_ROWS]
        rows = np.sort(np.concatenate([kept, np.flatnonzero(held_out)]))
        X, targets = take_rows(X, rows), targets.take(rows)
    leaves_it = isinstance(plan.alpha, str) and isinstance(plan.augment, str)
    makes_rows = believed and leaves_it and _can_make_rows(plan, X)
    more = _with_new_rows(plan, X, targets, committee, _n_new(plan, X, True)) if makes_rows else None

    def score(alpha: float, temperature: float, new_rows: bool = False) -> Candidate:
        rows, goals = more if new_rows and more is not None else (X, targets)
        return _candidate(plan, rows, replace(goals, alpha=alpha, temperature=temperature), new_rows, believed)

    temperature = targets.temperature
    tried = [score(targets.alpha, temperature, True)] if makes_rows else []
    alphas: tuple[float, ...] = (targets.alpha,)
    if isinstance(plan.alpha, str):
        alphas = (0.5, 1.0, 0.0) if committee is None else (0.5, 0.25, 0.0) if believed else (0.25, 0.0)
    tried += [score(alpha, temperature) for alpha in alphas]
    if isinstance(plan.temperature, str) and getattr(plan.student, "softens", True):
        best = _best(tried, targets, _margin(committee))
        rest = [one for one in tried if one is not best]
        tried = [best, *rest, *(score(best.alpha, warmer, best.new_rows) for warmer in _TEMPERATURES)]
    return tried


def _candidate(plan: Plan, X: Any, targets: Targets, new_rows: bool, scaled: bool) -> Candidate:
    """Return what a student scores on the rows held out that is fitted without them, its logits scaled or not."""
    assert targets.held_out is not None
    student = copy_unfitted(plan.student)
    if _judges_itself(student):
        student.fit_targets(X, targets)
    else:
        rows = np.flatnonzero(~targets.held_out)
        student.fit_targets(take_rows(X, rows), replace(targets.take(rows), held_out=None))
    proba = student.predict_proba(take_rows(X, np.flatnonzero(targets.held_out)))
    scale = _logit_scale(proba, targets) if scaled and hasattr(student, "scale_logits") else 1.0
    proba = _scaled(proba, scale)
    losses, scores = _losses(proba, targets), _scores(proba, targets)
    return Candidate(targets.alpha, targets.temperature, new_rows, scale, losses, scores)


def _held_out(targets: Targets) -> Array:
    """Return the teacher's answers for the rows held out."""
    assert targets.proba is not None
    return targets.proba[targets.held_out]


def _losses(proba: Array, targets: Targets) -> Array:
    """Return the log-loss of each row held out."""
    assert targets.held_out is not None
    assert targets.labels is not None
    labels = targets.labels[targets.held_out]
    return -np.log(np.maximum(proba[np.arange(len(labels)), labels], PROBABILITY_FLOOR))


def _scores(proba: Array, targets: Targets) -> dict[str, float]:
    """Return the scores of probabilities of the rows held out."""
    held_out = targets.held_out
    assert held_out is not None
    assert targets.proba is not None
    assert targets.labels is not None
    weight = None if targets.sample_weight is None else targets.sample_weight[held_out]
    told = proba.argmax(axis=1)
    rows = {
        "log_loss": _losses(proba, targets),
        "accuracy": told == targets.labels[held_out],
        "agreement": told == targets.proba[held_out].argmax(axis=1),
    }
    return {name: float(np.average(values, weights=weight)) for name, values in rows.items()}


def _margin(committee: Committee | None) -> float:
    """Return by how many standard errors another way has to be better than the first.

    Where a committee has said how far the teacher is to be followed, that stands until something is clearly better.
    """
    return 0.0 if committee is None else 1.0


def _best(candidates: list[Candidate], targets: Targets, margin: float) -> Candidate:
    """Return the first candidate, unless another one is better by more than so many standard errors."""
    first, *others = candidates
    best, most = first, 0.0
    for other in others:
        mean, error = _gain(first.losses - other.losses, targets)
        if mean > max(margin * error, most):
            best, most = other, mean
    return best


def _gain(gain: Array, targets: Targets) -> tuple[float, float]:
    """Return the mean gain on the rows held out, each counted by its weight, and its standard error."""
    weight = np.ones(len(gain)) if targets.sample_weight is None else targets.sample_weight[targets.held_out]
    weight = weight / weight.sum()
    mean = float(weight @ gain)
    return mean, float(np.sqrt(weight**2 @ (gain - mean) ** 2))


def _scaled(proba: Array, scale: float) -> Array:
    """Return probabilities whose logits are multiplied by a number."""
    return proba if scale == 1 else softmax(np.log(np.maximum(proba, PROBABILITY_FLOOR)) * scale)


def _logit_scale(proba: Array, targets: Targets) -> float:
    """Return what to multiply the logits by, from the rows held out; one, unless better by more than chance has it.

    A forest is less sure of itself than it could be, and its students with it.
    """
    losses = _losses(proba, targets)
    best, most = 1.0, 0.0
    for scale in _SCALES:
        mean, error = _gain(losses - _losses(_scaled(proba, scale), targets), targets)
        if mean > max(2.0 * error, most):
            best, most = float(scale), mean
    # the fewer rows, the less of it is believed
    return float(best ** (len(losses) / (len(losses) + 100.0)))


def _labels_only(
    committee: Committee | None, candidates: list[Candidate], X: Any, targets: Targets
) -> dict[str, float] | None:
    """Return the scores of a student fitted on labels alone: the mean over the committee, or the one of alpha 0."""
    if committee is None:
        return next((one.scores for one in candidates if one.alpha == 0), None)
    assert targets.held_out is not None
    rows = take_rows(X, np.flatnonzero(targets.held_out))
    each = [_scores(member.predict_proba(rows), targets) for member in committee.members]
    return {name: float(np.mean([scores[name] for scores in each])) for name in each[0]}
