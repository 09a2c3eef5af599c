"""Fitting to a Dask collection: the teacher answers it to a spool, and the student is fitted to what is there."""

from __future__ import annotations

import os
from tempfile import TemporaryDirectory
from typing import Any

from ..dask import Layout, Spool, answer
from ..teacher import Teacher
from ._out_of_core import fit_dataset


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
    classes = getattr(model, "classes", None)
    teacher = Teacher.of(model.teacher, model._task, weights=model.teacher_weights, unnamed=classes)
    if not teacher.can_answer:
        raise ValueError(
            "X is a Dask collection, whose rows a fitted teacher answers where they lie. Fit the teacher first, on "
            "rows that fit in memory."
        )
    with TemporaryDirectory(prefix="skdistill-") as folder:
        path = folder if model.spool is None else os.fspath(model.spool)
        return _fit_spool(model, Spool(path), answer(teacher, X, y, path))


def _fit_spool(model: Any, spool: Spool, manifest: dict[str, Any]) -> Any:
    """Fit a distiller to the rows, labels and answers of a spool, and return it."""
    layout, answers = Layout.of(manifest), manifest["answers"]
    given = answers if layout.names is None else dict(zip(layout.names, answers, strict=True))
    return fit_dataset(model, spool.dataset(), manifest["y"], given=given, as_rows=layout.as_given)
