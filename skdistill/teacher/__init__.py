"""What the teacher answers for each row: every kind of teacher, its classes aligned by label."""

from ._numbers import ask_numbers, spread_of, unseen_numbers
from ._targets import check_labels, index_labels, is_unlabelled, name_columns, soft_targets
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
    unite,
    weight_params,
)
from ._transfer import MOST_SOURCES, assemble, munge, stack
from ._unseen import unseen_answers

__all__ = [
    "MOST_SOURCES",
    "Answers",
    "align",
    "ask",
    "ask_numbers",
    "assemble",
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
    "munge",
    "name_columns",
    "needs_fit",
    "soft_targets",
    "spread_of",
    "stack",
    "takes_gaps",
    "unite",
    "unseen_answers",
    "unseen_numbers",
    "weight_params",
]
