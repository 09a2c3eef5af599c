"""The memorisation check: infers from a teacher's answers between rows whether it was fitted on them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..tasks import Task

Array = NDArray[Any]

#: At least so many rows are needed to tell.
_FEWEST_ROWS = 50
#: How many standard errors from zero the correlation must be.
_CLEARLY = 2.0
#: Errors with less than this share of the spread are none.
_EXACT = 1e-6


def has_seen(task: Task, answers: Array, nearby: Array, goals: Array, source: Array, gap: float) -> bool:
    """Return whether a teacher was fitted on the labels of these rows.

    What the label says beyond the teacher's answer for a new row nearby is partly signal, which a teacher can know,
    and partly noise, which it can only have seen. What is left of an error tells them apart: if the teacher has seen
    the label, it has moved part of the way towards it between the row nearby and the row itself, and the rest of the
    way is its error, so that both have the same sign. If it has not seen it, its error has nothing to do with the move,
    or is against it where that was noise of other rows. Answers of classes have to be calibrated for that, since a
    forest is less sure than it could be.

    Where hardly any error is left, a classifier knows too much if it knows two thirds or more. Numbers can often be
    foreseen exactly: either they have no noise, or the teacher has seen them, and that it has if students of the labels
    are far behind.

    Memorisation as what an answer owes to the row's own label: Feldman and Zhang (2020), "What Neural Networks Memorize
    and Why", https://arxiv.org/abs/2008.03703.

    Parameters
    ----------
    task : Task
        The kind of target.
    answers : ndarray of shape (n_rows, n_targets)
        What the teacher answers for the rows, calibrated on their labels.
    nearby : ndarray of shape (n_rows, n_targets)
        What it answers for a new row near each of them, calibrated in the same way.
    goals : ndarray of shape (n_rows, n_targets)
        What a perfect teacher would answer for the rows: their labels.
    source : ndarray of int of shape (n_rows,)
        The number of each row, which may stand there several times, with several new rows nearby.
    gap : float
        The teacher's score on the rows less that of students who have not seen them.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill.tasks import NUMBERS
    >>> rng = np.random.default_rng(0)
    >>> signal, noise, noise_nearby = rng.normal(size=(3, 200, 1))
    >>> has_seen(NUMBERS, signal + 0.6 * noise, signal + 0.6 * noise_nearby, signal + noise, np.arange(200), 0.1)
    True
    >>> has_seen(NUMBERS, signal, signal + 0.1 * noise_nearby, signal + noise, np.arange(200), 0.1)
    False
    """
    if len(goals) < _FEWEST_ROWS:
        return True
    spread = task.spread(goals)
    scale = 1.0 if spread is None else np.where(spread > 0, spread, 1.0)
    change, surprise = (answers - nearby) / scale, (goals - nearby) / scale
    # a label that is missing says nothing
    change[np.isnan(surprise)] = surprise[np.isnan(surprise)] = 0.0
    known = float((change * surprise).sum()) / max(float((surprise**2).sum()), 1e-12)
    if known > task.memorised_share:
        return True
    error = surprise - change
    if (error**2).sum() <= _EXACT * (surprise**2).sum():
        return gap > task.memorised_gap
    products = (change * error).sum(axis=1)
    size = max(float(np.sqrt((change**2).sum() * (error**2).sum())), 1e-12)
    # products of one row have its noise in common, and count as one
    of_rows = np.bincount(source, products - products.mean())
    clearly = products.sum() > _CLEARLY * np.sqrt((of_rows**2).sum())
    return bool(clearly and products.sum() / size > task.memorised_correlation)
