"""The out-of-fold label ensemble: students of the labels alone, whose mean answer is a soft label for any row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.parallel import Parallel, delayed

from .._sklearn import copy_unfitted, take_rows
from ..losses import Targets
from ..student import Progress
from ..tasks import Shares, Task
from ._plan import Plan

Array = NDArray[Any]

#: A model of the labels is fitted on at most so many rows.
_MOST_ROWS = 20_000
#: Models for fewer than 2,000 labelled rows, and for more.
_SIZES = (10, 5)


@dataclass(frozen=True)
class LabelEnsemble:
    """Students fitted to the labels alone, each on all folds of the labelled rows but one.

    Their mean answer is a soft label: self-distillation, Furlanello and others (2018), "Born-Again Neural Networks",
    https://arxiv.org/abs/1805.04770.

    Parameters
    ----------
    models : list of estimator
        The fitted students.
    task : Task
        Says how they predict.
    """

    models: list[Any]
    task: Task

    def predict(self, X: Any) -> Array:
        """Return the mean of the models' answers, shape (n_rows, n_targets)."""
        return np.mean([self.task.predict(model, X) for model in self.models], axis=0)


def fit_label_ensemble(plan: Plan, X: Any, targets: Targets, labelled: Array) -> tuple[LabelEnsemble, Shares]:
    """Fit a label ensemble, and compare the teacher with it on rows that its models have not seen.

    Parameters
    ----------
    plan : Plan
        The student, how many models, and the seed.
    X : ndarray, sparse matrix or frame of shape (n_rows, n_columns)
        The rows, raw.
    targets : Targets
        Their labels and the teacher's answers; rows that are held out are not used.
    labelled : ndarray of shape (n_labelled,)
        The rows that have a label and a weight.

    Returns
    -------
    ensemble : LabelEnsemble
        The fitted models.
    shares : Shares
        How far the teacher is ahead of them, and what that means for its share.
    """
    kept = labelled if targets.held_out is None else labelled[~targets.held_out[labelled]]
    size = plan.label_ensemble if not isinstance(plan.label_ensemble, str) else _SIZES[len(kept) >= 2_000]
    if len(kept) < 2 * size:
        raise ValueError(f"label_ensemble={size} needs at least {2 * size} labelled rows; there are {len(kept)}.")
    known = targets.take(kept)
    assert known.labels is not None
    folds = list(plan.task.folds(known.labels, size, plan.seed % 2**32))

    def fits() -> Iterator[tuple[Any, Any, Targets]]:
        for number, (seen, _) in enumerate(folds, start=1):
            rows = kept[np.random.RandomState(plan.seed).permutation(seen)[:_MOST_ROWS]]
            yield _seeded(plan, number), take_rows(X, rows), targets.take(rows).only_labels()

    models: list[Any] = []
    out_of_fold = np.empty((len(kept), known.n_targets))
    with Progress(plan.verbose, size, "label ensemble", "student") as bar:
        for model, (_, unseen) in zip(in_parallel(plan.n_jobs, _fit, fits()), folds, strict=True):
            models.append(model)
            out_of_fold[unseen] = plan.task.predict(model, take_rows(X, kept[unseen]))
            bar.step()
    return LabelEnsemble(models, plan.task), plan.task.shares(out_of_fold, known)


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


def _fit(student: Any, X: Any, targets: Targets) -> Any:
    """Return the student, fitted; a function of the module, so that it can be called in another process."""
    return student.fit_targets(X, targets)


def _seeded(plan: Plan, number: int) -> Any:
    """Return the student with a seed of its own, and silent."""
    student = copy_unfitted(plan.student)
    params = student.get_params(deep=False)
    own = {"random_state": (plan.seed + number) % 2**31, "verbose": 0}
    return student.set_params(**{name: value for name, value in own.items() if name in params})
