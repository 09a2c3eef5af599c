"""The Python export: writes a Program, weights included, as one readable file that needs only numpy."""

from __future__ import annotations

import ast
import base64
import inspect
import keyword
import os
import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path
from pprint import pformat
from string import Template
from textwrap import indent, wrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._version import __version__
from ..program import Op, Program, _cells, _ops, _program, _table, _text_cells, _tree, program_of
from ._files import check_ops, classes_of, in_lines, used, write_files
from ._metadata import metadata_of

Array = NDArray[Any]

_WIDTH = 100


def to_python(student: Any, path: str | os.PathLike[str], *, metadata: dict[str, Any] | bool | None = None) -> None:
    """Write a student as one Python file that needs only Python 3.11 and numpy.

    The file holds the weights and computes the same predictions as the student, in float64. It
    defines ``CLASSES``, ``COLUMNS`` (the names, or None), ``METADATA``, ``predict_proba(rows)``,
    ``predict(rows)`` and ``logits(rows)``; the file of a regressor has neither ``CLASSES`` nor the first
    and the last of these functions. Rows are an array, a frame (pandas, polars, pyarrow), a dict from
    column to cell, or a list of dicts.

    Parameters
    ----------
    student : student, distiller or predictor
        The fitted student.
    path : str or path-like
        The file to write; its name ends in ".py".
    metadata : dict or False, default=None
        Metadata to store in the file beside the metadata of the fit; see :func:`to_file`. False stores none.

    Raises
    ------
    NotFittedError
        If the student is not fitted.
    TypeError
        If the student has no Program, Python does not support one of its ops, or a class label has no Python literal.
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
    check_ops(program, _program.OPS.values(), "Python")
    text = _text(program, classes_of(student), path.stem, metadata_of(student, metadata))
    write_files({path: text.encode("utf-8")})


def _text(program: Program, classes: Array | None, stem: str, metadata: dict[str, Any]) -> str:
    """Return the text of the file: the answers' functions, the code of the Program's ops, and the ops themselves."""
    names = getattr(program.ops[0], "names", None)
    if classes is None:
        made, one = "", program.n_outputs == 1
        answers = _REGRESSOR.format(shape="(n_rows,)" if one else "(n_rows, n_outputs)", taken="[:, 0]" if one else "")
    else:
        dtype, labels = _classes(classes)
        made = f"CLASSES = np.array({_listed(map(_literal, labels))}, dtype={dtype})\n"
        decided = getattr(program.ops[-1], "cut", None) is not None
        answers = _CLASSIFIER.format(
            n_logits="1" if len(labels) == 2 else "n_classes",
            **(_SEVERAL if isinstance(program.ops[-1], _ops.Sigmoid) else _ONE),
            predicted="class that the threshold decides on" if decided else "most probable class",
        )
    ops = "OPS = [\n" + "".join(indent(f"{_op(op)},\n", "    ") for op in program.ops) + "]"
    return Template(files(__package__).joinpath("student.template").read_text("utf-8")).substitute(
        version=__version__,
        module=stem if stem.isidentifier() and not keyword.iskeyword(stem) else "student",
        method="predict" if classes is None else "predict_proba",
        fingerprint=program.fingerprint(classes),
        classes=made,
        metadata=pformat(metadata, width=_WIDTH, sort_dicts=False),
        columns="None" if names is None else _listed(map(_literal, names)),
        largest=_ops.LARGEST,
        block=_program._BLOCK,
        few_rows=_table._FEW_ROWS,
        many_rows=_table._MANY_ROWS,
        loop_rows=_tree._LOOP_ROWS,
        answers=answers.rstrip(),
        sources="\n\n".join(_sources(answers + ops)).rstrip(),
        ops=ops,
    )


_ONE = {"shape": "(n_rows,)", "chosen": "CLASSES[OPS[-1].chosen(logits(rows))]"}
_SEVERAL = {"shape": "(n_rows, n_labels)", "chosen": "OPS[-1].chosen(logits(rows))"}
_CLASSIFIER = '''\
def predict_proba(rows):
    """Return the probability of each class, shape (n_rows, n_classes)."""
    return OPS[-1](logits(rows))


def predict(rows):
    """Return the {predicted}, shape {shape}."""
    return {chosen}


def logits(rows):
    """Return the logits, shape (n_rows, {n_logits})."""
    return _run_blocks(OPS[0](rows), OPS[1:-1])
'''

_REGRESSOR = '''\
def predict(rows):
    """Return the predictions, shape {shape}."""
    return _run_blocks(OPS[0](rows), OPS[1:]){taken}
'''

#: The functions that the file has in place of the package's own, which need narwhals.
_FRAMES = '''\
def _has_narwhals():
    """Whether a frame can be read by column; here that needs no package."""
    return True


def column_reader(X):
    """Return a function from a column's index to the column, of an array or a frame, as an array."""
    if hasattr(X, "iloc"):
        return lambda index: np.asarray(X.iloc[:, index])
    if hasattr(X, "column_names"):
        # numpy takes the null of a dictionary for its last level
        def read(index):
            column = X.column(index)
            return np.array(column.to_pylist()) if str(column.type).startswith("dictionary") else np.asarray(column)

        return read
    return lambda index: np.asarray(X[:, index])
'''


@cache
def _own_sources() -> dict[str, str]:
    """Return the sources of the package's functions and ops by name."""
    sources = {
        name: re.sub(r"^@dataclass.*\n", "", inspect.getsource(one))
        for module in (_program, _table, _cells, _text_cells, _ops, _tree)
        for name, one in vars(module).items()
        if getattr(one, "__module__", None) == module.__name__ and inspect.isroutine(one) | inspect.isclass(one)
    }
    sources |= {"column_reader": _FRAMES}
    for name in ("Op", "Program", "_has_narwhals"):
        del sources[name]
    return sources


def _sources(text: str) -> list[str]:
    """Return the sources of the functions and ops that a text uses, directly or indirectly, copied from the package."""
    sources = _own_sources()
    needed = used(text, sources, _names)
    return [source for name, source in sources.items() if name in needed]


def _names(text: str) -> set[str]:
    return {one.id for one in ast.walk(ast.parse(text)) if isinstance(one, ast.Name)}


def _op(op: Op) -> str:
    """Return the call that makes an op."""
    fields = (f"{name}={'COLUMNS' if name == 'names' else _literal(value)},\n" for name, value in op.state().items())
    text = indent("".join(fields), "    ")
    return f"{type(op).__name__}(\n{text})" if text else f"{type(op).__name__}()"


def _literal(value: Any) -> str:
    """Return the Python expression of a field of an op, or of a level."""
    if isinstance(value, np.ndarray):
        if value.dtype in (np.float32, np.float16, np.int8) or value.size > 4000 or not value.size:
            kind = value.dtype.newbyteorder("<").str
            packed = "\n".join(wrap(base64.b64encode(value.astype(kind).tobytes()).decode(), _WIDTH))
            return f'array({kind!r}, {value.shape}, """\n{packed}\n""")'
        return f"np.array({_literal(value.tolist())})"
    if isinstance(value, dict):
        return _listed((f"{_literal(key)}: {_literal(one)}" for key, one in value.items()), "{}")
    if isinstance(value, list):
        return _listed(map(_literal, value))
    if isinstance(value, tuple):
        return f"({_literal(value[0])},)" if len(value) == 1 else _listed(map(_literal, value), "()")
    if isinstance(value, float) and not np.isfinite(value):
        return f'float("{value}")'
    # an editor may normalise characters that Unicode treats as equivalent
    return repr(value) if not isinstance(value, str) or unicodedata.is_normalized("NFC", value) else ascii(value)


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


def _listed(cells: Iterable[str], brackets: str = "[]") -> str:
    """Return a list, a dict or a tuple, on several lines if it is long."""
    cells = list(cells)
    short = ", ".join(cells)
    if len(short) <= _WIDTH and "\n" not in short:
        return f"{brackets[0]}{short}{brackets[1]}"
    return f"{brackets[0]}\n{in_lines(cells, _WIDTH)}\n{brackets[1]}"
