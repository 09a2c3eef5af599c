"""Wild tables: whatever the columns hold, answers are finite, add up, and do not depend on the company of a row."""

import datetime as dt
import pickle
from decimal import Decimal
from unittest.mock import patch

import numpy as np
import pytest
from helpers import Optional
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skdistill import DistilledClassifier, LinearStudent, MLPStudent, TreeStudent
from skdistill.student import _mlp_training

pd = Optional("pandas")

N_ROWS = 24
#: More than are read cell by cell.
N_FRESH = 12

texts = st.sampled_from(["", " ", "a", "A", "é", "e\u0301", "日本", "nan", "None", "0", "\0"]) | st.text(max_size=3)
floats = st.floats(allow_infinity=False)
wild_floats = st.floats() | st.sampled_from([np.inf, -np.inf, 1e308, -1e308, 5e-324, -0.0])
ints = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3)
dates = st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1)) | st.datetimes()
durations = st.timedeltas(dt.timedelta(days=-99_999), dt.timedelta(days=99_999))
zones = st.just(dt.UTC) | st.integers(-12, 12).map(lambda hours: dt.timezone(dt.timedelta(hours=hours)))
gap = st.none()
any_gap = st.deferred(lambda: st.sampled_from([None, np.nan, pd.NA, pd.NaT]))
numbers = st.booleans() | ints | floats | st.decimals(allow_nan=False, allow_infinity=False, places=2)
learnable = (
    any_gap | texts | ints | floats | st.booleans() | dates | st.dates() | st.tuples(ints) | st.binary(max_size=2)
)
anything = learnable | wild_floats

#: For each kind of column the cells in training, those at prediction, and the dtype in training.
KINDS = {
    "int": (ints, any_gap | wild_floats | st.integers(), "int64"),
    "small int": (st.integers(0, 2), any_gap | wild_floats | st.integers(-9, 9), "uint8"),
    "float": (floats, any_gap | wild_floats, "float64"),
    "float32": (st.floats(width=32, allow_infinity=False), wild_floats | gap, "float32"),
    "tiny": (st.sampled_from([0.0, 5e-324, 1e-310, 1e-160, 1e-40]), wild_floats, "float64"),
    "huge": (st.sampled_from([0.0, 1e308, -1e308, 1e200]), wild_floats, "float64"),
    "bool": (st.booleans(), any_gap | st.booleans() | wild_floats, "bool"),
    "Int64": (gap | ints, any_gap | ints | wild_floats, "Int64"),
    "boolean": (gap | st.booleans(), any_gap | st.booleans(), "boolean"),
    "text": (gap | texts, anything, "str"),
    "string": (gap | texts, anything, "string"),
    "category": (gap | texts, anything, "category"),
    "category of numbers": (gap | ints, anything, "category"),
    "ordered": (
        gap | st.sampled_from("abc"),
        anything | st.sampled_from("abcd"),
        "ordered",
    ),
    "date": (gap | dates, any_gap | dates | st.dates(), "datetime64[us]"),
    "date and zone": (
        gap | st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1), timezones=st.just(dt.UTC)),
        any_gap | st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1), timezones=zones),
        "datetime64[us, UTC]",
    ),
    "duration": (gap | durations, any_gap | durations, "timedelta64[us]"),
    "objects, numbers": (any_gap | numbers, any_gap | numbers | wild_floats, object),
    "objects, dates": (any_gap | dates | st.dates(), any_gap | dates, object),
    "objects, durations": (any_gap | durations, any_gap | durations, object),
    "objects": (learnable, anything, object),
}


def column(cells, dtype):
    """Return cells as a column of a type, as objects where the type is None."""
    if dtype == "ordered":
        dtype = pd.CategoricalDtype(list("dcba"), ordered=True)
    if dtype in ("str", object, None):
        # of objects, pandas is not to guess what they might be
        held = pd.Series(cells, dtype=object)
        return held.astype("str") if dtype == "str" and held.notna().any() else held
    return pd.Series(cells, dtype=dtype)


@st.composite
def tables(draw):
    """Return training rows, their labels, and fresh rows as lists of cells by column."""
    names = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=4, unique=True))
    train, fresh = {}, {}
    for name in names:
        seen, asked, dtype = KINDS[name]
        train[name] = column(draw(st.lists(seen, min_size=N_ROWS, max_size=N_ROWS)), dtype)
        fresh[name] = draw(st.lists(seen | asked, min_size=N_FRESH, max_size=N_FRESH))
    return pd.DataFrame(train), np.arange(N_ROWS) % draw(st.integers(2, 3)), fresh


def bearable(student, X, fresh):
    """Return fresh rows as a frame and as dicts, without what a column of numbers or dates would refuse."""
    entry = student.program_.ops[0]
    kinds = dict(zip(entry.sources, entry.kinds, strict=True))
    columns = {}
    for index, (name, cells) in enumerate(fresh.items()):
        # objects that all turned out to be numbers or dates
        if name == "objects" and kinds.get(index) in ("number", "datetime"):
            cells = X[name].tolist()[:N_FRESH]
        columns[name] = cells
    frame = pd.DataFrame({name: column(cells, None) for name, cells in columns.items()})
    return frame, [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


#: What a fit says of columns that it cannot read as they are.
OF_COLUMNS = pytest.mark.filterwarnings("ignore:(Not used|Texts are read|Cells unlike|Read as texts|Column .* holds)")


def check(student, rows, records=None):
    """Check the answers for some rows against all that must be true of them."""
    answers = student.predict_proba(rows)
    n_rows = len(answers)
    assert answers.shape == (rows.shape[0], len(student.classes_))
    assert np.isfinite(answers).all()
    assert (answers >= 0).all()
    same = {"rtol": 0, "atol": 1e-12}
    assert_allclose(answers.sum(axis=1), 1, **same)
    take = rows.iloc.__getitem__ if hasattr(rows, "iloc") else rows.__getitem__
    order = np.random.default_rng(0).permutation(n_rows)
    assert_allclose(student.predict_proba(take(order)), answers[order], **same)
    for size in (1, 5):
        parts = [student.predict_proba(take(slice(i, i + size))) for i in range(0, n_rows, size)]
        assert_allclose(np.vstack(parts), answers, **same)
    repeated = student.predict_proba(take(np.tile(np.arange(n_rows), 100)))
    assert_allclose(repeated, np.tile(answers, (100, 1)), **same)
    if records is not None:
        assert_allclose(student.program_(records), answers, **same)
        assert_allclose(student.program_(records[0]), answers[:1], **same)
    assert_array_equal(pickle.loads(pickle.dumps(student)).predict_proba(rows), answers)
    assert np.isfinite(student.predict_log_proba(rows)).all()


@OF_COLUMNS
@pytest.mark.filterwarnings("ignore:LinearStudent did not converge")
@given(tables(), st.sampled_from(["standard", "quantile", "piecewise"]))
def test_a_linear_student_of_any_table(table, numeric):
    X, y, fresh = table
    student = LinearStudent(max_iter=20, numeric=numeric, min_frequency=2).fit(X, y)
    check(student, X)
    check(student, *bearable(student, X, fresh))


@OF_COLUMNS
@settings(max_examples=8)
@given(tables(), st.sampled_from(["standard", "quantile", "piecewise"]))
def test_a_net_of_any_table(table, numeric):
    X, y, fresh = table
    net = MLPStudent((4,), max_epochs=2, numeric=numeric, min_frequency=2, random_state=0).fit(X, y)
    check(net, X)
    check(net, *bearable(net, X, fresh))


@OF_COLUMNS
@settings(max_examples=25)
@given(tables(), st.sampled_from([1, 3]))
def test_a_tree_of_any_table(table, min_samples_leaf):
    X, y, fresh = table
    tree = TreeStudent(min_samples_leaf=min_samples_leaf, min_frequency=2, random_state=0).fit(X, y)
    check(tree, X)
    check(tree, *bearable(tree, X, fresh))


@OF_COLUMNS
@pytest.mark.filterwarnings("ignore:LinearStudent did not converge")
@settings(max_examples=30)
@given(
    arrays(float, (N_ROWS, 3), elements=floats),
    arrays(float, (N_FRESH, 3), elements=wild_floats),
    st.sampled_from(["standard", "quantile", "piecewise"]),
)
def test_any_array_of_numbers(X, fresh, numeric):
    for student in (LinearStudent(max_iter=20, numeric=numeric), TreeStudent(min_samples_leaf=1)):
        student.fit(X, np.arange(N_ROWS) % 2)
        check(student, X)
        check(student, fresh, [dict(enumerate(row)) for row in fresh.tolist()])
        check(student, fresh.astype(object))


@pytest.mark.filterwarnings("ignore:LinearStudent did not converge")
@settings(max_examples=30)
@given(
    arrays(
        float, (N_ROWS, 3), elements=st.just(0.0) | st.floats(allow_infinity=False, allow_nan=False), fill=st.just(0.0)
    ),
    arrays(float, (N_FRESH, 3), elements=st.just(0.0) | wild_floats, fill=st.just(0.0)),
)
def test_any_sparse_matrix(X, fresh):
    tree = TreeStudent(min_samples_leaf=1).fit(sparse.csr_array(X), np.arange(N_ROWS) % 2)
    student = LinearStudent(max_iter=20).fit(sparse.csr_array(X), np.arange(N_ROWS) % 2)
    for one in (tree, student):
        check(one, sparse.csr_array(X))
        check(one, sparse.csr_array(fresh))
    # huge numbers cancel to whatever the order of the sum leaves of them
    fresh = np.clip(fresh, -1e3, 1e3)
    assert_allclose(student.predict_proba(fresh), student.predict_proba(sparse.csr_array(fresh)), rtol=0, atol=1e-12)


#: Cells of every kind, made of a row's number, which may stand in one untyped column.
CELLS = {
    "whole numbers": lambda i: i % 50,
    "floats": lambda i: i * 0.37,
    "huge numbers": lambda i: 10**400 * (-1) ** i,
    "infinity": lambda i: np.inf,
    "decimals": lambda i: Decimal(i) / 7,
    "booleans": lambda i: i % 2 == 0,
    "levels": lambda i: "abc"[i % 3],
    "many levels": lambda i: f"no{i}a",
    "prices": lambda i: f"${1000 + 7 * i:,}.50",
    "codes": lambda i: f"0{i}",
    "texts": lambda i: f"some {'red' if i % 3 else 'blue'} thing, item{i}x",
    "dates": lambda i: dt.date(2020, 1, 1) + dt.timedelta(i),
    "times": lambda i: dt.datetime(2020, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=i),
    "written dates": lambda i: f"{i % 28 + 1}/{i % 12 + 1}/2021",
    "ISO dates": lambda i: f"2021-0{i % 9 + 1}-11 10:{i % 60:02}",
    "spans": lambda i: dt.timedelta(minutes=i),
    "tuples": lambda i: (i % 3, "a"),
    "lists": lambda i: [i % 4],
    "bytes": lambda i: b"ab"[: i % 3],
    "missing": lambda i: None,
    "NaN": lambda i: float("nan"),
    "NaT": lambda i: pd.NaT,
    "NA": lambda i: pd.NA,
    "empty": lambda i: "",
}


@OF_COLUMNS
@settings(max_examples=40)
@given(st.sampled_from(list(CELLS)), st.sampled_from(list(CELLS)), st.sampled_from([1, 4, 40]), st.booleans())
def test_a_column_of_two_kinds_is_learned_or_refused_before_any_training(one, other, n_other, unlabeled):
    n_rows = 80
    places = set(np.random.default_rng(n_other).permutation(n_rows)[:n_other].tolist())
    cells = [CELLS[other if row in places else one](row) for row in range(n_rows)]
    X = pd.DataFrame({"mixed": pd.Series(cells, dtype=object), "number": np.arange(n_rows) % 7})
    p = np.where(np.arange(n_rows) % 2, 0.8, 0.3) + np.linspace(0, 0.1, n_rows)
    more = {"X_unlabeled": X[::2]} if unlabeled else {}
    if unlabeled:
        p = np.append(p, p[::2])
    model = DistilledClassifier(student=MLPStudent((4,), max_epochs=1), random_state=0)
    with patch.object(_mlp_training, "train_nets", wraps=_mlp_training.train_nets) as train:
        refused = ""
        try:
            model.fit(X, np.arange(n_rows) % 2, teacher_proba=np.column_stack([1 - p, p]), **more)
        except ValueError as error:
            refused = str(error)
    if refused:
        assert "mixed" in refused
        assert not train.called
        return
    answers = model.predict_proba(X)
    assert np.isfinite(answers).all()
    assert_allclose(np.vstack([model.predict_proba(X[at : at + 1]) for at in range(n_rows)]), answers, atol=1e-6)
