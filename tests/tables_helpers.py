"""Raw tables that several test modules share, and transformers that nothing else knows; importable when unpickled."""

import numpy as np
from helpers import Optional
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

pd = Optional("pandas")

CITIES = [f"city {number}" for number in range(12)]
SIZES = ["s", "m", "l"]


def customers(n_rows, seed=0):
    """Return a frame of categories, booleans and numbers with gaps, and labels that depend on most of them."""
    rng = np.random.default_rng(seed)
    plan = rng.choice(["month", "year", "two years"], n_rows, p=[0.5, 0.3, 0.2])
    city = rng.choice(CITIES, n_rows)
    age = rng.normal(40, 12, n_rows)
    online = rng.random(n_rows) < 0.5
    score = 3 * (plan == "month") - (age - 40) / 6 + 2 * online - 2 + np.isin(city, CITIES[:4])
    frame = pd.DataFrame(
        {
            "plan": pd.Categorical(plan, categories=["month", "two years", "year"]),
            "age": np.where(rng.random(n_rows) < 0.1, np.nan, age),
            "online": online,
            "visits": rng.integers(0, 9, n_rows),
            "city": pd.Categorical(city, categories=CITIES),
        }
    )
    return frame, (rng.random(n_rows) < 1 / (1 + np.exp(-score))).astype(int)


def every_kind(n_rows, seed=0):
    """Return the table of customers with texts, dates and gaps of every kind beside, and its labels."""
    frame, y = customers(n_rows, seed)
    rng = np.random.default_rng(seed + 100)
    gaps = rng.random((3, n_rows)) < 0.15
    frame["name"] = pd.Series(rng.choice(["ann", "Ann", "zoë", ""], n_rows)).mask(gaps[0])
    frame["since"] = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 9999, n_rows), "h")).mask(
        gaps[1]
    )
    frame["lasted"] = pd.Series(pd.to_timedelta(rng.integers(0, 9999, n_rows), "s"))
    frame["parts"] = pd.Series(rng.integers(0, 4, n_rows), dtype="Int64").mask(gaps[2])
    frame["gone"] = pd.Series(rng.random(n_rows) < 0.5, dtype="boolean").mask(gaps[0])
    return frame, y


def prepare():
    """Return the usual ColumnTransformer for the table of customers."""
    return make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", min_frequency=5), ["plan", "city"]),
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), ["age", "visits"]),
        remainder="passthrough",
    )


def unchanged(X):
    """Return the rows as they are."""
    return X


def as_it_is(transformer):
    """Return a transformer that does the same and yet is not one that becomes ops."""
    return make_pipeline(transformer, FunctionTransformer(unchanged))


class Lengths(TransformerMixin, BaseEstimator):
    """Makes numbers of texts: their lengths, times `factor`."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return np.array([[self.factor * len(cell) for cell in row] for row in np.asarray(X)])


class LeaveOneOut(TransformerMixin, BaseEstimator):
    """Makes of a level the mean label of its rows: in training, of its other rows alone."""

    def fit(self, X, y):
        self.n_features_in_ = X.shape[1]
        self.by_level_ = (
            pd.DataFrame({"level": np.asarray(X)[:, 0], "y": y}).groupby("level")["y"].agg(["sum", "count"])
        )
        return self

    def fit_transform(self, X, y):
        total, count = self.fit(X, y).by_level_.loc[np.asarray(X)[:, 0]].to_numpy().T
        return ((total - y) / (count - 1))[:, None]

    def transform(self, X):
        mean = self.by_level_["sum"] / self.by_level_["count"]
        return mean.reindex(np.asarray(X)[:, 0]).fillna(0.5).to_numpy()[:, None]


class Doubled(StandardScaler):
    """A scaler that does more than its base class."""

    def transform(self, X, copy=None):
        return 2 * super().transform(X, copy=copy)
