"""How a student's fit, its memory and its answers grow with rows, columns and classes.

Run: ``python benchmarks/growth.py`` (some 15 minutes of one core; ``--quick`` for a look of a
minute, ``--picture docs`` draws ``docs/growth-rows.png`` and the like)

One thing is varied at a time, and the others stay in the middle: 10,000 rows, 20 columns, 2 classes.
Each fit has a process of its own, which has fitted once before on a few rows, so that no import
counts; memory is the peak during the fit less the peak before it, with the rows made. Times of fits
are CPU seconds. The teacher is a function that knows the truth and answers at once; what it takes is
said apart.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from _common import peak_memory, print_header, print_table
from _growth_picture import draw
from skdistill import DistilledClassifier

Array = NDArray[Any]

#: What is varied, over which values, and where it stays while another is varied.
GROWN: dict[str, tuple[int, ...]] = {
    "rows": (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000),
    "columns": (10, 20, 50, 100, 200, 500, 1_000, 2_000),
    "classes": (2, 5, 10, 20, 50, 100),
}
QUICK: dict[str, tuple[int, ...]] = {"rows": (1_000, 2_000, 4_000), "columns": (10, 20, 40), "classes": (2, 4, 8)}
MIDDLE = {"rows": 10_000, "columns": 20, "classes": 2}
#: Columns that say something of the class, and units of the net that says it.
INFORMATIVE, UNITS = 10, 16
MANY, REPEATS, IN_A_ROW = 10_000, 7, 500
BLOCK = 10_000

STUDENTS: dict[str, Callable[..., DistilledClassifier]] = {
    "default": partial(DistilledClassifier, random_state=0),
    "plain": partial(DistilledClassifier, alpha=0.5, random_state=0),
    "linear": partial(DistilledClassifier, student="linear", random_state=0),
}
#: The most that a student is measured with. The recipe fits a dozen nets, which grow as the plain one does.
MOST = {("default", "rows"): 100_000, ("default", "columns"): 0, ("default", "classes"): 0}


class Truth:
    """A teacher that made the labels itself: a random net of a few columns. It keeps its own time.

    Parameters
    ----------
    n_classes : int
        How many classes it tells apart.
    rng : Generator
        Draws its weights.
    """

    def __init__(self, n_classes: int, rng: np.random.Generator) -> None:
        self.first = rng.normal(size=(INFORMATIVE, UNITS))
        self.second = 1.5 * rng.normal(size=(UNITS, n_classes))
        self.seconds = 0.0

    def __call__(self, X: Array) -> Array:
        """Return the probability of each class, shape (n_rows, n_classes)."""
        start = process_time()
        proba = np.empty((len(X), self.second.shape[1]))
        for rows in blocks(len(X)):
            logits = np.tanh(X[rows, :INFORMATIVE] @ self.first) @ self.second
            proba[rows] = np.exp(logits - logits.max(axis=1, keepdims=True))
        proba /= proba.sum(axis=1, keepdims=True)
        self.seconds += process_time() - start
        return proba


def blocks(n_rows: int) -> Iterator[slice]:
    """Yield slices of rows, so that making them takes no more memory than they do."""
    return (slice(start, start + BLOCK) for start in range(0, n_rows, BLOCK))


def make(n_rows: int, n_columns: int, n_classes: int) -> tuple[Truth, Array, Array]:
    """Return a teacher, normal numbers of which ten columns count, and labels drawn from its answers."""
    rng = np.random.default_rng(0)
    teacher = Truth(n_classes, rng)
    X, y = np.empty((n_rows, n_columns)), np.empty(n_rows, dtype=np.int64)
    for rows in blocks(n_rows):
        X[rows] = rng.normal(size=X[rows].shape)
        edges = teacher(X[rows]).cumsum(axis=1)
        y[rows] = np.minimum((rng.random((len(edges), 1)) > edges).sum(axis=1), n_classes - 1)
    return teacher, X, y


def measure(student: str, sizes: dict[str, int]) -> dict[str, float]:
    """Fit one student in this process and have it answer."""
    teacher, X, y = make(sizes["rows"], sizes["columns"], sizes["classes"])
    model = STUDENTS[student](teacher, classes=np.arange(sizes["classes"]))
    warm = slice(0, 90)
    model.fit(X[warm], y[warm] % 2)
    teacher.seconds = 0.0
    before, start = peak_memory(), process_time()
    model.fit(X, y)
    seconds = process_time() - start
    found = {
        "fit": seconds,
        "teacher": teacher.seconds,
        "memory": float(peak_memory() - before),
        "rounds": float(model.student_.n_iter_),
        "bytes": float(model.program_.nbytes),
    }
    many, row = np.random.default_rng(1).normal(size=(MANY, sizes["columns"])), np.ascontiguousarray(X[:1])
    found["many"] = cpu_seconds(lambda: model.predict_proba(many), 1)
    found["one"] = cpu_seconds(lambda: model.program_(row), IN_A_ROW)
    return found


def cpu_seconds(call: Callable[[], object], in_a_row: int) -> float:
    """Return the CPU seconds of a call, the median of some rounds; the first is not counted."""
    taken = []
    for _ in range(REPEATS + 1):
        start = process_time()
        for _ in range(in_a_row):
            call()
        taken.append((process_time() - start) / in_a_row)
    return median(taken[1:])


def in_a_process(student: str, sizes: dict[str, int]) -> dict[str, float]:
    """Measure in a fresh process that holds to one thread."""
    command = [sys.executable, __file__, "--measure", student, json.dumps(sizes)]
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | single)
    return json.loads(done.stdout.splitlines()[-1])


def slope(sizes: Array, values: Array) -> float:
    """Return the slope of the line through the logarithms, over the upper half of the sizes: 1 is linear."""
    upper = slice(len(sizes) // 2 - (len(sizes) < 4), None)
    return float(np.polyfit(np.log(sizes[upper]), np.log(np.maximum(values[upper], 1e-9)), 1)[0])


def report(name: str, found: dict[str, dict[int, dict[str, float]]]) -> None:
    """Print what was measured while one thing was varied, and the slopes."""
    figures = (("fit", 1.0, "1"), ("teacher", 1.0, "2"), ("memory", 2**-20, "0"), ("many", 1e3, "1"), ("one", 1e6, "1"))
    rows = []
    for student, points in found.items():
        for size, point in points.items():
            cells = [f"{scale * point[figure]:,.{digits}f}" for figure, scale, digits in figures]
            rows.append([f"{student}, {size:,}", *cells, f"{point['rounds']:.0f}", f"{point['bytes'] / 1e3:,.0f}"])
        sizes = np.array(list(points), dtype=float)
        slopes = [slope(sizes, np.array([point[figure] for point in points.values()])) for figure, *_ in figures]
        rows.append([f"{student}, slope", *(f"{one:.2f}" for one in slopes), "", ""])
    header = ["fit, CPU s", "of it teacher", "memory, MiB", f"{MANY:,} rows, ms", "one row, µs", "rounds", "KB"]
    print_table([f"student, {name}", *header], rows)
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description="How fits, memory and answers grow with rows, columns and classes.")
    parser.add_argument("--quick", action="store_true", help="a few small sizes")
    parser.add_argument("--picture", type=Path, metavar="FOLDER", help="draw growth-rows.png and the like into it")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="keep what is measured here, and take it from here")
    parser.add_argument("--students", nargs="+", choices=list(STUDENTS), default=list(STUDENTS))
    parser.add_argument("--vary", nargs="+", choices=list(GROWN), default=list(GROWN))
    parser.add_argument("--measure", nargs=2, metavar=("STUDENT", "SIZES"), help="one fit, in this process, as JSON")
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure[0], json.loads(args.measure[1]))))
        return
    if args.picture and not args.picture.is_dir():
        parser.error(f"--picture {args.picture}: there is no such folder")
    print_header("Growth with rows, columns and classes, one thread", "scikit-learn", "scipy", "torch", "skorch")
    points = [
        (name, student, size)
        for name in args.vary
        for student in args.students
        for size in (QUICK if args.quick else GROWN)[name]
        if size <= MOST.get((student, name), size)
    ]
    kept = args.keep.read_text().splitlines() if args.keep and args.keep.exists() else []
    measured: dict[str, dict[str, float]] = {line["key"]: line["found"] for line in map(json.loads, kept)}
    found: dict[str, dict[str, dict[int, dict[str, float]]]] = {name: {} for name in args.vary}
    for name, student, size in tqdm(points, unit="fit", dynamic_ncols=True):
        sizes = MIDDLE | {name: size}
        # the middle belongs to all three
        key = json.dumps([student, sizes])
        if key not in measured:
            measured[key] = in_a_process(student, sizes)
            if args.keep:
                with args.keep.open("a") as file:
                    file.write(json.dumps({"key": key, "found": measured[key]}) + "\n")
        found[name].setdefault(student, {})[size] = measured[key]
    for name in args.vary:
        report(name, found[name])
    print(
        "fit: CPU seconds of a fit, and of the teacher in it. memory: the peak during the fit less that before it,\n"
        "which holds the rows (8 bytes a number). rounds: epochs of the last net, iterations of the last linear fit.\n"
        "KB: the Program. slope: of the logarithms, over the upper half of the sizes; 1 is linear. While one thing is\n"
        f"varied the others stay at {', '.join(f'{size:,} {name}' for name, size in MIDDLE.items())}.\n"
        "default: DistilledClassifier(teacher). plain: with alpha=0.5, Hinton's loss alone. linear: with\n"
        f'student="linear". {MANY:,} rows: predict_proba. one row: program_, {IN_A_ROW} in a row. Both in CPU time,\n'
        f"medians of {REPEATS}."
    )
    if args.picture:
        draw(found, slope, args.picture)


if __name__ == "__main__":
    main()
