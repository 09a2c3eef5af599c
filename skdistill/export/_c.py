"""The C export: writes a Program as one .c and one .h of C99, without allocation, that need only math.h."""

from __future__ import annotations

import os
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from .._version import __version__
from ..program import BackTransform, Bound, Columns, OneVsRest, Program, Sigmoid, Softmax, Unstandardize, program_of
from ._c_columns import enumerator
from ._c_ops import PRINTERS, calibrated, transformed_back
from ._c_printer import FUNCTIONS, Printer
from ._c_text import Names, block, block_comment, comment, enum, identifier, loop, number
from ._files import check_ops, classes_of, used, write_files
from ._metadata import metadata_json

Array = NDArray[Any]
#: The definitions of tables, the declarations, and the functions: of each a comment, its signature and its lines.
Answers = tuple[list[str], list[str], list[tuple[str, str, list[str]]]]

#: The ops that C has a printer for.
C_OPS = frozenset({Columns, Bound, Softmax, Sigmoid, OneVsRest, Unstandardize, BackTransform, *PRINTERS})
#: With such options a compiler takes every number for finite, and answers rows with missing numbers wrongly.
_NEEDS_NAN = """\
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ > 0) || defined(_M_FP_FAST)
#error "compile without -ffast-math, -ffinite-math-only and /fp:fast: a missing number is NAN"
#endif"""

#: The headers of C99, and one that they include; a header of the same name would hide the original.
_HEADERS = frozenset(
    """
    assert complex ctype errno features fenv float inttypes iso646 limits locale math setjmp signal stdarg stdbool
    stddef stdint stdio stdlib string tgmath time wchar wctype
    """.split()  # noqa: SIM905
)


def to_c(student: Any, path: str | os.PathLike[str], *, metadata: dict[str, Any] | bool | None = None) -> None:
    """Write a student as C99: `path` and a header of the same name in the same folder.

    The code allocates nothing, keeps no state, and needs only ``math.h``. For the path ``churn.c``,
    the header declares ``churn_row``, a struct with a field for each column that the student reads
    (an array ``x`` if the columns are numbers without names), and

    - ``void churn_logits(const churn_row *row, float *out)``, one logit for two classes, else one
      for each class;
    - ``int churn_predict(const churn_row *row)``, an index into ``churn_classes``;
    - ``void churn_predict_proba(const churn_row *row, float *out)``, a probability for each class;
    - ``churn_predict_rows`` and ``churn_predict_proba_rows``, which take ``const churn_row *rows, int n_rows`` and an
      `out` for the results of all rows, one after the other;
    - ``void churn_set_missing(churn_row *row)``, which makes every column missing;
    - an enum of the categories of each categorical column, and a function that finds a category by its string, such as
      ``churn_plan_from_string``.

    A multilabel classifier has ``void churn_predict(const churn_row *row, int *out)``, which writes 1 for each label
    with a probability above one half, else 0; its ``churn_classes`` are the labels.

    A regressor has ``void churn_predict(const churn_row *row, double *out)``, which writes the predictions in the
    target's unit, and ``churn_predict_rows``, instead of the functions above that predict.

    A missing number is ``NAN``, and each enum has an enumerator for a missing category. A row of zeros has no missing
    values: zero is a number, and the first category of an enum. Compiling with ``-ffast-math``, which drops support for
    ``NAN``, is an error. A column whose name could be a macro, such as ``SIZE_MAX``, becomes a field in lower case.

    The header includes no other header, so the output of ``cc -E -P churn.h`` can be passed to cffi's ``cdef``.

    The encoding is computed in double; layers are computed in float, unless their inputs may be large.
    int8 and float16 weights are stored as such. With GCC and glibc on x86-64, layers are also compiled
    for AVX2, and wide ones for AVX-512; each processor runs the version that suits it, with the same results.

    Parameters
    ----------
    student : student, distiller or predictor
        The fitted student.
    path : str or path-like
        The file to write; its name ends in ".c".
    metadata : dict or False, default=None
        Metadata to store in a comment at the end of the .c, beside the metadata of the fit; see :func:`to_file`. False
        stores none.

    Raises
    ------
    NotFittedError
        If the student is not fitted.
    TypeError
        If the student has no Program, or C does not support one of its ops.
    ValueError
        If `path` does not end in ".c", the header would have the name of a standard header, or the name has
        characters that an ``#include`` cannot hold: a double quotation mark, a backslash, ``??``, or one that is
        not printable.
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
    if path.suffix != ".c" or path.stem.lower() in _HEADERS:
        raise ValueError(
            f"path must be a name that ends in '.c' and is not the name of a standard header; got {str(path)!r}."
        )
    if not path.stem.isprintable() or re.search(r'["\\]|\?\?', path.stem):
        raise ValueError(
            "path must be a name without quotation marks, backslashes, '??' and unprintable characters, "
            f"so that it can be included; got {str(path)!r}."
        )
    check_ops(program, C_OPS, "C")
    source, header = Module(program, classes_of(student), path.stem).print()
    # a constant would take memory on a device that never reads it
    if as_json := metadata_json(student, metadata, indent=2):
        source += "\n * ".join(["\n/* Where the student comes from, as JSON:", *as_json.splitlines()]) + "\n */\n"
    write_files({path: source.encode("utf-8"), path.with_suffix(".h"): header.encode("utf-8")})


class Module(Printer):
    """The source and the header of one Program; where rows are `encoded`, they come as the entry returns them."""

    def __init__(self, program: Program, classes: Array | None, stem: str, *, encoded: bool = False) -> None:
        self.stem = stem
        prefix = identifier(stem)
        self.upper = prefix.upper()
        self.classes = classes
        names = Names(
            f"{self.upper}_{name}" for name in ("N_CLASSES", "N_LOGITS", "N_OUTPUTS", "H", "WIDE", "CLONES", "ALIGNED")
        )
        found = [] if classes is None else classes.tolist()
        self.labels = [str(label) for label in found]
        self.class_names = [names(f"{self.upper}_CLASS_{enumerator(label)}") for label in found]
        super().__init__(program, prefix, names, encoded=encoded)
        self.rom += 4 * len(self.labels)

    def print(self) -> tuple[str, str]:
        """Return the source and the header."""
        last: Any = self.program.ops[-1]
        if last.magnifies:
            self.real = "double"
        for op, following in pairwise(self.program.ops[1:]):
            self.following = following
            self.emit("", f"/* {type(op).__name__} */")
            PRINTERS[type(op)](self, op)
        if isinstance(last, Unstandardize):
            center, scale = self.constant("center", last.center), self.constant("scale", last.scale)
            answer = f"out[j] = {center}[j] + {scale}[j] * (double)h[j];"
            self.emit("", f"/* {type(last).__name__} */", loop("j", self.width, answer))
            for name, sign, bound in (("lower", "<", last.lower), ("upper", ">", last.upper)):
                if bound is not None:
                    edge = f"{self.constant(name, bound)}[j]"
                    self.emit(loop("j", self.width, f"if (out[j] {sign} {edge}) out[j] = {edge};"))
            if isinstance(last, BackTransform):
                power = "" if last.power is None else f"{self.constant('power', last.power)}[j]"
                self.emit(loop("j", self.width, f"out[j] = {transformed_back(last, 'out[j]', power)};"))
        elif not self.width:
            # an encoder alone
            self.width = len(self.bounds)
            self.emit("", loop("j", self.width, "out[j] = (float)x[j];"))
        else:
            copied = "single(h[j])" if self.real == "double" and not isinstance(last, OneVsRest) else "h[j]"
            self.emit("", loop("j", self.width, f"out[j] = {copied};"))
        size = 4 if self.real == "float" else 8
        position, position_size = ("uint16_t", 2) if self.n_listed < 0xFFFF else ("uint32_t", 4)
        arrays = [
            ("int code", self.n_codes, 4),
            ("double x", len(self.bounds), 8),
            ("real h", self.n_hidden, size),
            ("real v", self.n_listed, size),
            ("position at", self.n_listed, position_size),
            ("double come", self.n_searched, 8),
            ("int bins", self.n_searched, 4),
        ]
        stack = (
            sum(length * size for _, length, size in arrays) + (12 if isinstance(last, OneVsRest) else 4) * self.width
        )
        unread = [] if any("row->" in line for line in self.statements) else ["(void)row;"]
        lines = [*(f"{name}[{length}];" for name, length, _ in arrays if length), *unread, *self.statements]
        tables, declared, answers = self._classifier(lines) if self.labels else self._regressor(lines)
        # not the arrays: a text in one may look like a call
        texts = [
            *self.statements,
            *(line for *_, body in answers for line in body),
            *(text for text in self.definitions if not text.startswith("static const")),
        ]
        functions = used("\n".join(texts), FUNCTIONS, lambda text: set(re.findall(r"\b([a-z_]+)\(", text)))
        types = [f"typedef {self.real} real;"] if self.n_hidden else []
        if self.n_listed:
            functions |= {"PREFIX_WIDE", "PREFIX_ALIGNED"} if self.is_wide else {"PREFIX_WIDE"}
            clones = '"avx512f", "avx2", "default"' if self.is_wide else '"avx2", "default"'
            types += [
                f"typedef {position} position;",
                "static const position end = (position)-1;",
                f"/* see {self.upper}_WIDE */",
                f"#define {self.upper}_CLONES {clones}",
            ]
        title = block_comment(
            [
                f"{self.prefix}: a fitted student, exported by skdistill {__version__}.",
                f"Fingerprint: {self.program.fingerprint(self.classes)}",
                "",
                f"ROM: {self.rom} bytes of constants, a pointer counted as 4, and the code.",
                f"Stack: {stack} bytes of arrays, and what the compiler needs for calls and registers.",
                "The code allocates nothing and keeps no state: all functions are reentrant. A missing number is NAN; "
                "-ffast-math, which does not support it, is an error.",
            ]
        )
        set_missing = f"void {self.prefix}_set_missing({self.prefix}_row *row)"
        answers.append(("Make every column missing.", set_missing, self.missing))
        defined = [block(f"{signature}\n", body) for _, signature, body in answers]
        source = [
            title,
            f'#include "{self.stem}.h"\n\n#include <math.h>\n#include <stdint.h>',
            _NEEDS_NAN,
            *(["\n".join(types)] if types else []),
            *(text.replace("PREFIX", self.upper) for name, text in FUNCTIONS.items() if name in functions),
            *self.definitions,
            *tables,
            f"{self.upper}_WIDE\n{defined[0]}" if self.n_listed else defined[0],
            *defined[1:],
        ]
        header = [
            title,
            f"#ifndef {self.upper}_H\n#define {self.upper}_H",
            '#ifdef __cplusplus\nextern "C" {\n#endif',
            *declared,
            *self.row,
            *(f"/* {note} */\n{signature};" for note, signature, _ in answers if note),
            "#ifdef __cplusplus\n}\n#endif",
            "#endif",
        ]
        return "\n\n".join(source) + "\n", "\n\n".join(header) + "\n"

    def _regressor(self, lines: list[str]) -> Answers:
        """Return what a regressor's file holds besides the row; the lines apply all ops."""
        note = f"The predictions. `out` has room for {self.upper}_N_OUTPUTS."
        signature = f"void {self.prefix}_predict(const {self.prefix}_row *row, double *out)"
        answers = [(note, signature, lines), self._of_rows("predict", "double", self.width)]
        return [], [f"enum {{ {self.upper}_N_OUTPUTS = {self.width} }};"], answers

    def _of_rows(self, name: str, kind: str, n: int, call: str = "{}(rows, out)") -> tuple[str, str, list[str]]:
        """Return the function that answers several rows by the one for a row, which fills `n` numbers of `out`."""
        function, room = f"{self.prefix}_{name}", "n_rows" if n == 1 else f"{n} * n_rows"
        note = f"The same for each of some rows, one after the other. `out` has room for {room}."
        signature = f"void {function}_rows(const {self.prefix}_row *rows, int n_rows, {kind} *out)"
        step = call.format(function)
        return note, signature, [f"for (; n_rows > 0; n_rows--, rows++, out += {n}) {step};"]

    def _classifier(self, lines: list[str]) -> Answers:
        """Return what a classifier's file holds besides the row; the lines apply all ops."""
        prefix, upper, n, n_classes = self.prefix, self.upper, self.width, len(self.labels)
        names = f"const char *const {prefix}_classes[{n_classes}]"
        notes = {name: comment(label) for name, label in zip(self.class_names, self.labels, strict=True)}
        declared = [
            block("enum ", [f"{upper}_N_CLASSES = {n_classes},", f"{upper}_N_LOGITS = {n}"], ";"),
            f"/* the classes, in the order of the probabilities */\n{enum('enum', notes)}",
            f"/* their names, in UTF-8 */\nextern {names};",
        ]
        last: Any = self.program.ops[-1]
        kind = "that of the second class; the first one's is 0" if n == 1 else "one for each class"
        row, get = f"const {prefix}_row *row", f"{prefix}_logits(row, logits);"
        logits_of_row, first = lines, []
        if isinstance(last, OneVsRest):
            first = [("", f"static void {prefix}_exact(const {prefix}_row *row, double *out)", lines)]
            get, given = f"{prefix}_exact(row, z);", [f"double z[{n}];"]
            logits_of_row = [*given, get, loop("j", n, "out[j] = single(z[j]);")]
            share = calibrated(self, last)
            if n == 1:
                best = [*given, get, f"return z[0] >= {number(last.cut)};"]
                proba = [
                    *given,
                    "int j = 0;",
                    get,
                    f"z[j] = {share};",
                    "out[0] = (float)(1.0 - z[0]);",
                    "out[1] = (float)z[0];",
                ]
            else:
                all_shares = loop("j", n, f"z[j] = {share};")
                best = [
                    *given,
                    "int best = 0;",
                    get,
                    all_shares,
                    loop("j", n, "if (z[j] > z[best]) best = j;"),
                    "return best;",
                ]
                proba = [
                    *given,
                    "double sum = 0.0;",
                    get,
                    loop("j", n, f"sum += z[j] = {share};"),
                    loop("j", n, f"out[j] = sum > 0.0 ? (float)(z[j] / sum) : {number(1.0 / n)}f;"),
                ]
        elif isinstance(last, Sigmoid):
            best = [f"float logits[{n}];", get, loop("j", n, "out[j] = logits[j] > 0.0f;")]
            proba = [f"{prefix}_logits(row, out);", loop("j", n, "out[j] = 1.0f / (1.0f + expf(-out[j]));")]
        elif n == 1:
            reached = "> 0.0f" if last.cut is None else f">= {number(last.cut)}"
            best = [f"float logits[{n}];", get, f"return logits[0] {reached};"]
            proba = [
                "float z, small;",
                f"{prefix}_logits(row, &z);",
                "/* the smaller probability is computed; the larger is one minus it */",
                "small = expf(-fabsf(z));",
                "small /= 1.0f + small;",
                "out[0] = z > 0.0f ? small : 1.0f - small;",
                "out[1] = z > 0.0f ? 1.0f - small : small;",
            ]
        else:
            best = [
                f"float logits[{n}];",
                "int best = 0;",
                get,
                loop("i", n, "if (logits[i] > logits[best]) best = i;"),
                "return best;",
            ]
            proba = [
                "float top, sum = 0.0f;",
                f"{prefix}_logits(row, out);",
                "top = out[0];",
                loop("i", n, "if (out[i] > top) top = out[i];"),
                loop("i", n, "sum += out[i] = expf(out[i] - top);"),
                loop("i", n, "out[i] /= sum;"),
            ]
        decided = getattr(last, "cut", None) is not None
        chosen = "The class that the threshold decides on." if decided else "The most probable class."
        predict = [
            (chosen, f"int {prefix}_predict({row})", best),
            self._of_rows("predict", "int", 1, "*out = {}(rows)"),
        ]
        if isinstance(last, Sigmoid):
            each = f"One for each label that is more likely than not, else zero. `out` has room for {upper}_N_CLASSES."
            predict = [
                (each, f"void {prefix}_predict({row}, int *out)", best),
                self._of_rows("predict", "int", n),
            ]
        logits = f"Logits: {kind}. `out` has room for {upper}_N_LOGITS."
        probabilities = f"A probability for each class. `out` has room for {upper}_N_CLASSES."
        answers = [
            *first,
            (logits, f"void {prefix}_logits({row}, float *out)", logits_of_row),
            *predict,
            (probabilities, f"void {prefix}_predict_proba({row}, float *out)", proba),
            self._of_rows("predict_proba", "float", n_classes),
        ]
        return [block(f"{names} = ", map(self.text, self.labels), ";", ",")], declared, answers
