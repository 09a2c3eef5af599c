"""What the displays share: axes to draw on, colours, and who is asked."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike, NDArray

from .._answers import check_student, student_answer, teacher_answers
from .._validation import import_optional

Array = NDArray[Any]

#: The colour of each kind of model, as in the report.
COLORS = {"teacher": "#8a8f98", "student": "#3b82f6", "labels only": "#d97706"}


def axes(caller: str, ax: Any) -> Any:
    """Return the axes to draw on: those given, or those of a new figure.

    Parameters
    ----------
    caller : str
        What a message names where matplotlib is missing.
    ax : matplotlib Axes or None
        As the user gave it.

    Returns
    -------
    ax : matplotlib Axes
        To draw on.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    pyplot = import_optional("matplotlib.pyplot", caller, "plot")
    return pyplot.subplots(layout="constrained")[1] if ax is None else ax


def asked(
    model: Any, X: Any, y: Array | None, teacher: Any, teacher_proba: ArrayLike | None
) -> tuple[Array, Array, Array]:
    """Return what a teacher and its student say of rows, and the classes.

    Parameters
    ----------
    model : estimator
        A fitted student; a DistilledClassifier knows its teacher.
    X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
        The rows.
    y : ndarray of shape (n_rows,) or None
        Their labels.
    teacher : estimator, callable, list of these, or None
        None takes the model's own.
    teacher_proba : array-like of shape (n_rows, n_classes) or None
        The teacher's answers, if it has been asked already.

    Returns
    -------
    teacher_proba, student_proba : ndarray of shape (n_rows, n_classes)
        Columns in the order of `classes`.
    classes : ndarray of shape (n_classes,)
        The class labels.
    """
    check_student(model, "estimator", numbers=False)
    if teacher is None and hasattr(model, "ask_teacher"):
        # it knows what its teachers weigh, and what the columns of their answers stand for
        told, classes = model.ask_teacher(X, teacher_proba=teacher_proba), model.classes_
        return told, student_answer(model, X, classes, "estimator"), classes
    says = isinstance(teacher, list | tuple) or hasattr(teacher, "classes_")
    own = None if says else model.classes_
    answers = teacher_answers(teacher, X, y, teacher_proba=teacher_proba, classes=own)
    assert answers.classes is not None
    return answers.proba, student_answer(model, X, answers.classes, "estimator"), answers.classes


def name_of(model: Any) -> str:
    """Return what a picture calls a model."""
    return type(getattr(model, "student_", model)).__name__
