"""distill_to_budget: many students, taught at the price of one, and the one that a budget allows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from .._distilled import DistilledClassifier
from .._judge import LEARNT_BY_HEART
from .._recipe import Lesson, Plan, prepare, prepare_again, side_by_side
from .._validation import check_rows, copy_unfitted, take_rows
from ..losses import Targets
from ..metrics import Latency, latency
from ..program import Program
from ..student import make_student
from ..student._progress import Progress
from ..teacher import members, needs_fit, stack
from ._choice import Hearing, by_size, choose, is_within
from ._kinds import Kind, kind_of
from ._ladder import FEW_ROWS, Form, as_several, default_students, leading, n_forms, smaller_forms, steadiest, widths
from ._result import BudgetResult

Array = NDArray[Any]

#: About how long one student's time is measured, in seconds.
_TIMED = 0.3
#: On so many rows at most.
_TIMED_ROWS = 200


def distill_to_budget(
    teacher: Any,
    X: Any,
    y: ArrayLike,
    *,
    max_bytes: float | None = None,
    max_latency_us: float | None = None,
    min_retention: float | None = None,
    metric: str | Callable[..., Any] | None = None,
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
    """Find the student that a budget allows.

    A ladder of students is climbed: linear, additive, a tree, nets of rising width, with up to 5,000 rows to learn
    from several small nets as one, and all of these in int8, the largest net with fewer units too. They share what
    costs most: the teacher's answers, asked once for each row, and what DistilledClassifier's recipe makes of them for
    the largest net: the committee that stands in for the labels, and the new rows. Each is measured on rows that none
    has learnt from. Where there are few rows, the student that is taken learns once more, from all of them.

    Where there is a limit to bytes or latency, or none at all, the best student within all limits is taken: of those
    that are not clearly worse than the one with the highest score, by more than two standard errors of the difference,
    the one with the lowest loss. Of regressors that is the squared error. Of classifiers it is log-loss, and that not
    against the labels alone, which are few and noisy: three quarters of what it is measured against are the mean answer
    of the students that are good. As large students agree on what is noise, too, several small nets as one are taken
    unless another student's log-loss against the labels is lower by more than a standard error; and always in place
    of a single net of the same kind, than which the mean of several has no higher loss but by chance. With
    `min_retention` alone, the smallest student that keeps it is taken.

    Parameters
    ----------
    teacher : estimator, callable or list of these
        As in DistilledClassifier or, of regressors, in DistilledRegressor. A callable is taken for a regressor where
        `y` has fractions. An unfitted one is fitted to the rows that the students learn from.
    X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
        The rows, raw.
    y : array-like of shape (n_rows,), or (n_rows, n_outputs) of numbers
        Their labels, or the numbers to predict.
    max_bytes : float, default=None
        The most bytes of a student (``program_bytes``).
    max_latency_us : float, default=None
        The longest time of one row, in microseconds: the median of ``latency(student.predict_proba, ...)``, on
        this machine and one thread.
    min_retention : float, default=None
        The least share of the teacher's score on the rows held out (``retention_score``).
    metric : str or callable, default=None
        What is to be retained, as in ``retention_score``. None takes "accuracy", of regressors "r2".
    X_valid : array-like, sparse matrix or frame of shape (n_valid, n_columns), default=None
        Rows to judge by, best such as neither teacher nor students have seen. None holds rows of `X` out.
    y_valid : array-like of shape (n_valid,) or (n_valid, n_outputs), default=None
        Their labels.
    validation_fraction : float, default=0.2
        The share of `X` that is held out where there is no `X_valid`.
    students : mapping of str to object, default=None
        A ladder of one's own: students by name, each as DistilledClassifier takes it. None climbs the one above.
    refit : bool or "auto", default="auto"
        Whether the student that is taken is fitted once more in the same way, to the rows held out as well: with the
        same teacher and the alpha that was chosen, but with a new committee and new rows. Its figures stay those of the
        first fit. "auto" does so where rows of `X` are held out and those to learn from are 5,000 at most; `X_valid`
        is learnt from only with True.
    classes : array-like of shape (n_classes,), default=None
        The labels of the answers' columns, for a teacher that does not say them.
    random_state : int, RandomState instance or None, default=None
        Seeds the rows held out, and all training.
    n_jobs : int or None, default=-1
        In how many processes nets are fitted: -1 is as many as there are processors, and no more than there are
        nets; None is one. What is found is the same with any.
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
        If a limit, a label or a row is not what it must be, or there is no row to judge by.

    Warns
    -----
    UserWarning
        If the teacher is fitted and so far ahead on rows held out of `X` that it has learnt them by heart.

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
    budget = _checked_budget(max_bytes=max_bytes, max_latency_us=max_latency_us, min_retention=min_retention)
    kind = kind_of(teacher, y, metric)
    rng = check_random_state(random_state)
    seed = int(rng.randint(2**31 - 1))
    rows, y, rows_valid, y_valid = _split(kind, X, y, X_valid, y_valid, validation_fraction, seed)
    given = default_students(seed, len(y), regression=kind.regression) if students is None else dict(students)
    ladder = {
        name: make_student(student, temperature=1.0, random_state=seed, verbose=0, regression=kind.regression)
        for name, student in given.items()
    }
    if not ladder:
        raise ValueError("students holds no student; needed is at least one.")
    n_jobs = _n_processes(n_jobs, ladder)
    model = kind.distiller(teacher, classes, seed).set_params(student=leading(ladder), n_jobs=n_jobs)
    hearing = Hearing(kind, y_valid, seed)
    learns_again = refit is True or (refit == "auto" and X_valid is None and len(y) <= FEW_ROWS)
    n_steps = 1 + len(ladder) + n_forms(ladder) + learns_again
    with Progress(verbose, n_steps, "distill_to_budget", "step") as progress:
        taught = _taught(model, rows, y, rows_valid)
        lesson, judged = taught.lesson, taught.judged
        known = hearing.classes = getattr(model.student_, "classes_", None)
        teacher_score = kind.score(y_valid, judged, known)
        if X_valid is None:
            _warn_of_rows_known(kind, teacher, lesson)
        progress.step()
        whole: dict[str, Any] = {}
        # the largest, which take longest, first
        names = list(reversed(ladder))
        lessons = ((lesson, ladder[name]) for name in names)
        for name, student in zip(names, side_by_side(n_jobs, _teach, lessons), strict=True):
            whole[name] = student
            progress.step()
        found = {Form(name): whole[name] for name in ladder}
        found |= smaller_forms(whole, rows, seed, n_jobs)
        frontier: list[dict[str, Any]] = []
        # once nothing else is running, which would make them look slow
        for form, student in found.items():
            said = kind.answers(student, rows_valid)
            score = hearing.score(form.name, said)
            row: dict[str, Any] = {
                "name": form.name,
                **_sizes(student),
                "latency_us": _time(partial(kind.answers, student), rows_valid).median_us,
                "score": score,
                "retention": kind.retention(teacher_score, score),
                **kind.figures(y_valid, judged, said, known),
            }
            frontier.append({**row, "within_budget": is_within(row, budget)})
            progress.step(retention=row["retention"])
        frontier = sorted(frontier, key=by_size)
        steady = [form.name for form in found if form.base == steadiest(ladder)]
        choice = choose(frontier, budget, hearing, ladder, steady, as_several(ladder, found))
        form = next(form for form in found if form.name == choice["name"])
        student, refitted = found[form], False
        if learns_again:
            all_rows, targets = _all_rows(kind, taught, rows_valid, y_valid)
            again = prepare_again(taught.plan, lesson, all_rows, targets)
            same = form.of(_teach(again, ladder[form.base]), all_rows, seed)
            # of more rows an encoder can learn more categories
            if not choice["within_budget"] or is_within({**choice, **_sizes(same)}, budget):
                student, lesson, refitted = same, again, True
            progress.step()
    model.student = copy_unfitted(student)
    model._ends_with(student, lesson.report, lesson.rows)
    return BudgetResult(
        model=model if choice["within_budget"] else None,
        nearest=model,
        choice=choice,
        frontier=frontier,
        students={form.name: student for form, student in found.items()},
        teacher_score=teacher_score,
        metric=kind.metric if isinstance(kind.metric, str) else repr(kind.metric),
        n_rows=taught.lesson.report["n_rows"],
        n_held_out=len(judged),
        refitted=refitted,
        budget=budget,
    )


def _checked_budget(**limits: Any) -> dict[str, float]:
    for name, value in limits.items():
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if value is not None and not (number and value > 0):
            raise ValueError(f"{name} must be a positive number; got {value!r}.")
    return {name: value for name, value in limits.items() if value is not None}


def _split(
    kind: Kind, X: Any, y: Any, X_valid: Any, y_valid: Any, share: float, seed: int
) -> tuple[Any, Array, Any, Array]:
    """Return rows and labels to learn from, and those to judge by."""
    checker = DistilledClassifier()
    checked = check_rows(checker, X, reset=True)
    X = X if hasattr(X, "shape") else checked
    _check_lengths(X, y, "X", "y")
    y = kind.labels(y, X.shape[0], "y")
    if (X_valid is None) != (y_valid is None):
        raise ValueError("X_valid and y_valid go together; one of them is None.")
    if X_valid is not None:
        checked = check_rows(checker, X_valid, reset=False)
        X_valid = X_valid if hasattr(X_valid, "shape") else checked
        _check_lengths(X_valid, y_valid, "X_valid", "y_valid")
        return X, y, X_valid, kind.labels(y_valid, X_valid.shape[0], "y_valid")
    if not 0 < share < 1:
        raise ValueError(f"validation_fraction must be above 0 and below 1; got {share!r}.")
    kept, held_out = kind.split(y, share, seed)
    return take_rows(X, kept), y[kept], take_rows(X, held_out), y[held_out]


def _check_lengths(X: Any, y: Any, rows: str, labels: str) -> None:
    if len(y) != X.shape[0]:
        raise ValueError(f"{rows} has {X.shape[0]} rows and {labels} has {len(y)}; each row needs one label.")


@dataclass(frozen=True)
class _Taught:
    """What students learn from, how it was made and of what, and the teacher's answers for the rows to judge by."""

    plan: Plan
    rows: Any
    targets: Any
    lesson: Lesson
    judged: Array


def _taught(model: Any, X: Any, y: Array, X_valid: Any) -> _Taught:
    """Return what students learn from; the model has then a teacher, and a student that is not chosen yet."""
    plan, learnt, targets = model._planned(X, y, None, None, None, {})
    lesson = prepare(plan, learnt, targets)
    model.distillation_report_ = lesson.report
    # so that it is fitted, and knows its classes; which student it is is not chosen yet
    model.student_ = _Unchosen()
    if isinstance(targets, Targets):
        model.student_.classes_ = targets.classes
    return _Taught(plan, learnt, targets, lesson, model.ask_teacher(X_valid))


def _all_rows(kind: Kind, taught: _Taught, X_valid: Any, y_valid: Array) -> tuple[Any, Any]:
    """Return the rows to learn from with those to judge by below them, and their targets."""
    targets = taught.targets
    below = kind.as_targets(y_valid, getattr(targets, "classes", None))
    answers = taught.judged.reshape(len(y_valid), -1)
    both = targets.with_below({targets.ANSWERS: answers})
    return stack(taught.rows, X_valid), replace(both, labels=np.concatenate([targets.labels, below]))


def _n_processes(n_jobs: int | None, ladder: Mapping[str, Any]) -> int:
    """Return in how many processes to fit: no more than there are nets, as what else there is takes no time."""
    return min(effective_n_jobs(n_jobs), max(1, sum(widths(student) != () for student in ladder.values())))


def _teach(lesson: Lesson, student: Any) -> Any:
    """Return a student that has had a lesson; a function of its own, so that it can be called in another process."""
    with warnings.catch_warnings():
        # what has not converged is judged as it is
        warnings.simplefilter("ignore", ConvergenceWarning)
        return lesson.teach(student)


class _Unchosen:
    """Stands for the student that is not chosen yet."""

    classes_: Array


def _warn_of_rows_known(kind: Kind, teacher: Any, lesson: Lesson) -> None:
    ahead = lesson.report["teacher_ahead"]
    if not any(needs_fit(one) for one in members(teacher)) and ahead is not None and ahead > LEARNT_BY_HEART:
        warnings.warn(
            f"The teacher's {kind.by_heart_in} on X is {ahead:.2f} above that of students on rows that they have not "
            "seen: it has learnt X by heart, the rows held out among them, and what students retain is underrated. "
            "Give X_valid and y_valid that the teacher has not seen, or an unfitted teacher.",
            UserWarning,
            stacklevel=3,
        )


def _sizes(student: Any) -> dict[str, int | None]:
    program = getattr(student, "program_", None)
    if not isinstance(program, Program) or hasattr(student, "encoder_"):
        return {"nbytes": None, "n_parameters": None}
    return {"nbytes": program.nbytes, "n_parameters": program.n_parameters}


def _time(predict: Callable[[Any], Any], X: Any) -> Latency:
    rows = take_rows(X, np.arange(min(_TIMED_ROWS, X.shape[0])))
    return latency(predict, rows, batch_rows=1, max_seconds=_TIMED)
