"""Metrics of teacher and student as scorers, for ``scoring=`` and with metadata routing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sklearn.metrics import r2_score
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import MetadataRequest

from .._sklearn import is_loss, routing_enabled
from ._cost import n_parameters, program_bytes
from ._fidelity import fidelity_log_loss, fidelity_score
from ._retention import answer_score, as_scorer, retention_ratio

#: The metadata that a scorer of teacher and student may be routed.
_METADATA = ("sample_weight", "teacher_proba", "teacher_pred")


class _Scorer:
    """A scorer ``(estimator, X, y)`` that may be routed the teacher's answers and weights.

    Parameters
    ----------
    name : str
        The scorer's repr.
    score : callable
        ``(student, X, y, teacher_pred, sample_weight) -> float``, or ``(student) -> float`` if the teacher
        is not needed.
    needs_teacher : bool, default=True
        Whether the scorer needs the teacher's answers, and so takes metadata.
    """

    def __init__(self, name: str, score: Callable[..., float], *, needs_teacher: bool = True) -> None:
        self._name = name
        self._score = score
        self._needs_teacher = needs_teacher
        self._requests: dict[str, bool | str | None] = dict.fromkeys(_METADATA if needs_teacher else ())

    def __repr__(self) -> str:
        return self._name

    def __call__(
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
        student = getattr(estimator, "best_estimator_", estimator)
        if isinstance(student, Pipeline):
            if self._needs_teacher and len(student) > 1:
                X = student[:-1].transform(X)
            student = student[-1]
        if not self._needs_teacher:
            return self._score(student)
        name, given = ("teacher_proba", teacher_proba) if _is_classifier(student) else ("teacher_pred", teacher_pred)
        if hasattr(student, "ask_teacher"):
            given = student.ask_teacher(X, **{name: given})
        elif given is None:
            raise ValueError(
                f"{self} needs the teacher's answers, and {type(student).__name__} has no teacher. Pass {name}= "
                "to the scorer; a search routes it with sklearn.set_config(enable_metadata_routing=True) and "
                f"set_score_request({name}=True)."
            )
        return self._score(student, X, y, given, sample_weight)

    def set_score_request(self, **requests: bool | str | None) -> _Scorer:
        """Say which metadata the scorer is to be routed.

        Parameters
        ----------
        **requests : bool, str or None
            For ``teacher_proba``, ``teacher_pred`` and ``sample_weight``: True, False, None or the name under
            which it is passed.

        Returns
        -------
        self : scorer
            This scorer.

        Raises
        ------
        RuntimeError
            If metadata routing is not enabled.
        TypeError
            If the scorer takes no such metadata.
        """
        if not routing_enabled():
            raise RuntimeError(
                "set_score_request needs metadata routing: sklearn.set_config(enable_metadata_routing=True)."
            )
        if unknown := sorted(requests.keys() - self._requests.keys()):
            raise TypeError(f"{self} takes no {', '.join(unknown)}; it takes {', '.join(self._requests) or 'nothing'}.")
        self._requests |= requests
        return self

    def get_metadata_routing(self) -> MetadataRequest:
        """Return the metadata that the scorer requests, as scikit-learn's own scorers do.

        Returns
        -------
        request : MetadataRequest
            For the method ``score``.
        """
        request = MetadataRequest(owner=self)
        for param, alias in self._requests.items():
            request.score.add_request(param=param, alias=alias)
        return request

    def _accept_sample_weight(self) -> bool:
        # called by scikit-learn's searches
        return self._needs_teacher


def _is_classifier(student: Any) -> bool:
    return hasattr(student, "predict_proba")


def make_fidelity_scorer(metric: str = "fidelity") -> _Scorer:
    """Make a scorer of how closely a student follows its teacher.

    The scorer asks the teacher of a distilled model about the rows scored; with the model's ``memory=`` it does
    so once for each set of rows. The teacher's answers may also be routed: after
    ``sklearn.set_config(enable_metadata_routing=True)``, the classifier's ``set_fit_request(teacher_proba=True)``
    and the scorer's ``set_score_request(teacher_proba=True)``, ``GridSearchCV.fit(X, y, teacher_proba=...)``
    passes each of them the answers for its rows. For a regressor the name is ``teacher_pred``.

    Parameters
    ----------
    metric : {"fidelity", "neg_fidelity_log_loss"}, default="fidelity"
        :func:`fidelity_score`, or :func:`fidelity_log_loss` with the sign turned. For a regressor "fidelity" is
        R2 against the teacher's predictions.

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
    if metric not in ("fidelity", "neg_fidelity_log_loss"):
        raise ValueError(f"metric must be 'fidelity' or 'neg_fidelity_log_loss'; got {metric!r}.")
    return _Scorer(f"make_fidelity_scorer({metric!r})", partial(_fidelity, metric))


def _fidelity(metric: str, student: Any, X: Any, y: Any, teacher_pred: Any, sample_weight: Any) -> float:
    if not _is_classifier(student):
        if metric != "fidelity":
            raise ValueError(f"metric={metric!r} needs probabilities, and {type(student).__name__} is a regressor.")
        return float(r2_score(teacher_pred, student.predict(X), sample_weight=sample_weight))
    proba = student.predict_proba(X)
    if metric == "fidelity":
        return fidelity_score(teacher_pred, proba, sample_weight=sample_weight)
    return -fidelity_log_loss(teacher_pred, proba, sample_weight=sample_weight)


def make_retention_scorer(scoring: str | Callable[..., Any] = "accuracy") -> _Scorer:
    """Make a scorer of retention, the student's score over the teacher's.

    The teacher's answers are obtained as in :func:`make_fidelity_scorer`.

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
    return _Scorer(f"make_retention_scorer({scoring!r})", partial(_retention, scoring))


def _retention(
    scoring: str | Callable[..., Any], student: Any, X: Any, y: Any, teacher_pred: Any, sample_weight: Any
) -> float:
    if _is_classifier(student):
        student_pred, options = student.predict_proba(X), {"classes": student.classes_}
    else:
        student_pred, options = student.predict(X), {"response_method": "predict"}
    teacher_score, student_score = (
        answer_score(y, pred, scoring, sample_weight=sample_weight, **options) for pred in (teacher_pred, student_pred)
    )
    return retention_ratio(teacher_score, student_score, loss=is_loss(as_scorer(scoring)))


def make_size_scorer(size: str = "bytes") -> _Scorer:
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
    return _Scorer(f"make_size_scorer({size!r})", sizes[size], needs_teacher=False)
