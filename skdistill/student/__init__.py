"""Who learns the teacher's answers: students fit targets and end as a Program."""

from ._base import BaseStudent
from ._encoder import Encoded, Encoder
from ._linear import LinearStudent
from ._mlp import MLPStudent
from ._tree import TreeStudent

__all__ = ["BaseStudent", "Encoded", "Encoder", "LinearStudent", "MLPStudent", "TreeStudent"]
