"""Plan: what the user says of how to fit a student, and what is left to the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..tasks import Task


@dataclass(frozen=True)
class Plan:
    """How a student is to be fitted: what the user said, and "auto" where the data decide.

    Parameters
    ----------
    student : estimator
        The student, not fitted.
    task : Task
        Classes or numbers.
    alpha, temperature, augment : float or "auto"
        As in DistilledClassifier. A regressor's temperature is 1.
    label_ensemble : int or "auto"
        As in DistilledClassifier.
    seed : int
        Seeds everything random.
    verbose : int
        1 shows the progress of the label ensemble.
    n_jobs : int or None
        Number of processes used to fit students that do not wait for each other.
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

    @property
    def chooses(self) -> bool:
        """Whether alpha or temperature is to be chosen."""
        return isinstance(self.alpha, str) or isinstance(self.temperature, str)
