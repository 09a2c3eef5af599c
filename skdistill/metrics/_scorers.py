"""Metrics of teacher and student as scorers, for ``scoring=`` and with metadata routing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.metrics import r2_score
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import UNUSED

from ..program import named_columns
from ..tasks import CLASSES, LABELS, NUMBERS, Task, task_of
from ._cost import n_parameters, program_bytes
from ._fidelity import fidelity_log_loss, fidelity_score
from ._retention import as_scorer, retention_score

Array = NDArray[Any]


class _Scorer(BaseEstimator):
    """What the scorers share: the name that they are shown by, and the metric."""

    def __init__(self, name: str, metric: Callable[..., float]) -> None:
        self.name = name
        self.metric = metric

    def __repr__(self) -> str:
        return self.name


class _SizeScorer(_Scorer):
    """A scorer that records a size, whatever the rows; its metric is ``(student) -> float``."""

    def __call__(self, estimator: Any, X: Any = None, y: Any = None) -> float:
        return self.metric(_last_step(estimator, None)[0])


class _TeacherScorer(_Scorer):
    """A scorer that may be routed the teacher's answers and weights.

    Parameters
    ----------
    name : str
        The scorer's repr.
    metric : callable
        ``(task, student, X, y, teacher_pred, sample_weight) -> float``.
    """

    #: scikit-learn makes ``set_score_request`` of this and of the signature of ``score``.
    __metadata_request__score: ClassVar[dict[str, str]] = {"estimator": UNUSED}

    def score(
        self,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        teacher_proba: Any = None,
        teacher_pred: Any = None,
        sample_weight: Any = None,
    ) -> float:
        """Score a fitted estimator; more is better, except for sizes.

        Parameters
        ----------
        estimator : estimator
            A student, a distilled model, or a Pipeline or a search that ends in one.
        X : array-like of shape (n_rows, n_columns)
            The rows to score on.
        y : array-like of shape (n_rows,), default=None
            Their labels, if the metric needs them.
        teacher_proba : array-like of shape (n_rows, n_classes), default=None
            The probabilities of a classifier's teacher. None asks the teacher of a DistilledClassifier.
        teacher_pred : array-like of shape (n_rows,) or (n_rows, n_outputs), default=None
            The predictions of a regressor's teacher. None asks the teacher of a DistilledRegressor.
        sample_weight : array-like of shape (n_rows,), default=None
            Non-negative weights.

        Returns
        -------
        score : float
            The score.

        Raises
        ------
        ValueError
            If the estimator has no teacher and the teacher's answers are not given.
        """
        student, X = _last_step(estimator, X)
        task = task_of(student) or NUMBERS
        given = {"teacher_proba": teacher_proba, "teacher_pred": teacher_pred}[task.given]
        if hasattr(student, "ask_teacher"):
            given = student.ask_teacher(X, **{task.given: given})
        elif given is None:
            raise ValueError(
                f"{self} needs the teacher's answers, and {type(student).__name__} has no teacher. Pass {task.given}= "
                "to the scorer; a search routes it with sklearn.set_config(enable_metadata_routing=True) and "
                f"set_score_request({task.given}=True)."
            )
        names = output_names(student)
        y, names = named_columns(y, names, "y")
        return self.metric(task, student, X, y, named_columns(given, names, task.given)[0], sample_weight)

    __call__ = score

    def _accept_sample_weight(self) -> bool:
        # called by scikit-learn's searches
        return True


def _last_step(estimator: Any, X: Any) -> tuple[Any, Any]:
    """Return the student in a search or a Pipeline, and rows as it gets them."""
    student = getattr(estimator, "best_estimator_", estimator)
    if not isinstance(student, Pipeline):
        return student, X
    return student[-1], X if X is None or len(student) == 1 else student[:-1].transform(X)


def output_names(estimator: Any) -> NDArray[Any] | None:
    """Return what the columns of a fitted model's answers stand for: classes or outputs; None where it has no names."""
    student = _last_step(estimator, None)[0]
    aligned = getattr(student, "_aligned_teacher", None)
    names = getattr(student, "classes_", getattr(aligned, "order", None))
    return None if names is None else np.asarray(names)


def make_fidelity_scorer(metric: str = "fidelity") -> _TeacherScorer:
    """Make a scorer of a student's fidelity to its teacher.

    The scorer calls the teacher of a distilled model on the scored rows; with the model's ``memory=``, once for each
    set of rows. The teacher's predictions may also be routed: after
    ``sklearn.set_config(enable_metadata_routing=True)``, the classifier's ``set_fit_request(teacher_proba=True)`` and
    the scorer's ``set_score_request(teacher_proba=True)``, ``GridSearchCV.fit(X, y, teacher_proba=...)`` passes each of
    them the predictions for its rows. For a regressor the name is ``teacher_pred``.

    Parameters
    ----------
    metric : {"fidelity", "neg_fidelity_log_loss"}, default="fidelity"
        :func:`fidelity_score`, or :func:`fidelity_log_loss` with the sign reversed. For a regressor "fidelity" is R2
        against the teacher's predictions; for a multilabel target it is the fraction of equal labels.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y)``, for ``scoring=``; more is better.

    Raises
    ------
    ValueError
        If there is no such metric.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.model_selection import cross_val_score
    >>> from skdistill import DistilledClassifier
    >>> from skdistill.metrics import make_fidelity_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DistilledClassifier(RandomForestClassifier(random_state=0).fit(X, y), student="linear", alpha=1)
    >>> bool(cross_val_score(model, X, y, scoring=make_fidelity_scorer(), cv=3).mean() > 0.9)
    True
    """
    if metric not in _FIDELITY:
        raise ValueError(f"metric must be 'fidelity' or 'neg_fidelity_log_loss'; got {metric!r}.")
    return _TeacherScorer(f"make_fidelity_scorer({metric!r})", partial(_fidelity, metric))


def label_fidelity(teacher: Array, student: Array, sample_weight: Any = None) -> float:
    """Return the share of equal labels of two models' probabilities of several labels, shape (n_rows, n_labels)."""
    return LABELS.share_equal(
        LABELS.loss().likeliest(np.asarray(teacher)), np.asarray(student), _weights(sample_weight)
    )


def label_divergence(teacher: Array, student: Array, sample_weight: Any = None) -> float:
    """Return the mean over rows and labels of the Kullback-Leibler divergence from the teacher, in nats."""
    teacher, student = np.asarray(teacher), np.asarray(student)
    lost = LABELS.row_losses(teacher, student) - LABELS.row_losses(teacher, teacher)
    return float(np.average(lost, weights=_weights(sample_weight)))


def _weights(sample_weight: Any) -> Array | None:
    return None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)


_FIDELITY: dict[str, dict[Task, Callable[..., Any]]] = {
    "fidelity": {CLASSES: fidelity_score, LABELS: label_fidelity, NUMBERS: r2_score},
    "neg_fidelity_log_loss": {CLASSES: fidelity_log_loss, LABELS: label_divergence},
}


def _fidelity(metric: str, task: Task, student: Any, X: Any, y: Any, teacher_pred: Any, sample_weight: Any) -> float:
    if task not in _FIDELITY[metric]:
        raise ValueError(f"metric={metric!r} needs probabilities, and {type(student).__name__} is a {task.estimator}.")
    student_pred = getattr(student, task.method)(X)
    score = float(_FIDELITY[metric][task](teacher_pred, student_pred, sample_weight=sample_weight))
    return -score if metric.startswith("neg_") else score


def make_retention_scorer(scoring: str | Callable[..., Any] = "accuracy") -> _TeacherScorer:
    """Make a scorer of retention, the student's score divided by the teacher's.

    The teacher's predictions are obtained as in :func:`make_fidelity_scorer`.

    Parameters
    ----------
    scoring : str or callable, default="accuracy"
        As in :func:`retention_score`; for a regressor "r2", for example.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y)``, for ``scoring=``; more is better.

    Raises
    ------
    ValueError
        If there is no such scorer.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skdistill import DistilledClassifier
    >>> from skdistill.metrics import make_retention_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DistilledClassifier(RandomForestClassifier(random_state=0), student="linear", alpha=1)
    >>> bool(make_retention_scorer("neg_log_loss")(model.fit(X, y), X, y) > 0)
    True
    """
    # fail before a search starts
    as_scorer(scoring)
    return _TeacherScorer(f"make_retention_scorer({scoring!r})", partial(_retention, scoring))


def _retention(
    scoring: str | Callable[..., Any], task: Task, student: Any, X: Any, y: Any, teacher_pred: Any, sample_weight: Any
) -> float:
    options: dict[str, Any] = {"classes": getattr(student, "classes_", None), "sample_weight": sample_weight}
    student_pred = getattr(student, task.method)(X)
    return retention_score(y, teacher_pred, student_pred, scoring=scoring, response_method=task.method, **options)


def make_size_scorer(size: str = "bytes") -> _SizeScorer:
    """Make a scorer that records a student's size beside other scores, for ``skdistill.smallest_within``.

    Parameters
    ----------
    size : {"bytes", "parameters"}, default="bytes"
        :func:`program_bytes` or :func:`n_parameters`, of the last step of a Pipeline.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y)``, for ``scoring={"accuracy": "accuracy", "bytes": make_size_scorer()}``. Less
        is better, so a search must not maximise it.

    Raises
    ------
    ValueError
        If there is no such size.

    Examples
    --------
    >>> from skdistill import LinearStudent
    >>> from skdistill.metrics import make_size_scorer
    >>> X, y = [[0.0], [1.0], [2.0]], [0, 1, 1]
    >>> make_size_scorer("parameters")(LinearStudent().fit(X, y), X, y)
    2
    """
    sizes = {"bytes": program_bytes, "parameters": n_parameters}
    if size not in sizes:
        raise ValueError(f"size must be 'bytes' or 'parameters'; got {size!r}.")
    return _SizeScorer(f"make_size_scorer({size!r})", sizes[size])
