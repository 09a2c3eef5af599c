"""What every fitted model of ours shows: it says what rows it takes, and writes itself to a file."""

from __future__ import annotations

import os
from typing import Any

from .program import Program


class Exportable:
    """A fitted model that is a Program, or has a student that is one."""

    def export(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted student to a file, in the format that the suffix says.

        Parameters
        ----------
        path : path-like
            Ends in .skd (for ``skdistill.load``), .onnx, .c (beside which a .h is written) or .py.

        Raises
        ------
        ValueError
            If it ends otherwise.
        TypeError
            If the student is no Program, or one that the format does not know.
        OSError
            If the file cannot be written; nothing half-written is left behind.
        """
        from .export import to_file

        to_file(self, path)


class ProgramModel(Exportable):
    """A model that predicts with a Program; numpy is enough for it."""

    program_: Program

    def _rows(self, X: Any) -> Any:
        """Return rows as the Program takes them, or refuse them."""
        raise NotImplementedError
