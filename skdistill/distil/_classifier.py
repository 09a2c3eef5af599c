"""DistilledClassifier: a compact student that predicts like a slow classifier."""

from __future__ import annotations

import os
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from joblib import Memory
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin

from .._sklearn import Interval, StrOptions, fit_context
from ..losses import CrossEntropy
from ..model import on_partitions
from ..student import traits_of
from ..tasks import CLASSES
from ..teacher import Teacher
from ._base import Distiller
from ._fit import fit_any

Array = NDArray[Any]


class DistilledClassifier(ClassifierMixin, Distiller):
    """A compact student that predicts like a slow teacher.

    The student learns the teacher's probabilities, softened by a temperature, together with the
    labels (Hinton, Vinyals and Dean, 2015, https://arxiv.org/abs/1503.02531). It minimises, as a
    mean over rows::

        alpha * T**2 * KL(teacher_T || student_T) + (1 - alpha) * CE(labels, student_1)

    A fitted teacher is used as it is, also after ``clone`` and within GridSearchCV. An unfitted one is cloned and
    fitted on the labelled training rows. The teacher gets the rows as they are passed to ``fit``, and applies its own
    preprocessing.

    A pickle of this object includes the teacher. To ship a model, :meth:`export` it or pickle ``student_``, which
    predicts without the teacher, the training rows and torch.

    Parameters
    ----------
    teacher : estimator, callable or list of these, default=None
        A classifier with ``predict_proba``, fitted or not; a callable that maps rows to probabilities; or a list of
        these, whose predictions are averaged. None if ``teacher_proba`` is passed to ``fit``.
    student : {"additive", "linear", "mlp", "tree"} or estimator, default="mlp"
        The model to fit: a LinearStudent ("linear"; "additive" is one with ``numeric="piecewise"``), an MLPStudent
        ("mlp"), a TreeStudent ("tree"), or an instance, whose parameters can be searched as
        ``student__hidden_layer_sizes``. The instance may also be a classifier with ``predict_proba`` whose ``fit``
        takes ``sample_weight``, a skorch net, a torch module that returns logits, or a Pipeline that ends in one of
        these; such a student has no Program. A classifier of another library is fitted on one copy of each row per
        class, weighted by the probability of the class, at temperature 1 only; parameters of it that count rows still
        count the original rows. A Pipeline may take rows that are not a table, such as strings.
    temperature : float or "auto", default=1.0
        Softens teacher and student in the first term; above 1, small probabilities count for more. "auto" selects 1, 2
        or 4 on held-out rows.
    alpha : float or "auto", default="auto"
        Weight of the teacher's term, from 0 to 1. At 1 no labels are needed; at 0 the student learns from the labels
        only. "auto" follows the recipe in the notes; it is 1 without labels, and 0.5 with fewer than 100 labels.
    augment : float or "auto", default="auto"
        Number of synthetic rows per given row. They are made between neighbours, and the teacher predicts them. 0 makes
        none. "auto" leaves the number to the recipe; it is 0 if `alpha` is a number.
    label_ensemble : int or "auto", default="auto"
        Number of students fitted to the labels only, each on all folds but one; nets have boosted trees beside them
        (scikit-learn's ``HistGradientBoostingClassifier``). Their mean prediction is a soft label that counts as much
        as the label, unless they underfit (self-distillation). 0 fits none; else it is 2 or more. "auto" leaves the
        number to the recipe; it is 0 if `alpha` is a number.
    cv : int, cross-validation generator, iterable, "oob", "prefit" or None, default=None
        How the teacher's predictions are obtained. None: from the teacher as it is, which may have seen the rows. An
        int or a generator: by cross-fitting, where clones of the teacher are fitted on folds and each predicts the rows
        that it has not seen. "oob": the out-of-bag predictions of a forest that was fitted on these rows with
        ``oob_score=True``. "prefit": from a fitted teacher that has not seen the rows.
    monotonic_cst : "teacher", array-like of int of shape (n_columns,), dict or None, default="teacher"
        The student's monotonic constraints, unless it has its own: an array with a value for each column, or a dict by
        column name. 1: the probability of ``classes_[1]`` must not decrease with the column; -1: it must not increase;
        0: no constraint. "teacher" copies the constraints of the teacher: those of scikit-learn's trees, forests and
        histogram gradient boosting, LightGBM, XGBoost and CatBoost, also within a Pipeline; of a list of teachers, the
        constraints that all of them have. A warning names those that the student cannot keep. None sets no constraints.
    teacher_weights : sequence of float, default=None
        Weights of the teachers in a list; None weights them equally.
    classes : array-like of shape (n_classes,), default=None
        Class labels of the columns that the teacher returns, for a teacher without ``classes_`` (a callable, or
        `teacher_proba`). None uses the column names if the teacher returns a frame, else the sorted labels of `y`.
    memory : str or joblib.Memory, default=None
        Cache for fitted teachers and their predictions. With it, a grid search over temperature and alpha calls the
        teacher once per fold.
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
        The fitted student, a classifier of its own. If a model of another library was adapted, that model is its
        ``estimator_``, fitted on class indices.
    teacher_ : estimator, callable, list or None
        The teacher that made the predictions: the one that was passed if it was fitted, else its fitted clone. With
        ``teacher_proba``, the one that was passed.
    classes_ : ndarray of shape (n_classes,) or (n_labels,)
        The sorted class labels, all those that the teacher knows. For a multilabel target, the names of the labels, or
        0, 1, ... if they have none.
    multilabel_ : bool
        Whether the target was multilabel.
    alpha_, temperature_ : float
        The weight of the teacher's term and the temperature that were used.
    program_ : Program
        The student's Program; ``program_(X)`` is ``predict_proba`` without input validation. An adapted student has
        none.
    distillation_report_ : dict
        What the fit did. The keys are always the same; a value that does not apply is None.

        - ``alpha`` and ``temperature``.
        - ``origin`` of the teacher's predictions ("in_sample", "out_of_fold", "unseen" or "unknown"; see `cv`), and
          ``memorised``, whether the recipe assumes that the teacher has seen the labels of the rows.
        - ``n_rows``; ``n_left_out``, the rows beyond 262,144, which the recipe leaves out at random; ``n_labelled``;
          ``n_new``, the synthetic rows; ``n_label_models``; ``n_steps``, the training steps of nets; ``n_held_out``.
        - ``teacher_gap``: the teacher's accuracy on the labelled rows minus that of a label ensemble that has not seen
          them; ``tree_weight``, the weight of boosted trees in that ensemble, beside its nets; ``underfits``, whether
          the ensemble's residuals are alike at neighbouring rows.
        - ``answers_scale`` and ``logit_scale``: the factors of temperature scaling for the teacher's predictions and
          for the student; ``logit_shift``, what is added to the student's logits then, where a class is rare.
        - ``candidates``: a dict for each with its scores on the held-out rows: ``log_loss``; ``accuracy``;
          ``agreement`` with the teacher; ``rarest_class``, the mean probability of the rarest class divided by its
          rate; for a multilabel target the macro ``average_precision``.
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
    MLPStudent, LinearStudent, TreeStudent : The students, which can also be fitted to labels or soft targets directly.

    Notes
    -----
    With ``alpha="auto"``, the recipe first holds out a tenth of the labelled rows (with fewer than 1,000 rows: 100 of
    them, at most a fifth), stratified by class. With an MLPStudent it then takes these steps:

    1. It makes synthetic rows between neighbours, which the teacher predicts (MUNGE; Bucila, Caruana and
       Niculescu-Mizil, 2006): as many as there are rows, but 10,000 to 20,000, and at most 10 per given row (5 if 10
       have more than 262,144 cells).
    2. It fits an out-of-fold label ensemble: 5 students (10 for fewer than 2,000 rows), each on the labels of all folds
       but one, at most 20,000. Their mean prediction is a soft label; on labelled rows the soft label and the label
       count half each. If the ensemble underfits, that is, if its residuals are alike at neighbouring rows, labels
       count in full instead.
    3. Unless `cv` says so, it checks whether the teacher has seen the labels, by comparing the teacher's predictions
       for rows and for synthetic rows near them.
    4. It sets the teacher's weight. A teacher that has not seen the labels gets the weight with which its predictions
       and the ensemble's together fit the labels best (stacking, Wolpert, 1992). One that has seen them gets at most
       0.5; or at most 0.25 if it has memorised noise, that is, if its accuracy is clearly above the ensemble's (by 0.15
       less one standard error) and the ensemble's students agree on the synthetic rows.
    5. It calibrates the teacher's predictions by temperature scaling (Guo et al., 2017): on the labels if the teacher
       has not seen them, else on the ensemble's predictions for the synthetic rows.
    6. It fits the student. Unless the teacher has memorised noise, it multiplies the student's logits by a factor if
       that clearly improves the held-out rows. If the teacher has seen the labels, it continues the training on all
       rows for a few steps; else, if fewer than 5,000 rows have a label, it trains the student anew.
       Where the teacher's accuracy is as far above the ensemble's as in step 4 and fewer than 10,000 rows have a label,
       an MLPStudent that leaves `hidden_layer_sizes` and `n_nets` at their defaults becomes the mean of four nets with
       one layer: of 48 units if the teacher has memorised noise (fitted without the synthetic rows from 5,000 rows on),
       of 24 if the ensemble's students disagree. If the ensemble underfits, it becomes instead a net with two layers
       of up to 192 units, as wide as 240 KB of weights allow. ``MLPStudent((96, 96))`` keeps its size.
       If a class has less than a twentieth of the labelled rows, it then adds numbers to the logits so that mean
       probabilities agree with the shares of the classes.

    Other students use the alpha among 0.5, 1 and 0 with the lowest log-loss on the held-out rows, and are then refitted
    on all rows.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skdistill import DistilledClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> forest = RandomForestClassifier(random_state=0).fit(X, y)
    >>> model = DistilledClassifier(forest, student="linear").fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    >>> model.program_.nbytes < 1000
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **Distiller._parameter_constraints,
        "temperature": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "classes": ["array-like", None],
    }

    _task = CLASSES

    temperature_: float

    def __init__(
        self,
        teacher: Any = None,
        *,
        student: Any = "mlp",
        temperature: float | str = 1.0,
        alpha: float | str = "auto",
        augment: float | str = "auto",
        label_ensemble: int | str = "auto",
        cv: Any = None,
        monotonic_cst: Any = "teacher",
        teacher_weights: Any = None,
        classes: ArrayLike | None = None,
        memory: str | Memory | None = None,
        spool: str | os.PathLike[str] | None = None,
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.teacher = teacher
        self.student = student
        self.temperature = temperature
        self.alpha = alpha
        self.augment = augment
        self.label_ensemble = label_ensemble
        self.cv = cv
        self.monotonic_cst = monotonic_cst
        self.teacher_weights = teacher_weights
        self.classes = classes
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
        teacher_proba: ArrayLike | None = None,
        X_unlabeled: Any = None,
        sample_weight: ArrayLike | None = None,
        **fit_params: Any,
    ) -> DistilledClassifier:
        """Obtain the teacher's predictions and fit the student to them and to the labels.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns), path-like, Dataset or RecordBatchReader
            Raw rows. The teacher gets them as they are, and the student encodes them itself. Or a dataset, which may be
            larger than memory: a Parquet file or directory, also as an fsspec URL, or a pyarrow dataset or reader.
            `y`, `teacher_proba` and `sample_weight` are then names of its columns, all other columns are the rows,
            and the teacher must be fitted. A net is trained on all rows; other students are fitted to a sample of
            200,000, with a warning. A dataset that is not Parquet is first written to a temporary file. Or a Dask
            DataFrame or array: a fitted teacher predicts its partitions on the workers, rows and predictions go to
            `spool`, and the fit continues as for a dataset.
        y : array-like of shape (n_rows,), or array-like or sparse matrix of shape (n_rows, n_labels), default=None
            Class labels, one per row; pass rows without a label as `X_unlabeled`. Or a multilabel indicator matrix: 1
            for each label that the row has, 0 for the others, NaN for a missing one; the columns of a frame name the
            labels. May be None if the teacher is fitted and `alpha` is 1 or "auto". For a dataset, the name of a
            column, or one name per label; a row with a missing cell has no label and is learned from the teacher's
            predictions.
        teacher_proba : array-like of shape (n_rows, n_classes) or (n_rows, n_labels), default=None
            Precomputed predictions of the teacher, first for `X`, then for `X_unlabeled`; rows are matched by position.
            Columns of a frame are matched by name. Columns of an array are in the order of `classes`, else of the
            teacher's ``classes_``, else of the sorted labels. For a dataset, the names of the columns in this order, or
            a dict from class label to name.
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
        self : DistilledClassifier
            The fitted model.

        Raises
        ------
        ValueError
            If rows, labels, weights or the teacher's predictions are invalid; the message says which and where. If the
            rows are a dataset or a Dask collection, also if the teacher is not fitted.
        TypeError
            If the rows are a dataset, and `y`, `teacher_proba` or `sample_weight` is no name of a column.
        FileNotFoundError
            If there is nothing at the path `X`.
        RuntimeError, OSError
            If the teacher fails on a partition of a Dask collection, or its predictions cannot be written.

        Warns
        -----
        UserWarning
            If a fitted teacher predicts the labels no better than a constant.
        """
        others = {"X_unlabeled": X_unlabeled, "sample_weight": sample_weight, "fit_params": fit_params}
        return fit_any(self, X, y, given=teacher_proba, **others)

    def _loss(self) -> CrossEntropy:
        return CrossEntropy(1.0 if isinstance(self.temperature, str) else float(self.temperature))

    def ask_teacher(self, X: Any, *, teacher_proba: ArrayLike | None = None) -> Array:
        """Return the teacher's probability of each class.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows in the form that the teacher takes; columns of a frame may be in any order.
        teacher_proba : array-like of shape (n_rows, n_classes), default=None
            Precomputed predictions of the teacher, with columns as in ``fit``; they are reordered to ``classes_``.

        Returns
        -------
        proba : ndarray of shape (n_rows, n_classes)
            Probabilities in the order of ``classes_``.

        Raises
        ------
        NotFittedError
            If the model is not fitted.
        ValueError
            If there is no teacher, because precomputed predictions were passed to ``fit``.
        """
        return self._ask_teacher(X, teacher_proba)

    def __sklearn_tags__(self) -> Any:
        tags = self._limited(super().__sklearn_tags__())
        named = isinstance(self.student, str)
        known = self.student != "tree" if named else traits_of(self.student).several_labels
        tags.classifier_tags.multi_label = known and all(
            getattr(one.classifier_tags, "multi_label", False) for one in Teacher.input_tags(self.teacher)
        )
        return tags

    @property
    def classes_(self) -> Array:
        """The sorted class labels, shape (n_classes,), or the names of the labels of a multilabel target."""
        return self.student_.classes_

    @property
    def multilabel_(self) -> bool:
        """Whether the target was multilabel."""
        return bool(getattr(self.student_, "multilabel_", False))

    @on_partitions
    def predict_proba(self, X: Any) -> Array:
        """Return the student's probability of each class, or of each label of a multilabel target.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; columns of a frame may be in any order.

        Returns
        -------
        proba : ndarray of shape (n_rows, n_classes) or (n_rows, n_labels)
            Probabilities in the order of ``classes_``. Each row sums to one, except for a multilabel target.
        """
        return self._student_for(X).predict_proba(X)

    @on_partitions
    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of the student's probability of each class.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; columns of a frame may be in any order.

        Returns
        -------
        log_proba : ndarray of shape (n_rows, n_classes)
            Natural logarithms, in the order of ``classes_``.
        """
        return self._student_for(X).predict_log_proba(X)

    @on_partitions
    def decision_function(self, X: Any) -> Array:
        """Return the student's logits.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; columns of a frame may be in any order.

        Returns
        -------
        logits : ndarray of shape (n_rows, n_classes), or (n_rows,) for two classes
            Logits; for two classes, the log odds of ``classes_[1]``.
        """
        return self._student_for(X).decision_function(X)

    @on_partitions
    def predict(self, X: Any) -> Array:
        """Return the most probable class, or the labels with a probability above one half.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; columns of a frame may be in any order.

        Returns
        -------
        labels : ndarray of shape (n_rows,) or (n_rows, n_labels)
            Class labels; for a multilabel target an indicator matrix.
        """
        return self._student_for(X).predict(X)

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy; for a multilabel target, the fraction of rows whose labels are all predicted.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows.
        y : array-like of shape (n_rows,) or (n_rows, n_labels)
            Their labels. The columns of a frame are matched by name; missing labels are ignored.
        sample_weight : array-like of shape (n_rows,), default=None
            Their weights.

        Returns
        -------
        score : float
            Between 0 and 1.
        """
        if "student_" in self.__dict__ and self.multilabel_:
            return self._student_for(X).score(X, y, sample_weight)
        return super().score(X, y, sample_weight)
