"""partial_fit: last month's student learns this month's rows, with the same encoder."""

import numpy as np
import pytest
from helpers import small_mlp, small_mlp_regressor
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.compose import make_column_transformer
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledClassifier, LinearStudent, LinearStudentRegressor, MLPStudent, load
from skdistill.losses import softmax

STUDENTS = [LinearStudent(), small_mlp(hidden_layer_sizes=(32,), max_epochs=30)]
REGRESSORS = [LinearStudentRegressor(), small_mlp_regressor(hidden_layer_sizes=(32,), max_epochs=30)]


def rows(n_rows, seed, slope=0.0):
    """Return rows of a number, a level and another number, which has a slope of late, labels and numbers."""
    rng = np.random.default_rng(seed)
    X = np.empty((n_rows, 3), dtype=object)
    X[:, 0], X[:, 2] = rng.normal(size=(2, n_rows))
    X[:, 1] = rng.choice(["Lima", "Oslo"], n_rows)
    z = 2 * X[:, 0].astype(float) + np.where(X[:, 1] == "Oslo", 1.0, -1.0) + slope * X[:, 2].astype(float)
    return X, np.where(rng.random(n_rows) < 1 / (1 + np.exp(-z)), "yes", "no"), 10 * z + 50


@pytest.mark.parametrize("student", STUDENTS, ids=lambda one: type(one).__name__)
def test_a_fitted_student_follows_what_has_changed(student):
    X, y, _ = rows(1000, 0)
    student.fit(X, y)
    entry, (later, labels, _), (fresh, known, _) = student.program_.ops[0], rows(2000, 1, 2.0), rows(2000, 2, 2.0)
    before = log_loss(known, student.predict_proba(fresh))
    student.partial_fit(later, labels)
    assert log_loss(known, student.predict_proba(fresh)) < before - 0.05
    assert str(student.program_.ops[0]) == str(entry)
    assert student.classes_.tolist() == ["no", "yes"]


@pytest.mark.parametrize("student", REGRESSORS, ids=lambda one: type(one).__name__)
def test_a_fitted_regressor_follows_what_has_changed(student):
    X, _, y = rows(1000, 0)
    (later, _, numbers), (fresh, _, known) = rows(2000, 1, 2.0), rows(2000, 2, 2.0)
    before = student.fit(X, y).score(fresh, known)
    assert student.partial_fit(later, numbers).score(fresh, known) > before + 0.1


def test_a_linear_student_ends_where_a_fit_to_all_rows_would():
    (first, y_first, _), (later, y_later, _), (fresh, _, _) = rows(2000, 0), rows(1000, 1), rows(500, 2)
    student = LinearStudent(C=0.1).fit(first, y_first)
    before = student.predict_proba(fresh)
    student.partial_fit(later, y_later)
    whole = LinearStudent(C=0.1).fit(np.vstack([first, later]), np.concatenate([y_first, y_later]))
    found, known = student.predict_proba(fresh), whole.predict_proba(fresh)
    assert abs(found - known).max() < 0.2 * abs(before - known).max()


def test_what_later_rows_do_not_have_is_kept():
    X, y, _ = rows(1000, 0)
    later, labels, _ = rows(1000, 1)
    only = later[:, 1] == "Lima"
    oslo = np.array([[0.0, "Oslo", 0.0]], dtype=object)
    student = LinearStudent().fit(X, y)
    before = student.decision_function(oslo) - student.decision_function([[0.0, "Lima", 0.0]])
    student.partial_fit(later[only], labels[only])
    after = student.decision_function(oslo) - student.decision_function([[0.0, "Lima", 0.0]])
    assert_allclose(after, before, atol=0.3)


@pytest.mark.parametrize("student", STUDENTS, ids=lambda one: type(one).__name__)
def test_from_the_first_rows_on(student):
    student = type(student)(**student.get_params())
    for seed in range(6):
        X, y, _ = rows(500, seed)
        student.partial_fit(X, y, classes=["no", "yes"] if seed == 0 else None)
    fresh, known, _ = rows(2000, 9)
    assert log_loss(known, student.predict_proba(fresh)) < 0.5


def test_soft_targets_weights_and_the_same_bytes():
    X, _, z = rows(600, 0)
    soft = softmax(np.column_stack([0 * z, (z - 50) / 10]))
    weight = np.where(np.arange(600) < 300, 1.0, 0.0)
    for student in (LinearStudent(), small_mlp()):
        student.fit(X, soft)
        program = student.program_
        alone = type(student)(**student.get_params()).fit(X, soft)
        student.partial_fit(X, soft, sample_weight=weight)
        alone.partial_fit(X[:300], soft[:300])
        assert_array_equal(student.predict_proba(X), alone.predict_proba(X))
        assert len(program.ops) == len(student.program_.ops)


def test_a_distilled_student_learns_on_and_exports(tmp_path):
    X, y, _ = rows(800, 0)
    numbers = X[:, [0, 2]].astype(float)
    teacher = LinearStudent().fit(numbers, y)
    net = small_mlp(n_nets=2, hidden_layer_sizes=(8, 8))
    student = DistilledClassifier(teacher, student=net, random_state=0).fit(numbers, y).student_
    student.partial_fit(numbers, teacher.predict_proba(numbers))
    student.export(tmp_path / "student.skd")
    assert_array_equal(load(tmp_path / "student.skd").predict_proba(numbers), student.predict_proba(numbers))


@pytest.mark.parametrize("make", [csr_matrix, np.asarray], ids=["sparse", "encoder"])
def test_sparse_rows_and_encoders_of_the_user(make):
    rng = np.random.default_rng(0)
    X = make(rng.normal(size=(400, 3)) * [1, 100, 0.01])
    y = (np.asarray(X[:, [1]].todense() if make is csr_matrix else X[:, [1]]).ravel() > 0).astype(int)
    encoder = None if make is csr_matrix else make_column_transformer((StandardScaler(), [0, 1, 2]))
    for student in (LinearStudent(encoder=encoder), small_mlp(encoder=encoder, hidden_layer_sizes=(16,))):
        score = student.fit(X, y).score(X, y)
        assert student.partial_fit(X, y).score(X, y) >= score - 0.02
        assert student.partial_fit(X.toarray() if make is csr_matrix else X, y).score(X, y) >= score - 0.02


def test_several_labels():
    X, _, _ = rows(300, 0)
    Y = np.column_stack([X[:, 0].astype(float) > 0, X[:, 1] == "Oslo"]).astype(int)
    student = LinearStudent().fit(X, Y)
    assert (student.partial_fit(X, Y).predict(X) == Y).mean() > 0.95
    with pytest.raises(ValueError, match="fitted to several labels for each row, and y holds one class"):
        student.partial_fit(X, Y[:, 0])


def test_columns_of_a_frame_are_matched_by_name():
    pd = pytest.importorskip("pandas")
    X, y, number = rows(500, 0)
    proba = pd.DataFrame({"no": (y == "no") * 1.0, "yes": (y == "yes") * 1.0})
    Y = pd.DataFrame({"high": (X[:, 0].astype(float) > 0).astype(int), "Oslo": (X[:, 1] == "Oslo").astype(int)})
    Z = pd.DataFrame({"up": number, "down": -number})
    for student, first, target in (
        (LinearStudent(), y, proba),
        (LinearStudent(), Y, Y),
        (LinearStudentRegressor(), Z, Z),
    ):
        one, other = (
            student.fit(X, first).partial_fit(X, target[list(names)]).program_(X)
            for names in (target, target.columns[::-1])
        )
        assert_array_equal(one, other)
        with pytest.raises(ValueError, match="y has columns named"):
            student.partial_fit(X, target.rename(columns={target.columns[0]: "other"}))
    swapped = pd.DataFrame({"1": proba["yes"], "0": proba["no"]})
    counted = LinearStudent().fit(X, (y == "yes").astype(int)).partial_fit(X, swapped)
    assert (counted.predict(X) == (y == "yes")).mean() > 0.8


def test_a_column_that_did_not_vary_is_not_learned_and_said():
    X, y = np.random.default_rng(0).normal(size=(200, 2)), np.arange(200) % 2
    student = LinearStudent().fit(X * [1, 0], y)
    with pytest.warns(UserWarning, match=r"does not read the columns \[1\]"):
        student.partial_fit(X, y)
    student.partial_fit(X * [1, 0], y)
    with pytest.raises(ValueError, match="Column 0 holds an infinite number"):
        student.partial_fit(np.where(X > 2, np.inf, X), y)


def test_bad_input():
    X, y, number = rows(100, 0)
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        MLPStudent().partial_fit(X, y)
    student = LinearStudent().partial_fit(X, y, classes=["yes", "no"])
    with pytest.raises(ValueError, match=r"\['no', 'perhaps'\] are not those of before"):
        student.partial_fit(X, y, classes=["no", "perhaps"])
    with pytest.raises(ValueError, match=r"y holds \['perhaps'\], not among the classes"):
        student.partial_fit(X, np.where(y == "no", "perhaps", y))
    with pytest.raises(ValueError, match="2 features"):
        student.partial_fit(X[:, :2], y)
    with pytest.raises(ValueError, match="'balanced' needs all rows at once"):
        LinearStudent(class_weight="balanced").partial_fit(X, y, classes=["yes", "no"])
    regressor = LinearStudentRegressor().fit(X, number)
    with pytest.raises(ValueError, match="y has 2 outputs; the student was fitted to 1"):
        regressor.partial_fit(X, np.column_stack([number, number]))
