"""An ONNX graph under construction: its constants and nodes, and the columns that flow through it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from ..program import Levels

if TYPE_CHECKING:
    from ._onnx_rows import InputRows

Array = NDArray[Any]

#: The dtype in which rows are encoded, and layers computed some of whose inputs may be large; others are in NARROW.
WIDE, NARROW = np.dtype(np.float64), np.dtype(np.float32)


def tensor_type(dtype: DTypeLike) -> int:
    """Return ONNX's number of a dtype; objects are strings."""
    dtype = np.dtype(dtype)
    return int(TensorProto.STRING if dtype.kind == "O" else helper.np_dtype_to_tensor_dtype(dtype))


@dataclass(frozen=True)
class Piece:
    """Adjacent columns in one value of shape (n_rows, width).

    No cell is missing, or larger in magnitude than `bound`, unless that is infinite.
    """

    value: str
    width: int
    dtype: np.dtype[Any] = WIDE
    bound: float = np.inf


class Graph:
    """The nodes and constants of a graph, and the output of the ops so far.

    Equal nodes and constants are added only once. The output consists of categories that are still to be looked up, and
    columns of numbers. Columns have the same indices as in the Program: the categories come first, then the numbers.

    Parameters
    ----------
    unique : callable
        Maps a name to a unique name within the model.
    rows : InputRows
        The rows that the first op reads.
    """

    def __init__(self, unique: Callable[[str], str], rows: InputRows) -> None:
        self.rows = rows
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        #: The index in the row and the levels of each category.
        self.categories: list[tuple[int, Levels]] = []
        self.pieces: list[Piece] = []
        #: Whether rounding numbers to float32 would do harm, before they become bins.
        self.exact = False
        #: The dtype of the layers.
        self.real: np.dtype[Any] = WIDE
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

    def node(self, op: str, *inputs: Any, domain: str = "", output: str | None = None, **attributes: Any) -> str:
        """Add a node; return the name of its output: `output`, or a new name.

        An input is a name, or anything else that becomes an array and so a constant.
        """
        names = [one if isinstance(one, str) else self.constant(one) for one in inputs]
        key = (op, *names, domain, repr(sorted(attributes.items())))
        if output is None and key in self._made:
            return self._made[key]
        made = self._made[key] = output or self._unique(op)
        self.nodes.append(helper.make_node(op, names, [made], domain=domain, **attributes))
        return made

    def cast(self, value: Any, dtype: DTypeLike, output: str | None = None) -> str:
        """Convert a value, or a constant, to another dtype."""
        return self.node("Cast", value, to=tensor_type(dtype), output=output)

    def concat(self, values: Sequence[str]) -> str:
        """Join the columns of several values."""
        return values[0] if len(values) == 1 else self.node("Concat", *values, axis=1)

    def gather(self, value: str, columns: ArrayLike, width: int | None) -> str:
        """Return columns of a value; `width` is its number of columns, or None if unknown."""
        columns = np.asarray(columns, dtype=np.int64)
        if width is not None and columns.tolist() == list(range(width)):
            return value
        return self.node("Gather", value, columns, axis=1)

    def take(self, start: int, width: int, dtype: DTypeLike = WIDE) -> int:
        """Join `width` columns from `start` on into one piece of a dtype; return its index."""
        first, last = self._cut(start), self._cut(start + width)
        self.pieces[first:last] = [self._joined(self.pieces[first:last], dtype)]
        return first

    def whole(self, dtype: DTypeLike | None = None) -> Piece:
        """Return all numbers as one piece of a dtype, by default that of the layers."""
        self.pieces = [self._joined(self.pieces, dtype or self.real)]
        return self.pieces[0]

    def as_real(self, piece: Piece) -> Piece:
        """Return a piece in the dtype of the layers."""
        return self._joined([piece], self.real)

    def holding(self, columns: Sequence[int]) -> tuple[Piece, Array]:
        """Return a piece that holds the given columns, of float64 if it has several dtypes, and their indices in it."""
        start = len(self.categories)
        for piece in self.pieces:
            if min(columns) >= start and max(columns) < start + piece.width:
                return piece, np.asarray(columns, dtype=np.int64) - start
            start += piece.width
        return self.whole(), np.asarray(columns, dtype=np.int64) - len(self.categories)

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
        return Piece(self.node("Slice", piece.value, [start], [stop], [1]), stop - start, piece.dtype, piece.bound)

    def _joined(self, pieces: list[Piece], dtype: DTypeLike = WIDE) -> Piece:
        # columns of one dtype are joined first, so that one node casts them all
        values = []
        for found, group in groupby(pieces, key=attrgetter("dtype")):
            value = self.concat([piece.value for piece in group])
            values.append(value if found == np.dtype(dtype) else self.cast(value, dtype))
        bound = max((piece.bound for piece in pieces), default=np.inf)
        return Piece(self.concat(values), sum(piece.width for piece in pieces), np.dtype(dtype), bound)
