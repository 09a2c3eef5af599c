"""Temperature scaling: the factor by which logits are multiplied, and whether it pays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from ..losses import Targets
from ..tasks import Task

Array = NDArray[Any]

#: Among so many factors that of an answer's logits is looked for first.
_N_SCALES = 9


def losses_of(task: Task, targets: Targets, rows: Array, values: Array) -> Array:
    """Return the loss of each of some rows."""
    assert targets.labels is not None
    goals = task.goals(targets.labels[rows], targets.n_targets)
    return task.row_losses(goals, values, task.spread(targets.labels))


def weight_of(targets: Targets, rows: Array) -> Array | None:
    """Return the weights of some rows."""
    return None if targets.sample_weight is None else targets.sample_weight[rows]


def gain(losses: Array, others: Array, weight: Array | None) -> tuple[float, float]:
    """Return by how much the mean of other losses is lower, and the standard error of that, paired by row.

    Parameters
    ----------
    losses, others : ndarray of shape (n_rows,)
        Losses of the same rows.
    weight : ndarray of shape (n_rows,) or None
        The weight of each row.
    """
    lower = losses - others
    weight = np.ones(len(lower)) if weight is None else weight
    weight = weight / weight.sum()
    mean = float(weight @ lower)
    return mean, float(np.sqrt(weight**2 @ (lower - mean) ** 2))


def best_scale(task: Task, goals: Array, answers: Array, weight: Array | None) -> float:
    """Return the factor by which the logits of answers fit the goals best: temperature scaling."""
    if task.answer_scales is None or not len(goals):
        return 1.0

    def loss(scale: float) -> float:
        return float(np.average(task.row_losses(goals, task.rescaled(answers, scale)), weights=weight))

    # the loss is flat where probabilities are as small as counts, so the best of a few factors comes first
    scales = np.geomspace(*task.answer_scales, _N_SCALES).round(3).tolist()
    losses = [loss(scale) for scale in scales]
    at = int(np.argmin(losses))
    bounds = scales[max(at - 1, 0)], scales[min(at + 1, len(scales) - 1)]
    best = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 5e-3})
    return round(float(best.x), 3) if best.fun < losses[at] else float(scales[at])


def logit_scale_of(task: Task, targets: Targets, rows: Array, values: Array) -> float:
    """Return the factor of temperature scaling for the logits; 1 unless another factor is clearly better.

    Forests are under-confident, and their students with them. Guo and others (2017), "On Calibration of Modern Neural
    Networks", https://arxiv.org/abs/1706.04599.
    """
    losses, weight = losses_of(task, targets, rows, values), weight_of(targets, rows)
    best, most = 1.0, 0.0
    for scale in task.logit_scales:
        mean, error = gain(losses, losses_of(task, targets, rows, task.rescaled(values, scale)), weight)
        if mean > max(2.0 * error, most):
            best, most = scale, mean
    # the fewer rows, the closer to 1
    return float(best ** (len(losses) / (len(losses) + 100.0)))
