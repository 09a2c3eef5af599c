"""The result of a search within a budget: the student, and the figures of all that were tried."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ._choice import is_within

#: The columns of the text form: name, key of a row, how it is written.
_COLUMNS = (
    ("student", "name", "{}"),
    ("bytes", "nbytes", "{:,}"),
    ("µs a row", "latency_us", "{:.0f}"),
    ("score", "score", "{:.4f}"),
    ("retention", "retention", "{:.4f}"),
    ("fidelity", "fidelity", "{:.4f}"),
)
#: For each limit, the figure that it is set to, and how a miss is told.
_LIMITS = {
    "max_bytes": ("nbytes", "it has {:,} bytes"),
    "max_latency_us": ("latency_us", "a row takes {:.0f} µs"),
    "min_retention": ("retention", "its retention is {:.4f}"),
}


@dataclass(frozen=True)
class BudgetResult:
    """What :func:`distill_to_budget` returns; printed, it is a table of what was tried.

    Parameters
    ----------
    model : DistilledClassifier, DistilledRegressor or None
        The chosen student, fitted, with its teacher; it predicts and exports. None where none meets the budget.
    nearest : DistilledClassifier or DistilledRegressor
        The chosen student, or, where none meets the budget, the one that comes nearest.
    choice : dict
        The row of ``frontier`` that is about it.
    frontier : list of dict
        A row for each student that was tried, by rising size, those without a Program last: ``name``; ``nbytes``
        and ``n_parameters`` (None without a Program); ``latency_us``, the median of one row; ``score``,
        ``retention``, ``fidelity`` and ``log_loss``, for regression R2 against the teacher and ``rmse``, on the
        validation rows; ``within_budget``; and ``on_frontier``,
        whether each other student that is no larger has a lower score.
    students : dict of str to student
        All that were tried, fitted, by name.
    teacher_score : float
        The teacher's score on the rows held out.
    scoring : str
        The name of the score.
    n_rows, n_held_out : int
        How many rows the students were fitted to, new ones aside, and how many validation rows there are.
    refitted : bool
        Whether ``nearest``, and so ``model``, was then fitted again to both. Its figures are those of the first fit,
        and its bytes may differ a little.
    budget : dict of str to float
        The limits that were given.
    """

    model: Any
    nearest: Any
    choice: dict[str, Any]
    frontier: list[dict[str, Any]]
    students: dict[str, Any] = field(repr=False)
    teacher_score: float
    scoring: str
    n_rows: int
    n_held_out: int
    refitted: bool
    budget: dict[str, float]

    @property
    def met(self) -> bool:
        """Whether a student meets the budget."""
        return self.model is not None

    def __str__(self) -> str:
        limits = ", ".join(f"{name}={value:,}" for name, value in self.budget.items()) or "no limit"
        name = self.choice["name"]
        if self.met:
            head = f"{name} meets the budget ({limits})"
        else:
            head = f"No student meets the budget ({limits}); {name} comes nearest: {self._misses()}"
        cells = [[title for title, _, _ in _COLUMNS]]
        for row in self.frontier:
            marked = {**row, "name": f"{'*' if row is self.choice else ' '} {row['name']}"}
            cells.append(
                ["no Program" if marked[key] is None else form.format(marked[key]) for _, key, form in _COLUMNS]
            )
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in cells
        ]
        foot = (
            f"{self.scoring} and fidelity on {self.n_held_out:,} validation rows beside {self.n_rows:,}; "
            f"the teacher's is {self.teacher_score:.4f}"
        )
        if self.refitted:
            foot += f"\n{name} was then fitted again to all of them"
        return "\n".join([head, "", *lines, "", foot])

    def _misses(self) -> str:
        return ", ".join(
            "it has no Program" if self.choice[key] is None else form.format(self.choice[key])
            for name, (key, form) in _LIMITS.items()
            if name in self.budget and not is_within(self.choice, {name: self.budget[name]})
        )
