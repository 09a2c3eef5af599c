"""Readable students: additive students beside an Explainable Boosting Machine without interactions, on six tables.

Run: ``python benchmarks/readable.py`` (two minutes of one core)

It needs ``pip install interpret-core lightgbm``, and what ``tables.py`` needs.

Every model is fitted on the same 70 % of at most 20,000 rows, and scored on the other 30 %. "labels" is the additive
student as it is, "distilled" the same with the fitted LightGBM as its teacher, both with their defaults. Log-loss is
given over that of the Explainable Boosting Machine: below one is better. Times are CPU times, of a row as a frame.
"""

from __future__ import annotations

import argparse
import warnings
from functools import partial
from time import process_time
from typing import Any

import numpy as np
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from _common import median_seconds, one_thread, print_header, print_table
from _teachers import with_dtypes
from skdistill import DistilledClassifier, LinearStudent
from tables import load, package, split

TABLES = ("magic", "phoneme", "spambase", "wa_churn", "hr", "german")
ROWS, ONE_ROW = 20_000, 300


def main() -> None:
    """Fit, score and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    # torch, which is imported in fit, is held to one thread only if it is there
    package("torch")
    print_header("Additive students beside an Explainable Boosting Machine", "interpret-core", "lightgbm")
    rows, ratios = [], []
    with one_thread():
        for name in args.tables:
            figures = measure(name, args.seed)
            ratios.append([figures[kind]["loss"] / figures["EBM"]["loss"] for kind in ("labels", "distilled")])
            losses = [f"{figures[kind]['loss']:.4f}" for kind in ("LightGBM", "EBM")]
            times = [f"{figures[kind]['row_us']:.0f}" for kind in ("EBM", "labels")]
            fits = [f"{figures[kind]['fit']:.1f}" for kind in ("EBM", "labels", "distilled")]
            rows.append([name, *losses, *(f"{ratio:.3f}" for ratio in ratios[-1]), *times, *fits])
            print(*rows[-1], flush=True)
    rows.append(["mean", "", "", *(f"{ratio:.3f}" for ratio in np.mean(ratios, axis=0)), *[""] * 5])
    header = ["table", "LightGBM", "EBM", "labels / EBM", "distilled / EBM", "EBM, us", "additive, us"]
    print_table([*header, "EBM fit, s", "labels fit, s", "distilled fit, s"], rows)
    print("\nLog-loss of rows held out; the first two columns as it is, the next two over the machine's.")


def measure(name: str, seed: int) -> dict[str, dict[str, float]]:
    """Return log-loss, the seconds of a fit and the microseconds of a row, for each model."""
    table = load(name)
    if len(table.y) > ROWS:
        few, _ = train_test_split(np.arange(len(table.y)), train_size=ROWS, stratify=table.y, random_state=seed)
        table = type(table)(name, table.X.iloc[few], table.y[few], table.source, table.licence)
    X, X_test, y, y_test = split(type(table)(name, with_dtypes(table.X), table.y, "", ""), seed)
    glassbox, lightgbm = package("interpret.glassbox"), package("lightgbm")
    teacher = lightgbm.LGBMClassifier(n_jobs=1, random_state=seed, verbose=-1)
    models: dict[str, Any] = {
        "EBM": glassbox.ExplainableBoostingClassifier(interactions=0, n_jobs=1, random_state=seed),
        "LightGBM": teacher,
        "labels": LinearStudent(numeric="piecewise"),
        "distilled": DistilledClassifier(teacher, student="additive", random_state=seed),
    }
    figures: dict[str, dict[str, float]] = {}
    for kind, model in models.items():
        start = process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, y)
        fit, loss = process_time() - start, log_loss(y_test, model.predict_proba(X_test), labels=model.classes_)
        figures[kind] = {"fit": fit, "loss": loss}
    row = X_test.head(1)
    calls = [partial(model.predict_proba, row) for model in models.values()]
    for kind, seconds in zip(models, median_seconds(calls, ONE_ROW, in_a_row=20, clock=process_time), strict=True):
        figures[kind]["row_us"] = 1e6 * seconds
    return figures


if __name__ == "__main__":
    main()
