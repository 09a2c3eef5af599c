"""Retention: the student's score over the teacher's, by any of scikit-learn's scorers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import get_scorer, make_scorer

from .._checks import check_weights, label_column
from .._sklearn import is_loss, takes_proba, with_labels
from ..program import named_columns
from ..tasks import CLASSES, LABELS, macro_average_precision, task_for
from ._fidelity import labelled, named_pair

Array = NDArray[Any]


class _Classifier(ClassifierMixin, BaseEstimator):
    """A classifier whose rows are its probabilities, for scikit-learn's scorers to ask."""

    def __init__(self, classes: Array) -> None:
        self.classes_ = classes

    def predict_proba(self, X: Array) -> Array:
        return X

    def predict(self, X: Array) -> Array:
        return self.classes_[X.argmax(axis=1)]


class _Indicator(_Classifier):
    """A classifier of several labels whose rows are their probabilities."""

    def predict(self, X: Array) -> Array:
        return (X > 0.5).astype(np.int64)


class _Regressor(RegressorMixin, BaseEstimator):
    """A model whose rows are its predictions."""

    def predict(self, X: Array) -> Array:
        return X


def retention_score(
    y_true: ArrayLike,
    teacher_answer: ArrayLike,
    student_answer: ArrayLike,
    *,
    scoring: str | Callable[..., Any] = "accuracy",
    response_method: str = "predict_proba",
    classes: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Return the student's score divided by the teacher's, for any scikit-learn scorer.

    1 means as good as the teacher, more than 1 better, less than 1 worse. This holds for losses too: for "neg_log_loss"
    or "neg_mean_squared_error" the retention is the teacher's loss divided by the student's.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,) or (n_rows, n_labels)
        Labels, or target values of a regressor; or a multilabel indicator matrix, with NaN for missing labels. For a
        multilabel target, "average_precision" is the mean over the labels that occur, "neg_log_loss" is the mean binary
        cross-entropy, and other scorers do not accept missing labels.
    teacher_answer, student_answer : array-like of shape (n_rows, n_classes) or (n_rows,)
        Probabilities or predictions, according to `response_method`. Columns of frames are matched by name.
    scoring : str or callable, default="accuracy"
        The name of a scorer (``sklearn.metrics.get_scorer_names()``), a scorer made by ``make_scorer``,
        or a function ``(y_true, y_pred)`` of labels or predictions where more is better, which is passed to
        ``make_scorer``.
    response_method : {"predict_proba", "predict"}, default="predict_proba"
        The method of the models that returned the arrays. A scorer that needs labels gets the most probable class; a
        scorer that needs probabilities cannot use the results of ``predict``.
    classes : array-like of shape (n_classes,), default=None
        The labels of the probabilities' columns. None takes the sorted labels of `y_true`.
    sample_weight : array-like of shape (n_rows,), default=None
        Non-negative weights, for a scorer that takes them.

    Returns
    -------
    retention : float
        The ratio. For a score it is NaN, with an UndefinedMetricWarning, if the teacher's score is not positive. For a
        loss it is 1 if both losses are zero, infinite if only the student's is, and 0 if only the teacher's is.

    Raises
    ------
    ValueError
        If the shapes of labels, predictions and classes do not match, or the scorer needs probabilities and
        `response_method` is "predict".

    Examples
    --------
    >>> from skdistill.metrics import retention_score
    >>> teacher, student = [[0.9, 0.1], [0.2, 0.8]], [[0.8, 0.2], [0.6, 0.4]]
    >>> retention_score([0, 1], teacher, student)
    0.5
    >>> round(retention_score([0, 1], teacher, student, scoring="neg_log_loss"), 3)
    0.288
    >>> retention_score([1.0, 3.0], [1.0, 3.0], [1.5, 2.5], scoring="r2", response_method="predict")
    0.75
    """
    answers: tuple[Any, Any] = (teacher_answer, student_answer)
    sources = ("teacher_answer", "student_answer")
    if response_method == "predict":
        y_true, names = named_columns(y_true, None, "y_true")
        answers = named_pair(*answers, names, sources)[:2]
    teacher, student = (
        answer_score(y_true, answer, scoring, response_method, classes, sample_weight, source)
        for answer, source in zip(answers, sources, strict=True)
    )
    return retention_ratio(teacher, student, loss=is_loss(as_scorer(scoring)))


def retention_ratio(teacher: float, student: float, *, loss: bool) -> float:
    """Return the retention for two scores as scorers return them, where losses are negative.

    Parameters
    ----------
    teacher, student : float
        The scores.
    loss : bool
        Whether they are losses with the sign turned.

    Returns
    -------
    retention : float
        As in :func:`retention_score`.
    """
    if loss:
        if student == 0:
            return 1.0 if teacher == 0 else float("inf")
        return teacher / student
    if teacher <= 0:
        warnings.warn(
            f"The teacher's score is {teacher:.4g}, which is not above zero: retention is NaN.",
            UndefinedMetricWarning,
            stacklevel=3,
        )
        return float("nan")
    return student / teacher


def as_scorer(scoring: str | Callable[..., Any]) -> Any:
    """Return a scorer for the name of one, a scorer, or a metric function of labels or predictions."""
    if isinstance(scoring, str):
        return get_scorer(scoring)
    if not callable(scoring):
        raise TypeError(f"scoring must be the name of a scorer, a scorer or a metric function; got {scoring!r}.")
    return scoring if hasattr(scoring, "set_score_request") else make_scorer(scoring)


def answer_score(
    y_true: ArrayLike,
    answer: ArrayLike,
    scoring: str | Callable[..., Any],
    response_method: str = "predict_proba",
    classes: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    source: str = "answer",
) -> float:
    """Return the score that a scikit-learn scorer gives a model with these predictions.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,)
        Labels, or target values of a regressor.
    answer : array-like of shape (n_rows, n_classes) or (n_rows,)
        Probabilities or predictions, according to `response_method`.
    scoring, response_method, classes, sample_weight : object
        As in :func:`retention_score`.
    source : str, default="answer"
        The name of the predictions in messages.

    Returns
    -------
    score : float
        Losses are negative.

    Raises
    ------
    ValueError
        As :func:`retention_score`.

    Examples
    --------
    >>> from skdistill.metrics import answer_score
    >>> answer_score(["no", "yes"], [[0.9, 0.1], [0.6, 0.4]], "accuracy")
    0.5
    """
    scorer = as_scorer(scoring)
    if response_method not in ("predict", "predict_proba"):
        raise ValueError(f"response_method must be 'predict_proba' or 'predict'; got {response_method!r}.")
    model: Any
    if response_method == "predict":
        if takes_proba(scorer):
            raise ValueError(
                f"scoring={scoring!r} needs probabilities: give the answers of predict_proba, with "
                "response_method='predict_proba'."
            )
        y_true, names = named_columns(y_true, None, "y_true")
        y, rows = np.asarray(y_true), np.asarray(named_columns(answer, names, source)[0])
        if rows.shape != y.shape:
            raise ValueError(f"{source} has shape {rows.shape}; expected the shape of y_true, {y.shape}.")
        model = _Regressor()
    elif task_for(CLASSES, y_true) == LABELS:
        return _score_of_labels(y_true, answer, scoring, scorer, classes, sample_weight, source)
    else:
        y = label_column(y_true)
        if np.ndim(answer) == 1:
            raise ValueError(
                f"{source} has shape {np.shape(answer)}; probabilities have shape (n_rows, n_classes). For labels or "
                "values from predict, pass response_method='predict'."
            )
        proba, named = labelled(y, answer, classes, source)
        # scikit-learn's metrics take columns in the order of the sorted labels
        order = np.argsort(named)
        rows, model = proba[:, order], _Classifier(named[order])
        scorer = with_labels(scorer, model.classes_)
    weight = check_weights(sample_weight, y)
    given = {} if weight is None else {"sample_weight": weight}
    return float(scorer(model, rows, y, **given))


def _score_of_labels(
    y_true: Any, answer: Any, scoring: Any, scorer: Any, classes: Any, sample_weight: Any, source: str
) -> float:
    """Return the score of a model of several labels, those that are missing left out."""
    y, names = named_columns(y_true, None if classes is None else np.asarray(classes), "y_true")
    proba = named_columns(answer, names, source)[0]
    y = LABELS.check_y(y, len(y_true) if isinstance(y_true, list) else y_true.shape[0], "y_true")
    proba = LABELS.check_answers(proba, n_rows=len(y), source=source, n_targets=y.shape[1])
    weight = check_weights(sample_weight, y)
    if scoring == "neg_log_loss":
        # scikit-learn's would take labels for classes
        return -LABELS.log_loss(y, proba, weight)
    if scoring == "average_precision":
        return macro_average_precision(y, proba, weight)
    if np.isnan(y).any():
        raise ValueError(
            f"y_true lacks labels (NaN), which scoring={scoring!r} cannot leave out: use 'average_precision' or "
            "'neg_log_loss', or rows that have all labels."
        )
    given = {} if weight is None else {"sample_weight": weight}
    return float(scorer(_Indicator(np.arange(y.shape[1])), proba, y.astype(np.int64), **given))
