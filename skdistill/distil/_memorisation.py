"""The memorisation check: whether a teacher was fitted on the rows, told from its answers between them."""

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


def has_seen(task: Task, answers: Array, nearby: Array, goals: Array) -> bool:
    """Return whether a teacher was fitted on the labels of these rows.

    How a teacher's answer changes from a new row nearby to the row itself is what it takes for the signal there. If it
    has not seen the label, its error on the row is that label's noise and has nothing to do with this change: their
    correlation is zero, or negative where the teacher has fitted the noise of other rows. If it has seen the label, it
    has moved part of the way towards it, and the rest of the way is its error: the correlation is positive. Where a
    classifier has moved nearly all the way there is no error left, and the change alone tells. (It does not for
    numbers: many can be foreseen as well.) Memorisation as such a change: Feldman and Zhang (2020), "What Neural
    Networks Memorize and Why", https://arxiv.org/abs/2008.03703.

    Parameters
    ----------
    task : Task
        Classes or numbers.
    answers : ndarray of shape (n_rows, n_targets)
        What the teacher answers for the rows.
    nearby : ndarray of shape (n_rows, n_targets)
        What it answers for a new row near each of them.
    goals : ndarray of shape (n_rows, n_targets)
        What a perfect teacher would answer for the rows: their labels.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill.tasks import NUMBERS
    >>> rng = np.random.default_rng(0)
    >>> signal, noise, noise_nearby = rng.normal(size=(3, 200, 1))
    >>> has_seen(NUMBERS, signal + 0.6 * noise, signal + 0.6 * noise_nearby, signal + noise)
    True
    >>> has_seen(NUMBERS, signal, signal + 0.1 * noise_nearby, signal + noise)
    False
    """
    if len(goals) < _FEWEST_ROWS:
        return True
    spread = task.spread(goals)
    scale = 1.0 if spread is None else np.sqrt(np.where(spread > 0, spread, 1.0))
    change, surprise = (answers - nearby) / scale, (goals - nearby) / scale
    error = surprise - change
    products = (change * error).sum(axis=1)
    size = float(np.sqrt((change**2).sum() * (error**2).sum()))
    correlation = float(products.sum()) / size if size > 0 else 0.0
    clearly = products.sum() > _CLEARLY * np.sqrt(((products - products.mean()) ** 2).sum())
    repeated = float((change * surprise).sum()) > task.memorised_repeats * float((surprise**2).sum())
    return bool((correlation > task.memorised_correlation and clearly) or repeated)
