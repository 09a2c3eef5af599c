"""Compressing a fitted student further: weights of fewer bits, fewer hidden units."""

from ._prune import prune
from ._quantize import quantize

__all__ = ["prune", "quantize"]
