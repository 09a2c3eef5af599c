"""The distillation loss of a classifier in numpy: what a student has to fit, the loss's value and its gradient.

Conventions, stated once:

- ``proba`` and ``logits`` have shape ``(n_rows, n_classes)``, columns in the order of the classes.
- Binary logits may be given as one column ``z``; it stands for the two columns ``(0, z)``.
- A label is the index of its class; ``-1`` marks a row without a label.
- Every loss is a mean over rows, each row counted by its weight.

The loss is that of Hinton, Vinyals and Dean (2015), "Distilling the Knowledge in a Neural Network",
https://arxiv.org/abs/1503.02531::

    alpha * T**2 * KL(teacher_T || student_T) + (1 - alpha) * CE(labels, student_1)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._rows import RowTargets

Array = NDArray[Any]

#: The smallest probability that softening believes. A forest answers exact zeros and a boosted
#: ensemble 1e-9, both for want of rows rather than from knowledge; the logarithm would turn the
#: difference between them into the loudest signal of the row.
PROBABILITY_FLOOR = 1e-4


def log_softmax(logits: ArrayLike) -> Array:
    """Return the logarithm of :func:`softmax`, exact also where a probability underflows.

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
        # by columns: a reduction over two numbers at a time is slow
        z = z[:, 0]
        log_one_plus = np.log1p(np.exp(-np.abs(z))) + np.maximum(z, 0.0)
        return np.column_stack([-log_one_plus, z - log_one_plus])
    z = z - z.max(axis=1, keepdims=True)
    z -= np.log(np.exp(z).sum(axis=1, keepdims=True))
    return z


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
    proba /= proba.sum(axis=1, keepdims=True)
    return proba


def soften(proba: ArrayLike, temperature: float, *, floor: float = PROBABILITY_FLOOR) -> Array:
    """Soften probabilities by a temperature: ``softmax(log(proba) / temperature)``.

    At temperature 1 the probabilities come back as they are. At any other temperature those
    below `floor` are first raised to it, because a logarithm has no answer for a zero.

    Parameters
    ----------
    proba : array-like of shape (n_rows, n_classes)
        Probabilities; each row sums to one.
    temperature : float
        Above 1 flattens the probabilities, below 1 sharpens them.
    floor : float, default=1e-4
        The smallest probability that is told from zero.

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


@dataclass(frozen=True)
class Targets(RowTargets):
    """What a student is asked to fit: the teacher's answers, the labels, and how to blend them.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The class labels, in the order of the columns of `proba`.
    proba : ndarray of shape (n_rows, n_classes) or None
        The teacher's probabilities, not yet softened. None where no teacher was asked.
    labels : ndarray of shape (n_rows,) or None
        Index of each row's class, -1 for a row without a label. None where no row has one.
    sample_weight : ndarray of shape (n_rows,) or None
        Non-negative weights; None counts every row once.
    temperature : float
        Softens both the teacher and the student in the first term of the loss.
    alpha : float
        The share of the teacher's term, 0 to 1.
    label_proba : ndarray of shape (n_rows, n_classes) or None
        Probabilities to fit in place of the labels, for every row; None fits the labels.
    held_out : ndarray of shape (n_rows,) or None
        True for rows to judge the fit by and not to fit. None leaves it to the student whether it
        holds out any.
    """

    ROWS: ClassVar[tuple[str, ...]] = ("proba", "labels", "sample_weight", "label_proba", "held_out")
    ANSWERS: ClassVar[str] = "proba"
    STAND_IN: ClassVar[str] = "label_proba"
    NO_LABEL: ClassVar[float] = -1

    classes: Array
    proba: Array | None
    labels: Array | None
    sample_weight: Array | None = None
    temperature: float = 1.0
    alpha: float = 1.0
    label_proba: Array | None = None
    held_out: Array | None = None

    @property
    def n_classes(self) -> int:
        """How many classes there are."""
        return len(self.classes)

    def labelled(self) -> Array:
        """Tell which rows have a label, shape (n_rows,)."""
        assert self.labels is not None
        return self.labels >= 0

    def labels_alone(self) -> Targets:
        """Return targets that leave the labels alone to be learnt, by all rows."""
        return replace(super().labels_alone(), temperature=1.0)

    def most_likely(self) -> Array:
        """Return the index of each row's class: its label, or else the teacher's first choice."""
        if self.labels is None:
            assert self.proba is not None
            return self.proba.argmax(axis=1)
        return self.labels if self.proba is None else np.where(self.labels < 0, self.proba.argmax(axis=1), self.labels)

    def as_y(self) -> Array:
        """Return a class label for each row, as a transformer takes it."""
        return self.classes[self.most_likely()]

    def terms(self, n_rows: int, class_weight: dict[Any, float] | str | None = None) -> LossTerms:
        """Fold temperature, alpha and all weights into the two terms of the loss.

        A class weight multiplies that class's share of a target, which is what weighting the
        labels would do if labels were drawn from the teacher's answers.

        Parameters
        ----------
        n_rows : int
            The number of rows.
        class_weight : dict, "balanced" or None
            Weight per class label; "balanced" makes every class weigh the same.

        Returns
        -------
        terms : LossTerms
            The softened answers, the labels, and the weight of each row in each term.
        """
        weight = np.ones(n_rows) if self.sample_weight is None else np.asarray(self.sample_weight, dtype=np.float64)
        total = weight.sum()
        labels = np.full(n_rows, -1) if self.labels is None else np.asarray(self.labels)
        hard = np.where(labels >= 0, weight, 0.0) if self.label_proba is None else weight
        soft = weight
        proba = self.proba
        if proba is None:
            proba = np.full((n_rows, self.n_classes), 1.0 / self.n_classes)
            soft = np.zeros(n_rows)
        told = np.maximum(labels, 0) if self.label_proba is None else self.label_proba
        if class_weight is not None:
            per_class = self._class_weights(class_weight, proba, told, soft * self.alpha, hard * (1 - self.alpha))
            proba, soft = _weighted(proba, soft, per_class)
            if told.ndim == 2:
                told, hard = _weighted(told, hard, per_class)
            else:
                hard = hard * per_class[told]
        return LossTerms(
            soft=soften(proba, self.temperature),
            soft_weight=soft * (self.alpha * self.temperature**2 * n_rows / total),
            labels=told,
            label_weight=hard * ((1 - self.alpha) * n_rows / total),
            temperature=float(self.temperature),
            total_weight=float(total),
            held_out=self.held_out,
        )

    def _class_weights(
        self, class_weight: dict[Any, float] | str, proba: Array, told: Array, soft: Array, hard: Array
    ) -> Array:
        """Return the weight of each class, shape (n_classes,)."""
        if isinstance(class_weight, str):
            mass = soft @ proba
            mass += hard @ told if told.ndim == 2 else np.bincount(told, weights=hard, minlength=self.n_classes)
            seen = mass > 0
            return np.where(seen, mass.sum() / (seen.sum() * np.where(seen, mass, 1.0)), 1.0)
        unknown = [label for label in class_weight if label not in self.classes.tolist()]
        if unknown:
            raise ValueError(
                f"class_weight names the classes {unknown}, which are not among the classes {self.classes.tolist()}."
            )
        weights = np.array([float(class_weight.get(label, 1.0)) for label in self.classes.tolist()])
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
class LossTerms:
    """The two terms of the loss with temperature, alpha and weights folded in.

    The loss of logits ``z`` is the mean over rows of
    ``soft_weight * KL(soft || softmax(z / temperature)) - label_weight * log_softmax(z)[label]``.

    Parameters
    ----------
    soft : ndarray of shape (n_rows, n_classes)
        The teacher's probabilities, already softened.
    soft_weight : ndarray of shape (n_rows,)
        Weight of each row in the first term.
    labels : ndarray of shape (n_rows,) or (n_rows, n_classes)
        Index of each row's class, any index where `label_weight` is zero; or probabilities to fit
        in place of the labels.
    label_weight : ndarray of shape (n_rows,)
        Weight of each row in the second term.
    temperature : float
        The temperature at which the student is softened in the first term.
    total_weight : float
        The sum of the sample weights.
    held_out : ndarray of shape (n_rows,) or None
        True for rows to judge the fit by and not to fit.
    """

    soft: Array
    soft_weight: Array
    labels: Array
    label_weight: Array
    temperature: float
    total_weight: float
    held_out: Array | None = None

    @property
    def n_outputs(self) -> int:
        """How many logits a student has to give for a row: one ``z`` for two classes."""
        n_classes = self.soft.shape[1]
        return 1 if n_classes == 2 else n_classes

    def take(self, rows: Array) -> LossTerms:
        """Return the terms of some rows, an index or a boolean mask of shape (n_rows,)."""
        chosen: dict[str, Any] = {
            name: getattr(self, name)[rows] for name in ("soft", "soft_weight", "labels", "label_weight")
        }
        if self.held_out is not None:
            chosen["held_out"] = self.held_out[rows]
        return replace(self, **chosen)

    def label_mass(self) -> Array:
        """Return what each class weighs in the second term, shape (n_rows, n_classes)."""
        if self.labels.ndim == 2:
            return self.labels * self.label_weight[:, None]
        mass = np.zeros_like(self.soft)
        mass[np.arange(len(mass)), self.labels] = self.label_weight
        return mass

    def folded(self) -> LossTerms:
        """Return equal terms in which labels are labels: at temperature 1, probabilities in their place are folded in.

        Raises
        ------
        ValueError
            If there are probabilities in the place of labels at another temperature.
        """
        if self.labels.ndim == 1:
            return self
        if self.temperature != 1:
            raise ValueError(
                f"temperature={self.temperature} and a committee are too much for this student; use temperature=1 or "
                "committee=0."
            )
        weight = self.soft_weight + self.label_weight
        mass = self.soft * self.soft_weight[:, None] + self.label_mass()
        with np.errstate(invalid="ignore", divide="ignore"):
            soft = np.where(weight[:, None] > 0, mass / weight[:, None], self.soft)
        none = np.zeros(len(weight))
        return replace(self, soft=soft, soft_weight=weight, labels=none.astype(np.int64), label_weight=none)

    @cached_property
    def information(self) -> Array:
        """The sum over classes of ``p * log(p)``, shape (n_rows,): what no student changes."""
        # the convention 0 * log(0) = 0
        return (self.soft * np.log(np.where(self.soft > 0, self.soft, 1.0))).sum(axis=1)

    def value_and_gradient(self, logits: Array) -> tuple[float, Array]:
        """Return the loss and its gradient with respect to the logits.

        Parameters
        ----------
        logits : ndarray of shape (n_rows, n_classes), or (n_rows, 1) for two classes
            The student's logits.

        Returns
        -------
        value : float
            The loss, zero at best in its first term.
        gradient : ndarray of the shape of `logits`
            Derivative of the loss with respect to each logit.
        """
        n_rows = len(logits)
        rows = np.arange(n_rows)
        value: Any = 0.0
        gradient = np.zeros((n_rows, self.soft.shape[1]))
        # a term that no row takes is not worked out
        if self.soft_weight.any():
            log_q = log_softmax(logits / self.temperature)
            value += self.soft_weight @ (self.information - (self.soft * log_q).sum(axis=1))
            gradient += (np.exp(log_q) - self.soft) * (self.soft_weight / self.temperature)[:, None]
        if self.label_weight.any():
            log_q = log_softmax(logits)
            residual = np.exp(log_q)
            if self.labels.ndim == 2:
                value -= self.label_weight @ (self.labels * log_q).sum(axis=1)
                residual -= self.labels
            else:
                value -= self.label_weight @ log_q[rows, self.labels]
                residual[rows, self.labels] -= 1.0
            gradient += residual * self.label_weight[:, None]
        gradient /= n_rows
        return float(value) / n_rows, gradient[:, -logits.shape[1] :]


def distillation_loss(
    logits: ArrayLike,
    proba: ArrayLike,
    labels: ArrayLike | None = None,
    *,
    temperature: float = 1.0,
    alpha: float = 0.5,
    sample_weight: ArrayLike | None = None,
) -> tuple[float, Array]:
    """Return the distillation loss of a student's logits, and its gradient.

    Parameters
    ----------
    logits : array-like of shape (n_rows, n_classes), or (n_rows, 1) for two classes
        The student's logits; one column ``z`` stands for ``(0, z)``.
    proba : array-like of shape (n_rows, n_classes)
        The teacher's probabilities, not yet softened.
    labels : array-like of shape (n_rows,), default=None
        Index of each row's class; -1 marks a row without a label, which takes the first term alone.
    temperature : float, default=1.0
        Softens the teacher and the student in the first term.
    alpha : float, default=0.5
        The share of the teacher's term, 0 to 1.
    sample_weight : array-like of shape (n_rows,), default=None
        Non-negative weight of each row.

    Returns
    -------
    value : float
        The loss, a weighted mean over rows.
    gradient : ndarray of the shape of `logits`
        Derivative of `value` with respect to each logit.

    Examples
    --------
    The teacher's own logits cost nothing:

    >>> import numpy as np
    >>> from skdistill.losses import distillation_loss
    >>> teacher = np.array([[0.2, 0.8], [0.6, 0.4]])
    >>> value, gradient = distillation_loss(np.log(teacher), teacher, temperature=3, alpha=1)
    >>> round(value, 6), bool(abs(gradient).max() < 1e-9)
    (0.0, True)
    """
    z = np.asarray(logits, dtype=np.float64)
    p = np.asarray(proba, dtype=np.float64)
    targets = Targets(
        classes=np.arange(p.shape[1]),
        proba=p,
        labels=None if labels is None else np.asarray(labels),
        sample_weight=None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64),
        temperature=temperature,
        alpha=alpha,
    )
    return targets.terms(len(z)).value_and_gradient(z)
