"""The Program: a fitted student as a frozen list of ops, run with numpy."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _ops, _table, _tree
from ._ops import Bound, Op, Unstandardize
from ._table import Columns

Array = NDArray[Any]

#: The number of rows per batch: enough for efficient matrix products, few enough for the hidden
#: activations to stay in the processor's cache.
_BLOCK = 1024

#: The ops by name: those that these three modules define, not any other subclass of Op.
OPS: dict[str, type[Op]] = {
    name: op
    for module in (_ops, _table, _tree)
    for name, op in vars(module).items()
    if isinstance(op, type) and issubclass(op, Op) and op is not Op
}


def labels_of(classes: Array) -> tuple[str, list[Any]]:
    """Return the type of class labels, without the length of texts, and the labels as Python values."""
    kind = "<U" if classes.dtype.kind in "UT" else classes.dtype.newbyteorder("<").str
    return kind, [one.item() if isinstance(one, np.generic) else one for one in classes.tolist()]


def run(Z: Array, ops: Sequence[Callable[[Array], Array]]) -> Array:
    """Apply ops one after the other; they may overwrite `Z`."""
    for op in ops:
        Z = op(Z)
    return Z


def _run_blocks(Z: Any, ops: Sequence[Callable[[Array], Array]]) -> Array:
    n_rows = Z.shape[0]
    if n_rows <= _BLOCK:
        return run(Z, ops)
    return np.concatenate([run(Z[i : i + _BLOCK], ops) for i in range(0, n_rows, _BLOCK)])


class Program:
    """A fitted student as data: a list of ops that turns rows into probabilities or regression outputs.

    Calling it does not validate the input, which is fast: use it in a hot loop with rows known to be valid. The
    student's ``predict_proba``, or a regressor's ``predict``, validates its input and then calls the Program.

    Parameters
    ----------
    ops : sequence of Op
        The operations. The first is Columns or Bound, which reads the rows. The last is Softmax or OneVsRest for a
        classifier, Sigmoid for a multilabel classifier, Unstandardize or BackTransform for a regressor.
    batch_dtype : {"float64", "float32"}, default="float64"
        The type in which the layers of a net are computed for batches. float32 takes about 0.6 of the time.
        Probabilities, or predictions in standard deviations of the target, then differ by about 1e-6 from those of a
        single row, which are always computed in float64.

    Attributes
    ----------
    ops : tuple of Op
        The operations.
    batch_dtype : str
        The type in which batches are computed.

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

    __slots__ = ("_batch", "_entry", "_rest", "batch_dtype", "ops")

    def __init__(self, ops: Sequence[Op], batch_dtype: str = "float64") -> None:
        if not ops or not isinstance(ops[0], Columns | Bound) or not ops[-1].ENDS:
            raise ValueError(
                "A Program begins with Columns or Bound and ends in Softmax, Sigmoid, Unstandardize or an op with "
                f"ENDS; got ops={list(ops)}."
            )
        self.ops = tuple(ops)
        self._entry = ops[0]
        self._rest = self.ops[1:]
        self.batch_dtype = batch_dtype
        self._batch: Sequence[Callable[[Array], Array]] = self._rest[:-1]
        if batch_dtype == "float32":
            from ._float32 import float32_steps

            self._batch = float32_steps(self)
        elif batch_dtype != "float64":
            raise ValueError(f'batch_dtype={batch_dtype!r} is not known; expected "float64" or "float32".')

    def __reduce__(self) -> tuple[type[Program], tuple[tuple[Op, ...], str]]:
        return Program, (self.ops, self.batch_dtype)

    def __call__(self, X: Any) -> Array:
        """Return the class probabilities of rows, or a regressor's predictions.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (n_rows, n_columns), dict, or list of dict
            Rows in the form they had in fit, or one dict per row from column name to cell. They are
            not validated.

        Returns
        -------
        outputs : ndarray of shape (n_rows, n_classes) or (n_rows, n_outputs)
            Probabilities, or predictions in the target's unit, in float64.
        """
        Z = self._entry(X)
        if Z.shape[0] > 1:
            return _run_blocks(Z, (*self._batch, self._rest[-1]))
        for op in self._rest:
            Z = op(Z)
        return Z

    def logits(self, X: Any) -> Array:
        """Return the logits of rows, or a regressor's standardised predictions.

        Parameters
        ----------
        X : array, sparse matrix or frame of shape (n_rows, n_columns), dict, or list of dict
            As in a call.

        Returns
        -------
        logits : ndarray of shape (n_rows, n_classes), or (n_rows, 1) for two classes
            The input of the last op. If that is a Softmax, a single column ``z`` stands for the logits ``(0, z)``.
        """
        Z = self._entry(X)
        return _run_blocks(Z, self._batch if Z.shape[0] > 1 else self._rest[:-1])

    @property
    def n_outputs(self) -> int | None:
        """The number of outputs of a regressor; None for a classifier."""
        last = self.ops[-1]
        return len(last.center) if isinstance(last, Unstandardize) else None

    @property
    def n_columns(self) -> int:
        """The number of columns of a row."""
        return self._entry.n_columns

    @property
    def n_parameters(self) -> int:
        """The number of fitted weights: affine maps without int8 scales, and a tree's ranks, thresholds and leaves."""
        fitted = ("weight", "tables", "bias", "ranks", "thresholds", "values")
        return sum(value.size for op in self.ops for name, value in op.state().items() if name in fitted)

    @property
    def nbytes(self) -> int:
        """The size of the Program's arrays in bytes."""
        return sum(value.nbytes for op in self.ops for value in op.state().values() if isinstance(value, np.ndarray))

    def fingerprint(self, classes: Array | None = None) -> str:
        """Return a SHA-256 over the ops with all their numbers and names; equal Programs have equal fingerprints.

        Parameters
        ----------
        classes : ndarray of shape (n_classes,), default=None
            Class labels that the fingerprint covers too, as in a file; classifiers with different labels predict
            differently.

        Returns
        -------
        digest : str
            64 hexadecimal digits, the same on every machine.
        """
        # what repr escapes differs between versions of Python
        digest = self._digest(ascii)
        if classes is not None:
            digest.update(ascii(labels_of(classes)).encode())
        return digest.hexdigest()

    def _digest(self, written: Callable[[Any], str]) -> Any:
        """Return a SHA-256 of the ops, given what writes the fields that are not arrays."""
        digest = hashlib.sha256()
        for op in self.ops:
            digest.update(type(op).__name__.encode())
            for name, value in op.state().items():
                digest.update(name.encode())
                if isinstance(value, np.ndarray):
                    # the same digest on machines of either byte order
                    little = value.dtype.newbyteorder("<")
                    digest.update(f"{little.str}{value.shape}".encode())
                    digest.update(np.ascontiguousarray(value, dtype=little).tobytes())
                else:
                    digest.update(written(value).encode())
        return digest

    def __repr__(self) -> str:
        ops = "".join(f"\n  {op!r}," for op in self.ops)
        return (
            f"Program(n_columns={self.n_columns}, {self.n_parameters} parameters, {self.nbytes} bytes, ops=[{ops}\n])"
        )
