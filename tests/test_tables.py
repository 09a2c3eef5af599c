"""Rows as users have them: arrays, frames, dicts, sparse matrices; what is refused; teachers of raw tables."""

import datetime as dt
import re

import narwhals as nw
import numpy as np
import pytest
from helpers import CountingForest, Optional, notes, small_mlp
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from tables_helpers import customers, every_kind, prepare
from threadpoolctl import threadpool_limits

from skdistill import DistilledClassifier, LinearStudent, MLPStudent

pd = Optional("pandas")

pl, pa, catboost, lightgbm, xgboost = map(Optional, ("polars", "pyarrow", "catboost", "lightgbm", "xgboost"))


def arrow_backed(frame):
    pytest.importorskip("pyarrow")
    return frame.convert_dtypes(dtype_backend="pyarrow")


FORMS = {
    "pandas": lambda frame: frame,
    "pandas, nullable": lambda frame: frame.convert_dtypes(),
    "pandas, pyarrow": arrow_backed,
    "pandas, objects": lambda frame: frame.astype(object),
    "polars": lambda frame: pl.from_pandas(frame),
    "pyarrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "narwhals": nw.from_native,
}
#: Frames of up to 8 rows are read cell by cell, larger ones column by column.
FEW_AND_MANY = [1, 8, 9, 300]


@pytest.fixture(params=FORMS)
def form(request):
    """A function that puts a pandas frame into another form."""
    return FORMS[request.param]


@pytest.fixture(scope="module")
def table():
    """300 rows of 10 columns, each of another kind, and labels."""
    return every_kind(300)


@pytest.fixture(scope="module")
def linear(table):
    """A linear student of the table."""
    return LinearStudent().fit(*table)


@pytest.fixture(scope="module")
def wide():
    """300 rows of 2,000 sparse columns, and labels."""
    X = sparse.random(300, 2000, density=0.01, format="csr", random_state=0)
    return X, (np.asarray(X[:, :400].sum(axis=1)).ravel() > 2).astype(int)


# forms


def test_every_form_of_a_table_teaches_the_same(form, table, linear):
    X, y = table
    model = LinearStudent().fit(form(X), y)
    assert model.program_.ops[0].names == tuple(X.columns)
    assert_allclose(model.predict_proba(form(X)), linear.predict_proba(X), rtol=0, atol=1e-9)


@pytest.mark.parametrize("n_rows", FEW_AND_MANY)
def test_every_form_of_the_same_rows_gets_the_same_answers(n_rows, form, table, linear):
    X, _ = table
    answers = linear.predict_proba(form(X[:n_rows]))
    assert_allclose(answers, linear.predict_proba(X)[:n_rows], rtol=0, atol=1e-12)


@pytest.mark.parametrize("n_rows", FEW_AND_MANY)
def test_a_record_batch_gets_the_answers_of_its_table(n_rows, table, linear):
    rows = pa.Table.from_pandas(table[0][:n_rows], preserve_index=False)
    batch = rows.combine_chunks().to_batches()[0].select(rows.column_names[::-1])
    assert_array_equal(linear.predict_proba(batch), linear.predict_proba(rows))


@pytest.mark.parametrize("n_rows", FEW_AND_MANY)
def test_a_reordered_frame_predicts_the_same(n_rows, form, table, linear):
    X, _ = table
    shuffled = X[np.random.default_rng(0).permutation(X.columns)]
    assert_array_equal(linear.predict_proba(form(shuffled[:n_rows])), linear.predict_proba(form(X[:n_rows])))


def test_dicts_are_rows_for_the_program(table, linear):
    X, _ = table
    records = X.to_dict("records")
    assert_allclose(linear.program_(records), linear.predict_proba(X), rtol=0, atol=1e-12)
    reordered = dict(reversed(records[7].items()))
    assert_allclose(linear.program_(reordered), linear.program_(records)[7:8], rtol=0, atol=1e-12)
    assert_allclose(linear.program_.logits(records[7]), linear.program_.logits(records)[7:8], rtol=0, atol=1e-12)


def test_an_array_or_list_of_mixed_cells_is_a_table_without_names(table, linear):
    X, y = table
    cells = X.astype(object).to_numpy()
    for rows in (cells, cells.tolist(), [tuple(row) for row in cells]):
        model = LinearStudent().fit(rows, y)
        assert_allclose(model.predict_proba(rows), linear.predict_proba(X), rtol=0, atol=1e-9)
        assert_allclose(model.predict_proba(rows[:1]), model.predict_proba(rows)[:1], rtol=0, atol=1e-12)
        by_number = [dict(enumerate(row)) for row in cells]
        assert_allclose(model.program_(by_number), model.predict_proba(rows), rtol=0, atol=1e-12)


def test_an_array_of_text_is_a_table_of_categories(table):
    X, y = table
    text = X[["plan", "city"]].to_numpy().astype("U")
    model = LinearStudent().fit(text, y)
    objects = LinearStudent().fit(text.astype(object), y)
    assert model.program_.fingerprint() == objects.program_.fingerprint()
    assert model.score(text, y) > 0.7


def test_numbers_of_any_type_and_layout_are_the_same_numbers(iris):
    X = np.round(10 * iris.X)
    model = LinearStudent().fit(X, iris.y)
    for rows in (
        X.astype(np.float32),
        X.astype(np.float16),
        X.astype(np.uint8),
        X.astype(object),
        np.asfortranarray(X),
        np.repeat(X, 2, axis=0)[::2],
        X.tolist(),
    ):
        assert_array_equal(model.predict_proba(rows), model.predict_proba(X))
        assert LinearStudent().fit(rows, iris.y).program_.fingerprint() == model.program_.fingerprint()


def test_arrays_of_dates_and_durations():
    since = np.datetime64("2020-01-01") + np.arange(300).reshape(150, 2)
    y = np.arange(150) >= 75
    for rows in (since, since - since[0]):
        model = LinearStudent(C=100).fit(rows, y)
        assert model.score(rows, y) == 1
        frame = pd.DataFrame(rows, columns=["a", "b"])
        named = LinearStudent(C=100).fit(frame, y)
        for n_rows in FEW_AND_MANY:
            assert_allclose(named.predict_proba(frame[:n_rows]), model.predict_proba(rows[:n_rows]), atol=1e-12)


def test_names_of_columns_that_are_not_text_count_for_nothing(table):
    X, y = table
    X = X[["age", "visits", "city"]].set_axis(range(3), axis=1)
    model = LinearStudent().fit(X, y)
    assert not hasattr(model, "feature_names_in_")
    assert_array_equal(model.predict_proba(X.to_numpy()), model.predict_proba(X))


def test_the_index_of_a_frame_counts_for_nothing(table, linear):
    X, y = table
    shuffled = X.set_axis(np.random.default_rng(0).permutation(300))
    assert LinearStudent().fit(shuffled, y).program_.fingerprint() == linear.program_.fingerprint()
    assert_array_equal(linear.predict_proba(shuffled), linear.predict_proba(X))


def test_whole_numbers_that_are_categories_keep_all_their_digits_and_gaps():
    ids = pd.Series(2**60 + np.arange(4)).astype(object)
    ids[3] = None
    y = np.tile([0, 1, 1, 0], 100)
    # beside floats pandas would round them, beside whole numbers alone it would make a number of the gap
    for other in (np.linspace(0, 1, 400), np.arange(400)):
        X = pd.DataFrame({"id": pd.Categorical(np.tile(ids, 100)), "other": other})
        model = LinearStudent().fit(X, y)
        for n_rows in (4, 400):
            assert_array_equal(model.predict(X[:n_rows]), y[:n_rows])


LEVELS = {
    "texts": (["a", "b", ""], "c"),
    "whole numbers": ([1, 2, 3], 4),
    "fractions": ([0.5, 1.5, 2.5], 1),
    "booleans": ([False, True], "True"),
    "dates": ([dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 2)], dt.datetime(2020, 1, 3)),
}


@pytest.mark.parametrize("more", [0, 1000])
@pytest.mark.parametrize(("levels", "unseen"), LEVELS.values(), ids=LEVELS)
def test_categories_are_read_the_same_by_level_and_by_cell(levels, unseen, more):
    codes = np.random.default_rng(0).integers(-1, len(levels), 300)
    X = pd.DataFrame({"level": pd.Categorical.from_codes(codes, levels), "number": np.arange(300.0)})
    program = LinearStudent().fit(X, codes == 0).program_
    levels = pd.Index(levels, dtype=object).append(pd.Index([unseen, *(f"level {number}" for number in range(more))]))
    X["level"] = pd.Categorical.from_codes(np.where(np.arange(300) % 5, codes, len(levels) - more - 1), levels)
    by_cell = program(X.to_dict("records"))
    assert len(np.unique(by_cell.round(3))) > 4
    assert_array_equal(program(X), by_cell)
    assert_array_equal(program(X[:8]), by_cell[:8])


@pytest.mark.parametrize("n_rows", FEW_AND_MANY)
def test_a_frame_of_numbers_alone_is_read_as_its_cells_are_and_left_as_it_is(n_rows):
    values = np.random.default_rng(0).uniform(0, 99, (300, 5))
    types = ["float64", "float32", "int64", "uint8", "bool"]
    X = pd.DataFrame(values, columns=list("abcde")).astype(dict(zip("abcde", types, strict=True)))
    X.loc[::7, "a"] = np.nan
    student = LinearStudent().fit(X, values[:, 0] > values[:, 1])
    for frame in (X[:n_rows], X[["e", "d", "c", "b", "a"]][:n_rows], X[["a", "b"]][:n_rows].assign(c=1, d=2, e=True)):
        before = frame.copy()
        assert_array_equal(student.program_(frame), student.program_(frame.to_dict("records")))
        pd.testing.assert_frame_equal(frame, before)


def test_the_layout_of_a_frame_is_not_taken_for_that_of_the_one_before():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(300, 3)), columns=["a", "b", "c"])
    model = LinearStudent().fit(X, X["a"] > X["b"])
    wanted = model.predict_proba(X)
    swapped, texts = X.set_axis(["b", "a", "c"], axis=1), X.assign(b="none")
    frames = [
        X,
        X[["c", "a", "b"]],
        X.astype({"a": object}),
        X.astype("Float64"),
        FORMS["polars"](X),
        FORMS["pyarrow"](X),
    ]
    for n_rows in FEW_AND_MANY:
        for frame in [*frames, *frames[::-1]]:
            assert_allclose(model.predict_proba(frame[:n_rows]), wanted[:n_rows], rtol=0, atol=1e-12)
            assert not np.allclose(model.predict_proba(swapped[:n_rows]), wanted[:n_rows])
            with pytest.raises(ValueError, match="Column 'b' holds 'none' in row 0"):
                model.predict_proba(texts[:n_rows])
            with pytest.raises(ValueError, match=re.escape("missing ['a']; unexpected ['d']")):
                model.predict_proba(X[:n_rows].rename(columns={"a": "d"}))


def test_a_date_or_duration_is_the_same_number_however_it_is_read():
    # a float holds no microsecond of them; to the last bit, the way of rounding counts
    when = np.array([dt.datetime(3112, 1, 1, 0, 0, 0, 2229), dt.datetime(1705, 3, 4, 5, 6, 7, 8), None] * 4, "M8[us]")
    lasted = np.array([dt.timedelta(200_000, 3, 2229), dt.timedelta(-150_000, 7, 5), None] * 4, "m8[us]")
    X = pd.DataFrame({"when": when, "lasted": lasted})
    read = LinearStudent().fit(X, np.arange(12) % 2).program_.ops[0]
    as_they_are = {"when": dt.datetime(3112, 1, 1, 0, 0, 0, 2229), "lasted": dt.timedelta(200_000, 3, 2229)}
    many = read(X)
    assert_array_equal(read(X[:3]), many[:3])
    assert_array_equal(read(X[:3].astype(object)), many[:3])
    assert_array_equal(read(X.astype(object)), many)
    assert_array_equal(read(as_they_are), many[:1])
    assert_array_equal(
        read(
            {
                name: np.array(cell).astype("M8[us]" if name == "when" else "m8[us]")[()]
                for name, cell in as_they_are.items()
            }
        ),
        many[:1],
    )


# sparse


@pytest.fixture
def never_dense(monkeypatch):
    """Fail where more than one row of a sparse matrix is written out."""

    def guard(kind, name):
        original = getattr(kind, name)

        def guarded(self, *args, **kwargs):
            assert self.shape[0] == 1, f"{self.shape} is written out"
            return original(self, *args, **kwargs)

        monkeypatch.setattr(kind, name, guarded)

    for kind in (sparse.csr_matrix, sparse.csc_matrix, sparse.coo_matrix, sparse.csr_array, sparse.csc_array):
        guard(kind, "toarray")
        guard(kind, "todense")
    with pytest.raises(AssertionError, match="is written out"):
        sparse.eye_array(2, format="csr").toarray()


@pytest.mark.parametrize("kind", ["csr", "csc", "coo"])
@pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.csr_array])
def test_sparse_rows_stay_sparse(kind, container, wide, never_dense):
    X, y = wide
    X = container(X).asformat(kind)
    model = LinearStudent().fit(X, y)
    assert model.score(X, y) > 0.9
    distilled = DistilledClassifier(LogisticRegression(C=100), student="linear", alpha=0.5).fit(X, y)
    assert np.mean(distilled.predict(X) == distilled.teacher_.predict(X)) > 0.95


def test_sparse_rows_stay_sparse_in_a_net(wide, never_dense):
    X, y = wide
    net = MLPStudent((8,), max_epochs=8, learning_rate=0.02, early_stopping=False, random_state=0).fit(X, y)
    assert net.score(X, y) > 0.9


def test_sparse_and_dense_rows_get_the_same_answers(student, wide):
    X, y = wide
    dense = X.toarray()
    for model in (clone(student).fit(X, y), clone(student).fit(dense[:, :100], y)):
        known = model.n_features_in_
        answers = model.predict_proba(dense[:, :known])
        assert_allclose(model.predict_proba(X[:, :known]), answers, rtol=0, atol=1e-12)
        assert_allclose(model.predict_proba(X[:1, :known]), answers[:1], rtol=0, atol=1e-12)
        with pytest.raises(ValueError, match=f"X has 7 features, but .* is expecting {known} features"):
            model.predict(X[:, :7])
        with pytest.raises(ValueError, match="Found array with 0 sample"):
            model.predict(X[:0, :known])


def test_sparse_numbers_of_any_size_get_finite_answers(wide):
    X, y = wide
    model = LinearStudent().fit(X, y)
    rows = sparse.csr_array(np.tile([[np.inf], [-np.inf], [1e308], [5e-324], [np.nan]], 2000))
    answers = model.predict_proba(rows)
    assert np.isfinite(answers).all()
    assert_allclose(answers.sum(axis=1), 1)
    assert_array_equal(answers[4], model.predict_proba(X[:1] * 0)[0])


def test_sparse_numbers_next_to_nothing_count_for_nothing(wide):
    X, y = wide
    tiny = X * 1e-200
    model = LinearStudent().fit(tiny, y)
    assert_allclose(model.predict_proba(tiny), np.tile([1 - y.mean(), y.mean()], (300, 1)), atol=1e-4)
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.parametrize("number", [np.inf, np.nan])
def test_sparse_training_rows_have_to_be_finite(number, wide):
    X, y = wide
    X = X.copy()
    X.data[3] = number
    with pytest.raises(ValueError, match=r"Input X contains (infinity|NaN)"):
        LinearStudent().fit(X, y)


@pytest.mark.parametrize("n_rows", [1, 6, 300])
@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow", "batch"])
def test_frames_of_numbers_alone_answer_as_the_array_does(kind, n_rows):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(300, 4)), columns=list("abcd")).astype({"c": "float32"})
    X = X.mask(rng.random(X.shape) < 0.1)
    linear = LinearStudent().fit(X, (X["a"] > 0).astype(int))
    rows = X.iloc[:n_rows, ::-1]
    if kind == "batch":
        rows = pytest.importorskip("pyarrow").RecordBatch.from_pandas(rows, preserve_index=False)
    elif kind == "pyarrow":
        parts = [FORMS[kind](part) for part in (rows[:2], rows[2:])]
        rows = pa.concat_tables(parts)
    else:
        rows = FORMS[kind](rows)
    assert_allclose(linear.predict_proba(rows), linear.program_(X[:n_rows].to_numpy(float)), rtol=1e-12)


# what is refused


@pytest.mark.parametrize("n_rows", [1, 300])
@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize("owner", ["student", "distilled"])
def test_other_columns_are_refused_by_name(owner, kind, n_rows, table, linear):
    X, _ = table
    model = linear
    if owner == "distilled":
        model = DistilledClassifier(lambda X: np.full((len(X), 2), 0.5), student="linear", alpha=1).fit(X)
    faults = {
        r"missing \['age'\]": X.drop(columns="age"),
        r"unexpected \['shoe', 'hat'\]": X.assign(shoe=1, hat="x"),
        r"missing \['age'\]; unexpected \['Age'\]": X.rename(columns={"age": "Age"}),
    }
    for message, rows in faults.items():
        with pytest.raises(ValueError, match=f"The columns of X are not those seen in fit: {message}"):
            model.predict_proba(FORMS[kind](rows[:n_rows]))


def test_columns_of_the_same_name_are_refused(table, linear):
    X, y = table
    twice = X.rename(columns={"visits": "age"})
    with pytest.raises(ValueError, match=r"missing \['visits'\]; twice \['age'\]"):
        linear.predict(twice)
    with pytest.raises(ValueError, match=r"columns of the same name: \['age'\]"):
        LinearStudent().fit(twice, y)
    arrow = pa.Table.from_arrays([pa.array(y), pa.array(y)], names=["age", "age"])
    with pytest.raises(ValueError, match=r"columns of the same name: \['age'\]"):
        LinearStudent().fit(arrow, y)


@pytest.mark.parametrize("n_rows", [1, 300])
@pytest.mark.parametrize("kind", FORMS)
def test_text_among_numbers_is_refused_by_column_and_value(kind, n_rows, table, linear):
    X, _ = table
    for name, cell in (("age", "forty"), ("age", ""), ("online", "yes"), ("parts", "a few"), ("since", "today")):
        rows = X[:n_rows].assign(**{name: cell})
        with pytest.raises(
            ValueError, match=f"Column '{name}' holds '{cell}' in row .*; it held (numbers|dates) in fit"
        ):
            linear.predict(FORMS[kind](rows))


def test_a_number_or_a_date_out_of_place_is_refused_by_column_and_value(table, linear):
    X, _ = table
    day = dt.datetime(2024, 1, 1)
    for n_rows in (1, 300):
        for name, cell, seen in (("since", 2024, "2024"), ("age", day, "2024"), ("lasted", day, "2024")):
            rows = X[:n_rows].assign(**{name: cell})
            with pytest.raises(
                ValueError,
                match=f"Column '{name}' holds .*{seen}.* in row 0; it held (numbers|dates|time spans.*) in fit",
            ):
                linear.predict(rows)


def test_one_wrong_cell_among_many_is_found(table):
    X, y = table
    cells = X[["age", "visits"]].astype(object).to_numpy()
    model = LinearStudent().fit(cells, y)
    cells[250, 1] = "many"
    with pytest.raises(ValueError, match="Column 1 holds 'many' in row 250; it held numbers in fit"):
        model.predict(cells)


@pytest.mark.parametrize("kind", [kind for kind in FORMS if kind != "pandas, objects"])
@pytest.mark.parametrize("number", [np.inf, -np.inf])
def test_an_infinite_number_in_training_is_refused_by_column_and_row(number, kind, table):
    X, y = table
    X = X.astype({"visits": float})
    X.loc[17, "visits"] = number
    with pytest.raises(ValueError, match=r"Column 'visits' holds an infinite number in row 17 \(1 in all\)"):
        LinearStudent().fit(FORMS[kind](X), y)


def test_an_infinite_number_in_an_array_is_refused_by_column_and_row(iris):
    X = iris.X.copy()
    X[[30, 90], 2] = np.inf
    for rows in (X, X.astype(object), X.tolist()):
        with pytest.raises(ValueError, match=r"Column 2 holds an infinite number in row 30 \(2 in all\)"):
            LinearStudent().fit(rows, iris.y)


def test_a_table_without_rows_or_columns(form, table, linear):
    X, y = table
    for rows in (X[:0], X[[]]):
        with pytest.raises(ValueError, match=re.escape(f"X has shape {(len(form(rows)), rows.shape[1])}; expected at")):
            LinearStudent().fit(form(rows), y[: len(rows)])
    with pytest.raises(ValueError, match=r"X has shape \(0, 10\); expected at least one row and one column"):
        linear.predict(form(X[:0]))


def test_a_single_column_or_row_is_no_table(table):
    X, y = table
    for column in (X["age"], pl.Series(X["visits"]), X["age"].to_numpy()):
        with pytest.raises(ValueError, match=r"Expected (a 2-dimensional container|2D array)"):
            LinearStudent().fit(column, y)


def test_a_dict_without_the_right_cells(table, linear):
    row = table[0].to_dict("records")[0]
    without = {name: cell for name, cell in row.items() if name != "plan"}
    for wrong, message in (
        (without, r"missing \['plan'\]"),
        (row | {"shoe": 1}, r"unexpected \['shoe'\]"),
        (without | {"plans": "year"}, r"missing \['plan'\]; unexpected \['plans'\]"),
        ({}, "missing .*'gone'"),
    ):
        for rows in (wrong, [row, wrong]):
            with pytest.raises(ValueError, match=f"The columns of X are not those seen in fit: {message}"):
                linear.program_(rows)
    with pytest.raises(ValueError, match="Column 'age' holds 'forty' in row 0; it held numbers in fit"):
        linear.program_(row | {"age": "forty"})


# whatever is asked


@pytest.mark.parametrize("numeric", ["standard", "quantile", "piecewise"])
def test_numbers_of_any_size_get_finite_answers(numeric, layered, table):
    X, y = table
    model = clone(layered).set_params(numeric=numeric).fit(X, y)
    absurd = [np.inf, -np.inf, 1e308, -1e308, 5e-324, np.nan, None, 10**400]
    rows = pd.DataFrame({"age": pd.Series(absurd, dtype=object)})
    rows = rows.assign(**X.drop(columns="age").iloc[0].to_dict())[list(X.columns)]
    few, many = model.predict_proba(rows), model.predict_proba(pd.concat([rows] * 3))
    assert np.isfinite(few).all()
    assert_allclose(few.sum(axis=1), 1, atol=1e-12)
    assert_allclose(many, np.tile(few, (3, 1)), rtol=0, atol=1e-12)
    assert_array_equal(few[[0, 1]], few[[2, 3]])
    assert_array_equal(few[[5, 0]], few[[6, 7]])
    array = clone(layered).set_params(numeric=numeric).fit(X[["age", "visits"]].to_numpy(), y)
    numbers = np.array([[number, 3] for number in absurd[:6]], dtype=float)
    answers = array.predict_proba(numbers)
    assert np.isfinite(answers).all()
    one_by_one = np.vstack([array.predict_proba(row[None]) for row in numbers])
    assert_allclose(one_by_one, answers, rtol=0, atol=1e-12)


# teachers of raw tables


def boosted():
    return lightgbm.LGBMClassifier(n_estimators=20, n_jobs=1, verbose=-1)


TEACHERS = {
    "LightGBM": boosted,
    "CatBoost": lambda: catboost.CatBoostClassifier(
        iterations=30, thread_count=1, verbose=False, allow_writing_files=False, cat_features=["plan", "city"]
    ),
    "HistGradientBoosting": lambda: HistGradientBoostingClassifier(
        max_iter=8, max_leaf_nodes=8, early_stopping=False, categorical_features="from_dtype"
    ),
    "XGBoost": lambda: xgboost.XGBClassifier(n_estimators=10, n_jobs=1, enable_categorical=True),
    "Pipeline": lambda: make_pipeline(prepare(), RandomForestClassifier(30, max_depth=6, random_state=0)),
}


@pytest.fixture(scope="module")
def clients():
    """Rows for teachers: X, y to fit, 400 more to test on."""
    return (*customers(600), customers(400, seed=1)[0])


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    # HistGradientBoosting's many threads for so few rows would wait for each other
    with threadpool_limits(1):
        yield


@pytest.fixture(params=TEACHERS)
def teacher(request):
    """An unfitted teacher that takes the raw table."""
    return TEACHERS[request.param]()


def agreement(model, X):
    return np.mean(model.predict(X) == np.asarray(model.teacher_.predict(X)).ravel())


@pytest.mark.parametrize("fitted", [False, True])
def test_the_teacher_takes_the_same_raw_frame(fitted, teacher, clients):
    X, y, fresh = clients
    if fitted:
        teacher.fit(X, y)
    model = DistilledClassifier(teacher, student="linear", alpha=0.5).fit(X, y)
    assert (model.teacher_ is teacher) == fitted
    answers = np.asarray(model.teacher_.predict(fresh)).ravel()
    assert max(np.mean(answers), 1 - np.mean(answers)) < 0.75
    assert agreement(model, fresh) > 0.88
    assert_array_equal(model.predict(fresh[::-1]), model.predict(fresh)[::-1])


def test_a_net_distils_a_raw_frame(clients):
    X, y, fresh = clients
    student = MLPStudent((16,), max_epochs=12, learning_rate=0.02, random_state=0)
    model = DistilledClassifier(boosted(), student=student, label_ensemble=2).fit(X, y)
    assert model.distillation_report_["n_label_models"] == 2
    assert agreement(model, fresh) > 0.85


def test_unlabelled_rows_of_a_frame_are_answered_by_the_teacher(teacher, clients):
    X, y, fresh = clients
    unlabelled = np.arange(len(y)) % 3 == 0
    labelled = X[~unlabelled], y[~unlabelled]
    model = DistilledClassifier(teacher, student="linear", alpha=1).fit(*labelled, X_unlabeled=X[unlabelled])
    assert_array_equal(model.classes_, [0, 1])
    assert agreement(model, fresh) > 0.88
    # the teacher was fitted on the labelled rows, and the student on all of them
    known = DistilledClassifier(clone_of(teacher), student="linear", alpha=1).fit(*labelled)
    expected = np.asarray(known.teacher_.predict_proba(fresh))
    assert_allclose(model.teacher_.predict_proba(fresh), expected, atol=1e-6)
    assert model.program_.fingerprint() != known.program_.fingerprint()


def clone_of(teacher):
    """Return an unfitted teacher like another."""
    return type(teacher)(**teacher.get_params(deep=False))


@pytest.mark.parametrize("kind", ["polars", "pyarrow"])
def test_frames_of_other_libraries_reach_the_teacher_as_they_are(kind, clients):
    X, y, fresh = clients
    seen = set()

    def tell(rows):
        seen.add(type(rows))
        age = np.nan_to_num(np.asarray(rows["age"], dtype=float), nan=40.0)
        p = 1 / (1 + np.exp((age - 40) / 3))
        return np.column_stack([1 - p, p])

    model = DistilledClassifier(tell, student=LinearStudent(C=100), alpha=1).fit(FORMS[kind](X), y)
    assert seen == {type(FORMS[kind](X))}
    known = fresh["age"].notna().to_numpy()
    assert_allclose(model.predict_proba(FORMS[kind](fresh))[known, 1], tell(fresh)[known, 1], atol=0.02)


@pytest.mark.parametrize("kind", ["polars", "pyarrow"])
def test_unlabelled_rows_of_a_frame_that_is_not_pandas(kind, clients):
    X, y, fresh = clients
    unlabelled = np.arange(len(y)) % 3 == 0
    seen = []

    def ages(rows):
        seen.append((type(rows), len(rows)))
        return np.nan_to_num(np.asarray(rows["age"], dtype=float), nan=40.0)[:, None]

    teacher = make_pipeline(FunctionTransformer(ages), GaussianNB())
    model = DistilledClassifier(teacher, student="linear", alpha=1)
    model.fit(FORMS[kind](X[~unlabelled]), y[~unlabelled], X_unlabeled=FORMS[kind](X[unlabelled]))
    # it was fitted on the labelled rows and asked about all
    assert seen == [(type(FORMS[kind](X)), n_rows) for n_rows in (400, 400, 200)]
    assert agreement(model, FORMS[kind](fresh)) > 0.9


def test_an_array_of_mixed_cells_has_a_teacher_that_counts_columns(clients):
    X, y, fresh = clients
    prep = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), [0, 4]), (SimpleImputer(), [1]), remainder="drop"
    )
    teacher = make_pipeline(prep, RandomForestClassifier(20, max_depth=6, random_state=0))
    rows, others = X.astype(object).to_numpy(), fresh.astype(object).to_numpy()
    model = DistilledClassifier(teacher, student="linear", alpha=0.5).fit(rows, y)
    assert agreement(model, others) > 0.85


@pytest.mark.parametrize("fitted", [False, True])
def test_memory_asks_the_teacher_of_a_frame_once_for_each_fold(fitted, tmp_path, clients):
    X, y, _ = clients
    log = str(tmp_path / "log")
    teacher = make_pipeline(prepare(), CountingForest(log))
    if fitted:
        teacher.fit(X, y)
    model = DistilledClassifier(teacher, student="linear", alpha=0.5, memory=str(tmp_path / "memory"))
    grid = {"temperature": [1, 3], "alpha": [0.5, 1.0]}
    GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    # two folds and the whole
    assert len(set(notes(log, "ask"))) == len(notes(log, "ask")) == 3
    assert len(notes(log, "fit")) == (1 if fitted else 3)


def test_grid_search_over_a_frame_keeps_the_fitted_teacher(teacher, clients):
    X, y, fresh = clients
    teacher.fit(X, y)
    model = DistilledClassifier(teacher, student=LinearStudent(), alpha=0.5)
    grid = {"temperature": [1, 3], "student__min_frequency": [5, 10]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    assert search.best_estimator_.teacher_ is teacher
    assert agreement(search.best_estimator_, fresh) > 0.85


def test_cross_validation_fits_an_unfitted_teacher_on_each_fold(teacher, clients):
    X, y, _ = clients
    folds = cross_validate(
        DistilledClassifier(teacher, student="linear", alpha=0.5),
        X,
        y,
        cv=2,
        return_estimator=True,
        error_score="raise",
    )
    assert len({id(fold.teacher_) for fold in folds["estimator"]}) == 2
    assert folds["test_score"].min() > 0.7


def test_one_column_transformer_in_front_of_teacher_and_student(clients):
    X, y, fresh = clients
    model = Pipeline([("prep", prepare()), ("distilled", DistilledClassifier(boosted(), student="linear", alpha=0.5))])
    model.fit(X, y)
    assert agreement(model[-1], model[0].transform(fresh)) > 0.88
    grid = {
        "distilled__temperature": [1, 4],
        "distilled__teacher__num_leaves": [4, 15],
        "prep__onehotencoder__min_frequency": [5, 200],
    }
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    best = search.best_estimator_
    assert best[-1].teacher_.num_leaves == search.best_params_["distilled__teacher__num_leaves"]
    assert len({round(score, 6) for score in search.cv_results_["mean_test_score"]}) > 1
    assert search.score(X, y) > 0.75


# gaps that the teacher would not take


def test_a_teacher_that_fills_gaps_itself_lets_the_student_see_them(clients):
    X, y, _ = clients
    numbers = X[["age", "visits"]]
    teacher = make_pipeline(SimpleImputer(), GaussianNB())
    for rows in (numbers, numbers.fillna(40.0), numbers.to_numpy(), numbers.fillna(40.0).to_numpy()):
        model = DistilledClassifier(teacher, student="linear", alpha=0.5).fit(rows, y)
        asked = numbers if hasattr(rows, "columns") else numbers.to_numpy()
        assert np.isfinite(model.predict_proba(asked)).all()


def test_a_student_answers_for_gaps_whatever_its_teacher_takes(clients):
    X, y, _ = clients
    numbers = X[["age", "visits"]]
    filled = numbers.fillna(40.0)
    model = DistilledClassifier(GaussianNB(), student="linear", alpha=0.5).fit(filled, y)
    for cell in (np.nan, np.inf):
        for n_rows in (1, 300):
            rows = filled[:n_rows].assign(age=cell)
            assert_array_equal(model.predict_proba(rows), model.student_.program_(rows))


def test_whoever_has_answered_for_gaps_takes_them(clients):
    # it says nothing of gaps in its tags
    class Careful(GaussianNB):
        def fit(self, X, y):
            return super().fit(np.nan_to_num(X), y)

        def predict_proba(self, X):
            return super().predict_proba(np.nan_to_num(X))

    X, y, _ = clients
    numbers = X[["age", "visits"]]
    for rows in (numbers, numbers.to_numpy()):
        model = DistilledClassifier(Careful(), student=small_mlp(max_epochs=2), alpha=0.5).fit(rows, y)
        assert np.isfinite(model.predict_proba(rows)).all()
