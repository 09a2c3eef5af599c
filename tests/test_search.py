"""The smallest student that is good enough, and the best within a budget."""

import pickle
from functools import partial

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
from sklearn.utils import check_random_state

from skdistill import (
    DistilledClassifier,
    DistilledRegressor,
    LinearStudent,
    MLPStudent,
    TreeStudent,
    distill_to_budget,
    load,
    smallest_within,
)
from skdistill.metrics import fidelity_score, make_size_scorer, n_parameters, program_bytes, retention_score

pd = Optional("pandas")

#: Nets of few epochs are fitted sooner than a process starts.
distill = partial(distill_to_budget, n_jobs=1)


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
    with pytest.raises(ValueError, match="scores accuracy, other beside the size; say in score="):
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
    assert result.choice["name"] == "right"


def test_with_few_rows_the_default_candidates_include_ensembles_of_small_nets(iris, iris_forest, monkeypatch):
    fit_targets, seen = MLPStudent.fit_targets, set()

    def noting(self, X, targets):
        seen.add((tuple(self.hidden_layer_sizes), self.n_nets))
        # nothing is shown of how good they are
        return fit_targets(self.set_params(hidden_layer_sizes=(), max_epochs=1), X, targets)

    monkeypatch.setattr(MLPStudent, "fit_targets", noting)
    X, y = iris.X[::5], iris.y[::5]
    result = distill(iris_forest, X, y, X_valid=iris.X[1::9], y_valid=iris.y[1::9], random_state=0)
    assert {one for one in seen if one[1] > 1} == {((8,), 4), ((32,), 2)}
    assert len(seen) == 8
    assert {"linear", "additive", "tree", "mlp 8", "mlp 8, 4 nets", "mlp 96x96, int8"} <= set(result.students)


def test_an_ensemble_replaces_a_single_net_of_the_same_kind(table):
    X, y = table
    # without hidden units there is nothing to prune
    plain = {"hidden_layer_sizes": (), "max_epochs": 3}
    students = {"one": net(**plain), "four": net(n_nets=4, **plain)}
    given = {"X_valid": X[300:], "y_valid": y[300:], "students": students, "random_state": 0}
    assert distill(Frames(X[:300], y[:300]), X[:300], y[:300], **given).choice["name"].startswith("four")


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
    assert len(new) == result.model.distillation_report_["n_new"] == 5 * 400
    assert len(result.students) == 12


def test_the_frontier_holds_every_student_and_its_figures(searched, table):
    X, y = table
    result, teacher = searched
    names = ["linear", "tree", "net", "wide net"]
    names += [f"{name}, int8" for name in names]
    pruned = [f"wide net, pruned to {kept}" for kept in ("75%", "50%")]
    names += [*pruned, *(f"{name}, int8" for name in pruned)]
    assert {row["name"] for row in result.frontier} == set(names) == set(result.students)
    teacher_pred = teacher.forest.predict_proba(read(X[400:]))
    for row in result.frontier:
        student = result.students[row["name"]]
        proba = student.predict_proba(X[400:])
        assert row["nbytes"] == program_bytes(student)
        assert row["n_parameters"] == n_parameters(student)
        assert row["latency_us"] > 0
        assert_allclose(row["fidelity"], fidelity_score(teacher_pred, proba))
        assert_allclose(row["score"], np.mean(student.predict(X[400:]) == y[400:]))
        assert_allclose(row["retention"], retention_score(y[400:], teacher_pred, proba))
        assert row["within_budget"] == (row["nbytes"] <= 1_500)
        no_larger = [one for one in result.frontier if one is not row and one["nbytes"] <= row["nbytes"]]
        assert row["on_frontier"] == all(one["score"] < row["score"] for one in no_larger)
    sizes = [row["nbytes"] for row in result.frontier]
    assert sizes == sorted(sizes)
    assert result.n_rows == 400
    assert result.n_held_out == 200
    assert_allclose(result.teacher_score, np.mean(np.array(["no", "yes"])[teacher_pred.argmax(axis=1)] == y[400:]))


def test_the_best_within_the_limits_is_chosen_and_is_a_model_like_any_other(searched, table, tmp_path):
    X, y = table
    result, _ = searched
    within = [row for row in result.frontier if row["within_budget"]]
    assert 0 < len(within) < len(result.frontier)
    assert result.met
    choice = result.choice
    assert choice in within
    # what is worse in score is so by no more than chance has it: two standard errors of 200 rows
    assert choice["score"] > max(row["score"] for row in within) - 2 * np.sqrt(0.25 / 200)
    model = result.model
    assert isinstance(model, DistilledClassifier)
    assert model is result.nearest
    assert program_bytes(model) == result.choice["nbytes"] <= 1_500
    assert_allclose(model.score(X[400:], y[400:]), result.choice["score"])
    model.export(tmp_path / "student.skd")
    assert_array_equal(load(tmp_path / "student.skd").predict(X[400:]), model.predict(X[400:]))
    assert_array_equal(pickle.loads(pickle.dumps(model.student_)).predict(X), model.predict(X))
    assert model.distillation_report_["n_label_models"] > 0
    text = str(result)
    assert text.startswith(f"{result.choice['name']} meets the budget (max_bytes=1,500)")
    assert f"* {result.choice['name']}" in text
    assert all(row["name"] in text for row in result.frontier)


def test_the_smallest_that_keeps_enough_is_chosen_where_nothing_limits_its_size(searched, iris, iris_forest):
    students = {"additive": "additive", "linear": LinearStudent(), "weak": LinearStudent(C=1e-6)}
    result = distill(clone(iris_forest), iris.X, iris.y, min_retention=0.9, students=students, random_state=0)
    assert result.met
    within = [row for row in result.frontier if row["within_budget"]]
    assert result.choice["nbytes"] == min(row["nbytes"] for row in within)
    assert not next(row for row in result.frontier if row["name"] == "weak")["within_budget"]
    assert result.budget == {"min_retention": 0.9}
    # an unfitted teacher has not seen the rows held out
    assert result.n_held_out == 30
    assert_allclose(result.model.teacher_.score(iris.X, iris.y) * 150, 150, atol=30)


def test_none_meets_the_budget_and_the_nearest_is_named(iris, iris_forest):
    students = {"linear": "linear", "additive": "additive"}
    given = {"X_valid": iris.X, "y_valid": iris.y, "students": students, "random_state": 0}
    result = distill(iris_forest, iris.X, iris.y, max_bytes=10, **given)
    assert not result.met
    assert result.model is None
    # none is small enough: the one that exceeds the limit least
    assert result.choice["nbytes"] == min(row["nbytes"] for row in result.frontier)
    text = str(result)
    assert text.startswith("No student meets the budget (max_bytes=10)")
    assert f"comes nearest: it has {result.choice['nbytes']} bytes" in text
    result = distill(iris_forest, iris.X, iris.y, max_bytes=1e6, min_retention=5, **given)
    assert result.model is None
    # all are small enough: the best
    assert result.choice["score"] > max(row["score"] for row in result.frontier) - 0.05
    assert f"its retention is {result.choice['retention']:.4f}" in str(result)
    assert "bytes" not in str(result).splitlines()[0].split("nearest")[1]
    assert result.nearest.score(iris.X, iris.y) > 0.8
    slow = distill(iris_forest, iris.X, iris.y, max_latency_us=1e-3, **given)
    assert "a row takes" in str(slow)


def test_the_retention_of_a_loss_is_the_teachers_over_the_students(iris, iris_forest):
    result = distill(
        iris_forest,
        iris.X,
        iris.y,
        X_valid=iris.X,
        y_valid=iris.y,
        scoring="neg_log_loss",
        students={"linear": "linear"},
        random_state=0,
    )
    losses = [log_loss(iris.y, one.predict_proba(iris.X)) for one in (iris_forest, result.students["linear"])]
    # the search counts no probability as less than a floor
    assert_allclose(result.choice["retention"], losses[0] / losses[1], rtol=1e-3)
    assert result.scoring == "neg_log_loss"


def test_a_student_without_a_program_has_no_size(iris, iris_forest):
    students = {"other": LogisticRegression(max_iter=1000), "linear": "linear"}
    given = {"X_valid": iris.X, "y_valid": iris.y, "students": students, "random_state": 0}
    result = distill(iris_forest, iris.X, iris.y, **given)
    other = result.frontier[-1]
    assert other["name"] == "other"
    assert other["nbytes"] is other["n_parameters"] is None
    assert other["within_budget"]
    assert "no Program" in str(result)
    limited = distill(iris_forest, iris.X, iris.y, max_bytes=1e9, **given)
    assert not limited.frontier[-1]["within_budget"]


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
    name = result.choice["name"]
    assert name.startswith("net")
    assert (result.n_rows, result.n_held_out) == (320, 80)
    report = result.model.distillation_report_
    assert (report["n_rows"], report["n_labelled"]) == (400, 400)
    assert report["n_new"] > 0
    measured = result.students[name]
    assert result.model.program_.fingerprint() != measured.program_.fingerprint()
    # the same kind and size, and similar predictions
    assert abs(program_bytes(result.model) - program_bytes(measured)) < 100
    assert np.mean(result.model.predict(X[:200]) == measured.predict(X[:200])) > 0.9
    assert str(result).endswith(f"{name} was then fitted again to all of them")
    # the training rows, new ones, those held out, new ones of all
    assert [len(rows) for rows in teacher.asked] == [320, 5 * 320, 80, report["n_new"]]
    given = pd.concat([teacher.asked[0], teacher.asked[2]]).sort_index()
    pd.testing.assert_frame_equal(given, X[200:])


@pytest.mark.parametrize(
    ("refit", "given", "again"), [(False, False, False), ("auto", True, False), (True, True, True)]
)
def test_given_validation_rows_are_used_to_refit_on_request(refit, given, again, iris, iris_forest):
    valid = {"X_valid": iris.X[::3], "y_valid": iris.y[::3]} if given else {}
    result = distill(
        clone(iris_forest), iris.X, iris.y, refit=refit, students={"linear": "linear"}, random_state=0, **valid
    )
    assert result.refitted == again
    same = result.model.program_.fingerprint() == result.students[result.choice["name"]].program_.fingerprint()
    assert same != again
    assert result.model.distillation_report_["n_rows"] == result.n_rows + again * result.n_held_out
    with pytest.raises(ValueError, match="refit must be True, False or 'auto'; got 'no'"):
        distill(iris_forest, iris.X, iris.y, refit="no", random_state=0)


def test_a_regression_student_is_refitted_too():
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 2, size=(300, 2))
    y = np.column_stack([X @ [1.0, 2.0], X @ [0.5, -1.0]]) + 0.1 * rng.normal(size=(300, 2))
    forest = RandomForestRegressor(30, random_state=0)
    result = distill(forest, X, y, students={"linear": "linear"}, random_state=0)
    assert result.refitted
    assert result.model.distillation_report_["n_rows"] == 300
    assert r2_score(y, result.model.predict(X)) > 0.95


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
    size = measured.choice["nbytes"]
    larger = distill(teacher, X, y, **given)
    assert larger.refitted
    assert program_bytes(larger.model) > size
    kept = distill(teacher, X, y, max_bytes=size, **given)
    assert kept.met
    assert not kept.refitted
    assert program_bytes(kept.model) == size


def test_any_number_of_processes_finds_the_same(table):
    X, y = table
    teacher = RandomForestClassifier(20, min_samples_leaf=5, random_state=0)
    students = {"linear": "linear", "net": net(hidden_layer_sizes=(2,)), "nets": net(hidden_layer_sizes=(2,), n_nets=2)}
    found = [
        distill_to_budget(teacher, read(X), y, students=students, random_state=0, n_jobs=n_jobs) for n_jobs in (1, 2)
    ]
    one, two = ({name: taken.program_.fingerprint() for name, taken in result.students.items()} for result in found)
    assert one == two
    assert found[0].model.program_.fingerprint() == found[1].model.program_.fingerprint()
    assert found[0].model.distillation_report_ == found[1].model.distillation_report_


def test_a_teacher_that_has_memorised_the_rows_is_warned_of():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 4)), rng.integers(2, size=300)
    teacher = RandomForestClassifier(50, random_state=0).fit(X, y)
    with pytest.warns(UserWarning, match="has memorised X.*X_valid and y_valid"):
        result = distill(teacher, X, y, students={"net": net(hidden_layer_sizes=())}, random_state=0)
    assert result.choice["retention"] < 0.9


def test_progress_is_shown(iris, iris_forest, capsys):
    distill(
        iris_forest,
        iris.X,
        iris.y,
        X_valid=iris.X,
        y_valid=iris.y,
        students={"linear": "linear"},
        random_state=0,
        verbose=1,
    )
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
    ):
        with pytest.raises(ValueError, match=message):
            distill(teacher, X, y, random_state=0, **wrong)
    with pytest.raises(ValueError, match="X has 150 rows and y has 149"):
        distill(teacher, X, y[1:], random_state=0)
    assert teacher.seen == []


def test_an_unfitted_teacher_is_fitted_to_the_training_rows(iris, tmp_path):
    forest = CountingForest(tmp_path / "log")
    result = distill(forest, iris.X, iris.y, students={"linear": "linear"}, random_state=0)
    assert result.model.teacher_ is not forest
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
    assert isinstance(result.model, DistilledRegressor)
    assert program_bytes(result.model) <= 4_000
    teacher_pred = forest.predict(X)
    assert_allclose(result.teacher_score, r2_score(y, teacher_pred))
    assert {"linear", "net", "net, int8", "net, pruned to 50%"} <= set(result.students)
    for row in result.frontier:
        student_pred = result.students[row["name"]].predict(X)
        assert_allclose(row["score"], r2_score(y, student_pred))
        assert_allclose(row["retention"], r2_score(y, student_pred) / r2_score(y, teacher_pred))
        assert_allclose(row["fidelity"], r2_score(teacher_pred, student_pred))
        assert_allclose(row["rmse"], root_mean_squared_error(y, student_pred))
    # a line cannot follow a wave
    assert result.choice["name"] != "linear"
    result.model.export(tmp_path / "student.skd")
    assert_allclose(load(tmp_path / "student.skd").predict(X), result.model.predict(X))
    assert_allclose(result.model.ask_teacher(X), teacher_pred)


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
    assert isinstance(result.model, DistilledRegressor)
    assert result.teacher_score < 0
    assert 0 < result.choice["retention"] < 1
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

    for valid in ({}, {"X_valid": X, "y_valid": Y[turned]}):
        rows = {name: values if name == "X_valid" else values[Y.columns] for name, values in valid.items()}
        result, expected = (
            distill(asked, X, Y, students={"linear": "linear"}, random_state=0, **more)
            for asked, more in ((teacher, valid), (ridge, rows))
        )
        assert_allclose(
            [result.teacher_score, result.choice["score"]], [expected.teacher_score, expected.choice["score"]]
        )
        assert_allclose(result.model.ask_teacher(X), ridge.predict(X))
    assert "r2 and fidelity on 200 validation rows beside 200; the teacher's" in str(result)
