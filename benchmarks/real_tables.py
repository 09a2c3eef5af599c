"""Real tables as they were published: what a default student keeps of a teacher on raw rows, and what fails.

Run: ``python benchmarks/real_tables.py`` (some 4 minutes of one core; ``--table thyroid`` for one table)

The tables are messy: free texts, dates and prices as texts, categories with thousands of levels, identifiers, missing
cells, more than a hundred columns, rare positives. _real_tables.py names the packages that ship them. The formats need
``pip install 'skdistill[export]'`` and gcc, some teachers ``pip install lightgbm``.

The teacher is a Pipeline of scikit-learn with an OrdinalEncoder for texts, or LightGBM with categories. It is fitted on
the same frame as the student: ``DistilledClassifier(teacher, random_state=seed).fit(frame, y)``. The yardsticks are the
same net and a linear student, both fitted to labels alone. Everything is fitted in turn, on one thread.

The exit status is 1 if a fit raises, or if an exported file's answers differ from the student's by more than 1e-4: from
its probabilities, or from its predictions relative to their size or to the deviation of the target, the larger of both.
"""

from __future__ import annotations

import argparse
import json
import re
import runpy
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.metrics import r2_score, roc_auc_score, root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from tqdm import tqdm

import skdistill
from _common import one_thread, print_header, print_table
from _real_tables import TABLES, RealTable, split
from _scores import accuracy, loss
from _teachers import boosted, categories
from skdistill import (
    DistilledClassifier,
    DistilledRegressor,
    LinearStudent,
    LinearStudentRegressor,
    MLPStudent,
    MLPStudentRegressor,
)
from skdistill.program import cell_reader
from tables import package

Array = NDArray[Any]

N_TREES, N_ROUNDS, EXPORTED_ROWS, CLOSE = 300, 300, 200, 1e-4
#: A column is reported if more than this share of its cells are read as the one level for all rare and unseen ones.
MOSTLY = 0.5
WHO = ("teacher", "default", "labels", "linear")
FORMATS = ("onnx", "c", "py", "skd")

#: Reads rows of cells, texts in hexadecimal after an x and - where missing, and prints what it predicts.
MAIN = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "student.h"

static char line[1 << 22], bytes[1 << 22];
static size_t n;

static const char *text(void)
{
    const char *cell = strtok(0, " \n");
    const char *const found = bytes + n;
    if (*cell == '-') return 0;
    for (cell++; *cell; cell += 2) {
        char pair[3] = {cell[0], cell[1], 0};
        bytes[n++] = (char)strtol(pair, 0, 16);
    }
    bytes[n++] = 0;
    return found;
}

static double number(void) { return strtod(strtok(0, " \n"), 0); }

int main(void)
{
    while (fgets(line, sizeof line, stdin)) {
        student_row row;
        TYPE out[WIDTH];
        (void)text;
        (void)number;
        n = 0;
        strtok(line, " \n");
        READ
        CALL(&row, out);
        for (int i = 0; i < WIDTH; i++) printf("%.17g ", (double)out[i]);
        printf("\n");
    }
    return 0;
}
"""


def make_teacher(kind: str, frame: Any, regression: bool, seed: int) -> Any:
    """Return an unfitted teacher that takes frames like this one."""
    if kind == "lightgbm":
        return boosted(N_ROUNDS, seed, regression)
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    encode = ColumnTransformer([("codes", codes, categories(frame))], remainder="passthrough")
    if kind == "forest":
        forest = RandomForestRegressor if regression else RandomForestClassifier
        return make_pipeline(encode, forest(N_TREES, random_state=seed, n_jobs=1))
    boosting = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    return make_pipeline(encode, boosting(random_state=seed))


def predictions(model: Any, X: Any) -> Array:
    """Return probabilities of shape (n_rows, n_classes), or numbers of shape (n_rows,)."""
    return np.asarray(model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X))


def scores(y: Array, pred: Array, classes: Array | None) -> tuple[float, float]:
    """Return AUC (of many classes, accuracy) and log-loss; for regression, R2 and RMSE."""
    if classes is None:
        return float(r2_score(y, pred)), float(root_mean_squared_error(y, pred))
    first = roc_auc_score(y == classes[1], pred[:, 1]) if len(classes) == 2 else accuracy(y, pred, classes)
    return float(first), loss(y, pred, classes)


def kinds(frame: Any) -> str:
    """Return how many columns are numbers, truth values and texts, and the share of cells that are missing."""
    counts = {
        "numbers": frame.select_dtypes("number").shape[1],
        "booleans": frame.select_dtypes("bool").shape[1],
        "texts": len(categories(frame)),
    }
    described = [f"{count} {kind}" for kind, count in counts.items() if count]
    return ", ".join([*described, f"{frame.isna().to_numpy().mean():.0%} missing"])


def lost(program: Any, frame: Any) -> list[str]:
    """Return the columns of rows that a student does not read, and those that it reads mostly as its one rare level."""
    entry = program.ops[0]
    found = [f"{frame.columns[at]!r}: not read" for at in range(frame.shape[1]) if at not in set(entry.sources)]
    for source, kind, levels in entry.reads:
        if kind != "category":
            continue
        cells = frame.iloc[:, source].dropna()
        share = 1 - np.mean([cell in levels.levels for cell in cells.tolist()])
        if share > MOSTLY:
            found.append(f"{frame.columns[source]!r}: {share:.0%} of the cells ({cells.nunique()} values) as one level")
    return found


def from_onnx(path: Path, rows: Any, classes: Array | None) -> Array:
    """Return what onnxruntime predicts from an ONNX file, fed as its metadata say."""
    session = package("onnxruntime").InferenceSession(str(path))
    held = session.get_modelmeta().custom_metadata_map
    types = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(string)": object}
    wanted = {value.name: types[value.type] for value in session.get_inputs()}
    columns = json.loads(held["columns"])
    if list(wanted) == ["X"]:
        feeds = {"X": rows.to_numpy().astype(wanted["X"])}
    else:
        feeds = {}
        for column in columns:
            if not column["input"]:
                continue
            cells = rows[column["name"]]
            if "form" in column:
                kind = "datetime" if column["kind"] == "date" else "number"
                cells = list(map(cell_reader(kind, column["form"]), cells))
            elif column["kind"] == "number" and cells.dtype == object:
                # written as texts, and not read
                cells = package("pandas").to_numeric(cells, errors="coerce")
            elif column["kind"] == "date":
                cells = seconds(cells)
            elif column["kind"] == "text":
                cells = cells.astype(object).map(str).where(cells.notna(), held["missing"])
            feeds[column["input"]] = np.asarray(cells).astype(wanted[column["input"]])[:, None]
    (answers,) = session.run(["variable" if classes is None else "probabilities"], feeds)
    return answers[:, 0] if classes is None else answers


def seconds(cells: Any) -> Any:
    """Return dates as seconds since 1970, NaN where missing."""
    pandas = package("pandas")
    dates = pandas.to_datetime(cells, utc=True)
    return (dates - pandas.Timestamp(0, tz="UTC")).dt.total_seconds()


def from_c(path: Path, rows: Any, classes: Array | None) -> Array:
    """Return what a C file predicts, compiled by gcc with a program that reads rows."""
    header = path.with_suffix(".h").read_text()
    struct = re.search(r"typedef struct student_row \{\n(.*?)\n\}", header, re.DOTALL)
    assert struct is not None
    read, cells = [], []
    by_title = {title(name): name for name in rows}
    if field := re.search(r"double x\[(\d+)\]", struct[1]):
        read.append(f"for (int i = 0; i < {field[1]}; i++) row.x[i] = number();")
        cells += [list(map(hexadecimal, rows[name])) for name in rows]
    for name, note in re.findall(r"^    .+? \*?(\w+); /\* (\".*) \*/$", struct[1], re.MULTILINE):
        own, _, what = note.partition('": ')
        column = rows[by_title[own + '"']]
        if f"student_{name}_from_string" in header or what.startswith("a text"):
            call = f"student_{name}_from_string(text())" if f"student_{name}_from_string" in header else "text()"
            read.append(f"row.{name} = {call};")
            cells.append([written(cell) for cell in column.astype(object).where(column.notna(), None)])
        elif form := re.search(r'of the form "(.*)"', what):
            kind = "datetime" if "seconds" in what else "number"
            read.append(f"row.{name} = number();")
            cells.append(list(map(hexadecimal, map(cell_reader(kind, form[1]), column))))
        else:
            read.append(f"row.{name} = number();")
            cells.append(list(map(hexadecimal, seconds(column) if "seconds since" in note else column)))
    width = 1 if classes is None else len(classes)
    words = {
        "READ": "\n        ".join(read),
        "TYPE": "double" if classes is None else "float",
        "WIDTH": str(width),
        "CALL": "student_predict" if classes is None else "student_predict_proba",
    }
    main = re.sub(r"\b(READ|TYPE|WIDTH|CALL)\b", lambda found: words[found[1]], MAIN)
    (path.parent / "main.c").write_text(main)
    command = ["gcc", "-std=c99", "-O1", "main.c", path.name, "-o", "drive", "-lm"]
    subprocess.run(command, cwd=path.parent, check=True, capture_output=True)
    lines = "\n".join(" ".join(["row", *row]) for row in zip(*cells, strict=True))
    done = subprocess.run([path.parent / "drive"], input=lines, capture_output=True, text=True, check=True)
    found = np.array(done.stdout.split(), dtype=float).reshape(len(rows), width)
    return found[:, 0] if classes is None else found


def title(name: str) -> str:
    """Return a column's name as a comment in C quotes it."""
    plain = " !#$%&'()+,-./:;<=>?@[]^_`{|}~€£"
    shown = "".join(char if char.isalnum() or char in plain else f"\\u{ord(char):04x}" for char in name[:80])
    return f'"{shown}{"..." if len(name) > 80 else ""}"'


def hexadecimal(value: Any) -> str:
    return float(value).hex()


def written(cell: Any) -> str:
    return "-" if cell is None else "x" + str(cell).encode().hex()


def from_python(path: Path, rows: Any, classes: Array | None) -> Array:
    """Return what an exported Python file predicts of rows as dicts."""
    found = runpy.run_path(str(path))["predict" if classes is None else "predict_proba"](rows.to_dict("records"))
    return np.asarray(found)


def from_file(path: Path, rows: Any, classes: Array | None) -> Array:
    """Return what a loaded file predicts."""
    return predictions(skdistill.load(path), rows)


#: For each format who runs it.
RUN: dict[str, Callable[[Path, Any, Array | None], Array]] = {
    "onnx": from_onnx,
    "c": from_c,
    "py": from_python,
    "skd": from_file,
}


def differences(model: Any, rows: Any, classes: Array | None, spread: float) -> tuple[dict[str, Any], list[str]]:
    """Return by how much each format's file differs at most, with the kilobytes of the .skd, and what failed."""
    expected = predictions(model, rows)
    size = np.maximum(np.abs(expected), spread) if classes is None else 1.0
    found: dict[str, Any] = {}
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        for suffix in FORMATS:
            path = Path(folder) / f"student.{suffix}"
            try:
                model.export(path)
                found[suffix] = float(np.max(np.abs(RUN[suffix](path, rows, classes) - expected) / size))
                if not found[suffix] <= CLOSE:
                    faults.append(f".{suffix}: off by {found[suffix]:.2g}")
            except Exception as error:
                described = getattr(error, "stderr", None) or error
                faults.append(f".{suffix}: {type(error).__name__}: {str(described)[:500]}")
        path = Path(folder) / "student.skd"
        found["kilobytes"] = path.stat().st_size / 1000 if path.exists() else float("nan")
    return found, faults


def measure(table: RealTable, seed: int) -> dict[str, Any]:
    """Fit and score everything on one table."""
    X, X_test, y, y_test = split(table, seed)
    regression = y.dtype.kind == "f"
    result: dict[str, Any] = {"faults": [], "warnings": [], "lost": [], "frame": X, "y": y}
    teacher = make_teacher(table.teacher, X, regression, seed)
    distiller = (DistilledRegressor if regression else DistilledClassifier)(teacher, random_state=seed)
    labels = (MLPStudentRegressor if regression else MLPStudent)(random_state=seed)
    linear = (LinearStudentRegressor if regression else LinearStudent)()
    classes = None if regression else np.unique(y)
    for who, model in zip(WHO, (teacher, distiller, labels, linear), strict=True):
        begun = process_time()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                model.fit(X, y)
                result[f"seconds {who}"] = process_time() - begun
                result[f"score {who}"], result[f"loss {who}"] = scores(y_test, predictions(model, X_test), classes)
            except Exception as error:
                result["faults"].append(f"{who}: {type(error).__name__}: {str(error)[:500]}")
                if who == "teacher":
                    break
        result["warnings"] += [f"{who}: {kind.__name__}: {text}" for kind, text in described(caught)]
    if "seconds default" in result:
        result["lost"] = lost(distiller.program_, X_test)
        found, faults = differences(distiller, X_test[:EXPORTED_ROWS], classes, float(np.std(y)) if regression else 1.0)
        result |= found
        result["faults"] += faults
    return result


def described(caught: list[warnings.WarningMessage]) -> list[tuple[type[Warning], str]]:
    """Return each warning once."""
    return list(dict.fromkeys((one.category, str(one.message)) for one in caught))


def line(name: str, result: dict[str, Any]) -> list[str]:
    """Return a row of the printed table."""
    y = result["y"]
    if y.dtype.kind == "f":
        score = "R2, RMSE"
    else:
        values, counts = np.unique(y, return_counts=True)
        score = f"AUC, log-loss; {counts[1] / len(y):.1%} yes" if len(values) == 2 else f"accuracy of {len(values)}"

    def cell(key: str, form: str) -> str:
        return format(result[key], form) if key in result else "failed"

    return [
        f"{name}, {TABLES[name].teacher}",
        f"{result['frame'].shape[0]} x {result['frame'].shape[1]}",
        kinds(result["frame"]),
        score,
        *(f"{cell(f'score {who}', '.4f')}, {cell(f'loss {who}', '.4g')}" for who in WHO),
        *(cell(f"seconds {who}", ".1f") for who in WHO[:2]),
        cell("kilobytes", ".0f"),
        *(cell(suffix, ".0e") for suffix in FORMATS),
        str(len(result["warnings"])),
        str(len(result["lost"])),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="What students keep on real tables, and what fails.")
    parser.add_argument("--table", choices=list(TABLES), help="one table: %(choices)s", metavar="NAME")
    parser.add_argument("--seed", type=int, default=0, help="of splits and fits (default: %(default)s)")
    args = parser.parse_args()
    print_header("Real tables, raw", "scikit-learn", "pandas", "torch", "lightgbm", "onnxruntime")
    # the first fit imports torch, which is nobody's time
    MLPStudent(max_epochs=1).fit(np.eye(2), [0, 1])
    results = {}
    with one_thread():
        for name in tqdm([args.table] if args.table else list(TABLES), unit="table", dynamic_ncols=True):
            results[name] = measure(TABLES[name], args.seed)
    header = ["table, teacher", "rows", "columns", "score", *WHO, "teacher, CPU s", "default", "kB"]
    print_table([*header, *FORMATS, "warnings", "lost"], [line(name, result) for name, result in results.items()])
    print(
        "\nrows: to fit on. score: on rows held out. default: the distilled student; labels: the same net on labels\n"
        "alone; linear: a linear student on labels alone. onnx, c, py, skd: the largest difference of a file's\n"
        f"answers from the student's, on {EXPORTED_ROWS} rows. lost: columns not read, or mostly as one level.\n"
    )
    for key in ("warnings", "lost", "faults"):
        lines = [f"- {name}, {text}" for name, result in results.items() for text in result[key]]
        print("\n".join([f"{key}: {len(lines)}", *lines, ""]))
    print("\n".join(["sources", *(f"- {name}: {TABLES[name].source}; {TABLES[name].licence}" for name in results)]))
    return int(any(result["faults"] for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
