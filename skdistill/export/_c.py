"""The C export: writes a Program as one .c and one .h of C99, without allocation, that need only math.h."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from .._version import __version__
from ..program import Bound, Columns, Program, Softmax, Unstandardize, program_of
from ._c_columns import declare_row, enumerator
from ._c_functions import FUNCTIONS
from ._c_ops import PRINTERS
from ._c_printer import Printer, called
from ._c_text import Names, block_comment, comment, identifier, loop, string, utf8
from ._files import check_ops, classes_of, write_files

Array = NDArray[Any]

#: The headers of C99; a header of the same name would hide the original.
_HEADERS = frozenset(
    """
    assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdarg stdbool stddef stdint
    stdio stdlib string tgmath time wchar wctype
    """.split()  # noqa: SIM905
)

#: Defines the mark of a function that is compiled twice, once for the wide registers of AVX2.
_WIDE = """\
/* With GCC and glibc on x86-64, a function with this mark is also compiled for AVX2, and a processor that has AVX2 runs
   that version. The results are the same to the last bit. */
#if defined(__x86_64__) && defined(__GLIBC__) && __GNUC__ >= 6 && defined(__OPTIMIZE__) && !defined(__clang__) \\
    && !defined(__AVX2__) && !defined(__SANITIZE_THREAD__)
#define {upper}_WIDE __attribute__((target_clones("avx2", "default")))
#else
#define {upper}_WIDE
#endif"""


def to_c(student: Any, path: str | os.PathLike[str]) -> None:
    """Write a student as C99: `path` and a header of the same name in the same folder.

    The code allocates nothing, keeps no state, and needs only ``math.h``. For the path ``churn.c``,
    the header declares ``churn_row``, a struct with a field for each column that the student reads
    (an array ``x`` if the columns are numbers without names), and

    - ``void churn_logits(const churn_row *row, float *out)``, one logit for two classes, else one
      for each class;
    - ``int churn_predict(const churn_row *row)``, an index into ``churn_classes``;
    - ``void churn_predict_proba(const churn_row *row, float *out)``, a probability for each class;
    - an enum of the levels of each categorical column, and a function that finds a level by its
      text, such as ``churn_plan_from_string``.

    A regressor has ``void churn_predict(const churn_row *row, double *out)`` instead of the first
    three: the predictions in the target's own unit.

    A missing number is ``NAN``. The encoding is computed in double; layers are computed in float,
    unless their inputs may be large. int8 and float16 weights are stored as such. With GCC and glibc
    on x86-64, layers are also compiled for AVX2, and processors that have AVX2 run that version.

    Parameters
    ----------
    student : student, distiller or predictor
        The fitted student.
    path : str or path-like
        The file to write; its name ends in ".c".

    Raises
    ------
    NotFittedError
        If the student is not fitted.
    TypeError
        If the student has no Program, or its Program has an op that C has no printer for.
    ValueError
        If `path` does not end in ".c", or the header would have the name of a standard header.
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
            f"path must be a name that ends in '.c' and is not the name of a standard header; got {str(path)!r}."
        )
    check_ops(program, {Columns, Bound, Softmax, Unstandardize, *PRINTERS}, "C")
    source, header = _Module(program, classes_of(student), path.stem).print()
    write_files({path: source.encode("ascii"), path.with_suffix(".h"): header.encode("utf-8")})


class _Module(Printer):
    """The source and the header of one Program."""

    def __init__(self, program: Program, classes: Array | None, stem: str) -> None:
        self.stem = stem
        self.prefix = identifier(stem)
        self.upper = self.prefix.upper()
        names = Names(f"{self.upper}_{name}" for name in ("N_CLASSES", "N_LOGITS", "N_OUTPUTS", "H", "WIDE"))
        found = [] if classes is None else classes.tolist()
        self.labels = [str(label) for label in found]
        self.class_names = [names(f"{self.upper}_CLASS_{enumerator(label)}") for label in found]
        super().__init__(program, self.prefix, names)
        self.rom += sum(len(utf8(label)) + 1 + 4 for label in self.labels)

    def print(self) -> tuple[str, str]:
        """Return the source and the header."""
        for op in self.program.ops[1:-1]:
            self.emit("", f"/* {type(op).__name__} */")
            PRINTERS[type(op)](self, op)
        last = self.program.ops[-1]
        if isinstance(last, Unstandardize):
            center, scale = self.constant("center", last.center), self.constant("scale", last.scale)
            self.emit(
                "", "/* Unstandardize */", loop("j", self.width, f"out[j] = {center}[j] + {scale}[j] * (double)h[j];")
            )
        else:
            copied = "single(h[j])" if self.real == "double" else "h[j]"
            self.emit("", loop("j", self.width, f"out[j] = {self.call(copied)};"))
        return self._source(), self._header()

    def _source(self) -> str:
        functions = set(self.functions)
        while more := set().union(*(called(FUNCTIONS[name].partition("{")[2]) for name in functions)) - functions:
            functions |= more
        position = "uint16_t" if self.n_listed < 0xFFFF else "uint32_t"
        types = [f"typedef {self.real} real;"] if self.n_hidden else []
        if self.n_listed:
            types += [f"typedef {position} position;", "static const position end = (position)-1;"]
        literals = ",\n".join(f"    {string(label)}" for label in self.labels)
        blocks = [
            block_comment(self._title()),
            f'#include "{self.stem}.h"\n\n#include <math.h>\n#include <stdint.h>',
            "\n".join(types),
            _WIDE.format(upper=self.upper) if self.n_listed else "",
            *(text for name, text in FUNCTIONS.items() if name in functions),
            *self.definitions,
            *(
                [
                    f"const char *const {self.prefix}_classes[{len(self.labels)}] = {{\n{literals}\n}};",
                    self._computing(f"void {self.prefix}_logits(const {self.prefix}_row *row, float *out)"),
                    self._predict(),
                    self._predict_proba(),
                ]
                if self.labels
                else [self._computing(f"void {self.prefix}_predict(const {self.prefix}_row *row, double *out)")]
            ),
        ]
        return "\n\n".join(block for block in blocks if block) + "\n"

    def _locals(self) -> list[tuple[str, int, int]]:
        """Return the local arrays of the logits' function, each with its length and the bytes of an element."""
        size = {"float": 4, "double": 8}[self.real]
        arrays = [
            ("int code", self.n_codes, 4),
            ("double x", len(self.bounds), 8),
            ("real h", self.n_hidden, size),
            ("real v", self.n_listed, size),
            ("position at", self.n_listed, 2 if self.n_listed < 0xFFFF else 4),
        ]
        return [local for local in arrays if local[1]]

    def _computing(self, signature: str) -> str:
        """Return the function that applies every op."""
        lines = [f"{name}[{n}];" for name, n, _ in self._locals()]
        statements = self.statements
        if not any("row->" in line for line in statements):
            statements = ["(void)row;", *statements]
        text = _function(signature, [*lines, *statements])
        return f"{self.upper}_WIDE\n{text}" if self.n_listed else text

    def _predict(self) -> str:
        lines = [f"float logits[{self.width}];", f"{self.prefix}_logits(row, logits);"]
        if self.width == 1:
            lines += ["return logits[0] > 0.0f;"]
        else:
            lines[1:1] = ["int best = 0;"]
            lines += [loop("i", self.width, "if (logits[i] > logits[best]) best = i;"), "return best;"]
        return _function(f"int {self.prefix}_predict(const {self.prefix}_row *row)", lines)

    def _predict_proba(self) -> str:
        n = self.width
        if n == 1:
            lines = [
                "float z, small;",
                f"{self.prefix}_logits(row, &z);",
                "/* the smaller probability is computed; the larger is one minus it */",
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
                loop("i", n, "if (out[i] > top) top = out[i];"),
                loop("i", n, "sum += out[i] = expf(out[i] - top);"),
                loop("i", n, "out[i] /= sum;"),
            ]
        return _function(f"void {self.prefix}_predict_proba(const {self.prefix}_row *row, float *out)", lines)

    def _title(self) -> list[str]:
        stack = sum(n * size for _, n, size in self._locals()) + 4 * self.width
        return [
            f"{self.prefix}: a fitted student, exported by skdistill {__version__}.",
            f"Fingerprint of its Program: {self.program.fingerprint()}",
            "",
            f"ROM: {self.rom} bytes of constants, a pointer counted as 4, and the code.",
            f"Stack: {stack} bytes of arrays, and what the compiler needs for calls and registers.",
            "The code allocates nothing and keeps no state: all functions are reentrant. A missing number is NAN; "
            "compile without -ffast-math, which does not support it.",
        ]

    def _header(self) -> str:
        upper = self.upper
        blocks = [
            block_comment(self._title()),
            f"#ifndef {upper}_H\n#define {upper}_H",
            '#ifdef __cplusplus\nextern "C" {\n#endif',
            *(self._classifier_declarations() if self.labels else self._regressor_declarations()),
            "#ifdef __cplusplus\n}\n#endif",
            "#endif",
        ]
        return "\n\n".join(blocks) + "\n"

    def _regressor_declarations(self) -> list[str]:
        """Return the declarations of a regressor."""
        prefix, upper = self.prefix, self.upper
        return [
            f"enum {{ {upper}_N_OUTPUTS = {self.width} }};",
            *declare_row(self.row, prefix),
            f"/* The predictions. `out` has room for {upper}_N_OUTPUTS. */\n"
            f"void {prefix}_predict(const {prefix}_row *row, double *out);",
        ]

    def _classifier_declarations(self) -> list[str]:
        """Return the declarations of a classifier."""
        prefix, upper = self.prefix, self.upper
        pairs = enumerate(zip(self.class_names, self.labels, strict=True))
        classes = [f"    {name} = {at}, /* {comment(label)} */" for at, (name, label) in pairs]
        # C++98 allows no comma after the last enumerator
        classes[-1] = classes[-1].replace(", /*", " /*", 1)
        counts = [f"    {upper}_N_CLASSES = {len(self.labels)},", f"    {upper}_N_LOGITS = {self.width}"]
        row = f"const {prefix}_row *row"
        kind = "that of the second class; the first one's is 0" if self.width == 1 else "one for each class"
        return [
            "\n".join(["enum {", *counts, "};"]),
            "\n".join(["/* the classes, in the order of the probabilities */", "enum {", *classes, "};"]),
            f"/* their names, in UTF-8 */\nextern const char *const {prefix}_classes[{len(self.labels)}];",
            *declare_row(self.row, prefix),
            f"/* Logits: {kind}. `out` has room for {upper}_N_LOGITS. */\nvoid {prefix}_logits({row}, float *out);",
            f"/* The most probable class. */\nint {prefix}_predict({row});",
            f"/* A probability for each class. `out` has room for {upper}_N_CLASSES. */\n"
            f"void {prefix}_predict_proba({row}, float *out);",
        ]


def _function(signature: str, lines: list[str]) -> str:
    body = "\n".join(f"    {line}" if line else "" for line in lines)
    return f"{signature}\n{{\n{body}\n}}"
