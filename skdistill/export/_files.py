"""Helpers of the formats: a check of a Program's ops, parts of texts, and atomic writes."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..program import Op, Program, shipped


def classes_of(student: Any) -> Any:
    """Return the class labels of a fitted model, or None if it is a regressor."""
    inner = shipped(student)
    return None if inner.program_.n_outputs is not None else inner.classes_


def check_ops(program: Program, known: Collection[type[Op]], where: str) -> None:
    """Check that a format can express every op of a Program.

    Parameters
    ----------
    program : Program
        The Program to export.
    known : collection of type
        The ops that the format has a printer for.
    where : str
        The name of the format in the message, such as "ONNX" or "C".

    Raises
    ------
    TypeError
        If the Program has another op; the message names it.
    """
    for op in program.ops:
        if type(op) not in known:
            raise TypeError(f"{where} does not support the op {type(op).__name__} of this Program.")


def used(text: str, sources: Mapping[str, str], names: Callable[[str], set[str]]) -> set[str]:
    """Return the names of the sources that a text uses, directly or indirectly; `names` finds the names in a text."""
    found: set[str] = set()
    while more := names(text) & sources.keys() - found:
        found |= more
        text = "\n".join(sources[name] for name in more)
    return found


def in_lines(cells: Iterable[str], width: int) -> str:
    """Return cells, each with a comma, on indented lines of at most `width` characters unless a cell is longer."""
    lines = ["   "]
    for cell in cells:
        if len(lines[-1]) + len(cell) + 2 > width and lines[-1].strip():
            lines.append("   ")
        lines[-1] += f" {cell},"
    return "\n".join(lines)


def write_files(contents: Mapping[str | os.PathLike[str], bytes]) -> None:
    """Write files atomically: no failure leaves a partly written file.

    Each file is written to a temporary file in its folder. The temporary files are renamed only once
    all of them are on disk, so that existing files stay unchanged until then.

    Parameters
    ----------
    contents : mapping of path to bytes
        The content of each file.

    Raises
    ------
    OSError
        If the folder does not exist, cannot be written to, or is full.
    """
    paths = [Path(path) for path in contents]
    for path in paths:
        if path.is_dir():
            raise IsADirectoryError(f"{str(path)!r} is a folder; expected the name of a file.")
        if not path.parent.is_dir():
            raise FileNotFoundError(f"{str(path.parent)!r}, where {path.name!r} is to be written, is not a folder.")
    temporary = [path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp") for path in paths]
    new = [path for path in paths if not path.exists()]
    try:
        for place, content in zip(temporary, contents.values(), strict=True):
            with open(place, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for place, path in zip(temporary, paths, strict=True):
            os.replace(place, path)
    except BaseException:
        for path in [*temporary, *new]:
            path.unlink(missing_ok=True)
        raise
