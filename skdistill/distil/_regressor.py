"""DistilledRegressor: a compact student that predicts like a slow regressor."""

from __future__ import annotations

import os
from typing import Any, ClassVar

import numpy as np
from joblib import Memory
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin

from .._dataset import is_dataset
from .._sklearn import fit_context
from ..losses import Loss, regression_loss_of
from ..model import on_partitions
from ..program import is_dask
from ..tasks import NUMBERS
from ._base import Distiller
from ._collection import fit_collection
from ._out_of_core import fit_dataset
from ._recipe import choose
from ._story import ask, check, constrain, finish, teach

Array = NDArray[Any]


class DistilledRegressor(RegressorMixin, Distiller):
    """A compact student that predicts like a slow regressor.

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
        The model that is fitted: a LinearStudentRegressor ("additive": with ``numeric="piecewise"``), an
        MLPStudentRegressor, a TreeStudentRegressor, or an instance, whose parameters can then be
        searched as ``student__hidden_layer_sizes``. The instance may also be any regressor, or a
        Pipeline that ends in any of these; such a student has no Program.
    loss : {"squared_error", "huber"} or Loss, default="squared_error"
        The loss of a row in both terms. "huber" is ``skdistill.losses.Huber()``: beyond 1.345 standard deviations
        of the target an error counts linearly and not by its square, and the target is standardised by median and
        quartiles. It is for labels, or teachers, that are sometimes far off.
    alpha : float or "auto", default="auto"
        The share of the teacher's term, 0 to 1. At 1 no labels are needed; at 0 the student learns
        from labels alone. "auto" follows the recipe in the notes; without labels it is 1, and with
        fewer than 100 of them 0.5.
    augment : float or "auto", default="auto"
        Number of new rows per row, made between neighbours and answered by the teacher; 0 for
        none. "auto" leaves it to the recipe, and is 0 where `alpha` is a number.
    label_ensemble : int or "auto", default="auto"
        Number of students fitted to the labels alone, each on all folds but one, whose mean answer is the label
        of rows without one; 0 for none. "auto" leaves it to the recipe, and is 0 where `alpha` is a number.
    cv : int, cross-validation generator, iterable, "oob", "prefit" or None, default=None
        Where the teacher's answers come from. None asks the teacher as it is, which may have seen
        the rows. An int or a generator cross-fits: clones of the teacher are fitted on folds of the
        rows and each is asked about the rows that it has not seen. "oob" takes the
        out-of-bag answers of a forest that was fitted on these rows with ``oob_score=True``. "prefit"
        says that the teacher has been fitted, and on other rows.
    monotonic_cst : "teacher", array-like of int of shape (n_columns,), dict or None, default="teacher"
        The student's monotonic constraints, unless it has its own: for each column, or by the name of some, 1 if
        the prediction must not decrease with it, -1 if it must not increase, 0 for no constraint.
        "teacher" takes those of the teacher: of scikit-learn's trees, forests and histogram gradient boosting, of
        LightGBM, XGBoost and CatBoost, also in a Pipeline, and of several teachers those that all share. A warning
        names what the student cannot keep. None sets no constraints.
    teacher_weights : sequence of float, default=None
        Weights of a list of teachers; None averages them evenly.
    memory : str or joblib.Memory, default=None
        Where to keep fitted teachers and their answers, so that a grid over alpha asks the teacher
        once for each fold.
    spool : path-like, default=None
        Where the rows of a Dask collection and the teacher's answers are kept, as :func:`skdistill.dask.label` does: a
        folder, or a URL that fsspec knows. A fit that was stopped goes on from there. None takes a temporary
        folder, which workers on other machines do not see. Other rows do not need it, and leave it alone.
    random_state : int, RandomState instance or None, default=None
        Given to a student whose own `random_state` is None.
    n_jobs : int, default=None
        Number of processes used to fit students that do not wait for each other: None is one, -1 as many as there
        are processors. The student is the same with any number. Nets of ours need none: they are trained side by side.
    verbose : int, default=0
        1 says how long the fit takes at most, and shows the progress of the label ensemble and of the student.

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
        (n_rows, n_outputs). An adapted student has none.
    alpha_ : float
        The share of the teacher's term that was used.
    distillation_report_ : dict
        What was done, always with these keys: ``alpha``, and ``temperature`` (None); ``origin`` of the teacher's
        answers ("in_sample", "out_of_fold", "unseen", or "unknown": see `cv`), and ``memorised``, whether the recipe
        treats them as answers for rows whose labels the teacher has seen; ``n_rows`` and ``n_left_out`` (rows beyond
        262,144, which the recipe leaves out by chance), ``n_labelled``, ``n_new`` (new rows made), ``n_label_models``
        and ``n_steps`` (training steps of nets); ``teacher_gap``, the teacher's R2 on the labelled rows less that of
        students that have not seen them; ``answers_scale`` and ``logit_scale``, which are 1; ``n_held_out``, the
        number of rows held out; ``candidates``, a dict for each with its ``rmse``, ``mae`` and ``r2`` against the
        labels of these rows, and ``r2_teacher`` against the teacher's answers; and the same scores of the candidate
        that was taken (``distilled``), of ``labels_only`` students, and of the ``teacher``, which may know these
        rows. What there was nothing to choose by is None.
        Of a net that was trained on a dataset, ``learning_curve`` is a list with the loss on rows held out (``loss``)
        by how many rows were seen (``n_rows``), and ``stopped`` says whether it ended since twice as many rows were no
        better ("flat") or with "all rows seen"; None otherwise.
    n_features_in_ : int
        Number of columns seen in fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where they are all strings.

    See Also
    --------
    DistilledClassifier : The same for classifiers.
    MLPStudentRegressor, LinearStudentRegressor, TreeStudentRegressor : The students, which can also be fitted without a
        teacher.

    Notes
    -----
    With ``alpha="auto"`` and an MLPStudentRegressor, new rows are made between neighbours, 10,000 but at most 5 for
    each row, and an out-of-fold label ensemble is fitted: nets of the labels alone, each on all folds but one. A
    teacher that has not seen the labels (`cv` says so, or its answers for rows and for new rows near them tell) gets
    the share with which its answers and the ensemble's fit the labels best. One that has seen them gets 0.4 (R - 2
    A), or none, with R the R2 of the nets on the folds that they have not seen, and A how far the teacher's R2 on the
    labelled rows is from that: a teacher that is far ahead has memorised noise. Targets of new rows are the teacher's
    answer, for its share, and the ensemble's; labels stay what they are. For other students, the share among 0.5, 1
    and 0 with the lowest squared errors on held-out rows is taken.

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
        "loss": "no_validation",
    }

    _task = NUMBERS

    def __init__(
        self,
        teacher: Any = None,
        *,
        student: Any = "mlp",
        loss: str | Loss = "squared_error",
        alpha: float | str = "auto",
        augment: float | str = "auto",
        label_ensemble: int | str = "auto",
        cv: Any = None,
        monotonic_cst: Any = "teacher",
        teacher_weights: Any = None,
        memory: str | Memory | None = None,
        spool: str | os.PathLike[str] | None = None,
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.teacher = teacher
        self.student = student
        self.loss = loss
        self.alpha = alpha
        self.augment = augment
        self.label_ensemble = label_ensemble
        self.cv = cv
        self.monotonic_cst = monotonic_cst
        self.teacher_weights = teacher_weights
        self.memory = memory
        self.spool = spool
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
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns), path-like, Dataset or RecordBatchReader
            The rows, raw; the teacher sees them as they are given, and the student encodes them
            itself. Or a Parquet file or directory, which may be an fsspec URL, or a dataset or reader of pyarrow,
            larger than memory if need be: `y`, `teacher_pred` and `sample_weight` then name columns of it, all other
            columns are the rows, and the teacher is fitted already. A net is trained on all rows; other students are
            fitted to a sample of 200,000, of which a warning tells. A dataset that is not Parquet is first written to
            a temporary file. Or a Dask DataFrame or array, whose partitions a fitted teacher answers where they
            lie; rows and answers go to `spool`, and the fit is that of a dataset.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs), default=None
            The numbers to predict, for each row; rows without a label are passed as `X_unlabeled`. None if the
            teacher is fitted and `alpha` is 1 or "auto". Of a dataset the name of the column, or names; a row whose
            cell is missing has no label and is learned from the teacher's answers.
        teacher_pred : array-like of shape (n_rows,) or (n_rows, n_outputs), default=None
            The teacher's answers, if it has been asked already; those for `X_unlabeled` below. Where answers
            and `y` are frames of several outputs, these are matched by name. Of a dataset the name of the column, or
            names in the order of `y`.
        X_unlabeled : array-like, sparse matrix or frame of shape (n_more, n_columns), or callable, default=None
            More rows, without labels, for the teacher to answer; or a function without arguments that returns
            them. A search takes folds of an array that is as long as `X`, which is refused there, and leaves a
            function alone.
        sample_weight : array-like of shape (n_rows,), default=None
            Non-negative weights, for the student and for a teacher that is fitted here and takes them.
        **fit_params : dict
            Further arguments of the ``fit`` of a teacher that is fitted here, and of its clones on folds; and
            ``groups`` for a `cv` that keeps groups together.

        Returns
        -------
        self : DistilledRegressor
            The fitted model.

        Raises
        ------
        ValueError
            If rows, labels, weights or the teacher's answers are not what they must be; the
            message says which and where.

        Warns
        -----
        UserWarning
            If the R2 of a fitted teacher on the labels is below 0, that of a constant.
        """
        others = {"X_unlabeled": X_unlabeled, "sample_weight": sample_weight}
        if is_dataset(X):
            return fit_dataset(self, X, y, given=teacher_pred, fit_params=fit_params, **others)
        if is_dask(X):
            return fit_collection(self, X, y, {"teacher_pred": teacher_pred, **others, **fit_params})
        request = check(self, X, y, given=teacher_pred, fit_params=fit_params, **others)
        asked = constrain(self, request, ask(request))
        training_set = choose(request.plan, asked.rows, asked.targets, asked.ask_again, asked.origin)
        return finish(self, asked, training_set, teach(training_set, request.plan.student))

    def _loss(self) -> Loss:
        return regression_loss_of(self.loss)

    def ask_teacher(self, X: Any, *, teacher_pred: ArrayLike | None = None) -> Array:
        """Return the teacher's numbers, to compare the student's with.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows, as the teacher takes them; columns of a frame in any order.
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
        return self._task.as_given(self._ask_teacher(X, teacher_pred))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return self._limited(tags)

    @on_partitions
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
