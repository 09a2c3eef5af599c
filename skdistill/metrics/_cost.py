"""What a student costs: parameters, bytes, and the time of one row and of many."""

from __future__ import annotations

import gc
import math
import os
import platform
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from statistics import median
from time import perf_counter
from typing import Any

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from .._validation import is_fitted, not_fitted, take_rows
from ..program import Program

#: The figures are medians over so many rounds, in each of which single rows and a batch take their turn.
_N_ROUNDS = 9
#: In a round a single row is asked at most so often, and at least so often, however long that takes.
_CALLS = (20, 2_000)
#: The share of a round's time that goes to single rows.
_SHARE = 0.6


def n_parameters(student: Any) -> int:
    """Return how many numbers a student has fitted.

    Parameters
    ----------
    student : student, DistilledClassifier, predictor or Program
        Fitted.

    Returns
    -------
    n_parameters : int
        ``program_.n_parameters``: weights and biases, or a tree's ranks, thresholds and leaves.

    Raises
    ------
    TypeError
        If it has no Program, or not all that it does is in the Program.
    NotFittedError
        If it is not fitted.

    Examples
    --------
    >>> from skdistill import LinearStudent
    >>> from skdistill.metrics import n_parameters
    >>> n_parameters(LinearStudent().fit([[0.0], [1.0], [2.0]], [0, 1, 1]))
    2
    """
    return _program(student).n_parameters


def program_bytes(student: Any) -> int:
    """Return how many bytes a student's arrays hold: weights, and what its encoder has learned.

    Parameters
    ----------
    student : student, DistilledClassifier, predictor or Program
        Fitted.

    Returns
    -------
    nbytes : int
        ``program_.nbytes``. A file adds the names of columns, levels and classes to it.

    Raises
    ------
    TypeError
        If it has no Program, or not all that it does is in the Program.
    NotFittedError
        If it is not fitted.

    Examples
    --------
    >>> from skdistill import LinearStudent
    >>> from skdistill.metrics import program_bytes
    >>> program_bytes(LinearStudent().fit([[0.0], [1.0], [2.0]], [0, 1, 1])) < 50
    True
    """
    return _program(student).nbytes


def _program(student: Any) -> Program:
    if isinstance(student, Program):
        return student
    inner = getattr(student, "student_", student)
    program = getattr(inner, "program_", None)
    name = type(inner).__name__
    if not isinstance(program, Program):
        if hasattr(inner, "fit") and not isinstance(inner, type) and not is_fitted(inner):
            raise not_fitted(student)
        raise TypeError(f"{name} has no Program, which is what is measured here.")
    if hasattr(inner, "encoder_"):
        raise TypeError(
            f"The encoder of this {name}, a {type(inner.encoder_).__name__}, is no part of its Program, which alone "
            "would be measured here."
        )
    return program


@dataclass(frozen=True)
class Latency:
    """How long answers take; what :func:`latency` returns.

    Parameters
    ----------
    median_us, p99_us : float
        The median and the 99th percentile of a call with one row, in microseconds.
    rows_per_second : float
        Of calls with `batch_rows` rows.
    batch_rows : int
        The rows of a batch.
    n_calls : int
        How many calls with one row were timed.
    n_threads : int or None
        To how many threads BLAS and OpenMP were held; None for no limit.
    machine : dict of str to str
        The processor, how many cores there are, the system, and the versions of Python, numpy, scikit-learn
        and skdistill.
    """

    median_us: float
    p99_us: float
    rows_per_second: float
    batch_rows: int
    n_calls: int
    n_threads: int | None
    machine: dict[str, str]

    def __str__(self) -> str:
        threads = "no limit to threads" if self.n_threads is None else f"{self.n_threads} thread(s)"
        machine = ", ".join(f"{name} {value}" for name, value in self.machine.items())
        return (
            f"one row {self.median_us:.4g} µs (median of {self.n_calls} calls), {self.p99_us:.4g} µs (99th "
            f"percentile); {self.rows_per_second:,.0f} rows a second in batches of {self.batch_rows}; {threads}; "
            f"{machine}"
        )


def latency(
    predict: Callable[[Any], Any],
    X: Any,
    *,
    batch_rows: int | None = None,
    max_seconds: float = 3.0,
    n_threads: int | None = 1,
) -> Latency:
    """Measure how long a model takes for one row, and for many.

    Single rows, a different one in each call, and batches take turns in nine rounds, after a warm-up; each
    figure is the median of the rounds', so that a busy moment of the machine does not count. Twice in
    a row on an idle machine they agree within a few percent.

    Parameters
    ----------
    predict : callable
        What is timed, such as ``student.predict_proba`` or the bare ``student.program_``.
    X : array-like, sparse matrix or frame of shape (n_rows, n_columns), or list of dict
        Rows, in the form in which the model will be given them: a single one is a table of one row of the
        same type, and of a list a list of one.
    batch_rows : int, default=None
        How many rows are in a batch, at most as many as there are. None takes all of `X`, 10,000 at most.
    max_seconds : float, default=3.0
        About how long to measure. A slow model takes longer: 180 single rows and nine batches at least.
    n_threads : int or None, default=1
        To how many threads BLAS and OpenMP are held while measuring; at 1 joblib is, too, whatever a model's
        ``n_jobs``. None sets no limit.

    Returns
    -------
    latency : Latency
        The figures, and what they depend on.

    Raises
    ------
    TypeError
        If `predict` cannot be called.
    ValueError
        If there are no rows, or a number is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill import LinearStudent
    >>> from skdistill.metrics import latency
    >>> X = np.linspace(0, 1, 100)[:, None]
    >>> student = LinearStudent().fit(X, X[:, 0] > 0.5)
    >>> measured = latency(student.predict_proba, X, max_seconds=0.1)
    >>> 0 < measured.median_us <= measured.p99_us
    True
    """
    if not callable(predict):
        raise TypeError(f"predict must be a callable such as student.predict_proba; got {predict!r}.")
    for name, value in (("batch_rows", batch_rows), ("max_seconds", max_seconds), ("n_threads", n_threads)):
        if value is not None and not value > 0:
            raise ValueError(f"{name} must be positive; got {value!r}.")
    n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
    if n_rows == 0:
        raise ValueError("X holds no rows; needed is at least one.")
    n_batch = min(n_rows, batch_rows or 10_000)
    order = np.random.default_rng(0).permutation(n_rows)[: _N_ROUNDS * _CALLS[1]]
    # a slice of a frame is made much faster than a list of its rows is taken
    rows = [take_rows(X, slice(row, row + 1)) for row in order.tolist()]
    batch = X if n_batch == n_rows else take_rows(X, np.arange(n_batch))
    alone = joblib.parallel_config(backend="sequential") if n_threads == 1 else nullcontext()
    with threadpool_limits(limits=n_threads), alone:
        one, many = _warmed_up(predict, rows), _warmed_up(predict, [batch])
        seconds = max_seconds / _N_ROUNDS
        n_calls = int(np.clip(_SHARE * seconds / one, *_CALLS))
        n_batches = max(1, round((1 - _SHARE) * seconds / many))
        rounds, speeds = [], []
        enabled = gc.isenabled()
        gc.disable()
        try:
            for number in range(_N_ROUNDS):
                taken = [_seconds(predict, rows[(number * n_calls + call) % len(rows)]) for call in range(n_calls)]
                rounds.append(taken)
                speeds.append(n_batch / median(_seconds(predict, batch) for _ in range(n_batches)))
        finally:
            if enabled:
                gc.enable()
    return Latency(
        median_us=1e6 * median(median(taken) for taken in rounds),
        p99_us=1e6 * median(float(np.quantile(taken, 0.99, method="higher")) for taken in rounds),
        rows_per_second=median(speeds),
        batch_rows=n_batch,
        n_calls=_N_ROUNDS * n_calls,
        n_threads=n_threads,
        machine=_machine(),
    )


def _warmed_up(predict: Callable[[Any], Any], rows: list[Any]) -> float:
    """Call until the model is warm, and return what a call takes then, in seconds."""
    taken = [_seconds(predict, rows[0])]
    # a slow model needs less of it: what is set up once weighs less
    n_calls = math.ceil(min(200.0, max(2.0, 0.05 / max(taken[0], 1e-7))))
    taken += [_seconds(predict, rows[call % len(rows)]) for call in range(1, n_calls)]
    return max(median(taken[len(taken) // 2 :]), 1e-7)


def _seconds(predict: Callable[[Any], Any], rows: Any) -> float:
    start = perf_counter()
    predict(rows)
    return perf_counter() - start


def _machine() -> dict[str, str]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": str(cores),
        "system": platform.system(),
        "Python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "scikit-learn", "skdistill")},
    }
