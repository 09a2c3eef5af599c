"""The row of a Program in C: a struct with a field for each column, and the levels of categorical fields."""

from __future__ import annotations

from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from ..program import Bound, Columns, Levels, Word
from ._c_text import Names, block, comment, enum, identifier, loop, member, number, smallest, utf8

if TYPE_CHECKING:
    from ._c_printer import Printer


class _Enum:
    """The levels of a field: an enumerator for each, one for any other level and one for a missing value."""

    def __init__(self, name: str, tables: list[Levels], prefix: str, names: Names) -> None:
        upper = f"{prefix}_{name}".upper()
        self.name = name
        self.prefix = f"{prefix}_{name}"
        self.kind = f"enum {prefix}_{name}_level"
        self.other, self.missing = names(f"{upper}_OTHER"), names(f"{upper}_MISSING")
        # a dict keeps the order, and treats 1 and True as one key, as lookups do
        keys = dict.fromkeys(chain.from_iterable(table.levels for table in tables))
        self.enumerators = {key: names(f"{upper}_{enumerator(key)}") for key in keys if key is not None}

    def declaration(self, title: str) -> str:
        """Return the declaration of the enum."""
        levels = self.enumerators.items()
        notes = {name: comment(key) if isinstance(key, str) else repr(key) for key, name in levels}
        text = enum(self.kind, notes | {self.other: "any other level", self.missing: ""})
        return f"/* the levels of {title} */\n{text}"


def read_entry(to: Printer, entry: Columns | Bound, prefix: str, names: Names) -> list[str]:
    """Make the struct for a Program's entry, and print the statements that read it into the arrays ``code`` and ``x``.

    Parameters
    ----------
    to : Printer
        The file.
    entry : Columns or Bound
        The first op.
    prefix : str
        The prefix of the file's identifiers.
    names : Names
        The identifiers of the file's scope so far.

    Returns
    -------
    declarations : list of str
        The declarations of the header: the enums of the levels, the struct and the functions that look up levels.
    """
    if isinstance(entry, Bound):
        to.emit(loop("i", entry.n_columns, "x[i] = bounded(row->x[i]);"))
    elif entry.names is None and entry.all_numbers:
        n_read = len(entry.sources)
        if n_read and entry.sources == tuple(range(n_read)):
            to.copy("row->x[i]", n_read)
        elif n_read:
            sources = to.constant("source", smallest(np.array(entry.sources, dtype=np.int64)))
            to.emit(loop("i", n_read, f"x[i] = row->x[{sources}[i]];"))
    else:
        return _read_fields(to, entry, prefix, names)
    spans = ", ".join(map(str, getattr(entry, "spans", None) or ()))
    unit = f"; time spans, in seconds: {spans}" if spans else ""
    note = f"/* numbers, in the order of the columns; NAN where missing{unit} */"
    to.missing.append(loop("i", entry.n_columns, "row->x[i] = NAN;"))
    return [_struct(prefix, f"double x[{entry.n_columns}]; {note}")]


def read_encoded(to: Printer, entry: Columns | Bound, prefix: str, names: Names) -> list[str]:
    """Do what :func:`read_entry` does for rows as the entry returns them: codes, then numbers."""
    assert isinstance(entry, Columns)
    n, n_codes = len(entry.sources), to.n_codes
    if n_codes:
        to.emit(loop("i", n_codes, "code[i] = (int)row->x[i];"))
    if n > n_codes:
        to.copy(f"row->x[i + {n_codes}]" if n_codes else "row->x[i]", n - n_codes)
    return [_struct(prefix, f"double x[{max(n, 1)}]; /* codes and numbers */")]


def _struct(prefix: str, *members: str) -> str:
    note = f"/* Zeros are not missing, but the number 0 and the first level of an enum; see {prefix}_set_missing. */"
    return block(f"{note}\ntypedef struct {prefix}_row ", members, f" {prefix}_row;")


def _read_fields(to: Printer, entry: Columns, prefix: str, names: Names) -> list[str]:
    """Do what :func:`read_entry` does for a struct of named fields."""
    fields, members, enums, lookups = Names(), [], [], []
    forms = dict(zip(entry.sources, entry.forms or (), strict=False))
    numbers: dict[int, str] = {}
    texts: dict[int, str] = {}
    levels_of: dict[int, _Enum] = {}
    n_codes = len(entry.sizes)
    for source in sorted(set(entry.sources)):
        title, name = f"column {source}", f"x{source}"
        if entry.names is not None:
            title, name = comment(entry.names[source]), member(entry.names[source])
        # a column that is read both as a number and as a level becomes two fields
        plain = [kind for at, kind, levels in entry.reads if at == source and levels is None]
        if plain:
            numbers[source] = fields(name)
            what = "a time span in seconds" if source in (entry.spans or ()) else "a number"
            what = "seconds since 1970 (UTC)" if "datetime" in plain else what
            if forms.get(source):
                what += f", to be parsed from texts of the form {comment(forms[source])}"
            members.append(f"double {numbers[source]}; /* {title}: {what}; NAN where missing */")
            to.missing.append(f"row->{numbers[source]} = NAN;")
        words = [
            (at, read.word) for at, (own, _, read) in enumerate(entry.reads) if own == source and isinstance(read, Word)
        ]
        tables = [levels for at, _, levels in entry.reads if at == source and isinstance(levels, Levels)]
        if tables and not (words and all(not table.levels for table in tables)):
            one = levels_of[source] = _Enum(fields(f"{name}_level" if plain else name), tables, prefix, names)
            enums.append(one.declaration(title))
            members.append(f"{one.kind} {one.name}; /* {title}: a level; {one.missing} where missing */")
            to.missing.append(f"row->{one.name} = {one.missing};")
            lookups += _look_up_text(to, one) + _look_up_number(to, one)
        if words:
            text = texts[source] = fields(f"{name}_text" if source in levels_of else name)
            members.append(
                f"const char *{text}; /* {title}: a text in UTF-8, whose words are read; NULL where missing */"
            )
            literals = [to.text(word) for _, word in words]
            to.missing.append(f"row->{text} = 0;")
            to.definitions.append(block(f"static const char *const words_of_{text}[] = ", literals, ";", ","))
            to.rom += 4 * len(words)
            to.emit(f"find_words(row->{text}, words_of_{text}, {len(words)}, x + {words[0][0] - n_codes});")
    for at, (source, kind, levels) in enumerate(entry.reads):
        target = f"code[{at}]" if kind == "category" else f"x[{at - n_codes}]"
        if levels is None:
            to.emit(f"{target} = row->{numbers[source]};")
        elif isinstance(levels, Levels) and source in levels_of:
            # with the code's index, since a column may be read as a category twice
            _read_level(to, levels_of[source], levels, target, f"code_{at}" if kind == "category" else "rank")
        elif isinstance(levels, Levels):
            to.emit(f"{target} = row->{texts[source]} == 0 ? {levels.missing} : {levels.other};")
    if lookups:
        lookups.insert(0, "/* A level by its text, in UTF-8, or by its number; NULL and NAN are missing. */")
    if not members:
        members.append("char nothing; /* the student uses no column */")
        to.missing.append("row->nothing = 0;")
    struct = _struct(prefix, *members)
    return [*enums, struct, *(["\n".join(lookups)] if lookups else [])]


def enumerator(key: Any) -> str:
    """Return the part of an identifier that names a level or a class, to follow a prefix."""
    if key == "":
        return "EMPTY"
    text = str(key) if isinstance(key, str) else str(key).replace("-", "minus_")
    # after a prefix, a leading digit or a keyword is harmless
    return identifier(f"x_{text}").removeprefix("x_").rstrip("_").upper() or "X"


def _read_level(to: Printer, one: _Enum, levels: Levels, target: str, kind: str) -> None:
    """Add the statement that reads a level as a code or a rank, and the table of these unless they are 0, 1, 2 ..."""
    keys = one.enumerators
    value = f"level((int)row->{one.name}, {len(keys)})"
    codes = np.array([*(levels.levels.get(key, levels.other) for key in keys), levels.other, levels.missing])
    if kind != "rank" and codes.tolist() == list(range(len(keys) + 2)):
        to.emit(f"{target} = {value};")
        return
    table = codes.astype(np.float32) if kind == "rank" else smallest(codes.astype(np.int64))
    to.emit(f"{target} = {to.constant(f'{kind}_of_{one.name}', table)}[{value}];")


def _look_up_text(to: Printer, one: _Enum) -> list[str]:
    """Define the function that looks up a level by its text; return its declaration."""
    by_text: dict[str, int] = {}
    for at, key in sorted(enumerate(one.enumerators), key=lambda item: not isinstance(item[1], str)):
        # a C string ends at a NUL
        if "\0" not in str(key):
            by_text.setdefault(str(key), at)
    texts = sorted(by_text, key=utf8)
    signature = f"{one.kind} {one.prefix}_from_string(const char *text)"
    if texts:
        literals = [to.text(text) for text in texts]
        to.definitions.append(block(f"static const char *const text_of_{one.name}[] = ", literals, ";", ","))
        to.rom += 4 * len(texts)
        order = to.constant(f"level_of_{one.name}", smallest(np.array([by_text[text] for text in texts])))
        body = [
            f"int low = 0, high = {len(texts)};",
            f"if (text == 0) return {one.missing};",
            "while (low < high) {",
            "    const int middle = (low + high) / 2;",
            f"    const int sign = compare(text, text_of_{one.name}[middle]);",
            f"    if (sign == 0) return ({one.kind}){order}[middle];",
            "    if (sign < 0) high = middle; else low = middle + 1;",
            "}",
            f"return {one.other};",
        ]
    else:
        body = [f"return text == 0 ? {one.missing} : {one.other};"]
    to.definitions.append(block(f"{signature}\n", body))
    return [f"{signature};"]


def _look_up_number(to: Printer, one: _Enum) -> list[str]:
    """Define the function that looks up a level by its number if some levels are numbers; return its declaration."""
    numeric: dict[float, str] = {}
    for key, name in one.enumerators.items():
        if isinstance(key, bool | int | float):
            with suppress(OverflowError):
                numeric.setdefault(float(key), name)
    if not numeric:
        return []
    signature = f"{one.kind} {one.prefix}_from_number(double value)"
    found = [f"if (value == {number(value)}) return {name};" for value, name in numeric.items()]
    body = [f"if (isnan(value)) return {one.missing};", *found, f"return {one.other};"]
    to.definitions.append(block(f"{signature}\n", body))
    return [f"{signature};"]
