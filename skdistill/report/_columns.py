"""The figures of a report: what each is called, how it is written, and what it means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .._sizes import written


@dataclass(frozen=True)
class Column:
    """A figure of the table.

    Parameters
    ----------
    key : str
        Its key in a row of the table.
    title : str
        What the head of its column says.
    write : callable
        From its value to text.
    meaning : str
        What it is, in a sentence.
    """

    key: str
    title: str
    write: Callable[[Any], str]
    meaning: str


def share(value: float) -> str:
    """Return a share as per cent."""
    return f"{100 * value:.2f}%"


def decimal(value: float) -> str:
    """Return a score."""
    return f"{value:z.4f}"


def figures(value: float) -> str:
    """Return a number in the target's unit, four digits of it."""
    return f"{value:,.0f}" if abs(value) >= 9999.5 else f"{value:.4g}"


def tick(value: float) -> str:
    """Return a round number in few characters, such as 12k."""
    for unit, name in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:.4g}{name}"
    return f"{value:.4g}"


def microseconds(value: float) -> str:
    """Return a time, given in microseconds."""
    if value >= 999_500:
        return f"{value / 1e6:.3g} s"
    return f"{value / 1e3:.3g} ms" if value >= 999.5 else f"{value:.3g} µs"


def count(value: float) -> str:
    """Return a whole number with its thousands apart."""
    return f"{value:,.0f}"


#: What is measured of a model whatever it predicts.
COST = (
    Column("n_parameters", "parameters", count, "The numbers that the student's Program has learned."),
    Column(
        "program_bytes",
        "Program",
        written,
        "The bytes of the arrays of the student's Program, which is all that an export holds.",
    ),
    Column(
        "pickle_bytes", "pickled", written, "The bytes of the pickled model: of a distilled one, of its student alone."
    ),
    Column(
        "median_us",
        "one row",
        microseconds,
        "The median time to answer one row, by predict_proba or of numbers by predict.",
    ),
    Column("p99_us", "p99", microseconds, "The time within which 99 of 100 single rows are answered."),
    Column("rows_per_second", "rows/s", count, "How many rows are answered in a second, many at a time."),
)


def _retention(metric: str) -> Column:
    loss = " (of a loss, the teacher's over the model's)" if metric.startswith("neg_") else ""
    return Column("retention", "retention", share, f"The model's {metric} over the teacher's{loss}.")


def classification_columns(metric: str) -> tuple[Column, ...]:
    """Return the figures of a classifier; `metric` is what the retention is of."""
    own = (
        ()
        if metric in ("accuracy", "neg_log_loss")
        else (Column(metric, metric, decimal, f"scikit-learn's {metric}."),)
    )
    return (
        Column("accuracy", "accuracy", decimal, "The share of the rows whose label is named."),
        Column("log_loss", "log-loss", decimal, "The mean of -log(probability of the label); lower is better."),
        *own,
        _retention(metric),
        Column("fidelity", "agreement", share, "The share of the rows on which model and teacher name the same class."),
        Column(
            "fidelity_log_loss",
            "KL",
            decimal,
            "The Kullback-Leibler divergence of the model's probabilities from the teacher's, in nats a row.",
        ),
        Column(
            "calibration_error",
            "ECE",
            decimal,
            "Expected calibration error: how far the probability of the first choice is from how often it is right.",
        ),
        Column(
            "worst_slice_agreement",
            "worst slice",
            share,
            "The agreement on the slice of the rows on which it is lowest.",
        ),
        *COST,
    )


def regression_columns(metric: str) -> tuple[Column, ...]:
    """Return the figures of a regressor; `metric` is what the retention is of."""
    own = () if metric == "r2" else (Column(metric, metric, decimal, f"scikit-learn's {metric}."),)
    return (
        Column("r2", "R2", decimal, "The share of the variance of what is to be predicted that is explained."),
        Column("rmse", "RMSE", figures, "The root of the mean squared error, in the target's unit."),
        Column("mae", "MAE", figures, "The mean absolute error, in the target's unit."),
        *own,
        _retention(metric),
        Column(
            "fidelity",
            "R2 teacher",
            decimal,
            "The share of the variance of the teacher's that is explained.",
        ),
        Column("fidelity_rmse", "RMSE teacher", figures, "The root of the mean squared difference from the teacher."),
        Column("fidelity_mae", "MAE teacher", figures, "The mean absolute difference from the teacher."),
        Column(
            "worst_slice_rmse",
            "worst slice",
            figures,
            "The RMSE to the teacher on the slice of the rows on which it is highest.",
        ),
        *COST,
    )
