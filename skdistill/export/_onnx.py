"""to_onnx: exports a student, including its encoder, as an ONNX model."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._version import __version__
from ..program import Program, program_of
from ._files import check_ops, classes_of, write_files
from ._metadata import metadata_json

if TYPE_CHECKING:
    from onnx import ModelProto

Array = NDArray[Any]

#: The oldest opsets that define every operator used here as it is defined today, so that old runtimes can read them.
OPSETS = {"": 13, "ai.onnx.ml": 2}
_IR_VERSION = 7
#: What words in texts need: a later opset, and the version of the format that has it.
_OPSETS_OF_WORDS = {"": 20, "ai.onnx.ml": 2}
_IR_VERSION_OF_WORDS = 9


def to_onnx(
    student: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    numbers: str = "auto",
    missing: str = "<missing>",
    logits: bool = False,
    metadata: dict[str, Any] | bool | None = None,
) -> ModelProto:
    """Export a student as an ONNX model from raw rows to labels and probabilities, or to regression outputs.

    If all columns are numbers, the model has one input, a tensor ``X`` of shape (n_rows, n_columns), with NaN for
    missing cells. Otherwise it has one input of shape (n_rows, 1) for each column of the table, whether the student
    uses it or not. The input has the column's name, or ``column 3`` if columns have no names; an underscore is appended
    to a name that an output has. The inputs are:

    - numbers, booleans, durations in seconds and numeric categories, NaN if missing; convert strings that are read as
      numbers beforehand;
    - dates, and strings that are read as dates, as float64 seconds since 1970 (UTC), NaN if missing;
    - strings and other categories as strings, the value of `missing` if missing. Any string is valid, also the empty
      one; a string not seen in training is an unknown category.

    A classifier has two outputs. ``label`` has shape (n_rows,); it is int64 if the classes are integers or booleans,
    else strings. ``probabilities`` is float32 of shape (n_rows, n_classes). For a multilabel target, ``label`` is int64
    with that shape: 1 for each label with a probability above one half, else 0. A regressor has one output,
    ``variable``, of shape (n_rows, n_outputs): float32, or float64 if float32 could not distinguish its predictions.

    Parameters
    ----------
    student : student, distiller or predictor
        The fitted student.
    path : path-like, default=None
        The file to write; None writes no file.
    numbers : {"auto", "float32", "float64"}, default="auto"
        The type of numeric inputs. "auto" is float32 unless rounding to float32 would change the
        predictions by more than a little. Numeric categories are always float64.
    missing : str, default="<missing>"
        The string that means a missing value, since a string tensor cannot hold missing values.
    logits : bool, default=False
        Whether to add a third output, ``logits``, of shape (n_rows, n_classes); ``(0, z)`` for two
        classes. A regressor has no logits.
    metadata : dict or False, default=None
        Metadata to store in the file beside the metadata of the fit; see :func:`to_file`. False stores none.

    Returns
    -------
    model : onnx.ModelProto
        A model that ``onnx.checker`` has checked. Its metadata describe the inputs and outputs for a client:
        ``columns`` (JSON: for each column of a row its name, its kind, its input, the type of the input, its unit if it
        is a date or a time span, its categories if it has any, and its format, such as "$0.", if strings are to be read
        as numbers or dates), ``classes`` (JSON; only for a classifier), ``missing``, the ``fingerprint`` of the Program
        and its classes, ``skdistill_version``, and ``metadata`` (JSON).

    Raises
    ------
    ImportError
        If the package onnx is not installed.
    NotFittedError
        If the student is not fitted.
    TypeError
        If the student has no Program, or ONNX does not support one of its ops.
    ValueError
        If `numbers` has another value, `logits` is true for a regressor, or two categories of a column would be equal
        in a tensor.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill import LinearStudent
    >>> from skdistill.export import to_onnx
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [3.0, 0.0]])
    >>> model = to_onnx(LinearStudent().fit(X, ["no", "no", "yes", "yes"]))
    >>> [value.name for value in model.graph.input]
    ['X']
    >>> [value.name for value in model.graph.output]
    ['label', 'probabilities']
    """
    program = program_of(student)
    if numbers not in ("auto", "float32", "float64"):
        raise ValueError(f'numbers={numbers!r} is not known; expected "auto", "float32" or "float64".')
    from .._checks import import_optional

    onnx = import_optional("onnx", "to_onnx", "skdistill[export]")
    from ._onnx_graph import Graph, tensor_type
    from ._onnx_ops import KNOWN, output_types, print_program
    from ._onnx_rows import InputRows, describe, needs_float64

    check_ops(program, KNOWN, "ONNX")
    labels = classes_of(student)
    if labels is None and logits:
        raise ValueError("logits=True asks for logits, and the student is a regressor, which has none.")
    classes = None if labels is None else class_labels(labels)
    outputs = output_types(program, classes, "N")
    dtype = np.dtype(numbers if numbers != "auto" else "float64" if needs_float64(program) else "float32")
    columns, pieces = describe(program, dtype, list(outputs))
    _check_utf8([json.dumps(columns, ensure_ascii=False), *([] if classes is None else map(str, classes.tolist()))])
    inputs = [piece for piece in pieces if piece.value]
    rows = InputRows(pieces, [column["name"] for column in columns], missing)
    taken, endings = {*outputs, *(piece.value for piece in inputs)}, count()

    def unique(name: str) -> str:
        """Return the name with a number, so that it is unique."""
        return next(made for made in (f"{name}_{number}" for number in endings) if made not in taken)

    graph = Graph(unique, rows)
    if not logits:
        outputs.pop("logits", None)
    print_program(graph, program, classes, list(outputs))
    make = onnx.helper.make_tensor_value_info
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            graph.nodes,
            "skdistill",
            [make(piece.value, tensor_type(piece.dtype), ["N", piece.width]) for piece in inputs],
            [make(name, tensor_type(kind), shape) for name, (kind, shape) in outputs.items()],
            graph.constants,
        ),
        producer_name="skdistill",
        producer_version=__version__,
        opset_imports=[onnx.helper.make_opsetid(*opset) for opset in opsets_of(program).items()],
        ir_version=_IR_VERSION_OF_WORDS if _has_words(program) else _IR_VERSION,
    )
    as_json = metadata_json(student, metadata)
    props = {
        "skdistill_version": __version__,
        "fingerprint": program.fingerprint(labels),
        **({} if classes is None else {"classes": json.dumps(classes.tolist(), ensure_ascii=False)}),
        "columns": json.dumps(columns, ensure_ascii=False),
        "missing": missing,
        **({"metadata": as_json} if as_json else {}),
    }
    onnx.helper.set_model_props(model, props)
    onnx.checker.check_model(model, full_check=True)
    if path is not None:
        write_files({path: model.SerializeToString()})
    return model


def _check_utf8(texts: Iterable[str]) -> None:
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            half = text[error.start]
            raise ValueError(f"ONNX holds texts in UTF-8, and a name, level or class has {half!r} in it.") from error


def _has_words(program: Program) -> bool:
    return bool(getattr(program.ops[0], "words", None))


def opsets_of(program: Program) -> dict[str, int]:
    """Return the opsets that a Program needs, by domain."""
    return _OPSETS_OF_WORDS if _has_words(program) else OPSETS


def class_labels(classes: Array) -> Array:
    """Convert class labels to a type that ONNX can hold.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Labels of any kind.

    Returns
    -------
    labels : ndarray of shape (n_classes,)
        int64 if all labels are integers or booleans, else strings in an object array.
    """
    whole = classes.dtype.kind in "iub" or (classes.dtype.kind == "f" and bool((classes == np.round(classes)).all()))
    if whole and (np.abs(classes.astype(np.float64)) < 2.0**63).all():
        return classes.astype(np.int64)
    return np.array([str(label) for label in classes.tolist()], dtype=object)
