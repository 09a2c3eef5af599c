"""Who answers: students by name, and a teacher and its students for the same rows, in columns of one order."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._sklearn import is_fitted, n_rows_of, not_fitted
from ..metrics import output_names
from ..program import Program, named_columns, shipped
from ..tasks import CLASSES, LABELS, NUMBERS, Task, task_of
from ..teacher import Answers, Teacher, is_estimator, models_of

Array = NDArray[Any]


def named_students(students: Any) -> tuple[dict[str, Any], Task]:
    """Return students by name, and their task.

    Parameters
    ----------
    students : dict, sequence of estimators, or estimator
        A dict as it is; others are named after their classes, numbered where a name comes twice.

    Returns
    -------
    students : dict of str to estimator
        At least one, each a fitted classifier with ``predict_proba``, or each a fitted regressor.
    task : Task
        The kind of target.

    Raises
    ------
    ValueError
        If there are none, they are of both tasks, or one cannot answer.
    NotFittedError
        If one is not fitted.
    """
    if isinstance(students, Mapping):
        named = {str(name): student for name, student in students.items()}
        if len(named) < len(students):
            raise ValueError(f"students has names that read alike: {list(students)}.")
    else:
        several = list(students) if isinstance(students, list | tuple) else [students]
        kinds = [type(inner(one)).__name__ for one in several]
        named = {
            kind if kinds.count(kind) == 1 else f"{kind} {kinds[: at + 1].count(kind)}": one
            for at, (kind, one) in enumerate(zip(kinds, several, strict=True))
        }
    if not named:
        raise ValueError("students is empty; expected at least one fitted student.")
    tasks = {check_student(student, f"student {name!r}") for name, student in named.items()}
    if len(tasks) > 1:
        raise ValueError("Some students are classifiers and some regressors; compare them separately.")
    return named, tasks.pop()


def check_student(student: Any, called: str, task: Task | None = None) -> Task:
    """Return the task of a student; raise if it cannot predict as one.

    Parameters
    ----------
    student : object
        What the user gave.
    called : str
        Its name in messages.
    task : Task or None
        The task that it must have; None allows any.
    """
    own = None if isinstance(student, type) else task_of(student)
    if own is None or (task is not None and own != task):
        needed = [f"a fitted {one.estimator} with {one.method}" for one in ([task] if task else (CLASSES, NUMBERS))]
        several = (
            " It has several labels: pass the predictions for one to from_predictions, "
            "np.column_stack([1 - p, p]), and that column of y."
        )
        hint = several if task is not None and own == LABELS else ""
        raise ValueError(f"{called} is {student!r}; expected {' or '.join(needed)}.{hint}")
    if is_estimator(student) and not is_fitted(student):
        raise not_fitted(student)
    return own


def has_threshold(student: Any) -> bool:
    """Tell whether a model predicts by another threshold than the most probable class."""
    program = getattr(shipped(student), "program_", None)
    return isinstance(program, Program) and getattr(program.ops[-1], "cut", None) is not None


def inner(student: Any) -> Any:
    """Return what ships of a model, and the user's own estimator where that was adapted."""
    student = shipped(student)
    return getattr(student, "estimator_", student) if hasattr(student, "fit_targets") else student


def ask_teacher(
    task: Task, teacher: Any, X: Any, y: Array | None, given: Mapping[str, Any], known: Sequence[Array | None] = ()
) -> tuple[Array, Array | None]:
    """Return a teacher's answers for rows, and what their columns stand for.

    Parameters
    ----------
    task : Task
        The kind of target.
    teacher : estimator, callable, list of these, or None
        Fitted. None together with answers that are given.
    X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
        Rows, as the user gave them.
    y : ndarray of shape (n_rows,) or None
        Their labels, where they are at hand.
    given : mapping of str to object
        ``teacher_proba`` and ``teacher_pred``: the answers, if the teacher has been asked already; ``classes``: the
        labels of the answers' columns, where the teacher does not say them. Each may be None, or left out.
    known : sequence of ndarray or None
        What students or y call the columns; the first with as many names counts where ``classes`` is None.

    Returns
    -------
    values : ndarray of shape (n_rows, n_targets)
        Probabilities or predictions.
    order : ndarray of shape (n_targets,) or None
        The sorted class labels, or the names of a regressor's outputs; None where nobody knows any.
    """
    values, classes = given.get(task.given), given.get("classes")
    for name, other in given.items():
        # a task without classes has no use for their labels
        useful = task.classes(classes) is not None if name == "classes" else name == task.given
        if other is not None and not useful:
            raise ValueError(f"{name} is given, and the students are {task.estimator}s, which have no use for it.")
    if teacher is None and values is None:
        raise ValueError(f"There is no teacher: give one, or its answers for these rows ({task.given}=...).")
    names = [one for one in known if one is not None] if classes is None else [np.asarray(classes)]
    asked = Teacher.of(teacher, task, trial=X, unnamed=next(iter(names), None))
    answers: Any = asked.ask(X) if values is None else None
    n_targets = np.asarray(values if answers is None else answers.values).shape[-1:]
    # what the user says of the columns counts whatever their number, which is checked with the answers
    named = next((one for one in names if classes is not None or one.shape == n_targets), None)
    if answers is None:
        answers = asked.given(values, n_rows_of(X), classes, named)
    # without labels the names are of the type that is known
    columns, order = task.columns(answers.names, answers.values.shape[1], named if y is None else y, named, named)
    return Answers(answers.values, columns).aligned(order), order


def ask_student(task: Task, student: Any, X: Any, teacher_pred: Array, order: Array | None, called: str) -> Array:
    """Return a student's answers for rows, in columns like the teacher's.

    Parameters
    ----------
    task : Task
        The kind of target.
    student : estimator
        Fitted.
    X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
        Rows, as the user gave them.
    teacher_pred : ndarray of shape (n_rows, n_targets)
        The teacher's answers.
    order : ndarray of shape (n_targets,) or None
        The teacher's classes or outputs. A class that the student does not know has probability zero.
    called : str
        The student's name in messages.

    Raises
    ------
    ValueError
        If the student knows a class or an output that the teacher does not know, or has another number of outputs.
    """
    own = output_names(student)
    own = None if own is None else task.names_of(own)
    values = task.check_answers(task.predict(student, X), n_rows=n_rows_of(X), source=called)
    if own is None or order is None or task.classes(own) is None:
        check_outputs(values, teacher_pred, called)
    known = [] if order is None else order.tolist()
    extra = [] if own is None or order is None else [one for one in own.tolist() if one not in known]
    if extra:
        what = "outputs" if task.classes(own) is None else "classes"
        raise ValueError(f"{called} knows {what} that the teacher does not know: {extra}; the teacher's are {known}.")
    return Answers(values, own).aligned(order)


def ask_both(
    estimator: Any, X: Any, y: Any, teacher: Any, given: Mapping[str, Any], task: Task | None = None
) -> tuple[Task, Array, Array, Array | None]:
    """Return the answers of a teacher and its student for rows.

    Parameters
    ----------
    estimator : estimator
        A fitted student, or a distilled model, which knows its teacher.
    X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
        The rows.
    y : ndarray of shape (n_rows,) or None
        Their labels.
    teacher : estimator, callable, list of these, or None
        None takes the model's own.
    given : mapping of str to array-like or None
        ``teacher_proba`` and ``teacher_pred``: the teacher's answers, if they are known.
    task : Task or None
        The task that the student must have; None allows any.

    Returns
    -------
    task : Task
        That of the student.
    teacher_pred, student_pred : ndarray of shape (n_rows, n_targets)
        Probabilities or predictions, columns in the order of `order`.
    order : ndarray of shape (n_targets,) or None
        The class labels, or the names of a regressor's outputs where it knows them.
    """
    own = check_student(estimator, "estimator", task)
    if has_threshold(estimator):
        warnings.warn(
            "estimator has a decision threshold; displays take the most probable class, and only predict uses the "
            "threshold.",
            UserWarning,
            stacklevel=3,
        )
    order = output_names(estimator)
    if teacher is not None or not hasattr(estimator, "ask_teacher"):
        values, order = ask_teacher(own, teacher, X, y, given, [teacher_names(own, estimator)])
    else:
        # a distilled model knows the weights of its teachers and the classes of their columns
        values = estimator.ask_teacher(X, **{own.given: given.get(own.given)})
        values = own.check_answers(values, n_rows=n_rows_of(X), source=own.given)
    return own, values, ask_student(own, estimator, X, values, order, "estimator"), order


def check_labels(task: Task, y: Any, teacher_pred: Array, order: Array | None) -> Array:
    """Return the labels of test rows; raise for labels that the teacher does not know."""
    if task.y_names(y) is not None:
        y = named_columns(y, order, "y")[0]
    y = task.check_y(y, len(teacher_pred))
    check_outputs(task.goals(task.encode(y, order), teacher_pred.shape[1]), teacher_pred, "y")
    return y


def check_outputs(values: Array, teacher_pred: Array, called: str) -> None:
    """Raise if the number of outputs differs from the teacher's."""
    n_outputs, needed = values.shape[1], teacher_pred.shape[1]
    if n_outputs != needed:
        plural = "s" * (n_outputs > 1)
        raise ValueError(f"{called} has {n_outputs} output{plural}, and the teacher returned {needed}.")


def teacher_names(task: Task, student: Any) -> Array | None:
    """Return the names for the columns of a teacher without names: those that the user passed, or the student's."""
    classes = task.classes(getattr(student, "classes", None))
    return output_names(student) if classes is None else np.asarray(classes)


def predict_of(teacher: Any, task: Task) -> Callable[[Any], Any] | None:
    """Return the function by which a teacher predicts, to be timed; None if there is no teacher."""
    if teacher is None:
        return None
    predicts = [getattr(one, task.method) if is_estimator(one) else one for one in models_of(teacher)]
    return predicts[0] if len(predicts) == 1 else lambda X: [predict(X) for predict in predicts]
