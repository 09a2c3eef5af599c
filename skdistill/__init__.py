"""Distil a slow scikit-learn model into a compact student that predicts in microseconds."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from . import compress, export, losses, metrics
    from .distil import DistilledClassifier, DistilledRegressor
    from .model import LoadedClassifier, LoadedRegressor, load
    from .program import Program
    from .report import FidelityDisplay, FrontierDisplay, ReliabilityDisplay, Report, TrainingDisplay, compare
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
    "TrainingDisplay",
    "TreeStudent",
    "TreeStudentRegressor",
    "__version__",
    "compare",
    "compress",
    "distill_to_budget",
    "export",
    "load",
    "losses",
    "metrics",
    "smallest_within",
]

#: Where each public name comes from. Each is imported when it is first asked for, since a process that serves has
#: numpy and may have neither scikit-learn nor torch.
_ORIGINS = {
    "BudgetResult": ".search",
    "DistilledClassifier": ".distil",
    "DistilledRegressor": ".distil",
    "FidelityDisplay": ".report",
    "FrontierDisplay": ".report",
    "LinearStudent": ".student",
    "LinearStudentRegressor": ".student",
    "MLPStudent": ".student",
    "MLPStudentRegressor": ".student",
    "LoadedClassifier": ".model",
    "LoadedRegressor": ".model",
    "Program": ".program",
    "ReliabilityDisplay": ".report",
    "Report": ".report",
    "TrainingDisplay": ".report",
    "TreeStudent": ".student",
    "TreeStudentRegressor": ".student",
    "compare": ".report",
    "compress": ".compress",
    "distill_to_budget": ".search",
    "export": ".export",
    "load": ".model",
    "losses": ".losses",
    "metrics": ".metrics",
    "smallest_within": ".search",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _ORIGINS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = import_module(_ORIGINS[name], __name__)
        found = module if module.__name__ == f"{__name__}.{name}" else getattr(module, name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted(__all__)
