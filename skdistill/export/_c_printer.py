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
    """Bins whose layer adds cumulative weights: what is listed of column `c`, and the first bin of each column."""

    column: str
    first: Array

    def summed(self, weight: Array) -> Array:
        """Return the weights of a layer whose last inputs are the bins, those of each column summed up to each bin."""
        found = weight.astype(np.float64)
        for part in np.split(found[len(weight) - self.first[-1] :], self.first[1:-1]):
            part[:] = part.cumsum(axis=0)
        return found.astype(np.float32)


class Printer:
    """The constants, functions and statements of one Program in C.

    The statements work on local arrays: ``code`` and ``x`` hold the codes and numbers of a row, ``h`` the
    outputs of the last layer, and ``v`` and ``at`` the non-zero inputs of a layer and their positions.

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
        entry = program.ops[0]
        assert isinstance(entry, Columns | Bound)
        #: The bytes of constants.
        self.rom = 0
        self.definitions: list[str] = []
        self.statements = [f"/* {type(entry).__name__} */"]
        #: The statements that make every field of a row missing.
        self.missing: list[str] = []
        self._constants = Names()
        self.n_codes = len(entry.sizes) if isinstance(entry, Columns) else 0
        self.row = (read_encoded if encoded else read_entry)(self, entry, prefix, names)
        n_read = len(entry.sources) if isinstance(entry, Columns) else entry.n_columns
        #: The largest magnitude of each number in ``x``.
        self.bounds = np.full(n_read - self.n_codes, LARGEST)
        #: The type of a layer's arithmetic.
        self.real = "float"
        self.n_layers = 0
        #: The number of outputs of the last layer.
        self.width = 0
        #: The lengths of ``h``, and of ``v`` and ``at``.
        self.n_hidden = 0
        self.n_listed = 0
        #: The bins that the first layer adds as cumulative weights.
        self.bins: Bins | None = None

    def emit(self, *lines: str) -> None:
        """Add statements."""
        self.statements += lines

    def constant(self, name: str, values: Array) -> str:
        """Define a constant array; return its name."""
        name = self._constants(name)
        self.definitions.append(array(name, values))
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
