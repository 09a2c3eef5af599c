"""The JavaScript export: writes a Program, weights included, as one ES module without dependencies, and its types."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._version import __version__
from ..program import Bound, Columns, Op, Program, Tree, ops, program_of
from ._files import check_ops, classes_of, used, write_files
from ._javascript_columns import cell_types, codes_of, is_number, read_bound, read_columns
from ._javascript_text import (
    MANY,
    array_literal,
    doubles_literal,
    identifiers,
    joined,
    literal,
    number,
    object_literal,
    renamed,
    short,
    text_literal,
    texts_literal,
    weights_literal,
)
from ._metadata import metadata_json

Array = NDArray[Any]


#: The definitions that a module may need, by name, in the order in which they depend on each other.
FUNCTIONS = {
    re.findall(r"^(?:const|let) (\w+)", text, re.MULTILINE)[0]: short(
        re.sub(r"^//.*\n|^const ", "", text, flags=re.MULTILINE)
    )
    for text in files(__package__).joinpath("functions.js").read_text("utf-8").strip().split("\n\n")[1:]
}
_DATE_PARTS = {
    "month": "monthOf(X)",
    "day": "monthDayOf(X)",
    "weekday": "weekdayOf(X)",
    "hour": "hourOf(X)",
    "time of day": "timeOf(X)",
    "day of year": "yearDayOf(X)",
    **{
        f"{name} {wave}": f"waveOf(X, {period}, Math.{function})"
        for name, period in (("yearly", 31556952), ("weekly", 604800), ("daily", 86400))
        for wave, function in (("sine", "sin"), ("cosine", "cos"))
    },
}


def to_javascript(student: Any, path: str | os.PathLike[str], *, metadata: dict[str, Any] | bool | None = None) -> None:
    """Write a student as one ES module for Node, browsers and edge workers, and a file with its TypeScript types.

    The module (ECMAScript 2022) has no imports, holds the weights, and computes the same predictions as the student, in
    float64. It exports ``columns`` (the names, in order), ``classes``, ``predict(rows)`` and ``predictProba(rows)``;
    the module of a regressor exports ``columns`` and ``predict(rows)``. A row is an object with the column names as
    keys, or an array of cells in the order of the columns; an array of rows returns an array of results.

    A missing cell is null, undefined or NaN. A number may be a string in decimal notation; a date is a ``Date`` or an
    ISO 8601 string, in UTC if it has no time zone. Missing or unknown columns, and cells that cannot be read, throw a
    TypeError that names them.

    The code is short rather than easy to read, and has no comments; what the functions take and return is in the types.

    Parameters
    ----------
    student : student, distiller or predictor
        The fitted student.
    path : str or path-like
        The file to write; its name ends in ".js" or ".mjs". The types are in a file that ends in ".d.ts" or ".d.mts".
    metadata : dict or False, default=None
        Metadata to store in the module's constant ``metadata`` beside the metadata of the fit; see :func:`to_file`.
        False stores none.

    Raises
    ------
    NotFittedError
        If the student is not fitted.
    TypeError
        If the student has no Program, JavaScript does not support one of its ops, or a class label or a category cannot
        be written in JavaScript, such as an integer beyond 2**53 that a float cannot represent.
    ValueError
        If `path` has another suffix.
    OSError
        If the files cannot be written.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from skdistill import LinearStudent
    >>> from skdistill.export import to_javascript
    >>> student = LinearStudent().fit([[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     to_javascript(student, pathlib.Path(folder, "student.js"))
    ...     sorted(path.name for path in pathlib.Path(folder).iterdir())
    ['student.d.ts', 'student.js']
    """
    program = program_of(student)
    path = Path(path)
    if path.suffix not in (".js", ".mjs"):
        raise ValueError(f"path must be a name that ends in '.js' or '.mjs'; got {str(path)!r}.")
    check_ops(program, {Columns, Bound, *_ENDS, *_PRINTERS}, "JavaScript")
    module = Module(program, classes_of(student), metadata_json(student, metadata, separators=(",", ":")))
    types = path.with_suffix(f".d{path.suffix.replace('js', 'ts')}")
    write_files({path: module.text().encode("utf-8"), types: module.types().encode("utf-8")})


class Module:
    """The module of one Program, under construction.

    Parameters
    ----------
    program : Program
        The Program.
    classes : ndarray of shape (n_classes,) or None
        The class labels; None for a regressor.
    metadata : str
        What the module says of itself, in JSON; perhaps nothing.
    """

    def __init__(self, program: Program, classes: Array | None, metadata: str) -> None:
        self.program, self.metadata = program, metadata
        self.classes = None if classes is None else [literal(label, "a class") for label in classes.tolist()]
        self.fingerprint = program.fingerprint(classes)
        #: The expression of each constant, and its name.
        self.data: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        #: The arrays that a row is computed in.
        self.arrays: dict[str, str] = {}
        #: The statements for a row: once, or for each of some columns.
        self.steps: list[tuple[list[int], list[str]]] = [([], [])]
        #: The variables of these statements, and their first values.
        self.variables: dict[str, str] = {}
        entry = program.ops[0]
        assert isinstance(entry, Columns | Bound)
        self.entry = entry
        named = getattr(entry, "names", None) or getattr(entry, "numbered", None)
        names = [str(name) for name in named or range(entry.n_columns)]
        self.names = [text_literal(name) for name in names]
        self.columns = texts_literal(names)
        self.n_codes = len(entry.sizes) if isinstance(entry, Columns) else 0
        #: How many codes each category has, and which rows of a table they are: of a code for missing levels that is as
        #: the one for unknown levels, there is none.
        self.sizes, self.rows = codes_of(program)
        #: How each code is read, or each of some: the head of a loop, the index, and the code.
        self.codes: list[tuple[str, str, str]] = []
        #: The number of each list of levels that are texts, in the constant `l`.
        self.lists: dict[tuple[Any, ...], int] = {}
        #: How many numbers of a row there are so far, the codes included.
        self.width = len(entry.sources) if isinstance(entry, Columns) else entry.n_columns
        #: The bins that the first layer reads, if they are not in `z`.
        self.bins: ops.Piecewise | None = None
        #: The name of the outputs of the last layer, and how many they are.
        self.h, self.n_h = "", 0
        #: The most inputs of a layer that are not zero.
        self.n_listed = 0
        read_columns(self, entry) if isinstance(entry, Columns) else read_bound(self, entry)
        for op in program.ops[1:-1]:
            _PRINTERS[type(op)](self, op)

    def emit(self, *lines: str) -> None:
        """Add statements."""
        self.steps.append(([], list(lines)))

    def emit_codes(self, statement: str = "z[{}] = {};") -> None:
        """Add a statement of each code, given where it is in `z` and its expression."""
        self.emit(*(loop + statement.format(at, code) for loop, at, code in self.codes))

    def constant(self, name: str, expression: str) -> str:
        """Define a constant; return its name, which is that of an equal one if there is one."""
        if expression not in self.data:
            self._counts[name] += 1
            self.data[expression] = f"{name}{self._counts[name] if self._counts[name] > 1 else ''}"
        return self.data[expression]

    def each(self, columns: Iterable[int], statement: Callable[[str], str]) -> None:
        """Add a statement for each of some columns of a row, given the expression of a column's index; `i` counts."""
        columns = list(columns)
        if len(columns) == 1:
            alone = re.sub(r"\bi \+ (?=\d)", "", statement(str(columns[0])))
            self.emit(re.sub(r"\bi\b", "0", alone))
            return
        if columns != self.steps[-1][0]:
            self.steps.append((columns, []))
        self.steps[-1][1].append(statement(self.place(columns)))

    def place(self, columns: list[int]) -> str:
        """Return the expression of the `i`-th of some columns."""
        steps = np.diff(np.array(columns) - np.arange(len(columns)))
        shifts = [f" + {steps[at] if steps[at] > 1 else ''} * (i > {at})" for at in np.flatnonzero(steps)]
        if len(shifts) > 2 or (steps < 0).any():
            return f"{self.constant('p', array_literal(np.array(columns)))}[i]"
        return f"i{f' + {columns[0]}' if columns[0] else ''}{''.join(shifts)}".replace("+  * ", "+ ")

    def text(self) -> str:
        """Return the text of the module."""
        end = self.program.ops[-1]
        if isinstance(end, ops.Unstandardize):
            answers = {"predict": f"each({_unstandardized(self, end)})"}
        else:
            proba, answer = _probabilities(self, end)
            answers = {"predict": f"each((h) => {answer})", "predictProba": f"each({proba})"}
        steps = []
        for columns, lines in self.steps:
            block = "".join(lines) if len(lines) == 1 or not columns else f"{{{''.join(lines)}}}"
            steps.append(f"for (i = 0; i < {len(columns)}; i++) {block}" if columns else block)
        if any(columns for columns, _ in self.steps):
            self.variables["i"] = "0"
        if self.variables:
            steps.insert(0, f"let {', '.join(f'{name} = {value}' for name, value in self.variables.items())};")
        run = "".join(["(c) => {", *steps, f"return {self.h};", "}"])
        arrays = {"z": f"f8({self.width})" if self.arrays else "[]", **self.arrays}
        if self.n_listed:
            # with room for seven zeros
            arrays |= {"v": f"f8({self.n_listed + 7})", "at": f"new Int32Array({self.n_listed + 7})"}
        constants = arrays | {name: expression for expression, name in self.data.items()} | {"run": run}
        body = short("\0".join(f"{name} = {expression}" for name, expression in constants.items())).split("\0")
        # not in a level
        calls = re.compile(r'("(?:[^"\\]|\\.)*")|\bf8\(')
        if sum(not found[1] for text in body for found in calls.finditer(text)) == 1:
            body = [calls.sub(lambda found: found[1] or "new Float64Array(", text) for text in body]
        answered = [short(f"{name} = {expression}") for name, expression in answers.items()]
        functions = used("\n".join(body + answered), FUNCTIONS, identifiers)
        exports = [short(f"columns = {self.columns}")]
        if self.classes is not None:
            exports.append(f"classes={joined(self.classes)}")
        if self.metadata:
            exports.append(f"metadata={object_literal(self.metadata)}")
        needed = [text for name, text in FUNCTIONS.items() if name in functions]
        if not any("raw(" in text and "Array)" in text for text in body):
            needed = [text.replace("(t,T=Float32Array)=>new T", "t=>new Float32Array") for text in needed]
        if isinstance(self.entry, Bound) or is_number(self.entry, 0):
            # an array whose first cell is a date is wrong in any case
            needed = [text.replace("&&!x.getTime?.call", "") for text in needed]
        if not getattr(self.entry, "spans", None):
            needed = [text.replace(',held="numbers"', "").replace("${held}", "numbers") for text in needed]
        needed, body, answered = renamed({*functions, "run"}, needed, body, answered)
        variables = [f"{text};\n" for text in needed if text.startswith("let ")]
        needed = [text for text in needed if not text.startswith("let ")]
        return "".join(
            [
                f"// skdistill {__version__}, fingerprint {self.fingerprint}\n",
                _defined("export const", exports),
                *variables,
                _defined("const", needed + body),
                _defined("export const", answered),
            ]
        )

    def types(self) -> str:
        """Return the TypeScript types of the module."""
        kinds = cell_types(self.entry)
        row = "\n".join(f"  {name}: {kind} | Missing;" for name, kind in zip(self.names, kinds, strict=True))
        if self.classes is None:
            alone = self.n_h == 1
            answer = "number" if alone else f"[{', '.join(['number'] * self.n_h)}]"
            declared, functions = [], [("predict", answer, "The prediction of a row, or of each of some rows.")]
        else:
            declared = [
                f"export type Class = {' | '.join(dict.fromkeys(map(_literal_type, self.classes)))};",
                "/** The classes, in the order of the probabilities. */",
                "export declare const classes: readonly Class[];",
            ]
            functions = [
                ("predict", "number[]", "One for each label that is more likely than not, else zero; for each row.")
                if isinstance(self.program.ops[-1], ops.Sigmoid)
                else ("predict", "Class", "The most probable class of a row, or of each of some rows."),
                ("predictProba", "number[]", "The probability of each class, for a row or for each of some rows."),
            ]
        if self.metadata:
            declared.append("/** Where the module comes from. */")
            declared.append("export declare const metadata: Record<string, unknown>;")
        return _TYPES.format(
            version=__version__,
            row=row,
            declared="\n".join(declared) + "\n" if declared else "",
            functions="\n".join(
                f"/** {note} */\nexport declare function {name}(rows: readonly (Row | Cells)[]): {answer}[];\n"
                f"export declare function {name}(row: Row | Cells): {answer};"
                for name, answer, note in functions
            ),
        )


_TYPES = """\
// The types of a fitted student, exported by skdistill {version}.
export type Missing = null | undefined;
export type Cell = string | number | bigint | boolean | Date | Missing;
/** The cells of a row in the order of the columns. */
export type Cells = readonly Cell[] | Float64Array | Float32Array;
/** The cells of a row by column. A missing number may be NaN; a date in a text of ISO 8601 without a zone is in UTC. */
export interface Row {{
{row}
}}
/** The names of the columns, in order. */
export declare const columns: readonly string[];
{declared}{functions}
"""


def _defined(words: str, definitions: list[str]) -> str:
    """Return one statement of all definitions."""
    listed = ",\n".join(definitions)
    return f"{words} {listed};\n"


def _literal_type(literal: str) -> str:
    return "number" if re.fullmatch("NaN|-?Infinity", literal) else literal


def _date_parts(to: Module, op: ops.DateParts) -> None:
    for column, part in zip(op.columns, op.parts, strict=True):
        to.emit(f"z[{to.width}] = {_DATE_PARTS[part].replace('X', f'z[{column}]')};")
        to.width += 1


def _clip(to: Module, op: ops.Clip) -> None:
    lower, upper = to.constant("lowest", array_literal(op.lower)), to.constant("highest", array_literal(op.upper))
    to.each(op.columns.tolist(), lambda x: f"z[{x}] = clip(z[{x}], {lower}[i], {upper}[i]);")


def _indicate(to: Module, op: ops.Indicate) -> None:
    to.each(op.columns.tolist(), lambda x: f"z[i + {to.width}] = +isNaN(z[{x}]);")
    to.width += len(op.columns)


def _standardize(to: Module, op: ops.Standardize) -> None:
    n = len(op.mean)
    parts = [op.mean, op.scale] if (op.fill == op.mean).all() else [op.mean, op.scale, op.fill]
    data, limit = to.constant("m", array_literal(np.concatenate(parts))), number(op.limit)
    given = [f"{data}[i]", f"{data}[i + {n}]", limit, *([f"{data}[i + {2 * n}]"] if len(parts) == 3 else [])]
    to.each(range(op.start, op.start + n), lambda x: f"z[{x}] = squash(z[{x}], {', '.join(given)});")


def _quantiles(to: Module, op: ops.Quantiles) -> None:
    knots, scores, fill = (to.constant(name, array_literal(getattr(op, name))) for name in ("knots", "scores", "fill"))
    to.emit(f"quantiles({op.start}, {knots}, {scores}, {fill});")


def _piecewise(to: Module, op: ops.Piecewise) -> None:
    following = to.program.ops[to.program.ops.index(op) + 1]
    if isinstance(following, ops.Affine | ops.LookupAffine) and _in_order(op):
        to.bins = op
        return
    lower, width = to.constant("lo", array_literal(op.lower)), to.constant("wd", array_literal(op.width))
    to.each(op.columns.tolist(), lambda x: f"z[i + {to.width}] = share(z[{x}], {lower}[i], {width}[i]);")
    to.width += len(op.columns)


def _in_order(op: ops.Piecewise) -> bool:
    """Tell whether the bins of a column follow each other, and none reaches beyond the next."""
    columns, upper = np.asarray(op.columns), op.lower + op.width
    same = columns[1:] == columns[:-1]
    together = len(np.unique(columns)) == len(columns) - np.count_nonzero(same)
    ascend = (op.lower[:-1] < op.lower[1:])[same]
    apart = (upper[:-2] <= op.lower[2:])[columns[2:] == columns[:-2]]
    return bool(together and ascend.all() and apart.all())


def _affine(to: Module, op: ops.Affine | ops.LookupAffine) -> None:
    first, (n_in, n) = not to.h, op.weight.shape
    if n == 1 and op is to.program.ops[-2]:
        _sum(to, op)
        return
    weight, source, start, end = doubles_literal(op.weight, op.scale), to.h, 0, n_in
    add = "add" if n < MANY else "addMany"
    h = f"h{len(to.arrays)}"
    to.arrays[h] = f"f8({n})"
    to.emit(f"{h}.set({to.constant('b', array_literal(op.bias))});")
    n_listed = n_in
    if isinstance(op, ops.LookupAffine) and to.n_codes:
        tables = to.constant("t", doubles_literal(op.tables[to.rows], op.tables_scale))
        to.emit_codes()
        to.emit(f"pick({to.n_codes}, {n});", f"{add}({h}, {tables}, {n});")
    if first:
        source, start, end = "z", to.n_codes, to.width
    if end > start:
        to.emit(f"list({source}, {start}, {end}, {n});")
    if first and to.bins is not None:
        columns = np.asarray(to.bins.columns)
        starts = np.append(np.flatnonzero(np.diff(columns, prepend=-1)), len(columns))
        begin = to.constant("e", array_literal(starts))
        lower, width = to.constant("lo", array_literal(to.bins.lower)), to.constant("wd", array_literal(to.bins.width))
        n_plain, n_listed = end - start, end - start + 3 * (len(starts) - 1)
        weight = f"summed({weight}, {n}, {n_plain}, {begin})"
        to.each(
            columns[starts[:-1]].tolist(),
            lambda x: f"bins(z[{x}], {begin}[i], {begin}[i + 1], {lower}, {width}, {n}, {n_plain});",
        )
    if n_in:
        to.emit(f"{add}({h}, {to.constant('w', weight)}, {n});")
    to.h, to.n_h, to.n_listed = h, n, max(to.n_listed, n_listed, to.n_codes)


def _sum(to: Module, op: ops.Affine | ops.LookupAffine) -> None:
    """Print a last layer of one output."""
    first = not to.h
    source, start, n = ("z", to.n_codes, to.width - to.n_codes) if first else (to.h, 0, len(op.weight))
    to.variables["h"] = number(op.bias[0])
    weight = to.constant("w", weights_literal(op.weight, op.scale)) if len(op.weight) else ""
    if n:
        to.each(range(start, start + n), lambda x: f"h += {weight}[i] * {source}[{x}];")
    if first and to.bins is not None:
        columns = np.asarray(to.bins.columns)
        ends = np.append(np.flatnonzero(np.diff(columns)) + 1, len(columns))
        lower, width = to.constant("lo", array_literal(to.bins.lower)), to.constant("wd", array_literal(to.bins.width))
        end, at = to.constant("e", array_literal(ends)), f"j + {n}" if n else "j"
        to.variables["j"] = "0"
        to.each(
            columns[ends - 1].tolist(),
            lambda x: f"for (; j < {end}[i]; j++) h += {weight}[{at}] * share(z[{x}], {lower}[j], {width}[j]);",
        )
    if isinstance(op, ops.LookupAffine) and to.n_codes:
        tables = to.constant("t", weights_literal(op.tables[to.rows], op.tables_scale))
        to.emit_codes(f"h += {tables}[{{1}}];")
    to.h, to.n_h = "h", 1


def _activation(to: Module, op: Op) -> None:
    to.emit(f"{type(op).__name__.lower()}({to.h});")


def _in_preorder(op: Tree) -> tuple[list[int], list[int], Array]:
    """Return the inner nodes, each before those below it, the leaves, and how many inner nodes are left of each."""
    nodes, leaves, rest = [], [], [0 if len(op.columns) else ~0]
    while rest:
        at = rest.pop()
        if at < 0:
            leaves.append(~at)
        else:
            nodes.append(at)
            rest += [int(op.right[at]), int(op.left[at])]
    below = np.zeros(len(nodes), dtype=np.int64)
    for at in reversed(nodes):
        below[at] = 1 + sum(below[child] for child in (op.left[at], op.right[at]) if child >= 0)
    return nodes, leaves, np.array([below[op.left[at]] if op.left[at] >= 0 else 0 for at in nodes], dtype=np.int64)


def _tree(to: Module, op: Tree) -> None:
    nodes, order, sizes = _in_preorder(op)
    leaves = to.constant("y", weights_literal(op.values[order], op.values_scale))
    leaf = "0"
    if len(op.columns):
        to.emit_codes()
        tests = 2 * op.columns[nodes] + op.missing_left[nodes]
        parts = {"tests": tests, "cuts": op.thresholds[nodes], "sizes": sizes}
        names = [to.constant(name, array_literal(values)) for name, values in parts.items()]
        leaf = f"tree({', '.join(names)}, {to.constant('ranks', array_literal(op.ranks[to.rows]))}, {to.n_codes})"
    to.n_h = op.values.shape[1]
    to.emit(f"const leaf = {leaf};" if to.n_h > 1 else f"const h = {leaves}[{leaf}];")
    if to.n_h > 1:
        to.emit(f"const h = {leaves}.slice({to.n_h} * leaf, {to.n_h} * (leaf + 1));")
    to.h = "h"


def _probabilities(to: Module, end: Any) -> tuple[str, str]:
    """Return the function from logits to probabilities, and the expression of the chosen class, or of labels."""
    h = "[h]" if to.n_h == 1 else "h"
    if isinstance(end, ops.Sigmoid):
        return f"(h) => Array.from({h}, sigmoid)", f"Array.from({h}, (x) => +(x > 0))"
    best = "h.indexOf(Math.max(...h))"
    proba = "(x) => [x, -x].map((x) => 1 / (1 + Math.exp(x)))" if to.n_h == 1 else "softmax"
    if isinstance(end, ops.OneVsRest):
        curve = "sigmoid"
        if end.knots is not None and end.scores is not None:
            n, places = (
                end.knots.shape[1],
                [to.constant(name, array_literal(getattr(end, name))) for name in ("knots", "scores")],
            )
            curve = f"(x, j) => interpolate(x, {n}, {places[0]}, {n} * j, {places[1]}, {n} * j)"
        proba = to.constant("g", f"(h) => oneVsRest({h}, {curve})")
        best = f"((p) => p.indexOf(Math.max(...p)))({proba}(h))"
    if to.n_h == 1:
        best = "+(h > 0)" if end.cut is None else f"+(h >= {number(end.cut)})"
    return proba, f"classes[{best}]"


def _unstandardized(to: Module, end: ops.Unstandardize) -> str:
    """Return the function from a regressor's outputs to its predictions."""
    n = len(end.center)
    edges = {"lower": (end.lower, -np.inf), "upper": (end.upper, np.inf)}
    values = {"scale": end.scale, "center": end.center}
    if end.lower is not None or end.upper is not None:
        values |= {name: np.full(n, none) if edge is None else edge for name, (edge, none) in edges.items()}
    power = getattr(end, "power", None)
    values |= {} if power is None else {"power": power}
    part = {
        name: number(value[0]) if n == 1 else f"{to.constant(name, array_literal(value))}[j]"
        for name, value in values.items()
    }
    found = f"{'h' if n == 1 else 'x'} * {part['scale']} + {part['center']}"
    found = f"clip({found}, {part['lower']}, {part['upper']})" if "lower" in part else found
    if isinstance(end, ops.BackTransform):
        formulas = {"square": "({}) ** 2", "box-cox": "boxCox({}, {})", "yeo-johnson": "yeoJohnson({}, {})"}
        found = formulas.get(end.function, f"Math.{end.function}({{}})").format(found, part.get("power"))
    return f"(h) => {found}" if n == 1 else f"(h) => Array.from(h, (x, j) => {found})"


_ENDS = (ops.Softmax, ops.Sigmoid, ops.OneVsRest, ops.Unstandardize, ops.BackTransform)
_PRINTERS: dict[type[Op], Callable[[Module, Any], None]] = {
    ops.Clip: _clip,
    ops.DateParts: _date_parts,
    ops.Indicate: _indicate,
    ops.Standardize: _standardize,
    ops.Quantiles: _quantiles,
    ops.Piecewise: _piecewise,
    ops.LookupAffine: _affine,
    ops.Affine: _affine,
    ops.Relu: _activation,
    ops.Tanh: _activation,
    ops.Silu: _activation,
    Tree: _tree,
}
