"""Predicting rows of a Dask collection: a lazy collection of the predictions, partition by partition."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any, TypeVar

import numpy as np

from ..program import is_dask, made_up_rows

Method = TypeVar("Method", bound=Callable[..., Any])


def on_partitions(method: Method) -> Method:
    """Let a method that predicts rows take a Dask DataFrame or array as well, and return a lazy one.

    Predictions have the partitions, the divisions and the index of the rows. One number or label for each row is a
    Series or an array of shape (n_rows,); several are a DataFrame, with the classes as columns, or a 2D array.

    Parameters
    ----------
    method : callable
        A method that takes a model and rows.
    """

    @wraps(method)
    def predict(self: Any, X: Any) -> Any:
        if type(X) is not np.ndarray and is_dask(X):
            return _lazily(self, method.__name__, X)
        return method(self, X)

    return predict  # type: ignore[return-value]


def _lazily(model: Any, method: str, X: Any) -> Any:
    """Return the lazy predictions of a fitted model for a Dask collection."""
    # a distiller holds its teacher too, which no worker needs
    model = model._to_predict() if hasattr(model, "_to_predict") else model
    # they show the type of the predictions, and raise for columns that the model does not know
    meta = _of_partition(made_up_rows(X), model, method, None)[:0]
    shipped = import_module("dask").delayed(model, pure=False, traverse=False)
    if hasattr(X, "divisions"):
        return X.map_partitions(_of_partition, shipped, method, meta, meta=meta, align_dataframes=False)
    shape = {"drop_axis": 1} if meta.ndim == 1 else {"chunks": (X.chunks[0], (meta.shape[1],))}
    X = X.rechunk({1: -1})
    return import_module("dask.array").map_blocks(_of_partition, X, shipped, method, meta, meta=meta, **shape)


def _of_partition(rows: Any, model: Any, method: str, meta: Any) -> Any:
    """Return the predictions for a partition; `meta` is what they are for one without rows."""
    if len(rows) == 0 and meta is not None:
        return meta
    values = getattr(model, method)(rows)
    if not hasattr(rows, "columns"):
        return values
    import pandas

    if values.ndim == 1:
        return pandas.Series(values, index=rows.index)
    columns = getattr(model, "classes_", range(values.shape[1]))
    return pandas.DataFrame(values, index=rows.index, columns=list(columns))
