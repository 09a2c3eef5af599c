"""Compression of fitted students: fewer bits per weight, fewer hidden units."""

from ._prune import prune
from ._quantize import quantize

__all__ = ["prune", "quantize"]
