"""TrainingDisplay: a student's loss and fidelity by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .._validation import not_fitted
from ._base import COLORS, axes

#: What a history may hold: its key, what the legend says, and how it is drawn.
_LOSSES = (("train_loss", "training loss", "-"), ("valid_loss", "held-out loss", "--"))
_FIDELITY = "valid_fidelity"


class TrainingDisplay:
    """Loss and agreement with the teacher by epoch.

    Parameters
    ----------
    history : list of dict
        For each epoch its figures: ``train_loss``, and where rows are held out ``valid_loss``
        and ``valid_fidelity``.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes with the losses.
    fidelity_ax_ : matplotlib Axes or None
        The axes with the agreement, which share the epochs; None where the history has none.
    figure_ : matplotlib Figure
        The figure that they are on.

    Examples
    --------
    >>> from skdistill import TrainingDisplay
    >>> history = [{"train_loss": 0.6, "valid_fidelity": 0.8}, {"train_loss": 0.4, "valid_fidelity": 0.9}]
    >>> display = TrainingDisplay(history=history).plot()
    >>> display.ax_.get_xlabel()
    'epoch'
    """

    def __init__(self, *, history: Sequence[Mapping[str, Any]]) -> None:
        self.history = history

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> TrainingDisplay:
        """Draw how a student was trained.

        Parameters
        ----------
        estimator : MLPStudent or DistilledClassifier
            Fitted; it has a ``history_``, or its student has.
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.

        Returns
        -------
        display : TrainingDisplay
            Drawn.

        Raises
        ------
        TypeError
            If its student is not trained in epochs.
        NotFittedError
            If it is not fitted.
        """
        from .._validation import is_fitted

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
            Where to draw; None for a new figure.

        Returns
        -------
        display : TrainingDisplay
            Itself.
        """
        self.ax_ = axes("TrainingDisplay", ax)
        self.figure_ = self.ax_.figure
        epochs = np.arange(1, len(self.history) + 1)
        for key, label, style in _LOSSES:
            if self._has(key):
                self.ax_.plot(epochs, self._values(key), style, color=COLORS["student"], label=label)
        self.ax_.set(xlabel="epoch", ylabel="loss")
        self.fidelity_ax_ = None
        if self._has(_FIDELITY):
            self.fidelity_ax_ = self.ax_.twinx()
            self.fidelity_ax_.plot(epochs, self._values(_FIDELITY), color=COLORS["labels only"], label="agreement")
            self.fidelity_ax_.set_ylabel("agreement with the teacher")
        lines = [*self.ax_.lines, *(self.fidelity_ax_.lines if self.fidelity_ax_ else [])]
        self.ax_.legend(lines, [line.get_label() for line in lines], loc="center right")
        return self

    def _has(self, key: str) -> bool:
        return any(epoch.get(key) is not None for epoch in self.history)

    def _values(self, key: str) -> list[float]:
        return [np.nan if epoch.get(key) is None else float(epoch[key]) for epoch in self.history]
