"""AutoGluon's students, measured in a virtual environment of their own and scored like ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from _ledger import ERROR
from _pool import ONE_THREAD
from _scores import accuracy, loss
from tables import load, split

Array = NDArray[Any]

VERSION = "1.6.3"
#: The extras hold what its default ensemble is made of.
REQUIREMENT = f"autogluon.tabular[catboost,fastai,lightgbm,xgboost]=={VERSION}"
SCRIPT = Path(__file__).parent / "peers" / "autogluon_students.py"
CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"

KEYS = ("table", "seed", "limit", "model")
FIGURES = (
    "part",
    "rows",
    "accuracy",
    "loss",
    "fit_seconds",
    "row_us",
    "row_cpu_us",
    "teacher_limit",
    "student_limit",
    "teacher_seconds",
    "teacher_cpu",
    "distil_seconds",
    "distil_cpu",
    "version",
)
#: Under this name a split is in the CSV once it has been measured, or has failed.
WHOLE = "whole"


@dataclass(frozen=True)
class Limits:
    """How long AutoGluon may take, in seconds of one core.

    Parameters
    ----------
    teacher : float
        For the ensemble.
    student : float
        For each of its students.
    """

    teacher: float
    student: float


def environment(folder: Path) -> Path:
    """Return the Python of a virtual environment that holds AutoGluon, made where it is missing."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        print(f"Making {folder} for AutoGluon {VERSION}; it takes some minutes and 2 to 3 GB.", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    if _installed(python) != VERSION:
        subprocess.run([str(python), "-m", "pip", "install", "-c", str(CONSTRAINTS), REQUIREMENT], check=True)
    return python


def _installed(python: Path) -> str:
    ask = "from importlib.metadata import version; print(version('autogluon.tabular'))"
    return subprocess.run([str(python), "-c", ask], capture_output=True, text=True).stdout.strip()


def write_split(folder: Path, X: Any, codes: Array, X_test: Any) -> None:
    """Write a split as the peer reads it."""
    X.assign(__label__=codes).to_csv(folder / "train.csv", index=False)
    X_test.to_csv(folder / "test.csv", index=False)
    (folder / "columns.json").write_text(json.dumps({str(name): _dtype(X[name]) for name in X}))


def _dtype(column: Any) -> str:
    """Return the name that any pandas knows this dtype by; strings and categories become plain ones."""
    if column.dtype.kind in "biuf":
        return str(column.dtype)
    return "category" if column.dtype.name == "category" else "object"


def measure(
    python: Path, name: str, seed: int, n_rows: int, limits: Limits, logs: Path, tell: Callable[[str], None]
) -> Iterator[dict[str, Any]]:
    """Yield the figures of AutoGluon's ensemble and of each of its students on one split.

    Parameters
    ----------
    python : Path
        Of an environment that holds AutoGluon.
    name, seed, n_rows
        Which table and split, and how many rows to fit on at most.
    limits : Limits
        How long it may take.
    logs : Path
        The folder that its own words about a split are left in.
    tell : callable
        Told what is under way.

    Yields
    ------
    row : dict
        A line of the CSV, ``error`` filled where the peer failed.
    """
    table = load(name)
    X, X_test, y, y_test = split(table, seed, n_rows)
    classes, codes = np.unique(y, return_inverse=True)
    key = {"table": name, "seed": seed, "limit": n_rows}
    settings = {
        "rows": len(y),
        "teacher_limit": limits.teacher,
        "student_limit": limits.student,
        "version": VERSION,
    }
    with tempfile.TemporaryDirectory(prefix="autogluon-") as place:
        folder = Path(place)
        write_split(folder, X, codes, X_test)
        logs.mkdir(parents=True, exist_ok=True)
        fault = _run(python, folder, seed, limits, logs / f"{name}-{seed}.txt", tell)
        if fault:
            yield key | settings | {"model": WHOLE, ERROR: fault}
            return
        found = json.loads((folder / "answers.json").read_text())
        with np.load(folder / "answers.npz") as answers:
            for model in found["models"]:
                proba = answers[model["model"]]
                scores = {"accuracy": accuracy(y_test, proba, classes), "loss": loss(y_test, proba, classes)}
                yield key | settings | model | scores
        yield key | settings | {"model": WHOLE, "part": WHOLE} | found["whole"]


def _run(python: Path, folder: Path, seed: int, limits: Limits, log: Path, tell: Callable[[str], None]) -> str:
    """Run the peer; return what went wrong, if anything."""
    command = [
        *(str(python), str(SCRIPT), str(folder)),
        *("--seed", str(seed)),
        *("--fit-seconds", str(limits.teacher), "--student-seconds", str(limits.student)),
    ]
    # its environment is its own: nothing of ours on the path
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | ONE_THREAD
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=env) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if line.startswith("stage: "):
                    tell(line.removeprefix("stage: ").strip())
        except KeyboardInterrupt:
            # AutoGluon takes Ctrl-C for the end of one model's training
            process.kill()
            raise
    if process.returncode:
        return f"AutoGluon ended with {process.returncode}, see {log}: {' / '.join(log.read_text().splitlines()[-2:])}"
    return ""
