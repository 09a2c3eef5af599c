"""The residual check: tells from the residuals of neighbouring rows whether models of the labels underfit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from .._sklearn import take_rows
from .._threads import one_blas_thread
from ._neighbours import neighbour_space

Array = NDArray[Any]

#: A residual is compared with those of so many neighbours, among so many rows.
_NEIGHBOURS, _MOST_ROWS = 3, 10_000
#: How many standard errors from zero the sum of products must be: a one-sided test at 10 %.
_CLEARLY = 1.282
#: The label of the nearest neighbour may be wrong so many times as often as the models.
_TWICE = 2


def residuals_agree(X: Any, goals: Array, answers: Array, weight: Array | None, seed: int) -> bool:
    """Return whether residuals of neighbouring rows are alike: models have then missed structure that labels show.

    Noise of one row says nothing about that of another. So where the residuals of a row and of its three nearest
    neighbours point the same way more often than by chance, labels hold structure that is finer than the models are. A
    model that has seen the neighbours leans towards their labels, noise included, which makes the correlation negative
    where there is nothing but noise.

    That says nothing where neighbours are not alike, as with many columns of categories. If they are, the label of the
    nearest one is wrong at most twice as often as a perfect model, in the limit; the models stand in for that here.

    Spatial autocorrelation: Moran (1950), "Notes on Continuous Stochastic Phenomena",
    https://doi.org/10.2307/2332142. Twice the error: Cover and Hart (1967), "Nearest Neighbor Pattern Classification",
    https://doi.org/10.1109/TIT.1967.1053964.

    Parameters
    ----------
    X : ndarray or frame of shape (n_rows, n_columns)
        The rows, raw.
    goals : ndarray of shape (n_rows, n_classes)
        One in the column of the row's class, else zero.
    answers : ndarray of shape (n_rows, n_classes)
        Class probabilities from a model that has not seen the row.
    weight : ndarray of shape (n_rows,) or None
        The weight of each row.
    seed : int
        Draws rows if there are more than 10,000.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(size=(500, 2))
    >>> checkered = np.eye(2)[(np.floor(4 * X).sum(axis=1) % 2).astype(int)]
    >>> even = np.full((500, 2), 0.5)
    >>> residuals_agree(X, checkered, even, None, 0), residuals_agree(X, rng.permutation(checkered), even, None, 0)
    (True, False)
    """
    n_rows = len(goals)
    weight = np.ones(n_rows) if weight is None else weight / weight.max()
    if n_rows > _MOST_ROWS:
        some = np.sort(np.random.RandomState(seed).permutation(n_rows)[:_MOST_ROWS])
        X, goals, answers, weight, n_rows = take_rows(X, some), goals[some], answers[some], weight[some], _MOST_ROWS
    points = neighbour_space(X, seed).points
    if n_rows <= _NEIGHBOURS or points.shape[1] == 0:
        return False
    # the same neighbours whatever the number of threads
    with one_blas_thread():
        searched = NearestNeighbors(n_neighbors=_NEIGHBOURS, algorithm="brute").fit(points)
        near = searched.kneighbors(return_distance=False)
    labels = goals.argmax(axis=1)
    wrong = weight @ (labels[near[:, 0]] != labels), weight @ (answers.argmax(axis=1) != labels)
    if wrong[0] > _TWICE * wrong[1]:
        return False
    residuals = (goals - answers) * weight[:, None]
    # two rows may be neighbours of each other, and have one product
    ends = np.sort(np.stack([np.arange(n_rows).repeat(_NEIGHBOURS), near.ravel()]), axis=0)
    pairs, times = np.unique(ends, axis=1, return_counts=True)
    products = times * (residuals[pairs[0]] * residuals[pairs[1]]).sum(axis=1)
    return bool(products.sum() > _CLEARLY * np.sqrt((products**2).sum()))
