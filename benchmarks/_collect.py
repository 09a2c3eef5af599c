"""Units of tables, teachers and students, measured in processes of their own, every result into a CSV at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from tqdm import tqdm

from _ledger import ERROR, Ledger
from _pool import run
from _students import Unit

AUnit = TypeVar("AUnit", bound=Unit)


def missing(units: Sequence[AUnit], ledger: Ledger) -> list[AUnit]:
    """Return what of these the CSV does not hold."""
    found = []
    for unit in units:
        pairs = tuple(pair for pair in unit.pairs if not ledger.holds(**unit.key(*pair)))
        if pairs:
            found.append(replace(unit, pairs=pairs))
    return found


def collect(measure: Callable[..., Iterator[dict[str, Any]]], units: Sequence[Unit], ledger: Ledger, jobs: int) -> None:
    """Measure what the CSV does not hold of these units, into the CSV.

    Parameters
    ----------
    measure : callable
        ``measure(unit, tell)`` yields the lines of a unit.
    units : sequence of Unit
        What is asked for.
    ledger : Ledger
        The CSV.
    jobs : int
        How many processes there are at a time.
    """
    total = sum(len(unit.pairs) for unit in units)
    wanted = missing(units, ledger)
    there = total - sum(len(unit.pairs) for unit in wanted)
    if there:
        print(f"{ledger.path} holds {there} of {total} results, which are not measured again.\n")
    with tqdm(total=total, initial=there, unit="student", dynamic_ncols=True) as bar:
        for unit, what, content in run(measure, wanted, jobs):
            if what == "stage":
                bar.set_description(f"{unit.table} {unit.seed}, {content}")
                continue
            if what == "fault":
                # the process died, and nobody knows at which of them
                lost = [pair for pair in unit.pairs if not ledger.holds(**unit.key(*pair))]
                lines = [unit.key(*pair) | {ERROR: f"the process ended with {content}"} for pair in lost]
            else:
                lines = [content]
            for line in lines:
                ledger.append(line)
                bar.update()


def failed(ledgers: Sequence[Ledger | None]) -> str:
    """Return what failed, the same words once, with all that they stand for; nothing where all went well."""
    words: dict[str, list[str]] = {}
    for ledger in ledgers:
        for key, fault in ledger.failures() if ledger is not None else ():
            words.setdefault(fault, []).append(" ".join(key))
    count = sum(map(len, words.values()))
    told = [f"{fault}\n  {'; '.join(keys)}" for fault, keys in words.items()]
    return "\n".join(["", f"{count} failed:", *told]) if count else ""
