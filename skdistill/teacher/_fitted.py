"""Whether an estimator has been fitted: by its fitted attributes, by attributes that a new one lacks, or by a trial."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import joblib
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

from .._sklearn import copy_unfitted, has_fit_parameter, is_fitted, take_rows
from ..tasks import Task

#: Libraries whose estimators show whether they have been fitted.
_KNOWN = {"sklearn", "lightgbm", "xgboost", "catboost", "skorch", "imblearn"}


def is_estimator(model: Any) -> bool:
    """Return whether a model is an estimator rather than a plain callable."""
    return hasattr(model, "fit") and not isinstance(model, type)


def is_ranker(model: Any) -> bool:
    """Return whether a model is an estimator that is fitted to queries: a ranker of LightGBM, XGBoost or CatBoost."""
    return is_estimator(model) and any(has_fit_parameter(model, name) for name in ("group", "group_id"))


def asks_for_fit(value: Any) -> bool:
    """Return whether a teacher, or any of a list, is an estimator that shows no sign of having been fitted."""
    return any(is_estimator(model) and not shows_fit(model) for model in models_of(value))


def models_of(value: Any) -> list[Any]:
    """Return the models that a teacher stands for: itself, or those of a list."""
    return list(value) if isinstance(value, list | tuple) else [value]


def has_been_fitted(model: Any, task: Task, trial: Any) -> bool:
    """Return whether a model can be asked; an estimator without the usual signs can be, if it answers a row."""
    if not is_estimator(model) or is_fitted(model):
        return True
    if _is_known(model) or trial is None:
        return shows_fit(model)
    try:
        getattr(model, task.method)(take_rows(trial, slice(0, 1)))
    except NotFittedError:
        return False
    except Exception as error:
        if isinstance(error, AttributeError) and (error.obj is model or error.obj is None):
            return False
        raise ValueError(
            f"Whether teacher {type(model).__name__} has been fitted is unknown: it has no attribute that ends in "
            f"'_', and it answers a row with {type(error).__name__}: {error}. If it has been fitted, wrap it in "
            f"sklearn.frozen.FrozenEstimator, or pass its {task.method} as the teacher; if it has not, have it raise "
            "sklearn.exceptions.NotFittedError."
        ) from error
    return True


def _is_known(model: Any) -> bool:
    """Return whether an estimator is one of a library that shows whether it has been fitted, or derives from one."""
    return any("fit" in vars(kind) and kind.__module__.partition(".")[0] in _KNOWN for kind in type(model).__mro__)


def shows_fit(model: Any) -> bool:
    """Return whether an estimator shows that it has been fitted; one of the user's own by more than the usual signs.

    Those are attributes that a new one does not have, or has with another value, and fitted estimators inside.
    """
    if isinstance(model, FrozenEstimator) or is_fitted(model):
        return True
    if _is_known(model) or not hasattr(model, "get_params"):
        return False
    state = getattr(model, "__dict__", {})
    if any(is_fitted(one) for one in _estimators_in(list(state.values()))):
        return True
    # what two new ones do not have in common, such as a generator, says nothing
    new, other = (getattr(copy_unfitted(model), "__dict__", {}) for _ in range(2))
    return bool(state.keys() - new.keys()) or any(
        _differ(state[name], new[name]) and not _differ(new[name], other[name]) for name in state
    )


def _estimators_in(value: Any) -> Iterator[Any]:
    """Yield the estimators in a value, which may be a container of them."""
    if isinstance(value, list | tuple):
        for one in value:
            yield from _estimators_in(one)
    elif isinstance(value, dict):
        yield from _estimators_in(list(value.values()))
    elif is_estimator(value):
        yield value


def _differ(value: Any, other: Any) -> bool:
    if value is other or type(value) is not type(other):
        return value is not other
    try:
        return joblib.hash(value) != joblib.hash(other)
    except Exception:
        # what cannot be pickled, such as a lock, is not compared
        return False
