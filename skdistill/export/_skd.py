"""Saving: writes a student to a .skd file, which skdistill.load reads with numpy alone."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from .._version import __version__
from ..program import dumps, program_of
from ._files import classes_of, write_files


def to_skd(student: Any, path: str | os.PathLike[str]) -> None:
    """Save a fitted student for :func:`skdistill.load`.

    The file holds the Program, the class labels of a classifier, and the versions of the packages that
    wrote it. It holds no teacher, no training rows, and nothing that loading would execute.

    Parameters
    ----------
    student : student, distiller or predictor
        The fitted student.
    path : path-like
        The file to write.

    Raises
    ------
    NotFittedError
        If the student is not fitted.
    TypeError
        If the student has no Program, or class labels that are neither strings, numbers nor booleans.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from skdistill import LinearStudent, load
    >>> from skdistill.export import to_skd
    >>> student = LinearStudent().fit([[0.0], [1.0], [2.0]], ["no", "no", "yes"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "student.skd")
    ...     to_skd(student, path)
    ...     load(path).predict([[0.5]]).tolist()
    ['no']
    """
    content = dumps(program_of(student), classes_of(student), _versions())
    write_files({path: content})


def _versions() -> dict[str, str]:
    found = {"skdistill": __version__, "python": platform.python_version()}
    for name in ("numpy", "scikit-learn", "torch"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
