"""Programs and their ops: what each computes, blocks of rows, sizes, fingerprints, pickling."""

import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from export_helpers import cases, fitted, mixed_table, wild_rows
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import coo_matrix, csc_matrix, csr_matrix, issparse
from scipy.special import expit

from skdistill import Program
from skdistill.program import ACTIVATIONS, Affine, Bound, Columns, LookupAffine, Relu, Silu, Softmax, Standardize, Tanh


def numbers(n_columns):
    return Columns(None, n_columns, tuple(range(n_columns)), ("number",) * n_columns, (), ())


def make_program(seed=0, n_columns=5, n_hidden=7, n_logits=3):
    rng = np.random.default_rng(seed)

    def affine(n_in, n_out):
        return Affine(rng.normal(size=(n_in, n_out)).astype(np.float32), rng.normal(size=n_out).astype(np.float32))

    ops = [
        numbers(n_columns),
        Standardize(0, rng.normal(size=n_columns), rng.uniform(0.5, 2, n_columns), np.full(n_columns, 0.25), 3.0),
        affine(n_columns, n_hidden),
        Relu(),
        affine(n_hidden, n_logits),
        Softmax(),
    ]
    return Program(ops)


def test_a_program_is_its_ops_in_order():
    program = make_program()
    X = np.random.default_rng(1).normal(scale=3, size=(50, 5))
    entry, scale, first, _, last, _ = program.ops
    Z = (X - scale.mean) / scale.scale
    Z = np.where(abs(Z) > 3, np.sign(Z) * (3 + np.log1p(np.maximum(abs(Z) - 3, 0))), Z)
    logits = np.maximum(Z @ first.weight.astype(float) + first.bias, 0) @ last.weight.astype(float) + last.bias
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert_allclose(program.logits(X), logits, rtol=1e-12)
    assert_allclose(program(X), proba, rtol=1e-12)
    assert program(X).dtype == np.float64
    assert entry is program.ops[0]


def test_calling_a_program_leaves_the_rows_alone():
    program = make_program()
    X = np.random.default_rng(1).normal(scale=3, size=(20, 5))
    for rows in (X, X.astype(np.float32), np.asfortranarray(X)):
        before = rows.copy()
        program(rows)
        program.logits(rows)
        assert_array_equal(rows, before)


@pytest.mark.parametrize("n_logits", [1, 3])
@pytest.mark.parametrize("n_rows", [1023, 1024, 1025, 5000])
def test_many_rows_are_answered_like_one(n_rows, n_logits):
    program = make_program(n_logits=n_logits)
    X = np.random.default_rng(2).normal(size=(n_rows, 5))
    together = program(X)
    assert together.shape == (n_rows, max(2, n_logits))
    for row in (0, 1, 1022, n_rows - 1):
        assert_allclose(together[row], program(X[row : row + 1])[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("kind", "numeric", "n_classes", "dtype"), cases())
def test_batches_in_float32_differ_by_a_millionth_on_the_wildest_rows(kind, numeric, n_classes, dtype):
    program = fitted(kind, numeric, n_classes, dtype).program_
    narrow = Program(program.ops, batch_dtype="float32")
    for rows in (mixed_table()[0], wild_rows(mixed_table()[0])):
        assert_allclose(narrow(rows), program(rows), rtol=0, atol=1e-6)
        assert_array_equal(narrow(rows[:1]), program(rows[:1]))
        assert_array_equal(narrow.logits(rows[:1]), program.logits(rows[:1]))
    differs = kind == "mlp" or (kind == "linear" and numeric == "piecewise")
    assert np.array_equal(narrow(rows), program(rows)) != differs
    copied = pickle.loads(pickle.dumps(narrow))
    assert_array_equal(copied(rows), narrow(rows))


def test_standardize_fills_gaps_and_squashes_what_is_far_out():
    scale = Standardize(1, np.array([10.0, -2.0]), np.array([2.0, 0.5]), np.array([11.0, -2.0]), 3.0)
    X = np.array([[np.nan, 10.0, -2.0], [7.0, np.nan, np.nan], [7.0, np.inf, -np.inf], [7.0, 4.0, 1e308]])
    for Z in (scale(X.copy()), np.vstack([scale(row[None]) for row in X.copy()])):
        assert_array_equal(Z[:, 0], X[:, 0], "what comes before the start is passed on")
        assert_allclose(Z[:2, 1:], [[0, 0], [0.5, 0]])
        far = 3 + np.log1p(1e30 - 3)
        assert_allclose(Z[2:, 1:], [[far, -far], [-3, far]])


def test_a_standardize_without_a_scale_of_its_own_still_fills_and_cuts():
    fills = Standardize(0, np.zeros(2), np.ones(2), np.array([7.0, 8.0]), 1e30)
    X = np.array([[2.0, -3.0], [np.nan, 4.0], [1e40, -np.inf]])
    wanted = [[2, -3], [7, 4], [1e30, -1e30]]
    assert_array_equal(fills(X.copy()), wanted)
    assert_array_equal(np.vstack([fills(row[None]) for row in X.copy()]), wanted)


@pytest.mark.parametrize("form", [csr_matrix, csc_matrix, coo_matrix, np.asarray])
def test_sparse_rows_stay_sparse_and_finite(form):
    dense = np.array([[0.0, 2.0, np.nan], [-np.inf, 0.0, 1e308]])
    out = Bound(3)(form(dense))
    assert issparse(out) == (form is not np.asarray)
    assert_array_equal(out.toarray() if issparse(out) else out, [[0, 2, 0], [-1e30, 0, 1e30]])
    with pytest.raises(
        ValueError, match=r"of shape \(2, 2\); expected an array or a sparse matrix of shape \(n_rows, 3\)"
    ):
        Bound(3)(form(dense[:, :2]))
    with pytest.raises(ValueError, match=r"Rows are a dict of shape \(\)"):
        Bound(3)({"a": 1.0})


wild = st.floats(-1e300, 1e300)


@given(arrays(float, (3, 2), elements=wild))
def test_activations_are_exact_and_finite(X):
    with np.errstate(over="raise", invalid="raise"):
        assert_array_equal(Relu()(X.copy()), np.where(X > 0, X, 0))
        assert_array_equal(Tanh()(X.copy()), np.tanh(X))
        Silu()(X.copy())
        X = np.clip(X, -1e20, 1e20)
        assert_allclose(Silu()(X.copy()), X * expit(X), rtol=1e-12, atol=1e-280)
    assert set(ACTIVATIONS) == {"relu", "silu", "tanh"}


@given(arrays(float, (3, 1), elements=wild))
def test_binary_softmax_is_the_logistic_of_one_logit(z):
    proba = Softmax()(z.copy())
    assert_array_equal(proba.sum(axis=1), 1)
    assert_allclose(proba[:, 1], expit(z[:, 0]), rtol=1e-12)
    assert_allclose(proba[:, 0], expit(-z[:, 0]), rtol=1e-12)


@given(arrays(float, (3, 4), elements=st.floats(-1e150, 1e150)))
def test_softmax_is_finite_and_sums_to_one(logits):
    proba = Softmax()(logits.copy())
    assert (proba >= 0).all()
    assert_allclose(proba.sum(axis=1), 1, rtol=1e-15)


def test_sizes_count_the_numbers_held():
    program = make_program()
    assert program.n_parameters == 5 * 7 + 7 + 7 * 3 + 3
    assert program.nbytes == 4 * program.n_parameters + 8 * 3 * 5


def quantised(layer):
    """Return an affine map with int8 weights, and one with the float32 weights that they stand for."""
    scale = np.abs(layer.weight).max(axis=0) / np.float32(127)
    codes = np.rint(layer.weight / scale).astype(np.int8)
    return Affine(codes, layer.bias, scale), Affine(codes * scale, layer.bias)


@pytest.mark.parametrize("n_rows", [1, 30])
def test_smaller_weights_stand_for_real_ones(n_rows):
    *ops, last, softmax = make_program().ops
    X = np.random.default_rng(3).normal(size=(n_rows, 5))
    small, real = quantised(last)
    assert_allclose(Program([*ops, small, softmax])(X), Program([*ops, real, softmax])(X), rtol=1e-6)
    half = last.weight.astype(np.float16)
    assert_allclose(
        Program([*ops, Affine(half, last.bias), softmax])(X),
        Program([*ops, Affine(half.astype(np.float32), last.bias), softmax])(X),
        rtol=1e-12,
    )


@pytest.mark.parametrize("n_rows", [1, 30])
def test_smaller_tables_stand_for_real_ones(n_rows):
    rng = np.random.default_rng(4)
    offsets, bias = np.array([0, 3]), rng.normal(size=4).astype(np.float32)
    tables, weight = (rng.integers(-127, 128, size=(n, 4), dtype=np.int8) for n in (5, 2))
    table_scale, scale = (rng.uniform(0.5, 2, 4).astype(np.float32) for _ in range(2))
    rows = np.column_stack([rng.integers(0, 3, n_rows), rng.integers(0, 2, n_rows), rng.normal(size=(n_rows, 2))])
    small = LookupAffine(offsets, tables, weight, bias, table_scale, scale)
    real = LookupAffine(offsets, tables * table_scale, weight * scale, bias)
    assert_allclose(small(rows.copy()), real(rows.copy()), rtol=1e-5)


def test_smaller_weights_count_as_they_are_held():
    *ops, last, softmax = make_program().ops
    program = Program([*ops, last, softmax])
    small, _ = quantised(last)
    small_program = Program([*ops, small, softmax])
    assert small_program.n_parameters == program.n_parameters
    assert small_program.nbytes == program.nbytes - 3 * last.weight.size + last.bias.nbytes
    other = Program([*ops, Affine(small.weight, small.bias, small.scale * 2), softmax])
    assert len({one.fingerprint() for one in (program, small_program, other)}) == 3
    before = pickle.dumps(small_program)
    small_program(np.zeros((1, 5)))
    assert pickle.dumps(small_program) == before
    assert pickle.loads(before).fingerprint() == small_program.fingerprint()


def test_fingerprints_are_equal_for_equal_programs_alone():
    program = make_program()
    prints = {program.fingerprint()}
    assert prints == {make_program().fingerprint()}
    *ops, last, softmax = program.ops

    bias = last.bias.copy()
    bias[0] = np.nextafter(bias[0], np.float32(9))
    changed = [
        Program([*ops, Affine(last.weight, bias), softmax]),
        Program([*ops, Affine(last.weight.astype(float), last.bias), softmax]),
        Program([*ops, Tanh(), last, softmax]),
        Program([numbers(6), *ops[1:], last, softmax]),
        Program([*ops[:-1], Silu(), last, softmax]),
    ]
    prints |= {other.fingerprint() for other in changed}
    assert len(prints) == 1 + len(changed)


def test_a_pickled_program_is_the_same_and_carries_no_cache():
    program = make_program()
    before = pickle.dumps(program)
    X = np.random.default_rng(0).normal(size=(9, 5))
    answers = program(X)
    assert pickle.dumps(program) == before, "what a call caches for speed is not stored"
    again = pickle.loads(before)
    assert again.fingerprint() == program.fingerprint()
    assert_array_equal(again(X), answers)


def test_ops_and_their_order_are_frozen():
    program = make_program()
    with pytest.raises(FrozenInstanceError):
        program.ops[2].bias = np.zeros(7, np.float32)
    assert isinstance(program.ops, tuple)
    with pytest.raises(AttributeError):
        program.anything = 1


def test_a_program_says_what_it_is():
    text = repr(make_program())
    assert "5x7" in text
    assert "66 parameters" in text
    assert "Softmax()" in text


@pytest.mark.parametrize("ops", [[], [Relu()], [numbers(3), Softmax(), Relu()], [Relu(), Softmax()]])
def test_a_program_begins_with_an_entry_and_ends_in_softmax(ops):
    with pytest.raises(ValueError, match="A Program begins with Columns or Bound and ends in Softmax"):
        Program(ops)
