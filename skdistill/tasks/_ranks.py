"""RANKS: a score for each row, of which only the order within a query counts."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..losses import ListwiseCrossEntropy, Loss, Targets, Terms
from ..program import Op, Unstandardize, user_level
from ._numbers import Numbers
from ._task import answers_with_classes

Array = NDArray[Any]


class Ranks(Numbers):
    """A score for each row; `y` has two columns: the label, NaN where there is none, and the number of the query."""

    name = "ranks"
    estimator = "ranker"

    def check_teacher(self, model: Any, called: str) -> None:
        """Raise a ValueError for a classifier, or a model without predict."""
        if answers_with_classes(model):
            raise ValueError(
                f"{called} is a classifier; DistilledRanker needs a ranker or a regressor. Pass a callable X -> "
                "scores: lambda X: model.predict_proba(X)[:, 1]."
            )
        if not hasattr(model, "predict"):
            raise ValueError(f"{called} has no predict; DistilledRanker needs a ranker or a regressor.")

    def check_answers(self, values: Any, *, n_rows: int, source: str, n_targets: int | None = None) -> Array:
        """Return finite scores as a column."""
        return super().check_answers(values, n_rows=n_rows, source=source, n_targets=1)

    def check_y(self, y: Any, n_rows: int, source: str = "y") -> Array:
        """Return labels and queries, which the ranker has checked."""
        return np.asarray(y)

    def for_estimator(self, y: Array) -> Array:
        """Return the labels."""
        return y[:, 0]

    def loss(self) -> Loss:
        """Return the cross-entropy within queries."""
        return ListwiseCrossEntropy()

    def targets(
        self,
        values: Array,
        names: Array | None,
        y: Array | None,
        *,
        loss: Loss,
        alpha: float,
        sample_weight: Array | None = None,
    ) -> Targets:
        """Return what a student has to fit: scores and labels of a query on a scale of their own.

        Scores are centred within their query and divided by one number, the mean of their standard deviations there.
        Labels y become shares of ``2**y - 1``, or are centred and divided as the scores are where the loss is one of
        single rows.
        """
        assert y is not None
        labels, queries = y.T
        answers, known = within_queries(values[:, 0], queries)[:, None], not np.isnan(labels).all()
        if alpha > 0 and not answers.any():
            message = (
                "The teacher gives all rows of a query the same score, so that there is no order to learn from it."
            )
            warnings.warn(message, UserWarning, stacklevel=user_level())
        if isinstance(loss, ListwiseCrossEntropy):
            goals = np.column_stack([gain_shares(labels, queries), queries]) if known else None
            answers = np.column_stack([answers, queries])
        else:
            goals = within_queries(labels, queries)[:, None] if known else None
        return Targets(answers, goals, sample_weight, alpha, loss, task=self)

    def units(self, several: Sequence[Any], y: Array | None) -> Array:
        """Return for each model of a teacher its unit: the mean standard deviation of its scores within queries."""
        assert y is not None
        return np.array([_centred(one.values[:, 0], y[:, 1])[1] or 1.0 for one in several])

    def end(self, targets: Targets, terms: Terms) -> Op:
        """Return the op that leaves scores in their unit: a standard deviation within a query."""
        return Unstandardize(*((np.zeros(1), np.ones(1)) if terms.units is None else terms.units))

    def usefulness(self, labels: Array, values: Array, weight: Array | None) -> str | None:
        """Return that the teacher's order within queries is against the labels."""
        # scores are centred within queries, but for their rounding
        product, size = values[:, 0] @ labels[:, 0], np.abs(values[:, 0]) @ np.abs(labels[:, 0])
        return "within a query its scores fall where the labels rise" if product < -1e-9 * size else None


#: The task of rankers.
RANKS = Ranks()


def within_queries(values: Array, queries: Array) -> Array:
    """Return values less the mean of their query, over the mean of the standard deviations within queries.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
        Scores or labels.
    queries : ndarray of shape (n_rows,)
        The query of each row, a whole number from zero; each occurs.
    """
    values, scale = _centred(values, queries)
    return np.asarray(values / scale if scale > 0 else np.zeros_like(values))


def _centred(values: Array, queries: Array) -> tuple[Array, float]:
    """Return values less the mean of their query, and the mean of the standard deviations within queries."""
    at = queries.astype(np.intp)
    size = np.bincount(at)
    values = values - (np.bincount(at, values) / size)[at]
    deviations = np.sqrt(np.bincount(at, values**2) / size)[size > 1]
    return values, float(deviations.mean()) if len(deviations) else 0.0


def gain_shares(labels: Array, queries: Array) -> Array:
    """Return ``2**y - 1`` of each row as a share of its query's; zero where no row of the query has any.

    Parameters
    ----------
    labels : ndarray of shape (n_rows,)
        Graded relevance, zero or more.
    queries : ndarray of shape (n_rows,)
        The query of each row, a whole number from zero.
    """
    at = queries.astype(np.intp)
    best = np.zeros(at.max() + 1)
    np.maximum.at(best, at, labels)
    # over those of the best row, which may be beyond the largest float
    gains = np.exp2(labels - best[at]) - np.exp2(-best[at])
    total = np.bincount(at, gains)[at]
    return np.asarray(gains / np.where(total > 0, total, 1.0))
