"""The multilabel loss: a binary cross-entropy for each label; missing labels do not count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._losses import PROBABILITY_FLOOR, CrossEntropy

Array = NDArray[Any]


def rescaled_logits(proba: ArrayLike, scale: float) -> Array:
    """Multiply the logits of labels' probabilities by a number; at 1 the probabilities come back as they are.

    Parameters
    ----------
    proba : array-like of shape (n_rows, n_labels)
        The probability of each label.
    scale : float
        The reciprocal of a temperature.

    Examples
    --------
    >>> from skdistill.losses import rescaled_logits
    >>> rescaled_logits([[0.9, 0.5]], 0.5).round(3)
    array([[0.75, 0.5 ]])
    """
    p = np.asarray(proba, dtype=np.float64)
    if scale == 1:
        return p.copy()
    p = p.clip(PROBABILITY_FLOOR, 1.0 - PROBABILITY_FLOOR)
    return 1.0 / (1.0 + ((1.0 - p) / p) ** scale)


@dataclass(frozen=True)
class BinaryCrossEntropy(CrossEntropy):
    """The multilabel cross-entropy: a logit for each label, and the sum of their losses.

    The two terms are those of :class:`CrossEntropy`, for each label and its absence. NaN marks a label that is
    missing; it counts for nothing in the second term.

    Parameters
    ----------
    temperature : float, default=1.0
        Softens teacher and student in the first term.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill.losses import BinaryCrossEntropy
    >>> losses, slopes = BinaryCrossEntropy().hard(np.zeros((1, 2)), np.array([[1.0, np.nan]]))
    >>> losses.round(3), slopes
    (array([0.693]), array([[-0.5,  0. ]]))
    """

    NO_LABEL: ClassVar[float] = np.nan

    def n_outputs(self, n_targets: int) -> int:
        """Return how many logits a row has: one for each label."""
        return n_targets

    def soft(self, Z: Array, goal: Array) -> tuple[Array, Array]:
        """Return the loss of each row against the softened answers, and derivatives by ``Z / temperature``."""
        return self.hard(Z / self.temperature, goal)

    def hard(self, Z: Array, goal: Array) -> tuple[Array, Array]:
        """Return the loss of each row against its labels, or soft labels, and its derivatives."""
        # the smaller of the two probabilities does not overflow
        small = np.exp(-np.abs(Z))
        losses = np.log1p(small) + np.maximum(Z, 0.0) - goal * Z
        slopes = np.where(Z > 0, 1.0, small) / (1.0 + small) - goal
        known = ~np.isnan(goal)
        return np.where(known, losses, 0.0).sum(axis=1), np.where(known, slopes, 0.0)

    def entropy(self, goal: Array) -> Array:
        """Return the sum of the labels' entropies."""
        return super().entropy(goal) + super().entropy(1.0 - goal)

    def softened(self, answers: Array) -> Array:
        """Return the probabilities softened by the temperature."""
        return rescaled_logits(answers, 1.0 / self.temperature)

    def labelled(self, labels: Array) -> Array:
        """Return which rows have any label, shape (n_rows,)."""
        return np.asarray(~np.isnan(labels).all(axis=1))

    def filled(self, labels: Array) -> Array:
        """Return the labels as they are: a missing one counts for nothing."""
        return labels

    def blank(self, n_rows: int, n_targets: int) -> Array:
        """Return even probabilities."""
        return np.full((n_rows, n_targets), 0.5)

    def likeliest(self, answers: Array) -> Array:
        """Return one where a label is more likely than not, else zero."""
        return (answers > 0.5).astype(np.float64)

    def keep_labels(self, labels: Array | None, values: Array, share: float = 0.5) -> Array:
        """Return the soft labels; a label has a share where there is one, so that it is not memorised."""
        return values if labels is None else np.where(np.isnan(labels), values, (1 - share) * values + share * labels)

    def weigh_classes(self, class_weight: Any, classes: Any, soft: Any, labels: Any, alpha: float) -> Any:
        """Raise for class weights, which a multilabel target does not have."""
        raise ValueError(
            f"class_weight={class_weight!r} needs one class for each row, and y has several labels for each row. Use "
            "class_weight=None; sample_weight weights rows."
        )
