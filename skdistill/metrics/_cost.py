"""The cost of a model: parameters, bytes, latency and throughput."""

from __future__ import annotations

import gc
import math
import os
import pickle
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

from .._sklearn import n_rows_of, take_rows
from ..program import program_of

#: Each figure is a median over this many rounds; every round times single rows and batches.
_N_ROUNDS = 9
#: The fewest and the most calls with a single row in a round.
_CALLS = (20, 2_000)
#: The share of a round's time that single rows get.
_SHARE = 0.6


def n_parameters(student: Any) -> int:
    """Return the number of a student's fitted parameters.

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
        If the student has no Program, or the Program lacks a part of the model, such as an encoder of another library.
    NotFittedError
        If it is not fitted.

    Examples
    --------
    >>> from skdistill import LinearStudent
    >>> from skdistill.metrics import n_parameters
    >>> n_parameters(LinearStudent().fit([[0.0], [1.0], [2.0]], [0, 1, 1]))
    2
    """
    return program_of(student).n_parameters


def program_bytes(student: Any) -> int:
    """Return the size of a student's arrays in bytes: its weights and the fitted encoder.

    Parameters
    ----------
    student : student, DistilledClassifier, predictor or Program
        Fitted.

    Returns
    -------
    nbytes : int
        ``program_.nbytes``. A file also holds the names of columns, categories and classes.

    Raises
    ------
    TypeError
        If the student has no Program, or the Program lacks a part of the model, such as an encoder of another library.
    NotFittedError
        If it is not fitted.

    Examples
    --------
    >>> from skdistill import LinearStudent
    >>> from skdistill.metrics import program_bytes
    >>> program_bytes(LinearStudent().fit([[0.0], [1.0], [2.0]], [0, 1, 1])) < 50
    True
    """
    return program_of(student).nbytes


@dataclass(frozen=True)
class Latency:
    """Latency and throughput of a model; :func:`latency` returns it.

    Parameters
    ----------
    median_us, p99_us : float
        The median and the 99th percentile of a call with one row, in microseconds.
    rows_per_second : float
        The throughput of calls with `batch_rows` rows.
    batch_rows : int
        The number of rows in a batch.
    n_calls : int
        The number of timed calls with one row.
    n_threads : int or None
        The limit on the threads of BLAS and OpenMP; None for no limit.
    machine : dict of str to str
        The processor, the number of cores, the system, and the versions of Python, numpy, scikit-learn
        and skdistill.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill.metrics import latency
    >>> measured = latency(np.exp, np.zeros((100, 2)), max_seconds=0.1)
    >>> measured.batch_rows, measured.n_threads
    (100, 1)
    """

    median_us: float
    p99_us: float
    rows_per_second: float
    batch_rows: int
    n_calls: int
    n_threads: int | None
    machine: dict[str, str]

    def __str__(self) -> str:
        threads = "no limit on threads" if self.n_threads is None else f"{self.n_threads} thread(s)"
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
    """Measure the latency of a model for one row and its throughput for batches.

    After a warm-up there are nine rounds. Each round times calls with a single row (a different one in each call) and
    calls with a batch. Every figure is a median over the rounds, so that a busy moment of the machine does not matter.
    On an idle machine, two measurements agree within a few percent.

    Parameters
    ----------
    predict : callable
        The function to time, such as ``student.predict_proba`` or the bare ``student.program_``.
    X : array-like, sparse matrix or frame of shape (n_rows, n_columns), or list of dict
        Rows in the form in which the model will get them. A single row is passed as a table with one row of the same
        type, or as a list with one element.
    batch_rows : int, default=None
        The number of rows in a batch, at most that of `X`. None takes all rows of `X`, but not more than 10,000.
    max_seconds : float, default=3.0
        The approximate time to measure for, in seconds. A slow model takes longer, since at least 180 single
        rows and nine batches are timed.
    n_threads : int or None, default=1
        The limit on the threads of BLAS and OpenMP while measuring. 1 also makes joblib sequential, whatever
        the model's ``n_jobs``. None sets no limit.

    Returns
    -------
    latency : Latency
        The figures, and the machine they were measured on.

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
    n_rows = n_rows_of(X)
    if n_rows == 0:
        raise ValueError("X holds no rows; expected at least one.")
    n_batch = min(n_rows, batch_rows or 10_000)
    order = np.random.default_rng(0).permutation(n_rows)[: _N_ROUNDS * _CALLS[1]]
    # slicing a frame is much faster than taking a list of rows
    rows = [take_rows(X, slice(row, row + 1)) for row in order.tolist()]
    batch = X if n_batch == n_rows else take_rows(X, np.arange(n_batch))
    # parallel_config takes effect where it is made, and so within the `with`
    with (
        threadpool_limits(limits=n_threads),
        joblib.parallel_config(backend="sequential") if n_threads == 1 else nullcontext(),
    ):
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
        machine=machine(),
    )


def _warmed_up(predict: Callable[[Any], Any], rows: list[Any]) -> float:
    """Call until the model is warm, and return the seconds that a call then takes."""
    taken = [_seconds(predict, rows[0])]
    # the slower the model, the less its first calls differ from later ones
    n_calls = math.ceil(min(200.0, max(2.0, 0.05 / max(taken[0], 1e-7))))
    taken += [_seconds(predict, rows[call % len(rows)]) for call in range(1, n_calls)]
    return max(median(taken[len(taken) // 2 :]), 1e-7)


def _seconds(predict: Callable[[Any], Any], rows: Any) -> float:
    start = perf_counter()
    predict(rows)
    return perf_counter() - start


def machine() -> dict[str, str]:
    """Return the processor, the number of cores, the system, and the versions of the packages."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": str(cores),
        "system": platform.system(),
        "Python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "scikit-learn", "skdistill")},
    }


@dataclass
class _Counter:
    """A file that only counts the bytes written to it."""

    limit: float
    n_bytes: int = 0

    def write(self, data: Any) -> int:
        length = memoryview(data).nbytes
        self.n_bytes += length
        if self.n_bytes > self.limit:
            raise OverflowError
        return length


def pickled_bytes(model: Any, limit: float = math.inf) -> float | None:
    """Return the size of a model's pickle in bytes.

    Parameters
    ----------
    model : object
        Anything.
    limit : float, default=inf
        Counting stops at this number of bytes.

    Returns
    -------
    n_bytes : float or None
        Infinite if the pickle is longer than `limit`; None if the model cannot be pickled.
    """
    counter = _Counter(limit)
    try:
        pickle.Pickler(counter, protocol=5).dump(model)
    except OverflowError:
        return math.inf
    except Exception:
        # objects that cannot be pickled raise errors of many types
        return None
    return counter.n_bytes


def format_bytes(n_bytes: float) -> str:
    """Return a number of bytes as text, in units of a thousand.

    Examples
    --------
    >>> format_bytes(107_380)
    '107 kB'
    """
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if n_bytes >= unit:
            return f"{n_bytes / unit:.3g} {name}" if n_bytes < 999.5 * unit else f"{n_bytes / unit:,.0f} {name}"
    return f"{n_bytes:.0f} B"
