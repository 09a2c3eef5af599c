"""Students: they fit a teacher's answers and labels. Ours end as a Program; those of others are adapted."""

from ._base import ProgramStudent, check_learnable, scale_logits
from ._encoder import Encoded, Encoder
from ._linear import LinearStudent, LinearStudentRegressor
from ._mlp import MLPStudent, MLPStudentRegressor
from ._protocol import Student, Traits, traits_of
from ._space import read_space
from ._tree import TreeStudent, TreeStudentRegressor
from .adapted import make_student

__all__ = [
    "Encoded",
    "Encoder",
    "LinearStudent",
    "LinearStudentRegressor",
    "MLPStudent",
    "MLPStudentRegressor",
    "ProgramStudent",
    "Student",
    "Traits",
    "TreeStudent",
    "TreeStudentRegressor",
    "check_learnable",
    "make_student",
    "read_space",
    "scale_logits",
    "traits_of",
]
