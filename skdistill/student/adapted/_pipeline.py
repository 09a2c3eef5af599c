"""A Pipeline whose last step is a student: its transformers are fitted first, then the student."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from ..._sklearn import copy_unfitted
from ...losses import Targets
from .._protocol import Traits, traits_of
from ._base import AdaptedClassifierPart, AdaptedRegressorPart, AdaptedStudent

Array = NDArray[Any]


class PipelinePart(AdaptedStudent):
    """How a Pipeline is fitted: its transformers on rows and labels, its last step on what they make of the rows.

    Where a row has no label, the transformers are given the teacher's answer for it. The rows need not be a
    table: what the first transformer takes will do, texts for one.

    Parameters
    ----------
    estimator : Pipeline
        Its last step fits targets, or is adapted.
    random_state : int, RandomState instance or None, default=None
        Given to the last step where it has a `random_state` that is None.
    verbose : int, default=0
        Given to the last step if it has a `verbose`.
    """

    def __init__(
        self, estimator: Pipeline, random_state: int | np.random.RandomState | None = None, verbose: int = 0
    ) -> None:
        super().__init__(estimator)
        self.random_state = random_state
        self.verbose = verbose

    @property
    def _traits(self) -> Traits:
        """Those of the last step, which neither validates itself here nor is scaled, for rows of any form."""
        from ._factory import adapted

        last = adapted(self.estimator.steps[-1][1], self._task)
        return replace(traits_of(last), any_form=True, in_epochs=False, scalable=False)

    @property
    def _name(self) -> str:
        return f"Pipeline({' -> '.join(type(step).__name__ for _, step in self.estimator.steps)})"

    def _fit(self, X: Any, targets: Targets) -> Any:
        from ._factory import make_student

        *before, (name, last) = self.estimator.steps
        steps: list[Any] = []
        if before:
            front = copy_unfitted(self.estimator[:-1])
            X = front.fit_transform(X, targets.as_y())
            steps = list(front.steps)
        student = make_student(last, targets.task, random_state=self.random_state, verbose=self.verbose)
        return Pipeline([*steps, (name, student.fit_targets(X, targets))])


class PipelineClassifier(AdaptedClassifierPart, PipelinePart):
    """A Pipeline that ends in a classifier; see :class:`PipelinePart` for its parameters."""

    def _proba(self, X: Any) -> Array:
        return self.estimator_.predict_proba(X)


class PipelineRegressor(AdaptedRegressorPart, PipelinePart):
    """A Pipeline that ends in a regressor; see :class:`PipelinePart` for its parameters."""
