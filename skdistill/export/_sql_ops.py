"""The printer of each op in SQL, which turns the codes and numbers of a query into expressions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..program import Columns, Levels, Op, Program, Tree, Word, ops
from ._sql_ends import back_transform, interpolated, minus, one_vs_rest, sigmoid, softmax, tree, unstandardize
from ._sql_query import NARROWEST, Query, total

Array = NDArray[Any]

#: What compares texts by their bytes; elsewhere they are so compared unless a column was made otherwise.
_BINARY = {"duckdb": " COLLATE C", "postgres": ' COLLATE "C"', "sqlite": " COLLATE BINARY"}
#: Beyond this, a double cannot distinguish an integer from its neighbours.
_LARGEST_WHOLE = 2**53


def _columns(to: Query, op: Columns) -> None:
    texts: dict[int, int] = {}
    plain: list[str | Word] = []
    weights, following = iter(_of_codes(to)), to.program.ops[1]
    raw: Any = following if _is_raw(to, following) else None
    for (source, kind, read), form in zip(op.reads, op.forms or ("",) * len(op.reads), strict=True):
        name, column = to.names[source], to.column(source)
        if form:
            raise ValueError(
                f"Column {name!r} holds texts that are read as {kind}s ({form!r}), which SQL has no printer for. Turn "
                f"them into {kind}s before fit, and in the table."
            )
        if isinstance(read, Word):
            if to.dialect == "sqlite":
                raise ValueError(
                    f"Column {name!r} is read for its words, which SQLite has no function for. Leave it out of fit, or "
                    "export in another dialect."
                )
            texts.setdefault(source, len(texts))
            plain.append(read)
        elif isinstance(read, Levels):
            values = next(weights) if kind == "category" else {rank: float(rank) for rank in read.levels.values()}
            found = _level(to, name, column, read, values)
            (to.codes if kind == "category" else plain).append(found)
        else:
            number = to.number(column) if raw is None else _of_raw(column, raw.fill[len(plain)])
            plain.append(number if kind == "number" else to.seconds(column))
    if not texts:
        to.numbers = [one for one in plain if isinstance(one, str)]
        return
    to.numbers = [one for one in plain if isinstance(one, str)] + [_words_apart(to, to.column(at)) for at in texts]
    to.settle()
    rest, cut = iter(to.numbers[: -len(texts)]), to.numbers[-len(texts) :]
    sources = iter(source for source, kind, _ in op.reads if kind == "word")
    to.numbers = [
        f"CASE WHEN {cut[texts[next(sources)]]} LIKE {to.string(f'% {one.word} %')} THEN 1 ELSE 0 END"
        if isinstance(one, Word)
        else next(rest)
        for one in plain
    ]


def _of_codes(to: Query) -> list[dict[Any, float]]:
    """Return, for each column of codes, what the op that reads it needs of each code.

    That is the rank in a tree, the weight of a single output, and else the code.
    """
    reader = next((op for op in to.program.ops if isinstance(op, ops.LookupAffine | Tree)), None)
    if reader is None:
        return []
    entry = to.program.ops[0]
    assert isinstance(entry, Columns)
    if isinstance(reader, Tree):
        table = reader.ranks.astype(np.float64)
    elif reader.tables.shape[1] == 1:
        table = ops.real_weights(reader.tables, reader.tables_scale)[:, 0]
    else:
        return [{code: code for code in range(size)} for size in entry.sizes]
    return [
        dict(enumerate(table[offset : offset + size].tolist()))
        for offset, size in zip(reader.offsets.tolist(), entry.sizes, strict=True)
    ]


def _level(to: Query, name: str, column: str, read: Levels, values: dict[Any, float]) -> str:
    """Return what a code stands for, by the level that a cell holds."""
    levels = {level: code for level, code in read.levels.items() if level is not None}
    kinds = {bool if isinstance(level, bool) else str if isinstance(level, str) else float for level in levels}
    if str in kinds and len(kinds) > 1:
        raise ValueError(
            f"Column {name!r} holds texts and numbers as categories; a column of a database holds one of them. Make "
            "all of them texts before fit."
        )
    if big := next((level for level in levels if isinstance(level, int) and abs(level) > _LARGEST_WHOLE), None):
        raise ValueError(
            f"Column {name!r} has the category {big}, an integer that a double does not hold. Make the column texts."
        )
    # of booleans, PostgreSQL and others can make texts, but no numbers
    as_text = kinds <= {str} or (kinds == {bool} and to.dialect not in ("duckdb", "sqlite"))
    if as_text:
        # by bytes, whatever the column's collation
        cell = f"CAST({column} AS {to.varchar}){_BINARY.get(to.dialect, '')}"
    elif to.dialect == "sqlite":
        cell = column
    else:
        cell = to.number(column)
    cases: dict[str, Any] = {}
    for level, code in levels.items():
        texts = [to.string(level)] if isinstance(level, str) else [_plain(to, level)]
        if as_text and isinstance(level, bool):
            texts = [to.string(text) for text in ((str(level).lower(), str(int(level))))]
        cases |= dict.fromkeys(texts, code)

    def written(code: Any) -> str:
        # a level without a rank has NaN
        value = values.get(code, np.nan)
        return "NULL" if value != value else to.decimal(value)

    other, missing = (written(code) for code in (read.other, read.missing))
    rest = other if other == missing else f"CASE WHEN {cell} IS NULL THEN {missing} ELSE {other} END"
    listed = [f"WHEN {text} THEN {written(code)}" for text, code in cases.items()]
    return f"CASE {cell} {' '.join(listed)} ELSE {rest} END" if listed else rest


def _plain(to: Query, level: float) -> str:
    """Return a level that is a number."""
    value = float(level)
    if np.isfinite(value):
        return repr(value)
    sign = "-" if value < 0 else ""
    return {"sqlite": f"{sign}9e999", "postgres": f"{sign}1e200", "bigquery": f"{sign}1e200"}.get(
        to.dialect, to.wide(f"'{sign}inf'")
    )


def _words_apart(to: Query, column: str) -> str:
    """Return a text in lower case with a space for all that parts words, and one at either end."""
    # a carriage return would be lost where the statement is read as text
    apart = "".join(chr(at) for at in range(1, 128) if not chr(at).isalnum() and at != 13)
    upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    made = to.string(" " * len(apart) + upper.lower())
    text = f"REPLACE(CAST({column} AS {to.varchar}), CHR(13), ' ')"
    return f"' ' || TRANSLATE({text}, {to.string(apart + upper)}, {made}) || ' '"


def _bound(to: Query, op: ops.Bound) -> None:
    to.numbers = [to.number(to.column(at)) for at in range(op.n_columns)]
    to.settle()
    to.numbers = [_filled(to, value, 0.0) for value in to.numbers]


def _filled(to: Query, value: str, fill: float) -> str:
    """Return a number of any size, or what stands for a missing one, held to what the formats can hold."""
    return to.within(f"COALESCE({to.safe(value)}, {to.decimal(fill)})", ops.LARGEST)


def _date_parts(to: Query, op: ops.DateParts) -> None:
    to.settle()
    distinct = sorted({column - len(to.codes) for column in op.columns})
    n = len(to.numbers)
    # the years within which numpy's dates are exact
    to.numbers += [
        f"CASE WHEN {x} > 1e13 THEN 1e13 WHEN {x} < -1e13 THEN -1e13 ELSE {x} END"
        for x in (to.numbers[at] for at in distinct)
    ]
    to.settle()
    to.numbers += [f"FLOOR(FLOOR({x}) / 86400.0)" for x in to.numbers[n:]]
    to.settle()
    days = to.numbers[n + len(distinct) :]
    # days since the first of March of the year 0, and the 400 years that they are in; see functions.c
    to.numbers += [f"FLOOR(({day} + 719468) / 146097.0)" for day in days]
    to.settle()
    held = len(distinct)
    days, eras = to.numbers[n + held : n + 2 * held], to.numbers[n + 2 * held :]
    to.numbers += [f"{day} + 719468 - 146097 * {era}" for day, era in zip(days, eras, strict=True)]
    to.settle()
    of_era = to.numbers[n + 3 * held :]
    to.numbers += [
        f"FLOOR(({x} - FLOOR({x} / 1460.0) + FLOOR({x} / 36524.0) - FLOOR({x} / 146096.0)) / 365.0)" for x in of_era
    ]
    to.settle()
    of_era, year = to.numbers[n + 3 * held : n + 4 * held], to.numbers[n + 4 * held :]
    to.numbers += [
        f"{x} - 365 * {y} - FLOOR({y} / 4.0) + FLOOR({y} / 100.0)" for x, y in zip(of_era, year, strict=True)
    ]
    to.settle()
    parts = {
        column: {"x": to.numbers[n + at], "days": to.numbers[n + held + at], "march": to.numbers[n + 5 * held + at]}
        for at, column in enumerate(distinct)
    }
    to.numbers = to.numbers[:n] + [
        _DATE_PARTS[part].format(**parts[column - len(to.codes)])
        if not part.endswith("sine")
        else _cycle(parts[column - len(to.codes)]["x"], part)
        for column, part in zip(op.columns, op.parts, strict=True)
    ]


#: The parts of a date: `x` are its seconds, `days` those since 1970, `march` those since the first of March.
_DATE_PARTS = {
    "month": "FLOOR((5 * {march} + 2) / 153.0) + 3 - CASE WHEN {march} >= 306 THEN 12 ELSE 0 END",
    "day": "{march} - FLOOR((153 * FLOOR((5 * {march} + 2) / 153.0) + 2) / 5.0) + 1",
    "weekday": "{days} + 3 - 7 * FLOOR(({days} + 3) / 7.0)",
    "hour": "FLOOR((FLOOR({x}) - 86400 * {days}) / 3600.0)",
    "time of day": "({x} - 86400 * {days}) / 3600.0",
    "day of year": "{march} + 61 - CASE WHEN {march} >= 306 THEN 366 ELSE 0 END",
}


def _cycle(x: str, part: str) -> str:
    """Return the sine or the cosine of a cycle of a date."""
    period = {"yearly": 31556952.0, "weekly": 604800.0, "daily": 86400.0}[part.split()[0]]
    phase = np.pi / 2 if part.endswith("cosine") else 0.0
    angle = f"({x} - {period} * FLOOR({x} / {period})) * {2 * np.pi / period!r} + {phase!r}"
    return f"ROUND(1e6 * SIN({angle})) / 1e6"


def _clip(to: Query, op: ops.Clip) -> None:
    to.settle()
    for column, lower, upper in zip(
        (op.columns - len(to.codes)).tolist(), op.lower.tolist(), op.upper.tolist(), strict=True
    ):
        x = to.numbers[column]
        to.numbers[column] = (
            f"CASE WHEN {x} < {lower!r} THEN {lower!r} WHEN {x} > {upper!r} THEN {upper!r} ELSE {x} END"
        )


def _indicate(to: Query, op: ops.Indicate) -> None:
    following = to.program.ops[to.program.ops.index(op) + 1]
    n_before = len(to.codes) + len(to.numbers)
    if isinstance(following, ops.Standardize) and following.start + len(following.mean) <= n_before:
        # a stage less: what is missing stays so
        _scale(to, following)
    to.settle()
    to.numbers += [
        f"CASE WHEN {to.numbers[at - len(to.codes)]} IS NULL THEN 1 ELSE 0 END" for at in op.columns.tolist()
    ]


def _scale(to: Query, op: ops.Standardize) -> None:
    """Centre and scale the columns of a Standardize."""
    to.scaled = op
    first = op.start - len(to.codes)
    for at, (mean, scale) in enumerate(zip(op.mean.tolist(), op.scale.tolist(), strict=True), start=first):
        value = to.numbers[at]
        if mean != 0 or scale != 1:
            to.numbers[at] = f"({minus(to, value, mean, 1e-9 * scale)}) * {to.decimal(1.0 / scale)}"


def _standardize(to: Query, op: ops.Standardize) -> None:
    if _is_raw(to, op):
        _list_of_raw(to, op)
        return
    if to.scaled is not op:
        _scale(to, op)
    first, limit = op.start - len(to.codes), op.limit
    fills = dict(enumerate(((op.fill - op.mean) / op.scale).tolist(), start=first))
    if limit < ops.LARGEST and _is_list(to, op):
        # indicators, and whatever else is no number of the Standardize, are not beyond the limit
        to.numbers = [
            f"COALESCE({value}, {to.decimal(fills[at])})" if at in fills else value
            for at, value in enumerate(to.numbers)
        ]
        _make_list(to)
        to.vector = f"[{_squashed(to, 'z', limit)} FOR z IN {to.vector}]"
        return
    to.settle()
    for at, fill in fills.items():
        z = to.numbers[at]
        if limit >= ops.LARGEST:
            to.numbers[at] = _filled(to, z, fill)
            continue
        filled = to.decimal(op.squashed(np.array([fill]))[0])
        to.numbers[at] = _squashed(to, z, limit).replace(" ELSE ", f" WHEN {z} IS NULL THEN {filled} ELSE ", 1)


def _squashed(to: Query, z: str, limit: float) -> str:
    """Return a standardised number, squashed if it is beyond a limit; what is missing stays so."""
    far = f"SIGN({z}) * ({to.decimal(limit)} + LN({to.least}(ABS({z}), {ops.LARGEST}) - {to.decimal(limit - 1)}))"
    return f"CASE WHEN ABS({z}) <= {to.decimal(limit)} THEN {z} ELSE {far} END"


def _is_raw(to: Query, op: Op) -> bool:
    """Tell whether a Standardize makes a list of all numbers, as they have been read."""
    return (
        isinstance(op, ops.Standardize)
        and op is to.program.ops[1]
        and op.limit < ops.LARGEST
        and _is_list(to, op)
        and op.start + len(op.mean) == len(getattr(to.program.ops[0], "sources", ()))
        and bool(((np.abs(op.mean) <= 1e4 * op.scale) & (op.scale > 1e-100) & (op.scale < 1e100)).all())
    )


def _of_raw(column: str, fill: float) -> str:
    """Return a column of the table that becomes a number of such a list.

    Only a boolean needs a cast, and what stands for its missing values, its median, is one of its two or between them.
    """
    return f"{column}::DOUBLE" if fill in (0.0, 0.5, 1.0) else column


def _list_of_raw(to: Query, op: ops.Standardize) -> None:
    """Make a list of numbers in their own unit, those that are far squashed; the next layer's weights are in that unit.

    A row without missing and far numbers, as most are, takes a third of the time.
    """
    low, high = op.mean - op.limit * op.scale, op.mean + op.limit * op.scale
    # in few digits, rounded inwards: what is called far without being so is not changed
    unit = 10.0 ** np.floor(np.log10(high - low) - 2)
    low, high = np.ceil(low / unit) * unit, np.floor(high / unit) * unit
    bounds = zip(to.numbers, low.tolist(), high.tolist(), strict=True)
    is_near = " AND ".join(f"{value} BETWEEN {_double(one)} AND {_double(other)}" for value, one, other in bounds)
    # products of lists raise an error at a NULL, even in rows that take the other branch below
    to.numbers = [f"COALESCE({value}, 'NaN'::DOUBLE)" for value in to.numbers]
    _make_list(to)
    mean, scale = _list(to, np.append(op.mean, 0.0)), _list(to, np.append(op.scale, 1.0))
    to.numbers = [is_near, mean, scale]
    to.settle()
    is_near, mean, scale = to.numbers
    fill = mean if (op.fill == op.mean).all() else _list(to, np.append(op.fill, 1.0))
    scaled = f"[(COALESCE(NULLIF(x, 'NaN'), {fill}[i]) - {mean}[i]) / {scale}[i] FOR x, i IN {to.vector}]"
    far = f"[{mean}[i] + {scale}[i] * {_squashed(to, 'z', op.limit)} FOR z, i IN {scaled}]"
    to.numbers, to.vector = [], f"CASE WHEN {is_near} THEN {to.vector} ELSE {far} END"
    to.raw = op


def _double(value: float) -> str:
    """Return a literal of a double, which DuckDB need not cast."""
    text = f"{value:.9g}"
    return text if "e" in text else f"{text}e0"


def _is_list(to: Query, op: Op) -> bool:
    """Tell whether what an op returns becomes a list: the input of a layer of several outputs, in DuckDB."""
    following = to.program.ops[to.program.ops.index(op) + 1]
    is_layer = isinstance(following, ops.Affine | ops.LookupAffine) and following.weight.shape[1] > 1
    return to.dialect == "duckdb" and is_layer


def _make_list(to: Query) -> None:
    """Make a list of the numbers, and of a one for the bias."""
    to.vector = f"CAST([{', '.join([*to.numbers, '1e0'])}] AS DOUBLE[])"
    to.numbers = []


def _quantiles(to: Query, op: ops.Quantiles) -> None:
    to.settle()
    first = op.start - len(to.codes)
    for at, (knots, fill) in enumerate(zip(op.knots.tolist(), op.fill.tolist(), strict=True), start=first):
        filled = f"WHEN {to.numbers[at]} IS NULL THEN {to.decimal(np.interp(fill, knots, op.scores))}"
        to.numbers[at] = f"CASE {filled} {interpolated(to, to.numbers[at], knots, op.scores.tolist())} END"


def _piecewise(to: Query, op: ops.Piecewise) -> None:
    following = to.program.ops[to.program.ops.index(op) + 1]
    to.settle()
    if isinstance(following, ops.Affine | ops.LookupAffine) and following.weight.shape[1] == 1:
        to.bins = op
        return
    columns = (op.columns - len(to.codes)).tolist()
    # squashed numbers are below a hundred
    is_usual = op.width.min(initial=1.0) >= NARROWEST and np.abs(op.lower).max(initial=0.0) <= 100
    if is_usual and _is_list(to, op) and _is_bounded(to.program):
        _knots(to, op)
        return
    to.numbers += [
        _bin(to, to.numbers[column], lower, width)
        for column, lower, width in zip(columns, op.lower.tolist(), op.width.tolist(), strict=True)
    ]


def _knots(to: Query, op: ops.Piecewise) -> None:
    """Append the distances from knots, of which the bins are sums: DuckDB takes a tenth of the time.

    ``clip((x - lower) / width, 0, 1)`` is ``(abs(x - lower) - abs(x - upper)) / (2 * width) + 1 / 2``.
    """
    knots: list[tuple[int, float]] = []
    places: list[tuple[int, int]] = []
    for column, lower, width in zip(
        (op.columns - len(to.codes)).tolist(), op.lower.tolist(), op.width.tolist(), strict=True
    ):
        # an edge of two bins is the same but for its rounding
        edges = [(column, float(to.decimal(edge, 1e-9 * width))) for edge in (lower, lower + width)]
        near = [
            next((one for one in knots[-1:] if one[0] == column and abs(one[1] - edge) <= 3e-7 * width), (column, edge))
            for _, edge in edges
        ]
        knots += [one for one in near if one not in knots]
        places.append((knots.index(near[0]), knots.index(near[1])))
    to.knots = np.zeros((len(op.columns), len(knots)))
    for row, (first, last) in zip(to.knots, places, strict=True):
        row[first] = 0.5 / (knots[last][1] - knots[first][1])
        row[last] = -row[first]
    to.numbers += [f"ABS({minus(to, to.numbers[column], knot, 0.0)})" for column, knot in knots]


def _bin(to: Query, value: str, lower: float, width: float) -> str:
    """Return how far a number has come into a bin."""
    reached = f"({minus(to, value, lower, 1e-9 * width)}) * {to.decimal(1.0 / width)}"
    return f"{to.greatest}({to.least}({reached}, 1), 0)"


def _affine(to: Query, op: ops.Affine | ops.LookupAffine) -> None:
    if to.linear is not None:
        weights = _list(to, ops.real_weights(op.weight, op.scale)[:, 0].astype(np.float64))
        to.numbers = [f"{to.linear} + LIST_INNER_PRODUCT({weights}, {to.vector})"]
        to.vector = to.linear = None
        return
    to.settle()
    weight, bias = ops.real_weights(op.weight, op.scale), op.bias.astype(np.float64)
    tables = ops.real_weights(op.tables, op.tables_scale) if isinstance(op, ops.LookupAffine) else None
    offsets = op.offsets.tolist() if isinstance(op, ops.LookupAffine) else []
    n_out = len(bias)
    if to.dialect == "duckdb" and (n_out > 1 or to.vector is not None):
        _product(to, op, tables)
        return
    # a sum begins with a double, whatever comes after it
    terms = [[f"+ {to.wide(to.decimal(value))}"] for value in bias.tolist()]
    if n_out == 1 and tables is not None:
        # the codes have become their weights
        terms[0] += [f"+ {code}" for code in to.codes]
    elif tables is not None:
        ends = [*offsets[1:], len(tables)]
        for code, start, end in zip(to.codes, offsets, ends, strict=True):
            for at, block in enumerate(tables[start:end].T.tolist()):
                cases = " ".join(f"WHEN {level} THEN {to.decimal(value)}" for level, value in enumerate(block))
                terms[at].append(f"+ CASE {code} {cases} END")
    if to.bins is not None:
        bins, to.bins = to.bins, None
        n_bins = len(bins.columns)
        terms[0] += _of_bins(to, bins, weight[-n_bins:, 0], weight[:-n_bins, 0])
        weight = weight[:0]
    for value, row in zip(to.numbers if len(weight) else [], weight.tolist(), strict=True):
        for one, number_of in zip(terms, row, strict=True):
            one += to.term(number_of, value)
    to.codes, to.numbers = [], [total(one) for one in terms]


def _of_bins(to: Query, op: ops.Piecewise, weight: Array, linear: Array) -> list[str]:
    """Return the terms of one output over numbers, weighted by `linear`, and over their bins.

    What bins of one column add up to is linear between knots: a sum of distances to these, ``w * ABS(x - knot)``. That
    is short, but large numbers would cancel; columns that are not squashed, and narrow bins, are printed one by one.
    """
    terms: list[str] = []
    constant = 0.0
    columns = np.asarray(op.columns) - len(to.codes)
    squashed = any(isinstance(one, ops.Standardize) and one.limit < ops.LARGEST for one in to.program.ops)
    for at, value in enumerate(to.numbers):
        slope, change = linear[at], dict[float, float]()
        for k in np.flatnonzero(columns == at):
            lower, width = float(op.lower[k]), float(op.width[k])
            if not weight[k]:
                continue
            if not squashed or width < NARROWEST:
                terms += to.term(weight[k], _bin(to, value, lower, width))
                continue
            half = weight[k] / width / 2
            constant += weight[k] / 2
            for knot, one in ((lower, half), (lower + width, -half)):
                # edges of neighbours are the same but for their rounding, which a steep bin would show
                near = next((known for known in change if abs(known - knot) * max(1.0, abs(one)) <= 1e-7), knot)
                change[near] = change.get(near, 0.0) + one
        # rounded such that the slope of every piece is within a rounding of what it is, also if others are steep
        knots, unit = sorted(change), 1e-8
        rounded = np.round(np.cumsum([change[knot] for knot in knots]) / unit)
        for knot, steps in zip(knots, np.diff(rounded, prepend=0.0).tolist(), strict=True):
            distance = minus(to, value, knot, 3e-8 / max(0.1, abs(steps * unit)))
            terms += to.term(steps * unit, f"ABS({distance})", unit / 10)
        terms += to.term(slope, value)
    return [*to.term(constant), *terms]


def _product(to: Query, op: ops.Affine | ops.LookupAffine, tables: Array | None) -> None:
    """Print a layer as the products of lists, and the activation after it."""
    if to.vector is None:
        _make_list(to)
    to.settle()
    at = to.program.ops.index(op)
    following: Op = to.program.ops[at + 1]
    last: Any = to.program.ops[min(at + 2, len(to.program.ops) - 1)]
    is_relu, is_hidden = isinstance(following, ops.Relu), type(following) in _ONE
    # max(u, 0) is (u + |u|) / 2, and what the u add to one output is linear in the inputs: a pass over the units less
    is_split = is_relu and isinstance(last, ops.Affine) and last.weight.shape[1] == 1 and _is_bounded(to.program)
    rows = np.vstack([ops.real_weights(op.weight, op.scale), op.bias]).T.astype(np.float64)
    if to.knots is not None:
        n_plain = len(op.weight) - len(to.knots)
        bins = rows[:, n_plain:-1]
        bias = rows[:, -1:] + bins.sum(axis=1, keepdims=True) / 2
        rows, to.knots = np.hstack([rows[:, :n_plain], bins @ to.knots, bias]), None
    unit = np.ones(rows.shape[1])
    if to.raw is not None:
        mean, scale = to.raw.mean, to.raw.scale
        rows[:, :-1] /= scale
        rows[:, -1] -= rows[:, :-1] @ mean
        # how large an input may be
        unit[:-1] = np.abs(mean) + to.raw.limit * scale
        to.raw = None
    if is_hidden and not is_split:
        # one more unit that is always one, for the next layer's bias
        rows = np.vstack([rows, np.append(np.zeros(rows.shape[1] - 1), _ONE[type(following)])])
    to.width, n = rows.shape
    vector, picked = str(to.vector), []
    if isinstance(op, ops.LookupAffine) and tables is not None:
        # the weights of levels come after those of numbers
        rows = np.hstack([rows, np.pad(tables, ((0, 0), (0, len(rows) - tables.shape[1]))).T])
        picked = [f"w[{n + 1 + start} + {code}]" for code, start in zip(to.codes, op.offsets.tolist(), strict=True)]
        to.codes = []
    numbers = f"w[1:{n}]" if picked else "w"
    product = " + ".join([f"LIST_INNER_PRODUCT({numbers}, {vector})", *picked])
    if len(rows) == 1:
        to.numbers, to.vector = [f"LIST_INNER_PRODUCT({_list(to, rows[0])}, {vector})"], None
        return
    rows = rows / 2 if is_relu else rows
    if is_split:
        output = np.array([float(to.decimal(value)) for value in ops.real_weights(last.weight, last.scale)[:, 0]])
        linear = output @ rows
        linear[n - 1] += float(last.bias[0])
        weights = _list(to, linear, 100 * unit)
        to.linear = f"[{product} FOR w IN [{weights}]][1]" if picked else product.replace("w", weights, 1)
        to.vector = f"[ABS({product}) FOR w IN {_list(to, rows, unit)}]"
        return
    # GREATEST takes longer than a sum
    formula = "u + ABS(u)" if is_relu else _activated(to, following, "u") if is_hidden else ""
    to.vector = f"[{product} FOR w IN {_list(to, rows, unit)}]"
    to.vector = f"[{formula} FOR u IN {to.vector}]" if is_hidden else to.vector


def _is_bounded(program: Program) -> bool:
    """Tell whether no number of a row is large where it enters the first layer, so that nothing large is cancelled."""
    entry = program.ops[0]
    if not isinstance(entry, Columns):
        return False
    squashing = [
        op
        for op in program.ops
        if isinstance(op, ops.Quantiles) or (isinstance(op, ops.Standardize) and op.limit < ops.LARGEST)
    ]
    squashed = {column for op in squashing for column in range(op.start, op.start + len(op.fill))}
    return all(at in squashed for at, kind in enumerate(entry.kinds) if kind in ("number", "datetime"))


#: What each activation makes one of.
_ONE: dict[type[Op], float] = {ops.Relu: 1.0, ops.Silu: 1.2784645427610738, ops.Tanh: 20.0}


def _list(to: Query, values: Array, unit: Array | None = None) -> str:
    """Return a list of numbers, or of lists of them, as DuckDB reads it fastest: from a text.

    The numbers are to be exact within a billionth of a `unit`, if one is given.
    """
    tolerance: list[float | None] = [None] * values.shape[-1]
    if unit is not None:
        tolerance[: len(unit)] = (1e-9 / unit).tolist()
    rows = []
    for row in np.atleast_2d(values).tolist():
        texts = ",".join(map(to.decimal, row, tolerance))
        rows.append(f"[{re.sub(r'(?<![0-9.])0[.]', '.', texts)}]")
    return f"CAST('{rows[0]}' AS DOUBLE[])" if values.ndim == 1 else f"CAST('[{','.join(rows)}]' AS DOUBLE[][])"


def _activation(to: Query, op: Op) -> None:
    if to.vector is not None:
        # it has been printed with its layer
        return
    if isinstance(op, ops.Silu):
        to.settle()
    to.numbers = [_activated(to, op, value) for value in to.numbers]


def _activated(to: Query, op: Op, value: str) -> str:
    formulas: dict[type[Op], str] = {
        ops.Relu: f"{to.greatest}({value}, 0)",
        ops.Tanh: f"TANH({value})",
        ops.Silu: f"{value} / (1 + EXP(-{to.within(value, 200)}))",
    }
    return formulas[type(op)]


PRINTERS: dict[type[Op], Callable[[Query, Any], None]] = {
    Columns: _columns,
    ops.Bound: _bound,
    ops.DateParts: _date_parts,
    ops.Clip: _clip,
    ops.Indicate: _indicate,
    ops.Standardize: _standardize,
    ops.Quantiles: _quantiles,
    ops.Piecewise: _piecewise,
    ops.LookupAffine: _affine,
    ops.Affine: _affine,
    ops.Relu: _activation,
    ops.Silu: _activation,
    ops.Tanh: _activation,
    Tree: tree,
    ops.Softmax: softmax,
    ops.Sigmoid: sigmoid,
    ops.OneVsRest: one_vs_rest,
    ops.Unstandardize: unstandardize,
    ops.BackTransform: back_transform,
}
