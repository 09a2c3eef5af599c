"""Collections of Dask: recognised, and shown by a made-up row; dask is not imported for it."""

from __future__ import annotations

from typing import Any

import numpy as np


def is_dask(X: Any) -> bool:
    """Tell whether rows are a collection of Dask, by where its type comes from."""
    return type(X).__module__.partition(".")[0] in ("dask", "dask_expr")


def made_up_rows(X: Any) -> Any:
    """Return a row or two with the columns and types of a Dask DataFrame or array of shape (n_rows, n_columns).

    Objects may be of any type, and so are missing.

    Raises
    ------
    ValueError
        If the collection does not have that shape, or the number of an array's columns is unknown.
    """
    framed = hasattr(X, "divisions")
    if getattr(X, "ndim", 0) != 2 or (not framed and np.isnan(X.shape[1])):
        raise ValueError(
            f"X is a Dask {type(X).__name__}; expected a DataFrame, or an array of shape (n_rows, n_columns) with a "
            "known n_columns."
        )
    if not framed:
        return np.full((1, X.shape[1]), None if X.dtype == object else 0, X.dtype)
    rows = X._meta_nonempty.copy()
    for at in np.flatnonzero(rows.dtypes.map(str) == "object"):
        rows.isetitem(at, [None] * len(rows))
    return rows
