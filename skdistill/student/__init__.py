"""Students, which fit a teacher's answers and labels. Ours become a Program; models of other libraries are adapted."""

from ._base import ProgramStudent, check_constraints, check_learnable, scale_logits, settle_kinds, unconstrainable
from ._coefficients import ShapeFunction
from ._columns import raw_columns
from ._encoded import Encoded, Encoder, MadeOf, cells_of
from ._encoder import ReadTable, fit_encoder
from ._further import train_on
from ._linear import LinearStudent, LinearStudentRegressor
from ._mlp import MLPStudent, MLPStudentRegressor, fit_net, hidden_units, several_shallow, widened, with_size_of
from ._net_table import Fit, FittedNet, NetTable
from ._progress import Progress
from ._protocol import Student, Traits, traits_of
from ._tree import TreeStudent, TreeStudentRegressor
from .adapted import instance_of, make_student

__all__ = [
    "Encoded",
    "Encoder",
    "Fit",
    "FittedNet",
    "LinearStudent",
    "LinearStudentRegressor",
    "MLPStudent",
    "MLPStudentRegressor",
    "MadeOf",
    "NetTable",
    "ProgramStudent",
    "Progress",
    "ReadTable",
    "ShapeFunction",
    "Student",
    "Traits",
    "TreeStudent",
    "TreeStudentRegressor",
    "cells_of",
    "check_constraints",
    "check_learnable",
    "fit_encoder",
    "fit_net",
    "hidden_units",
    "instance_of",
    "make_student",
    "raw_columns",
    "scale_logits",
    "settle_kinds",
    "several_shallow",
    "train_on",
    "traits_of",
    "unconstrainable",
    "widened",
    "with_size_of",
]
