"""What both ways of compressing share: the student's Program in float32, the new student, and what it cost."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..export import program_of
from ..losses import softmax
from ..program import Op, Program, fold, real_weights, run

Array = NDArray[Any]

#: The arrays of weights that an op may hold, each with the name of its scale.
WEIGHTS = {"weight": "scale", "tables": "tables_scale", "values": "values_scale"}


def inner_student(student: Any) -> tuple[Any, Program]:
    """Return the student inside, and its Program with float32 weights.

    Parameters
    ----------
    student : student, DistilledClassifier or predictor
        Fitted.

    Returns
    -------
    student : student or predictor
        That of a DistilledClassifier, else itself.
    program : Program
        Its Program.
    """
    inner = getattr(student, "student_", student)
    # an encoder that runs before the Program is no hindrance here
    program = inner.program_ if hasattr(inner, "encoder_") else program_of(student)
    return inner, Program([_in_float32(op) for op in program.ops])


def _in_float32(op: Op) -> Op:
    held = op.state()
    changed: dict[str, Any] = {}
    for name, scale in WEIGHTS.items():
        if name in held and held[name].dtype != np.float32:
            changed |= {name: real_weights(held[name], held[scale]).astype(np.float32), scale: None}
    return replace(op, **changed) if changed else op  # type: ignore[type-var]


def new_student(student: Any, before: Program, after: Program, method: str, rows: Any, encoded: Array | None) -> Any:
    """Return a copy of a student with another Program and a report of what that cost.

    Parameters
    ----------
    student : student or predictor
        The one before; it stays as it is.
    before, after : Program
        Its Program, and the new one, with the same encoder.
    method : str
        What was done, for the report.
    rows : object or None
        Rows on which the two are compared.
    encoded : ndarray of shape (n_rows, n_read) or None
        Without rows, what the entry would make of them.

    Returns
    -------
    student : student or predictor
        With ``program_`` and ``compression_report_``.
    """
    new = copy.copy(student)
    new.program_ = fold(after)
    old = student.program_
    report = {
        "method": method,
        "nbytes_before": old.nbytes,
        "nbytes": new.program_.nbytes,
        "n_parameters_before": old.n_parameters,
        "n_parameters": new.program_.n_parameters,
        "rows": "drawn" if rows is None else "X",
    }
    if rows is not None:
        report |= _changes(before.logits(rows), after.logits(rows))
    elif encoded is not None:
        report |= _changes(run(encoded.copy(), before.ops[1:-1]), run(encoded.copy(), after.ops[1:-1]))
    new.compression_report_ = report
    return new


def _changes(before: Array, after: Array) -> dict[str, Any]:
    """Return how much answers differ."""
    p, q = softmax(before), softmax(after)
    return {
        "n_rows": len(p),
        "agreement": float((p.argmax(axis=1) == q.argmax(axis=1)).mean()),
        "mean_change": float(np.abs(p - q).mean()),
        "max_change": float(np.abs(p - q).max()),
    }
