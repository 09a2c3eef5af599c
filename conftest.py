"""What holds for every test and doctest: the order is shuffled, and none leaves global state behind."""

import gc
import os
import sys

import joblib
import numpy as np
import pytest
import sklearn


def pytest_configure(config):
    # pytest-randomly shuffles the order; seeds of its own would come between a test and its fixtures
    if hasattr(config.option, "randomly_reset_seed"):
        config.option.randomly_reset_seed = False


def _global_state():
    """Return by name what a test has to leave as it was; of torch and matplotlib only where they are loaded."""
    with joblib.parallel_config() as parallel:
        state = {"joblib's parallel_config": dict(parallel)}
    state |= {
        "sklearn.get_config()": sklearn.get_config(),
        "numpy's error state": np.geterr(),
        "gc.isenabled()": gc.isenabled(),
        "the working directory": os.getcwd(),
    }
    if (torch := sys.modules.get("torch")) and hasattr(torch, "get_num_threads"):
        state["torch's default dtype"] = torch.get_default_dtype()
        state["torch's number of threads"] = torch.get_num_threads()
    pyplot = sys.modules.get("matplotlib.pyplot")
    state["open figures"] = pyplot.get_fignums() if pyplot else []
    return state


@pytest.fixture(autouse=True)
def _nothing_left_behind(request):
    """Fail a test that leaves global state behind, before another one fails by it.

    Filters of warnings are left to pytest, which restores them after each test. What has no random_state draws on
    numpy's global generator, as in scikit-learn: every test finds it alike.
    """
    before, generator = _global_state(), np.random.get_state()
    np.random.seed(0)
    yield
    np.random.set_state(generator)
    if isinstance(request.node, pytest.DoctestItem) and "matplotlib.pyplot" in sys.modules:
        # what is shown to a reader closes no figures
        sys.modules["matplotlib.pyplot"].close("all")
    after = _global_state()
    changed = {name: (value, after[name]) for name, value in before.items() if after[name] != value}
    assert not changed, f"the test has changed global state: {changed}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Skip a test that trains a net where there is no torch, as on a Python that has no small build of it."""
    try:
        return (yield)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        pytest.skip("torch is not installed")


# a test may train it in its fixtures
pytest_runtest_setup = pytest_runtest_call
