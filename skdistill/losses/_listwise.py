"""The loss of a ranker: the cross-entropy between distributions over the rows of a query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._losses import Loss, _check_positive

Array = NDArray[Any]


def log_softmax_within(values: Array, queries: Array) -> Array:
    """Return the logarithm of the softmax of values over the rows of each query.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
        Scores.
    queries : ndarray of shape (n_rows,)
        The query of each row, a whole number from zero; rows of one need not be adjacent.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill.losses import log_softmax_within
    >>> np.exp(log_softmax_within(np.zeros(3), np.array([0, 1, 0])))
    array([0.5, 1. , 0.5])
    """
    at = queries.astype(np.intp)
    top = np.full(at.max(initial=-1) + 1, -np.inf)
    np.maximum.at(top, at, values)
    values = values - top[at]
    # a query that is not among these rows is not looked up
    with np.errstate(divide="ignore"):
        return np.asarray(values - np.log(np.bincount(at, np.exp(values)))[at])


@dataclass(frozen=True)
class ListwiseCrossEntropy(Loss):
    """The cross-entropy between the teacher's and the student's distribution over the rows of a query: ListNet.

    A distribution is the softmax of a query's scores; Cao and others (2007), "Learning to Rank: From Pairwise Approach
    to Listwise Approach", https://doi.org/10.1145/1273496.1273513. With alpha and ``T**2`` both terms are blended as
    those of :class:`CrossEntropy`.

    Goals have two columns: what a row has of its query's mass, and the number of the query. They are added up over the
    rows that are given, so that these must be whole queries.

    Parameters
    ----------
    temperature : float, default=1.0
        Softens teacher and student in the first term.

    Raises
    ------
    TypeError
        If `temperature` is not a number.
    ValueError
        If it is not finite and above zero.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill.losses import ListwiseCrossEntropy
    >>> losses, slopes = ListwiseCrossEntropy().hard(np.zeros((2, 1)), np.array([[1.0, 0.0], [0.0, 0.0]]))
    >>> losses.round(3), slopes.tolist()
    (array([0.693, 0.   ]), [[-0.5], [0.5]])
    """

    temperature: float = 1.0

    def __post_init__(self) -> None:
        _check_positive("temperature", self.temperature)

    def n_outputs(self, n_targets: int) -> int:
        """Return that a row has one output, its score."""
        return 1

    def soft(self, Z: Array, goal: Array) -> tuple[Array, Array]:
        """Return what each row adds to its query's loss, and derivatives by ``Z / temperature`` of that loss."""
        return self.hard(Z / self.temperature, goal)

    def hard(self, Z: Array, goal: Array) -> tuple[Array, Array]:
        """Return what each row adds to its query's loss, and derivatives of that loss."""
        mass, queries = goal.T
        log_q = log_softmax_within(Z[:, 0], queries)
        at = queries.astype(np.intp)
        # a query without any relevant row has no mass
        return -mass * log_q, (np.exp(log_q) * np.bincount(at, mass)[at] - mass)[:, None]

    def entropy(self, goal: Array) -> Array:
        """Return what each row adds to the entropy of its query's distribution."""
        mass = goal[:, 0]
        return np.asarray(-mass * np.log(np.where(mass > 0, mass, 1.0)))

    def softened(self, answers: Array) -> Array:
        """Return the softmax of the scores, softened, within each query."""
        log_p = log_softmax_within(answers[:, 0] / self.temperature, answers[:, 1])
        return np.column_stack([np.exp(log_p), answers[:, 1]])

    @property
    def soft_scale(self) -> float:
        """The square of the temperature, so that gradients keep their size."""
        return self.temperature**2

    @property
    def softness(self) -> float:
        """The temperature."""
        return self.temperature
