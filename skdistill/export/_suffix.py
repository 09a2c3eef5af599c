"""to_file: chooses the format by the suffix of the file's name."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ._c import to_c
from ._javascript import to_javascript
from ._onnx import to_onnx
from ._python import to_python
from ._skd import to_skd
from ._sql import to_sql

#: The function that writes the files of each suffix.
_FORMATS: dict[str, Callable[..., Any]] = {
    ".c": to_c,
    ".js": to_javascript,
    ".mjs": to_javascript,
    ".onnx": to_onnx,
    ".py": to_python,
    ".skd": to_skd,
    ".sql": to_sql,
}


def to_file(student: Any, path: str | os.PathLike[str], **options: Any) -> None:
    """Write a fitted student to a file in the format of the path's suffix.

    Parameters
    ----------
    student : student, distiller or predictor
        The fitted student.
    path : path-like
        Ends in .skd (for ``skdistill.load``), .onnx, .c (a .h is written beside it), .js or .mjs (a .d.ts or .d.mts is
        written beside it), .py or .sql.
    **options : dict
        The options of the format's function. Every format has ``metadata``; :func:`to_onnx` also ``numbers``,
        ``missing`` and ``logits``, and :func:`to_sql` ``dialect``, which it needs, and ``table``.

    Raises
    ------
    ValueError
        If `path` has another suffix, or an option another value.
    NotFittedError
        If the student is not fitted.
    TypeError
        If the student has no Program, the format has no printer for an op of it, or the format does
        not have one of the options; or if the metadata hold something that JSON does not.
    ImportError
        If the format needs a package that is not installed.
    OSError
        If the file cannot be written. No partly written file is left.

    Notes
    -----
    Every file says where it comes from: in its header (.skd, read back as ``metadata_`` of a loaded model), as the
    metadata property ``metadata`` (.onnx, JSON), as ``METADATA`` (.py) or ``metadata`` (.js), or in a comment
    (.c, .sql, JSON). The option ``metadata`` is a dict of the user's own: texts, numbers, booleans, None, and lists
    and dicts of these, of up to 65,536 characters as JSON. The file has it under ``user``, beside

    - ``exported``, the date and time in UTC, or that of the environment variable ``SOURCE_DATE_EPOCH``;
    - ``student`` and ``teacher``, the type of each and its parameters, where objects that are no models are given by
      the names of their types, and texts such as passwords are not given;
    - ``report``, the ``distillation_report_`` without its candidates; of a student fitted by itself ``n_rows`` alone;
    - ``compression``, the ``compression_report_`` of a student that was pruned or quantized;
    - ``wrapper`` and ``threshold``, what :func:`skdistill.as_student` was given;
    - ``versions``, those of Python and of the packages that took part in the fit.

    What the file of a loaded model says is kept. ``metadata=False`` writes no metadata at all. No answer depends on
    them, and no fingerprint covers them.

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
    function = _FORMATS[suffix]
    known = [one.name for one in inspect.signature(function).parameters.values() if one.kind is one.KEYWORD_ONLY]
    if unknown := [f"{option}=" for option in options if option not in known]:
        listed = ", ".join(f"{option}=" for option in known)
        has = f"its options are {listed}" if known else "it has no options"
        raise TypeError(f"The format {suffix} does not have the option {', '.join(unknown)}; {has}.")
    function(student, path, **options)
