"""What a target is: classes or numbers, one file each; whoever must treat them differently asks the task."""

from ._classes import CLASSES, Classes
from ._numbers import NUMBERS, Numbers
from ._of_model import task_of
from ._task import Task

__all__ = ["CLASSES", "NUMBERS", "Classes", "Numbers", "Task", "task_of"]
