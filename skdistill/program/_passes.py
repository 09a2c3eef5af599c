"""Passes: from a Program to a smaller one with the same answers.

A fitted student's Program has been through :func:`fold`; what a later step leaves without effect
(pruned units, weights rounded to zero) goes the same way. One-hot columns need no pass: the
encoder never writes them out, its first layer is a LookupAffine from the start.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._ops import (
    LARGEST,
    Affine,
    DateParts,
    Indicate,
    LookupAffine,
    Op,
    Piecewise,
    Quantiles,
    Relu,
    Silu,
    Standardize,
    Tanh,
    real_weights,
)
from ._program import Program
from ._table import Columns
from ._tree import Tree

Array = NDArray[Any]

_ACTIVATIONS = (Relu, Silu, Tanh)
#: A mean of so many deviations is as large as may be folded into float32 weights: their rounding counts for
#: ``1 + mean / scale`` times as much then.
_FAR_MEAN = 16.0


def fold(program: Program) -> Program:
    """Fold what can be folded, and drop what reaches nothing.

    - The mean and scale of a Standardize that does not squash (its `limit` is LARGEST) move into
      the layer that follows, so far as float32 weights can hold them; what stays fills gaps. One
      that squashes is no affine map, and stays as it is.
    - A category that counts for the same at every level moves into the bias, and so does a hidden
      unit whose inputs all have the weight zero.
    - Hidden units, and columns with what the encoder makes of them, go where nothing that follows
      gives them a weight; columns that no node of a Tree looks at go as well.

    Logits change by no more than the rounding of float32 weights, for numbers up to LARGEST times
    the smaller of one and their scale; what is beyond is cut in the column's own unit.

    Parameters
    ----------
    program : Program
        Any Program; one with ops that are not known here is returned as it is.

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
    if isinstance(encoder[-1], Standardize) and encoder[-1].limit >= LARGEST:
        encoder[-1], layers[0] = _folded(encoder[-1], layers[0])
    layers[0] = _same_levels_into_bias(layers[0])
    layers = _drop_units(layers, activations)
    *encoder, layers[0] = _drop_columns(encoder, layers[0])
    return join(encoder, layers, activations, program.ops[-1])


def split(program: Program) -> tuple[list[Op], list[Any], list[Op]] | None:
    """Return the encoder, the affine layers and the activations between them.

    Parameters
    ----------
    program : Program
        The Program.

    Returns
    -------
    parts : (list of Op, list of Affine or LookupAffine, list of Op) or None
        None where the Program is not an encoder followed by a net.
    """
    ops = list(program.ops)
    first = next((at for at, op in enumerate(ops) if isinstance(op, Affine | LookupAffine)), len(ops))
    layers, activations = ops[first:-1:2], ops[first + 1 : -1 : 2]
    if (
        len(layers) != len(activations) + 1
        or not all(isinstance(op, Affine) for op in layers[1:])
        or not all(isinstance(op, _ACTIVATIONS) for op in activations)
    ):
        return None
    return ops[:first], layers, activations


def join(encoder: Sequence[Op], layers: Sequence[Op], activations: Sequence[Op], last: Op) -> Program:
    """Return the Program of an encoder, a net and the op that ends it: the reverse of :func:`split`."""
    between = [op for pair in zip(activations, layers[1:], strict=True) for op in pair]
    return Program([*encoder, layers[0], *between, last])


def rescale(standardize: Standardize, layer: Any, mean: Array, scale: Array) -> tuple[Standardize, Any]:
    """Give a Standardize that does not squash another mean and scale, and have the layer make up for it.

    Parameters
    ----------
    standardize : Standardize
        With `limit` LARGEST, the last op before the layer.
    layer : Affine or LookupAffine
        Float weights; its last inputs, or last but those of other columns, are those of `standardize`.
    mean, scale : ndarray of shape (n_columns,)
        In the column's own unit; the scale positive.

    Returns
    -------
    standardize : Standardize
        With that mean and scale.
    layer : Affine or LookupAffine
        Float32 weights such that both together do what they did before.
    """
    n_codes = len(layer.offsets) if isinstance(layer, LookupAffine) else 0
    first = standardize.start - n_codes
    rows = slice(first, first + len(mean))
    weight, bias = layer.weight.astype(np.float64), layer.bias.astype(np.float64)
    # (x - m) / s * w  =  (x - m') / s' * (w * s' / s)  +  (m' - m) / s * w
    bias += ((mean - standardize.mean) / standardize.scale) @ weight[rows]
    weight[rows] *= (scale / standardize.scale)[:, None]
    changed = replace(layer, weight=weight.astype(np.float32), bias=bias.astype(np.float32))
    return replace(standardize, mean=mean, scale=scale), changed


def _folded(standardize: Standardize, layer: Any) -> tuple[Standardize, Any]:
    if layer.weight.dtype != np.float32:
        return standardize, layer
    n_codes = len(layer.offsets) if isinstance(layer, LookupAffine) else 0
    first = standardize.start - n_codes
    weight = np.abs(layer.weight[first : first + len(standardize.mean)].astype(np.float64))
    moved = weight / standardize.scale[:, None]
    held = ((moved == 0) | ((moved > 1.0 / LARGEST) & (moved < LARGEST))).all(axis=1)
    near = np.abs(standardize.mean) <= _FAR_MEAN * standardize.scale
    can = held & near
    mean, scale = np.where(can, 0.0, standardize.mean), np.where(can, 1.0, standardize.scale)
    if (mean == standardize.mean).all() and (scale == standardize.scale).all():
        return standardize, layer
    return rescale(standardize, layer, mean, scale)


def _blocks(layer: LookupAffine | Tree) -> list[slice]:
    """Return the rows of the tables, or the ranks, that belong to each column of codes."""
    ends = [*layer.offsets.tolist(), len(layer.ranks if isinstance(layer, Tree) else layer.tables)]
    return [slice(start, end) for start, end in pairwise(ends)]


def _same_levels_into_bias(layer: Any) -> Any:
    if not isinstance(layer, LookupAffine):
        return layer
    tables, bias = layer.tables.copy(), layer.bias.astype(np.float64)
    for rows in _blocks(layer):
        block = layer.tables[rows]
        if block.any() and (block == block[0]).all():
            bias += real_weights(block[0], layer.tables_scale)
            tables[rows] = 0
    return replace(layer, tables=tables, bias=bias.astype(np.float32))


def _drop_units(layers: list[Any], activations: Sequence[Op]) -> list[Any]:
    layers = list(layers)
    for at, activation in enumerate(activations):
        layer, after = layers[at], layers[at + 1]
        moved = layer.weight.any(axis=0)
        if isinstance(layer, LookupAffine):
            moved = moved | layer.tables.any(axis=0)
        if moved.all():
            continue
        still = activation(layer.bias[None].astype(np.float64))[0] * ~moved
        bias = after.bias + still @ real_weights(after.weight, after.scale)
        weight = np.where(moved[:, None], after.weight, np.zeros((), after.weight.dtype))
        layers[at + 1] = replace(after, weight=weight, bias=bias.astype(np.float32))
    for at in reversed(range(len(activations))):
        reaches = layers[at + 1].weight.any(axis=1)
        # a layer keeps one unit, even if it does nothing
        reaches[0] |= not reaches.any()
        if not reaches.all():
            layers[at] = _take_outputs(layers[at], reaches)
            layers[at + 1] = replace(layers[at + 1], weight=np.ascontiguousarray(layers[at + 1].weight[reaches]))
    return layers


def _take_outputs(layer: Any, kept: Array) -> Any:
    """Return a layer with some of its outputs, narrower in all that it holds for one."""
    fields = {name: value for name, value in layer.state().items() if name != "offsets" and value is not None}
    return replace(layer, **{name: np.ascontiguousarray(value[..., kept]) for name, value in fields.items()})


def _drop_columns(encoder: list[Op], layer: Any) -> list[Op]:
    """Return the encoder and the layer that follows it without the columns that the layer makes nothing of."""
    entry, *steps = encoder
    if not isinstance(entry, Columns) or not all(type(op) in _NARROW for op in steps):
        return [*encoder, layer]
    if isinstance(layer, Tree):
        used = np.isin(np.arange(len(entry.sources) + sum(map(_n_appended, steps))), layer.columns)
    else:
        used = layer.weight.any(axis=1)
    if isinstance(layer, LookupAffine):
        used = np.concatenate([[layer.tables[rows].any() for rows in _blocks(layer)], used]).astype(bool)
    if used.all():
        return [*encoder, layer]
    # backwards: which columns each step has to be given, and which it still has to append
    needed, appended = used, []
    for op in reversed(steps):
        n_before = len(needed) - _n_appended(op)
        needed, rest = needed[:n_before].copy(), needed[n_before:]
        if len(rest):
            needed[np.asarray(op.columns)[rest]] = True  # type: ignore[attr-defined]
        appended.append(rest)
    kept = needed
    narrowed: list[Op] = [_narrow_entry(entry, needed)]
    for op, rest in zip(steps, reversed(appended), strict=True):
        left = _NARROW[type(op)](op, kept, rest)
        narrowed += [] if left is None else [left]
        kept = np.concatenate([kept, rest])
    return [*narrowed, _narrow_tree(layer, kept) if isinstance(layer, Tree) else _narrow_layer(layer, kept)]


def _n_appended(op: Op) -> int:
    return 0 if isinstance(op, Standardize | Quantiles) else len(op.columns)  # type: ignore[attr-defined]


def _narrow_entry(entry: Columns, kept: Array) -> Columns:
    def those(values: Iterable[Any], there: Iterable[bool]) -> tuple[Any, ...]:
        return tuple(value for value, one in zip(values, there, strict=True) if one)

    told = [one for one, kind in zip(kept, entry.kinds, strict=True) if kind in ("category", "rank")]
    return replace(
        entry,
        sources=those(entry.sources, kept),
        kinds=those(entry.kinds, kept),
        levels=those(entry.levels, told),
        sizes=those(entry.sizes, kept[: len(entry.sizes)]),
    )


def _narrow_layer(layer: Any, kept: Array) -> Any:
    if not isinstance(layer, LookupAffine):
        return replace(layer, weight=np.ascontiguousarray(layer.weight[kept]))
    n_codes = len(layer.offsets)
    weight = np.ascontiguousarray(layer.weight[kept[n_codes:]])
    offsets, rows = _narrow_codes(layer, kept)
    if not len(offsets):
        return Affine(weight, layer.bias, layer.scale)
    return replace(layer, offsets=offsets, tables=layer.tables[rows], weight=weight)


def _narrow_tree(tree: Tree, kept: Array) -> Tree:
    offsets, rows = _narrow_codes(tree, kept)
    columns = (np.cumsum(kept) - 1)[tree.columns].astype(tree.columns.dtype)
    return replace(tree, offsets=offsets, ranks=tree.ranks[rows], columns=columns)


def _narrow_codes(layer: LookupAffine | Tree, kept: Array) -> tuple[Array, Array]:
    """Return the offsets of the columns of codes that are kept, and the rows that belong to them."""
    blocks = [rows for rows, one in zip(_blocks(layer), kept, strict=False) if one]
    offsets = np.cumsum([0, *(rows.stop - rows.start for rows in blocks)])[:-1]
    rows = np.concatenate([np.empty(0, dtype=np.int64), *(np.arange(one.start, one.stop) for one in blocks)])
    return offsets.astype(layer.offsets.dtype), rows


def _narrow_run(op: Any, kept: Array, appended: Array) -> Op | None:
    """Narrow an op on a run of columns from its `start` on."""
    n_columns = len(op.fill)
    those = kept[op.start : op.start + n_columns]
    if not those.any():
        return None
    names = ("knots", "fill") if isinstance(op, Quantiles) else ("mean", "scale", "fill")
    return replace(
        op, start=int(np.count_nonzero(kept[: op.start])), **{name: getattr(op, name)[those] for name in names}
    )


def _narrow_appending(op: Any, kept: Array, appended: Array) -> Op | None:
    """Narrow an op that appends a column for each of its `columns`."""
    if not appended.any():
        return None
    place = np.cumsum(kept) - 1
    columns = place[np.asarray(op.columns)[appended]]
    if isinstance(op, DateParts):
        parts = tuple(part for part, one in zip(op.parts, appended, strict=True) if one)
        return DateParts(tuple(columns.tolist()), parts)
    if isinstance(op, Piecewise):
        return Piecewise(columns, op.lower[appended], op.width[appended])
    return Indicate(columns)


_NARROW: dict[type[Op], Any] = {
    DateParts: _narrow_appending,
    Indicate: _narrow_appending,
    Piecewise: _narrow_appending,
    Quantiles: _narrow_run,
    Standardize: _narrow_run,
}
