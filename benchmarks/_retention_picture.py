"""The retention benchmark as a picture: what each student keeps on each table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _retention_tables import present
from _verdict import WORST_ACCURACY, WORST_LOSS
from tables import NAMES, package

COLOURS = {"default": "#0b6e99", "linear": "#d98200", "tree": "#4c9a4c", "labels": "#8a8a8a"}
WORDS = {
    "default": "default student",
    "linear": "linear student",
    "tree": "tree student",
    "labels": "same net, labels alone",
}
#: What lies beyond is drawn at the edge, with its figure: one hopeless student would hide the others.
LEAST_ACCURACY, MOST_LOSS = 0.9, 2.5
#: Of a table's line, how far apart its students are drawn.
STEP = 0.18


def draw(frame: Any, path: Path) -> None:
    """Draw accuracy and log-loss of the students over their teachers'.

    Parameters
    ----------
    frame : pandas.DataFrame
        From _verdict.frame_of.
    path : Path
        Where to; its ending says in which format.
    """
    package("matplotlib").use("agg")
    pyplot = package("matplotlib.pyplot")
    tables, students = present(frame, "table", NAMES), present(frame, "student", COLOURS)
    figure, axes = pyplot.subplots(
        1, 2, figsize=(11, 1.9 + 0.52 * (len(tables) + 1)), sharey=True, layout="constrained"
    )
    panels = (
        ("accuracy_ratio", "accuracy, student / teacher", WORST_ACCURACY, False),
        ("loss_ratio", "log-loss, student / teacher (log scale)", WORST_LOSS, True),
    )
    for axis, (name, words, bound, logarithmic) in zip(axes, panels, strict=True):
        if logarithmic:
            axis.set_xscale("log")
        _panel(axis, frame, name, tables, students)
        axis.axvline(1.0, color="black", linewidth=1, zorder=1)
        axis.axvline(bound, color="#b03030", linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        axis.set_xlabel(words)
        where, words = ("left", "← better") if logarithmic else ("right", "better →")
        axis.annotate(words, (where == "right", 1.01), xycoords="axes fraction", ha=where, color="#555555")
    _ticks(axes[1])
    axes[0].set_yticks(range(len(tables) + 1), [*tables, "mean of the tables"])
    axes[0].get_yticklabels()[-1].set_fontweight("bold")
    axes[0].invert_yaxis()
    _legend(figure, axes[0], students)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def _panel(axis: Any, frame: Any, name: str, tables: Sequence[str], students: Sequence[str]) -> None:
    low, high = (LEAST_ACCURACY, None) if name == "accuracy_ratio" else (None, MOST_LOSS)
    for line, table in enumerate(tables):
        if line % 2 == 0:
            axis.axhspan(line - 0.5, line + 0.5, color="#f4f4f4", zorder=0)
        for place, student in enumerate(students):
            found = frame[(frame["table"] == table) & (frame["student"] == student)]
            if found.empty:
                continue
            height = line + STEP * (place - (len(students) - 1) / 2)
            means = found.groupby("teacher")[name].mean()
            each, colour = means.clip(low, high), COLOURS[student]
            axis.plot([each.min(), each.max()], [height, height], color=colour, alpha=0.35, linewidth=2, zorder=2)
            axis.scatter(each, [height] * len(each), s=9, color=colour, alpha=0.55, linewidth=0, zorder=3)
            _mark(axis, means.mean(), height, low, high, {"color": colour, "s": 42, "marker": "o"})
    for place, student in enumerate(students):
        mean = frame[frame["student"] == student].groupby("table")[name].mean().mean()
        height = len(tables) + STEP * (place - (len(students) - 1) / 2)
        _mark(axis, mean, height, low, high, {"color": COLOURS[student], "s": 64, "marker": "D"})
    axis.axhline(len(tables) - 0.5, color="black", linewidth=0.8)
    axis.set_ylim(-0.5, len(tables) + 0.5)
    axis.grid(axis="x", color="#dddddd", linewidth=0.6, zorder=0)
    axis.set_axisbelow(True)
    axis.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)


def _mark(axis: Any, ratio: float, height: float, low: float | None, high: float | None, how: dict[str, Any]) -> None:
    """Draw a mean; one that lies beyond the picture as an arrow at its edge, with the figure."""
    under, over = low is not None and ratio < low, high is not None and ratio > high
    if under or over:
        how = how | {"marker": "<" if under else ">"}
        axis.annotate(
            f"{ratio:.2f}",
            (low if under else high, height),
            (7 if under else -7, 0),
            textcoords="offset points",
            ha="left" if under else "right",
            va="center",
            fontsize=8,
            color=how["color"],
        )
        ratio = low if low is not None and under else high if high is not None else ratio
    axis.scatter(ratio, height, edgecolor="white", linewidth=0.8, zorder=4, **how)


def _ticks(axis: Any) -> None:
    """Label a logarithmic axis with plain ratios, as many as there is room for."""
    ticker = package("matplotlib.ticker")
    low, high = axis.get_xlim()
    candidates = (0.25, 0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 5, 10, 20, 50)
    shown = [ratio for ratio in candidates if low <= ratio <= high]
    axis.xaxis.set_major_locator(ticker.FixedLocator(shown))
    axis.xaxis.set_major_formatter(ticker.FuncFormatter(lambda ratio, _: f"{ratio:g}"))
    axis.xaxis.set_minor_locator(ticker.NullLocator())


def _legend(figure: Any, axis: Any, students: Sequence[str]) -> None:
    lines = package("matplotlib.lines")
    dot = {"marker": "o", "linestyle": "", "markeredgecolor": "white"}
    handles = [
        lines.Line2D([], [], color=COLOURS[student], markersize=8, label=WORDS[student], **dot) for student in students
    ]
    handles += [
        lines.Line2D([], [], color="#777777", markersize=4, label="one teacher, mean of splits", **dot),
        lines.Line2D([], [], color="#b03030", linestyle=(0, (4, 3)), linewidth=1, label="target for the worst"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3, frameon=False)
