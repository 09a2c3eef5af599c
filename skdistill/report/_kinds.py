"""What a report asks of models and measures: of those that name classes, and of those that predict numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

import numpy as np
from joblib import Memory
from numpy.typing import ArrayLike, NDArray

from .._answers import check_every_label, n_rows_of, student_answer, teacher_answers, teacher_numbers
from .._validation import InvalidParameterError, check_numbers
from ..teacher import ask, ask_numbers, check_teachers, is_estimator, members
from ._columns import Column, classification_columns, regression_columns
from ._figures import confusion, disagreements, quality, reliability_curve
from ._numbers import densities, numbers_apart, numbers_quality, output_curves, squares
from ._slices import ranges

Array = NDArray[Any]


class Kind(Protocol):
    """The answers of a teacher, and how those of others are measured beside them."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """The figures."""

    @property
    def classes(self) -> Array | None:
        """The class labels, sorted; None of numbers."""

    @property
    def told(self) -> Array:
        """What the teacher says, shape (n_rows, n_classes) or (n_rows, n_outputs)."""

    @property
    def method(self) -> str:
        """The method by which a model answers."""

    def by_label(self) -> dict[str, Array]:
        """Return ways to slice the rows by what is to be predicted: for each the slice of each row."""

    def ask(self, student: Any, called: str) -> Array:
        """Return what a student says of the rows."""

    def figures(self, answer: Array, slices: Mapping[str, Array]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return the figures of a model, and those of it on slices, the worst first."""

    def details(self, answer: Array) -> dict[str, Any]:
        """Return what is shown of a model besides, by the fields of Details."""

    def predict(self, teacher: Any) -> Callable[[Any], Any] | None:
        """Return how a teacher answers rows."""


class OfClasses:
    """Classifiers: see Kind."""

    method = "predict_proba"

    def __init__(
        self,
        teacher: Any,
        named: Mapping[str, Any],
        X: Any,
        y: ArrayLike,
        *,
        teacher_proba: ArrayLike | None,
        classes: ArrayLike | None,
        metric: str,
        n_bins: int,
    ) -> None:
        if classes is None:
            classes = _said_by_students(teacher, teacher_proba, named)
        answers = teacher_answers(teacher, X, np.asarray(y), teacher_proba=teacher_proba, classes=classes)
        assert answers.classes is not None
        self.classes: Array = answers.classes
        self.told = answers.proba
        self.columns = classification_columns(metric)
        self._X, self._metric, self._n_bins = X, metric, n_bins
        self._labels = check_every_label(y, n_rows_of(X), self.classes)

    def by_label(self) -> dict[str, Array]:
        """Return the class of each row."""
        return {"class": self._labels.astype(object)}

    def ask(self, student: Any, called: str) -> Array:
        """Return a student's probabilities."""
        return student_answer(student, self._X, self.classes, called)

    def figures(self, answer: Array, slices: Mapping[str, Array]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return figures of probabilities."""
        return quality(self._labels, self.told, answer, self.classes, self._metric, self._n_bins, slices)

    def details(self, answer: Array) -> dict[str, Any]:
        """Return reliability, confusion, and the rows on which they differ most."""
        return {
            "reliability": reliability_curve(self._labels, answer, self.classes, self._n_bins),
            "confusion": confusion(self.told, answer),
            "disagreements": disagreements(self._X, self._labels, self.told, answer, self.classes),
            "merit": (self.classes[answer.argmax(axis=1)] == self._labels).astype(float),
        }

    def predict(self, teacher: Any) -> Callable[[Any], Any] | None:
        """Return how a teacher answers rows."""
        return _predict(teacher, self.method, _ask_all)


class OfNumbers:
    """Regressors: see Kind."""

    method = "predict"
    classes = None

    def __init__(self, teacher: Any, X: Any, y: ArrayLike, *, teacher_pred: ArrayLike | None, metric: str) -> None:
        self.told = teacher_numbers(teacher, X, teacher_pred)
        self._y = check_numbers(y, n_rows=n_rows_of(X), source="y")
        self.columns = regression_columns(metric)
        self._X, self._metric = X, metric
        self._check_outputs(self._y, "y")

    def _check_outputs(self, numbers: Array, called: str) -> Array:
        if numbers.shape != self.told.shape:
            raise ValueError(
                f"{called} has {numbers.shape[1]} output{'s' * (numbers.shape[1] > 1)}, and the teacher answers with "
                f"{self.told.shape[1]}."
            )
        return numbers

    def by_label(self) -> dict[str, Array]:
        """Return between which quartiles the number of each row is, for each output."""
        names = ["target"] if self._y.shape[1] == 1 else [f"output {at}" for at in range(self._y.shape[1])]
        return {name: ranges(values) for name, values in zip(names, self._y.T, strict=True)}

    def ask(self, student: Any, called: str) -> Array:
        """Return a student's numbers."""
        answer = check_numbers(student.predict(self._X), n_rows=n_rows_of(self._X), source=called)
        return self._check_outputs(answer, called)

    def figures(self, answer: Array, slices: Mapping[str, Array]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return figures of numbers."""
        return numbers_quality(self._y, self.told, answer, self._metric, slices)

    def details(self, answer: Array) -> dict[str, Any]:
        """Return what is there by ranges of what is predicted, the density, and the rows that differ most."""
        return {
            "curves": output_curves(self._y, answer),
            "densities": densities(self.told, answer),
            "disagreements": numbers_apart(self._X, self._y, self.told, answer),
            "merit": -squares(self._y, answer),
        }

    def predict(self, teacher: Any) -> Callable[[Any], Any] | None:
        """Return how a teacher answers rows."""
        return _predict(teacher, self.method, _ask_all_numbers)


def kind_of(
    teacher: Any,
    named: Mapping[str, Any],
    X: Any,
    y: ArrayLike,
    *,
    numbers: bool,
    teacher_proba: ArrayLike | None,
    teacher_pred: ArrayLike | None,
    classes: ArrayLike | None,
    metric: str,
    n_bins: int,
) -> Kind:
    """Ask a teacher of classes or of numbers about the rows, as compare() was told to."""
    unfit = {"teacher_proba": teacher_proba, "classes": classes} if numbers else {"teacher_pred": teacher_pred}
    for name, given in unfit.items():
        if given is not None:
            kind = "regressors" if numbers else "classifiers"
            raise InvalidParameterError(f"{name} is given, and the students are {kind}, which have no use for it.")
    if numbers:
        return OfNumbers(teacher, X, y, teacher_pred=teacher_pred, metric=metric)
    return OfClasses(teacher, named, X, y, teacher_proba=teacher_proba, classes=classes, metric=metric, n_bins=n_bins)


def _said_by_students(teacher: Any, teacher_proba: Any, named: Mapping[str, Any]) -> Any:
    """Return the classes of a teacher that does not say them, as its students know them."""
    if is_estimator(teacher) or (isinstance(teacher, list | tuple) and any(map(is_estimator, teacher))):
        return None
    n_classes = None if teacher_proba is None else np.shape(teacher_proba)[-1]
    for student in named.values():
        own = np.asarray(student.classes_)
        # the answers of a callable are not known yet; those it taught know its classes
        if hasattr(student, "teacher_") if n_classes is None else len(own) == n_classes:
            return own
    return None


def _predict(teacher: Any, method: str, ask_all: Callable[..., Any]) -> Callable[[Any], Any] | None:
    if teacher is None:
        return None
    if isinstance(teacher, list | tuple):
        return partial(ask_all, teacher, check_teachers(teacher, None, regression=method == "predict"))
    return getattr(teacher, method) if is_estimator(teacher) else teacher


def _ask_all(teacher: Any, shares: Array, X: Any) -> Array:
    return ask(teacher, shares, X, n_rows_of(X), Memory(None), members(teacher)).proba


def _ask_all_numbers(teacher: Any, shares: Array, X: Any) -> Array:
    return ask_numbers(teacher, shares, X, n_rows_of(X), Memory(None), members(teacher))
