"""Fitting an encoder: learns from raw rows the ops that turn them into ``[codes | numbers]``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from ..program import (
    DATE_PARTS,
    LARGEST,
    Bound,
    Clip,
    Columns,
    DateParts,
    Indicate,
    Op,
    Piecewise,
    Quantiles,
    Standardize,
    Word,
    as_key,
    column_names,
    date_part,
    distinct,
    is_frame,
    is_missing,
    is_span,
    plain_cells,
    with_unused,
    words_in,
)
from ._columns import Column, Notes, plain_repr, raw_columns
from ._encoded import Encoder

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
#: The words that are looked for in all texts together, and in each at least.
_MOST_WORDS = 128
_FEWEST_WORDS = 8
#: Words are looked for in texts fewer of which are frequent levels; a warning names columns with fewer still.
_MOSTLY = 0.8
_SELDOM = 0.1
_FEWEST_BINS, _MOST_BINS = 4, 16
_MOST_IN_ALL = 360
#: With more columns of numbers than that, those are not read in which fewer than this share of the rows differ from the
#: most frequent value.
_RARE = 0.01
#: So many cells of numbers are sorted at once, which a processor holds near.
_CELLS_AT_ONCE = 1 << 18
#: So many different days let parts of dates be read.
_DATES = 32
#: The parts of dates that are cycles.
_CYCLES = [part for part in DATE_PARTS if part.endswith("sine")]


def fit_encoder(
    X: Any,
    sample_weight: Array | None,
    *,
    numeric: str,
    n_bins: int | str,
    min_frequency: int,
    max_categories: int,
    columns: Iterable[Column] | None = None,
    reads: list[Read] | None = None,
    heavy: bool = False,
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
        A level in fewer rows than this is grouped with the other rare levels. In a table of hundreds of numeric
        columns, one in which fewer rows differ from the most frequent value is not read.
    max_categories : int
        The largest number of levels of a column that are kept; the most frequent ones are.
    columns : iterable of Column or None, default=None
        The columns of `X`, where their kinds were settled before.
    reads : list of Read or None, default=None
        How they are read, where that was found out before with the same numbers; it holds without weights.
    heavy : bool, default=False
        Whether a value in more rows than a bin should hold, such as the zero of most counts, is itself an edge, and
        the other edges are quantiles of the other rows. Otherwise such a column has few bins.

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
    columns = list(columns or raw_columns(X))
    notes = Notes()
    learned = reads
    if learned is None or sample_weight is not None:
        learned = _learn_columns(columns, weight, min_frequency, max_categories, notes)
    categories = [one for one in learned if one.kind == "category"]
    rest = [one for one in learned if one.kind != "category"]
    spans = tuple(at for at, column in enumerate(columns) if column.kind == "number" and is_span(column.cells))
    ops: list[Op] = [replace(entry_of(X, categories + rest, columns), spans=spans or None)]
    first = len(categories)
    values = [one.values for one in rest]
    dates = [at for at, one in enumerate(rest) if one.kind == "datetime"]
    parts = [(at, part) for at in dates for part in _parts(values[at], numeric)]
    if parts:
        # cycles come last, since they get no bins
        parts.sort(key=lambda one: one[1] in _CYCLES)
        ops.append(DateParts(tuple(first + at for at, _ in parts), tuple(part for _, part in parts)))
        values += [date_part(values[at], part) for at, part in parts]
    if dates and numeric in ("standard", "piecewise"):
        # new rows are mostly later: trees hold what the last dates gave, and a slope would go on
        held = np.array([*dates, *range(len(rest), len(values))], dtype=np.int64)
        lower, upper = (np.array([bound(values[at]) for at in held]) for bound in (np.nanmin, np.nanmax))
        ops.append(Clip(first + held, lower, upper))
    if values and numeric != "raw":
        # words and cycles have no bends
        bent = [one.kind != "word" for one in rest] + [part not in _CYCLES for _, part in parts]
        ops += _encode_numbers(first, values, len(rest), weight, numeric, n_bins, np.flatnonzero(bent).tolist(), heavy)
    encoder = Encoder(ops)
    encoder.notes = notes
    return encoder


def entry_of(X: Any, reads: Sequence[Read], columns: Iterable[Column] | None = None) -> Columns:
    """Return the op that reads columns.

    Parameters
    ----------
    X : ndarray or frame of shape (n_rows, n_columns)
        The raw rows.
    reads : sequence of Read
        What is read, categories first.
    columns : iterable of Column or None, default=None
        The columns of `X`, if they are known already.
    """
    names = tuple(column_names(X)) if is_frame(X) else ()
    forms, words = tuple(one.form for one in reads), tuple(one.word for one in reads if one.word)
    entry = Columns(
        names if names and all(isinstance(name, str) for name in names) else None,
        int(X.shape[1]),
        tuple(one.source for one in reads),
        tuple(one.kind for one in reads),
        tuple(one.levels for one in reads if one.levels is not None),
        tuple(one.size for one in reads if one.kind == "category"),
        names if names and all(type(name) is int for name in names) and names != tuple(range(len(names))) else None,
        forms if any(forms) else None,
        words or None,
    )
    if len(set(entry.sources)) == entry.n_columns:
        return entry
    return with_unused(entry, [column.holds for column in columns or raw_columns(X)])


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
    entry = entry_of(X, [Read(source, "number") for source in range(n_columns)])
    return Encoder([entry, Standardize(0, zero, one, zero, LARGEST)])


@dataclass(frozen=True)
class Read:
    """How the Program reads a column.

    Parameters
    ----------
    source : int
        The index of the column in a row.
    kind : {"category", "number", "datetime", "rank", "word"}
        What it is read as.
    levels : dict or None, default=None
        The code or rank of each level.
    size : int, default=0
        The number of codes of a category.
    form : str, default=""
        How texts are read as numbers or dates.
    word : str, default=""
        The word that is looked for.
    values : ndarray of shape (n_rows,), default=an empty one
        What was read in fit, unless it is a category.
    """

    source: int
    kind: str
    levels: dict[Any, int] | None = None
    size: int = 0
    form: str = ""
    word: str = ""
    values: Array = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True)
class ReadTable:
    """A table whose columns are read, for the encoder that is fitted to it.

    Parameters
    ----------
    table : ndarray or frame of shape (n_rows, n_columns)
        The raw rows.
    columns : list of Column
        Its columns.
    reads : list of Read
        How they are read if each row counts as one.
    notes : Notes
        What a user has to know of them.
    """

    table: Any
    columns: list[Column]
    reads: list[Read]
    notes: Notes


def read_table(X: Any, min_frequency: int, max_categories: int) -> ReadTable:
    """Check a table before any long work, as :func:`fit_encoder` does.

    Parameters
    ----------
    X : ndarray or frame of shape (n_rows, n_columns)
        The raw rows. Sparse rows have been checked by validation.
    min_frequency, max_categories : int
        Those of the encoder.

    Returns
    -------
    read : ReadTable
        What was read, and what a user has to know of it.

    Raises
    ------
    ValueError
        If a numeric column holds an infinite number; the message names it.
    """
    columns, notes = list(raw_columns(X)), Notes()
    reads = _learn_columns(columns, np.ones(X.shape[0]), min_frequency, max_categories, notes)
    return ReadTable(X, columns, reads, notes)


def check_finite(column: Column) -> None:
    """Raise ValueError if a number of a column is infinite."""
    infinite = np.isinf(column.values)
    if infinite.any():
        row = int(np.argmax(infinite))
        raise ValueError(
            f"Column {column.name!r} holds an infinite number in row {row} ({np.count_nonzero(infinite)} in all). "
            "Input X contains infinity or a value too large to learn from; "
            "make it missing (NaN) or a large finite number."
        )


def _learn_columns(
    columns: Sequence[Column], weight: Array, min_frequency: int, max_categories: int, notes: Notes
) -> list[Read]:
    """Return how columns are read; those that do not vary are not."""
    learned: list[Read] = []
    numeric = [source for source, column in enumerate(columns) if column.kind != "category"]
    fewest = max(min_frequency, _RARE * len(weight)) if len(numeric) > _MOST_IN_ALL else 0.0
    for places in _at_once(len(numeric), len(weight)):
        some = numeric[places]
        block = np.array([columns[source].values for source in some])
        if beyond := bool((np.abs(block) > LARGEST).any()):
            for source in some:
                check_finite(columns[source])
            np.clip(block, -LARGEST, LARGEST, out=block)
        off_modes = _off_mode(block, np.maximum(weight, 1.0), fewest).tolist()
        for source, values, off_mode in zip(some, block, off_modes, strict=True):
            column = columns[source]
            if off_mode and off_mode < fewest:
                notes.constant.append(plain_repr(column.name))
            elif off_mode:
                # the rows have the numbers already, unless some are clipped
                values = values.copy() if beyond else column.values
                learned.append(Read(source, column.kind, form=column.form, values=values))
    texts: list[tuple[int, list[Any], list[str]]] = []
    for source, column in enumerate(columns):
        notes.settled(column)
        if column.kind != "category":
            continue
        cells = plain_cells(column.cells)
        # a row counts as at least one row, even if its weight is smaller
        counts = _count_levels(cells, np.maximum(weight, 1.0))
        if len(counts) < 2:
            continue
        n_missing = counts.pop(None, 0.0)
        # by frequency, then by name, so that the order of the rows does not matter
        ranked = sorted(counts, key=lambda key: (-counts[key], str(key)))
        kept = [key for key in ranked if counts[key] >= min_frequency][:max_categories]
        share = sum(counts[key] for key in kept) / sum(counts.values())
        words: list[str] = []
        if not column.order and share < _MOSTLY:
            words = _frequent_words(counts, min_frequency)
            if words:
                texts.append((source, cells, words))
        if not words and share < _SELDOM and not column.order:
            notes.unread.append(
                f"{plain_repr(column.name)} ({len(counts)} different values, such as {ranked[0]!r}, "
                f"{f'of which {len(kept)} are used' if kept else 'none of them in'}"
                f"{'' if kept else f' {min_frequency} rows or more'})"
            )
        if kept or n_missing or column.order:
            levels = {key: code for code, key in enumerate(kept)}
            learned.append(Read(source, "category", levels, len(kept) + 2))
        if column.order:
            ranks = {as_key(level): rank for rank, level in enumerate(column.order)}
            values = np.array([ranks.get(as_key(cell), np.nan) for cell in cells], dtype=np.float64)
            if not np.isnan(values).all():
                learned.append(Read(source, "rank", ranks, values=values))
    learned.sort(key=lambda one: one.source)
    for source, cells, words in texts:
        in_cells = [words_in(cell) for cell in cells]
        for word in words[: max(_MOST_WORDS // len(texts), _FEWEST_WORDS)]:
            values = np.array(Word(word).among(in_cells), dtype=np.float64)
            learned.append(Read(source, "word", word=word, values=values))
    return learned


def _at_once(n_columns: int, n_rows: int) -> Iterator[slice]:
    """Yield parts of the columns, with so many cells as are worked on at once."""
    step = max(1, _CELLS_AT_ONCE // n_rows)
    yield from (slice(start, start + step) for start in range(0, n_columns, step))


def _frequent_words(levels: dict[Any, float], min_frequency: int) -> list[str]:
    """Return the words in many rows of a column, given as levels and their rows; the most frequent come first."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    counts, n_texts = Counter[bytes](), Counter[bytes]()
    for level, mass in levels.items():
        for word in words_in(level):
            counts[word] += mass  # type: ignore[assignment]
            n_texts[word] += 1
    most = sum(levels.values()) - min_frequency
    frequent = [
        word
        for word, count in counts.items()
        # a word of one text alone is that level
        if min_frequency <= count <= most and n_texts[word] > 1 and len(word) > 1 and not word.isdigit()
    ]
    frequent.sort(key=lambda word: (-counts[word], word))
    # half a surrogate pair is no text, and decodes to another
    found = [(word, word.decode("utf-8", "ignore")) for word in frequent]
    return [text for word, text in found if text.encode() == word and text not in ENGLISH_STOP_WORDS]


def _count_levels(cells: list[Any], weight: Array) -> dict[Any, float]:
    """Count the occurrences of each level; the key None counts missing values."""
    try:
        found, codes = distinct(cells)
    except TypeError:
        # lists and other unhashable cells are counted by their text
        return _count_levels([None if is_missing(cell) else as_key(cell) for cell in cells], weight)
    counts: dict[Any, float] = {}
    for cell, mass in zip(found, np.bincount(codes, weights=weight).tolist(), strict=True):
        key = None if is_missing(cell) else as_key(cell)
        counts[key] = counts.get(key, 0.0) + mass
    return counts


def _parts(seconds: Array, numeric: str) -> list[str]:
    """Return the names of the parts of dates that vary, cycles included."""
    seconds = seconds[~np.isnan(seconds)]
    # a part of a few dates tells them apart and nothing else
    several = len(np.unique(np.floor(seconds / 86400.0))) >= _DATES
    wanted = ("month", "day", "weekday", "hour") if several else ("hour",)
    found = [part for part in wanted if np.ptp(date_part(seconds, part))]
    if "hour" in found and np.ptp(np.mod(np.floor(seconds / 60.0), 60.0)):
        found[found.index("hour")] = "time of day"
    if "month" in found:
        # without bins, it is little more than the sum of month and day; within one year, it is the date once more
        years = np.unique(seconds.astype("datetime64[s]").astype("datetime64[Y]"))
        found += ["day of year"] if numeric != "standard" and len(years) > 1 else []
        # half a year says nothing of the other half, and a sine would be extrapolated into it
        found += ["yearly sine", "yearly cosine"] if len(np.unique(date_part(seconds, "month"))) == 12 else []
    if "weekday" in found:
        found += ["weekly sine", "weekly cosine"]
    if "hour" in found or "time of day" in found:
        found += ["daily sine", "daily cosine"]
    return found


def _encode_numbers(
    first: int,
    values: list[Array],
    n_read: int,
    weight: Array,
    numeric: str,
    n_bins: int | str,
    binned: Sequence[int],
    heavy: bool,
) -> list[Op]:
    """Return the ops that encode numeric columns, fitted to their training values.

    The columns begin at index `first`. The first `n_read` of them are read from the rows; the others
    are parts of dates. Those of `binned` get bins.
    """
    n_columns, piecewise = len(values), numeric == "piecewise"
    with_missing = np.zeros(n_columns, dtype=bool)
    fill, center, scale = np.empty((3, n_columns))
    levels, knots = (np.arange(_N_KNOTS) + 0.5) / _N_KNOTS, np.empty((n_columns, _N_KNOTS))
    ranks: list[tuple[Array, Array]] = []
    for some in _at_once(n_columns, len(weight)):
        block = np.array(values[some])
        missing = np.isnan(block)
        with_missing[some] = missing.any(axis=1)
        ranked, mass = _ranked(block, weight)
        (fill[some],) = _quantiles(ranked, mass, [0.5]).T
        if numeric == "quantile":
            knots[some] = _quantiles(ranked, mass, levels)
            continue
        if with_missing[some].any():
            np.copyto(block, fill[some, None], where=missing)
            ranked, mass = _ranked(block, weight)
        center[some], scale[some] = _moments(block, ranked, mass, weight)
        if piecewise:
            ranks.append((ranked, mass))
    # the parts of a date are missing where the date is, so they need no indicator of their own
    indicated = np.flatnonzero(with_missing[:n_read])
    ops: list[Op] = [Indicate(first + indicated)] if len(indicated) else []
    if numeric == "quantile":
        # ranks are uniform; sqrt(3) gives them a standard deviation of one
        return [*ops, Quantiles(first, knots, (2.0 * levels - 1.0) * np.sqrt(3.0), fill)]
    standardize = Standardize(first, center, scale, fill, _FAR_IN_BINS if piecewise else _FAR)
    ops.append(standardize)
    if piecewise:
        most = (
            int(np.clip(_N_BINS // max(len(binned), 1), _FEWEST_BINS, _MOST_BINS)) if n_bins == "auto" else int(n_bins)
        )
        bins = _bins(standardize, binned, ranks, most, heavy)
        while n_bins == "auto" and len(bins) > _MOST_IN_ALL:
            most = min(most - 1, most * _MOST_IN_ALL // len(bins))
            bins = _bins(standardize, binned, ranks, most, heavy)
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


def _is_constant(lower: Array, upper: Array) -> Array:
    """Tell whether numbers do not vary, vary only by rounding, or vary by less than a float32 can hold."""
    rounding = 16 * np.finfo(np.float64).eps * np.maximum(np.abs(lower), np.abs(upper))
    return upper - lower <= np.maximum(rounding, np.finfo(np.float32).tiny)


def _off_mode(values: Array, weight: Array, enough: float) -> Array:
    """Return the weight of the rows that differ from each column's most frequent value, which may be a missing one.

    It is zero where a column does not vary. Of a value in less than half of the rows it is an upper bound, and where it
    is `enough` or more, some number that is, too. `values` and the result have shapes (n_columns, n_rows) and
    (n_columns,); weights are one or more.
    """
    # beyond all numbers
    missing = np.isnan(values)
    filled = np.where(missing, 2.0 * LARGEST, values) if missing.any() else values
    # of two rows that follow each other and differ, one differs from the most frequent value
    off_mode = np.count_nonzero(filled[:, 1:] != filled[:, :-1], axis=1) / 2.0
    few = np.flatnonzero(off_mode < enough)
    if len(few):
        # a value in half of the rows or more is their median
        off_mode[few] = (filled[few] != _quantiles(*_ranked(filled[few], weight), [0.5])) @ weight
    return np.where(_is_constant(filled.min(axis=1), filled.max(axis=1)), 0.0, off_mode)


def _moments(values: Array, ranked: Array, mass: Array, weight: Array) -> tuple[Array, Array]:
    """Return the centers and scales of columns, robust to outliers: the median, and the interquartile range.

    The range is divided by that of a normal column. Where it is zero, the median distance of the numbers that differ
    from the median becomes two deviations, and so does that of two values, of which the center is the mean. These
    are fewer deviations where less than _ENOUGH rows say what a rare value does. A constant has a scale of one.
    """
    lowest, highest = ranked[:, 0], ranked[:, -1]
    lower, center, upper = _quantiles(ranked, mass, [0.25, 0.5, 0.75]).T
    two = ((ranked == lowest[:, None]) | (ranked == highest[:, None])).all(axis=1)
    scale = (upper - lower) / _NORMAL_RANGE
    few = np.flatnonzero(two | _is_constant(lower, upper))
    distance = np.abs(values[few] - center[few, None])
    distance[distance == 0] = np.nan
    n_apart = (~np.isnan(distance) * weight).sum(axis=1)
    constant = _is_constant(lowest[few], highest[few])
    n_apart[constant] = distance[constant] = 1.0
    (typical,) = _quantiles(*_ranked(distance, weight), [0.5]).T
    spread = highest[few] - lowest[few]
    # numbers may differ by rounding
    typical = np.where(two[few] | _is_constant(center[few], center[few] + typical), spread, typical)
    rarity = np.maximum(1.0, min(_ENOUGH, weight.sum() / 4.0) / n_apart)
    scale[few] = np.where(constant, 1.0, typical / 2.0 * rarity)
    center[two] = np.average(values[two], axis=1, weights=weight)
    center[few[constant]] = values[few[constant], 0]
    return center, scale


def _ranked(values: Array, weight: Array) -> tuple[Array, Array]:
    """Return the values of each column in ascending order, missing ones last, and the weights in that order.

    Weights that are all equal are returned as they are, of shape (n_rows,).
    """
    if (weight == weight[0]).all():
        return np.sort(values, axis=1), weight
    order = np.argsort(values, axis=1)
    return np.take_along_axis(values, order, axis=1), weight[order]


def _quantiles(ranked: Array, mass: Array, levels: ArrayLike) -> Array:
    """Return weighted quantiles of ranked columns, shape (n_columns, n_levels): a row of weight two counts as two."""
    return _not_tiny(np.take_along_axis(ranked, _places(ranked, mass, levels), axis=1))


def _places(ranked: Array, mass: Array, levels: ArrayLike) -> Array:
    """Return where in ranked columns the quantiles are, shape (n_columns, n_levels)."""
    n_known = np.full(len(ranked), ranked.shape[1])
    partly = np.isnan(ranked[:, -1])
    n_known[partly] = np.count_nonzero(~np.isnan(ranked[partly]), axis=1)

    def places(mass: Array) -> Array:
        below = mass.cumsum()
        return np.searchsorted(below / below[-1], levels)

    if mass.ndim == 1:
        of_count = {n: places(mass[:n]) for n in set(n_known.tolist())}
        found = [of_count[n] for n in n_known.tolist()]
    else:
        found = [places(own[:n]) for own, n in zip(mass, n_known.tolist(), strict=True)]
    return np.array(found, dtype=np.intp).reshape(len(ranked), np.size(levels))


def _not_tiny(values: Array) -> Array:
    """Return numbers, tiny ones as zero, so that no slope between two quantiles is infinite."""
    return np.where(np.abs(values) < np.finfo(np.float32).tiny, 0.0, values)


def _bins(
    standardize: Standardize, binned: Sequence[int], ranks: list[tuple[Array, Array]], n_bins: int, heavy: bool
) -> list[tuple[int, float, float]]:
    """Return column and edges of the bins between quantiles; a column has none if there are fewer than two.

    `ranks` are blocks of columns in ascending order, and the weights in that order.
    """
    if n_bins < 2 or not len(binned):
        return []

    def scaled(values: Array, at: Any) -> Array:
        return standardize.squashed((values - standardize.mean[at, None]) / standardize.scale[at, None])

    if heavy:
        masses = [mass for block, mass in ranks for mass in np.broadcast_to(mass, block.shape)]
        columns = [values for block, _ in ranks for values in block]
        found = [_with_heavy(scaled(columns[at], at), masses[at], n_bins) for at in binned]
        sizes, edges = [len(each) for each in found], np.concatenate(found)
    else:
        levels = np.linspace(0.0, 1.0, n_bins + 1)
        blocks = [np.take_along_axis(block, _places(block, mass, levels), axis=1) for block, mass in ranks]
        each = _not_tiny(scaled(np.concatenate(blocks), slice(None)))[list(binned)]
        distinct = np.ones(each.shape, dtype=bool)
        distinct[:, 1:] = each[:, 1:] != each[:, :-1]
        sizes, edges = distinct.sum(axis=1).tolist(), each[distinct]
    size, column = (np.repeat(part, sizes) for part in (sizes, np.add(binned, standardize.start)))
    (lower,) = ((column[1:] == column[:-1]) & (size[1:] > 2)).nonzero()
    return list(zip(column[lower].tolist(), edges[lower].tolist(), edges[lower + 1].tolist(), strict=True))


def _with_heavy(values: Array, mass: Array, n_bins: int) -> Array:
    """Return the edges of bins: ranked values that are heavier than a bin, and quantiles of the others."""
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    heavy = np.add.reduceat(mass, starts) > mass.sum() / n_bins
    rest = ~np.repeat(heavy, np.diff(starts, append=len(values)))
    if not rest.any():
        return values[starts]
    levels = np.linspace(0.0, 1.0, max(n_bins - int(heavy.sum()), 1) + 1)
    quantiles = _quantiles(values[None, rest], mass[rest], levels)[0]
    return np.union1d(quantiles, values[starts[heavy]])
