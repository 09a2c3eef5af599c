"""What grows with rows, columns and classes, as pictures: one for each, narrow enough for a phone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tables import package

COLOURS = {"default": "#0b6e99", "plain": "#d98200", "linear": "#4c9a4c"}
#: What the panels show, from top to bottom: title, and for each line its figure, scale, style and word.
PANELS: tuple[tuple[str, tuple[tuple[str, float, str, str], ...]], ...] = (
    ("fit, CPU seconds", (("fit", 1.0, "-", ""),)),
    ("memory of the fit, MiB", (("memory", 2.0**-20, "-", ""),)),
    ("answering, µs a row", (("one", 1e6, "--", ", alone"), ("many", 1e6, "-", ", of 10,000"))),
)
#: Below so much memory is the allocator's, and not the fit's.
LEAST_MEMORY = 2.0**20


def draw(
    found: dict[str, dict[str, dict[int, dict[str, float]]]], slope: Callable[[Any, Any], float], folder: Path
) -> None:
    """Draw growth-rows.png, growth-columns.png and growth-classes.png, slopes written in.

    Parameters
    ----------
    found : dict
        By what was varied, student and size, the figures.
    slope : callable
        Sizes and values to the slope of their logarithms.
    folder : Path
        Where to.
    """
    package("matplotlib").use("agg")
    pyplot = package("matplotlib.pyplot")
    for name, students in found.items():
        figure, axes = pyplot.subplots(len(PANELS), 1, figsize=(4.4, 9.6), layout="constrained")
        for axis, (title, lines) in zip(axes, PANELS, strict=True):
            for student, points in students.items():
                for line in lines:
                    _line(axis, student, points, line, slope)
            axis.set(xscale="log", yscale="log")
            axis.set_title(title, loc="left", fontsize=11)
            _ticks(axis)
            axis.grid(which="major", color="#dddddd", linewidth=0.6)
            axis.set_axisbelow(True)
            _room_for_legend(axis)
            axis.legend(frameon=False, fontsize=9, loc="upper left", handlelength=1.6, title_fontsize=9)
            for side in ("top", "right"):
                axis.spines[side].set_visible(False)
        axes[-1].set_xlabel(name, fontsize=11)
        figure.savefig(folder / f"growth-{name}.png", dpi=150, facecolor="white")
        pyplot.close(figure)


def _line(
    axis: Any,
    student: str,
    points: dict[int, dict[str, float]],
    line: tuple[str, float, str, str],
    slope: Callable[[Any, Any], float],
) -> None:
    figure, scale, style, word = line
    sizes = np.array(list(points), dtype=float)
    values = np.array([point[figure] for point in points.values()])
    if figure == "many":
        values = values / 10_000
    seen = values >= LEAST_MEMORY if figure == "memory" else np.full(len(values), True)
    label = f"{student}{word}: slope {round(slope(sizes, values), 2) + 0.0:.2f}"
    marker = "o" if style == "-" else "s"
    axis.plot(
        sizes[seen],
        scale * values[seen],
        style,
        color=COLOURS[student],
        marker=marker,
        markersize=4,
        linewidth=1.6,
        label=label,
    )


def _room_for_legend(axis: Any) -> None:
    """Leave the upper part of the panel to the legend: each of its lines takes a thirteenth of the height."""
    low, high = np.log(axis.get_ylim())
    share = 0.04 + len(axis.get_lines()) / 13
    axis.set_ylim(np.exp(low), np.exp(low + (high - low) / (1.0 - share)))


def _ticks(axis: Any) -> None:
    """Label both axes with plain numbers."""
    ticker = package("matplotlib.ticker")
    for one, (low, high) in ((axis.xaxis, axis.get_xlim()), (axis.yaxis, axis.get_ylim())):
        narrow = high / low < 100
        one.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0) if narrow else (1.0,), numticks=12))
        one.set_major_formatter(ticker.FuncFormatter(_short))
        one.set_minor_locator(ticker.NullLocator())


def _short(value: float, _: Any) -> str:
    """Return a number with k or M for its thousands and millions."""
    for scale, letter in ((1e6, "M"), (1e3, "k")):
        if value >= scale:
            return f"{value / scale:g}{letter}"
    return f"{value:g}"
