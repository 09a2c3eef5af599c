"""Metrics of teacher and student as scorers, for ``scoring=`` and with metadata routing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from numpy.typing import NDArray
from sklearn.metrics import r2_score
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import MetadataRequest

from .._validation import is_loss, routing_enabled
from ._cost import n_parameters, program_bytes
from ._fidelity import fidelity_log_loss, fidelity_score
from ._retention import answer_score, as_scorer, ratio

Array = NDArray[Any]


#: What may be routed to a scorer that needs the teacher's answers.
_METADATA = ("sample_weight", "teacher_proba", "teacher_pred")


class _Scorer:
    """A scorer ``(estimator, X, y)`` that may be routed the teacher's answers and weights.

    Parameters
    ----------
    name : str
        What it is called when it is shown.
    score : callable
        ``(student, X, y, told, sample_weight) -> float``, with what the teacher told.
    asks : bool
        Whether it needs the teacher's answers, and so takes metadata.
    """

    def __init__(self, name: str, score: Callable[..., float], *, asks: bool = True) -> None:
        self._name = name
        self._score = score
        self._asks = asks
        self._requests: dict[str, bool | str | None] = dict.fromkeys(_METADATA if asks else ())

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
        """Return the score of a fitted estimator, as a number of which more is better, sizes aside.

        Parameters
        ----------
        estimator : estimator
            A student, a distilled model, or a Pipeline or a search that ends in one.
        X : array-like of shape (n_rows, n_columns)
            The rows scored.
        y : array-like of shape (n_rows,), default=None
            Their labels, where the metric needs them.
        teacher_proba : array-like of shape (n_rows, n_classes), default=None
            The answers of a teacher of classes. None asks the teacher of a DistilledClassifier.
        teacher_pred : array-like of shape (n_rows,) or (n_rows, n_outputs), default=None
            The answers of a teacher of numbers. None asks the teacher of a DistilledRegressor.
        sample_weight : array-like of shape (n_rows,), default=None
            Non-negative weights.

        Returns
        -------
        score : float
            The score.
        """
        student = getattr(estimator, "best_estimator_", estimator)
        if isinstance(student, Pipeline):
            if self._asks and len(student) > 1:
                X = student[:-1].transform(X)
            student = student[-1]
        if not self._asks:
            return self._score(student)
        given = {"teacher_proba": teacher_proba} if _says_proba(student) else {"teacher_pred": teacher_pred}
        return self._score(student, X, y, _teacher_answers(self, student, X, given), sample_weight)

    def set_score_request(self, **requests: bool | str | None) -> _Scorer:
        """Say which metadata the scorer is to be routed.

        Parameters
        ----------
        **requests : bool, str or None
            For ``teacher_proba`` and ``sample_weight``: True, False, None or the name under which it is passed.

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
                "set_score_request is there when metadata routing is enabled: "
                "sklearn.set_config(enable_metadata_routing=True)."
            )
        if unknown := sorted(requests.keys() - self._requests.keys()):
            raise TypeError(f"{self} takes no {', '.join(unknown)}; it takes {', '.join(self._requests) or 'nothing'}.")
        self._requests |= requests
        return self

    def get_metadata_routing(self) -> MetadataRequest:
        """Return which metadata the scorer asks for, as scikit-learn's own scorers do.

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
        # asked by scikit-learn's searches
        return self._asks


def _says_proba(student: Any) -> bool:
    return hasattr(student, "predict_proba")


def _teacher_answers(scorer: _Scorer, student: Any, X: Any, given: dict[str, Any]) -> Any:
    if hasattr(student, "ask_teacher"):
        return student.ask_teacher(X, **given)
    ((name, answers),) = given.items()
    if answers is None:
        raise ValueError(
            f"{scorer} needs the teacher's answers, and {type(student).__name__} has no teacher. Pass {name}= "
            "to the scorer; a search routes it with sklearn.set_config(enable_metadata_routing=True) and "
            f"set_score_request({name}=True)."
        )
    return answers


def make_fidelity_scorer(metric: str = "fidelity") -> _Scorer:
    """Make a scorer of how closely a student follows its teacher.

    The teacher of a distilled model is asked about the rows scored; with its ``memory=`` once for each
    set of rows. Or its answers are routed: with ``sklearn.set_config(enable_metadata_routing=True)``,
    ``set_fit_request(teacher_proba=True)`` of the classifier and ``set_score_request(teacher_proba=True)``
    of the scorer, ``GridSearchCV.fit(X, y, teacher_proba=...)`` hands each its rows. (Of a regressor it is
    ``teacher_pred``.)

    Parameters
    ----------
    metric : {"fidelity", "neg_fidelity_log_loss"}, default="fidelity"
        :func:`fidelity_score`, or :func:`fidelity_log_loss` with the sign turned. Of a regressor "fidelity" is
        R2 against the teacher's answers.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y)``, for ``scoring=``; more is better.

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


def _fidelity(metric: str, student: Any, X: Any, y: Any, told: Any, sample_weight: Any) -> float:
    if not _says_proba(student):
        if metric != "fidelity":
            raise ValueError(f"metric={metric!r} is of probabilities, and {type(student).__name__} predicts numbers.")
        return float(r2_score(told, student.predict(X), sample_weight=sample_weight))
    proba = student.predict_proba(X)
    if metric == "fidelity":
        return fidelity_score(told, proba, sample_weight=sample_weight)
    return -fidelity_log_loss(told, proba, sample_weight=sample_weight)


def make_retention_scorer(metric: str | Callable[..., Any] = "accuracy") -> _Scorer:
    """Make a scorer of what a student keeps of its teacher's score.

    Where the teacher's answers come from is as in :func:`make_fidelity_scorer`.

    Parameters
    ----------
    metric : str or callable, default="accuracy"
        As in :func:`retention_score`; of a regressor "r2", for example.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y)``, for ``scoring=``; more is better.

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
    # a metric that does not exist is found before a search starts
    as_scorer(metric)
    return _Scorer(f"make_retention_scorer({metric!r})", partial(_retention, metric))


def _retention(metric: str | Callable[..., Any], student: Any, X: Any, y: Any, told: Any, sample_weight: Any) -> float:
    if _says_proba(student):
        said, given = student.predict_proba(X), {"classes": student.classes_}
    else:
        said, given = student.predict(X), {"response_method": "predict"}
    teacher, kept = (answer_score(y, answer, metric, sample_weight=sample_weight, **given) for answer in (told, said))
    return ratio(teacher, kept, loss=is_loss(as_scorer(metric)))


def make_size_scorer(size: str = "bytes") -> _Scorer:
    """Make a scorer that records a student's size beside other scores, for ``skdistill.smallest_within``.

    Parameters
    ----------
    size : {"bytes", "parameters"}, default="bytes"
        :func:`program_bytes` or :func:`n_parameters`, of the last step of a Pipeline.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y)``, for ``scoring={"accuracy": "accuracy", "bytes": make_size_scorer()}``. The
        smaller the better: not for a search to make the most of.

    Examples
    --------
    >>> from skdistill import LinearStudent
    >>> from skdistill.metrics import make_size_scorer
    >>> X, y = [[0.0], [1.0], [2.0]], [0, 1, 1]
    >>> make_size_scorer("parameters")(LinearStudent().fit(X, y), X, y)
    2
    """
    if size not in ("bytes", "parameters"):
        raise ValueError(f"size must be 'bytes' or 'parameters'; got {size!r}.")
    return _Scorer(
        f"make_size_scorer({size!r})", {"bytes": program_bytes, "parameters": n_parameters}[size], asks=False
    )
