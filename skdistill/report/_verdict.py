"""The verdict: whether the rows show that a student has gained by its teacher."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from .._sklearn import copy_unfitted
from ..metrics import output_names, paired_gain
from ..program import is_frame, named_columns
from . import _asking as asking
from ._columns import count, metric_name
from ._kinds import Kind

#: A gain is shown by the rows where it is larger than so many of its standard errors.
_ERRORS = 2.0
#: Standard errors of fewer rows are themselves too uncertain.
_FEWEST = 30
#: Parameters that do not make a student another one.
_INCIDENTAL = ("random_state", "verbose", "n_jobs")


def same_kind(student: Any, other: Any) -> bool:
    """Tell whether two models differ in nothing but what they were fitted to: one class, the same parameters."""
    return _settings(student) is not None and _settings(student) == _settings(other)


def _settings(student: Any) -> tuple[type, dict[str, str]] | None:
    own = _untaught(student)
    if own is None:
        return None
    # the steps of a Pipeline are among its parameters a second time
    params = {name: repr(value) for name, value in own.get_params().items() if name not in ("steps", "memory")}
    return type(own), {name: text for name, text in params.items() if name.split("__")[-1] not in _INCIDENTAL}


def _untaught(student: Any) -> Any:
    """Return what there is of a model without its teacher: of a distiller its student; None where that is not known."""
    student = getattr(student, "best_estimator_", student)
    if isinstance(student, Pipeline):
        last = _untaught(student[-1])
        return None if last is None else Pipeline([*student.steps[:-1], (student.steps[-1][0], last)])
    own = asking.inner(student)
    params = own.get_params() if hasattr(own, "get_params") else None
    # a model around a distiller has the teacher inside
    taught = params is None or any(hasattr(value, "ask_teacher") for value in params.values())
    return None if taught else own


def _alpha(student: Any) -> float | None:
    """Return a distiller's alpha, also that of the last step of a Pipeline; None of anything else."""
    student = getattr(student, "best_estimator_", student)
    return _alpha(student[-1]) if isinstance(student, Pipeline) else getattr(student, "alpha_", None)


def labels_only_twins(students: Mapping[str, Any], X: Any, y: Any) -> dict[str, Any]:
    """Fit for each kind of student the same one to labels alone; a model that was loaded has none.

    Parameters
    ----------
    students : dict of str to estimator
        Fitted.
    X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
        The rows that they were fitted to.
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        Their labels; the columns of a frame are matched by name.

    Returns
    -------
    twins : dict of str to estimator
        Fitted, "labels only", or where there are several each after the first student of its kind.
    """
    kinds: dict[str, Any] = {}
    for name, student in students.items():
        if _settings(student) is not None and not any(same_kind(student, one) for one in kinds.values()):
            kinds[name] = student
    twins = {}
    for name, student in kinds.items():
        own = named_columns(y, output_names(student), "y_train")[0] if is_frame(y) else y
        with warnings.catch_warnings():
            # what there is to say of these rows, the fit of the student has said
            warnings.simplefilter("ignore", UserWarning)
            twins[name] = copy_unfitted(_untaught(student)).fit(X, own)
    return {"labels only" if len(twins) == 1 else f"{name}, labels only": twin for name, twin in twins.items()}


def verdict(chosen: str, named: Mapping[str, Any], baselines: list[str], preds: Mapping[str, Any], kind: Kind) -> str:
    """Return in a sentence whether distilling was worth it, or why the rows cannot show that.

    A gain is claimed only where the student is known to have learned from the teacher, the other student is of the same
    kind and size, and the gain is larger than two standard errors.

    Parameters
    ----------
    chosen : str
        The student.
    named : dict of str to estimator
        All students by name.
    baselines : list of str
        Those that were fitted to labels alone.
    preds : dict of str to ndarray
        What each answers.
    kind : Kind
        Classes or numbers, and the score.

    Returns
    -------
    sentence : str
        The verdict.
    """
    alpha = _alpha(named[chosen])
    if not baselines:
        return (
            "Whether distilling was worth it is not known: there is no student of the same kind that was fitted to "
            "labels alone. Give X_train and y_train, or labels_only."
        )
    alike = [name for name in baselines if same_kind(named[chosen], named[name])]
    baseline = (alike or baselines)[0]
    gain, error = paired_gain(
        kind.y,
        preds[chosen],
        preds[baseline],
        scoring=kind.scoring,
        response_method=kind.task.method,
        classes=kind.classes,
    )
    metric, is_loss = metric_name(kind.scoring), kind.scoring.startswith("neg_")
    side = "lower" if (gain > 0) == is_loss else "higher"
    apart = f"{abs(gain):.4g} {side} (± {_ERRORS * error:.2g}, two standard errors) than"
    n_rows = len(kind.y)
    few = n_rows < _FEWEST or not np.isfinite(error)
    if gain == 0 or few:
        apart = "the same as" if gain == 0 else f"{abs(gain):.4g} {side} than"
    beside = f"the {metric} of {chosen} is {apart} that of {baseline}, fitted to labels alone"
    if alpha == 0:
        return (
            f"None of this is due to the teacher: alpha of {chosen} is 0, so that it has not learned from it; {beside}."
        )
    if not alike:
        return (
            f"Whether distilling was worth it is not known: {baseline} is of another kind or has other parameters than "
            f"{chosen}; {beside}."
        )
    if alpha is None:
        return (
            f"Whether distilling was worth it is not known: {chosen} is no DistilledClassifier or DistilledRegressor, "
            f"which says whether it has learned from the teacher; {beside}."
        )
    if few:
        return f"Whether distilling was worth it is not known: {count(n_rows)} rows are too few to tell; {beside}."
    if not abs(gain) > _ERRORS * error:
        return f"On {count(n_rows)} rows the teacher makes no measurable difference: {beside}."
    return f"{'Distilling was worth it' if gain > 0 else 'Labels alone are better'}: {beside}."
