"""What labelling and fitting many rows takes on paper: time and cost for a number of workers, from measured rates.

Labelling is work in partitions, which the workers share: the last round of partitions may leave some of them idle.
Dask's scheduler handles the tasks one by one. Every worker writes its rows and answers to the spool, and the last fit
reads them on one machine, which is no faster with more workers. A worker is one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from _common import print_table

WORKERS = (1, 16, 256)


@dataclass(frozen=True)
class Rates:
    """What has been measured, and what is assumed.

    Parameters
    ----------
    label : float
        Rows per second that one worker labels, with rows and answers written to its own disk.
    fit : float
        Rows per second of the last fit, on one machine.
    fit_rows : float
        Rows after which the fit stops, at most `rows`.
    rows : float
        All rows.
    row_bytes : float
        Bytes of a row and its answers in the spool.
    partition_rows : float
        Rows of a partition.
    task_seconds : float
        What a task costs the scheduler; Dask's documentation states some 200 microseconds to 1 millisecond.
    megabytes : float
        Megabytes per second that one worker writes to an object store, and one machine reads from it.
    price : float
        Dollars per core and hour.
    """

    label: float
    fit: float
    fit_rows: float = 1e8
    rows: float = 1e8
    row_bytes: float = 176.0
    partition_rows: float = 125_000.0
    task_seconds: float = 1e-3
    megabytes: float = 100.0
    price: float = 0.05


def steps(rates: Rates, workers: int) -> dict[str, float]:
    """Return the seconds of each step."""
    partitions = ceil(rates.rows / rates.partition_rows)
    rounds = ceil(partitions / workers)
    of_partition = rates.partition_rows / rates.label
    spool = rates.row_bytes / (1e6 * rates.megabytes)
    fit_rows = min(rates.fit_rows, rates.rows)
    return {
        "the teacher answers": rounds * of_partition,
        "the spool is written": rounds * rates.partition_rows * spool,
        "the scheduler, beside that": partitions * rates.task_seconds,
        "the spool is read": fit_rows * spool,
        "the last fit": fit_rows / rates.fit,
    }


def total(rates: Rates, workers: int) -> tuple[float, float, str]:
    """Return the seconds of all steps, their cost in dollars, and the step that takes longest."""
    taken = steps(rates, workers)
    label = max(taken["the teacher answers"] + taken["the spool is written"], taken["the scheduler, beside that"])
    fit = taken["the spool is read"] + taken["the last fit"]
    # the workers are given back before the fit
    return label + fit, (workers * label + fit) / 3600 * rates.price, max(taken, key=taken.__getitem__)


def duration(seconds: float) -> str:
    """Return a duration in the unit that suits it."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def report(rates: Rates, workers: Sequence[int] = WORKERS) -> None:
    """Print a table of the steps for each number of workers."""
    columns = [steps(rates, count) for count in workers]
    sums = [total(rates, count) for count in workers]
    print_table(
        [
            f"{rates.rows / 1e6:,.0f} M rows, {rates.label:,.0f} rows/s",
            *(f"{count} worker{'s' * (count > 1)}" for count in workers),
        ],
        [
            *([name, *(duration(column[name]) for column in columns)] for name in columns[0]),
            ["in all", *(duration(seconds) for seconds, _, _ in sums)],
            ["cost", *(f"${cost:,.2f}" for _, cost, _ in sums)],
            ["longest", *(longest for _, _, longest in sums)],
        ],
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the rates."""
    parser.add_argument(
        "--label-rate", type=float, nargs="+", required=True, help="rows/s of a worker; several teachers"
    )
    parser.add_argument("--fit-rate", type=float, required=True, help="rows/s of the last fit")
    for name in ("fit_rows", "rows", "row_bytes", "partition_rows", "task_seconds", "megabytes", "price"):
        default = getattr(Rates, name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=default, help="default: %(default)s")


def paper_command(args: argparse.Namespace) -> None:
    """Print a table for each teacher."""
    given = {name: value for name, value in vars(args).items() if name not in ("part", "label_rate", "fit_rate")}
    for rate in args.label_rate:
        report(Rates(label=rate, fit=args.fit_rate, **given))
        print()
