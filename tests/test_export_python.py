"""to_python: one file that gives the Program's answers, in a process that has numpy and nothing else."""

import ast
import importlib.util
import pickle
import subprocess
import sys

import numpy as np
import pytest
from export_helpers import (
    assert_same_labels,
    assert_same_logits,
    cases,
    date_table,
    dates_of_all_times,
    expected_logits,
    fitted,
    mixed_table,
    numeric_table,
    records,
    text_table,
    wild_rows,
)
from helpers import Optional
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from tables_helpers import as_it_is, every_kind

from skdistill import LinearStudent, MLPStudent
from skdistill.export import to_python

pd = Optional("pandas")

pl, pa = map(Optional, ("polars", "pyarrow"))

#: A process that imports nothing but numpy and what comes with Python.
SERVE = """
import pickle, sys

class Nothing:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in {"numpy", "model"} and top not in sys.stdlib_module_names:
            raise ImportError(f"{name} is not to be imported")

sys.meta_path.insert(0, Nothing())
sys.path.insert(0, sys.argv[1])
import model
rows = pickle.load(sys.stdin.buffer)
answers = model.logits(rows), model.predict_proba(rows), model.predict(rows)
assert not {"sklearn", "torch", "scipy", "narwhals", "skdistill"} & set(sys.modules)
sys.stdout.buffer.write(pickle.dumps(answers))
"""


def exported(student, folder, name="model"):
    """Return an exported student as a module."""
    to_python(student, folder / f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check(student, module, rows, seen=None):
    """Check a module's answers on rows against those that the student has for `seen`, the same rows."""
    seen = rows if seen is None else seen
    # the same arithmetic, but for the order of sums
    assert_allclose(module.logits(rows), student.program_.logits(seen), rtol=1e-11, atol=1e-11)
    assert_allclose(module.predict_proba(rows), student.program_(seen), rtol=1e-11, atol=1e-12)
    assert_array_equal(module.predict(rows), student.classes_[student.program_(seen).argmax(axis=1)])
    assert module.predict(rows).dtype == student.classes_.dtype


@pytest.mark.parametrize(("kind", "numeric", "n_classes", "dtype"), cases())
def test_wild_rows_get_the_programs_answers(kind, numeric, n_classes, dtype, tmp_path):
    student = fitted(kind, numeric, n_classes, dtype)
    module = exported(student, tmp_path)
    rows = wild_rows(mixed_table()[0])
    check(student, module, rows)
    rows = rows[:300]
    expected = expected_logits(student, rows)
    cells = records(rows)
    one_by_one = np.concatenate([module.logits(cell) for cell in cells])
    if one_by_one.shape[1] == 1:
        one_by_one = np.column_stack([np.zeros(len(one_by_one)), one_by_one])
    assert_same_logits(one_by_one, expected)
    assert_same_labels(np.concatenate([module.predict(cell) for cell in cells]), expected, student.classes_)


@pytest.mark.parametrize("kind", ["linear", "mlp", "tree"])
def test_words_are_found_and_texts_are_read(kind, tmp_path):
    student = fitted(kind, table="texts")
    module = exported(student, tmp_path)
    rows = wild_rows(text_table()[0])
    check(student, module, rows)
    one_by_one = np.concatenate([module.logits(cell) for cell in records(rows[:300])])
    assert_allclose(one_by_one, student.program_.logits(rows[:300]), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_a_process_without_anything_but_numpy_serves_it(kind, tmp_path):
    student = fitted(kind, "piecewise", 26)
    to_python(student, tmp_path / "model.py")
    rows = wild_rows(mixed_table()[0])
    command = [sys.executable, "-W", "error", "-c", SERVE, str(tmp_path)]
    done = subprocess.run(command, input=pickle.dumps(records(rows)), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    logits, proba, labels = pickle.loads(done.stdout)
    assert_allclose(logits, student.program_.logits(rows), rtol=1e-11, atol=1e-11)
    assert_allclose(proba, student.program_(rows), rtol=1e-11, atol=1e-12)
    assert_array_equal(labels, student.classes_[student.program_(rows).argmax(axis=1)])


@pytest.mark.parametrize("activation", ["tanh", "silu"])
def test_arrays_of_numbers_and_activations(activation, tmp_path):
    X, y = numeric_table()
    student = MLPStudent((24,), activation=activation, max_epochs=10, learning_rate=0.01, random_state=0).fit(X, y)
    module = exported(student, tmp_path)
    rows = wild_rows(X)
    check(student, module, rows)
    check(student, module, rows[:0])
    check(student, module, rows.tolist(), rows)
    check(student, module, pd.DataFrame(rows), rows)
    check(student, module, dict(enumerate(rows[0])), rows[:1])
    assert module.COLUMNS is None


@pytest.mark.parametrize("in_order", [True, False])
def test_frames_of_every_kind_of_column(in_order, tmp_path):
    pytest.importorskip("pyarrow")
    frame, y = every_kind(300)
    student = LinearStudent(min_frequency=1).fit(frame, y)
    module = exported(student, tmp_path)
    rows = every_kind(200, seed=1)[0]
    expected = rows
    if not in_order:
        rows = rows[list(rows.columns[::-1])]
    forms = {
        "pandas": rows,
        "nullable": rows.convert_dtypes(),
        "pyarrow-backed": rows.convert_dtypes(dtype_backend="pyarrow"),
        "objects": rows.astype(object),
        "polars": pl.from_pandas(rows),
        "pyarrow": pa.Table.from_pandas(rows, preserve_index=False),
        "with a time zone": rows.assign(since=rows["since"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")),
        "dicts": rows.to_dict("records"),
    }
    for form in forms.values():
        check(student, module, form, expected)


def test_dates_of_all_times(tmp_path):
    student = MLPStudent((8,), max_epochs=5, random_state=0).fit(*date_table())
    check(student, exported(student, tmp_path), dates_of_all_times())


@pytest.mark.parametrize("dense", [True, False])
def test_rows_that_were_sparse(dense, tmp_path):
    X, y = numeric_table()
    X = np.nan_to_num(X)
    student = MLPStudent((8,), max_epochs=3, random_state=0).fit(sparse.csr_matrix(X), y)
    rows = np.nan_to_num(wild_rows(X), posinf=1e300, neginf=-1e300)
    check(student, exported(student, tmp_path), rows if dense else sparse.csr_matrix(rows), rows)


def test_a_users_encoder_that_has_become_ops(tmp_path):
    X, y = mixed_table()
    X = X[["word", "age", "level"]].fillna({"word": "ann", "age": 0.0})
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["word", "level"]), (StandardScaler(), ["age", "level"])
    )
    student = MLPStudent((16,), encoder=encoder, max_epochs=10, learning_rate=0.01, random_state=0).fit(X, y)
    check(student, exported(student, tmp_path), wild_rows(X))


def test_levels_and_classes_that_are_no_texts(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "whole": pd.Categorical(rng.choice([-1, 1, 20], 300)),
            "part": pd.Series(rng.choice(np.array([0.5, np.inf, "a", None, True], dtype=object), 300), dtype=object),
        }
    )
    for labels in ([1.0, 2.0], [False, True], np.array(["a", 'é\u0301"\\\n']), np.array(["a", "bc"], dtype=object)):
        y = np.asarray(labels)[rng.integers(0, 2, 300)]
        student = LinearStudent(min_frequency=1).fit(frame, y)
        check(student, exported(student, tmp_path), frame)


def test_rows_of_other_columns_are_refused(tmp_path):
    module = exported(fitted("linear"), tmp_path)
    frame, _ = mixed_table(3)
    with pytest.raises(ValueError, match=r"missing \['age'\]"):
        module.predict(frame.drop(columns="age"))
    with pytest.raises(ValueError, match=r"unexpected \['more'\]"):
        module.predict({**records(frame)[0], "more": 1})
    with pytest.raises(ValueError, match=r"expected \(n_rows, 8\)"):
        module.predict(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="Column 'age' holds 'old' in row 0; it held numbers in fit"):
        module.predict(frame.assign(age="old"))


def test_the_same_student_gives_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    student = fitted("mlp", "piecewise", 26)
    to_python(student, tmp_path / "a.py")
    first = (tmp_path / "a.py").read_bytes()
    assert student.program_.fingerprint(student.classes_) in first.decode()
    to_python(student, tmp_path / "a.py")
    assert (tmp_path / "a.py").read_bytes() == first
    # for those who read it
    assert all(len(line) <= 120 for line in first.decode().splitlines())
    assert ast.get_docstring(ast.parse(first.decode()))


def test_what_cannot_be_exported_leaves_nothing_behind(tmp_path):
    X, y = numeric_table()
    X = np.nan_to_num(X)
    with pytest.raises(ValueError, match=r"path must be a name that ends in '\.py'"):
        to_python(fitted("linear"), tmp_path / "model.txt")
    with pytest.raises(NotFittedError):
        to_python(LinearStudent(), tmp_path / "model.py")
    with pytest.raises(TypeError, match="encoder of this LinearStudent"):
        to_python(LinearStudent(encoder=as_it_is(StandardScaler())).fit(X, y), tmp_path / "model.py")
    with pytest.raises(FileNotFoundError):
        to_python(fitted("linear"), tmp_path / "nowhere" / "model.py")
    assert not list(tmp_path.iterdir())
