"""The fitted coefficients and shape functions of a linear student, in the unit of the raw columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model import encoded_sources
from ..program import (
    LARGEST,
    Bound,
    Columns,
    Indicate,
    Levels,
    LookupAffine,
    Piecewise,
    Program,
    Quantiles,
    Standardize,
    Unstandardize,
    Word,
    fold,
    join,
    real_weights,
    run,
)
from ._tree_text import _Column, _columns

Array = NDArray[Any]

#: How many points a number's shape is drawn through beside the edges of its bins, and how far on either side of the
#: mean, in standard deviations, where there are no bins.
_N_POINTS = 49
_REACH = 3.0


@dataclass(frozen=True)
class Coefficients:
    """The coefficients of a linear Program.

    Parameters
    ----------
    names : ndarray of shape (n_encoded,)
        What each coefficient multiplies: "age", "city=Paris", "month of date", "age missing", "age from 20 to 30".
    sources : ndarray of shape (n_encoded,)
        The index of the raw column that it is made of.
    coef : ndarray of shape (n_encoded, n_outputs)
        The coefficients.
    offset : ndarray of shape (n_encoded, n_outputs)
        What each input adds where the number is zero, by being measured from its mean; it is part of the intercept.
    intercept : ndarray of shape (n_outputs,)
        The intercept.
    """

    names: Array
    sources: Array
    coef: Array
    offset: Array
    intercept: Array


@dataclass(frozen=True)
class ShapeFunction:
    """The contribution of one column to the logits, or to the prediction, at each of some values.

    Parameters
    ----------
    column : str
        The column.
    values : ndarray of shape (n_values,)
        Numbers, dates or categories; NaN, NaT or None for a missing value.
    contributions : ndarray of shape (n_values, n_outputs)
        The contribution of the column to each logit (with two classes, to the single logit of the second class), or to
        each output of a regressor, in the target's unit.

    Examples
    --------
    >>> from skdistill import LinearStudent
    >>> student = LinearStudent().fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
    >>> shape = student.shape_function(0, [0.0, 1.5, 3.0])
    >>> shape.contributions.shape, bool(shape.contributions[2, 0] > shape.contributions[0, 0])
    ((3, 1), True)
    """

    column: str
    values: Array
    contributions: Array


def read_coefficients(program: Program) -> Coefficients:
    """Return the coefficients of a Program with a single affine map.

    Parameters
    ----------
    program : Program
        That of a linear student.

    Returns
    -------
    coefficients : Coefficients
        In the unit of the raw columns where numbers are standardised, and in that of a regressor's target.
    """
    _, layer = _parts(program)
    columns, sources = _named_columns(program)
    weight = real_weights(layer.weight, layer.scale)
    tables = weight[:0]
    if isinstance(layer, LookupAffine):
        tables = real_weights(layer.tables, layer.tables_scale)
    names = [
        name
        for column in columns
        for name in ([f"{column.name}={level}" for level in column.levels] if column.levels else [column.name])
    ]
    owners = np.repeat(sources, [max(1, len(column.levels)) for column in columns])
    numbers = [column for column in columns if not column.levels]
    mean, scale = (np.array([getattr(one, name) for one in numbers])[:, None] for name in ("mean", "scale"))
    coef = np.concatenate([tables, weight / scale])
    offset = np.concatenate([np.zeros_like(tables), -weight * mean / scale])
    factor, center = _unit(program)
    intercept = (layer.bias.astype(np.float64) + offset.sum(axis=0)) * factor + center
    return Coefficients(np.array(names, dtype=object), owners, coef * factor, offset * factor, intercept)


def read_shape(program: Program, source: int, values: Any | None) -> ShapeFunction:
    """Return what a column adds to the outputs of a Program with a single affine map.

    Parameters
    ----------
    program : Program
        That of a linear student.
    source : int
        The index of the raw column.
    values : array-like of shape (n_values,), scalar or None
        Where the shape is wanted; None chooses values by what the Program knows of the column.

    Returns
    -------
    shape : ShapeFunction
        The values and what the column adds at each.
    """
    encoder, layer = _parts(program)
    found, entry, (factor, _) = read_coefficients(program), encoder[0], _unit(program)
    cells = _grid(program, source) if values is None else _as_cells(values)
    if isinstance(entry, Bound):
        contributions = np.nan_to_num(cells.astype(np.float64))[:, None] * found.coef[source]
        return ShapeFunction(f"column {source}", cells, contributions)
    # the Program of this column alone: where all weights are zero, fold drops what they multiply
    own = (found.sources == source)[:, None]
    alone = replace(layer, weight=layer.weight * own[len(own) - len(layer.weight) :], bias=layer.bias * 0)
    if isinstance(layer, LookupAffine):
        alone = replace(alone, tables=layer.tables * own[: len(layer.tables)])
    narrow, *steps, _ = fold(join(encoder, [alone], [], program.ops[-1])).ops
    assert isinstance(narrow, Columns)
    name = entry.names[source : source + 1] if entry.names else None
    read = replace(narrow, names=name, n_columns=1, sources=(0,) * len(narrow.sources))
    contributions = run(read(cells[:, None]), steps) * factor - (found.offset * own).sum(axis=0)
    return ShapeFunction(name[0] if name else f"column {source}", cells, contributions)


def _parts(program: Program) -> tuple[list[Any], Any]:
    """Return the ops that read and encode rows, and the single affine map after them."""
    *encoder, layer, _ = program.ops
    return encoder, layer


def _unit(program: Program) -> tuple[Any, Any]:
    """Return the scale and center of the outputs; those of logits are one and zero."""
    last = program.ops[-1]
    return (last.scale, last.center) if isinstance(last, Unstandardize) else (1.0, 0.0)


def _named_columns(program: Program) -> tuple[list[_Column], list[int]]:
    """Return the inputs of the affine map, levels of a category together, and the raw column of each."""
    steps = program.ops[1:-2]
    columns = _columns(program)
    for op in steps:
        if isinstance(op, Quantiles):
            for at in range(op.start, op.start + len(op.fill)):
                columns[at] = replace(columns[at], name=f"quantile score of {columns[at].name}")
        elif isinstance(op, Indicate):
            columns += [_Column(f"{columns[at].name} missing") for at in op.columns]
        elif isinstance(op, Piecewise):
            for at, lower, width in zip(op.columns, op.lower, op.width, strict=True):
                low, high = (_edge(columns[at], edge) for edge in (lower, lower + width))
                columns.append(_Column(f"{columns[at].name} from {low} to {high}"))
    return columns, encoded_sources(program.ops[:-2], program.n_columns)


def _edge(column: _Column, edge: float) -> str:
    """Return the edge of a bin as text, in the column's own unit."""
    if column.kind == "datetime":
        return column.at(edge)
    return f"{_raw(column, edge):.6g}"


def _raw(column: _Column, standardised: Any) -> Any:
    """Return standardised numbers in the column's own unit, to a millionth of its scale."""
    decimals = 6 - int(np.ceil(np.log10(column.scale)))
    # adding zero turns a negative zero into a plain one
    return np.round(column.raw(standardised), decimals) + 0.0


def _as_cells(values: Any) -> Array:
    """Return cells as a Program reads a column of them: numbers and dates typed, anything else as objects."""
    cells = np.atleast_1d(values.to_numpy() if hasattr(values, "to_numpy") else values)
    return (
        cells if cells.dtype.kind in "fiubM" else np.array(list(values) if np.ndim(values) else [values], dtype=object)
    )


def _grid(program: Program, source: int) -> Array:
    """Return the values at which a column's shape is shown."""
    entry, *steps = program.ops[:-2]
    columns, sources = _named_columns(program)
    own = [at for at, owner in enumerate(sources) if owner == source]
    if not own:
        return np.empty(0)
    at = own[0]
    if isinstance(entry, Columns):
        reads = [read for owner, _, read in entry.reads if owner == source]
        # the last of levels that are read twice are those of the ranks, in their order
        levels = [read.levels for read in reads if isinstance(read, Levels)][-1:]
        words = [read.word for read in reads if isinstance(read, Word)]
        if levels or words:
            known = [level for one in levels for level in sorted(one, key=one.__getitem__) if level is not None]
            return np.array([*known, "other levels", None] if levels else [*words, None], dtype=object)
    points = _range(steps, columns[at], at)
    if columns[at].kind == "datetime":
        points = np.unique(np.round(points)).astype("datetime64[s]")
    if any(isinstance(op, Indicate) and at in op.columns for op in steps):
        points = np.append(points, np.full(1, "NaT" if points.dtype.kind == "M" else np.nan, points.dtype))
    return points


def _range(steps: Sequence[Any], column: _Column, at: int) -> Array:
    """Return points over the range of a column of numbers, as far as the ops after the entry know it."""
    curve = next((op for op in steps if isinstance(op, Quantiles)), None)
    if curve is not None:
        return np.unique(curve.knots[at - curve.start].astype(np.float32)).astype(str).astype(np.float64)
    standardize = next((op for op in steps if isinstance(op, Standardize)), None)
    if standardize is None or standardize.limit >= LARGEST:
        raise ValueError(
            f"The student does not know the range of {column.name}; pass the values at which to show its shape."
        )
    if column.scale == 0.5 and 0 < column.mean < 1:
        # of numbers with two values the scale is half their distance, and the center their mean
        return np.array([0.0, 1.0])
    edges = np.array([-_REACH, _REACH])
    bins = next((op for op in steps if isinstance(op, Piecewise) and at in op.columns), None)
    if bins is not None:
        lower, width = (part[bins.columns == at] for part in (bins.lower, bins.width))
        edges = np.concatenate([lower, lower + width])
    points = np.concatenate([edges, np.linspace(edges.min(), edges.max(), _N_POINTS)])
    return np.unique(column.raw(points) if column.kind == "datetime" else _raw(column, points))
