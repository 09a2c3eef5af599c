"""An SQL statement under construction: stages of columns, each a common table expression, and dialect differences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from ..program import Op, Program, Tree, ops

Array = NDArray[Any]

#: Narrower bins lose too much in sums that cancel, and in nine digits.
NARROWEST = 1e-4
#: Terms of a sum between parentheses: databases limit how deep an expression may be, and parse a sum from the left.
_TERMS = 50
#: How many columns a SELECT may have; elsewhere the length of the statement allows no more.
_COLUMNS, _COLUMNS_ELSEWHERE = {"postgres": 1664, "sqlite": 2000}, 50_000


class Query:
    """A statement of SQL, to which the printers of ops add.

    Attributes
    ----------
    codes : list of str
        An expression for each column of codes: what the last op that reads them needs of a code.
    numbers : list of str
        An expression for each number.
    vector : str or None
        An expression for the list of all numbers, where they are one, of `width` elements.
    linear : str or None
        An expression for what the inputs of a last hidden layer add to the output, where `vector` lacks it.
    scaled, bins, raw : Op or None
        A Standardize that has been printed in part, a Piecewise that the next layer prints, and a Standardize whose
        numbers are still in their own unit.
    knots : ndarray of shape (n_bins, n_knots) or None
        What the distances from knots, which are the last numbers, add to each bin but one half.
    labels : list of str
        The class labels.
    label : str
        An expression for the most probable one.
    """

    def __init__(self, program: Program, classes: Array | None, dialect: str, table: str) -> None:
        self.program = program
        self.dialect = dialect
        self.labels = [] if classes is None else list(map(self._label, classes.tolist()))
        self.label = ""
        entry = program.ops[0]
        names = [*(getattr(entry, "names", None) or getattr(entry, "numbered", None) or ())]
        self.names = list(map(str, names)) or [f"x{at}" for at in range(program.n_columns)]
        read = sorted(set(getattr(entry, "sources", range(program.n_columns))))
        self._check_width(len(read))
        self._check_names([self.names[at] for at in read])
        self.codes: list[str] = []
        self.numbers: list[str] = []
        self.vector: str | None = None
        self.linear: str | None = None
        self.width = 0
        self.scaled: Op | None = None
        self.bins: Any = None
        self.raw: Any = None
        self.knots: Array | None = None
        self.double, self.varchar = (exp.DataType.build(kind).sql(dialect) for kind in ("double", "text"))
        # where the inputs of a layer may be large, or the end or a narrow bin makes much of small differences
        narrow = any(isinstance(op, ops.Piecewise) and op.width.min(initial=1.0) < NARROWEST for op in program.ops)
        self.exact = program.ops[-1].magnifies or narrow or not any(map(_bounds, program.ops))
        self.greatest, self.least = ("MAX", "MIN") if dialect == "sqlite" else ("GREATEST", "LEAST")
        # the row as it is in the table, and a name that no column has
        self.row = "skd_row"
        while self._has(self.row):
            self.row += "_"
        self._stages: list[str] = []
        self._table = ".".join(map(self.name, table.split(".")))
        self._source = f"{self._table} AS {self.row}"
        self._made: list[str] = []
        self._last: list[str] = []

    def _has(self, name: str) -> bool:
        return name.casefold() in map(str.casefold, self.names)

    def _check_width(self, n_columns: int) -> None:
        if n_columns >= (most := _COLUMNS.get(self.dialect, _COLUMNS_ELSEWHERE)):
            raise ValueError(
                f"The statement needs {n_columns} columns at a time, and {most - 1} are the most in {self.dialect}: "
                "fit to fewer columns, or with fewer bins (n_bins)."
            )

    def _check_names(self, read: Sequence[str]) -> None:
        if self.dialect in ("duckdb", "sqlite", "bigquery"):
            folded = Counter(map(str.casefold, read))
            if same := [name for name in read if folded[name.casefold()] > 1]:
                raise ValueError(
                    f"Columns {', '.join(map(repr, same))} have names that differ only by case, which {self.dialect} "
                    "does not tell apart. Rename one of them before fit."
                )

    def name(self, name: str) -> str:
        """Return a quoted identifier."""
        return self._checked(name, exp.to_identifier(name, quoted=True))

    def string(self, text: str) -> str:
        """Return a string literal."""
        return self._checked(text, exp.Literal.string(text))

    def _checked(self, text: str, written: exp.Expression) -> str:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"SQL is written in UTF-8, and {text!r} has {text[error.start]!r} in it.") from error
        if "\0" in text:
            raise ValueError(f"{text!r} has a NUL in it, which SQL cannot hold.")
        if "\r" in text:
            raise ValueError(f"{text!r} has a carriage return in it, which is lost where a file is read as text.")
        return written.sql(self.dialect)

    def column(self, source: int) -> str:
        """Return a column of the table."""
        return f"{self.row}.{self.name(self.names[source])}" if self._is_joined else self.name(self.names[source])

    @property
    def _is_joined(self) -> bool:
        """Whether the answers are joined to the table by its rowid: SQLite cannot pass a row on."""
        return self.dialect == "sqlite"

    def wide(self, value: str) -> str:
        """Return a value as a double."""
        return f"CAST({value} AS {self.double})"

    def number(self, value: str) -> str:
        """Return a column of the table as a number, NULL where it is missing."""
        wide = self.wide(value)
        if self.dialect == "sqlite":
            # a text may be anywhere; what reads as a number is one
            return f"CASE WHEN TYPEOF({value}) = 'integer' OR {value} = {wide} THEN {wide} END"
        if self.dialect == "bigquery":
            return f"CASE WHEN NOT IS_NAN({wide}) THEN {self.within(wide, 1e200)} END"
        if self.dialect == "postgres":
            # what overflows is an error
            return f"CASE WHEN {wide} <> 'NaN' THEN {self.within(wide, 1e200)} END"
        return f"NULLIF({value}::{self.double}, 'NaN')"

    def seconds(self, value: str) -> str:
        """Return a date as seconds since 1970, NULL where it is missing."""
        return {
            "duckdb": f"EPOCH({value})",
            "postgres": f"CAST(EXTRACT(EPOCH FROM {value}) AS DOUBLE PRECISION)",
            "sqlite": f"CASE WHEN TYPEOF({value}) = 'text' THEN "
            f"STRFTIME('%s', {value}) + STRFTIME('%f', {value}) - STRFTIME('%S', {value}) END",
            "bigquery": f"UNIX_MICROS(CAST({value} AS TIMESTAMP)) / 1e6",
            "snowflake": f"DATE_PART(EPOCH_MICROSECOND, CAST({value} AS TIMESTAMP_NTZ)) / 1e6",
        }[self.dialect]

    def decimal(self, value: Any, tolerance: float | None = None) -> str:
        """Return a number in nine digits, or in as few as keep it within a tolerance; with all where that matters."""
        value = float(value)
        if not np.isfinite(value):
            raise ValueError("The Program has a scale or a width whose reciprocal is beyond float64.")
        if self.exact:
            # a whole number may be an index of a list
            return repr(value).removesuffix(".0")
        digits: Iterable[int] = (9,) if tolerance is None else range(1, 18)
        texts = (f"{value:.{n}g}" for n in digits)
        text = next((text for text in texts if tolerance is None or abs(float(text) - value) <= tolerance), repr(value))
        return "0" if float(text) == 0 else text

    def term(self, weight: float, value: str = "", tolerance: float | None = None) -> list[str]:
        """Return a term of a sum, or none if it is zero: a weight, times a value if there is one."""
        text = self.decimal(abs(weight), tolerance)
        if float(text) == 0:
            return []
        return [f"{'-' if weight < 0 else '+'} {text}{value and f' * {value}'}"]

    def within(self, value: str, limit: float) -> str:
        """Return a number that is not missing, held to a limit."""
        return f"{self.greatest}({self.least}({value}, {self.decimal(limit)}), -{self.decimal(limit)})"

    def safe(self, value: str) -> str:
        """Return a number that may be multiplied: in PostgreSQL, a product too small for a double is an error."""
        return f"CASE WHEN ABS({value}) < 1e-200 THEN 0 ELSE {value} END" if self.dialect == "postgres" else value

    def settle(self) -> None:
        """Make columns of all expressions, in a stage of its own, unless they are the columns of the last one."""
        columns = [*self.codes, *self.numbers, *([] if self.vector is None else [self.vector])]
        if self._stages and set(columns) <= set(self._last):
            return
        made = self._stage(columns)
        n_codes, n_numbers = len(self.codes), len(self.numbers)
        self.codes, self.numbers = made[:n_codes], made[n_codes : n_codes + n_numbers]
        self.vector = None if self.vector is None else made[-1]

    def _stage(self, values: Sequence[str]) -> list[str]:
        self._check_width(len(values))
        prefix = _letters(len(self._stages))
        if self.dialect == "snowflake":
            prefix = f"{self.row}_{prefix}"
        names = [f"{prefix}{at}" for at in range(len(values))]
        listed = [f"{value} AS {name}" for value, name in zip(values, names, strict=True)]
        columns = ", ".join([self._carried(), *listed])
        select = f"SELECT {self._written(columns)} FROM {self._source}"
        self._stages.append(select)
        # a subquery takes less to plan than a common table expression
        self._source = f"(\n{select})" if self.dialect == "duckdb" else f"skd{len(self._stages) - 1}"
        self._made += names
        self._last = names
        return names

    def _carried(self) -> str:
        """Return what a stage passes on of the row."""
        if self._is_joined:
            return f"{self.row}.{self._rowid} AS {self.row}" if not self._stages else self.row
        return "*" if self.dialect == "snowflake" else self.row

    @property
    def _rowid(self) -> str:
        free = [name for name in ("_rowid_", "rowid", "oid") if not self._has(name)]
        if not free:
            raise ValueError("Columns have the three names by which SQLite has a row's number. Rename one before fit.")
        return free[0]

    def output_names(self, names: Sequence[str]) -> list[str]:
        """Return names for the answers that no other column of the student or answer has."""
        found: list[str] = []
        for name in names:
            if self.dialect == "bigquery":
                name = re.sub(r"[!\"$()*,./;?@\[\\\]^`{}~\x00-\x1f]", "_", name)
            # PostgreSQL cuts what is longer
            whole, n_more = name.encode("utf-8", "replace"), 0
            name = whole[:60].decode("utf-8", "ignore")
            while self._has(name) or name.casefold() in map(str.casefold, found):
                n_more += 1
                name = whole[: max(1, 60 - n_more)].decode("utf-8", "ignore") + "_" * n_more
            found.append(name)
        return found

    def _label(self, value: Any) -> str:
        if isinstance(value, bool):
            return str(value).upper()
        if isinstance(value, int) or (isinstance(value, float) and np.isfinite(value)):
            return repr(value)
        return self.string(str(value))

    def text(self, answers: Mapping[str, str]) -> str:
        """Return the statement, whose result is the table and the answers by name."""
        if self._is_joined:
            # a column of the table may have the name of one of a stage
            made = self._stage(list(answers.values()))
            answers = {name: f"{self._source}.{one}" for name, one in zip(answers, made, strict=True)}
        listed = [f"{value} AS {self.name(name)}" for name, value in answers.items()]
        source = self._source
        if self._is_joined:
            source = f"{self._table} AS {self.row} JOIN {source} ON {source}.{self.row} = {self.row}.{self._rowid}"
            row = f"{self.row}.*"
        elif self.dialect == "snowflake":
            row = f"* EXCLUDE ({', '.join(self._made)})"
        else:
            row = f"({self.row}).*" if self.dialect == "postgres" else f"{self.row}.*"
        stages = [f"skd{at} AS {self._materialized}({text})" for at, text in enumerate(self._stages)]
        head = "" if self.dialect == "duckdb" else "WITH " + ",\n".join(stages) + "\n"
        return f"{head}SELECT {self._written(', '.join([row, *listed]))}\nFROM {source}\n"

    @property
    def _materialized(self) -> str:
        # otherwise these two put the expressions of a stage wherever the next one names them
        return "MATERIALIZED " if self.dialect in ("postgres", "sqlite") else ""

    def _written(self, columns: str) -> str:
        """Return the columns of a SELECT without spaces around operators; what is quoted stays."""
        if self.dialect in ("bigquery", "snowflake") and re.search(r"[\"'`]", columns):
            # a backslash may escape a quote
            return columns
        parts = re.split(r"(\"[^\"]*\"|'[^']*')", columns)
        parts[::2] = (re.sub(r" ([-+*/<>=]|<=|>=) (?!-)", r"\1", text).replace(", ", ",") for text in parts[::2])
        return "".join(parts)


def _bounds(op: Op) -> bool:
    """Tell whether what comes after an op is of the size of one."""
    return isinstance(op, ops.Quantiles | Tree) or (isinstance(op, ops.Standardize) and op.limit < ops.LARGEST)


def _letters(at: int) -> str:
    """Return the letters of a stage's columns: a to z, then aa, ab and so on."""
    return (_letters(at // 26 - 1) if at >= 26 else "") + chr(ord("a") + at % 26)


def total(terms: Sequence[str]) -> str:
    """Return a sum; each term begins with its sign, as in "+ 2 * x"."""
    if len(terms) <= _TERMS:
        text = " ".join(terms)
        return text.removeprefix("+ ") if text.startswith("+ ") else text.replace("- ", "-", 1) if text else "0"
    size = -(-len(terms) // _TERMS)
    parts = [terms[at : at + max(size, _TERMS)] for at in range(0, len(terms), max(size, _TERMS))]
    return total([f"+ ({total(part)})" for part in parts])
