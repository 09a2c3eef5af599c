"""Further training of a fitted student: its encoder and weights, read from its Program, and further rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..losses import Targets, Terms
from ..program import (
    LARGEST,
    Affine,
    LookupAffine,
    Op,
    Program,
    Standardize,
    Unstandardize,
    fold,
    real_weights,
    rescale,
    split,
)
from ._base import check_constraints
from ._encoded import Encoded, Encoder

Array = NDArray[Any]


class Further:
    """The starting point of further training: the encoder is fixed, the weights are the initial ones.

    Parameters
    ----------
    student : ProgramStudent
        Fitted; a net or a linear one.
    rows : ndarray, sparse matrix or frame of shape (n_rows, n_columns)
        Further rows, as the encoder takes them.

    Raises
    ------
    TypeError
        If its Program is not an encoder followed by affine layers.
    """

    def __init__(self, student: Any, rows: Any) -> None:
        parts = split(student.program_)
        if parts is None:
            raise TypeError(f"This {type(student).__name__} cannot learn on: its Program is not that of a fit.")
        ops, layers, activations = parts
        self._student = student
        self.end = student.program_.ops[-1]
        last = ops[-1]
        if isinstance(last, Standardize) and last.limit >= LARGEST and not sparse.issparse(rows):
            # its mean and scale were folded into the layer
            numbers = Encoder(ops).read(rows)[:, last.start :]
            spread = numbers.std(axis=0)
            ops[-1], layers[0] = rescale(last, layers[0], numbers.mean(axis=0), np.where(spread > 0, spread, 1.0))
        self._encoder = Encoder(ops, unseen="own")
        n_outputs = layers[-1].weight.shape[1]
        self._encoder.constrain(check_constraints(student, student.monotonic_cst, student, None, n_outputs))
        self._layers = [(_weights(layer), layer.bias.astype(np.float64)) for layer in layers]
        self._activations = activations

    @property
    def hidden(self) -> list[int]:
        """The hidden units."""
        return [len(bias) for _, bias in self._layers[:-1]]

    @property
    def layers(self) -> list[tuple[Array, Array]]:
        """Weight and bias of each layer, of rows as they were encoded last."""
        (weight, bias), *rest = self._layers
        scale = self._encoder.column_scale
        return [(weight if scale is None else weight * scale[:, None], bias), *rest]

    def encode(self, rows: Any) -> Encoded:
        """Return rows, encoded."""
        return self._encoder.encode(rows, dtype=self._student._dtype)

    def terms(self, targets: Targets, class_weight: Any = None) -> Terms:
        """Return the terms of rows; numbers are standardised as they were in the student's fit."""
        n_rows = len(next(one for one in (targets.answers, targets.labels, targets.soft_labels) if one is not None))
        if isinstance(self.end, Unstandardize):
            targets = replace(targets, units=(self.end.center, self.end.scale))
        return targets.terms(n_rows, class_weight)

    def with_layers(self, layers: list[tuple[Array, Array]], end: Op | None = None) -> Program:
        """Return the student's Program with other weights, and perhaps another end."""
        ops = as_ops(layers, self._encoder.first_layer, self._activations)
        return fold(Program([*self._encoder.ops, *ops, self.end if end is None else end]))


def as_ops(
    layers: Sequence[tuple[Array, Array]], first_layer: Callable[[Array, Array], Op], activations: Sequence[Op]
) -> list[Op]:
    """Return the ops of layers, each a weight (n_in, n_out) and a bias (n_out,), with an activation between any two."""
    first, *rest = layers
    ops = [first_layer(*first)]
    for activation, (weight, bias) in zip(activations, rest, strict=True):
        ops += [activation, Affine(np.asarray(weight, np.float32), np.asarray(bias, np.float32))]
    return ops


def _weights(layer: Any) -> Array:
    """Return the weights of a layer as numbers, those of codes first; shape (n_in, n_out)."""
    weight = real_weights(layer.weight, layer.scale)
    if not isinstance(layer, LookupAffine):
        return weight
    return np.concatenate([real_weights(layer.tables, layer.tables_scale), weight])


def train_on(
    student: Any,
    held_out: tuple[Any, Targets],
    blocks: Iterator[tuple[Any, Targets]],
    *,
    n_rows: int,
    most_steps: int,
    n_before: int,
    seed: int,
) -> Any:
    """Train a fitted net on, on a stream of blocks, each encoded when it comes; the student then has the new weights.

    Parameters
    ----------
    student : MLPStudent or MLPStudentRegressor
        Fitted.
    held_out : (rows, Targets)
        Raw rows that no block has, and their targets: the fit is validated by them.
    blocks : iterator of (rows, Targets)
        Raw rows, and what to fit; without an end.
    n_rows : int
        How many rows there are. They are seen ``max_epochs`` times, but again only up to `most_steps`.
    most_steps : int
        After so many steps no row is seen again.
    n_before : int
        How many rows the student has been fitted to.
    seed : int
        Seeds the batches and the dropout.

    Returns
    -------
    stream : Stream
        What was found.
    """
    from ._mlp_training import Job, Stream, train_on_stream

    rows = student._encoder_rows(held_out[0])
    further = Further(student, rows)
    encoded, terms = further.encode(rows), further.terms(held_out[1], student.class_weight)
    everything = np.arange(encoded.n_rows)
    job = Job(everything, everything, terms, seed, further.layers, further.hidden)
    several = (
        (further.encode(student._encoder_rows(X)), further.terms(targets, student.class_weight))
        for X, targets in blocks
    )
    # of many rows, whatever their number
    batch_size = int(student._rows_in_a_step(1 << 30))
    stream = Stream(several, max(n_rows, min(student.max_epochs * n_rows, most_steps * batch_size)), n_before)
    net = train_on_stream(student, encoded, job, stream, batch_size=batch_size)
    student.program_ = further.with_layers(net.layers)
    student.history_ = student.history_ + net.history
    student.n_iter_ = len(student.history_)
    return stream
