"""Choosing a format by the suffix of a file's name."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

#: For each suffix the module and the function that write it; imported when wanted.
_FORMATS = {
    ".c": ("._c", "to_c"),
    ".onnx": ("._onnx", "to_onnx"),
    ".py": ("._python", "to_python"),
    ".skd": ("._skd", "to_skd"),
}


def to_file(student: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted student to a file, in the format that the suffix says.

    Parameters
    ----------
    student : student, DistilledClassifier or predictor
        Fitted.
    path : path-like
        Ends in .skd (for ``skdistill.load``), .onnx, .c (beside which a .h is written) or .py.

    Raises
    ------
    ValueError
        If it ends otherwise.
    NotFittedError
        If the student is not fitted.
    TypeError
        If the student has no Program, or one that the format does not know.
    OSError
        If the file cannot be written; nothing half-written is left behind.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from skdistill import LinearStudent
    >>> from skdistill.export import to_file
    >>> student = LinearStudent().fit([[0.0], [1.0], [2.0]], ["no", "no", "yes"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("student.skd", "student.c", "student.py"):
    ...         to_file(student, pathlib.Path(folder, name))
    ...     sorted(path.name for path in pathlib.Path(folder).iterdir())
    ['student.c', 'student.h', 'student.py', 'student.skd']
    """
    suffix = Path(path).suffix
    if suffix not in _FORMATS:
        raise ValueError(f"path={os.fspath(path)!r} ends in {suffix!r}; needed is one of {', '.join(_FORMATS)}.")
    module, function = _FORMATS[suffix]
    getattr(import_module(module, __package__), function)(student, path)
