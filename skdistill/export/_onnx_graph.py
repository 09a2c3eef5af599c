"""An ONNX graph under construction: constants, nodes, and the columns of the rows on their way through it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

Array = NDArray[Any]


def tensor_type(dtype: DTypeLike) -> int:
    """Return what ONNX calls a dtype; objects are strings."""
    dtype = np.dtype(dtype)
    return int(TensorProto.STRING if dtype.kind == "O" else helper.np_dtype_to_tensor_dtype(dtype))


class Graph:
    """Nodes and constants, each made once however often it is asked for.

    Parameters
    ----------
    unique : callable
        From a name to one that nothing else in the model has.
    """

    def __init__(self, unique: Callable[[str], str]) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._unique = unique
        self._made: dict[Any, str] = {}

    def constant(self, array: Any) -> str:
        """Return the name of an array, which the file stores in its own dtype."""
        array = np.asarray(array, order="C")
        key = (array.dtype.str, array.shape, array.tobytes() if array.dtype != object else tuple(array.tolist()))
        if key not in self._made:
            self._made[key] = self._unique("constant")
            self.constants.append(numpy_helper.from_array(array, self._made[key]))
        return self._made[key]

    def node(self, op: str, *inputs: str, domain: str = "", output: str | None = None, **attributes: Any) -> str:
        """Return the name of what an operator makes of values: `output`, or a name of its own."""
        key = (op, inputs, domain, repr(sorted(attributes.items())))
        if output is None and key in self._made:
            return self._made[key]
        made = output or self._unique(op)
        self._made[key] = made
        self.nodes.append(helper.make_node(op, inputs, [made], domain=domain, **attributes))
        return made

    def cast(self, value: str, dtype: DTypeLike) -> str:
        """Return a value in another dtype."""
        return self.node("Cast", value, to=tensor_type(dtype))


@dataclass(frozen=True)
class Piece:
    """Columns that lie side by side in one value of shape (n_rows, width)."""

    value: str
    width: int
    dtype: np.dtype[Any]


def _dtype(piece: Piece) -> np.dtype[Any]:
    return piece.dtype


class Rows(Protocol):
    """Where the columns of the rows are in the graph."""

    def numbers(self, graph: Graph, sources: Sequence[int]) -> list[Piece]:
        """Return columns of numbers, or of dates as seconds since 1970, by their indices in a row."""

    def look_up(
        self, graph: Graph, source: int, levels: dict[Any, Any], other: Any, missing: Any, dtype: DTypeLike
    ) -> str:
        """Return the values, shape (n_rows, 1), that the levels of a column stand for."""


@dataclass
class Flow:
    """What the ops before have made of the rows: categories still to be looked up, and columns of numbers.

    Columns are counted as in the Program: the categories first, then the numbers.
    """

    graph: Graph
    rows: Rows
    #: For each category, what looks its rows up: ``(offset) -> offset + code``, int64 of shape (n_rows, 1).
    categories: list[Callable[[int], str]] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)

    @property
    def stop(self) -> int:
        """The number of columns."""
        return len(self.categories) + sum(piece.width for piece in self.pieces)

    def append(self, value: str, width: int, dtype: DTypeLike) -> None:
        """Add columns at the end."""
        self.pieces.append(Piece(value, width, np.dtype(dtype)))

    def take(self, start: int, stop: int, dtype: DTypeLike) -> int:
        """Make the columns from `start` to `stop` one piece of a dtype; return its index."""
        first, last = self._cut(start), self._cut(stop)
        self.pieces[first:last] = [self._joined(self.pieces[first:last], dtype)]
        return first

    def whole(self, dtype: DTypeLike) -> str:
        """Return all numbers as one value of a dtype."""
        self.pieces = [self._joined(self.pieces, dtype)]
        return self.pieces[0].value

    def holding(self, columns: Sequence[int], dtype: DTypeLike) -> tuple[str, Array]:
        """Return a value of a dtype that holds some columns, and where they are in it."""
        start = len(self.categories)
        for index, piece in enumerate(self.pieces):
            if min(columns) >= start and max(columns) < start + piece.width:
                self.pieces[index] = self._joined([piece], dtype)
                break
            start += piece.width
        else:
            start, index = len(self.categories), 0
            self.whole(dtype)
        return self.pieces[index].value, np.asarray(columns, dtype=np.int64) - start

    def _cut(self, at: int) -> int:
        """Return the index of the piece that begins with a column, cutting one in two if need be."""
        start = len(self.categories)
        for index, piece in enumerate(self.pieces):
            if at == start:
                return index
            if at < start + piece.width:
                left = at - start
                self.pieces[index : index + 1] = [self._part(piece, 0, left), self._part(piece, left, piece.width)]
                return index + 1
            start += piece.width
        return len(self.pieces)

    def _part(self, piece: Piece, start: int, stop: int) -> Piece:
        ends = (self.graph.constant(np.array([end], dtype=np.int64)) for end in (start, stop, 1))
        return Piece(self.graph.node("Slice", piece.value, *ends), stop - start, piece.dtype)

    def _joined(self, pieces: list[Piece], dtype: DTypeLike) -> Piece:
        # columns of one dtype are joined before they are cast, all at once
        values = []
        for found, group in groupby(pieces, key=_dtype):
            value = self._concat([piece.value for piece in group])
            values.append(value if found == np.dtype(dtype) else self.graph.cast(value, dtype))
        return Piece(self._concat(values), sum(piece.width for piece in pieces), np.dtype(dtype))

    def _concat(self, values: list[str]) -> str:
        return values[0] if len(values) == 1 else self.graph.node("Concat", *values, axis=1)
