"""Who learns the teacher's answers: students fit targets; ours end as a Program, others are adapted."""

from ._adapters import make_student
from ._base import BaseStudent
from ._encoder import Encoded, Encoder
from ._linear import LinearStudent
from ._mlp import MLPStudent
from ._neighbours import neighbour_space
from ._regressors import LinearStudentRegressor, MLPStudentRegressor, TreeStudentRegressor
from ._tree import TreeStudent

__all__ = [
    "BaseStudent",
    "Encoded",
    "Encoder",
    "LinearStudent",
    "LinearStudentRegressor",
    "MLPStudent",
    "MLPStudentRegressor",
    "TreeStudent",
    "TreeStudentRegressor",
    "make_student",
    "neighbour_space",
]
