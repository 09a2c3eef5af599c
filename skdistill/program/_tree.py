"""The op of a decision tree: each row follows one path from the root to a leaf."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._ops import Op, real_weights

Array = NDArray[Any]

#: Up to this many rows, a plain Python loop over the rows is faster than numpy calls for each level.
_LOOP_ROWS = 16


@dataclass(frozen=True, eq=False, repr=False)
class Tree(Op):
    """A decision tree on ``[codes | numbers]``: returns the logits of the leaf that a row reaches.

    The first ``len(offsets)`` columns hold codes; code ``c`` of column ``j`` is replaced by the
    number ``ranks[offsets[j] + c]``. At inner node ``i`` a row goes left if its number in column
    ``columns[i]``, rounded to float32, is at most ``thresholds[i]``. A row whose number is missing
    (NaN) goes left if ``missing_left[i]``. ``left[i]`` and ``right[i]`` are the next inner node, or
    ``~leaf``. Inner node 0 is the root; a tree without inner nodes has one leaf.

    Parameters
    ----------
    offsets : ndarray of shape (n_code_columns,), int64
        The index of the first rank of each column of codes.
    ranks : ndarray of shape (n_codes,), float32
        The number that replaces each code.
    columns : ndarray of shape (n_inner,), int64
        The column that each inner node tests.
    thresholds : ndarray of shape (n_inner,), float32
        The largest number that goes left at each inner node.
    missing_left : ndarray of shape (n_inner,), bool
        Whether a missing number goes left at each inner node.
    left, right : ndarray of shape (n_inner,), int64
        The children of each inner node: an inner node, or ``~leaf``.
    values : ndarray of shape (n_leaves, n_logits), float32, float16 or int8
        The logits of each leaf; a single column ``z`` means the binary logits ``(0, z)``.
    values_scale : ndarray of shape (n_logits,), float32, or None
        The factors of int8 `values`.
    """

    offsets: Array
    ranks: Array
    columns: Array
    thresholds: Array
    missing_left: Array
    left: Array
    right: Array
    values: Array
    values_scale: Array | None = None

    @cached_property
    def _logits(self) -> Array:
        return real_weights(self.values, self.values_scale)

    @cached_property
    def cuts(self) -> Array:
        """The largest float64 that rounds to a float32 of at most the threshold; with it, rows need no rounding."""
        with np.errstate(over="ignore"):
            below, above = (
                np.nextafter(self.thresholds, np.float32(to)).astype(np.float64) for to in (-np.inf, np.inf)
            )
            here = self.thresholds.astype(np.float64)
            # the largest float32 has no successor; infinity begins half its distance to its predecessor above it
            middle = np.where(np.isinf(above), here + (here - below) / 2, (here + above) / 2)
            # halfway between two float32 numbers, rounding goes to the even one
            stays = middle.astype(np.float32) <= self.thresholds
        return np.where(stays, middle, np.nextafter(middle, -np.inf))

    @cached_property
    def _starts(self) -> Array:
        """For each inner node, the first rank of its column; -1 if the column holds numbers."""
        starts = np.full(len(self.columns), -1, dtype=np.int64)
        coded = self.columns < len(self.offsets)
        starts[coded] = self.offsets[self.columns[coded]]
        return starts

    @cached_property
    def _nodes(self) -> list[tuple[int, int, float, bool, int, int]]:
        parts = (self.columns, self._starts, self.cuts, self.missing_left, self.left, self.right)
        return list(zip(*(part.tolist() for part in parts), strict=True))

    @cached_property
    def _rank_list(self) -> list[float]:
        return self.ranks.tolist()

    @cached_property
    def _root(self) -> int:
        return 0 if len(self.columns) else ~0

    @cached_property
    def _used(self) -> Array:
        return np.unique(self.columns)

    @cached_property
    def _narrow(self) -> Tree:
        """The same tree over only the columns that it tests, none of which holds codes."""
        return Tree(**{**self.state(), "columns": np.searchsorted(self._used, self.columns)})

    def __call__(self, X: Any) -> Array:
        if type(X) is not np.ndarray:
            # a tree tests only a few of the many columns of sparse rows
            return self._narrow(np.asarray(X[:, self._used].todense()))
        if len(X) == 1:
            leaf = self._leaf(X[0].tolist())
            return self._logits[leaf : leaf + 1].copy()
        return self._logits[self.leaves(X)]

    def leaves(self, X: Array) -> Array:
        """Return the index of each row's leaf.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_columns)
            Codes and numbers.

        Returns
        -------
        leaves : ndarray of shape (n_rows,)
            Indices into `values`.
        """
        if len(X) <= _LOOP_ROWS:
            return np.array([self._leaf(row) for row in X.tolist()], dtype=np.intp)
        at = np.full(len(X), self._root, dtype=np.int64)
        rows = np.flatnonzero(at >= 0)
        while len(rows):
            nodes = at[rows]
            columns = self.columns[nodes]
            numbers = X[rows, columns]
            if len(self.offsets):
                coded = np.flatnonzero(columns < len(self.offsets))
                numbers[coded] = self.ranks[self._starts[nodes[coded]] + numbers[coded].astype(np.int64)]
            goes_left = numbers <= self.cuts[nodes]
            goes_left |= np.isnan(numbers) & self.missing_left[nodes]
            at[rows] = following = np.where(goes_left, self.left[nodes], self.right[nodes])
            rows = rows[following >= 0]
        return ~at

    def _leaf(self, row: list[float]) -> int:
        nodes, ranks, at = self._nodes, self._rank_list, self._root
        while at >= 0:
            column, start, cut, missing_left, left, right = nodes[at]
            number = row[column]
            if start >= 0:
                number = ranks[start + int(number)]
            # NaN is not equal to itself
            at = left if number <= cut or (missing_left and number != number) else right
        return ~at
