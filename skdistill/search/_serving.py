"""The latency of a student for one row, in the form in which it will be served."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from .._checks import import_optional
from ..metrics import latency
from ..program import is_frame, program_or_none
from ..tasks import Task

FORMS = ("compiled", "dict", "array", "frame", "onnx")
#: About how long one student is measured, in seconds.
_TIMED = 0.1
#: By the element types of ONNX inputs.
_CELLS: dict[str, Any] = {"tensor(string)": object, "tensor(double)": np.float64}


def check_form(form: str | None, X: Any) -> None:
    """Raise a ValueError where rows cannot be served in this form."""
    if form is not None and form not in FORMS:
        raise ValueError(f"latency_of must be one of {', '.join(map(repr, FORMS))}, or None; got {form!r}.")
    if form in ("dict", "frame") and not is_frame(X):
        raise ValueError(f"latency_of={form!r} needs columns with names, and X is of type {type(X).__name__}.")
    if form == "onnx":
        _onnxruntime()


def latencies(students: Sequence[Any], form: str | None, X: Any, task: Task) -> tuple[str, list[float]]:
    """Return the form in which students are served, and the median time of one row in microseconds.

    Parameters
    ----------
    students : sequence of student
        Fitted.
    form : str or None
        One of FORMS. None compiles where there is a compiler for all of them, and else takes a dict where columns have
        names, and an array where they have none.
    X : ndarray, sparse matrix or frame of shape (n_rows, n_columns)
        Rows to time.
    task : Task
        The kind of target.

    Returns
    -------
    form : str
        One of FORMS.
    each : list of float
        NaN for a student that cannot be served in this form.
    """
    if form is None:
        try:
            return latencies(students, "compiled", X, task)
        except ValueError:
            form = "dict" if is_frame(X) else "array"
    calls = [_call(student, form, X, task) for student in students]
    rows = X
    if is_frame(X) and form in ("compiled", "dict"):
        import narwhals as nw

        rows = nw.from_native(X).rows(named=True)
    elif is_frame(X) and form == "array":
        rows = np.asarray(X)
    timed = (None if call is None else latency(call, rows, batch_rows=1, max_seconds=_TIMED) for call in calls)
    return form, [np.nan if one is None else one.median_us for one in timed]


def _call(student: Any, form: str, X: Any, task: Task) -> Callable[[Any], Any] | None:
    """Return what answers rows of one form."""
    program: Any = program_or_none(student)
    if program is None:
        return partial(task.predict, student) if form == ("frame" if is_frame(X) else "array") else None
    if form == "onnx":
        return _onnx_call(student)
    if form == "compiled":
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            try:
                program = student.compile().program_
            except (UserWarning, TypeError) as reason:
                raise ValueError(f"latency_of='compiled' is not possible: {reason}") from reason
    if is_frame(X) and form in ("compiled", "dict"):
        return lambda rows: program(rows[0])
    return program


def _onnxruntime() -> Any:
    return import_optional("onnxruntime", "latency_of='onnx'", "skdistill[export]")


def _onnx_call(student: Any) -> Callable[[Any], Any]:
    """Return what answers a row of zeros and empty texts by onnxruntime: which row it is takes no other time."""
    from ..export import to_onnx

    runtime = _onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(
        to_onnx(student).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feeds = {one.name: np.zeros((1, one.shape[1]), _CELLS.get(one.type, np.float32)) for one in session.get_inputs()}
    for cells in feeds.values():
        if cells.dtype == object:
            cells[:] = ""
    return lambda rows: session.run(None, feeds)
