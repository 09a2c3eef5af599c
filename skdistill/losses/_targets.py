"""Targets: the teacher's answers and the labels of rows, and how they are blended."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._losses import CrossEntropy, Huber, Loss, SquaredError
from ._terms import Terms

Array = NDArray[Any]


@dataclass(frozen=True)
class Targets:
    """The targets of a student: the teacher's answers, the labels, and their weights.

    The loss says what the numbers are: probabilities and class indices for ``CrossEntropy``, values for
    ``SquaredError`` and ``Huber``.

    Parameters
    ----------
    answers : ndarray of shape (n_rows, n_targets) or None
        The teacher's answers, not yet softened. None where no teacher was asked.
    labels : ndarray of shape (n_rows,) or (n_rows, n_targets), or None
        Class indices, -1 for a row without a label; or values, NaN in a row without any; or several labels, one or
        zero, NaN for a missing one. None where no
        row has a label.
    sample_weight : ndarray of shape (n_rows,) or None
        Non-negative weights; None counts every row once.
    alpha : float
        Weight of the teacher's term, from 0 to 1.
    loss : Loss
        The loss of a row.
    task : object or None
        What kind of target this is (see ``skdistill.tasks``); it ends the student's Program.
    classes : ndarray of shape (n_targets,) or None
        The class labels that the columns of `answers` stand for.
    soft_labels : ndarray of shape (n_rows, n_targets) or None
        What is fitted in place of the labels, for every row; None fits the labels.
    held_out : ndarray of shape (n_rows,) or None
        True for rows that are used to validate the fit and not to fit. None leaves it to the student whether
        it holds out any.
    units : (ndarray, ndarray) or None
        Center and scale of each target, shape (n_targets,); None leaves them to the loss.
    """

    #: The fields that have a value for each row, or are None.
    ROWS: ClassVar[tuple[str, ...]] = ("answers", "labels", "sample_weight", "soft_labels", "held_out")

    answers: Array | None
    labels: Array | None
    sample_weight: Array | None = None
    alpha: float = 1.0
    loss: Loss = field(default_factory=CrossEntropy)
    task: Any = None
    classes: Array | None = None
    soft_labels: Array | None = None
    held_out: Array | None = None
    units: tuple[Array, Array] | None = None

    @property
    def n_targets(self) -> int:
        """How many target values a row has: its classes, or its outputs."""
        if self.classes is not None:
            return len(self.classes)
        found = self.labels if self.answers is None else self.answers
        assert found is not None
        return found.shape[1]

    def name_classes(self, student: Any) -> None:
        """Give a fitted student ``classes_``, where there are classes."""
        if self.classes is not None:
            student.classes_ = self.classes

    def take(self, rows: Array) -> Targets:
        """Return the targets of some rows, an index or a boolean mask of shape (n_rows,)."""
        per_row = {name: getattr(self, name) for name in self.ROWS}
        taken: dict[str, Any] = {name: None if value is None else value[rows] for name, value in per_row.items()}
        return replace(self, **taken)

    def labelled(self) -> Array:
        """Return which rows have a label, shape (n_rows,); there must be labels."""
        assert self.labels is not None
        return self.loss.labelled(self.labels)

    def as_labels(self) -> Array:
        """Return a label for each row, in the form of labels: its own, or else what the teacher answers."""
        if self.labels is None:
            assert self.answers is not None
            return self.loss.likeliest(self.answers)
        if self.answers is None:
            return self.labels
        labelled = self.labelled().reshape(len(self.labels), *[1] * (self.labels.ndim - 1))
        return np.where(labelled, self.labels, self.loss.likeliest(self.answers))

    def extremes(self) -> tuple[Array, Array]:
        """Return the smallest and the largest of the numbers that are fitted, of each target: labels and answers.

        Returns
        -------
        smallest, largest : ndarray of shape (n_targets,)
            Of rows that have a weight, and of the terms that have a share. Soft labels are averages of what was
            learned from labels, and count where there are no labels.
        """
        labels = self.soft_labels if self.labels is None else self.labels
        terms = [(self.answers, self.alpha > 0), (labels, self.alpha < 1)]
        counted = slice(None) if self.sample_weight is None else self.sample_weight > 0
        values = np.concatenate([one[counted] for one, counts in terms if one is not None and counts])
        # NaN marks a row without a label
        return np.nanmin(values, axis=0), np.nanmax(values, axis=0)

    def as_y(self) -> Array:
        """Return a label for each row as a scikit-learn transformer takes it: class labels, or values."""
        labels = self.as_labels()
        if self.classes is not None and labels.ndim == 1:
            return self.classes[labels]
        # of a ranker, the second column is the query
        return labels[:, 0] if labels.ndim == 2 and self.loss.n_outputs(labels.shape[1]) == 1 else labels

    def only_labels(self) -> Targets:
        """Return targets that fit the labels alone, on all rows: no answers, no soft labels, nothing held out."""
        loss = replace(self.loss, temperature=1.0) if isinstance(self.loss, CrossEntropy) else self.loss
        return replace(self, answers=None, soft_labels=None, alpha=0.0, held_out=None, loss=loss)

    def with_soft_labels(self, values: Array, label_share: float = 0.5) -> Targets:
        """Return targets with soft labels: values of shape (n_rows, n_targets) that another model predicts, and labels.

        Of a row with a label, `label_share` is the share of that, if it is a class.
        """
        return replace(self, soft_labels=self.loss.keep_labels(self.labels, values, label_share))

    def with_below(self, answers: Array, soft_labels: Array | None = None) -> Targets:
        """Return targets with those of unlabelled rows appended.

        Parameters
        ----------
        answers : ndarray of shape (n_new, n_targets)
            What the teacher answers for the new rows.
        soft_labels : ndarray of shape (n_new, n_targets) or None
            What is fitted in place of their labels.

        Returns
        -------
        targets : Targets
            Of all rows. A new row weighs as much as the average row above it.
        """
        weight = self.sample_weight
        values: dict[str, Any] = {
            "answers": answers,
            "labels": self.loss.NO_LABEL,
            "sample_weight": 0.0 if weight is None else weight[weight > 0].mean(),
            "soft_labels": soft_labels,
            "held_out": False,
        }

        def stacked(name: str) -> Any:
            above = getattr(self, name)
            if above is None:
                return None
            value = values[name]
            if not np.ndim(value):
                value = np.full((len(answers), *above.shape[1:]), value, dtype=above.dtype)
            return np.concatenate([above, value])

        return replace(self, **{name: stacked(name) for name in self.ROWS})

    def terms(self, n_rows: int, class_weight: dict[Any, float] | str | None = None) -> Terms:
        """Fold alpha, temperature and all weights into the two terms of the loss.

        Parameters
        ----------
        n_rows : int
            The number of rows.
        class_weight : dict, "balanced" or None
            Weight per class label, of a cross-entropy.

        Returns
        -------
        terms : Terms
            What each term fits, and the weight of each row in it.
        """
        loss = self.loss
        weight = np.ones(n_rows) if self.sample_weight is None else np.asarray(self.sample_weight, dtype=np.float64)
        total = weight.sum()
        if self.answers is not None:
            soft = (self.answers, weight)
        else:
            soft = (loss.blank(n_rows, self.n_targets), np.zeros(n_rows))
        if self.soft_labels is not None:
            hard = (self.soft_labels, weight)
        elif self.labels is not None:
            hard = (loss.filled(self.labels), np.where(self.labelled(), weight, 0.0))
        else:
            # the labels of no row: whatever is valid
            hard = (loss.filled(loss.likeliest(loss.blank(n_rows, self.n_targets))), np.zeros(n_rows))
        if class_weight is not None:
            soft, hard = loss.weigh_classes(class_weight, self.classes, soft, hard, self.alpha)
        (answers, soft_weight), (labels, label_weight) = soft, hard
        soft_weight = soft_weight * (self.alpha * loss.soft_scale * n_rows / total)
        label_weight = label_weight * ((1 - self.alpha) * n_rows / total)
        units = self.units
        if units is None:
            fitted = slice(None) if self.held_out is None else ~self.held_out
            units = loss.units((answers[fitted], soft_weight[fitted]), (labels[fitted], label_weight[fitted]))
        if units is not None:
            center, scale = units
            # a constant is learned without a student: it is the center, and what a student adds counts for nothing
            divisor = np.where(scale > 0, scale, np.inf)
            answers, labels = (answers - center) / divisor, (labels - center) / divisor
        return Terms(
            soft=loss.softened(answers),
            soft_weight=soft_weight,
            labels=labels,
            label_weight=label_weight,
            loss=loss,
            total_weight=float(total),
            held_out=self.held_out,
            units=units,
        )


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
        Index of each row's class; -1 marks a row without a label, for which only the first term counts.
    temperature : float, default=1.0
        Softens the teacher and the student in the first term.
    alpha : float, default=0.5
        Weight of the teacher's term, from 0 to 1.
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
    p = np.asarray(proba, dtype=np.float64)
    given = None if labels is None else np.asarray(labels)
    return _loss_of(logits, p, given, alpha, CrossEntropy(temperature), sample_weight, np.arange(p.shape[1]))


def regression_loss(
    outputs: ArrayLike,
    answers: ArrayLike,
    y: ArrayLike | None = None,
    *,
    alpha: float = 0.5,
    loss: str | Loss = "squared_error",
    sample_weight: ArrayLike | None = None,
) -> tuple[float, Array]:
    """Return the distillation loss of a regression student, and its gradient.

    Parameters
    ----------
    outputs : array-like of shape (n_rows, n_outputs)
        The student's predictions.
    answers : array-like of shape (n_rows, n_outputs)
        The teacher's predictions.
    y : array-like of shape (n_rows, n_outputs), default=None
        The labels; NaN marks a row without one, for which only the first term counts.
    alpha : float, default=0.5
        Weight of the teacher's term, from 0 to 1.
    loss : {"squared_error", "huber"} or Loss, default="squared_error"
        The loss of a row; targets are not standardised here.
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
    values = np.asarray(answers, dtype=np.float64)
    labels = None if y is None else np.asarray(y, dtype=np.float64)
    return _loss_of(outputs, values, labels, alpha, regression_loss_of(loss), sample_weight)


def regression_loss_of(loss: str | Loss) -> Loss:
    """Return the loss that a regressor's ``loss=`` stands for; raise if it is none."""
    named: dict[str, Loss] = {"squared_error": SquaredError(), "huber": Huber()}
    found = named.get(loss) if isinstance(loss, str) else loss
    if not isinstance(found, Loss) or isinstance(found, CrossEntropy):
        raise ValueError(f"loss must be one of {sorted(named)}, or a Loss such as Huber(delta=2.0); got {loss!r}.")
    if type(found).units is Loss.units:
        raise ValueError(f"loss={loss!r} has no units to standardise numbers by; derive it from SquaredError.")
    return found


def _loss_of(
    Z: ArrayLike,
    answers: Array,
    labels: Array | None,
    alpha: float,
    loss: Loss,
    sample_weight: ArrayLike | None,
    classes: Array | None = None,
) -> tuple[float, Array]:
    outputs = np.asarray(Z, dtype=np.float64)
    weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    plain = None if classes is not None else (np.zeros(answers.shape[1]), np.ones(answers.shape[1]))
    targets = Targets(answers, labels, weight, alpha, loss, classes=classes, units=plain)
    return targets.terms(len(outputs)).value_and_gradient(outputs)
