"""The .skd file format: a Program's arrays as raw bytes, everything else as JSON, nothing executable.

The layout of a file::

    magic      8 bytes
    lengths    protocol, bytes of the packed JSON, bytes of the JSON (uint32 each), bytes of the arrays (uint64)
    structure  JSON, packed by zlib: the ops, the class labels (null for a regressor), the versions, the fingerprint
    arrays     in the order in which the ops name them, little-endian, in C order
    digest     SHA-256 of everything before it

An array is stored in the smallest type that holds each of its numbers exactly. Reading restores its
original type.

Protocols: files of every earlier protocol keep loading. To change what is written, or what
:meth:`Program.fingerprint` hashes, add one to PROTOCOL, keep :func:`read` able to read the older
protocols, and commit a small file of the new protocol to tests/data/. A new op needs no new protocol:
a version that does not know the op raises an error that names it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from ._ops import (
    DATE_PARTS,
    Affine,
    Bound,
    Clip,
    DateParts,
    Indicate,
    LookupAffine,
    Op,
    Piecewise,
    Quantiles,
    Standardize,
    Unstandardize,
)
from ._program import OPS, Program, run
from ._table import Columns, words_in
from ._text_cells import is_form
from ._tree import Tree

Array = NDArray[Any]

#: The protocol of written files; reading a file of a higher protocol raises ValueError.
PROTOCOL = 1

_MAGIC = b"\x93skd\r\n\x1a\n"
_LENGTHS = struct.Struct("<IIIQ")
_START = len(_MAGIC) + _LENGTHS.size
_DIGEST = hashlib.sha256().digest_size
#: The largest structure in bytes; that of a table of 1,000 columns with 256 levels each has 5 MB.
_LONGEST = 64 * 2**20
#: How many times its packed bytes a structure may have: one of empty lists fills the memory from few.
_DENSEST = 50
_CHUNK = 2**20
#: The most columns of a row.
_MOST_COLUMNS = 2**24

_FLOATS = ("<f2", "<f4", "<f8")
_INTEGERS = ("|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8")
_TYPES = frozenset({*_FLOATS, *_INTEGERS, "|b1"})
_LABELS = _TYPES | {"<U", "|O"}


@dataclass(frozen=True)
class Saved:
    """The contents of a file.

    Parameters
    ----------
    program : Program
        The Program.
    classes : ndarray of shape (n_classes,) or None
        The class labels; None for a regressor.
    versions : dict of str to str
        The versions of the packages that wrote it.
    """

    program: Program
    classes: Array | None
    versions: dict[str, str]


#: Evaluating annotations is slow; each op's are evaluated once.
_type_hints = cache(get_type_hints)


class _Fault(ValueError):  # noqa: N818
    """A fault of a file; the message does not name the file yet."""


def _check(fits: Any, fault: str) -> None:
    if not fits:
        raise _Fault(fault)


def _plain(values: Any) -> bool:
    """Tell whether all values are strings, booleans or numbers."""
    return all(isinstance(one, str | bool | int | float) for one in values)


# --------------------------------------------------------------------------------------- writing


def dumps(program: Program, classes: Array | None, versions: Mapping[str, str]) -> bytes:
    """Serialise a Program and its class labels to the bytes of a file.

    Parameters
    ----------
    program : Program
        The Program.
    classes : ndarray of shape (n_classes,) or None
        The class labels: numbers, booleans or strings. None for a regressor.
    versions : mapping of str to str
        The versions of the packages that write the file.

    Returns
    -------
    content : bytes
        The contents of the file.

    Raises
    ------
    TypeError
        If a file cannot hold the type of an op or of a class label; the message names it.
    """
    pieces: list[bytes] = []
    ops = [_op_out(op, pieces) for op in program.ops]
    labels = None if classes is None else _labels_out(classes)
    arrays = b"".join(pieces)
    # the fingerprint is that of the Program as it will be read: an enum level, for instance, becomes its value
    again = _program_in(ops, _Arrays(arrays))
    structure = {"ops": ops, "classes": labels, "versions": dict(versions), "fingerprint": again.fingerprint()}
    text = json.dumps(structure, separators=(",", ":")).encode()
    packed = zlib.compress(text, 9)
    content = _MAGIC + _LENGTHS.pack(PROTOCOL, len(packed), len(text), len(arrays)) + packed + arrays
    return content + hashlib.sha256(content).digest()


def _op_out(op: Op, pieces: list[bytes]) -> list[Any]:
    name = type(op).__name__
    if OPS.get(name) is not type(op):
        raise TypeError(f"A file cannot hold the op {name}, which this Program has.")
    return [name, {field: _value_out(value, pieces) for field, value in op.state().items()}]


def _value_out(value: Any, pieces: list[bytes]) -> Any:
    if isinstance(value, np.ndarray):
        own = value.dtype.newbyteorder("<").str
        stored = _smallest(value, own)
        pieces.append(np.ascontiguousarray(value, dtype=stored).tobytes())
        return [own, stored, list(value.shape)]
    if isinstance(value, dict):
        return [list(value), list(value.values())]
    if isinstance(value, tuple):
        return [_value_out(one, pieces) for one in value]
    return value


def _smallest(value: Array, own: str) -> str:
    """Return the smallest type that holds every number exactly; `own` is the array's own type."""
    names = _FLOATS if value.dtype.kind == "f" else _INTEGERS
    with np.errstate(over="ignore"):
        return next((name for name in names if (value.astype(name) == value).all()), own)


def _labels_out(classes: Array) -> list[Any]:
    """Return the type of the class labels, and the labels."""
    kind = "<U" if classes.dtype.kind in "UT" else classes.dtype.newbyteorder("<").str
    values = [one.item() if isinstance(one, np.generic) else one for one in classes.tolist()]
    if not _plain(values) or kind not in _LABELS:
        raise TypeError(
            f"A file holds class labels that are strings, numbers or booleans; these are {classes.dtype}, for example "
            f"{values[0]!r}."
        )
    return [kind, values]


# --------------------------------------------------------------------------------------- reading


def read(path: str | os.PathLike[str]) -> Saved:
    """Read a file that :func:`dumps` made.

    Nothing in the file is executed, and no more memory is allocated than its size justifies.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    saved : Saved
        The contents.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file has another format, is damaged, or has a later protocol.
    """
    try:
        with Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            start = file.read(_START)
            n_packed, n_structure, n_arrays = _check_start(start, size)
            # the contents of a huge file are loaded only after its digest has been checked
            digest, left = hashlib.sha256(start), size - _START - _DIGEST
            while left > 0 and (chunk := file.read(min(left, _CHUNK))):
                digest.update(chunk)
                left -= len(chunk)
            _check(digest.digest() == file.read(_DIGEST), "its bytes are not those that were written")
            file.seek(_START)
            return _decode(file.read(n_packed), file.read(n_arrays), n_structure)
    except _Fault as fault:
        raise ValueError(f"{os.fspath(path)!r} cannot be loaded: {fault}.") from fault.__cause__


def _decode(packed: bytes, arrays: bytes, n_structure: int) -> Saved:
    # a file with a correct digest may still be malicious
    try:
        structure = _unpack(packed, n_structure)
        program = _program_in(structure["ops"], _Arrays(arrays))
        classes = None if structure["classes"] is None else _labels_in(*structure["classes"])
        _check_runs(program, classes, len(arrays))
        versions = {str(name): str(version) for name, version in structure["versions"].items()}
        same = program.fingerprint() == structure["fingerprint"]
        _check(same, "its fingerprint is not that of the Program that it holds")
    except _Fault:
        raise
    except Exception as error:
        raise _Fault(f"it holds no Program that runs ({type(error).__name__}: {error})") from error
    return Saved(program, classes, versions)


def _check_start(start: bytes, size: int) -> tuple[int, int, int]:
    """Check the magic bytes, the protocol and the lengths at the start of a file; return the lengths."""
    _check(start.startswith(_MAGIC), "it is not a file that export('....skd') has written")
    _check(len(start) == _START, f"it ends after {size} bytes")
    protocol, packed, structure, arrays = _LENGTHS.unpack(start[len(_MAGIC) :])
    ours = f"this skdistill reads protocols up to {PROTOCOL}; a later skdistill has written it"
    _check(protocol <= PROTOCOL, f"it is of protocol {protocol}, and {ours}")
    _check(protocol > 0, "there is no protocol 0")
    wanted = _START + packed + arrays + _DIGEST
    _check(size == wanted, f"it has {size} bytes, and should have {wanted}")
    most = min(_LONGEST, _DENSEST * packed + 2**20)
    _check(structure <= most, f"it claims a structure of {structure} bytes, more than {most}")
    return packed, structure, arrays


def _unpack(packed: bytes, length: int) -> Any:
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(packed, length + 1)
    whole = len(text) == length and unpacker.eof and not unpacker.unused_data
    _check(whole, "its structure has another length than it claims")
    return json.loads(text)


class _Arrays:
    """Reads the arrays of a file one after the other."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.at = 0

    def next(self, own: Any, stored: Any, shape: Any) -> Array:
        _check(own in _TYPES and stored in _TYPES, f"it claims an array of type {own!r}, stored as {stored!r}")
        total = len(self.content)
        # no side may be longer than the file, even if another side is zero
        fits = len(shape) <= 2 and all(type(side) is int and 0 <= side <= total for side in shape)
        _check(fits, f"it claims an array of shape {shape!r}")
        count = math.prod(shape)
        n_bytes, left = count * np.dtype(stored).itemsize, total - self.at
        _check(n_bytes <= left, f"it claims an array of {n_bytes} bytes where {left} are left")
        found = np.frombuffer(self.content, dtype=stored, count=count, offset=self.at)
        self.at += n_bytes
        return found.astype(np.dtype(own).newbyteorder("=")).reshape(shape)


def _field_in(kind: Any, value: Any, arrays: _Arrays) -> Any:
    """Return a field of an op, checked against the type that the op's class declares."""
    # since numpy 2.5, NDArray is an alias with a name of its own
    origin, of = np.ndarray if get_origin(kind) is NDArray else get_origin(kind), get_args(kind)
    if origin is UnionType:
        return None if value is None else _field_in(of[0], value, arrays)
    if origin is np.ndarray:
        return arrays.next(*value)
    if origin is tuple:
        return tuple(_field_in(of[0], one, arrays) for one in value)
    if origin is dict:
        keys, codes = value
        _check(_plain(key for key in keys if key is not None), "it holds a level that is neither a string nor a number")
        _check(all(type(one) in (int, float) for one in codes), "it holds a code that is not a number")
        return dict(zip(keys, codes, strict=True))
    fits = type(value) is kind or (kind is float and type(value) is int)
    _check(fits, f"it holds {value!r} where a {kind.__name__} should be")
    return kind(value)


def _program_in(ops: Any, arrays: _Arrays) -> Program:
    found = []
    for name, values in ops:
        _check(name in OPS, f"it holds an op {name!r}, and there is none of that name")
        kinds, own = _type_hints(OPS[name]), fields(OPS[name])  # type: ignore[arg-type]
        # a field that may be left out is None by default
        declared = [field.name for field in own if field.name in values or field.default is not None]
        _check(list(values) == declared, f"its op {name} holds {list(values)} and should hold {declared}")
        found.append(OPS[name](**{key: _field_in(kinds[key], value, arrays) for key, value in values.items()}))
    left = len(arrays.content) - arrays.at
    _check(left == 0, f"it holds {left} bytes that belong to no op")
    return Program(found)


def _labels_in(kind: Any, values: Any) -> Array:
    _check(_plain(values), "it holds a class label that is neither a string nor a number")
    _check(kind in _LABELS, f"it claims class labels of type {kind!r}")
    return np.array(values, dtype=np.dtype(kind).newbyteorder("="))


def _check_runs(program: Program, classes: Array | None, n_bytes: int) -> None:
    """Check that the parts of a Program fit each other by predicting a row whose values are all missing."""
    entry = program.ops[0]
    if isinstance(entry, Bound):
        _check(0 < entry.n_columns <= n_bytes, f"it claims {entry.n_columns} columns")
        row = np.zeros((1, entry.n_columns))
    else:
        assert isinstance(entry, Columns)
        _check_columns(entry)
        row = np.full((1, len(entry.sources)), np.nan)
        row[0, : len(entry.sizes)] = np.array(entry.sizes, dtype=np.float64) - 1.0
    _check_ops(program)
    with np.errstate(all="ignore"):
        outputs = run(row, program.ops[1:])
    same = (classes is None) == (program.n_outputs is not None)
    _check(same, "it holds class labels and the Program of a regressor, or neither")
    wanted, what = (program.n_outputs, "outputs") if classes is None else (len(classes), "class labels")
    fault = f"it holds {wanted} {what}, and its Program returns shape {outputs.shape}"
    _check(outputs.shape == (1, wanted), fault)


def _check_columns(entry: Columns) -> None:
    with_levels = [kind for kind in entry.kinds if kind in ("category", "rank")]
    n_categories = with_levels.count("category")
    n_unused = entry.n_columns - len(set(entry.sources))
    fits = (
        len(entry.kinds) == len(entry.sources)
        and set(entry.kinds) <= {"category", "rank", "number", "datetime", "word"}
        and set(entry.kinds[:n_categories]) <= {"category"}
        and len(entry.levels) == len(with_levels)
        and len(entry.sizes) == n_categories
        and all(size >= 2 for size in entry.sizes)
        and 0 < entry.n_columns <= _MOST_COLUMNS
        and len(entry.words or ()) == entry.kinds.count("word")
        and all(words_in(word) == {word.encode()} for word in entry.words or ())
        and (entry.forms is None or len(entry.forms) == len(entry.kinds))
        and all(is_form(kind, form) for kind, form in zip(entry.kinds, entry.forms or (), strict=False))
        and (entry.unused is None or len(entry.unused) == n_unused)
        and set(entry.unused or ()) <= {"number", "datetime", "text", "level"}
        and all(0 <= source < entry.n_columns for source in entry.sources)
        and all(
            0 <= code < size
            for levels, size in zip(entry.levels, entry.sizes, strict=False)
            for code in levels.values()
        )
        and all(0 <= source < entry.n_columns for source in entry.spans or ())
        and all(
            names is None or len(set(names)) == len(names) == entry.n_columns for names in (entry.names, entry.numbered)
        )
    )
    _check(fits, "its columns do not fit each other")


def _check_ops(program: Program) -> None:
    """Check each op against the columns that reach it: what it names is there, and its arrays fit each other."""
    entry = program.ops[0]
    sizes = entry.sizes if isinstance(entry, Columns) else ()
    n_codes, width = len(sizes), len(entry.sources) if isinstance(entry, Columns) else entry.n_columns  # type: ignore[attr-defined]
    starts = np.cumsum([0, *sizes])
    for op in program.ops[1:]:
        name, state = type(op).__name__, op.state()
        arrays = {key: value for key, value in state.items() if isinstance(value, np.ndarray)}
        numbers = [
            value for key, value in arrays.items() if value.dtype.kind == "f" and key not in ("thresholds", "ranks")
        ]
        _check(all(np.isfinite(value).all() for value in numbers), f"its op {name} holds a number that is not finite")
        fits = True
        if isinstance(op, DateParts | Indicate | Piecewise | Clip):
            n = len(op.columns)
            fits = all(n_codes <= int(column) < width for column in op.columns)
            fits &= all(len(state[key]) == n for key in ("parts", "lower", "width", "upper") if key in state)
            if isinstance(op, DateParts):
                fits &= set(op.parts) <= set(DATE_PARTS)
            elif isinstance(op, Clip):
                fits &= bool((op.lower <= op.upper).all())
            elif isinstance(op, Piecewise):
                fits &= bool((op.width > 0).all())
            fits &= _of_types(arrays, columns="i8", lower="f8", width="f8", upper="f8")
            width += 0 if isinstance(op, Clip) else n
        elif isinstance(op, Standardize | Quantiles):
            n = len(op.fill)
            fits = n_codes <= op.start <= op.start + n <= width
            fits &= all(len(state[key]) == n for key in ("mean", "scale", "knots") if key in state)
            fits &= not isinstance(op, Standardize) or bool((op.scale > 0).all() and op.limit > 0)
            fits &= not isinstance(op, Quantiles) or op.knots.shape[1:] == op.scores.shape
            fits &= _of_types(arrays, **dict.fromkeys(("mean", "scale", "fill", "knots", "scores"), "f8"))
        elif isinstance(op, LookupAffine | Affine | Tree):
            if not isinstance(op, Affine):
                table = op.ranks if isinstance(op, Tree) else op.tables
                fits = op.offsets.tolist() == starts[:-1].tolist() and len(table) == starts[-1]
            if isinstance(op, Tree):
                _check_tree(op)
                fits &= bool(((op.columns >= 0) & (op.columns < width)).all())
                width, n_codes = op.values.shape[1], 0
            else:
                n_dense = width - n_codes if isinstance(op, LookupAffine) else width
                fits &= op.weight.shape == (n_dense, len(op.bias)) and op.bias.ndim == 1
                fits &= all(
                    state.get(key) is None or state[key].shape == op.bias.shape for key in ("scale", "tables_scale")
                )
                width, n_codes = len(op.bias), 0
            fits &= _of_types(
                arrays, bias="f4", scale="f4", tables_scale="f4", values_scale="f4", offsets="i8", columns="i8"
            )
            fits &= all(
                arrays[key].dtype.str[1:] in ("f4", "f2", "i1")
                for key in ("weight", "tables", "values")
                if key in arrays
            )
        elif isinstance(op, Unstandardize):
            fits = all(value.shape == (width,) for value in arrays.values())
            fits &= _of_types(arrays, center="f8", scale="f8", lower="f8", upper="f8")
            fits &= op.lower is None or op.upper is None or bool((op.lower <= op.upper).all())
        _check(fits, f"the parts of its op {name} do not fit each other, or the columns before it")


def _of_types(arrays: Mapping[str, Array], **types: str) -> bool:
    """Tell whether arrays have the types of their names."""
    return all(value.dtype.str[1:] == types[key] for key, value in arrays.items() if key in types)


def _check_tree(tree: Tree) -> None:
    """Check that each node of a tree leads to a later node or to a leaf, so that every path ends."""
    nodes = np.arange(len(tree.columns))
    for following in (tree.left, tree.right):
        inner = following >= 0
        ends = (following[inner] > nodes[inner]).all() and (~following[~inner] < len(tree.values)).all()
        _check(ends, "its tree has a node that leads nowhere or back")
