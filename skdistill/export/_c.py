"""The C export: a Program as one .c and one .h of C99 that allocate nothing and need math.h alone."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._version import __version__
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
    Program,
    Quantiles,
    Relu,
    Silu,
    Softmax,
    Standardize,
    Tanh,
    Tree,
)
from ._c_columns import declare_row, enumerator, read_entry
from ._c_functions import FUNCTIONS
from ._c_text import C_TYPES, Names, array, block_comment, comment, identifier, number, smallest, string, utf8
from ._files import check_ops, program_of, write_files

Array = NDArray[Any]

#: A layer whose inputs are known to be smaller than this is computed in float, any other in double.
_SMALL = 1e4
#: The headers of C99, which a header of the same name would hide.
_HEADERS = frozenset(
    """
    assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdarg stdbool stddef stdint
    stdio stdlib string tgmath time wchar wctype
    """.split()  # noqa: SIM905
)


def to_c(student: Any, path: str | os.PathLike[str]) -> None:
    """Write a student as C99: `path` and, beside it, a header of the same name.

    The code allocates nothing, keeps no state, and needs ``math.h`` alone. With ``churn.c`` for a
    path, the header declares ``churn_row``, a struct with a field for each column that the student
    reads (an array ``x`` where the columns are numbers without names), and

    - ``void churn_logits(const churn_row *row, float *out)``, one number for two classes;
    - ``int churn_predict(const churn_row *row)``, an index into ``churn_classes``;
    - ``void churn_predict_proba(const churn_row *row, float *out)``, one number for each class;
    - an enum of the levels of each column of categories, and a function that finds a level by its
      text, such as ``churn_plan_from_string``.

    A missing number is ``NAN``. Encoding is computed in double; layers in float, except where
    their inputs may be large. int8 and float16 weights are stored as such.

    Parameters
    ----------
    student : student or DistilledClassifier
        Fitted.
    path : str or path-like
        The file to write, whose name ends in ".c".

    Raises
    ------
    NotFittedError
        If the student is not fitted.
    TypeError
        If the student did not end as a Program, or holds what C has no printer for.
    ValueError
        If `path` does not end in ".c", or is named as one of C's own headers.
    OSError
        If the files cannot be written.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from skdistill import LinearStudent
    >>> from skdistill.export import to_c
    >>> student = LinearStudent().fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     to_c(student, pathlib.Path(folder, "tiny.c"))
    ...     sorted(path.name for path in pathlib.Path(folder).iterdir())
    ['tiny.c', 'tiny.h']
    """
    program = program_of(student)
    path = Path(path)
    if path.suffix != ".c" or path.stem in _HEADERS:
        raise ValueError(
            f"path must be a name that ends in '.c' and is not that of a header of C's; got {str(path)!r}."
        )
    check_ops(program, {Columns, Bound, Softmax, *_PRINTERS}, "C")
    source, header = _Printer(program, student.classes_, path.stem).print()
    write_files({path: source.encode("ascii"), path.with_suffix(".h"): header.encode("utf-8")})


class _Printer:
    """Prints one Program; each op adds its constants, the functions it calls and its statements."""

    def __init__(self, program: Program, classes: Array, stem: str) -> None:
        self.program = program
        self.stem = stem
        self.prefix = identifier(stem)
        self.upper = self.prefix.upper()
        names = Names(f"{self.upper}_{name}" for name in ("N_CLASSES", "N_LOGITS", "H"))
        self.labels = [str(label) for label in classes.tolist()]
        self.class_names = [names(f"{self.upper}_CLASS_{enumerator(label)}") for label in classes.tolist()]
        entry = program.ops[0]
        assert isinstance(entry, Columns | Bound)
        self.row = read_entry(entry, self.prefix, names)
        self.rom = self.row.rom + sum(len(utf8(label)) + 1 + 4 for label in self.labels)
        self.definitions = list(self.row.definitions)
        self.functions = set(self.row.functions)
        self.statements = [f"/* {type(entry).__name__} */", *self.row.statements]
        self._constants = Names()
        self.n_codes = len(entry.sizes) if isinstance(entry, Columns) else 0
        n_read = len(entry.sources) if isinstance(entry, Columns) else entry.n_columns
        #: How large each number in ``x`` may be.
        self.bounds = np.full(n_read - self.n_codes, LARGEST)
        #: The type that layers are computed in; how many there are; how many numbers the last one leaves in ``h``.
        self.real = "float"
        self.n_layers = 0
        self.width = 0
        #: How long the arrays ``h`` and, for the inputs of a layer that are not zero, ``v`` and ``at`` have to be.
        self.n_hidden = 0
        self.n_listed = 0

    def print(self) -> tuple[str, str]:
        """Return the source and the header."""
        for op in self.program.ops[1:-1]:
            self.say("", f"/* {type(op).__name__} */")
            _PRINTERS[type(op)](self, op)
        copied = "single(h[j])" if self.real == "double" else "h[j]"
        self.say("", _loop("j", self.width, f"out[j] = {self.called(copied)};"))
        return self._source(), self._header()

    def say(self, *lines: str) -> None:
        """Add statements."""
        self.statements += lines

    def called(self, expression: str) -> str:
        """Return an expression, and have the functions that it calls defined."""
        self.functions |= _called(expression)
        return expression

    def constant(self, name: str, values: Array) -> str:
        """Define a constant array; return its name."""
        name = self._constants(name)
        self.definitions.append(array(name, values))
        self.rom += values.nbytes
        return name

    def encode(self, first: int, n: int, expression: str) -> None:
        """Replace or append `n` numbers of ``x``; in the expression, ``X`` is the number and ``i`` its place."""
        x = f"x[i + {first}]" if first else "x[i]"
        self.say(_loop("i", n, f"{x} = {self.called(expression.replace('X', x))};"))

    def append(self, n: int, bound: float) -> int:
        """Make room for `n` more numbers in ``x``, none larger than `bound`; return where."""
        first = len(self.bounds)
        self.bounds = np.append(self.bounds, np.full(n, bound))
        return first

    def _source(self) -> str:
        functions = set(self.functions)
        while more := set().union(*(_called(FUNCTIONS[name].partition("{")[2]) for name in functions)) - functions:
            functions |= more
        position = "uint16_t" if self.n_listed < 0xFFFF else "uint32_t"
        types = [f"typedef {self.real} real;"] if self.n_hidden else []
        if self.n_listed:
            types += [f"typedef {position} position;", "#define END ((position)-1)"]
        literals = ",\n".join(f"    {string(label)}" for label in self.labels)
        blocks = [
            block_comment(self._title()),
            f'#include "{self.stem}.h"\n\n#include <math.h>\n#include <stdint.h>',
            "\n".join(types),
            *(text for name, text in FUNCTIONS.items() if name in functions),
            *self.definitions,
            f"const char *const {self.prefix}_classes[{len(self.labels)}] = {{\n{literals}\n}};",
            self._logits(),
            self._predict(),
            self._predict_proba(),
        ]
        return "\n\n".join(block for block in blocks if block) + "\n"

    def _locals(self) -> list[tuple[str, int, int]]:
        """Return the arrays that the logits take on the stack: each with its length and the bytes of an element."""
        size = {"float": 4, "double": 8}[self.real]
        found = [
            ("int code", self.n_codes, 4),
            ("double x", len(self.bounds), 8),
            ("real h", self.n_hidden, size),
            ("real v", self.n_listed, size),
            ("position at", self.n_listed, 2 if self.n_listed < 0xFFFF else 4),
        ]
        return [local for local in found if local[1]]

    def _logits(self) -> str:
        lines = [f"{name}[{n}];" for name, n, _ in self._locals()]
        statements = self.statements
        if not any("row->" in line for line in statements):
            statements = ["(void)row;", *statements]
        return _function(f"void {self.prefix}_logits(const {self.prefix}_row *row, float *out)", [*lines, *statements])

    def _predict(self) -> str:
        lines = [f"float logits[{self.width}];", f"{self.prefix}_logits(row, logits);"]
        if self.width == 1:
            lines += ["return logits[0] > 0.0f;"]
        else:
            lines[1:1] = ["int best = 0;"]
            lines += [_loop("i", self.width, "if (logits[i] > logits[best]) best = i;"), "return best;"]
        return _function(f"int {self.prefix}_predict(const {self.prefix}_row *row)", lines)

    def _predict_proba(self) -> str:
        n = self.width
        if n == 1:
            lines = [
                "float z, small;",
                f"{self.prefix}_logits(row, &z);",
                "/* of the two, the smaller is computed and the larger is what is left to one */",
                "small = expf(-fabsf(z));",
                "small /= 1.0f + small;",
                "out[0] = z > 0.0f ? small : 1.0f - small;",
                "out[1] = z > 0.0f ? 1.0f - small : small;",
            ]
        else:
            lines = [
                "float top, sum = 0.0f;",
                f"{self.prefix}_logits(row, out);",
                "top = out[0];",
                _loop("i", n, "if (out[i] > top) top = out[i];"),
                _loop("i", n, "sum += out[i] = expf(out[i] - top);"),
                _loop("i", n, "out[i] /= sum;"),
            ]
        return _function(f"void {self.prefix}_predict_proba(const {self.prefix}_row *row, float *out)", lines)

    def _title(self) -> list[str]:
        stack = sum(n * size for _, n, size in self._locals()) + 4 * self.width
        return [
            f"{self.prefix}: a fitted student, printed by skdistill {__version__}.",
            f"Fingerprint of its Program: {self.program.fingerprint()}",
            "",
            f"ROM: {self.rom} bytes of constants, a pointer counted as 4, and the code.",
            f"Stack: {stack} bytes of arrays, and what the compiler needs for calls and registers.",
            "Nothing is allocated and no state is kept: all functions are reentrant. A missing number is NAN, which "
            "-ffast-math does not know; compile without it.",
        ]

    def _header(self) -> str:
        prefix, upper = self.prefix, self.upper
        pairs = enumerate(zip(self.class_names, self.labels, strict=True))
        classes = [f"    {name} = {at}, /* {comment(label)} */" for at, (name, label) in pairs]
        # a comma after the last one is what C++98 has not
        classes[-1] = classes[-1].replace(", /*", " /*", 1)
        counts = [f"    {upper}_N_CLASSES = {len(self.labels)},", f"    {upper}_N_LOGITS = {self.width}"]
        row = f"const {prefix}_row *row"
        kind = "that of the second class, where the first one's is 0" if self.width == 1 else "one for each class"
        blocks = [
            block_comment(self._title()),
            f"#ifndef {upper}_H\n#define {upper}_H",
            '#ifdef __cplusplus\nextern "C" {\n#endif',
            "\n".join(["enum {", *counts, "};"]),
            "\n".join(["/* the classes, in the order of the probabilities */", "enum {", *classes, "};"]),
            f"/* their names, in UTF-8 */\nextern const char *const {prefix}_classes[{len(self.labels)}];",
            *declare_row(self.row, prefix),
            f"/* Logits: {kind}. `out` has room for {upper}_N_LOGITS. */\nvoid {prefix}_logits({row}, float *out);",
            f"/* The most probable class. */\nint {prefix}_predict({row});",
            f"/* A probability for each class. `out` has room for {upper}_N_CLASSES. */\n"
            f"void {prefix}_predict_proba({row}, float *out);",
            "#ifdef __cplusplus\n}\n#endif",
            "#endif",
        ]
        return "\n\n".join(blocks) + "\n"


def _called(text: str) -> set[str]:
    return FUNCTIONS.keys() & set(re.findall(r"\b([a-z_]+)\(", text))


def _loop(index: str, n: int, statement: str) -> str:
    return f"for (int {index} = 0; {index} < {n}; {index}++) {statement}"


def _function(signature: str, lines: list[str]) -> str:
    body = "\n".join(f"    {line}" if line else "" for line in lines)
    return f"{signature}\n{{\n{body}\n}}"


def _date_parts(to: _Printer, op: DateParts) -> None:
    first = to.append(len(op.parts), 31.0)
    for at, (column, part) in enumerate(zip(op.columns, op.parts, strict=True), start=first):
        to.say(f"x[{at}] = {to.called(f'{part}(x[{column - to.n_codes}])')};")


def _indicate(to: _Printer, op: Indicate) -> None:
    first = to.append(len(op.columns), 1.0)
    for at, column in enumerate(op.columns.tolist(), start=first):
        to.say(f"x[{at}] = isnan(x[{column - to.n_codes}]) ? 1.0 : 0.0;")


def _standardize(to: _Printer, op: Standardize) -> None:
    first, n = op.start - to.n_codes, len(op.mean)
    factor = 1.0 / op.scale
    held = {"mean": op.mean, "factor": factor, "filled": (op.fill - op.mean) * factor}
    arguments = ", ".join(f"{to.constant(name, values)}[i]" for name, values in held.items())
    to.encode(first, n, f"standardized(X, {arguments}, {number(op.limit)})")
    to.bounds[first : first + n] = min(op.limit + np.log1p(LARGEST), LARGEST)


def _quantiles(to: _Printer, op: Quantiles) -> None:
    first, (n, n_knots) = op.start - to.n_codes, op.knots.shape
    knots, scores, fill = (to.constant(name, getattr(op, name)) for name in ("knots", "scores", "fill"))
    to.encode(first, n, f"interpolated(X, {knots} + i * {n_knots}, {scores}, {n_knots}, {fill}[i])")
    to.bounds[first : first + n] = np.abs(op.scores).max()


def _piecewise(to: _Printer, op: Piecewise) -> None:
    n = len(op.columns)
    column = to.constant("column_of_bin", smallest(np.asarray(op.columns) - to.n_codes))
    held = {"lower": op.lower, "per_width": 1.0 / op.width}
    arguments = ", ".join(f"{to.constant(name, values)}[i]" for name, values in held.items())
    to.encode(to.append(n, 1.0), n, f"share(x[{column}[i]], {arguments})")


def _affine(to: _Printer, op: Affine | LookupAffine) -> None:
    n_in, n_out = op.weight.shape
    first = to.n_layers == 0
    if first and (to.bounds > _SMALL).any():
        to.real = "double"
    to.n_layers += 1
    layer = to.n_layers
    bias = to.constant(f"bias_{layer}", op.bias)
    # int8 weights are summed as they are, and the sums scaled
    start = f"{bias}[j]" if op.scale is None else "0"
    if n_in == 0:
        to.say(_loop("j", n_out, f"h[j] = {start};"))
    else:
        weight = to.constant(f"weight_{layer}", op.weight)
        (_narrow if n_out < 4 else _wide)(to, op.weight, weight, start, first)
    if op.scale is not None:
        to.say(_loop("j", n_out, f"h[j] = {bias}[j] + {to.constant(f'scale_{layer}', op.scale)}[j] * h[j];"))
    if isinstance(op, LookupAffine):
        tables, offsets = (
            to.constant(f"tables_{layer}", op.tables),
            to.constant(f"offsets_{layer}", smallest(op.offsets)),
        )
        held = _decoded(to, "table[j]", op.tables)
        if op.tables_scale is not None:
            held = f"{to.constant(f'tables_scale_{layer}', op.tables_scale)}[j] * {held}"
        to.say(
            f"for (int c = 0; c < {to.n_codes}; c++) {{",
            f"    const int32_t at_code = {offsets}[c] + code[c];",
            f"    const {C_TYPES[op.tables.dtype.name]} *const table = {tables} + at_code * {n_out};",
            f"    {_loop('j', n_out, f'h[j] += {held};')}",
            "}",
        )
    to.width = n_out
    to.n_hidden = max(to.n_hidden, n_out)


def _decoded(to: _Printer, weight: str, held: Array) -> str:
    """Return an expression for a weight as a number."""
    if held.dtype == np.float16:
        return to.called(f"half({weight})")
    return f"(real){weight}" if held.dtype == np.int8 else weight


def _narrow(to: _Printer, held: Array, weight: str, start: str, first: bool) -> None:
    """Print a layer of few outputs: a sum for each."""
    n_in, n_out = held.shape
    source = "(real)x[i]" if first else "h[i]"
    product = f"{source} * {_decoded(to, f'{weight}[i * {n_out} + j]', held)}"
    to.say(
        "{",
        f"    real sum[{n_out}];",
        f"    {_loop('j', n_out, f'sum[j] = {start};')}",
        f"    {_loop('i', n_in, _loop('j', n_out, f'sum[j] += {product};'))}",
        f"    {_loop('j', n_out, 'h[j] = sum[j];')}",
        "}",
    )


def _wide(to: _Printer, held: Array, weight: str, start: str, first: bool) -> None:
    """Print a layer of many outputs: the weights of each input that is not zero are added, those of four at a time.

    Zeros are common after a relu and among bins. That the list ends at a mark, rather than after a
    number of inputs, keeps gcc -O3 from jamming two rounds into one, which takes twice as long.
    """
    n_in, n_out = held.shape
    to.n_listed = max(to.n_listed, n_in + 4)
    listed = f"list_encoded(x, {n_in}, v, at)" if first else f"list_hidden(h, {n_in}, v, at)"
    w = [_decoded(to, f"w{k}[j]", held) for k in range(4)]
    kind = C_TYPES[held.dtype.name]
    to.say(
        f"{to.called(listed)};",
        _loop("j", n_out, f"h[j] = {start};"),
        "for (int i = 0; at[i] != END; i += 4) {",
        *(f"    const {kind} *const w{k} = {weight} + (int32_t)at[i + {k}] * {n_out};" for k in range(4)),
        f"    const real {', '.join(f'v{k} = v[i + {k}]' for k in range(4))};",
        f"    {_loop('j', n_out, f'h[j] += (v0 * {w[0]} + v1 * {w[1]}) + (v2 * {w[2]} + v3 * {w[3]});')}",
        "}",
    )


def _activation(to: _Printer, op: Op) -> None:
    f = "" if to.real == "double" else "f"
    formula = {Relu: "h[j] > 0 ? h[j] : 0", Tanh: f"tanh{f}(h[j])", Silu: f"h[j] / (1 + exp{f}(-h[j]))"}[type(op)]
    to.say(_loop("j", to.width, f"h[j] = {formula};"))


def _tree(to: _Printer, op: Tree) -> None:
    n_codes, n_logits = len(op.offsets), op.values.shape[1]
    leaves = to.constant("leaves", op.values)
    to.say("{")
    if len(op.columns) == 0:
        to.say(
            "    const int leaf = 0;",
            *(["    (void)code;"] if to.n_codes else []),
            *(["    (void)x;"] if len(to.bounds) else []),
        )
    else:
        number = to.called(f"single(x[column - {n_codes}])" if n_codes else "single(x[column])")
        if n_codes:
            first, rank = to.constant("first_rank", smallest(op.offsets)), to.constant("ranks", op.ranks)
            number = f"column < {n_codes} ? {rank}[{first}[column] + code[column]] : {number}"
        held = {
            "columns": smallest(op.columns),
            "thresholds": op.thresholds,
            "missing_left": op.missing_left.astype(np.uint8),
            "left": _signed(op.left),
            "right": _signed(op.right),
        }
        columns, thresholds, missing_left, left, right = (to.constant(*item) for item in held.items())
        to.say(
            "    /* the next node, or, where negative, a leaf */",
            "    int32_t at = 0, leaf;",
            "    do {",
            f"        const int column = {columns}[at];",
            f"        const float number = {number};",
            f"        const int goes_left = isnan(number) ? {missing_left}[at] : number <= {thresholds}[at];",
            f"        at = goes_left ? {left}[at] : {right}[at];",
            "    } while (at >= 0);",
            "    leaf = -1 - at;",
        )
    value = _decoded(to, f"{leaves}[leaf * {n_logits} + j]", op.values)
    if op.values_scale is not None:
        value = f"{to.constant('leaves_scale', op.values_scale)}[j] * {value}"
    to.say(f"    {_loop('j', n_logits, f'h[j] = {value};')}", "}")
    to.width = to.n_hidden = n_logits


def _signed(values: Array) -> Array:
    """Return whole numbers in the smallest signed type that there is an array of."""
    return values.astype(np.int16 if len(values) < 0x7FFF else np.int32)


_PRINTERS: dict[type[Op], Callable[[_Printer, Any], None]] = {
    DateParts: _date_parts,
    Indicate: _indicate,
    Standardize: _standardize,
    Quantiles: _quantiles,
    Piecewise: _piecewise,
    LookupAffine: _affine,
    Affine: _affine,
    Relu: _activation,
    Tanh: _activation,
    Silu: _activation,
    Tree: _tree,
}
