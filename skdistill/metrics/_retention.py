"""What a student keeps of its teacher's score: any metric of scikit-learn's, asked of answers that are there."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import get_scorer, make_scorer

from .._validation import check_proba, check_weights, is_loss, label_column, takes_proba, with_labels
from ._fidelity import labels_of

Array = NDArray[Any]


class _AnswersClassifier(ClassifierMixin, BaseEstimator):
    """A classifier that has answered already."""

    def __init__(self, proba: Array, classes: Array) -> None:
        self.proba = proba
        self.classes_ = classes

    def predict_proba(self, X: Any) -> Array:
        return self.proba

    def predict(self, X: Any) -> Array:
        return self.classes_[self.proba.argmax(axis=1)]


class _AnswersRegressor(RegressorMixin, BaseEstimator):
    """A model that has predicted already."""

    def __init__(self, prediction: Array) -> None:
        self.prediction = prediction

    def predict(self, X: Any) -> Array:
        return self.prediction


def retention_score(
    y_true: ArrayLike,
    teacher_answer: ArrayLike,
    student_answer: ArrayLike,
    *,
    metric: str | Callable[..., Any] = "accuracy",
    response_method: str = "predict_proba",
    classes: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Return the student's score over the teacher's, by any metric of scikit-learn's.

    At 1 the student is as good as its teacher, above 1 better, and below 1 worse, for losses as well:
    of a loss ("neg_log_loss", "neg_mean_squared_error") it is the teacher's loss over the student's.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,)
        Labels, or the values that a regressor predicts.
    teacher_answer, student_answer : array-like of shape (n_rows, n_classes) or (n_rows,)
        What `response_method` says.
    metric : str or callable, default="accuracy"
        The name of a scorer (``sklearn.metrics.get_scorer_names()``), a scorer made by ``make_scorer``,
        or a function ``(y_true, y_pred)`` of labels or predictions of which more is better, which is taken as
        ``make_scorer(metric)`` takes it.
    response_method : {"predict_proba", "predict"}, default="predict_proba"
        What the answers are: probabilities, from which a metric that asks for labels gets the most probable
        ones; or labels or values as ``predict`` returns them, which a metric of probabilities cannot use.
    classes : array-like of shape (n_classes,), default=None
        The labels of the probabilities' columns. None takes the sorted labels of `y_true`.
    sample_weight : array-like of shape (n_rows,), default=None
        Non-negative weights, for a metric that takes them.

    Returns
    -------
    retention : float
        The ratio. Of a score it is NaN, with an UndefinedMetricWarning, where the teacher's is zero or below, of
        which no share can be kept. Of a loss it is 1 where both are zero, infinite where the student's
        alone is, and 0 where the teacher's alone is.

    Raises
    ------
    ValueError
        If labels, answers and classes do not go together, or the metric needs another kind of answers.

    Examples
    --------
    >>> from skdistill.metrics import retention_score
    >>> teacher, student = [[0.9, 0.1], [0.2, 0.8]], [[0.8, 0.2], [0.6, 0.4]]
    >>> retention_score([0, 1], teacher, student)
    0.5
    >>> round(retention_score([0, 1], teacher, student, metric="neg_log_loss"), 3)
    0.288
    >>> retention_score([1.0, 3.0], [1.0, 3.0], [1.5, 2.5], metric="r2", response_method="predict")
    0.75
    """
    answers = (teacher_answer, student_answer)
    teacher, student = (
        answer_score(y_true, answer, metric, response_method, classes, sample_weight, source)
        for answer, source in zip(answers, ("teacher_answer", "student_answer"), strict=True)
    )
    return ratio(teacher, student, loss=is_loss(as_scorer(metric)))


def ratio(teacher: float, student: float, *, loss: bool) -> float:
    """Return what a student keeps, given both scores, as scorers return them: those of losses are negative.

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
            f"The teacher's score is {teacher:.4g}, of which no share can be kept: retention is NaN.",
            UndefinedMetricWarning,
            stacklevel=3,
        )
        return float("nan")
    return student / teacher


def as_scorer(metric: str | Callable[..., Any]) -> Any:
    """Return the scorer that a metric stands for: a name's, itself, or that of a function of labels."""
    if isinstance(metric, str):
        return get_scorer(metric)
    if not callable(metric):
        raise ValueError(f"metric must be the name of a scorer, a scorer or a metric function; got {metric!r}.")
    return metric if hasattr(metric, "set_score_request") else make_scorer(metric)


def answer_score(
    y_true: ArrayLike,
    answer: ArrayLike,
    metric: str | Callable[..., Any],
    response_method: str = "predict_proba",
    classes: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    source: str = "answer",
) -> float:
    """Return what scikit-learn's scorer would give a model with these answers.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,)
        Labels, or the values that a regressor predicts.
    answer : array-like of shape (n_rows, n_classes) or (n_rows,)
        The answers.
    metric, response_method, classes, sample_weight : object
        As in :func:`retention_score`.
    source : str
        What messages call them.

    Returns
    -------
    score : float
        With losses negative.

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
    scorer = as_scorer(metric)
    if response_method not in ("predict", "predict_proba"):
        raise ValueError(f"response_method must be 'predict_proba' or 'predict'; got {response_method!r}.")
    model: Any
    if response_method == "predict":
        if takes_proba(scorer):
            raise ValueError(
                f"metric={metric!r} takes probabilities; give the answers of predict_proba, with "
                "response_method='predict_proba'."
            )
        y, predicted = np.asarray(y_true), np.asarray(answer)
        if predicted.shape != y.shape:
            raise ValueError(
                f"{source} has shape {predicted.shape}; what predict returns for y_true has the shape {y.shape}."
            )
        model = _AnswersRegressor(predicted)
    else:
        y = label_column(y_true)
        if np.ndim(answer) == 1:
            raise ValueError(
                f"{source} has shape {np.shape(answer)}; probabilities have the shape (n_rows, n_classes). Of labels "
                "or values that predict returns, say response_method='predict'."
            )
        proba = check_proba(answer, n_rows=len(y), n_classes=None, source=source)
        model = _AnswersClassifier(proba, labels_of(y, proba.shape[1], classes))
        if np.any(model.classes_[:-1] > model.classes_[1:]):
            # scikit-learn's metrics take columns in the order of the sorted labels
            order = np.argsort(model.classes_)
            model = _AnswersClassifier(proba[:, order], model.classes_[order])
        scorer = with_labels(scorer, model.classes_)
    weight = check_weights(sample_weight, y)
    given = {} if weight is None else {"sample_weight": weight}
    return float(scorer(model, np.zeros((len(y), 1)), y, **given))
