"""A CSV of results that grows line by line, and from which a run that was stopped goes on."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

#: The column that is empty where all went well.
ERROR = "error"


class Ledger:
    """Results in a CSV, one line each, written as soon as there is one.

    Parameters
    ----------
    path : Path
        The file; made with its header, and its folder, with the first result.
    keys : sequence of str
        The columns that say what was measured.
    figures : sequence of str
        The columns that say what was found; numbers, or text.

    Raises
    ------
    ValueError
        If the file is there with other columns.
    """

    def __init__(self, path: Path, keys: Sequence[str], figures: Sequence[str]) -> None:
        self.path, self.keys = path, tuple(keys)
        self.columns = [*keys, *figures, ERROR]
        self._rows: dict[tuple[str, ...], dict[str, str]] = {}
        #: What is to be kept of the file before the next line; a run may have been ended while it wrote one.
        self._whole: bytes | None = None
        if path.exists() and path.stat().st_size:
            self._read()

    def _read(self) -> None:
        found = self.path.read_bytes()
        whole = found[: found.rfind(b"\n") + 1]
        if whole != found:
            self._whole = whole
        reader = csv.DictReader(io.StringIO(whole.decode(), newline=""))
        if reader.fieldnames is None or list(reader.fieldnames) != self.columns:
            raise ValueError(
                f"{self.path} has the columns {reader.fieldnames}, and this run writes {self.columns}; "
                "move the file away, or name another one."
            )
        for row in reader:
            self._rows[self._key(row)] = row

    def _key(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(str(row[name]) for name in self.keys)

    def holds(self, **key: Any) -> bool:
        """Tell whether there is a result for this key; a failure is none."""
        row = self._rows.get(self._key(key))
        return row is not None and not row[ERROR]

    def append(self, row: Mapping[str, Any]) -> None:
        """Write a line; columns that it does not name stay empty."""
        texts = {name: str(row.get(name, "")) for name in self.columns}
        self._rows[self._key(row)] = texts
        if self._whole is not None:
            self.path.write_bytes(self._whole)
            self._whole = None
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, self.columns, lineterminator="\n")
            if not file.tell():
                writer.writeheader()
            writer.writerow(texts)

    def rows(self) -> list[dict[str, Any]]:
        """Return the results, numbers as numbers and what is empty as NaN; of several with one key the last."""
        return [{name: _number(text) for name, text in row.items()} for row in self._rows.values() if not row[ERROR]]

    def failures(self) -> list[tuple[tuple[str, ...], str]]:
        """Return what failed and was not measured since: its key, and what went wrong."""
        return [(key, row[ERROR]) for key, row in self._rows.items() if row[ERROR]]


def _number(text: str) -> Any:
    if not text:
        return math.nan
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
