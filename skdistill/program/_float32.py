"""Batches in float32: half the time of a net over bins, where an answer may differ by a millionth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _ops as ops
from ._ops import Op
from ._passes import split
from ._program import Program, run
from ._table import Columns

Array = NDArray[Any]

#: Rows with an encoded number beyond this magnitude are computed in float64.
_NEAR = 8.0
#: The largest change of a unit of the first layer that computing a bin in float32 may cause; other bins are in float64.
_ROUNDING = 3e-7
#: The bins of up to this many columns are computed by a matrix product, whose time grows with the columns.
_FEW_COLUMNS = 64


def float32_steps(program: Program) -> Sequence[Callable[[Array], Array]]:
    """Return what a Program runs between its first and its last op on a batch in float32.

    These are its own ops if nothing would be gained: if it is not a net, or has neither bins nor two hidden layers; and
    if its last op magnifies rounding.
    """
    parts = split(program) if isinstance(program.ops[0], Columns) and not program.ops[-1].magnifies else None
    if parts is None:
        return program.ops[1:-1]
    encoder, layers, activations = parts
    if len(activations) < 2 and not isinstance(encoder[-1], ops.Piecewise):
        return program.ops[1:-1]
    return [_Net(encoder[1:], layers, activations)]


class _Net:
    """The ops of a net, in float32: all layers but the first, and the bins with their part of the first.

    What the first layer makes of other numbers stays in float64, which costs little and decides on the precision. So
    do rows with large numbers, since their sums are large.
    """

    def __init__(self, encoder: list[Op], layers: list[Any], activations: list[Op]) -> None:
        first, *others = layers
        between = [op for pair in zip(activations, others, strict=True) for op in pair]
        bins = encoder[-1] if encoder and isinstance(encoder[-1], ops.Piecewise) else None
        self._encoder = encoder if bins is None else encoder[:-1]
        self._exact: list[Op] = [*([] if bins is None else [bins]), first, *between]
        self._n_codes = len(first.offsets) if isinstance(first, ops.LookupAffine) else 0
        self._first: list[Op] = [first]
        self._weight: Array | None = None
        if bins is not None:
            self._split_bins(bins, first)
        self._between = [_narrow(op) if isinstance(op, ops.Affine) else op for op in between]

    def _split_bins(self, bins: ops.Piecewise, first: Any) -> None:
        n_before = len(first.weight) - len(bins.columns)
        weight = ops.real_weights(first.weight[n_before:], first.scale)
        reach = np.maximum(np.abs(bins.lower), np.abs(bins.lower + bins.width))
        rough = reach / bins.width * np.abs(weight).max(axis=1) <= 2.0**24 * _ROUNDING
        exact = replace(bins, **{name: value[~rough] for name, value in bins.state().items()})
        used = np.append(np.ones(n_before, dtype=bool), ~rough)
        self._first = [*([] if rough.all() else [exact]), replace(first, weight=first.weight[used])]
        self._weight = weight[rough].astype(np.float32)
        self._columns, per_width = bins.columns[rough], 1.0 / bins.width[rough]
        self._start = (bins.lower[rough] * per_width)[None].astype(np.float32)
        self._per_width = per_width.astype(np.float32)
        n_columns = self._n_codes + n_before
        self._place: Array | None = None
        if n_columns <= _FEW_COLUMNS:
            self._place = np.zeros((n_columns, len(per_width)), dtype=np.float32)
            self._place[self._columns, np.arange(len(per_width))] = self._per_width

    def __call__(self, Z: Array) -> Array:
        Z = run(Z, self._encoder)
        size = np.abs(Z[:, self._n_codes :])
        if size.max(initial=0.0) <= _NEAR:
            return self._in_float32(Z)
        # a missing number is not near either
        near = size.max(axis=1) <= _NEAR
        far = run(Z[~near], self._exact)
        out = np.empty((len(Z), far.shape[1]))
        out[~near] = far
        if near.any():
            out[near] = self._in_float32(Z[near])
        return out

    def _in_float32(self, Z: Array) -> Array:
        H = run(Z, self._first).astype(np.float32)
        if self._weight is not None:
            rows = Z.astype(np.float32)
            shares = rows.take(self._columns, 1) if self._place is None else np.dot(rows, self._place)
            if self._place is None:
                shares *= self._per_width
            shares -= self._start
            np.clip(shares, 0.0, 1.0, out=shares)
            H += np.dot(shares, self._weight)
        return run(H, self._between).astype(np.float64)


def _narrow(op: ops.Affine) -> Callable[[Array], Array]:
    weight, bias = ops.real_weights(op.weight, op.scale).astype(np.float32), op.bias[None]

    def apply(X: Array) -> Array:
        out = np.dot(X, weight)
        out += bias
        return out

    return apply
