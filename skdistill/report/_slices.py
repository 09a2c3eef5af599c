"""Slices of the test rows: by class, by category, or by range of a number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..program import as_key, column_names, column_reader, is_frame, is_missing, numbers

#: A numeric column with more distinct values than this is sliced at its quartiles.
_MOST_VALUES = 10
#: The number of columns sliced by unless the user names others.
_MOST_COLUMNS = 50


def names_of(X: Any) -> list[str] | None:
    """Return the names of a table's columns; None if the rows are sparse or no table."""
    if len(getattr(X, "shape", ())) != 2 or hasattr(X, "tocsr"):
        return None
    return [str(name) for name in column_names(X)] if is_frame(X) else [f"column {at}" for at in range(X.shape[1])]


def chosen_columns(X: Any, slice_by: Sequence[Any] | None) -> list[int]:
    """Return the indices of the columns to slice by.

    Parameters
    ----------
    X : array, sparse matrix or frame of shape (n_rows, n_columns)
        The rows.
    slice_by : sequence of str or int, or None
        Names of a frame's columns, or indices of an array's; None for the first fifty.

    Returns
    -------
    indices : list of int
        Empty if the rows are sparse or no table.

    Raises
    ------
    ValueError
        If there is no such column.
    TypeError
        If `slice_by` is a str.
    """
    names = names_of(X)
    if names is None:
        if slice_by is None or len(slice_by) == 0:
            return []
        raise ValueError(f"slice_by={list(slice_by)}: these rows have no columns to slice by.")
    if slice_by is None:
        return list(range(min(len(names), _MOST_COLUMNS)))
    if isinstance(slice_by, str):
        raise TypeError(f"slice_by is the text {slice_by!r}; expected a list of columns: [{slice_by!r}].")
    known = column_names(X) if is_frame(X) else list(range(len(names)))
    unknown = [column for column in slice_by if column not in known]
    if unknown:
        raise ValueError(f"slice_by names columns that X does not have: {unknown}.")
    return [known.index(column) for column in slice_by]


def groups(X: Any, index: int) -> NDArray[Any]:
    """Return the category or the range of each row's cell in a column.

    Parameters
    ----------
    X : array or frame of shape (n_rows, n_columns)
        The rows.
    index : int
        The column.

    Returns
    -------
    groups : ndarray of shape (n_rows,)
        Text: a category, ``missing``, or the quartiles that a number lies between.
    """
    column = column_reader(X)(index)
    if column.dtype.kind == "M":
        days = column.astype("datetime64[D]")
        numbered = np.where(np.isnat(days), np.nan, days.astype(np.int64))
        return ranges(numbered, lambda day: str(np.datetime64(int(day), "D")))
    if column.dtype.kind in "fiu" and len(np.unique(column[~np.isnan(numbers(column))])) > _MOST_VALUES:
        return ranges(numbers(column))
    return np.array([cell_text(cell, "g") for cell in column.tolist()], dtype=object)


def ranges(values: NDArray[Any], write: Callable[[float], str] = "{:.4g}".format) -> NDArray[Any]:
    """Return the quartiles that each number lies between, as text, shape (n_rows,)."""
    cuts = np.unique(np.nanquantile(np.where(np.isfinite(values), values, np.nan), [0.25, 0.5, 0.75]))
    texts = [f"≤ {write(cuts[0])}"]
    texts += [f"{write(low)} to {write(high)}" for low, high in pairwise(cuts.tolist())]
    texts += [f"> {write(cuts[-1])}", "missing"]
    at = np.searchsorted(cuts, values, side="left")
    at[np.isnan(values)] = len(texts) - 1
    return np.array(texts, dtype=object)[at]


def cell_text(value: Any, form: str = ".4g") -> str:
    """Return a cell as text, a number with a fraction in the form given."""
    key = "missing" if is_missing(value) else as_key(value)
    return f"{key:{form}}" if isinstance(key, float) else str(key)


def large_enough(groups: NDArray[Any], min_rows: int) -> NDArray[Any]:
    """Return the slice of each row, empty text if the slice has fewer rows than `min_rows`."""
    values, at, n_rows = np.unique(groups.astype(str), return_inverse=True, return_counts=True)
    return np.where(n_rows[at] >= min_rows, values.astype(object)[at], "")


def shortened(text: str, longest: int = 60) -> str:
    """Return a text on one line, its end replaced by an ellipsis if it is too long."""
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
