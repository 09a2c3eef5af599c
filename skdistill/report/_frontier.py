"""FrontierDisplay: retention against size or time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..metrics import retention_score
from ._columns import COSTS, Column
from ._compare import compare
from ._drawing import Display, draw_frontier, write_legend
from ._report import Report


@dataclass(kw_only=True, eq=False, repr=False)
class FrontierDisplay(Display):
    """Retention against size or latency, with the Pareto front of the students.

    Parameters
    ----------
    costs : dict of str to float
        The bytes or microseconds of each model; a model without a cost is not shown.
    retentions : dict of str to float
        The retention of each model: its score divided by the teacher's.
    kinds : dict of str to {"teacher", "student", "labels only"}
        The kind of each model.
    cost : {"program_bytes", "pickle_bytes", "median_us"}, default="program_bytes"
        The meaning of the costs.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes with the plot.
    figure_ : matplotlib Figure
        The figure of these axes.

    Examples
    --------
    >>> from skdistill import FrontierDisplay
    >>> display = FrontierDisplay.from_predictions(
    ...     [0, 1], [[0.9, 0.1], [0.2, 0.8]], {"linear": [[0.8, 0.2], [0.4, 0.6]]}, {"linear": 284},
    ...     scoring="accuracy",
    ... )
    >>> display.retentions
    {'linear': 1.0}
    """

    costs: Mapping[str, float | None]
    retentions: Mapping[str, float]
    kinds: Mapping[str, str]
    cost: str = "program_bytes"

    @classmethod
    def from_estimator(
        cls,
        teacher: Any,
        students: Any,
        X: Any,
        y: ArrayLike,
        *,
        cost: str = "program_bytes",
        ax: Any = None,
        **kwargs: Any,
    ) -> FrontierDisplay:
        """Compare students with their teacher on test rows, and plot.

        Parameters
        ----------
        teacher, students, X, y : object
            As :func:`skdistill.compare` takes them.
        cost : {"program_bytes", "pickle_bytes", "median_us"}, default="program_bytes"
            The horizontal axis.
        ax : matplotlib Axes, default=None
            The axes to draw on; None for a new figure.
        **kwargs : dict
            Keyword arguments for :func:`skdistill.compare`.

        Returns
        -------
        display : FrontierDisplay
            Drawn.

        Raises
        ------
        ValueError
            If `cost` is unknown or no model has it, and as :func:`skdistill.compare`.
        """
        _column(cost)
        report = compare(teacher, students, X, y, **{"latency": cost == "median_us", **kwargs})
        return cls.from_report(report, cost=cost, ax=ax)

    @classmethod
    def from_report(cls, report: Report, *, cost: str = "program_bytes", ax: Any = None) -> FrontierDisplay:
        """Plot the figures of a report.

        Parameters
        ----------
        report : Report
            A report from :func:`skdistill.compare`.
        cost : {"program_bytes", "pickle_bytes", "median_us"}, default="program_bytes"
            The horizontal axis.
        ax : matplotlib Axes, default=None
            The axes to draw on; None for a new figure.

        Returns
        -------
        display : FrontierDisplay
            Drawn.

        Raises
        ------
        ValueError
            If `cost` is unknown or no model has it.
        """
        _column(cost)
        costs, retentions, kinds = map(report.figures_of, (cost, "retention", "kind"))
        return cls(costs=costs, retentions=retentions, kinds=kinds, cost=cost).plot(ax=ax)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        teacher_proba: ArrayLike,
        student_probas: Mapping[str, ArrayLike],
        costs: Mapping[str, float],
        *,
        classes: ArrayLike | None = None,
        labels_only: str | None = None,
        scoring: str = "neg_log_loss",
        cost: str = "program_bytes",
        ax: Any = None,
    ) -> FrontierDisplay:
        """Plot precomputed probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_rows,)
            Labels.
        teacher_proba : array-like of shape (n_rows, n_classes)
            The teacher's probabilities.
        student_probas : dict of str to array-like of shape (n_rows, n_classes)
            The probabilities of each student.
        costs : dict of str to float
            The bytes or microseconds of each student, and of the teacher if it has the key "teacher".
        classes : array-like of shape (n_classes,), default=None
            The labels of the columns; None takes the sorted labels of `y_true`.
        labels_only : str, default=None
            The name of the student that was fitted to the labels only.
        scoring : str, default="neg_log_loss"
            The name of a scikit-learn scorer, for the retention.
        cost : {"program_bytes", "pickle_bytes", "median_us"}, default="program_bytes"
            The meaning of the costs.
        ax : matplotlib Axes, default=None
            The axes to draw on; None for a new figure.

        Returns
        -------
        display : FrontierDisplay
            Drawn.

        Raises
        ------
        ValueError
            If `cost` is unknown, a student has none, or the shapes differ.
        """
        missing = [name for name in student_probas if name not in costs]
        if missing:
            raise ValueError(f"costs has none for the students {missing}.")
        kept = {
            name: retention_score(y_true, teacher_proba, proba, scoring=scoring, classes=classes)
            for name, proba in student_probas.items()
        }
        kinds = {name: "labels only" if name == labels_only else "student" for name in kept}
        if "teacher" in costs:
            kept["teacher"], kinds["teacher"] = 1.0, "teacher"
        return cls(costs={name: costs[name] for name in kept}, retentions=kept, kinds=kinds, cost=cost).plot(ax=ax)

    def plot(self, ax: Any = None) -> FrontierDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The axes to draw on; None for a new figure.

        Returns
        -------
        display : FrontierDisplay
            Itself.

        Raises
        ------
        ValueError
            If no model has both a cost and a retention.
        """
        column = _column(self.cost)
        if not any(cost and np.isfinite(self.retentions[name]) for name, cost in self.costs.items()):
            raise ValueError(
                f"No model has a {self.cost} and a retention; students without a Program have pickle_bytes."
            )
        draw_frontier(self._set_axes(ax), self.costs, self.retentions, self.kinds, column)
        write_legend(self.ax_)
        return self


def _column(cost: str) -> Column:
    if cost not in COSTS:
        raise ValueError(f"cost must be one of {', '.join(map(repr, COSTS))}; got {cost!r}.")
    return COSTS[cost]
