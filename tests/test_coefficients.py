"""What a linear or additive student has learned, read in the unit of the raw columns."""

import numpy as np
import pytest
from helpers import Optional, small_mlp
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import is_regressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.preprocessing import KBinsDiscretizer, StandardScaler

from skdistill import LinearStudent, LinearStudentRegressor, TreeStudent, as_student, load
from skdistill.program import date_part

pd = Optional("pandas")

N, WORDS = 400, ["good", "bad", "film", "plot", "slow"]
RNG = np.random.default_rng(0)
MIXED = pd.DataFrame(
    {
        "age": np.where(RNG.random(N) < 0.1, np.nan, RNG.normal(40, 12, N)),
        "income": np.exp(RNG.normal(10, 1, N)),
        "city": RNG.choice(["Paris", "Rome", "Oslo", None], N),
        "size": pd.Categorical(RNG.choice(["S", "M", "L"], N), ["S", "M", "L"], ordered=True),
        "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(RNG.integers(0, 700 * 24, N), unit="h"),
        "constant": 3.0,
    }
)
SCORE = (
    np.nan_to_num(MIXED["age"] / 10, nan=7)
    + np.log(MIXED["income"])
    + 2 * (MIXED["city"] == "Rome")
    + MIXED["when"].dt.month / 6
    + (MIXED["size"] == "L")
).to_numpy()


def students():
    for numeric in ("standard", "quantile", "piecewise"):
        yield pytest.param(LinearStudent(numeric=numeric), np.median(SCORE) < SCORE, id=f"{numeric}-2")
        yield pytest.param(LinearStudent(numeric=numeric), np.digitize(SCORE, [15, 17]), id=f"{numeric}-3")
        regressor = LinearStudentRegressor(numeric=numeric, clip=False)
        yield pytest.param(regressor, 1000 * SCORE, id=f"{numeric}-number")
        yield pytest.param(regressor, np.column_stack([SCORE, SCORE**2]), id=f"{numeric}-numbers")


def outputs(student, X):
    answers = student.predict(X) if is_regressor(student) else student.decision_function(X)
    return answers.reshape(len(X), -1)


@pytest.mark.parametrize(("student", "y"), students())
def test_contributions_and_intercept_add_up_to_the_outputs(student, y):
    student.fit(MIXED, y)
    fresh = MIXED.iloc[:60].copy()
    # far out, never seen, and missing where nothing was
    fresh.loc[:2, "income"] = [1e9, -1e9, np.nan]
    fresh.loc[3, "city"] = "Bern"
    fresh.loc[4, "when"] = pd.NaT
    shapes = [student.shape_function(name, fresh[name]).contributions for name in fresh]
    total = student.intercept_ + sum(shapes)
    expected = outputs(student, fresh)
    assert total.shape == expected.shape
    assert_allclose(total, expected, rtol=1e-10, atol=1e-10)
    explanation = student.explain(fresh)
    assert explanation.names == list(MIXED)
    values = explanation.values.reshape(*MIXED.iloc[:60].shape, -1)
    assert_allclose(values, np.stack(shapes, axis=1), rtol=1e-9, atol=1e-9)
    assert_allclose(explanation.intercept, student.intercept_ if len(student.intercept_) > 1 else student.intercept_[0])


@pytest.mark.parametrize(("student", "y"), students())
def test_a_loaded_student_explains_wild_rows_in_every_form(student, y, tmp_path):
    student.fit(MIXED, y).export(tmp_path / "student.skd")
    wild = MIXED.iloc[:6].astype({"city": object, "size": object}).reset_index(drop=True)
    wild.loc[0, ["age", "income"]] = [np.inf, -np.inf]
    wild.loc[1, ["age", "income"]] = [1e300, -1e300]
    wild.loc[2, ["city", "size"]] = ["Bern", "XXL"]
    wild.loc[3] = None
    wild.loc[4, "when"] = pd.Timestamp("1700-01-01")
    loaded = load(tmp_path / "student.skd")
    for background in (None, MIXED):
        explanation = loaded.explain(wild, background)
        total = explanation.values.sum(axis=1) + explanation.intercept
        assert_allclose(total.reshape(6, -1), outputs(loaded, wild), rtol=1e-10, atol=1e-8)
        row = loaded.explain(wild.iloc[1].to_dict(), background)
        assert_allclose(row.values[0], explanation.values[1], atol=1e-12)


@pytest.mark.parametrize(("student", "y"), students())
def test_explanations_with_a_background_are_shap_values(student, y):
    few = ["age", "city", "when"]
    student.fit(MIXED[few], y)
    rows, background = MIXED[few].iloc[:3], MIXED[few].iloc[100:120]
    explanation = student.explain(rows, background)
    assert_allclose(explanation.intercept, outputs(student, background).mean(axis=0).squeeze())

    def worth(row, columns):
        return outputs(student, background.assign(**row[columns])).mean(axis=0).squeeze()

    for (_, row), values in zip(rows.iterrows(), explanation.values, strict=True):
        for column, value in zip(few, values, strict=True):
            one, two = (name for name in few if name != column)
            weighted = {(): 2, (one,): 1, (two,): 1, (one, two): 2}
            gains = [
                share * (worth(row, [*others, column]) - worth(row, [*others])) for others, share in weighted.items()
            ]
            assert_allclose(value, sum(gains) / 6, rtol=1e-8, atol=1e-8)


def test_what_a_wrapper_adds_is_not_explained():
    target = TransformedTargetRegressor(LinearStudentRegressor(clip=False), func=np.log, inverse_func=np.exp)
    cut = FixedThresholdClassifier(LinearStudent(), threshold=0.9)
    for wrapper, y, seen in ((target, SCORE, np.log), (cut, SCORE > 15, None)):
        student = as_student(wrapper.fit(MIXED, y))
        explanation = student.explain(MIXED, MIXED)
        expected = student.decision_function(MIXED) if seen is None else seen(student.predict(MIXED))
        assert_allclose(explanation.values.sum(axis=1) + explanation.intercept, expected, rtol=1e-8)


@pytest.mark.parametrize(
    ("student", "instead"), [(small_mlp(), "a net; the package shap"), (TreeStudent(), "export_text")]
)
def test_what_is_no_sum_over_columns_is_not_explained(student, instead):
    with pytest.raises(NotFittedError):
        student.explain(MIXED)
    with pytest.raises(TypeError, match=f'student="linear" or "additive".*{instead}'):
        student.fit(MIXED, SCORE > 15).explain(MIXED)


@pytest.mark.parametrize(("student", "y"), students())
def test_a_shape_by_itself_covers_what_the_column_can_be(student, y):
    student.fit(MIXED, y)
    assert student.coef_.shape == (len(student.intercept_), len(student.coef_names_))
    city = student.shape_function("city")
    assert set(city.values) == {"Paris", "Rome", "Oslo", "other levels", None}
    age = student.shape_function("age")
    assert np.isnan(age.values[-1])
    assert np.diff(age.values[:-1]).min() > 0
    assert age.values[0] < 30 < 50 < age.values[-2]
    assert np.isfinite(age.contributions).all()
    assert student.shape_function("when").values.dtype.kind == "M"
    constant = student.shape_function("constant", [1.0, 2.0])
    assert_allclose(constant.contributions, 0)


def test_the_shape_of_ordered_levels_and_of_words():
    frame = pd.DataFrame(
        {
            "size": pd.Categorical(RNG.choice(["S", "M", "L"], N), ["S", "M", "L"], ordered=True),
            "stars": pd.Categorical(RNG.choice([3, 1, 2], N), [1, 2, 3], ordered=True),
            "text": [" ".join(words) for words in RNG.choice(WORDS, (N, 4))],
        }
    )
    good = frame["text"].str.contains("good")
    shapes = LinearStudent().fit(frame, good | (frame["size"] == "L")).shape_functions_
    assert shapes["size"].values.tolist() == ["S", "M", "L", "other levels", None]
    assert shapes["stars"].values.tolist() == [1, 2, 3, "other levels", None]
    words = dict(zip(shapes["text"].values, shapes["text"].contributions[:, 0], strict=True))
    assert set(words) == {*WORDS, None}
    assert words["good"] - words[None] > 1
    assert shapes["size"].contributions[2] > shapes["size"].contributions[0] + 1


def test_coefficients_are_slopes_in_the_units_of_columns_and_target():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(2000, 10, 300), rng.normal(0, 1e-3, 300)])
    y = 5.0 + 3.0 * X[:, 0] - 7e4 * X[:, 1]
    student = LinearStudentRegressor(C=1e6, tol=1e-9).fit(X, y)
    assert student.coef_names_.tolist() == ["column 0", "column 1"]
    assert_allclose(student.coef_, [[3.0, -7e4]], rtol=1e-3)
    assert_allclose(X @ student.coef_[0] + student.intercept_, student.predict(X), rtol=1e-6)


def test_encoded_inputs_have_names_and_give_the_logits():
    student = LinearStudent().fit(MIXED, np.digitize(SCORE, [15, 17]))
    names = student.coef_names_.tolist()
    assert sorted(names[:3]) == ["city=Oslo", "city=Paris", "city=Rome"]
    assert names[3:5] == ["city=other levels", "city=missing"]
    assert {"age", "age missing", "income", "rank of size", "when", "month of when", "hour of when"} <= set(names)
    row = MIXED.iloc[[1]]
    number = {"when": row["when"].astype("datetime64[s]").astype("int64").item(), "age": row["age"].item()}
    seconds = np.array([number["when"]], dtype=float)
    number |= {f"{part} of when": date_part(seconds, part).item() for part in student.program_.ops[1].parts}
    number |= {"income": row["income"].item(), "rank of size": row["size"].cat.codes.item()}
    number |= {f"city={row['city'].item() or 'missing'}": 1, f"size={row['size'].item()}": 1}
    encoded = np.array([number.get(name, 0.0) for name in names])
    assert_allclose(student.coef_ @ encoded + student.intercept_, student.decision_function(row)[0], rtol=1e-7)


def test_bins_are_named_by_their_edges():
    x = np.repeat(np.arange(10.0), 30)[:, None]
    student = LinearStudentRegressor(numeric="piecewise", n_bins=3, C=100).fit(x, np.abs(x[:, 0] - 4.5))
    assert [name.split(" from ")[-1] for name in student.coef_names_] == ["column 0", "0 to 3", "3 to 6", "6 to 9"]
    shape = student.shape_function(0)
    low, middle, high = (shape.contributions[np.abs(shape.values - at).argmin(), 0] for at in (0, 4.5, 9))
    assert middle < low - 2
    assert middle < high - 2


def test_a_number_that_most_rows_have_leaves_bins_for_the_others():
    x = np.concatenate([np.zeros(900), np.repeat(np.arange(1.0, 11.0), 10)])[:, None]
    student = LinearStudent(numeric="piecewise", n_bins=5, C=100).fit(x, (x[:, 0] > 0) & (x[:, 0] < 6))
    assert [name.split(" from ")[-1] for name in student.coef_names_][1:] == [
        "0 to 1",
        "1 to 3",
        "3 to 5",
        "5 to 8",
        "8 to 10",
    ]
    assert student.predict([[0.0], [1.0], [4.0], [10.0]]).tolist() == [False, True, True, False]


@pytest.mark.parametrize("encoder", [StandardScaler(), KBinsDiscretizer(4, encode="onehot-dense")], ids=str)
def test_with_an_encoder_of_the_users(encoder):
    X = RNG.normal(5, 2, size=(200, 3))
    student = LinearStudent(encoder=encoder).fit(X, X[:, 0] > 5)
    columns = student.encoder_.transform(X) if hasattr(student, "encoder_") else X
    parts = [student.shape_function(at, columns[:, at]).contributions for at in range(columns.shape[1])]
    assert_allclose((student.intercept_ + sum(parts))[:, 0], student.decision_function(X), rtol=1e-9, atol=1e-9)
    assert_allclose(student.explain(X).values, np.hstack(parts), rtol=1e-9, atol=1e-9)


def test_of_sparse_rows():
    X = sparse.random(200, 12, 0.2, "csr", random_state=0)
    student = LinearStudent().fit(X, np.asarray(X[:, 0].todense()).ravel() > 0)
    cells = X.toarray()
    parts = [student.shape_function(at, cells[:, at]).contributions for at in range(12)]
    assert_allclose((student.intercept_ + sum(parts))[:, 0], student.decision_function(X), rtol=1e-9, atol=1e-9)
    assert_allclose(student.explain(X).values, np.hstack(parts), rtol=1e-9, atol=1e-9)
    assert_allclose(X @ student.coef_[0] + student.intercept_, student.decision_function(X), rtol=1e-9, atol=1e-9)
    with pytest.raises(ValueError, match="does not know the range of column 0; pass the values"):
        student.shape_function(0)


@pytest.mark.parametrize("columns", [["city", "size"], ["city"], ["age"], ["when"], ["constant"]], ids=str)
def test_of_columns_of_one_kind(columns):
    student = LinearStudentRegressor(numeric="piecewise").fit(MIXED[columns], SCORE)
    shapes = [student.shape_function(name) for name in columns]
    assert [shape.column for shape in shapes] == columns
    assert list(student.shape_functions_) == [name for name in columns if name != "constant"]
    assert all(len(shape.values) == len(shape.contributions) for shape in shapes)
    total = sum(student.shape_function(name, MIXED[name]).contributions for name in columns)
    assert_allclose((student.intercept_ + total)[:, 0], student.predict(MIXED[columns]), rtol=1e-10)


def test_a_cell_that_the_column_cannot_hold_is_refused():
    student = LinearStudent().fit(MIXED, SCORE > 15)
    with pytest.raises(ValueError, match="Column 'age' holds 'old'"):
        student.shape_function("age", ["old"])


def test_what_is_not_there_is_refused():
    student = LinearStudent()
    for ask in (lambda: student.coef_, lambda: student.shape_function(0)):
        with pytest.raises(NotFittedError):
            ask()
    assert not hasattr(student, "coef_")
    student.fit(MIXED, SCORE > 15)
    for column in ("town", 6, -7, 1.0):
        with pytest.raises(ValueError, match="There is no column"):
            student.shape_function(column)


@pytest.mark.parametrize("numeric", ["standard", "piecewise", "quantile"])
def test_a_shape_is_shown_at_values_that_the_column_has(numeric):
    frame = pd.DataFrame(
        {"member": RNG.random(N) < 0.3, "age": RNG.integers(18, 90, N), "price": RNG.integers(1, 9, N) / 10}
    )
    student = LinearStudentRegressor(numeric=numeric).fit(frame, frame["age"] + 5.0 * frame["member"])
    assert_array_equal(student.shape_function("member").values, [0.0, 1.0])
    if numeric == "piecewise":
        assert_array_equal(student.shape_function("age").values[[0, -1]], [18, 89])
    if numeric == "quantile":
        assert np.isin(student.shape_function("price").values, frame["price"]).all()


@pytest.mark.parametrize(("column", "value"), [("age", 33), ("city", "Rome"), ("when", pd.Timestamp("2024-06-01"))])
def test_a_single_value_is_a_list_of_one(column, value):
    student = LinearStudentRegressor().fit(MIXED, SCORE)
    alone = student.shape_function(column, value).contributions
    assert_array_equal(alone, student.shape_function(column, pd.Series([value])).contributions)
