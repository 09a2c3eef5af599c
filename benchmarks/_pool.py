"""Units of work in processes of one thread each, whose results are taken as soon as they are there."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from queue import Empty
from typing import Any

#: Read when a library is loaded, so it is set before the processes start.
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "AG_CPU_COUNT"), "1"
)

_queue: Any = None


def _start(queue: Any) -> None:
    global _queue
    _queue = queue


def _work(measure: Callable[..., Iterator[Any]], unit: Any, number: int) -> None:
    for result in measure(unit, lambda text: _queue.put((number, "stage", text))):
        _queue.put((number, "result", result))
    _queue.put((number, "end", None))


def run(measure: Callable[..., Iterator[Any]], units: Sequence[Any], jobs: int) -> Iterator[tuple[Any, str, Any]]:
    """Yield what the units come up with, in the order of time.

    Parameters
    ----------
    measure : callable
        ``measure(unit, tell)`` yields results, and calls ``tell`` with what is under way.
    units : sequence
        What to call it with.
    jobs : int
        How many processes.

    Yields
    ------
    unit, what, content : tuple
        `what` is "result"; or "stage", the text that `tell` was called with; or "fault", the
        exception that ended the unit's process.
    """
    os.environ.update(ONE_THREAD)
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_start, initargs=(queue,)) as pool:
        try:
            yield from _results(pool, queue, measure, units)
        except BaseException:
            # Ctrl-C, or whoever reads has had enough: what has not begun need not begin
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _results(
    pool: ProcessPoolExecutor, queue: Any, measure: Callable[..., Iterator[Any]], units: Sequence[Any]
) -> Iterator[tuple[Any, str, Any]]:
    futures = {pool.submit(_work, measure, unit, number): number for number, unit in enumerate(units)}
    left = set(futures)
    ended: set[int] = set()
    while len(ended) < len(units):
        try:
            number, what, content = queue.get(timeout=0.5)
        except Empty:
            # a unit that ends well says so itself
            done, left = wait(left, timeout=0, return_when=FIRST_COMPLETED)
            for future in done:
                error = future.exception()
                if error is not None and futures[future] not in ended:
                    ended.add(futures[future])
                    yield units[futures[future]], "fault", error
            continue
        if what == "end":
            ended.add(number)
        else:
            yield units[number], what, content
