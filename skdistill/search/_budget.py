"""distill_to_budget: many students from one training set, and the one that a budget allows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import type_of_target

from .. import distil
from .._checks import check_rows, columns_as_in_fit
from .._sklearn import copy_unfitted, take_rows
from ..compress import quantize
from ..program import column_names, is_frame, named_columns, program_or_none
from ..student import Progress, make_student, with_size_of
from ..tasks import CLASSES, LABELS, NUMBERS, Task, task_for, task_of
from ..teacher import asks_for_fit, is_estimator, is_ranker, models_of
from . import _candidates as pool
from ._choice import Validation, by_size, choose_student, is_within
from ._result import BudgetResult
from ._serving import check_form, latencies

#: Latency is measured on so many rows at most.
_TIMED_ROWS = 200
#: A class with a smaller share of the rows hardly counts in accuracy.
_RARE = 0.05
_DISTILLERS: dict[Task, Any] = {
    CLASSES: distil.DistilledClassifier,
    LABELS: distil.DistilledClassifier,
    NUMBERS: distil.DistilledRegressor,
}


def distill_to_budget(
    teacher: Any,
    X: Any,
    y: ArrayLike,
    *,
    max_bytes: float | None = None,
    max_latency_us: float | None = None,
    min_retention: float | None = None,
    latency_of: str | None = None,
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
    """Find the smallest good student within a budget of bytes, time or retention.

    Among the candidates within all limits, those whose mean loss on the validation rows is not clearly higher than the
    lowest count as equally good, and the smallest of them is selected. Clearly higher means by more than one standard
    error of the difference, paired by row, or by more than a twentieth of what the best gains over a constant
    prediction. The loss is log-loss for classification and squared error for regression, unless `scoring` is given.

    The candidates are linear and additive students and nets of increasing width; with up to 5,000 training rows also an
    ensemble of small nets, merged into one net; and all of these in int8. The largest net is as wide as `max_bytes`
    allows in int8. The candidates share the expensive steps: the teacher's predictions, the encoded table, and the
    label ensemble and synthetic rows of DistilledClassifier's recipe, which are made for the largest net. Each
    candidate is evaluated on rows that it has not seen. If there are few rows, the selected student is then refitted on
    all of them.

    Parameters
    ----------
    teacher : estimator, callable or list of these
        The teacher, as for DistilledClassifier or, in regression, DistilledRegressor. A callable counts as a regressor
        if `y` has fractional values. An unfitted teacher is fitted on the students' training rows.
    X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
        The rows, raw.
    y : array-like of shape (n_rows,), or (n_rows, n_outputs) for regression
        Class labels, or regression targets.
    max_bytes : float, default=None
        Maximum size of a student in bytes (``program_bytes``).
    max_latency_us : float, default=None
        Maximum median latency of one row in microseconds, on this machine and one thread.
    min_retention : float, default=None
        Minimum retention: the student's score divided by the teacher's on the validation rows (``retention_score``).
    latency_of : {"compiled", "dict", "array", "frame", "onnx"}, default=None
        How a row is predicted when latency is measured. "compiled": with ``student.compile()``, from a dict if `X` is a
        frame, else from an array. "dict", "array" and "frame": with numpy, from a row of this type. "onnx": with
        onnxruntime. None uses "compiled" if the machine has a C compiler, else "dict", or "array" if columns have no
        names. Latency is measured only if this or `max_latency_us` is given.
    scoring : str or callable, default=None
        The score used for selection and retention, as in ``retention_score``. None uses "neg_log_loss", for regression
        "r2". A score that is not a mean over rows, such as "roc_auc", is compared by the jackknife over ten parts of
        the validation rows.
    X_valid : array-like, sparse matrix or frame of shape (n_valid, n_columns), default=None
        Validation rows, ideally seen by neither teacher nor students. None holds out rows of `X`.
    y_valid : array-like of shape (n_valid,) or (n_valid, n_outputs), default=None
        Their labels.
    validation_fraction : float, default=0.2
        The fraction of `X` to hold out if `X_valid` is None.
    students : mapping of str to object, default=None
        The candidates by name, each as DistilledClassifier accepts it. None uses those listed above.
    refit : bool or "auto", default="auto"
        Whether to refit the selected student in the same way on all rows, including the held-out ones. The refit uses
        the same teacher and alpha, but a new label ensemble and new synthetic rows. The reported figures remain those
        of the first fit. "auto" refits if rows of `X` are held out and at most 5,000 remain. `X_valid` is used for a
        fit only with True.
    classes : array-like of shape (n_classes,), default=None
        Class labels of the columns that the teacher returns, for a teacher without ``classes_``.
    random_state : int, RandomState instance or None, default=None
        Seeds the held-out rows and all training.
    n_jobs : int or None, default=-1
        Number of processes for students that are not trained together: -1 means all processors, None means one. The
        result does not depend on it.
    verbose : int, default=0
        If 1, show a progress bar with each student's retention.

    Returns
    -------
    result : BudgetResult
        The result, with the attributes of a scikit-learn search: ``best_estimator_``, a fitted DistilledClassifier or
        DistilledRegressor, ``best_params_``, and the figures of all students (``results_``). If no student meets the
        budget (``met`` is False), the best estimator is the one selected among those that are small and fast enough or,
        if there is none, the one that exceeds the limits least.

    Raises
    ------
    ValueError
        If a limit, a label or a row is invalid, there are too few validation rows, or `latency_of` does not support a
        student.

    Warns
    -----
    UserWarning
        If no student meets the budget, or the selected one exceeds it after the refit; if retention is measured on rows
        that the teacher was fitted on, according to the recipe's memorisation check, or mostly on rows of `X`; if
        `scoring` is accuracy and a class has less than 5 % of the rows.

    Notes
    -----
    A fitted teacher has often been fitted on `X`, including the held-out rows. Its score on these is then too
    optimistic, and the retention of students too low. For a fair comparison, pass `X_valid` and `y_valid` that the
    teacher has not seen, or an unfitted teacher.

    Because the student is selected on the validation rows, its figures there are slightly optimistic. Evaluate it on
    other rows before you rely on them.

    The selection rule is the one-standard-error rule of Breiman et al. (1984), with the standard error of the paired
    difference.

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
    >>> result.met, sorted(result.best_params_)
    (True, ['student', 'weights'])
    >>> result.best_estimator_.predict(X[:2])
    array([0, 0])
    """
    if not isinstance(refit, bool) and refit != "auto":
        raise ValueError(f"refit must be True, False or 'auto'; got {refit!r}.")
    limits = {"max_bytes": max_bytes, "max_latency_us": max_latency_us, "min_retention": min_retention}
    budget = {name: value for name, value in limits.items() if value is not None}
    for name, value in budget.items():
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not value > 0:
            raise ValueError(f"{name} must be a positive number; got {value!r}.")
    check_form(latency_of, X)
    task = _task(teacher, y)
    if classes is not None and task.classes(np.asarray(classes)) is None:
        raise ValueError(f"classes is given, and the teacher is a {task.estimator}.")
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    y_names = task.y_names(y)
    if y_names is not None:
        y_valid = named_columns(y_valid, y_names, "y_valid")[0]
    rows, y, rows_valid, y_valid = _split(task, X, y, X_valid, y_valid, validation_fraction, seed)
    validation = Validation(task, scoring, y_valid, seed)
    few = len(y) <= pool.FEW_ROWS
    refits = refit is True or (refit == "auto" and X_valid is None and few)
    if students is None:
        # those that it is refitted to may have more levels and bins
        every = (distil.stack(rows, rows_valid), np.concatenate([y, y_valid])) if refits else (rows, y)
        students = pool.default_students(task, *every, seed, few=few, max_bytes=max_bytes)
    if not isinstance(students, Mapping):
        raise ValueError(f"students is of type {type(students).__name__}; expected a dict of students by name.")
    candidates = {name: make_student(student, task, random_state=seed) for name, student in students.items()}
    if not candidates:
        raise ValueError("students holds no student; expected at least one.")
    largest = pool.largest(candidates)
    beside = pool.beside(candidates, largest)
    model = _DISTILLERS[task](teacher, student=candidates[largest], random_state=seed, n_jobs=n_jobs)
    if classes is not None:
        model.set_params(classes=classes)
    with Progress(verbose, 2 + 2 * len(candidates) + refits, "distill_to_budget", "step") as progress:
        request = distil.check(model, rows, y, given=None, X_unlabeled=None, sample_weight=None, fit_params={})
        request = replace(request, y_names=y_names)
        asked = distil.constrain(model, request, distil.ask(request), list(candidates.values()))
        nets = [candidates[name] for name in beside]
        # a wide net may be more than there is room for
        widens = max_bytes is None
        training_set = distil.choose(
            request.plan, asked.rows, asked.targets, asked.ask_again, asked.origin, nets, widens=widens
        )
        teacher_values = asked.teacher.ask(rows_valid)
        teacher_score = validation.set_teacher(teacher_values, asked.teacher.order)
        progress.step()
        whole = {name: student for name, (_, student) in zip([largest, *beside], training_set.fitted, strict=False)}
        # the recipe may have chosen their size
        candidates |= {name: with_size_of(candidates[name], student) for name, student in whole.items()}
        others = [name for name in candidates if name not in whole]
        calls = ((training_set, candidates[name]) for name in others)
        whole |= zip(others, distil.in_parallel(n_jobs, _train_student, calls), strict=True)
        progress.step()
        found = [
            (name if bits is None else f"{name}, {bits}", name, bits, _of_bits(whole[name], bits, rows))
            for name in candidates
            for bits in (None, "int8")
            if bits is None or program_or_none(whole[name]) is not None
        ]
        found.sort(key=lambda one: by_size(_sizes(one[-1])))
        figures: list[dict[str, Any]] = []
        losses = []
        for name, base, bits, student in found:
            values = task.predict(student, rows_valid)
            params = {"student": candidates[base], "weights": bits}
            figures.append({"name": name, "params": params, **_sizes(student), **validation.figures(values)})
            losses.append(validation.losses(values))
            progress.step(retention=figures[-1]["retention"])
        form = None
        if max_latency_us is not None or latency_of is not None:
            # measured once nothing else is running, which would make them look slow
            timed = take_rows(rows_valid, slice(_TIMED_ROWS))
            form, times = latencies([student for *_, student in found], latency_of, timed, task)
            for row, time in zip(figures, times, strict=True):
                row["latency_us"] = time
        for row in figures:
            row["within_budget"] = is_within(row, budget)
        best = choose_student(figures, losses, validation.constant_losses(), budget)
        chosen = figures[best]
        _, base, bits, student = found[best]
        refitted = False
        if refits:
            # the validation rows below those that are fitted so far
            labels = np.concatenate([asked.targets.labels, task.encode_known(y_valid, asked.teacher.order)])
            targets = replace(asked.targets.with_below(teacher_values), labels=labels)
            all_rows = distil.stack(asked.rows, rows_valid)
            net = candidates[base] if base in [largest, *beside] and training_set.fitted else None
            again = distil.choose_again(request.plan, training_set, all_rows, targets, asked.ask_again, net)
            same = _of_bits(_train_student(again, candidates[base]), bits, all_rows)
            # with more rows an encoder can keep more categories
            if not chosen["within_budget"] or is_within({**chosen, **_sizes(same)}, budget):
                student, training_set, refitted = same, again, True
            else:
                size = _sizes(same)["nbytes"]
                warnings.warn(
                    f"{chosen['name']} is not refitted on all rows, because it would then have {size:,} bytes.",
                    UserWarning,
                    stacklevel=2,
                )
            progress.step()
    model.student = copy_unfitted(student)
    distil.finish(model, asked, training_set, student)
    result = BudgetResult(
        best_estimator_=model,
        best_index_=best,
        results_={key: np.array([row[key] for row in figures]) for key in chosen},
        students={name: student for name, *_, student in found},
        teacher_score=teacher_score,
        scoring=validation.scoring if isinstance(validation.scoring, str) else repr(validation.scoring),
        latency_of=form,
        n_rows=training_set.report["n_rows"] - (len(y_valid) if refitted else 0),
        n_valid=len(y_valid),
        held_out=X_valid is None,
        leaked=_leaked(teacher, training_set) if X_valid is None else _share_among(rows_valid, rows) > 0.5,
        refitted=refitted,
        budget=budget,
    )
    _warn(result, y_valid if task.stratified else None)
    return result


def _warn(result: BudgetResult, y_valid: Any) -> None:
    """Warn of what makes the figures of a result less than they seem."""
    if not result.met:
        warnings.warn(str(result).splitlines()[0] + " It is best_estimator_.", UserWarning, stacklevel=3)
    if result.leaked and result.held_out:
        warnings.warn(
            "The teacher has been fitted on X, including the held-out rows: its score on these is too optimistic, and "
            "the students' retention too low. Pass X_valid and y_valid that the teacher has not seen, or an unfitted "
            "teacher.",
            UserWarning,
            stacklevel=3,
        )
    elif result.leaked:
        warnings.warn(
            "Most rows of X_valid are rows of X: students, and a teacher fitted on X, have seen them, and their scores "
            "say little about new rows. Pass X_valid and y_valid without them.",
            UserWarning,
            stacklevel=3,
        )
    if y_valid is not None and result.scoring == "accuracy":
        labels, counts = np.unique(y_valid, return_counts=True)
        if counts.min() < _RARE * len(y_valid):
            warnings.warn(
                f"Class {labels[counts.argmin()]} has {counts.min() / len(y_valid):.1%} of the validation rows, and "
                "accuracy hardly depends on it: a student that never predicts it may retain the accuracy. Use "
                "scoring='neg_log_loss', or 'average_precision' for two classes.",
                UserWarning,
                stacklevel=3,
            )


def _leaked(teacher: Any, training_set: distil.TrainingSet) -> bool | None:
    """Return whether the teacher has seen rows held out of X; None where the recipe has not found out."""
    # one that was fitted here was fitted to the other rows
    return False if asks_for_fit(teacher) else training_set.report["memorised"]


def _share_among(rows: Any, others: Any) -> float:
    """Return the share of rows that are also among others; of sparse ones zero."""
    if not is_frame(rows) and not isinstance(rows, np.ndarray):
        return 0.0
    names = column_names(others) if is_frame(others) else range(others.shape[1])
    seen = set(_cells(others, names))
    return float(np.mean([row in seen for row in _cells(rows, names)]))


def _cells(X: Any, names: Iterable[Any]) -> Iterator[Any]:
    """Yield what is in the cells of each row."""
    if isinstance(X, np.ndarray) and X.dtype.kind in "biuf":
        return map(bytes, np.ascontiguousarray(X, dtype=np.float64))
    return zip(*(map(str, X[name] if is_frame(X) else X[:, name]) for name in names), strict=True)


def _of_bits(student: Any, bits: str | None, rows: Any) -> Any:
    return student if bits is None else quantize(student, bits, rows)


def _task(teacher: Any, y: ArrayLike) -> Task:
    """Return the task: regression for regressors, and for callables where `y` has fractions; or that of `y`."""
    models = models_of(teacher)
    rankers = [type(model).__name__ for model in models if is_ranker(model)]
    if rankers:
        raise ValueError(
            f"teacher {rankers[0]} is a ranker, which distill_to_budget does not support. Use DistilledRanker."
        )
    estimators = [model for model in models if is_estimator(model)]
    if NUMBERS in map(task_of, estimators):
        return NUMBERS
    task = task_for(CLASSES, y)
    return NUMBERS if task == CLASSES and not estimators and "continuous" in type_of_target(np.asarray(y)) else task


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
    if task != LABELS and len(y) != X.shape[0]:
        raise ValueError(f"{rows} has {X.shape[0]} rows and {labels} has {len(y)}; each row needs one label.")
    checked = task.check_y(y, X.shape[0], labels)
    # of several labels some may be missing, which no estimator takes
    return checked if task == LABELS else task.for_estimator(checked)


def _train_student(training_set: distil.TrainingSet, student: Any) -> Any:
    """Return a fitted student; a function of the module, so that it can be called in another process."""
    with warnings.catch_warnings():
        # a student that has not converged is measured as it is
        warnings.simplefilter("ignore", ConvergenceWarning)
        return distil.train_student(training_set, student)


def _sizes(student: Any) -> dict[str, float]:
    program = program_or_none(student)
    return {key: getattr(program, key, np.nan) for key in ("nbytes", "n_parameters")}
