"""The base of the distillers: parameters, clone, metadata routing, tags, and calls of teacher and student."""

from __future__ import annotations

import copy
import os
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from joblib import Memory
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

from .._checks import check_complete, columns_as_in_fit
from .._sklearn import HasMethods, Interval, Options, StrOptions, clone_keeping, not_fitted
from ..losses import Loss
from ..model import Exportable
from ..program import Program
from ..student import instance_of
from ..tasks import Task
from ..teacher import Teacher, asks_for_fit
from ._diagram import diagram
from ._story import AlignedTeacher

Array = NDArray[Any]


class Distiller(Exportable, BaseEstimator):
    """An estimator that fits a student to a teacher; a subclass names its task."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "teacher": "no_validation",
        "student": "no_validation",
        "alpha": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
        "augment": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "label_ensemble": [Options(Integral, {0}), Interval(Integral, 2, None, closed="left"), StrOptions({"auto"})],
        "cv": ["cv_object", StrOptions({"oob", "prefit"})],
        "monotonic_cst": ["array-like", dict, StrOptions({"teacher"}), None],
        "teacher_weights": ["array-like", None],
        "memory": [str, HasMethods(["cache"]), None],
        "spool": [str, os.PathLike, None],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    #: What it distils.
    _task: ClassVar[Task]

    teacher: Any
    student: Any
    alpha: float | str
    augment: float | str
    label_ensemble: int | str
    cv: Any
    monotonic_cst: Any
    teacher_weights: Any
    memory: str | Memory | None
    spool: str | os.PathLike[str] | None
    random_state: int | np.random.RandomState | None
    n_jobs: int | None
    verbose: int
    student_: Any
    teacher_: Any
    alpha_: float
    distillation_report_: dict[str, Any]
    n_features_in_: int
    _aligned_teacher: AlignedTeacher
    _takes_missing: bool

    def _loss(self) -> Loss:
        """Return the loss of a row."""
        raise NotImplementedError

    def _ask_teacher(self, X: Any, given: Any) -> Array:
        """Return the teacher's answers for rows, or those given beforehand, with columns in the student's order."""
        if "student_" not in self.__dict__:
            raise not_fitted(self)
        aligned = self._aligned_teacher
        X = X if hasattr(X, "shape") else np.asarray(X)
        if given is not None:
            names = getattr(self, "classes", None)
            return aligned.aligned(aligned.teacher.given(given, X.shape[0], names, aligned.order))
        if not aligned.teacher.can_answer:
            raise ValueError(
                f"There is no fitted teacher, because {self._task.given} was passed to fit. Pass the teacher's "
                f"predictions for these rows as {self._task.given} too."
            )
        # a callable may read columns by position
        return aligned.ask(columns_as_in_fit(self, X))

    def _student_for(self, X: Any) -> Any:
        """Return the student, once it is clear that it may answer for X."""
        if "student_" not in self.__dict__:
            raise not_fitted(self)
        if not self._takes_missing:
            check_complete(self.student_, X)
        return self.student_

    def _to_predict(self) -> Any:
        """Return what predicts alike, without the teacher: what is sent to the workers of a cluster."""
        model = copy.copy(self)
        model.teacher = None
        for name in ("teacher_", "_aligned_teacher"):
            model.__dict__.pop(name, None)
        return model

    @property
    def program_(self) -> Program:
        """The student's Program."""
        return self.student_.program_

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the metadata routing of this estimator.

        Returns
        -------
        routing : MetadataRouter
            This estimator requests ``sample_weight`` and precomputed predictions of the teacher. Teachers that are
            fitted, and a splitter passed as `cv`, get the metadata that they request, such as ``groups``.
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        folds = self.cv is not None and not isinstance(self.cv, str)
        for name, model in Teacher.routed_names(self.teacher):
            if (folds or asks_for_fit(model)) and hasattr(model, "get_metadata_routing"):
                router.add(**{name: model}, method_mapping=MethodMapping().add(caller="fit", callee="fit"))
        if folds and hasattr(self.cv, "get_metadata_routing"):
            router.add(cv=self.cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))
        return router

    def __sklearn_clone__(self) -> Any:
        return clone_keeping(self, {"teacher": Teacher.for_clone(self.teacher)})

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of the student and of an unfitted teacher. Those of a fitted teacher are
            never included, because changing them would not refit it.

        Returns
        -------
        params : dict
            Values by name.
        """
        params = super().get_params(deep=deep)
        if deep and not asks_for_fit(self.teacher):
            params = {name: value for name, value in params.items() if not name.startswith("teacher__")}
        return params

    def set_params(self, **params: Any) -> Any:
        """Set parameters.

        Parameters
        ----------
        **params : dict
            Values by name. ``student__...`` sets parameters of a student that is an instance, ``teacher__...`` those of
            an unfitted teacher.

        Returns
        -------
        self : object
            This estimator.

        Raises
        ------
        ValueError
            If a parameter does not exist, or belongs to a fitted teacher or to a student that is given by name.
        """
        names = {name: params.get(name, getattr(self, name)) for name in ("teacher", "student")}
        inner = [name for name in params if name.startswith("teacher__")]
        if inner and isinstance(names["teacher"], list | tuple):
            raise ValueError(f"{inner} cannot be set: teacher is a list, which has no parameters. Set teacher itself.")
        if inner and not asks_for_fit(names["teacher"]):
            raise ValueError(
                f"{inner} cannot be set: the teacher is fitted, and another parameter would not refit it. Pass an "
                "unfitted teacher to search over its parameters."
            )
        inner = [name for name in params if name.startswith("student__")]
        if inner and isinstance(names["student"], str):
            raise ValueError(
                f"{inner} cannot be set: student={names['student']!r} is a name and has no parameters. Give the "
                f"instance: student={instance_of(names['student'], self._task)}."
            )
        return super().set_params(**params)

    def _limited(self, tags: Any) -> Any:
        """Return tags, which scikit-learn's mixins have made, as teacher and student allow."""
        unfitted = asks_for_fit(self.teacher)
        tags.target_tags.required = self.alpha != 1 and (self.alpha != "auto" or unfitted)
        # our students take whatever rows there are; what the teacher takes, or another student, is the limit
        limits = Teacher.input_tags(self.teacher) + Teacher.input_tags(self.student)
        for name in ("categorical", "sparse", "string"):
            setattr(tags.input_tags, name, all(getattr(one.input_tags, name) for one in limits))
        tags.input_tags.allow_nan = Teacher.may_take_missing(self.teacher) and Teacher.may_take_missing(self.student)
        tags.target_tags.multi_output &= all(one.target_tags.multi_output for one in limits)
        return tags

    def _sk_visual_block_(self) -> Any:
        fitted = "student_" in self.__dict__
        teacher = getattr(self, "teacher_", self.teacher)
        return diagram(teacher, self.student_ if fitted else self.student, fitted=fitted)
