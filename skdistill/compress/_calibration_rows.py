"""Rows drawn from what an encoder knows of its columns: for want of better ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..program import Columns, Indicate, Piecewise, Program, Quantiles, Standardize, Tree

Array = NDArray[Any]

_N_ROWS = 2000
#: The share of missing cells in a column that had some in training.
_MISSING = 0.1


def calibration_rows(program: Program) -> Array | None:
    """Draw rows, each column by itself.

    Codes are drawn evenly. Numbers are drawn from the bins or knots of an encoder, which hold about
    as many training rows each; else from a normal distribution with the mean and scale by which
    they are standardised, or around the thresholds of a tree.

    Parameters
    ----------
    program : Program
        The Program.

    Returns
    -------
    rows : ndarray of shape (n_rows, n_read) or None
        ``[codes | numbers]`` as the entry of the Program leaves them; None if it reads sparse rows, of
        which nothing is known.
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
            gaps = np.unique(op.columns)
            gaps = gaps[(gaps >= len(sizes)) & (gaps < rows.shape[1])]
            holes = rng.random((_N_ROWS, len(gaps))) < _MISSING
            rows[:, gaps] = np.where(holes, np.nan, rows[:, gaps])
    return rows


def _numbers(ops: Sequence[Any], column: int, rng: np.random.Generator) -> Array:
    """Return numbers for a column, from the last op that knows something of it to the first."""
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
            # where only gaps are filled, what fills them is what is known of the middle
            drawn = (op.mean[at] if op.mean[at] else op.fill[at]) + op.scale[at] * drawn
        elif isinstance(op, Tree):
            thresholds = op.thresholds[op.columns == column].astype(np.float64)
            if len(thresholds):
                spread = thresholds.std() or max(1.0, abs(thresholds[0])) / 10.0
                drawn = rng.choice(thresholds, _N_ROWS) + spread / 2.0 * drawn
    return drawn
