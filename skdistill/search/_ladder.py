"""The students that a search within a budget tries, by name, each in smaller forms as well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..compress import prune, quantize
from ..program import Program, split
from ..student import (
    LinearStudent,
    LinearStudentRegressor,
    MLPStudent,
    MLPStudentRegressor,
    TreeStudent,
    TreeStudentRegressor,
)

#: Hidden units of the nets, from the smallest to the largest.
_WIDTHS = ((8,), (16,), (32,), (64,), (64, 64), (96, 96))
#: Nets that are trained several times and put side by side, as one: their hidden units, and how many nets.
_SIDE_BY_SIDE = ((8, 4), (32, 2))
#: Of more rows further nets would take too long.
_FEW_ROWS = 5_000
#: The share of the largest net's hidden units that pruning keeps.
_KEPT = (0.75, 0.5)
#: The passes over the rows that a pruned net gets here: a search tries two of them, among thirty students.
_PASSES = 40
#: Steps of L-BFGS: with many columns and classes its last ones take longest and change least.
_MOST_STEPS = 200


def default_students(seed: int, n_rows: int, *, regression: bool) -> dict[str, Any]:
    """Return the students of the ladder, not fitted, each with its name; some of them only of few rows."""
    linear: list[Any]
    if regression:
        linear = [LinearStudentRegressor(), LinearStudentRegressor(numeric="piecewise")]
    else:
        linear = [LinearStudent(max_iter=_MOST_STEPS), LinearStudent(numeric="piecewise", max_iter=_MOST_STEPS)]
    net, tree = (MLPStudentRegressor, TreeStudentRegressor) if regression else (MLPStudent, TreeStudent)
    several = _SIDE_BY_SIDE if n_rows <= _FEW_ROWS else ()
    return {
        "linear": linear[0],
        "additive": linear[1],
        "tree": tree(random_state=seed),
        **{f"mlp {_named(width)}": net(width, random_state=seed) for width in _WIDTHS},
        **{f"mlp {width}, {n} nets": net((width,), n_nets=n, random_state=seed) for width, n in several},
    }


def leading(students: Mapping[str, Any]) -> Any:
    """Return the student for which the recipe is followed: the largest net, and where there is none the first."""
    # of several that are as large max takes the first
    return max(students.values(), key=lambda student: sum(_widths(student)))


def _widths(student: Any) -> tuple[int, ...]:
    return tuple(getattr(student, "hidden_layer_sizes", ()))


def _named(width: tuple[int, ...]) -> str:
    return "x".join(map(str, width))


def smaller_forms(fitted: Mapping[str, Any], X: Any, seed: int) -> Iterator[tuple[str, Any]]:
    """Yield students with weights of fewer bits, and the largest net with fewer units, each with its name.

    Parameters
    ----------
    fitted : mapping of str to student
        Fitted students by name; those without a Program are passed over.
    X : ndarray, sparse matrix or frame of shape (n_rows, n_columns)
        Rows to compress by.
    seed : int
        Seeds the training of what is pruned.

    Yields
    ------
    name : str
        Such as "mlp 64, int8".
    student : student
        Fitted.
    """
    for name, student in fitted.items():
        if _has_program(student):
            yield f"{name}, int8", quantize(student, "int8", X)
    nets = [name for name, student in fitted.items() if _has_program(student) and _n_hidden(student) > 0]
    if not nets:
        return
    largest = max(nets, key=lambda name: fitted[name].program_.n_parameters)
    for keep in _KEPT:
        pruned = prune(fitted[largest], X, keep, max_epochs=_PASSES, random_state=seed)
        name = f"{largest}, pruned to {keep:.0%}"
        yield name, pruned
        yield f"{name}, int8", quantize(pruned, "int8", X)


def n_forms(students: Mapping[str, Any]) -> int:
    """Return how many students a ladder has at most, smaller forms among them."""
    return 2 * len(students) + 2 * len(_KEPT)


def _has_program(student: Any) -> bool:
    return isinstance(getattr(student, "program_", None), Program)


def _n_hidden(student: Any) -> int:
    parts = split(student.program_)
    return 0 if parts is None else len(parts[2])
