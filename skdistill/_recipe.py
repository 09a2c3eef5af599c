"""The recipe: what a student is fitted to where the user leaves it to the data, and what that was worth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.parallel import Parallel, delayed

from ._judge import Judge, Trust, gain
from ._validation import copy_unfitted, take_rows
from .losses import RegressionTargets, Targets
from .student import neighbour_space
from .student._progress import Progress
from .teacher import MOST_SOURCES, assemble, munge, stack

Array = NDArray[Any]
AnyTargets = Targets | RegressionTargets

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
#: What is tried besides a temperature of one.
_TEMPERATURES = (2.0, 4.0)


@dataclass(frozen=True)
class Plan:
    """How a student is to be fitted: what the user said, and "auto" where the data are to say.

    Parameters
    ----------
    student : estimator
        The student, not fitted.
    judge : Judge
        Says what a student answers, and how good that is.
    ask : callable or None
        Rows to what the teacher says of them, by field of the targets; None where there are but
        answers given beforehand.
    alpha, temperature, augment : float or "auto"
        As in DistilledClassifier. A regressor's temperature is 1.
    committee : int or "auto"
        As in DistilledClassifier.
    seed : int
        Seeds everything random.
    verbose : int
        1 shows the committee's progress.
    n_jobs : int or None
        In how many processes students are fitted that do not wait for each other; None is one.
    """

    student: Any
    judge: Judge
    ask: Callable[[Any], dict[str, Array]] | None
    alpha: float | str
    temperature: float | str
    augment: float | str
    committee: int | str
    seed: int
    verbose: int
    n_jobs: int | None = None

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
        What the student was fitted with; a regressor has no temperature.
    new_rows : bool
        Whether it was fitted to new rows as well.
    scale : float
        What its logits are multiplied by.
    losses : ndarray of shape (n_held_out,)
        Its loss on each row held out.
    scores : dict
        Its scores on the rows held out.
    """

    alpha: float
    temperature: float | None
    new_rows: bool
    scale: float
    losses: Array
    scores: dict[str, float]

    def line(self) -> dict[str, Any]:
        """Return what the report says of it."""
        return {"alpha": self.alpha, **self.warmth, "new_rows": self.new_rows, **self.scores}

    @property
    def warmth(self) -> dict[str, float]:
        """What the report says of the temperature, if there is one."""
        return {} if self.temperature is None else {"temperature": self.temperature}


@dataclass(frozen=True)
class Committee:
    """Students fitted on labels alone, each on all folds of the labelled rows but one.

    Parameters
    ----------
    members : list of estimator
        The fitted students.
    judge : Judge
        Says what they answer.
    """

    members: list[Any]
    judge: Judge

    def answers(self, X: Any) -> Array:
        """Return the mean of the members' answers."""
        return np.mean([self.judge.answers(member, X) for member in self.members], axis=0)


@dataclass(frozen=True)
class Lesson:
    """What a student is to be fitted to, once all that was left open is chosen; several students can learn of one.

    Parameters
    ----------
    rows : ndarray, sparse matrix or frame of shape (n_rows, n_columns)
        The rows, new ones among them.
    targets : Targets or RegressionTargets
        What to fit on them.
    scale : float
        What the student's logits are to be multiplied by.
    report : dict
        As ``distillation_report_``.
    """

    rows: Any
    targets: AnyTargets
    scale: float
    report: dict[str, Any]

    def teach(self, student: Any) -> Any:
        """Return a copy of a student that is fitted."""
        fitted = copy_unfitted(student).fit_targets(self.rows, self.targets)
        if self.scale != 1 and hasattr(fitted, "scale_logits"):
            fitted.scale_logits(self.scale)
        return fitted


def side_by_side(n_jobs: int | None, fit: Callable[..., Any], each: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
    """Call a function for each of several lists of arguments, in so many processes, and yield what it returns in order.

    Parameters
    ----------
    n_jobs : int or None
        How many processes, as scikit-learn has it: None is one, -1 as many as there are processors.
    fit : callable
        What to call; it must not be local to another function.
    each : iterable of tuple
        Its arguments, made as they are needed.

    Yields
    ------
    result : object
        What it returned.
    """
    # arrays are copied and not mapped into memory, where they could not be written to
    parallel = Parallel(n_jobs=n_jobs, return_as="generator", max_nbytes=None)
    yield from parallel(delayed(fit)(*arguments) for arguments in each)


def prepare(plan: Plan, X: Any, targets: AnyTargets) -> Lesson:
    """Choose what is left open, and make what a student is fitted to.

    Parameters
    ----------
    plan : Plan
        How.
    X : ndarray, sparse matrix or frame of shape (n_rows, n_columns)
        The rows, raw.
    targets : Targets or RegressionTargets
        The teacher's answers and the labels of these rows; their `alpha` and `temperature` stand
        for what is to be chosen.

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
    committee, trust = None, None
    if _wants_committee(plan, choosing):
        committee, trust = _seat_committee(plan, X, targets, labelled)
        targets = targets.with_stand_in(committee.answers(X))
    candidates: list[Candidate] = []
    alpha, temperature, makes_rows = targets.alpha, _temperature(targets), False
    if choosing:
        candidates = _tried(plan, X, targets, committee, trust)
        chosen = _best(candidates, targets, _margin(committee))
        alpha, temperature, makes_rows = chosen.alpha, chosen.temperature, chosen.new_rows
    # the rows held out have done their duty: what is chosen learns from all
    goals = replace(_set(targets, alpha, temperature), held_out=None)
    n_new = _n_new(plan, X, makes_rows)
    seated = committee
    heard = n_new > 0 or goals.needs_stand_in()
    if choosing and committee is not None and len(labelled) < _FEW_ROWS and heard:
        seated = _seat_committee(plan, X, goals, labelled)[0]
        goals = goals.with_stand_in(seated.answers(X))
    rows, all_goals = _with_new_rows(plan, X, goals, seated, n_new) if n_new else (X, goals)
    scale = chosen.scale if choosing else 1.0
    report: dict[str, Any] = {
        "alpha": alpha,
        **({} if temperature is None else {"temperature": temperature}),
        "n_rows": X.shape[0],
        "n_labelled": len(labelled),
        "n_new": n_new,
        "n_committee": 0 if committee is None else len(committee.members),
        "teacher_ahead": None if trust is None else trust.ahead,
        **({} if temperature is None else {"logit_scale": scale}),
    }
    if choosing:
        report |= {
            "n_held_out": len(chosen.losses),
            "candidates": [one.line() for one in candidates],
            "distilled": chosen.scores,
            "labels_only": _labels_only(committee, candidates, X, targets),
            "teacher": plan.judge.scores(targets.answered()[targets.held_out], targets),
        }
    return Lesson(rows, all_goals, scale, report)


def prepare_again(plan: Plan, lesson: Lesson, X: Any, targets: AnyTargets) -> Lesson:
    """Make of more rows what a lesson has made of some of them, with all that was chosen for it.

    Parameters
    ----------
    plan : Plan
        How the lesson was made.
    lesson : Lesson
        What came of it.
    X : ndarray, sparse matrix or frame of shape (n_rows, n_columns)
        All rows, raw.
    targets : Targets or RegressionTargets
        The teacher's answers and the labels of these rows.

    Returns
    -------
    lesson : Lesson
        Nothing is held out for it. Its report says what was chosen on the rows held out for the first one.
    """
    chosen = lesson.report
    share = chosen["n_new"] / min(chosen["n_rows"], MOST_SOURCES)
    fixed = replace(plan, alpha=chosen["alpha"], temperature=1.0, augment=share, committee=chosen["n_committee"])
    again = prepare(fixed, X, _set(targets, chosen["alpha"], chosen.get("temperature")))
    counts = {name: again.report[name] for name in ("n_rows", "n_labelled", "n_new")}
    return replace(again, scale=lesson.scale, report=chosen | counts)


def _temperature(targets: AnyTargets) -> float | None:
    return targets.temperature if isinstance(targets, Targets) else None


def _set(targets: AnyTargets, alpha: float, temperature: float | None) -> AnyTargets:
    """Return targets with another blend."""
    if isinstance(targets, Targets):
        assert temperature is not None
        return replace(targets, alpha=alpha, temperature=temperature)
    return replace(targets, alpha=alpha)


def _labelled(targets: AnyTargets) -> Array:
    """Return the rows that have a label and a weight."""
    if targets.labels is None:
        return np.empty(0, dtype=np.int64)
    there = targets.labelled()
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


def _seat_committee(plan: Plan, X: Any, targets: AnyTargets, labelled: Array) -> tuple[Committee, Trust]:
    """Return students fitted on labels alone, and how far the teacher is to be followed beyond them."""
    kept = labelled if targets.held_out is None else labelled[~targets.held_out[labelled]]
    size = plan.committee if not isinstance(plan.committee, str) else 10 if len(kept) < 2_000 else 5
    if len(kept) < 2 * size:
        raise ValueError(f"committee={size} needs at least {2 * size} labelled rows; there are {len(kept)}.")
    known = targets.take(kept)
    assert known.labels is not None
    folds = list(plan.judge.folds(known.labels, size, plan.seed % 2**32))

    def what_is_learnt() -> Iterator[tuple[Any, Any, AnyTargets]]:
        for number, (seen, _) in enumerate(folds, start=1):
            rows = kept[np.random.RandomState(plan.seed).permutation(seen)[:_MOST_ROWS]]
            yield _seeded(plan, number), take_rows(X, rows), targets.take(rows).labels_alone()

    members, told = [], np.empty(known.answered().shape)
    with Progress(plan.verbose, size, "committee", "student") as progress:
        for member, (_, unseen) in zip(side_by_side(plan.n_jobs, _fit, what_is_learnt()), folds, strict=True):
            members.append(member)
            told[unseen] = plan.judge.answers(member, take_rows(X, kept[unseen]))
            progress.step()
    return Committee(members, plan.judge), plan.judge.trust(told, known)


def _fit(student: Any, X: Any, targets: AnyTargets) -> Any:
    """Return the student, fitted; a function of its own, so that it can be called in another process."""
    return student.fit_targets(X, targets)


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
    plan: Plan, X: Any, targets: AnyTargets, committee: Committee | None, n_new: int
) -> tuple[Any, AnyTargets]:
    """Return rows and targets with new rows below them, which teacher and committee have answered."""
    assert plan.ask is not None
    # what is held out is nobody's neighbour, so that nothing of it gets into the new rows
    sources = X if targets.held_out is None else take_rows(X, np.flatnonzero(~targets.held_out))
    space = neighbour_space(sources, plan.seed)
    index = munge(space.points, space.columns, space.numeric, n_new, np.random.RandomState(plan.seed))
    rows = assemble(sources, index)
    stand_in = None if committee is None else committee.answers(rows)
    return stack(X, rows), targets.with_below(plan.ask(rows), stand_in)


def _tried(
    plan: Plan, X: Any, targets: AnyTargets, committee: Committee | None, trust: Trust | None
) -> list[Candidate]:
    """Return what students score that are fitted in each of the ways to choose among, the first to be preferred."""
    held_out = targets.held_out
    assert held_out is not None
    if X.shape[0] > _FEW_ROWS + held_out.sum():
        # ways can be told apart by fewer rows
        kept = np.random.RandomState(plan.seed).permutation(np.flatnonzero(~held_out))[:_FEW_ROWS]
        rows = np.sort(np.concatenate([kept, np.flatnonzero(held_out)]))
        X, targets = take_rows(X, rows), targets.take(rows)
    ways = [(alpha, False) for alpha in (0.5, 1.0, 0.0)] if trust is None else trust.ways
    if not isinstance(plan.alpha, str):
        ways = [(targets.alpha, False)]
    makes_rows = isinstance(plan.augment, str) and _can_make_rows(plan, X)
    ways = list(dict.fromkeys((alpha, new_rows and makes_rows) for alpha, new_rows in ways))
    wanted = any(new_rows for _, new_rows in ways)
    more = _with_new_rows(plan, X, targets, committee, _n_new(plan, X, True)) if wanted else None

    scaled = trust is not None and trust.believed

    def scored(tries: list[tuple[float, float | None, bool]]) -> list[Candidate]:
        def what_is_tried() -> Iterator[tuple[Any, Judge, Any, AnyTargets, bool, bool]]:
            for alpha, temperature, new_rows in tries:
                rows, goals = more if new_rows and more is not None else (X, targets)
                goals = _set(goals, alpha, temperature)
                yield copy_unfitted(plan.student), plan.judge, rows, goals, new_rows, scaled

        return list(side_by_side(plan.n_jobs, _candidate, what_is_tried()))

    tried = scored([(alpha, _temperature(targets), new_rows) for alpha, new_rows in ways])
    if isinstance(plan.temperature, str) and getattr(plan.student, "softens", True):
        best = _best(tried, targets, _margin(committee))
        rest = [one for one in tried if one is not best]
        tried = [best, *rest, *scored([(best.alpha, warmer, best.new_rows) for warmer in _TEMPERATURES])]
    return tried


def _candidate(student: Any, judge: Judge, X: Any, targets: AnyTargets, new_rows: bool, scaled: bool) -> Candidate:
    """Return what a student scores on the rows held out that is fitted without them, its logits scaled or not."""
    assert targets.held_out is not None
    if _judges_itself(student):
        student.fit_targets(X, targets)
    else:
        rows = np.flatnonzero(~targets.held_out)
        student.fit_targets(take_rows(X, rows), replace(targets.take(rows), held_out=None))
    answers = judge.answers(student, take_rows(X, np.flatnonzero(targets.held_out)))
    scale = 1.0
    if scaled and hasattr(student, "scale_logits"):
        scale, answers = judge.scaled(answers, targets)
    losses, scores = judge.losses(answers, targets), judge.scores(answers, targets)
    return Candidate(targets.alpha, _temperature(targets), new_rows, scale, losses, scores)


def _margin(committee: Committee | None) -> float:
    """Return by how many standard errors another way has to be better than the first.

    Where a committee has said how far the teacher is to be followed, that stands until something is clearly better.
    """
    return 0.0 if committee is None else 1.0


def _best(candidates: list[Candidate], targets: AnyTargets, margin: float) -> Candidate:
    """Return the first candidate, unless another one is better by more than so many standard errors."""
    first, *others = candidates
    best, most = first, 0.0
    for other in others:
        mean, error = gain(first.losses - other.losses, targets)
        if mean > max(margin * error, most):
            best, most = other, mean
    return best


def _labels_only(
    committee: Committee | None, candidates: list[Candidate], X: Any, targets: AnyTargets
) -> dict[str, float] | None:
    """Return the scores of a student fitted on labels alone: the mean over the committee, or the one of alpha 0."""
    if committee is None:
        return next((one.scores for one in candidates if one.alpha == 0), None)
    assert targets.held_out is not None
    rows = take_rows(X, np.flatnonzero(targets.held_out))
    judge = committee.judge
    each = [judge.scores(judge.answers(member, rows), targets) for member in committee.members]
    return {name: float(np.mean([scores[name] for scores in each])) for name in each[0]}
