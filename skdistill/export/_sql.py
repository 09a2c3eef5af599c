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
    dialect: str | None = None,
    table: str = "rows",
    metadata: dict[str, Any] | bool | None = None,
) -> None:
    """Write a student as one SQL SELECT over a table.

    The result has all columns of the table. A classifier adds a probability for each class, such as ``proba_yes``, and
    ``label``, the predicted class. A multilabel classifier adds ``label_sport`` and so on, which are 1 if the label's
    probability is above one half, else 0. A regressor adds ``prediction``, or ``prediction_0``, ``prediction_1`` and so
    on for more than one output. An underscore is appended to a name that a column of the student has.

    The table must have the columns seen in fit, and may have others; columns without a name are ``x0``, ``x1`` and so
    on. NULL and NaN are missing values. The types of columns are:

    - numeric for numbers, durations (in seconds) and booleans (in PostgreSQL and BigQuery convert booleans to integers,
      since these databases cannot cast them to a double);
    - dates or timestamps for dates; in SQLite ISO 8601 strings;
    - strings, numbers or booleans for categories.

    The statement has no final semicolon, so you can make a view or another query of it. Layers of a net are lists in
    DuckDB; elsewhere each unit is a column. In SQLite the statement joins the predictions by rowid, so the source must
    be a table, not a view.

    Parameters
    ----------
    student : student, distiller or predictor
        The fitted student.
    path : str or path-like
        The file to write; its name ends in ".sql".
    dialect : {"duckdb", "postgres", "sqlite", "bigquery", "snowflake"}
        The SQL dialect; it must be given. The oldest supported versions are DuckDB 1.1, PostgreSQL 12 and SQLite 3.35
        with its mathematical functions. The SQL for BigQuery and Snowflake is tested to parse but has not been run.
    table : str, default="rows"
        The table to read, with its schemas separated by dots. Names are quoted: write them as the database stores them,
        in Snowflake usually in capitals.
    metadata : dict or False, default=None
        Metadata to store in a comment beside the metadata of the fit; see :func:`to_file`. False stores none.

    Raises
    ------
    ImportError
        If the package sqlglot is not installed.
    NotFittedError
        If the student is not fitted.
    TypeError
        If the student has no Program, or SQL does not support one of its ops.
    ValueError
        If `path` does not end in ".sql"; if `dialect` is not given or unknown; if a column of strings is read in a way
        that SQL does not support (as numbers or dates, or, in SQLite, for their words); if column names differ only in
        case and the database ignores case; or if the statement would be too long, as for a large net in a database
        other than DuckDB.
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
    SELECT skd_row,(NULLIF("x0"::DOUBLE,'NaN')-1)*0.6745 AS a0 FROM "main"."numbers" AS skd_row)))
    """
    program = program_of(student)
    path = Path(path)
    if path.suffix != ".sql":
        raise ValueError(f"path must be a name that ends in '.sql'; got {str(path)!r}.")
    if dialect is None:
        raise ValueError(f"SQL differs between databases: pass dialect=, one of {', '.join(DIALECTS)}.")
    if dialect not in DIALECTS:
        raise ValueError(f"dialect={dialect!r} is not known; expected one of {', '.join(DIALECTS)}.")
    from .._checks import import_optional

    import_optional("sqlglot", "to_sql", "skdistill[sql]")
    from ._sql_ops import PRINTERS

    check_ops(program, PRINTERS, "SQL")
    as_json = metadata_json(student, metadata)
    write_files({path: _text(program, classes_of(student), dialect, table, as_json).encode("utf-8")})


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
