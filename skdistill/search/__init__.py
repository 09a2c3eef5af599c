"""Choosing among students: the smallest that is good enough, or the best within a budget."""

from ._budget import distill_to_budget
from ._result import BudgetResult
from ._smallest import smallest_within

__all__ = ["BudgetResult", "distill_to_budget", "smallest_within"]
