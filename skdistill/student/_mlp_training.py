"""Training nets in torch, many of one shape side by side, on a table or on a stream of blocks of rows."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.adamw import adamw

from ..losses import Terms
from ._encoded import Encoded
from ._mlp import hidden_units
from ._net_inputs import Goals, Inputs
from ._nets import Nets, flattened, initial_layers, layer_signs
from ._progress import Progress
from ._torch_loss import own_torch_state

Array = NDArray[Any]
#: Weight (n_in, n_out) and bias (n_out,) of each layer; sparse inputs come first.
Layers = list[tuple[Array, Array]]

_WARM_UP = 0.05
#: Each time, the running average moves towards the weights by ``_FORGETS / (time + _FORGETS)`` of their difference: it
#: averages over the last ninth of the steps or so, and soon forgets the initial weights. It does so every few steps,
#: in which the weights hardly move.
_FORGETS, _AVERAGED = 9.0, 4
#: How many held-out rows are put through a net at a time.
_BLOCK = 2048
#: On a stream the rate warms up over so many steps at most, to this share of the student's: a rate that stays high has
#: to be lower than one that falls.
_LONGEST_WARM_UP, _STEADY = 1000, 0.5
#: The share of the steps on a stream in which the rate falls to zero: Hägele and others (2024), "Scaling Laws and
#: Compute-Optimal Training Beyond Fixed Training Durations", https://arxiv.org/abs/2405.18392, find that 0.1 to 0.2 do.
_COOLED = 0.2
#: On a stream, so many steps are the first that twice as many are compared with: the rate is steady by then.
_FIRST_STEPS = 2000


@dataclass(frozen=True)
class Job:
    """One net to train: on which rows of a table, and what to fit.

    Parameters
    ----------
    rows : ndarray of shape (n_fitted,)
        The rows to train on.
    held_out : ndarray of shape (n_held_out,)
        The rows to validate the fit by; perhaps none.
    terms : Terms
        What to fit on each row of the table.
    seed : int
        Seeds the initial weights, the batches and the dropout.
    init : list of (ndarray of shape (n_in, n_out), ndarray of shape (n_out,)) or None, default=None
        Weight and bias of each layer to start from; None draws them.
    hidden : sequence of int or None, default=None
        Its hidden units; None takes the student's.
    """

    rows: Array
    held_out: Array
    terms: Terms
    seed: int
    init: Layers | None = None
    hidden: Sequence[int] | None = None


@dataclass
class TrainedNet:
    """A net, once it is trained.

    Parameters
    ----------
    layers : list of (ndarray of shape (n_in, n_out), ndarray of shape (n_out,))
        Weight and bias of each affine layer, in float32: the best ones on the held-out rows, else the last.
    history : list of dict
        The figures of each epoch.
    interrupted : bool
        Whether Ctrl-C ended its training.
    """

    layers: Layers = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)
    best_loss: float = math.inf
    best_epoch: int = 0
    interrupted: bool = False


@own_torch_state(one_thread=True)
@torch.no_grad()
def train_nets(
    student: Any,
    encoded: Encoded,
    jobs: Sequence[Job],
    *,
    batch_size: int,
    most_steps: int | None = None,
    name: str | None = None,
) -> list[TrainedNet]:
    """Train nets side by side: AdamW, a warm-up and a cosine, early stopping for each.

    They have as many hidden layers. A narrower one has units without weights, which stay so: they get no gradient.

    A net is validated and kept as the running average of its weights, with polynomial decay: Shamir and
    Zhang (2013), "Stochastic Gradient Descent for Non-smooth Optimization", https://arxiv.org/abs/1212.1824.

    Parameters
    ----------
    student : BaseMLP
        Its parameters say how the nets are trained.
    encoded : Encoded
        The rows of the table.
    jobs : sequence of Job
        The nets. In an epoch each gets as many rows as the one with the most has; with fewer, it sees some twice.
    batch_size : int
        Rows in a step.
    most_steps : int or None, default=None
        There are no more epochs than make so many steps, and at least one.
    name : str or None, default=None
        What a progress bar calls the nets; None is the student's class.

    Returns
    -------
    nets : list of TrainedNet
        In the order of the jobs.

    Raises
    ------
    ValueError
        If torch cannot use the device, or a loss is no longer finite.
    """
    if len(jobs) > 1 and jobs[0].terms.queries is not None:
        # batches of whole queries differ in size
        return [
            train_nets(student, encoded, [job], batch_size=batch_size, most_steps=most_steps, name=name)[0]
            for job in jobs
        ]
    run = _Run(student, Inputs.of(encoded, _device(student)), jobs, batch_size, most_steps)
    name = type(student).__name__ if name is None else name
    with Progress(student.verbose, run.n_epochs, name, "epoch") as progress:
        try:
            for _ in range(run.n_epochs):
                run.epoch()
                figures = run.evaluate()
                progress.step(**figures)
                if not run.alive:
                    break
        except KeyboardInterrupt:
            if not all(net.layers for net in run.nets):
                raise
            for net in run.nets:
                net.interrupted = True
            warnings.warn(
                f"{name} was interrupted after {max(len(net.history) for net in run.nets)} of {student.max_epochs} "
                f"epochs; the best weights so far, of epoch {run.nets[0].best_epoch}, are kept.",
                UserWarning,
                stacklevel=3,
            )
    return run.nets


@dataclass
class Stream:
    """Blocks of rows for further training of a net, and its results.

    Parameters
    ----------
    blocks : iterator of (Encoded, Terms)
        The rows of each, encoded, and what to fit; without an end.
    most_rows : int
        The net sees no more rows than these, some of them perhaps several times.
    n_before : int
        How many rows the net has been fitted to before.
    curve : list of dict
        After each block: ``n_rows`` seen, and the ``loss`` of the rows held out.
    flat : bool
        Whether it ended before `most_rows`, since further rows did not lower the loss.
    n_seen, n_steps : int
        How many rows were seen, in how many steps.
    """

    blocks: Iterator[tuple[Encoded, Terms]]
    most_rows: int
    n_before: int
    curve: list[dict[str, float]] = field(default_factory=list)
    flat: bool = False
    n_seen: int = 0
    n_steps: int = 0


@own_torch_state(one_thread=True)
@torch.no_grad()
def train_on_stream(student: Any, encoded: Encoded, job: Job, stream: Stream, *, batch_size: int) -> TrainedNet:
    """Train a net on, on blocks of rows, at a steady rate that falls to zero in the end.

    Where the student stops early, that begins once twice as many rows are hardly better: if the loss of the rows held
    out has fallen by less than its standard error, paired by row.

    Parameters
    ----------
    student : BaseMLP
        Its parameters say how the net is trained.
    encoded : Encoded
        The rows held out.
    job : Job
        The net to go on with; all its rows are held out.
    stream : Stream
        The blocks. It learns what became of them.
    batch_size : int
        Rows in a step.

    Returns
    -------
    net : TrainedNet
        With the weights that were best on the rows held out; the last ones without early stopping.

    Raises
    ------
    ValueError
        If a loss is no longer finite.
    """
    run = _Run(student, Inputs(encoded, _device(student)), [job], batch_size, None)
    run.stay_warm(-(-stream.most_rows // batch_size))
    net, name = run.nets[0], type(student).__name__

    def evaluate() -> dict[str, float]:
        figures = run.evaluate(patient=True)
        stream.curve.append({"n_rows": stream.n_before + stream.n_seen, "loss": figures["valid_loss"]})
        return figures

    evaluate()
    net.history.clear()
    end, falls_at, next_look, before = stream.most_rows, (1 - _COOLED) * stream.most_rows, _FIRST_STEPS, None
    with Progress(student.verbose, -(-end // batch_size), name, "step") as progress:
        try:
            while stream.n_seen < end:
                block, terms = next(stream.blocks)
                run.load(Inputs(block, run.device), [terms], min(block.n_rows, end - stream.n_seen))
                run.epoch()
                stream.n_seen += run.n_rows
                progress.step(-(-run.n_rows // batch_size), **evaluate())
                if run.step >= next_look:
                    looks = before is not None and student.early_stopping and stream.n_seen < falls_at < math.inf
                    if looks and _is_flat(before - run.row_losses):
                        stream.flat, falls_at = True, stream.n_seen
                    next_look, before = 2 * run.step, run.row_losses
                if stream.n_seen >= falls_at:
                    end = min(end, round(stream.n_seen / (1 - _COOLED)))
                    run.cool_down(-(-(end - stream.n_seen) // batch_size))
                    falls_at = math.inf
        except KeyboardInterrupt:
            warnings.warn(
                f"{name} was interrupted after {stream.n_seen} rows; the best weights so far are kept.",
                UserWarning,
                stacklevel=3,
            )
    stream.n_steps = run.step
    if not student.early_stopping:
        net.layers = run._layers(0)
    return net


def _is_flat(gained: Array) -> bool:
    """Return whether losses have fallen by less than the standard error of their mean."""
    return bool(gained.mean() < gained.std() / math.sqrt(len(gained)))


def _device(student: Any) -> torch.device:
    try:
        device = torch.device(student.device)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device={student.device!r} is not a device that this torch can use: {error}") from error
    return device


def _as_tensors(layers: Layers) -> list[Tensor]:
    """Return weight (n_in, n_out) and bias (1, n_out) of each layer in turn."""
    return [torch.as_tensor(part, dtype=torch.float32).reshape(-1, part.shape[-1]) for pair in layers for part in pair]


class _Run:
    """Several nets under training."""

    def __init__(
        self, student: Any, inputs: Inputs, jobs: Sequence[Job], batch_size: int, most_steps: int | None
    ) -> None:
        self.student, self.device, self.batch_size = student, inputs.device, batch_size
        device, goals = self.device, Goals([job.terms for job in jobs], inputs.device)
        # on a stream, the rows to fit are of another table than those held out
        self.inputs = self.valid_inputs = inputs
        self.goals = self.valid_goals = goals
        self.alive = list(range(len(jobs)))
        self.nets = [TrainedNet() for _ in jobs]
        self.generators = [torch.Generator().manual_seed(job.seed) for job in jobs]
        ends = inputs.n_inputs, jobs[0].terms.n_outputs
        hidden = [hidden_units(student) if job.hidden is None else job.hidden for job in jobs]
        self.sizes = [[ends[0], *units, ends[1]] for units in hidden]
        sizes = [max(units) for units in zip(*self.sizes, strict=True)]
        self.shapes = [shape for n_in, n_out in pairwise(sizes) for shape in ((n_in, n_out), (1, n_out))]
        starts, signs = zip(*(self._start(job, at) for at, job in enumerate(jobs)), strict=True)
        flat, self.signs = (
            flattened([torch.stack(parts) for parts in zip(*several, strict=True)]).to(device)
            for several in (starts, signs)
        )
        if inputs.signs is not None:
            self._project(flat)
        self.now = Nets(flat, self.shapes, student.activation, inputs, student.dropout > 0)
        # AdamW's two moments, and the running average
        self.moments = [torch.zeros_like(flat), torch.zeros_like(flat)]
        self.average = flat.clone() if student.averaging else flat
        self.n_rows = max(len(job.rows) for job in jobs)
        self.rows = [torch.as_tensor(job.rows) for job in jobs]
        #: The rows of each query, where the loss is one of whole queries; then there is one net.
        self.queries: Sequence[Tensor] = []
        if (queries := jobs[0].terms.queries) is not None:
            rows = jobs[0].rows
            counts = np.unique(queries[rows], return_counts=True)[1]
            by_query = torch.as_tensor(rows[np.argsort(queries[rows], kind="stable")], device=device)
            self.queries = torch.split(by_query, counts.tolist())
        steps = -(-self.n_rows // batch_size)
        if self.queries:
            # long ones are batches of their own
            steps = min(steps, len(self.queries))
        self.n_epochs = (
            student.max_epochs if most_steps is None else max(1, min(student.max_epochs, most_steps // steps))
        )
        self.n_steps, self.averaged = self.n_epochs * steps, min(_AVERAGED, steps)
        self.highest = student.learning_rate
        self.warm_up = self.falls_from = max(1.0, _WARM_UP * self.n_steps)
        self.step, self.adam_step = 0, torch.zeros((), device=device)
        self.held_out = [torch.as_tensor(job.held_out, device=device) for job in jobs]
        self.train_losses: Tensor = torch.zeros(len(jobs))
        #: For each net what to add to the mean loss of its rows, and of those held out.
        self.constants = [
            tuple(float(goals.constant[rows.to(device) + offset].mean()) if len(rows) else 0.0 for rows in both)
            for offset, *both in zip(goals.offsets, self.rows, self.held_out, strict=True)
        ]
        #: The loss of each row held out, of the first net, when it was last validated.
        self.row_losses: Array = np.empty(0)

    def _start(self, job: Job, at: int) -> tuple[list[Tensor], list[Tensor]]:
        """Return the initial weights of a net, and their signs where it has to be monotone."""
        sizes, inputs = self.sizes[at], self.inputs
        if job.init is None:
            own = initial_layers(sizes, inputs.n_sparse, inputs.n_active, self.generators[at])
        else:
            own = _as_tensors(job.init)
        signs = [torch.zeros(0, 0)] * len(own)
        if inputs.signs is not None:
            signs = layer_signs(torch.as_tensor(inputs.signs), sizes, None if job.init is None else own)
        return self._padded(own), self._padded(signs)

    def _padded(self, own: list[Tensor]) -> list[Tensor]:
        parts = [torch.zeros(shape) for shape in self.shapes]
        for part, values in zip(parts, own, strict=True):
            part[: values.shape[0], : values.shape[1]] = values
        return parts

    def _project(self, flat: Tensor) -> None:
        """Set weights of the wrong sign to zero."""
        flat.mul_(flat * self.signs >= 0)

    def _order(self) -> Tensor:
        """Return each net's rows of an epoch in a shuffled order, shape (n_alive, n_rows)."""
        orders = []
        for net in self.alive:
            rows = self.rows[net]
            passes = -(-self.n_rows // len(rows))
            shuffled = [torch.randperm(len(rows), generator=self.generators[net]) for _ in range(passes)]
            orders.append(rows[torch.cat(shuffled)[: self.n_rows]])
        return torch.stack(orders).to(self.device)

    def _batches(self) -> Sequence[Tensor]:
        """Return the rows of each step of an epoch, shape (n_alive, n_rows) each; whole queries for a loss of these."""
        if not self.queries:
            return torch.split(self._order(), self.batch_size, dim=1)
        order = torch.randperm(len(self.queries), generator=self.generators[0]).tolist()
        queries = [self.queries[at] for at in order]
        sizes = torch.as_tensor([len(rows) for rows in queries])
        # a query goes into the batch in which its first row would be
        in_batch = torch.bincount((sizes.cumsum(0) - sizes) // self.batch_size, sizes.double()).long()
        return torch.split(torch.cat(queries)[None], in_batch[in_batch > 0].tolist(), dim=1)

    def _rate(self) -> float:
        done = min(1.0, max(0.0, self.step - self.falls_from) / max(1.0, self.n_steps - self.falls_from))
        rate = self.highest * min(1.0, (self.step + 1) / self.warm_up)
        return float(rate * (1 + math.cos(math.pi * done)) / 2)

    def stay_warm(self, most_steps: int) -> None:
        """Keep the rate steady after the warm-up, until :meth:`cool_down`."""
        self.warm_up, self.falls_from = max(1.0, min(_WARM_UP * most_steps, _LONGEST_WARM_UP)), math.inf
        self.highest, self.averaged = _STEADY * self.student.learning_rate, _AVERAGED

    def cool_down(self, n_steps: int) -> None:
        """Let the rate fall to zero in so many steps from now on."""
        self.falls_from, self.n_steps = float(self.step), self.step + n_steps

    def load(self, inputs: Inputs, terms: Sequence[Terms], n_rows: int) -> None:
        """Take other rows to fit, the first of so many in each net's own order."""
        self.inputs = self.now.inputs = inputs
        self.goals, self.n_rows = Goals(terms, self.device), n_rows
        self.rows = [torch.arange(len(terms[0].soft))] * len(self.rows)
        self.constants = [(float(self.goals.constant.mean()), held_out) for _, held_out in self.constants]

    def epoch(self) -> None:
        """Take the steps of an epoch."""
        nets, student = self.now, self.student
        offsets = torch.as_tensor([self.goals.offsets[net] for net in self.alive], device=self.device)[:, None]
        self.train_losses = torch.zeros(len(self.alive), device=self.device)
        masks = self._masks if student.dropout else None
        for batch in self._batches():
            n_rows = batch.shape[1]
            outputs = nets.forward(batch.reshape(-1), n_rows, masks)
            losses, slopes = self.goals.losses_and_slopes(outputs, (batch + offsets).reshape(-1))
            self.train_losses += losses.sum(dim=1)
            nets.backward(n_rows, slopes.div_(n_rows))
            adamw(
                [nets.flat],
                [nets.gradient],
                [self.moments[0]],
                [self.moments[1]],
                [],
                [self.adam_step],
                fused=True,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=self._rate(),
                weight_decay=student.weight_decay,
                eps=1e-8,
                maximize=False,
            )
            if self.inputs.signs is not None:
                self._project(nets.flat)
            self.step += 1
            if student.averaging and self.step % self.averaged == 0:
                self.average.lerp_(nets.flat, _FORGETS / (self.step / self.averaged + _FORGETS))

    def _masks(self, units: Tensor) -> Tensor:
        kept = 1.0 - self.student.dropout
        drawn = torch.rand(units.shape, generator=self.generators[self.alive[0]])
        return (drawn < kept).to(self.device, torch.float32).div_(kept)

    def outputs(self, at: int) -> Tensor:
        """Return the outputs of the average of one net for its held-out rows, shape (n_held_out, n_outputs)."""
        one = Nets(self.now.take([at], self.average), self.shapes, self.student.activation, self.valid_inputs)
        rows = self.held_out[self.alive[at]]
        return torch.cat([one.forward(some, len(some))[0].clone() for some in torch.split(rows, _BLOCK)])

    def evaluate(self, *, patient: bool = False) -> dict[str, float]:
        """Validate the nets, keep the best weights, drop those that do not improve; return the figures of the first.

        With `patient`, none is dropped.
        """
        stay: list[int] = []
        shown: dict[str, float] = {}
        for at, number in enumerate(self.alive):
            net, held_out = self.nets[number], self.held_out[number]
            figures = {"train_loss": float(self.train_losses[at]) / self.n_rows + self.constants[number][0]}
            if not math.isfinite(figures["train_loss"]):
                raise ValueError(
                    f"{type(self.student).__name__}'s loss became {figures['train_loss']} in epoch "
                    f"{len(net.history) + 1}; learning_rate={self.student.learning_rate} is too high."
                )
            # without held-out rows nothing tells a better fit, and the latest weights count
            loss = float(-len(net.history))
            if len(held_out):
                outputs, rows = self.outputs(at), held_out + self.valid_goals.offsets[number]
                losses = self.valid_goals.losses_and_slopes(outputs, rows)[0]
                self.row_losses = losses.cpu().numpy() if at == 0 else self.row_losses
                loss = float(losses.mean()) + self.constants[number][1]
                figures |= {"valid_loss": loss, "valid_fidelity": self.valid_goals.fidelity(outputs, rows)}
            net.history.append(figures)
            if loss < net.best_loss:
                net.best_loss, net.best_epoch = loss, len(net.history)
                net.layers = self._layers(at)
            if patient or len(net.history) - net.best_epoch < self.student.patience:
                stay.append(at)
            shown = shown or {name.replace("train_loss", "loss"): value for name, value in figures.items()}
        self.keep([self.alive[at] for at in stay])
        return shown

    def _layers(self, at: int) -> Layers:
        parts = [part[at].cpu().numpy() for part in self.now.views(self.average)]
        shapes = pairwise(self.sizes[self.alive[at]])
        return [
            (weight[:n_in, :n_out].copy(), bias[0, :n_out].copy())
            for (n_in, n_out), weight, bias in zip(shapes, parts[::2], parts[1::2], strict=True)
        ]

    def keep(self, numbers: Sequence[int]) -> None:
        """Go on with some of the nets alone."""
        if len(numbers) == len(self.alive):
            return
        at = [self.alive.index(number) for number in numbers]
        self.alive = list(numbers)
        if not at:
            return
        old = self.now
        flat, average, self.signs, *moments = (
            old.take(at, one) for one in (old.flat, self.average, self.signs, *self.moments)
        )
        self.now = Nets(flat, self.shapes, self.student.activation, self.inputs, old.drops)
        self.moments, self.average = moments, average if self.student.averaging else flat


@own_torch_state(one_thread=True)
@torch.no_grad()
def net_outputs(activation: str, encoded: Encoded, nets: Sequence[Layers], rows: Array) -> list[Array]:
    """Return the outputs of nets of one shape for encoded rows.

    Parameters
    ----------
    activation : str
        What follows each hidden layer.
    encoded : Encoded
        The rows.
    nets : sequence of list of (ndarray of shape (n_in, n_out), ndarray of shape (n_out,))
        Weight and bias of each layer of each net.
    rows : ndarray of shape (n_rows,)
        Which rows.

    Returns
    -------
    outputs : list of ndarray of shape (n_rows, n_outputs)
        In float32.
    """
    several = [_as_tensors(layers) for layers in nets]
    flat = [flattened([part[None] for part in parts]) for parts in several]
    shapes = [(part.shape[0], part.shape[1]) for part in several[0]]
    one = Nets(torch.empty_like(flat[0]), shapes, activation, Inputs.of(encoded, torch.device("cpu")))
    outputs: list[list[Tensor]] = [[] for _ in nets]
    for some in torch.split(torch.as_tensor(rows), _BLOCK):
        for at, (weights, found) in enumerate(zip(flat, outputs, strict=True)):
            one.flat.copy_(weights)
            # rows are gathered once for all nets
            found.append(one.forward(None if at else some, len(some))[0].clone())
    return [torch.cat(found).numpy() for found in outputs]
