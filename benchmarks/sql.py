"""What a student costs as SQL: DuckDB, beside orbital's SQL of an equal net of scikit-learn.

Run: ``python benchmarks/sql.py [--orbital PYTHON]`` (a minute; needs the extra sql, and duckdb)

An additive student of twenty numbers with the default bins answers a million rows; a net of (16, 16) and the default
net ten thousand. PYTHON is the interpreter of an environment with orbital (pip install orbital), which holds some
packages back; it fits scikit-learn's net to the same rows and prints its SQL, which the same DuckDB runs in turn with
ours. All with one thread, in seconds of the processor; what is asked for are the probabilities and the label of every
row. Each statement runs three times before the next one's turn, so that it does not pay for the caches that the others
have filled. Sizes are of the text, in bytes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from _common import median_seconds, print_header, print_table
from skdistill import LinearStudent, MLPStudent
from tables import package

Array = NDArray[Any]

COLUMNS = 20
SIZES = (16, 16)
#: Fits a net to rows in a file and prints its SQL; run by the interpreter that has orbital.
OF_ORBITAL = """
import sys, warnings
import numpy as np, orbital, pandas as pd
from orbital.types import guess_datatypes
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

warnings.simplefilter("ignore")
held = np.load(sys.argv[1])
X = pd.DataFrame(held["X"], columns=[f"x{at}" for at in range(held["X"].shape[1])])
net = MLPClassifier((16, 16), max_iter=20, random_state=0)
fitted = make_pipeline(StandardScaler(), net).fit(X, held["y"])
parsed = orbital.parse_pipeline(fitted, features=guess_datatypes(X))
print(orbital.export_sql("rows", parsed, dialect="duckdb"))
"""


def rows(n_rows: int) -> tuple[Array, Array]:
    """Return rows of numbers and labels that depend on them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, COLUMNS))
    score = np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.3 * X[:, 3:].sum(axis=1)
    return X, (score + rng.normal(0, 0.5, n_rows) > 0).astype(int)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--orbital", metavar="PYTHON", help="the interpreter of an environment that has orbital")
    arguments = parser.parse_args()
    duckdb = package("duckdb")
    print_header("students as SQL, in DuckDB", "duckdb", "sqlglot")
    X, y = rows(8000)
    students = {
        "additive": LinearStudent(numeric="piecewise").fit(X, y),
        f"net {SIZES}": MLPStudent(SIZES, numeric="standard", max_epochs=20, random_state=0).fit(X, y),
        "default net": MLPStudent(max_epochs=20, random_state=0).fit(X, y),
    }
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    statements, asked = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for name, student in students.items():
            path = Path(folder, "student.sql")
            student.export(path, dialect="duckdb")
            statements[name], asked[name] = path.read_text("utf-8"), "proba_0, proba_1, label"
        if arguments.orbital:
            np.savez(Path(folder, "rows.npz"), X=X, y=y)
            command = [arguments.orbital, "-c", OF_ORBITAL, str(Path(folder, "rows.npz"))]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            statements["orbital, the same net"], asked["orbital, the same net"] = done.stdout.strip(), "*"

    def answer(name: str) -> Any:
        """Return the answers of a statement, which DuckDB plans anew, as a user's query."""
        return connection.execute(f"SELECT {asked[name]} FROM ({statements[name]})").fetchnumpy()

    table = []
    for n_rows, names in ((1_000_000, ["additive"]), (10_000, [name for name in statements if name != "additive"])):
        held = np.random.default_rng(1).normal(size=(n_rows, COLUMNS))
        frame = package("pandas").DataFrame(held, columns=[f"x{at}" for at in range(COLUMNS)])
        connection.register("frame", frame)
        connection.execute("CREATE OR REPLACE TABLE rows AS SELECT * FROM frame")
        calls = [lambda name=name: answer(name) for name in names]
        times = median_seconds(calls, 9 if n_rows > 10_000 else 45, in_a_row=3, clock=process_time)
        for name, taken in zip(names, times, strict=True):
            off = (
                ""
                if name not in students
                else f"{np.abs(_proba(answer(name)) - students[name].program_(held)).max():.0e}"
            )
            table.append([name, f"{len(statements[name]):,}", f"{n_rows:,}", f"{taken:.4f}", off])
        if len(names) == 3:
            print(
                f"net {SIZES}: {times[2] / times[0]:.1f} times as fast as orbital's SQL of the same net\n",
                file=sys.stdout,
            )
    print_table(["", "bytes", "rows", "seconds", "furthest from numpy"], table)


def _proba(answers: dict[str, Array]) -> Array:
    return np.column_stack([answers["proba_0"], answers["proba_1"]])


if __name__ == "__main__":
    main()
