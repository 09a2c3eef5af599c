"""What every export needs: the Program of a student, a check of its ops, and files that are whole or not there."""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ..program import Op, Program


def program_of(student: Any) -> Program:
    """Return the Program that is all there is to a fitted student.

    Parameters
    ----------
    student : student, DistilledClassifier or predictor
        A fitted student, a fitted DistilledClassifier, whose student it is, or what
        ``skdistill.load`` has returned; or the like of a regressor.

    Returns
    -------
    program : Program
        From raw rows to probabilities, or to numbers.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    TypeError
        If there is no Program to it, or not all that it does is in the Program.
    """
    inner = getattr(student, "student_", student)
    program = getattr(inner, "program_", None)
    name = type(inner).__name__
    if not isinstance(program, Program):
        if hasattr(inner, "fit") and not isinstance(inner, type):
            from .._validation import is_fitted, not_fitted

            if not is_fitted(inner):
                raise not_fitted(student)
        raise TypeError(
            f"{name} has no Program, and only a Program can be exported, saved or compressed; needed is a fitted "
            "student that ends as one, or a DistilledClassifier with such a student."
        )
    if hasattr(inner, "encoder_"):
        raise TypeError(
            f"The encoder of this {name} is a {type(inner.encoder_).__name__} that did not become part of the "
            "Program, and so cannot be exported or saved. Leave encoder=None, use a ColumnTransformer of "
            "scikit-learn's usual imputers, scalers and encoders, or encode the rows beforehand."
        )
    return program


def classes_of(student: Any) -> Any:
    """Return the labels of the Program's columns, or None if what is fitted is a regressor."""
    inner = getattr(student, "student_", student)
    return None if inner.program_.n_outputs is not None else inner.classes_


def check_ops(program: Program, known: Collection[type[Op]], where: str) -> None:
    """Refuse a Program with an op that a format cannot express.

    Parameters
    ----------
    program : Program
        What is to be written.
    known : collection of type
        The ops that the format has a printer for.
    where : str
        The format as a message names it: "ONNX", "C".

    Raises
    ------
    TypeError
        If there is another op; the message names it.
    """
    for op in program.ops:
        if type(op) not in known:
            raise TypeError(f"{where} has no printer for {type(op).__name__}, which this Program holds.")


def write_files(contents: Mapping[str | os.PathLike[str], bytes]) -> None:
    """Write files whole: whatever goes wrong, none of them is left half-written.

    Each is written beside its place and moved there once all of them are on the disk. Those that
    stood there before stay as they were until then.

    Parameters
    ----------
    contents : mapping of path to bytes
        What to write where.

    Raises
    ------
    OSError
        If the folder does not exist, cannot be written to, or is full.
    """
    paths = [Path(path) for path in contents]
    for path in paths:
        if path.is_dir():
            raise IsADirectoryError(f"{str(path)!r} is a folder; needed is the name of a file.")
        if not path.parent.is_dir():
            raise FileNotFoundError(f"{str(path.parent)!r}, where {path.name!r} is to be written, is not a folder.")
    waiting = [path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp") for path in paths]
    new = [path for path in paths if not path.exists()]
    try:
        for place, content in zip(waiting, contents.values(), strict=True):
            with open(place, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for place, path in zip(waiting, paths, strict=True):
            os.replace(place, path)
    except BaseException:
        for path in [*waiting, *new]:
            path.unlink(missing_ok=True)
        raise
