"""Drawing with matplotlib: the pictures of the displays and of the page. It is imported when one is drawn."""

from __future__ import annotations

import io
import re
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from html import escape
from importlib.resources import files
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._checks import import_optional
from ..metrics import undominated
from ._columns import Column
from ._slices import shortened

#: The colour and the marker of each kind of model. The colours show on white and on black.
COLORS = {"teacher": "#8a8f98", "baseline": "#8a8f98", "student": "#3b82f6", "labels only": "#d97706"}
_MARKERS = {"teacher": "s", "baseline": "s", "student": "o", "labels only": "D"}
#: Written by matplotlib in place of the page's colour of text, as page.mplstyle says.
_INK = "#010203"
#: The page's style and frame, and the style of its pictures.
FILES = files(__package__)
#: What the axes of curves show.
RELIABILITY = {"confidence": "probability of the predicted class", "accuracy": "accuracy"}
ACTUAL = {"predicted": "predicted", "actual": "actual, mean"}
#: A confusion matrix of more classes is not drawn, and one of more than the second has no numbers.
MOST_CLASSES, _MOST_NUMBERED = 40, 12
#: The points between a dot and its name, and the directions in which it is tried: beside, above and below, diagonally.
_NEAR = 7
_DIRECTIONS = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (-1, -1), (1, 1), (-1, 1))


def class_axes(label: Any) -> dict[str, str]:
    """Return what the axes show of the curve of a class, as RELIABILITY does of all."""
    shown = shortened(str(label), 24)
    return {"probability": f"probability of {shown}", "rate": f"share of rows that are {shown}"}


class Display:
    """What all displays share: the axes that they are drawn on."""

    def _set_axes(self, ax: Any, **figure: Any) -> Any:
        """Set ``ax_`` and ``figure_`` to the axes given, or to those of a new figure."""
        pyplot = import_optional("matplotlib.pyplot", type(self).__name__, "skdistill[plot]")
        self.ax_ = pyplot.subplots(layout="constrained", **figure)[1] if ax is None else ax
        self.figure_ = self.ax_.figure
        return self.ax_


def _part(name: str) -> Any:
    """Return matplotlib or a part of it."""
    return import_optional(name, "Drawing", "skdistill[plot]")


def student_name_of(estimator: Any, name: str | None) -> str:
    """Return the name given to a student, or else its class."""
    return type(getattr(estimator, "student_", estimator)).__name__ if name is None else name


def write_legend(ax: Any, *args: Any, **kwargs: Any) -> None:
    """Write a legend in which a name with dollar signs is no formula."""
    for text in ax.legend(*args, **kwargs).get_texts():
        text.set_parse_math(False)


def svg(draw: Callable[[Any], Any], label: str) -> str:
    """Return a picture as an SVG element that scales with the page and takes its colour of text.

    Parameters
    ----------
    draw : callable
        It draws on the axes that it is given.
    label : str
        A description for screen readers.

    Returns
    -------
    svg : str
        The element. The same picture gives the same text, and no id is that of another picture.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    style, figures = _part("matplotlib.style"), _part("matplotlib.figure")
    file = io.StringIO()
    look = ["default", FILES / "page.mplstyle", {"svg.hashsalt": label}]
    with style.context(look), warnings.catch_warnings():
        # the browser has fonts for the letters that matplotlib's lacks
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure = figures.Figure()
        draw(figure.add_subplot())
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    text = file.getvalue()
    content = text[text.index(">", text.index("<svg")) + 1 : text.rindex("</svg>")]
    # the style that matplotlib writes would be that of the whole page
    content = re.sub(r"<defs>\s*<style.*?</defs>|<!--.*?-->", "", content, flags=re.DOTALL)
    prefix = f"skd{zlib.crc32((label + content).encode()):08x}-"

    def adapted(tag: re.Match[str]) -> str:
        return re.sub(r'(?<=id=")|(?<=href="#)|(?<=url\(#)', prefix, tag[0].replace(_INK, "currentColor"))

    content = re.sub("<[^>]+>", adapted, content)
    return f'<svg viewBox="0 0 360 270" role="img" aria-label="{escape(label)}">{content}</svg>'


def draw_frontier(
    ax: Any, costs: Mapping[str, float | None], retentions: Mapping[str, float], kinds: Mapping[str, str], cost: Column
) -> None:
    """Draw retention against cost: a point and a name for each model, and the line of the Pareto front.

    Parameters
    ----------
    ax : matplotlib Axes
        The axes to draw on.
    costs : dict of str to float
        The cost of each model; one without is not drawn.
    retentions : dict of str to float
        The retention of each model.
    kinds : dict of str to {"teacher", "baseline", "student", "labels only"}
        The kind of each model.
    cost : Column
        The title and format of the costs.
    """
    ticker = _part("matplotlib.ticker")
    known = {name: float(value) for name, value in costs.items() if value and np.isfinite(retentions[name])}
    students = [name for name in known if kinds[name] not in ("teacher", "baseline")]
    low, high = min(known.values()) / 2, max(known.values()) * 2
    kept = [1.0, *(retentions[name] for name in known)]
    pad = max(0.08 * (max(kept) - min(kept)), 0.002)
    ax.set(xscale="log", xlim=(low, high), ylim=(min(kept) - pad, max(kept) + pad))
    ax.set(xlabel=cost.title, ylabel="retention")
    decades = np.log10(high / low)
    # matplotlib's own locator falls back to linear ticks, which overlap, where it finds few of these
    factors = (1, 2, 3, 5) if decades < 0.8 else (1, 2, 5) if decades < 1.5 else (1, 3) if decades < 3 else (1,)
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.log10(high))
    ticks = np.outer(powers, factors).ravel()
    ax.set_xticks(ticks[(ticks >= low) & (ticks <= high)])
    ax.xaxis.set_minor_locator(ticker.NullLocator())
    ax.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: cost.write(value)))
    ax.yaxis.set_major_formatter(ticker.PercentFormatter(1.0))
    ax.axhline(1.0, color=COLORS["teacher"], linestyle="--", linewidth=1)
    front = undominated([known[name] for name in students], [retentions[name] for name in students])
    steps = [(known[students[at]], retentions[students[at]]) for at in front]
    ax.step([x for x, _ in steps], [y for _, y in steps], where="post", color=COLORS["student"], linewidth=1.5)
    for kind, marker in _MARKERS.items():
        points = [(known[name], retentions[name]) for name in known if kinds[name] == kind]
        if points:
            ax.scatter(*zip(*points, strict=True), color=COLORS[kind], marker=marker, label=kind, zorder=3)
    _write_names(ax, {name: (known[name], retentions[name]) for name in known})


def _write_names(ax: Any, points: Mapping[str, tuple[float, float]]) -> None:
    """Write the names of points so that no name covers another name or a point; one without room is left out."""
    effects, transforms = _part("matplotlib.patheffects"), _part("matplotlib.transforms")
    # an outline in the colour of the background keeps lines out of the names
    ground = ax.get_facecolor()
    outline = [effects.withStroke(linewidth=3, foreground=ground)] if ground[3] else None
    look: dict[str, Any] = {"fontsize": 9, "path_effects": outline, "parse_math": False, "in_layout": False}
    line = {"arrowstyle": "-", "color": COLORS["teacher"], "linewidth": 0.7}
    # the places of points in pixels are known once axes and labels have theirs
    ax.figure.draw_without_rendering()
    dot = _NEAR / 2 * ax.figure.dpi / 72
    taken = [transforms.Bbox([at - dot, at + dot]) for at in ax.transData.transform(list(points.values()))]
    for name, point in points.items():
        for distance, (x, y) in product(range(_NEAR, 6 * _NEAR, 9), _DIRECTIONS):
            place = (shortened(name, 24), point, (x * distance, y * distance), "data", "offset points")
            sides = {"ha": ("center", "left", "right")[x], "va": ("center", "bottom", "top")[y]}
            label = ax.annotate(*place, **sides, **look)
            box = label.get_window_extent()
            if not box.count_overlaps(taken) and all(map(ax.bbox.contains, *box.get_points().T)):
                taken.append(box)
                if distance > _NEAR:
                    # a line from the point, which would have counted to the extent of the name
                    label.remove()
                    ax.annotate(*place, arrowprops=line, **sides, **look)
                break
            label.remove()


def draw_curves(
    ax: Any,
    curves: Mapping[str, Mapping[str, NDArray[Any]]],
    axes: Mapping[str, str],
    kind: str = "student",
    *,
    log: bool = False,
) -> None:
    """Draw the curves of teacher and student beside the diagonal; the area of a dot is its share of the rows.

    Parameters
    ----------
    ax : matplotlib Axes
        The axes to draw on.
    curves : dict of str to dict
        For the teacher, which comes first, and the student ``n_rows`` of each point and its coordinates, arrays of
        shape (n_points,).
    axes : dict of str to str
        The keys of the horizontal and of the vertical coordinate, each with the label of its axis.
    kind : {"student", "labels only"}, default="student"
        The kind of the student.
    log : bool, default=False
        Whether the axes are logarithmic; zeros are then left out.
    """
    if log:
        ticker = _part("matplotlib.ticker")
        ax.set(xscale="log", yscale="log")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{100 * value:g}%"))
            axis.set_minor_formatter(ticker.NullFormatter())
    for at, (name, curve) in enumerate(curves.items()):
        x, y = (curve[key] for key in axes)
        color = COLORS[kind if at else "teacher"]
        areas = 8 + 250 * curve["n_rows"] / curve["n_rows"].sum()
        if log:
            x, y, areas = (values[(x > 0) & (y > 0)] for values in (x, y, areas))
        ax.plot(x, y, color=color, label=name)
        ax.scatter(x, y, s=areas, color=color, alpha=0.75, linewidth=0)
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    low, high = max(left, bottom), min(right, top)
    if low < high:
        ax.plot([low, high], [low, high], color="0.5", linewidth=1, linestyle="--", zorder=1)
    ax.set(**dict(zip(("xlabel", "ylabel"), axes.values(), strict=True)))


def draw_density(
    ax: Any,
    teacher: NDArray[Any],
    student: NDArray[Any],
    *,
    proba: bool,
    kind: str = "student",
    reference: str = "teacher",
    **kwargs: Any,
) -> Any:
    """Draw the density of a student's answers against the teacher's; the stronger the colour, the more rows.

    Parameters
    ----------
    ax : matplotlib Axes
        The axes to draw on.
    teacher, student : ndarray of shape (n_rows,)
        Probabilities or predictions.
    proba : bool
        Whether they are probabilities.
    kind : {"student", "labels only"}, default="student"
        The kind of the student.
    reference : str, default="teacher"
        What the teacher is called.
    **kwargs : dict
        Keyword arguments for matplotlib's ``hexbin``.

    Returns
    -------
    hexbin : matplotlib PolyCollection
        The density.
    """
    low, high = float(min(teacher.min(), student.min())), float(max(teacher.max(), student.max()))
    if proba:
        low, high = (0.0 if low < 0.5 else low), 1.0
    if low == high:
        # a constant has a width all the same
        low, high = low - 0.5 * max(abs(low), 1.0), high + 0.5 * max(abs(high), 1.0)
    ax.plot([low, high], [low, high], color="0.5", linewidth=1, linestyle="--", zorder=3)
    colors = _part("matplotlib.colors")
    shades = [colors.to_rgba(COLORS[kind], alpha) for alpha in (0.3, 1.0)]
    cmap = colors.LinearSegmentedColormap.from_list(kind, shades)
    look = {"gridsize": 40, "mincnt": 1, "bins": "log", "cmap": cmap, "linewidths": 0, "extent": (low, high, low, high)}
    hexbin = ax.hexbin(teacher, student, **{**look, **kwargs})
    ax.set(xlim=(low, high), ylim=(low, high), aspect="equal", xlabel=reference, ylabel="student")
    return hexbin


def draw_confusion(ax: Any, counts: NDArray[Any], classes: Sequence[str], reference: str = "teacher") -> None:
    """Draw the confusion matrix of student against teacher, shaded by the share of the teacher's class.

    Parameters
    ----------
    ax : matplotlib Axes
        The axes to draw on.
    counts : ndarray of shape (n_classes, n_classes)
        Rows for the teacher's class, columns for the student's.
    classes : sequence of str
        The names of the classes.
    reference : str, default="teacher"
        What the teacher is called.
    """
    colors = _part("matplotlib.colors")
    n_classes = len(classes)
    # each row over its sum, so that a class that the teacher seldom predicts shows too
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shades = np.where(
        np.eye(n_classes)[..., None], *(colors.to_rgba(COLORS[kind]) for kind in ("student", "labels only"))
    )
    shades[..., 3] = 0.04 + 0.6 * np.sqrt(shares)
    edges = np.arange(n_classes + 1) - 0.5
    ax.grid(visible=False)
    ax.pcolormesh(edges, edges, shades)
    names = [shortened(name, 12) for name in classes]
    size = min(10.0, 170 / n_classes)
    upright = n_classes * max(map(len, names)) < 40
    ax.set_xticks(range(n_classes), names, fontsize=size, rotation="horizontal" if upright else "vertical")
    ax.set_yticks(range(n_classes), names, fontsize=size)
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set(xlabel="student's class", ylabel=f"{reference}'s class", aspect="equal")
    ax.invert_yaxis()
    for row, column in np.argwhere(counts) if n_classes <= _MOST_NUMBERED else ():
        number = str(counts[row, column])
        ax.text(column, row, number, ha="center", va="center", fontsize=min(size, 260 / n_classes / len(number)))
