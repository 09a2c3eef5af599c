"""scikit-learn's diagram of a distiller: from the teacher to its student, with sizes once it is fitted."""

from __future__ import annotations

import math
from typing import Any

from .._sklearn import visual_block
from ..metrics import format_bytes, pickled_bytes

#: A diagram is drawn each time it is looked at, so that a large teacher is not measured to the end.
_MOST_BYTES = 2e8


def diagram(teacher: Any, student: Any, *, fitted: bool) -> Any:
    """Return what scikit-learn draws: teacher above student.

    Parameters
    ----------
    teacher : estimator, callable, list of these, or None
        The teacher.
    student : str or estimator
        Who learns; the fitted student where there is one.
    fitted : bool
        Whether to show sizes.

    Returns
    -------
    block : visual block
        For ``_sk_visual_block_``.
    """
    if isinstance(teacher, list | tuple):
        names = [_called(one) for one in teacher]
        # members are drawn side by side
        top = visual_block("parallel", [_block(one, "teacher", fitted) for one in teacher], names=names)
    else:
        top = _block(teacher, "teacher", fitted)
    return visual_block(
        "serial",
        [top, _block(student, "student", fitted)],
        names=[f"teacher: {_called(teacher)}", f"student: {_called(student)}"],
        dash_wrapped=True,
    )


def _block(model: Any, role: str, fitted: bool) -> Any:
    """Return the block of one model: scikit-learn's own of a model that has several parts."""
    model = getattr(model, "estimator_", model) if hasattr(model, "fit_targets") else model
    if hasattr(model, "_sk_visual_block_"):
        return model
    details = "teacher_proba, given to fit" if model is None else str(model)
    caption = _size(model) if fitted else ""
    return visual_block(
        "single", model, names=f"{role}: {_called(model)}", name_details=details, name_caption=caption or None
    )


def _called(model: Any) -> str:
    if model is None:
        return "answers alone"
    if isinstance(model, str):
        return model
    if isinstance(model, list | tuple):
        return f"{len(model)} teachers"
    model = getattr(model, "estimator_", model) if hasattr(model, "fit_targets") else model
    return str(getattr(model, "__name__", type(model).__name__))


def _size(model: Any) -> str:
    program = getattr(model, "program_", None)
    if program is not None:
        return f"{program.n_parameters:,} parameters, {format_bytes(program.nbytes)}"
    if not hasattr(model, "fit"):
        return ""
    n_bytes = pickled_bytes(model, _MOST_BYTES)
    if n_bytes is None:
        return ""
    return f"over {format_bytes(_MOST_BYTES)} pickled" if math.isinf(n_bytes) else f"{format_bytes(n_bytes)} pickled"
