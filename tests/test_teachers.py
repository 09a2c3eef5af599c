"""Every kind of teacher, with the real library: its answers reach the student, and who is fitted, kept or weighted."""

import numpy as np
import pytest
from helpers import CountingForest, Optional, RecordingStudent, Reordered, notes
from joblib import hash as content_hash
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledClassifier

catboost, lightgbm, xgboost = map(Optional, ("catboost", "lightgbm", "xgboost"))


def skorch_net():
    import torch
    from skorch import NeuralNetClassifier

    torch.manual_seed(0)
    return NeuralNetClassifier(
        torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3)),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        max_epochs=20,
        lr=0.05,
        batch_size=50,
        train_split=None,
        verbose=0,
    )


UNFITTED = {
    "forest": lambda: RandomForestClassifier(20, random_state=0),
    "xgboost": lambda: xgboost.XGBClassifier(n_estimators=10, n_jobs=1),
    "lightgbm": lambda: lightgbm.LGBMClassifier(n_estimators=10, n_jobs=1, verbose=-1),
    "catboost": lambda: catboost.CatBoostClassifier(
        iterations=20, thread_count=1, verbose=False, allow_writing_files=False
    ),
    "skorch": skorch_net,
    "voting": lambda: VotingClassifier([("nb", GaussianNB()), ("knn", KNeighborsClassifier())], voting="soft"),
    "pipeline": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    "grid search": lambda: GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [3, 15]}, cv=3),
}


@pytest.fixture(scope="module")
def rows(iris):
    # float32 and int64 are what a skorch net insists on; the others take them as well
    return iris.X.astype(np.float32), iris.y.astype(np.int64)


@pytest.fixture(scope="module")
def fitted(rows):
    """A function that returns the fitted teacher of a kind, fitted once."""
    made = {}

    def get(kind):
        if kind not in made:
            made[kind] = UNFITTED[kind]().fit(*rows)
        return made[kind]

    return get


def asked(model):
    """The teacher's answers as they reached the student."""
    return model.student_.targets_.answers


@pytest.mark.parametrize("kind", UNFITTED)
def test_a_fitted_teacher_is_asked_as_it_is(kind, fitted, rows):
    X, y = rows
    teacher = fitted(kind)
    model = DistilledClassifier(teacher, student=RecordingStudent(), alpha=1).fit(X, y)
    assert model.teacher_ is teacher
    assert_allclose(asked(model), teacher.predict_proba(X), atol=1e-6)
    assert_array_equal(model.classes_, [0, 1, 2])
    agreement = np.mean(model.predict(X) == np.asarray(teacher.predict(X)).ravel())
    assert agreement > 0.85


@pytest.mark.parametrize("kind", UNFITTED)
def test_an_unfitted_teacher_is_fitted_inside_on_a_clone(kind, fitted, rows):
    X, y = rows
    teacher = UNFITTED[kind]()
    model = DistilledClassifier(teacher, student=RecordingStudent(), alpha=0.5).fit(X, y)
    assert model.teacher_ is not teacher
    assert not hasattr(teacher, "classes_") or kind == "catboost"
    if kind == "catboost":
        assert not teacher.is_fitted()
    if kind != "skorch":  # whose first weights are torch's to draw
        assert_allclose(asked(model), fitted(kind).predict_proba(X), atol=1e-6)
    assert_allclose(asked(model), model.teacher_.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("kind", ["forest", "lightgbm", "catboost", "pipeline", "voting"])
def test_classes_that_are_strings(kind, rows):
    X, y = rows
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    teacher = UNFITTED[kind]().fit(X, names)
    model = DistilledClassifier(teacher, student=RecordingStudent(), alpha=0.5).fit(X, names)
    assert_array_equal(model.classes_, ["setosa", "versicolor", "virginica"])
    assert_allclose(asked(model), teacher.predict_proba(X), atol=1e-6)
    assert model.score(X, names) > 0.9


def test_a_teacher_gets_the_data_frame_as_it_is(iris):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(iris.X, columns=["sl", "sw", "pl", "pw"])
    teacher = RandomForestClassifier(20, random_state=0).fit(frame, iris.y)
    model = DistilledClassifier(teacher, student=RecordingStudent(), alpha=0.5).fit(frame, iris.y)
    assert_allclose(asked(model), teacher.predict_proba(frame), atol=1e-7)
    assert_array_equal(model.feature_names_in_, ["sl", "sw", "pl", "pw"])

    seen = []

    def by_name(X):
        seen.append(X)
        return teacher.predict_proba(X)

    DistilledClassifier(by_name, student="linear", alpha=0.5).fit(frame, iris.y)
    assert seen[0] is frame


def test_a_callable_answers_for_the_sorted_labels(iris, iris_forest):
    # the first rows are of the last class
    X, names = iris.X[::-1], np.array(["a", "b", "c"])[iris.y[::-1]]
    model = DistilledClassifier(iris_forest.predict_proba, student=RecordingStudent(), alpha=0.5).fit(X, names)
    assert_array_equal(model.classes_, ["a", "b", "c"])
    assert_allclose(asked(model), iris_forest.predict_proba(X), atol=1e-7)
    assert model.teacher_ == iris_forest.predict_proba


def test_classes_names_the_columns_of_a_callable(iris, iris_forest):
    names = np.array(["b", "a", "c"])[iris.y]
    model = DistilledClassifier(
        iris_forest.predict_proba, student=RecordingStudent(), classes=["b", "a", "c"], alpha=1
    ).fit(iris.X, names)
    assert_array_equal(model.classes_, ["a", "b", "c"])
    assert_allclose(asked(model), iris_forest.predict_proba(iris.X)[:, [1, 0, 2]], atol=1e-7)
    assert model.score(iris.X, names) > 0.9


def test_a_callable_without_labels_names_its_columns_by_number(iris, iris_forest):
    model = DistilledClassifier(iris_forest.predict_proba, student="linear", alpha=1).fit(iris.X)
    assert_array_equal(model.classes_, [0, 1, 2])


@pytest.mark.parametrize("weights", [None, [1, 3], [0.0, 1.0]])
def test_several_teachers_are_averaged_by_their_weights(weights, fitted, rows):
    X, y = rows
    teachers = [fitted("forest"), fitted("pipeline")]
    model = DistilledClassifier(teachers, student=RecordingStudent(), alpha=0.5, teacher_weights=weights).fit(X, y)
    expected = np.average([one.predict_proba(X) for one in teachers], axis=0, weights=weights)
    assert_allclose(asked(model), expected, atol=1e-6)
    assert model.teacher_ is teachers


def test_several_teachers_of_every_kind_with_classes_of_their_own(fitted, rows):
    X, y = rows
    two = LogisticRegression().fit(X[y > 0], y[y > 0])  # knows 1 and 2 alone
    unfitted = GaussianNB()
    model = DistilledClassifier(
        [two, fitted("xgboost").predict_proba, unfitted], student=RecordingStudent(), alpha=0.5
    ).fit(X, y)
    expected = fitted("xgboost").predict_proba(X) + GaussianNB().fit(X, y).predict_proba(X)
    expected[:, 1:] += two.predict_proba(X)
    assert_allclose(asked(model), expected / 3, atol=1e-6)
    assert model.teacher_[0] is two
    assert model.teacher_[2] is not unfitted


def test_precomputed_answers_need_no_teacher(iris, iris_forest):
    P = iris_forest.predict_proba(iris.X)
    model = DistilledClassifier(student=RecordingStudent(), alpha=0.5).fit(iris.X, iris.y, teacher_proba=P)
    direct = DistilledClassifier(iris_forest, student=RecordingStudent(), alpha=0.5).fit(iris.X, iris.y)
    assert model.program_.fingerprint() == direct.program_.fingerprint()
    assert model.teacher_ is None


def test_precomputed_answers_are_read_in_the_order_of_the_teachers_classes(iris, iris_forest):
    teacher = Reordered(iris_forest, [2, 0, 1])
    P = teacher.predict_proba(iris.X)

    def never(X):
        raise AssertionError("the teacher is not asked again")

    teacher.predict_proba = never
    model = DistilledClassifier(teacher, student=RecordingStudent(), alpha=0.5).fit(iris.X, iris.y, teacher_proba=P)
    assert_allclose(asked(model), iris_forest.predict_proba(iris.X), atol=1e-7)


def test_answers_stored_with_three_decimals_pass_and_are_made_to_sum_to_one(iris, iris_forest):
    P = iris_forest.predict_proba(iris.X).round(3)
    model = DistilledClassifier(student=RecordingStudent(), alpha=0.5).fit(iris.X, iris.y, teacher_proba=P)
    assert_allclose(asked(model).sum(axis=1), 1, atol=1e-6)


def test_a_frozen_estimator_teaches(iris, iris_forest):
    model = DistilledClassifier(FrozenEstimator(iris_forest), student="linear", alpha=0.5).fit(iris.X, iris.y)
    direct = DistilledClassifier(iris_forest, student="linear", alpha=0.5).fit(iris.X, iris.y)
    assert model.program_.fingerprint() == direct.program_.fingerprint()


def test_a_teacher_that_is_no_base_estimator_but_acts_like_one(iris, iris_forest):
    class Plain:
        def fit(self, X, y):
            self.classes_ = np.unique(y)
            return self

        def predict_proba(self, X):
            return iris_forest.predict_proba(X)

    teacher = Plain().fit(iris.X, iris.y)
    model = DistilledClassifier(teacher, student=RecordingStudent(), alpha=0.5).fit(iris.X, iris.y)
    assert model.teacher_ is teacher
    assert_allclose(asked(model), iris_forest.predict_proba(iris.X), atol=1e-7)


def test_a_distilled_classifier_can_teach(iris, iris_forest):
    first = DistilledClassifier(iris_forest, student="linear", alpha=0.5).fit(iris.X, iris.y)
    second = DistilledClassifier(first, student=RecordingStudent(), alpha=1).fit(iris.X, iris.y)
    assert second.teacher_ is first
    assert_allclose(asked(second), first.predict_proba(iris.X), atol=1e-6)


def test_sample_weight_reaches_an_unfitted_teacher_and_the_student(iris):
    weight = np.random.default_rng(0).uniform(0.1, 5, len(iris.y))
    model = DistilledClassifier(GaussianNB(), student=RecordingStudent(), alpha=0.5).fit(
        iris.X, iris.y, sample_weight=weight
    )
    weighted = GaussianNB().fit(iris.X, iris.y, sample_weight=weight)
    assert_allclose(asked(model), weighted.predict_proba(iris.X), atol=1e-6)
    assert_array_equal(model.student_.targets_.sample_weight, weight)


def test_a_teacher_that_takes_no_weights_is_fitted_without_them_and_a_warning_says_so(iris):
    weight = np.random.default_rng(0).uniform(0.1, 5, len(iris.y))
    model = DistilledClassifier(KNeighborsClassifier(), student=RecordingStudent(), alpha=0.5)
    with pytest.warns(UserWarning, match="KNeighborsClassifier does not appear to accept sample_weight"):
        model.fit(iris.X, iris.y, sample_weight=weight)
    assert_array_equal(model.student_.targets_.sample_weight, weight)


def test_further_arguments_of_fit_reach_an_unfitted_teacher(iris):
    def fit(**params):
        model = DistilledClassifier(
            xgboost.XGBClassifier(n_estimators=5, n_jobs=1), student=RecordingStudent(), alpha=0.5
        )
        return asked(model.fit(iris.X, iris.y, **params))

    margin = np.random.default_rng(0).normal(scale=3, size=(150, 3))
    assert abs(fit(base_margin=margin) - fit()).max() > 0.01


def test_an_unfitted_teacher_is_fitted_to_the_labelled_rows_alone(tmp_path, iris):
    log, more = str(tmp_path / "log"), iris.X[::3] + 0.1
    model = DistilledClassifier(CountingForest(log), student="linear", alpha=0.5)
    model.fit(iris.X, iris.y, X_unlabeled=more, sample_weight=np.ones(150))
    assert notes(log, "fit") == [content_hash(iris.X)]
    assert notes(log, "ask") == [content_hash(iris.X), content_hash(more)]
