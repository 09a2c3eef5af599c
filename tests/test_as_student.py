"""as_student: in every format, files answer as scikit-learn's wrappers around a student do."""

import pickle
import runpy
import shutil
import subprocess
import warnings
from dataclasses import replace

import numpy as np
import pytest
from export_helpers import TABLES
from helpers import Optional, small_mlp, small_mlp_regressor
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier

import skdistill
from skdistill import (
    DistilledClassifier,
    LinearStudent,
    LinearStudentRegressor,
    TreeStudent,
    TreeStudentRegressor,
    as_student,
    compare,
)
from skdistill.compress import prune, quantize
from skdistill.export import to_onnx
from skdistill.program import BackTransform, OneVsRest, Program, Softmax

onnxruntime = Optional("onnxruntime")

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")


def table(n_classes=2, n_rows=400):
    """Return numbers with gaps, labels, and other rows, some of them far away."""
    X, y = TABLES["numbers"](n_rows=n_rows, n_classes=n_classes)
    more = np.random.default_rng(1).normal(np.nanmean(X, axis=0), 4 * np.nanstd(X, axis=0), size=(800, X.shape[1]))
    return X, y, np.vstack([X, more])


def calibrated(student, method, **params):
    if (
        method == "temperature"
        and "temperature" not in CalibratedClassifierCV._parameter_constraints["method"][0].options
    ):
        pytest.skip("this scikit-learn has no temperature scaling")
    return CalibratedClassifierCV(student, method=method, ensemble=False, cv=3, **params)


def tuned(wrapped, **params):
    return TunedThresholdClassifierCV(wrapped, cv="prefit", refit=False, scoring="balanced_accuracy", **params)


def in_python_and_onnx(student, X, folder):
    """Yield the labels and probabilities, or the predictions alone, of each format that needs no compiler."""
    student.export(folder / "student.skd")
    student.export(folder / "student.py")
    loaded, alone = skdistill.load(folder / "student.skd"), runpy.run_path(str(folder / "student.py"))
    assert_array_equal(loaded.predict(X), student.predict(X))
    names = [name for name in ("predict", "predict_proba") if hasattr(student, name)]
    yield [getattr(loaded, name)(X) for name in names]
    yield [alone[name](X) for name in names]
    model = to_onnx(student, numbers="float64")
    yield onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"X": X})


TREE = DecisionTreeClassifier(max_depth=4, random_state=0)
WRAPPERS = {
    "fixed": lambda student: FixedThresholdClassifier(student, threshold=0.3),
    "of the first class": lambda student: FixedThresholdClassifier(student, threshold=0.8, pos_label=0),
    "of logits": lambda student: FixedThresholdClassifier(
        student, threshold=0.7, pos_label=0, response_method="decision_function"
    ),
    "tuned": lambda student: TunedThresholdClassifierCV(student, cv=3, scoring="f1"),
    "distilled": lambda student: GridSearchCV(
        FixedThresholdClassifier(
            DistilledClassifier(TREE, student=student, alpha=0.5, temperature=1.0, random_state=0)
        ),
        {"threshold": [0.1]},
        cv=2,
    ),
    **{method: lambda student, method=method: calibrated(student, method) for method in ("sigmoid", "isotonic")},
    "temperature": lambda student: calibrated(student, "temperature"),
    "tuned sigmoid": lambda student: TunedThresholdClassifierCV(calibrated(student, "sigmoid"), cv=2, scoring="f1"),
    "tuned isotonic": lambda student: TunedThresholdClassifierCV(calibrated(student, "isotonic"), cv=2, scoring="f1"),
}
STUDENTS = {
    "linear": LinearStudent(),
    "tree": TreeStudent(10, random_state=0),
    "mlp": small_mlp(hidden_layer_sizes=(8, 6), numeric="piecewise"),
}


@needs_gcc
@pytest.mark.parametrize(
    ("kind", "wrapper", "n_classes"),
    [
        *(("linear", name, 2) for name in WRAPPERS),
        *((kind, name, 3) for kind in STUDENTS for name in ("sigmoid", "isotonic", "temperature")),
        *(("tree", name, 2) for name in ("tuned sigmoid", "tuned isotonic", "temperature")),
        ("mlp", "tuned sigmoid", 2),
    ],
)
def test_every_format_decides_as_the_wrapper_does(kind, wrapper, n_classes, tmp_path):
    pytest.importorskip("onnx")
    from test_export_c import Compiled

    X, y, rows = table(n_classes)
    if kind != "linear":
        X, rows = np.nan_to_num(X), np.nan_to_num(rows)
    if wrapper == "distilled":
        X, rows = np.nan_to_num(X), np.nan_to_num(rows)
    wrapped = WRAPPERS[wrapper](STUDENTS[kind]).fit(X, y)
    student = as_student(wrapped)
    proba, labels = wrapped.predict_proba(rows), wrapped.predict(rows)
    for found, found_proba in in_python_and_onnx(student, rows, tmp_path):
        assert_array_equal(found, labels)
        assert_allclose(found_proba, proba, atol=1e-6)
    _, best, in_c, _ = Compiled(student, tmp_path).run(rows)
    assert_array_equal(student.classes_[best], labels)
    assert_allclose(in_c, proba, atol=2e-6)
    assert_allclose(np.exp(student.predict_log_proba(rows)), proba, atol=1e-6)


TRANSFORMS = {
    "log": {"func": np.log, "inverse_func": np.exp},
    "log1p": {"func": np.log1p, "inverse_func": np.expm1},
    "exp": {"func": np.exp, "inverse_func": np.log},
    "expm1": {"func": np.expm1, "inverse_func": np.log1p},
    "sqrt": {"func": np.sqrt, "inverse_func": np.square},
    "square": {"func": np.square, "inverse_func": np.sqrt},
    "box-cox": {"transformer": PowerTransformer("box-cox")},
    "yeo-johnson": {"transformer": PowerTransformer()},
    "plain power": {"transformer": PowerTransformer(standardize=False)},
    "scale": {"transformer": StandardScaler()},
    "range": {"transformer": MinMaxScaler((1, 2))},
    "several": {"transformer": make_pipeline(FunctionTransformer(np.log1p, np.expm1), "passthrough", StandardScaler())},
    "none": {},
}
REGRESSORS = {
    "linear": LinearStudentRegressor(clip=False),
    "tree": TreeStudentRegressor(10, random_state=0),
    "mlp": small_mlp_regressor(hidden_layer_sizes=(8, 6)),
}


def positive_target(n_outputs=1):
    X, _, rows = table()
    X, rows = np.nan_to_num(X), np.nan_to_num(rows)
    score = StandardScaler().fit_transform(X)[:, :n_outputs] / 2
    y = np.exp(score + np.random.default_rng(0).normal(size=score.shape) / 10)
    return X, y[:, 0] if n_outputs == 1 else y, rows


@needs_gcc
@pytest.mark.parametrize(
    ("kind", "transform"),
    [
        *(("linear", name) for name in TRANSFORMS),
        *(("tree", name) for name in ("log1p", "box-cox", "yeo-johnson")),
        *(("mlp", name) for name in ("log1p", "plain power")),
    ],
)
def test_every_format_predicts_in_the_unit_of_the_wrapper(kind, transform, tmp_path):
    pytest.importorskip("onnx")
    X, y, rows = positive_target()
    wrapped = TransformedTargetRegressor(REGRESSORS[kind], **TRANSFORMS[transform]).fit(X, y)
    student = as_student(wrapped)
    # far away, the wrapper may answer NaN or infinity, with a warning
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = wrapped.predict(rows)
    known = np.isfinite(expected)
    assert known.mean() > 0.6
    numbers = student.predict(rows)
    assert np.isfinite(numbers).all()
    assert_allclose(numbers[known], expected[known], rtol=1e-9, atol=1e-9)
    for (found,) in in_python_and_onnx(student, rows, tmp_path):
        assert_allclose(found.reshape(-1), numbers, rtol=1e-4, atol=1e-5)
    assert_allclose(in_c(student, rows, tmp_path), numbers, rtol=1e-4, atol=1e-5)


def in_c(student, rows, folder):
    student.export(folder / "model.c")
    (folder / "main.c").write_text(f"""
#include <stdio.h>
#include "model.h"
int main(void)
{{
    static model_row rows[{len(rows)}];
    static double out[{len(rows)} * MODEL_N_OUTPUTS];
    for (int i = 0; i < {len(rows)}; i++)
        for (int j = 0; j < {rows.shape[1]}; j++)
            if (scanf("%lf", &rows[i].x[j]) != 1) return 1;
    model_predict_rows(rows, {len(rows)}, out);
    for (int i = 0; i < {len(rows)} * MODEL_N_OUTPUTS; i++) printf("%.17g ", out[i]);
    return 0;
}}
""")
    strict = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror", "-O2"]
    subprocess.run(["gcc", *strict, "model.c", "main.c", "-o", "model", "-lm"], check=True, cwd=folder)
    given = "\n".join(" ".join(map(repr, row)) for row in rows.tolist())
    done = subprocess.run([folder / "model"], input=given, capture_output=True, text=True, check=True)
    return np.array(done.stdout.split(), dtype=float)


def test_each_output_is_transformed_by_its_own_power(tmp_path):
    pytest.importorskip("onnx")
    X, Y, rows = positive_target(3)
    Y[:, 2] = -Y[:, 2]
    wrapped = TransformedTargetRegressor(TreeStudentRegressor(20, random_state=0), transformer=PowerTransformer())
    student = as_student(wrapped.fit(X, Y))
    assert_allclose(student.predict(rows), wrapped.predict(rows), rtol=1e-9)
    for (found,) in in_python_and_onnx(student, rows, tmp_path):
        assert_allclose(found, student.predict(rows), rtol=1e-6)


@pytest.mark.parametrize("power", [-2.0, -0.6, 0.0, 1e-3, 1.0, 1.999, 2.0, 20.0])
@pytest.mark.parametrize("method", ["box-cox", "yeo-johnson"])
def test_answers_stay_finite_where_a_power_transform_has_no_inverse(method, power):
    X, y, rows = positive_target()
    wrapped = TransformedTargetRegressor(
        LinearStudentRegressor(clip=False), transformer=PowerTransformer(method, standardize=False)
    ).fit(X, y)
    wrapped.transformer_.lambdas_ = np.array([power])
    student = as_student(wrapped)
    far = np.vstack([rows, rows * 1e6, np.full((1, 5), 1e30), np.full((1, 5), -1e30)])
    numbers = student.predict(far)
    assert np.isfinite(numbers).all()
    assert np.abs(numbers).max() <= 1.001e30
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = wrapped.predict(rows)
    known = np.isfinite(expected) & (np.abs(expected) < 1e29)
    assert_allclose(numbers[: len(rows)][known], expected[known], rtol=1e-7, atol=1e-9)


def test_ties_are_decided_alike_in_every_format(tmp_path):
    pytest.importorskip("onnx")
    X, y, rows = table()
    tree = TreeStudent(6, random_state=0).fit(X, y)
    for wrapped in (tree, calibrated(tree, "sigmoid").fit(X, y), calibrated(tree, "isotonic").fit(X, y)):
        for label, proba in enumerate(wrapped.predict_proba(X).T):
            for threshold in np.unique(proba):
                decided = FixedThresholdClassifier(FrozenEstimator(wrapped), threshold=threshold, pos_label=label)
                for found, _ in in_python_and_onnx(as_student(decided), rows, tmp_path):
                    assert_array_equal(found, decided.predict(rows))


def test_the_first_class_is_predicted_where_an_isotonic_regression_says_half():
    X, y = np.repeat([[0.0], [1.0], [2.0]], 4, axis=0), [0, 0, 0, 1, 0, 1, 0, 1, 1, 1, 1, 0]
    student = TreeStudent(3, min_samples_leaf=1, random_state=0).fit(X, y)
    wrapped = CalibratedClassifierCV(FrozenEstimator(student), method="isotonic", cv=2).fit(X, y)
    assert 0.5 in wrapped.predict_proba(X)
    assert_array_equal(as_student(wrapped).predict(X), wrapped.predict(X))


@pytest.mark.parametrize("threshold", [0, 0.2, 0.5, 1])
def test_a_threshold_by_hand_is_that_of_the_second_class(threshold):
    X, y, rows = table()
    student = LinearStudent().fit(X, np.array(["no", "yes"])[y])
    decided = as_student(student, threshold=threshold)
    proba = student.predict_proba(rows)
    assert_array_equal(decided.predict(rows) == "yes", proba[:, 1] >= threshold)
    assert_array_equal(decided.predict_proba(rows), proba)
    assert_array_equal(as_student(decided, threshold=0.5).predict(rows) == "yes", proba[:, 1] >= 0.5)
    assert decided.program_.fingerprint() != student.program_.fingerprint()
    assert_array_equal(pickle.loads(pickle.dumps(decided)).predict(rows), decided.predict(rows))


def test_a_file_says_what_was_around_the_student(tmp_path):
    X, y, _ = table()
    tuned = TunedThresholdClassifierCV(calibrated(DistilledClassifier(LinearStudent(), student="linear"), "sigmoid"))
    as_student(tuned.fit(X, y), threshold=0.25).export(tmp_path / "m.skd")
    found = skdistill.load(tmp_path / "m.skd").metadata_
    assert found["teacher"]["type"] == found["student"]["type"] == "skdistill.student._linear.LinearStudent"
    assert found["wrapper"]["params"]["estimator"]["params"]["method"] == "sigmoid"
    assert found["threshold"] == 0.25


def test_labels_that_are_texts(tmp_path):
    X, y, rows = table(3)
    named = np.array(["a", "b", "c"])[y]
    for method in ("sigmoid", "isotonic", "temperature"):
        wrapped = calibrated(LinearStudent(), method).fit(X, named)
        assert_array_equal(as_student(wrapped).predict(rows), wrapped.predict(rows))


@pytest.mark.parametrize("dtype", ["int8", "float16"])
@pytest.mark.parametrize("kind", STUDENTS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_student_is_compressed_before_or_after(kind, n_classes, dtype):
    X, y, rows = table(n_classes)
    small = quantize(STUDENTS[kind].fit(X, y), dtype, X)
    for method in ("sigmoid", "temperature"):
        wrapped = calibrated(FrozenEstimator(small), method).fit(X, y)
        assert_allclose(as_student(wrapped).predict_proba(rows), wrapped.predict_proba(rows), atol=1e-6)
        smaller = quantize(as_student(wrapped), dtype, X)
        assert_allclose(smaller.predict_proba(X), wrapped.predict_proba(X), atol=0.1)
    isotonic = as_student(calibrated(FrozenEstimator(small), "isotonic").fit(X, y))
    assert quantize(isotonic, dtype, X).compression_report_["agreement"] > 0.9


def test_what_a_threshold_changes_is_counted_or_warned_of():
    X, y, _ = table()
    student = as_student(small_mlp(hidden_layer_sizes=(16,)).fit(X, y), threshold=0.99)
    small = quantize(student, "int8", X)
    assert small.compression_report_["agreement"] == (small.predict(X) == student.predict(X)).mean()
    assert prune(student, X, keep=0.5, max_epochs=2).program_.ops[-1] == student.program_.ops[-1]
    report = compare(None, student, X, y, teacher_proba=small.predict_proba(X), latency=False)
    (name,) = set(report.table) - {"teacher"}
    assert report.table[name]["accuracy"] == (student.predict(X) == y).mean()
    apart = student.classes_[small.predict_proba(X).argmax(axis=1)] != student.predict(X)
    assert_array_equal(report.changed_rows()["row"], np.flatnonzero(apart))
    given = as_student(student, threshold=0.02)
    changes = compare(baseline=student, students={"new": given}, X=X, latency=False)
    n_changed = (student.predict(X) != given.predict(X)).sum()
    assert 0 < n_changed == len(changes.changed_rows()["row"])
    assert f"another class for {n_changed} of {len(X)} rows" in changes.verdict


@needs_gcc
def test_native_code_decides_alike(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    X, y, rows = table(3)
    calibrated_student = as_student(calibrated(LinearStudent(), "sigmoid").fit(X, y))
    native = calibrated_student.compile()
    assert_allclose(native.predict_proba(rows), calibrated_student.predict_proba(rows), atol=1e-5)
    assert_array_equal(native.predict(rows), calibrated_student.predict(rows))
    X, y, rows = positive_target()
    logarithm = as_student(TransformedTargetRegressor(LinearStudentRegressor(), **TRANSFORMS["log1p"]).fit(X, y))
    assert_allclose(logarithm.compile().predict(rows), logarithm.predict(rows), rtol=1e-4)
    power = as_student(TransformedTargetRegressor(LinearStudentRegressor(), transformer=PowerTransformer()).fit(X, y))
    with pytest.warns(UserWarning, match="whose rounding this BackTransform magnifies"):
        assert_array_equal(power.compile().predict(rows), power.predict(rows))


def identity(y):
    return y


@pytest.mark.parametrize(
    ("wrapped", "reason"),
    [
        (CalibratedClassifierCV(LinearStudent(), cv=2), "averages 2 students.*use ensemble=False"),
        (calibrated(calibrated(LinearStudent(), "sigmoid"), "sigmoid"), "put it directly around the student"),
        (CalibratedClassifierCV(TREE, ensemble=False), "DecisionTreeClassifier has no Program"),
        (calibrated(make_pipeline(StandardScaler(), LinearStudent()), "sigmoid"), "steps before the student"),
        (
            FixedThresholdClassifier(calibrated(LinearStudent(), "sigmoid"), response_method="decision_function"),
            "has no decision_function; use response_method='predict_proba'",
        ),
    ],
)
def test_classifiers_that_a_program_cannot_be_are_refused_by_name(wrapped, reason):
    X, y, _ = table()
    X = np.nan_to_num(X)
    with pytest.raises(TypeError, match=reason):
        as_student(wrapped.fit(X, y))


@pytest.mark.parametrize(
    ("transform", "reason"),
    [
        ({"func": identity, "inverse_func": identity}, "is a function that a Program does not have; expected np.exp"),
        ({"transformer": QuantileTransformer(n_quantiles=10)}, "QuantileTransformer.*expected a StandardScaler"),
        (
            {"transformer": make_pipeline(StandardScaler(), PowerTransformer())},
            "(?s)StandardScaler.* comes after another transform",
        ),
    ],
)
def test_transforms_that_a_program_does_not_have_are_refused_by_name(transform, reason):
    X, y, _ = positive_target()
    with pytest.raises(TypeError, match=reason):
        as_student(TransformedTargetRegressor(LinearStudentRegressor(), **transform).fit(X, y))


def test_a_threshold_needs_two_classes_and_a_fitted_model():
    X, y, _ = table(3)
    with pytest.raises(ValueError, match="this model has 3 classes"):
        as_student(LinearStudent().fit(X, y), threshold=0.5)
    with pytest.raises(ValueError, match="this model has a regressor"):
        as_student(LinearStudentRegressor().fit(X, y), threshold=0.5)
    for threshold in (np.nan, -0.1, 4, True, "0.3"):
        with pytest.raises(ValueError, match=r"threshold=.*; expected a probability, from 0 to 1"):
            as_student(LinearStudent().fit(X, y > 1), threshold=threshold)
    for wrapped in (FixedThresholdClassifier(LinearStudent()), calibrated(LinearStudent(), "sigmoid")):
        with pytest.raises(NotFittedError):
            as_student(wrapped)
    wrapped = FixedThresholdClassifier(LinearStudent()).fit(X, y > 1)
    with pytest.raises(TypeError, match=r"skdistill\.as_student"):
        to_onnx(wrapped)
    with pytest.raises(TypeError, match="prune the student before you calibrate it"):
        prune(as_student(calibrated(small_mlp(), "isotonic").fit(X, y)), X)


KNOTS, SCORES = np.array([[0.0, 1.0]]), np.array([[0.1, 0.9]])
BACK = {"center": np.ones(1), "scale": np.ones(1), "lower": np.zeros(1), "upper": np.ones(1)}


@pytest.mark.parametrize(
    ("end", "fault"),
    [
        (Softmax(np.inf), "cut"),
        (OneVsRest(), "cut"),
        (OneVsRest(0.0, KNOTS), "knots"),
        (OneVsRest(0.0, KNOTS[:, ::-1].copy(), SCORES), "knots"),
        (OneVsRest(0.0, KNOTS, SCORES[:, ::-1].copy()), "scores"),
        (OneVsRest(0.0, KNOTS, 2 * SCORES), "scores"),
        (OneVsRest(0.0, KNOTS[:, :1], SCORES[:, :1]), "knots"),
        (OneVsRest(0.0, KNOTS[0], SCORES[0]), "knots"),
        (BackTransform(**BACK, function="eval"), "function"),
        (BackTransform(**BACK, function="box-cox"), "function"),
        (BackTransform(**BACK, function="exp", power=np.ones(1)), "function"),
        (BackTransform(**BACK | {"upper": None}, function="exp"), "lower"),
        (BackTransform(**BACK | {"upper": np.array([1e3])}, function="exp"), "FloatingPointError"),
        (BackTransform(**BACK, function="log"), "FloatingPointError"),
        (BackTransform(**BACK, function="box-cox", power=np.array([-1.0])), "FloatingPointError"),
        (BackTransform(**BACK, function="box-cox", power=np.zeros(1)), "power"),
        (BackTransform(**BACK, function="yeo-johnson", power=np.full(1, 2.0)), "power"),
        (BackTransform(**BACK, function="yeo-johnson", power=np.ones(2)), "power"),
    ],
)
def test_a_file_with_an_end_that_does_not_fit_is_refused(end, fault, tmp_path):
    X, y, _ = table()
    classifies = not isinstance(end, BackTransform)
    student = as_student((LinearStudent() if classifies else LinearStudentRegressor()).fit(X, y))
    student.program_ = Program([*student.program_.ops[:-1], end])
    with pytest.raises(ValueError, match=f"A file cannot hold this student: .*{fault}"):
        student.export(tmp_path / "student.skd")


def test_a_file_with_a_threshold_of_three_classes_is_refused(tmp_path):
    X, y, _ = table(3)
    student = as_student(LinearStudent().fit(X, y))
    student.program_ = Program([*student.program_.ops[:-1], replace(student.program_.ops[-1], cut=0.0)])
    with pytest.raises(ValueError, match=r"A file cannot hold this student: .*cut"):
        student.export(tmp_path / "student.skd")
