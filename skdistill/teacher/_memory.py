"""Slow work once: results cached by content in a joblib.Memory, each computed by one process at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import joblib


def once(memory: joblib.Memory, function: Callable[..., Any], arguments: tuple[Any, ...], key: Any = None) -> Any:
    """Call a function, or return what it returned when it was called with the same.

    joblib by itself lets every worker of a search that starts together do the same work; here one
    does it and the others wait.

    Parameters
    ----------
    memory : joblib.Memory
        Where results are kept; nowhere, if it has no location.
    function : callable
        A function of a module of ours.
    arguments : tuple
        What it is called with.
    key : object, default=None
        What tells this call from others, by content; None takes the arguments.

    Returns
    -------
    result : object
        What the function returned.
    """
    if getattr(memory, "location", None) is None:
        return function(*arguments)
    # large arrays reach a worker as memory maps of the same content
    name = f"{function.__name__}-{joblib.hash(arguments if key is None else key, coerce_mmap=True)}"
    with _alone(Path(memory.location) / "skdistill-locks" / name):
        return memory.cache(_call, ignore=["function", "arguments"])(function, arguments, name)


def _call(function: Callable[..., Any], arguments: tuple[Any, ...], name: str) -> Any:
    return function(*arguments)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let one process or thread at a time past a lock file; the system drops the lock of one that dies."""
    try:
        import fcntl
    except ImportError:
        # not to be had on Windows: there, work may be done twice, which costs time alone
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
