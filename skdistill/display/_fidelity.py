"""FidelityDisplay: the student's probabilities against the teacher's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..metrics import fidelity_score
from ._base import asked, axes, checked_pair, name_of

Array = NDArray[Any]


class FidelityDisplay:
    """The student's probabilities against the teacher's, as a density.

    Of two classes the probability of the second is shown; of more, that of the class which the
    teacher finds most probable.

    Parameters
    ----------
    teacher_prob, student_prob : ndarray of shape (n_rows,)
        The probability that each gives to the same class.
    fidelity : float
        The share of the rows on which both name the same class.
    label : str
        What the probability is of.
    student_name : str, default="student"
        What the student is called.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes with the picture.
    figure_ : matplotlib Figure
        The figure that they are on.
    hexbin_ : matplotlib PolyCollection
        The density: the number of rows in each cell, shaded by its logarithm.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill import FidelityDisplay
    >>> teacher = np.array([[0.9, 0.1], [0.2, 0.8]])
    >>> display = FidelityDisplay.from_predictions(teacher, [[0.8, 0.2], [0.4, 0.6]])
    >>> display.fidelity
    1.0
    """

    def __init__(
        self,
        *,
        teacher_prob: Array,
        student_prob: Array,
        fidelity: float,
        label: str,
        student_name: str = "student",
    ) -> None:
        self.teacher_prob = teacher_prob
        self.student_prob = student_prob
        self.fidelity = fidelity
        self.label = label
        self.student_name = student_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        teacher: Any = None,
        teacher_proba: ArrayLike | None = None,
        student_name: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> FidelityDisplay:
        """Ask a student and its teacher about rows, and draw.

        Parameters
        ----------
        estimator : DistilledClassifier or student
            Fitted.
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows.
        teacher : estimator, callable or list of these, default=None
            None takes that of a DistilledClassifier.
        teacher_proba : array-like of shape (n_rows, n_classes), default=None
            The teacher's answers, if it has been asked already.
        student_name : str, default=None
            What the student is called; None takes its class.
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        **kwargs : dict
            For matplotlib's ``hexbin``.

        Returns
        -------
        display : FidelityDisplay
            Drawn.
        """
        told, said, classes = asked(estimator, X, None, teacher, teacher_proba)
        name = name_of(estimator) if student_name is None else student_name
        return cls._of(told, said, classes, name).plot(ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        teacher_proba: ArrayLike,
        student_proba: ArrayLike,
        *,
        classes: ArrayLike | None = None,
        student_name: str = "student",
        ax: Any = None,
        **kwargs: Any,
    ) -> FidelityDisplay:
        """Draw answers that are at hand.

        Parameters
        ----------
        teacher_proba, student_proba : array-like of shape (n_rows, n_classes)
            Probabilities, columns in the same order.
        classes : array-like of shape (n_classes,), default=None
            What the columns stand for.
        student_name : str, default="student"
            What the student is called.
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        **kwargs : dict
            For matplotlib's ``hexbin``.

        Returns
        -------
        display : FidelityDisplay
            Drawn.
        """
        told, said = checked_pair(teacher_proba, student_proba)
        names = np.arange(told.shape[1]) if classes is None else np.asarray(classes)
        return cls._of(told, said, names, student_name).plot(ax=ax, **kwargs)

    @classmethod
    def _of(cls, told: Array, said: Array, classes: Array, name: str) -> FidelityDisplay:
        two = told.shape[1] == 2
        column = np.ones(len(told), dtype=int) if two else told.argmax(axis=1)
        rows = np.arange(len(told))
        return cls(
            teacher_prob=told[rows, column],
            student_prob=said[rows, column],
            fidelity=fidelity_score(told, said),
            label=f"class {classes[1]}" if two else "the teacher's class",
            student_name=name,
        )

    def plot(self, ax: Any = None, **kwargs: Any) -> FidelityDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        **kwargs : dict
            For matplotlib's ``hexbin``.

        Returns
        -------
        display : FidelityDisplay
            Itself.
        """
        self.ax_ = axes("FidelityDisplay", ax)
        self.figure_ = self.ax_.figure
        low = min(0.0 if self.label != "the teacher's class" else 1.0, self.student_prob.min(), self.teacher_prob.min())
        self.ax_.plot([low, 1], [low, 1], color="0.5", linewidth=1, linestyle="--", zorder=3)
        given = {"gridsize": 40, "mincnt": 1, "bins": "log", "cmap": "viridis_r", "extent": (low, 1, low, 1), **kwargs}
        self.hexbin_ = self.ax_.hexbin(self.teacher_prob, self.student_prob, **given)
        self.figure_.colorbar(self.hexbin_, ax=self.ax_, label="rows")
        self.ax_.set(
            xlabel=f"teacher's probability of {self.label}",
            ylabel=f"{self.student_name}'s probability",
            title=f"agreement {100 * self.fidelity:.1f}% of {len(self.teacher_prob):,} rows",
            xlim=(low, 1),
            ylim=(low, 1),
            aspect="equal",
        )
        return self
