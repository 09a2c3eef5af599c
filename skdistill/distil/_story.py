"""The steps of a fit: check, ask, train_student, finish; the recipe chooses in between."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils import check_random_state
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.validation import check_memory

from .._checks import check_rows, check_weights, is_complete, missing_y
from .._sklearn import copy_unfitted, in_search, routing_enabled, take_rows
from ..losses import Loss, Targets
from ..program import column_names, described, in_order, is_frame, user_level, versions
from ..student import ProgramStudent, check_learnable, make_student, scale_logits, traits_of
from ..tasks import Task, task_for
from ..teacher import Answers, Teacher
from ._augment import stack
from ._constraints import check_given, take_from_teacher
from ._plan import Plan
from ._recipe import TrainingSet, choose

Array = NDArray[Any]

#: A table of at most so many cells is held as it was read while the teacher is fitted and asked.
_CELLS_KEPT = 1 << 22


@dataclass(frozen=True)
class Request:
    """The checked arguments of a fit, before any long work.

    Parameters
    ----------
    task : Task
        The kind of target.
    teacher : Teacher
        Perhaps not fitted, perhaps without any model.
    plan : Plan
        The student, and what the user says of how to fit it.
    loss : Loss
        The loss of a row.
    X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
        The rows, as the teacher gets them.
    rows : ndarray, sparse matrix or frame of shape (n_rows, n_columns)
        The rows, as the student gets them.
    unlabeled : of the same kind, of shape (n_more, n_columns), or None
        Rows without labels.
    y : ndarray or None
        Labels.
    y_names : ndarray of shape (n_outputs,) or None
        What y calls its columns.
    sample_weight : ndarray of shape (n_rows,) or None
        Weights.
    given : Answers or None
        The teacher's answers for all rows, those without labels below, where they were given.
    cv : object
        As in DistilledClassifier.
    groups : array-like of shape (n_rows,) or None
        The groups that `cv` keeps together.
    params : list of dict
        Further arguments of the fit of each model of the teacher.
    classes : array-like of shape (n_targets,) or None
        What the user calls the answers' columns.
    """

    task: Task
    teacher: Teacher
    plan: Plan
    loss: Loss
    X: Any
    rows: Any
    unlabeled: Any
    y: Array | None
    y_names: Array | None
    sample_weight: Array | None
    given: Answers | None
    cv: Any
    groups: Any
    params: list[dict[str, Any]]
    classes: Any


@dataclass(frozen=True)
class AlignedTeacher:
    """A fitted teacher with answers in the student's column order; a fitted distiller keeps it.

    Parameters
    ----------
    teacher : Teacher
        Fitted, or without any model where answers were given.
    columns, order : ndarray of shape (n_targets,) or None
        What the columns of its answers stand for, and the order in which the student gets them.
    n_targets : int
        How many columns the student gets.
    """

    teacher: Teacher
    columns: Array | None
    order: Array | None
    n_targets: int

    def aligned(self, answers: Answers) -> Array:
        """Return answers of the teacher with columns in the student's order."""
        values = replace(answers, names=self.columns if answers.names is None else answers.names).aligned(self.order)
        if values.shape[1] != self.n_targets:
            raise ValueError(f"The teacher's answers have {values.shape[1]} columns; expected {self.n_targets}.")
        return values

    def ask(self, X: Any) -> Array:
        """Return the teacher's answers for rows, shape (n_rows, n_targets)."""
        return self.aligned(self.teacher.ask(X))


@dataclass(frozen=True)
class Asked:
    """The teacher's answers, and the targets made of them.

    Parameters
    ----------
    teacher : AlignedTeacher
        Fitted, if it had to be.
    rows : ndarray, sparse matrix or frame of shape (n_rows, n_columns)
        The rows, unlabelled ones below, as the student gets them.
    targets : Targets
        Their answers and labels.
    origin : str
        Whether the teacher has seen the labelled rows, as in Answers.
    """

    teacher: AlignedTeacher
    rows: Any
    targets: Targets
    origin: str

    @property
    def ask_again(self) -> Callable[[Any], Array] | None:
        """From further rows to the teacher's answers; None where there is no teacher to ask."""
        return self.teacher.ask if self.teacher.teacher.can_answer else None


def check(
    model: Any, X: Any, y: Any, *, given: Any, X_unlabeled: Any, sample_weight: Any, fit_params: dict[str, Any]
) -> Request:
    """Check all arguments of ``fit``, before any long work.

    Parameters
    ----------
    model : Distiller
        Whose fit it is; it learns the columns of `X`.
    X, y, given, X_unlabeled, sample_weight, fit_params : object
        As in ``fit``; `given` are the answers given beforehand.

    Returns
    -------
    request : Request
        For :func:`ask`.
    """
    task, classes = task_for(model._task, y), getattr(model, "classes", None)
    loss = task.as_loss(model._loss())
    student = make_student(
        model.student,
        task,
        temperature=getattr(loss, "temperature", 1.0),
        loss=loss,
        random_state=model.random_state,
        verbose=model.verbose,
    )
    rows = check_rows(model, X, reset=True, any_form=traits_of(student).any_form)
    # the teacher sees what the user gave, so long as that is a container of rows at all
    X = X if hasattr(X, "shape") else rows
    weight = check_weights(sample_weight, rows)
    memory = check_memory(model.memory)
    y_names = None if y is None else task.y_names(y)
    unnamed = y_names if classes is None else classes
    teacher = Teacher.of(model.teacher, task, weights=model.teacher_weights, memory=memory, trial=X, unnamed=unnamed)
    _check_teacher(model, teacher, given)
    fits, prefit = teacher.needs_fit and given is None, isinstance(model.cv, str) and model.cv == "prefit"
    cv = None if prefit or given is not None else model.cv
    y = _check_labels(model, task, y, rows.shape[0], fits, cv)
    answering = bool(teacher.members) and (fits or teacher.can_answer)
    unlabeled = _check_unlabeled(model, X, X_unlabeled, given)
    _check_augment(model, X, answering)
    if teacher.can_answer:
        teacher.check_columns(X)
    _check_classes(task, classes, teacher.classes, y)
    params, groups = _fit_arguments(model, teacher, weight, fit_params, fits, cv)
    if fits:
        assert y is not None
        task.check_enough(y if weight is None else y[weight > 0])
    learned = rows if sparse.issparse(rows) else X
    if unlabeled is not None:
        learned = stack(learned, unlabeled)
    answers = None if given is None else teacher.given(given, learned.shape[0], classes)
    if prefit:
        teacher = replace(teacher, origin="unseen")
        answers = None if answers is None else replace(answers, origin="unseen")
    # the student's own checks raise before a teacher is fitted or asked
    counts = None if weight is None else np.flatnonzero(np.append(weight > 0, np.ones(learned.shape[0] - len(weight))))
    counted = learned if counts is None else take_rows(learned, counts)
    read = check_learnable(student, counted, warn=not in_search()[0])
    # what nets are trained on; a large table is rather read again than held beside the teacher
    keeps = traits_of(student).in_epochs and counts is None and np.prod(learned.shape) <= _CELLS_KEPT
    check_given(model, student, learned, _n_outputs(task, teacher.classes if classes is None else classes, y))
    temperature = getattr(model, "temperature", 1.0)
    seed = seed_of(model, student)
    given_plan = (model.alpha, temperature, model.augment, model.label_ensemble, seed, model.verbose, model.n_jobs)
    return Request(
        task=task,
        teacher=teacher,
        plan=Plan(student, task, *given_plan, read if keeps else None),
        loss=loss,
        X=X,
        rows=learned,
        unlabeled=unlabeled,
        y=y,
        y_names=y_names,
        sample_weight=weight,
        given=answers,
        cv=cv,
        groups=groups,
        params=params,
        classes=classes,
    )


def ask(request: Request) -> Asked:
    """Fit the teacher if it is unfitted, and ask it about each row once.

    Parameters
    ----------
    request : Request
        As :func:`check` returned it.

    Returns
    -------
    asked : Asked
        The answers, and the targets made of them.
    """
    task, teacher, X, y = request.task, request.teacher, request.X, request.y
    n_rows = X.shape[0]
    more: Any = None
    if request.given is not None:
        answers, known = request.given, True
        if request.unlabeled is not None:
            more = replace(answers, values=answers.values[n_rows:])
            answers = replace(answers, values=answers.values[:n_rows])
    else:
        known = teacher.can_answer
        if teacher.needs_fit:
            assert y is not None
            teacher = teacher.fit(X, y, request.params)
        if request.cv is None:
            several = teacher.ask_each(X)
        else:
            assert y is not None
            several = teacher.ask_out_of_fold(X, y, request.cv, request.params, request.groups)
        if len(several) > 1:
            teacher = replace(teacher, weights=teacher.weights / task.units(several, y))
        answers = teacher.blended(several)
    columns, order = task.columns(answers.names, answers.values.shape[1], y, request.classes, request.y_names)
    values = replace(answers, names=columns).aligned(order)
    alpha = request.plan.alpha
    if isinstance(alpha, str):
        alpha = 1.0 if y is None else 0.5
    targets = task.targets(values, order, y, loss=request.loss, alpha=float(alpha), sample_weight=request.sample_weight)
    aligned = AlignedTeacher(teacher, columns, order, values.shape[1])
    if known and targets.labels is not None and request.cv is None:
        _warn_of_useless(request, targets)
    if request.unlabeled is not None:
        targets = targets.with_below(aligned.ask(request.unlabeled) if more is None else aligned.aligned(more))
    return Asked(aligned, request.rows, targets, answers.origin)


def constrain(model: Any, request: Request, asked: Asked, others: Sequence[Any] = ()) -> Asked:
    """Copy the teacher's monotonic constraints to the student and to others, if the distiller is set to do so.

    Parameters
    ----------
    model : Distiller
        Whose fit it is.
    request : Request
        Its student is constrained.
    asked : Asked
        The teacher's answers.
    others : sequence of Student
        Further students that are to have the same constraints.

    Returns
    -------
    asked : Asked
        As it was.
    """
    n_outputs = _n_outputs(request.task, asked.targets.classes, asked.targets.answers)
    students = [request.plan.student, *others]
    take_from_teacher(model, asked.teacher.teacher, students, request.X, request.rows, n_outputs)
    return asked


def train_student(training_set: TrainingSet, student: Any) -> Any:
    """Return a copy of a student, fitted to a training set; the recipe may have fitted it already.

    Parameters
    ----------
    training_set : TrainingSet
        As the recipe's ``choose`` returned it; several students can be fitted to one.
    student : estimator
        Not fitted; it stays as it is.
    """
    for given, fitted in training_set.fitted:
        if given is student:
            return fitted
    fitted = copy_unfitted(student).fit_targets(training_set.rows, training_set.targets)
    scale_logits(fitted, training_set.logit_scale)
    return fitted


def fit_student(model: Any, request: Request) -> Any:
    """Run the steps of a fit, and return the fitted distiller.

    Parameters
    ----------
    model : Distiller
        What is fitted.
    request : Request
        As :func:`check` returned it.
    """
    asked = constrain(model, request, ask(request))
    training_set = choose(request.plan, asked.rows, asked.targets, asked.ask_again, asked.origin)
    return finish(model, asked, training_set, train_student(training_set, request.plan.student))


def finish(model: Any, asked: Asked, training_set: TrainingSet, student: Any) -> Any:
    """Set the fitted attributes of a distiller, and return it.

    Parameters
    ----------
    model : Distiller
        What is fitted.
    asked : Asked
        Its teacher's answers.
    training_set : TrainingSet
        What the student was fitted to.
    student : estimator
        The fitted student.
    """
    report = {**training_set.report, "origin": asked.origin}
    model.teacher_, model.student_, model.distillation_report_ = asked.teacher.teacher.value, student, report
    model.alpha_ = report["alpha"]
    if report["temperature"] is not None:
        model.temperature_ = report["temperature"]
    model._aligned_teacher = asked.teacher
    if isinstance(student, ProgramStudent):
        student._fit_metadata = {
            "teacher": None if model.teacher_ is None else described(model.teacher_),
            "report": described(
                {name: value for name, value in report.items() if name not in ("candidates", "learning_curve")}
            ),
            "versions": versions(),
        }
    # a student that was fitted to missing numbers takes them, whatever its tags say
    model._takes_missing = Teacher.may_take_missing(student) or not is_complete(student, training_set.rows)
    return model


def _check_teacher(model: Any, teacher: Teacher, given: Any) -> None:
    """Raise if there is no teacher, or if it contradicts ``cv``; warn of rows that it was not fitted on."""
    task, cv = model._task, model.cv
    if not teacher.members and given is None:
        raise ValueError(
            f"{type(model).__name__} has no teacher. Pass teacher=..., or pass the teacher's predictions to fit "
            f"({task.given}=...)."
        )
    if isinstance(cv, str) and cv == "prefit" and teacher.needs_fit and given is None:
        raise ValueError(
            f"cv='prefit' needs a teacher that has been fitted on other rows, and {teacher.name} has not been fitted. "
            "Fit it first, or use cv=5."
        )
    if given is None and teacher.can_answer and in_search()[1]:
        warnings.warn(
            f"{teacher.name} was fitted before the search, and the steps before {type(model).__name__} are fitted anew "
            "in each split: the teacher gets rows transformed differently from those that it was fitted on. Put the "
            "steps into the teacher (a Pipeline) and the student, or pass an unfitted teacher.",
            UserWarning,
            stacklevel=user_level(),
        )


def _check_labels(model: Any, task: Task, y: Any, n_rows: int, fits: bool, cv: Any) -> Array | None:
    """Return the checked labels; they are required unless alpha is 1."""
    if y is not None:
        return task.check_y(y, n_rows)
    if fits or cv is not None or model.alpha not in (1, "auto"):
        reason = "labels are needed unless alpha=1"
        if fits or cv is not None:
            reason = "labels are needed to fit the teacher" if fits else f"cv={cv!r} needs labels"
        raise ValueError(missing_y(type(model).__name__, f"y is None with alpha={model.alpha}; {reason}. "))
    return None


def _check_unlabeled(model: Any, X: Any, unlabeled: Any, given: Any) -> Any:
    """Return the rows without labels, as teacher and student can take them."""
    if unlabeled is None:
        return None
    if callable(unlabeled) and not hasattr(unlabeled, "shape"):
        unlabeled = unlabeled()
    elif in_search()[0] and (unlabeled.shape[0] if hasattr(unlabeled, "shape") else len(unlabeled)) == X.shape[0]:
        raise ValueError(
            "X_unlabeled has as many rows as X, so the search has split it into folds too. Pass a function that "
            "returns the rows: X_unlabeled=lambda: rows."
        )
    if is_frame(X) != is_frame(unlabeled) or sparse.issparse(X) != sparse.issparse(unlabeled):
        raise ValueError(
            f"X_unlabeled is of type {type(unlabeled).__name__} and X of type {type(X).__name__}; "
            "they must be of one kind."
        )
    unlabeled = check_rows(model, unlabeled, reset=False, any_form=len(X.shape) == 1)
    if hasattr(given, "__len__") and len(given) == X.shape[0]:
        raise ValueError(
            f"{model._task.given} has predictions only for the {X.shape[0]} rows of X; append those for the "
            f"{unlabeled.shape[0]} rows of X_unlabeled."
        )
    return in_order(unlabeled, column_names(X)) if is_frame(unlabeled) else unlabeled


def _check_augment(model: Any, X: Any, answering: Any) -> None:
    if isinstance(model.augment, str) or model.augment == 0:
        return
    if sparse.issparse(X) or len(X.shape) != 2:
        raise ValueError(
            f"augment={model.augment} needs a table with dense columns; X is "
            f"{'sparse' if sparse.issparse(X) else 'not a table'}. Use augment=0, and X_unlabeled for more rows."
        )
    if not answering:
        raise ValueError(
            f"augment={model.augment} needs a teacher that predicts the new rows, and teacher is "
            f"{'None' if model.teacher is None else f'not fitted if {model._task.given} is passed'}. Use augment=0; "
            f"pass further rows as X_unlabeled, with their predictions at the end of {model._task.given}."
        )


def _check_classes(task: Task, named: Any, known: Array | None, y: Array | None) -> None:
    """Raise for labels, and names of columns, that the teacher does not know."""
    if known is None:
        return
    if named is not None and set(known.tolist()) != set(np.asarray(named).tolist()):
        raise ValueError(f"classes={named} are not those of the teacher, which are {known.tolist()}.")
    if y is not None and task.classes(known) is not None:
        task.encode(y, known)


def _fit_arguments(
    model: Any, teacher: Teacher, weight: Array | None, fit_params: dict[str, Any], fits: bool, cv: Any
) -> tuple[list[dict[str, Any]], Any]:
    """Return the arguments of each teacher's fit, and the groups of the folds."""
    refits = cv is not None and not isinstance(cv, str)
    groups = fit_params.get("groups") if refits else None
    fit_params = {name: value for name, value in fit_params.items() if not (refits and name == "groups")}
    if fit_params and not (fits or refits):
        hint = " Groups are for a cv that keeps them together: cv=GroupKFold()." if "groups" in fit_params else ""
        raise TypeError(
            f"fit() got unexpected arguments {sorted(fit_params)}: they would go to an unfitted teacher's fit, and "
            f"there is none.{hint}"
        )
    if refits:
        teacher.check_clones(cv)
    if not (fits or refits):
        return [{} for _ in teacher.members], None
    if not routing_enabled():
        weights = teacher.weight_params(weight, refitting=refits)
        return [{**fit_params, **own} for own in weights], groups
    own = {name: value for name, value in (("sample_weight", weight), ("groups", groups)) if value is not None}
    if not own and not fit_params:
        # what scikit-learn returns for no metadata cannot be asked what is in it
        return [{} for _ in teacher.members], None
    routed = process_routing(model, "fit", **own, **fit_params)
    names = [name for name, _ in Teacher.routed_names(model.teacher)]
    params = [dict(routed[name].fit) if name in routed else {} for name in names]
    return params, routed["cv"].split.get("groups") if "cv" in routed else None


def _n_outputs(task: Task, classes: Any, y: Array | None) -> int:
    """Return how many outputs a student needs, as far as classes or labels tell."""
    if classes is None and y is not None:
        classes = task.classes(np.unique(y))
    if classes is not None:
        return len(classes) - 1
    goals = None if y is None else task.for_estimator(y)
    return 1 if goals is None or goals.ndim == 1 else int(goals.shape[1])


def seed_of(model: Any, student: Any) -> int:
    """Return the seed of synthetic and held-out rows, from the distiller's random_state, else the student's."""
    seed = model.random_state
    if seed is None and hasattr(student, "get_params"):
        seed = student.get_params(deep=False).get("random_state")
    return int(check_random_state(seed).randint(2**31 - 1))


def _warn_of_useless(request: Request, targets: Targets) -> None:
    """Warn if a teacher fitted elsewhere predicts the labels worse than a constant."""
    assert targets.labels is not None
    assert targets.answers is not None
    wrong = request.task.usefulness(targets.labels, targets.answers, targets.sample_weight)
    if wrong is not None:
        source = request.task.given if request.given is not None else request.teacher.name
        warnings.warn(
            f"{source} says little of these labels: {wrong}. Was it fitted to the same target, and are X's columns "
            "and units those that it knows?",
            UserWarning,
            stacklevel=user_level(),
        )
