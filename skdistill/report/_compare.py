"""compare(): predict the same test rows with a teacher and its students, and measure them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import get_scorer_names
from sklearn.pipeline import Pipeline

from .._checks import check_in_memory
from .._sklearn import n_rows_of
from ..metrics import machine
from ..program import is_frame, program_or_none, shipped
from ..tasks import Task
from ..teacher import is_estimator, models_of
from . import _asking as asking
from ._figures import costs
from ._kinds import KINDS
from ._report import Details, Report
from ._slices import chosen_columns, groups, large_enough, names_of
from ._verdict import change, labels_only_twins, verdict

#: The share of the best student's gain over a constant prediction that a smaller one may lose, as in a budget search.
_MOST_LOST = 0.05


def compare(
    teacher: Any = None,
    students: Any = None,
    X: Any = None,
    y: ArrayLike | None = None,
    *,
    baseline: Any = None,
    teacher_proba: ArrayLike | None = None,
    teacher_pred: ArrayLike | None = None,
    classes: ArrayLike | None = None,
    labels_only: Any = "auto",
    X_train: Any = None,
    y_train: ArrayLike | None = None,
    scoring: str | None = None,
    tolerance: float = 0.01,
    slice_by: Sequence[Any] | None = None,
    min_rows: int = 30,
    n_bins: int = 15,
    latency: bool = True,
) -> Report:
    """Compare students with their teacher, or with a baseline, on test rows: quality, size and latency.

    Neither the teacher nor the students should have seen the test rows in training. A teacher that has seen them looks
    better than it is, and its students look worse.

    Parameters
    ----------
    teacher : estimator, callable, list of these, or None
        A fitted teacher. The predictions of a list are averaged. None requires `teacher_proba` or `teacher_pred`.
    students : dict of str to estimator, list of estimators, or estimator
        Fitted classifiers, such as a DistilledClassifier, a student or a model from ``skdistill.load``; or fitted
        regressors. Models in a list are named after their classes.
    X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
        Raw test rows, in the form that teacher and students take.
    y : array-like of shape (n_rows,) or (n_rows, n_outputs), default=None
        Their labels, or the targets of regressors. Columns of a frame, and those of the teacher's predictions, are
        matched by name with the outputs of the students; without names they are matched by position. May be None with a
        `baseline`.
    baseline : estimator, default=None
        The model in production, to compare with instead of a teacher. The report then shows which rows and slices the
        students change and, with labels, whether they improve. May be a model from ``skdistill.load``.
    teacher_proba : array-like of shape (n_rows, n_classes), default=None
        Precomputed probabilities of a classifier's teacher. If `teacher` is passed as well, its size and its latency
        are measured.
    teacher_pred : array-like of shape (n_rows,) or (n_rows, n_outputs), default=None
        Precomputed predictions of a regressor's teacher.
    classes : array-like of shape (n_classes,), default=None
        The labels of the columns of probabilities, for a teacher without ``classes_``. None uses those of the first
        student with as many classes.
    labels_only : str, estimator or None, default="auto"
        A student fitted to the labels only, as a reference: the name of one of the students, or another estimator.
        "auto" fits one to `X_train` and `y_train` for each kind of student, with the same parameters. With None, or
        with "auto" and no training rows, there is no such reference.
    X_train : array-like, sparse matrix or frame of shape (n_train, n_columns), default=None
        The training rows of the students. The students on labels only are fitted to them without sample weights; if the
        others had weights, pass `labels_only`.
    y_train : array-like of shape (n_train,) or (n_train, n_outputs), default=None
        Their labels.
    scoring : str, default=None
        The name of a scikit-learn scorer, for retention, recommendation and verdict. None uses "neg_log_loss", for
        regressors "r2".
    tolerance : float, default=0.01
        Maximum relative loss of score. The report recommends the smallest student whose score is within this tolerance
        of the best and that keeps 95 % of the best student's gain over a constant prediction; the latter matters for
        rare events.
    slice_by : sequence of str or int, default=None
        The columns whose categories or quartiles define slices of the rows. None uses the first fifty. Classes, or
        quartiles of the target, always define slices too.
    min_rows : int, default=30
        Slices with fewer rows are skipped.
    n_bins : int, default=15
        The number of equal-width bins for the calibration error and the reliability curves of classifiers.
    latency : bool, default=True
        Whether to measure latencies, on one thread. This takes about a second per model, more for a slow one.

    Returns
    -------
    report : Report
        A report to print, to show in a notebook, or to write as an HTML page.

    Raises
    ------
    ValueError
        If the shapes of rows, labels and predictions do not match, or options are invalid or contradict each other; the
        message says which.
    TypeError
        If `slice_by` is a str.
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
    reference = "teacher" if baseline is None else "baseline"
    if X is None or (y is None and baseline is None):
        raise ValueError(f"{'X' if X is None else 'y'} is None; expected test rows and their labels.")
    check_in_memory(X, "compare")
    if baseline is not None:
        if teacher is not None or teacher_proba is not None or teacher_pred is not None:
            raise ValueError("Pass either a teacher or a baseline, not both.")
        if X_train is not None or not (labels_only is None or labels_only == "auto"):
            raise ValueError("With a baseline there are no students on labels only; leave out labels_only and X_train.")
        teacher = baseline
    named, task = asking.named_students(students)
    if baseline is not None:
        asking.check_student(baseline, "baseline", task)
    if reference in named:
        raise ValueError(f"A student is called {reference!r}, which is the report's name of the {reference}.")
    named, baselines = _with_baselines(named, labels_only, X_train, y_train, task)
    scoring = task.scoring if scoring is None else scoring
    _check_options(scoring, tolerance, min_rows, n_bins)
    columns = chosen_columns(X, slice_by)
    given = {"teacher_proba": teacher_proba, "teacher_pred": teacher_pred, "classes": classes}
    known = [*(asking.teacher_names(task, student) for student in named.values()), task.y_names(y)]
    answers, order = asking.ask_teacher(task, teacher, X, None if y is None else np.asarray(y), given, known)
    labels = None if y is None else asking.check_labels(task, y, answers, order)
    kind = KINDS[task](X, labels, answers, order, scoring, n_bins, reference)
    names = names_of(X) or []
    slices = {**kind.slices_by_target(), **{names[index]: groups(X, index) for index in columns}}
    slices = {name: large_enough(by, min_rows) for name, by in slices.items()}
    preds = {reference: answers}
    for name, student in named.items():
        preds[name] = asking.ask_student(task, student, X, answers, order, f"student {name!r}")
    for name, pred in preds.items():
        model = named.get(name, baseline)
        if asking.has_threshold(model):
            kind.decided[id(pred)] = np.asarray(model.predict(X))

    table: dict[str, dict[str, Any]] = {}
    details: dict[str, Details] = {}
    times = None
    for name, pred in preds.items():
        figures, by_slice = kind.figures(pred, slices)
        role = reference if name == reference else "labels only" if name in baselines else "student"
        if name == "teacher":
            model, program, predict = teacher, None, asking.predict_of(teacher, task)
        else:
            own = named.get(name, baseline)
            model, shipping = asking.inner(own), shipped(own)
            program = program_or_none(shipping) if hasattr(shipping, "program_") else None
            predict = getattr(shipping, task.method)
        # a pickle holds the whole model; that of a function holds only its name
        whole = all(is_estimator(one) or hasattr(one, "program_") for one in models_of(model))
        cost, measured = costs(model if whole else None, program, predict if latency else None, X)
        times = measured or times
        table[name] = {"kind": role, "model": _class_of(model), **figures, **cost}
        in_fit = getattr(named.get(name), "distillation_report_", None)
        details[name] = Details(slices=by_slice, in_fit=in_fit, **kind.details(pred))
    chosen = (
        _choose(table, tolerance, "fidelity", {})
        if labels is None
        else _choose(table, tolerance, "retention", kind.gains(preds, labels))
    )
    sentence = (
        change(chosen, reference, preds, kind)
        if labels is None or baseline is not None
        else verdict(chosen, named, baselines, preds, kind, labels)
    )
    environment: dict[str, Any] = {"machine": machine()}
    if times is not None:
        environment |= {"n_threads": times.n_threads, "batch_rows": times.batch_rows}
    return Report(
        table=table,
        task=task,
        reference=reference,
        columns=kind.columns,
        chosen=chosen,
        verdict=sentence,
        notes=kind.notes(),
        scoring=scoring,
        tolerance=tolerance,
        n_rows=n_rows_of(X),
        classes=kind.classes,
        n_bins=n_bins,
        min_rows=min_rows,
        details=details,
        index=np.asarray(X.index) if is_frame(X) and hasattr(X, "index") else None,
        environment=environment,
    )


def _check_options(scoring: str, tolerance: float, min_rows: int, n_bins: int) -> None:
    if scoring not in get_scorer_names():
        raise ValueError(
            f"scoring={scoring!r} is not the name of a scorer; sklearn.metrics.get_scorer_names() lists them."
        )
    for name, value, low in (("tolerance", tolerance, 0), ("min_rows", min_rows, 1), ("n_bins", n_bins, 2)):
        if not value >= low:
            raise ValueError(f"{name}={value!r}; expected a number that is at least {low}.")


def _with_baselines(
    named: dict[str, Any], labels_only: Any, X_train: Any, y_train: Any, task: Task
) -> tuple[dict[str, Any], list[str]]:
    """Return the students with the labels-only ones among them, and the names of these."""
    if (X_train is None) != (y_train is None):
        raise ValueError("X_train and y_train go together; one of them is None.")
    if isinstance(labels_only, str) and labels_only != "auto":
        if labels_only not in named:
            raise ValueError(f"labels_only={labels_only!r} is none of the students {list(named)}.")
        if len(named) == 1:
            raise ValueError("The only student is the one that labels_only names; expected another.")
        return named, [labels_only]
    if isinstance(labels_only, str):
        found = {} if X_train is None else labels_only_twins(named, X_train, y_train)
    else:
        found = {} if labels_only is None else {"labels only": labels_only}
    if taken := [name for name in found if name in named]:
        raise ValueError(f"A student is called {taken[0]!r}; name it in labels_only instead.")
    for one in found.values():
        asking.check_student(one, "labels_only", task)
    return {**named, **found}, list(found)


def _class_of(model: Any) -> str:
    if model is None:
        return "answers alone"
    if isinstance(model, Pipeline):
        return _class_of(model[-1])
    if isinstance(model, list | tuple):
        return ", ".join(_class_of(one) for one in model)
    return type(model).__name__ if is_estimator(model) or not hasattr(model, "__name__") else str(model.__name__)


def _choose(table: Mapping[str, Mapping[str, Any]], tolerance: float, figure: str, gains: Mapping[str, float]) -> str:
    """Return the smallest student within the tolerance; one with a Program counts as smaller than one without.

    The tolerance is a share of the highest figure; of the gain over a constant prediction a twentieth may be lost.
    """
    students = {name: row for name, row in table.items() if row["kind"] == "student"}
    kept = [row[figure] for row in students.values() if not np.isnan(row[figure])]
    # without any retention all students count as good
    good = [name for name, row in students.items() if not kept or row[figure] >= max(kept) - tolerance * abs(max(kept))]
    most = max((gains.get(name, 0.0) for name in good), default=0.0)
    lost = max(tolerance, _MOST_LOST) * abs(most)
    good = [name for name in good if gains.get(name, 0.0) >= most - lost] or good

    def size(name: str) -> tuple[bool, float]:
        own, pickled = students[name]["program_bytes"], students[name]["pickle_bytes"]
        return (own is None, pickled or np.inf if own is None else own)

    return min(good, key=size)
