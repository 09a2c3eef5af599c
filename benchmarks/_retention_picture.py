"""The retention benchmark as a picture: how each student does on each table, as a share of its teacher."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _retention_tables import present
from _verdict import RIVAL
from tables import NAMES, package

#: Of each student its colour, its mark and what it is called.
LOOKS = {
    "default": ("#0b6e99", "o", "student, distilled"),
    "labels": ("#8a8a8a", "o", "default net, trained without a teacher"),
    RIVAL: ("#d98200", "D", "LightGBM of 100 rounds"),
    "linear": ("#7a4fa3", "s", "linear student"),
    "tree": ("#4c9a4c", "^", "tree student"),
}
#: What lies beyond is drawn at the edge, with its figure: one hopeless student would hide the others.
LEAST_ACCURACY, MOST_LOSS = 90.0, 150.0
#: Of a table's line, how far apart its students are drawn.
STEP = 0.22
#: The means have figures, which take more room.
MEAN_STEP = 0.5


def draw(frame: Any, path: Path) -> None:
    """Draw accuracy and log-loss of the students as a share of their teachers'.

    Parameters
    ----------
    frame : pandas.DataFrame
        From _verdict.frame_of.
    path : Path
        Where to; its ending says in which format.
    """
    package("matplotlib").use("agg")
    pyplot = package("matplotlib.pyplot")
    students = present(frame, "student", LOOKS)
    shares = frame.groupby(["student", "table"])[["accuracy_ratio", "loss_ratio"]].mean().mul(100)
    tables = sorted(
        present(frame, "table", NAMES), key=lambda table: -shares.loc[(students[0], table), "accuracy_ratio"]
    )
    figure, axes = pyplot.subplots(1, 2, figsize=(8, 2.0 + 0.47 * (len(tables) + 2)), sharey=True, layout="constrained")
    panels = (("accuracy_ratio", "Accuracy", True), ("loss_ratio", "Error of the probabilities (log-loss)", False))
    for axis, (name, title, more) in zip(axes, panels, strict=True):
        _panel(axis, shares[name], tables, students, more)
        axis.set_title(title, loc="left", weight="bold", fontsize=12)
        axis.set_xlabel("of the teacher's")
        axis.xaxis.set_major_formatter("{x:.0f}%")
    axes[0].set_yticks([*range(len(tables)), len(tables) + 0.3], [*tables, "mean"])
    axes[0].get_yticklabels()[-1].set_fontweight("bold")
    axes[0].invert_yaxis()
    lines = package("matplotlib.lines")
    handles = [
        lines.Line2D([], [], color=colour, marker=mark, linestyle="", markersize=8, label=words)
        for colour, mark, words in (LOOKS[student] for student in students)
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=1, frameon=False, fontsize=11)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def _panel(axis: Any, shares: Any, tables: Sequence[str], students: Sequence[str], more: bool) -> None:
    low, high = (LEAST_ACCURACY, float("inf")) if more else (0.0, MOST_LOSS)
    for place, student in enumerate(students):
        colour, mark, _ = LOOKS[student]
        values = [*shares[student][list(tables)], shares[student][list(tables)].mean()]
        for line, value in enumerate(values):
            mean = line == len(tables)
            height = line + 0.3 * mean + (MEAN_STEP if mean else STEP) * (place - (len(students) - 1) / 2)
            inside = min(max(value, low), high)
            axis.scatter(inside, height, s=46, color=colour, marker=mark, edgecolor="white", linewidth=0.7, zorder=4)
            if mean or inside != value:
                axis.annotate(
                    f"{value:.1f}%", (inside, height), (7, 0), textcoords="offset points", va="center", color=colour
                )
    left, right = axis.get_xlim()
    axis.axvspan(*((100, right + 2) if more else (left - 2, 100)), color="#e8f3ec", zorder=0)
    axis.axvline(100, color="black", linewidth=1, zorder=1)
    axis.set_xlim(left - 1, right + 1)
    words, side = ("better than the teacher →", "left") if more else ("← better than the teacher", "right")
    offset = (4, 0) if more else (-4, 0)
    axis.annotate(words, (100, -0.75), offset, textcoords="offset points", ha=side, va="center", fontsize=9.5)
    axis.axhline(len(tables) - 0.5, color="black", linewidth=0.8)
    axis.set_ylim(-1.1, len(tables) + 0.6 + MEAN_STEP * len(students) / 2)
    axis.grid(axis="x", color="#dddddd", linewidth=0.6, zorder=0)
    axis.set_axisbelow(True)
    axis.tick_params(axis="y", length=0, labelsize=11)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
