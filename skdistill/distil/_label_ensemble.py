"""The out-of-fold label ensemble: students fitted to labels only, whose mean prediction is a soft label for any row."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..losses import Targets
from ..student import Fit, NetTable
from ..tasks import Task
from ._bench import Bench
from ._plan import Plan

Array = NDArray[Any]

#: A model of the labels is fitted on at most so many rows.
_MOST_ROWS = 20_000
#: Models for fewer than 2,000 labelled rows, and for more.
_SIZES = (10, 5)


@dataclass(frozen=True)
class LabelEnsemble:
    """Predictions of students fitted to the labels only, each on all folds of the labelled rows but one.

    Self-distillation: Furlanello and others (2018), "Born-Again Neural Networks", https://arxiv.org/abs/1805.04770.

    Parameters
    ----------
    each : list of ndarray of shape (n_rows, n_targets)
        The answers of each of them for all rows of the bench.
    rows : ndarray of shape (n_fitted,)
        The labelled rows that they were fitted to.
    out_of_fold : ndarray of shape (n_fitted, n_targets)
        For each of these the answer of the student that has not seen it.
    """

    each: list[Array]
    rows: Array
    out_of_fold: Array

    @property
    def soft_labels(self) -> Array:
        """Their mean prediction for all rows, shape (n_rows, n_targets)."""
        return np.mean(self.each, axis=0)


def fit_label_ensemble(plan: Plan, bench: Bench, targets: Targets, labelled: Array, held_out: Array) -> LabelEnsemble:
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
    """
    task: Task = plan.task
    kept = labelled[~held_out[labelled]]
    size = plan.label_ensemble if not isinstance(plan.label_ensemble, str) else _SIZES[len(kept) >= 2_000]
    if len(kept) < 2 * size:
        raise ValueError(f"label_ensemble={size} needs at least {2 * size} labelled rows; there are {len(kept)}.")
    assert targets.labels is not None
    labels = targets.labels
    folds = list(task.folds(labels[kept], size, plan.seed % 2**32))
    alone = targets.only_labels()
    fits = []
    for number, (seen, _) in enumerate(folds, start=1):
        rows = kept[np.random.RandomState(plan.seed).permutation(seen)[:_MOST_ROWS]]
        valid = np.zeros(len(rows), dtype=bool)
        if bench.validates:
            valid = task.held_out(labels[rows], (plan.seed + number) % 2**32)
        seed = (plan.seed + number) % 2**31
        # a class weight counts once: for the student that is fitted to their answers
        fits.append(Fit(alone, np.sort(rows[~valid]), np.sort(rows[valid]), seed, weighs_classes=False))
    if plan.verbose and isinstance(bench, NetTable):
        seconds = bench.seconds(fits, fits[:1])
        print(f"label_ensemble: {size} nets, then one net: about {seconds:.0f} s at most", file=sys.stderr)
    everything = np.arange(len(held_out))
    each = bench.answers(bench.fit(fits, "label ensemble"), everything)
    out_of_fold = np.empty((len(kept), targets.n_targets))
    for values, (_, unseen) in zip(each, folds, strict=True):
        out_of_fold[unseen] = values[kept[unseen]]
    return LabelEnsemble(each, kept, out_of_fold)
