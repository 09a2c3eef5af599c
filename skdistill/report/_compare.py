"""compare(): ask a teacher and its students about the same test rows, and measure them."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import sklearn
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import get_scorer_names

from .._answers import check_student, inner, n_rows_of, named_students, predicts_numbers, shipped
from .._validation import InvalidParameterError
from .._version import __version__
from ..export import program_of
from ..metrics import Latency
from ..program import Program
from ..teacher import is_estimator, members
from ._figures import cost, large_enough
from ._kinds import kind_of
from ._report import Details, Report
from ._slices import chosen_columns, groups, names_of

Array = NDArray[Any]


def compare(
    teacher: Any,
    students: Any,
    X: Any,
    y: ArrayLike,
    *,
    teacher_proba: ArrayLike | None = None,
    teacher_pred: ArrayLike | None = None,
    classes: ArrayLike | None = None,
    labels_only: Any = None,
    metric: str | None = None,
    tolerance: float = 0.01,
    slice_by: Sequence[Any] | None = None,
    min_rows: int = 30,
    n_bins: int = 15,
    latency: bool = True,
) -> Report:
    """Compare students with their teacher on test rows: what each keeps, and what it saves.

    The rows should be new to teacher and students alike: a teacher that has seen them looks better
    than it is, and its students worse.

    Parameters
    ----------
    teacher : estimator, callable, list of these, or None
        Fitted. Of a list the mean answer counts. None together with `teacher_proba`.
    students : dict of str to estimator, list of estimators, or estimator
        Fitted classifiers, such as a DistilledClassifier, a student, or what ``skdistill.load``
        returns; or fitted regressors. Those in a list are called by their classes.
    X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
        Test rows, raw, as teacher and students take them.
    y : array-like of shape (n_rows,), or (n_rows, n_outputs) of numbers
        Their labels, or the numbers to predict.
    teacher_proba : array-like of shape (n_rows, n_classes), default=None
        The answers of a teacher of classes, if it has been asked already. Where `teacher` is given as
        well, its size and its times are measured.
    teacher_pred : array-like of shape (n_rows,) or (n_rows, n_outputs), default=None
        The same of a teacher of numbers.
    classes : array-like of shape (n_classes,), default=None
        The labels of the answers' columns, for a teacher that does not say them. None takes those
        of the first student with as many classes.
    labels_only : str or estimator, default=None
        The yardstick, a student that was fitted to the labels alone: the name of one of the
        students, or one besides them.
    metric : str, default=None
        What the retention is of: the name of one of scikit-learn's scorers. None takes "accuracy", of
        numbers "r2".
    tolerance : float, default=0.01
        The student that is chosen is the smallest whose retention is less than this below the
        highest.
    slice_by : sequence of str or int, default=None
        The columns whose categories, or quartiles, are looked at one by one. None takes the first
        fifty. The classes, or the quartiles of the target, are looked at always.
    min_rows : int, default=30
        Slices with fewer rows are passed over.
    n_bins : int, default=15
        Bins of equal width for the calibration error and the reliability curves of classes.
    latency : bool, default=True
        Whether times are measured, on one thread: a second or so for each model, more for a slow
        one.

    Returns
    -------
    report : Report
        To print, to show in a notebook, or to write as a page.

    Raises
    ------
    ValueError
        If rows, labels or answers do not fit together; the message says which.
    NotFittedError
        If the teacher or a student is not fitted.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skdistill import DistilledClassifier, LinearStudent, compare
    >>> X, y = load_iris(return_X_y=True)
    >>> forest = RandomForestClassifier(random_state=0).fit(X[::2], y[::2])
    >>> model = DistilledClassifier(forest, student="linear").fit(X[::2], y[::2])
    >>> plain = LinearStudent().fit(X[::2], y[::2])
    >>> report = compare(forest, {"linear": model}, X[1::2], y[1::2], labels_only=plain, latency=False)
    >>> report.chosen
    'linear'
    >>> report.table["linear"]["fidelity"] > 0.9
    True
    """
    named, yardstick = _with_yardstick(named_students(students), labels_only)
    numbers = predicts_numbers(next(iter(named.values())))
    metric = ("r2" if numbers else "accuracy") if metric is None else metric
    _check_options(metric, tolerance, min_rows, n_bins)
    n_rows = n_rows_of(X)
    columns = chosen_columns(X, slice_by)
    kind = kind_of(
        teacher,
        named,
        X,
        y,
        numbers=numbers,
        teacher_proba=teacher_proba,
        teacher_pred=teacher_pred,
        classes=classes,
        metric=metric,
        n_bins=n_bins,
    )
    names = names_of(X)
    slices = {name: large_enough(by, min_rows) for name, by in kind.by_label().items()}
    for index in columns:
        assert names is not None
        slices[names[index]] = large_enough(groups(X, index), min_rows)
    answers = {"teacher": kind.told}
    for name, student in named.items():
        answers[name] = kind.ask(student, f"student {name!r}")

    table: dict[str, dict[str, Any]] = {}
    details: dict[str, Details] = {}
    seen = None
    for name, answer in answers.items():
        role = "teacher" if name == "teacher" else "labels only" if name == yardstick else "student"
        figures, by_slice = kind.figures(answer, slices)
        if role == "teacher":
            model, program, predict = teacher, None, kind.predict(teacher)
        else:
            model, program = inner(named[name]), _program(named[name])
            predict = getattr(shipped(named[name]), kind.method)
        taken, measured = cost(
            model if _is_made_of_estimators(model) else None, predict if latency else None, X, program
        )
        seen = measured or seen
        table[name] = {"kind": role, "model": _kind_of(model), **figures, **taken}
        in_fit = getattr(named.get(name), "distillation_report_", None)
        details[name] = Details(slices=by_slice, in_fit=in_fit, **kind.details(answer))
    return Report(
        table=table,
        columns=kind.columns,
        chosen=_choose(table, tolerance),
        metric=metric,
        tolerance=tolerance,
        n_rows=n_rows,
        classes=kind.classes,
        n_bins=n_bins,
        min_rows=min_rows,
        details=details,
        environment=_environment(seen),
    )


def _check_options(metric: str, tolerance: float, min_rows: int, n_bins: int) -> None:
    if metric not in get_scorer_names():
        raise InvalidParameterError(
            f"metric={metric!r} is not the name of a scorer; sklearn.metrics.get_scorer_names() lists them."
        )
    for name, value, low in (("tolerance", tolerance, 0), ("min_rows", min_rows, 1), ("n_bins", n_bins, 2)):
        if not value >= low:
            raise InvalidParameterError(f"{name}={value!r}; needed is a number that is at least {low}.")


def _with_yardstick(named: dict[str, Any], labels_only: Any) -> tuple[dict[str, Any], str | None]:
    """Return the students, the yardstick among them, and its name."""
    if "teacher" in named:
        raise InvalidParameterError("A student is called 'teacher', which is what the report calls the teacher.")
    if labels_only is None:
        return named, None
    if isinstance(labels_only, str):
        if labels_only not in named:
            raise InvalidParameterError(f"labels_only={labels_only!r} is none of the students {list(named)}.")
        if len(named) == 1:
            raise InvalidParameterError("The only student is the one that labels_only names; needed is another.")
        return named, labels_only
    if "labels only" in named:
        raise InvalidParameterError("A student is called 'labels only'; name it in labels_only instead.")
    check_student(labels_only, "labels_only", numbers=predicts_numbers(next(iter(named.values()))))
    return {**named, "labels only": labels_only}, "labels only"


def _program(student: Any) -> Program | None:
    try:
        return program_of(shipped(student))
    except TypeError:
        return None


def _is_made_of_estimators(model: Any) -> bool:
    """Whether a pickle holds all that a model knows; that of a function holds its name."""
    return all(is_estimator(one) or hasattr(one, "program_") for one in members(model))


def _kind_of(model: Any) -> str:
    if model is None:
        return "answers alone"
    if isinstance(model, list | tuple):
        return ", ".join(_kind_of(one) for one in model)
    return type(model).__name__ if is_estimator(model) or not hasattr(model, "__name__") else str(model.__name__)


def _choose(table: Mapping[str, Mapping[str, Any]], tolerance: float) -> str:
    """Return the smallest student within the tolerance; one with a Program is smaller than one without."""
    students = {name: row for name, row in table.items() if row["kind"] == "student"}
    kept = [row["retention"] for row in students.values() if not np.isnan(row["retention"])]
    # of a teacher that is no better than nothing no share can be kept, and all are as good
    good = [name for name, row in students.items() if not kept or row["retention"] >= max(kept) - tolerance]

    def size(name: str) -> tuple[bool, float]:
        row = students[name]
        own = row["program_bytes"]
        return (own is None, own if own is not None else row["pickle_bytes"] or np.inf)

    return min(good, key=size)


def _environment(seen: Latency | None) -> dict[str, Any]:
    """Return what the figures depend on besides models and rows."""
    if seen is not None:
        return {"machine": seen.machine, "n_threads": seen.n_threads, "batch_rows": seen.batch_rows}
    versions = {"numpy": np.__version__, "scikit-learn": sklearn.__version__, "skdistill": __version__}
    return {"machine": {"system": platform.system(), "Python": platform.python_version(), **versions}}
