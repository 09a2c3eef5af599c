"""Nets of one shape, side by side: forward and backward in a few products of matrices, over one vector of weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ._net_inputs import Inputs

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu_,
    "silu": nn.functional.silu,
    "tanh": torch.tanh_,
}
#: Memory is kept for batches of so many sizes.
_MOST_PLANS = 16


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


def layer_signs(inputs: Tensor, sizes: Sequence[int], start: Sequence[Tensor] | None = None) -> list[Tensor]:
    """Return the sign that each weight and bias of a net needs to be monotone, 0 for any.

    Half of the units increase with the constrained inputs and increase the output, and half decrease both: Runje and
    Shankaranarayana (2023), "Constrained Monotonic Neural Networks", https://arxiv.org/abs/2205.11775.

    Parameters
    ----------
    inputs : Tensor of shape (n_inputs,)
        The sign of each input's effect on the output: 1, -1, or 0 for any.
    sizes : sequence of int
        The number of inputs, of the units of each hidden layer, and of outputs, which is one.
    start : sequence of Tensor or None
        The tensors of a monotone net to go on from, which tell what its units do; None for a new one.

    Returns
    -------
    signs : list of Tensor
        As :func:`initial_layers` returns weights.
    """
    units = [1.0 - 2.0 * (torch.arange(size) % 2) for size in sizes[1:-1]] + [torch.ones(1)]
    if start is not None:
        for at in reversed(range(len(units) - 1)):
            given = (start[2 * at + 2] * units[at + 1]).sum(dim=1).sign()
            units[at] = torch.where(given == 0, units[at], given)
    before = [inputs.float(), *units[:-1]]
    return [
        part
        for above, own in zip(before, units, strict=True)
        for part in (torch.outer(above, own), torch.zeros(1, len(own)))
    ]


def flattened(tensors: Sequence[Tensor]) -> Tensor:
    """Return weights and biases of nets, shape ``(n_nets, n_in, n_out)`` each, as one vector.

    The last weight stands there transposed if there are hidden layers: products with a few outputs take a quarter of
    the time.
    """
    last = len(tensors) - 2 if len(tensors) > 2 else None
    parts = [part.transpose(1, 2) if at == last else part for at, part in enumerate(tensors)]
    return torch.cat([part.reshape(-1) for part in parts])


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
        parts, views = torch.split(flat, sizes), []
        for at, (part, (n_in, n_out)) in enumerate(zip(parts, self.shapes, strict=True)):
            if 0 < at == len(parts) - 2:
                views.append(part.view(self.n_nets, n_out, n_in).transpose(1, 2))
            else:
                views.append(part.view(self.n_nets, n_in, n_out))
        return views

    def take(self, which: Sequence[int], flat: Tensor) -> Tensor:
        """Return the vector of some of the nets."""
        index = torch.as_tensor(list(which), device=flat.device)
        return flattened([part.index_select(0, index) for part in self.views(flat)])

    def plan(self, n_rows: int) -> _Plan:
        """Return memory and views for batches of a size."""
        if n_rows not in self._plans:
            if len(self._plans) >= _MOST_PLANS:
                # batches of whole queries are of many sizes
                self._plans.clear()
            self._plans[n_rows] = _Plan.of(self, n_rows)
        return self._plans[n_rows]

    def forward(self, rows: Tensor | None, n_rows: int, masks: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Return the outputs for rows, shape (n_nets, n_rows, n_outputs).

        Parameters
        ----------
        rows : Tensor of shape (n_nets * n_rows,) or None
            Each net's own rows, one net after the other; None for those of the last call with as many.
        n_rows : int
            How many rows each net gets.
        masks : callable or None, default=None
            Dropout: from hidden units to what they are multiplied by.
        """
        plan, activate = self.plan(n_rows), _ACTIVATIONS[self.activation]
        if rows is not None:
            plan.cells = self.inputs.gather(rows, plan.X)
        if rows is not None and plan.cells is not None:
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
            if 0 < at == len(plan.layers) - 1:
                torch.bmm(slopes.transpose(1, 2), layer.H, out=layer.weight_slopes.transpose(1, 2))
            else:
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
