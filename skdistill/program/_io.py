"""The .skd file format: a Program's arrays as raw bytes, everything else as JSON, nothing executable.

The layout of a file::

    magic      8 bytes
    lengths    protocol, bytes of the packed JSON, bytes of the JSON (uint32 each), bytes of the arrays (uint64)
    structure  JSON, packed by zlib: the ops, the class labels (null for a regressor), the versions, the fingerprint,
               the metadata
    arrays     in the order in which the ops name them, little-endian, in C order
    digest     SHA-256 of everything before it

An array is stored in the smallest type that holds each of its numbers exactly. Reading restores its
original type. The fingerprint is :meth:`Program.fingerprint` of the class labels.

Protocols: files of every earlier protocol keep loading. To change what is written, or what
:meth:`Program.fingerprint` hashes, add one to PROTOCOL, keep :func:`read` able to read the older
protocols, and commit a small file of the new protocol to tests/data/. A new op needs no new protocol:
a version that does not know the op raises an error that names it.

1. The fingerprint is of the ops alone, with texts as repr writes them.
2. The fingerprint is of the ops and the class labels.
3. There are metadata.
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

from ._file_checks import MOST_OPS, Fault, check, check_keys, check_program
from ._metadata import check_metadata
from ._ops import Op
from ._program import OPS, Program, labels_of

Array = NDArray[Any]

#: The protocol of written files; reading a file of a higher protocol raises ValueError.
PROTOCOL = 3

_MAGIC = b"\x93skd\r\n\x1a\n"
_LENGTHS = struct.Struct("<IIIQ")
_START = len(_MAGIC) + _LENGTHS.size
_DIGEST = hashlib.sha256().digest_size
#: The largest structure in bytes; that of a table of 1,000 columns with 256 levels each has 5 MB.
_LONGEST = 64 * 2**20
#: How many times its packed bytes a structure may have, and how many values for each of them, beyond the first: few
#: bytes unpack to many empty lists, which fill the memory.
_DENSEST, _FIRST = 50, 2**20
_MOST_VALUES, _FIRST_VALUES = 4, 2**17
_CHUNK = 2**20
#: The most characters of a class label, and of all when each is as long: an array of texts takes that much.
_LONGEST_LABEL, _MOST_IN_LABELS = 2**16, 2**22

_FLOATS = ("<f2", "<f4", "<f8")
_INTEGERS = ("|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8")
_TYPES = frozenset({*_FLOATS, *_INTEGERS, "|b1"})
_LABELS = _TYPES | {"<U", "|O"}
#: The types of a class label, or of a level, which may stand for missing values.
_PLAIN = frozenset({str, bool, int, float})


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
    metadata : dict
        What it says of where it comes from; empty before protocol 3.
    """

    program: Program
    classes: Array | None
    versions: dict[str, str]
    metadata: dict[str, Any]


#: Evaluating annotations is slow; each op's are evaluated once.
_type_hints = cache(get_type_hints)


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


# --------------------------------------------------------------------------------------- writing


def dumps(
    program: Program, classes: Array | None, versions: Mapping[str, str], metadata: dict[str, Any] | None = None
) -> bytes:
    """Serialise a Program and its class labels to the bytes of a file.

    Parameters
    ----------
    program : Program
        The Program.
    classes : ndarray of shape (n_classes,) or None
        The class labels: numbers, booleans or strings. None for a regressor.
    versions : mapping of str to str
        The versions of the packages that write the file.
    metadata : dict, default=None
        What the file is to say of where it comes from; the fingerprint does not cover it.

    Returns
    -------
    content : bytes
        The contents of the file.

    Raises
    ------
    TypeError
        If a file cannot hold the type of an op or of a class label; the message names it.
    ValueError
        If :func:`read` could not read the file; the message says why.
    """
    pieces: list[bytes] = []
    ops = [_op_out(op, pieces) for op in program.ops]
    labels = None if classes is None else _labels_out(classes)
    arrays = b"".join(pieces)
    # the fingerprint is that of what will be read: an enum level, for instance, becomes its value
    read_ops, read_labels = json.loads(json.dumps([ops, labels]))
    try:
        fingerprint = _program_in(read_ops, _Arrays(arrays)).fingerprint(_labels_in(read_labels))
        structure = {"ops": ops, "classes": labels, "versions": dict(versions), "fingerprint": fingerprint}
        structure["metadata"] = metadata or {}
        text = json.dumps(structure, separators=(",", ":")).encode()
        packed = zlib.compress(text, 9)
        start = _MAGIC + _LENGTHS.pack(PROTOCOL, len(packed), len(text), len(arrays))
        content = start + packed + arrays
        _check_start(start, len(content) + _DIGEST)
        _decode(PROTOCOL, packed, arrays, len(text))
    except Fault as fault:
        raise ValueError(f"A file cannot hold this student: {fault}.") from fault.__cause__
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
    kind, values = labels_of(classes)
    if not all(isinstance(one, tuple(_PLAIN)) for one in values) or kind not in _LABELS:
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
            protocol, n_packed, n_structure, n_arrays = _check_start(start, size)
            # the contents of a huge file are loaded only after its digest has been checked
            digest, left = hashlib.sha256(start), size - _START - _DIGEST
            while left > 0 and (chunk := file.read(min(left, _CHUNK))):
                digest.update(chunk)
                left -= len(chunk)
            check(digest.digest() == file.read(_DIGEST), "its bytes are not those that were written")
            file.seek(_START)
            return _decode(protocol, file.read(n_packed), file.read(n_arrays), n_structure)
    except Fault as fault:
        raise ValueError(f"{os.fspath(path)!r} cannot be loaded: {fault}.") from fault.__cause__


def _decode(protocol: int, packed: bytes, arrays: bytes, n_structure: int) -> Saved:
    # a file with a correct digest may still be malicious
    try:
        structure = _unpack(packed, n_structure)
        keys = ["ops", "classes", "versions", "fingerprint", *(["metadata"] if protocol > 2 else [])]
        whole = type(structure) is dict and list(structure) == keys
        if not whole:
            raise Fault(f"its structure is {_brief(structure)}")
        versions = structure["versions"]
        texts = type(versions) is dict and all(type(version) is str for version in versions.values())
        check(texts, f"it claims the versions {_brief(versions)}")
        metadata = _metadata_in(structure.get("metadata", {}))
        program, classes = _program_in(structure["ops"], _Arrays(arrays)), _labels_in(structure["classes"])
        check_program(program, classes, len(packed) + len(arrays))
        fingerprint = program.fingerprint(classes) if protocol > 1 else program._digest(repr).hexdigest()
        check(fingerprint == structure["fingerprint"], "its fingerprint is not that of what it holds")
    except Fault:
        raise
    except Exception as error:
        raise Fault(f"it holds no Program that runs ({type(error).__name__}: {_brief(error)})") from error
    return Saved(program, classes, versions, metadata)


def _metadata_in(stored: Any) -> dict[str, Any]:
    try:
        metadata = check_metadata(stored)
        check(type(metadata.get("user", {})) is dict, "metadata['user'] must be a dict")
    except (TypeError, ValueError) as error:
        raise Fault(f"of its metadata: {_brief(str(error))}") from error
    return metadata


def _check_start(start: bytes, size: int) -> tuple[int, int, int, int]:
    """Check the magic bytes, the protocol and the lengths at the start of a file; return the last two."""
    check(start.startswith(_MAGIC), "it is not a file that export('....skd') has written")
    check(len(start) == _START, f"it ends after {size} bytes")
    protocol, packed, structure, arrays = _LENGTHS.unpack(start[len(_MAGIC) :])
    ours = f"this skdistill reads protocols up to {PROTOCOL}; a later skdistill has written it"
    check(protocol <= PROTOCOL, f"it is of protocol {protocol}, and {ours}")
    check(protocol > 0, "there is no protocol 0")
    wanted = _START + packed + arrays + _DIGEST
    check(size == wanted, f"it has {size} bytes, and should have {wanted}")
    most = min(_LONGEST, _DENSEST * packed + _FIRST)
    check(structure <= most, f"it claims a structure of {structure} bytes, more than {most}")
    return protocol, packed, structure, arrays


def _unpack(packed: bytes, length: int) -> Any:
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(packed, length + 1)
    whole = len(text) == length and unpacker.eof and not unpacker.unused_data
    check(whole, "its structure has another length than it claims")
    n_values = sum(map(text.count, (b",", b":", b"[", b"{")))
    most = _MOST_VALUES * len(packed) + _FIRST_VALUES
    check(n_values <= most, f"its structure has about {n_values} values, more than {most}")
    return json.loads(text, object_pairs_hook=_distinct, parse_constant=_infinite)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    check(len(found) == len(pairs), "its structure names something twice")
    return found


def _infinite(text: str) -> float:
    check(text != "NaN", "its structure holds NaN")
    return float(text)


class _Arrays:
    """Reads the arrays of a file one after the other."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.at = 0

    def next(self, own: Any, stored: Any, shape: Any) -> Array:
        fits = own in _TYPES and stored in _TYPES and (own in _FLOATS) == (stored in _FLOATS)
        check(fits, f"it claims an array of type {_brief(own)}, stored as {_brief(stored)}")
        total = len(self.content)
        # no side may be longer than the file, even if another side is zero
        fits = (
            type(shape) is list and len(shape) <= 2 and all(type(side) is int and 0 <= side <= total for side in shape)
        )
        check(fits, f"it claims an array of shape {_brief(shape)}")
        count = math.prod(shape)
        n_bytes, left = count * np.dtype(stored).itemsize, total - self.at
        check(n_bytes <= left, f"it claims an array of {n_bytes} bytes where {left} are left")
        found = np.frombuffer(self.content, dtype=stored, count=count, offset=self.at)
        self.at += n_bytes
        with np.errstate(over="ignore", invalid="ignore"):
            array = found.astype(np.dtype(own).newbyteorder("="))
        # infinite and missing numbers are looked for later
        same = own in _FLOATS or (array == found).all()
        check(same, f"it claims an array of type {own!r} that holds larger numbers")
        return array.reshape(shape)


def _field_in(kind: Any, value: Any, arrays: _Arrays) -> Any:
    """Return a field of an op, checked against the type that the op's class declares."""
    # since numpy 2.5, NDArray is an alias with a name of its own
    origin, of = np.ndarray if get_origin(kind) is NDArray else get_origin(kind), get_args(kind)
    if origin is UnionType:
        return None if value is None else _field_in(of[0], value, arrays)
    wanted: type = list if origin else kind
    fits = type(value) is wanted or (kind is float and type(value) is int)
    if not fits:
        # not by check, which would write the message of every field
        raise Fault(f"it holds {_brief(value)} where a {wanted.__name__} should be")
    if origin is np.ndarray:
        return arrays.next(*value)
    if origin is tuple:
        if {*map(type, value)} == {of[0]}:
            return tuple(value)
        return tuple(_field_in(of[0], one, arrays) for one in value)
    if origin is dict:
        keys, codes = value
        check({*map(type, keys)} <= _PLAIN | {type(None)}, "it holds a level that is neither a string nor a number")
        check({*map(type, codes)} <= {int, float}, "it holds a code that is not a number")
        check_keys(keys)
        return dict(zip(keys, codes, strict=True))
    return kind(value)


def _program_in(ops: Any, arrays: _Arrays) -> Program:
    check(type(ops) is list and len(ops) <= MOST_OPS, f"it holds other ops than a list of up to {MOST_OPS}")
    found = []
    for name, values in ops:
        check(type(name) is str and name in OPS, f"it holds an op {_brief(name)}, and there is none of that name")
        check(type(values) is dict, f"its op {name} does not hold fields")
        kinds, own = _type_hints(OPS[name]), fields(OPS[name])  # type: ignore[arg-type]
        # a field that may be left out is None by default
        declared = [field.name for field in own if field.name in values or field.default is not None]
        if list(values) != declared:
            raise Fault(f"its op {name} holds {_brief(list(values))} and should hold {declared}")
        found.append(OPS[name](**{key: _field_in(kinds[key], value, arrays) for key, value in values.items()}))
    left = len(arrays.content) - arrays.at
    check(left == 0, f"it holds {left} bytes that belong to no op")
    return Program(found)


def _labels_in(stored: Any) -> Array | None:
    if stored is None:
        return None
    kind, values = stored
    check(
        type(values) is list and {*map(type, values)} <= _PLAIN,
        "it holds a class label that is neither a string nor a number",
    )
    check(kind in _LABELS, f"it claims class labels of type {_brief(kind)}")
    longest = max((len(one) for one in values if type(one) is str), default=0)
    fits = longest <= _LONGEST_LABEL and longest * len(values) <= _MOST_IN_LABELS
    check(fits, f"it holds {len(values)} class labels, one of them of {longest} characters")
    with np.errstate(all="ignore"):
        labels = np.array(values, dtype=np.dtype(kind).newbyteorder("="))
    same = [(type(one), one) for one in labels.tolist()] == [(type(one), one) for one in values]
    check(same, f"its class labels are not of the type {kind} that it claims")
    check_keys(values)
    return labels
