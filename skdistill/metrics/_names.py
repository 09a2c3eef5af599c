"""What the columns of answers stand for: two frames of answers are matched by the names of their columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import check_pair
from ..program import named_columns

Array = NDArray[Any]


def named_pair(
    teacher: Any,
    student: Any,
    known: ArrayLike | None = None,
    sources: tuple[str, str] = ("teacher_proba", "student_proba"),
) -> tuple[Any, Any, Array | None]:
    """Return a teacher's and a student's answers with columns in one order, and what these stand for.

    Parameters
    ----------
    teacher, student : array-like or frame
        Frames are matched by the names of their columns, arrays by position.
    known : array-like of shape (n_targets,) or None
        What the columns stand for; None takes the names of the teacher's, or else of the student's.
    sources : (str, str)
        What messages call both.

    Raises
    ------
    ValueError
        If names contradict each other.
    """
    names = None if known is None else np.asarray(known)
    teacher, names = named_columns(teacher, names, sources[0])
    student, names = named_columns(student, names, sources[1])
    return teacher, student, names


def proba_pair(teacher: Any, student: Any) -> tuple[Array, Array]:
    """Return a teacher's and a student's probabilities, checked, with columns in one order."""
    teacher, student, _ = named_pair(teacher, student)
    return check_pair(teacher, student)
