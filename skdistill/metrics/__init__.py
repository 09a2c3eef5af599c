"""What a student keeps of its teacher, what it costs, and both as scorers for scikit-learn's searches."""

from ._cost import Latency, latency, n_parameters, program_bytes
from ._fidelity import (
    WorstSlice,
    expected_calibration_error,
    fidelity_log_loss,
    fidelity_score,
    slice_agreement,
    worst_slice_agreement,
)
from ._retention import retention_score
from ._scorers import make_fidelity_scorer, make_retention_scorer, make_size_scorer

__all__ = [
    "Latency",
    "WorstSlice",
    "expected_calibration_error",
    "fidelity_log_loss",
    "fidelity_score",
    "latency",
    "make_fidelity_scorer",
    "make_retention_scorer",
    "make_size_scorer",
    "n_parameters",
    "program_bytes",
    "retention_score",
    "slice_agreement",
    "worst_slice_agreement",
]
