"""All private helpers of scikit-learn in use, under our own names; no other file imports one."""

from __future__ import annotations

import copy
import sys
from inspect import signature
from types import FrameType
from typing import Any

from numpy.typing import NDArray
from sklearn.base import BaseEstimator, _fit_context, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import _safe_indexing
from sklearn.utils._metadata_requests import _routing_enabled
from sklearn.utils._param_validation import HasMethods as HasMethods
from sklearn.utils._param_validation import Interval as Interval
from sklearn.utils._param_validation import Options as Options
from sklearn.utils._param_validation import StrOptions as StrOptions
from sklearn.utils._repr_html.estimator import _VisualBlock
from sklearn.utils.validation import (
    _check_method_params,
    _check_monotonic_cst,
    _check_sample_weight,
    _num_samples,
    check_is_fitted,
)
from sklearn.utils.validation import has_fit_parameter as has_fit_parameter
from sklearn.utils.validation import validate_data as validate_data

check_monotonic_cst = _check_monotonic_cst
check_sample_weight = _check_sample_weight
fit_context = _fit_context
n_rows_of = _num_samples
routing_enabled = _routing_enabled
take_params = _check_method_params
take_rows = _safe_indexing
visual_block = _VisualBlock


def is_fitted(estimator: Any) -> bool:
    """Return whether an estimator shows that it has been fitted, by scikit-learn's signs or its library's."""
    if hasattr(estimator, "__sklearn_tags__"):
        try:
            check_is_fitted(estimator)
            fitted = True
        except NotFittedError:
            fitted = False
    else:
        # not a BaseEstimator, but it names what it fitted as one does
        fitted = any(name.endswith("_") and not name.startswith("_") for name in getattr(estimator, "__dict__", {}))
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

    As scikit-learn's ``clone``, but it also takes CatBoost, which copies the lists that it is given, such as
    `cat_features`, where scikit-learn looks for the same objects.
    """
    try:
        return clone(estimator, safe=False)
    except RuntimeError:
        if isinstance(estimator, list | tuple):
            return type(estimator)(copy_unfitted(one) for one in estimator)
        params = estimator.get_params(deep=False)
        return type(estimator)(**{name: copy_unfitted(value) for name, value in params.items()})


def clone_keeping(estimator: BaseEstimator, kept: dict[str, Any]) -> Any:
    """Clone an estimator as scikit-learn does, but keep some parameters by reference.

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


def is_loss(scorer: Any) -> bool:
    """Return whether a scorer is a loss with its sign turned, so that more is better."""
    return scorer._sign < 0


def takes_proba(scorer: Any) -> bool:
    """Return whether a scorer needs probabilities or scores rather than predictions."""
    return scorer._response_method != "predict"


def with_labels(scorer: Any, classes: NDArray[Any]) -> Any:
    """Return a scorer of probabilities that knows the classes, since the rows scored may lack one.

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
    labelled = copy.deepcopy(scorer)
    labelled._kwargs = {"labels": classes, **scorer._kwargs}
    return labelled


#: What scikit-learn's model selection calls for each split.
_SPLITS = {"_fit_and_score", "_fit_and_predict", "_permutation_test_score"}


def in_search() -> tuple[bool, bool]:
    """Return whether a fit runs inside a split of scikit-learn's model selection, and behind a transformer there.

    A split takes folds of every argument of fit that is as long as X, and fits the steps of a Pipeline anew; neither
    shows in what a fit is given.

    Returns
    -------
    split, transformed : (bool, bool)
        Whether a split calls, and whether a Pipeline whose earlier steps transform the rows does within it.
    """
    frame: FrameType | None = sys._getframe(1)
    transformed = False
    while frame is not None:
        module, function = frame.f_globals.get("__name__", ""), frame.f_code.co_name
        if module == "sklearn.pipeline" and function == "fit":
            steps = frame.f_locals["self"].steps
            transformed |= any(step not in (None, "passthrough") for _, step in steps[:-1])
        elif module == "sklearn.model_selection._validation" and function in _SPLITS:
            return True, transformed
        frame = frame.f_back
    return False, False


def positive_label_of(tuned: Any) -> Any:
    """Return the pos_label of a fitted TunedThresholdClassifierCV, that of its scorer; None is the second class."""
    return tuned._curve_scorer._get_pos_label()


def scaler_of(transformer: Any) -> Any:
    """Return the StandardScaler of a fitted PowerTransformer with ``standardize=True``."""
    return transformer._scaler
