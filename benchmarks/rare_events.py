"""Rare events: what a student makes of tables of which half a percent of the rows are positive.

Run: ``python benchmarks/rare_events.py`` (an hour of one core; for a quick look ``--tables made --teachers lightgbm
--seeds 0 --rows 4000``)

Two tables: of "diamonds" the positives are those of a fair cut, of which as many are drawn as make half a percent of
all rows; "made" is made by ``make_classification``. A student has 20,000 rows, 100 of which are positive, and is scored
on all others. Teachers are the forest and LightGBM of retention.py. Students: "default" and "labels", the same net on
labels alone.

What counts is the order of the rows, by average precision, and that as many events are predicted as there are: the mean
probability over the rate. Of a student's average precision: over that of its teacher or of the labels-only student,
whichever is better.

Every result is a line of the CSV as soon as it is there, and what the CSV holds is not measured again. Diamonds need
``pip install plotnine``, the teachers ``pip install lightgbm``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import make_classification
from sklearn.metrics import average_precision_score
from sklearn.model_selection import train_test_split

import _students
from _collect import collect, failed
from _common import print_header, print_table
from _ledger import Ledger
from _verdict import Line, print_verdict
from tables import load, package

Array = NDArray[Any]

RATE, ROWS = 0.005, 20_000
#: Of the rows that are made: how many, columns, of these which say something, and how far the classes are apart.
MADE_ROWS, MADE_COLUMNS, INFORMATIVE, APART = 60_000, 20, 5, 0.8
TABLES = ("diamonds", "made")
TEACHERS = ("forest", "lightgbm")
STUDENTS = ("default", "labels")
KEYS = _students.KEYS
FIGURES = ("positives", "precision", "mean", "teacher_precision", "teacher_mean", *_students.FIGURES)
#: What is kept of the better average precision, in the mean; and how far the mean probability may be off, as a share.
KEPT, OFF = 0.98, 0.1


def diamonds(seed: int) -> tuple[Any, Array]:
    """Return diamonds of which half a percent, drawn by chance, are of a fair cut, and which these are."""
    table = load("diamonds")
    positive = table.y == "Fair"
    others = np.flatnonzero(~positive)
    n_positive = round(len(others) * RATE / (1 - RATE))
    drawn = np.random.default_rng(seed).choice(np.flatnonzero(positive), n_positive, replace=False)
    rows = np.sort(np.concatenate([drawn, others]))
    return table.X.iloc[rows].reset_index(drop=True), positive[rows].astype(int)


def made(seed: int) -> tuple[Any, Array]:
    """Return numbers in a frame, and labels of which half a percent are positive."""
    X, y = make_classification(
        MADE_ROWS,
        MADE_COLUMNS,
        n_informative=INFORMATIVE,
        weights=[1 - RATE],
        flip_y=0,
        class_sep=APART,
        random_state=seed,
    )
    return package("pandas").DataFrame(X, columns=[f"A{number}" for number in range(1, MADE_COLUMNS + 1)]), y


class RareBench(_students.Bench):
    """A Bench of rare events, which also scores average precision and the mean probability."""

    kept_as = "rare"

    def read(self) -> None:
        """Read the rows, and what is to be predicted of those to fit on."""
        X, y = (diamonds if self.unit.table == "diamonds" else made)(self.unit.seed)
        self.X, self.X_test, self.codes, self.codes_test = train_test_split(
            X, y, train_size=self.unit.limit, stratify=y, random_state=self.unit.seed
        )
        self.classes = np.arange(2)

    def scores(self, proba: Array) -> dict[str, float]:
        """Return accuracy, log-loss, average precision, and the mean probability over the rate."""
        rate = float(self.codes_test.mean())
        return super().scores(proba) | {
            "precision": float(average_precision_score(self.codes_test, proba[:, 1])),
            "mean": float(proba[:, 1].mean()) / rate,
        }

    def student_figures(self, kind: str, teacher: str, told: Array) -> dict[str, float]:
        """Return the figures of a student, and how many of the rows that it was fitted on are positive."""
        return super().student_figures(kind, teacher, told) | {"positives": int(self.codes.sum())}


def measure(unit: _students.Unit, tell: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Yield a line of the CSV for each teacher and student of a unit, as _students.measure does."""
    return _students.measure(unit, tell, RareBench)


def summarise(rows: Sequence[dict[str, Any]]) -> None:
    """Print what the CSV holds of what was asked for, and the figures with their targets."""
    frame = package("pandas").DataFrame(list(rows))
    keys = ["table", "teacher", "seed"]
    default, labels = (frame[frame["student"] == student] for student in STUDENTS)
    both = default.merge(labels[[*keys, "precision", "mean"]], on=keys, suffixes=("", "_labels"))
    if both.empty:
        return
    both["best"] = both[["teacher_precision", "precision_labels"]].max(axis=1)
    both["kept"] = both["precision"] / both["best"]
    pairs = both.groupby(keys[:2], sort=False).mean(numeric_only=True)
    lines = [
        [
            *pair,
            f"{found['positives']:.0f} of {found['rows']:,.0f}",
            *(f"{found[name]:.4f}" for name in ("teacher_precision", "precision_labels", "precision")),
            f"{found['kept']:.3f}",
            *(f"{found[name]:.3f}" for name in ("teacher_mean", "mean_labels", "mean")),
            f"{found['fit_cpu']:.1f}",
        ]
        for pair, found in pairs.iterrows()
    ]
    header = ["table", "teacher", "positives", "average precision: teacher", "labels", "default", "default / better"]
    print_table([*header, "mean / rate: teacher", "labels", "default", "fit, CPU s"], lines)
    print("\nOn rows held out, means over splits. mean / rate: the mean probability over the share of positives.\n")
    off = (pairs["mean"] - 1).abs()
    short = [f"{', '.join(pair)}: {pairs['mean'][pair]:.3f} of the rate" for pair in pairs.index[off > OFF]]
    title = f"average precision / the better of teacher and labels: mean of {len(pairs)}"
    print_verdict(
        [
            Line(title, pairs["kept"].mean(), ".4f", least=KEPT),
            Line("  worst table and teacher", pairs["kept"].min(), ".4f"),
            Line("  worst single split", both["kept"].min(), ".4f"),
            Line("mean probability off the rate, as a share of it: worst", off.max(), ".3f", most=OFF, short=short),
            Line("  worst single split", (both["mean"] - 1).abs().max(), ".3f"),
        ]
    )


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description="What students make of rare events.")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--teachers", nargs="+", choices=TEACHERS, default=list(TEACHERS))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(6)), metavar="SEED", help="default: 0 to 5")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows to fit on (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="processes, of one thread each (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("rare_events.csv"), help="default: %(default)s")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="keep fitted teachers here, as retention.py does")
    args = parser.parse_args(arguments)
    if args.rows * RATE < 10:
        parser.error(f"--rows is {args.rows}; needed is {10 / RATE:.0f} or more, so that ten of them are positive")
    return args


def main() -> int | str:
    args = parse()
    print_header(f"Rare events, {RATE:.1%} of the rows, one thread", "scikit-learn", "pandas", "torch", "lightgbm")
    ledger = Ledger(args.out, KEYS, FIGURES)
    pairs = tuple(product(args.teachers, STUDENTS))
    units = [
        _students.Unit(table, seed, args.rows, pairs, args.cache) for seed, table in product(args.seeds, args.tables)
    ]
    try:
        collect(measure, units, ledger, args.jobs)
    except KeyboardInterrupt:
        print(f"\nStopped. {args.out} keeps what there is; the same command goes on from there.", file=sys.stderr)
        return 130
    wanted = {"table": args.tables, "seed": args.seeds, "teacher": args.teachers, "limit": [args.rows]}
    summarise([row for row in ledger.rows() if all(row[name] in values for name, values in wanted.items())])
    return failed([ledger]) or 0


if __name__ == "__main__":
    sys.exit(main())
