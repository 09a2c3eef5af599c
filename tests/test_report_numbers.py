"""compare() of regressors: figures, kinds of teachers and students, pictures and errors."""

import functools
import importlib.util

import numpy as np
import pytest
from browser_helpers import needs_chromium
from export_helpers import mixed_table
from helpers import Optional, small_mlp_regressor
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import NotFittedError, UndefinedMetricWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from test_report import OVERLAPS, TOO_WIDE

import skdistill
from skdistill import DistilledRegressor, LinearStudentRegressor, TreeStudentRegressor, compare
from skdistill.compress import quantize
from skdistill.metrics import retention_score

pytestmark = pytest.mark.usefixtures("brief")

pd = Optional("pandas")


def priced(n_rows=400, seed=0):
    """A mixed table and a number that follows from it, in thousands."""
    X, _ = mixed_table(n_rows, seed=seed)
    X = X[["word", "age", "size"]]
    rng = np.random.default_rng(seed)
    age = X["age"].astype(float).fillna(40)
    y = 1000 * (0.1 * abs(age - 45) + (X["word"] == X["word"].dropna().iloc[0]) + 0.1 * rng.normal(size=n_rows))
    return X, y.to_numpy()


@functools.cache
def regression_report():
    """A forest, its students and a baseline on rows of mixed columns, and what compare() makes of them."""
    X, y = priced(500)
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["word", "size"]), (SimpleImputer(), ["age"])
    )
    forest = make_pipeline(encoder, RandomForestRegressor(20, random_state=0)).fit(X, y)
    net = DistilledRegressor(forest, student=small_mlp_regressor(), alpha=0.5, random_state=0).fit(X, y)
    students = {
        "net": net,
        "int8": quantize(net, "int8", X),
        "tree": DistilledRegressor(forest, student="tree", random_state=0).fit(X, y),
    }
    X_test, y_test = priced(300, seed=1)
    baseline = LinearStudentRegressor().fit(X, y)
    report = compare(forest, students, X_test, y_test, labels_only=baseline)
    return report, {"teacher": forest, **students, "labels only": baseline}, X_test, y_test


def test_every_figure_is_scikit_learns():
    report, models, X, y = regression_report()
    teacher_pred = models["teacher"].predict(X)
    assert report.classes is None
    assert report.scoring == "r2"
    for name, model in models.items():
        student_pred, row = model.predict(X), report.table[name]
        assert_allclose(row["r2"], r2_score(y, student_pred), rtol=1e-12)
        assert_allclose(row["rmse"], root_mean_squared_error(y, student_pred), rtol=1e-12)
        assert_allclose(row["mae"], mean_absolute_error(y, student_pred), rtol=1e-12)
        assert_allclose(row["fidelity"], r2_score(teacher_pred, student_pred), rtol=1e-12)
        assert_allclose(row["fidelity_rmse"], root_mean_squared_error(teacher_pred, student_pred), rtol=1e-12)
        assert_allclose(row["fidelity_mae"], mean_absolute_error(teacher_pred, student_pred), rtol=1e-12)
        assert_allclose(
            row["retention"], retention_score(y, teacher_pred, student_pred, scoring="r2", response_method="predict")
        )
        assert 0 < row["median_us"] <= row["p99_us"]
        details = report.details[name]
        apart = np.abs(teacher_pred - student_pred)
        (curve,) = details.curves
        assert curve["n_rows"].sum() == len(y)
        assert_allclose(np.average(curve["actual"], weights=curve["n_rows"]), y.mean())
        assert_allclose(np.average(curve["predicted"], weights=curve["n_rows"]), student_pred.mean())
        assert_array_equal(details.answers["student"], student_pred)
        if name != "teacher":
            assert details.disagreements[0]["row"] == apart.argmax()
            assert details.disagreements[0]["student"] == student_pred[apart.argmax()]
            size = report.table[name]["program_bytes"]
            assert size == getattr(model, "student_", model).program_.nbytes


def test_slices_are_quartiles_of_the_target_and_parts_of_the_columns():
    report, models, X, y = regression_report()
    found = {(one["column"], one["slice"]): one for one in report.details["tree"].slices}
    assert {column for column, _ in found} == {"target", "word", "age", "size"}
    teacher_pred, student_pred = models["teacher"].predict(X), models["tree"].predict(X)
    gap = X["word"].isna().to_numpy()
    assert_allclose(found["word", "missing"]["rmse"], root_mean_squared_error(teacher_pred[gap], student_pred[gap]))
    (top,) = [one for (column, text), one in found.items() if column == "target" and text.startswith(">")]
    high = y > np.quantile(y, 0.75)
    assert_allclose(top["rmse"], root_mean_squared_error(teacher_pred[high], student_pred[high]))
    assert report.table["tree"]["worst_slice_rmse"] == max(one["rmse"] for one in found.values())


def test_the_text_sums_up_the_findings():
    report, *_ = regression_report()
    text = str(report)
    assert f"{report.chosen} *" in text
    assert "On 300 rows it explains" in text
    assert "of the variance of the teacher's predictions" in text
    # the recipe has found no use for the teacher
    assert "None of this is due to the teacher: alpha of tree is 0" in text
    # the tree's alpha was chosen on rows held out
    assert report._repr_html_().count("As seen in fit") == 1


def test_a_metric_several_outputs_and_given_answers():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    Y = np.column_stack([X @ [1.0, 2.0, 0.0], 100 * X[:, 2]]) + 0.1 * rng.normal(size=(200, 2))
    teacher, student = Ridge().fit(X, Y), TreeStudentRegressor(random_state=0).fit(X, Y)
    report = compare(teacher, student, X, Y, scoring="neg_mean_absolute_error", latency=False)
    row = report.table["TreeStudentRegressor"]
    errors = [mean_absolute_error(Y, one.predict(X)) for one in (teacher, student)]
    assert_allclose(row["retention"], errors[0] / errors[1])
    assert_allclose(row["neg_mean_absolute_error"], -errors[1])
    assert {"output 0", "output 1"} <= {one["column"] for one in report.details["TreeStudentRegressor"].slices}
    html = report._repr_html_()
    if importlib.util.find_spec("matplotlib"):
        assert "Output 1." in html
        assert html.count("<svg") == 1 + 2 * 2
    assert "student.predict(rows)" in report._repr_html_()
    for given in (
        {"teacher": None, "teacher_pred": teacher.predict(X)},
        {"teacher": lambda X: teacher.predict(X)},
        {"teacher": [teacher, teacher]},
    ):
        again = compare(students=student, X=X, y=Y, latency=False, **given)
        assert_allclose(again.table["TreeStudentRegressor"]["fidelity"], row["fidelity"], rtol=1e-9)


def test_a_loaded_student_and_a_teacher_without_skill(tmp_path):
    X = np.linspace(0, 1, 60).reshape(-1, 1)
    y = X[:, 0]
    student = LinearStudentRegressor().fit(X, y)
    student.export(tmp_path / "student.skd")
    with pytest.warns(UndefinedMetricWarning, match="not above zero"):
        report = compare(lambda X: np.zeros(60), skdistill.load(tmp_path / "student.skd"), X, y, latency=False)
    assert "so there is no retention" in str(report)
    assert np.isnan(report.table[report.chosen]["retention"])
    assert report._repr_html_()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_predictions_that_are_all_the_same():
    X = np.zeros((40, 1))
    report = compare(lambda X: np.full(40, 3.0), TreeStudentRegressor().fit(X, np.full(40, 3.0)), X, np.full(40, 3.0))
    assert report.table["TreeStudentRegressor"]["rmse"] == 0
    assert report._repr_html_()


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            {"teacher_proba": np.full((60, 2), 0.5)},
            ValueError,
            "teacher_proba is given, and the .* are regressors",
        ),
        ({"teacher_pred": np.zeros(3)}, ValueError, "Input teacher_pred has shape"),
        ({"teacher": Ridge()}, NotFittedError, "Ridge"),
        ({"teacher": None}, ValueError, r"teacher_pred=\.\.\."),
        ({"y": np.full(60, np.nan)}, ValueError, "y contains NaN"),
        ({"y": np.zeros((60, 2))}, ValueError, "y has 2 outputs, and the teacher returned 1"),
        ({"students": LinearStudentRegressor()}, NotFittedError, "LinearStudentRegressor"),
        ({"labels_only": LogisticRegression()}, ValueError, "expected a fitted regressor"),
        ({"scoring": "accuracy_of_sorts"}, ValueError, "not the name of a scorer"),
    ],
)
def test_bad_input_is_refused(given, error, message):
    X = np.linspace(0, 1, 60).reshape(-1, 1)
    y = X[:, 0]
    student = LinearStudentRegressor().fit(X, y)
    full = {"teacher": Ridge().fit(X, y), "students": {"a": student}, "X": X, "y": y, "latency": False, **given}
    with pytest.raises(error, match=message):
        compare(**full)


def test_outputs_of_the_training_rows_are_matched_by_name_and_no_student_need_be_good():
    X = np.random.default_rng(0).normal(size=(200, 3))
    Y = pd.DataFrame({"p": 2 * X[:, 0], "q": np.exp(X[:, 1])})
    teacher = LinearRegression().fit(X, Y)
    model = DistilledRegressor(teacher, student="linear", alpha=0.5).fit(X, Y)
    found = [
        compare(teacher, model, X, Y, X_train=X, y_train=Y[order], latency=False).table["labels only"]["r2"]
        for order in (["p", "q"], ["q", "p"])
    ]
    assert found[0] == pytest.approx(found[1])
    poor = LinearStudentRegressor().fit(X, np.random.default_rng(1).permutation(Y["p"]) * 3)
    report = compare(LinearRegression().fit(X, Y["p"]), poor, X, Y["p"], latency=False)
    assert report.table[report.chosen]["retention"] < 0


def test_classifiers_and_regressors_are_not_compared_with_each_other(iris, iris_forest):
    both = [LinearStudentRegressor().fit(iris.X, iris.y), LogisticRegression(max_iter=500).fit(iris.X, iris.y)]
    with pytest.raises(ValueError, match="some regressors; compare them separately"):
        compare(iris_forest, both, iris.X, iris.y)
    with pytest.raises(ValueError, match="teacher_pred is given, and the students are classifiers"):
        compare(iris_forest, both[1], iris.X, iris.y, teacher_pred=iris.y)


@needs_chromium
def test_the_page_in_chromium(browser, tmp_path):
    pytest.importorskip("matplotlib")
    report, *_ = regression_report()
    report.to_html(tmp_path / "report.html")
    for width in (390, 1280):
        browser.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500
        )
        browser.call("Page.navigate", url=(tmp_path / "report.html").as_uri())
        browser.wait_for("document.readyState === 'complete' && !!document.querySelector('footer')")
        browser.value("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        assert browser.value("document.documentElement.scrollWidth") <= width
        assert browser.value(TOO_WIDE) == []
        assert browser.value(OVERLAPS) == []
        shown = browser.value("document.querySelector('tr.chosen td').innerText")
        assert shown == f"{report.table[report.chosen]['r2']:.4f}"
        # the densities of three students and the baseline, and of each what is there by what was predicted
        assert_array_equal(browser.value("document.querySelectorAll('details .pictures svg').length"), 8)


def test_outputs_are_matched_by_name():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    Y = pd.DataFrame(X[:, :3] * [1, 10, 100] + rng.normal(size=(200, 3)), columns=["width", "height", "depth"])
    ridge, turned = Ridge().fit(X, Y), ["depth", "width", "height"]

    def teacher(X):
        return pd.DataFrame(ridge.predict(X), columns=Y.columns)[turned]

    model = DistilledRegressor(teacher, student="linear", alpha=0.5).fit(X, Y)
    students = {"model": model, "bare": model.student_}
    expected = compare(ridge, students, X, Y.to_numpy(), latency=False).to_pandas()[["r2", "retention", "fidelity"]]
    assert expected["fidelity"].min() > 0.99
    for asked, y, given in (
        (teacher, Y, None),
        (teacher, Y[turned], None),
        (teacher, Y.to_numpy(), None),
        (ridge, Y[turned], None),
        (None, Y, teacher(X)),
    ):
        report = compare(asked, students, X, y, teacher_pred=given, latency=False)
        assert_allclose(report.to_pandas()[expected.columns].astype(float), expected.astype(float))
    # a distiller that teaches knows its outputs
    other = DistilledRegressor(model, student="linear", alpha=1.0).fit(X, Y[turned])
    assert_allclose(other.predict(X), model.predict(X)[:, [2, 0, 1]], rtol=0.02, atol=0.5)
    changes = compare(baseline=model, students={"other": other}, X=X, y=Y, latency=False)
    assert changes.table["other"]["fidelity"] > 0.9
    bare = compare(teacher, {"bare": model.student_}, X, Y, latency=False)
    assert_allclose(bare.table["bare"]["r2"], expected["r2"]["bare"])
    with pytest.raises(ValueError, match=r"y has columns named \['width', 'height', 'length'\]; expected"):
        compare(teacher, model, X, Y.rename(columns={"depth": "length"}), latency=False)
