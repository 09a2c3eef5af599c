"""Kinds of targets: classes, labels, numbers or ranks, one file each; code that differs by them asks the task."""

from ._classes import CLASSES, Classes
from ._labels import LABELS, Labels, macro_average_precision, task_for
from ._numbers import NUMBERS, Numbers
from ._of_model import task_of
from ._ranks import RANKS, Ranks
from ._task import Task

__all__ = ["CLASSES", "LABELS", "NUMBERS", "RANKS", "Classes", "Labels", "Numbers", "Ranks", "Task"]
__all__ += ["macro_average_precision", "task_for", "task_of"]
