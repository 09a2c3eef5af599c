"""The row of a Program in C: a struct with a field for each column, and the levels of categorical fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..program import Bound, Columns, Levels
from ._c_text import Names, char_array, comment, identifier, is_long, loop, number, smallest, string, utf8

if TYPE_CHECKING:
    from ._c_printer import Printer


@dataclass
class Enum:
    """The levels of a field: an enumerator for each, one for any other level and one for a missing value."""

    keys: list[Any]
    enumerators: list[str]
    other: str
    missing: str


@dataclass
class Field:
    """A member of the struct: a number (the seconds of a date included), or a level."""

    source: int
    name: str
    comment: str
    levels: Enum | None = None


@dataclass
class Row:
    """The struct: its fields, and the functions that look up their levels."""

    fields: list[Field]
    #: The number of columns if the struct is one array of numbers; 0 if it has named fields.
    n_array: int = 0
    #: The declarations of the functions that look up levels.
    lookups: list[str] = field(default_factory=list)


def read_entry(to: Printer, entry: Columns | Bound, prefix: str, names: Names) -> Row:
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
    row : Row
        The struct.
    """
    if isinstance(entry, Bound):
        n = entry.n_columns
        to.emit(loop("i", n, f"x[i] = {to.call('bounded(row->x[i])')};"))
        return Row([], n)
    if entry.names is None and set(entry.kinds) <= {"number"}:
        n_read = len(entry.sources)
        if entry.sources == tuple(range(n_read)):
            to.emit(loop("i", n_read, "x[i] = row->x[i];"))
        elif n_read:
            sources = to.constant("source", smallest(np.array(entry.sources, dtype=np.int64)))
            to.emit(loop("i", n_read, f"x[i] = row->x[{sources}[i]];"))
        return Row([], entry.n_columns)
    row = Row([])
    # members must not have the names of the files' macros
    members = Names(f"{prefix.upper()}_{name}" for name in ("H", "WIDE"))
    fields: dict[tuple[int, bool], Field] = {}
    # numbers first, then levels: a column that is read as both becomes two fields
    for source, of_levels in sorted({(s, levels is not None) for s, _, levels in entry.reads}):
        title, name = f"column {source}", f"x{source}"
        if entry.names is not None:
            title, name = comment(entry.names[source]), identifier(entry.names[source])
        name = members(f"{name}_level" if (source, False) in fields else name)
        one = Field(source, name, title)
        if of_levels:
            found = [read.levels for s, _, read in entry.reads if s == source and read is not None]
            one.levels = _levels(found, f"{prefix}_{name}".upper(), names)
            _lookup(to, row, one, prefix)
        elif any(s == source and kind == "datetime" for s, kind, _ in entry.reads):
            one.comment += ": seconds since 1970 (UTC); NAN where missing"
        else:
            one.comment += ": a number; NAN where missing"
        fields[source, of_levels] = one
    row.fields = list(fields.values())
    n_codes = len(entry.sizes)
    for at, (source, kind, levels) in enumerate(entry.reads):
        if levels is None:
            to.emit(f"x[{at - n_codes}] = row->{fields[source, False].name};")
        elif kind == "category":
            _read_level(to, fields[source, True], levels, f"code[{at}]", f"code_{at}")
        else:
            _read_level(to, fields[source, True], levels, f"x[{at - n_codes}]", "rank")
    return row


def _levels(tables: list[dict[Any, int]], prefix: str, names: Names) -> Enum:
    other, missing = names(f"{prefix}_OTHER"), names(f"{prefix}_MISSING")
    # a dict keeps the order, and treats 1 and True as one key, as lookups do
    keys = [key for key in dict.fromkeys(key for table in tables for key in table) if key is not None]
    return Enum(keys, [names(f"{prefix}_{enumerator(key)}") for key in keys], other, missing)


def enumerator(key: Any) -> str:
    """Return the part of an identifier that names a level or a class, to follow a prefix."""
    if key == "":
        return "EMPTY"
    text = str(key) if isinstance(key, str) else str(key).replace("-", "minus_")
    # after a prefix, a leading digit or a keyword is harmless
    return identifier(f"x_{text}").removeprefix("x_").rstrip("_").upper() or "X"


def _read_level(to: Printer, one: Field, levels: Levels, target: str, kind: str) -> None:
    """Add the statement that reads a level as a code or a rank, and the table of these unless they are 0, 1, 2 ..."""
    assert one.levels is not None
    keys = one.levels.keys
    value = to.call(f"level((int)row->{one.name}, {len(keys)})")
    codes = np.array([*(levels.levels.get(key, levels.other) for key in keys), levels.other, levels.missing])
    if kind != "rank" and codes.tolist() == list(range(len(keys) + 2)):
        to.emit(f"{target} = {value};")
        return
    table = codes.astype(np.float32) if kind == "rank" else smallest(codes.astype(np.int64))
    # with the code's index, since a column may be read as a category twice
    to.emit(f"{target} = {to.constant(f'{kind}_of_{one.name}', table)}[{value}];")


def _lookup(to: Printer, row: Row, one: Field, prefix: str) -> None:
    """Define the functions that look up a level by its text and, if some levels are numbers, by its number."""
    assert one.levels is not None
    levels = one.levels
    one.comment += f": a level; {levels.missing} where missing"
    by_text: dict[bytes, int] = {}
    for at, key in sorted(enumerate(levels.keys), key=lambda item: not isinstance(item[1], str)):
        text = utf8(str(key))
        # a C string ends at a NUL
        if b"\0" not in text:
            by_text.setdefault(text, at)
    literals = []
    for text in sorted(by_text):
        shown = text.decode("utf-8", "surrogatepass")
        to.rom += len(text) + 1
        if is_long(shown):
            literals.append(f"long_text_{len(to.definitions)}")
            to.definitions.append(char_array(literals[-1], shown))
        else:
            literals.append(string(shown))
    order = smallest(np.array([by_text[text] for text in sorted(by_text)], dtype=np.int64))
    kind = _kind(prefix, one)
    known, signature = len(by_text), f"{kind} {prefix}_{one.name}_from_string(const char *text)"
    body = [signature, "{"]
    if known:
        text_of = f"static const char *const text_of_{one.name}[] = {{\n    " + ",\n    ".join(literals) + "\n};"
        to.definitions.append(text_of)
        to.rom += 4 * known
        level_of = to.constant(f"level_of_{one.name}", order)
        body += [
            f"    int low = 0, high = {known};",
            f"    if (text == 0) return {levels.missing};",
            "    while (low < high) {",
            "        const int middle = (low + high) / 2;",
            f"        const int sign = {to.call(f'compare(text, text_of_{one.name}[middle])')};",
            f"        if (sign == 0) return ({kind}){level_of}[middle];",
            "        if (sign < 0) high = middle; else low = middle + 1;",
            "    }",
            f"    return {levels.other};",
        ]
    else:
        body.append(f"    return text == 0 ? {levels.missing} : {levels.other};")
    to.definitions.append("\n".join([*body, "}"]))
    row.lookups.append(f"{signature};")
    numeric = _numeric(levels)
    if numeric:
        signature = f"{kind} {prefix}_{one.name}_from_number(double value)"
        body = [
            signature,
            "{",
            f"    if (isnan(value)) return {levels.missing};",
            *(f"    if (value == {number(value)}) return {name};" for value, name in numeric.items()),
            f"    return {levels.other};",
            "}",
        ]
        to.definitions.append("\n".join(body))
        row.lookups.append(f"{signature};")


def _numeric(levels: Enum) -> dict[float, str]:
    """Return the enumerators of the numeric levels, by value."""
    found: dict[float, str] = {}
    for key, name in zip(levels.keys, levels.enumerators, strict=True):
        if isinstance(key, bool | int | float):
            try:
                found.setdefault(float(key), name)
            except OverflowError:
                continue
    return found


def declare_row(row: Row, prefix: str) -> list[str]:
    """Return the declarations of the header: the enums, the struct and the functions that look up levels."""
    blocks = []
    for one in row.fields:
        if one.levels is None:
            continue
        pairs = zip(one.levels.enumerators, one.levels.keys, strict=True)
        lines = [f"    {name} = {at}, /* {_shown(key)} */" for at, (name, key) in enumerate(pairs)]
        n = len(lines)
        lines += [f"    {one.levels.other} = {n}, /* any other level */", f"    {one.levels.missing} = {n + 1}"]
        title = one.comment.rpartition(": a level")[0]
        blocks.append("\n".join([f"/* the levels of {title} */", f"{_kind(prefix, one)} {{", *lines, "};"]))
    if row.n_array:
        members = [f"    double x[{row.n_array}]; /* numbers, in the order of the columns; NAN where missing */"]
    else:
        members = [
            f"    {'double' if one.levels is None else _kind(prefix, one)} {one.name}; /* {one.comment} */"
            for one in row.fields
        ] or ["    char nothing; /* the student uses no column */"]
    blocks.append("\n".join([f"typedef struct {prefix}_row {{", *members, f"}} {prefix}_row;"]))
    if row.lookups:
        note = "/* A level by its text, in UTF-8, or by its number; NULL and NAN are missing. */"
        blocks.append("\n".join([note, *row.lookups]))
    return blocks


def _shown(key: Any) -> str:
    return comment(key) if isinstance(key, str) else repr(key)


def _kind(prefix: str, one: Field) -> str:
    """Return the enum type of a categorical field."""
    return f"enum {prefix}_{one.name}_level"
