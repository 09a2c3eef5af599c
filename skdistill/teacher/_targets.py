"""From a teacher's answers and the user's labels to what the student has to fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.multiclass import check_classification_targets

from .._validation import label_column
from ..losses import Targets
from ._teachers import Answers, align, unite

Array = NDArray[Any]

#: The label of a row without one, as in scikit-learn's semi-supervised estimators.
UNLABELED = -1


def check_labels(y: Any, n_rows: int) -> Array:
    """Return the labels as an array of shape (n_rows,), refusing what are not class labels.

    Parameters
    ----------
    y : array-like of shape (n_rows,)
        Class labels; -1 may mark a row without one.
    n_rows : int
        How many labels there must be.

    Returns
    -------
    y : ndarray of shape (n_rows,)
        The labels.

    Raises
    ------
    ValueError
        If the labels are continuous, hold NaN, or are not one for each row.
    """
    y = label_column(y)
    if len(y) != n_rows:
        raise ValueError(f"X has {n_rows} rows and y has {len(y)}; each row needs one label (-1 for none).")
    labelled = y
    if y.dtype == object:
        # strings, with -1 between them
        labelled = y[~_equal(y, UNLABELED)]
        if all(isinstance(label, str) for label in labelled):
            labelled = labelled.astype(str)
    if len(labelled):
        check_classification_targets(labelled)
    return y


def is_unlabelled(y: Array, known: Array | None, n_columns: int | None) -> Array:
    """Tell which rows have no label.

    -1 marks such a row, unless it is a class of its own: one that a fitted teacher knows; or, where
    the answers come without labels, one that they have a column for; or, with an unfitted teacher,
    one of at most two labels (the usual coding -1, +1).

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        Labels.
    known : ndarray of shape (n_known,) or None
        The classes of the teacher, where it says them.
    n_columns : int or None
        How many columns the answers have, where they are at hand and say no classes.

    Returns
    -------
    unlabelled : ndarray of shape (n_rows,)
        True where a row has no label.
    """
    marked = _equal(y, UNLABELED)
    if not marked.any():
        return marked
    if known is not None:
        is_class = UNLABELED in known.tolist()
    else:
        others = len(set(y[~marked].tolist()))
        is_class = others + 1 == n_columns if n_columns is not None else others == 1
    return np.zeros(len(y), dtype=bool) if is_class else marked


def _equal(y: Array, label: int) -> Array:
    if y.dtype.kind in "iuf":
        return y == label
    if y.dtype == object:
        return np.array([not isinstance(value, str) and value == label for value in y], dtype=bool)
    return np.zeros(len(y), dtype=bool)


def soft_targets(
    answers: Answers,
    y: Array | None,
    *,
    classes: ArrayLike | None,
    sample_weight: Array | None,
    temperature: float,
    alpha: float | str,
) -> Targets:
    """Blend a teacher's answers with labels, aligned by class label.

    Parameters
    ----------
    answers : Answers
        The teacher's answers.
    y : ndarray of shape (n_rows,) or None
        Labels, -1 for a row without one.
    classes : array-like of shape (n_classes,) or None
        The labels of the answers' columns, where the teacher does not say them.
    sample_weight : ndarray of shape (n_rows,) or None
        Weights.
    temperature : float
        Softens the answers.
    alpha : float or "auto"
        The share of the teacher's term; "auto" is one where there are no labels, else a half.

    Returns
    -------
    targets : Targets
        Columns in sorted order of the class labels.

    Raises
    ------
    ValueError
        If `y` holds a label that the teacher does not know, or the answers' columns cannot be
        told apart.
    """
    answers = name_columns(answers, y, classes)
    assert answers.classes is not None
    order = unite([answers.classes])
    if len(order) < len(answers.classes):
        raise ValueError(f"The teacher's classes are not distinct: {answers.classes.tolist()}.")
    labels = None if y is None else index_labels(y, order)
    # a label of weight zero says nothing
    if labels is not None and (labels[slice(None) if sample_weight is None else sample_weight > 0] < 0).all():
        labels = None
    if isinstance(alpha, str):
        alpha = 1.0 if labels is None else 0.5
    if labels is None and alpha < 1:
        if y is None:
            raise ValueError(
                f"y is None with alpha={alpha}: labels are needed unless alpha=1. (This DistilledClassifier estimator "
                "requires y to be passed, but the target y is None.)"
            )
        if alpha == 0:
            raise ValueError("No row of y has a label, and alpha=0 learns from labels alone.")
    return Targets(order, align(answers, order), labels, sample_weight, float(temperature), float(alpha))


def index_labels(y: Array, classes: Array) -> Array:
    """Return the index of each label among the classes.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        Labels, -1 for a row without one (unless -1 is a class).
    classes : ndarray of shape (n_classes,)
        The classes that the teacher knows.

    Returns
    -------
    labels : ndarray of shape (n_rows,)
        Indices into `classes`, -1 for a row without a label.

    Raises
    ------
    ValueError
        If a label is not among the classes.
    """
    unlabelled = is_unlabelled(y, classes, None)
    position = {label: index for index, label in enumerate(classes.tolist())}
    found = [-1 if skip else position.get(label, -2) for label, skip in zip(y.tolist(), unlabelled, strict=True)]
    labels = np.array(found, dtype=np.int64)
    if (labels == -2).any():
        unknown = sorted(set(y[labels == -2].tolist()), key=str)
        raise ValueError(
            f"y holds {_listed(unknown)}, which the teacher does not know; its classes are {_listed(classes.tolist())}."
        )
    return labels


def name_columns(answers: Answers, y: Array | None, classes: ArrayLike | None) -> Answers:
    """Return answers with the labels of their columns: the teacher's, else those the user gave, else those of y.

    Parameters
    ----------
    answers : Answers
        The teacher's answers.
    y : ndarray of shape (n_rows,) or None
        Labels, -1 for a row without one.
    classes : array-like of shape (n_classes,) or None
        What the user calls the columns.

    Returns
    -------
    answers : Answers
        With `classes`.

    Raises
    ------
    ValueError
        If the columns cannot be told apart.
    """
    if answers.classes is not None:
        return answers
    return Answers(answers.proba, _names(answers.proba.shape[1], y, classes))


def _names(n_columns: int, y: Array | None, classes: ArrayLike | None) -> Array:
    if classes is not None:
        named = np.asarray(classes)
        if named.shape != (n_columns,):
            raise ValueError(
                f"classes has shape {named.shape}; needed is a label for each of the {n_columns} columns of the "
                "teacher's answers."
            )
        return named
    if y is None:
        return np.arange(n_columns)
    seen = np.unique(y[~is_unlabelled(y, None, n_columns)])
    if len(seen) == 0:
        return np.arange(n_columns)
    if len(seen) != n_columns:
        raise ValueError(
            f"The teacher's answers have {n_columns} columns and y has {len(seen)} classes {_listed(seen.tolist())}. "
            "Say which labels the columns stand for: DistilledClassifier(classes=[...])."
        )
    return seen


def _listed(labels: Sequence[Any]) -> str:
    shown = ", ".join(repr(label) for label in labels[:10])
    return f"[{shown}{', ...' if len(labels) > 10 else ''}]"
