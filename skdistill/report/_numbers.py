"""The figures of one regressor beside its teacher, each by scikit-learn's function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from .. import metrics
from .._validation import column_or_rows
from ._figures import nameable, rows_apart

Array = NDArray[Any]

#: Of more outputs the first ones are drawn.
SHOWN_OUTPUTS = 4
#: Cells of the density along each axis, and ranges of predictions with as many rows each.
_N_CELLS = 28
_N_RANGES = 10


def numbers_quality(
    y: Array, teacher: Array, told: Array, metric: str, slices: Mapping[str, Array]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what a regressor keeps of its teacher, and how far apart they are on slices, the worst first.

    Parameters
    ----------
    y, teacher, told : ndarray of shape (n_rows, n_outputs)
        The numbers that are there, the teacher's, and the regressor's.
    metric : str
        What the retention is of, by the name of scikit-learn's scorer.
    slices : dict of str to ndarray of shape (n_rows,)
        For each way to slice the rows, the slice of each; empty text for a slice with too few rows.

    Returns
    -------
    figures : dict
        By the keys of the table's columns.
    by_slice : list of dict
        ``column``, ``slice``, ``n_rows`` and ``rmse``, to the teacher.
    """
    by_slice: list[dict[str, Any]] = []
    for column, by in slices.items():
        for value in nameable(by):
            rows = by == value
            apart = float(root_mean_squared_error(teacher[rows], told[rows]))
            by_slice.append({"column": column, "slice": str(value), "n_rows": int(rows.sum()), "rmse": apart})
    by_slice.sort(key=lambda one: -one["rmse"])
    worst = by_slice[0] if by_slice else None
    as_given = [column_or_rows(one) for one in (y, teacher, told)]
    figures = {
        "r2": float(r2_score(y, told)),
        "rmse": float(root_mean_squared_error(y, told)),
        "mae": float(mean_absolute_error(y, told)),
        "retention": float(metrics.retention_score(*as_given, metric=metric, response_method="predict")),
        "fidelity": float(r2_score(teacher, told)),
        "fidelity_rmse": float(root_mean_squared_error(teacher, told)),
        "fidelity_mae": float(mean_absolute_error(teacher, told)),
        "worst_slice_rmse": None if worst is None else worst["rmse"],
        "worst_slice": None if worst is None else f"{worst['column']}: {worst['slice']}",
    }
    if metric not in figures:
        figures[metric] = metrics.answer_score(as_given[0], as_given[2], metric, "predict")
    return figures, by_slice


def output_curves(y: Array, told: Array) -> list[dict[str, Array]]:
    """Return, for each output, the mean number that is there by ranges of the predicted one.

    Parameters
    ----------
    y, told : ndarray of shape (n_rows, n_outputs)
        The numbers that are there, and those predicted.

    Returns
    -------
    curves : list of dict
        ``predicted`` and ``actual``, means over each range, and ``n_rows``, arrays of shape (n_ranges,); ranges
        hold about as many rows each.
    """
    curves = []
    for actual, predicted in zip(y.T[:SHOWN_OUTPUTS], told.T, strict=False):
        cuts = np.unique(np.quantile(predicted, np.linspace(0, 1, _N_RANGES + 1)[1:-1]))
        at = np.searchsorted(cuts, predicted, side="right")
        n_rows = np.bincount(at, minlength=len(cuts) + 1)
        there = n_rows > 0
        means = [np.bincount(at, values, len(cuts) + 1)[there] / n_rows[there] for values in (predicted, actual)]
        curves.append({"predicted": means[0], "actual": means[1], "n_rows": n_rows[there]})
    return curves


def densities(teacher: Array, told: Array) -> list[dict[str, Array]]:
    """Return, for each output, how many rows lie where of the regressor's numbers against the teacher's.

    Parameters
    ----------
    teacher, told : ndarray of shape (n_rows, n_outputs)
        The numbers of both.

    Returns
    -------
    densities : list of dict
        ``edges`` of shape (n_cells + 1,), the same along both axes, and ``counts`` of shape (n_cells, n_cells),
        the teacher's numbers along the first axis.
    """
    found = []
    for one, other in zip(teacher.T[:SHOWN_OUTPUTS], told.T, strict=False):
        low, high = float(min(one.min(), other.min())), float(max(one.max(), other.max()))
        # a constant has a width all the same
        half = 0.0 if high > low else 0.5 * max(abs(high), 1.0)
        edges = np.linspace(low - half, high + half, _N_CELLS + 1)
        counts = np.histogram2d(one, other, bins=(edges, edges))[0].astype(np.int64)
        found.append({"edges": edges, "counts": counts})
    return found


def numbers_apart(X: Any, y: Array, teacher: Array, told: Array) -> list[dict[str, Any]]:
    """Return the rows whose numbers differ most, those of each output over the spread of the teacher's.

    Parameters
    ----------
    X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
        The rows.
    y, teacher, told : ndarray of shape (n_rows, n_outputs)
        The numbers that are there, the teacher's, and the student's.

    Returns
    -------
    rows : list of dict
        ``row``, ``index`` and ``cells`` as of classes; ``label``, ``teacher`` and ``student``, a number or an array
        of several; and ``difference``, in standard deviations of the teacher's answers.
    """
    spread = teacher.std(axis=0)
    difference = (np.abs(teacher - told) / np.where(spread > 0, spread, 1.0)).mean(axis=1)
    label, first, second = (column_or_rows(one) for one in (y, teacher, told))
    return [
        {**one, "label": label[row], "teacher": first[row], "student": second[row]}
        for one in rows_apart(X, difference)
        for row in [one["row"]]
    ]


def squares(y: Array, told: Array) -> Array:
    """Return the squared error of each row, shape (n_rows,): the mean over outputs, each over its variance."""
    spread = y.var(axis=0)
    return ((told - y) ** 2 / np.where(spread > 0, spread, 1.0)).mean(axis=1)
