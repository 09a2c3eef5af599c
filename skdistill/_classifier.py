"""What a fitted student and a loaded file have in common: they answer by a Program and their class labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._face import ProgramModel
from .losses import log_softmax

Array = NDArray[Any]


class ProgramClassifier(ProgramModel):
    """The predicting methods of a classifier that is a Program; numpy is enough for them.

    A subclass says in ``_rows`` what it takes for rows.
    """

    classes_: Array

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; those of a frame in any order.

        Returns
        -------
        proba : ndarray of shape (n_rows, n_classes)
            Probabilities in the order of ``classes_``; each row sums to one.
        """
        # the rows are checked first, and with them that there is a Program
        X = self._rows(X)
        return self.program_(X)

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of the probability of each class.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; those of a frame in any order.

        Returns
        -------
        log_proba : ndarray of shape (n_rows, n_classes)
            Natural logarithms, in the order of ``classes_``.
        """
        X = self._rows(X)
        return log_softmax(self.program_.logits(X))

    def decision_function(self, X: Any) -> Array:
        """Return the logits.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; those of a frame in any order.

        Returns
        -------
        logits : ndarray of shape (n_rows, n_classes), or (n_rows,) for two classes
            Logits; for two classes those of ``classes_[1]`` over ``classes_[0]``.
        """
        X = self._rows(X)
        logits = self.program_.logits(X)
        return logits[:, 0] if logits.shape[1] == 1 else logits

    def predict(self, X: Any) -> Array:
        """Return the most probable class.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; those of a frame in any order.

        Returns
        -------
        labels : ndarray of shape (n_rows,)
            Class labels.
        """
        X = self._rows(X)
        logits = self.program_.logits(X)
        best = logits[:, 0] > 0 if logits.shape[1] == 1 else logits.argmax(axis=1)
        return self.classes_[best.astype(np.intp)]
