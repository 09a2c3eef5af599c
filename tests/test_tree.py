"""The op Tree and TreeStudent: where a row goes, what a leaf answers, limits, categories, gaps, text."""

import numpy as np
import pytest
from helpers import Optional
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.optimize import minimize
from sklearn.datasets import make_classification
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor
from tables_helpers import customers, every_kind, prepare

from skdistill import DistilledClassifier, TreeStudent
from skdistill.losses import CrossEntropy, Targets, softmax
from skdistill.program import Tree
from skdistill.tasks import CLASSES

pd = Optional("pandas")

F32, I64 = np.float32, np.int64


def tree(columns, thresholds, missing_left, left, right, values, offsets=(), ranks=(), **more):
    return Tree(
        np.array(offsets, I64),
        np.array(ranks, F32),
        np.array(columns, I64),
        np.array(thresholds, F32),
        np.array(missing_left, bool),
        np.array(left, I64),
        np.array(right, I64),
        np.array(values),
        **more,
    )


def the_tree(student):
    (found,) = [op for op in student.program_.ops if isinstance(op, Tree)]
    return found


@pytest.fixture(scope="module")
def soft_rows():
    """600 rows, 6 columns, soft targets over 3 classes, and labels drawn from them."""
    X, _ = make_classification(600, 6, n_informative=4, random_state=0)
    rng = np.random.default_rng(0)
    P = softmax(2 * np.column_stack([X[:, 0], X[:, 1] * X[:, 2], X[:, 3]]))
    return X, P, (P.cumsum(axis=1) > rng.random((600, 1))).argmax(axis=1)


# the op


@pytest.mark.parametrize("times", [1, 20])
def test_a_row_goes_by_the_rank_of_its_code_by_its_number_or_by_its_gap(times):
    # codes 0, 1, 2 in one column, 0, 1 in another; then a number
    op = tree(
        [1, 0, 2], [0.5, 1.0, 7.5], [False, False, True], [1, ~0, ~2], [2, ~1, ~3], np.eye(4), (0, 3), (2, 0, 1, 1, 0)
    )
    rows = {(0, 1, 0.0): 1, (1, 1, 0.0): 0, (2, 1, 9.0): 0, (0, 0, 7.5): 2, (1, 0, 7.6): 3, (1, 0, np.nan): 2}
    X = np.array(list(rows) * times)
    assert_array_equal(op.leaves(X), list(rows.values()) * times)
    assert_array_equal(op(X), np.eye(4)[list(rows.values()) * times])
    others = tree([2], [7.5], [False], [~0], [~1], np.eye(2), (0, 3), (2, 0, 1, 1, 0))
    assert_array_equal(others.leaves(np.array([[0, 0, np.nan]] * times)), [1] * times)


def test_numbers_are_compared_as_float32():
    rng = np.random.default_rng(0)
    largest = np.finfo(F32).max
    for threshold in [*rng.normal(size=40).astype(F32), F32(0), F32(1e-45), F32(16777217), largest, -largest]:
        op = tree([0], [threshold], [False], [~0], [~1], np.eye(2))
        with np.errstate(over="ignore"):
            near = [np.nextafter(threshold, F32(to)).astype(float) for to in (np.inf, -np.inf)]
            halves = [(float(threshold) + other) / 2 for other in near if np.isfinite(other)]
            around = [np.nextafter(half, to) for half in halves for to in (-np.inf, np.inf)]
            X = np.array([float(threshold), *near, *halves, *around, 1e300, -1e300])[:, None]
            told = ~(X[:, 0].astype(F32) <= threshold)
        assert_array_equal(op.leaves(X), told)
        assert_array_equal(op.leaves(np.tile(X, (9, 1))), np.tile(told, 9))


@pytest.mark.parametrize("n_rows", [1, 50])
def test_a_tree_may_be_a_single_leaf_and_its_values_small_whole_numbers(n_rows):
    op = tree([], [], [], [], [], np.array([[3, -50]], np.int8), values_scale=np.array([0.5, 0.01], F32))
    assert_allclose(op(np.zeros((n_rows, 2))), [[1.5, -0.5]] * n_rows, rtol=1e-6)


# what is learned


@pytest.mark.parametrize("n_classes", [2, 3])
def test_without_smoothing_it_is_the_regression_tree_on_the_probabilities(n_classes, soft_rows):
    X, P, _ = soft_rows
    P = P if n_classes == 3 else np.column_stack([P[:, 0], 1 - P[:, 0]])
    student = TreeStudent(30, min_samples_leaf=7, smoothing=0).fit(X, P)
    known = DecisionTreeRegressor(max_leaf_nodes=30, min_samples_leaf=7).fit(X, P)
    assert student.n_leaves_ == known.get_n_leaves() == 30
    assert_allclose(student.predict_proba(X), known.predict(X), atol=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 3.0, 0.5])
@pytest.mark.parametrize("alpha", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_leaf_answers_what_minimises_the_loss_in_it(temperature, alpha, n_classes, soft_rows):
    X, P, y = soft_rows
    if n_classes == 2:
        P, y = np.column_stack([P[:, 0], 1 - P[:, 0]]), np.minimum(y, 1)
    weight = np.random.default_rng(0).uniform(0.5, 2, 600)
    # some rows have no label
    labels = np.where(np.arange(600) % 3 == 0, -1, y)
    targets = Targets(P, labels, weight, alpha, CrossEntropy(temperature), CLASSES, np.arange(n_classes))
    student = TreeStudent(5, min_samples_leaf=30, smoothing=0, class_weight={1: 3.0}).fit_targets(X, targets)
    terms = targets.terms(600, {1: 3.0})
    leaves = the_tree(student).leaves(student.program_.ops[0](X))
    values = the_tree(student).values.astype(float)
    for leaf in range(5):
        inside = terms.take(leaves == leaf)
        rows = np.ones((len(inside.labels), 1))
        best = minimize(lambda z, of=inside, rows=rows: of.value_and_gradient(rows * z)[0], values[leaf], tol=1e-10)
        assert_allclose(softmax([values[leaf]]), softmax([best.x]), atol=1e-4)


def test_the_temperature_softens_the_answers_but_not_the_tree_that_is_learned_from_one_leaf(soft_rows):
    X, P, _ = soft_rows
    answers = [
        TreeStudent(2, smoothing=0)
        .fit_targets(X * 0, Targets(P, None, loss=CrossEntropy(T), task=CLASSES, classes=np.arange(3)))
        .predict_proba(X[:1])
        for T in (1.0, 4.0)
    ]
    assert_allclose(answers[0][0], P.mean(axis=0), atol=1e-6)
    assert abs(answers[0] - answers[1]).max() > 0.01


def test_smoothing_shrinks_a_leaf_towards_what_is_above_it():
    X = np.repeat([0.0, 1.0], [10, 90])[:, None]
    y = (X[:, 0] > 0).astype(int)

    def answers(smoothing):
        return TreeStudent(smoothing=smoothing).fit(X, y).predict_proba([[0.0], [1.0]])[:, 1]

    # the root is shrunk towards a half, and the leaves towards the root
    root = (90 + 10 * 0.5) / 110
    assert_allclose(answers(10), [10 * root / 20, (90 + 10 * root) / 100], rtol=1e-6)
    assert_allclose(answers(1e9), [0.5, 0.5], atol=1e-3)
    sure = answers(0)
    assert 0 < sure[0] < 2e-6
    assert 1 - 2e-6 < sure[1] < 1


def test_categories_are_split_by_their_mean_target():
    rng = np.random.default_rng(0)
    level = rng.integers(0, 20, 4000)
    share = rng.permutation(np.r_[np.linspace(0.05, 0.3, 10), np.linspace(0.7, 0.95, 10)])
    y = rng.random(4000) < share[level]
    X = pd.DataFrame({"level": pd.Categorical([f"level {number}" for number in level])})
    student = TreeStudent(2).fit(X, y)
    goes_right = student.predict(pd.DataFrame({"level": [f"level {number}" for number in range(20)]}))
    assert_array_equal(goes_right, share > 0.5)
    # three classes, each of whose levels lie apart from the others'
    of_class = np.arange(20) % 3
    student = TreeStudent(3, smoothing=0).fit(X, of_class[level])
    assert student.score(X, of_class[level]) == 1


def test_a_level_never_seen_takes_the_average_place():
    level = np.repeat(["a", "b", "c"], [30, 60, 10])
    y = np.tile([0, 1], 50)
    student = TreeStudent().fit(pd.DataFrame({"level": level}), y)
    codes = student.program_.ops[0].levels[0]
    ranks = the_tree(student).ranks
    average = np.average(ranks[[codes[one] for one in "abc"]], weights=[30, 60, 10])
    assert_allclose(ranks[-2:], [average, average], rtol=1e-6)
    assert sorted(ranks[:3]) == [0, 1, 2]


def test_a_missing_number_goes_where_it_belongs():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 2))
    gone = rng.random(600) < 0.3
    y = (X[:, 0] > 1) | gone
    X[gone, 0] = np.nan
    student = TreeStudent(smoothing=1, random_state=0).fit(X, y)
    assert student.score(X, y) > 0.99
    assert student.predict([[np.nan, 0.0]]) == [True]
    # and may be told from all others
    student = TreeStudent(2).fit(np.where(gone, np.nan, 1.0)[:, None], gone)
    rows = [[np.nan], [1.0], [-1e30], [1e300]]
    assert_array_equal(student.program_(np.array(rows)).argmax(axis=1), [1, 0, 0, 0])
    assert student.export_text().splitlines()[::2] == ["|--- column 0 known", "|--- column 0 missing"]
    # where training had no gap, it goes with the larger part
    student = TreeStudent(2).fit(np.arange(100.0)[:, None], np.arange(100) > 29)
    assert student.predict([[np.nan]]) == [True]


def test_a_column_of_any_scale_is_split_alike(soft_rows):
    X, P, _ = soft_rows
    plain = TreeStudent(random_state=0).fit(X, P).predict_proba(X)
    scaled = TreeStudent(random_state=0).fit(X * 1e-12, P).predict_proba(X * 1e-12)
    assert_allclose(scaled, plain, atol=1e-12)


def test_sparse_rows_are_split_like_dense_ones():
    rng = np.random.default_rng(0)
    X = sparse.random(500, 300, 0.1, format="csr", random_state=0, data_rvs=lambda n: rng.normal(size=n))
    y = np.asarray(X[:, :3].sum(axis=1)).ravel() > 0
    few, many = (TreeStudent(16, random_state=0).fit(rows, y) for rows in (X, X.toarray()))
    assert few.score(X, y) > 0.85
    assert_allclose(few.predict_proba(X), many.predict_proba(X.toarray()), atol=1e-6)
    assert_array_equal(few.predict_proba(X[:1]), few.predict_proba(X)[:1])
    assert_array_equal(few.predict_proba(X.toarray()), few.predict_proba(X))


# limits


def test_the_limits_are_kept(soft_rows):
    X, P, _ = soft_rows
    free = TreeStudent(None, min_samples_leaf=1).fit(X, P)
    assert free.n_leaves_ > 256
    assert TreeStudent(None, min_samples_leaf=1, max_depth=3).fit(X, P).n_leaves_ == 8
    student = TreeStudent(None, min_samples_leaf=40).fit(X, P)
    assert np.bincount(the_tree(student).leaves(X)).min() >= 40


def test_a_row_of_weight_two_is_two_rows_in_a_leaf_and_a_light_one_is_one(soft_rows):
    X, P, _ = soft_rows
    counts = np.random.default_rng(0).integers(1, 4, 600)
    weighted = TreeStudent(random_state=0).fit(X, P, sample_weight=counts)
    repeated = TreeStudent(random_state=0).fit(np.repeat(X, counts, axis=0), np.repeat(P, counts, axis=0))
    assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-6)
    light = TreeStudent(min_samples_leaf=40).fit(X, P, sample_weight=np.full(600, 0.01))
    assert np.bincount(the_tree(light).leaves(X)).min() >= 40


def test_the_order_of_the_rows_does_not_change_a_byte():
    X, y = every_kind(400)
    P = np.column_stack([0.9 - 0.8 * y, 0.1 + 0.8 * y])
    for target in (y, P):
        prints = set()
        for seed in range(3):
            rows = np.random.default_rng(seed).permutation(400)
            student = TreeStudent(random_state=0).fit(X.iloc[rows], target[rows])
            prints.add(student.program_.fingerprint())
        assert len(prints) == 1


# its place in the world


def test_a_distilled_tree_takes_rows_in_every_form():
    X, _ = every_kind(500)

    def teacher(X):
        p = 0.1 + 0.8 * (X["plan"] == "month").to_numpy()
        return np.column_stack([1 - p, p])

    model = DistilledClassifier(teacher, student="tree", alpha=1, random_state=0).fit(X)
    proba = model.predict_proba(X)
    assert abs(proba - teacher(X)).mean() < 0.05
    assert model.program_.nbytes < 32 * 1024
    rows = X.head(4)
    assert_array_equal(model.predict_proba(rows), proba[:4])
    dicts = [{name: row[name] for name in X.columns} for _, row in rows.iterrows()]
    assert_allclose(model.program_(dicts), proba[:4], atol=1e-12)
    unseen = {**dicts[0], "city": "Nowhere", "plan": None, "since": None, "age": np.nan}
    assert np.isfinite(model.program_(unseen)).all()


def test_a_users_encoder_stands_in_front_of_the_tree():
    X, y = customers(400)
    student = TreeStudent(encoder=prepare(), random_state=0).fit(X, y)
    assert not hasattr(student, "encoder_")
    assert student.score(X, y) > 0.75
    rough = TreeStudent(encoder=StandardScaler(), random_state=0).fit(X[["visits"]], y)
    assert "visits <= " in rough.export_text()


# as text


def test_the_tree_as_text():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "city": rng.choice(["Lima", "Oslo", "Rome"], 900),
            "age": rng.integers(20, 60, 900),
            "since": pd.Timestamp("2020-03-01") + pd.to_timedelta(rng.integers(0, 300, 900), "D"),
        }
    )
    late = X["since"] >= "2020-07-15"
    y = np.where((X["city"] == "Oslo") & (X["age"] > 39), "buys", np.where((X["city"] == "Lima") & late, "asks", "no"))
    student = TreeStudent(smoothing=1, random_state=0).fit(X, y)
    text = student.export_text()
    for line in (
        "age <= 39.5",
        "age > 39.5 or missing",
        "city in [Oslo",
        "since <= 2020-07-1",
        "buys: 1.00",
    ):
        assert f"|--- {line}" in text
    assert sum(": " in line for line in text.splitlines()) == student.n_leaves_
    first, below, *_ = student.export_text(max_depth=1).splitlines()
    assert first in text
    assert below == "|   |--- ..."
    with pytest.raises(NotFittedError, match="This TreeStudent instance is not fitted yet"):
        TreeStudent().export_text()
