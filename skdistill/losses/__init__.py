"""What a student has to fit: the distillation loss of classes and that of numbers, values and gradients, in numpy."""

from ._classes import PROBABILITY_FLOOR, LossTerms, Targets, distillation_loss, log_softmax, soften, softmax
from ._numbers import RegressionTargets, RegressionTerms, regression_loss

__all__ = [
    "PROBABILITY_FLOOR",
    "LossTerms",
    "RegressionTargets",
    "RegressionTerms",
    "Targets",
    "distillation_loss",
    "log_softmax",
    "regression_loss",
    "soften",
    "softmax",
]
