"""Wide tables whose columns hardly vary: what a student makes of 1,500 columns of which 250 have rows enough.

Run: ``python benchmarks/rarely_varying.py`` (some minutes of one core; for a quick look ``--seeds 0``)

The table is like one of applications for grants: 1,500 rows and as many columns, flags, counts and skewed amounts. In
1,250 of the columns fewer than ten rows differ from the most frequent value. Of the others twelve carry the signal.
The teacher is LightGBM; students: the default of DistilledClassifier, MLPStudent and LinearStudent on labels alone. All
are scored by AUC on rows held out. Needs ``pip install lightgbm``.
"""

from __future__ import annotations

import argparse
import os
import warnings
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from _common import print_header, print_table
from skdistill import DistilledClassifier, LinearStudent, MLPStudent
from tables import package

Array = NDArray[Any]

ROWS, HELD_OUT = 1_500, 5_000
COLUMNS, RARE, INFORMATIVE = 1_500, 1_250, 12
#: Fewer rows than these are off a rare column's most frequent value.
FEW = 10
#: How far a student's AUC may be below the teacher's.
BELOW = 0.03


def off_mode(rng: np.random.Generator, sort: int, size: int) -> Array:
    """Draw what a column holds where it is not zero: a flag, a count, an amount or nothing at all."""
    if sort == 0:
        return np.ones(size)
    if sort == 1:
        return rng.geometric(0.3, size).astype(np.float64)
    return np.round(np.exp(rng.normal(8.0, 1.5, size))) if sort == 2 else np.full(size, np.nan)


def make(seed: int, n_rows: int = ROWS, n_held_out: int = HELD_OUT) -> tuple[Any, Any, Array, Array]:
    """Make a table; return rows to fit and rows to score, and the labels of both."""
    rng = np.random.default_rng(seed)
    n_all = n_rows + n_held_out
    X = np.zeros((n_all, COLUMNS))
    for at in range(RARE):
        few = rng.integers(1, FEW)
        # of the rows to fit exactly so many, of the others as many in proportion
        rows = np.concatenate(
            [
                rng.choice(n_rows, few, replace=False),
                n_rows + rng.choice(n_held_out, round(few * n_held_out / n_rows), replace=False),
            ]
        )
        X[rows, at] = off_mode(rng, at % 4, len(rows))
    logits = np.zeros(n_all)
    for at in range(RARE, COLUMNS):
        sort = at % 5
        if sort < 3:
            # most rows are zero, as with the rare ones
            rate = rng.uniform(0.15, 0.5) if at < RARE + INFORMATIVE else rng.uniform(0.02, 0.5)
            column = np.where(rng.random(n_all) < rate, off_mode(rng, sort, n_all), 0.0)
        else:
            column = rng.normal(size=n_all) if sort == 3 else np.round(np.exp(rng.normal(10.0, 2.0, n_all)))
        if at < RARE + INFORMATIVE:
            effect = column if sort in (0, 3) else np.log1p(column)
            logits += rng.choice([-1.0, 1.0]) * (effect - effect.mean()) / effect.std()
        X[:, at] = column
    order = rng.permutation(COLUMNS)
    y = (rng.random(n_all) < 1.0 / (1.0 + np.exp(-1.2 * logits))).astype(int)
    frame = package("pandas").DataFrame(X[:, order], columns=[f"A{at}" for at in range(COLUMNS)])
    return frame[:n_rows], frame[n_rows:], y[:n_rows], y[n_rows:]


def main() -> None:
    parser = argparse.ArgumentParser(description="Students of a table whose columns hardly vary.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="SEED", help="default: 0 1 2")
    args = parser.parse_args()
    print_header(f"{COLUMNS} columns, {RARE} of which hardly vary, one thread", "scikit-learn", "torch", "lightgbm")
    found: dict[str, list[tuple[float, float, float]]] = {}
    for seed in args.seeds:
        X, X_test, y, y_test = make(seed)
        teacher = package("lightgbm").LGBMClassifier(n_estimators=300, n_jobs=1, random_state=seed, verbose=-1)
        models = {
            "teacher": teacher,
            "default": DistilledClassifier(teacher, random_state=seed),
            "MLPStudent, labels": MLPStudent(random_state=seed),
            "LinearStudent, labels": LinearStudent(),
        }
        for name, model in models.items():
            start = process_time()
            with warnings.catch_warnings():
                # that columns are not read is what this is about
                warnings.simplefilter("ignore", UserWarning)
                model.fit(X, y)
            took = process_time() - start
            n_bytes = getattr(getattr(model, "program_", None), "nbytes", np.nan)
            auc = float(roc_auc_score(y_test, model.predict_proba(X_test)[:, 1]))
            found.setdefault(name, []).append((auc, took, n_bytes / 1024))
    best = np.array([auc for auc, _, _ in found["teacher"]])
    lines = []
    for name, runs in found.items():
        aucs, seconds, sizes = (np.array(part) for part in zip(*runs, strict=True))
        below = best - aucs
        size = "" if np.isnan(sizes).any() else f"{sizes.max():.0f}"
        each = " ".join(f"{auc:.4f}" for auc in aucs)
        lines.append([name, f"{aucs.mean():.4f}", each, f"{below.max():+.4f}", f"{seconds.mean():.1f}", size])
    print_table(["model", "AUC", "by seed", "most below the teacher", "fit, CPU s", "Program, KB"], lines)
    print(f"\nExpected: the default student at most {BELOW} below the teacher.")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
