"""A table that is encoded once, and the nets that are trained on it side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .._checks import check_rows
from ..losses import Targets
from ._encoder import Encoded
from ._mlp import BaseMLP

Array = NDArray[Any]


class NetTable:
    """A table, encoded once, on which nets of one student are trained side by side.

    Parameters
    ----------
    student : BaseMLP
        Not fitted; a student that :meth:`finish` returns has its parameters.
    X : ndarray, sparse matrix or frame of shape (n_rows, n_columns)
        The rows, raw; each has a weight above zero.
    targets : Targets
        What the rows' answers and labels are. They bring the weights, and what an encoder wants to know.
    """

    def __init__(self, student: BaseMLP, X: Any, targets: Targets) -> None:
        self.student = student
        student._validate_params()
        student._check_sizes()
        rows = check_rows(student, X, reset=True)
        self._encoder, rows = student._fit_encoder(rows, targets, targets.terms(rows.shape[0], student.class_weight))
        self.encoded = self._encoder.encode(rows, targets.sample_weight, student._dtype)

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return self.encoded.n_rows

    def add(self, X: Any) -> None:
        """Put further rows, of the same columns, below the others."""
        rows = self.student._encoder_rows(X)
        below = self._encoder.encode(rows, dtype=self.student._dtype, further=True)
        both = None
        if below.sparse is not None:
            both = sparse.vstack([self.encoded.sparse, below.sparse], format="csr")
        self.encoded = Encoded(np.concatenate([self.encoded.numbers, below.numbers]), both)
