"""Comparing a teacher with its students on the same test rows: figures, text, a page, and pictures."""

from ._compare import compare
from ._fidelity import FidelityDisplay
from ._frontier import FrontierDisplay
from ._reliability import ReliabilityDisplay
from ._report import Report
from ._shapes import ShapeDisplay
from ._training import TrainingDisplay
from ._tree import TreeDisplay

__all__ = [
    "FidelityDisplay",
    "FrontierDisplay",
    "ReliabilityDisplay",
    "Report",
    "ShapeDisplay",
    "TrainingDisplay",
    "TreeDisplay",
    "compare",
]
