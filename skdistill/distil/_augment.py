"""The transfer set: new rows for the teacher to answer, made between neighbours (MUNGE), and rows put below others."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .._threads import one_blas_thread
from ..program import column_names, in_order, is_frame
from ..student import cells_of
from ._neighbours import neighbour_space

Array = NDArray[Any]

#: A column with at most so many distinct values takes a neighbour's value as it is.
_FEW_VALUES = 16
#: A row is compared with at most so many others; so many rows are at once.
_MOST_COMPARED, _AT_ONCE = 2_048, 256
#: A column takes a run of normal deviates that starts at one of so many places of a longer run.
_STARTS = 1 << 12
#: So many cells are worked on at once, which a processor holds near.
_CELLS_AT_ONCE = 1 << 15
#: At most so many pairs of columns are checked for combinations that do not occur; more combinations than the last
#: are looked up by sorting.
_MOST_PAIRS = 2_000
_MOST_COMBINATIONS = 1 << 16


def new_rows(X: Any, n_new: int, seed: int) -> tuple[Array, Array]:
    """Make new rows between neighbours, for :func:`assemble`.

    Parameters
    ----------
    X : ndarray or frame of shape (n_rows, n_columns)
        The rows, raw.
    n_new : int
        How many rows to make.
    seed : int
        Seeds everything random.

    Returns
    -------
    index : ndarray of shape (n_columns, n_new)
        For each cell the row whose cell of the same column it is.
    source : ndarray of shape (n_new,)
        Which row of `X` each of them began as.
    """
    space = neighbour_space(X, seed)
    return munge(space.points, space.columns, space.numeric, n_new, np.random.default_rng(seed))


@np.errstate(over="ignore")
def munge(
    points: Array, columns: Sequence[Array], numeric: Sequence[bool], n_new: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Make new rows between neighbours: MUNGE for columns of mixed types.

    A new row starts as a copy of a row. Half of its cells, drawn by chance, take the value of the nearest
    other row, or of a near one if there are many rows; a number is drawn around that value, with the distance
    between the two as its deviation, and becomes the nearest number that occurs in its column. So every cell
    is one that occurs: whole numbers stay whole, and nothing lies outside its column's range. Where a new row
    would combine two levels, or a level and a missing value, that never occur together, it keeps all levels,
    and all columns with missing values, of the row that it is a copy of.

    Bucila, Caruana and Niculescu-Mizil (2006), "Model Compression",
    https://doi.org/10.1145/1150402.1150464.

    Parameters
    ----------
    points : ndarray of shape (n_rows, n_dims)
        Where the rows lie in the space in which neighbours are near.
    columns : sequence of ndarray of shape (n_rows,)
        The columns: numbers, NaN where one is missing, or codes of levels.
    numeric : sequence of bool
        Which of the columns hold numbers.
    n_new : int
        How many rows to make.
    rng : Generator
        Draws everything that is random.

    Returns
    -------
    index : ndarray of shape (n_columns, n_new)
        For each cell the row whose cell of the same column it is.
    source : ndarray of shape (n_new,)
        Which row each of them is a copy of.
    """
    n_rows = len(points)
    # the rows in random order, again and again
    source = np.resize(rng.permutation(n_rows), n_new)
    neighbour = _near_other(points)
    deviates = rng.standard_normal(_STARTS + n_new)
    firsts = rng.integers(_STARTS, size=len(columns))
    is_number = np.array(numeric, dtype=bool)
    levels: dict[int, Array] = {}
    index = np.empty((len(columns), n_new), dtype=np.min_scalar_type(n_rows))
    index[:] = source
    n_words = -(-n_new // 64)
    at_once = max(1, _CELLS_AT_ONCE // (n_rows + n_new))
    for start in range(0, len(columns), at_once):
        # several short columns at once
        block = np.array(columns[start : start + at_once], dtype=np.float64)
        orders = block.argsort(axis=1)
        ranked = np.take_along_axis(block, orders, axis=1)
        n_missing = np.isnan(block).sum(axis=1)
        n_distinct = (ranked[:, 1:] != ranked[:, :-1]).sum(axis=1) - n_missing + (n_missing > 0)
        few = (n_distinct < _FEW_VALUES) | ~is_number[start : start + at_once]
        # one cell in two is changed
        bits = rng.bit_generator.random_raw(len(block) * n_words).view(np.uint8).reshape(len(block), -1)
        (moved,) = np.unpackbits(bits, axis=1, count=n_new).ravel().view(bool).nonzero()
        counts = np.diff(moved.searchsorted(np.arange(len(block) + 1) * n_new))
        began, within = source.take(moved - _each(counts, n_new)), _within(counts)
        made = index[start : start + at_once].reshape(-1)
        some = few | (n_missing > 0)
        if some.any():
            taken = some.repeat(counts)
            made[moved[taken]] = neighbour[began[taken]]
            for at in some.nonzero()[0].tolist():
                codes = np.isnan(block[at]).astype(np.int64)
                if few[at]:
                    codes = np.unique(columns[start + at], return_inverse=True)[1]
                if codes.any():
                    levels[start + at] = codes
            if few.all():
                continue
            many = ~few.repeat(counts)
            moved, began, within = moved[many], began[many], within[many]
            counts = np.where(few, 0, counts)
        ends = block.take(neighbour, axis=1)
        began += _each(counts, n_rows)
        drawn = np.abs(ends - block).take(began)
        drawn *= deviates.take(within + firsts[start : start + at_once].repeat(counts))
        drawn += ends.take(began)
        if n_missing.any():
            known = ~np.isnan(drawn)
            counts = np.array([part.sum() for part in np.split(known, counts.cumsum()[:-1])])
            moved, drawn = moved[known], drawn[known]
        moved, nearest = _nearest(ranked, n_rows - n_missing, counts, drawn, moved, n_new)
        nearest += _each(counts, n_rows)
        made[moved] = orders.astype(index.dtype).take(nearest)
    unseen = _unseen_pairs(levels, index, rng)
    for at in levels:
        index[at, unseen] = source[unseen]
    return index, source


def _each(counts: Array, size: int) -> Array:
    """Return for each of some cells, so many to a row, where its row begins in a table of rows of a size."""
    return (np.arange(len(counts)) * size).repeat(counts)


def _within(counts: Array) -> Array:
    """Return for each of some cells, so many to a row, how many cells of its row stand before it."""
    return np.arange(counts.sum()) - (counts.cumsum() - counts).repeat(counts)


def _near_other(points: Array) -> Array:
    """Return for each row the nearest other one of those around it; of few rows, the nearest of all.

    As in a k-d tree (Bentley 1975, https://doi.org/10.1145/361002.361007), rows are halved along the coordinate of the
    largest spread until few are left, but only these are searched.
    """
    if len(points) < 2 or points.shape[1] == 0:
        # no column tells rows apart
        return np.roll(np.arange(len(points)), -1)
    near = np.empty(len(points), dtype=np.int64)
    parts = [np.arange(len(points))]
    # the same rows whatever the number of threads
    with one_blas_thread():
        while parts:
            rows = parts.pop()
            inside = points[rows]
            if len(rows) > _MOST_COMPARED:
                widest = inside[:, inside.var(axis=0).argmax()]
                parts += np.array_split(rows[np.argsort(widest, kind="stable")], 2)
                continue
            lengths = (inside**2).sum(axis=1)
            # a part at a time: all distances of so many rows take more memory than a hundred thousand rows
            for start in range(0, len(rows), _AT_ONCE):
                some = slice(start, start + _AT_ONCE)
                distances = -2.0 * inside[some] @ inside.T
                distances += lengths
                np.fill_diagonal(distances[:, some], np.inf)
                near[rows[some]] = rows[distances.argmin(axis=1)]
    return near


def _nearest(
    ranked: Array, n_known: Array, counts: Array, drawn: Array, cells: Array, n_places: int
) -> tuple[Array, Array]:
    """Return cells in another order, and for the number drawn for each which of the numbers of its row is nearest.

    Parameters
    ----------
    ranked : ndarray of shape (n_rows, n_numbers)
        Rows of numbers in ascending order, NaN last.
    n_known : ndarray of shape (n_rows,)
        How many of them are not missing.
    counts : ndarray of shape (n_rows,)
        How many numbers were drawn for each row.
    drawn, cells : ndarray of shape (n_drawn,)
        These numbers, row by row, and their cells in a table of so many rows.
    n_places : int
        How many columns that table has.

    Returns
    -------
    cells, nearest : ndarray of shape (n_drawn,)
        The cells, row by row as before, and the index of the nearest number of the row.
    """
    lowest, highest = ranked[:, 0], ranked[np.arange(len(ranked)), n_known - 1]
    # infinity has no bits to spare
    np.maximum(drawn, lowest.repeat(counts), out=drawn)
    np.minimum(drawn, highest.repeat(counts), out=drawn)
    edges = ranked[:, :-1] / 2.0 + ranked[:, 1:] / 2.0
    # far from zero, these differences are exact, and have more bits to spare
    far = highest - lowest < np.minimum(np.abs(lowest), np.abs(highest)) / 2.0
    if far.any():
        origin = np.where(far, lowest, 0.0)
        drawn -= origin.repeat(counts)
        edges -= origin[:, None]
    width = int(counts.max())
    # each with its place in its last bits, the highest for what is halfway between two numbers: one sort in place of an
    # argsort and as many searches takes a third of the time
    last = (1 << n_places.bit_length()) - 1
    merged = np.full((len(ranked), width + edges.shape[1]), np.finfo(np.float64).max)
    np.copyto(merged[:, width:], edges, where=~np.isnan(edges))
    packed = merged.view(np.int64)
    packed |= last
    of_drawn, rows = drawn.view(np.int64), _each(counts, n_places)
    of_drawn &= ~last
    of_drawn |= cells - rows
    starts = _each(counts, merged.shape[1]) + _within(counts)
    merged.reshape(-1)[starts] = drawn
    merged.sort(axis=1)
    packed &= last
    (at,) = (packed.ravel() < last).nonzero()
    # all that is lower and was not drawn is an edge
    return rows + packed.take(at), at - starts


def _unseen_pairs(levels: dict[int, Array], index: Array, rng: np.random.Generator) -> Array:
    """Return the new rows that hold a pair of levels that does not occur."""
    pairs = list(combinations(levels, 2))
    if len(pairs) > _MOST_PAIRS:
        pairs = [pairs[at] for at in rng.choice(len(pairs), _MOST_PAIRS, replace=False)]
    made = {at: codes[index[at]] for at, codes in levels.items()}
    size = {at: int(codes.max()) + 1 for at, codes in levels.items()}
    rows = np.arange(index.shape[1])
    for first, second in pairs:
        there = levels[first] * size[second] + levels[second]
        many = size[first] * size[second] > _MOST_COMBINATIONS
        occurs = np.zeros(0 if many else size[first] * size[second], dtype=bool)
        if not many:
            occurs[there] = True
        if many or not occurs.all():
            here = made[first][rows] * size[second] + made[second][rows]
            rows = rows[np.isin(here, there) if many else occurs[here]]
    return np.delete(np.arange(index.shape[1]), rows)


def assemble(X: Any, index: Array) -> Any:
    """Return rows made of cells of other rows, in the container and with the types of `X`.

    Parameters
    ----------
    X : ndarray or frame of shape (n_rows, n_columns)
        The rows that the cells come from.
    index : ndarray of shape (n_columns, n_new)
        For each cell the row whose cell of the same column it is.

    Returns
    -------
    rows : ndarray or frame of shape (n_new, n_columns)
        The new rows.
    """
    if not is_frame(X):
        return np.ascontiguousarray(cells_of(np.asarray(X), index).T)
    if hasattr(X, "iloc"):
        dtypes, taken = X.dtypes.tolist(), dict[int, Any]()
        for dtype in set(dtypes):
            # at once, for a frame of hundreds of columns
            if isinstance(dtype, np.dtype) and dtype.kind != "O":
                places = [at for at, one in enumerate(dtypes) if one == dtype]
                cells = cells_of(X.iloc[:, places].to_numpy(), index[places])
                if len(places) == len(dtypes):
                    return type(X)(cells.T, columns=X.columns, copy=False)
                taken |= zip(places, cells, strict=True)
        for at in set(range(len(dtypes))).difference(taken):
            taken[at] = X.iloc[:, at].take(index[at]).reset_index(drop=True)
        return type(X)({at: taken[at] for at in range(len(dtypes))}).set_axis(X.columns, axis=1)
    import narwhals as nw

    frame = nw.from_native(X, eager_only=True)
    # by place, since a name may be a number
    columns = [frame[:, at][rows].to_frame() for at, rows in enumerate(index)]
    return (columns[0] if len(columns) == 1 else nw.concat(columns, how="horizontal")).to_native()


def stack(X: Any, below: Any) -> Any:
    """Return rows with others below them, in the container of `X`; each column gets a type that holds both parts.

    Parameters
    ----------
    X : ndarray, sparse matrix or frame of shape (n_rows, n_columns)
        The rows above.
    below : of the same kind
        The rows below; columns of a frame in any order.

    Returns
    -------
    rows : ndarray, sparse matrix or frame
        All rows.

    Raises
    ------
    ValueError
        If a column of a frame has no such type; the message names it.
    """
    if sparse.issparse(X):
        return sparse.vstack([X, below], format="csr")
    if not is_frame(X):
        return np.concatenate([X, below])
    import narwhals as nw

    below = in_order(below, column_names(X))
    if hasattr(X, "iloc") and (types := _levels_of_both(X, below)):
        X, below = X.astype(types), below.astype(types)
    upper, lower = (nw.from_native(frame, eager_only=True) for frame in (X, below))
    kinds = enumerate(zip(upper.schema.values(), lower.schema.values(), strict=True))
    pairs = [_of_one_type(upper[:, at], lower[:, at]) for at, (above, under) in kinds if above != under]
    if pairs:
        upper, lower = (
            frame.with_columns(*parts) for frame, parts in zip((upper, lower), zip(*pairs, strict=True), strict=True)
        )
    return nw.maybe_reset_index(nw.concat([upper, lower], how="vertical")).to_native()


def _levels_of_both(X: Any, below: Any) -> dict[Any, Any]:
    """Return, for each column of categories of a pandas frame, the type that has the levels below as well."""
    types = {}
    for at, (name, dtype) in enumerate(zip(X.columns, X.dtypes, strict=True)):
        if dtype.name != "category":
            continue
        column = X.iloc[:, at]
        new = [level for level in below.iloc[:, at].dropna().unique().tolist() if level not in column.cat.categories]
        if new and column.cat.ordered:
            raise ValueError(
                f"Column {name!r} of X_unlabeled holds {new[0]!r}, which is not a level of that ordered column."
            )
        types[name] = column.cat.add_categories(new).dtype
    return types


def _of_one_type(upper: Any, lower: Any) -> tuple[Any, Any]:
    """Return two narwhals Series with a type that holds both."""
    import narwhals as nw

    kinds = upper.dtype, lower.dtype
    strange = kinds[0].is_numeric() and isinstance(kinds[1], nw.String)
    if hasattr(upper.to_native(), "iloc") and not strange:
        # pandas finds it by itself
        return upper, lower
    if all(kind.is_numeric() for kind in kinds):
        wide = nw.Int64() if all(kind.is_integer() for kind in kinds) else nw.Float64()
        return upper.cast(wide), lower.cast(wide)
    try:
        if strange:
            raise TypeError("numbers above, text below")
        return upper, lower.cast(kinds[0])
    except Exception as error:
        # each library has errors of its own
        raise ValueError(
            f"Column {upper.name!r} of X_unlabeled is {kinds[1]}, and in X it is {kinds[0]}: {error}"
        ) from error
