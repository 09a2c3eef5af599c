"""to_sql: databases give the Program's answers on rows of every kind; in two dialects, statements are parsed alone."""

import datetime
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from export_helpers import (
    date_table,
    dates_of_all_times,
    fitted,
    mixed_table,
    numeric_table,
    records,
    skewed_table,
    text_table,
    wild_rows,
)
from helpers import Optional
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone

from skdistill import (
    LinearStudent,
    LinearStudentRegressor,
    LoadedClassifier,
    LoadedRegressor,
    MLPStudent,
    MLPStudentRegressor,
    TreeStudent,
    TreeStudentRegressor,
    load,
)
from skdistill.export import to_sql
from skdistill.program import BackTransform, OneVsRest, Program, Softmax
from skdistill.program._ops import BACK

pd = Optional("pandas")
sqlglot = pytest.importorskip("sqlglot")

#: What a column of a frame is in a table, by the kind of its dtype.
TYPES = {"f": "DOUBLE PRECISION", "i": "BIGINT", "b": "BOOLEAN", "M": "TIMESTAMP", "O": "TEXT", "U": "TEXT"}


class Database:
    """A database with which tests exchange frames and rows."""

    def __init__(self, connection, dialect, mark):
        self.connection = connection
        self.dialect = dialect
        self.mark = mark

    def table(self, frame, name="rows", **types):
        """Make a table of a frame, with a column of keys before its own."""
        columns = {"the key": "INTEGER", **{str(one): TYPES[frame[one].dtype.kind] for one in frame}, **types}
        quoted = {one: '"{}"'.format(one.replace('"', '""')) for one in columns}
        name = '"{}"'.format(name.replace('"', '""'))
        listed = ", ".join(f"{quoted[one]} {kind}" for one, kind in columns.items())
        self.run(f"DROP TABLE IF EXISTS {name}")
        self.run(f"CREATE TABLE {name} ({listed})")
        texts = {one for one in frame if frame[one].dtype.kind == "O"}
        rows = [
            (at, *(None if one in texts and value != value else self.cell(value) for one, value in row.items()))
            for at, row in enumerate(records(frame))
        ]
        self.fill(name, len(columns), rows)

    def cell(self, value):
        return value

    def fill(self, name, n_columns, rows):
        self.connection.cursor().executemany(f"INSERT INTO {name} VALUES ({', '.join([self.mark] * n_columns)})", rows)

    def run(self, statement):
        """Run a statement; return the rows of its result as dicts, by key."""
        cursor = self.connection.cursor()
        cursor.execute(statement)
        if cursor.description is None or not statement.startswith("--"):
            return None
        names = [column[0] for column in cursor.description]
        return sorted((dict(zip(names, row, strict=True)) for row in cursor.fetchall()), key=lambda row: row["the key"])


class DuckDB(Database):
    def fill(self, name, n_columns, rows):
        import pyarrow as pa

        # by row, it takes a minute
        held = pa.table({f"c{at}": pa.array(column) for at, column in enumerate(zip(*rows, strict=True))})
        self.connection.register("held", held)
        self.connection.execute(f"INSERT INTO {name} SELECT * FROM held")


class SQLite(Database):
    def cell(self, value):
        # it has neither NaN, which it stores as NULL, nor dates
        return value.isoformat(" ") if isinstance(value, datetime.datetime) else value


class Postgres(Database):
    def fill(self, name, n_columns, rows):
        with self.connection.cursor().copy(f"COPY {name} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)


@pytest.fixture(scope="session")
def duckdb():
    return DuckDB(pytest.importorskip("duckdb").connect(), "duckdb", "?")


@pytest.fixture(scope="session")
def sqlite():
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("SELECT LN(EXP(1))")
    except sqlite3.OperationalError:
        pytest.skip("this SQLite has no mathematical functions")
    return SQLite(connection, "sqlite", "?")


@pytest.fixture(scope="session")
def postgres():
    """A server of its own in a temporary folder, behind a socket there; root lets the user postgres run it."""
    psycopg = pytest.importorskip("psycopg")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [shutil.which("initdb")]
    if found[-1] is None:
        pytest.skip("no PostgreSQL server is installed (apt-get install postgresql)")
    programs = Path(found[-1]).parent
    # the path of a socket has to be short
    folder = tempfile.mkdtemp(prefix="pg", dir="/tmp")
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if user:
        shutil.chown(folder, "postgres", "postgres")

    def run(name, *arguments):
        command = [*user, programs / name, "-D", f"{folder}/data", *arguments]
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)

    try:
        run("initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync")
        options = f"-k {folder} -c listen_addresses= -c fsync=off"
        run("pg_ctl", "-w", "-l", f"{folder}/log", "-o", options, "start")
        try:
            with psycopg.connect(host=folder, user="postgres", dbname="postgres", autocommit=True) as connection:
                yield Postgres(connection, "postgres", "%s")
        finally:
            run("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.fixture(params=["duckdb", "postgres", "sqlite"])
def database(request):
    return request.getfixturevalue(request.param)


def exported(student, folder, dialect, **options):
    """Return the statement of a student."""
    student.export(folder / "student.sql", dialect=dialect, **options)
    return (folder / "student.sql").read_text("utf-8")


def check(student, database, folder, rows, seen=None, **types):
    """Check the answers of a database to rows against those that the student has for `seen`, the same rows."""
    frame = rows if hasattr(rows, "columns") else pd.DataFrame(rows, columns=[f"x{at}" for at in range(rows.shape[1])])
    database.table(frame, **types)
    found = database.run(exported(student, folder, database.dialect))
    assert len(found) == len(frame)
    expected = student.program_(rows if seen is None else seen)
    names = [f"proba_{label}" for label in student.classes_]
    assert list(found[0]) == ["the key", *map(str, frame), *names, "label"]
    assert_allclose([[row[name] for name in names] for row in found], expected, rtol=0, atol=1e-6)
    second, first = np.sort(expected, axis=1)[:, -2:].T
    clear = first - second > 1e-6
    labels = np.array([row["label"] for row in found], dtype=student.classes_.dtype)
    assert_array_equal(labels[clear], student.classes_[expected.argmax(axis=1)][clear])
    return found


@pytest.mark.parametrize(
    "case",
    [
        ("linear", "standard", 2, "float32"),
        ("linear", "quantile", 26, "float16"),
        ("linear", "piecewise", 2, "float32"),
        ("mlp", "standard", 26, "float32"),
        ("mlp", "quantile", 2, "int8"),
        ("mlp", "piecewise", 2, "float16"),
        ("tree", "standard", 2, "float32"),
        ("tree", "standard", 26, "float16"),
    ],
    ids=lambda case: "-".join(map(str, case)),
)
def test_wild_rows_get_the_programs_answers(case, database, tmp_path):
    check(fitted(*case), database, tmp_path, wild_rows(mixed_table()[0], 300))


def test_several_labels(database, tmp_path):
    frame, _ = mixed_table()
    y = pd.DataFrame({"old": frame["age"] > 40, "member": frame["member"], "large": frame["size"] == "l"})
    student, rows = LinearStudent().fit(frame, y), wild_rows(frame, 200)
    database.table(rows)
    found = database.run(exported(student, tmp_path, database.dialect))
    expected = student.predict_proba(rows)
    assert_allclose([[row[f"proba_{name}"] for name in y] for row in found], expected, rtol=0, atol=1e-6)
    clear = np.abs(expected - 0.5) > 1e-6
    labels = np.array([[row[f"label_{name}"] for name in y] for row in found])
    assert_array_equal(labels[clear], student.predict(rows)[clear])


@pytest.mark.parametrize("activation", ["relu", "silu", "tanh"])
@pytest.mark.parametrize("numeric", ["standard", "piecewise"])
def test_arrays_of_numbers_and_activations(activation, numeric, database, tmp_path):
    X, y = numeric_table()
    options = {"max_epochs": 5, "learning_rate": 0.01, "random_state": 0}
    student = MLPStudent((12, 8), activation=activation, numeric=numeric, **options).fit(X, y)
    check(student, database, tmp_path, wild_rows(X, 300))


def test_categories_alone_and_beside_narrow_bins(database, tmp_path):
    (X, y), words = skewed_table(), mixed_table()[0][["word", "size"]]
    net = MLPStudent((6, 4), numeric="piecewise", max_epochs=3, random_state=0)
    for frame in (words[: len(X)], words[: len(X)].assign(number=X[:, 1])):
        check(clone(net).fit(frame, y), database, tmp_path, frame.astype({"size": object}))


@pytest.mark.parametrize(
    "student",
    [
        LinearStudent(numeric="piecewise"),
        LinearStudent(numeric="piecewise", n_bins=2),
        MLPStudent((6,), numeric="piecewise", max_epochs=3, random_state=0),
    ],
    ids=["linear", "steep", "mlp"],
)
def test_narrow_bins(student, database, tmp_path):
    X, y = skewed_table()
    check(clone(student).fit(X, y), database, tmp_path, X)


def test_rows_that_were_sparse(database, tmp_path):
    X, y = numeric_table()
    X = np.nan_to_num(X)
    student = MLPStudent((8,), max_epochs=3, random_state=0).fit(sparse.csr_matrix(X), y)
    check(student, database, tmp_path, np.nan_to_num(wild_rows(X, 200), posinf=1e300, neginf=-1e300))


def test_a_tree_that_parts_missing_numbers_from_all_others(database, tmp_path):
    X = np.random.default_rng(0).normal(size=(300, 2))
    X[::3, 0] = np.nan
    student = TreeStudent(min_samples_leaf=1).fit(X, np.isnan(X[:, 0]) ^ (X[:, 1] > 1))
    assert np.isinf(student.program_.ops[-2].thresholds).any()
    check(student, database, tmp_path, X[:50])


def test_a_tree_that_is_too_deep_for_sqlite_is_refused(tmp_path):
    X = np.random.default_rng(0).normal(size=(2000, 2))
    student = TreeStudent(None, min_samples_leaf=1).fit(X, np.arange(2000) % 2)
    with pytest.raises(ValueError, match=r"branches below each other, .* fit it with max_depth=18"):
        exported(student, tmp_path, "sqlite")


def test_levels_are_compared_by_bytes_whatever_the_collation(database, tmp_path):
    cities = pd.DataFrame({"city": ["Oslo", "oslo", "Lima", "lima"] * 20})
    student = LinearStudent(min_frequency=1).fit(cities, cities["city"].isin(["Oslo", "lima"]))
    collated = {"duckdb": "TEXT COLLATE nocase", "sqlite": "TEXT COLLATE nocase", "postgres": "TEXT"}
    check(student, database, tmp_path, cities.iloc[:4], city=collated[database.dialect])


def test_parts_of_dates(database, tmp_path):
    student = LinearStudent().fit(*date_table())
    rng = np.random.default_rng(0)
    cells = np.concatenate(
        [
            # SQLite rounds to milliseconds
            dates_of_all_times(1)["since"].to_numpy()[[0, 4, 6, 7, 8, 9, 10, 11]],
            rng.integers(-6 * 10**10, 2 * 10**11, 300).astype("datetime64[s]"),
        ]
    ).astype("datetime64[us]")
    check(student, database, tmp_path, pd.DataFrame({"since": cells, "until": cells[::-1]}))


def test_numbers_of_every_type_and_categories_that_are_no_texts(database, tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "whole": pd.Categorical(rng.choice([-1, 1, 20], 300)),
            "part": pd.Categorical(rng.choice([0.5, 0.0, 3.0], 300)),
            "flag": pd.Categorical(rng.choice([True, False], 300)),
            "count": rng.integers(0, 9, 300),
            "member": rng.random(300) < 0.5,
        }
    )
    y = (frame["whole"].astype(int) == 20) ^ frame["member"] ^ (frame["part"].astype(float) > 0)
    student = LinearStudent(min_frequency=1).fit(frame, y)
    rows = frame.astype({"whole": object, "part": object, "flag": object}).iloc[:40].reset_index(drop=True)
    rows.loc[[0, 1, 2], ["whole", "part", "flag"]] = [[7, -0.0, None], [None, np.nan, True], [1, 9.5, False]]
    rows["count"] = [2**60, -(2**62), *range(38)]
    if database.dialect == "postgres":
        # which casts no boolean to a double
        rows = rows.astype({"member": int})
    types = {"whole": "BIGINT", "part": "DOUBLE PRECISION", "flag": "BOOLEAN"}
    check(student, database, tmp_path, rows, **types)


def test_a_net_reads_numbers_of_every_type(duckdb, tmp_path):
    rng = np.random.default_rng(0)
    truth = {f"{share} true": rng.random(300) < share for share in (0.02, 0.5, 0.95)}
    frame = pd.DataFrame({"age": rng.normal(40, 9, 300), "money": rng.integers(0, 10**6, 300) / 100, **truth})
    student = MLPStudent((8, 4), numeric="standard", max_epochs=5, random_state=0).fit(frame, frame["age"] > 40)
    rows = frame.iloc[:60].reset_index(drop=True)
    rows.loc[0, "age"] = None
    for types in ({"age": "FLOAT", "money": "DECIMAL(18,2)"}, {"0.5 true": "UTINYINT", "money": "DECIMAL(38,10)"}):
        check(student, duckdb, tmp_path, rows, **types)
    # NULL, which is no NaN, beside rows without any
    rows = rows.astype({"age": object, "0.5 true": object})
    rows.loc[[0, 3], "age"] = rows.loc[[3, 5], "0.5 true"] = None
    check(student, duckdb, tmp_path, rows, **{"age": "DOUBLE", "0.5 true": "BOOLEAN"})


def test_texts_are_read_for_their_words(duckdb, postgres, sqlite, tmp_path):
    frame, y = text_table()
    frame = frame[["note"]]
    student = LinearStudent().fit(frame, y)
    rows = frame.iloc[:60].copy()
    rows.loc[:5, "note"] = ["", "RED", "redblue", "a_blue-OLD", "grün GRÜN", "old\nblue\t日本"]
    for database in (duckdb, postgres):
        check(student, database, tmp_path, rows)
    with pytest.raises(ValueError, match="Column 'note' is read for its words, which SQLite"):
        exported(student, tmp_path, "sqlite")


WILD = ['a"b', "x'); DROP TABLE t;--", "new\nline", "ünï日", "select", "Age", "a\\", "%s ? $1 :x {y}", " ", "it's"]


def test_names_levels_and_labels_of_every_kind(database, tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {name: rng.choice(WILD, 400) if at % 2 else rng.normal(size=400) for at, name in enumerate(WILD)}
    )
    student = LinearStudent(min_frequency=1).fit(frame, np.array(WILD)[rng.integers(0, len(WILD), 400)])
    rows = frame.iloc[:50].reset_index(drop=True)
    check(student, database, tmp_path, rows)
    database.table(rows, name="x'); DROP \"t;--")
    found = database.run(exported(student, tmp_path, database.dialect, table="x'); DROP \"t;--"))
    assert len(found) == 50


def test_columns_whose_names_differ_only_by_case(duckdb, postgres, tmp_path):
    X, y = numeric_table()
    student = LinearStudent().fit(pd.DataFrame(X[:, :2], columns=["Age", "age"]), y)
    check(student, postgres, tmp_path, pd.DataFrame(wild_rows(X, 100)[:, :2], columns=["Age", "age"]))
    for dialect in ("duckdb", "sqlite", "bigquery"):
        with pytest.raises(ValueError, match="Columns 'Age', 'age' have names that differ only by case"):
            exported(student, tmp_path, dialect)


def test_a_result_whose_names_are_taken(database, tmp_path):
    X, y = numeric_table()
    frame = pd.DataFrame(X[:, :3], columns=["label", "proba_1", "skd_row"])
    student = LinearStudent().fit(frame, y)
    database.table(frame.iloc[:5])
    (row, *_) = database.run(exported(student, tmp_path, database.dialect))
    assert list(row) == ["the key", *frame, "proba_0", "proba_1_", "label_"]
    assert_allclose([row["proba_0"], row["proba_1_"]], student.predict_proba(frame.iloc[:1])[0], atol=1e-6)


@pytest.mark.parametrize("kind", ["linear", "mlp", "tree"])
def test_predictions_of_a_regressor(kind, database, tmp_path):
    X, _ = numeric_table()
    Z = np.nan_to_num(X)
    y = np.column_stack([np.abs(Z[:, 0]) * 1e6, Z[:, 2] + Z[:, 3]])
    student = {
        "linear": LinearStudentRegressor(),
        "mlp": MLPStudentRegressor((8,), max_epochs=5, random_state=0),
        "tree": TreeStudentRegressor(random_state=0),
    }[kind].fit(X, y)
    one = LinearStudentRegressor(numeric="piecewise", clip=True).fit(X, y[:, 0])
    rows = wild_rows(X, 200)
    database.table(pd.DataFrame(rows, columns=[f"x{at}" for at in range(5)]))
    for model, names in ((student, ["prediction_0", "prediction_1"]), (one, ["prediction"])):
        found = database.run(exported(model, tmp_path, database.dialect))
        predicted = np.array([[row[name] for name in names] for row in found])
        expected = model.program_(rows)
        scale = np.maximum(model.program_.ops[-1].scale, np.abs(expected))
        assert_allclose(predicted / scale, expected / scale, rtol=0, atol=1e-6)


CURVE = np.array([-1.0, -0.2, -0.2, 0.7])
POWERS = {"box-cox": ([0.3], [-3.0], [50.0]), "yeo-johnson": ([1.4], [-9.0], [1.5])}


@pytest.mark.parametrize(
    "end",
    [
        Softmax(cut=0.8),
        OneVsRest(cut=-0.5),
        OneVsRest(knots=CURVE[None], scores=np.array([[0.0, 0.2, 0.6, 1.0]])),
        OneVsRest(),
        OneVsRest(
            knots=np.array([CURVE] * 3), scores=np.array([[0.0, 0.2, 0.6, 0.9], [0, 0, 0, 0.5], [0, 0.0, 0.1, 1]])
        ),
    ],
    ids=["cut", "sigmoid", "curve", "sigmoids", "curves"],
)
def test_other_ends_of_a_classifier(end, database, tmp_path):
    X, y = numeric_table(n_classes=3 if end.cut is None and (end.knots is None or len(end.knots) > 1) else 2)
    student = LinearStudent().fit(X, y)
    model = LoadedClassifier(Program([*student.program_.ops[:-1], end]), student.classes_)
    rows = wild_rows(X, 300)
    database.table(pd.DataFrame(rows, columns=[f"x{at}" for at in range(5)]))
    found = database.run(exported(model, tmp_path, database.dialect))
    proba = [[row[f"proba_{label}"] for label in model.classes_] for row in found]
    assert_allclose(proba, model.predict_proba(rows), rtol=0, atol=1e-6)
    assert_array_equal([row["label"] for row in found], model.predict(rows))


@pytest.mark.parametrize("function", BACK)
def test_targets_transformed_back(function, database, tmp_path):
    X, _ = numeric_table()
    student = LinearStudentRegressor(clip=False).fit(X, np.nan_to_num(X[:, 0]))
    ends = {"log": (0.1, 9.0), "log1p": (-0.9, 9.0), "sqrt": (0.0, 9.0)}
    power, lower, upper = POWERS.get(function, (None, *([edge] for edge in ends.get(function, (-5.0, 5.0)))))
    last = student.program_.ops[-1]
    fields = {"center": last.center, "scale": last.scale, "lower": np.array(lower), "upper": np.array(upper)}
    end = BackTransform(**fields, function=function, power=None if power is None else np.array(power))
    model = LoadedRegressor(Program([*student.program_.ops[:-1], end]))
    rows = wild_rows(X, 200)
    database.table(pd.DataFrame(rows, columns=[f"x{at}" for at in range(5)]))
    found = database.run(exported(model, tmp_path, database.dialect))
    assert_allclose([row["prediction"] for row in found], model.predict(rows), rtol=1e-6, atol=1e-6)


def test_many_columns(database, tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 700))
    student = LinearStudent(numeric="standard").fit(X, X[:, 0] > 0)
    check(student, database, tmp_path, X[:5])


def test_a_view_of_a_loaded_student(duckdb, tmp_path):
    student = fitted("linear", table="numbers")
    student.export(tmp_path / "student.skd")
    rows = wild_rows(numeric_table()[0], 50)
    duckdb.table(pd.DataFrame(rows, columns=[f"x{at}" for at in range(5)]), name="readings")
    statement = exported(load(tmp_path / "student.skd"), tmp_path, "duckdb", table="memory.main.readings")
    duckdb.connection.execute(f"CREATE OR REPLACE VIEW scored AS {statement}")
    found = duckdb.connection.execute('SELECT proba_1 FROM scored ORDER BY "the key"').fetchnumpy()["proba_1"]
    assert_allclose(found, student.predict_proba(rows)[:, 1], atol=1e-6)


@pytest.mark.parametrize("dialect", ["bigquery", "snowflake"])
def test_dialects_of_databases_that_are_not_here_are_parsed(dialect, tmp_path):
    texts, y = text_table()
    words = LinearStudent().fit(texts[["note"]], y)
    students = [fitted("tree"), fitted("mlp"), fitted("linear", "quantile"), words]
    for student in students:
        statement = exported(student, tmp_path, dialect, table="lake.rows")
        parsed = sqlglot.parse_one(statement, dialect=dialect)
        assert parsed.named_selects[-1] == "label"
        assert parsed.sql(dialect)


def test_an_additive_student_is_short(tmp_path):
    X = np.random.default_rng(0).normal(size=(2000, 20))
    student = LinearStudent(numeric="piecewise").fit(X, X.sum(axis=1) > 0)
    assert len(exported(student, tmp_path, "duckdb", metadata=False)) <= 10_000


def test_what_cannot_be_exported_says_why(tmp_path, monkeypatch):
    lines = pd.DataFrame({"a": ["x\ry", "z"] * 20})
    with pytest.raises(ValueError, match="has a carriage return in it"):
        exported(LinearStudent(min_frequency=1).fit(lines, lines["a"] == "z"), tmp_path, "duckdb")
    student = fitted("linear", table="numbers")
    with pytest.raises(ValueError, match="dialect='mysql' is not known; expected one of duckdb"):
        exported(student, tmp_path, "mysql")
    with pytest.raises(ValueError, match=r"path must be a name that ends in '\.sql'"):
        to_sql(student, tmp_path / "student.txt", dialect="duckdb")
    with pytest.raises(ValueError, match=r"Column 'price' holds texts that are read as numbers \('\$0\.'\)"):
        exported(fitted("linear", table="texts"), tmp_path, "postgres")
    mixed = pd.DataFrame({"mixed": np.array(["a", 1] * 50, dtype=object), "big": pd.Categorical([2**60, 2] * 50)})
    y = np.arange(100) % 2
    with pytest.raises(ValueError, match="Column 'mixed' holds texts and numbers as categories"):
        exported(LinearStudent().fit(mixed, y), tmp_path, "duckdb")
    with pytest.raises(
        ValueError, match="has the category 1152921504606846976, an integer that a double does not hold"
    ):
        exported(LinearStudent().fit(mixed[["big"]], y), tmp_path, "duckdb")
    wide = np.random.default_rng(0).normal(size=(30, 2000))
    with pytest.raises(ValueError, match="needs 2000 columns at a time, and 1999 are the most in sqlite"):
        exported(LinearStudent(numeric="standard").fit(wide, wide[:, 0] > 0), tmp_path, "sqlite")
    net = fitted("mlp", "piecewise", 26)
    monkeypatch.setattr("skdistill.export._sql._LONGEST_ELSEWHERE", 10_000)
    with pytest.raises(ValueError, match="10,000 are the most in postgres: export with dialect='duckdb'"):
        exported(net, tmp_path, "postgres")
    monkeypatch.setitem(sys.modules, "sqlglot", None)
    with pytest.raises(ImportError, match=r"to_sql needs the package sqlglot: pip install skdistill\[sql\]"):
        exported(student, tmp_path, "duckdb")
    assert not list(tmp_path.iterdir())
