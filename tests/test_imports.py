"""What a process loads: importing the package is light, and predicting never imports torch."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from helpers import small_mlp
from numpy.testing import assert_array_equal

from skdistill import DistilledClassifier

# not pandas, which scikit-learn itself imports where it is installed
HEAVY = {"torch", "skorch", "onnx", "onnxruntime", "skl2onnx", "matplotlib", "dask", "distributed", "tqdm"}


def run(*arguments):
    """Run a fresh Python and return what it printed."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done


def test_importing_the_package_loads_nothing_heavy():
    lines = run("-X", "importtime", "-c", "import skdistill").stderr.splitlines()
    loaded = {line.rsplit("|", 1)[1].strip().split(".")[0] for line in lines if line.startswith("import time:")}
    assert {"skdistill", "sklearn", "numpy"} <= loaded
    assert not loaded & HEAVY


PREDICT = """
import pickle, sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "skorch"):
            raise ImportError(f"{name} is not installed here")

sys.meta_path.insert(0, NoTorch())
model, X = pickle.load(open(sys.argv[1], "rb"))
answers = [model.predict_proba(X), model.predict(X), model.predict_log_proba(X), model.decision_function(X)]
assert not {"torch", "skorch"} & set(sys.modules)
try:
    import torch
except ImportError:
    pass
else:
    raise AssertionError("torch was importable after all")
pickle.dump(answers, open(sys.argv[2], "wb"))
"""


@pytest.mark.parametrize("what", ["student", "whole model", "program"])
def test_a_process_that_unpickles_and_predicts_never_imports_torch(what, tmp_path, iris, iris_forest):
    model = DistilledClassifier(iris_forest, student=small_mlp(max_epochs=2)).fit(iris.X, iris.y)
    script = PREDICT
    given = {"student": model.student_, "whole model": model, "program": model.program_}[what]
    if what == "program":
        script = script.replace("model.predict_proba(X), model.predict(X), ", "model(X), ")
        script = script.replace("model.predict_log_proba(X), model.decision_function(X)", "model.logits(X)")
    with (tmp_path / "model").open("wb") as file:
        pickle.dump((given, iris.X), file)
    run("-W", "error::RuntimeWarning", "-c", script, str(tmp_path / "model"), str(tmp_path / "answers"))
    with (tmp_path / "answers").open("rb") as file:
        answers = pickle.load(file)
    assert_array_equal(answers[0], model.predict_proba(iris.X))
    if what != "program":
        assert_array_equal(answers[1], model.predict(iris.X))
    assert np.isfinite(answers[-1]).all()
