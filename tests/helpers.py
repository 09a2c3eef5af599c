"""Teachers and students that let a test see what happened; importable in worker processes as well."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from joblib import hash as content_hash
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import Ridge

from skdistill import LinearStudent, MLPStudent, MLPStudentRegressor, TreeStudent, TreeStudentRegressor


class Optional:
    """A package that is imported when a test first uses it; where it is missing, that test alone is skipped."""

    def __init__(self, name):
        self._name = name

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(pytest.importorskip(self._name), name)


def small_mlp(**params):
    """Return an MLPStudent on plain standardised numbers that fits in a moment."""
    small = {"hidden_layer_sizes": (16,), "numeric": "standard", "max_epochs": 15, "random_state": 0}
    return MLPStudent(**{**small, **params})


def small_mlp_regressor(**params):
    """Return an MLPStudentRegressor on plain standardised numbers that fits in a moment."""
    small = {"hidden_layer_sizes": (16,), "numeric": "standard", "max_epochs": 15, "random_state": 0}
    return MLPStudentRegressor(**{**small, **params})


def small_tree_regressor(**params):
    """Return a TreeStudentRegressor of a few leaves."""
    return TreeStudentRegressor(**{"min_samples_leaf": 12, "smoothing": 1.0, "random_state": 0, **params})


def small_tree(**params):
    """Return a TreeStudent of a few leaves."""
    return TreeStudent(**{"min_samples_leaf": 12, "smoothing": 1.0, "random_state": 0, **params})


def note(log, what, X):
    """Note in a file what was done with rows."""
    with Path(log).open("a") as file:
        file.write(f"{what} {content_hash(np.asarray(X))}\n")


def notes(log, what):
    """Return the rows that were noted, by their hash, one entry for each time."""
    lines = Path(log).read_text().splitlines() if Path(log).exists() else []
    return [line.split()[1] for line in lines if line.startswith(what)]


class CountingForest(RandomForestClassifier):
    """A forest that notes each fit and each question in a file, whichever process it happens in."""

    def __init__(self, log=None, n_estimators=20, random_state=0):
        super().__init__(n_estimators=n_estimators, random_state=random_state)
        self.log = log

    def fit(self, X, y, sample_weight=None):
        note(self.log, "fit", X)
        return super().fit(X, y, sample_weight=sample_weight)

    def predict_proba(self, X):
        note(self.log, "ask", X)
        return super().predict_proba(X)


class CountingRidge(Ridge):
    """A regressor that notes each question in a file."""

    def __init__(self, log=None, alpha=1.0):
        super().__init__(alpha=alpha)
        self.log = log

    def predict(self, X):
        note(self.log, "ask", X)
        return super().predict(X)


class SlowForest(CountingForest):
    """A counting forest that takes its time over each question."""

    def predict_proba(self, X):
        proba = super().predict_proba(X)
        time.sleep(1)
        return proba


class ShippedForest(CountingForest):
    """A counting forest that also notes where it is unpickled; a question takes a tenth of a second."""

    def __setstate__(self, state):
        super().__setstate__(state)
        note(self.log, "unpickled", [os.getpid()])

    def predict_proba(self, X):
        time.sleep(0.1)
        return super().predict_proba(X)


class CountingCallable:
    """A callable teacher with a state, that notes each question in a file."""

    def __init__(self, log, tilt):
        self.log = log
        self.tilt = tilt

    def __call__(self, X):
        note(self.log, "ask", X)
        p = 1 / (1 + np.exp(-self.tilt * X[:, 0]))
        return np.column_stack([1 - p, p])


class RecordingTeacher:
    """A callable teacher that keeps each table that it is asked about; by itself it knows nothing."""

    def __init__(self, answer=None):
        self.answer = answer
        self.seen = []

    def __call__(self, X):
        self.seen.append(X)
        return np.full((len(X), 2), 0.5) if self.answer is None else self.answer(X)


class Reordered(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose columns come in another order, or under other names."""

    def __init__(self, classifier, order, classes=None):
        self.classifier = classifier
        self.order = order
        self.classes = classes

    def fit(self, X, y):
        raise AssertionError("a fitted teacher must not be fitted again")

    def __sklearn_is_fitted__(self):
        return True

    @property
    def classes_(self):
        names = self.classifier.classes_ if self.classes is None else np.asarray(self.classes)
        return names[self.order]

    def predict_proba(self, X):
        return self.classifier.predict_proba(X)[:, self.order]


class RecordingStudent(LinearStudent):
    """A linear student that keeps what it was asked to fit."""

    def fit_targets(self, X, targets):
        self.rows_, self.targets_ = X, targets
        return super().fit_targets(X, targets)
