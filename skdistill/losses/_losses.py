"""The losses of a row (cross-entropy, squared error, Huber's): value, derivative, and how each reads its targets.

Conventions, stated once:

- ``proba`` and ``logits`` have shape ``(n_rows, n_classes)``, columns in the order of the classes.
- Binary logits may be given as one column ``z``; it stands for the two columns ``(0, z)``.
- A class label is the index of its class; within targets ``-1`` marks a row without a label, among
  numbers NaN in each output does.
- The answers and labels of a ranker have a second column, the number of the query.
- Numbers have shape ``(n_rows, n_outputs)`` and are fitted standardised, ``(value - center) / scale``.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]

#: The smallest probability that softening distinguishes from zero. A forest answers exact zeros and a boosted ensemble
#: 1e-9, both for want of rows rather than from knowledge; the logarithm would turn the difference between
#: them into the loudest signal of the row.
PROBABILITY_FLOOR = 1e-4
#: The distance between the quartiles of a normal distribution, in standard deviations.
_QUARTILE_DISTANCE = 1.349
#: Numbers that deviate by no more than this share of the largest differ by the rounding of float64 alone.
_ROUNDING = 16 * np.finfo(np.float64).eps


def log_softmax(logits: ArrayLike) -> Array:
    """Return the logarithm of :func:`softmax`, also accurate if a probability underflows.

    Parameters
    ----------
    logits : array-like of shape (n_rows, n_classes)
        Logits; one column ``z`` stands for the binary logits ``(0, z)``.

    Returns
    -------
    log_proba : ndarray of shape (n_rows, n_classes)
        Natural logarithms of the probabilities.

    Examples
    --------
    >>> from skdistill.losses import log_softmax
    >>> log_softmax([[0.0, 0.0], [1000.0, 0.0]]).round(3)
    array([[-6.93e-01, -6.93e-01],
           [ 0.00e+00, -1.00e+03]])
    """
    z = np.asarray(logits, dtype=np.float64)
    if z.shape[1] == 1:
        z = z[:, 0]
        log_one_plus = np.log1p(np.exp(-np.abs(z))) + np.maximum(z, 0.0)
        return np.column_stack([-log_one_plus, z - log_one_plus])
    z = z - _reduced(np.maximum, z)
    z -= np.log(_reduced(np.add, np.exp(z)))
    return z


def _reduced(ufunc: np.ufunc, z: Array) -> Array:
    """Reduce each row to one number, shape (n_rows, 1); numpy takes long over two numbers at a time."""
    return ufunc(z[:, :1], z[:, 1:]) if z.shape[1] == 2 else ufunc.reduce(z, axis=1, keepdims=True)


def softmax(logits: ArrayLike) -> Array:
    """Turn logits into probabilities.

    Parameters
    ----------
    logits : array-like of shape (n_rows, n_classes)
        Logits; one column ``z`` stands for the binary logits ``(0, z)``.

    Returns
    -------
    proba : ndarray of shape (n_rows, n_classes)
        Probabilities; each row sums to one.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill.losses import softmax
    >>> softmax(np.log([[0.2, 0.3, 0.5]])).round(3)
    array([[0.2, 0.3, 0.5]])
    """
    proba = np.exp(log_softmax(logits))
    proba /= _reduced(np.add, proba)
    return proba


def soften(proba: ArrayLike, temperature: float, *, floor: float = PROBABILITY_FLOOR) -> Array:
    """Soften probabilities by a temperature: ``softmax(log(proba) / temperature)``.

    At temperature 1 the probabilities are returned unchanged. At other temperatures, probabilities below `floor` are
    first raised to it, because zero has no logarithm.

    Parameters
    ----------
    proba : array-like of shape (n_rows, n_classes)
        Probabilities; each row sums to one.
    temperature : float
        Above 1 flattens the probabilities, below 1 sharpens them.
    floor : float, default=1e-4
        The smallest probability that is distinguished from zero.

    Returns
    -------
    softened : ndarray of shape (n_rows, n_classes)
        The softened probabilities.

    Examples
    --------
    >>> from skdistill.losses import soften
    >>> soften([[0.9, 0.1]], temperature=2).round(3)
    array([[0.75, 0.25]])
    """
    p = np.asarray(proba, dtype=np.float64)
    if temperature == 1:
        return p.copy()
    return softmax(np.log(np.maximum(p, floor)) / temperature)


class Loss:
    """The loss of a row, and how it reads targets; a new one is a subclass with :meth:`soft`, and `hard` if it differs.

    A new regression loss derives from :class:`SquaredError`, which standardises targets, or defines its own
    :meth:`units`. Answers and labels have ``n_targets`` values a row; a student gives ``n_outputs(n_targets)`` outputs.
    """

    #: What marks a row without a label.
    NO_LABEL: ClassVar[float] = np.nan

    def n_outputs(self, n_targets: int) -> int:
        """Return how many outputs a student needs for a row of so many target values."""
        return n_targets

    def soft(self, Z: Array, goal: Array) -> tuple[Array, Array]:
        """Return the loss of each row against the teacher's answers, and its derivatives.

        Parameters
        ----------
        Z : ndarray of shape (n_rows, n_outputs)
            The student's outputs.
        goal : ndarray of shape (n_rows, n_targets)
            The answers, as :meth:`softened` returns them.

        Returns
        -------
        losses : ndarray of shape (n_rows,)
            The losses.
        slopes : ndarray of shape (n_rows, n_outputs)
            The derivative of a row's loss with respect to each output, times :attr:`softness`.
        """
        raise NotImplementedError

    def hard(self, Z: Array, goal: Array) -> tuple[Array, Array]:
        """Return the loss of each row against its label, and its derivatives; as :meth:`soft`."""
        return self.soft(Z, goal)

    def entropy(self, goal: Array) -> Array:
        """Return the part of :meth:`soft` that no student can lower, shape (n_rows,); the loss leaves it out."""
        return np.zeros(len(goal))

    def softened(self, answers: Array) -> Array:
        """Return the teacher's answers as the first term fits them."""
        return answers

    @property
    def soft_scale(self) -> float:
        """What the first term is multiplied by."""
        return 1.0

    @property
    def softness(self) -> float:
        """What the derivatives of :meth:`soft` are still to be divided by."""
        return 1.0

    def labelled(self, labels: Array) -> Array:
        """Return which rows have a label, shape (n_rows,)."""
        return ~np.isnan(labels.reshape(len(labels), -1)[:, 0])

    def filled(self, labels: Array) -> Array:
        """Return labels with some valid value in rows that have none; these weigh nothing."""
        return np.where(self.labelled(labels).reshape(-1, *[1] * (labels.ndim - 1)), labels, 0)

    def blank(self, n_rows: int, n_targets: int) -> Array:
        """Return placeholders for answers or labels that are not there, shape (n_rows, n_targets)."""
        return np.zeros((n_rows, n_targets))

    def likeliest(self, answers: Array) -> Array:
        """Return the label that the teacher's answers stand for, in the form of labels."""
        return answers

    def keep_labels(self, labels: Array | None, values: Array, share: float = 0.5) -> Array:
        """Return what is fitted in place of labels where another model has given a value for every row.

        A student that squares errors and stops early does not memorise labels, and the labels know more than
        models that were fitted to them: a label stays where there is one, whatever its `share`.
        """
        if labels is None:
            return values
        return np.where(self.labelled(labels)[:, None], labels, values)

    def weigh_classes(self, class_weight: Any, classes: Any, soft: Any, labels: Any, alpha: float) -> Any:
        """Return the (goal, weight) pairs of both terms with class weights applied; only classes have weights."""
        raise ValueError(f"class_weight={class_weight!r} has no meaning for {type(self).__name__}.")

    def units(self, soft: tuple[Array, Array], labels: tuple[Array, Array]) -> tuple[Array, Array] | None:
        """Return center and scale by which targets are standardised, from (values, weight) of both terms, or None."""
        return None


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """The cross-entropy of probabilities, softened by a temperature in the first term.

    The first term is ``KL(teacher_T || student_T)``, the second ``CE(labels, student_1)``; with alpha and
    ``T**2`` they are the loss of Hinton, Vinyals and Dean (2015), https://arxiv.org/abs/1503.02531.

    Parameters
    ----------
    temperature : float, default=1.0
        Softens teacher and student in the first term.

    Raises
    ------
    TypeError
        If `temperature` is not a number.
    ValueError
        If it is not finite and above zero.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill.losses import CrossEntropy
    >>> losses, slopes = CrossEntropy().hard(np.zeros((1, 1)), np.array([1]))
    >>> losses.round(3), slopes
    (array([0.693]), array([[-0.5]]))
    """

    NO_LABEL: ClassVar[float] = -1

    temperature: float = 1.0

    def __post_init__(self) -> None:
        _check_positive("temperature", self.temperature)

    def n_outputs(self, n_targets: int) -> int:
        """Return how many logits a row has: a single ``z`` for two classes."""
        return 1 if n_targets == 2 else n_targets

    def soft(self, Z: Array, goal: Array) -> tuple[Array, Array]:
        """Return the cross-entropy of each row with the softened answers, and derivatives by ``Z / temperature``."""
        log_q = log_softmax(Z / self.temperature)
        return -(goal * log_q).sum(axis=1), (np.exp(log_q) - goal)[:, -Z.shape[1] :]

    def entropy(self, goal: Array) -> Array:
        """Return the entropy of the softened answers; the cross-entropy less this is the divergence."""
        # the convention 0 * log(0) = 0
        return -(goal * np.log(np.where(goal > 0, goal, 1.0))).sum(axis=1)

    def hard(self, Z: Array, goal: Array) -> tuple[Array, Array]:
        """Return the cross-entropy of each row with a class index or soft labels, and its derivatives."""
        log_q = log_softmax(Z)
        residual = np.exp(log_q)
        if goal.ndim == 2:
            losses = -(goal * log_q).sum(axis=1)
            residual -= goal
        else:
            rows = np.arange(len(goal))
            losses = -log_q[rows, goal]
            residual[rows, goal] -= 1.0
        return losses, residual[:, -Z.shape[1] :]

    def softened(self, answers: Array) -> Array:
        """Return the probabilities softened by the temperature."""
        return soften(answers, self.temperature)

    @property
    def soft_scale(self) -> float:
        """The square of the temperature, so that gradients keep their size."""
        return self.temperature**2

    @property
    def softness(self) -> float:
        """The temperature."""
        return self.temperature

    def labelled(self, labels: Array) -> Array:
        """Return which rows have a class index, shape (n_rows,)."""
        return labels >= 0

    def filled(self, labels: Array) -> Array:
        """Return class indices, that of the first class in rows without one."""
        return np.maximum(labels, 0)

    def blank(self, n_rows: int, n_targets: int) -> Array:
        """Return uniform probabilities."""
        return np.full((n_rows, n_targets), 1.0 / n_targets)

    def likeliest(self, answers: Array) -> Array:
        """Return the index of the most probable class."""
        return answers.argmax(axis=1)

    def keep_labels(self, labels: Array | None, values: Array, share: float = 0.5) -> Array:
        """Return the soft labels; in those of rows with a label, it has a share, so that it is not memorised."""
        if labels is None:
            return values
        mixed = (1 - share) * values
        known = np.flatnonzero(self.labelled(labels))
        mixed[known, labels[known]] += share
        return np.where(self.labelled(labels)[:, None], mixed, values)

    def weigh_classes(
        self,
        class_weight: dict[Any, float] | str,
        classes: Array,
        soft: tuple[Array, Array],
        labels: tuple[Array, Array],
        alpha: float,
    ) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """Return both terms with each class's share of a target multiplied by its weight.

        That is what weighting the labels would do if labels were drawn from the teacher's answers.

        Parameters
        ----------
        class_weight : dict or "balanced"
            Weight per class label; "balanced" makes every class weigh the same.
        classes : ndarray of shape (n_classes,)
            The class labels.
        soft, labels : (ndarray, ndarray of shape (n_rows,))
            What each term fits, and the weight of each row.
        alpha : float
            The share of the first term.

        Returns
        -------
        soft, labels : (ndarray, ndarray of shape (n_rows,))
            The same, weighted.

        Raises
        ------
        ValueError
            If `class_weight` names an unknown class, or holds a negative number.
        """
        (proba, weight), (goal, hard) = soft, labels
        per_class = _class_weights(class_weight, classes, (proba, weight * alpha), (goal, hard * (1 - alpha)))
        if goal.ndim == 2:
            return _weighted(proba, weight, per_class), _weighted(goal, hard, per_class)
        return _weighted(proba, weight, per_class), (goal, hard * per_class[goal])


def _check_positive(name: str, value: Any) -> None:
    """Raise if a value is not a finite number above zero."""
    if not isinstance(value, Real):
        raise TypeError(f"{name} must be a number; got {value!r}.")
    if not 0 < float(value) < np.inf:
        raise ValueError(f"{name} must be finite and above zero; got {value!r}.")


def _class_weights(
    class_weight: dict[Any, float] | str, classes: Array, soft: tuple[Array, Array], labels: tuple[Array, Array]
) -> Array:
    """Return the weight of each class, shape (n_classes,)."""
    if isinstance(class_weight, str):
        (proba, weight), (goal, hard) = soft, labels
        mass = weight @ proba
        mass += hard @ goal if goal.ndim == 2 else np.bincount(goal, weights=hard, minlength=len(classes))
        seen = mass > 0
        return np.where(seen, mass.sum() / (seen.sum() * np.where(seen, mass, 1.0)), 1.0)
    unknown = [label for label in class_weight if label not in classes.tolist()]
    if unknown:
        raise ValueError(
            f"class_weight names the classes {unknown}, which are not among the classes {classes.tolist()}."
        )
    weights = np.array([float(class_weight.get(label, 1.0)) for label in classes.tolist()])
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError(f"class_weight must hold non-negative numbers; got {class_weight}.")
    return weights


def _weighted(proba: Array, weight: Array, per_class: Array) -> tuple[Array, Array]:
    """Return probabilities and the weights of their rows with each class's share multiplied by its weight."""
    proba = proba * per_class
    mass = proba.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = np.where(mass[:, None] > 0, proba / mass[:, None], 1.0 / len(per_class))
    return shares, weight * mass


@dataclass(frozen=True)
class SquaredError(Loss):
    """The squared error, summed over outputs, of targets standardised by mean and standard deviation.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill.losses import SquaredError
    >>> SquaredError().soft(np.array([[1.0]]), np.array([[3.0]]))
    (array([4.]), array([[-4.]]))
    """

    def soft(self, Z: Array, goal: Array) -> tuple[Array, Array]:
        """Return the squared error of each row, and its derivatives."""
        off = Z - goal
        return (off**2).sum(axis=1), 2.0 * off

    def units(self, soft: tuple[Array, Array], labels: tuple[Array, Array]) -> tuple[Array, Array]:
        """Return the weighted mean and standard deviation of each output.

        Both are rounded, so that a table gives the same whatever the order of its rows. The scale of a
        constant is zero.
        """
        values, weight = (np.concatenate(parts) for parts in zip(soft, labels, strict=True))
        values, weight = values[weight > 0], weight[weight > 0]
        weight = weight / weight.sum()
        # squares of numbers below one do not overflow
        exponent = exponents(values)
        values = np.ldexp(values, -exponent)
        # far from zero, sums lose digits
        start = values[0]
        center, scale = self._location(values, weight, start)
        # what differs by rounding alone is the same number
        scale = rounded(scale)
        flat = scale <= _ROUNDING
        step = np.where(flat, 1.0, scale) * 2.0**-12
        center, scale = np.where(flat, start, np.round(center / step) * step), np.where(flat, 0.0, scale)
        return np.ldexp(center, exponent), np.ldexp(scale, exponent)

    def _location(self, values: Array, weight: Array, start: Array) -> tuple[Array, Array]:
        center = start + weight @ (values - start)
        return center, np.sqrt(weight @ (values - center) ** 2)


@dataclass(frozen=True)
class Huber(SquaredError):  # noqa: N818
    """Huber's loss: squared up to `delta`, linear beyond, of targets standardised by median and quartiles.

    For labels, or teachers, that are sometimes far off: Huber (1964), "Robust Estimation of a Location
    Parameter", https://doi.org/10.1214/aoms/1177703732.

    Parameters
    ----------
    delta : float, default=1.345
        Where the loss becomes linear, in standard deviations of the target. At 1.345 the fit is 95 % as
        efficient as least squares on normal errors.

    Raises
    ------
    TypeError
        If `delta` is not a number.
    ValueError
        If it is not finite and above zero.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill.losses import Huber
    >>> Huber(1.0).soft(np.array([[0.0]]), np.array([[3.0]]))
    (array([5.]), array([[-2.]]))
    """

    delta: float = 1.345

    def __post_init__(self) -> None:
        _check_positive("delta", self.delta)

    def soft(self, Z: Array, goal: Array) -> tuple[Array, Array]:
        """Return Huber's loss of each row, and its derivatives."""
        off = Z - goal
        near = np.clip(off, -self.delta, self.delta)
        return (near * (2.0 * off - near)).sum(axis=1), 2.0 * near

    def _location(self, values: Array, weight: Array, start: Array) -> tuple[Array, Array]:
        low, median, high = (
            np.quantile(values, share, axis=0, weights=weight, method="inverted_cdf") for share in (0.25, 0.5, 0.75)
        )
        deviation = super()._location(values, weight, start)[1]
        return median, np.where(high > low, (high - low) / _QUARTILE_DISTANCE, deviation)


def exponents(values: Array) -> Array:
    """Return the exponent of the power of two just above each column, NaN left out; shape (n_columns,).

    Numbers divided by it, which is exact, can be squared without overflow or underflow, and those near it differ
    by what float64 can tell apart.
    """
    return np.frexp(np.nanmax(np.abs(values), axis=0, initial=0.0))[1]


def rounded(values: Array) -> Array:
    """Return numbers rounded to 16 significant bits, a relative change of 8e-6 at most.

    The last digits of a sum depend on the order of its rows, and of where a minimiser ends on still more.
    Rounding leaves them out, so that the same table gives the same bytes.
    """
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.round(mantissa * 2.0**16) / 2.0**16, exponent)
