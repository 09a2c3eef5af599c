"""What settings of a fit cost: CPU seconds over those of the default, and log-loss over the default's.

Run: ``python benchmarks/fit_cost.py`` (ten minutes of one core; ``--tables german --seeds 0`` for a quick look)

The teacher, LightGBM of 300 rounds, is fitted beforehand, so that a fit asks it and fits students. A fit has one thread
and one process. Figures are geometric means over splits and tables, and seconds are those of the processor. Log-loss is
that of rows held out.

The packages that ship the tables are named in tables.py; LightGBM needs ``pip install lightgbm``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from statistics import geometric_mean
from time import process_time
from typing import Any

import numpy as np
from sklearn.metrics import log_loss

from _common import one_thread, print_header, print_table
from _teachers import member
from skdistill import DistilledClassifier, MLPStudent
from tables import load, split

TABLES = ("magic", "satimage", "wa_churn", "german")
SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "augment=0": {"augment": 0},
    "alpha=0.5": {"alpha": 0.5},
    "alpha=0.5, MLPStudent((32, 32))": {"alpha": 0.5, "student": MLPStudent((32, 32))},
    "MLPStudent((32, 32))": {"student": MLPStudent((32, 32))},
    "MLPStudent((8,), n_nets=4)": {"student": MLPStudent((8,), n_nets=4)},
    'temperature="auto"': {"temperature": "auto"},
    "additive": {"student": "additive"},
    "linear": {"student": "linear"},
    "tree": {"student": "tree"},
    "half of the rows": {},
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", default=TABLES, help="names of tables.py")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="the splits")
    options = parser.parse_args(arguments)

    print_header("What settings of a fit cost", "scikit-learn", "torch", "lightgbm")
    seconds: dict[str, list[float]] = {name: [] for name in SETTINGS}
    losses: dict[str, list[float]] = {name: [] for name in SETTINGS}
    with one_thread():
        for name in options.tables:
            table = load(name)
            for seed in options.seeds:
                X, X_test, y, y_test = split(table, seed)
                teacher = member("lightgbm", X, seed=seed).fit(X, y)
                # imports torch
                DistilledClassifier(teacher, student=MLPStudent(max_epochs=1), alpha=0.5).fit(X[:200], y[:200])
                for title, settings in SETTINGS.items():
                    kept = slice(None, len(y) // 2 if title == "half of the rows" else None)
                    start = process_time()
                    model = DistilledClassifier(teacher, **settings, random_state=seed).fit(X[kept], y[kept])
                    seconds[title].append(process_time() - start)
                    proba = model.predict_proba(X_test)
                    losses[title].append(log_loss(y_test, proba, labels=model.classes_))
                print(name, seed, *(f"{seconds[title][-1]:.1f}" for title in SETTINGS), flush=True)
    print()
    lines = []
    for title in SETTINGS:
        ratios = [np.divide(figures[title], figures["default"]).tolist() for figures in (seconds, losses)]
        lines.append([title, *(f"{geometric_mean(ratio):.2f}" for ratio in ratios), f"{max(ratios[1]):.2f}"])
    print_table(["fit", "CPU seconds / default", "log-loss / default", "worst split"], lines)


if __name__ == "__main__":
    main()
