"""The figures of a report: the title of each, its format, and its meaning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..metrics import format_bytes


class Column(NamedTuple):
    """A figure of the table.

    Parameters
    ----------
    key : str
        Its key in a row of the table.
    title : str
        The title of its column.
    write : callable
        From its value to text.
    meaning : str
        A sentence that explains it.
    """

    key: str
    title: str
    write: Callable[[Any], str]
    meaning: str


def percent(value: float) -> str:
    """Return a ratio as per cent."""
    return f"{100 * value:.2f}%"


def decimal(value: float) -> str:
    """Return a score with four decimals."""
    return f"{value:z.4f}"


def in_units(value: float) -> str:
    """Return a number in the target's unit with four significant digits."""
    return f"{value:,.0f}" if abs(value) >= 9999.5 else f"{value:.4g}"


def metric_name(scoring: str) -> str:
    """Return the name of a scorer's metric as one writes it."""
    return scoring.removeprefix("neg_").replace("_", " ").replace("log loss", "log-loss")


def microseconds(value: float) -> str:
    """Return a time given in microseconds."""
    if value >= 999_500:
        return f"{value / 1e6:.3g} s"
    return f"{value / 1e3:.3g} ms" if value >= 999.5 else f"{value:.3g} µs"


def count(value: float) -> str:
    """Return a whole number with thousands separators."""
    return f"{value:,.0f}"


COST = (
    Column("n_parameters", "parameters", count, "The number of fitted parameters in the student's Program."),
    Column("program_bytes", "Program", format_bytes, "The size of the arrays in the student's Program."),
    Column("pickle_bytes", "pickled", format_bytes, "The size of the pickled model, without the teacher."),
    Column("median_us", "one row", microseconds, "The median time to predict one row."),
    Column("p99_us", "p99", microseconds, "The time within which 99 of 100 single rows are predicted."),
    Column("rows_per_second", "rows/s", count, "The number of rows predicted in a second, in large batches."),
)

#: The columns that a frontier can have as its horizontal axis.
COSTS = {column.key: column for column in COST if column.key in ("program_bytes", "pickle_bytes", "median_us")}
