"""The pictures of a report: the frontier, reliability curves, and the confusion of student against teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._frontier import undominated
from ._columns import Column, share, tick
from ._columns import figures as written
from ._svg import Plot, drawing, shortened

Array = NDArray[Any]

#: Of more classes the confusions alone are listed.
MOST_CLASSES = 40
_MOST_NUMBERED = 12


def frontier(table: Mapping[str, Mapping[str, Any]], cost: Column) -> str:
    """Return a plot of every model's retention against what it costs, empty where fewer than two costs are known.

    Parameters
    ----------
    table : dict of str to dict
        The figures of each model.
    cost : Column
        Which of them is the horizontal axis.

    Returns
    -------
    svg : str
        An SVG element.
    """
    known = {name: row for name, row in table.items() if row[cost.key] and np.isfinite(row["retention"])}
    students = [name for name, row in known.items() if row["kind"] != "teacher"]
    if not students:
        return ""
    costs = [float(row[cost.key]) for row in known.values()]
    kept = [float(row["retention"]) for row in known.values()] + [1.0]
    low, high = min(costs) / 2, max(costs) * 2
    pad = max(0.08 * (max(kept) - min(kept)), 0.002)
    plot = Plot(
        (low, high),
        (min(kept) - pad, max(kept) + pad),
        f"{cost.title}, logarithmic",
        "retention",
        log_x=True,
        x_format=cost.write,
        y_format=lambda value: f"{100 * value:.4g}%",
    )
    plot.line([low, high], [1.0, 1.0], "teacher dashed")
    best = [
        students[at]
        for at in undominated([known[n][cost.key] for n in students], [known[n]["retention"] for n in students])
    ]
    steps: list[tuple[float, float]] = []
    for name in best:
        x, y = float(known[name][cost.key]), float(known[name]["retention"])
        steps += [(x, steps[-1][1])] if steps else []
        steps.append((x, y))
    plot.line([x for x, _ in steps], [y for _, y in steps], "student")
    for name, row in known.items():
        hint = f"{name}: {cost.title} {cost.write(row[cost.key])}, retention {share(row['retention'])}"
        plot.dot(row[cost.key], row["retention"], str(row["kind"]).replace(" ", "-"), hint, name=name)
    return plot.svg(f"Retention against {cost.title}")


def reliability(curves: Mapping[str, tuple[str, Mapping[str, Array]]], n_classes: int) -> str:
    """Return a plot of how often the first choice is right against its probability.

    Parameters
    ----------
    curves : dict of str to (str, dict)
        For each model its kind and its curve: ``confidence``, ``accuracy`` and ``n_rows`` of each
        bin, arrays of shape (n_filled_bins,).
    n_classes : int
        The probability of a first choice is at least one over this.

    Returns
    -------
    svg : str
        An SVG element.
    """
    low = min([1.0 / n_classes, *(float(curve["confidence"].min()) for _, curve in curves.values())])
    low = np.floor(10 * low) / 10
    bottom = min([low, *(float(curve["accuracy"].min()) for _, curve in curves.values())])
    plot = Plot(
        (low, 1.0), (bottom - 0.03, 1.03), "probability of the first choice", "share that is right", y_format=_two
    )
    plot.line([low, 1.0], [low, 1.0], "muted dashed")
    for kind, curve in curves.values():
        plot.line(curve["confidence"].tolist(), curve["accuracy"].tolist(), kind.replace(" ", "-"))
    for name, (kind, curve) in curves.items():
        total = curve["n_rows"].sum()
        for x, y, n_rows in zip(*(curve[key].tolist() for key in ("confidence", "accuracy", "n_rows")), strict=True):
            hint = f"{name}: {n_rows} rows of probability {x:.3f}, right in {share(y)}"
            plot.dot(x, y, kind.replace(" ", "-"), hint, radius=1.5 + 5 * float(np.sqrt(n_rows / total)))
    return plot.svg("Reliability of " + " and ".join(curves))


def actual_by_predicted(curves: Mapping[str, tuple[str, Mapping[str, Array]]]) -> str:
    """Return a plot of what is there against what was predicted, means over ranges of predictions.

    Parameters
    ----------
    curves : dict of str to (str, dict)
        For each model its kind and its curve: ``predicted``, ``actual`` and ``n_rows``, arrays of shape (n_ranges,).

    Returns
    -------
    svg : str
        An SVG element.
    """
    across = np.concatenate([curve["predicted"] for _, curve in curves.values()])
    up = np.concatenate([curve["actual"] for _, curve in curves.values()])
    spans = [_widened(float(values.min()), float(values.max())) for values in (across, up)]
    plot = Plot(spans[0], spans[1], "predicted", "actual, mean", x_format=tick, y_format=tick)
    low, high = max(spans[0][0], spans[1][0]), min(spans[0][1], spans[1][1])
    if low < high:
        plot.line([low, high], [low, high], "muted dashed")
    for kind, curve in curves.values():
        plot.line(curve["predicted"].tolist(), curve["actual"].tolist(), kind.replace(" ", "-"))
    for name, (kind, curve) in curves.items():
        for x, y, n_rows in zip(*(curve[key].tolist() for key in ("predicted", "actual", "n_rows")), strict=True):
            hint = f"{name}: {n_rows} rows, predicted {written(x)} and there are {written(y)}"
            plot.dot(x, y, kind.replace(" ", "-"), hint, radius=3.0)
    return plot.svg("What is there by what was predicted, of " + " and ".join(curves))


def against(density: Mapping[str, Array], kind: str) -> str:
    """Return a picture of where a student's numbers lie against the teacher's.

    Parameters
    ----------
    density : dict of str to ndarray
        ``edges`` of shape (n_cells + 1,) along both axes, and ``counts`` of shape (n_cells, n_cells), the teacher's
        numbers along the first.
    kind : str
        The student's kind, which colours it.

    Returns
    -------
    svg : str
        An SVG element.
    """
    edges, counts = density["edges"].tolist(), density["counts"]
    span = (edges[0], edges[-1])
    plot = Plot(span, span, "teacher", "student", x_format=tick, y_format=tick)
    most = np.log1p(counts.max())
    for row, column in np.argwhere(counts).tolist():
        n_rows = int(counts[row, column])
        box = (edges[row], edges[column], edges[row + 1], edges[column + 1])
        ends = [f"{written(low)} to {written(high)}" for low, high in (box[::2], box[1::2])]
        hint = f"teacher {ends[0]}, student {ends[1]}: {n_rows} rows"
        plot.cell(box, kind.replace(" ", "-"), float(0.15 + 0.75 * np.log1p(n_rows) / most), hint)
    plot.line(list(span), list(span), "muted dashed")
    return plot.svg("The student's numbers against the teacher's")


def _widened(low: float, high: float) -> tuple[float, float]:
    pad = 0.05 * (high - low) or 0.5 * max(abs(high), 1.0)
    return low - pad, high + pad


def _two(value: float) -> str:
    return f"{value:.2g}"


def confusion(counts: Array, classes: Sequence[str]) -> str:
    """Return a picture of which class the student names where the teacher names which.

    Parameters
    ----------
    counts : ndarray of shape (n_classes, n_classes)
        Rows for the teacher's class, columns for the student's.
    classes : sequence of str
        Their names.

    Returns
    -------
    svg : str
        An SVG element; empty for more than 40 classes.
    """
    n_classes = len(classes)
    if n_classes > MOST_CLASSES:
        return ""
    names = [shortened(name, 12) for name in classes]
    margin = 22 + 7 * max(len(name) for name in names)
    side = min(64.0, (350.0 - margin) / n_classes)
    font = min(12.0, max(side * 0.8, 5.0))
    marks = []
    # a class that the teacher seldom names is not to vanish beside the others
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    slanted = any(len(name) * 0.6 * font > side for name in names)
    top = margin if slanted else 40.0
    for at, name in enumerate(names):
        middle = (at + 0.5) * side
        marks.append(
            f'<text class="tick" style="font-size:{font:.1f}px" text-anchor="end" x="{margin - 5}" '
            f'y="{top + middle + font / 3:.1f}">{escape(name)}</text>'
        )
        place = f"translate({margin + middle + (font / 3 if slanted else 0):.1f} {top - 5:.1f})"
        marks.append(
            f'<text class="tick" style="font-size:{font:.1f}px" text-anchor="{"start" if slanted else "middle"}" '
            f'transform="{place}{" rotate(-90)" if slanted else ""}">{escape(name)}</text>'
        )
    for row in range(n_classes):
        for column in range(n_classes):
            left, above = margin + column * side, top + row * side
            kind = "student" if row == column else "labels-only"
            strength = float(shares[row, column]) ** 0.5
            hint = f"teacher {classes[row]}, student {classes[column]}: {counts[row, column]} rows"
            marks.append(
                f'<rect class="cell {kind}" x="{left:.1f}" y="{above:.1f}" width="{side - 1:.1f}" '
                f'height="{side - 1:.1f}" fill-opacity="{0.04 + 0.6 * strength:.3f}"><title>{escape(hint)}</title>'
                "</rect>"
            )
            if n_classes <= _MOST_NUMBERED and counts[row, column]:
                number = f"{counts[row, column]}"
                fits = min(font, 1.6 * side / len(number))
                marks.append(
                    f'<text class="count" style="font-size:{fits:.1f}px" text-anchor="middle" '
                    f'x="{left + side / 2:.1f}" y="{above + side / 2 + fits / 3:.1f}">{number}</text>'
                )
    end = margin + n_classes * side
    middle = top + n_classes * side / 2
    marks.append(f'<text class="label" text-anchor="middle" x="{(margin + end) / 2:.1f}" y="12">student names</text>')
    marks.append(
        f'<text class="label" text-anchor="middle" transform="translate(12 {middle:.1f}) rotate(-90)">teacher names'
        "</text>"
    )
    width = max(end + 2, 360.0)
    return drawing("".join(marks), width, top + n_classes * side + 2, "Confusion of student against teacher")
