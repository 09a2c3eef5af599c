"""Boosted trees on labels, which a label ensemble has beside its nets: they learn what nets hardly can."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ..losses import Targets
from ..tasks import Task
from ._bench import Bench

Array = NDArray[Any]

#: Fewer rows in a fold, of about a thousand in all, are noise to trees.
_FEWEST_ROWS = 800
#: A round has a tree for each of several classes, and a histogram of each column for each tree. With more of them, in
#: all folds together, trees take longer than nets.
_MOST_TREES, _MOST_HISTOGRAMS = 10, 1_280
#: Histogram gradient boosting: at most so many rounds, until the loss on the rows held out has not fallen for so many.
_ROUNDS, _PATIENCE = 100, 5
#: Numbers are binned into so many quantiles. A column with more levels is taken as one of numbers.
_BINS = 64
#: So many rows are answered at a time, since scikit-learn copies them to float64.
_BLOCK = 1 << 14


def boosted_answers(
    task: Task, bench: Bench, targets: Targets, folds: Sequence[tuple[Array, Array]], seed: int
) -> Iterator[Array] | None:
    """Fit boosted trees to the labels of each fold in turn; return what they answer.

    Parameters
    ----------
    task : Task
        What the target is.
    bench : Bench
        The table.
    targets : Targets
        Labels and weights of all its rows.
    folds : sequence of (ndarray of shape (n_fitted,), ndarray of shape (n_held_out,))
        The rows to fit, and those that say when to stop.
    seed : int
        Seeds everything random.

    Returns
    -------
    answers : iterator of ndarray of shape (n_rows, n_targets) or None
        For each fold, the answers for all rows of the table. None where trees are not worth their time, or do not
        minimise the loss that the user has chosen.
    """
    boosted, labels = task.boosted(), targets.labels
    if boosted is None or type(targets.loss) is not type(task.loss()) or sum(map(len, folds[0])) < _FEWEST_ROWS:
        return None
    assert labels is not None
    n_trees, table = targets.n_targets if targets.n_targets > 2 else 1, bench.cells()
    if table is None or n_trees > _MOST_TREES or min(len(np.unique(labels[rows])) for rows, _ in folds) < 2:
        return None
    if not 0 < table[0].shape[1] * n_trees * len(folds) <= _MOST_HISTOGRAMS:
        return None
    return _answers(boosted, *table, targets, folds, seed)


def _answers(
    boosted: Any,
    cells: Array,
    sizes: Sequence[int],
    targets: Targets,
    folds: Sequence[tuple[Array, Array]],
    seed: int,
) -> Iterator[Array]:
    levels = [False] * (cells.shape[1] - len(sizes)) + [size <= _BINS for size in sizes]
    params = {
        "max_iter": _ROUNDS,
        "n_iter_no_change": _PATIENCE,
        "max_bins": _BINS,
        "early_stopping": True,
        "categorical_features": levels if any(levels) else None,
        "random_state": seed,
    }
    labels, weight = targets.labels, targets.sample_weight
    assert labels is not None
    if weight is not None:
        # leaves have a least weight
        weight = weight / weight.max()
        weight = weight / weight.mean()
    for rows, valid in folds:
        trees = boosted(**params)
        # a class of one row may be held out
        valid = valid[np.isin(labels[valid], labels[rows])]
        weights = {} if weight is None else {"sample_weight": weight[rows], "sample_weight_val": weight[valid]}
        # the same time whatever the number of cores; a limit of BLAS would be that of all threads
        with threadpool_limits(limits=1, user_api="openmp"):
            trees.fit(cells[rows], labels[rows], X_val=cells[valid], y_val=labels[valid], **weights)
            values = np.zeros((len(cells), targets.n_targets))
            for start in range(0, len(cells), _BLOCK):
                some = slice(start, start + _BLOCK)
                values[some, trees.classes_] = trees.predict_proba(cells[some])
        yield values
