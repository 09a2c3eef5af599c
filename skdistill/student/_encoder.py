"""The encoder: learns from raw rows the ops that turn them into ``[codes | numbers]``."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from ..program import (
    LARGEST,
    Affine,
    Bound,
    Columns,
    DateParts,
    Indicate,
    LookupAffine,
    Op,
    Piecewise,
    Quantiles,
    Standardize,
    as_key,
    category_order,
    column_names,
    column_reader,
    date_part,
    is_frame,
    is_missing,
    numbers,
    run,
    seconds,
)

Array = NDArray[Any]

#: A number further from the center is squashed, in scales, which are standard deviations of a normal column: such a
#: column hardly reaches the first, so that a linear student is linear. For nets and with bins the second fits better.
_FAR, _FAR_IN_BINS = 4.0, 3.0
#: The interquartile range of a normal column, in standard deviations.
_NORMAL_RANGE = 1.349
#: What a rare value does can be learned from so many rows; with fewer, it is made the smaller the fewer they are.
_ENOUGH = 50.0
#: The number of knots of the quantile encoding; more knots do not improve it.
_N_KNOTS = 65
#: The number of bins of all numeric columns together, and the fewest and the most of a column: more fit noise. So that
#: nets stay small, there are never more in all than the last.
_N_BINS = 160
_FEWEST_BINS, _MOST_BINS = 4, 16
_MOST_IN_ALL = 360
#: How many columns a warning names.
_MOST_NAMES = 5
#: The number of rows encoded at a time where not all rows are held in float64.
_BLOCK = 1024
#: The kinds that the cells of an untyped column may have, in the order in which they are tried.
_KINDS: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("number", (Real, np.number, np.bool_, decimal.Decimal, datetime.timedelta, np.timedelta64)),
    ("datetime", (datetime.date, np.datetime64)),
)


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
    """

    numbers: Array
    sparse: sparse.csr_matrix | None = None
    bins: Piecewise | None = None

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


class Encoder:
    """A fitted encoding of a table: the first ops of a Program.

    Parameters
    ----------
    ops : list of Op
        The ops from raw rows to ``[codes | numbers]``.
    unseen : {"average", "nothing"}, default="average"
        The weights of a code without training rows, which is that of an unseen level, or of a missing
        value in a column that had none: the "average" of the weights of its column's levels, or zeros.
    dropped : sequence of str, default=()
        The numeric columns that are not read because they hardly vary.
    """

    def __init__(self, ops: list[Op], unseen: str = "average", dropped: Sequence[str] = ()) -> None:
        self.ops = ops
        self.unseen = unseen
        self.dropped = list(dropped)
        self._counts: Array | None = None
        #: The divisor of each sparse column, set when training rows are encoded; None for a table.
        self.column_scale: Array | None = None

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of codes of each categorical column."""
        entry = self.ops[0]
        return entry.sizes if isinstance(entry, Columns) else ()

    @property
    def offsets(self) -> Array:
        """The first row of each categorical column in the table of all codes."""
        return np.cumsum([0, *self.sizes])[:-1].astype(np.int64)

    def read(self, X: Any, dtype: type[np.floating] = np.float64) -> Any:
        """Apply the ops to rows; return ``[codes | numbers]``, or sparse rows.

        With a smaller `dtype`, rows are read in blocks, so that they are never all held in float64.
        """
        Z = self.ops[0](X)
        if dtype is np.float64 or sparse.issparse(Z) or len(Z) <= _BLOCK:
            return run(Z, self.ops[1:])
        first = run(Z[:_BLOCK], self.ops[1:])
        read = np.empty((len(Z), first.shape[1]), dtype=dtype)
        read[:_BLOCK] = first
        for start in range(_BLOCK, len(Z), _BLOCK):
            read[start : start + _BLOCK] = run(Z[start : start + _BLOCK], self.ops[1:])
        return read

    def encode(
        self,
        X: Any,
        sample_weight: Array | None = None,
        dtype: type[np.floating] = np.float64,
        *,
        further: bool = False,
    ) -> Encoded:
        """Encode the training rows and count the occurrences of each code; `further` rows are not counted."""
        last = self.ops[-1]
        if dtype is np.float64 or not isinstance(last, Piecewise):
            return self.encode_read(self.read(X, dtype), sample_weight, further=further)
        encoded = self.encode_read(Encoder(self.ops[:-1]).read(X, dtype), sample_weight, further=further)
        # columns of numbers, of which the codes are none
        return replace(encoded, bins=replace(last, columns=last.columns - len(self.sizes)))

    def encode_read(self, Z: Any, sample_weight: Array | None = None, *, further: bool = False) -> Encoded:
        """Encode training rows that :meth:`read` has returned."""
        if isinstance(self.ops[0], Bound):
            # scaling by the largest magnitude keeps zeros; columns of tiny numbers are not scaled up
            largest = np.asarray(abs(Z).max(axis=0).todense()).ravel()
            self.column_scale = np.where(largest > 1.0 / LARGEST, largest, 1.0)
            scaled = sparse.csr_matrix(Z @ sparse.diags_array(1.0 / self.column_scale))
            return Encoded(np.empty((Z.shape[0], 0)), scaled)
        n_codes = len(self.sizes)
        if n_codes == 0:
            return Encoded(Z)
        indices = (Z[:, :n_codes].astype(np.int32) + self.offsets.astype(np.int32)).ravel()
        size = int(sum(self.sizes))
        if not further:
            weight = np.ones(len(Z)) if sample_weight is None else sample_weight
            self._counts = np.bincount(indices, weights=np.repeat(weight, n_codes), minlength=size)
        shape = (len(Z), size)
        indptr = np.arange(0, len(indices) + 1, n_codes)
        onehot = sparse.csr_matrix((np.ones(len(indices)), indices, indptr), shape=shape)
        return Encoded(np.ascontiguousarray(Z[:, n_codes:]), onehot)

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
            tables[rows][~seen] = average if self.unseen == "average" else 0.0
        return LookupAffine(
            self.offsets,
            np.ascontiguousarray(tables, dtype=np.float32),
            np.ascontiguousarray(weight[n_codes:], dtype=np.float32),
            bias,
        )


def fit_encoder(
    X: Any,
    sample_weight: Array | None,
    *,
    numeric: str,
    n_bins: int | str,
    min_frequency: int,
    max_categories: int,
) -> Encoder:
    """Fit an encoder to a table.

    Parameters
    ----------
    X : ndarray, frame or sparse matrix of shape (n_rows, n_columns)
        The raw rows.
    sample_weight : ndarray of shape (n_rows,) or None
        Positive weights.
    numeric : {"raw", "standard", "quantile", "piecewise"}
        The encoding of numbers. "raw" leaves them unchanged, missing values included; "standard"
        standardises them; "quantile" maps them to uniform scores by rank; "piecewise" standardises
        them and appends their piecewise-linear encoding.
    n_bins : int or "auto"
        The largest number of bins of a column's piecewise-linear encoding.
    min_frequency : int
        A level in fewer rows than this is grouped with the other rare levels, and a column of numbers in which
        fewer rows differ from the most frequent value is not read; a missing value counts as a value.
    max_categories : int
        The largest number of levels of a column that are kept; the most frequent ones are.

    Returns
    -------
    encoder : Encoder
        The ops, and the names of the columns that hardly vary.

    Raises
    ------
    ValueError
        If a numeric column holds an infinite number; the message names it.
    """
    if sparse.issparse(X):
        return Encoder([Bound(X.shape[1])])
    weight = np.ones(X.shape[0]) if sample_weight is None else sample_weight
    learned = []
    dropped: list[str] = []
    for index, column in enumerate(raw_columns(X)):
        learned += _learn_column(index, column, weight, min_frequency, max_categories, dropped)
    categories = [one for one in learned if one.kind == "category"]
    rest = [one for one in learned if one.kind != "category"]
    ops: list[Op] = [entry_of(X, [(one.source, one.kind, one.levels, one.size) for one in categories + rest])]
    first = len(categories)
    values = [one.values for one in rest]
    parts = [(at, part) for at, one in enumerate(rest) if one.kind == "datetime" for part in _parts(one.values)]
    if parts:
        ops.append(DateParts(tuple(first + at for at, _ in parts), tuple(part for _, part in parts)))
        values += [date_part(rest[at].values, part) for at, part in parts]
    if values and numeric != "raw":
        ops += _encode_numbers(first, values, len(rest), weight, numeric, n_bins)
    return Encoder(ops, dropped=dropped)


def unread_text(names: Sequence[str], reason: str) -> str:
    """Return the text of a warning about columns that are not read.

    Parameters
    ----------
    names : sequence of str
        The columns.
    reason : str
        Why they are not read, and what to do if they should be, as a sentence without a capital and a full stop.

    Returns
    -------
    text : str
        How many they are, the first of their names, and the reason.
    """
    count = "1 column is" if len(names) == 1 else f"{len(names)} columns are"
    shown = ", ".join(map(repr, names[:_MOST_NAMES])) + (", ..." if len(names) > _MOST_NAMES else "")
    return f"{count} not read ({shown}): {reason}."


def entry_of(X: Any, reads: list[tuple[int, str, dict[Any, int] | None, int]]) -> Columns:
    """Return the op that reads columns, categories first; each is given as source, kind, levels and number of codes."""
    names = tuple(column_names(X)) if is_frame(X) else ()
    sources, kinds, levels, sizes = zip(*reads, strict=True) if reads else ((), (), (), ())
    return Columns(
        names if names and all(isinstance(name, str) for name in names) else None,
        int(X.shape[1]),
        sources,
        kinds,
        tuple(one for one in levels if one is not None),
        tuple(size for kind, size in zip(kinds, sizes, strict=True) if kind == "category"),
        names if names and all(type(name) is int for name in names) and names != tuple(range(len(names))) else None,
    )


def as_delivered(X: Any) -> Encoder:
    """Return an encoder that leaves rows unchanged, for rows that a transformer has already encoded.

    Parameters
    ----------
    X : ndarray or csr_matrix of shape (n_rows, n_columns)
        Finite numbers.

    Returns
    -------
    encoder : Encoder
        The ops.
    """
    n_columns = int(X.shape[1])
    if sparse.issparse(X):
        return Encoder([Bound(n_columns)])
    zero, one = np.zeros(n_columns), np.ones(n_columns)
    entry = entry_of(X, [(source, "number", None, 0) for source in range(n_columns)])
    return Encoder([entry, Standardize(0, zero, one, zero, LARGEST)])


@dataclass(frozen=True)
class Column:
    """A raw column: its name or index, its cells, its kind, and the order of its levels if it has one."""

    name: Any
    cells: Array
    kind: str
    order: tuple[Any, ...] = ()


@dataclass(frozen=True)
class _Learned:
    """The encoding of one column that the Program reads."""

    source: int
    kind: str
    values: Array
    levels: dict[Any, int] | None = None
    size: int = 0


def raw_columns(X: Any) -> Iterator[Column]:
    """Yield the columns of a table with their kinds: "number", "datetime" or "category"."""
    read = column_reader(X)
    for index, name in enumerate(column_names(X) if is_frame(X) else range(X.shape[1])):
        cells = read(index)
        order = category_order(X, index)
        if order is not None or cells.dtype.kind in "US":
            yield Column(name, cells, "category", order or ())
        elif cells.dtype.kind in "fiubm":
            yield Column(name, cells, "number")
        elif cells.dtype.kind == "M":
            yield Column(name, cells, "datetime")
        else:
            yield Column(name, cells, _kind_of_cells(cells.tolist()))


def _kind_of_cells(cells: list[Any]) -> str:
    """Return the kind of an untyped column from its non-missing cells."""
    types = {type(cell) for cell in cells if not is_missing(cell)}
    for kind, members in _KINDS:
        if all(issubclass(one, members) for one in types):
            return kind
    return "category"


def check_finite(X: Any) -> None:
    """Check that numeric columns hold no infinite number, before any long work; fit_encoder checks the same.

    Parameters
    ----------
    X : ndarray, frame or sparse matrix of shape (n_rows, n_columns)
        The raw rows. Sparse rows are not checked here, since validation has checked them already.

    Raises
    ------
    ValueError
        If a numeric column holds an infinite number; the message names it.
    """
    if not sparse.issparse(X):
        for column in raw_columns(X):
            if column.kind != "category":
                _finite_values(column)


def _finite_values(column: Column) -> Array:
    """Return the numbers of a column, NaN where missing; raise ValueError if a number is infinite."""
    values = (numbers if column.kind == "number" else seconds)(column.cells)
    infinite = np.isinf(values)
    if infinite.any():
        row = int(np.argmax(infinite))
        raise ValueError(
            f"Column {column.name!r} holds an infinite number in row {row} ({np.count_nonzero(infinite)} in all). "
            "Input X contains infinity or a value too large to learn from; "
            "make it missing (NaN) or a large finite number."
        )
    return values


def _learn_column(
    source: int, column: Column, weight: Array, min_frequency: int, max_categories: int, dropped: list[str]
) -> list[_Learned]:
    """Return the encodings of a column; none if it does not vary, or hardly, which `dropped` then notes."""
    if column.kind != "category":
        values = np.clip(_finite_values(column), -LARGEST, LARGEST)
        known = values[~np.isnan(values)]
        if len(known) == 0 or (len(known) == len(values) and _is_constant(known)):
            return []
        if _hardly_varies(values, np.maximum(weight, 1.0), min_frequency):
            dropped.append(str(column.name))
            return []
        return [_Learned(source, column.kind, values)]
    # a row counts as at least one row, even if its weight is smaller
    counts = _count_levels(column.cells.tolist(), np.maximum(weight, 1.0))
    if len(counts) < 2:
        return []
    counts.pop(None, None)
    # by frequency, then by name, so that the order of the rows does not matter
    ranked = sorted(counts, key=lambda key: (-counts[key], str(key)))
    kept = [key for key in ranked if counts[key] >= min_frequency][:max_categories]
    levels = {key: code for code, key in enumerate(kept)}
    found = [_Learned(source, "category", np.empty(0), levels, len(kept) + 2)]
    if column.order:
        ranks = {as_key(level): rank for rank, level in enumerate(column.order)}
        values = np.array([ranks.get(as_key(cell), np.nan) for cell in column.cells.tolist()], dtype=np.float64)
        if not np.isnan(values).all():
            found.append(_Learned(source, "rank", values, ranks))
    return found


def _count_levels(cells: list[Any], weight: Array) -> dict[Any, float]:
    """Count the occurrences of each level; the key None counts missing values."""
    found: dict[Any, int] = {}
    try:
        codes = [found.setdefault(cell, len(found)) for cell in cells]
    except TypeError:
        # lists and other unhashable cells are counted by their text
        return _count_levels([None if is_missing(cell) else as_key(cell) for cell in cells], weight)
    counts: dict[Any, float] = {}
    for cell, mass in zip(found, np.bincount(codes, weights=weight).tolist(), strict=True):
        key = None if is_missing(cell) else as_key(cell)
        counts[key] = counts.get(key, 0.0) + mass
    return counts


def _parts(seconds: Array) -> list[str]:
    """Return the names of those parts of dates that vary."""
    found = {part: date_part(seconds[~np.isnan(seconds)], part) for part in ("month", "day", "weekday", "hour")}
    return [part for part, values in found.items() if not _is_constant(values)]


def _encode_numbers(
    first: int, values: list[Array], n_read: int, weight: Array, numeric: str, n_bins: int | str
) -> list[Op]:
    """Return the ops that encode numeric columns, fitted to their training values.

    The columns begin at index `first`. The first `n_read` of them are read from the rows; the others
    are parts of dates.
    """
    ops: list[Op] = []
    known = [~np.isnan(column) for column in values]
    # the parts of a date are missing where the date is, so they need no indicator of their own
    with_missing = [first + at for at, present in enumerate(known[:n_read]) if not present.all()]
    if with_missing:
        ops.append(Indicate(np.array(with_missing, dtype=np.int64)))
    observed = [(column[present], weight[present]) for column, present in zip(values, known, strict=True)]
    fill = np.array([_quantiles(column, mass, [0.5])[0] for column, mass in observed])
    if numeric == "quantile":
        levels = (np.arange(_N_KNOTS) + 0.5) / _N_KNOTS
        knots = np.array([_quantiles(column, mass, levels) for column, mass in observed])
        # ranks are uniform; sqrt(3) gives them a standard deviation of one
        return [*ops, Quantiles(first, knots, (2.0 * levels - 1.0) * np.sqrt(3.0), fill)]
    filled = [np.where(present, column, f) for column, present, f in zip(values, known, fill, strict=True)]
    center, scale = (np.array(part) for part in zip(*(_moments(column, weight) for column in filled), strict=True))
    standardize = Standardize(first, center, scale, fill, _FAR_IN_BINS if numeric == "piecewise" else _FAR)
    ops.append(standardize)
    if numeric == "piecewise":
        scaled = [standardize.squashed((column - center[at]) / scale[at]) for at, column in enumerate(filled)]
        wanted = int(np.clip(_N_BINS // len(values), _FEWEST_BINS, _MOST_BINS))
        for most in range(wanted, 0, -1) if n_bins == "auto" else [int(n_bins)]:
            bins = [(first + at, *edges) for at, column in enumerate(scaled) for edges in _bins(column, weight, most)]
            if n_bins != "auto" or len(bins) <= _MOST_IN_ALL:
                break
        if bins:
            ops.append(as_bins(bins))
    return ops


def as_bins(bins: list[tuple[int, float, float]]) -> Piecewise:
    """Return the Piecewise op of bins, each given as (column, lower edge, upper edge)."""
    columns, lower, upper = (np.array(part) for part in zip(*bins, strict=True))
    # a width that float32 rounds to zero must not become a divisor
    width = np.maximum(upper - lower, 1.0 / LARGEST)
    # of float32 precision: a file then stores them in half the bytes
    lower, width = (part.astype(np.float32).astype(np.float64) for part in (lower, width))
    return Piecewise(columns.astype(np.int64), lower, width)


def _is_constant(values: Array) -> bool:
    """Tell whether numbers do not vary, vary only by rounding, or vary by less than a float32 can hold."""
    lower, upper = values.min(), values.max()
    rounding = 16 * np.finfo(np.float64).eps * max(abs(lower), abs(upper))
    return bool(upper - lower <= max(rounding, np.finfo(np.float32).tiny))


def _hardly_varies(values: Array, weight: Array, min_frequency: int) -> bool:
    """Tell whether too few rows differ from the most frequent value, of which a missing one may be one."""
    _, place = np.unique(values, return_inverse=True)
    mass = np.bincount(place, weights=weight)
    # half the rows of a small table are enough
    return bool(mass.sum() - mass.max() < min(min_frequency, mass.sum() // 2))


def _moments(values: Array, weight: Array) -> tuple[float, float]:
    """Return the center and scale of a column, robust to outliers: the median, and the interquartile range.

    The range is divided by that of a normal column. Where it is zero, the median distance of the numbers that differ
    from the median becomes two deviations, and so does that of two values, of which the center is the mean. These
    are fewer deviations where less than _ENOUGH rows say what a rare value does.
    """
    if _is_constant(values):
        return float(values[0]), 1.0
    lowest, highest = values.min(), values.max()
    quartiles = _quantiles(values, weight, [0.25, 0.5, 0.75])
    lower, center, upper = quartiles.tolist()
    distance = np.abs(values - center)
    apart = distance > 0
    n_apart = weight[apart].sum()
    rarity = max(1.0, min(_ENOUGH, weight.sum() / 4.0) / n_apart)
    if ((values == lowest) | (values == highest)).all():
        return float(np.average(values, weights=weight)), float(highest - lowest) / 2.0 * rarity
    if not _is_constant(quartiles):
        return center, (upper - lower) / _NORMAL_RANGE
    typical = float(_quantiles(distance[apart], weight[apart], [0.5])[0])
    # numbers may differ by rounding
    two = highest - lowest if _is_constant(center + np.array([0.0, typical])) else typical
    return center, float(two) / 2.0 * rarity


def _quantiles(values: Array, weight: Array, levels: ArrayLike) -> Array:
    """Return weighted quantiles at the given levels: a row of weight two counts as two rows."""
    found = np.quantile(values, np.asarray(levels), weights=weight, method="inverted_cdf")
    # tiny numbers become zero, so that no slope between two quantiles is infinite
    return np.where(np.abs(found) < np.finfo(np.float32).tiny, 0.0, found)


def _bins(values: Array, weight: Array, n_bins: int) -> list[tuple[float, float]]:
    """Return the bins between the quantiles of a column; none if there are fewer than two bins."""
    edges = np.unique(_quantiles(values, weight, np.linspace(0.0, 1.0, n_bins + 1)))
    return list(pairwise(edges.tolist())) if len(edges) > 2 else []
