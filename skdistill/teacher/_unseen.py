"""What a classifier says of rows that it has not learnt from, out of bag or cross-fitted; and any teacher's clones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from joblib import Memory
from numpy.typing import NDArray
from sklearn.model_selection import check_cv
from sklearn.pipeline import Pipeline

from .._validation import InvalidParameterError, check_proba, copy_unfitted, is_fitted, take_rows
from ._memory import once
from ._targets import is_unlabelled
from ._teachers import Answers, align, ask, blend, fit_clone, is_estimator, members, name_of, unite, weight_params

Array = NDArray[Any]


def unseen_answers(
    teacher: Any,
    weights: Array,
    X: Any,
    y: Array | None,
    sample_weight: Array | None,
    cv: Any,
    memory: Memory,
    origins: Sequence[Any],
) -> Answers:
    """Return answers of teachers that have not learnt from the rows they answer.

    Rows without a label, which no teacher has learnt from, are answered by the teacher as it is.

    Parameters
    ----------
    teacher : fitted estimator, or list of them
        The teachers.
    weights : ndarray of shape (n_teachers,)
        The share of each teacher.
    X : array-like of shape (n_rows, n_columns)
        The rows, as the user gave them.
    y : ndarray of shape (n_rows,) or None
        Their labels, -1 for none.
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
    answers : Answers
        The weighted mean over the teachers.

    Raises
    ------
    ValueError
        If there are no labels, a teacher cannot be cloned, or a forest has no out-of-bag answers of
        these rows.
    """
    if y is None:
        raise ValueError(f"cv={cv!r} needs labels: y is None.")
    for one in members(teacher):
        if not isinstance(cv, str):
            check_recipe(one, cv)
    answers = []
    for one, origin in zip(members(teacher), origins, strict=True):
        known = np.asarray(one.classes_) if hasattr(one, "classes_") else None
        labelled = np.flatnonzero(~is_unlabelled(y, known, None))
        whole = ask(one, np.ones(1), X, X.shape[0], memory, [origin])
        if isinstance(cv, str):
            unseen = _out_of_bag(one, X.shape[0], labelled, whole)
        else:
            unseen = _cross_fitted(one, X, y, sample_weight, labelled, cv, memory, whole)
        answers.append(unseen)
    return blend(answers, weights, members(teacher))


def _out_of_bag(teacher: Any, n_rows: int, labelled: Array, whole: Answers) -> Answers:
    proba, rows = out_of_bag(teacher, n_rows, labelled, "oob_decision_function_")
    # a row that was in every bag has none: zeros from a forest, NaN from bagging
    found = proba.sum(axis=1) > 0
    merged = whole.proba.copy()
    merged[rows[found]] = check_proba(
        proba[found], n_rows=int(found.sum()), n_classes=merged.shape[1], source=f"{name_of(teacher)}, out of bag,"
    )
    return Answers(merged, whole.classes)


def out_of_bag(teacher: Any, n_rows: int, labelled: Array, name: str) -> tuple[Array, Array]:
    """Return a forest's out-of-bag answers, by the name of its attribute, and the rows that they are for."""
    forest = teacher.steps[-1][1] if isinstance(teacher, Pipeline) else teacher
    answers = getattr(forest, name, None)
    if answers is None:
        raise ValueError(
            f"cv='oob' needs out-of-bag answers, and {name_of(teacher)} has none: fit a forest with oob_score=True, or "
            "use cv=5."
        )
    rows = np.arange(n_rows) if len(answers) == n_rows else labelled
    if len(answers) != len(rows):
        raise ValueError(
            f"cv='oob' needs the rows that {name_of(teacher)} was fitted on: it has out-of-bag answers for "
            f"{len(answers)} rows, and X has {n_rows}, {len(labelled)} of them with a label."
        )
    return answers, rows


def check_recipe(teacher: Any, cv: Any) -> None:
    if not is_estimator(teacher):
        raise InvalidParameterError(f"cv={cv!r} fits clones of the teacher, and {name_of(teacher)} is no estimator.")
    if is_fitted(copy_unfitted(teacher)):
        raise InvalidParameterError(
            f"cv={cv!r} fits clones of the teacher, and a clone of {name_of(teacher)} is fitted already."
        )


def _cross_fitted(
    teacher: Any,
    X: Any,
    y: Array,
    sample_weight: Array | None,
    labelled: Array,
    cv: Any,
    memory: Memory,
    whole: Answers,
) -> Answers:
    assert whole.classes is not None
    merged = whole.proba.copy()
    for unseen, fitted, given in clones_on_folds(teacher, X, y, sample_weight, labelled, cv, memory, classifier=True):
        told = ask(fitted, np.ones(1), take_rows(X, unseen), len(unseen), memory, [given])
        assert told.classes is not None
        if len(unite([whole.classes, told.classes])) > len(whole.classes):
            raise ValueError(
                f"y holds classes that {name_of(teacher)} does not know, so its clones cannot be fitted on it."
            )
        merged[unseen] = align(told, whole.classes)
    return Answers(merged, whole.classes)


def clones_on_folds(
    teacher: Any,
    X: Any,
    y: Array,
    sample_weight: Array | None,
    labelled: Array,
    cv: Any,
    memory: Memory,
    *,
    classifier: bool,
) -> Iterator[tuple[Array, Any, Any]]:
    """Yield, for each fold of the labelled rows, its rows, a clone fitted on the others, and what that was made from.

    Parameters
    ----------
    teacher : estimator
        What is cloned.
    X : array-like of shape (n_rows, n_columns)
        The rows.
    y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        Their labels.
    sample_weight : ndarray of shape (n_rows,) or None
        Weights, if the teacher takes them.
    labelled : ndarray of shape (n_labelled,)
        The rows that have a label.
    cv : int, cross-validation generator or iterable
        The folds.
    memory : joblib.Memory
        Keeps the fitted clones.
    classifier : bool
        Whether folds have about the same share of each class.

    Yields
    ------
    unseen, fitted, origin : tuple of (ndarray, estimator, tuple)
        The fold, the clone, and what tells its answers from those of another.
    """
    recipe = copy_unfitted(teacher)
    known, labels = take_rows(X, labelled), y[labelled]
    for seen, unseen in check_cv(cv, labels, classifier=classifier).split(known, labels):
        weight = None if sample_weight is None else sample_weight[labelled[seen]]
        given = (recipe, take_rows(known, seen), labels[seen], weight_params(recipe, weight))
        yield labelled[unseen], once(memory, fit_clone, given), given
