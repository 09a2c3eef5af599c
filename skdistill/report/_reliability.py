"""ReliabilityDisplay: the accuracy of teacher and student by their confidence, or the rate of a class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import label_column
from ..metrics import labelled, proba_pair
from ..tasks import CLASSES
from ._asking import ask_both
from ._drawing import RELIABILITY, Display, class_axes, draw_curves, student_name_of, write_legend
from ._figures import class_curve, reliability_curve


@dataclass(kw_only=True, eq=False, repr=False)
class ReliabilityDisplay(Display):
    """Reliability diagram of teacher and student: accuracy against the probability of the predicted class.

    For a rare class, which is hardly ever predicted, `pos_label` shows its observed rate against its probability
    instead.

    Parameters
    ----------
    curves : dict of str to dict
        For "teacher" and for the student, the arrays ``confidence``, ``accuracy`` and ``n_rows`` of shape
        (n_filled_bins,); with `pos_label`, ``probability``, ``rate`` and ``n_rows``.
    pos_label : object, default=None
        The class that the curves refer to; None for the predicted class.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes with the plot.
    figure_ : matplotlib Figure
        The figure of these axes.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger (2017), On calibration of modern neural networks,
    https://arxiv.org/abs/1706.04599.

    Examples
    --------
    >>> from skdistill import ReliabilityDisplay
    >>> display = ReliabilityDisplay.from_predictions([0, 1], [[0.9, 0.1], [0.2, 0.8]], [[0.8, 0.2], [0.4, 0.6]])
    >>> display.curves["student"]["n_rows"]
    array([1, 1])
    """

    curves: Mapping[str, Mapping[str, NDArray[Any]]]
    pos_label: Any = None

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        teacher: Any = None,
        teacher_proba: ArrayLike | None = None,
        n_bins: int = 10,
        pos_label: Any = None,
        student_name: str | None = None,
        ax: Any = None,
    ) -> ReliabilityDisplay:
        """Predict rows with a student and its teacher, and plot.

        Parameters
        ----------
        estimator : DistilledClassifier or student
            Fitted.
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows.
        y : array-like of shape (n_rows,)
            Their labels.
        teacher : estimator, callable or list of these, default=None
            The teacher. None uses that of a DistilledClassifier.
        teacher_proba : array-like of shape (n_rows, n_classes), default=None
            Precomputed probabilities of the teacher.
        n_bins : int, default=10
            The number of equal-width bins; with `pos_label`, of groups with about equal expected numbers of rows of the
            class.
        pos_label : object, default=None
            The class whose rate to plot against its probability, on logarithmic axes. None plots the accuracy against
            the probability of the predicted class.
        student_name : str, default=None
            The student's name; None uses its class name.
        ax : matplotlib Axes, default=None
            The axes to draw on; None for a new figure.

        Returns
        -------
        display : ReliabilityDisplay
            Drawn.

        Raises
        ------
        ValueError
            If there is no teacher, the student is not a classifier, or `pos_label` is not a class.
        NotFittedError
            If the teacher or the student is not fitted.
        """
        name, given = student_name_of(estimator, student_name), {"teacher_proba": teacher_proba}
        _, *probas, classes = ask_both(estimator, X, np.asarray(y), teacher, given, CLASSES)
        return cls.from_predictions(
            y, *probas, classes=classes, n_bins=n_bins, pos_label=pos_label, student_name=name, ax=ax
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        teacher_proba: ArrayLike,
        student_proba: ArrayLike,
        *,
        classes: ArrayLike | None = None,
        n_bins: int = 10,
        pos_label: Any = None,
        student_name: str = "student",
        ax: Any = None,
    ) -> ReliabilityDisplay:
        """Plot precomputed probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_rows,)
            Labels.
        teacher_proba, student_proba : array-like of shape (n_rows, n_classes)
            Probabilities. Columns must be in the same order; columns of frames are matched by name.
        classes : array-like of shape (n_classes,), default=None
            The labels of the columns; None takes the sorted labels of `y_true`.
        n_bins : int, default=10
            The number of equal-width bins; with `pos_label`, of groups with about equal expected numbers of rows of the
            class.
        pos_label : object, default=None
            The class whose rate to plot against its probability, on logarithmic axes. None plots the accuracy against
            the probability of the predicted class.
        student_name : str, default="student"
            The student's name.
        ax : matplotlib Axes, default=None
            The axes to draw on; None for a new figure.

        Returns
        -------
        display : ReliabilityDisplay
            Drawn.

        Raises
        ------
        ValueError
            If the shapes differ, a row does not hold probabilities, the number of classes is not that of the columns,
            or `pos_label` is not a class.
        """
        labels = label_column(y_true)
        answers, names = labelled(labels, teacher_proba, classes, "teacher_proba")
        teacher, student, _ = proba_pair(answers, student_proba, names)
        probas = {"teacher": teacher, student_name: student}
        if pos_label is None:
            curves = {name: reliability_curve(labels, proba, names, n_bins) for name, proba in probas.items()}
        elif pos_label in names.tolist():
            at = names.tolist().index(pos_label)
            curves = {name: class_curve(labels == pos_label, proba[:, at], n_bins) for name, proba in probas.items()}
        else:
            raise ValueError(f"pos_label={pos_label!r} is none of the classes {names.tolist()}.")
        return cls(curves=curves, pos_label=pos_label).plot(ax=ax)

    def plot(self, ax: Any = None) -> ReliabilityDisplay:
        """Plot the curves; the area of a dot is proportional to the number of rows in its bin.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The axes to draw on; None for a new figure.

        Returns
        -------
        display : ReliabilityDisplay
            Itself.
        """
        one = self.pos_label is not None
        axes = class_axes(self.pos_label) if one else RELIABILITY
        draw_curves(self._set_axes(ax), self.curves, axes, log=one)
        write_legend(self.ax_, loc="upper left")
        return self
