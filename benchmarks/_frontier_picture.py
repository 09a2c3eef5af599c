"""The front page's picture: accuracy, size and time of a forest, LightGBM and the student."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tables import package

#: Ink, quiet ink, grid, other models and the student, on a light page and on a dark one.
PALETTES = {
    "": ("#1f2328", "#59636e", "#d8dde3", "#a9b3bd", "#0b6e99"),
    "-dark": ("#e6edf3", "#9aa5b1", "#3a424c", "#6b7683", "#4cb3e0"),
}
COMPILED = ", compiled"
#: The left ends of the bars, in bytes and in microseconds, and how far to the right of them there is room.
LEAST_BYTES, LEAST_TIME, DECADES = 1e4, 1.0, 7.1


def size(n_bytes: float) -> str:
    """Return a number of bytes as one reads it."""
    return f"{n_bytes / 1e3:.0f} kB" if n_bytes < 1e6 else f"{n_bytes / 1e6:.{0 if n_bytes >= 1e7 else 1}f} MB"


def time(microseconds: float) -> str:
    """Return a time as one reads it."""
    if microseconds >= 1e3:
        return f"{microseconds / 1e3:.0f} ms"
    return f"{microseconds:.0f} µs" if microseconds >= 10 else f"{microseconds:.1f} µs"


def draw(served: Sequence[Any], path: Path) -> None:
    """Draw the models, those that were compiled below what they are compiled from.

    Parameters
    ----------
    served : sequence of Served
        The forest first, the student last.
    path : Path
        Where to; a second file, with "-dark" in its name, is for dark pages.
    """
    matplotlib = package("matplotlib")
    matplotlib.use("agg")
    for suffix, palette in PALETTES.items():
        look = {"svg.hashsalt": "skdistill", "font.size": 12.5, "font.family": "DejaVu Sans"}
        with matplotlib.rc_context(look):
            figure = _figure(served, *palette)
            figure.savefig(
                path.with_stem(path.stem + suffix), transparent=True, bbox_inches="tight", metadata={"Date": None}
            )
            package("matplotlib.pyplot").close(figure)


def draw_card(served: Sequence[Any], path: Path) -> None:
    """Draw what is shown where the site is linked to: the forest beside the student, 1200 by 630 pixels."""
    package("matplotlib").use("agg")
    pyplot = package("matplotlib.pyplot")
    forest, student = served[0], [one for one in served if not one.name.endswith(COMPILED)][-1]
    figure = pyplot.figure(figsize=(12, 6.3), facecolor="#0f1720")
    figure.text(0.06, 0.80, "skdistill", color="#4cb3e0", fontsize=58, weight="bold")
    figure.text(0.06, 0.66, "turns a slow model into a small, fast one", color="#e6edf3", fontsize=33)
    for height, one, colour in ((0.38, forest, "#9aa5b1"), (0.18, student, "#4cb3e0")):
        words = one.name, f"{one.accuracy:.1%}", size(one.n_bytes), time(one.microseconds)
        for left, word in zip((0.06, 0.44, 0.63, 0.83), words, strict=True):
            figure.text(left, height, word, color=colour, fontsize=31, weight="bold" if one is student else "normal")
    for left, word in ((0.44, "accuracy"), (0.63, "size"), (0.83, "one row")):
        figure.text(left, 0.51, word, color="#9aa5b1", fontsize=20)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def _figure(served: Sequence[Any], ink: str, quiet: str, grid: str, other: str, ours: str) -> Any:
    plain = [one for one in served if not one.name.endswith(COMPILED)]
    compiled = {one.name.removesuffix(COMPILED): one for one in served if one.name.endswith(COMPILED)}
    figure, axes = package("matplotlib.pyplot").subplots(1, 2, figsize=(7.2, 5.0), sharey=True)
    figure.subplots_adjust(wspace=0.06)
    height = 0.0
    for one in plain:
        student = one is plain[-1]
        colour = ours if student else other
        kept = f"{one.accuracy:.1%} accuracy" if one is plain[0] else f"{one.kept:.1%} of the forest's accuracy"
        axes[0].text(LEAST_BYTES, height, one.name, color=ours if student else ink, weight="bold", va="center")
        axes[1].text(LEAST_TIME, height, kept, color=ours if student else ink, va="center")
        for model in filter(None, (one, compiled.get(one.name))):
            height += 0.85
            said = "" if model is one else "  compiled"
            for axis, least, value, words in (
                (axes[0], LEAST_BYTES, model.n_bytes, size(model.n_bytes)),
                (axes[1], LEAST_TIME, model.microseconds, time(model.microseconds)),
            ):
                axis.barh(height, value - least, left=least, height=0.6, color=colour, alpha=1 if said else 0.75)
                axis.text(
                    value * 1.25, height, words + said, color=ink if student else quiet, va="center", fontsize=11.5
                )
        height += 1.25
    for axis, least, title in (
        (axes[0], LEAST_BYTES, "Size of the file"),
        (axes[1], LEAST_TIME, "Time for one row"),
    ):
        axis.set_xscale("log")
        axis.set_xlim(least, least * 10**DECADES)
        axis.set_title(title, loc="left", color=ink, weight="bold", fontsize=13.5)
        axis.set_xticks([least * 10**power for power in range(6)])
        axis.tick_params(axis="both", length=0, colors=quiet, labelsize=10.5)
        axis.minorticks_off()
        axis.grid(axis="x", color=grid, linewidth=0.8)
        axis.set_axisbelow(True)
        axis.set_facecolor("none")
        for spine in axis.spines.values():
            spine.set_visible(False)
    axes[0].set_xticklabels(["10 kB", "", "1 MB", "", "100 MB", ""])
    axes[1].set_xticklabels(["1 µs", "", "100 µs", "", "10 ms", ""])
    axes[0].set_xlabel("each line: ten times the one before", loc="left", color=quiet, fontsize=10.5)
    axes[0].set_yticks([])
    axes[0].set_ylim(height - 0.9, -0.7)
    return figure
