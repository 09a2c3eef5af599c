"""The candidates of a search within a budget, by name, and their smaller variants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..compress import prune, quantize
from ..distil import in_parallel
from ..program import program_or_none, split
from ..student import make_student
from ..tasks import Task

#: Hidden units of the nets, from the smallest to the largest.
_WIDTHS = ((8,), (16,), (32,), (64,), (64, 64), (96, 96))
#: Ensembles of nets with one hidden layer, which end as one net: their hidden units, and how many nets.
_ENSEMBLES = ((8, 4), (32, 2))
#: With fewer rows, holding some out costs accuracy; with more, ensembles would take too long.
FEW_ROWS = 5_000
#: The share of the largest net's hidden units that pruning keeps.
_KEPT = (0.75, 0.5)
#: The passes over the rows for a pruned net.
_PASSES = 40
#: Steps of L-BFGS: with many columns and classes its last ones take longest and change least.
_MOST_STEPS = 200


def default_students(seed: int, n_rows: int, task: Task) -> dict[str, Any]:
    """Return the candidates, not fitted, by name; ensembles only where there are few rows."""

    def made(name: str, **params: Any) -> Any:
        return make_student(name, task, random_state=seed).set_params(**params)

    return {
        "linear": made("linear", max_iter=_MOST_STEPS),
        "additive": made("additive", max_iter=_MOST_STEPS),
        "tree": made("tree"),
        **{f"mlp {'x'.join(map(str, width))}": made("mlp", hidden_layer_sizes=width) for width in _WIDTHS},
        **{
            f"mlp {width}, {n} nets": made("mlp", hidden_layer_sizes=(width,), n_nets=n)
            for width, n in (_ENSEMBLES if n_rows <= FEW_ROWS else ())
        },
    }


def largest(students: Mapping[str, Any]) -> Any:
    """Return the student for which the recipe chooses: the largest net, and where there is none the first student."""
    # of several that are as large max takes the first
    return max(students.values(), key=lambda student: sum(hidden_units(student)))


def smallest_ensemble(students: Mapping[str, Any]) -> str | None:
    """Return the name of the smallest ensemble of nets, which depends least on chance; None if there is none.

    Its nets are too small to fit much of the noise in the teacher's answers, and differ in all that is random.
    """
    several = [name for name, student in students.items() if getattr(student, "n_nets", 1) > 1]
    return min(several, key=lambda name: sum(hidden_units(students[name])), default=None)


def hidden_units(student: Any) -> tuple[int, ...]:
    """Return the hidden units of a student, layer by layer; none of what is not a net."""
    return tuple(getattr(student, "hidden_layer_sizes", ()))


@dataclass(frozen=True)
class Variant:
    """A candidate, as it is or made smaller.

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
        """Its name: "mlp 96x96, pruned to 50%, int8"."""
        pruned = "" if self.keep is None else f", pruned to {self.keep:.0%}"
        return self.base + pruned + (", int8" if self.int8 else "")

    def of(self, student: Any, X: Any, seed: int) -> Any:
        """Return this variant of a fitted student; `X` are rows to calibrate the compression by."""
        if self.keep is not None:
            student = _prune(student, X, self.keep, seed)
        return quantize(student, "int8", X) if self.int8 else student


def ensembles_of(students: Mapping[str, Any], variants: Iterable[Variant]) -> dict[str, list[str]]:
    """Return for variants of a single net the names of ensembles that differ from it in nothing else.

    The loss is convex in what a net answers, and so the mean of several nets is expected to have no higher loss than
    any one of them (Jensen's inequality). They are larger, and so their int8 variant comes after the same one.
    """

    def settings(student: Any) -> tuple[Any, ...]:
        own = {**student.get_params(deep=False), "hidden_layer_sizes": hidden_units(student)}
        return type(student), {key: own[key] for key in own if key not in ("n_nets", "random_state", "verbose")}

    nets = {name: student for name, student in students.items() if hasattr(student, "n_nets")}
    several = {name: settings(student) for name, student in nets.items() if student.n_nets > 1}
    found = {}
    for variant in variants:
        net = nets.get(variant.base)
        if net is not None and net.n_nets == 1:
            same = [replace(variant, base=name) for name, its in several.items() if its == settings(net)]
            smaller = [replace(one, int8=True) for one in same]
            found[variant.name] = list(dict.fromkeys(one.name for one in [*same, *smaller]))
    return found


def smaller_variants(fitted: Mapping[str, Any], X: Any, seed: int, n_jobs: int) -> dict[Variant, Any]:
    """Return students with weights of fewer bits, and the largest net with fewer units.

    Parameters
    ----------
    fitted : mapping of str to student
        Fitted students by name; those without a Program are left out.
    X : ndarray, sparse matrix or frame of shape (n_rows, n_columns)
        Rows to calibrate the compression by.
    seed : int
        Seeds the training of pruned nets.
    n_jobs : int
        Number of processes used to prune nets.

    Returns
    -------
    variants : dict of Variant to student
        Fitted.
    """
    whole = {Variant(name): student for name, student in fitted.items() if program_or_none(student) is not None}
    pruned: dict[Variant, Any] = {}
    nets = [variant for variant, student in whole.items() if (parts := split(student.program_)) and parts[2]]
    if nets:
        most = max(nets, key=lambda variant: whole[variant].program_.n_parameters)
        smaller = in_parallel(n_jobs, _prune, ((whole[most], X, keep, seed) for keep in _KEPT))
        pruned = {replace(most, keep=keep): net for keep, net in zip(_KEPT, smaller, strict=True)}
    whole |= pruned
    return pruned | {replace(variant, int8=True): quantize(one, "int8", X) for variant, one in whole.items()}


def _prune(student: Any, X: Any, keep: float, seed: int) -> Any:
    """Return a student with fewer units; a function of the module, so that it can be called in another process."""
    return prune(student, X, keep, max_epochs=_PASSES, random_state=seed)


def n_variants(students: Mapping[str, Any]) -> int:
    """Return how many variants there are at most, the students themselves among them."""
    return 2 * len(students) + 2 * len(_KEPT)
