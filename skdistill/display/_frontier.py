"""FrontierDisplay: what students keep of their teacher against their size or their time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._frontier import place_names, undominated
from .._validation import InvalidParameterError, StrOptions, import_optional
from ..metrics import retention_score
from ..report import Report, compare
from ..report._columns import COST, Column
from ._base import COLORS, axes

#: What the horizontal axis may be.
_COSTS = {column.key: column for column in COST if column.key in ("program_bytes", "pickle_bytes", "median_us")}


class FrontierDisplay:
    """Retention against size or time; the line joins the students that no other beats.

    Parameters
    ----------
    costs : dict of str to float
        For each model its bytes, or microseconds; one without is not drawn.
    retentions : dict of str to float
        For each model its metric over the teacher's.
    kinds : dict of str to {"teacher", "student", "labels only"}
        What each model is.
    cost : {"program_bytes", "pickle_bytes", "median_us"}, default="program_bytes"
        What the costs are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes with the picture.
    figure_ : matplotlib Figure
        The figure that they are on.

    Examples
    --------
    >>> from skdistill import FrontierDisplay
    >>> display = FrontierDisplay.from_predictions(
    ...     [0, 1], [[0.9, 0.1], [0.2, 0.8]], {"linear": [[0.8, 0.2], [0.4, 0.6]]}, {"linear": 284}
    ... )
    >>> display.retentions
    {'linear': 1.0}
    """

    def __init__(
        self,
        *,
        costs: Mapping[str, float | None],
        retentions: Mapping[str, float],
        kinds: Mapping[str, str],
        cost: str = "program_bytes",
    ) -> None:
        self.costs = costs
        self.retentions = retentions
        self.kinds = kinds
        self.cost = cost

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
        """Compare students with their teacher on test rows, and draw.

        Parameters
        ----------
        teacher, students, X, y : object
            As :func:`skdistill.compare` takes them.
        cost : {"program_bytes", "pickle_bytes", "median_us"}, default="program_bytes"
            The horizontal axis.
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        **kwargs : dict
            For :func:`skdistill.compare`.

        Returns
        -------
        display : FrontierDisplay
            Drawn.
        """
        _column(cost)
        report = compare(teacher, students, X, y, **{"latency": cost == "median_us", **kwargs})
        return cls.from_report(report, cost=cost, ax=ax)

    @classmethod
    def from_report(cls, report: Report, *, cost: str = "program_bytes", ax: Any = None) -> FrontierDisplay:
        """Draw what a report has measured.

        Parameters
        ----------
        report : Report
            What :func:`skdistill.compare` returned.
        cost : {"program_bytes", "pickle_bytes", "median_us"}, default="program_bytes"
            The horizontal axis.
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : FrontierDisplay
            Drawn.
        """
        _column(cost)
        return cls(
            costs={name: row[cost] for name, row in report.table.items()},
            retentions={name: row["retention"] for name, row in report.table.items()},
            kinds={name: row["kind"] for name, row in report.table.items()},
            cost=cost,
        ).plot(ax=ax)

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
        metric: str = "accuracy",
        cost: str = "program_bytes",
        ax: Any = None,
    ) -> FrontierDisplay:
        """Draw answers that are at hand.

        Parameters
        ----------
        y_true : array-like of shape (n_rows,)
            Labels.
        teacher_proba : array-like of shape (n_rows, n_classes)
            The teacher's probabilities.
        student_probas : dict of str to array-like of shape (n_rows, n_classes)
            Those of each student.
        costs : dict of str to float
            Bytes, or microseconds, of each student; of the teacher too where it has the key
            "teacher".
        classes : array-like of shape (n_classes,), default=None
            What the columns stand for; None takes the sorted labels.
        labels_only : str, default=None
            The student that was fitted to labels alone.
        metric : str, default="accuracy"
            What the retention is of: the name of one of scikit-learn's scorers.
        cost : {"program_bytes", "pickle_bytes", "median_us"}, default="program_bytes"
            What the costs are.
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : FrontierDisplay
            Drawn.
        """
        _column(cost)
        missing = [name for name in student_probas if name not in costs]
        if missing:
            raise InvalidParameterError(f"costs has none for the students {missing}.")
        labels = np.asarray(y_true)
        names = np.unique(labels) if classes is None else np.asarray(classes)
        told = np.asarray(teacher_proba)
        kept = {
            name: float(retention_score(labels, told, np.asarray(proba), metric=metric, classes=names))
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
            Where to draw; None for a new figure.

        Returns
        -------
        display : FrontierDisplay
            Itself.

        Raises
        ------
        ValueError
            If no model has a cost.
        """
        column = _column(self.cost)
        known = {name: float(cost) for name, cost in self.costs.items() if cost}
        if not known:
            raise ValueError(f"No model has a {self.cost}; students without a Program have pickle_bytes.")
        ticker = import_optional("matplotlib.ticker", "FrontierDisplay", "plot")
        self.ax_ = axes("FrontierDisplay", ax)
        self.figure_ = self.ax_.figure
        self.ax_.set_xscale("log")
        self.ax_.axhline(1.0, color=COLORS["teacher"], linestyle="--", linewidth=1)
        students = [name for name in known if self.kinds[name] != "teacher"]
        best = undominated([known[name] for name in students], [self.retentions[name] for name in students])
        on_line = [students[at] for at in best]
        self.ax_.step(
            [known[name] for name in on_line],
            [self.retentions[name] for name in on_line],
            where="post",
            color=COLORS["student"],
            linewidth=1.5,
        )
        for kind, marker in (("student", "o"), ("labels only", "D"), ("teacher", "s")):
            of_kind = [name for name in known if self.kinds[name] == kind]
            if of_kind:
                self.ax_.scatter(
                    [known[name] for name in of_kind],
                    [self.retentions[name] for name in of_kind],
                    color=COLORS[kind],
                    marker=marker,
                    label=kind,
                    zorder=3,
                )
        self.ax_.margins(0.12)
        self.ax_.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: column.write(value)))
        self.ax_.xaxis.set_minor_formatter(ticker.NullFormatter())
        self.ax_.yaxis.set_major_formatter(ticker.PercentFormatter(1.0))
        self.ax_.set(xlabel=column.title, ylabel="retention")
        self._write_names(list(known), known)
        self.ax_.legend()
        return self

    def _write_names(self, names: list[str], costs: Mapping[str, float]) -> None:
        effects = import_optional("matplotlib.patheffects", "FrontierDisplay", "plot")
        # a rim of the ground keeps lines out of the names
        rim = [effects.withStroke(linewidth=3, foreground=self.ax_.get_facecolor())]
        self.figure_.draw_without_rendering()
        pixels = self.figure_.dpi / 72
        places = np.array([(costs[name], self.retentions[name]) for name in names])
        points = self.ax_.transData.transform(places)
        sizes = np.array([(5.5 * len(name) * pixels, 10 * pixels) for name in names])
        box = self.ax_.get_window_extent()
        corners = place_names(points, sizes, (box.x0, box.y0, box.x1, box.y1), gap=7 * pixels)
        for name, point, place, corner in zip(names, points, places, corners, strict=True):
            if corner is not None:
                offset = (np.array(corner) - point) / pixels
                self.ax_.annotate(
                    name, place, xytext=tuple(offset), textcoords="offset points", fontsize=9, path_effects=rim
                )


def _column(cost: str) -> Column:
    options = StrOptions(set(_COSTS))
    if not options.is_satisfied_by(cost):
        raise InvalidParameterError(f"cost must be {options}; got {cost!r}.")
    return _COSTS[cost]
