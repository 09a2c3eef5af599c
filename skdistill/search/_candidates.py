"""The candidates of a search within a budget, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._sklearn import copy_unfitted
from ..compress import quantize
from ..student import Fit, NetTable, make_student
from ..tasks import Task

#: Hidden units of the nets, from the smallest to the largest.
_WIDTHS = ((8,), (32,), (64, 64), (96, 96))
#: With fewer rows, holding some out costs accuracy.
FEW_ROWS = 5_000
#: Steps of L-BFGS: with many columns and classes its last ones take longest and change least.
_MOST_STEPS = 200


def default_students(task: Task, X: Any, y: Any, seed: int, max_bytes: float | None) -> dict[str, Any]:
    """Return the candidates, not fitted, by name.

    With few rows, four nets of 8 units as one take the place of 32 units: they owe less to chance. Nets that are too
    large in int8 are left out, except the smallest.
    """

    def made(name: str, **params: Any) -> Any:
        return make_student(name, task, random_state=seed).set_params(**params)

    nets = {f"mlp {'x'.join(map(str, width))}": made("mlp", hidden_layer_sizes=width) for width in _WIDTHS}
    if len(y) <= FEW_ROWS:
        del nets["mlp 32"]
        nets["mlp 8, 4 nets"] = made("mlp", hidden_layer_sizes=(8,), n_nets=4)
    if max_bytes is not None:
        nbytes = _bytes_in_int8(nets, task, X, y)
        nets = {name: net for name, net in nets.items() if nbytes[name] <= max(max_bytes, nbytes["mlp 8"])}
    return {
        "linear": made("linear", max_iter=_MOST_STEPS),
        "additive": made("additive", max_iter=_MOST_STEPS),
        "tree": made("tree"),
        **nets,
    }


def _bytes_in_int8(nets: Mapping[str, Any], task: Task, X: Any, y: Any) -> dict[str, int]:
    """Return the bytes of nets after a step of training."""
    first = next(iter(nets.values()))
    targets = task.only_labels(y, n_rows=len(y), sample_weight=None, loss=task.loss(), called=type(first).__name__)
    table, rows = NetTable(copy_unfitted(first).set_params(max_epochs=1), X, targets), np.arange(1)
    fitted = table.fit([Fit(targets, rows, rows[:0], seed=0, student=net) for net in nets.values()])
    return {
        name: quantize(table.as_student(one), "int8").program_.nbytes for name, one in zip(nets, fitted, strict=True)
    }


def largest(students: Mapping[str, Any]) -> str:
    """Return the name of the student for which the recipe chooses: the largest net, or else the first student."""
    # of several that are as large max takes the first
    return max(students, key=lambda name: sum(getattr(students[name], "hidden_layer_sizes", ())))


def beside(students: Mapping[str, Any], name: str) -> list[str]:
    """Return the names of the nets that differ from another one in hidden units and number of nets alone."""
    size = {"hidden_layer_sizes": (), "n_nets": 1}
    own = {other: {**student.get_params(deep=False), **size} for other, student in students.items()}
    return [
        other
        for other, student in students.items()
        if other != name and type(student) is type(students[name]) and own[other] == own[name]
    ]
