"""What a teacher and its students say of the same rows, columns in one order of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from joblib import Memory
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_regressor

from ._validation import InvalidParameterError, check_numbers, check_proba, is_fitted, not_fitted
from .teacher import (
    Answers,
    align,
    ask,
    ask_numbers,
    check_columns,
    check_labels,
    check_teachers,
    given_answers,
    index_labels,
    is_estimator,
    members,
    name_columns,
    needs_fit,
    unite,
)

Array = NDArray[Any]


def named_students(students: Any) -> dict[str, Any]:
    """Return students by name.

    Parameters
    ----------
    students : dict, sequence of estimators, or estimator
        A dict as it is; others by the names of their classes, numbered where a name comes twice.

    Returns
    -------
    students : dict of str to estimator
        At least one, each a fitted classifier with ``predict_proba``, or each a fitted regressor.

    Raises
    ------
    InvalidParameterError
        (a ValueError and a TypeError) If there are none, or one cannot answer.
    NotFittedError
        If one is not fitted.
    """
    if isinstance(students, Mapping):
        named = {str(name): student for name, student in students.items()}
        if len(named) < len(students):
            raise InvalidParameterError(f"students has names that read alike: {list(students)}.")
    else:
        listed = list(students) if isinstance(students, list | tuple) else [students]
        kinds = [type(inner(one)).__name__ for one in listed]
        named = {
            kind if kinds.count(kind) == 1 else f"{kind} {kinds[: at + 1].count(kind)}": one
            for at, (kind, one) in enumerate(zip(kinds, listed, strict=True))
        }
    if not named:
        raise InvalidParameterError("students is empty; needed is at least one fitted student.")
    for name, student in named.items():
        check_student(student, f"student {name!r}")
    if len({predicts_numbers(student) for student in named.values()}) > 1:
        raise InvalidParameterError("Some students are classifiers and some regressors; compare them apart.")
    return named


def predicts_numbers(student: Any) -> bool:
    """Tell whether a model predicts numbers, and not classes."""
    return not hasattr(student, "predict_proba") and hasattr(student, "__sklearn_tags__") and is_regressor(student)


def check_student(student: Any, called: str, *, numbers: bool | None = None) -> None:
    """Refuse what cannot answer as a student does: something unfitted, or neither a classifier nor a regressor.

    Parameters
    ----------
    student : object
        Perhaps a student.
    called : str
        What messages call it.
    numbers : bool or None
        Whether it has to predict numbers; None where either will do.
    """
    classes = numbers is not True and hasattr(student, "predict_proba")
    if isinstance(student, type) or not (classes or (numbers is not False and predicts_numbers(student))):
        wanted = ["classifier with predict_proba"] * (numbers is not True) + ["regressor"] * (numbers is not False)
        needed = " or ".join(f"a fitted {kind}" for kind in wanted)
        raise InvalidParameterError(f"{called} is {student!r}; needed is {needed}.")
    if is_estimator(student) and not is_fitted(student):
        raise not_fitted(student)


def shipped(student: Any) -> Any:
    """Return what is shipped of a model: of a search its best estimator, of a DistilledClassifier its student."""
    student = getattr(student, "best_estimator_", student)
    return getattr(student, "student_", student)


def inner(student: Any) -> Any:
    """Return what is shipped of a model, and of an adapted student what was adapted."""
    student = shipped(student)
    return getattr(student, "estimator_", student) if hasattr(student, "fit_targets") else student


def n_rows_of(X: Any) -> int:
    """Return the number of rows."""
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def teacher_answers(
    teacher: Any,
    X: Any,
    y: Array | None = None,
    *,
    teacher_proba: ArrayLike | None = None,
    classes: ArrayLike | None = None,
) -> Answers:
    """Return a teacher's probabilities for rows, and the sorted classes that their columns stand for.

    Parameters
    ----------
    teacher : estimator, callable, list of these, or None
        Fitted. None together with `teacher_proba`.
    X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
        Rows, as the user gave them.
    y : ndarray of shape (n_rows,) or None
        Their labels, where they are at hand.
    teacher_proba : array-like of shape (n_rows, n_classes) or None
        The answers, if the teacher has been asked already.
    classes : array-like of shape (n_classes,) or None
        The labels of the answers' columns, where the teacher does not say them.

    Returns
    -------
    answers : Answers
        With classes, sorted.

    Raises
    ------
    ValueError
        If the answers are no probabilities, or their columns cannot be told apart.
    NotFittedError
        If a teacher is not fitted.
    """
    n_rows = n_rows_of(X)
    shares = _checked_teacher(teacher, teacher_proba, X, "teacher_proba", regression=False)
    if teacher_proba is None:
        answers = ask(teacher, shares, X, n_rows, Memory(None), members(teacher))
    else:
        answers = given_answers(teacher, teacher_proba, n_rows)
    answers = name_columns(answers, y, classes)
    assert answers.classes is not None
    order = unite([answers.classes])
    if len(order) < len(answers.classes):
        raise ValueError(f"The teacher's classes are not distinct: {answers.classes.tolist()}.")
    return Answers(align(answers, order), order)


def teacher_numbers(teacher: Any, X: Any, teacher_pred: ArrayLike | None = None) -> Array:
    """Return what a teacher predicts for rows.

    Parameters
    ----------
    teacher : estimator, callable, list of these, or None
        Fitted. None together with `teacher_pred`.
    X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
        Rows, as the user gave them.
    teacher_pred : array-like of shape (n_rows,) or (n_rows, n_outputs), or None
        The predictions, if the teacher has been asked already.

    Returns
    -------
    answers : ndarray of shape (n_rows, n_outputs)
        Numbers.

    Raises
    ------
    ValueError
        If they are not finite numbers, one for each row and output.
    NotFittedError
        If a teacher is not fitted.
    """
    n_rows = n_rows_of(X)
    shares = _checked_teacher(teacher, teacher_pred, X, "teacher_pred", regression=True)
    if teacher_pred is not None:
        return check_numbers(teacher_pred, n_rows=n_rows, source="teacher_pred")
    return ask_numbers(teacher, shares, X, n_rows, Memory(None), members(teacher))


def _checked_teacher(teacher: Any, given: Any, X: Any, name: str, *, regression: bool) -> Array:
    """Return the shares of teachers that can be asked, or whose answers are given."""
    if teacher is None:
        if given is None:
            raise InvalidParameterError(f"There is no teacher: give one, or its answers for these rows ({name}=...).")
        return np.ones(1)
    shares = check_teachers(teacher, None, regression=regression)
    for one in members(teacher):
        if needs_fit(one):
            raise not_fitted(one)
    if len(getattr(X, "shape", ())) == 2:
        check_columns(teacher, X, X.shape[1])
    return shares


def student_answer(student: Any, X: Any, classes: Array, called: str) -> Array:
    """Return a student's probabilities for rows, columns in the order of `classes`.

    Parameters
    ----------
    student : estimator
        Fitted, with ``predict_proba`` and ``classes_``.
    X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
        Rows, as the user gave them.
    classes : ndarray of shape (n_classes,)
        The teacher's classes. One that the student does not know has probability zero.
    called : str
        What messages call the student.

    Returns
    -------
    proba : ndarray of shape (n_rows, n_classes)
        Probabilities.

    Raises
    ------
    ValueError
        If the student knows a class that the teacher does not know, or its answers are no
        probabilities.
    """
    own = np.asarray(student.classes_)
    extra = [label for label in own.tolist() if label not in set(classes.tolist())]
    if extra:
        raise ValueError(
            f"{called} knows classes that the teacher does not know: {extra}; the teacher's are {classes.tolist()}."
        )
    proba = check_proba(student.predict_proba(X), n_rows=n_rows_of(X), n_classes=len(own), source=called)
    return align(Answers(proba, own), classes)


def check_every_label(y: Any, n_rows: int, classes: Array) -> Array:
    """Return the labels of test rows, shape (n_rows,), refusing rows without one or with an unknown one."""
    y = check_labels(y, n_rows)
    if (index_labels(y, classes) < 0).any():
        raise ValueError("y holds -1, which marks a row without a label; a comparison needs the label of every row.")
    return y
