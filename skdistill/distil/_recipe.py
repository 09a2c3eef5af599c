"""The recipe: what a student is fitted to where the user leaves it to the data, and what that was worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .._sklearn import copy_unfitted, take_rows
from ..losses import CrossEntropy, Targets
from ..student import traits_of
from ..tasks import Shares, Task
from ._augment import MOST_SOURCES, new_rows, stack
from ._label_ensemble import LabelEnsemble, fit_label_ensemble, in_parallel
from ._plan import Plan

Array = NDArray[Any]
Ask = Callable[[Any], Array]

#: With fewer labelled rows, too few could be held out to choose by.
_FEWEST_ROWS = 100
#: Candidates are fitted on at most so many rows. With fewer labelled rows, holding some out costs accuracy, and the
#: label ensemble is fitted again with them before the last fit.
_FEW_ROWS = 5_000
#: How many new rows are made, and the fewest and the most of them for each row that there is.
_NEW_ROWS = 20_000
_AUGMENT = (1.0, 5.0)
#: What is tried besides a temperature of one.
_TEMPERATURES = (2.0, 4.0)


@dataclass(frozen=True)
class Candidate:
    """One of the ways to fit the student, and how a student that was fitted in this way scores.

    Parameters
    ----------
    alpha : float
        The share of the teacher's term.
    temperature : float or None
        What the teacher was softened by; None for a regressor.
    new_rows : bool
        Whether new rows were added.
    logit_scale : float
        What temperature scaling multiplies the logits by.
    losses : ndarray of shape (n_held_out,)
        The loss of each held-out row.
    scores : dict
        Scores on the held-out rows.
    """

    alpha: float
    temperature: float | None
    new_rows: bool
    logit_scale: float
    losses: Array
    scores: dict[str, float]

    def line(self) -> dict[str, Any]:
        """Return its entry in the report."""
        return {"alpha": self.alpha, "temperature": self.temperature, "new_rows": self.new_rows, **self.scores}


@dataclass(frozen=True)
class TrainingSet:
    """What a student is fitted to, once all that was left open is chosen; several students can be fitted to one.

    Parameters
    ----------
    rows : ndarray, sparse matrix or frame of shape (n_rows, n_columns)
        The rows, new ones among them.
    targets : Targets
        What to fit on them.
    logit_scale : float
        What the student's logits are multiplied by in the end.
    report : dict
        As ``distillation_report_``.
    """

    rows: Any
    targets: Targets
    logit_scale: float
    report: dict[str, Any]


def choose(plan: Plan, X: Any, targets: Targets, ask: Ask | None) -> TrainingSet:
    """Choose what the user left open, and make the training set.

    Parameters
    ----------
    plan : Plan
        What is left open.
    X : ndarray, sparse matrix or frame of shape (n_rows, n_columns)
        The rows, raw.
    targets : Targets
        The teacher's answers and the labels of these rows; their `alpha` and temperature are placeholders for what is
        to be chosen.
    ask : callable or None
        From rows to the teacher's answers; None where it cannot be asked again.

    Returns
    -------
    training_set : TrainingSet
        Rows, targets and report.
    """
    weight = targets.sample_weight
    if weight is not None and not weight.all():
        # rows of weight zero do not count, and no new ones are made from them
        rows = np.flatnonzero(weight > 0)
        X, targets = take_rows(X, rows), targets.take(rows)
    labelled = np.empty(0, dtype=np.int64) if targets.labels is None else np.flatnonzero(targets.labelled())
    choosing = plan.chooses and len(labelled) >= _FEWEST_ROWS
    if choosing:
        targets = replace(targets, held_out=_hold_out(labelled, X.shape[0], plan.seed))
    ensemble, shares = None, None
    if _wants_ensemble(plan, choosing):
        ensemble, shares = fit_label_ensemble(plan, X, targets, labelled)
        targets = targets.with_soft_labels(ensemble.predict(X))
    candidates: list[Candidate] = []
    chosen = Candidate(targets.alpha, _temperature(targets), False, 1.0, np.empty(0), {})
    if choosing:
        candidates = _fit_candidates(plan, X, targets, ask, ensemble, shares)
        chosen = _best(candidates, targets, _margin(ensemble))
    # the held-out rows have served: the student learns from all
    final = replace(_blended(targets, chosen.alpha, chosen.temperature), held_out=None)
    n_new = _n_new(plan, X, ask, chosen.new_rows)
    last = ensemble
    softened = n_new > 0 or final.loss.needs_soft_labels(final.labels)
    if choosing and ensemble is not None and len(labelled) < _FEW_ROWS and softened:
        last = fit_label_ensemble(plan, X, final, labelled)[0]
        final = final.with_soft_labels(last.predict(X))
    report: dict[str, Any] = {
        "alpha": chosen.alpha,
        "temperature": chosen.temperature,
        "n_rows": X.shape[0],
        "n_labelled": len(labelled),
        "n_new": n_new,
        "n_label_models": 0 if ensemble is None else len(ensemble.models),
        "teacher_gap": None if shares is None else shares.gap,
        "logit_scale": chosen.logit_scale,
        "n_held_out": len(chosen.losses),
        "candidates": [one.line() for one in candidates],
        "distilled": chosen.scores or None,
        "labels_only": _labels_only(ensemble, candidates, X, targets) if choosing else None,
        "teacher": _scores(plan.task, targets, None) if choosing else None,
    }
    rows, final = _with_new_rows(plan, X, final, ask, last, n_new) if n_new else (X, final)
    return TrainingSet(rows, final, chosen.logit_scale, report)


def choose_again(plan: Plan, made: TrainingSet, X: Any, targets: Targets, ask: Ask | None) -> TrainingSet:
    """Make a training set of more rows by the choices that were made for some of them.

    Parameters
    ----------
    plan : Plan
        The plan of the first one.
    made : TrainingSet
        The first one.
    X : ndarray, sparse matrix or frame of shape (n_rows, n_columns)
        All rows, raw.
    targets : Targets
        The teacher's answers and the labels of these rows.
    ask : callable or None
        As in :func:`choose`.

    Returns
    -------
    training_set : TrainingSet
        Nothing is held out of it. Its report says what was chosen on the rows held out for the first one.
    """
    report = made.report
    ratio = report["n_new"] / min(report["n_rows"], MOST_SOURCES)
    fixed = replace(
        plan, alpha=report["alpha"], temperature=1.0, augment=ratio, label_ensemble=report["n_label_models"]
    )
    again = choose(fixed, X, _blended(targets, report["alpha"], report["temperature"]), ask)
    counts = {name: again.report[name] for name in ("n_rows", "n_labelled", "n_new")}
    return replace(again, logit_scale=made.logit_scale, report=report | counts)


def gain(losses: Array, others: Array, weight: Array | None) -> tuple[float, float]:
    """Return by how much the mean of other losses is lower, and the standard error of that, paired by row.

    Parameters
    ----------
    losses, others : ndarray of shape (n_rows,)
        Losses of the same rows.
    weight : ndarray of shape (n_rows,) or None
        The weight of each row.
    """
    lower = losses - others
    weight = np.ones(len(lower)) if weight is None else weight
    weight = weight / weight.sum()
    mean = float(weight @ lower)
    return mean, float(np.sqrt(weight**2 @ (lower - mean) ** 2))


def _temperature(targets: Targets) -> float | None:
    return getattr(targets.loss, "temperature", None)


def _blended(targets: Targets, alpha: float, temperature: float | None) -> Targets:
    """Return targets with another alpha and temperature."""
    loss = CrossEntropy(temperature) if temperature is not None and type(targets.loss) is CrossEntropy else targets.loss
    return replace(targets, alpha=alpha, loss=loss)


def _held_out_weight(targets: Targets) -> Array | None:
    return None if targets.sample_weight is None else targets.sample_weight[targets.held_out]


def _hold_out(labelled: Array, n_rows: int, seed: int) -> Array:
    """Return a mask of the rows to choose by: a tenth of those labelled, more of fewer than 1,000."""
    share = float(np.clip(100 / len(labelled), 0.1, 0.2))
    rows = np.random.RandomState(seed).permutation(labelled)[: round(share * len(labelled))]
    held_out = np.zeros(n_rows, dtype=bool)
    held_out[rows] = True
    return held_out


def _wants_ensemble(plan: Plan, choosing: bool) -> bool:
    if not isinstance(plan.label_ensemble, str):
        return plan.label_ensemble > 0
    return choosing and isinstance(plan.alpha, str) and traits_of(plan.student).in_epochs


def _n_new(plan: Plan, X: Any, ask: Ask | None, wanted: bool) -> int:
    """Return how many new rows to make."""
    n_sources = min(X.shape[0], MOST_SOURCES)
    if not isinstance(plan.augment, str):
        return round(plan.augment * n_sources)
    if not (wanted and _can_augment(X, ask)):
        return 0
    fewest, most = _AUGMENT
    return round(n_sources * float(np.clip(_NEW_ROWS / n_sources, fewest, most)))


def _can_augment(X: Any, ask: Ask | None) -> bool:
    return ask is not None and not sparse.issparse(X) and len(X.shape) == 2


def _with_new_rows(
    plan: Plan, X: Any, targets: Targets, ask: Ask | None, ensemble: LabelEnsemble | None, n_new: int
) -> tuple[Any, Targets]:
    """Return rows and targets with new rows below them, which teacher and label ensemble have answered."""
    assert ask is not None
    # a held-out row is nobody's neighbour, so that nothing of it gets into the new rows
    sources = X if targets.held_out is None else take_rows(X, np.flatnonzero(~targets.held_out))
    rows = new_rows(sources, n_new, plan.seed)
    soft_labels = None if ensemble is None else ensemble.predict(rows)
    return stack(X, rows), targets.with_below(ask(rows), soft_labels)


def _fit_candidates(
    plan: Plan, X: Any, targets: Targets, ask: Ask | None, ensemble: LabelEnsemble | None, shares: Shares | None
) -> list[Candidate]:
    """Return the candidates, each with a student fitted without the held-out rows; the preferred one is first."""
    held_out = targets.held_out
    assert held_out is not None
    if X.shape[0] > _FEW_ROWS + held_out.sum():
        # fewer rows are enough to compare candidates
        kept = np.random.RandomState(plan.seed).permutation(np.flatnonzero(~held_out))[:_FEW_ROWS]
        rows = np.sort(np.concatenate([kept, np.flatnonzero(held_out)]))
        X, targets = take_rows(X, rows), targets.take(rows)
    ways = [(alpha, False) for alpha in (0.5, 1.0, 0.0)] if shares is None else shares.candidates
    if not isinstance(plan.alpha, str):
        ways = [(targets.alpha, False)]
    augments = isinstance(plan.augment, str) and _can_augment(X, ask)
    ways = list(dict.fromkeys((alpha, new_rows and augments) for alpha, new_rows in ways))
    wanted = any(new_rows for _, new_rows in ways)
    more = _with_new_rows(plan, X, targets, ask, ensemble, _n_new(plan, X, ask, True)) if wanted else None
    scaled = shares is not None and not shares.memorised and traits_of(plan.student).scalable

    def fitted(each: list[tuple[float, float | None, bool]]) -> list[Candidate]:
        def calls() -> Iterator[tuple[Any, Task, Any, Targets, bool, bool]]:
            for alpha, temperature, augmented in each:
                rows, goals = more if augmented and more is not None else (X, targets)
                goals = _blended(goals, alpha, temperature)
                yield copy_unfitted(plan.student), plan.task, rows, goals, augmented, scaled

        return list(in_parallel(plan.n_jobs, _candidate, calls()))

    found = fitted([(alpha, _temperature(targets), new_rows) for alpha, new_rows in ways])
    if isinstance(plan.temperature, str) and traits_of(plan.student).softens:
        best = _best(found, targets, _margin(ensemble))
        rest = [one for one in found if one is not best]
        found = [best, *rest, *fitted([(best.alpha, warmer, best.new_rows) for warmer in _TEMPERATURES])]
    return found


def _candidate(student: Any, task: Task, X: Any, targets: Targets, new_rows: bool, scaled: bool) -> Candidate:
    """Return a candidate, with a student that is fitted without the held-out rows, its logits scaled or not."""
    assert targets.held_out is not None
    if traits_of(student).in_epochs:
        student.fit_targets(X, targets)
    else:
        rows = np.flatnonzero(~targets.held_out)
        student.fit_targets(take_rows(X, rows), replace(targets.take(rows), held_out=None))
    values = task.predict(student, take_rows(X, np.flatnonzero(targets.held_out)))
    scale = _logit_scale(task, targets, values) if scaled else 1.0
    values = task.rescaled(values, scale)
    return Candidate(
        targets.alpha,
        _temperature(targets),
        new_rows,
        scale,
        _losses(task, targets, values),
        _scores(task, targets, values),
    )


def _losses(task: Task, targets: Targets, values: Array) -> Array:
    """Return the loss of each held-out row."""
    assert targets.labels is not None
    goals = task.goals(targets.labels[targets.held_out], targets.n_targets)
    return task.row_losses(goals, values, task.spread(targets.labels))


def _scores(task: Task, targets: Targets, values: Array | None) -> dict[str, float]:
    """Return scores on the held-out rows, of the teacher itself where there are no values."""
    assert targets.labels is not None
    assert targets.answers is not None
    held_out = targets.held_out
    teacher = targets.answers[held_out]
    values = teacher if values is None else values
    return task.scores(targets.labels[held_out], values, teacher, _held_out_weight(targets))


def _logit_scale(task: Task, targets: Targets, values: Array) -> float:
    """Return what temperature scaling multiplies the logits by; 1 unless another factor is clearly better.

    Forests are under-confident, and their students with them. Guo and others (2017), "On Calibration of Modern Neural
    Networks", https://arxiv.org/abs/1706.04599.
    """
    losses, weight = _losses(task, targets, values), _held_out_weight(targets)
    best, most = 1.0, 0.0
    for scale in task.logit_scales:
        mean, error = gain(losses, _losses(task, targets, task.rescaled(values, scale)), weight)
        if mean > max(2.0 * error, most):
            best, most = scale, mean
    # the fewer rows, the closer to 1
    return float(best ** (len(losses) / (len(losses) + 100.0)))


def _margin(ensemble: LabelEnsemble | None) -> float:
    """Return by how many standard errors another candidate has to be better than the preferred one.

    Where a label ensemble has shown what the teacher is worth, that stands until another is clearly better.
    """
    return 0.0 if ensemble is None else 1.0


def _best(candidates: list[Candidate], targets: Targets, margin: float) -> Candidate:
    """Return the first candidate, unless another one is better by more than `margin` standard errors."""
    first, *others = candidates
    best, most = first, 0.0
    for other in others:
        mean, error = gain(first.losses, other.losses, _held_out_weight(targets))
        if mean > max(margin * error, most):
            best, most = other, mean
    return best


def _labels_only(
    ensemble: LabelEnsemble | None, candidates: list[Candidate], X: Any, targets: Targets
) -> dict[str, float] | None:
    """Return the scores of a student of the labels alone: the mean over the ensemble, or the candidate of alpha 0."""
    if ensemble is None:
        return next((one.scores for one in candidates if one.alpha == 0), None)
    assert targets.held_out is not None
    rows = take_rows(X, np.flatnonzero(targets.held_out))
    each = [_scores(ensemble.task, targets, ensemble.task.predict(model, rows)) for model in ensemble.models]
    return {name: float(np.mean([scores[name] for scores in each])) for name in each[0]}
