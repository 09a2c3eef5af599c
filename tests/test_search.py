"""The smallest student that is good enough, and the best within a budget."""

import pickle
from functools import partial
from shutil import which

import numpy as np
import pytest
from helpers import CountingForest, Optional, RecordingTeacher, small_mlp, small_mlp_regressor
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, r2_score, root_mean_squared_error
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import check_random_state

from skdistill import (
    DistilledClassifier,
    DistilledRegressor,
    LinearStudent,
    MLPStudent,
    TreeStudent,
    compare,
    distill_to_budget,
    load,
    smallest_within,
)
from skdistill.metrics import fidelity_score, make_size_scorer, n_parameters, program_bytes, retention_score

pd = Optional("pandas")

#: Nets of few epochs are fitted sooner than a process starts.
distill = partial(distill_to_budget, n_jobs=1)


def rows_of(result):
    """Return the figures of each student as a dict."""
    return [dict(zip(result.results_, values, strict=True)) for values in zip(*result.results_.values(), strict=True)]


def choice_of(result):
    """Return the figures of the student that was chosen."""
    return rows_of(result)[result.best_index_]


def net(**params):
    """Return a net that is trained in a hundred steps."""
    return small_mlp(**{"batch_size": 64, "learning_rate": 0.03, **params})


class Drawn(LinearStudent):
    """A student that draws on its random state, and is fitted in a moment."""

    def __init__(self, *, random_state=None):
        super().__init__()
        self.random_state = random_state

    def fit_targets(self, X, targets):
        self.C = check_random_state(self.random_state).uniform(0.5, 2)
        return super().fit_targets(X, targets)


# smallest_within


def results(scores, sizes, **more):
    return {
        "params": [{"units": size} for size in sizes],
        "mean_test_accuracy": np.array(scores),
        "mean_test_bytes": np.array(sizes, dtype=float),
        **more,
    }


@pytest.mark.parametrize(
    ("tolerance", "index"),
    [(0, 2), (0.004, 2), (0.01, 1), (0.05, 0)],
)
def test_the_smallest_within_a_tolerance_of_the_best(tolerance, index):
    found = results([0.86, 0.895, 0.9, 0.9], [10, 20, 30, 40])
    assert smallest_within(tolerance)(found) == index


def test_of_equal_sizes_the_better_one():
    assert smallest_within(0.1)(results([0.85, 0.88, 0.9], [10, 10, 30])) == 1


def test_the_standard_error_is_that_of_the_best_ones_splits():
    # the mean of 0.90 and 0.96 has a standard error of 0.03
    splits = np.array([[0.90, 0.80], [0.90, 0.9004], [0.90, 0.96]])
    found = results(splits.mean(axis=1), [10, 20, 30], std_test_accuracy=splits.std(axis=1))
    found |= {f"split{at}_test_accuracy": column for at, column in enumerate(splits.T)}
    assert smallest_within("standard_error")(found) == 1
    assert smallest_within("standard_error")({**found, "mean_test_accuracy": np.array([0.85, 0.8999, 0.93])}) == 2


def test_candidates_that_failed_are_passed_over():
    found = results([np.nan, 0.89, 0.9], [10, 20, 30])
    assert smallest_within(0.05)(found) == 1
    found["mean_test_bytes"][1] = np.nan
    assert smallest_within(0.05)(found) == 2
    with pytest.raises(ValueError, match="No candidate has both"):
        smallest_within(0.05)(results([np.nan, 0.9], [10, np.nan]))


def test_size_may_be_a_column_or_a_function_of_the_parameters():
    found = results([0.9, 0.9], [2, 1], mean_score_time=np.array([0.1, 0.2]))
    assert smallest_within()(found) == 1
    assert smallest_within(size="mean_score_time", score="accuracy")(found) == 0
    assert smallest_within(size=lambda params: -params["units"], score="accuracy")(found) == 0


def test_smallest_within_says_what_is_missing():
    found = results([0.9, 0.9], [2, 1])
    del found["mean_test_bytes"]
    with pytest.raises(ValueError, match=r"no sizes: neither mean_test_bytes nor bytes.*make_size_scorer\(\)"):
        smallest_within()(found)
    found = results([0.9], [1], mean_test_other=np.array([0.5]))
    with pytest.raises(ValueError, match="scores accuracy, other besides the size; pass score="):
        smallest_within()(found)
    with pytest.raises(ValueError, match="score='f1' is not among"):
        smallest_within(score="f1")(found)
    for wrong in (-0.1, "one", True, float("nan")):
        with pytest.raises(ValueError, match="tolerance must be"):
            smallest_within(wrong)
    with pytest.raises(ValueError, match="size must be"):
        smallest_within(size=3)


def test_a_grid_search_refits_the_smallest(digits, digits_forest):
    model = DistilledClassifier(digits_forest, student=small_mlp(max_epochs=10), alpha=1)
    grid = {"student__hidden_layer_sizes": [(64,), (16,), (1,)]}
    search = GridSearchCV(
        model,
        grid,
        scoring={"accuracy": "accuracy", "bytes": make_size_scorer()},
        refit=pickle.loads(pickle.dumps(smallest_within(0.1))),
        cv=2,
    )
    search = clone(search).fit(digits.X, digits.y)
    scores = search.cv_results_["mean_test_accuracy"]
    # one unit is too few, sixteen are about as good as 64
    assert scores[2] < scores[0] - 0.1 < scores[1]
    assert search.best_params_ == {"student__hidden_layer_sizes": (16,)}
    # pixels that are blank throughout a fold are no part of its student
    assert_allclose(program_bytes(search.best_estimator_), search.cv_results_["mean_test_bytes"][1], rtol=0.02)


def test_a_halving_search_counts_its_last_iteration(iris, iris_forest):
    model = DistilledClassifier(iris_forest, student=LinearStudent(), alpha=1, random_state=0)

    def size(params):
        return 1 / params["student__C"]

    grid = {"student__C": [1e-8, 1e-7, 1e-6, 1.0, 10.0]}
    search = HalvingGridSearchCV(
        model, grid, refit=smallest_within(1.0, size=size), cv=2, factor=2, min_resources=40, random_state=0
    ).fit(iris.X, iris.y)
    iterations = search.cv_results_["iter"]
    assert iterations.max() > 0
    # with any tolerance all of the last iteration are good enough, and the largest C has the least size there
    last = [
        params["student__C"]
        for params, at in zip(search.cv_results_["params"], iterations, strict=True)
        if at == iterations.max()
    ]
    assert search.best_params_["student__C"] == max(last)


# distill_to_budget


class Fixed(ClassifierMixin, BaseEstimator):
    """A classifier that answers by a function, whatever it is fitted to."""

    def __init__(self, answer):
        self.answer = answer

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        p = self.answer(X)
        return np.column_stack([1 - p, p])


def test_a_clearly_worse_student_is_not_chosen_however_many_agree_with_it():
    rng = np.random.default_rng(0)
    X = rng.uniform(0.05, 0.95, size=(600, 1))
    y = (rng.random(600) < X[:, 0]).astype(int)
    answers = {
        "right": lambda X: X[:, 0],
        "unsure": lambda X: 0.5 + 0.1 * (X[:, 0] - 0.5),
        "wrong": lambda X: 1 - X[:, 0],
        "wrong too": lambda X: 0.99 - 0.98 * X[:, 0],
        "knows nothing": lambda X: np.full(len(X), 0.5),
    }
    result = distill(
        lambda X: np.column_stack([1 - X[:, 0], X[:, 0]]),
        X[:300],
        y[:300],
        X_valid=X[300:],
        y_valid=y[300:],
        students={name: Fixed(answer) for name, answer in answers.items()},
        random_state=0,
    )
    assert choice_of(result)["name"] == "right"


@pytest.fixture(scope="module")
def table():
    """A table of mixed columns, its labels, and an unfitted teacher that takes it."""
    rng = np.random.default_rng(0)
    city = rng.choice(["Oslo", "Lima", "Rome"], 600)
    age, income = rng.uniform(18, 90, 600), rng.normal(size=600)
    z = np.where(city == "Lima", 2.0, -1.0) * income + (age > 50)
    y = np.where(z + 0.3 * rng.normal(size=600) > 0.5, "yes", "no")
    X = pd.DataFrame({"city": city, "age": age, "income": income})
    return X, y


def read(X):
    """Return the table as numbers, for a forest."""
    return np.column_stack([X["city"] == "Lima", X["city"] == "Rome", X["age"], X["income"]]).astype(float)


class Frames:
    """A fitted forest that takes frames and notes the rows that it is asked about."""

    classes_ = np.array(["no", "yes"])

    def __init__(self, X, y):
        self.forest = RandomForestClassifier(50, min_samples_leaf=5, random_state=0).fit(read(X), y)
        self.asked = []

    def __call__(self, X):
        self.asked.append(X)
        return self.forest.predict_proba(read(X))


def small_candidates():
    return {
        "linear": "linear",
        "tree": TreeStudent(max_leaf_nodes=16),
        "net": net(hidden_layer_sizes=(8,)),
        "wide net": net(hidden_layer_sizes=(24, 24)),
    }


@pytest.fixture(scope="module")
def searched(table):
    """The result on the table with validation rows that the teacher has not seen, and the teacher."""
    X, y = table
    teacher = Frames(X[:400], y[:400])
    result = distill(
        teacher,
        X[:400],
        y[:400],
        X_valid=X[400:],
        y_valid=y[400:],
        max_bytes=1_500,
        students=small_candidates(),
        random_state=0,
    )
    return result, teacher


def test_the_teacher_is_asked_once_for_each_row(searched, table):
    X, _ = table
    result, teacher = searched
    # however many students there are; between the rows and those to validate by come new rows, which are made once
    first, new, last = teacher.asked
    pd.testing.assert_frame_equal(first, X[:400])
    pd.testing.assert_frame_equal(last, X[400:])
    assert len(new) == result.best_estimator_.distillation_report_["n_new"] == 10 * 400
    assert len(result.students) == 8


def test_the_results_hold_every_student_and_its_figures(searched, table):
    X, y = table
    result, teacher = searched
    names = ["linear", "tree", "net", "wide net"]
    names += [f"{name}, int8" for name in names]
    assert {row["name"] for row in rows_of(result)} == set(names) == set(result.students)
    teacher_pred = teacher.forest.predict_proba(read(X[400:]))
    for row in rows_of(result):
        student = result.students[row["name"]]
        proba = student.predict_proba(X[400:])
        assert row["nbytes"] == program_bytes(student)
        assert row["n_parameters"] == n_parameters(student)
        assert_allclose(row["fidelity"], fidelity_score(teacher_pred, proba))
        assert_allclose(row["score"], -log_loss(y[400:], proba), rtol=1e-6)
        assert_allclose(row["retention"], retention_score(y[400:], teacher_pred, proba, scoring="neg_log_loss"))
        assert row["within_budget"] == (row["nbytes"] <= 1_500)
        assert row["params"]["weights"] == ("int8" if row["name"].endswith("int8") else None)
    sizes = [row["nbytes"] for row in rows_of(result)]
    assert sizes == sorted(sizes)
    assert result.n_rows == 400
    assert result.n_valid == 200
    assert_allclose(result.teacher_score, -log_loss(y[400:], teacher_pred))
    assert list(pd.DataFrame(result.results_)["name"]) == [row["name"] for row in rows_of(result)]
    assert result.best_score_ == choice_of(result)["score"]
    assert result.best_params_ is choice_of(result)["params"]


def test_the_smallest_that_is_not_clearly_worse_is_chosen_and_is_a_model_like_any_other(searched, table, tmp_path):
    X, y = table
    result, _ = searched
    within = [row for row in rows_of(result) if row["within_budget"]]
    assert 0 < len(within) < len(result.students)
    assert result.met
    at = (y[400:] == "yes").astype(int)
    losses = {
        row["name"]: -np.log(result.students[row["name"]].predict_proba(X[400:])[np.arange(200), at]) for row in within
    }
    lowest = min(losses.values(), key=np.mean)
    more = {name: loss - lowest for name, loss in losses.items()}
    gain = np.mean(-np.log(np.where(at, at.mean(), 1 - at.mean())) - lowest)
    good = [
        row
        for row in within
        if more[row["name"]].mean() <= min(0.05 * gain, more[row["name"]].std(ddof=1) / np.sqrt(200))
    ]
    assert choice_of(result)["nbytes"] == min(row["nbytes"] for row in good)
    model = result.best_estimator_
    assert isinstance(model, DistilledClassifier)
    assert program_bytes(model) == choice_of(result)["nbytes"] <= 1_500
    assert_allclose(-log_loss(y[400:], model.predict_proba(X[400:])), choice_of(result)["score"])
    model.export(tmp_path / "student.skd")
    assert_array_equal(load(tmp_path / "student.skd").predict(X[400:]), model.predict(X[400:]))
    assert_array_equal(pickle.loads(pickle.dumps(model.student_)).predict(X), model.predict(X))
    assert model.distillation_report_["n_label_models"] > 0
    text = str(result)
    assert text.startswith(f"{choice_of(result)['name']} meets the budget (max_bytes=1,500)")
    assert f"* {choice_of(result)['name']}" in text
    assert all(row["name"] in text for row in rows_of(result))


def test_retention_is_a_limit(iris, iris_forest):
    students = {"additive": "additive", "linear": LinearStudent(), "weak": LinearStudent(C=1e-6)}
    result = distill(clone(iris_forest), iris.X, iris.y, min_retention=0.5, students=students, random_state=0)
    assert result.met
    assert not next(row for row in rows_of(result) if row["name"] == "weak")["within_budget"]
    assert result.budget == {"min_retention": 0.5}
    # an unfitted teacher has not seen the rows held out
    assert result.n_valid == 30
    assert result.leaked is False
    assert_allclose(result.best_estimator_.teacher_.score(iris.X, iris.y) * 150, 150, atol=30)


def test_a_student_that_never_names_a_rare_class_is_not_chosen():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 2))
    y = (rng.random(3000) < 1 / (1 + np.exp(5 - 2 * X[:, 0]))).astype(int)
    students = {"stump": TreeStudent(max_leaf_nodes=2), "linear": "linear"}
    forest = RandomForestClassifier(50, min_samples_leaf=20, random_state=0)
    result = distill(forest, X, y, min_retention=0.97, students=students, random_state=0)
    assert choice_of(result)["name"].startswith("linear")
    assert result.met
    within = {row["name"] for row in rows_of(result) if row["within_budget"]}
    assert not any(name.startswith("stump") for name in within)
    with pytest.warns(UserWarning, match=r"Class 1 has 2.8% of the validation rows.*neg_log_loss"):
        distill(forest, X, y, scoring="accuracy", students=students, refit=False, random_state=0)
    # a score that is no mean over rows
    ranked = distill(forest, X, y, scoring="average_precision", students=students, refit=False, random_state=0)
    assert choice_of(ranked)["name"].startswith("linear")
    assert ranked.scoring == "average_precision"


def test_a_student_that_knows_nothing_of_rare_events_is_not_chosen():
    # 13 of 2,000 rows, and 7 of 2,000: two thirds of a standard error apart, and 0.7 % of the log-loss
    X = np.column_stack([np.repeat([0.0, 1.0], 2000), np.arange(4000.0)])
    y = np.zeros(4000, dtype=int)
    y[:7], y[2000:2013] = 1, 1
    answers = {"rate": lambda X: np.full(len(X), 0.005), "right": lambda X: np.where(X[:, 0] >= 1, 0.0065, 0.0035)}
    students = {name: Fixed(answer).fit(X, y) for name, answer in answers.items()}
    teacher = students["right"].predict_proba
    assert compare(students["right"], students, X, y, latency=False).chosen == "right"
    result = distill(teacher, X, y, X_valid=X + 0.5, y_valid=y, students=students, random_state=0, refit=False)
    assert choice_of(result)["name"] == "right"


def test_a_score_that_parts_of_the_rows_do_not_define():
    X = np.random.default_rng(0).normal(size=(400, 2))
    # of ten parts of the rows held out, most have none of the three
    y = np.isin(np.arange(400), [5, 100, 300]).astype(int)
    students = {"linear": LinearStudent(), "tree": TreeStudent(2)}
    teacher = LogisticRegression().fit(X, y)
    result = distill(teacher, X, y, scoring="roc_auc", students=students, refit=False, random_state=0)
    assert choice_of(result)["name"] in {row["name"] for row in rows_of(result)}


def test_none_meets_the_budget_and_the_nearest_is_named(iris, iris_forest):
    students = {"linear": "linear", "additive": "additive"}
    given = {"X_valid": iris.X[::2], "y_valid": iris.y[::2], "students": students, "random_state": 0}
    fit = partial(distill, iris_forest, iris.X[1::2], iris.y[1::2], **given)
    with pytest.warns(UserWarning, match=r"No student meets the budget \(max_bytes=10\); linear"):
        result = fit(max_bytes=10)
    assert not result.met
    # none is small enough: the one that exceeds the limit least
    assert choice_of(result)["nbytes"] == min(row["nbytes"] for row in rows_of(result))
    text = str(result)
    assert text.startswith("No student meets the budget (max_bytes=10)")
    assert f"comes nearest: it has {choice_of(result)['nbytes']} bytes." in text
    with pytest.warns(UserWarning, match="No student meets"):
        result = fit(max_bytes=1e6, min_retention=5)
    # all are small enough: as if retention were not asked for
    assert result.best_index_ == fit(max_bytes=1e6).best_index_
    assert f"its retention is {choice_of(result)['retention']:.4f}" in str(result)
    assert "bytes" not in str(result).splitlines()[0].split("nearest")[1]
    assert result.best_estimator_.score(iris.X, iris.y) > 0.8
    with pytest.warns(UserWarning, match="a row takes"):
        fit(max_latency_us=1e-3)


@pytest.mark.parametrize("form", [None, "compiled", "dict", "array", "frame", "onnx"])
def test_a_row_is_timed_as_it_will_be_served(form, table):
    X, y = table
    if form == "onnx":
        pytest.importorskip("onnxruntime")
    if form == "compiled" and not any(map(which, ("cc", "gcc", "clang"))):
        pytest.skip("there is no compiler")
    students = {"linear": "linear", "other": Fixed(lambda X: np.full(len(X), 0.5))}
    given = {"X_valid": X[300:], "y_valid": y[300:], "students": students, "random_state": 0}
    result = distill(Frames(X[:300], y[:300]), X[:300], y[:300], latency_of=form, max_latency_us=1e6, **given)
    assert result.latency_of == form or (form is None and result.latency_of in ("compiled", "dict"))
    assert f"A row is served as: {result.latency_of}" in str(result)
    times = {row["name"]: row["latency_us"] for row in rows_of(result)}
    assert times["linear"] > 0
    # what has no Program answers rows as they were in fit alone
    assert np.isnan(times["other"]) == (result.latency_of != "frame")


def test_how_a_row_will_be_served_is_checked(iris, iris_forest):
    for form, message in (("json", "latency_of must be one of"), ("dict", "needs columns with names")):
        with pytest.raises(ValueError, match=message):
            distill(iris_forest, iris.X, iris.y, latency_of=form, random_state=0)


def test_nets_that_are_too_large_are_not_tried(table, monkeypatch):
    X, y = table
    monkeypatch.setattr(MLPStudent, "_largest_batch", 2048)
    given = {"X_valid": X[50:90], "y_valid": y[50:90], "random_state": 0}
    result = distill(Frames(X[:50], y[:50]), X[:50], y[:50], max_bytes=2_500, **given)
    nets = {row["name"]: row["nbytes"] for row in rows_of(result) if row["name"].startswith("mlp")}
    assert nets
    assert all(nbytes <= 2_500 for name, nbytes in nets.items() if name.endswith("int8"))
    with pytest.warns(UserWarning, match="No student meets"):
        none = distill(Frames(X[:50], y[:50]), X[:50], y[:50], max_bytes=10, **given)
    assert {name.split(",")[0] for name in none.students} == {"linear", "additive", "mlp 8"}


def test_a_student_without_a_program_has_no_size(iris, iris_forest):
    students = {"other": LogisticRegression(max_iter=1000), "linear": "linear"}
    given = {"X_valid": iris.X[::2], "y_valid": iris.y[::2], "students": students, "random_state": 0}
    result = distill(iris_forest, iris.X[1::2], iris.y[1::2], **given)
    other = rows_of(result)[-1]
    assert other["name"] == "other"
    assert np.isnan([other["nbytes"], other["n_parameters"]]).all()
    assert other["within_budget"]
    assert "no Program" in str(result)
    limited = distill(iris_forest, iris.X[1::2], iris.y[1::2], max_bytes=1e9, **given)
    assert not rows_of(limited)[-1]["within_budget"]


def test_the_same_seed_finds_the_same(table):
    X, y = table
    found = [
        distill(
            Frames(X[:300], y[:300]),
            X[:300],
            y[:300],
            X_valid=X[300:400],
            y_valid=y[300:400],
            students={"drawn": Drawn()},
            random_state=np.random.RandomState(7),
        )
        for _ in range(2)
    ]
    prints = [{name: one.program_.fingerprint() for name, one in result.students.items()} for result in found]
    assert prints[0] == prints[1]


@pytest.fixture(scope="module")
def refitted_search(table):
    """A search that holds rows out and refits the chosen student with them in the end; and its teacher."""
    X, y = table
    teacher = Frames(X[:200], y[:200])
    students = {"linear": "linear", "net": net()}
    result = distill(teacher, X[200:], y[200:], max_bytes=2_000, students=students, random_state=0)
    return result, teacher


def test_the_chosen_student_is_refitted_with_the_held_out_rows(refitted_search, table):
    X, _ = table
    result, teacher = refitted_search
    assert result.refitted
    name = choice_of(result)["name"]
    assert name.startswith("net")
    assert (result.n_rows, result.n_valid) == (320, 80)
    report = result.best_estimator_.distillation_report_
    assert (report["n_rows"], report["n_labelled"]) == (400, 400)
    assert report["n_new"] > 0
    measured = result.students[name]
    assert result.best_estimator_.program_.fingerprint() != measured.program_.fingerprint()
    # the same kind and size, and similar predictions
    assert abs(program_bytes(result.best_estimator_) - program_bytes(measured)) < 100
    assert np.mean(result.best_estimator_.predict(X[:200]) == measured.predict(X[:200])) > 0.9
    assert str(result).endswith(f"{name} was then fitted again to all of them")
    # the training rows, new ones, those held out, new ones of all
    assert [len(rows) for rows in teacher.asked] == [320, 10 * 320, 80, report["n_new"]]
    given = pd.concat([teacher.asked[0], teacher.asked[2]]).sort_index()
    pd.testing.assert_frame_equal(given, X[200:])


@pytest.mark.parametrize(
    ("refit", "given", "again"), [(False, False, False), ("auto", True, False), (True, True, True)]
)
def test_given_validation_rows_are_used_to_refit_on_request(refit, given, again, iris, iris_forest):
    valid = {"X_valid": iris.X[::3] + 0.01, "y_valid": iris.y[::3]} if given else {}
    result = distill(
        clone(iris_forest), iris.X, iris.y, refit=refit, students={"linear": "linear"}, random_state=0, **valid
    )
    assert result.refitted == again
    same = (
        result.best_estimator_.program_.fingerprint()
        == result.students[choice_of(result)["name"]].program_.fingerprint()
    )
    assert same != again
    assert result.best_estimator_.distillation_report_["n_rows"] == result.n_rows + again * result.n_valid
    with pytest.raises(ValueError, match="refit must be True, False or 'auto'; got 'no'"):
        distill(iris_forest, iris.X, iris.y, refit="no", random_state=0)


def test_a_regression_student_is_refitted_too():
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 2, size=(300, 2))
    y = np.column_stack([X @ [1.0, 2.0], X @ [0.5, -1.0]]) + 0.1 * rng.normal(size=(300, 2))
    forest = RandomForestRegressor(30, random_state=0)
    result = distill(forest, X, y, students={"linear": "linear"}, random_state=0)
    assert result.refitted
    assert result.best_estimator_.distillation_report_["n_rows"] == 300
    assert r2_score(y, result.best_estimator_.predict(X)) > 0.95


def test_a_net_whose_size_the_recipe_chose_is_refitted_in_that_size():
    rng = np.random.default_rng(0)
    X, X_valid = rng.normal(size=(600, 3)), rng.normal(size=(200, 3))
    y, y_valid = (one[:, 0] + 3 * rng.normal(size=len(one)) > 0 for one in (X, X_valid))
    tree = DecisionTreeClassifier(random_state=0).fit(X, y)
    students = {"net": MLPStudent(numeric="standard", max_epochs=2, random_state=0)}
    result = distill(tree, X, y, X_valid=X_valid, y_valid=y_valid, students=students, refit=True, random_state=0)
    assert result.refitted
    assert choice_of(result)["params"]["student"].n_nets == result.best_estimator_.student_.n_nets == 4
    assert choice_of(result)["nbytes"] == program_bytes(result.best_estimator_)


def test_a_refit_that_exceeds_the_budget_is_dropped():
    rng = np.random.default_rng(0)
    # a category needs five rows, and has six: with a fifth held out there are too few of many
    X = pd.DataFrame({"code": np.repeat([f"c{number}" for number in range(50)], 6), "x": rng.normal(size=300)})
    y = (X["x"] + 0.3 * rng.normal(size=300) > 0).to_numpy().astype(int)

    def teacher(X):
        p = 1 / (1 + np.exp(-3 * X["x"].to_numpy()))
        return np.column_stack([1 - p, p])

    given = {"classes": [0, 1], "students": {"linear": LinearStudent()}, "random_state": 0}
    measured = distill(teacher, X, y, refit=False, **given)
    size = choice_of(measured)["nbytes"]
    larger = distill(teacher, X, y, **given)
    assert larger.refitted
    assert program_bytes(larger.best_estimator_) > size
    with pytest.warns(UserWarning, match="not refitted on all rows, because it would then have"):
        kept = distill(teacher, X, y, max_bytes=size, **given)
    assert kept.met
    assert not kept.refitted
    assert program_bytes(kept.best_estimator_) == size


def test_any_number_of_processes_finds_the_same(table):
    X, y = table
    teacher = RandomForestClassifier(20, min_samples_leaf=5, random_state=0)
    students = {"linear": "linear", "net": net(hidden_layer_sizes=(2,)), "nets": net(hidden_layer_sizes=(2,), n_nets=2)}
    found = [
        distill_to_budget(teacher, read(X), y, students=students, random_state=0, n_jobs=n_jobs) for n_jobs in (1, 2)
    ]
    one, two = ({name: taken.program_.fingerprint() for name, taken in result.students.items()} for result in found)
    assert one == two
    assert found[0].best_estimator_.program_.fingerprint() == found[1].best_estimator_.program_.fingerprint()
    assert found[0].best_estimator_.distillation_report_ == found[1].best_estimator_.distillation_report_


def test_validation_rows_that_were_seen_are_warned_of():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 4)), rng.integers(2, size=300)
    teacher = RandomForestClassifier(50, random_state=0).fit(X, y)
    fit = partial(distill, teacher, students={"net": net(hidden_layer_sizes=())}, random_state=0)
    with pytest.warns(UserWarning, match="fitted on X, including the held-out rows.*X_valid and y_valid"):
        result = fit(X, y)
    assert choice_of(result)["retention"] < 0.9
    assert "rows held out of X" in str(result)
    assert "The teacher has been fitted on them" in str(result)
    with pytest.warns(UserWarning, match="Most rows of X_valid are rows of X"):
        result = fit(X[:200], y[:200], X_valid=X[150:201], y_valid=y[150:201])
    assert "validation rows given" in str(result)
    assert fit(X[:200], y[:200], X_valid=X[150:], y_valid=y[150:]).leaked is False
    # linear students do without the check
    linear = distill(teacher, X, y, students={"linear": "linear"}, random_state=0)
    assert linear.leaked is None
    assert "may have been fitted on the validation rows" in str(linear)


def test_progress_is_shown(iris, iris_forest, capsys):
    distill(iris_forest, iris.X, iris.y, students={"linear": "linear"}, refit=False, random_state=0, verbose=1)
    shown = capsys.readouterr().err
    assert "distill_to_budget" in shown
    assert "retention=" in shown


def test_bad_input_raises_before_the_teacher_is_asked(iris):
    teacher = RecordingTeacher(lambda X: np.full((len(X), 3), 1 / 3))
    X, y = iris.X, iris.y
    for wrong, message in (
        ({"max_bytes": 0}, "max_bytes must be a positive number"),
        ({"min_retention": "all"}, "min_retention must be a positive number"),
        ({"max_latency_us": float("nan")}, "max_latency_us must be a positive number"),
        ({"scoring": "nothing"}, "not a valid scoring value"),
        ({"X_valid": X}, "X_valid and y_valid go together"),
        ({"X_valid": X, "y_valid": y[:3]}, "X_valid has 150 rows and y_valid has 3"),
        ({"X_valid": X[:, :2], "y_valid": y}, "X has 2 features"),
        ({"validation_fraction": 1.0}, "validation_fraction must be"),
        ({"students": {}}, "students holds no student"),
        ({"students": ["linear"]}, "students is of type list; expected a dict of students by name"),
    ):
        with pytest.raises(ValueError, match=message):
            distill(teacher, X, y, random_state=0, **wrong)
    with pytest.raises(ValueError, match="X has 150 rows and y has 149"):
        distill(teacher, X, y[1:], random_state=0)
    assert teacher.seen == []


def test_an_unfitted_teacher_is_fitted_to_the_training_rows(iris, tmp_path):
    forest = CountingForest(tmp_path / "log")
    result = distill(forest, iris.X, iris.y, students={"linear": "linear"}, random_state=0)
    assert result.best_estimator_.teacher_ is not forest
    assert result.n_rows == 120
    assert not hasattr(forest, "classes_")


# regression


@pytest.fixture(scope="module")
def regression_search():
    """A search for a student of a regression forest, on validation rows that it has not seen."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 2, size=(500, 3))
    y = np.sin(2 * X[:, 0]) + X[:, 1] + 0.1 * rng.normal(size=500)
    forest = RandomForestRegressor(50, random_state=0).fit(X[:350], y[:350])
    students = {
        "linear": "linear",
        "tree": "tree",
        "net": small_mlp_regressor(batch_size=256, learning_rate=0.03, max_epochs=20),
    }
    given = {"X_valid": X[350:], "y_valid": y[350:], "students": students, "random_state": 0}
    return distill(forest, X[:350], y[:350], max_bytes=4_000, **given), forest, X[350:], y[350:]


def test_regression_has_a_budget_too(regression_search, tmp_path):
    result, forest, X, y = regression_search
    assert result.scoring == "r2"
    assert result.met
    assert isinstance(result.best_estimator_, DistilledRegressor)
    assert program_bytes(result.best_estimator_) <= 4_000
    teacher_pred = forest.predict(X)
    assert_allclose(result.teacher_score, r2_score(y, teacher_pred))
    assert {"linear", "net", "net, int8"} <= set(result.students)
    for row in rows_of(result):
        student_pred = result.students[row["name"]].predict(X)
        assert_allclose(row["score"], r2_score(y, student_pred))
        assert_allclose(row["retention"], r2_score(y, student_pred) / r2_score(y, teacher_pred))
        assert_allclose(row["fidelity"], r2_score(teacher_pred, student_pred))
        assert_allclose(row["rmse"], root_mean_squared_error(y, student_pred))
    # a line cannot follow a wave
    assert choice_of(result)["name"] != "linear"
    result.best_estimator_.export(tmp_path / "student.skd")
    assert_allclose(load(tmp_path / "student.skd").predict(X), result.best_estimator_.predict(X))
    assert_allclose(result.best_estimator_.ask_teacher(X), teacher_pred)


def test_a_callable_regressor_and_another_scoring(regression_search):
    _, forest, X, y = regression_search
    result = distill(
        lambda X: forest.predict(X),
        X,
        y,
        scoring="neg_mean_absolute_error",
        students={"linear": "linear"},
        random_state=0,
    )
    assert isinstance(result.best_estimator_, DistilledRegressor)
    assert result.teacher_score < 0
    assert 0 < choice_of(result)["retention"] < 1
    with pytest.raises(ValueError, match="classes is given"):
        distill(forest, X, y, classes=[0, 1], random_state=0)
    with pytest.raises(ValueError, match="y_valid contains NaN"):
        distill(forest, X, y, X_valid=X, y_valid=np.full(len(y), np.nan), random_state=0)


def test_outputs_are_matched_by_name():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    Y = pd.DataFrame(X[:, :3] * [1, 10, 100] + rng.normal(size=(200, 3)), columns=["width", "height", "depth"])
    ridge, turned = Ridge().fit(X, Y), ["depth", "width", "height"]

    def teacher(X):
        return pd.DataFrame(ridge.predict(X), columns=Y.columns)[turned]

    for valid in ({}, {"X_valid": X + 1, "y_valid": Y[turned] + 1}):
        rows = {name: values if name == "X_valid" else values[Y.columns] for name, values in valid.items()}
        result, expected = (
            distill(asked, X, Y, students={"linear": "linear"}, random_state=0, **more)
            for asked, more in ((teacher, valid), (ridge, rows))
        )
        assert_allclose(
            [result.teacher_score, choice_of(result)["score"]], [expected.teacher_score, choice_of(expected)["score"]]
        )
        assert_allclose(result.best_estimator_.ask_teacher(X), ridge.predict(X))
    assert "r2 and fidelity on 200 validation rows given, of students of 200 rows; the teacher's" in str(result)
