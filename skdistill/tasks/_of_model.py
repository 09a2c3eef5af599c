"""The task of a model."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import is_regressor

from ._classes import CLASSES
from ._labels import LABELS
from ._numbers import NUMBERS
from ._task import Task, has_proba


def task_of(model: Any) -> Task | None:
    """Return the task of a model by what it can do: predict_proba, or being a regressor; None if it can do neither."""
    if has_proba(model):
        classes = getattr(model, "classes_", None)
        # scikit-learn's classifiers of several outputs know classes of each
        of_each = isinstance(classes, list) and len(classes) > 0 and np.ndim(classes[0]) == 1
        return LABELS if of_each or getattr(model, "multilabel_", False) is True else CLASSES
    return NUMBERS if hasattr(model, "__sklearn_tags__") and is_regressor(model) else None
