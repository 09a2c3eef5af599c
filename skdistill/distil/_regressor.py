"""DistilledRegressor: a compact student that predicts like a slow regressor."""

from __future__ import annotations

import os
from typing import Any, ClassVar

import numpy as np
from joblib import Memory
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin

from .._sklearn import fit_context
from ..losses import Loss, regression_loss_of
from ..model import on_partitions
from ..program import named_columns
from ..tasks import NUMBERS
from ._base import Distiller
from ._fit import fit_any

Array = NDArray[Any]


class DistilledRegressor(RegressorMixin, Distiller):
    """A compact student that predicts like a slow regressor.

    The student learns the teacher's predictions together with the labels. It minimises, as a mean
    over rows and on a standardised target::

        alpha * (student - teacher)**2 + (1 - alpha) * (student - y)**2

    A fitted teacher is used as it is, also after ``clone`` and within GridSearchCV. An unfitted one is cloned and
    fitted on the labelled training rows. The teacher gets the rows as they are passed to ``fit``, applies its own
    preprocessing, and predicts in the unit of `y`.

    A pickle of this object includes the teacher. To ship a model, :meth:`export` it or pickle ``student_``, which
    predicts without the teacher, the training rows and torch.

    Parameters
    ----------
    teacher : estimator, callable or list of these, default=None
        A regressor, fitted or not; a callable that maps rows to predictions; or a list of these, whose predictions are
        averaged. None if ``teacher_pred`` is passed to ``fit``.
    student : {"additive", "linear", "mlp", "tree"} or estimator, default="mlp"
        The model to fit: a LinearStudentRegressor ("linear"; "additive" is one with ``numeric="piecewise"``), an
        MLPStudentRegressor ("mlp"), a TreeStudentRegressor ("tree"), or an instance, whose parameters can be searched
        as ``student__hidden_layer_sizes``. The instance may also be any other regressor, or a Pipeline that ends in a
        regressor; such a student has no Program.
    loss : {"squared_error", "huber"} or Loss, default="squared_error"
        The loss of a row, in both terms. "huber" is ``skdistill.losses.Huber()``: errors beyond 1.345 standard
        deviations of the target count linearly instead of squared, and the target is standardised by median and
        quartiles. Use it if labels or teacher predictions have outliers.
    alpha : float or "auto", default="auto"
        Weight of the teacher's term, from 0 to 1. At 1 no labels are needed; at 0 the student learns from the labels
        only. "auto" follows the recipe in the notes; it is 1 without labels, and 0.5 with fewer than 100 labels.
    augment : float or "auto", default="auto"
        Number of synthetic rows per given row. They are made between neighbours, and the teacher predicts them. 0 makes
        none. "auto" leaves the number to the recipe; it is 0 if `alpha` is a number.
    label_ensemble : int or "auto", default="auto"
        Number of students fitted to the labels only, each on all folds but one. Their mean prediction is the label of
        rows without one. 0 fits none; else it is 2 or more. "auto" leaves the number to the recipe; it is 0 if `alpha`
        is a number.
    cv : int, cross-validation generator, iterable, "oob", "prefit" or None, default=None
        How the teacher's predictions are obtained. None: from the teacher as it is, which may have seen the rows. An
        int or a generator: by cross-fitting, where clones of the teacher are fitted on folds and each predicts the rows
        that it has not seen. "oob": the out-of-bag predictions of a forest that was fitted on these rows with
        ``oob_score=True``. "prefit": from a fitted teacher that has not seen the rows.
    monotonic_cst : "teacher", array-like of int of shape (n_columns,), dict or None, default="teacher"
        The student's monotonic constraints, unless it has its own: an array with a value for each column, or a dict by
        column name. 1: the prediction must not decrease with the column; -1: it must not increase; 0: no constraint.
        "teacher" copies the constraints of the teacher: those of scikit-learn's trees, forests and histogram gradient
        boosting, LightGBM, XGBoost and CatBoost, also within a Pipeline; of a list of teachers, the constraints that
        all of them have. A warning names those that the student cannot keep. None sets no constraints.
    teacher_weights : sequence of float, default=None
        Weights of the teachers in a list; None weights them equally.
    memory : str or joblib.Memory, default=None
        Cache for fitted teachers and their predictions. With it, a grid search over alpha calls the teacher once per
        fold.
    spool : path-like, default=None
        Where to store the rows of a Dask collection and the teacher's predictions, as :func:`skdistill.dask.label`
        does: a folder, or a URL that fsspec supports. An interrupted fit resumes from there. None uses a temporary
        folder, which workers on other machines cannot see. Not used for other rows.
    random_state : int, RandomState instance or None, default=None
        Passed to a student whose own `random_state` is None.
    n_jobs : int, default=None
        Number of processes in which the recipe fits its trial students: None means one, -1 all processors. The result
        does not depend on it. It has no effect on MLPStudents, which are trained together in one process.
    verbose : int, default=0
        If 1, print an upper bound of the fit time, and show the progress of the label ensemble and of the student.

    Attributes
    ----------
    student_ : estimator
        The fitted student, a regressor of its own. If a model of another library was adapted, that model is its
        ``estimator_``.
    teacher_ : estimator, callable, list or None
        The teacher that made the predictions: the one that was passed if it was fitted, else its fitted clone. With
        ``teacher_pred``, the one that was passed.
    program_ : Program
        The student's Program; ``program_(X)`` is ``predict`` without input validation and returns shape (n_rows,
        n_outputs). An adapted student has none.
    alpha_ : float
        The weight of the teacher's term that was used.
    distillation_report_ : dict
        What the fit did. The keys are always the same; a value that does not apply is None.

        - ``alpha``, and ``temperature``, which is None.
        - ``origin`` of the teacher's predictions ("in_sample", "out_of_fold", "unseen" or "unknown"; see `cv`), and
          ``memorised``, whether the recipe assumes that the teacher has seen the labels of the rows.
        - ``n_rows``; ``n_left_out``, the rows beyond 262,144, which the recipe leaves out at random; ``n_labelled``;
          ``n_new``, the synthetic rows; ``n_label_models``; ``n_steps``, the training steps of nets; ``n_held_out``.
        - ``teacher_gap``: the teacher's R2 on the labelled rows minus that of students that have not seen them.
        - ``answers_scale`` and ``logit_scale``, which are 1; ``logit_shift``, which is None; ``tree_weight`` and
          ``underfits``, which are 0 and False, or None without a label ensemble.
        - ``candidates``: a dict for each with its scores on the held-out rows: ``rmse``, ``mae`` and ``r2`` against the
          labels, and ``r2_teacher`` against the teacher's predictions.
        - ``distilled``, ``labels_only`` and ``teacher``: the same scores for the selected candidate, for students
          fitted to the labels only, and for the teacher, which may have seen these rows.
        - ``learning_curve`` and ``stopped`` of a net trained on a dataset, else None: the loss on held-out rows
          (``loss``) after each number of rows (``n_rows``); and whether training ended because twice as many rows did
          not improve it ("flat") or with "all rows seen".
    n_features_in_ : int
        Number of columns seen in fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if all of them are strings.

    See Also
    --------
    DistilledClassifier : The same for classifiers.
    MLPStudentRegressor, LinearStudentRegressor, TreeStudentRegressor : The students, which can also be fitted directly.

    Notes
    -----
    With ``alpha="auto"`` and an MLPStudentRegressor, the recipe makes synthetic rows between neighbours, as many as
    there are rows, but 10,000 to 20,000, and at most 10 per given row (5 if 10 have more than 262,144 cells). It fits
    an out-of-fold label ensemble: nets on the labels only, each on all folds but one. It then sets the teacher's
    weight. A teacher that has not seen the labels (according to `cv`, or to its predictions for rows and for synthetic
    rows near them) gets the weight with which its predictions and the ensemble's together fit the labels best. A
    teacher that has seen them gets 0.4 (R - 2 A), or 0 if that is negative. R is the R2 of the nets on the folds that
    they have not seen, and A the absolute difference between R and the teacher's R2 on the labelled rows; a teacher far
    above R has memorised noise. The targets of synthetic rows are a mixture of the teacher's predictions, with the
    teacher's weight, and the ensemble's; labels stay as they are. Other students use the alpha among 0.5, 1 and 0 with
    the lowest squared error on held-out rows.

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
        """Obtain the teacher's predictions and fit the student to them and to the labels.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns), path-like, Dataset or RecordBatchReader
            Raw rows. The teacher gets them as they are, and the student encodes them itself. Or a dataset, which may be
            larger than memory: a Parquet file or directory, also as an fsspec URL, or a pyarrow dataset or reader.
            `y`, `teacher_pred` and `sample_weight` are then names of its columns, all other columns are the rows,
            and the teacher must be fitted. A net is trained on all rows; other students are fitted to a sample of
            200,000, with a warning. A dataset that is not Parquet is first written to a temporary file. Or a Dask
            DataFrame or array: a fitted teacher predicts its partitions on the workers, rows and predictions go to
            `spool`, and the fit continues as for a dataset.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs), default=None
            Target values; pass rows without a label as `X_unlabeled`. May be None if the teacher is fitted and `alpha`
            is 1 or "auto". For a dataset, the name of a column, or names; a row with a missing cell has no label and is
            learned from the teacher's predictions.
        teacher_pred : array-like of shape (n_rows,) or (n_rows, n_outputs), default=None
            Precomputed predictions of the teacher, first for `X`, then for `X_unlabeled`. If they and `y` are frames
            with several outputs, the outputs are matched by name. For a dataset, the name of a column, or names in the
            order of `y`.
        X_unlabeled : array-like, sparse matrix or frame of shape (n_more, n_columns), or callable, default=None
            Further rows without labels, which the teacher predicts; or a function without arguments that returns them.
            Within a search pass a function: a search would split an array as long as `X` into folds, so that raises an
            error.
        sample_weight : array-like of shape (n_rows,), default=None
            Non-negative weights for the student, and for a teacher that is fitted here and accepts them.
        **fit_params : dict
            Further arguments for the ``fit`` of a teacher that is fitted here and of its clones on folds, and
            ``groups`` for a `cv` that keeps groups together.

        Returns
        -------
        self : DistilledRegressor
            The fitted model.

        Raises
        ------
        ValueError
            If rows, labels, weights or the teacher's predictions are invalid; the message says which and where. If the
            rows are a dataset or a Dask collection, also if the teacher is not fitted.
        TypeError
            If the rows are a dataset, and `y`, `teacher_pred` or `sample_weight` is no name of a column.
        FileNotFoundError
            If there is nothing at the path `X`.
        RuntimeError, OSError
            If the teacher fails on a partition of a Dask collection, or its predictions cannot be written.

        Warns
        -----
        UserWarning
            If a fitted teacher predicts the labels worse than a constant (R2 below 0).
        """
        others = {"X_unlabeled": X_unlabeled, "sample_weight": sample_weight, "fit_params": fit_params}
        return fit_any(self, X, y, given=teacher_pred, **others)

    def _loss(self) -> Loss:
        return regression_loss_of(self.loss)

    def ask_teacher(self, X: Any, *, teacher_pred: ArrayLike | None = None) -> Array:
        """Return the teacher's predictions.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows in the form that the teacher takes; columns of a frame may be in any order.
        teacher_pred : array-like of shape (n_rows,) or (n_rows, n_outputs), default=None
            Precomputed predictions of the teacher.

        Returns
        -------
        values : ndarray of shape (n_rows,) or (n_rows, n_outputs)
            Predictions, as ``predict`` returns them.

        Raises
        ------
        NotFittedError
            If the model is not fitted.
        ValueError
            If there is no teacher, because precomputed predictions were passed to ``fit``.
        """
        return self._task.as_given(self._ask_teacher(X, teacher_pred))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return self._limited(tags)

    @on_partitions
    def predict(self, X: Any) -> Array:
        """Return the student's predictions, in the target's unit.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; columns of a frame may be in any order.

        Returns
        -------
        values : ndarray of shape (n_rows,) or (n_rows, n_outputs)
            Predictions.
        """
        return self._student_for(X).predict(X)

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Return the coefficient of determination, R2; the mean over outputs.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            The true values; the columns of a frame are matched by name.
        sample_weight : array-like of shape (n_rows,), default=None
            Their weights.

        Returns
        -------
        score : float
            At most 1.
        """
        known = self._aligned_teacher.order if "student_" in self.__dict__ else None
        return super().score(X, named_columns(y, known, "y")[0], sample_weight)
