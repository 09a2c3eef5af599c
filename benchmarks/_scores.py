"""What the benchmarks score: log-loss with its floor, accuracy, agreement with the teacher."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import log_loss

Array = NDArray[Any]

#: What a probability is held to before its logarithm is taken, so that no row weighs more than 7.
FLOOR = 1e-3


def loss(y: Array, proba: Array, classes: Array) -> float:
    """Return the log-loss of probabilities held to FLOOR or more, rows summing to one again.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        The labels.
    proba : ndarray of shape (n_rows, n_classes)
        The answers.
    classes : ndarray of shape (n_classes,)
        The labels of the answers' columns, sorted.

    Returns
    -------
    loss : float
        In nats.
    """
    floored = np.maximum(proba, FLOOR)
    return float(log_loss(y, floored / floored.sum(axis=1, keepdims=True), labels=classes))


def accuracy(y: Array, proba: Array, classes: Array) -> float:
    """Return the share of rows whose likeliest class is their label."""
    return float(np.mean(classes[proba.argmax(axis=1)] == y))


def agreement(proba: Array, other: Array) -> float:
    """Return the share of rows for which two models name the same class."""
    return float(np.mean(proba.argmax(axis=1) == other.argmax(axis=1)))
