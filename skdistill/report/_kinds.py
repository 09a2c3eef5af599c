"""What differs between comparing classifiers and comparing regressors."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    confusion_matrix,
    log_loss,
    roc_auc_score,
    root_mean_squared_error,
)

from .. import metrics
from .._checks import column_or_rows
from ..tasks import CLASSES, LABELS, NUMBERS, Task
from . import _drawing as drawing
from ._columns import COST, Column, decimal, in_units, percent
from ._figures import class_curve, output_curves, reliability_curve, rows_apart
from ._slices import ranges

Array = NDArray[Any]
#: A class with a smaller share of the rows is rare; of many classes, one with less than half an equal share.
_RARE = 0.05
#: Of how many rare classes the calibration is drawn.
_SHOWN_RARE = 2
#: Texts of a column that name the teacher.
_TEXTS = ("title", "meaning")
#: What draws a picture on axes, its description in text, and its caption in HTML.
Picture = tuple[Callable[[Any], Any], str, str]


@dataclass
class Kind:
    """A teacher's answers for test rows, and how those of a model are measured beside them.

    Parameters
    ----------
    X : array, sparse matrix or frame of shape (n_rows, n_columns)
        Test rows.
    y : ndarray of shape (n_rows,) or (n_rows, n_outputs), or None
        Their labels or targets, where there are any.
    teacher_pred : ndarray of shape (n_rows, n_classes) or (n_rows, n_outputs)
        The teacher's probabilities or predictions.
    order : ndarray of shape (n_targets,) or None
        The sorted class labels, or the names of a regressor's outputs where anyone knows them.
    scoring : str
        The scorer of the retention.
    n_bins : int
        The number of bins of calibration.
    reference : {"teacher", "baseline"}
        What the model is that the others are measured beside.
    """

    X: Any
    y: Array | None
    teacher_pred: Array
    order: Array | None
    scoring: str
    n_bins: int
    reference: str

    task: ClassVar[Task]
    #: The columns of the table: scores against the labels, and how close a model is to the teacher.
    scores_shown: ClassVar[tuple[Column, ...]]
    fidelity_shown: ClassVar[tuple[Column, ...]]
    #: How close model and teacher are on a slice, the key of the same on all rows, and whether more is further apart.
    slice_column: ClassVar[Column]
    overall_key: ClassVar[str]
    is_distance: ClassVar[bool]
    #: What the rows are sliced by, what is shown of a row on which both differ, and the number of classes.
    slice_names: ClassVar[str]
    row_note: ClassVar[str]
    n_classes_text: ClassVar[str] = ""
    #: How close a student is to the teacher, with its fidelity in per cent.
    fidelity_text: ClassVar[str]

    @property
    def classes(self) -> Any:
        """The sorted class labels; None for regressors."""
        return self.task.classes(self.order)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the report's table."""
        scoring = self.scoring
        inverse = ", inverted since it is a loss" if scoring.startswith("neg_") else ""
        own = Column(scoring, scoring, decimal, f"scikit-learn's {scoring}.")
        is_shown = scoring.removeprefix("neg_") in {column.key for column in self.scores_shown}
        retention = Column("retention", "retention", percent, f"The model's {scoring} over the teacher's{inverse}.")
        columns = (*self.scores_shown, *(() if is_shown else (own,)), retention, *self.fidelity_shown, *COST)
        texts = [{name: getattr(one, name).replace("teacher", self.reference) for name in _TEXTS} for one in columns]
        return tuple(one._replace(**own) for one, own in zip(columns, texts, strict=True))

    def slices_by_target(self) -> dict[str, Array]:
        """Return ways to slice the rows by their target: for each the slice of each row."""
        raise NotImplementedError

    def notes(self) -> list[str]:
        """Return what has to be known of the rows to read the figures, in sentences."""
        return []

    def scores(self, pred: Array, y: Array) -> dict[str, float]:
        """Return the figures of a model against the labels, but for that of `scoring`."""
        raise NotImplementedError

    def fidelity(self, pred: Array) -> dict[str, float]:
        """Return how close a model is to the teacher on all rows."""
        raise NotImplementedError

    def gains(self, preds: Mapping[str, Array], y: Array) -> dict[str, float]:
        """Return by how much the score of each model is above that of a constant prediction, where that has one."""
        n_targets = self.teacher_pred.shape[1]
        constant = self.task.constant(self.task.goals(self.task.encode_known(y, self.order), n_targets))
        options: dict[str, Any] = {"response_method": self.task.method, "classes": self.classes}
        with warnings.catch_warnings():
            # a scorer may say that it makes little sense of one
            warnings.simplefilter("ignore")
            least = metrics.answer_score(y, constant, self.scoring, **options)
        found = {name: metrics.answer_score(y, pred, self.scoring, **options) - least for name, pred in preds.items()}
        return {name: gain for name, gain in found.items() if np.isfinite(gain)}

    def details(self, pred: Array) -> dict[str, Any]:
        """Return the fields of Details that depend on a model's answers alone."""
        raise NotImplementedError

    def closeness(self, pred: Array, rows: Array) -> float:
        """Return how close model and teacher are on some rows."""
        raise NotImplementedError

    @staticmethod
    def pictures(report: Any, name: str, key: str) -> Iterator[Picture]:
        """Yield the pictures of a student.

        Parameters
        ----------
        report : Report
            What compare() measured.
        name : str
            The student's name.
        key : str
            The names and colours of teacher and student, in HTML.
        """
        raise NotImplementedError

    @staticmethod
    def note(student: Any, classes: Any, reference: str) -> str:
        """Return a paragraph below the pictures, in HTML."""
        return ""

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
        key = self.slice_column.key
        by_slice: list[dict[str, Any]] = [
            {"column": column, "slice": value, "n_rows": int(rows.sum()), key: self.closeness(pred, rows)}
            for column, by in slices.items()
            for value in filter(None, np.unique(by.astype(str)).tolist())
            for rows in [by == value]
        ]
        by_slice.sort(key=lambda one: one[key], reverse=self.is_distance)
        worst = by_slice[0] if by_slice else None
        figures = {
            **self.fidelity(pred),
            f"worst_slice_{key}": None if worst is None else worst[key],
            "worst_slice": None if worst is None else f"{worst['column']}: {worst['slice']}",
        }
        if self.y is None:
            return figures, by_slice
        options: dict[str, Any] = {"response_method": self.task.method, "classes": self.classes}
        retention = metrics.retention_score(self.y, self.teacher_pred, pred, scoring=self.scoring, **options)
        figures |= {**self.scores(pred, self.y), "retention": float(retention)}
        if self.scoring in {column.key for column in self.columns} - figures.keys():
            figures[self.scoring] = metrics.answer_score(self.y, pred, self.scoring, **options)
        return figures, by_slice


class _Classification(Kind):
    task = CLASSES
    scores_shown = (
        Column("accuracy", "accuracy", decimal, "The share of rows whose class is predicted correctly."),
        Column("log_loss", "log-loss", decimal, "The mean of -log(probability of the label); lower is better."),
        Column("rare_average_precision", "AP rare", decimal, "The average precision of the rare class, or their mean."),
        Column("rare_roc_auc", "AUC rare", decimal, "The area under the ROC curve of the rare class, or their mean."),
        Column(
            "rare_probability",
            "prob/rate",
            decimal,
            "The mean probability of the rare class or classes over their rate.",
        ),
    )
    fidelity_shown = (
        Column(
            "fidelity", "agreement", percent, "The share of rows on which model and teacher predict the same class."
        ),
        Column("fidelity_log_loss", "KL", decimal, "The mean Kullback-Leibler divergence from the teacher, in nats."),
        Column(
            "calibration_error",
            "ECE",
            decimal,
            "Expected calibration error: the mean distance between confidence and accuracy.",
        ),
        Column(
            "classwise_calibration_error",
            "ECE class",
            decimal,
            "The calibration error of each class's probability against its rate, the mean over the classes.",
        ),
        Column("worst_slice_agreement", "worst slice", percent, "The lowest agreement with the teacher on any slice."),
    )
    slice_column, overall_key = Column("agreement", "agreement", percent, ""), "fidelity"
    is_distance = False
    slice_names, row_note = "class, category and quartile", "The predicted class and its probability."
    n_classes_text = " of {} classes"
    fidelity_text = "agrees with the teacher on {} of the rows"

    def slices_by_target(self) -> dict[str, Array]:
        if self.y is None:
            return {f"class by {self.reference}": self.classes[self.teacher_pred.argmax(axis=1)].astype(object)}
        return {"class": self.y.astype(object)}

    @property
    def rare(self) -> dict[int, float]:
        """The column and the share of each class that has few of the rows, but some."""
        if self.y is None:
            return {}
        shares = (self.y[:, None] == self.classes).mean(axis=0)
        most = min(_RARE, 0.5 / len(shares))
        return {at: share for at, share in enumerate(shares.tolist()) if 0.0 < share < most}

    def notes(self) -> list[str]:
        if not self.rare:
            return []
        share, names = sum(self.rare.values()), [repr(self.classes.tolist()[at]) for at in self.rare]
        which = f"class {names[0]} has" if len(names) == 1 else f"the classes {', '.join(names)} together have"
        return [
            f"Of the rows, {which} {percent(share)}: a model that never predicts {'it' if len(names) == 1 else 'them'} "
            f"can be right on {percent(1.0 - share)}, so that accuracy says little here. Log-loss, average precision, "
            "ROC-AUC and the mean probability over the rate (1 is right) say more."
        ]

    def scores(self, pred: Array, y: Array) -> dict[str, float]:
        classes = self.classes
        rare = [(y == classes[at], pred[:, at], share) for at, share in self.rare.items()]
        of_rare = {
            "rare_average_precision": [average_precision_score(own, proba) for own, proba, _ in rare],
            "rare_roc_auc": [roc_auc_score(own, proba) for own, proba, _ in rare],
            "rare_probability": [proba.mean() / share for _, proba, share in rare],
        }
        return {
            **{key: float(np.mean(values)) for key, values in of_rare.items() if values},
            "accuracy": float(accuracy_score(y, classes[pred.argmax(axis=1)])),
            "log_loss": float(log_loss(y, pred, labels=classes)),
            "calibration_error": metrics.expected_calibration_error(y, pred, classes=classes, n_bins=self.n_bins),
            "classwise_calibration_error": metrics.expected_calibration_error(
                y, pred, classes=classes, n_bins=self.n_bins, classwise=True
            ),
        }

    def fidelity(self, pred: Array) -> dict[str, float]:
        return {
            "fidelity": metrics.fidelity_score(self.teacher_pred, pred),
            "fidelity_log_loss": metrics.fidelity_log_loss(self.teacher_pred, pred),
        }

    def closeness(self, pred: Array, rows: Array) -> float:
        return float((self.teacher_pred[rows].argmax(axis=1) == pred[rows].argmax(axis=1)).mean())

    def details(self, pred: Array) -> dict[str, Any]:
        y, teacher, classes = self.y, self.teacher_pred, self.classes
        answers = {} if y is None else {"label": y}
        for side, proba in ((self.reference, teacher), ("student", pred)):
            answers |= {side: classes[proba.argmax(axis=1)], f"{side}_probability": proba.max(axis=1)}
        total_variation = np.abs(teacher - pred).sum(axis=1) / 2
        return {
            "answers": answers,
            "reliability": None if y is None else reliability_curve(y, pred, classes, self.n_bins),
            "rare": {classes.tolist()[at]: class_curve(y == classes[at], pred[:, at]) for at in self.rare},
            "confusion": confusion_matrix(answers[self.reference], answers["student"], labels=classes),
            "disagreements": rows_apart(self.X, total_variation, **answers),
        }

    @staticmethod
    def pictures(report: Any, name: str, key: str) -> Iterator[Picture]:
        reference = report.reference
        teacher, student = report.details[reference], report.details[name]
        if student.reliability is not None:
            curves = {reference: teacher.reliability, name: student.reliability}
            kind = report.table[name]["kind"]
            draw = partial(drawing.draw_curves, curves=curves, axes=drawing.RELIABILITY, kind=kind)
            caption = (
                f"Reliability: {key}. On the dashed line the probability is the accuracy; large dots are many rows."
            )
            yield draw, f"Reliability of {reference} and {name}", caption
            for label, curve in list(student.rare.items())[:_SHOWN_RARE]:
                curves = {reference: teacher.rare[label], name: curve}
                draw = partial(drawing.draw_curves, curves=curves, axes=drawing.class_axes(label), kind=kind, log=True)
                caption = (
                    f"Class {escape(repr(label))}: {key}. Groups of neighbouring probabilities, with as many expected "
                    "rows of the class in each; on the dashed line there are as many as expected."
                )
                yield draw, f"Rate of class {label!r} by its probability, of {reference} and {name}", caption
        if len(report.classes) <= drawing.MOST_CLASSES:
            caption = (
                f"Rows by the class that {reference} and student predict; shaded by the share of the {reference}'s "
                "class."
            )
            names = list(map(str, report.classes.tolist()))
            draw = partial(drawing.draw_confusion, counts=student.confusion, classes=names, reference=reference)
            yield draw, f"Confusion of {name} against {reference}", caption

    @staticmethod
    def note(student: Any, classes: Any, reference: str) -> str:
        off = student.confusion.copy()
        np.fill_diagonal(off, 0)
        most = np.argsort(-off, axis=None, kind="stable")[:5]
        pairs = [np.unravel_index(at, off.shape) for at in most if off.flat[at]]
        if not pairs:
            return f"<p>{reference.capitalize()} and student predict the same class for every row.</p>"
        names = [escape(str(label)) for label in classes]
        items = "; ".join(f"{names[row]} → {names[column]} ({off[row, column]:,})" for row, column in pairs)
        return f"<p>Most often swapped, {reference} → student (rows): {items}.</p>"


class _SeveralLabels(Kind):
    task = LABELS
    scores_shown = (
        Column("average_precision", "AP", decimal, "The average precision, the mean over labels that any row has."),
        Column("log_loss", "log-loss", decimal, "The mean binary cross-entropy over labels; lower is better."),
        Column("accuracy", "labels", decimal, "The share of labels that are predicted correctly."),
    )
    fidelity_shown = (
        Column("fidelity", "agreement", percent, "The share of labels that model and teacher predict alike."),
        Column("fidelity_log_loss", "KL", decimal, "The mean Kullback-Leibler divergence from the teacher, in nats."),
        Column("calibration_error", "ECE", decimal, "Expected calibration error of all labels together."),
        Column("worst_slice_agreement", "worst slice", percent, "The lowest agreement with the teacher on any slice."),
    )
    slice_column, overall_key = Column("agreement", "agreement", percent, ""), "fidelity"
    is_distance = False
    slice_names, row_note = "category and quartile", "The labels that are predicted, one by one."
    fidelity_text = "agrees with the teacher on {} of the labels"

    @property
    def classes(self) -> Any:
        """None: a row has no single class."""
        return None

    def slices_by_target(self) -> dict[str, Array]:
        return {}

    def _each(self, pred: Array, y: Array) -> tuple[Array, Array]:
        """Return the labels that are known one below the other, and the probabilities of their absence and of them."""
        known = ~np.isnan(y)
        return y[known].astype(np.int64), np.column_stack([1.0 - pred[known], pred[known]])

    def scores(self, pred: Array, y: Array) -> dict[str, float]:
        own = self.task.scores(y, pred, self.teacher_pred, None)
        error = metrics.expected_calibration_error(*self._each(pred, y), classes=[0, 1], n_bins=self.n_bins)
        return {name: own[name] for name in ("average_precision", "log_loss", "accuracy")} | {
            "calibration_error": error
        }

    def fidelity(self, pred: Array) -> dict[str, float]:
        return {
            "fidelity": metrics.label_fidelity(self.teacher_pred, pred),
            "fidelity_log_loss": metrics.label_divergence(self.teacher_pred, pred),
        }

    def closeness(self, pred: Array, rows: Array) -> float:
        return metrics.label_fidelity(self.teacher_pred[rows], pred[rows])

    def details(self, pred: Array) -> dict[str, Any]:
        y, sides = self.y, {self.reference: self.teacher_pred, "student": pred}
        answers = {} if y is None else {"label": y}
        answers |= {side: (proba > 0.5).astype(np.int64) for side, proba in sides.items()}
        curve = None if y is None else reliability_curve(*self._each(pred, y), np.arange(2), self.n_bins)
        apart = np.abs(self.teacher_pred - pred).mean(axis=1)
        return {"answers": answers, "reliability": curve, "disagreements": rows_apart(self.X, apart, **answers)}

    @staticmethod
    def pictures(report: Any, name: str, key: str) -> Iterator[Picture]:
        reference = report.reference
        curves = {one: report.details[one].reliability for one in (reference, name)}
        if curves[name] is not None:
            draw = partial(
                drawing.draw_curves, curves=curves, axes=drawing.RELIABILITY, kind=report.table[name]["kind"]
            )
            caption = f"Reliability of all labels together: {key}. On the dashed line the probability is the accuracy."
            yield draw, f"Reliability of {reference} and {name}", caption


class _Regression(Kind):
    task = NUMBERS
    scores_shown = (
        Column("r2", "R2", decimal, "The share of the target's variance that is explained."),
        Column("rmse", "RMSE", in_units, "The root of the mean squared error, in the target's unit."),
        Column("mae", "MAE", in_units, "The mean absolute error, in the target's unit."),
    )
    fidelity_shown = (
        Column("fidelity", "R2 teacher", decimal, "The share of the variance of the teacher's predictions explained."),
        Column("fidelity_rmse", "RMSE teacher", in_units, "The root of the mean squared difference from the teacher."),
        Column("fidelity_mae", "MAE teacher", in_units, "The mean absolute difference from the teacher."),
        Column("worst_slice_rmse", "worst slice", in_units, "The highest RMSE to the teacher on any slice."),
    )
    slice_column, overall_key = Column("rmse", "RMSE to teacher", in_units, ""), "fidelity_rmse"
    is_distance = True
    slice_names, row_note = "category and quartile", "The predictions, in the target's unit."
    fidelity_text = "explains {} of the variance of the teacher's predictions"

    def slices_by_target(self) -> dict[str, Array]:
        what, goals = "target", self.y
        if goals is None:
            what, goals = f"{self.reference}'s prediction", self.teacher_pred
        names = [what] if goals.shape[1] == 1 else [f"output {at}" for at in range(goals.shape[1])]
        return {name: ranges(values) for name, values in zip(names, goals.T, strict=True)}

    def scores(self, pred: Array, y: Array) -> dict[str, float]:
        own = self.task.scores(y, pred, self.teacher_pred, None)
        return {name: own[name] for name in ("r2", "rmse", "mae")}

    def fidelity(self, pred: Array) -> dict[str, float]:
        apart = self.task.scores(self.teacher_pred, pred, self.teacher_pred, None)
        return {"fidelity": apart["r2"], "fidelity_rmse": apart["rmse"], "fidelity_mae": apart["mae"]}

    def closeness(self, pred: Array, rows: Array) -> float:
        return float(root_mean_squared_error(self.teacher_pred[rows], pred[rows]))

    def details(self, pred: Array) -> dict[str, Any]:
        # each output over its spread, so that all outputs count alike
        spread = self.teacher_pred.std(axis=0)
        apart = (np.abs(self.teacher_pred - pred) / np.where(spread > 0, spread, 1.0)).mean(axis=1)
        sides = {"label": self.y, self.reference: self.teacher_pred, "student": pred}
        answers = {name: column_or_rows(values) for name, values in sides.items() if values is not None}
        return {
            "answers": answers,
            "predictions": pred,
            "curves": output_curves(pred if self.y is None else self.y, pred),
            "disagreements": rows_apart(self.X, apart, **answers),
        }

    @staticmethod
    def pictures(report: Any, name: str, key: str) -> Iterator[Picture]:
        reference, is_labelled = report.reference, "label" in report.details[name].answers
        teacher, student = report.details[reference], report.details[name]
        kind = report.table[name]["kind"]
        for output, curve in enumerate(student.curves):
            which = "" if len(student.curves) == 1 else f"Output {output}. "
            caption = (
                f"{which}The student's predictions against the {reference}'s; the stronger the colour, the more rows. "
                "On the dashed line they are equal."
            )
            preds = [one.predictions[:, output] for one in (teacher, student)]
            look = {"proba": False, "kind": kind, "reference": reference, "gridsize": 28}
            draw = partial(drawing.draw_density, teacher=preds[0], student=preds[1], **look)
            yield draw, f"{which}Predictions of {name} against the {reference}'s", caption
            if not is_labelled:
                continue
            caption = (
                f"{which}Ranges of predictions with about as many rows each: {key}. On the dashed line the mean target "
                "is the mean prediction."
            )
            curves = {reference: teacher.curves[output], name: curve}
            draw = partial(drawing.draw_curves, curves=curves, axes=drawing.ACTUAL, kind=kind)
            yield draw, f"{which}Mean target by prediction of {name}", caption


#: What a report shows of each task.
KINDS: dict[Task, type[Kind]] = {kind.task: kind for kind in (_Classification, _SeveralLabels, _Regression)}
