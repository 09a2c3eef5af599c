"""Parquet datasets that may be larger than memory: found, checked, sampled, and read in blocks of shuffled rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._checks import import_optional, listed

Array = NDArray[Any]

#: Rows of a block. One of 20 numbers takes 20 MB raw, and as much encoded for a net.
BLOCK_ROWS = 1 << 17
#: Row groups that are read side by side, so that a block mixes rows of several.
_READERS = 8
#: Bytes that are read ahead of each column of a row group; without a limit it would be the whole column.
_READ_AHEAD = 1 << 17
#: A classifier with more labels than that has been given a column of something else.
_MOST_CLASSES = 10_000


def is_dataset(X: Any) -> bool:
    """Return whether rows are a dataset to be read block by block: a path, or a dataset or reader of pyarrow."""
    if isinstance(X, str | os.PathLike):
        return True
    return hasattr(X, "get_fragments") or (hasattr(X, "read_next_batch") and hasattr(X, "schema"))


@dataclass(frozen=True)
class Roles:
    """What columns are besides those of the rows.

    Parameters
    ----------
    labels, answers : tuple of str
        The columns of labels, and of a teacher's answers; perhaps none.
    weight : str or None
        The column of weights.
    """

    labels: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    weight: str | None = None

    @property
    def names(self) -> list[str]:
        """All of them."""
        return [*self.labels, *self.answers, *([self.weight] if self.weight else [])]


@dataclass(frozen=True)
class Sample:
    """Rows drawn from a dataset.

    Parameters
    ----------
    table : pyarrow.Table of shape (n_rows, n_columns)
        All columns, in the order of the dataset.
    positions : ndarray of shape (n_rows,)
        Their places in the dataset, ascending.
    weight : ndarray of shape (n_rows,) or None
        How many rows of the dataset each stands for, relative to the others, where classes are not in proportion.
    """

    table: Any
    positions: Array
    weight: Array | None

    def part(self, rows: Array) -> Sample:
        """Return some of the rows, by a mask of shape (n_rows,)."""
        import pyarrow as pa

        weight = None if self.weight is None else self.weight[rows]
        return Sample(self.table.filter(pa.array(rows)), self.positions[rows], weight)


@dataclass(frozen=True)
class _Group:
    """Rows of a row group: its file, its index there, and the place of the first of the rows in the dataset.

    They are all of its rows, or so many after the first `skip`.
    """

    file: int
    index: int
    n_rows: int
    first: int
    skip: int = 0

    def parts(self, n_parts: int) -> list[_Group]:
        """Return them as several in turn."""
        bounds = np.linspace(0, self.n_rows, n_parts + 1).astype(int).tolist()
        return [
            replace(self, n_rows=high - low, first=self.first + low, skip=low)
            for low, high in pairwise(bounds)
            if high > low
        ]


class ParquetRows:
    """The rows of a Parquet dataset.

    Anything else that pyarrow can scan once is first written to a temporary Parquet file, which is deleted with this
    object.

    Parameters
    ----------
    X : str, path-like, pyarrow.dataset.Dataset or pyarrow.RecordBatchReader
        A file or directory, which may be an fsspec URL; or a dataset or reader.
    roles : Roles
        The columns that are not of the rows.

    Raises
    ------
    FileNotFoundError
        If there is nothing at the path.
    ValueError
        If there are no rows, a column is missing, or a file has other columns than the first.
    ImportError
        If pyarrow or pandas is not installed.
    """

    def __init__(self, X: Any, roles: Roles) -> None:
        caller = "fit on a dataset"
        self._pq = import_optional("pyarrow.parquet", caller, "skdistill[parquet]")
        import_optional("pandas", caller, "skdistill[parquet]")
        self.roles = roles
        self._spool: TemporaryDirectory[str] | None = None
        if hasattr(X, "schema"):
            # before anything is written
            self._check_columns(X.schema)
        try:
            self._read(X)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> ParquetRows:
        return self

    def __exit__(self, *error: object) -> None:
        if self._spool is not None:
            self._spool.cleanup()

    def _read(self, X: Any) -> None:
        """Read what the files say of themselves."""
        import pyarrow as pa

        try:
            dataset = self._open(X)
        except pa.ArrowInvalid as error:
            # of a column that is there twice, of files whose types do not go together
            raise ValueError(f"{self._name(X)} cannot be read as one table: {error}") from error
        self._files = list(dataset.get_fragments())
        self._schema = _as_read(dataset.schema, self._files)
        self._check_columns(self._schema)
        self._check_schemas()
        self.groups: list[_Group] = []
        self.n_rows = 0
        for at, file in enumerate(self._files):
            for index in range(file.metadata.num_row_groups):
                n_rows = file.metadata.row_group(index).num_rows
                if n_rows:
                    self.groups.append(_Group(at, index, n_rows, self.n_rows))
                    self.n_rows += n_rows
        if not self.n_rows:
            raise ValueError(f"{self._name(X)} holds no rows.")

    def _name(self, X: Any) -> str:
        return f"X={os.fspath(X)!r}" if isinstance(X, str | os.PathLike) else f"X, a {type(X).__name__},"

    def _open(self, X: Any) -> Any:
        """Return a pyarrow dataset of Parquet files."""
        import pyarrow.dataset as pads

        if isinstance(X, str | os.PathLike):
            path, system = os.fspath(X), None
            if "://" in path:
                fsspec = import_optional("fsspec", "a dataset at a URL", "fsspec")
                system, path = fsspec.core.url_to_fs(path)
            if not (os.path.exists(path) if system is None else system.exists(path)):
                raise FileNotFoundError(f"There is no file or directory at X={os.fspath(X)!r}.")
            return pads.dataset(path, format="parquet", filesystem=system, partitioning="hive")
        parquet = isinstance(getattr(X, "format", None), pads.ParquetFileFormat)
        try:
            # a filtered or projected dataset does not say which rows of its files are its own
            fragments = list(X.get_fragments()) if parquet or hasattr(X, "children") else []
        except ValueError:
            fragments = []
        if fragments and all(isinstance(one, pads.ParquetFileFragment) for one in fragments):
            return X
        self._spool = TemporaryDirectory(prefix="skdistill-")
        reader = X
        if not hasattr(X, "read_next_batch"):
            reader = X.scanner(batch_readahead=1, fragment_readahead=1, use_threads=False).to_reader()
        sizes = {"min_rows_per_group": BLOCK_ROWS // _READERS, "max_rows_per_group": BLOCK_ROWS}
        pads.write_dataset(reader, self._spool.name, format="parquet", use_threads=False, **sizes)
        return pads.dataset(self._spool.name, format="parquet", schema=reader.schema)

    def _check_schemas(self) -> None:
        """Raise for files whose columns are not those of the dataset."""
        types = dict(zip(self._schema.names, self._schema.types, strict=True))
        for file in self._files:
            own = dict(zip(file.physical_schema.names, file.physical_schema.types, strict=True))
            given = [*own, *_partition_keys(file)]
            missing, extra = [name for name in types if name not in given], [one for one in given if one not in types]
            if missing or extra:
                raise ValueError(
                    f"{file.path} has other columns than the dataset (missing: {listed(missing)}; unexpected: "
                    f"{listed(extra)}). Write all files with the same columns, or pass a pyarrow dataset of those that "
                    "have them."
                )
            for name, kind in own.items():
                kind = _type_as_read(kind)
                # a column that is missing throughout a file has no type there
                texts = {str(kind), str(types[name])} <= {"string", "large_string"}
                if kind != types[name] and str(kind) != "null" and not texts:
                    raise ValueError(
                        f"Column {name!r} is {kind} in {file.path}, and {types[name]} in the dataset. Write all files "
                        "with the same types."
                    )

    def _check_columns(self, schema: Any) -> None:
        missing = [name for name in self.roles.names if name not in schema.names]
        if missing:
            raise ValueError(
                f"X has no column {' nor '.join(map(repr, missing))}; its columns are {listed(schema.names)}."
            )
        twice = [name for name in self.roles.names if self.roles.names.count(name) > 1]
        if twice:
            raise ValueError(f"Column {twice[0]!r} is named twice among labels, answers and weights.")
        # pandas writes the index of a frame as a column
        metadata = schema.pandas_metadata or {}
        index = [one for one in metadata.get("index_columns", ()) if isinstance(one, str)]
        others = {*self.roles.names, *index}
        #: The columns of the rows.
        self.names = [name for name in schema.names if name not in others]
        if not self.names:
            raise ValueError("X has no columns but those of labels, answers and weights.")
        import pyarrow as pa

        for name in self.names:
            if pa.types.is_nested(kind := schema.field(name).type):
                raise ValueError(
                    f"Column {name!r} holds several values in a cell ({kind}). Write each to a column of its own, or "
                    "leave it out: pyarrow.dataset.dataset(...).scanner(columns=[...]).to_reader()."
                )
        if (name := self.roles.weight) and not (
            pa.types.is_null(kind := schema.field(name).type)
            or pa.types.is_primitive(kind)
            or pa.types.is_decimal(kind)
        ):
            raise ValueError(f"Column {name!r} is {kind}; weights must be numbers.")

    def _batches(self, group: _Group, names: Sequence[str], n_rows: int) -> Iterator[Any]:
        """Yield the rows of a row group as tables of so many rows."""
        import pyarrow as pa

        file = self._files[group.file]
        keys = _partition_keys(file)
        kinds = {name: self._schema.field(name).type for name in names}
        source = self._pq.ParquetFile(
            file.open(), metadata=file.metadata, buffer_size=_READ_AHEAD, pre_buffer=False, memory_map=False
        )
        with source:
            physical = [name for name in names if name not in keys]
            before, end = 0, group.skip + group.n_rows
            for batch in source.iter_batches(n_rows, [group.index], physical, use_threads=False):
                low, high = max(0, group.skip - before), min(len(batch), end - before)
                before += len(batch)
                if low >= high:
                    continue
                batch = batch.slice(low, high - low)
                columns = [
                    pa.repeat(pa.scalar(keys[name], kinds[name]), len(batch))
                    if name in keys
                    else batch.column(name).cast(kinds[name])
                    for name in names
                ]
                yield pa.table(columns, schema=pa.schema([self._schema.field(name) for name in names]))
                if before >= end:
                    break

    def sample(
        self,
        n_rows: int,
        n_rare: int,
        n_more: int,
        seed: int,
        *,
        classes: bool,
        check: Callable[[Any, str], None] = lambda table, place: None,
    ) -> Sample:
        """Check the columns of labels, answers and weights of all rows, and draw some of the rows.

        Each row gets a random number and the rows with the lowest are taken: a reservoir sample. Of a class with too
        few rows among them, more are taken.

        Parameters
        ----------
        n_rows : int
            How many rows to draw; all, where there are no more.
        n_rare : int
            How many rows of each class there are to be at least, if it has so many.
        n_more : int
            The most rows that are drawn besides for that.
        seed : int
            Draws the rows.
        classes : bool
            Whether labels are classes.
        check : callable, default=nothing
            Called with a table of the columns of labels, answers and weights, and with its place, for all rows.

        Returns
        -------
        sample : Sample
            Rows of a weight above zero.

        Raises
        ------
        ValueError
            If answers or weights are missing, weights are negative, there is no label, there are too many classes, or
            a number is infinite.
        """
        positions, weight = _Draw(n_rows, n_rare, n_more, seed).of(self._strata(classes, check))
        tables = []
        for group in self.groups:
            first = group.first
            for table in self._batches(group, [*self.names, *self.roles.names], BLOCK_ROWS):
                self._check_finite(table, group)
                low, high = np.searchsorted(positions, [first, first + len(table)])
                tables.append(table.take(positions[low:high] - first))
                first += len(table)
        import pyarrow as pa

        return Sample(pa.concat_tables(tables).unify_dictionaries(), positions, weight)

    def _strata(self, classes: bool, check: Callable[[Any, str], None]) -> Iterator[Array]:
        """Yield the stratum of each row of a block, -1 for a row of weight zero."""
        import pyarrow.compute as pc

        roles, codes = self.roles, dict[Any, int]()
        single = classes and len(roles.labels) == 1
        n_labelled = self.n_rows
        #: How many rows have a weight above zero.
        self.n_counted = self.n_rows
        for group in self.groups if roles.names else []:
            for table in self._batches(group, roles.names, BLOCK_ROWS):
                for name in [*roles.answers, *([roles.weight] if roles.weight else [])]:
                    if table[name].null_count:
                        raise ValueError(f"Column {name!r} has missing cells in {self._place(group)}; fill them.")
                check(table, self._place(group))
                strata = np.zeros(len(table), dtype=np.int64)
                if single:
                    column = table[roles.labels[0]].combine_chunks()
                    n_labelled -= column.null_count
                    encoded = column if str(column.type).startswith("dictionary") else pc.dictionary_encode(column)
                    own = encoded.dictionary.to_pylist()
                    own = np.array([codes.setdefault(label, len(codes) + 1) for label in own] or [0], dtype=np.int64)
                    if len(codes) > _MOST_CLASSES:
                        raise ValueError(
                            f"Column {roles.labels[0]!r} holds more than {_MOST_CLASSES} different labels; numbers to "
                            "predict are for DistilledRegressor."
                        )
                    # a row without a label is of the stratum 0
                    at = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
                    strata = np.where(at < 0, 0, own[at])
                elif roles.labels:
                    nulls = [table[name].is_null(nan_is_null=True).to_numpy() for name in roles.labels]
                    if not classes:
                        self._check_numbers(table, nulls, group)
                    n_labelled -= int(np.all(nulls, axis=0).sum())
                if roles.weight:
                    weight = table[roles.weight].to_numpy().astype(np.float64)
                    if not np.isfinite(weight).all() or (weight < 0).any():
                        raise ValueError(
                            f"Column {roles.weight!r} holds a weight that is negative or not finite in "
                            f"{self._place(group)}."
                        )
                    strata = np.where(weight > 0, strata, -1)
                    self.n_counted -= int((weight == 0).sum())
                yield strata
        if not roles.names:
            for group in self.groups:
                yield np.zeros(group.n_rows, dtype=np.int64)
        #: How many rows have a label.
        self.n_labelled = n_labelled if roles.labels else 0
        if roles.labels and not n_labelled:
            raise ValueError(f"Column {roles.labels[0]!r} holds no labels.")
        if not self.n_counted:
            raise ValueError(f"All weights in column {roles.weight!r} are zero.")

    def _place(self, group: _Group) -> str:
        return f"{self._files[group.file].path}, row group {group.index}"

    def _check_numbers(self, table: Any, nulls: list[Array], group: _Group) -> None:
        """Raise for NaN and infinity among the targets, and for rows that have only some of their targets."""
        import pyarrow as pa
        import pyarrow.compute as pc

        for name, missing in zip(self.roles.labels, nulls, strict=True):
            if missing.sum() > table[name].null_count:
                raise ValueError(
                    f"Column {name!r} holds NaN in {self._place(group)}; a row without a label has a missing cell."
                )
            infinite = pc.is_inf(table[name]) if pa.types.is_floating(table[name].type) else None
            if infinite is not None and pc.any(infinite).as_py():
                raise ValueError(f"Column {name!r} holds an infinite number in {self._place(group)}.")
            if len(nulls) > 1 and missing.any():
                raise ValueError(f"Column {name!r} has missing cells in {self._place(group)}; fill them.")

    def _check_finite(self, table: Any, group: _Group) -> None:
        for name in self.names:
            if str(table[name].type) in ("float", "double", "halffloat"):
                infinite = np.isinf(table[name].to_numpy())
                if infinite.any():
                    raise ValueError(
                        f"Column {name!r} holds an infinite number in {self._place(group)} "
                        f"({np.count_nonzero(infinite)} of {len(table)} rows). Make it missing or a large number."
                    )

    def blocks(self, seed: int, without: Array) -> Iterator[tuple[Any, Array]]:
        """Yield each row of a weight above zero once, but some, in an order that the seed decides.

        Row groups come in random order, several are read side by side, and a block takes its rows of all of these.
        Where there are few, each is read from several places.

        Parameters
        ----------
        seed : int
            Orders the row groups.
        without : ndarray of shape (n_without,)
            Places of rows that are left out, ascending.

        Yields
        ------
        table : pyarrow.Table of shape (n_rows, n_columns)
            Rows, with all columns.
        positions : ndarray of shape (n_rows,)
            Their places in the dataset.
        """
        import pyarrow as pa

        names, n_each = [*self.names, *self.roles.names], max(1, BLOCK_ROWS // _READERS)
        n_parts = -(-_READERS // len(self.groups))
        groups = [part for group in self.groups for part in group.parts(n_parts)]
        waiting = np.random.RandomState(seed).permutation(len(groups)).tolist()
        readers: list[tuple[Iterator[Any], int]] = []
        parts: list[tuple[Any, Array]] = []

        def whole() -> tuple[Any, Array]:
            tables, positions = zip(*parts, strict=True)
            parts.clear()
            return pa.concat_tables(tables), np.concatenate(positions)

        while waiting or readers:
            while waiting and len(readers) < _READERS:
                group = groups[waiting.pop()]
                readers.append((self._batches(group, names, n_each), group.first))
            left = []
            for reader, first in readers:
                table = next(reader, None)
                if table is None:
                    continue
                positions = np.arange(first, first + len(table))
                left.append((reader, first + len(table)))
                kept = ~_among(positions, without)
                if self.roles.weight:
                    kept &= table[self.roles.weight].to_numpy() > 0
                if kept.any():
                    parts.append((table if kept.all() else table.filter(pa.array(kept)), positions[kept]))
                if sum(len(one) for _, one in parts) >= BLOCK_ROWS:
                    yield whole()
            readers = left
        if parts:
            yield whole()


def _among(positions: Array, places: Array) -> Array:
    """Return which of some consecutive positions are among sorted places."""
    low, high = np.searchsorted(places, [positions[0], positions[-1] + 1])
    among = np.zeros(len(positions), dtype=bool)
    among[places[low:high] - positions[0]] = True
    return among


def _as_read(schema: Any, files: Sequence[Any]) -> Any:
    """Return the schema in which columns are read: a column without a type in the first file may have one later."""
    import pyarrow as pa

    for at, field in enumerate(schema):
        kind = field.type
        if pa.types.is_null(kind):
            own = (
                file.physical_schema.field(field.name).type
                for file in files
                if field.name in file.physical_schema.names
            )
            kind = next((one for one in own if not pa.types.is_null(one)), kind)
        schema = schema.set(at, field.with_type(_type_as_read(kind)))
    return schema


def _type_as_read(kind: Any) -> Any:
    """Return the type in which a column is read: codes of any width are int32, and views become texts."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return pa.dictionary(pa.int32(), _type_as_read(kind.value_type), kind.ordered)
    return {"string_view": pa.large_string(), "binary_view": pa.large_binary()}.get(str(kind), kind)


def _partition_keys(file: Any) -> dict[str, Any]:
    """Return the columns that a file's path stands for."""
    import pyarrow.dataset as pads

    return dict(pads.get_partition_keys(file.partition_expression))


class _Draw:
    """Rows with the lowest random numbers, overall and of each stratum."""

    def __init__(self, n_rows: int, n_rare: int, n_more: int, seed: int) -> None:
        self._most, self._n_rare, self._n_more = n_rows, n_rare, n_more
        self._rng = np.random.default_rng(seed)
        #: The random number, the place and the stratum of each row that is kept.
        self._kept: list[Array] = [np.empty(0), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)]
        self._counts = np.zeros(1, dtype=np.int64)
        #: Rows of a stratum with higher numbers are not kept.
        self._highest = np.full(1, np.inf)

    def of(self, blocks: Iterator[Array]) -> tuple[Array, Array | None]:
        """Return the places of the rows that are drawn, given the stratum of each row, and their weights."""
        first = 0
        for strata in blocks:
            keys = self._rng.random(len(strata))
            counted = np.flatnonzero(strata >= 0)
            n_strata = max(len(self._counts), strata.max() + 1)
            self._highest = np.pad(self._highest, (0, n_strata - len(self._highest)), constant_values=np.inf)
            self._counts = np.pad(self._counts, (0, n_strata - len(self._counts)))
            self._counts += np.bincount(strata[counted], minlength=n_strata)
            new = counted[keys[counted] < self._highest[strata[counted]]]
            self._add(keys[new], first + new, strata[new])
            first += len(strata)
        keys, positions, strata = self._kept
        order = np.argsort(positions)
        weight = None
        if len(keys) > self._most:
            # classes that are not in proportion
            weight = (self._counts / np.maximum(np.bincount(strata, minlength=len(self._counts)), 1))[strata][order]
            weight /= weight.mean()
        return positions[order], weight

    def _add(self, *new: Array) -> None:
        keys, _, strata = self._kept = [np.concatenate(pair) for pair in zip(self._kept, new, strict=True)]
        n_strata = len(self._counts)
        # the rank of each row in its stratum
        order = np.lexsort([keys, strata])
        sizes = np.bincount(strata, minlength=n_strata)
        rank = np.empty(len(keys), dtype=np.int64)
        rank[order] = np.arange(len(keys)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        last = np.inf if len(keys) <= self._most else np.partition(keys, self._most - 1)[self._most - 1]
        n_each = min(self._n_rare, self._n_more // n_strata)
        keep = (keys <= last) | (rank < n_each)
        self._kept = [one[keep] for one in self._kept]
        keys, _, strata = self._kept
        highest = np.zeros(n_strata)
        np.maximum.at(highest, strata, keys)
        enough = np.bincount(strata, minlength=n_strata) >= n_each
        self._highest = np.where(enough, np.maximum(highest, last), np.inf)
