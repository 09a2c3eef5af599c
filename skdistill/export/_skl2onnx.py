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
_CODES = {"Boolean": "?", "Double": "f8", "Float": "f4", "Int32": "i4", "Int64": "i8", "String": "O"}
#: The numpy dtype of each of skl2onnx's types of tensors.
_DTYPES = {f"{name}TensorType": np.dtype(code) for name, code in _CODES.items()}


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
    for name in (*_CLASSES, *_REGRESSORS):
        has = options if name in _CLASSES else {}
        own = getattr(package, name)
        skl2onnx.update_registered_converter(own, f"Skdistill{name}", _set_types, _convert, options=has)


def _set_types(operator: Any) -> None:
    from skl2onnx.common import data_types

    from ._onnx_ops import output_types

    program = program_of(operator.raw_operator)
    n_rows = operator.inputs[0].get_first_dimension()
    types = output_types(program, _labels(operator.scope_inst, operator), n_rows)
    tensors = {dtype: name for name, dtype in _DTYPES.items()}
    for output, (dtype, shape) in zip(operator.outputs, types.values(), strict=False):
        output.set_type(getattr(data_types, tensors[dtype])(shape))


def _labels(scope: Any, operator: Any) -> Any:
    from skl2onnx.common.utils_classifier import get_label_classes

    from ._onnx import class_labels

    if program_of(operator.raw_operator).n_outputs is not None:
        return None
    # with the option nocl, the labels are the indices of the classes
    return class_labels(get_label_classes(scope, operator.raw_operator))


def _convert(scope: Any, operator: Any, container: Any) -> None:
    from ._onnx import opsets_of
    from ._onnx_graph import Graph
    from ._onnx_ops import KNOWN, print_program
    from ._onnx_rows import MISSING, InputRows

    program = program_of(operator.raw_operator)
    check_ops(program, KNOWN, "ONNX")
    names = getattr(program.ops[0], "names", None) or [f"column {index}" for index in range(program.n_columns)]
    rows = InputRows(_pieces(operator.inputs, program, names), names, MISSING)
    graph = Graph(scope.get_unique_variable_name, rows)
    outputs = [variable.full_name for variable in operator.outputs]
    print_program(graph, program, _labels(scope, operator), outputs)
    container.nodes.extend(graph.nodes)
    container.initializers.extend(graph.constants)
    container.node_domain_version_pair_sets.update(opsets_of(program).items())


def _pieces(variables: Any, program: Program, names: Any) -> list[Any]:
    """Return skl2onnx's inputs as the columns of a row."""
    from ._onnx_graph import Piece

    named = {variable.raw_name: variable for variable in variables}
    if len(variables) == len(names) and named.keys() == set(names):
        variables = [named[name] for name in names]
    pieces = []
    for variable in variables:
        kind, shape = type(variable.type).__name__, variable.type.shape
        if kind not in _DTYPES:
            raise TypeError(f"Input {variable.raw_name!r} is a {kind}; expected one of {', '.join(_DTYPES)}.")
        # skl2onnx does not always know the width of a step's output
        width = shape[1] if len(shape) > 1 and isinstance(shape[1], int) else None
        pieces.append(Piece(variable.full_name, width or program.n_columns, _DTYPES[kind]))
    found = sum(piece.width for piece in pieces)
    if found != program.n_columns:
        raise ValueError(f"The student gets {found} columns; it was fitted on {program.n_columns}.")
    return pieces
