"""Pruning: remove the hidden units that matter least, then distil briefly to compensate."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from ..program import Columns, Op, join, ops, rescale, run, split
from ..student import Encoded, Encoder, fit_net, make_student
from ..tasks import CLASSES, LABELS, NUMBERS, Task
from ..teacher import Teacher
from ._student import inner_student, new_student

Array = NDArray[Any]

#: So many rows tell which units matter, and what the others make of it.
_MOST_ROWS = 5000
_RIDGE = 1e-3
#: By how much fewer weights than units stay: of half the units 0.45 of the weights.
_LEANER = 0.2
#: So many rows, with mixed ones beside those given, the smaller net is fitted to.
_N_ROWS = 40_000
#: The largest share of a mixed row's cells that are another row's; some rows have few of them, others many.
_SWAPPED = 0.5


def prune(
    student: Any,
    X: Any,
    keep: float = 0.5,
    teacher: Any = None,
    *,
    max_epochs: int = 60,
    learning_rate: float = 1e-2,
    random_state: int | np.random.RandomState | None = 0,
    verbose: int = 0,
) -> Any:
    """Remove hidden units from a fitted net.

    In each hidden layer, the units whose outputs vary least over `X` are removed, weighted by their effect on the next
    layer. The next layer is refitted to its former output by least squares. Then the smaller net is distilled on `X`
    and, if `X` is a table with fewer than 40,000 rows, also on rows mixed from its cells. The weight matrices shrink:
    half of the units leave half of the first layer, a quarter of the layers between, and at most 45 % of all weights.

    Parameters
    ----------
    student : student, DistilledClassifier or predictor
        A fitted student with hidden layers; it is not modified.
    X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
        Rows like the training rows, best all of these. Labels are not needed.
    keep : float, default=0.5
        The fraction of the hidden units of each layer to keep, above 0 and at most 1. If the first layer is wide, fewer
        of its units are kept and more of the second; with a single hidden layer this is the fraction of the weights.
    teacher : estimator, callable or list of these, default=None
        The teacher to distil: a fitted classifier with ``predict_proba``, a callable that maps rows to probabilities in
        the order of the student's ``classes_``, or a list of these, whose predictions are averaged; for a regression
        student the same with ``predict``. None uses the student before pruning.
    max_epochs : int, default=60
        Maximum number of epochs.
    learning_rate : float, default=1e-2
        The highest learning rate.
    random_state : int, RandomState instance or None, default=0
        Seeds the batches and the held-out rows.
    verbose : int, default=0
        If 1, show a progress bar.

    Returns
    -------
    student : student or predictor
        A fitted student that predicts, saves and exports like any other; for a distiller, its pruned student. Its
        ``compression_report_`` is a dict with ``nbytes`` and ``n_parameters`` of the Program, ``nbytes_before`` and
        ``n_parameters_before``, and these measures over `X`: the ``agreement``, the fraction of rows for which the
        original student predicts the same class (for a regressor ``r2`` against the original), and the ``mean_change``
        and ``max_change`` of a probability or prediction.

    Raises
    ------
    NotFittedError
        If the student or the teacher is not fitted.
    TypeError
        If the student has no hidden units.
    ValueError
        If `keep` is out of range, or rows, teacher or classes do not match the student.

    See Also
    --------
    quantize : Fewer bits per weight; prune first, then quantize.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdistill import MLPStudent
    >>> from skdistill.compress import prune
    >>> X, y = load_iris(return_X_y=True)
    >>> student = MLPStudent((32, 32), random_state=0).fit(X, y)
    >>> small = prune(student, X, max_epochs=5)
    >>> small.program_.n_parameters / student.program_.n_parameters < 0.5
    True
    >>> small.compression_report_["agreement"] > 0.95
    True
    """
    if isinstance(keep, bool) or not isinstance(keep, float | int | np.number) or not 0 < keep <= 1:
        raise ValueError(f"keep must be above 0 and at most 1; got {keep!r}.")
    inner, program = inner_student(student)
    parts = split(program)
    if parts is None or not parts[2]:
        raise TypeError(f"This {type(inner).__name__} has no hidden units to prune; expected an MLPStudent with some.")
    last = program.ops[-1]
    if isinstance(last, ops.OneVsRest | ops.BackTransform):
        raise TypeError(
            f"Pruning retrains the net, with a loss that cannot include this {type(last).__name__}; prune the student "
            "before you calibrate it or transform its target."
        )
    rows = inner._rows(X)
    tasks: dict[type, Task] = {ops.Unstandardize: NUMBERS, ops.Sigmoid: LABELS}
    task = next((one for end, one in tasks.items() if isinstance(last, end)), CLASSES)
    answers = _answers(task, teacher, inner, X)
    encoder, layers, activations = parts
    encoder, layers[0] = _standardized(encoder, layers[0], rows)
    read = Encoder(encoder)
    encoded = read.encode(rows)
    weights = _as_arrays(read, layers)
    # what was read from a file does not say whether it was constrained
    if getattr(inner, "monotonic_cst", "unknown") is not None and type(activations[0]) is not ops.Silu:
        read.constrain(_column_signs(read, weights, program.n_columns))
        encoded = replace(encoded, signs=read.input_signs)
    sizes = _n_kept(weights, float(keep))
    start = _without_units(weights, activations, encoded, sizes)
    activation = next(name for name, kind in ops.ACTIVATIONS.items() if type(activations[0]) is kind)
    net = make_student("mlp", task, random_state=random_state, verbose=verbose)
    net.set_params(hidden_layer_sizes=sizes, activation=activation, max_epochs=max_epochs, learning_rate=learning_rate)
    fitted = encoded
    if (mixed := _mixed_rows(encoder, rows)) is not None:
        # the student itself answers these
        whole = join(encoder, layers, activations, last).ops[len(encoder) :]
        answers = np.concatenate([answers, run(mixed.copy(), whole)])
        fitted = read.encode_read(np.concatenate([read.read(rows), mixed]))
    classes = getattr(inner, "classes_", None)
    targets = task.targets(answers, classes, None, loss=task.loss(), alpha=1.0)
    if isinstance(last, ops.Unstandardize):
        targets = replace(targets, units=(last.center, last.scale))
    first, *others = fit_net(net, fitted, targets.terms(fitted.n_rows), read.first_layer, start)
    if isinstance(first, ops.LookupAffine):
        first = _with_unseen_levels(first, start[0][0], encoded)
    smaller = join(encoder, [first, *others[1::2]], activations, last)
    new = new_student(inner, program, smaller, f"pruned to {', '.join(map(str, sizes))} units", rows, None)
    if isinstance(new, type(net)):
        # an ensemble is one net now
        new.hidden_layer_sizes, new.n_nets = sizes, 1
    return new


def _answers(task: Task, teacher: Any, student: Any, X: Any) -> Array:
    """Return the teacher's answers, or the student's own, with columns in the student's order."""
    if teacher is None:
        return task.predict(student, X)
    X = X if hasattr(X, "shape") else np.asarray(X)
    asked = Teacher.of(teacher, task, trial=X)
    classes = getattr(student, "classes_", None)
    values = asked.ask(X).aligned(classes)
    n_targets = student.program_.n_outputs if classes is None else len(classes)
    if values.shape[1] != n_targets:
        raise ValueError(f"{asked.name} returned {values.shape[1]} columns; the student has {n_targets}.")
    return values


def _mixed_rows(encoder: list[Op], rows: Any) -> Array | None:
    """Return encoded rows some of whose cells are another row's; None where there are enough rows, or sparse ones.

    A few hundred rows do not show what the student answers between them.
    """
    if not isinstance(encoder[0], Columns) or rows.shape[0] >= _N_ROWS:
        return None
    cells = encoder[0](rows)
    rng = np.random.default_rng(0)
    n_more = _N_ROWS - len(cells)
    one, other = rng.integers(0, len(cells), size=(2, n_more))
    swapped = rng.random((n_more, cells.shape[1])) < rng.uniform(0.0, _SWAPPED, size=(n_more, 1))
    return run(np.where(swapped, cells[other], cells[one]), encoder[1:])


def _standardized(encoder: list[Op], first: Any, rows: Any) -> tuple[list[Op], Any]:
    """Return the encoder with all columns standardised, which a net trains best on, and the first layer to match."""
    last = encoder[-1]
    if not isinstance(last, ops.Standardize) or last.limit < ops.LARGEST:
        return encoder, first
    Z = run(encoder[0](rows), encoder[1:])[:, last.start : last.start + len(last.mean)]
    deviation = Z.std(axis=0)
    mean = last.mean + last.scale * Z.mean(axis=0)
    scale = last.scale * np.where(deviation > 0, deviation, 1.0)
    last, first = rescale(last, first, mean, scale)
    return [*encoder[:-1], last], first


def _as_arrays(read: Encoder, layers: list[Any]) -> list[tuple[Array, Array]]:
    """Return weight and bias of each layer, the first of them over encoded rows."""
    first, *others = layers
    weight = first.weight
    if isinstance(first, ops.LookupAffine):
        weight = np.concatenate([first.tables, weight])
    elif read.column_scale is not None:
        weight = (weight * read.column_scale[:, None]).astype(np.float32)
    return [(weight, first.bias), *((layer.weight, layer.bias) for layer in others)]


def _column_signs(read: Encoder, layers: list[tuple[Array, Array]], n_columns: int) -> Array | None:
    """Return the sign of each raw column's effect where the signs of the weights show one, else 0; None without any."""
    if layers[-1][0].shape[1] > 1:
        return None
    # whether an increase of a unit, or of an input, may raise or lower the output
    raises, lowers = np.ones(1, dtype=bool), np.zeros(1, dtype=bool)
    for weight, _ in reversed(layers):
        positive, negative = weight > 0, weight < 0
        raises, lowers = (positive @ one | negative @ other for one, other in ((raises, lowers), (lowers, raises)))
    made_of = Encoder(read.ops)
    made_of.constrain(np.arange(1, n_columns + 1))
    assert made_of.input_signs is not None
    up, down = (np.isin(np.arange(1, n_columns + 1), made_of.input_signs[one]) for one in (raises, lowers))
    signs = up.astype(np.int8) - down
    return signs if signs.any() else None


def _n_kept(layers: list[tuple[Array, Array]], keep: float) -> tuple[int, ...]:
    """Return how many units of each hidden layer stay.

    It is the same share of each, unless the first layer has so many inputs that the number of weights would hardly
    shrink more than that of units. Then fewer of its units stay, and as many more of the second layer.
    """
    n_inputs, *units = (len(weight) for weight, _ in layers)
    n_outputs = layers[-1][0].shape[1]

    def weigh(kept: list[int]) -> int:
        return sum((before + 1) * after for before, after in pairwise([n_inputs, *kept, n_outputs]))

    most = keep * (1.0 - _LEANER * (1.0 - keep)) * weigh(units)
    kept = [max(1, round(keep * n)) for n in units]
    while len(kept) > 1 and kept[0] > 1 and kept[1] < units[1] and weigh(kept) > most:
        kept[0] -= 1
        kept[1] += 1
    return tuple(kept)


def _without_units(
    layers: list[tuple[Array, Array]], activations: list[Op], encoded: Encoded, sizes: tuple[int, ...]
) -> list[tuple[Array, Array]]:
    """Return the layers with fewer hidden units, each fitted to what the layer gave with all of them."""
    sample = encoded.take(np.arange(0, encoded.n_rows, -(-encoded.n_rows // _MOST_ROWS)))
    (weight, bias), *others = layers
    smaller: list[tuple[Array, Array]] = []
    # a layer's output with the layers before it as they were, and as they are now
    goal = given = sample.times(weight.astype(np.float64)) + bias
    for activation, (after, after_bias), n_kept in zip(activations, others, sizes, strict=True):
        goal, given = activation(goal.copy()), activation(given.copy())
        matters = given.std(axis=0) * np.linalg.norm(after, axis=1)
        kept = np.sort(np.argsort(-matters, kind="stable")[:n_kept])
        smaller.append((np.ascontiguousarray(weight[:, kept]), bias[kept]))
        goal, given = goal @ after + after_bias, given[:, kept]
        weight, bias = _refitted(given, goal, after[kept].astype(np.float64))
        if encoded.signs is not None:
            weight = np.where(weight * after[kept] > 0, weight, 0.0)
        given = given @ weight + bias
    return [(w.astype(np.float32), b.astype(np.float32)) for w, b in [*smaller, (weight, bias)]]


def _refitted(given: Array, goal: Array, weight: Array) -> tuple[Array, Array]:
    """Return weight and bias such that ``given @ weight + bias`` is close to `goal`, the weight to what it was."""
    change = Ridge(_RIDGE * len(given) * given.var(axis=0).mean() + 1e-12).fit(given, goal - given @ weight)
    return weight + change.coef_.reshape(weight.T.shape).T, change.intercept_


def _with_unseen_levels(layer: ops.LookupAffine, before: Array, encoded: Encoded) -> ops.LookupAffine:
    """Move the weights of levels that `X` lacks as those of its column's other levels moved on average."""
    assert encoded.sparse is not None
    counts = np.asarray(encoded.sparse.sum(axis=0)).ravel()
    tables = layer.tables.astype(np.float64)
    old = before[: len(tables)].astype(np.float64)
    for start, end in pairwise([*layer.offsets.tolist(), len(tables)]):
        rows = slice(start, end)
        unseen = counts[rows] == 0
        moved = counts[rows] @ (tables[rows] - old[rows]) / counts[rows].sum()
        # a level that counts for nothing keeps doing so
        counting = old[rows][unseen].any(axis=1, keepdims=True)
        tables[rows][unseen] = old[rows][unseen] + np.where(counting, moved, 0.0)
    return replace(layer, tables=tables.astype(np.float32))
