"""Plan: the user's parameters of a fit, and which of them the data decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..student import ReadTable
from ..tasks import Task


@dataclass(frozen=True)
class Plan:
    """How a student is to be fitted: the user's parameters, with "auto" where the data decide.

    Parameters
    ----------
    student : estimator
        The student, not fitted.
    task : Task
        The kind of target.
    alpha, temperature, augment : float or "auto"
        As in DistilledClassifier. A regressor's temperature is 1.
    label_ensemble : int or "auto"
        As in DistilledClassifier.
    seed : int
        Seeds everything random.
    verbose : int
        1 shows the progress of the label ensemble.
    n_jobs : int or None
        Number of processes in which trial students are fitted.
    read : ReadTable or None
        The table as the student reads it, where that is known.
    """

    student: Any
    task: Task
    alpha: float | str
    temperature: float | str
    augment: float | str
    label_ensemble: int | str
    seed: int
    verbose: int
    n_jobs: int | None = None
    read: ReadTable | None = None

    @property
    def chooses(self) -> bool:
        """Whether alpha or temperature is to be chosen."""
        return isinstance(self.alpha, str) or isinstance(self.temperature, str)
