"""What to serve: LightGBM as it is, compiled by others, or with fewer rounds, or a student of it.

Run: ``python benchmarks/compiled.py`` (five minutes of one core; ``--seeds 0`` for a third of it)

LightGBM of 400 rounds is the teacher; beside it stand LightGBM of 100 rounds, the default student and an additive one.
Log-loss and accuracy are means over three splits of each table. Times are those of the first split of the first table,
from Python, on one thread: microseconds of the processor for one row in an array, and for each of 10,000 rows. Bytes
are those of the file that is served: the model's text, the compiled library, the ``.skd``.

Of lleaves, treelite with tl2cgen, and lignum, those that are installed are used: ``pip install lightgbm lleaves
treelite tl2cgen pylignum``, and gcc.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import mean
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, log_loss

from _common import median_seconds, one_thread, print_header, print_table
from skdistill import DistilledClassifier
from tables import load, package, split

Array = NDArray[Any]
TABLES = ("magic", "phoneme", "spambase")
ROUNDS = (400, 100)
MANY = 10_000
CALLS, IN_A_ROW, MANY_CALLS = 1000, 50, 15
#: A call that predicts rows of numbers, and the bytes of what it needs.
Way = tuple[Callable[[Array], Any], int]


def fitted(X: Any, y: Array, seed: int) -> dict[str, Any]:
    """Return the models by name."""
    boosters = {
        f"LightGBM, {rounds} rounds": package("lightgbm")
        .LGBMClassifier(n_estimators=rounds, random_state=seed, n_jobs=1, verbose=-1)
        .fit(X, y)
        for rounds in ROUNDS
    }
    teacher = next(iter(boosters.values()))
    students = {
        f"student, {name}": DistilledClassifier(teacher, student=student, random_state=seed).fit(X, y)
        for name, student in {"default": "mlp", "additive": "additive"}.items()
    }
    return boosters | students


def ways_of_lightgbm(model: Any, X: Array, folder: Path) -> dict[str, Way]:
    """Return by name how a fitted LightGBM can answer rows: by itself, and compiled."""
    booster, text = model.booster_, folder / "lightgbm.txt"
    booster.save_model(text)
    ways: dict[str, Way] = {"as it is": (partial(booster.predict, num_threads=1), text.stat().st_size)}
    if find_spec("lleaves"):
        by_llvm, cache = package("lleaves").Model(str(text)), folder / "lleaves.o"
        by_llvm.compile(cache=cache)
        ways["lleaves"] = partial(by_llvm.predict, n_jobs=1), cache.stat().st_size
    if find_spec("treelite") and find_spec("tl2cgen"):
        tl2cgen, library = package("tl2cgen"), folder / "treelite.so"
        model = package("treelite").frontend.from_lightgbm(booster)
        tl2cgen.export_lib(model, "gcc", library, params={"parallel_comp": 2}, options=["-O3"])
        by_gcc = tl2cgen.Predictor(library, nthread=1)
        ways["treelite"] = lambda rows: by_gcc.predict(tl2cgen.DMatrix(rows, dtype="float64")), library.stat().st_size
    if find_spec("lignum"):
        lignum, saved, library = package("lignum"), folder / "lignum.bin", folder / "lignum.so"
        interpreted = lignum.load(str(text))
        interpreted.save(str(saved))
        ways["lignum, interpreted"] = partial(interpreted.predict, n_jobs=1), saved.stat().st_size
        interpreted.compile(library=str(library), work_dir=str(folder))
        native = lignum.load(str(saved), compiled=str(library))
        ways["lignum, compiled"] = partial(native.predict, n_jobs=1), saved.stat().st_size + library.stat().st_size
    expected = booster.predict(X[:100])
    for name, (call, _) in ways.items():
        np.testing.assert_allclose(np.ravel(call(X[:100])), expected, atol=1e-5, err_msg=name)
    return ways


def ways_of_student(model: Any, folder: Path) -> dict[str, Way]:
    """Return by name how a student can answer rows."""
    path = folder / "student.skd"
    model.export(path, metadata=False)
    return {
        "numpy": (model.student_.predict_proba, path.stat().st_size),
        "compiled": (model.student_.compile().predict_proba, path.stat().st_size),
    }


def timed(models: dict[str, Any], X: Array) -> list[list[str]]:
    """Return a row of the table for each way to serve each model."""
    row, many = np.ascontiguousarray(X[:1]), np.ascontiguousarray(np.resize(X, (MANY, X.shape[1])))
    with tempfile.TemporaryDirectory() as name:
        ways: dict[str, Way] = {}
        for at, (title, model) in enumerate(models.items()):
            folder = Path(name, str(at))
            folder.mkdir()
            found = ways_of_lightgbm(model, X, folder) if hasattr(model, "booster_") else ways_of_student(model, folder)
            ways |= {f"{title}, {way}": call for way, call in found.items()}
        calls = [call for call, _ in ways.values()]
        ones = median_seconds([partial(call, row) for call in calls], CALLS, in_a_row=IN_A_ROW, clock=process_time)
        manys = median_seconds([partial(call, many) for call in calls], MANY_CALLS, clock=process_time)
    return [
        [title, f"{1e6 * one:.1f}", f"{1e6 * all_rows / MANY:.2f}", f"{size:,}"]
        for (title, (_, size)), one, all_rows in zip(ways.items(), ones, manys, strict=True)
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", default=TABLES, help="tables of numbers with two classes, of tables.py")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="the splits")
    options = parser.parse_args(arguments)

    names = {"lleaves": "lleaves", "treelite": "treelite", "tl2cgen": "tl2cgen", "lignum": "pylignum"}
    installed = [name for module, name in names.items() if find_spec(module)]
    print_header("LightGBM, compiled LightGBM and students", "scikit-learn", "lightgbm", *installed)
    scores: dict[str, list[list[float]]] = {}
    times: list[list[str]] = []
    with one_thread():
        for name in options.tables:
            found: dict[str, list[tuple[float, float]]] = {}
            table = load(name)
            for seed in options.seeds:
                X_train, X_test, y_train, y_test = split(table, seed)
                X, y = X_train.to_numpy(dtype=float), np.asarray(y_train)
                rows = X_test.to_numpy(dtype=float)
                models = fitted(X, y, seed)
                for title, model in models.items():
                    proba = model.predict_proba(rows)
                    right = accuracy_score(y_test, model.classes_[proba.argmax(axis=1)])
                    found.setdefault(title, []).append((log_loss(y_test, proba, labels=model.classes_), right))
                if not times:
                    times = timed(models, rows)
                    print_table([f"{name}, served", "one row, us", f"a row of {MANY:,}, us", "bytes"], times)
                    print(flush=True)
            for title, pairs in found.items():
                scores.setdefault(title, []).append([mean(figures) for figures in zip(*pairs, strict=True)])
    header = [f"{name}: {figure}" for name in options.tables for figure in ("log-loss", "accuracy")]
    print_table(
        ["model", *header],
        [[title, *(f"{figure:.4f}" for pair in pairs for figure in pair)] for title, pairs in scores.items()],
    )


if __name__ == "__main__":
    main()
