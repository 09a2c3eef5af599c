"""The Program of a model: what of it ships, and that a Program is all there is to it."""

from __future__ import annotations

from typing import Any

from ._program import Program


def shipped(model: Any) -> Any:
    """Return what ships of a model: the best estimator of a search, the student of a distiller, or the model itself."""
    model = getattr(model, "best_estimator_", model)
    return getattr(model, "student_", model)


def program_of(model: Any, *, with_encoder: bool = False) -> Program:
    """Return the Program of a fitted model.

    Parameters
    ----------
    model : student, distiller, loaded model, or search or Program
        A fitted student, a fitted DistilledClassifier or DistilledRegressor, a model that ``skdistill.load`` has
        returned, a search over any of these; or a Program, which is returned as it is.
    with_encoder : bool, default=False
        Whether an encoder of the user's own may run before the Program.

    Returns
    -------
    program : Program
        Maps raw rows to probabilities, or to a regressor's predictions.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    TypeError
        If the model has no Program, or a step that is not part of the Program.
    """
    if isinstance(model, Program):
        return model
    inner = shipped(model)
    program = getattr(inner, "program_", None)
    name = type(inner).__name__
    if not isinstance(program, Program):
        attributes = getattr(inner, "__dict__", ())
        fitted = any(attribute.endswith("_") and not attribute.startswith("_") for attribute in attributes)
        if hasattr(inner, "fit") and not isinstance(inner, type) and not fitted:
            from sklearn.exceptions import NotFittedError

            raise NotFittedError(
                f"This {type(model).__name__} instance is not fitted yet. Call 'fit' with appropriate arguments before "
                "using this estimator."
            )
        raise TypeError(
            f"{name} has no Program, and only a Program can be exported, saved, compressed or measured; expected a "
            "fitted LinearStudent, MLPStudent or TreeStudent, or a distiller with such a student. For scikit-learn's "
            "wrappers of thresholds, calibrations and transformed targets there is skdistill.as_student."
        )
    if hasattr(inner, "encoder_") and not with_encoder:
        raise TypeError(
            f"The encoder of this {name} is a {type(inner.encoder_).__name__} that did not become part of the "
            "Program, so that the student cannot be exported, saved or measured. Leave encoder=None, use a "
            "ColumnTransformer of scikit-learn's usual imputers, scalers and encoders, or encode the rows beforehand."
        )
    return program


def program_or_none(model: Any) -> Program | None:
    """Return the Program that is all there is to a fitted model, None where there is no such Program."""
    try:
        return program_of(model)
    except TypeError:
        return None
