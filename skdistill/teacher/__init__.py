"""What the teacher answers for each row: every kind of teacher, its classes aligned by label."""

from ._targets import check_labels, index_labels, is_unlabelled, soft_targets
from ._teachers import (
    Answers,
    align,
    ask,
    check_columns,
    check_teachers,
    fit_teachers,
    is_estimator,
    kept_by_clone,
    known_classes,
    members,
    needs_fit,
    takes_gaps,
    weight_params,
)

__all__ = [
    "Answers",
    "align",
    "ask",
    "check_columns",
    "check_labels",
    "check_teachers",
    "fit_teachers",
    "index_labels",
    "is_estimator",
    "is_unlabelled",
    "kept_by_clone",
    "known_classes",
    "members",
    "needs_fit",
    "soft_targets",
    "takes_gaps",
    "weight_params",
]
