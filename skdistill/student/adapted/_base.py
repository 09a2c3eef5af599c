"""The base of adapted students: they fit targets in their own way, and predict through the user's estimator."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import get_tags

from ..._checks import check_rows, check_weights, column_or_rows
from ..._sklearn import n_rows_of, not_fitted
from ...losses import BinaryCrossEntropy, CrossEntropy, Loss, SquaredError, Targets
from ...program import in_order, is_frame
from ...tasks import CLASSES, NUMBERS, Task
from .._base import counted_rows
from .._protocol import Traits, traits_of

Array = NDArray[Any]


class AdaptedStudent(BaseEstimator):
    """A student that predicts through `estimator_`, and has no Program.

    A subclass says in :meth:`_fit` how it is fitted; :class:`AdaptedClassifierPart` or
    :class:`AdaptedRegressorPart` adds what it predicts.

    Parameters
    ----------
    estimator : object
        What the user gave; it stays as it is.
    """

    _traits: Any = Traits()
    #: What its targets are.
    _task: ClassVar[Task]

    estimator_: Any
    classes_: Array
    n_features_in_: int
    feature_names_in_: Array

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    @abstractmethod
    def _fit(self, X: Any, targets: Targets) -> Any:
        """Return a fitted copy of `estimator`."""

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Any:
        """Fit to labels, as the other students do.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            The rows, as `estimator` takes them.
        y : array-like of shape (n_rows,) or (n_rows, n_targets)
            Class labels or soft targets; or, of a regressor, numbers.
        sample_weight : array-like of shape (n_rows,), default=None
            Non-negative weights.

        Returns
        -------
        self : object
            The fitted student.
        """
        rows, task = self._checked(X, reset=True), self._task
        weight, called = check_weights(sample_weight, rows), type(self).__name__
        targets = task.only_labels(y, n_rows=n_rows_of(rows), sample_weight=weight, loss=task.loss(), called=called)
        return self.fit_targets(X, targets)

    def fit_targets(self, X: Any, targets: Targets) -> Any:
        """Fit the student to a teacher's predictions and labels together; distillers call this.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            The rows, as `estimator` takes them.
        targets : Targets
            The teacher's answers, the labels, and how to blend them.

        Returns
        -------
        self : object
            The fitted student.

        Raises
        ------
        ValueError
            If it cannot minimise the loss that the targets bring.
        """
        check_loss(self, targets.loss)
        X, targets = counted_rows(self._checked(X, reset=True), targets)
        self.estimator_ = self._fit(X, targets)
        targets.name_classes(self)
        return self

    def _checked(self, X: Any, *, reset: bool) -> Any:
        return check_rows(self, X, reset=reset, any_form=self._traits.any_form)

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


class SeededStudent(AdaptedStudent):
    """An adapted student that takes a seed, and may show its progress; its subclasses say what for."""

    def __init__(
        self, estimator: Any, random_state: int | np.random.RandomState | None = None, verbose: int = 0
    ) -> None:
        super().__init__(estimator)
        self.random_state = random_state
        self.verbose = verbose


class AdaptedClassifierPart(ClassifierMixin, AdaptedStudent):
    """The classifier part of an adapted student."""

    _task = CLASSES

    def _proba(self, X: Any) -> Array:
        """Return its probabilities, shape (n_rows, n_classes)."""
        return self.estimator_.predict_proba(X)

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


class AdaptedRegressorPart(RegressorMixin, AdaptedStudent):
    """The regressor part of an adapted student."""

    _task = NUMBERS

    def predict(self, X: Any) -> Array:
        """Return the predicted numbers, shape (n_rows,), or (n_rows, n_outputs) for several outputs."""
        values = np.asarray(self.estimator_.predict(self._rows(X)), dtype=np.float64)
        return column_or_rows(values) if values.ndim == 2 else values


def check_loss(student: Any, loss: Loss) -> None:
    """Raise for a loss that a student cannot minimise.

    Parameters
    ----------
    student : Student
        Not fitted.
    loss : Loss
        The loss that its targets will bring.

    Raises
    ------
    ValueError
        If the student cannot soften its own side of the loss and the temperature is not 1, or if it
        minimises a loss of its own and this is neither cross-entropy nor squared error.
    """
    traits, name = traits_of(student), getattr(student, "_name", type(student).__name__)
    temperature = getattr(loss, "temperature", 1.0)
    if temperature != 1 and not traits.softens:
        raise ValueError(
            f"temperature={temperature} with student {name}: it learns from weighted rows and cannot soften its "
            "own side of the loss. Set temperature=1, or use a LinearStudent, an MLPStudent or a TreeStudent, or a net."
        )
    if isinstance(loss, BinaryCrossEntropy) and not traits.several_labels:
        raise ValueError(
            f"y has several labels for each row, and student {name} learns one class. Use a LinearStudent or an "
            "MLPStudent."
        )
    if not traits.takes_loss and type(loss) not in (CrossEntropy, SquaredError):
        raise ValueError(
            f"loss={loss!r} with student {name}, which minimises a loss of its own. Use the squared error, or one of "
            "skdistill's students."
        )
