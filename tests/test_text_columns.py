"""Texts in a table: read as numbers or dates where they are, for their words otherwise, and never dropped unsaid."""

import datetime as dt
import warnings

import numpy as np
import pytest
from helpers import Optional, small_mlp
from numpy.testing import assert_array_equal

from skdistill import DistilledClassifier, LinearStudent, LinearStudentRegressor, TreeStudent

pd = Optional("pandas")

N = 300
RNG = np.random.default_rng(0)
VALUE = RNG.lognormal(6, 1, N).round(2)
DAY = pd.Timestamp("2019-03-01") + pd.to_timedelta(RNG.integers(0, 900, N), "D")
Y = np.log(VALUE) > 6

AS_NUMBERS = {
    "dollars": lambda x: f"${x:,.2f}",
    "dollars, negative in brackets": lambda x: f"(${x:,.2f})",
    "euros behind, comma for decimals": lambda x: f"{x:,.2f} €".translate(str.maketrans(",.", ".,")),
    "a currency's code": lambda x: f"USD {x:.2f}",
    "spaces between thousands": lambda x: f"{x:,.2f}".replace(",", "\u202f"),
    "percent": lambda x: f"{x:.2f}%",
    "a unit": lambda x: f"{x:.2f} km/h",
    "plain": lambda x: f" {x:.2f}",
    "scientific": lambda x: f"{x:.12e}",
}
AS_DATES = {
    "ISO": "%Y-%m-%d",
    "ISO with time and zone": "%Y-%m-%dT%H:%M:%SZ",
    "American": "%m/%d/%Y",
    "American, short, with time": "%m/%d/%y %I:%M %p",
    "British": "%d/%m/%Y %H:%M",
    "German": "%d.%m.%Y",
    "month by name": "%d-%b-%Y",
    "month first": "%B %d, %Y",
}


def fit(student, X, y, match):
    """Fit with the one warning that is expected."""
    with pytest.warns(UserWarning, match=match) as seen:
        student.fit(X, y)
    assert len(seen) == 1
    return student


@pytest.mark.parametrize("written", AS_NUMBERS.values(), ids=AS_NUMBERS)
def test_texts_that_are_numbers_are_read_as_these(written):
    X = pd.DataFrame({"price": [written(x) for x in VALUE]})
    negative = -1 if X["price"][0].startswith("(") else 1
    student = fit(LinearStudent(), X, Y, "Texts are read as numbers or dates in 'price'")
    same = LinearStudent().fit(pd.DataFrame({"price": negative * VALUE}), Y)
    assert_array_equal(student.predict_proba(X), same.predict_proba(pd.DataFrame({"price": negative * VALUE})))
    # and so is a number itself; what is none is missing
    rows = [{"price": negative * VALUE[0]}, {"price": "ask"}, {"price": None}]
    assert_array_equal(student.program_(rows), same.program_([rows[0], rows[2], rows[2]]))


@pytest.mark.parametrize("form", AS_DATES.values(), ids=AS_DATES)
def test_texts_that_are_dates_are_read_as_these(form):
    X = pd.DataFrame({"day": DAY.strftime(form)})
    y = DAY.month < 6
    student = fit(LinearStudent(), X, y, "Texts are read as numbers or dates in 'day'")
    same = LinearStudent().fit(pd.DataFrame({"day": DAY}), y)
    assert_array_equal(student.predict_proba(X), same.predict_proba(pd.DataFrame({"day": DAY})))
    assert_array_equal(student.program_({"day": DAY[3].to_pydatetime()}), student.program_({"day": X["day"][3]}))


@pytest.mark.parametrize(
    "cells",
    [
        [f"{x:05d}" for x in range(N)],
        [f"{x}-{x + 5}" for x in range(N)],
        [f"no. {x}" for x in range(N)],
        [f"{x}.{x}.{x}.{x}" for x in range(N)],
    ],
    ids=["codes", "ranges", "named", "addresses"],
)
def test_other_texts_are_no_numbers(cells):
    fit(LinearStudent(), pd.DataFrame({"x": cells, "y": VALUE}), Y, "Not used.*'x' \\(300 different values")


def test_whole_numbers_written_as_frequent_levels_are_levels():
    X = pd.DataFrame({"class": RNG.choice(["1", "2", "3"], N)})
    student = LinearStudent().fit(X, X["class"] == "2")
    assert student.score(X, X["class"] == "2") == 1.0


@pytest.mark.parametrize(
    ("most", "stray"),
    [
        (VALUE.tolist(), "n/a"),
        (VALUE.tolist(), dt.date(2020, 1, 1)),
        (list(DAY.to_pydatetime()), "soon"),
        (list(DAY.to_pydatetime()), 17.5),
        (list(DAY.strftime("%d/%m/%Y")), "soon"),
        ((VALUE > 400).tolist(), "maybe"),
        (list(pd.to_timedelta(VALUE, "s").to_pytimedelta()), "long"),
    ],
    ids=["numbers", "a date among numbers", "dates", "a number among dates", "written dates", "booleans", "spans"],
)
def test_cells_unlike_the_rest_are_missing_and_said(most, stray):
    X = pd.DataFrame({"x": pd.Series([stray, stray, *most[2:]], dtype=object)})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Texts are read")
        with pytest.warns(UserWarning, match=r"'x' \(2 of 300 cells are no (number|date), such as .*\)"):
            student = TreeStudent(random_state=0).fit(X, Y)
    gap = pd.DataFrame({"x": pd.Series([None, *most[1:]], dtype=object)})
    assert_array_equal(student.predict_proba(X[:1]), student.predict_proba(gap[:1]))
    assert_array_equal(student.predict_proba(X)[0], student.predict_proba(X[:1])[0])


def test_the_kinds_of_columns_are_those_of_the_whole_table_in_every_candidate():
    X = pd.DataFrame({"x": pd.Series([*VALUE[:-1], "n/a"], dtype=object), "z": VALUE})
    p = np.where(Y, 0.9, 0.1)
    for student in ("linear", "tree", small_mlp(max_epochs=2)):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            model = DistilledClassifier(student=student, random_state=0).fit(
                X, Y, teacher_proba=np.column_stack([1 - p, p])
            )
        assert len([one for one in seen if "Cells unlike" in str(one.message)]) == 1
        assert set(model.student_.program_.ops[0].kinds) == {"number"}


@pytest.mark.parametrize("kind", ["linear", "tree", "mlp"])
def test_words_of_free_texts_are_learned(kind):
    rng = np.random.default_rng(1)
    names = np.array(["burger", "salad", "double", "cheese", "chicken", "with", "grilled"])
    has = rng.random((900, len(names))) < 0.35
    X = pd.DataFrame({"item": [" ".join([*names[one], f"no{at}x"]).capitalize() for at, one in enumerate(has)]})
    y = has[:, 0] | (has[:, 2] & has[:, 3])
    student = {"linear": LinearStudent(), "tree": TreeStudent(random_state=0), "mlp": small_mlp(max_epochs=60)}[kind]
    assert student.fit(X[:600], y[:600]).score(X[600:], y[600:]) > 0.9
    row = {"item": "CHEESE, double!"}
    assert_array_equal(student.program_(row), student.program_({"item": "a double (cheese)"}))
    # no stop words, and not the names of single rows
    assert "with" not in student.program_.ops[0].words
    assert all("no1" not in word for word in student.program_.ops[0].words)


def test_a_column_that_cannot_be_learned_is_named_with_the_remedy():
    X = pd.DataFrame({"id": [f"k{at}" for at in range(N)], "x": VALUE})
    fit(LinearStudentRegressor(), X, VALUE, r"Not used.*'id' \(300 different values, such as 'k0', none of them in 5")


def test_a_frame_and_an_equal_array_give_the_same_answers():
    X = np.column_stack([VALUE, RNG.normal(size=N), RNG.integers(0, 3, N)])
    X[::7, 1] = np.nan
    p = np.where(Y, 0.9, 0.1)
    proba = np.column_stack([1 - p, p])
    fits = [
        DistilledClassifier(student=small_mlp(max_epochs=3), random_state=0).fit(rows, Y, teacher_proba=proba)
        for rows in (X, pd.DataFrame(X, columns=list("abc")))
    ]
    answers = [one.student_.program_(X).tobytes() for one in fits]
    assert answers[0] == answers[1]
