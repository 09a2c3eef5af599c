"""What quantising and pruning cost: bytes, accuracy and probabilities, on the development tables.

Run: ``python benchmarks/compression.py [--seed 0] [--tables magic splice ...]`` (some minutes)

On each table (see tables.py; at most 8,000 rows to fit on) a DistilledClassifier with its default
student learns from a HistGradientBoostingClassifier. The student is then stored as float16 and as
int8, with rows given and without, and pruned to half its hidden units, with itself and with the
teacher to learn from. Everything is measured on the test rows, against the student as it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

from _common import one_thread, print_header, print_table
from skdistill import DistilledClassifier
from skdistill.compress import prune, quantize
from tables import NAMES, load, split

N_ROWS = 8_000


def file_size(student: Any) -> int:
    """Return the bytes of a student's file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "student.skd"
        student.export(path)
        return path.stat().st_size


def measure(name: str, seed: int) -> list[list[str]]:
    """Return a row of the table for each way to compress."""
    X, X_test, y, y_test = split(load(name), seed)
    X, y = X.iloc[:N_ROWS], y[:N_ROWS]
    for column in X.columns[[not pd.api.types.is_numeric_dtype(dtype) for dtype in X.dtypes]]:
        levels = pd.CategoricalDtype(pd.concat([X[column], X_test[column]]).astype(str).unique())
        X, X_test = (part.assign(**{column: part[column].astype(str).astype(levels)}) for part in (X, X_test))
    teacher = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0).fit(X, y)
    student = DistilledClassifier(teacher, random_state=seed).fit(X, y).student_
    size, before = file_size(student), student.predict_proba(X_test)
    accuracy = student.score(X_test, y_test)
    ways: dict[str, Callable[[], Any]] = {
        "float16": lambda: quantize(student, "float16"),
        "int8": lambda: quantize(student, "int8"),
        "int8, X": lambda: quantize(student, "int8", X),
        "pruned to half": lambda: prune(student, X, keep=0.5),
        "pruned, teacher": lambda: prune(student, X, keep=0.5, teacher=teacher),
        "pruned, int8, X": lambda: quantize(prune(student, X, keep=0.5), "int8", X),
    }
    rows = []
    for way, compress in ways.items():
        start = perf_counter()
        small = compress()
        seconds = perf_counter() - start
        after = small.predict_proba(X_test)
        rows.append(
            [
                f"{name}, {way}",
                f"{len(y_test):,}",
                f"{size:,}",
                f"{file_size(small) / size:.3f}",
                f"{small.program_.nbytes / student.program_.nbytes:.3f}",
                f"{100 * (small.score(X_test, y_test) - accuracy):+.2f}",
                f"{(after.argmax(axis=1) == before.argmax(axis=1)).mean():.4f}",
                f"{np.abs(after - before).mean():.5f}",
                f"{small.compression_report_['mean_change']:.5f}",
                f"{seconds:.1f}",
            ]
        )
    return rows


def summary(rows: list[list[str]]) -> list[list[str]]:
    """Return a row for each way: its figures over the tables."""
    ways: dict[str, list[list[float]]] = {}
    for name, *cells in rows:
        ways.setdefault(name.split(", ", 1)[1], []).append([float(cell.replace(",", "")) for cell in cells])
    found = []
    for way, measured in ways.items():
        _, _, file, program, accuracy, agreement, change, _, seconds = np.array(measured).T
        short = sum(accuracy < (-0.5 if "pruned" in way else -0.2))
        found.append(
            [
                way,
                f"{file.max():.3f}",
                f"{program.max():.3f}",
                f"{accuracy.mean():+.2f}",
                f"{accuracy.min():+.2f}",
                f"{short} of {len(measured)}",
                f"{agreement.min():.4f}",
                f"{change.max():.5f}",
                f"{np.median(seconds):.1f}",
            ]
        )
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="the split")
    parser.add_argument("--tables", nargs="+", choices=NAMES, default=list(NAMES), metavar="TABLE", help="%(choices)s")
    given = parser.parse_args(arguments)
    with one_thread():
        print_header(f"Quantising and pruning, split {given.seed}, one thread", "scikit-learn", "torch")
        rows = [row for name in given.tables for row in measure(name, given.seed)]
    header = [
        "table, way",
        "test rows",
        "bytes",
        "file",
        "program",
        "accuracy",
        "agreement",
        "change",
        "told",
        "seconds",
    ]
    print_table(header, rows)
    print(
        "\nbytes: the student's file in float32. file, program: the share of its bytes, and of the Program's arrays. "
        "accuracy: points\ngained. agreement: the share of test rows on which both name the same class. change: the "
        "mean change of a probability; told: the\nsame by compression_report_.\n"
        "Expected: int8 file at most 0.300, accuracy within 0.2, change at most 0.01; pruned to half program at most "
        "0.450, accuracy within\n0.5; a row of the test counts for 100 / (test rows) points.\n"
    )
    header = ["way, over the tables", "file, most", "program, most", "accuracy, mean", "least", "short"]
    print_table([*header, "agreement, least", "change, most", "seconds, median"], summary(rows))
    print("\nshort: the tables on which more accuracy is lost than expected.")


if __name__ == "__main__":
    main()
