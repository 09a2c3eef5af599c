"""Figures, curves and rows that a report shows of one model beside its teacher."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import metrics
from .._sklearn import n_rows_of, take_rows
from ..program import Program, column_reader, is_frame
from ._slices import cell_text, names_of

Array = NDArray[Any]

#: The number of rows listed on which student and teacher differ most, and of their cells shown.
_SHOWN_ROWS = 10
_SHOWN_CELLS = 12
#: The time to measure latencies for, in seconds a model.
_SECONDS = 1.0
#: The number of outputs of a regressor that are drawn.
SHOWN_OUTPUTS = 4
#: The number of bins of a regressor's predictions, with about as many rows each.
_N_RANGES = 10


def reliability_curve(y_true: Array, proba: Array, classes: Array, n_bins: int) -> dict[str, Array]:
    """Return a classifier's accuracy by the probability of the predicted class.

    Parameters
    ----------
    y_true : ndarray of shape (n_rows,)
        Labels.
    proba : ndarray of shape (n_rows, n_classes)
        Probabilities.
    classes : ndarray of shape (n_classes,)
        The labels of the columns.
    n_bins : int
        The number of bins of equal width; empty ones are left out.

    Returns
    -------
    curve : dict
        ``confidence`` and ``accuracy``, means over each bin, and ``n_rows``, arrays of shape
        (n_filled_bins,).
    """
    confidence = np.minimum(proba.max(axis=1), 1.0)
    correct = (classes[proba.argmax(axis=1)] == y_true).astype(float)
    cuts = np.linspace(0.0, 1.0, n_bins + 1)[1:-1]
    return _by_bins(np.searchsorted(cuts, confidence), confidence=confidence, accuracy=correct)


def class_curve(is_class: Array, proba: Array, n_groups: int = _N_RANGES) -> dict[str, Array]:
    """Return the rate of a class by its probability.

    Parameters
    ----------
    is_class : ndarray of shape (n_rows,)
        Whether each row is of the class.
    proba : ndarray of shape (n_rows,)
        The probability of the class.
    n_groups : int, default=10
        Into how many groups of neighbouring probabilities the rows are cut, each with about as many expected rows of
        the class, so that those of a rare class are not all in one.

    Returns
    -------
    curve : dict
        ``probability`` and ``rate``, means over each group, and ``n_rows``, arrays of shape (n_groups,).
    """
    order = np.argsort(proba, kind="stable")
    expected = np.cumsum(proba[order])
    groups = np.empty(len(proba), dtype=np.int64)
    groups[order] = np.searchsorted(np.linspace(0, expected[-1], n_groups + 1)[1:-1], expected)
    # equal probabilities stay together
    _, first, inverse = np.unique(proba[order], return_index=True, return_inverse=True)
    groups[order] = groups[order][first][inverse]
    return _by_bins(groups, probability=proba, rate=is_class.astype(float))


def output_curves(y_true: Array, pred: Array) -> list[dict[str, Array]]:
    """Return, for each of the first outputs of a regressor, the mean target by ranges of the prediction.

    Parameters
    ----------
    y_true, pred : ndarray of shape (n_rows, n_outputs)
        Targets and predictions.

    Returns
    -------
    curves : list of dict
        ``predicted`` and ``actual``, means over each range, and ``n_rows``, arrays of shape (n_ranges,). Each
        range holds about as many rows.
    """
    curves = []
    for actual, predicted in zip(y_true.T[:SHOWN_OUTPUTS], pred.T, strict=False):
        cuts = np.unique(np.quantile(predicted, np.linspace(0, 1, _N_RANGES + 1)[1:-1]))
        curves.append(_by_bins(np.searchsorted(cuts, predicted, side="right"), predicted=predicted, actual=actual))
    return curves


def _by_bins(bins: Array, **values: Array) -> dict[str, Array]:
    """Return means over each filled bin, and its number of rows, arrays of shape (n_filled_bins,)."""
    n_rows = np.bincount(bins)
    filled = n_rows > 0
    means = {name: np.bincount(bins, own)[filled] / n_rows[filled] for name, own in values.items()}
    return {**means, "n_rows": n_rows[filled]}


def rows_apart(X: Any, difference: Array, **values: Array) -> list[dict[str, Any]]:
    """Return the ten rows on which student and teacher differ most.

    Parameters
    ----------
    X : array, sparse matrix or frame of shape (n_rows, n_columns)
        The rows.
    difference : ndarray of shape (n_rows,)
        The distance between student and teacher.
    **values : ndarray of shape (n_rows, ...)
        What else is shown of each row.

    Returns
    -------
    rows : list of dict
        ``row`` (the position), ``index`` (in a frame that has one, else the position), ``difference``, ``cells``,
        a dict of the first twelve columns, and the values.
    """
    rows = np.argsort(-difference, kind="stable")[:_SHOWN_ROWS]
    names = names_of(X)
    cells: list[dict[str, str]] = [{} for _ in rows]
    if names is not None:
        read = column_reader(X)
        for index, name in enumerate(names[:_SHOWN_CELLS]):
            for found, cell in zip(cells, read(index)[rows].tolist(), strict=True):
                found[name] = cell_text(cell)
    elif len(getattr(X, "shape", (0,))) == 1:
        cells = [{"row": cell_text(text)} for text in take_rows(X, rows)]
    index_of = X.index if is_frame(X) and hasattr(X, "index") else range(n_rows_of(X))
    return [
        {"row": row, "index": index_of[row], "difference": float(difference[row]), "cells": found}
        | {name: own[row] for name, own in values.items()}
        for row, found in zip(rows.tolist(), cells, strict=True)
    ]


def costs(
    model: Any, program: Program | None, predict: Callable[[Any], Any] | None, X: Any
) -> tuple[dict[str, Any], metrics.Latency | None]:
    """Return what a model costs in parameters, bytes and time.

    Parameters
    ----------
    model : object or None
        The model to pickle; None if its size is unknown.
    program : Program or None
        That of a student which has one.
    predict : callable or None
        The function to time on rows; None measures no times.
    X : array, sparse matrix or frame of shape (n_rows, n_columns)
        Rows to predict.

    Returns
    -------
    figures : dict
        By the keys of the table's columns; None for what is not known.
    latency : Latency or None
        The times, if they were measured.
    """
    times = None if predict is None or n_rows_of(X) == 0 else metrics.latency(predict, X, max_seconds=_SECONDS)
    figures = {
        "n_parameters": None if program is None else metrics.n_parameters(program),
        "program_bytes": None if program is None else metrics.program_bytes(program),
        "pickle_bytes": None if model is None else metrics.pickled_bytes(model),
        **{key: getattr(times, key, None) for key in ("median_us", "p99_us", "rows_per_second")},
    }
    return figures, times
