"""DistilledClassifier end to end: it distils, is reproducible, predicts rows by themselves, clones, pickles."""

import gc
import pickle
from types import FunctionType, ModuleType

import numpy as np
import pytest
from helpers import CountingForest, RecordingStudent, small_mlp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from skdistill import DistilledClassifier, LinearStudent, MLPStudent
from skdistill.losses import log_softmax, softmax


def fingerprint(*args, X, y=None, **params):
    return DistilledClassifier(*args, **params).fit(X, y).program_.fingerprint()


#: A teacher that answers against the labels is warned of.
useless = pytest.mark.filterwarnings("ignore:.* says little of these labels:UserWarning")


# it distils


@useless
def test_an_inverted_teacher_inverts_the_student(student, cancer, cancer_forest):
    def inverted(X):
        return cancer_forest.predict_proba(X)[:, ::-1]

    model = DistilledClassifier(inverted, student=student, alpha=1).fit(cancer.X, cancer.y)
    assert np.mean(model.predict(cancer.X) == 1 - cancer_forest.predict(cancer.X)) > 0.95
    # and outweighs the labels in the blend
    model = DistilledClassifier(inverted, student=student, alpha=0.9).fit(cancer.X, cancer.y)
    assert np.mean(model.predict(cancer.X) == 1 - cancer_forest.predict(cancer.X)) > 0.9


@useless
def test_with_alpha_0_the_teachers_answers_change_nothing(student, cancer, cancer_forest):
    def inverted(X):
        return cancer_forest.predict_proba(X)[:, ::-1]

    prints = {
        fingerprint(teacher, student=student, alpha=0, temperature=temperature, X=cancer.X, y=cancer.y)
        for teacher in (cancer_forest, inverted)
        for temperature in (1, 5)
    }
    assert len(prints) == 1
    labels_only = clone(student).fit(cancer.X, cancer.y)
    assert prints == {labels_only.program_.fingerprint()}


def test_temperature_and_alpha_each_change_the_student(student, cancer, cancer_forest):
    def answers(**params):
        return (
            DistilledClassifier(cancer_forest, student=student, **params)
            .fit(cancer.X, cancer.y)
            .predict_proba(cancer.X)
        )

    answers_by_temperature = [answers(temperature=temperature, alpha=1) for temperature in (1, 2, 8)]
    answers_by_alpha = [answers(temperature=2, alpha=alpha) for alpha in (0, 0.5, 1)]
    for several in (answers_by_temperature, answers_by_alpha):
        assert abs(several[0] - several[1]).max() > 0.01
        assert abs(several[1] - several[2]).max() > 0.01


def test_without_a_single_label_the_net_follows_the_teacher(digits, digits_forest):
    model = DistilledClassifier(digits_forest, student=MLPStudent((64,), max_epochs=40), alpha=1, random_state=0)
    model.fit(digits.X)
    assert np.mean(model.predict(digits.X_test) == digits_forest.predict(digits.X_test)) >= 0.95
    assert model.score(digits.X_test, digits.y_test) >= 0.95


@pytest.mark.parametrize("temperature", [1, 2])
def test_a_softmax_linear_teacher_is_recovered(temperature):
    rng = np.random.default_rng(0)
    W = rng.normal(scale=0.7, size=(5, 3))
    X, fresh = rng.normal(size=(2, 800, 5))
    student = LinearStudent(C=1000)
    model = DistilledClassifier(lambda X: softmax(X @ W), student=student, alpha=1, temperature=temperature).fit(X)
    assert_allclose(model.predict_proba(fresh), softmax(fresh @ W), atol=1e-3)


def test_the_teachers_answers_on_unlabelled_rows_help(digits, digits_forest):
    student = small_mlp(hidden_layer_sizes=(32,), max_epochs=30)
    alone = clone(student).fit(digits.X[:60], digits.y[:60]).score(digits.X_test, digits.y_test)
    model = DistilledClassifier(digits_forest, student=student, alpha=0.5)
    model.fit(digits.X[:60], digits.y[:60], X_unlabeled=digits.X[60:])
    assert model.score(digits.X_test, digits.y_test) > alone + 0.05


def test_class_weight_moves_the_blend_to_the_class(student, cancer, cancer_forest):
    def share(class_weight, alpha):
        weighted = clone(student).set_params(class_weight=class_weight)
        model = DistilledClassifier(cancer_forest, student=weighted, alpha=alpha).fit(cancer.X, cancer.y)
        return model.predict_proba(cancer.X)[:, 0].mean()

    for alpha in (0, 0.5, 1):
        assert share({0: 20}, alpha) > share(None, alpha) + 0.01
        # 37 % of the rows are of class 0
        assert share("balanced", alpha) > share(None, alpha)


def test_rows_of_weight_zero_are_no_rows(student, cancer, cancer_forest):
    weight = np.random.default_rng(0).choice([0.0, 1.0, 2.5], 569)
    model = DistilledClassifier(cancer_forest, student=student, alpha=0.5)
    weighted = clone(model).fit(cancer.X, cancer.y, sample_weight=weight)
    kept = weight > 0
    without = clone(model).fit(cancer.X[kept], cancer.y[kept], sample_weight=weight[kept])
    assert weighted.program_.fingerprint() == without.program_.fingerprint()
    assert weighted.program_.fingerprint() != clone(model).fit(cancer.X, cancer.y).program_.fingerprint()


# students


def test_students_by_name_and_by_instance(iris, iris_forest):
    linear = DistilledClassifier(iris_forest, student="linear", alpha=0.5).fit(iris.X, iris.y)
    assert type(linear.student_) is LinearStudent
    given = LinearStudent(C=1.0)
    by_instance = DistilledClassifier(iris_forest, student=given, alpha=0.5).fit(iris.X, iris.y)
    assert by_instance.student_ is not given
    assert by_instance.student_.C == 1.0
    assert not hasattr(given, "program_")
    mlp = DistilledClassifier(iris_forest, student="mlp", alpha=0.5, random_state=0).fit(iris.X[::5], iris.y[::5])
    assert type(mlp.student_) is MLPStudent
    assert type(DistilledClassifier().student) is str


def test_random_state_and_verbose_are_handed_to_a_student_that_has_none(capsys, iris, iris_forest):
    net = small_mlp(random_state=None, max_epochs=2)

    def fit(net, **params):
        model = DistilledClassifier(iris_forest, student=net, alpha=0.5, **params).fit(iris.X, iris.y)
        return model.program_.fingerprint()

    assert fit(net, random_state=3) == fit(net, random_state=3) != fit(net, random_state=4)
    own = small_mlp(random_state=3, max_epochs=2)
    assert fit(own, random_state=4) == fit(net, random_state=3)
    assert capsys.readouterr().err == ""
    fit(net, random_state=3, verbose=1, label_ensemble=2)
    shown = capsys.readouterr().err
    assert "2/2" in shown[shown.index("label ensemble") : shown.index("MLPStudent")]


def test_the_student_is_a_classifier_by_itself(student, iris, named_forest):
    model = DistilledClassifier(named_forest, student=student, alpha=0.5).fit(iris.X, named_forest.classes_[iris.y])
    alone = model.student_
    assert_array_equal(alone.classes_, model.classes_)
    assert alone.program_ is model.program_
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        assert_array_equal(getattr(alone, method)(iris.X), getattr(model, method)(iris.X))
    assert alone.n_features_in_ == model.n_features_in_ == 4


# predictions


@pytest.fixture(scope="module", params=["linear", "mlp"])
def two_class(request, cancer, cancer_forest):
    student = LinearStudent() if request.param == "linear" else small_mlp()
    return DistilledClassifier(cancer_forest, student=student, alpha=0.5).fit(cancer.X, cancer.y)


@pytest.fixture(scope="module", params=["linear", "mlp"])
def ten_class(request, digits, digits_forest):
    student = LinearStudent(tol=1e-4) if request.param == "linear" else small_mlp()
    return DistilledClassifier(digits_forest, student=student, alpha=0.5).fit(digits.X, digits.y)


def test_the_four_answers_agree(two_class, ten_class, cancer, digits):
    for model, X in ((two_class, cancer.X), (ten_class, digits.X)):
        proba = model.predict_proba(X)
        assert proba.shape == (len(X), len(model.classes_))
        assert proba.dtype == np.float64
        assert_allclose(proba.sum(axis=1), 1, rtol=1e-14)
        assert_allclose(model.predict_log_proba(X), np.log(proba), atol=1e-10)
        assert_array_equal(model.predict(X), model.classes_[proba.argmax(axis=1)])
        assert_array_equal(model.program_(X), proba)
        assert model.score(X, model.predict(X)) == 1
    logits = two_class.decision_function(cancer.X)
    assert logits.shape == (569,)
    assert_allclose(softmax(logits[:, None]), two_class.predict_proba(cancer.X), atol=1e-12)
    logits = ten_class.decision_function(digits.X)
    assert logits.shape == (len(digits.X), 10)
    assert_allclose(log_softmax(logits), ten_class.predict_log_proba(digits.X), atol=1e-12)


def test_a_rows_answer_does_not_depend_on_its_batch(two_class, ten_class, cancer, digits):
    for model, X in ((two_class, cancer.X), (ten_class, digits.X)):
        X = np.vstack([X] * (3000 // len(X) + 1))
        together = model.predict_proba(X)
        for rows in (slice(0, 1), slice(5, 12), slice(1020, 1030), slice(100, 2500)):
            assert_allclose(model.predict_proba(X[rows]), together[rows], rtol=0, atol=1e-12)
        order = np.random.default_rng(0).permutation(len(X))
        assert_allclose(model.predict_proba(X[order]), together[order], rtol=0, atol=1e-12)


def test_any_finite_row_has_a_finite_answer(two_class, ten_class):
    rng = np.random.default_rng(0)
    for model in (two_class, ten_class):
        n = model.n_features_in_
        extremes = [0.0, 1e-308, -1e-308, 1e39, -1e39, 1e308, -1e308, np.finfo(float).max]
        X = np.vstack([np.full((1, n), value) for value in extremes] + [rng.choice(extremes, size=(200, n))])
        proba = model.predict_proba(X)
        assert np.isfinite(proba).all()
        assert (proba >= 0).all()
        assert_allclose(proba.sum(axis=1), 1, rtol=1e-14)
        assert np.isfinite(model.predict_log_proba(X)).all()
        assert np.isfinite(model.decision_function(X)).all()
        assert set(model.predict(X)) <= set(model.classes_)


def test_rows_of_any_numeric_type(two_class, cancer):
    single = cancer.X.astype(np.float32)
    assert_array_equal(two_class.predict_proba(single), two_class.predict_proba(single.astype(float)))
    whole = cancer.X.round().astype(np.int32)
    assert_array_equal(two_class.predict_proba(whole), two_class.predict_proba(whole.astype(float)))
    assert_array_equal(two_class.predict_proba(cancer.X[:3].tolist()), two_class.predict_proba(cancer.X[:3]))
    columns_first = np.asfortranarray(cancer.X)
    assert_allclose(two_class.predict_proba(columns_first), two_class.predict_proba(cancer.X), rtol=0, atol=1e-12)


def test_fitting_and_predicting_leave_the_rows_alone(student, cancer, cancer_forest):
    X, y = cancer.X.copy(), cancer.y.copy()
    X.flags.writeable = y.flags.writeable = False
    model = DistilledClassifier(cancer_forest, student=student, alpha=0.5).fit(X, y)
    model.predict_proba(X)
    assert_array_equal(X, cancer.X)


def test_columns_of_a_data_frame_are_known_by_name(iris, iris_forest):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(iris.X, columns=["sl", "sw", "pl", "pw"], index=np.arange(150)[::-1])
    forest = clone(iris_forest).fit(frame, iris.y)
    model = DistilledClassifier(forest, student="linear", alpha=0.5).fit(frame, iris.y)
    plain = DistilledClassifier(iris_forest, student="linear", alpha=0.5).fit(iris.X, iris.y)
    assert_allclose(model.predict_proba(frame), plain.predict_proba(iris.X), rtol=0, atol=1e-12)
    for one in (model, model.student_):
        shuffled = frame[["sw", "sl", "pl", "pw"]]
        assert_array_equal(one.predict_proba(shuffled), one.predict_proba(frame))
        with pytest.raises(ValueError, match=r"missing \['sl'\]; unexpected \['sepal'\]"):
            one.predict(frame.rename(columns={"sl": "sepal"}))
        with pytest.warns(UserWarning, match="X does not have valid feature names"):
            one.predict(iris.X)


@pytest.mark.parametrize("make", [LinearStudent, MLPStudent, lambda: DistilledClassifier(LogisticRegression())])
@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba", "decision_function"])
def test_predicting_before_fit_is_refused(make, method, iris):
    with pytest.raises(NotFittedError, match=f"This {type(make()).__name__} instance is not fitted yet. Call 'fit'"):
        getattr(make(), method)(iris.X)
    assert not hasattr(make(), "classes_")
    assert not hasattr(make(), "program_")


# reproducibility


def test_the_same_random_state_gives_the_same_bytes_in_every_process(unmoved, cancer):
    model = DistilledClassifier(
        RandomForestClassifier(20, random_state=0),
        student=small_mlp(random_state=None, max_epochs=3),
        label_ensemble=2,
        random_state=7,
        temperature=2,
    )

    def programs(n_jobs):
        folds = cross_validate(model, cancer.X, cancer.y, cv=2, n_jobs=n_jobs, return_estimator=True)
        return [fold.program_.fingerprint() for fold in folds["estimator"]]

    once, in_workers = programs(1), programs(2)
    assert once == in_workers
    assert once[0] != once[1]


# clone, parameters


def bound_and_plain(forest):
    def plain(X):
        return forest.predict_proba(X)

    return plain, forest.predict_proba


def test_clone_keeps_a_fitted_teacher(iris, iris_forest):
    plain, bound = bound_and_plain(iris_forest)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(iris.X, iris.y)
    for teacher in (iris_forest, FrozenEstimator(iris_forest), plain, bound, pipeline, None):
        assert clone(DistilledClassifier(teacher)).teacher is teacher
    copied = clone(clone(DistilledClassifier([iris_forest, bound]))).teacher
    assert isinstance(copied, list)
    assert copied[0] is iris_forest
    assert copied[1] is bound


def test_clone_clones_an_unfitted_teacher_and_the_student(iris, iris_forest):
    unfitted, student = RandomForestClassifier(7), LinearStudent(C=3)
    model = DistilledClassifier([iris_forest, unfitted], student=student, alpha=0.25, temperature=3, classes=[0, 1, 2])
    copied = clone(model.fit(iris.X, iris.y))
    assert copied.teacher[0] is iris_forest
    assert copied.teacher[1] is not unfitted
    assert copied.teacher[1].n_estimators == 7
    assert copied.student is not student
    assert copied.student.C == 3
    assert (copied.alpha, copied.temperature) == (0.25, 3)
    assert not hasattr(copied, "student_")


def test_parameters_of_a_fitted_teacher_cannot_be_set(iris_forest):
    for teacher in (iris_forest, FrozenEstimator(iris_forest), iris_forest.predict_proba):
        model = DistilledClassifier(teacher)
        assert not [name for name in model.get_params() if name.startswith("teacher__")]
        with pytest.raises(ValueError, match=r"\['teacher__n_estimators'\] cannot be set: the teacher is fitted"):
            model.set_params(teacher__n_estimators=3)
    assert iris_forest.n_estimators == 30


def test_parameters_of_the_student_and_of_an_unfitted_teacher_can_be_set(iris_forest):
    model = DistilledClassifier(RandomForestClassifier(5), student=small_mlp())
    model.set_params(teacher__n_estimators=9, student__hidden_layer_sizes=(3, 3), temperature=4, alpha=0.1)
    assert model.teacher.n_estimators == 9
    assert model.student.hidden_layer_sizes == (3, 3)
    assert (model.temperature, model.alpha) == (4, 0.1)
    assert model.get_params()["teacher__n_estimators"] == 9
    model = DistilledClassifier(iris_forest).set_params(teacher=RandomForestClassifier(5), teacher__n_estimators=2)
    assert model.teacher.n_estimators == 2
    with pytest.raises(ValueError, match="Invalid parameter 'heat'"):
        model.set_params(heat=2)


def test_labels_are_required_unless_alpha_is_1():
    assert get_tags(DistilledClassifier(alpha=0.99)).target_tags.required
    assert not get_tags(DistilledClassifier(alpha=1)).target_tags.required


def test_a_fit_leaves_the_parameters_as_they_were(iris):
    teacher, student = RandomForestClassifier(5, random_state=0), small_mlp(random_state=None)
    model = DistilledClassifier(teacher, student=student, alpha=0.5, random_state=0, verbose=0).fit(iris.X, iris.y)
    assert model.teacher is teacher
    assert model.student is student
    assert student.random_state is None
    assert not hasattr(teacher, "classes_")


# pickling


def reachable(thing):
    """Every object that `thing` holds, however deep, by its id; modules and classes are not held."""
    held, waiting = {}, [thing]
    while waiting:
        one = waiting.pop()
        if id(one) not in held and not isinstance(one, type | ModuleType | FunctionType):
            held[id(one)] = one
            waiting += gc.get_referents(one)
    return held


def test_the_student_holds_neither_teacher_nor_rows(student, cancer, cancer_forest):
    model = DistilledClassifier(cancer_forest, student=student, alpha=0.5).fit(cancer.X, cancer.y)
    held = reachable(model.student_)
    assert id(model.program_) in held
    assert not [one for one in held.values() if isinstance(one, RandomForestClassifier)]
    assert max(max(one.shape, default=0) for one in held.values() if isinstance(one, np.ndarray)) < 100
    assert id(cancer_forest) in reachable(model), "the walk finds a teacher where there is one"


def test_pickling_the_student_ships_kilobytes_and_the_whole_carries_the_teacher(student, cancer, cancer_forest):
    model = DistilledClassifier(cancer_forest, student=student, alpha=0.5).fit(cancer.X, cancer.y)
    alone, whole, teacher = (len(pickle.dumps(one)) for one in (model.student_, model, cancer_forest))
    assert alone < 10_000
    assert whole > teacher > 50_000
    for again in (pickle.loads(pickle.dumps(model.student_)), pickle.loads(pickle.dumps(model))):
        assert_array_equal(again.predict_proba(cancer.X), model.predict_proba(cancer.X))
        assert_array_equal(again.predict(cancer.X), model.predict(cancer.X))
        assert again.program_.fingerprint() == model.program_.fingerprint()


# before any long work


def test_an_interrupted_teacher_leaves_nothing_fitted(tmp_path, monkeypatch, iris):
    teacher = CountingForest(str(tmp_path / "log"))
    model = DistilledClassifier(teacher, student=RecordingStudent(), alpha=0.5)

    def interrupted(self, X):
        raise KeyboardInterrupt

    monkeypatch.setattr(CountingForest, "predict_proba", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(iris.X, iris.y)
    assert not hasattr(model, "student_")


def test_an_interrupted_student_is_a_fitted_model(at_each_step, ctrl_c, cancer, cancer_forest):
    # a step an epoch
    at_each_step(lambda number, weights: ctrl_c() if number == 4 else None)
    model = DistilledClassifier(cancer_forest, student=small_mlp(batch_size=600), alpha=0.5)
    with pytest.warns(UserWarning, match="interrupted after 3 of 15 epochs"):
        model.fit(cancer.X, cancer.y)
    assert model.predict_proba(cancer.X).shape == (569, 2)
