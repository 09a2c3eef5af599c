"""Quantization: weights in float16, or in int8 with rounding errors that compensate each other (GPTQ)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..program import LARGEST, LookupAffine, Program, Relu, Standardize, join, rescale, run, split
from ._calibration_rows import calibration_rows
from ._student import inner_student, new_student, with_weights

Array = NDArray[Any]

#: The largest int8 code; codes are -127 to 127, symmetric about zero.
_TOP = 127
#: The largest number of rows from which the correlations of a layer's inputs are computed.
_MOST_ROWS = 2000
#: Weights of a layer with more inputs are rounded to the nearest code: the correlations would take too long.
_MOST_INPUTS = 2048
#: The multiple of the mean squared input that is added to the diagonal of the inputs' correlation matrix.
_DAMPING = 0.01


def quantize(student: Any, dtype: str = "int8", X: Any = None) -> Any:
    """Store a fitted student's weights in fewer bits.

    With "int8", each output of a layer has its own scale. The weights are rounded input by input, and
    each rounding error is compensated by the weights of the correlated inputs that are still to be
    rounded (GPTQ: Frantar et al., 2023, https://arxiv.org/abs/2210.17323). With "float16", each weight
    is rounded to the nearest number. Every file format stores the quantized weights: with "int8", a
    file takes a little more than a quarter of the bytes, with "float16" half.

    Parameters
    ----------
    student : student, distiller or predictor
        The fitted student; it is not modified.
    dtype : {"int8", "float16"}, default="int8"
        The type of the weights. Biases stay float32.
    X : array-like, sparse matrix or frame of shape (n_rows, n_columns), default=None
        Calibration rows: unlabelled rows like those to be predicted; about 2,000 are enough. They
        give the correlations of a layer's inputs, and the change of the predictions is measured on
        them. None draws synthetic rows from the statistics that the student's encoder has of each
        column.

    Returns
    -------
    student : student or predictor
        A fitted student that predicts, saves and exports like any other; of a distiller, its
        compressed student. Its ``compression_report_`` is a dict with

        - ``nbytes`` and ``n_parameters`` of the Program, and ``nbytes_before`` and
          ``n_parameters_before``;
        - ``rows``, which is "X", or "drawn" for synthetic rows, and their number ``n_rows``;
        - ``agreement``, the fraction of rows for which the original student predicts the same class,
          or, for a regressor, the ``r2`` against the original student;
        - ``mean_change`` and ``max_change``, the mean and the largest absolute change of a
          probability, or of a regressor's prediction.

        The report of a student of sparse rows without `X` has neither ``n_rows`` nor the measures:
        rows cannot be drawn for it. Synthetic rows may lie further from the decision boundary than
        real ones, and then the measures are too optimistic.

    Raises
    ------
    NotFittedError
        If the student is not fitted.
    TypeError
        If the student has no Program.
    ValueError
        If `dtype` is neither "int8" nor "float16", or a weight is too large for float16.

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
    equalized = _equalized(program)
    encoded = calibration_rows(equalized) if rows is None else None
    if dtype == "float16":
        smaller = Program([with_weights(op, _in_float16) for op in equalized.ops])
    else:
        smaller = _in_int8(equalized, rows, encoded)
    return new_student(inner, program, smaller, dtype, rows, encoded)


def _equalized(program: Program) -> Program:
    """Rescale the inputs of each layer so that their weights are of equal magnitude.

    The weights of columns in different units differ as much as the units do. A Standardize can scale
    the columns instead.
    """
    parts = split(program)
    if parts is None:
        return program
    encoder, layers, activations = parts
    for at in reversed(range(len(activations))):
        if isinstance(activations[at], Relu):
            layers[at], layers[at + 1] = _equalize_units(layers[at], layers[at + 1])
    last, first = encoder[-1], layers[0]
    if isinstance(last, Standardize) and last.limit >= LARGEST:
        start = last.start - (len(first.offsets) if isinstance(first, LookupAffine) else 0)
        largest = np.abs(first.weight[start : start + len(last.mean)]).max(axis=1).astype(np.float64)
        scale = last.scale / np.where(largest > 0, largest, 1.0)
        encoder[-1], layers[0] = rescale(last, first, last.mean, scale)
    return join(encoder, layers, activations, program.ops[-1])


def _equalize_units(layer: Any, after: Any) -> tuple[Any, Any]:
    """Rescale hidden units so that their weights in the next layer are of equal magnitude.

    After a Relu, multiplying a unit by c and dividing its weights in the next layer by c changes
    nothing. The unit's own layer absorbs c in the scale of that output, whereas all units share the
    scales of the next layer (cross-layer equalization: Nagel et al., 2019,
    https://arxiv.org/abs/1906.04721).
    """
    columns = np.abs(after.weight.astype(np.float64))
    factor = (columns / np.maximum(columns.max(axis=0, initial=0.0), 1.0 / LARGEST)).max(axis=1)
    factor = np.where(factor > 0, factor, 1.0)
    names = [name for name in ("weight", "tables", "bias") if hasattr(layer, name)]
    larger = {name: (getattr(layer, name) * factor).astype(np.float32) for name in names}
    return replace(layer, **larger), replace(after, weight=(after.weight / factor[:, None]).astype(np.float32))


def _in_float16(weight: Array, scale: Array | None) -> tuple[Array, None]:
    largest = np.abs(weight).max(initial=0.0)
    if largest > np.finfo(np.float16).max:
        raise ValueError(
            f"dtype='float16' holds numbers up to {np.finfo(np.float16).max}, and a weight of this student is "
            f"{largest:.3g}; use 'int8', which has scales."
        )
    return weight.astype(np.float16), None


def _in_int8(program: Program, rows: Any, encoded: Array | None) -> Program:
    parts = split(program)
    if parts is None:
        return Program([with_weights(op, _round_to_nearest) for op in program.ops])
    encoder, layers, activations = parts
    Z = encoded
    if rows is not None:
        Z = encoder[0](rows)
        Z = Z[:: -(-Z.shape[0] // _MOST_ROWS)]
    if Z is not None:
        Z = run(Z, encoder[1:])
    rounded: list[Any] = []
    for at, layer in enumerate(layers):
        uncorrelated = Z is None or sparse.issparse(Z)
        rounded.append(with_weights(layer, _round_to_nearest) if uncorrelated else _round_compensated(layer, Z))
        if Z is not None:
            # the inputs of the next layer, as the rounded layers compute them
            Z = run(rounded[-1](Z), activations[at : at + 1])
    return join(encoder, rounded, activations, program.ops[-1])


def _scale(weight: Array) -> Array:
    """Return the size of one int8 step for each output, float32 of shape (n_out,)."""
    largest = np.abs(weight).max(axis=0, initial=0.0)
    return (np.where(largest > 0, largest, 1.0) / _TOP).astype(np.float32)


def _round_to_nearest(weight: Array, scale: Array | None = None) -> tuple[Array, Array]:
    scale = _scale(weight)
    return _codes(weight / scale.astype(np.float64)), scale


def _codes(steps: Array) -> Array:
    return np.clip(np.rint(steps), -_TOP, _TOP).astype(np.int8)


def _round_compensated(layer: Any, Z: Any) -> Any:
    """Round a layer to int8 so that its outputs for the rows `Z` change little."""
    parts = [layer.tables, layer.weight] if isinstance(layer, LookupAffine) else [layer.weight]
    weight = np.vstack(parts).astype(np.float64)
    if len(weight) > _MOST_INPUTS:
        return with_weights(layer, _round_to_nearest)
    scale = np.vstack([np.broadcast_to(_scale(part), part.shape) for part in parts]).astype(np.float64)
    *tables, codes = np.split(_gptq_codes(weight, scale, _inputs(layer, Z)), [len(part) for part in parts[:-1]])
    fields = {"weight": codes, "scale": _scale(layer.weight)}
    if tables:
        fields |= {"tables": tables[0], "tables_scale": _scale(layer.tables)}
    return replace(layer, **fields)


def _inputs(layer: Any, Z: Array) -> Array:
    """Return the inputs of a layer: the one-hot columns of the codes, then the numbers."""
    if not isinstance(layer, LookupAffine):
        return Z
    n_columns = len(layer.offsets)
    onehot = np.zeros((len(Z), len(layer.tables)))
    for column in (Z[:, :n_columns].astype(np.int64) + layer.offsets).T:
        onehot[np.arange(len(Z)), column] = 1.0
    return np.hstack([onehot, Z[:, n_columns:]])


def _gptq_codes(weight: Array, scale: Array, inputs: Array) -> Array:
    """Return int8 codes such that ``inputs @ (codes * scale)`` is close to ``inputs @ weight``.

    Inputs are rounded in descending order of their mean square. The rounding error of each is
    compensated by a least-squares update of the weights that are still to be rounded (Frantar et al.,
    2023).
    """
    gram = inputs.T @ inputs / len(inputs)
    power = np.diag(gram)
    gram[np.diag_indices(len(gram))] += _DAMPING * power.sum() / max(1, len(power)) + 1e-12
    order = np.argsort(-power, kind="stable")
    # row i of the Cholesky factor of the inverse gives the updates of the later weights for an error of input i
    factor = np.linalg.cholesky(np.linalg.inv(gram[np.ix_(order, order)])).T
    remaining, steps = weight[order], scale[order]
    codes = np.empty(weight.shape, dtype=np.int8)
    for at, index in enumerate(order):
        nearest = _codes(remaining[at] / steps[at])
        # no weight changes its sign, so that a student with monotonic_cst stays monotone
        codes[index] = np.where(nearest * weight[index] > 0, nearest, 0)
        error = (remaining[at] - codes[index] * steps[at]) / factor[at, at]
        remaining[at + 1 :] -= np.outer(factor[at, at + 1 :], error)
    return codes
