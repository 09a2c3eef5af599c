"""The text of a JavaScript module: literals in the shortest form, and code without what it does not need."""

from __future__ import annotations

import base64
import json
import re
import string
import unicodedata
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: From so many outputs on, the inputs of a layer are added several at a time.
MANY = 8
#: From so many numbers on, bytes that are zero are left out.
_THIN = 60
#: The typed arrays of the types in which weights are stored, the smallest first.
_TYPED = {
    "uint8": "Uint8Array",
    "int8": "Int8Array",
    "uint16": "Uint16Array",
    "int16": "Int16Array",
    "int32": "Int32Array",
    "float32": "Float32Array",
    "float64": "Float64Array",
}


def text_literal(text: str) -> str:
    """Return a string literal; characters that cannot be seen, or that end a script in a page, are escaped."""
    # an editor may normalise characters that Unicode treats as equivalent
    literal = json.dumps(text, ensure_ascii=not unicodedata.is_normalized("NFC", text))
    escaped: dict[int, str | int | None] = {
        ord(char): json.dumps(char)[1:-1] for char in set(literal) if not char.isprintable()
    }
    return literal.translate({**escaped, ord("<"): "\\u003c", 0x7F: "\\u007f"})


def literal(value: Any, what: str) -> str:
    """Return the literal of a level or a class label."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, str):
        return text_literal(value)
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, float) or (isinstance(value, int) and abs(value) <= 2**1000 and float(value) == value):
        return number(float(value))
    raise TypeError(f"JavaScript has no literal of {what}: {value!r}, of type {type(value).__name__}.")


def number(value: float) -> str:
    """Return the shortest literal of a number."""
    text = repr(float(value)).removesuffix(".0").replace("inf", "Infinity").replace("nan", "NaN")
    return re.sub(r"^(-?)0\.", r"\1.", text)


def joined(literals: Iterable[str]) -> str:
    return f"[{','.join(literals)}]"


def _list(values: Iterable[float]) -> str:
    return joined(map(number, values))


def texts_literal(texts: list[str]) -> str:
    """Return a list of texts, in the fewest characters."""
    if len(texts) > 2:
        # names that are numbered
        before, first = re.fullmatch("(.*?)(0|[1-9][0-9]{0,8})?", texts[0], re.DOTALL).groups("0")  # type: ignore[union-attr]
        if texts == [f"{before}{number}" for number in range(int(first), int(first) + len(texts))]:
            number = "i" if first == "0" else f"(i + {first})"
            return f"Array.from(Array({len(texts)}), (_, i) => {text_literal(before)} + {number})"
    parts = text_literal(",".join(texts)) + '.split(",")'
    return parts if len(texts) > 5 and "," not in "".join(texts) else joined(map(text_literal, texts))


def object_literal(text: str) -> str:
    """Return JSON as a literal; a key ``__proto__`` that is no name of a property would be none."""
    return re.sub(
        r'(?<=[{,])"([A-Za-z_]\w*)"(?=:)', lambda key: '["__proto__"]' if key[1] == "__proto__" else key[1], text
    )


def _packed(values: Array) -> str:
    """Return a typed array of the given type from base64."""
    little = values.astype(values.dtype.newbyteorder("<"))
    data = little.tobytes()
    kind = "" if values.dtype == np.float32 else f", {_TYPED[values.dtype.name]}"
    if not kind and len(values) >= _THIN and not any(data[::4]):
        octets = np.frombuffer(data, np.uint8).reshape(-1, 4)[:, 1:]
        return f'thin("{base64.b64encode(octets.tobytes()).decode()}")'
    return f'raw("{base64.b64encode(data).decode()}"{kind})'


def _smallest(values: Array) -> Array:
    """Return numbers in the smallest type that holds each exactly; the sign of a zero changes nothing."""
    flat = np.ravel(values)
    with np.errstate(all="ignore"):
        found = (flat.astype(kind) for kind in _TYPED)
        return next(one for one in found if (one.astype(np.float64) == flat).all())


def array_literal(values: Array) -> str:
    """Return numbers as a list or a typed array, in the fewest characters."""
    flat = np.ravel(values)
    found = [_list(flat), _packed(_smallest(flat))]
    if len(flat) and (flat == flat[0]).all():
        found.append(f"f8({len(flat)}){'' if flat[0] == 0 else f'.fill({number(flat[0])})'}")
    return min(found, key=len)


def weights_literal(values: Array, scale: Array | None = None) -> str:
    """Return weights."""
    if scale is not None:
        return f"scaled({_packed(values.ravel())}, {array_literal(scale)})"
    if values.dtype == np.float16:
        return f"halves({_packed(values.ravel().view(np.uint16))})"
    return array_literal(values)


def doubles_literal(values: Array, scale: Array | None = None) -> str:
    """Return weights as a Float64Array, which is read fastest."""
    text = weights_literal(values, scale)
    return text if text.startswith(("f8", "scaled", "halves")) else f"f8({text})"


def short(code: str) -> str:
    """Return code without the spaces, the parentheses and the semicolons that it does not need; literals stay."""
    parts = re.split(r'("(?:[^"\\]|\\.)*"|`[^`]*`|/\^.*?\$/)', code)
    for at in range(0, len(parts), 2):
        text = re.sub(r"\s*([^\w\s$])\s*", r"\1", re.sub(r"\s+", " ", parts[at]))
        parts[at] = re.sub(r"(?<!\w)\((\w+)\)=>", r"\1=>", text.replace(";}", "}"))
    return "".join(parts).removesuffix(";")


def renamed(names: set[str], *parts: list[str]) -> list[list[str]]:
    """Return the code with a letter for each name, as far as there are letters that it does not have."""
    taken = identifiers("\n".join(text for part in parts for text in part))
    letters = dict(zip(sorted(names), [one for one in string.ascii_letters if one not in taken], strict=False))

    def letter(word: re.Match[str]) -> str:
        return letters.get(word[0], word[0])

    # words of a literal stay, and properties; no message has a name of a function as a word
    return [[re.sub(r'"(?:[^"\\]|\\.)*"|(?<![\w.])[A-Za-z]\w+', letter, text) for text in part] for part in parts]


def identifiers(text: str) -> set[str]:
    """Return the words of a text that are not in a string."""
    return set(re.findall(r"\w+", re.sub(r'"(?:[^"\\]|\\.)*"', "", text)))
