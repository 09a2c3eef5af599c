"""The fit to a Dask collection: workers write the teacher's answers to a spool, which is fitted as a dataset."""

from __future__ import annotations

import os
from tempfile import TemporaryDirectory
from typing import Any

from ..dask import Layout, Spool, answer
from ._out_of_core import fit_dataset, fitted_teacher


def fit_collection(model: Any, X: Any, y: Any, *, given: Any, fit_params: dict[str, Any], **others: Any) -> Any:
    """Fit a distiller to a Dask collection, and return it.

    Parameters
    ----------
    model : DistilledClassifier or DistilledRegressor
        What is fitted.
    X : dask.dataframe.DataFrame or dask.array.Array of shape (n_rows, n_columns)
        The rows.
    y : dask.dataframe.Series or dask.array.Array of shape (n_rows,), or None
        Their labels.
    given, fit_params, **others : object
        The further arguments of ``fit``, none of which may be given.

    Returns
    -------
    model : DistilledClassifier or DistilledRegressor
        The fitted model.

    Raises
    ------
    ValueError
        If the teacher is not fitted, or an argument is given that needs the rows in memory.
    """
    further = {model._task.given: given, **others, **fit_params}
    passed = [name for name, value in further.items() if value is not None]
    if passed:
        raise ValueError(f"fit takes X and y alone where X is a Dask collection, and not {', '.join(passed)}.")
    teacher = fitted_teacher(model, "a Dask collection")
    with TemporaryDirectory(prefix="skdistill-") as folder:
        path = folder if model.spool is None else os.fspath(model.spool)
        manifest = answer(teacher, X, y, path)
        layout, answers = Layout.of(manifest), manifest["answers"]
        named = answers if layout.names is None else dict(zip(layout.names, answers, strict=True))
        return fit_dataset(model, Spool(path).dataset(), manifest["y"], given=named, as_rows=layout.as_given)
