"""The candidates of a search within a budget, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._sklearn import copy_unfitted
from ..compress import quantize
from ..student import Fit, NetTable, hidden_units, make_student
from ..tasks import Task

#: Units of each of the two hidden layers of the largest net: the first that fits.
_WIDTHS = (96, 88, 80, 72, 64, 56, 48, 40, 32)
#: With fewer rows, holding some out costs accuracy.
FEW_ROWS = 5_000
#: Steps of L-BFGS: with many columns and classes its last ones take longest and change least.
_MOST_STEPS = 150


def default_students(task: Task, X: Any, y: Any, seed: int, *, few: bool, max_bytes: float | None) -> dict[str, Any]:
    """Return the candidates, not fitted, by name.

    Trees are none of them: none came first on the tables of benchmarks/budget.py, and they differ so much from nets
    that a few hundred rows cannot tell that they are worse. Nets have 8 units, 32, or two layers as wide as fits in
    int8; where 96 units do, 64 are tried as well. With few rows, four nets of 8 units as one take the place of 8 and
    of 32, if they fit: the mean of several has no higher expected loss than one. The smallest net is tried whatever
    its size.
    """

    def made(name: str, **params: Any) -> Any:
        return make_student(name, task, random_state=seed).set_params(**params)

    def net(*units: int, n_nets: int = 1) -> Any:
        return made("mlp", hidden_layer_sizes=units, n_nets=n_nets)

    wide = {f"mlp {units}x{units}": net(units, units) for units in _WIDTHS}
    small = {"mlp 8, 4 nets": net(8, n_nets=4)} if few else {"mlp 32": net(32)}
    nets = {"mlp 8": net(8), **small, **wide}
    if max_bytes is not None:
        nbytes = _bytes_in_int8(nets, task, X, y)
        nets = {name: net for name, net in nets.items() if nbytes[name] <= max(max_bytes, nbytes["mlp 8"])}
    if "mlp 8, 4 nets" in nets:
        del nets["mlp 8"]
    widest = next((name for name in nets if name in wide), None)
    kept = {widest, "mlp 64x64"} if widest == "mlp 96x96" else {widest}
    nets = {name: net for name, net in nets.items() if name not in wide or name in kept}
    return {
        "linear": made("linear", max_iter=_MOST_STEPS),
        "additive": made("additive", max_iter=_MOST_STEPS),
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
    return max(students, key=lambda name: sum(hidden_units(students[name])))


def beside(students: Mapping[str, Any], name: str) -> list[str]:
    """Return the names of the nets that differ from another one in hidden units and number of nets alone."""
    size = {"hidden_layer_sizes": (), "n_nets": 1}
    own = {other: {**student.get_params(deep=False), **size} for other, student in students.items()}
    return [
        other
        for other, student in students.items()
        if other != name and type(student) is type(students[name]) and own[other] == own[name]
    ]
