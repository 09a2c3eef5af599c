"""The ONNX nodes of each op of a Program.

Rows are encoded in float64, as numpy does. Layers are computed in float32, as in C, if all their inputs
are bounded: otherwise a sum over outliers loses more than the 1e-4 by which formats may differ. Weights are
stored in the dtype that they have in the Program; a runtime converts them once, when it loads the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..program import Columns, Levels, Op, Program, Tree, Word, ops
from ._onnx_graph import NARROW, WIDE, Graph, Piece
from ._onnx_rows import needs_float64

Array = NDArray[Any]


#: The length in seconds of the cycles whose sines and cosines are parts of dates.
_CYCLES = {"yearly": 31556952.0, "weekly": 604800.0, "daily": 86400.0}
#: Layers are computed in float32 if all inputs of the first are below this bound.
_SMALL = 1e4
#: Numbers are standardised in float32 if no mean is larger than this, in standard deviations.
_NEAR_MEAN = 16.0
#: Bins of up to this many columns are computed by a matrix product, whose time grows with them, and none of which is
#: narrower than the reciprocal of the second number: a product rounds before it subtracts.
_FEW_COLUMNS, _NARROW_BINS = 64, 1e6


def print_program(graph: Graph, program: Program, classes: Array | None, outputs: Sequence[str]) -> None:
    """Add all ops of a Program and its outputs to a graph.

    Parameters
    ----------
    graph : Graph
        The graph, which knows the input rows.
    program : Program
        The Program.
    classes : ndarray of shape (n_classes,) or None
        The class labels: int64, or strings in an object array. None for a regressor.
    outputs : sequence of str
        The names of the label, the probabilities and optionally the logits, shape (n_rows, n_classes), ``(0, z)``
        for two classes; of a regressor the name of its predictions, shape (n_rows, n_outputs), of the dtype of
        :func:`output_types`.
    """
    *steps, last = program.ops
    graph.exact = needs_float64(program)
    narrow = not last.magnifies and (not isinstance(last, ops.Unstandardize) or _output_dtype(last) == NARROW)
    for op in steps:
        if isinstance(op, ops.Affine | ops.LookupAffine):
            if narrow and all(piece.bound <= _SMALL for piece in graph.pieces):
                graph.real = NARROW
            # all further layers are in the dtype of the first
            narrow = False
        _PRINTERS[type(op)](graph, op)
    found = graph.whole()
    x = found.value
    if isinstance(last, ops.Unstandardize):
        x = x if graph.real == WIDE else graph.cast(x, WIDE)
        # not Add: onnxruntime removes the Add of a single number that is zero in float32
        values = graph.node("Sum", graph.node("Mul", x, last.scale[None]), last.center[None])
        for kind, bound in (("Max", last.lower), ("Min", last.upper)):
            values = values if bound is None else graph.node(kind, values, bound[None])
        if isinstance(last, ops.BackTransform):
            values = _transformed_back(graph, last, values)
        graph.cast(values, _output_dtype(last), output=outputs[0])
        return
    if isinstance(last, ops.Sigmoid):
        graph.cast(graph.node("Greater", x, np.zeros((), dtype=graph.real)), np.int64, output=outputs[0])
        graph.cast(graph.node("Sigmoid", x), NARROW, output=outputs[1])
        for name in outputs[2:]:
            graph.cast(x, WIDE, output=name)
        return
    # a product of matrices takes a tenth of the time of Mul, which repeats a column cell by cell
    logits = graph.node("MatMul", x, np.array([[0.0, 1.0]], dtype=graph.real)) if found.width == 1 else x
    if isinstance(last, ops.OneVsRest):
        proba = best = _one_vs_rest(graph, last, x)
    else:
        proba, best = graph.node("Softmax", logits, axis=1), logits
    cut = getattr(last, "cut", None)
    # labels 0, 1, ... are the indices themselves
    indices = classes is not None and np.array_equal(classes, np.arange(len(classes)))
    label = outputs[0] if indices else None
    if cut is None:
        index = graph.node("ArgMax", best, axis=1, keepdims=0, output=label)
    else:
        reached = graph.node("GreaterOrEqual", x if graph.real == WIDE else graph.cast(x, WIDE), cut)
        index = graph.node("Squeeze", graph.cast(reached, np.int64), graph.constant([1]), output=label)
    if not indices:
        graph.node("Gather", classes, index, axis=0, output=outputs[0])
    graph.cast(proba, NARROW, output=outputs[1])
    for name in outputs[2:]:
        graph.cast(logits, WIDE, output=name)


def _one_vs_rest(graph: Graph, op: ops.OneVsRest, x: str) -> str:
    """Return the probabilities of logits, float64 of shape (n_rows, n_classes)."""
    x = x if graph.real == WIDE else graph.cast(x, WIDE)
    if op.knots is None or op.scores is None:
        powers = graph.node("Exp", graph.node("Neg", graph.node("Max", x, np.array([[-700.0]]))))
        found = graph.node("Div", 1.0, graph.node("Add", powers, 1.0))
    else:
        found = _interpolated(graph, x, op.knots, op.scores)
        if len(op.knots) == 1:
            return graph.concat([graph.node("Sub", 1.0, found), found])
    total = graph.node("ReduceSum", found, [1], keepdims=1)
    # where all are zero, each class gets the same
    none = graph.node("Equal", total, 0.0)
    share = graph.node("Div", found, graph.node("Where", none, 1.0, total))
    return graph.node("Where", none, 1.0 / len(op.knots), share) if op.knots is not None else share


def _transformed_back(graph: Graph, op: ops.BackTransform, x: str) -> str:
    def add(value: str, number: float) -> str:
        # not Add: onnxruntime removes the Add of a single number that is zero in float32
        return graph.node("Sum", value, np.full((1, len(op.center)), number))

    def grown(value: str, power: Any) -> str:
        """Return ``(power * value + 1) ** (1 / power)``."""
        inner = graph.node("Log", add(graph.node("Mul", value, power), 1.0))
        return graph.node("Exp", graph.node("Div", inner, power))

    if op.power is not None:
        # without a logarithm of one more, smaller powers lose digits
        power, other = (np.where(np.abs(one) < 1e-8, 1e-8, one)[None] for one in (op.power, 2.0 - op.power))
        if op.function == "box-cox":
            return grown(x, power)
        chosen = graph.node("Where", graph.node("Less", x, 0.0), other, power)
        return graph.node("Mul", graph.node("Sign", x), add(grown(graph.node("Abs", x), chosen), -1.0))
    if op.function == "square":
        return graph.node("Mul", x, x)
    shifted = add(x, 1.0) if op.function == "log1p" else x
    value = graph.node({"exp": "Exp", "expm1": "Exp", "sqrt": "Sqrt"}.get(op.function, "Log"), shifted)
    return add(value, -1.0) if op.function == "expm1" else value


def output_types(program: Program, classes: Array | None, n_rows: Any) -> dict[str, tuple[np.dtype[Any], list[Any]]]:
    """Return the dtype and the shape of each output by its name; `classes` are as for :func:`print_program`."""
    if classes is None:
        # skl2onnx gives the output of a regressor the same name
        return {"variable": (_output_dtype(program.ops[-1]), [n_rows, program.n_outputs])}
    by_class = [n_rows, len(classes)]
    outputs = {"label": (classes.dtype, [n_rows]), "probabilities": (np.dtype(np.float32), by_class)}
    if isinstance(program.ops[-1], ops.Sigmoid):
        outputs["label"] = (np.dtype(np.int64), by_class)
    return {**outputs, "logits": (WIDE, by_class)}


def _output_dtype(last: Any) -> np.dtype[Any]:
    """Return the dtype of a regressor's predictions: float32, unless float32 cannot hold or distinguish them."""
    spread = np.where(last.scale > 0, last.scale, np.inf)
    coarse = np.abs(last.center) * np.finfo(np.float32).eps > 1e-5 * spread
    beyond = (np.abs(last.center) + last.scale > ops.LARGEST) | (spread < 1.0 / ops.LARGEST)
    return np.dtype(np.float64 if (coarse | beyond).any() else np.float32)


def _columns(graph: Graph, op: Columns) -> None:
    for (kind, source), group in groupby(op.reads, key=lambda one: (one[1], one[0] if one[1] == "word" else -1)):
        reads = list(group)
        if kind == "category":
            graph.categories += [(at, levels) for at, _, levels in reads if isinstance(levels, Levels)]
        elif kind == "word":
            graph.pieces.append(
                graph.rows.has_words(graph, source, [word for *_, word in reads if isinstance(word, Word)])
            )
        elif kind == "rank":
            for at, _, levels in reads:
                assert isinstance(levels, Levels)
                graph.pieces.append(Piece(graph.rows.look_up(graph, at, levels, NARROW), 1, NARROW))
        else:
            graph.pieces += graph.rows.numbers(graph, [at for at, *_ in reads])
    if not op.sources:
        graph.pieces += graph.rows.numbers(graph, [])


def _bound(graph: Graph, op: ops.Bound) -> None:
    graph.pieces += graph.rows.numbers(graph, range(op.n_columns))
    _set(graph, _cut(graph, _fill(graph, graph.whole().value, np.zeros(1)), ops.LARGEST), op.n_columns)


def _date_parts(graph: Graph, op: ops.DateParts) -> None:
    dates, columns = graph.holding(op.columns)
    distinct, places = np.unique(columns, return_inverse=True)
    seconds = graph.node("Gather", dates.value, distinct, axis=1)
    if dates.dtype != WIDE:
        seconds = graph.cast(seconds, WIDE)
    kinds = sorted(set(op.parts))
    missing = graph.node("IsNaN", seconds)
    known = graph.node("Where", missing, 0.0, seconds)
    parts = [
        graph.node("Where", missing, graph.constant(np.nan), graph.cast(part, WIDE))
        for part in _parts_of(graph, _cut(graph, known, 1e13), kinds)
    ]
    chosen = [kinds.index(part) * len(distinct) + place for part, place in zip(op.parts, places, strict=True)]
    values = graph.gather(graph.concat(parts), chosen, len(kinds) * len(distinct))
    graph.pieces.append(Piece(values, len(chosen)))


def _parts_of(graph: Graph, seconds: str, kinds: Sequence[str]) -> list[str]:
    """Return parts of dates, each of the shape of `seconds`, none of which is missing or beyond 1e13."""
    # seconds since a first of March, a multiple of 400 years ago, so early that no number is negative
    start = (719468 + 1000 * 146097) * 86400
    whole = graph.node("Floor", seconds)
    since = graph.node("Add", graph.cast(whole, np.int64), start)
    days = graph.node("Div", since, 86400)
    of_day = graph.node("Mod", since, 86400)
    found: dict[str, str] = {}
    if "hour" in kinds:
        found["hour"] = graph.node("Div", of_day, 3600)
    if "time of day" in kinds:
        rest = graph.node("Sub", seconds, whole)
        found["time of day"] = graph.node("Div", graph.node("Add", graph.cast(of_day, WIDE), rest), 3600.0)
    if "weekday" in kinds:
        # 400 years are a whole number of weeks, and that day was a Wednesday
        found["weekday"] = graph.node("Mod", graph.node("Add", days, 2), 7)
    if not {"month", "day", "day of year"}.isdisjoint(kinds):
        # Neri and Schneider (2023), "Euclidean affine functions and their application to calendar algorithms"
        of_century = graph.node("Mod", graph.node("Add", graph.node("Mul", days, 4), 3), 146097)
        of_four_years = graph.node("Add", graph.node("Mul", graph.node("Div", of_century, 4), 4), 3)
        of_year = graph.node("Div", graph.node("Mod", of_four_years, 1461), 4)
        # the days of a year that begins on the first of March and ends with a leap day
        year = np.arange("2000-03-01", "2001-03-01", dtype="datetime64[D]")
        year = np.append(year, np.datetime64("2004-02-29"))
        for kind in ("month", "day", "day of year"):
            if kind in kinds:
                table = ops.date_part(year.astype("datetime64[s]").astype(np.float64), kind)
                found[kind] = graph.node(
                    "Gather", table.astype(np.int8 if kind != "day of year" else np.int16), of_year, axis=0
                )
    for cycle, period in _CYCLES.items():
        # onnxruntime has no cosine of float64
        for kind, phase in ((f"{cycle} sine", 0.0), (f"{cycle} cosine", np.pi / 2.0)):
            if kind in kinds:
                turns = graph.node("Floor", graph.node("Div", seconds, period))
                come = graph.node("Sub", seconds, graph.node("Mul", turns, period))
                angle = graph.node("Mul", come, 2.0 * np.pi / period)
                sine = graph.node("Sin", graph.node("Add", angle, phase))
                found[kind] = graph.node("Div", graph.node("Round", graph.node("Mul", sine, 1e6)), 1e6)
    return [found[kind] for kind in kinds]


def _clip(graph: Graph, op: ops.Clip) -> None:
    x = graph.whole(WIDE)
    columns = op.columns - len(graph.categories)
    lower, upper = np.full((1, x.width), -np.inf), np.full((1, x.width), np.inf)
    lower[0, columns], upper[0, columns] = op.lower, op.upper
    # comparisons keep missing values
    value = graph.node("Where", graph.node("Less", x.value, lower), lower, x.value)
    value = graph.node("Where", graph.node("Greater", value, upper), upper, value)
    graph.pieces = [Piece(value, x.width)]


def _indicate(graph: Graph, op: ops.Indicate) -> None:
    held, columns = graph.holding(op.columns.tolist())
    width = held.width if len(graph.pieces) == 1 else None
    missing = graph.gather(graph.node("IsNaN", held.value), columns, width)
    graph.pieces.append(Piece(graph.cast(missing, NARROW), len(columns), NARROW, 1.0))


def _standardize(graph: Graph, op: ops.Standardize) -> None:
    n_columns, limit = len(op.mean), op.limit
    # if rounding the inputs to float32 does no harm, nor does rounding deviations from a mean that is near
    rounded = not graph.exact and limit <= _SMALL and {piece.dtype for piece in graph.pieces} == {NARROW}
    is_near = (np.abs(op.mean) <= _NEAR_MEAN * op.scale) & (op.scale < ops.LARGEST) & (op.scale > 1.0 / ops.LARGEST)
    first = NARROW if rounded and is_near.all() else WIDE
    at = graph.take(op.start, n_columns, first)
    Z = graph.pieces[at].value
    if op.mean.any():
        Z = graph.node("Sub", Z, op.mean[None].astype(first))
    if (op.scale != 1.0).any():
        Z = graph.node("Mul", Z, (1.0 / op.scale[None]).astype(first))
    dtype = NARROW if rounded else WIDE
    if dtype != first:
        Z = graph.cast(Z, dtype)
    fill = ((op.fill - op.mean) / op.scale).astype(dtype)
    if limit >= ops.LARGEST:
        graph.pieces[at] = Piece(_cut(graph, _fill(graph, Z, fill), limit, dtype), n_columns, dtype, limit)
        return
    # as in numpy, the logarithm is worked out for those rows alone in which a number is missing or far
    near = graph.node("LessOrEqual", graph.node("Abs", Z), np.array(limit, dtype=dtype))
    n_near = graph.node("ReduceSum", graph.cast(near, NARROW), [1], keepdims=0)
    rows = graph.node("NonZero", graph.node("Less", n_near, np.float32(n_columns)))
    rows = graph.node("Transpose", rows, perm=[1, 0])
    squashed = _squashed(graph, _fill(graph, graph.node("GatherND", Z, rows), fill), limit, dtype)
    bound = limit + float(np.log1p(ops.LARGEST))
    graph.pieces[at] = Piece(graph.node("ScatterND", Z, rows, squashed), n_columns, dtype, bound)


def _squashed(graph: Graph, Z: str, limit: float, dtype: DTypeLike) -> str:
    """Return standardised numbers, none of which is missing, as :meth:`Standardize.squashed` does."""
    # one beyond the limit, where a number is as far as that; its logarithm, added to the limit, keeps the sign
    near, far = _cut(graph, Z, limit, dtype), _clipped(graph, graph.node("Abs", Z), limit, ops.LARGEST, dtype)
    grown = graph.node("Log", graph.node("Sub", far, np.array(limit - 1.0, dtype=dtype)))
    return graph.node("Add", near, graph.node("Mul", near, graph.node("Mul", grown, np.array(1.0 / limit, dtype))))


def _quantiles(graph: Graph, op: ops.Quantiles) -> None:
    at = graph.take(op.start, len(op.fill))
    # finite, and yet beyond all knots where a number is
    x = _cut(graph, _fill(graph, graph.pieces[at].value, op.fill), float(np.finfo(WIDE).max))
    value = _interpolated(graph, x, op.knots, op.scores)
    graph.pieces[at] = Piece(value, len(op.fill), bound=float(np.abs(op.scores).max()))


def _interpolated(graph: Graph, x: str, knots: Array, scores: Array) -> str:
    """Return each column of `x` on the piecewise-linear curve from its row of knots to its row of scores, or to all."""
    n_columns, n_knots = knots.shape
    # Between two knots, the score is the first knot's score plus a slope times the distance to that knot. Of
    # several equal knots, the last one counts.
    widths = np.diff(knots, axis=1)
    slopes = np.divide(np.diff(scores), widths, out=np.zeros_like(widths), where=widths > 0)
    slopes = np.hstack([slopes, np.zeros((n_columns, 1))])
    firsts, axis = graph.constant(knots.ravel()), graph.constant([2])
    by_column = graph.node("Reshape", firsts, [1, n_columns, n_knots])
    passed = graph.node("GreaterOrEqual", graph.node("Unsqueeze", x, axis), by_column)
    n_passed = graph.cast(graph.node("ReduceSum", graph.cast(passed, NARROW), axis, keepdims=0), np.int32)
    # a score for before the first knot, and one for each knot
    reached, at = np.concatenate([scores[..., :1], scores], axis=-1), n_passed
    if scores.ndim == 2:
        at = graph.node("Add", n_passed, np.arange(n_columns, dtype=np.int32)[None] * (n_knots + 1))
    score = graph.node("Gather", reached.ravel(), at, axis=0)
    # below its first knot, a column refers to the last knot of the previous column, whose slope is zero too
    last = graph.node("Add", n_passed, np.arange(n_columns, dtype=np.int32)[None] * n_knots - 1)
    start = graph.node("Gather", firsts, last, axis=0)
    slope = graph.node("Gather", slopes.ravel(), last, axis=0)
    rise = graph.node("Mul", graph.node("Sub", x, start), slope)
    return graph.node("Add", score, rise)


def _piecewise(graph: Graph, op: ops.Piecewise) -> None:
    held, columns = graph.holding(op.columns.tolist())
    per_width, n_bins = 1.0 / op.width, len(columns)
    if held.bound <= _SMALL and held.width <= _FEW_COLUMNS and per_width.max() <= _NARROW_BINS:
        # no cell is missing: zero times it would be missing too
        weight = np.zeros((held.width, n_bins))
        weight[columns, np.arange(n_bins)] = per_width
        bins = graph.node("Gemm", held.value, weight.astype(held.dtype), (-op.lower * per_width).astype(held.dtype))
    else:
        bins = graph.node("Gather", held.value, columns, axis=1)
        if held.dtype != WIDE:
            bins = graph.cast(bins, WIDE)
        held = Piece(bins, n_bins)
        bins = graph.node("Mul", graph.node("Sub", bins, op.lower[None]), per_width[None])
    bound = 1.0 if held.bound < np.inf else np.inf
    graph.pieces.append(Piece(_clipped(graph, bins, 0.0, 1.0, held.dtype), n_bins, held.dtype, bound))


def _affine(graph: Graph, op: ops.Affine) -> None:
    _set(graph, _product(graph, op), len(op.bias))


def _lookup_affine(graph: Graph, op: ops.LookupAffine) -> None:
    found = _looked_up(graph, op.tables, op.tables_scale, _codes(graph, op.offsets))
    total = graph.node("ReduceSum", found, [1], keepdims=0)
    numbers = _product(graph, op) if len(op.weight) else _real(graph, op.bias)
    _set(graph, graph.node("Add", numbers, total), len(op.bias))


def _tree(graph: Graph, op: Tree) -> None:
    parts = []
    if len(op.offsets):
        parts.append(graph.node("Gather", graph.constant(op.ranks), _codes(graph, op.offsets), axis=0))
    if graph.pieces:
        parts.append(graph.whole(np.float32).value)
    rows = graph.concat(parts)
    n_inner, n_leaves = len(op.columns), len(op.values)
    if n_inner == 0:
        leaf = _zeros(graph, rows)
    else:
        leaves, filler = list(range(n_leaves)), [0] * n_leaves
        left, right = ([*np.where(to >= 0, to, n_inner + ~to).tolist(), *filler] for to in (op.left, op.right))
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
            nodes_truenodeids=left,
            nodes_falsenodeids=right,
            nodes_missing_value_tracks_true=[*op.missing_left.astype(int).tolist(), *filler],
            target_treeids=filler,
            target_nodeids=[n_inner + at for at in leaves],
            target_ids=filler,
            target_weights=list(map(float, leaves)),
        )
    # the ensemble returns the index of the leaf; its logits are looked up in a table of their own dtype
    axis = graph.constant([1])
    index = graph.node("Squeeze", graph.cast(leaf, np.int64), axis)
    _set(graph, _looked_up(graph, op.values, op.values_scale, index), op.values.shape[1])


def _activation(graph: Graph, op: ops.Relu | ops.Tanh) -> None:
    """Add an activation that ONNX has under the same name."""
    x = graph.whole()
    _set(graph, graph.node(type(op).__name__, x.value), x.width)


def _silu(graph: Graph, op: ops.Silu) -> None:
    x = graph.whole()
    # not with Sigmoid: onnxruntime 1.20 would fuse it into a QuickGelu, which it lacks for float64
    gate = graph.node("Add", graph.node("Exp", graph.node("Neg", x.value)), np.array(1.0, dtype=graph.real))
    _set(graph, graph.node("Div", x.value, gate), x.width)


def _set(graph: Graph, value: str, width: int) -> None:
    graph.categories, graph.pieces = [], [Piece(value, width, graph.real)]


def _codes(graph: Graph, offsets: Array) -> str:
    """Return the table row of each category, int64 of shape (n_rows, n_categories)."""
    found = []
    for (source, levels), offset in zip(graph.categories, offsets.tolist(), strict=True):
        rows = {level: offset + code for level, code in levels.levels.items()}
        moved = Levels(rows, offset + levels.other, offset + levels.missing)
        found.append(graph.rows.look_up(graph, source, moved, np.int64))
    return graph.concat(found)


def _looked_up(graph: Graph, table: Array, scale: Array | None, index: str) -> str:
    """Return rows of a table in the dtype of the layers; only these rows are converted, not the whole table."""
    rows = graph.node("Gather", table, index, axis=0)
    if scale is not None:
        # one scale for each column
        rows = graph.node("DequantizeLinear", rows, scale, axis=-1)
    held = NARROW if scale is not None else table.dtype
    return rows if held == graph.real else graph.cast(rows, graph.real)


def _product(graph: Graph, op: ops.Affine | ops.LookupAffine) -> str:
    """Return the product of all numbers and the weights, and the bias; these are stored in their own dtype."""
    total = _real(graph, op.bias)
    if len(op.weight) == 0:
        return graph.node("Add", _zeros(graph, graph.whole().value), total)
    if op.scale is None:
        # a sum of products takes less time than joining their factors
        first = 0
        for piece in map(graph.as_real, graph.pieces):
            if piece.width:
                weight = _real(graph, op.weight[first : first + piece.width])
                total, first = graph.node("Gemm", piece.value, weight, total), first + piece.width
        return total
    # Not DequantizeLinear: onnxruntime runs it in each call, or also rounds the activations to int8. Scaling
    # after the product is exact, and the cast of the weights runs once, when the model is loaded.
    product = graph.node("MatMul", graph.whole().value, _real(graph, op.weight))
    return graph.node("Add", graph.node("Mul", product, _real(graph, op.scale)), total)


def _real(graph: Graph, constant: Array) -> str:
    """Return a constant in the dtype of the layers, stored in its own."""
    return graph.constant(constant) if constant.dtype == graph.real else graph.cast(constant, graph.real)


def _zeros(graph: Graph, rows: str) -> str:
    """Return zeros of shape (n_rows, 1): the sum over no columns."""
    none = graph.node("Gather", rows, np.empty(0, dtype=np.int64), axis=1)
    return graph.node("ReduceSum", none, [1], keepdims=1)


def _fill(graph: Graph, value: str, fill: Array) -> str:
    # a single zero takes half of the time of a row of numbers
    filled = fill[None] if fill.any() else np.zeros((), dtype=fill.dtype)
    return graph.node("Where", graph.node("IsNaN", value), filled, value)


def _cut(graph: Graph, value: str, limit: float, dtype: DTypeLike = WIDE) -> str:
    return _clipped(graph, value, -limit, limit, dtype)


def _clipped(graph: Graph, value: str, lower: float, upper: float, dtype: DTypeLike) -> str:
    return graph.node("Clip", value, np.array(lower, dtype=dtype), np.array(upper, dtype=dtype))


_PRINTERS: dict[type[Op], Any] = {
    ops.Affine: _affine,
    ops.Bound: _bound,
    Columns: _columns,
    ops.Clip: _clip,
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
KNOWN: frozenset[type[Op]] = frozenset(
    {ops.Softmax, ops.Sigmoid, ops.OneVsRest, ops.Unstandardize, ops.BackTransform, *_PRINTERS}
)
