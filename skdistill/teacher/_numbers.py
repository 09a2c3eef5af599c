"""What teachers that are regressors answer: as they are, out of bag, or cross-fitted; and how sure they are of it."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from typing import Any

import numpy as np
from joblib import Memory
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from .._validation import check_numbers, take_rows
from ._teachers import members, name_of, raw_answers
from ._unseen import check_recipe, clones_on_folds, out_of_bag

Array = NDArray[Any]


def ask_numbers(teacher: Any, weights: Array, X: Any, n_rows: int, memory: Memory, origins: Sequence[Any]) -> Array:
    """Ask one or several regressors about rows.

    Parameters
    ----------
    teacher : fitted estimator, callable, or list of either
        Who is asked.
    weights : ndarray of shape (n_teachers,)
        The share of each teacher.
    X : array-like of shape (n_rows, n_columns)
        The rows, as the user gave them.
    n_rows : int
        Their number.
    memory : joblib.Memory
        Keeps the answers, by the content of teacher and rows.
    origins : sequence
        For each member, what it was fitted from, or itself if it came fitted.

    Returns
    -------
    answers : ndarray of shape (n_rows, n_outputs)
        The weighted mean of the answers.

    Raises
    ------
    ValueError
        If an answer is not made of finite numbers, of a shape that is the same for all teachers.
    """
    teachers = members(teacher)
    answers = [
        check_numbers(raw_answers(one, X, memory, origin, "predict"), n_rows=n_rows, source=name_of(one))
        for one, origin in zip(teachers, origins, strict=True)
    ]
    return _mean(answers, weights, teachers)


def _mean(answers: Sequence[Array], weights: Array, teachers: Sequence[Any]) -> Array:
    first, *others = answers
    for one, answer in zip(teachers[1:], others, strict=True):
        if answer.shape != first.shape:
            raise ValueError(
                f"{name_of(one)} answers with {answer.shape[1]} outputs, and {name_of(teachers[0])} with "
                f"{first.shape[1]}."
            )
    if not others:
        return first
    return np.sum([weight * answer for weight, answer in zip(weights, answers, strict=True)], axis=0)


def unseen_numbers(
    teacher: Any,
    weights: Array,
    X: Any,
    y: Array | None,
    sample_weight: Array | None,
    cv: Any,
    memory: Memory,
    origins: Sequence[Any],
) -> Array:
    """Return answers of regressors that have not learnt from the rows they answer.

    Rows without a label, which no teacher has learnt from, are answered by the teacher as it is.

    Parameters
    ----------
    teacher : fitted estimator, or list of them
        The teachers.
    weights : ndarray of shape (n_teachers,)
        The share of each teacher.
    X : array-like of shape (n_rows, n_columns)
        The rows, as the user gave them.
    y : ndarray of shape (n_rows, n_outputs) or None
        Their labels, NaN for none.
    sample_weight : ndarray of shape (n_rows,) or None
        Weights, for teachers that take them.
    cv : "oob", int, cross-validation generator or iterable
        Out of the forest's bags, or from clones fitted on folds.
    memory : joblib.Memory
        Keeps fitted clones and answers.
    origins : sequence
        For each member, what tells its answers from those of another.

    Returns
    -------
    answers : ndarray of shape (n_rows, n_outputs)
        The weighted mean over the teachers.

    Raises
    ------
    ValueError
        If there are no labels, a teacher cannot be cloned, or a forest has no out-of-bag answers of
        these rows.
    """
    if y is None:
        raise ValueError(f"cv={cv!r} needs labels: y is None.")
    teachers = members(teacher)
    for one in teachers:
        if not isinstance(cv, str):
            check_recipe(one, cv)
    labelled = np.flatnonzero(~np.isnan(y[:, 0]))
    labels = y[:, 0] if y.shape[1] == 1 else y
    answers = []
    for one, origin in zip(teachers, origins, strict=True):
        merged = ask_numbers(one, np.ones(1), X, X.shape[0], memory, [origin]).copy()
        if isinstance(cv, str):
            found, rows = out_of_bag(one, X.shape[0], labelled, "oob_prediction_")
            found = np.asarray(found, dtype=np.float64).reshape(len(rows), -1)
            # scikit-learn answers zero for a row that was in every bag
            there = (found != 0).any(axis=1) & ~np.isnan(found).any(axis=1)
            merged[rows[there]] = found[there]
        else:
            folds = clones_on_folds(one, X, labels, sample_weight, labelled, cv, memory, classifier=False)
            for unseen, fitted, given in folds:
                merged[unseen] = ask_numbers(fitted, np.ones(1), take_rows(X, unseen), len(unseen), memory, [given])
        answers.append(merged)
    return _mean(answers, weights, teachers)


def spread_of(teacher: Any, weights: Array, X: Any, n_rows: int) -> Array:
    """Return how far a teacher's answer may be off, by its own account: the standard deviation of each.

    That of a forest's trees, or of any ensemble's ``estimators_``; what ``predict(X, return_std=True)``
    says, as a Gaussian process does; or, of several teachers, their mean, with how far they differ.

    Parameters
    ----------
    teacher : fitted estimator, or list of them
        The teachers; a Pipeline may end in one.
    weights : ndarray of shape (n_teachers,)
        The share of each teacher.
    X : array-like of shape (n_rows, n_columns)
        The rows, as the user gave them.
    n_rows : int
        Their number.

    Returns
    -------
    spread : ndarray of shape (n_rows, n_outputs)
        Standard deviations, in the target's unit.

    Raises
    ------
    ValueError
        If a single teacher says nothing of that.
    """
    teachers = members(teacher)
    if len(teachers) > 1:
        told = np.array([check_numbers(_predicted(one, X), n_rows=n_rows, source=name_of(one)) for one in teachers])
        mean = np.einsum("t,tro->ro", weights, told)
        return np.sqrt(np.einsum("t,tro->ro", weights, (told - mean) ** 2))
    source = f"{name_of(teacher)}, of its spread,"
    return check_numbers(_own_spread(teachers[0], X), n_rows=n_rows, source=source)


def _predicted(teacher: Any, X: Any) -> Any:
    return teacher.predict(X) if hasattr(teacher, "predict") else teacher(X)


def _own_spread(teacher: Any, X: Any) -> Any:
    inner = teacher
    while isinstance(inner, Pipeline) or hasattr(inner, "best_estimator_"):
        if isinstance(inner, Pipeline):
            X, inner = inner[:-1].transform(X) if len(inner) > 1 else X, inner[-1]
        else:
            inner = inner.best_estimator_
    if hasattr(inner, "predict") and "return_std" in signature(inner.predict).parameters:
        return inner.predict(X, return_std=True)[1]
    trees = getattr(inner, "estimators_", None)
    # the trees of a boosted ensemble each answer a part
    if trees is None or not hasattr(inner, "bootstrap"):
        raise ValueError(
            f"weigh_by_spread=True needs a teacher that says how sure it is, and {name_of(teacher)} does not: a "
            "forest, bagging, a model whose predict takes return_std, or a list of several teachers. Or a function "
            "from rows to standard deviations, as weigh_by_spread, will do."
        )
    columns = getattr(inner, "estimators_features_", None)
    rows = X if hasattr(X, "tocsr") else np.asarray(X)
    told = [tree.predict(rows if columns is None else rows[:, columns[at]]) for at, tree in enumerate(trees)]
    return np.std(told, axis=0)
