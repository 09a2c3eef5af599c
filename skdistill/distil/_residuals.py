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
#: How many standard errors from zero the sum of products must be: a one-sided test at 5 %.
_CLEARLY = 1.645


def residuals_agree(X: Any, residuals: Array, seed: int) -> bool:
    """Return whether residuals of neighbouring rows are alike: models have then missed structure that labels show.

    Noise of one row says nothing about that of another. So where the residual of a row and the mean one of its three
    nearest neighbours point the same way more often than by chance, labels hold structure that is finer than the
    models are. A model that has seen the neighbours leans towards their labels, noise included, which makes the
    correlation negative where there is nothing but noise.

    Spatial autocorrelation: Moran (1950), "Notes on Continuous Stochastic Phenomena",
    https://doi.org/10.2307/2332142.

    Parameters
    ----------
    X : ndarray or frame of shape (n_rows, n_columns)
        The rows, raw.
    residuals : ndarray of shape (n_rows, n_targets)
        For each of them its label less the answer of a model that has not seen it.
    seed : int
        Draws rows if there are more than 10,000.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(size=(500, 2))
    >>> checkered = (np.floor(4 * X).sum(axis=1) % 2)[:, None]
    >>> residuals_agree(X, checkered - 0.5, 0), residuals_agree(X, rng.permutation(checkered) - 0.5, 0)
    (True, False)
    """
    n_rows = len(residuals)
    if n_rows > _MOST_ROWS:
        some = np.sort(np.random.RandomState(seed).permutation(n_rows)[:_MOST_ROWS])
        X, residuals, n_rows = take_rows(X, some), residuals[some], _MOST_ROWS
    points = neighbour_space(X, seed).points
    if n_rows <= _NEIGHBOURS or points.shape[1] == 0:
        return False
    # the same neighbours whatever the number of threads
    with one_blas_thread():
        searched = NearestNeighbors(n_neighbors=_NEIGHBOURS, algorithm="brute").fit(points)
        near = searched.kneighbors(return_distance=False)
    products = (residuals * residuals[near].mean(axis=1)).sum(axis=1)
    return bool(products.sum() > _CLEARLY * products.std() * np.sqrt(n_rows))
