"""Monotonic constraints: those passed to a distiller, and those of its teacher, as far as a student supports them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from .._checks import listed
from .._sklearn import in_search, take_rows
from ..program import column_names, column_reader, is_frame, user_level
from ..student import check_constraints, raw_columns, unconstrainable
from ..teacher import Teacher
from ._augment import assemble

Array = NDArray[Any]

#: What scikit-learn, XGBoost and CatBoost, and LightGBM call them.
_NAMES = ("monotonic_cst", "monotone_constraints", "monotone_constraint", "mc")
#: The values of a column in so many rows, each put into so many of them, show whether preprocessing keeps their order.
_MOST_ROWS, _N_BASES = 2_000, 5
#: The sign of each constrained column by its name, or by its index in an array; and what could not be read.
_Signs = tuple[dict[Any, int], list[str]]


def check_given(model: Any, student: Any, X: Any, n_outputs: int) -> None:
    """Check the constraints that the student or the distiller was given, and give the student the distiller's.

    Parameters
    ----------
    model : Distiller
        It knows the columns of `X`.
    student : Student
        Not fitted. If it has constraints of its own, it keeps them.
    X : ndarray, sparse matrix or frame of shape (n_rows, n_columns)
        The rows, as the student gets them.
    n_outputs : int
        How many outputs the student will have.

    Raises
    ------
    ValueError
        If the constraints are not well-formed, or the student cannot keep them.
    """
    own, given = student.get_params(deep=False).get("monotonic_cst"), model.monotonic_cst
    asked = own if own is not None or isinstance(given, str) else given
    if asked is None:
        return
    columns = None if sparse.issparse(X) or len(X.shape) != 2 else list(raw_columns(X))
    if check_constraints(student, asked, model, columns, n_outputs) is not None:
        student.set_params(monotonic_cst=asked)


def take_from_teacher(model: Any, teacher: Teacher, students: Sequence[Any], X: Any, rows: Any, n_outputs: int) -> None:
    """Give students without constraints of their own those of the teacher, where ``monotonic_cst="teacher"``.

    Parameters
    ----------
    model : Distiller
        It knows the columns.
    teacher : Teacher
        Fitted.
    students : sequence of Student
        Not fitted; their `monotonic_cst` is set.
    X, rows : ndarray, sparse matrix or frame of shape (n_rows, n_columns)
        The rows, as the teacher and as the students get them.
    n_outputs : int
        How many outputs the students will have.

    Warns
    -----
    UserWarning
        Of constraints that are not kept.
    """
    if not isinstance(model.monotonic_cst, str) or len(getattr(X, "shape", ())) != 2:
        return
    students = [one for one in students if all(own is None for own in _constraints(one, deep=True))]
    signs, lost = _agreed([_read(one, own) for one, own in teacher.each(X)])
    if not students or not (signs or lost):
        return
    name = teacher.name
    if n_outputs > 1:
        _warn(name, [*signs, *lost], "they need two classes, or one output")
        return
    if not sparse.issparse(rows):
        for column in raw_columns(rows):
            if column.name in signs and column.kind != "number":
                _warn(name, [column.name], "it is read as a category, text or date; convert it to numbers before fit")
                del signs[column.name]
    if lost:
        _warn(name, lost, "they could not be traced to single columns of X; give these to monotonic_cst")
    given: Any = signs
    if not hasattr(model, "feature_names_in_"):
        names = column_names(X) if is_frame(X) else range(model.n_features_in_)
        given = [signs.get(name, 0) for name in names]
    for student in students if signs else []:
        if reason := unconstrainable(student):
            _warn(name, list(signs), reason)
        else:
            student.set_params(monotonic_cst=given)


def _warn(teacher: str, columns: Sequence[Any], reason: str) -> None:
    if not in_search()[0]:
        warnings.warn(
            f"The monotonic constraints of {teacher} on {listed(columns)} are not kept: {reason}. "
            "monotonic_cst=None sets no constraints, without a warning.",
            UserWarning,
            stacklevel=user_level(),
        )


def _read(model: Any, X: Any) -> _Signs:
    """Return a fitted model's constraints on the columns of `X`."""
    if not _is_constrained(model):
        return {}, []
    names = column_names(X) if is_frame(X) else list(range(X.shape[1]))
    if isinstance(model, Pipeline) and len(model) > 1:
        return _through(model[:-1], model[-1], X, names)
    if inner := _models_in(model):
        return _agreed([_read(one, X) for one in inner])
    found = next(filter(_is_set, _constraints(model)), None)
    return ({}, [f"within {type(model).__name__}"]) if found is None else _by_name(found, names)


def _is_constrained(model: Any) -> bool:
    """Return whether a model, or one in it, has constraints."""
    if hasattr(model, "student_"):
        # a distiller has those that its student has kept, whatever its parameter says
        return _is_constrained(model.student_)
    return any(map(_is_set, _constraints(model, deep=True))) or any(map(_is_constrained, _models_in(model)))


def _models_in(model: Any) -> list[Any]:
    """Return the models whose answers another one averages, calibrates or passes on."""
    if isinstance(model, Pipeline):
        return [model[-1]]
    if hasattr(model, "student_"):
        return [model.student_]
    if isinstance(model, VotingClassifier | VotingRegressor):
        return list(model.estimators_)
    if isinstance(model, CalibratedClassifierCV):
        return [one.estimator for one in model.calibrated_classifiers_]
    if isinstance(model, FrozenEstimator):
        return [model.estimator]
    return [model.best_estimator_] if hasattr(model, "best_estimator_") else []


def _agreed(several: Sequence[_Signs]) -> _Signs:
    """Return the constraints that several models share."""
    lost = list(dict.fromkeys(one for _, names in several for one in names))
    signs = (
        {name: sign for name, sign in several[0][0].items() if all(other.get(name) == sign for other, _ in several)}
        if several
        else {}
    )
    apart = dict.fromkeys(name for one, _ in several for name in one if name not in signs)
    return signs, lost + [f"{name} (not of all models)" for name in apart]


def _constraints(model: Any, *, deep: bool = False) -> list[Any]:
    """Return the values of all parameters of a model that hold constraints."""
    try:
        params = model.get_params(deep=deep) if hasattr(model, "get_params") else {}
    except Exception:
        # a model of another library may not know its own parameters
        params = {}
    return [value for name, value in params.items() if name.rpartition("__")[2] in _NAMES]


def _is_set(value: Any) -> bool:
    # an unfitted distiller, which another model has fitted a clone of, asks its teacher
    if isinstance(value, str) and value == "teacher":
        return False
    return value is not None and any(sign for _, sign in _pairs(value))


def _pairs(value: Any) -> list[tuple[Any, int]]:
    """Return index or name and sign of constraints: a sequence, a dict, or a text such as "(1,0,-1)" or "age:1"."""
    if isinstance(value, str):
        parts = [part.strip() for part in value.strip(" ()[]{}").split(",") if part.strip()]
        pairs = [part.rpartition(":") for part in parts]
        return [(name.strip(" '\"") if mark else at, int(sign)) for at, (name, mark, sign) in enumerate(pairs)]
    return [(name, int(sign)) for name, sign in (value.items() if isinstance(value, Mapping) else enumerate(value))]


def _by_name(value: Any, names: Sequence[Any]) -> _Signs:
    signs, lost = {}, []
    for key, sign in _pairs(value):
        if isinstance(key, int) and not isinstance(value, Mapping) and key < len(names):
            # a place in a sequence, whatever the columns are called
            key = names[key]
        # columns without a name are called 0 or f0
        index = re.fullmatch(r"f?(\d+)", str(key))
        if key not in names and index and int(index[1]) < len(names):
            key = names[int(index[1])]
        if sign and key in names:
            signs[key] = sign
        elif sign:
            lost.append(str(key))
    return signs, lost


def _through(front: Pipeline, last: Any, X: Any, names: Sequence[Any]) -> _Signs:
    """Return the constraints of the last step of a Pipeline on the columns of `X`.

    The columns that it gets are found by their names, with the prefixes of a ColumnTransformer, and are tried out.
    """
    X = take_rows(X, slice(0, _MOST_ROWS))
    X = X.toarray() if sparse.issparse(X) else X
    Z = front.transform(X)
    found, lost = _read(last, Z)
    own = column_names(Z) if is_frame(Z) else list(range(Z.shape[1]))
    signs_after = np.array([found.get(name, 0) for name in own])
    try:
        made = list(map(str, front.get_feature_names_out()))
    except Exception:
        # a transformer does not name what it makes
        made = list(map(str, own))
    raw = {str(name) if is_frame(X) else f"x{at}": at for at, name in enumerate(names)}
    columns, signs = list(raw_columns(X)) if found else [], {}
    for at in np.flatnonzero(signs_after):
        name = made[at]
        while name not in raw and "__" in name:
            name = name.partition("__")[2]
        source = raw.get(name)
        sign = 0 if source is None else signs_after[at]
        if source is not None and columns[source].kind == "number":
            sign = _tried(front, X, source, columns[source].values, signs_after)
        if source is None or not sign:
            lost.append(made[at])
        else:
            signs[names[source]] = int(sign)
    return signs, lost


def _tried(front: Pipeline, X: Any, at: int, values: Array, signs: Array) -> int:
    """Return the sign of a column's effect if all that a Pipeline makes of it has constraints that agree, else 0."""
    known, rows = np.unique(values, return_index=True)
    rows = rows[~np.isnan(known)]
    # some rows, each with one cell moved up
    bases = np.linspace(0, len(values) - 1, _N_BASES).astype(np.int64)
    index = np.tile(np.repeat(bases, len(rows)), (X.shape[1], 1))
    index[at] = np.tile(rows, len(bases))
    Z = front.transform(assemble(X, index))
    read = column_reader(Z.toarray() if sparse.issparse(Z) else Z)
    effects = set()
    for sign, place in zip(signs, range(Z.shape[1]), strict=True):
        try:
            made = read(place).astype(np.float64)
        except (TypeError, ValueError):
            # texts are not made of numbers
            continue
        made = made.reshape(len(bases), -1)
        # a known value that becomes a missing one has no order
        lost = np.isnan(made)
        effects |= {0} if (lost != lost[:, :1]).any() else set()
        steps = np.nan_to_num(np.diff(made))
        far = np.abs(steps) > 1e-9 * np.abs(steps).max(initial=0.0)
        effects |= {int(one) for one in np.sign(steps[far]) * sign}
    return effects.pop() if len(effects) == 1 else 0
