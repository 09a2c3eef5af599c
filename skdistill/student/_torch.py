"""Training a net with torch and skorch: the only file that imports either."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import Tensor, nn

from ..losses import LossTerms
from ._progress import Progress

Array = NDArray[Any]

_WARM_UP = 0.05
_ACTIVATIONS = {"relu": torch.relu, "silu": nn.functional.silu, "tanh": torch.tanh}


@dataclass(frozen=True)
class TrainedNet:
    """The outcome of training.

    Parameters
    ----------
    layers : list of (ndarray of shape (n_in, n_out), ndarray of shape (n_out,))
        Weight and bias of each affine layer, in float32.
    history : list of dict
        The figures of each epoch.
    """

    layers: list[tuple[Array, Array]]
    history: list[dict[str, float]]


class MLP(nn.Module):
    """Affine layers with an activation, and dropout in training, between them.

    Shape: ``(n_rows, sizes[0]) -> (n_rows, sizes[-1])``.

    It draws from a generator of its own: torch's global one is neither read nor moved.

    Examples
    --------
    >>> import torch
    >>> net = MLP([3, 8, 2], "relu", 0.0, torch.Generator().manual_seed(0))
    >>> net(torch.zeros(5, 3)).shape
    torch.Size([5, 2])
    """

    def __init__(self, sizes: list[int], activation: str, dropout: float, generator: torch.Generator) -> None:
        super().__init__()
        layers = [nn.Linear(n_in, n_out, device="meta").to_empty(device="cpu") for n_in, n_out in pairwise(sizes)]
        for layer in layers:
            bound = 1.0 / math.sqrt(layer.in_features)
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
        # logits near zero, so that the first steps move the net and not its first guess
        nn.init.zeros_(layers[-1].bias)
        with torch.no_grad():
            layers[-1].weight.mul_(0.1)
        self.layers = nn.ModuleList(layers)
        self.activation = _ACTIVATIONS[activation]
        self.dropout = dropout
        self.generator = generator

    def forward(self, Z: Tensor) -> Tensor:
        *hidden, last = self.layers
        for layer in hidden:
            Z = self.activation(layer(Z))
            if self.dropout and self.training:
                kept = torch.rand(Z.shape, generator=self.generator, device=self.generator.device) >= self.dropout
                Z = Z * kept.to(Z.device) / (1 - self.dropout)
        return cast(Tensor, last(Z))


class DistillationLoss(nn.Module):
    """The loss of ``losses.LossTerms.value_and_gradient``, in torch.

    Shape: logits ``(n_rows, n_classes)``, or ``(n_rows, 1)`` for two classes -> a scalar.

    Parameters
    ----------
    temperature : float
        The temperature at which the student is softened in the first term.

    Examples
    --------
    >>> import torch
    >>> soft, one, none = torch.full((4, 2), 0.5), torch.ones(4), torch.zeros(4)
    >>> DistillationLoss(2.0)(torch.zeros(4, 2), (soft, one, none.long(), none)).item()
    0.0
    """

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, logits: Tensor, targets: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
        soft, soft_weight, labels, label_weight = targets
        if logits.shape[1] == 1:
            logits = nn.functional.pad(logits, (1, 0))
        log_q = torch.log_softmax(logits / self.temperature, dim=1)
        divergence = nn.functional.kl_div(log_q, soft, reduction="none").sum(dim=1)
        entropy = nn.functional.cross_entropy(logits, labels, reduction="none")
        return (soft_weight * divergence + label_weight * entropy).mean()


class RowBatches:
    """Batches of rows as slices of whole tensors: no per-row loader, no copy but one shuffle an epoch.

    Parameters
    ----------
    dataset : skorch Dataset
        Its ``X`` is a tensor and its ``y`` a tuple of tensors, rows along the first axis of each.
    batch_size : int
        Rows in a batch.
    generator : torch.Generator or None
        Shuffles the rows anew each epoch; None leaves them in order.
    """

    def __init__(self, dataset: Any, batch_size: int, generator: torch.Generator | None = None) -> None:
        self.tensors: tuple[Tensor, ...] = (dataset.X, *dataset.y)
        self.batch_size = batch_size
        self.generator = generator

    def __len__(self) -> int:
        return -(-len(self.tensors[0]) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, tuple[Tensor, ...]]]:
        tensors = self.tensors
        if self.generator is not None:
            order = torch.randperm(len(tensors[0]), generator=self.generator, device=self.generator.device)
            tensors = tuple(tensor[order.to(tensor.device)] for tensor in tensors)
        for batch in zip(*(torch.split(tensor, self.batch_size) for tensor in tensors), strict=True):
            yield batch[0], batch[1:]


class _NoBetterFitError(Exception):
    """Raised by a callback when no better fit is to be expected."""


class _Keeper(Callback):
    """Sets the learning rate of each step, keeps the best weights, and says when to end."""

    def __init__(self, n_steps: int, learning_rate: float, patience: int, progress: Progress) -> None:
        self.n_steps = n_steps
        self.learning_rate = learning_rate
        self.patience = patience
        self.progress = progress
        self.figures: list[dict[str, float]] = []
        self.best_weights: dict[str, Tensor] | None = None
        self.best_loss = math.inf
        self.best_epoch = 0
        self.step = 0

    def on_batch_begin(self, net: NeuralNet, batch: Any = None, training: bool = False, **kwargs: Any) -> None:
        if training:
            warm_up = max(1.0, _WARM_UP * self.n_steps)
            done = max(0.0, self.step - warm_up) / max(1.0, self.n_steps - warm_up)
            rate = self.learning_rate * min(1.0, (self.step + 1) / warm_up) * (1 + math.cos(math.pi * done)) / 2
            for group in net.optimizer_.param_groups:
                group["lr"] = rate
            self.step += 1

    def on_batch_end(
        self, net: NeuralNet, batch: Any = None, training: bool = False, y_pred: Any = None, **kwargs: Any
    ) -> None:
        if not training:
            self.fidelity = _fidelity(y_pred, batch[1])

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        epoch = net.history[-1]
        sizes = np.array([batch["train_batch_size"] for batch in epoch["batches"] if "train_loss" in batch])
        losses = np.array([batch["train_loss"] for batch in epoch["batches"] if "train_loss" in batch])
        figures = {"train_loss": float(losses @ sizes / sizes.sum())}
        if not math.isfinite(figures["train_loss"]):
            raise ValueError(
                f"MLPStudent's loss became {figures['train_loss']} in epoch {len(self.figures) + 1}; "
                f"learning_rate={self.learning_rate} is too high."
            )
        # the rows held out come last, as one batch
        held_out = "valid_loss" in epoch["batches"][-1]
        if held_out:
            figures |= {"valid_loss": epoch["batches"][-1]["valid_loss"], "valid_fidelity": self.fidelity}
        self.figures.append(figures)
        # without rows held out there is nothing to tell a better fit by: the latest weights count
        loss = figures["valid_loss"] if held_out else -len(self.figures)
        if loss < self.best_loss:
            self.best_loss, self.best_epoch = loss, len(self.figures)
            self.best_weights = {name: value.clone() for name, value in net.module_.state_dict().items()}
        self.progress.step(**{name.replace("train_loss", "loss"): value for name, value in figures.items()})
        if len(self.figures) - self.best_epoch >= self.patience:
            raise _NoBetterFitError


def _fidelity(logits: Tensor, targets: tuple[Tensor, ...]) -> float:
    """Return the share of rows on which student and targets name the same class."""
    soft, soft_weight, labels, _ = targets
    told = torch.where(soft_weight > 0, soft.argmax(dim=1), labels)
    said = (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits.argmax(dim=1)
    return float((said == told).float().mean())


def _tensors(Z: Array, terms: LossTerms, device: torch.device) -> tuple[Tensor, tuple[Tensor, ...]]:
    floats = [
        torch.as_tensor(part, dtype=torch.float32, device=device)
        for part in (Z, terms.soft, terms.soft_weight, terms.label_weight)
    ]
    labels = torch.as_tensor(terms.labels, dtype=torch.int64, device=device)
    return floats[0], (floats[1], floats[2], labels, floats[3])


def train_mlp(
    Z: Array,
    terms: LossTerms,
    Z_valid: Array,
    terms_valid: LossTerms,
    *,
    hidden_layer_sizes: list[int],
    activation: str,
    max_epochs: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
    dropout: float,
    patience: int,
    device: str,
    seed: int,
    verbose: int,
) -> TrainedNet:
    """Train a net on the terms of the distillation loss.

    Parameters
    ----------
    Z, Z_valid : ndarray of shape (n_rows, n_encoded)
        Encoded rows to train on, and those held out (perhaps none).
    terms, terms_valid : LossTerms
        What the net has to fit on each.
    hidden_layer_sizes, activation, max_epochs, batch_size, learning_rate, weight_decay, dropout : object
        As in MLPStudent.
    patience, device, verbose : object
        As in MLPStudent.
    seed : int
        Seeds everything random.

    Returns
    -------
    trained : TrainedNet
        The best weights on the rows held out, else the last ones.
    """
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device={device!r} is not a device that this torch can use: {error}") from error
    generator = torch.Generator().manual_seed(seed)
    n_classes = terms.soft.shape[1]
    sizes = [Z.shape[1], *hidden_layer_sizes, 1 if n_classes == 2 else n_classes]
    module = MLP(sizes, activation, dropout, generator)
    X, y = _tensors(Z, terms, place)
    X_valid, y_valid = _tensors(Z_valid, terms_valid, place)
    n_steps = max_epochs * -(-len(X) // batch_size)

    n_threads = torch.get_num_threads()
    # sums split over another number of threads differ in their last bits
    torch.set_num_threads(1)
    try:
        with Progress(verbose, max_epochs, "MLPStudent", "epoch") as progress:
            keeper = _Keeper(n_steps, learning_rate, patience, progress)
            net = _Net(
                module,
                DistillationLoss,
                criterion__temperature=terms.temperature,
                optimizer=torch.optim.AdamW,
                optimizer__fused=True,
                optimizer__weight_decay=weight_decay,
                lr=learning_rate,
                max_epochs=max_epochs,
                batch_size=batch_size,
                iterator_train=RowBatches,
                iterator_train__generator=generator,
                iterator_valid=RowBatches,
                iterator_valid__batch_size=max(1, len(X_valid)),
                callbacks=[("keeper", keeper)],
                train_split=None,
                device=place,
                verbose=0,
            )
            net.held_out = net.get_dataset(X_valid, y_valid) if len(X_valid) else None
            net.initialize()
            try:
                net.fit_loop(X, y)
            except _NoBetterFitError:
                pass
            except KeyboardInterrupt:
                if keeper.best_weights is None:
                    raise
                warnings.warn(
                    f"MLPStudent was interrupted after {len(keeper.figures)} of {max_epochs} epochs; the best weights "
                    f"so far, of epoch {keeper.best_epoch}, are kept.",
                    UserWarning,
                    stacklevel=2,
                )
    finally:
        torch.set_num_threads(n_threads)
    assert keeper.best_weights is not None
    module.load_state_dict(keeper.best_weights)
    layers = [
        (
            np.ascontiguousarray(cast(Tensor, layer.weight).detach().cpu().numpy().T),
            cast(Tensor, layer.bias).detach().cpu().numpy().copy(),
        )
        for layer in module.layers
    ]
    return TrainedNet(layers, keeper.figures)


class _Net(NeuralNet):
    """A skorch net with rows held out beforehand and none of skorch's printing and timing."""

    held_out: Any = None

    @property
    def _default_callbacks(self) -> list[Any]:
        return []

    def get_split_datasets(self, X: Any, y: Any = None, **fit_params: Any) -> tuple[Any, Any]:
        return self.get_dataset(X, y), self.held_out

    def check_data(self, X: Any, y: Any = None) -> None:
        return None
