"""Labels and answers aligned by class label: other orders, more classes, other types, and rows without labels."""

import numpy as np
import pytest
from helpers import RecordingStudent, Reordered
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from skdistill import DistilledClassifier


def targets(teacher, X, y, **params):
    """Return what the student was asked to fit."""
    return (
        DistilledClassifier(teacher, student=RecordingStudent(), **{"alpha": 0.5, **params}).fit(X, y).student_.targets_
    )


class Fixed:
    """A fitted classifier that answers from memory, and is no BaseEstimator."""

    def __init__(self, proba, classes):
        self.proba_ = proba
        self.classes_ = np.asarray(classes)

    def fit(self, X, y):
        raise AssertionError("a fitted teacher must not be fitted again")

    def predict_proba(self, X):
        return self.proba_


LABELS = st.one_of(
    st.lists(st.integers(-50, 50), min_size=2, max_size=6, unique=True),
    st.lists(st.text(min_size=1, max_size=4), min_size=2, max_size=6, unique=True),
)


@given(LABELS, st.data())
def test_answers_and_labels_meet_by_label_whatever_the_order(labels, data):
    order = data.draw(st.permutations(labels))
    n_rows = 12
    y = np.array([*order, *data.draw(st.lists(st.sampled_from(order), min_size=n_rows, max_size=n_rows))])[:n_rows]
    proba = np.random.default_rng(0).dirichlet(np.ones(len(order)), n_rows)
    X = np.arange(n_rows, dtype=float)[:, None]
    asked = targets(Fixed(proba, order), X, y)
    assert asked.classes.tolist() == sorted(labels)
    for column, label in enumerate(order):
        assert_allclose(asked.answers[:, sorted(labels).index(label)], proba[:, column], atol=1e-7)
    assert_array_equal(asked.classes[asked.labels], y)


def test_a_teacher_whose_classes_come_in_another_order(iris, iris_forest, student):
    turned = Reordered(iris_forest, [2, 0, 1])
    model = DistilledClassifier(turned, student=student, alpha=0.5).fit(iris.X, iris.y)
    direct = DistilledClassifier(iris_forest, student=student, alpha=0.5).fit(iris.X, iris.y)
    assert_array_equal(model.classes_, [0, 1, 2])
    assert model.program_.fingerprint() == direct.program_.fingerprint()


def test_a_teacher_that_knows_more_classes_than_the_labels_show(digits, digits_forest):
    few = digits.y < 3
    X, y = digits.X[few], digits.y[few]
    model = DistilledClassifier(digits_forest, student="linear", alpha=0.5).fit(X, y)
    assert_array_equal(model.classes_, np.arange(10))
    assert model.predict_proba(X).shape == (few.sum(), 10)
    assert model.score(X, y) > 0.98


def test_a_label_that_the_teacher_does_not_know_is_named(iris, cancer, named_forest):
    names = named_forest.classes_[iris.y].astype(object)
    names[7] = "dahlia"
    with pytest.raises(
        ValueError, match=r"y holds \['dahlia'\], which the teacher does not know; its classes are .*'setosa'"
    ):
        DistilledClassifier(named_forest, student="linear", alpha=0.5).fit(iris.X, names)
    teacher = LogisticRegression(max_iter=500).fit(iris.X[iris.y < 2], iris.y[iris.y < 2])
    with pytest.raises(ValueError, match=r"y holds \[2\], which the teacher does not know; its classes are \[0, 1\]"):
        DistilledClassifier(teacher, student="linear", alpha=0.5).fit(iris.X, iris.y)


@pytest.mark.parametrize("dtype", [bool, float, np.uint8])
def test_labels_equal_to_the_teachers_classes_whatever_their_type(dtype, cancer, cancer_forest):
    model = DistilledClassifier(cancer_forest, student="linear", alpha=0.5).fit(cancer.X, cancer.y.astype(dtype))
    direct = DistilledClassifier(cancer_forest, student="linear", alpha=0.5).fit(cancer.X, cancer.y)
    assert model.program_.fingerprint() == direct.program_.fingerprint()
    assert model.classes_.dtype == cancer_forest.classes_.dtype


def test_a_teacher_fitted_on_booleans(cancer):
    truth = cancer.y == 1
    teacher = RandomForestClassifier(10, random_state=0).fit(cancer.X, truth)
    model = DistilledClassifier(teacher, student="linear", alpha=0.5).fit(cancer.X, truth)
    assert model.classes_.dtype == bool
    assert model.predict(cancer.X).dtype == bool
    assert model.score(cancer.X, truth) > 0.95


def test_labels_as_a_pandas_series_of_strings(iris, named_forest):
    pd = pytest.importorskip("pandas")
    y = pd.Series(named_forest.classes_[iris.y], index=np.arange(150)[::-1])
    for labels in (y, y.astype(object), y.astype("category")):
        asked = targets(named_forest, iris.X, labels)
        assert_array_equal(asked.labels, iris.y)


# labels that look like a mark


def test_the_string_minus_one_is_a_label_like_any_other(cancer):
    y = np.where(cancer.y == 1, "1", "-1")
    asked = targets(RandomForestClassifier(10, random_state=0), cancer.X, y)
    assert_array_equal(asked.classes, ["-1", "1"])
    assert_array_equal(asked.labels, cancer.y)


@pytest.mark.parametrize("fitted", [True, False], ids=["fitted", "unfitted"])
def test_minus_one_and_one_are_two_classes(fitted, cancer):
    y = np.where(cancer.y == 1, 1, -1)
    teacher = RandomForestClassifier(10, random_state=0)
    asked = targets(teacher.fit(cancer.X, y) if fitted else teacher, cancer.X, y)
    assert_array_equal(asked.classes, [-1, 1])
    assert_array_equal(asked.labels, cancer.y)


def test_minus_one_is_a_class_of_a_callable(iris, iris_forest):
    asked = targets(iris_forest.predict_proba, iris.X, iris.y - 1)
    assert_array_equal(asked.classes, [-1, 0, 1])
    assert_array_equal(asked.labels, iris.y)


def test_minus_one_is_a_class_where_classes_says_so(iris, iris_forest):
    # the columns are in another order than the sorted labels
    y = np.where(iris.y == 2, -1, iris.y)
    asked = targets(iris_forest.predict_proba, iris.X, y, classes=[0, 1, -1])
    assert_array_equal(asked.classes, [-1, 0, 1])
    assert_array_equal(asked.labels, y + 1)


# rows without labels


def test_no_label_at_all_is_enough_with_alpha_1(iris, iris_forest):
    asked = targets(iris_forest, iris.X, None, alpha=1)
    assert asked.labels is None
    assert_array_equal(asked.classes, [0, 1, 2])


def test_of_rows_without_labels_the_teachers_term_alone_counts(cancer, cancer_forest, student):
    X, y, more = cancer.X[300:], cancer.y[300:], cancer.X[:300]

    def fit(alpha, teacher):
        model = DistilledClassifier(teacher, student=student, alpha=alpha)
        return model.fit(X, y, X_unlabeled=more).program_.fingerprint()

    def other(rows):
        P = cancer_forest.predict_proba(rows)
        return P[:, ::-1] if len(rows) == 300 else P

    teacher = cancer_forest.predict_proba
    assert fit(0.5, teacher) != fit(0.5, other)
    assert fit(0, teacher) == fit(0, other)


def test_rows_without_labels_do_not_count_at_alpha_0(cancer, cancer_forest):
    X, y, more = cancer.X[300:], cancer.y[300:], cancer.X[:300]
    model = DistilledClassifier(cancer_forest, student="linear", alpha=0)
    together = clone(model).fit(X, y, X_unlabeled=more)
    # columns are standardised by all rows here and by the labelled ones there: the same model up to the penalty
    assert np.mean(together.predict(X) == clone(model).fit(X, y).predict(X)) > 0.98
