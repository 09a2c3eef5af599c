"""The report as HTML: a page or a notebook's cell, for light and dark, wide and narrow, without a script."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from html import escape
from importlib.util import find_spec
from typing import Any

import numpy as np

from ._columns import COSTS
from ._drawing import (
    MOST_CLASSES,
    draw_actual,
    draw_confusion,
    draw_density,
    draw_frontier,
    draw_reliability,
    svg,
)
from ._results import Details, Results
from ._slices import shortened

#: The number of slices listed on which student and teacher differ most.
_SHOWN_SLICES = 10

#: Text and lines take the colour of the page; marks have one that shows on white and on black.
_STYLE = """
.skd{--line:color-mix(in srgb,currentColor 18%,transparent);--soft:color-mix(in srgb,currentColor 6%,transparent);
--dim:color-mix(in srgb,currentColor 72%,transparent);--student:#3b82f6;--labels:#d97706;--teacher:#8a8f98;
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;max-width:76rem;margin:0 auto;
overflow-wrap:anywhere}
.skd *{box-sizing:border-box}
.skd h1{font-size:1.6rem;line-height:1.25;margin:0 0 .5rem}
.skd h2{font-size:1.2rem;margin:2.2rem 0 .6rem}
.skd h3{font-size:1rem;margin:1.2rem 0 .4rem}
.skd p{margin:.4rem 0;max-width:48rem}
.skd .dim,.skd footer,.skd figcaption{color:var(--dim);font-size:.875rem}
.skd .box{overflow-x:auto}
.skd table{border-collapse:collapse;width:100%;font-size:.875rem;font-variant-numeric:tabular-nums;color:inherit}
.skd th,.skd td{padding:.4rem .45rem;text-align:right;vertical-align:top;border:0;
border-bottom:1px solid var(--line);background:none;overflow-wrap:normal}
.skd thead th{vertical-align:bottom;font-weight:600;color:var(--dim)}
.skd .left{text-align:left}
.skd tbody th{font-weight:600;overflow-wrap:anywhere;min-width:8rem}
.skd tbody th small{display:block;font-weight:400;color:var(--dim)}
.skd tr.chosen{background:color-mix(in srgb,var(--student) 12%,transparent)}
.skd .key{display:inline-block;width:.65rem;height:.65rem;margin-right:.4rem;border-radius:50%}
.skd .key.teacher{background:var(--teacher)}.skd .key.student{background:var(--student)}
.skd .key.labels-only{background:var(--labels);border-radius:0;transform:rotate(45deg) scale(.85)}
.skd .pictures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr));gap:1.2rem;
align-items:start}
.skd figure{margin:0;min-width:0}
.skd svg{display:block;width:100%;max-width:30rem;height:auto}
.skd svg *{stroke-linejoin:round;stroke-linecap:butt}
.skd svg text{font-family:inherit!important}
.skd .names svg text{paint-order:stroke;stroke:var(--halo,transparent);stroke-width:3px}
.skd details{border:1px solid var(--line);border-radius:.5rem;padding:.5rem .9rem;margin:.7rem 0}
.skd summary{cursor:pointer;font-weight:600}
.skd pre{background:var(--soft);color:inherit;padding:.8rem;border-radius:.5rem;overflow-x:auto;font-size:.875rem;
line-height:1.5;margin:.5rem 0}
.skd .figures td{white-space:nowrap}
.skd .cells{color:var(--dim);text-align:left;min-width:14rem;overflow-wrap:anywhere}
.skd dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:.5rem 0;font-size:.875rem}
.skd dt{font-weight:600}.skd dd{margin:0;color:var(--dim)}
.skd footer{margin-top:2rem;border-top:1px solid var(--line);padding-top:.7rem}
@media (max-width:46rem){
.skd .stack thead{display:none}
.skd .stack,.skd .stack tbody{display:block}
.skd .stack tr{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:.1rem 1rem;border:1px solid var(--line);
border-radius:.5rem;padding:.5rem .7rem;margin:.6rem 0}
.skd .stack th,.skd .stack td{display:flex;justify-content:space-between;gap:.6rem;border:0;padding:.1rem 0;
text-align:right;min-width:0;white-space:nowrap}
.skd .stack td::before{content:attr(data-title);color:var(--dim);text-align:left}
.skd .stack th,.skd .stack .cells{grid-column:1/-1;display:block;text-align:left;white-space:normal}
.skd .stack .cells::before{content:none}
.skd .stack td:empty{display:none}
.skd dl{grid-template-columns:1fr}.skd dd{margin-bottom:.3rem}
}
@media print{.skd details{break-inside:avoid}}
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>Students of {teacher}</title>
<style>
:root{{color-scheme:light dark}}
body{{margin:0;padding:1.5rem 1rem 3rem;background:Canvas;color:CanvasText;--halo:Canvas}}
</style>
</head>
<body>
{fragment}
</body>
</html>
"""


def page(results: Results) -> str:
    """Return the results as a whole page."""
    return _PAGE.format(teacher=escape(results.table["teacher"]["model"]), fragment=fragment(results))


def fragment(results: Results) -> str:
    """Return the results as an element that brings its own style."""
    names = [results.chosen, *(name for name in results.table if name not in ("teacher", results.chosen))]
    findings = results.findings()
    if not _can_draw():
        findings.append("Pictures need matplotlib: pip install skdistill[plot]")
    parts = [
        f"<style>{_STYLE}</style>",
        f"<header><h1>Students of {escape(results.table['teacher']['model'])}</h1>",
        *(f"<p>{escape(sentence)}</p>" for sentence in findings),
        f"</header>{_figures(results)}{_frontiers(results)}<h2>Student by student</h2>",
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


def _pictures(pictures: Sequence[tuple[Callable[[Any], Any], str, str]], css: str = "") -> str:
    """Return pictures side by side, each from what draws it, a description, and a caption in HTML."""
    if not pictures or not _can_draw():
        return ""
    figures = "".join(
        f"<figure{css}>{svg(draw, label)}<figcaption>{caption}</figcaption></figure>"
        for draw, label, caption in pictures
    )
    return f'<div class="pictures">{figures}</div>'


def _table(titles: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], css: str = "", chosen: int = -1) -> str:
    """Return a table that a narrow screen stacks, from the head of each row in HTML and its cells in text."""
    kinds = [' class="cells"' if title == "cells" else "" for title in titles[1:]]
    heads = "".join(
        f'<th scope="col"{kind}>{escape(title)}</th>' for kind, title in zip(kinds, titles[1:], strict=True)
    )
    body = "".join(
        f'<tr{" class=chosen" * (at == chosen)}><th scope="row" class="left">{head}</th>'
        + "".join(
            f'<td data-title="{escape(title)}"{kind}>{escape(cell)}</td>'
            for title, kind, cell in zip(titles[1:], kinds, cells, strict=True)
        )
        + "</tr>"
        for at, (head, cells) in enumerate(rows)
    )
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
    table = _table(
        ["model", *(column.title for column in columns)], rows, " figures", list(results.table).index(results.chosen)
    )
    return f"<h2>Figures on {results.n_rows:,} rows{n_classes}</h2>{table}"


def _frontiers(results: Results) -> str:
    students = [row for row in results.table.values() if row["kind"] != "teacher"]
    # every student has a pickle, not every one a Program
    size = "program_bytes" if all(row["program_bytes"] for row in students) else "pickle_bytes"
    captions = {
        size: "Small and faithful is up and left. The line is the Pareto front of the students; dashed is the teacher.",
        "median_us": "The same against the time of one row.",
    }
    retentions = {name: row["retention"] for name, row in results.table.items()}
    kinds = {name: row["kind"] for name, row in results.table.items()}
    pictures = [
        (
            partial(draw_frontier, costs=costs, retentions=retentions, kinds=kinds, cost=COSTS[key]),
            f"Retention against {COSTS[key].title}",
            caption,
        )
        for key, caption in captions.items()
        for costs in [{name: row[key] for name, row in results.table.items()}]
        if any(row[key] and np.isfinite(row["retention"]) for row in students)
    ]
    drawn = _pictures(pictures, ' class="names"')
    return f"<h2>The frontier</h2>{drawn}" if drawn else ""


def _student(results: Results, name: str) -> str:
    details, kind = results.details[name], str(results.table[name]["kind"])
    is_open = " open" if name == results.chosen else ""
    return (
        f"<details{is_open}><summary>{_key(kind)}{escape(name)}</summary>"
        f"{_pictures(list(_pictures_of(results, name, kind)))}{_swaps(results, details)}{_slices(results, name)}"
        f"{_rows(results, details)}{_in_fit(results, details.in_fit)}</details>"
    )


def _pictures_of(results: Results, name: str, kind: str) -> Iterator[tuple[Callable[[Any], Any], str, str]]:
    """Yield the pictures of a student: its calibration and confusion, or two for each of the first outputs."""
    teacher, student = results.details["teacher"], results.details[name]
    key = f"{_key('teacher')}teacher &nbsp; {_key(kind)}{escape(name)}"
    if teacher.reliability is not None and student.reliability is not None:
        curves = {"teacher": teacher.reliability, name: student.reliability}
        yield (
            partial(draw_reliability, curves=curves, kind=kind),
            f"Reliability of teacher and {name}",
            f"Reliability: {key}. On the dashed line the probability is the accuracy; large dots are many rows.",
        )
    if results.classes is not None and student.confusion is not None and len(results.classes) <= MOST_CLASSES:
        classes = [str(label) for label in results.classes]
        yield (
            partial(draw_confusion, counts=student.confusion, classes=classes),
            f"Confusion of {name} against teacher",
            "Rows by the class that teacher and student predict; shaded by the share of the teacher's class.",
        )
    for output, curve in enumerate(student.curves):
        which = "" if len(student.curves) == 1 else f"Output {output}. "
        pair = [details.predictions[:, output] for details in (teacher, student) if details.predictions is not None]
        yield (
            partial(_draw_fidelity, teacher=pair[0], student=pair[1], kind=kind),
            f"{which}Predictions of {name} against the teacher's",
            f"{which}The student's predictions against the teacher's; the stronger the colour, the more rows. On the "
            "dashed line they are equal.",
        )
        yield (
            partial(draw_actual, curves={"teacher": teacher.curves[output], name: curve}, kind=kind),
            f"{which}Mean target by prediction of teacher and {name}",
            f"{which}Ranges of predictions with about as many rows each: {key}. On the dashed line the mean target is "
            "the mean prediction.",
        )


def _draw_fidelity(ax: Any, teacher: Any, student: Any, kind: str) -> None:
    """Draw the density of predictions with cells that are few enough for a page."""
    draw_density(ax, teacher, student, proba=False, kind=kind, gridsize=28)
    ax.set(xlabel="teacher", ylabel="student")


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
        answers = [results.kind.cell(one, name) for name in ("label", "teacher", "student")]
        rows.append((f"row {escape(shortened(str(one['index'])))}", [*answers, cells]))
    return (
        f"<h3>Rows on which they differ most</h3><p class='dim'>{results.kind.row_note}</p>"
        f"{_table(['row', 'label', 'teacher', 'student', 'cells'], rows)}"
    )


def _in_fit(results: Results, found: Mapping[str, Any] | None) -> str:
    if not found or "labels_only" not in found:
        return ""
    keys = results.kind.fit_keys
    scores = {"distilled": found.get("distilled"), "labels only": found["labels_only"], "teacher": found.get("teacher")}
    rows = [
        (name, [f"{score[key]:.4g}" if key in score else "" for key in keys]) for name, score in scores.items() if score
    ]
    return (
        f"<h3>As seen in fit</h3><p class='dim'>On {found.get('n_held_out', 0):,} rows that fit held out; the teacher "
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
