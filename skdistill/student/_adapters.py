"""Students that are not ours: any classifier, a skorch net or torch module, a Pipeline that ends in a student."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_regressor
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array, check_random_state

from .._validation import (
    InvalidParameterError,
    copy_unfitted,
    has_fit_parameter,
    take_rows,
)
from ..losses import Targets, softmax
from ._adapted import AdaptedClassifier, AdaptedRegressor, RegressorStudent
from ._base import BaseStudent
from ._growth import on_grid
from ._linear import LinearStudent
from ._mlp import MLPStudent
from ._regressors import LinearStudentRegressor, MLPStudentRegressor, TreeStudentRegressor
from ._tree import TreeStudent

Array = NDArray[Any]

#: The students that have a name.
STUDENTS: dict[str, Callable[[], BaseStudent]] = {
    "additive": partial(LinearStudent, numeric="piecewise"),
    "linear": LinearStudent,
    "mlp": MLPStudent,
    "tree": TreeStudent,
}

#: Those of regressors.
REGRESSORS: dict[str, Callable[[], BaseStudent]] = {
    "additive": partial(LinearStudentRegressor, numeric="piecewise"),
    "linear": LinearStudentRegressor,
    "mlp": MLPStudentRegressor,
    "tree": TreeStudentRegressor,
}

#: Parameters that count rows, in scikit-learn, LightGBM and CatBoost.
_ROW_COUNTS = {
    "max_samples",
    "min_child_samples",
    "min_data",
    "min_data_in_leaf",
    "min_data_per_group",
    "min_data_per_leaf",
    "min_samples_leaf",
    "min_samples_split",
}


def make_student(
    student: Any,
    *,
    temperature: float = 1.0,
    random_state: int | np.random.RandomState | None = None,
    verbose: int = 0,
    regression: bool = False,
) -> Any:
    """Return a new, unfitted student that takes a teacher's answers.

    Parameters
    ----------
    student : str or object
        What the user gave: a name, or an instance of a student, a classifier, a skorch net, a torch
        module, or a Pipeline that ends in one of these. It stays as it was.
    temperature : float, default=1.0
        What the targets are softened by.
    random_state : int, RandomState instance or None, default=None
        Given to whatever in the student has a `random_state` that is None.
    verbose : int, default=0
        Given to a student that has a `verbose`, unless it is zero.
    regression : bool, default=False
        Whether it is to predict numbers, and not classes.

    Returns
    -------
    student : estimator
        With ``fit_targets``.

    Raises
    ------
    InvalidParameterError
        (a ValueError and a TypeError) If it is none of these, or cannot learn from soft targets,
        or not at this temperature.
    """
    if isinstance(student, str):
        named = REGRESSORS if regression else STUDENTS
        if student not in named:
            raise InvalidParameterError(f"student must be one of {sorted(named)}; got {student!r}.")
        student = named[student]()
    student = copy_unfitted(_adapted_regressor(student) if regression else _adapted(student))
    if temperature != 1 and not getattr(student, "softens", True):
        raise InvalidParameterError(student.cannot_soften(temperature))
    for name, value in student.get_params(deep=True).items():
        if name.rpartition("__")[2] == "random_state" and value is None and random_state is not None:
            student.set_params(**{name: random_state})
    if verbose and "verbose" in student.get_params(deep=False):
        student.set_params(verbose=verbose)
    if hasattr(student, "_parameter_constraints"):
        # said before a teacher is asked, and by the student's own message
        student._validate_params()
    return student


def _adapted(student: Any) -> Any:
    """Return what takes soft targets in the place of `student`: often itself."""
    if isinstance(student, type):
        raise InvalidParameterError(f"student is the class {student.__name__}; needed is an instance of it.")
    if hasattr(student, "fit_targets"):
        if is_regressor(student):
            raise InvalidParameterError(
                f"student {type(student).__name__} is a regressor; needed is a classifier, or DistilledRegressor."
            )
        return student
    if isinstance(student, Pipeline):
        # refused here if its last step cannot learn
        _adapted(student.steps[-1][1] if student.steps else None)
        return PipelineStudent(student)
    if _is_net(student):
        return NetStudent(student)
    name = type(student).__name__
    if not hasattr(student, "fit"):
        raise InvalidParameterError(
            f"student={student!r} cannot take soft targets; needed is one of {sorted(STUDENTS)}, or an instance of one "
            "of skdistill's students, of a classifier with predict_proba and sample_weight, of a skorch net or torch "
            "module, or of a Pipeline that ends in one of these."
        )
    if not hasattr(student, "predict_proba"):
        raise InvalidParameterError(
            f"student {name} has no predict_proba, and so no soft targets to learn. If it is a classifier, wrap it in "
            "CalibratedClassifierCV."
        )
    if not has_fit_parameter(student, "sample_weight"):
        raise InvalidParameterError(
            f"student {name} cannot take soft targets: they reach a classifier as the weights of its rows, and its fit "
            f"has no sample_weight. Use a classifier that has, or one of {sorted(STUDENTS)}."
        )
    return ClassifierStudent(student)


def _adapted_regressor(student: Any) -> Any:
    """Return what takes a regressor's answers in the place of `student`: often itself."""
    if isinstance(student, type):
        raise InvalidParameterError(f"student is the class {student.__name__}; needed is an instance of it.")
    if isinstance(student, Pipeline):
        _adapted_regressor(student.steps[-1][1] if student.steps else None)
        return RegressorPipelineStudent(student)
    name = type(student).__name__
    if _is_net(student):
        raise InvalidParameterError(
            f"student {name} is a net, which learns classes alone; use MLPStudentRegressor, or one of "
            f"{sorted(REGRESSORS)}."
        )
    if not (hasattr(student, "fit") and hasattr(student, "predict")):
        raise InvalidParameterError(
            f"student={student!r} cannot learn from a regressor; needed is one of {sorted(REGRESSORS)}, or an instance "
            "of one of skdistill's students of regressors, of a regressor, or of a Pipeline that ends in one of these."
        )
    if hasattr(student, "predict_proba"):
        raise InvalidParameterError(f"student {name} is a classifier; needed is a regressor, or DistilledClassifier.")
    return student if hasattr(student, "fit_targets") else RegressorStudent(student)


def _is_net(student: Any) -> bool:
    """Tell a skorch net or torch module by its ancestors, without importing either package."""
    ancestors = {f"{one.__module__}.{one.__qualname__}" for one in type(student).__mro__}
    return not ancestors.isdisjoint({"skorch.net.NeuralNet", "torch.nn.modules.module.Module"})


class ClassifierStudent(AdaptedClassifier):
    """Any classifier: each row is there once for each class, weighted by the share of that class.

    The cross-entropy with weighted copies is that with the soft targets. `estimator_` knows the
    classes by their index in `classes_`. No copy has less than 4e-6 of its row's weight, so that
    each row has all its copies, and parameters that count rows are multiplied by the number of
    classes: ``min_samples_leaf`` still means rows. What a classifier draws or holds out by itself,
    a forest's bootstrap or the rows for early stopping, it draws from the copies.

    Parameters
    ----------
    estimator : classifier
        With ``predict_proba``, and a ``fit`` that takes ``sample_weight``.
    """

    @property
    def softens(self) -> bool:
        """Not by the temperature: it is asked for one answer."""
        return False

    def _fit(self, X: Any, targets: Targets) -> Any:
        classifier = copy_unfitted(self.estimator)
        params = classifier.get_params(deep=True)
        n_classes = targets.n_classes
        counted: dict[str, Any] = {
            name: n_classes * value
            for name, value in params.items()
            if name.rpartition("__")[2] in _ROW_COUNTS and isinstance(value, int) and not isinstance(value, bool)
        }
        class_weight = params.get("class_weight")
        if class_weight == "balanced" or isinstance(class_weight, dict):
            # the copies have every class once for each row: there is nothing to balance by, and no label to look up
            counted["class_weight"] = None
        else:
            class_weight = None
        if counted:
            classifier.set_params(**counted)
        n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
        terms = targets.terms(n_rows, class_weight)
        weight = terms.soft * terms.soft_weight[:, None] + terms.label_mass()
        # in sample weights, which is what a penalty such as C is measured against
        weight *= terms.total_weight / n_rows
        mass = weight.sum(axis=1)
        rows = np.flatnonzero(mass > 0)
        weight = on_grid(weight[rows] / mass[rows, None]) * on_grid(mass[rows])[:, None]
        copies = take_rows(X, np.repeat(rows, n_classes))
        return classifier.fit(copies, np.tile(np.arange(n_classes), len(rows)), sample_weight=weight.ravel())

    def _proba(self, X: Any) -> Array:
        proba = np.asarray(self.estimator_.predict_proba(X), dtype=np.float64)
        return proba / proba.sum(axis=1, keepdims=True)


class NetStudent(AdaptedClassifier):
    """A skorch net or a torch module, trained on the distillation loss; its rows are float32.

    A net is trained as it says itself (optimizer, epochs, callbacks), but for its loss. Its module
    returns what its criterion makes of it: probabilities for NLLLoss in a NeuralNetClassifier and
    for BCELoss, logits for anything else. A module returns logits, and is trained from the weights
    that it has, with AdamW and early stopping, on one thread.

    Parameters
    ----------
    estimator : skorch.NeuralNet or torch.nn.Module
        One output for each class, or one alone for the second of two.
    random_state : int, RandomState instance or None, default=None
        Seeds torch while the net is trained. None leaves that to torch's own state.
    verbose : int, default=0
        1 shows a progress bar while a module is trained; a net has a say of its own.
    """

    def __init__(
        self, estimator: Any, random_state: int | np.random.RandomState | None = None, verbose: int = 0
    ) -> None:
        super().__init__(estimator)
        self.random_state = random_state
        self.verbose = verbose

    def _fit(self, X: Any, targets: Targets) -> Any:
        from ._torch_nets import train_net

        rows = self._as_float32(X)
        seed = None
        if self.random_state is not None:
            seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        return train_net(
            copy_unfitted(self.estimator),
            rows,
            targets.terms(len(rows)).folded(),
            targets.most_likely(),
            seed=seed,
            verbose=self.verbose,
        )

    def _proba(self, X: Any) -> Array:
        from ._torch_nets import net_logits

        return softmax(net_logits(self.estimator_, self._as_float32(X)))

    def _as_float32(self, X: Any) -> Array:
        return check_array(X, dtype=np.float32, estimator=self._name, input_name="X")


class _PipelineLearner:
    """How a Pipeline whose last step is a student learns: its transformers first, then the student.

    A row without a label counts to the transformers as one of what the teacher answers. The rows need
    not be a table: what the first transformer takes will do, texts for one.
    """

    any_form: ClassVar[bool] = True
    regression: ClassVar[bool]

    def __init__(
        self, estimator: Pipeline, random_state: int | np.random.RandomState | None = None, verbose: int = 0
    ) -> None:
        super().__init__(estimator)  # type: ignore[call-arg]
        self.estimator = estimator
        self.random_state = random_state
        self.verbose = verbose

    @property
    def _name(self) -> str:
        return f"Pipeline({' -> '.join(type(step).__name__ for _, step in self.estimator.steps)})"

    def _fit(self, X: Any, targets: Any) -> Any:
        *before, (name, last) = self.estimator.steps
        steps: list[Any] = []
        if before:
            front = copy_unfitted(self.estimator[:-1])
            X = front.fit_transform(X, targets.as_y())
            steps = list(front.steps)
        student = make_student(last, random_state=self.random_state, verbose=self.verbose, regression=self.regression)
        fitted = student.fit_targets(X, targets)
        return Pipeline([*steps, (name, fitted)])


class PipelineStudent(_PipelineLearner, AdaptedClassifier):
    """A Pipeline whose last step is a student: its transformers are fitted on rows and labels.

    Parameters
    ----------
    estimator : Pipeline
        Its last step takes soft targets, or is adapted.
    random_state, verbose : object
        For the last step, as in DistilledClassifier.
    """

    regression = False

    @property
    def softens(self) -> bool:
        """Whether the last step softens its own answers."""
        return getattr(_adapted(self.estimator.steps[-1][1]), "softens", True)

    def _proba(self, X: Any) -> Array:
        return self.estimator_.predict_proba(X)


class RegressorPipelineStudent(_PipelineLearner, AdaptedRegressor):
    """A Pipeline whose last step is a student of a regressor.

    Parameters
    ----------
    estimator : Pipeline
        Its last step takes a regressor's answers, or is adapted.
    random_state, verbose : object
        For the last step, as in DistilledRegressor.
    """

    regression = True

    @property
    def takes_huber(self) -> bool:
        """Whether the last step does."""
        return getattr(_adapted_regressor(self.estimator.steps[-1][1]), "takes_huber", True)
