"""Scorers of teacher and student in scikit-learn's searches, with metadata routing and without."""

import pickle

import numpy as np
import pytest
from helpers import CountingForest, Reordered, notes
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledClassifier, LinearStudent
from skdistill.metrics import (
    fidelity_log_loss,
    fidelity_score,
    make_fidelity_scorer,
    make_retention_scorer,
    make_size_scorer,
    program_bytes,
    retention_score,
)


@pytest.fixture
def model(iris_forest):
    return DistilledClassifier(iris_forest, student="linear", alpha=1)


def test_scorers_are_the_metrics_of_the_fitted_models(model, iris, iris_forest):
    scoring = {
        "fidelity": make_fidelity_scorer(),
        "divergence": make_fidelity_scorer("neg_fidelity_log_loss"),
        "retention": make_retention_scorer("neg_log_loss"),
        "bytes": make_size_scorer(),
        "parameters": make_size_scorer("parameters"),
        "accuracy": "accuracy",
    }
    folds = StratifiedKFold(3)
    found = cross_validate(model, iris.X, iris.y, cv=folds, scoring=scoring, return_estimator=True)
    for at, ((_, test), fitted) in enumerate(zip(folds.split(iris.X, iris.y), found["estimator"], strict=True)):
        X, y = iris.X[test], iris.y[test]
        told, said = iris_forest.predict_proba(X), fitted.predict_proba(X)
        assert_allclose(found["test_fidelity"][at], fidelity_score(told, said))
        assert_allclose(found["test_divergence"][at], -fidelity_log_loss(told, said))
        assert_allclose(found["test_retention"][at], log_loss(y, told) / log_loss(y, said))
        assert found["test_bytes"][at] == program_bytes(fitted)
        assert found["test_parameters"][at] == 15
        assert_allclose(found["test_accuracy"][at], accuracy_score(y, fitted.predict(X)))


def test_a_search_may_make_the_most_of_fidelity(iris, iris_forest):
    model = DistilledClassifier(iris_forest, student=LinearStudent(), alpha=1)
    grid = {"student__C": [1e-6, 1.0]}
    for n_jobs in (1, 2):
        search = GridSearchCV(model, grid, scoring=make_fidelity_scorer(), cv=3, n_jobs=n_jobs).fit(iris.X, iris.y)
        assert search.best_params_ == {"student__C": 1.0}
    assert_allclose(
        make_fidelity_scorer()(search, iris.X, iris.y),
        fidelity_score(iris_forest.predict_proba(iris.X), search.predict_proba(iris.X)),
    )


def test_with_memory_the_teacher_is_asked_once_for_the_rows_of_a_fold(iris, tmp_path):
    log = tmp_path / "log"
    forest = CountingForest(log).fit(iris.X, iris.y)
    model = DistilledClassifier(forest, student=LinearStudent(), alpha=1, memory=str(tmp_path / "cache"))
    grid = {"student__C": [0.1, 1.0, 10.0]}
    GridSearchCV(model, grid, scoring=make_fidelity_scorer(), cv=2, refit=False).fit(iris.X, iris.y)
    asked = notes(log, "ask")
    # the rows of a fold to learn from are those of the other to be scored
    assert len(asked) == len(set(asked)) == 2


def test_what_comes_before_the_model_in_a_pipeline_is_run(iris, iris_forest):
    scaled = StandardScaler().fit_transform(iris.X)
    teacher = clone(iris_forest).fit(scaled, iris.y)
    pipeline = make_pipeline(StandardScaler(), DistilledClassifier(teacher, student="linear", alpha=1))
    pipeline.fit(iris.X, iris.y)
    expected = fidelity_score(teacher.predict_proba(scaled), pipeline.predict_proba(iris.X))
    assert_allclose(make_fidelity_scorer()(pipeline, iris.X, iris.y), expected)
    assert make_size_scorer()(pipeline, iris.X, iris.y) == program_bytes(pipeline[-1])


def test_weights_reach_the_metrics_without_routing(model, iris, iris_forest):
    weight = np.linspace(0, 1, len(iris.y)) ** 4
    fitted = model.fit(iris.X, iris.y)
    given = {"sample_weight": weight}
    told, said = iris_forest.predict_proba(iris.X), fitted.predict_proba(iris.X)
    score = make_fidelity_scorer()(fitted, iris.X, iris.y, **given)
    assert score != fidelity_score(told, said)
    assert_allclose(score, fidelity_score(told, said, **given))
    assert_allclose(
        make_retention_scorer()(fitted, iris.X, iris.y, **given), retention_score(iris.y, told, said, **given)
    )


@pytest.mark.parametrize("make", [make_fidelity_scorer, make_retention_scorer])
def test_answers_are_routed_to_model_and_scorer(make, iris, iris_forest):
    proba = iris_forest.predict_proba(iris.X)
    with config_context(enable_metadata_routing=True):
        model = DistilledClassifier(student=LinearStudent(), alpha=1).set_fit_request(teacher_proba=True)
        scorer = make().set_score_request(teacher_proba=True)
        search = GridSearchCV(model, {"student__C": [1e-6, 1.0]}, scoring={"kept": scorer}, refit="kept", cv=3)
        search.fit(iris.X, iris.y, teacher_proba=proba)
    assert search.best_params_ == {"student__C": 1.0}
    asked = DistilledClassifier(iris_forest, student=LinearStudent(), alpha=1)
    alone = GridSearchCV(asked, {"student__C": [1e-6, 1.0]}, scoring=make(), cv=3).fit(iris.X, iris.y)
    assert_allclose(search.cv_results_["mean_test_kept"], alone.cv_results_["mean_test_score"])


def test_metadata_that_nobody_asked_for_is_refused(iris, iris_forest):
    proba = iris_forest.predict_proba(iris.X)
    with config_context(enable_metadata_routing=True):
        model = DistilledClassifier(student="linear", alpha=1).set_fit_request(teacher_proba=True)
        search = GridSearchCV(model, {"temperature": [1]}, scoring=make_fidelity_scorer(), cv=3)
        with pytest.raises(UnsetMetadataPassedError, match="teacher_proba"):
            search.fit(iris.X, iris.y, teacher_proba=proba)
        with pytest.raises(TypeError, match="takes no teacher_probas; it takes sample_weight, teacher_proba"):
            make_fidelity_scorer().set_score_request(teacher_probas=True)
        with pytest.raises(TypeError, match="takes no teacher_proba; it takes nothing"):
            make_size_scorer().set_score_request(teacher_proba=True)
    with pytest.raises(RuntimeError, match="enable_metadata_routing=True"):
        make_fidelity_scorer().set_score_request(teacher_proba=True)


def test_a_scorer_without_a_teacher_says_what_it_needs(iris, iris_forest):
    student = LinearStudent().fit(iris.X, iris.y)
    with pytest.raises(ValueError, match=r"LinearStudent has no teacher\. Pass teacher_proba="):
        make_fidelity_scorer()(student, iris.X, iris.y)
    proba = iris_forest.predict_proba(iris.X)
    score = make_fidelity_scorer()(student, iris.X, iris.y, teacher_proba=proba)
    assert_allclose(score, fidelity_score(proba, student.predict_proba(iris.X)))
    for make, wrong in ((make_fidelity_scorer, "kl"), (make_size_scorer, "KB")):
        with pytest.raises(ValueError, match=f"must be .*; got {wrong!r}"):
            make(wrong)
    with pytest.raises(ValueError, match="not a valid scoring value"):
        make_retention_scorer("nothing")


def test_scorers_are_shown_and_pickled():
    for scorer, text in (
        (make_fidelity_scorer(), "make_fidelity_scorer('fidelity')"),
        (make_retention_scorer("r2"), "make_retention_scorer('r2')"),
        (make_size_scorer("parameters"), "make_size_scorer('parameters')"),
    ):
        assert repr(pickle.loads(pickle.dumps(scorer))) == repr(scorer) == text


# asking the teacher


def test_ask_teacher_answers_in_the_order_of_the_models_classes(iris, iris_forest):
    teacher = Reordered(iris_forest, [2, 0, 1])
    model = DistilledClassifier(teacher, student="linear", alpha=1)
    with pytest.raises(NotFittedError):
        model.ask_teacher(iris.X)
    model.fit(iris.X, iris.y)
    assert_allclose(model.ask_teacher(iris.X), iris_forest.predict_proba(iris.X))
    # answers given beforehand have the columns of the teacher
    given = teacher.predict_proba(iris.X)
    assert_allclose(model.ask_teacher(iris.X, teacher_proba=given), iris_forest.predict_proba(iris.X))


def test_ask_teacher_of_callables_and_of_answers_given_beforehand(iris, iris_forest, named_forest):
    proba = iris_forest.predict_proba(iris.X)
    order = [2, 0, 1]
    names = named_forest.classes_
    model = DistilledClassifier(
        lambda X: iris_forest.predict_proba(X)[:, order], student="linear", alpha=1, classes=names[order]
    )
    model.fit(iris.X, names[iris.y])
    assert model.classes_.tolist() == names.tolist()
    assert_allclose(model.ask_teacher(iris.X), proba)
    alone = DistilledClassifier(student="linear", alpha=1).fit(iris.X, iris.y, teacher_proba=proba)
    with pytest.raises(ValueError, match="no fitted teacher to ask"):
        alone.ask_teacher(iris.X)
    assert_allclose(alone.ask_teacher(iris.X, teacher_proba=proba), proba)
    unfitted = DistilledClassifier(clone(iris_forest), student="linear", alpha=1).fit(iris.X, iris.y)
    assert_allclose(unfitted.ask_teacher(iris.X), unfitted.teacher_.predict_proba(iris.X))
