"""What differs between comparing classifiers and comparing regressors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss
from sklearn.metrics import mean_absolute_error as mae
from sklearn.metrics import r2_score as r2
from sklearn.metrics import root_mean_squared_error as rmse

from .. import metrics
from .._checks import column_or_rows
from ..tasks import CLASSES, Task
from ._asking import ask_teacher, check_labels, knows_classes
from ._columns import Column, columns_of, in_units, percent
from ._figures import output_curves, reliability_curve, rows_apart
from ._slices import ranges

Array = NDArray[Any]


@dataclass
class Kind:
    """A teacher's answers for test rows, and how those of a model are measured beside them.

    Parameters
    ----------
    X : array, sparse matrix or frame of shape (n_rows, n_columns)
        Test rows.
    y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        Their labels or targets.
    teacher_pred : ndarray of shape (n_rows, n_classes) or (n_rows, n_outputs)
        The teacher's probabilities or predictions.
    classes : ndarray of shape (n_classes,)
        The sorted class labels; None for regressors.
    scoring : str
        The scorer of the retention.
    n_bins : int
        The number of bins of calibration.
    """

    X: Any
    y: Array
    teacher_pred: Array
    classes: Any
    scoring: str
    n_bins: int

    #: The method by which a model predicts.
    method: ClassVar[str]
    #: How close model and teacher are on a slice: its key, title and format, and the key of the figure on all rows.
    slice_key: ClassVar[str]
    slice_title: ClassVar[str]
    slice_format: ClassVar[Any]
    overall_key: ClassVar[str]
    #: What the rows are sliced by, and what is shown of a row on which student and teacher differ.
    slice_names: ClassVar[str]
    row_note: ClassVar[str]
    #: How close a student is to the teacher, with its fidelity in per cent.
    fidelity_text: ClassVar[str]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the report's table."""
        return columns_of(self.scoring, regression=self.classes is None)

    def slices_by_target(self) -> dict[str, Array]:
        """Return ways to slice the rows by their target: for each the slice of each row."""
        raise NotImplementedError

    def scores(self, pred: Array) -> dict[str, float]:
        """Return the figures of a model that do not depend on `scoring` or slices."""
        raise NotImplementedError

    def details(self, pred: Array) -> dict[str, Any]:
        """Return the fields of Details that depend on a model's answers alone."""
        raise NotImplementedError

    def closeness(self, pred: Array, rows: Array) -> float:
        """Return how close model and teacher are on some rows."""
        raise NotImplementedError

    @staticmethod
    def gain_text(gain: float, error: float, student: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
        """Return how much better a student is than the labels-only one, in per cent, as the end of a sentence."""
        raise NotImplementedError

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
        key = self.slice_key
        by_slice: list[dict[str, Any]] = [
            {"column": column, "slice": value, "n_rows": int(rows.sum()), key: self.closeness(pred, rows)}
            for column, by in slices.items()
            for value in filter(None, np.unique(by.astype(str)).tolist())
            for rows in [by == value]
        ]
        by_slice.sort(key=lambda one: one[key], reverse=self.classes is None)
        worst = by_slice[0] if by_slice else None
        options: dict[str, Any] = {"response_method": self.method, "classes": self.classes}
        retention = metrics.retention_score(self.y, self.teacher_pred, pred, scoring=self.scoring, **options)
        figures = {
            **self.scores(pred),
            "retention": float(retention),
            f"worst_slice_{key}": None if worst is None else worst[key],
            "worst_slice": None if worst is None else f"{worst['column']}: {worst['slice']}",
        }
        if self.scoring in {column.key for column in self.columns} - figures.keys():
            figures[self.scoring] = metrics.answer_score(self.y, pred, self.scoring, **options)
        return figures, by_slice

    def _rows_apart(self, difference: Array, **values: Array) -> list[dict[str, Any]]:
        """Return the rows on which student and teacher differ most, with the values of each row."""
        rows = rows_apart(self.X, difference)
        return [{**one, **{name: found[one["row"]] for name, found in values.items()}} for one in rows]


class _Classification(Kind):
    method = "predict_proba"
    slice_key, slice_title, slice_format, overall_key = "agreement", "agreement", staticmethod(percent), "fidelity"
    slice_names, row_note = "class, category and quartile", "The predicted class and its probability."
    fidelity_text = "agrees with the teacher on {} of the rows"

    def slices_by_target(self) -> dict[str, Array]:
        return {"class": self.y.astype(object)}

    def scores(self, pred: Array) -> dict[str, float]:
        y, teacher, classes = self.y, self.teacher_pred, self.classes
        return {
            "accuracy": float(accuracy_score(y, classes[pred.argmax(axis=1)])),
            "log_loss": float(log_loss(y, pred, labels=classes)),
            "fidelity": metrics.fidelity_score(teacher, pred),
            "fidelity_log_loss": metrics.fidelity_log_loss(teacher, pred),
            "calibration_error": metrics.expected_calibration_error(y, pred, classes=classes, n_bins=self.n_bins),
        }

    def closeness(self, pred: Array, rows: Array) -> float:
        return float((self.teacher_pred[rows].argmax(axis=1) == pred[rows].argmax(axis=1)).mean())

    def details(self, pred: Array) -> dict[str, Any]:
        y, teacher, classes = self.y, self.teacher_pred, self.classes
        teacher_label, label = teacher.argmax(axis=1), pred.argmax(axis=1)
        return {
            "row_scores": (classes[label] == y).astype(float),
            "reliability": reliability_curve(y, pred, classes, self.n_bins),
            "confusion": confusion_matrix(teacher_label, label, labels=np.arange(len(classes))),
            "disagreements": self._rows_apart(
                # total variation
                np.abs(teacher - pred).sum(axis=1) / 2,
                label=y,
                teacher=classes[teacher_label],
                teacher_probability=teacher.max(axis=1),
                student=classes[label],
                student_probability=pred.max(axis=1),
            ),
        }

    @staticmethod
    def gain_text(gain: float, error: float, student: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
        closer = 100 * (student["fidelity"] - baseline["fidelity"])
        sides = ["higher" if difference >= 0 else "lower" for difference in (gain, closer)]
        return (
            f"its accuracy is {abs(gain):.2f} points {sides[0]} (± {error:.2f}, one standard error) and its agreement "
            f"with the teacher {abs(closer):.2f} points {sides[1]}"
        )


class _Regression(Kind):
    method = "predict"
    slice_key, slice_title, slice_format, overall_key = (
        "rmse",
        "RMSE to teacher",
        staticmethod(in_units),
        "fidelity_rmse",
    )
    slice_names, row_note = "category and quartile", "The predictions, in the target's unit."
    fidelity_text = "explains {} of the variance of the teacher's predictions"

    def slices_by_target(self) -> dict[str, Array]:
        names = ["target"] if self.y.shape[1] == 1 else [f"output {at}" for at in range(self.y.shape[1])]
        return {name: ranges(values) for name, values in zip(names, self.y.T, strict=True)}

    def scores(self, pred: Array) -> dict[str, float]:
        own = {name: float(score(self.y, pred)) for name, score in (("r2", r2), ("rmse", rmse), ("mae", mae))}
        fidelity = {"fidelity": r2, "fidelity_rmse": rmse, "fidelity_mae": mae}
        return {**own, **{name: float(score(self.teacher_pred, pred)) for name, score in fidelity.items()}}

    def closeness(self, pred: Array, rows: Array) -> float:
        return float(rmse(self.teacher_pred[rows], pred[rows]))

    def details(self, pred: Array) -> dict[str, Any]:
        # each output over its spread, so that all outputs count alike
        spread, variance = self.teacher_pred.std(axis=0), self.y.var(axis=0)
        apart = (np.abs(self.teacher_pred - pred) / np.where(spread > 0, spread, 1.0)).mean(axis=1)
        label, teacher, student = map(column_or_rows, (self.y, self.teacher_pred, pred))
        return {
            "row_scores": -((pred - self.y) ** 2 / np.where(variance > 0, variance, 1.0)).mean(axis=1),
            "predictions": pred,
            "curves": output_curves(self.y, pred),
            "disagreements": self._rows_apart(apart, label=label, teacher=teacher, student=student),
        }

    @staticmethod
    def gain_text(gain: float, error: float, student: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
        closer = f"{in_units(student['fidelity_rmse'])} instead of {in_units(baseline['fidelity_rmse'])}"
        return (
            f"its mean squared error is {'lower' if gain >= 0 else 'higher'} by {abs(gain):.2f} % of the target's "
            f"variance (± {error:.2f}, one standard error) and its RMSE to the teacher is {closer}"
        )


def kind_class(classes: Array | None) -> type[Kind]:
    """Return the kind of a report with these classes; None if they are regressors."""
    return _Regression if classes is None else _Classification


def kind_of(
    task: Task,
    teacher: Any,
    students: Mapping[str, Any],
    X: Any,
    y: ArrayLike,
    given: Mapping[str, Any],
    scoring: str,
    n_bins: int,
) -> Kind:
    """Ask a teacher about test rows, with the arguments of compare().

    Parameters
    ----------
    task : Task
        That of the students.
    teacher, X, y, scoring, n_bins : object
        As compare() takes them.
    students : dict of str to estimator
        All classifiers or all regressors.
    given : dict
        ``teacher_proba``, ``teacher_pred`` and ``classes`` as compare() takes them.

    Returns
    -------
    kind : Kind
        With the teacher's answers.
    """
    if task == CLASSES and given["classes"] is None:
        given = {**given, "classes": _classes_of_students(teacher, given["teacher_proba"], students)}
    answers, classes = ask_teacher(task, teacher, X, np.asarray(y), **given)
    return kind_class(classes)(X, check_labels(task, y, answers, classes), answers, classes, scoring, n_bins)


def _classes_of_students(teacher: Any, teacher_proba: Any, students: Mapping[str, Any]) -> Any:
    """Return the classes that the students know, for a teacher that does not know its own."""
    if knows_classes(teacher):
        return None
    n_classes = None if teacher_proba is None else np.shape(teacher_proba)[-1]
    for student in students.values():
        own = np.asarray(student.classes_)
        # a callable's answers are not known yet; the models that were distilled from it know its classes
        if hasattr(student, "teacher_") if n_classes is None else len(own) == n_classes:
            return own
    return None
