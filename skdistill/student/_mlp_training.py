"""Training nets in torch: the loss, the rows and the loop."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import Tensor, nn

from ..losses import CrossEntropy, Huber, Loss, SquaredError, Terms
from ._encoder import Encoded
from ._progress import Progress

Array = NDArray[Any]

_WARM_UP = 0.05
#: How many batches are put in their shuffled order at a time.
_SHUFFLED = 16
#: The running average moves towards the weights by ``_FORGETS / (step + _FORGETS)`` of their difference: it averages
#: over the last ninth of the steps or so, and soon forgets the initial weights.
_FORGETS = 9.0
#: Up to so many sparse columns for each non-zero cell of a row, a product with dense rows takes less time, forward and
#: backward, than looking up the cells that are not zero.
_SPREAD = 16
_ACTIVATIONS = {"relu": torch.relu, "silu": nn.functional.silu, "tanh": torch.tanh}


@contextmanager
def own_torch_state(*, one_thread: bool = False) -> Iterator[None]:
    """Make what runs inside independent of torch's global state: gradients are on, tensors are float32 on the CPU.

    The caller's ``no_grad``, ``inference_mode``, ``autocast``, default dtype and default device hold again afterwards.

    Parameters
    ----------
    one_thread : bool, default=False
        Whether torch uses a single thread meanwhile: sums that are split over another number of threads
        differ in their last bits.
    """
    dtype, device, n_threads = torch.get_default_dtype(), torch.get_default_device(), torch.get_num_threads()
    with ExitStack() as state:
        state.enter_context(torch.inference_mode(False))
        state.enter_context(torch.enable_grad())
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                state.enter_context(torch.autocast(kind, enabled=False))
        if device.type != "cpu":
            state.enter_context(torch.device("cpu"))
        state.callback(torch.set_default_dtype, dtype)
        torch.set_default_dtype(torch.float32)
        if one_thread:
            state.callback(torch.set_num_threads, n_threads)
            torch.set_num_threads(1)
        yield


class MLP(nn.Module):
    """Affine layers with an activation, and dropout in training, between them.

    Shape: numbers ``(n_rows, n_numbers)``, and beside them sparse columns as index and value of
    what is not zero, each ``(n_rows, n_at_most)`` -> ``(n_rows, sizes[-1])``.

    It draws from a generator of its own: torch's global one is neither read nor moved.

    Examples
    --------
    >>> import torch
    >>> net = MLP(3, 0, 0.0, [8, 2], "relu", 0.0, torch.Generator().manual_seed(0))
    >>> net(torch.zeros(5, 3)).shape
    torch.Size([5, 2])
    """

    def __init__(
        self,
        n_numbers: int,
        n_sparse: int,
        n_active: float,
        sizes: list[int],
        activation: str,
        dropout: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        # few of a row's sparse inputs are not zero
        fan_in = [max(1.0, n_numbers + n_active), *sizes[:-1]]
        # initial logits near zero, so that the first steps are not spent on undoing them
        gains = [1.0] * (len(sizes) - 1) + [0.1]

        def uniform(bound: float, *shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=generator))

        bounds = [gain * math.sqrt(6.0 / fan) for gain, fan in zip(gains, fan_in, strict=True)]
        shapes = pairwise([n_numbers, *sizes])
        self.weights = nn.ParameterList(
            [uniform(bound, n_out, n_in) for bound, (n_in, n_out) in zip(bounds, shapes, strict=True)]
        )
        self.biases = nn.ParameterList([uniform(1.0 / math.sqrt(f), n) for f, n in zip(fan_in, sizes, strict=True)])
        nn.init.zeros_(self.biases[-1])
        # a plain list: looking into a ParameterList takes a good part of a small layer's time
        self.pairs = list(zip(self.weights, self.biases, strict=True))
        self.table = uniform(bounds[0], n_sparse, sizes[0]) if n_sparse else None
        self.spreads = n_sparse <= _SPREAD * n_active
        self.activation = _ACTIVATIONS[activation]
        self.dropout = dropout
        self.generator = generator

    def forward(self, numbers: Tensor, indices: Tensor | None = None, values: Tensor | None = None) -> Tensor:
        linear = nn.functional.linear
        first, *rest = self.pairs
        Z = linear(numbers, *first)
        if indices is not None and self.table is not None:
            # the held-out rows are a single batch, and dense they would take much memory
            if self.spreads and self.training:
                spread = torch.zeros(len(Z), len(self.table), dtype=Z.dtype, device=Z.device)
                spread = spread.scatter_(1, indices, 1.0) if values is None else spread.scatter_add_(1, indices, values)
                Z = torch.addmm(Z, spread, self.table)
            else:
                Z = Z + nn.functional.embedding_bag(indices, self.table, mode="sum", per_sample_weights=values)
        for weight, bias in rest:
            Z = self.activation(Z)
            if self.dropout and self.training:
                kept = torch.rand(Z.shape, generator=self.generator, device=self.generator.device) >= self.dropout
                Z = Z * kept.to(Z.device) / (1 - self.dropout)
            Z = linear(Z, weight, bias)
        return Z

    def start_from(self, layers: list[tuple[Array, Array]]) -> None:
        """Start from layers as :meth:`layers` returns them, in place of random weights."""
        n_sparse = 0 if self.table is None else len(self.table)
        with torch.no_grad():
            if self.table is not None:
                self.table.copy_(torch.as_tensor(layers[0][0][:n_sparse]))
            for at, (weight, bias) in enumerate(layers):
                self.weights[at].copy_(torch.as_tensor(weight[n_sparse if at == 0 else 0 :].T))
                self.biases[at].copy_(torch.as_tensor(bias))

    def layers(self) -> list[tuple[Array, Array]]:
        """Return weight (n_in, n_out) and bias (n_out,) of each layer; sparse inputs come first."""
        found = [
            (weight.detach().cpu().numpy().T, bias.detach().cpu().numpy().copy())
            for weight, bias in zip(self.weights, self.biases, strict=True)
        ]
        if self.table is not None:
            weight, bias = found[0]
            found[0] = np.concatenate([self.table.detach().cpu().numpy(), weight]), bias
        return [(np.ascontiguousarray(weight), bias) for weight, bias in found]


class TermsLoss(nn.Module):
    """The loss of :meth:`skdistill.losses.Terms.value_and_gradient`, in torch.

    Shape: outputs ``(n_rows, n_outputs)`` -> a scalar. Targets are those of :func:`target_arrays`.

    Parameters
    ----------
    loss : Loss
        The loss of a row. One without a torch form of its own is worked out in numpy, by its `soft` and `hard`.
    terms : (bool, bool), default=(True, True)
        Whether any row has a weight in the first term, and whether any has in the second; a term without
        weight is not worked out.

    Examples
    --------
    >>> import torch
    >>> from skdistill.losses import CrossEntropy, SquaredError
    >>> soft, one, none = torch.full((4, 2), 0.5), torch.ones(4), torch.zeros(4)
    >>> entropy = -(soft * soft.log()).sum(dim=1)
    >>> TermsLoss(CrossEntropy(2.0))(torch.zeros(4, 2), (soft, one, none.long(), none, entropy)).item()
    0.0
    >>> numbers = torch.full((4, 1), 3.0)
    >>> TermsLoss(SquaredError())(torch.ones(4, 1), (numbers, one, numbers, none)).item()
    4.0
    """

    def __init__(self, loss: Loss, terms: tuple[bool, bool] = (True, True)) -> None:
        super().__init__()
        self.loss = loss
        self.terms = terms

    def forward(self, outputs: Tensor, targets: tuple[Tensor, ...]) -> Tensor:
        soft, soft_weight, labels, label_weight, *entropy = targets
        losses = []
        if self.terms[0]:
            of_rows = row_losses(self.loss, outputs, soft, soft=True)
            losses.append(soft_weight * (of_rows - entropy[0] if entropy else of_rows))
        if self.terms[1]:
            losses.append(label_weight * row_losses(self.loss, outputs, labels, soft=False))
        return torch.mean(losses[0] + losses[1] if len(losses) > 1 else losses[0])

    def fidelity(self, outputs: Tensor, targets: tuple[Tensor, ...]) -> float:
        """Return how well outputs agree with the targets.

        That is the share of rows on which both name the same class; or, for numbers, the R2 against the
        targets, a mean over outputs each of which counts at least 0.
        """
        soft, soft_weight, labels, *_ = targets
        if isinstance(self.loss, CrossEntropy):
            classes = labels if labels.ndim == 1 else labels.argmax(dim=1)
            classes = torch.where(soft_weight > 0, soft.argmax(dim=1), classes)
            predicted = (outputs[:, 0] > 0).long() if outputs.shape[1] == 1 else outputs.argmax(dim=1)
            return float((predicted == classes).float().mean())
        values = torch.where(soft_weight[:, None] > 0, soft, labels)
        residual, spread = (outputs - values).square().sum(dim=0), (values - values.mean(dim=0)).square().sum(dim=0)
        return float((1.0 - residual / spread.clamp(min=1e-12)).clamp(min=0.0).mean())


def target_arrays(terms: Terms) -> list[Array]:
    """Return what :class:`TermsLoss` takes for targets, an array with a row for each; the entropy where there is any.

    Parameters
    ----------
    terms : Terms
        The terms of the loss.

    Returns
    -------
    arrays : list of ndarray
        The answers (n_rows, n_targets), their weight (n_rows,), the labels, their weight (n_rows,), and
        the entropy of the answers (n_rows,), which no student can lower.
    """
    arrays = [terms.soft, terms.soft_weight, terms.labels, terms.label_weight]
    return [*arrays, terms.entropy] if isinstance(terms.loss, CrossEntropy) or terms.entropy.any() else arrays


def row_losses(loss: Loss, outputs: Tensor, goal: Tensor, *, soft: bool) -> Tensor:
    """Return a loss of each row, shape (n_rows,), with its `soft` or its `hard` term.

    A subclass may override what its parent's torch form does, and so only the classes themselves have one.
    """
    if type(loss) is CrossEntropy:
        temperature = loss.temperature if soft else 1.0
        return _cross_entropy(outputs if temperature == 1 else outputs / temperature, goal)
    off = outputs - goal
    if type(loss) is SquaredError:
        return off.square().sum(dim=1)
    if type(loss) is Huber:
        near = off.clamp(-loss.delta, loss.delta)
        return (near * (2.0 * off - near)).sum(dim=1)
    in_numpy: Any = _InNumpy.apply
    return in_numpy(outputs, goal, loss.soft if soft else loss.hard, loss.softness if soft else 1.0)


def _cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy of each row with labels (n_rows,) or probabilities (n_rows, n_classes)."""
    if logits.shape[1] > 1:
        return nn.functional.cross_entropy(logits, targets, reduction="none")
    one = targets[:, 1] if targets.ndim == 2 else targets.float()
    return nn.functional.binary_cross_entropy_with_logits(logits[:, 0], one, reduction="none")


class _InNumpy(torch.autograd.Function):
    """A loss of rows whose value and slopes numpy works out."""

    @staticmethod
    def forward(ctx: Any, outputs: Tensor, goal: Tensor, row_loss: Any, softness: float) -> Tensor:
        losses, slopes = row_loss(outputs.detach().cpu().numpy().astype(np.float64), goal.cpu().numpy())
        ctx.save_for_backward(torch.as_tensor(slopes / softness, dtype=outputs.dtype, device=outputs.device))
        return torch.as_tensor(losses, dtype=outputs.dtype, device=outputs.device)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (slopes,) = ctx.saved_tensors
        return gradient[:, None] * slopes, None, None, None


class Rows:
    """Encoded rows and their targets as tensors, and the loader of their batches.

    A batch is a slice of whole tensors: there is no work for each row, and no copy but that of a shuffle.

    Parameters
    ----------
    encoded : Encoded
        The rows.
    terms : Terms
        Their targets.
    device : torch.device
        Where the tensors live.
    batch_size : int or None, default=None
        Rows in a batch; None puts all into one.
    generator : torch.Generator or None, default=None
        Shuffles the rows anew each epoch; None leaves them in order.
    """

    def __init__(
        self,
        encoded: Encoded,
        terms: Terms,
        device: torch.device,
        batch_size: int | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        self.dense: tuple[Tensor, ...] = tuple(
            torch.as_tensor(part, dtype=torch.int64 if part.dtype.kind == "i" else torch.float32, device=device)
            for part in [encoded.numbers, *target_arrays(terms)]
        )
        self.batch_size = batch_size or max(1, len(self))
        self.generator = generator
        self.sparse = encoded.sparse
        self.codes: Tensor | None = None
        self.device = device
        if self.sparse is not None and (self.sparse.data == 1).all() and len(set(np.diff(self.sparse.indptr))) == 1:
            # one-hot columns: every row has the same number of ones
            self.codes = torch.as_tensor(self.sparse.indices.reshape(len(self), -1), dtype=torch.int64, device=device)

    def __len__(self) -> int:
        return len(self.dense[0])

    def __iter__(self) -> Iterator[tuple[dict[str, Tensor], tuple[Tensor, ...]]]:
        if self.generator is None:
            yield from self._sliced(self.dense, self.codes, self.sparse)
            return
        order = torch.randperm(len(self), generator=self.generator)
        # some batches at a time, since a shuffled copy of all rows would take as much memory as they do
        for some in torch.split(order, self.batch_size * _SHUFFLED):
            here = some.to(self.device)
            dense = tuple(tensor.index_select(0, here) for tensor in self.dense)
            codes = None if self.codes is None else self.codes.index_select(0, here)
            sparse = self.sparse[some.numpy()] if self.sparse is not None and codes is None else self.sparse
            yield from self._sliced(dense, codes, sparse)

    def _sliced(
        self, dense: tuple[Tensor, ...], codes: Tensor | None, sparse: Any
    ) -> Iterator[tuple[dict[str, Tensor], tuple[Tensor, ...]]]:
        """Yield batches of rows in order."""
        size = self.batch_size
        split = zip(*(torch.split(tensor, size) for tensor in dense), strict=True)
        for start, (numbers, *targets) in zip(range(0, len(dense[0]), size), split, strict=True):
            inputs = {"numbers": numbers}
            if codes is not None:
                inputs["indices"] = codes[start : start + size]
            elif sparse is not None:
                inputs |= self._padded(sparse[start : start + size])
            yield inputs, tuple(targets)

    def _padded(self, rows: Any) -> dict[str, Tensor]:
        """Return index and value of the cells that are not zero, every row padded to the longest."""
        counts = np.diff(rows.indptr)
        there = np.arange(max(1, counts.max())) < counts[:, None]
        indices = np.zeros(there.shape, dtype=np.int64)
        values = np.zeros(there.shape, dtype=np.float32)
        indices[there], values[there] = rows.indices, rows.data
        return {
            "indices": torch.as_tensor(indices, device=self.device),
            "values": torch.as_tensor(values, device=self.device),
        }


class _NoBetterFitError(Exception):
    """Raised by a callback when no better fit is expected."""


class _Keeper(Callback):
    """Sets the learning rate of each step, keeps the best weights, and says when to end.

    It validates and keeps the running average of the weights, with polynomial decay: Shamir and
    Zhang (2013), "Stochastic Gradient Descent for Non-smooth Optimization",
    https://arxiv.org/abs/1212.1824.
    """

    def __init__(self, student: Any, n_steps: int, progress: Progress) -> None:
        self.student = student
        self.n_steps = n_steps
        self.progress = progress
        self.average: list[Tensor] = []
        self.figures: list[dict[str, float]] = []
        self.best_weights: dict[str, Tensor] | None = None
        self.best_loss = math.inf
        self.best_epoch = 0
        self.step = 0

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        # a plain list: a walk through the module in each step takes a good part of a small net's time
        self.weights = list(net.module_.parameters())
        if self.student.averaging:
            self.average = [weight.detach().clone() for weight in self.weights]

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        net.module_.train()

    def on_batch_begin(self, net: NeuralNet, batch: Any = None, training: bool = False, **kwargs: Any) -> None:
        if training:
            warm_up = max(1.0, _WARM_UP * self.n_steps)
            done = max(0.0, self.step - warm_up) / max(1.0, self.n_steps - warm_up)
            rate = self.student.learning_rate * min(1.0, (self.step + 1) / warm_up) * (1 + math.cos(math.pi * done)) / 2
            for group in net.optimizer_.param_groups:
                group["lr"] = rate
            self.step += 1
        else:
            # the held-out rows are the last batch of an epoch
            self._exchange(net)

    def on_batch_end(
        self, net: NeuralNet, batch: Any = None, training: bool = False, y_pred: Any = None, **kwargs: Any
    ) -> None:
        if not training:
            self.fidelity = net.criterion_.fidelity(y_pred, batch[1])
        elif self.average:
            share = _FORGETS / (self.step + _FORGETS)
            with torch.no_grad():
                for average, weight in zip(self.average, self.weights, strict=True):
                    average.lerp_(weight, share)

    def _exchange(self, net: NeuralNet) -> None:
        """Exchange the weights and their running average."""
        if self.average:
            for at, weight in enumerate(self.weights):
                self.average[at], weight.data = weight.data, self.average[at]

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        epoch = net.history[-1]
        batches = [batch for batch in epoch["batches"] if "train_loss" in batch]
        losses, sizes = (np.array([batch[name] for batch in batches]) for name in ("train_loss", "train_batch_size"))
        figures = {"train_loss": float(losses @ sizes / sizes.sum())}
        if not math.isfinite(figures["train_loss"]):
            raise ValueError(
                f"{type(self.student).__name__}'s loss became {figures['train_loss']} in epoch "
                f"{len(self.figures) + 1}; learning_rate={self.student.learning_rate} is too high."
            )
        # without held-out rows nothing tells a better fit, and the latest weights count
        loss: float = -len(self.figures)
        if "valid_loss" in epoch["batches"][-1]:
            loss = epoch["batches"][-1]["valid_loss"]
            figures |= {"valid_loss": loss, "valid_fidelity": self.fidelity}
        else:
            self._exchange(net)
        self.figures.append(figures)
        if loss < self.best_loss:
            self.best_loss, self.best_epoch = loss, len(self.figures)
            self.best_weights = {name: value.clone() for name, value in net.module_.state_dict().items()}
        self._exchange(net)
        self.progress.step(**{name.replace("train_loss", "loss"): value for name, value in figures.items()})
        if len(self.figures) - self.best_epoch >= self.student.patience:
            raise _NoBetterFitError


@own_torch_state(one_thread=True)
def train_mlp(
    student: Any,
    encoded: Encoded,
    terms: Terms,
    encoded_valid: Encoded,
    terms_valid: Terms,
    *,
    batch_size: int,
    seed: int,
    init: list[tuple[Array, Array]] | None = None,
) -> tuple[list[tuple[Array, Array]], list[dict[str, float]]]:
    """Train a net on the terms of the distillation loss.

    Parameters
    ----------
    student : BaseMLP
        The student: its parameters say how the net is trained.
    encoded, encoded_valid : Encoded
        Rows to train on, and those held out (perhaps none).
    terms, terms_valid : Terms
        What the net has to fit on each.
    batch_size : int
        Rows in a step.
    seed : int
        Seeds everything random.
    init : list of (ndarray of shape (n_in, n_out), ndarray of shape (n_out,)) or None
        Weight and bias of each layer to start from; None draws them.

    Returns
    -------
    layers : list of (ndarray of shape (n_in, n_out), ndarray of shape (n_out,))
        Weight and bias of each affine layer, in float32: the best ones on the held-out rows, else the last.
    history : list of dict
        The figures of each epoch.

    Raises
    ------
    ValueError
        If torch cannot use the device, or the loss is no longer finite.
    """
    name = type(student).__name__
    try:
        device = torch.device(student.device)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device={student.device!r} is not a device that this torch can use: {error}") from error
    generator = torch.Generator().manual_seed(seed)
    rows, rows_valid = Rows(encoded, terms, device, batch_size, generator), Rows(encoded_valid, terms_valid, device)
    n_numbers = encoded.n_encoded - encoded.n_sparse
    n_active = 0.0 if encoded.sparse is None else encoded.sparse.nnz / max(1, encoded.n_rows)
    sizes = [*student.hidden_layer_sizes, terms.n_outputs]
    module = MLP(n_numbers, encoded.n_sparse, n_active, sizes, student.activation, student.dropout, generator)
    if init is not None:
        module.start_from(init)
    n_steps = student.max_epochs * -(-len(rows) // batch_size)
    with Progress(student.verbose, student.max_epochs, name, "epoch") as progress:
        keeper = _Keeper(student, n_steps, progress)
        net = _Net(
            module,
            TermsLoss(terms.loss, (bool(terms.soft_weight.any()), bool(terms.label_weight.any()))),
            optimizer=torch.optim.AdamW,
            optimizer__fused=True,
            optimizer__weight_decay=student.weight_decay,
            lr=student.learning_rate,
            max_epochs=student.max_epochs,
            callbacks=[("keeper", keeper)],
            train_split=None,
            device=device,
            verbose=0,
        )
        net.held_out = rows_valid if len(rows_valid) else None
        net.initialize()
        # the loop by itself does not notify
        net.notify("on_train_begin", X=rows, y=None)
        try:
            net.fit_loop(rows)
        except _NoBetterFitError:
            pass
        except KeyboardInterrupt:
            if keeper.best_weights is None:
                raise
            warnings.warn(
                f"{name} was interrupted after {len(keeper.figures)} of {student.max_epochs} epochs; the best "
                f"weights so far, of epoch {keeper.best_epoch}, are kept.",
                UserWarning,
                stacklevel=2,
            )
    assert keeper.best_weights is not None
    module.load_state_dict(keeper.best_weights)
    return module.layers(), keeper.figures


class _Net(NeuralNet):
    """A skorch net whose validation rows are given, without skorch's printing and timing."""

    held_out: Any = None

    @property
    def _default_callbacks(self) -> list[Any]:
        return []

    def get_split_datasets(self, X: Any, y: Any = None, **fit_params: Any) -> tuple[Any, Any]:
        return X, self.held_out

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        return dataset

    def check_data(self, X: Any, y: Any = None) -> None:
        return None

    def train_step(self, batch: Any, **fit_params: Any) -> dict[str, Tensor]:
        """Take a step: skorch's own without what it does for other optimizers and data."""
        inputs, targets = batch
        self.optimizer_.zero_grad()
        y_pred = self.module_(**inputs)
        loss = self.criterion_(y_pred, targets)
        loss.backward()
        self.optimizer_.step()
        return {"loss": loss, "y_pred": y_pred}
