"""The report as HTML: a page or a notebook's cell, for light and dark, wide and narrow, without a script."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from html import escape
from importlib.resources import files
from importlib.util import find_spec
from string import Template
from typing import Any

import numpy as np

from . import _drawing as drawing
from ._columns import COSTS, in_units
from ._results import Details, Results
from ._slices import shortened

#: The number of slices listed on which student and teacher differ most.
_SHOWN_SLICES = 10

_FILES = files(__package__)


def page(results: Results) -> str:
    """Return the results as a whole page."""
    template = Template((_FILES / "page.html").read_text(encoding="utf-8"))
    return template.substitute(teacher=escape(results.table["teacher"]["model"]), fragment=fragment(results))


def fragment(results: Results) -> str:
    """Return the results as an element that brings its own style."""
    names = [results.chosen, *(name for name in results.table if name not in ("teacher", results.chosen))]
    findings = results.findings()
    if not _can_draw():
        findings.append("Pictures need matplotlib: pip install skdistill[plot]")
    parts = [
        f"<style>{(_FILES / 'page.css').read_text(encoding='utf-8')}</style>",
        f"<header><h1>Students of {escape(results.table['teacher']['model'])}</h1>",
        *(f"<p>{escape(sentence)}</p>" for sentence in findings),
        f"</header>{_figures(results)}{_frontiers(results) if _can_draw() else ''}<h2>Student by student</h2>",
        *(_student(results, name) for name in names),
        f"{_shipping(results)}<details><summary>What the figures mean</summary><dl>",
        *(f"<dt>{escape(one.title)}</dt><dd>{escape(one.meaning)}</dd>" for one in results.shown_columns()),
        f"</dl></details><footer><p>{escape(results.foot())}</p></footer>",
    ]
    return f'<div class="skd">{"".join(parts)}</div>'


def _can_draw() -> bool:
    try:
        return find_spec("matplotlib") is not None
    except ValueError:
        # a module that was set to None
        return False


def _picture(draw: Callable[..., Any], label: str, caption: str, css: str = "", **given: Any) -> str:
    """Return a picture with a description in text and a caption in HTML, from what draws it on axes."""
    picture = drawing.svg(partial(draw, **given), label)
    return f"<figure{css}>{picture}<figcaption>{caption}</figcaption></figure>"


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


def _figures(results: Results) -> str:
    columns = results.shown_columns()
    rows = []
    for name, row in results.table.items():
        note = f"{row['model']}, labels only" if row["kind"] == "labels only" else row["model"]
        head = f"{_key(row['kind'])}{escape(name)}<small>{escape(note)}</small>"
        rows.append((head, [results.text_of(name, column) for column in columns]))
    n_classes = "" if results.classes is None else f" of {len(results.classes)} classes"
    titles = ["model", *(column.title for column in columns)]
    table = _table(titles, rows, " figures", list(results.table).index(results.chosen))
    return f"<h2>Figures on {results.n_rows:,} rows{n_classes}</h2>{table}"


def _frontiers(results: Results) -> str:
    students = [row for row in results.table.values() if row["kind"] != "teacher"]
    # every student has a pickle, not every one a Program
    size = "program_bytes" if all(row["program_bytes"] for row in students) else "pickle_bytes"
    captions = {
        size: "Small and faithful is up and left. The line is the Pareto front of the students; dashed is the teacher.",
        "median_us": "The same against the time of one row.",
    }
    given = {"retentions": results.figures_of("retention"), "kinds": results.figures_of("kind")}
    pictures = ""
    for key, caption in captions.items():
        if any(row[key] and np.isfinite(row["retention"]) for row in students):
            label = f"Retention against {COSTS[key].title}"
            costs = {"costs": results.figures_of(key), "cost": COSTS[key]}
            pictures += _picture(drawing.draw_frontier, label, caption, ' class="names"', **costs, **given)
    return f'<h2>The frontier</h2><div class="pictures">{pictures}</div>' if pictures else ""


def _student(results: Results, name: str) -> str:
    details, kind = results.details[name], str(results.table[name]["kind"])
    is_open = " open" if name == results.chosen else ""
    pictures = "".join(_pictures(results, name, kind)) if _can_draw() else ""
    return (
        f'<details{is_open}><summary>{_key(kind)}{escape(name)}</summary><div class="pictures">{pictures}</div>'
        f"{_swaps(results, details)}{_slices(results, name)}{_rows(results, details)}{_in_fit(details.in_fit)}"
        "</details>"
    )


def _pictures(results: Results, name: str, kind: str) -> Iterator[str]:
    """Yield the pictures of a student: its calibration and confusion, or two for each of the first outputs."""
    teacher, student = results.details["teacher"], results.details[name]
    key = f"{_key('teacher')}teacher &nbsp; {_key(kind)}{escape(name)}"
    if teacher.reliability is not None and student.reliability is not None:
        caption = f"Reliability: {key}. On the dashed line the probability is the accuracy; large dots are many rows."
        given: dict[str, Any] = {"curves": {"teacher": teacher.reliability, name: student.reliability}, "kind": kind}
        label = f"Reliability of teacher and {name}"
        yield _picture(drawing.draw_curves, label, caption, axes=drawing.RELIABILITY, **given)
    if results.classes is not None and len(results.classes) <= drawing.MOST_CLASSES:
        caption = "Rows by the class that teacher and student predict; shaded by the share of the teacher's class."
        given = {"counts": student.confusion, "classes": [str(label) for label in results.classes]}
        yield _picture(drawing.draw_confusion, f"Confusion of {name} against teacher", caption, **given)
    for output, curve in enumerate(student.curves):
        which = "" if len(student.curves) == 1 else f"Output {output}. "
        caption = (
            f"{which}The student's predictions against the teacher's; the stronger the colour, the more rows. On the "
            "dashed line they are equal."
        )
        teacher_pred, student_pred = (np.asarray(one.predictions)[:, output] for one in (teacher, student))
        given = {"teacher": teacher_pred, "student": student_pred, "kind": kind, "gridsize": 28, "proba": False}
        yield _picture(drawing.draw_density, f"{which}Predictions of {name} against the teacher's", caption, **given)
        caption = (
            f"{which}Ranges of predictions with about as many rows each: {key}. On the dashed line the mean target is "
            "the mean prediction."
        )
        given = {"curves": {"teacher": teacher.curves[output], name: curve}, "axes": drawing.ACTUAL, "kind": kind}
        yield _picture(drawing.draw_curves, f"{which}Mean target by prediction of {name}", caption, **given)


def _swaps(results: Results, details: Details) -> str:
    """Return the classes that student and teacher swap most often."""
    if details.confusion is None or results.classes is None:
        return ""
    off = details.confusion.copy()
    np.fill_diagonal(off, 0)
    most = np.argsort(-off, axis=None, kind="stable")[:5]
    pairs = [np.unravel_index(at, off.shape) for at in most if off.flat[at]]
    if not pairs:
        return "<p>Teacher and student predict the same class for every row.</p>"
    names = [escape(str(label)) for label in results.classes]
    items = "; ".join(f"{names[row]} → {names[column]} ({off[row, column]:,})" for row, column in pairs)
    return f"<p>Most often swapped, teacher → student (rows): {items}.</p>"


def _slices(results: Results, name: str) -> str:
    found, kind = results.details[name].slices[:_SHOWN_SLICES], results.kind
    if not found:
        return f"<p>No slice has {results.min_rows} rows or more.</p>"
    rows = [
        (escape(f"{one['column']}: {one['slice']}"), [f"{one['n_rows']:,}", kind.slice_format(one[kind.slice_key])])
        for one in found
    ]
    return (
        f"<h3>Slices on which they differ most</h3><p class='dim'>By {kind.slice_names}, with {results.min_rows} rows "
        f"or more. All rows: {kind.slice_format(results.table[name][kind.overall_key])}.</p>"
        f"{_table(['slice', 'rows', kind.slice_title], rows)}"
    )


def _rows(results: Results, details: Details) -> str:
    rows = []
    for one in details.disagreements:
        cells = ", ".join(f"{shortened(name)} = {shortened(cell)}" for name, cell in one["cells"].items())
        answers = [_answer(one, name) for name in ("label", "teacher", "student")]
        rows.append((f"row {escape(shortened(str(one['index'])))}", [*answers, cells]))
    return (
        f"<h3>Rows on which they differ most</h3><p class='dim'>{results.kind.row_note}</p>"
        f"{_table(['row', 'label', 'teacher', 'student', 'cells'], rows)}"
    )


def _answer(row: Mapping[str, Any], name: str) -> str:
    """Return a class and its probability, or the numbers of the outputs."""
    values = np.atleast_1d(row[name]).tolist()
    text = shortened(", ".join(in_units(value) if isinstance(value, float) else str(value) for value in values))
    probability = f"{name}_probability"
    return f"{text} {row[probability]:.2f}" if probability in row else text


def _in_fit(found: Mapping[str, Any] | None) -> str:
    # nothing is held out where nothing was to be chosen
    if not found or found["distilled"] is None:
        return ""
    keys = list(found["distilled"])
    scores = {"distilled": found["distilled"], "labels only": found["labels_only"], "teacher": found["teacher"]}
    rows = [
        (name, [f"{score[key]:.4g}" if key in score else "" for key in keys]) for name, score in scores.items() if score
    ]
    return (
        f"<h3>As seen in fit</h3><p class='dim'>On {found['n_held_out']:,} rows that fit held out; the teacher "
        f"may have seen them.</p>{_table(['model', *keys], rows)}"
    )


def _shipping(results: Results) -> str:
    name = escape(results.chosen)
    if results.table[results.chosen]["program_bytes"] is None:
        text = (
            f"<p>{name} has no Program and cannot be exported; pickle the model's <code>student_</code>, which leaves "
            "the teacher behind.</p><pre>import pickle\n\n"
            'with open("student.pkl", "wb") as file:\n    pickle.dump(model.student_, file)</pre>'
        )
    else:
        text = (
            f"<p><code>model</code> is {name}, fitted.</p>"
            '<pre>model.export("student.skd")   # loads with numpy alone\n'
            'model.export("student.onnx")  # ONNX, the encoder included\n'
            'model.export("student.c")     # C99, and student.h beside it\n'
            'model.export("student.py")    # one readable file</pre>'
            "<p>In the service:</p><pre>import skdistill\n\n"
            f'student = skdistill.load("student.skd")\nstudent.{results.kind.method}(rows)</pre>'
            "<p>Smaller still, and what it costs:</p><pre>from skdistill.compress import quantize\n\n"
            'small = quantize(model, "int8", X)\nprint(small.compression_report_)</pre>'
        )
    return f"<h2>Ship {name}</h2>{text}"
