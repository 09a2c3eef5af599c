"""Fitting to a Dask collection: the teacher answers it to a spool, and the student is fitted to what is there."""

from __future__ import annotations

import os
import warnings
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from .._checks import user_level
from ..dask import Layout, Spool, answer
from ..tasks import NUMBERS
from ..teacher import Teacher

#: The most rows of a spool that are read into memory for a fit.
_MOST_ROWS = 262_144


def fit_collection(model: Any, X: Any, y: Any, others: dict[str, Any]) -> Any:
    """Fit a distiller to a Dask collection, and return it.

    Parameters
    ----------
    model : Distiller
        Its teacher is fitted.
    X : dask.dataframe.DataFrame or dask.array.Array of shape (n_rows, n_columns)
        The rows.
    y : dask.dataframe.Series or dask.array.Array of shape (n_rows,), or None
        Their labels.
    others : dict
        The further arguments of ``fit``, none of which may be given.

    Raises
    ------
    ValueError
        If the teacher is not fitted, or an argument is given that needs the rows in memory.
    """
    given = [name for name, value in others.items() if value is not None]
    if given:
        raise ValueError(f"fit takes X and y alone where X is a Dask collection, and not {', '.join(given)}.")
    if model.cv is not None and not (isinstance(model.cv, str) and model.cv == "prefit"):
        raise ValueError(f"cv={model.cv!r} fits the teacher on rows in memory; for a Dask collection it is 'prefit'.")
    teacher = Teacher.of(model.teacher, model._task, weights=model.teacher_weights, unnamed=getattr(model, "classes", None))
    if not teacher.can_answer:
        raise ValueError(
            "X is a Dask collection, whose rows a fitted teacher answers where they lie. Fit the teacher first, on rows "
            "in memory or on its own cluster."
        )
    with TemporaryDirectory(prefix="skdistill-") as folder:
        path = folder if model.spool is None else os.fspath(model.spool)
        return _fit_spool(model, Spool(path), answer(teacher, X, y, path))


def _fit_spool(model: Any, spool: Spool, manifest: dict[str, Any]) -> Any:
    """Fit a distiller to the rows, labels and answers of a spool, and return it."""
    n_rows = manifest["n_rows"]
    table = spool.sample(_MOST_ROWS, 0)
    if len(table) < n_rows:
        warnings.warn(
            f"The student is fitted to {len(table):,} of {n_rows:,} rows, which were drawn by chance.",
            stacklevel=user_level(),
        )
    rows, answers = Layout.of(manifest).as_given(table), table.select(manifest["answers"]).to_pandas()
    y = None if manifest["y"] is None else table[manifest["y"]].to_pandas()
    given = {model._task.given: answers.to_numpy() if model._task == NUMBERS else answers}
    return model.fit(rows, None if y is None else np.asarray(y), **given)
