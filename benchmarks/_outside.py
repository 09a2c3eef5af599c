"""Teachers that were fitted on other rows: few rows at hand, a teacher of many, and what its students make of that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

import _regressors
import _students
import regression_tables
import tables
from _common import print_table
from _shelf import Shelf, fingerprint
from _teachers import member
from _verdict import Line, print_verdict
from tables import package

#: For each name its table, and whether it is for regression.
_TABLES: dict[str, tuple[str, bool]] = {
    "magic": ("magic", False),
    "satimage": ("satimage", False),
    "diamonds": ("diamonds", False),
    "diamonds_price": ("diamonds", True),
    "cps1988": ("cps1988", True),
    "hotel_rates": ("hotel_rates", True),
}
NAMES = tuple(_TABLES)
TEACHERS = ("forest", "lightgbm")
STUDENTS = ("default", "prefit", "teacher augmented", "plain", "labels")
#: With these one would do without the recipe, and the default is to be as good as the best of them.
OTHERS = STUDENTS[2:]
#: Judged, each by itself.
JUDGED = STUDENTS[:2]
ABLATIONS: dict[str, dict[str, Any]] = {}
AT_HAND = (300, 2_000)
#: So many new rows are made, but at most so many for each.
NEW_ROWS, NEW_FOR_EACH = 20_000, 5
KEYS = (*_students.KEYS, "teacher_limit")
FIGURES = tuple(dict.fromkeys(("teacher_rows", *_students.FIGURES, *_regressors.FIGURES)))
MEAN, WORST, BELOW_LABELS = 1.01, 1.04, 0.95


@dataclass(frozen=True)
class Unit(_students.Unit):
    """What one process measures: of each teacher the students, with each number of rows at hand.

    Its `limit` is the most rows that a teacher is fitted on, 0 for all; those at hand are the last of each of `pairs`.
    """

    def key(self, teacher: str, student: str, at_hand: int = 0) -> dict[str, Any]:
        """Return the key of a line of the CSV."""
        found = (self.table, self.seed, at_hand, teacher, student, self.limit)
        return dict(zip(KEYS, found, strict=True))


class _Outside(_students.Bench):
    """A Bench whose teachers are fitted on neither the rows at hand nor those to score on.

    The rows at hand are the first of some that are set aside from the teachers, as many as the largest number of
    AT_HAND, so that teachers are fitted once.
    """

    def read(self) -> None:
        """Read the rows, and set those at hand aside."""
        self.set_aside()
        self.changes = {"plain": _students.FLOOR["plain"], "prefit": {"cv": "prefit"}}
        self.X, self.codes = self.aside, self.codes_aside

    def set_aside(self) -> None:
        """Read the rows, into `elsewhere`, `aside` and `X_test`, and what is to be predicted of them."""
        name = _TABLES[self.unit.table][0]
        source: Any = regression_tables if self.regression else tables
        X, X_test, y, y_test = source.split(source.load(name), self.unit.seed, None)
        if self.regression:
            codes, self.y_test, strata = y, y_test, None
        else:
            self.classes, codes = np.unique(y, return_inverse=True)
            self.codes_test, strata = np.searchsorted(self.classes, y_test), codes
        seed, limit = self.unit.seed, self.unit.limit
        elsewhere, aside, codes_elsewhere, codes_aside = train_test_split(
            X, codes, test_size=max(AT_HAND), stratify=strata, random_state=seed
        )
        self.X_test = X_test
        self.aside, self.codes_aside = aside, codes_aside
        self.elsewhere, self.codes_elsewhere = elsewhere[: limit or None], codes_elsewhere[: limit or None]

    def make_shelf(self) -> Shelf:
        """Return where teachers of the other rows are kept."""
        unit = self.unit
        rows = fingerprint(self.elsewhere, self.codes_elsewhere, self.X_test) if unit.shelf is not None else ""
        return Shelf(unit.shelf, f"outside-{unit.table}-{unit.seed}-{unit.limit or 'all'}", rows)

    def fit_member(self, kind: str) -> _students.Timed:
        """Fit a teacher, on the other rows."""
        teacher = member(kind, self.elsewhere, self.unit.seed, self.regression)
        return _students.fit(teacher, self.elsewhere, self.codes_elsewhere)

    def take(self, *pair: Any) -> None:
        """Turn to as many rows at hand as a pair names."""
        at_hand = pair[-1]
        strata = None if self.regression else self.codes_aside
        self.X, self.codes = self.aside, self.codes_aside
        if at_hand < len(self.aside):
            self.X, _, self.codes, _ = train_test_split(
                self.aside, self.codes_aside, train_size=at_hand, stratify=strata, random_state=self.unit.seed
            )
        augment = min(NEW_FOR_EACH, NEW_ROWS / at_hand)
        self.changes = self.changes | {"teacher augmented": {"alpha": 1.0, "augment": augment}}

    def student_figures(self, kind: str, teacher: str, told: Any) -> dict[str, float]:
        """Return the figures of a student, and on how many rows its teacher was fitted."""
        return super().student_figures(kind, teacher, told) | {"teacher_rows": len(self.elsewhere)}


class Classes(_Outside):
    """Teachers that are classifiers."""


class Numbers(_Outside, _regressors.RegressionBench):
    """Teachers that are regressors."""


def measure(unit: Unit, tell: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Yield a line of the CSV for each teacher, student and number of rows, as _students.measure does."""
    return _students.measure(unit, tell, Numbers if _TABLES[unit.table][1] else Classes)


def summarise(rows: Sequence[dict[str, Any]], students: Sequence[str]) -> None:
    """Print for each table, teacher and number of rows what its students lose, and the figures with their targets."""
    frame = package("pandas").DataFrame(list(rows))
    # a line holds the one or the other
    for name in ("", "teacher_"):
        frame[f"{name}score"] = frame[f"{name}loss"].fillna(frame[f"{name}rmse"])
    keys = ["table", "teacher", "limit"]
    wide = frame.pivot_table(index=[*keys, "seed"], columns="student", values="score", sort=False)
    present = [name for name in students if name in wide]
    scores = wide[present].dropna().groupby(level=keys, sort=False).mean()
    taught = frame.groupby(keys)["teacher_score"].mean()
    others = [name for name in OTHERS if name in present]
    judged = [name for name in JUDGED if name in present]
    ratios = {name: scores[name] / scores[others].min(axis=1) for name in judged} if others else {}
    lines = []
    for pair, found in scores.iterrows():
        cells = [f"{found[name]:.4f}" for name in present]
        shares = [f"{ratio[pair]:.3f}" for ratio in ratios.values()]
        lines.append([*pair[:2], f"{pair[2]:,}", f"{taught[pair]:.4f}", *cells, *shares])
    header = ["table", "teacher", "at hand", "teacher's", *present, *(f"{name} / best" for name in ratios)]
    print_table(header, lines)
    print(
        "\nLog-loss, or RMSE for regression, on rows held out, means over splits. best: the lowest of\n"
        f"{', '.join(others)}. prefit: cv='prefit'. teacher augmented: alpha=1, augment={NEW_FOR_EACH} (at most\n"
        f"{NEW_ROWS:,} new rows). plain: alpha=0.5. labels: the same net on labels alone.\n"
    )
    seconds = frame.groupby(["student", "limit"])["fit_cpu"].mean().unstack()
    print_table(
        ["fit, CPU s", *(f"{n:,} rows" for n in seconds.columns)],
        [[name, *(f"{value:.1f}" for value in seconds.loc[name])] for name in present],
    )
    for name, ratio in ratios.items():
        print()
        print_verdict(_verdict(ratio, scores, name), f"{name} student, teacher of other rows")


def _verdict(ratio: Any, scores: Any, name: str) -> list[Line]:
    def short(beyond: Any) -> list[str]:
        return [f"{table}, {teacher}, {n:,} rows: {ratio[table, teacher, n]:.3f}" for table, teacher, n in beyond]

    lines = [
        Line(
            f"score / best of the others: mean of {len(ratio)} tables, teachers and numbers of rows",
            ratio.mean(),
            ".4f",
            most=MEAN,
        ),
        Line("  worst", ratio.max(), ".4f", most=WORST, short=short(ratio.index[ratio > WORST])),
    ]
    if "labels" in scores:
        below = scores[name] < scores["labels"]
        texts = [
            f"{table}, {teacher}, {n:,} rows: {row[name]:.4f}, labels {row['labels']:.4f}"
            for (table, teacher, n), row in scores[~below].iterrows()
        ]
        lines.append(
            Line("score below the labels-only student's", below.mean(), ".1%", least=BELOW_LABELS, short=texts)
        )
    return lines
