"""The students that a search within a budget tries, by name, each in smaller forms as well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .._recipe import side_by_side
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
#: Of fewer rows those held out are missed; of more, several nets as one would take too long.
FEW_ROWS = 5_000
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
    several = _SIDE_BY_SIDE if n_rows <= FEW_ROWS else ()
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
    return max(students.values(), key=lambda student: sum(widths(student)))


def steadiest(students: Mapping[str, Any]) -> str | None:
    """Return the name of the several nets as one that are smallest, which owe least to chance; None if there are none.

    What they are trained with is drawn several times, and none of them is large enough to learn much of the noise in
    what the teacher says.
    """
    several = [name for name, student in students.items() if getattr(student, "n_nets", 1) > 1]
    return min(several, key=lambda name: sum(widths(students[name])), default=None)


def widths(student: Any) -> tuple[int, ...]:
    """Return the hidden units of a student, layer by layer; none of what is no net."""
    return tuple(getattr(student, "hidden_layer_sizes", ()))


def _named(width: tuple[int, ...]) -> str:
    return "x".join(map(str, width))


@dataclass(frozen=True)
class Form:
    """A student of the ladder, as it is or made smaller.

    Parameters
    ----------
    base : str
        The name of the student.
    keep : float or None
        The share of its hidden units that is kept; None keeps them all.
    int8 : bool
        Whether its weights have a byte each.
    """

    base: str
    keep: float | None = None
    int8: bool = False

    @property
    def name(self) -> str:
        """How it is called: "mlp 96x96, pruned to 50%, int8"."""
        pruned = "" if self.keep is None else f", pruned to {self.keep:.0%}"
        return self.base + pruned + (", int8" if self.int8 else "")

    def of(self, student: Any, X: Any, seed: int) -> Any:
        """Return a fitted student in this form; `X` are rows to compress by."""
        if self.keep is not None:
            student = _prune(student, X, self.keep, seed)
        return quantize(student, "int8", X) if self.int8 else student


def as_several(students: Mapping[str, Any], forms: Iterable[Form]) -> dict[str, list[str]]:
    """Return for forms of a net the names of those of several nets as one that differ from it in nothing else.

    The loss is convex in what a net says, and so that of several nets' mean is expected to be no higher than that of
    any one of them (Jensen's inequality). They are larger, and so their int8 form comes after the same one.
    """

    def settings(student: Any) -> tuple[Any, ...]:
        own = {**student.get_params(deep=False), "hidden_layer_sizes": widths(student)}
        return type(student), {key: own[key] for key in own if key not in ("n_nets", "random_state", "verbose")}

    nets = {name: student for name, student in students.items() if hasattr(student, "n_nets")}
    several = {name: settings(student) for name, student in nets.items() if student.n_nets > 1}
    found = {}
    for form in forms:
        net = nets.get(form.base)
        if net is not None and net.n_nets == 1:
            same = [replace(form, base=name) for name, its in several.items() if its == settings(net)]
            smaller = [replace(one, int8=True) for one in same]
            found[form.name] = list(dict.fromkeys(one.name for one in [*same, *smaller]))
    return found


def smaller_forms(fitted: Mapping[str, Any], X: Any, seed: int, n_jobs: int) -> dict[Form, Any]:
    """Return students with weights of fewer bits, and the largest net with fewer units.

    Parameters
    ----------
    fitted : mapping of str to student
        Fitted students by name; those without a Program are passed over.
    X : ndarray, sparse matrix or frame of shape (n_rows, n_columns)
        Rows to compress by.
    seed : int
        Seeds the training of what is pruned.
    n_jobs : int
        In how many processes nets are pruned.

    Returns
    -------
    forms : dict of Form to student
        Fitted.
    """
    whole = {Form(name): student for name, student in fitted.items() if _has_program(student)}
    pruned: dict[Form, Any] = {}
    nets = [form for form, student in whole.items() if _n_hidden(student) > 0]
    if nets:
        largest = max(nets, key=lambda form: whole[form].program_.n_parameters)
        smaller = side_by_side(n_jobs, _prune, ((whole[largest], X, keep, seed) for keep in _KEPT))
        pruned = {replace(largest, keep=keep): net for keep, net in zip(_KEPT, smaller, strict=True)}
    whole |= pruned
    return pruned | {replace(form, int8=True): quantize(student, "int8", X) for form, student in whole.items()}


def _prune(student: Any, X: Any, keep: float, seed: int) -> Any:
    """Return a student with fewer units; a function of its own, so that it can be called in another process."""
    return prune(student, X, keep, max_epochs=_PASSES, random_state=seed)


def n_forms(students: Mapping[str, Any]) -> int:
    """Return how many students a ladder has at most, smaller forms among them."""
    return 2 * len(students) + 2 * len(_KEPT)


def _has_program(student: Any) -> bool:
    return isinstance(getattr(student, "program_", None), Program)


def _n_hidden(student: Any) -> int:
    parts = split(student.program_)
    return 0 if parts is None else len(parts[2])
