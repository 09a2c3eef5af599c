"""How long one row takes: a student and its Program, scikit-learn's net of the same width, a forest.

Run: ``python benchmarks/predict_latency.py``

One row is given as an ndarray of shape (1, n_columns), on one thread; then one row of a table of
strings and numbers (wa_churn, see tables.py), as a DataFrame and as a dict; then a batch, in numpy and
onnxruntime. What is timed is a call, in the processor's time, so how well the nets are trained does not
matter; they take a few epochs each.
"""

from __future__ import annotations

import warnings
from functools import partial
from importlib import import_module
from time import process_time

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
from skdistill.export import to_onnx
from tables import load

CALLS, IN_A_ROW, FOREST_CALLS = 1000, 50, 50
N_TREES = 500
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


def measure_batch() -> list[list[str]]:
    """Return a row of the table of batches for each student: microseconds a row."""
    runtime = import_module("onnxruntime")
    X, y = make_classification(BATCH, 20, n_informative=12, random_state=0)
    given, options = X.astype(np.float32), runtime.SessionOptions()
    options.intra_op_num_threads = 1
    rows = []
    students = {str(width): MLPStudent(width, max_epochs=3, random_state=0) for width in WIDTHS}
    for name, student in {**students, "additive": LinearStudent(numeric="piecewise")}.items():
        program = student.fit(X[:5_000], y[:5_000]).program_
        session = runtime.InferenceSession(
            to_onnx(student, numbers="float32").SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        calls = [
            partial(program, X),
            partial(Program(program.ops, batch_dtype="float32"), X),
            partial(session.run, None, {"X": given}),
        ]
        wide, narrow, onnx = median_seconds(calls, BATCH_CALLS, clock=process_time)
        times = (f"{1e6 * seconds / BATCH:.2f}" for seconds in (wide, narrow, onnx))
        rows.append([name, *times, f"{narrow / wide:.2f}", f"{onnx / wide:.2f}"])
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
        batch_rows = measure_batch()
    header = ["net", "program_", "predict_proba", "pipeline", "forest"]
    ratios = ["predict_proba / pipeline", "program_ / pipeline", "predict_proba / forest", "program_ / forest"]
    print_table([*header, *ratios], rows)
    print(
        "\nprogram_, predict_proba: a fitted MLPStudent. pipeline: predict_proba of make_pipeline(StandardScaler(), "
        f"MLPClassifier).\nforest: predict_proba of {N_TREES} trees, n_jobs=1. Medians of {CALLS} calls of each net, "
        f"{IN_A_ROW} at a time in turn, and of {FOREST_CALLS} of the forest.\n"
        "Expected: predict_proba at most 1/3 of the pipeline, program_ at most 1/10.\n"
    )
    header_of_batches = [
        f"student, {BATCH:,} rows",
        "float64",
        "float32",
        "ONNX",
        "float32 / float64",
        "ONNX / float64",
    ]
    print_table(header_of_batches, batch_rows)
    print(
        "\nMicroseconds a row of 20 numbers in one batch: program_, with batch_dtype, and in onnxruntime, one thread.\n"
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
