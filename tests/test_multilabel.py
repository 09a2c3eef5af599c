"""Several labels for each row: teachers of every kind, missing labels, files in every format, and comparisons."""

import ctypes
import pickle
import runpy
import shutil
import subprocess

import numpy as np
import pytest
from export_helpers import assert_same_logits, mixed_table, onnx_feeds, wild_rows
from helpers import Optional, small_mlp
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import make_multilabel_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, average_precision_score, log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skdistill
from skdistill import DistilledClassifier, LinearStudent, TreeStudent, compare, distill_to_budget
from skdistill.compress import prune, quantize
from skdistill.losses import BinaryCrossEntropy, CrossEntropy, Targets
from skdistill.metrics import make_fidelity_scorer, make_retention_scorer, retention_score
from skdistill.report import FidelityDisplay, ReliabilityDisplay
from skdistill.tasks import LABELS

onnxruntime, skl2onnx, pd = map(Optional, ("onnxruntime", "skl2onnx", "pandas"))

NAMES = ["sport", "politics", "art", "food"]
X, Y = make_multilabel_classification(700, 8, n_classes=4, random_state=0)
X = X.astype(np.float64)
X, X_TEST, Y, Y_TEST = X[:400], X[400:], Y[:400], Y[400:]
LOGISTIC = LogisticRegression(max_iter=2000)

TEACHERS = {
    "forest": RandomForestClassifier(30, min_samples_leaf=5, random_state=0),
    "net": MLPClassifier((16,), alpha=1.0, early_stopping=True, random_state=0),
    "neighbours": KNeighborsClassifier(20),
    "each": MultiOutputClassifier(LOGISTIC),
    "chain": ClassifierChain(LOGISTIC, random_state=0),
    "one against the rest": OneVsRestClassifier(LOGISTIC),
}


def of_labels(model, X):
    """Return scikit-learn's answers as one array."""
    proba = model.predict_proba(X)
    return np.column_stack([one[:, 1] for one in proba]) if isinstance(proba, list) else proba


@pytest.fixture(scope="module")
def forest():
    return clone(TEACHERS["forest"]).fit(X, Y)


@pytest.fixture(scope="module")
def distilled(forest):
    """A net that the recipe has fitted, with names of the labels."""
    return DistilledClassifier(forest, student=small_mlp(max_epochs=8), random_state=0).fit(
        X, pd.DataFrame(Y, columns=NAMES)
    )


@pytest.mark.parametrize("cv", [None, 3])
@pytest.mark.parametrize("name", TEACHERS)
def test_a_student_follows_whatever_scikit_learn_has_for_a_teacher(name, cv):
    teacher = clone(TEACHERS[name])
    model = DistilledClassifier(teacher, student="linear", alpha=1, cv=cv).fit(X, Y)
    assert_allclose(model.ask_teacher(X_TEST), of_labels(model.teacher_, X_TEST))
    assert model.distillation_report_["origin"] == ("in_sample" if cv is None else "out_of_fold")
    assert_array_equal(model.classes_, np.arange(4))
    proba, fidelity = model.predict_proba(X_TEST), make_fidelity_scorer()(model, X_TEST, Y_TEST)
    assert proba.shape == Y_TEST.shape
    assert_array_equal(model.predict(X_TEST), (proba > 0.5).astype(int))
    assert model.score(X_TEST, Y_TEST) == accuracy_score(Y_TEST, proba > 0.5)
    assert fidelity == ((of_labels(model.teacher_, X_TEST) > 0.5) == (proba > 0.5)).mean() > 0.7


def test_the_recipe_is_that_of_classes(distilled, forest):
    report, twin = distilled.distillation_report_, small_mlp().fit(X, Y)
    assert report["n_new"] == 4000
    assert report["n_label_models"] == 10
    assert report["distilled"].keys() > {"log_loss", "accuracy", "agreement", "rarest_class"}
    assert distilled.classes_.tolist() == NAMES
    scores = [average_precision_score(Y_TEST, one.predict_proba(X_TEST)) for one in (distilled, twin)]
    assert scores[0] > scores[1] - 0.01
    warmer = DistilledClassifier(forest.predict_proba, student="linear", temperature="auto", cv=None).fit(X, Y)
    assert warmer.temperature_ in (1, 2, 4)
    assert {one["temperature"] for one in warmer.distillation_report_["candidates"]} == {1, 2, 4}


def test_a_gap_counts_as_much_for_rare_labels():
    even, rare = np.tile([[0.0, 1.0], [1.0, 0.0]], (50, 1)), np.zeros((100, 2))
    rare[:10] = 1.0
    assert LABELS.score(even, np.where(np.arange(100)[:, None] < 20, 1 - even, even), None) == pytest.approx(0.8)
    assert LABELS.score(rare, np.zeros((100, 2)), None) == pytest.approx(1 - 0.1 / (4 * 0.1 * 0.9))


def test_out_of_bag_answers_are_those_of_the_labels():
    teacher = RandomForestClassifier(60, oob_score=True, random_state=0).fit(X, Y)
    model = DistilledClassifier(teacher, student=LinearStudent(C=1e4), cv="oob", alpha=1).fit(X, Y)
    given = DistilledClassifier(student=LinearStudent(C=1e4), alpha=1).fit(
        X, Y, teacher_proba=teacher.oob_decision_function_[:, 1]
    )
    assert_allclose(model.predict_proba(X_TEST), given.predict_proba(X_TEST), atol=1e-4)


def test_given_answers_and_labels_are_matched_by_name(forest):
    proba = pd.DataFrame(of_labels(forest, X), columns=NAMES)
    of_frames = DistilledClassifier(student="linear", alpha=0.5).fit(
        X, pd.DataFrame(Y, columns=NAMES), teacher_proba=proba[NAMES[::-1]]
    )
    for y in (Y, Y.tolist(), Y.astype(bool), sparse.csr_matrix(Y)):
        of_arrays = DistilledClassifier(forest, student="linear", alpha=0.5).fit(X, y)
        assert_allclose(of_frames.predict_proba(X_TEST), of_arrays.predict_proba(X_TEST), atol=1e-6)


def test_labels_are_fitted_each_by_itself():
    own, theirs = LinearStudent(C=10).fit(X, Y), OneVsRestClassifier(LogisticRegression(C=10, max_iter=5000)).fit(X, Y)
    assert own.coef_.shape[0] == 4
    # the student scales its columns before it penalises them
    assert_allclose(own.predict_proba(X_TEST), theirs.predict_proba(X_TEST), atol=0.05)
    alone = [LinearStudent(C=10).fit(X, label).predict_proba(X_TEST)[:, 1] for label in Y.T]
    assert_allclose(own.predict_proba(X_TEST), np.column_stack(alone), atol=1e-3)


def test_a_missing_label_counts_for_nothing():
    y, rows = Y.astype(float), np.arange(len(Y)) % 3 == 0
    y[rows, 1] = np.nan
    student = LinearStudent().fit(X, y)
    proba = student.predict_proba(X_TEST)
    known, whole = LinearStudent().fit(X[~rows], Y[~rows]), LinearStudent().fit(X, Y)
    assert_allclose(proba[:, [0, 2, 3]], whole.predict_proba(X_TEST)[:, [0, 2, 3]], atol=1e-3)
    assert_allclose(proba[:, 1], known.predict_proba(X_TEST)[:, 1], atol=0.03)
    nullable = pd.DataFrame(Y, columns=NAMES).astype("boolean")
    nullable.loc[rows, NAMES[1]] = pd.NA
    assert_array_equal(LinearStudent().fit(X, nullable).predict_proba(X_TEST), proba)
    answers = np.full(Y.shape, 0.5)
    scores = [retention_score(one, answers, 0.2 + 0.6 * Y, scoring="neg_log_loss") for one in (y, Y)]
    assert_allclose(scores, np.log(0.5) / np.log(0.8))
    with pytest.raises(ValueError, match="cannot leave out"):
        retention_score(y, answers, answers, scoring="accuracy")
    teacher = DistilledClassifier(RandomForestClassifier(random_state=0), student="linear")
    with pytest.raises(ValueError, match="a teacher cannot be fitted to missing labels"):
        teacher.fit(X, y)
    with pytest.raises(ValueError, match="all in y are missing"):
        LinearStudent().fit(X, np.full(Y.shape, np.nan))


def test_a_score_matches_labels_by_name_and_leaves_out_missing_ones(distilled, tmp_path):
    y, predicted = Y_TEST.astype(float), distilled.predict(X_TEST)
    y[::3, 1], y[5] = np.nan, np.nan
    known = ~np.isnan(y)
    expected = ((predicted == y) | ~known).all(axis=1)[known.any(axis=1)].mean()
    distilled.export(tmp_path / "student.skd")
    frame = pd.DataFrame(y, columns=NAMES)
    for model in (distilled, distilled.student_, skdistill.load(tmp_path / "student.skd")):
        for labels in (y, frame[NAMES[::-1]], frame.astype("boolean")):
            assert model.score(X_TEST, labels) == pytest.approx(expected)
        with pytest.raises(ValueError, match="y has columns named"):
            model.score(X_TEST, frame.rename(columns={"art": "music"}))
        with pytest.raises(ValueError, match="expected an indicator matrix of shape"):
            model.score(X_TEST, y[:, 0])


def test_no_label_is_needed_where_the_teacher_has_answered(forest):
    model = DistilledClassifier(forest, student="linear", alpha=1).fit(X, np.full(Y.shape, np.nan))
    same = DistilledClassifier(forest, student="linear", alpha=1).fit(X, Y, X_unlabeled=None)
    assert_allclose(model.predict_proba(X_TEST), same.predict_proba(X_TEST), atol=1e-6)
    more = DistilledClassifier(forest, student=small_mlp(), random_state=0).fit(X, Y, X_unlabeled=X_TEST)
    assert more.distillation_report_["n_rows"] == 700


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_the_loss_is_that_of_two_classes_for_each_label(temperature):
    rng = np.random.default_rng(0)
    Z, answers, labels = rng.normal(size=(30, 3)), rng.random((30, 3)), rng.integers(0, 2, (30, 3)).astype(float)
    labels[::4, 1] = np.nan
    value, gradient = (
        Targets(answers, labels, None, 0.3, BinaryCrossEntropy(temperature), classes=np.arange(3))
        .terms(30)
        .value_and_gradient(Z)
    )
    total = 0.0
    for at in range(3):
        two = np.column_stack([1 - answers[:, at], answers[:, at]])
        index = np.where(np.isnan(labels[:, at]), -1, labels[:, at]).astype(int)
        terms = Targets(two, index, None, 0.3, CrossEntropy(temperature), classes=np.arange(2)).terms(30)
        own, slope = terms.value_and_gradient(Z[:, at : at + 1])
        assert_allclose(gradient[:, at], slope[:, 0], atol=1e-12)
        total += own
    assert value == pytest.approx(total)


def test_what_is_no_several_labels_is_said():
    with pytest.raises(ValueError, match="as for one class for each row"):
        DistilledClassifier(LogisticRegression(max_iter=2000).fit(X, Y[:, 0]), student="linear").fit(X, Y[:, :2])
    with pytest.raises(ValueError, match="y has 3 labels, and the teacher returned 4"):
        DistilledClassifier(lambda rows: np.full((len(rows), 4), 0.5), student="linear").fit(X, Y[:, :3])
    with pytest.raises(ValueError, match="which is no probability"):
        DistilledClassifier(lambda rows: np.full((len(rows), 4), 1.5), student="linear").fit(X, Y)
    with pytest.raises(ValueError, match="need an indicator matrix y"):
        DistilledClassifier(lambda rows: np.full((len(rows), 4), 0.5), student="linear", alpha=1).fit(X)
    for student in ("tree", GaussianNB(), make_pipeline(StandardScaler(), LinearStudent())):
        with pytest.raises(ValueError, match="Use a LinearStudent or an MLPStudent"):
            DistilledClassifier(lambda rows: np.full((len(rows), 4), 0.5), student=student).fit(X, Y)
    with pytest.raises(ValueError, match="Use a linear student or a net"):
        TreeStudent().fit(X, Y)
    with pytest.raises(ValueError, match="class_weight='balanced' needs one class for each row"):
        LinearStudent(class_weight="balanced").fit(X, Y)
    with pytest.warns(UserWarning, match="says little of these labels: of the first label"):
        DistilledClassifier(lambda rows: np.full((len(rows), 4), 0.99), student="linear", alpha=1).fit(X, 1 - Y)


def test_floats_that_sum_to_one_are_probabilities_of_classes():
    soft = np.eye(3)[np.argmax(X[:, :3], axis=1)]
    assert not LinearStudent().fit(X, soft).multilabel_
    assert LinearStudent().fit(X, soft.astype(int)).multilabel_


def test_scikit_learn_takes_it_as_one_of_its_own(distilled, forest):
    search = GridSearchCV(
        DistilledClassifier(forest, student=LinearStudent(), random_state=0),
        {"alpha": [0.2, 0.8], "student__C": [0.1, 1.0]},
        scoring={"precision": "average_precision", "retention": make_retention_scorer("average_precision")},
        refit="precision",
        cv=3,
    ).fit(X, Y)
    assert search.best_score_ > 0.7
    assert np.isfinite(search.cv_results_["mean_test_retention"]).all()
    copy = pickle.loads(pickle.dumps(distilled.student_))
    assert_array_equal(copy.predict_proba(X_TEST), distilled.predict_proba(X_TEST))
    assert clone(distilled).teacher is forest


@pytest.fixture(scope="module", params=["linear", "mlp"])
def on_mixed(request):
    """A student of a frame with a column of every kind, and wild rows."""
    frame, _ = mixed_table()
    y = np.column_stack([frame["age"] > 40, frame["member"], frame["level"] > 0.15, frame["size"] == "l"])
    student = {"linear": LinearStudent(), "mlp": small_mlp(hidden_layer_sizes=(12, 8))}[request.param]
    return student.fit(frame, pd.DataFrame(y, columns=NAMES)), wild_rows(frame)


def test_every_format_answers_alike(on_mixed, tmp_path):
    student, rows = on_mixed
    logits, proba = student.program_.logits(rows), student.predict_proba(rows)
    for name in ("student.skd", "student.py", "student.onnx", "student.c"):
        student.export(tmp_path / name)
    loaded = skdistill.load(tmp_path / "student.skd")
    assert_array_equal(loaded.predict_proba(rows), proba)
    assert_array_equal(loaded.predict(rows), student.predict(rows))
    assert loaded.score(rows, student.predict(rows)) == 1.0
    assert loaded.__sklearn_tags__().classifier_tags.multi_label
    assert loaded.classes_.tolist() == NAMES
    module = runpy.run_path(str(tmp_path / "student.py"))
    assert_allclose(module["predict_proba"](rows), proba, atol=1e-12)
    assert_array_equal(module["predict"](rows), student.predict(rows))
    model = skdistill.export.to_onnx(student, logits=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    label, probabilities, outputs = session.run(None, onnx_feeds(model, rows))
    assert [one.shape for one in session.get_outputs()][:2] == [["N", 4], ["N", 4]]
    assert_same_logits(outputs, logits)
    assert_allclose(probabilities, proba, atol=1e-4)
    assert_array_equal(label, (outputs > 0).astype(np.int64))


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_native_code_answers_alike(on_mixed, distilled, tmp_path):
    student, rows = on_mixed
    assert_allclose(student.compile().predict_proba(rows), student.predict_proba(rows), atol=1e-4)
    distilled.export(tmp_path / "net.c")
    warnings = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-shared", "-fPIC"]
    subprocess.run(["gcc", *warnings, "net.c", "-o", "net.so", "-lm"], cwd=tmp_path, check=True)
    library = ctypes.CDLL(str(tmp_path / "net.so"))
    proba, labels = np.empty((300, 4), dtype=np.float32), np.empty((300, 4), dtype=np.int32)
    given = np.ascontiguousarray(X_TEST)
    for function, out in ((library.net_predict_proba_rows, proba), (library.net_predict_rows, labels)):
        function(ctypes.c_void_p(given.ctypes.data), 300, ctypes.c_void_p(out.ctypes.data))
    assert_allclose(proba, distilled.predict_proba(X_TEST), atol=1e-4)
    assert_array_equal(labels, distilled.predict(X_TEST))


def test_a_smaller_student_answers_nearly_alike(distilled):
    for small in (quantize(distilled, "int8"), prune(distilled, X, max_epochs=20)):
        assert small.compression_report_["agreement"] > 0.9
        assert np.abs(small.predict_proba(X_TEST) - distilled.predict_proba(X_TEST)).mean() < 0.05
        assert small.predict(X_TEST).shape == Y_TEST.shape


def test_a_comparison_counts_known_labels(distilled, forest, tmp_path):
    y = Y_TEST.astype(float)
    y[::3, 2] = np.nan
    report = compare(
        forest, {"net": distilled}, X_TEST, y, X_train=X, y_train=pd.DataFrame(Y, columns=NAMES), latency=False
    )
    row, known = report.table["net"], ~np.isnan(y)
    proba = distilled.predict_proba(X_TEST)
    each = [average_precision_score(y[rows, at], proba[rows, at]) for at, rows in enumerate(known.T)]
    assert row["average_precision"] == pytest.approx(np.mean(each))
    assert row["log_loss"] == pytest.approx(log_loss(y[known], proba[known]))
    assert row["accuracy"] == pytest.approx(((proba > 0.5) == y)[known].mean())
    assert row["retention"] == pytest.approx(report.table["teacher"]["log_loss"] / row["log_loss"])
    report.to_html(tmp_path / "report.html")
    frame = pd.DataFrame(y, columns=NAMES)[NAMES[::-1]]
    assert compare(forest, {"net": distilled}, X_TEST, frame, latency=False).table["net"]["log_loss"] == row["log_loss"]
    beside = compare(students={"net": distilled}, baseline=forest, X=X_TEST, y=y, latency=False)
    assert "the log-loss" in beside.verdict or "log-loss is" in beside.verdict
    with pytest.raises(ValueError, match="several labels: pass the predictions for one"):
        ReliabilityDisplay.from_estimator(distilled, X_TEST, Y_TEST)
    with pytest.raises(ValueError, match="several labels: pass the predictions for one"):
        FidelityDisplay.from_estimator(distilled, X_TEST)


@pytest.mark.parametrize("scoring", [None, "average_precision"])
def test_a_budget_is_kept(scoring):
    y = Y.astype(float)
    y[::5, 0] = np.nan
    students = {"linear": "linear", "net": small_mlp(max_epochs=3)}
    teacher = clone(TEACHERS["forest"]).fit(X_TEST, Y_TEST)
    result = distill_to_budget(
        teacher, X[:150], y[:150], max_bytes=5_000, students=students, scoring=scoring, random_state=0
    )
    assert result.met
    assert result.best_estimator_.predict(X_TEST).shape == Y_TEST.shape


def test_a_label_that_no_row_has_is_the_teachers():
    X, Y = make_multilabel_classification(200, 6, n_classes=3, random_state=0)
    forest = RandomForestClassifier(20, min_samples_leaf=5, random_state=0).fit(X, Y)
    known = Y.astype(float)
    known[:, 1] = np.nan
    model = DistilledClassifier(forest, student="linear", random_state=0).fit(X, known)
    assert model.alpha_ > 0
    assert np.corrcoef(model.predict_proba(X)[:, 1], forest.predict_proba(X)[1][:, 1])[0, 1] > 0.5


def test_a_boosted_label_that_never_changes():
    X, Y = make_multilabel_classification(120, 4, n_classes=2, random_state=0)
    Y[:, 1] = 1
    teacher = MultiOutputClassifier(HistGradientBoostingClassifier(max_iter=3)).fit(X, Y)
    student = DistilledClassifier(teacher, student="linear", alpha=1.0).fit(X, Y)
    assert student.predict_proba(X)[:, 1].min() > 0.9
