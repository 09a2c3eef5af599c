"""register_skl2onnx: lets skl2onnx convert students, also within a Pipeline."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from ..program import Program, program_of
from ._files import check_ops

#: The public names of the classes; they are looked up when needed, since their modules import this one.
_CLASSES = ("DistilledClassifier", "LinearStudent", "MLPStudent", "TreeStudent")
_REGRESSORS = ("DistilledRegressor", *(f"{name}Regressor" for name in _CLASSES[1:]))


def register_skl2onnx() -> None:
    """Register converters for distillers and students with skl2onnx, also for use within a Pipeline.

    Call this once in each process, before ``skl2onnx.to_onnx``. The student takes the columns that it
    was fitted on: by name if every input has the name of a column, else in their order. The string
    "<missing>" is a missing value. The options ``zipmap``, ``nocl`` and ``output_class_labels`` have
    the same meaning as for skl2onnx's own classifiers. The output of a regressor is ``variable``.

    Raises
    ------
    ImportError
        If the package skl2onnx is not installed.

    Examples
    --------
    >>> import skl2onnx
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.pipeline import make_pipeline
    >>> from skdistill import LinearStudent
    >>> from skdistill.export import register_skl2onnx
    >>> register_skl2onnx()
    >>> X, y = load_iris(return_X_y=True)
    >>> pipeline = make_pipeline(PCA(2), LinearStudent()).fit(X, y)
    >>> model = skl2onnx.to_onnx(pipeline, X[:1], options={"zipmap": False})
    >>> [value.name for value in model.graph.output]
    ['label', 'probabilities']
    """
    from .._checks import import_optional

    skl2onnx = import_optional("skl2onnx", "register_skl2onnx", "skdistill[export]")
    package = import_module(__name__.partition(".")[0])
    options = {"zipmap": [True, False, "columns"], "nocl": [True, False], "output_class_labels": [False, True]}
    for name, shapes, has in [
        *((name, _set_classifier_types, options) for name in _CLASSES),
        *((name, _set_regressor_types, {}) for name in _REGRESSORS),
    ]:
        skl2onnx.update_registered_converter(getattr(package, name), f"Skdistill{name}", shapes, _convert, options=has)


def _set_regressor_types(operator: Any) -> None:
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    from ._onnx_ops import output_dtype

    program = program_of(operator.raw_operator)
    kind = DoubleTensorType if output_dtype(program.ops[-1]) == np.float64 else FloatTensorType  # type: ignore[arg-type]
    operator.outputs[0].set_type(kind([operator.inputs[0].get_first_dimension(), program.n_outputs]))


def _set_classifier_types(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType

    classes = _labels(operator.scope_inst, operator)
    n_rows = operator.inputs[0].get_first_dimension()
    kind = Int64TensorType if classes.dtype.kind == "i" else StringTensorType
    operator.outputs[0].set_type(kind([n_rows]))
    operator.outputs[1].set_type(FloatTensorType([n_rows, len(classes)]))


def _labels(scope: Any, operator: Any) -> Any:
    from skl2onnx.common.utils_classifier import get_label_classes

    from ._onnx import class_labels

    # with the option nocl, the labels are the indices of the classes
    return class_labels(get_label_classes(scope, operator.raw_operator))


def _convert(scope: Any, operator: Any, container: Any) -> None:
    from ._onnx import OPSETS
    from ._onnx_graph import Flow, Graph
    from ._onnx_ops import KNOWN, print_program
    from ._onnx_rows import MISSING, InputRows

    program = program_of(operator.raw_operator)
    check_ops(program, KNOWN, "ONNX")
    names = getattr(program.ops[0], "names", None) or [f"column {index}" for index in range(program.n_columns)]
    graph = Graph(scope.get_unique_variable_name)
    flow = Flow(graph, InputRows(_pieces(operator.inputs, program, names), names, MISSING))
    outputs = [variable.full_name for variable in operator.outputs]
    classes = _labels(scope, operator) if program.n_outputs is None else None
    print_program(flow, program.ops, classes, outputs)
    container.nodes.extend(graph.nodes)
    container.initializers.extend(graph.constants)
    container.node_domain_version_pair_sets.update(OPSETS.items())


def _pieces(variables: Any, program: Program, names: Any) -> list[Any]:
    """Return skl2onnx's inputs as the columns of a row."""
    from ._onnx_graph import Piece

    named = {variable.raw_name: variable for variable in variables}
    if len(variables) == len(names) and named.keys() == set(names):
        variables = [named[name] for name in names]
    dtypes = {
        "BooleanTensorType": np.dtype(np.bool_),
        "DoubleTensorType": np.dtype(np.float64),
        "FloatTensorType": np.dtype(np.float32),
        "Int32TensorType": np.dtype(np.int32),
        "Int64TensorType": np.dtype(np.int64),
        "StringTensorType": np.dtype(object),
    }
    pieces = []
    for variable in variables:
        kind, shape = type(variable.type).__name__, variable.type.shape
        if kind not in dtypes:
            raise TypeError(f"Input {variable.raw_name!r} is a {kind}; needed is one of {', '.join(dtypes)}.")
        # skl2onnx does not always know the width of a step's output
        width = shape[1] if len(shape) > 1 and isinstance(shape[1], int) else None
        pieces.append(Piece(variable.full_name, width or program.n_columns, dtypes[kind]))
    found = sum(piece.width for piece in pieces)
    if found != program.n_columns:
        raise ValueError(f"The student gets {found} columns; it was fitted on {program.n_columns}.")
    return pieces
