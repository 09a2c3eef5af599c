"""The operations a Program is made of: each holds fitted numbers and maps rows to rows with numpy.

Weights are stored as float32, the precision of every format a Program is written in. They are
applied in float64: a float32 sum depends on the shape of the batch it is taken in, by more than
the 1e-7 within which a row's answer must not depend on its batch.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Op:
    """One step of a Program, ``(n_rows, n_in) -> (n_rows, n_out)``.

    The first op of a Program leaves its input alone; every other op may overwrite the array it is
    given. An op is frozen; what it caches for speed is not part of its state.
    """

    def __call__(self, X: Array) -> Array:
        """Apply the op to rows of shape (n_rows, n_in)."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """Return what the op holds, by name: arrays and plain values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]

    def __getstate__(self) -> dict[str, Any]:
        return self.state()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __repr__(self) -> str:
        held = ", ".join(
            f"{name}={'x'.join(map(str, value.shape)) if isinstance(value, np.ndarray) else repr(value)}"
            for name, value in self.state().items()
        )
        return f"{type(self).__name__}({held})"


@dataclass(frozen=True, eq=False, repr=False)
class Clip(Op):
    """Pull every number of column ``j`` into ``[lower[j], upper[j]]``; float64, in the column's unit.

    A missing number is read as the lower bound, so that no input makes the answer NaN.
    """

    lower: Array
    upper: Array

    def __call__(self, X: Array) -> Array:
        X = np.fmax(X, self.lower)
        return np.fmin(X, self.upper, out=X)


@dataclass(frozen=True, eq=False, repr=False)
class Standardize(Op):
    """``(x - mean) / scale`` per column; float64, in the column's unit."""

    mean: Array
    scale: Array

    @cached_property
    def _factor(self) -> Array:
        return 1.0 / self.scale

    def __call__(self, X: Array) -> Array:
        np.subtract(X, self.mean, out=X)
        return np.multiply(X, self._factor, out=X)


@dataclass(frozen=True, eq=False, repr=False)
class Affine(Op):
    """``X @ weight + bias``; `weight` has shape (n_in, n_out), `bias` shape (n_out,), both float32."""

    weight: Array
    bias: Array

    @cached_property
    def _wide(self) -> tuple[Array, Array]:
        return self.weight.astype(np.float64), self.bias.astype(np.float64)

    def __call__(self, X: Array) -> Array:
        weight, bias = self._wide
        X = X @ weight
        X += bias
        return X


@dataclass(frozen=True, eq=False, repr=False)
class Relu(Op):
    """``max(x, 0)``."""

    def __call__(self, X: Array) -> Array:
        return np.maximum(X, 0.0, out=X)


@dataclass(frozen=True, eq=False, repr=False)
class Tanh(Op):
    """``tanh(x)``."""

    def __call__(self, X: Array) -> Array:
        return np.tanh(X, out=X)


@dataclass(frozen=True, eq=False, repr=False)
class Silu(Op):
    """``x / (1 + exp(-x))``, also known as swish."""

    def __call__(self, X: Array) -> Array:
        # exp(-700) is the last that does not overflow; silu is 0 to the last digit there
        gate = np.exp(-np.maximum(X, -700.0))
        gate += 1.0
        return np.divide(X, gate, out=X)


@dataclass(frozen=True, eq=False, repr=False)
class Softmax(Op):
    """Logits to probabilities; one column ``z`` stands for the binary logits ``(0, z)``."""

    def __call__(self, X: Array) -> Array:
        if X.shape[1] == 1:
            proba = np.empty((len(X), 2))
            # of the two, the smaller is computed and the larger is what is left to one
            small = np.exp(-np.abs(X[:, 0]))
            small /= 1.0 + small
            positive = X[:, 0] > 0
            proba[:, 1] = np.where(positive, 1.0 - small, small)
            proba[:, 0] = np.where(positive, small, 1.0 - small)
            return proba
        X -= np.maximum.reduce(X, axis=1, keepdims=True)
        np.exp(X, out=X)
        X /= np.add.reduce(X, axis=1, keepdims=True)
        return X


#: The activations of a net by the name the user gives.
ACTIVATIONS: dict[str, type[Op]] = {"relu": Relu, "silu": Silu, "tanh": Tanh}
