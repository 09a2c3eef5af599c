"""Fitted teachers, and what they answered, kept in a folder so that the next run need not fit them again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import sklearn

from tables import package


def fingerprint(*parts: Any) -> str:
    """Return what tells these frames and arrays from others, and this scikit-learn from another."""
    pandas = package("pandas")
    found = hashlib.sha256(sklearn.__version__.encode())
    for part in parts:
        rows = part if hasattr(part, "columns") else pandas.Series(part)
        found.update(pandas.util.hash_pandas_object(rows).to_numpy().tobytes())
    return found.hexdigest()


class Shelf:
    """A folder of things that take long to make, each in a file.

    Parameters
    ----------
    folder : Path or None
        Where the files are; None keeps nothing.
    prefix : str
        What the names of the files start with.
    rows : str
        From `fingerprint`; a file that was written with another one is made anew.
    """

    def __init__(self, folder: Path | None, prefix: str, rows: str) -> None:
        self.folder, self.prefix, self.rows = folder, prefix, rows

    def take(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what the file of this name holds, or else what `make` makes, which is kept."""
        if self.folder is None:
            return make()
        path = self.folder / f"{self.prefix}-{name}.joblib"
        if path.exists():
            kept = joblib.load(path)
            if kept["rows"] == self.rows:
                return kept["found"]
        found = make()
        self.folder.mkdir(parents=True, exist_ok=True)
        # a run that is stopped leaves no half of a file, and another one may write the same at the same time
        part = path.with_suffix(f".{os.getpid()}.part")
        joblib.dump({"rows": self.rows, "found": found}, part, compress=("zlib", 1))
        part.replace(path)
        return found
