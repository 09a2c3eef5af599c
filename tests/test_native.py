"""compile: native code gives numpy's answers on wild rows, from any thread; without it, numpy answers and says so."""

import os
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from export_helpers import (
    assert_same_labels,
    assert_same_logits,
    cases,
    date_table,
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

import skdistill
from skdistill import DistilledClassifier, LinearStudent, MLPStudent, MLPStudentRegressor
from skdistill.program import Program

pd = Optional("pandas")

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def check(student, rows):
    """Check native answers to a table, to its single rows and to rows as dicts."""
    native = student.compile()
    assert type(native.program_).__name__ == "NativeProgram"
    expected = expected_logits(student, rows)
    logits = native.program_.logits(rows)
    assert_same_logits(np.column_stack([np.zeros(len(logits)), logits]) if logits.shape[1] == 1 else logits, expected)
    assert_same_labels(native.predict(rows), expected, student.classes_)
    proba = native.predict_proba(rows)
    assert_allclose(proba, student.program_(rows), atol=3e-5)
    assert_allclose(proba.sum(axis=1), 1.0, atol=1e-12)
    few = rows[:20] if isinstance(rows, np.ndarray) else rows.iloc[:20]
    one_by_one = [few[at : at + 1] if isinstance(few, np.ndarray) else few.iloc[at : at + 1] for at in range(20)]
    assert_allclose(np.concatenate([native.predict_proba(row) for row in one_by_one]), proba[:20], atol=3e-5)
    if not isinstance(rows, np.ndarray):
        assert_allclose(native.predict_proba(records(few)), proba[:20], atol=3e-5)


@pytest.mark.parametrize(
    ("kind", "numeric", "n_classes", "dtype"), cases(n_classes=26, dtype="float32") + cases(dtype="int8")
)
def test_wild_rows_get_numpys_answers(kind, numeric, n_classes, dtype):
    check(fitted(kind, numeric, n_classes, dtype), wild_rows(mixed_table()[0]))


@pytest.mark.parametrize(("name", "table"), [("numbers", numeric_table), ("texts", text_table)])
def test_tables_of_one_kind_of_column(name, table):
    check(fitted("mlp", "piecewise", 26, table=name), wild_rows(table()[0]))


@pytest.mark.parametrize("n_rows", [1, 3, 4, 7, 8, 9, 17])
@pytest.mark.parametrize("activation", ["tanh", "silu"])
def test_any_number_of_rows_at_once(activation, n_rows):
    X, y = numeric_table(n_classes=26)
    net = MLPStudent((17, 5, 33), activation=activation, numeric="quantile", max_epochs=2, random_state=0).fit(X, y)
    assert_allclose(net.compile().predict_proba(X[:n_rows]), net.predict_proba(X[:n_rows]), atol=1e-6)


@pytest.mark.parametrize("numeric", ["standard", "piecewise"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("table", [mixed_table, numeric_table])
def test_rows_of_a_linear_student_at_once(numeric, n_classes, table):
    X, y = table(n_classes=n_classes)
    # a student that reads dates computes one row after the other
    X = X if isinstance(X, np.ndarray) else X.drop(columns="since")
    student = LinearStudent(numeric=numeric).fit(X, y)
    check(student, wild_rows(X))


def test_a_net_that_reads_nothing():
    X, y = np.ones((200, 2)), np.arange(200) % 2
    check(MLPStudent((8,), max_epochs=2, random_state=0).fit(X, y), X)


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("clip", [True, False])
def test_numbers_come_in_the_targets_unit(n_outputs, clip):
    X, _ = date_table()
    y = np.abs(np.random.default_rng(0).normal(1e6, 4e5, (len(X), n_outputs)))
    net = MLPStudentRegressor((24, 16), clip=clip, max_epochs=5, random_state=0).fit(
        X, y[:, 0] if n_outputs == 1 else y
    )
    native = net.compile()
    assert_allclose(native.predict(X), net.predict(X), rtol=1e-5)
    assert_allclose(native.predict(X.iloc[:1]), net.predict(X.iloc[:1]), rtol=1e-5)
    assert_allclose(native.program_.logits(X), net.program_.logits(X), atol=1e-5)
    assert native.score(X, y) == pytest.approx(net.score(X, y), abs=1e-6)


def test_threads_do_not_see_each_others_rows():
    student = fitted("mlp", "piecewise", 26, table="numbers")
    native, X = student.compile(), np.nan_to_num(numeric_table()[0])
    expected = student.predict_proba(X)

    def ask(at):
        return native.predict_proba(X[at : at + 1])[0]

    with ThreadPoolExecutor(4) as pool:
        found = np.array(list(pool.map(ask, np.tile(np.arange(len(X)), 5))))
    assert_allclose(found, np.tile(expected, (5, 1)), atol=1e-5)


def test_what_was_compiled_is_found_again_and_a_pickle_needs_no_compiler(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    X, y = numeric_table()
    distiller = DistilledClassifier(teacher=LinearStudent().fit(X, y), student=LinearStudent(), alpha=0.5).fit(X, y)
    distiller.export(tmp_path / "student.skd")
    native = distiller.compile()
    (library,) = (tmp_path / "cache" / "skdistill").iterdir()
    assert os.stat(library.parent).st_mode & 0o077 == 0
    before = library.stat().st_mtime_ns
    again = skdistill.load(tmp_path / "student.skd").compile()
    assert native.program_.library == again.program_.library == library
    assert library.stat().st_mtime_ns == before
    # one that was damaged would end the process that loads it
    whole = library.read_bytes()
    library.unlink()
    library.write_bytes(whole[: len(whole) // 2])
    assert distiller.compile().program_.library.read_bytes() == whole
    # it is a model like the one that load returns
    assert again.versions_ == skdistill.load(tmp_path / "student.skd").versions_ != {}
    thawed = pickle.loads(pickle.dumps(again))
    assert type(thawed.program_) is Program
    assert_allclose(thawed.predict_proba(X), again.predict_proba(X), atol=1e-6)
    assert native.program_.fingerprint() == distiller.student_.program_.fingerprint()


@pytest.mark.parametrize(
    ("compiler", "reason"),
    [
        ("no-such-compiler", "there is no C compiler .*no-such-compiler"),
        ("false", "false .* fails"),
        ("true", "FileNotFoundError"),
        ("cc 'x", "No closing quotation"),
        ("g++", "undefined symbol"),
    ],
)
def test_without_native_code_numpy_answers_and_a_warning_says_why(compiler, reason, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CC", compiler)
    student, X = fitted("linear", table="numbers"), numeric_table()[0]
    with pytest.warns(UserWarning, match=f"numpy is used instead: .*{reason}"):
        model = student.compile()
    assert_array_equal(model.predict_proba(X), student.predict_proba(X))


def test_without_a_home_numpy_answers(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "expanduser", lambda self: (_ for _ in ()).throw(RuntimeError("no home")))
    with pytest.warns(UserWarning, match="numpy is used instead: RuntimeError: no home"):
        fitted("linear", table="numbers").compile()


def test_a_folder_that_others_may_write_to_is_not_trusted(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "skdistill").mkdir()
    (tmp_path / "skdistill").chmod(0o777)
    with pytest.warns(UserWarning, match="others may write"):
        fitted("linear", table="numbers").compile()


def test_code_that_answers_otherwise_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    wrong = tmp_path / "cc"
    # a compiler that is right but for outliers
    wrong.write_text('#!/bin/sh\nexec cc "$@" -Dlog1p=exp\n')
    wrong.chmod(0o755)
    monkeypatch.setenv("CC", str(wrong))
    with pytest.warns(UserWarning, match="answers .* where numpy answers"):
        fitted("linear", "standard", 26, table="numbers").compile()


def test_sparse_rows_stay_with_scipy():
    X, y = numeric_table()
    student = LinearStudent().fit(sparse.csr_matrix(np.nan_to_num(X)), y)
    with pytest.warns(UserWarning, match="sparse"):
        model = student.compile()
    X = np.nan_to_num(X)
    assert_allclose(model.predict_proba(sparse.csr_matrix(X)), student.predict_proba(X), atol=1e-12)
