"""TrainingDisplay: a student's loss and its agreement with the teacher by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._sklearn import is_fitted, not_fitted
from ._drawing import COLORS, Display, write_legend

#: The losses of a history: key, name in the legend, and style of the line.
_LOSSES = (("train_loss", "training loss", "-"), ("valid_loss", "held-out loss", "--"))
_FIDELITY = "valid_fidelity"


@dataclass(kw_only=True, eq=False, repr=False)
class TrainingDisplay(Display):
    """Loss, and agreement with the teacher, by epoch.

    Parameters
    ----------
    history : list of dict
        The figures of each epoch: ``train_loss``, and if rows are held out ``valid_loss`` and
        ``valid_fidelity``.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes with the losses.
    fidelity_ax_ : matplotlib Axes or None
        The axes with the agreement; None if the history has none.
    figure_ : matplotlib Figure
        The figure of these axes.

    Examples
    --------
    >>> from skdistill import TrainingDisplay
    >>> history = [{"train_loss": 0.6, "valid_fidelity": 0.8}, {"train_loss": 0.4, "valid_fidelity": 0.9}]
    >>> display = TrainingDisplay(history=history).plot()
    >>> display.ax_.get_xlabel()
    'epoch'
    """

    history: Sequence[Mapping[str, Any]]

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> TrainingDisplay:
        """Plot the training history of a student.

        Parameters
        ----------
        estimator : MLPStudent or DistilledClassifier
            A fitted model; it or its student has a ``history_``.
        ax : matplotlib Axes, default=None
            The axes to draw on; None for a new figure.

        Returns
        -------
        display : TrainingDisplay
            Drawn.

        Raises
        ------
        TypeError
            If the student is not trained in epochs.
        NotFittedError
            If it is not fitted.
        """
        if not is_fitted(estimator):
            raise not_fitted(estimator)
        student = getattr(estimator, "student_", estimator)
        history = getattr(student, "history_", None)
        if not history:
            raise TypeError(f"{type(student).__name__} has no history_: it is not trained in epochs.")
        return cls(history=history).plot(ax=ax)

    def plot(self, ax: Any = None) -> TrainingDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The axes to draw on; None for a new figure.

        Returns
        -------
        display : TrainingDisplay
            Itself.
        """
        self._set_axes(ax)
        epochs = np.arange(1, len(self.history) + 1)
        for key, label, style in _LOSSES:
            losses = self._values(key)
            if losses is not None:
                self.ax_.plot(epochs, losses, style, color=COLORS["student"], label=label)
        self.ax_.set(xlabel="epoch", ylabel="loss")
        self.fidelity_ax_, fidelity = None, self._values(_FIDELITY)
        if fidelity is not None:
            self.fidelity_ax_ = self.ax_.twinx()
            self.fidelity_ax_.plot(epochs, fidelity, color=COLORS["labels only"], label="agreement")
            self.fidelity_ax_.set_ylabel("agreement with the teacher")
        lines = [*self.ax_.lines, *(self.fidelity_ax_.lines if self.fidelity_ax_ else [])]
        write_legend(self.ax_, lines, [line.get_label() for line in lines], loc="center right")
        return self

    def _values(self, key: str) -> Any:
        """Return the figure of each epoch, NaN where an epoch has none; None where none has."""
        values = np.array([epoch.get(key) for epoch in self.history], dtype=float)
        return None if np.isnan(values).all() else values
