"""Native code: compiles the ops after a Program's entry with the machine's C compiler, and predicts with them."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..program import Bound, Columns, Op, Program, ops, real_weights, run, split
from ._c import C_OPS, Module
from ._c_ops import activated, transformed_back
from ._c_printer import FUNCTIONS
from ._c_text import array, number
from ._files import check_ops, write_files

Array = NDArray[Any]
_FLOAT64 = np.dtype(np.float64)

#: A product and a sum may be one instruction, which rounds once.
_FLAGS = ("-std=c99", "-O3", "-ffp-contract=fast", "-fPIC", "-shared")
#: For this machine's processor: compilers use its widest registers only with this flag.
_NATIVE_FLAGS = ("-march=native", "-mprefer-vector-width=512")
#: Logits of the trial may differ from numpy's by this, or by this part of them: layers are computed in float.
_TOLERANCE = 1e-4
#: Rows of the trial: not a multiple of the rows that native.c computes together, so that some are computed one by one.
_N_TRIAL = 67
#: A last layer of fewer outputs than this is a sum over its inputs for each output.
_FEW = 4
#: With more bins a column than this, to find the one that a number is in takes less time than to compute all.
_MANY = 32
#: Seconds that the compiler may take.
_PATIENCE = 600.0


#: What the library consists of beside exported code.
_NATIVE = files(__package__).joinpath("native.c").read_text("utf-8")
#: The width of a row in its arrays is a multiple of this, the numbers in the widest vector of native.c.
_LANES = 16


class Unavailable(Exception):  # noqa: N818
    """The reason why there is no native code."""


class NativeProgram(Program):
    """A Program whose ops after the entry run as compiled C.

    :func:`compiled` makes it. Pickled, it is a Program that answers with numpy.

    Parameters
    ----------
    ops : sequence of Op
        The operations.
    library : path
        The shared library.
    n_logits : int
        The number of outputs of the last layer.
    """

    __slots__ = ("_as_they_are", "_logits", "_logits_of_one", "_one_row", "answer", "answers", "library")

    def __init__(self, ops: Sequence[Op], library: Path, n_logits: int) -> None:
        super().__init__(ops)
        self.library = library
        try:
            loaded = ctypes.CDLL(str(library))
        except OSError as error:
            raise Unavailable(f"{str(library)!r} cannot be loaded ({error})") from error
        function, n_answers = loaded.skdistill_rows, self.n_outputs or max(n_logits, 2)
        function.argtypes = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_int, ctypes.c_void_p)
        function.restype = None
        entry = self.ops[0]
        self._as_they_are, self._one_row = isinstance(entry, Columns) and entry.identity, (1, _width(self))
        self.answer, self.answers = (of(function, False, n_answers) for of in (_of_one_row, _of_rows))
        self._logits_of_one, self._logits = (of(function, True, n_logits) for of in (_of_one_row, _of_rows))

    def __call__(self, X: Any) -> Array:
        """Return the class probabilities of rows, or a regressor's predictions.

        Parameters
        ----------
        X : array or frame of shape (n_rows, n_columns), dict, or list of dict
            Rows in the form they had in fit. They are not validated.

        Returns
        -------
        outputs : ndarray of shape (n_rows, n_classes) or (n_rows, n_outputs)
            Probabilities, or predictions in the target's unit, in float64.
        """
        # the entry would only copy these
        if self._as_they_are and type(X) is np.ndarray and X.dtype is _FLOAT64:
            if X.shape == self._one_row:
                return self.answer(X)
            if X.shape[1:] == self._one_row[1:]:
                return self.answers(X)
        Z = self._entry(X)
        return self.answer(Z) if Z.shape[0] == 1 else self.answers(Z)

    def logits(self, X: Any) -> Array:
        """Return the logits of rows, or a regressor's standardised predictions.

        Parameters
        ----------
        X : array or frame of shape (n_rows, n_columns), dict, or list of dict
            As in a call.

        Returns
        -------
        logits : ndarray of shape (n_rows, n_classes), or (n_rows, 1) for two classes
            The input of the last op, in float64.
        """
        Z = self._entry(X)
        return self._logits_of_one(Z) if Z.shape[0] == 1 else self._logits(Z)


def _of_rows(function: Any, logits: bool, n_out: int) -> Callable[[Array], Array]:
    """Return a function of rows as the entry returns them; other threads go on while ctypes runs the library's."""

    def call(Z: Array) -> Array:
        Z = np.ascontiguousarray(Z, dtype=np.float64)
        out = np.empty((len(Z), n_out))
        function(Z.ctypes.data, len(Z), logits, out.ctypes.data)
        return out

    return call


def _of_one_row(function: Any, logits: bool, n_out: int) -> Callable[[Array], Array]:
    """Return a function of one row of float64.

    To ask an array for its address takes longer than to copy a row: bytes are their address to ctypes, and each thread
    has an array for the answer.
    """
    local = threading.local()

    def call(Z: Array) -> Array:
        try:
            answer, address = local.answer
        except AttributeError:
            answer = np.empty((1, n_out))
            local.answer = answer, (address := answer.ctypes.data)
        function(Z.tobytes(), 1, logits, address)
        return answer.copy()

    return call


def _width(program: Program) -> int:
    """Return the number of columns that the entry returns."""
    entry = program.ops[0]
    assert isinstance(entry, Columns)
    return len(entry.sources)


def compiled(program: Program) -> NativeProgram:
    """Compile a Program, or load it from the cache, and compare it with numpy.

    Parameters
    ----------
    program : Program
        The Program.

    Returns
    -------
    native : NativeProgram
        The same Program in native code.

    Raises
    ------
    Unavailable
        If there is no compiler, it fails, or its code does not give numpy's answers; the message says which.
    TypeError
        If the Program has an op that C has no printer for.
    """
    check_ops(program, C_OPS, "C")
    if isinstance(program.ops[0], Bound):
        raise Unavailable("scipy multiplies the rows of a sparse matrix")
    if program.ops[-1].magnifies:
        name = type(program.ops[-1]).__name__
        raise Unavailable(f"native code computes layers in float32, whose rounding this {name} magnifies")
    try:
        return _compiled(program)
    except (OSError, RuntimeError, ValueError, AttributeError) as error:
        # no home, no space, no temporary folder, a compiler of another language, ...
        raise Unavailable(f"{type(error).__name__}: {error}") from error


def _compiled(program: Program) -> NativeProgram:
    sources, n_logits = _sources(program)
    command, machine = _compiler()
    key = hashlib.sha256("\0".join([*sources.values(), *command, machine]).encode()).hexdigest()[:40]
    folder = _cache()
    library = _found(folder, key) or _build(command, sources, folder, key)
    native = NativeProgram(program.ops, library, n_logits)
    _try(native, program)
    return native


def _found(folder: Path, key: str) -> Path | None:
    """Return the library of a key that is as it was built, as its name says; to load a damaged one ends the process."""
    for path in folder.glob(f"{key}-*"):
        if path.name == _name_of(path.read_bytes(), key):
            return path
        path.unlink(missing_ok=True)
    return None


def _name_of(content: bytes, key: str) -> str:
    return f"{key}-{hashlib.sha256(content).hexdigest()[:16]}{'.dll' if sys.platform == 'win32' else '.so'}"


def _sources(program: Program) -> tuple[dict[str, str], int]:
    """Return the files of the library, and the number of logits.

    ``model.c`` is the exported code of a row that comes as the entry returns it, ``first.c`` that of a net's first
    layer, or of its encoder, alone, and ``native.c`` asks them for many rows.
    """
    last: Any = program.ops[-1]
    model = _logits_of(program.ops[:-1], "model")
    sources = dict(zip(("model.c", "model.h"), model.print(), strict=True))
    n = model.width
    known: dict[str, Any] = {"WIDTH": _width(program), "N_LOGITS": n, "N_ANSWERS": max(n, 2)}
    arrays: dict[str, Array] = {}
    if isinstance(last, ops.Unstandardize):
        known |= {"N_ANSWERS": n, "REGRESSES": 1, "TRANSFORMED_BACK": transformed_back(last, "out[j]", "power[j]")}
        edges = {"lower": (last.lower, -np.inf), "upper": (last.upper, np.inf)}
        arrays = {"center": last.center, "scale": last.scale}
        arrays |= {name: np.full(n, none) if edge is None else edge for name, (edge, none) in edges.items()}
    if isinstance(last, ops.Sigmoid):
        known |= {"SIGMOID": 1}
    if isinstance(last, ops.OneVsRest):
        known |= {"ONE_VS_REST": 1}
    text = [f"#define {name} {value}" for name, value in known.items()]
    parts = split(program)
    if parts is not None and len(parts[1]) > 1 and model.real == "float":
        encoder, layers, activations = parts
        # beside a layer without tables and bins, it takes long to list the inputs that are not zero
        plain = isinstance(layers[0], ops.Affine) and not isinstance(encoder[-1], ops.Piecewise)
        alone = plain and len(layers[0].weight) > 0
        first = _logits_of(encoder if alone else [*encoder, layers[0]], "first")
        sources |= dict(zip(("first.c", "first.h"), first.print(), strict=True))
        if alone:
            text += _layers(first.width, layers, [None, *activations], arrays)
        else:
            text += _layers(first.width, layers[1:], activations, arrays)
    elif parts is not None and len(parts[1]) == 1 and n < _LANES:
        text += _only_layer(parts[0], parts[1][0], arrays)
    text += [array(name, values, " __attribute__((aligned(64)))") for name, values in arrays.items()]
    sources["parts.h"] = "\n".join(text) + "\n"
    sources["native.c"] = _NATIVE
    return sources, n


def _logits_of(steps: Sequence[Op], stem: str) -> Module:
    """Return the code of ops that end in a layer or a tree, or are an encoder alone."""
    # what is printed for the classes is not called
    return Module(Program([*steps, ops.Softmax()]), np.arange(2), stem, encoded=True)


def _layers(
    n_first: int, layers: Sequence[Any], activations: Sequence[Op | None], arrays: dict[str, Array]
) -> list[str]:
    """Add the weights of the layers after `n_first` numbers, and return what ``native.c`` needs to know of them.

    Each activation comes before its layer; None is no activation.
    """
    sizes = [n_first, *(len(layer.bias) for layer in layers)]
    padded = [-(-size // _LANES) * _LANES for size in sizes]
    given, result, steps = "a", "b", []
    for at, (layer, activation) in enumerate(zip(layers, activations, strict=True)):
        if activation is not None:
            applied = activated(activation, f"{given}[i]", "f")
            steps.append(f"for (int i = 0; i < ROWS * {padded[at]}; i++) {given}[i] = {applied};")
        weight = real_weights(layer.weight, layer.scale).astype(np.float32)
        if layer is layers[-1] and sizes[-1] < _FEW:
            by_output = np.pad(weight.T, ((0, 0), (0, padded[at] - sizes[at])))
            arrays |= {f"weight_{at}": by_output, f"bias_{at}": layer.bias}
            steps.append(f"narrow({given}, {padded[at]}, weight_{at}, bias_{at}, z);")
            break
        margin = (0, padded[at + 1] - sizes[at + 1])
        arrays |= {f"weight_{at}": np.pad(weight, ((0, 0), margin)), f"bias_{at}": np.pad(layer.bias, margin)}
        weights = f"weight_{at}, bias_{at}, {padded[at + 1]}"
        steps.append(f"dense({given}, {sizes[at]}, {padded[at]}, {weights}, {result});")
        given, result = result, given
    else:
        copied = f"memcpy(z + r * N_LOGITS, {given} + r * {padded[-1]}, N_LOGITS * sizeof *z);"
        steps.append(f"for (int r = 0; r < ROWS; r++) {copied}")
    known = {"FIRST_PADDED": padded[0], "WIDEST": max(padded), "LAYERS": " ".join(steps)}
    return [f"#define {name} {value}" for name, value in known.items()]


def _only_layer(encoder: Sequence[Op], layer: Any, arrays: dict[str, Array]) -> list[str]:
    """Add the constants of a student of one layer and its encoder, and return what ``native.c`` needs to know of them.

    It returns nothing if the encoder does more than to standardise all numbers and to divide each into a few bins; then
    rows are computed one by one.
    """
    entry: Any = encoder[0]
    found: dict[type[Op], Any] = {type(op): op for op in encoder[1:]}
    standardize, n_codes = found.pop(ops.Standardize, None), len(entry.sizes)
    n, n_out, none = len(entry.sources) - n_codes, len(layer.bias), np.zeros(0, dtype=np.int64)
    indicate = found.pop(ops.Indicate, ops.Indicate(none))
    bins = found.pop(ops.Piecewise, ops.Piecewise(none, np.zeros(0), np.zeros(0)))
    columns, order = bins.columns - n_codes, np.argsort(bins.columns, kind="stable")
    if found or standardize is None or (standardize.start, len(standardize.mean)) != (n_codes, n):
        return []
    if (columns >= n).any() or len(columns) > _MANY * n:
        return []
    weight, factor = real_weights(layer.weight, layer.scale), 1.0 / standardize.scale
    if_missing = np.zeros((n, n_out))
    if_missing[indicate.columns - n_codes] = weight[n : n + len(indicate.columns)]
    filled = (standardize.fill - standardize.mean) * factor
    arrays |= {"mean": standardize.mean, "factor": factor, "filled": filled, "if_missing": if_missing}
    arrays |= {"bias": layer.bias.astype(np.float64), "slope": weight[:n]}
    arrays |= {"first_bin": np.searchsorted(columns[order], np.arange(n + 1)).astype(np.int32)}
    of_bins = {"edge": bins.lower, "per_width": 1.0 / bins.width, "of_bin": weight[len(weight) - len(columns) :]}
    # no array is empty
    arrays |= {name: np.append(values[order], 0.0) for name, values in of_bins.items()}
    arrays |= {"offsets": np.zeros(1, dtype=np.int32), "tables": np.zeros(1)}
    if isinstance(layer, ops.LookupAffine):
        arrays |= {"offsets": layer.offsets.astype(np.int32), "tables": real_weights(layer.tables, layer.tables_scale)}
    return [f"#define N_CODES {n_codes}", f"#define LIMIT {number(standardize.limit)}", FUNCTIONS["squashed"]]


def _compiler() -> tuple[list[str], str]:
    """Return the command of the compiler, and what it says of its version and of this machine's processor."""
    named = os.environ.get("CC")
    command = shlex.split(named) if named else [next(filter(shutil.which, ("cc", "gcc", "clang")), "")]
    if not command or not shutil.which(command[0]):
        looked = f"CC={named!r} is none" if named else "cc, gcc and clang were not found; the variable CC names another"
        raise Unavailable(f"there is no C compiler ({looked})")
    command += _FLAGS
    about = ["-dM", "-E", "-x", "c", os.devnull]
    try:
        return [*command, *_NATIVE_FLAGS], _run([*command, *_NATIVE_FLAGS, *about])
    except Unavailable:
        # not every compiler knows them on every processor
        return command, _run([*command, *about])


def _run(command: list[str], folder: str | None = None) -> str:
    """Run a command to its end, and return what it prints."""
    try:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"the compiler does not run ({error})") from error
    if done.returncode:
        raise Unavailable(f"{shlex.join(command)} fails: {done.stderr.strip()[:500]}")
    return done.stdout


def _cache() -> Path:
    """Return the cache folder; no other user may have write access to it."""
    caches = {"win32": os.environ.get("LOCALAPPDATA", ""), "darwin": "~/Library/Caches"}.get(sys.platform, "~/.cache")
    folder = Path(os.environ.get("XDG_CACHE_HOME") or caches).expanduser() / "skdistill"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError as error:
        raise Unavailable(f"{str(folder)!r} cannot be made ({error}); XDG_CACHE_HOME names another folder") from error
    if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
        raise Unavailable(f"others may write to {str(folder)!r}, and what lies there is executed; chmod 700 it")
    return folder


def _build(command: list[str], sources: dict[str, str], folder: Path, key: str) -> Path:
    """Compile sources to a library, atomically."""
    with tempfile.TemporaryDirectory() as scratch:
        for name, text in sources.items():
            Path(scratch, name).write_text(text, "utf-8")
        _run([*command, *(name for name in sources if name.endswith(".c")), "-o", "library", "-lm"], scratch)
        content = Path(scratch, "library").read_bytes()
    library = folder / _name_of(content, key)
    write_files({library: content})
    return library


def _try(native: NativeProgram, program: Program) -> None:
    """Check native code against numpy on encoded rows of all kinds."""
    entry = program.ops[0]
    assert isinstance(entry, Columns)
    rng, n_codes = np.random.default_rng(0), len(entry.sizes)
    rows = np.empty((_N_TRIAL, _width(program)))
    rows[:, :n_codes] = rng.integers(0, np.array(entry.sizes, dtype=np.int64), (_N_TRIAL, n_codes))
    # numbers around the constants of the ops, of every magnitude, and missing ones
    known = [
        value.ravel()
        for op in program.ops[1:-1]
        for value in op.state().values()
        if isinstance(value, np.ndarray) and value.dtype.kind == "f"
    ]
    around = rng.choice(np.concatenate([np.zeros(1), *known]), (_N_TRIAL, rows.shape[1] - n_codes))
    size = 10.0 ** rng.uniform(-3.0, 3.0, (_N_TRIAL, 1))
    rows[:, n_codes:] = around + size * rng.standard_normal(around.shape)
    rows[:, n_codes:][rng.random(around.shape) < 0.05] = np.nan
    with np.errstate(all="ignore"):
        wanted = run(rows.copy(), program.ops[1:])
    found = native.answers(rows)
    close = np.abs(found - wanted) <= _TOLERANCE * np.maximum(1.0, np.abs(wanted).max())
    if not close.all():
        raise Unavailable(f"the compiled code answers {found[~close][0]} where numpy answers {wanted[~close][0]}")
