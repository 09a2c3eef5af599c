"""The figures of one classifier beside its teacher, each by its metric function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss

from .. import metrics
from .._answers import n_rows_of
from .._sizes import pickled_bytes
from ..program import column_reader, is_frame
from ._slices import cell_text, names_of

Array = NDArray[Any]

#: So many rows and slices on which student and teacher differ most are listed.
SHOWN_ROWS = 10
SHOWN_SLICES = 10
_SHOWN_CELLS = 12
#: How long the times of a model are measured.
_SECONDS = 1.0


def reliability_curve(y_true: Array, proba: Array, classes: Array, n_bins: int) -> dict[str, Array]:
    """Return how often a classifier's first choice is right, by its probability.

    Parameters
    ----------
    y_true : ndarray of shape (n_rows,)
        Labels.
    proba : ndarray of shape (n_rows, n_classes)
        Probabilities.
    classes : ndarray of shape (n_classes,)
        The labels of the columns.
    n_bins : int
        Bins of equal width; empty ones are left out.

    Returns
    -------
    curve : dict
        ``confidence`` and ``accuracy``, means over each bin, and ``n_rows``, arrays of shape
        (n_filled_bins,).
    """
    confidence = np.minimum(proba.max(axis=1), 1.0)
    right = (classes[proba.argmax(axis=1)] == y_true).astype(int)
    accuracy, mean = calibration_curve(right, confidence, n_bins=n_bins, pos_label=1)
    cuts = np.linspace(0.0, 1.0, n_bins + 1)[1:-1]
    n_rows = np.bincount(np.searchsorted(cuts, confidence), minlength=n_bins)
    return {"confidence": mean, "accuracy": accuracy, "n_rows": n_rows[n_rows > 0]}


def quality(
    y: Array, teacher: Array, proba: Array, classes: Array, metric: str, n_bins: int, slices: Mapping[str, Array]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what a classifier keeps of its teacher, and its agreement on slices, the worst first.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        Labels.
    teacher, proba : ndarray of shape (n_rows, n_classes)
        The probabilities of the teacher and of the classifier.
    classes : ndarray of shape (n_classes,)
        The labels of the columns.
    metric : str
        What the retention is of, by the name of scikit-learn's scorer.
    n_bins : int
        Bins of the calibration error.
    slices : dict of str to ndarray of shape (n_rows,)
        For each way to slice the rows, the slice of each; empty text for a slice with too few rows.

    Returns
    -------
    figures : dict
        By the keys of the table's columns.
    by_slice : list of dict
        ``column``, ``slice``, ``n_rows`` and ``agreement``.
    """
    labels = classes[proba.argmax(axis=1)]
    by_slice: list[dict[str, Any]] = [
        {"column": column, "slice": str(value), "n_rows": n_rows, "agreement": agreement}
        for column, by in slices.items()
        for value, (n_rows, agreement) in metrics.slice_agreement(teacher, proba, by).items()
        if value != ""
    ]
    by_slice.sort(key=lambda one: one["agreement"])
    worst = by_slice[0] if by_slice else None
    figures = {
        "accuracy": float(accuracy_score(y, labels)),
        "log_loss": float(log_loss(y, proba, labels=classes)),
        "retention": float(metrics.retention_score(y, teacher, proba, metric=metric, classes=classes)),
        "fidelity": metrics.fidelity_score(teacher, proba),
        "fidelity_log_loss": metrics.fidelity_log_loss(teacher, proba),
        "calibration_error": metrics.expected_calibration_error(y, proba, classes=classes, n_bins=n_bins),
        "worst_slice_agreement": None if worst is None else worst["agreement"],
        "worst_slice": None if worst is None else f"{worst['column']}: {worst['slice']}",
    }
    if metric not in ("accuracy", "neg_log_loss"):
        figures[metric] = metrics.answer_score(y, proba, metric, classes=classes)
    return figures, by_slice


def confusion(teacher: Array, proba: Array) -> Array:
    """Return in how many rows teacher (rows) and student (columns) name which class, (n_classes, n_classes)."""
    return confusion_matrix(teacher.argmax(axis=1), proba.argmax(axis=1), labels=np.arange(teacher.shape[1]))


def disagreements(X: Any, y: Array, teacher: Array, proba: Array, classes: Array) -> list[dict[str, Any]]:
    """Return the rows whose probabilities differ most: by total variation, half the sum of the differences.

    Parameters
    ----------
    X : array, sparse matrix or frame of shape (n_rows, n_columns)
        The rows.
    y : ndarray of shape (n_rows,)
        Labels.
    teacher, proba : ndarray of shape (n_rows, n_classes)
        The probabilities of the teacher and of the student.
    classes : ndarray of shape (n_classes,)
        The labels of the columns.

    Returns
    -------
    rows : list of dict
        ``row`` (the position), ``index`` (of a frame that has one), ``label``, ``teacher`` and ``student``
        (what each names), ``teacher_probability`` and ``student_probability`` (of what it names),
        ``difference``, and ``cells``, a dict of the first twelve columns.
    """
    difference = np.abs(teacher - proba).sum(axis=1) / 2
    return [
        {
            **one,
            "label": y[row],
            "teacher": classes[teacher[row].argmax()],
            "teacher_probability": float(teacher[row].max()),
            "student": classes[proba[row].argmax()],
            "student_probability": float(proba[row].max()),
        }
        for one in rows_apart(X, difference)
        for row in [one["row"]]
    ]


def rows_apart(X: Any, difference: Array) -> list[dict[str, Any]]:
    """Return the rows with the largest differences.

    Parameters
    ----------
    X : array, sparse matrix or frame of shape (n_rows, n_columns)
        The rows.
    difference : ndarray of shape (n_rows,)
        How far student and teacher are apart.

    Returns
    -------
    rows : list of dict
        ``row`` (the position), ``index`` (of a frame that has one), ``difference``, and ``cells``, a dict of the
        first twelve columns.
    """
    rows = np.argsort(-difference, kind="stable")[:SHOWN_ROWS]
    names = names_of(X)
    cells: list[dict[str, str]] = [{} for _ in rows]
    if names is not None:
        read = column_reader(X)
        for index, name in enumerate(names[:_SHOWN_CELLS]):
            for found, cell in zip(cells, read(index)[rows].tolist(), strict=True):
                found[name] = cell_text(cell)
    elif len(getattr(X, "shape", (0,))) == 1:
        cells = [{"row": cell_text(X[row])} for row in rows.tolist()]
    index_of = X.index if is_frame(X) and hasattr(X, "index") else None
    return [
        {
            "row": row,
            "index": None if index_of is None else index_of[row],
            "difference": float(difference[row]),
            "cells": found,
        }
        for row, found in zip(rows.tolist(), cells, strict=True)
    ]


def cost(model: Any, predict: Callable[[Any], Any] | None, X: Any, program: Any) -> tuple[dict[str, Any], Any]:
    """Return what a model takes: parameters, bytes and time.

    Parameters
    ----------
    model : object or None
        What is shipped, None where there are answers alone.
    predict : callable or None
        Rows to answers; None where time is not to be measured.
    X : array, sparse matrix or frame of shape (n_rows, n_columns)
        Rows to answer.
    program : Program or None
        That of a student which has one.

    Returns
    -------
    figures : dict
        By the keys of the table's columns; None for what is not known.
    latency : Latency or None
        What was measured.
    """
    seen = None if predict is None or n_rows_of(X) == 0 else metrics.latency(predict, X, max_seconds=_SECONDS)
    figures = {
        "n_parameters": None if program is None else metrics.n_parameters(program),
        "program_bytes": None if program is None else metrics.program_bytes(program),
        "pickle_bytes": None if model is None else pickled_bytes(model),
        "median_us": None if seen is None else seen.median_us,
        "p99_us": None if seen is None else seen.p99_us,
        "rows_per_second": None if seen is None else seen.rows_per_second,
    }
    return figures, seen


def nameable(groups: Array) -> list[Any]:
    """Return the slices that have rows enough to be looked at, each once."""
    return [value for value in np.unique(groups.astype(str)).tolist() if value]


def large_enough(groups: Array, min_rows: int) -> Array:
    """Return the slice of each row, empty text where the slice has fewer than `min_rows`."""
    values, at, n_rows = np.unique(groups.astype(str), return_inverse=True, return_counts=True)
    return np.where(n_rows[at] >= min_rows, values.astype(object)[at], "")
