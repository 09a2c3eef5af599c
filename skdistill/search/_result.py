"""The result of a search within a budget: the selected student, and the figures of all candidates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ._choice import is_within

#: The columns of the text form: name, key of a figure, how it is written.
_COLUMNS = (
    ("student", "name", "{}"),
    ("bytes", "nbytes", "{:,.0f}"),
    ("µs a row", "latency_us", "{:.3g}"),
    ("score", "score", "{:.4f}"),
    ("retention", "retention", "{:.4f}"),
    ("fidelity", "fidelity", "{:.4f}"),
)
#: For each limit, the figure that it refers to, and the text if it is missed.
_LIMITS = {
    "max_bytes": ("nbytes", "it has {:,.0f} bytes"),
    "max_latency_us": ("latency_us", "a row takes {:.3g} µs"),
    "min_retention": ("retention", "its retention is {:.4f}"),
}


@dataclass(frozen=True)
class BudgetResult:
    """Result of :func:`distill_to_budget`, with the attributes of a scikit-learn search; it prints as a table.

    Parameters
    ----------
    best_estimator_ : DistilledClassifier or DistilledRegressor
        The selected student, fitted, with its teacher; it predicts and exports. If none meets the budget, the closest
        one.
    best_index_ : int
        Its index in ``results_``.
    results_ : dict of str to ndarray
        The figures of all candidates by increasing size, those without a Program last; columns for
        ``pandas.DataFrame``. They are: ``name``; ``params``, a dict with the unfitted ``student`` and its ``weights``,
        "int8" or None; ``nbytes`` and ``n_parameters`` (NaN without a Program); ``score``, ``retention``, ``fidelity``
        (for regression R2 against the teacher) and ``log_loss`` (for regression ``rmse``) on the validation rows;
        ``latency_us``, the median for one row, if measured; and ``within_budget``.
    students : dict of str to student
        All fitted candidates, by name.
    teacher_score : float
        The teacher's score on the validation rows.
    scoring : str
        The name of the score.
    latency_of : str or None
        How rows were predicted: "compiled", "dict", "array", "frame" or "onnx"; None if latency was not measured.
    n_rows, n_valid : int
        The number of training rows without synthetic ones, and of validation rows.
    held_out : bool
        Whether the validation rows were held out of `X`.
    leaked : bool or None
        Whether the teacher was fitted on validation rows; None if unknown.
    refitted : bool
        Whether ``best_estimator_`` was refitted on training and validation rows. The figures are those of the first
        fit; its size may differ slightly.
    budget : dict of str to float
        The limits that were passed.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skdistill import distill_to_budget
    >>> X, y = load_iris(return_X_y=True)
    >>> forest = RandomForestClassifier(random_state=0)
    >>> result = distill_to_budget(forest, X, y, max_bytes=2_000, students={"linear": "linear"})
    >>> result.results_["name"].tolist(), result.met
    (['linear, int8', 'linear'], True)
    """

    best_estimator_: Any
    best_index_: int
    results_: dict[str, Any]
    students: dict[str, Any] = field(repr=False)
    teacher_score: float
    scoring: str
    latency_of: str | None
    n_rows: int
    n_valid: int
    held_out: bool
    leaked: bool | None
    refitted: bool
    budget: dict[str, float]

    @property
    def best_params_(self) -> dict[str, Any]:
        """The selected student, unfitted, and the type of its weights."""
        return self.results_["params"][self.best_index_]

    @property
    def best_score_(self) -> float:
        """Its score on the validation rows."""
        return float(self.results_["score"][self.best_index_])

    @property
    def met(self) -> bool:
        """Whether it meets the budget."""
        return bool(self.results_["within_budget"][self.best_index_])

    def __str__(self) -> str:
        limits = ", ".join(f"{name}={value:,}" for name, value in self.budget.items()) or "no limit"
        rows = [dict(zip(self.results_, values, strict=True)) for values in zip(*self.results_.values(), strict=True)]
        best = rows[self.best_index_]
        name = best["name"]
        if self.met:
            head = f"{name} meets the budget ({limits})."
        else:
            head = f"No student meets the budget ({limits}); {name} comes nearest: {self._misses(best)}."
        columns = [column for column in _COLUMNS if column[1] in best]
        cells = [[title for title, _, _ in columns]]
        for at, row in enumerate(rows):
            marked = {**row, "name": f"{'*' if at == self.best_index_ else ' '} {row['name']}"}
            cells.append([_written(marked[key], form) for _, key, form in columns])
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in cells
        ]
        where = "held out of X" if self.held_out else "given"
        foot = [
            f"{self.scoring} and fidelity on {self.n_valid:,} validation rows {where}, of students of {self.n_rows:,} "
            f"rows; the teacher's score is {self.teacher_score:.4f}"
        ]
        if self.leaked is None:
            foot.append("The teacher may have been fitted on the validation rows; then retention is underrated")
        elif self.leaked:
            seen = "has been fitted on them, and" if self.held_out else "and the students may have seen most of them:"
            foot.append(f"The teacher {seen} retention says little")
        if self.latency_of is not None:
            foot.append(f"A row is served as: {self.latency_of}")
        if self.refitted:
            foot.append(f"{name} was then fitted again to all of them")
        return "\n".join([head, "", *lines, "", *foot])

    def _misses(self, row: dict[str, Any]) -> str:
        return ", ".join(
            _written(row[key], form, "it has no Program")
            for name, (key, form) in _LIMITS.items()
            if name in self.budget and not is_within(row, {name: self.budget[name]})
        )


def _written(value: Any, form: str, missing: str = "no Program") -> str:
    """Return a figure as text; one that is NaN is missing."""
    return missing if value != value else form.format(value)
