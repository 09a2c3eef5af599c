"""DistilledRanker: a compact student that ranks the rows of a query as a slow ranker does."""

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
from ._recipe import choose
from ._story import ask, check, finish, teach

Array = NDArray[Any]


class DistilledRanker(Distiller):
    """A compact student that ranks the rows of a query as a slow ranker does.

    The student learns the teacher's scores together with graded labels. Within each query, scores become a
    distribution over its rows by a softmax, and labels y by their gains ``2**y - 1``. The student minimises, as a mean
    over rows, the sum over queries of::

        alpha * T**2 * KL(teacher_T || student_T) + (1 - alpha) * CE(gains, student)

    Only differences within a query count. So that T means the same for every teacher, scores are first divided by the
    mean of their standard deviations within queries; that is the unit of the student's scores, too. Students that learn
    row by row (trees, and models of other libraries) fit the same scores by squared errors, centred within queries, and
    so are the labels.

    A fitted teacher is used as it is and survives ``clone``, and so GridSearchCV; an unfitted one
    is cloned and fitted, with its queries where it is a ranker of LightGBM, XGBoost or CatBoost. Rows are split
    by query: folds of `cv`, and the rows that a net holds out for early stopping. No new rows are made.

    Parameters
    ----------
    teacher : estimator, callable or list of these, default=None
        A ranker or a regressor, fitted or not; a callable that maps rows to scores, of which the highest comes first;
        or a list whose scores are averaged as they are. None where ``fit`` is given ``teacher_pred``.
    student : {"additive", "linear", "mlp", "tree"} or estimator, default="mlp"
        The model that is fitted: a LinearStudentRegressor ("additive": with ``numeric="piecewise"``), an
        MLPStudentRegressor, a TreeStudentRegressor, or an instance, whose parameters can then be
        searched as ``student__hidden_layer_sizes``. The instance may also be any regressor, or a
        Pipeline that ends in any of these; such a student has no Program.
    temperature : float, default=1.0
        Softens teacher and student in the first term: above 1 the order among the lower rows counts more.
    alpha : float, default=0.8
        The share of the teacher's term, 0 to 1. At 1 no labels are needed; at 0 the student learns
        from labels alone.
    cv : int, cross-validation generator, iterable, "oob", "prefit" or None, default=None
        Where the teacher's answers come from. None asks the teacher as it is, which may have seen
        the rows. An int or a generator cross-fits: clones of the teacher are fitted on folds of whole queries and each
        is asked about the rows that it has not seen. "oob" takes the out-of-bag answers of a forest
        that was fitted on these rows, in this order, with ``oob_score=True``. "prefit" says that the teacher has been
        fitted, and on other rows.
    teacher_weights : sequence of float, default=None
        Weights of a list of teachers; None averages them evenly.
    memory : str or joblib.Memory, default=None
        Where to keep fitted teachers and their answers, so that a grid over alpha asks the teacher
        once for each fold.
    random_state : int, RandomState instance or None, default=None
        Given to a student whose own `random_state` is None.
    verbose : int, default=0
        1 shows the progress of the student.

    Attributes
    ----------
    student_ : estimator
        The fitted student, a regressor by itself. Where a model of another library was adapted, that is its
        ``estimator_``.
    teacher_ : estimator, callable, list or None
        The teacher that was asked: the given one if fitted, else the fitted clone. With
        ``teacher_pred`` none was asked, and it is the given one.
    program_ : Program
        The student's Program; ``program_(X)`` is the bare, unchecked ``predict``, of shape
        (n_rows, 1). An adapted student has none.
    alpha_ : float
        The share of the teacher's term.
    distillation_report_ : dict
        What was done, with the keys of DistilledRegressor's; nothing is chosen, and so there are no scores in it.
    n_features_in_ : int
        Number of columns seen in fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where they are all strings.

    See Also
    --------
    DistilledRegressor : The same for regressors.
    skdistill.metrics.ndcg, skdistill.metrics.rank_correlation : How good an order is, and how close to the teacher's.

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
        """Ask the teacher about the rows and fit the student to its scores and the labels.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            The rows, raw; the teacher sees them as they are given, but for their order, which is by query, and the
            student encodes them itself.
        y : array-like of shape (n_rows,), default=None
            Graded relevance, zero or more. None if the teacher is fitted and `alpha` is 1.
        qid : array-like of shape (n_rows,), default=None
            The id of each row's query; rows of one need not be adjacent.
        group : array-like of shape (n_queries,), default=None
            The number of rows of each query, one query after the other; in place of `qid`.
        teacher_pred : array-like of shape (n_rows,), default=None
            The teacher's scores, if it has been asked already.
        **fit_params : dict
            Further arguments of the ``fit`` of a teacher that is fitted here, and of its clones on folds.

        Returns
        -------
        self : DistilledRanker
            The fitted model.

        Raises
        ------
        ValueError
            If rows, labels, queries or the teacher's answers are not what they must be; the
            message says which and where.

        Warns
        -----
        UserWarning
            If the scores of a fitted teacher fall where the labels rise.
        """
        X = X.tocsr() if sparse.issparse(X) else X if hasattr(X, "shape") else check_rows(self, X, reset=True)
        n_rows = X.shape[0]
        queries = query_numbers(qid, group, n_rows)
        if queries.max(initial=0) == 0:
            raise ValueError(
                "All rows are of one query; needed are at least two. One order of all: DistilledRegressor."
            )
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
        asked = ask(request)
        training_set = choose(request.plan, asked.rows, asked.targets, asked.ask_again, asked.origin)
        return finish(self, asked, training_set, teach(training_set, request.plan.student))

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
            raise ValueError(f"y has {labels.shape[1]} columns; needed is one label for each row.")
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
        """Return the teacher's scores, in its own unit.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows, as the teacher takes them; columns of a frame in any order.
        teacher_pred : array-like of shape (n_rows,), default=None
            The teacher's scores, if it has been asked already.

        Returns
        -------
        scores : ndarray of shape (n_rows,)
            As the teacher gives them.

        Raises
        ------
        NotFittedError
            If the model is not fitted.
        ValueError
            If there is no teacher to ask, since ``fit`` was given its answers.
        """
        return self._task.as_given(self._ask_teacher(X, teacher_pred))

    def __sklearn_tags__(self) -> Any:
        return self._limited(super().__sklearn_tags__())

    @on_partitions
    def predict(self, X: Any) -> Array:
        """Return the student's scores; the highest of a query comes first.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; those of a frame in any order.

        Returns
        -------
        scores : ndarray of shape (n_rows,)
            One number for each row; only differences within a query mean anything.
        """
        return np.asarray(self._student_for(X).predict(X)).reshape(-1)

    def score(self, X: Any, y: ArrayLike, *, qid: ArrayLike | None = None, group: ArrayLike | None = None) -> float:
        """Return the mean NDCG of the first 10 rows of a query, by :func:`skdistill.metrics.ndcg`.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows.
        y : array-like of shape (n_rows,)
            Their graded relevance.
        qid : array-like of shape (n_rows,), default=None
            The id of each row's query.
        group : array-like of shape (n_queries,), default=None
            The number of rows of each query, in place of `qid`.

        Returns
        -------
        score : float
            Between 0 and 1. Queries without any relevant row are left out.
        """
        scores = self.predict(X)
        return ndcg(y, scores, query_numbers(qid, group, len(scores)))
