"""Pictures of what distilling did, in scikit-learn's Display form; matplotlib is imported when one is drawn."""

from ._fidelity import FidelityDisplay
from ._frontier import FrontierDisplay
from ._reliability import ReliabilityDisplay
from ._training import TrainingDisplay

__all__ = ["FidelityDisplay", "FrontierDisplay", "ReliabilityDisplay", "TrainingDisplay"]
