"""The verdict: whether the rows show that a student has gained by its teacher, or what it changes of a baseline."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from .._sklearn import copy_unfitted
from ..metrics import output_names, paired_gain
from ..program import is_frame, named_columns
from . import _asking as asking
from ._columns import count, in_units, metric_name
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
    own = _undistilled(student)
    if own is None:
        return None
    # the steps of a Pipeline are among its parameters a second time
    params = {name: repr(value) for name, value in own.get_params().items() if name not in ("steps", "memory")}
    return type(own), {name: text for name, text in params.items() if name.split("__")[-1] not in _INCIDENTAL}


def _undistilled(student: Any) -> Any:
    """Return what there is of a model without its teacher: of a distiller its student; None where that is not known."""
    student = getattr(student, "best_estimator_", student)
    if isinstance(student, Pipeline):
        last = _undistilled(student[-1])
        return None if last is None else Pipeline([*student.steps[:-1], (student.steps[-1][0], last)])
    own = asking.inner(student)
    params = own.get_params() if hasattr(own, "get_params") else None
    # a model around a distiller has the teacher inside
    is_distilled = params is None or any(hasattr(value, "ask_teacher") for value in params.values())
    return None if is_distilled else own


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
            # the fit of the student has warned of these rows already
            warnings.simplefilter("ignore", UserWarning)
            twins[name] = copy_unfitted(_undistilled(student)).fit(X, own)
    return {"labels only" if len(twins) == 1 else f"{name}, labels only": twin for name, twin in twins.items()}


def change(chosen: str, baseline: str, preds: Mapping[str, Any], kind: Kind) -> str:
    """Return in a sentence what changes where a student takes the place of a baseline.

    Parameters
    ----------
    chosen, baseline : str
        The student, and the model whose place it takes.
    preds : dict of str to ndarray
        What each answers.
    kind : Kind
        Classes or numbers, the labels if there are any, and the score.

    Returns
    -------
    sentence : str
        How many rows change, and with labels how many of these become right and wrong, and what that does to the score.
    """
    old, new, n_rows = preds[baseline], preds[chosen], len(preds[chosen])
    instead = f"In place of the {baseline}, {chosen}"
    if kind.classes is None:
        apart, what = np.abs(old - new).max(axis=1), f"{count(n_rows)} predictions"
        changes = instead
    else:
        classes = [kind.predicted(one) for one in (old, new)]
        changed = classes[0] != classes[1]
        changes = f"{instead} predicts another class for {count(changed.sum())} of {count(n_rows)} rows"
        if kind.y is not None and changed.any():
            were, are = ((one == kind.y)[changed] for one in classes)
            changes += f" ({count((are & ~were).sum())} become right and {count((were & ~are).sum())} wrong)"
        apart, what = np.abs(old - new).max(axis=1), "the probabilities"
        changes += " and"
    middle, far = (in_units(value) for value in np.quantile(apart, (0.5, 0.95)).tolist())
    changes += f" moves half of {what} by {middle} or more, 5 % by {far} or more."
    if not apart.any() and (kind.classes is None or not changed.any()):
        changes = f"{chosen} and the {baseline} answer alike on all {count(n_rows)} rows."
    if kind.y is None:
        return f"{changes} Whether they are better is not known without labels."
    gain, is_shown, text = _gain(kind, kind.y, new, old)
    beside = f"its {metric_name(kind.scoring)} is {text} that of the {baseline}"
    if not is_shown:
        return f"{changes} These rows show no difference: {beside}."
    return f"{changes} It is {'better' if gain > 0 else 'worse'}: {beside}."


def _gain(kind: Kind, y: NDArray[Any], answer: NDArray[Any], other: NDArray[Any]) -> tuple[float, bool | None, str]:
    """Return by how much a model is better than another, whether the rows show that, and how far their scores are.

    Too few rows to tell are None.
    """
    gain, error = paired_gain(
        y, answer, other, scoring=kind.scoring, response_method=kind.task.method, classes=kind.classes
    )
    side = "lower" if (gain > 0) == kind.scoring.startswith("neg_") else "higher"
    few = len(y) < _FEWEST or not np.isfinite(error)
    if gain == 0 or few:
        return gain, None if few else False, "the same as" if gain == 0 else f"{abs(gain):.4g} {side} than"
    text = f"{abs(gain):.4g} {side} (± {_ERRORS * error:.2g}, two standard errors) than"
    return gain, abs(gain) > _ERRORS * error, text


def verdict(
    chosen: str,
    named: Mapping[str, Any],
    baselines: list[str],
    preds: Mapping[str, Any],
    kind: Kind,
    y: NDArray[Any],
) -> str:
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
    y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        The labels.

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
    gain, is_shown, text = _gain(kind, y, preds[chosen], preds[baseline])
    alone = "" if baseline.endswith("labels only") else ", fitted to labels alone"
    beside = f"the {metric_name(kind.scoring)} of {chosen} is {text} that of {baseline}{alone}"
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
    if is_shown is None:
        return f"Whether distilling was worth it is not known: {count(len(y))} rows are too few to tell; {beside}."
    if not is_shown:
        return f"On {count(len(y))} rows the teacher makes no measurable difference: {beside}."
    return f"{'Distilling was worth it' if gain > 0 else 'Labels alone are better'}: {beside}."
