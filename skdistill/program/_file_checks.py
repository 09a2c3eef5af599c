"""What the Program of a file must be: every field of every op, against what reaches it and what the op allows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from itertools import accumulate, groupby, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._cells import words_in
from ._ops import (
    BACK,
    DATE_PARTS,
    LARGEST,
    Affine,
    BackTransform,
    Bound,
    Clip,
    DateParts,
    Indicate,
    LookupAffine,
    OneVsRest,
    Op,
    Piecewise,
    Quantiles,
    Sigmoid,
    Softmax,
    Standardize,
    Unstandardize,
)
from ._program import Program, run
from ._table import Columns
from ._text_cells import is_form
from ._tree import Tree

Array = NDArray[Any]
#: The names of what was checked, and whether it fits.
Found = Iterator[tuple[str, Any]]

#: The most ops of a Program.
MOST_OPS = 1000
#: A row may have so many columns, and one more for each byte of its file: columns that are not read take no byte.
MOST_UNREAD = 2**17
#: The most levels of a column that are numbers: hashes can be made to collide, and then each is compared with all.
_MOST_NUMBERS = 2**14
#: How often a column may be read in one way: each reading is a number of its own.
_MOST_READS = 16
#: The largest rank.
_LARGEST_RANK = 2**53
#: The most nodes on a path of a tree.
_DEEPEST = 2**12

#: The order in which fit writes ops; every format is tested in this one.
_ORDER = re.compile(
    r"(Bound|Columns( DateParts)?( Clip)?( Indicate)?( Quantiles| Standardize)?( Piecewise)?)"
    r"( Tree| (LookupAffine|Affine)( (Relu|Silu|Tanh) Affine)*) (Softmax|Sigmoid|OneVsRest|Unstandardize|BackTransform)"
)

_WEIGHTS = ("f4", "f2", "i1")
#: The types and the shape of each array. Sides of one name are equal: `in` are the columns before the op, `codes` those
#: of them that hold codes, `numbers` the rest, and `levels` all codes together.
_ARRAYS: dict[str, dict[str, tuple[tuple[str, ...], str]]] = {
    "Clip": {"columns": (("i8",), "n"), "lower": (("f8",), "n"), "upper": (("f8",), "n")},
    "Indicate": {"columns": (("i8",), "n")},
    "Standardize": dict.fromkeys(("mean", "scale", "fill"), (("f8",), "n")),
    "Quantiles": {"knots": (("f8",), "n k"), "scores": (("f8",), "k"), "fill": (("f8",), "n")},
    "Piecewise": {"columns": (("i8",), "n"), "lower": (("f8",), "n"), "width": (("f8",), "n")},
    "LookupAffine": {
        "offsets": (("i8",), "codes"),
        "tables": (_WEIGHTS, "levels out"),
        "weight": (_WEIGHTS, "numbers out"),
        **dict.fromkeys(("bias", "tables_scale", "scale"), (("f4",), "out")),
    },
    "Affine": {"weight": (_WEIGHTS, "in out"), **dict.fromkeys(("bias", "scale"), (("f4",), "out"))},
    "Tree": {
        "offsets": (("i8",), "codes"),
        "ranks": (("f4",), "levels"),
        **dict.fromkeys(("columns", "left", "right"), (("i8",), "nodes")),
        "thresholds": (("f4",), "nodes"),
        "missing_left": (("b1",), "nodes"),
        "values": (_WEIGHTS, "leaves out"),
        "values_scale": (("f4",), "out"),
    },
    "OneVsRest": dict.fromkeys(("knots", "scores"), (("f8",), "in k")),
    "Unstandardize": dict.fromkeys(("center", "scale", "lower", "upper"), (("f8",), "in")),
    "BackTransform": dict.fromkeys(("center", "scale", "lower", "upper", "power"), (("f8",), "in")),
}
#: int8 arrays and their scales.
_SCALES = {"weight": "scale", "tables": "tables_scale", "values": "values_scale"}


class Fault(ValueError):  # noqa: N818
    """A fault of a file; the message does not name the file yet."""


def check(fits: Any, fault: str) -> None:
    """Raise Fault unless something fits."""
    if not fits:
        raise Fault(fault)


def check_program(program: Program, classes: Array | None, n_bytes: int) -> None:
    """Check that a Program can have been fitted: then it predicts and exports, with work bounded by the file's size.

    Parameters
    ----------
    program : Program
        The Program, whose fields have the types that its ops declare.
    classes : ndarray of shape (n_classes,) or None
        The class labels; None for a regressor.
    n_bytes : int
        The size of the file.

    Raises
    ------
    Fault
        If it cannot; the message names the field.
    """
    check(len(program.ops) <= MOST_OPS, f"it has {len(program.ops)} ops, more than {MOST_OPS}")
    order = " ".join(type(op).__name__ for op in program.ops)
    check(_ORDER.fullmatch(order), "its ops do not follow each other as those of a fitted student do")
    entry, most = program.ops[0], MOST_UNREAD + n_bytes
    assert isinstance(entry, Columns | Bound)
    sizes, width = (entry.sizes, len(entry.sources)) if isinstance(entry, Columns) else ((), entry.n_columns)
    for what, fits in _columns(entry, most) if isinstance(entry, Columns) else [("n_columns", 0 < width <= most)]:
        check(fits, f"its columns do not fit each other: {what}")
    row = np.full((1, width), np.nan) if isinstance(entry, Columns) else np.zeros((1, width))
    row[0, : len(sizes)] = np.array(sizes, dtype=np.float64) - 1.0
    for op in program.ops[1:]:
        width = _check_op(op, sizes, width)
        sizes = () if isinstance(op, Tree | LookupAffine | Affine) else sizes
    is_regressor = program.n_outputs is not None
    check((classes is None) == is_regressor, "it holds class labels and the Program of a regressor, or neither")
    wanted, what = (program.n_outputs, "outputs") if classes is None else (len(classes), "class labels")
    # a row whose cells are all missing
    with np.errstate(all="ignore"):
        outputs = run(row, program.ops[1:])
    fault = f"it holds {wanted} {what}, and its Program returns shape {outputs.shape}"
    check(outputs.shape == (1, wanted) and wanted, fault)
    check(np.isfinite(outputs).all(), "its Program returns a number that is not finite")


def _columns(entry: Columns, most: int) -> Found:
    """Yield the fields of the entry and whether each fits, each after those that it depends on."""
    n, kinds = entry.n_columns, entry.kinds
    with_levels = [kind for kind in kinds if kind in ("category", "rank")]
    n_categories = with_levels.count("category")
    yield "n_columns", 0 < n <= most
    yield "sources", len(entry.sources) == len(kinds) and all(0 <= source < n for source in entry.sources)
    yield "kinds", set(kinds) <= {"category", "rank", "number", "datetime", "word"}
    read = Counter((source, kind) for source, kind in zip(entry.sources, kinds, strict=True) if kind != "word")
    yield "a column that is read too often", max(read.values(), default=0) <= _MOST_READS
    yield "kinds", set(kinds[:n_categories]) <= {"category"}
    yield "sizes", len(entry.sizes) == n_categories and all(size >= 2 for size in entry.sizes)
    yield "levels", len(entry.levels) == len(with_levels)
    for kind, levels, size in zip(with_levels, entry.levels, (*entry.sizes, *[0] * len(with_levels)), strict=False):
        least, most_of = (0, size - 1) if kind == "category" else (-_LARGEST_RANK, _LARGEST_RANK)
        codes = levels.values()
        yield "levels", not codes or (least <= min(codes) and max(codes) <= most_of)
        yield "levels", kind == "rank" or set(map(type, codes)) <= {int}
    yield "names", entry.names is None or entry.numbered is None
    for names in (entry.names, entry.numbered):
        yield "names", names is None or len(names) == n
    yield "names", len(set(entry.names or ())) == len(entry.names or ())
    yield "names", all(one < other for one, other in pairwise(sorted(entry.numbered or ())))
    yield "names", all(abs(name) < 2**60 for name in entry.numbered or ())
    yield "forms", entry.forms is None or len(entry.forms) == len(kinds)
    yield "forms", all(is_form(kind, form) for kind, form in zip(kinds, entry.forms or (), strict=False))
    yield "words", len(entry.words or ()) == kinds.count("word")
    # the words of a text are looked for at once
    texts = [source for (source, kind), _ in groupby(zip(entry.sources, kinds, strict=True)) if kind == "word"]
    yield "words", len(set(texts)) == len(texts)
    yield "words", all(words_in(word) == {word.encode()} for word in entry.words or ())
    yield "unused", entry.unused is None or len(entry.unused) == n - len(set(entry.sources))
    yield "unused", set(entry.unused or ()) <= {"number", "datetime", "text", "level"}
    yield "spans", len(entry.spans or ()) <= n and all(0 <= source < n for source in entry.spans or ())


def check_keys(keys: Collection[Any]) -> None:
    """Check before they are keys of a dict that it will be a fast one, and that none is there twice."""
    # the hashes of texts cannot be foreseen; -1 and -2 share one
    hashes = sorted(hash(key) for key in keys if not isinstance(key, str | None))
    spread = all(one != other for one, other in zip(hashes, hashes[2:], strict=False))
    check(len(hashes) <= _MOST_NUMBERS and spread, "it holds too many numbers that are levels or class labels")
    check(len(set(keys)) == len(keys), "it holds a level or a class label twice")


def _check_op(op: Op, sizes: tuple[int, ...], width: int) -> int:
    """Check an op against the columns that reach it, the first of which are codes; return how many columns leave it."""
    name, n_codes = type(op).__name__, len(sizes)
    fault = f"the parts of its op {name} do not fit each other, or the columns before it: "
    sides = {"in": width, "codes": n_codes, "numbers": width - n_codes, "levels": sum(sizes)}
    for field, (types, named) in _ARRAYS.get(name, {}).items():
        value = getattr(op, field)
        if value is None:
            continue
        shape = zip(named.split(), value.shape, strict=False)
        fits = value.dtype.str[1:] in types and value.ndim == len(named.split())
        check(fits and all(sides.setdefault(side, n) == n for side, n in shape), fault + field)
        # where only missing numbers go right, nothing is above the threshold
        finite = value.dtype.kind != "f" or np.isfinite(value) | ((field == "thresholds") & (value == np.inf))
        check(np.all(finite), f"its op {name} holds a number that is not finite: {field}")
        if field in _SCALES:
            check((value.dtype == np.int8) == (getattr(op, _SCALES[field]) is not None), fault + _SCALES[field])
    check(sides.get("out", 1) > 0, fault + "no outputs")
    for what, fits in _CHECKS.get(name, _nothing)(op, sizes, width):
        check(fits, fault + what)
    return width + len(op.columns) if isinstance(op, DateParts | Indicate | Piecewise) else sides.get("out", width)


def _nothing(op: Op, sizes: tuple[int, ...], width: int) -> Found:
    yield from ()


def _are_numbers(columns: Any, sizes: tuple[int, ...], width: int) -> bool:
    """Tell whether columns are some of the numbers."""
    found = np.asarray(columns)
    return len(found) > 0 and bool(((found >= len(sizes)) & (found < width)).all())


def _differ(values: Array) -> bool:
    return len(np.unique(values)) == len(values)


def _divide(values: Array) -> bool:
    """Tell whether numbers are positive, and one over each is finite."""
    return bool((values > 1.0 / np.finfo(np.float64).max).all())


def _offsets(op: Any, sizes: tuple[int, ...], width: int) -> Found:
    yield "offsets", op.offsets.tolist() == list(accumulate(sizes, initial=0))[:-1]


def _affine(op: Affine, sizes: tuple[int, ...], width: int) -> Found:
    yield "codes, which are no numbers", not sizes


def _date_parts(op: DateParts, sizes: tuple[int, ...], width: int) -> Found:
    yield "columns", len(op.columns) == len(op.parts) and _are_numbers(op.columns, sizes, width)
    yield "parts", set(op.parts) <= set(DATE_PARTS)
    yield "a part that is there already", len(set(zip(op.columns, op.parts, strict=True))) == len(op.parts)


def _indicate(op: Indicate | Clip, sizes: tuple[int, ...], width: int) -> Found:
    yield "columns", _are_numbers(op.columns, sizes, width) and _differ(op.columns)


def _clip(op: Clip, sizes: tuple[int, ...], width: int) -> Found:
    yield from _indicate(op, sizes, width)
    yield "lower", (op.lower <= op.upper).all()


def _run(op: Standardize | Quantiles, sizes: tuple[int, ...], width: int) -> Found:
    yield "start", len(sizes) <= op.start < op.start + len(op.fill) <= width


def _standardize(op: Standardize, sizes: tuple[int, ...], width: int) -> Found:
    yield from _run(op, sizes, width)
    yield "scale", _divide(op.scale)
    yield "limit", 0 < op.limit <= LARGEST


def _quantiles(op: Quantiles, sizes: tuple[int, ...], width: int) -> Found:
    yield from _run(op, sizes, width)
    yield "scores", len(op.scores) > 1 and (op.scores[:-1] <= op.scores[1:]).all()
    yield "knots", (op.knots[:, :-1] <= op.knots[:, 1:]).all()


def _piecewise(op: Piecewise, sizes: tuple[int, ...], width: int) -> Found:
    yield "columns", _are_numbers(op.columns, sizes, width)
    yield "width", _divide(op.width)


def _unstandardize(op: Unstandardize, sizes: tuple[int, ...], width: int) -> Found:
    yield "lower", op.lower is None or op.upper is None or (op.lower <= op.upper).all()


def _softmax(op: Softmax | OneVsRest, sizes: tuple[int, ...], width: int) -> Found:
    yield "cut", op.cut is None or (width == 1 and np.isfinite(op.cut))


def _sigmoid(op: Sigmoid, sizes: tuple[int, ...], width: int) -> Found:
    # one label of two is a Softmax's
    yield "labels", width > 1


def _one_vs_rest(op: OneVsRest, sizes: tuple[int, ...], width: int) -> Found:
    yield from _softmax(op, sizes, width)
    # one logit through the logistic function is a Softmax
    yield "cut", width > 1 or (op.cut is not None and op.knots is not None)
    yield "knots", (op.knots is None) == (op.scores is None)
    if op.knots is not None and op.scores is not None:
        yield "knots", op.knots.shape[1] > 1 and (op.knots[:, :-1] <= op.knots[:, 1:]).all()
        yield "scores", (op.scores[:, :-1] <= op.scores[:, 1:]).all()
        yield "scores", ((op.scores >= 0) & (op.scores <= 1)).all()


def _back_transform(op: BackTransform, sizes: tuple[int, ...], width: int) -> Found:
    yield "function", op.function in BACK and (op.power is None) == (op.function in BACK[:6])
    yield "lower", op.lower is not None and op.upper is not None
    yield from _unstandardize(op, sizes, width)
    if op.power is not None:
        yield "power", (op.power != 0).all() and (op.function == "box-cox" or (op.power != 2).all())
    # between numbers where it is finite, each function is continuous
    at_bounds = replace(op, center=np.zeros(width), scale=np.ones(width))
    with np.errstate(divide="raise", invalid="raise", over="raise"):
        at_bounds(np.array([op.lower, op.upper]))


def _tree(op: Tree, sizes: tuple[int, ...], width: int) -> Found:
    yield from _offsets(op, sizes, width)
    yield "columns", ((op.columns >= 0) & (op.columns < width)).all()
    n, astray = len(op.columns), "a node that leads nowhere or back"
    # every inner node and every leaf has one parent, which comes before it
    children = np.concatenate([op.left, op.right])
    inner = np.flatnonzero(children >= 0)
    yield astray, np.array_equal(np.sort(np.append(children, 0 if n else ~0)), np.arange(-len(op.values), n))
    yield astray, (children[inner] > inner % max(n, 1)).all()
    at, depth = np.arange(min(n, 1)), 0
    while len(at) and depth <= _DEEPEST:
        below = np.concatenate([op.left[at], op.right[at]])
        at, depth = below[below >= 0], depth + 1
    yield f"a path of more than {_DEEPEST} nodes", depth <= _DEEPEST


#: What an op must be besides.
_CHECKS: dict[str, Callable[[Any, tuple[int, ...], int], Found]] = {
    "Affine": _affine,
    "BackTransform": _back_transform,
    "Clip": _clip,
    "DateParts": _date_parts,
    "Indicate": _indicate,
    "LookupAffine": _offsets,
    "OneVsRest": _one_vs_rest,
    "Piecewise": _piecewise,
    "Quantiles": _quantiles,
    "Sigmoid": _sigmoid,
    "Softmax": _softmax,
    "Standardize": _standardize,
    "Tree": _tree,
    "Unstandardize": _unstandardize,
}
