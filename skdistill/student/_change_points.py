"""Jumps: narrow ranges of a column over which the target is another, such as a holiday's, and bins that show them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._validation import take_rows
from ..program import Op, Piecewise, Standardize
from ._encoder import Encoded, Encoder, as_bins

Array = NDArray[Any]

#: Jumps are looked for in so many rows, and no longer where there are fewer, or more encoded columns.
_MOST_ROWS = 20_000
_FEWEST_ROWS = 100
_MOST_INPUTS = 1024
_BLOCK = 1024
#: The penalty of the additive model's weights: enough that levels and bins with a few rows have a solution.
_RIDGE = 1.0
#: What one row is off counts for no more deviations, so that no jump is made of an outlier or two.
_FAR = 4.0
#: What is left of the target is nothing below this share of its deviation.
_NOTHING = 0.01
#: A range holds so many rows at least, and at most a share of all: bins are narrow enough for wider ones.
_FEWEST_IN_RANGE = 5
_WIDEST = 1 / 16
#: Over a range the target is off by so many deviations of what is left of it: less is a bend, and no jump.
_HEIGHT = 1.0
#: The logarithm of how unlikely it is that any range of a table in which nothing jumps is taken for a jump.
_UNLIKELY = 4.0
#: The least that a row counts, of the mean row: next to nothing is still something that can be divided by.
_LIGHTEST = 1e-6
#: Values beyond so many are put together, by rank.
_MOST_VALUES = 1024
_MOST_IN_COLUMN = 8
_MOST_IN_ALL = 16
#: A bin is no narrower, in deviations of its column: a float32 still tells how far into it a number has come.
_NARROWEST = 1e-3


@dataclass(frozen=True)
class Jump:
    """A range of a column: how much of the target it explains, and the edges of the bins that single it out."""

    gain: float
    column: int
    edges: list[float]


def with_change_points(encoder: Encoder, X: Any, goal: Array, weight: Array) -> Encoder:
    """Return an encoder that shows where a target jumps.

    Bins between quantiles follow what bends, and miss what differs on a day or two of a year. So an additive
    model is fitted, by least squares, to what the encoder shows already, and of all narrow ranges of all columns
    those are sought over which it is furthest off, one after the other, each by the mean that the others leave:
    scan statistics, as in Olshen et al. (2004), "Circular binary segmentation for the analysis of array-based DNA
    copy number data", https://doi.org/10.1093/biostatistics/kxh008. Either end of such a range becomes a bin, from
    the last value outside to the first inside.

    Parameters
    ----------
    encoder : Encoder
        As it was fitted, numbers standardised and in bins.
    X : ndarray, frame or sparse matrix of shape (n_rows, n_columns)
        The rows, raw.
    goal : ndarray of shape (n_rows, n_outputs)
        The target, standardised.
    weight : ndarray of shape (n_rows,)
        What each row counts, beside the others; those of weight zero are not looked at.

    Returns
    -------
    encoder : Encoder
        One with more bins, or the one given, where nothing jumps.
    """
    standardize = next((op for op in encoder.ops if isinstance(op, Standardize)), None)
    rows = np.flatnonzero(weight > 0)
    if standardize is None or len(rows) < _FEWEST_ROWS:
        return encoder
    rows = rows[:: -(-len(rows) // _MOST_ROWS)]
    encoded = Encoder(encoder.ops).encode(take_rows(X, rows))
    if encoded.n_encoded > _MOST_INPUTS:
        return encoder
    mass = np.maximum(weight[rows] / weight[rows].mean(), _LIGHTEST)
    left = _standardized(_left(encoded, goal[rows], mass))
    if not left.shape[1]:
        return encoder
    start, n_codes = standardize.start, len(encoder.sizes)
    columns = range(start, start + len(standardize.mean))
    # what a chi-squared variable of so many degrees exceeds so rarely: Lemma 1 of Laurent and Massart (2000),
    # "Adaptive estimation of a quadratic functional by model selection", https://doi.org/10.1214/aos/1015957395
    rarely = _UNLIKELY + np.log(len(columns) * _MOST_VALUES**2 * _WIDEST)
    least = left.shape[1] + 2.0 * np.sqrt(left.shape[1] * rarely) + 2.0 * rarely
    jumps = [
        jump for column in columns for jump in _jumps(column, encoded.numbers[:, column - n_codes], left, mass, least)
    ]
    if not jumps:
        return encoder
    jumps = sorted(jumps, key=lambda jump: -jump.gain)[:_MOST_IN_ALL]
    return Encoder(_with_bins(encoder.ops, jumps), encoder.unseen)


def _left(encoded: Encoded, goal: Array, mass: Array) -> Array:
    """Return what an additive model of the encoded columns leaves of the target."""
    n_inputs = encoded.n_encoded + 1
    square, product = np.zeros((n_inputs, n_inputs)), np.zeros((n_inputs, goal.shape[1]))
    for rows, block in _blocks(encoded):
        weighed = block * mass[rows, None]
        square += weighed.T @ block
        product += weighed.T @ goal[rows]
    square[np.diag_indices(n_inputs - 1)] += _RIDGE
    coef = np.linalg.solve(square, product)
    return goal - (encoded.times(coef[:-1]) + coef[-1])


def _blocks(encoded: Encoded) -> Iterator[tuple[slice, Array]]:
    """Yield encoded rows, a one behind each, some at a time: they are never all dense."""
    for start in range(0, encoded.n_rows, _BLOCK):
        rows = slice(start, start + _BLOCK)
        numbers = encoded.numbers[rows]
        parts = [numbers, np.ones((len(numbers), 1))]
        yield rows, np.hstack(parts if encoded.sparse is None else [encoded.sparse[rows].toarray(), *parts])


def _standardized(left: Array) -> Array:
    """Return what is left in deviations of it, bounded; outputs of which nothing is left are dropped."""
    scale = np.sqrt(np.mean(left**2, axis=0))
    left, scale = left[:, scale > _NOTHING], scale[scale > _NOTHING]
    # what is far off does not itself say how far is far
    scale = np.sqrt(np.mean(np.clip(left, -_FAR * scale, _FAR * scale) ** 2, axis=0))
    return np.clip(left / scale, -_FAR, _FAR)


def _jumps(column: int, values: Array, left: Array, mass: Array, least: float) -> Iterator[Jump]:
    """Yield the ranges of a column over which what is left has a mean of its own, the clearest first."""
    distinct, place = np.unique(values, return_inverse=True)
    first = np.arange(len(distinct))
    if len(distinct) > _MOST_VALUES:
        rank = np.cumsum(np.bincount(place, weights=mass))
        first = np.flatnonzero(np.diff(np.ceil(rank * (_MOST_VALUES / rank[-1])), prepend=0.0))
    last = np.append(first[1:], len(distinct)) - 1
    group = np.searchsorted(first, place, side="right") - 1
    in_group = np.bincount(group, weights=mass)
    below = _before(in_group)
    start, end = _narrow(below)
    weight, squares, n_rows = (
        there[end] - there[start]
        for there in (below, _before(np.bincount(group, weights=mass**2)), _before(np.bincount(group)))
    )
    # of rows that count differently, so many alike tell as much (Kish, Survey Sampling, 1965, section 11.2C)
    n_rows = np.minimum(weight**2 / np.maximum(squares, np.finfo(np.float64).tiny), n_rows)
    enough = n_rows >= _FEWEST_IN_RANGE * (1.0 - 1e-9)
    start, end, weight, n_rows = start[enough], end[enough], weight[enough], n_rows[enough]
    if not len(start):
        return
    sums = np.array([np.bincount(group, weights=mass * output, minlength=len(first)) for output in left.T])
    for _ in range(_MOST_IN_COLUMN):
        gain, height = np.zeros(len(start)), np.zeros(len(start))
        for output in sums:
            total = _before(output)
            mean = (total[end] - total[start]) / weight
            gain += n_rows * mean**2
            np.maximum(height, np.abs(mean), out=height)
        best = int(np.argmax(np.where(height >= _HEIGHT, gain, 0.0)))
        if height[best] < _HEIGHT or gain[best] <= least:
            return
        low, high = start[best], end[best]
        inside = slice(low, high)
        sums[:, inside] -= sums[:, inside].sum(axis=1, keepdims=True) * in_group[inside] / weight[best]
        edges = []
        if low > 0:
            edge = distinct[first[low]]
            edges += [min(distinct[last[low - 1]], edge - _NARROWEST), edge]
        if high < len(first):
            edge = distinct[last[high - 1]]
            edges += [edge, max(distinct[first[high]], edge + _NARROWEST)]
        yield Jump(float(gain[best]), column, edges)


def _before(values: Array) -> Array:
    """Return the sum of the values before each, and that of all."""
    return np.concatenate([[0.0], np.cumsum(values)])


def _narrow(below: Array) -> tuple[Array, Array]:
    """Return where narrow ranges start and end, by what is below each value."""
    counts = np.searchsorted(below, below[:-1] + _WIDEST * below[-1], side="right") - 1 - np.arange(len(below) - 1)
    counts = np.maximum(counts, 0)
    start = np.repeat(np.arange(len(counts)), counts)
    return start, start + 1 + np.arange(len(start)) - np.repeat(np.cumsum(counts) - counts, counts)


def _with_bins(ops: list[Op], jumps: list[Jump]) -> list[Op]:
    """Return the ops with bins that end where there are jumps; columns without any keep those that they have."""
    *before, last = ops
    if isinstance(last, Piecewise):
        bins = list(zip(last.columns.tolist(), last.lower.tolist(), (last.lower + last.width).tolist(), strict=True))
    else:
        before, bins = ops, []
    for column in sorted({jump.column for jump in jumps}):
        edges = {edge for jump in jumps if jump.column == column for edge in jump.edges}
        edges |= {edge for one, *pair in bins if one == column for edge in pair}
        kept: list[float] = []
        for edge in sorted(edges):
            if not kept or edge - kept[-1] >= _NARROWEST * 0.99:
                kept.append(edge)
        bins = [one for one in bins if one[0] != column] + [(column, *pair) for pair in pairwise(kept)]
    return [*before, as_bins(sorted(bins))]
