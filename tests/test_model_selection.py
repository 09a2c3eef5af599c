"""Inside scikit-learn's world: searches, cross-validation, pipelines, ensembles, memory, metadata routing."""

from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import pytest
from helpers import CountingCallable, CountingForest, RecordingStudent, SlowForest, note, notes, small_mlp
from joblib import Memory
from joblib import hash as content_hash
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    StratifiedKFold,
    cross_val_predict,
    cross_validate,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledClassifier


@pytest.fixture
def linear(iris_forest):
    """A model around a fitted teacher."""
    return DistilledClassifier(iris_forest, student="linear", alpha=0.5)


# with a fitted teacher


def test_grid_search_over_temperature_alpha_and_the_student(iris, iris_forest):
    model = DistilledClassifier(iris_forest, student=small_mlp(max_epochs=5), alpha=0.5)
    grid = {"temperature": [1, 4], "alpha": [0.0, 1.0], "student__hidden_layer_sizes": [(4,), (8, 8)]}
    search = GridSearchCV(model, grid, cv=2, n_jobs=2, error_score="raise").fit(iris.X, iris.y)
    best = search.best_estimator_
    assert best.teacher_ is iris_forest
    assert len(set(search.cv_results_["mean_test_score"])) > 1
    assert best.temperature == search.best_params_["temperature"]
    assert best.student_.hidden_layer_sizes == search.best_params_["student__hidden_layer_sizes"]
    again = DistilledClassifier(iris_forest, student=small_mlp(max_epochs=5), alpha=0.5).set_params(
        **search.best_params_
    )
    assert best.program_.fingerprint() == again.fit(iris.X, iris.y).program_.fingerprint()


def test_halving_grid_search(linear, digits, digits_forest):
    # in its first rounds few rows, and so few classes, are seen; the teacher knows them all
    model = DistilledClassifier(digits_forest, student=small_mlp(max_epochs=3), alpha=0.5)
    search = HalvingGridSearchCV(
        model, {"alpha": [0.2, 0.5, 1.0]}, cv=2, min_resources=40, random_state=0, error_score="raise"
    )
    search.fit(digits.X, digits.y)
    assert search.best_estimator_.teacher_ is digits_forest
    assert search.n_iterations_ > 1

    search = HalvingGridSearchCV(
        model, {"alpha": [0.2, 1.0]}, cv=2, resource="student__max_epochs", max_resources=4, error_score="raise"
    )
    search.fit(digits.X[:300], digits.y[:300])
    assert search.best_estimator_.student_.max_epochs == 4


def test_cross_validate_keeps_the_teacher_and_fits_each_fold(linear, iris, iris_forest):
    folds = cross_validate(linear, iris.X, iris.y, cv=3, return_estimator=True, error_score="raise")
    assert all(model.teacher_ is iris_forest for model in folds["estimator"])
    assert len({model.program_.fingerprint() for model in folds["estimator"]}) == 3
    assert folds["test_score"].mean() > 0.9


def test_in_a_pipeline_the_teacher_sees_what_the_student_sees(iris):
    scaled = StandardScaler().fit(iris.X)
    teacher = LogisticRegression().fit(scaled.transform(iris.X), iris.y)
    model = make_pipeline(StandardScaler(), DistilledClassifier(teacher, student=RecordingStudent(), alpha=0.5)).fit(
        iris.X, iris.y
    )
    asked = model[-1].student_.targets_.answers
    assert_allclose(asked, teacher.predict_proba(scaled.transform(iris.X)), atol=1e-6)
    search = GridSearchCV(model, {"distilledclassifier__temperature": [1, 3]}, cv=2, error_score="raise")
    with pytest.warns(UserWarning, match="teacher LogisticRegression was fitted before the search"):
        search.fit(iris.X, iris.y)
    assert search.best_estimator_[-1].teacher_ is teacher


def test_in_a_pipeline_the_teacher_may_be_a_pipeline_of_raw_rows(iris):
    teacher = make_pipeline(StandardScaler(), LogisticRegression()).fit(iris.X, iris.y)
    model = DistilledClassifier(teacher, student=RecordingStudent(), alpha=0.5).fit(iris.X, iris.y)
    assert_allclose(model.student_.targets_.answers, teacher.predict_proba(iris.X), atol=1e-6)


def test_stacking(linear, iris, iris_forest):
    stack = StackingClassifier([("distilled", linear), ("nb", GaussianNB())], LogisticRegression(), cv=3)
    stack.fit(iris.X, iris.y)
    assert stack.named_estimators_["distilled"].teacher_ is iris_forest
    assert stack.score(iris.X, iris.y) > 0.9


def test_voting(linear, iris, iris_forest):
    vote = VotingClassifier([("distilled", linear), ("nb", GaussianNB())], voting="soft").fit(iris.X, iris.y)
    assert vote.named_estimators_["distilled"].teacher_ is iris_forest
    assert vote.score(iris.X, iris.y) > 0.9


@pytest.mark.parametrize("ensemble", [True, False])
def test_calibration(ensemble, linear, iris, iris_forest):
    calibrated = CalibratedClassifierCV(linear, cv=3, ensemble=ensemble).fit(iris.X, iris.y)
    assert all(one.estimator.teacher_ is iris_forest for one in calibrated.calibrated_classifiers_)
    assert calibrated.score(iris.X, iris.y) > 0.9


def test_where_scikit_learn_numbers_the_labels_a_fitted_teacher_is_passed_as_a_callable(named_forest, iris):
    # StackingClassifier, VotingClassifier and cross_val_predict fit on 0, 1, 2 in place of the names
    names = named_forest.classes_[iris.y]
    model = DistilledClassifier(named_forest.predict_proba, student="linear", alpha=0.5)
    stack = StackingClassifier([("distilled", model)], LogisticRegression(), cv=3).fit(iris.X, names)
    assert stack.score(iris.X, names) > 0.9
    proba = cross_val_predict(model, iris.X, names, cv=3, method="predict_proba")
    assert np.mean(named_forest.classes_[proba.argmax(axis=1)] == names) > 0.9


# with an unfitted teacher


def test_an_unfitted_teacher_is_fitted_on_the_training_fold_alone(tmp_path, iris):
    log = str(tmp_path / "log")
    teacher = CountingForest(log)
    model = DistilledClassifier(teacher, student="linear", alpha=0.5)
    cv = StratifiedKFold(3)
    folds = cross_validate(model, iris.X, iris.y, cv=cv, return_estimator=True, error_score="raise")
    expected = [content_hash(iris.X[train]) for train, _ in cv.split(iris.X, iris.y)]
    assert notes(log, "fit") == expected
    assert notes(log, "ask") == expected
    assert not hasattr(teacher, "classes_")
    assert len({id(fold.teacher_) for fold in folds["estimator"]}) == 3


def test_grid_search_reaches_an_unfitted_teachers_parameters(iris):
    model = DistilledClassifier(RandomForestClassifier(random_state=0), student="linear", alpha=0.5)
    search = GridSearchCV(model, {"teacher__n_estimators": [2, 9]}, cv=2, error_score="raise").fit(iris.X, iris.y)
    assert search.best_estimator_.teacher_.n_estimators == search.best_params_["teacher__n_estimators"]


# memory


@pytest.fixture(autouse=True)
def _new_session(monkeypatch):
    """Let joblib forget which functions it has seen, so that each test's cache is as in a new process."""
    monkeypatch.setattr("joblib.memory._FUNCTION_HASHES", WeakKeyDictionary())


GRID = {"temperature": [1, 2, 4], "alpha": [0.3, 1.0]}


@pytest.mark.parametrize("kind", ["path", "Memory"])
def test_with_memory_a_fitted_teacher_is_asked_once_for_each_set_of_rows(kind, tmp_path, iris):
    log = str(tmp_path / "log")
    teacher = CountingForest(log).fit(iris.X, iris.y)
    memory = str(tmp_path / "cache") if kind == "path" else Memory(tmp_path / "cache", verbose=0)

    def search(**params):
        Path(log).unlink()
        model = DistilledClassifier(teacher, student="linear", alpha=0.5, **params)
        return GridSearchCV(model, GRID, cv=3, error_score="raise").fit(iris.X, iris.y)

    remembering = search(memory=memory)
    assert len(notes(log, "ask")) == len(set(notes(log, "ask"))) == 3 + 1, "three folds, and all rows to refit"
    assert notes(log, "fit") == []
    forgetful = search()
    assert len(notes(log, "ask")) == 3 * 6 + 1
    assert_array_equal(forgetful.cv_results_["mean_test_score"], remembering.cv_results_["mean_test_score"])


def test_with_memory_an_unfitted_teacher_is_fitted_and_asked_once_for_each_set_of_rows(tmp_path, iris):
    log = str(tmp_path / "log")
    model = DistilledClassifier(CountingForest(log), student="linear", alpha=0.5, memory=str(tmp_path / "cache"))
    search = GridSearchCV(model, GRID, cv=3, error_score="raise").fit(iris.X, iris.y)
    for what in ("fit", "ask"):
        assert len(notes(log, what)) == len(set(notes(log, what))) == 4
    # other parameters or other weights are another teacher
    search.best_estimator_.set_params(teacher__n_estimators=3).fit(iris.X, iris.y)
    assert len(notes(log, "fit")) == len(notes(log, "ask")) == 5
    search.best_estimator_.fit(iris.X, iris.y, sample_weight=np.arange(1, 151))
    assert len(notes(log, "fit")) == len(notes(log, "ask")) == 6


def test_memory_serves_every_process(tmp_path, iris):
    log = str(tmp_path / "log")
    teacher = CountingForest(log).fit(iris.X, iris.y)
    Path(log).unlink()
    model = DistilledClassifier(teacher, student="linear", alpha=0.5, memory=str(tmp_path / "cache"))
    cross_validate(model, iris.X, iris.y, cv=3, error_score="raise")
    assert len(notes(log, "ask")) == 3
    GridSearchCV(model, GRID, cv=3, n_jobs=2, error_score="raise", refit=False).fit(iris.X, iris.y)
    assert len(notes(log, "ask")) == 3, "workers find what was asked before"


def test_workers_that_start_together_do_not_ask_the_same_twice(tmp_path, iris):
    log = str(tmp_path / "log")
    teacher = SlowForest(log).fit(iris.X, iris.y)
    model = DistilledClassifier(teacher, student="linear", alpha=0.5, memory=str(tmp_path / "cache"))
    # four candidates at a time, two sets of rows
    GridSearchCV(model, GRID, cv=2, n_jobs=4, error_score="raise", refit=False).fit(iris.X, iris.y)
    assert len(notes(log, "ask")) == 2


def test_a_teacher_that_was_refitted_in_place_is_asked_again(tmp_path, iris):
    log = str(tmp_path / "log")
    teacher = CountingForest(log).fit(iris.X, iris.y)
    model = DistilledClassifier(teacher, student=RecordingStudent(), alpha=0.5, memory=str(tmp_path / "cache"))
    model.fit(iris.X, iris.y)
    model.fit(iris.X, iris.y)
    assert len(notes(log, "ask")) == 1
    teacher.fit(iris.X, (iris.y + 1) % 3)
    with pytest.warns(UserWarning, match="teacher CountingForest says little of these labels"):
        model.fit(iris.X, iris.y)
    assert len(notes(log, "ask")) == 2
    assert np.mean(model.student_.targets_.answers.argmax(axis=1) == (iris.y + 1) % 3) > 0.9


def test_memory_keeps_the_answers_of_a_callable_by_its_state(tmp_path, cancer):
    log, X = str(tmp_path / "log"), StandardScaler().fit_transform(cancer.X)
    # the larger the first column, the likelier is class 0
    for tilt in (-1, -1, -2):
        model = DistilledClassifier(
            CountingCallable(log, tilt), student=RecordingStudent(), alpha=0.5, memory=str(tmp_path / "cache")
        ).fit(X, cancer.y)
    assert len(notes(log, "ask")) == 2
    assert_allclose(model.student_.targets_.answers[:, 1], 1 / (1 + np.exp(2 * X[:, 0])), atol=1e-6)


def test_a_function_cached_by_its_owner_is_asked_once(tmp_path, iris, iris_forest):
    log = str(tmp_path / "log")

    def answer(X):
        note(log, "ask", X)
        return iris_forest.predict_proba(X)

    cached = Memory(tmp_path / "own", verbose=0).cache(answer)
    model = DistilledClassifier(cached, student="linear", alpha=0.5, memory=str(tmp_path / "cache"))
    for _ in range(3):
        model.fit(iris.X, iris.y)
    assert len(notes(log, "ask")) == 1


def test_memory_asks_each_of_several_teachers_once(tmp_path, iris):
    log = str(tmp_path / "log")
    teachers = [CountingForest(log, random_state=seed).fit(iris.X, iris.y) for seed in (0, 1)]
    Path(log).unlink()
    model = DistilledClassifier(teachers, student="linear", alpha=0.5, memory=str(tmp_path / "cache"))
    for weights in (None, [1, 3], [2, 1]):
        model.set_params(teacher_weights=weights).fit(iris.X, iris.y)
    assert len(notes(log, "ask")) == 2


# answers given beforehand, weights and routing


@pytest.fixture
def recording():
    return DistilledClassifier(student=RecordingStudent(), alpha=0.5)


def folds_of(model, iris, **params):
    cv = StratifiedKFold(3, shuffle=True, random_state=0)
    folds = cross_validate(
        model, iris.X, iris.y, cv=cv, params=params, return_estimator=True, return_indices=True, error_score="raise"
    )
    return zip(folds["estimator"], folds["indices"]["train"], strict=True)


@pytest.mark.parametrize("routing", [False, True])
def test_answers_and_weights_are_sliced_with_the_folds(routing, recording, iris, iris_forest):
    P, weight = iris_forest.predict_proba(iris.X), np.linspace(1, 2, 150)
    with config_context(enable_metadata_routing=routing):
        if routing:
            recording.set_fit_request(teacher_proba=True, sample_weight=True).set_score_request(sample_weight=False)
        for model, train in folds_of(recording, iris, teacher_proba=P, sample_weight=weight):
            assert_allclose(model.student_.targets_.answers, P[train], atol=1e-6)
            assert_array_equal(model.student_.targets_.sample_weight, weight[train])


@pytest.mark.parametrize("routing", [False, True])
def test_grid_search_with_answers_given_beforehand(routing, recording, iris, iris_forest):
    P = iris_forest.predict_proba(iris.X)
    with config_context(enable_metadata_routing=routing):
        if routing:
            recording.set_fit_request(teacher_proba=True)
        search = GridSearchCV(recording, {"alpha": [0.1, 1]}, cv=3, error_score="raise")
        search.fit(iris.X, iris.y, teacher_proba=P)
    assert_allclose(search.best_estimator_.student_.targets_.answers, P, atol=1e-6)


@pytest.mark.parametrize("routing", [False, True])
def test_a_pipeline_passes_answers_on(routing, recording, iris, iris_forest):
    P = iris_forest.predict_proba(iris.X)
    with config_context(enable_metadata_routing=routing):
        if routing:
            recording.set_fit_request(teacher_proba=True)
        params = {"teacher_proba" if routing else "distilledclassifier__teacher_proba": P}
        model = make_pipeline(StandardScaler(), recording).fit(iris.X, iris.y, **params)
    assert_allclose(model[-1].student_.targets_.answers, P, atol=1e-6)


def test_routing_refuses_what_nobody_requested(recording, iris, iris_forest):
    with config_context(enable_metadata_routing=True), pytest.raises(UnsetMetadataPassedError, match="teacher_proba"):
        GridSearchCV(recording, {"alpha": [0.1, 1]}, cv=3).fit(
            iris.X, iris.y, teacher_proba=iris_forest.predict_proba(iris.X)
        )


def test_requests_survive_clone(recording):
    with config_context(enable_metadata_routing=True):
        copied = clone(recording.set_fit_request(teacher_proba=True, sample_weight=False))
        requests = copied.get_metadata_routing()._self_request.fit.requests
    assert requests["teacher_proba"] is True
    assert requests["sample_weight"] is False


def test_routing_sends_weights_to_an_unfitted_teacher_as_it_requests(iris):
    weight = np.random.default_rng(0).uniform(0.1, 5, 150)

    def asked(request, **params):
        teacher = GaussianNB().set_fit_request(sample_weight=request)
        model = DistilledClassifier([teacher, GaussianNB().set_fit_request(sample_weight=False)], **params)
        model.set_params(student=RecordingStudent(), alpha=0.5, teacher_weights=[1, 0])
        return model.fit(iris.X, iris.y, sample_weight=weight).student_.targets_

    with config_context(enable_metadata_routing=True):
        weighted, plain = asked(True), asked(False)
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            asked(None)
    by_hand = GaussianNB().fit(iris.X, iris.y, sample_weight=weight)
    assert_allclose(weighted.answers, by_hand.predict_proba(iris.X), atol=1e-6)
    assert_allclose(plain.answers, GaussianNB().fit(iris.X, iris.y).predict_proba(iris.X), atol=1e-6)
    assert_array_equal(plain.sample_weight, weight)


def test_routing_reaches_an_unfitted_teacher_through_a_search(iris):
    XGBClassifier = pytest.importorskip("xgboost").XGBClassifier

    margin = np.random.default_rng(0).normal(scale=3, size=(150, 3))
    with config_context(enable_metadata_routing=True):
        teacher = XGBClassifier(n_estimators=3, n_jobs=1).set_fit_request(base_margin=True)
        model = DistilledClassifier(teacher, student=RecordingStudent(), alpha=0.5)
        search = GridSearchCV(model, {"alpha": [1]}, cv=2, error_score="raise")
        routed = search.fit(iris.X, iris.y, base_margin=margin).best_estimator_
    by_hand = XGBClassifier(n_estimators=3, n_jobs=1).fit(iris.X, iris.y, base_margin=margin)
    assert_allclose(routed.student_.targets_.answers, by_hand.predict_proba(iris.X), atol=1e-6)


def test_routing_leaves_a_fitted_teacher_alone(linear, iris):
    weight = np.linspace(1, 2, 150)
    with config_context(enable_metadata_routing=True):
        linear.set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        search = GridSearchCV(linear, {"alpha": [0.5]}, cv=2, error_score="raise")
        routed = search.fit(iris.X, iris.y, sample_weight=weight).best_estimator_
    direct = linear.fit(iris.X, iris.y, sample_weight=weight)
    assert routed.program_.fingerprint() == direct.program_.fingerprint()
