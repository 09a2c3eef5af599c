"""One thread for BLAS while sums are taken whose last bits must not depend on how many there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController

_lock = Lock()
#: The limits of all that are within it; the last one to leave restores what the first one found.
_inside: list[Any] = []


@cache
def _controller() -> ThreadpoolController:
    # to look for the libraries takes milliseconds
    return ThreadpoolController()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Give BLAS one thread meanwhile, also where several threads ask for that at a time."""
    with _lock:
        _inside.append(None if _inside else _controller().limit(limits=1, user_api="blas"))
        first = _inside[0]
    try:
        yield
    finally:
        with _lock:
            _inside.pop()
            if not _inside:
                first.restore_original_limits()
