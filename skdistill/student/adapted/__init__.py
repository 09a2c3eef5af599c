"""Models of other libraries as students: any classifier or regressor, nets, and Pipelines that end in a student."""

from ._base import AdaptedStudent
from ._factory import PipelineClassifier, PipelineRegressor, instance_of, make_student
from ._net import NetClassifier
from ._sample_weight import SampleWeightClassifier, SampleWeightRegressor

__all__ = [
    "AdaptedStudent",
    "NetClassifier",
    "PipelineClassifier",
    "PipelineRegressor",
    "SampleWeightClassifier",
    "SampleWeightRegressor",
    "instance_of",
    "make_student",
]
