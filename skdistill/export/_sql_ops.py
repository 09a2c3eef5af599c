"""The printer of each op in SQL, which turns the codes and numbers of a query into expressions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..program import Columns, Levels, Op, Program, Tree, Word, ops
from ._sql_query import NARROWEST, Query, total

Array = NDArray[Any]

#: What compares texts by their bytes; elsewhere they are so compared unless a column was made otherwise.
_BINARY = {"duckdb": " COLLATE C", "postgres": ' COLLATE "C"', "sqlite": " COLLATE BINARY"}
#: The deepest tree that SQLite is given, whose parser keeps a hundred states.
_DEEPEST = 18
#: Beyond this, a double cannot distinguish an integer from its neighbours.
_LARGEST_WHOLE = 2**53


def _columns(to: Query, op: Columns) -> None:
    texts: dict[int, int] = {}
    plain: list[str | Word] = []
    weights = iter(_of_codes(to))
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
            # a column is read twice, which DuckDB does once
            number = f"{column}::DOUBLE" if _is_raw(to, to.program.ops[1]) else to.number(column)
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
            to.numbers[at] = f"({_minus(to, value, mean, 1e-9 * scale)}) * {to.decimal(1.0 / scale)}"


def _minus(to: Query, value: str, center: float, tolerance: float | None) -> str:
    """Return a difference, without parentheses, that may be multiplied."""
    written = to.decimal(abs(center), tolerance)
    return to.safe(value) if float(written) == 0 else f"{value} {'-' if center > 0 else '+'} {written}"


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
    to.vector = f"[{', '.join([*to.numbers, '1'])}]::DOUBLE[]"
    to.numbers = []


def _quantiles(to: Query, op: ops.Quantiles) -> None:
    to.settle()
    first = op.start - len(to.codes)
    for at, (knots, fill) in enumerate(zip(op.knots.tolist(), op.fill.tolist(), strict=True), start=first):
        filled = f"WHEN {to.numbers[at]} IS NULL THEN {to.decimal(np.interp(fill, knots, op.scores))}"
        to.numbers[at] = f"CASE {filled} {_interpolated(to, to.numbers[at], knots, op.scores.tolist())} END"


def _interpolated(to: Query, x: str, knots: Sequence[float], scores: Sequence[float]) -> str:
    """Return the cases of a piecewise-linear curve; of several equal knots, the last one counts."""
    pieces = [f"WHEN {x} < {knots[0]!r} THEN {to.decimal(scores[0])}"]
    for k in range(len(knots) - 1):
        if knots[k + 1] > knots[k]:
            slope = (scores[k + 1] - scores[k]) / (knots[k + 1] - knots[k])
            rise = f" + {to.decimal(slope)} * ({_minus(to, x, knots[k], 0.0)})" if slope else ""
            pieces.append(f"WHEN {x} < {knots[k + 1]!r} THEN {to.decimal(scores[k])}{rise}")
    return f"{' '.join(pieces)} ELSE {to.decimal(scores[-1])}"


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
    to.numbers += [f"ABS({_minus(to, to.numbers[column], knot, 0.0)})" for column, knot in knots]


def _bin(to: Query, value: str, lower: float, width: float) -> str:
    """Return how far a number has come into a bin."""
    reached = f"({_minus(to, value, lower, 1e-9 * width)}) * {to.decimal(1.0 / width)}"
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
            distance = _minus(to, value, knot, 3e-8 / max(0.1, abs(steps * unit)))
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


def _depth(op: Tree) -> int:
    """Return how many branches of a tree are below each other."""
    depths = np.zeros(len(op.columns) + 1, dtype=int)
    # a branch comes before those below it
    for at, below in enumerate(zip(op.left.tolist(), op.right.tolist(), strict=True)):
        for branch in below:
            if branch >= 0:
                depths[branch] = depths[at] + 1
    return int(depths.max()) + 1


def _tree(to: Query, op: Tree) -> None:
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


def _softmax(to: Query, op: ops.Softmax) -> None:
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


def _sigmoid(to: Query, op: ops.Sigmoid) -> None:
    _of_vector(to)
    to.settle()
    proba = [f"1 / (1 + {_exp(to, f'-{z}')})" for z in to.numbers]
    to.numbers = [*proba, *(f"CASE WHEN {z} > 0 THEN 1 ELSE 0 END" for z in to.numbers)]


def _one_vs_rest(to: Query, op: ops.OneVsRest) -> None:
    _of_vector(to)
    to.settle()
    label = _cut(to, to.numbers[0], op)
    if op.knots is None or op.scores is None:
        shares = [f"1 / (1 + {_exp(to, f'-{z}')})" for z in to.numbers]
    else:
        curves = zip(to.numbers, op.knots.tolist(), op.scores.tolist(), strict=True)
        shares = [to.wide(f"CASE {_interpolated(to, *curve)} END") for curve in curves]
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


def _unstandardize(to: Query, op: ops.Unstandardize) -> None:
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


def _back_transform(to: Query, op: ops.BackTransform) -> None:
    _unstandardize(to, op)
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
    Tree: _tree,
    ops.Softmax: _softmax,
    ops.Sigmoid: _sigmoid,
    ops.OneVsRest: _one_vs_rest,
    ops.Unstandardize: _unstandardize,
    ops.BackTransform: _back_transform,
}
