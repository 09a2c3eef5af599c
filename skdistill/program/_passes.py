"""Passes: they turn a Program into a smaller one with the same predictions.

:func:`fold` runs on the Program of every fitted student, and again after a compression step has left
parts without effect (pruned units, weights rounded to zero). One-hot columns need no pass: the encoder
never builds them, since its first layer is a LookupAffine from the start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import compress, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _ops as ops
from ._ops import Op
from ._program import Program
from ._table import Columns, held_by, with_unused
from ._tree import Tree

Array = NDArray[Any]

#: The ops that append a column for each of their `columns`, and those on consecutive columns from their `start` on.
_APPENDING = ops.DateParts | ops.Indicate | ops.Piecewise
_RUNS = ops.Quantiles | ops.Standardize
#: The largest mean, in standard deviations, that is folded into float32 weights. Folding multiplies the effect
#: of the weights' rounding by ``1 + mean / scale``.
_FAR_MEAN = 16.0


def fold(program: Program) -> Program:
    """Fold constant parts of a Program into its layers, and drop parts without effect.

    - The mean and scale of a Standardize that does not squash (its `limit` is LARGEST) move into the
      next layer, as far as float32 weights can hold them; the op then only fills missing values. A
      Standardize that squashes is not affine and stays unchanged.
    - A categorical column whose levels all contribute the same moves into the bias. So does a hidden
      unit whose input weights are all zero.
    - Hidden units and columns that have zero weight in every later layer are dropped, together with
      the columns that the encoder derives from them. Columns that no node of a Tree tests are dropped too.

    Logits change by no more than the rounding of float32 weights, for numbers up to LARGEST times
    the smaller of one and their scale. Larger numbers are clipped in the column's own unit.

    Parameters
    ----------
    program : Program
        Any Program. One with unknown ops is returned unchanged.

    Returns
    -------
    program : Program
        The same function of the rows.
    """
    if len(program.ops) > 2 and isinstance(program.ops[-2], Tree):
        *steps, tree, last = program.ops
        return Program([*_drop_columns(steps, tree), last])
    parts = split(program)
    if parts is None:
        return program
    encoder, layers, activations = parts
    if isinstance(encoder[-1], ops.Standardize) and encoder[-1].limit >= ops.LARGEST:
        encoder[-1], layers[0] = _folded(encoder[-1], layers[0])
    layers[0] = _same_levels_into_bias(layers[0])
    layers = _drop_units(layers, activations)
    *encoder, layers[0] = _drop_columns(encoder, layers[0])
    return join(encoder, layers, activations, program.ops[-1])


def split(program: Program) -> tuple[list[Op], list[Any], list[Op]] | None:
    """Split a Program into its encoder, the affine layers and the activations between them.

    Parameters
    ----------
    program : Program
        The Program.

    Returns
    -------
    parts : (list of Op, list of Affine or LookupAffine, list of Op) or None
        None if the Program is not an encoder followed by a net.
    """
    steps = list(program.ops)
    first = next((at for at, op in enumerate(steps) if isinstance(op, ops.Affine | ops.LookupAffine)), len(steps))
    layers, activations = steps[first:-1:2], steps[first + 1 : -1 : 2]
    if (
        len(layers) != len(activations) + 1
        or not all(isinstance(op, ops.Affine) for op in layers[1:])
        or not all(type(op) in ops.ACTIVATIONS.values() for op in activations)
    ):
        return None
    return steps[:first], layers, activations


def join(encoder: Sequence[Op], layers: Sequence[Op], activations: Sequence[Op], last: Op) -> Program:
    """Return the Program of an encoder, a net and a last op: the inverse of :func:`split`."""
    between = [op for pair in zip(activations, layers[1:], strict=True) for op in pair]
    return Program([*encoder, layers[0], *between, last])


def rescale(standardize: ops.Standardize, layer: Any, mean: Array, scale: Array) -> tuple[ops.Standardize, Any]:
    """Change the mean and scale of a Standardize that does not squash, and adjust the next layer to compensate.

    Parameters
    ----------
    standardize : Standardize
        The last op before the layer; its `limit` is LARGEST.
    layer : Affine or LookupAffine
        The next layer, with float weights; the columns of `standardize` are among its inputs.
    mean, scale : ndarray of shape (n_columns,)
        The new mean and scale in the column's own unit; the scale is positive.

    Returns
    -------
    standardize : Standardize
        With the new mean and scale.
    layer : Affine or LookupAffine
        With float32 weights such that the two ops together compute the same as before.
    """
    rows = standardized_rows(standardize, layer)
    weight, bias = layer.weight.astype(np.float64), layer.bias.astype(np.float64)
    # (x - m) / s * w  =  (x - m') / s' * (w * s' / s)  +  (m' - m) / s * w
    bias += ((mean - standardize.mean) / standardize.scale) @ weight[rows]
    weight[rows] *= (scale / standardize.scale)[:, None]
    changed = replace(layer, weight=weight.astype(np.float32), bias=bias.astype(np.float32))
    return replace(standardize, mean=mean, scale=scale), changed


def standardized_rows(standardize: ops.Standardize, layer: Any) -> slice:
    """Return the rows of a layer's weights that multiply the columns of the Standardize before it."""
    first = standardize.start - (len(layer.offsets) if isinstance(layer, ops.LookupAffine) else 0)
    return slice(first, first + len(standardize.mean))


def _folded(standardize: ops.Standardize, layer: Any) -> tuple[ops.Standardize, Any]:
    if layer.weight.dtype != np.float32:
        return standardize, layer
    weight = np.abs(layer.weight[standardized_rows(standardize, layer)].astype(np.float64))
    moved = weight / standardize.scale[:, None]
    in_range = ((moved == 0) | ((moved > 1.0 / ops.LARGEST) & (moved < ops.LARGEST))).all(axis=1)
    foldable = in_range & (np.abs(standardize.mean) <= _FAR_MEAN * standardize.scale)
    mean, scale = np.where(foldable, 0.0, standardize.mean), np.where(foldable, 1.0, standardize.scale)
    if (mean == standardize.mean).all() and (scale == standardize.scale).all():
        return standardize, layer
    return rescale(standardize, layer, mean, scale)


def _blocks(layer: ops.LookupAffine | Tree) -> list[slice]:
    """Return, for each column of codes, its slice of the tables or of the ranks."""
    ends = [*layer.offsets.tolist(), len(layer.ranks if isinstance(layer, Tree) else layer.tables)]
    return [slice(start, end) for start, end in pairwise(ends)]


def _same_levels_into_bias(layer: Any) -> Any:
    if not isinstance(layer, ops.LookupAffine):
        return layer
    tables, bias = layer.tables.copy(), layer.bias.astype(np.float64)
    for rows in _blocks(layer):
        block = layer.tables[rows]
        if block.any() and (block == block[0]).all():
            bias += ops.real_weights(block[0], layer.tables_scale)
            tables[rows] = 0
    return replace(layer, tables=tables, bias=bias.astype(np.float32))


def _drop_units(layers: list[Any], activations: Sequence[Op]) -> list[Any]:
    layers = list(layers)
    for at, activation in enumerate(activations):
        layer, after = layers[at], layers[at + 1]
        varies = layer.weight.any(axis=0)
        if isinstance(layer, ops.LookupAffine):
            varies = varies | layer.tables.any(axis=0)
        if varies.all():
            continue
        constant = activation(layer.bias[None].astype(np.float64))[0] * ~varies
        bias = after.bias + constant @ ops.real_weights(after.weight, after.scale)
        weight = np.where(varies[:, None], after.weight, np.zeros((), after.weight.dtype))
        layers[at + 1] = replace(after, weight=weight, bias=bias.astype(np.float32))
    for at in reversed(range(len(activations))):
        used = layers[at + 1].weight.any(axis=1)
        # a layer keeps at least one unit, even if the unit has no effect
        used[0] |= not used.any()
        if not used.all():
            layers[at] = _take_outputs(layers[at], used)
            layers[at + 1] = replace(layers[at + 1], weight=np.ascontiguousarray(layers[at + 1].weight[used]))
    return layers


def _take_outputs(layer: Any, kept: Array) -> Any:
    """Return a layer with only some of its outputs."""
    fields = {name: value for name, value in layer.state().items() if name != "offsets" and value is not None}
    return replace(layer, **{name: np.ascontiguousarray(value[..., kept]) for name, value in fields.items()})


def _drop_columns(encoder: list[Op], layer: Any) -> list[Op]:
    """Return the encoder and the layer after it without the columns that the layer does not use."""
    entry, *steps = encoder
    if not isinstance(entry, Columns) or not all(isinstance(op, _APPENDING | _RUNS | ops.Clip) for op in steps):
        return [*encoder, layer]
    if isinstance(layer, Tree):
        n_appended = sum(len(op.columns) for op in steps if isinstance(op, _APPENDING))
        used = np.isin(np.arange(len(entry.sources) + n_appended), layer.columns)
    else:
        used = layer.weight.any(axis=1)
    if isinstance(layer, ops.LookupAffine):
        used = np.concatenate([[layer.tables[rows].any() for rows in _blocks(layer)], used]).astype(bool)
    if used.all():
        return [*encoder, layer]
    # backwards: the columns that each step needs as input, and those that it still has to append
    needed, appended = used, []
    for op in reversed(steps):
        read = np.asarray(op.columns if isinstance(op, _APPENDING) else (), dtype=np.int64)
        n_before = len(needed) - len(read)
        needed, rest = needed[:n_before].copy(), needed[n_before:]
        needed[read[rest]] = True
        appended.append(rest)
    kept = needed
    narrowed: list[Op] = [_narrow_entry(entry, needed)]
    for op, rest in zip(steps, reversed(appended), strict=True):
        narrowed += _narrow(op, kept, rest)
        kept = np.concatenate([kept, rest])
    return [*narrowed, _narrow_layer(layer, kept)]


def _narrow_entry(entry: Columns, kept: Array) -> Columns:
    def of(*kinds: str) -> list[bool]:
        return [bool(one) for one, kind in zip(kept, entry.kinds, strict=True) if kind in kinds]

    forms, words = tuple(compress(entry.forms or (), kept)), tuple(compress(entry.words or (), of("word")))
    narrowed = replace(
        entry,
        sources=tuple(compress(entry.sources, kept)),
        kinds=tuple(compress(entry.kinds, kept)),
        levels=tuple(compress(entry.levels, of("category", "rank"))),
        sizes=tuple(compress(entry.sizes, kept)),
        forms=forms if any(forms) else None,
        words=words or None,
        unused=None,
    )
    return with_unused(narrowed, held_by(entry))


def _narrow_layer(layer: Any, kept: Array) -> Any:
    if isinstance(layer, ops.Affine):
        return replace(layer, weight=np.ascontiguousarray(layer.weight[kept]))
    blocks = list(compress(_blocks(layer), kept))
    offsets = np.cumsum([0, *(rows.stop - rows.start for rows in blocks)])[:-1].astype(layer.offsets.dtype)
    rows = np.concatenate([np.empty(0, dtype=np.int64), *(np.arange(one.start, one.stop) for one in blocks)])
    if isinstance(layer, Tree):
        columns = (np.cumsum(kept) - 1)[layer.columns].astype(layer.columns.dtype)
        return replace(layer, offsets=offsets, ranks=layer.ranks[rows], columns=columns)
    weight = np.ascontiguousarray(layer.weight[kept[len(layer.offsets) :]])
    if not len(offsets):
        return ops.Affine(weight, layer.bias, layer.scale)
    return replace(layer, offsets=offsets, tables=layer.tables[rows], weight=weight)


def _narrow(op: Any, kept: Array, appended: Array) -> list[Op]:
    """Narrow one of _APPENDING or _RUNS, or a Clip; the list is empty if no column is left."""
    is_run = isinstance(op, _RUNS)
    own = kept[op.start : op.start + len(op.fill)] if is_run else appended
    if isinstance(op, ops.Clip):
        own = kept[op.columns]
    if not own.any():
        return []
    by_column = {
        name: tuple(compress(value, own)) if isinstance(value, tuple) else value[own]
        for name, value in op.state().items()
        if name not in ("start", "limit", "scores")
    }
    if is_run:
        return [replace(op, start=int(np.count_nonzero(kept[: op.start])), **by_column)]
    columns = (np.cumsum(kept) - 1)[np.asarray(by_column["columns"])]
    by_column["columns"] = tuple(columns.tolist()) if isinstance(op, ops.DateParts) else columns
    return [replace(op, **by_column)]
