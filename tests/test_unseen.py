"""cv: the teacher's answers for rows that it has not learnt from, out of its bags or from clones fitted on folds."""

import numpy as np
import pytest
from helpers import CountingForest, RecordingStudent, RecordingTeacher, notes
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit, StratifiedKFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier


def answers(teacher, X, y, fit=None, **params):
    """Return the teacher's answers as they reached the student, columns in sorted order of the classes."""
    params = {"alpha": 0.5, "student": RecordingStudent(), **params}
    return DistilledClassifier(teacher, **params).fit(X, y, **(fit or {})).student_.targets_.answers


@pytest.fixture(scope="module")
def names(iris):
    return np.array(["setosa", "versicolor", "virginica"])[iris.y]


@pytest.fixture
def forest():
    return RandomForestClassifier(40, oob_score=True, random_state=0)


# clones on folds


@pytest.mark.parametrize("fitted", [True, False], ids=["fitted", "unfitted"])
@pytest.mark.parametrize(
    "cv", [5, StratifiedKFold(3, shuffle=True, random_state=1), "iterable"], ids=["int", "splitter", "iterable"]
)
def test_cross_fitted_answers_are_those_of_clones_on_the_same_folds(fitted, cv, iris, names):
    teacher = RandomForestClassifier(10, random_state=0)
    cv = list(KFold(4, shuffle=True, random_state=0).split(iris.X)) if cv == "iterable" else cv
    expected = cross_val_predict(teacher, iris.X, names, cv=cv, method="predict_proba")
    given = clone(teacher).fit(iris.X, names) if fitted else teacher
    assert_allclose(answers(given, iris.X, names, cv=cv), expected, atol=1e-12)
    if fitted:
        # as it is, it is surer of rows that it knows
        assert given.predict_proba(iris.X).max(axis=1).mean() > expected.max(axis=1).mean() + 0.01


def test_rows_without_labels_and_outside_the_folds_are_answered_by_the_teacher_itself(iris, names):
    teacher = RandomForestClassifier(10, random_state=0).fit(iris.X, names)
    more = iris.X[:20] + 0.1
    expected = np.vstack(
        [cross_val_predict(teacher, iris.X, names, cv=5, method="predict_proba"), teacher.predict_proba(more)]
    )
    found = answers(teacher, iris.X, names, cv=5, fit={"X_unlabeled": more})
    assert_allclose(found, expected, atol=1e-12)

    once = ShuffleSplit(1, test_size=30, random_state=0)
    seen, unseen = next(once.split(iris.X))
    expected = teacher.predict_proba(iris.X)
    expected[unseen] = clone(teacher).fit(iris.X[seen], names[seen]).predict_proba(iris.X[unseen])
    assert_allclose(answers(teacher, iris.X, names, cv=once), expected, atol=1e-12)


def test_a_class_that_a_clone_has_not_seen_has_no_share_in_its_answers(iris):
    asked = answers(GaussianNB(), iris.X, iris.y, cv=KFold(3))
    assert_array_equal(asked[np.arange(150), iris.y], np.zeros(150))
    assert_allclose(asked.sum(axis=1), 1)


def test_clones_are_fitted_with_the_weights_of_their_rows(iris):
    weight = np.random.default_rng(0).uniform(0.1, 5, 150)
    asked = answers(GaussianNB().fit(iris.X, iris.y), iris.X, iris.y, cv=3, fit={"sample_weight": weight})
    expected = np.empty((150, 3))
    for seen, unseen in StratifiedKFold(3).split(iris.X, iris.y):
        by_hand = GaussianNB().fit(iris.X[seen], iris.y[seen], sample_weight=weight[seen])
        expected[unseen] = by_hand.predict_proba(iris.X[unseen])
    assert_allclose(asked, expected, atol=1e-12)


def test_several_teachers_are_cross_fitted_each_and_averaged(iris):
    forest, bayes = RandomForestClassifier(5, random_state=0).fit(iris.X, iris.y), GaussianNB()
    each = [cross_val_predict(one, iris.X, iris.y, cv=4, method="predict_proba") for one in (forest, bayes)]
    asked = answers([forest, bayes], iris.X, iris.y, cv=4, teacher_weights=[3, 1])
    assert_allclose(asked, 0.75 * each[0] + 0.25 * each[1], atol=1e-12)


def test_memory_keeps_the_clones_of_the_folds(tmp_path, iris):
    log = str(tmp_path / "log")
    model = DistilledClassifier(CountingForest(log), student="linear", alpha=0.5, cv=3, memory=str(tmp_path / "cache"))
    GridSearchCV(model, {"temperature": [1, 2, 4]}, cv=2, error_score="raise", refit=False).fit(iris.X, iris.y)
    # in each of two folds the teacher itself and three clones are fitted, and the clones alone are asked
    for what, n_times in (("fit", 2 * (1 + 3)), ("ask", 2 * 3)):
        assert len(notes(log, what)) == len(set(notes(log, what))) == n_times


def test_memorised_labels_reach_no_student_through_clones():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(400, 5)), rng.integers(0, 2, 400)
    teacher = DecisionTreeClassifier(random_state=0).fit(X, y)
    assert teacher.score(X, y) == 1

    def score(cv):
        student = DecisionTreeClassifier(random_state=0)
        return DistilledClassifier(teacher, student=student, alpha=1, cv=cv).fit(X, y).score(X, y)

    assert score(None) > 0.95
    assert score(5) < 0.6


# out of the forest's bags


@pytest.mark.parametrize("fitted", [True, False], ids=["fitted", "unfitted"])
@pytest.mark.parametrize("kind", ["forest", "pipeline", "bagging"])
def test_out_of_bag_answers_are_the_forests_own(fitted, kind, forest, iris, names):
    teacher = {
        "forest": forest,
        "pipeline": make_pipeline(StandardScaler(), forest),
        "bagging": BaggingClassifier(n_estimators=40, oob_score=True, random_state=0),
    }[kind]
    by_hand = clone(teacher).fit(iris.X, names)
    expected = (by_hand[-1] if kind == "pipeline" else by_hand).oob_decision_function_
    assert_allclose(answers(by_hand if fitted else teacher, iris.X, names, cv="oob"), expected, atol=1e-12)


@pytest.mark.filterwarnings("ignore:Some inputs do not have OOB scores", "ignore:invalid value encountered in divide")
@pytest.mark.parametrize("kind", [RandomForestClassifier, BaggingClassifier])
def test_a_row_that_was_in_every_bag_is_answered_by_the_teacher_itself(kind, iris):
    teacher = kind(n_estimators=3, oob_score=True, random_state=0).fit(iris.X, iris.y)
    oob = teacher.oob_decision_function_
    # scikit-learn leaves such a row at zeros, or at NaN
    nowhere = ~(oob.sum(axis=1) > 0)
    assert 0 < nowhere.sum() < 150
    expected = np.where(nowhere[:, None], teacher.predict_proba(iris.X), oob)
    assert_allclose(answers(teacher, iris.X, iris.y, cv="oob"), expected, atol=1e-12)


@pytest.mark.parametrize("fitted", [True, False], ids=["fitted", "unfitted"])
def test_out_of_bag_answers_beside_rows_without_labels(fitted, forest, iris, names):
    by_hand = clone(forest).fit(iris.X, names)
    more = iris.X[:20] + 0.1
    expected = np.vstack([by_hand.oob_decision_function_, by_hand.predict_proba(more)])
    found = answers(by_hand if fitted else forest, iris.X, names, cv="oob", fit={"X_unlabeled": more})
    assert_allclose(found, expected, atol=1e-12)


# refusals


def test_what_has_no_unseen_answers_is_refused(forest, iris, iris_forest):
    def refused(match, teacher, X=iris.X, y=iris.y, **params):
        model = DistilledClassifier(teacher, student="linear", **{"cv": 5, **params})
        with pytest.raises(ValueError, match=match):
            model.fit(X, y)
        assert not hasattr(model, "student_")

    def answer(X):
        return iris_forest.predict_proba(X)

    refused("cv=5 fits clones of the teacher, and teacher .*answer is no estimator", answer)
    recording = RecordingTeacher(answer)
    refused("cv=5 fits clones of the teacher, and teacher RecordingTeacher is no", recording)
    assert recording.seen == []
    refused("a clone of teacher FrozenEstimator is fitted already", FrozenEstimator(iris_forest))
    refused("y is None with alpha=1; cv=5 needs labels", iris_forest, y=None, alpha=1)
    refused("y is None with alpha=1; cv='oob' needs labels", iris_forest, y=None, alpha=1, cv="oob")
    refused("RandomForestClassifier has none: fit a forest with oob_score=True, or use cv=5", iris_forest, cv="oob")
    refused("LogisticRegression has none", LogisticRegression(max_iter=500), cv="oob")
    fitted = clone(forest).fit(iris.X, iris.y)
    few = "it has out-of-bag answers for 150 rows, and X has 120"
    refused(few, fitted, iris.X[:120], iris.y[:120], cv="oob")
    refused("The 'cv' parameter of DistilledClassifier must be", fitted, cv="bags")
