"""The spool: a folder of Parquet files of rows and a teacher's answers, and its manifest.

The layout of a folder::

    _manifest.json        the columns, the teacher, and, once all partitions are done, the number of rows of each
    part-000003.parquet   the rows of partition 3 with their answers; none for a partition without rows

A file is written under another name and moved into place, so that it is whole or not there. The schema of each carries
a fingerprint of its rows, by which a later run sees that they have been answered.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._checks import import_optional, listed
from .._version import __version__

Array = NDArray[Any]

MANIFEST = "_manifest.json"
#: The version of the manifest; a later one raises.
PROTOCOL = 1
#: Rows of a row group: what a reader of a few groups at a time holds in memory.
ROWS_OF_A_GROUP = 65_536
#: The key of the fingerprint among a file's metadata.
_ROWS = b"skdistill.rows"


def package(name: str) -> Any:
    """Import one of the packages that the extra `dask` brings."""
    return import_optional(name, "skdistill.dask", "'skdistill[dask]'")


@dataclass(frozen=True)
class Layout:
    """What the columns of a spool are; the same in each of its files.

    Parameters
    ----------
    rows : tuple of str
        The names of the rows' columns in the files.
    dtypes : tuple of str
        Their types, as pandas calls them.
    framed : bool
        Whether the teacher gets the rows as a frame; else as an array.
    y : str or None
        The column with the labels.
    y_dtype : str or None
        Its type.
    unnamed : str
        What answers are called that have no names: "teacher_proba" or "teacher_pred".
    names : tuple or None
        The class labels of the columns of answers, where they are known beforehand.
    """

    rows: tuple[str, ...]
    dtypes: tuple[str, ...]
    framed: bool
    y: str | None
    y_dtype: str | None
    unnamed: str
    names: tuple[Any, ...] | None

    @classmethod
    def of(cls, manifest: dict[str, Any]) -> Layout:
        """Return the layout that a manifest describes."""
        known = ((field.name, manifest[field.name]) for field in fields(cls))
        own: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in known}
        return cls(**own)

    def described(self) -> dict[str, Any]:
        """Return it as the manifest has it."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    def answer_columns(self, names: Array | None, n_targets: int) -> list[str]:
        """Return what the columns of answers are called, given what they stand for."""
        if names is not None:
            return [str(name) for name in names.tolist()]
        return [self.unnamed] if n_targets == 1 else [f"{self.unnamed}_{at}" for at in range(n_targets)]

    def as_given(self, table: Any) -> Any:
        """Return rows that were read from a file in the form in which the teacher got them."""
        frame = table.select(list(self.rows)).to_pandas()
        if not self.framed:
            return frame.to_numpy().astype(self.dtypes[0], copy=False)
        pandas, wanted = package("pandas"), dict[str, Any](zip(self.rows, self.dtypes, strict=True))
        for name, dtype in wanted.items():
            # pandas cannot make the type of decimals and times with a zone of its name
            if dtype.endswith("[pyarrow]") and dtype != "string[pyarrow]":
                wanted[name] = pandas.ArrowDtype(table.schema.field(name).type)
        return frame.astype(wanted)


@dataclass(frozen=True)
class Spool:
    """A folder of Parquet files; the path may be a URL of any filesystem that fsspec knows.

    Parameters
    ----------
    url : str
        The path, or the URL.
    """

    url: str

    def _filesystem(self) -> tuple[Any, str]:
        return package("fsspec").core.url_to_fs(self.url)

    def _names(self) -> list[str]:
        """Return the names of all files."""
        filesystem, root = self._filesystem()
        # listings of object stores are cached, and another process may have written
        filesystem.invalidate_cache()
        return [path.rsplit("/", 1)[-1] for path in filesystem.ls(root, detail=False)]

    @staticmethod
    def file_of(number: int) -> str:
        """Return the name of the file of a partition."""
        return f"part-{number:06d}.parquet"

    def path_of(self, name: str) -> str:
        """Return the path of a file, as messages name it."""
        return f"{self.url.rstrip('/')}/{name}"

    # writing

    def create(self) -> None:
        """Make the folder.

        Raises
        ------
        FileExistsError
            If it holds other Parquet files, which readers of the folder would take for predictions.
        """
        filesystem, root = self._filesystem()
        filesystem.makedirs(root, exist_ok=True)
        foreign = [name for name in self._names() if name.endswith(".parquet")]
        if foreign and self.manifest() is None:
            raise FileExistsError(
                f"{self.url} holds Parquet files ({listed(foreign)}) and no manifest of skdistill. Answers need a "
                "folder of their own."
            )

    def write(self, name: str, write: Any) -> None:
        """Write a file atomically: `write` gets the open file of another name, which is moved into place."""
        filesystem, root = self._filesystem()
        temporary = f"{root}/.{name}.{secrets.token_hex(4)}.tmp"
        try:
            with filesystem.open(temporary, "wb") as file:
                write(file)
            try:
                filesystem.mv(temporary, f"{root}/{name}")
            except FileNotFoundError:
                # another run to this folder has written the same, and cleared
                if not filesystem.exists(f"{root}/{name}"):
                    raise
        except BaseException:
            if filesystem.exists(temporary):
                filesystem.rm(temporary)
            raise

    def write_part(self, name: str, table: Any, fingerprint: str) -> None:
        """Write the file of a partition: its rows with their answers."""
        pyarrow, parquet = package("pyarrow"), package("pyarrow.parquet")
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), _ROWS: fingerprint.encode()})
        # numbers of many values gain nothing by a dictionary, and it takes ten times as long
        repeating = [field.name for field in table.schema if not pyarrow.types.is_floating(field.type)]
        options = {"row_group_size": ROWS_OF_A_GROUP, "use_dictionary": repeating}
        self.write(name, lambda file: parquet.write_table(table, file, **options))

    def write_manifest(self, content: dict[str, Any]) -> None:
        """Write the manifest."""
        text = json.dumps({"protocol": PROTOCOL, "skdistill": __version__, **content}, indent=1)
        self.write(MANIFEST, lambda file: file.write(text.encode()))

    def clear(self) -> None:
        """Remove what killed workers have left half-written."""
        filesystem, root = self._filesystem()
        for name in self._names():
            if name.startswith((".part-", f".{MANIFEST}")) and name.endswith(".tmp"):
                filesystem.rm(f"{root}/{name}")

    # reading

    def manifest(self) -> dict[str, Any] | None:
        """Return the manifest, or None where there is none.

        Raises
        ------
        ValueError
            If a later version has written it, or it is not one of skdistill.
        """
        filesystem, root = self._filesystem()
        filesystem.invalidate_cache()
        path = f"{root}/{MANIFEST}"
        if not filesystem.exists(path):
            return None
        try:
            content = json.loads(filesystem.cat_file(path))
        except ValueError as error:
            raise ValueError(f"{self.path_of(MANIFEST)} is damaged ({error}). Label to another path.") from error
        if content.get("protocol") != PROTOCOL:
            raise ValueError(
                f"{self.path_of(MANIFEST)} has the protocol {content.get('protocol')!r}; this version of skdistill "
                f"reads {PROTOCOL}. Use the version that wrote it ({content.get('skdistill')}), or another path."
            )
        return content

    def found(self, name: str) -> tuple[str, int, list[str]] | None:
        """Return the fingerprint, the number of rows and the columns of a file; None if there is no whole one."""
        filesystem, root = self._filesystem()
        try:
            with filesystem.open(f"{root}/{name}", "rb") as file:
                footer = package("pyarrow.parquet").ParquetFile(file)
                schema, n_rows = footer.schema_arrow, footer.metadata.num_rows
        except (FileNotFoundError, package("pyarrow").ArrowInvalid):
            return None
        return (schema.metadata or {}).get(_ROWS, b"").decode(), n_rows, schema.names

    def files(self) -> set[str]:
        """Return the names of the partitions' files."""
        return {name for name in self._names() if name.startswith("part-") and name.endswith(".parquet")}

    def head(self, name: str) -> Any:
        """Return the first rows of a file, those of a row group, a pyarrow Table."""
        filesystem, root = self._filesystem()
        with filesystem.open(f"{root}/{name}", "rb") as file:
            return package("pyarrow.parquet").ParquetFile(file).read_row_group(0)

    def dataset(self) -> Any:
        """Return the files as one pyarrow Dataset, in the order of the partitions.

        Raises
        ------
        ValueError
            If not all partitions have been answered.
        """
        manifest = self.manifest()
        if manifest is None or "partitions" not in manifest:
            raise ValueError(f"{self.url} holds no finished answers. Label the rows to it first.")
        filesystem, root = self._filesystem()
        paths = [f"{root}/{part['file']}" for part in manifest["partitions"] if part["n_rows"]]
        return package("pyarrow.dataset").dataset(paths, format="parquet", filesystem=filesystem)


def fingerprint_of(frame: Any) -> str:
    """Return a fingerprint of rows: of the names, types and values, in their order."""
    import hashlib

    pandas = package("pandas")
    digest = hashlib.sha256(repr([(str(name), str(dtype)) for name, dtype in frame.dtypes.items()]).encode())
    digest.update(np.ascontiguousarray(pandas.util.hash_pandas_object(frame, index=False).to_numpy()).data)
    return digest.hexdigest()
