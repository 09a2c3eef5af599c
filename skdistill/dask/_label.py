"""Labelling: a teacher predicts the partitions of a Dask collection on the workers, and each is stored when done."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import listed
from .._sklearn import not_fitted
from ..program import is_dask, made_up_rows
from ..tasks import CLASSES, NUMBERS, task_of
from ..teacher import Teacher, is_estimator, models_of
from ._spool import Layout, Spool, fingerprint_of, package

Array = NDArray[Any]

#: Rows, of each column of answers, by which a teacher is recognised whose fingerprint has changed, as a forest's does
#: each time it is loaded.
_ROWS_TO_RECOGNISE = 64
#: How far its answers may be from those in the spool: another machine adds up in another order.
_RTOL, _ATOL = 1e-4, 1e-6


def label(
    teacher: Any, collection: Any, path: str | os.PathLike[str], *, y: Any = None, classes: ArrayLike | None = None
) -> dict[str, Any]:
    """Predict the rows of a Dask collection with a teacher, and write rows and predictions to Parquet.

    Each partition is written to a file as soon as it is predicted. After a failure or a kill, the same call resumes: it
    predicts only the partitions without a file. The work runs on the workers of the current ``distributed.Client``,
    each of which gets the teacher once, or on the local scheduler. No rows or predictions are sent to the calling
    process.

    Parameters
    ----------
    teacher : estimator, callable or list of these
        Fitted classifiers or regressors; the predictions of a list are averaged. Several threads of a worker may call a
        teacher at the same time.
    collection : dask.dataframe.DataFrame or dask.array.Array of shape (n_rows, n_columns)
        The rows, which must be the same each time the collection is computed.
    path : path-like
        A folder, or a URL of a filesystem that fsspec supports, such as ``s3://bucket/answers``. All workers and the
        calling process must be able to access it.
    y : dask.dataframe.Series or dask.array.Array of shape (n_rows,), default=None
        Labels, partitioned like the rows; they are written with them.
    classes : array-like of shape (n_classes,), default=None
        Class labels of the columns that a callable returns. None means that it returns regression predictions.

    Returns
    -------
    manifest : dict
        The content of ``_manifest.json`` in the folder: ``rows``, ``y`` and ``answers`` are names of columns,
        ``partitions`` has the ``file`` and ``n_rows`` of each partition, and ``n_rows`` is their sum. ``n_asked``,
        which is not in the file, is the number of rows that the teacher predicted in this call.

    Raises
    ------
    NotFittedError
        If a teacher is not fitted.
    TypeError
        If `collection` is not a Dask DataFrame or array.
    ValueError
        If the columns are not those of the teacher, a partition has other columns or types than the metadata of the
        collection, or the folder was labelled by another teacher or from other rows. The message names the partition.
    RuntimeError
        If the teacher raises; the message names the partition.
    OSError
        If the disk is full, or a file cannot be written; the message names the partition.
    ImportError
        If dask or pyarrow is not installed.

    Notes
    -----
    A stored partition is identified by a hash of its rows, and the teacher by a hash of its pickle. If that hash has
    changed, as a forest's does each time it is loaded, the teacher predicts some rows of the folder again, at most 64
    for each column of predictions, and counts as the same if the predictions agree. Columns of predictions are named
    after the classes or the outputs of a regressor, else ``teacher_pred``. The index of a DataFrame is not written. The
    partitions are those of the collection as it is: of wide Parquet files, name the columns in
    ``read_parquet(columns=...)``.

    Examples
    --------
    >>> import tempfile
    >>> import dask.dataframe as dd
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skdistill.dask import label
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> forest = RandomForestClassifier(10, random_state=0).fit(X, y)
    >>> rows = dd.from_pandas(X, npartitions=3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     first, again = label(forest, rows, folder), label(forest, rows, folder)
    >>> first["answers"]
    ['0', '1', '2']
    >>> first["n_rows"], first["n_asked"], again["n_asked"]
    (150, 150, 0)
    """
    model = next(iter(models_of(teacher)), None)
    task = task_of(model) or (NUMBERS if classes is None and callable(model) else CLASSES)
    return answer(Teacher.of(teacher, task, unnamed=classes), collection, y, path)


def answer(teacher: Teacher, X: Any, y: Any, path: str | os.PathLike[str]) -> dict[str, Any]:
    """Have a Teacher answer a Dask collection; as :func:`label`.

    Parameters
    ----------
    teacher : Teacher
        Fitted.
    X, y, path : object
        As in :func:`label`.

    Returns
    -------
    manifest : dict
        As :func:`label` returns it.
    """
    dask = package("dask")
    if not _is_collection(X, 2):
        raise TypeError(
            f"{type(X).__name__} is no Dask DataFrame and no Dask array of rows and columns. "
            "dask.dataframe.from_pandas and dask.array.from_array make one of rows in memory."
        )
    for member in teacher.members:
        if not member.fitted:
            raise not_fitted(member.model)
    trial = made_up_rows(X)
    layout = _layout(teacher, trial, y)
    teacher.check_columns(trial)
    parts, labels_of = _partitions(X), None if y is None else _partitions(y)
    if labels_of is not None and len(labels_of) != len(parts):
        raise ValueError(
            f"X has {len(parts)} partitions and y {len(labels_of)}; expected the same rows in each. "
            "y.repartition(divisions=X.divisions), or y.rechunk(X.chunks[0]), makes them so."
        )
    spool = Spool(os.fspath(path))
    spool.create()
    manifest = _begin(spool, teacher, layout, len(parts))
    worker = _Worker(spool, layout, len(parts))
    shipped = _shipped(dask, teacher)
    # the function too is one object of the graph, and not a part of each task
    ask = dask.delayed(worker, pure=False, traverse=False)
    tasks = [
        ask(number, part, None if labels_of is None else labels_of[number], shipped)
        for number, part in enumerate(parts)
    ]
    done = list(dask.compute(*tasks))
    return _finish(spool, manifest, done)


@dataclass(frozen=True)
class _Done:
    """What is known of a partition whose predictions are stored."""

    number: int
    n_rows: int
    n_asked: int
    answers: tuple[str, ...]


@dataclass(frozen=True)
class _Worker:
    """Answers one partition where it lies."""

    spool: Spool
    layout: Layout
    n_partitions: int

    def __call__(self, number: int, rows: Any, y: Any, teacher: Teacher) -> _Done:
        """Ask the teacher about a partition that has no file yet, and write its file."""
        called = f"partition {number} of {self.n_partitions}"
        self._check(rows, called)
        file = self.spool.file_of(number)
        found = self.spool.found(file)
        if len(rows) == 0 and found is None:
            return _Done(number, 0, 0, ())
        frame = self._as_frame(rows, y, called)
        try:
            fingerprint = fingerprint_of(frame)
        except TypeError as error:
            raise ValueError(
                f"{called} has cells that hold several values ({error}). Write each to a column of its own."
            ) from error
        if found is not None:
            stored, n_rows, columns = found
            if stored == fingerprint:
                return _Done(number, n_rows, 0, tuple(columns[frame.shape[1] :]))
            raise ValueError(
                f"{self.spool.path_of(file)} holds answers for other rows than {called} has. "
                "Label other rows to another path. If these should be the same, the collection gives other rows each "
                "time it is computed: write it to Parquet first, and label what is read from there."
            )
        try:
            columns, values = _answers(teacher, self.layout, rows)
        except Exception as error:
            raise RuntimeError(
                f"The teacher failed on {called} ({len(rows)} rows): {type(error).__name__}: {error} The partitions "
                "answered so far stay; the same call goes on from them."
            ) from error
        _check_names([*frame.columns, *columns])
        table = self._as_table(frame, called)
        for name, column in zip(columns, values.T, strict=True):
            table = table.append_column(name, package("pyarrow").array(np.ascontiguousarray(column)))
        try:
            self.spool.write_part(file, table, fingerprint)
        except OSError as error:
            raise OSError(
                error.errno,
                f"{called} could not be written: {error.strerror or error} Free some space, or have it made writable; "
                "the partitions written so far stay, and the same call goes on from them",
                self.spool.path_of(file),
            ) from error
        return _Done(number, len(rows), len(rows), tuple(columns))

    def _check(self, rows: Any, called: str) -> None:
        """Raise a ValueError where a partition is not what its collection says."""
        if not self.layout.framed:
            if not isinstance(rows, np.ndarray):
                raise ValueError(f"{called} is a {type(rows).__name__}; expected blocks of numpy arrays.")
            if rows.ndim != 2 or rows.shape[1] != len(self.layout.rows):
                raise ValueError(f"{called} has shape {rows.shape}; expected {len(self.layout.rows)} columns.")
        names, dtypes = _columns_of(rows)
        if names != self.layout.rows:
            missing = [name for name in self.layout.rows if name not in names]
            extra = [name for name in names if name not in self.layout.rows]
            how = f"missing: {listed(missing)}; unexpected: {listed(extra)}" if missing or extra else "their order"
            raise ValueError(f"{called} has other columns than the collection ({how}).")
        others = [
            f"{name} is {dtype} instead of {wanted}"
            for name, dtype, wanted in zip(self.layout.rows, dtypes, self.layout.dtypes, strict=True)
            if dtype != wanted
        ]
        if others:
            raise ValueError(
                f"{called} has columns of other types than the collection: {', '.join(others[:10])}. Give each "
                "partition the same types (collection.astype), or the collection the right meta."
            )

    def _as_frame(self, rows: Any, y: Any, called: str) -> Any:
        """Return the rows of a partition as a frame with the names of the files, and labels beside them."""
        pandas, names = package("pandas"), list(self.layout.rows)
        frame = rows.set_axis(names, axis=1) if self.layout.framed else pandas.DataFrame(rows, columns=names)
        if self.layout.y is None:
            return frame
        if len(y) != len(rows):
            raise ValueError(f"{called} has {len(rows)} rows and {len(y)} labels.")
        if str(y.dtype) != self.layout.y_dtype:
            raise ValueError(f"The labels of {called} are {y.dtype} instead of {self.layout.y_dtype}: y.astype.")
        return frame.assign(**{self.layout.y: getattr(y, "array", y)})

    def _as_table(self, frame: Any, called: str) -> Any:
        """Return a frame as a pyarrow Table, whose schema is the same for all partitions."""
        pyarrow = package("pyarrow")
        try:
            schema = pyarrow.Schema.from_pandas(frame, preserve_index=False)
            for at, field in enumerate(schema):
                if pyarrow.types.is_dictionary(field.type):
                    # the number of levels, and with it the type of the codes, differs between partitions
                    wide = pyarrow.dictionary(pyarrow.int32(), field.type.value_type, field.type.ordered)
                    schema = schema.set(at, field.with_type(wide))
                elif pyarrow.types.is_null(field.type):
                    schema = schema.set(at, field.with_type(pyarrow.large_string()))
            return pyarrow.Table.from_pandas(frame, schema=schema, preserve_index=False)
        except pyarrow.ArrowException as error:
            raise ValueError(
                f"{called} cannot be written to Parquet: {error}. Give the column one type first (collection.astype)."
            ) from error


def _answers(teacher: Teacher, layout: Layout, rows: Any) -> tuple[list[str], Array]:
    """Return a teacher's answers for rows, and the names of their columns in the spool."""
    answers = teacher.ask(rows)
    names = answers.names if layout.names is None else np.array(layout.names, dtype=object)
    values = answers.aligned(names)
    if names is not None and values.shape[1] != len(names):
        raise ValueError(f"It returned {values.shape[1]} columns for {len(names)} classes, {listed(names.tolist())}.")
    return layout.answer_columns(names, values.shape[1]), values


def _is_collection(value: Any, ndim: int) -> bool:
    """Return whether something is a Dask frame, series or array of so many dimensions."""
    return is_dask(value) and hasattr(value, "to_delayed") and getattr(value, "ndim", None) == ndim


def _name_of(y: Any) -> str:
    if not _is_collection(y, 1):
        raise TypeError(
            f"y must be a Dask Series or a Dask array of shape (n_rows,); got {type(y).__name__} with "
            f"{getattr(y, 'ndim', 'no')} dimensions."
        )
    return str(getattr(y, "name", None) or "y") if hasattr(y, "divisions") else "y"


def _columns_of(rows: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names and the types of the columns of rows, as a spool has them."""
    if hasattr(rows, "columns"):
        return tuple(map(str, rows.columns)), tuple(map(str, rows.dtypes))
    n_columns = rows.shape[1]
    return tuple(f"column {at}" for at in range(n_columns)), (str(rows.dtype),) * n_columns


def _layout(teacher: Teacher, trial: Any, labels: Any) -> Layout:
    """Return the columns of the spool, by made-up rows; raise if two would have the same name."""
    task, y = teacher.task, None if labels is None else _name_of(labels)
    framed = hasattr(trial, "columns")
    if framed and not all(isinstance(name, str) for name in trial.columns):
        raise ValueError(f"In Parquet, names of columns must be strings; rename {listed(trial.columns)}.")
    rows, dtypes = _columns_of(trial)
    known = task.classes(teacher.classes if teacher.classes is not None else teacher.unnamed)
    if task == CLASSES and known is None:
        raise ValueError(f"{teacher.name} does not say what its columns stand for. Pass the labels as classes.")
    names = None if known is None else tuple(np.asarray(known).tolist())
    layout = Layout(rows, dtypes, framed, y, None if y is None else str(labels.dtype), task.given, names)
    answers = [] if names is None else layout.answer_columns(np.asarray(known), len(names))
    _check_names([*rows, *([] if y is None else [y]), *answers])
    return layout


def _check_names(columns: Sequence[str]) -> None:
    """Raise a ValueError where columns of rows, labels and answers have the same name."""
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise ValueError(
            f"{listed(twice)} would be the name of several columns of rows, labels and answers, which are named as the "
            "classes. Rename those of the rows or the labels."
        )


def _partitions(collection: Any) -> list[Any]:
    """Return each partition of a collection as a Delayed object, with all columns in one block."""
    if hasattr(collection, "divisions"):
        # optimised, files of which few columns are read would be joined to fewer partitions, of X and y unlike
        return list(collection.to_delayed(optimize_graph=False))
    if collection.ndim == 2:
        collection = collection.rechunk({1: -1})
    return np.asarray(collection.to_delayed(), dtype=object).ravel().tolist()


def _shipped(dask: Any, teacher: Teacher) -> Any:
    """Return the teacher as a task gets it: on a cluster what each worker has got beforehand, once."""
    client = getattr(package("dask.base").get_scheduler(), "__self__", None)
    if client is not None and hasattr(client, "scatter"):
        return client.scatter(teacher, broadcast=True, hash=False)
    return dask.delayed(teacher, pure=False, traverse=False)


def _fingerprint(teacher: Teacher) -> str | None:
    """Return a hash of the teacher's pickle; None where that says nothing of what it answers."""
    if not all(is_estimator(member.model) for member in teacher.members):
        return None
    try:
        return joblib.hash([[member.model for member in teacher.members], teacher.weights])
    except Exception:
        # what cannot be pickled is recognised by its answers alone
        return None


def _begin(spool: Spool, teacher: Teacher, layout: Layout, n_partitions: int) -> dict[str, Any]:
    """Write the manifest of a new spool, or return that of one to resume; raise if its rows or teacher differ."""
    fingerprint = _fingerprint(teacher)
    content = {
        "teacher": {"name": teacher.name, "fingerprint": fingerprint},
        "task": teacher.task.name,
        **layout.described(),
        "n_partitions": n_partitions,
    }
    known = spool.manifest()
    if known is None:
        spool.write_manifest(content)
        return content
    other = "Label to another path, or remove this folder."
    for key, called in (("rows", "rows with the columns"), ("dtypes", "rows of the types"), ("y", "the labels")):
        if known[key] != content[key]:
            raise ValueError(f"{spool.url} holds {called} {known[key]}; here they are {content[key]}. {other}")
    if known["n_partitions"] > n_partitions:
        raise ValueError(
            f"{spool.url} holds the answers for {known['n_partitions']} partitions, and the collection has "
            f"{n_partitions}. {other}"
        )
    if known["task"] != content["task"] or known["names"] != content["names"]:
        raise ValueError(_other_teacher(spool, known))
    if (fingerprint is None or known["teacher"]["fingerprint"] != fingerprint) and not _answers_alike(
        spool, teacher, layout
    ):
        raise ValueError(_other_teacher(spool, known))
    return {**content, "teacher": known["teacher"]}


def _other_teacher(spool: Spool, known: dict[str, Any]) -> str:
    return (
        f"{spool.url} holds the answers of another teacher ({known['teacher']['name']}). Label to another path, pass "
        "the teacher that has answered there, or remove this folder."
    )


def _answers_alike(spool: Spool, teacher: Teacher, layout: Layout) -> bool:
    """Return whether a teacher gives the answers of a spool; also where that holds none yet."""
    for name in sorted(spool.files()):
        if spool.found(name) is None:
            continue
        table = spool.head(name)
        given = set(layout.rows) | {layout.y}
        stored = np.column_stack([table[column].to_numpy() for column in table.column_names if column not in given])
        table = table.take(np.unique(np.concatenate([_telling(column) for column in stored.T])))
        columns, values = _answers(teacher, layout, layout.as_given(table))
        if not set(columns) <= set(table.column_names):
            return False
        stored = np.column_stack([table[column].to_numpy() for column in columns])
        return bool(np.allclose(values, stored, rtol=_RTOL, atol=_ATOL))
    return True


def _telling(answers: Array) -> Array:
    """Return rows in which another teacher's answers are likely to differ.

    Where events are rare, teachers agree on most rows, and on those of which they are sure.
    """
    n_each, order = _ROWS_TO_RECOGNISE // 4, np.argsort(answers, kind="stable")
    ranked, last = answers[order], len(answers) - 1
    by_value = np.searchsorted(ranked, np.linspace(ranked[0], ranked[-1], n_each)).clip(max=last)
    by_rank = np.linspace(0, last, n_each).astype(int)
    ends = np.arange(n_each).clip(max=last)
    return order[np.concatenate([by_value, by_rank, ends, last - ends])]


def _finish(spool: Spool, manifest: dict[str, Any], done: Sequence[_Done]) -> dict[str, Any]:
    """Check that each partition is there and as the others, and write the manifest of the finished spool."""
    answered = [one for one in done if one.n_rows]
    if not answered:
        raise ValueError("The collection has no rows; expected at least one.")
    files = spool.files()
    lost = [one.number for one in answered if spool.file_of(one.number) not in files]
    if lost:
        raise FileNotFoundError(
            f"Partitions {listed(lost)} have been answered, and their files are not in {spool.url} as this process "
            "sees it. Use a path that all workers and this process share: a network folder, or a URL such as s3://."
        )
    for one in answered:
        if one.answers != answered[0].answers:
            raise ValueError(
                f"The teacher's answers for partition {one.number} have the columns {list(one.answers)}, and those for "
                f"partition {answered[0].number} {list(answered[0].answers)}."
            )
    spool.clear()
    content = {
        **manifest,
        "answers": list(answered[0].answers),
        "partitions": [
            {"file": spool.file_of(one.number) if one.n_rows else None, "n_rows": one.n_rows} for one in done
        ],
        "n_rows": sum(one.n_rows for one in done),
    }
    spool.write_manifest(content)
    return {**content, "n_asked": sum(one.n_asked for one in done)}
