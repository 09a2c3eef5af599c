"""What a target is: classes or numbers, one file each; whoever must treat them differently asks the task."""

from ._classes import CLASSES, Classes
from ._numbers import NUMBERS, Numbers
from ._task import Shares, Task, task_of

__all__ = ["CLASSES", "NUMBERS", "Classes", "Numbers", "Shares", "Task", "task_of"]
