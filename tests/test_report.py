"""compare() and its report: every figure, every kind of teacher and student, and the page in a headless Chromium."""

import functools
import importlib.util
import pickle
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
import sklearn
from browser_helpers import needs_chromium
from export_helpers import fitted, mixed_table
from helpers import Optional
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.calibration import calibration_curve
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, average_precision_score, confusion_matrix, log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import skdistill
from skdistill import DistilledClassifier, LinearStudent, LinearStudentRegressor, compare, load, metrics
from skdistill.report._asking import ask_both

pytestmark = pytest.mark.usefixtures("brief")

pd = Optional("pandas")


@functools.cache
def mixed_report(n_classes):
    """A teacher, a student and a baseline on rows of mixed columns, and what compare() makes of them."""
    X, y = mixed_table(800, n_classes, seed=1)
    teacher = fitted("mlp", "piecewise", n_classes)
    X_fit, y_fit = mixed_table(n_classes=n_classes)
    model = DistilledClassifier(teacher, student="linear", alpha=0.5).fit(X_fit, y_fit)
    tree = fitted("tree", "standard", n_classes)
    report = compare(teacher, {"linear": model, "tree": tree}, X, y, labels_only="tree", slice_by=["word", "age"])
    return report, {"teacher": teacher, "linear": model, "tree": tree}, X, y


def calibration_error_of(happened, proba):
    """Return the calibration error of a class's probabilities, by scikit-learn's curve."""
    rate, mean = calibration_curve(happened, proba, n_bins=15)
    n_rows = np.histogram(proba, np.linspace(0.0, 1.0, 16))[0]
    return n_rows[n_rows > 0] @ np.abs(rate - mean) / len(proba)


@pytest.mark.parametrize("n_classes", [2, 26])
def test_every_figure_is_that_of_its_metric_and_of_scikit_learn(n_classes):
    report, models, X, y = mixed_report(n_classes)
    teacher_proba = models["teacher"].predict_proba(X)
    classes = models["teacher"].classes_
    assert_array_equal(report.classes, classes)
    assert [row["kind"] for row in report.table.values()] == ["teacher", "student", "labels only"]
    for name, model in models.items():
        student_proba, row, details = model.predict_proba(X), report.table[name], report.details[name]
        assert row["accuracy"] == accuracy_score(y, model.predict(X))
        assert_allclose(row["log_loss"], log_loss(y, student_proba, labels=classes), rtol=1e-12)
        assert_allclose(row["retention"], report.table["teacher"]["log_loss"] / row["log_loss"], rtol=1e-12)
        retention = metrics.retention_score(y, teacher_proba, student_proba, classes=classes, scoring=report.scoring)
        assert_allclose(row["retention"], retention)
        of_classes = [
            calibration_error_of(y == label, own) for label, own in zip(classes, student_proba.T, strict=True)
        ]
        assert_allclose(row["classwise_calibration_error"], np.mean(of_classes), atol=1e-12)
        assert_allclose(row["fidelity"], metrics.fidelity_score(teacher_proba, student_proba), rtol=1e-12)
        assert_allclose(row["fidelity"], accuracy_score(models["teacher"].predict(X), model.predict(X)))
        assert_allclose(row["fidelity_log_loss"], metrics.fidelity_log_loss(teacher_proba, student_proba), rtol=1e-12)
        error = metrics.expected_calibration_error(y, student_proba, classes=classes)
        assert_allclose(row["calibration_error"], error, rtol=1e-9)
        expected = confusion_matrix(models["teacher"].predict(X), model.predict(X), labels=classes)
        assert_array_equal(details.confusion, expected)
        right = (model.predict(X) == y).astype(int)
        accuracy, confidence = calibration_curve(right, student_proba.max(axis=1), n_bins=15, pos_label=1)
        assert_array_equal(details.reliability["accuracy"], accuracy)
        assert_allclose(details.reliability["confidence"], confidence, rtol=1e-12)
        assert details.reliability["n_rows"].sum() == len(y)
        weights = details.reliability["n_rows"] / len(y)
        assert_allclose(weights @ np.abs(accuracy - confidence), row["calibration_error"], atol=1e-12)
        assert 0 < row["median_us"] <= row["p99_us"]
        assert row["rows_per_second"] > 0
    for name, student in {"linear": models["linear"].student_, "tree": models["tree"]}.items():
        assert report.table[name]["program_bytes"] == student.program_.nbytes == metrics.program_bytes(student)
        assert report.table[name]["n_parameters"] == student.program_.n_parameters
        assert report.table[name]["pickle_bytes"] == len(pickle.dumps(student, protocol=5))
    assert report.environment["n_threads"] == 1
    assert report.environment["machine"]["scikit-learn"] == sklearn.__version__
    assert f"numpy {np.__version__}" in report.foot()


def test_a_page_lists_only_slices_that_are_worse_than_all_rows():
    _, models, X, y = mixed_report(2)
    teacher = models["teacher"]
    page = compare(teacher, {"same": teacher, "linear": models["linear"]}, X, y)._repr_html_()
    parts = page.split("</summary>")[1:]
    same, linear = (next(one for one in parts if f"teacher and {name}" in one) for name in ("same", "linear"))
    assert "On no slice of 30 rows or more do they differ more than on all rows" in same
    assert "Slices on which they differ most" in linear
    assert "100.0%" not in linear.split("Slices on which they differ most")[1].split("<h3>")[0]


def test_slices_are_categories_missing_cells_and_quartiles():
    report, models, X, y = mixed_report(2)
    agree = models["teacher"].predict(X) == models["linear"].predict(X)
    found = {(one["column"], one["slice"]): one for one in report.details["linear"].slices}
    missing = X["word"].isna().to_numpy()
    assert found["word", "missing"]["n_rows"] == missing.sum()
    assert_allclose(found["word", "missing"]["agreement"], agree[missing].mean())
    for label in "AB":
        assert_allclose(found["class", label]["agreement"], agree[y == label].mean())
    lowest = X["age"] <= X["age"].quantile(0.25)
    (low,) = [one for (column, text), one in found.items() if column == "age" and text.startswith("≤")]
    assert low["n_rows"] == lowest.sum()
    assert {column for column, _ in found} == {"class", "word", "age"}
    assert all(one["n_rows"] >= 30 for one in found.values())
    assert report.table["linear"]["worst_slice_agreement"] == min(one["agreement"] for one in found.values())


def test_the_rows_that_differ_most_are_named():
    report, models, X, _ = mixed_report(2)
    teacher_proba, student_proba = models["teacher"].predict_proba(X), models["linear"].predict_proba(X)
    difference = np.abs(teacher_proba - student_proba)[:, 1]
    first, *_, last = report.details["linear"].disagreements
    assert first["row"] == difference.argmax()
    assert_allclose([first["difference"], last["difference"]], np.sort(difference)[[-1, -10]])
    assert first["cells"]["size"] == X["size"].iloc[first["row"]]


def test_the_table_as_text_and_as_a_frame():
    report, *_ = mixed_report(2)
    frame = report.to_pandas()
    assert isinstance(frame, pd.DataFrame)
    assert frame.loc["linear", "accuracy"] == report.table["linear"]["accuracy"]
    text = str(report)
    assert text == repr(report)
    assert "linear *" in text
    assert "tree (labels only)" in text
    assert f"{report.table['linear']['accuracy']:.4f}" in text
    assert "1 thread" in text


def test_a_metric_of_scikit_learn():
    _, models, X, y = mixed_report(2)
    report = compare(models["teacher"], models["linear"], X, y, scoring="roc_auc", latency=False)
    areas = {"teacher": roc_auc_score(y, models["teacher"].predict_proba(X)[:, 1])}
    areas["LinearStudent"] = roc_auc_score(y, models["linear"].predict_proba(X)[:, 1])
    for name, area in areas.items():
        assert_allclose(report.table[name]["roc_auc"], area)
        assert_allclose(report.table[name]["retention"], area / areas["teacher"])
    assert report.table["teacher"]["median_us"] is None
    assert "Times were not measured" in str(report)


def test_teachers_of_every_kind(iris, iris_forest, named_forest):
    student = LinearStudent().fit(iris.X, iris.y)
    wanted = compare(iris_forest, student, iris.X, iris.y, latency=False).table["LinearStudent"]["fidelity"]
    proba = iris_forest.predict_proba(iris.X)
    for teacher in (lambda X: iris_forest.predict_proba(X), [iris_forest, iris_forest]):
        report = compare(teacher, student, iris.X, iris.y, latency=False)
        assert report.table["LinearStudent"]["fidelity"] == wanted
    report = compare(None, [student, student], iris.X, iris.y, teacher_proba=proba)
    assert list(report.table) == ["teacher", "LinearStudent 1", "LinearStudent 2"]
    assert report.table["LinearStudent 2"]["fidelity"] == wanted
    assert report.table["teacher"]["model"] == "answers alone"
    assert report.table["teacher"]["median_us"] is None
    # the columns of the answers by another name, and rows of a class that no row has
    names = named_forest.classes_
    one = np.flatnonzero(iris.y < 2)
    named = LinearStudent().fit(iris.X[one], names[iris.y[one]])
    report = compare(lambda X: proba[one], named, iris.X[one], names[iris.y[one]], classes=names, latency=False)
    assert report.classes.tolist() == names.tolist()
    assert report.details["LinearStudent"].confusion[:, 2].sum() == 0


def test_students_of_every_kind_some_without_a_program(iris, iris_forest, tmp_path):
    tree = DistilledClassifier(iris_forest, student=DecisionTreeClassifier(random_state=0), alpha=0.5)
    search = GridSearchCV(DistilledClassifier(iris_forest, student="linear"), {"alpha": [0.5, 1.0]}, cv=2)
    linear = search.fit(iris.X, iris.y)
    linear.best_estimator_.export(tmp_path / "student.skd")
    students = {
        "tree": tree.fit(iris.X, iris.y),
        "search": linear,
        "loaded": skdistill.load(tmp_path / "student.skd"),
        "plain": LogisticRegression(max_iter=1000).fit(iris.X, iris.y),
    }
    report = compare(iris_forest, students, iris.X, iris.y, scoring="accuracy", tolerance=1.0, latency=False)
    assert report.table["tree"]["model"] == "DecisionTreeClassifier"
    assert report.table["search"]["model"] == "LinearStudent"
    nbytes = linear.best_estimator_.program_.nbytes
    sizes = {name: row["program_bytes"] for name, row in report.table.items()}
    assert sizes == {"teacher": None, "tree": None, "search": nbytes, "loaded": nbytes, "plain": None}
    for line in str(report).splitlines()[2:7]:
        assert ("no Program" in line) == line.startswith(("tree", "plain"))
    assert report.chosen in ("search", "loaded")
    assert "student.onnx" in report._repr_html_()
    alone = compare(iris_forest, students["plain"], iris.X, iris.y, latency=False)
    assert "no Program" in alone._repr_html_()
    assert "student.onnx" not in alone._repr_html_()


def test_rows_without_names_and_sparse_rows(iris, iris_forest):
    student = LinearStudent().fit(sparse.csr_matrix(iris.X), iris.y)
    proba = iris_forest.predict_proba(iris.X)
    report = compare(None, student, sparse.csr_matrix(iris.X), iris.y, teacher_proba=proba)
    assert {one["column"] for one in report.details["LinearStudent"].slices} == {"class"}
    assert report._repr_html_()


def noisy_rows(n, seed):
    """Return rows, noisy labels, a teacher that knows the truth, and one that is far from sure of it."""
    X = np.random.default_rng(seed).normal(size=(n, 6))
    truth = 1 / (1 + np.exp(-3 * X[:, 0]))
    y = (np.random.default_rng(seed + 1).random(n) < truth).astype(int)

    def knows(X):
        proba = 1 / (1 + np.exp(-3 * X[:, 0]))
        return np.column_stack([1 - proba, proba])

    return X, y, knows, lambda X: knows(X / 10)


def test_a_gain_is_claimed_beside_the_same_student_on_labels_alone_and_by_two_standard_errors(tmp_path):
    X, y, knows, doubts = noisy_rows(60, 0)
    X_test, y_test, *_ = noisy_rows(2000, 10)

    def found(teacher, alpha, **given):
        model = DistilledClassifier(teacher, student="linear", alpha=alpha).fit(X, y)
        given = given or {"X_train": X, "y_train": y}
        return compare(
            teacher, {"mine": given.pop("as_", lambda one: one)(model)}, X_test, y_test, latency=False, **given
        )

    report = found(knows, 0.9)
    assert list(report.table) == ["teacher", "mine", "labels only"]
    assert report.findings()[0].startswith("On 2,000 rows mine agrees with the teacher on")
    assert report.verdict.startswith("Distilling was worth it: the log-loss of mine is")
    plain = LinearStudent().fit(X, y)
    gain, error = metrics.paired_gain(
        y_test,
        report.details["mine"].answers["student"],
        plain.predict(X_test),
        scoring="accuracy",
        response_method="predict",
    )
    right = (report.details["mine"].answers["student"] == y_test) * 1.0 - (plain.predict(X_test) == y_test)
    assert gain == pytest.approx(right.mean())
    # fifty groups tell a standard error within a few tenths
    assert error == pytest.approx(right.std() / np.sqrt(2000), rel=0.4)
    assert found(doubts, 0.9).verdict.startswith("Labels alone are better")
    few = compare(
        knows,
        {"mine": DistilledClassifier(knows, student="linear", alpha=0.9).fit(X, y)},
        X_test[:40],
        y_test[:40],
        X_train=X,
        y_train=y,
        latency=False,
    )
    assert few.verdict.startswith("On 40 rows the teacher makes no measurable difference")
    # no claim without the teacher, without a yardstick, or beside a yardstick of another kind
    assert found(knows, 0.0).verdict.startswith("None of this is due to the teacher")
    unknown = "Whether distilling was worth it is not known: "
    assert found(knows, 0.9, labels_only=None).verdict.startswith(f"{unknown}there is no student of the same kind")
    other = LinearStudent(C=100.0).fit(X, y)
    assert found(knows, 0.9, labels_only=other).verdict.startswith(f"{unknown}labels only is of another kind")
    student = found(knows, 0.9, labels_only=plain, as_=lambda model: model.student_)
    assert student.verdict.startswith(f"{unknown}mine is no DistilledClassifier")


def test_each_kind_of_student_is_fitted_to_labels_alone_once(iris, iris_forest):
    fit = {"X_train": iris.X, "y_train": iris.y}
    students = {
        name: DistilledClassifier(iris_forest, student=student, alpha=alpha).fit(iris.X, iris.y)
        for name, student, alpha in (("a", "linear", 0.5), ("b", "linear", 1.0), ("c", "tree", 0.5))
    }
    report = compare(iris_forest, students, iris.X, iris.y, latency=False, **fit)
    assert list(report.table) == ["teacher", "a", "b", "c", "a, labels only", "c, labels only"]
    few = compare(iris_forest, students["a"], iris.X[::8], iris.y[::8], latency=False, **fit)
    assert "19 rows are too few to tell" in few.verdict
    # of a Pipeline the last step is what learned from the teacher
    steps = make_pipeline(StandardScaler(), DistilledClassifier(GaussianNB(), student="linear", alpha=0.5))
    report = compare(iris_forest, {"steps": steps.fit(iris.X, iris.y)}, iris.X, iris.y, latency=False, **fit)
    assert report.table["labels only"]["model"] == "LinearStudent"
    assert report.verdict.startswith(("On 150 rows", "Labels alone are better"))
    with pytest.raises(ValueError, match="y_train go together"):
        compare(iris_forest, students, iris.X, iris.y, X_train=iris.X)


def test_rare_classes_have_figures_of_their_own_and_the_reader_is_told():
    X, y, *_ = noisy_rows(4000, 0)
    y = y * (X[:, 1] > 1.9)
    model = DistilledClassifier(LinearStudent().fit(X, y), student="tree", alpha=0.5).fit(X, y)
    report = compare(model.teacher_, model, X, y, latency=False)
    row, proba = report.table["TreeStudent"], model.predict_proba(X)[:, 1]
    assert row["rare_average_precision"] == pytest.approx(average_precision_score(y, proba))
    assert row["rare_roc_auc"] == pytest.approx(roc_auc_score(y, proba))
    assert row["rare_probability"] == pytest.approx(proba.mean() / y.mean())
    assert "accuracy says little here" in report.findings()[0]
    assert "AP rare" in str(report)


def test_all_rows_that_a_new_model_changes(tmp_path):
    report, models, X, y = mixed_report(26)
    changed = report.changed_rows()
    old, new = models["teacher"].predict(X), models[report.chosen].predict(X)
    assert_array_equal(changed["row"], np.flatnonzero(old != new))
    assert_array_equal(changed["teacher"], old[old != new])
    assert_array_equal(changed["label"], y[old != new])
    assert_array_equal(changed["index"], X.index[old != new])
    assert len(pd.DataFrame(changed)) == len(changed["student_probability"])


def test_a_new_model_beside_the_one_in_service(tmp_path):
    _, models, X, y = mixed_report(26)
    models["teacher"].export(tmp_path / "old.skd")
    old, new = load(tmp_path / "old.skd"), next(model for name, model in models.items() if name != "teacher")
    report = compare(baseline=old, students={"new": new}, X=X, y=y, latency=False)
    were, are = old.predict(X), new.predict(X)
    changed = were != are
    right, wrong = (changed & (are == y)).sum(), (changed & (were == y)).sum()
    said = f"another class for {changed.sum()} of {len(X)} rows ({right} become right and {wrong} wrong)"
    assert said in report.verdict
    assert report.table["baseline"]["program_bytes"] == metrics.program_bytes(old)
    assert_array_equal(report.changed_rows()["baseline"], were[changed])
    unlabelled = compare(baseline=old, students={"new": new}, X=X, latency=False)
    assert_array_equal(unlabelled.changed_rows()["row"], np.flatnonzero(changed))
    assert "not known without labels" in unlabelled.verdict
    assert unlabelled.table["new"].keys() < report.table["new"].keys()
    assert unlabelled.details["new"].slices
    for one in (report, unlabelled):
        one.to_html(tmp_path / "report.html")
        page = Reader()
        page.feed(re.sub("<style>.*?</style>", "", (tmp_path / "report.html").read_text(encoding="utf-8"), flags=re.S))
        assert "baseline" in page.text
        assert not re.search("(?i)teacher(?! out)", page.text)


def test_a_new_regressor_beside_the_one_in_service(tmp_path):
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    old, new = LinearStudentRegressor(C=0.01).fit(X[:200], y[:200]), LinearStudentRegressor().fit(X[:300], y[:300])
    apart = np.abs(old.predict(X) - new.predict(X))
    for labels in ({"y": y}, {}):
        report = compare(baseline=old, students=new, X=X, **labels, latency=False)
        assert f"moves half of 442 predictions by {np.median(apart):.4g} or more" in report.verdict
        assert ("r2" in report.table["baseline"]) == bool(labels)
        report.to_html(tmp_path / "report.html")


def test_the_smallest_within_the_tolerance_is_chosen(iris, iris_forest):
    small = LinearStudent().fit(iris.X, iris.y)
    large = LinearStudent(numeric="piecewise").fit(iris.X, iris.y)
    students = {"large": large, "small": small}
    assert small.program_.nbytes < large.program_.nbytes
    given = {"latency": False, "labels_only": None}
    assert compare(iris_forest, students, iris.X, iris.y, tolerance=1.0, **given).chosen == "small"
    best = max(students, key=lambda name: students[name].score(iris.X, iris.y))
    apart = abs(small.score(iris.X, iris.y) - large.score(iris.X, iris.y))
    if apart:
        assert compare(iris_forest, students, iris.X, iris.y, tolerance=0.0, **given).chosen == best


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"students": {}}, ValueError, "students is empty"),
        ({"students": {"teacher": 0}}, ValueError, "predict_proba"),
        ({"students": LinearStudent()}, NotFittedError, "LinearStudent"),
        ({"teacher": LogisticRegression()}, NotFittedError, "LogisticRegression"),
        ({"teacher": None}, ValueError, "There is no teacher"),
        ({"X": None}, ValueError, "X is None; expected test rows"),
        ({"y": None}, ValueError, "y is None; expected test rows"),
        ({"baseline": LinearStudent()}, ValueError, "not both"),
        ({"baseline": LinearStudent(), "teacher": None}, NotFittedError, "LinearStudent"),
        ({"baseline": LinearStudent(), "teacher": None, "labels_only": "a"}, ValueError, "leave out labels_only"),
        ({"y": np.full(150, 7)}, ValueError, "does not know"),
        ({"y": np.full(150, -1)}, ValueError, "does not know"),
        ({"y": np.zeros(149, dtype=int)}, ValueError, "150 rows and y has 149"),
        ({"scoring": "beauty"}, ValueError, "not the name of a scorer"),
        ({"tolerance": -1}, ValueError, "tolerance=-1"),
        ({"n_bins": 1}, ValueError, "n_bins=1"),
        ({"labels_only": "nobody"}, ValueError, "none of the students"),
        ({"labels_only": LinearStudent()}, NotFittedError, "LinearStudent"),
        ({"slice_by": [9]}, ValueError, r"does not have: \[9\]"),
        ({"slice_by": "age"}, TypeError, "expected a list"),
        ({"teacher_proba": np.full((150, 3), 0.5)}, ValueError, "sum to one"),
    ],
)
def test_bad_input_is_refused(iris, iris_forest, given, error, message):
    student = LinearStudent().fit(iris.X, iris.y)
    full = {"teacher": iris_forest, "students": {"a": student}, "X": iris.X, "y": iris.y, "latency": False, **given}
    with pytest.raises(error, match=message):
        compare(**full)


def test_a_student_that_knows_more_than_the_teacher_is_refused(iris, iris_forest):
    student = LinearStudent().fit(iris.X, iris.y + 1)
    with pytest.raises(ValueError, match=r"does not know: \[3\]"):
        compare(iris_forest, student, iris.X, iris.y)


class Reader(HTMLParser):
    """Collects the elements of a page, their addresses and ids, and its text."""

    def __init__(self):
        super().__init__()
        self.elements, self.addresses, self.ids, self.labels, self.text = [], [], [], [], ""

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        if tag == "svg":
            attributes = dict(attrs)
            assert attributes["role"] == "img"
            assert attributes["viewbox"].startswith("0 0 360")
            assert not {"width", "height"} & set(attributes)
            self.labels.append(attributes["aria-label"])
        self.addresses += [value for name, value in attrs if name in ("src", "href", "onerror", "onload")]

    def handle_data(self, data):
        self.text += data


def test_what_the_user_named_is_text_in_the_page(tmp_path):
    evil = '<script>alert("1")</script>'
    attribute = '" onerror="alert(2)'
    rng = np.random.default_rng(0)
    X = pd.DataFrame({evil: rng.choice([attribute, "<img src=x>", "&amp;"], 200), "number": rng.normal(size=200)})
    y = np.where(X["number"] > 0, evil, attribute)
    teacher = LinearStudent().fit(X, y)
    report = compare(teacher, {f"<b>{attribute}": teacher}, X, y, latency=False)
    report.to_html(tmp_path / "report.html")
    reader = Reader()
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    reader.feed(page)
    assert not {"script", "img", "b"} & set(reader.elements)
    assert reader.addresses == ["data:,"]
    assert evil in reader.text
    assert f"<b>{attribute}" in reader.text
    assert "&amp;" in reader.text
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|@import|url\((?!#)", page)


def test_a_page_is_written_whole_or_not_at_all(tmp_path):
    report, *_ = mixed_report(2)
    with pytest.raises(FileNotFoundError):
        report.to_html(tmp_path / "nowhere" / "report.html")
    report.to_html(tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert report._repr_html_() in page
    # alpha was given, and so fit held no rows out
    assert "As seen in fit" not in page
    for name, row in report.table.items():
        assert name in page
        assert f"{row['accuracy']:.4f}" in page


def read(report):
    reader = Reader()
    reader.feed(report._repr_html_())
    return reader


@pytest.mark.parametrize("n_classes", [2, 26])
def test_pictures_stand_side_by_side_in_a_page(n_classes):
    pytest.importorskip("matplotlib")
    report, *_ = mixed_report(n_classes)
    reader = read(report)
    assert reader.labels == [
        "Retention against Program",
        "Retention against one row",
        "Reliability of teacher and linear",
        "Confusion of linear against teacher",
        "Reliability of teacher and tree",
        "Confusion of tree against teacher",
    ]
    assert len(reader.ids) == len(set(reader.ids)) > 100
    page = report._repr_html_()
    assert set(re.findall(r"(?:href=\"#|url\(#)([^)\"]+)", page)) <= set(reader.ids)
    assert "currentColor" in page
    assert "#010203" not in page
    assert "tree" in reader.text
    assert page == report._repr_html_()


def test_names_that_look_like_formulas_or_markup_are_drawn_as_they_are(iris, iris_forest):
    pytest.importorskip("matplotlib")
    names = np.array(["$x$", '-- id="1" #010203', "$\\foo$ \u8a00\n\u8449"])
    forest = RandomForestClassifier(5, random_state=0).fit(iris.X, names[iris.y])
    report = compare(
        forest, {"$a_b$": LinearStudent().fit(iris.X, names[iris.y])}, iris.X, names[iris.y], latency=False
    )
    text = read(report).text
    for name in ("$a_b$", "$x$", '-- id="1" #\u2026', "$\\foo$ \u8a00 \u8449"):
        assert name in text


NO_MATPLOTLIB = """
import sys
sys.modules["matplotlib"] = None
from sklearn.datasets import load_iris
from skdistill import LinearStudent, compare
X, y = load_iris(return_X_y=True)
student = LinearStudent().fit(X, y)
compare(student, student, X, y, latency=False).to_html(sys.argv[1])
"""


def test_without_matplotlib_the_page_has_no_pictures_and_names_the_extra(tmp_path):
    path = tmp_path / "report.html"
    subprocess.run([sys.executable, "-c", NO_MATPLOTLIB, str(path)], check=True)
    page = path.read_text(encoding="utf-8")
    assert "pip install skdistill[plot]" in page
    assert "<svg" not in page
    assert "Figures on 150 rows" in page
    report, *_ = mixed_report(2)
    drawn = importlib.util.find_spec("matplotlib") is not None
    assert ("pip install skdistill[plot]" in report._repr_html_()) != drawn


def test_without_pandas_its_name_is_said(monkeypatch):
    report, *_ = mixed_report(2)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"needs the package pandas: pip install pandas$"):
        report.to_pandas()


# texts of the pictures that overlap
OVERLAPS = """
Array.from(document.querySelectorAll("svg")).flatMap((svg) => {
  const texts = Array.from(svg.querySelectorAll("text")).filter((one) => one.getClientRects().length);
  const boxes = texts.map((one) => one.getBoundingClientRect());
  const meet = (p, q) => p.left < q.right - 1 && q.left < p.right - 1 && p.top < q.bottom - 3 && q.top < p.bottom - 3;
  const after = (at) => texts.filter((_, next) => next > at && meet(boxes[at], boxes[next]));
  return texts.flatMap((one, at) => after(at).map((other) => [one.textContent, other.textContent]));
})
"""
# what is wider than the page, unless it lies in a box that scrolls
TOO_WIDE = """
Array.from(document.querySelectorAll(".skd *"))
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 0.5 && !one.closest(".box, pre"))
  .map((one) => one.outerHTML.slice(0, 200))
"""
CONTRAST = """
(() => {
  const channels = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const light = (text) => channels(text).reduce((sum, one) => sum + one, 0) / 3;
  const style = getComputedStyle(document.body);
  return Math.abs(light(style.color) - light(style.backgroundColor));
})()
"""


@needs_chromium
@pytest.mark.parametrize("n_classes", [2, 26])
def test_the_page_in_chromium(browser, tmp_path, n_classes):
    report, *_ = mixed_report(n_classes)
    report.to_html(tmp_path / "report.html")
    for domain in ("Log", "Runtime", "Network"):
        browser.call(f"{domain}.enable")
    for width in (390, 1280):
        browser.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500
        )
        for scheme in ("light", "dark"):
            browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            browser.call("Page.navigate", url=(tmp_path / "report.html").as_uri())
            browser.wait_for("document.readyState === 'complete' && !!document.querySelector('footer')")
            browser.value("document.querySelectorAll('details').forEach((one) => (one.open = true))")
            assert browser.value("document.documentElement.scrollWidth") <= width
            assert browser.value(TOO_WIDE) == []
            assert browser.value(OVERLAPS) == []
            assert browser.value(CONTRAST) > 180
            assert browser.value("matchMedia('(prefers-color-scheme: dark)').matches") == (scheme == "dark")
            shown = browser.value("document.querySelector('tr.chosen td').innerText")
            assert shown == f"{report.table[report.chosen]['accuracy']:.4f}"
    events = {event["method"] for event in browser.events}
    assert not events & {"Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"}
    asked = {e["params"]["request"]["url"] for e in browser.events if e["method"] == "Network.requestWillBeSent"}
    assert asked - {"data:,"} == {(tmp_path / "report.html").as_uri()}


def test_a_student_tells_the_classes_of_a_callable_teacher_where_a_class_has_no_test_rows():
    X, y = mixed_table(200, 3, seed=0)
    X = X[["age"]].astype(float).fillna(40).to_numpy()
    teacher = LogisticRegression().fit(X, y)
    student = DistilledClassifier(teacher, student="linear", alpha=1).fit(X, y).student_
    rows = y != teacher.classes_[0]
    expected = compare(teacher, student, X[rows], y[rows], latency=False)
    for asked, given in ((teacher.predict_proba, None), (None, teacher.predict_proba(X[rows]))):
        report = compare(asked, student, X[rows], y[rows], teacher_proba=given, latency=False)
        assert_array_equal(report.classes, teacher.classes_)
        assert report.table["LinearStudent"] == expected.table["LinearStudent"]


def test_the_columns_of_a_callable_are_what_a_student_was_told():
    X, y = mixed_table(200, 2, seed=0)
    X = X[["age"]].astype(float).fillna(40).to_numpy()
    teacher, codes = LogisticRegression().fit(X, y), np.unique(y, return_inverse=True)[1]

    def turned(X):
        return teacher.predict_proba(X)[:, ::-1]

    model = DistilledClassifier(turned, student="linear", classes=teacher.classes_[::-1], alpha=1).fit(X, y)
    expected = compare(teacher, model, X, y, latency=False).table["LinearStudent"]
    assert compare(turned, model, X, y, latency=False).table["LinearStudent"] == expected
    # written-out names are of the type of the student's classes
    student = LinearStudent().fit(X, codes)
    answers = pd.DataFrame(turned(X), columns=["1", "0"])
    _, values, _, order = ask_both(student, X, None, lambda X: answers, {})
    assert_array_equal(values, teacher.predict_proba(X))
    assert_array_equal(order, student.classes_)


def test_pipelines_of_texts_in_a_series_with_an_index_of_its_own():
    texts = pd.Series([f"word{at % 7} other{at % 3}" for at in range(120)], index=np.arange(1000, 1120))
    y = np.arange(120) % 3
    teacher = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, y)
    student = make_pipeline(TfidfVectorizer(), DecisionTreeClassifier(max_depth=1)).fit(texts, y)
    report = compare(teacher, {"tree": student}, texts, y, latency=False)
    first = report.details["tree"].disagreements[0]
    assert first["cells"] == {"row": texts.iloc[first["row"]]}
    assert report.table["tree"]["program_bytes"] is None


def test_the_retention_of_a_loss_and_the_last_step_of_a_pipeline_are_named():
    X, y = mixed_table(200, 3, seed=0)
    X = X[["age"]].astype(float).fillna(40).to_numpy()
    teacher = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    report = compare(teacher, LinearStudent().fit(X, y), X, y, scoring="neg_log_loss", latency=False)
    retention = report.table["LinearStudent"]["retention"]
    change = 1 / retention - 1
    side = "lower" if change < 0 else "higher"
    assert f"its log-loss is {100 * abs(change):.2f}% {side} than the teacher's." in report.findings()[0]
    assert report.table["teacher"]["model"] == "LogisticRegression"
    assert "<h1>Students of LogisticRegression</h1>" in report._repr_html_()
