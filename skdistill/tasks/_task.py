"""Task: everything that depends on the kind of target. A new kind of target is one file with a subclass."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_classifier
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

from ..losses import Loss, Targets, Terms
from ..program import Op

Array = NDArray[Any]

#: What a message says of rows without a label.
UNLABELED = "In fit, rows without a label are passed as X_unlabeled."


class Task:
    """What a target is. Stateless: there is one object of each kind.

    ``values`` are answers of shape (n_rows, n_targets), ``names`` what their columns stand for. Labels are ``y`` in
    the user's form and ``labels`` in the form of :class:`~skdistill.losses.Targets`.
    """

    #: What messages call it, and an estimator of it.
    name: ClassVar[str]
    estimator: ClassVar[str]
    #: The method by which models answer; what fit calls answers that are given beforehand; the default scorer.
    method: ClassVar[str]
    given: ClassVar[str]
    scoring: ClassVar[str]
    #: Whether change points of the target get bins of their own.
    change_points: ClassVar[bool] = False
    #: The attribute with a forest's out-of-bag answers.
    out_of_bag: ClassVar[str]
    #: Whether folds are stratified by y.
    stratified: ClassVar[bool] = False
    #: What the gap between a teacher and models of the labels is measured in, and from where on a teacher is taken
    #: to have memorised its rows.
    gap_in: ClassVar[str]
    memorised_gap: ClassVar[float] = 0.15
    #: The share of one that has memorised noise; None where it falls gradually.
    noisy_share: ClassVar[float | None] = None
    #: Among the scores: the loss that a choice is made by, and the agreement with the teacher.
    loss_name: ClassVar[str]
    fidelity: ClassVar[str]
    #: Factors that temperature scaling tries on the logits; none where there are no logits.
    logit_scales: ClassVar[tuple[float, ...]] = ()
    #: The smallest and the largest factor of the teacher's.
    answer_scales: ClassVar[tuple[float, float] | None] = None
    #: A teacher has seen the labels if it knows more than this share of what they say beyond its answers nearby, or if
    #: its errors have more than this correlation with its move from there.
    memorised_share: ClassVar[float] = math.inf
    memorised_correlation: ClassVar[float] = 0.05

    def __repr__(self) -> str:
        return f"{type(self).__name__.upper()}"

    def __reduce__(self) -> str | tuple[Any, ...]:
        return type(self), ()

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    # teachers and their answers

    def check_teacher(self, model: Any, called: str) -> None:
        """Raise a ValueError where an estimator cannot be a teacher of this task; `called` names it in messages."""
        raise NotImplementedError

    def check_answers(self, values: Any, *, n_rows: int, source: str, n_targets: int | None = None) -> Array:
        """Return answers as float64 of shape (n_rows, n_targets); raise if they are invalid.

        Parameters
        ----------
        values : array-like of shape (n_rows,) or (n_rows, n_targets)
            As a model or the user gave them; names of a frame's columns have been matched already.
        n_rows : int
            How many rows there must be.
        source : str
            Where they come from, for messages: "teacher Ridge".
        n_targets : int or None
            How many columns there must be; None where any number will do.
        """
        raise NotImplementedError

    def predict(self, model: Any, X: Any) -> Array:
        """Return a fitted model's answers, shape (n_rows, n_targets)."""
        values = getattr(model, self.method)(X)
        return values.reshape(len(values), -1)

    def read(self, values: Any, classes: Any, called: str) -> Any:
        """Return a model's answers with a row for each row, given its ``classes_`` and what messages call it."""
        return values

    def names_of(self, classes: Array) -> Array | None:
        """Return what the ``classes_`` of a model say of its answers' columns; None where that is nothing."""
        return classes

    def as_given(self, values: Array) -> Array:
        """Return answers in the shape in which the method of a scikit-learn estimator returns them."""
        return values

    def missing_out_of_bag(self, values: Array) -> Array:
        """Return the rows without an out-of-bag answer, shape (n_rows,): they were in every bag."""
        raise NotImplementedError

    def columns(
        self, names: Array | None, n_targets: int, y: Array | None, given: ArrayLike | None, y_names: Array | None
    ) -> tuple[Array | None, Array | None]:
        """Return what the columns of answers stand for, and the order in which a student gets them.

        Parameters
        ----------
        names : ndarray of shape (n_targets,) or None
            What the teacher says.
        n_targets : int
            How many columns the answers have.
        y : ndarray or None
            Labels, as :meth:`check_y` returns them.
        given : array-like of shape (n_targets,) or None
            What the user says.
        y_names : ndarray of shape (n_targets,) or None
            What y calls its own columns.

        Returns
        -------
        columns, order : (ndarray of shape (n_targets,), ndarray) or None
            None where nobody says; then columns are matched by position.
        """
        raise NotImplementedError

    def units(self, several: Sequence[Any], y: Array | None) -> Array:
        """Return the unit of each model's answers, of which a list of teachers has the mean; shape (n_teachers,).

        Parameters
        ----------
        several : sequence of Answers
            For the labelled rows, one for each model.
        y : ndarray or None
            Labels, as :meth:`check_y` returns them.
        """
        return np.ones(len(several))

    def union(self, several: Sequence[Array]) -> Array:
        """Return all that the columns of several teachers stand for, in the order of their mean's columns."""
        raise NotImplementedError

    # labels

    def check_y(self, y: Any, n_rows: int, source: str = "y") -> Array:
        """Return the labels of rows, checked, in the form of y."""
        raise NotImplementedError

    def y_names(self, y: Any) -> Array | None:
        """Return the names of the columns of y, where it is a frame of several outputs."""
        return None

    def check_enough(self, y: Array) -> None:
        """Raise a ValueError where no teacher can be fitted to these labels."""

    def for_estimator(self, y: Array) -> Array:
        """Return labels as the fit of a scikit-learn estimator takes them."""
        return y

    def encode(self, y: Array, names: Array | None) -> Array:
        """Return labels in the form of Targets."""
        raise NotImplementedError

    def encode_known(self, y: Array, names: Array | None) -> Array:
        """Return labels in the form of Targets, marked as missing where they are not among the names."""
        return self.encode(y, names)

    def goals(self, labels: Array, n_targets: int) -> Array:
        """Return the answers of a model that is always right, shape (n_rows, n_targets)."""
        raise NotImplementedError

    def folds(self, labels: Array, n_folds: int, seed: int) -> Iterator[tuple[Array, Array]]:
        """Yield the rows to fit and those to leave out, for each fold."""
        raise NotImplementedError

    def split(self, labels: Array, share: float, seed: int) -> tuple[Array, Array]:
        """Return the rows to fit and those to hold out, sorted."""
        ((kept, held_out),) = self._splits(labels, share, seed, 1)
        return np.sort(kept), np.sort(held_out)

    def _splits(self, labels: Array, share: float, seed: int, n_splits: int) -> Iterator[tuple[Array, Array]]:
        stratify = self.strata(labels, share)
        splitter = ShuffleSplit if stratify is None else StratifiedShuffleSplit
        return iter(splitter(n_splits, test_size=share, random_state=seed).split(labels, stratify))

    def strata(self, labels: Array, share: float) -> Array | None:
        """Return what a split is stratified by, None for a split by chance alone."""
        return None

    # fitting

    def loss(self) -> Loss:
        """Return the loss of a row, as it is unless the user says otherwise."""
        raise NotImplementedError

    def as_loss(self, loss: Loss) -> Loss:
        """Return the loss of a row, given that of the estimator."""
        return loss

    def targets(
        self,
        values: Array,
        names: Array | None,
        y: Array | None,
        *,
        loss: Loss,
        alpha: float,
        sample_weight: Array | None = None,
    ) -> Targets:
        """Return what a student has to fit.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_targets)
            The teacher's answers, columns in the order of `names`.
        names : ndarray of shape (n_targets,) or None
            What the columns stand for.
        y : ndarray or None
            Labels.
        loss : Loss
            The loss of a row.
        alpha : float
            The weight of the teacher's term.
        sample_weight : ndarray of shape (n_rows,) or None
            Weights.
        """
        labels = None if y is None else self.encode(y, names)
        return Targets(values, labels, sample_weight, alpha, loss, task=self, classes=self.classes(names))

    def classes(self, names: Array | None) -> Array | None:
        """Return the class labels among the names of columns, None where these are no classes."""
        return None

    def only_labels(self, y: Any, *, n_rows: int, sample_weight: Array | None, loss: Loss, called: str) -> Targets:
        """Return targets without a teacher, as a student's own fit has them; `called` names it in messages."""
        raise NotImplementedError

    def end(self, targets: Targets, terms: Terms) -> Op:
        """Return the op that ends the Program: from a student's outputs to answers."""
        raise NotImplementedError

    def boosted(self) -> Any | None:
        """Return the class of boosted trees that know what nets of the labels do not; None if there is none."""
        return None

    # scores

    def is_unknown(self, labels: Array | None) -> bool:
        """Return whether a label or an output is known of no row."""
        return labels is not None and labels.ndim > 1 and bool(np.isnan(labels).all(axis=0).any())

    def constant(self, goals: Array) -> Array:
        """Return what a model answers that knows nothing of rows: the mean of `goals`, in their shape."""
        return np.broadcast_to(np.nanmean(goals, axis=0), goals.shape)

    def row_losses(self, goals: Array, values: Array, spread: Array | None = None) -> Array:
        """Return the loss of each row, shape (n_rows,), linear in `goals` but for what all models share.

        Parameters
        ----------
        goals : ndarray of shape (n_rows, n_targets)
            What a perfect model would answer.
        values : ndarray of shape (n_rows, n_targets)
            What a model answers.
        spread : ndarray of shape (n_targets,) or None
            The standard deviation of each number, of which errors are a share; None takes that of `goals`.
        """
        raise NotImplementedError

    def spread(self, labels: Array) -> Array | None:
        """Return the standard deviation of labels that :meth:`row_losses` measures errors by, NaN left out."""
        return None

    def scores(self, labels: Array, values: Array, teacher: Array, weight: Array | None) -> dict[str, float]:
        """Return the scores of a model against the labels and against the teacher."""
        raise NotImplementedError

    def score(self, labels: Array, values: Array, weight: Array | None) -> float:
        """Return how good answers are, 1 at best: what the gap between teacher and students is taken in."""
        raise NotImplementedError

    def far_ahead(self, students: float, teacher: float, n_rows: int) -> bool:
        """Return whether a teacher's score is above the students' by more than the gap allowed and chance.

        Parameters
        ----------
        students : float
            The score of students of the labels alone on rows that they have not seen.
        teacher : float
            The teacher's on the same rows.
        n_rows : int
            How many rows these are.
        """
        return False

    def share_of_seen(
        self, students: float, teacher: float, n_rows: int, answers: Array, each: Sequence[Array]
    ) -> float:
        """Return the share of a teacher that has seen the labels.

        Parameters
        ----------
        students, teacher : float
            As in :meth:`far_ahead`.
        n_rows : int
            As there.
        answers : ndarray of shape (n_new, n_targets)
            The teacher's answers for new rows; there may be none.
        each : sequence of ndarray of shape (n_new, n_targets)
            The answers of each of the students for these.
        """
        raise NotImplementedError

    def held_out(self, labels: Array, seed: int, n_masks: int = 1) -> Array:
        """Return masks of rows to hold out: a tenth, more of fewer than 1,000; each class in proportion.

        Parameters
        ----------
        labels : ndarray of shape (n_rows,) or (n_rows, n_targets)
            The labels, as in Targets.
        seed : int
            Draws the rows.
        n_masks : int, default=1
            How often they are drawn.

        Returns
        -------
        masks : ndarray of bool of shape (n_masks, n_rows)
            True for the rows to hold out.
        """
        share = float(np.clip(100 / len(labels), 0.1, 0.2))
        masks = np.zeros((n_masks, len(labels)), dtype=bool)
        for mask, (_, held_out) in zip(masks, self._splits(labels, share, seed, n_masks), strict=True):
            mask[held_out] = True
        return masks

    def rescaled(self, values: Array, scale: float) -> Array:
        """Return answers whose logits are multiplied by a number."""
        return values

    def usefulness(self, labels: Array, values: Array, weight: Array | None) -> str | None:
        """Return what is wrong with a teacher that knows less of the labels than a constant; None if nothing is."""
        return None


def has_proba(model: Any) -> bool:
    """Return whether a model has predict_proba, whatever it raises when asked."""
    try:
        return hasattr(model, "predict_proba")
    except Exception:
        # some libraries compute the attribute from state that only fit sets up
        return hasattr(type(model), "predict_proba")


def answers_with_classes(model: Any) -> bool:
    """Return whether a model is a classifier: by its tags, or of one without tags by predict_proba."""
    return is_classifier(model) if hasattr(model, "__sklearn_tags__") else has_proba(model)
