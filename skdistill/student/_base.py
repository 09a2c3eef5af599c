"""What every student does: check its input, have the weights fitted, and predict through its Program."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets

from .._validation import check_proba, check_rows, check_weights, fit_context, label_column, not_fitted
from ..losses import LossTerms, Targets, log_softmax
from ..program import Op, Program, Softmax
from ._encoder import fit_encoder

Array = NDArray[Any]


class BaseStudent(ClassifierMixin, BaseEstimator):
    """A classifier that fits soft targets and ends as a Program.

    A subclass says in :meth:`_fit_weights` how the weights are found.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "class_weight": [dict, None],
        "verbose": ["verbose"],
    }

    class_weight: Any
    classes_: Array
    program_: Program
    n_features_in_: int

    @abstractmethod
    def _fit_weights(self, Z: Array, terms: LossTerms) -> list[Op]:
        """Fit to encoded rows Z of shape (n_rows, n_encoded); return the ops that turn them into logits."""

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Any:
        """Fit to labels or to soft targets.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_rows, n_columns)
            Numeric rows.
        y : array-like of shape (n_rows,) or (n_rows, n_classes)
            One label for each row, or one row of probabilities, the columns standing for the
            classes 0, 1, ...
        sample_weight : array-like of shape (n_rows,), default=None
            Non-negative weights.

        Returns
        -------
        self : object
            The fitted student.

        Raises
        ------
        ValueError
            If the rows hold a missing or infinite number, a row of `y` does not sum to one, the
            labels are continuous, or there are fewer than two classes.
        """
        X = check_rows(self, X, reset=True)
        return self._fit_checked(X, self._targets(X, y, check_weights(sample_weight, X)))

    def fit_targets(self, X: Any, targets: Targets) -> Any:
        """Fit to a teacher's answers and labels together: what DistilledClassifier calls.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_rows, n_columns)
            Numeric rows.
        targets : Targets
            The teacher's answers, the labels, and how to blend them.

        Returns
        -------
        self : object
            The fitted student.
        """
        self._validate_params()
        return self._fit_checked(check_rows(self, X, reset=True), targets)

    def _targets(self, X: Array, y: Any, sample_weight: Array | None) -> Targets:
        """Read `y` as labels where it is one column, as probabilities where it is several."""
        if y is None:
            raise ValueError(f"This {type(self).__name__} estimator requires y to be passed, but the target y is None.")
        y = y if hasattr(y, "iloc") else np.asarray(y)
        if y.ndim == 2 and y.shape[1] > 1:
            proba = check_proba(y, n_rows=len(X), n_classes=None, source="y as soft targets")
            return Targets(np.arange(y.shape[1]), proba, None, sample_weight)
        y = label_column(y)
        check_classification_targets(y)
        if len(y) != len(X):
            raise ValueError(f"X has {len(X)} rows and y has {len(y)}; each row needs one label.")
        seen = y if sample_weight is None else y[sample_weight > 0]
        classes = np.unique(seen)
        if len(classes) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least two classes in y; the data contain only one class: "
                f"{classes[0]!r}."
            )
        # a row of weight zero may hold a class of its own; any index serves for it
        labels = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
        return Targets(classes, None, labels, sample_weight, alpha=0.0)

    def _fit_checked(self, X: Array, targets: Targets) -> Any:
        weight = targets.sample_weight
        if weight is not None and not weight.all():
            X, targets = X[weight > 0], targets.take(weight > 0)
        terms = targets.terms(len(X), self.class_weight)
        encoder, encoded = fit_encoder(X, targets.sample_weight)
        weights = self._fit_weights(encoded, terms)
        self.classes_ = targets.classes
        self.program_ = Program([*encoder, *weights, Softmax()], n_columns=X.shape[1])
        return self

    def _rows(self, X: Any) -> Array:
        if "program_" not in self.__dict__:
            raise not_fitted(self)
        return check_rows(self, X, reset=False)

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_rows, n_columns)
            Rows with the columns seen in fit.

        Returns
        -------
        proba : ndarray of shape (n_rows, n_classes)
            Probabilities in the order of ``classes_``; each row sums to one.
        """
        X = self._rows(X)
        return self.program_(X)

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of the probability of each class.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_rows, n_columns)
            Rows with the columns seen in fit.

        Returns
        -------
        log_proba : ndarray of shape (n_rows, n_classes)
            Natural logarithms, in the order of ``classes_``.
        """
        X = self._rows(X)
        return log_softmax(self.program_.logits(X))

    def decision_function(self, X: Any) -> Array:
        """Return the logits.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_rows, n_columns)
            Rows with the columns seen in fit.

        Returns
        -------
        logits : ndarray of shape (n_rows, n_classes), or (n_rows,) for two classes
            Logits; for two classes those of ``classes_[1]`` over ``classes_[0]``.
        """
        X = self._rows(X)
        logits = self.program_.logits(X)
        return logits[:, 0] if logits.shape[1] == 1 else logits

    def predict(self, X: Any) -> Array:
        """Return the most probable class.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_rows, n_columns)
            Rows with the columns seen in fit.

        Returns
        -------
        labels : ndarray of shape (n_rows,)
            Class labels.
        """
        X = self._rows(X)
        logits = self.program_.logits(X)
        best = logits[:, 0] > 0 if logits.shape[1] == 1 else logits.argmax(axis=1)
        return self.classes_[best.astype(np.intp)]
