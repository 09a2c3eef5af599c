"""make_student: a new student from what the user passed; the last step of a Pipeline is made in the same way."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import is_regressor
from sklearn.pipeline import Pipeline

from ..._sklearn import copy_unfitted, has_fit_parameter
from ...losses import CrossEntropy, Loss, SquaredError, Targets, regression_loss_of
from ...tasks import Numbers, Task
from .._base import RegressorPart
from .._linear import LinearStudent, LinearStudentRegressor
from .._mlp import MLPStudent, MLPStudentRegressor
from .._protocol import Traits, traits_of
from .._tree import TreeStudent, TreeStudentRegressor
from ._base import AdaptedClassifierPart, AdaptedRegressorPart, SeededStudent, check_loss
from ._net import NetClassifier, is_net
from ._sample_weight import SampleWeightClassifier, SampleWeightRegressor

#: The students that have a name, each for classes and for numbers.
_NAMED: dict[str, tuple[Any, Any]] = {
    "additive": (partial(LinearStudent, numeric="piecewise"), partial(LinearStudentRegressor, numeric="piecewise")),
    "linear": (LinearStudent, LinearStudentRegressor),
    "mlp": (MLPStudent, MLPStudentRegressor),
    "tree": (TreeStudent, TreeStudentRegressor),
}


def make_student(
    student: Any,
    task: Task,
    *,
    temperature: float = 1.0,
    loss: Loss | None = None,
    random_state: int | np.random.RandomState | None = None,
    verbose: int = 0,
) -> Any:
    """Return a new, unfitted student of a task.

    Parameters
    ----------
    student : str or object
        What the user gave: a name, or an instance of a student, a classifier or regressor, a skorch net, a
        torch module, or a Pipeline that ends in one of these. It stays as it was.
    task : Task
        What its targets are.
    temperature : float, default=1.0
        What soft targets are softened by.
    loss : Loss, default=None
        The loss of a regressor's targets; None for classifiers, and for the squared error.
    random_state : int, RandomState instance or None, default=None
        Given to whatever in the student has a `random_state` that is None.
    verbose : int, default=0
        Given to a student that has a `verbose`, unless it is zero.

    Returns
    -------
    student : Student
        A new one; an estimator of another library is wrapped so that it fits targets.

    Raises
    ------
    TypeError
        If it is a class, or nothing that can be fitted.
    ValueError
        If it is not a known name, is of the other task, cannot learn from soft targets, or not with this
        temperature or loss, or has a parameter that is out of range.

    Warns
    -----
    UserWarning
        If it is a regressor of skdistill's with another loss of its own, which is not used.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skdistill.student import make_student
    >>> from skdistill.tasks import CLASSES, NUMBERS
    >>> make_student("mlp", NUMBERS, random_state=0)
    MLPStudentRegressor(random_state=0)
    >>> make_student(GaussianNB(), CLASSES)
    SampleWeightClassifier(estimator=GaussianNB())
    """
    if isinstance(student, str):
        if student not in _NAMED:
            raise ValueError(f"student must be one of {sorted(_NAMED)}; got {student!r}.")
        student = _named(student, task)
    student = copy_unfitted(adapted(student, task))
    check_loss(student, CrossEntropy(temperature) if loss is None else loss)
    for name, value in student.get_params(deep=True).items():
        if name.rpartition("__")[2] == "random_state" and value is None and random_state is not None:
            student.set_params(**{name: random_state})
    if verbose and "verbose" in student.get_params(deep=False):
        student.set_params(verbose=verbose)
    if hasattr(student, "_parameter_constraints"):
        # raised before a teacher is asked, with the student's own message
        student._validate_params()
    if isinstance(student, RegressorPart) and student.loss != "squared_error":
        own, used = regression_loss_of(student.loss), SquaredError() if loss is None else loss
        # a loss that is no dataclass does not equal its own copy
        if type(own) is not type(used) or (hasattr(own, "__dataclass_fields__") and own != used):
            warnings.warn(
                f"loss={student.loss!r} of student {type(student).__name__} is not used: the distiller's loss counts, "
                f"{used!r}. Give it to the distiller: DistilledRegressor(loss={student.loss!r}).",
                stacklevel=2,
            )
            student.set_params(loss=used)
    return student


def instance_of(name: str, task: Task) -> str:
    """Return the expression that makes the student of a name, for messages: "MLPStudent()"."""
    return repr(_named(name if name in _NAMED else "mlp", task))


def _named(name: str, task: Task) -> Any:
    return _NAMED[name][_is_regression(task)]()


def _is_regression(task: Task) -> bool:
    # a task that is derived from one of the two has the same students
    return isinstance(task, Numbers)


def adapted(student: Any, task: Task) -> Any:
    """Return what fits targets in the place of `student`: itself if it does, else what wraps it."""
    numbers = _is_regression(task)
    if isinstance(student, type):
        raise TypeError(f"student is the class {student.__name__}; expected an instance of it.")
    if isinstance(student, Pipeline):
        # raises here if its last step cannot learn
        adapted(student.steps[-1][1] if student.steps else None, task)
        return PipelineRegressor(student) if numbers else PipelineClassifier(student)
    return _adapted_regressor(student) if numbers else _adapted_classifier(student)


def _adapted_classifier(student: Any) -> Any:
    name = type(student).__name__
    if hasattr(student, "fit_targets"):
        if is_regressor(student):
            raise ValueError(f"student {name} is a regressor; expected a classifier, or DistilledRegressor.")
        return student
    if is_net(student):
        return NetClassifier(student)
    if not hasattr(student, "fit"):
        raise TypeError(
            f"student={student!r} cannot take soft targets; expected one of {sorted(_NAMED)}, or an "
            "instance of one of skdistill's students, of a classifier with predict_proba and sample_weight, of a "
            "skorch net or torch module, or of a Pipeline that ends in one of these."
        )
    if not hasattr(student, "predict_proba"):
        raise ValueError(
            f"student {name} has no predict_proba, and so no soft targets to learn. If it is a classifier, wrap it in "
            "CalibratedClassifierCV."
        )
    if not has_fit_parameter(student, "sample_weight"):
        raise ValueError(
            f"student {name} cannot take soft targets: they reach a classifier as the weights of its rows, and its fit "
            f"has no sample_weight. Use a classifier that has, or one of {sorted(_NAMED)}."
        )
    return SampleWeightClassifier(student)


def _adapted_regressor(student: Any) -> Any:
    name = type(student).__name__
    if is_net(student):
        raise ValueError(
            f"student {name} is a net, which learns classes alone; use MLPStudentRegressor, or one of {sorted(_NAMED)}."
        )
    if not (hasattr(student, "fit") and hasattr(student, "predict")):
        raise TypeError(
            f"student={student!r} cannot learn from a regressor; expected one of {sorted(_NAMED)}, or an "
            "instance of one of skdistill's regression students, of a regressor, or of a Pipeline that ends in one of "
            "these."
        )
    if hasattr(student, "predict_proba"):
        raise ValueError(f"student {name} is a classifier; expected a regressor, or DistilledClassifier.")
    return student if hasattr(student, "fit_targets") else SampleWeightRegressor(student)


class PipelinePart(SeededStudent):
    """How a Pipeline is fitted: its transformers on rows and labels, its last step on what they make of the rows.

    Where a row has no label, the transformers are given the teacher's answer for it. The rows need not be a
    table: what the first transformer takes will do, texts for one.

    Parameters
    ----------
    estimator : Pipeline
        Its last step fits targets, or is adapted.
    random_state : int, RandomState instance or None, default=None
        Given to the last step where it has a `random_state` that is None.
    verbose : int, default=0
        Given to the last step if it has a `verbose`.
    """

    @property
    def _traits(self) -> Traits:
        """Those of the last step, which neither validates itself here nor is scaled, for rows of any form."""
        last = adapted(self.estimator.steps[-1][1], self._task)
        return replace(traits_of(last), any_form=True, in_epochs=False, scalable=False, several_labels=False)

    @property
    def _name(self) -> str:
        return f"Pipeline({' -> '.join(type(step).__name__ for _, step in self.estimator.steps)})"

    def _fit(self, X: Any, targets: Targets) -> Any:
        *before, (name, last) = self.estimator.steps
        steps: list[Any] = []
        if before:
            front = copy_unfitted(self.estimator[:-1])
            X = front.fit_transform(X, targets.as_y())
            steps = list(front.steps)
        given: dict[str, Any] = {"random_state": self.random_state, "verbose": self.verbose}
        student = make_student(last, targets.task, loss=targets.loss, **given)
        return Pipeline([*steps, (name, student.fit_targets(X, targets))])


class PipelineClassifier(AdaptedClassifierPart, PipelinePart):
    """A Pipeline that ends in a classifier; see :class:`PipelinePart` for its parameters."""


class PipelineRegressor(AdaptedRegressorPart, PipelinePart):
    """A Pipeline that ends in a regressor; see :class:`PipelinePart` for its parameters."""
