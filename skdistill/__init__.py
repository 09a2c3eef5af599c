"""Distil a slow scikit-learn classifier into a compact student that predicts in microseconds."""

from . import losses
from ._distilled import DistilledClassifier
from ._version import __version__
from .program import Program
from .student import LinearStudent, MLPStudent, TreeStudent

__all__ = ["DistilledClassifier", "LinearStudent", "MLPStudent", "Program", "TreeStudent", "__version__", "losses"]
