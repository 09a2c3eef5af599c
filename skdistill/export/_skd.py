"""Saving: writes a student to a .skd file, which skdistill.load reads with numpy alone."""

from __future__ import annotations

import os
from typing import Any

from ..program import dumps, program_of, versions
from ._files import classes_of, write_files
from ._metadata import metadata_of


def to_skd(student: Any, path: str | os.PathLike[str], *, metadata: dict[str, Any] | bool | None = None) -> None:
    """Save a fitted student for :func:`skdistill.load`.

    The file holds the Program, the class labels of a classifier, the versions of the packages that
    wrote it, and metadata. It holds no teacher, no training rows, and nothing that loading would execute.

    Parameters
    ----------
    student : student, distiller or predictor
        The fitted student.
    path : path-like
        The file to write.
    metadata : dict or False, default=None
        Metadata to store in the file beside the metadata of the fit; see :func:`to_file`. False stores none.

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
    program = program_of(student)
    write_files({path: dumps(program, classes_of(student), versions(), metadata_of(student, metadata))})
