"""A table that is encoded once, and the nets that are trained on it side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from itertools import islice
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._checks import check_rows
from .._sklearn import copy_unfitted
from ..losses import Targets
from ..program import Op, Program, fold, run
from ._base import counted_rows
from ._encoded import MadeOf
from ._encoder import ReadTable
from ._mlp import BaseMLP, hidden_units

Array = NDArray[Any]

#: With many rows there are fewer epochs, so that training takes no more steps than these.
_MOST_STEPS = 20_000
#: The share of the steps that are taken from where another fit has ended.
_WARM = 0.05


@dataclass(frozen=True)
class Fit:
    """The training set of one of several students.

    Parameters
    ----------
    targets : Targets
        Those of all rows of the table.
    rows : ndarray of shape (n_fitted,)
        The rows to fit.
    held_out : ndarray of shape (n_held_out,)
        The rows to validate the fit by, where the student does so.
    seed : int
        Seeds everything random.
    weighs_classes : bool, default=True
        Whether the student's `class_weight` counts; without, its probabilities are those of the labels.
    start : FittedNet or None, default=None
        What was trained for the same targets on other rows: to go on from there takes a part of the steps.
    student : MLPStudent, MLPStudentRegressor or None, default=None
        A net that differs from that of the table in hidden units and number of nets alone; None takes that one.
    """

    targets: Targets
    rows: Array
    held_out: Array
    seed: int
    weighs_classes: bool = True
    start: FittedNet | None = None
    student: Any = None


@dataclass(frozen=True)
class FittedNet:
    """One or several nets of a student, trained for the same.

    Parameters
    ----------
    nets : list of list of (ndarray of shape (n_in, n_out), ndarray of shape (n_out,))
        Weight and bias of each layer of each net.
    history : list of dict
        The figures of each epoch of the first net.
    end : Op
        From outputs to answers.
    targets : Targets
        What was fitted.
    student : MLPStudent, MLPStudentRegressor or None
        As in Fit.
    interrupted : bool
        Whether Ctrl-C ended the training.
    """

    nets: list[list[tuple[Array, Array]]]
    history: list[dict[str, float]]
    end: Op
    targets: Targets
    student: Any = None
    interrupted: bool = False


class NetTable:
    """A table, encoded once, on which nets of one student are trained side by side.

    Parameters
    ----------
    student : MLPStudent or MLPStudentRegressor
        Not fitted.
    X : ndarray, sparse matrix or frame of shape (n_rows, n_columns)
        The rows, raw; each has a weight above zero.
    targets : Targets
        The rows' answers and labels: they bring the weights, and what an encoder wants to know.
    read : ReadTable or None, default=None
        The table `X` as the student reads it, where it was read before.
    """

    def __init__(self, student: Any, X: Any, targets: Targets, read: ReadTable | None = None) -> None:
        self.student: BaseMLP = copy_unfitted(student)
        self.student._validate_params()
        self.student._check_sizes()
        # an encoder counts rows, whatever unit their weights come in
        X, targets = counted_rows(check_rows(self.student, X, reset=True), targets)
        # a teacher that was asked may have added columns
        read = read if read is not None and read.table is X and len(read.columns) == X.shape[1] else None
        terms = targets.terms(X.shape[0], self.student.class_weight)
        self._encoder, rows = self.student._fit_encoder(X, targets, terms, read)
        self._encoded = self._encoder.encode(rows, targets.sample_weight, self.student._dtype)
        #: How many steps of a net were taken so far.
        self.n_steps = 0

    @property
    def n_inputs(self) -> int:
        """How many inputs a net has."""
        return self._encoded.n_encoded

    @property
    def validates(self) -> bool:
        """Whether nets are validated by the rows held out for that."""
        return bool(self.student.early_stopping)

    def add(self, rows: Callable[[], Any], made_of: MadeOf) -> None:
        """Put new rows, which are made of cells of the others, below them; `rows` returns them raw."""
        if "encoder_" not in self.student.__dict__:
            self._encoded = self._encoder.with_new(self._encoded, made_of)
            return
        read = self.student._encoder_rows(rows())
        self._encoded = self._encoder.encode(read, dtype=self.student._dtype, above=self._encoded)

    def cells(self) -> tuple[Array, Sequence[int]] | None:
        """Return the encoded rows without bins, for trees.

        Returns
        -------
        cells, sizes : (ndarray of shape (n_rows, n_columns), sequence of int) or None
            Numbers, then a code for each column of categories, and how many codes each of these has. None of sparse
            rows.
        """
        if self._encoder.column_scale is not None:
            return None
        encoded, sizes = self._encoded, self._encoder.sizes
        if encoded.sparse is None:
            return encoded.numbers, sizes
        codes = encoded.sparse.indices.reshape(encoded.n_rows, -1) - self._encoder.offsets
        return np.hstack([encoded.numbers, codes.astype(encoded.numbers.dtype)]), sizes

    def fit(self, fits: Sequence[Fit], name: str | None = None) -> list[FittedNet]:
        """Train the nets of several fits side by side.

        Parameters
        ----------
        fits : sequence of Fit
            Their targets have one loss.
        name : str or None, default=None
            What a progress bar calls them; None is the student's class.

        Returns
        -------
        fitted : list of FittedNet
            In the order of the fits.
        """
        found: dict[int, FittedNet] = {}
        depths = [len(hidden_units(self._student_of(one))) for one in fits]
        for depth in dict.fromkeys(depths):
            several = [at for at, own in enumerate(depths) if own == depth]
            found |= zip(several, self._fit_side_by_side([fits[at] for at in several], name), strict=True)
        return [found[at] for at in range(len(fits))]

    def _student_of(self, one: Fit) -> Any:
        return self.student if one.student is None else one.student

    def _fit_side_by_side(self, fits: Sequence[Fit], name: str | None) -> list[FittedNet]:
        from ._mlp_training import Job, train_nets

        student, n_rows = self.student, self._encoded.n_rows
        distinct = {
            (id(one.targets), one.weighs_classes): one.targets.terms(
                n_rows, student.class_weight if one.weighs_classes else None
            )
            for one in fits
        }
        terms = [distinct[id(one.targets), one.weighs_classes] for one in fits]
        jobs = []
        for one, own in zip(fits, terms, strict=True):
            held_out = one.held_out if self.validates else one.held_out[:0]
            net = self._student_of(one)
            for number in range(net.n_nets):
                init = None if one.start is None else one.start.nets[number]
                seed = (one.seed + 7919 * number) % 2**31
                jobs.append(Job(one.rows, held_out, own, seed, init, hidden_units(net)))
        batch_size = student._rows_in_a_step(len(jobs[0].rows))
        steps = _steps(jobs, batch_size)
        most = min(student.max_epochs * steps, _MOST_STEPS)
        if fits[0].start is not None:
            most = round(_WARM * most)
        nets = train_nets(student, self._encoded, jobs, batch_size=batch_size, most_steps=most, name=name)
        self.n_steps += steps * sum(len(net.history) for net in nets)
        found = []
        for one, own in zip(fits, terms, strict=True):
            n_nets = self._student_of(one).n_nets
            mine, nets = nets[:n_nets], nets[n_nets:]
            end = student._end(one.targets, own)
            before = [] if one.start is None else one.start.history
            layers = [net.layers for net in mine]
            history = before + mine[0].history
            found.append(FittedNet(layers, history, end, one.targets, one.student, mine[0].interrupted))
        return found

    def seconds(self, *several: Sequence[Fit]) -> float:
        """Return how long it takes to train the nets of several calls of :meth:`fit` to the last epoch, at most.

        An epoch of one net on a few rows shows that.
        """
        student = copy_unfitted(self.student).set_params(max_epochs=1, verbose=0, n_nets=1)
        first = several[0][0]
        batch_size = student._rows_in_a_step(len(first.rows))
        few = replace(first, rows=first.rows[: 20 * batch_size], held_out=first.held_out[:0])
        trial = copy(self)
        trial.student = student
        trial.fit([few])
        start = perf_counter()
        trial.fit([few])
        step = (perf_counter() - start) / _steps([few], batch_size)
        total = 0
        for fits in several:
            steps = _steps(fits, self.student._rows_in_a_step(len(fits[0].rows)))
            total += len(fits) * self.student.n_nets * min(self.student.max_epochs * steps, _MOST_STEPS)
        return step * total

    def answers(self, several: Sequence[FittedNet], rows: Array) -> list[Array]:
        """Return what fits of equal nets answer for rows, given by index; shape (n_rows, n_targets) each."""
        from ._mlp_training import net_outputs

        nets = [layers for fitted in several for layers in fitted.nets]
        outputs = iter(net_outputs(self.student.activation, self._encoded, nets, rows))
        means = [np.mean(list(islice(outputs, len(one.nets))), axis=0, dtype=np.float64) for one in several]
        return [run(np.asarray(mean), [one.end]) for mean, one in zip(means, several, strict=True)]

    def as_student(self, fitted: FittedNet) -> Any:
        """Return a fit as a student."""
        student = self.student
        if fitted.student is not None:
            sizes = {name: getattr(fitted.student, name) for name in ("hidden_layer_sizes", "n_nets")}
            student = copy(student).set_params(**sizes)
        layers = student._as_fitted(fitted.nets, fitted.history, self._encoder.first_layer)
        fitted.targets.name_classes(student)
        student.program_ = fold(Program([*self._encoder.ops, *layers, fitted.end]))
        return student


def _steps(fits: Sequence[Any], batch_size: int) -> int:
    """Return the steps of an epoch."""
    return -(-max(len(one.rows) for one in fits) // batch_size)
