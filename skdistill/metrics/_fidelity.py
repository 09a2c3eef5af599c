"""How well a student's probabilities follow the teacher's, and how far probabilities are to be believed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._validation import check_proba, check_weights, label_column
from ..program import as_key, is_missing

Array = NDArray[Any]

#: What a student's probability is held to before its logarithm is taken, as in scikit-learn's log_loss.
_FLOOR = float(np.finfo(np.float64).eps)


class WorstSlice(NamedTuple):
    """The slice on which student and teacher agree least.

    Parameters
    ----------
    value : object
        The label or the category; None for missing cells.
    n_rows : int
        Its rows.
    agreement : float
        The share of them on which both name the same class.
    """

    value: Any
    n_rows: int
    agreement: float


def fidelity_score(
    teacher_proba: ArrayLike, student_proba: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> float:
    """Return the agreement of student and teacher: the share of rows on which both name the same class.

    Parameters
    ----------
    teacher_proba : array-like of shape (n_rows, n_classes)
        The teacher's probabilities.
    student_proba : array-like of shape (n_rows, n_classes)
        The student's, with columns in the same order.
    sample_weight : array-like of shape (n_rows,), default=None
        Non-negative weights.

    Returns
    -------
    agreement : float
        Between 0 and 1. Of classes that are equally probable the first one counts as named.

    Raises
    ------
    ValueError
        If the shapes differ, or a row is not made of probabilities.

    Examples
    --------
    >>> from skdistill.metrics import fidelity_score
    >>> fidelity_score([[0.9, 0.1], [0.4, 0.6]], [[0.7, 0.3], [0.6, 0.4]])
    0.5
    """
    teacher, student = _checked_pair(teacher_proba, student_proba)
    return float(np.average(_agrees(teacher, student), weights=check_weights(sample_weight, teacher)))


def fidelity_log_loss(
    teacher_proba: ArrayLike,
    student_proba: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    floor: float = _FLOOR,
) -> float:
    """Return the Kullback-Leibler divergence of the student's answers from the teacher's.

    Per row ``sum(teacher * (log(teacher) - log(student)))``: what the teacher's answer costs one who
    believes the student's (Kullback and Leibler, 1951), and the first term of the distillation loss at
    temperature 1. Of a teacher that is sure it is scikit-learn's ``log_loss``.

    Parameters
    ----------
    teacher_proba : array-like of shape (n_rows, n_classes)
        The teacher's probabilities; zeros add nothing.
    student_proba : array-like of shape (n_rows, n_classes)
        The student's, with columns in the same order.
    sample_weight : array-like of shape (n_rows,), default=None
        Non-negative weights.
    floor : float, default=2.220446049250313e-16
        What the student's probabilities are held to or above, since zero has no logarithm; as in
        scikit-learn's ``log_loss``.

    Returns
    -------
    divergence : float
        The mean over rows, in nats; 0 for equal answers.

    Raises
    ------
    ValueError
        If the shapes differ, a row is not made of probabilities, or `floor` is not above 0 and below 1.

    Examples
    --------
    >>> from skdistill.metrics import fidelity_log_loss
    >>> round(fidelity_log_loss([[0.5, 0.5]], [[0.75, 0.25]]), 4)
    0.1438
    """
    if not 0 < floor < 1:
        raise ValueError(f"floor must be above 0 and below 1; got {floor!r}.")
    teacher, student = _checked_pair(teacher_proba, student_proba)
    logarithms = np.log(np.where(teacher > 0, teacher, 1.0)) - np.log(np.maximum(student, floor))
    return float(np.average((teacher * logarithms).sum(axis=1), weights=check_weights(sample_weight, teacher)))


def expected_calibration_error(
    y_true: ArrayLike,
    proba: ArrayLike,
    *,
    classes: ArrayLike | None = None,
    n_bins: int = 15,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Return by how much a model's confidence misses its accuracy, in the mean.

    Rows are binned by the probability of the class that is named, in bins of equal width; of each bin the
    mean confidence is compared with the share of hits (Naeini, Cooper and Hauskrecht, 2015; Guo and
    others, 2017, https://arxiv.org/abs/1706.04599).

    Parameters
    ----------
    y_true : array-like of shape (n_rows,)
        The labels.
    proba : array-like of shape (n_rows, n_classes)
        The answers of a student or a teacher.
    classes : array-like of shape (n_classes,), default=None
        The labels of the columns. None takes the sorted labels of `y_true`.
    n_bins : int, default=15
        The bins between 0 and 1; a confidence on an edge belongs to the bin below.
    sample_weight : array-like of shape (n_rows,), default=None
        Non-negative weights.

    Returns
    -------
    error : float
        Between 0 and 1; 0 where confidence and accuracy agree in every bin.

    Raises
    ------
    ValueError
        If labels, answers and classes do not go together.

    Examples
    --------
    >>> from skdistill.metrics import expected_calibration_error
    >>> round(expected_calibration_error([0, 1, 1, 1], [[0.8, 0.2]] + 3 * [[0.2, 0.8]]), 2)
    0.2
    """
    if isinstance(n_bins, bool) or not isinstance(n_bins, int | np.integer) or n_bins < 1:
        raise ValueError(f"n_bins must be a positive int; got {n_bins!r}.")
    y = label_column(y_true)
    proba = check_proba(proba, n_rows=len(y), n_classes=None, source="proba")
    named = labels_of(y, proba.shape[1], classes)[proba.argmax(axis=1)]
    confidence = proba.max(axis=1)
    weight = check_weights(sample_weight, proba)
    weight = np.ones(len(y)) if weight is None else weight
    bins = np.clip(np.ceil(confidence * n_bins).astype(np.intp) - 1, 0, n_bins - 1)
    gaps = np.bincount(bins, weights=weight * ((named == y) - confidence), minlength=n_bins)
    return float(np.abs(gaps).sum() / weight.sum())


def slice_agreement(teacher_proba: ArrayLike, student_proba: ArrayLike, by: ArrayLike) -> dict[Any, tuple[int, float]]:
    """Return the agreement of student and teacher on each slice of the rows.

    Parameters
    ----------
    teacher_proba : array-like of shape (n_rows, n_classes)
        The teacher's probabilities.
    student_proba : array-like of shape (n_rows, n_classes)
        The student's, with columns in the same order.
    by : array-like of shape (n_rows,)
        What the rows are sliced by: their labels, or a column of categories. Each value is a slice, so
        numbers want binning first; missing cells are a slice of their own, None.

    Returns
    -------
    slices : dict of object to (int, float)
        For each value its rows and their :func:`fidelity_score`, the largest slice first.

    Raises
    ------
    ValueError
        If the shapes do not go together, or a row is not made of probabilities.

    Examples
    --------
    >>> from skdistill.metrics import slice_agreement
    >>> teacher, student = [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]], [[0.7, 0.3], [0.6, 0.4], [0.3, 0.7]]
    >>> slice_agreement(teacher, student, by=["Oslo", "Lima", "Lima"])
    {'Lima': (2, 0.5), 'Oslo': (1, 1.0)}
    """
    teacher, student = _checked_pair(teacher_proba, student_proba)
    agrees = _agrees(teacher, student)
    column = np.asarray(by)
    if column.shape != (len(agrees),):
        raise ValueError(f"by has shape {column.shape}; needed is one value for each of the {len(agrees)} rows.")
    codes: dict[Any, int] = {}
    index = np.empty(len(column), dtype=np.intp)
    for row, value in enumerate(column.tolist()):
        index[row] = codes.setdefault(None if is_missing(value) else as_key(value), len(codes))
    counts = np.bincount(index, minlength=len(codes))
    hits = np.bincount(index, weights=agrees, minlength=len(codes))
    slices = [(value, (int(counts[at]), float(hits[at] / counts[at]))) for value, at in codes.items()]
    return dict(sorted(slices, key=lambda one: -one[1][0]))


def worst_slice_agreement(
    teacher_proba: ArrayLike, student_proba: ArrayLike, by: ArrayLike, *, min_rows: int = 30
) -> WorstSlice:
    """Return the slice of the rows on which student and teacher agree least.

    Parameters
    ----------
    teacher_proba : array-like of shape (n_rows, n_classes)
        The teacher's probabilities.
    student_proba : array-like of shape (n_rows, n_classes)
        The student's, with columns in the same order.
    by : array-like of shape (n_rows,)
        What the rows are sliced by, as in :func:`slice_agreement`.
    min_rows : int, default=30
        Smaller slices say too little and are passed over.

    Returns
    -------
    worst : WorstSlice
        Its ``value``, ``n_rows`` and ``agreement``.

    Raises
    ------
    ValueError
        If no slice has `min_rows` rows, or as :func:`slice_agreement`.

    Examples
    --------
    >>> from skdistill.metrics import worst_slice_agreement
    >>> teacher, student = [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]], [[0.7, 0.3], [0.6, 0.4], [0.3, 0.7]]
    >>> worst_slice_agreement(teacher, student, by=["Oslo", "Lima", "Lima"], min_rows=1)
    WorstSlice(value='Lima', n_rows=2, agreement=0.5)
    """
    slices = slice_agreement(teacher_proba, student_proba, by)
    enough = [WorstSlice(value, *figures) for value, figures in slices.items() if figures[0] >= min_rows]
    if not enough:
        largest = next(iter(slices.values()))[0]
        raise ValueError(f"No slice has min_rows={min_rows} rows; the largest of {len(slices)} has {largest}.")
    return min(enough, key=lambda one: one.agreement)


def labels_of(y: Array, n_classes: int, classes: ArrayLike | None) -> Array:
    """Return the labels of the columns of answers, and refuse labels of rows that are not among them.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        The labels of the rows.
    n_classes : int
        How many columns there are.
    classes : array-like of shape (n_classes,) or None
        Their labels; None for the sorted labels of `y`.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        The labels.
    """
    seen = np.unique(y)
    if classes is None:
        if len(seen) != n_classes:
            raise ValueError(
                f"The answers have {n_classes} columns and y_true holds {len(seen)} classes; say in classes= which "
                "labels the columns stand for."
            )
        return seen
    named = np.asarray(classes)
    if named.shape != (n_classes,):
        raise ValueError(f"classes has shape {named.shape}; needed is a label for each of the {n_classes} columns.")
    unknown = [label for label in seen.tolist() if label not in named.tolist()]
    if unknown:
        raise ValueError(f"y_true holds the labels {unknown}, which are not among classes={named.tolist()}.")
    return named


def _checked_pair(teacher_proba: ArrayLike, student_proba: ArrayLike) -> tuple[Array, Array]:
    n_rows = len(np.asarray(teacher_proba))
    if n_rows == 0:
        raise ValueError("teacher_proba holds no rows; needed is at least one.")
    teacher = check_proba(teacher_proba, n_rows=n_rows, n_classes=None, source="teacher_proba")
    return teacher, check_proba(student_proba, n_rows=n_rows, n_classes=teacher.shape[1], source="student_proba")


def _agrees(teacher: Array, student: Array) -> Array:
    return teacher.argmax(axis=1) == student.argmax(axis=1)
