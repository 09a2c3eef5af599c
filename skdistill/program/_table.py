"""Reading a table: turns the columns that a Program needs into numbers, from any container of rows.

Rows may be arrays, frames (pandas, polars, pyarrow or any other that narwhals supports), or one dict
per row. A few rows are read cell by cell, since a frame returns a whole row faster than one column;
many rows are read column by column. Both ways give the same numbers. Without narwhals, columns of nullable numbers and
of dates with a time zone are read more slowly, and frames of other libraries than those three cell by cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib.util import find_spec
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ._cells import (
    FormReader,
    Levels,
    Word,
    as_number,
    as_seconds,
    cell_reader,
    numbers,
    plain_cells,
    seconds,
    warn_of_another_form,
    words_in,
)
from ._ops import Op

Array = NDArray[Any]

#: A frame of up to this many rows is read cell by cell.
_FEW_ROWS = 8
#: The numbers of up to this many rows are read at once, which takes twice the memory but much less time per column.
_MANY_ROWS = 4096


@cache
def _has_narwhals() -> bool:
    """Whether narwhals is installed; a serving process does not need it."""
    return find_spec("narwhals") is not None


def is_frame(X: Any) -> bool:
    """Tell whether rows are a frame, of any library, rather than an array."""
    # of the class first: a table of pyarrow makes all of its columns anew to have them
    return hasattr(X, "shape") and (hasattr(type(X), "columns") or hasattr(X, "columns"))


def column_names(X: Any) -> list[Any]:
    """Return the names of a frame's columns."""
    # pyarrow has another attribute for them; its `columns` are the data
    names = X.column_names if hasattr(type(X), "column_names") else X.columns
    return names.tolist() if hasattr(names, "tolist") else list(names)


def in_order(X: Any, names: list[str]) -> Any:
    """Return a frame with its columns in the order of `names`; raise ValueError if its columns differ."""
    found = column_names(X)
    if found == names:
        return X
    if len(found) != len(names) or set(found) != set(names):
        raise _mismatch(found, names)
    if hasattr(X, "iloc"):
        # names of a pandas frame need not be strings
        return X.iloc[:, [found.index(name) for name in names]]
    import narwhals as nw

    return nw.from_native(X, eager_only=True).select(*names).to_native()


def as_labels(names: list[Any]) -> Array:
    """Return names as an array of shape (n_names,); those of several levels are tuples in it."""
    kinds = {type(name) for name in names}
    if len(kinds) == 1 and tuple not in kinds:
        return np.array(names)
    return np.fromiter(names, dtype=object, count=len(names))


def named_columns(values: Any, known: Array | None, source: str) -> tuple[Any, Array | None]:
    """Return answers, and the names of their columns where their container has any.

    Parameters
    ----------
    values : array-like or frame
        As a teacher or the user gave them. A frame's columns are matched by name with `known`; the default names
        of a pandas frame are positions.
    known : ndarray of shape (n_targets,) or None
        The names that the answers must have, in the order in which an array would have them.
    source : str
        Where they come from, for messages.

    Returns
    -------
    values : array-like
        Without names; those of a frame in the order of `known`.
    names : ndarray of shape (n_targets,) or None
        `known`, or what the frame says.

    Raises
    ------
    ValueError
        If the names contradict `known`.
    """
    if not is_frame(values):
        return values, known
    names = column_names(values)
    array = values.to_numpy() if hasattr(values, "to_numpy") else np.column_stack([values[name] for name in names])
    # the default names of pandas say nothing; 0, 1, ... that somebody wrote do
    if len(names) < 2 or type(values.columns).__name__ == "RangeIndex":
        return array, known
    if known is None:
        return array, as_labels(names)
    found, wanted = names, known.tolist()
    if not set(wanted) <= set(found):
        # a frame's names are often written-out labels: "0", "1"
        found, wanted = list(map(str, found)), list(map(str, wanted))
    if set(wanted) != set(found) or len(set(found)) < len(found):
        raise ValueError(
            f"{source} has columns named {_listed(names)}; expected {_listed(known.tolist())}. Rename the columns, "
            "or pass an array with columns in that order."
        )
    return array[:, [found.index(label) for label in wanted]], known


def by_class(y: Any, classes: Array) -> Any:
    """Return labels or soft targets with the columns of a frame in the order of classes, matched by name.

    Where the classes are 0, 1, ..., the columns may have any other names.
    """
    counted = np.array_equal(classes, np.arange(len(classes)))
    if counted and is_frame(y) and {*map(str, column_names(y))} != {*map(str, classes.tolist())}:
        return y
    return named_columns(y, classes, "y")[0]


def _listed(names: list[Any]) -> str:
    return f"[{', '.join(map(repr, names[:10]))}{', ...' if len(names) > 10 else ''}]"


def _mismatch(names: list[Any], wanted: Sequence[Any]) -> ValueError:
    counts, known = dict.fromkeys(names, 0), set(wanted)
    for name in names:
        counts[name] += 1
    missing = [name for name in wanted if name not in counts]
    extra = [name for name in names if name not in known]
    twice = sorted(str(name) for name, count in counts.items() if count > 1)
    faults = {"missing": missing, "unexpected": extra, "twice": twice}
    parts = [f"{what} {_listed(names)}" for what, names in faults.items() if names]
    return ValueError(f"The columns of X are not those seen in fit: {'; '.join(parts)}.")


def column_reader(X: Any) -> Callable[[int], Array]:
    """Return a function from a column's index to the column, of an array or a frame, as an array."""
    if not is_frame(X):
        return lambda index: X[:, index]
    at_once: dict[int, Array] = {}
    if hasattr(X, "iloc") and X.shape[0] <= _MANY_ROWS:
        dtypes = X.dtypes.tolist()
        for dtype in filter(_is_plain, set(dtypes)):
            places = [at for at, one in enumerate(dtypes) if one == dtype]
            at_once |= zip(places, X.iloc[:, places].to_numpy().T, strict=True)

    def read(index: int) -> Array:
        if index in at_once:
            return at_once[index]
        column = _native_column(X, index)
        if isinstance(getattr(column, "dtype", None), np.dtype):
            return column.to_numpy()
        by_level = _by_level(column)
        if by_level is not None:
            levels, where = by_level
            return np.fromiter(levels, dtype=object, count=len(levels))[where]
        if not _has_narwhals():
            cells = column.to_pylist() if hasattr(column, "to_pylist") else column.to_list()
            return np.fromiter(cells, dtype=object, count=len(cells))
        import narwhals as nw

        typed = nw.Boolean | nw.String | nw.Date | nw.Duration
        series = nw.from_native(column, series_only=True)
        dtype = series.dtype
        if dtype.is_numeric() or isinstance(dtype, typed) or (isinstance(dtype, nw.Datetime) and not dtype.time_zone):
            return series.to_numpy()
        # categories become their values; dates keep their time zone; lists and other objects stay unchanged
        return np.fromiter(series.to_list(), dtype=object, count=len(series))

    return read


def category_order(X: Any, index: int) -> tuple[Any, ...] | None:
    """Return the levels of a categorical column in their order.

    The result is an empty tuple if the levels have no order, and None if the column's type is not
    categorical.
    """
    if not is_frame(X):
        return None
    column = _native_column(X, index)
    dtype = getattr(column, "dtype", None)
    if isinstance(dtype, np.dtype) or getattr(dtype, "type", None) is str:
        return None
    import narwhals as nw

    dtype = nw.from_native(column, series_only=True).dtype
    if isinstance(dtype, nw.Enum):
        return tuple(dtype.categories)
    return () if isinstance(dtype, nw.Categorical) else None


def _is_known(X: Any) -> bool:
    """Tell whether a frame is of pandas, polars or pyarrow, whose columns are read without narwhals."""
    return hasattr(X, "iloc") or hasattr(X, "to_series") or hasattr(type(X), "column_names")


def _native_column(X: Any, index: int) -> Any:
    """Return a column of a frame in the form of its own library, which is much faster than through narwhals."""
    if hasattr(X, "iloc"):
        return X.iloc[:, index]
    if hasattr(X, "to_series"):
        return X.to_series(index)
    if hasattr(type(X), "column_names"):
        column = X.column(index)
        if hasattr(column, "chunks"):
            return column
        # a record batch has arrays, and all that follows is written for a table's chunked ones
        import pyarrow as pa

        return pa.chunked_array([column])
    import narwhals as nw

    return nw.from_native(X, eager_only=True)[:, index].to_native()


def _is_plain(dtype: Any) -> bool:
    """Tell whether the type of a pandas column is one of numpy's numbers."""
    return isinstance(dtype, np.dtype) and dtype.kind in "fiub"


def _is_category(dtype: Any) -> bool:
    """Tell whether the type of a pandas column is that of categories."""
    return not isinstance(dtype, np.dtype) and getattr(dtype, "name", "") == "category"


def _plain_columns(X: Any) -> set[int]:
    """Return the positions of those columns of a pandas, polars or pyarrow frame that :func:`_floats` reads."""
    if hasattr(X, "iloc"):
        dtypes = X.dtypes.tolist()
        plain = set(filter(_is_plain, set(dtypes)))
        return {at for at, dtype in enumerate(dtypes) if dtype in plain}
    if hasattr(X, "to_series"):
        return {at for at, dtype in enumerate(X.dtypes) if dtype.is_float() or dtype.is_integer()}
    if hasattr(type(X), "column_names"):
        return {at for at, dtype in enumerate(X.schema.types) if str(dtype) in ("double", "float")}
    return set()


def _floats(X: Any, places: list[int]) -> Array:
    """Return a copy of columns of a pandas, polars or pyarrow frame as float64."""
    if places != list(range(X.shape[1])):
        X = X.take(places, axis=1) if hasattr(X, "iloc") else X[:, places] if hasattr(X, "rows") else X.select(places)
    return np.array(_matrix(X), dtype=np.float64, order="C")


def _matrix(X: Any) -> Array:
    """Return the cells of a pandas, polars or pyarrow frame as one array, which holds objects where they differ."""
    if hasattr(X, "to_numpy"):
        return X.to_numpy()
    try:
        # a table of pyarrow has batches
        (batch,) = [X] if hasattr(X, "to_tensor") else X.combine_chunks().to_batches()
        return batch.to_tensor(null_to_nan=True).to_numpy()
    except TypeError:
        return np.empty(X.shape, dtype=object)


def _by_level(column: Any) -> tuple[list[Any], Array] | None:
    """Return the levels of a pandas, polars or pyarrow column, and where in them each cell is.

    The last level is None, for missing cells; -1 stands for it, too. Some levels may not occur. The result is None
    unless the column is one of strings or categories.
    """
    dtype = getattr(column, "dtype", None)
    if hasattr(column, "iloc"):
        if _is_category(dtype):
            levels, codes = column.array.categories, column.array.codes
        elif getattr(dtype, "type", None) is str:
            codes, levels = column.factorize()
        else:
            return None
    elif hasattr(column, "dictionary_encode"):
        if not str(column.type).startswith(("string", "large_string", "dictionary")):
            return None
        column = column.dictionary_encode().unify_dictionaries().combine_chunks()
        levels, codes = column.dictionary, column.indices.cast("int64").fill_null(-1).to_numpy()
    elif str(dtype).startswith(("String", "Categorical", "Enum")):
        texts = column.cast(str)
        levels = texts.unique()
        codes = texts.replace_strict(levels, range(len(levels))).to_numpy()
    else:
        return None
    if len(levels) > len(codes):
        # many more levels may be declared than occur
        present, codes = np.unique(codes, return_inverse=True)
        n_missing = np.count_nonzero(present < 0)
        levels, codes = levels.take(present[n_missing:]), codes - n_missing
    return [*(levels.tolist() if hasattr(levels, "tolist") else levels.to_list()), None], codes


def _distinct_texts(cells: list[Any]) -> tuple[list[Any], Array]:
    """Return the distinct texts among cells, None for all else, and where in them each cell is."""
    found: dict[Any, int] = {}
    where = [found.setdefault(cell if isinstance(cell, str) else None, len(found)) for cell in cells]
    return list(found), np.array(where)


def _cells(X: Any, places: Sequence[int]) -> list[Any]:
    """Return the rows of a small frame, each with its cells by position; of pandas frames, those in `places` alone."""
    if hasattr(X, "iloc"):
        # all values at once would be converted to one type, with every level that is declared
        cell, needed = X.iat, set(places)
        return [{place: _python_value(cell[row, place]) for place in needed} for row in range(X.shape[0])]
    if hasattr(X, "rows"):
        return X.rows()
    return list(zip(*(column.to_pylist() for column in X.columns), strict=True))


def _python_value(cell: Any) -> Any:
    return cell.item() if isinstance(cell, np.generic) else cell


@dataclass(frozen=True, eq=False, repr=False)
class Columns(Op):
    """The entry of a Program: converts rows in any container to ``[codes | numbers]``, float64.

    Categorical columns come first, as codes into the tables of the next layer. Each kept level has
    its own code; the last two codes stand for any other level and for a missing value. Then come
    numbers unchanged, dates as seconds since 1970 (UTC) and the ranks of ordered categories, each of
    them NaN where the value is missing; and 1.0 for a word that a text has, else 0.0.

    Parameters
    ----------
    names : tuple of str or None
        The column names seen in fit; None if the columns had none.
    n_columns : int
        The number of columns of a row.
    sources : tuple of int
        The index in the row of each column that is read.
    kinds : tuple of str
        The kind of each column that is read: "category", "number", "datetime", "rank" or "word"; all
        categories first.
    levels : tuple of dict
        The code or rank of each level, one dict for each category and rank in turn. The key None, if
        there is one, maps missing values to the code or rank of a level.
    sizes : tuple of int
        The number of codes of each category.
    numbered : tuple of int or None
        The column names seen in fit where these were integers. A frame with the same ones is read in their order,
        any other by position.
    forms : tuple of str or None
        How the texts of each column that is read are read (see ``program/_text_cells.py``), an empty string where it
        has none. What such a column holds beyond that is missing. None if no column has a form.
    words : tuple of str or None
        The words that are looked for, one for each "word" in turn; None if there are none.
    unused : tuple of str or None
        What each column that is not read holds: "number", "datetime", "text", or "level" for categories that are
        numbers. None where it is not known, or all columns are numbers.
    spans : tuple of int or None
        The index in the row of each column of time spans, which are numbers of seconds.
    """

    names: tuple[str, ...] | None
    n_columns: int
    sources: tuple[int, ...]
    kinds: tuple[str, ...]
    levels: tuple[dict[Any, int], ...]
    sizes: tuple[int, ...]
    numbered: tuple[int, ...] | None = None
    forms: tuple[str, ...] | None = None
    words: tuple[str, ...] | None = None
    unused: tuple[str, ...] | None = None
    spans: tuple[int, ...] | None = None

    def state(self) -> dict[str, Any]:
        # files and fingerprints of columns without the later fields are as they were before there were these
        later = ("numbered", "forms", "words", "unused", "spans")
        return {name: value for name, value in super().state().items() if name not in later or value is not None}

    @cached_property
    def identity(self) -> bool:
        """Whether every column of the row is read, in order, as a number."""
        return self.sources == tuple(range(self.n_columns)) and self.all_numbers

    @cached_property
    def all_numbers(self) -> bool:
        """Whether all columns that are read are numbers, none of them written as a text."""
        return set(self.kinds) <= {"number"} and self.forms is None

    @cached_property
    def _numeric(self) -> Array | None:
        """The index of each column if all are numbers, else None."""
        return np.array(self.sources, dtype=np.intp) if self.all_numbers else None

    @cached_property
    def _names(self) -> list[Any]:
        return list(self.names or self.numbered or ())

    @cached_property
    def reads(self) -> list[tuple[int, str, Levels | Word | None]]:
        """For each column that is read, its index in the row, its kind, and its levels or its word if it has any."""
        levels, sizes, words = iter(self.levels), iter(self.sizes), iter(self.words or ())
        found: list[tuple[int, str, Levels | Word | None]] = []
        for source, kind in zip(self.sources, self.kinds, strict=True):
            read: Levels | Word | None = None
            if kind == "category":
                size = next(sizes)
                read = Levels(next(levels), size - 2, size - 1)
            elif kind == "rank":
                read = Levels(next(levels), np.nan, np.nan)
            elif kind == "word":
                read = Word(next(words))
            found.append((source, kind, read))
        return found

    @cached_property
    def _readers(self) -> list[tuple[int, Callable[[Any], float]]]:
        """For each column, its index in the row and the function that converts its cell to a number."""
        forms = self.forms or ("",) * len(self.sources)
        return [
            (source, read or cell_reader(kind, form))
            for (source, kind, read), form in zip(self.reads, forms, strict=True)
        ]

    def __call__(self, X: Any) -> Array:
        if type(X) is np.ndarray and X.dtype.kind in "fiub" and self._numeric is not None:
            if X.ndim != 2 or X.shape[1] != self.n_columns:
                raise ValueError(f"Rows have shape {X.shape}; expected (n_rows, {self.n_columns}).")
            return X.astype(np.float64) if self.identity else X[:, self._numeric].astype(np.float64, copy=False)
        if isinstance(X, dict):
            return self._read_rows([self._row(X)])
        if isinstance(X, list) and X and isinstance(X[0], dict):
            return self._read_rows([self._row(row) for row in X])
        order = None
        if is_frame(X):
            order, numeric = self._layout(X)
            few = X.shape[0] <= _FEW_ROWS
            # polars hands out very few rows faster as they are
            fewest = _FEW_ROWS // 2 if hasattr(type(X), "rows") else 0
            at_once = numeric is not None and fewest < X.shape[0] <= _MANY_ROWS
            if at_once and (values := _matrix(X)).dtype.kind in "fiub":
                return np.array(values[:, numeric], dtype=np.float64, order="C")
            if few or not (_has_narwhals() or _is_known(X)):
                return self._read_rows(_cells(X, self._places(order)), order)
        else:
            X = X.toarray() if hasattr(X, "toarray") else np.asarray(X)
            if X.ndim != 2 or X.shape[1] != self.n_columns:
                raise ValueError(f"Rows have shape {X.shape}; expected (n_rows, {self.n_columns}).")
        return self._read_columns(X, order)

    def _row(self, row: dict[Any, Any]) -> list[Any]:
        """Return the values of a dict in the order of the columns."""
        names: Sequence[Any] = self._names or range(self.n_columns)
        if len(row) == len(names):
            try:
                return [row[name] for name in names]
            except KeyError:
                pass
        raise self._mismatch(list(row))

    def _layout(self, X: Any) -> tuple[list[int] | None, slice | list[int] | None]:
        """Return the order of a frame's columns, and where the numbers are that are read, if it holds nothing else.

        Those of the last frame are remembered: comparing its columns is much faster.
        """
        names = X.columns if hasattr(X, "iloc") else column_names(X)
        kind, last, order, numeric = self.__dict__.get("_last", (None, None, None, None))
        if kind is not type(X) or not (names == last if isinstance(names, list) else names.equals(last)):
            order, numeric = self._order(column_names(X)), None
            if self.all_numbers and len(_plain_columns(X)) == X.shape[1]:
                places = self._places(order)
                numeric = slice(None) if places == list(range(X.shape[1])) else places
            self.__dict__["_last"] = type(X), names, order, numeric
        return order, numeric

    def _order(self, names: list[Any]) -> list[int] | None:
        """Return the position of each column in a frame; None if the order is that of fit."""
        if self.names is None:
            if len(names) != self.n_columns:
                raise ValueError(f"Rows have {len(names)} columns; expected {self.n_columns}.")
            if self.numbered is None or set(names) != set(self.numbered):
                return None
        if names == self._names:
            return None
        position = {name: index for index, name in enumerate(names)}
        if len(names) != len(self._names) or position.keys() != set(self._names):
            raise self._mismatch(names)
        return [position[name] for name in self._names]

    def _mismatch(self, names: list[Any]) -> ValueError:
        return _mismatch(names, self._names or range(self.n_columns))

    def _raise_first(self, cells: Iterable[tuple[int, int, Callable[[Any], float], Any]], error: Exception) -> NoReturn:
        """Raise the error of the first cell, given as row, column, reader and value, that cannot be read."""
        for row, source, read, value in cells:
            try:
                read(value)
            except (TypeError, ValueError) as first:
                name = repr(self.names[source]) if self.names else source
                held = "dates" if read is as_seconds else "numbers"
                if source in (self.spans or ()):
                    held = "time spans, which may be given in seconds,"
                message = (
                    f"Column {name} holds {value!r} in row {row}; it held {held} in fit. Correct it, or make it "
                    f"missing (None). ({first})"
                )
                raise ValueError(message) from error
        raise error

    def _read_rows(self, rows: list[Any], order: list[int] | None = None) -> Array:
        out = np.empty((len(rows), len(self.sources)))
        readers = self._readers
        for number, (row, filled) in enumerate(zip(rows, out, strict=True)):
            try:
                if order is None:
                    filled[:] = [read(row[source]) for source, read in readers]
                else:
                    filled[:] = [read(row[order[source]]) for source, read in readers]
            except (TypeError, ValueError) as error:
                at = order or range(self.n_columns)
                self._raise_first(((number, source, read, row[at[source]]) for source, read in readers), error)
        return out

    def _places(self, order: list[int] | None) -> list[int]:
        """Return the position in the rows of each column that is read."""
        return list(self.sources) if order is None else [order[source] for source in self.sources]

    def _read_columns(self, X: Any, order: list[int] | None) -> Array:
        places, column = self._places(order), column_reader(X)
        out = np.empty((X.shape[0], len(places)))
        plain = _plain_columns(X) if X.shape[0] <= _MANY_ROWS else set()
        at_once = [at for at, (_, read) in enumerate(self._readers) if read is as_number and places[at] in plain]
        if places and len(at_once) == len(places):
            return _floats(X, places)
        if at_once:
            out[:, at_once] = _floats(X, [places[at] for at in at_once])
        # a text is cut into words once
        cut, words = -1, list[frozenset[bytes]]()
        where: Any = None

        def by_level(place: int) -> tuple[list[Any], Any] | None:
            return _by_level(_native_column(X, place)) if is_frame(X) else None

        for index in sorted({*range(len(places))}.difference(at_once)):
            place, (source, read) = places[index], self._readers[index]
            if isinstance(read, Levels | FormReader):
                cells, where = by_level(place) or (plain_cells(column(place)), np.arange(len(out)))
                values = read.many(cells)
                if isinstance(read, FormReader):
                    warn_of_another_form(self._names[source] if self._names else source, cells, values, where)
                out[:, index] = values[where]
                continue
            if isinstance(read, Word):
                if source != cut:
                    texts, where = by_level(place) or _distinct_texts(plain_cells(column(place)))
                    cut, words = source, [words_in(text) for text in texts]
                out[:, index] = np.array(read.among(words))[where]
                continue
            raw = column(place)
            try:
                out[:, index] = numbers(raw) if read is as_number else seconds(raw)
            except (TypeError, ValueError) as error:
                self._raise_first(((row, source, read, value) for row, value in enumerate(plain_cells(raw))), error)
        return out


def held_by(entry: Columns) -> list[str | None]:
    """Return what each column of a row holds, in the words of `Columns.unused`; None where that is not known."""
    found: list[str | None] = [None] * entry.n_columns
    for source, kind, read in entry.reads:
        what = "text" if kind == "word" else kind
        if isinstance(read, Levels):
            levels = [level for level in read.levels if level is not None]
            what = "level" if levels and all(isinstance(level, bool | int | float) for level in levels) else "text"
        # a column may be read twice: as levels, and as numbers, ranks or words
        several = {found[source], what} - {None}
        found[source] = what if len(several) == 1 else "level" if "number" in several else "text"
    rest = [source for source, what in enumerate(found) if what is None]
    for source, what in zip(rest, entry.unused or (), strict=False):
        found[source] = what
    return found


def with_unused(entry: Columns, held: Sequence[str | None]) -> Columns:
    """Return the entry, knowing what the columns hold that it does not read."""
    rest = sorted(set(range(entry.n_columns)) - set(entry.sources))
    unused = tuple(what for what in (held[source] for source in rest) if what is not None)
    known = len(unused) == len(rest) and not {*unused, *held_by(entry)} - {None} <= {"number"}
    return replace(entry, unused=unused if known else None)
