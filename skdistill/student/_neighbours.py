"""The space in which neighbours are near: rows as points, and their columns as numbers or codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.random_projection import GaussianRandomProjection

from ..program import as_key, is_missing, numbers, seconds
from ._encoder import fit_encoder, raw_columns

Array = NDArray[Any]

#: Beyond so many dimensions points are projected down: distances stay, and finding neighbours takes less time.
_MOST_DIMENSIONS = 64


@dataclass(frozen=True)
class NeighbourSpace:
    """Rows as points, and their columns one by one.

    Parameters
    ----------
    points : ndarray of shape (n_rows, n_dims)
        The encoded rows: numbers standardised, a level one over the square root of two from
        the origin, so that rows with different levels are one apart.
    columns : list of ndarray of shape (n_rows,)
        Numbers and dates as float64, NaN where one is missing; levels as codes, one of which
        stands for a missing one.
    numeric : list of bool
        Which of the columns hold numbers or dates.
    """

    points: Array
    columns: list[Array]
    numeric: list[bool]


def neighbour_space(X: Any, seed: int) -> NeighbourSpace:
    """Return the space of a table.

    Parameters
    ----------
    X : ndarray or frame of shape (n_rows, n_columns)
        The rows, raw.
    seed : int
        Seeds the projection of many dimensions.

    Returns
    -------
    space : NeighbourSpace
        Points, columns, and which of them hold numbers.
    """
    encoder = fit_encoder(X, None, numeric="standard", n_bins="auto", min_frequency=2, max_categories=64)
    encoded = encoder.encode(X)
    points = encoded.numbers
    if encoded.sparse is not None:
        points = np.hstack([encoded.sparse.toarray() * np.sqrt(0.5), points])
    if points.shape[1] > _MOST_DIMENSIONS:
        points = GaussianRandomProjection(_MOST_DIMENSIONS, random_state=seed).fit_transform(points)
    columns, numeric = [], []
    for column in raw_columns(X):
        is_number = column.kind != "category"
        if is_number:
            columns.append((numbers if column.kind == "number" else seconds)(column.cells))
        else:
            columns.append(_codes(column.cells.tolist()))
        numeric.append(is_number)
    return NeighbourSpace(points, columns, numeric)


def _codes(cells: list[Any]) -> Array:
    """Return a code for each cell, the same for equal levels, and one for all that are missing."""
    found: dict[Any, int] = {}
    keys = (None if is_missing(cell) else as_key(cell) for cell in cells)
    return np.array([found.setdefault(key, len(found)) for key in keys], dtype=np.int64)
