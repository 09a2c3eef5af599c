"""Quantising and pruning: smaller students that answer as the ones before, and say what it cost."""

from copy import copy
from dataclasses import replace

import numpy as np
import pytest
from export_helpers import TABLES, fitted, mixed_table, wild_rows
from helpers import Reordered, small_mlp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from tables_helpers import Lengths, as_it_is, customers, prepare

from skdistill import DistilledClassifier, LinearStudent, MLPStudent, TreeStudent, load
from skdistill.compress import prune, quantize
from skdistill.program import Affine, Columns, LookupAffine, Program, Tree, join, split

SIZES = {"float16": np.float16, "int8": np.int8}


def weights(student):
    """Return the arrays of weights of a student's Program."""
    names = ("weight", "tables", "values")
    return [getattr(op, name) for op in student.program_.ops for name in names if hasattr(op, name)]


def scales(student):
    names = ("scale", "tables_scale", "values_scale")
    layers = [op for op in student.program_.ops if isinstance(op, Affine | LookupAffine | Tree)]
    return [getattr(op, name) for op in layers for name in names if getattr(op, name, None) is not None]


def change(before, after, X):
    return np.abs(before.predict_proba(X) - after.predict_proba(X)).mean()


# ---------------------------------------------------------------------------------------- quantize


@pytest.mark.parametrize("rows", ["rows given", "rows drawn"])
@pytest.mark.parametrize("dtype", SIZES)
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    ("kind", "numeric", "n_classes"),
    [
        ("linear", "standard", 2),
        ("linear", "quantile", 26),
        ("mlp", "piecewise", 2),
        ("mlp", "quantile", 26),
        ("tree", "standard", 2),
        ("tree", "standard", 26),
    ],
)
def test_a_quantised_student_answers_as_before(kind, numeric, n_classes, table, dtype, rows):
    student = fitted(kind, numeric, n_classes, table=table)
    before = student.program_.fingerprint()
    X, _ = TABLES[table](n_classes=n_classes)
    small = quantize(student, dtype, X if rows == "rows given" else None)
    assert type(small) is type(student)
    assert small is not student
    assert student.program_.fingerprint() == before
    assert {array.dtype for array in weights(small)} == {np.dtype(SIZES[dtype])}
    assert {array.dtype for array in scales(small)} <= {np.dtype(np.float32)}
    assert bool(scales(small)) == (dtype == "int8")
    fresh, _ = TABLES[table](n_rows=2000, n_classes=n_classes, seed=1)
    limit = {"int8": 0.005, "float16": 0.0005}[dtype]
    assert change(student, small, fresh) < limit
    assert_array_equal(small.classes_, student.classes_)
    report = small.compression_report_
    assert report["method"] == dtype
    assert (report["nbytes_before"], report["nbytes"]) == (student.program_.nbytes, small.program_.nbytes)
    assert report["n_parameters_before"] == student.program_.n_parameters
    if rows == "rows given":
        p, q = student.predict_proba(X), small.predict_proba(X)
        assert (report["rows"], report["n_rows"]) == ("X", len(X))
        assert report["agreement"] == (p.argmax(axis=1) == q.argmax(axis=1)).mean()
        assert_allclose(report["mean_change"], np.abs(p - q).mean(), rtol=1e-9)
        assert_allclose(report["max_change"], np.abs(p - q).max(), rtol=1e-9)
    else:
        assert (report["rows"], report["n_rows"]) == ("drawn", 2000)
        assert 0 < report["mean_change"] < 3 * limit


@pytest.mark.parametrize(("dtype", "share"), [("int8", 0.3), ("float16", 0.55)])
def test_the_file_is_as_small_as_the_weights(tmp_path, dtype, share):
    X, y = mixed_table()
    student = MLPStudent(max_epochs=1, random_state=0).fit(X, y)
    student.export(tmp_path / "float32.skd")
    small = quantize(student, dtype)
    small.export(tmp_path / "small.skd")
    size = (tmp_path / "small.skd").stat().st_size
    assert size <= share * (tmp_path / "float32.skd").stat().st_size
    again = load(tmp_path / "small.skd")
    assert_array_equal(again.predict_proba(X), small.predict_proba(X))


def test_rounding_errors_make_up_for_each_other():
    def to_the_nearest_step(weight):
        step = np.abs(weight).max(axis=0) / 127
        return (np.rint(weight / step) * step).astype(np.float32)

    X, _ = mixed_table()
    student = fitted("mlp", "piecewise", 26)
    held = {LookupAffine: ("weight", "tables"), Affine: ("weight",)}
    plain = Program(
        [
            replace(op, **{name: to_the_nearest_step(getattr(op, name)) for name in held.get(type(op), ())})
            for op in student.program_.ops
        ]
    )
    fresh, _ = mixed_table(2000, seed=1)
    exact = student.program_.logits(fresh)
    off = np.abs(plain.logits(fresh) - exact).mean()
    given, drawn = (np.abs(quantize(student, X=rows).program_.logits(fresh) - exact).mean() for rows in (X, None))
    assert given < 0.5 * off
    assert drawn < 0.5 * off


def test_hidden_units_of_any_size_are_no_loss():
    X, _ = mixed_table()
    student = fitted("mlp", "piecewise", 26)
    encoder, layers, activations = split(student.program_)
    # the same function of the rows, with some units a thousand times smaller
    first, second, *others = layers
    factor = np.where(np.arange(24) % 5 == 0, 1e-3, 1.0).astype(np.float32)
    narrow = {name: getattr(first, name) * factor for name in ("weight", "tables", "bias")}
    layers = [replace(first, **narrow), replace(second, weight=second.weight / factor[:, None]), *others]
    uneven = copy(student)
    uneven.program_ = join(encoder, layers, activations, uneven.program_.ops[-1])
    assert_allclose(uneven.predict_proba(X), student.predict_proba(X), atol=1e-4)
    assert change(student, quantize(uneven, X=X), X) < 0.003


def test_columns_in_units_of_their_own_are_no_loss(cancer):
    # from thousands to thousandths; the scaler is folded into the weights
    student = small_mlp(encoder=StandardScaler()).fit(cancer.X, cancer.y)
    raw = weights(student)[0]
    assert np.abs(raw).max(axis=1).max() > 1000 * np.abs(raw).max(axis=1).min()
    for rows in (cancer.X, None):
        assert change(student, quantize(student, X=rows), cancer.X) < 0.002


def test_a_tree_is_rounded_in_its_leaves_alone():
    student = fitted("tree")
    small = quantize(student)
    (before,), (after,) = ([op for op in one.program_.ops if isinstance(op, Tree)] for one in (student, small))
    assert_array_equal(after.thresholds, before.thresholds)
    assert_allclose(after.values * after.values_scale, before.values, atol=np.abs(before.values).max() / 250)


def test_sparse_rows_are_quantised_too():
    rng = np.random.default_rng(0)
    X = csr_matrix(rng.poisson(0.3, size=(200, 80)).astype(float))
    student = small_mlp().fit(X, np.asarray(X[:, :5].sum(axis=1)).ravel() > 1)
    for rows in (X, None):
        small = quantize(student, X=rows)
        assert change(student, small, X) < 0.01
        assert ("mean_change" in small.compression_report_) == (rows is not None)


def test_a_net_without_inputs_is_quantised():
    X, y = np.ones((50, 2)), np.arange(50) % 3 > 0
    net = small_mlp().fit(X, y)
    assert_allclose(quantize(net, "int8", X).predict_proba(X), net.predict_proba(X), atol=0.01)


def test_a_student_that_is_small_already_can_be_made_smaller_or_larger():
    X, _ = mixed_table()
    student = fitted("mlp", "piecewise")
    once = quantize(student, X=X)
    twice = quantize(once, X=X)
    assert change(student, twice, X) < 0.005
    half = quantize(once, "float16")
    assert {array.dtype for array in weights(half)} == {np.dtype(np.float16)}
    assert not scales(half)
    assert change(once, half, X) < 0.001


def test_what_comes_back_is_of_the_kind_that_was_given(tmp_path, iris, iris_forest):
    model = DistilledClassifier(iris_forest, student="linear").fit(iris.X, iris.y)
    small = quantize(model)
    assert type(small) is LinearStudent
    small.export(tmp_path / "small.skd")
    predictor = quantize(load(tmp_path / "small.skd"), "float16")
    assert type(predictor) is type(load(tmp_path / "small.skd"))
    assert change(model, predictor, iris.X) < 0.005
    # an encoder that runs before the Program stays where it is
    outside = LinearStudent(encoder=as_it_is(StandardScaler())).fit(iris.X, iris.y)
    assert change(outside, quantize(outside, X=iris.X), iris.X) < 0.005


def test_what_cannot_be_quantised_is_refused(iris):
    student = LinearStudent().fit(iris.X, iris.y)
    with pytest.raises(ValueError, match="dtype must be 'int8' or 'float16'; got 'int4'"):
        quantize(student, "int4")
    with pytest.raises(NotFittedError):
        quantize(LinearStudent())
    with pytest.raises(TypeError, match="SVC has no Program"):
        quantize(SVC().fit(iris.X, iris.y))
    X = csr_matrix(iris.X * 1e-6)
    sharp = LinearStudent().fit(X, iris.y)
    with pytest.raises(ValueError, match=r"dtype='float16' holds numbers up to 65504.0, and a weight of this student"):
        quantize(sharp, "float16")
    assert change(sharp, quantize(sharp), X) < 0.01


# ------------------------------------------------------------------------------------------- prune


@pytest.fixture(scope="module")
def net():
    """A net of which half the units are enough, and its rows."""
    X, y = mixed_table()
    return MLPStudent((32, 24), numeric="standard", max_epochs=20, random_state=0).fit(X, y), X


def layers(student):
    return [op for op in student.program_.ops if isinstance(op, Affine | LookupAffine)]


def test_pruning_takes_units_out_and_keeps_the_answers(net, tmp_path, unmoved):
    student, X = net
    before = student.program_.fingerprint()
    small = prune(student, X, keep=0.5, max_epochs=5)
    assert student.program_.fingerprint() == before
    assert [op.weight.shape[1] for op in layers(small)] == [16, 12, 1]
    assert small.hidden_layer_sizes == (16, 12)
    assert student.hidden_layer_sizes == (32, 24)
    fresh, _ = mixed_table(2000, seed=1)
    assert (small.predict(fresh) == student.predict(fresh)).mean() > 0.95
    # 600 rows would not tell as much without those that are mixed of them
    assert change(student, small, fresh) < 0.03
    report = small.compression_report_
    assert report["method"] == "pruned to 16, 12 units"
    assert report["nbytes"] == small.program_.nbytes < 0.6 * report["nbytes_before"]
    assert report["agreement"] == (small.predict(X) == student.predict(X)).mean()
    assert prune(student, X, keep=0.5, max_epochs=5).program_.fingerprint() == small.program_.fingerprint()
    small.export(tmp_path / "small.skd")
    assert_array_equal(load(tmp_path / "small.skd").predict(X), small.predict(X))
    smaller = quantize(small, X=X)
    assert {array.dtype for array in weights(smaller)} == {np.dtype(np.int8)}
    assert change(small, smaller, X) < 0.005
    # the other way round weights are float32 again
    assert {array.dtype for array in weights(prune(smaller, X, max_epochs=1))} == {np.dtype(np.float32)}


def test_half_the_units_leave_at_most_45_percent_of_a_wide_net():
    X = np.random.default_rng(0).normal(size=(200, 300))
    student = MLPStudent((40, 30), numeric="standard", max_epochs=1, random_state=0).fit(X, X[:, 0] > 0)
    small = prune(student, X, keep=0.5, max_epochs=1)
    assert sum(small.hidden_layer_sizes) == 35
    assert small.program_.n_parameters < 0.45 * student.program_.n_parameters
    # few inputs: of each layer the same share
    narrow = MLPStudent((40, 30), numeric="standard", max_epochs=1, random_state=0).fit(X[:, :3], X[:, 0] > 0)
    assert prune(narrow, X[:, :3], keep=0.5, max_epochs=1).hidden_layer_sizes == (20, 15)


def test_the_units_that_matter_stay(net):
    student, X = net
    small = prune(student, X, keep=0.5, max_epochs=1, learning_rate=1e-9)
    # hardly trained: what the layers were fitted to anew is nearly all there is
    assert (small.predict(X) == student.predict(X)).mean() > 0.9
    assert change(student, small, X) < 0.06


def test_keeping_all_units_changes_next_to_nothing(net):
    student, X = net
    small = prune(student, X, keep=1.0, max_epochs=1, learning_rate=1e-9)
    assert_allclose(small.decision_function(X), student.decision_function(X), atol=1e-3)


@pytest.mark.parametrize("numeric", ["quantile", "piecewise"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_every_net_can_be_pruned(numeric, n_classes):
    X, y = mixed_table(n_classes=n_classes)
    student = MLPStudent((16,), numeric=numeric, activation="tanh", max_epochs=10, random_state=0).fit(X, y)
    small = prune(student, X, keep=0.01, max_epochs=1)
    assert [op.weight.shape[1] for op in layers(small)] == [1, max(1, n_classes * (n_classes > 2))]


def test_nets_on_other_rows_can_be_pruned(cancer):
    scaled = small_mlp(encoder=StandardScaler()).fit(cancer.X, cancer.y)
    outside = small_mlp(encoder=as_it_is(StandardScaler())).fit(cancer.X, cancer.y)
    X = csr_matrix(np.random.default_rng(0).poisson(0.3, size=(300, 60)) * 100.0)
    wide = small_mlp().fit(X, np.asarray(X[:, :5].sum(axis=1)).ravel() > 100)
    texts = np.array([["a" * (1 + i % 9)] for i in range(300)], dtype=object)
    lengths = small_mlp(encoder=Lengths(0.1)).fit(texts, np.arange(300) % 9 > 4)
    for student, rows in ((scaled, cancer.X), (outside, cancer.X), (wide, X), (lengths, texts)):
        small = prune(student, rows, keep=0.75, max_epochs=3)
        assert layers(small)[0].weight.shape[1] == 12
        assert (small.predict(rows) == student.predict(rows)).mean() > 0.97
    assert change(scaled, prune(scaled, cancer.X, max_epochs=3), cancer.X) < 0.02


def test_a_teacher_of_any_kind_can_be_asked(iris, named_forest):
    student = small_mlp(max_epochs=5).fit(iris.X, named_forest.classes_[iris.y])
    by_forest = prune(student, iris.X, teacher=named_forest, max_epochs=2)
    others = [
        Reordered(named_forest, [2, 0, 1]),
        named_forest.predict_proba,
        [named_forest, named_forest.predict_proba],
    ]
    for teacher in others:
        again = prune(student, iris.X, teacher=teacher, max_epochs=2)
        assert_allclose(again.predict_proba(iris.X), by_forest.predict_proba(iris.X), atol=1e-5)
    assert change(by_forest, prune(student, iris.X, max_epochs=2), iris.X) > 1e-3
    two = LogisticRegression().fit(iris.X[:100], named_forest.classes_[iris.y[:100]])
    assert prune(student, iris.X, teacher=two, max_epochs=1).predict_proba(iris.X).shape == (150, 3)


def test_a_teacher_of_other_classes_raises(iris, iris_forest):
    student = small_mlp(max_epochs=1).fit(iris.X, iris.y)
    with pytest.raises(NotFittedError, match="LogisticRegression instance is not fitted"):
        prune(student, iris.X, teacher=LogisticRegression())
    with pytest.raises(ValueError, match=r"teacher\'s answers are named \[3\], not among \[0, 1, 2\]"):
        prune(student, iris.X, teacher=Reordered(iris_forest, [0, 1, 2], [0, 1, 3]))
    with pytest.raises(ValueError, match="returned 2 columns; the student has 3"):
        prune(student, iris.X, teacher=lambda X: np.full((len(X), 2), 0.5))
    with pytest.raises(ValueError, match="has no predict_proba"):
        prune(student, iris.X, teacher=SVC().fit(iris.X, iris.y))


@pytest.mark.parametrize("keep", [0, -0.1, 1.1, "half", None, True, float("nan")])
def test_a_share_out_of_range_is_refused(keep, net):
    student, X = net
    with pytest.raises(ValueError, match="keep must be above 0 and at most 1; got"):
        prune(student, X, keep=keep)


def test_what_has_no_hidden_units_is_refused(iris):
    for student in (LinearStudent(), TreeStudent(), small_mlp(hidden_layer_sizes=(), max_epochs=1)):
        student.fit(iris.X, iris.y)
        with pytest.raises(TypeError, match=f"This {type(student).__name__} has no hidden units to prune"):
            prune(student, iris.X)
    with pytest.raises(ValueError, match="X has 3 features, but MLPStudent is expecting 4"):
        prune(small_mlp(max_epochs=1).fit(iris.X, iris.y), iris.X[:, :3])


def test_a_loaded_net_can_be_pruned(net, tmp_path):
    student, X = net
    student.export(tmp_path / "net.skd")
    small = prune(load(tmp_path / "net.skd"), X, max_epochs=2)
    assert_array_equal(small.predict_proba(X), prune(student, X, max_epochs=2).predict_proba(X))


def test_a_level_that_counts_for_nothing_keeps_doing_so():
    X, y = customers(300)
    student = small_mlp(encoder=prepare(), max_epochs=5).fit(X, y)
    small = prune(student, X, keep=0.75, max_epochs=2)
    before, after = layers(student)[0].tables, layers(small)[0].tables
    assert not before.any(axis=1).all()
    assert_array_equal(after.any(axis=1), before.any(axis=1))


def test_levels_that_the_rows_do_not_hold_stay_what_they_were(net):
    student, X = net
    known = X[X["word"].isin(["ann", "zoë", "日本"])]
    small = prune(student, known, keep=1.0, max_epochs=1, learning_rate=1e-9)
    entry = student.program_.ops[0]
    assert isinstance(entry, Columns)
    fresh = wild_rows(X, 500)
    fresh["word"] = "nobody has said that"
    assert_allclose(small.decision_function(fresh), student.decision_function(fresh), rtol=1e-2, atol=1e-2)
