"""The recipe: chooses what a student is fitted to, as far as the user leaves that open, and evaluates the choice."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .._sklearn import take_rows
from ..losses import BinaryCrossEntropy, CrossEntropy, Targets
from ..program import user_level
from ..student import Fit, MadeOf, NetTable, scale_logits, several_shallow, traits_of, widened
from ..tasks import Task
from ._augment import assemble, new_rows, stack
from ._bench import Bench, bench_of
from ._label_ensemble import LabelEnsemble, fit_label_ensemble, stacked_weight
from ._memorisation import has_seen
from ._plan import Plan
from ._residuals import residuals_agree
from ._scaling import best_scale, expected_means, logit_scale_of, losses_of, shift_to, shifted, weight_of
from ._scores import Candidate, check_trees, scores_of, scores_on_labels

Array = NDArray[Any]
Ask = Callable[[Any], Array]

#: With fewer labelled rows, too few could be held out to choose by.
_FEWEST_ROWS = 100
#: Candidates are fitted on at most so many rows. With fewer labelled rows, holding some out costs accuracy: the student
#: is fitted again with them.
_FEW_ROWS = 5_000
#: With more labelled rows, noise does not lead one net of two layers astray.
_MANY_ROWS = 10_000
#: A net is fitted on at most so many rows where the choice is left to the data.
MOST_ROWS = 262_144
#: As many new rows are made as are given, but so many at least and at most; and so many for each given row at most, or
#: twice as many where these are few cells.
_NEW_ROWS, _MOST_NEW, _FEW_CELLS = (10_000, 20_000), 5, 1 << 18
#: New rows of more cells are answered by so many models of the label ensemble.
_ASKED = ((1 << 22, 3), (_FEW_CELLS, 7))
#: The teacher is asked about so many new cells at a time: raw rows take several times the memory of encoded ones.
_CELLS_ASKED = 1 << 21
#: What is tried besides a temperature of one.
_TEMPERATURES = (2.0, 4.0)
#: The memorisation check looks at so many rows.
_CHECKED = 2_000


@dataclass(frozen=True)
class TrainingSet:
    """The training set of a student, after all choices; several students can be fitted to one.

    Parameters
    ----------
    table : _Rows
        The rows, and the new ones.
    targets : Targets
        What to fit on all of them.
    logit_scale : float
        What the student's logits are multiplied by in the end.
    report : dict
        As ``distillation_report_``.
    logit_shift : ndarray of shape (n_logits,) or None
        What is added then to the logits of a net that was fitted for the choice.
    fitted : list of (estimator, estimator)
        Students that are fitted already, each after it was as it was given: the one that the choice was made for, and
        others that were fitted beside it.
    """

    table: _Rows
    targets: Targets
    logit_scale: float
    report: dict[str, Any]
    logit_shift: Array | None = None
    fitted: Sequence[tuple[Any, Any]] = ()

    @cached_property
    def rows(self) -> Any:
        """All rows, raw; a student that is fitted already needs none."""
        return self.table.all()


@dataclass(frozen=True)
class _Choice:
    """The choices, and the figures behind them.

    Parameters
    ----------
    alpha : float
        The weight of the teacher's term.
    temperature : float or None
        What the teacher is softened by.
    scale : float, default=1.0
        What the logits of its answers are multiplied by: of those for rows without a label, if it has seen the labels.
    memorised : bool or None, default=None
        Whether it has; None where that was not asked.
    gap : float or None, default=None
        Its score on the labels less that of students who have not seen them.
    far_ahead : bool, default=False
        Whether that is so much that it has memorised noise, or the students disagree: several shallow nets then do
        better than a single net of two layers.
    noisy : bool, default=False
        Whether it has memorised noise: its student looks better on the rows held out than it is, and its logits are
        left as they are.
    """

    alpha: float
    temperature: float | None
    scale: float = 1.0
    memorised: bool | None = None
    gap: float | None = None
    far_ahead: bool = False
    noisy: bool = False


class _Rows:
    """The rows of a fit: those that were given, and new ones below them, with the teacher's answers for all.

    Parameters
    ----------
    plan : Plan
        How many new rows to make, and the seed.
    X : ndarray, sparse matrix or frame of shape (n_rows, n_columns)
        The rows that were given.
    targets : Targets
        Their answers and labels.
    ask : callable or None
        From new rows to the teacher's answers.
    held_out : ndarray of shape (n_rows,)
        True for rows that are nobody's neighbour, so that nothing of them gets into the new rows.
    n_new : int
        How many new rows to make.
    """

    def __init__(self, plan: Plan, X: Any, targets: Targets, ask: Ask | None, held_out: Array, n_new: int) -> None:
        self.n_given, self.n_new = X.shape[0], n_new
        self.given, self.made_of = X, None
        self.targets, self.held_out = targets, held_out
        self.source = np.empty(0, dtype=np.int64)
        if n_new:
            assert ask is not None
            sources = np.flatnonzero(~held_out)
            given = take_rows(X, sources)
            index, source = new_rows(given, n_new, plan.seed)
            self.source, self.made_of = sources[source], MadeOf(sources, index)
            n_each = max(1, _CELLS_ASKED // X.shape[1])
            parts = (assemble(given, index[:, start : start + n_each]) for start in range(0, n_new, n_each))
            self.targets = targets.with_below(np.concatenate([ask(part) for part in parts]))
            self.held_out = np.concatenate([held_out, np.zeros(n_new, dtype=bool)])
        labelled = np.zeros(len(self.held_out), dtype=bool) if targets.labels is None else self.targets.labelled()
        #: Rows whose labels nobody has seen, as they have none.
        self.fresh = ~labelled

    def below(self) -> Any:
        """Return the new rows, raw."""
        assert self.made_of is not None
        return assemble(take_rows(self.given, self.made_of.rows), self.made_of.index)

    def with_soft_labels(
        self, plan: Plan, labelled: Array, wanted: bool, underfits: bool | None = None
    ) -> tuple[Targets, Bench | None, LabelEnsemble | None]:
        """Return the targets with the soft labels of a label ensemble, its bench and itself; the last two may be None.

        There is one where it is `wanted`, or the plan says how many students it has. If it `underfits`, labels count in
        full; None finds that out.
        """
        if not wanted and (isinstance(plan.label_ensemble, str) or plan.label_ensemble == 0):
            return self.targets, None, None
        given = np.arange(self.n_given)
        bench = bench_of(plan, self.given, replace(self.targets.take(given), held_out=self.held_out[: self.n_given]))
        if self.made_of is not None:
            bench.add(self.below, self.made_of)
        n_cells = self.n_new * self.given.shape[1] if self.n_new else 0
        n_asked = next((asked for cells, asked in _ASKED if n_cells > cells), None)
        ensemble = fit_label_ensemble(plan, bench, self.targets, labelled, self.held_out, n_asked)
        if underfits is None:
            underfits = isinstance(bench, NetTable) and self._underfits(plan, ensemble)
        soft = self.targets.with_soft_labels(ensemble.soft_labels, 1.0 if underfits else 0.5)
        return soft, bench, replace(ensemble, underfits=underfits)

    def _underfits(self, plan: Plan, ensemble: LabelEnsemble) -> bool:
        labels, known = self.targets.labels, ensemble.rows
        # neighbours are looked for only in tables that new rows can be made of
        if labels is None or self.targets.classes is None or labels.ndim > 1 or not self.n_new:
            return False
        goals, weight = plan.task.goals(labels[known], self.targets.n_targets), weight_of(self.targets, known)
        return residuals_agree(take_rows(self.given, known), goals, ensemble.out_of_fold, weight, plan.seed % 2**32)

    def all(self) -> Any:
        """Return all rows, raw."""
        return stack(self.given, self.below()) if self.n_new else self.given


def choose(
    plan: Plan,
    X: Any,
    targets: Targets,
    ask: Ask | None,
    origin: str = "unknown",
    others: Sequence[Any] = (),
    *,
    widens: bool = True,
) -> TrainingSet:
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
    origin : {"in_sample", "out_of_fold", "unseen", "unknown"}, default="unknown"
        Whether the teacher has seen the labels of these rows.
    others : sequence of student
        Nets that differ from the plan's in hidden units and number of nets alone: where that is trained here, so are
        these.
    widens : bool, default=True
        Whether nets that leave their size to the recipe may become wider.

    Returns
    -------
    training_set : TrainingSet
        Rows, targets and report.
    """
    X, targets, labelled = _counted(X, targets)
    n_given, choosing = X.shape[0], plan.chooses and len(labelled) >= _FEWEST_ROWS
    by_rule = choosing and isinstance(plan.alpha, str) and _wants_ensemble(plan)
    if by_rule and n_given > MOST_ROWS:
        some = np.sort(np.random.RandomState(plan.seed).permutation(n_given)[:MOST_ROWS])
        X, targets, labelled = _counted(take_rows(X, some), targets.take(some))
    held_out = np.zeros(X.shape[0], dtype=bool)
    if choosing:
        assert targets.labels is not None
        (held_out[labelled],) = plan.task.held_out(targets.labels[labelled], plan.seed % 2**32)
    rows = _Rows(plan, X, targets, ask, held_out, _n_new(plan, X, ask, by_rule))
    whole, bench, ensemble = rows.with_soft_labels(plan, labelled, by_rule)
    choice = _Choice(targets.alpha, _temperature(targets))
    candidates: list[Candidate] = []
    fitted, logit_scale, logit_shift = [], 1.0, None
    by_labels: dict[str, float] | None = None
    if by_rule and bench is not None and ensemble is not None:
        choice = _by_rule(plan, rows, whole, ensemble, origin)
        if traits_of(plan.student).in_epochs:
            few, seen = len(labelled) < _FEW_ROWS, choice.memorised is not False
            goals = _chosen(whole, choice, rows.fresh)
            nets = trained = [plan.student, *others]
            shallow = choice.far_ahead and len(labelled) < _MANY_ROWS and not ensemble.underfits
            if shallow:
                trained = [several_shallow(net, narrow=not choice.noisy) for net in nets]
            elif widens and ensemble.underfits and isinstance(bench, NetTable):
                trained = [widened(net, bench.n_inputs, targets.n_targets) for net in nets]
            if trained[0] is not plan.student:
                by_labels = _net_on_labels(plan, bench, trained[0], rows, labelled)
            shallow = shallow and trained[0] is not plan.student
            # where labels are noisy, new rows do not help shallow nets that have many given ones
            used = np.arange(rows.n_given if shallow and choice.noisy and not few else len(rows.held_out))
            ways = {"scaled": not choice.noisy, "again": few or seen, "warm": seen}
            means = _means(plan.task, whole, ensemble, np.flatnonzero(held_out))
            found = _fit_nets(plan, bench, trained, goals, used, rows.held_out, means, **ways)
            _, logit_scale, logit_shift, candidates = found[0]
            fitted = [(net, one) for net, (one, *_) in zip(nets, found, strict=True)]
            check_trees(plan.task, ensemble, whole, candidates, int(held_out.sum()))
    elif choosing:
        candidates = _fit_candidates(plan, X, replace(targets, held_out=held_out))
    if candidates:
        best = min(candidates, key=lambda one: np.average(one.losses, weights=weight_of(targets, held_out)))
        choice = replace(choice, alpha=best.alpha, temperature=best.temperature)
    task, by_labels = plan.task, by_labels or scores_on_labels(plan.task, ensemble, candidates, targets, held_out)
    report = {
        "alpha": choice.alpha,
        "temperature": choice.temperature,
        "n_rows": X.shape[0],
        "n_left_out": n_given - X.shape[0],
        "n_labelled": len(labelled),
        "n_new": rows.n_new,
        "n_label_models": 0 if ensemble is None else ensemble.n_models,
        "tree_weight": None if ensemble is None else ensemble.tree_weight,
        "underfits": None if ensemble is None else ensemble.underfits,
        "n_steps": 0 if bench is None else bench.n_steps,
        "memorised": choice.memorised,
        "teacher_gap": choice.gap,
        "answers_scale": choice.scale,
        "logit_scale": logit_scale,
        "logit_shift": None if logit_shift is None else logit_shift.tolist(),
        "n_held_out": int(held_out.sum()),
        "candidates": [one.line() for one in candidates],
        "distilled": best.scores if candidates else None,
        "labels_only": by_labels if choosing else None,
        "teacher": scores_of(task, targets, held_out, None) if choosing else None,
        "learning_curve": None,
        "stopped": None,
    }
    final = replace(_chosen(whole, choice, rows.fresh), held_out=None)
    return TrainingSet(rows, final, logit_scale, report, logit_shift, fitted)


def choose_again(
    plan: Plan, made: TrainingSet, X: Any, targets: Targets, ask: Ask | None, net: Any = None
) -> TrainingSet:
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
    net : student or None, default=None
        A net that was fitted with the first one: it is fitted again to the encoded table.

    Returns
    -------
    training_set : TrainingSet
        Nothing is held out of it. Its report says what was chosen on the rows held out for the first one.
    """
    report = made.report
    X, targets, labelled = _counted(X, targets)
    fixed = replace(plan, alpha=report["alpha"], label_ensemble=report["n_label_models"])
    n_new = _n_new(plan, X, ask, report["n_new"] > 0)
    rows = _Rows(fixed, X, targets, ask, np.zeros(X.shape[0], dtype=bool), n_new)
    whole, bench, _ = rows.with_soft_labels(fixed, labelled, False, report["underfits"])
    goals = as_chosen(whole, report, rows.fresh)
    fitted = []
    if net is not None and bench is not None:
        seed = plan.seed % 2**31
        (trained,) = bench.fit([Fit(goals, *_tenth_out(np.arange(len(rows.held_out)), bench, seed), seed, student=net)])
        student = bench.as_student(trained)
        scale_logits(student, made.logit_scale, made.logit_shift)
        fitted = [(net, student)]
    counts = {"n_rows": X.shape[0], "n_left_out": 0, "n_labelled": len(labelled), "n_new": rows.n_new}
    return TrainingSet(rows, goals, made.logit_scale, report | counts, made.logit_shift, fitted)


def _tenth_out(used: Array, bench: Bench, seed: int) -> tuple[Array, Array]:
    """Return the training rows, and a random tenth as validation rows; none if the student does not validate."""
    out = np.random.RandomState(seed).permutation(used)[: round(0.1 * len(used) * bench.validates)]
    return used[~np.isin(used, out)], np.sort(out)


def _counted(X: Any, targets: Targets) -> tuple[Any, Targets, Array]:
    """Return the rows that have a weight, their targets, and which of them have a label."""
    weight = targets.sample_weight
    if weight is not None and not weight.all():
        # rows of weight zero do not count, and no new ones are made from them
        rows = np.flatnonzero(weight > 0)
        X, targets = take_rows(X, rows), targets.take(rows)
    labelled = np.empty(0, dtype=np.int64) if targets.labels is None else np.flatnonzero(targets.labelled())
    return X, targets, labelled


def _by_rule(plan: Plan, rows: _Rows, whole: Targets, ensemble: LabelEnsemble, origin: str) -> _Choice:
    """Return the teacher's weight, and the factor of its answers.

    A teacher that has not seen the rows is worth what it is worth on their labels, beside the ensemble's answers for
    rows that its models have not seen. Of one that has seen them this is unknown, and the task sets its weight by the
    accuracy gap.
    """
    task, known = plan.task, ensemble.rows
    assert whole.labels is not None
    assert whole.answers is not None
    labels, answers = whole.labels[known], whole.answers[known]
    goals = task.goals(labels, whole.n_targets)
    weight = None if whole.sample_weight is None else whole.sample_weight[known]
    students, teacher = (task.score(labels, values, weight) for values in (ensemble.out_of_fold, answers))
    memorised = origin == "in_sample" or (origin == "unknown" and _has_seen(task, rows, whole, teacher - students))
    if origin == "unseen" and teacher == 1.0 and teacher - students > task.memorised_gap:
        warnings.warn(
            f"cv='prefit' says that the teacher was fitted to other rows, but its {task.gap_in} on these is 1.0, where "
            f"models of the labels have {students:.3f} on rows that they have not seen. If it was fitted to these, "
            "leave cv='prefit' out: the student copies what the teacher remembers.",
            UserWarning,
            stacklevel=user_level(),
        )
    scale, share = 1.0, 1.0
    fresh = np.flatnonzero(rows.fresh)
    if memorised:
        share = task.share_of_seen(students, teacher, len(known), whole.answers[fresh], ensemble.of_fresh)
        if len(fresh):
            # calibrated students say how sure one can be of rows whose labels nobody has seen
            reference = ensemble.soft_labels[fresh]
            scale = best_scale(task, reference, whole.answers[fresh], None)
    else:
        scale = best_scale(task, goals, answers, weight)
        answers = task.rescaled(answers, scale)
    far_ahead = memorised and task.far_ahead(students, teacher, len(known))
    noisy = far_ahead and share == task.noisy_share
    share = min(share, stacked_weight(task, goals, answers, ensemble.out_of_fold, weight))
    return _Choice(round(share, 2), _temperature(whole), scale, memorised, teacher - students, far_ahead, noisy)


def _means(task: Task, whole: Targets, ensemble: LabelEnsemble, valid: Array) -> Array | None:
    """Return the mean probabilities that a student should have on the rows held out, where a class is rare."""
    labels, known = whole.labels, ensemble.rows
    if labels is None or whole.classes is None or labels.ndim > 1:
        return None
    goals, weights = task.goals(labels[known], whole.n_targets), (weight_of(whole, known), weight_of(whole, valid))
    return expected_means(goals, ensemble.out_of_fold, ensemble.soft_labels[valid], weights)


def _has_seen(task: Task, rows: _Rows, whole: Targets, gap: float) -> bool:
    """Return whether the teacher has seen the labels, as far as new rows near them tell; without any it may have."""
    assert whole.labels is not None
    assert whole.answers is not None
    at = np.flatnonzero(~rows.fresh[rows.source])[:_CHECKED]
    source = rows.source[at]
    goals = task.goals(whole.labels[source], whole.n_targets)
    answers, nearby = whole.answers[source], whole.answers[rows.n_given + at]
    scale = best_scale(task, goals, answers, None)
    return has_seen(task, task.rescaled(answers, scale), task.rescaled(nearby, scale), goals, source, gap)


def as_chosen(targets: Targets, report: dict[str, Any], fresh: Array) -> Targets:
    """Return targets of other rows by the choices that a report tells of.

    Parameters
    ----------
    targets : Targets
        The teacher's answers and the labels of the rows.
    report : dict
        As ``distillation_report_``.
    fresh : ndarray of shape (n_rows,)
        True for rows without a label.
    """
    choice = _Choice(report["alpha"], report["temperature"], report["answers_scale"], report["memorised"])
    return _chosen(targets, choice, fresh)


def _chosen(targets: Targets, choice: _Choice, fresh: Array) -> Targets:
    """Return targets as chosen."""
    answers, loss = targets.answers, targets.loss
    if choice.scale != 1:
        assert answers is not None
        scaled = targets.task.rescaled(answers, choice.scale)
        answers = np.where(fresh[:, None], scaled, answers) if choice.memorised else scaled
    if choice.temperature is not None and isinstance(loss, CrossEntropy):
        # a loss of the user's own keeps its temperature
        known = {CrossEntropy, BinaryCrossEntropy}
        loss = replace(loss, temperature=choice.temperature) if type(loss) in known else loss
    return replace(targets, answers=answers, alpha=choice.alpha, loss=loss)


def _temperature(targets: Targets) -> float | None:
    return getattr(targets.loss, "temperature", None)


def _wants_ensemble(plan: Plan) -> bool:
    if not isinstance(plan.label_ensemble, str):
        return plan.label_ensemble > 0
    return traits_of(plan.student).in_epochs


def _n_new(plan: Plan, X: Any, ask: Ask | None, wanted: bool) -> int:
    """Return how many new rows to make."""
    if not isinstance(plan.augment, str):
        return round(plan.augment * X.shape[0])
    if not wanted or ask is None or sparse.issparse(X) or len(X.shape) != 2:
        return 0
    n_rows, (least, most) = X.shape[0], _NEW_ROWS
    wished = min(max(least, n_rows), most)
    twice = min(wished, 2 * _MOST_NEW * n_rows)
    return twice if twice * X.shape[1] <= _FEW_CELLS else min(wished, _MOST_NEW * n_rows)


def _temperatures(plan: Plan, targets: Targets) -> list[float | None]:
    """Return the temperatures to try."""
    first = _temperature(targets)
    tried = isinstance(plan.temperature, str) and traits_of(plan.student).softens
    return [first, *_TEMPERATURES] if tried else [first]


def _fit_nets(
    plan: Plan,
    bench: Bench,
    students: Sequence[Any],
    targets: Targets,
    used: Array,
    held_out: Array,
    means: Array | None,
    *,
    scaled: bool,
    again: bool,
    warm: bool,
) -> list[tuple[Any, float, Array | None, list[Candidate]]]:
    """Return the fitted nets, the factor of their logits, what is added to them, and the candidates.

    Probabilities on the rows held out get these `means`, if not None. The nets are fitted to the rows that are `used`.
    With several temperatures, the one with the lowest loss on the held-out rows is taken. In the end they may be fitted
    `again`: if `warm` from where they are, for a few steps on all rows, else anew, with others held out, new ones among
    them.
    """
    task, valid = plan.task, np.flatnonzero(held_out)
    # one who weighs classes does not want probabilities
    scaled = scaled and traits_of(plan.student).scalable and plan.student.class_weight is None
    seed = plan.seed % 2**31
    weight = weight_of(targets, valid)
    one_logit = targets.loss.n_outputs(targets.n_targets) == 1
    tried: list[list[tuple[Any, float, Array | None, Candidate]]] = [[] for _ in students]
    for temperature in _temperatures(plan, targets):
        goals = _chosen(targets, _Choice(targets.alpha, temperature), held_out)
        fits = [Fit(goals, used[~held_out[used]], valid, seed, student=one) for one in students]
        for net, found in zip(bench.fit(fits), tried, strict=True):
            (values,) = bench.answers([net], valid)
            scale = logit_scale_of(task, targets, valid, values) if scaled else 1.0
            values, shift = task.rescaled(values, scale), None
            if scaled and means is not None:
                shift = shift_to(means, values, weight)
                values = shifted(values, shift)
                shift = shift[1:] - shift[:1] if one_logit else shift
            losses, scores = losses_of(task, targets, valid, values), scores_of(task, targets, valid, values)
            found.append((net, scale, shift, Candidate(targets.alpha, temperature, losses, scores)))
    best = [min(found, key=lambda one: np.average(one[-1].losses, weights=weight)) for found in tried]
    nets = [net for net, *_ in best]
    if again and not any(net.interrupted for net in nets):
        # none of the rows that a net has seen could tell when to stop
        rows, valid = (used, used[:0]) if warm else _tenth_out(used, bench, seed)
        pairs = zip(nets, students, strict=True)
        fits = [Fit(net.targets, rows, valid, seed, start=net if warm else None, student=one) for net, one in pairs]
        try:
            last = bench.fit(fits)
        except KeyboardInterrupt:
            # in its first epoch
            last = None
        if last is None or (not warm and any(net.interrupted for net in last)):
            message = "The fit before the last one is kept, since the last one has not ended."
            warnings.warn(message, UserWarning, stacklevel=user_level())
        else:
            nets = last
    fitted = []
    for net, (_, scale, shift, _), found in zip(nets, best, tried, strict=True):
        student = bench.as_student(net)
        scale_logits(student, scale, shift)
        fitted.append((student, scale, shift, [candidate for *_, candidate in found]))
    return fitted


def _fit_candidates(plan: Plan, X: Any, targets: Targets) -> list[Candidate]:
    """Return a candidate for each alpha, and for each temperature at the best of them, fitted without held-out rows."""
    held_out = targets.held_out
    assert held_out is not None
    if X.shape[0] > _FEW_ROWS + held_out.sum():
        # fewer rows are enough to compare candidates
        kept = np.random.RandomState(plan.seed).permutation(np.flatnonzero(~held_out))[:_FEW_ROWS]
        rows = np.sort(np.concatenate([kept, np.flatnonzero(held_out)]))
        X, targets = take_rows(X, rows), targets.take(rows)
        held_out = targets.held_out
        assert held_out is not None
    task, bench = plan.task, bench_of(plan, X, targets)
    valid = np.flatnonzero(held_out)
    rows = np.flatnonzero(~held_out)

    def fitted(ways: list[_Choice]) -> list[Candidate]:
        goals = [_chosen(targets, way, held_out) for way in ways]
        found = []
        for way, one in zip(
            ways, bench.fit([Fit(goal, rows, valid, plan.seed % 2**31) for goal in goals]), strict=True
        ):
            (values,) = bench.answers([one], valid)
            losses, scores = losses_of(task, targets, valid, values), scores_of(task, targets, valid, values)
            found.append(Candidate(way.alpha, way.temperature, losses, scores))
        return found

    first, *warmer = _temperatures(plan, targets)
    alphas: tuple[float, ...] = (0.5, 1.0, 0.0) if isinstance(plan.alpha, str) else (targets.alpha,)
    if isinstance(plan.alpha, str) and task.is_unknown(targets.labels):
        # the teacher alone knows of a label that no row has
        alphas = alphas[:2]
    found = fitted([_Choice(alpha, first) for alpha in alphas])
    best = min(found, key=lambda one: np.average(one.losses, weights=weight_of(targets, valid)))
    for temperature in warmer:
        found += fitted([_Choice(best.alpha, temperature)])
    return found


def _net_on_labels(plan: Plan, bench: Bench, student: Any, rows: _Rows, labelled: Array) -> dict[str, float]:
    """Return the scores of a net that differs from those of the label ensemble, fitted to the labels only."""
    held_out = rows.held_out[labelled]
    seen, valid = labelled[~held_out], labelled[held_out]
    fit = Fit(rows.targets.only_labels(), seen, valid, plan.seed % 2**31, weighs_classes=False, student=student)
    (values,) = bench.answers(bench.fit([fit]), valid)
    return scores_of(plan.task, rows.targets, valid, values)
