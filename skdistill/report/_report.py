"""The report object: figures, and their forms as text, frame and page."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._validation import import_optional
from ..export import write_files
from ._columns import Column, count, figures, share

Array = NDArray[Any]


@dataclass(frozen=True)
class Details:
    """What a report shows of a model beside its row of the table.

    Parameters
    ----------
    slices : list of dict
        ``column``, ``slice``, ``n_rows`` and ``agreement`` with the teacher, the lowest first; of numbers
        ``rmse`` to the teacher, the highest first.
    disagreements : list of dict
        The rows on which the answers differ most.
    merit : ndarray of shape (n_rows,)
        What the model does for each row: 1 where it names the label, else 0; of numbers minus its squared error,
        in variances of the target.
    in_fit : dict or None
        The ``distillation_report_`` of a distilled model.
    reliability : dict of str to ndarray of shape (n_filled_bins,), or None
        Of classes: ``confidence``, ``accuracy`` and ``n_rows`` by the probability of the first choice.
    confusion : ndarray of shape (n_classes, n_classes) or None
        Of classes: in how many rows the teacher (rows) and the model (columns) name which.
    curves : list of dict
        Of numbers, for each of the first outputs: ``predicted``, ``actual`` and ``n_rows`` by ranges of what is
        predicted.
    densities : list of dict
        Of numbers, for each of the first outputs: how many rows lie where of the model's numbers against the
        teacher's, ``edges`` and ``counts``.
    """

    slices: list[dict[str, Any]]
    disagreements: list[dict[str, Any]]
    merit: Array
    in_fit: Mapping[str, Any] | None
    reliability: Mapping[str, Array] | None = None
    confusion: Array | None = None
    curves: list[dict[str, Array]] = field(default_factory=list)
    densities: list[dict[str, Array]] = field(default_factory=list)


@dataclass(frozen=True, repr=False)
class Report:
    """A teacher and its students on the same test rows; :func:`skdistill.compare` makes it.

    Printed, it is a table and what it comes to; in a notebook, or written by ``to_html``, a page
    with pictures.

    Parameters
    ----------
    table : dict of str to dict
        For the teacher (``"teacher"``) and each student its figures: ``kind`` ("teacher",
        "student" or "labels only"), ``model`` (its class); of classes ``accuracy``, ``log_loss``,
        ``retention``, ``fidelity``, ``fidelity_log_loss``, ``calibration_error``,
        ``worst_slice_agreement`` and ``worst_slice``; of numbers ``r2``, ``rmse``, ``mae``,
        ``retention``, ``fidelity`` (R2 against the teacher), ``fidelity_rmse``, ``fidelity_mae``,
        ``worst_slice_rmse`` and ``worst_slice``; and ``n_parameters``, ``program_bytes``,
        ``pickle_bytes``, ``median_us``, ``p99_us`` and ``rows_per_second``. None where there is
        no such figure: a model without a Program has no ``program_bytes``.
    columns : tuple of Column
        The figures that are shown: key, title, how they are written, and meaning.
    chosen : str
        The smallest student whose retention is within `tolerance` of the highest.
    metric : str
        What the retention is of.
    tolerance : float
        As given to compare.
    n_rows : int
        The number of test rows.
    classes : ndarray of shape (n_classes,) or None
        The class labels, sorted; None of numbers.
    n_bins, min_rows : int
        As given to compare.
    details : dict of str to Details
        For each model what the pictures show, and the slices and the rows on which it differs most
        from the teacher.
    environment : dict
        ``machine``, a dict of versions and hardware; where times were measured also
        ``n_threads`` and ``batch_rows``.
    """

    table: dict[str, dict[str, Any]]
    columns: tuple[Column, ...]
    chosen: str
    metric: str
    tolerance: float
    n_rows: int
    classes: Array | None
    n_bins: int
    min_rows: int
    details: dict[str, Details] = field(repr=False)
    environment: dict[str, Any]

    def shown_columns(self) -> list[Column]:
        """Return the columns of which any model has a figure.

        Returns
        -------
        columns : list of Column
            In the order of the table.
        """
        return [one for one in self.columns if any(row.get(one.key) is not None for row in self.table.values())]

    def text_of(self, name: str, column: Column) -> str:
        """Return a figure as it is written.

        Parameters
        ----------
        name : str
            The model's name.
        column : Column
            The column of the table.

        Returns
        -------
        text : str
            Empty where there is no figure.
        """
        row = self.table[name]
        value = row.get(column.key)
        if value is None:
            return "no Program" if column.key == "program_bytes" and row["kind"] != "teacher" else ""
        return column.write(value)

    def findings(self) -> list[str]:
        """Return what the figures come to, in sentences.

        Returns
        -------
        sentences : list of str
            What the chosen student keeps and saves, and whether distilling was worth it.
        """
        student, teacher = self.table[self.chosen], self.table["teacher"]
        agrees = (
            f"agrees with the teacher on {share(student['fidelity'])} of {count(self.n_rows)} rows"
            if self.classes is not None
            else f"explains {share(student['fidelity'])} of the variance of the teacher's answers to "
            f"{count(self.n_rows)} rows"
        )
        kept = (
            f"its {self.metric} is {share(student['retention'])} of the teacher's"
            if not np.isnan(student["retention"])
            else f"the teacher's own {self.metric} is zero or below, of which no share can be kept"
        )
        found = [
            f"{self.chosen} is the smallest student whose retention is within {100 * self.tolerance:g} % of the "
            f"highest. It {agrees}; {kept}."
        ]
        saved = []
        if student["pickle_bytes"] and teacher["pickle_bytes"]:
            ratio = teacher["pickle_bytes"] / student["pickle_bytes"]
            saved.append(f"is {_times(ratio, 'smaller', 'larger')}, pickled,")
        if student["median_us"] and teacher["median_us"]:
            ratio = teacher["median_us"] / student["median_us"]
            saved.append(f"answers a row {_times(ratio, 'faster', 'slower')}")
        if saved:
            found.append(f"It {' and '.join(saved)} than the teacher.")
        yardstick = next((name for name, row in self.table.items() if row["kind"] == "labels only"), None)
        if yardstick is not None:
            found.append(self._against(yardstick))
        return found

    def _against(self, yardstick: str) -> str:
        """Return how the chosen student does beside one that learned from labels alone."""
        first, second = self.table[self.chosen], self.table[yardstick]
        difference = self.details[self.chosen].merit - self.details[yardstick].merit
        gain = 100 * float(difference.mean())
        error = 100 * float(difference.std() / np.sqrt(len(difference)))
        verdict = (
            "Distilling was worth it"
            if gain > error
            else "It loses to labels alone"
            if gain < -error
            else "No clear gain"
        )
        if self.classes is not None:
            closer = 100 * (first["fidelity"] - second["fidelity"])
            better = (
                f"its accuracy is {_points(gain)} (± {error:.2f}, one standard error) and its agreement with the "
                f"teacher {_points(closer)}"
            )
        else:
            side = "lower" if gain >= 0 else "higher"
            better = (
                f"its mean squared error is {abs(gain):.2f} % of the target's variance {side} (± {error:.2f}, one "
                f"standard error) and its RMSE to the teacher is {figures(first['fidelity_rmse'])} instead of "
                f"{figures(second['fidelity_rmse'])}"
            )
        return f"{verdict}: beside {yardstick}, fitted to labels alone, {better}."

    def to_pandas(self) -> Any:
        """Return the table as a pandas DataFrame, a row for each model.

        Returns
        -------
        frame : DataFrame of shape (n_models, n_figures)
            Indexed by the models' names.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pandas = import_optional("pandas", "Report.to_pandas", "benchmarks")
        return pandas.DataFrame.from_dict(self.table, orient="index")

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write the report as one page that needs nothing besides.

        Parameters
        ----------
        path : path-like
            The file to write.

        Raises
        ------
        OSError
            If it cannot be written; nothing half-written is left behind.
        """
        from ._page import page

        write_files({path: page(self).encode()})

    def _repr_html_(self) -> str:
        from ._page import fragment

        return fragment(self)

    def __str__(self) -> str:
        columns = self.shown_columns()
        lines = [["", *(column.title for column in columns)]]
        lines += [
            [f"{name}{self._mark(name)}", *(self.text_of(name, column) for column in columns)] for name in self.table
        ]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in lines]
        text.insert(1, "-" * len(max(text, key=len)))
        return "\n".join([*text, "", *self.findings(), "", self.foot()])

    def _mark(self, name: str) -> str:
        kind = self.table[name]["kind"]
        if name == self.chosen:
            return " *"
        return " (labels only)" if kind == "labels only" and name != kind else ""

    __repr__ = __str__

    def foot(self) -> str:
        """Return what the figures depend on besides models and rows.

        Returns
        -------
        text : str
            Threads, batches and versions, in a sentence.
        """
        seen = self.environment
        machine = ", ".join(f"{name} {value}" for name, value in seen["machine"].items())
        if "n_threads" not in seen:
            return f"Times were not measured; {machine}."
        threads = f"{seen['n_threads']} thread{'' if seen['n_threads'] == 1 else 's'}"
        return f"Times by {threads}, batches of {count(seen['batch_rows'])} rows; {machine}."


def _times(ratio: float, more: str, less: str) -> str:
    ratio, word = (ratio, more) if ratio >= 1 else (1 / ratio, less)
    if ratio < 1.05:
        return f"hardly {word}"
    return f"{count(ratio) if ratio >= 100 else f'{ratio:.2g}'} times {word}"


def _points(difference: float) -> str:
    return f"{abs(difference):.2f} points {'higher' if difference >= 0 else 'lower'}"
