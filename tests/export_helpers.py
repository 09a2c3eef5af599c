"""Students of every kind and the wild rows on which all formats must agree; shared by the tests of save and export."""

import functools
import importlib.util
import json
import warnings

import numpy as np
import pytest
from helpers import Optional
from numpy.testing import assert_array_equal

import skdistill
from skdistill import LinearStudent, MLPStudent
from skdistill.program import DATE_PARTS, cell_reader, date_part, seconds

pd = Optional("pandas")

WORDS = ["", "ann", "Ann", "zoë", "日本", "a b", 'quo"te\\', "e\u0301", "%d\n"]
SIZES = ["s", "m", "l"]
LETTERS = list("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
#: Numbers at the ends of what float32 and float64 hold.
EXTREMES = [1e30, -1e30, 1e38, -1e38, 1e308, np.inf, -np.inf, 5e-324, 1e-310, 1e-40, -1e-40, 0.0, -0.0, 1e8, 1e-8]

NUMERIC = ["standard", "quantile", "piecewise"]
DTYPES = ["float32", "float16", "int8"]


def mixed_table(n_rows=600, n_classes=2, seed=0):
    """Return a frame with a column of every kind that a student reads, and labels, which depend on most of them."""
    rng = np.random.default_rng(seed)
    gap = rng.random((3, n_rows)) < 0.1
    word = rng.choice(WORDS, n_rows, p=[0.1, 0.2, 0.1, 0.15, 0.15, 0.1, 0.1, 0.05, 0.05])
    size = rng.choice(SIZES, n_rows)
    hours = rng.integers(0, 40_000, n_rows)
    frame = pd.DataFrame(
        {
            "word": pd.Series(word, dtype=object).mask(gap[0], None),
            "age": np.where(gap[1], np.nan, rng.normal(40, 12, n_rows)),
            "income in €": rng.lognormal(10, 1, n_rows),
            # of large numbers that differ by little, float32 holds too few digits
            "reading": 1e6 + rng.normal(0, 1, n_rows),
            "level": rng.integers(0, 4, n_rows) / 10,
            "member": rng.random(n_rows) < 0.5,
            "size": pd.Categorical(size, categories=SIZES, ordered=True),
            "since": pd.Series(pd.Timestamp("2019-01-01") + pd.to_timedelta(hours, "h")).mask(gap[2]),
        }
    )
    score = (
        np.nan_to_num(frame["age"].to_numpy() - 40) / 8
        + (frame["reading"].to_numpy() - 1e6)
        + 1.5 * np.isin(word, ["", "zoë", "日本"])
        + (size == "l")
        - 2 * (frame["level"].to_numpy() > 0.15)
        + (hours % 24 < 6)
    )
    return frame, _labels(score + rng.normal(0, 0.3, n_rows), n_classes)


def numeric_table(n_rows=600, n_classes=2, seed=0):
    """Return an array of numbers of very different scales, with gaps, and labels, which are whole numbers."""
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n_rows, 5))
    X = Z * [1.0, 1e-3, 1e4, 1.0, 1.0] + [0.0, 1.0, -3e4, 0.0, 5.0]
    X[:, 3] = np.round(2 * Z[:, 3]) / 10
    X[rng.random(n_rows) < 0.1, 4] = np.nan
    y = _labels(Z @ [1.0, 0.7, -1.0, 1.0, 0.5] + 0.5 * Z[:, 0] * Z[:, 1], n_classes)
    return X, np.searchsorted(LETTERS, y)


def skewed_table(n_rows=240):
    """Return an array of a column so skewed that float32 cannot tell the edges of its bins apart, and labels."""
    rng = np.random.default_rng(1)
    Z = rng.normal(size=(n_rows, 2))
    return np.column_stack([Z[:, 0], np.exp(14 * Z[:, 1])]), (Z.sum(axis=1) > 0).astype(int)


def _labels(score, n_classes):
    cuts = np.quantile(score, np.linspace(0, 1, n_classes + 1)[1:-1])
    return np.array(LETTERS)[np.searchsorted(cuts, score)]


def text_table(n_rows=600, n_classes=2, seed=0):
    """Return a frame whose texts are read for their words, as numbers or as dates, and labels."""
    rng = np.random.default_rng(seed)
    words = np.array(["Red", "blue", "GRÜN", "日本", "old", "missing"])
    chosen = rng.random((n_rows, len(words))) < 0.3
    price, days = rng.lognormal(7, 1, n_rows).round(2), rng.integers(0, 3000, n_rows)
    signed = pd.Timestamp("2015-01-31") + pd.to_timedelta(days, "D")
    reading = rng.normal(size=n_rows)
    frame = pd.DataFrame(
        {
            "note": [f"{', '.join(words[one])}; item{at}x" if one.any() else None for at, one in enumerate(chosen)],
            "price": [f"${one:,.2f}" for one in price],
            "share": [f"{one:.1f} %".replace(".", ",") for one in rng.random(n_rows) * 100],
            "signed": signed.strftime("%d/%m/%Y"),
            "city": "Oslo",
            "reading": pd.Series(reading, dtype=object).where(np.arange(n_rows) % 50 > 0, "n/a"),
        }
    )
    return frame, _labels(chosen @ [2.0, -2, 1, -1, 1, 2] + np.log(price) + reading + days / 1000, n_classes)


def date_table(n_rows=900):
    """Return a frame of dates by the hour and by the minute, and labels that depend on each of their parts."""
    rng = np.random.default_rng(0)
    seconds = np.column_stack([rng.integers(0, 4 * 8766, n_rows) * 3600, rng.integers(0, 4 * 525_960, n_rows) * 60])
    seconds = seconds + 1514764800.0
    parts = np.column_stack([date_part(column, part) for column in seconds.T for part in DATE_PARTS])
    score = ((parts - parts.mean(axis=0)) / parts.std(axis=0)).sum(axis=1)
    return pd.DataFrame(seconds.astype("datetime64[s]"), columns=["since", "until"]), _labels(score, 2)


def dates_of_all_times(n_rows=3000):
    """Return a frame like that of :func:`date_table`, as far as numpy's microseconds reach, 292,000 years from 1970."""
    rng = np.random.default_rng(0)
    edges = [
        "NaT",
        "0001-01-01",
        "9999-12-31T23:59:59.999999",
        "1969-12-31T23:59:59.999999",
        "1970-01-01",
        "-0001-02-28",
    ]
    edges += ["1600-02-29T12", "1900-02-28T23:59:59.5", "1900-03-01", "2000-02-29", "2023-12-31T23:30", "2024-12-31"]
    ticks = rng.integers(-9 * 10**18, 9 * 10**18, n_rows), rng.integers(-(10**17), 10**17, n_rows)
    cells = np.concatenate([np.array(edges, dtype="datetime64[us]"), *(one.astype("datetime64[us]") for one in ticks)])
    return pd.DataFrame({"since": cells, "until": cells[::-1]})


TABLES = {"mixed": mixed_table, "numbers": numeric_table, "texts": text_table}


@functools.cache
def fitted(kind, numeric="standard", n_classes=2, dtype="float32", table="mixed"):
    """Return a small fitted student: `kind` is "linear", "mlp" or "tree"; it is not to be changed."""
    X, y = TABLES[table](n_classes=n_classes)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Texts are read|Cells unlike")
        return _fitted(X, y, kind, numeric, n_classes, dtype, table)


def _fitted(X, y, kind, numeric, n_classes, dtype, table):
    if dtype != "float32":
        from skdistill.compress import quantize

        return quantize(fitted(kind, numeric, n_classes, "float32", table), dtype=dtype)
    if kind == "tree":
        return skdistill.TreeStudent(random_state=0).fit(X, y)
    if kind == "linear":
        return LinearStudent(numeric=numeric, C=10.0).fit(X, y)
    return MLPStudent((24, 16), numeric=numeric, max_epochs=20, learning_rate=0.01, random_state=0).fit(X, y)


def cases(**fixed):
    """Return pytest parameters (kind, numeric, n_classes, dtype), those left out that `fixed` rules out.

    Of every kind and encoding there are two and many classes, and weights of every type.
    """
    found = []
    kinds = ["linear", "mlp"] + (["tree"] if hasattr(skdistill, "TreeStudent") else [])
    dtypes = DTYPES if importlib.util.find_spec("skdistill.compress") else ["float32"]
    for kind in kinds:
        for numeric in NUMERIC if kind != "tree" else ["standard"]:
            for n_classes, dtype in ((2, "float32"), (26, "float32"), (26, "float16"), (2, "int8")):
                case = {"kind": kind, "numeric": numeric, "n_classes": n_classes, "dtype": dtype}
                if dtype in dtypes and all(case[name] == value for name, value in fixed.items()):
                    found.append(pytest.param(*case.values(), id="-".join(map(str, case.values()))))
    return found


def wild_rows(X, n=2000, seed=0):
    """Return rows like those of `X`, a frame or an array, in which many cells are whatever a cell can be.

    Numbers are float64 and may be missing, infinite, next to nothing or huge; texts may be missing
    (None), empty, unseen and not ASCII; dates may be missing or centuries away.
    """
    rng = np.random.default_rng(seed)
    rows = np.arange(n) % len(X)
    # how wild a row is: most have a wild cell or two, some are nothing else, some have none
    share = rng.choice([0.0, 0.15, 0.5, 1.0], n, p=[0.2, 0.5, 0.2, 0.1])
    if not hasattr(X, "columns"):
        found = np.asarray(X, dtype=np.float64)[rows]
        for column in found.T:
            _overwrite(column, rng.random(n) < share, _wild_numbers(column, n, rng))
        return found
    frame = {}
    for name in X.columns:
        cells = X[name]
        wild = rng.random(n) < share
        if cells.dtype.kind == "M":
            column = cells.to_numpy(dtype="datetime64[us]")[rows]
            far = rng.integers(-(10**10), 10**10, n).astype("datetime64[s]").astype("datetime64[us]")
            far[rng.random(n) < 0.3] = np.datetime64("NaT", "us")
        elif cells.dtype.kind in "fiub":
            column = cells.to_numpy(dtype=np.float64)[rows]
            far = _wild_numbers(column, n, rng)
        else:
            column = cells.to_numpy(dtype=object)[rows]
            known = [cell for cell in pd.unique(column) if isinstance(cell, str)]
            far = np.empty(n, dtype=object)
            strange = [None, None, "", " ", "ñandú", "日", "nan", "None", "x" * 300, "😀", "ANN", *known]
            far[:] = [strange[at] for at in rng.integers(0, len(strange), n)]
        frame[name] = _overwrite(column, wild, far)
    return pd.DataFrame(frame)


def _overwrite(column, where, cells):
    column[where] = cells[where]
    return column


def _wild_numbers(column, n, rng):
    spread = np.nanstd(column)
    return np.choose(
        rng.integers(0, 5, n),
        [
            np.full(n, np.nan),
            rng.choice(EXTREMES, n),
            np.nanmean(column) + spread * rng.normal(0, 10, n),
            10.0 ** rng.uniform(-40, 30, n) * rng.choice([-1, 1], n),
            column + 1e-9 * spread,
        ],
    )


def records(frame):
    """Return the rows of a frame, or of an array, as dicts of plain cells: None or NaN where missing."""
    if not hasattr(frame, "columns"):
        return [dict(enumerate(row)) for row in np.asarray(frame).tolist()]
    columns = [
        [None if pd.isna(cell) else cell.to_pydatetime() for cell in frame[name]]
        if frame[name].dtype.kind == "M"
        else frame[name].tolist()
        for name in frame.columns
    ]
    return [dict(zip(frame.columns, row, strict=True)) for row in zip(*columns, strict=True)]


def expected_logits(student, rows):
    """Return the logits that numpy computes, shape (n_rows, n_classes); ``(0, z)`` for two classes."""
    logits = student.program_.logits(rows)
    return np.column_stack([np.zeros(len(logits)), logits]) if logits.shape[1] == 1 else logits


def assert_same_logits(found, expected):
    """Check logits against those of numpy: within 1e-4 of max(1, abs(logit))."""
    found = np.asarray(found, dtype=np.float64)
    assert found.shape == expected.shape
    off = np.abs(found - expected) / np.maximum(1.0, np.abs(expected))
    worst = np.unravel_index(np.argmax(np.where(np.isnan(off), np.inf, off)), off.shape)
    assert off.max() <= 1e-4, f"row {worst[0]}: {found[worst]} for {expected[worst]}, off by {off[worst]}"


def assert_same_labels(found, expected, classes):
    """Check labels wherever the top two logits of numpy differ by more than logits may."""
    second, first = np.sort(expected, axis=1)[:, -2:].T
    clear = first - second > 1e-4 * np.maximum(1.0, np.abs(expected).max(axis=1))
    assert clear.mean() > 0.5
    assert_array_equal(np.asarray(found)[clear], classes[expected.argmax(axis=1)][clear])


def with_texts_read(rows):
    """Return rows of :func:`text_table` with the numbers and dates, in seconds, that its texts are."""
    forms = {"price": "$0.", "share": "0,%", "signed": "dmy", "reading": "0."}
    read = {name: cell_reader("datetime" if form == "dmy" else "number", form) for name, form in forms.items()}
    return rows.assign(**{name: list(map(one, rows[name])) for name, one in read.items()})


def onnx_feeds(model, rows):
    """Return rows, a frame or an array, as the inputs of an ONNX model, as its metadata say."""
    held = {entry.key: entry.value for entry in model.metadata_props}
    types = {value.name: value.type.tensor_type.elem_type for value in model.graph.input}
    with np.errstate(over="ignore"):
        if list(types) == ["X"]:
            return {"X": np.asarray(rows, dtype=_ONNX_TYPES[types["X"]])}
        feeds = {}
        for index, column in enumerate(json.loads(held["columns"])):
            if not column["input"]:
                continue
            cells = rows[column["name"]].to_numpy() if hasattr(rows, "columns") else rows[:, index]
            if column["kind"] == "date":
                cells = seconds(cells) if cells.dtype.kind == "M" else cells
            elif column["kind"] == "text":
                cells = np.array([held["missing"] if pd.isna(cell) else str(cell) for cell in cells], dtype=object)
            feeds[column["input"]] = cells.astype(_ONNX_TYPES[types[column["input"]]])[:, None]
    return feeds


#: By the numbers of onnx.TensorProto.
_ONNX_TYPES = {1: np.float32, 8: object, 11: np.float64}
