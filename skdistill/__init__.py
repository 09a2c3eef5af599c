"""Distil a slow scikit-learn classifier into a compact student that predicts in microseconds."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from . import compress, export, losses, metrics
    from ._distilled import DistilledClassifier
    from ._predictor import load
    from .program import Program
    from .search import distill_to_budget, smallest_within
    from .student import LinearStudent, MLPStudent, TreeStudent

__all__ = [
    "DistilledClassifier",
    "LinearStudent",
    "MLPStudent",
    "Program",
    "TreeStudent",
    "__version__",
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
    "DistilledClassifier": "._distilled",
    "LinearStudent": ".student",
    "MLPStudent": ".student",
    "Program": ".program",
    "TreeStudent": ".student",
    "compress": ".compress",
    "distill_to_budget": ".search",
    "export": ".export",
    "load": "._predictor",
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
