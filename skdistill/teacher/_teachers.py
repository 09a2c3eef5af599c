"""One face for every kind of teacher: an estimator, a callable, several of either, or answers given beforehand."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FunctionType, MethodType
from typing import Any

import numpy as np
from joblib import Memory
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from .._validation import InvalidParameterError, check_proba, copy_unfitted, has_fit_parameter, is_fitted
from ._memory import once

Array = NDArray[Any]


@dataclass(frozen=True)
class Answers:
    """What a teacher says of each row.

    Parameters
    ----------
    proba : ndarray of shape (n_rows, n_classes)
        Probabilities, each row summing to one.
    classes : ndarray of shape (n_classes,) or None
        The labels that the columns stand for; None where the teacher does not say.
    """

    proba: Array
    classes: Array | None


def members(teacher: Any) -> list[Any]:
    """Return the teachers that `teacher` stands for: itself, or the members of a list."""
    return list(teacher) if isinstance(teacher, list | tuple) else [teacher]


def is_estimator(teacher: Any) -> bool:
    """Tell an estimator from a plain callable."""
    return hasattr(teacher, "fit") and not isinstance(teacher, type)


def needs_fit(teacher: Any) -> bool:
    """Tell whether a teacher is an estimator that has not been fitted."""
    return is_estimator(teacher) and not is_fitted(teacher)


def kept_by_clone(teacher: Any) -> Any:
    """Return the teacher as a clone of its distiller must hold it.

    A fitted estimator or a callable is what the user made it and stays the same object; an
    unfitted estimator is a recipe and is cloned.
    """
    if isinstance(teacher, list | tuple):
        return type(teacher)(kept_by_clone(member) for member in teacher)
    return copy_unfitted(teacher) if needs_fit(teacher) and hasattr(teacher, "get_params") else teacher


def takes_gaps(teacher: Any) -> bool:
    """Tell whether a teacher may take rows with missing numbers: unless it is sure to refuse them.

    Of a Pipeline, whose tags do not say what its imputer does, anything is believed.
    """
    if not isinstance(teacher, BaseEstimator) or get_tags(teacher).input_tags.allow_nan:
        return True
    return any(isinstance(one, Pipeline) for one in [teacher, *teacher.get_params(deep=True).values()])


def name_of(teacher: Any) -> str:
    """Return what messages call a teacher."""
    if is_estimator(teacher):
        return f"teacher {type(teacher).__name__}"
    return f"teacher {getattr(teacher, '__qualname__', type(teacher).__name__)}"


def check_teachers(teacher: Any, weights: Sequence[float] | None, *, regression: bool = False) -> Array:
    """Refuse what cannot teach, before any work is done.

    Parameters
    ----------
    teacher : estimator, callable, or list of either
        As the user gave it.
    weights : sequence of float or None
        A weight for each member of a list.
    regression : bool, default=False
        Whether they are to predict numbers, and not classes.

    Returns
    -------
    weights : ndarray of shape (n_teachers,)
        The share of each teacher; they sum to one.

    Raises
    ------
    InvalidParameterError
        (a ValueError and a TypeError) If a teacher is a class, a regressor where a classifier is
        needed or the other way about, or has no ``predict_proba``, or ``predict``, or if the weights
        do not match the teachers.
    """
    teachers = members(teacher)
    if not teachers:
        raise InvalidParameterError("teacher is an empty list; needed is at least one teacher.")
    for one in teachers:
        if isinstance(one, type):
            raise InvalidParameterError(
                f"teacher is the class {one.__name__}; needed is an instance: {one.__name__}()."
            )
        if not is_estimator(one):
            if callable(one):
                continue
            wanted = (
                "regressor, a callable X -> numbers"
                if regression
                else "classifier with predict_proba, a callable X -> probabilities"
            )
            raise InvalidParameterError(
                f"teacher must be a {wanted}, a list of these, or None together with "
                f"{'teacher_pred' if regression else 'teacher_proba'}; got {one!r}."
            )
        if regression:
            _check_regressor(one)
            continue
        if isinstance(one, BaseEstimator) and is_regressor(one):
            raise InvalidParameterError(
                f"{name_of(one)} is a regressor; DistilledClassifier needs a classifier with predict_proba."
            )
        if not _has_proba(one):
            raise InvalidParameterError(
                f"{name_of(one)} has no predict_proba. DistilledClassifier learns from probabilities: "
                f"{_remedy(one)}, or pass a callable X -> probabilities."
            )
    if weights is None:
        return np.full(len(teachers), 1.0 / len(teachers))
    shares = np.asarray(weights, dtype=np.float64)
    if shares.shape != (len(teachers),):
        raise InvalidParameterError(
            f"teacher_weights has shape {shares.shape}; needed is one weight for each of the {len(teachers)} teachers."
        )
    if not np.isfinite(shares).all() or (shares < 0).any() or shares.sum() <= 0:
        raise InvalidParameterError(f"teacher_weights must be non-negative and not all zero; got {list(weights)}.")
    return shares / shares.sum()


def _check_regressor(teacher: Any) -> None:
    if is_classifier(teacher) if hasattr(teacher, "__sklearn_tags__") else _has_proba(teacher):
        raise InvalidParameterError(
            f"{name_of(teacher)} is a classifier; DistilledRegressor needs a regressor. Use DistilledClassifier, or "
            "pass a callable X -> numbers."
        )
    if not hasattr(teacher, "predict"):
        raise InvalidParameterError(f"{name_of(teacher)} has no predict; DistilledRegressor needs a regressor.")


def _has_proba(teacher: Any) -> bool:
    try:
        return hasattr(teacher, "predict_proba")
    except Exception:
        # some libraries compute the attribute from state that only fit sets up
        return hasattr(type(teacher), "predict_proba")


def _remedy(teacher: Any) -> str:
    params = teacher.get_params(deep=False) if hasattr(teacher, "get_params") else {}
    if params.get("voting") == "hard":
        return "set voting='soft'"
    if params.get("probability") is False:
        return "set probability=True"
    return "wrap it in CalibratedClassifierCV"


def fit_teachers(
    teacher: Any, X: Any, y: Any, params: Sequence[dict[str, Any]], memory: Memory
) -> tuple[Any, list[Any]]:
    """Fit clones of the teachers that are not fitted; return the teachers ready to be asked.

    Parameters
    ----------
    teacher : estimator, callable, or list of either
        As the user gave it.
    X : array-like of shape (n_rows, n_columns)
        The labelled rows, as the user gave them.
    y : array-like of shape (n_rows,)
        Their labels.
    params : sequence of dict
        Further arguments of ``fit``, for each member of `teacher`.
    memory : joblib.Memory
        Keeps the fitted teachers.

    Returns
    -------
    teacher : estimator, callable, or list of either
        Of the form of `teacher`, every estimator in it fitted.
    origins : list
        For each member, what tells its answers from those of another: what it was fitted from, or
        itself if it came fitted.
    """
    fitted, origins = [], []
    for one, given in zip(members(teacher), params, strict=True):
        unfitted = needs_fit(one)
        fitted.append(once(memory, fit_clone, (one, X, y, given)) if unfitted else one)
        # a forest's trees do not hash alike each time they are loaded; their recipe does
        origins.append((one, X, y, given) if unfitted else one)
    return fitted if isinstance(teacher, list | tuple) else fitted[0], origins


def weight_params(teacher: Any, sample_weight: Array | None) -> dict[str, Any]:
    """Return the sample weights as an argument of the teacher's fit, where it takes them."""
    if sample_weight is None or not needs_fit(teacher):
        return {}
    if has_fit_parameter(teacher, "sample_weight"):
        return {"sample_weight": sample_weight}
    warnings.warn(
        f"{name_of(teacher)} does not appear to accept sample_weight; the weights are used for the student alone.",
        UserWarning,
        stacklevel=2,
    )
    return {}


def known_classes(teacher: Any) -> Array | None:
    """Return the sorted classes that fitted teachers know, None where one of them does not say.

    Parameters
    ----------
    teacher : estimator, callable, or list of either
        As the user gave it.

    Returns
    -------
    classes : ndarray of shape (n_classes,) or None
        The union over the teachers.
    """
    several = []
    for one in members(teacher):
        if not is_estimator(one) or needs_fit(one):
            return None
        classes = _attribute(one, "classes_")
        # an array for each of several outputs is refused when the answers are checked
        if classes is None or len(classes) == 0 or np.ndim(classes[0]) > 0:
            return None
        several.append(np.asarray(classes))
    return unite(several)


def fit_clone(teacher: Any, X: Any, y: Any, params: dict[str, Any]) -> Any:
    return copy_unfitted(teacher).fit(X, y, **params)


def check_columns(teacher: Any, X: Any, n_columns: int) -> None:
    """Refuse rows whose columns are not those that a fitted teacher saw.

    Parameters
    ----------
    teacher : fitted estimator, callable, or list of either
        Callables say nothing of columns and are passed over.
    X : array-like or DataFrame of shape (n_rows, n_columns)
        The rows.
    n_columns : int
        Their number of columns.

    Raises
    ------
    ValueError
        If the number of columns or, for a DataFrame, their names differ.
    """
    for one in members(teacher):
        if not is_estimator(one) or not is_fitted(one):
            continue
        expected = _attribute(one, "n_features_in_")
        if expected is not None and int(expected) not in (0, n_columns):
            raise ValueError(f"X has {n_columns} columns, but {name_of(one)} was fitted on {expected}.")
        names = _attribute(one, "feature_names_in_")
        columns = getattr(X, "columns", None)
        if names is None or columns is None:
            continue
        if list(map(str, names)) != list(map(str, columns)):
            missing = [name for name in names if name not in columns]
            extra = [name for name in columns if name not in names]
            what = f"missing: {missing}; unexpected: {extra}" if missing or extra else "same names in another order"
            raise ValueError(f"The columns of X are not those that {name_of(one)} was fitted on ({what}).")


def _attribute(estimator: Any, name: str) -> Any:
    try:
        return getattr(estimator, name, None)
    except Exception:
        # properties of other libraries raise errors of their own where they have no answer
        return None


def ask(teacher: Any, weights: Array, X: Any, n_rows: int, memory: Memory, origins: Sequence[Any]) -> Answers:
    """Ask one or several teachers about rows.

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
    answers : Answers
        The weighted mean of the answers, over all classes that any of the teachers knows.

    Raises
    ------
    ValueError
        If an answer is not made of probabilities of the right shape.
    """
    teachers = members(teacher)
    answers = [_ask_one(one, X, n_rows, memory, origin) for one, origin in zip(teachers, origins, strict=True)]
    return blend(answers, weights, teachers)


def blend(answers: Sequence[Answers], weights: Array, teachers: Sequence[Any]) -> Answers:
    """Return the weighted mean of several teachers' answers, over all classes that any of them knows.

    Parameters
    ----------
    answers : sequence of Answers
        One for each teacher.
    weights : ndarray of shape (n_teachers,)
        The share of each teacher.
    teachers : sequence
        The teachers, for the messages.

    Returns
    -------
    answers : Answers
        Their mean.

    Raises
    ------
    ValueError
        If a teacher that does not say its classes has another number of columns.
    """
    if len(answers) == 1:
        return answers[0]
    n_rows = len(answers[0].proba)
    named = [answer for answer in answers if answer.classes is not None]
    classes = unite([answer.classes for answer in named if answer.classes is not None]) if named else None
    n_classes = len(classes) if classes is not None else answers[0].proba.shape[1]
    total = np.zeros((n_rows, n_classes))
    for one, answer, weight in zip(teachers, answers, weights, strict=True):
        if answer.classes is None:
            if answer.proba.shape[1] != n_classes:
                raise ValueError(
                    f"{name_of(one)} returned {answer.proba.shape[1]} columns where the other teachers know "
                    f"{n_classes} classes{'' if classes is None else f' {classes.tolist()}'}."
                )
            total += weight * answer.proba
        else:
            assert classes is not None
            total += weight * align(answer, classes)
    return Answers(total, classes)


def _ask_one(teacher: Any, X: Any, n_rows: int, memory: Memory, origin: Any) -> Answers:
    source = name_of(teacher)
    proba = raw_answers(teacher, X, memory, origin, "predict_proba")
    if not is_estimator(teacher):
        return Answers(check_proba(proba, n_rows=n_rows, n_classes=None, source=source), None)
    classes = _attribute(teacher, "classes_")
    if isinstance(classes, list):
        if len(classes) > 0 and np.ndim(classes[0]) > 0:
            # scikit-learn's form of several outputs; the check says so in full
            check_proba(proba, n_rows=n_rows, n_classes=None, source=source)
        classes = np.asarray(classes)
    if classes is not None and len(classes) == 0:
        classes = None
    n_classes = None if classes is None else len(classes)
    checked = check_proba(proba, n_rows=n_rows, n_classes=n_classes, source=source)
    return Answers(checked, None if classes is None else np.asarray(classes))


def raw_answers(teacher: Any, X: Any, memory: Memory, origin: Any, method: str) -> Any:
    """Return what a teacher says, unchecked.

    Parameters
    ----------
    teacher : fitted estimator or callable
        Who is asked.
    X : array-like of shape (n_rows, n_columns)
        The rows, as the user gave them.
    memory : joblib.Memory
        Keeps the answers.
    origin : object
        What tells its answers from those of another.
    method : str
        The estimator's method.

    Returns
    -------
    answers : object
        As the teacher gave them.
    """
    source = name_of(teacher)
    if not is_estimator(teacher):
        if memory.location is not None and isinstance(teacher, FunctionType | MethodType):
            raise ValueError(
                f"memory= cannot tell whether {source} has changed, since it is a function. Cache the function itself "
                f"(teacher=joblib.Memory({str(memory.location)!r}).cache(function)), or ask it once and pass its "
                f"answers to fit as {'teacher_pred' if method == 'predict' else 'teacher_proba'}."
            )
        return _call(teacher, X, memory)
    return once(memory, _predict_proba if method == "predict_proba" else _predict, (teacher, X), key=(origin, X))


def _call(teacher: Callable[[Any], Any], X: Any, memory: Memory) -> Any:
    if memory.location is None or hasattr(teacher, "check_call_in_cache"):
        return teacher(X)
    return once(memory, _ask_callable, (teacher, X))


def _ask_callable(teacher: Callable[[Any], Any], X: Any) -> Any:
    return teacher(X)


def _predict_proba(teacher: Any, X: Any) -> Any:
    return teacher.predict_proba(X)


def _predict(teacher: Any, X: Any) -> Any:
    return teacher.predict(X)


def unite(several: Sequence[Array]) -> Array:
    """Return the sorted union of several arrays of class labels."""
    arrays = [np.asarray(classes) for classes in several]
    try:
        # numpy would write numbers out as text next to text
        if len({array.dtype.kind in "US" for array in arrays if array.dtype.kind != "O"}) > 1:
            raise TypeError("text and numbers")
        return np.unique(np.concatenate(arrays))
    except TypeError as error:
        kinds = [array.tolist() for array in arrays]
        raise ValueError(f"The teachers' classes cannot be compared with each other: {kinds}.") from error


def align(answers: Answers, classes: Array) -> Array:
    """Put the columns of a teacher's answers in the order of `classes`, by label.

    Parameters
    ----------
    answers : Answers
        With labels for its columns.
    classes : ndarray of shape (n_classes,)
        The labels wanted; a superset of the teacher's.

    Returns
    -------
    proba : ndarray of shape (n_rows, n_classes)
        Zero for the classes that the teacher does not know.
    """
    assert answers.classes is not None
    position = {label: column for column, label in enumerate(np.asarray(classes).tolist())}
    proba = np.zeros((len(answers.proba), len(classes)))
    proba[:, [position[label] for label in answers.classes.tolist()]] = answers.proba
    return proba
