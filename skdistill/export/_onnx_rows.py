"""The columns of the rows as ONNX inputs: the type of each input and the lookup of its levels."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..program import Columns, Levels, Program, Word, as_number, held_by, ops
from ._onnx_graph import WIDE, Graph, Piece

Array = NDArray[Any]

#: The dtype of a piece that holds texts.
TEXT = np.dtype(object)
#: The default string of a missing text.
MISSING = "<missing>"
#: The largest change of a first-layer output that rounding inputs to float32 may cause.
_ROUNDING = 3e-5
#: The largest relative error of rounding to float32.
_HALF_ULP = 2.0**-24
#: The largest distance of a typical number from the mean, in standard deviations.
_NORMAL = 6.0


def describe(program: Program, dtype: np.dtype[Any], taken: Sequence[str]) -> tuple[list[dict[str, Any]], list[Piece]]:
    """Describe the columns of a row and the inputs of the model.

    Parameters
    ----------
    program : Program
        The Program.
    dtype : dtype
        The dtype of numeric inputs: float32 or float64.
    taken : sequence of str
        Names that no input may have.

    Returns
    -------
    columns : list of dict
        For each column of a row its name, its input and the input's type ("float32", "float64" or
        "string"), its kind ("number", "date" or "text", also where the student does not use it; "unused" where that
        is not known), the unit of a date or a time span, its levels, if it has any, and its form, if its texts are to
        be read as numbers or dates.
    pieces : list of Piece
        The inputs in the order of the columns. One of a column of which nothing is known has no name.
    """
    entry, n_columns = program.ops[0], program.n_columns
    names = getattr(entry, "names", None) or [f"column {index}" for index in range(n_columns)]
    levels: list[dict[Any, None]] = [{} for _ in range(n_columns)]
    held: list[str | None] = ["number"] * n_columns
    forms: dict[int, str] = {}
    if isinstance(entry, Columns):
        held = held_by(entry)
        forms = dict(zip(entry.sources, entry.forms or (), strict=False))
        # in the order of their ranks, if they have ranks
        for source, _, read in sorted(entry.reads, key=lambda one: one[1] != "rank"):
            levels[source] |= dict.fromkeys(read.levels) if isinstance(read, Levels) else {}
        if not entry.unused and {*held} <= {"number", None}:
            held = ["number"] * n_columns
    columns: list[dict[str, Any]] = []
    reserved = set(taken)
    types: dict[str | None, np.dtype[Any]] = {"datetime": WIDE, "text": TEXT, "level": WIDE}
    # numpy works out the name of a dtype each time
    written = {dtype: dtype.name, WIDE: WIDE.name, TEXT: "string"}
    kinds: dict[str | None, str] = {"datetime": "date", "text": "text", None: "unused"}
    for index, (name, what) in enumerate(zip(names, held, strict=True)):
        column = {"name": name, "kind": kinds.get(what, "number"), "input": ""}
        if what is not None:
            # in ONNX, an empty name means that there is no input
            column["input"] = name or f"column {index}"
            while column["input"] in reserved:
                column["input"] += "_"
            reserved.add(column["input"])
            own = types.get(what, dtype)
            if what == "datetime":
                column["unit"] = "seconds since 1970 (UTC)"
            elif index in (getattr(entry, "spans", None) or ()):
                column["unit"] = "seconds"
            column["type"] = written[own]
            if forms.get(index):
                column["form"] = forms[index]
            known = [level for level in levels[index] if level is not None]
            if what == "text" and known:
                column["levels"] = [str(level) for level in known]
            elif what == "level" and known:
                # JSON has no infinite numbers
                column["levels"] = [str(level) if level in (np.inf, -np.inf) else level for level in known]
        columns.append(column)
    if {*held} == {"number"}:
        for column in columns:
            column |= {"input": "X", "type": written[dtype]}
        return columns, [Piece("X", n_columns, dtype)]
    pieces = [Piece(column["input"], 1, types.get(what, dtype)) for column, what in zip(columns, held, strict=True)]
    return columns, pieces


def needs_float64(program: Program) -> bool:
    """Tell whether rounding the inputs to float32 could change the first layer's outputs by more than _ROUNDING."""
    entry = program.ops[0]
    if not isinstance(entry, Columns):
        return False
    # the largest change of each column by rounding; dates are always float64
    moved = np.zeros(len(entry.kinds))
    rounded = np.array([kind == "number" for kind in entry.kinds], dtype=float)
    for op in program.ops[1:]:
        if isinstance(op, ops.Standardize):
            columns = slice(op.start, op.start + len(op.mean))
            moved[columns] = rounded[columns] * _HALF_ULP * (np.abs(op.mean) / op.scale + min(op.limit, _NORMAL))
        elif isinstance(op, ops.Quantiles):
            columns = slice(op.start, op.start + len(op.knots))
            moved[columns] = rounded[columns] * _moved_scores(op)
        elif isinstance(op, ops.DateParts | ops.Indicate):
            moved, rounded = (np.append(part, np.zeros(len(op.columns))) for part in (moved, rounded))
        elif isinstance(op, ops.Piecewise):
            moved = np.append(moved, moved[op.columns] / op.width)
        elif isinstance(op, ops.Affine | ops.LookupAffine):
            weight = np.abs(ops.real_weights(op.weight, op.scale))
            return bool((moved[len(moved) - len(weight) :, None] * weight > _ROUNDING).any())
    # a tree itself rounds numbers to float32
    return False


def _moved_scores(op: ops.Quantiles) -> Array:
    """Return the largest change of each column's score by rounding."""
    width, rise = np.diff(op.knots, axis=1), np.diff(op.scores)
    reach = np.maximum(np.abs(op.knots[:, 1:]), np.abs(op.knots[:, :-1]))
    # the score has a step where several knots are equal, and rounding must not move a number across the step
    kept = op.knots.astype(np.float32)[:, 1:] == op.knots[:, 1:]
    step = np.where(kept, 0.0, rise)
    slope = np.divide(rise, width, out=np.zeros_like(width), where=width > 0)
    return np.where(width > 0, _HALF_ULP * reach * slope, step).max(axis=1)


class InputRows:
    """Rows whose columns are spread over one or several inputs.

    Parameters
    ----------
    pieces : list of Piece
        The inputs, or values derived from them, in the order of a row's columns. The dtype object
        means strings.
    names : sequence of str
        The names of the columns in messages.
    missing : str
        The string of a missing text.
    """

    def __init__(self, pieces: Sequence[Piece], names: Sequence[str], missing: str) -> None:
        self._places = [(piece, at) for piece in pieces for at in range(piece.width)]
        self._names = names
        self._missing = missing

    def numbers(self, graph: Graph, sources: Sequence[int]) -> list[Piece]:
        """Return columns of numbers, by their indices in a row, in as few pieces as possible."""
        if not sources:
            return [_part(graph, self._places[0][0], [])]
        found = []
        for piece, group in groupby(sources, key=lambda source: self._places[source][0]):
            members = list(group)
            if piece.dtype == TEXT:
                raise TypeError(f"Column {self._names[members[0]]!r} is read as a number; its input is one of strings.")
            found.append(_part(graph, piece, [self._places[source][1] for source in members]))
        return found

    def has_words(self, graph: Graph, source: int, words: Sequence[Word]) -> Piece:
        """Tell which of some words the texts of a column have, as float32."""
        piece, at = self._places[source]
        if piece.dtype != TEXT:
            raise TypeError(f"Column {self._names[source]!r} is read as text; its input is one of {piece.dtype}.")
        value = _part(graph, piece, [at]).value
        found = [graph.node("RegexFullMatch", value, pattern=_pattern(_either_case(one.word))) for one in words]
        if any(one(self._missing) for one in words):
            known = graph.node("Not", graph.node("RegexFullMatch", value, pattern=re.escape(self._missing)))
            found = [graph.node("And", each, known) for each in found]
        return Piece(graph.cast(graph.concat(found), np.float32), len(words), np.dtype(np.float32), 1.0)

    def look_up(self, graph: Graph, source: int, levels: Levels, dtype: DTypeLike) -> str:
        """Map the levels of a column to their codes; return them, shape (n_rows, 1)."""
        piece, at = self._places[source]
        name, value = self._names[source], _part(graph, piece, [at]).value
        codes = {level: code for level, code in levels.levels.items() if level is not None}
        if piece.dtype == TEXT:
            texts = _by(str, codes, name, "a string tensor")
            if self._missing in texts:
                raise ValueError(f"Column {name!r} has a level {self._missing!r}; choose another text with missing=.")
            texts[self._missing] = levels.missing
            kind, cast = ("int64", int) if np.dtype(dtype).kind == "i" else ("float", float)
            found: dict[str, Any] = {f"values_{kind}s": list(map(cast, texts.values()))}
            found[f"default_{kind}"] = cast(levels.other)
            return graph.node("LabelEncoder", value, domain="ai.onnx.ml", keys_strings=list(texts), **found)
        if codes and not are_numbers(codes):
            raise TypeError(f"Column {name!r} is read as text; its input is one of {piece.dtype}.")
        if piece.dtype != np.float64:
            value = graph.cast(value, np.float64)
        # in the opset that is written here, a LabelEncoder can look up float32 only
        numbers = _by(as_number, codes, name, "a tensor of numbers")
        table = graph.constant(np.array([levels.other, *numbers.values(), levels.missing], dtype=dtype))
        place = zero = graph.constant([[0]])
        if numbers:
            equal = graph.node("Equal", value, np.array([list(numbers)], dtype=np.float64))
            places, axis = graph.constant(np.arange(1, len(numbers) + 1)[None]), graph.constant([1])
            place = graph.node("ReduceSum", graph.node("Where", equal, places, zero), axis, keepdims=1)
        last = graph.constant([[len(numbers) + 1]])
        place = graph.node("Where", graph.node("IsNaN", value), last, place)
        return graph.node("Gather", table, place, axis=0)


def are_numbers(levels: Iterable[Any]) -> bool:
    """Tell whether all levels are numbers rather than texts."""
    return all(isinstance(level, bool | int | float) for level in levels)


def _pattern(word: str) -> str:
    """Return the regular expression of the texts that have a word."""
    edge = "[^0-9A-Za-z\x80-\U0010ffff]"
    return f"(?s)(?:.*{edge})?{word}(?:{edge}.*)?"


def _either_case(word: str) -> str:
    """Return the regular expression of a word in capitals or not; only ASCII letters have a case here."""
    return "".join(f"[{one}{one.upper()}]" if "a" <= one <= "z" else one for one in word)


def _by(key: Callable[[Any], Any], levels: dict[Any, Any], name: str, where: str) -> dict[Any, Any]:
    """Replace the keys of a dict of levels; raise ValueError if two levels get the same key."""
    found: dict[Any, Any] = {}
    for level, value in levels.items():
        if key(level) in found:
            raise ValueError(f"Column {name!r} has two levels that are both {key(level)!r} in {where}.")
        found[key(level)] = value
    return found


def _part(graph: Graph, piece: Piece, columns: list[int]) -> Piece:
    return Piece(graph.gather(piece.value, columns, piece.width), len(columns), piece.dtype)
