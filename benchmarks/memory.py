"""What memory a default fit takes above its rows: of 100,000 rows, of 200,000, and of a million.

Run: ``python benchmarks/memory.py`` (an hour or more of one core; ``--rows 2000 4000`` for a quick look)

Rows have 20 columns of normal numbers, of which ten count, and labels of two classes, drawn from what growth.py's Truth
says of them. The teacher is LightGBM of 200 rounds; it is fitted on the very rows in a process of its own, and kept in
a temporary folder.

Each fit has a process of its own, of one thread. That loads the teacher and makes the rows, asks the teacher for a few
of them and fits a student of these, so that no import counts, and then fits ``DistilledClassifier(teacher,
random_state=0)``. What is told is the peak of its resident memory during the fit, less what was resident before. On
Linux the mark of the peak is set back before the fit; elsewhere it is that of the whole process. CPU seconds are those
of the fit; accuracy is that of 50,000 rows which none has seen, next to that of Truth itself.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import process_time
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from _common import one_thread, peak_memory, print_header, print_table
from _pool import ONE_THREAD
from growth import Truth, blocks, make
from skdistill import DistilledClassifier
from tables import package

Array = NDArray[Any]

N_COLUMNS, N_CLASSES, N_ROUNDS = 20, 2, 200
ROWS = (100_000, 200_000, 1_000_000)
ROWS_TO_SCORE, WARM = 50_000, 300
#: Bytes of a number, and of a GiB.
NUMBER, GIB = 8, 2**30
CLEAR, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def rows_of(n_rows: int) -> tuple[Truth, Array, Array, Array, Array]:
    """Return Truth, rows to fit on and their labels, and rows to score on and theirs, which are always the same."""
    truth, X, y = make(ROWS_TO_SCORE + n_rows, N_COLUMNS, N_CLASSES)
    return truth, X[ROWS_TO_SCORE:], y[ROWS_TO_SCORE:], X[:ROWS_TO_SCORE], y[:ROWS_TO_SCORE]


def fit_teacher(n_rows: int, path: Path) -> dict[str, float]:
    """Fit a teacher and keep it."""
    _, X, y, _, _ = rows_of(n_rows)
    teacher = package("lightgbm").LGBMClassifier(n_estimators=N_ROUNDS, n_jobs=1, random_state=0, verbose=-1)
    start = process_time()
    joblib.dump(teacher.fit(X, y), path)
    return {"teacher_fit": process_time() - start}


def status(name: str) -> int:
    """Return a figure of this process's memory, in bytes, as Linux states it in KiB."""
    (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return 1024 * int(line.split()[1])


def begin() -> int:
    """Set the mark of the peak back, where that can be done, and return the memory that is resident, in bytes."""
    gc.collect()
    try:
        CLEAR.write_text("5")
    except OSError:
        return peak_memory()
    return status("VmRSS")


def end() -> int:
    """Return the peak of the resident memory, in bytes."""
    return status("VmHWM") if STATUS.exists() else peak_memory()


def measure(n_rows: int, path: Path) -> dict[str, float]:
    """Fit the default student of a teacher that was kept, in this process."""
    teacher = joblib.load(path)
    truth, X, y, X_test, y_test = rows_of(n_rows)
    model = DistilledClassifier(teacher, random_state=0)
    with one_thread():
        teacher.predict_proba(X[:WARM])
        model.fit(X[:WARM], y[:WARM])
        before = begin()
        start = process_time()
        model.fit(X, y)
        seconds = process_time() - start
        peak = end()
    told = (truth, teacher.predict_proba, model.predict_proba)
    scores = (
        float(np.mean([np.mean(ask(X_test[rows]).argmax(axis=1) == y_test[rows]) for rows in blocks(len(X_test))]))
        for ask in told
    )
    found = dict(zip(("truth", "teacher", "accuracy"), scores, strict=True))
    return found | {
        "fit": seconds,
        "above": float(peak - before),
        "before": float(before),
        "new": float(model.distillation_report_.get("n_new", np.nan)),
    }


def in_a_process(what: str, n_rows: int, path: Path) -> dict[str, float]:
    """Return what this script prints in a fresh process that holds to one thread."""
    command = [sys.executable, __file__, what, str(n_rows), str(path)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | ONE_THREAD)
    return json.loads(done.stdout.splitlines()[-1])


def report(found: dict[int, dict[str, float]]) -> None:
    """Print what the fits took, and how the largest stands to the one before it."""
    rows = []
    for n_rows, figures in found.items():
        size = n_rows * N_COLUMNS * NUMBER
        rows.append(
            [
                f"{n_rows:,} x {N_COLUMNS}",
                f"{size / GIB:.3f}",
                f"{figures['before'] / GIB:.3f}",
                f"{figures['above'] / GIB:.3f}",
                f"{figures['above'] / size:.1f}",
                f"{figures['new']:,.0f}",
                f"{figures['teacher_fit']:.1f}",
                f"{figures['fit']:.1f}",
                *(f"{figures[name]:.4f}" for name in ("truth", "teacher", "accuracy")),
            ]
        )
    header = ["rows", "rows, GiB", "before, GiB", "above, GiB", "above / rows", "new rows", "teacher, CPU s"]
    print_table([*header, "fit, CPU s", "accuracy: truth", "teacher", "default"], rows)
    print(
        "\nrows: as float64. before: resident before the fit, with all rows. above: the peak during it, less that.\n"
        f"teacher: LightGBM's own fit, {N_ROUNDS} rounds. Accuracy on {ROWS_TO_SCORE:,} rows that none has seen."
    )
    if len(found) > 1:
        (few, less), (many, more) = sorted(found.items())[-2:]
        print()
        print_table(
            [f"{many:,} rows beside {few:,}", "figure"],
            [
                ["rows, times", f"{many / few:.2f}"],
                ["memory above the rows, times", f"{more['above'] / less['above']:.2f}"],
                ["CPU seconds, times", f"{more['fit'] / less['fit']:.2f}"],
                ["accuracy, points gained", f"{100 * (more['accuracy'] - less['accuracy']):+.2f}"],
            ],
        )


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description="What memory a default fit takes above its rows.")
    parser.add_argument("--rows", type=int, nargs="+", default=list(ROWS), help="default: %(default)s")
    inner = parser.add_argument_group("in a process of its own, as JSON")
    inner.add_argument("--fit-teacher", nargs=2, metavar=("ROWS", "FILE"))
    inner.add_argument("--measure", nargs=2, metavar=("ROWS", "FILE"))
    args = parser.parse_args(arguments)
    if min(args.rows) <= WARM:
        parser.error(f"--rows has {min(args.rows)}; needed are more than {WARM}")
    return args


def main() -> None:
    args = parse()
    for what, asked in ((fit_teacher, args.fit_teacher), (measure, args.measure)):
        if asked:
            print(json.dumps(what(int(asked[0]), Path(asked[1]))))
            return
    print_header("Memory of a default fit, one thread", "scikit-learn", "torch", "lightgbm")
    found: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for n_rows in tqdm(sorted(args.rows), unit="fit", dynamic_ncols=True):
            path = Path(folder) / f"{n_rows}.joblib"
            taught = in_a_process("--fit-teacher", n_rows, path)
            found[n_rows] = taught | in_a_process("--measure", n_rows, path)
    report(found)


if __name__ == "__main__":
    main()
