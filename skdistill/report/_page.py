"""The report as HTML: one page or a notebook's cell, in light and dark, wide and narrow, without a script."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from ._charts import actual_by_predicted, against, confusion, frontier, reliability
from ._columns import figures, share

if TYPE_CHECKING:
    from ._report import Report

#: Text and lines take the page's own colour, thinned; marks have one that shows on white and on black alike.
STYLE = """
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
.skd svg{display:block;width:100%;max-width:30rem;height:auto;font-family:inherit}
.skd svg text{fill:currentColor;font-size:12px}
.skd svg .name{paint-order:stroke;stroke:var(--halo,transparent);stroke-width:3px}
.skd svg .tick,.skd svg .label{fill-opacity:.78}
.skd svg .grid{stroke:currentColor;stroke-opacity:.1;fill:none}
.skd svg .axis{stroke:currentColor;stroke-opacity:.45;fill:none}
.skd svg .lead{stroke:currentColor;stroke-opacity:.4;fill:none}
.skd svg .line{fill:none;stroke-width:1.8;stroke-linejoin:round}
.skd svg .dashed{stroke-dasharray:5 4;stroke-width:1.3}
.skd svg .line.muted{stroke:currentColor;stroke-opacity:.4}
.skd svg .line.teacher{stroke:var(--teacher)}.skd svg .dot.teacher{fill:var(--teacher)}
.skd svg .line.student{stroke:var(--student)}.skd svg .dot.student{fill:var(--student)}
.skd svg .line.labels-only{stroke:var(--labels)}.skd svg .dot.labels-only{fill:var(--labels)}
.skd svg .cell.student{fill:var(--student)}.skd svg .cell.labels-only{fill:var(--labels)}
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


def page(report: Report) -> str:
    """Return the report as a whole page."""
    return _PAGE.format(teacher=escape(report.table["teacher"]["model"]), fragment=fragment(report))


def fragment(report: Report) -> str:
    """Return the report as an element that brings its own style."""
    students = [name for name in report.table if name != "teacher"]
    ordered = [report.chosen, *(name for name in students if name != report.chosen)]
    sentences = "".join(f"<p>{escape(sentence)}</p>" for sentence in report.findings())
    parts = [
        f"<style>{STYLE}</style>",
        f"<header><h1>Students of {escape(report.table['teacher']['model'])}</h1>{sentences}</header>",
        _table(report),
        _frontiers(report),
        "<h2>Student by student</h2>",
        *(_student(report, name) for name in ordered),
        _shipping(report),
        _meanings(report),
        f"<footer><p>{escape(report.foot())}</p></footer>",
    ]
    return f'<div class="skd">{"".join(parts)}</div>'


def _key(kind: str) -> str:
    return f'<span class="key {kind.replace(" ", "-")}"></span>'


def _table(report: Report) -> str:
    columns = report.shown_columns()
    heads = "".join(f'<th scope="col">{escape(column.title)}</th>' for column in columns)
    rows = []
    for name, row in report.table.items():
        small = row["model"] if row["kind"] != "labels only" else f"{row['model']}, labels only"
        cells = "".join(
            f'<td data-title="{escape(column.title)}">{escape(report.text_of(name, column))}</td>' for column in columns
        )
        chosen = ' class="chosen"' if name == report.chosen else ""
        rows.append(
            f'<tr{chosen}><th scope="row" class="left">{_key(row["kind"])}{escape(name)}<small>{escape(small)}</small>'
            f"</th>{cells}</tr>"
        )
    of = "" if report.classes is None else f" of {len(report.classes)} classes"
    return (
        f'<h2>Figures on {report.n_rows:,} rows{of}</h2><div class="box">'
        f'<table class="stack figures"><thead><tr><th scope="col" class="left">model</th>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _frontiers(report: Report) -> str:
    columns = {column.key: column for column in report.columns}
    students = [row for row in report.table.values() if row["kind"] != "teacher"]
    # where a student has no Program, pickles are the size that all have
    size = "program_bytes" if all(row["program_bytes"] for row in students) else "pickle_bytes"
    drawn = [frontier(report.table, columns[key]) for key in (size, "median_us")]
    captions = (
        "Small and faithful is up and left. The line joins the students that no other beats; dashed is the teacher.",
        "The same against the time of one row.",
    )
    figures = "".join(
        f"<figure>{svg}<figcaption>{caption}</figcaption></figure>"
        for svg, caption in zip(drawn, captions, strict=True)
        if svg
    )
    return f'<h2>The frontier</h2><div class="pictures">{figures}</div>' if figures else ""


def _student(report: Report, name: str) -> str:
    details = report.details[name]
    drawn = _pictures_of_numbers(report, name) if report.classes is None else _pictures_of_classes(report, name)
    pictures = "".join(f"<figure>{svg}<figcaption>{caption}</figcaption></figure>" for svg, caption in drawn if svg)
    swaps = "" if report.classes is None else _swaps(details.confusion, [str(label) for label in report.classes])
    is_open = " open" if name == report.chosen else ""
    return (
        f"<details{is_open}><summary>{_key(report.table[name]['kind'])}{escape(name)}</summary>"
        f'<div class="pictures">{pictures}</div>{swaps}{_slices(report, name)}'
        f"{_rows(details.disagreements, of_classes=report.classes is not None)}{_in_fit(details.in_fit)}</details>"
    )


def _pictures_of_classes(report: Report, name: str) -> list[tuple[str, str]]:
    """Return pictures of a student of classes, each with its caption."""
    assert report.classes is not None
    details, kind = report.details[name], str(report.table[name]["kind"])
    first = report.details["teacher"].reliability
    assert first is not None
    assert details.reliability is not None
    assert details.confusion is not None
    names = [str(label) for label in report.classes]
    curves = {"teacher": ("teacher", first), name: (kind, details.reliability)}
    return [
        (
            reliability(curves, len(names)),
            f"Reliability: {_key('teacher')}teacher &nbsp; {_key(kind)}{escape(name)}. On the dashed line a "
            "probability means what it says; large dots are many rows.",
        ),
        (
            confusion(details.confusion, names),
            "Rows by the class that teacher and student name; shaded by the share of the teacher's class.",
        ),
    ]


def _pictures_of_numbers(report: Report, name: str) -> list[tuple[str, str]]:
    """Return pictures of a student of numbers, each with its caption: two for each of the first outputs."""
    details, kind = report.details[name], str(report.table[name]["kind"])
    drawn = []
    for at, (first, own, density) in enumerate(
        zip(report.details["teacher"].curves, details.curves, details.densities, strict=True)
    ):
        output = "" if len(details.curves) == 1 else f"Output {at}. "
        curves = {"teacher": ("teacher", first), name: (kind, own)}
        drawn += [
            (
                against(density, kind),
                f"{output}The student's number against the teacher's; the darker, the more rows. On the dashed line "
                "they say the same.",
            ),
            (
                actual_by_predicted(curves),
                f"{output}Ranges of predictions with as many rows each: {_key('teacher')}teacher &nbsp; {_key(kind)}"
                f"{escape(name)}. On the dashed line the mean of what is there is the mean of what was predicted.",
            ),
        ]
    return drawn


def _swaps(counts: Any, names: Sequence[str]) -> str:
    off = counts.copy()
    np.fill_diagonal(off, 0)
    most = np.argsort(-off, axis=None, kind="stable")[:5]
    pairs = [np.unravel_index(at, off.shape) for at in most if off.flat[at]]
    if not pairs:
        return "<p>Teacher and student name the same class in every row.</p>"
    items = "; ".join(f"{escape(names[row])} → {escape(names[column])} ({off[row, column]:,})" for row, column in pairs)
    return f"<p>Most often swapped, teacher → student (rows): {items}.</p>"


def _slices(report: Report, name: str) -> str:
    from ._figures import SHOWN_SLICES

    found = report.details[name].slices[:SHOWN_SLICES]
    if not found:
        return f"<p>No slice has {report.min_rows} rows or more.</p>"
    row = report.table[name]
    if report.classes is not None:
        key, title, write, whole = "agreement", "agreement", share, row["fidelity"]
        by = "class, category and quartile"
    else:
        key, title, write, whole = "rmse", "RMSE to teacher", figures, row["fidelity_rmse"]
        by = "category and quartile"
    rows = "".join(
        f'<tr><th scope="row" class="left">{escape(one["column"])}: {escape(one["slice"])}</th>'
        f'<td data-title="rows">{one["n_rows"]:,}</td><td data-title="{title}">{write(one[key])}</td></tr>'
        for one in found
    )
    return (
        f"<h3>Slices on which they agree least</h3><p class='dim'>By {by}; of "
        f"{report.min_rows} rows or more. All rows: {write(whole)}.</p>"
        '<div class="box"><table class="stack"><thead><tr><th scope="col" class="left">slice</th>'
        f'<th scope="col">rows</th><th scope="col">{title}</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _rows(found: Sequence[dict[str, Any]], *, of_classes: bool) -> str:
    say = _named_class if of_classes else _numbers
    rows = []
    for one in found:
        index = one["row"] if one["index"] is None else one["index"]
        cells = ", ".join(f"{_cut(name)} = {_cut(cell)}" for name, cell in one["cells"].items())
        rows.append(
            f'<tr><th scope="row" class="left">row {escape(_cut(str(index)))}</th>'
            f'<td data-title="label">{escape(say(one, "label"))}</td>'
            f'<td data-title="teacher">{escape(say(one, "teacher"))}</td>'
            f'<td data-title="student">{escape(say(one, "student"))}</td>'
            f'<td class="cells">{escape(cells)}</td></tr>'
        )
    said = "names, and how probable it finds it" if of_classes else "says, in the target's unit"
    return (
        f"<h3>Rows on which they differ most</h3><p class='dim'>What each {said}.</p>"
        '<div class="box"><table class="stack"><thead><tr><th scope="col" class="left">row</th>'
        '<th scope="col">label</th>'
        '<th scope="col">teacher</th><th scope="col">student</th><th scope="col" class="cells">cells</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _named_class(one: dict[str, Any], who: str) -> str:
    """Return the class of a row, and how probable teacher or student finds it."""
    probability = "" if who == "label" else f" {one[f'{who}_probability']:.2f}"
    return f"{_cut(str(one[who]))}{probability}"


def _numbers(one: dict[str, Any], who: str) -> str:
    """Return the number of a row, or those of several outputs."""
    return _cut(", ".join(figures(number) for number in np.atleast_1d(one[who])))


def _cut(text: str, longest: int = 60) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _in_fit(found: Any) -> str:
    if not found or "labels_only" not in found:
        return ""
    scores = {"distilled": found.get("distilled"), "labels only": found["labels_only"], "teacher": found.get("teacher")}
    of_numbers = "rmse" in scores["distilled"]
    keys = ("rmse", "mae", "r2", "r2_teacher") if of_numbers else ("log_loss", "accuracy", "agreement")
    rows = "".join(
        f'<tr><th scope="row" class="left">{name}</th>'
        + "".join(
            f'<td data-title="{key}">{score[key]:.4g}</td>' if key in score else f'<td data-title="{key}"></td>'
            for key in keys
        )
        + "</tr>"
        for name, score in scores.items()
        if score
    )
    return (
        f"<h3>As seen in fit</h3><p class='dim'>On {found.get('n_held_out', 0):,} rows that fit held out; the teacher "
        "may know them.</p><div class='box'><table class='stack'><thead><tr><th scope='col' class='left'>model</th>"
        + "".join(f"<th scope='col'>{key}</th>" for key in keys)
        + "</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _shipping(report: Report) -> str:
    name = report.chosen
    method = "predict_proba" if report.classes is not None else "predict"
    if report.table[name]["program_bytes"] is None:
        text = (
            f"<p>{escape(name)} has no Program, and so no export; pickle the model's <code>student_</code>, which "
            "leaves the teacher behind.</p><pre>import pickle\n\n"
            'with open("student.pkl", "wb") as file:\n    pickle.dump(model.student_, file)</pre>'
        )
    else:
        text = (
            f"<p><code>model</code> is {escape(name)}, fitted.</p>"
            '<pre>model.export("student.skd")   # loads with numpy alone\n'
            'model.export("student.onnx")  # ONNX, the encoder included\n'
            'model.export("student.c")     # C99, and student.h beside it\n'
            'model.export("student.py")    # one readable file</pre>'
            "<p>In the service:</p>"
            f'<pre>import skdistill\n\nstudent = skdistill.load("student.skd")\nstudent.{method}(rows)</pre>'
            "<p>Smaller still, and what it costs:</p>"
            "<pre>from skdistill.compress import quantize\n\n"
            'small = quantize(model, "int8", X)\nprint(small.compression_report_)</pre>'
        )
    return f"<h2>Ship {escape(name)}</h2>{text}"


def _meanings(report: Report) -> str:
    items = "".join(
        f"<dt>{escape(column.title)}</dt><dd>{escape(column.meaning)}</dd>" for column in report.shown_columns()
    )
    return f"<details><summary>What the figures mean</summary><dl>{items}</dl></details>"
