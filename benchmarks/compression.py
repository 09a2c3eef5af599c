"""What quantising and pruning cost: bytes, accuracy and probabilities, on the development tables.

Run: ``python benchmarks/compression.py [--seeds 0 1 2] [--tables magic splice ...] [--jobs 2]`` (a quarter of an
hour for each split, of one core)

On each table (see tables.py; at most 8,000 rows to fit on) a DistilledClassifier with its default
student learns from a HistGradientBoostingClassifier. The student is then stored as float16 and as
int8, with rows given and without, and pruned to half its hidden units, with itself and with the
teacher to learn from. Everything is measured on the test rows, against the student as it was. A table
counts by its mean over the splits: on one split a row of a few hundred is a third of a point.
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
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from _common import one_thread, print_header, print_table
from skdistill import DistilledClassifier
from skdistill.compress import prune, quantize
from tables import NAMES, load, split

Array = NDArray[Any]

N_ROWS = 8_000
#: What is measured of a way to compress, in this order.
FIGURES = ("test rows", "bytes", "file", "program", "accuracy", "agreement", "change", "reported", "seconds")


def file_size(student: Any) -> int:
    """Return the bytes of a student's file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "student.skd"
        student.export(path)
        return path.stat().st_size


def measure(name: str, seed: int) -> dict[str, list[float]]:
    """Return the figures of each way to compress, on one thread of whichever process this is."""
    with one_thread():
        return _measured(name, seed)


def _measured(name: str, seed: int) -> dict[str, list[float]]:
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
    found = {}
    for way, compress in ways.items():
        start = perf_counter()
        small = compress()
        seconds = perf_counter() - start
        after = small.predict_proba(X_test)
        found[way] = [
            len(y_test),
            size,
            file_size(small) / size,
            small.program_.nbytes / student.program_.nbytes,
            100 * (small.score(X_test, y_test) - accuracy),
            (after.argmax(axis=1) == before.argmax(axis=1)).mean(),
            np.abs(after - before).mean(),
            small.compression_report_["mean_change"],
            seconds,
        ]
    return found


def row(name: str, way: str, splits: Array) -> list[str]:
    """Return the line of a table and a way: the mean over splits, and the accuracy lost at worst."""
    n_test, size, file, program, accuracy, agreement, change, reported, seconds = splits.mean(axis=0)
    return [
        f"{name}, {way}",
        f"{n_test:,.0f}",
        f"{size:,.0f}",
        f"{file:.3f}",
        f"{program:.3f}",
        f"{accuracy:+.2f}",
        f"{splits[:, FIGURES.index('accuracy')].min():+.2f}",
        f"{agreement:.4f}",
        f"{change:.5f}",
        f"{reported:.5f}",
        f"{seconds:.1f}",
    ]


def summary(way: str, tables: Array) -> list[str]:
    """Return the line of a way: its figures over tables and splits, (n_tables, n_splits, n_figures)."""
    _, _, file, program, accuracy, agreement, change, _, seconds = np.moveaxis(tables, -1, 0)
    # so many points may be lost
    allowed = 0.5 if "pruned" in way else 0.2
    short = accuracy.mean(axis=1) < -allowed
    return [
        way,
        f"{file.max():.3f}",
        f"{program.max():.3f}",
        f"{accuracy.mean():+.2f}",
        f"{accuracy.mean(axis=1).min():+.2f}",
        f"{short.sum()} of {short.size}",
        f"{accuracy.min():+.2f}",
        f"{(accuracy < -allowed).sum()} of {accuracy.size}",
        f"{agreement.min():.4f}",
        f"{change.max():.5f}",
        f"{np.median(seconds):.1f}",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="SEED", help="the splits")
    parser.add_argument("--tables", nargs="+", choices=NAMES, default=list(NAMES), metavar="TABLE", help="%(choices)s")
    parser.add_argument("--jobs", type=int, default=1, help="processes, of one thread each (default: 1)")
    given = parser.parse_args(arguments)
    n_splits = len(given.seeds)
    with one_thread():
        print_header(f"Quantising and pruning, {n_splits} splits, one thread", "scikit-learn", "torch")
    units = [(name, seed) for name in given.tables for seed in given.seeds]
    measured = Parallel(n_jobs=given.jobs, verbose=1)(delayed(measure)(name, seed) for name, seed in units)
    ways = list(measured[0])
    figures = {
        way: np.array([one[way] for one in measured]).reshape(len(given.tables), n_splits, len(FIGURES)) for way in ways
    }
    header = ["table, way", *FIGURES[:5], "worst", *FIGURES[5:]]
    print_table(header, [row(name, way, figures[way][at]) for at, name in enumerate(given.tables) for way in ways])
    print(
        "\nThe mean over splits. bytes: the student's file in float32. file, program: the share of its bytes, and of "
        "the Program's\narrays. accuracy: points gained; worst: on a single split. agreement: the share of test rows "
        "on which both name the same\nclass. change: the mean change of a probability; reported: the same by "
        "compression_report_.\nExpected: int8 file at most 0.300, accuracy within 0.2, change at most 0.01; pruned to "
        "half program at most 0.450,\naccuracy within 0.5; a row of the test counts for 100 / (test rows) points.\n"
    )
    header = ["way, over the tables", "file, most", "program, most", "accuracy, mean", "worst table", "short"]
    header += ["worst split", "short", "agreement, least", "change, most", "seconds, median"]
    print_table(header, [summary(way, figures[way]) for way in ways])
    print("\nshort: the tables, and the single splits, on which more accuracy is lost than expected.")


if __name__ == "__main__":
    main()
