"""Change points: narrow ranges of a column where the target's mean differs, such as holidays, and bins at their edges.

Between the two change points at its ends, such a range is called a segment here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._sklearn import take_rows
from ..program import Op, Piecewise, Standardize
from ._encoded import Encoded, Encoder
from ._encoder import as_bins

Array = NDArray[Any]

#: The largest number of rows that are searched.
_MOST_ROWS = 20_000
#: There is no search with fewer rows or with more encoded columns.
_FEWEST_ROWS = 100
_MOST_INPUTS = 1024
_BLOCK = 1024
#: The ridge penalty of the additive model: it has a solution also if levels and bins have few rows.
_RIDGE = 1.0
#: Residuals are clipped to this many standard deviations, so that one or two outliers make no segment.
_FAR = 4.0
#: An output is ignored if its residuals deviate by less than this fraction of the output's deviation.
_NOTHING = 0.01
#: The smallest number of rows of a segment, and its largest fraction of all rows: ordinary bins resolve wider ones.
_FEWEST_IN_SEGMENT = 5
_WIDEST = 1 / 16
#: The smallest mean residual of a segment, in standard deviations of the residuals.
_HEIGHT = 1.0
#: The negative logarithm of the probability of finding any segment in a table without change points.
_UNLIKELY = 4.0
#: The smallest weight of a row, relative to the mean weight; it keeps divisions finite.
_LIGHTEST = 1e-6
#: A column with more distinct values is searched in groups of values of neighbouring ranks.
_MOST_VALUES = 1024
_MOST_IN_COLUMN = 8
_MOST_IN_ALL = 16
#: The smallest width of a bin, in standard deviations of its column: float32 still resolves positions within it.
_NARROWEST = 1e-3


@dataclass(frozen=True)
class Segment:
    """A segment of a column: how much of the target it explains, and the edges of the bins at its change points."""

    gain: float
    column: int
    edges: list[float]


def with_change_points(encoder: Encoder, X: Any, target: Array, weight: Array) -> Encoder:
    """Return an encoder with additional bins at the target's change points.

    Bins between quantiles follow smooth curves but miss effects that are confined to a day or two of a year.
    Therefore an additive model of the encoded columns is fitted by least squares. Of all narrow segments of all
    columns, those with the largest mean residuals are then found one after the other; the mean of each is
    subtracted before the next search. These are scan statistics, as in Olshen et al. (2004), "Circular binary
    segmentation for the analysis of array-based DNA copy number data",
    https://doi.org/10.1093/biostatistics/kxh008. Each end of a segment becomes a bin, from the last value outside
    to the first value inside.

    Parameters
    ----------
    encoder : Encoder
        The fitted encoder, with standardised numbers in bins.
    X : ndarray, frame or sparse matrix of shape (n_rows, n_columns)
        The raw rows.
    target : ndarray of shape (n_rows, n_outputs)
        The standardised target.
    weight : ndarray of shape (n_rows,)
        The weights of the rows. Rows of weight zero are ignored.

    Returns
    -------
    encoder : Encoder
        A new encoder with more bins, or the given one if there are no change points.
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
    residual = _standardized(_residual(encoded, target[rows], mass))
    if not residual.shape[1]:
        return encoder
    start, n_codes = standardize.start, len(encoder.sizes)
    columns = range(start, start + len(standardize.mean))
    # The quantile of a chi-squared variable with one degree of freedom for each output: Lemma 1 of Laurent and
    # Massart (2000), "Adaptive estimation of a quadratic functional by model selection",
    # https://doi.org/10.1214/aos/1015957395, with a Bonferroni correction for the number of segments.
    rarity = _UNLIKELY + np.log(len(columns) * _MOST_VALUES**2 * _WIDEST)
    least = residual.shape[1] + 2.0 * np.sqrt(residual.shape[1] * rarity) + 2.0 * rarity
    segments: list[Segment] = []
    for column in columns:
        segments += _segments(column, encoded.numbers[:, column - n_codes], residual, mass, least)
    if not segments:
        return encoder
    segments = sorted(segments, key=lambda segment: -segment.gain)[:_MOST_IN_ALL]
    found = Encoder(_with_bins(encoder.ops, segments), encoder.unseen)
    found.notes = encoder.notes
    return found


def _residual(encoded: Encoded, target: Array, mass: Array) -> Array:
    """Return the residuals of an additive model of the encoded columns."""
    n_inputs = encoded.n_encoded + 1
    square, product = np.zeros((n_inputs, n_inputs)), np.zeros((n_inputs, target.shape[1]))
    for rows, block in _blocks(encoded):
        weighted = block * mass[rows, None]
        square += weighted.T @ block
        product += weighted.T @ target[rows]
    square[np.diag_indices(n_inputs - 1)] += _RIDGE
    coef = np.linalg.solve(square, product)
    return target - (encoded.times(coef[:-1]) + coef[-1])


def _blocks(encoded: Encoded) -> Iterator[tuple[slice, Array]]:
    """Yield blocks of encoded rows with a column of ones appended; never are all rows dense at once."""
    for start in range(0, encoded.n_rows, _BLOCK):
        rows = slice(start, start + _BLOCK)
        numbers = encoded.numbers[rows]
        parts = [numbers, np.ones((len(numbers), 1))]
        yield rows, np.hstack(parts if encoded.sparse is None else [encoded.sparse[rows].toarray(), *parts])


def _standardized(residual: Array) -> Array:
    """Return residuals in standard deviations, clipped; outputs with tiny residuals are dropped."""
    scale = np.sqrt(np.mean(residual**2, axis=0))
    residual, scale = residual[:, scale > _NOTHING], scale[scale > _NOTHING]
    # outliers must not inflate the scale that they are compared with
    scale = np.sqrt(np.mean(np.clip(residual, -_FAR * scale, _FAR * scale) ** 2, axis=0))
    return np.clip(residual / scale, -_FAR, _FAR)


def _segments(column: int, values: Array, residual: Array, mass: Array, least: float) -> Iterator[Segment]:
    """Yield the segments of a column whose mean residual differs from zero, the most significant first."""
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
        cumulated[end] - cumulated[start]
        for cumulated in (below, _before(np.bincount(group, weights=mass**2)), _before(np.bincount(group)))
    )
    # the effective number of rows of unequal weights (Kish, Survey Sampling, 1965, section 11.2C)
    n_rows = np.minimum(weight**2 / np.maximum(squares, np.finfo(np.float64).tiny), n_rows)
    enough = n_rows >= _FEWEST_IN_SEGMENT * (1.0 - 1e-9)
    start, end, weight, n_rows = start[enough], end[enough], weight[enough], n_rows[enough]
    if not len(start):
        return
    sums = np.array([np.bincount(group, weights=mass * output, minlength=len(first)) for output in residual.T])
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
        yield Segment(float(gain[best]), column, edges)


def _before(values: Array) -> Array:
    """Return the sum of the values before each value, and the total."""
    return np.concatenate([[0.0], np.cumsum(values)])


def _narrow(below: Array) -> tuple[Array, Array]:
    """Return the starts and ends of all narrow segments, from the total weight below each value."""
    counts = np.searchsorted(below, below[:-1] + _WIDEST * below[-1], side="right") - 1 - np.arange(len(below) - 1)
    counts = np.maximum(counts, 0)
    start = np.repeat(np.arange(len(counts)), counts)
    return start, start + 1 + np.arange(len(start)) - np.repeat(np.cumsum(counts) - counts, counts)


def _with_bins(ops: list[Op], segments: list[Segment]) -> list[Op]:
    """Return the ops with additional bin edges at the ends of segments; other columns keep their bins."""
    *before, last = ops
    if isinstance(last, Piecewise):
        bins = list(zip(last.columns.tolist(), last.lower.tolist(), (last.lower + last.width).tolist(), strict=True))
    else:
        before, bins = ops, []
    for column in sorted({segment.column for segment in segments}):
        edges = {edge for segment in segments if segment.column == column for edge in segment.edges}
        edges |= {edge for one, *pair in bins if one == column for edge in pair}
        kept: list[float] = []
        for edge in sorted(edges):
            if not kept or edge - kept[-1] >= _NARROWEST * 0.99:
                kept.append(edge)
        bins = [one for one in bins if one[0] != column] + [(column, *pair) for pair in pairwise(kept)]
    return [*before, as_bins(sorted(bins))]
