"""The Program: a fitted student as a frozen list of ops, run with numpy."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._ops import Affine, Op, Softmax

Array = NDArray[Any]

#: Rows that go through the ops together: enough to keep the matrix products busy, few enough for
#: the hidden activations to stay in the processor's cache.
_BLOCK = 1024


class Program:
    """A fitted student as data: a list of ops that turns rows into probabilities.

    Calling it checks nothing, which is what makes it fast: it is meant for a hot loop whose rows
    are known to be good. The student's ``predict_proba`` checks its input and then calls this.

    Parameters
    ----------
    ops : sequence of Op
        The operations, first to last; the last one is a Softmax.
    n_columns : int
        The number of columns of a row.

    Attributes
    ----------
    ops : tuple of Op
        The operations.
    n_columns : int
        The number of columns of a row.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill import LinearStudent
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> program = LinearStudent().fit(X, [0, 0, 1, 1]).program_
    >>> program(X).shape
    (4, 2)
    >>> program.n_parameters
    2
    """

    __slots__ = ("n_columns", "ops")

    def __init__(self, ops: list[Op] | tuple[Op, ...], n_columns: int) -> None:
        if not ops or not isinstance(ops[-1], Softmax):
            raise ValueError(f"A Program ends in Softmax; got ops={list(ops)}.")
        self.ops = tuple(ops)
        self.n_columns = n_columns

    def __call__(self, X: Array) -> Array:
        """Return the probabilities of rows.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_columns)
            Numbers; not checked.

        Returns
        -------
        proba : ndarray of shape (n_rows, n_classes)
            Probabilities, in float64.
        """
        return self._run(X, self.ops)

    def logits(self, X: Array) -> Array:
        """Return the logits of rows.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_columns)
            Numbers; not checked.

        Returns
        -------
        logits : ndarray of shape (n_rows, n_classes), or (n_rows, 1) for two classes
            What the Softmax is given; one column ``z`` stands for ``(0, z)``.
        """
        return self._run(X, self.ops[:-1])

    @staticmethod
    def _run(X: Array, ops: tuple[Op, ...]) -> Array:
        if len(X) > _BLOCK:
            return np.concatenate([Program._run(X[i : i + _BLOCK], ops) for i in range(0, len(X), _BLOCK)])
        for op in ops:
            X = op(X)
        return X

    @property
    def n_parameters(self) -> int:
        """How many weights were fitted: the numbers in the affine maps."""
        return sum(op.weight.size + op.bias.size for op in self.ops if isinstance(op, Affine))

    @property
    def nbytes(self) -> int:
        """How many bytes the Program's arrays hold."""
        return sum(value.nbytes for op in self.ops for value in op.state().values() if isinstance(value, np.ndarray))

    def fingerprint(self) -> str:
        """Return a SHA-256 over the ops and every number in them: equal for equal Programs."""
        digest = hashlib.sha256(str(self.n_columns).encode())
        for op in self.ops:
            digest.update(type(op).__name__.encode())
            for name, value in op.state().items():
                digest.update(name.encode())
                if isinstance(value, np.ndarray):
                    digest.update(f"{value.dtype.str}{value.shape}".encode())
                    digest.update(np.ascontiguousarray(value).tobytes())
                else:
                    digest.update(repr(value).encode())
        return digest.hexdigest()

    def __repr__(self) -> str:
        ops = "".join(f"\n  {op!r}," for op in self.ops)
        return (
            f"Program(n_columns={self.n_columns}, {self.n_parameters} parameters, {self.nbytes} bytes, ops=[{ops}\n])"
        )
