"""Distilling: the estimators, and the steps of their fit, which a search calls as well."""

from ._augment import stack
from ._bench import in_parallel
from ._classifier import DistilledClassifier
from ._ranker import DistilledRanker
from ._recipe import TrainingSet, choose, choose_again
from ._regressor import DistilledRegressor
from ._scaling import gain
from ._story import AlignedTeacher, Asked, Request, ask, check, constrain, finish, train_student

__all__ = [
    "AlignedTeacher",
    "Asked",
    "DistilledClassifier",
    "DistilledRanker",
    "DistilledRegressor",
    "Request",
    "TrainingSet",
    "ask",
    "check",
    "choose",
    "choose_again",
    "constrain",
    "finish",
    "gain",
    "in_parallel",
    "stack",
    "train_student",
]
