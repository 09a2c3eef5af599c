"""Distil a slow scikit-learn model into a compact student that predicts in microseconds."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from . import compress, export, losses, metrics
    from .distil import DistilledClassifier, DistilledRanker, DistilledRegressor
    from .model import LoadedClassifier, LoadedRegressor, as_student, load
    from .program import Program
    from .report import (
        FidelityDisplay,
        FrontierDisplay,
        ReliabilityDisplay,
        Report,
        ShapeDisplay,
        TrainingDisplay,
        TreeDisplay,
        compare,
    )
    from .search import BudgetResult, distill_to_budget, smallest_within
    from .student import (
        LinearStudent,
        LinearStudentRegressor,
        MLPStudent,
        MLPStudentRegressor,
        TreeStudent,
        TreeStudentRegressor,
    )

__all__ = [
    "BudgetResult",
    "DistilledClassifier",
    "DistilledRanker",
    "DistilledRegressor",
    "FidelityDisplay",
    "FrontierDisplay",
    "LinearStudent",
    "LinearStudentRegressor",
    "LoadedClassifier",
    "LoadedRegressor",
    "MLPStudent",
    "MLPStudentRegressor",
    "Program",
    "ReliabilityDisplay",
    "Report",
    "ShapeDisplay",
    "TrainingDisplay",
    "TreeDisplay",
    "TreeStudent",
    "TreeStudentRegressor",
    "__version__",
    "as_student",
    "compare",
    "compress",
    "distill_to_budget",
    "export",
    "load",
    "losses",
    "metrics",
    "smallest_within",
]

#: Where the public names come from that are no rooms themselves. Each is imported when it is first asked for, since a
#: process that serves has numpy and may have neither scikit-learn nor torch.
_ORIGINS = {
    "distil": {"DistilledClassifier", "DistilledRanker", "DistilledRegressor"},
    "model": {"LoadedClassifier", "LoadedRegressor", "as_student", "load"},
    "program": {"Program"},
    "report": {f"{kind}Display" for kind in ("Fidelity", "Frontier", "Reliability", "Shape", "Training", "Tree")}
    | {"Report", "compare"},
    "search": {"BudgetResult", "distill_to_budget", "smallest_within"},
    "student": {f"{kind}Student{task}" for kind in ("Linear", "MLP", "Tree") for task in ("", "Regressor")},
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        room = next((room for room, names in _ORIGINS.items() if name in names), name)
        module = import_module(f".{room}", __name__)
        globals()[name] = module if room == name else getattr(module, name)
        return globals()[name]


def __dir__() -> list[str]:
    return sorted(__all__)
