"""What adapted students have in common, classifiers and regressors: they predict through an estimator of the user's."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import get_tags

from .._validation import check_rows, check_weights, copy_unfitted, has_fit_parameter, not_fitted, take_rows
from ..losses import RegressionTargets, Targets
from ..program import in_order, is_frame
from ._base import AnyTargets, read_labels, read_numbers

Array = NDArray[Any]


class AdaptedStudent(BaseEstimator):
    """What an adapted student has in common: it predicts through `estimator_`, and has no Program."""

    #: Whether rows may be single things, such as texts, and not cells of a table.
    any_form: ClassVar[bool] = False

    estimator_: Any
    n_features_in_: int
    feature_names_in_: Array

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    @abstractmethod
    def _fit(self, X: Any, targets: Any) -> Any:
        """Return a fitted copy of `estimator`."""

    def fit_targets(self, X: Any, targets: AnyTargets) -> Any:
        """Fit to a teacher's answers and labels together; see BaseStudent."""
        self._check_loss(targets)
        X = self._checked(X, reset=True)
        weight = targets.sample_weight
        if weight is not None and not weight.all():
            rows = np.flatnonzero(weight > 0)
            X, targets = take_rows(X, rows), targets.take(rows)
        self.estimator_ = self._fit(X, targets)
        return self

    def _check_loss(self, targets: Any) -> None:
        """Refuse targets with a loss that it cannot minimise."""

    def _checked(self, X: Any, *, reset: bool) -> Any:
        return check_rows(self, X, reset=reset, any_form=self.any_form)

    def _rows(self, X: Any) -> Any:
        if "estimator_" not in self.__dict__:
            raise not_fitted(self)
        X = self._checked(X, reset=False)
        return in_order(X, self.feature_names_in_.tolist()) if is_frame(X) and "feature_names_in_" in vars(self) else X

    @property
    def program_(self) -> Any:
        """There is none."""
        raise AttributeError(
            f"{self._name} has no Program: LinearStudent, MLPStudent and TreeStudent end as one. It predicts by itself."
        )

    @property
    def _name(self) -> str:
        return type(self.estimator).__name__

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if isinstance(self.estimator, BaseEstimator):
            tags.input_tags = get_tags(self.estimator).input_tags
        return tags


class AdaptedClassifier(ClassifierMixin, AdaptedStudent):
    """An adapted student that is a classifier."""

    #: The students that could learn what this one cannot, as messages name them.
    others: ClassVar[str] = "a LinearStudent, an MLPStudent or a TreeStudent"

    classes_: Array

    @abstractmethod
    def _proba(self, X: Any) -> Array:
        """Return its probabilities, shape (n_rows, n_classes)."""

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Any:
        """Fit to labels or to soft targets, as the other students do."""
        rows = self._checked(X, reset=True)
        return self.fit_targets(X, read_labels(self, rows, y, check_weights(sample_weight, rows)))

    def fit_targets(self, X: Any, targets: AnyTargets) -> Any:
        """Fit to a teacher's answers and labels together; see BaseStudent."""
        super().fit_targets(X, targets)
        assert isinstance(targets, Targets)
        self.classes_ = targets.classes
        return self

    def _check_loss(self, targets: Targets) -> None:
        if not self.softens and targets.temperature != 1:
            raise ValueError(self.cannot_soften(targets.temperature))

    @property
    def softens(self) -> bool:
        """Whether it softens its own answers by the temperature."""
        return True

    def cannot_soften(self, temperature: float) -> str:
        """Return what is said of a temperature to a student that does not soften."""
        return (
            f"temperature={temperature} with student {self._name}: it learns from weighted rows and cannot soften its "
            f"own side of the loss. Set temperature=1, or use {self.others}, or a net."
        )

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, shape (n_rows, n_classes)."""
        return self._proba(self._rows(X))

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of the probability of each class, finite, shape (n_rows, n_classes)."""
        return np.log(np.maximum(self.predict_proba(X), np.finfo(np.float64).tiny))

    def decision_function(self, X: Any) -> Array:
        """Return the logits, shape (n_rows, n_classes), or (n_rows,) for two classes."""
        logits = self.predict_log_proba(X)
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def predict(self, X: Any) -> Array:
        """Return the most probable class, shape (n_rows,)."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class AdaptedRegressor(RegressorMixin, AdaptedStudent):
    """An adapted student that is a regressor."""

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Any:
        """Fit to numbers, as the other students do."""
        rows = self._checked(X, reset=True)
        return self.fit_targets(X, read_numbers(self, rows, y, check_weights(sample_weight, rows)))

    def cannot_take_huber(self, huber: float) -> str:
        """Return what is said of Huber's loss to a student that has a loss of its own."""
        return (
            f"huber={huber} with student {self._name}, which minimises a loss of its own. Set huber=None, or use one "
            "of skdistill's students."
        )

    def _predicted(self, X: Any) -> Array:
        return np.asarray(self.estimator_.predict(X), dtype=np.float64)

    def predict(self, X: Any) -> Array:
        """Return the predicted numbers, shape (n_rows,), or (n_rows, n_outputs) for several outputs."""
        values = self._predicted(self._rows(X))
        return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


class RegressorStudent(AdaptedRegressor):
    """Any regressor: it fits the blend of the teacher's answers and the labels.

    The sum of two squared errors is least where that from their weighted mean is. What else the
    regressor minimises in place of squares, it minimises from there.

    Parameters
    ----------
    estimator : regressor
        With a ``fit`` that takes ``sample_weight``, unless all rows weigh the same.
    """

    @property
    def takes_huber(self) -> bool:
        """Not as a loss: it minimises one of its own."""
        return False

    def _check_loss(self, targets: RegressionTargets) -> None:
        if targets.huber is not None:
            raise ValueError(self.cannot_take_huber(targets.huber))

    def _fit(self, X: Any, targets: RegressionTargets) -> Any:
        regressor = copy_unfitted(self.estimator)
        n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
        terms = targets.terms(n_rows)
        soft, hard = terms.soft_weight, terms.label_weight
        mass = soft + hard
        rows = np.flatnonzero(mass > 0)
        share = (soft[rows] / mass[rows])[:, None]
        blend = (share * terms.soft[rows] + (1.0 - share) * terms.labels[rows]) * terms.scale + terms.center
        # in sample weights, which is what a penalty is measured against
        weight = mass[rows] * (terms.total_weight / n_rows)
        wanted = blend[:, 0] if blend.shape[1] == 1 else blend
        if len(rows) < n_rows:
            X = take_rows(X, rows)
        if np.allclose(weight, 1.0, rtol=1e-12):
            return regressor.fit(X, wanted)
        if not has_fit_parameter(regressor, "sample_weight"):
            raise ValueError(
                f"student {self._name} cannot weigh rows, since its fit has no sample_weight. Rows weigh differently "
                "where there is sample_weight, or, with alpha below 1, where some have no label."
            )
        return regressor.fit(X, wanted, sample_weight=weight)
