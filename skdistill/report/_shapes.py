"""ShapeDisplay: what each column of a linear or additive student adds, by its value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._checks import import_optional
from ..program import is_missing, shipped
from ._drawing import COLORS, Display
from ._slices import shortened

#: The panels side by side, the levels that one shows, and the percentiles of the rows that the axis of a number spans.
_ACROSS, _MOST_BARS, _SHOWN = 3, 8, (0.5, 99.5)
#: The points of a line beside its bends.
_N_POINTS = 100

Array = NDArray[Any]


@dataclass(kw_only=True, eq=False, repr=False)
class ShapeDisplay(Display):
    """Shape functions of a linear or additive student: the contribution of each column as a function of its value.

    Parameters
    ----------
    shapes : dict of str to dict
        For each column, most important first, the arrays ``values`` and ``contributions`` of shape (n_values,). Values
        are numbers, dates, categories or words, or None, NaN or NaT for missing. Contributions are relative to the mean
        over the rows or, for words, to a text without known words. Numbers and dates also have ``rows``, the values of
        the rows, of shape (n_rows,).
    importances : dict of str to float
        The mean absolute contribution of each column over the rows.
    output_name : str
        The name of the output that the columns contribute to.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes that the panels replace.
    axes_ : ndarray of matplotlib Axes of shape (n_shapes,)
        The panels, in the order of `shapes`.
    figure_ : matplotlib Figure
        Their figure.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill import LinearStudent, ShapeDisplay
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> student = LinearStudent(numeric="piecewise").fit(X, abs(X[:, 1]) > 1)
    >>> display = ShapeDisplay.from_estimator(student, X)
    >>> list(display.shapes)
    ['column 1', 'column 0']
    """

    shapes: Mapping[str, Mapping[str, Array]]
    importances: Mapping[str, float]
    output_name: str

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, *, output: int = 0, max_columns: int = 9, ax: Any = None
    ) -> ShapeDisplay:
        """Plot the shape functions of a student.

        Parameters
        ----------
        estimator : LinearStudent, LinearStudentRegressor or distiller with such a student
            Fitted.
        X : array-like or frame of shape (n_rows, n_columns)
            Rows, such as the training rows. They determine the importance of columns, and contributions are relative to
            their mean over these rows.
        output : int, default=0
            The index of the class whose logit to show, if there are more than two, or of a regressor's output.
        max_columns : int, default=9
            Maximum number of columns to show, those with the largest mean absolute contribution.
        ax : matplotlib Axes, default=None
            The axes that the panels replace; None for a new figure.

        Returns
        -------
        display : ShapeDisplay
            Drawn.

        Raises
        ------
        TypeError
            If the student is not additive in its columns.
        ValueError
            If there is no such output, or the range of a column is unknown to the student.
        NotFittedError
            If it is not fitted.
        """
        student: Any = shipped(estimator)
        if not hasattr(type(student), "shape_functions_"):
            raise TypeError(f"{type(student).__name__} has no shape_functions_; expected a linear or additive student.")
        shapes, explanation = student.shape_functions_, student.explain(X)
        added = explanation.values.reshape(*explanation.values.shape[:2], -1)
        n_outputs = added.shape[2]
        if str(output) not in map(str, range(n_outputs)):
            raise ValueError(f"output={output!r} of a student with {n_outputs}; expected its index, from 0.")
        means = added[:, :, output].mean(axis=0)
        importance = dict(zip(explanation.names, np.abs(added[:, :, output] - means).mean(axis=0), strict=True))
        entry, drawn = student.program_.ops[0], {}
        cells = entry(X if hasattr(X, "shape") else np.asarray(X, dtype=object))
        for name in sorted(shapes, key=importance.__getitem__, reverse=True)[:max_columns]:
            source = explanation.names.index(name)
            at = entry.sources.index(source)
            _, kind, read = entry.reads[at]
            values, rows = shapes[name].values, None
            if kind != "word":
                values, rows = _shown(values, cells[:, at], read)
            added_by = student.shape_function(source, values).contributions[:, output]
            # a text has many words, and a word is compared with none, which is the last
            contributions = added_by - (added_by[-1] if kind == "word" else means[source])
            drawn[name] = {"values": values, "contributions": contributions, **({} if rows is None else {"rows": rows})}
        classes = getattr(student, "classes_", None)
        if classes is None:
            name = "the prediction" if n_outputs == 1 else f"output {output}"
        else:
            name = f"the log odds of {classes[1]}" if len(classes) == 2 else f"the logit of {classes[output]}"
        found = {name: float(importance[name]) for name in drawn}
        return cls(shapes=drawn, importances=found, output_name=name).plot(ax=ax)

    def plot(self, ax: Any = None) -> ShapeDisplay:
        """Plot a panel for each column, with a shared vertical axis.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The axes that the panels replace; None for a new figure.

        Returns
        -------
        display : ShapeDisplay
            Itself.
        """
        down = max(-(-len(self.shapes) // _ACROSS), 1)
        across = max(-(-len(self.shapes) // down), 1)
        self._set_axes(ax, figsize=(3.2 * across, 2.3 * down)).set_axis_off()
        grid = self.ax_.get_subplotspec().subgridspec(down, across)
        panels = grid.subplots(sharey=True, squeeze=False).ravel()
        for panel in panels[len(self.shapes) :]:
            panel.set_visible(False)
        self.axes_ = panels[: len(self.shapes)]
        for panel, (name, curve) in zip(self.axes_, self.shapes.items(), strict=True):
            panel.axhline(0, color="0.6", linewidth=0.8, zorder=0)
            missing = np.array([is_missing(value) for value in curve["values"].tolist()])
            draw = _draw_line if "rows" in curve and (~missing).sum() > 2 else _draw_bars
            draw(panel, curve, missing)
            panel.set_title(shortened(name, 32), loc="left", fontsize=10, parse_math=False)
            panel.tick_params(labelsize=8)
            panel.spines[["top", "right"]].set_visible(False)
        panels[0].margins(y=0.12)
        panels[0].yaxis.set_major_formatter(lambda value, _: f"{value:+g}" if value else "0")
        middle = panels[(down - 1) // 2 * across]
        middle.set_ylabel(f"added to {shortened(self.output_name, 26)}", fontsize=9, parse_math=False)
        return self


def _shown(values: Array, cells: Array, read: Any) -> tuple[Array, Array | None]:
    """Return the values at which a column's shape is drawn, and the rows' cells if these are numbers or dates.

    Numbers and dates span nearly all rows, whatever the student knows; of the levels, those that rows have.
    """
    if values.dtype == object:
        codes = np.array([read(value) for value in values.tolist()])
        return values[np.isin(codes, cells) | np.isnan(codes) & np.isnan(cells).any()], None
    cells = cells[~np.isnan(cells)]
    missing = np.isnan(values.astype(np.float64)) if values.dtype.kind == "f" else np.isnat(values)
    if len(cells) and np.count_nonzero(~missing) > 2:
        low, high = np.percentile(cells, _SHOWN)
        edges = values[~missing].astype(np.float64)
        points = np.union1d(edges[(low < edges) & (edges < high)], np.linspace(low, high, _N_POINTS))
        values = np.concatenate([points.astype(values.dtype), values[missing]])
    return values, cells.astype(values.dtype)


def _draw_line(ax: Any, curve: Mapping[str, Array], missing: Array) -> None:
    """Draw the shape of numbers or dates over a histogram of the rows, and a diamond for a missing one."""
    dates = import_optional("matplotlib.dates", "ShapeDisplay", "skdistill[plot]")
    x, rows, y = curve["values"][~missing], curve["rows"], curve["contributions"]
    if x.dtype.kind == "M":
        x, rows = dates.date2num(x), dates.date2num(rows)
        ax.xaxis.set_major_locator(locator := dates.AutoDateLocator(minticks=2, maxticks=5))
        ax.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
    else:
        ax.locator_params(axis="x", nbins=5)
    counts, edges = np.histogram(rows, 30, (x[0], x[-1]))
    ground = {"transform": ax.get_xaxis_transform(), "color": COLORS["teacher"], "alpha": 0.3, "zorder": 0}
    ax.bar(edges[:-1], 0.2 * counts / max(counts.max(), 1), np.diff(edges), align="edge", **ground)
    ax.fill_between(x, y[~missing], color=COLORS["student"], alpha=0.12, linewidth=0)
    ax.plot(x, y[~missing], color=COLORS["student"], linewidth=1.8)
    if missing.any():
        at = x[-1] + 0.09 * (x[-1] - x[0]), y[missing][0]
        ax.scatter(*at, color=COLORS["labels only"], marker="D", s=28, zorder=3)
        look = {"textcoords": "offset points", "ha": "right", "fontsize": 8, "color": COLORS["labels only"]}
        ax.annotate("missing", at, (3, 6), **look)


def _draw_bars(ax: Any, curve: Mapping[str, Array], missing: Array) -> None:
    """Draw a bar for each level; of many, those that add or take most."""
    heights = curve["contributions"]
    kept = np.sort(np.argsort(-np.abs(heights), kind="stable")[:_MOST_BARS])
    known = [f"{value:g}" if isinstance(value, float) else f"{value}" for value in curve["values"].tolist()]
    names = ["missing" if missing[at] else shortened(known[at], 14) for at in kept]
    colors = [COLORS["labels only" if missing[at] else "student"] for at in kept]
    ax.bar(range(len(kept)), heights[kept], 0.7, color=colors)
    upright = sum(map(len, names)) + 3 * len(names) < 36
    slanted = {"rotation": 0 if upright else 30, "ha": "center" if upright else "right"}
    ax.set_xticks(range(len(kept)), names, rotation_mode="anchor", parse_math=False, **slanted)
    ax.set_xlim(-0.6, max(len(kept), 3) - 0.4)
    if len(kept) < len(heights):
        ax.set_xlabel(f"{len(kept)} of {len(heights)} levels", fontsize=8)
