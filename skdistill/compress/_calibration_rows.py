"""Synthetic calibration rows, drawn from an encoder's statistics, for use when the caller gives no rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..program import Columns, Indicate, Piecewise, Program, Quantiles, Standardize, Tree, unsquashed

_N_ROWS = 2000
#: The fraction of missing cells in a column that had missing values in training.
_MISSING = 0.1


def calibration_rows(program: Program) -> NDArray[Any] | None:
    """Draw calibration rows from a Program's encoder, each column independently.

    Codes are drawn uniformly. Numbers are drawn from the encoder's bins or knots, each of which holds
    about the same number of training rows. Without bins and knots, they are drawn from a normal
    distribution with the mean and scale of the standardisation, or around the thresholds of a tree.

    Parameters
    ----------
    program : Program
        The Program.

    Returns
    -------
    rows : ndarray of shape (n_rows, n_read) or None
        ``[codes | numbers]``, as the Program's entry returns them. None if the Program reads sparse
        rows, since its encoder has no statistics.
    """
    entry = program.ops[0]
    if not isinstance(entry, Columns):
        return None
    rng = np.random.default_rng(0)
    sizes = np.array(entry.sizes, dtype=np.int64)
    codes = rng.integers(0, sizes, size=(_N_ROWS, len(sizes)))
    columns = [_numbers(program.ops[1:], at, rng) for at in range(len(sizes), len(entry.sources))]
    rows = np.column_stack([codes.astype(np.float64), *columns])
    for op in program.ops[1:]:
        if isinstance(op, Indicate | Tree):
            affected = np.unique(op.columns)
            affected = affected[(affected >= len(sizes)) & (affected < rows.shape[1])]
            missing = rng.random((_N_ROWS, len(affected))) < _MISSING
            rows[:, affected] = np.where(missing, np.nan, rows[:, affected])
    return rows


def _numbers(ops: Sequence[Any], column: int, rng: np.random.Generator) -> NDArray[Any]:
    """Draw numbers for a column; the ops are visited from the last one to the first."""
    drawn = rng.normal(size=_N_ROWS)
    for op in reversed(ops):
        if isinstance(op, Piecewise):
            bins = np.flatnonzero(op.columns == column)
            if len(bins):
                chosen = rng.choice(bins, _N_ROWS)
                drawn = op.lower[chosen] + op.width[chosen] * rng.random(_N_ROWS)
        elif isinstance(op, Standardize | Quantiles):
            at = column - op.start
            if isinstance(op, Quantiles):
                return np.interp(rng.random(_N_ROWS), np.linspace(0.0, 1.0, op.knots.shape[1]), op.knots[at])
            # if the op only fills missing values, its fill value is the best estimate of the centre
            drawn = (op.mean[at] if op.mean[at] else op.fill[at]) + op.scale[at] * unsquashed(drawn, op.limit)
        elif isinstance(op, Tree):
            thresholds = op.thresholds[op.columns == column].astype(np.float64)
            if len(thresholds):
                spread = thresholds.std() or max(1.0, abs(thresholds[0])) / 10.0
                drawn = rng.choice(thresholds, _N_ROWS) + spread / 2.0 * drawn
    return drawn
