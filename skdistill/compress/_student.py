"""Shared by pruning and quantization: the student's float32 Program, the new student and the report of the change."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..program import Op, Program, fold, program_of, real_weights, run, shipped
from ..tasks import NUMBERS

Array = NDArray[Any]

#: The weight fields of ops, each with the name of its scale.
WEIGHTS = {"weight": "scale", "tables": "tables_scale", "values": "values_scale"}


def inner_student(student: Any) -> tuple[Any, Program]:
    """Return the fitted student and its Program with float32 weights.

    Parameters
    ----------
    student : student, distiller or predictor
        A fitted model.

    Returns
    -------
    student : student or predictor
        The student of a distiller; any other model itself.
    program : Program
        Its Program with float32 weights.
    """
    # unlike an export, compression allows an encoder that runs before the Program
    program = program_of(student, with_encoder=True)

    def in_float32(weight: Array, scale: Array | None) -> tuple[Array, None]:
        return real_weights(weight, scale).astype(np.float32), None

    return shipped(student), Program([with_weights(op, in_float32) for op in program.ops])


def with_weights(op: Op, change: Callable[[Array, Array | None], tuple[Array, Array | None]]) -> Op:
    """Return an op with other weights: `change` maps each array of weights and its scale to new ones."""
    state = op.state()
    changed: dict[str, Array | None] = {}
    for name, scale in WEIGHTS.items():
        if name in state:
            changed[name], changed[scale] = change(state[name], state[scale])
    return replace(op, **changed) if changed else op  # type: ignore[type-var]


def new_student(student: Any, before: Program, after: Program, method: str, rows: Any, encoded: Array | None) -> Any:
    """Return a copy of a student with a new Program and a report of the change.

    Parameters
    ----------
    student : student or predictor
        The original student; it is not modified.
    before, after : Program
        The original Program and the new one, with the same encoder.
    method : str
        The name of the compression method in the report.
    rows : object or None
        Rows on which the two Programs are compared.
    encoded : ndarray of shape (n_rows, n_read) or None
        Used if `rows` is None: calibration rows as the Program's entry returns them.

    Returns
    -------
    student : student or predictor
        The copy, with its ``program_`` and ``compression_report_``.
    """
    new = copy.copy(student)
    new.program_ = fold(after)
    report: dict[str, Any] = {"method": method}
    for key in ("nbytes", "n_parameters"):
        report |= {f"{key}_before": getattr(student.program_, key), key: getattr(new.program_, key)}
    report["rows"] = "drawn" if rows is None else "X"
    if rows is not None or encoded is not None:
        end = before.ops[-1]
        logits = [
            one.logits(rows) if encoded is None else run(encoded.copy(), one.ops[1:-1]) for one in (before, after)
        ]
        # probabilities of a classifier, or predictions of a regressor
        old_values, new_values = (end(one.copy()) for one in logits)
        report["n_rows"], change = len(new_values), np.abs(old_values - new_values)
        if before.n_outputs is None:
            old_labels, new_labels = (end.chosen(one.copy()) for one in logits)
            report["agreement"] = float((old_labels == new_labels).mean())
        else:
            report["r2"] = NUMBERS.score(old_values, new_values, None)
        report |= {"mean_change": float(change.mean()), "max_change": float(change.max())}
    new.compression_report_ = report
    return new
