"""Metrics of answers, each compared with scikit-learn's where it has the same one."""

import numpy as np
import pytest
import sklearn
from helpers import Optional
from sklearn.calibration import calibration_curve
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, r2_score, roc_auc_score

from skdistill import LinearStudent, MLPStudent, metrics
from skdistill.metrics._cost import format_bytes
from skdistill.metrics._pareto import undominated

pd = Optional("pandas")

CLASSES = np.array(["ash", "birch", "cedar"])


@pytest.fixture(scope="module")
def answers():
    rng = np.random.default_rng(0)
    teacher, student = rng.dirichlet([1.0] * 3, size=(2, 500))
    labels = CLASSES[[rng.choice(3, p=row) for row in teacher]]
    return teacher, (teacher + student) / 2, labels, rng.integers(1, 4, size=500)


def test_fidelity_is_accuracy_and_log_loss_with_the_teachers_answers_for_labels(answers):
    teacher, student, _, weight = answers
    chosen = accuracy_score(teacher.argmax(1), student.argmax(1), sample_weight=weight)
    assert metrics.fidelity_score(teacher, student, sample_weight=weight) == pytest.approx(chosen)
    # each row once for each class, weighted by the teacher's share
    rows, classes = np.repeat(np.arange(500), 3), np.tile(np.arange(3), 500)
    cross = log_loss(classes, student[rows], sample_weight=(teacher * weight[:, None]).ravel())
    entropy = np.average(-(teacher * np.log(teacher)).sum(axis=1), weights=weight)
    assert metrics.fidelity_log_loss(teacher, student, sample_weight=weight) == pytest.approx(cross - entropy)


def test_the_columns_of_frames_are_matched_by_name(answers):
    teacher, student, labels, _ = answers
    frame, turned = pd.DataFrame(teacher, columns=CLASSES), pd.DataFrame(student, columns=CLASSES)[CLASSES[[2, 0, 1]]]
    by = labels == "ash"
    for metric in (metrics.fidelity_score, metrics.fidelity_log_loss, lambda *two: metrics.slice_agreement(*two, by)):
        assert metric(turned, frame) == metric(student, teacher)
    for scoring in ("accuracy", "neg_log_loss"):
        score = metrics.retention_score(labels, teacher, student, scoring=scoring)
        assert metrics.retention_score(labels, teacher, turned, scoring=scoring) == score
    error = metrics.expected_calibration_error
    assert error(labels, turned) == error(labels, student)
    # a class without rows is among the names
    assert error(labels[~by], turned[~by]) == error(labels[~by], student[~by], classes=CLASSES)
    written = pd.DataFrame(student, columns=["0", "1", "2"])[["2", "0", "1"]]
    assert error(CLASSES.searchsorted(labels), written) == error(labels, student)
    with pytest.raises(ValueError, match=r"student_proba has columns named \['ash', 'birch', 'fir'\]; expected"):
        metrics.fidelity_score(turned, frame.rename(columns={"cedar": "fir"}))


def test_the_outputs_of_frames_are_matched_by_name(answers):
    teacher, student, _, _ = answers
    frames = [pd.DataFrame(values, columns=list("abc")) for values in (teacher + student / 9, teacher, student)]
    expected = metrics.retention_score(*(frame.to_numpy() for frame in frames), scoring="r2", response_method="predict")
    for y in (frames[0], frames[0].to_numpy()):
        turned = metrics.retention_score(y, frames[1], frames[2][list("cab")], scoring="r2", response_method="predict")
        assert turned == expected


def test_a_teacher_that_is_sure_and_a_student_that_is_surely_wrong_have_a_finite_loss():
    loss = metrics.fidelity_log_loss([[1.0, 0.0]], [[0.0, 1.0]], floor=1e-4)
    assert loss == pytest.approx(-np.log(1e-4))


@pytest.mark.parametrize("metric", ["accuracy", "f1_macro", "roc_auc_ovr", "neg_log_loss"])
def test_retention_is_the_share_of_scikit_learns_score(answers, metric):
    teacher, student, labels, weight = answers
    scores = {
        "accuracy": lambda p: accuracy_score(labels, CLASSES[p.argmax(1)], sample_weight=weight),
        "f1_macro": lambda p: sklearn.metrics.f1_score(
            labels, CLASSES[p.argmax(1)], average="macro", sample_weight=weight
        ),
        "roc_auc_ovr": lambda p: roc_auc_score(labels, p, multi_class="ovr", sample_weight=weight),
        "neg_log_loss": lambda p: 1 / log_loss(labels, p, sample_weight=weight),
    }
    wanted = scores[metric](student) / scores[metric](teacher)
    found = metrics.retention_score(labels, teacher, student, scoring=metric, classes=CLASSES, sample_weight=weight)
    assert found == pytest.approx(wanted)


def test_retention_of_regressors_and_of_a_function(answers):
    y = np.arange(10.0)
    near, nearer = y + 1.0, y + 0.5
    given = {"response_method": "predict"}
    found = metrics.retention_score(y, near, nearer, scoring="r2", **given)
    assert found == pytest.approx(r2_score(y, nearer) / r2_score(y, near))
    assert metrics.retention_score(y, near, nearer, scoring="neg_mean_absolute_error", **given) == pytest.approx(2.0)
    teacher, student, labels, _ = answers
    by_function = metrics.retention_score(labels, teacher, student, scoring=accuracy_score, classes=CLASSES)
    assert by_function == metrics.retention_score(labels, teacher, student, classes=CLASSES)


def test_where_there_is_no_share_retention_says_so():
    y = np.arange(4.0)
    with pytest.warns(UndefinedMetricWarning, match="The teacher's score is -"):
        assert np.isnan(metrics.retention_score(y, -y, y, scoring="r2", response_method="predict"))
    wrong, right = np.array([[0.0, 1.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [1.0, 0.0]])
    with pytest.warns(UndefinedMetricWarning, match="The teacher's score is 0"):
        assert np.isnan(metrics.retention_score([0, 0], wrong, right, classes=[0, 1]))
    squares = {"scoring": "neg_mean_squared_error", "response_method": "predict"}
    assert metrics.retention_score(y, y, y, **squares) == 1.0
    assert metrics.retention_score(y, y, y + 1, **squares) == 0.0
    assert metrics.retention_score(y, y + 1, y, **squares) == np.inf
    with pytest.raises(ValueError, match="acuracy"):
        metrics.retention_score(y, y, y, scoring="acuracy")
    with pytest.raises(TypeError, match="scoring must be the name of a scorer"):
        metrics.retention_score(y, y, y, scoring=3)


def test_calibration_error_is_that_of_scikit_learns_curve(answers):
    teacher, _, labels, _ = answers
    confidence, right = teacher.max(1), CLASSES[teacher.argmax(1)] == labels
    accuracy, mean = calibration_curve(right, confidence, n_bins=10)
    n_rows = np.histogram(confidence, np.linspace(0, 1, 11))[0]
    wanted = (np.abs(accuracy - mean) * n_rows[n_rows > 0]).sum() / len(labels)
    found = metrics.expected_calibration_error(labels, teacher, classes=CLASSES, n_bins=10)
    assert found == pytest.approx(wanted)
    double = np.repeat(np.arange(500), 2)
    weighted = metrics.expected_calibration_error(labels, teacher, classes=CLASSES, sample_weight=np.full(500, 2))
    assert weighted == pytest.approx(
        metrics.expected_calibration_error(labels[double], teacher[double], classes=CLASSES)
    )


@pytest.mark.parametrize("missing", [None, np.nan, "NA"])
def test_slices_of_a_column_with_missing_cells(missing):
    missing = pd.NA if missing == "NA" else missing
    teacher = np.array([[0.9, 0.1]] * 4)
    student = np.array([[0.9, 0.1], [0.1, 0.9], [0.1, 0.9], [0.9, 0.1]])
    by = pd.Series(["a", missing, "a", missing], dtype=object)
    assert metrics.slice_agreement(teacher, student, by) == {"a": (2, 0.5), None: (2, 0.5)}
    assert metrics.worst_slice_agreement(teacher, student, [0, 1, 1, 0], min_rows=2) == (1, 2, 0.0)
    with pytest.raises(ValueError, match="No slice has min_rows=30"):
        metrics.worst_slice_agreement(teacher, student, by)


@pytest.mark.parametrize(
    ("teacher", "student", "message"),
    [
        ([[0.5, 0.5]], [[0.5, 0.5], [0.5, 0.5]], r"student_proba returned probabilities of shape \(2, 2\)"),
        ([[0.5, 0.6]], [[0.5, 0.5]], "teacher_proba returned probabilities that do not sum to one"),
        ([0.5, 0.5], [0.5, 0.5], r"shape \(2,\)"),
    ],
)
def test_answers_that_do_not_fit(teacher, student, message):
    with pytest.raises(ValueError, match=message):
        metrics.fidelity_score(teacher, student)


def test_the_pareto_front_is_what_no_point_beats():
    costs, scores = np.random.default_rng(0).integers(0, 9, size=(2, 60)).astype(float)
    costs[5], scores[6] = np.nan, np.nan
    front = undominated(costs, scores)
    assert (np.diff(scores[front]) > 0).all()
    assert (np.diff(costs[front]) > 0).all()
    for cost, score in zip(costs, scores, strict=True):
        if np.isfinite(cost + score):
            assert any(costs[at] <= cost and scores[at] >= score for at in front)


@pytest.mark.parametrize(
    ("n_bytes", "text"), [(0, "0 B"), (999, "999 B"), (107_380, "107 kB"), (999_600, "1,000 kB"), (2.5e9, "2.5 GB")]
)
def test_bytes_as_text(n_bytes, text):
    assert format_bytes(n_bytes) == text


def test_size_is_that_of_the_program():
    X = np.random.default_rng(0).normal(size=(50, 2))
    student = LinearStudent().fit(X, X[:, 0] > 0)
    assert metrics.program_bytes(student) == metrics.program_bytes(student.program_) == student.program_.nbytes
    assert metrics.n_parameters(student) == student.program_.n_parameters
    with pytest.raises(TypeError, match="LogisticRegression"):
        metrics.program_bytes(LogisticRegression().fit(X, X[:, 0] > 0))


def test_latency_asks_one_row_at_a_time_in_the_form_of_the_table():
    X = pd.DataFrame({"size": range(40), "place": ["north", "south"] * 20})
    shapes = set()

    def predict(rows):
        assert list(rows.columns) == ["size", "place"]
        shapes.add(rows.shape)

    found = metrics.latency(predict, X, max_seconds=0.1)
    assert shapes == {(1, 2), (40, 2)}
    assert found.batch_rows == 40
    assert found.n_threads == 1
    assert found.n_calls >= 180
    assert 0 < found.median_us <= found.p99_us
    assert found.machine["numpy"] == np.__version__


def test_latency_tells_a_forest_from_its_student():
    X = np.random.default_rng(0).normal(size=(300, 4))
    y = X[:, 0] > 0
    # scikit-learn's threads change the filters of warnings under each other's feet, which are errors here: one fits
    forest = RandomForestClassifier(50, random_state=0).fit(X, y).set_params(n_jobs=-1)
    student = MLPStudent((8,), max_epochs=3, random_state=0).fit(X, y)
    slow, fast = (metrics.latency(one, X, max_seconds=0.2) for one in (forest.predict_proba, student.program_))
    assert slow.median_us > fast.median_us
    assert f"one row {fast.median_us:.4g}" in str(fast)
    with pytest.raises(ValueError, match="no rows"):
        metrics.latency(student.program_, X[:0])
