"""What differs between comparing classifiers and comparing regressors, and who is asked for answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    log_loss,
    mean_absolute_error,
    r2_score,
    root_mean_squared_error,
)

from .. import metrics
from .._answers import (
    check_every_label,
    check_student,
    n_rows_of,
    predicts_numbers,
    student_answer,
    teacher_answers,
    teacher_numbers,
)
from .._validation import check_numbers, column_or_rows
from ..teacher import is_estimator, members
from ._columns import Column, columns_of, in_units, percent
from ._figures import output_curves, reliability_curve, rows_apart
from ._slices import ranges, shortened

Array = NDArray[Any]


class Kind:
    """A teacher's answers for test rows, and how those of a model are measured beside them.

    Parameters
    ----------
    X : array, sparse matrix or frame of shape (n_rows, n_columns)
        Test rows.
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        Their labels or targets.
    teacher_pred : ndarray of shape (n_rows, n_classes) or (n_rows, n_outputs)
        The teacher's probabilities or predictions.
    classes : ndarray of shape (n_classes,) or None
        The sorted class labels; None for regressors.
    scoring : str
        The scorer of the retention.
    n_bins : int
        The number of bins of calibration.
    """

    #: The method by which a model predicts.
    method: ClassVar[str]
    #: How close model and teacher are on a slice: its key, title and format, and the key of the figure on all rows.
    slice_key: ClassVar[str]
    slice_title: ClassVar[str]
    slice_format: ClassVar[Any]
    overall_key: ClassVar[str]
    #: What the rows are sliced by.
    slice_names: ClassVar[str]
    #: What is shown of a row on which student and teacher differ.
    row_note: ClassVar[str]
    #: The scores shown of ``distillation_report_``.
    fit_keys: ClassVar[tuple[str, ...]]

    def __init__(
        self, X: Any, y: ArrayLike, teacher_pred: Array, classes: Array | None, scoring: str, n_bins: int
    ) -> None:
        self.X = X
        self.y = self._check_y(y, teacher_pred, classes)
        self.teacher_pred = teacher_pred
        self.classes = classes
        self.scoring = scoring
        self.n_bins = n_bins
        self.columns: tuple[Column, ...] = columns_of(scoring, regression=classes is None)

    def _check_y(self, y: ArrayLike, teacher_pred: Array, classes: Array | None) -> Array:
        raise NotImplementedError

    def slices_by_target(self) -> dict[str, Array]:
        """Return ways to slice the rows by their target: for each the slice of each row."""
        raise NotImplementedError

    def scores(self, pred: Array) -> dict[str, float]:
        """Return the figures of a model that are not of one scorer."""
        raise NotImplementedError

    def details(self, pred: Array) -> dict[str, Any]:
        """Return the fields of Details that depend on a model's answers alone."""
        raise NotImplementedError

    def _closeness(self, pred: Array) -> Array:
        """Return how close model and teacher are on each row."""
        raise NotImplementedError

    def _mean_closeness(self, closeness: Array) -> float:
        return float(closeness.mean())

    def figures(self, pred: Array, slices: Mapping[str, Array]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return the figures of a model, and how close it is to the teacher on each slice.

        Parameters
        ----------
        pred : ndarray of shape (n_rows, n_classes) or (n_rows, n_outputs)
            The model's probabilities or predictions.
        slices : dict of str to ndarray of shape (n_rows,)
            For each way to slice the rows, the slice of each row; empty text for a slice that is too small.

        Returns
        -------
        figures : dict
            By the keys of the table's columns.
        by_slice : list of dict
            ``column``, ``slice``, ``n_rows`` and ``agreement`` or ``rmse``, the worst first.
        """
        closeness = self._closeness(pred)
        by_slice: list[dict[str, Any]] = []
        for column, by in slices.items():
            for value in filter(None, np.unique(by.astype(str)).tolist()):
                rows = by == value
                found = {"column": column, "slice": value, "n_rows": int(rows.sum())}
                by_slice.append({**found, self.slice_key: self._mean_closeness(closeness[rows])})
        lower_is_worse = self.classes is not None
        by_slice.sort(key=lambda one: one[self.slice_key] if lower_is_worse else -one[self.slice_key])
        worst = by_slice[0] if by_slice else None
        answers: dict[str, Any] = {"response_method": self.method, "classes": self.classes}
        figures = {
            **self.scores(pred),
            "retention": float(
                metrics.retention_score(self.y, self.teacher_pred, pred, scoring=self.scoring, **answers)
            ),
            f"worst_slice_{self.slice_key}": None if worst is None else worst[self.slice_key],
            "worst_slice": None if worst is None else f"{worst['column']}: {worst['slice']}",
        }
        if self.scoring in {column.key for column in self.columns} - figures.keys():
            figures[self.scoring] = metrics.answer_score(self.y, pred, self.scoring, **answers)
        return figures, by_slice

    @staticmethod
    def describe_fidelity(row: Mapping[str, Any]) -> str:
        """Return how close a student is to the teacher, from its row of the table, as the end of a sentence."""
        raise NotImplementedError

    @staticmethod
    def describe_gain(gain: float, error: float, student: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
        """Return how much better a student is than the labels-only one, in per cent, as the end of a sentence."""
        raise NotImplementedError

    @staticmethod
    def cell(row: Mapping[str, Any], name: str) -> str:
        """Return the ``label``, or the answer of ``teacher`` or ``student``, for a row on which they differ."""
        raise NotImplementedError

    def _rows_apart(self, difference: Array, **values: Array) -> list[dict[str, Any]]:
        """Return the rows on which student and teacher differ most, with the values of each row."""
        return [
            {**one, **{name: found[one["row"]] for name, found in values.items()}}
            for one in rows_apart(self.X, difference)
        ]


class _Classification(Kind):
    method = "predict_proba"
    slice_key, slice_title, slice_format, overall_key = "agreement", "agreement", staticmethod(percent), "fidelity"
    slice_names = "class, category and quartile"
    row_note = "The predicted class and its probability."
    fit_keys = ("log_loss", "accuracy", "agreement")

    def _check_y(self, y: ArrayLike, teacher_pred: Array, classes: Array | None) -> Array:
        return check_every_label(y, len(teacher_pred), np.asarray(classes))

    def slices_by_target(self) -> dict[str, Array]:
        return {"class": self.y.astype(object)}

    def scores(self, pred: Array) -> dict[str, float]:
        y, teacher, classes = self.y, self.teacher_pred, np.asarray(self.classes)
        return {
            "accuracy": float(accuracy_score(y, classes[pred.argmax(axis=1)])),
            "log_loss": float(log_loss(y, pred, labels=classes)),
            "fidelity": metrics.fidelity_score(teacher, pred),
            "fidelity_log_loss": metrics.fidelity_log_loss(teacher, pred),
            "calibration_error": metrics.expected_calibration_error(y, pred, classes=classes, n_bins=self.n_bins),
        }

    def _closeness(self, pred: Array) -> Array:
        return self.teacher_pred.argmax(axis=1) == pred.argmax(axis=1)

    def details(self, pred: Array) -> dict[str, Any]:
        y, teacher, classes = self.y, self.teacher_pred, np.asarray(self.classes)
        first, own = teacher.argmax(axis=1), pred.argmax(axis=1)
        return {
            "row_scores": (classes[own] == y).astype(float),
            "reliability": reliability_curve(y, pred, classes, self.n_bins),
            "confusion": confusion_matrix(first, own, labels=np.arange(len(classes))),
            "disagreements": self._rows_apart(
                # total variation
                np.abs(teacher - pred).sum(axis=1) / 2,
                label=y,
                teacher=classes[first],
                teacher_probability=teacher.max(axis=1),
                student=classes[own],
                student_probability=pred.max(axis=1),
            ),
        }

    @staticmethod
    def describe_fidelity(row: Mapping[str, Any]) -> str:
        return f"agrees with the teacher on {percent(row['fidelity'])} of the rows"

    @staticmethod
    def describe_gain(gain: float, error: float, student: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
        closer = 100 * (student["fidelity"] - baseline["fidelity"])
        return (
            f"its accuracy is {_points(gain)} (± {error:.2f}, one standard error) and its agreement with the teacher "
            f"{_points(closer)}"
        )

    @staticmethod
    def cell(row: Mapping[str, Any], name: str) -> str:
        return shortened(str(row[name])) + ("" if name == "label" else f" {row[f'{name}_probability']:.2f}")


class _Regression(Kind):
    method = "predict"
    slice_key, slice_title, slice_format, overall_key = (
        "rmse",
        "RMSE to teacher",
        staticmethod(in_units),
        "fidelity_rmse",
    )
    slice_names = "category and quartile"
    row_note = "The predictions, in the target's unit."
    fit_keys = ("rmse", "mae", "r2", "r2_teacher")

    def _check_y(self, y: ArrayLike, teacher_pred: Array, classes: Array | None) -> Array:
        return _check_outputs(check_numbers(y, n_rows=len(teacher_pred), source="y"), teacher_pred, "y")

    def slices_by_target(self) -> dict[str, Array]:
        names = ["target"] if self.y.shape[1] == 1 else [f"output {at}" for at in range(self.y.shape[1])]
        return {name: ranges(values) for name, values in zip(names, self.y.T, strict=True)}

    def scores(self, pred: Array) -> dict[str, float]:
        y, teacher = self.y, self.teacher_pred
        return {
            "r2": float(r2_score(y, pred)),
            "rmse": float(root_mean_squared_error(y, pred)),
            "mae": float(mean_absolute_error(y, pred)),
            "fidelity": float(r2_score(teacher, pred)),
            "fidelity_rmse": float(root_mean_squared_error(teacher, pred)),
            "fidelity_mae": float(mean_absolute_error(teacher, pred)),
        }

    def _closeness(self, pred: Array) -> Array:
        return (self.teacher_pred - pred) ** 2

    def _mean_closeness(self, closeness: Array) -> float:
        return float(np.sqrt(closeness.mean(axis=0)).mean())

    def details(self, pred: Array) -> dict[str, Any]:
        # each output over its spread, so that all outputs count alike
        apart = np.abs(self.teacher_pred - pred) / _or_one(self.teacher_pred.std(axis=0))
        values = {"label": self.y, "teacher": self.teacher_pred, "student": pred}
        return {
            "row_scores": -((pred - self.y) ** 2 / _or_one(self.y.var(axis=0))).mean(axis=1),
            "predictions": pred,
            "curves": output_curves(self.y, pred),
            "disagreements": self._rows_apart(
                apart.mean(axis=1), **{name: column_or_rows(found) for name, found in values.items()}
            ),
        }

    @staticmethod
    def describe_fidelity(row: Mapping[str, Any]) -> str:
        return f"explains {percent(row['fidelity'])} of the variance of the teacher's predictions"

    @staticmethod
    def describe_gain(gain: float, error: float, student: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
        side = "lower" if gain >= 0 else "higher"
        closer = f"{in_units(student['fidelity_rmse'])} instead of {in_units(baseline['fidelity_rmse'])}"
        return (
            f"its mean squared error is {side} by {abs(gain):.2f} % of the target's variance (± {error:.2f}, one "
            f"standard error) and its RMSE to the teacher is {closer}"
        )

    @staticmethod
    def cell(row: Mapping[str, Any], name: str) -> str:
        return shortened(", ".join(in_units(number) for number in np.atleast_1d(row[name])))


def kind_class(classes: Array | None) -> type[Kind]:
    """Return the kind of a report with these classes; None if they are regressors."""
    return _Regression if classes is None else _Classification


def _points(difference: float) -> str:
    return f"{abs(difference):.2f} points {'higher' if difference >= 0 else 'lower'}"


def _or_one(spread: Array) -> Array:
    return np.where(spread > 0, spread, 1.0)


def _check_outputs(numbers: Array, teacher_pred: Array, name: str) -> Array:
    n_outputs, needed = numbers.shape[1], teacher_pred.shape[1]
    if n_outputs != needed:
        raise ValueError(
            f"{name} has {n_outputs} output{'s' * (n_outputs > 1)}, and the teacher answers with {needed}."
        )
    return numbers


def is_regression(students: Mapping[str, Any]) -> bool:
    """Tell whether students are regressors."""
    return predicts_numbers(next(iter(students.values())))


def kind_of(
    teacher: Any,
    students: Mapping[str, Any],
    X: Any,
    y: ArrayLike,
    *,
    teacher_proba: ArrayLike | None,
    teacher_pred: ArrayLike | None,
    classes: ArrayLike | None,
    scoring: str,
    n_bins: int,
) -> Kind:
    """Ask a teacher about test rows, with the arguments of compare()."""
    regression = is_regression(students)
    if not regression and classes is None:
        classes = _classes_of_students(teacher, teacher_proba, students)
    answers, found = _ask_teacher(
        teacher, X, y, classes, teacher_proba=teacher_proba, teacher_pred=teacher_pred, regression=regression
    )
    return kind_class(found)(X, y, answers, found, scoring, n_bins)


def _ask_teacher(
    teacher: Any,
    X: Any,
    y: ArrayLike | None,
    classes: ArrayLike | None,
    *,
    teacher_proba: ArrayLike | None,
    teacher_pred: ArrayLike | None,
    regression: bool,
) -> tuple[Array, Array | None]:
    """Return a teacher's answers for rows as columns, and the sorted classes; None of a regressor."""
    misplaced = {"teacher_proba": teacher_proba, "classes": classes} if regression else {"teacher_pred": teacher_pred}
    for name, given in misplaced.items():
        if given is not None:
            students = "regressors" if regression else "classifiers"
            raise ValueError(f"{name} is given, and the students are {students}, which have no use for it.")
    if regression:
        return teacher_numbers(teacher, X, teacher_pred), None
    labels = None if y is None else np.asarray(y)
    answers = teacher_answers(teacher, X, labels, teacher_proba=teacher_proba, classes=classes)
    return answers.proba, answers.classes


def ask_student(student: Any, X: Any, teacher_pred: Array, classes: Array | None, name: str) -> Array:
    """Return a student's answers for rows, in columns like the teacher's.

    Parameters
    ----------
    student : estimator
        Fitted.
    X : array, sparse matrix or frame of shape (n_rows, n_columns)
        The rows.
    teacher_pred : ndarray of shape (n_rows, n_classes) or (n_rows, n_outputs)
        The teacher's answers.
    classes : ndarray of shape (n_classes,) or None
        The sorted class labels; None for a regressor.
    name : str
        The student's name in messages.

    Returns
    -------
    pred : ndarray of shape (n_rows, n_classes) or (n_rows, n_outputs)
        Probabilities or predictions.
    """
    if classes is not None:
        return student_answer(student, X, classes, name)
    return _check_outputs(check_numbers(student.predict(X), n_rows=n_rows_of(X), source=name), teacher_pred, name)


def ask_both(
    estimator: Any,
    X: Any,
    y: ArrayLike | None,
    teacher: Any,
    teacher_proba: ArrayLike | None,
    teacher_pred: ArrayLike | None = None,
    *,
    regression: bool | None = None,
) -> tuple[Array, Array, Array | None]:
    """Return the answers of a teacher and its student for rows.

    Parameters
    ----------
    estimator : estimator
        A fitted student, or a distilled model, which knows its teacher.
    X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
        The rows.
    y : array-like of shape (n_rows,) or None
        Their labels.
    teacher : estimator, callable, list of these, or None
        None takes the model's own.
    teacher_proba, teacher_pred : array-like or None
        The teacher's answers, if they are known.
    regression : bool or None, default=None
        Whether the student must be a regressor; None allows both.

    Returns
    -------
    teacher_pred, student_pred : ndarray of shape (n_rows, n_classes) or (n_rows, n_outputs)
        Probabilities, columns in the order of `classes`, or predictions.
    classes : ndarray of shape (n_classes,) or None
        The class labels; None for a regressor.
    """
    check_student(estimator, "estimator", numbers=regression)
    regression = predicts_numbers(estimator)
    if teacher is None and hasattr(estimator, "ask_teacher"):
        # it knows the weights of its teachers and the classes of their columns
        if regression:
            answers = estimator.ask_teacher(X, teacher_pred=teacher_pred)
            answers, classes = check_numbers(answers, n_rows=n_rows_of(X), source="teacher_pred"), None
        else:
            answers, classes = estimator.ask_teacher(X, teacher_proba=teacher_proba), estimator.classes_
    else:
        known = regression or isinstance(teacher, list | tuple) or hasattr(teacher, "classes_")
        answers, classes = _ask_teacher(
            teacher,
            X,
            y,
            None if known else estimator.classes_,
            teacher_proba=teacher_proba,
            teacher_pred=teacher_pred,
            regression=regression,
        )
    return answers, ask_student(estimator, X, answers, classes, "estimator"), classes


def predict_of(teacher: Any, method: str) -> Callable[[Any], Any] | None:
    """Return the function by which a teacher predicts, to be timed; None if there is no teacher."""
    if teacher is None:
        return None
    predicts = [getattr(one, method) if is_estimator(one) else one for one in members(teacher)]
    return predicts[0] if len(predicts) == 1 else lambda X: [predict(X) for predict in predicts]


def _classes_of_students(teacher: Any, teacher_proba: Any, students: Mapping[str, Any]) -> Any:
    """Return the classes that the students know, for a teacher that does not know its own."""
    if is_estimator(teacher) or (isinstance(teacher, list | tuple) and any(map(is_estimator, teacher))):
        return None
    n_classes = None if teacher_proba is None else np.shape(teacher_proba)[-1]
    for student in students.values():
        own = np.asarray(student.classes_)
        # a callable's answers are not known yet; the models that it taught know its classes
        if hasattr(student, "teacher_") if n_classes is None else len(own) == n_classes:
            return own
    return None
