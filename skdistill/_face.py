"""What every fitted model of ours shows: it says what rows it takes, and writes itself to a file."""

from __future__ import annotations

import os
from typing import Any

from .program import Program


class Exportable:
    """A fitted model that is a Program, or has a student that is one."""

    def export(self, path: str | os.PathLike[str], **options: Any) -> None:
        """Write the fitted student to a file in the format of the path's suffix.

        Parameters
        ----------
        path : path-like
            Ends in .skd (for ``skdistill.load``), .onnx, .c (a .h is written beside it) or .py.
        **options : dict
            The options of the format. .onnx has ``numbers``, ``missing`` and ``logits``, which
            :func:`skdistill.export.to_onnx` documents; the other formats have none.

        Raises
        ------
        ValueError
            If `path` has another suffix, or an option another value.
        NotFittedError
            If the student is not fitted.
        TypeError
            If the student has no Program, the format has no printer for an op of it, or the format
            does not have one of the options.
        ImportError
            If the format needs a package that is not installed.
        OSError
            If the file cannot be written. No partly written file is left.
        """
        from .export import to_file

        to_file(self, path, **options)


class ProgramModel(Exportable):
    """A model that predicts with a Program; numpy is enough for it."""

    program_: Program

    def _rows(self, X: Any) -> Any:
        """Return rows as the Program takes them, or refuse them."""
        raise NotImplementedError
