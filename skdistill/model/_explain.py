"""What each column of a row adds to the answer of an additive Program; numpy is enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..program import (
    Affine,
    Columns,
    DateParts,
    Indicate,
    LookupAffine,
    Op,
    Piecewise,
    Program,
    Standardize,
    Tree,
    Unstandardize,
    real_weights,
    run,
)

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Explanation:
    """The contributions of columns to the predictions for some rows.

    ``values.sum(axis=1) + intercept`` equals the logits, or a regressor's predictions before clipping and before the
    inverse of a target transform.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns) or (n_rows, n_columns, n_outputs)
        The contribution of each column to the logit (with two classes, that of the second), or to the prediction, in
        the target's unit. The third axis is the class if there are more than two, or the output if there is more than
        one.
    intercept : float or ndarray of shape (n_outputs,)
        The constant added to the sum of the contributions.
    names : list of str
        The names of the columns; "column 0" and so on if they have none.

    Examples
    --------
    >>> from skdistill import LinearStudentRegressor
    >>> X = [[0.0, 1.0], [1.0, 1.0], [2.0, 0.0], [3.0, 2.0]]
    >>> student = LinearStudentRegressor().fit(X, [0.0, 2.0, 4.0, 6.0])
    >>> explanation = student.explain([[0.5, 1.0]])
    >>> explanation.names
    ['column 0', 'column 1']
    >>> explanation.values.shape
    (1, 2)
    >>> print((explanation.values.sum(axis=1) + explanation.intercept).round(2), student.predict([[0.5, 1.0]]).round(2))
    [1.39] [1.39]
    """

    values: Array
    intercept: Any
    names: list[str]


def encoded_sources(encoder: Sequence[Op], n_columns: int) -> list[int]:
    """Return the index of the raw column that each encoded column is made of.

    Parameters
    ----------
    encoder : sequence of Op
        The ops of a Program that read and encode rows, the entry first.
    n_columns : int
        The number of columns of a row.

    Returns
    -------
    sources : list of int
        An index for each encoded column.
    """
    entry, *steps = encoder
    sources = list(entry.sources) if isinstance(entry, Columns) else list(range(n_columns))
    for op in steps:
        sources += [sources[at] for at in op.columns] if isinstance(op, DateParts | Indicate | Piecewise) else []
    return sources


def explained(program: Program, X: Any, background: Any) -> Explanation:
    """Return what each column of rows adds; see :meth:`ProgramModel.explain`."""
    layers = (at for at, op in enumerate(program.ops) if isinstance(op, Affine | LookupAffine))
    layer_at = next(layers, len(program.ops) - 2)
    layer, end = program.ops[layer_at : layer_at + 2]
    if not isinstance(layer, Affine | LookupAffine) or not end.ENDS:
        others = "its export_text shows its rules" if isinstance(layer, Tree) else "the package shap can explain it"
        raise TypeError(
            'explain needs an additive student: student="linear" or "additive". This one is a '
            f"{'tree' if isinstance(layer, Tree) else 'net'}; {others}."
        )
    encoder = program.ops[:layer_at]
    sources = encoded_sources(encoder, program.n_columns)
    # numbers are measured from zero, as in coef_, and not from their mean, unless rows say from what
    zero = np.zeros(len(sources))
    for op in encoder if background is None else ():
        if isinstance(op, Standardize):
            zero[op.start : op.start + len(op.mean)] = op.mean / op.scale
    weight, tables = real_weights(layer.weight, layer.scale), np.empty(0)
    starts = layer.offsets.tolist() if isinstance(layer, LookupAffine) else []
    if isinstance(layer, LookupAffine):
        tables = real_weights(layer.tables, layer.tables_scale)

    def contributions(rows: Any) -> Array:
        Z = run(encoder[0](rows), encoder[1:])
        Z = Z.toarray() if hasattr(Z, "toarray") else Z
        values = np.zeros((len(Z), program.n_columns, weight.shape[1]))
        for at, source in enumerate(sources):
            if at < len(starts):
                values[:, source] += tables[starts[at] + Z[:, at].astype(np.intp)]
            else:
                values[:, source] += (Z[:, at, None] + zero[at]) * weight[at - len(starts)]
        return values

    values = contributions(X)
    intercept = layer.bias - zero[len(starts) :] @ weight
    if background is not None:
        means = contributions(background).mean(axis=0)
        values -= means
        intercept = intercept + means.sum(axis=0)
    if isinstance(end, Unstandardize):
        values, intercept = values * end.scale, intercept * end.scale + end.center
    known = encoder[0].names if isinstance(encoder[0], Columns) else None
    names = list(known or [f"column {at}" for at in range(program.n_columns)])
    if values.shape[2] == 1:
        return Explanation(values[:, :, 0], float(intercept[0]), names)
    return Explanation(values, intercept, names)
