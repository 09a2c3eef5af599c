"""distill_to_budget: many students from one training set, and the one that a budget allows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_regressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import type_of_target

from .. import distil
from .._checks import check_rows, columns_as_in_fit
from .._sklearn import copy_unfitted, take_rows
from ..metrics import latency
from ..program import named_columns, program_or_none
from ..student import Progress, make_student
from ..tasks import CLASSES, NUMBERS, Task
from ..teacher import asks_for_fit, is_estimator, models_of
from . import _candidates as pool
from ._choice import Validation, by_size, choose_student, is_within
from ._result import BudgetResult

#: About how long the latency of one student is measured, in seconds, and on how many rows at most.
_TIMED = 0.3
_TIMED_ROWS = 200
_DISTILLERS: dict[Task, Any] = {CLASSES: distil.DistilledClassifier, NUMBERS: distil.DistilledRegressor}


def distill_to_budget(
    teacher: Any,
    X: Any,
    y: ArrayLike,
    *,
    max_bytes: float | None = None,
    max_latency_us: float | None = None,
    min_retention: float | None = None,
    scoring: str | Callable[..., Any] | None = None,
    X_valid: Any = None,
    y_valid: ArrayLike | None = None,
    validation_fraction: float = 0.2,
    students: Mapping[str, Any] | None = None,
    refit: bool | str = "auto",
    classes: ArrayLike | None = None,
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int | None = -1,
    verbose: int = 0,
) -> BudgetResult:
    """Find the best student within a budget of bytes, latency or retention.

    The candidates are linear, additive and tree students and nets of rising width; with up to 5,000 rows to learn from
    also ensembles of small nets, each of which ends as one net; all of these in int8; and the largest net with fewer
    units. They share what costs most: the teacher's answers, one for each row, and what DistilledClassifier's
    recipe makes of them for the largest net, which is the label ensemble and the new rows. Each is measured on rows
    that it has not seen. Where there are few rows, the student that is taken is then fitted again to all of them.

    Where there is a limit to bytes or latency, or none at all, the best student within all limits is taken: among those
    whose score is not lower than the highest by more than two standard errors of the difference, the one with the
    lowest loss. For regression that is the squared error. For classification it is log-loss, and its goals are to one
    quarter the labels, which are few and noisy, and to three quarters the mean answer of the good students. Since large
    students agree on noise, too, an ensemble of small nets is taken unless another student's log-loss against the
    labels is lower by more than one standard error; and always in place of a single net of the same kind, since the
    mean of several has no higher expected loss. With `min_retention` alone, the smallest student that keeps it is
    taken.

    Parameters
    ----------
    teacher : estimator, callable or list of these
        As in DistilledClassifier, or for regression in DistilledRegressor. A callable is taken for a regressor where
        `y` has fractions. An unfitted teacher is fitted to the rows that the students are fitted to.
    X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
        The rows, raw.
    y : array-like of shape (n_rows,), or (n_rows, n_outputs) for regression
        Class labels, or the numbers to predict.
    max_bytes : float, default=None
        The most bytes of a student (``program_bytes``).
    max_latency_us : float, default=None
        The longest time of one row, in microseconds: the median of ``latency(student.predict_proba, ...)``, on
        this machine and one thread.
    min_retention : float, default=None
        The least share of the teacher's score on the rows held out (``retention_score``).
    scoring : str or callable, default=None
        The score that is to be retained, as in ``retention_score``. None takes "accuracy", for regression "r2".
    X_valid : array-like, sparse matrix or frame of shape (n_valid, n_columns), default=None
        Validation rows, which best neither teacher nor students have seen. None holds rows of `X` out.
    y_valid : array-like of shape (n_valid,) or (n_valid, n_outputs), default=None
        Their labels.
    validation_fraction : float, default=0.2
        The share of `X` that is held out where there is no `X_valid`.
    students : mapping of str to object, default=None
        The candidates by name, each as DistilledClassifier takes it. None takes those listed above.
    refit : bool or "auto", default="auto"
        Whether the student that is taken is fitted again in the same way to all rows, those held out among them: with
        the same teacher and the alpha that was chosen, but with a new label ensemble and new rows. Its figures stay
        those of the first fit. "auto" does so where rows of `X` are held out and at most 5,000 are left; `X_valid` is
        used for a fit only with True.
    classes : array-like of shape (n_classes,), default=None
        The labels of the answers' columns, for a teacher without ``classes_``.
    random_state : int, RandomState instance or None, default=None
        Seeds the rows held out, and all training.
    n_jobs : int or None, default=-1
        Number of processes used to fit nets: -1 is as many as there are processors, and no more than there are
        nets; None is one. The result is the same with any number.
    verbose : int, default=0
        1 shows a progress bar with each student's retention.

    Returns
    -------
    result : BudgetResult
        The chosen ``model``, a fitted DistilledClassifier or DistilledRegressor, or None where no student meets the
        budget and ``nearest`` is the one that comes closest: of the students that are small and fast enough the best,
        or if there is none, the one that exceeds the limits least. And the figures of all (``frontier``).

    Raises
    ------
    ValueError
        If a limit, a label or a row is not what it must be, or there are too few validation rows.

    Warns
    -----
    UserWarning
        If the teacher is fitted and so far ahead on rows held out of `X` that it has memorised them.

    Notes
    -----
    A fitted teacher has often been fitted to `X`, the rows held out among them. It looks better on these than on
    new ones, so that students seem to retain less than they do. To compare like with like, give `X_valid` and
    `y_valid` that the teacher has not seen, or an unfitted teacher.

    The student is chosen among many by the rows held out, and so its figures flatter it a little. Measure it
    on other rows again before a promise is made.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skdistill import distill_to_budget
    >>> X, y = load_iris(return_X_y=True)
    >>> students = {"linear": "linear", "additive": "additive"}
    >>> result = distill_to_budget(
    ...     RandomForestClassifier(random_state=0), X, y, max_bytes=2_000, students=students, random_state=0
    ... )
    >>> result.met, result.choice["nbytes"] <= 2_000
    (True, True)
    >>> result.model.predict(X[:2])
    array([0, 0])
    """
    if not isinstance(refit, bool) and refit != "auto":
        raise ValueError(f"refit must be True, False or 'auto'; got {refit!r}.")
    limits = {"max_bytes": max_bytes, "max_latency_us": max_latency_us, "min_retention": min_retention}
    budget = {name: value for name, value in limits.items() if value is not None}
    for name, value in budget.items():
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not value > 0:
            raise ValueError(f"{name} must be a positive number; got {value!r}.")
    task = _task(teacher, y)
    if classes is not None and task.classes(np.asarray(classes)) is None:
        raise ValueError(f"classes is given, and the teacher is a {task.estimator}.")
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    y_names = task.y_names(y)
    if y_names is not None:
        y_valid = named_columns(y_valid, y_names, "y_valid")[0]
    rows, y, rows_valid, y_valid = _split(task, X, y, X_valid, y_valid, validation_fraction, seed)
    given = pool.default_students(seed, len(y), task) if students is None else dict(students)
    candidates = {name: make_student(student, task, random_state=seed) for name, student in given.items()}
    if not candidates:
        raise ValueError("students holds no student; needed is at least one.")
    # no more processes than there are nets, since all else takes no time
    n_jobs = min(effective_n_jobs(n_jobs), max(1, sum(pool.hidden_units(one) != () for one in candidates.values())))
    model = _DISTILLERS[task](teacher, student=pool.largest(candidates), random_state=seed, n_jobs=n_jobs)
    if classes is not None:
        model.set_params(classes=classes)
    validation = Validation(task, scoring, y_valid, seed)
    refits = refit is True or (refit == "auto" and X_valid is None and len(y) <= pool.FEW_ROWS)
    n_steps = 1 + len(candidates) + pool.n_variants(candidates) + refits
    with Progress(verbose, n_steps, "distill_to_budget", "step") as progress:
        request = distil.check(model, rows, y, given=None, X_unlabeled=None, sample_weight=None, fit_params={})
        request = replace(request, y_names=y_names)
        asked = distil.ask(request)
        training_set = distil.choose(request.plan, asked.rows, asked.targets, asked.ask_again, asked.origin)
        teacher_values = asked.teacher.ask(rows_valid)
        teacher_score = validation.set_teacher(teacher_values, asked.teacher.order)
        if X_valid is None:
            _warn_of_memorised_rows(task, teacher, training_set)
        progress.step()
        whole: dict[str, Any] = {}
        # the largest, which take longest, first
        names = list(reversed(candidates))
        calls = ((training_set, candidates[name]) for name in names)
        for name, student in zip(names, distil.in_parallel(n_jobs, _teach, calls), strict=True):
            whole[name] = student
            progress.step()
        found = {pool.Variant(name): whole[name] for name in candidates}
        found |= pool.smaller_variants(whole, rows, seed, n_jobs)
        frontier: list[dict[str, Any]] = []
        timed = take_rows(rows_valid, slice(_TIMED_ROWS))
        # measured once nothing else is running, which would make them look slow
        for variant, student in found.items():
            predict = partial(task.predict, student)
            row: dict[str, Any] = {
                "name": variant.name,
                **_sizes(student),
                "latency_us": latency(predict, timed, batch_rows=1, max_seconds=_TIMED).median_us,
                **validation.figures(variant.name, predict(rows_valid)),
            }
            frontier.append({**row, "within_budget": is_within(row, budget)})
            progress.step(retention=row["retention"])
        frontier = sorted(frontier, key=by_size)
        steady = [variant.name for variant in found if variant.base == pool.smallest_ensemble(candidates)]
        choice = choose_student(frontier, budget, validation, candidates, steady, pool.ensembles_of(candidates, found))
        variant = next(variant for variant in found if variant.name == choice["name"])
        student, refitted = found[variant], False
        if refits:
            # the validation rows below those that are fitted so far
            labels = np.concatenate([asked.targets.labels, task.encode_known(y_valid, asked.teacher.order)])
            targets = replace(asked.targets.with_below(teacher_values), labels=labels)
            all_rows = distil.stack(asked.rows, rows_valid)
            again = distil.choose_again(request.plan, training_set, all_rows, targets, asked.ask_again)
            same = variant.of(_teach(again, candidates[variant.base]), all_rows, seed)
            # with more rows an encoder can keep more categories
            if not choice["within_budget"] or is_within({**choice, **_sizes(same)}, budget):
                student, training_set, refitted = same, again, True
            progress.step()
    model.student = copy_unfitted(student)
    distil.finish(model, asked, training_set, student)
    return BudgetResult(
        model=model if choice["within_budget"] else None,
        nearest=model,
        choice=choice,
        frontier=frontier,
        students={variant.name: student for variant, student in found.items()},
        teacher_score=teacher_score,
        scoring=validation.scoring if isinstance(validation.scoring, str) else repr(validation.scoring),
        n_rows=training_set.report["n_rows"] - (len(y_valid) if refitted else 0),
        n_held_out=len(y_valid),
        refitted=refitted,
        budget=budget,
    )


def _task(teacher: Any, y: ArrayLike) -> Task:
    """Return the task: regression for regressors, and for callables where `y` has fractions."""
    models = models_of(teacher)
    if estimators := [model for model in models if is_estimator(model)]:
        return NUMBERS if any(map(is_regressor, estimators)) else CLASSES
    return NUMBERS if "continuous" in type_of_target(np.asarray(y)) else CLASSES


def _split(
    task: Task, X: Any, y: Any, X_valid: Any, y_valid: Any, share: float, seed: int
) -> tuple[Any, NDArray[Any], Any, NDArray[Any]]:
    """Return rows and labels to fit, and validation rows and their labels."""
    columns: Any = distil.DistilledClassifier()

    def rows(X: Any, *, reset: bool) -> Any:
        checked = check_rows(columns, X, reset=reset)
        return columns_as_in_fit(columns, X) if hasattr(X, "shape") else checked

    X = rows(X, reset=True)
    y = _labels(task, X, y, "X", "y")
    if (X_valid is None) != (y_valid is None):
        raise ValueError("X_valid and y_valid go together; one of them is None.")
    if X_valid is not None:
        X_valid = rows(X_valid, reset=False)
        return X, y, X_valid, _labels(task, X_valid, y_valid, "X_valid", "y_valid")
    if not 0 < share < 1:
        raise ValueError(f"validation_fraction must be above 0 and below 1; got {share!r}.")
    kept, held_out = task.split(y, share, seed)
    return take_rows(X, kept), y[kept], take_rows(X, held_out), y[held_out]


def _labels(task: Task, X: Any, y: Any, rows: str, labels: str) -> NDArray[Any]:
    if len(y) != X.shape[0]:
        raise ValueError(f"{rows} has {X.shape[0]} rows and {labels} has {len(y)}; each row needs one label.")
    return task.for_estimator(task.check_y(y, X.shape[0], labels))


def _teach(training_set: distil.TrainingSet, student: Any) -> Any:
    """Return a fitted student; a function of the module, so that it can be called in another process."""
    with warnings.catch_warnings():
        # a student that has not converged is measured as it is
        warnings.simplefilter("ignore", ConvergenceWarning)
        return distil.teach(training_set, student)


def _warn_of_memorised_rows(task: Task, teacher: Any, training_set: distil.TrainingSet) -> None:
    gap = training_set.report["teacher_gap"]
    if not asks_for_fit(teacher) and gap is not None and gap > task.memorised_gap:
        warnings.warn(
            f"The teacher's {task.gap_in} on X is {gap:.2f} above that of students on rows that they have not "
            "seen: it has memorised X, the rows held out among them, and the students' retention is underrated. "
            "Give X_valid and y_valid that the teacher has not seen, or an unfitted teacher.",
            stacklevel=3,
        )


def _sizes(student: Any) -> dict[str, int | None]:
    program = program_or_none(student)
    return {key: getattr(program, key, None) for key in ("nbytes", "n_parameters")}
