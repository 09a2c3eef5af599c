"""Ranking metrics: the quality of an order within queries, and its similarity to the teacher's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import kendalltau, rankdata
from sklearn.metrics import ndcg_score

from .._checks import check_numbers, query_numbers

Array = NDArray[Any]


def ndcg(y: ArrayLike, scores: ArrayLike, qid: ArrayLike, *, k: int | None = 10) -> float:
    """Return the mean normalised discounted cumulative gain (NDCG) over queries; 1 is best.

    The NDCG of a query is scikit-learn's :func:`~sklearn.metrics.ndcg_score`: the gain of a row is its label, and tied
    rows get their mean gain. Queries with a single row or without a relevant one are left out.

    Parameters
    ----------
    y : array-like of shape (n_rows,)
        Graded relevance, zero or more.
    scores : array-like of shape (n_rows,)
        A ranker's scores; the highest of a query ranks first.
    qid : array-like of shape (n_rows,)
        The id of each row's query.
    k : int or None, default=10
        The number of top rows that count; None counts all.

    Returns
    -------
    score : float
        Between 0 and 1; NaN if all queries are left out.

    Examples
    --------
    >>> from skdistill.metrics import ndcg
    >>> print(round(ndcg([0, 1, 1, 0], [0.3, 0.2, 5.0, 1.0], [1, 1, 2, 2]), 3))
    0.815
    """
    relevant = ((y, s) for y, s in _by_length(y, scores, qid) if y.shape[1] > 1)
    return _mean([ndcg_score(y, s, k=k), len(y)] for y, s in _with_relevant(relevant))


def mrr(y: ArrayLike, scores: ArrayLike, qid: ArrayLike) -> float:
    """Return the mean reciprocal rank: the mean over queries of 1 / the rank of the first relevant row.

    Parameters
    ----------
    y : array-like of shape (n_rows,)
        Relevance; a row above zero is relevant. Queries without a relevant row are left out.
    scores : array-like of shape (n_rows,)
        A ranker's scores; tied rows get the mean of their ranks.
    qid : array-like of shape (n_rows,)
        The id of each row's query.

    Returns
    -------
    score : float
        Between 0 and 1; NaN if all queries are left out.

    Examples
    --------
    >>> from skdistill.metrics import mrr
    >>> print(mrr([0, 1, 1, 0], [0.3, 0.2, 5.0, 1.0], [1, 1, 2, 2]))
    0.75
    """
    return _mean(
        [np.mean(1.0 / np.where(y > 0, rankdata(-s, axis=1), np.inf).min(axis=1)), len(y)]
        for y, s in _with_relevant(_by_length(y, scores, qid))
    )


def rank_correlation(teacher_scores: ArrayLike, scores: ArrayLike, qid: ArrayLike) -> float:
    """Return the mean over queries of Kendall's tau-b between the teacher's and a student's scores.

    Parameters
    ----------
    teacher_scores : array-like of shape (n_rows,)
        The teacher's.
    scores : array-like of shape (n_rows,)
        The student's.
    qid : array-like of shape (n_rows,)
        The id of each row's query. Queries in which teacher or student gives all rows the same score are left out.

    Returns
    -------
    correlation : float
        1 if both have the same order within each query, -1 if the order is reversed; NaN if all queries are left out.

    Examples
    --------
    >>> from skdistill.metrics import rank_correlation
    >>> print(rank_correlation([1, 2, 3, 1, 2, 3], [5, 6, 7, 7, 6, 5], ["a"] * 3 + ["b"] * 3))
    0.0
    """
    taus = [
        kendalltau(teacher, student).statistic
        for teachers, students in _by_length(teacher_scores, scores, qid)
        for teacher, student in zip(teachers, students, strict=True)
        if np.ptp(teacher) > 0 and np.ptp(student) > 0
    ]
    return float(np.mean(taus)) if taus else float("nan")


def top_overlap(teacher_scores: ArrayLike, scores: ArrayLike, qid: ArrayLike, *, k: int = 10) -> float:
    """Return the fraction of the teacher's top k rows that are among the student's top k, as a mean over queries.

    Parameters
    ----------
    teacher_scores : array-like of shape (n_rows,)
        The teacher's scores; of tied rows the earlier one ranks first.
    scores : array-like of shape (n_rows,)
        The student's.
    qid : array-like of shape (n_rows,)
        The id of each row's query. Queries of `k` rows or fewer are left out.
    k : int, default=10
        How many rows.

    Returns
    -------
    share : float
        Between 0 and 1; NaN if all queries are left out.

    Examples
    --------
    >>> from skdistill.metrics import top_overlap
    >>> print(top_overlap([1, 2, 3, 4], [2, 1, 4, 3], [0, 0, 0, 0], k=2))
    1.0
    """
    shares = []
    for pair in _by_length(teacher_scores, scores, qid):
        if pair[0].shape[1] > k:
            tops = [rankdata(-values, method="ordinal", axis=1) <= k for values in pair]
            shares.append([(tops[0] & tops[1]).sum(axis=1).mean() / k, len(pair[0])])
    return _mean(iter(shares))


def _by_length(values: ArrayLike, scores: ArrayLike, qid: ArrayLike) -> Iterator[tuple[Array, Array]]:
    """Yield values and scores of all queries of one length, shape (n_queries, n_rows) each."""
    scores = check_numbers(scores, n_rows=len(np.asarray(scores)), source="scores")[:, 0]
    values = check_numbers(values, n_rows=len(scores), source="y")[:, 0]
    queries = query_numbers(qid, None, len(scores))
    order, sizes = np.argsort(queries, kind="stable"), np.bincount(queries)
    sizes_of_rows = np.repeat(sizes, sizes)
    for size in np.unique(sizes).tolist():
        rows = order[sizes_of_rows == size].reshape(-1, size)
        yield values[rows], scores[rows]


def _with_relevant(pairs: Any) -> Iterator[tuple[Array, Array]]:
    for y, scores in pairs:
        some = (y > 0).any(axis=1)
        if some.any():
            yield y[some], scores[some]


def _mean(several: Any) -> float:
    """Return the mean of (mean, count) pairs."""
    pairs = list(several)
    if not pairs:
        return float("nan")
    means, counts = np.transpose(pairs)
    return float(np.average(means, weights=counts))
