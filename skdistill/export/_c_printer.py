"""The body of a C file under construction: constants, functions and statements, added op by op."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..program import LARGEST, Bound, Columns, Program
from ._c_columns import read_encoded, read_entry
from ._c_text import Names, array, definition, loop, string, utf8

Array = NDArray[Any]

#: The C functions that the ops of a Program call, by name, in the order in which they call each other.
FUNCTIONS = {
    re.findall(r"^(?:static \w+|#define) (\w+)", text, re.MULTILINE)[0]: text
    for text in files(__package__).joinpath("functions.c").read_text("utf-8").strip().split("\n\n")[1:]
}
#: Longer strings are written as arrays: a C99 compiler need not accept a literal of more than 4095 bytes.
_LONGEST_STRING = 2000


@dataclass
class Bins:
    """Bins that the first layer adds together with the numbers that they divide.

    Between two edges, what a column adds to the layer is linear. So the layer has a row of weights for each edge, and
    adds the rows of the two edges beside a number, weighted by its distance from the other. The row of each column's
    middle edge is subtracted from the others and added to the bias, so that it need not be added to the layer. Beyond
    the outermost edges, the column's own weights are added too.
    """

    #: The columns in ``x``.
    columns: Array
    #: The index of each column's first bin, and the number of bins.
    first: Array
    lower: Array
    width: Array
    #: Whether the layer adds the numbers apart from their bins; their weights then stay exact.
    apart: bool

    @property
    def halves(self) -> bool:
        """Whether each column has two bins."""
        return bool((np.diff(self.first) == 2).all())

    def merged(self, weight: Array, bias: Array) -> tuple[Array, Array]:
        """Return the weights, of which the last rows are those of all edges but the middle ones, and the bias.

        The bias of numbers apart is float64.
        """
        rows, shift = weight.astype(np.float64), bias.astype(np.float64)
        of_bins = rows[len(rows) - self.first[-1] :]
        upper = self.lower + self.width
        for column, first, last in zip(self.columns, self.first[:-1], self.first[1:], strict=True):
            edges = np.append(self.lower[first:last], upper[last - 1])
            at_edges = np.vstack([np.zeros(len(bias)), of_bins[first:last].cumsum(axis=0)])
            if not self.apart:
                at_edges += edges[:, None] * rows[column]
            middle = (last - first) // 2
            shift += at_edges[middle]
            of_bins[first:last] = np.delete(at_edges, middle, axis=0) - at_edges[middle]
        return rows.astype(np.float32), shift if self.apart else shift.astype(bias.dtype)


class Printer:
    """The constants, functions and statements of one Program in C.

    The statements work on local arrays: ``code`` and ``x`` hold the codes and numbers of a row, ``h`` the
    outputs of the last layer, ``v`` and ``at`` the non-zero inputs of a layer and their positions, ``bins`` the
    bin of each number, and ``come`` how far the number is from an edge of it.

    Parameters
    ----------
    program : Program
        The Program; its entry is printed at once.
    prefix : str
        The prefix of every public identifier.
    names : Names
        The identifiers of the file's scope.
    encoded : bool, default=False
        Whether a row comes as the entry returns it.
    """

    def __init__(self, program: Program, prefix: str, names: Names, *, encoded: bool = False) -> None:
        self.program = program
        self.prefix = prefix
        entry = program.ops[0]
        assert isinstance(entry, Columns | Bound)
        #: The op after the one that is printed.
        self.following = program.ops[-1]
        #: The bytes of constants.
        self.rom = 0
        self.definitions: list[str] = []
        self.statements = [f"/* {type(entry).__name__} */"]
        #: The statements that make every field of a row missing.
        self.missing: list[str] = []
        self._constants = Names()
        #: The statement that copies the numbers of a row, and what it copies.
        self._copied = "", ""
        self.n_codes = len(entry.sizes) if isinstance(entry, Columns) else 0
        self.row = (read_encoded if encoded else read_entry)(self, entry, prefix, names)
        n_read = len(entry.sources) if isinstance(entry, Columns) else entry.n_columns
        #: The largest magnitude of each number in ``x``.
        self.bounds = np.full(n_read - self.n_codes, LARGEST)
        #: The type of a layer's arithmetic.
        self.real = "float"
        self.n_layers = 0
        #: Whether a layer is wide enough for AVX-512.
        self.is_wide = False
        #: The number of outputs of the last layer.
        self.width = 0
        #: The lengths of ``h``, and of ``v`` and ``at``.
        self.n_hidden = 0
        self.n_listed = 0
        #: The length of ``come`` and ``bins``.
        self.n_searched = 0
        #: The condition on inputs that the next layer lists.
        self.listed = "!= 0"
        #: The bins that the first layer adds.
        self.bins: Bins | None = None

    def emit(self, *lines: str) -> None:
        """Add statements."""
        self.statements += lines

    def copy(self, source: str, n: int) -> None:
        """Copy `n` numbers into ``x``; `source` is the expression of number ``i``."""
        self._copied = loop("i", n, f"x[i] = {source};"), source
        self.emit(self._copied[0])

    def read(self, first: int, n: int) -> str:
        """Return the expression of number ``i`` of `n`, from ``x[first]`` on, for an op that sets all of them.

        If this op is the first one and sets all of ``x``, it reads what would be copied there.
        """
        statement, source = self._copied
        if self.statements[-3:-2] == [statement] and n == len(self.bounds):
            del self.statements[-3]
            return source
        return f"x[i + {first}]" if first else "x[i]"

    def constant(self, name: str, values: Array, attribute: str = "") -> str:
        """Define a constant array, with an attribute after its name; return its name."""
        name = self._constants(name)
        self.definitions.append(array(name, values, attribute))
        self.rom += values.nbytes
        return name

    def text(self, text: str) -> str:
        """Return a string literal, or the name of an array where a text is too long for a literal."""
        codes = utf8(text)
        self.rom += len(codes) + 1
        if len(codes) <= _LONGEST_STRING:
            return string(text)
        name = f"long_text_{len(self.definitions)}"
        self.definitions.append(definition("char", name, (f"'\\{code:03o}'" for code in (*codes, 0))))
        return name

    def encode(self, first: int, n: int, expression: str) -> None:
        """Set `n` numbers of ``x`` from `first` on; in the expression, ``X`` is the number and ``i`` its index."""
        x = f"x[i + {first}]" if first else "x[i]"
        self.emit(loop("i", n, f"{x} = {expression.replace('X', x)};"))

    def append(self, n: int, bound: float) -> int:
        """Extend ``x`` by `n` numbers of magnitude `bound` at most; return the index of the first."""
        first = len(self.bounds)
        self.bounds = np.append(self.bounds, np.full(n, bound))
        return first
