"""The losses in torch: value and slopes of each row, the same as numpy's; and a state of torch's of our own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..losses import BinaryCrossEntropy, CrossEntropy, Huber, ListwiseCrossEntropy, Loss, SquaredError, Terms

Array = NDArray[Any]


@contextmanager
def own_torch_state(*, one_thread: bool = False) -> Iterator[None]:
    """Make what runs inside independent of torch's global state: gradients are on, tensors are float32 on the CPU.

    The caller's ``no_grad``, ``inference_mode``, ``autocast``, default dtype and default device hold again afterwards.

    Parameters
    ----------
    one_thread : bool, default=False
        Whether torch uses a single thread meanwhile: sums that are split over another number of threads
        differ in their last bits. Numbers below the smallest normal one are then zero as well.
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
            # the moments of a unit that never fires decay to numbers so small that each takes a hundred cycles
            flushes = bool(torch.full((1,), 1e-39).mul(1.0) == 0)
            state.callback(torch.set_flush_denormal, flushes)
            torch.set_flush_denormal(True)
        yield


def losses_and_slopes(loss: Loss, outputs: Tensor, goal: Tensor, *, soft: bool) -> tuple[Tensor, Tensor]:
    """Return the loss of each row, and its derivatives by the outputs.

    Shape: outputs ``(..., n_outputs)``, goal ``(..., n_targets)`` or, for class indices, ``(...)`` -> ``(...)`` and
    ``(..., n_outputs)``.

    A subclass may override what its parent's torch form does, and so only the classes themselves have one; others
    are worked out in numpy, by their `soft` and `hard`.

    Parameters
    ----------
    loss : Loss
        The loss of a row.
    outputs : Tensor
        The student's outputs.
    goal : Tensor
        The softened answers, or the labels.
    soft : bool
        Whether it is the loss's `soft` term, or its `hard` one.

    Examples
    --------
    >>> losses, slopes = losses_and_slopes(SquaredError(), torch.ones(2, 1), torch.zeros(2, 1), soft=True)
    >>> losses.tolist(), slopes.tolist()
    ([1.0, 1.0], [[2.0], [2.0]])
    """
    if type(loss) is CrossEntropy:
        temperature = loss.temperature if soft else 1.0
        if temperature == 1:
            return _cross_entropy(outputs, goal)
        losses, slopes = _cross_entropy(outputs / temperature, goal)
        return losses, slopes.div_(temperature)
    if type(loss) is BinaryCrossEntropy:
        temperature = loss.temperature if soft else 1.0
        logits = outputs / temperature
        known = ~goal.isnan()
        # the slope of NaN is zero, as its loss is
        one = torch.where(known, goal, torch.sigmoid(logits))
        losses = torch.where(known, nn.functional.softplus(logits) - goal * logits, 0.0)
        return losses.sum(dim=-1), (torch.sigmoid(logits) - one).div_(temperature)
    if type(loss) in (SquaredError, Huber):
        off = outputs - goal
        near = off.clamp(-loss.delta, loss.delta) if isinstance(loss, Huber) else off
        return (near * (2.0 * off - near)).sum(dim=-1), 2.0 * near
    if type(loss) is ListwiseCrossEntropy:
        temperature = loss.temperature if soft else 1.0
        mass, queries = goal.reshape(-1, 2).unbind(1)
        _, query = torch.unique(queries, return_inverse=True)
        log_q = _log_softmax_within(outputs.reshape(-1) / temperature, query)
        of_query = torch.zeros_like(mass).index_add_(0, query, mass)[query]
        slopes = (log_q.exp() * of_query).sub_(mass).div_(temperature)
        return (-mass * log_q).view(outputs.shape[:-1]), slopes.view(outputs.shape)
    in_numpy = loss.soft if soft else loss.hard
    rows = goal.reshape(outputs[..., 0].numel(), *goal.shape[outputs.ndim - 1 :])
    found = in_numpy(outputs.reshape(len(rows), -1).cpu().numpy().astype(np.float64), rows.cpu().numpy())
    losses, slopes = (torch.as_tensor(one, dtype=outputs.dtype, device=outputs.device) for one in found)
    return losses.reshape(outputs.shape[:-1]), slopes.reshape(outputs.shape) / (loss.softness if soft else 1.0)


def _log_softmax_within(values: Tensor, query: Tensor) -> Tensor:
    top = torch.full_like(values, -torch.inf).scatter_reduce_(0, query, values, "amax")
    values = values - top[query]
    return values - torch.zeros_like(values).index_add_(0, query, values.exp()).log()[query]


def _cross_entropy(logits: Tensor, goal: Tensor) -> tuple[Tensor, Tensor]:
    labels = goal.ndim < logits.ndim
    if logits.shape[-1] == 1:
        one = goal[..., None].to(logits.dtype) if labels else goal[..., -1:]
        losses = nn.functional.softplus(logits).sub_(one * logits)
        return losses[..., 0], torch.sigmoid(logits).sub_(one)
    log_proba = torch.log_softmax(logits, dim=-1)
    slopes = log_proba.exp()
    if labels:
        index = goal[..., None]
        minus = torch.full(index.shape, -1.0, dtype=slopes.dtype, device=slopes.device)
        return -log_proba.gather(-1, index)[..., 0], slopes.scatter_add_(-1, index, minus)
    return -(goal * log_proba).sum(dim=-1), slopes.sub_(goal)


class _RowLosses(torch.autograd.Function):
    """The loss of each row, for autograd."""

    @staticmethod
    def forward(ctx: Any, outputs: Tensor, goal: Tensor, loss: Loss, soft: bool) -> Tensor:
        losses, slopes = losses_and_slopes(loss, outputs.detach(), goal, soft=soft)
        ctx.save_for_backward(slopes)
        return losses

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (slopes,) = ctx.saved_tensors
        return gradient[:, None] * slopes, None, None, None


class TermsLoss(nn.Module):
    """The loss of :meth:`skdistill.losses.Terms.value_and_gradient`, in torch and for autograd.

    Shape: outputs ``(n_rows, n_outputs)`` -> a scalar. Targets are those of :func:`target_arrays`.

    Parameters
    ----------
    loss : Loss
        The loss of a row.

    Examples
    --------
    >>> soft, one, none = torch.full((4, 2), 0.5), torch.ones(4), torch.zeros(4)
    >>> entropy = -(soft * soft.log()).sum(dim=1)
    >>> TermsLoss(CrossEntropy(2.0))(torch.zeros(4, 2), (soft, one, none.long(), none, entropy)).item()
    0.0
    >>> numbers = torch.full((4, 1), 3.0)
    >>> TermsLoss(SquaredError())(torch.ones(4, 1), (numbers, one, numbers, none)).item()
    4.0
    """

    def __init__(self, loss: Loss) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, outputs: Tensor, targets: tuple[Tensor, ...]) -> Tensor:
        soft, soft_weight, labels, label_weight, *entropy = targets
        row_losses: Any = _RowLosses.apply
        of_rows = row_losses(outputs, soft, self.loss, True)
        losses = soft_weight * (of_rows - entropy[0] if entropy else of_rows)
        return torch.mean(losses + label_weight * row_losses(outputs, labels, self.loss, False))


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
