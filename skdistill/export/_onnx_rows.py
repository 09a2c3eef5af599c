"""The columns of the rows as ONNX inputs: what type each has, and how its levels are looked up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..program import (
    Affine,
    Columns,
    DateParts,
    Indicate,
    LookupAffine,
    Piecewise,
    Program,
    Quantiles,
    Standardize,
    real_weights,
)
from ._onnx_graph import Graph, Piece

Array = NDArray[Any]

#: The dtype of a piece that holds texts.
TEXT = np.dtype(object)


#: What stands for a missing text, unless the caller chooses another.
MISSING = "<missing>"
#: Rounding a number to float32 may move an output of the first layer by so much.
_ROUNDING = 3e-5
#: A number is rounded by so much of itself at most.
_HALF_ULP = 2.0**-24
#: Deviations from the mean within which numbers are.
_NORMAL = 6.0


def describe(program: Program, dtype: np.dtype[Any], taken: Sequence[str]) -> tuple[list[dict[str, Any]], list[Piece]]:
    """Return what the columns of a row are, and the inputs that they come as.

    Parameters
    ----------
    program : Program
        From raw rows to probabilities.
    dtype : dtype
        Of inputs that are numbers: float32 or float64.
    taken : sequence of str
        Names that no input may have.

    Returns
    -------
    columns : list of dict
        For each column of a row its name, its input and the input's type ("float32", "float64" or
        "string"), its kind ("number", "date", "text" or "unused") and its levels, if it has any.
    pieces : list of Piece
        The inputs in the order of the columns. One that no column is read from has an empty name.
    """
    columns = _columns(program, taken)
    if all(column["kind"] in ("number", "unused") and "levels" not in column for column in columns):
        return [column | {"input": "X", "type": dtype.name} for column in columns], [Piece("X", len(columns), dtype)]
    pieces = []
    for column in columns:
        held = TEXT if column["kind"] in ("text", "unused") else dtype
        if column["kind"] == "date" or (column["kind"] == "number" and "levels" in column):
            held = np.dtype(np.float64)
        if column["kind"] != "unused":
            column["type"] = "string" if held == TEXT else held.name
        pieces.append(Piece(column["input"], 1, held))
    return columns, pieces


def _columns(program: Program, taken: Sequence[str]) -> list[dict[str, Any]]:
    entry = program.ops[0]
    n_columns = program.n_columns
    names = getattr(entry, "names", None) or [f"column {index}" for index in range(n_columns)]
    uses: list[dict[str, Any]] = [{} for _ in range(n_columns)]
    if isinstance(entry, Columns):
        tables = iter(entry.levels)
        for source, kind in zip(entry.sources, entry.kinds, strict=True):
            uses[source][kind] = next(tables) if kind in ("category", "rank") else None
    else:
        uses = [{"number": None} for _ in range(n_columns)]
    columns: list[dict[str, Any]] = []
    reserved = set(taken)
    for index, (name, use) in enumerate(zip(names, uses, strict=True)):
        column: dict[str, Any] = {"name": name, "kind": "unused", "input": ""}
        if use:
            # ONNX takes an empty name for none
            made = name or f"column {index}"
            while made in reserved:
                made += "_"
            reserved.add(made)
            column["input"] = made
            # in the order of their ranks, if they have one
            levels = [level for table in (use.get("rank"), use.get("category")) for level in table or ()]
            levels = [level for level in dict.fromkeys(levels) if level is not None]
            if "category" not in use and "rank" not in use:
                column["kind"] = "date" if "datetime" in use else "number"
            elif "number" in use or (levels and are_numbers(levels)):
                # JSON has no infinite numbers
                finite = [level if abs(level) < np.inf else str(level) for level in levels]
                column |= {"kind": "number", "levels": finite}
            else:
                column |= {"kind": "text", "levels": [str(level) for level in levels]}
        columns.append(column)
    return columns


def needs_float64(program: Program) -> bool:
    """Tell whether rounding its numbers to float32 could change the first layer's outputs by more than a little."""
    entry = program.ops[0]
    if not isinstance(entry, Columns):
        return False
    # how far rounding may move each column; dates are float64 in any case
    moved = np.zeros(len(entry.kinds))
    rounded = np.array([kind == "number" for kind in entry.kinds], dtype=float)
    for op in program.ops[1:]:
        if isinstance(op, Standardize):
            columns = slice(op.start, op.start + len(op.mean))
            moved[columns] = rounded[columns] * _HALF_ULP * (np.abs(op.mean) / op.scale + min(op.limit, _NORMAL))
        elif isinstance(op, Quantiles):
            columns = slice(op.start, op.start + len(op.knots))
            moved[columns] = rounded[columns] * _moved_scores(op)
        elif isinstance(op, DateParts | Indicate):
            moved, rounded = (np.append(part, np.zeros(len(op.columns))) for part in (moved, rounded))
        elif isinstance(op, Piecewise):
            moved = np.append(moved, moved[op.columns] / op.width)
        elif isinstance(op, Affine | LookupAffine):
            weight = np.abs(real_weights(op.weight, op.scale))
            return bool((moved[len(moved) - len(weight) :, None] * weight > _ROUNDING).any())
    # a tree rounds numbers itself
    return False


def _moved_scores(op: Quantiles) -> Array:
    """Return how far rounding may move each column's score."""
    width, rise = np.diff(op.knots, axis=1), np.diff(op.scores)
    reach = np.maximum(np.abs(op.knots[:, 1:]), np.abs(op.knots[:, :-1]))
    # where several knots are one number the score jumps there, and rounding must not move it to the other side
    kept = op.knots.astype(np.float32)[:, 1:] == op.knots[:, 1:]
    jump = np.where(kept, 0.0, rise)
    slope = np.divide(rise, width, out=np.zeros_like(width), where=width > 0)
    return np.where(width > 0, _HALF_ULP * reach * slope, jump).max(axis=1)


class InputRows:
    """Rows that come as one or several inputs, which lie side by side.

    Parameters
    ----------
    pieces : list of Piece
        The inputs, or values made of them, in the order of a row's columns. A dtype of objects
        stands for strings.
    names : sequence of str
        The columns, as a message names them.
    missing : str
        What stands for a missing text.
    """

    def __init__(self, pieces: Sequence[Piece], names: Sequence[str], missing: str) -> None:
        self._places = [(piece, at) for piece in pieces for at in range(piece.width)]
        self._names = names
        self._missing = missing

    def numbers(self, graph: Graph, sources: Sequence[int]) -> list[Piece]:
        """Return columns of numbers, by their indices in a row, as few pieces."""
        if not sources:
            return [_part(graph, self._places[0][0], [])]
        found = []
        for piece, group in groupby(sources, key=lambda source: self._places[source][0]):
            members = list(group)
            if piece.dtype == TEXT:
                raise TypeError(f"Column {self._names[members[0]]!r} is read as a number; its input is one of strings.")
            found.append(_part(graph, piece, [self._places[source][1] for source in members]))
        return found

    def look_up(
        self, graph: Graph, source: int, levels: dict[Any, Any], other: Any, missing: Any, dtype: DTypeLike
    ) -> str:
        """Return the values, shape (n_rows, 1), that the levels of a column stand for."""
        levels = {level: value for level, value in levels.items() if level is not None}
        piece, at = self._places[source]
        column = _part(graph, piece, [at])
        if piece.dtype == TEXT:
            texts = as_texts(levels, self._names[source], self._missing)
            return _look_up_text(graph, column.value, {**texts, self._missing: missing}, other, dtype)
        if levels and not are_numbers(levels):
            raise TypeError(f"Column {self._names[source]!r} is read as text; its input is one of {piece.dtype}.")
        value = column.value if piece.dtype == np.float64 else graph.cast(column.value, np.float64)
        keyed = _by(_as_float, levels, self._names[source], "a tensor of numbers")
        return _look_up_number(graph, value, keyed, other, missing, dtype)


def are_numbers(levels: Iterable[Any]) -> bool:
    """Tell whether levels, of which None stands for a missing one, are numbers and not texts."""
    return all(isinstance(level, bool | int | float) for level in levels if level is not None)


def as_texts(levels: dict[Any, Any], name: str, missing: str) -> dict[str, Any]:
    """Return levels as the texts that a string tensor holds.

    Parameters
    ----------
    levels : dict
        From level to anything.
    name : str
        The column, as a message names it.
    missing : str
        What stands for a missing text.

    Returns
    -------
    texts : dict
        The same, by text.

    Raises
    ------
    ValueError
        If two levels have the same text, or one of them that of a missing one.
    """
    texts = _by(str, levels, name, "a string tensor")
    if missing in texts:
        raise ValueError(f"Column {name!r} has a level {missing!r}; choose another text with missing=.")
    return texts


def _by(key: Callable[[Any], Any], levels: dict[Any, Any], name: str, where: str) -> dict[Any, Any]:
    """Return levels by another key; refuse two that have the same."""
    found: dict[Any, Any] = {}
    for level, value in levels.items():
        if key(level) in found:
            raise ValueError(f"Column {name!r} has two levels that are both {key(level)!r} in {where}.")
        found[key(level)] = value
    return found


def _part(graph: Graph, piece: Piece, columns: list[int]) -> Piece:
    if columns == list(range(piece.width)):
        return piece
    taken = graph.node("Gather", piece.value, graph.constant(np.array(columns, dtype=np.int64)), axis=1)
    return Piece(taken, len(columns), piece.dtype)


def _look_up_text(graph: Graph, value: str, values: dict[str, Any], other: Any, dtype: DTypeLike) -> str:
    kind, cast = ("int64", int) if np.dtype(dtype).kind == "i" else ("float", float)
    found: dict[str, Any] = {
        "keys_strings": list(values),
        f"values_{kind}s": [cast(one) for one in values.values()],
        f"default_{kind}": cast(other),
    }
    return graph.node("LabelEncoder", value, domain="ai.onnx.ml", **found)


def _look_up_number(
    graph: Graph, value: str, levels: dict[float, Any], other: Any, missing: Any, dtype: DTypeLike
) -> str:
    # a LabelEncoder would look up float32 alone in the opset that is written here
    table = graph.constant(np.array([other, *levels.values(), missing], dtype=dtype))
    place = zero = graph.constant(np.zeros((1, 1), dtype=np.int64))
    if levels:
        equal = graph.node("Equal", value, graph.constant(np.array([list(levels)], dtype=np.float64)))
        places = graph.constant(np.arange(1, len(levels) + 1, dtype=np.int64)[None])
        axis = graph.constant(np.array([1], dtype=np.int64))
        place = graph.node("ReduceSum", graph.node("Where", equal, places, zero), axis, keepdims=1)
    last = graph.constant(np.array([[len(levels) + 1]], dtype=np.int64))
    place = graph.node("Where", graph.node("IsNaN", value), last, place)
    return graph.node("Gather", table, place, axis=0)


def _as_float(level: float) -> float:
    try:
        return float(level)
    except OverflowError:
        return np.inf if level > 0 else -np.inf
