"""What a fitted student and a loaded file have in common: they answer by a Program and their class labels."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .losses import log_softmax
from .program import Program

Array = NDArray[Any]


class ProgramClassifier:
    """The predicting methods of a classifier that is a Program; numpy is enough for them.

    A subclass says in :meth:`_rows` what it takes for rows.
    """

    classes_: Array
    program_: Program

    def _rows(self, X: Any) -> Any:
        """Return rows as the Program takes them, or refuse them."""
        raise NotImplementedError

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

    def export(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted student to a file, in the format that the suffix says.

        Parameters
        ----------
        path : path-like
            Ends in .skd (for ``skdistill.load``), .onnx, .c (beside which a .h is written) or .py.

        Raises
        ------
        ValueError
            If it ends otherwise.
        TypeError
            If the student is no Program, or one that the format does not know.
        OSError
            If the file cannot be written; nothing half-written is left behind.
        """
        from .export import to_file

        to_file(self, path)
