"""The student's own encoder: what becomes of each kind of column, of gaps, outliers, rare and unseen levels."""

import datetime as dt
import tracemalloc
from decimal import Decimal

import numpy as np
import pytest
from helpers import Optional, small_mlp
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from tables_helpers import every_kind

from skdistill import LinearStudent, MLPStudent
from skdistill._sklearn import take_rows
from skdistill.distil._augment import assemble, new_rows
from skdistill.losses import CrossEntropy
from skdistill.program import Indicate, LookupAffine, Piecewise, Quantiles, Standardize, date_part
from skdistill.student import MadeOf, NetTable, fit_encoder
from skdistill.tasks import CLASSES

pa = Optional("pyarrow")
pd = Optional("pandas")

N = 400
fixed = np.random.default_rng(0)
Y = fixed.integers(0, 2, N)
NOISE = fixed.normal(size=N)
DIGITS = fixed.integers(0, 9, N)
GAPS = fixed.random(N) < 0.1
JANUARY = pd.Timestamp("2024-01-01")
DATES = JANUARY + pd.to_timedelta(40 * Y, unit="D")


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def beside_noise(column):
    """Return a frame of a column and one of noise."""
    return pd.DataFrame({"signal": column, "noise": NOISE})


def the_op(student, kind):
    """Return the one op of a kind in a student's program."""
    (found,) = [op for op in student.program_.ops if type(op) is kind]
    return found


def kinds(student):
    """Return what the student reads, by the number of the column."""
    entry = student.program_.ops[0]
    read = {}
    for source, kind in zip(entry.sources, entry.kinds, strict=True):
        read.setdefault(source, []).append(kind)
    return read


def or_missing(values, missing=None):
    """Return values as objects, a tenth of them missing."""
    cells = np.array(values, dtype=object)
    cells[np.resize(GAPS, len(cells))] = missing
    return cells


# what kind a column is


def arrow(values, kind):
    return pd.Series(values, dtype=pd.ArrowDtype(kind))


NUMBERS = {
    "float": lambda: Y + 0.1 * NOISE,
    "float with gaps": lambda: np.where(GAPS, np.nan, Y),
    "float32": lambda: Y.astype(np.float32),
    "float16": lambda: Y.astype(np.float16),
    "int": lambda: 3 * Y,
    "uint8": lambda: Y.astype(np.uint8),
    "bool": lambda: Y == 1,
    "Int64": lambda: pd.array(or_missing(Y), dtype="Int64"),
    "Float64": lambda: pd.array(or_missing(Y / 2), dtype="Float64"),
    "boolean": lambda: pd.array(or_missing(Y == 1), dtype="boolean"),
    "arrow int": lambda: arrow(or_missing(Y), pa.int64()),
    "arrow bool": lambda: arrow(or_missing(Y == 1), pa.bool_()),
    "arrow decimal": lambda: arrow([Decimal(int(one)) for one in Y], pa.decimal128(10, 2)),
    "arrow duration": lambda: arrow([dt.timedelta(int(one)) for one in Y], pa.duration("us")),
    "timedelta": lambda: DATES - JANUARY,
    "timedelta with gaps": lambda: pd.Series(DATES - JANUARY).mask(GAPS),
    "sparse": lambda: pd.arrays.SparseArray(Y.astype(float)),
    "objects, numbers": lambda: or_missing(Y),
    "objects, bools": lambda: or_missing(Y == 1),
    "objects, decimals": lambda: or_missing([Decimal(int(one)) for one in Y]),
    "objects, durations": lambda: or_missing([dt.timedelta(int(one)) for one in Y]),
}
DATETIMES = {
    "datetime, seconds": lambda: DATES.astype("datetime64[s]"),
    "datetime, nanoseconds": lambda: DATES.astype("datetime64[ns]"),
    "datetime with gaps": lambda: pd.Series(DATES).mask(GAPS),
    "time zone": lambda: DATES.tz_localize("Europe/Berlin"),
    "time zone with gaps": lambda: pd.Series(DATES.tz_localize("Europe/Berlin")).mask(GAPS),
    "arrow date": lambda: arrow([one.date() for one in DATES], pa.date32()),
    "arrow time zone": lambda: arrow(DATES.tz_localize("UTC"), pa.timestamp("us", "UTC")),
    "objects, dates": lambda: or_missing([one.date() for one in DATES]),
    "objects, datetimes": lambda: or_missing([one.to_pydatetime() for one in DATES]),
}
CATEGORIES = {
    "str": lambda: np.where(Y, "a", "b"),
    "string": lambda: pd.array(or_missing(np.where(Y, "a", "b")), dtype="string"),
    "category": lambda: pd.Categorical(or_missing(np.where(Y, "a", "b"))),
    "category of ints": lambda: pd.Categorical(np.where(Y, 7, 3)),
    "category of dates": lambda: pd.Categorical(DATES),
    "arrow string": lambda: arrow(or_missing(np.where(Y, "a", "b")), pa.string()),
    "arrow dictionary": lambda: pd.Series(
        pa.array(np.where(Y, "a", "b").tolist()).dictionary_encode(),
        dtype=pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string())),
    ),
    "period": lambda: pd.PeriodIndex(DATES, freq="M"),
    "objects, strings": lambda: pd.Series(or_missing(np.where(Y, "a", "b")), dtype=object),
    "objects, lists": lambda: pd.Series([[1, 2] if one else [3] for one in Y], dtype=object),
}


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        pytest.param(make, kind, id=name)
        for kind, group in (("number", NUMBERS), ("datetime", DATETIMES), ("category", CATEGORIES))
        for name, make in group.items()
    ],
)
def test_a_signal_is_learned_from_a_column_of_any_kind(make, kind):
    X = beside_noise(make())
    student = LinearStudent().fit(X, Y)
    assert kinds(student)[0] == [kind]
    known = X["signal"].notna().to_numpy()
    assert student.score(X[known], Y[known]) > 0.98


def test_a_net_learns_from_every_kind_at_once(rng):
    three = rng.integers(0, 2, (3, 600))
    X = pd.DataFrame(
        {
            "number": or_missing(three[0] + 0.1 * rng.normal(size=600)),
            "date": or_missing(list(JANUARY + pd.to_timedelta(12 * three[1] + rng.integers(0, 12, 600), unit="h"))),
            "level": or_missing(np.where(three[2], "a", "b")),
        }
    )
    y = three.sum(axis=0) > 1
    known = X.notna().all(axis=1).to_numpy()
    net = MLPStudent((16,), max_epochs=15, early_stopping=False, random_state=0).fit(X[:400], y[:400])
    assert net.score(X[400:][known[400:]], y[400:][known[400:]]) > 0.95


def test_an_ordered_category_is_its_levels_and_its_rank(rng):
    sizes = ["xs", "s", "m", "l", "xl"]
    level = rng.integers(0, 5, N)

    def column(ranks):
        return pd.Categorical([sizes[rank] for rank in ranks], categories=sizes, ordered=True)

    # by its levels it can tell the one in the middle from those on both sides
    X = beside_noise(column(level))
    student = LinearStudent().fit(X, (level == 2).astype(int))
    assert kinds(student)[0] == ["category", "rank"]
    assert student.score(X, level == 2) == 1

    # by its rank it knows where a level belongs of which there was no row
    level = level[level != 2]
    X = pd.DataFrame({"size": column(level)})
    student = LinearStudent(C=1.0).fit(X, rng.random(len(level)) < level / 4)
    logits = student.decision_function(pd.DataFrame({"size": column(range(5))}))
    assert logits[1] < logits[2] < logits[3]


@pytest.mark.parametrize(
    ("part", "late"),
    [
        ("month", lambda date: date.month > 6),
        ("day", lambda date: date.day > 15),
        ("weekday", lambda date: date.weekday() > 4),
        ("hour", lambda date: date.hour > 11),
    ],
)
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_a_date_is_its_parts(part, late, zone, rng):
    dates = pd.Series(JANUARY + pd.to_timedelta(rng.integers(0, 3 * 365 * 24, N), unit="h")).dt.tz_localize(zone)
    y = np.array([late(date) for date in dates])
    X = beside_noise(dates)
    assert LinearStudent().fit(X[:300], y[:300]).score(X[300:], y[300:]) > 0.9


@given(st.lists(st.none() | st.datetimes().map(lambda date: date.replace(microsecond=0)), min_size=1, max_size=5))
def test_parts_of_a_date_are_those_of_the_calendar(dates):
    seconds = [np.nan if date is None else (date - dt.datetime(1970, 1, 1)) / dt.timedelta(seconds=1) for date in dates]
    for part, of in (
        ("month", lambda date: date.month),
        ("day", lambda date: date.day),
        ("weekday", lambda date: date.weekday()),
        ("hour", lambda date: date.hour),
        ("time of day", lambda date: (date.hour * 3600 + date.minute * 60 + date.second) / 3600),
        ("day of year", lambda date: dt.datetime(2000, date.month, date.day).timetuple().tm_yday),
    ):
        expected = [np.nan if date is None else of(date) for date in dates]
        assert_array_equal(date_part(np.array(seconds), part), expected)


@pytest.mark.parametrize("midnight", [-62135510400.0, -86400.0, 0.0, 86400.0, 951868800.0, 253402214400.0])
def test_the_last_moment_of_a_day_belongs_to_it(midnight):
    last = np.array([np.nextafter(midnight, -np.inf)])
    assert date_part(last, "hour") == 23
    assert 23.99 < date_part(last, "time of day") <= 24
    assert date_part(last, "weekday") == date_part(np.array([midnight - 1]), "weekday")


def test_a_cycle_begins_anew_after_its_length():
    # in 400 years, the calendar begins anew as well
    seconds = 86400.0 * np.array([0, 1.75, 7, 146097])
    for cycle, share in (("daily", 1), ("weekly", 7), ("yearly", 365.2425)):
        angle = 2 * np.pi * seconds / (86400 * share)
        assert_allclose(date_part(seconds, f"{cycle} sine"), np.sin(angle), atol=1e-6)
        assert_allclose(date_part(seconds, f"{cycle} cosine"), np.cos(angle), atol=1e-6)


def test_parts_of_a_date_that_never_vary_are_left_out():
    def parts(numeric="standard", **step):
        X = beside_noise(JANUARY + np.arange(N) * pd.Timedelta(**step))
        found = LinearStudent(numeric=numeric).fit(X, Y).program_.ops[1].parts
        return [part for part in found if not part.endswith("cosine")]

    yearly, weekly, daily = "yearly sine", "weekly sine", "daily sine"
    assert parts(days=1) == ["month", "day", "weekday", yearly, weekly]
    assert parts(days=1, numeric="piecewise") == ["month", "day", "weekday", "day of year", yearly, weekly]
    assert parts(days=7) == ["month", "day", yearly]
    # of a quarter, no cycle of the year can be learned
    assert parts(hours=5) == ["month", "day", "weekday", "hour", weekly, daily]
    assert parts(seconds=100) == ["time of day", daily]


@pytest.mark.parametrize(
    "student", [LinearStudent(numeric="standard"), LinearStudent(numeric="piecewise"), MLPStudent()]
)
def test_a_date_after_those_of_fit_is_read_as_the_last_of_them(student):
    student = clone(student).fit(beside_noise(DATES), Y)
    last = beside_noise(DATES)[-1:].assign(signal=DATES.max())
    later = last.assign(signal=pd.Timestamp(DATES.max().to_pydatetime().replace(year=DATES.max().year + 400)))
    assert_allclose(student.predict_proba(later), student.predict_proba(last), rtol=1e-6)


def test_a_moment_is_the_same_in_every_time_zone():
    berlin = beside_noise(DATES.tz_localize("Europe/Berlin"))
    student = LinearStudent().fit(berlin, Y)
    elsewhere = berlin.assign(signal=berlin["signal"].dt.tz_convert("Asia/Tokyo"))
    assert_array_equal(student.predict_proba(elsewhere), student.predict_proba(berlin))


@pytest.mark.parametrize(
    "column",
    [
        np.full(N, 3),
        np.full(N, 0.1 + 0.2),
        np.full(N, np.nan),
        ["a"] * N,
        [None] * N,
        pd.Categorical(["a"] * N),
        [JANUARY] * N,
        [pd.NaT] * N,
        pd.array([None] * N, dtype="Int64"),
        np.full(N, True),
    ],
    ids=str,
)
def test_a_column_that_never_varies_is_not_read(column):
    X = beside_noise(column)
    student = LinearStudent().fit(X, Y)
    assert list(kinds(student)) == [1]
    assert_array_equal(student.predict_proba(X.assign(signal="anything")), student.predict_proba(X))


def test_a_table_of_nothing_but_constants_tells_the_share_of_each_class(student):
    X = pd.DataFrame({"a": ["x"] * N, "b": 1.0})
    if isinstance(student, MLPStudent):
        # of all rows, and not of those that are not held out
        student.set_params(early_stopping=False)
    model = student.fit(X, np.arange(N) < 0.75 * N)
    assert_allclose(model.predict_proba(X[:1]), [[0.25, 0.75]], atol=0.02)


# what is missing


@pytest.mark.parametrize(
    "column",
    [
        NOISE,
        pd.array(DIGITS, dtype="Int64"),
        pd.array(NOISE > 0, dtype="boolean"),
        "arrow",
        np.where(NOISE > 0, "a", "b"),
        pd.Categorical(np.where(NOISE > 0, "a", "b")),
        JANUARY + pd.to_timedelta(DIGITS, unit="D"),
        pd.to_timedelta(DIGITS, unit="D"),
        np.full(N, 7.0),
        ["the only level"] * N,
    ],
    ids=lambda column: str(getattr(column, "dtype", column[0])),
)
def test_that_something_is_missing_is_a_signal_too(column):
    column = arrow(DIGITS, pa.int64()) if isinstance(column, str) else column
    X = beside_noise(pd.Series(column).mask(Y == 1))
    student = LinearStudent().fit(X, Y)
    assert student.score(X, Y) == 1


@pytest.mark.parametrize("numeric", ["standard", "quantile", "piecewise"])
@pytest.mark.parametrize("there", [False, True], ids=["none in training", "some in training"])
def test_a_missing_number_counts_as_the_median(numeric, there):
    values = np.exp(NOISE)
    values[:41] = np.nan if there else values[:41]
    X = beside_noise(values)
    student = LinearStudent(numeric=numeric).fit(X, Y)
    row = pd.DataFrame(
        {"signal": [np.nan, np.sort(values[~np.isnan(values)])[(N - 41 * there - 1) // 2]], "noise": 0.3}
    )
    missing, median = student.decision_function(row)
    if there:
        # what is left between the two is the indicator's
        assert_array_equal(the_op(student, Indicate).columns, [0])
        Z = student.program_.ops[0](row)
        for op in student.program_.ops[1:-2]:
            Z = op(Z)
        apart = np.flatnonzero(Z[0] != Z[1])
        assert_array_equal(Z[:, apart], [[1], [0]])
    else:
        assert_allclose(missing, median, atol=1e-12)
        assert not any(type(op) is Indicate for op in student.program_.ops)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT])
def test_every_mark_for_a_gap_is_the_same_gap(missing):
    X = pd.DataFrame({"a": or_missing(NOISE), "b": or_missing(np.where(Y, "x", "y")), "c": or_missing(list(DATES))})
    student = LinearStudent().fit(X, Y)
    rows = X[GAPS].astype(object)
    marked = pd.DataFrame({name: pd.Series([missing] * len(rows), dtype=object) for name in X})
    assert_array_equal(student.predict_proba(marked), student.predict_proba(rows))
    assert_array_equal(student.program_(marked.to_dict("records")), student.predict_proba(rows))


# numbers


def test_outliers_are_squashed(rng):
    x = rng.normal(5, 2, N)
    student = LinearStudent().fit(x[:, None], x + NOISE > 5)
    scale = the_op(student, Standardize)
    deviations = np.array([0, 1, 4, 5, 1000, 1e20])
    zero, one, *far = student.decision_function(scale.mean + scale.scale * deviations[:, None])
    assert_allclose((np.array(far) - zero) / (one - zero), 4 + np.log1p(deviations[2:] - 4), rtol=1e-6)


@pytest.mark.parametrize("numeric", ["standard", "quantile", "piecewise"])
def test_a_few_absurd_numbers_in_training_spoil_little(numeric):
    x = Y + 0.3 * NOISE
    x[:3] = [1e6, -1e6, 1e7]
    student = LinearStudent(numeric=numeric).fit(x[:, None], Y)
    assert student.score(x[3:, None], Y[3:]) > 0.9


def test_half_the_rows_are_far_out_where_the_others_are_equal(rng):
    # what differs from the median is two deviations off in the median, flags are so from each other
    amounts = np.where(np.arange(N) < 80, np.exp(rng.normal(8, 3, N)), 0.0)
    flags, rare = np.arange(N) < 200, np.arange(N) < 10
    scale = the_op(LinearStudent().fit(np.column_stack([amounts, flags, rare]), Y), Standardize)
    # and the less far the fewer rows differ, if these are less than fifty
    assert_allclose(scale.scale, [np.quantile(amounts[:80], 0.5, method="inverted_cdf") / 2, 0.5, 2.5])
    assert_allclose(scale.mean, [0, 0.5, 0.025])


@pytest.mark.parametrize("rare", [1.0, np.nan, 1e9])
def test_among_hundreds_of_columns_those_that_hardly_vary_are_not_read(rare, rng):
    X = rng.normal(size=(N, 400))
    X[:, :7] = np.where(np.arange(N)[:, None] < 4, rare, 0.0)
    X[4, 6] = rare
    with pytest.warns(UserWarning, match="hardly vary and there are hundreds of others: 0; 1; 2; 3; 4; 5. Select"):
        assert list(kinds(LinearStudent().fit(X, Y))) == list(range(6, 400))
    assert list(kinds(LinearStudent().fit(X[:, [0, 7]], Y))) == [0, 1]


def test_a_net_of_many_columns_has_no_bins(rng, tmp_path):
    X = rng.normal(size=(200, 500))
    net = MLPStudent(max_epochs=1).fit(X, Y[:200])
    assert not any(type(op) is Piecewise for op in net.program_.ops)
    net.export(tmp_path / "net.skd")
    assert (tmp_path / "net.skd").stat().st_size < 256 * 1024


@pytest.mark.parametrize("numeric", ["standard", "quantile", "piecewise"])
@pytest.mark.parametrize("values", [[-1, -2e-313, 2e-313, 1], [0, 5e-324, 1e-320, 1e-310], [-1e308, 0, 1e-300, 1e308]])
def test_numbers_of_any_size_in_training(numeric, values):
    x = np.repeat(np.array(values), N // 4)[:, None]
    student = LinearStudent(numeric=numeric).fit(x, Y)
    answers = student.predict_proba([[0.0], [1e-313], [-1e-313], [5e-324], [np.inf], [-np.inf], [np.nan]])
    assert np.isfinite(answers).all()


@pytest.mark.parametrize("numeric", ["standard", "quantile", "piecewise"])
def test_an_encoder_is_fitted_to_some_columns_at_a_time(numeric, rng):
    X = rng.normal(size=(100_000, 12))
    tracemalloc.start()
    try:
        fit_encoder(X, None, numeric=numeric, n_bins="auto", min_frequency=5, max_categories=256)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * X.nbytes


def test_quantiles_are_ranks():
    x = np.exp(3 * NOISE)
    student = LinearStudent(numeric="quantile", C=1.0).fit(x[:, None], Y ^ (x > 1))
    knots = the_op(student, Quantiles).knots[0]
    assert_allclose(np.diff(student.decision_function(knots[:, None]), n=2), 0, atol=1e-6)
    top, beyond = student.decision_function([[knots.max()], [1e9]])
    assert top == beyond


def test_what_is_not_monotone_needs_bins():
    y = np.abs(NOISE) > 0.7
    X = NOISE[:, None]
    assert LinearStudent(numeric="piecewise").fit(X, y).score(X, y) > 0.95
    for numeric in ("standard", "quantile"):
        assert LinearStudent(numeric=numeric).fit(X, y).score(X, y) < 0.7


@pytest.mark.parametrize("n_bins", [2, 5])
def test_n_bins_bounds_the_bins_of_each_column(n_bins, rng):
    X = np.column_stack([NOISE, np.exp(NOISE), rng.integers(0, 2, N)])
    op = the_op(LinearStudent(numeric="piecewise", n_bins=n_bins).fit(X, Y), Piecewise)
    # between two values there is a straight line already
    assert np.bincount(op.columns).tolist() == [n_bins, n_bins]
    assert (op.width > 0).all()


@pytest.mark.parametrize(("n_columns", "n_bins"), [(1, 16), (20, 8), (60, 4), (120, 3)])
def test_columns_share_the_bins_where_none_are_asked_for(n_columns, n_bins, rng):
    X = rng.normal(size=(N, n_columns))
    net = MLPStudent((2,), max_epochs=1, random_state=0).fit(X, Y)
    assert set(np.bincount(the_op(net, Piecewise).columns)) == {n_bins}


def test_what_numeric_auto_stands_for():
    X = NOISE[:, None]
    for student, numeric in ((LinearStudent(), "standard"), (small_mlp(numeric="auto", max_epochs=1), "piecewise")):
        spelled = clone(student).set_params(numeric=numeric)
        assert student.fit(X, Y).program_.fingerprint() == spelled.fit(X, Y).program_.fingerprint()


# categories


def levels(**counts):
    """Return a column with some rows of each level."""
    return np.repeat(list(counts), list(counts.values()))


def asked(student, *cells, name="level"):
    """Return the logit of each cell of a single column."""
    return student.decision_function(pd.DataFrame({name: pd.Series(cells, dtype=object)}))


def test_rare_levels_are_one_and_unseen_ones_count_among_them():
    column = levels(a=60, b=40, c=5, d=4, e=3)
    y = (column > "c").astype(int)
    y[::10] ^= 1
    student = LinearStudent(C=1.0).fit(pd.DataFrame({"level": column}), y)
    a, b, c, d, e, unseen = asked(student, "a", "b", "c", "d", "e", "unseen")
    assert d == e == unseen > 0
    assert len({a, b, c, d}) == 4
    apart = LinearStudent(C=1.0, min_frequency=1).fit(pd.DataFrame({"level": column}), y)
    assert len(set(asked(apart, "a", "b", "c", "d", "e").round(6))) == 5


def test_a_level_or_a_gap_never_seen_counts_as_the_average(layered, rng):
    column = levels(a=30, b=60, c=10)
    y = rng.random(100) < np.where(column == "a", 0.8, 0.3)
    model = clone(layered).fit(pd.DataFrame({"level": column}), y)
    first = the_op(model, LookupAffine)
    at = [model.program_.ops[0].levels[0][level] for level in "abc"]
    average = np.average(first.tables[at], axis=0, weights=[30, 60, 10])
    # the two codes that no row had: another level, and a missing one
    assert_allclose(first.tables[-2:], [average, average], atol=1e-6)
    unseen, *gaps = asked(model, "unseen", None, np.nan)
    assert {unseen} == set(gaps)
    if isinstance(layered, LinearStudent):
        assert_allclose(unseen, np.average(asked(model, "a", "b", "c"), weights=[30, 60, 10]), atol=1e-6)


def test_the_most_frequent_levels_are_kept(rng):
    column = levels(a=10, b=40, c=30, d=20, e=6)
    y = rng.random(len(column)) < 0.5
    student = LinearStudent(max_categories=2).fit(pd.DataFrame({"level": column}), y)
    assert set(student.program_.ops[0].levels[0]) == {"b", "c"}
    assert len(set(asked(student, "a", "d", "e", "unseen"))) == 1


def test_levels_that_differ_in_type_or_case_are_different():
    cells = np.array([1, "1", "a", "A", " a", "é", "e\u0301", ""] * 50, dtype=object)
    y = (np.arange(400) // 50) % 2
    X = pd.DataFrame({"level": np.repeat(cells[:8], 50)})
    student = LinearStudent().fit(X, y)
    assert student.score(X, y) == 1


def test_the_order_of_the_rows_does_not_change_what_is_learned(rng):
    X = pd.DataFrame({"level": rng.choice(list("abcdefgh"), N), "x": or_missing(NOISE), "date": DATES})
    order = rng.permutation(N)
    first, second = (
        LinearStudent(max_categories=4).fit(X.iloc[rows], Y[rows]).program_ for rows in (np.arange(N), order)
    )
    assert first.ops[0].levels == second.ops[0].levels
    assert_allclose(first(X), second(X), atol=1e-5)


def test_a_column_of_thousands_of_levels_stays_small(layered, rng):
    names = np.array([f"level {number}" for number in range(5000)])
    # some are much more frequent than others
    chosen = (5000 * rng.random(20_000) ** 3).astype(int)
    X = pd.DataFrame({"level": names[chosen]})
    y = chosen % 2
    model = clone(layered)
    if isinstance(layered, MLPStudent):
        model.set_params(max_epochs=3, learning_rate=0.02)
    model.fit(X, y)
    first = the_op(model, LookupAffine)
    assert len(first.tables) == 256 + 2
    frequent = chosen < 20
    assert model.score(X[frequent], y[frequent]) > 0.99
    assert model.program_.nbytes < 25_000


def test_sample_weight_is_the_number_of_rows(rng):
    X = pd.DataFrame(
        {
            "x": np.where(GAPS, np.nan, NOISE),
            "level": rng.choice(list("abcdef"), N, p=[0.4, 0.3, 0.2, 0.08, 0.01, 0.01]),
        }
    )
    weight = rng.integers(0, 4, N)
    rows = np.repeat(np.arange(N), weight)
    for numeric in ("standard", "quantile", "piecewise"):
        weighted = LinearStudent(numeric=numeric).fit(X, Y, sample_weight=weight)
        repeated = LinearStudent(numeric=numeric).fit(X.iloc[rows], Y[rows])
        assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-5)


def test_weights_of_any_size_keep_the_levels():
    column = levels(a=200, b=200)
    X = pd.DataFrame({"level": column})
    y = (column == "a").astype(int)
    student = LinearStudent(C=1e6).fit(X, y, sample_weight=np.full(N, 1 / N))
    assert student.score(X, y) == 1


# new rows


@pytest.mark.parametrize("numeric", ["piecewise", "quantile"])
def test_the_encoded_cells_of_new_rows_are_those_of_the_rows_that_they_are_made_of(numeric, rng):
    X, y = every_kind(300)
    X["size"] = pd.Categorical(rng.choice(["s", "m", "l"], 300), ["s", "m", "l"], ordered=True)
    X["price"] = [f"{price:.2f} EUR" for price in rng.random(300)]
    X["note"] = [" ".join(rng.choice(["late", "paid", "call", str(at)], 2)) for at in range(300)]
    y = (y == y[0]).astype(int)
    targets = CLASSES.targets(np.eye(2)[y], np.unique(y), y, loss=CrossEntropy(), alpha=0.5)
    rows = np.sort(rng.permutation(300)[:250])
    given = take_rows(X, rows)
    index, _ = new_rows(given, 400, 0)
    new = assemble(given, index)
    table = NetTable(MLPStudent(numeric=numeric), X, targets)
    encoder, encoded = table._encoder, table._encoded
    assert set(encoder.ops[0].kinds) == {"category", "number", "datetime", "rank", "word"}
    table.add(lambda: new, MadeOf(rows, index))
    whole = encoder.encode(new, dtype=np.float32, above=encoded)
    assert_array_equal(table._encoded.numbers, whole.numbers)
    assert_array_equal(table._encoded.sparse.toarray(), whole.sparse.toarray())
    assert table._encoded.n_encoded == whole.n_encoded
