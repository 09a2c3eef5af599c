"""The smallest candidate of a grid search that is good enough, for ``refit=``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray


def _smallest(
    cv_results: Mapping[str, Any], *, tolerance: float | str, score: str | None, size: str | Callable[..., float]
) -> int:
    """Return the index of the candidate to refit: the smallest whose mean score is good enough.

    Parameters
    ----------
    cv_results : dict
        ``cv_results_`` of a search.
    tolerance, score, size : object
        As in :func:`smallest_within`.

    Returns
    -------
    index : int
        Of the candidate.
    """
    sizes = _sizes(cv_results, size)
    name = _score_name(cv_results, score, size)
    scores = np.asarray(cv_results[f"mean_test_{name}"], dtype=np.float64)
    there = np.isfinite(scores) & np.isfinite(sizes)
    if "iter" in cv_results:
        # a halving search compares candidates by the same resources in its last iteration alone
        iterations = np.asarray(cv_results["iter"])
        there &= iterations == iterations.max()
    if not there.any():
        raise ValueError(
            f"No candidate has both a score and a size: mean_test_{name}={scores.tolist()}, sizes={sizes.tolist()}."
        )
    scores = np.where(there, scores, -np.inf)
    best = int(scores.argmax())
    enough = there & (scores >= scores[best] - _margin(cv_results, name, best, tolerance))
    # of equal sizes the better one, and of equal ones the first
    return int(min(np.flatnonzero(enough), key=lambda index: (sizes[index], -scores[index], index)))


def _sizes(cv_results: Mapping[str, Any], size: str | Callable[..., float]) -> NDArray[Any]:
    if callable(size):
        return np.array([float(size(params)) for params in cv_results["params"]])
    for column in (f"mean_test_{size}", size):
        if column in cv_results:
            return np.asarray(cv_results[column], dtype=np.float64)
    shown = ", ".join(column for column in cv_results if not column.startswith(("split", "param", "rank", "std")))
    raise ValueError(
        f"cv_results_ has no sizes: neither mean_test_{size} nor {size} is among {shown}. "
        f"Record them beside the score, scoring={{'score': ..., {size!r}: "
        "skdistill.metrics.make_size_scorer()}, or give smallest_within size=, a column of cv_results_ such as "
        "'mean_score_time' or a function from a candidate's parameters to its size."
    )


def _score_name(cv_results: Mapping[str, Any], score: str | None, size: str | Callable[..., float]) -> str:
    names = [column.removeprefix("mean_test_") for column in cv_results if column.startswith("mean_test_")]
    if score is not None:
        if score not in names:
            raise ValueError(f"score={score!r} is not among the scores of the search: {', '.join(names)}.")
        return score
    others = [name for name in names if name != size]
    if len(others) != 1:
        raise ValueError(
            f"The search has the scores {', '.join(others) or 'none'} besides the size; pass score= to choose one."
        )
    return others[0]


def _margin(cv_results: Mapping[str, Any], name: str, best: int, tolerance: float | str) -> float:
    if not isinstance(tolerance, str):
        return float(tolerance)
    n_splits = sum(column.startswith("split") and column.endswith(f"_test_{name}") for column in cv_results)
    # the deviation of the splits' scores divides by n; an error of the mean takes n - 1 (Breiman and others, 1984)
    return float(cv_results[f"std_test_{name}"][best] / np.sqrt(max(1, n_splits - 1)))


def smallest_within(
    tolerance: float | str = 0.01,
    *,
    score: str | None = None,
    size: str | Callable[[dict[str, Any]], float] = "bytes",
) -> Callable[[Mapping[str, Any]], int]:
    """Make a grid search refit the smallest candidate that is about as good as the best.

    A search stores scores and parameters but no models. So that it knows sizes, record them as a second score, or pass
    a function that computes them from the parameters.

    Parameters
    ----------
    tolerance : float or "standard_error", default=0.01
        Maximum difference between a mean score and the best one, in the unit of the score: 0.01 of accuracy is one
        percentage point. "standard_error" uses the standard error of the best candidate's mean over the splits (the
        one-standard-error rule of Breiman et al., 1984).
    score : str, default=None
        The name of the score, where greater is better. None uses the only score besides the size.
    size : str or callable, default="bytes"
        The name of the score that is the size, or a column of ``cv_results_`` such as "mean_score_time"; or a function
        that maps a candidate's parameters to a size. A HalvingGridSearchCV needs a function, because it stores only one
        score.

    Returns
    -------
    refit : callable
        A function for ``refit=`` of GridSearchCV, RandomizedSearchCV and the halving searches (it uses their last
        iteration). It raises a ValueError if there is no size, or if it is unclear which score to use.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skdistill import DistilledClassifier, smallest_within
    >>> from skdistill.metrics import make_size_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DistilledClassifier(RandomForestClassifier(random_state=0), alpha=1, random_state=0)
    >>> search = GridSearchCV(
    ...     model,
    ...     {"student": ["linear", "additive"]},
    ...     scoring={"accuracy": "accuracy", "bytes": make_size_scorer()},
    ...     refit=smallest_within(0.03),
    ...     cv=3,
    ... ).fit(X, y)
    >>> search.best_params_
    {'student': 'linear'}
    """
    if isinstance(tolerance, str):
        if tolerance != "standard_error":
            raise ValueError(f"tolerance must be a number or 'standard_error'; got {tolerance!r}.")
    elif isinstance(tolerance, bool) or not tolerance >= 0:
        raise ValueError(f"tolerance must be a number of zero or more, or 'standard_error'; got {tolerance!r}.")
    if not isinstance(size, str) and not callable(size):
        raise ValueError(f"size must be the name of a column or a function of parameters; got {size!r}.")
    return partial(_smallest, tolerance=tolerance, score=score, size=size)
