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
#: A layer of fewer outputs is a plain sum over all inputs.
_FEW = 4
#: A layer of so many outputs is also compiled for AVX-512; that costs time if layers are narrower or not of float32.
_WIDE = 64
#: A number beyond the outermost edges by no more than this part of a bin is on the edge.
_ROUNDING = 1e-6
#: Edges that are one are apart by no more than this part of a bin.
_APART = 1e-4
#: Bins are merged if no weight is larger: in sums of larger ones, the others lose too many digits.
_HEAVIEST = 100.0
#: A sum of twice as many products or more is computed as this many sums.
_N_SUMS = 8


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
    mean, scale, filled = (f"{to.constant(name, values)}[i]" for name, values in constants.items())
    x, limit = f"x[i + {first}]" if first else "x[i]", number(op.limit)
    is_far = f"!(fabs({x}) <= {limit})"
    # the first loop has no branches, so that compilers vectorize it; far and missing numbers are rare
    to.emit(
        "{",
        "    int any = 0;",
        f"    for (int i = 0; i < {n}; i++) {{",
        f"        {x} = ({to.read(first, n)} - {mean}) * {scale};",
        f"        any |= {is_far};",
        "    }",
        f"    if (any) {loop('i', n, f'if ({is_far}) {x} = squashed({x}, {filled}, {limit});')}",
        "}",
    )
    to.bounds[first : first + n] = min(op.limit + np.log1p(ops.LARGEST), ops.LARGEST)


def _quantiles(to: Printer, op: ops.Quantiles) -> None:
    first, (n, n_knots) = op.start - to.n_codes, op.knots.shape
    knots, scores, fill = (to.constant(name, getattr(op, name)) for name in ("knots", "scores", "fill"))
    to.encode(first, n, f"interpolated(X, {knots} + i * {n_knots}, {scores}, {n_knots}, {fill}[i])")
    to.bounds[first : first + n] = np.abs(op.scores).max()


def _piecewise(to: Printer, op: ops.Piecewise) -> None:
    columns = np.asarray(op.columns) - to.n_codes
    following = to.following
    if (
        isinstance(following, ops.Affine | ops.LookupAffine)
        and following.weight.dtype == np.float32
        and np.abs(following.weight).max() <= _HEAVIEST
        and _in_rows(op)
    ):
        first = np.append(np.flatnonzero(np.diff(columns, prepend=-1)), len(columns))
        to.bins = Bins(columns[first[:-1]], first, op.lower, op.width, apart=to.program.ops[-1].magnifies)
        to.emit("/* as part of the next layer, which has weights for each edge of the bins but those in the middle */")
        return
    n = len(columns)
    lower, per_width = to.constant("lower", op.lower), to.constant("per_width", 1.0 / op.width)
    column = to.constant("column_of_bin", smallest(columns))
    to.encode(to.append(n, 1.0), n, f"share(x[{column}[i]], {lower}[i], {per_width}[i])")


def _in_rows(op: ops.Piecewise) -> bool:
    """Tell whether the bins of each column are contiguous, in the list and as ranges of small numbers, and ascend."""
    columns, upper = np.asarray(op.columns), op.lower + op.width
    same = columns[1:] == columns[:-1]
    together = len(np.unique(columns)) == len(columns) - np.count_nonzero(same)
    # edges are rounded to float32, which parts the bins of a width next to nothing, or lays them over each other
    gap, width = np.abs(op.lower[1:] - upper[:-1]), np.minimum(op.width[1:], op.width[:-1])
    is_small = max(np.abs(op.lower).max(), np.abs(upper).max()) <= _SMALL
    return together and is_small and bool((gap <= _APART * width)[same].all())


def _affine(to: Printer, op: ops.Affine | ops.LookupAffine) -> None:
    n_in, n_out = op.weight.shape
    first = to.n_layers == 0
    if first and (to.bounds > _SMALL).any():
        to.real = "double"
    to.n_layers += 1
    layer = to.n_layers
    bins = to.bins if first else None
    values, shift = (op.weight, op.bias) if bins is None else bins.merged(op.weight, op.bias)
    bias = to.constant(f"bias_{layer}", shift)
    # the products with int8 weights are summed unscaled; the sums are scaled afterwards
    start = f"{bias}[j]" if op.scale is None else "0"
    source = "(real)x[i]" if first else "h[i]"
    if n_in == 0:
        to.emit(loop("j", n_out, f"h[j] = {start};"))
    elif n_out < _FEW and bins is None:
        _add_all(to, values, f"weight_{layer}", start, source)
    else:
        is_wide = n_out >= _WIDE and values.dtype == np.float32
        to.is_wide |= is_wide
        weight = to.constant(f"weight_{layer}", values, f" {to.prefix.upper()}_ALIGNED" if is_wide else "")
        _add_listed(to, values, weight, start, source, bins)
    if op.scale is not None:
        to.emit(loop("j", n_out, f"h[j] = {bias}[j] + {to.constant(f'scale_{layer}', op.scale)}[j] * h[j];"))
    if isinstance(op, ops.LookupAffine):
        _add_tables(to, op, layer)
    to.listed = "!= 0"
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


def _add_all(to: Printer, values: Array, name: str, start: str, source: str) -> None:
    """Print a layer of few outputs: a plain sum over all inputs, element `i` of `source`, for each.

    A sum of many inputs is that of several sums, which a processor adds up at the same time.
    """
    n_in, n_out = values.shape
    n_sums = _N_SUMS if n_in >= 2 * _N_SUMS else 1
    weight, whole = to.constant(name, values.T), n_in - n_in % n_sums

    def product(i: str) -> str:
        return f"{source.replace('[i]', f'[{i}]')} * {_decoded(to, f'{weight}[j * {n_in} + {i}]', values)}"

    several = loop("k", n_sums, f"sum[k] += {product('i + k')};")
    rest = loop("k", n_in - whole, f"sum[k] += {product(f'{whole} + k')};")
    to.emit(
        "{",
        f"    real total[{n_out}];",
        f"    for (int j = 0; j < {n_out}; j++) {{",
        f"        real sum[{n_sums}] = {{0}};",
        f"        for (int i = 0; i < {whole}; i += {n_sums}) {several}",
        *([f"        {rest}"] if whole < n_in else []),
        f"        total[j] = {start} + {_tree_of([f'sum[{k}]' for k in range(n_sums)])};",
        "    }",
        f"    {loop('j', n_out, 'h[j] = total[j];')}",
        "}",
    )


def _tree_of(terms: list[str]) -> str:
    """Return the sum of terms, added up by halves."""
    half = len(terms) // 2
    return f"({_tree_of(terms[:half])} + {_tree_of(terms[half:])})" if half else terms[0]


def _add_listed(to: Printer, values: Array, weight: str, start: str, source: str, bins: Bins | None) -> None:
    """Print a layer that lists its non-zero inputs, and adds the weights of four of them at a time.

    Zeros are common after a relu. The list ends at a sentinel rather than after a known number of inputs. Given the
    number, gcc -O3 fuses two iterations into one, which takes twice as long.
    """
    n_in, n_out = values.shape
    to.emit("{", "    int found = 0;")
    if bins is None:
        to.n_listed = max(to.n_listed, n_in + 4)
        plain = np.arange(n_in)
    else:
        to.n_listed = max(to.n_listed, len(to.bounds) + (1 if bins.halves else 2) * len(bins.columns) + 4)
        _list_bins(to, bins)
        plain = np.setdiff1d(np.arange(len(to.bounds)), [] if bins.apart else bins.columns)
    if len(plain):
        index = _indexed(to, "plain_column", plain, "i")
        to.emit(
            f"    for (int i = 0; i < {len(plain)}; i++) {{",
            f"        v[found] = {source.replace('[i]', f'[{index}]')};",
            f"        at[found] = (position){index if index == 'i' else f'({index})'};",
            f"        found += v[found] {to.listed};",
            "    }",
        )
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


def _list_bins(to: Printer, bins: Bins) -> None:
    """Print the loops that list the edges beside the numbers of each column, and the numbers beyond all edges."""
    n, n_x, sizes = len(bins.columns), len(to.bounds), np.diff(bins.first)
    at = _indexed(to, "column_of_bins", bins.columns, "c")
    if bins.halves:
        middle, beyond = to.constant("middle", bins.lower[1::2]), f"(real){1 if bins.apart else 1 + _ROUNDING}"
        below, above = (to.constant(name, 1.0 / bins.width[side::2]) for side, name in enumerate(("below", "above")))
        rest = [
            "            const double more = (double)v[c] - 1;",
            f"            v[found] = (real)(x[{at}] > {middle}[c] ? more / {above}[c] : -more / {below}[c]);",
            f"            at[found] = (position)({at});",
            "            found++;",
        ]
        to.emit(
            "    {",
            "        int any = 0;",
            f"        for (int c = 0; c < {n}; c++) {{",
            f"            const double from = x[{at}] - {middle}[c];",
            f"            v[c] = (real)(from * (from > 0 ? {above}[c] : {below}[c]));",
            "        }",
            "        /* floats, of which twice as many are computed at once */",
            f"        for (int c = 0; c < {n}; c++) {{",
            f"            at[c] = (position)({n_x} + 2 * c + (v[c] > 0));",
            "            v[c] = v[c] > 0 ? v[c] : -v[c];",
            f"            any |= v[c] > {beyond};",
            "        }",
            f"        found = {n};",
            f"        if (any) for (int c = 0; c < {n}; c++) if (v[c] > {beyond}) {{",
            *([] if bins.apart else rest),
            "            v[c] = 1;",
            "        }",
            "    }",
        )
        return
    outward = np.repeat((bins.first[:-1] + bins.first[1:]) // 2, sizes) <= np.arange(bins.first[-1])
    lower, slope = to.constant("lower", bins.lower), to.constant("slope", np.where(outward, 1.0, -1.0) / bins.width)
    rest = [
        f"        if (fabs(come[c] - part) > {_ROUNDING}) {{",
        f"            v[found] = (real)((come[c] - part) / {slope}[bin]);",
        f"            at[found] = (position)({at});",
        "            found++;",
        "        }",
    ]
    if (sizes == sizes[0]).all():
        first, last = f"{sizes[0]} * c", f"first + {sizes[0]}"
    else:
        of_column = to.constant("first_bin", smallest(bins.first))
        first, last = f"{of_column}[c]", f"{of_column}[c + 1]"
    n_steps, to.n_searched = int(sizes.max() - 1).bit_length(), n
    to.emit(
        "    /* without a branch, which could not be predicted; several columns are searched at once */",
        f"    for (int c = 0; c < {n}; c++) {{",
        f"        const double number = x[{at}];",
        f"        const int first = {first}, last = {last};",
        "        int bin = first, left = last - first;",
        f"        for (int step = 0; step < {n_steps}; step++, left -= left / 2)",
        f"            bin += left / 2 * (number > {lower}[bin + left / 2]);",
        "        /* how far the number is from the edge nearer to the middle */",
        f"        come[c] = (number - {lower}[bin + (bin < (first + last) / 2)]) * {slope}[bin];",
        "        bins[c] = bin;",
        "    }",
        f"    for (int c = 0; c < {n}; c++) {{",
        f"        const int first = {first}, last = {last}, middle = (first + last) / 2;",
        "        const int bin = bins[c], low = bin < middle;",
        "        const double part = come[c] < 0 ? 0 : come[c] > 1 ? 1 : come[c];",
        "        v[found] = (real)part;",
        "        v[found + 1] = 1 - v[found];",
        f"        at[found] = (position)({n_x} + bin);",
        f"        at[found + 1] = (position)({n_x} - 1 + bin + 2 * low);",
        "        found += 2 - (bin == middle - low);",
        *([] if bins.apart else rest),
        "    }",
    )


def _indexed(to: Printer, name: str, columns: Array, i: str) -> str:
    """Return the expression of the column of index `i`; columns that are not contiguous become a constant."""
    if (np.diff(columns) == 1).all():
        return f"{i} + {columns[0]}" if columns[0] else i
    return f"{to.constant(name, smallest(columns))}[{i}]"


def _activation(to: Printer, op: Op) -> None:
    following = to.following
    if isinstance(op, ops.Relu) and isinstance(following, ops.Affine) and following.weight.shape[1] >= _FEW:
        to.listed = "> 0"
        to.emit("/* as part of the next layer */")
        return
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
