"""monotonic_cst: constraints hold whatever is done to the student; a teacher's are taken, or a warning names them."""

import warnings

import numpy as np
import pytest
from helpers import small_mlp, small_mlp_regressor
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, PolynomialFeatures, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import (
    DistilledClassifier,
    DistilledRegressor,
    LinearStudent,
    LinearStudentRegressor,
    MLPStudent,
    TreeStudent,
    TreeStudentRegressor,
    distill_to_budget,
    load,
)
from skdistill.compress import prune, quantize

CST = {"age": 1, "debt": -1}


@pytest.fixture(scope="module")
def table():
    """600 rows with gaps and texts, whose target rises and falls with both constrained columns; labels, and numbers."""
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(600, 3)), columns=["age", "debt", "x"])
    numbers = X["age"] + np.sin(4 * X["age"]) - X["debt"] + np.sin(5 * X["debt"]) * (X["x"] > 0)
    y = (numbers + rng.logistic(size=600) / 2 > 0).to_numpy().astype(int)
    X = X.mask(rng.random(X.shape) < 0.05).assign(city=rng.choice(["Oslo", "Lima", "Rome"], 600))
    return X, y, numbers.to_numpy()


def n_violations(model, X, n_moves=3000):
    """Return in how many moves of one constrained column the prediction goes the wrong way."""
    rng = np.random.default_rng(1)

    def values(rows):
        return model.predict_proba(rows)[:, 1] if hasattr(model, "predict_proba") else model.predict(rows)

    wrong = 0
    for name, sign in CST.items():
        rows = X.dropna(subset=[name]).sample(n_moves, replace=True, random_state=0)
        higher = rows[name] + rng.exponential(size=n_moves) * 10 ** rng.uniform(-3, 2, n_moves)
        wrong += np.count_nonzero((values(rows.assign(**{name: higher})) - values(rows)) * sign < -1e-9)
    return wrong


def is_kept(student, X):
    """Return whether every column has the sign that CST asks for, and the student is not constant along it."""
    return n_violations(student, X) == 0 and np.ptp(student.predict(X)) > 0


STUDENTS = {
    "linear": (LinearStudent, LinearStudentRegressor, {}),
    "additive": (LinearStudent, LinearStudentRegressor, {"numeric": "piecewise"}),
    "quantile": (LinearStudent, LinearStudentRegressor, {"numeric": "quantile"}),
    "tree": (TreeStudent, TreeStudentRegressor, {"smoothing": 1.0, "random_state": 0}),
    "net": (
        small_mlp,
        small_mlp_regressor,
        {"hidden_layer_sizes": (16, 8), "numeric": "piecewise", "learning_rate": 0.02},
    ),
    "tanh": (small_mlp, small_mlp_regressor, {"activation": "tanh", "n_nets": 2}),
    "no layer": (small_mlp, small_mlp_regressor, {"hidden_layer_sizes": ()}),
}


class TestAStudent:
    @pytest.mark.parametrize("regression", [False, True], ids=["classes", "numbers"])
    @pytest.mark.parametrize("kind", STUDENTS)
    def test_never_predicts_against_a_constraint(self, kind, regression, table):
        X, y, numbers = table
        make, params = STUDENTS[kind][regression], STUDENTS[kind][2]
        free, kept = make(**params), make(monotonic_cst=CST, **params)
        target = numbers if regression else y
        assert is_kept(kept.fit(X, target), X)
        if kind in ("additive", "tree", "net"):
            assert n_violations(free.fit(X, target), X) > 100
            assert kept.score(X, target) > free.score(X, target) - 0.2

    def test_of_sparse_rows_keeps_them_too(self):
        rng = np.random.default_rng(0)
        dense = rng.random((300, 4)) * (rng.random((300, 4)) < 0.5)
        y = (np.sin(6 * dense[:, 0]) > 0.3).astype(int)
        moved = dense + np.array([0.3, 0, 0, 0])
        for make in (LinearStudent, TreeStudent, small_mlp):
            student = make(monotonic_cst=[1, 0, 0, 0]).fit(sparse.csr_matrix(dense), y)
            before, after = (student.predict_proba(sparse.csr_matrix(rows))[:, 1] for rows in (dense, moved))
            assert (after >= before - 1e-12).all()

    def test_keeps_them_where_it_is_compressed(self, table, tmp_path):
        X, y, _ = table
        student = small_mlp(hidden_layer_sizes=(24, 16), max_epochs=30, monotonic_cst=CST).fit(X, y)
        student.export(tmp_path / "m.skd")
        loaded = load(tmp_path / "m.skd")
        for small in (
            quantize(student, X=X),
            quantize(student),
            quantize(student, "float16"),
            prune(student, X, max_epochs=5),
            quantize(prune(loaded, X, max_epochs=5), X=X),
        ):
            assert is_kept(small, X)
        assert is_kept(quantize(LinearStudent(numeric="piecewise", monotonic_cst=CST).fit(X, y), X=X), X)

    def test_refuses_what_cannot_be_kept(self, table):
        X, y, _ = table
        for cst, says in (
            ({"agee": 1}, "unexpected feature names: \\['agee'\\]"),
            ([1, 0], "shape \\(2,\\)"),
            ([2, 0, 0, 0], "-1, 0 or 1"),
            ({"city": 1}, "\\['city'\\], read as categories"),
        ):
            for model in (
                LinearStudent(monotonic_cst=cst),
                DistilledClassifier(_never_fitted(), student="linear", monotonic_cst=cst),
                DistilledClassifier(_never_fitted(), student=LinearStudent(monotonic_cst=cst)),
            ):
                with pytest.raises(ValueError, match=says):
                    model.fit(X, y)
        numbers, several = X[["age", "debt"]], np.arange(len(y)) % 3
        for model, target, says in (
            (MLPStudent(activation="silu", monotonic_cst=CST), y, "activation='silu' is not monotone"),
            (TreeStudent(encoder=StandardScaler(), monotonic_cst=CST), y, "its encoder StandardScaler"),
            (LinearStudent(monotonic_cst=CST), several, "two classes"),
            (LinearStudentRegressor(monotonic_cst=CST), np.column_stack([y, y]), "one output"),
            (DistilledClassifier(_never_fitted(), monotonic_cst=CST), several, "two classes"),
            (
                DistilledClassifier(_never_fitted(), student=LogisticRegression(), monotonic_cst=CST),
                y,
                "student LogisticRegression has no monotonic_cst",
            ),
        ):
            with pytest.raises(ValueError, match=says):
                model.fit(numbers, target)


def _never_fitted():
    return HistGradientBoostingClassifier(max_iter=-1)


def boosted(**params):
    return HistGradientBoostingClassifier(max_iter=10, **params)


def lightgbm(**params):
    return pytest.importorskip("lightgbm").LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1, **params)


def xgboost(**params):
    return pytest.importorskip("xgboost").XGBClassifier(n_estimators=5, n_jobs=1, **params)


def catboost(**params):
    made = pytest.importorskip("catboost").CatBoostClassifier
    return made(iterations=5, verbose=0, thread_count=1, allow_writing_files=False, **params)


def taken(teacher, X, y, student=None, **params):
    """Return the constraints that a distilled student has, and what was warned of."""
    student = LinearStudent() if student is None else student
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", UserWarning)
        model = DistilledClassifier(teacher, student=student, alpha=0.5, **params).fit(X, y)
    said = " ".join(str(one.message) for one in found if "monotonic" in str(one.message))
    return getattr(model.student_, "monotonic_cst", None), said


class TestOfTheTeacher:
    @pytest.mark.parametrize(
        "make",
        [
            lambda: boosted(monotonic_cst=CST),
            lambda: boosted(monotonic_cst=[1, -1, 0]),
            lambda: DecisionTreeClassifier(max_depth=3, monotonic_cst=[1, -1, 0]),
            lambda: RandomForestClassifier(5, monotonic_cst=[1, -1, 0]),
            lambda: ExtraTreesClassifier(5, monotonic_cst=[1, -1, 0]),
            lambda: lightgbm(monotone_constraints=[1, -1, 0]),
            lambda: xgboost(monotone_constraints=(1, -1, 0)),
            lambda: xgboost(monotone_constraints=CST),
            lambda: xgboost(monotone_constraints="(1,-1,0)"),
            lambda: catboost(monotone_constraints=[1, -1, 0]),
            lambda: catboost(monotone_constraints=CST),
            lambda: catboost(monotone_constraints="age:1,debt:-1"),
            lambda: make_pipeline(StandardScaler(), boosted(monotonic_cst=[1, -1, 0])),
            lambda: make_pipeline(
                FunctionTransformer(np.negative, feature_names_out="one-to-one"), boosted(monotonic_cst=[-1, 1, 0])
            ),
            lambda: CalibratedClassifierCV(boosted(monotonic_cst=CST), cv=2),
            lambda: GridSearchCV(boosted(monotonic_cst=CST), {"max_depth": [2]}, cv=2),
            lambda: VotingClassifier([(name, boosted(monotonic_cst=CST)) for name in "ab"], voting="soft"),
        ],
    )
    def test_are_taken(self, make, table):
        X, y, _ = table
        X = X.drop(columns="city").fillna(0)
        teacher = make().fit(X, y)
        # columns may come in another order, and teachers be unfitted or wrapped
        assert taken(FrozenEstimator(teacher), X[["x", "debt", "age"]], y) == (CST, "")
        assert taken(make(), X, y) == (CST, "")

    def test_of_arrays_are_taken_by_position(self, table):
        X, y, _ = table
        X = X[["age", "debt", "x"]].to_numpy()
        assert taken(xgboost(monotone_constraints="(1,-1)"), X, y) == ([1, -1, 0], "")
        assert taken(make_pipeline(SimpleImputer(), boosted(monotonic_cst=[1, -1, 0])), X, y) == ([1, -1, 0], "")

    def test_are_traced_through_a_column_transformer(self, table):
        X, y, _ = table
        numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
        encode = ColumnTransformer([("num", numbers, ["debt", "age"]), ("cat", OneHotEncoder(), ["city"])])
        # debt, age, two that say what is missing, three cities
        teacher = make_pipeline(encode, boosted(monotonic_cst=[-1, 1, 0, 0, 0, 0, 0]))
        assert taken(teacher, X, y) == (CST, "")
        found, said = taken(make_pipeline(encode, boosted(monotonic_cst=[-1, 0, 0, 0, 1, 0, 0])), X, y)
        assert found == {"debt": -1}
        assert "teacher Pipeline on ['cat__city_Lima'] are not kept" in said

    def test_that_are_not_kept_are_named(self, table):
        X, y, _ = table
        numbers = X[["age", "debt"]].fillna(0)
        constrained, half = boosted(monotonic_cst=CST), boosted(monotonic_cst={"age": 1})
        polynomial = make_pipeline(PolynomialFeatures(), boosted(monotonic_cst=[0, 1, 0, 0, 0, 0]))
        nameless = make_pipeline(FunctionTransformer(lambda rows: rows.to_numpy()), boosted(monotonic_cst=[1, 0]))
        for teacher, student, found, says in (
            ([constrained, half], None, {"age": 1}, "['debt (not of all models)']"),
            (BaggingClassifier(boosted(monotonic_cst=[1, -1]), 2), None, None, "['within BaggingClassifier']"),
            (polynomial, None, None, "['age']"),
            (nameless, None, None, "['0']"),
            (constrained, LogisticRegression(), None, "student LogisticRegression has no monotonic_cst"),
            (constrained, make_pipeline(StandardScaler(), LinearStudent()), None, "student Pipeline"),
            (constrained, LinearStudent(encoder=StandardScaler()), None, "its encoder StandardScaler"),
            (constrained, small_mlp(activation="silu"), None, "use 'relu' or 'tanh'"),
        ):
            got, said = taken(teacher, numbers, y, student)
            assert got == found
            assert says in said
        several = lightgbm(monotone_constraints=[1, -1])
        assert (
            "['age', 'debt'] are not kept: they need two classes" in taken(several, numbers, np.arange(len(y)) % 3)[1]
        )
        ordinal = make_column_transformer((OrdinalEncoder(), ["city"]), verbose_feature_names_out=False)
        said = taken(make_pipeline(ordinal, boosted(monotonic_cst=[1])), X[["city"]], y)[1]
        assert "['city'] are not kept: it is read as a category" in said

    def test_give_way_to_those_of_the_student_and_to_none(self, table):
        X, y, _ = table
        X = X[["age", "debt"]]
        teacher = boosted(monotonic_cst=CST).fit(X, y)
        assert taken(teacher, X, y, monotonic_cst=None) == (None, "")
        assert taken(teacher, X, y, monotonic_cst={"age": 1}) == ({"age": 1}, "")
        for own in ([0, 0], {"debt": -1}):
            assert taken(teacher, X, y, LinearStudent(monotonic_cst=own)) == (own, "")
        assert taken(teacher.predict_proba, X, y) == (None, "")


class TestDistilled:
    def test_nets_keep_them_through_the_recipe_and_a_search(self, table):
        X, y, _ = table
        X = X.drop(columns="city")
        teacher = boosted(monotonic_cst=CST).fit(X, y)
        model = DistilledClassifier(teacher, student=small_mlp(), random_state=0)
        search = GridSearchCV(model, {"student__hidden_layer_sizes": [(8,), (8, 8)]}, cv=2).fit(X, y)
        best = search.best_estimator_
        assert best.distillation_report_["n_label_models"]
        assert best.student_.monotonic_cst == CST
        assert best.student.monotonic_cst is None
        assert is_kept(best, X)

    def test_regressors_keep_them(self, table):
        X, _, numbers = table
        X = X.drop(columns="city")
        teacher = HistGradientBoostingRegressor(max_iter=20, monotonic_cst=CST)
        for student in ("additive", small_mlp_regressor()):
            assert is_kept(DistilledRegressor(teacher, student=student, random_state=0).fit(X, numbers), X)

    def test_all_candidates_of_a_budget_keep_them(self, table):
        X, y, _ = table
        students = {"additive": "additive", "net": small_mlp(), "two": small_mlp(hidden_layer_sizes=(4,), n_nets=2)}
        result = distill_to_budget(
            boosted(monotonic_cst=CST), X.drop(columns="city"), y, max_bytes=20_000, students=students, random_state=0
        )
        assert all(is_kept(student, X.drop(columns="city")) for student in result.students.values())


def test_a_student_teaches_its_constraints(table):
    X, y = table[0][["age", "debt", "x"]], table[1]
    boosting = HistGradientBoostingClassifier(max_iter=10, monotonic_cst={"age": 1}).fit(X, y)
    first = DistilledClassifier(boosting, student="linear", alpha=0.5).fit(X, y)
    assert DistilledClassifier(first, student="linear", alpha=0.5).fit(X, y).student_.monotonic_cst == {"age": 1}
    free = DistilledClassifier(boosting, student="linear", alpha=0.5, monotonic_cst=None).fit(X, y)
    assert DistilledClassifier(free, student="linear", alpha=0.5).fit(X, y).student_.monotonic_cst is None


@pytest.mark.parametrize(
    "change",
    [
        lambda Z: Z.assign(age=Z["age"].mask(Z["age"] == 9.0)),
        lambda Z: Z.assign(age=Z["age"].replace(0.0, -9.0)),
        lambda Z: Z.assign(age=Z["age"] * Z["debt"]),
    ],
    ids=["a code that is missing", "a code among the numbers", "a product"],
)
def test_a_column_that_preprocessing_does_not_keep_in_order_has_no_constraint(change, table):
    X, y = table[0][["age", "debt", "x"]].fillna(0.5), table[1]
    X.loc[::4, "age"] = 9.0
    X.loc[1::4, "age"] = 0.0
    front = FunctionTransformer(change, feature_names_out="one-to-one")
    teacher = make_pipeline(front, HistGradientBoostingClassifier(max_iter=5, monotonic_cst={"age": 1})).fit(X, y)
    with pytest.warns(UserWarning, match=r"The monotonic constraints of teacher Pipeline on \['age'\] are not kept"):
        model = DistilledClassifier(teacher, student="linear", alpha=0.5).fit(X, y)
    assert model.student_.monotonic_cst is None


def test_constraints_by_place_are_of_places_whatever_columns_are_called(table):
    X, y = table[0][["age", "debt", "x"]].set_axis([2, 0, 1], axis=1), table[1]
    teacher = HistGradientBoostingClassifier(max_iter=5, monotonic_cst=[1, -1, 0]).fit(X.to_numpy(), y)
    named = HistGradientBoostingClassifier(max_iter=5, monotonic_cst=[1, -1, 0])
    named.__dict__.update(teacher.__dict__)
    model = DistilledClassifier(named, student="linear", alpha=0.5).fit(X, y)
    assert model.student_.monotonic_cst == [1, -1, 0]
