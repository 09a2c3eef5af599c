"""The teachers of the benchmarks, fitted on frames as they are: strings, categories and missing cells included."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tables import package

Array = NDArray[Any]

N_TREES, N_ROUNDS = 500, 300


def categories(frame: Any) -> list[str]:
    """Return the columns that hold no numbers."""
    return list(frame.select_dtypes(exclude=["number", "bool"]))


def with_dtypes(frame: Any) -> Any:
    """Return a frame with its strings as pandas categories."""
    return frame.astype(dict.fromkeys(frame.select_dtypes(include=["object", "string"]), "category"))


def forest(frame: Any, *, seed: int = 0, n_jobs: int = -1, regression: bool = False) -> Any:
    """Return an unfitted forest behind the imputers and the one-hot encoder that this frame wants."""
    texts = categories(frame)
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    levels = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    encode = ColumnTransformer([("numbers", numbers, list(frame.columns.drop(texts))), ("levels", levels, texts)])
    trees = RandomForestRegressor if regression else RandomForestClassifier
    return make_pipeline(encode, trees(N_TREES, n_jobs=n_jobs, random_state=seed))


class AsCategories(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Columns without numbers as pandas categories of the levels seen in fit; what is new is missing."""

    def fit(self, X: Any, y: Any = None) -> AsCategories:
        """Take down the levels of the frame's columns."""
        make = package("pandas").CategoricalDtype
        self.dtypes_ = {name: make(sorted(X[name].dropna().unique())) for name in categories(X)}
        return self

    def transform(self, X: Any) -> Any:
        """Return the frame with these columns as categories."""
        known = {name: X[name].where(X[name].isin(dtype.categories)) for name, dtype in self.dtypes_.items()}
        return X.assign(**known).astype(self.dtypes_)


class CatBoost(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """CatBoost as it is, one thread, that finds the frame's categories itself.

    CatBoostClassifier wants them named in its ``__init__``, after which scikit-learn cannot clone
    it, and so no VotingClassifier can hold it.
    """

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state

    def fit(self, X: Any, y: Array) -> CatBoost:
        """Fit on a frame and labels."""
        make = package("catboost").CatBoostClassifier
        self.model_ = make(random_state=self.random_state, thread_count=1, verbose=0, allow_writing_files=False)
        self.model_.fit(X, y, cat_features=categories(X))
        self.classes_ = np.asarray(self.model_.classes_)
        return self

    def predict_proba(self, X: Any) -> Array:
        """Return the probabilities, shape (n_rows, n_classes)."""
        return np.asarray(self.model_.predict_proba(X, thread_count=1))

    def predict(self, X: Any) -> Array:
        """Return the likeliest classes, shape (n_rows,)."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.categorical = tags.input_tags.string = True
        return tags


#: What a VotingClassifier of the retention benchmark is made of.
MEMBERS = ("forest", "lightgbm", "catboost")


def member(kind: str, frame: Any, seed: int, regression: bool = False) -> Any:
    """Return an unfitted teacher of one thread, one of MEMBERS, that takes frames like this one."""
    if kind == "forest":
        return forest(frame, seed=seed, n_jobs=1, regression=regression)
    if kind == "lightgbm":
        return boosted(N_ROUNDS, seed, regression)
    return CatBoost(random_state=seed)


def boosted(n_rounds: int, seed: int, regression: bool = False) -> Any:
    """Return an unfitted LightGBM of one thread that takes frames as they are."""
    make = getattr(package("lightgbm"), "LGBMRegressor" if regression else "LGBMClassifier")
    return make_pipeline(AsCategories(), make(n_estimators=n_rounds, n_jobs=1, random_state=seed, verbose=-1))


def numbers(frame: Any) -> Array:
    """Return a frame as LightGBM's own numbers: categories as their codes, what is missing as NaN."""
    codes = {name: frame[name].cat.codes for name in frame.select_dtypes("category")}
    known = {name: found.where(found >= 0) for name, found in codes.items()}
    return frame.assign(**known).to_numpy(dtype=float)


def vote(members: dict[str, Any], X: Any, codes: Array) -> Any:
    """Return a soft VotingClassifier of fitted members.

    Parameters
    ----------
    members : dict of str to estimator
        Fitted on `X` and `codes`.
    X : pandas.DataFrame of shape (n_rows, n_columns)
        The rows.
    codes : ndarray of shape (n_rows,)
        Their labels, whole numbers from 0: a VotingClassifier gives its members no others.

    Returns
    -------
    voting : VotingClassifier
        The very one that its fit would have made of unfitted members, without their time.
    """
    frozen = [(name, FrozenEstimator(fitted)) for name, fitted in members.items()]
    voting = VotingClassifier(frozen, voting="soft").fit(X, codes)
    # a clone of it is to be fitted anew, members included
    voting.estimators = list(members.items())
    voting.estimators_ = list(members.values())
    for name, fitted in members.items():
        voting.named_estimators_[name] = fitted
    return voting
