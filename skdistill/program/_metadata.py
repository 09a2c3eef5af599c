"""What is known of where a student comes from, as plain JSON; no answer depends on it."""

from __future__ import annotations

import json
import math
import re
from functools import cache
from typing import Any

import numpy as np

from .._version import __version__

#: The most characters of the JSON of metadata, a user's own and all of a file, and how deep it may be nested.
MOST_OWN, MOST_METADATA, _DEEPEST = 2**16, 2**17, 20
#: The most characters of the description of a model, of a text in it, and the most entries of a list in it.
_LONGEST_MODEL, _LONGEST_TEXT, _LONGEST_LIST = 8000, 200, 50
#: Names of parameters whose texts are kept out of files.
_SECRET = re.compile(
    r"(^|_)(pass(word|wd|phrase)?|pwd|secret|tokens?|credentials?|auth(orization)?|bearer|cookies?|headers?"
    r"|(api|access|private|secret)_?keys?)$",
    re.IGNORECASE,
)


def check_metadata(metadata: Any, most: int = MOST_METADATA) -> dict[str, Any]:
    """Return a copy of metadata as plain JSON.

    Parameters
    ----------
    metadata : dict
        Texts, numbers, booleans, None, and lists and dicts of these; numpy's scalars are numbers as well.
    most : int
        The most characters that its JSON may have.

    Raises
    ------
    TypeError
        If JSON does not hold something in it; the message names it.
    ValueError
        If it is too long or too deep, or holds a number that is not finite.
    """
    if not isinstance(metadata, dict):
        raise TypeError(f"metadata must be a dict; got {type(metadata).__name__}.")
    _check(metadata, "metadata", 0)
    text = json.dumps(metadata, default=np.generic.item)
    if len(text) > most:
        raise ValueError(f"metadata has {len(text)} characters as JSON; a file holds up to {most}.")
    return json.loads(text)


def _check(value: Any, where: str, depth: int) -> None:
    if depth > _DEEPEST:
        raise ValueError(f"metadata is nested more than {_DEEPEST} deep, or contains itself.")
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, dict):
        for key, one in value.items():
            if not isinstance(key, str):
                raise TypeError(f"{where} has the key {key!r}; the keys of JSON are strings.")
            _check(one, f"{where}[{key!r}]", depth + 1)
    elif isinstance(value, list | tuple):
        for at, one in enumerate(value):
            _check(one, f"{where}[{at}]", depth + 1)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where} is {value}; the numbers of JSON are finite.")
    elif not (value is None or isinstance(value, str | int)):
        raise TypeError(
            f"{where} is of type {type(value).__name__}, which JSON does not hold; use strings, numbers, booleans, "
            "None, and lists and dicts of these."
        )


def described(model: Any) -> Any:
    """Return the name of a model's type and its parameters, or a report, as plain JSON.

    Models among the parameters are described alike. Of other objects only the name is given: what they hold may be
    large, secret, or different in every process. So are texts whose parameter's name says that they are secret.

    Parameters
    ----------
    model : estimator, callable, list of these, or dict
        A teacher, a student or a report.
    """
    found = _described(model, 0)
    n_characters = len(json.dumps(found))
    if n_characters <= _LONGEST_MODEL:
        return found
    if isinstance(model, list | tuple):
        return [_name_of(one) for one in model[:_LONGEST_LIST]]
    return {"type": _name_of(model), "params": f"left out: {n_characters} characters"}


def _described(value: Any, depth: int) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_TEXT else f"{value[:_LONGEST_TEXT]}..."
    if depth < _DEEPEST // 2:
        if isinstance(value, list | tuple) and len(value) <= _LONGEST_LIST:
            return [_described(one, depth + 1) for one in value]
        if isinstance(value, dict) and len(value) <= _LONGEST_LIST:
            return _fields(value, depth)
        if hasattr(value, "get_params") and not isinstance(value, type):
            try:
                params = dict(value.get_params(deep=False))
            except Exception:
                # a fit does not fail by a model that cannot say how it was made
                params = {}
            return {"type": _name_of(value), "params": _fields(params, depth)}
    return _name_of(value)


def _fields(values: dict[Any, Any], depth: int) -> dict[str, Any]:
    plain = bool | int | float | None
    secret = {name for name, value in values.items() if _SECRET.search(str(name)) and not isinstance(value, plain)}
    return {
        str(name)[:_LONGEST_TEXT]: "not stored" if name in secret else _described(value, depth + 1)
        for name, value in values.items()
    }


def _name_of(value: Any) -> str:
    named = value if hasattr(value, "__qualname__") else type(value)
    parts = (getattr(named, "__module__", None), named.__qualname__)
    return ".".join(filter(None, parts))[:_LONGEST_TEXT]


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that take part in a fit, those that are installed."""
    # not at import, which a process that serves pays for
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"skdistill": __version__, "python": platform.python_version()}
    for name in ("numpy", "scikit-learn", "torch"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
