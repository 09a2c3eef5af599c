"""Rows as points, in which MUNGE looks for nearest neighbours, and their columns as numbers or codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.random_projection import GaussianRandomProjection

from ..program import as_key, distinct, is_missing
from ..student import fit_encoder, raw_columns

Array = NDArray[Any]

#: Points of more dimensions are randomly projected: this nearly keeps distances and speeds up the neighbour search.
_MOST_DIMENSIONS = 64


@dataclass(frozen=True)
class NeighbourSpace:
    """Rows as points, and their columns one by one.

    Parameters
    ----------
    points : ndarray of shape (n_rows, n_dims)
        The encoded rows: standardised numbers, and levels as one-hot columns scaled by the square root
        of 1/2, so that two rows that differ in one level have distance 1.
    columns : list of ndarray of shape (n_rows,)
        Numbers and dates as float64, NaN where missing; levels as codes, one of which means a missing
        value.
    numeric : list of bool
        Which of the columns hold numbers or dates.
    """

    points: Array
    columns: list[Array]
    numeric: list[bool]


def neighbour_space(X: Any, seed: int) -> NeighbourSpace:
    """Return the points and columns of a table for a search of nearest neighbours.

    Parameters
    ----------
    X : ndarray or frame of shape (n_rows, n_columns)
        The raw rows.
    seed : int
        The seed of the random projection.

    Returns
    -------
    space : NeighbourSpace
        The points, the columns, and which of the columns hold numbers.
    """
    raw = list(raw_columns(X))
    encoder = fit_encoder(X, None, numeric="standard", n_bins="auto", min_frequency=2, max_categories=64, columns=raw)
    encoded = encoder.encode(X)
    points = encoded.numbers
    if encoded.sparse is not None:
        points = np.hstack([encoded.sparse.toarray() * np.sqrt(0.5), points])
    if points.shape[1] > _MOST_DIMENSIONS:
        points = GaussianRandomProjection(_MOST_DIMENSIONS, random_state=seed).fit_transform(points)
    columns, numeric = [], []
    for column in raw:
        is_number = column.kind != "category"
        if is_number:
            columns.append(column.values)
        else:
            columns.append(_codes(column.cells.tolist()))
        numeric.append(is_number)
    return NeighbourSpace(points, columns, numeric)


def _codes(cells: list[Any]) -> Array:
    """Return a code for each cell: equal levels have the same code, and so have all missing values."""
    try:
        cells, where = distinct(cells)
    except TypeError:
        # lists and other unhashable cells
        where = np.arange(len(cells))
    found: dict[Any, int] = {}
    keys = (None if is_missing(cell) else as_key(cell) for cell in cells)
    return np.array([found.setdefault(key, len(found)) for key in keys], dtype=np.int64)[where]
