"""encoder=: a ColumnTransformer of the usual parts becomes ops; any other runs as it is and travels along."""

import pickle

import numpy as np
import pytest
from helpers import Optional
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)
from tables_helpers import Doubled, LeaveOneOut, Lengths, as_it_is, customers, prepare

from skdistill import DistilledClassifier, LinearStudent, MLPStudent
from skdistill.program import Bound, LookupAffine

pd = Optional("pandas")

pl, pa = map(Optional, ("polars", "pyarrow"))

N = 300


def rows(seed=0):
    """Return a frame of numbers and texts with gaps, of small whole numbers and booleans, and labels."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "x": rng.normal(50, 10, N),
            "gappy": pd.Series(rng.normal(size=N)).mask(rng.random(N) < 0.2),
            "color": rng.choice(["red", "green", "blue", "grey"], N, p=[0.5, 0.3, 0.17, 0.03]),
            "town": pd.Series(rng.choice(["k", "l", "m"], N)).mask(rng.random(N) < 0.15),
            "count": rng.integers(0, 5, N),
            "flag": rng.random(N) < 0.5,
        }
    )
    score = (
        (X["x"] - 50) / 8 + (X["color"] == "red") - (X["town"] == "k") + 0.3 * X["count"] - 0.6 + X["gappy"].fillna(0.5)
    )
    return X, (rng.random(N) < 1 / (1 + np.exp(-score.to_numpy()))).astype(int)


@pytest.fixture(scope="module")
def table():
    return rows()


@pytest.fixture(scope="module")
def fresh():
    """Rows with levels that training did not have, and more gaps."""
    X, _ = rows(seed=1)
    X.loc[:40, "color"] = "unseen"
    X.loc[30:60, "town"] = "unseen"
    X.loc[50:90, ["gappy", "town"]] = np.nan
    return X


def fitted(transformer, X, y):
    """Return a student that encodes with a transformer, so regular that its optimum is found to six digits."""
    return LinearStudent(C=0.1, tol=1e-9, encoder=transformer).fit(X, y)


def one_hot(**params):
    return OneHotEncoder(**{"handle_unknown": "ignore", **params})


def ordinal(**params):
    return OrdinalEncoder(**{"handle_unknown": "use_encoded_value", "unknown_value": -1, **params})


def filled(*after, **params):
    return make_pipeline(SimpleImputer(**params), *after)


def scaled_beside(transformer, *columns):
    """Return a transformer of some columns, with one scaled number beside."""
    return make_column_transformer((transformer, list(columns)), (StandardScaler(), ["x"]))


KNOWN = {
    # which columns
    "by name": lambda: make_column_transformer(
        (one_hot(), ["color", "town"]), (filled(StandardScaler()), ["x", "gappy"])
    ),
    "by index": lambda: make_column_transformer((one_hot(), [2, 3]), (filled(StandardScaler()), [0, -5])),
    "by slice": lambda: make_column_transformer(
        (one_hot(), slice(2, 4)), (filled(StandardScaler()), slice(None, 2)), (MaxAbsScaler(), slice(-2, None))
    ),
    "by slice of names": lambda: make_column_transformer(
        (one_hot(), slice("color", "town")), (filled(StandardScaler()), slice("x", "gappy"))
    ),
    "by mask": lambda: make_column_transformer(
        (one_hot(), np.array([False, False, True, True, False, False])),
        (filled(StandardScaler()), [True, True, False, False, False, False]),
    ),
    "by selector": lambda: make_column_transformer(
        (one_hot(), make_column_selector("color|town")),
        (filled(StandardScaler()), make_column_selector(dtype_include=float)),
    ),
    "remainder passed through": lambda: make_column_transformer(
        (one_hot(), ["color", "town"]), (filled(StandardScaler()), ["x", "gappy"]), remainder="passthrough"
    ),
    "remainder scaled": lambda: make_column_transformer(
        ("drop", ["gappy", "town", "flag"]), (one_hot(), ["color"]), remainder=StandardScaler()
    ),
    "a part without columns": lambda: make_column_transformer((PCA(), []), (StandardScaler(), ["x"]), (one_hot(), [])),
    "a column twice": lambda: make_column_transformer((StandardScaler(), ["x", "count"]), (one_hot(), ["count"])),
    "one in another": lambda: make_column_transformer(
        (make_column_transformer((filled(), ["gappy"]), (StandardScaler(), ["x"])), ["x", "gappy"]), (one_hot(), [2])
    ),
    "as a frame": lambda: make_column_transformer(
        (one_hot(sparse_output=False), ["color"]), (StandardScaler(), ["x"])
    ).set_output(transform="pandas"),
    # what becomes of categories
    "levels named": lambda: scaled_beside(one_hot(categories=[["red", "green", "blue", "grey", "pink"]]), "color"),
    "one-hot numbers and booleans": lambda: scaled_beside(one_hot(), "count", "flag"),
    "rare levels": lambda: scaled_beside(one_hot(min_frequency=0.2, handle_unknown="infrequent_if_exist"), "color"),
    "rare levels, others nothing": lambda: scaled_beside(one_hot(min_frequency=20), "color"),
    "few levels": lambda: scaled_beside(one_hot(max_categories=2, handle_unknown="infrequent_if_exist"), "color"),
    "no level is rare": lambda: scaled_beside(one_hot(handle_unknown="infrequent_if_exist"), "color"),
    "most frequent, one-hot": lambda: scaled_beside(filled(one_hot(), strategy="most_frequent"), "color", "town"),
    "constant, one-hot": lambda: scaled_beside(
        filled(one_hot(), strategy="constant", fill_value="none"), "color", "town"
    ),
    "ordinal": lambda: scaled_beside(ordinal(encoded_missing_value=-2), "color", "town"),
    "ordinal, its order": lambda: scaled_beside(ordinal(categories=[["grey", "blue", "green", "red"]]), "color"),
    "ordinal, scaled": lambda: scaled_beside(
        make_pipeline(ordinal(encoded_missing_value=-2), MinMaxScaler()), "color", "town"
    ),
    "ordinal, then filled": lambda: scaled_beside(
        make_pipeline(ordinal(unknown_value=np.nan), SimpleImputer()), "color", "town"
    ),
    "filled, then ordinal": lambda: scaled_beside(filled(ordinal(), strategy="most_frequent"), "color", "town"),
    # what becomes of numbers
    "mean": lambda: make_column_transformer((filled(StandardScaler(), strategy="mean"), ["x", "gappy"])),
    "constant": lambda: make_column_transformer((filled(strategy="constant", fill_value=9.0), ["gappy", "count"])),
    "scaled, then filled": lambda: make_pipeline(
        make_column_transformer((StandardScaler(), ["x", "gappy"])), SimpleImputer(strategy="constant", fill_value=3.0)
    ),
    "filled twice": lambda: make_column_transformer(
        (
            make_pipeline(
                SimpleImputer(strategy="constant", fill_value=5.0),
                StandardScaler(),
                SimpleImputer(strategy="constant", fill_value=3.0),
            ),
            ["gappy"],
        )
    ),
    "not centred": lambda: make_column_transformer((filled(StandardScaler(with_mean=False)), ["gappy", "count"])),
    "not scaled": lambda: make_column_transformer((filled(StandardScaler(with_std=False)), ["gappy", "count"])),
    "minimum and maximum": lambda: make_column_transformer((filled(MinMaxScaler((-1, 2))), ["x", "gappy"])),
    "largest": lambda: make_column_transformer((filled(MaxAbsScaler()), ["x", "gappy"])),
    "robust": lambda: make_column_transformer((filled(RobustScaler()), ["x", "gappy"])),
    "robust, not centred": lambda: make_column_transformer((filled(RobustScaler(with_centering=False)), ["gappy"])),
    "robust, not scaled": lambda: make_column_transformer((filled(RobustScaler(with_scaling=False)), ["gappy"])),
    "one after the other": lambda: make_column_transformer(
        (filled(StandardScaler(), MinMaxScaler(), MaxAbsScaler(), RobustScaler()), ["x", "gappy", "count"])
    ),
    "a function that does nothing": lambda: scaled_beside(FunctionTransformer(), "count"),
}


@pytest.mark.parametrize("kind", KNOWN)
def test_the_usual_parts_become_ops_and_answer_as_they_would(kind, table, fresh):
    X, y = table
    compiled = fitted(KNOWN[kind](), X, y)
    assert not hasattr(compiled, "encoder_")
    as_is = fitted(as_it_is(KNOWN[kind]()), X, y)
    assert hasattr(as_is, "encoder_")
    for asked in (X, fresh):
        expected = as_is.predict_proba(asked)
        assert expected.std(axis=0).min() > 0.01
        assert_allclose(compiled.predict_proba(asked), expected, atol=2e-6)
        assert_allclose(compiled.predict_proba(asked[::-1])[::-1], compiled.predict_proba(asked), atol=1e-12)
        # few rows are read otherwise than many
        assert_allclose(compiled.predict_proba(asked[40:46]), expected[40:46], atol=2e-6)


def test_bare_parts_become_ops_too(table, fresh):
    X, y = table
    for make, columns in (
        (lambda: make_pipeline(SimpleImputer(), StandardScaler()), ["x", "gappy", "count"]),
        (one_hot, ["color", "town"]),
        (lambda: StandardScaler(), ["x", "count"]),
    ):
        for form in (lambda rows: rows, lambda rows: rows.to_numpy()):
            compiled = fitted(make(), form(X[columns]), y)
            assert not hasattr(compiled, "encoder_")
            as_is = fitted(as_it_is(make()), form(X[columns]), y)
            asked = form(fresh[columns])
            assert_allclose(compiled.predict_proba(asked), as_is.predict_proba(asked), atol=2e-6)


@pytest.mark.parametrize("drop", ["first", "if_binary", ["green", True]])
def test_a_dropped_category_is_kept_by_the_student(drop, table):
    # where nothing is penalised, the others and the intercept say the same
    X, y = table
    encoder = make_column_transformer((OneHotEncoder(drop=drop), ["color", "flag"]), (StandardScaler(), ["x"]))
    compiled, as_is = (LinearStudent(C=1e6, tol=1e-9, encoder=one).fit(X, y) for one in (encoder, as_it_is(encoder)))
    assert not hasattr(compiled, "encoder_")
    assert_allclose(compiled.predict_proba(X), as_is.predict_proba(X), atol=0.01)


def test_a_category_not_seen_is_no_category_even_where_scikit_learn_would_stop(table):
    X, y = table
    encoder = make_column_transformer((OneHotEncoder(), ["color"]), (StandardScaler(), ["x"]))
    compiled = fitted(encoder, X, y)
    lenient = fitted(make_column_transformer((one_hot(), ["color"]), (StandardScaler(), ["x"])), X, y)
    unseen = X.assign(color="unseen")
    assert_array_equal(compiled.predict_proba(unseen), lenient.predict_proba(unseen))


def test_a_number_still_missing_is_zero_after_scaling(table):
    X, y = table
    compiled = fitted(make_column_transformer((StandardScaler(), ["x", "count"])), X, y)
    missing, mean = compiled.predict_proba(pd.concat([X[:1].assign(x=np.nan), X[:1].assign(x=X["x"].mean())]))
    assert_allclose(missing, mean, atol=1e-12)


def test_the_first_layer_looks_the_categories_up(layered, table):
    X, y = table
    model = clone(layered).set_params(encoder=KNOWN["by name"]()).fit(X, y)
    _, scale, first, *_ = model.program_.ops
    assert isinstance(first, LookupAffine)
    # 4 colours, 3 towns and a gap; a code of each for what is not known, and one for what is missing
    assert len(first.tables) == 4 + 2 + 3 + 2
    assert scale.start == 2
    assert model.score(X, y) > 0.7


@pytest.mark.parametrize("kind", [lambda X: pl.from_pandas(X), lambda X: pa.Table.from_pandas(X, preserve_index=False)])
def test_ops_take_frames_that_the_encoder_itself_would_not(kind, table, fresh):
    X, y = table
    compiled = fitted(KNOWN["by name"](), X, y)
    answers = compiled.predict_proba(fresh)
    assert_allclose(compiled.predict_proba(kind(fresh)), answers, atol=1e-12)
    assert_allclose(compiled.program_(fresh.to_dict("records")), answers, atol=1e-12)
    assert_allclose(compiled.predict_proba(kind(fresh[fresh.columns[::-1]])), answers, atol=1e-12)


# what runs as it is

UNKNOWN = {
    "PowerTransformer": lambda: scaled_beside(PowerTransformer(), "count"),
    "bins": lambda: scaled_beside(KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"), "count"),
    "a class of the user's own": lambda: scaled_beside(Lengths(0.5), "color"),
    "a class of the user's own upon a known one": lambda: scaled_beside(Doubled(), "count"),
    "a class of the user's own by itself": lambda: make_pipeline(FunctionTransformer(two_columns), Lengths()),
    "hashed words": lambda: make_column_transformer(
        (HashingVectorizer(n_features=64), "color"), (StandardScaler(), ["x"])
    ),
    "another encoding of the rows it learns from": lambda: scaled_beside(LeaveOneOut(), "color"),
    "a principal component": lambda: scaled_beside(PCA(1), "count", "flag"),
    # parts that are known, set in a way that no op does
    "weights of parts": lambda: ColumnTransformer(
        [("x", StandardScaler(), ["x"]), ("color", one_hot(), ["color"])], transformer_weights={"x": 3.0}
    ),
    "an indicator": lambda: make_column_transformer((SimpleImputer(add_indicator=True), ["x", "gappy"])),
    "another mark for a gap": lambda: make_column_transformer((SimpleImputer(missing_values=0), ["count"])),
    "clipped": lambda: make_column_transformer((MinMaxScaler(clip=True), ["x"])),
    "a scaler after one-hot": lambda: make_pipeline(
        make_column_transformer((one_hot(sparse_output=False), ["color"]), (StandardScaler(), ["x"])), StandardScaler()
    ),
    "one-hot after ordinal": lambda: scaled_beside(make_pipeline(ordinal(), one_hot()), "color"),
    "a gap that is rare": lambda: scaled_beside(
        one_hot(max_categories=2, handle_unknown="infrequent_if_exist"), "town"
    ),
    "gaps filled beside unknown levels": lambda: scaled_beside(make_pipeline(ordinal(), SimpleImputer()), "town"),
    "a function": lambda: scaled_beside(FunctionTransformer(np.sqrt), "count"),
}


def two_columns(X):
    """Return the two columns of text, gaps filled."""
    return X[["color", "town"]].fillna("")


@pytest.mark.parametrize("kind", UNKNOWN)
def test_other_transformers_run_as_they_are_and_travel_along(kind, table, fresh):
    X, y = table
    model = fitted(UNKNOWN[kind](), X, y)
    # what the student learns from and is asked about is what the same transformer makes by itself
    alone = UNKNOWN[kind]()
    encoded, asked = alone.fit_transform(X, y), alone.transform(fresh)
    reference = fitted(None if sparse.issparse(encoded) else FunctionTransformer(), encoded, y)
    answers = model.predict_proba(fresh)
    assert answers.std(axis=0).min() > 0.01
    assert_allclose(answers, reference.predict_proba(asked), atol=1e-6)
    assert_allclose(model.program_(model.encoder_.transform(fresh)), answers, atol=1e-12)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict_proba(fresh), answers)
    assert_allclose(np.vstack([again.predict_proba(fresh[i : i + 1]) for i in range(60)]), answers[:60], atol=1e-12)


def test_what_becomes_sparse_stays_sparse(student, table):
    X, y = table
    model = clone(student).set_params(encoder=UNKNOWN["hashed words"]()).fit(X, y)
    assert isinstance(model.program_.ops[0], Bound)
    assert model.score(X, y) > 0.6


def test_none_that_an_imputer_leaves_alone_stays_a_category_of_its_own():
    # SimpleImputer fills NaN; among objects, it takes None for a value
    X = pd.DataFrame({"town": pd.Series(["k", None, "l", "k"] * 50, dtype=object)})
    y = X["town"].isna().astype(int)
    encoder = filled(one_hot(), strategy="most_frequent")
    assert fitted(encoder, X, y).score(X, y) == fitted(as_it_is(encoder), X, y).score(X, y) == 1


def test_an_encoder_of_sparse_rows(student):
    X = sparse.random(200, 50, density=0.2, format="csr", random_state=0)
    y = (np.asarray(X[:, :10].sum(axis=1)).ravel() > 1).astype(int)
    model = clone(student).set_params(encoder=MaxAbsScaler()).fit(X, y)
    assert model.score(X, y) > max(np.mean(y), 1 - np.mean(y)) + 0.05
    assert_allclose(model.predict_proba(X[:3]), model.predict_proba(X)[:3], atol=1e-12)


def test_a_reordered_frame_reaches_the_encoder_in_order(table):
    # PCA knows columns by their places alone
    X, y = table
    numbers = X[["x", "count", "flag"]]
    model = fitted(make_pipeline(StandardScaler(), PCA(2)), numbers, y)
    backwards = numbers[numbers.columns[::-1]]
    assert_array_equal(model.predict_proba(backwards), model.predict_proba(numbers))
    for message, wrong in (
        (r"missing \['count'\]", numbers.drop(columns="count")),
        (r"unexpected \['shoe'\]", numbers.assign(shoe=1)),
    ):
        with pytest.raises(ValueError, match=f"The columns of X are not those seen in fit: {message}"):
            model.predict(wrong)


@pytest.mark.parametrize("wrap", [lambda encoder: encoder, as_it_is], ids=["ops", "as it is"])
def test_an_encoder_that_leaves_gaps_or_infinite_numbers_is_refused(wrap, table):
    X, y = table
    for encoder in (
        make_column_transformer((StandardScaler(), ["x", "gappy"])),
        make_column_transformer((one_hot(), ["color"]), ("passthrough", ["gappy"])),
    ):
        with pytest.raises(ValueError, match="encoder's output contains NaN"):
            LinearStudent(encoder=wrap(encoder)).fit(X, y)
    infinite = X.assign(x=np.where(X.index == 7, np.inf, X["x"]))
    encoder = make_column_transformer((one_hot(), ["color"]), ("passthrough", ["x"]))
    with pytest.raises(ValueError, match="encoder's output contains infinity"):
        LinearStudent(encoder=wrap(encoder)).fit(infinite, y)


def test_an_encoder_that_leaves_text_is_refused(table):
    X, y = table
    with pytest.raises(ValueError, match="could not convert string to float"):
        LinearStudent(encoder=FunctionTransformer(lambda X: X[["color"]])).fit(X, y)


@pytest.mark.parametrize("encoder", ["passthrough", 3, GaussianNB()])
def test_what_is_no_transformer_is_refused(encoder, student, table):
    with pytest.raises(ValueError, match=r"The 'encoder' parameter of .* must be an object implementing 'fit' and 'tr"):
        clone(student).set_params(encoder=encoder).fit(*table)


# in the company of others


def test_the_encoder_is_cloned_and_never_fitted_itself(table):
    X, y = table
    for encoder in (KNOWN["by name"](), UNKNOWN["PowerTransformer"]()):
        fitted(encoder, X, y)
        assert not hasattr(encoder, "transformers_")


def test_a_student_fitted_anew_forgets_the_encoder_it_had(table):
    X, y = table
    model = fitted(UNKNOWN["PowerTransformer"](), X, y)
    model.set_params(encoder=None).fit(X, y)
    assert not hasattr(model, "encoder_")
    assert_array_equal(model.predict_proba(X), LinearStudent(C=0.1, tol=1e-9).fit(X, y).predict_proba(X))


def test_grid_search_reaches_the_parameters_of_the_encoder():
    X, y = customers(400)
    teacher = make_pipeline(prepare(), RandomForestClassifier(20, max_depth=5, random_state=0)).fit(X, y)
    model = DistilledClassifier(teacher, student=LinearStudent(encoder=prepare()), alpha=0.5)
    grid = {"student__encoder__onehotencoder__min_frequency": [5, 80, 500], "temperature": [1, 2]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    best = search.best_estimator_
    chosen = search.best_params_["student__encoder__onehotencoder__min_frequency"]
    assert best.student_.get_params()["encoder__onehotencoder__min_frequency"] == chosen
    assert len(set(search.cv_results_["mean_test_score"].round(6))) > 2
    assert np.mean(best.predict(X) == teacher.predict(X)) > 0.85


@pytest.mark.parametrize("make", [KNOWN["by name"], UNKNOWN["a principal component"]], ids=["ops", "as it is"])
def test_a_distilled_student_with_an_encoder_predicts_raw_frames(make, table, fresh):
    X, y = table
    teacher = make_pipeline(
        make_column_transformer((one_hot(), ["color", "town"]), (SimpleImputer(), ["x", "gappy", "count"])),
        RandomForestClassifier(20, max_depth=5, random_state=0),
    )
    model = DistilledClassifier(teacher, student=LinearStudent(encoder=make()), alpha=0.5).fit(X, y)
    assert np.mean(model.predict(fresh) == model.teacher_.predict(fresh)) > 0.7
    assert_array_equal(model.predict_proba(fresh), model.student_.predict_proba(fresh))
    # a teacher that takes no gaps leaves it to the encoder what becomes of them
    numbers = X[["x", "count"]]
    strict = DistilledClassifier(GaussianNB(), student=LinearStudent(encoder=PCA(1)), alpha=0.5).fit(numbers, y)
    assert strict.predict(numbers).shape == (N,)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        strict.predict(numbers.assign(x=np.nan))


@pytest.mark.parametrize("encode", ["onehot", "onehot-dense"])
def test_new_rows_go_below_those_that_an_encoder_makes_sparse(encode):
    X = np.random.default_rng(0).uniform(size=(N, 2))
    y = (X[:, 0] > 0.5).astype(int)
    forest = RandomForestClassifier(10, random_state=0).fit(X, y)
    bins = KBinsDiscretizer(4, encode=encode, quantile_method="averaged_inverted_cdf")
    model = DistilledClassifier(forest, student=MLPStudent((8,), encoder=bins), random_state=0).fit(X, y)
    assert model.distillation_report_["n_new"] == 10 * N
    assert model.score(X, y) > 0.9
