"""Texts in a table: read as numbers or dates where they are, for their words otherwise, and never dropped unsaid."""

import datetime as dt
import warnings

import numpy as np
import pytest
from helpers import Optional, small_mlp
from numpy.testing import assert_allclose, assert_array_equal

from skdistill import DistilledClassifier, LinearStudent, LinearStudentRegressor, TreeStudent, load
from skdistill.program import cell_reader

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
        [f"10.{x % 255}.{x}.1" for x in range(N)],
        [f"20.{x % 12 + 1}.{x}" for x in range(N)],
        [f"{x // 60}:{x % 60:02}" for x in range(N)],
    ],
    ids=["codes", "ranges", "named", "addresses", "versions", "times"],
)
def test_other_texts_are_no_numbers(cells):
    fit(LinearStudent(), pd.DataFrame({"x": cells, "y": VALUE}), Y, r"Not used, or only in part.*'x' \(300 different")


@pytest.mark.parametrize(
    "cells",
    [
        [f"{x / 1000:.1f}k" if x >= 1000 else f"{x:.0f}" for x in VALUE * 3],
        [f"{x:.1f} %" if at % 2 else f"{x / 100:.3f}" for at, x in enumerate(VALUE)],
        [f"{'$' if at % 2 else '€'}{x:.2f}" for at, x in enumerate(VALUE)],
    ],
    ids=["thousands", "percent", "currencies"],
)
def test_several_notations_are_not_mixed(cells):
    X = pd.DataFrame({"x": cells})
    student = LinearStudent()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        student.fit(X, Y)
    assert any("Read as texts" in str(one.message) and "'x' (" in str(one.message) for one in seen)
    assert "number" not in student.program_.ops[0].kinds


def test_points_part_thousands_where_nothing_else_makes_sense():
    values = RNG.integers(1, 9000, N)
    X = pd.DataFrame({"x": [f"{x:,}".replace(",", ".") for x in values]})
    student = fit(LinearStudent(), X, values > 4000, "'x'")
    same = LinearStudent().fit(pd.DataFrame({"x": values}), values > 4000)
    assert_array_equal(student.predict_proba(X), same.predict_proba(pd.DataFrame({"x": values})))


@pytest.mark.parametrize(
    ("cells", "form"),
    [
        (DAY.strftime("%d-%b-%y"), "dmy"),
        (DAY.strftime("%d.%m.%y"), "dmy"),
        ([f"0{x % 9 + 1}.0{x % 7 + 1}.2021" for x in range(N)], "dmy"),
        ([f"01/0{x % 9 + 1}/2021" for x in range(N)], "dmy"),
        (DAY.strftime("%a, %d %b %Y %H:%M:%S GMT"), "dmy"),
        (DAY.strftime("%Y%m%d"), "ymd"),
    ],
    ids=["Oracle", "two digits", "dots", "firsts of months", "HTTP", "compact"],
)
def test_the_order_of_a_date_is_told_by_its_notation(cells, form):
    X = pd.DataFrame({"x": cells})
    student = fit(LinearStudent(min_frequency=40), X, DAY.month < 6, "'x'")
    assert student.program_.ops[0].forms == (form,)


def test_an_ambiguous_order_is_called_a_guess():
    X = pd.DataFrame({"x": [f"{x % 9 + 1}/{x % 7 + 1}/2021" for x in range(40)]})
    fit(LinearStudent(), X, Y[:40], "which is a guess")


@pytest.mark.parametrize("nothing", ["", "n/a", "None", "-", "?", "0000-00-00"])
@pytest.mark.parametrize("kind", ["number", "datetime"])
def test_texts_that_say_nothing_are_missing(kind, nothing):
    written = [f"{x:.2f}" for x in VALUE] if kind == "number" else DAY.strftime("%d/%m/%Y")
    cells = pd.Series(written, dtype=object)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        found = [
            TreeStudent(random_state=0).fit(pd.DataFrame({"x": cells.mask(np.arange(N) % 3 == 0, gap)}), Y)
            for gap in (nothing, None)
        ]
    assert found[0].program_.ops[0].forms == found[1].program_.ops[0].forms
    assert_array_equal(found[0].program_({"x": nothing}), found[1].program_({"x": None}))
    assert sum("Cells unlike" in str(one.message) for one in seen) == (nothing != "")


def test_another_notation_is_read_if_it_is_iso_and_warned_of_otherwise():
    X = pd.DataFrame({"x": DAY.strftime("%d/%m/%Y")})
    student = fit(LinearStudent(), X, DAY.month < 6, "day first")
    for form in ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y"):
        assert_array_equal(student.predict_proba(pd.DataFrame({"x": DAY.strftime(form)})), student.predict_proba(X))
    with pytest.warns(UserWarning, match="Column 'x' holds '.*': 300 of 300 cells are read as missing") as warned:
        student.predict(pd.DataFrame({"x": DAY.strftime("%A")}))
    assert warned[0].filename == __file__


def test_flags_may_be_written_out_later():
    X = pd.DataFrame({"x": pd.Series([*(VALUE > 400)[1:], "maybe"], dtype=object)})
    student = fit(LinearStudent(), X, Y, "Cells unlike.*'maybe'")
    for flag in (True, False):
        assert_array_equal(student.program_({"x": str(flag)}), student.program_({"x": flag}))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("(-5)", -5),
        ("-$5", -5),
        ("$-5", -5),
        ("($5)", -5),
        ("+5", 5),
        ("--5", None),
        ("0,500", None),
        ("26e17", None),
        ("2.6e17", 2.6e17),
        ("1e+400", None),
        ("1,234,567.5", 1234567.5),
        ("1,23", None),
        ("٣", 3),
        ("1" * 70, None),
    ],
)
def test_a_written_number(text, number):
    found = cell_reader("number", "$0.")(text)
    assert np.isnan(found) if number is None else found == number


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("5 marbles 2021", None),
        ("5 Sept 2021", (2021, 9, 5)),
        ("5/3/2021 13:00 AM", None),
        ("5/3/68", (2068, 3, 5)),
        ("5/3/69", (1969, 3, 5)),
        ("2021/3/5", (2021, 3, 5)),
        ("29/2/2021", None),
        ("5.3.2021 12:30 am", (2021, 3, 5)),
    ],
)
def test_a_written_date(text, day):
    found = cell_reader("datetime", "dmy")(text)
    assert np.isnan(found) if day is None else dt.datetime.fromtimestamp(found, dt.UTC).date() == dt.date(*day)


def test_dates_in_nanoseconds_are_dates_in_a_frame_of_any_length():
    days = DAY.astype("datetime64[ns]")
    written = fit(LinearStudent(), pd.DataFrame({"x": DAY.strftime("%d/%m/%Y")}), DAY.month < 6, "day first")
    levels = LinearStudent(min_frequency=1).fit(pd.DataFrame({"x": pd.Categorical(DAY)}), DAY.month < 6)
    for student in (written, levels):
        rows = pd.DataFrame({"x": days})
        one_by_one = [student.predict_proba(rows[at : at + 1])[0] for at in range(20)]
        assert_allclose(student.predict_proba(rows)[:20], one_by_one, rtol=1e-9)
    as_fitted = pd.DataFrame({"x": DAY.strftime("%d/%m/%Y")})
    assert_array_equal(written.predict_proba(pd.DataFrame({"x": days})), written.predict_proba(as_fitted))


def test_the_kind_does_not_depend_on_the_order_of_rows():
    cells = [f"junk {x}" for x in range(250)] + [f"${x:.2f}" for x in range(2000)]
    for order in (cells, cells[::-1]):
        X = pd.DataFrame({"x": order})
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Texts are read|Cells unlike")
            assert LinearStudent().fit(X, np.arange(2250) % 2).program_.ops[0].forms == ("$0.",)


def test_words_of_any_script_are_saved(tmp_path):
    words = ["red\xa0wine", "日本\u3000酒", "zero\u200bwidth", "ab\ud800", "plain"]
    cells = [f"{words[at % 5]} {words[at % 3]} i{at}x" for at in range(N)]
    X = pd.DataFrame({"x": pd.Series(cells, dtype=object)})
    student = LinearStudent().fit(X, np.arange(N) % 5 == 0)
    student.export(tmp_path / "words.skd")
    assert_array_equal(load(tmp_path / "words.skd").predict_proba(X), student.predict_proba(X))


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
