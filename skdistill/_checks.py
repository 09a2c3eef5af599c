"""Input validation: checks of rows, weights, labels and predictions, with messages that say what is expected."""

from __future__ import annotations

import importlib
import os
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import assert_all_finite, check_array
from sklearn.utils.validation import column_or_1d

from ._sklearn import check_sample_weight, validate_data
from .program import column_names, column_reader, in_order, is_dask, is_frame, is_missing, user_level

Array = NDArray[Any]

#: No row counts more often than this.
_LARGEST_COUNT = 1e6
#: How far from one a row of probabilities may sum: answers that were stored with three decimals
#: pass, a row of anything else does not.
SUM_TOLERANCE = 1e-3


def import_optional(name: str, caller: str, package: str) -> Any:
    """Import an optional package.

    Parameters
    ----------
    name : str
        The package.
    caller : str
        The feature that needs it, as a message names it.
    package : str
        What pip has to install, which may be an extra of skdistill.

    Returns
    -------
    module : module
        The package.

    Raises
    ------
    ImportError
        If it is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"{caller} needs the package {name.partition('.')[0]}: pip install {package}") from error


def check_in_memory(X: Any, called: str) -> None:
    """Raise a TypeError for a Dask collection and for a path; `called` is who takes neither."""
    if is_dask(X) or isinstance(X, str | os.PathLike):
        what = f"a Dask {type(X).__name__}" if is_dask(X) else f"the path {os.fspath(X)!r}"
        raise TypeError(
            f"{called} takes rows in memory here, and X is {what}. DistilledClassifier.fit and "
            "DistilledRegressor.fit take Dask collections and paths of Parquet files."
        )


def check_rows(estimator: BaseEstimator, X: Any, *, reset: bool, any_form: bool = False) -> Any:
    """Check that rows are a table with the right columns; its cells are left to the encoder.

    Parameters
    ----------
    estimator : estimator
        Whose rows they are: it keeps ``n_features_in_`` and ``feature_names_in_``.
    X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
        The rows.
    reset : bool
        True in fit, to learn the columns; False to compare with those learned.
    any_form : bool, default=False
        Whether a row may also be a single object, such as a text; then all that is checked is that there
        are rows.

    Returns
    -------
    X : ndarray, csr_matrix or frame of shape (n_rows, n_columns)
        A frame as it is, with columns in the order of fit where their names are not strings; anything else
        as an array of numbers or objects, or a CSR matrix. Rows of single objects as they are, a list of them
        as an array of shape (n_rows,).

    Raises
    ------
    ValueError
        If there are no rows or columns, or their number is not that seen in fit.
    TypeError
        If `X` is a Dask collection or a path.
    """
    named = "feature_names_in_" in estimator.__dict__
    plain = type(X) is np.ndarray and X.dtype.char in "df" and X.ndim == 2 and len(X) > 0
    if plain and not reset and not named and X.shape[1] == estimator.n_features_in_:
        return X
    check_in_memory(X, type(estimator).__name__)
    if any_form and _is_flat(X):
        if len(X) == 0:
            raise ValueError("X holds no rows; expected at least one.")
        if reset:
            for learned in ("n_features_in_", "feature_names_in_"):
                estimator.__dict__.pop(learned, None)
        if hasattr(X, "shape"):
            return X
        rows = np.empty(len(X), dtype=object)
        rows[:] = X
        return rows
    # a sparse matrix may be a dict, too
    dicts = not hasattr(X, "shape") and (
        isinstance(X, dict) or (isinstance(X, list) and bool(X) and isinstance(X[0], dict))
    )
    if dicts and not reset:
        # a Program reads them
        return X
    if is_frame(X) and named and not reset and min(X.shape) > 0:
        # columns are matched by their names, whatever their order, when they are read
        return X
    _check_container(X, dicts)
    if is_frame(X):
        if X.shape[0] == 0 or X.shape[1] == 0:
            raise ValueError(f"X has shape {tuple(X.shape)}; expected at least one row and one column.")
        twice = [name for name, count in Counter(column_names(X)).items() if count > 1] if reset else []
        if twice:
            raise ValueError(f"X has columns of the same name: {listed(twice)}. Rename or drop them.")
        checked = validate_data(estimator, X, reset=reset, skip_check_array=True)
        return _by_unnamed_columns(estimator, checked, reset=reset)
    if isinstance(X, list | tuple):
        # numpy would turn the numbers beside a string into strings
        cells = np.asarray(X)
        X = np.asarray(X, dtype=object) if cells.dtype.kind in "US" else cells
    # the encoder checks missing and infinite values column by column; sparse rows have no columns to name
    finite = reset and hasattr(X, "tocsr")
    return validate_data(estimator, X, reset=reset, dtype=None, accept_sparse="csr", ensure_all_finite=finite)


def _check_container(X: Any, dicts: bool) -> None:
    """Raise for containers that do not hold rows in a supported form; the message has the remedy and no data."""
    if dicts:
        raise ValueError("X is a list of dicts. Pass a frame: pandas.DataFrame(X).")
    if not hasattr(X, "shape") and hasattr(X, "collect"):
        raise TypeError(f"X is a {type(X).__name__}, which is lazy. Pass X.collect().")
    if type(X).__name__ == "RecordBatch":
        raise TypeError("X is a RecordBatch. Pass a table: pyarrow.Table.from_batches([X]).")
    shape = getattr(X, "shape", (len(X),) if isinstance(X, list | tuple) else None)
    nested = isinstance(X, list | tuple) and len(X) > 0 and isinstance(X[0], list | tuple | np.ndarray)
    if shape is not None and len(shape) < 2 and not nested:
        raise ValueError(
            f"Expected 2D array, got {len(shape)}D array instead: X has shape {tuple(shape)}. Reshape your data: "
            "X.reshape(-1, 1) if it is one column, X.reshape(1, -1) if it is one row."
        )


def columns_as_in_fit(estimator: Any, X: Any) -> Any:
    """Return rows with a frame's columns in the order that a fitted estimator saw, where it has the same ones."""
    names = estimator.__dict__.get("feature_names_in_")
    if not is_frame(X):
        return X
    if names is None:
        return _by_unnamed_columns(estimator, X, reset=False)
    return in_order(X, names.tolist()) if set(column_names(X)) == set(names) else X


def _by_unnamed_columns(estimator: Any, X: Any, *, reset: bool) -> Any:
    """Return a frame whose column names are not all strings in the order of fit, where its names allow that.

    scikit-learn ignores such names, and so does a Program; they are matched here.
    """
    if reset:
        estimator.__dict__.pop("_column_keys", None)
        if "feature_names_in_" not in estimator.__dict__:
            estimator._column_keys = list(column_names(X))
        return X
    known, names = estimator.__dict__.get("_column_keys"), list(column_names(X))
    if known is None or known == names:
        return X
    if len(set(names)) == len(names) and set(names) == set(known):
        return in_order(X, known)
    warnings.warn(
        f"The columns of X are named {listed(names)}; {type(estimator).__name__} was fitted on columns named "
        f"{listed(known)}. They are matched by position. Rename the columns as in fit, or pass X.to_numpy().",
        stacklevel=user_level(),
    )
    return X


def listed(values: Sequence[Any]) -> str:
    """Return values as a message shows them: the first ten."""
    shown = ", ".join(repr(value.item() if isinstance(value, np.generic) else value) for value in values[:10])
    return f"[{shown}{', ...' if len(values) > 10 else ''}]"


def missing_y(estimator: str, reason: str = "") -> str:
    """Return the message for a y that is None; scikit-learn's checks look for its last part."""
    return f"{reason}This {estimator} estimator requires y to be passed, but the target y is None."


def unite(several: Sequence[Array]) -> Array:
    """Return the sorted union of several arrays of class labels; raise if they mix strings and numbers."""
    arrays = [np.asarray(classes) for classes in several]
    try:
        # numpy would write numbers out as text next to text
        if len({array.dtype.kind in "US" for array in arrays if array.dtype.kind != "O"}) > 1:
            raise TypeError("text and numbers")
        return np.unique(np.concatenate(arrays))
    except TypeError as error:
        kinds = [array.tolist() for array in arrays]
        raise ValueError(f"The teachers' classes cannot be compared with each other: {kinds}.") from error


def _is_flat(X: Any) -> bool:
    """Return whether each row is a single object, such as a text, rather than cells of a table."""
    if isinstance(X, list | tuple):
        return len(X) > 0 and not isinstance(X[0], list | tuple | np.ndarray)
    return len(getattr(X, "shape", ())) == 1


def check_complete(estimator: BaseEstimator, X: Any) -> None:
    """Raise a ValueError where a number is missing or infinite.

    Parameters
    ----------
    estimator : estimator
        A fitted student; rows for the user's own encoder are left to that.
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
        columns: Any = map(column_reader(X), range(X.shape[1]))
        if hasattr(estimator, "program_"):
            columns = [estimator.program_.ops[0](X)]
        if not all(np.isfinite(column).all() for column in columns if column.dtype.kind == "f"):
            raise ValueError(
                "Input X contains NaN or infinity in a numeric column, and the teacher, or the student, takes neither."
            )
        return
    # scikit-learn sums all numbers first, and of huge ones that may be inf - inf
    with np.errstate(invalid="ignore"):
        check_array(X, dtype=None, accept_sparse="csr", ensure_2d=False, estimator=estimator, input_name="X")


def is_complete(estimator: BaseEstimator, X: Any) -> bool:
    """Return whether no number is missing or infinite, as :func:`check_complete` finds them."""
    try:
        check_complete(estimator, X)
    except ValueError:
        return False
    return True


def label_column(y: Any) -> Array:
    """Return labels as an array of shape (n_rows,); raise if one is missing or infinite.

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
        If `y` has several columns, or holds a missing or infinite label, or strings beside other labels.
    """
    y = column_or_1d(y, warn=True)
    if y.dtype == object:
        cells = [label.item() if isinstance(label, np.generic) else label for label in y.tolist()]
        missing = [row for row, label in enumerate(cells) if is_missing(label)]
        if missing:
            raise ValueError(
                f"Input y contains NaN: the label of row {missing[0]} is {cells[missing[0]]!r} ({len(missing)} in all)."
            )
        kinds = {type(label): label for label in cells}
        if str in kinds and len(kinds) > 1:
            others = listed([label for kind, label in kinds.items() if kind is not str])
            raise ValueError(
                f"y holds strings and {others}; class labels must be of one kind. Turn them all into strings: "
                "y.astype(str)."
            )
        if set(kinds) in ({bool}, {int}):
            # scikit-learn does not know the type of booleans and numbers in an array of objects
            y = np.array(cells)
        elif str not in kinds:
            some = ", ".join(f"{label!r} of type {kind.__name__}" for kind, label in kinds.items())
            raise ValueError(
                f"y holds {some}; class labels must be strings, integers or booleans. Turn them all into strings: "
                "y.astype(str)."
            )
    assert_all_finite(y, input_name="y")
    return y


def check_numbers(y: Any, *, n_rows: int, source: str, hint: str = "") -> Array:
    """Check numbers to predict, or predictions, and return them as columns.

    Parameters
    ----------
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        The numbers.
    n_rows : int
        How many rows there must be.
    source : str
        Where they come from: "teacher Ridge"; or the name of an argument: "y".
    hint : str, default=""
        What a message about NaN ends with.

    Returns
    -------
    y : ndarray of shape (n_rows, n_outputs)
        The numbers in float64.

    Raises
    ------
    ValueError
        If the shape is wrong, or a number is NaN or infinite.
    """
    what = f"What {source} returned" if " " in source else f"Input {source}"
    if hasattr(y, "toarray"):
        raise ValueError(f"{what} is sparse; expected an array of numbers.")
    try:
        numbers = np.asarray(y)
        if numbers.dtype.kind in "OUST":
            numbers = numbers.astype(np.float64)
    except (TypeError, ValueError) as error:
        for row, cell in enumerate(np.asarray(y, dtype=object).ravel().tolist()):
            try:
                float(cell)
            except (TypeError, ValueError):
                raise ValueError(
                    f"{what} is not an array of numbers: cell {row} is {cell!r}. Turn it into numbers beforehand, for "
                    "example by pandas.to_numeric; a date becomes a number of days or seconds."
                ) from error
        raise ValueError(f"{what} is not an array of numbers: {error}") from error
    if numbers.dtype.kind not in "fiub":
        raise ValueError(f"{what} is an array of {numbers.dtype}; expected real numbers. (Complex data not supported.)")
    if numbers.ndim not in (1, 2) or len(numbers) != n_rows or (numbers.ndim == 2 and numbers.shape[1] == 0):
        raise ValueError(
            f"{what} has shape {numbers.shape}; expected a number for each of {n_rows} rows, ({n_rows},) or "
            f"({n_rows}, n_outputs)."
        )
    numbers = numbers.reshape(n_rows, -1).astype(np.float64)
    for fault, kind in ((np.isinf(numbers), "infinity"), (np.isnan(numbers), "NaN")):
        if fault.any():
            row, column = np.argwhere(fault)[0]
            raise ValueError(
                f"{what} contains {kind}: {numbers[row, column]} in row {row}, output {column}."
                f"{hint if kind == 'NaN' else ''}"
            )
    return numbers


def row_counts(sample_weight: Array | None) -> Array | None:
    """Return weights in rows: what each row counts, whatever unit the weights come in.

    Weights that are whole multiples of the smallest, up to a million, are counts of it: a row of weight 2 beside
    others of weight 1 is that row twice. Other weights are relative, and the average row counts once. So multiplying
    all weights by a number changes nothing.

    Parameters
    ----------
    sample_weight : ndarray of shape (n_rows,) or None
        Non-negative weights, not all zero.

    Returns
    -------
    counts : ndarray of shape (n_rows,) or None
        None where all rows count once.
    """
    if sample_weight is None:
        return None
    positive = sample_weight[sample_weight > 0]
    with np.errstate(over="ignore"):
        counts = positive / positive.min()
    # beside a weight of next to nothing every other is a multiple, by its rounding
    whole = bool(counts.max() <= _LARGEST_COUNT and np.all(np.abs(counts - np.round(counts)) <= 1e-9 * counts))
    unit = positive.min() if whole else positive.mean()
    counts = sample_weight / unit
    return np.round(counts) if whole else counts


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
    weights = check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
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
            f"{source} returned a list of {len(proba)} arrays, one for each of several outputs. If these are labels, y "
            "has to be an indicator matrix: zeros and ones, NaN where a label is missing. Outputs of several classes "
            "are not supported: distil each on its own, with a callable teacher that returns its array."
        )
    try:
        proba = np.asarray(proba, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{source} returned {type(proba).__name__}, not an array of numbers: {error}") from error
    wanted = f"({n_rows}, {'n_classes' if n_classes is None else n_classes})"
    if proba.ndim != 2 or len(proba) != n_rows or (n_classes is not None and proba.shape[1] != n_classes):
        hint = " For two classes, return both columns: np.column_stack([1 - p, p])." if proba.ndim == 1 else ""
        raise ValueError(f"{source} returned probabilities of shape {proba.shape}; expected {wanted}.{hint}")
    if proba.shape[1] < 2:
        raise ValueError(f"{source} returned one column of probabilities; expected two classes or more.")
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
            "probabilities first; those of several labels need an indicator matrix y, NaN where a label is missing."
        )
    return proba / total[:, None]


def column_or_rows(answers: Array) -> Array:
    """Return numbers of shape (n_rows, n_outputs), or (n_rows,) for a single output, as scikit-learn does."""
    return answers[:, 0] if answers.shape[1] == 1 else answers


def query_numbers(qid: Any, group: Any, n_rows: int) -> Array:
    """Return the number of each row's query, from zero in the order of the ids.

    Parameters
    ----------
    qid : array-like of shape (n_rows,) or None
        The id of each row's query.
    group : array-like of shape (n_queries,) or None
        The number of rows of each query, one after the other.
    n_rows : int
        How many rows there are.

    Returns
    -------
    queries : ndarray of shape (n_rows,)
        Whole numbers.

    Raises
    ------
    ValueError
        If not exactly one of both is given, it is not of the right length, or ids are missing or of several types.
    """
    if (qid is None) == (group is None):
        given = "neither was" if qid is None else "both were"
        raise ValueError(
            f"Pass either qid, the id of each row's query, or group, the number of rows of each query; {given} given."
        )
    if group is not None:
        sizes = np.asarray(group)
        if sizes.ndim != 1 or sizes.dtype.kind not in "iu" or (sizes < 1).any() or sizes.sum() != n_rows:
            raise ValueError(
                f"group must hold positive whole numbers that add up to the {n_rows} rows of X; they add up to "
                f"{sizes.sum()}. The id of each row's query is passed as qid."
            )
        return np.repeat(np.arange(len(sizes)), sizes)
    ids = column_or_1d(qid)
    if len(ids) != n_rows:
        raise ValueError(f"qid has {len(ids)} ids, and X has {n_rows} rows. The sizes of queries are passed as group.")
    missing = np.flatnonzero([is_missing(one) for one in ids.tolist()])
    if len(missing):
        raise ValueError(f"qid is missing in row {missing[0]}; each row is of a query.")
    try:
        return np.asarray(np.unique(ids, return_inverse=True)[1])
    except TypeError as error:
        kinds = sorted({type(one).__name__ for one in ids.tolist()})
        raise ValueError(f"qid holds ids of several types ({', '.join(kinds)}). Pass them all as texts.") from error
