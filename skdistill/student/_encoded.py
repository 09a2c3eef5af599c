"""A fitted encoder, and encoded rows: the inputs of a student's first layer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .._sklearn import take_rows
from ..program import LARGEST, Affine, Bound, Columns, DateParts, Indicate, LookupAffine, Op, Piecewise, run
from ._columns import Notes

Array = NDArray[Any]

#: Cells are taken from so many columns at a time.
_COLUMNS = 128
#: So many cells are encoded at a time, which are so many rows at least and at most.
_CELLS, _FEWEST_ROWS, _MOST_ROWS = 1 << 17, 64, 1024


@dataclass(frozen=True)
class Encoded:
    """Encoded rows: the inputs of a student's first layer.

    Parameters
    ----------
    numbers : ndarray of shape (n_rows, n_numbers)
        The dense columns: float64, or float32 for the training of a net.
    sparse : csr_matrix of shape (n_rows, n_sparse) or None
        One-hot columns of the categories, or the user's own sparse columns.
    bins : Piecewise or None, default=None
        Its columns are further dense ones, which are worked out where they are needed: they take several times the
        memory of `numbers`.
    signs : ndarray of shape (n_encoded,) or None, default=None
        The sign of each input's effect: 1, -1, or 0 for any. None constrains none.
    """

    numbers: Array
    sparse: sparse.csr_matrix | None = None
    bins: Piecewise | None = None
    signs: Array | None = None

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        return int(self.numbers.shape[0])

    @property
    def n_encoded(self) -> int:
        """The number of inputs of the first layer: the sparse columns, then the dense ones."""
        return self.n_sparse + int(self.numbers.shape[1]) + (0 if self.bins is None else len(self.bins.columns))

    @property
    def n_sparse(self) -> int:
        """The number of sparse inputs; they come first."""
        return 0 if self.sparse is None else int(self.sparse.shape[1])

    @cached_property
    def _transposed(self) -> Any:
        return None if self.sparse is None else self.sparse.T.tocsr()

    def times(self, weight: Array) -> Array:
        """Return the rows times `weight` of shape (n_encoded, n_out)."""
        out = self.numbers @ weight[self.n_sparse :]
        return out if self.sparse is None else out + self.sparse @ weight[: self.n_sparse]

    def transposed_times(self, gradient: Array) -> Array:
        """Return the transposed rows times `gradient` of shape (n_rows, n_out)."""
        dense = self.numbers.T @ gradient
        return dense if self.sparse is None else np.concatenate([self._transposed @ gradient, dense])

    def take(self, rows: Array) -> Encoded:
        """Return the rows with the given indices, with float32 numbers, for the training of a net."""
        numbers = self.numbers[rows].astype(np.float32, copy=False)
        return replace(self, numbers=numbers, sparse=None if self.sparse is None else self.sparse[rows])


@dataclass(frozen=True)
class MadeOf:
    """Which cells of given rows new ones are made of.

    Parameters
    ----------
    rows : ndarray of shape (n_rows,)
        Index of the given rows that cells come from.
    index : ndarray of shape (n_columns, n_new)
        For each cell of the new rows which of these rows has it, in the same raw column.
    """

    rows: Array
    index: Array

    def below(self, given: Array, sources: Array) -> Array:
        """Return given rows with the new ones below them, where each column is made of one raw column alone.

        Parameters
        ----------
        given : ndarray of shape (n_given, n_made)
            All given rows.
        sources : ndarray of shape (n_made,)
            The raw column of each column.
        """
        n_given = len(given)
        both = np.empty((n_given + self.index.shape[1], given.shape[1]), dtype=given.dtype)
        both[:n_given] = given
        cells = given.take(self.rows, axis=0)
        for start in range(0, given.shape[1], _COLUMNS):
            some = slice(start, start + _COLUMNS)
            both[n_given:, some] = cells_of(cells[:, some], self.index[sources[some]]).T
        return both


def cells_of(X: Array, index: Array) -> Array:
    """Return cells of each column of an array, for an index of shape (n_columns, n_new); the result has its shape."""
    cells = np.empty(index.shape, dtype=X.dtype)
    for start in range(0, len(index), _COLUMNS):
        some = slice(start, start + _COLUMNS)
        for column, rows, out in zip(np.ascontiguousarray(X[:, some].T), index[some], cells[some], strict=True):
            column.take(rows, out=out, mode="clip")
    return cells


class Encoder:
    """A fitted encoding of a table: the first ops of a Program.

    Parameters
    ----------
    ops : list of Op
        The ops from raw rows to ``[codes | numbers]``.
    unseen : {"average", "nothing", "own"}, default="average"
        The weights of a code without training rows, which is that of an unseen level, or of a missing
        value in a column that had none: the "average" of the weights of its column's levels, or zeros, or its
        "own", where earlier rows have given it some.
    """

    def __init__(self, ops: list[Op], unseen: str = "average") -> None:
        self.ops = ops
        self.unseen = unseen
        #: What a user has to know of how the columns are read.
        self.notes = Notes()
        self._counts: Array | None = None
        #: The divisor of each sparse column, set when training rows are encoded; None for a table.
        self.column_scale: Array | None = None
        #: The sign that the effect of each encoded column must have: 1, -1, or 0 for any; None without constraints.
        self.signs: Array | None = None

    def constrain(self, signs: Array | None) -> None:
        """Take the sign of each raw column's effect, shape (n_columns,), as that of all numbers that are made of it."""
        if signs is None:
            return
        entry, *ops = self.ops
        if isinstance(entry, Columns):
            # whether an ordered level, or a word, is there is no number
            signs = np.array(
                [signs[at] if kind == "number" else 0 for at, kind in zip(entry.sources, entry.kinds, strict=True)]
            )
        for op in ops:
            if isinstance(op, Piecewise):
                signs = np.append(signs, signs[op.columns])
            elif isinstance(op, DateParts | Indicate):
                signs = np.append(signs, np.zeros(len(op.columns), dtype=signs.dtype))
        self.signs = signs

    @property
    def input_signs(self) -> Array | None:
        """The signs of the inputs of the first layer, as in Encoded."""
        if self.signs is None:
            return None
        return np.concatenate([np.zeros(sum(self.sizes)), self.signs[len(self.sizes) :]])

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of codes of each categorical column."""
        entry = self.ops[0]
        return entry.sizes if isinstance(entry, Columns) else ()

    @property
    def sources(self) -> Array:
        """The raw column of each column that the ops return: codes, numbers, and what is made of numbers."""
        entry, *ops = self.ops
        assert isinstance(entry, Columns)
        sources = np.array(entry.sources, dtype=np.intp)
        for op in ops:
            if isinstance(op, DateParts | Indicate | Piecewise):
                sources = np.append(sources, sources[np.asarray(op.columns, dtype=np.intp)])
        return sources

    @property
    def offsets(self) -> Array:
        """The first row of each categorical column in the table of all codes."""
        return np.cumsum([0, *self.sizes])[:-1].astype(np.int64)

    def read(self, X: Any, dtype: type[np.floating] = np.float64, *, above: int = 0) -> Any:
        """Apply the ops to rows; return ``[codes | numbers]`` below so many empty rows `above`, or sparse rows.

        They are read in blocks, which a processor holds near; with a smaller `dtype` never are all held in float64.
        """
        entry, *ops = self.ops
        if isinstance(entry, Columns) and entry.all_numbers:
            Z, ops = X, self.ops
        else:
            # all rows together show what most cells of a column of strings are
            Z = entry(X)
        at_once = int(np.clip(_CELLS // Z.shape[1], _FEWEST_ROWS, _MOST_ROWS))
        if not above and (sparse.issparse(Z) or Z.shape[0] <= at_once):
            return run(Z, ops).astype(dtype, copy=False)
        read = np.empty((0, 0))
        for start in range(0, Z.shape[0], at_once):
            block = run(take_rows(Z, slice(start, start + at_once)), ops)
            if sparse.issparse(block):
                # as the rows above are, which encode_read has
                return run(Z, ops).astype(dtype, copy=False)
            if start == 0:
                read = np.empty((above + Z.shape[0], block.shape[1]), dtype=dtype)
            read[above + start : above + start + at_once] = block
        return read

    def encode(
        self,
        X: Any,
        sample_weight: Array | None = None,
        dtype: type[np.floating] = np.float64,
        *,
        above: Encoded | None = None,
    ) -> Encoded:
        """Encode the training rows and count the occurrences of each code; rows that have others `above` do not count.

        Those are returned with them.
        """
        last, n_above = self.ops[-1], 0 if above is None else above.n_rows
        if dtype is np.float64 or not isinstance(last, Piecewise):
            return self.encode_read(self.read(X, dtype, above=n_above), sample_weight, above=above)
        Z = Encoder(self.ops[:-1]).read(X, dtype, above=n_above)
        encoded = self.encode_read(Z, sample_weight, above=above)
        # columns of numbers, of which the codes are none
        return replace(encoded, bins=replace(last, columns=last.columns - len(self.sizes)))

    def with_new(self, encoded: Encoded, made_of: MadeOf) -> Encoded:
        """Return encoded rows with new ones below them, as :meth:`encode` would, which reads them anew."""
        n_codes, sources = len(self.sizes), self.sources
        # bins come last, and are worked out later
        numbers = made_of.below(encoded.numbers, sources[n_codes:][: encoded.numbers.shape[1]])
        onehot = encoded.sparse
        if onehot is not None:
            indices = made_of.below(onehot.indices.reshape(-1, n_codes), sources[:n_codes])
            shape = len(indices), onehot.shape[1]
            indptr = np.arange(0, indices.size + 1, n_codes)
            onehot = sparse.csr_matrix((np.ones(indices.size), indices.ravel(), indptr), shape=shape)
        return replace(encoded, numbers=numbers, sparse=onehot)

    def encode_read(self, Z: Any, sample_weight: Array | None = None, *, above: Encoded | None = None) -> Encoded:
        """Encode training rows that :meth:`read` has returned."""
        if isinstance(self.ops[0], Bound):
            scale = self.column_scale
            if above is None or scale is None:
                # scaling by the largest magnitude keeps zeros; columns of tiny numbers are not scaled up
                largest = np.asarray(abs(Z).max(axis=0).todense()).ravel()
                self.column_scale = scale = np.where(largest > 1.0 / LARGEST, largest, 1.0)
            scaled = sparse.csr_matrix(Z @ sparse.diags_array(1.0 / scale))
            scaled = scaled if above is None else sparse.vstack([above.sparse, scaled], format="csr")
            return Encoded(np.empty((scaled.shape[0], 0)), scaled, signs=self.signs)
        n_codes, n_above = len(self.sizes), 0 if above is None else above.n_rows
        numbers = np.ascontiguousarray(Z[:, n_codes:])
        if above is not None:
            numbers[:n_above] = above.numbers
        if n_codes == 0:
            return Encoded(numbers, signs=self.signs)
        indices = (Z[n_above:, :n_codes].astype(np.int32) + self.offsets.astype(np.int32)).ravel()
        size = int(sum(self.sizes))
        if above is None:
            weight = np.ones(len(Z)) if sample_weight is None else sample_weight
            self._counts = np.bincount(indices, weights=np.repeat(weight, n_codes), minlength=size)
        indptr = np.arange(0, len(indices) + 1, n_codes)
        onehot = sparse.csr_matrix((np.ones(len(indices)), indices, indptr), shape=(len(Z) - n_above, size))
        onehot = onehot if above is None else sparse.vstack([above.sparse, onehot], format="csr")
        return Encoded(numbers, onehot, signs=self.input_signs)

    def first_layer(self, weight: Array, bias: Array) -> Op:
        """Return the op that applies a first layer to encoded rows.

        Parameters
        ----------
        weight : ndarray of shape (n_encoded, n_out)
            The weights, those of the sparse columns first.
        bias : ndarray of shape (n_out,)
            The biases.

        Returns
        -------
        op : Affine or LookupAffine
            With float32 weights.
        """
        weight = np.asarray(weight, dtype=np.float64)
        bias = np.ascontiguousarray(bias, dtype=np.float32)
        if self.column_scale is not None:
            weight = weight / self.column_scale[:, None]
        if not self.sizes:
            return Affine(np.ascontiguousarray(weight, dtype=np.float32), bias)
        assert self._counts is not None
        n_codes = len(self._counts)
        tables = weight[:n_codes].copy()
        for start, size in zip(self.offsets, self.sizes, strict=True):
            rows = slice(start, start + size)
            seen = self._counts[rows] > 0
            average = self._counts[rows] @ tables[rows] / self._counts[rows].sum()
            if self.unseen != "own":
                tables[rows][~seen] = average if self.unseen == "average" else 0.0
        return LookupAffine(
            self.offsets,
            np.ascontiguousarray(tables, dtype=np.float32),
            np.ascontiguousarray(weight[n_codes:], dtype=np.float32),
            bias,
        )
