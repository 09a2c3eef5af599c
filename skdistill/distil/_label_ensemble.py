"""The out-of-fold label ensemble: models fitted to labels only, whose mean prediction is a soft label for any row."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from ..losses import Targets
from ..student import Fit, NetTable
from ..tasks import Task
from ._bench import Bench
from ._boosted import boosted_answers
from ._plan import Plan

Array = NDArray[Any]

#: A model of the labels is fitted on at most so many rows.
_MOST_ROWS = 20_000
#: Models for fewer than 2,000 labelled rows, and for more.
_SIZES = (10, 5)
#: Trees of a smaller weight are left out: they add more of their own errors to the soft labels than they know.
_LEAST_WEIGHT = 0.2


@dataclass(frozen=True)
class LabelEnsemble:
    """Predictions of models fitted to the labels only, each on all folds of the labelled rows but one.

    A model is a student, a net as a rule, or the weighted mean of a net and boosted trees.

    Self-distillation: Furlanello and others (2018), "Born-Again Neural Networks", https://arxiv.org/abs/1805.04770.

    Parameters
    ----------
    n_models : int
        How many there are.
    soft_labels : ndarray of shape (n_rows, n_targets)
        Their mean prediction for all rows of the bench.
    of_fresh : list of ndarray of shape (n_fresh, n_targets)
        The answers of each of them, or of several that take turns, for the rows without a label: the soft labels of
        these rows are their mean.
    rows : ndarray of shape (n_fitted,)
        The labelled rows that they were fitted to.
    out_of_fold : ndarray of shape (n_fitted, n_targets)
        For each of these the answer of the model that has not seen it.
    students : list of ndarray of shape (n_held_out, n_targets)
        The answers of each student alone for the rows held out.
    tree_weight : float
        The weight of the trees; 0 without any.
    underfits : bool, default=False
        Whether their residuals are alike at neighbouring rows.
    """

    n_models: int
    soft_labels: Array
    of_fresh: list[Array]
    rows: Array
    out_of_fold: Array
    students: list[Array]
    tree_weight: float
    underfits: bool = False


def fit_label_ensemble(
    plan: Plan, bench: Bench, targets: Targets, labelled: Array, held_out: Array, n_asked: int | None = None
) -> LabelEnsemble:
    """Fit a label ensemble.

    Parameters
    ----------
    plan : Plan
        How many models, and the seed.
    bench : Bench
        The rows, new ones among them.
    targets : Targets
        What labels there are, of all rows of the bench.
    labelled : ndarray of shape (n_labelled,)
        The rows that have a label.
    held_out : ndarray of shape (n_rows,)
        True for rows that are not used.
    n_asked : int or None, default=None
        How many of the models answer rows without a label; None lets all do so.
    """
    task: Task = plan.task
    kept = labelled[~held_out[labelled]]
    size = plan.label_ensemble if not isinstance(plan.label_ensemble, str) else _SIZES[len(kept) >= 2_000]
    if len(kept) < 2 * size:
        raise ValueError(f"label_ensemble={size} needs at least {2 * size} labelled rows; there are {len(kept)}.")
    assert targets.labels is not None
    labels = targets.labels
    folds = list(task.folds(labels[kept], size, plan.seed % 2**32))
    only_labels = targets.only_labels()
    parts = []
    masks = task.held_out(labels[kept], (plan.seed + 1) % 2**32, size)
    for (seen, _), mask in zip(folds, masks, strict=True):
        rows = np.sort(np.random.RandomState(plan.seed).permutation(seen)[:_MOST_ROWS])
        parts.append((kept[rows[~mask[rows]]], kept[rows[mask[rows]]]))
    start = perf_counter()
    growing = boosted_answers(task, bench, targets, parts, plan.seed % 2**31)
    # the first say how long all take
    trees = [] if growing is None else [next(growing)]
    taken = perf_counter() - start
    fits = []
    for number, (rows, valid) in enumerate(parts, start=1):
        if not bench.validates:
            rows, valid = np.sort(np.concatenate([rows, valid])), valid[:0]
        # a class weight counts once: for the student that is fitted to their answers
        fits.append(Fit(only_labels, rows, valid, (plan.seed + number) % 2**31, weighs_classes=False))
    if plan.verbose and isinstance(bench, NetTable):
        seconds = bench.seconds(fits, fits[:1]) + taken * size
        models = f"{size} nets{' and boosted trees' if trees else ''}"
        print(f"label_ensemble: {models}, then the student: about {seconds:.0f} s at most", file=sys.stderr)
    trees.extend(growing or ())
    nets, fresh = bench.fit(fits, "label ensemble"), np.delete(np.arange(len(held_out)), labelled)
    each = bench.answers(nets, labelled)
    # for each part of the rows others, so that all are asked
    turns = [[(first + at) % size for at in range(min(n_asked or size, size))] for first in range(size)]

    def in_turn(answers: Callable[[list[int], Array], list[Array]]) -> list[Array]:
        parts = [part for part in zip(turns, np.array_split(fresh, size), strict=True) if len(part[1])]
        return [np.concatenate(values) for values in zip(*(answers(*part) for part in parts), strict=True)]

    of_fresh = in_turn(lambda turn, rows: bench.answers([nets[at] for at in turn], rows))
    is_kept = ~held_out[labelled]
    alone = [values[~is_kept] for values in each]

    def out_of_fold(several: Sequence[Array]) -> Array:
        found = np.empty((len(kept), targets.n_targets))
        for values, (_, unseen) in zip(several, folds, strict=True):
            found[unseen] = values[is_kept][unseen]
        return found

    unseen, tree_weight = out_of_fold(each), 0.0
    if trees:
        others, weight = out_of_fold([values[labelled] for values in trees]), targets.sample_weight
        goals = task.goals(labels[kept], targets.n_targets)
        tree_weight = stacked_weight(task, goals, others, unseen, None if weight is None else weight[kept])
        tree_weight *= tree_weight >= _LEAST_WEIGHT

        def mixed(of_trees: list[Array], of_nets: list[Array]) -> list[Array]:
            return [tree_weight * tree + (1 - tree_weight) * net for tree, net in zip(of_trees, of_nets, strict=True)]

        each = mixed([values[labelled] for values in trees], each)
        of_fresh = mixed(in_turn(lambda turn, rows: [trees[at][rows] for at in turn]), of_fresh)
        unseen = tree_weight * others + (1 - tree_weight) * unseen
    soft_labels = np.empty((len(held_out), targets.n_targets))
    soft_labels[labelled] = np.mean(each, axis=0)
    if of_fresh:
        soft_labels[fresh] = np.mean(of_fresh, axis=0)
    return LabelEnsemble(size, soft_labels, of_fresh, kept, unseen, alone, tree_weight)


def stacked_weight(task: Task, goals: Array, answers: Array, others: Array, weight: Array | None) -> float:
    """Return the weight of the first of two kinds of answers in the mixture that has the lowest loss.

    Stacking: Wolpert (1992), https://doi.org/10.1016/S0893-6080(05)80023-1.

    Parameters
    ----------
    task : Task
        What the target is.
    goals : ndarray of shape (n_rows, n_targets)
        What a perfect model would answer.
    answers, others : ndarray of shape (n_rows, n_targets)
        Two kinds of answers.
    weight : ndarray of shape (n_rows,) or None
        The weight of each row.
    """
    spread = task.spread(goals)

    def loss(share: float) -> float:
        mixed = share * answers + (1 - share) * others
        return float(np.average(task.row_losses(goals, mixed, spread), weights=weight))

    return float(minimize_scalar(loss, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-3}).x)
