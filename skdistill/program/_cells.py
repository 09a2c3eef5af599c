"""Cells: turns single cells, and columns of them, into numbers: codes of levels, numbers, seconds, words."""

from __future__ import annotations

import datetime
import sys
import warnings
from collections.abc import Callable
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._text_cells import date_reader, number_reader, words_of

Array = NDArray[Any]

_EPOCH = datetime.datetime(1970, 1, 1)
_EPOCH_UTC = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def user_level() -> int:
    """Return the `stacklevel` by which a warning of the caller points to the code that called this package."""
    ours = (__name__.partition(".")[0], "sklearn")
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in ours:
        frame, level = frame.f_back, level + 1
    return level


def is_missing(value: Any) -> bool:
    """Tell whether a cell is missing: None, NaN, or a frame library's own missing value."""
    if value is None:
        return True
    if isinstance(value, str):
        return False
    try:
        return bool(value != value)
    except (TypeError, ValueError, ArithmeticError):
        # comparing pandas' NA or an array has no truth value, and a signalling NaN of decimal cannot be compared
        return type(value).__name__ == "NAType"


def as_key(value: Any) -> Any:
    """Return the lookup key of a level: a str, bool, int or float as it is, anything else as its text."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str | bool | int | float):
        return value
    return str(value)


def as_number(value: Any) -> float:
    """Return a cell of a numeric column as a float, NaN if it is missing."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        if is_missing(value):
            return np.nan
        if isinstance(value, datetime.timedelta):
            return _of_delta(value)
        if isinstance(value, np.timedelta64):
            return float(_of_ticks(value.astype("timedelta64[us]").astype(np.int64)))
        if isinstance(value, int):
            return np.inf if value > 0 else -np.inf
        raise


def as_seconds(value: Any) -> float:
    """Return a cell of a datetime column as seconds since 1970 (UTC), NaN if it is missing."""
    if is_missing(value):
        return np.nan
    if isinstance(value, np.datetime64):
        return float(_of_ticks(value.astype("datetime64[us]").astype(np.int64)))
    if isinstance(value, datetime.datetime):
        origin = _EPOCH if value.tzinfo is None else _EPOCH_UTC
        return _of_delta(value - origin)
    if isinstance(value, datetime.date):
        return float((value - _EPOCH.date()).days) * 86400.0
    if isinstance(value, str):
        return as_seconds(datetime.datetime.fromisoformat(value))
    raise TypeError(f"{value!r} is not a date")


def _of_delta(delta: datetime.timedelta) -> float:
    """Return a duration in seconds, identical to the last bit to that of :func:`_of_ticks`."""
    return delta.days * 86400 + delta.seconds + delta.microseconds / 1e6


def _of_ticks(ticks: Any) -> Any:
    """Convert int64 microseconds to seconds, whole seconds apart: a float cannot hold all microseconds exactly."""
    whole, rest = np.divmod(ticks, 1_000_000)
    return whole + rest / 1e6


def numbers(column: Array) -> Array:
    """Convert a numeric column to float64, shape (n_rows,); one of float64 is returned as it is."""
    if column.dtype.kind in "fiub":
        return column.astype(np.float64, copy=False)
    if column.dtype.kind == "m":
        return np.where(np.isnat(column), np.nan, _of_ticks(column.astype("timedelta64[us]").astype(np.int64)))
    return np.array([as_number(value) for value in column.tolist()], dtype=np.float64)


def is_span(column: Array) -> bool:
    """Tell whether a column holds time spans and nothing else, apart from missing cells."""
    if column.dtype != object:
        return column.dtype.kind == "m"
    known = [value for value in column.tolist() if not is_missing(value)]
    return bool(known) and all(isinstance(value, datetime.timedelta | np.timedelta64) for value in known)


def seconds(column: Array) -> Array:
    """Convert a column of dates to float64 seconds since 1970 (UTC), shape (n_rows,)."""
    if column.dtype.kind == "M":
        return np.where(np.isnat(column), np.nan, _of_ticks(column.astype("datetime64[us]").astype(np.int64)))
    return np.array([as_seconds(value) for value in column.tolist()], dtype=np.float64)


def plain_cells(column: Array) -> list[Any]:
    """Return the cells of a column as Python values; of dates in nanoseconds, tolist makes integers."""
    return (column.astype(f"{column.dtype.kind}8[us]") if column.dtype.kind in "mM" else column).tolist()


def distinct(cells: list[Any]) -> tuple[list[Any], Array]:
    """Return the distinct cells, and where among them each cell is, shape (n_rows,); TypeError if one has no hash."""
    found = {cell: at for at, cell in enumerate(dict.fromkeys(cells))}
    return list(found), np.fromiter(map(found.__getitem__, cells), np.intp, len(cells))


class Levels:
    """Looks up a level: its own code, the code of other levels, or the code of a missing value."""

    def __init__(self, levels: dict[Any, int], other: float, missing: float) -> None:
        self.levels = levels
        self.other = other
        self.missing = levels.get(None, missing)

    def __call__(self, value: Any) -> float:
        try:
            code = self.levels.get(value)
        except TypeError:
            code = None
        return self._unusual(value) if code is None else code

    def _unusual(self, value: Any) -> float:
        if is_missing(value):
            return self.missing
        return self.levels.get(as_key(value), self.other)

    def many(self, values: list[Any]) -> Array:
        """Look up every value of a column."""
        try:
            codes = np.fromiter(map(self.levels.get, values, repeat(np.nan)), np.float64, len(values))
        except TypeError:
            return np.array([self(value) for value in values], dtype=np.float64)
        unusual: dict[Any, float] = {}
        for at in np.flatnonzero(np.isnan(codes)).tolist():
            value = values[at]
            if value not in unusual:
                unusual[value] = self._unusual(value)
            codes[at] = unusual[value]
        return codes


class Word:
    """Tells whether a text has a word."""

    def __init__(self, word: str) -> None:
        self.word = word
        self._utf8 = word.encode()

    def __call__(self, value: Any) -> float:
        return float(self._utf8 in words_in(value))

    def among(self, words: list[frozenset[bytes]]) -> list[bool]:
        """Tell it of every text of a column, given as words."""
        return [self._utf8 in each for each in words]


def words_in(value: Any) -> frozenset[bytes]:
    """Return the words of a cell; only a text has any."""
    return words_of(value) if isinstance(value, str) else frozenset()


class FormReader:
    """Reads the cells of a column of numbers or dates some of which are texts; what cannot be read is missing."""

    def __init__(self, kind: str, form: str) -> None:
        self._read = as_number if kind == "number" else as_seconds
        self._read_text: Callable[[str], Any] = number_reader(form) if kind == "number" else date_reader(form)

    def __call__(self, value: Any) -> float:
        try:
            return self._read(self._of_text(value) if isinstance(value, str) else value)
        except (TypeError, ValueError):
            return np.nan

    def _of_text(self, text: str) -> Any:
        # booleans are often written out
        flag = {"True": 1.0, "False": 0.0}.get(text) if self._read is as_number else None
        return self._read_text(text) if flag is None else flag

    def many(self, values: list[Any]) -> Array:
        """Read every cell of a column."""
        return np.array([self(value) for value in values], dtype=np.float64)


def warn_of_another_form(name: Any, levels: list[Any], values: Array, where: Array) -> None:
    """Warn if most cells of a column, each at its place among its levels, cannot be read as those of fit were."""
    unread = [at for at, value in enumerate(values.tolist()) if value != value and not is_missing(levels[at])]
    n_cells = np.bincount(where % len(levels), minlength=len(levels))[unread]
    if n_cells.sum() > len(where) / 2:
        warnings.warn(
            f"Column {name!r} holds {levels[unread[n_cells.argmax()]]!r}: {n_cells.sum()} of {len(where)} cells are "
            "read as missing, since they were written in another way in fit.",
            UserWarning,
            stacklevel=user_level(),
        )


def cell_reader(kind: str, form: str) -> Callable[[Any], float]:
    """Return the function that reads a cell of a column of numbers or dates."""
    return FormReader(kind, form) if form else as_number if kind == "number" else as_seconds
