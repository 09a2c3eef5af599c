"""What a Program answers as, and what load returns; numpy is enough for both."""

from ._as_student import as_student
from ._explain import Explanation, encoded_sources
from ._load import LoadedClassifier, LoadedRegressor, load
from ._on_partitions import on_partitions
from ._program_models import Exportable, ProgramClassifier, ProgramModel, ProgramRegressor

__all__ = [
    "Explanation",
    "Exportable",
    "LoadedClassifier",
    "LoadedRegressor",
    "ProgramClassifier",
    "ProgramModel",
    "ProgramRegressor",
    "as_student",
    "encoded_sources",
    "load",
    "on_partitions",
]
