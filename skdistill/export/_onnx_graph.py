"""An ONNX graph under construction: its constants and nodes, and the columns that flow through it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from ._onnx_rows import InputRows

Array = NDArray[Any]


def tensor_type(dtype: DTypeLike) -> int:
    """Return ONNX's number of a dtype; objects are strings."""
    dtype = np.dtype(dtype)
    return int(TensorProto.STRING if dtype.kind == "O" else helper.np_dtype_to_tensor_dtype(dtype))


class Graph:
    """The nodes and constants of a graph; equal nodes and constants are added only once.

    Parameters
    ----------
    unique : callable
        Maps a name to a unique name within the model.
    """

    def __init__(self, unique: Callable[[str], str]) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._unique = unique
        self._made: dict[Any, str] = {}

    def constant(self, array: Any) -> str:
        """Add an array, stored in its own dtype; return its name."""
        array = np.asarray(array, order="C")
        key = (array.dtype.str, array.shape, array.tobytes() if array.dtype != object else tuple(array.tolist()))
        if key not in self._made:
            self._made[key] = self._unique("constant")
            self.constants.append(numpy_helper.from_array(array, self._made[key]))
        return self._made[key]

    def node(self, op: str, *inputs: str, domain: str = "", output: str | None = None, **attributes: Any) -> str:
        """Add a node; return the name of its output: `output`, or a new name."""
        key = (op, inputs, domain, repr(sorted(attributes.items())))
        if output is None and key in self._made:
            return self._made[key]
        made = output or self._unique(op)
        self._made[key] = made
        self.nodes.append(helper.make_node(op, inputs, [made], domain=domain, **attributes))
        return made

    def cast(self, value: str, dtype: DTypeLike) -> str:
        """Convert a value to another dtype."""
        return self.node("Cast", value, to=tensor_type(dtype))


@dataclass(frozen=True)
class Piece:
    """Adjacent columns in one value of shape (n_rows, width)."""

    value: str
    width: int
    dtype: np.dtype[Any]


@dataclass
class Flow:
    """The output of the ops so far: categories that are still to be looked up, and columns of numbers.

    Columns have the same indices as in the Program: the categories come first, then the numbers.
    """

    graph: Graph
    rows: InputRows
    #: For each category, a function ``offset -> offset + code``; the result is int64 of shape (n_rows, 1).
    categories: list[Callable[[int], str]] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)

    @property
    def stop(self) -> int:
        """The number of columns."""
        return len(self.categories) + sum(piece.width for piece in self.pieces)

    def append(self, value: str, width: int, dtype: DTypeLike) -> None:
        """Append columns."""
        self.pieces.append(Piece(value, width, np.dtype(dtype)))

    def take(self, start: int, stop: int, dtype: DTypeLike) -> int:
        """Join the columns from `start` to `stop` into one piece of a dtype; return its index."""
        first, last = self._cut(start), self._cut(stop)
        self.pieces[first:last] = [self._joined(self.pieces[first:last], dtype)]
        return first

    def whole(self, dtype: DTypeLike) -> str:
        """Return all numbers as one value of a dtype."""
        self.pieces = [self._joined(self.pieces, dtype)]
        return self.pieces[0].value

    def holding(self, columns: Sequence[int], dtype: DTypeLike) -> tuple[str, Array]:
        """Return a value of a dtype that holds the given columns, and their indices in it."""
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
        """Return the index of the piece that begins with a column; a piece is split if necessary."""
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
        # columns of one dtype are joined first, so that one node casts them all
        values = []
        for found, group in groupby(pieces, key=attrgetter("dtype")):
            value = self._concat([piece.value for piece in group])
            values.append(value if found == np.dtype(dtype) else self.graph.cast(value, dtype))
        return Piece(self._concat(values), sum(piece.width for piece in pieces), np.dtype(dtype))

    def _concat(self, values: list[str]) -> str:
        return values[0] if len(values) == 1 else self.graph.node("Concat", *values, axis=1)
