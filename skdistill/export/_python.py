"""The Python export: writes a Program, weights included, as one readable file that needs only numpy."""

from __future__ import annotations

import ast
import base64
import inspect
import keyword
import os
import re
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._version import __version__
from ..program import (
    LARGEST,
    Affine,
    Bound,
    Columns,
    DateParts,
    Indicate,
    LookupAffine,
    Op,
    Piecewise,
    Program,
    Quantiles,
    Relu,
    Silu,
    Softmax,
    Standardize,
    Tanh,
    Tree,
    Unstandardize,
    _ops,
    _table,
    program_of,
)
from ._files import check_ops, classes_of, write_files
from ._python_functions import FUNCTIONS, READ_ARRAY, READ_SPARSE, READ_TABLE, SOFTMAX

Array = NDArray[Any]

_WIDTH = 100
#: The functions that read cells are copied unchanged, so that the file reads cells as the Program does.
_COPIED: tuple[Any, ...] = (
    _table.is_missing,
    _table.as_key,
    _table.as_number,
    _table.as_seconds,
    _table._of_delta,
    _table._of_ticks,
    _table.numbers,
    _table.seconds,
    _table._Levels,
    _table.is_frame,
    _table.column_names,
    _table._mismatch,
)

_READERS = {"number": "numbers", "datetime": "seconds"}


def to_python(student: Any, path: str | os.PathLike[str]) -> None:
    """Write a student as one Python file that needs only Python 3.10 and numpy.

    The file holds the weights and computes the same predictions as the student, in float64. It
    defines ``CLASSES``, ``COLUMNS`` (the names, or None), ``predict_proba(rows)``, ``predict(rows)``
    and ``logits(rows)``; the file of a regressor defines only ``COLUMNS`` and ``predict(rows)``. Rows
    are an array, a frame (pandas, polars, pyarrow), a dict from column to cell, or a list of dicts.

    Parameters
    ----------
    student : student, distiller or predictor
        The fitted student.
    path : str or path-like
        The file to write; its name ends in ".py".

    Raises
    ------
    NotFittedError
        If the student is not fitted.
    TypeError
        If the student has no Program, its Program has an op without a printer, or a class label has
        no literal in Python.
    ValueError
        If `path` does not end in ".py".
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import runpy, tempfile, pathlib
    >>> from skdistill import LinearStudent
    >>> from skdistill.export import to_python
    >>> student = LinearStudent().fit([[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     to_python(student, pathlib.Path(folder, "tiny.py"))
    ...     tiny = runpy.run_path(str(pathlib.Path(folder, "tiny.py")))
    >>> tiny["predict"]([[0.0], [3.0]]).tolist()
    ['no', 'yes']
    """
    program = program_of(student)
    path = Path(path)
    if path.suffix != ".py":
        raise ValueError(f"path must be a name that ends in '.py'; got {str(path)!r}.")
    check_ops(program, {Columns, Bound, Softmax, Unstandardize, *_PRINTERS}, "Python")
    text = _Printer(program, classes_of(student)).print(path.stem)
    write_files({path: text.encode("utf-8")})


class _Printer:
    """Prints one Program; each op adds its constants and one line of code."""

    def __init__(self, program: Program, classes: Array | None) -> None:
        self.program = program
        self.classes = None if classes is None else _classes(classes)
        self.constants: dict[str, str] = {}
        self.lines: list[str] = []
        self.n_layers = 0
        entry = program.ops[0]
        assert isinstance(entry, Columns | Bound)
        self.entry = entry

    def print(self, stem: str) -> str:
        """Return the text of the file."""
        for op in self.program.ops[1:-1]:
            self.lines.append(_PRINTERS[type(op)](self, op))
        body = "\n".join(f"    {line}" for line in self.lines)
        called = [FUNCTIONS[name] for name in FUNCTIONS if re.search(rf"\b{name}\(", body)]
        if "with_date_parts(" in body:
            called.append(inspect.getsource(_ops.date_part))
        functions = [
            self._predicting(),
            _ENCODED.format(body=body),
            *called,
            *([] if self.classes is None else [SOFTMAX[0 if len(self.classes[1]) == 2 else 1]]),
            *self._reading(),
        ]
        names = None if isinstance(self.entry, Bound) or self.entry.names is None else list(self.entry.names)
        labels = (
            []
            if self.classes is None
            else [f"CLASSES = np.array({_listed(map(_key, self.classes[1]))}, dtype={self.classes[0]})"]
        )
        head = [
            *labels,
            "#: The names of the columns; None if they have no names.",
            f"COLUMNS = {'None' if names is None else _listed(map(_key, names))}",
            f"N_COLUMNS = {self.entry.n_columns}",
            "#: Numbers are clipped to this magnitude.",
            f"LARGEST = {LARGEST!r}",
        ]
        constants = [f"{name} = {value}" for name, value in self.constants.items()]
        module = stem if stem.isidentifier() and not keyword.iskeyword(stem) else "student"
        title = _TITLE.format(
            version=__version__,
            fingerprint=self.program.fingerprint(),
            module=module,
            method="predict" if self.classes is None else "predict_proba",
        )
        parts = [title, "\n".join(head) + "\n", *functions, _ARRAY, "\n".join(constants) + "\n"]
        return "\n\n".join(part for part in parts if part.strip())

    def _predicting(self) -> str:
        """Return the public functions, and define the constants that they need."""
        last = self.program.ops[-1]
        if isinstance(last, Unstandardize):
            self.constant("OUTPUT_CENTER", last.center)
            self.constant("OUTPUT_SCALE", last.scale)
            shape, taken = ("(n_rows, n_outputs)", "") if len(last.center) > 1 else ("(n_rows,)", "[:, 0]")
            return _PREDICT_REGRESSION.format(shape=shape, taken=taken)
        assert self.classes is not None
        binary = len(self.classes[1]) == 2
        best = "(x[:, 0] > 0).astype(np.intp)" if binary else "x.argmax(axis=1)"
        return _PREDICT.format(best=best, n_logits="1" if binary else "n_classes")

    def constant(self, name: str, values: Array) -> str:
        """Define an array; return its name."""
        small = values.dtype in (np.float32, np.float16, np.int8)
        if small or values.size > 4000:
            kind = values.dtype.newbyteorder("<").str
            text = base64.b64encode(values.astype(kind).tobytes()).decode()
            packed = "\n".join(wrap(text, _WIDTH)) if text else ""
            dtype = "" if small or kind == "<f8" else f", {kind!r}"
            found = f'array({kind!r}, {values.shape}, """\n{packed}\n"""{dtype})'
        else:
            cells = [[repr(cell) for cell in row] for row in np.atleast_2d(values).tolist()]
            rows = [_listed(row) for row in cells]
            found = f"np.array({rows[0] if values.ndim == 1 else _listed(rows)})"
            if values.size == 0:
                found = f"np.zeros({values.shape}, dtype=np.{values.dtype.name})"
        self.constants[name] = found
        return name

    def weight(self, name: str, values: Array, scale: Array | None) -> str:
        """Define weights in float64, multiplied by their scale; return their name."""
        self.constant(name, values)
        if scale is not None:
            self.constant(f"{name}_SCALE", scale)
            # the scale must be defined before the weights that it multiplies
            self.constants[name] = f"{self.constants.pop(name)} * {name}_SCALE"
        return name

    def _reading(self) -> list[str]:
        if isinstance(self.entry, Bound):
            return [READ_SPARSE]
        levels, sizes = iter(self.entry.levels), iter(self.entry.sizes)
        read = []
        for source, kind in zip(self.entry.sources, self.entry.kinds, strict=True):
            if kind in ("number", "datetime"):
                read.append(f"({source}, {kind!r})")
                continue
            size = next(sizes) if kind == "category" else None
            other, missing = ("np.nan", "np.nan") if size is None else (size - 2, size - 1)
            pairs = [f"{_key(key)}: {code}" for key, code in next(levels).items()]
            read.append(f"({source}, {kind!r}, {_listed(pairs, '{}', _WIDTH - 30)}, {other}, {missing})")
        kinds = set(self.entry.kinds)
        readers = [f'"{kind}": {name}' for kind, name in _READERS.items() if kind in kinds]
        constants = [
            "#: The columns to read: index and kind; for levels also their codes, and those of others and of missing.",
            "READ = [\n" + "".join(f"    {one},\n" for one in read) + "]",
            f"READERS = {_listed(readers, '{}')}",
        ]
        if "datetime" in kinds:
            constants += [
                "_EPOCH = datetime.datetime(1970, 1, 1)",
                "_EPOCH_UTC = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)",
            ]
        reader = "READERS[kind](cells)"
        if kinds & {"category", "rank"}:
            reader = f"_Levels(*levels).many(cells.tolist()) if levels else {reader}"
        fast = f"    {READ_ARRAY}" if kinds <= {"number"} else ""
        text = READ_TABLE.replace("    FAST\n", fast).replace("READER\n", f"{reader}\n")
        return [text, *_copied_sources(text + constants[-1] + " ".join(readers)), "\n".join(constants) + "\n"]


_TITLE = '''\
"""A fitted student, exported by skdistill {version}; it needs only numpy.

    import {module}
    {module}.{method}(rows)

Rows are an array, a frame (pandas, polars, pyarrow), a dict from column to cell, or a list of dicts.
Fingerprint of its Program: {fingerprint}
"""

from __future__ import annotations

import base64
import datetime
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray
'''

_PREDICT = '''\
def predict_proba(rows):
    """Return the probability of each class, shape (n_rows, n_classes)."""
    return softmax(logits(rows))


def predict(rows):
    """Return the most probable class, shape (n_rows,)."""
    x = logits(rows)
    return CLASSES[{best}]


def logits(rows):
    """Return the logits, shape (n_rows, {n_logits})."""
    x = read(rows)
    # in blocks small enough for the processor's cache
    return np.concatenate([encoded_logits(x[at : at + 1024]) for at in range(0, max(len(x), 1), 1024)])
'''

_PREDICT_REGRESSION = '''\
def predict(rows):
    """Return the predictions, shape {shape}."""
    x = read(rows)
    # in blocks small enough for the processor's cache
    x = np.concatenate([encoded_logits(x[at : at + 1024]) for at in range(0, max(len(x), 1), 1024)])
    return (x * OUTPUT_SCALE + OUTPUT_CENTER){taken}
'''


_ENCODED = '''\
def encoded_logits(x):
    """Return the logits, or a regressor's standardised predictions, of a block of rows from `read`."""
{body}
    return x
'''

_ARRAY = '''\
def array(kind, shape, text, dtype=np.float64):
    """Decode an array from base64."""
    return np.frombuffer(base64.b64decode(text), dtype=kind).reshape(shape).astype(dtype)
'''


def _copied_sources(text: str) -> list[str]:
    """Return the sources of the copied functions that a text calls, directly or indirectly."""
    sources = {one.__name__: inspect.getsource(one) for one in _COPIED}
    needed: set[str] = set()
    while more := {name for name in sources if re.search(rf"\b{name}\b", text)} - needed:
        needed |= more
        text = "\n".join(sources[name] for name in more)
    return [sources[name] for name in sources if name in needed]


def _classes(classes: Array) -> tuple[str, list[Any]]:
    """Return a dtype and the class labels; raise TypeError if a label has no literal in Python."""
    cells = classes.tolist()
    for cell in cells:
        try:
            found = ast.literal_eval(repr(cell))
        except (SyntaxError, ValueError):
            found = None
        if found != cell or type(found) is not type(cell):
            raise TypeError(f"Class {cell!r} is a {type(cell).__name__}, which has no literal in Python.")
    return repr(classes.dtype.str) if classes.dtype.kind in "biufU" else "object", cells


def _key(key: Any) -> str:
    if isinstance(key, float) and not np.isfinite(key):
        return f'float("{key}")'
    # an editor may normalise characters that Unicode treats as equivalent
    return repr(key) if not isinstance(key, str) or unicodedata.is_normalized("NFC", key) else ascii(key)


def _listed(cells: Iterable[str], brackets: str = "[]", width: int = _WIDTH) -> str:
    """Return a list or a dict, on several lines if it is long."""
    cells = list(cells)
    short = ", ".join(cells)
    if len(short) <= width and "\n" not in short:
        return f"{brackets[0]}{short}{brackets[1]}"
    lines = ["   "]
    for cell in cells:
        if len(lines[-1]) + len(cell) + 2 > _WIDTH and lines[-1].strip():
            lines.append("   ")
        lines[-1] += f" {cell},"
    return "\n".join([brackets[0], *lines, brackets[1]])


def _date_parts(to: _Printer, op: DateParts) -> str:
    return f"x = with_date_parts(x, {list(op.columns)}, {list(op.parts)})"


def _indicate(to: _Printer, op: Indicate) -> str:
    return f"x = with_gaps(x, {op.columns.tolist()})"


def _standardize(to: _Printer, op: Standardize) -> str:
    constants = [to.constant(name.upper(), getattr(op, name)) for name in ("mean", "scale", "fill")]
    return f"x = standardized(x, {op.start}, {', '.join(constants)}, {float(op.limit)!r})"


def _quantiles(to: _Printer, op: Quantiles) -> str:
    constants = [to.constant(name.upper(), getattr(op, name)) for name in ("knots", "scores", "fill")]
    return f"x = interpolated(x, {op.start}, {', '.join(constants)})"


def _piecewise(to: _Printer, op: Piecewise) -> str:
    constants = [to.constant(f"BIN_{name.upper()}", getattr(op, name)) for name in ("columns", "lower", "width")]
    return f"x = with_bins(x, {', '.join(constants)})"


def _affine(to: _Printer, op: Affine | LookupAffine) -> str:
    to.n_layers += 1
    layer = to.n_layers
    weight = to.weight(f"WEIGHT_{layer}", op.weight, op.scale)
    bias = to.constant(f"BIAS_{layer}", op.bias)
    if isinstance(op, Affine):
        return f"x = x @ {weight} + {bias}"
    tables = to.weight(f"TABLES_{layer}", op.tables, op.tables_scale)
    offsets = to.constant(f"OFFSETS_{layer}", op.offsets)
    return f"x = x[:, {len(op.offsets)}:] @ {weight} + {bias} + looked_up(x, {offsets}, {tables})"


def _tree(to: _Printer, op: Tree) -> str:
    names = ("offsets", "ranks", "columns", "thresholds", "missing_left", "left", "right")
    constants = [to.constant(f"TREE_{name.upper()}", getattr(op, name)) for name in names]
    return f"x = leaf_values(x, {', '.join(constants)}, {to.weight('TREE_VALUES', op.values, op.values_scale)})"


_PRINTERS: dict[type[Op], Callable[[_Printer, Any], str]] = {
    DateParts: _date_parts,
    Indicate: _indicate,
    Standardize: _standardize,
    Quantiles: _quantiles,
    Piecewise: _piecewise,
    LookupAffine: _affine,
    Affine: _affine,
    Relu: lambda to, op: "x = np.maximum(x, 0.0)",
    Tanh: lambda to, op: "x = np.tanh(x)",
    Silu: lambda to, op: "x = silu(x)",
    Tree: _tree,
}
