"""DistilledClassifier: the whole story, from a teacher's answers to a compact student."""

from __future__ import annotations

import os
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from joblib import Memory
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_memory

from ._recipe import Plan, distil, extended
from ._validation import (
    HasMethods,
    Interval,
    StrOptions,
    check_no_gaps,
    check_proba,
    check_rows,
    check_weights,
    clone_keeping,
    fit_context,
    has_gaps,
    not_fitted,
    routing_enabled,
    take_params,
    take_rows,
)
from .losses import Targets
from .program import Program, column_names, in_order, is_frame
from .student import make_student
from .teacher import (
    Answers,
    align,
    ask,
    check_columns,
    check_labels,
    check_teachers,
    fit_teachers,
    index_labels,
    is_unlabelled,
    kept_by_clone,
    known_classes,
    members,
    name_columns,
    needs_fit,
    soft_targets,
    stack,
    takes_gaps,
    unseen_answers,
    weight_params,
)

Array = NDArray[Any]


class DistilledClassifier(ClassifierMixin, BaseEstimator):
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
    verbose : int, default=0
        1 shows the student's progress.

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
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where they are all strings.

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

    See Also
    --------
    MLPStudent, LinearStudent, TreeStudent : The students, which also fit labels or soft targets by themselves.

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
        "teacher": "no_validation",
        "student": "no_validation",
        "temperature": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "alpha": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
        "augment": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "committee": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "cv": ["cv_object", StrOptions({"oob"})],
        "teacher_weights": ["array-like", None],
        "classes": ["array-like", None],
        "memory": [str, HasMethods(["cache"]), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    student_: Any
    teacher_: Any
    n_features_in_: int

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
        plan, learnt, targets = self._planned(X, y, teacher_proba, X_unlabeled, sample_weight, fit_params)
        self.student_, self.distillation_report_ = distil(plan, learnt, targets)
        self._ends_with(learnt)
        return self

    def _planned(
        self, X: Any, y: Any, teacher_proba: Any, X_unlabeled: Any, sample_weight: Any, fit_params: dict[str, Any]
    ) -> tuple[Plan, Any, Targets]:
        """Check what fit is given and ask the teacher; return how to distil, the rows and their targets."""
        student = self._new_student()
        rows = check_rows(self, X, reset=True, any_form=getattr(student, "any_form", False))
        # the teacher sees what the user gave, so long as that is rows at all
        X = X if hasattr(X, "shape") else rows
        weight = check_weights(sample_weight, rows)
        unfitted = any(needs_fit(one) for one in members(self.teacher))
        fits_teacher = unfitted and teacher_proba is None
        if y is None and (fits_teacher or self.alpha not in (1, "auto")):
            reason = "labels are needed to fit the teacher" if fits_teacher else "labels are needed unless alpha=1"
            raise ValueError(
                f"y is None with alpha={self.alpha}; {reason}. This DistilledClassifier estimator requires y to be "
                "passed, but the target y is None."
            )
        labels = None if y is None else check_labels(y, rows.shape[0])
        answering = self.teacher is not None and (fits_teacher or not unfitted)
        more = self._more_rows(X, X_unlabeled, answering)
        learnt = rows if sparse.issparse(rows) else X
        if more is not None:
            learnt = stack(learnt, more)
        answers = self._answers(X, labels, weight, teacher_proba, fit_params)
        targets = soft_targets(
            answers,
            labels,
            classes=self.classes,
            sample_weight=weight,
            temperature=1.0 if isinstance(self.temperature, str) else self.temperature,
            alpha=self.alpha,
        )

        classes = targets.classes

        def ask_again(rows: Any) -> Array:
            return align(name_columns(self._asked(rows), labels, self.classes), classes)

        if more is not None:
            targets = extended(targets, ask_again(more))
        plan = Plan(
            student,
            ask_again if answering else None,
            self.alpha,
            self.temperature,
            self.augment,
            self.committee,
            self._seed(student),
        )
        return plan, learnt, targets

    def _ends_with(self, learnt: Any) -> None:
        """Note what the rows that the student has learnt from say of others."""
        # a teacher that has answered for rows with gaps takes them, whatever its tags say
        self._takes_gaps = get_tags(self).input_tags.allow_nan or has_gaps(self.student_, learnt)

    def _asked(self, X: Any) -> Answers:
        """Return the teacher's answers for rows."""
        return ask(self.teacher_, self._shares, X, X.shape[0], check_memory(self.memory), self._origins)

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
        if "student_" not in self.__dict__:
            raise not_fitted(self)
        X = X if hasattr(X, "shape") else np.asarray(X)
        known = None if self.teacher_ is None else known_classes(self.teacher_)
        if teacher_proba is not None:
            answers = self._given(teacher_proba, X.shape[0], known)
        elif any(needs_fit(one) for one in members(self.teacher_)) or self.teacher_ is None:
            raise ValueError(
                "There is no fitted teacher to ask: fit was given teacher_proba. Give its answers for these rows as "
                "teacher_proba as well."
            )
        else:
            answers = self._asked(X)
        return align(
            name_columns(answers, None, self.classes_ if self.classes is None else self.classes), self.classes_
        )

    def _given(self, teacher_proba: Any, n_rows: int, known: Array | None) -> Answers:
        """Return answers that the teacher has given beforehand."""
        n_classes = None if known is None else len(known)
        proba = check_proba(teacher_proba, n_rows=n_rows, n_classes=n_classes, source="teacher_proba")
        # the columns of a single teacher are in its own order, those of several are sorted
        single = known is not None and not isinstance(self.teacher_, list | tuple)
        return Answers(proba, np.asarray(self.teacher_.classes_) if single else known)

    def _new_student(self) -> Any:
        temperature = 1.0 if isinstance(self.temperature, str) else self.temperature
        return make_student(self.student, temperature=temperature, random_state=self.random_state, verbose=self.verbose)

    def _seed(self, student: Any) -> int:
        """Return what seeds new rows and rows held out: of two seeds the user's for this, else the student's."""
        seed = self.random_state
        if seed is None:
            seed = student.get_params(deep=False).get("random_state")
        return int(check_random_state(seed).randint(2**31 - 1))

    def _more_rows(self, X: Any, more: Any, answering: bool) -> Any:
        """Return the rows without labels, as the teacher and the student can take them."""
        augmented = not isinstance(self.augment, str) and self.augment > 0
        if augmented and (sparse.issparse(X) or len(X.shape) != 2):
            raise ValueError(
                f"augment={self.augment} makes new rows of a table with dense columns; X is "
                f"{'sparse' if sparse.issparse(X) else 'no table'}. Use augment=0, and X_unlabeled for more rows."
            )
        for name, wanted in (("augment", augmented), ("X_unlabeled", more is not None)):
            if wanted and not answering:
                raise ValueError(
                    f"{name} needs a teacher to answer the rows, and teacher is "
                    f"{'None' if self.teacher is None else 'not fitted where there is teacher_proba'}. Put the rows "
                    "into X with -1 as their label, and their answers into teacher_proba."
                )
        if more is None:
            return None
        if is_frame(X) != is_frame(more) or sparse.issparse(X) != sparse.issparse(more):
            raise ValueError(
                f"X_unlabeled is a {type(more).__name__} and X a {type(X).__name__}; they must be of one kind."
            )
        more = check_rows(self, more, reset=False, any_form=len(X.shape) == 1)
        return in_order(more, column_names(X)) if is_frame(more) else more

    def _answers(
        self, X: Any, y: Array | None, weight: Array | None, teacher_proba: Any, fit_params: dict[str, Any]
    ) -> Answers:
        """Return the teacher's answers, from the teacher itself or as they were given."""
        n_rows = X.shape[0]
        if self.teacher is None and teacher_proba is None:
            raise ValueError(
                "DistilledClassifier has no teacher: give it one (teacher=...), or give fit its answers "
                "(teacher_proba=...)."
            )
        if self.teacher is not None:
            self._shares = check_teachers(self.teacher, self.teacher_weights)
            if len(X.shape) > 1:
                check_columns(self.teacher, X, self.n_features_in_)
        known = None if self.teacher is None else known_classes(self.teacher)
        if (
            known is not None
            and self.classes is not None
            and set(known.tolist()) != set(np.asarray(self.classes).tolist())
        ):
            raise ValueError(f"classes={self.classes} are not those of the teacher, which are {known.tolist()}.")
        if y is not None and known is not None:
            index_labels(y, known)
        if fit_params and not any(needs_fit(one) for one in members(self.teacher)):
            raise TypeError(
                f"fit() got unexpected arguments {sorted(fit_params)}: they would go to an unfitted teacher's fit, and "
                "there is none."
            )
        if teacher_proba is not None:
            self.teacher_ = self.teacher
            self._origins = members(self.teacher)
            return self._given(teacher_proba, n_rows, known)
        memory = check_memory(self.memory)
        self.teacher_, self._origins = self._fitted_teacher(X, y, weight, fit_params, memory)
        if self.cv is None:
            return ask(self.teacher_, self._shares, X, n_rows, memory, self._origins)
        return unseen_answers(self.teacher_, self._shares, X, y, weight, self.cv, memory, self._origins)

    def _fitted_teacher(
        self, X: Any, y: Array | None, weight: Array | None, fit_params: dict[str, Any], memory: Memory
    ) -> tuple[Any, list[Any]]:
        """Return the teacher, with clones of unfitted ones fitted on the labelled rows, and their origins."""
        teachers = members(self.teacher)
        if not any(needs_fit(one) for one in teachers):
            return self.teacher, teachers
        assert y is not None
        labelled = np.flatnonzero(~is_unlabelled(y, None, None))
        counted = labelled if weight is None else labelled[weight[labelled] > 0]
        classes = np.unique(y[counted])
        if len(classes) < 2:
            raise ValueError(
                f"y holds {len(classes)} class{'' if len(classes) == 1 else 'es'} in {len(counted)} labelled rows; an "
                "unfitted teacher needs two classes or more."
            )
        if routing_enabled():
            given = {} if weight is None else {"sample_weight": weight}
            routed = process_routing(self, "fit", **given, **fit_params)
            params = [dict(routed[name].fit) if name in routed else {} for name in self._teacher_names()]
        else:
            params = [{**fit_params, **weight_params(one, weight)} for one in teachers]
        if len(labelled) < len(y):
            params = [take_params(X, one, indices=labelled) for one in params]
            X, y = take_rows(X, labelled), y[labelled]
        return fit_teachers(self.teacher, X, y, params, memory)

    def _teacher_names(self) -> list[str]:
        if not isinstance(self.teacher, list | tuple):
            return ["teacher"]
        return [f"teacher_{index}" for index in range(len(self.teacher))]

    def get_metadata_routing(self) -> MetadataRouter:
        """Say which metadata goes where.

        Returns
        -------
        routing : MetadataRouter
            ``sample_weight`` and ``teacher_proba`` are this estimator's own; an unfitted teacher's
            ``fit`` gets what it requests.
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        for name, one in zip(self._teacher_names(), members(self.teacher), strict=True):
            if needs_fit(one) and hasattr(one, "get_metadata_routing"):
                router.add(**{name: one}, method_mapping=MethodMapping().add(caller="fit", callee="fit"))
        return router

    def __sklearn_clone__(self) -> DistilledClassifier:
        return clone_keeping(self, {"teacher": kept_by_clone(self.teacher)})

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters.

        Parameters
        ----------
        deep : bool, default=True
            Also those of the student and of an unfitted teacher. A fitted teacher's parameters are
            no parameters of this estimator: to change them would not refit it.

        Returns
        -------
        params : dict
            Values by name.
        """
        params = super().get_params(deep=deep)
        if deep and not needs_fit(self.teacher):
            params = {name: value for name, value in params.items() if not name.startswith("teacher__")}
        return params

    def set_params(self, **params: Any) -> DistilledClassifier:
        """Set parameters.

        Parameters
        ----------
        **params : dict
            Values by name; ``student__...`` reaches a student that is an instance, ``teacher__...``
            a teacher that is not fitted.

        Returns
        -------
        self : DistilledClassifier
            This estimator.

        Raises
        ------
        ValueError
            If a parameter does not exist, or belongs to a teacher that is fitted.
        """
        inner = [name for name in params if name.startswith("teacher__")]
        if inner and not needs_fit(params.get("teacher", self.teacher)):
            raise ValueError(
                f"{inner} cannot be set: the teacher is fitted, and another parameter would not refit it. Pass an "
                "unfitted teacher to search over its parameters."
            )
        return super().set_params(**params)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        unfitted = any(needs_fit(one) for one in members(self.teacher))
        tags.target_tags.required = self.alpha != 1 and (self.alpha != "auto" or unfitted)
        # our students take whatever rows there are; what the teacher takes, or another student, is the limit
        both = [*members(self.teacher), self.student]
        limits = [get_tags(one).input_tags for one in both if isinstance(one, BaseEstimator)]
        for name in ("categorical", "sparse", "string"):
            setattr(tags.input_tags, name, all(getattr(one, name) for one in limits))
        tags.input_tags.allow_nan = all(takes_gaps(one) for one in both)
        return tags

    @property
    def classes_(self) -> Array:
        """The class labels, sorted; shape (n_classes,)."""
        return self.student_.classes_

    @property
    def program_(self) -> Program:
        """The student's Program."""
        return self.student_.program_

    def _student_for(self, X: Any) -> Any:
        """Return the student, once it is clear that it may be asked about X."""
        if "student_" not in self.__dict__:
            raise not_fitted(self)
        if not self._takes_gaps:
            # a teacher that refuses missing numbers has taught nothing about them
            check_no_gaps(self.student_, X)
        return self.student_

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

    def export(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted student to a file, in the format that the suffix says.

        Parameters
        ----------
        path : path-like
            Ends in .skd (for ``skdistill.load``), .onnx, .c (beside which a .h is written) or .py.

        Raises
        ------
        ValueError
            If it ends otherwise.
        TypeError
            If the student is no Program, or one that the format does not know.
        OSError
            If the file cannot be written; nothing half-written is left behind.
        """
        from .export import to_file

        to_file(self, path)
