"""The report: results with their forms as text, frame and page."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._checks import import_optional
from ..export import write_files
from ..tasks import Task
from ._columns import Column, count, metric_name, percent
from ._kinds import KINDS, Kind
from ._page import fragment, page


@dataclass(frozen=True)
class Details:
    """What a report holds of a model besides its row of the table.

    Parameters
    ----------
    slices : list of dict
        ``column``, ``slice``, ``n_rows`` and ``agreement`` with the teacher, the lowest first; for regressors
        ``rmse`` to the teacher, the highest first.
    disagreements : list of dict
        The rows on which model and teacher differ most.
    answers : dict of str to ndarray of shape (n_rows, ...)
        The ``label`` of each row, where it is known, and what ``teacher`` (or ``baseline``) and ``student`` predict;
        for classifiers also ``teacher_probability`` and ``student_probability``, that of the predicted class.
    in_fit : dict or None
        The ``distillation_report_`` of a distilled model.
    reliability : dict of str to ndarray of shape (n_filled_bins,), or None
        Classifiers: ``confidence``, ``accuracy`` and ``n_rows`` by the probability of the predicted class.
    rare : dict of object to dict
        Classifiers, for each rare class: ``probability``, ``rate`` and ``n_rows`` by its probability.
    confusion : ndarray of shape (n_classes, n_classes) or None
        Classifiers: the number of rows by the class that the teacher (rows) and the model (columns) predict.
    predictions : ndarray of shape (n_rows, n_outputs) or None
        Regressors: the model's predictions.
    curves : list of dict
        Regressors, for each of the first four outputs: ``predicted``, ``actual`` and ``n_rows`` by ranges of the
        prediction.
    """

    slices: list[dict[str, Any]]
    disagreements: list[dict[str, Any]]
    answers: dict[str, NDArray[Any]]
    in_fit: Mapping[str, Any] | None
    reliability: dict[str, NDArray[Any]] | None = None
    rare: Mapping[Any, dict[str, NDArray[Any]]] = field(default_factory=dict)
    confusion: NDArray[Any] | None = None
    predictions: NDArray[Any] | None = None
    curves: list[dict[str, NDArray[Any]]] = field(default_factory=list)


@dataclass(frozen=True, repr=False)
class Report:
    """Comparison of students with their teacher, or with a baseline, on the same rows.

    :func:`skdistill.compare` returns it. It prints as a table with its findings. In a notebook, and with ``to_html``,
    it is a page with plots.

    Parameters
    ----------
    table : dict of str to dict
        The figures of the teacher (``"teacher"``), or of the baseline (``"baseline"``), and of each student: ``kind``
        ("teacher", "baseline", "student" or "labels only") and ``model`` (its class, or that of a Pipeline's last
        step); for classifiers ``accuracy``, ``log_loss``, ``retention``, ``fidelity`` (agreement with the teacher),
        ``fidelity_log_loss``, ``calibration_error``, ``worst_slice_agreement`` and ``worst_slice``; for regressors
        ``r2``, ``rmse``, ``mae``, ``retention``, ``fidelity`` (R2 against the teacher), ``fidelity_rmse``,
        ``fidelity_mae``, ``worst_slice_rmse`` and ``worst_slice``; and ``n_parameters``, ``program_bytes``,
        ``pickle_bytes``, ``median_us``, ``p99_us`` and ``rows_per_second``. A figure that does not apply is None or
        absent: a model without a Program has no ``program_bytes``, and without labels there are no scores.
    task : Task
        The kind of target.
    reference : {"teacher", "baseline"}
        What the students were compared with.
    columns : tuple of Column
        The columns to show, each with key, title, format and meaning.
    chosen : str
        The recommended student: the smallest one whose retention (without labels, fidelity) is within `tolerance` of
        the highest.
    verdict : str
        A sentence that says whether distilling was worth it or, with a baseline, what changes.
    notes : list of str
        Caveats about the rows, for reading the figures.
    scoring : str
        The scorer of the retention.
    tolerance : float
        As given to compare.
    n_rows : int
        The number of test rows.
    classes : ndarray of shape (n_classes,) or None
        The class labels, sorted; None for regressors.
    n_bins, min_rows : int
        As given to compare.
    details : dict of str to Details
        For each model, the curves of the plots, and the slices and rows on which it differs most from the teacher.
    index : ndarray of shape (n_rows,) or None
        The index of the test rows, if they are a frame with an index.
    environment : dict
        ``machine``, a dict of versions and hardware; if latencies were measured, also ``n_threads`` and ``batch_rows``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skdistill import LinearStudent, compare
    >>> X, y = load_iris(return_X_y=True)
    >>> forest = RandomForestClassifier(random_state=0).fit(X[::2], y[::2])
    >>> report = compare(forest, LinearStudent().fit(X[::2], y[::2]), X[1::2], y[1::2], latency=False)
    >>> list(report.table), report.n_rows
    (['teacher', 'LinearStudent'], 75)
    >>> report.table["LinearStudent"]["accuracy"]
    0.9466666666666667
    """

    table: dict[str, dict[str, Any]]
    task: Task
    reference: str
    columns: tuple[Column, ...]
    chosen: str
    verdict: str
    notes: list[str]
    scoring: str
    tolerance: float
    n_rows: int
    classes: Any
    n_bins: int
    min_rows: int
    details: dict[str, Details]
    index: Any
    environment: dict[str, Any]

    @property
    def kind(self) -> type[Kind]:
        """Whether classifiers or regressors were compared."""
        return KINDS[self.task]

    def shown_columns(self) -> list[Column]:
        """Return the columns in which some model has a figure.

        Returns
        -------
        columns : list of Column
            In the order of the table.
        """
        return [one for one in self.columns if any(row.get(one.key) is not None for row in self.table.values())]

    def figures_of(self, key: str) -> dict[str, Any]:
        """Return one figure for every model.

        Parameters
        ----------
        key : str
            The key of the figure in a row of the table.

        Returns
        -------
        figures : dict of str to object
            The figure of each model, by name.
        """
        return {name: row.get(key) for name, row in self.table.items()}

    def text_of(self, name: str, column: Column) -> str:
        """Return a figure as text.

        Parameters
        ----------
        name : str
            The model's name.
        column : Column
            The column of the table.

        Returns
        -------
        text : str
            Empty if there is no figure.
        """
        row = self.table[name]
        value = row.get(column.key)
        if value is None:
            return "no Program" if column.key == "program_bytes" and row["kind"] != self.reference else ""
        return column.write(value)

    def findings(self) -> list[str]:
        """Return the findings as sentences.

        Returns
        -------
        sentences : list of str
            The quality and the savings of the recommended student, and whether distilling was worth it.
        """
        reference = self.reference
        student, teacher = self.table[self.chosen], self.table[reference]
        retention, metric = student.get("retention"), metric_name(self.scoring)
        fidelity = self.kind.fidelity_text.replace("teacher", reference).format(percent(student["fidelity"]))
        if retention is None:
            result = fidelity
        elif np.isnan(retention):
            result = f"{fidelity}; the {reference}'s own {metric} is not above zero, so there is no retention"
        elif self.scoring.startswith("neg_") and 0.0 < retention < np.inf:
            change = 1.0 / retention - 1.0
            side = "lower" if change < 0 else "higher"
            result = f"{fidelity}; its {metric} is {percent(abs(change))} {side} than the {reference}'s"
        else:
            result = f"{fidelity}; its {metric} is {percent(retention)} of the {reference}'s"
        rows, several = (
            f"On {count(self.n_rows)} rows",
            [row["kind"] for row in self.table.values()].count("student") > 1,
        )
        share = f"{100 * self.tolerance:g} %"
        within = f"whose fidelity is within {share} of the highest"
        if retention is not None:
            within = f"within {share} of the best {metric}, with 95 % of its gain over a constant prediction"
        chosen = f"{self.chosen} is the smallest student {within}."
        found = [
            *self.notes,
            f"{chosen} {rows} it {result}." if several else f"{rows} {self.chosen} {result}.",
        ]
        saved = []
        if student["pickle_bytes"] and teacher["pickle_bytes"]:
            ratio = teacher["pickle_bytes"] / student["pickle_bytes"]
            saved.append(f"is {_times(ratio, 'smaller', 'larger')}, pickled,")
        if student["median_us"] and teacher["median_us"]:
            saved.append(f"predicts a row {_times(teacher['median_us'] / student['median_us'], 'faster', 'slower')}")
        if saved:
            found.append(f"It {' and '.join(saved)} than the {reference}.")
        return [*found, self.verdict]

    def changed_rows(self, name: str | None = None) -> dict[str, NDArray[Any]]:
        """Return the rows for which a student's prediction differs from the teacher's or the baseline's.

        Parameters
        ----------
        name : str, default=None
            The name of the student; None uses the recommended one.

        Returns
        -------
        rows : dict of str to ndarray of shape (n_changed, ...)
            Columns for ``pandas.DataFrame``: the positions (``row``); the ``index``, if the test rows have one; the
            ``label``, if known; the predictions of ``teacher`` (or ``baseline``) and ``student``; for classifiers also
            the probabilities of the predicted classes.

        Raises
        ------
        KeyError
            If there is no such student.
        """
        answers = self.details[self.chosen if name is None else name].answers
        changed = answers[self.reference] != answers["student"]
        rows = np.flatnonzero(changed if changed.ndim == 1 else changed.any(axis=1))
        index = {} if self.index is None else {"index": self.index[rows]}
        return {"row": rows, **index, **{key: values[rows] for key, values in answers.items()}}

    def foot(self) -> str:
        """Return how and where latencies were measured.

        Returns
        -------
        text : str
            A sentence with threads, batch size and versions.
        """
        machine = ", ".join(f"{name} {value}" for name, value in self.environment["machine"].items())
        if "n_threads" not in self.environment:
            return f"Times were not measured; {machine}."
        # always one: times with as many threads as there are processors would not compare
        threads, batch = self.environment["n_threads"], count(self.environment["batch_rows"])
        return f"Times with {threads} thread, batches of {batch} rows; {machine}."

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

    __repr__ = __str__

    def _mark(self, name: str) -> str:
        kind = self.table[name]["kind"]
        if name == self.chosen:
            return " *"
        return " (labels only)" if kind == "labels only" and kind not in name else ""

    def to_pandas(self) -> Any:
        """Return the table as a pandas DataFrame with a row for each model.

        Returns
        -------
        frame : DataFrame of shape (n_models, n_figures)
            Indexed by the models' names.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pandas = import_optional("pandas", "Report.to_pandas", "pandas")
        return pandas.DataFrame.from_dict(self.table, orient="index")

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write the report as one self-contained HTML page.

        The plots need matplotlib (``pip install skdistill[plot]``); without it the page has none.

        Parameters
        ----------
        path : path-like
            The file to write.

        Raises
        ------
        OSError
            If it cannot be written. Writes are atomic.
        """
        write_files({path: page(self).encode()})

    def _repr_html_(self) -> str:
        return fragment(self)


def _times(ratio: float, more: str, less: str) -> str:
    ratio, word = (ratio, more) if ratio >= 1 else (1 / ratio, less)
    if ratio < 1.05:
        return f"hardly {word}"
    return f"{count(ratio) if ratio >= 100 else f'{ratio:.2g}'} times {word}"
