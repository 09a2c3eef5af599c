"""C tokens: identifiers, numbers, strings, comments and arrays that every C99 compiler accepts without a warning."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from textwrap import wrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._files import in_lines

Array = NDArray[Any]

_WIDTH = 110
#: Longer identifiers are truncated: C99 guarantees only 63 significant characters, and a prefix is added.
_LONGEST = 36
#: Names that an identifier must not have: keywords of C and C++, and macros in lower case.
_TAKEN = frozenset(
    """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl concept const consteval
    constexpr const_cast continue co_await co_return co_yield decltype default delete do double dynamic_cast else enum
    explicit export extern false float for friend goto if import inline int long module mutable namespace new noexcept
    not not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires restrict return
    short signed sizeof static static_assert static_cast struct switch template this thread_local throw true try
    typedef typeid typename typeof union unsigned using virtual void volatile wchar_t while xor xor_eq
    complex imaginary noreturn errno stdin stdout stderr assert offsetof isnan isinf signbit linux unix i386 arm near
    far small huge interface main math_errhandling sched_priority
    """.split()  # noqa: SIM905
)
#: Macros that a prefix, a column and a level can spell together, as in M_PI_2.
_MACRO = re.compile(
    r"M_PI_[24]|M_SQRT1_2|FP_FAST_FMA[FL]?|FP_INT_[A-Z]+|UINT_(FAST|LEAST)\d+_(MAX|WIDTH)|SIG_ATOMIC_(MIN|MAX|WIDTH)"
    r"|(FLT|L?DBL)_[A-Z]+(_10)?_(DIG|EXP|METHOD|MIN|SUBNORM)|FE_(ALL_EXCEPT|DFL_ENV)|CLOCKS_PER_SEC|MB_(CUR|LEN)_MAX"
)


def identifier(text: str) -> str:
    """Return an identifier that resembles a text: ASCII letters, digits and single underscores, never a keyword."""
    spelled = []
    for char in unicodedata.normalize("NFKD", text):
        if not unicodedata.combining(char):
            folded = char if char.isascii() else char.casefold()
            spelled.append(folded if folded.isascii() else f"_u{ord(char):x}_" if char.isalnum() else "_")
    name = re.sub("[^A-Za-z0-9]+", "_", "".join(spelled)).strip("_")[:_LONGEST].rstrip("_") or "x"
    if name[0].isdigit():
        name = f"x{name}"
    # the prefixes are those of signal.h
    return f"{name}_" if name in _TAKEN or name.startswith(("si_", "sa_", "sigev_")) else name


def member(text: str) -> str:
    """Return an identifier for a member of a struct, which is in lower case unless it begins like a word.

    Names such as SIZE_MAX and M_PIl are macros of headers, or may become so.
    """
    name = identifier(text)
    return name if re.match("[A-Z]?[a-z]", name) else identifier(name.lower())


class Names:
    """The identifiers of one scope: a number is appended to a name that is taken, or that a macro has."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def __call__(self, name: str) -> str:
        """Return `name`, with a number if it is taken, and reserve the result."""
        found, number = name, 1
        while found in self._taken or _MACRO.fullmatch(found):
            number += 1
            found = f"{name}_{number}"
        self._taken.add(found)
        return found


def comment(text: str) -> str:
    """Return a text in quotes, escaped for a comment."""
    # letters of every script, but nothing that ends a comment, changes the reading direction or starts a trigraph
    shown = "".join(
        char if char.isalnum() or char in " !#$%&'()+,-./:;<=>?@[]^_`{|}~€£" else f"\\u{ord(char):04x}"
        for char in text[:80]
    ).replace("??", "?\\u003f")
    return f'"{shown}{"..." if len(text) > 80 else ""}"'


def utf8(text: str) -> bytes:
    """Encode a text as UTF-8; unpaired surrogates are allowed."""
    return text.encode("utf-8", "surrogatepass")


def string(text: str) -> str:
    """Return a string literal of the UTF-8 bytes of a text."""
    # octal escapes end after three digits, unlike hexadecimal ones; \? cannot be part of a trigraph
    plain = {byte: chr(byte) for byte in range(32, 127)} | {ord("\\"): r"\\", ord('"'): r"\"", ord("?"): r"\?"}
    return '"' + "".join(plain.get(byte, f"\\{byte:03o}") for byte in utf8(text)) + '"'


def number(value: Any) -> str:
    """Return a double literal with exactly this value."""
    value = float(value)
    return repr(value) if np.isfinite(value) else {"nan": "NAN", "inf": "INFINITY", "-inf": "-INFINITY"}[repr(value)]


def _single(value: float) -> str:
    if not np.isfinite(value):
        return number(value)
    text = f"{value:.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def c_type(dtype: np.dtype[Any]) -> str:
    """Return the C type of an array's elements; float16, which C99 does not have, is stored as its bits."""
    return {"float64": "double", "float32": "float", "float16": "uint16_t"}.get(dtype.name, f"{dtype.name}_t")


def array(name: str, values: Array, attribute: str = "") -> str:
    """Return the definition of a flat constant array in the C type of the numpy dtype."""
    flat = np.ascontiguousarray(values).ravel()
    if flat.dtype == np.float16:
        flat = flat.view(np.uint16)
    write: Callable[[Any], str] = {"float64": number, "float32": _single}.get(flat.dtype.name, str)
    return definition(c_type(flat.dtype), name, map(write, flat.tolist()), attribute)


def definition(kind: str, name: str, cells: Iterable[str], attribute: str = "") -> str:
    """Return the definition of a constant array of a C type."""
    return f"static const {kind} {name}[]{attribute} = {{\n{in_lines(cells, _WIDTH)}\n}};"


def block_comment(paragraphs: Iterable[str]) -> str:
    """Return lines of plain text as a comment."""
    lines = [line for paragraph in paragraphs for line in (wrap(paragraph, _WIDTH, break_on_hyphens=False) or [""])]
    return "\n".join(["/* " + lines[0], *(f" * {line}".rstrip() for line in lines[1:]), " */"])


def loop(index: str, n: int, statement: str) -> str:
    """Return a loop of one statement over ``0 <= index < n``."""
    return f"for (int {index} = 0; {index} < {n}; {index}++) {statement}"


def block(head: str, lines: Iterable[str], end: str = "", between: str = "") -> str:
    """Return lines in braces after a head, each but the last followed by what is `between` them."""
    body = f"{between}\n".join(f"    {line}".rstrip() for line in lines)
    return f"{head}{{\n{body}\n}}{end}"


def enum(head: str, notes: dict[str, str]) -> str:
    """Return the declaration of an enum, given a note for each enumerator; an empty note is left out."""
    lines = [f"{name} = {at},{note and f' /* {note} */'}" for at, (name, note) in enumerate(notes.items())]
    # C++98 allows no comma after the last enumerator
    lines[-1] = lines[-1].replace(",", "", 1)
    return block(f"{head} ", lines, ";")


def smallest(values: Array) -> Array:
    """Return integers in the smallest C type that holds them."""
    kinds = (np.uint8, np.int8, np.uint16, np.int16)
    return values.astype(next((kind for kind in kinds if (values.astype(kind) == values).all()), np.int32))
