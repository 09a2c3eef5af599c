"""Growing one decision tree on the terms of the distillation loss, and the best values of its leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, minimize
from scipy.special import expit, logit
from sklearn.tree import DecisionTreeRegressor

from ..losses import CrossEntropy, Loss, SquaredError, Terms, log_softmax, softmax
from ..program import LARGEST, Tree

Array = NDArray[Any]

#: The smallest probability of a class in a leaf.
_FLOOR = 1e-6
#: Where missing values are placed, far from the places of numbers.
_FAR = 2.0**60
_NEWTON_STEPS = 60
_REWEIGHTINGS = 60


def grow_tree(
    Z: Any,
    sizes: tuple[int, ...],
    terms: Terms,
    sample_weight: Array | None,
    *,
    signs: Array | None = None,
    smoothing: float,
    min_samples_leaf: int,
    **limits: Any,
) -> Tree:
    """Grow a tree and give each leaf the logits, or the numbers, that minimise the loss in it.

    Parameters
    ----------
    Z : ndarray or csr_matrix of shape (n_rows, n_columns)
        Codes and numbers, NaN where a number is missing.
    sizes : tuple of int
        The number of codes of each of the first columns.
    terms : Terms
        What is to be fitted.
    sample_weight : ndarray of shape (n_rows,) or None
        Positive weights, which `terms` hold already; None counts every row once.
    signs : ndarray of shape (n_columns,) or None
        Whether the output must not decrease (1) or not increase (-1) with a column; 0 for any.
    smoothing : float
        Each node is shrunk towards its parent as if it held so many more rows with the parent's mean.
    min_samples_leaf : int
        Minimum number of rows in a leaf; a row of weight two counts as two.
    **limits : dict
        ``max_leaf_nodes``, ``max_depth`` and ``random_state``, as in DecisionTreeRegressor.

    Returns
    -------
    tree : Tree
        The op.
    """
    loss = terms.loss
    in_classes = isinstance(loss, CrossEntropy)
    soft, hard = terms.soft * terms.soft_weight[:, None], terms.label_mass()
    # rows without weight in either term are left out
    counted = np.flatnonzero(terms.soft_weight + terms.label_weight > 0)
    # in sample weights, so that a row of weight two counts as that row twice
    unit = terms.total_weight / len(terms.soft)
    Z, soft, hard = Z[counted], soft[counted] * unit, hard[counted] * unit
    soft_mass, hard_mass = terms.soft_weight[counted] * unit, terms.label_weight[counted] * unit
    mass = (soft + hard).sum(axis=1) if in_classes else soft_mass + hard_mass
    blend = (soft + hard) / mass[:, None]
    blend = on_grid(blend if in_classes else blend - blend.min(axis=0))
    mass = on_grid(mass)
    ranks = [_rank_codes(Z[:, j].astype(np.int64), size, blend, mass, smoothing) for j, size in enumerate(sizes)]
    numbers, levels = _rank_numbers(Z, ranks)
    numbers, copied, missing_cells = _placed_missing(numbers)
    # for two classes one column says it all
    goal = blend[:, 1:] if in_classes and blend.shape[1] == 2 else blend
    rows, share = np.arange(len(mass)), mass
    if sample_weight is not None:
        # scikit-learn counts rows and not weights; no more copies are made than a leaf needs
        copies = np.clip(sample_weight[counted].astype(np.int64), 1, min_samples_leaf)
        rows, share = np.repeat(rows, copies), np.repeat(mass / copies, copies)
    grower = DecisionTreeRegressor(min_samples_leaf=min_samples_leaf, **limits)
    fitted = grower.fit(numbers[rows], goal[rows], share)
    nodes = fitted.tree_
    inner, leaves = (np.flatnonzero(chosen) for chosen in (nodes.children_left >= 0, nodes.children_left < 0))
    name = np.empty(nodes.node_count, dtype=np.int64)
    name[inner], name[leaves] = np.arange(len(inner)), ~np.arange(len(leaves))
    left, right = nodes.children_left[inner], nodes.children_right[inner]
    # where all numbers go one way, they go left
    turned = nodes.threshold[inner] < -_FAR / 4
    left, right = np.where(turned, right, left), np.where(turned, left, right)
    columns = np.append(np.arange(len(levels)), copied)[nodes.feature[inner]]
    # of no missing value in training, the larger part is the better guess
    seen_missing = np.zeros((nodes.node_count, len(levels)), dtype=bool)
    seen_missing[:, copied] = fitted.decision_path(numbers).T @ missing_cells > 0
    below = (nodes.feature[inner] < len(levels)) & ~turned
    larger = nodes.n_node_samples[left] > nodes.n_node_samples[right]
    missing_left = np.where(seen_missing[inner, columns], below, larger)
    cuts = [_cut(levels[column], cut) for column, cut in zip(columns, nodes.threshold[inner], strict=True)]
    rows_of = fitted.apply(numbers)
    n_outputs = soft.shape[1]
    parts = np.column_stack([soft, hard] if in_classes else [soft + hard, soft_mass + hard_mass])
    sums = _sums(rows_of, parts, nodes.node_count)
    # a node comes after its parent
    parent = np.full(nodes.node_count, -1, dtype=np.int64)
    for children in (nodes.children_left, nodes.children_right):
        parent[children[inner]] = inner
    for node in range(nodes.node_count - 1, 0, -1):
        sums[parent[node]] += sums[node]
    if isinstance(loss, CrossEntropy):
        shrunk = _shrunk(sums[:, :n_outputs], sums[:, n_outputs:], parent, smoothing, loss.temperature)
        in_leaves = [part[leaves] for part in shrunk]
        values = _best_logits(in_leaves[0], in_leaves[1], in_leaves[2], in_leaves[3], loss.temperature)
    else:
        means = _shrunk_means(sums[:, :n_outputs], sums[:, n_outputs], parent, smoothing)
        values = means[leaves]
        if type(loss) is not SquaredError and len(inner):
            place = np.searchsorted(leaves, rows_of)
            both = (terms.soft[counted], soft_mass, loss.soft), (terms.labels[counted], hard_mass, loss.hard)
            values = _best_numbers(values, means[parent[leaves]], smoothing, place, loss, both)
    tree = Tree(
        np.cumsum([0, *sizes])[:-1].astype(np.int64),
        np.concatenate([*ranks, np.empty(0)]).astype(np.float32),
        columns,
        np.array(cuts, dtype=np.float32),
        missing_left,
        name[left],
        name[right],
        np.ascontiguousarray(values, dtype=np.float32),
    )
    if signs is None or not signs.any():
        return tree
    goal = expit(values[:, 0]) if in_classes else values[:, 0]
    kept = _in_order(goal, nodes.weighted_n_node_samples[leaves], tree, signs, missing_cells=not sparse.issparse(Z))
    if in_classes:
        kept = logit(np.clip(kept, _FLOOR, 1.0 - _FLOOR))
    return replace(tree, values=kept[:, None].astype(np.float32))


def on_grid(values: Array) -> Array:
    """Return non-negative numbers rounded to 18 bits of the largest, and none of them to zero.

    Sums of products of two such numbers are exact. So two equally good splits tie exactly, whatever the
    order of the rows, and whether a row has weight two or is there twice.
    """
    step = 2.0 ** (np.frexp(values.max())[1] - 18)
    return np.maximum(np.round(values / step), 1.0) * step


def _sums(groups: Array, values: Array, n_groups: int) -> Array:
    """Return the sum of each group's rows, shape (n_groups, n_columns)."""
    return np.array([np.bincount(groups, column, n_groups) for column in values.T]).T


def _rank_codes(codes: Array, size: int, blend: Array, mass: Array, smoothing: float) -> Array:
    """Return the place of each code in the order of their mean targets, shape (size,).

    For two classes no split of the codes is better than one along that order. For several the
    order is that along the first principal component of the means (Coppersmith, Hong and Hosking,
    1999, "Partitioning Nominal Attributes in Decision Trees").
    """
    counts = np.bincount(codes, mass, size)
    prior = np.average(blend, axis=0, weights=mass)
    sums = _sums(codes, mass[:, None] * blend, size)
    rows = np.maximum(smoothing, 1.0) * mass.mean()
    means = (sums - counts[:, None] * prior) / (counts + rows)[:, None]
    _, vectors = np.linalg.eigh(np.einsum("i,ij,ik->jk", counts, means, means))
    direction = vectors[:, -1] * np.sign(vectors[np.abs(vectors[:, -1]).argmax(), -1])
    seen = np.flatnonzero(counts > 0)
    place = np.empty(size)
    place[seen[np.argsort((means @ direction)[seen], kind="stable")]] = np.arange(len(seen))
    unseen = counts == 0
    place[unseen] = np.average(place[seen], weights=counts[seen])
    return place.astype(np.float32)


def _rank_numbers(Z: Any, ranks: list[Array]) -> tuple[Any, list[Array | None]]:
    """Return rows whose numbers are their places among those of their column, and the numbers at each place.

    A tree grown on places does not depend on a column's scale, which scikit-learn's does: it takes
    numbers closer than 1e-7 for the same. Zero has place zero, so that sparse rows stay sparse.
    """
    if sparse.issparse(Z):
        columns = sparse.csc_matrix(Z, dtype=np.float32)
        levels: list[Array | None] = []
        for start, stop in zip(columns.indptr[:-1], columns.indptr[1:], strict=True):
            known = np.unique(np.append(columns.data[start:stop], np.float32(0)))
            columns.data[start:stop] = _places(columns.data[start:stop], known)
            levels.append(known)
        return columns, levels
    if Z.shape[1] == 0:
        return np.zeros((len(Z), 1), dtype=np.float32), [None]
    out = np.empty(Z.shape, dtype=np.float32)
    for j, place in enumerate(ranks):
        out[:, j] = place[Z[:, j].astype(np.int64)]
    levels = [None] * len(ranks)
    for j in range(len(ranks), Z.shape[1]):
        column = np.clip(Z[:, j], -LARGEST, LARGEST).astype(np.float32)
        known = np.unique(np.append(column[~np.isnan(column)], np.float32(0)))
        out[:, j] = np.where(np.isnan(column), np.nan, _places(column, known))
        levels.append(known)
    return out, levels


def _places(values: Array, levels: Array) -> Array:
    return np.searchsorted(levels, values) - np.searchsorted(levels, 0.0)


def _placed_missing(numbers: Any) -> tuple[Any, Array, Array]:
    """Return rows with missing values below all numbers, and copies of their columns with them above all numbers.

    So the better side is found for them; scikit-learn's own search for it is wrong in some trees before 1.9.

    Returns
    -------
    numbers : ndarray of shape (n_rows, n_columns + n_copied) or csc_matrix
        The rows; sparse ones have no missing values.
    copied : ndarray of shape (n_copied,)
        The columns with missing values.
    missing_cells : ndarray of shape (n_rows, n_copied)
        Where they are missing.
    """
    if sparse.issparse(numbers):
        return numbers, np.empty(0, dtype=np.int64), np.empty((numbers.shape[0], 0), dtype=bool)
    missing_cells = np.isnan(numbers)
    copied = np.flatnonzero(missing_cells.any(axis=0))
    above = np.where(missing_cells, np.float32(_FAR), numbers)[:, copied]
    return np.hstack([np.where(missing_cells, np.float32(-_FAR), numbers), above]), copied, missing_cells[:, copied]


def _cut(levels: Array | None, threshold: float) -> float:
    """Return the float32 between the numbers on either side of a threshold between places."""
    if levels is None:
        return threshold
    if abs(threshold) > _FAR / 4:
        # missing values on one side, all others on the other
        return np.inf
    below = int(np.floor(threshold)) + int(np.searchsorted(levels, 0.0))
    low, high = levels[below : below + 2].astype(np.float64)
    cut = np.float32((low + high) / 2)
    return float(cut if cut < high else levels[below])


def _shrunk(
    soft: Array, hard: Array, parent: Array, smoothing: float, temperature: float
) -> tuple[Array, Array, Array, Array]:
    """Return for each node the mean answer and the mean label, each shrunk towards the parent's, and their weights."""
    weights = [part.sum(axis=1) for part in (soft, hard)]
    rows = weights[0] / temperature**2 + weights[1]
    own = np.divide(rows, rows + smoothing, out=np.ones_like(rows), where=rows + smoothing > 0)
    means = []
    for part, weight in zip((soft, hard), weights, strict=True):
        mean = part / np.where(weight > 0, weight, 1.0)[:, None]
        uniform = np.full(soft.shape[1], 1.0 / soft.shape[1])
        for node in range(len(mean)):
            before = uniform if node == 0 else mean[parent[node]]
            share = own[node] if weight[node] > 0 else 0.0
            mean[node] = share * mean[node] + (1.0 - share) * before
        means.append(mean)
    return means[0], weights[0], means[1], weights[1]


def _in_order(values: Array, mass: Array, tree: Tree, signs: Array, *, missing_cells: bool) -> Array:
    """Return the values nearest to those of the leaves that obey the signs of columns: isotonic regression.

    A leaf must not be above another one to which a row can move from it by an increase of one column of sign 1, or
    by a decrease of one of sign -1. Splits chosen under constraints, and leaves clipped to the middle of each of them,
    as in scikit-learn, fit less closely.
    """
    lower, upper, missing = _boxes(tree, len(signs), missing_cells)

    def apart(at: int) -> Array:
        meets = np.maximum(lower[at][:, None], lower[at]) < np.minimum(upper[at][:, None], upper[at])
        return ~(meets | (missing[at][:, None] & missing[at]))

    n_apart = sum(apart(at).astype(np.int32) for at in range(len(signs)))
    pairs = []
    for at in np.flatnonzero(signs).tolist():
        numbers = lower[at] < upper[at]
        moves = (n_apart == apart(at)) & (lower[at][:, None] < upper[at]) & numbers[:, None] & numbers
        np.fill_diagonal(moves, False)
        pairs.append(np.argwhere(moves)[:, :: signs[at]])
    below, above = np.unique(np.concatenate(pairs), axis=0).T

    def moved(forces: Array) -> Array:
        return values + (np.bincount(above, forces, len(mass)) - np.bincount(below, forces, len(mass))) / mass

    def dual(forces: Array) -> tuple[float, Array]:
        found = moved(forces)
        return float(mass @ found**2) / 2, found[above] - found[below]

    if len(below):
        bounds, options = Bounds(0.0, np.inf), {"maxiter": _REWEIGHTINGS}
        solved = minimize(dual, np.zeros(len(below)), jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        values = moved(solved.x)
    # what is left of violations, by rounding
    while (values[below] > values[above]).any():
        np.maximum.at(values, above, values[below])
    return values


def _boxes(tree: Tree, n_columns: int, missing_cells: bool) -> tuple[Array, Array, Array]:
    """Return which numbers of each column are in each leaf, above `lower` to `upper`, and whether missing ones may be.

    All have shape (n_columns, n_leaves).
    """
    n_leaves = len(tree.values)
    lower, upper = np.full((n_columns, n_leaves), -np.inf), np.full((n_columns, n_leaves), np.inf)
    missing = np.zeros((n_columns, n_leaves), dtype=bool)
    missing[len(tree.offsets) :] = missing_cells
    # from the leaves of one side to those of both
    inside: dict[int, list[int]] = {~leaf: [leaf] for leaf in range(n_leaves)}
    for node in reversed(range(len(tree.columns))):
        column, cut = tree.columns[node], tree.thresholds[node]
        left, right = inside[tree.left[node]], inside[tree.right[node]]
        upper[column, left] = np.minimum(upper[column, left], cut)
        lower[column, right] = np.maximum(lower[column, right], cut)
        missing[column, right if tree.missing_left[node] else left] = False
        inside[node] = left + right
    return lower, upper, missing


def _shrunk_means(sums: Array, mass: Array, parent: Array, smoothing: float) -> Array:
    """Return the mean of each node, shrunk towards the parent's; shape (n_nodes, n_outputs)."""
    means = sums / np.where(mass > 0, mass, 1.0)[:, None]
    share = mass / np.where(mass > 0, mass + smoothing, 1.0)
    for node in range(1, len(means)):
        means[node] = share[node] * means[node] + (1.0 - share[node]) * means[parent[node]]
    return means


def _best_numbers(
    start: Array, prior: Array, smoothing: float, place: Array, loss: Loss, terms: Sequence[tuple[Array, Array, Any]]
) -> Array:
    """Return the numbers that minimise a loss in each leaf, with `smoothing` more rows that have the parent's mean.

    Iteratively reweighted least squares: the weight of a row is the slope of its loss over that of the squared
    error, so that with Huber's loss a row weighs less the further off it is.

    Parameters
    ----------
    start, prior : ndarray of shape (n_leaves, n_outputs)
        The mean of each leaf, from which the search starts, and that of its parent.
    smoothing : float
        The weight of `prior`.
    place : ndarray of shape (n_rows,)
        The leaf of each row.
    loss : Loss
        The loss.
    terms : sequence of (ndarray of shape (n_rows, n_outputs), ndarray of shape (n_rows,), callable)
        For each term its goal, the weight of each row, and the loss of a row.
    """
    n_leaves, values = len(start), start.copy()
    for _ in range(_REWEIGHTINGS):
        before = values.copy()
        total = smoothing * _relative_slope(loss.soft, before, prior)
        sums = total * prior
        for goal, mass, row_loss in terms:
            weight = mass[:, None] * _relative_slope(row_loss, before[place], goal)
            total += _sums(place, weight, n_leaves)
            sums += _sums(place, weight * goal, n_leaves)
        values = np.where(total > 0, sums / np.where(total > 0, total, 1.0), before)
        if np.abs(values - before).max() <= 1e-9:
            break
    return values


def _relative_slope(row_loss: Any, values: Array, goal: Array) -> Array:
    """Return the slope of a loss over that of the squared error, one where there is no error; not negative."""
    off = values - goal
    near = np.abs(off) < np.finfo(np.float64).tiny
    return np.maximum(np.where(near, 1.0, row_loss(values, goal)[1] / np.where(near, 1.0, 2.0 * off)), 0.0)


def _best_logits(soft: Array, soft_weight: Array, hard: Array, hard_weight: Array, temperature: float) -> Array:
    """Return the logits that minimise the loss in each leaf, shape (n_leaves, n_logits).

    Parameters
    ----------
    soft, hard : ndarray of shape (n_leaves, n_classes)
        The mean softened answer and the mean label.
    soft_weight, hard_weight : ndarray of shape (n_leaves,)
        Their weights.
    temperature : float
        The temperature of the first term.
    """
    w, v = soft_weight[:, None], hard_weight[:, None]
    tiny = _FLOOR**2
    from_soft, from_hard = temperature * np.log(np.maximum(soft, tiny)), np.log(np.maximum(hard, tiny))
    if temperature == 1:
        logits = np.log(np.maximum((w * soft + v * hard) / (w + v), tiny))
    else:
        # each term by itself has a minimum in closed form
        share = w / (w + v)
        logits = share * from_soft + (1.0 - share) * from_hard
        if (w > 0).any() and (v > 0).any():
            logits = _newton(logits, soft, w, hard, v, temperature)
    logits = np.maximum(log_softmax(logits), np.log(_FLOOR))
    return logits[:, 1:] - logits[:, :1] if logits.shape[1] == 2 else logits


def _newton(logits: Array, soft: Array, w: Array, hard: Array, v: Array, temperature: float) -> Array:
    """Minimise ``w * CE(soft, z / T) + v * CE(hard, z)`` for each row of logits ``z``; it is convex."""

    def value(z: Array) -> Array:
        return -(w * soft * log_softmax(z / temperature) + v * hard * log_softmax(z)).sum(axis=1)

    n_classes = logits.shape[1]
    identity = np.eye(n_classes)
    best = value(logits)
    for _ in range(_NEWTON_STEPS):
        p, q = softmax(logits / temperature), softmax(logits)
        gradient = w / temperature * (p - soft) + v * (q - hard)
        curvature = sum(
            scale[:, :, None] * (part[:, :, None] * identity - part[:, :, None] * part[:, None, :])
            for scale, part in ((w / temperature**2, p), (v, q))
        )
        # the sum of the logits is free, and the loss is nearly flat in a class of next to no probability
        ridge = (1e-9 * (w / temperature**2 + v))[:, :, None] * identity + 1.0 / n_classes
        step = np.linalg.solve(curvature + ridge, gradient[:, :, None])[:, :, 0]
        # halve the step until the loss falls
        size = np.minimum(1.0, 5.0 / np.maximum(np.abs(step).max(axis=1), 1e-300))
        for _ in range(30):
            moved = logits - size[:, None] * step
            reached = value(moved)
            if (reached <= best).all():
                break
            size = np.where(reached <= best, size, size / 2)
        better = reached <= best
        logits = np.where(better[:, None], moved, logits)
        best, before = np.where(better, reached, best), best
        if (before - best <= 1e-12 * np.abs(best)).all():
            break
    return logits
