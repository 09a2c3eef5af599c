"""Raw tables, four kinds of teachers: what a student keeps when it takes the same rows as its teacher.

Run: ``python benchmarks/raw_tables.py`` (some 15 minutes on two cores; ``--rows 2000`` for a quick look)

Each teacher is fitted on the frame as it is, strings, categories and missing cells included; LightGBM
and HistGradientBoosting on the frame with its strings as pandas categories, which is what they ask
for. ``DistilledClassifier(teacher, random_state=0).fit(frame, y)`` then takes that same frame, and
everything is scored on raw rows held out. The yardstick is the labels-only student of the same size,
``MLPStudent(random_state=0).fit(frame, y)``, fitted once for each table: strings or categories, the
Program is the same. The packages that ship the tables are named in tables.py; the teachers need
``pip install lightgbm catboost``.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from tqdm import tqdm

from _common import print_header, print_table
from _scores import FLOOR, accuracy, agreement, loss
from _teachers import categories, forest, with_dtypes
from skdistill import DistilledClassifier, MLPStudent
from tables import load, package, split

Array = NDArray[Any]

TABLES = ("wa_churn", "diamonds", "hr", "german", "splice", "crx")
#: Whose figures there are: of two students of the same size, one learns from labels alone.
WHO = ("teacher", "labels", "distilled")
FIGURES = ("accuracy", "loss", "agreement", "seconds")


def lightgbm(frame: Any) -> Any:
    return package("lightgbm").LGBMClassifier(random_state=0, verbose=-1)


def catboost(frame: Any) -> Any:
    make = package("catboost").CatBoostClassifier
    return make(cat_features=categories(frame), random_state=0, verbose=0, allow_writing_files=False)


def boosting(frame: Any) -> Any:
    return HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0)


#: For each teacher how it is made, and the frame that it takes.
TEACHERS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "lightgbm": (lightgbm, with_dtypes),
    "catboost": (catboost, lambda frame: frame),
    "boosting": (boosting, with_dtypes),
    "forest": (forest, lambda frame: frame),
}


def fit(model: Any, X: Any, y: Array) -> tuple[Any, float]:
    """Fit a model; return it and the seconds that took."""
    start = perf_counter()
    model.fit(X, y)
    return model, perf_counter() - start


def measure(names: list[str], teachers: list[str], n_rows: int | None) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the figures of each table and teacher, on rows held out, and what went wrong."""
    results, faults = [], []
    with tqdm(total=len(names) * len(teachers), unit="teacher", dynamic_ncols=True) as bar:
        for name in names:
            table = load(name)
            X, X_test, y, y_test = split(table, n_rows=n_rows)
            bar.set_description(f"{name}, labels only")
            labels_only, labels_seconds = fit(MLPStudent(random_state=0), X, y)
            proba_labels = labels_only.predict_proba(X_test)
            for kind in teachers:
                bar.set_description(f"{name}, {kind}")
                make, prepare = TEACHERS[kind]
                # of the whole table, so that both parts have the same categories
                whole = prepare(table.X)
                frame, frame_test = whole.loc[X.index], whole.loc[X_test.index]
                try:
                    teacher, teacher_seconds = fit(make(frame), frame, y)
                    model, seconds = fit(DistilledClassifier(teacher, random_state=0), frame, y)
                    probas = (teacher.predict_proba(frame_test), proba_labels, model.predict_proba(frame_test))
                except Exception as error:
                    faults.append(f"{name}, {kind}: {type(error).__name__}: {error}")
                else:
                    result = {"table": name, "teacher": kind, "rows": len(y), "bytes": model.program_.nbytes}
                    for who, proba, taken in zip(WHO, probas, (teacher_seconds, labels_seconds, seconds), strict=True):
                        result |= {
                            f"accuracy {who}": accuracy(y_test, proba, model.classes_),
                            f"loss {who}": loss(y_test, proba, model.classes_),
                            f"agreement {who}": agreement(proba, probas[0]),
                            f"seconds {who}": taken,
                        }
                    results.append(result)
                bar.update()
    return results, faults


def print_results(results: list[dict[str, Any]]) -> None:
    shown = [f"{figure} {who}" for figure in FIGURES for who in WHO if (figure, who) != ("agreement", "teacher")]
    rows = [
        [
            f"{result['table']}, {result['teacher']}",
            *(f"{result[name]:.{1 if name.startswith('seconds') else 4}f}" for name in shown),
            str(result["bytes"]),
        ]
        for result in results
    ]
    mean = {name: np.mean([result[name] for result in results]) for name in shown}
    rows.append(["mean", *(f"{mean[name]:.{1 if name.startswith('seconds') else 4}f}" for name in shown), ""])
    print_table(["table, teacher", *shown, "bytes"], rows)
    better = sum(result["loss distilled"] < result["loss labels"] for result in results)
    right = sum(result["accuracy distilled"] >= result["accuracy labels"] for result in results)
    closer = sum(result["agreement distilled"] > result["agreement labels"] for result in results)
    print(
        f"\nlabels: the labels-only student. loss: log-loss, probabilities held to {FLOOR} or more.\n"
        "agreement: the share of rows on which student and teacher name the same class.\n"
        "seconds: of fit; a teacher may use all cores. bytes: the distilled student's Program.\n"
        f"Of {len(results)} distilled students, {better} have a lower log-loss than the labels-only student,\n"
        f"{right} at least its accuracy, and {closer} agree more with the teacher."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Distil four kinds of teachers on raw tables.")
    parser.add_argument(
        "--tables", nargs="+", choices=TABLES, default=list(TABLES), metavar="TABLE", help="%(choices)s"
    )
    parser.add_argument(
        "--teachers", nargs="+", choices=list(TEACHERS), default=list(TEACHERS), metavar="TEACHER", help="%(choices)s"
    )
    parser.add_argument("--rows", type=int, help="at most so many rows to fit on")
    parser.add_argument("--csv", type=Path, help="also write the figures to this file")
    args = parser.parse_args()
    print_header(
        "Raw tables: teacher, labels-only student, distilled student",
        "scikit-learn",
        "pandas",
        "torch",
        *(kind for kind in args.teachers if kind in ("lightgbm", "catboost")),
    )
    # the first fit imports torch, which is nobody's time
    MLPStudent(max_epochs=1).fit(np.eye(2), [0, 1])
    results, faults = measure(args.tables, args.teachers, args.rows)
    if results:
        print_results(results)
    if results and args.csv is not None:
        with args.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(results[0]))
            writer.writeheader()
            writer.writerows(results)
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
