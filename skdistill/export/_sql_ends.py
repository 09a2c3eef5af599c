"""The printers of trees and of what turns outputs into answers, in SQL."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..program import Tree, ops
from ._sql_query import Query, total

#: The deepest tree that SQLite is given, whose parser keeps a hundred states.
_DEEPEST = 18


def minus(to: Query, value: str, center: float, tolerance: float | None) -> str:
    """Return a difference, without parentheses, that may be multiplied."""
    written = to.decimal(abs(center), tolerance)
    return to.safe(value) if float(written) == 0 else f"{value} {'-' if center > 0 else '+'} {written}"


def interpolated(to: Query, x: str, knots: Sequence[float], scores: Sequence[float]) -> str:
    """Return the cases of a piecewise-linear curve; of several equal knots, the last one counts."""
    pieces = [f"WHEN {x} < {knots[0]!r} THEN {to.decimal(scores[0])}"]
    for k in range(len(knots) - 1):
        if knots[k + 1] > knots[k]:
            slope = (scores[k + 1] - scores[k]) / (knots[k + 1] - knots[k])
            rise = f" + {to.decimal(slope)} * ({minus(to, x, knots[k], 0.0)})" if slope else ""
            pieces.append(f"WHEN {x} < {knots[k + 1]!r} THEN {to.decimal(scores[k])}{rise}")
    return f"{' '.join(pieces)} ELSE {to.decimal(scores[-1])}"


def _depth(op: Tree) -> int:
    """Return how many branches of a tree are below each other."""
    depths = np.zeros(len(op.columns) + 1, dtype=int)
    # a branch comes before those below it
    for at, below in enumerate(zip(op.left.tolist(), op.right.tolist(), strict=True)):
        for branch in below:
            if branch >= 0:
                depths[branch] = depths[at] + 1
    return int(depths.max()) + 1


def tree(to: Query, op: Tree) -> None:
    if to.dialect == "sqlite" and (depth := _depth(op)) > _DEEPEST:
        raise ValueError(
            f"The tree has {depth} branches below each other, and SQLite's parser may not read more than {_DEEPEST}: "
            f"fit it with max_depth={_DEEPEST}."
        )
    to.settle()
    logits, cuts = ops.real_weights(op.values, op.values_scale), op.cuts.tolist()
    values = [*to.codes, *to.numbers]
    n_out = logits.shape[1]

    def branch(at: int) -> str:
        if at < 0:
            return to.decimal(logits[~at, 0]) if n_out == 1 else str(~at)
        x, cut = values[op.columns[at]], cuts[at]
        left, right = branch(int(op.left[at])), branch(int(op.right[at]))
        # a comparison with what is missing is not true
        if np.isinf(cut):
            # all numbers are on one side
            known, missing = left if cut > 0 else right, left if op.missing_left[at] else right
            return known if known == missing else f"CASE WHEN {x} IS NULL THEN {missing} ELSE {known} END"
        if op.missing_left[at]:
            return f"CASE WHEN {x} > {cut!r} THEN {right} ELSE {left} END"
        return f"CASE WHEN {x} <= {cut!r} THEN {left} ELSE {right} END"

    found = branch(0 if len(op.columns) else ~0)
    if n_out == 1:
        to.codes, to.numbers = [], [to.wide(found)]
        return
    to.codes, to.numbers = [], [found]
    to.settle()
    (leaf,) = to.numbers
    to.numbers = []
    for column in logits.T.tolist():
        cases = " ".join(f"WHEN {at} THEN {to.decimal(value)}" for at, value in enumerate(column))
        to.numbers.append(to.wide(f"CASE {leaf} {cases} END"))


def _of_vector(to: Query) -> None:
    """Make numbers of the elements of a list."""
    if to.vector is not None:
        to.settle()
        to.numbers, to.vector = [f"{to.vector}[{at}]" for at in range(1, to.width + 1)], None


def softmax(to: Query, op: ops.Softmax) -> None:
    _of_vector(to)
    to.settle()
    if len(to.numbers) == 1:
        (z,) = to.numbers
        to.label = _cut(to, z, op) or f"CASE WHEN {z} > 0 THEN {to.labels[1]} ELSE {to.labels[0]} END"
        to.numbers = [f"1 / (1 + {_exp(to, z)})", f"1 / (1 + {_exp(to, f'-{z}')})"]
        return
    *logits, top = _with_label(to)
    to.numbers = [_exp(to, f"{z} - {top}") for z in logits]
    _shares(to)


def sigmoid(to: Query, op: ops.Sigmoid) -> None:
    _of_vector(to)
    to.settle()
    proba = [f"1 / (1 + {_exp(to, f'-{z}')})" for z in to.numbers]
    to.numbers = [*proba, *(f"CASE WHEN {z} > 0 THEN 1 ELSE 0 END" for z in to.numbers)]


def one_vs_rest(to: Query, op: ops.OneVsRest) -> None:
    _of_vector(to)
    to.settle()
    label = _cut(to, to.numbers[0], op)
    if op.knots is None or op.scores is None:
        shares = [f"1 / (1 + {_exp(to, f'-{z}')})" for z in to.numbers]
    else:
        curves = zip(to.numbers, op.knots.tolist(), op.scores.tolist(), strict=True)
        shares = [to.wide(f"CASE {interpolated(to, *curve)} END") for curve in curves]
    if len(shares) == 1:
        # the label needs the logit, and both probabilities the share
        to.numbers = [*shares, label or "NULL"]
        to.settle()
        share, chosen = to.numbers
        to.label = chosen if label else f"CASE WHEN {share} > 1 - {share} THEN {to.labels[1]} ELSE {to.labels[0]} END"
        to.numbers = [f"1 - {share}", share]
        return
    to.numbers = shares
    to.settle()
    to.numbers = _with_label(to)[:-1]
    _shares(to)


def _cut(to: Query, z: str, op: ops.Probabilities) -> str | None:
    """Return the label where a cut decides on it."""
    return None if op.cut is None else f"CASE WHEN {z} >= {op.cut!r} THEN {to.labels[1]} ELSE {to.labels[0]} END"


def _exp(to: Query, z: str) -> str:
    """Return a power of e; but for two databases, what is too large or too small for a double is an error."""
    return f"EXP({z if to.dialect in ('duckdb', 'sqlite') else to.within(z, 700)})"


def _with_label(to: Query) -> list[str]:
    """Return the numbers, one for each class, and the largest; its class becomes the label."""
    to.numbers = [*to.numbers, _nested(to.greatest, to.numbers)]
    to.settle()
    *values, top = to.numbers
    best = [f"WHEN {value} = {top} THEN {label}" for value, label in zip(values, to.labels, strict=True)]
    to.label = f"CASE {' '.join(best)} END"
    return to.numbers


def _shares(to: Query) -> None:
    """Divide the numbers, one for each class, by their sum; the label goes along."""
    n = len(to.numbers)
    to.numbers = [*to.numbers, to.label]
    to.settle()
    to.numbers = [*to.numbers, total([f"+ {value}" for value in to.numbers[:n]])]
    to.settle()
    *values, to.label, whole = to.numbers
    to.numbers = [f"CASE WHEN {whole} > 0 THEN {value} / {whole} ELSE {to.decimal(1 / n)} END" for value in values]


def _nested(function: str, values: Sequence[str]) -> str:
    """Return a function of many arguments; SQLite takes 127 at a time."""
    parts = [values[at : at + 100] for at in range(0, len(values), 100)]
    calls = [f"{function}({', '.join(part)})" if len(part) > 1 else part[0] for part in parts]
    return calls[0] if len(calls) == 1 else _nested(function, calls)


def unstandardize(to: Query, op: ops.Unstandardize) -> None:
    _of_vector(to)
    to.settle()
    found = []
    for at, (value, center, scale) in enumerate(zip(to.numbers, op.center.tolist(), op.scale.tolist(), strict=True)):
        answer = total([f"+ {value} * {to.decimal(scale)}", *to.term(center, tolerance=1e-9 * scale)])
        for function, bounds in ((to.greatest, op.lower), (to.least, op.upper)):
            if bounds is not None and abs(bounds[at]) < 1e300:
                answer = f"{function}({answer}, {float(bounds[at])!r})"
        found.append(answer)
    to.numbers = found


def back_transform(to: Query, op: ops.BackTransform) -> None:
    unstandardize(to, op)
    to.settle()
    powers = [None] * len(to.numbers) if op.power is None else op.power.tolist()
    to.numbers = [_transformed_back(to, op.function, x, power) for x, power in zip(to.numbers, powers, strict=True)]


def _transformed_back(to: Query, function: str, x: str, power: float | None) -> str:
    def grown(value: str, power: float) -> str:
        """Return ``(power * value + 1) ** (1 / power)``."""
        # without a logarithm of one more, smaller powers lose digits
        written = repr(power if abs(power) >= 1e-8 else 1e-8)
        return _exp(to, f"LN(({written}) * {value} + 1) / ({written})")

    if power is not None and function == "box-cox":
        return grown(x, power)
    if power is not None:
        return f"CASE WHEN {x} < 0 THEN 1 - {grown(f'-{x}', 2 - power)} ELSE {grown(x, power)} - 1 END"
    formulas = {
        "exp": _exp(to, x),
        "expm1": f"{_exp(to, x)} - 1",
        "log": f"LN({x})",
        "log1p": f"LN({x} + 1)",
        "sqrt": f"SQRT({x})",
        "square": f"CASE WHEN ABS({x}) > 1e-150 THEN {x} * {x} ELSE 0 END",
    }
    return formulas[function]
