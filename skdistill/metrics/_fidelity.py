"""Fidelity of a student's probabilities to the teacher's, and their calibration."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import check_proba, check_weights, label_column
from ..program import as_key, is_missing, named_columns

Array = NDArray[Any]

#: The floor of a student's probability before its logarithm is taken, as in scikit-learn's log_loss.
_FLOOR = float(np.finfo(np.float64).eps)


class WorstSlice(NamedTuple):
    """The slice on which student and teacher agree least.

    Parameters
    ----------
    value : object
        The label or the category; None for missing cells.
    n_rows : int
        The number of its rows.
    agreement : float
        The fraction of these rows on which both predict the same class.

    Examples
    --------
    >>> from skdistill.metrics import worst_slice_agreement
    >>> teacher, student = [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]], [[0.7, 0.3], [0.6, 0.4], [0.3, 0.7]]
    >>> worst = worst_slice_agreement(teacher, student, by=["Oslo", "Lima", "Lima"], min_rows=1)
    >>> worst.value, worst.n_rows, worst.agreement
    ('Lima', 2, 0.5)
    """

    value: Any
    n_rows: int
    agreement: float


def fidelity_score(
    teacher_proba: ArrayLike, student_proba: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> float:
    """Return the agreement of student and teacher: the fraction of rows on which both predict the same class.

    Parameters
    ----------
    teacher_proba : array-like of shape (n_rows, n_classes)
        The teacher's probabilities.
    student_proba : array-like of shape (n_rows, n_classes)
        The student's probabilities, with columns in the same order; columns of two frames are matched by name.
    sample_weight : array-like of shape (n_rows,), default=None
        Non-negative weights.

    Returns
    -------
    agreement : float
        Between 0 and 1. If classes are equally probable, the first one counts as predicted.

    Raises
    ------
    ValueError
        If the shapes differ, or a row does not hold probabilities.

    Examples
    --------
    >>> from skdistill.metrics import fidelity_score
    >>> fidelity_score([[0.9, 0.1], [0.4, 0.6]], [[0.7, 0.3], [0.6, 0.4]])
    0.5
    """
    teacher, student, _ = proba_pair(teacher_proba, student_proba)
    return float(np.average(_agrees(teacher, student), weights=check_weights(sample_weight, teacher)))


def fidelity_log_loss(
    teacher_proba: ArrayLike,
    student_proba: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    floor: float = _FLOOR,
) -> float:
    """Return the Kullback-Leibler divergence of the student's probabilities from the teacher's.

    For each row it is ``sum(teacher * (log(teacher) - log(student)))`` (Kullback and Leibler, 1951), which is
    the first term of the distillation loss at temperature 1. If the teacher's probabilities are all zero or one,
    it equals scikit-learn's ``log_loss`` with the teacher's classes as labels.

    Parameters
    ----------
    teacher_proba : array-like of shape (n_rows, n_classes)
        The teacher's probabilities; zeros add nothing.
    student_proba : array-like of shape (n_rows, n_classes)
        The student's probabilities, with columns in the same order; columns of two frames are matched by name.
    sample_weight : array-like of shape (n_rows,), default=None
        Non-negative weights.
    floor : float, default=2.220446049250313e-16
        Lower probabilities of the student are raised to this, since zero has no logarithm; as in
        scikit-learn's ``log_loss``.

    Returns
    -------
    divergence : float
        The mean over rows, in nats; 0 for equal probabilities.

    Raises
    ------
    ValueError
        If the shapes differ, a row does not hold probabilities, or `floor` is not between 0 and 1.

    Examples
    --------
    >>> from skdistill.metrics import fidelity_log_loss
    >>> round(fidelity_log_loss([[0.5, 0.5]], [[0.75, 0.25]]), 4)
    0.1438
    """
    if not 0 < floor < 1:
        raise ValueError(f"floor must be above 0 and below 1; got {floor!r}.")
    teacher, student, _ = proba_pair(teacher_proba, student_proba)
    logarithms = np.log(np.where(teacher > 0, teacher, 1.0)) - np.log(np.maximum(student, floor))
    return float(np.average((teacher * logarithms).sum(axis=1), weights=check_weights(sample_weight, teacher)))


def expected_calibration_error(
    y_true: ArrayLike,
    proba: ArrayLike,
    *,
    classes: ArrayLike | None = None,
    n_bins: int = 15,
    classwise: bool = False,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Return the expected calibration error: the mean distance between a model's confidence and its accuracy.

    Rows are binned by the probability of the predicted class, in bins of equal width. For each bin the mean confidence
    is compared with the accuracy, and the bins' distances are averaged by their number of rows (Naeini, Cooper and
    Hauskrecht, 2015; Guo et al., 2017, https://arxiv.org/abs/1706.04599).

    Parameters
    ----------
    y_true : array-like of shape (n_rows,)
        The labels.
    proba : array-like of shape (n_rows, n_classes)
        The probabilities of a student or a teacher.
    classes : array-like of shape (n_classes,), default=None
        The labels of the columns; columns of a frame are matched by them. None uses the sorted labels of `y_true` or,
        if there are fewer labels than columns, the column names of a frame.
    n_bins : int, default=15
        The number of bins between 0 and 1. A confidence on an edge belongs to the bin below.
    classwise : bool, default=False
        Whether to compare the probability of every class with its rate, instead of that of the predicted class with the
        accuracy. The error is then the mean over the classes (Kull et al., 2019, https://arxiv.org/abs/1910.12656).
        This also reveals errors in the probabilities of a class that is rarely predicted.
    sample_weight : array-like of shape (n_rows,), default=None
        Non-negative weights.

    Returns
    -------
    error : float
        Between 0 and 1; 0 if confidence and accuracy agree in every bin.

    Raises
    ------
    ValueError
        If the shapes of labels, probabilities and classes do not match, or `n_bins` is not a positive int.

    Examples
    --------
    >>> from skdistill.metrics import expected_calibration_error
    >>> round(expected_calibration_error([0, 1, 1, 1], [[0.8, 0.2]] + 3 * [[0.2, 0.8]]), 2)
    0.2
    """
    if isinstance(n_bins, bool) or not isinstance(n_bins, int | np.integer) or n_bins < 1:
        raise ValueError(f"n_bins must be a positive int; got {n_bins!r}.")
    y = label_column(y_true)
    values, labels = labelled(y, proba, classes, "proba")
    weight = check_weights(sample_weight, values)
    weight = np.ones(len(y)) if weight is None else weight

    def error(confidence: Array, happened: Array) -> float:
        bins = np.clip(np.ceil(confidence * n_bins).astype(np.intp) - 1, 0, n_bins - 1)
        differences = np.bincount(bins, weights=weight * (happened - confidence), minlength=n_bins)
        return float(np.abs(differences).sum() / weight.sum())

    if classwise:
        return float(np.mean([error(own, y == label) for own, label in zip(values.T, labels, strict=True)]))
    return error(values.max(axis=1), labels[values.argmax(axis=1)] == y)


def slice_agreement(teacher_proba: ArrayLike, student_proba: ArrayLike, by: ArrayLike) -> dict[Any, tuple[int, float]]:
    """Return the agreement of student and teacher on each slice of the rows.

    Parameters
    ----------
    teacher_proba : array-like of shape (n_rows, n_classes)
        The teacher's probabilities.
    student_proba : array-like of shape (n_rows, n_classes)
        The student's probabilities, with columns in the same order; columns of two frames are matched by name.
    by : array-like of shape (n_rows,)
        The labels of the rows, or a categorical column. Each value is a slice, so bin numbers first. Missing cells form
        the slice None.

    Returns
    -------
    slices : dict of object to (int, float)
        For each value, the number of rows and their :func:`fidelity_score`; the largest slice comes first.

    Raises
    ------
    ValueError
        If the shapes do not match, or a row does not hold probabilities.

    Examples
    --------
    >>> from skdistill.metrics import slice_agreement
    >>> teacher, student = [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]], [[0.7, 0.3], [0.6, 0.4], [0.3, 0.7]]
    >>> slice_agreement(teacher, student, by=["Oslo", "Lima", "Lima"])
    {'Lima': (2, 0.5), 'Oslo': (1, 1.0)}
    """
    teacher, student, _ = proba_pair(teacher_proba, student_proba)
    agrees = _agrees(teacher, student)
    column = np.asarray(by)
    if column.shape != (len(agrees),):
        raise ValueError(f"by has shape {column.shape}; expected one value for each of the {len(agrees)} rows.")
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
        The student's probabilities, with columns in the same order; columns of two frames are matched by name.
    by : array-like of shape (n_rows,)
        The labels of the rows, or a categorical column, as in :func:`slice_agreement`.
    min_rows : int, default=30
        Smaller slices are skipped.

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


def labelled(y: Array, proba: Any, classes: ArrayLike | None, source: str) -> tuple[Array, Array]:
    """Return probabilities and the labels of their columns, and check that these include all labels of the rows.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        The labels of the rows.
    proba : array-like or frame of shape (n_rows, n_classes)
        The probabilities.
    classes : array-like of shape (n_classes,) or None
        The labels of the columns; None for the sorted labels of `y`, or the names of a frame.
    source : str
        What messages call the probabilities.

    Returns
    -------
    proba : ndarray of shape (n_rows, n_classes)
        The probabilities, checked.
    labels : ndarray of shape (n_classes,)
        The labels of their columns.

    Raises
    ------
    ValueError
        If there is not one label for each column, or a row has another label.
    """
    seen = np.unique(y)
    known = np.asarray(classes) if classes is not None else seen if np.shape(proba)[-1:] == seen.shape else None
    values, named = named_columns(proba, known, source)
    values = check_proba(values, n_rows=len(y), n_classes=None, source=source)
    n_classes = values.shape[1]
    if named is None:
        raise ValueError(
            f"There are {n_classes} columns of probabilities and y_true holds {len(seen)} classes; give the "
            "columns' labels in classes=."
        )
    if named.shape != (n_classes,):
        raise ValueError(f"classes has shape {named.shape}; expected a label for each of the {n_classes} columns.")
    unknown = [label for label in seen.tolist() if label not in named.tolist()]
    if unknown:
        raise ValueError(f"y_true holds the labels {unknown}, which are not among classes={named.tolist()}.")
    return values, named


def named_pair(
    teacher: Any,
    student: Any,
    known: ArrayLike | None = None,
    sources: tuple[str, str] = ("teacher_proba", "student_proba"),
) -> tuple[Any, Any, Array | None]:
    """Return a teacher's and a student's answers with columns in one order, and what these stand for.

    Parameters
    ----------
    teacher, student : array-like or frame
        Frames are matched by the names of their columns, arrays by position.
    known : array-like of shape (n_targets,) or None
        What the columns stand for; None takes the names of the teacher's, or else of the student's.
    sources : (str, str)
        What messages call both.

    Raises
    ------
    ValueError
        If names contradict each other.
    """
    names = None if known is None else np.asarray(known)
    teacher, names = named_columns(teacher, names, sources[0])
    student, names = named_columns(student, names, sources[1])
    return teacher, student, names


def proba_pair(teacher: Any, student: Any, known: ArrayLike | None = None) -> tuple[Array, Array, Array | None]:
    """Return a teacher's and a student's probabilities as :func:`named_pair` does, checked, in float64."""
    teacher, student, names = named_pair(teacher, student, known)
    n_rows = len(np.asarray(teacher))
    if n_rows == 0:
        raise ValueError("teacher_proba holds no rows; expected at least one.")
    teacher = check_proba(teacher, n_rows=n_rows, n_classes=None, source="teacher_proba")
    return teacher, check_proba(student, n_rows=n_rows, n_classes=teacher.shape[1], source="student_proba"), names


def _agrees(teacher: Array, student: Array) -> Array:
    return teacher.argmax(axis=1) == student.argmax(axis=1)
