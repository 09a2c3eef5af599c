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
        The file to write. Its suffix is .skd (for ``skdistill.load``), .onnx, .c (which also writes a .h), .js or .mjs
        (which also writes a .d.ts or .d.mts), .py or .sql.
    **options : dict
        Options of the format's function. All formats take ``metadata``; :func:`to_onnx` also takes ``numbers``,
        ``missing`` and ``logits``; :func:`to_sql` requires ``dialect`` and takes ``table``.

    Raises
    ------
    ValueError
        If `path` has another suffix, or an option has an invalid value.
    NotFittedError
        If the student is not fitted.
    TypeError
        If the student has no Program, the format does not support one of its ops or one of the options, or the metadata
        hold an object that JSON cannot represent.
    ImportError
        If the format needs a package that is not installed.
    OSError
        If the file cannot be written. Writes are atomic.

    Notes
    -----
    Every file has metadata: in its header (.skd, read back as ``metadata_`` of a loaded model), as the metadata
    property ``metadata`` (.onnx, JSON), as ``METADATA`` (.py) or ``metadata`` (.js), or in a comment (.c, .sql, JSON).
    The option ``metadata`` is a dict of your own metadata: strings, numbers, booleans, None, and lists and dicts of
    these, up to 65,536 characters as JSON. It is stored under the key ``user``, beside

    - ``exported``, the date and time in UTC, or the one in the environment variable ``SOURCE_DATE_EPOCH``;
    - ``student`` and ``teacher``, the type and the parameters of each; of objects other than models only the type is
      stored, and parameters that look like passwords are left out;
    - ``report``, the ``distillation_report_`` without its candidates; for a student fitted without a distiller only
      ``n_rows``;
    - ``compression``, the ``compression_report_`` of a student that was pruned or quantized;
    - ``wrapper`` and ``threshold``, the arguments of :func:`skdistill.as_student`;
    - ``versions``, those of Python and of the packages used in the fit.

    A loaded model keeps the metadata of its file. ``metadata=False`` writes none. Predictions do not depend on
    metadata, and the fingerprint does not cover it.

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
        raise ValueError(f"path={os.fspath(path)!r} ends in {suffix!r}; expected one of {', '.join(_FORMATS)}.")
    function = _FORMATS[suffix]
    known = [one.name for one in inspect.signature(function).parameters.values() if one.kind is one.KEYWORD_ONLY]
    if unknown := [f"{option}=" for option in options if option not in known]:
        listed = ", ".join(f"{option}=" for option in known)
        has = f"its options are {listed}" if known else "it has no options"
        raise TypeError(f"The format {suffix} does not have the option {', '.join(unknown)}; {has}.")
    function(student, path, **options)
