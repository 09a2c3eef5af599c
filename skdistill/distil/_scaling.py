"""Temperature scaling, and calibration in the large: what logits are multiplied by, and what is added to them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from ..losses import Targets, softmax
from ..tasks import Task

Array = NDArray[Any]

#: Among so many factors that of an answer's logits is looked for first.
_N_SCALES = 9
#: Where a class has a smaller share of the rows, mean probabilities are made to agree with shares; of fewer rows, means
#: over models that have not seen them say nothing.
_RARE, _FEWEST = 0.05, 20
#: That takes so many steps at most.
_STEPS = 100
#: No probability is taken to be smaller: of a rare class most are below the floor of losses.
_LEAST = 1e-12


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


def expected_means(
    goals: Array, out_of_fold: Array, held_out: Array, weights: tuple[Array | None, Array | None]
) -> Array | None:
    """Return the mean probabilities that a calibrated student has on the rows held out, where a class is rare.

    On the labelled rows, each class should have its share on average. Models that have not seen these rows tell how far
    the rows held out differ from them: by the ratio of their own means on both. That ratio varies much less than the
    share of a rare class among a few held-out rows.

    Parameters
    ----------
    goals, out_of_fold : ndarray of shape (n_rows, n_classes)
        The labels of rows, one in the column of the class, and the probabilities of models that have not seen them.
    held_out : ndarray of shape (n_held_out, n_classes)
        Probabilities for each row held out, the means of these models.
    weights : (ndarray of shape (n_rows,) or None, ndarray of shape (n_held_out,) or None)
        The weights of both.

    Returns
    -------
    means : ndarray of shape (n_classes,) or None
        None where no class has less than a twentieth of the rows, or one has fewer than 20.
    """
    shares, own = (np.average(values, axis=0, weights=weights[0]) for values in (goals, out_of_fold))
    if shares.min() >= _RARE or (goals > 0).sum(axis=0).min() < _FEWEST:
        return None
    means = shares * np.maximum(np.average(held_out, axis=0, weights=weights[1]), _LEAST) / np.maximum(own, _LEAST)
    return np.asarray(means / means.sum())


def shift_to(means: Array, values: Array, weight: Array | None) -> Array:
    """Return what to add to the logits of each class so that probabilities have these means: calibration in the large.

    Prior shift: Saerens, Latinne and Decaestecker (2002), https://doi.org/10.1162/089976602753284446.

    Parameters
    ----------
    means : ndarray of shape (n_classes,)
        The means that they should have.
    values : ndarray of shape (n_rows, n_classes)
        The probabilities.
    weight : ndarray of shape (n_rows,) or None
        The weight of each row.

    Returns
    -------
    shift : ndarray of shape (n_classes,)
        The numbers; they sum to zero.

    Examples
    --------
    >>> import numpy as np
    >>> values = np.array([[0.9, 0.1], [0.5, 0.5]])
    >>> shift = shift_to(np.array([0.8, 0.2]), values, None)
    >>> shifted(values, shift).mean(axis=0).round(3).tolist()
    [0.8, 0.2]
    """
    shift = np.zeros(len(means))
    for _ in range(_STEPS):
        now = np.average(shifted(values, shift), axis=0, weights=weight)
        shift += np.log(means) - np.log(now)
    return np.asarray(shift - shift.mean())


def shifted(values: Array, shift: Array) -> Array:
    """Return probabilities after something is added to the logits."""
    return np.asarray(softmax(np.log(np.maximum(values, _LEAST)) + shift))
