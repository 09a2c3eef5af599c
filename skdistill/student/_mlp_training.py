"""Training nets in torch: many of one shape side by side, their steps written out over one vector of weights."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.adamw import adamw

from ..losses import CrossEntropy, SquaredError, Terms
from ._encoder import Encoded
from ._progress import Progress
from ._torch_loss import losses_and_slopes, own_torch_state

Array = NDArray[Any]
#: Weight (n_in, n_out) and bias (n_out,) of each layer; sparse inputs come first.
Layers = list[tuple[Array, Array]]

_WARM_UP = 0.05
#: Each time, the running average moves towards the weights by ``_FORGETS / (time + _FORGETS)`` of their difference: it
#: averages over the last ninth of the steps or so, and soon forgets the initial weights. It does so every few steps,
#: in which the weights hardly move.
_FORGETS, _AVERAGED = 9.0, 4
#: Up to so many sparse columns for each non-zero cell of a row, a product with dense rows takes less time, forward and
#: backward, than looking up the cells that are not zero.
_SPREAD = 16
#: Bins of so many cells or fewer are worked out once, and of more for each batch: that takes a tenth of its time, and
#: spares several times the memory of the numbers.
_EXPANDED = 1 << 23
#: How many held-out rows are put through a net at a time.
_BLOCK = 2048
_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu_,
    "silu": nn.functional.silu,
    "tanh": torch.tanh_,
}


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
    """

    rows: Array
    held_out: Array
    terms: Terms
    seed: int
    init: Layers | None = None


@dataclass
class TrainedNet:
    """A net, once it is trained.

    Parameters
    ----------
    layers : list of (ndarray of shape (n_in, n_out), ndarray of shape (n_out,))
        Weight and bias of each affine layer, in float32: the best ones on the held-out rows, else the last.
    history : list of dict
        The figures of each epoch.
    """

    layers: Layers = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)
    best_loss: float = math.inf
    best_epoch: int = 0


def initial_layers(sizes: Sequence[int], n_sparse: int, n_active: float, generator: torch.Generator) -> list[Tensor]:
    """Draw the initial weights and biases of a net, from a generator of its own.

    Parameters
    ----------
    sizes : sequence of int
        The number of inputs, the sparse ones included, of the units of each hidden layer, and of outputs.
    n_sparse : int
        How many of the inputs are sparse.
    n_active : float
        How many of these are not zero in a row, on average.
    generator : torch.Generator
        Draws the weights.

    Returns
    -------
    tensors : list of Tensor
        Weight (n_in, n_out) and bias (1, n_out) of each layer in turn.

    Examples
    --------
    >>> [tuple(one.shape) for one in initial_layers([3, 8, 2], 0, 0.0, torch.Generator().manual_seed(0))]
    [(3, 8), (1, 8), (8, 2), (1, 2)]
    """
    # few of a row's sparse inputs are not zero
    fan_in = [max(1.0, sizes[0] - n_sparse + n_active), *sizes[1:-1]]
    tensors = []
    for at, (fan, n_in, n_out) in enumerate(zip(fan_in, sizes, sizes[1:], strict=False)):
        last = at == len(fan_in) - 1
        # initial logits near zero, so that the first steps are not spent on undoing them
        bound = (0.1 if last else 1.0) * math.sqrt(6.0 / fan)
        tensors.append(torch.empty(n_in, n_out).uniform_(-bound, bound, generator=generator))
        bias = torch.empty(1, n_out).uniform_(-1.0 / math.sqrt(fan), 1.0 / math.sqrt(fan), generator=generator)
        tensors.append(bias.zero_() if last else bias)
    return tensors


class Inputs:
    """Encoded rows as tensors; batches of them are gathered by index.

    Parameters
    ----------
    encoded : Encoded
        The rows.
    device : torch.device
        Where the tensors live.
    """

    def __init__(self, encoded: Encoded, device: torch.device) -> None:
        self.device = device
        self.numbers = torch.as_tensor(encoded.numbers, dtype=torch.float32, device=device)
        self.n_inputs, self.n_sparse = encoded.n_encoded, encoded.n_sparse
        self.bins: tuple[Tensor, Tensor] | None = None
        if (bins := encoded.bins) is not None:
            # all bins of a row by one product: a number over the width of its bin, less the bin's lower edge
            spread = torch.zeros(self.numbers.shape[1], len(bins.columns))
            spread[torch.as_tensor(bins.columns), torch.arange(len(bins.columns))] = 1.0 / as_float32(bins.width)
            offset = (-as_float32(bins.lower) / as_float32(bins.width)).to(device)
            self.bins = spread.to(device), offset
            if self.numbers.shape[0] * self.n_inputs <= _EXPANDED:
                self.numbers = torch.cat([self.numbers, self._binned(self.numbers)], dim=1)
                self.bins = None
        self.sparse = encoded.sparse
        self.codes: Tensor | None = None
        self.n_active = 0.0
        if self.sparse is not None:
            self.n_active = self.sparse.nnz / max(1, encoded.n_rows)
            if (self.sparse.data == 1).all() and len(set(np.diff(self.sparse.indptr))) == 1:
                # one-hot columns: every row has the same number of ones
                codes = self.sparse.indices.reshape(encoded.n_rows, -1)
                self.codes = torch.as_tensor(codes, dtype=torch.int32, device=device)
        self.spreads = self.n_sparse <= _SPREAD * self.n_active

    def _binned(self, numbers: Tensor) -> Tensor:
        """Return how far each number reaches into each of its bins."""
        assert self.bins is not None
        spread, offset = self.bins
        return torch.addmm(offset, numbers, spread).clamp_(0.0, 1.0)

    def gather(self, rows: Tensor, out: Tensor) -> tuple[Tensor, Tensor | None] | None:
        """Write rows into `out`, shape (n_rows, n_inputs), dense; or return index and value of what is not zero.

        In the latter case `out` gets the dense columns alone.
        """
        first = self.n_sparse if self.spreads else 0
        n_numbers = self.numbers.shape[1]
        if self.bins is None:
            torch.index_select(self.numbers, 0, rows, out=out[:, first:])
        else:
            numbers = self.numbers.index_select(0, rows)
            out[:, first : first + n_numbers] = numbers
            out[:, first + n_numbers :] = self._binned(numbers)
        if self.sparse is None:
            return None
        indices, values = self._cells(rows)
        if not self.spreads:
            return indices, values
        ones = out[:, :first].zero_()
        if values is None:
            ones.scatter_(1, indices, 1.0)
        else:
            ones.scatter_add_(1, indices, values)
        return None

    def _cells(self, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return index and value of the cells that are not zero, rows padded to the longest; ones have no value."""
        if self.codes is not None:
            return self.codes.index_select(0, rows).long(), None
        assert self.sparse is not None
        some = self.sparse[rows.cpu().numpy()]
        counts = np.diff(some.indptr)
        there = np.arange(max(1, counts.max())) < counts[:, None]
        indices, values = np.zeros(there.shape, dtype=np.int64), np.zeros(there.shape, dtype=np.float32)
        indices[there], values[there] = some.indices, some.data
        return torch.as_tensor(indices, device=self.device), torch.as_tensor(values, device=self.device)


def as_float32(values: Array) -> Tensor:
    """Return numbers as a float32 tensor."""
    return torch.as_tensor(values, dtype=torch.float32)


class Goals:
    """What several nets have to fit, as tensors; their rows one below the other where they do not fit the same.

    Parameters
    ----------
    jobs : sequence of Job
        The nets. Their losses are equal.
    device : torch.device
        Where the tensors live.
    """

    def __init__(self, jobs: Sequence[Job], device: torch.device) -> None:
        distinct = list({id(job.terms): job.terms for job in jobs}.values())
        place = {id(terms): at for at, terms in enumerate(distinct)}
        #: Where each net's rows begin.
        self.offsets = [place[id(job.terms)] * len(distinct[0].soft) for job in jobs]
        self.loss = distinct[0].loss
        parts = [_parts(terms) for terms in distinct]
        #: For each term its goals, with their weight in a last column where they are numbers; and whether it is soft.
        self.terms: list[tuple[Tensor, Tensor | None, bool]] = []
        for at in range(len(parts[0])):
            goal = _stacked([one[at][0] for one in parts], device)
            weight: Tensor | None = _stacked([one[at][1] for one in parts], device)
            assert weight is not None
            if weight.any():
                labels = goal.ndim == 1
                self.terms.append(
                    (goal, weight, at == 0) if labels else (torch.cat([goal, weight[:, None]], 1), None, at == 0)
                )
        #: What is added to the loss of each row, which no net can change.
        self.constant = _stacked([_constant(terms, one) for terms, one in zip(distinct, parts, strict=True)], device)
        self.best = _stacked([_best_outputs(terms) for terms in distinct], device)

    def losses_and_slopes(self, outputs: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of each row less its constant, and its derivatives.

        Shape: outputs ``(..., n_outputs)``, rows flat -> ``(...)`` and ``(..., n_outputs)``.
        """
        losses, slopes = None, None
        for goals, weights, soft in self.terms:
            goal = goals.index_select(0, rows).view(*outputs.shape[:-1], *goals.shape[1:])
            if weights is None:
                goal, weight = goal[..., :-1], goal[..., -1:]
            else:
                weight = weights.index_select(0, rows).view(*outputs.shape[:-1], 1)
            some, steep = losses_and_slopes(self.loss, outputs, goal, soft=soft)
            some, steep = some.mul_(weight[..., 0]), steep.mul_(weight)
            losses = some if losses is None else losses.add_(some)
            slopes = steep if slopes is None else slopes.add_(steep)
        if losses is None or slopes is None:
            return outputs.new_zeros(outputs.shape[:-1]), torch.zeros_like(outputs)
        return losses, slopes

    def fidelity(self, outputs: Tensor, rows: Tensor) -> float:
        """Return the share of rows on which outputs and targets name the same class, or the R2 against the targets."""
        best = self.best.index_select(0, rows)
        if isinstance(self.loss, CrossEntropy):
            predicted = (outputs[:, 0] > 0).long() if outputs.shape[1] == 1 else outputs.argmax(dim=1)
            return float((predicted == best).float().mean())
        residual, spread = (outputs - best).square().sum(dim=0), (best - best.mean(dim=0)).square().sum(dim=0)
        return float((1.0 - residual / spread.clamp(min=1e-12)).clamp(min=0.0).mean())


def _parts(terms: Terms) -> list[tuple[Array, Array]]:
    """Return goal and weight of each term: of one alone, where both can be written as one."""
    if type(terms.loss) is SquaredError or (type(terms.loss) is CrossEntropy and terms.loss.temperature == 1):
        weight = terms.soft_weight + terms.label_weight
        goal = terms.soft * terms.soft_weight[:, None] + terms.label_mass()
        return [(goal / np.where(weight > 0, weight, 1.0)[:, None], weight)]
    return [(terms.soft, terms.soft_weight), (terms.labels, terms.label_weight)]


def _constant(terms: Terms, parts: list[tuple[Array, Array]]) -> Array:
    """Return what each row's loss is less the weighted losses of its parts, the same for any outputs."""
    constant = -terms.soft_weight * terms.entropy
    if len(parts) == 1:
        Z, loss = np.zeros((len(constant), terms.n_outputs)), terms.loss
        constant += terms.soft_weight * loss.soft(Z, terms.soft)[0] + terms.label_weight * loss.hard(Z, terms.labels)[0]
        constant -= parts[0][1] * loss.soft(Z, parts[0][0])[0]
    return constant


def _best_outputs(terms: Terms) -> Array:
    """Return the class, or the values, that the targets of each row say: the answers' where they count."""
    soft, labels = terms.soft, terms.labels
    if isinstance(terms.loss, CrossEntropy):
        soft, labels = soft.argmax(axis=1), labels if labels.ndim == 1 else labels.argmax(axis=1)
        return np.where(terms.soft_weight > 0, soft, labels)
    return np.where(terms.soft_weight[:, None] > 0, soft, labels)


def _stacked(arrays: Sequence[Array], device: torch.device) -> Tensor:
    dtype = torch.int64 if arrays[0].dtype.kind == "i" else torch.float32
    parts = [torch.as_tensor(one, dtype=dtype, device=device) for one in arrays]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


class Nets:
    """Nets of one shape: forward and backward of all of them in a few products of matrices.

    Their weights are one vector, of which `weights` are views of shape ``(n_nets, n_in, n_out)``, and biases of shape
    ``(n_nets, 1, n_out)``.

    Parameters
    ----------
    flat : Tensor
        All weights, layer by layer.
    shapes : list of (int, int)
        The shape of each of them in one net: weight and bias in turn.
    activation : str
        What follows each hidden layer.
    inputs : Inputs
        The rows.
    """

    def __init__(
        self, flat: Tensor, shapes: list[tuple[int, int]], activation: str, inputs: Inputs, drops: bool = False
    ) -> None:
        self.flat, self.shapes, self.activation, self.inputs, self.drops = flat, shapes, activation, inputs, drops
        self.n_nets = len(flat) // sum(n_in * n_out for n_in, n_out in shapes)
        self.weights = self.views(flat)
        self.gradient = torch.zeros_like(flat)
        self.slopes = self.views(self.gradient)
        self._plans: dict[int, _Plan] = {}

    def views(self, flat: Tensor) -> list[Tensor]:
        """Return a vector as the weights, shape (n_nets, n_in, n_out) each."""
        sizes = [self.n_nets * n_in * n_out for n_in, n_out in self.shapes]
        parts = torch.split(flat, sizes)
        return [part.view(self.n_nets, *shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def take(self, which: Sequence[int], flat: Tensor) -> Tensor:
        """Return the vector of some of the nets."""
        index = torch.as_tensor(list(which), device=flat.device)
        return torch.cat([part.index_select(0, index).reshape(-1) for part in self.views(flat)])

    def plan(self, n_rows: int) -> _Plan:
        """Return memory and views for batches of a size."""
        if n_rows not in self._plans:
            self._plans[n_rows] = _Plan.of(self, n_rows)
        return self._plans[n_rows]

    def forward(self, rows: Tensor, n_rows: int, masks: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Return the outputs for rows, shape (n_nets, n_rows, n_outputs).

        Parameters
        ----------
        rows : Tensor of shape (n_nets * n_rows,)
            Each net's own rows, one net after the other.
        n_rows : int
            How many rows each net gets.
        masks : callable or None, default=None
            Dropout: from hidden units to what they are multiplied by.
        """
        plan, activate = self.plan(n_rows), _ACTIVATIONS[self.activation]
        plan.cells = self.inputs.gather(rows, plan.X)
        if plan.cells is not None:
            # each net looks up a table of its own
            indices = plan.cells[0].view(self.n_nets, n_rows, -1)
            first = torch.arange(self.n_nets, device=rows.device) * self.inputs.n_inputs
            plan.cells = (indices + first[:, None, None]).view(len(rows), -1), plan.cells[1]
        last = len(plan.layers) - 1
        for at, layer in enumerate(plan.layers):
            Z = torch.baddbmm(layer.bias, layer.H, layer.weight, out=layer.Z)
            if at == 0 and plan.cells is not None:
                table = self.weights[0].view(-1, Z.shape[2])
                Z.add_(
                    nn.functional.embedding_bag(
                        plan.cells[0], table, mode="sum", per_sample_weights=plan.cells[1]
                    ).view(Z.shape)
                )
            if at == last:
                return Z
            # what comes out is what the next layer gets
            out = activate(Z)
            if masks is not None:
                layer.mask = masks(out)
                torch.mul(out, layer.mask, out=plan.layers[at + 1].H)
            elif out is not Z:
                plan.layers[at + 1].H.copy_(out)
        return plan.layers[last].Z

    def backward(self, n_rows: int, slopes: Tensor) -> None:
        """Work out the gradient of all weights, from the derivatives by the last outputs."""
        plan = self.plan(n_rows)
        for at in reversed(range(len(plan.layers))):
            layer = plan.layers[at]
            torch.bmm(layer.H_transposed, slopes, out=layer.weight_slopes)
            torch.sum(slopes, 1, keepdim=True, out=layer.bias_slopes)
            if at == 0:
                if plan.cells is not None:
                    self._backward_cells(self.slopes[0], plan.cells, slopes)
                return
            back = torch.bmm(slopes, layer.weight_transposed, out=layer.back)
            below = plan.layers[at - 1]
            slopes = self._through(back if below.mask is None else back.mul_(below.mask), below.Z)

    def _backward_cells(self, weight: Tensor, cells: tuple[Tensor, Tensor | None], slopes: Tensor) -> None:
        indices, values = cells
        weight[:, : self.inputs.n_sparse].zero_()
        flat = slopes.reshape(len(indices), 1, -1).expand(-1, indices.shape[1], -1)
        flat = flat if values is None else flat * values[..., None]
        weight.view(-1, weight.shape[2]).index_add_(0, indices.reshape(-1), flat.reshape(-1, weight.shape[2]))

    def _through(self, back: Tensor, Z: Tensor) -> Tensor:
        """Return derivatives by what an activation got, from those by what it gave; `Z` holds what it gave, or got."""
        if self.activation == "relu":
            return torch.ops.aten.threshold_backward.grad_input(back, Z, 0, grad_input=back)
        if self.activation == "tanh":
            return torch.ops.aten.tanh_backward.grad_input(back, Z, grad_input=back)
        return torch.ops.aten.silu_backward.grad_input(back, Z, grad_input=back)


@dataclass
class _Layer:
    """Views and memory of one layer for batches of a size: what it gets (`H`), gives (`Z`), and sends back."""

    weight: Tensor
    weight_transposed: Tensor
    bias: Tensor
    weight_slopes: Tensor
    bias_slopes: Tensor
    H: Tensor
    H_transposed: Tensor
    Z: Tensor
    back: Tensor
    mask: Tensor | None = None


@dataclass
class _Plan:
    """The layers for batches of a size: fresh memory and views for each step take longer than a small product.

    Parameters
    ----------
    X : Tensor of shape (n_nets * n_rows, n_dense)
        The inputs.
    layers : list of _Layer
        Those of the nets.
    cells : (Tensor, Tensor or None) or None
        Sparse inputs that are looked up.
    """

    X: Tensor
    layers: list[_Layer]
    cells: tuple[Tensor, Tensor | None] | None = None

    @classmethod
    def of(cls, nets: Nets, n_rows: int) -> _Plan:
        n_nets, inputs, device = nets.n_nets, nets.inputs, nets.flat.device
        n_dense = inputs.n_inputs - (0 if inputs.spreads else inputs.n_sparse)
        X = torch.empty(n_nets * n_rows, n_dense, device=device)
        H, layers = X.view(n_nets, n_rows, n_dense), []
        for at in range(0, len(nets.weights), 2):
            dense = nets.weights[at].shape[1] - H.shape[2]
            weight, slopes = nets.weights[at][:, dense:], nets.slopes[at][:, dense:]
            Z = torch.empty(n_nets, n_rows, weight.shape[2], device=device)
            layers.append(
                _Layer(
                    weight,
                    weight.transpose(1, 2),
                    nets.weights[at + 1],
                    slopes,
                    nets.slopes[at + 1],
                    H,
                    H.transpose(1, 2),
                    Z,
                    torch.empty_like(H) if at else H,
                )
            )
            # relu and tanh write over what they get, and their derivatives are known by what they give
            H = Z if nets.activation != "silu" and not nets.drops else torch.empty_like(Z)
        return cls(X, layers)


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
    """Train nets of one shape side by side: AdamW, a warm-up and a cosine, early stopping for each.

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
    run = _Run(student, Inputs(encoded, _device(student)), jobs, batch_size, most_steps)
    name = type(student).__name__ if name is None else name
    with Progress(student.verbose, run.n_epochs, name, "epoch") as progress:
        try:
            for _ in range(run.n_epochs):
                run.epoch()
                figures = run.judge()
                progress.step(**figures)
                if not run.alive:
                    break
        except KeyboardInterrupt:
            if not all(net.layers for net in run.nets):
                raise
            warnings.warn(
                f"{name} was interrupted after {max(len(net.history) for net in run.nets)} of {student.max_epochs} "
                f"epochs; the best weights so far, of epoch {run.nets[0].best_epoch}, are kept.",
                UserWarning,
                stacklevel=3,
            )
    return run.nets


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
        self.student, self.inputs, self.device = student, inputs, inputs.device
        device, self.goals = self.device, Goals(jobs, inputs.device)
        self.batch_size = batch_size
        self.alive = list(range(len(jobs)))
        self.nets = [TrainedNet() for _ in jobs]
        self.generators = [torch.Generator().manual_seed(job.seed) for job in jobs]
        sizes = [inputs.n_inputs, *student.hidden_layer_sizes, jobs[0].terms.n_outputs]
        self.shapes = [shape for n_in, n_out in pairwise(sizes) for shape in ((n_in, n_out), (1, n_out))]
        starts = [self._start(job, sizes, at) for at, job in enumerate(jobs)]
        flat = torch.cat([torch.stack(parts).reshape(-1) for parts in zip(*starts, strict=True)]).to(device)
        self.now = Nets(flat, self.shapes, student.activation, inputs, student.dropout > 0)
        # AdamW's two moments, and the running average
        self.moments = [torch.zeros_like(flat), torch.zeros_like(flat)]
        self.average = flat.clone() if student.averaging else flat
        self.n_rows = max(len(job.rows) for job in jobs)
        steps = -(-self.n_rows // batch_size)
        self.n_epochs = (
            student.max_epochs if most_steps is None else max(1, min(student.max_epochs, most_steps // steps))
        )
        self.n_steps, self.averaged = self.n_epochs * steps, min(_AVERAGED, steps)
        self.step, self.adam_step = 0, torch.zeros((), device=device)
        self.rows = [torch.as_tensor(job.rows) for job in jobs]
        self.held_out = [torch.as_tensor(job.held_out, device=device) for job in jobs]
        self.train_losses: Tensor = torch.zeros(len(jobs))
        #: For each net what to add to the mean loss of its rows, and of those held out.
        self.constants = [
            tuple(float(self.goals.constant[rows.to(device) + offset].mean()) if len(rows) else 0.0 for rows in both)
            for offset, *both in zip(self.goals.offsets, self.rows, self.held_out, strict=True)
        ]

    def _start(self, job: Job, sizes: list[int], at: int) -> list[Tensor]:
        if job.init is None:
            return initial_layers(sizes, self.inputs.n_sparse, self.inputs.n_active, self.generators[at])
        return _as_tensors(job.init)

    def _order(self) -> Tensor:
        """Return each net's rows of an epoch in a shuffled order, shape (n_alive, n_rows)."""
        orders = []
        for net in self.alive:
            rows = self.rows[net]
            passes = -(-self.n_rows // len(rows))
            shuffled = [torch.randperm(len(rows), generator=self.generators[net]) for _ in range(passes)]
            orders.append(rows[torch.cat(shuffled)[: self.n_rows]])
        return torch.stack(orders).to(self.device)

    def _rate(self) -> float:
        warm_up = max(1.0, _WARM_UP * self.n_steps)
        done = max(0.0, self.step - warm_up) / max(1.0, self.n_steps - warm_up)
        rate = self.student.learning_rate * min(1.0, (self.step + 1) / warm_up)
        return float(rate * (1 + math.cos(math.pi * done)) / 2)

    def epoch(self) -> None:
        """Take the steps of an epoch."""
        nets, student = self.now, self.student
        offsets = torch.as_tensor([self.goals.offsets[net] for net in self.alive], device=self.device)[:, None]
        self.train_losses = torch.zeros(len(self.alive), device=self.device)
        masks = self._masks if student.dropout else None
        for batch in torch.split(self._order(), self.batch_size, dim=1):
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
            self.step += 1
            if student.averaging and self.step % self.averaged == 0:
                self.average.lerp_(nets.flat, _FORGETS / (self.step / self.averaged + _FORGETS))

    def _masks(self, units: Tensor) -> Tensor:
        kept = 1.0 - self.student.dropout
        drawn = torch.rand(units.shape, generator=self.generators[self.alive[0]])
        return (drawn < kept).to(self.device, torch.float32).div_(kept)

    def outputs(self, at: int) -> Tensor:
        """Return the outputs of the average of one net for its held-out rows, shape (n_held_out, n_outputs)."""
        one = Nets(self.now.take([at], self.average), self.shapes, self.student.activation, self.inputs)
        rows = self.held_out[self.alive[at]]
        return torch.cat([one.forward(some, len(some))[0].clone() for some in torch.split(rows, _BLOCK)])

    def judge(self) -> dict[str, float]:
        """Validate the nets, keep the best weights, drop those that get no better; return the figures of the first."""
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
                outputs, rows = self.outputs(at), held_out + self.goals.offsets[number]
                loss = float(self.goals.losses_and_slopes(outputs, rows)[0].mean()) + self.constants[number][1]
                figures |= {"valid_loss": loss, "valid_fidelity": self.goals.fidelity(outputs, rows)}
            net.history.append(figures)
            if loss < net.best_loss:
                net.best_loss, net.best_epoch = loss, len(net.history)
                net.layers = self._layers(at)
            if len(net.history) - net.best_epoch < self.student.patience:
                stay.append(at)
            shown = shown or {name.replace("train_loss", "loss"): value for name, value in figures.items()}
        self.keep([self.alive[at] for at in stay])
        return shown

    def _layers(self, at: int) -> Layers:
        parts = [part[at].cpu().numpy().copy() for part in self.now.views(self.average)]
        return [(weight, bias[0]) for weight, bias in zip(parts[::2], parts[1::2], strict=True)]

    def keep(self, numbers: Sequence[int]) -> None:
        """Go on with some of the nets alone."""
        if len(numbers) == len(self.alive):
            return
        at = [self.alive.index(number) for number in numbers]
        self.alive = list(numbers)
        if not at:
            return
        old = self.now
        flat, average, *moments = (old.take(at, one) for one in (old.flat, self.average, *self.moments))
        self.now = Nets(flat, self.shapes, self.student.activation, self.inputs, old.drops)
        self.moments, self.average = moments, average if self.student.averaging else flat


@own_torch_state(one_thread=True)
@torch.no_grad()
def net_outputs(activation: str, encoded: Encoded, layers: Layers) -> Array:
    """Return the outputs of a net for encoded rows.

    Parameters
    ----------
    activation : str
        What follows each hidden layer.
    encoded : Encoded
        The rows.
    layers : list of (ndarray of shape (n_in, n_out), ndarray of shape (n_out,))
        Weight and bias of each layer.

    Returns
    -------
    outputs : ndarray of shape (n_rows, n_outputs)
        In float32.
    """
    inputs = Inputs(encoded, torch.device("cpu"))
    parts = _as_tensors(layers)
    shapes = [(part.shape[0], part.shape[1]) for part in parts]
    net = Nets(torch.cat([part.reshape(-1) for part in parts]), shapes, activation, inputs)
    rows = torch.arange(encoded.n_rows)
    return torch.cat([net.forward(some, len(some))[0].clone() for some in torch.split(rows, _BLOCK)]).numpy()
