"""The two terms of the distillation loss, with alpha and all weights folded in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._listwise import ListwiseCrossEntropy
from ._losses import Loss

Array = NDArray[Any]


@dataclass(frozen=True)
class Terms:
    """The two terms of the loss, ready to be minimised.

    The loss of a student's outputs ``Z`` is the mean over rows of
    ``soft_weight * (loss.soft(Z, soft) - entropy) + label_weight * loss.hard(Z, labels)``.

    Parameters
    ----------
    soft : ndarray of shape (n_rows, n_targets)
        The teacher's answers, softened or standardised.
    soft_weight : ndarray of shape (n_rows,)
        Weight of each row in the first term.
    labels : ndarray of shape (n_rows,) or (n_rows, n_targets)
        What the second term fits: the index of each row's class, or as many values as `soft` has.
        Anything where `label_weight` is zero.
    label_weight : ndarray of shape (n_rows,)
        Weight of each row in the second term.
    loss : Loss
        The loss of a row, in both terms.
    total_weight : float
        The sum of the sample weights, in rows.
    held_out : ndarray of shape (n_rows,) or None
        True for rows that are used to validate the fit and not to fit.
    units : (ndarray of shape (n_targets,), ndarray of shape (n_targets,)) or None
        Center and scale of each target, where these are standardised: a value is ``center + scale * z``.
        The scale of a constant is zero.
    """

    soft: Array
    soft_weight: Array
    labels: Array
    label_weight: Array
    loss: Loss
    total_weight: float
    held_out: Array | None = None
    units: tuple[Array, Array] | None = None

    @property
    def n_outputs(self) -> int:
        """How many outputs a student needs."""
        return self.loss.n_outputs(self.soft.shape[1])

    @property
    def queries(self) -> Array | None:
        """The query of each row where the loss is one of whole queries, shape (n_rows,); else None."""
        return self.soft[:, 1] if isinstance(self.loss, ListwiseCrossEntropy) else None

    @cached_property
    def entropy(self) -> Array:
        """What no student can lower of the first term, shape (n_rows,)."""
        return self.loss.entropy(self.soft)

    def take(self, rows: Array) -> Terms:
        """Return the terms of some rows, an index or a boolean mask of shape (n_rows,)."""
        held_out = None if self.held_out is None else self.held_out[rows]
        per_row = {name: getattr(self, name)[rows] for name in ("soft", "soft_weight", "labels", "label_weight")}
        return replace(self, **per_row, held_out=held_out)

    def label_mass(self) -> Array:
        """Return the labels times their weight, shape (n_rows, n_targets); those of classes are one-hot."""
        if self.labels.ndim == 2:
            return self.labels * self.label_weight[:, None]
        mass = np.zeros_like(self.soft)
        mass[np.arange(len(mass)), self.labels] = self.label_weight
        return mass

    def blended(self) -> tuple[Array, Array]:
        """Return the weighted mean of answers and labels, and the weight of each row in the fit.

        Returns
        -------
        goal : ndarray of shape (n_rows, n_targets)
            Any number where `weight` is zero.
        weight : ndarray of shape (n_rows,)
            Zero for rows that are held out.
        """
        weight = self.soft_weight + self.label_weight
        goal = self.soft * self.soft_weight[:, None] + self.label_mass()
        goal /= np.where(weight > 0, weight, 1.0)[:, None]
        return goal, weight if self.held_out is None else np.where(self.held_out, 0.0, weight)

    def folded(self) -> Terms:
        """Return equal terms whose labels are class indices: soft labels are folded into the first term.

        Raises
        ------
        ValueError
            If there are soft labels and the temperature is not 1, at which the two terms differ.
        """
        if self.labels.ndim == 1:
            return self
        temperature = getattr(self.loss, "temperature", 1.0)
        if temperature != 1:
            raise ValueError(
                f"temperature={temperature} and a label ensemble cannot be combined in this student; use temperature=1 "
                "or label_ensemble=0."
            )
        weight = self.soft_weight + self.label_weight
        mass = self.soft * self.soft_weight[:, None] + self.label_mass()
        with np.errstate(invalid="ignore", divide="ignore"):
            soft = np.where(weight[:, None] > 0, mass / weight[:, None], self.soft)
        none = np.zeros(len(weight))
        return replace(self, soft=soft, soft_weight=weight, labels=none.astype(np.int64), label_weight=none)

    def value_and_gradient(self, Z: Array) -> tuple[float, Array]:
        """Return the loss and its gradient.

        Parameters
        ----------
        Z : ndarray of shape (n_rows, n_outputs)
            The student's outputs: logits, or standardised values.

        Returns
        -------
        value : float
            The loss.
        gradient : ndarray of shape (n_rows, n_outputs)
            Derivative of the loss with respect to each output.
        """
        # a term without weight is not worked out
        value, gradient = 0.0, np.zeros(Z.shape)
        if self.soft_weight.any():
            losses, slopes = self.loss.soft(Z, self.soft)
            value += float(self.soft_weight @ (losses - self.entropy))
            gradient += slopes * (self.soft_weight / self.loss.softness)[:, None]
        if self.label_weight.any():
            losses, slopes = self.loss.hard(Z, self.labels)
            value += float(self.label_weight @ losses)
            gradient += slopes * self.label_weight[:, None]
        return value / len(Z), gradient / len(Z)
