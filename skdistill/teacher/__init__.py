"""Teachers: any kind of teacher, made once into one object, and its answers."""

from ._answers import Answers, Origin
from ._fitted import asks_for_fit, is_estimator, is_ranker, models_of
from ._teacher import QUERIES, Teacher

__all__ = ["QUERIES", "Answers", "Origin", "Teacher", "asks_for_fit", "is_estimator", "is_ranker", "models_of"]
