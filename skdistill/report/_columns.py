"""The figures of a report: the title of each, its format, and its meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..metrics import format_bytes


@dataclass(frozen=True)
class Column:
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


def microseconds(value: float) -> str:
    """Return a time given in microseconds."""
    if value >= 999_500:
        return f"{value / 1e6:.3g} s"
    return f"{value / 1e3:.3g} ms" if value >= 999.5 else f"{value:.3g} µs"


def count(value: float) -> str:
    """Return a whole number with thousands separators."""
    return f"{value:,.0f}"


_COST = (
    Column("n_parameters", "parameters", count, "The number of fitted parameters in the student's Program."),
    Column("program_bytes", "Program", format_bytes, "The size of the arrays in the student's Program."),
    Column("pickle_bytes", "pickled", format_bytes, "The size of the pickled model, without the teacher."),
    Column("median_us", "one row", microseconds, "The median time to predict one row."),
    Column("p99_us", "p99", microseconds, "The time within which 99 of 100 single rows are predicted."),
    Column("rows_per_second", "rows/s", count, "The number of rows predicted in a second, in large batches."),
)

#: The columns that a frontier can have as its horizontal axis.
COSTS = {column.key: column for column in _COST if column.key in ("program_bytes", "pickle_bytes", "median_us")}

_CLASSIFICATION = (
    Column("accuracy", "accuracy", decimal, "The share of rows whose class is predicted correctly."),
    Column("log_loss", "log-loss", decimal, "The mean of -log(probability of the label); lower is better."),
)

_CLASSIFICATION_FIDELITY = (
    Column("fidelity", "agreement", percent, "The share of rows on which model and teacher predict the same class."),
    Column("fidelity_log_loss", "KL", decimal, "The mean Kullback-Leibler divergence from the teacher, in nats."),
    Column(
        "calibration_error",
        "ECE",
        decimal,
        "Expected calibration error: the mean distance between confidence and accuracy.",
    ),
    Column("worst_slice_agreement", "worst slice", percent, "The lowest agreement with the teacher on any slice."),
)

_REGRESSION = (
    Column("r2", "R2", decimal, "The share of the target's variance that is explained."),
    Column("rmse", "RMSE", in_units, "The root of the mean squared error, in the target's unit."),
    Column("mae", "MAE", in_units, "The mean absolute error, in the target's unit."),
)

_REGRESSION_FIDELITY = (
    Column("fidelity", "R2 teacher", decimal, "The share of the variance of the teacher's predictions explained."),
    Column("fidelity_rmse", "RMSE teacher", in_units, "The root of the mean squared difference from the teacher."),
    Column("fidelity_mae", "MAE teacher", in_units, "The mean absolute difference from the teacher."),
    Column("worst_slice_rmse", "worst slice", in_units, "The highest RMSE to the teacher on any slice."),
)


def columns_of(scoring: str, *, regression: bool) -> tuple[Column, ...]:
    """Return the columns of a report whose retention is of the scorer `scoring`."""
    scores, fidelity = (
        (_REGRESSION, _REGRESSION_FIDELITY) if regression else (_CLASSIFICATION, _CLASSIFICATION_FIDELITY)
    )
    inverse = ", inverted since it is a loss" if scoring.startswith("neg_") else ""
    own = Column(scoring, scoring, decimal, f"scikit-learn's {scoring}.")
    is_shown = scoring.removeprefix("neg_") in {column.key for column in scores}
    retention = Column("retention", "retention", percent, f"The model's {scoring} over the teacher's{inverse}.")
    return (*scores, *(() if is_shown else (own,)), retention, *fidelity, *_COST)
