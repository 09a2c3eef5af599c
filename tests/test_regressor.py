"""DistilledRegressor and the regression students: they predict numbers in the target's own unit."""

import pickle

import numpy as np
import pytest
from helpers import CountingRidge, Optional, notes, small_mlp_regressor, small_tree_regressor
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import check_grad
from sklearn.base import clone, is_regressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import r2_score, root_mean_squared_error
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from skdistill import (
    DistilledClassifier,
    DistilledRegressor,
    LinearStudentRegressor,
    MLPStudentRegressor,
    TreeStudentRegressor,
)
from skdistill.losses import Huber, SquaredError, Targets, regression_loss
from skdistill.program import run

pd = Optional("pandas")


@pytest.fixture(params=["linear", "mlp", "tree"])
def student(request):
    """Each kind of student, small."""
    kinds = {"linear": LinearStudentRegressor, "mlp": small_mlp_regressor, "tree": small_tree_regressor}
    return kinds[request.param]()


@pytest.fixture(scope="module")
def rows():
    """442 rows, 10 columns, a number to predict."""
    return load_diabetes(return_X_y=True)


@pytest.fixture(scope="module")
def forest(rows):
    return RandomForestRegressor(30, max_depth=6, oob_score=True, random_state=0).fit(*rows)


#: A teacher whose R2 is below zero is warned of.
useless_teacher = pytest.mark.filterwarnings("ignore:.*says little of these labels:UserWarning")


def wavy(n_rows, seed=0, noise=0.3):
    X = np.random.default_rng(seed).normal(size=(n_rows, 4))
    return X, true_wave(X) + np.random.default_rng(seed + 1).normal(0, 10 * noise, n_rows)


def true_wave(X):
    return 500 + 10 * (np.maximum(X[:, 0], X[:, 1]) + 0.5 * X[:, 2])


def fingerprint(*args, X, y=None, **params):
    return DistilledRegressor(*args, **params).fit(X, y).program_.fingerprint()


# the loss


@pytest.mark.parametrize("row_loss", [SquaredError(), Huber(0.7)])
def test_the_gradient_is_that_of_the_loss(row_loss):
    rng = np.random.default_rng(0)
    z, answers, y = rng.normal(size=(3, 8, 2))
    y[::3] = np.nan
    weight = rng.uniform(0, 2, 8)

    def loss(flat):
        return regression_loss(flat.reshape(8, 2), answers, y, alpha=0.3, loss=row_loss, sample_weight=weight)

    assert check_grad(lambda flat: loss(flat)[0], lambda flat: loss(flat)[1].ravel(), z.ravel()) < 1e-5


def test_the_loss_is_the_formula():
    z, answers, y = np.array([[1.0], [2.0], [3.0]]), np.array([[2.0], [2.0], [0.0]]), np.array([[1.0], [np.nan], [7.0]])
    # alpha * (0 + ... ) by hand: squares to the teacher 1, 0, 9; to the labels 0, none, 16
    assert regression_loss(z, answers, y, alpha=0.25)[0] == pytest.approx((0.25 * 10 + 0.75 * 16) / 3)
    # beyond 1, 3 counts as 2 * 3 - 1 and 4 as 2 * 4 - 1
    assert regression_loss(z, answers, y, alpha=0.25, loss=Huber(1))[0] == pytest.approx((0.25 * 6 + 0.75 * 7) / 3)


@pytest.mark.parametrize("row_loss", [SquaredError(), Huber(0.7)])
def test_torch_and_numpy_work_out_the_same_loss(row_loss):
    import torch

    from skdistill.student._torch_loss import TermsLoss, target_arrays

    rng = np.random.default_rng(0)
    z, answers, y = rng.normal(size=(3, 20, 2))
    y[::3] = np.nan
    terms = Targets(answers, y, rng.uniform(0, 2, 20), 0.4, row_loss).terms(20)
    targets = tuple(torch.tensor(part, dtype=torch.float32) for part in target_arrays(terms))
    outputs = torch.tensor(z, dtype=torch.float32, requires_grad=True)
    loss = TermsLoss(row_loss)(outputs, targets)
    loss.backward()
    value, gradient = terms.value_and_gradient(z)
    assert loss.item() == pytest.approx(value, rel=1e-5)
    assert_allclose(outputs.grad.numpy(), gradient, rtol=1e-4, atol=1e-6)


# students by themselves


def test_the_linear_student_is_ridge_on_scaled_rows_and_target(rows):
    X, y = rows
    student = LinearStudentRegressor(C=0.1, tol=1e-9).fit(X, y)
    Z, spread = run(student.program_.ops[0](X), student.program_.ops[1:-2]), y.std()
    ridge = Ridge(alpha=5).fit(Z, y / spread)
    assert_allclose(student.predict(X), ridge.predict(Z) * spread, rtol=1e-4)


def test_students_learn_several_outputs_of_any_unit(student):
    X, y = wavy(400)
    Y = np.column_stack([y, 1e9 - y, 1e-6 * X[:, 0], np.full(400, 4.0)])
    fitted = clone(student).fit(X, Y)
    pred = fitted.predict(X)
    assert pred.shape == (400, 4)
    assert (r2_score(Y[:, :3], pred[:, :3], multioutput="raw_values") > 0.5).all()
    assert_array_equal(pred[:, 3], 4.0)
    assert fitted.program_.n_outputs == 4
    assert_array_equal(fitted.program_(X), pred)
    single = clone(student).fit(X, y[:, None])
    assert_array_equal(single.predict(X), clone(student).fit(X, y).predict(X))


@pytest.mark.parametrize(("center", "unit"), [(1e15, 100.0), (0.0, 1e-15), (0.0, 1e300), (0.0, 1e-300)])
def test_a_target_far_from_zero_or_of_any_size_is_learned(student, center, unit):
    X, y = wavy(400)

    def in_unit(values):
        return center + unit * (values - 500) / 10

    fitted = clone(student).fit(X, in_unit(y))
    expected = clone(student).fit(X, y).predict(X)
    assert r2_score((expected - 500) / 10, (fitted.predict(X) - center) / unit) > 0.99
    distilled = DistilledRegressor(lambda X: in_unit(true_wave(X)), student=student, random_state=0).fit(X, in_unit(y))
    plain = DistilledRegressor(true_wave, student=student, random_state=0).fit(X, y)
    assert distilled.alpha_ == pytest.approx(plain.alpha_, abs=0.05)
    assert r2_score((plain.predict(X) - 500) / 10, (distilled.predict(X) - center) / unit) > 0.99


def test_predictions_are_held_to_the_range_of_the_target(student):
    X, y = wavy(400)
    Y = np.column_stack([np.exp((y - 500) / 10), 500 - np.maximum(y, 500), y - 500])
    lowest, highest = Y.min(axis=0), Y.max(axis=0)
    free, auto, both = (
        clone(student).set_params(clip=clip, loss=Huber()).fit(X, Y).predict(10 * X) for clip in (False, "auto", True)
    )
    if not isinstance(student, TreeStudentRegressor):
        assert (free.min(axis=0) < lowest).all()
        assert (free.max(axis=0) > highest).all()
    # by default only zero is an edge: of the first output from below, of the second from above
    assert_array_equal(auto[:, 0], np.maximum(free[:, 0], lowest[0]))
    assert_array_equal(auto[:, 1], np.minimum(free[:, 1], highest[1]))
    assert_array_equal(auto[:, 2], free[:, 2])
    assert_array_equal(both, np.clip(free, lowest, highest))


def test_only_what_is_fitted_bounds_predictions(rows):
    X, y = rows
    y = np.where(np.arange(len(y)) == 7, -5.0, y)
    teacher = RandomForestRegressor(10, min_samples_leaf=9, random_state=0).fit(X, abs(y))
    answers = teacher.predict(X)

    def lowest(alpha, weight=None):
        model = DistilledRegressor(teacher, student="linear", alpha=alpha).fit(X, y, sample_weight=weight)
        return model.program_.ops[-1].lower

    assert lowest(1) == answers.min()
    assert lowest(0.5) is None
    assert lowest(0) is None
    assert lowest(0.5, np.where(y < 0, 0.0, 1.0)) == min(y[y > 0].min(), answers[y > 0].min())


def test_a_distilled_net_predicts_nothing_below_zero_of_a_target_that_never_is():
    X, y = wavy(400)
    gross = 1e5 * np.exp((y - 500) / 5)
    forest = RandomForestRegressor(30, random_state=0).fit(X, gross)
    held, free = (
        DistilledRegressor(forest, student=small_mlp_regressor(clip=clip), random_state=0).fit(X, gross).predict(9 * X)
        for clip in ("auto", False)
    )
    assert held.min() >= gross.min() > 0
    assert free.min() < 0


def test_a_constant_target_is_answered_with_the_constant(student, rows):
    X, _ = rows
    y = np.full(len(X), 0.1)
    assert_array_equal(clone(student).fit(X, y).predict(X[:5] * 100), y[:5])
    model = DistilledRegressor(LinearRegression(), student=student, random_state=0).fit(X, y)
    assert_allclose(model.predict(X), y, rtol=1e-12)


def test_a_tree_reads_in_the_targets_unit():
    X = np.arange(100.0)[:, None]
    tree = TreeStudentRegressor(2, smoothing=0).fit(X, np.where(X < 40, [[1500.0, 1]], [[7000.0, 2]]))
    assert tree.export_text().splitlines()[1] == "|   |--- 1500, 1"
    far = TreeStudentRegressor(2, smoothing=0).fit(X, np.where(X[:, 0] < 40, 1e15, 1e15 + 100))
    assert far.export_text().splitlines()[3] == "|   |--- 1000000000000100"


def test_huber_is_robust_to_outliers(student):
    X, y = wavy(800, noise=0.05)
    spoilt = np.where(np.arange(800) % 12 == 0, 1e5, y)
    plain, robust = (
        DistilledRegressor(Ridge(), student=student, alpha=0, loss=loss).fit(X, spoilt)
        for loss in ("squared_error", "huber")
    )
    errors = [root_mean_squared_error(true_wave(X), model.predict(X)) for model in (plain, robust)]
    assert errors[0] > 500
    assert errors[1] < 15
    alone = clone(student).set_params(loss=Huber()).fit(X, spoilt)
    assert alone.program_.fingerprint() == robust.program_.fingerprint()


# it distils


def test_a_negated_teacher_turns_the_students_sign(student, rows, forest):
    X, y = rows
    for alpha in (1, 0.9):
        model = DistilledRegressor(lambda X: -forest.predict(X), student=student, alpha=alpha)
        with pytest.warns(UserWarning, match="says little of these labels"):
            model.fit(X, y)
        assert np.corrcoef(model.predict(X), forest.predict(X))[0, 1] < -0.7
        assert model.predict(X).mean() < -0.5 * y.mean()


@useless_teacher
def test_with_alpha_0_the_teachers_answers_change_nothing(student, rows, forest):
    X, y = rows
    prints = {
        fingerprint(teacher, student=student, alpha=0, X=X, y=y)
        for teacher in (forest, lambda X: 1e6 - forest.predict(X))
    }
    assert prints == {clone(student).fit(X, y).program_.fingerprint()}


def test_without_labels_the_student_follows_the_teacher(student, rows, forest):
    X, _ = rows
    model = DistilledRegressor(forest, student=student, alpha=1).fit(X)
    assert r2_score(forest.predict(X), model.predict(X)) > 0.6
    assert DistilledRegressor(forest, student="linear").fit(X).distillation_report_["alpha"] == 1


def test_rows_of_weight_zero_are_no_rows(student, rows, forest):
    X, y = rows
    weight = np.random.default_rng(0).choice([0.0, 1.0, 2.5], len(X))
    model = DistilledRegressor(forest, student=student, alpha=0.5)
    weighted = clone(model).fit(X, y, sample_weight=weight)
    kept = weight > 0
    without = clone(model).fit(X[kept], y[kept], sample_weight=weight[kept])
    assert weighted.program_.fingerprint() == without.program_.fingerprint()
    assert weighted.program_.fingerprint() != clone(model).fit(X, y).program_.fingerprint()


def test_a_student_follows_a_teacher_of_several_outputs(student):
    X, y = wavy(400)
    Y = np.column_stack([y, -3 * y])
    teacher = RandomForestRegressor(20, random_state=0).fit(X, Y)
    model = DistilledRegressor(teacher, student=student, alpha=0.5).fit(X, Y)
    assert model.predict(X).shape == (400, 2)
    assert model.score(X, Y) > 0.7
    named = pd.DataFrame(Y, columns=["up", "down"])
    model.fit(X, named)
    assert model.score(X, named[["down", "up"]]) == pytest.approx(model.score(X, Y))


# teachers


@pytest.mark.parametrize("kind", ["unfitted", "callable", "list", "pipeline", "search", "column", "target"])
def test_teachers_of_every_kind(kind, rows, forest):
    X, y = rows
    teacher = {
        "unfitted": Ridge(),
        "callable": forest.predict,
        "list": [forest, Ridge().fit(X, y)],
        "pipeline": make_pipeline(StandardScaler(), Ridge()).fit(X, y),
        "search": GridSearchCV(Ridge(), {"alpha": [0.1, 1]}).fit(X, y),
        # some answer with one column
        "column": LinearRegression().fit(X, y[:, None]),
        "target": TransformedTargetRegressor(Ridge(), func=np.log, inverse_func=np.exp).fit(X, y),
    }[kind]
    model = DistilledRegressor(teacher, student=LinearStudentRegressor(C=10), alpha=1).fit(X, y)
    pred = {
        "unfitted": lambda: Ridge().fit(X, y).predict(X),
        "callable": lambda: forest.predict(X),
        "list": lambda: (forest.predict(X) + teacher[1].predict(X)) / 2,
    }.get(kind, lambda: teacher.predict(X).ravel())()
    best = LinearStudentRegressor(C=10).fit(X, pred)
    assert_allclose(model.predict(X), best.predict(X), rtol=1e-6)


def test_within_a_transformed_target(rows):
    X, y = rows
    inner = DistilledRegressor(RandomForestRegressor(20, random_state=0), student="linear")
    model = TransformedTargetRegressor(inner, func=np.log, inverse_func=np.exp).fit(X, y)
    assert model.score(X, y) > 0.4
    assert abs(model.regressor_.predict(X).mean() - np.log(y).mean()) < 0.1


def test_answers_given_beforehand_are_those_of_the_teacher(rows, forest):
    X, y = rows
    asked = fingerprint(forest, student="linear", alpha=0.7, X=X, y=y)
    given = DistilledRegressor(student="linear", alpha=0.7).fit(X, y, teacher_pred=forest.predict(X))
    assert given.program_.fingerprint() == asked


def test_out_of_bag_and_cross_fitted_answers(rows, forest):
    X, y = rows

    def distilled(**params):
        return DistilledRegressor(forest, student="linear", alpha=1, **params).fit(X, y).program_.fingerprint()

    def from_given(answers):
        model = DistilledRegressor(student="linear", alpha=1).fit(X, y, teacher_pred=answers)
        return model.program_.fingerprint()

    found = forest.oob_prediction_
    assert distilled(cv="oob") == from_given(np.where(found == 0, forest.predict(X), found))
    assert distilled(cv=3) == from_given(cross_val_predict(clone(forest), X, y, cv=3))
    assert distilled() == from_given(forest.predict(X))


# the recipe


def test_the_recipe_for_regression():
    X, y = wavy(400)
    forest = RandomForestRegressor(30, max_depth=5, random_state=0).fit(X, y)
    net = small_mlp_regressor(batch_size=64, learning_rate=0.03)
    model = DistilledRegressor(forest, student=net, label_ensemble=3, random_state=0).fit(X, y)
    report = model.distillation_report_
    assert report["n_labelled"] == report["n_rows"] == 400
    assert report["n_label_models"] == 3
    assert 0 < report["teacher_gap"] < 0.5
    assert [one["alpha"] for one in report["candidates"]] == [report["alpha"]]
    scores = {"rmse", "mae", "r2", "r2_teacher"}
    assert report["distilled"].keys() == report["labels_only"].keys() == report["teacher"].keys() == scores
    assert report["teacher"]["r2_teacher"] == 1
    assert report["temperature"] is None
    fresh, _ = wavy(2000, seed=9)
    errors = [root_mean_squared_error(true_wave(fresh), one.predict(fresh)) for one in (model, clone(net).fit(X, y))]
    assert errors[0] < errors[1]
    again = clone(model).fit(X, y)
    assert again.program_.fingerprint() == model.program_.fingerprint()


@useless_teacher
def test_the_teachers_share_falls_with_the_noise_that_it_has_memorised():
    X, y = wavy(600, noise=0.7)
    noise = KNeighborsRegressor(1).fit(X, y - true_wave(X))
    net = small_mlp_regressor(batch_size=64, learning_rate=0.03)

    def distilled(teacher):
        model = DistilledRegressor(teacher, student=net, label_ensemble=5, random_state=0).fit(X, y)
        return model, model.distillation_report_

    reports = [distilled(lambda X, share=share: true_wave(X) + share * noise.predict(X))[1] for share in (0, 0.2, 0.4)]
    shares = [report["alpha"] for report in reports]
    # one that has memorised none is worth what it is worth on the labels
    assert [report["memorised"] for report in reports] == [False, True, True]
    assert shares[0] > 0.5
    assert 0.4 >= shares[1] > shares[2] > 0
    gaps = [report["teacher_gap"] for report in reports]
    assert gaps == sorted(gaps)
    # beyond, and where it knows less than labels do, the label ensemble alone answers new rows
    (memorised, ahead), (behind, back) = distilled(KNeighborsRegressor(1).fit(X, y)), distilled(lambda X: -true_wave(X))
    assert ahead["teacher_gap"] > 0.25 > 0 > back["teacher_gap"]
    assert ahead["alpha"] == back["alpha"] == 0
    assert (ahead["memorised"], back["memorised"]) == (True, False)
    assert ahead["n_new"] == 10 * 600
    fresh = wavy(2000, seed=9)[0]
    several = (memorised, behind, clone(net).fit(X, y))
    *errors, of_labels = (root_mean_squared_error(true_wave(fresh), one.predict(fresh)) for one in several)
    assert max(errors) < of_labels


@pytest.mark.parametrize("noise", [0, 0.7])
def test_a_teacher_without_any_error_has_seen_the_labels_if_they_are_noisy(noise):
    X, y = wavy(400, noise=noise)
    net = small_mlp_regressor(batch_size=64, learning_rate=0.03)
    teacher = ExtraTreesRegressor(10, random_state=0).fit(X, y) if noise else true_wave
    report = DistilledRegressor(teacher, student=net, label_ensemble=3, random_state=0).fit(X, y).distillation_report_
    assert report["teacher"]["r2"] == pytest.approx(1)
    assert report["memorised"] == (noise > 0)
    assert report["alpha"] < 0.1 if noise else report["alpha"] > 0.9


@useless_teacher
def test_without_a_label_ensemble_alpha_follows_from_what_the_teacher_is_worth():
    X, y = wavy(600)
    model = DistilledRegressor(true_wave, student="linear", random_state=0).fit(X, y)
    assert model.distillation_report_["alpha"] > 0

    def misleading(X):
        return 500 + 1000 * np.modf(1e4 * abs(X[:, 0]))[0]

    model = DistilledRegressor(misleading, student="tree", random_state=0).fit(X, y)
    assert model.distillation_report_["alpha"] == 0


def test_new_and_unlabelled_rows_are_answered_by_the_teacher(rows, forest):
    X, y = rows
    more = X + 0.001
    model = DistilledRegressor(forest, student=small_mlp_regressor(), alpha=1, augment=2, random_state=0)
    report = model.fit(X[:100], y[:100], X_unlabeled=more).distillation_report_
    assert report["n_rows"] == 542
    assert report["n_new"] == 2 * 542
    alone = clone(model).set_params(augment=0).fit(X[:100], y[:100])
    fitted = [r2_score(forest.predict(X), one.predict(X)) for one in (model, alone)]
    assert fitted[0] > fitted[1]


# within scikit-learn


def test_a_fitted_teacher_survives_clone_search_and_pickle(rows, forest):
    X, y = rows
    model = DistilledRegressor(forest, student=LinearStudentRegressor())
    assert clone(model).teacher is forest
    search = GridSearchCV(model, {"alpha": [0.0, 1.0], "student__C": [0.1, 1.0]}, cv=3).fit(X, y)
    assert search.best_estimator_.teacher_ is forest
    loaded = pickle.loads(pickle.dumps(search.best_estimator_))
    assert_array_equal(loaded.predict(X), search.predict(X))
    alone = pickle.loads(pickle.dumps(search.best_estimator_.student_))
    assert_array_equal(alone.predict(X), search.predict(X))
    pipeline = make_pipeline(StandardScaler(), DistilledRegressor(Ridge(), student="linear")).fit(X, y)
    assert pipeline.score(X, y) > 0.4
    assert is_regressor(model)
    assert is_regressor(LinearStudentRegressor())


def test_memory_asks_the_teacher_once(rows, tmp_path):
    X, y = rows
    teacher = CountingRidge(tmp_path / "log").fit(X, y)
    for alpha in (0.2, 0.8):
        DistilledRegressor(teacher, student="linear", alpha=alpha, memory=str(tmp_path / "memory")).fit(X, y)
    assert len(notes(tmp_path / "log", "ask")) == 1


@pytest.mark.parametrize(
    "adapted",
    [
        DecisionTreeRegressor(max_depth=4, random_state=0),
        make_pipeline(StandardScaler(), LinearStudentRegressor(clip=False)),
    ],
    ids=["regressor", "pipeline"],
)
def test_any_regressor_is_a_student(adapted, rows, forest):
    X, y = rows
    model = DistilledRegressor(forest, student=adapted, alpha=0.5).fit(X, y)
    blend = 0.5 * forest.predict(X) + 0.5 * y
    direct = clone(adapted).fit(X, blend)
    assert_allclose(model.predict(X), direct.predict(X), rtol=1e-3)
    with pytest.raises(AttributeError, match="has no Program"):
        model.program_  # noqa: B018


def test_a_raw_frame_is_distilled():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "city": rng.choice(["Oslo", "Lima", None], 500),
            "size": np.where(rng.random(500) < 0.1, np.nan, rng.normal(80, 20, 500)),
            "sold": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, 500), "D"),
        }
    )
    price = 1000 * frame["size"].fillna(60) + 20_000 * (frame["city"] == "Oslo")

    def teacher(X):
        return 1000 * X["size"].fillna(60) + 20_000 * (X["city"] == "Oslo")

    student = MLPStudentRegressor((16,), max_epochs=40, random_state=0)
    model = DistilledRegressor(teacher, student=student, alpha=0.5).fit(frame, price)
    assert model.score(frame, price) > 0.97
    assert model.program_({"city": "Bergen", "size": 70, "sold": None}).shape == (1, 1)


# bad input


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        (lambda X: np.where(np.arange(len(X)) == 3, np.nan, 1.0), "returned contains NaN: nan in row 3, output 0"),
        (lambda X: np.where(np.arange(len(X)) == 4, -np.inf, 1.0), "returned contains infinity: -inf in row 4"),
        (lambda X: np.ones(len(X) - 1), r"returned has shape \(441,\); expected a number for each of 442 rows"),
        (lambda X: np.ones((len(X), 2)), "y has 1 output, and the teacher returned 2"),
        (lambda X: np.ones((len(X), 1, 1)), r"returned has shape \(442, 1, 1\)"),
        (lambda X: ["many"] * len(X), "not an array of numbers"),
        (lambda X: np.ones(len(X), dtype=complex), "array of complex128; expected real numbers"),
        (LogisticRegression(), "LogisticRegression is a classifier; DistilledRegressor needs a regressor"),
        (StandardScaler(), "StandardScaler has no predict"),
        (3, "teacher must be a regressor with predict, a callable"),
        ([], "teacher is an empty list"),
        (None, r"DistilledRegressor has no teacher. Pass teacher=.*teacher_pred"),
    ],
)
def test_an_unsuitable_teacher_raises(teacher, message, rows):
    with pytest.raises((TypeError, ValueError), match=message):
        DistilledRegressor(teacher, student="linear", alpha=0.5).fit(*rows)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda y: np.where(y == y[7], np.inf, y), "Input y contains infinity"),
        (lambda y: y[:-1], r"Input y has shape \(441,\)"),
        (
            lambda y: np.column_stack([y, np.where(y == y[7], np.nan, y)]),
            r"Input y contains NaN: nan in row \d+, output 1",
        ),
        (lambda y: y.astype(str) + "x", "not an array of numbers"),
        (lambda y: None, "y is None with alpha=0.5; labels are needed"),
    ],
)
def test_invalid_labels_raise(edit, message, rows, forest):
    X, y = rows
    with pytest.raises(ValueError, match=message):
        DistilledRegressor(forest, student="linear", alpha=0.5).fit(X, edit(y))


def test_classification_and_regression_are_not_mixed(rows, forest, iris, iris_forest):
    X, y = rows
    with pytest.raises(ValueError, match="RandomForestRegressor is a regressor"):
        DistilledClassifier(forest).fit(X, y > 100)
    with pytest.raises(ValueError, match="LinearStudentRegressor is a regressor; expected a classifier"):
        DistilledClassifier(iris_forest, student=LinearStudentRegressor()).fit(iris.X, iris.y)
    with pytest.raises(ValueError, match="LogisticRegression is a classifier; expected a regressor"):
        DistilledRegressor(forest, student=LogisticRegression()).fit(X, y)
    with pytest.raises(ValueError, match="minimises a loss of its own"):
        DistilledRegressor(forest, student=Ridge(), loss="huber").fit(X, y)
    with pytest.raises(ValueError, match="cannot weigh rows"):
        DistilledRegressor(forest, student=KNeighborsRegressor(), alpha=0.5).fit(X, y, sample_weight=y)
