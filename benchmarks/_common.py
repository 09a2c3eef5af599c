"""What the benchmarks share: one header, one way to take times, one way to print a table."""

from __future__ import annotations

import os
import platform
import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter

from threadpoolctl import threadpool_info, threadpool_limits

import skdistill


def print_header(title: str, *packages: str) -> None:
    """Print what is measured, on what machine, and with which versions."""
    cpu_info = Path("/proc/cpuinfo")
    lines = cpu_info.read_text().splitlines() if cpu_info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    blas = {f"{pool['internal_api']} {pool['version']}" for pool in threadpool_info() if pool["user_api"] == "blas"}
    print(title)
    print(f"  machine   {models[0] if models else platform.processor() or platform.machine()}, {cores} cores")
    print(f"  system    {platform.system()} {platform.machine()}, Python {platform.python_version()}")
    versions = [f"skdistill {skdistill.__version__}", *(f"{name} {version(name)}" for name in ("numpy", *packages))]
    print(f"  versions  {', '.join(versions)}")
    print(f"  numpy's and scipy's BLAS  {', '.join(sorted(blas)) or 'unknown'}")
    print()


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold BLAS and OpenMP to one thread; torch, where it is used, has to be imported before."""
    with threadpool_limits(limits=1):
        yield


def median_seconds(
    calls: Sequence[Callable[[], object]],
    repeats: int,
    *,
    in_a_row: int = 1,
    clock: Callable[[], float] = perf_counter,
) -> list[float]:
    """Time several calls in turn, so that a slow moment of the machine meets them all.

    Parameters
    ----------
    calls : sequence of callable
        What is timed; each is called once beforehand, untimed.
    repeats : int
        How often each is timed.
    in_a_row : int, default=1
        How many times one is timed before it is the next one's turn. Calls of microseconds want
        many, or each pays for the caches that the others have filled.
    clock : callable, default=perf_counter
        Says what time it is, in seconds; process_time counts those of the processor, which other
        work on the machine does not lengthen.

    Returns
    -------
    seconds : list of float
        The median of each.
    """
    for call in calls:
        call()
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats // in_a_row):
        for call, taken in zip(calls, times, strict=True):
            for _ in range(in_a_row):
                start = clock()
                call()
                taken.append(clock() - start)
    return [median(taken) for taken in times]


def peak_memory() -> int:
    """Return the peak of this process's resident memory, in bytes."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table, the first column flush left and the others flush right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        return "| " + " | ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]) + " |"

    rule = "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])])
    print("\n".join([line(header), f"|{rule}|", *map(line, rows)]))
