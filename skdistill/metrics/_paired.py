"""paired_gain: the difference of two models' scores on the same rows, with its standard error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._retention import answer_score

#: The number of groups of rows, each of which is left out once.
_N_GROUPS = 50


def paired_gain(
    y_true: ArrayLike,
    answer: ArrayLike,
    other: ArrayLike,
    *,
    scoring: str | Callable[..., Any] = "accuracy",
    response_method: str = "predict_proba",
    classes: ArrayLike | None = None,
) -> tuple[float, float]:
    """Return by how much one model scores better than another on the same rows, and the standard error of that.

    The standard error is the jackknife's over fifty groups of rows (Efron and Tibshirani, 1993, An Introduction to the
    Bootstrap, chapter 11), which works for any score. Each class is spread evenly over the groups.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,) or (n_rows, n_outputs)
        Labels, or target values of a regressor.
    answer, other : array-like of shape (n_rows, n_classes), (n_rows,) or (n_rows, n_outputs)
        Probabilities or predictions of both models, as `response_method` says.
    scoring : str or callable, default="accuracy"
        As in :func:`retention_score`.
    response_method : {"predict_proba", "predict"}, default="predict_proba"
        Which method of the models the answers come from.
    classes : array-like of shape (n_classes,), default=None
        The labels of the probabilities' columns. None takes the sorted labels of `y_true`.

    Returns
    -------
    gain : float
        The score of `answer` minus that of `other`; scorers of losses are negative, so that more is always better.
    error : float
        Its standard error; NaN with fewer than three rows, or where the score is not defined without some of them.

    Raises
    ------
    ValueError
        As :func:`retention_score`.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill.metrics import paired_gain
    >>> y = np.tile([0, 1], 100)
    >>> sure, unsure = np.column_stack([1 - y, y]) * 0.8 + 0.1, np.full((200, 2), 0.5)
    >>> gain, error = paired_gain(y, sure, unsure, scoring="neg_log_loss")
    >>> round(gain, 3), round(error, 3)
    (0.588, 0.0)
    """
    y, values, others = np.asarray(y_true), np.asarray(answer), np.asarray(other)
    if response_method == "predict_proba" and classes is None and y.ndim == 1:
        classes = np.unique(y)

    def gain(rows: Any) -> float:
        scores = (answer_score(y[rows], one[rows], scoring, response_method, classes) for one in (values, others))
        return next(scores) - next(scores)

    def gain_without(rows: Any) -> float:
        try:
            return gain(rows)
        except ValueError:
            # the score needs rows of every class
            return float("nan")

    n = len(y)
    n_groups = min(n, _N_GROUPS)
    if n_groups < 3:
        return gain(slice(None)), float("nan")
    order = np.random.default_rng(0).permutation(n)
    if y.ndim == 1:
        order = order[np.argsort(y[order], kind="stable")]
    group = np.empty(n, dtype=np.intp)
    group[order] = np.arange(n) % n_groups
    without = np.array([gain_without(group != one) for one in range(n_groups)])
    return gain(slice(None)), float(np.sqrt((n_groups - 1) * np.mean((without - without.mean()) ** 2)))
