"""A fitted tree as text: one line for each branch and each leaf."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..losses import softmax
from ..program import Columns, DateParts, Levels, Program, Standardize, Tree, Word, real_weights, unsquashed

Array = NDArray[Any]

#: At most this many levels of a category are listed; the others are counted.
_MOST_LEVELS = 8


@dataclass(frozen=True)
class _Column:
    """A column that a tree tests: its name and kind, and its levels by code or its mean, scale and limit."""

    name: str
    kind: str = "number"
    levels: tuple[str, ...] = ()
    mean: float = 0.0
    scale: float = 1.0
    limit: float = np.inf

    def raw(self, standardised: Any) -> Any:
        """Return standardised numbers in the column's own unit."""
        return self.mean + self.scale * unsquashed(standardised, self.limit)

    def at(self, threshold: float) -> str:
        """Return a threshold in the column's own unit."""
        value = float(self.raw(threshold))
        if self.kind == "datetime":
            return f"{datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=value):%Y-%m-%d %H:%M}"
        return f"{value:.6g}"


def tree_text(program: Program, classes: Array | None, max_depth: int | None) -> str:
    """Return the tree of a Program as text.

    Parameters
    ----------
    program : Program
        The ops that encode rows, then a Tree, then Softmax or Unstandardize.
    classes : ndarray of shape (n_classes,) or None
        The class labels; None for a regressor.
    max_depth : int or None
        The number of branches along a path that are shown; None shows all.

    Returns
    -------
    text : str
        A line for each side of each branch, and for each leaf a line with its class and probability,
        or with a regressor's predictions.
    """
    tree = program.ops[-2]
    assert isinstance(tree, Tree)
    columns = _columns(program)
    leaves = _leaves(program, real_weights(tree.values, tree.values_scale), classes)

    def lines(node: int, depth: int, codes: dict[int, list[int]]) -> Iterator[str]:
        indent = "|   " * depth + "|--- "
        if node < 0:
            yield indent + leaves[~node]
            return
        if depth == max_depth:
            yield f"{indent}..."
            return
        index = int(tree.columns[node])
        column, threshold = columns[index], float(tree.thresholds[node])
        sides: list[tuple[str, dict[int, list[int]]]]
        if column.levels:
            # the levels that reach this node
            here = codes.get(index, list(range(len(column.levels))))
            left = tree.ranks[tree.offsets[index] + np.array(here)] <= threshold
            parts = [[code for code, goes in zip(here, left, strict=True) if goes == side] for side in (True, False)]
            sides = [(f"{column.name} in {_listed(column, part)}", {**codes, index: part}) for part in parts]
        elif threshold == np.inf:
            sides = [(f"{column.name} known", codes), (f"{column.name} missing", codes)]
        else:
            at = column.at(threshold)
            signs = ("<=", ">")
            suffixes = (" or missing", "") if tree.missing_left[node] else ("", " or missing")
            sides = [(f"{column.name} {sign} {at}{end}", codes) for sign, end in zip(signs, suffixes, strict=True)]
        for (text, known), child in zip(sides, (tree.left[node], tree.right[node]), strict=True):
            yield indent + text
            yield from lines(int(child), depth + 1, known)

    return "\n".join(lines(0 if len(tree.columns) else ~0, 0, {}))


def _leaves(program: Program, values: Array, classes: Array | None) -> list[str]:
    """Return the text of each leaf."""
    if classes is None:
        end: Any = program.ops[-1]
        # more digits for an output that is far from zero, so that its numbers can be distinguished
        far = np.abs(end.center) / np.where(end.scale > 0, end.scale, np.inf)
        digits = np.minimum(6 + np.log10(np.maximum(far, 1.0)).astype(int), 17).tolist()
        return [
            ", ".join(f"{number:.{most}g}" for number, most in zip(row, digits, strict=True))
            for row in end(values).tolist()
        ]
    proba, labels = softmax(values), classes.tolist()
    return [f"{labels[best]}: {row[best]:.2f}" for row, best in zip(proba, proba.argmax(axis=1).tolist(), strict=True)]


def _listed(column: _Column, codes: list[int]) -> str:
    shown = ", ".join(column.levels[code] for code in codes[:_MOST_LEVELS])
    return f"[{shown}{f' and {len(codes) - _MOST_LEVELS} more' if len(codes) > _MOST_LEVELS else ''}]"


def _columns(program: Program) -> list[_Column]:
    """Return the columns that the tree may test."""
    entry = program.ops[0]
    if not isinstance(entry, Columns):
        return [_Column(f"column {index}") for index in range(program.n_columns)]
    found = []
    for (source, kind, levels), size in zip_longest(entry.reads, entry.sizes):
        name = entry.names[source] if entry.names else f"column {source}"
        if isinstance(levels, Levels) and kind == "category":
            known: list[list[str]] = [[] for _ in range(size)]
            for level, code in levels.levels.items():
                known[code].append("missing" if level is None else str(level))
            texts = [" / ".join(several) for several in known]
            texts[-2:] = texts[-2] or "other levels", texts[-1] or "missing"
            found.append(_Column(name, kind, tuple(texts)))
        elif isinstance(levels, Word):
            found.append(_Column(f"word {levels.word!r} in {name}", kind))
        else:
            found.append(_Column(f"rank of {name}" if kind == "rank" else name, kind))
    for op in program.ops[1:-2]:
        if isinstance(op, DateParts):
            found += [
                _Column(f"{part} of {found[column].name}") for column, part in zip(op.columns, op.parts, strict=True)
            ]
        elif isinstance(op, Standardize):
            for index, (mean, scale) in enumerate(zip(op.mean, op.scale, strict=True), start=op.start):
                found[index] = _Column(found[index].name, found[index].kind, (), float(mean), float(scale), op.limit)
    return found
