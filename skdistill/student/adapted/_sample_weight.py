"""Any classifier or regressor with sample_weight as a student: targets reach it as weighted rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._checks import column_or_rows
from ..._sklearn import copy_unfitted, has_fit_parameter, n_rows_of, take_rows
from ...losses import Targets
from .._protocol import Traits
from .._tree_growing import on_grid
from ._base import AdaptedClassifierPart, AdaptedRegressorPart

#: How the parameters begin that count rows, in scikit-learn, LightGBM and CatBoost.
_ROW_COUNTS = ("max_samples", "min_child_samples", "min_data", "min_samples_leaf", "min_samples_split")


class SampleWeightClassifier(AdaptedClassifierPart):
    """Any classifier: it is given each row once for each class, weighted by the probability of that class.

    The cross-entropy over the weighted copies equals that with the soft targets. `estimator_` knows the
    classes by their index in `classes_`. No copy has less than 4e-6 of its row's weight, so that
    each row has all its copies, and parameters that count rows are multiplied by the number of
    classes: ``min_samples_leaf`` still means rows. What a classifier draws or holds out by itself,
    a forest's bootstrap or the rows for early stopping, it draws from the copies.

    Parameters
    ----------
    estimator : classifier
        With ``predict_proba``, and a ``fit`` that takes ``sample_weight``.
    """

    _traits = Traits(softens=False, takes_loss=False)

    def _fit(self, X: Any, targets: Targets) -> Any:
        classifier, n_classes, n_rows = copy_unfitted(self.estimator), targets.n_targets, n_rows_of(X)
        params = classifier.get_params(deep=True)
        changed: dict[str, Any] = {
            name: n_classes * value
            for name, value in params.items()
            if name.rpartition("__")[2].startswith(_ROW_COUNTS)
            and isinstance(value, int)
            and not isinstance(value, bool)
        }
        class_weight = params.get("class_weight")
        if class_weight == "balanced" or isinstance(class_weight, dict):
            # every row has a copy of each class, so the classifier itself would find nothing to balance
            changed["class_weight"] = None
        else:
            class_weight = None
        classifier.set_params(**changed)
        terms = targets.terms(n_rows, class_weight)
        goal, mass = terms.blended()
        rows = np.flatnonzero(mass > 0)
        # in sample weights, which is what a penalty such as C is measured against
        weight = on_grid(goal[rows]) * on_grid(mass[rows] * (terms.total_weight / n_rows))[:, None]
        copies = take_rows(X, np.repeat(rows, n_classes))
        return classifier.fit(copies, np.tile(np.arange(n_classes), len(rows)), sample_weight=weight.ravel())

    def _proba(self, X: Any) -> NDArray[Any]:
        proba = np.asarray(self.estimator_.predict_proba(X), dtype=np.float64)
        return proba / proba.sum(axis=1, keepdims=True)


class SampleWeightRegressor(AdaptedRegressorPart):
    """Any regressor: it fits the weighted mean of the teacher's answers and the labels.

    The sum of two squared errors is least where the error from their weighted mean is. A regressor that
    minimises another loss than squares minimises it from that mean.

    Parameters
    ----------
    estimator : regressor
        With a ``fit`` that takes ``sample_weight``, unless all rows weigh the same.
    """

    _traits = Traits(takes_loss=False)

    def _fit(self, X: Any, targets: Targets) -> Any:
        regressor, n_rows = copy_unfitted(self.estimator), n_rows_of(X)
        terms = targets.terms(n_rows)
        assert terms.units is not None
        center, scale = terms.units
        goal, mass = terms.blended()
        rows = np.flatnonzero(mass > 0)
        goal = column_or_rows(goal[rows] * scale + center)
        # in sample weights, which is what a penalty is measured against
        weight = mass[rows] * (terms.total_weight / n_rows)
        if len(rows) < n_rows:
            X = take_rows(X, rows)
        if np.allclose(weight, 1.0, rtol=1e-12):
            return regressor.fit(X, goal)
        if not has_fit_parameter(regressor, "sample_weight"):
            raise ValueError(
                f"student {self._name} cannot weigh rows, since its fit has no sample_weight. Rows weigh differently "
                "where there is sample_weight, or, with alpha below 1, where some have no label."
            )
        return regressor.fit(X, goal, sample_weight=weight)
