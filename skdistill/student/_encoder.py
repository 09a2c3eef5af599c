"""The encoder: from the columns as the user has them to numbers a student can learn from, as ops."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..program import Clip, Op, Standardize

Array = NDArray[Any]

#: Larger numbers are read as this one; the float32 of the exported formats ends at 3e38.
LARGEST = 1e30


def fit_encoder(X: Array, sample_weight: Array | None) -> tuple[list[Op], Array]:
    """Learn how to encode numeric columns, and encode them.

    Each column is standardised by its (weighted) mean and deviation. A value further outside the
    training range than that range is wide is pulled to that bound first, so that no input, however
    absurd, makes an answer that is not finite.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_columns)
        Finite numbers.
    sample_weight : ndarray of shape (n_rows,) or None
        Positive weights.

    Returns
    -------
    ops : list of Op
        The encoder: columns in, encoded columns out.
    encoded : ndarray of shape (n_rows, n_encoded)
        What the ops make of `X`.
    """
    X = np.clip(X, -LARGEST, LARGEST)
    lower, upper = X.min(axis=0), X.max(axis=0)
    mean = np.average(X, axis=0, weights=sample_weight)
    scale = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=sample_weight))
    # a column that does not vary, or by rounding alone, or by less than a float32 can hold, says
    # nothing: it is held at its middle
    rounding = 16 * np.finfo(np.float64).eps * np.maximum(np.abs(lower), np.abs(upper))
    constant = upper - lower <= np.maximum(rounding, np.finfo(np.float32).tiny)
    middle = (lower + upper) / 2
    width = np.where(constant, 0.0, upper - lower)
    ops: list[Op] = [
        Clip(np.where(constant, middle, lower - width), np.where(constant, middle, upper + width)),
        Standardize(np.where(constant, middle, mean), np.where(constant, 1.0, scale)),
    ]
    encoded = X
    for op in ops:
        encoded = op(encoded)
    return ops, encoded
