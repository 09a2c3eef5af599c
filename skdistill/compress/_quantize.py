"""Weights of fewer bits: float16, or int8 with rounding errors that make up for each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..program import LARGEST, LookupAffine, Op, Program, Relu, Standardize, join, rescale, run, split
from ._calibration_rows import calibration_rows
from ._student import WEIGHTS, inner_student, new_student

Array = NDArray[Any]

#: The largest code: those of int8 from -127 to 127, so that they are the same on both sides of zero.
_TOP = 127
#: So many rows tell what inputs go together.
_MOST_ROWS = 2000
#: Layers with more inputs are rounded plainly: of so many, what goes together takes too long to work out.
_MOST_INPUTS = 2048
_DAMPING = 0.01


def quantize(student: Any, dtype: str = "int8", X: Any = None) -> Any:
    """Store a fitted student's weights in fewer bits.

    With "int8" each output of a layer has a scale of its own, and the weights are rounded one input
    after the other, each input's error being made up for by those that come after it and go together
    with it (Frantar and others, 2023, "GPTQ", https://arxiv.org/abs/2210.17323, for small layers). With
    "float16" they are rounded as they are. Every format stores the weights like this: a file takes
    a little more than a quarter, or half, of the bytes.

    Parameters
    ----------
    student : student, DistilledClassifier or predictor
        Fitted; it stays as it is.
    dtype : {"int8", "float16"}, default="int8"
        The type of the weights. Biases stay float32.
    X : array-like, sparse matrix or frame of shape (n_rows, n_columns), default=None
        Rows like those to be answered, labels are not needed; some 2,000 will do. They tell which
        inputs go together, and on them the cost is measured. None draws rows from what the student's
        encoder knows of each column by itself.

    Returns
    -------
    student : student or predictor
        A fitted student (that of a DistilledClassifier) that predicts, saves and exports like any
        other. Its ``compression_report_`` is a dict: ``nbytes`` and ``n_parameters`` of the Program,
        with ``nbytes_before`` and ``n_parameters_before``; and over `rows` ("X" or "drawn", `n_rows`
        of them) the ``agreement`` with the student before, the share of rows on which both name the
        same class (of a regressor the ``r2`` against it), and the ``mean_change`` and ``max_change`` of
        a probability (a number). The last four are left out where no rows can be drawn, that is for
        sparse ones. Drawn rows may be surer than real ones, and then less changes on them.

    Raises
    ------
    NotFittedError
        If the student is not fitted.
    TypeError
        If it has no Program.
    ValueError
        If `dtype` is another one, or a weight is too large for float16.

    See Also
    --------
    prune : Fewer hidden units; prune first, then quantize.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdistill import LinearStudent
    >>> from skdistill.compress import quantize
    >>> X, y = load_iris(return_X_y=True)
    >>> student = LinearStudent().fit(X, y)
    >>> small = quantize(student, X=X)
    >>> small.program_.ops[-2].weight.dtype
    dtype('int8')
    >>> small.compression_report_["agreement"]
    1.0
    """
    if dtype not in ("int8", "float16"):
        raise ValueError(f"dtype must be 'int8' or 'float16'; got {dtype!r}.")
    inner, program = inner_student(student)
    rows = None if X is None else inner._rows(X)
    drawn = calibration_rows(_evened(program)) if rows is None else None
    if dtype == "float16":
        smaller = Program([_in_float16(op) for op in _evened(program).ops])
    else:
        smaller = _in_int8(program, rows, drawn)
    return new_student(inner, program, smaller, dtype, rows, drawn)


def _evened(program: Program) -> Program:
    """Return the Program with columns scaled so that the weights of each are as large as those of the others.

    Columns in their own units have weights as different as these. Where a Standardize can scale them,
    the layer has no need to.
    """
    parts = split(program)
    if parts is None:
        return program
    encoder, layers, activations = parts
    for at in reversed(range(len(activations))):
        if isinstance(activations[at], Relu):
            layers[at], layers[at + 1] = _evened_units(layers[at], layers[at + 1])
    last, first = encoder[-1], layers[0]
    if isinstance(last, Standardize) and last.limit >= LARGEST:
        start = last.start - (len(first.offsets) if isinstance(first, LookupAffine) else 0)
        largest = np.abs(first.weight[start : start + len(last.mean)]).max(axis=1).astype(np.float64)
        scale = last.scale / np.where(largest > 0, largest, 1.0)
        encoder[-1], layers[0] = rescale(last, first, last.mean, scale)
    return join(encoder, layers, activations, program.ops[-1])


def _evened_units(layer: Any, after: Any) -> tuple[Any, Any]:
    """Have each hidden unit count as much as the others in the layer after.

    A unit that is c times as large, with weights in the layer after that are c times as small, changes
    nothing behind a Relu. In its own layer the scale of its output takes the factor; in the layer
    after, one scale goes for all units (Nagel and others, 2019, https://arxiv.org/abs/1906.04721).
    """
    columns = np.abs(after.weight.astype(np.float64))
    factor = (columns / np.maximum(columns.max(axis=0, initial=0.0), 1.0 / LARGEST)).max(axis=1)
    factor = np.where(factor > 0, factor, 1.0)
    larger = {
        name: (getattr(layer, name) * factor).astype(np.float32)
        for name in ("weight", "tables", "bias")
        if hasattr(layer, name)
    }
    return replace(layer, **larger), replace(after, weight=(after.weight / factor[:, None]).astype(np.float32))


def _in_float16(op: Op) -> Op:
    held = op.state()
    changed: dict[str, Any] = {}
    for name in WEIGHTS:
        if name in held:
            largest = np.abs(held[name]).max(initial=0.0)
            if largest > np.finfo(np.float16).max:
                raise ValueError(
                    f"dtype='float16' holds numbers up to {np.finfo(np.float16).max}, and a weight of this student is "
                    f"{largest:.3g}; use 'int8', which has scales."
                )
            changed[name] = held[name].astype(np.float16)
    return replace(op, **changed) if changed else op  # type: ignore[type-var]


def _in_int8(program: Program, rows: Any, drawn: Array | None) -> Program:
    evened = _evened(program)
    parts = split(evened)
    if parts is None:
        return Program([_rounded_plainly(op) for op in evened.ops])
    encoder, layers, activations = parts
    Z = drawn
    if rows is not None:
        Z = encoder[0](rows)
        Z = Z[:: -(-Z.shape[0] // _MOST_ROWS)]
    if Z is not None:
        Z = run(Z, encoder[1:])
    rounded: list[Any] = []
    for at, layer in enumerate(layers):
        plain = Z is None or sparse.issparse(Z)
        rounded.append(_rounded_plainly(layer) if plain else _rounded(layer, Z))
        if Z is not None:
            # what the next layer is given by those that are rounded
            Z = run(rounded[-1](Z), activations[at : at + 1])
    return join(encoder, rounded, activations, program.ops[-1])


def _scale(weight: Array) -> Array:
    """Return what a step of each output's codes is worth, float32; shape (n_out,)."""
    largest = np.abs(weight).max(axis=0, initial=0.0)
    return (np.where(largest > 0, largest, 1.0) / _TOP).astype(np.float32)


def _rounded_plainly(op: Op) -> Op:
    held = op.state()
    changed: dict[str, Any] = {}
    for name, scale_name in WEIGHTS.items():
        if name in held:
            scale = _scale(held[name])
            changed |= {name: _codes(held[name] / scale.astype(np.float64)), scale_name: scale}
    return replace(op, **changed) if changed else op  # type: ignore[type-var]


def _codes(steps: Array) -> Array:
    return np.clip(np.rint(steps), -_TOP, _TOP).astype(np.int8)


def _rounded(layer: Any, Z: Any) -> Any:
    """Round a layer such that its outputs for the rows `Z` stay what they were."""
    weight = layer.weight.astype(np.float64)
    scale = np.broadcast_to(_scale(weight).astype(np.float64), weight.shape)
    n_codes = 0
    if isinstance(layer, LookupAffine):
        tables = layer.tables.astype(np.float64)
        n_codes = len(tables)
        scale = np.vstack([np.broadcast_to(_scale(tables).astype(np.float64), tables.shape), scale])
        weight = np.vstack([tables, weight])
    if len(weight) > _MOST_INPUTS:
        return _rounded_plainly(layer)
    codes = _compensated(weight, scale, _inputs(layer, Z))
    fields = {"weight": codes[n_codes:], "scale": _scale(layer.weight)}
    if n_codes:
        fields |= {"tables": codes[:n_codes], "tables_scale": _scale(layer.tables)}
    return replace(layer, **fields)


def _inputs(layer: Any, Z: Array) -> Array:
    """Return what a layer multiplies its weights with: the numbers, and beside them one-hot columns for the codes."""
    if not isinstance(layer, LookupAffine):
        return Z
    n_columns = len(layer.offsets)
    onehot = np.zeros((len(Z), len(layer.tables)))
    for column in (Z[:, :n_columns].astype(np.int64) + layer.offsets).T:
        onehot[np.arange(len(Z)), column] = 1.0
    return np.hstack([onehot, Z[:, n_columns:]])


def _compensated(weight: Array, scale: Array, given: Array) -> Array:
    """Return int8 codes such that ``given @ (codes * scale)`` is close to ``given @ weight``.

    Inputs are rounded from the strongest to the weakest. The error of each is taken off the weights of
    those that follow, as far as they go together with it: that is least squares, solved step by step.
    """
    together = given.T @ given / len(given)
    strength = np.diag(together)
    together[np.diag_indices(len(together))] += _DAMPING * strength.mean() + 1e-12
    order = np.argsort(-strength, kind="stable")
    # row i of the inverse's Cholesky factor says what the inputs after i do for an error of i
    follow = np.linalg.cholesky(np.linalg.inv(together[np.ix_(order, order)])).T
    left, steps = weight[order], scale[order]
    codes = np.empty(weight.shape, dtype=np.int8)
    for at, index in enumerate(order):
        codes[index] = _codes(left[at] / steps[at])
        error = (left[at] - codes[index] * steps[at]) / follow[at, at]
        left[at + 1 :] -= np.outer(follow[at, at + 1 :], error)
    return codes
