"""The columns of a raw table and their kinds, which are settled once for all rows."""

from __future__ import annotations

import datetime
import decimal
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..program import (
    DATE_FORMS,
    as_key,
    category_order,
    cell_reader,
    column_names,
    column_reader,
    date_reader,
    is_frame,
    is_missing,
    is_short,
    number_reader,
    numbers,
    plain_cells,
    seconds,
    user_level,
)

Array = NDArray[Any]

#: The types of the cells of numbers and of dates.
_TYPES: dict[str, tuple[type, ...]] = {
    "number": (Real, np.number, np.bool_, decimal.Decimal, datetime.timedelta, np.timedelta64),
    "datetime": (datetime.date, np.datetime64),
}
#: A column is of a kind if so many of its cells are; the others are missing.
_NEARLY_ALL = 0.95
#: Texts alone are numbers or dates if so many of them are.
_MOST_TEXTS = 0.8
#: What is read as texts although it holds so many numbers or dates is worth a warning.
_UNCLEAR = 0.3
#: Texts that say that there is nothing.
_NONE = frozenset(
    [
        "",
        "-",
        "--",
        ".",
        "?",
        "#n/a",
        "0000-00-00",
        "missing",
        "n/a",
        "na",
        "nan",
        "nat",
        "nil",
        "none",
        "null",
        "unknown",
    ]
)
#: A level with so many rows can be learned.
_FREQUENT = 10
#: The most columns of which a warning gives an example, and that it names.
_MOST_NAMED, _MOST_LISTED = 5, 30
#: So many distinct texts show whether a column may hold numbers or dates at all.
_FIRST_FEW = 200
#: What comes first in a date, as a warning says it.
_FIRST = {"ymd": "year", "mdy": "month", "dmy": "day"}
_CURRENCY = "[A-Z]{0,3}[$¢£¥€₹₽₩₺₫₱₦₪฿₴₸₿]|[A-Z]{3}(?= )"
_AROUND = re.compile(
    rf"\(?[-+\u2212]?\s*(?P<before>{_CURRENCY})?\s*[-+\u2212]?\s*(?P<number>[\d.,](?:[\d.,'\s]*[\d.,])?(?:[eE][+-]?\d{{1,3}})?)"
    r"\s*(?P<after>[^\d.,()+\-\u2212'\s:/][^\d.,()+:]{0,11})?\)?"
)
#: Texts of whole numbers, which may be codes; those that begin with a zero are.
_WHOLE = re.compile(r"\d+")
_CODE = re.compile(r"0\d+")


@dataclass(frozen=True)
class Column:
    """A raw column.

    Parameters
    ----------
    name : object
        Its name, or its index.
    cells : ndarray of shape (n_rows,)
        Its cells, raw.
    kind : {"number", "datetime", "category"}
        What it is read as.
    order : tuple, default=()
        The levels of an ordered category in their order.
    form : str, default=""
        How texts are read as numbers or dates; empty where there are none.
    strays : tuple, default=()
        The cells that are not of its kind, and so are missing.
    unclear : str, default=""
        What part of the texts of a category are, which are not read so: "62 % numbers".
    """

    name: Any
    cells: Array
    kind: str
    order: tuple[Any, ...] = ()
    form: str = ""
    strays: tuple[Any, ...] = ()
    unclear: str = ""

    @cached_property
    def values(self) -> Array:
        """Its numbers, or its dates in seconds since 1970, as float64 of shape (n_rows,), NaN where missing."""
        if self.form:
            read = cell_reader(self.kind, self.form)
            return np.array([read(cell) for cell in plain_cells(self.cells)], dtype=np.float64)
        return (numbers if self.kind == "number" else seconds)(self.cells)

    @property
    def holds(self) -> str:
        """What its cells are: "number", "datetime", "text", or "level" for categories that are numbers."""
        if self.kind != "category":
            return self.kind
        levels = [cell for cell in self.cells.tolist() if not is_missing(cell)]
        return "level" if levels and all(isinstance(as_key(level), bool | int | float) for level in levels) else "text"


def raw_columns(X: Any, settled: Sequence[tuple[str, str]] | None = None) -> Iterator[Column]:
    """Yield the columns of a table.

    Parameters
    ----------
    X : ndarray or frame of shape (n_rows, n_columns)
        The raw rows.
    settled : sequence of (str, str) or None, default=None
        The kind and form of each column where these are known, as of a table that X is a part of.
    """
    read = column_reader(X)
    for index, name in enumerate(column_names(X) if is_frame(X) else range(X.shape[1])):
        cells = read(index)
        order = category_order(X, index) if cells.dtype.kind == "O" else None
        kind, form, strays, unclear = "category", "", (), ""
        if settled is not None:
            kind, form = settled[index]
        elif cells.dtype.kind in "fiubm":
            kind = "number"
        elif cells.dtype.kind == "M":
            kind = "datetime"
        elif order is None:
            kind, form, strays, unclear = _settle(cells.tolist())
        yield Column(name, cells, kind, order or (), form, strays, unclear)


def settled_kinds(X: Any) -> list[tuple[str, str]]:
    """Return the kind and form of each column of a table."""
    return [(column.kind, column.form) for column in raw_columns(X)]


def _settle(cells: list[Any]) -> tuple[str, str, tuple[Any, ...], str]:
    """Return the kind of an untyped column, its form, the cells that are not of that kind, and what is unclear.

    What nearly all cells are is the kind; otherwise a column of frequent levels holds categories; otherwise the
    kind is what most cells are. Texts such as "n/a" do not count.
    """
    try:
        # booleans and numbers may be equal
        counts: Iterable[tuple[tuple[type, Any], int]] = Counter(zip(map(type, cells), cells, strict=True)).items()
    except TypeError:
        counts = [((type(cell), cell), 1) for cell in cells]
    present = [(cell, count) for (_, cell), count in counts if not is_missing(cell)]
    types = {
        one: next((kind for kind, of in _TYPES.items() if issubclass(one, of)), "")
        for one in {type(cell) for cell, _ in present}
    }
    kinds = set(types.values())
    if len(kinds) <= 1 and "" not in kinds:
        return next(iter(kinds), "number"), "", (), ""
    given = [(cell, n) for cell, n in present if not (isinstance(cell, str) and cell.strip().lower() in _NONE)]
    n_given, texts, others = sum(n for _, n in given), Counter[str](), Counter[str]()
    for cell, n in given:
        if isinstance(cell, str):
            texts[cell] += n
        else:
            others[types[type(cell)]] += n
    # of eight digits, most numbers are no dates
    found = [(others[kind] + n_read, kind, form) for kind, form, n_read in (_dates_in(texts), _numbers_in(texts))]
    n_most, kind, form = max(found, key=lambda one: one[0])
    # a code that is a whole number is a level unless numbers stand beside it
    whole = not others[kind] and all(map(_WHOLE.fullmatch, texts))
    fewest = n_given * (0.5 if others[kind] else _MOST_TEXTS)
    frequent = (whole or n_most < _NEARLY_ALL * n_given) and _has_frequent_levels(given)
    if not given or n_most < fewest or frequent:
        share = n_most / max(n_given, 1)
        what = "numbers" if kind == "number" else "dates"
        return "category", "", (), f"{share:.0%} {what}" if share >= _UNCLEAR and not frequent else ""
    read = cell_reader(kind, form)
    strays = (cell for cell in cells if not is_missing(cell) and is_missing(read(cell)) and cell != "")
    return kind, form, tuple(strays), ""


def _has_frequent_levels(cells: list[tuple[Any, int]]) -> bool:
    """Tell whether nearly all cells, given with their counts, are levels that occur often."""
    counts = Counter[str]()
    for cell, n in cells:
        counts[repr(cell)] += n
    return sum(n for n in counts.values() if n >= _FREQUENT) >= _NEARLY_ALL * counts.total()


def _numbers_in(texts: Counter[str]) -> tuple[str, str, int]:
    """Return the kind, the form of those texts that are numbers, and how many are."""
    before, after = Counter[str](), Counter[str]()
    first = _some(texts)
    n_found = sum(_number_in(text) is not None for text in first)
    if not n_found:
        return "number", "0.", 0
    if n_found >= len(first) / 2:
        for text, count in texts.items():
            around = _number_in(text)
            if around and _CODE.fullmatch(around["number"]):
                # an index, a postal code
                return "number", "0.", 0
            if around:
                before[around["before"] or ""] += count
                after[(around["after"] or "").strip()] += count
    affixes = [
        max((one for one in counts if one), key=lambda one: counts[one], default="") for counts in (before, after)
    ]
    best = ("number", "0.", 0)
    for mark, behind in product(",." if _has_thousands(texts) else ".,", dict.fromkeys((affixes[1], ""))):
        form = f"{affixes[0]}0{mark}{behind}"
        read = number_reader(form)
        n_read = sum(count for text, count in texts.items() if not is_missing(read(text)))
        best = max(best, ("number", form, n_read), key=lambda one: one[2])
    return best


def _has_thousands(texts: Iterable[str]) -> bool:
    """Tell whether points part thousands: three digits follow each, and numbers without one have three at most."""
    found = [around["number"] for around in map(_number_in, texts) if around]
    parted = [one for one in found if "." in one]
    whole = [one for one in found if "." not in one]
    return (
        len(whole) >= max(3, 0.05 * len(found)) <= len(parted)
        and all(re.fullmatch(r"[1-9]\d{0,2}(\.\d{3})+", one) for one in parted)
        and all(len(one) <= 3 for one in whole)
    )


def _some(texts: Iterable[str]) -> list[str]:
    """Return some texts, from the first to the last."""
    texts = list(texts)
    return texts[:: max(1, len(texts) // _FIRST_FEW)]


def _number_in(text: str) -> re.Match[str] | None:
    """Match a number and what stands around it."""
    return _AROUND.fullmatch(text.strip()) if is_short(text) else None


def _dates_in(texts: Counter[str]) -> tuple[str, str, int]:
    """Return the kind, the form of those texts that are dates, and how many are."""
    best = ("datetime", DATE_FORMS[0], 0)
    # where both are possible, the day comes first before points, and where all first fields are equal
    first = [text.strip() for text in _some(texts) if is_short(text)]
    leading = {re.split(r"[ ,./-]+", text)[0] for text in first}
    dotted = all("." in text for text in first) or len(leading) == 1 < len(first)
    for form in ("ymd", "dmy", "mdy") if dotted else DATE_FORMS:
        read = date_reader(form)
        if sum(read(text) is not None for text in first) >= len(first) / 2:
            n_read = sum(count for text, count in texts.items() if read(text) is not None)
            best = max(best, ("datetime", form, n_read), key=lambda one: one[2])
    return best


@dataclass
class Notes:
    """Notes on how the columns of a table are read, as parts of warnings."""

    texts: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    constant: list[str] = field(default_factory=list)

    def settled(self, column: Column) -> None:
        """Note a column whose texts are read, or some of whose cells are not."""
        if column.unclear:
            self.unclear.append(f"{plain_repr(column.name)} ({column.unclear})")
        if not column.form:
            return
        name, cells = plain_repr(column.name), column.cells.tolist()
        values = column.values
        texts = [at for at, cell in enumerate(cells) if isinstance(cell, str) and not np.isnan(values[at])]
        known = [cells[at] for at in texts]
        if texts:
            text, value = cells[texts[0]], values[texts[0]]
            read = f"{value:g}"
            if column.kind == "datetime":
                read = f"{np.datetime64(int(value), 's')}, {_FIRST[column.form]} first".replace("T", " ")
                if column.form != "ymd" and all(map(date_reader("mdy" if column.form == "dmy" else "dmy"), known)):
                    read += ", which is a guess"
            self.texts.append(f"{name} ({text!r} as {read})")
        if column.strays:
            shown = ", ".join(map(plain_repr, list(dict.fromkeys(map(_hashable, column.strays)))[:3]))
            what = "number" if column.kind == "number" else "date"
            self.strays.append(f"{name} ({len(column.strays)} of {len(cells)} cells are no {what}, such as {shown})")

    def warn(self) -> None:
        """Issue a warning for each kind of note."""
        for parts, says, remedy in (
            (
                self.texts,
                "Texts are read as numbers or dates in",
                "To have them read in another way, convert them before fit.",
            ),
            (
                self.strays,
                "Cells unlike the rest of their column are read as missing in",
                "Make them missing or correct them, or make the column categorical.",
            ),
            (
                self.unclear,
                "Read as texts, although many are numbers or dates in one notation:",
                "Bring the others to that notation, or convert the column before fit.",
            ),
            (
                self.unread,
                "Not used, or only in part, since their values hardly repeat:",
                "Drop them, group their values, lower the student's min_frequency, or give it an encoder=.",
            ),
            (
                self.constant,
                "Not used, since they hardly vary and there are hundreds of others:",
                "Select columns yourself, or pass an encoder=.",
            ),
        ):
            if parts:
                # of the others, the names
                names = [part.partition(" (")[0] for part in parts[_MOST_NAMED:_MOST_LISTED]]
                more = len(parts) - _MOST_NAMED - len(names)
                listed = "; ".join([*parts[:_MOST_NAMED], *names]) + (f" and {more} more" if more > 0 else "")
                warnings.warn(f"{says} {listed}. {remedy}", UserWarning, stacklevel=user_level())


def plain_repr(value: Any) -> str:
    """Return how a message shows a name or a cell: a scalar of numpy as the Python value that it is."""
    return repr(value.item() if isinstance(value, np.generic) else value)


def _hashable(cell: Any) -> Any:
    return cell if isinstance(cell, str | int | float | bool) else str(cell)
