"""DistilledClassifier: the whole story, from a teacher's answers to a compact student."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from joblib import Memory
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_memory

from ._distiller import Distiller
from ._judge import ClassJudge
from ._validation import Interval, StrOptions, fit_context
from .losses import Targets
from .student import make_student
from .teacher import (
    Answers,
    align,
    ask,
    check_labels,
    given_answers,
    index_labels,
    is_unlabelled,
    known_classes,
    name_columns,
    soft_targets,
    unseen_answers,
)

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
        What learns: a LinearStudent ("additive": with ``numeric="piecewise"``), an MLPStudent, a
        TreeStudent, or an instance, whose parameters can then be searched as
        ``student__hidden_layer_sizes``. The instance may also be a classifier with
        ``predict_proba`` whose ``fit`` takes ``sample_weight``, a skorch net, a torch module that
        returns logits, or a Pipeline that ends in any of these; such a student has no Program. A
        classifier learns from each row once for each class, weighted by the class's share, at
        temperature 1 alone; its parameters that count rows still mean rows. A Pipeline may take
        rows that are no table, such as texts.
    temperature : float or "auto", default=1.0
        Softens teacher and student in the first term; above 1, small probabilities count for more.
        "auto" chooses among 1, 2 and 4 on rows held out.
    alpha : float or "auto", default="auto"
        The share of the teacher's term, 0 to 1. At 1 no labels are needed; at 0 the student learns
        from labels alone. "auto" follows the recipe in the notes; without labels it is 1, and with
        fewer than 100 of them 0.5.
    augment : float or "auto", default="auto"
        New rows for each row there is, made between neighbours and answered by the teacher; 0 for
        none. "auto" leaves it to the recipe, and is 0 where `alpha` is a number.
    committee : int or "auto", default="auto"
        How many students, fitted on labels alone, stand in for the labels; 0 for none. "auto"
        leaves it to the recipe, and is 0 where `alpha` is a number.
    cv : int, cross-validation generator, iterable, "oob" or None, default=None
        Where the teacher's answers come from. None asks the teacher as it is, which may have seen
        the rows. An int or a generator cross-fits: clones of the teacher are fitted on folds of the
        labelled rows and each is asked about the rows that it has not seen. "oob" takes the
        out-of-bag answers of a forest that was fitted on these rows with ``oob_score=True``.
    teacher_weights : sequence of float, default=None
        Weights of a list of teachers; None averages them evenly.
    classes : array-like of shape (n_classes,), default=None
        The labels of the answers' columns, for a teacher that does not say them (a callable, or
        `teacher_proba`). None takes the sorted labels of `y`.
    memory : str or joblib.Memory, default=None
        Where to keep fitted teachers and their answers, so that a grid over temperature and alpha
        asks the teacher once for each fold.
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
        The fitted student, a classifier by itself. What was adapted is its ``estimator_``, fitted
        on the classes' indices.
    teacher_ : estimator, callable, list or None
        The teacher that was asked: the given one if fitted, else the fitted clone. With
        ``teacher_proba`` none was asked, and it is the given one.
    classes_ : ndarray of shape (n_classes,)
        The class labels, sorted: all that the teacher knows.
    program_ : Program
        The student's Program; ``program_(X)`` is the bare, unchecked ``predict_proba``. An adapted
        student has none.
    distillation_report_ : dict
        What was done: ``alpha`` and ``temperature``; ``n_rows``, ``n_labelled``, ``n_new`` (new
        rows made) and ``n_committee``; ``teacher_ahead``, the teacher's accuracy on the labelled
        rows less that of students which have not seen them (None without a committee); and
        ``logit_scale``, what the student's logits were multiplied by in the end. Where alpha
        or temperature was chosen also ``n_held_out``; ``candidates``, a dict for each choice with
        its ``log_loss``, ``accuracy`` and ``agreement`` with the teacher on the rows held out; and
        the same scores of the choice that was taken (``distilled``, before it was fitted again to
        all rows), of ``labels_only`` students, and of the ``teacher``, which may know these rows.
    n_features_in_ : int
        Number of columns seen in fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where they are all strings.

    See Also
    --------
    MLPStudent, LinearStudent, TreeStudent : The students, which also fit labels or soft targets by themselves.

    Notes
    -----
    The recipe of ``alpha="auto"`` holds a tenth of the labelled rows out (of fewer than 1,000 rows
    up to a fifth). With an MLPStudent it then

    1. seats a committee: 5 students (10 for fewer than 2,000 rows), each fitted to the labels of
       all folds but one. Their mean answer takes the labels' place in the second term, so that no
       label is learnt by heart. On its own fold each shows what labels alone are worth.
    2. asks how far the teacher is ahead of that. A teacher that is ahead by more than 0.15 in
       accuracy on rows that it was perhaps fitted on has learnt them by heart. It gets a share of
       0.25, any other 0.5; a smaller share, or none (``alpha`` 0), is taken where it is clearly
       better, by more than one standard error, on the rows held out. A teacher that was fitted on
       these rows has seen their labels too, which is why no larger share is tried.
    3. makes new rows between neighbours, up to 5 for each, unless the teacher has learnt by heart,
       and has teacher and committee answer them: MUNGE (Bucila, Caruana and Niculescu-Mizil, 2006).
    4. fits the student to all rows, with the new ones only if that was no worse on the rows held
       out. If the teacher has not learnt by heart, logits are multiplied by what is clearly best on
       those rows: forests are less sure of themselves than they could be.

    Other students take the alpha among 0.5, 1 and 0 that has the lowest log-loss on the rows held
    out, and are fitted again to all rows.

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

    _regression = False
    _given_name = "teacher_proba"
    _no_label = "-1"
    _judge = ClassJudge()

    def __init__(
        self,
        teacher: Any = None,
        *,
        student: Any = "mlp",
        temperature: float | str = 1.0,
        alpha: float | str = "auto",
        augment: float | str = "auto",
        committee: int | str = "auto",
        cv: Any = None,
        teacher_weights: Any = None,
        classes: ArrayLike | None = None,
        memory: str | Memory | None = None,
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.teacher = teacher
        self.student = student
        self.temperature = temperature
        self.alpha = alpha
        self.augment = augment
        self.committee = committee
        self.cv = cv
        self.teacher_weights = teacher_weights
        self.classes = classes
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
        teacher_proba: ArrayLike | None = None,
        X_unlabeled: Any = None,
        sample_weight: ArrayLike | None = None,
        **fit_params: Any,
    ) -> DistilledClassifier:
        """Ask the teacher about the rows and fit the student to its answers and the labels.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            The rows, raw; the teacher sees them as they are given, and the student encodes them
            itself.
        y : array-like of shape (n_rows,), default=None
            Class labels; -1 marks a row without one, unless -1 is one of the teacher's classes
            (with an unfitted teacher, -1 counts as a class where there is only one other).
            None if the teacher is fitted and `alpha` is 1 or "auto".
        teacher_proba : array-like of shape (n_rows, n_classes), default=None
            The teacher's answers, if it has been asked already. The columns are in the order of
            the teacher's ``classes_``, or of `classes`, or of the sorted labels.
        X_unlabeled : array-like, sparse matrix or frame of shape (n_more, n_columns), default=None
            More rows, without labels, for the teacher to answer: the best there is to learn from.
            (A grid search takes its folds of them where they are as many as those of `X`.)
        sample_weight : array-like of shape (n_rows,), default=None
            Non-negative weights, for the student and for an unfitted teacher that takes them.
        **fit_params : dict
            Further arguments of an unfitted teacher's ``fit``.

        Returns
        -------
        self : DistilledClassifier
            The fitted model.

        Raises
        ------
        ValueError
            If rows, labels, weights or the teacher's answers are not what they must be; the
            message says which and where.
        """
        self._fit(X, y, teacher_proba, X_unlabeled, sample_weight, fit_params)
        return self

    def _new_student(self) -> Any:
        temperature = 1.0 if isinstance(self.temperature, str) else self.temperature
        return make_student(self.student, temperature=temperature, random_state=self.random_state, verbose=self.verbose)

    def _check_y(self, y: Any, n_rows: int) -> Array:
        return check_labels(y, n_rows)

    def _check_against_teacher(self, y: Array | None) -> None:
        known = None if self.teacher is None else known_classes(self.teacher)
        if (
            known is not None
            and self.classes is not None
            and set(known.tolist()) != set(np.asarray(self.classes).tolist())
        ):
            raise ValueError(f"classes={self.classes} are not those of the teacher, which are {known.tolist()}.")
        if y is not None and known is not None:
            index_labels(y, known)

    def _check_given(self, given: Any, n_rows: int) -> Answers:
        return given_answers(self.teacher_, given, n_rows)

    def _labelled(self, y: Array) -> Array:
        return np.flatnonzero(~is_unlabelled(y, None, None))

    def _check_enough(self, y: Array, counted: Array) -> None:
        classes = np.unique(y[counted])
        if len(classes) < 2:
            raise ValueError(
                f"y holds {len(classes)} class{'' if len(classes) == 1 else 'es'} in {len(counted)} labelled rows; an "
                "unfitted teacher needs two classes or more."
            )

    def _ask(self, X: Any, n_rows: int) -> Answers:
        return ask(self.teacher_, self._shares, X, n_rows, check_memory(self.memory), self._origins)

    def _unseen(self, X: Any, y: Array | None, weight: Array | None) -> Answers:
        memory = check_memory(self.memory)
        return unseen_answers(self.teacher_, self._shares, X, y, weight, self.cv, memory, self._origins)

    def _targets(self, answers: Answers, y: Array | None, weight: Array | None, X: Any) -> Targets:
        return soft_targets(
            answers,
            y,
            classes=self.classes,
            sample_weight=weight,
            temperature=1.0 if isinstance(self.temperature, str) else self.temperature,
            alpha=self.alpha,
        )

    def _told(self, answers: Answers, y: Array | None, targets: Targets, X: Any) -> dict[str, Array]:
        return {"proba": align(name_columns(answers, y, self.classes), targets.classes)}

    def ask_teacher(self, X: Any, *, teacher_proba: ArrayLike | None = None) -> Array:
        """Return the teacher's probability of each class, to compare the student's with.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows, as the teacher takes them.
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
        answers = self._asked(X, teacher_proba)
        names = self.classes_ if self.classes is None else self.classes
        return align(name_columns(answers, None, names), self.classes_)

    def __sklearn_tags__(self) -> Any:
        return self._narrowed(super().__sklearn_tags__())

    @property
    def classes_(self) -> Array:
        """The class labels, sorted; shape (n_classes,)."""
        return self.student_.classes_

    def predict_proba(self, X: Any) -> Array:
        """Return the student's probability of each class.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; those of a frame in any order.

        Returns
        -------
        proba : ndarray of shape (n_rows, n_classes)
            Probabilities in the order of ``classes_``; each row sums to one.
        """
        return self._student_for(X).predict_proba(X)

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

    def predict(self, X: Any) -> Array:
        """Return the class that the student finds most probable.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; those of a frame in any order.

        Returns
        -------
        labels : ndarray of shape (n_rows,)
            Class labels.
        """
        return self._student_for(X).predict(X)
