"""How long one row takes: a student and its Program, scikit-learn's net of the same width, a forest.

Run: ``python benchmarks/predict_latency.py``

One row is given as an ndarray of shape (1, n_columns), on one thread; then one row of a table of
strings and numbers (wa_churn, see tables.py), as a DataFrame and as a dict; then native code, beside LightGBM
compiled by lleaves and by treelite (``pip install lightgbm lleaves treelite tl2cgen``, and gcc), and many rows at once,
beside onnxruntime. What is timed is a call, in the processor's time, so how well the nets are trained does not matter;
they take a few epochs each.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from _common import median_seconds, one_thread, print_header, print_table
from skdistill import LinearStudent, MLPStudent, Program
from tables import load, package

CALLS, IN_A_ROW, FOREST_CALLS = 1000, 50, 50
N_TREES, N_ROUNDS = 500, 400
BATCH, BATCH_CALLS = 100_000, 9
CLASSES = (2, 10)
WIDTHS = ((64,), (128, 128))


def measure(n_classes: int) -> list[list[str]]:
    """Return a row of the table for each width."""
    X, y = make_classification(5_000, 20, n_informative=12, n_classes=n_classes, random_state=0)
    row = np.ascontiguousarray(X[:1])
    forest = RandomForestClassifier(N_TREES, random_state=0, n_jobs=1).fit(X, y)
    (forest_time,) = median_seconds([lambda: forest.predict_proba(row)], FOREST_CALLS, clock=process_time)
    rows = []
    for width in WIDTHS:
        student = MLPStudent(width, max_epochs=3, random_state=0).fit(X, y)
        pipeline = make_pipeline(StandardScaler(), MLPClassifier(width, max_iter=3, random_state=0))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            pipeline.fit(X, y)
        calls = [partial(call, row) for call in (student.program_, student.predict_proba, pipeline.predict_proba)]
        bare, ours, sklearn = median_seconds(calls, CALLS, in_a_row=IN_A_ROW, clock=process_time)
        rows.append(
            [
                f"{width}, {n_classes} classes",
                *(f"{1e6 * seconds:.1f}" for seconds in (bare, ours, sklearn)),
                f"{1e6 * forest_time:.0f}",
                f"1/{sklearn / ours:.1f}",
                f"1/{sklearn / bare:.1f}",
                f"1/{forest_time / ours:.0f}",
                f"1/{forest_time / bare:.0f}",
            ]
        )
    return rows


def measure_raw() -> list[list[str]]:
    """Return a row of the table of raw rows for each width."""
    table = load("wa_churn")
    # a net of scikit-learn's takes no missing cells, and its StandardScaler fills none
    X = table.X.dropna()
    y = table.y[X.index]
    row = X.iloc[:1]
    (cells,) = row.to_dict("records")
    numbers = list(X.select_dtypes("number"))
    rows = []
    for width in WIDTHS:
        student = MLPStudent(width, max_epochs=3, random_state=0).fit(X, y)
        encode = make_column_transformer((StandardScaler(), numbers), (OneHotEncoder(), list(X.columns.drop(numbers))))
        pipeline = make_pipeline(encode, MLPClassifier(width, max_iter=3, random_state=0))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            pipeline.fit(X, y)
        calls = [
            partial(student.program_, cells),
            partial(student.program_, row),
            partial(student.predict_proba, row),
            partial(pipeline.predict_proba, row),
        ]
        bare, bare_frame, ours, sklearn = median_seconds(calls, CALLS, in_a_row=IN_A_ROW, clock=process_time)
        rows.append(
            [
                f"{width}, {X.shape[1]} columns",
                *(f"{1e6 * seconds:.1f}" for seconds in (bare, bare_frame, ours, sklearn)),
                f"1/{sklearn / ours:.1f}",
                f"1/{sklearn / bare:.1f}",
            ]
        )
    return rows


def compiled_lightgbm(X: Any, y: Any, row: Any, folder: Path) -> dict[str, Callable[[], object]]:
    """Return calls that have a row answered by LightGBM: as it is, and compiled by others."""
    lightgbm, lleaves, tl2cgen = package("lightgbm"), package("lleaves"), package("tl2cgen")
    booster = lightgbm.LGBMClassifier(n_estimators=N_ROUNDS, random_state=0, n_jobs=1, verbose=-1).fit(X, y).booster_
    booster.save_model(folder / "lightgbm.txt")
    by_llvm = lleaves.Model(str(folder / "lightgbm.txt"))
    by_llvm.compile()
    model = package("treelite").frontend.from_lightgbm(booster)
    tl2cgen.export_lib(model, "gcc", folder / "lightgbm.so", params={"parallel_comp": 2}, options=["-O3"])
    by_gcc = tl2cgen.Predictor(folder / "lightgbm.so", nthread=1)
    np.testing.assert_allclose(by_llvm.predict(X[:50]), booster.predict(X[:50]), atol=1e-6)
    return {
        "LightGBM": partial(booster.predict, row, num_threads=1),
        "LightGBM, lleaves": partial(by_llvm.predict, row, n_jobs=1),
        "LightGBM, treelite": lambda: by_gcc.predict(tl2cgen.DMatrix(row, dtype="float64")),
    }


def measure_native() -> list[list[str]]:
    """Return a row of the table of native code for each way to answer a row."""
    X, y = make_classification(20_000, 20, n_informative=12, random_state=0)
    row = np.ascontiguousarray(X[:1])
    cells = dict(enumerate(row[0].tolist()))
    with tempfile.TemporaryDirectory() as folder:
        calls = compiled_lightgbm(X, y, row, Path(folder))
        for name, net in {"(64,)": MLPStudent((64,)), "default": MLPStudent()}.items():
            native = net.set_params(max_epochs=3, random_state=0).fit(X, y).compile()
            calls |= {
                f"{name}, compiled: array": partial(native.predict_proba, row),
                f"{name}, compiled: dict": partial(native.predict_proba, cells),
                f"{name}, numpy: array": partial(net.predict_proba, row),
            }
        found = median_seconds(list(calls.values()), CALLS, in_a_row=IN_A_ROW, clock=process_time)
    times = dict(zip(calls, found, strict=True))
    best = min(times["LightGBM, lleaves"], times["LightGBM, treelite"])
    return [[name, f"{1e6 * seconds:.1f}", f"1/{best / seconds:.1f}"] for name, seconds in times.items()]


def measure_batch() -> list[list[str]]:
    """Return a row of the table of batches for each student: microseconds a row."""
    onnxruntime = package("onnxruntime")
    X, y = make_classification(BATCH, 20, n_informative=12, random_state=0)
    given, options = X.astype(np.float32), onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    rows = []
    nets = {"default": MLPStudent(), **{str(width): MLPStudent(width) for width in WIDTHS}}
    for net in nets.values():
        net.set_params(max_epochs=3, random_state=0)
    linear = {"additive": LinearStudent(numeric="piecewise"), "linear": LinearStudent(numeric="standard")}
    nets |= {"(64,), standard": MLPStudent((64,), numeric="standard", max_epochs=3, random_state=0)}
    for name, student in {**nets, **linear}.items():
        program = student.fit(X[:5_000], y[:5_000]).program_
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "student.onnx")
            student.export(path, numbers="float32")
            session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        calls = [
            partial(program, X),
            partial(Program(program.ops, batch_dtype="float32"), X),
            partial(student.compile().program_, X),
            partial(session.run, None, {"X": given}),
        ]
        found = median_seconds(calls, BATCH_CALLS, clock=process_time)
        ratios = [f"1/{found[0] / seconds:.1f}" for seconds in found[1:]]
        rows.append([name, *(f"{1e6 * seconds / BATCH:.2f}" for seconds in found), *ratios])
    return rows


def main() -> None:
    missing = ""
    with one_thread():
        print_header("One row, one thread, microseconds of the processor", "scikit-learn")
        rows = [row for n_classes in CLASSES for row in measure(n_classes)]
        try:
            raw_rows = measure_raw()
        except ImportError as error:
            missing = str(error)
        native_rows, batch_rows = measure_native(), measure_batch()
    header = ["net", "program_", "predict_proba", "pipeline", "forest"]
    ratios = ["predict_proba / pipeline", "program_ / pipeline", "predict_proba / forest", "program_ / forest"]
    print_table([*header, *ratios], rows)
    print(
        "\nprogram_, predict_proba: a fitted MLPStudent. pipeline: predict_proba of make_pipeline(StandardScaler(), "
        f"MLPClassifier).\nforest: predict_proba of {N_TREES} trees, n_jobs=1. Medians of {CALLS} calls of each net, "
        f"{IN_A_ROW} at a time in turn, and of {FOREST_CALLS} of the forest.\n"
        "Expected: predict_proba at most 1/3 of the pipeline, program_ at most 1/10.\n"
    )
    print_table(["one row of 20 numbers", "us", "of the faster compiled LightGBM"], native_rows)
    print(
        f"\nLightGBM has {N_ROUNDS} rounds; lleaves and treelite (tl2cgen, gcc -O3) compile it. Expected of a compiled "
        "student: at most 1/3 of\nthe faster, 3 us for an array and 10 us for a dict.\n"
    )
    ways = ["float64", "float32", "compiled", "ONNX"]
    print_table([f"{BATCH:,} rows of 20 numbers", *ways, *(f"{way} / float64" for way in ways[1:])], batch_rows)
    print(
        "\nMicroseconds a row in one batch, one thread: program_, with batch_dtype, compiled, and in onnxruntime. "
        "Expected: compiled\n1/4 of float64, ONNX no more than it.\n"
    )
    if missing:
        print(f"One row of wa_churn was not measured: {missing}")
        return
    header = ["net, one row of wa_churn", "program_(dict)", "program_(df)", "predict_proba(df)", "pipeline"]
    print_table([*header, "predict_proba(df) / pipeline", "program_(dict) / pipeline"], raw_rows)
    print(
        "\npipeline: predict_proba of make_pipeline(ColumnTransformer(StandardScaler, OneHotEncoder), MLPClassifier) "
        "on the same\none-row DataFrame. Expected: predict_proba(df) at most 1/5 of the pipeline, program_(dict) at "
        "most 1/30."
    )


if __name__ == "__main__":
    main()
