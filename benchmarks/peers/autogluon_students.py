"""AutoGluon's distilled students on one split; run by retention.py in an environment of its own.

Run: ``python autogluon_students.py FOLDER --fit-seconds 120 --student-seconds 60 --seed 0``

FOLDER holds ``train.csv`` (the rows and, last, their label ``__label__``, a whole number from 0),
``test.csv`` (the rows) and ``columns.json`` (the dtype of each column). Left there are
``answers.npz``, for each model the probabilities of the test rows, shape (n_rows, n_classes); and
``answers.json``, for each model its part (teacher, student or ensemble of the students) and its times.

The teacher is the ensemble that ``TabularPredictor.fit`` ends with; the students are those that
``predictor.distill`` makes by default (LightGBM, CatBoost, random forest, a torch net), on rows
that it augments by default, each with a time limit of its own, so that none of them goes without.
Limits are in seconds of this process's CPU, one thread: a busy machine cuts nobody short.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np

LABEL = "__label__"
#: What predictor.distill() takes where nothing is said.
STUDENTS = ("GBM", "CAT", "NN_TORCH", "RF")
#: One row is timed for so long, in seconds, but so often at least and at most.
TIMING_SECONDS, MIN_CALLS, MAX_CALLS = 3.0, 20, 200


def read(folder: Path) -> tuple[Any, Any]:
    """Return the rows to fit on, labels included, and the rows to score."""
    read_csv = import_module("pandas").read_csv
    dtypes: dict[str, Any] = json.loads((folder / "columns.json").read_text())

    def frame(name: str, dtypes: dict[str, Any]) -> Any:
        path = folder / name
        return read_csv(path, dtype=dtypes, keep_default_na=False, na_values=[""], float_precision="round_trip")

    return frame("train.csv", dtypes | {LABEL: "int64"}), frame("test.csv", dtypes)


def one_row_seconds(call: Callable[[Any], object], rows: Any) -> tuple[float, float]:
    """Return the median time of a call with one row, in seconds: by the clock, and of this process."""
    singles = [rows.iloc[[index]] for index in range(min(MAX_CALLS, len(rows)))]
    call(singles[0])
    wall: list[float] = []
    cpu: list[float] = []
    start = perf_counter()
    for index in range(MAX_CALLS):
        if index >= MIN_CALLS and perf_counter() - start > TIMING_SECONDS:
            break
        row = singles[index % len(singles)]
        before, before_cpu = perf_counter(), process_time()
        call(row)
        cpu.append(process_time() - before_cpu)
        wall.append(perf_counter() - before)
    return median(wall), median(cpu)


def _part(name: str, teacher: str) -> str:
    if name == teacher:
        return "teacher"
    # distill() ends with an ensemble of the students it has made
    return "ensemble" if name.startswith("WeightedEnsemble") else "student"


def count_cpu_seconds() -> None:
    """Let whoever asks for the time, and AutoGluon keeps its limits by that, have this process's CPU time."""
    start = time.time()
    time.time = lambda: start + process_time()


def stage(text: str) -> None:
    """Tell whoever started this what is under way."""
    print(f"stage: {text}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="AutoGluon's distilled students on one split.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fit-seconds", type=float, required=True, help="time limit of the teacher's fit")
    parser.add_argument("--student-seconds", type=float, required=True, help="time limit of each student's fit")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    # what draws the augmented rows has no seed of its own
    random.seed(args.seed)
    np.random.seed(args.seed)  # noqa: NPY002
    train, test = read(args.folder)
    count_cpu_seconds()
    n_classes = int(train[LABEL].max()) + 1
    predictor_type = import_module("autogluon.tabular").TabularPredictor
    start, start_cpu = perf_counter(), process_time()
    stage("the teacher")
    predictor = predictor_type(
        LABEL,
        problem_type="binary" if n_classes == 2 else "multiclass",
        path=str(args.folder / "predictor"),
        verbosity=2,
    ).fit(train, time_limit=args.fit_seconds, num_cpus=1, num_gpus=0)
    fit_seconds, fit_cpu = perf_counter() - start, process_time() - start_cpu
    teacher = predictor.model_best
    stage("the students")
    start, start_cpu = perf_counter(), process_time()
    limits = {"ag.max_time_limit": args.student_seconds, "ag.num_cpus": 1, "ag.num_gpus": 0}
    students = predictor.distill(
        hyperparameters={kind: dict(limits) for kind in STUDENTS},
        # the augmentation is taken from it too
        time_limit=args.student_seconds * (len(STUDENTS) + 1),
    )
    distil_seconds, distil_cpu = perf_counter() - start, process_time() - start_cpu
    stage("one row at a time")
    predictor.persist([teacher, *students])
    info = predictor.leaderboard(silent=True).set_index("model")
    answers, models = {}, []
    for name in [teacher, *students]:
        proba = predictor.predict_proba(test, model=name)
        # it leaves out a class that is too rare
        answers[name] = proba.reindex(columns=range(n_classes), fill_value=0.0).to_numpy(dtype=np.float64)
        wall, cpu = one_row_seconds(partial(predictor.predict_proba, model=name), test)
        models.append(
            {
                "model": name,
                "part": _part(name, teacher),
                "fit_seconds": float(info.loc[name, "fit_time"]),
                "row_us": 1e6 * wall,
                "row_cpu_us": 1e6 * cpu,
            }
        )
    np.savez_compressed(args.folder / "answers.npz", **answers)
    whole = {
        "teacher_seconds": fit_seconds,
        "teacher_cpu": fit_cpu,
        "distil_seconds": distil_seconds,
        "distil_cpu": distil_cpu,
    }
    (args.folder / "answers.json").write_text(json.dumps({"models": models, "whole": whole}, indent=1))
    shutil.rmtree(args.folder / "predictor")


if __name__ == "__main__":
    main()
