"""to_sql: databases give the Program's answers, on rows of every kind; for two dialects, the statement is parsed alone."""

import datetime
import os
import shutil
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest
from export_helpers import cases, date_table, dates_of_all_times, fitted, mixed_table, numeric_table, records, text_table, wild_rows
from helpers import Optional
from numpy.testing import assert_allclose, assert_array_equal

from skdistill import LinearStudent, MLPStudent, TreeStudent, load
from skdistill.export import to_sql

pd = Optional("pandas")
pytest.importorskip("sqlglot")

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


@pytest.mark.parametrize(("kind", "numeric", "n_classes", "dtype"), cases())
def test_wild_rows_get_the_programs_answers(kind, numeric, n_classes, dtype, database, tmp_path):
    student = fitted(kind, numeric, n_classes, dtype)
    check(student, database, tmp_path, wild_rows(mixed_table()[0], 300))
