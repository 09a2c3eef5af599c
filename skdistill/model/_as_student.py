"""as_student: what scikit-learn's wrappers decide on becomes part of the Program of the student inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..program import (
    BACK,
    LARGEST,
    BackTransform,
    OneVsRest,
    Op,
    Program,
    Sigmoid,
    Softmax,
    Unstandardize,
    described,
    program_of,
    shipped,
)
from ._load import LoadedClassifier, LoadedRegressor

Array = NDArray[Any]

_HIGHEST = float(np.finfo(np.float64).max)


def as_student(model: Any, *, threshold: float | None = None) -> LoadedClassifier | LoadedRegressor:
    """Return the student inside scikit-learn's wrappers as a model that predicts as they do and can be exported.

    The :class:`~skdistill.Program` of the result includes what the wrappers add: the threshold of a
    FixedThresholdClassifier or a TunedThresholdClassifierCV, the calibration of a CalibratedClassifierCV, and the
    inverse transform of a TransformedTargetRegressor. Wrappers may be nested, and may hold a search or a
    FrozenEstimator.

    Parameters
    ----------
    model : estimator
        A fitted wrapper around a student or a distiller; or a fitted student, distiller or loaded model.
    threshold : float, default=None
        Predict the second of two classes if its probability is at least this. Replaces the threshold of `model`, if it
        has one.

    Returns
    -------
    student : LoadedClassifier or LoadedRegressor
        A model like one from :func:`skdistill.load`. ``predict`` and ``predict_proba`` return what the wrapper's do; a
        threshold changes only the labels. ``decision_function`` returns the logits after scaling by a sigmoid or a
        temperature.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    TypeError
        If a Program cannot represent a wrapper; the message names it.
    ValueError
        If `threshold` is not a number from 0 to 1, or there are not two classes.

    Notes
    -----
    Sigmoids and temperatures change the weights of the last layer, which are float32; probabilities agree with the
    wrapper's within about 1e-6. Regression predictions stay finite where the wrapper returns infinity or NaN: outputs
    are clipped to the domain of the inverse transform, and results to 1e30 in magnitude.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import FixedThresholdClassifier
    >>> import skdistill
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> careful = FixedThresholdClassifier(skdistill.LinearStudent(), threshold=0.6).fit(X, [0, 0, 1, 1])
    >>> student = skdistill.as_student(careful)
    >>> student.predict([[1.8], [3.0]]), careful.predict([[1.8], [3.0]])
    (array([0, 1]), array([0, 1]))
    """
    from ..export import metadata_of

    program, classes = _unwrapped(model)
    inner = _innermost(model)
    metadata = metadata_of(inner, None)
    if inner is not model:
        metadata["wrapper"] = described(model)
    if threshold is not None:
        if isinstance(threshold, bool | str) or not 0 <= threshold <= 1:
            raise ValueError(f"threshold={threshold!r}; expected a probability, from 0 to 1.")
        program = _with_threshold(program, classes, threshold, 1)
        metadata["threshold"] = float(threshold)
    if classes is None:
        return LoadedRegressor(program, metadata=metadata)
    return LoadedClassifier(program, classes, metadata=metadata)


def _innermost(model: Any) -> Any:
    """Return the student, or the distiller, that is inside all wrappers."""
    calibrated = getattr(model, "calibrated_classifiers_", None)
    inner = [calibrated[0].estimator] if calibrated else []
    inner += [getattr(model, name, None) for name in ("best_estimator_", "estimator_", "regressor_", "estimator")]
    return next((_innermost(one) for one in inner if one is not None), model)


def _unwrapped(model: Any) -> tuple[Program, Array | None]:
    """Return the Program of a model, with what its wrappers add, and its class labels; None for a regressor."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.frozen import FrozenEstimator
    from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
    from sklearn.pipeline import Pipeline
    from sklearn.utils.validation import check_is_fitted

    from .._sklearn import positive_label_of

    model = getattr(model, "best_estimator_", model)
    if isinstance(model, FrozenEstimator):
        return _unwrapped(model.estimator)
    if isinstance(model, FixedThresholdClassifier):
        return _thresholded(model, getattr(model, "estimator_", model.estimator), model.threshold, model.pos_label)
    if isinstance(model, TunedThresholdClassifierCV | CalibratedClassifierCV | TransformedTargetRegressor):
        check_is_fitted(model)
    if isinstance(model, TunedThresholdClassifierCV):
        return _thresholded(model, model.estimator_, model.best_threshold_, positive_label_of(model))
    if isinstance(model, CalibratedClassifierCV):
        return _calibrated(model)
    if isinstance(model, TransformedTargetRegressor):
        program, classes = _unwrapped(model.regressor_)
        return _transformed_back(program, model.transformer_), classes
    if isinstance(model, Pipeline):
        raise TypeError(
            "The steps before the student in a Pipeline are not part of its Program. Leave them out, since a student "
            "reads raw columns, or pass them to the student as encoder=ColumnTransformer(...)."
        )
    program = program_of(model)
    return program, None if program.n_outputs is not None else shipped(model).classes_


# ------------------------------------------------------------------------------------ thresholds


def _thresholded(wrapper: Any, estimator: Any, threshold: Any, positive: Any) -> tuple[Program, Array | None]:
    """Return the Program of a wrapper with a threshold; `positive` is its pos_label."""
    program, classes = _unwrapped(estimator)
    if classes is None:
        raise TypeError(f"{type(wrapper).__name__} needs a classifier; this one wraps a regressor.")
    of_logit = wrapper.response_method == "decision_function"
    if of_logit and not hasattr(estimator, "decision_function"):
        raise TypeError(f"{type(estimator).__name__} has no decision_function; use response_method='predict_proba'.")
    if threshold == "auto":
        threshold = 0.0 if of_logit else 0.5
    index = 1 if positive is None else classes.tolist().index(positive)
    if not hasattr(estimator, "decision_function") and isinstance(program.ops[-1], Softmax):
        # calibrated weights are rounded to float32, and a row whose probability is the threshold passes it
        threshold -= 1e-7 * max(0.0, min(threshold, 1.0 - threshold))
    return _with_threshold(program, classes, threshold, index, of_logit=of_logit), classes


def _with_threshold(
    program: Program, classes: Array | None, threshold: Any, positive: int, *, of_logit: bool = False
) -> Program:
    """Return a Program that predicts a class where its probability, or the logit for it, is at least a threshold."""
    *ops, end = program.ops
    if classes is None or len(classes) != 2 or not isinstance(end, Softmax | OneVsRest):
        found = "a regressor" if classes is None else f"{len(classes)} classes"
        found = "several labels for each row" if isinstance(end, Sigmoid) else found
        raise ValueError(f"A threshold decides between two classes, and this model has {found}.")
    threshold = float(threshold)
    if np.isnan(threshold):
        raise ValueError("threshold is NaN; expected a number.")

    def is_second(logit: float) -> bool:
        score = end(np.array([[logit]]))[0, positive] if not of_logit else (logit if positive else -logit)
        return bool((score >= threshold) == bool(positive))

    cut = _lowest(is_second)
    if isinstance(end, Softmax) and not of_logit:
        # the last bits of an exponential waver, and a row whose probability is the threshold passes it
        cut += (-1e-15 if positive else 1e-15) * max(1.0, abs(cut))
    return Program([*ops, replace(end, cut=float(np.clip(cut, -_HIGHEST, _HIGHEST)))], program.batch_dtype)


def _lowest(holds: Callable[[float], bool]) -> float:
    """Return the lowest number from which on something holds, to the last bit."""
    # the bits of a positive float64 are in the order of the numbers
    low, high = -int(np.float64(_HIGHEST).view(np.int64)), int(np.float64(_HIGHEST).view(np.int64))

    def number(at: int) -> float:
        return float(np.copysign(np.int64(abs(at)).view(np.float64), at))

    if holds(number(low)):
        return number(low)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(number(middle)) else (middle, high)
    return number(high)


# ------------------------------------------------------------------------------------ calibration


def _calibrated(wrapper: Any) -> tuple[Program, Array | None]:
    found = wrapper.calibrated_classifiers_
    if len(found) > 1:
        raise TypeError(
            f"This CalibratedClassifierCV averages {len(found)} students, and a Program is one; use ensemble=False, or "
            "FrozenEstimator around a fitted student."
        )
    inner, calibrators = found[0].estimator, found[0].calibrators
    program, classes = _unwrapped(inner)
    *ops, last, end = program.ops
    if not hasattr(inner, "decision_function") or not isinstance(end, Softmax | OneVsRest) or classes is None:
        raise TypeError(
            f"CalibratedClassifierCV calibrates the decision_function of a student, and a {type(inner).__name__} has "
            "none that a Program returns; put it directly around the student or the distiller."
        )
    # for a temperature, scikit-learn fits the student to numbers in place of strings
    given = np.arange(len(wrapper.classes_)) if wrapper.method == "temperature" else wrapper.classes_
    if not np.array_equal(classes, wrapper.classes_) and not np.array_equal(classes, given):
        raise TypeError(
            f"The student has the classes {classes.tolist()}, and CalibratedClassifierCV {wrapper.classes_.tolist()}; "
            "expected rows of the same classes for both."
        )
    classes = wrapper.classes_
    is_binary, new = len(classes) == 2, _isotonic(calibrators)
    if wrapper.method == "temperature":
        # scikit-learn takes a single logit for half the difference of two
        last, new = last.scaled(float(calibrators[0].beta_) * (2.0 if is_binary else 1.0)), Softmax()
    elif wrapper.method == "sigmoid":
        slope, shift = (np.array([-getattr(one, name) for one in calibrators]) for name in ("a_", "b_"))
        last, new = last.scaled(slope, shift), Softmax() if is_binary else OneVsRest()
    program = Program([*ops, last, new], program.batch_dtype)
    # of two classes, the first is predicted unless the second one's probability is larger
    if is_binary and wrapper.method == "isotonic":
        program = _with_threshold(program, classes, np.nextafter(0.5, 1.0), 1)
    return program, classes


def _isotonic(calibrators: Any) -> Op:
    """Return the end of a Program whose logits go through these isotonic regressions, where they are."""
    if not all(hasattr(one, "X_thresholds_") for one in calibrators):
        return Softmax()
    # a short one gets its last knot several times
    longest = max(2, *(len(one.X_thresholds_) for one in calibrators))
    knots, scores = (
        np.array([np.pad(getattr(one, name), (0, longest - len(one.X_thresholds_)), "edge") for one in calibrators])
        for name in ("X_thresholds_", "y_thresholds_")
    )
    scores = np.maximum.accumulate(np.clip(scores.astype(np.float64), 0.0, 1.0), axis=1)
    return OneVsRest(knots=knots.astype(np.float64), scores=scores)


# ------------------------------------------------------------------------------------ transformed targets


def _transformed_back(program: Program, transformer: Any) -> Program:
    """Return a regressor's Program with the inverse of a transformer of the target at its end."""
    for scale, shift, function, power in _inverses(transformer):
        *ops, end = program.ops
        if type(end) is not Unstandardize:
            raise TypeError(
                f"{_named(transformer)} comes after another transform of the target, and a Program has one; scale the "
                "target after it is transformed, or not at all."
            )
        bounds = {name: edge * scale + shift for name in ("lower", "upper") if (edge := getattr(end, name)) is not None}
        fields = {"center": end.center * scale + shift, "scale": end.scale * scale, **bounds}
        new = Unstandardize(**fields) if function is None else _back_transform(fields, function, power)
        program = Program([*ops, new], program.batch_dtype)
    return program


def _named(transformer: Any) -> str:
    return f"transformer={transformer!r} of TransformedTargetRegressor"


def _inverses(transformer: Any) -> Iterator[tuple[Any, Any, str | None, Array | None]]:
    """Yield the steps of a transformer's inverse: a scale, a shift, and a function of BACK with its power, or None."""
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, PowerTransformer, StandardScaler

    from .._sklearn import scaler_of

    if isinstance(transformer, Pipeline):
        for _, step in reversed(transformer.steps):
            if step not in (None, "passthrough"):
                yield from _inverses(step)
    elif isinstance(transformer, StandardScaler):
        scale = 1.0 if transformer.scale_ is None else transformer.scale_
        yield scale, transformer.mean_ if transformer.with_mean else 0.0, None, None
    elif isinstance(transformer, MinMaxScaler):
        yield 1.0 / transformer.scale_, -transformer.min_ / transformer.scale_, None, None
    elif isinstance(transformer, PowerTransformer):
        if transformer.standardize:
            yield from _inverses(scaler_of(transformer))
        yield 1.0, 0.0, transformer.method, np.asarray(transformer.lambdas_, dtype=np.float64)
    elif isinstance(transformer, FunctionTransformer) and transformer.inverse_func is None:
        return
    elif isinstance(transformer, FunctionTransformer) and not transformer.inv_kw_args:
        name = next((name for name in BACK if getattr(np, name, None) is transformer.inverse_func), None)
        if name is None:
            raise TypeError(
                f"inverse_func={transformer.inverse_func!r} of TransformedTargetRegressor is a function that a Program "
                f"does not have; expected {', '.join(f'np.{name}' for name in BACK[:6])}, or a PowerTransformer."
            )
        yield 1.0, 0.0, name, None
    else:
        raise TypeError(
            f"{_named(transformer)} has an inverse that a Program does not have; expected a StandardScaler, a "
            "MinMaxScaler, a PowerTransformer, a FunctionTransformer of numpy's functions, or a Pipeline of these."
        )


def _back_transform(fields: dict[str, Any], function: str, power: Array | None) -> BackTransform:
    """Return an op that holds numbers to where the inverse is defined and within 1e30 of zero, and transforms them."""
    lower: Any = -_HIGHEST
    upper: Any = _HIGHEST
    if power is not None:
        # with the smallest exponents, the power transforms are the logarithm to the last bit
        power = np.where(np.abs(power) < 1e-15, 1e-15, power)
        if function == "yeo-johnson":
            power = np.where(np.abs(power - 2.0) < 1e-15, 2.0 - 4e-16, power)
        lower, upper = _range_of(function, power)
    elif function in ("exp", "expm1"):
        upper = np.log(LARGEST)
    elif function == "square":
        lower, upper = -np.sqrt(LARGEST), np.sqrt(LARGEST)
    else:
        lower = {"log": np.finfo(np.float64).tiny, "log1p": np.nextafter(-1.0, 0.0), "sqrt": 0.0}[function]
    like = fields["center"]
    fields["lower"] = np.clip(fields.get("lower", -_HIGHEST), lower, upper) + 0.0 * like
    fields["upper"] = np.clip(fields.get("upper", _HIGHEST), lower, upper) + 0.0 * like
    return BackTransform(function=function, power=power, **fields)


def _range_of(function: str, power: Array) -> tuple[Array, Array]:
    """Return between which numbers the inverse of a power transform is defined and within 1e30 of zero."""

    def reach(power: Array) -> Array:
        """Return the transform of 1e30 and of nearly infinity, the smaller of the two."""
        with np.errstate(over="ignore"):
            found = np.expm1(np.log(LARGEST) * power) / power
        return np.minimum(found, 1e300) * (1.0 - 4e-16)

    if function == "yeo-johnson":
        return -reach(2.0 - power), reach(power)
    return np.where(power > 0, -1.0 / np.abs(power) * (1.0 - 4e-16), -1e300), reach(power)
