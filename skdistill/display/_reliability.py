"""ReliabilityDisplay: how often teacher and student are right when they are this sure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._answers import check_every_label
from ..report import reliability_curve
from ._base import COLORS, asked, axes, checked_pair, name_of

Array = NDArray[Any]


class ReliabilityDisplay:
    """Reliability curves of teacher and student: how often the first choice is right, by its probability.

    Parameters
    ----------
    curves : dict of str to dict
        For "teacher" and for the student ``confidence``, ``accuracy`` and ``n_rows`` of each
        filled bin, arrays of shape (n_filled_bins,).

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes with the picture.
    figure_ : matplotlib Figure
        The figure that they are on.

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

    def __init__(self, *, curves: Mapping[str, Mapping[str, Array]]) -> None:
        self.curves = curves

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
        student_name: str | None = None,
        ax: Any = None,
    ) -> ReliabilityDisplay:
        """Ask a student and its teacher about rows, and draw.

        Parameters
        ----------
        estimator : DistilledClassifier or student
            Fitted.
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows.
        y : array-like of shape (n_rows,)
            Their labels.
        teacher : estimator, callable or list of these, default=None
            None takes that of a DistilledClassifier.
        teacher_proba : array-like of shape (n_rows, n_classes), default=None
            The teacher's answers, if it has been asked already.
        n_bins : int, default=10
            Bins of equal width.
        student_name : str, default=None
            What the student is called; None takes its class.
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : ReliabilityDisplay
            Drawn.
        """
        told, said, classes = asked(estimator, X, np.asarray(y), teacher, teacher_proba)
        name = name_of(estimator) if student_name is None else student_name
        return cls._of(y, told, said, classes, n_bins, name).plot(ax=ax)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        teacher_proba: ArrayLike,
        student_proba: ArrayLike,
        *,
        classes: ArrayLike | None = None,
        n_bins: int = 10,
        student_name: str = "student",
        ax: Any = None,
    ) -> ReliabilityDisplay:
        """Draw answers that are at hand.

        Parameters
        ----------
        y_true : array-like of shape (n_rows,)
            Labels.
        teacher_proba, student_proba : array-like of shape (n_rows, n_classes)
            Probabilities, columns in the same order.
        classes : array-like of shape (n_classes,), default=None
            What the columns stand for; None takes the sorted labels.
        n_bins : int, default=10
            Bins of equal width.
        student_name : str, default="student"
            What the student is called.
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : ReliabilityDisplay
            Drawn.
        """
        told, said = checked_pair(teacher_proba, student_proba)
        names = np.unique(np.asarray(y_true)) if classes is None else np.asarray(classes)
        if len(names) != told.shape[1]:
            raise ValueError(
                f"There are {len(names)} classes and {told.shape[1]} columns of probabilities; say in classes=... what "
                "the columns stand for."
            )
        return cls._of(y_true, told, said, names, n_bins, student_name).plot(ax=ax)

    @classmethod
    def _of(cls, y: ArrayLike, told: Array, said: Array, classes: Array, n_bins: int, name: str) -> ReliabilityDisplay:
        labels = check_every_label(y, len(told), classes)
        curves = {
            who: reliability_curve(labels, proba, classes, n_bins) for who, proba in (("teacher", told), (name, said))
        }
        return cls(curves=curves)

    def plot(self, ax: Any = None) -> ReliabilityDisplay:
        """Draw; a dot's area is the share of the rows in its bin.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : ReliabilityDisplay
            Itself.
        """
        self.ax_ = axes("ReliabilityDisplay", ax)
        self.figure_ = self.ax_.figure
        low = min(float(curve["confidence"].min()) for curve in self.curves.values())
        self.ax_.plot([low, 1], [low, 1], color="0.5", linewidth=1, linestyle="--")
        for name, curve in self.curves.items():
            color = COLORS["teacher" if name == "teacher" else "student"]
            self.ax_.plot(curve["confidence"], curve["accuracy"], color=color, label=name)
            areas = 8 + 250 * curve["n_rows"] / curve["n_rows"].sum()
            self.ax_.scatter(curve["confidence"], curve["accuracy"], s=areas, color=color, alpha=0.75, linewidth=0)
        self.ax_.set(xlabel="probability of the first choice", ylabel="share that is right")
        self.ax_.legend(loc="upper left")
        return self
