"""Texts in the cells of a table, read as numbers, as dates or as words.

How the texts of a column are read is its form, which is settled when an encoder is fitted:

- of numbers, what stands around a zero and its decimal mark: ``"0."`` for ``"1,234.5"``, ``"$0."`` for ``"$1,234"``,
  ``"0,%"`` for ``"12,5 %"``;
- of dates, the order of year, month and day: ``"ymd"``, ``"mdy"`` or ``"dmy"``; each reads a year of four digits that
  comes first.

A text that has another form is missing. What stands behind a number may be left out if it is a currency alone, since
"3.9k" and "360" have different units.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from functools import lru_cache

#: The orders of a date's parts.
DATE_FORMS = ("ymd", "mdy", "dmy")


def is_form(kind: str, form: str) -> bool:
    """Tell whether a form is one of a column of a kind; a column whose texts are not read has an empty one."""
    known = form in DATE_FORMS if kind == "datetime" else re.fullmatch(r"[^\d.,]{0,8}0[.,][^\d.,]{0,16}", form)
    return not form or (kind in ("number", "datetime") and bool(known))


def is_short(text: str) -> bool:
    """Tell whether a text may be a number or a date."""
    return len(text) <= 64


def is_optional(after: str) -> bool:
    """Tell whether what stands behind a number may be left out, as a currency may."""
    return after in "$¢£¥€₹₽₩₺₫₱₦₪฿₴₸₿" or (len(after) == 3 and after.isupper())


def number_reader(form: str) -> Callable[[str], float]:
    """Return the function that reads texts as numbers, NaN where a text is none.

    Parameters
    ----------
    form : str
        What stands before a number, a zero, the decimal mark, and what stands behind the number.
    """
    before, _, rest = form.partition("0")
    mark, after = rest[0], rest[1:]
    # thousands are parted by the other mark, a space or an apostrophe
    between = re.compile("[' \xa0\u2009\u202f" + ("," if mark == "." else ".") + "]")
    whole = rf"(?:[1-9]\d{{0,2}}(?:{between.pattern}\d{{3}})+|\d+)"
    # "26e17" may be a code
    exponent = rf"(?:[eE][+-]\d{{1,3}})?|\d+[{mark}]\d+[eE]\d{{1,3}}"
    plain = re.compile(rf"{whole}(?:[{mark}]\d*)?{exponent}|[{mark}]\d+")
    optional = is_optional(after)

    def read(text: str) -> float:
        text = text.strip()
        negative = text.startswith("(") and text.endswith(")")
        text = text[1:-1].strip() if negative else text
        # a sign stands before or behind a currency
        start = text.removeprefix(before).strip()
        if start[:1] in ("-", "\u2212", "+"):
            negative |= start[0] != "+"
            text = start[1:].strip()
        elif text[:1] in ("-", "\u2212", "+"):
            negative |= text[0] != "+"
            text = text[1:].strip()
        text = text.removeprefix(before).strip()
        if not optional and not text.endswith(after):
            return float("nan")
        text = text.removesuffix(after).strip()
        if not is_short(text) or plain.fullmatch(text) is None:
            return float("nan")
        value = float(between.sub("", text).replace(",", "."))
        if value == float("inf"):
            return float("nan")
        return -value if negative else value

    return read


def date_reader(form: str) -> Callable[[str], datetime.datetime | None]:
    """Return the function that reads texts as dates, None where a text is none.

    Parameters
    ----------
    form : str
        One of DATE_FORMS. Of "ymd" are the texts of ISO 8601, too.
    """
    months = ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october"]
    months += ["november", "december"]
    weekday = r"(?:[A-Za-z]{3,9}, ?)?"
    day = re.compile(r"(\d{1,4}|[A-Za-z]{3,9})[ ,./-]+(\d{1,2}|[A-Za-z]{3,9})[ ,./-]+(\d{1,4})")
    time = re.compile(r"[T ,]+(\d{1,2}):(\d{2})(?::(\d{2})(\.\d{1,6})?)? ?([AaPp]\.?[Mm]\.?)?")
    whole = re.compile(f"{weekday}{day.pattern}(?:{time.pattern})?(?: ?(?:GMT|UTC|Z))?")

    def read(text: str) -> datetime.datetime | None:
        text = text.strip() if is_short(text) else ""
        try:
            if text[:4].isdecimal() and (len(text) == 8 or not text.isdecimal()):
                return datetime.datetime.fromisoformat(text)
        except ValueError:
            pass
        found = whole.fullmatch(text)
        if found is None:
            return None
        order = "ymd" if re.fullmatch(r"\d{4}", found[1]) else form
        year, month, day = (found[1 + order.index(part)] for part in "ymd")
        if not month.isdigit():
            month = str(next((at for at, name in enumerate(months, 1) if name.startswith(month.lower())), 0))
        hour, minute, second = (int(part or 0) for part in found.groups()[3:6])
        half = (found[8] or "").lower()[:1]
        if half and not 1 <= hour <= 12:
            return None
        if half:
            hour = hour % 12 + (12 if half == "p" else 0)
        if len(year) != 4 and (len(year) != 2 or order == "ymd"):
            return None
        try:
            full = int(year) if len(year) == 4 else (int(year) + 31) % 100 + 1969
            micro = round(float(found[7] or 0) * 1e6)
            return datetime.datetime(full, int(month), int(day), hour, minute, second, micro)
        except ValueError:
            return None

    return read


@lru_cache(maxsize=1)
def words_of(text: str) -> frozenset[bytes]:
    """Return the words of a text in UTF-8: runs of letters, digits and all that is not ASCII, in lower case."""
    # only ASCII letters have a lower case here: every language that a Program is exported to does that alike
    return frozenset(re.findall(rb"[0-9a-z\x80-\xff]+", text.encode("utf-8", "surrogatepass").lower()))
