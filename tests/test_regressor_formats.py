"""A student of a regressor in every format: files answer as it does, and compressed it does so nearly."""

import runpy
import shutil
import subprocess

import numpy as np
import pytest
from export_helpers import mixed_table, onnx_feeds, records, wild_rows
from helpers import Optional, small_mlp_regressor
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_regressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skdistill
from skdistill import DistilledRegressor, LinearStudentRegressor, TreeStudentRegressor
from skdistill.compress import prune, quantize
from skdistill.export import register_skl2onnx, to_c, to_onnx, to_python

onnxruntime, skl2onnx = map(Optional, ("onnxruntime", "skl2onnx"))

#: Targets: one around zero, two whose float32 is coarse, two with a bound each, several of different units.
TARGETS = {
    "small": lambda score: score,
    "far": lambda score: 1e7 + score,
    "farther": lambda score: 1e15 + 100 * score,
    "bounded": lambda score: np.column_stack([np.exp(score), -np.exp(score)]),
    "several": lambda score: np.column_stack([score, -1e-3 * score, 1e5 + score]),
}


def numbers(n_rows=500):
    X = np.random.default_rng(0).normal(size=(n_rows, 5)) * [1, 10, 0.1, 1, 1]
    X[::17, 3] = np.nan
    return X, X[:, 0] + np.tanh(X[:, 1] / 10) + 10 * X[:, 2] ** 2


@pytest.fixture(scope="module", params=["linear", "mlp", "tree"])
def kind(request):
    kinds = {
        "linear": LinearStudentRegressor(numeric="piecewise"),
        "mlp": small_mlp_regressor(hidden_layer_sizes=(12, 8), numeric="piecewise"),
        "tree": TreeStudentRegressor(30, random_state=0),
    }
    return kinds[request.param]


@pytest.fixture(scope="module", params=list(TARGETS))
def fitted(request, kind):
    X, score = numbers()
    y = TARGETS[request.param](score)
    return clone(kind).fit(X, y), X, y


@pytest.fixture(scope="module")
def on_mixed(kind):
    """A student of a frame with a column of every kind."""
    X, labels = mixed_table()
    return clone(kind).fit(X, 50.0 + 10 * (labels == labels[0])), X


def assert_same_numbers(found, student, rows):
    """Check numbers against those of numpy: within 1e-4 of the larger of the number and the target's deviation."""
    expected = student.program_(rows)
    found = np.asarray(found, dtype=np.float64).reshape(expected.shape)
    size = np.maximum(np.abs(expected - student.program_.ops[-1].center), student.program_.ops[-1].scale)
    # the last digit of a number far from zero may be rounded up or down
    assert (np.abs(found - expected) <= np.maximum(1e-4 * size, np.spacing(np.abs(expected)))).all()


def test_a_loaded_file_is_a_fitted_regressor(fitted, tmp_path):
    student, X, y = fitted
    student.export(tmp_path / "student.skd")
    loaded = skdistill.load(tmp_path / "student.skd")
    assert_array_equal(loaded.predict(X), student.predict(X))
    assert loaded.score(X, y) == pytest.approx(student.score(X, y))
    assert loaded.score(X, y, np.arange(500)) == pytest.approx(student.score(X, y, np.arange(500)))
    assert is_regressor(loaded)
    assert clone(loaded) is loaded is loaded.fit(X, y)
    assert repr(loaded).startswith("LoadedRegressor(n_columns=5")
    if y.ndim == 1:
        distilled = DistilledRegressor(loaded, student="tree", alpha=1).fit(X)
        assert r2_score(student.predict(X), distilled.predict(X)) > 0.8


def test_onnx_answers_as_numpy_does(fitted):
    pytest.importorskip("onnx")
    student, X, _ = fitted
    model = to_onnx(student, numbers="float64")
    (pred,) = onnxruntime.InferenceSession(model.SerializeToString()).run(["variable"], {"X": X})
    far = student.program_.ops[-1].center.max() > 1e4
    assert pred.dtype == (np.float64 if far else np.float32)
    assert_same_numbers(pred, student, X)
    with pytest.raises(ValueError, match="regressor, which has none"):
        to_onnx(student, logits=True)


@pytest.mark.parametrize("unit", [1e300, 1e-300])
def test_numbers_that_float32_does_not_hold_are_the_same_in_every_format(unit, tmp_path):
    pytest.importorskip("onnx")
    X, score = numbers()
    student = LinearStudentRegressor().fit(X, unit * (score + 1))
    (pred,) = onnxruntime.InferenceSession(to_onnx(student, numbers="float64").SerializeToString()).run(None, {"X": X})
    assert_allclose(pred[:, 0] / unit, student.predict(X) / unit, rtol=1e-9, atol=1e-9)
    to_python(student, tmp_path / "student.py")
    assert_allclose(runpy.run_path(str(tmp_path / "student.py"))["predict"](X), student.predict(X), rtol=1e-12)


def test_onnx_on_wild_rows(on_mixed):
    pytest.importorskip("onnx")
    student, X = on_mixed
    rows = wild_rows(X, 400)
    model = to_onnx(student)
    (pred,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, onnx_feeds(model, rows))
    finite = np.isfinite(rows[["age", "income in €", "reading", "level"]].to_numpy(dtype=float)).all(axis=1)
    assert finite.sum() > 50
    close = rows[finite]
    # on numbers that float32 tells apart
    near = (np.abs(close[["age", "income in €", "level"]]) < 1e6).all(axis=1).to_numpy()
    assert_same_numbers(pred[finite][near], student, close[near])


def test_skl2onnx_converts_a_pipeline_that_ends_in_a_regressor():
    pytest.importorskip("skl2onnx")
    X, score = numbers()
    X = np.nan_to_num(X).astype(np.float32)
    register_skl2onnx()
    inner = DistilledRegressor(LinearRegression(), student="linear", alpha=1)
    pipeline = make_pipeline(StandardScaler(), inner).fit(X, score)
    model = skl2onnx.to_onnx(pipeline, X[:1])
    assert [output.name for output in model.graph.output] == ["variable"]
    (pred,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"X": X})
    assert_allclose(pred[:, 0], pipeline.predict(X), rtol=1e-3, atol=1e-4)


def test_python_answers_as_numpy_does(fitted, on_mixed, tmp_path):
    student, X, _ = fitted
    to_python(student, tmp_path / "student.py")
    alone = runpy.run_path(str(tmp_path / "student.py"))
    assert_allclose(alone["predict"](X), student.predict(X), rtol=1e-12)
    assert "predict_proba" not in alone
    assert "CLASSES" not in alone
    mixed, frame = on_mixed
    to_python(mixed, tmp_path / "mixed.py")
    rows = wild_rows(frame, 200)
    pred = runpy.run_path(str(tmp_path / "mixed.py"))["predict"](records(rows))
    assert_allclose(pred, mixed.program_(records(rows))[:, 0], rtol=1e-9)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_c_answers_as_numpy_does_in_double(fitted, tmp_path):
    student, X, _ = fitted
    to_c(student, tmp_path / "model.c")
    n_outputs = student.program_.n_outputs
    (tmp_path / "main.c").write_text(f"""
#include <stdio.h>
#include "model.h"
int main(void)
{{
    static model_row rows[{len(X)}];
    static double out[{len(X)} * MODEL_N_OUTPUTS];
    for (int i = 0; i < {len(X)}; i++)
        for (int j = 0; j < 5; j++)
            if (scanf("%lf", &rows[i].x[j]) != 1) return 1;
    model_predict_rows(rows, {len(X)}, out);
    for (int i = 0; i < {len(X)} * {n_outputs}; i++) printf("%.17g ", out[i]);
    return MODEL_N_OUTPUTS != {n_outputs};
}}
""")
    strict = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror", "-O2"]
    command = ["gcc", *strict, "model.c", "main.c", "-o", "model", "-lm"]
    subprocess.run(command, check=True, cwd=tmp_path)
    given = "\n".join(" ".join(map(repr, row)) for row in X.tolist())
    pred = subprocess.run([tmp_path / "model"], input=given, capture_output=True, text=True, check=True).stdout
    assert_same_numbers(np.array(pred.split(), dtype=float), student, X)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_c_of_a_constant_that_reads_no_column_compiles(tmp_path):
    to_c(LinearStudentRegressor().fit(numbers()[0], np.full(500, 4.0)), tmp_path / "model.c")
    subprocess.run(["gcc", "-std=c99", "-Wall", "-Werror", "-c", "model.c"], check=True, cwd=tmp_path)


@pytest.mark.parametrize("dtype", ["int8", "float16"])
def test_a_quantised_student_answers_nearly_as_before(fitted, dtype, tmp_path):
    student, X, _ = fitted
    small = quantize(student, dtype, X)
    report = small.compression_report_
    assert report["nbytes"] < student.program_.nbytes
    assert report["r2"] > 0.99
    assert small.program_.ops[-1] is student.program_.ops[-1]
    assert_allclose(report["max_change"], abs(small.program_(X) - student.program_(X)).max(), rtol=1e-6)
    small.export(tmp_path / "small.skd")
    assert_array_equal(skdistill.load(tmp_path / "small.skd").predict(X), small.predict(X))


def test_a_pruned_net_answers_nearly_as_before():
    X, score = numbers()
    Y = TARGETS["several"](score)
    student = small_mlp_regressor(hidden_layer_sizes=(32,), max_epochs=40).fit(X, Y)
    small = prune(student, X, keep=0.5, max_epochs=3)
    assert small.hidden_layer_sizes == (16,)
    assert small.program_.ops[-1] is student.program_.ops[-1]
    assert small.compression_report_["r2"] > 0.97
    assert (r2_score(Y, small.predict(X), multioutput="raw_values") > 0.8).all()
    distilled = prune(student, X, keep=0.5, teacher=lambda X: -student.predict(X), max_epochs=3)
    assert distilled.compression_report_["r2"] < 0.9
    with pytest.raises(ValueError, match="returned 1 columns; the student has 3"):
        prune(student, X, teacher=lambda X: np.ones(len(X)))
