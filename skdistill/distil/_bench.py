"""A bench, where the recipe fits several students on one table: nets together, other students one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

from numpy.typing import NDArray
from sklearn.utils.parallel import Parallel, delayed

from .._sklearn import copy_unfitted, take_rows
from ..losses import Targets
from ..student import Fit, MadeOf, NetTable, Progress, settle_kinds, traits_of
from ._augment import stack
from ._plan import Plan

Array = NDArray[Any]


class Bench(Protocol):
    """A table on which several students are fitted."""

    #: How many steps of a net were taken; 0 for other students.
    n_steps: int

    @property
    def validates(self) -> bool:
        """Whether a student validates its fit by the rows held out for that."""

    def add(self, rows: Callable[[], Any], made_of: MadeOf) -> None:
        """Put new rows, which are made of cells of the others, below them; `rows` returns them raw."""

    def cells(self) -> tuple[Array, Sequence[int]] | None:
        """Return the encoded table, its codes last, and how many levels each code has; None where there is none."""

    def fit(self, fits: Sequence[Fit], name: str | None = None) -> list[Any]:
        """Fit students, called `name` in a progress bar; return what :meth:`answers` and :meth:`as_student` take."""

    def answers(self, several: Sequence[Any], rows: Array) -> list[Array]:
        """Return the predictions of equal students for rows, given by index; shape (n_rows, n_targets) each."""

    def as_student(self, fitted: Any) -> Any:
        """Return the fitted student."""


def bench_of(plan: Plan, X: Any, targets: Targets) -> Bench:
    """Return the bench for a student.

    Parameters
    ----------
    plan : Plan
        The student, and the number of processes for students other than nets.
    X : ndarray, sparse matrix or frame of shape (n_rows, n_columns)
        The rows, raw; each has a weight above zero.
    targets : Targets
        Their answers and labels.
    """
    if traits_of(plan.student).in_epochs:
        return NetTable(plan.student, X, targets, plan.read)
    return _OneByOne(plan, X)


class _OneByOne:
    """Students that are fitted to raw rows, in several processes."""

    def __init__(self, plan: Plan, X: Any) -> None:
        self._plan, self._X = plan, X
        self._settled = settle_kinds(plan.student, X)
        self.n_steps = 0

    @property
    def validates(self) -> bool:
        return False

    def add(self, rows: Callable[[], Any], made_of: MadeOf) -> None:
        self._X = stack(self._X, rows())

    def cells(self) -> tuple[Array, Sequence[int]] | None:
        return None

    def fit(self, fits: Sequence[Fit], name: str | None = None) -> list[Any]:
        calls = ((self._student_of(one), take_rows(self._X, one.rows), _of_rows(one)) for one in fits)
        fitted = []
        with Progress(self._plan.verbose if name else 0, len(fits), name or "", "student") as progress:
            for student in in_parallel(self._plan.n_jobs, _fit, calls):
                fitted.append(student)
                progress.step()
        return fitted

    def answers(self, several: Sequence[Any], rows: Array) -> list[Array]:
        return [self._plan.task.predict(fitted, take_rows(self._X, rows)) for fitted in several]

    def as_student(self, fitted: Any) -> Any:
        return fitted

    def _student_of(self, one: Fit) -> Any:
        """Return the student with a seed of its own, silent, reading columns as they are read of the whole table."""
        student = copy_unfitted(self._plan.student)
        params = student.get_params(deep=True)
        own: dict[str, Any] = {"random_state": one.seed, "verbose": 0}
        if not one.weighs_classes:
            own |= {name: None for name in params if name.rpartition("__")[2] == "class_weight"}
        student.set_params(**{name: value for name, value in own.items() if name in params})
        vars(student).update(self._settled)
        return student


def _of_rows(one: Fit) -> Targets:
    return replace(one.targets.take(one.rows), held_out=None)


def _fit(student: Any, X: Any, targets: Targets) -> Any:
    """Return the student, fitted; a function of the module, so that it can be called in another process."""
    return student.fit_targets(X, targets)


def in_parallel(n_jobs: int | None, function: Callable[..., Any], calls: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
    """Call a function with each of several lists of arguments, in several processes, and yield the results in order.

    Parameters
    ----------
    n_jobs : int or None
        Number of processes: None is one, -1 as many as there are processors.
    function : callable
        It must not be local to another function, so that a process can import it.
    calls : iterable of tuple
        The arguments, made as they are needed.

    Yields
    ------
    result : object
        What each call returned.
    """
    # arrays are copied and not mapped into memory, where they could not be written to
    parallel = Parallel(n_jobs=n_jobs, return_as="generator", max_nbytes=None)
    yield from parallel(delayed(function)(*arguments) for arguments in calls)
