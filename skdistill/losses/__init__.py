"""The distillation loss: what a student fits, and the loss's value and gradient, in numpy."""

from ._binary import BinaryCrossEntropy, rescaled_logits
from ._listwise import ListwiseCrossEntropy, log_softmax_within
from ._losses import (
    PROBABILITY_FLOOR,
    CrossEntropy,
    Huber,
    Loss,
    SquaredError,
    exponents,
    log_softmax,
    rounded,
    soften,
    softmax,
)
from ._targets import Targets, distillation_loss, regression_loss, regression_loss_of
from ._terms import Terms

__all__ = [
    "PROBABILITY_FLOOR",
    "BinaryCrossEntropy",
    "CrossEntropy",
    "Huber",
    "ListwiseCrossEntropy",
    "Loss",
    "SquaredError",
    "Targets",
    "Terms",
    "distillation_loss",
    "exponents",
    "log_softmax",
    "log_softmax_within",
    "regression_loss",
    "regression_loss_of",
    "rescaled_logits",
    "rounded",
    "soften",
    "softmax",
]
