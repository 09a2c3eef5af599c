"""The distillation loss of a regressor in numpy: what a student has to fit, the loss's value and its gradient.

Conventions, stated once:

- Answers, labels and outputs have shape ``(n_rows, n_outputs)``; NaN in each output of a label marks a row
  without one.
- A student fits standardised numbers, ``(value - center) / scale`` with a center and a scale for each
  output, learnt from what is to be fitted.
- Every loss is a sum over outputs and a mean over rows, each row counted by its weight.

The loss is the square of what the student is off, from the teacher and from the labels::

    alpha * (student - teacher)**2 + (1 - alpha) * (student - y)**2

or, with a number for `huber`, that of Huber (1964), "Robust Estimation of a Location Parameter",
https://doi.org/10.1214/aoms/1177703732, in place of each square: beyond `huber` it grows along a line.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._rows import RowTargets

Array = NDArray[Any]

#: The distance of the quartiles of a normal distribution, in deviations.
_QUARTILES = 1.349


@dataclass(frozen=True)
class RegressionTargets(RowTargets):
    """What a student of a regressor is asked to fit: the teacher's answers, the labels, and how to blend them.

    Parameters
    ----------
    answers : ndarray of shape (n_rows, n_outputs) or None
        The teacher's answers. None where no teacher was asked.
    labels : ndarray of shape (n_rows, n_outputs) or None
        The numbers to predict, NaN in a row without any. None where no row has them.
    sample_weight : ndarray of shape (n_rows,) or None
        Non-negative weights; None counts every row once.
    alpha : float
        The share of the teacher's term, 0 to 1.
    huber : float or None
        Beyond so many deviations errors count along a line; None squares them all.
    answer_weight : ndarray of shape (n_rows,) or None
        What each row counts in the teacher's term, besides its weight. None counts all the same.
    label_answers : ndarray of shape (n_rows, n_outputs) or None
        Numbers to fit in place of the labels, for every row; None fits the labels.
    held_out : ndarray of shape (n_rows,) or None
        True for rows to judge the fit by and not to fit. None leaves it to the student whether it
        holds out any.
    units : (ndarray, ndarray) or None
        Center and scale of each output, shape (n_outputs,); None learns them from the targets.
    """

    ROWS: ClassVar[tuple[str, ...]] = (
        "answers",
        "labels",
        "sample_weight",
        "answer_weight",
        "label_answers",
        "held_out",
    )
    ANSWERS: ClassVar[str] = "answers"
    STAND_IN: ClassVar[str] = "label_answers"
    NO_LABEL: ClassVar[float] = np.nan

    answers: Array | None
    labels: Array | None
    sample_weight: Array | None = None
    alpha: float = 1.0
    huber: float | None = None
    answer_weight: Array | None = None
    label_answers: Array | None = None
    held_out: Array | None = None
    units: tuple[Array, Array] | None = None

    @property
    def n_outputs(self) -> int:
        """How many numbers a row is given."""
        found = self.labels if self.answers is None else self.answers
        assert found is not None
        return found.shape[1]

    def labelled(self) -> Array:
        """Tell which rows have a label, shape (n_rows,)."""
        assert self.labels is not None
        return ~np.isnan(self.labels[:, 0])

    def needs_stand_in(self) -> bool:
        """Tell whether there is a row without a label: the others keep theirs."""
        return self.labels is None or not self.labelled().all()

    def with_stand_in(self, values: Array) -> RegressionTargets:
        """Return targets with something to fit for every row: its label, or else `values`.

        A student that squares errors and stops early does not learn labels by heart as one of classes
        does, and the labels know more than those who have learnt from them.
        """
        if self.labels is not None:
            values = np.where(self.labelled()[:, None], self.labels, values)
        return super().with_stand_in(values)

    def most_likely(self) -> Array:
        """Return a number for each row: its label, or else the teacher's answer; (n_rows,) if there is one output."""
        found = self.answers if self.labels is None else self.labels
        if self.labels is not None and self.answers is not None:
            found = np.where(self.labelled()[:, None], self.labels, self.answers)
        assert found is not None
        return found[:, 0] if found.shape[1] == 1 else found

    as_y = most_likely

    def terms(self, n_rows: int, class_weight: None = None) -> RegressionTerms:
        """Fold alpha, all weights and the outputs' units into the two terms of the loss.

        Parameters
        ----------
        n_rows : int
            The number of rows.
        class_weight : None
            There are no classes.

        Returns
        -------
        terms : RegressionTerms
            The standardised answers and labels, and the weight of each row in each term.
        """
        weight = np.ones(n_rows) if self.sample_weight is None else np.asarray(self.sample_weight, dtype=np.float64)
        total = weight.sum()
        none = np.zeros((n_rows, self.n_outputs))
        soft_weight = hard_weight = np.zeros(n_rows)
        answers, told = none, none
        if self.answers is not None:
            answers, soft_weight = self.answers, weight * self.alpha
            if self.answer_weight is not None:
                soft_weight = soft_weight * self.answer_weight
        if self.label_answers is not None:
            told, hard_weight = self.label_answers, weight * (1 - self.alpha)
        elif self.labels is not None:
            there = self.labelled()
            told = np.where(there[:, None], self.labels, 0.0)
            hard_weight = np.where(there, weight, 0.0) * (1 - self.alpha)
        units = self.units
        if units is None:
            fitted = slice(None) if self.held_out is None else ~self.held_out
            units = _units(answers[fitted], soft_weight[fitted], told[fitted], hard_weight[fitted], self.huber)
        center, scale = units
        # a constant is learnt without a student: it is the center, and what a student adds counts for nothing
        divisor = np.where(scale > 0, scale, 1.0)
        return RegressionTerms(
            soft=(answers - center) / divisor,
            soft_weight=soft_weight * (n_rows / total),
            labels=(told - center) / divisor,
            label_weight=hard_weight * (n_rows / total),
            huber=self.huber,
            center=center,
            scale=scale,
            total_weight=float(total),
            held_out=self.held_out,
        )


def _units(
    answers: Array, soft_weight: Array, told: Array, hard_weight: Array, huber: float | None
) -> tuple[Array, Array]:
    """Return center and scale of each output: mean and deviation, or, not to be moved by a few, median and quartiles.

    The two are rounded, so that the same table gives the same in whatever order its rows come.
    """
    values, weight = np.concatenate([answers, told]), np.concatenate([soft_weight, hard_weight])
    values, weight = values[weight > 0], weight[weight > 0]
    weight = weight / weight.sum()
    # off zero, sums lose digits
    start = values[0]
    center = start + weight @ (values - start)
    scale = np.sqrt(weight @ (values - center) ** 2)
    if huber is not None:
        low, middle, high = (_weighted_quantile(values, weight, share) for share in (0.25, 0.5, 0.75))
        center, scale = middle, np.where(high > low, (high - low) / _QUARTILES, scale)
    # what differs by rounding alone is the same number
    scale = _rounded(scale)
    flat = scale <= 1e-12 * np.maximum(np.abs(values).max(axis=0), np.finfo(np.float64).tiny)
    step = np.where(flat, 1.0, scale) * 2.0**-12
    return np.where(flat, start, np.round(center / step) * step), np.where(flat, 0.0, scale)


def _weighted_quantile(values: Array, weight: Array, share: float) -> Array:
    return np.quantile(values, share, axis=0, weights=weight, method="inverted_cdf")


def _rounded(values: Array) -> Array:
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.round(mantissa * 2.0**16) / 2.0**16, exponent)


@dataclass(frozen=True)
class RegressionTerms:
    """The two terms of the loss, standardised, with alpha and weights folded in.

    The loss of outputs ``z`` is the mean over rows of
    ``soft_weight * (z - soft)**2 + label_weight * (z - labels)**2``, each summed over outputs.

    Parameters
    ----------
    soft : ndarray of shape (n_rows, n_outputs)
        The teacher's answers, standardised.
    soft_weight : ndarray of shape (n_rows,)
        Weight of each row in the first term.
    labels : ndarray of shape (n_rows, n_outputs)
        The labels, standardised; any number where `label_weight` is zero.
    label_weight : ndarray of shape (n_rows,)
        Weight of each row in the second term.
    huber : float or None
        Beyond so much errors count along a line; None squares them all.
    center, scale : ndarray of shape (n_outputs,)
        A value is ``center + scale * z``; the scale of a constant is zero.
    total_weight : float
        The sum of the sample weights.
    held_out : ndarray of shape (n_rows,) or None
        True for rows to judge the fit by and not to fit.
    """

    soft: Array
    soft_weight: Array
    labels: Array
    label_weight: Array
    huber: float | None
    center: Array
    scale: Array
    total_weight: float
    held_out: Array | None = None

    @property
    def n_outputs(self) -> int:
        """How many numbers a student has to give for a row."""
        return self.soft.shape[1]

    def take(self, rows: Array) -> RegressionTerms:
        """Return the terms of some rows, an index or a boolean mask of shape (n_rows,)."""
        chosen: dict[str, Any] = {
            name: getattr(self, name)[rows] for name in ("soft", "soft_weight", "labels", "label_weight")
        }
        if self.held_out is not None:
            chosen["held_out"] = self.held_out[rows]
        return replace(self, **chosen)

    def blended(self) -> tuple[Array, Array]:
        """Return the mean of teacher and labels, each by its weight, and what each row counts in the fit.

        Returns
        -------
        wanted : ndarray of shape (n_rows, n_outputs)
            Standardised; any number where `weight` is zero.
        weight : ndarray of shape (n_rows,)
            What a row counts beside the others; one held out, nothing.
        """
        weight = self.soft_weight + self.label_weight
        wanted = self.soft * self.soft_weight[:, None] + self.labels * self.label_weight[:, None]
        wanted /= np.where(weight > 0, weight, 1.0)[:, None]
        return wanted, weight if self.held_out is None else np.where(self.held_out, 0.0, weight)

    def value_and_gradient(self, outputs: Array) -> tuple[float, Array]:
        """Return the loss and its gradient with respect to the outputs.

        Parameters
        ----------
        outputs : ndarray of shape (n_rows, n_outputs)
            The student's outputs, standardised.

        Returns
        -------
        value : float
            The loss.
        gradient : ndarray of the shape of `outputs`
            Derivative of the loss with respect to each output.
        """
        value, gradient = 0.0, np.zeros_like(outputs)
        for wanted, weight in ((self.soft, self.soft_weight), (self.labels, self.label_weight)):
            if not weight.any():
                continue
            off = outputs - wanted
            if self.huber is None:
                losses, slope = off**2, 2.0 * off
            else:
                near = np.clip(off, -self.huber, self.huber)
                losses, slope = near * (2.0 * off - near), 2.0 * near
            value += float(weight @ losses.sum(axis=1))
            gradient += weight[:, None] * slope
        return value / len(outputs), gradient / len(outputs)


def regression_loss(
    outputs: ArrayLike,
    answers: ArrayLike,
    y: ArrayLike | None = None,
    *,
    alpha: float = 0.5,
    huber: float | None = None,
    sample_weight: ArrayLike | None = None,
) -> tuple[float, Array]:
    """Return the distillation loss of a student of a regressor, and its gradient.

    Parameters
    ----------
    outputs : array-like of shape (n_rows, n_outputs)
        The student's answers.
    answers : array-like of shape (n_rows, n_outputs)
        The teacher's answers.
    y : array-like of shape (n_rows, n_outputs), default=None
        The labels; NaN marks a row without one, which takes the first term alone.
    alpha : float, default=0.5
        The share of the teacher's term, 0 to 1.
    huber : float, default=None
        Beyond so much errors count along a line; None squares them all.
    sample_weight : array-like of shape (n_rows,), default=None
        Non-negative weight of each row.

    Returns
    -------
    value : float
        The loss, a weighted mean over rows, in the square of the outputs' unit.
    gradient : ndarray of the shape of `outputs`
        Derivative of `value` with respect to each output.

    Examples
    --------
    >>> from skdistill.losses import regression_loss
    >>> value, gradient = regression_loss([[1.0], [5.0]], [[1.0], [3.0]], alpha=1)
    >>> value, gradient.tolist()
    (2.0, [[0.0], [2.0]])
    """
    z, told = (np.asarray(values, dtype=np.float64) for values in (outputs, answers))
    plain = np.zeros(z.shape[1]), np.ones(z.shape[1])
    targets = RegressionTargets(
        told,
        None if y is None else np.asarray(y, dtype=np.float64),
        None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64),
        alpha=alpha,
        huber=huber,
        units=plain,
    )
    return targets.terms(len(z)).value_and_gradient(z)
