"""What all exports share: the Program of a student, error messages, options and atomic writes."""

import json
import os
import runpy
import shutil
import subprocess

import numpy as np
import pytest
from helpers import small_mlp
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from tables_helpers import Lengths

from skdistill import DistilledClassifier, LinearStudent, load
from skdistill.compress import quantize
from skdistill.export import check_ops, to_file, write_files
from skdistill.program import Affine, Columns, Softmax, described, program_of


def test_the_program_is_that_of_the_student(iris, iris_forest):
    model = DistilledClassifier(iris_forest, student="linear").fit(iris.X, iris.y)
    assert program_of(model) is program_of(model.student_) is model.program_


@pytest.mark.parametrize("model", [LinearStudent(), small_mlp(), DistilledClassifier(LinearStudent()), SVC()])
def test_what_is_not_fitted_has_no_program(model):
    with pytest.raises(NotFittedError, match=f"This {type(model).__name__} instance is not fitted yet"):
        program_of(model)


def test_what_has_no_program_is_refused_by_its_name(iris):
    with pytest.raises(TypeError, match="SVC has no Program"):
        program_of(SVC().fit(iris.X, iris.y))
    with pytest.raises(TypeError, match="ndarray has no Program"):
        program_of(iris.X)


def test_an_encoder_that_runs_before_the_program_is_refused_by_its_name():
    X = np.array([["a"], ["bb"], ["ccc"], ["dddd"]])
    student = LinearStudent(encoder=Lengths()).fit(X, [0, 0, 1, 1])
    with pytest.raises(TypeError, match="The encoder of this LinearStudent is a Lengths that did not become part"):
        program_of(student)


def test_an_op_without_a_printer_is_refused_by_its_name(iris):
    program = LinearStudent().fit(iris.X, iris.y).program_
    check_ops(program, {type(op) for op in program.ops}, "C")
    with pytest.raises(TypeError, match="C does not support the op Standardize"):
        check_ops(program, {Columns, Affine, Softmax}, "C")


def test_files_are_written_whole(tmp_path):
    (tmp_path / "a").write_text("before")
    write_files({tmp_path / "a": b"after", str(tmp_path / "b"): b"new"})
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
    assert (tmp_path / "a").read_text() == "after"
    (tmp_path / "plain").touch()
    assert (tmp_path / "b").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_nothing_half_written_is_left_behind(tmp_path, monkeypatch, fails):
    (tmp_path / "a").write_text("before")
    done, real = [], getattr(os, fails)

    def full(*arguments):
        if done:
            raise OSError("no space left")
        done.append(real(*arguments))

    monkeypatch.setattr(os, fails, full)
    with pytest.raises(OSError, match="no space left"):
        write_files({tmp_path / "new": b"1", tmp_path / "a": b"2"})
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "before"


def test_a_place_that_cannot_be_written_to_is_refused_beforehand(tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder"):
        write_files({tmp_path: b""})
    with pytest.raises(FileNotFoundError, match="'nowhere', where 'x' is to be written, is not a folder"):
        write_files({"nowhere/x": b""})


def test_options_are_passed_on_to_the_format(iris, tmp_path):
    onnx = pytest.importorskip("onnx")
    student = LinearStudent().fit(iris.X, iris.y)
    student.export(tmp_path / "student.onnx", numbers="float64", logits=True)
    graph = onnx.load(tmp_path / "student.onnx").graph
    assert [value.name for value in graph.output] == ["label", "probabilities", "logits"]
    assert graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.DOUBLE
    with pytest.raises(ValueError, match="numbers='half' is not known"):
        student.export(tmp_path / "student.onnx", numbers="half")


def test_an_option_that_the_format_does_not_have_raises_and_names_those_that_it_has(iris, tmp_path):
    student = LinearStudent().fit(iris.X, iris.y)
    message = r"format .onnx does not have the option opset=; its options are numbers=, missing=, logits=, metadata="
    with pytest.raises(TypeError, match=message):
        student.export(tmp_path / "student.onnx", opset=13)
    for suffix in (".skd", ".c", ".py"):
        with pytest.raises(
            TypeError, match=f"format {suffix} does not have the option numbers=; its options are metadata="
        ):
            to_file(student, tmp_path / f"student{suffix}", numbers="float32")
    assert not os.listdir(tmp_path)


# --------------------------------------------------------------------------------------- metadata


def metadata_in(path):
    """Return the metadata of an exported file, as whoever has the file reads them."""
    if path.suffix == ".skd":
        return load(path).metadata_
    if path.suffix == ".py":
        return runpy.run_path(str(path))["METADATA"]
    if path.suffix == ".onnx":
        props = pytest.importorskip("onnx").load(path).metadata_props
        return json.loads(next((entry.value for entry in props if entry.key == "metadata"), "{}"))
    _, found, said = path.read_text().partition("/* Where the student comes from, as JSON:\n")
    return json.loads(said.removesuffix(" */\n").replace(" * ", "", 1).replace("\n * ", "\n")) if found else {}


@pytest.mark.parametrize("suffix", [".skd", ".onnx", ".c", ".py"])
def test_every_format_says_where_the_student_comes_from(suffix, iris, iris_forest, tmp_path, monkeypatch):
    if suffix == ".onnx":
        pytest.importorskip("onnx")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    own = {"*/ ??/ /* \\": "'\"$x`</script>\n日本\ud800", "auc": np.float32(0.5), "tags": ("a", None, True, 2**70)}
    path, model = tmp_path / f"m{suffix}", DistilledClassifier(iris_forest, student="linear", random_state=0)
    model.fit(iris.X, iris.y).export(path, metadata=own)
    found = metadata_in(path)
    assert found["user"] == {**own, "auc": 0.5, "tags": ["a", None, True, 2**70]}
    assert found["exported"] == "2023-11-14T22:13:20Z"
    assert found["student"]["type"] == "skdistill.student._linear.LinearStudent"
    assert found["teacher"]["type"] == "sklearn.ensemble._forest.RandomForestClassifier"
    assert found["teacher"]["params"]["n_estimators"] == iris_forest.n_estimators
    assert found["report"]["alpha"] == model.alpha_
    assert found["report"]["distilled"] == model.distillation_report_["distilled"]
    assert found["versions"]["numpy"] == np.__version__
    first = path.read_bytes()
    if suffix == ".c" and shutil.which("gcc"):
        command = ["gcc", "-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", path]
        subprocess.run(command, check=True)
    model.fit(iris.X, iris.y).export(path, metadata=own)
    assert path.read_bytes() == first
    model.export(path, metadata=False)
    assert metadata_in(path) == {}


def test_metadata_are_no_part_of_the_fingerprint_and_stay_with_a_loaded_model(iris, tmp_path):
    student = LinearStudent().fit(iris.X, iris.y)
    student.export(tmp_path / "first.skd", metadata={"owner": "a", "ticket": 1})
    first = load(tmp_path / "first.skd")
    assert first.metadata_["report"] == {"n_rows": len(iris.y)}
    quantize(first).export(tmp_path / "second.skd", metadata={"ticket": 2})
    second = load(tmp_path / "second.skd").metadata_
    assert second["user"] == {"owner": "a", "ticket": 2}
    assert second["compression"]["method"] == "int8"
    assert second["student"] == first.metadata_["student"]
    student.export(tmp_path / "second.skd", metadata=False)
    assert load(tmp_path / "second.skd").program_.fingerprint() == first.program_.fingerprint()


class Confiding(LinearStudent):
    """A teacher with parameters that are not for everyone."""

    def __init__(self, api_key=None, client=None, token_pattern=None, cut=None, scale=None):
        self.api_key, self.client, self.token_pattern, self.cut, self.scale = api_key, client, token_pattern, cut, scale
        super().__init__()


def test_of_parameters_that_are_secret_long_or_objects_little_is_stored(iris, tmp_path):
    params = {"client": {"to": object()}, "token_pattern": "x+", "cut": "y" * 999, "scale": np.inf}
    teacher = make_pipeline(Confiding(api_key="hunter2", **params)).fit(iris.X, iris.y)
    teachers = [teacher, lambda X: teacher.predict_proba(X), make_pipeline(*[SVC(gamma=0.5)] * 40, Confiding())]
    DistilledClassifier(teachers[:2], student="linear", alpha=1.0).fit(iris.X, iris.y).export(tmp_path / "m.skd")
    one, other = load(tmp_path / "m.skd").metadata_["teacher"]
    found = one["params"]["steps"][0][1]["params"]
    assert found == {
        "api_key": "not stored",
        "client": {"to": "builtins.object"},
        "token_pattern": "x+",
        "cut": f"{'y' * 200}...",
        "scale": "inf",
    }
    assert other.endswith("<lambda>")
    assert b"hunter2" not in (tmp_path / "m.skd").read_bytes()
    assert described(teachers[2])["params"].startswith("left out: ")


def itself():
    found = {}
    found["found"] = found
    return found


@pytest.mark.parametrize(
    ("metadata", "error", "message"),
    [
        (["owner"], TypeError, "metadata must be a dict; got list"),
        ({"a": [{"path": object()}]}, TypeError, r"metadata\['a'\]\[0\]\['path'\] is of type object, which JSON"),
        ({"a": {1: 2}}, TypeError, r"metadata\['a'\] has the key 1; the keys of JSON are strings"),
        ({"auc": np.float32("nan")}, ValueError, r"metadata\['auc'\] is nan; the numbers of JSON are finite"),
        ({"log": "x" * 70_000}, ValueError, "metadata has 70011 characters as JSON; a file holds up to 65536"),
        (itself(), ValueError, "nested more than 20 deep, or contains itself"),
    ],
)
@pytest.mark.parametrize("suffix", [".skd", ".c"])
def test_metadata_that_are_not_json_are_refused_before_anything_is_written(suffix, metadata, error, message, tmp_path):
    student = LinearStudent().fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(error, match=message):
        student.export(tmp_path / f"m{suffix}", metadata=metadata)
    assert not os.listdir(tmp_path)
