"""What a process loads: importing the package is light, and predicting never imports torch."""

import json
import math
import pickle
import subprocess
import sys

import numpy as np
from export_helpers import fitted, mixed_table, records, wild_rows
from helpers import small_mlp
from numpy.testing import assert_array_equal

from skdistill import DistilledClassifier

# not pandas, which scikit-learn itself imports where it is installed
HEAVY = {"torch", "skorch", "onnx", "onnxruntime", "skl2onnx", "matplotlib", "dask", "distributed", "tqdm"}
NUMERIC_CELLS = ["age", "income in €", "reading", "level"]


def run(*arguments):
    """Run a fresh Python and return what it printed."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done


def loaded(code):
    """Return the packages that a fresh Python loads for some code."""
    lines = run("-X", "importtime", "-c", code).stderr.splitlines()
    return {line.rsplit("|", 1)[1].strip().split(".")[0] for line in lines if line.startswith("import time:")}


def test_importing_the_package_loads_nothing_heavy():
    assert "skdistill" in loaded("import skdistill")
    assert not loaded("import skdistill") & {*HEAVY, "numpy"}
    found = loaded("from skdistill import *; from skdistill.dask import label; DistilledClassifier")
    assert {"skdistill", "sklearn", "numpy"} <= found
    assert not found & HEAVY


PREDICT = """
import pickle, sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "skorch"):
            raise ImportError(f"{name} is not installed here")

sys.meta_path.insert(0, NoTorch())
models, program, X = pickle.load(open(sys.argv[1], "rb"))
answers = [
    [model.predict_proba(X), model.predict(X), model.predict_log_proba(X), model.decision_function(X)]
    for model in models
]
answers.append([program(X), program.logits(X)])
assert not {"torch", "skorch"} & set(sys.modules)
try:
    import torch
except ImportError:
    pass
else:
    raise AssertionError("torch was importable after all")
pickle.dump(answers, open(sys.argv[2], "wb"))
"""


def test_a_process_that_unpickles_and_predicts_never_imports_torch(tmp_path, iris, iris_forest):
    model = DistilledClassifier(iris_forest, student=small_mlp(max_epochs=2)).fit(iris.X, iris.y)
    with (tmp_path / "model").open("wb") as file:
        pickle.dump(([model, model.student_], model.program_, iris.X), file)
    run("-W", "error::RuntimeWarning", "-c", PREDICT, str(tmp_path / "model"), str(tmp_path / "answers"))
    with (tmp_path / "answers").open("rb") as file:
        *of_models, of_program = pickle.load(file)
    for answers in (*of_models, of_program):
        assert_array_equal(answers[0], model.predict_proba(iris.X))
        assert np.isfinite(answers[-1]).all()
    for answers in of_models:
        assert_array_equal(answers[1], model.predict(iris.X))


SERVE = """
import sys

# a process with numpy alone: whatever else is installed here cannot be imported
class NumpyAlone:
    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        if top not in ("numpy", "skdistill") and top not in sys.stdlib_module_names:
            raise ImportError(f"{name} is not installed here")

sys.meta_path.insert(0, NumpyAlone())
import json
import skdistill
import numpy as np
predictor = skdistill.load(sys.argv[1])
rows = json.load(open(sys.argv[2]))
answers = [
    predictor.predict_proba(rows),
    predictor.predict_proba([list(row.values()) for row in rows]),
    predictor.predict_proba(np.array([list(row.values()) for row in rows], dtype=object)),
    np.concatenate([predictor.predict_proba(row) for row in rows]),
    np.exp(predictor.predict_log_proba(rows)),
]
assert predictor.predict(rows).tolist() == predictor.classes_[answers[0].argmax(axis=1)].tolist()
print(json.dumps([one.tolist() for one in answers]), repr(predictor), predictor.program_.fingerprint(), sep="\\n")
"""


def test_a_process_with_numpy_alone_loads_and_predicts(tmp_path):
    X, _ = mixed_table()
    student = fitted("mlp", "piecewise", 26)
    student.export(tmp_path / "student.skd")
    rows = [
        {**row, "since": None} for row in records(wild_rows(X, 40)) if all(math.isfinite(row[n]) for n in NUMERIC_CELLS)
    ]
    assert len(rows) > 10
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    answers, text, fingerprint = run(
        "-c", SERVE, str(tmp_path / "student.skd"), str(tmp_path / "rows.json")
    ).stdout.splitlines()
    expected = student.program_(rows)
    for answer in json.loads(answers):
        np.testing.assert_allclose(answer, expected, rtol=1e-9)
    assert text.startswith("LoadedClassifier(n_columns=8")
    assert fingerprint == student.program_.fingerprint()
