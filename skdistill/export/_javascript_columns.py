"""How a JavaScript module reads a row: the cells of its columns, and their types."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import accumulate, groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from ..program import Bound, Columns, Levels, Program, Tree, Word, held_by, is_optional, ops
from ._javascript_text import joined, literal, number, text_literal, texts_literal

if TYPE_CHECKING:
    from ._javascript import Module


def read_bound(to: Module, entry: Bound) -> None:
    """Print the statement that reads the numbers of a row that was sparse in training into `z`."""
    to.each(range(entry.n_columns), lambda x: f"z[i] = bounded(number(c, {x}));")


def read_columns(to: Module, entry: Columns) -> None:
    """Print the statements that read the cells `c` of a row into `z`."""
    forms = entry.forms or ("",) * len(entry.sources)
    starts = [*accumulate(to.sizes, initial=0), *[0] * len(entry.sources)]
    look_up, n_others = ("level", 2) if list(to.sizes) == list(entry.sizes) else ("known", 1)
    _number_lists(to, entry)
    codes: list[tuple[int, str]] = []
    plain: list[tuple[int, int]] = []
    # the words of each text, and the place of the first; a text's words follow each other.
    words: dict[int, tuple[int, list[str]]] = {}
    for at, ((source, kind, read), form) in enumerate(zip(entry.reads, forms, strict=True)):
        if isinstance(read, Levels):
            is_code, start = kind == "category", starts[at]
            levels, others = _levels(to, source, read)
            function = look_up if is_code else "level"
            is_text = all(key is None or isinstance(key, str) for key in read.levels)
            if is_code and is_text and not others and entry.sizes[at] == len(read.levels) + 2:
                codes.append((source, levels))
            cell = f"c[{source}]" if is_text else f"plain(c[{source}])"
            added = f" + {start}" if is_code and start else ""
            code = f"{function}({cell}, {levels}{others}){added}"
            to.codes.append(("", str(at), code)) if is_code else to.emit(f"z[{at}] = {code};")
        elif kind == "datetime" and form:
            to.emit(f"z[{at}] = dateOf(c[{source}], {text_literal(form)});")
        elif kind == "datetime":
            to.emit(f"z[{at}] = seconds(c, {source});")
        elif kind == "number" and form:
            to.emit(f"z[{at}] = {to.constant('r', _number_reader(form))}(c[{source}]);")
        elif kind == "number" and source in (entry.spans or ()):
            held = "time spans, which may be given in seconds,"
            to.emit(f'z[{at}] = number(c, {source}, "{held}");')
        elif kind == "number":
            plain.append((at, source))
        elif isinstance(read, Word):
            words.setdefault(source, (at, []))[1].append(text_literal(read.word))
    if len(codes) == to.n_codes > 3:
        # one loop for all categories, whose codes are those of the levels, of other levels and of missing ones
        cell, own = to.place([source for source, _ in codes]), [levels for _, levels in codes]
        if len(to.lists) <= 10 and all(levels.startswith("l[") for levels in own):
            # the lists by their numbers, which are digits
            kinds = f"l[{to.constant('q', text_literal(''.join(levels[2] for levels in own)))}[i]]"
        else:
            kinds = f"{to.constant('q', joined(own))}[i]"
        loop = f"for (let i = 0, s = 0; i < {to.n_codes}; s += {kinds}.size + {n_others}, i++)"
        to.codes = [(loop, "i", f"{look_up}(c[{cell}], {kinds}) + s")]
    for source, (at, texts) in words.items():
        to.emit(f"findWords(c[{source}], {to.constant('words', joined(texts))}, {at});")
    # numbers that follow each other are read in a loop
    for _, run in groupby(enumerate(plain), key=lambda one: one[1][0] - one[0]):
        cells = [cell for _, cell in run]
        if len(cells) < 3:
            to.emit(*(f"z[{at}] = number(c, {source});" for at, source in cells))
        else:
            cell = to.place([source for _, source in cells])
            to.each([at for at, _ in cells], f"z[{{}}] = number(c, {cell});".format)


def codes_of(program: Program) -> tuple[tuple[int, ...], Any]:
    """Return how many codes each category has, and the rows of a table that are in use."""
    entry = program.ops[0]
    reader = next((op for op in program.ops if isinstance(op, ops.LookupAffine | Tree)), None)
    if not isinstance(entry, Columns) or reader is None or not entry.sizes:
        return getattr(entry, "sizes", ()), slice(None)
    table, ends = reader.ranks if isinstance(reader, Tree) else reader.tables, np.cumsum(entry.sizes)
    reads = [read for _, kind, read in entry.reads if kind == "category" and isinstance(read, Levels)]
    is_usual = all(
        [*read.levels.values(), read.other, read.missing] == list(range(size))
        for read, size in zip(reads, entry.sizes, strict=True)
    )
    if not is_usual or not np.array_equal(table[ends - 2], table[ends - 1], equal_nan=True):
        return entry.sizes, slice(None)
    return tuple(size - 1 for size in entry.sizes), np.delete(np.arange(len(table)), ends - 1)


def _is_in_order(read: Levels) -> bool:
    """Tell whether the codes of the levels are 0, 1, 2 and so on."""
    return [read.levels[key] for key in _keys(read)] == list(range(len(_keys(read))))


def _keys(read: Levels) -> list[Any]:
    return [key for key in read.levels if key is not None]


def _are_texts(keys: Sequence[Any]) -> bool:
    return all(isinstance(key, str) for key in keys)


def _number_lists(to: Module, entry: Columns) -> None:
    """Define the lists of levels that are texts, in one literal that is split at characters that no level has."""
    reads = [read for _, _, read in entry.reads if isinstance(read, Levels) and _is_in_order(read)]
    lists = [keys for keys in dict.fromkeys(tuple(_keys(read)) for read in reads) if keys and _are_texts(keys)]
    marks = [mark for mark in ",;|~^" if not any(mark in key for keys in lists for key in keys)]
    if len(lists) > 1 and len(marks) > 1:
        inner, outer, *_ = marks
        text = text_literal(outer.join(map(inner.join, lists)))
        to.constant("l", f'{text}.split("{outer}").map((t) => {_coded(f"""t.split("{inner}")""")})')
        to.lists = {keys: at for at, keys in enumerate(lists)}


def _coded(keys: str) -> str:
    """Return the codes 0, 1, 2 and so on by level, given the expression of the levels."""
    return f"new Map({keys}.map((x, i) => [x, i]))"


def _levels(to: Module, source: int, read: Levels) -> tuple[str, str]:
    """Return the levels of a column, and the further arguments of what looks up a level."""
    keys, others = _keys(read), ""
    if (read.other, read.missing) != (len(keys), len(keys) + 1):
        others = f", {number(read.other)}, {number(read.missing)}"
    if _is_in_order(read) and tuple(keys) in to.lists:
        return f"l[{to.lists[tuple(keys)]}]", others
    title = f"a level of column {to.names[source]}"
    # a boolean is looked up as a number
    literals = [literal(int(key) if isinstance(key, bool) else key, title) for key in keys]
    if _is_in_order(read):
        levels = _coded(texts_literal(keys) if _are_texts(keys) else joined(literals))
    else:
        pairs = (f"[{key},{number(read.levels[level])}]" for level, key in zip(keys, literals, strict=True))
        levels = f"new Map({joined(pairs)})"
    return to.constant("l", levels), others


def _number_reader(form: str) -> str:
    before, _, rest = form.partition("0")
    mark, after = rest[0], rest[1:]
    texts = ", ".join(map(text_literal, (before, mark, after)))
    return f"numberReader({texts}, {json.dumps(is_optional(after))})"


def is_number(entry: Columns, column: int) -> bool:
    """Tell whether a column is read as nothing but a number that is not a text."""
    forms = entry.forms or ("",) * len(entry.sources)
    reads = [(kind, form) for (source, kind, _), form in zip(entry.reads, forms, strict=True) if source == column]
    return bool(reads) and {*reads} == {("number", "")}


def cell_types(entry: Columns | Bound) -> list[str]:
    """Return the TypeScript type of each column's cells, without that of a missing one."""
    if isinstance(entry, Bound):
        return ["number | boolean"] * entry.n_columns
    types = {"number": "number | bigint | boolean", "level": "number | bigint | boolean", "datetime": "Date | string"}
    known: list[dict[str, None]] = [{} for _ in range(entry.n_columns)]
    forms = entry.forms or ("",) * len(entry.sources)
    for (source, kind, read), form in zip(entry.reads, forms, strict=True):
        if isinstance(read, Levels):
            levels = [level for level in read.levels if level is not None]
            known[source] |= dict.fromkeys("string" if isinstance(level, str) else types["level"] for level in levels)
        known[source] |= dict.fromkeys([*filter(None, [types.get(kind)]), *["string"] * (bool(form) or kind == "word")])
    found = []
    for own, what in zip(known, held_by(entry), strict=True):
        members = " | ".join(own) or types.get(what or "", "string" if what == "text" else "Cell")
        found.append(" | ".join(dict.fromkeys(members.split(" | "))))
    return found
