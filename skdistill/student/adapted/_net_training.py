"""Training skorch nets and torch modules on the distillation loss, and predicting with them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet, NeuralNetClassifier
from skorch.callbacks import Callback, EarlyStopping
from skorch.dataset import ValidSplit
from torch import Tensor, nn

from ..._sklearn import copy_unfitted
from ...losses import Terms
from .._progress import Progress
from .._torch_loss import TermsLoss, own_torch_state, target_arrays

#: The two parts of a net's rows during training: the input of its module, and the targets of the loss.
_ROWS, _TARGETS = "rows", "distillation targets"


def train_net(net: Any, X: NDArray[Any], terms: Terms, labels: NDArray[Any], *, seed: int | None, verbose: int) -> Any:
    """Train a user's own net on the terms of the distillation loss.

    Parameters
    ----------
    net : skorch.NeuralNet or torch.nn.Module
        It stays as it was; a copy is trained, a module within a NeuralNet.
    X : ndarray of shape (n_rows, n_columns), float32
        The rows.
    terms : Terms
        What is to be fitted.
    labels : ndarray of shape (n_rows,)
        The class of each row, by which rows are held out and callbacks score.
    seed : int or None
        Seeds torch while the net is trained; its state is restored afterwards. None uses the current state.
    verbose : int
        1 shows a progress bar for a module.

    Returns
    -------
    net : skorch.NeuralNet or torch.nn.Module
        The trained copy.

    Raises
    ------
    ValueError
        If the loss became infinite, or the module does not give an output for each class.
    """
    module = isinstance(net, nn.Module)
    n_classes = terms.soft.shape[1]
    rows = {_ROWS: X, _TARGETS: np.column_stack(target_arrays(terms)).astype(np.float32)}
    with (
        own_torch_state(one_thread=module),
        torch.random.fork_rng(enabled=seed is not None),
        Progress(verbose if module else 0, _MODULE_EPOCHS, type(net).__name__, "epoch") as progress,
    ):
        if seed is not None:
            torch.manual_seed(seed)
        # copied here, since a tensor that is copied in inference mode cannot be trained
        trained = copy_unfitted(net)
        fitted = _net_of(trained, len(X), seed, progress) if module else trained
        # a subclass whose rows carry their targets trains by skorch's own loop, callbacks and splits
        distilling = _distilling(type(fitted), TermsLoss(terms.loss), n_classes)(**fitted.get_params(deep=False))
        distilling.fit(rows, labels.astype(np.int64))
        # what was fitted goes into an instance of the user's class, which can be pickled and cloned
        vars(fitted).update(vars(distilling))
    if fitted.history and "train_loss" not in fitted.history[-1]:
        # skorch swallows Ctrl-C, but no epoch has ended whose weights could be kept
        raise KeyboardInterrupt
    last = fitted.history[-1]["train_loss"] if fitted.history else 0.0
    if not math.isfinite(last):
        raise ValueError(
            f"The loss of student {type(net).__name__} became {last}. Standardise the rows (a Pipeline with a "
            "StandardScaler before the net), or lower the learning rate."
        )
    return trained.eval() if module else trained


#: The most epochs that a bare module is trained.
_MODULE_EPOCHS = 100


def _net_of(module: nn.Module, n_rows: int, seed: int | None, progress: Progress) -> NeuralNet:
    """Return a skorch net that trains a bare module."""
    held_out = n_rows >= 500
    parameter = next(module.parameters(), None)
    callbacks: list[Any] = [("progress", _Shown(progress))]
    if held_out:
        callbacks.append(("stopping", EarlyStopping(patience=15, load_best=True)))
    return NeuralNet(
        module,
        nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW,
        lr=1e-3,
        max_epochs=_MODULE_EPOCHS,
        batch_size=int(np.clip(2 ** round(math.log2(max(n_rows / 20, 1))), 16, 256)),
        iterator_train=_Slices,
        iterator_train__shuffle=True,
        iterator_valid=_Slices,
        train_split=ValidSplit(0.1, random_state=seed) if held_out else None,
        callbacks=callbacks,
        device="cpu" if parameter is None else parameter.device,
        verbose=0,
    )


class _Slices:
    """A loader of skorch's datasets that slices whole tensors, which is faster than row by row."""

    def __init__(self, dataset: Any, batch_size: int, shuffle: bool = False) -> None:
        # rows that are held out are a subset of a dataset
        chosen = getattr(dataset, "indices", slice(None))
        whole = getattr(dataset, "dataset", dataset)
        self.rows = {name: torch.as_tensor(part[chosen]) for name, part in whole.X.items()}
        self.labels = torch.as_tensor(whole.y[chosen])
        self.batch_size = batch_size
        self.shuffle = shuffle

    def __iter__(self) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
        n_rows = len(self.labels)
        order = torch.randperm(n_rows) if self.shuffle else torch.arange(n_rows)
        for rows in torch.split(order, self.batch_size):
            # a batch norm cannot train on a single row
            if len(rows) > 1 or not self.shuffle or n_rows == 1:
                yield {name: part[rows] for name, part in self.rows.items()}, self.labels[rows]


class _Shown(Callback):
    """Shows the losses of each epoch."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        last, names = net.history[-1], {"train_loss": "loss", "valid_loss": "valid_loss"}
        self.progress.step(**{shown: last[name] for name, shown in names.items() if name in last})


def _distilling(kind: type[NeuralNet], loss: TermsLoss, n_classes: int) -> type[NeuralNet]:
    """Return a subclass of a net's class whose rows carry the targets of the distillation loss."""

    class Distilling(kind):
        def infer(self, x: Any, **fit_params: Any) -> Any:
            return super().infer(x[_ROWS] if isinstance(x, dict) else x, **fit_params)

        def get_loss(self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False) -> Tensor:
            if not isinstance(X, dict):
                # validation rows that the user's own split brings, with their labels
                return super().get_loss(y_pred, y_true, X=X, training=training)
            targets = X[_TARGETS].to(self.device)
            soft, (soft_weight, labels, label_weight, *entropy) = targets[:, :n_classes], targets[:, n_classes:].T
            logits = _logits(self, y_pred, n_classes)
            return loss(logits, (soft, soft_weight, labels.long(), label_weight, *entropy))

    return Distilling


def _logits(net: Any, output: Any, n_classes: int | None) -> Tensor:
    """Return what a module gives as logits, shape (n_rows, n_classes) or (n_rows, 1), by its net's convention."""
    found: Tensor = output[0] if isinstance(output, tuple) else output
    if found.ndim == 1:
        found = found[:, None]
    # the shape is checked in training alone
    if n_classes is not None and found.shape[1:] != (n_classes,) and (n_classes, *found.shape[1:]) != (2, 1):
        raise ValueError(
            f"{type(net.module_).__name__} gives outputs of shape {tuple(found.shape)} for {len(found)} rows; expected "
            f"one for each class: ({len(found)}, {n_classes})."
        )
    criterion = getattr(net, "criterion_", None)
    if isinstance(net, NeuralNetClassifier) and isinstance(criterion, nn.NLLLoss):
        if n_classes is not None and (lowest := float(found.detach().min())) < 0:
            raise ValueError(
                f"{type(net.module_).__name__} gives {lowest:.3g}, and its criterion NLLLoss, skorch's default, takes "
                "probabilities. End the module in nn.Softmax(dim=-1), or pass criterion=nn.CrossEntropyLoss."
            )
        return torch.log(found + torch.finfo(found.dtype).eps)
    return torch.logit(found, eps=1e-7) if isinstance(criterion, nn.BCELoss) else found


def net_logits(net: Any, X: NDArray[Any]) -> NDArray[Any]:
    """Return the logits of a trained net or module.

    Parameters
    ----------
    net : skorch.NeuralNet or torch.nn.Module
        As :func:`train_net` returned it.
    X : ndarray of shape (n_rows, n_columns), float32
        The rows.

    Returns
    -------
    logits : ndarray of shape (n_rows, n_classes), or (n_rows, 1) for two classes
        In float64.
    """
    if isinstance(net, nn.Module):
        parameter = next(net.parameters(), None)
        with own_torch_state(), torch.inference_mode():
            rows = torch.as_tensor(X, device=None if parameter is None else parameter.device)
            output: Any = torch.cat([_logits(None, net(part), None) for part in torch.split(rows, 1024)])
    else:
        # torch's loader draws a seed even if it shuffles nothing
        with own_torch_state(), torch.random.fork_rng():
            output = _logits(net, net.forward(X), None)
    return output.cpu().numpy().astype(np.float64)
