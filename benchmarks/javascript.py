"""Students as JavaScript: their bytes beside those of .skd, and the time of a row in Node beside numpy's.

Run: ``python benchmarks/javascript.py``; it needs node, and ends within a minute or two.

Rows come one by one as objects and as dicts: of a table of twenty numbers, and of one of texts and numbers (wa_churn,
see tables.py). The nets are default ones, fitted for a few epochs. Times are medians, in the processor's time, in Node
after its compiler has warmed up. A server compresses what it sends: gzip. The last column is the largest difference of
a probability.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import tempfile
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import make_classification

from _common import median_seconds, one_thread, print_header, print_table
from skdistill import LinearStudent, MLPStudent, TreeStudent
from skdistill.compress import quantize
from tables import load

N_ROWS, ROUNDS = 200, 100

TIME = """
import { readFileSync } from "node:fs";
import { predictProba } from "./student.mjs";
const rows = JSON.parse(readFileSync("rows.json", "utf8"));
const times = [];
const now = () => process.cpuUsage().user + process.cpuUsage().system;
for (let round = 0; round < ROUNDS; round++) {
  const start = now();
  for (let again = 0; again < 10; again++) for (let i = 0; i < rows.length; i++) predictProba(rows[i]);
  times.push((now() - start) / rows.length / 10);
}
times.splice(0, ROUNDS / 5);
console.log(JSON.stringify({ proba: predictProba(rows), time: times.sort((a, b) => a - b)[times.length >> 1] }));
"""


def students(X: Any, y: Any) -> dict[str, Any]:
    """Return a student of each kind, fitted."""
    net = MLPStudent(max_epochs=10, random_state=0)
    found = {
        "default net": net,
        "linear": LinearStudent(),
        "additive": LinearStudent(numeric="piecewise"),
        "tree": TreeStudent(random_state=0),
    }
    for student in found.values():
        student.fit(X, y)
    return {**found, "default net, int8": quantize(net, "int8", X)}


def measure(name: str, student: Any, rows: list[dict[Any, Any]]) -> list[str]:
    """Return a row of the table."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        student.export(folder / "student.skd")
        student.export(folder / "student.mjs")
        text = (folder / "student.mjs").read_bytes()
        skd, js, packed = (folder / "student.skd").stat().st_size, len(text), len(gzip.compress(text))
        (folder / "rows.json").write_text(json.dumps(rows))
        (folder / "time.mjs").write_text(TIME.replace("ROUNDS", str(ROUNDS)))
        command = ["node", "time.mjs"]
        found = json.loads(subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout)
    program = student.program_
    worst = np.abs(np.array(found["proba"]) - program(rows)).max()

    def all_rows() -> None:
        for row in rows:
            program(row)

    (numpy_time,) = median_seconds([all_rows], 15, clock=process_time)
    numpy_time *= 1e6 / len(rows)
    sizes = [f"{skd:,}", f"{js:,}", f"{js / skd:.2f}", f"{packed:,}", f"{packed / skd:.2f}"]
    times = [f"{found['time']:.2f}", f"{numpy_time:.1f}", f"1/{numpy_time / found['time']:.1f}"]
    return [name, *sizes, *times, f"{worst:.0e}"]


def main() -> None:
    print_header("Students as JavaScript")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    print(f"node {version}\n")
    X, y = make_classification(5_000, 20, n_informative=12, random_state=0)
    table = load("wa_churn")
    tables = {
        "20 numbers": (pd.DataFrame(X, columns=[f"column {at}" for at in range(20)]), y),
        f"wa_churn, {table.X.shape[1]} columns": (table.X, table.y),
    }
    header = [".skd, bytes", ".js", "ratio", ".js by gzip", "ratio", "a row in Node, µs", "numpy", "ratio", "worst"]
    for title, (frame, labels) in tables.items():
        rows = json.loads(frame[:N_ROWS].to_json(orient="records", double_precision=15))
        with one_thread():
            print_table([title, *header], [measure(*one, rows) for one in students(frame, labels).items()])
        print()


if __name__ == "__main__":
    main()
