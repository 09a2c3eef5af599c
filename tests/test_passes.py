"""Folding: a smaller Program with the same answers, and what is left out of it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from tables_helpers import as_it_is, every_kind

from skdistill import LinearStudent, Program
from skdistill.program import (
    ACTIVATIONS,
    LARGEST,
    Affine,
    Bound,
    Clip,
    Columns,
    DateParts,
    Indicate,
    LookupAffine,
    Piecewise,
    Quantiles,
    Relu,
    Softmax,
    Standardize,
    Tree,
    fold,
)

RNG = np.random.default_rng(0)


def floats(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def net(encoder, n_in, activation=Relu, first=None):
    """Return a Program with layers of 6, 5 and 3 units behind an encoder."""
    first = Affine(floats(n_in, 6), floats(6)) if first is None else first
    second, last = Affine(floats(6, 5), floats(5)), Affine(floats(5, 3), floats(3))
    return Program([*encoder, first, activation(), second, activation(), last, Softmax()])


def numbers(n_columns):
    return Columns(None, n_columns, tuple(range(n_columns)), ("number",) * n_columns, (), ())


def of_type(program, kind):
    return [op for op in program.ops if type(op) is kind]


def assert_same(folded, program, X):
    assert_allclose(folded.logits(X), program.logits(X), rtol=2e-5, atol=2e-5)
    assert_allclose(folded.logits(X[:1]), program.logits(X[:1]), rtol=2e-5, atol=2e-5)


def test_mean_and_scale_move_into_the_layer_and_gaps_are_still_filled():
    scale = Standardize(
        0, np.array([3.0, -0.01, 1e9]), np.array([2.0, 0.01, 5.0]), np.array([1.0, 0.5, 1e9 + 3]), LARGEST
    )
    program = net([numbers(3), scale], 3)
    folded = fold(program)
    (left,) = of_type(folded, Standardize)
    # a date is too far from zero for a float32 weight to make up for
    assert_array_equal(left.mean, [0, 0, 1e9])
    assert_array_equal(left.scale, [1, 1, 5])
    X = RNG.normal(size=(50, 3)) * scale.scale * 4 + scale.mean
    X[::3, 0] = X[::4, 1] = X[::5, 2] = np.nan
    assert_same(folded, program, X)
    assert_same(folded, program, np.full((1, 3), np.nan))
    assert np.isfinite(folded(np.array([[np.inf, -np.inf, 1e308]]))).all()


def test_a_standardize_that_squashes_stays_as_it_is():
    scale = Standardize(0, np.array([3.0]), np.array([2.0]), np.array([1.0]), 6.0)
    program = net([numbers(1), scale], 1)
    assert fold(program).fingerprint() == program.fingerprint()


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler()])
def test_a_users_scaler_becomes_part_of_the_weights(scaler, cancer):
    student = LinearStudent(encoder=scaler).fit(cancer.X, cancer.y)
    (left,) = of_type(student.program_, Standardize)
    assert_array_equal(left.scale, 1)
    before = LinearStudent(encoder=as_it_is(scaler)).fit(cancer.X, cancer.y)
    assert_allclose(student.decision_function(cancer.X), before.decision_function(cancer.X), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("activation", ACTIVATIONS.values())
def test_units_that_reach_nothing_or_never_move_are_dropped(activation):
    program = net([numbers(4)], 4, activation)
    entry, first, _, second, _, last, softmax = program.ops
    first.weight[:, [0, 2]] = 0  # these two are constants
    second.weight[3] = 0  # this one reaches nothing
    last.weight[[1, 4]] = 0  # nor do these
    second.weight[5, [0, 2, 3]] = 0  # this one reaches two units that reach nothing
    folded = fold(Program([entry, first, activation(), second, activation(), last, softmax]))
    assert [op.weight.shape for op in of_type(folded, Affine)] == [(4, 2), (2, 3), (3, 3)]
    assert_same(folded, program, RNG.normal(size=(40, 4)))


def test_a_net_of_which_nothing_moves_becomes_its_biases():
    program = net([numbers(4)], 4)
    for layer in of_type(program, Affine)[:2]:
        layer.weight[:] = 0
    folded = fold(program)
    assert [op.weight.shape for op in of_type(folded, Affine)] == [(0, 1), (1, 1), (1, 3)]
    assert_same(folded, program, RNG.normal(size=(40, 4)))


def encoders():
    """Yield encoders of columns [code, code | number, date, number] and the number of their outputs."""
    kinds = ("category", "category", "number", "datetime", "number")
    levels = ({"a": 0, "b": 1}, {"x": 0})
    entry = Columns(("c", "d", "n", "t", "m", "unread"), 6, (0, 1, 2, 3, 4), kinds, levels, (4, 3))
    parts = DateParts((3, 3), ("month", "hour"))
    clip = Clip(np.array([3, 6]), np.array([1.59e9, 2.0]), np.array([1.595e9, 20.0]))
    gaps = Indicate(np.array([2, 4]))
    mean, scale, fill = RNG.normal(size=5), RNG.uniform(0.5, 2, 5), RNG.normal(size=5)
    mean[1], scale[1], fill[1] = 1.6e9, 1e6, 1.6e9
    standard = Standardize(2, mean, scale, fill, 6.0)
    bins = np.array([2, 2, 3, 4, 5, 5])
    piecewise = Piecewise(bins, floats(6), RNG.uniform(0.5, 1, 6).astype(np.float32))
    knots = np.sort(RNG.normal(size=(5, 9)), axis=1) * scale[:, None] + mean[:, None]
    yield [entry, parts, clip, gaps, standard, piecewise], 15
    yield [entry, parts, gaps, Quantiles(2, knots, np.linspace(-1, 1, 9), fill)], 9


def rows(n_rows):
    dates = np.datetime64("2020-05-01") + RNG.integers(0, 10**7, n_rows).astype("timedelta64[s]")
    cells = [
        RNG.choice(["a", "b", "z", None], n_rows),
        RNG.choice(["x", "y", None], n_rows),
        np.where(RNG.random(n_rows) < 0.2, np.nan, RNG.normal(size=n_rows)),
        np.where(RNG.random(n_rows) < 0.2, None, dates.astype(object)),
        np.where(RNG.random(n_rows) < 0.2, np.nan, RNG.normal(size=n_rows)),
        np.full(n_rows, "unread"),
    ]
    return np.column_stack([np.asarray(column, dtype=object) for column in cells])


@pytest.mark.parametrize(("encoder", "n_out"), encoders())
@pytest.mark.parametrize("seed", range(12))
def test_columns_that_reach_nothing_are_dropped(encoder, n_out, seed):
    rng = np.random.default_rng(seed)
    first = LookupAffine(np.array([0, 4]), floats(7, 6), floats(n_out - 2, 6), floats(6))
    dead = rng.random(n_out) < rng.choice([0.3, 0.6, 0.9])
    first.weight[dead[2:]] = 0
    if dead[0]:
        first.tables[:4] = 0
    if dead[1]:
        first.tables[4:] = first.tables[5]  # each level counts for the same
    program = net(encoder, n_out, first=first)
    folded = fold(program)
    assert_same(folded, program, rows(60))
    assert fold(folded).fingerprint() == folded.fingerprint()
    layer = next(op for op in folded.ops if isinstance(op, Affine | LookupAffine))
    assert len(folded.ops[0].sources) <= 5
    n_codes = len(layer.offsets) if isinstance(layer, LookupAffine) else 0
    assert n_codes == np.count_nonzero(~dead[:2]) == len(folded.ops[0].sizes)
    # a row stays in the weights only if it counts, or is what a later step reads
    assert np.count_nonzero(layer.weight.any(axis=1)) == np.count_nonzero(~dead[2:])


@pytest.mark.parametrize("seed", range(8))
def test_columns_that_no_node_looks_at_are_dropped(seed):
    rng = np.random.default_rng(seed)
    entry, parts, *_ = next(encoders())[0]
    looked_at = rng.choice(7, 3, replace=False)
    columns, thresholds = rng.choice(looked_at, 6), rng.normal(size=6).astype(np.float32)
    thresholds[columns == 3] = 1.6e9
    # a chain: each node leads to the next one or to a leaf
    left, right = np.array([1, 2, 3, 4, 5, ~5]), ~np.array([0, 1, 2, 3, 4, 6])
    ranks, missing = floats(7), rng.random(6) < 0.5
    tree = Tree(np.array([0, 4]), ranks, columns, thresholds, missing, left, right, floats(7, 3))
    program = Program([entry, parts, tree, Softmax()])
    folded = fold(program)
    X = rows(200)
    assert_array_equal(folded.logits(X), program.logits(X))
    n_codes = len(set(columns) & {0, 1})
    assert len(folded.ops[-2].offsets) == len(folded.ops[0].sizes) == n_codes
    # a part of a date takes the date as well
    assert len(folded.ops[0].sources) == len({3 if at > 4 else at for at in columns.tolist()})


def test_weights_rounded_to_zero_are_dropped_too():
    scale = Standardize(0, np.zeros(3), np.full(3, 2.0), np.zeros(3), LARGEST)
    weight = RNG.integers(-127, 128, size=(3, 6), dtype=np.int8)
    weight[1] = weight[:, 2] = 0
    program = net([numbers(3), scale], 3, first=Affine(weight, floats(6), np.abs(floats(6)) / 100))
    folded = fold(program)
    first = of_type(folded, Affine)[0]
    assert (first.weight.shape, first.weight.dtype, first.scale.shape) == ((2, 5), np.int8, (5,))
    assert folded.ops[0].sources == (0, 2)
    assert_array_equal(of_type(folded, Standardize)[0].scale, [2, 2], "int8 weights take no other scale")
    assert_same(folded, program, RNG.normal(size=(40, 3)))


def test_sparse_rows_keep_their_columns():
    program = net([Bound(4)], 4)
    program.ops[1].weight[2] = 0
    folded = fold(program)
    assert folded.ops[0].n_columns == 4
    assert_same(folded, program, RNG.normal(size=(40, 4)))


def test_a_fitted_student_runs_the_folded_program():
    X, y = every_kind(400)
    student = LinearStudent(numeric="piecewise").fit(X, y)
    first = student.program_.ops[-2]
    first.weight[-3:] = 0
    again = fold(student.program_)
    assert again.n_parameters == student.program_.n_parameters - 3
    assert_allclose(again(X), student.program_(X), atol=1e-6)
    assert fold(again).fingerprint() == again.fingerprint()


def test_ops_that_are_not_known_are_left_alone():
    class Twice(Relu):
        def __call__(self, X):
            return 2 * X

    entry, first, _, *rest = net([numbers(4)], 4).ops
    first.weight[:, 0] = 0
    for ops in ([entry, first, Twice(), Twice(), *rest], [entry, Twice(), first, Relu(), *rest]):
        program = Program(ops)
        folded = fold(program)
        assert_allclose(folded.logits(np.ones((3, 4))), program.logits(np.ones((3, 4))), rtol=1e-6, atol=1e-6)
        assert Twice in {type(op) for op in folded.ops}
