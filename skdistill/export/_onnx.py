"""to_onnx: a student as an ONNX model, its encoder included."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._version import __version__
from ._files import check_ops, classes_of, program_of, write_files

if TYPE_CHECKING:
    from onnx import ModelProto

Array = NDArray[Any]

#: The first in which all that is used here means what it still means, so that old runtimes read it as new ones do.
OPSETS = {"": 13, "ai.onnx.ml": 2}
_IR_VERSION = 7
OUTPUTS = ("label", "probabilities", "logits")
#: The one of a regressor, as skl2onnx names it.
NUMBERS = "variable"


def to_onnx(
    student: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    numbers: str = "auto",
    missing: str = "<missing>",
    logits: bool = False,
) -> ModelProto:
    """Write a student as an ONNX model: raw rows in, label and probabilities, or numbers, out.

    Where all columns are numbers, the model has one input, a tensor ``X`` of shape
    (n_rows, n_columns), NaN where a cell is missing. Otherwise it has one input of shape
    (n_rows, 1) for each column that the student reads, by the column's name (``column 3`` where
    columns have no names; an underscore follows a name that an output has):

    - numbers, booleans, time spans in seconds and categories that are numbers, NaN where missing;
    - dates as float64 seconds since 1970 (UTC), NaN where missing;
    - texts and other categories as strings, `missing` where missing. Any string may come, the
      empty one included; one that training has not seen counts as such.

    The outputs are ``label``, shape (n_rows,), int64 where the classes are whole numbers or
    booleans and strings otherwise, and ``probabilities``, float32 of shape (n_rows, n_classes).
    A regressor has one output, ``variable``, shape (n_rows, n_outputs): float32, or float64 where
    float32 would not tell its numbers apart.

    Parameters
    ----------
    student : student, DistilledClassifier or predictor
        Fitted.
    path : path-like, default=None
        The file to write; None writes none.
    numbers : {"auto", "float32", "float64"}, default="auto"
        The type of the inputs that are numbers. "auto" is float32 unless the student tells numbers
        apart that are the same in float32. Categories that are numbers are float64 in any case.
    missing : str, default="<missing>"
        What a string input holds where there is no text, since a string tensor has no gaps.
    logits : bool, default=False
        Whether there is a third output, ``logits``, shape (n_rows, n_classes); ``(0, z)`` for two
        classes. A regressor has none.

    Returns
    -------
    model : onnx.ModelProto
        Checked by ``onnx.checker``. Its metadata say what a client has to know: ``columns`` (JSON:
        for each column of a row its name, kind, input, the type of that, and levels if it has
        any), ``classes`` (JSON; not of a regressor), ``missing``, the Program's ``fingerprint`` and
        ``skdistill_version``.

    Raises
    ------
    ImportError
        If the package onnx is not installed.
    TypeError
        If `student` has no Program, or one with an op that ONNX cannot express.
    ValueError
        If `numbers` is unknown, a regressor is asked for logits, or two levels of a column would be
        the same in a tensor.

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
        raise ValueError(f'numbers={numbers!r} is not known; needed is "auto", "float32" or "float64".')
    from .._validation import import_optional

    onnx = import_optional("onnx", "to_onnx", "export")
    from ._onnx_graph import Flow, Graph, tensor_type
    from ._onnx_ops import KNOWN, number_type, print_logits, print_numbers, print_outputs
    from ._onnx_rows import TEXT, InputRows, describe, needs_float64

    check_ops(program, KNOWN, "ONNX")
    found = classes_of(student)
    if found is None and logits:
        raise ValueError("logits=True asks for logits, and the student is a regressor, which has none.")
    names = (NUMBERS,) if found is None else OUTPUTS
    dtype = np.dtype(numbers if numbers != "auto" else "float64" if needs_float64(program) else "float32")
    columns, pieces = describe(program, dtype, names)
    inputs = [piece for piece in pieces if piece.value]
    graph = Graph(_unique({*names, *(piece.value for piece in inputs)}))
    flow = Flow(graph, InputRows(pieces, [column["name"] for column in columns], missing))
    shapes: dict[str, tuple[Any, list[Any]]]
    told = {}
    if found is None:
        print_numbers(flow, program.ops, NUMBERS)
        shapes = {NUMBERS: (number_type(program.ops[-1]), ["N", program.n_outputs])}  # type: ignore[arg-type]
    else:
        classes = class_labels(found)
        print_outputs(flow, print_logits(flow, program.ops), classes, OUTPUTS[: 2 + logits])
        label = np.dtype(np.int64) if classes.dtype.kind == "i" else TEXT
        shapes = {"label": (label, ["N"]), "probabilities": (np.dtype(np.float32), ["N", len(classes)])}
        if logits:
            shapes["logits"] = (np.dtype(np.float64), ["N", len(classes)])
        told = {"classes": json.dumps(classes.tolist(), ensure_ascii=False)}
    make = onnx.helper.make_tensor_value_info
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            graph.nodes,
            "skdistill",
            [make(piece.value, tensor_type(piece.dtype), ["N", piece.width]) for piece in inputs],
            [make(name, tensor_type(held), shape) for name, (held, shape) in shapes.items()],
            graph.constants,
        ),
        producer_name="skdistill",
        producer_version=__version__,
        opset_imports=[onnx.helper.make_opsetid(*opset) for opset in OPSETS.items()],
        ir_version=_IR_VERSION,
    )
    held = {
        "skdistill_version": __version__,
        "fingerprint": program.fingerprint(),
        **told,
        "columns": json.dumps(columns, ensure_ascii=False),
        "missing": missing,
    }
    onnx.helper.set_model_props(model, held)
    onnx.checker.check_model(model, full_check=True)
    if path is not None:
        write_files({path: model.SerializeToString()})
    return model


def _unique(taken: set[str]) -> Callable[[str], str]:
    """Return what makes a name of its own, `taken` ones aside, of every name it is given."""
    numbers = count()

    def unique(name: str) -> str:
        return next(made for made in (f"{name}_{number}" for number in numbers) if made not in taken)

    return unique


def class_labels(classes: Array) -> Array:
    """Return class labels as ONNX can hold them.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Labels of any kind.

    Returns
    -------
    labels : ndarray of shape (n_classes,)
        int64 where they are whole numbers or booleans, else strings as objects.
    """
    whole = classes.dtype.kind in "iub" or (classes.dtype.kind == "f" and bool((classes == np.round(classes)).all()))
    if whole and (np.abs(classes.astype(np.float64)) < 2.0**63).all():
        return classes.astype(np.int64)
    return np.array([str(label) for label in classes.tolist()], dtype=object)
