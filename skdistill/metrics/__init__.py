"""Metrics of a student's quality and cost, and scorers of them for scikit-learn's searches."""

from ._cost import Latency, latency, n_parameters, program_bytes
from ._cost import format_bytes as format_bytes
from ._cost import machine as machine
from ._cost import pickled_bytes as pickled_bytes
from ._fidelity import (
    WorstSlice,
    expected_calibration_error,
    fidelity_log_loss,
    fidelity_score,
    slice_agreement,
    worst_slice_agreement,
)
from ._fidelity import labelled as labelled
from ._fidelity import named_pair as named_pair
from ._fidelity import proba_pair as proba_pair
from ._paired import paired_gain as paired_gain
from ._pareto import undominated as undominated
from ._ranking import mrr, ndcg, rank_correlation, top_overlap
from ._retention import answer_score, retention_score
from ._retention import as_scorer as as_scorer
from ._retention import retention_ratio as retention_ratio
from ._scorers import label_divergence as label_divergence
from ._scorers import label_fidelity as label_fidelity
from ._scorers import make_fidelity_scorer, make_retention_scorer, make_size_scorer
from ._scorers import output_names as output_names

__all__ = [
    "Latency",
    "WorstSlice",
    "answer_score",
    "expected_calibration_error",
    "fidelity_log_loss",
    "fidelity_score",
    "latency",
    "make_fidelity_scorer",
    "make_retention_scorer",
    "make_size_scorer",
    "mrr",
    "n_parameters",
    "ndcg",
    "program_bytes",
    "rank_correlation",
    "retention_score",
    "slice_agreement",
    "top_overlap",
    "worst_slice_agreement",
]
