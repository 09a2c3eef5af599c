"""Units of work in processes of one thread each, whose results are taken as soon as they are there."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

#: Read when a library is loaded, so it is set before the processes start.
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "AG_CPU_COUNT"), "1"
)


def _work(measure: Callable[..., Iterator[Any]], unit: Any, connection: Connection) -> None:
    # Ctrl-C is for whoever started this process, and ends it then
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for result in measure(unit, lambda text: connection.send(("stage", text))):
        connection.send(("result", result))
    connection.close()


def run(measure: Callable[..., Iterator[Any]], units: Sequence[Any], jobs: int) -> Iterator[tuple[Any, str, Any]]:
    """Yield what the units come up with, in the order of time.

    Parameters
    ----------
    measure : callable
        ``measure(unit, tell)`` yields results, and calls ``tell`` with what is under way.
    units : sequence
        What to call it with, each in a process of its own.
    jobs : int
        How many processes there are at a time.

    Yields
    ------
    unit, what, content : tuple
        `what` is "result"; or "stage", the text that `tell` was called with; or "fault", the exit
        code of a process that came to no good end.
    """
    os.environ.update(ONE_THREAD)
    context = multiprocessing.get_context("spawn")
    waiting = list(reversed(units))
    running: dict[Connection, tuple[Any, Any]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                unit = waiting.pop()
                receiver, sender = context.Pipe(duplex=False)
                process = context.Process(target=_work, args=(measure, unit, sender), daemon=True)
                process.start()
                # the process holds the only other end: when it ends, the pipe does
                sender.close()
                running[receiver] = unit, process
            for connection in wait(list(running)):
                assert isinstance(connection, Connection)
                unit, process = running[connection]
                try:
                    what, content = connection.recv()
                except EOFError:
                    process.join()
                    del running[connection]
                    if process.exitcode:
                        yield unit, "fault", process.exitcode
                else:
                    yield unit, what, content
    finally:
        for _, process in running.values():
            process.kill()
            process.join()
