"""Training depends on the student's own settings, whatever torch is set to, and leaves torch as it was."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

import numpy as np
import pytest
import torch
from helpers import small_mlp, small_mlp_regressor
from sklearn.base import clone
from skorch import NeuralNetClassifier
from threadpoolctl import threadpool_info, threadpool_limits
from torch import nn

from skdistill._threads import one_blas_thread
from skdistill.student import make_student
from skdistill.tasks import CLASSES

X = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


class Net(nn.Module):
    """A net of the user's, with weights that are the same each time."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))

    def forward(self, X):
        return self.layers(X)


class OwnNet(NeuralNetClassifier):
    """A skorch net of the user's own class."""


def skorch_net():
    return OwnNet(Net, criterion=nn.CrossEntropyLoss, max_epochs=3, lr=0.1, verbose=0)


def module():
    torch.manual_seed(0)
    return Net()


BARE = module()
FITS = {
    "mlp": lambda: small_mlp(max_epochs=3).fit(X, Y).predict_proba(X),
    "regressor": lambda: small_mlp_regressor(max_epochs=3, dropout=0.1).fit(X, X[:, 0]).predict(X),
    "skorch": lambda: make_student(skorch_net(), CLASSES, random_state=0).fit(X, Y).predict_proba(X),
    "module": lambda: make_student(BARE, CLASSES, random_state=0).fit(X[:48], Y[:48]).predict_proba(X),
}


@contextmanager
def default(name, value):
    before = {"dtype": torch.get_default_dtype(), "device": "cpu", "threads": torch.get_num_threads()}[name]
    put = {"dtype": torch.set_default_dtype, "device": torch.set_default_device, "threads": torch.set_num_threads}[name]
    put(value)
    try:
        yield
        now = {"dtype": torch.get_default_dtype(), "device": torch.get_default_device().type}
        assert now.get(name, value) == value
    finally:
        put(None if name == "device" else before)


@contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        yield
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


@contextmanager
def seeded():
    state = torch.random.get_rng_state()
    torch.manual_seed(17)
    before = torch.random.get_rng_state()
    yield
    assert torch.equal(before, torch.random.get_rng_state())
    torch.random.set_rng_state(state)


STATES = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "float64": lambda: default("dtype", torch.float64),
    "meta device": lambda: default("device", "meta"),
    "device context": lambda: torch.device("meta"),
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "threads": lambda: default("threads", 2),
    "deterministic": deterministic,
    "global seed": seeded,
}


@cache
def plain(kind):
    return FITS[kind]()


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
@pytest.mark.parametrize("kind", FITS)
def test_training_does_not_depend_on_the_global_state(kind, state):
    with state():
        inside = FITS[kind]()
    np.testing.assert_array_equal(inside, plain(kind))
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_a_net_keeps_the_users_class_and_no_other():
    given = skorch_net()
    fitted = make_student(given, CLASSES, random_state=0).fit(X, Y).estimator_
    assert type(fitted) is OwnNet
    assert type(clone(fitted)) is OwnNet
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    assert not any("istilling" in type(value).__name__ for value in vars(fitted).values())
    assert not getattr(given, "initialized_", False)


def test_blas_has_one_thread_inside_and_its_own_number_afterwards_in_each_thread():
    def threads():
        return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}

    def inside():
        with one_blas_thread():
            return threads()

    with threadpool_limits(2, user_api="blas"):
        assert inside() == {1}
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(inside).result() == {1}
        with threadpool_limits(1, user_api="blas"):
            assert threads() == {1}
