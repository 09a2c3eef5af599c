"""The displays: what they hold, that they draw it, and what they refuse."""

import subprocess
import sys

import numpy as np
import pytest
from export_helpers import fitted, mixed_table
from helpers import Optional, small_mlp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.calibration import calibration_curve
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score

from skdistill import (
    DistilledClassifier,
    DistilledRegressor,
    FidelityDisplay,
    FrontierDisplay,
    LinearStudent,
    LinearStudentRegressor,
    ReliabilityDisplay,
    ShapeDisplay,
    TrainingDisplay,
    TreeDisplay,
    TreeStudent,
    TreeStudentRegressor,
    as_student,
    compare,
)

pytestmark = pytest.mark.usefixtures("brief")

pd = Optional("pandas")


@pytest.fixture(autouse=True)
def plt():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


@pytest.fixture(scope="module", params=[2, 26])
def pair(request):
    """A student, its teacher, and rows of mixed columns."""
    X, y = mixed_table(400, request.param, seed=2)
    return fitted("tree", "standard", request.param), fitted("mlp", "piecewise", request.param), X, y


def test_fidelity(pair, plt):
    student, teacher, X, _ = pair
    teacher_proba, student_proba = teacher.predict_proba(X), student.predict_proba(X)
    _, ax = plt.subplots()
    display = FidelityDisplay.from_estimator(student, X, teacher=teacher, ax=ax, gridsize=20)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert_allclose(display.fidelity, np.mean(teacher_proba.argmax(axis=1) == student_proba.argmax(axis=1)))
    column = 1 if teacher_proba.shape[1] == 2 else teacher_proba.argmax(axis=1)
    assert_allclose(display.teacher_pred, teacher_proba[np.arange(len(X)), column])
    assert_allclose(display.student_pred, student_proba[np.arange(len(X)), column])
    assert display.hexbin_.get_array().sum() == len(X)
    same = FidelityDisplay.from_predictions(
        teacher_proba, student_proba, classes=teacher.classes_, student_name="TreeStudent"
    )
    assert_allclose(same.student_pred, display.student_pred)
    assert same.ax_.get_ylabel() == display.ax_.get_ylabel() == "TreeStudent's probability"


def test_a_threshold_is_left_out_with_a_warning(iris, iris_forest):
    X, y = iris.X[:100], iris.y[:100]
    student = as_student(LinearStudent().fit(X, y), threshold=0.2)
    with pytest.warns(UserWarning, match="has a decision threshold; displays take the most probable class"):
        FidelityDisplay.from_estimator(student, X, teacher_proba=student.predict_proba(X))


def test_the_teachers_of_a_model_are_asked_with_their_weights(iris, iris_forest):
    other = LogisticRegression(max_iter=1000).fit(iris.X, iris.y)
    teachers = [iris_forest, other]
    model = DistilledClassifier(teachers, teacher_weights=[1, 3], student="linear", alpha=1.0).fit(iris.X)
    display = FidelityDisplay.from_estimator(model, iris.X)
    teacher_proba = np.average([one.predict_proba(iris.X) for one in teachers], axis=0, weights=[1, 3])
    assert_allclose(display.teacher_pred, teacher_proba[np.arange(len(teacher_proba)), teacher_proba.argmax(axis=1)])


def test_reliability(pair):
    student, teacher, X, y = pair
    display = ReliabilityDisplay.from_estimator(student, X, y, teacher=teacher, student_name="tree")
    assert list(display.curves) == ["teacher", "tree"]
    for model, curve in zip((teacher, student), display.curves.values(), strict=True):
        accuracy, confidence = calibration_curve(model.predict(X) == y, model.predict_proba(X).max(axis=1), n_bins=10)
        assert_array_equal(curve["accuracy"], accuracy)
        assert_allclose(curve["confidence"], confidence, rtol=1e-12)
    drawn = display.ax_.lines[1]
    assert_array_equal(drawn.get_ydata(), display.curves["tree"]["accuracy"])
    given = (y, teacher.predict_proba(X), student.predict_proba(X))
    same = ReliabilityDisplay.from_predictions(*given, classes=teacher.classes_)
    assert_array_equal(same.curves["student"]["n_rows"], display.curves["tree"]["n_rows"])
    with pytest.raises(ValueError, match=r"classes has shape \(1,\); expected a label for each"):
        ReliabilityDisplay.from_predictions(*given, classes=teacher.classes_[:1])


def test_how_often_a_class_comes_by_its_probability(pair):
    student, teacher, X, y = pair
    label = teacher.classes_[-1]
    display = ReliabilityDisplay.from_estimator(student, X, y, teacher=teacher, pos_label=label, n_bins=5)
    for model, curve in zip((teacher, student), display.curves.values(), strict=True):
        proba = model.predict_proba(X)[:, -1]
        assert curve["n_rows"].sum() == len(X)
        assert_allclose(curve["n_rows"] @ curve["rate"], (y == label).sum())
        assert_allclose(curve["n_rows"] @ curve["probability"], proba.sum())
        assert (np.diff(curve["probability"]) > 0).all()
        # rows with one probability are not split: no group has more than its share but for one of these
        expected, largest = curve["n_rows"] * curve["probability"], np.unique(proba, return_counts=True)
        assert expected.max() <= proba.sum() / 5 + (largest[0] * largest[1]).max() + 1
    assert display.ax_.get_yscale() == "log"
    with pytest.raises(ValueError, match="pos_label='nobody' is none of the classes"):
        ReliabilityDisplay.from_estimator(student, X, y, teacher=teacher, pos_label="nobody")


def test_a_distilled_classifier_knows_its_teacher(iris, iris_forest):
    model = DistilledClassifier(iris_forest, student="linear").fit(iris.X, iris.y)
    teacher_proba, student_proba = iris_forest.predict_proba(iris.X), model.predict_proba(iris.X)
    display = FidelityDisplay.from_estimator(model, iris.X)
    assert_allclose(display.fidelity, np.mean(teacher_proba.argmax(axis=1) == student_proba.argmax(axis=1)))
    answers = DistilledClassifier(student="linear").fit(iris.X, iris.y, teacher_proba=teacher_proba)
    again = FidelityDisplay.from_estimator(answers, iris.X, teacher_proba=teacher_proba)
    assert_array_equal(again.teacher_pred, display.teacher_pred)
    with pytest.raises(ValueError, match="There is no fitted teacher"):
        FidelityDisplay.from_estimator(answers, iris.X)
    with pytest.raises(NotFittedError):
        FidelityDisplay.from_estimator(DistilledClassifier(iris_forest), iris.X)


def test_fidelity_of_a_regressor(iris):
    Y = np.column_stack([iris.X[:, 2] * 10, iris.X[:, 3]])
    teacher = Ridge().fit(iris.X, Y)
    model = DistilledRegressor(teacher, student="tree", alpha=1.0, random_state=0).fit(iris.X, Y)
    teacher_pred, student_pred = teacher.predict(iris.X), model.predict(iris.X)
    for output in (0, 1):
        display = FidelityDisplay.from_estimator(model, iris.X, output=output)
        assert_allclose(display.teacher_pred, teacher_pred[:, output])
        assert_allclose(display.student_pred, student_pred[:, output])
        assert_allclose(display.fidelity, r2_score(teacher_pred[:, output], student_pred[:, output]))
        assert display.hexbin_.get_array().sum() == len(Y)
        assert display.ax_.get_ylabel() == f"TreeStudentRegressor's output {output}"
    for given in ({"teacher": teacher}, {"teacher_pred": teacher_pred}):
        again = FidelityDisplay.from_estimator(model.student_, iris.X, output=1, **given)
        assert_allclose(again.teacher_pred, display.teacher_pred)
    same = FidelityDisplay.from_predictions(teacher_pred, student_pred, response_method="predict", output=1)
    assert_allclose(same.student_pred, display.student_pred)
    column = FidelityDisplay.from_predictions(teacher_pred[:, 0], student_pred[:, 0], response_method="predict")
    assert column.ax_.get_xlabel() == "teacher's prediction"
    for wrong, message in (
        ({"student_pred": student_pred, "output": 2}, "output=2 of a teacher with 2 outputs"),
        ({"student_pred": student_pred[:, 0]}, "student_pred has 1 output, and the teacher returned 2"),
        ({"student_pred": student_pred, "response_method": "transform"}, "response_method must be"),
        ({"student_pred": student_pred[1:]}, "student_pred has shape"),
    ):
        with pytest.raises(ValueError, match=message):
            FidelityDisplay.from_predictions(teacher_pred, **{"response_method": "predict", **wrong})


def test_a_regressor_has_no_reliability(iris):
    student = LinearStudentRegressor().fit(iris.X, iris.y)
    with pytest.raises(ValueError, match="expected a fitted classifier with predict_proba"):
        ReliabilityDisplay.from_estimator(student, iris.X, iris.y, teacher=lambda X: X)


def test_frontier(pair):
    student, teacher, X, y = pair
    linear = fitted("linear", "quantile", len(teacher.classes_))
    students = {"tree": student, "linear": linear}
    report = compare(teacher, students, X, y, labels_only="linear")
    for cost in ("program_bytes", "pickle_bytes", "median_us"):
        display = FrontierDisplay.from_report(report, cost=cost)
        shown = {text.get_text() for text in display.ax_.texts}
        assert shown == {"tree", "linear"} | ({"teacher"} if cost != "program_bytes" else set())
        display.figure_.draw_without_rendering()
        boxes = [text.get_window_extent() for text in display.ax_.texts]
        assert not any(one.overlaps(other) for at, one in enumerate(boxes) for other in boxes[at + 1 :])
        kinds = {collection.get_label(): collection for collection in display.ax_.collections}
        assert_allclose(
            kinds["student"].get_offsets(), [[report.table["tree"][cost], report.table["tree"]["retention"]]]
        )
        assert "labels only" in kinds
    from_rows = FrontierDisplay.from_estimator(teacher, students, X, y)
    from_answers = FrontierDisplay.from_predictions(
        y,
        teacher.predict_proba(X),
        {name: one.predict_proba(X) for name, one in students.items()},
        {name: one.program_.nbytes for name, one in students.items()},
        classes=teacher.classes_,
    )
    for name in students:
        assert_allclose(from_answers.retentions[name], from_rows.retentions[name])
        assert from_answers.costs[name] == from_rows.costs[name]


def test_the_line_of_the_frontier_is_the_pareto_front():
    display = FrontierDisplay(
        costs={"a": 100, "beaten": 300, "b": 200, "dear": 900, "no size": None},
        retentions={"a": 0.9, "beaten": 0.85, "b": 0.95, "dear": 0.95, "no size": 1.0},
        kinds=dict.fromkeys(["a", "beaten", "b", "dear", "no size"], "student"),
    ).plot()
    (line,) = [line for line in display.ax_.lines if line.get_drawstyle() == "steps-post"]
    assert_array_equal(line.get_xdata(), [100, 200])
    assert_array_equal(line.get_ydata(), [0.9, 0.95])


def test_frontiers_that_cannot_be_drawn():
    proba = [[0.9, 0.1], [0.2, 0.8]]
    with pytest.raises(ValueError, match="cost must be"):
        FrontierDisplay.from_predictions([0, 1], proba, {"a": proba}, {"a": 1}, cost="weight")
    with pytest.raises(ValueError, match=r"none for the students \['a'\]"):
        FrontierDisplay.from_predictions([0, 1], proba, {"a": proba}, {})
    with pytest.raises(ValueError, match="No model has a program_bytes"):
        FrontierDisplay(costs={"a": None}, retentions={"a": 1.0}, kinds={"a": "student"}).plot()


@pytest.mark.parametrize("wrong", [[[0.5, 0.5]], [[0.9, 0.9], [0.1, 0.9]]])
def test_probabilities_that_do_not_match(wrong):
    with pytest.raises(ValueError, match="student_pred returned"):
        FidelityDisplay.from_predictions([[0.9, 0.1], [0.2, 0.8]], wrong)


def test_training(iris, iris_forest):
    model = DistilledClassifier(iris_forest, student=small_mlp(early_stopping=False), alpha=0.5).fit(iris.X, iris.y)
    display = TrainingDisplay.from_estimator(model)
    assert display.fidelity_ax_ is None
    assert_array_equal(display.ax_.lines[0].get_ydata(), [epoch["train_loss"] for epoch in model.student_.history_])
    stopping = small_mlp(early_stopping=True).fit(iris.X, iris.y)
    display = TrainingDisplay.from_estimator(stopping)
    for line, key in ((display.ax_.lines[1], "valid_loss"), (display.fidelity_ax_.lines[0], "valid_fidelity")):
        assert_array_equal(line.get_ydata(), [epoch[key] for epoch in stopping.history_])
    linear = LinearStudent().fit(iris.X, iris.y)
    with pytest.raises(TypeError, match="LinearStudent has no history_"):
        TrainingDisplay.from_estimator(linear)
    with pytest.raises(NotFittedError):
        TrainingDisplay.from_estimator(small_mlp())


@pytest.mark.parametrize("n_classes", [2, 3])
def test_shapes(n_classes):
    X, y = mixed_table(400, n_classes, seed=2)
    student = LinearStudent(numeric="piecewise").fit(X, y)
    display = ShapeDisplay.from_estimator(student, X, output=n_classes - 2, max_columns=4)
    explanation = student.explain(X, X)
    added = dict(zip(X, explanation.values.reshape(*X.shape, -1)[:, :, n_classes - 2].T, strict=True))
    importance = {name: np.abs(values).mean() for name, values in added.items()}
    assert list(display.shapes) == sorted(importance, key=importance.get, reverse=True)[:4]
    assert [panel.get_title(loc="left") for panel in display.axes_] == list(display.shapes)
    for panel, (name, curve) in zip(display.axes_, display.shapes.items(), strict=True):
        assert display.importances[name] == pytest.approx(importance[name])
        first = X[name].iloc[[0]]
        shown = student.shape_function(name, curve["values"]).contributions[:, n_classes - 2] - curve["contributions"]
        alone = student.shape_function(name, first).contributions[0, n_classes - 2] - added[name][0]
        assert_allclose(shown, alone, atol=1e-8)
        if "rows" in curve:
            assert np.isin(curve["contributions"], panel.lines[1].get_ydata()).sum() >= len(curve["values"]) - 1
            assert bool(panel.texts) == X[name].isna().any()
        else:
            assert len(panel.patches) == min(len(curve["values"]), 8)


def test_shapes_of_flags_and_of_a_regressor(iris, plt):
    words = np.random.default_rng(0).choice(["good", "bad", "film", "plot", "slow"], (len(iris.X), 4))
    texts = [" ".join(each) for each in words]
    frame = pd.DataFrame({"long": iris.X[:, 2] > 2, "width": iris.X[:, 3], "text": texts})
    model = DistilledRegressor(lambda X: iris.X[:, 2], student="additive", alpha=1.0).fit(frame)
    _, (left, _) = plt.subplots(ncols=2)
    display = ShapeDisplay.from_estimator(model, frame, ax=left)
    assert display.figure_ is left.figure
    assert display.output_name == "the prediction"
    flags = display.axes_[list(display.shapes).index("long")]
    assert [label.get_text() for label in flags.get_xticklabels()] == ["0", "1"]
    assert display.shapes["text"]["values"][-1] is None
    assert display.shapes["text"]["contributions"][-1] == 0
    with pytest.raises(ValueError, match="output=1 of a student with 1"):
        ShapeDisplay.from_estimator(model, frame, output=1)
    with pytest.raises(TypeError, match="TreeStudent has no shape_functions_"):
        ShapeDisplay.from_estimator(TreeStudent(), frame)
    with pytest.raises(NotFittedError):
        ShapeDisplay.from_estimator(LinearStudent(), frame)


def test_tree(iris, iris_forest):
    model = DistilledClassifier(iris_forest, student=TreeStudent(5), alpha=0.5).fit(iris.X, iris.y)
    display = TreeDisplay.from_estimator(model)
    texts = [text.get_text().replace("\n", " ") for text in display.ax_.texts]
    assert texts == [line.partition("|--- ")[2] for line in model.student_.export_text().splitlines()]
    ends = [text for text in display.ax_.texts if text.get_bbox_patch().get_alpha()]
    assert len({text.get_position()[1] for text in ends}) == len(ends) == model.student_.n_leaves_
    assert len(TreeDisplay.from_estimator(model, max_depth=1).lines) == 4
    # a single leaf
    assert TreeDisplay.from_estimator(TreeStudentRegressor().fit(iris.X * 0, iris.y)).lines == [(0, "1")]
    with pytest.raises(TypeError, match="LinearStudent has no export_text"):
        TreeDisplay.from_estimator(LinearStudent().fit(iris.X, iris.y))


NO_MATPLOTLIB = """
import sys
sys.modules["matplotlib"] = None
from skdistill import FidelityDisplay
try:
    FidelityDisplay.from_predictions([[0.9, 0.1]], [[0.8, 0.2]])
except ImportError as error:
    print(error)
"""


def test_without_matplotlib_the_extra_is_named():
    done = subprocess.run([sys.executable, "-c", NO_MATPLOTLIB], capture_output=True, text=True, check=True)
    assert "FidelityDisplay needs the package matplotlib" in done.stdout
    assert "skdistill[plot]" in done.stdout


def test_the_columns_of_drawn_frames_are_matched_by_name():
    rng = np.random.default_rng(0)
    proba, y = rng.dirichlet(np.ones(3), size=50), rng.choice(list("abc"), 50)
    frame = pd.DataFrame(proba, columns=list("abc"))
    assert FidelityDisplay.from_predictions(frame, frame[list("cab")]).fidelity == 1
    display = ReliabilityDisplay.from_predictions(y, frame[list("cab")], frame)
    expected = ReliabilityDisplay.from_predictions(y, proba, proba)
    for name, curve in expected.curves.items():
        assert_array_equal(display.curves[name]["accuracy"], curve["accuracy"])


def test_a_teachers_outputs_are_matched_by_name_with_those_of_a_distilled_model():
    def teacher(X):
        return pd.DataFrame(X * [100, 1, 10], columns=["depth", "width", "height"])

    X = np.random.default_rng(0).normal(size=(60, 3))
    model = DistilledRegressor(teacher, student="linear", alpha=0.5).fit(X, teacher(X)[["width", "height", "depth"]])
    own, given = (FidelityDisplay.from_estimator(model, X, teacher=one) for one in (None, teacher))
    assert_allclose(given.teacher_pred, own.teacher_pred)
    assert_allclose(given.student_pred, own.student_pred)
