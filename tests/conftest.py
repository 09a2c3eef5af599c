"""Rows and fitted teachers that several test modules share."""

import itertools
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
from hypothesis import settings
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.model_selection import train_test_split

from skdistill import LinearStudent, MLPStudent, MLPStudentRegressor, metrics

# `helpers` has to be importable by its name, also where a worker process unpickles what it defines
sys.path.insert(0, str(Path(__file__).parent))
from browser_helpers import Browser
from helpers import small_mlp, small_tree

settings.register_profile("skdistill", deadline=None, max_examples=50, derandomize=True)
settings.load_profile("skdistill")


def pytest_configure(config):
    # scikit-learn's parametrize_with_checks did so before 1.9
    config.addinivalue_line("filterwarnings", "ignore:Passing a non-Collection iterable to parametrize")


@pytest.fixture(params=["linear", "mlp", "tree"])
def student(request):
    """Each kind of student, small."""
    return {"linear": LinearStudent, "mlp": small_mlp, "tree": small_tree}[request.param]()


@pytest.fixture(params=["linear", "mlp"])
def layered(request):
    """Each kind of student that begins with an affine map, small."""
    return {"linear": LinearStudent, "mlp": small_mlp}[request.param]()


@pytest.fixture(scope="session")
def iris():
    """150 rows, 4 columns, 3 classes."""
    X, y = load_iris(return_X_y=True)
    return SimpleNamespace(X=X, y=y)


@pytest.fixture(scope="session")
def cancer():
    """569 rows, 30 columns of very different scales, 2 classes."""
    X, y = load_breast_cancer(return_X_y=True)
    return SimpleNamespace(X=X, y=y)


@pytest.fixture(scope="session")
def digits():
    """1797 images of 64 pixels, 10 classes, split into X, y to fit and X_test, y_test."""
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, random_state=0, stratify=y)
    return SimpleNamespace(X=X, y=y, X_test=X_test, y_test=y_test)


@pytest.fixture(scope="session")
def iris_forest(iris):
    return RandomForestClassifier(30, random_state=0).fit(iris.X, iris.y)


@pytest.fixture(scope="session")
def cancer_forest(cancer):
    return RandomForestClassifier(30, max_depth=6, random_state=0).fit(cancer.X, cancer.y)


@pytest.fixture(scope="session")
def digits_forest(digits):
    return RandomForestClassifier(50, random_state=0).fit(digits.X, digits.y)


@pytest.fixture(scope="session")
def named_forest(iris):
    """A forest on iris whose classes are strings."""
    return RandomForestClassifier(30, random_state=0).fit(
        iris.X, np.array(["setosa", "versicolor", "virginica"])[iris.y]
    )


@pytest.fixture
def unmoved():
    """Fail if a test moves numpy's or torch's global random state, or torch's thread count."""
    import torch

    numpy_before, torch_before, threads = np.random.get_state(), torch.get_rng_state(), torch.get_num_threads()
    yield
    numpy_after = np.random.get_state()
    assert numpy_before[2] == numpy_after[2]
    np.testing.assert_array_equal(numpy_before[1], numpy_after[1])
    assert torch.equal(torch_before, torch.get_rng_state())
    assert torch.get_num_threads() == threads


@pytest.fixture
def ctrl_c():
    """A function that does what Ctrl-C does, in a process whose parent may have it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: signal.raise_signal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def at_each_step(monkeypatch):
    """A function that has another one called before each step of a net's training, with the number of the step.

    It is called with all weights as well, a copy: those of the first layer come first.
    """
    from skdistill.student import _mlp_training

    take_step = _mlp_training.adamw

    def register(call):
        count = itertools.count(1)

        def step(weights, *args, **kwargs):
            call(next(count), weights[0].numpy().copy())
            take_step(weights, *args, **kwargs)

        monkeypatch.setattr(_mlp_training, "adamw", step)

    return register


@pytest.fixture
def brief(monkeypatch):
    """Times that are measured for a moment, where what they are is not what is shown."""
    latency = metrics.latency
    monkeypatch.setattr(metrics, "latency", lambda *args, **kwargs: latency(*args, **{**kwargs, "max_seconds": 0.05}))


@pytest.fixture
def quick(brief, monkeypatch):
    """One process, nets of few epochs, forests of few trees and short measurements.

    They show that code runs, not how good or fast it gets.
    """

    def no_more(kind, fit, parameter, most):
        original = getattr(kind, fit)

        def fitting(self, *args, **kwargs):
            given = getattr(self, parameter)
            setattr(self, parameter, min(given, most))
            try:
                return original(self, *args, **kwargs)
            finally:
                setattr(self, parameter, given)

        monkeypatch.setattr(kind, fit, fitting)

    for net in (MLPStudent, MLPStudentRegressor):
        no_more(net, "fit_targets", "max_epochs", 3)
    for forest in (RandomForestClassifier, RandomForestRegressor, ExtraTreesClassifier, ExtraTreesRegressor):
        no_more(forest, "fit", "n_estimators", 50)
    with joblib.parallel_config(backend="sequential"):
        yield


@pytest.fixture
def browser(tmp_path):
    """A headless Chromium; the test needs the mark `needs_chromium`."""
    browser = Browser(tmp_path / "profile")
    yield browser
    browser.close()
