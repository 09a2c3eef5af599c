"""One thread for BLAS while sums are taken whose last bits must not depend on how many there are."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    # to look for the libraries takes milliseconds
    return ThreadpoolController()


def one_blas_thread() -> AbstractContextManager[Any]:
    """Give BLAS one thread meanwhile."""
    limited: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limited
