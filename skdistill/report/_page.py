"""The report as HTML: a page or a notebook's cell, for light and dark, wide and narrow, without a script."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from html import escape
from importlib.util import find_spec
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _drawing as drawing
from ._columns import COSTS, in_units
from ._slices import shortened

if TYPE_CHECKING:
    from ._report import Details, Report

#: The number of slices listed on which student and teacher differ most.
_SHOWN_SLICES = 10


def page(report: Report) -> str:
    """Return the report as a whole page."""
    return _filled("page.html", title=_title(report), fragment=fragment(report))


def _title(report: Report) -> str:
    model = escape(report.table[report.reference]["model"])
    return f"Students of {model}" if report.reference == "teacher" else f"Beside the {report.reference}, {model}"


def fragment(report: Report) -> str:
    """Return the report as an element that brings its own style."""
    names = [report.chosen, *(name for name in report.table if name not in (report.reference, report.chosen))]
    findings = [*report.findings(), *([] if _can_draw() else ["Pictures need matplotlib: pip install skdistill[plot]"])]
    columns, chosen = report.shown_columns(), escape(report.chosen)
    has_program = report.table[report.chosen]["program_bytes"] is not None
    ship = "program.html" if has_program else "pickle.html"
    return _filled(
        "fragment.html",
        css=(drawing.FILES / "page.css").read_text(encoding="utf-8"),
        title=_title(report),
        findings="".join(f"<p>{escape(sentence)}</p>" for sentence in findings),
        n_rows=f"{report.n_rows:,}",
        n_classes=report.kind.n_classes_text.format(*np.shape(report.classes)),
        figures=_figures(report),
        frontiers=_frontiers(report) if _can_draw() else "",
        students="".join(_student(report, name) for name in names),
        chosen=chosen,
        shipping=_filled(ship, chosen=chosen, method=report.kind.task.method),
        meanings="".join(f"<dt>{escape(one.title)}</dt><dd>{escape(one.meaning)}</dd>" for one in columns),
        foot=escape(report.foot()),
    )


def _filled(name: str, **texts: str) -> str:
    """Return one of the report's HTML files with texts, which are HTML, in the place of its names."""
    return Template((drawing.FILES / name).read_text(encoding="utf-8")).substitute(texts)


def _can_draw() -> bool:
    try:
        return find_spec("matplotlib") is not None
    except ValueError:
        # a module that was set to None
        return False


def _picture(draw: Callable[[Any], Any], label: str, caption: str, css: str = "") -> str:
    """Return a picture with a description in text and a caption in HTML, from what draws it on axes."""
    return f"<figure{css}>{drawing.svg(draw, label)}<figcaption>{caption}</figcaption></figure>"


def _table(titles: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], css: str = "", chosen: int = -1) -> str:
    """Return a table that a narrow screen stacks, from the head of each row in HTML and its cells in text."""
    kinds = {title: ' class="cells"' if title == "cells" else "" for title in titles[1:]}
    heads = "".join(f'<th scope="col"{kind}>{escape(title)}</th>' for title, kind in kinds.items())
    body = ""
    for at, (head, cells) in enumerate(rows):
        body += f'<tr{" class=chosen" * (at == chosen)}><th scope="row" class="left">{head}</th>'
        for (title, kind), cell in zip(kinds.items(), cells, strict=True):
            body += f'<td data-title="{escape(title)}"{kind}>{escape(cell)}</td>'
        body += "</tr>"
    return (
        f'<div class="box"><table class="stack{css}"><thead><tr><th scope="col" class="left">{titles[0]}</th>{heads}'
        f"</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _key(kind: str) -> str:
    return f'<span class="key {kind.replace(" ", "-")}"></span>'


def _figures(report: Report) -> str:
    columns = report.shown_columns()
    rows = []
    for name, row in report.table.items():
        note = f"{row['model']}, labels only" if row["kind"] == "labels only" else row["model"]
        head = f"{_key(row['kind'])}{escape(name)}<small>{escape(note)}</small>"
        rows.append((head, [report.text_of(name, column) for column in columns]))
    titles = ["model", *(column.title for column in columns)]
    return _table(titles, rows, " figures", list(report.table).index(report.chosen))


def _frontiers(report: Report) -> str:
    students = [row for row in report.table.values() if row["kind"] != report.reference]
    # every student has a pickle, not every one a Program
    size = "program_bytes" if all(row["program_bytes"] for row in students) else "pickle_bytes"
    captions = {
        size: "Small and good is up and left. The line is the Pareto front of the students; dashed is the "
        f"{report.reference}.",
        "median_us": "The same against the time of one row.",
    }
    shown = {"retentions": report.figures_of("retention"), "kinds": report.figures_of("kind")}
    pictures = ""
    for key, caption in captions.items():
        if any(row[key] and np.isfinite(row.get("retention", np.nan)) for row in students):
            draw = partial(drawing.draw_frontier, costs=report.figures_of(key), cost=COSTS[key], **shown)
            pictures += _picture(draw, f"Retention against {COSTS[key].title}", caption, ' class="names"')
    return f'<h2>The frontier</h2><div class="pictures">{pictures}</div>' if pictures else ""


def _student(report: Report, name: str) -> str:
    details, kind = report.details[name], str(report.table[name]["kind"])
    is_open = " open" if name == report.chosen else ""
    pictures = ""
    if _can_draw():
        key = f"{_key(report.reference)}{report.reference} &nbsp; {_key(kind)}{escape(name)}"
        pictures = "".join(_picture(*picture) for picture in report.kind.pictures(report, name, key))
    tables = f"{_slices(report, name)}{_rows(report, details)}{_in_fit(details.in_fit)}"
    return (
        f'<details{is_open}><summary>{_key(kind)}{escape(name)}</summary><div class="pictures">{pictures}</div>'
        f"{report.kind.note(details, report.classes, report.reference)}{tables}</details>"
    )


def _slices(report: Report, name: str) -> str:
    found, kind = report.details[name].slices[:_SHOWN_SLICES], report.kind
    if not found:
        return f"<p>No slice has {report.min_rows} rows or more.</p>"
    key, write = kind.slice_column.key, kind.slice_column.write
    overall = report.table[name][kind.overall_key]
    # the worst come first
    found = [one for one in found if (one[key] > overall if kind.is_distance else one[key] < overall)]
    if not found:
        return f"<p>On no slice of {report.min_rows} rows or more do they differ more than on all rows.</p>"
    rows = [(escape(f"{one['column']}: {one['slice']}"), [f"{one['n_rows']:,}", write(one[key])]) for one in found]
    return (
        f"<h3>Slices on which they differ most</h3><p class='dim'>By {kind.slice_names}, with {report.min_rows} rows "
        f"or more. All rows: {write(overall)}.</p>"
        f"{_table(['slice', 'rows', kind.slice_column.title.replace('teacher', report.reference)], rows)}"
    )


def _rows(report: Report, details: Details) -> str:
    rows = []
    sides = [name for name in ("label", report.reference, "student") if name in details.answers]
    for one in details.disagreements:
        cells = ", ".join(f"{shortened(name)} = {shortened(cell)}" for name, cell in one["cells"].items())
        answers = [_answer(one, name) for name in sides]
        rows.append((f"row {escape(shortened(str(one['index'])))}", [*answers, cells]))
    return (
        f"<h3>Rows on which they differ most</h3><p class='dim'>{report.kind.row_note}</p>"
        f"{_table(['row', *sides, 'cells'], rows)}"
    )


def _answer(row: Mapping[str, Any], name: str) -> str:
    """Return a class and its probability, or the numbers of the outputs."""
    values = np.atleast_1d(row[name]).tolist()
    text = shortened(", ".join(in_units(value) if isinstance(value, float) else str(value) for value in values))
    probability = f"{name}_probability"
    return f"{text} {row[probability]:.2f}" if probability in row else text


def _in_fit(found: Mapping[str, Any] | None) -> str:
    """Return what was done in fit: rows, nets and steps, and the scores on the rows held out, where there are any."""
    if not found or not (found["distilled"] or found["n_steps"]):
        # nothing was left to fit to choose
        return ""
    text = f"Fitted on {found['n_rows']:,} rows and {found['n_new']:,} new ones"
    if found["n_left_out"]:
        text += f"; {found['n_left_out']:,} more were left out, by chance: a net of this size gains little from them"
    if found["n_steps"]:
        text += f"; {found['n_label_models']} nets of the labels and the student took {found['n_steps']:,} steps"
    page = f"<h3>As seen in fit</h3><p class='dim'>{text}.</p>"
    # a fit that had nothing to choose has no scores
    if not found["distilled"]:
        return page
    keys = list(found["distilled"])
    scores = {name: found[name.replace(" ", "_")] for name in ("distilled", "labels only", "teacher")}
    rows = [
        (name, [f"{score[key]:.4g}" if key in score else "" for key in keys]) for name, score in scores.items() if score
    ]
    return page + (
        f"<p class='dim'>On {found['n_held_out']:,} rows that fit held out; the teacher may have seen them.</p>"
        f"{_table(['model', *keys], rows)}"
    )
