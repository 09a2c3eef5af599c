"""The Pareto front of cost and score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def undominated(costs: Sequence[float], scores: Sequence[float]) -> list[int]:
    """Return the indices of the points on the Pareto front, by rising cost.

    A point is on the front if every point that costs as much or less scores less. Of equal points the first
    is taken.

    Parameters
    ----------
    costs : sequence of float
        Lower is better. A point with a cost or a score of NaN is not on the front.
    scores : sequence of float
        Higher is better.

    Returns
    -------
    indices : list of int
        Each point scores more than all those before it.

    Examples
    --------
    >>> undominated([100, 200, 300, 50], [0.9, 0.8, 1.0, 0.5])
    [3, 0, 2]
    """
    cost, score = np.asarray(costs, dtype=float), np.asarray(scores, dtype=float)
    front: list[int] = []
    for index in np.lexsort((-score, cost)).tolist():
        if np.isfinite(cost[index]) and (score[index] > score[front[-1]] if front else not np.isnan(score[index])):
            front.append(index)
    return front
