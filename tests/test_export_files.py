"""What all exports share: the Program of a student, error messages, options and atomic writes."""

import os

import numpy as np
import pytest
from helpers import small_mlp
from sklearn.exceptions import NotFittedError
from sklearn.svm import SVC
from tables_helpers import Lengths

from skdistill import DistilledClassifier, LinearStudent
from skdistill.export import check_ops, to_file, write_files
from skdistill.program import Affine, Columns, Softmax, program_of


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
    with pytest.raises(TypeError, match="C has no printer for Standardize"):
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
    message = r"format .onnx does not have the option opset=; its options are numbers=, missing=, logits="
    with pytest.raises(TypeError, match=message):
        student.export(tmp_path / "student.onnx", opset=13)
    for suffix in (".skd", ".c", ".py"):
        with pytest.raises(TypeError, match=f"format {suffix} does not have the option numbers=; it has no options"):
            to_file(student, tmp_path / f"student{suffix}", numbers="float32")
    assert not os.listdir(tmp_path)
