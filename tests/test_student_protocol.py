"""What a distiller may rely on in any student: its traits, its factory, its weights, its loss."""

import pickle
from dataclasses import dataclass
from inspect import signature

import numpy as np
import pytest
from helpers import small_mlp, small_mlp_regressor, small_tree, small_tree_regressor
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import (
    DistilledRegressor,
    LinearStudent,
    LinearStudentRegressor,
    MLPStudent,
    MLPStudentRegressor,
    TreeStudent,
    TreeStudentRegressor,
)
from skdistill.losses import CrossEntropy, Huber, Loss, SquaredError, Targets
from skdistill.student import Student, Traits, check_learnable, make_student, scale_logits, traits_of
from skdistill.tasks import CLASSES, NUMBERS, Classes, Numbers

CLASSIFIERS = {"linear": LinearStudent(), "tree": small_tree(), "mlp": small_mlp()}
REGRESSORS = {"linear": LinearStudentRegressor(), "tree": small_tree_regressor(), "mlp": small_mlp_regressor()}
PAIRS = [
    (LinearStudent, LinearStudentRegressor),
    (MLPStudent, MLPStudentRegressor),
    (TreeStudent, TreeStudentRegressor),
]


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    score = X[:, 0] - X[:, 1] + 0.3 * rng.normal(size=300)
    return X, score > 0, score


# weights


@pytest.mark.parametrize("factor", [1 / 300, 7.0, 1e6])
@pytest.mark.parametrize("kind", ["counts", "relative"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_unit_of_the_weights_does_not_matter(name, kind, factor, rows):
    X, labels, score = rows
    rng = np.random.default_rng(1)
    weight = rng.integers(0, 4, 300).astype(float) if kind == "counts" else rng.uniform(0.2, 3.0, 300)
    for student, y in ((CLASSIFIERS[name], labels), (REGRESSORS[name], score)):
        one, other = (clone(student).fit(X, y, sample_weight=weight * by).program_ for by in (1.0, factor))
        if kind == "counts":
            assert one.fingerprint() == other.fingerprint()
        assert_allclose(one(X), other(X), atol=1e-6)


def test_equal_weights_are_no_weights(rows):
    X, labels, score = rows
    for students, y in ((CLASSIFIERS, labels), (REGRESSORS, score)):
        for student in students.values():
            plain, weighted = clone(student).fit(X, y), clone(student).fit(X, y, sample_weight=np.full(300, 1 / 300))
            assert plain.program_.fingerprint() == weighted.program_.fingerprint()


def test_adapted_students_too_are_told_how_often_a_row_counts(rows):
    X, labels, score = rows
    weight = np.where(np.arange(300) % 3 == 0, 0.0, 0.02)
    kept = weight > 0
    for student, task, y in ((LogisticRegression(C=0.01), CLASSES, labels), (Ridge(100.0), NUMBERS, score)):
        weighted = make_student(student, task).fit(X, y, sample_weight=weight)
        plain = make_student(student, task).fit(X[kept], y[kept])
        assert_allclose(weighted.estimator_.coef_, plain.estimator_.coef_, rtol=1e-6)


# parameters and methods


@pytest.mark.parametrize(("classifier", "regressor"), PAIRS, ids=lambda one: one.__name__)
def test_a_regressor_has_the_classifiers_parameters_with_loss_and_clip_for_class_weight(classifier, regressor):
    of_classes, of_numbers = classifier().get_params(), regressor().get_params()
    assert of_numbers.pop("loss") == "squared_error"
    assert of_numbers.pop("clip") == "auto"
    assert of_classes.pop("class_weight") is None
    assert of_numbers == of_classes
    assert "class_weight" not in vars(regressor())
    with pytest.raises(TypeError, match="unexpected keyword argument 'class_weight'"):
        regressor(class_weight="balanced")
    assert clone(regressor(loss=Huber(2.0))).loss == Huber(2.0)
    assert list(signature(regressor).parameters) == list(of_numbers_in_order(classifier))


def of_numbers_in_order(classifier):
    names = list(signature(classifier).parameters)
    at = names.index("class_weight")
    return [*names[:at], "loss", "clip", *names[at + 1 :]]


@pytest.mark.parametrize("student", [*CLASSIFIERS.values(), *REGRESSORS.values()], ids=lambda one: type(one).__name__)
def test_only_what_a_user_calls_is_public(student):
    from_sklearn = {"get_params", "set_params", "get_metadata_routing", "set_fit_request", "set_score_request"}
    public = {name for name in dir(student) if not name.startswith("_") and callable(getattr(student, name, None))}
    calls = {"fit", "fit_targets", "predict", "compile", "explain", "export", "score"}
    calls |= {"predict_proba", "predict_log_proba", "decision_function"} if student in CLASSIFIERS.values() else set()
    calls |= {"export_text"} if "tree" in type(student).__name__.lower() else set()
    calls |= {"shape_function"} if "Linear" in type(student).__name__ else set()
    assert public - from_sklearn - set(student.get_params()) == calls
    assert isinstance(student, Student)


# traits


class Foreign(BaseEstimator):
    """A student of somebody else's, that says nothing of itself."""

    def fit_targets(self, X, targets):
        self.targets_ = targets
        return self

    def predict(self, X):
        return np.zeros(len(X))


def test_traits():
    assert traits_of(Foreign()) == Traits()
    assert isinstance(Foreign(), Student)
    assert traits_of(TreeStudent()) == Traits(scalable=True)
    assert traits_of(LinearStudent()) == Traits(scalable=True, several_labels=True)
    assert traits_of(MLPStudent()) == Traits(in_epochs=True, scalable=True, several_labels=True)
    assert traits_of(MLPStudentRegressor()) == Traits(in_epochs=True, listwise=True)
    assert traits_of(make_student(GaussianNB(), CLASSES)) == Traits(softens=False, takes_loss=False)
    pipeline = make_pipeline(StandardScaler(), GaussianNB())
    assert traits_of(make_student(pipeline, CLASSES)) == Traits(softens=False, takes_loss=False, any_form=True)
    assert traits_of(make_student(make_pipeline(MLPStudent()), CLASSES)) == Traits(any_form=True)


def test_scaled_logits(rows):
    X, labels, _ = rows
    for student in CLASSIFIERS.values():
        student = clone(student).fit(X, labels)
        before = student.decision_function(X)
        scale_logits(student, 1.0)
        assert_array_equal(student.decision_function(X), before)
        scale_logits(student, 0.5)
        assert_allclose(student.decision_function(X), before / 2, rtol=1e-5)


def test_what_cannot_be_learned_is_known_before():
    X = np.array([[1.0], [np.inf]])
    with pytest.raises(ValueError, match="Column 0 holds an infinite number in row 1"):
        check_learnable(LinearStudent(), X, warn=True)
    for student in (LinearStudent(encoder=StandardScaler()), Foreign(), make_student(GaussianNB(), CLASSES)):
        check_learnable(student, X, warn=True)


# the factory


class Grades(Classes):
    """A task of classes that is another one."""


class Counts(Numbers):
    """A task of numbers that is another one."""


@pytest.mark.parametrize("name", ["additive", "linear", "mlp", "tree"])
def test_a_name_is_a_student_of_the_task(name):
    for task, other, suffix in ((CLASSES, Grades(), "Student"), (NUMBERS, Counts(), "StudentRegressor")):
        student = make_student(name, task, random_state=3, verbose=1)
        assert type(student).__name__.endswith(suffix)
        assert repr(student) == repr(make_student(name, other, random_state=3, verbose=1))
        assert student.verbose == 1
        assert student.get_params().get("random_state", 3) == 3
        assert (name == "additive") == (student.get_params().get("numeric") == "piecewise")


@pytest.mark.parametrize(
    ("student", "task", "params", "error", "message"),
    [
        ("forest", NUMBERS, {}, ValueError, r"student must be one of \['additive', 'linear', 'mlp', 'tree'\]"),
        (LinearStudent, CLASSES, {}, TypeError, "student is the class LinearStudent; expected an instance of it"),
        (None, CLASSES, {}, TypeError, "student=None cannot take soft targets"),
        (None, NUMBERS, {}, TypeError, "student=None cannot learn from a regressor"),
        (Ridge(), CLASSES, {}, ValueError, "student Ridge has no predict_proba"),
        (LinearStudentRegressor(), CLASSES, {}, ValueError, "LinearStudentRegressor is a regressor"),
        (LinearStudent(), NUMBERS, {}, ValueError, "student LinearStudent is a classifier"),
        (GaussianNB(), CLASSES, {"temperature": 2}, ValueError, "temperature=2 with student GaussianNB: it learns"),
        (Ridge(), NUMBERS, {"loss": Huber()}, ValueError, r"loss=Huber\(delta=1.345\) with student Ridge, which min"),
        (make_pipeline(Ridge()), NUMBERS, {"loss": Huber()}, ValueError, r"student Pipeline\(Ridge\), which min"),
        (MLPStudent(max_epochs=0), CLASSES, {}, ValueError, "'max_epochs' parameter of MLPStudent"),
    ],
)
def test_what_cannot_learn_is_refused(student, task, params, error, message):
    with pytest.raises(error, match=message):
        make_student(student, task, **params)


def test_ours_take_any_loss_and_others_the_squared_error():
    for name in ("linear", "mlp", "tree"):
        make_student(name, NUMBERS, loss=Huber())
    make_student(Ridge(), NUMBERS, loss=SquaredError())
    targets = Targets(np.zeros((3, 1)), None, loss=Huber(), task=NUMBERS)
    with pytest.raises(ValueError, match="minimises a loss of its own"):
        make_student(Ridge(), NUMBERS).fit_targets(np.eye(3), targets)


@pytest.mark.parametrize("wrap", [lambda student: student, lambda student: make_pipeline(StandardScaler(), student)])
def test_a_loss_of_the_students_own_that_is_not_used_is_warned_of(wrap, rows):
    class Halved(Loss):
        def soft(self, Z, goal):
            return ((Z - goal) ** 2).sum(axis=1) / 2, Z - goal

        def units(self, soft, labels):
            return SquaredError().units(soft, labels)

    X, _, score = rows

    def fit(own, **params):
        student = wrap(LinearStudentRegressor(loss=own))
        DistilledRegressor(Ridge(), student=student, alpha=0.5, **params).fit(X, score)

    # none where both are the same
    fit("squared_error", loss="huber")
    fit("huber", loss=Huber())
    fit(Halved(), loss=Halved())
    for own, params in (("huber", {}), (Huber(2.0), {"loss": "huber"})):
        with pytest.warns(UserWarning, match=r"LinearStudentRegressor is not used.*: DistilledRegressor\(loss="):
            fit(own, **params)


# losses


@pytest.mark.parametrize("student", REGRESSORS.values(), ids=REGRESSORS)
def test_huber_is_less_moved_by_outliers(student, rows):
    X, _, score = rows
    y = np.where(np.arange(300) % 10 == 0, score + 50, score)
    squared, huber = clone(student).fit(X, y), clone(student).set_params(loss="huber").fit(X, y)
    errors = [np.median(abs(one.predict(X) - score)) for one in (squared, huber)]
    assert errors[1] < 0.6 * errors[0]
    by_targets = clone(student).fit_targets(X, Targets(y[:, None], None, loss=Huber(), task=NUMBERS))
    assert_allclose(by_targets.predict(X), huber.predict(X), rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="loss must be one of"):
        clone(student).set_params(loss=CrossEntropy()).fit(X, y)
    with pytest.raises(ValueError, match="'loss' parameter of"):
        clone(student).set_params(loss="absolute").fit(X, y)


@dataclass(frozen=True)
class LogCosh(Loss):
    """A loss of the user's: smooth, linear far out; only its numpy form is there."""

    def soft(self, Z, goal):
        off = Z - goal
        return (np.abs(off) + np.log1p(np.exp(-2 * np.abs(off))) - np.log(2)).sum(axis=1), np.tanh(off)

    def units(self, soft, labels):
        return SquaredError().units(soft, labels)


@dataclass(frozen=True)
class OwnHuber(Huber):
    """Huber's loss under another class, so that it has no torch form."""


@pytest.mark.parametrize("student", REGRESSORS.values(), ids=REGRESSORS)
def test_a_loss_of_the_users_own_trains_every_student(student, rows):
    X, _, score = rows
    y = np.where(np.arange(300) % 10 == 0, score + 20, score)
    fitted = clone(student).set_params(loss=LogCosh()).fit(X, y)
    assert np.median(abs(fitted.predict(X) - score)) < np.median(abs(clone(student).fit(X, y).predict(X) - score))
    own, ours = (clone(student).set_params(loss=loss).fit(X, y) for loss in (OwnHuber(), Huber()))
    assert_allclose(own.predict(X), ours.predict(X), rtol=1e-3, atol=1e-3)
    assert pickle.loads(pickle.dumps(fitted)).loss == LogCosh()


@pytest.mark.parametrize("loss", [CrossEntropy(2.0), SquaredError(), Huber(0.7), LogCosh(), OwnHuber(0.7)], ids=str)
def test_every_loss_is_the_same_in_torch(loss):
    import torch

    from skdistill.student._torch_loss import TermsLoss, target_arrays

    rng = np.random.default_rng(0)
    z, answers, labels = rng.normal(size=(3, 30, 2))
    if isinstance(loss, CrossEntropy):
        answers, labels, z = rng.dirichlet([1, 1], 30), rng.integers(-1, 2, 30), z[:, :1]
    else:
        labels[::3] = np.nan
    terms = Targets(answers, labels, rng.uniform(0, 2, 30), 0.4, loss).terms(30)
    arrays = target_arrays(terms)
    targets = tuple(torch.as_tensor(a, dtype=torch.int64 if a.dtype.kind == "i" else torch.float32) for a in arrays)
    outputs = torch.tensor(z, dtype=torch.float32, requires_grad=True)
    value = TermsLoss(loss)(outputs, targets)
    value.backward()
    expected, gradient = terms.value_and_gradient(z)
    assert value.item() == pytest.approx(expected, rel=1e-5)
    assert_allclose(outputs.grad.numpy(), gradient, rtol=1e-4, atol=1e-6)
