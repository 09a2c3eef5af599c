"""DistilledRanker: a compact student that ranks the rows of a query like a slow ranker."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from joblib import Memory
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.model_selection import GroupKFold, check_cv

from .._checks import check_numbers, check_rows, missing_y, query_numbers
from .._sklearn import Interval, fit_context, take_params, take_rows
from ..losses import ListwiseCrossEntropy, Loss, SquaredError
from ..metrics import ndcg
from ..model import on_partitions
from ..student import make_student, traits_of
from ..tasks import RANKS
from ..teacher import QUERIES, asks_for_fit
from ._base import Distiller
from ._story import check, fit_student

Array = NDArray[Any]


class DistilledRanker(Distiller):
    """A compact student that ranks the rows of a query like a slow ranker.

    The student learns the teacher's scores together with graded labels. Within each query, a softmax turns scores into
    a distribution over the rows; labels y become a distribution in proportion to their gains ``2**y - 1``. The student
    minimises, as a mean over rows, the sum over queries of::

        alpha * T**2 * KL(teacher_T || student_T) + (1 - alpha) * CE(gains, student)

    Only differences within a query count. The teacher's scores are first divided by the mean of their standard
    deviations within queries, so that T means the same for every teacher; the student's scores are on this scale.
    Students that learn row by row (trees, and models of other libraries) minimise squared errors to the scores and the
    labels, both centred within queries.

    A fitted teacher is used as it is, also after ``clone`` and within GridSearchCV. An unfitted one is cloned and
    fitted; a ranker of LightGBM, XGBoost or CatBoost gets its queries. The folds of `cv` and the rows that a net holds
    out for early stopping consist of whole queries. No synthetic rows are made.

    Parameters
    ----------
    teacher : estimator, callable or list of these, default=None
        A ranker or a regressor, fitted or not; a callable that maps rows to scores, where the highest ranks first; or a
        list of these, whose scores are averaged after division by the mean of their standard deviations within queries.
        None if ``teacher_pred`` is passed to ``fit``.
    student : {"additive", "linear", "mlp", "tree"} or estimator, default="mlp"
        The model to fit: a LinearStudentRegressor ("linear"; "additive" is one with ``numeric="piecewise"``), an
        MLPStudentRegressor ("mlp"), a TreeStudentRegressor ("tree"), or an instance, whose parameters can be searched
        as ``student__hidden_layer_sizes``. The instance may also be any other regressor, or a Pipeline that ends in a
        regressor; such a student has no Program.
    temperature : float, default=1.0
        Softens teacher and student in the first term. Above 1, the order of the lower rows counts more.
    alpha : float, default=0.8
        Weight of the teacher's term, from 0 to 1. At 1 no labels are needed; at 0 the student learns from the labels
        only.
    cv : int, cross-validation generator, iterable, "oob", "prefit" or None, default=None
        How the teacher's scores are obtained. None: from the teacher as it is, which may have seen the rows. An int or
        a generator: by cross-fitting, where clones of the teacher are fitted on folds of whole queries and each scores
        the rows that it has not seen. "oob": the out-of-bag predictions of a forest that was fitted on these rows, in
        this order, with ``oob_score=True``. "prefit": from a fitted teacher that has not seen the rows.
    teacher_weights : sequence of float, default=None
        Weights of the teachers in a list; None weights them equally.
    memory : str or joblib.Memory, default=None
        Cache for fitted teachers and their predictions. With it, a grid search over alpha calls the teacher once per
        fold.
    random_state : int, RandomState instance or None, default=None
        Passed to a student whose own `random_state` is None.
    verbose : int, default=0
        If 1, show the progress of the student.

    Attributes
    ----------
    student_ : estimator
        The fitted student, a regressor of its own. If a model of another library was adapted, that model is its
        ``estimator_``.
    teacher_ : estimator, callable, list or None
        The teacher that made the predictions: the one that was passed if it was fitted, else its fitted clone. With
        ``teacher_pred``, the one that was passed.
    program_ : Program
        The student's Program; ``program_(X)`` is ``predict`` without input validation and returns shape (n_rows, 1). An
        adapted student has none.
    alpha_ : float
        The weight of the teacher's term.
    distillation_report_ : dict
        What the fit did, with the same keys as for DistilledRegressor. Nothing is chosen, so it has no scores.
    n_features_in_ : int
        Number of columns seen in fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if all of them are strings.

    See Also
    --------
    DistilledRegressor : The same for regressors.
    skdistill.metrics.ndcg, skdistill.metrics.rank_correlation : Quality of a ranking, and its similarity to the
        teacher's.

    References
    ----------
    Cao, Qin, Liu, Tsai and Li (2007), "Learning to Rank: From Pairwise Approach to Listwise Approach",
    https://doi.org/10.1145/1273496.1273513.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill import DistilledRanker
    >>> rng = np.random.default_rng(0)
    >>> X, qid = rng.normal(size=(300, 3)), np.repeat(np.arange(30), 10)
    >>> y = np.digitize(X[:, 0] - X[:, 1], [0.0, 2.0])
    >>> model = DistilledRanker(lambda X: X[:, 0] - X[:, 1], student="linear").fit(X, y, qid=qid)
    >>> print(model.score(X, y, qid=qid) > 0.95)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        name: allowed
        for name, allowed in Distiller._parameter_constraints.items()
        if name not in ("augment", "label_ensemble", "monotonic_cst", "n_jobs")
    } | {
        "alpha": [Interval(Real, 0, 1, closed="both")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
    }

    _task = RANKS
    # a new row would be of no query
    augment = 0
    label_ensemble = 0
    n_jobs = None
    # a student may have its own
    monotonic_cst = None

    def __init__(
        self,
        teacher: Any = None,
        *,
        student: Any = "mlp",
        temperature: float = 1.0,
        alpha: float = 0.8,
        cv: Any = None,
        teacher_weights: Any = None,
        memory: str | Memory | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.teacher = teacher
        self.student = student
        self.temperature = temperature
        self.alpha = alpha
        self.cv = cv
        self.teacher_weights = teacher_weights
        self.memory = memory
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: Any,
        y: ArrayLike | None = None,
        *,
        qid: ArrayLike | None = None,
        group: ArrayLike | None = None,
        teacher_pred: ArrayLike | None = None,
        **fit_params: Any,
    ) -> DistilledRanker:
        """Obtain the teacher's scores and fit the student to them and to the labels.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Raw rows. The teacher gets them as they are, but sorted by query; the student encodes them itself.
        y : array-like of shape (n_rows,), default=None
            Graded relevance, zero or more. May be None if the teacher is fitted and `alpha` is 1.
        qid : array-like of shape (n_rows,), default=None
            The id of each row's query. The rows of a query need not be adjacent.
        group : array-like of shape (n_queries,), default=None
            The number of rows of each query, for rows sorted by query; instead of `qid`.
        teacher_pred : array-like of shape (n_rows,), default=None
            Precomputed scores of the teacher.
        **fit_params : dict
            Further arguments for the ``fit`` of a teacher that is fitted here and of its clones on folds.

        Returns
        -------
        self : DistilledRanker
            The fitted model.

        Raises
        ------
        ValueError
            If rows, labels, queries or the teacher's scores are invalid; the message says which and where.

        Warns
        -----
        UserWarning
            If the scores of a fitted teacher are negatively correlated with the labels.
        """
        X = X.tocsr() if sparse.issparse(X) else X if hasattr(X, "shape") else check_rows(self, X, reset=True)
        n_rows = X.shape[0]
        queries = query_numbers(qid, group, n_rows)
        if queries.max(initial=0) == 0:
            raise ValueError("All rows are of one query; expected at least two. One order of all: DistilledRegressor.")
        table = np.column_stack([self._labels(y, n_rows, given=teacher_pred is not None), queries])
        folds = self._folds(X, table, teacher_pred)
        if teacher_pred is not None:
            teacher_pred = check_numbers(teacher_pred, n_rows=n_rows, source=self._task.given)
        if (np.diff(queries) < 0).any() and self.cv != "oob":
            order = np.argsort(queries, kind="stable")
            place = np.argsort(order)
            fit_params = take_params(X, fit_params, indices=order)
            X, table = take_rows(X, order), table[order]
            teacher_pred = None if teacher_pred is None else teacher_pred[order]
            folds = folds and [(np.sort(place[seen]), np.sort(place[unseen])) for seen, unseen in folds]
        request = check(self, X, table, given=teacher_pred, X_unlabeled=None, sample_weight=None, fit_params=fit_params)
        params = [{**own, QUERIES: table[:, 1].astype(np.int64)} for own in request.params]
        request = replace(request, params=params, cv=request.cv if folds is None else folds)
        return fit_student(self, request)

    def _labels(self, y: Any, n_rows: int, *, given: bool) -> Array:
        """Return the labels, checked; NaN where there are none."""
        if y is None:
            fits = asks_for_fit(self.teacher) and not given
            if self.alpha != 1 or fits or self.cv not in (None, "prefit"):
                reason = "labels are needed unless alpha=1, and to fit a teacher"
                raise ValueError(missing_y(type(self).__name__, f"y is None with alpha={self.alpha}; {reason}. "))
            return np.full(n_rows, np.nan)
        labels = check_numbers(y, n_rows=n_rows, source="y")
        if labels.shape[1] != 1:
            raise ValueError(f"y has {labels.shape[1]} columns; expected one label for each row.")
        if (labels < 0).any():
            raise ValueError(f"y holds graded relevance, zero or more; got {labels.min():g}.")
        return labels[:, 0]

    def _folds(self, X: Any, table: Array, given: Any) -> list[tuple[Array, Array]] | None:
        """Return the folds that a teacher is cross-fitted on, of whole queries."""
        if self.cv is None or isinstance(self.cv, str) or given is not None:
            return None
        labels, queries = table.T
        cv = GroupKFold(self.cv) if isinstance(self.cv, Integral) else check_cv(self.cv)
        folds = [(np.asarray(seen), np.asarray(unseen)) for seen, unseen in cv.split(X, labels, queries)]
        for seen, unseen in folds:
            if np.intersect1d(queries[seen], queries[unseen]).size:
                raise ValueError(f"cv={self.cv!r} splits queries; use an int, or a splitter of groups: GroupKFold().")
        return folds

    def _loss(self) -> Loss:
        student = make_student(self.student, self._task)
        if traits_of(student).listwise:
            return ListwiseCrossEntropy(float(self.temperature))
        if self.temperature != 1:
            raise ValueError(
                f"temperature={self.temperature} with student {self.student!r}, which learns scores row by row. Set "
                "temperature=1, or use a linear student or a net."
            )
        return SquaredError()

    def ask_teacher(self, X: Any, *, teacher_pred: ArrayLike | None = None) -> Array:
        """Return the teacher's scores, on its own scale; for a list of teachers, the mean that the student learns.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows in the form that the teacher takes; columns of a frame may be in any order.
        teacher_pred : array-like of shape (n_rows,), default=None
            Precomputed scores of the teacher.

        Returns
        -------
        scores : ndarray of shape (n_rows,)
            Scores; the highest ranks first.

        Raises
        ------
        NotFittedError
            If the model is not fitted.
        ValueError
            If there is no teacher, because precomputed predictions were passed to ``fit``.
        """
        return self._task.as_given(self._ask_teacher(X, teacher_pred))

    def __sklearn_tags__(self) -> Any:
        return self._limited(super().__sklearn_tags__())

    @on_partitions
    def predict(self, X: Any) -> Array:
        """Return the student's scores; within a query, the highest ranks first.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; columns of a frame may be in any order.

        Returns
        -------
        scores : ndarray of shape (n_rows,)
            One score per row; only differences within a query are meaningful.
        """
        return np.asarray(self._student_for(X).predict(X)).reshape(-1)

    def score(self, X: Any, y: ArrayLike, *, qid: ArrayLike | None = None, group: ArrayLike | None = None) -> float:
        """Return the mean NDCG@10 over queries, by :func:`skdistill.metrics.ndcg`.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows.
        y : array-like of shape (n_rows,)
            Their graded relevance.
        qid : array-like of shape (n_rows,), default=None
            The id of each row's query.
        group : array-like of shape (n_queries,), default=None
            The number of rows of each query; instead of `qid`.

        Returns
        -------
        score : float
            Between 0 and 1. Queries without a relevant row are left out.
        """
        scores = self.predict(X)
        return ndcg(y, scores, query_numbers(qid, group, len(scores)))
