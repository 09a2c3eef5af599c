"""Scorers where a user meets them: in searches, in Pipelines, and with answers routed to them."""

import numpy as np
import pytest
import sklearn
from helpers import Optional
from numpy.testing import assert_allclose
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledClassifier, DistilledRegressor, LinearStudent
from skdistill.metrics import (
    fidelity_log_loss,
    fidelity_score,
    make_fidelity_scorer,
    make_retention_scorer,
    make_size_scorer,
    retention_score,
)

pd = Optional("pandas")

X, y = load_iris(return_X_y=True)
y = np.array(["setosa", "versicolor", "virginica"])[y]


@pytest.fixture(scope="module")
def forest():
    return RandomForestClassifier(20, random_state=0).fit(X, y)


def test_a_search_chooses_by_fidelity_and_shows_size(forest):
    search = GridSearchCV(
        DistilledClassifier(forest, student=LinearStudent(), alpha=1.0),
        {"student__C": [1e-4, 10.0]},
        scoring={
            "fidelity": make_fidelity_scorer(),
            "loss": make_fidelity_scorer("neg_fidelity_log_loss"),
            "bytes": make_size_scorer(),
        },
        refit="fidelity",
        cv=3,
    ).fit(X, y)
    assert search.best_params_ == {"student__C": 10.0}
    assert (search.cv_results_["mean_test_loss"] < 0).all()
    assert (search.cv_results_["mean_test_bytes"] > 50).all()
    assert make_fidelity_scorer()(search, X) == fidelity_score(forest.predict_proba(X), search.predict_proba(X))


def test_a_teacher_inside_a_pipeline_is_asked_about_the_rows_that_it_knows():
    scaled = StandardScaler().fit_transform(X)
    forest = RandomForestClassifier(20, random_state=0).fit(scaled, y)
    model = make_pipeline(StandardScaler(), DistilledClassifier(forest, student="linear")).fit(X, y)
    teacher_proba = forest.predict_proba(scaled)
    assert make_fidelity_scorer()(model, X) == fidelity_score(teacher_proba, model.predict_proba(X))
    wanted = retention_score(y, teacher_proba, model.predict_proba(X), scoring="neg_log_loss", classes=forest.classes_)
    assert make_retention_scorer("neg_log_loss")(model, X, y) == pytest.approx(wanted)


def test_answers_reach_a_scorer_by_metadata_routing(forest):
    teacher_proba = forest.predict_proba(X)[:, ::-1]
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = make_fidelity_scorer("neg_fidelity_log_loss")
        scorer.set_score_request(teacher_proba=True, sample_weight=False)
        student = LinearStudent().set_fit_request(sample_weight=False)
        found = cross_validate(
            student,
            X,
            y,
            scoring=scorer,
            cv=3,
            params={"teacher_proba": teacher_proba},
            return_estimator=True,
            return_indices=True,
        )
    for score, fitted, rows in zip(found["test_score"], found["estimator"], found["indices"]["test"], strict=True):
        assert score == pytest.approx(-fidelity_log_loss(teacher_proba[rows], fitted.predict_proba(X[rows])))


def test_a_student_without_a_teacher_needs_answers(forest):
    student = LinearStudent().fit(X, y)
    with pytest.raises(ValueError, match="LinearStudent has no teacher"):
        make_fidelity_scorer()(student, X)
    teacher_proba = forest.predict_proba(X)
    found = make_fidelity_scorer()(student, X, teacher_proba=teacher_proba)
    assert found == fidelity_score(teacher_proba, student.predict_proba(X))
    with pytest.raises(TypeError, match="LogisticRegression"):
        make_size_scorer()(LogisticRegression(max_iter=1000).fit(X, y), X)


def test_a_distiller_that_was_given_answers_has_no_teacher_to_ask(forest):
    teacher_proba = forest.predict_proba(X)
    model = DistilledClassifier(student="linear", alpha=1.0).fit(X, y, teacher_proba=teacher_proba)
    with pytest.raises(ValueError, match="There is no fitted teacher"):
        make_fidelity_scorer()(model, X)
    found = make_fidelity_scorer()(model, X, teacher_proba=teacher_proba)
    assert found == fidelity_score(teacher_proba, model.predict_proba(X))


def test_a_list_of_teachers_counts_as_its_distiller_counts_it(forest):
    other = LogisticRegression(max_iter=1000).fit(X, y)
    model = DistilledClassifier([forest, other], teacher_weights=[1, 3], student="linear", alpha=1.0).fit(X)
    teacher_proba = (forest.predict_proba(X) + 3 * other.predict_proba(X)) / 4
    assert make_fidelity_scorer("neg_fidelity_log_loss")(model, X) == pytest.approx(
        -fidelity_log_loss(teacher_proba, model.predict_proba(X))
    )


def test_a_request_for_what_no_scorer_takes():
    with (
        sklearn.config_context(enable_metadata_routing=True),
        pytest.raises(TypeError, match=r"Unexpected args.*proba"),
    ):
        make_fidelity_scorer().set_score_request(proba=True)


def test_scorers_of_regressors():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(120, 3))
    numbers = rows @ [1.0, 2.0, 0.5] + 0.1 * rng.normal(size=120)
    teacher = RandomForestRegressor(20, random_state=0).fit(rows, numbers)
    model = DistilledRegressor(teacher, student="linear", alpha=1.0).fit(rows, numbers)
    teacher_pred, student_pred = teacher.predict(rows), model.predict(rows)
    assert_allclose(make_fidelity_scorer()(model, rows), r2_score(teacher_pred, student_pred))
    retained = make_retention_scorer("neg_mean_absolute_error")(model, rows, numbers)
    assert_allclose(retained, mean_absolute_error(numbers, teacher_pred) / mean_absolute_error(numbers, student_pred))
    assert make_size_scorer()(model, rows) == model.program_.nbytes
    given = make_retention_scorer("r2")(model.student_, rows, numbers, teacher_pred=teacher_pred)
    assert_allclose(given, r2_score(numbers, student_pred) / r2_score(numbers, teacher_pred))
    with pytest.raises(ValueError, match="Pass teacher_pred= to the scorer"):
        make_fidelity_scorer()(model.student_, rows)
    with pytest.raises(ValueError, match="needs probabilities"):
        make_fidelity_scorer("neg_fidelity_log_loss")(model, rows)


def test_answers_in_a_frame_are_matched_with_what_the_student_knows(forest):
    model = DistilledClassifier(forest, student="linear", alpha=1).fit(X, y)
    turned = pd.DataFrame(forest.predict_proba(X), columns=forest.classes_)[forest.classes_[[2, 0, 1]]]
    for scorer in (make_fidelity_scorer(), make_retention_scorer("neg_log_loss")):
        assert scorer(model.student_, X, y, teacher_proba=turned) == scorer(model, X, y)
    Y = pd.DataFrame(X[:, 1:] * [1, 10, 100], columns=["width", "height", "depth"])
    ridge, other = Ridge(10).fit(X, Y), ["depth", "width", "height"]
    pred = pd.DataFrame(ridge.predict(X), columns=Y.columns)
    model = DistilledRegressor(ridge, student="linear").fit(X, Y)
    for scorer in (make_fidelity_scorer(), make_retention_scorer("r2")):
        expected = scorer(model, X, Y)
        assert scorer(make_pipeline(model), X, Y[other]) == pytest.approx(expected)
        # a student without names answers in the order of y
        assert scorer(model.student_, X, Y, teacher_pred=pred[other]) == pytest.approx(expected)
