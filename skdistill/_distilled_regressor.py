"""DistilledRegressor: a teacher that predicts numbers, and a compact student that predicts nearly the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from joblib import Memory
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import get_tags
from sklearn.utils.validation import check_memory

from ._distiller import Distiller
from ._judge import NumberJudge
from ._validation import Interval, InvalidParameterError, check_numbers, column_or_rows, fit_context
from .losses import RegressionTargets
from .student import make_student
from .teacher import ask_numbers, members, needs_fit, spread_of, unseen_numbers

Array = NDArray[Any]


class DistilledRegressor(RegressorMixin, Distiller):
    """A compact student that predicts numbers like a slow teacher.

    The student learns the teacher's predictions together with the labels. It minimises, as a mean
    over rows and on a standardised target::

        alpha * (student - teacher)**2 + (1 - alpha) * (student - y)**2

    A fitted teacher is used as it is and survives ``clone``, and so GridSearchCV; an unfitted one
    is cloned and fitted on the labelled training rows. The teacher sees the rows as they are given
    to ``fit``, its own preprocessing included, and answers in the unit of `y`.

    Pickling this object carries the teacher along. To ship a model, pickle ``student_``, or
    :meth:`export` it: it predicts by itself, holds neither teacher nor training rows, and needs no
    torch.

    Parameters
    ----------
    teacher : estimator, callable or list of these, default=None
        A regressor, fitted or not; a callable that maps rows to numbers; or a list whose answers are
        averaged. None where ``fit`` is given ``teacher_pred``.
    student : {"additive", "linear", "mlp", "tree"} or estimator, default="mlp"
        What learns: a LinearStudentRegressor ("additive": with ``numeric="piecewise"``), an
        MLPStudentRegressor, a TreeStudentRegressor, or an instance, whose parameters can then be
        searched as ``student__hidden_layer_sizes``. The instance may also be any regressor, or a
        Pipeline that ends in any of these; such a student has no Program.
    huber : float, default=None
        Beyond so many deviations of the target an error counts along a line and not as its square
        (Huber, 1964), and the target is standardised by median and quartiles: for labels, or
        teachers, that are sometimes far off. 1.345 is usual. None squares all errors.
    alpha : float or "auto", default="auto"
        The share of the teacher's term, 0 to 1. At 1 no labels are needed; at 0 the student learns
        from labels alone. "auto" follows the recipe in the notes; without labels it is 1, and with
        fewer than 100 of them 0.5.
    augment : float or "auto", default="auto"
        New rows for each row there is, made between neighbours and answered by the teacher; 0 for
        none. "auto" leaves it to the recipe, and is 0 where `alpha` is a number.
    committee : int or "auto", default="auto"
        How many students, fitted on labels alone, stand in for labels where there are none; 0 for
        none. "auto" leaves it to the recipe, and is 0 where `alpha` is a number.
    weigh_by_spread : bool or callable, default=False
        Whether a row counts the less in the teacher's term, the less sure the teacher is of it, by
        its own account: a forest's trees, a Gaussian process's deviation, several teachers. Or a
        function from rows to standard deviations, shape (n_rows,) or (n_rows, n_outputs), such as
        half the distance between two quantile models.
    cv : int, cross-validation generator, iterable, "oob" or None, default=None
        Where the teacher's answers come from. None asks the teacher as it is, which may have seen
        the rows. An int or a generator cross-fits: clones of the teacher are fitted on folds of the
        labelled rows and each is asked about the rows that it has not seen. "oob" takes the
        out-of-bag answers of a forest that was fitted on these rows with ``oob_score=True``.
    teacher_weights : sequence of float, default=None
        Weights of a list of teachers; None averages them evenly.
    memory : str or joblib.Memory, default=None
        Where to keep fitted teachers and their answers, so that a grid over alpha asks the teacher
        once for each fold.
    random_state : int, RandomState instance or None, default=None
        Given to a student whose own `random_state` is None.
    n_jobs : int, default=None
        In how many processes nets are fitted that do not wait for each other, which are those of the
        recipe: None is one, -1 as many as there are processors. The student is the same with any.
    verbose : int, default=0
        1 shows the progress of the student, and of the committee before it.

    Attributes
    ----------
    student_ : estimator
        The fitted student, a regressor by itself. What was adapted is its ``estimator_``.
    teacher_ : estimator, callable, list or None
        The teacher that was asked: the given one if fitted, else the fitted clone. With
        ``teacher_pred`` none was asked, and it is the given one.
    program_ : Program
        The student's Program; ``program_(X)`` is the bare, unchecked ``predict``, of shape
        (n_rows, n_outputs). An adapted student has none.
    distillation_report_ : dict
        What was done: ``alpha``; ``n_rows``, ``n_labelled``, ``n_new`` (new rows made) and
        ``n_committee``; and ``teacher_ahead``, the teacher's R2 on the labelled rows less that of
        students which have not seen them (None without a committee). Where alpha was chosen also
        ``n_held_out``; ``candidates``, a dict for each choice with its ``rmse``, ``mae`` and ``r2``
        against the labels held out, and ``r2_teacher`` against the teacher's answers for them; and
        the same scores of the choice that was taken (``distilled``, before it was fitted again to
        all rows), of ``labels_only`` students, and of the ``teacher``, which may know these rows.
    n_features_in_ : int
        Number of columns seen in fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where they are all strings.

    See Also
    --------
    DistilledClassifier : The same for classes.
    MLPStudentRegressor, LinearStudentRegressor, TreeStudentRegressor : The students, which also fit numbers by
        themselves.

    Notes
    -----
    With ``alpha="auto"`` and an MLPStudentRegressor, a committee of nets is fitted on labels alone, each
    on all folds but one. With R the R2 of the committee on folds that it has not seen, and A how far the
    teacher's R2 on the labelled rows is from that, the teacher's share is 0.4 (R - 2 A), or none: a teacher
    that is far ahead has learnt noise by heart. (Give `alpha` and `augment` for one that was fitted on
    other rows, and is ahead as it knows more.) New rows are made in any case, and take the teacher's
    answer for its share and the committee's for the rest; labels stay what they are. No
    share at all is taken if it has clearly lower squared errors on rows held out. Other students
    have no committee, and take the share among 0.5, 1 and 0 that has the lowest ones.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> from skdistill import DistilledRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> forest = RandomForestRegressor(random_state=0).fit(X, y)
    >>> model = DistilledRegressor(forest, student="linear").fit(X, y)
    >>> model.predict(X[:1]).shape
    (1,)
    >>> model.program_.nbytes < 1000
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **Distiller._parameter_constraints,
        "huber": [Interval(Real, 0, None, closed="neither"), None],
        "weigh_by_spread": ["boolean", callable],
    }

    _regression = True
    _given_name = "teacher_pred"
    _no_label = "NaN"
    _judge = NumberJudge()

    def __init__(
        self,
        teacher: Any = None,
        *,
        student: Any = "mlp",
        huber: float | None = None,
        alpha: float | str = "auto",
        augment: float | str = "auto",
        committee: int | str = "auto",
        weigh_by_spread: bool | Callable[[Any], ArrayLike] = False,
        cv: Any = None,
        teacher_weights: Any = None,
        memory: str | Memory | None = None,
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.teacher = teacher
        self.student = student
        self.huber = huber
        self.alpha = alpha
        self.augment = augment
        self.committee = committee
        self.weigh_by_spread = weigh_by_spread
        self.cv = cv
        self.teacher_weights = teacher_weights
        self.memory = memory
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: Any,
        y: ArrayLike | None = None,
        *,
        teacher_pred: ArrayLike | None = None,
        X_unlabeled: Any = None,
        sample_weight: ArrayLike | None = None,
        **fit_params: Any,
    ) -> DistilledRegressor:
        """Ask the teacher about the rows and fit the student to its answers and the labels.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            The rows, raw; the teacher sees them as they are given, and the student encodes them
            itself.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs), default=None
            The numbers to predict; NaN, in each output, marks a row without any. None if the teacher
            is fitted and `alpha` is 1 or "auto".
        teacher_pred : array-like of shape (n_rows,) or (n_rows, n_outputs), default=None
            The teacher's answers, if it has been asked already.
        X_unlabeled : array-like, sparse matrix or frame of shape (n_more, n_columns), default=None
            More rows, without labels, for the teacher to answer: the best there is to learn from.
            (A grid search takes its folds of them where they are as many as those of `X`.)
        sample_weight : array-like of shape (n_rows,), default=None
            Non-negative weights, for the student and for an unfitted teacher that takes them.
        **fit_params : dict
            Further arguments of an unfitted teacher's ``fit``.

        Returns
        -------
        self : DistilledRegressor
            The fitted model.

        Raises
        ------
        ValueError
            If rows, labels, weights or the teacher's answers are not what they must be; the
            message says which and where.
        """
        self._fit(X, y, teacher_pred, X_unlabeled, sample_weight, fit_params)
        return self

    def _new_student(self) -> Any:
        student = make_student(self.student, random_state=self.random_state, verbose=self.verbose, regression=True)
        if self.huber is not None and not getattr(student, "takes_huber", True):
            raise InvalidParameterError(student.cannot_take_huber(self.huber))
        return student

    def _check_y(self, y: Any, n_rows: int) -> Array:
        labels = check_numbers(y, n_rows=n_rows, source="y", gaps=True)
        if np.isnan(labels[:, 0]).all() and (
            any(map(needs_fit, members(self.teacher))) or self.alpha not in (1, "auto")
        ):
            raise ValueError("Input y contains NaN in every row; needed is at least one row with a label.")
        return labels

    def _check_given(self, given: Any, n_rows: int) -> Array:
        return check_numbers(given, n_rows=n_rows, source="teacher_pred")

    def _labelled(self, y: Array) -> Array:
        return np.flatnonzero(~np.isnan(y.reshape(len(y), -1)[:, 0]))

    def _fitted_teacher(self, X: Any, y: Array | None, *rest: Any) -> tuple[Any, list[Any]]:
        # as regressors take the labels of one output
        return super()._fitted_teacher(X, y[:, 0] if y is not None and y.shape[1] == 1 else y, *rest)

    def _ask(self, X: Any, n_rows: int) -> Array:
        return ask_numbers(self.teacher_, self._shares, X, n_rows, check_memory(self.memory), self._origins)

    def _unseen(self, X: Any, y: Array | None, weight: Array | None) -> Array:
        memory = check_memory(self.memory)
        return unseen_numbers(self.teacher_, self._shares, X, y, weight, self.cv, memory, self._origins)

    def _targets(self, answers: Array, y: Array | None, weight: Array | None, X: Any) -> RegressionTargets:
        if y is not None and y.shape[1] != answers.shape[1]:
            raise ValueError(
                f"y has {y.shape[1]} output{'s' * (y.shape[1] > 1)}, and the teacher answers with {answers.shape[1]}."
            )
        # a label of weight zero says nothing
        if y is not None and np.isnan(y[slice(None) if weight is None else weight > 0, 0]).all():
            y = None
        alpha = self.alpha
        if isinstance(alpha, str):
            alpha = 1.0 if y is None else 0.5
        if y is None and alpha < 1:
            raise ValueError(f"No row of y has a label, and alpha={alpha} learns from labels.")
        targets = RegressionTargets(answers, y, weight, float(alpha), self.huber)
        if not self.weigh_by_spread:
            return targets
        spread = self._spread(X)
        self._usual_spread = np.maximum((spread**2).mean(axis=0), np.finfo(np.float64).tiny)
        return replace(targets, answer_weight=self._sureness(spread))

    def _told(self, answers: Array, y: Array | None, targets: RegressionTargets, X: Any) -> dict[str, Array]:
        told = {"answers": answers}
        if self.weigh_by_spread:
            told["answer_weight"] = self._sureness(self._spread(X))
        return told

    def _spread(self, X: Any) -> Array:
        if callable(self.weigh_by_spread):
            source = "the function weigh_by_spread"
            spread = check_numbers(self.weigh_by_spread(X), n_rows=X.shape[0], source=source)
            if (spread < 0).any():
                raise ValueError(f"What {source} returned holds negative numbers; a standard deviation has no sign.")
            return spread
        if self.teacher is None:
            raise ValueError("weigh_by_spread=True needs a teacher to say how sure it is, and teacher is None.")
        return spread_of(self.teacher_, self._shares, X, X.shape[0])

    def _sureness(self, spread: Array) -> Array:
        """Return the weight of each row in the teacher's term: 1 where the teacher is as unsure as it usually is.

        The variance of an answer is the teacher's and that of all else, taken for as large as the
        teacher's usual one; rows weigh by its inverse.
        """
        return 2.0 / (1.0 + (spread**2 / self._usual_spread).mean(axis=1))

    def ask_teacher(self, X: Any, *, teacher_pred: ArrayLike | None = None) -> Array:
        """Return the teacher's numbers, to compare the student's with.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows, as the teacher takes them.
        teacher_pred : array-like of shape (n_rows,) or (n_rows, n_outputs), default=None
            The teacher's answers, if it has been asked already.

        Returns
        -------
        values : ndarray of shape (n_rows,) or (n_rows, n_outputs)
            As ``predict`` returns them.

        Raises
        ------
        NotFittedError
            If the model is not fitted.
        ValueError
            If there is no teacher to ask, since ``fit`` was given its answers.
        """
        return column_or_rows(self._asked(X, teacher_pred))

    def __sklearn_tags__(self) -> Any:
        tags = self._narrowed(super().__sklearn_tags__())
        tags.target_tags.multi_output = all(
            get_tags(one).target_tags.multi_output
            for one in [*members(self.teacher), self.student]
            if isinstance(one, BaseEstimator)
        )
        return tags

    def predict(self, X: Any) -> Array:
        """Return the numbers that the student predicts, in the target's own unit.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; those of a frame in any order.

        Returns
        -------
        values : ndarray of shape (n_rows,) or (n_rows, n_outputs)
            One number for each row, or one for each of several outputs.
        """
        return self._student_for(X).predict(X)
