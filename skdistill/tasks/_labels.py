"""LABELS: multilabel targets; models return the probability of each label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.metrics import average_precision_score
from sklearn.model_selection import KFold

from .._checks import check_numbers, listed, missing_y
from ..losses import PROBABILITY_FLOOR, BinaryCrossEntropy, Loss, Targets, Terms, rescaled_logits
from ..program import Op, Sigmoid, is_missing, named_columns
from ._classes import CLASSES, Classes
from ._numbers import NUMBERS
from ._task import Task

Array = NDArray[Any]

#: How far beyond zero and one rounding takes a probability.
_ROUNDING = 1e-6


class Labels(Classes):
    """Several labels for each row: y is an indicator matrix, NaN where a label is missing."""

    name = "labels"
    stratified = False

    def read(self, values: Any, classes: Any, called: str) -> Any:
        """Return the probability of each label, shape (n_rows, n_labels), whichever of scikit-learn's forms it has.

        Forests, neighbours and MultiOutputClassifier answer with an array for each label, which has a column for each
        value that the label had in fit; a forest's out-of-bag answers have the labels last.
        """
        if isinstance(values, np.ndarray) and values.ndim == 3:
            values = list(np.moveaxis(values, 2, 0))
        if isinstance(values, list) and values and all(np.ndim(one) == 2 for one in values):
            several = [None] * len(values) if classes is None else classes
            return np.column_stack(
                [_of_label(np.asarray(one), own, called) for one, own in zip(values, several, strict=True)]
            )
        several = classes is None or np.ndim(classes[0]) > 0 or len(values) < 2 or np.ndim(values) != 2
        if several or np.abs(np.asarray(values, dtype=np.float64).sum(axis=1) - 1.0).max() > _ROUNDING:
            return values
        raise ValueError(
            f"{called} returned probabilities that sum to one in each row, as for one class for each row, and y has "
            "several labels. Pass a multilabel classifier; or, if these are the probabilities of labels, pass its "
            "predict_proba."
        )

    def names_of(self, classes: Array) -> Array | None:
        """Return the labels' names; None where they are counted."""
        return None if np.array_equal(classes, np.arange(len(classes))) else classes

    def predict(self, model: Any, X: Any) -> Array:
        """Return a fitted model's probabilities, shape (n_rows, n_labels)."""
        return self.read(model.predict_proba(X), getattr(model, "classes_", None), type(model).__name__)

    def check_answers(self, values: Any, *, n_rows: int, source: str, n_targets: int | None = None) -> Array:
        """Return probabilities; their sum over a row may be any."""
        proba = check_numbers(values, n_rows=n_rows, source=source)
        if n_targets is not None and proba.shape[1] != n_targets:
            raise ValueError(f"{source} returned {proba.shape[1]} labels; expected {n_targets}.")
        beyond = (proba < -_ROUNDING) | (proba > 1.0 + _ROUNDING)
        if beyond.any():
            row, label = np.argwhere(beyond)[0]
            raise ValueError(
                f"{source} returned {proba[row, label]:.4g} in row {row}, column {label}, which is no probability."
            )
        return proba.clip(0.0, 1.0)

    def missing_out_of_bag(self, values: Array) -> Array:
        """Return the rows without an answer, of which no tree says anything."""
        return np.asarray(np.isnan(values).any(axis=1))

    def columns(
        self, names: Array | None, n_targets: int, y: Array | None, given: ArrayLike | None, y_names: Array | None
    ) -> tuple[Array | None, Array | None]:
        """Return the teacher's names of the labels, and those of y, or else the teacher's, or else 0, 1, ..."""
        own = None if names is None and given is None else np.asarray(given if names is None else names)
        order = next((one for one in (y_names, own) if one is not None), np.arange(n_targets))
        own = order if own is None else own
        self.union([order, own])
        if len(own) != n_targets:
            raise ValueError(
                f"The teacher returned {n_targets} labels, and {len(own)} are named: {listed(own.tolist())}."
            )
        return own, order

    def union(self, several: Sequence[Array]) -> Array:
        """Return the first names; the others must be the same, in whatever order."""
        return NUMBERS.union(several)

    def check_y(self, y: Any, n_rows: int, source: str = "y") -> Array:
        """Return the labels as float64 of shape (n_rows, n_labels): one, zero, or NaN where one is missing."""
        labels = _indicators(y)
        if labels is None:
            raise ValueError(
                f"{source} must be an indicator matrix of shape (n_rows, n_labels): one for a label that a row has, "
                "zero for one that it does not have, NaN for one that is missing."
            )
        if len(labels) != n_rows:
            raise ValueError(f"X has {n_rows} rows and {source} has {len(labels)}; each row needs its labels.")
        return labels

    def y_names(self, y: Any) -> Array | None:
        """Return the names of the labels, where y is a frame."""
        return NUMBERS.y_names(y)

    def check_enough(self, y: Array) -> None:
        """Raise a ValueError where a label is missing, which no teacher can be fitted to."""
        self.for_estimator(y)

    def for_estimator(self, y: Array) -> Array:
        """Return the labels as integers; raise if one is missing."""
        if np.isnan(y).any():
            raise ValueError(
                f"y lacks {int(np.isnan(y).sum())} labels (NaN), and a teacher cannot be fitted to missing labels. Fit "
                "it yourself, to the rows that have all of them, and pass it fitted, with cv=None."
            )
        return y.astype(np.int64)

    def encode(self, y: Array, names: Array | None) -> Array:
        """Return the labels as they are; there must be one for each name."""
        if names is not None and y.shape[1] != len(names):
            raise ValueError(
                f"y has {y.shape[1]} labels, and the teacher returned {len(names)}: {listed(names.tolist())}."
            )
        return y

    encode_known = encode

    def goals(self, labels: Array, n_targets: int) -> Array:
        """Return the labels; a missing one is NaN."""
        return labels

    def constant(self, goals: Array) -> Array:
        """Return the share of each label among the rows where it is known, for each row; half where it is nowhere."""
        known = (~np.isnan(goals)).sum(axis=0)
        share = np.where(known > 0, np.nansum(goals, axis=0) / np.maximum(known, 1), 0.5)
        return np.broadcast_to(share, goals.shape)

    def folds(self, labels: Array, n_folds: int, seed: int) -> Iterator[tuple[Array, Array]]:
        """Yield folds drawn by chance."""
        return KFold(n_folds, shuffle=True, random_state=seed).split(labels)

    def strata(self, labels: Array, share: float) -> Array | None:
        """Return None: labels are not stratified."""
        return None

    def loss(self) -> Loss:
        """Return the binary cross-entropy at temperature 1."""
        return BinaryCrossEntropy()

    def as_loss(self, loss: Loss) -> Loss:
        """Return the binary cross-entropy at the temperature of a cross-entropy."""
        return BinaryCrossEntropy(getattr(loss, "temperature", 1.0))

    def only_labels(self, y: Any, *, n_rows: int, sample_weight: Array | None, loss: Loss, called: str) -> Targets:
        """Return targets of the labels in `y`."""
        if y is None:
            raise ValueError(missing_y(called))
        labels, names = self.check_y(y, n_rows), self.y_names(y)
        if np.isnan(labels).all():
            raise ValueError(f"{called} needs labels; all in y are missing.")
        classes = np.arange(labels.shape[1]) if names is None else names
        return Targets(None, labels, sample_weight, 0.0, loss, task=self, classes=classes)

    def end(self, targets: Targets, terms: Terms) -> Op:
        """Return the logistic function of each label's logit."""
        return Sigmoid()

    def boosted(self) -> Any | None:
        """Return None: scikit-learn boosts trees for one label at a time."""
        return None

    def row_losses(self, goals: Array, values: Array, spread: Array | None = None) -> Array:
        """Return the mean binary cross-entropies over labels; a missing one adds nothing."""
        present, absent = (np.log(np.maximum(one, PROBABILITY_FLOOR)) for one in (values, 1.0 - values))
        return np.nan_to_num(-goals * present - (1.0 - goals) * absent).sum(axis=1) / goals.shape[1]

    def scores(self, labels: Array, values: Array, teacher: Array, weight: Array | None) -> dict[str, float]:
        """Return log-loss and accuracy over known labels, agreement over all, the macro average precision, and so on.

        ``rarest_class`` is the rarest label's mean answer over its rate, among rows where it is known.
        """
        weights = np.ones(len(labels)) if weight is None else weight
        mass = np.where(np.isnan(labels), 0.0, weights[:, None])
        of_label = np.maximum(mass.sum(axis=0), 1e-12)
        rates, means = ((mass * one).sum(axis=0) / of_label for one in (np.nan_to_num(labels), values))
        rarest = int(np.argmin(np.where(rates > 0, rates, np.inf)))
        return {
            "log_loss": self.log_loss(labels, values, weight),
            "accuracy": self.share_equal(labels, values, weight),
            "agreement": self.share_equal(np.where(teacher > 0.5, 1.0, 0.0), values, weight),
            "rarest_class": float(means[rarest] / max(rates[rarest], 1e-12)),
            "average_precision": macro_average_precision(labels, values, weight),
        }

    def log_loss(self, labels: Array, values: Array, weight: Array | None) -> float:
        """Return the mean binary cross-entropy over known labels."""
        weights = np.ones(len(labels)) if weight is None else weight
        n_known = float(weights @ (~np.isnan(labels)).sum(axis=1))
        return float(weights @ self.row_losses(labels, values)) * labels.shape[1] / max(n_known, 1e-12)

    def score(self, labels: Array, values: Array, weight: Array | None) -> float:
        """Return the accuracy that even labels would have: one less the wrong share over four times the variance.

        Of rare labels few are predicted wrongly, by a teacher that has memorised their noise and by students alike.
        """
        rates = self.constant(labels)[0]
        n_known = (~np.isnan(labels)).sum(axis=0)
        spread = 4.0 * float(n_known @ (rates * (1.0 - rates))) / max(1, int(n_known.sum()))
        return max(0.0, 1.0 - (1.0 - self.share_equal(labels, values, weight)) / max(spread, 1e-12))

    def share_equal(self, labels: Array, values: Array, weight: Array | None) -> float:
        """Return the share of the known labels that are predicted."""
        mass = ~np.isnan(labels) * (1.0 if weight is None else weight[:, None])
        return float((mass * ((values > 0.5) == labels)).sum() / max(mass.sum(), 1e-12))

    def votes(self, values: Array) -> Array:
        """Return one of two for each label of each row, shape (n_rows * n_labels, 2)."""
        return np.eye(2)[(values > 0.5).ravel().astype(np.intp)]

    def rescaled(self, values: Array, scale: float) -> Array:
        """Return probabilities whose logits are multiplied by a number."""
        return rescaled_logits(values, scale)

    def usefulness(self, labels: Array, values: Array, weight: Array | None) -> str | None:
        """Return that the teacher is no better than chance, which it must be at every label."""
        found = []
        for label, p in zip(labels.T, values.T, strict=True):
            known = ~np.isnan(label)
            own = None if weight is None else weight[known]
            if not known.any() or (own is not None and not own.any()):
                continue
            index, proba = label[known].astype(np.int64), np.column_stack([1.0 - p, p])[known]
            found.append(CLASSES.usefulness(index, proba, own))
        return f"of the first label, {found[0]}, and of the others likewise" if found and all(found) else None


#: The task of classifiers of several labels.
LABELS = Labels()


def macro_average_precision(y: Array, proba: Array, weight: Array | None = None) -> float:
    """Return the mean over labels of the average precision, among the rows where a label is known.

    Parameters
    ----------
    y : ndarray of shape (n_rows, n_labels)
        One, zero, or NaN where a label is missing. A label that no row has does not count.
    proba : ndarray of shape (n_rows, n_labels)
        The probability of each label.
    weight : ndarray of shape (n_rows,) or None
        Weights of rows.

    Returns
    -------
    precision : float
        NaN where no row has any label.
    """
    found = []
    for label, p in zip(y.T, proba.T, strict=True):
        known = np.flatnonzero(~np.isnan(label) & (True if weight is None else weight > 0))
        if label[known].any():
            own = None if weight is None else weight[known]
            found.append(float(average_precision_score(label[known], p[known], sample_weight=own)))
    return float(np.mean(found)) if found else float("nan")


def task_for(task: Task, y: Any, *, soft: bool = False) -> Task:
    """Return LABELS in the place of CLASSES where y is an indicator matrix, else the task itself.

    Parameters
    ----------
    task : Task
        That of an estimator.
    y : object
        Labels, as the user gave them.
    soft : bool, default=False
        Whether y may hold probabilities: then floats that sum to one in each row are these.
    """
    if type(task) is not Classes:
        return task
    labels = _indicators(y)
    if labels is None:
        return task
    probabilities = soft and np.asarray(y).dtype.kind == "f" and (labels.sum(axis=1) == 1).all()
    return task if probabilities else LABELS


def _indicators(y: Any) -> Array | None:
    """Return an indicator matrix as float64, NaN where a label is missing; None for what is none."""
    y = y.toarray() if sparse.issparse(y) else named_columns(y, None, "y")[0]
    try:
        labels = np.asarray(y)
        if labels.ndim != 2 or labels.shape[1] < 2 or labels.dtype.kind not in "biufO":
            return None
        if labels.dtype == object:
            cells = [np.nan if is_missing(cell) else cell for cell in labels.ravel().tolist()]
            labels = np.array(cells, dtype=np.float64).reshape(labels.shape)
        labels = labels.astype(np.float64)
    except (TypeError, ValueError):
        return None
    return labels if np.isin(labels[~np.isnan(labels)], (0.0, 1.0)).all() else None


def _of_label(proba: Array, classes: Any, called: str) -> Array:
    """Return the probability of one label from a column for each of its values."""
    if classes is None:
        if proba.shape[1] != 2:
            raise ValueError(
                f"{called} answers for a label with {proba.shape[1]} columns; expected two, of its absence and of it."
            )
        return proba[:, 1]
    if not set(np.asarray(classes).tolist()) <= {0, 1}:
        raise ValueError(f"{called} knows a label with the values {listed(list(classes))}; expected 0 and 1.")
    if len(classes) == 1:
        # boosted ensembles have two columns all the same
        return np.full(len(proba), float(classes[0]))
    total = proba.sum(axis=1)
    # a tree that saw no row out of bag says nothing of it; a label that every row or none had has one column
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, proba @ np.asarray(classes, dtype=np.float64) / total, np.nan)
