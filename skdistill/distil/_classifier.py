"""DistilledClassifier: a compact student that answers like a slow classifier."""

from __future__ import annotations

import os
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from joblib import Memory
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin

from .._dataset import is_dataset
from .._sklearn import Interval, StrOptions, fit_context
from ..losses import CrossEntropy
from ..model import on_partitions
from ..program import is_dask
from ..student import traits_of
from ..tasks import CLASSES
from ..teacher import Teacher
from ._base import Distiller
from ._collection import fit_collection
from ._out_of_core import fit_dataset
from ._recipe import choose
from ._story import ask, check, constrain, finish, teach

Array = NDArray[Any]


class DistilledClassifier(ClassifierMixin, Distiller):
    """A compact student that answers like a slow teacher.

    The student learns the teacher's probabilities, softened by a temperature, together with the
    labels (Hinton, Vinyals and Dean, 2015, https://arxiv.org/abs/1503.02531). It minimises, as a
    mean over rows::

        alpha * T**2 * KL(teacher_T || student_T) + (1 - alpha) * CE(labels, student_1)

    A fitted teacher is used as it is and survives ``clone``, and so GridSearchCV; an unfitted one
    is cloned and fitted on the labelled training rows. The teacher sees the rows as they are given
    to ``fit``, its own preprocessing included.

    Pickling this object carries the teacher along. To ship a model, pickle ``student_``: it
    predicts by itself, holds neither teacher nor training rows, and needs no torch.

    Parameters
    ----------
    teacher : estimator, callable or list of these, default=None
        A classifier with ``predict_proba``, fitted or not; a callable that maps rows to
        probabilities; or a list whose answers are averaged. None where ``fit`` is given
        ``teacher_proba``.
    student : {"additive", "linear", "mlp", "tree"} or estimator, default="mlp"
        The model that is fitted: a LinearStudent ("additive": with ``numeric="piecewise"``), an MLPStudent, a
        TreeStudent, or an instance, whose parameters can then be searched as
        ``student__hidden_layer_sizes``. The instance may also be a classifier with
        ``predict_proba`` whose ``fit`` takes ``sample_weight``, a skorch net, a torch module that
        returns logits, or a Pipeline that ends in any of these; such a student has no Program. A
        classifier learns from each row once for each class, weighted by the class's share, at
        temperature 1 alone; its parameters that count rows still mean rows. A Pipeline may take
        rows that are not a table, such as texts.
    temperature : float or "auto", default=1.0
        Softens teacher and student in the first term; above 1, small probabilities count for more.
        "auto" chooses among 1, 2 and 4 on rows held out.
    alpha : float or "auto", default="auto"
        The share of the teacher's term, 0 to 1. At 1 no labels are needed; at 0 the student learns
        from labels alone. "auto" follows the recipe in the notes; without labels it is 1, and with
        fewer than 100 of them 0.5.
    augment : float or "auto", default="auto"
        Number of new rows per row, made between neighbours and answered by the teacher; 0 for
        none. "auto" leaves it to the recipe, and is 0 where `alpha` is a number.
    label_ensemble : int or "auto", default="auto"
        Number of students fitted to the labels alone, each on all folds but one, whose mean answer is fitted beside
        the labels, half and half (self-distillation); 0 for none. "auto" leaves it to the recipe, and is 0 where
        `alpha` is a number.
    cv : int, cross-validation generator, iterable, "oob", "prefit" or None, default=None
        Where the teacher's answers come from. None asks the teacher as it is, which may have seen
        the rows. An int or a generator cross-fits: clones of the teacher are fitted on folds of the
        rows and each is asked about the rows that it has not seen. "oob" takes the
        out-of-bag answers of a forest that was fitted on these rows with ``oob_score=True``. "prefit"
        says that the teacher has been fitted, and on other rows.
    monotonic_cst : "teacher", array-like of int of shape (n_columns,), dict or None, default="teacher"
        The student's monotonic constraints, unless it has its own: for each column, or by the name of some, 1 if
        the probability of ``classes_[1]`` must not decrease with it, -1 if it must not increase, 0 for no constraint.
        "teacher" takes those of the teacher: of scikit-learn's trees, forests and histogram gradient boosting, of
        LightGBM, XGBoost and CatBoost, also in a Pipeline, and of several teachers those that all share. A warning
        names what the student cannot keep. None sets no constraints.
    teacher_weights : sequence of float, default=None
        Weights of a list of teachers; None averages them evenly.
    classes : array-like of shape (n_classes,), default=None
        The labels of the answers' columns, for a teacher without ``classes_`` (a callable, or
        `teacher_proba`). None takes the names of the columns, if the answers are a frame, or else the sorted
        labels of `y`.
    memory : str or joblib.Memory, default=None
        Where to keep fitted teachers and their answers, so that a grid over temperature and alpha
        asks the teacher once for each fold.
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
        The fitted student, a classifier by itself. Where a model of another library was adapted, that is its
        ``estimator_``, fitted on the indices of the classes.
    teacher_ : estimator, callable, list or None
        The teacher that was asked: the given one if fitted, else the fitted clone. With
        ``teacher_proba`` none was asked, and it is the given one.
    classes_ : ndarray of shape (n_classes,) or (n_labels,)
        The class labels, sorted: all that the teacher knows. Of several labels their names, or else 0, 1, ...
    multilabel_ : bool
        Whether it was fitted to several labels for each row.
    alpha_, temperature_ : float
        The share of the teacher's term and the temperature that were used.
    program_ : Program
        The student's Program; ``program_(X)`` is the bare, unchecked ``predict_proba``. An adapted
        student has none.
    distillation_report_ : dict
        What was done, always with these keys: ``alpha`` and ``temperature``; ``origin`` of the teacher's answers
        ("in_sample", "out_of_fold", "unseen", or "unknown": see `cv`), and ``memorised``, whether the recipe treats
        them as answers for rows whose labels the teacher has seen; ``n_rows`` and ``n_left_out`` (rows beyond
        262,144, which the recipe leaves out by chance), ``n_labelled``, ``n_new`` (new rows made), ``n_label_models``
        and ``n_steps`` (training steps of nets); ``teacher_gap``, the teacher's accuracy on the labelled rows less
        that of students that have not seen them; ``answers_scale`` and ``logit_scale``, the factors of temperature
        scaling of the teacher's answers and of the student; ``n_held_out``, the number of rows held out;
        ``candidates``, a dict for each with its ``log_loss``, ``accuracy``, ``agreement`` with the teacher, and
        ``rarest_class``, the mean probability of the rarest class over its rate, on these rows, and of several
        labels the macro ``average_precision``; and the same scores
        of the candidate that was taken (``distilled``), of ``labels_only`` students, and of the ``teacher``, which
        may know these rows. What there was nothing to choose by is None.
        Of a net that was trained on a dataset, ``learning_curve`` is a list with the loss on rows held out (``loss``)
        by how many rows were seen (``n_rows``), and ``stopped`` says whether it ended since twice as many rows were no
        better ("flat") or with "all rows seen"; None otherwise.
    n_features_in_ : int
        Number of columns seen in fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where they are all strings.

    See Also
    --------
    MLPStudent, LinearStudent, TreeStudent : The students, which also fit labels or soft targets by themselves.

    Notes
    -----
    The recipe of ``alpha="auto"`` holds a tenth of the labelled rows out (a fifth or less of fewer than 1,000
    rows), each class in proportion. With an MLPStudent it then

    1. makes new rows between neighbours, 10,000 but at most 5 for each row, and has the teacher answer them: MUNGE
       (Bucila, Caruana and Niculescu-Mizil, 2006).
    2. fits an out-of-fold label ensemble: 5 students (10 for fewer than 2,000 rows), each fitted to the
       labels of all folds but one. Their mean answer is a soft label; where a row has a label it counts half.
    3. asks whether the teacher has seen the labels, unless `cv` says so: by its answers for rows and for new rows
       near them.
    4. gives a teacher that has not seen them the share with which its answers and those of the ensemble fit the labels
       best (stacking, Wolpert, 1992). One that has seen them gets 0.5, or 0.25 if its accuracy is more than 0.15 above
       the ensemble's and the ensemble's students agree with each other on new rows: it has memorised noise.
    5. calibrates the teacher's answers by temperature scaling (Guo and others, 2017): to the labels if it has not
       seen them, else, for new rows, to the ensemble.
    6. fits the student; multiplies its logits by the factor that is clearly best on the rows held out, unless the
       teacher has memorised noise; and trains it on, on all rows, if there are fewer than 5,000.

    For other students, the alpha among 0.5, 1 and 0 with the lowest log-loss on the held-out rows is taken, and
    they are fitted again to all rows.

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
        """Ask the teacher about the rows and fit the student to its answers and the labels.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns), path-like, Dataset or RecordBatchReader
            The rows, raw; the teacher sees them as they are given, and the student encodes them
            itself. Or a Parquet file or directory, which may be an fsspec URL, or a dataset or reader of pyarrow,
            larger than memory if need be: `y`, `teacher_proba` and `sample_weight` then name columns of it, all other
            columns are the rows, and the teacher is fitted already. A net is trained on all rows; other students are
            fitted to a sample of 200,000, of which a warning tells. A dataset that is not Parquet is first written to
            a temporary file. Or a Dask DataFrame or array, whose partitions a fitted teacher answers where they
            lie; rows and answers go to `spool`, and the fit is that of a dataset.
        y : array-like of shape (n_rows,), or array-like or sparse matrix of shape (n_rows, n_labels), default=None
            Class labels, one for each row; rows without a label are passed as `X_unlabeled`. None if the
            teacher is fitted and `alpha` is 1 or "auto". Or several labels, any number of which a row has: an
            indicator matrix, one for each label that it has, zero for the others, NaN for one that is missing; the
            columns of a frame name the labels. Of a dataset the name of a column, or of one for each of several labels;
            a row whose cell is missing has no label and is learned from the teacher's answers.
        teacher_proba : array-like of shape (n_rows, n_classes) or (n_rows, n_labels), default=None
            The teacher's answers, if it has been asked already; those for `X_unlabeled` below. Columns of a
            frame are matched by name; those of an array are in the order of `classes`, or else of the teacher's
            ``classes_``, or of the sorted labels. Rows are matched by position. Of a dataset the names of the columns,
            in the same order, or a dict of class label to name.
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
        self : DistilledClassifier
            The fitted model.

        Raises
        ------
        ValueError
            If rows, labels, weights or the teacher's answers are not what they must be; the
            message says which and where.

        Warns
        -----
        UserWarning
            If a fitted teacher is no better than a constant on the labels.
        """
        others = {"X_unlabeled": X_unlabeled, "sample_weight": sample_weight}
        if is_dataset(X):
            return fit_dataset(self, X, y, given=teacher_proba, fit_params=fit_params, **others)
        if is_dask(X):
            return fit_collection(self, X, y, {"teacher_proba": teacher_proba, **others, **fit_params})
        request = check(self, X, y, given=teacher_proba, fit_params=fit_params, **others)
        asked = constrain(self, request, ask(request))
        training_set = choose(request.plan, asked.rows, asked.targets, asked.ask_again, asked.origin)
        return finish(self, asked, training_set, teach(training_set, request.plan.student))

    def _loss(self) -> CrossEntropy:
        return CrossEntropy(1.0 if isinstance(self.temperature, str) else float(self.temperature))

    def ask_teacher(self, X: Any, *, teacher_proba: ArrayLike | None = None) -> Array:
        """Return the teacher's probability of each class, to compare the student's with.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows, as the teacher takes them; columns of a frame in any order.
        teacher_proba : array-like of shape (n_rows, n_classes), default=None
            The teacher's answers, if it has been asked already, with columns as in ``fit``; they are put
            in the order of ``classes_``.

        Returns
        -------
        proba : ndarray of shape (n_rows, n_classes)
            Probabilities in the order of ``classes_``.

        Raises
        ------
        NotFittedError
            If the model is not fitted.
        ValueError
            If there is no teacher to ask, since ``fit`` was given its answers.
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
        """The class labels, sorted; shape (n_classes,). Of several labels their names, or else 0, 1, ..."""
        return self.student_.classes_

    @property
    def multilabel_(self) -> bool:
        """Whether it was fitted to several labels for each row, and not to one class."""
        return bool(getattr(self.student_, "multilabel_", False))

    @on_partitions
    def predict_proba(self, X: Any) -> Array:
        """Return the student's probability of each class, or of each of several labels.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; those of a frame in any order.

        Returns
        -------
        proba : ndarray of shape (n_rows, n_classes) or (n_rows, n_labels)
            Probabilities in the order of ``classes_``; each row sums to one, unless they are those of several labels.
        """
        return self._student_for(X).predict_proba(X)

    @on_partitions
    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of the student's probability of each class.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; those of a frame in any order.

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
            Rows with the columns seen in fit; those of a frame in any order.

        Returns
        -------
        logits : ndarray of shape (n_rows, n_classes), or (n_rows,) for two classes
            Logits; for two classes those of ``classes_[1]`` over ``classes_[0]``.
        """
        return self._student_for(X).decision_function(X)

    @on_partitions
    def predict(self, X: Any) -> Array:
        """Return the class that the student finds most probable, or the labels that it finds more likely than not.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; those of a frame in any order.

        Returns
        -------
        labels : ndarray of shape (n_rows,) or (n_rows, n_labels)
            Class labels; or one for each of several labels that the row has, and zero for the others.
        """
        return self._student_for(X).predict(X)
