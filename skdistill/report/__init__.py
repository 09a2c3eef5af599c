"""What distilling keeps and what it saves: a teacher and its students on the same test rows."""

from ._compare import compare
from ._figures import reliability_curve
from ._report import Report

__all__ = ["Report", "compare", "reliability_curve"]
