"""The printer of each op in C: it adds the op's constants and the statements that apply the op to ``x`` or ``h``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..program import Op, Tree, ops
from ._c_printer import Bins, Printer
from ._c_text import c_type, loop, number, smallest

Array = NDArray[Any]

#: A layer is computed in float if all its inputs are below this bound, else in double.
_SMALL = 1e4


#: The C expression of each part of a date ``X``; an ``angle`` is one in a cycle of so many seconds.
_DATE_PARTS = {
    "month": "month(X)",
    "day": "day(X)",
    "weekday": "weekday(X)",
    "hour": "hour(X)",
    "time of day": "time_of_day(X)",
    "day of year": "day_of_year(X)",
    "yearly sine": "rounded(sin(angle(X, 31556952.0)))",
    "yearly cosine": "rounded(cos(angle(X, 31556952.0)))",
    "weekly sine": "rounded(sin(angle(X, 604800.0)))",
    "weekly cosine": "rounded(cos(angle(X, 604800.0)))",
    "daily sine": "rounded(sin(angle(X, 86400.0)))",
    "daily cosine": "rounded(cos(angle(X, 86400.0)))",
}


def _date_parts(to: Printer, op: ops.DateParts) -> None:
    first = to.append(len(op.parts), 366.0)
    for at, (column, part) in enumerate(zip(op.columns, op.parts, strict=True), start=first):
        to.emit(f"x[{at}] = {_DATE_PARTS[part].replace('X', f'x[{column - to.n_codes}]')};")


def _clip(to: Printer, op: ops.Clip) -> None:
    lower, upper = to.constant("lowest", op.lower), to.constant("highest", op.upper)
    column = to.constant("clipped_column", smallest(op.columns - to.n_codes))
    x = f"x[{column}[i]]"
    to.emit(loop("i", len(op.columns), f"{x} = clipped({x}, {lower}[i], {upper}[i]);"))


def _indicate(to: Printer, op: ops.Indicate) -> None:
    first = to.append(len(op.columns), 1.0)
    for at, column in enumerate(op.columns.tolist(), start=first):
        to.emit(f"x[{at}] = isnan(x[{column - to.n_codes}]) ? 1.0 : 0.0;")


def _standardize(to: Printer, op: ops.Standardize) -> None:
    first, n = op.start - to.n_codes, len(op.mean)
    factor = 1.0 / op.scale
    constants = {"mean": op.mean, "factor": factor, "filled": (op.fill - op.mean) * factor}
    arguments = ", ".join(f"{to.constant(name, values)}[i]" for name, values in constants.items())
    to.encode(first, n, f"standardized(X, {arguments}, {number(op.limit)})")
    to.bounds[first : first + n] = min(op.limit + np.log1p(ops.LARGEST), ops.LARGEST)


def _quantiles(to: Printer, op: ops.Quantiles) -> None:
    first, (n, n_knots) = op.start - to.n_codes, op.knots.shape
    knots, scores, fill = (to.constant(name, getattr(op, name)) for name in ("knots", "scores", "fill"))
    to.encode(first, n, f"interpolated(X, {knots} + i * {n_knots}, {scores}, {n_knots}, {fill}[i])")
    to.bounds[first : first + n] = np.abs(op.scores).max()


def _piecewise(to: Printer, op: ops.Piecewise) -> None:
    lower, per_width = to.constant("lower", op.lower), to.constant("per_width", 1.0 / op.width)
    columns = np.asarray(op.columns) - to.n_codes
    following = to.program.ops[to.program.ops.index(op) + 1]
    if isinstance(following, ops.Affine | ops.LookupAffine) and following.weight.dtype == np.float32 and _in_rows(op):
        first = np.append(np.flatnonzero(np.diff(columns, prepend=-1)), len(columns))
        column = to.constant("column_of_bins", smallest(columns[first[:-1]]))
        bin_of = to.constant("first_bin", smallest(first))
        to.bins = Bins(f"x[{column}[c]], {bin_of}[c], {bin_of}[c + 1], {lower}, {per_width}", first)
        to.emit("/* as part of the next layer */")
        return
    n = len(columns)
    column = to.constant("column_of_bin", smallest(columns))
    to.encode(to.append(n, 1.0), n, f"share(x[{column}[i]], {lower}[i], {per_width}[i])")


def _in_rows(op: ops.Piecewise) -> bool:
    """Tell whether the bins of each column are contiguous in the list, ascend, and do not overlap."""
    columns, upper = np.asarray(op.columns), op.lower + op.width
    same = columns[1:] == columns[:-1]
    together = len(np.unique(columns)) == len(columns) - np.count_nonzero(same)
    rounding = 1e-6 * np.maximum(1.0, np.abs(op.lower[1:]))
    return together and bool((upper[:-1] <= op.lower[1:] + rounding)[same].all())


def _affine(to: Printer, op: ops.Affine | ops.LookupAffine) -> None:
    n_in, n_out = op.weight.shape
    first = to.n_layers == 0
    if first and (to.bounds > _SMALL).any():
        to.real = "double"
    to.n_layers += 1
    layer = to.n_layers
    bins = to.bins if first else None
    bias = to.constant(f"bias_{layer}", op.bias)
    # the products with int8 weights are summed unscaled; the sums are scaled afterwards
    start = f"{bias}[j]" if op.scale is None else "0"
    if n_in == 0:
        to.emit(loop("j", n_out, f"h[j] = {start};"))
    else:
        weight = to.constant(f"weight_{layer}", op.weight if bins is None else bins.summed(op.weight))
        add = _add_listed if n_out >= 4 or bins is not None else _add_all
        add(to, op.weight, weight, start, "(real)x[i]" if first else "h[i]", bins)
    if op.scale is not None:
        to.emit(loop("j", n_out, f"h[j] = {bias}[j] + {to.constant(f'scale_{layer}', op.scale)}[j] * h[j];"))
    if isinstance(op, ops.LookupAffine):
        _add_tables(to, op, layer)
    to.width = n_out
    to.n_hidden = max(to.n_hidden, n_out)


def _add_tables(to: Printer, op: ops.LookupAffine, layer: int) -> None:
    """Print the loop that adds a table row for each code."""
    n_out = op.tables.shape[1]
    tables = to.constant(f"tables_{layer}", op.tables)
    offsets = to.constant(f"offsets_{layer}", smallest(op.offsets))
    weight = _decoded(to, "table[j]", op.tables, f"tables_scale_{layer}", op.tables_scale)
    to.emit(
        f"for (int c = 0; c < {to.n_codes}; c++) {{",
        f"    const int32_t at_code = {offsets}[c] + code[c];",
        f"    const {c_type(op.tables.dtype)} *const table = {tables} + at_code * {n_out};",
        f"    {loop('j', n_out, f'h[j] += {weight};')}",
        "}",
    )


def _decoded(to: Printer, weight: str, values: Array, name: str = "", scale: Array | None = None) -> str:
    """Return an expression that converts a weight, an element `j` of `values`, to a floating-point number.

    Where there is a scale, it becomes a constant of the given name, and the number is scaled.
    """
    if values.dtype == np.float16:
        weight = f"half({weight})"
    elif values.dtype == np.int8:
        weight = f"(real){weight}"
    return weight if scale is None else f"{to.constant(name, scale)}[j] * {weight}"


def _add_all(to: Printer, values: Array, weight: str, start: str, source: str, bins: Bins | None) -> None:
    """Print a layer of few outputs: a plain sum over all inputs, element `i` of `source`, for each."""
    n_in, n_out = values.shape
    product = f"{source} * {_decoded(to, f'{weight}[i * {n_out} + j]', values)}"
    to.emit(
        "{",
        f"    real sum[{n_out}];",
        f"    {loop('j', n_out, f'sum[j] = {start};')}",
        f"    {loop('i', n_in, loop('j', n_out, f'sum[j] += {product};'))}",
        f"    {loop('j', n_out, 'h[j] = sum[j];')}",
        "}",
    )


def _add_listed(to: Printer, values: Array, weight: str, start: str, source: str, bins: Bins | None) -> None:
    """Print a layer that lists its non-zero inputs, and adds the weights of four of them at a time.

    Zeros are common after a relu and among bins. The list ends at a sentinel rather than after a known number of
    inputs. Given the number, gcc -O3 fuses two iterations into one, which takes twice as long.
    """
    n_in, n_out = values.shape
    n_plain, n_of_bins = (n_in, 0) if bins is None else (len(to.bounds), len(bins.first) - 1)
    to.n_listed = max(to.n_listed, n_plain + 2 * n_of_bins + 4)
    to.emit(
        "{",
        "    int found = 0;",
        f"    for (int i = 0; i < {n_plain}; i++) {{",
        f"        v[found] = {source};",
        "        at[found] = (position)i;",
        "        found += v[found] != 0;",
        "    }",
    )
    if bins is not None:
        listed = f"        found = list_bins({bins.column}, {n_plain}, found, v, at);"
        to.emit(f"    for (int c = 0; c < {n_of_bins}; c++)", listed)
    w = [_decoded(to, f"w{k}[j]", values) for k in range(4)]
    kind = c_type(values.dtype)
    to.emit(
        "    end_list(found, v, at);",
        "}",
        loop("j", n_out, f"h[j] = {start};"),
        "for (int i = 0; at[i] != end; i += 4) {",
        *(f"    const {kind} *const w{k} = {weight} + (int32_t)at[i + {k}] * {n_out};" for k in range(4)),
        f"    const real {', '.join(f'v{k} = v[i + {k}]' for k in range(4))};",
        f"    {loop('j', n_out, f'h[j] += (v0 * {w[0]} + v1 * {w[1]}) + (v2 * {w[2]} + v3 * {w[3]});')}",
        "}",
    )


def _activation(to: Printer, op: Op) -> None:
    to.emit(loop("j", to.width, f"h[j] = {activated(op, 'h[j]', '' if to.real == 'double' else 'f')};"))


def activated(op: Op, h: str, f: str) -> str:
    """Return the expression of an activation of `h`; `f` is the suffix of the functions of its type."""
    formulas: dict[type[Op], str] = {
        ops.Relu: f"{h} > 0 ? {h} : 0",
        ops.Tanh: f"tanh{f}({h})",
        ops.Silu: f"{h} / (1 + exp{f}(-{h}))",
    }
    return formulas[type(op)]


def calibrated(to: Printer, op: ops.OneVsRest) -> str:
    """Return the expression of the probability of a class against the rest; its logit is ``z[j]``, of double."""
    if op.knots is None or op.scores is None:
        return "1.0 / (1.0 + exp(z[j] < -700.0 ? 700.0 : -z[j]))"
    knots, scores, n = to.constant("knots_of_logits", op.knots), to.constant("calibrated", op.scores), op.knots.shape[1]
    return f"interpolated(z[j], {knots} + j * {n}, {scores} + j * {n}, {n}, 0.0)"


def transformed_back(op: ops.Unstandardize, x: str, power: str) -> str:
    """Return the expression of a regressor's output `x` in its target's unit; `power` is that of output `j`."""
    if not isinstance(op, ops.BackTransform):
        return x
    chosen = f"({x} < 0.0 ? 2.0 - {power} : {power})"
    formulas = {
        "square": f"{x} * {x}",
        "box-cox": f"exp(log1p({power} * {x}) / {power})",
        "yeo-johnson": f"copysign(expm1(log1p({chosen} * fabs({x})) / {chosen}), {x})",
    }
    return formulas.get(op.function, f"{op.function}({x})")


def _tree(to: Printer, op: Tree) -> None:
    n_codes, n_logits = len(op.offsets), op.values.shape[1]
    leaves = to.constant("leaves", op.values)
    coded = op.columns < n_codes
    # an array that the tree does not read
    unread = {"code": to.n_codes and not coded.any(), "x": len(to.bounds) and coded.all()}
    to.emit("{", *(f"    (void){name};" for name, is_unread in unread.items() if is_unread))
    if len(op.columns) == 0:
        to.emit("    const int leaf = 0;")
    else:
        number = "" if coded.all() else f"single(x[column - {n_codes}])" if n_codes else "single(x[column])"
        if coded.any():
            first, rank = to.constant("first_rank", smallest(op.offsets)), to.constant("ranks", op.ranks)
            looked_up = f"{rank}[{first}[column] + code[column]]"
            number = f"column < {n_codes} ? {looked_up} : {number}" if number else looked_up
        signed = np.int16 if len(op.left) < 0x7FFF else np.int32
        constants = {
            "columns": smallest(op.columns),
            "thresholds": op.thresholds,
            "missing_left": op.missing_left.astype(np.uint8),
            "left": op.left.astype(signed),
            "right": op.right.astype(signed),
        }
        columns, thresholds, missing_left, left, right = (to.constant(*item) for item in constants.items())
        to.emit(
            "    /* the next node, or a leaf if negative */",
            "    int32_t at = 0, leaf;",
            "    do {",
            f"        const int column = {columns}[at];",
            f"        const float number = {number};",
            f"        const int goes_left = isnan(number) ? {missing_left}[at] : number <= {thresholds}[at];",
            f"        at = goes_left ? {left}[at] : {right}[at];",
            "    } while (at >= 0);",
            "    leaf = -1 - at;",
        )
    value = _decoded(to, f"{leaves}[leaf * {n_logits} + j]", op.values, "leaves_scale", op.values_scale)
    to.emit(f"    {loop('j', n_logits, f'h[j] = {value};')}", "}")
    to.width = to.n_hidden = n_logits


PRINTERS: dict[type[Op], Callable[[Printer, Any], None]] = {
    ops.Clip: _clip,
    ops.DateParts: _date_parts,
    ops.Indicate: _indicate,
    ops.Standardize: _standardize,
    ops.Quantiles: _quantiles,
    ops.Piecewise: _piecewise,
    ops.LookupAffine: _affine,
    ops.Affine: _affine,
    ops.Relu: _activation,
    ops.Tanh: _activation,
    ops.Silu: _activation,
    Tree: _tree,
}
