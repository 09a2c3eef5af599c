"""Change points: where the target of a regressor differs within a narrow range of a column, bins resolve it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skdistill import DistilledRegressor, LinearStudentRegressor, MLPStudentRegressor
from skdistill.program import Piecewise

N_ROWS = 3000
HOLIDAYS = (1, 185, 359)


def calendar(seed=0, noise=0.3):
    """Return days of the year and temperatures, and sales that bend with both and fall on holidays."""
    rng = np.random.default_rng(seed)
    day, degrees = rng.integers(1, 366, N_ROWS), rng.normal(15, 8, N_ROWS)
    # some years of days
    day[:60] = np.resize(HOLIDAYS, 60)
    y = np.sin(day / 58) + 0.02 * degrees - 4.0 * np.isin(day, HOLIDAYS) + noise * rng.normal(size=N_ROWS)
    return np.column_stack([day, degrees]), y


def edges(student):
    """Return where the bins of each column begin, in the column's unit."""
    standardize = next(op for op in student.program_.ops if hasattr(op, "fill") and hasattr(op, "mean"))
    bins = next(op for op in student.program_.ops if isinstance(op, Piecewise))
    at = bins.columns - standardize.start
    return at, bins.lower * standardize.scale[at] + standardize.mean[at]


def error(student, X, y):
    """Return the root of the mean square of what a student is off on holidays."""
    on = np.isin(X[:, 0], HOLIDAYS)
    return float(np.sqrt(np.mean((student.predict(X[on]) - y[on]) ** 2)))


@pytest.mark.parametrize(
    "student", [LinearStudentRegressor(numeric="piecewise"), MLPStudentRegressor((32,), random_state=0)], ids=repr
)
def test_holidays_are_learnt(student):
    X, y = calendar()
    student.fit(X, y)
    X_new, y_new = calendar(1, noise=0.0)
    assert error(student, X_new, y_new) < 0.5
    # bins that the user asks for are between quantiles, too wide for a day
    assert error(student.set_params(n_bins=16).fit(X, y), X_new, y_new) > 2.0


def test_holidays_are_learnt_from_the_dates_of_several_years():
    # in a leap year, Christmas is a day later in the year
    pd = pytest.importorskip("pandas")
    day = pd.Series(pd.date_range("2017-01-01", "2024-12-31"))
    holiday = ((day.dt.month == 12) & (day.dt.day == 25)).to_numpy()
    y = np.sin(day.dt.day_of_year / 58) - 4.0 * holiday + 0.3 * np.random.default_rng(0).normal(size=len(day))
    student = LinearStudentRegressor(numeric="piecewise").fit(day.to_frame("day"), y)
    assert_allclose(student.predict(day[holiday].to_frame("day")), y[holiday], atol=1.5)


def test_a_teachers_change_points_are_learnt_without_labels():
    X, _ = calendar()
    X_new, y_new = calendar(1, noise=0.0)

    def teacher(rows):
        return np.sin(rows[:, 0] / 58) + 0.02 * rows[:, 1] - 4.0 * np.isin(rows[:, 0], HOLIDAYS)

    student = DistilledRegressor(teacher, student=LinearStudentRegressor(numeric="piecewise")).fit(X)
    assert error(student, X_new, y_new) < 0.5


def test_a_change_point_is_a_bin_from_the_last_value_outside_to_the_first_inside():
    X, y = calendar()
    columns, lower = edges(LinearStudentRegressor(numeric="piecewise").fit(X, y))
    days = lower[columns == 0]
    for holiday in HOLIDAYS[1:]:
        for edge in (holiday - 1, holiday, holiday + 1):
            assert np.abs(days - edge).min() < 1e-3
    # degrees have no change points
    without = LinearStudentRegressor(numeric="piecewise", n_bins=16).fit(X, y)
    assert np.count_nonzero(edges(without)[0] == 1) == np.count_nonzero(columns == 1)


@pytest.mark.parametrize("seed", range(5))
def test_noise_and_smooth_curves_have_no_change_points(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2000, 5))
    X[:, 1] = np.round(X[:, 1], 1)
    # heavy tails, and more noise to one side
    y = np.abs(X[:, 0]) + X[:, 1] ** 2 + rng.standard_t(3, size=2000) * (1 + (X[:, 2] > 1))
    found, asked = (LinearStudentRegressor(numeric="piecewise", n_bins=n).fit(X, y) for n in ("auto", 16))
    assert_allclose(edges(found)[1], edges(asked)[1])


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_what_rows_weigh_counts_beside_the_others(scale):
    X, y = calendar()
    student = LinearStudentRegressor(numeric="piecewise")
    # a row of weight zero is none, and what all weigh makes no row more
    weight = np.where(np.arange(N_ROWS) < 2000, scale, 0.0)
    lower = edges(student.fit(X, y, sample_weight=weight))[1]
    assert_allclose(lower, edges(student.fit(X[:2000], y[:2000]))[1])
    assert len(lower) > 2 * 16


def test_a_few_heavy_rows_are_no_change_point():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 3))
    y, weight = rng.normal(size=2000), np.where(rng.random(2000) < 0.01, 200.0, 1.0)
    found, asked = (
        LinearStudentRegressor(numeric="piecewise", n_bins=n).fit(X, y, sample_weight=weight) for n in ("auto", 16)
    )
    assert_allclose(edges(found)[1], edges(asked)[1])


def test_rows_that_weigh_next_to_nothing_are_no_trouble():
    X, y = calendar()
    weight = np.where(np.arange(N_ROWS) % 2, 10.0 ** -(np.arange(N_ROWS) % 300), 1e5)
    student = LinearStudentRegressor(numeric="piecewise").fit(X, y, sample_weight=weight)
    assert error(student, *calendar(1, noise=0.0)) < 0.5


def test_any_output_may_have_change_points():
    X, y = calendar()
    smooth = X[:, 1] + np.random.default_rng(2).normal(size=N_ROWS)
    both = LinearStudentRegressor(numeric="piecewise").fit(X, np.column_stack([smooth, y]))
    alone = LinearStudentRegressor(numeric="piecewise").fit(X, y)
    assert_allclose(edges(both)[1], edges(alone)[1])


def test_neighbours_however_near_give_bins_that_a_float32_tells_apart():
    rng = np.random.default_rng(0)
    x = rng.normal(size=N_ROWS)
    x[:60] = 0.5
    x[60:80] = 0.5 + 1e-9 * np.resize([-1, 1], 20)
    y = x + rng.normal(scale=0.1, size=N_ROWS) + 5.0 * (x == 0.5)
    student = LinearStudentRegressor(numeric="piecewise").fit(x[:, None], y)
    bins = next(op for op in student.program_.ops if isinstance(op, Piecewise))
    assert len(bins.width) > 16
    assert 0.9e-3 < bins.width.min() < 1.1e-3
