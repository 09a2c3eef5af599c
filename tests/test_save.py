"""Saving and loading: the same answers with numpy alone; damaged, crafted and later files are refused."""

import functools
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
import zlib
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import fuzz_files
import joblib
import numpy as np
import pytest
from export_helpers import TABLES, cases, fitted, mixed_table, records, wild_rows
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import cross_val_score
from tables_helpers import every_kind

from skdistill import DistilledClassifier, LinearStudent, LinearStudentRegressor, MLPStudent, Program, load
from skdistill.export import to_skd
from skdistill.program import (
    Affine,
    Clip,
    Columns,
    Indicate,
    LookupAffine,
    Piecewise,
    Relu,
    Softmax,
    Standardize,
    dumps,
)

DATA = Path(__file__).parent / "data"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "student.skd"


@pytest.fixture
def unchecked(monkeypatch):
    """What writes a file that `dumps` would refuse."""

    def made(program, classes):
        with monkeypatch.context() as without:
            without.setattr("skdistill.program._io.check_program", lambda *_: None)
            return dumps(program, classes, {})

    return made


@pytest.mark.parametrize(("kind", "numeric", "n_classes", "dtype"), cases())
@pytest.mark.parametrize("table", TABLES)
def test_what_is_loaded_answers_as_what_was_saved(path, kind, numeric, n_classes, dtype, table):
    student = fitted(kind, numeric, n_classes, dtype, table)
    student.export(path)
    predictor = load(path)
    assert predictor.program_.fingerprint() == student.program_.fingerprint()
    assert_array_equal(predictor.classes_, student.classes_)
    assert predictor.classes_.dtype == student.classes_.dtype
    assert predictor.n_features_in_ == student.n_features_in_
    X = wild_rows(TABLES[table]()[0], 300)
    for name in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        assert_array_equal(getattr(predictor, name)(X), getattr(student, name)(X))
        assert_array_equal(getattr(predictor, name)(X[:1]), getattr(student, name)(X[:1]))


def test_rows_come_in_every_form(path):
    X, _ = mixed_table(40)
    student = fitted("mlp", "piecewise")
    student.export(path)
    predictor = load(path)
    assert_array_equal(predictor.feature_names_in_, student.feature_names_in_)
    expected = student.predict_proba(X)
    rows = records(X)
    for form in (X[X.columns[::-1]], rows, [list(row.values()) for row in rows], X.astype(object).to_numpy()):
        assert_allclose(predictor.predict_proba(form), expected, rtol=1e-12)
    assert_allclose(predictor.predict_proba(rows[3]), expected[3:4], rtol=1e-12)
    with pytest.raises(ValueError, match=r"not those seen in fit: missing \['age'\]"):
        predictor.predict(X.drop(columns="age"))
    with pytest.raises(ValueError, match="X has 7 features, but LoadedClassifier is expecting 8 features as input"):
        predictor.predict(X.to_numpy()[:, 1:])
    with pytest.raises(ValueError, match=r"Expected 2D array, got an X of shape \(8,\)"):
        predictor.predict(X.to_numpy()[0])
    with pytest.raises(ValueError, match="at least one row"):
        predictor.predict(X[:0])
    with pytest.raises(ValueError, match="Complex data not supported"):
        predictor.predict(np.ones((2, 8), dtype=complex))
    with pytest.raises(ValueError, match="Column 'age' holds 'old' in row 0; it held numbers in fit"):
        predictor.predict({**rows[0], "age": "old"})


WITHOUT_NARWHALS = """
import pickle, sys
sys.modules["narwhals"] = None
from skdistill import load
student = load(sys.argv[1])
sys.stdout.buffer.write(pickle.dumps([student.predict_proba(X) for X in pickle.load(sys.stdin.buffer)]))
"""


def test_batches_may_be_computed_in_float32(path):
    fitted("mlp").export(path)
    rows = mixed_table()[0]
    narrow = load(path, batch_dtype="float32")
    assert_array_equal(narrow.predict_proba(rows), Program(narrow.program_.ops, "float32")(rows))
    with pytest.raises(ValueError, match="batch_dtype='float16' is not known"):
        load(path, batch_dtype="float16")


def test_a_frame_is_read_without_narwhals_too(path):
    X = wild_rows(mixed_table()[0], 60)
    frames = [X, X.convert_dtypes(), X.astype(object).where(X.notna(), None)]
    if find_spec("pyarrow"):
        import pyarrow as pa

        frames += [pa.Table.from_pandas(X), X.convert_dtypes(dtype_backend="pyarrow")]
    fitted("linear").export(path)
    command = [sys.executable, "-W", "error", "-c", WITHOUT_NARWHALS, str(path)]
    done = subprocess.run(command, input=pickle.dumps(frames), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    for found in pickle.loads(done.stdout):
        assert_array_equal(found, fitted("linear").program_(X))


def test_sparse_rows(path):
    rng = np.random.default_rng(0)
    X = csr_matrix(rng.poisson(0.2, size=(80, 300)).astype(float))
    student = LinearStudent().fit(X, X[:, 0].toarray()[:, 0] > 0)
    student.export(path)
    predictor = load(path)
    assert predictor.classes_.dtype == bool
    assert_array_equal(predictor.predict_proba(X), student.predict_proba(X))
    assert_array_equal(predictor.predict(X.toarray()), student.predict(X))


@pytest.mark.parametrize(
    "labels",
    [
        np.array([3, -5], dtype=np.int16),
        np.array([2**63, 1], dtype=np.uint64),
        np.array([0.5, 1e300]),
        np.array([False, True]),
        np.array(["日本", "b" * 40]),
        np.array(["", "nan"], dtype=object),
        np.array(["ü", "x"], dtype=np.dtypes.StringDType()),
    ],
    ids=lambda labels: str(labels.dtype),
)
def test_class_labels_of_every_type(path, labels):
    X, y = np.array([[0.0], [1.0]] * 5), np.array([0, 1] * 5)
    student = LinearStudent().fit(X, y)
    student.classes_ = labels
    student.export(path)
    found = load(path).predict(X)
    assert found.tolist() == labels[y].tolist()
    assert found.dtype == (labels.dtype if labels.dtype.kind != "T" else "<U1")


@pytest.mark.parametrize("labels", [np.array([1, 2], dtype="M8[D]"), np.array([(1,), None], dtype=object)])
def test_class_labels_that_a_file_does_not_hold_are_refused(path, labels):
    student = LinearStudent().fit([[0.0], [1.0]], [0, 1])
    student.classes_ = labels
    with pytest.raises(TypeError, match="class labels that are strings, numbers or booleans; these are"):
        student.export(path)
    assert not os.listdir(path.parent)


def test_levels_of_every_type(path):
    levels = ({"": 0, "日本\n": 1, True: 2, 7: 3, 2.5: 4, float("inf"): 5, "\ud800": 6, 10**30: 7, None: 8},)
    entry = Columns(("c", "n"), 2, (0, 1), ("category", "number"), levels, (10,))
    rng = np.random.default_rng(0)
    tables, weight = (rng.normal(size=(n, 3)).astype(np.float32) for n in (10, 1))
    scale = Standardize(1, np.zeros(1), np.ones(1), np.zeros(1), 4.0)
    layer = LookupAffine(np.zeros(1, np.int64), tables, weight, np.zeros(3, np.float32))
    program = Program([entry, scale, layer, Softmax()])
    student = LinearStudent().fit([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]], [0, 1, 2])
    student.program_ = program
    student.export(path)
    again = load(path).program_
    assert again.ops[0] is not entry
    assert again.ops[0].levels == levels
    assert [type(key) for key in again.ops[0].levels[0]] == [type(key) for key in levels[0]]
    assert again.fingerprint() == program.fingerprint()


@pytest.mark.parametrize(
    ("kind", "field", "change"),
    [
        (Standardize, "scale", lambda value: value[:1]),
        (Standardize, "scale", lambda value: value * 0),
        (Standardize, "mean", lambda value: value * np.nan),
        (Standardize, "fill", lambda value: value.astype(np.float32)),
        (Indicate, "columns", lambda value: value - 100),
        (Indicate, "columns", lambda value: value + 10**6),
        (Clip, "lower", lambda value: value[:1]),
        (Clip, "lower", lambda value: value + 1e20),
        (Clip, "upper", lambda value: value * np.inf),
        (Piecewise, "columns", lambda value: value * 0),
        (Piecewise, "width", lambda value: value * 0),
        (Columns, "sizes", lambda value: (1, *value[1:])),
        (Columns, "n_columns", lambda value: 10**10),
        (LookupAffine, "offsets", lambda value: value - 3),
        (LookupAffine, "bias", lambda value: value * np.nan),
        (Affine, "weight", lambda value: value[:-1]),
        (Affine, "weight", lambda value: value.astype(np.float64)),
    ],
)
def test_arrays_that_do_not_fit_are_refused(kind, field, change, path, unchecked):
    student = _fitted_mixed()
    ops = list(student.program_.ops)
    at = next(at for at, op in enumerate(ops) if type(op) is kind)
    ops[at] = replace(ops[at], **{field: change(getattr(ops[at], field))})
    fault = r"do not fit each other|not finite|larger numbers"
    with pytest.raises(ValueError, match=f"A file cannot hold this student: .*({fault})"):
        dumps(Program(ops), student.classes_, {})
    path.write_bytes(unchecked(Program(ops), student.classes_))
    with pytest.raises(ValueError, match=fault):
        load(path)


@functools.cache
def _fitted_mixed():
    return MLPStudent((8,), max_epochs=2, random_state=0).fit(*mixed_table())


def test_an_op_that_a_file_does_not_hold_is_refused(path):
    class Twice(Relu):
        pass

    student = LinearStudent().fit([[0.0], [1.0]], [0, 1])
    student.program_ = Program([*student.program_.ops[:-1], Twice(), Softmax()])
    with pytest.raises(TypeError, match="A file cannot hold the op Twice"):
        student.export(path)
    assert not os.listdir(path.parent)


def test_a_distilled_classifier_saves_its_student(path, named_forest, iris):
    model = DistilledClassifier(named_forest, student="linear", alpha=1.0).fit(iris.X)
    model.export(path)
    predictor = load(path)
    assert_array_equal(predictor.predict(iris.X), model.predict(iris.X))
    assert predictor.versions_["numpy"] == np.__version__
    predictor.export(path.with_name("again.skd"))
    assert load(path.with_name("again.skd")).program_.fingerprint() == model.program_.fingerprint()


def test_scikit_learn_takes_a_predictor_for_a_fitted_classifier(path, cancer):
    student = LinearStudent().fit(cancer.X, cancer.y)
    to_skd(student, path)
    predictor = load(path)
    assert is_classifier(predictor)
    assert clone(predictor) is predictor
    assert predictor.score(cancer.X, cancer.y) == student.score(cancer.X, cancer.y)
    weight = np.arange(len(cancer.y))
    assert predictor.score(cancer.X, cancer.y, weight) == student.score(cancer.X, cancer.y, weight)
    assert cross_val_score(predictor, cancer.X, cancer.y).mean() > 0.95
    calibrated = CalibratedClassifierCV(FrozenEstimator(predictor)).fit(cancer.X, cancer.y)
    assert calibrated.score(cancer.X, cancer.y) > 0.95
    again = DistilledClassifier(predictor, student="linear").fit(cancer.X, cancer.y)
    assert again.teacher_ is predictor
    assert (again.predict(cancer.X) == student.predict(cancer.X)).mean() > 0.98


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_joblib_and_skops_hold_a_student(tmp_path, kind):
    skops_io = pytest.importorskip("skops.io")
    X = wild_rows(mixed_table()[0], 60)
    student = fitted(kind, "piecewise")
    joblib.dump(student, tmp_path / "joblib")
    skops_io.dump(student, tmp_path / "skops")
    untrusted = skops_io.get_untrusted_types(file=tmp_path / "skops")
    assert all(name.startswith(("skdistill.program.", "skdistill.student.")) for name in untrusted)
    for again in (joblib.load(tmp_path / "joblib"), skops_io.load(tmp_path / "skops", trusted=untrusted)):
        assert again.program_.fingerprint() == student.program_.fingerprint()
        assert_array_equal(again.predict_proba(X), student.predict_proba(X))


def test_a_suffix_that_is_not_known_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"model.pkl' ends in '.pkl'; expected one of .c, .js, .mjs, .onnx, .py, .skd, .sql"
    ):
        fitted("linear").export(tmp_path / "model.pkl")
    with pytest.raises(NotFittedError):
        LinearStudent().export(tmp_path / "model.skd")
    assert not os.listdir(tmp_path)


# ------------------------------------------------------------------------------- damage and malice


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """The bytes of a saved student."""
    path = tmp_path_factory.mktemp("saved") / "student.skd"
    X, y = every_kind(200)
    LinearStudent(numeric="piecewise").fit(X, y).export(path)
    return path.read_bytes()


@pytest.mark.parametrize("damage", ["flip a bit", "flip a byte", "truncate", "extend"])
def test_a_damaged_file_is_refused(path, content, damage):
    rng = np.random.default_rng(0)
    for _ in range(500):
        broken, at = bytearray(content), int(rng.integers(len(content)))
        if damage == "flip a bit":
            broken[at] ^= 1 << int(rng.integers(8))
        elif damage == "flip a byte":
            broken[at] ^= int(rng.integers(1, 256))
        elif damage == "truncate":
            del broken[at:]
        else:
            broken += rng.bytes(1 + at % 100)
        path.write_bytes(broken)
        with pytest.raises(ValueError, match=r"student.skd' cannot be loaded: (it|its|there) "):
            load(path)


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return Path.touch, (Path(self.place),)


def test_a_file_of_another_kind_is_refused_and_nothing_of_it_executed(path):
    place = str(path.with_name("executed"))
    bomb = np.empty(1, dtype=object)
    bomb[0] = Bomb(place)
    npz = io.BytesIO()
    np.savez(npz, bomb)
    outside = io.BytesIO()
    with zipfile.ZipFile(outside, "w") as file:
        file.writestr("../outside", b"data")
    for made in (pickle.dumps(Bomb(place)), npz.getvalue(), outside.getvalue(), b"", b"\x93skd", b"\x93skd\r\n\x1a\n"):
        path.write_bytes(made)
        with pytest.raises(ValueError, match="cannot be loaded: it"):
            load(path)
    assert os.listdir(path.parent) == ["student.skd"]
    with pytest.raises(FileNotFoundError):
        load(path.with_name("nothing.skd"))


START = struct.Struct("<8sIIIQ")


def taken_apart(content):
    """Return the structure and the arrays of a file."""
    packed = START.unpack(content[: START.size])[2]
    structure = json.loads(zlib.decompress(content[START.size : START.size + packed]))
    return structure, content[START.size + packed : -32]


def forged(structure, arrays, **claims):
    """Return a whole file with whatever is in it, and lengths that may be claimed otherwise."""
    text = structure if isinstance(structure, bytes) else json.dumps(structure).encode()
    packed = zlib.compress(text)
    told = {
        "magic": b"\x93skd\r\n\x1a\n",
        "protocol": 3,
        "n_packed": len(packed),
        "n_text": len(text),
        "n_arrays": len(arrays),
    }
    start = START.pack(*{**told, **claims}.values())
    return start + packed + arrays + sha256(start + packed + arrays).digest()


def test_a_forged_file_is_whole(path, content):
    structure, arrays = taken_apart(content)
    path.write_bytes(forged(structure, arrays))
    assert load(path).program_.n_columns == 10


def op(structure, name):
    return next(values for op_name, values in structure["ops"] if op_name == name)


def edits():
    """Yield names of crafted files, what is said of them, and what makes them of a whole one."""
    huge = 10 * 2**30

    def change(name, field, value):
        return lambda structure: op(structure, name).__setitem__(field, value)

    yield "10 GB", r"array of shape", change("LookupAffine", "weight", ["<f4", "<f4", [huge // 4, 1]])
    yield "4 MB", r"claims an array of 4000000 bytes", change("LookupAffine", "weight", ["<f4", "<f4", [1000, 1000]])
    yield "10 GB of nothing", r"array of shape", change("LookupAffine", "weight", ["<f4", "<f4", [0, huge]])
    yield "overflowing shape", r"array of shape", change("LookupAffine", "weight", ["<f4", "<f4", [2**40, 2**40]])
    yield "negative shape", r"array of shape", change("LookupAffine", "weight", ["<f4", "<f4", [-1, 1]])
    yield "shape of texts", r"array of shape", change("LookupAffine", "weight", ["<f4", "<f4", ["1", "1"]])
    yield "shape of many sides", r"array of shape", change("LookupAffine", "weight", ["<f4", "<f4", [1] * 60])
    yield "objects", r"array of type '\|O'", change("LookupAffine", "weight", ["|O", "|O", [1, 1]])
    yield (
        "wide type",
        r"array of type '<U1000000000'",
        change("LookupAffine", "weight", ["<U1000000000", "|u1", [1, 1]]),
    )
    yield "shapes that do not fit", r"Standardize do not fit each other", change("Standardize", "start", 1000)
    yield "array where a number is", r"where a float should be", change("Standardize", "limit", ["<f8", "<f4", []])
    yield (
        "code where a number is",
        r"where a float should be",
        change("Standardize", "limit", "__import__('os').system('touch executed')"),
    )
    yield "columns", r"columns do not fit", change("Columns", "n_columns", 3)
    yield (
        "codes",
        r"LookupAffine do not fit each other",
        lambda structure: op(structure, "Columns")["sizes"].__setitem__(-1, 1000),
    )
    yield "kinds", r"columns do not fit", change("Columns", "kinds", ["number"])
    yield "names", r"columns do not fit", change("Columns", "names", ["a"] * 10)
    yield "time spans", r"columns do not fit", change("Columns", "spans", [1000])
    for at in (-1, 0, 1000):
        yield (
            f"a date in column {at}",
            r"DateParts do not fit each other",
            lambda structure, at=at: op(structure, "DateParts")["columns"].__setitem__(0, at),
        )
    yield (
        "a part of a date that is code",
        r"DateParts do not fit each other",
        lambda structure: op(structure, "DateParts")["parts"].__setitem__(
            0, "__import__('os').system('touch executed')"
        ),
    )
    yield (
        "a clipped column that does not exist yet",
        r"ops do not follow each other",
        lambda structure: structure["ops"].insert(1, structure["ops"].pop(2)),
    )
    yield "a nested name", r"where a str should be", change("Columns", "names", [["a"]] * 10)
    yield (
        "an op of no such name",
        r"op 'os.system'",
        lambda structure: structure["ops"].insert(1, ["os.system", {"command": "touch x"}]),
    )
    yield "an op that is private", r"op 'Op'", lambda structure: structure["ops"].insert(1, ["Op", {}])
    yield "a field too many", r"should hold", change("Softmax", "more", 1)
    yield "no ops", r"belong to no op", lambda structure: structure.__setitem__("ops", [])
    yield "no entry", r"begins with Columns or Bound|should", lambda structure: structure["ops"].pop(0)
    yield "nothing", r"structure is {}", lambda structure: structure.clear()
    yield "labels", r"3 class labels", lambda structure: structure["classes"][1].append(7)
    yield (
        "labels that are lists",
        r"class label that is neither",
        lambda structure: structure.__setitem__("classes", ["|O", [["a"], ["b"]]]),
    )
    yield (
        "labels of a wide type",
        r"class labels of type",
        lambda structure: structure.__setitem__("classes", ["<U1000000000", ["a", "b"]]),
    )
    yield (
        "a label twice",
        r"label twice",
        lambda structure: structure["classes"][1].__setitem__(1, structure["classes"][1][0]),
    )
    yield (
        "a long label",
        r"one of them of 100000 characters",
        lambda structure: structure["classes"].__setitem__(slice(None), ["<U", ["a", "b" * 10**5]]),
    )
    yield "labels in another order", r"fingerprint", lambda structure: structure["classes"][1].reverse()
    yield (
        "labels of another type",
        r"not of the type \|i1",
        lambda structure: structure.__setitem__("classes", ["|i1", [0.5, 1]]),
    )
    yield (
        "thousands of ops",
        r"list of up to 1000",
        lambda structure: structure["ops"].__setitem__(slice(-1, -1), [["Relu", {}]] * 5000),
    )
    yield (
        "an activation of no layer",
        r"ops do not follow each other",
        lambda structure: structure["ops"].insert(-1, ["Relu", {}]),
    )
    yield (
        "levels whose hashes collide",
        r"too many numbers that are levels",
        lambda structure: op(structure, "Columns")["levels"].__setitem__(
            0, [[at * (2**61 - 1) for at in range(2000)], [0] * 2000]
        ),
    )
    yield (
        "a level twice",
        r"level or a class label twice",
        lambda structure: op(structure, "Columns")["levels"].__setitem__(0, [[1, True], [0, 1]]),
    )
    yield "a column that is read 1,000 times", r"read too often", read_often
    yield "many columns without a name", r"columns do not fit each other: n_columns", many_columns
    yield (
        "a number stored as another",
        r"stored as '\|i1'",
        lambda structure: op(structure, "Standardize")["mean"].__setitem__(1, "|i1"),
    )
    for name, said, metadata in (
        ("no dict", "metadata must be a dict", []),
        ("deep", "nested more than 20 deep", {"a": functools.reduce(lambda value, _: [value], range(30), 0)}),
        ("long", "has 200009 characters", {"a": "x" * 200_000}),
        ("infinite", "is inf", {"a": float("inf")}),
        ("of a user that are no dict", r"metadata\['user'\] must be a dict", {"user": []}),
    ):
        yield f"metadata {name}", said, lambda structure, made=metadata: structure.__setitem__("metadata", made)
    yield "fingerprint", r"fingerprint", lambda structure: structure.__setitem__("fingerprint", "0" * 64)


def read_often(structure):
    entry = op(structure, "Columns")
    entry["sources"] += [entry["sources"][-1]] * 1000
    entry["kinds"] += [entry["kinds"][-1]] * 1000


def many_columns(structure):
    op(structure, "Columns").update(n_columns=3 * 10**8, names=None)


@pytest.mark.parametrize(("said", "edit"), [pytest.param(said, edit, id=name) for name, said, edit in edits()])
def test_a_crafted_structure_is_refused(path, content, said, edit, monkeypatch):
    monkeypatch.chdir(path.parent)
    structure, arrays = taken_apart(content)
    edit(structure)
    path.write_bytes(forged(structure, arrays))
    with pytest.raises(ValueError, match=rf"student.skd' cannot be loaded: .*({said})"):
        load(path)
    assert os.listdir(path.parent) == ["student.skd"]


def test_a_crafted_tree_that_never_ends_is_refused(path, unchecked):
    tree = fitted("tree").program_.ops[-2]
    assert len(tree.columns) > 2
    for name, value in (("left", 0), ("right", len(tree.columns)), ("left", ~len(tree.values))):
        child = getattr(tree, name).copy()
        child[1] = value
        program = Program([*fitted("tree").program_.ops[:-2], replace(tree, **{name: child}), Softmax()])
        path.write_bytes(unchecked(program, np.array([0, 1])))
        with pytest.raises(ValueError, match=r"a node that leads nowhere or back|IndexError"):
            load(path)


def test_classes_and_the_program_of_a_regressor_are_refused(path, unchecked):
    program = LinearStudentRegressor().fit([[0.0], [1.0], [2.0]], [1.0, 2.0, 3.0]).program_
    path.write_bytes(unchecked(program, np.array([0, 1])))
    with pytest.raises(ValueError, match="class labels and the Program of a regressor"):
        load(path)


@pytest.mark.parametrize("bounds", [([2.0], [1.0]), ([np.nan], None), (None, [np.inf]), ([1.0, 1.0], None)])
def test_bounds_of_a_regressor_that_do_not_fit_are_refused(path, bounds, unchecked):
    student = LinearStudentRegressor().fit([[0.0], [1.0], [2.0]], [1.0, 2.0, 3.0])
    *ops, end = student.program_.ops
    lower, upper = (None if bound is None else np.array(bound) for bound in bounds)
    path.write_bytes(unchecked(Program([*ops, replace(end, lower=lower, upper=upper)]), None))
    with pytest.raises(ValueError, match=r"Unstandardize (do not fit each other|holds a number that is not finite)"):
        load(path)


def test_crafted_lengths_are_refused(path, content):
    structure, arrays = taken_apart(content)
    made = {
        "should have": forged(structure, arrays, n_arrays=10 * 2**30),
        "claims a structure of": forged(structure, arrays, n_text=2**32 - 1),
        "another length than it claims": forged(structure, arrays, n_text=100),
        "belong to no op": forged(structure, arrays + b"1234"),
        "are left": forged(structure, arrays[:-4]),
        "protocol 0": forged(structure, arrays, protocol=0),
        "RecursionError": forged(b"[" * 10**5, arrays),
        "about 400001 values": forged(b"[" + b"[]," * 200_000, arrays),
        "names something twice": forged(b'{"ops":1,"ops":1}', arrays),
        "holds NaN": forged(b"[NaN]", arrays),
        "JSONDecodeError": forged(b"{", arrays),
        "UnicodeDecodeError": forged(b'"\xff"', arrays),
    }
    # few bytes that unpack into a million lists
    made["claims a structure of 3000000 bytes"] = forged(b"[]," * 10**6, arrays)
    for said, file in made.items():
        path.write_bytes(file)
        with pytest.raises(ValueError, match=said):
            load(path)


def test_a_small_file_that_claims_much_allocates_little(path, content):
    import tracemalloc

    structure, arrays = taken_apart(content)
    # 64 MB of blanks, packed into 64 KB, and a file of 10 GB that holds nothing
    bomb = forged(b" " * (2**26 + 1), arrays)
    op(structure, "LookupAffine")["weight"] = ["<f4", "<f4", [10 * 2**28, 1]]
    for made in (bomb, forged(structure, arrays)):
        path.write_bytes(made)
        tracemalloc.start()
        with pytest.raises(ValueError, match="claims"):
            load(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2**22


def test_mutants_of_files_are_refused_or_answer_and_export(tmp_path):
    for number in range(50):
        *_, mutant = fuzz_files.mutant(0, number)
        fuzz_files.examine(mutant, tmp_path)


def test_a_fingerprint_covers_the_labels_and_tells_texts_apart():
    student = _fitted_mixed()
    program, (entry, *rest) = student.program_, student.program_.ops
    prints = [program.fingerprint(labels) for labels in (None, student.classes_, student.classes_[::-1])]
    prints += [program.fingerprint(np.array(labels, dtype=object)) for labels in ([0, 1], ["0", "1"], [False, True])]
    for levels in ({1: 0, "a": 1}, {True: 0, "a": 1}, {"1": 0, "a": 1}, {"1', 'a": 0}):
        prints.append(Program([replace(entry, levels=(levels, *entry.levels[1:])), *rest]).fingerprint())
    assert len(set(prints)) == len(prints)


def test_a_later_protocol_is_refused_by_its_number(path, content):
    structure, arrays = taken_apart(content)
    path.write_bytes(forged(structure, arrays, protocol=4))
    with pytest.raises(ValueError, match="it is of protocol 4, and this skdistill reads protocols up to 3; a later"):
        load(path)


@pytest.mark.parametrize("protocol", [1, 2, 3])
def test_files_of_every_protocol_keep_loading(protocol):
    predictor = load(DATA / f"protocol-{protocol}.skd")
    told = json.loads((DATA / "protocol-1.json").read_text())
    for row in told["rows"]:
        row["since"] = None if row["since"] is None else datetime.fromisoformat(row["since"])
    assert_allclose(predictor.predict_proba(told["rows"]), told["proba"], rtol=1e-9)
    assert predictor.program_.fingerprint() == told["fingerprint"]
    assert predictor.classes_.tolist() == told["classes"]
    assert predictor.versions_["skdistill"]
    assert predictor.metadata_.get("user") == (None if protocol < 3 else {"ticket": "T-17"})


def test_a_regressors_file_from_before_there_were_bounds_keeps_loading():
    predictor = load(DATA / "protocol-1-regressor.skd")
    assert_allclose(predictor.predict([[0.0], [30.0], [-30.0]]), [2.00002598, 91.99994395, -83.93653733])
    assert predictor.program_.fingerprint() == "29ca3600403c00dd5f4f59ece6d09d14543d703e087db037acccf1c84e64a35f"
