"""Checks of rows, weights and probabilities; the only file that touches scikit-learn's private helpers."""

from __future__ import annotations

import copy
import importlib
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, _fit_context, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import _safe_indexing, assert_all_finite
from sklearn.utils._metadata_requests import _routing_enabled
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    StrOptions,
)
from sklearn.utils._repr_html.estimator import _VisualBlock
from sklearn.utils.validation import (
    _check_method_params,
    _check_sample_weight,
    check_array,
    check_is_fitted,
    column_or_1d,
    has_fit_parameter,
    validate_data,
)

from .program import column_reader, is_frame

__all__ = [
    "HasMethods",
    "Interval",
    "InvalidParameterError",
    "StrOptions",
    "check_no_gaps",
    "check_numbers",
    "check_pair",
    "check_proba",
    "check_rows",
    "check_weights",
    "clone_keeping",
    "column_or_rows",
    "copy_unfitted",
    "fit_context",
    "has_fit_parameter",
    "has_gaps",
    "import_optional",
    "is_fitted",
    "is_loss",
    "label_column",
    "not_fitted",
    "routing_enabled",
    "take_params",
    "take_rows",
    "takes_proba",
    "visual_block",
    "with_labels",
]

Array = NDArray[Any]

fit_context = _fit_context
routing_enabled = _routing_enabled
take_params = _check_method_params
take_rows = _safe_indexing
visual_block = _VisualBlock

#: How far from one a row of probabilities may sum: answers that were stored with three decimals
#: pass, a row of anything else does not.
SUM_TOLERANCE = 1e-3


def import_optional(name: str, caller: str, extra: str) -> Any:
    """Import a package that skdistill does not depend on.

    Parameters
    ----------
    name : str
        The package.
    caller : str
        What needs it, as a message names it.
    extra : str
        The extra of skdistill that brings it.

    Returns
    -------
    module : module
        The package.

    Raises
    ------
    ImportError
        If it is not installed; the message says what brings it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"{caller} needs the package {name}: pip install skdistill[{extra}]") from error


def is_fitted(estimator: Any) -> bool:
    """Tell whether an estimator has been fitted."""
    if hasattr(estimator, "__sklearn_tags__"):
        try:
            check_is_fitted(estimator)
        except NotFittedError:
            fitted = False
        else:
            fitted = True
    else:
        # not a BaseEstimator, but it names what it fitted as one does
        fitted = any(name.endswith("_") and not name.startswith("_") for name in vars(estimator))
    # CatBoost sets no attribute with a trailing underscore and has a method of its own
    own = getattr(estimator, "is_fitted", None)
    return fitted or (callable(own) and bool(own()))


def not_fitted(estimator: Any) -> NotFittedError:
    """Return the error that scikit-learn raises for an estimator that is used before fit."""
    return NotFittedError(
        f"This {type(estimator).__name__} instance is not fitted yet. Call 'fit' with appropriate arguments "
        "before using this estimator."
    )


def copy_unfitted(estimator: Any) -> Any:
    """Return an unfitted copy of an estimator, or a copy of anything else.

    As scikit-learn's ``clone``, but it also takes CatBoost, which copies the lists that it is given,
    such as `cat_features`, where scikit-learn looks for the same ones.
    """
    try:
        return clone(estimator, safe=False)
    except RuntimeError:
        return copy.deepcopy(estimator)


def clone_keeping(estimator: BaseEstimator, kept: dict[str, Any]) -> Any:
    """Clone an estimator as scikit-learn does, but take the parameters in `kept` as they are.

    Parameters
    ----------
    estimator : estimator
        The estimator to clone.
    kept : dict
        Parameters by name that the clone takes by reference.

    Returns
    -------
    copied : estimator
        An unfitted estimator with the same parameters and metadata requests.
    """
    params = {
        name: kept[name] if name in kept else copy_unfitted(value)
        for name, value in estimator.get_params(deep=False).items()
    }
    copied = type(estimator)(**params)
    for name in ("_metadata_request", "_sklearn_output_config"):
        if hasattr(estimator, name):
            setattr(copied, name, copy.deepcopy(getattr(estimator, name)))
    if hasattr(estimator, "_skl_callbacks"):
        copied._skl_callbacks = estimator._skl_callbacks
    return copied


def check_rows(estimator: BaseEstimator, X: Any, *, reset: bool, any_form: bool = False) -> Any:
    """Check that rows are a table with the right columns, and leave what is in them to the encoder.

    Parameters
    ----------
    estimator : estimator
        Whose rows they are: it keeps ``n_features_in_`` and ``feature_names_in_``.
    X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
        The rows.
    reset : bool
        True in fit, to learn the columns; False to compare with those learned.
    any_form : bool, default=False
        Whether rows may also be a single thing each, such as texts; of these nothing is checked but
        that there are some.

    Returns
    -------
    X : ndarray, csr_matrix or frame of shape (n_rows, n_columns)
        A frame as it is; anything else as an array of numbers or objects, or a CSR matrix. Rows that
        are a single thing each as they are, a list of them as an array of shape (n_rows,).

    Raises
    ------
    ValueError
        If there are no rows or columns, or their number is not that seen in fit.
    """
    named = "feature_names_in_" in estimator.__dict__
    if (
        not reset
        and not named
        and type(X) is np.ndarray
        and X.dtype.char in "df"
        and X.ndim == 2
        and X.shape[1] == estimator.n_features_in_
        and len(X) > 0
    ):
        return X
    if any_form and _is_flat(X):
        if len(X) == 0:
            raise ValueError("X holds no rows; needed is at least one.")
        if reset:
            for learned in ("n_features_in_", "feature_names_in_"):
                estimator.__dict__.pop(learned, None)
        if hasattr(X, "shape"):
            return X
        rows = np.empty(len(X), dtype=object)
        rows[:] = X
        return rows
    if is_frame(X):
        if X.shape[0] == 0 or X.shape[1] == 0:
            raise ValueError(f"X has shape {tuple(X.shape)}; needed is at least one row and one column.")
        if not reset and named:
            # columns are matched by their names, whatever their order, when they are read
            return X
        return validate_data(estimator, X, reset=reset, skip_check_array=True)
    if isinstance(X, list | tuple):
        # numpy would turn the numbers beside a string into strings
        plain = np.asarray(X)
        X = np.asarray(X, dtype=object) if plain.dtype.kind in "US" else plain
    # what is missing or infinite is the encoder's to judge, column by column; sparse rows have no columns to name
    finite = reset and hasattr(X, "tocsr")
    return validate_data(estimator, X, reset=reset, dtype=None, accept_sparse="csr", ensure_all_finite=finite)


def _is_flat(X: Any) -> bool:
    """Tell rows that are a single thing each from a table."""
    if isinstance(X, list | tuple):
        return len(X) > 0 and not isinstance(X[0], list | tuple | np.ndarray)
    return len(getattr(X, "shape", ())) == 1


def check_no_gaps(estimator: BaseEstimator, X: Any) -> None:
    """Refuse rows with a missing or an infinite number.

    Parameters
    ----------
    estimator : estimator
        A fitted student; rows that an encoder of the user's own takes are left to it.
    X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
        Rows; categories may be missing.

    Raises
    ------
    ValueError
        If a number is NaN or infinite.
    """
    if type(X) is np.ndarray and X.dtype.char in "df" and np.isfinite(np.vdot(X, X)):
        return
    if is_frame(X):
        if "encoder_" in estimator.__dict__:
            return
        if hasattr(estimator, "program_"):
            finite = np.isfinite(estimator.program_.ops[0](X)).all()
        else:
            read = column_reader(X)
            columns = (read(index) for index in range(X.shape[1]))
            finite = all(np.isfinite(column).all() for column in columns if column.dtype.kind == "f")
        if not finite:
            raise ValueError(
                "Input X contains NaN or infinity in a numeric column, and the teacher, or the student, takes neither."
            )
        return
    # scikit-learn sums all numbers first, and of huge ones that may be inf - inf
    with np.errstate(invalid="ignore"):
        check_array(X, dtype=None, accept_sparse="csr", ensure_2d=False, estimator=estimator, input_name="X")


def has_gaps(estimator: BaseEstimator, X: Any) -> bool:
    """Tell whether rows hold a missing or an infinite number, as :func:`check_no_gaps` finds them."""
    try:
        check_no_gaps(estimator, X)
    except ValueError:
        return True
    return False


def label_column(y: Any) -> Array:
    """Return labels as an array of shape (n_rows,), refusing a missing or infinite one.

    Parameters
    ----------
    y : array-like of shape (n_rows,) or (n_rows, 1)
        Labels of any type; one column of several rows is read with a warning.

    Returns
    -------
    y : ndarray of shape (n_rows,)
        The labels.

    Raises
    ------
    ValueError
        If `y` has several columns, or holds NaN or infinity.
    """
    y = column_or_1d(y, warn=True)
    assert_all_finite(y, input_name="y")
    return y


def check_numbers(y: Any, *, n_rows: int, source: str, gaps: bool = False) -> Array:
    """Check numbers to predict, or predicted ones, and return them as columns.

    Parameters
    ----------
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        The numbers.
    n_rows : int
        How many rows there must be.
    source : str
        Where they come from: "teacher Ridge"; or the name of an argument: "y".
    gaps : bool, default=False
        Whether NaN, in all outputs of a row, may stand for a row without any.

    Returns
    -------
    y : ndarray of shape (n_rows, n_outputs)
        The numbers in float64.

    Raises
    ------
    ValueError
        If the shape is wrong, or a number is infinite or, unless it may be, NaN.
    """
    what = f"What {source} returned" if " " in source else f"Input {source}"
    if hasattr(y, "toarray"):
        raise ValueError(f"{what} is sparse; needed is an array of numbers.")
    try:
        numbers = np.asarray(y)
        if numbers.dtype.kind in "OUST":
            numbers = numbers.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what} is not an array of numbers: {error}") from error
    if numbers.dtype.kind not in "fiub":
        raise ValueError(
            f"{what} is an array of {numbers.dtype}; needed are real numbers. (Complex data not supported.)"
        )
    if numbers.ndim not in (1, 2) or len(numbers) != n_rows or (numbers.ndim == 2 and numbers.shape[1] == 0):
        raise ValueError(
            f"{what} has shape {numbers.shape}; needed is a number for each of {n_rows} rows, ({n_rows},) or "
            f"({n_rows}, n_outputs)."
        )
    numbers = numbers.reshape(n_rows, -1).astype(np.float64)
    missing = np.isnan(numbers)
    for fault, kind in (
        (np.isinf(numbers), "infinity"),
        (missing & ~missing.all(axis=1, keepdims=True) if gaps else missing, "NaN"),
    ):
        if fault.any():
            row, column = np.argwhere(fault)[0]
            hint = " A row without a label is NaN in every output." if gaps and kind == "NaN" else ""
            raise ValueError(f"{what} contains {kind}: {numbers[row, column]} in row {row}, output {column}.{hint}")
    return numbers


def check_weights(sample_weight: ArrayLike | None, X: Any) -> Array | None:
    """Check sample weights: finite, non-negative, one for each row, not all zero.

    Parameters
    ----------
    sample_weight : array-like of shape (n_rows,), float or None
        Weights as the user gave them.
    X : array-like of shape (n_rows, n_columns)
        The rows that they belong to.

    Returns
    -------
    sample_weight : ndarray of shape (n_rows,) or None
        The weights, None where none were given.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, or the shape is not (n_rows,).
    """
    if sample_weight is None:
        return None
    weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    # scikit-learn 1.7 does not check this
    if not weights.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weights


def check_proba(proba: Any, *, n_rows: int, n_classes: int | None, source: str) -> Array:
    """Check an array of probabilities and make every row sum to one exactly.

    Parameters
    ----------
    proba : array-like of shape (n_rows, n_classes)
        The probabilities.
    n_rows : int
        How many rows there must be.
    n_classes : int or None
        How many columns there must be; None where any number of two or more will do.
    source : str
        Where they come from, as the start of the message: "teacher RandomForestClassifier".

    Returns
    -------
    proba : ndarray of shape (n_rows, n_classes)
        The probabilities in float64.

    Raises
    ------
    ValueError
        If the shape is wrong, a value is NaN, infinite or negative, or a row does not sum to one.
    """
    if isinstance(proba, list) and proba and all(getattr(part, "ndim", 0) == 2 for part in proba):
        raise ValueError(
            f"{source} returned a list of {len(proba)} arrays, one for each of several outputs. Multi-output "
            "classification is not supported: distil each output on its own, with a callable teacher that "
            "returns that output's array."
        )
    try:
        proba = np.asarray(proba, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{source} returned {type(proba).__name__}, not an array of numbers: {error}") from error
    wanted = f"({n_rows}, {'n_classes' if n_classes is None else n_classes})"
    if proba.ndim != 2 or len(proba) != n_rows or (n_classes is not None and proba.shape[1] != n_classes):
        hint = ""
        if proba.ndim == 1:
            hint = " For two classes, return both columns: np.column_stack([1 - p, p])."
        raise ValueError(f"{source} returned probabilities of shape {proba.shape}; needed is {wanted}.{hint}")
    if proba.shape[1] < 2:
        raise ValueError(f"{source} returned one column of probabilities; needed are two classes or more.")
    for fault, what in ((~np.isfinite(proba), "not finite"), (proba < 0, "negative")):
        if fault.any():
            row, column = np.argwhere(fault)[0]
            raise ValueError(
                f"{source} returned a probability that is {what}: {proba[row, column]} in row {row}, column {column}."
            )
    total = proba.sum(axis=1)
    off = np.abs(total - 1.0) > SUM_TOLERANCE
    if off.any():
        row = int(np.argmax(off))
        raise ValueError(
            f"{source} returned probabilities that do not sum to one: row {row} sums to {total[row]:.6g} "
            f"({np.count_nonzero(off)} of {n_rows} rows are off). Logits and scores have to be turned into "
            "probabilities first."
        )
    return proba / total[:, None]


def check_pair(teacher_proba: Any, student_proba: Any) -> tuple[Array, Array]:
    """Check the probabilities of a teacher and a student for the same rows, and return them in float64."""
    n_rows = len(np.asarray(teacher_proba))
    if n_rows == 0:
        raise ValueError("teacher_proba holds no rows; needed is at least one.")
    teacher = check_proba(teacher_proba, n_rows=n_rows, n_classes=None, source="teacher_proba")
    return teacher, check_proba(student_proba, n_rows=n_rows, n_classes=teacher.shape[1], source="student_proba")


def column_or_rows(answers: Array) -> Array:
    """Return numbers of shape (n_rows, n_outputs) as scikit-learn writes them: of a single output (n_rows,)."""
    return answers[:, 0] if answers.shape[1] == 1 else answers


def is_loss(scorer: Any) -> bool:
    """Tell whether a scorer turns the sign of a loss, so that more is better."""
    return scorer._sign < 0


def takes_proba(scorer: Any) -> bool:
    """Tell whether a scorer asks for what a model believes, and not for what it predicts."""
    return scorer._response_method != "predict"


def with_labels(scorer: Any, classes: Array) -> Any:
    """Return a scorer of probabilities that is told the classes, since the rows scored may lack one.

    Parameters
    ----------
    scorer : scorer
        As ``make_scorer`` returns it.
    classes : ndarray of shape (n_classes,)
        The sorted labels of the columns.

    Returns
    -------
    scorer : scorer
        A copy where its metric takes ``labels``, else itself.
    """
    if scorer._response_method != "predict_proba" or "labels" not in signature(scorer._score_func).parameters:
        return scorer
    told = copy.deepcopy(scorer)
    told._kwargs = {"labels": classes, **scorer._kwargs}
    return told
