"""The ONNX nodes of each op of a Program.

They compute in float64, as numpy does. In float32, a sum over outliers loses more than the 1e-4 by
which formats may differ. Weights are stored in the dtype that they have in the Program; a runtime
converts them once, when it loads the model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..program import Columns, Levels, Op, Tree, ops
from ._onnx_graph import Flow, Graph, Piece, tensor_type
from ._onnx_rows import InputRows

Array = NDArray[Any]

_WIDE = np.dtype(np.float64)


def print_program(flow: Flow, steps: Sequence[Op], classes: Array | None, outputs: Sequence[str]) -> None:
    """Add all ops of a Program and its outputs to a graph.

    Parameters
    ----------
    flow : Flow
        The graph and its input rows.
    steps : sequence of Op
        The ops of the Program.
    classes : ndarray of shape (n_classes,) or None
        The class labels: int64, or strings in an object array. None for a regressor.
    outputs : sequence of str
        The names of the label, the probabilities and optionally the logits, shape (n_rows, n_classes), ``(0, z)``
        for two classes; of a regressor the name of its predictions, shape (n_rows, n_outputs), of the dtype of
        :func:`output_dtype`.
    """
    graph, last = flow.graph, steps[-1]
    for op in steps[:-1]:
        _PRINTERS[type(op)](flow, op)
    x = flow.whole(_WIDE)
    if isinstance(last, ops.Unstandardize):
        scaled = graph.node("Mul", x, graph.constant(last.scale[None]))
        values = graph.node("Add", scaled, graph.constant(last.center[None]))
        graph.node("Cast", values, to=tensor_type(output_dtype(last)), output=outputs[0])
        return
    if flow.stop == 1:
        x = graph.node("Mul", x, graph.constant(np.array([[0.0, 1.0]], dtype=_WIDE)))
    best = graph.node("ArgMax", x, axis=1, keepdims=0)
    graph.node("Gather", graph.constant(classes), best, axis=0, output=outputs[0])
    proba = graph.node("Softmax", x, axis=1)
    graph.node("Cast", proba, to=tensor_type(np.float32), output=outputs[1])
    for name in outputs[2:]:
        graph.node("Identity", x, output=name)


def output_dtype(last: ops.Unstandardize) -> np.dtype[Any]:
    """Return the dtype of a regressor's predictions: float32, unless float32 cannot distinguish them."""
    spread = np.where(last.scale > 0, last.scale, np.inf)
    coarse = (np.abs(last.center) * np.finfo(np.float32).eps > 1e-5 * spread).any()
    return np.dtype(np.float64 if coarse else np.float32)


def _columns(flow: Flow, op: Columns) -> None:
    graph, rows = flow.graph, flow.rows
    plain: list[int] = []
    for source, kind, levels in op.reads:
        if levels is None:
            plain.append(source)
        elif kind == "category":
            flow.categories.append(_coder(graph, rows, source, levels))
        else:
            flow.pieces += rows.numbers(graph, plain) if plain else []
            plain = []
            rank = rows.look_up(graph, source, levels.levels, levels.other, levels.missing, np.float32)
            flow.append(rank, 1, np.float32)
    if plain or not op.sources:
        flow.pieces += rows.numbers(graph, plain)


def _coder(graph: Graph, rows: InputRows, source: int, levels: Levels) -> Callable[[int], str]:
    def code(offset: int) -> str:
        moved = {level: offset + code for level, code in levels.levels.items()}
        return rows.look_up(graph, source, moved, offset + levels.other, offset + levels.missing, np.int64)

    return code


def _bound(flow: Flow, op: ops.Bound) -> None:
    graph = flow.graph
    flow.pieces += flow.rows.numbers(graph, range(op.n_columns))
    flow.pieces = [Piece(_cut(graph, _fill(graph, flow.whole(_WIDE), np.zeros(1)), ops.LARGEST), op.n_columns, _WIDE)]


def _date_parts(flow: Flow, op: ops.DateParts) -> None:
    graph = flow.graph
    dates, columns = flow.holding(op.columns, _WIDE)
    distinct, places = np.unique(columns, return_inverse=True)
    seconds = graph.node("Gather", dates, graph.constant(distinct), axis=1)
    kinds = sorted(set(op.parts))
    missing = graph.node("IsNaN", seconds)
    known = graph.node("Where", missing, graph.constant(np.array(0.0)), seconds)
    parts = [
        graph.node("Where", missing, graph.constant(np.array(np.nan)), graph.cast(part, _WIDE))
        for part in _parts_of(graph, _cut(graph, known, 1e13), kinds)
    ]
    chosen = [kinds.index(part) * len(distinct) + place for part, place in zip(op.parts, places, strict=True)]
    width = len(kinds) * len(distinct)
    values = parts[0] if len(parts) == 1 else graph.node("Concat", *parts, axis=1)
    flow.append(_gather(graph, values, np.array(chosen), width), len(chosen), _WIDE)


def _parts_of(graph: Graph, seconds: str, kinds: Sequence[str]) -> list[str]:
    """Return parts of dates, int64, each of the shape of `seconds`, none of which is missing or beyond 1e13."""

    def whole(op: str, value: str, number: int) -> str:
        return graph.node(op, value, graph.constant(np.array(number, dtype=np.int64)))

    # seconds since a first of March, a multiple of 400 years ago, so early that no number is negative
    start = (719468 + 1000 * 146097) * 86400
    since = whole("Add", graph.cast(graph.node("Floor", seconds), np.int64), start)
    days = whole("Div", since, 86400)
    found: dict[str, str] = {}
    if "hour" in kinds:
        found["hour"] = whole("Div", whole("Mod", since, 86400), 3600)
    if "weekday" in kinds:
        # 400 years are a whole number of weeks, and that day was a Wednesday
        found["weekday"] = whole("Mod", whole("Add", days, 2), 7)
    if "month" in kinds or "day" in kinds:
        # Neri and Schneider (2023), "Euclidean affine functions and their application to calendar algorithms"
        of_century = whole("Mod", whole("Add", whole("Mul", days, 4), 3), 146097)
        of_four_years = whole("Add", whole("Mul", whole("Div", of_century, 4), 4), 3)
        of_year = whole("Div", whole("Mod", of_four_years, 1461), 4)
        # the days of a year that begins on the first of March and ends with a leap day
        year = np.arange("2000-03-01", "2001-03-01", dtype="datetime64[D]")
        year = np.append(year, np.datetime64("2004-02-29"))
        months = year.astype("datetime64[M]")
        tables = {"month": months.astype(np.int64) % 12 + 1, "day": (year - months).astype(np.int64) + 1}
        for kind in sorted({"month", "day"} & set(kinds)):
            found[kind] = graph.node("Gather", graph.constant(tables[kind].astype(np.int8)), of_year, axis=0)
    return [found[kind] for kind in kinds]


def _indicate(flow: Flow, op: ops.Indicate) -> None:
    graph = flow.graph
    values, columns = flow.holding(op.columns.tolist(), _WIDE)
    width = flow.pieces[-1].width if len(flow.pieces) == 1 else None
    missing = _gather(graph, graph.node("IsNaN", values), columns, width)
    flow.append(graph.cast(missing, np.float32), len(columns), np.float32)


def _standardize(flow: Flow, op: ops.Standardize) -> None:
    graph = flow.graph
    at = flow.take(op.start, op.start + len(op.mean), _WIDE)
    Z = _fill(graph, flow.pieces[at].value, op.fill)
    if op.mean.any():
        Z = graph.node("Sub", Z, graph.constant(op.mean[None]))
    if (op.scale != 1.0).any():
        Z = graph.node("Mul", Z, graph.constant(1.0 / op.scale[None]))
    if op.limit >= ops.LARGEST:
        Z = _cut(graph, Z, ops.LARGEST)
    else:
        near = _cut(graph, Z, op.limit)
        # the signed distance beyond the limit
        far = _cut(graph, graph.node("Sub", Z, near), ops.LARGEST)
        grown = graph.node("Log", graph.node("Add", graph.node("Abs", far), graph.constant(np.array(1.0))))
        Z = graph.node("Add", near, graph.node("Mul", graph.node("Sign", far), grown))
    flow.pieces[at] = Piece(Z, len(op.mean), _WIDE)


def _quantiles(flow: Flow, op: ops.Quantiles) -> None:
    graph = flow.graph
    n_columns, n_knots = op.knots.shape
    at = flow.take(op.start, op.start + n_columns, _WIDE)
    x = _cut(graph, _fill(graph, flow.pieces[at].value, op.fill), ops.LARGEST)
    # Between two knots, the score is the first knot's score plus a slope times the distance to that knot. Of
    # several equal knots, the last one counts.
    widths = np.diff(op.knots, axis=1)
    slopes = np.divide(np.diff(op.scores), widths, out=np.zeros_like(widths), where=widths > 0)
    slopes = np.hstack([slopes, np.zeros((n_columns, 1))])
    knots = graph.constant(op.knots.ravel())
    axis = graph.constant(np.array([2], dtype=np.int64))
    by_column = graph.node("Reshape", knots, graph.constant(np.array([1, n_columns, n_knots], dtype=np.int64)))
    passed = graph.node("GreaterOrEqual", graph.node("Unsqueeze", x, axis), by_column)
    n_passed = graph.node("ReduceSum", graph.cast(passed, np.int32), axis, keepdims=0)
    score = graph.node("Gather", graph.constant(np.append(op.scores[0], op.scores)), n_passed, axis=0)
    # below its first knot, a column refers to the last knot of the previous column, whose slope is zero too
    last = graph.node("Add", n_passed, graph.constant(np.arange(n_columns, dtype=np.int32)[None] * n_knots - 1))
    start = graph.node("Gather", knots, last, axis=0)
    slope = graph.node("Gather", graph.constant(slopes.ravel()), last, axis=0)
    rise = graph.node("Mul", graph.node("Sub", x, start), slope)
    flow.pieces[at] = Piece(graph.node("Add", score, rise), n_columns, _WIDE)


def _piecewise(flow: Flow, op: ops.Piecewise) -> None:
    graph = flow.graph
    values, columns = flow.holding(op.columns.tolist(), _WIDE)
    bins = graph.node("Gather", values, graph.constant(columns), axis=1)
    bins = graph.node("Sub", bins, graph.constant(op.lower[None]))
    bins = graph.node("Mul", bins, graph.constant(1.0 / op.width[None]))
    zero, one = (graph.constant(np.array(end)) for end in (0.0, 1.0))
    flow.append(graph.node("Clip", bins, zero, one), len(columns), _WIDE)


def _affine(flow: Flow, op: ops.Affine) -> None:
    _set(flow, _product(flow, op.weight, op.scale, op.bias), len(op.bias))


def _lookup_affine(flow: Flow, op: ops.LookupAffine) -> None:
    graph = flow.graph
    found = _looked_up(graph, op.tables, op.tables_scale, _codes(flow, op.offsets))
    total = graph.node("ReduceSum", found, graph.constant(np.array([1], dtype=np.int64)), keepdims=0)
    numbers = _product(flow, op.weight, op.scale, op.bias) if len(op.weight) else _widened(graph, op.bias)
    _set(flow, graph.node("Add", numbers, total), len(op.bias))


def _tree(flow: Flow, op: Tree) -> None:
    graph = flow.graph
    parts = []
    if len(op.offsets):
        parts.append(graph.node("Gather", graph.constant(op.ranks), _codes(flow, op.offsets), axis=0))
    if flow.pieces:
        parts.append(flow.whole(np.float32))
    rows = parts[0] if len(parts) == 1 else graph.node("Concat", *parts, axis=1)
    n_inner, n_leaves = len(op.columns), len(op.values)
    if n_inner == 0:
        leaf = _zeros(graph, rows)
    else:
        leaves, filler = list(range(n_leaves)), [0] * n_leaves

        def child(index: Array) -> list[int]:
            return [*np.where(index >= 0, index, n_inner + ~index).tolist(), *filler]

        leaf = graph.node(
            "TreeEnsembleRegressor",
            rows,
            domain="ai.onnx.ml",
            n_targets=1,
            nodes_treeids=[0] * (n_inner + n_leaves),
            nodes_nodeids=list(range(n_inner + n_leaves)),
            nodes_featureids=[*op.columns.tolist(), *filler],
            nodes_modes=["BRANCH_LEQ"] * n_inner + ["LEAF"] * n_leaves,
            nodes_values=[*op.thresholds.tolist(), *map(float, filler)],
            nodes_truenodeids=child(op.left),
            nodes_falsenodeids=child(op.right),
            nodes_missing_value_tracks_true=[*op.missing_left.astype(int).tolist(), *filler],
            target_treeids=filler,
            target_nodeids=[n_inner + at for at in leaves],
            target_ids=filler,
            target_weights=list(map(float, leaves)),
        )
    # the ensemble returns the index of the leaf; its logits are looked up in a table of their own dtype
    axis = graph.constant(np.array([1], dtype=np.int64))
    index = graph.node("Squeeze", graph.cast(leaf, np.int64), axis)
    _set(flow, _looked_up(graph, op.values, op.values_scale, index), op.values.shape[1])


def _activation(flow: Flow, op: ops.Relu | ops.Tanh) -> None:
    """Add an activation that ONNX has under the same name."""
    _set(flow, flow.graph.node(type(op).__name__, flow.whole(_WIDE)), flow.stop)


def _silu(flow: Flow, op: ops.Silu) -> None:
    graph, x = flow.graph, flow.whole(_WIDE)
    # not with Sigmoid: onnxruntime 1.20 would fuse it into a QuickGelu, which it lacks for float64
    gate = graph.node("Add", graph.node("Exp", graph.node("Neg", x)), graph.constant(np.array(1.0)))
    _set(flow, graph.node("Div", x, gate), flow.stop)


def _set(flow: Flow, value: str, width: int) -> None:
    flow.categories, flow.pieces = [], [Piece(value, width, _WIDE)]


def _codes(flow: Flow, offsets: Array) -> str:
    """Return the table row of each category, int64 of shape (n_rows, n_categories)."""
    found = [code(int(offset)) for code, offset in zip(flow.categories, offsets, strict=True)]
    return found[0] if len(found) == 1 else flow.graph.node("Concat", *found, axis=1)


def _looked_up(graph: Graph, table: Array, scale: Array | None, index: str) -> str:
    """Return rows of a table as float64; only these rows are converted, not the whole table."""
    rows = graph.node("Gather", graph.constant(table), index, axis=0)
    if scale is not None:
        # one scale for each column
        rows = graph.node("DequantizeLinear", rows, graph.constant(scale), axis=-1)
    return graph.cast(rows, _WIDE)


def _product(flow: Flow, weight: Array, scale: Array | None, bias: Array) -> str:
    graph = flow.graph
    x, b = flow.whole(_WIDE), _widened(graph, bias)
    if len(weight) == 0:
        return graph.node("Add", _zeros(graph, x), b)
    W = _widened(graph, weight)
    if scale is None:
        return graph.node("Gemm", x, W, b)
    # Not DequantizeLinear: onnxruntime runs it in each call, or also rounds the activations to int8. Scaling
    # after the product is exact, and the cast of the weights runs once, when the model is loaded.
    product = graph.node("Mul", graph.node("MatMul", x, W), _widened(graph, scale))
    return graph.node("Add", product, b)


def _zeros(graph: Graph, rows: str) -> str:
    """Return zeros of shape (n_rows, 1): the sum over no columns."""
    none = graph.node("Gather", rows, graph.constant(np.empty(0, dtype=np.int64)), axis=1)
    return graph.node("ReduceSum", none, graph.constant(np.array([1], dtype=np.int64)), keepdims=1)


def _widened(graph: Graph, weights: Array) -> str:
    """Return weights as float64; they are stored in their own dtype."""
    return graph.cast(graph.constant(weights), _WIDE)


def _fill(graph: Graph, value: str, fill: Array) -> str:
    return graph.node("Where", graph.node("IsNaN", value), graph.constant(fill[None]), value)


def _cut(graph: Graph, value: str, limit: float) -> str:
    return graph.node("Clip", value, graph.constant(np.array(-limit)), graph.constant(np.array(limit)))


def _gather(graph: Graph, value: str, columns: Array, width: int | None) -> str:
    """Return columns of a value; `width` is its number of columns, or None if unknown."""
    if width is not None and columns.tolist() == list(range(width)):
        return value
    return graph.node("Gather", value, graph.constant(columns.astype(np.int64)), axis=1)


_PRINTERS: dict[type[Op], Any] = {
    ops.Affine: _affine,
    ops.Bound: _bound,
    Columns: _columns,
    ops.DateParts: _date_parts,
    ops.Indicate: _indicate,
    ops.LookupAffine: _lookup_affine,
    ops.Piecewise: _piecewise,
    ops.Quantiles: _quantiles,
    ops.Relu: _activation,
    ops.Silu: _silu,
    ops.Standardize: _standardize,
    ops.Tanh: _activation,
    Tree: _tree,
}
#: The ops that have a printer here.
KNOWN: frozenset[type[Op]] = frozenset({ops.Softmax, ops.Unstandardize, *_PRINTERS})
