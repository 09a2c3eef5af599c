"""Students that are not ours: classifiers on weighted rows, nets on the distillation loss, Pipelines, texts."""

import pickle

import numpy as np
import pytest
import torch
from helpers import Optional, small_mlp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch import NeuralNet, NeuralNetBinaryClassifier, NeuralNetClassifier
from skorch.callbacks import EpochScoring
from tables_helpers import customers
from torch import nn

from skdistill import DistilledClassifier, LinearStudent, TreeStudent

catboost, lightgbm, pd, xgboost = map(Optional, ("catboost", "lightgbm", "pandas", "xgboost"))


class Net(nn.Module):
    """A small net; its outputs are logits, or probabilities on demand."""

    def __init__(self, n_columns=4, n_outputs=3, probabilities=False, dropout=0.0):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(n_columns, 16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, n_outputs))
        self.probabilities = probabilities

    def forward(self, X):
        logits = self.layers(X)
        return logits.softmax(dim=1) if self.probabilities else logits


def net(kind=NeuralNetClassifier, **params):
    fast = {"max_epochs": 15, "lr": 0.02, "optimizer": torch.optim.Adam, "batch_size": 32, "verbose": 0}
    return kind(Net, **{"criterion": nn.CrossEntropyLoss, **fast, **params})


STUDENTS = {
    "logistic": lambda: LogisticRegression(max_iter=1000),
    "tree": lambda: DecisionTreeClassifier(min_samples_leaf=4),
    "lightgbm": lambda: lightgbm.LGBMClassifier(n_estimators=8, min_child_samples=5, n_jobs=1, verbose=-1),
    "xgboost": lambda: xgboost.XGBClassifier(n_estimators=8, n_jobs=1),
    "catboost": lambda: catboost.CatBoostClassifier(
        iterations=20, thread_count=1, verbose=0, allow_writing_files=False
    ),
    "skorch": lambda: make_pipeline(StandardScaler(), net()),
    "torch": lambda: make_pipeline(StandardScaler(), Net()),
    "pipeline": lambda: make_pipeline(StandardScaler(), small_mlp(random_state=None, learning_rate=0.03)),
}


# what holds for all of them


@pytest.fixture(params=STUDENTS)
def anyone(request):
    """A student of any kind; torch draws the weights of a module as it is made."""
    return STUDENTS[request.param]()


def test_a_model_with_any_student_answers_clones_and_pickles(anyone, iris, unmoved):
    student = anyone
    y = np.array(["setosa", "versicolor", "virginica"])[iris.y]
    teacher = LogisticRegression(C=0.05).fit(iris.X, y)
    model = DistilledClassifier(teacher, student=student, alpha=0.5, random_state=0).fit(iris.X, y)
    proba = model.predict_proba(iris.X)
    assert proba.dtype == np.float64
    assert_allclose(proba.sum(axis=1), 1)
    assert_array_equal(model.classes_, teacher.classes_)
    assert_array_equal(model.predict(iris.X), model.classes_[proba.argmax(axis=1)])
    assert_allclose(model.predict_log_proba(iris.X), np.log(proba), atol=1e-6)
    assert_allclose(softmax(model.decision_function(iris.X), axis=1), proba, atol=1e-6)
    assert model.score(iris.X, y) > 0.9
    # it has learned from the teacher, and not from the labels alone
    labels_only = DistilledClassifier(teacher, student=student, alpha=0, random_state=0).fit(iris.X, y)
    assert abs(proba - labels_only.predict_proba(iris.X)).max() > 0.02

    again = pickle.loads(pickle.dumps(model.student_))
    assert_array_equal(again.predict_proba(iris.X), proba)
    assert_array_equal(clone(model).fit(iris.X, y).predict_proba(iris.X), proba)
    with pytest.raises(AttributeError, match=rf"{type(student).__name__}.* has no Program: LinearStudent, MLPStudent"):
        _ = model.program_
    assert not hasattr(model.student_, "program_")


def test_the_student_that_was_given_stays_as_it_was(iris, iris_forest):
    module, forest = Net(), RandomForestClassifier(3)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    scaler = StandardScaler()
    for student in (module, forest, make_pipeline(scaler, LinearStudent())):
        DistilledClassifier(iris_forest, student=student, alpha=0.5, random_state=0).fit(iris.X, iris.y)
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert not hasattr(forest, "classes_")
    assert forest.random_state is None
    assert not hasattr(scaler, "mean_")


@pytest.mark.parametrize(
    ("student", "grid"),
    [
        (DecisionTreeClassifier(random_state=0), {"student__max_depth": [1, 4]}),
        (make_pipeline(StandardScaler(), LinearStudent()), {"student__linearstudent__C": [1e-4, 10]}),
        (net(max_epochs=3, lr=1e-2), {"student__max_epochs": [1, 10], "temperature": [2]}),
    ],
    ids=["classifier", "pipeline", "net"],
)
def test_the_parameters_of_any_student_can_be_searched(student, grid, iris, iris_forest):
    model = DistilledClassifier(iris_forest, student=student, alpha=0.5, random_state=0)
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(iris.X, iris.y)
    low, high = search.cv_results_["mean_test_score"]
    assert high > low
    assert search.best_estimator_.get_params()[next(iter(grid))] == next(iter(grid.values()))[1]


def test_the_columns_of_a_frame_are_matched_by_name(iris, iris_forest):
    frame = pd.DataFrame(iris.X, columns=list("abcd"))
    teacher = clone(iris_forest).fit(frame, iris.y)
    model = DistilledClassifier(teacher, student=GaussianNB(), alpha=0.5).fit(frame, iris.y)
    assert_array_equal(model.predict_proba(frame[list("dcba")]), model.predict_proba(frame))
    with pytest.raises(ValueError, match="missing"):
        model.predict(frame.rename(columns={"a": "e"}))


def test_rows_with_gaps_are_a_matter_of_teacher_and_student(cancer):
    X = cancer.X.copy()
    X[::7, 0] = np.nan
    teacher = HistGradientBoostingClassifier(max_iter=5).fit(X, cancer.y)
    model = DistilledClassifier(teacher, student=DecisionTreeClassifier(max_depth=3), alpha=0.5).fit(X, cancer.y)
    assert get_tags(model).input_tags.allow_nan
    assert model.predict(X).shape == cancer.y.shape
    # neither takes them, and of rows without a Program they are found all the same
    frame = pd.DataFrame(cancer.X, columns=[f"c{index}" for index in range(30)])
    model = DistilledClassifier(GaussianNB().fit(frame, cancer.y), student=GaussianNB(), alpha=0.5).fit(frame, cancer.y)
    with pytest.raises(ValueError, match="NaN or infinity in a numeric column"):
        model.predict(frame.mask(frame > 100))


def test_a_frame_of_categories_reaches_the_student_as_it_is():
    X, y = customers(500)
    teacher = HistGradientBoostingClassifier(categorical_features="from_dtype", max_iter=20).fit(X, y)
    student = HistGradientBoostingClassifier(categorical_features="from_dtype", max_iter=5, min_samples_leaf=5)
    model = DistilledClassifier(teacher, student=student, alpha=0.5).fit(X, y)
    assert model.student_.estimator_.is_categorical_.sum() == 2
    assert model.score(X, y) > 0.75


@parametrize_with_checks(
    [
        DistilledClassifier(GaussianNB(), student=DecisionTreeClassifier(random_state=0)),
        DistilledClassifier(LogisticRegression(), student=make_pipeline(LinearStudent())),
    ],
    # in fit the teachers refuse them
    expected_failed_checks=lambda _: {"check_estimators_nan_inf": "predict takes what the student takes"},
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


# classifiers on weighted rows


@pytest.mark.parametrize("class_weight", [None, "balanced", {1: 4.0}])
def test_weighted_rows_are_the_soft_cross_entropy(class_weight, cancer, cancer_forest):
    unlabelled = np.arange(569) % 3 == 0
    weight = np.random.default_rng(0).uniform(0.5, 2, np.sum(~unlabelled))
    scaler = StandardScaler().fit(cancer.X)
    X = scaler.transform(cancer.X)

    def teacher(rows):
        return cancer_forest.predict_proba(scaler.inverse_transform(rows))

    logistic = LogisticRegression(C=0.1, tol=1e-8, max_iter=1000, class_weight=class_weight)
    known = LinearStudent(C=0.1, tol=1e-8, encoder=StandardScaler(with_mean=False, with_std=False))
    answers = [
        DistilledClassifier(teacher, student=student, alpha=0.7)
        .fit(X[~unlabelled], cancer.y[~unlabelled], sample_weight=weight, X_unlabeled=X[unlabelled])
        .predict_proba(X)
        for student in (logistic, known.set_params(class_weight=class_weight))
    ]
    assert_allclose(answers[0], answers[1], atol=1e-3)


def fewest_rows(tree, X):
    """Return how many rows the smallest leaf of a tree holds."""
    return np.unique(tree.apply(X.astype(np.float32)), return_counts=True)[1].min()


@pytest.mark.parametrize("min_samples_leaf", [1, 7])
def test_a_leaf_holds_as_many_rows_as_asked_for(min_samples_leaf, digits, digits_forest):
    X, y = digits.X[:300], digits.y[:300]
    for student in (DecisionTreeClassifier, RandomForestClassifier):
        given = {} if student is DecisionTreeClassifier else {"n_estimators": 5}
        student = student(min_samples_leaf=min_samples_leaf, random_state=0, **given)
        model = DistilledClassifier(digits_forest, student=student, alpha=0.5).fit(X, y)
        for tree in getattr(model.student_.estimator_, "estimators_", [model.student_.estimator_]):
            assert fewest_rows(tree, X) >= min_samples_leaf
        if isinstance(student, DecisionTreeClassifier):
            # and one of them no more than that
            assert fewest_rows(tree, X) == min_samples_leaf


@pytest.mark.parametrize(
    ("make", "given", "counts"),
    [
        (lambda **given: lightgbm.LGBMClassifier(verbose=-1, **given), {"min_child_samples": 6}, [18]),
        (RandomForestClassifier, {"min_samples_split": 4, "max_samples": 50}, [12, 150]),
        (RandomForestClassifier, {"min_samples_leaf": 0.1, "max_samples": 0.5}, [0.1, 0.5]),
    ],
    ids=["lightgbm", "counts", "shares"],
)
def test_what_counts_rows_counts_all_their_copies(make, given, counts, iris, iris_forest):
    classifier = make(n_estimators=3, n_jobs=1, **given)
    model = DistilledClassifier(iris_forest, student=classifier, alpha=0.5, random_state=0).fit(iris.X, iris.y)
    fitted = model.student_.estimator_.get_params()
    assert [fitted[name] for name in given] == counts


def test_catboost_keeps_its_list_of_categories(iris):
    frame = pd.DataFrame({"a": iris.X[:, 0].round().astype(int).astype(str), "b": iris.X[:, 2]})

    def teacher(X):
        return np.where((X["b"] > 3).to_numpy()[:, None], [[0.1, 0.5, 0.4]], [[0.8, 0.1, 0.1]])

    student = catboost.CatBoostClassifier(
        iterations=20, cat_features=["a"], thread_count=1, verbose=0, allow_writing_files=False
    )
    model = clone(DistilledClassifier(teacher, student=student, alpha=1)).fit(frame)
    assert abs(model.predict_proba(frame) - teacher(frame)).mean() < 0.1


# nets


@pytest.mark.parametrize(
    "student",
    [
        net(module__probabilities=True, criterion=nn.NLLLoss),
        net(NeuralNet),
        net(NeuralNet, train_split=None, callbacks=[]),
    ],
    ids=["probabilities", "logits", "bare"],
)
def test_a_net_follows_the_teacher_by_its_own_convention(student, iris, iris_forest):
    rows = np.random.default_rng(0).permutation(150)
    X, y = StandardScaler().fit_transform(iris.X)[rows], iris.y[rows]
    teacher = LogisticRegression(C=0.1).fit(X, y)
    student = clone(student).set_params(max_epochs=25, lr=0.05)
    model = DistilledClassifier(teacher, student=student, alpha=1, random_state=0).fit(X)
    proba = model.predict_proba(X)
    assert abs(proba - teacher.predict_proba(X)).mean() < 0.04
    # skorch's own answer is the same one
    assert_allclose(model.student_.estimator_.predict_proba(X.astype(np.float32)), proba, atol=1e-5)
    assert type(model.student_.estimator_) is type(student)


def test_a_net_of_one_output_answers_for_two_classes(cancer):
    X = StandardScaler().fit_transform(cancer.X)[:300]
    teacher = LogisticRegression(C=0.1).fit(X, cancer.y[:300])
    for student in (
        net(NeuralNetBinaryClassifier, criterion=nn.BCEWithLogitsLoss, module__n_columns=30, module__n_outputs=1),
        Net(30, 1),
    ):
        model = DistilledClassifier(teacher, student=student, alpha=1, random_state=0).fit(X)
        assert abs(model.predict_proba(X) - teacher.predict_proba(X)).mean() < 0.05


def test_the_temperature_reaches_both_sides_in_a_net(iris):
    # one answer for all rows: at any temperature the best is the teacher's own, if both sides are softened
    X = np.zeros((60, 4))
    P = np.tile([0.7, 0.2, 0.1], (60, 1))
    student = net(NeuralNet, max_epochs=40, lr=0.05, train_split=None)
    for temperature in (1, 4):
        model = DistilledClassifier(student=student, alpha=1, temperature=temperature, random_state=0)
        assert_allclose(model.fit(X, teacher_proba=P).predict_proba(X[:1]), P[:1], atol=0.01)


def test_the_settings_of_a_net_are_kept(iris, iris_forest):
    student = net(max_epochs=4, lr=0.01, callbacks=[("extra", EpochScoring("f1_macro", lower_is_better=False))])
    model = DistilledClassifier(iris_forest, student=student, alpha=0.5, random_state=0).fit(iris.X, iris.y)
    fitted = model.student_.estimator_
    assert len(fitted.history) == 4
    # its callbacks and its stratified split see labels
    assert {"valid_acc", "f1_macro", "train_loss", "valid_loss"} <= set(fitted.history[-1])
    assert isinstance(fitted.optimizer_, torch.optim.Adam)
    seeds = [
        DistilledClassifier(iris_forest, student=student, alpha=0.5, random_state=seed)
        .fit(iris.X, iris.y)
        .predict_proba(iris.X)
        for seed in (0, 1)
    ]
    assert_array_equal(seeds[0], model.predict_proba(iris.X))
    assert abs(seeds[0] - seeds[1]).max() > 1e-3


def test_a_module_stops_early_and_shows_its_progress(capsys, digits, digits_forest):
    module = Net(64, 10, dropout=0.2)
    model = DistilledClassifier(digits_forest, student=module, alpha=0.5, random_state=0, verbose=1).fit(
        digits.X[:600] / 16, digits.y[:600]
    )
    assert model.score(digits.X_test / 16, digits.y_test) > 0.85
    shown = capsys.readouterr().err
    assert "Net" in shown
    assert "valid_loss" in shown
    assert not model.student_.estimator_.training


def test_what_a_net_cannot_learn_from_is_said(iris, iris_forest):
    def fit(student, X=iris.X, teacher=iris_forest):
        DistilledClassifier(teacher, student=student, alpha=0.5, random_state=0).fit(X, iris.y)

    with pytest.raises(ValueError, match=r"Net gives outputs of shape \(\d+, 5\) for \d+ rows; expected one"):
        fit(Net(n_outputs=5))
    with pytest.raises(ValueError, match=r"Net gives -[\d.]+, and its criterion NLLLoss, skorch's default, takes prob"):
        fit(net(criterion=torch.nn.NLLLoss, train_split=None, callbacks=[]))
    with pytest.raises(ValueError, match=r"The loss of student NeuralNetClassifier became nan\. Standardise the rows"):
        fit(net(optimizer=torch.optim.SGD, lr=1e20, train_split=None, callbacks=[]))
    gaps = iris.X.copy()
    gaps[0, 0] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        fit(Net(), gaps, lambda X: iris_forest.predict_proba(iris.X))


# Pipelines


def test_a_pipeline_is_fitted_step_by_step(iris, iris_forest):
    given = Pipeline([("scale", StandardScaler()), ("nothing", "passthrough"), ("last", LinearStudent(C=1.0))])
    model = DistilledClassifier(iris_forest, student=given, alpha=0.5).fit(iris.X, iris.y)
    fitted = model.student_.estimator_
    assert_allclose(fitted["scale"].mean_, iris.X.mean(axis=0))
    alone = DistilledClassifier(iris_forest, student=LinearStudent(C=1.0), alpha=0.5).fit(iris.X, iris.y)
    assert_allclose(model.predict_proba(iris.X), alone.predict_proba(iris.X), atol=1e-4)
    assert fitted["last"].program_.n_columns == 4
    softened = DistilledClassifier(iris_forest, student=given, alpha=0.5, temperature=3).fit(iris.X, iris.y)
    assert abs(softened.predict_proba(iris.X) - model.predict_proba(iris.X)).max() > 0.01


def test_the_transformers_of_a_pipeline_see_labels_and_no_row_of_weight_zero(iris, iris_forest):
    class Seen(StandardScaler):
        def fit(self, X, y=None, sample_weight=None):
            self.seen_ = X, y
            return super().fit(X)

    student = make_pipeline(Seen(), LinearStudent())
    names = np.array(["a", "b", "c"])
    weight = np.where(np.arange(100) % 5 == 0, 0.0, 2.0)
    y = names[iris.y]
    teacher = clone(iris_forest).fit(iris.X, y)
    model = DistilledClassifier(teacher, student=student, alpha=0.5)
    model.fit(iris.X[:100], y[:100], sample_weight=weight, X_unlabeled=iris.X[100:])
    X, seen = model.student_.estimator_[0].seen_
    kept = weight > 0
    assert_array_equal(X, np.vstack([iris.X[:100][kept], iris.X[100:]]))
    # the teacher's class stands in for a label
    assert_array_equal(seen, np.concatenate([y[:100][kept], teacher.predict(iris.X[100:])]))


def test_a_pipeline_puts_its_encoder_before_any_student():
    X, y = customers(500)
    prepare = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["plan", "city"]), (StandardScaler(), ["visits"])
    )
    teacher = make_pipeline(prepare, RandomForestClassifier(20, random_state=0)).fit(X, y)
    for last in (TreeStudent(), LogisticRegression(), Net(16, 2)):
        model = DistilledClassifier(teacher, student=make_pipeline(clone(prepare), last), alpha=0.5, random_state=0)
        if isinstance(last, Net):
            # of a sparse matrix a net makes nothing
            model.set_params(student__columntransformer__sparse_threshold=0)
        assert model.fit(X, y).score(X, y) > 0.65


# texts


@pytest.fixture(scope="module")
def texts():
    """300 short texts, and whether they praise."""
    rng = np.random.default_rng(0)
    words = {0: ["bad", "awful", "dull"], 1: ["good", "fine", "bright"]}
    things = ["film", "book", "play", "show", "day"]
    y = rng.integers(0, 2, 300)
    return [f"{rng.choice(words[label])} {rng.choice(things)} {rng.choice(things)}" for label in y], y


FORMS = {"list": list, "tuple": tuple, "array": np.array, "Series": lambda rows: pd.Series(rows)}


@pytest.mark.parametrize("form", FORMS)
def test_a_student_of_texts(form, texts):
    rows, y = FORMS[form](texts[0]), texts[1]
    teacher = make_pipeline(TfidfVectorizer(), RandomForestClassifier(20, random_state=0)).fit(rows, y)
    student = make_pipeline(HashingVectorizer(n_features=256), LinearStudent())
    model = DistilledClassifier(teacher, student=student, alpha=0.5)
    model.fit(rows[:200], y[:200], sample_weight=np.ones(200), X_unlabeled=rows[200:])
    assert model.score(rows, y) == 1
    assert model.predict_proba(["a bad film", "a good film"])[:, 1].round() == pytest.approx([0, 1])
    assert not hasattr(model, "n_features_in_")
    assert len(pickle.dumps(model.student_)) < 10_000


def test_an_unfitted_teacher_of_texts_and_a_search(texts):
    rows, y = texts
    teacher = make_pipeline(TfidfVectorizer(), LogisticRegression())
    model = DistilledClassifier(teacher, student=make_pipeline(TfidfVectorizer(), LinearStudent()), alpha=0.5)
    grid = {"student__tfidfvectorizer__max_features": [1, 20]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(rows, y)
    assert search.best_params_["student__tfidfvectorizer__max_features"] == 20
    assert search.best_score_ > 0.9


def test_rows_of_other_forms_and_none_at_all(texts):
    dicts = [{"word": text.split()[0]} for text in texts[0]]

    def teacher(rows):
        p = np.array([0.9 if row["word"] in ("good", "fine", "bright") else 0.1 for row in rows])
        return np.column_stack([1 - p, p])

    model = DistilledClassifier(teacher, student=make_pipeline(DictVectorizer(), LinearStudent(C=100)), alpha=1).fit(
        dicts
    )
    assert_allclose(model.predict_proba(dicts), teacher(dicts), atol=0.02)
    with pytest.raises(ValueError, match="X holds no rows"):
        DistilledClassifier(teacher, student=make_pipeline(DictVectorizer(), LinearStudent()), alpha=1).fit(
            np.array([])
        )
    # only a Pipeline reads them
    with pytest.raises(ValueError, match="X is a list of dicts"):
        DistilledClassifier(teacher, student="linear", alpha=1).fit(dicts)
