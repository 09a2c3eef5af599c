"""What distillers of classifiers and of regressors have in common: from a teacher's answers to a fitted student."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from joblib import Memory
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_memory

from ._diagram import diagram
from ._face import Exportable
from ._judge import Judge
from ._recipe import Plan, prepare
from ._validation import (
    HasMethods,
    Interval,
    StrOptions,
    check_no_gaps,
    check_rows,
    check_weights,
    clone_keeping,
    has_gaps,
    not_fitted,
    routing_enabled,
    take_params,
    take_rows,
)
from .program import Program, column_names, in_order, is_frame
from .teacher import (
    check_columns,
    check_teachers,
    fit_teachers,
    kept_by_clone,
    members,
    needs_fit,
    stack,
    takes_gaps,
    weight_params,
)

Array = NDArray[Any]


class Distiller(Exportable, BaseEstimator):
    """A student that learns from a teacher; a subclass says what is answered: classes or numbers."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "teacher": "no_validation",
        "student": "no_validation",
        "alpha": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
        "augment": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "committee": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "cv": ["cv_object", StrOptions({"oob"})],
        "teacher_weights": ["array-like", None],
        "memory": [str, HasMethods(["cache"]), None],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    #: Whether it predicts numbers; what fit calls the answers given beforehand; what marks a row without a label.
    _regression: ClassVar[bool]
    _given_name: ClassVar[str]
    _no_label: ClassVar[str]
    _judge: ClassVar[Judge]

    teacher: Any
    student: Any
    alpha: float | str
    augment: float | str
    committee: int | str
    cv: Any
    teacher_weights: Any
    memory: str | Memory | None
    random_state: int | np.random.RandomState | None
    n_jobs: int | None
    verbose: int
    student_: Any
    teacher_: Any
    n_features_in_: int

    # what a subclass says

    def _new_student(self) -> Any:
        """Return a new student, not fitted."""
        raise NotImplementedError

    def _check_y(self, y: Any, n_rows: int) -> Array:
        """Return the labels, checked."""
        raise NotImplementedError

    def _check_given(self, given: Any, n_rows: int) -> Any:
        """Return answers that were given beforehand, checked."""
        raise NotImplementedError

    def _check_against_teacher(self, y: Array | None) -> None:
        """Refuse labels that the teacher does not know."""

    def _labelled(self, y: Array) -> Array:
        """Return the rows by which an unfitted teacher is fitted."""
        raise NotImplementedError

    def _check_enough(self, y: Array, counted: Array) -> None:
        """Refuse labels from which no teacher can learn."""

    def _ask(self, X: Any, n_rows: int) -> Any:
        """Return the answers of ``teacher_``."""
        raise NotImplementedError

    def _unseen(self, X: Any, y: Array | None, weight: Array | None) -> Any:
        """Return answers for rows that the teacher has not learnt from."""
        raise NotImplementedError

    def _targets(self, answers: Any, y: Array | None, weight: Array | None, X: Any) -> Any:
        """Return what the student has to fit."""
        raise NotImplementedError

    def _told(self, answers: Any, y: Array | None, targets: Any, X: Any) -> dict[str, Array]:
        """Return what the teacher says of further rows, by field of the targets."""
        raise NotImplementedError

    # what is the same for all

    def _fit(
        self, X: Any, y: Any, given: Any, X_unlabeled: Any, sample_weight: Any, fit_params: dict[str, Any]
    ) -> None:
        """Ask the teacher about the rows and fit the student to its answers and the labels."""
        plan, learnt, targets = self._planned(X, y, given, X_unlabeled, sample_weight, fit_params)
        lesson = prepare(plan, learnt, targets)
        self._ends_with(lesson.teach(plan.student), lesson.report, learnt)

    def _planned(
        self, X: Any, y: Any, given: Any, X_unlabeled: Any, sample_weight: Any, fit_params: dict[str, Any]
    ) -> tuple[Plan, Any, Any]:
        """Check what fit is given and ask the teacher; return how to distil, the rows and their targets."""
        student = self._new_student()
        rows = check_rows(self, X, reset=True, any_form=getattr(student, "any_form", False))
        # the teacher sees what the user gave, so long as that is rows at all
        X = X if hasattr(X, "shape") else rows
        weight = check_weights(sample_weight, rows)
        unfitted = any(needs_fit(one) for one in members(self.teacher))
        fits_teacher = unfitted and given is None
        if y is None and (fits_teacher or self.alpha not in (1, "auto")):
            reason = "labels are needed to fit the teacher" if fits_teacher else "labels are needed unless alpha=1"
            raise ValueError(
                f"y is None with alpha={self.alpha}; {reason}. This {type(self).__name__} estimator requires y to "
                "be passed, but the target y is None."
            )
        labels = None if y is None else self._check_y(y, rows.shape[0])
        answering = self.teacher is not None and (fits_teacher or not unfitted)
        more = self._more_rows(X, X_unlabeled, answering)
        learnt = rows if sparse.issparse(rows) else X
        if more is not None:
            learnt = stack(learnt, more)
        if hasattr(student, "check_learnable") and (weight is None or weight.all()):
            # what the student would refuse is refused before a teacher is fitted, or asked
            student.check_learnable(learnt)
        answers = self._answers(X, labels, weight, given, fit_params)
        targets = self._targets(answers, labels, weight, X)

        def ask_again(rows: Any) -> dict[str, Array]:
            return self._told(self._ask(rows, rows.shape[0]), labels, targets, rows)

        if more is not None:
            targets = targets.with_below(ask_again(more))
        plan = Plan(
            student,
            self._judge,
            ask_again if answering else None,
            self.alpha,
            getattr(self, "temperature", 1.0),
            self.augment,
            self.committee,
            self._seed(student),
            self.verbose,
            self.n_jobs,
        )
        return plan, learnt, targets

    def _ends_with(self, student: Any, report: dict[str, Any], learnt: Any) -> None:
        """Take a fitted student, and note what the rows that it has learnt from say of others."""
        self.student_, self.distillation_report_ = student, report
        # a teacher that has answered for rows with gaps takes them, whatever its tags say
        self._takes_gaps = get_tags(self).input_tags.allow_nan or has_gaps(self.student_, learnt)

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
                    f"{'None' if self.teacher is None else 'not fitted where there is ' + self._given_name}. Put the "
                    f"rows into X with {self._no_label} as their label, and their answers into {self._given_name}."
                )
        if more is None:
            return None
        if is_frame(X) != is_frame(more) or sparse.issparse(X) != sparse.issparse(more):
            raise ValueError(
                f"X_unlabeled is a {type(more).__name__} and X a {type(X).__name__}; they must be of one kind."
            )
        more = check_rows(self, more, reset=False, any_form=len(X.shape) == 1)
        return in_order(more, column_names(X)) if is_frame(more) else more

    def _answers(self, X: Any, y: Array | None, weight: Array | None, given: Any, fit_params: dict[str, Any]) -> Any:
        """Return the teacher's answers, from the teacher itself or as they were given."""
        n_rows = X.shape[0]
        if self.teacher is None and given is None:
            raise ValueError(
                f"{type(self).__name__} has no teacher: give it one (teacher=...), or give fit its answers "
                f"({self._given_name}=...)."
            )
        if self.teacher is not None:
            self._shares = check_teachers(self.teacher, self.teacher_weights, regression=self._regression)
            if len(X.shape) > 1:
                check_columns(self.teacher, X, self.n_features_in_)
        self._check_against_teacher(y)
        if fit_params and not any(needs_fit(one) for one in members(self.teacher)):
            raise TypeError(
                f"fit() got unexpected arguments {sorted(fit_params)}: they would go to an unfitted teacher's fit, and "
                "there is none."
            )
        self._origins = members(self.teacher)
        if given is not None:
            self.teacher_ = self.teacher
            return self._check_given(given, n_rows)
        self.teacher_, self._origins = self._fitted_teacher(X, y, weight, fit_params, check_memory(self.memory))
        return self._ask(X, n_rows) if self.cv is None else self._unseen(X, y, weight)

    def _fitted_teacher(
        self, X: Any, y: Array | None, weight: Array | None, fit_params: dict[str, Any], memory: Memory
    ) -> tuple[Any, list[Any]]:
        """Return the teacher, with clones of unfitted ones fitted on the labelled rows, and their origins."""
        teachers = members(self.teacher)
        if not any(needs_fit(one) for one in teachers):
            return self.teacher, teachers
        assert y is not None
        labelled = self._labelled(y)
        self._check_enough(y, labelled if weight is None else labelled[weight[labelled] > 0])
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

    def _asked(self, X: Any, given: Any) -> Any:
        """Return the answers of the fitted model's teacher for rows, or those that were given beforehand."""
        if "student_" not in self.__dict__:
            raise not_fitted(self)
        X = X if hasattr(X, "shape") else np.asarray(X)
        if given is not None:
            return self._check_given(given, X.shape[0])
        if self.teacher_ is None or any(needs_fit(one) for one in members(self.teacher_)):
            raise ValueError(
                f"There is no fitted teacher to ask: fit was given {self._given_name}. Give its answers for these rows "
                f"as {self._given_name} as well."
            )
        return self._ask(X, X.shape[0])

    def get_metadata_routing(self) -> MetadataRouter:
        """Say which metadata goes where.

        Returns
        -------
        routing : MetadataRouter
            ``sample_weight`` and the answers given beforehand are this estimator's own; an unfitted
            teacher's ``fit`` gets what it requests.
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        for name, one in zip(self._teacher_names(), members(self.teacher), strict=True):
            if needs_fit(one) and hasattr(one, "get_metadata_routing"):
                router.add(**{name: one}, method_mapping=MethodMapping().add(caller="fit", callee="fit"))
        return router

    def __sklearn_clone__(self) -> Any:
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

    def set_params(self, **params: Any) -> Any:
        """Set parameters.

        Parameters
        ----------
        **params : dict
            Values by name; ``student__...`` reaches a student that is an instance, ``teacher__...``
            a teacher that is not fitted.

        Returns
        -------
        self : object
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

    def _narrowed(self, tags: Any) -> Any:
        """Return tags, which scikit-learn's mixins have made, as teacher and student allow."""
        unfitted = any(needs_fit(one) for one in members(self.teacher))
        tags.target_tags.required = self.alpha != 1 and (self.alpha != "auto" or unfitted)
        # our students take whatever rows there are; what the teacher takes, or another student, is the limit
        both = [*members(self.teacher), self.student]
        limits = [get_tags(one).input_tags for one in both if isinstance(one, BaseEstimator)]
        for name in ("categorical", "sparse", "string"):
            setattr(tags.input_tags, name, all(getattr(one, name) for one in limits))
        tags.input_tags.allow_nan = all(takes_gaps(one) for one in both)
        return tags

    def _sk_visual_block_(self) -> Any:
        fitted = "student_" in self.__dict__
        teacher = getattr(self, "teacher_", self.teacher)
        return diagram(teacher, self.student_ if fitted else self.student, fitted=fitted)

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
