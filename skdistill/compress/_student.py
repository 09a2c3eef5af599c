"""What both ways of compressing share: the student's Program in float32, the new student, and what it cost."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..export import program_of
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
        report |= _changes(before(rows), after(rows), before.n_outputs)
    elif encoded is not None:
        answers = [run(encoded.copy(), one.ops[1:]) for one in (before, after)]
        report |= _changes(answers[0], answers[1], before.n_outputs)
    new.compression_report_ = report
    return new


def _changes(before: Array, after: Array, n_outputs: int | None) -> dict[str, Any]:
    """Return how much answers differ: probabilities, or a regressor's numbers."""
    if n_outputs is None:
        likeness = {"agreement": float((before.argmax(axis=1) == after.argmax(axis=1)).mean())}
    else:
        left, there = ((after - before) ** 2).mean(axis=0), before.var(axis=0)
        likeness = {"r2": float(np.where(there > 0, 1.0 - left / np.where(there > 0, there, 1.0), 1.0).mean())}
    change = np.abs(before - after)
    return {
        "n_rows": len(before),
        **likeness,
        "mean_change": float(change.mean()),
        "max_change": float(change.max()),
    }
