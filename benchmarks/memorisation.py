"""The memorisation check: how often the default recipe is right about whether a teacher has seen the rows.

Run: ``python benchmarks/memorisation.py`` (half an hour of one core; try ``--tables german crx``)

Teachers (a random forest of 500 trees, LightGBM of 300 rounds) are fitted on 70 % of each table, at most 4,000 rows,
and asked about 300 and 2,000 of these rows, and about as many of the others. What is read is ``memorised`` in
``distillation_report_``; the student does not matter for it, and is a net of 4 units trained for one epoch.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

import regression_tables
import tables
from _common import one_thread, print_header, print_table
from _teachers import MEMBERS, member
from skdistill import DistilledClassifier, DistilledRegressor, MLPStudent, MLPStudentRegressor

ROWS, AT_HAND = 4_000, (300, 2_000)
KINDS = ("forest", "lightgbm")


def memorised(teacher: Any, X: Any, y: Any, seed: int, regression: bool) -> bool:
    """Return what the recipe finds."""
    student, distiller = (MLPStudentRegressor, DistilledRegressor) if regression else (MLPStudent, DistilledClassifier)
    model = distiller(teacher, student=student((4,), max_epochs=1), label_ensemble=2, random_state=seed)
    with warnings.catch_warnings():
        # a teacher that is no better than chance on rows that it has not seen is warned of
        warnings.simplefilter("ignore", UserWarning)
        return bool(model.fit(X, y).distillation_report_["memorised"])


def found(name: str, seed: int, regression: bool) -> Iterator[tuple[str, str, int, bool, bool]]:
    """Yield teacher, whether it has seen the rows and what was found, for one table."""
    y: Any
    y_other: Any
    if regression:
        X, X_other, y, y_other = regression_tables.split(regression_tables.load(name), seed, ROWS)
    else:
        X, X_other, labels, others = tables.split(tables.load(name), seed, ROWS)
        classes, y = np.unique(labels, return_inverse=True)
        y_other = np.searchsorted(classes, others)
    for kind in KINDS:
        teacher = member(kind, X, seed, regression).fit(X, y)
        for n_rows in AT_HAND:
            for seen, rows, goals in ((True, X, y), (False, X_other, y_other)):
                if len(rows) >= n_rows:
                    some = np.random.RandomState(seed).permutation(len(rows))[:n_rows]
                    at_hand = rows.iloc[some].reset_index(drop=True)
                    answer = memorised(teacher, at_hand, np.asarray(goals)[some], seed, regression)
                    yield name, kind, n_rows, seen, answer


def main() -> None:
    names = {**dict.fromkeys(tables.NAMES, False), **{f"{name} (numbers)": True for name in regression_tables.NAMES}}
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tables", nargs="+", choices=list(names), default=list(names), metavar="TABLE")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="SEED")
    args = parser.parse_args()
    print_header("The memorisation check, one thread", "scikit-learn", "lightgbm")
    assert set(KINDS) <= set(MEMBERS)
    lines = []
    with one_thread():
        for name in args.tables:
            for seed in args.seeds:
                for table, kind, n_rows, seen, answer in found(name.removesuffix(" (numbers)"), seed, names[name]):
                    lines.append((names[name], n_rows, seen, answer))
                    if seen != answer:
                        truth = "has seen the rows" if seen else "has not seen the rows"
                        print(f"wrong: {table}, {kind}, {n_rows} rows, seed {seed}: the teacher {truth}", flush=True)
    rows = []
    for regression in (False, True):
        for n_rows in AT_HAND:
            cells = ["numbers" if regression else "classes", f"{n_rows:,}"]
            for seen in (True, False):
                right = [one[3] == seen for one in lines if one[:3] == (regression, n_rows, seen)]
                cells.append(f"{sum(right)} of {len(right)}")
            rows.append(cells)
    print()
    print_table(["task", "rows", "right: seen", "right: not seen"], rows)


if __name__ == "__main__":
    main()
