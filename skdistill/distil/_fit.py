"""The fit of a classifier or regressor, whatever holds the rows: a table in memory, a Parquet dataset, or Dask."""

from __future__ import annotations

from typing import Any

from ..program import is_dask
from ._collection import fit_collection
from ._dataset import is_dataset
from ._out_of_core import fit_dataset
from ._story import check, fit_student


def fit_any(model: Any, X: Any, y: Any, **others: Any) -> Any:
    """Fit a distiller in the way that suits its rows, and return it.

    Parameters
    ----------
    model : DistilledClassifier or DistilledRegressor
        What is fitted.
    X, y : object
        As in ``fit``.
    **others : dict
        The further arguments of ``fit``: `given` (precomputed predictions of the teacher), `X_unlabeled`,
        `sample_weight` and `fit_params`.
    """
    if is_dataset(X):
        return fit_dataset(model, X, y, **others)
    if is_dask(X):
        return fit_collection(model, X, y, **others)
    return fit_student(model, check(model, X, y, **others))
