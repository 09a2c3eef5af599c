"""What was learned, as data: a Program is a list of small array operations."""

from ._ops import ACTIVATIONS, Affine, Clip, Op, Relu, Silu, Softmax, Standardize, Tanh
from ._program import Program

__all__ = ["ACTIVATIONS", "Affine", "Clip", "Op", "Program", "Relu", "Silu", "Softmax", "Standardize", "Tanh"]
