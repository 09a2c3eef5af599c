"""What `compare` claims where the truth is known: made tables, with gains of no, one and three standard errors.

Run: ``python benchmarks/verdicts.py [--seed 0] [--comparisons 40]`` (some 5 minutes)

Each comparison has a table of its own, a teacher that knows the truth, a linear student that was distilled from it and
the same student on labels alone. The true gain is that on 200,000 rows; the number of test rows is set so that it is as
many standard errors as the case says. A claim is a verdict that begins with "Distilling was worth it".

- alpha 0: the student does not use the teacher, and is compared with the same student fitted again;
- another kind: the other student is a tree, and the gain is large;
- no gain: with 20,000 rows to learn from there is next to none, and as many test rows as make it a tenth of a standard
  error;
- one and three standard errors, by log-loss, and three by average precision where 1 % of the labels are positive.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from _common import print_header, print_table
from skdistill import DistilledClassifier, LinearStudent, TreeStudent, compare
from skdistill.metrics import answer_score

Array = NDArray[Any]
N_TRUE, N_COLUMNS, MOST_ROWS = 200_000, 8, 60_000


def truth(X: Array, weights: Array, offset: float) -> Array:
    """Return the probabilities of both classes that the labels are drawn from."""
    positive = 1.0 / (1.0 + np.exp(-(X @ weights + offset)))
    return np.column_stack([1.0 - positive, positive])


def rows(rng: np.random.Generator, n: int, knows: Callable[[Array], Array]) -> tuple[Array, Array]:
    """Return rows and labels drawn from their true probabilities."""
    X = rng.normal(size=(n, N_COLUMNS))
    return X, (rng.random(n) < knows(X)[:, 1]).astype(int)


def rows_for(n_errors: float, models: Sequence[Any], X: Array, y: Array, scoring: str) -> int:
    """Return how many rows make the true gain of one model over another so many standard errors."""
    classes = np.array([0, 1])
    answers = [model.predict_proba(X) for model in models]
    parts = np.array_split(np.arange(len(y)), 100)

    def gain(part: Any) -> float:
        mine, other = (answer_score(y[part], one[part], scoring, classes=classes) for one in answers)
        return mine - other

    # the spread of the gain over a hundred parts, each of 2,000 rows
    spread = float(np.std([gain(part) for part in parts])) * np.sqrt(len(parts[0]))
    return int(np.clip((n_errors * spread / max(gain(slice(None)), 1e-9)) ** 2, 100, MOST_ROWS))


def claimed(case: str, seed: int) -> tuple[bool, float]:
    """Return whether a gain is claimed, and the number of test rows."""
    rng = np.random.default_rng(seed)
    rare = case == "rare class, three errors"
    scoring = "average_precision" if rare else "neg_log_loss"
    knows = partial(truth, weights=rng.normal(0.0, 0.7, N_COLUMNS), offset=-5.5 if rare else 0.0)
    X, y = rows(rng, 2000 if rare else 20_000 if case == "no gain" else 200, knows)
    plain = LinearStudent().fit(X, y)
    model = DistilledClassifier(knows, student="linear", alpha=0.0 if case == "alpha 0" else 0.9).fit(X, y)
    other = TreeStudent(random_state=0).fit(X, y) if case == "another kind" else plain
    n_errors = {"no gain": 0.1, "one error": 1.0, "three errors": 3.0, "rare class, three errors": 3.0}.get(case)
    n = 1000 if n_errors is None else rows_for(n_errors, (model, plain), *rows(rng, N_TRUE, knows), scoring)
    X_test, y_test = rows(rng, n, knows)
    report = compare(knows, {"mine": model}, X_test, y_test, labels_only=other, scoring=scoring, latency=False)
    return report.verdict.startswith("Distilling was worth it"), n


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--comparisons", type=int, default=40, help="of each case")
    given = parser.parse_args()
    print_header("What compare() claims where the truth is known")
    expected = {
        "alpha 0": "0",
        "another kind": "0",
        "no gain": "3 %, by theory",
        "one error": "16 %, by theory",
        "three errors": "84 %, by theory",
        "rare class, three errors": "84 %, by theory",
    }
    table = []
    for case, wanted in expected.items():
        found = [claimed(case, 1000 * given.seed + at) for at in range(given.comparisons)]
        n_claimed = sum(one for one, _ in found)
        median_rows = f"{np.median([n for _, n in found]):,.0f}"
        table.append([case, str(len(found)), median_rows, f"{n_claimed} ({n_claimed / len(found):.0%})", wanted])
    print_table(["case", "comparisons", "test rows, median", "claims", "expected"], table)


if __name__ == "__main__":
    main()
