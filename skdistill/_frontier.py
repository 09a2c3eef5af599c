"""The frontier: which students no other beats, and where the names of points go so that each can be read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Directions in which a name is tried: beside the point first, then above and below, then askew.
_DIRECTIONS = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (-1, -1), (1, 1), (-1, 1))


def undominated(costs: Sequence[float], scores: Sequence[float]) -> list[int]:
    """Return the indices of the points that no other beats in cost and score both, by rising cost.

    Parameters
    ----------
    costs : sequence of float
        Lower is better; a point whose cost or score is NaN is not on the frontier.
    scores : sequence of float
        Higher is better.

    Returns
    -------
    indices : list of int
        Each scores more than all those before it.

    Examples
    --------
    >>> undominated([100, 200, 300, 50], [0.9, 0.8, 1.0, 0.5])
    [3, 0, 2]
    """
    cost, score = np.asarray(costs, dtype=float), np.asarray(scores, dtype=float)
    found: list[int] = []
    for index in np.lexsort((-score, cost)).tolist():
        if np.isfinite(cost[index]) and (score[index] > score[found[-1]] if found else not np.isnan(score[index])):
            found.append(index)
    return found


def place_names(
    points: Array, sizes: Array, bounds: tuple[float, float, float, float], *, gap: float = 6.0
) -> list[tuple[float, float] | None]:
    """Return where to write the names of points so that none hides another name or a point.

    Parameters
    ----------
    points : ndarray of shape (n_points, 2)
        The points, in pixels.
    sizes : ndarray of shape (n_points, 2)
        Width and height of each name, in pixels.
    bounds : tuple of float
        What names stay within: left, top, right, bottom, in pixels. The lower of two vertical
        numbers comes first, whichever way they run.
    gap : float, default=6.0
        Pixels between the middle of a point and the nearest name.

    Returns
    -------
    corners : list of (float, float) or None
        For each name the corner with the lowest coordinates; None where there is no room.
    """
    points, sizes = np.asarray(points, dtype=float), np.asarray(sizes, dtype=float)
    left, top, right, bottom = bounds
    taken = [(x - gap / 2, y - gap / 2, x + gap / 2, y + gap / 2) for x, y in points]
    corners: list[tuple[float, float] | None] = []
    for (x, y), (width, height) in zip(points.tolist(), sizes.tolist(), strict=True):
        corners.append(None)
        for distance in gap + 0.9 * height * np.arange(5):
            for across, down in _DIRECTIONS:
                at = x + across * distance + (across - 1) / 2 * width
                above = y + down * distance + (down - 1) / 2 * height
                box = (at, above, at + width, above + height)
                inside = box[0] >= left and box[1] >= top and box[2] <= right and box[3] <= bottom
                if inside and not any(_overlap(box, other) for other in taken):
                    corners[-1] = (at, above)
                    taken.append(box)
                    break
            if corners[-1] is not None:
                break
    return corners


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
