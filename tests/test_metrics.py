"""What a student keeps and what it costs: the functions, against scikit-learn's own figures and by hand."""

import math
import time

import numpy as np
import pandas as pd
import pytest
from helpers import small_mlp, small_tree
from numpy.testing import assert_allclose
from scipy.stats import entropy
from sklearn.exceptions import NotFittedError, UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    f1_score,
    get_scorer,
    log_loss,
    make_scorer,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PowerTransformer, StandardScaler

import skdistill
from skdistill import DistilledClassifier, LinearStudent
from skdistill.metrics import (
    Latency,
    WorstSlice,
    expected_calibration_error,
    fidelity_log_loss,
    fidelity_score,
    latency,
    n_parameters,
    program_bytes,
    retention_score,
    slice_agreement,
    worst_slice_agreement,
)


def proba(n_rows, n_classes, seed):
    return np.random.default_rng(seed).dirichlet(np.ones(n_classes), size=n_rows)


@pytest.fixture(params=[2, 26])
def answered(request):
    """Labels, the answers of a teacher and of a student, and weights, for few and for many classes."""
    n_classes = request.param
    rng = np.random.default_rng(1)
    y = np.concatenate([np.arange(n_classes), rng.integers(n_classes, size=400)])
    told = 0.8 * proba(len(y), n_classes, 2) + 0.2 * np.eye(n_classes)[y]
    return y, told, 0.6 * told + 0.4 * proba(len(y), n_classes, 3), rng.random(len(y)) + 0.1


# fidelity


def test_fidelity_is_the_accuracy_against_the_teachers_choices(answered):
    _, teacher, student, weight = answered
    named = teacher.argmax(axis=1), student.argmax(axis=1)
    assert 0 < fidelity_score(teacher, student) < 1
    assert_allclose(fidelity_score(teacher, student), accuracy_score(*named))
    expected = accuracy_score(*named, sample_weight=weight)
    assert_allclose(fidelity_score(teacher, student, sample_weight=weight), expected)


def test_fidelity_log_loss_is_the_divergence_and_of_a_sure_teacher_the_log_loss(answered):
    y, teacher, student, weight = answered
    each = entropy(teacher, student, axis=1)
    assert_allclose(fidelity_log_loss(teacher, student), each.mean())
    assert_allclose(fidelity_log_loss(teacher, student, sample_weight=weight), np.average(each, weights=weight))
    assert fidelity_log_loss(teacher, teacher) == 0
    sure = np.eye(teacher.shape[1])[y]
    assert_allclose(fidelity_log_loss(sure, student), log_loss(y, student))
    assert_allclose(fidelity_log_loss([[1.0, 0.0]], [[0.0, 1.0]]), log_loss([0], [[0.0, 1.0]], labels=[0, 1]))
    assert_allclose(fidelity_log_loss([[1.0, 0.0]], [[0.0, 1.0]], floor=0.01), -math.log(0.01))


@pytest.mark.parametrize("metric", [fidelity_score, fidelity_log_loss])
def test_answers_that_do_not_go_together_are_refused(metric):
    two, three = proba(4, 2, 0), proba(4, 3, 0)
    with pytest.raises(ValueError, match=r"student_proba returned probabilities of shape \(4, 3\); needed is \(4, 2\)"):
        metric(two, three)
    with pytest.raises(ValueError, match=r"shape \(3, 2\); needed is \(4, 2\)"):
        metric(two, two[:3])
    with pytest.raises(ValueError, match="do not sum to one"):
        metric(two, 2 * two)
    with pytest.raises(ValueError, match="no rows"):
        metric([], [])
    with pytest.raises(ValueError, match="sample_weight"):
        metric(two, two, sample_weight=[1.0])


def test_a_floor_has_to_be_a_probability():
    with pytest.raises(ValueError, match="floor must be"):
        fidelity_log_loss(proba(2, 2, 0), proba(2, 2, 1), floor=0)


# calibration


def test_calibration_error_is_that_of_its_definition(answered):
    y, teacher, _, weight = answered
    for weights in (np.ones(len(y)), weight):
        confidence, hit = teacher.max(axis=1), teacher.argmax(axis=1) == y
        expected = 0.0
        for low, high in zip(np.arange(10) / 10, np.arange(1, 11) / 10, strict=True):
            inside = (confidence > low) & (confidence <= high)
            if inside.any():
                share = weights[inside].sum() / weights.sum()
                gap = np.average(hit[inside], weights=weights[inside]) - np.average(
                    confidence[inside], weights=weights[inside]
                )
                expected += share * abs(gap)
        assert expected > 0.01
        assert_allclose(expected_calibration_error(y, teacher, n_bins=10, sample_weight=weights), expected)


def test_calibration_error_of_a_model_that_is_as_sure_as_it_is_right_is_nought():
    p = np.tile([0.75, 0.25], (400, 1))
    y = np.array(["no", "no", "no", "yes"] * 100)
    assert_allclose(expected_calibration_error(y, p), 0.0, atol=1e-12)
    # all sure, and all wrong
    assert expected_calibration_error(["yes", "yes"], [[1.0, 0.0]] * 2, classes=["no", "yes"]) == 1
    with pytest.raises(ValueError, match="say in classes="):
        expected_calibration_error(["yes", "yes"], [[1.0, 0.0]] * 2)
    with pytest.raises(ValueError, match="n_bins"):
        expected_calibration_error(y, p, n_bins=0)


# slices


def test_slices_are_categories_and_missing_cells_one_of_their_own():
    teacher = np.array([[0.9, 0.1]] * 5)
    student = np.array([[0.9, 0.1], [0.1, 0.9], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]])
    column = ["Oslo", "Oslo", "Lima", None, np.nan]
    expected = {"Oslo": (2, 0.5), None: (2, 0.0), "Lima": (1, 1.0)}
    series = pd.Series(column, dtype="category")
    for by in (np.array(column, dtype=object), pd.Series(column), series, pd.Series(column, dtype="string")):
        assert slice_agreement(teacher, student, by) == expected
    by_class = slice_agreement(teacher, student, np.array([0, 0, 1, 1, 1]))
    assert list(by_class) == [1, 0]
    assert sum(n for n, _ in by_class.values()) == 5
    total = sum(n * agreement for n, agreement in by_class.values())
    assert_allclose(total / 5, fidelity_score(teacher, student))
    with pytest.raises(ValueError, match=r"by has shape \(4,\)"):
        slice_agreement(teacher, student, column[:4])


def test_the_worst_slice_has_enough_rows():
    teacher = np.array([[0.9, 0.1]] * 5)
    student = np.array([[0.9, 0.1], [0.1, 0.9], [0.9, 0.1], [0.9, 0.1], [0.1, 0.9]])
    by = ["a", "a", "b", "b", "c"]
    assert worst_slice_agreement(teacher, student, by, min_rows=1) == WorstSlice("c", 1, 0.0)
    assert worst_slice_agreement(teacher, student, by, min_rows=2) == WorstSlice("a", 2, 0.5)
    with pytest.raises(ValueError, match="min_rows=30 rows; the largest of 3 has 2"):
        worst_slice_agreement(teacher, student, by)


# retention


@pytest.mark.parametrize("weighted", [False, True])
def test_retention_is_a_ratio_of_scikit_learns_figures(weighted, answered):
    y, teacher, student, weight = answered
    given = {"sample_weight": weight} if weighted else {}
    names = np.array([f"class {label:02d}" for label in range(teacher.shape[1])])
    kept = dict(teacher_answer=teacher, student_answer=student, **given)
    said = names[y], names[student.argmax(axis=1)], names[teacher.argmax(axis=1)]
    expected = accuracy_score(said[0], said[1], **given) / accuracy_score(said[0], said[2], **given)
    assert expected < 1
    assert_allclose(retention_score(names[y], **kept), expected)
    assert_allclose(retention_score(names[y], metric=accuracy_score, **kept), expected)
    macro = [f1_score(said[0], one, average="macro", **given) for one in said[1:]]
    assert_allclose(retention_score(names[y], metric="f1_macro", **kept), macro[0] / macro[1])
    losses = [log_loss(said[0], one, **given) for one in (student, teacher)]
    # of a loss the teacher's over the student's: below one is worse here as well
    assert_allclose(retention_score(names[y], metric="neg_log_loss", **kept), losses[1] / losses[0])
    assert losses[1] / losses[0] < 1
    areas = [
        roc_auc_score(y, one[:, 1], **given) if len(names) == 2 else roc_auc_score(y, one, multi_class="ovr", **given)
        for one in (student, teacher)
    ]
    metric = "roc_auc" if len(names) == 2 else "roc_auc_ovr"
    assert_allclose(retention_score(y, metric=metric, **kept), areas[0] / areas[1])


def test_retention_of_metrics_for_two_classes():
    y = np.random.default_rng(4).integers(2, size=300)
    teacher = 0.7 * proba(300, 2, 2) + 0.3 * np.eye(2)[y]
    student = 0.5 * teacher + 0.5 * proba(300, 2, 3)
    for metric, figure in (
        ("average_precision", lambda p: average_precision_score(y, p[:, 1])),
        ("f1", lambda p: f1_score(y, p.argmax(axis=1))),
        ("neg_brier_score", lambda p: 1 / brier_score_loss(y, p[:, 1])),
    ):
        assert_allclose(retention_score(y, teacher, student, metric=metric), figure(student) / figure(teacher))


def test_retention_where_the_rows_lack_a_class_and_columns_are_not_sorted():
    y = np.array(["b", "c", "b", "c"])
    teacher, student = proba(4, 3, 5), proba(4, 3, 6)
    order = ["c", "a", "b"]
    kept = retention_score(y, teacher, student, metric="neg_log_loss", classes=order)
    sorted_columns = [log_loss(y, one[:, [1, 2, 0]], labels=["a", "b", "c"]) for one in (teacher, student)]
    assert_allclose(kept, sorted_columns[0] / sorted_columns[1])
    named = [np.array(order)[one.argmax(axis=1)] for one in (teacher, student)]
    assert_allclose(
        retention_score(y, teacher, student, metric=make_scorer(f1_score, average="micro"), classes=order),
        f1_score(y, named[1], average="micro") / f1_score(y, named[0], average="micro"),
    )


def test_retention_of_regressors_and_of_labels():
    rng = np.random.default_rng(0)
    y = rng.normal(size=50)
    teacher, student = y + 0.1 * rng.normal(size=50), y + 0.3 * rng.normal(size=50)
    kept = retention_score(y, teacher, student, metric="r2", response_method="predict")
    assert_allclose(kept, r2_score(y, student) / r2_score(y, teacher))
    kept = retention_score(
        y, teacher, student, metric="neg_root_mean_squared_error", response_method="predict", sample_weight=y**2
    )
    weight = {"sample_weight": y**2}
    assert_allclose(kept, root_mean_squared_error(y, teacher, **weight) / root_mean_squared_error(y, student, **weight))
    assert retention_score(["a", "b"], ["a", "b"], ["a", "a"], response_method="predict") == 0.5


def test_retention_of_a_teacher_with_nothing_to_keep():
    right, wrong = [[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]
    with pytest.warns(UndefinedMetricWarning, match="teacher's score is 0"):
        assert math.isnan(retention_score([0, 1], wrong, right))
    y = np.array([1.0, 2.0, 4.0])
    both = {"metric": "neg_mean_squared_error", "response_method": "predict"}
    assert retention_score(y, y, y, **both) == 1
    assert retention_score(y, y, y + 1, **both) == 0
    assert retention_score(y, y + 1, y, **both) == math.inf


def test_retention_says_what_it_needs():
    y, p = [0, 1], [[0.9, 0.1], [0.2, 0.8]]
    with pytest.raises(ValueError, match=r"teacher_answer has shape \(2,\).*say response_method='predict'"):
        retention_score(y, [0, 1], [0, 1])
    with pytest.raises(ValueError, match="takes probabilities"):
        retention_score(y, [0, 1], [0, 1], metric="neg_log_loss", response_method="predict")
    with pytest.raises(ValueError, match=r"teacher_answer has shape \(2, 2\)"):
        retention_score(y, p, p, response_method="predict")
    with pytest.raises(ValueError, match=r"labels \[1\].*not among"):
        retention_score(y, p, p, classes=[0, 2])
    with pytest.raises(ValueError, match="not a valid scoring value"):
        retention_score(y, p, p, metric="nothing")
    with pytest.raises(ValueError, match="metric must be"):
        retention_score(y, p, p, metric=3)
    with pytest.raises(ValueError, match="response_method must be"):
        retention_score(y, p, p, response_method="logits")


def test_scorers_that_are_given_are_left_as_they_are():
    scorer = get_scorer("neg_log_loss")
    before = repr(scorer)
    retention_score([0, 1], proba(2, 3, 0), proba(2, 3, 1), metric=scorer, classes=[0, 1, 2])
    assert repr(scorer) == before


# cost


def test_sizes_are_those_of_the_program_whatever_holds_it(iris, iris_forest, tmp_path):
    model = DistilledClassifier(iris_forest, student="linear", alpha=1).fit(iris.X, iris.y)
    model.export(tmp_path / "student.skd")
    held = [model, model.student_, model.program_, skdistill.load(tmp_path / "student.skd")]
    # four columns, three classes
    assert [n_parameters(one) for one in held] == [15] * 4
    assert {program_bytes(one) for one in held} == {model.program_.nbytes}


@pytest.mark.parametrize("size", [n_parameters, program_bytes])
def test_a_size_is_refused_where_there_is_no_program(size, iris, iris_forest):
    adapted = DistilledClassifier(iris_forest, student=LogisticRegression(), alpha=1).fit(iris.X, iris.y)
    with pytest.raises(TypeError, match="has no Program"):
        size(adapted)
    with pytest.raises(TypeError, match="RandomForestClassifier has no Program"):
        size(iris_forest)
    with pytest.raises(TypeError, match="Pipeline has no Program"):
        size(make_pipeline(StandardScaler(), LinearStudent()).fit(iris.X, iris.y))
    encoded = LinearStudent(encoder=PowerTransformer()).fit(iris.X, iris.y)
    with pytest.raises(TypeError, match="PowerTransformer, is no part of its Program"):
        size(encoded)
    for unfitted in (LinearStudent(), DistilledClassifier(iris_forest)):
        with pytest.raises(NotFittedError):
            size(unfitted)


class Predict:
    """Takes rows and keeps them; the first call takes long, as where something is loaded."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.seen = []

    def __call__(self, rows):
        time.sleep(self.seconds + (0.2 if not self.seen else 0.0))
        self.seen.append(rows)


def one_row_calls(seen, n_rows):
    return [rows for rows in seen if len(rows) == 1 and len(rows) != n_rows]


def test_latency_times_single_rows_of_the_users_form_and_batches():
    frame = pd.DataFrame({"city": ["Oslo", "Lima", "Rome"], "age": [1.0, 2.0, 3.0]})
    forms = [frame, frame.to_numpy(), frame.to_dict("records")]
    for X in forms:
        predict = Predict(0.0005)
        measured = latency(predict, X, max_seconds=0.05)
        ones = one_row_calls(predict.seen, 3)
        assert {type(rows) for rows in ones} == {type(X)}
        as_text = {str(rows) for rows in ones}
        assert len(as_text) == 3
        assert len(ones) >= measured.n_calls == 180
        assert {len(rows) for rows in predict.seen} == {1, 3}
        assert isinstance(measured, Latency)
        assert measured.batch_rows == 3
        assert measured.n_threads == 1
        # a sleep never ends early, and the slow first call is not counted
        assert 500 <= measured.median_us <= measured.p99_us
        assert measured.rows_per_second <= 3 / 0.0005
        assert measured.machine["numpy"] == np.__version__
        assert "1 thread(s)" in str(measured)
        assert f"numpy {np.__version__}" in str(measured)


def test_latency_limits_what_it_says(iris):
    from threadpoolctl import threadpool_info

    seen = []

    def predict(rows):
        seen.append({pool["num_threads"] for pool in threadpool_info()})

    latency(predict, iris.X, max_seconds=0.01, batch_rows=50)
    assert all(one == {1} for one in seen)
    assert latency(len, iris.X, max_seconds=0.01, batch_rows=50, n_threads=None).batch_rows == 50
    for wrong in ({"max_seconds": 0}, {"batch_rows": -1}, {"n_threads": 0}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be positive"):
            latency(len, iris.X, **wrong)
    with pytest.raises(ValueError, match="no rows"):
        latency(len, iris.X[:0])
    with pytest.raises(TypeError, match="predict must be a callable"):
        latency(iris, iris.X)


def test_latency_of_real_students(iris):
    student = small_tree().fit(iris.X, iris.y)
    net = small_mlp(max_epochs=1).fit(iris.X, iris.y)
    for one in (student.program_, net.predict_proba):
        assert latency(one, iris.X, max_seconds=0.02).median_us > 0
