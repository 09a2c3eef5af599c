"""The task of a model."""

from __future__ import annotations

from typing import Any

from sklearn.base import is_regressor

from ._classes import CLASSES
from ._numbers import NUMBERS
from ._task import Task, has_proba


def task_of(model: Any) -> Task | None:
    """Return the task of a model by what it can do: predict_proba, or being a regressor; None if it can do neither."""
    if has_proba(model):
        return CLASSES
    return NUMBERS if hasattr(model, "__sklearn_tags__") and is_regressor(model) else None
