"""Training data of nets as tensors: encoded rows, and the goals of their outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..losses import BinaryCrossEntropy, CrossEntropy, ListwiseCrossEntropy, SquaredError, Terms
from ._encoded import Encoded
from ._torch_loss import losses_and_slopes

Array = NDArray[Any]

#: Up to so many sparse columns for each non-zero cell of a row, a product with dense rows takes less time, forward and
#: backward, than looking up the cells that are not zero.
_SPREAD = 16
#: Bins of so many cells or fewer are worked out once, and of more for each batch: that takes a tenth of its time, and
#: spares several times the memory of the numbers.
_EXPANDED = 1 << 23


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
        self.n_inputs, self.n_sparse, self.signs = encoded.n_encoded, encoded.n_sparse, encoded.signs
        self.bins: tuple[Tensor, Tensor] | None = None
        if (bins := encoded.bins) is not None:
            # all bins of a row by one product: a number over the width of its bin, less the bin's lower edge
            spread = torch.zeros(self.numbers.shape[1], len(bins.columns))
            spread[torch.as_tensor(bins.columns), torch.arange(len(bins.columns))] = 1.0 / as_float32(bins.width)
            offset = (-as_float32(bins.lower) / as_float32(bins.width)).to(device)
            self.bins = spread.to(device), offset
            if self.numbers.shape[0] * self.n_inputs <= _EXPANDED:
                numbers = self.numbers
                self.numbers = torch.empty(len(numbers), self.n_inputs - encoded.n_sparse, device=device)
                self._expand(numbers, self.numbers)
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

    @classmethod
    def of(cls, encoded: Encoded, device: torch.device) -> Inputs:
        """Return the tensors of rows, which are made once."""
        made: dict[torch.device, Inputs] = encoded.__dict__.setdefault("_inputs", {})
        if device not in made:
            made[device] = cls(encoded, device)
        return made[device]

    def _expand(self, numbers: Tensor, out: Tensor) -> None:
        """Write numbers into `out`, and after them how far each reaches into each of its bins."""
        assert self.bins is not None
        spread, offset = self.bins
        out[:, : numbers.shape[1]] = numbers
        # in place: memory for each batch anew leaves holes that no later batch fills
        torch.addmm(offset, numbers, spread, out=out[:, numbers.shape[1] :]).clamp_(0.0, 1.0)

    def gather(self, rows: Tensor, out: Tensor) -> tuple[Tensor, Tensor | None] | None:
        """Write rows into `out`, shape (n_rows, n_inputs), dense; or return index and value of what is not zero.

        In the latter case `out` gets the dense columns alone.
        """
        first = self.n_sparse if self.spreads else 0
        if self.bins is None:
            torch.index_select(self.numbers, 0, rows, out=out[:, first:])
        else:
            self._expand(self.numbers.index_select(0, rows), out[:, first:])
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
    terms : sequence of Terms
        Those of each net. Their losses are equal.
    device : torch.device
        Where the tensors live.
    """

    def __init__(self, terms: Sequence[Terms], device: torch.device) -> None:
        distinct = list({id(one): one for one in terms}.values())
        place = {id(one): at for at, one in enumerate(distinct)}
        #: Where each net's rows begin.
        self.offsets = [place[id(one)] * len(distinct[0].soft) for one in terms]
        self.loss = distinct[0].loss
        parts = [_parts(one) for one in distinct]
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
        self.constant = _stacked([_constant(one, split) for one, split in zip(distinct, parts, strict=True)], device)
        self.best = _stacked([_best_outputs(one) for one in distinct], device)

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
        """Return the share of rows on which outputs and targets name the same class, or the R2 against the targets.

        Of several labels it is the share that is predicted, and of a ranker that of the best rows of queries.
        """
        best = self.best.index_select(0, rows)
        if isinstance(self.loss, ListwiseCrossEntropy):
            tops = [_tops(values, best[:, 1]) for values in (outputs[:, 0], best[:, 0])]
            return float((tops[0] & tops[1]).sum() / tops[1].sum())
        if isinstance(self.loss, BinaryCrossEntropy):
            return float(((outputs > 0) == (best > 0.5)).float().mean())
        if isinstance(self.loss, CrossEntropy):
            predicted = (outputs[:, 0] > 0).long() if outputs.shape[1] == 1 else outputs.argmax(dim=1)
            return float((predicted == best).float().mean())
        residual, spread = (outputs - best).square().sum(dim=0), (best - best.mean(dim=0)).square().sum(dim=0)
        return float((1.0 - residual / spread.clamp(min=1e-12)).clamp(min=0.0).mean())


def _tops(values: Tensor, queries: Tensor) -> Tensor:
    """Return whether each row has the highest value of its query."""
    _, query = torch.unique(queries, return_inverse=True)
    return values == torch.full_like(values, -torch.inf).scatter_reduce_(0, query, values, "amax")[query]


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
    if isinstance(terms.loss, CrossEntropy) and not isinstance(terms.loss, BinaryCrossEntropy):
        soft, labels = soft.argmax(axis=1), labels if labels.ndim == 1 else labels.argmax(axis=1)
        return np.where(terms.soft_weight > 0, soft, labels)
    return np.where(terms.soft_weight[:, None] > 0, soft, labels)


def _stacked(arrays: Sequence[Array], device: torch.device) -> Tensor:
    dtype = torch.int64 if arrays[0].dtype.kind == "i" else torch.float32
    parts = [torch.as_tensor(one, dtype=dtype, device=device) for one in arrays]
    return parts[0] if len(parts) == 1 else torch.cat(parts)
