"""How large a model is when pickled, and how sizes are written."""

from __future__ import annotations

import math
import pickle
from typing import Any


class _Counter:
    """A file that keeps nothing of what is written but its length."""

    def __init__(self, most: float) -> None:
        self.n_bytes = 0
        self._most = most

    def write(self, data: Any) -> int:
        length = memoryview(data).nbytes
        self.n_bytes += length
        if self.n_bytes > self._most:
            raise OverflowError
        return length


def pickled_bytes(model: Any, most: float = math.inf) -> float | None:
    """Return how long a model's pickle is.

    Parameters
    ----------
    model : object
        Anything.
    most : float, default=inf
        Counting ends at so many bytes.

    Returns
    -------
    n_bytes : float or None
        Infinite where it is longer than `most`; None where the model cannot be pickled.
    """
    counter = _Counter(most)
    try:
        pickle.Pickler(counter, protocol=5).dump(model)
    except OverflowError:
        return math.inf
    except Exception:
        # what cannot be pickled says so by errors of many types
        return None
    return counter.n_bytes


def written(n_bytes: float) -> str:
    """Return a number of bytes as text, in units of a thousand.

    Examples
    --------
    >>> written(107_380)
    '107 kB'
    """
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if n_bytes >= unit:
            return f"{n_bytes / unit:.3g} {name}" if n_bytes < 999.5 * unit else f"{n_bytes / unit:,.0f} {name}"
    return f"{n_bytes:.0f} B"
