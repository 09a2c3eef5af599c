"""The SQL export: writes a Program as one SELECT over a table, in the dialect of a database."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from .._version import __version__
from ..program import Program, Sigmoid, Unstandardize, program_of
from ._files import check_ops, classes_of, write_files
from ._metadata import metadata_json

Array = NDArray[Any]

#: The dialects, by sqlglot's names.
DIALECTS = ("duckdb", "postgres", "sqlite", "bigquery", "snowflake")
#: The largest statement in bytes, and that of other dialects. BigQuery and Snowflake take a million. PostgreSQL needs
#: half a second to plan as many, and then milliseconds a row. SQLite compares each constant with all before, for
#: seconds beyond its limit. DuckDB, where the weights of nets are lists, reads three million a second.
_LONGEST = {"duckdb": 4_000_000, "sqlite": 250_000}
_LONGEST_ELSEWHERE = 1_000_000


def to_sql(
    student: Any,
    path: str | os.PathLike[str],
    *,
    dialect: str,
    table: str = "rows",
    metadata: dict[str, Any] | bool | None = None,
) -> None:
    """Write a student as one SELECT over a table, for a database to run.

    The result has all columns of the table. A classifier adds a probability for each class, such as ``proba_yes``, and
    ``label``, the class that it predicts; of several labels, ``label_sport`` and so on are one where a label is more
    likely than not, else zero. A regressor adds ``prediction``, or ``prediction_0``, ``prediction_1`` and so
    on for several outputs. An underscore is appended to a name that a column of the student has.

    The table has the columns seen in fit, and may have others; columns that had no name are ``x0``, ``x1`` and so on.
    NULL and NaN are missing. Columns of the table are:

    - numeric for numbers, for time spans in seconds, and for booleans (only PostgreSQL and BigQuery have no cast from
      these to a double: make them integers there);
    - dates or timestamps for dates; in SQLite texts of ISO 8601;
    - texts, numbers or booleans for categories.

    The statement ends in no semicolon, so that a view or another query can be made of it. Layers of a net are lists in
    DuckDB; elsewhere each unit is a column. SQLite joins the answers by rowid, which a table has and a view has not.

    Parameters
    ----------
    student : student, distiller or predictor
        The fitted student.
    path : str or path-like
        The file to write; its name ends in ".sql".
    dialect : {"duckdb", "postgres", "sqlite", "bigquery", "snowflake"}
        The SQL to write. DuckDB 1.1, PostgreSQL 12 and SQLite 3.35 with its mathematical functions are the oldest
        that run it. That for BigQuery and Snowflake is checked to parse, and nobody has run it.
    table : str, default="rows"
        The table to read, with dots between its name and those of the schemas that hold it. Like columns, it is quoted:
        write it as the database stores it, in Snowflake usually in capitals.
    metadata : dict or False, default=None
        Your own part of what a comment says of the student: see :func:`to_file`. False says nothing.

    Raises
    ------
    ImportError
        If the package sqlglot is not installed.
    NotFittedError
        If the student is not fitted.
    TypeError
        If the student has no Program, or its Program has an op that SQL has no printer for.
    ValueError
        If `path` does not end in ".sql"; if `dialect` is not known; if a column is read in a way that SQL has none for:
        texts as numbers or as dates, or for their words in SQLite; if names are equal but for their case where the
        database does not tell them apart; or if the statement would be too long, which a large net's is anywhere but in
        DuckDB.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from skdistill import LinearStudent
    >>> from skdistill.export import to_sql
    >>> student = LinearStudent().fit([[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "tiny.sql")
    ...     to_sql(student, path, dialect="duckdb", table="main.numbers")
    ...     print(path.read_text().splitlines()[-1])
    FROM skd2
    """
    program = program_of(student)
    path = Path(path)
    if path.suffix != ".sql":
        raise ValueError(f"path must be a name that ends in '.sql'; got {str(path)!r}.")
    if dialect not in DIALECTS:
        raise ValueError(f"dialect={dialect!r} is not known; needed is one of {', '.join(DIALECTS)}.")
    from .._checks import import_optional

    import_optional("sqlglot", "to_sql", "skdistill[sql]")
    from ._sql_ops import PRINTERS

    check_ops(program, PRINTERS, "SQL")
    said = metadata_json(student, metadata)
    write_files({path: _text(program, classes_of(student), dialect, table, said).encode("utf-8")})


def _text(program: Program, classes: Array | None, dialect: str, table: str, metadata: str) -> str:
    """Return the statement."""
    from ._sql_ops import PRINTERS
    from ._sql_query import Query

    query = Query(program, classes, dialect, table)
    for op in program.ops[:-1]:
        PRINTERS[type(op)](query, op)
    last = program.ops[-1]
    PRINTERS[type(last)](query, last)
    title = f"-- a fitted student, exported by skdistill {__version__}; fingerprint {program.fingerprint(classes)}\n"
    names = [] if classes is None else [f"proba_{label}" for label in classes.tolist()]
    if isinstance(last, Unstandardize):
        n = len(last.center)
        names = ["prediction"] if n == 1 else [f"prediction_{at}" for at in range(n)]
        answers = dict(zip(query.output_names(names), query.numbers, strict=True))
    elif isinstance(last, Sigmoid):
        assert classes is not None
        names += [f"label_{label}" for label in classes.tolist()]
        answers = dict(zip(query.output_names(names), query.numbers, strict=True))
    else:
        assert classes is not None
        *names, label = query.output_names([*names, "label"])
        answers = dict(zip(names, query.numbers, strict=True))
        answers[label] = query.label
    text = title + (f"-- {metadata}\n" if metadata else "") + query.text(answers)
    limit = _LONGEST.get(dialect, _LONGEST_ELSEWHERE)
    if len(text) > limit:
        other = "" if dialect == "duckdb" else "export with dialect='duckdb', whose lists take less, "
        raise ValueError(
            f"The statement would have {len(text):,} bytes, and {limit:,} are the most in {dialect}: {other}fit "
            "a smaller student, or prune it (skdistill.compress.prune)."
        )
    return text
