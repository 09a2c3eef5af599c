"""compare(): ask a teacher and its students about the same test rows, and measure them."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import sklearn
from joblib import Memory
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import get_scorer_names

from .._answers import (
    check_every_label,
    check_student,
    inner,
    n_rows_of,
    named_students,
    shipped,
    student_answer,
    teacher_answers,
)
from .._validation import InvalidParameterError
from .._version import __version__
from ..export import program_of
from ..metrics import Latency
from ..program import Program
from ..teacher import ask, check_teachers, is_estimator, members
from ._columns import classification_columns
from ._figures import confusion, cost, disagreements, large_enough, quality, reliability_curve
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
    classes: ArrayLike | None = None,
    labels_only: Any = None,
    metric: str = "accuracy",
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
        returns. Those in a list are called by their classes.
    X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
        Test rows, raw, as teacher and students take them.
    y : array-like of shape (n_rows,)
        Their labels.
    teacher_proba : array-like of shape (n_rows, n_classes), default=None
        The teacher's answers, if it has been asked already. Where `teacher` is given as well, its
        size and its times are measured.
    classes : array-like of shape (n_classes,), default=None
        The labels of the answers' columns, for a teacher that does not say them. None takes those
        of the first student with as many classes.
    labels_only : str or estimator, default=None
        The yardstick, a student that was fitted to the labels alone: the name of one of the
        students, or one besides them.
    metric : str, default="accuracy"
        What the retention is of: the name of one of scikit-learn's scorers for classifiers.
    tolerance : float, default=0.01
        The student that is chosen is the smallest whose retention is less than this below the
        highest.
    slice_by : sequence of str or int, default=None
        The columns whose categories, or quartiles, are looked at one by one. None takes the first
        fifty. The classes are looked at always.
    min_rows : int, default=30
        Slices with fewer rows are passed over.
    n_bins : int, default=15
        Bins of equal width for the calibration error and the reliability curves.
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
    _check_options(metric, tolerance, min_rows, n_bins)
    named, yardstick = _with_yardstick(named_students(students), labels_only)
    n_rows = n_rows_of(X)
    columns = chosen_columns(X, slice_by)
    if classes is None:
        classes = _said_by_students(teacher, teacher_proba, named)
    answers = teacher_answers(teacher, X, np.asarray(y), teacher_proba=teacher_proba, classes=classes)
    known, told = answers.classes, answers.proba
    assert known is not None
    labels = check_every_label(y, n_rows, known)
    names = names_of(X)
    slices = {"class": large_enough(labels.astype(object), min_rows)}
    for index in columns:
        assert names is not None
        slices[names[index]] = large_enough(groups(X, index), min_rows)
    proba = {"teacher": told}
    for name, student in named.items():
        proba[name] = student_answer(student, X, known, f"student {name!r}")

    table: dict[str, dict[str, Any]] = {}
    details: dict[str, Details] = {}
    seen = None
    for name, answer in proba.items():
        kind = "teacher" if name == "teacher" else "labels only" if name == yardstick else "student"
        figures, by_slice = quality(labels, told, answer, known, metric, n_bins, slices)
        model = teacher if kind == "teacher" else inner(named[name])
        program = None if kind == "teacher" else _program(named[name])
        predict = _predict(teacher) if kind == "teacher" else shipped(named[name]).predict_proba
        taken, measured = cost(
            model if _is_made_of_estimators(model) else None, predict if latency else None, X, program
        )
        seen = measured or seen
        table[name] = {"kind": kind, "model": _kind_of(model), **figures, **taken}
        details[name] = Details(
            reliability=reliability_curve(labels, answer, known, n_bins),
            confusion=confusion(told, answer),
            slices=by_slice,
            disagreements=disagreements(X, labels, told, answer, known),
            right=known[answer.argmax(axis=1)] == labels,
            in_fit=getattr(named.get(name), "distillation_report_", None),
        )
    return Report(
        table=table,
        columns=classification_columns(metric),
        chosen=_choose(table, tolerance),
        metric=metric,
        tolerance=tolerance,
        n_rows=n_rows,
        classes=known,
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
    check_student(labels_only, "labels_only")
    return {**named, "labels only": labels_only}, "labels only"


def _said_by_students(teacher: Any, teacher_proba: Any, named: Mapping[str, Any]) -> Any:
    """Return the classes of a teacher that does not say them, as its students know them."""
    if is_estimator(teacher) or (isinstance(teacher, list | tuple) and any(map(is_estimator, teacher))):
        return None
    n_classes = None if teacher_proba is None else np.shape(teacher_proba)[-1]
    for student in named.values():
        own = np.asarray(student.classes_)
        # the answers of a callable are not known yet; those it taught know its classes
        if hasattr(student, "teacher_") if n_classes is None else len(own) == n_classes:
            return own
    return None


def _program(student: Any) -> Program | None:
    try:
        return program_of(shipped(student))
    except TypeError:
        return None


def _predict(teacher: Any) -> Callable[[Any], Any] | None:
    if teacher is None:
        return None
    if isinstance(teacher, list | tuple):
        return partial(_ask_all, teacher, check_teachers(teacher, None))
    return teacher.predict_proba if is_estimator(teacher) else teacher


def _is_made_of_estimators(model: Any) -> bool:
    """Whether a pickle holds all that a model knows; that of a function holds its name."""
    return all(is_estimator(one) or hasattr(one, "program_") for one in members(model))


def _ask_all(teacher: Any, shares: Array, X: Any) -> Array:
    return ask(teacher, shares, X, n_rows_of(X), Memory(None), members(teacher)).proba


def _kind_of(model: Any) -> str:
    if model is None:
        return "answers alone"
    if isinstance(model, list | tuple):
        return ", ".join(_kind_of(one) for one in model)
    return type(model).__name__ if is_estimator(model) or not hasattr(model, "__name__") else str(model.__name__)


def _choose(table: Mapping[str, Mapping[str, Any]], tolerance: float) -> str:
    """Return the smallest student within the tolerance; one with a Program is smaller than one without."""
    students = {name: row for name, row in table.items() if row["kind"] == "student"}
    best = max(row["retention"] for row in students.values())
    good = [name for name, row in students.items() if row["retention"] >= best - tolerance]

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
