"""More rows than memory: what labelling on two workers gives, beside a loop on one core, and what memory it takes.

Run: ``python benchmarks/scale.py label`` (some hour of two cores; ``--rows 100000 200000`` for a quick look)

The part ``fit`` is on fitting out of core (``_scale_fit.py``); ``paper`` computes 100 M rows (``_paper.py``).

Rows have 20 columns of normal numbers and are made partition by partition, where they are answered. The teachers are
LightGBM of 300 rounds and a forest of 100 trees, no deeper than 14, which keeps 16 million rows affordable; they are
fitted on 50,000 rows. One machine runs Dask's scheduler, two workers of one thread and the calling client, each a
process of its own, fresh for each number of rows. ``skdistill.dask.label`` makes the rows, asks the teacher and writes
rows and answers to Parquet.

The loop makes the rows of a partition, calls ``predict_proba`` and drops the answers, in the calling process. Half of
its partitions are timed before the labelling and half after it. CPU seconds hardly depend on what else the machine
does: two workers can be no faster than twice the loop's CPU seconds by theirs, for the same rows. Those of the workers
are of the threads that label; Dask's own threads take 1 or 2 % of a core besides. Of both the start is left out:
importing packages, and the first questions.

Memory is the high-water mark of each process's resident memory, with the interpreter and all packages.

Last, all of it is killed when half of the files are there, and run again. The teacher notes each question in a file.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time, thread_time
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

import _scale_fit
from _common import print_header, print_table
from _paper import add_arguments, paper_command
from _pool import ONE_THREAD
from tables import package

Array = NDArray[Any]

N_COLUMNS, N_ROUNDS, N_TREES, MAX_DEPTH = 20, 300, 100, 14
ROWS = (1_000_000, 4_000_000, 16_000_000)
ROWS_TO_FIT, PARTITION_ROWS, LOOP_PARTITIONS = 50_000, 125_000, 6
ROWS_TO_KILL, PARTITIONS_TO_KILL = 1_000_000, 40
MIB = 2**20


def make(number: int, n_rows: int) -> Any:
    """Return the rows of a partition, a frame: the same for the same number."""
    rows = np.random.default_rng([7, number]).normal(size=(n_rows, N_COLUMNS))
    return package("pandas").DataFrame(rows, columns=[f"x{at}" for at in range(N_COLUMNS)])


def labels(frame: Any) -> Array:
    """Return labels of two classes for rows."""
    X = frame.to_numpy()
    logits = 2 * np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] - X[:, 3] + 0.5 * X[:, 4] ** 2
    return (logits + np.random.default_rng(8).logistic(size=len(X)) > 0).astype(int)


def collection(n_rows: int, partition_rows: int) -> Any:
    """Return a Dask DataFrame whose partitions are made when they are asked for."""
    sizes = [min(partition_rows, n_rows - start) for start in range(0, n_rows, partition_rows)]
    from_map = package("dask.dataframe").from_map
    return from_map(make, range(len(sizes)), sizes, meta=make(0, 1)[:0])


class Noting:
    """A fitted classifier that notes in a file the partition's first number each time it has answered one.

    Parameters
    ----------
    model : estimator
        The classifier.
    log : path-like
        The file.
    """

    def __init__(self, model: Any, log: str) -> None:
        self.model, self.log, self.classes_ = model, log, model.classes_

    def fit(self, X: Any, y: Any) -> Noting:
        """Refuse: it has been fitted."""
        raise AssertionError("a fitted teacher is not fitted again")

    def predict_proba(self, X: Any) -> Array:
        """Return the model's answers, and note the question."""
        proba = self.model.predict_proba(X)
        with open(self.log, "a") as file:
            file.write(f"{X.iloc[0, 0]!r} {len(X)}\n")
        return proba


def fit_teachers(folder: Path) -> dict[str, Path]:
    """Fit the teachers and keep them; return the file of each."""
    X = make(1_000_000, ROWS_TO_FIT)
    models = {
        f"LightGBM-{N_ROUNDS}": package("lightgbm").LGBMClassifier(
            n_estimators=N_ROUNDS, n_jobs=1, random_state=0, verbose=-1
        ),
        f"forest of {N_TREES}": RandomForestClassifier(N_TREES, max_depth=MAX_DEPTH, random_state=0),
    }
    paths = {name: folder / f"{at}.joblib" for at, name in enumerate(models)}
    for name, model in models.items():
        joblib.dump(model.fit(X, labels(X)), paths[name])
    return paths


def peak_of(pid: int) -> int:
    """Return the high-water mark of a process's resident memory, in bytes, as Linux states it in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


@contextmanager
def cluster() -> Iterator[Any]:
    """Start a scheduler and two workers of one thread, each in a process of its own; yield a client."""
    distributed = package("distributed")
    # Dask's workers return freed memory to the system at once by default, which takes a tenth of a forest's time
    os.environ |= {"MALLOC_TRIM_THRESHOLD_": str(256 * MIB), "MALLOC_MMAP_THRESHOLD_": str(256 * MIB)}
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.SubprocessCluster(worker_kwargs={"memory_limit": None}, **options) as running,
        distributed.Client(running) as client,
    ):
        client.wait_for_workers(2, timeout=120)
        yield client


def labelling_seconds(client: Any) -> float:
    """Return the CPU seconds that the workers' threads for tasks have taken, one of each worker."""
    asked = [client.submit(thread_time, workers=[one], pure=False) for one in client.scheduler_info()["workers"]]
    return sum(client.gather(asked))


def plain(teacher: Any, numbers: Sequence[int], n_rows: int) -> tuple[float, float]:
    """Return the seconds and the CPU seconds of a loop over partitions."""
    start, cpu_start = perf_counter(), process_time()
    for number in numbers:
        teacher.predict_proba(make(number, n_rows))
    return perf_counter() - start, process_time() - cpu_start


def measure(path: Path, n_rows: int, partition_rows: int) -> dict[str, float]:
    """Label rows on two workers, and time the loop before and after."""
    from skdistill.dask import label

    teacher, rows = joblib.load(path), collection(n_rows, partition_rows)
    n_loop = min(LOOP_PARTITIONS, rows.npartitions // 2) // 2
    with tempfile.TemporaryDirectory() as spool, cluster() as client:
        plain(teacher, [0], 1000)
        with tempfile.TemporaryDirectory() as few:
            label(teacher, collection(2000, 500), few)
        before = plain(teacher, range(n_loop), partition_rows)
        cpu_start, start = labelling_seconds(client), perf_counter()
        manifest = label(teacher, rows, spool)
        seconds, cpu_end = perf_counter() - start, labelling_seconds(client)
        after = plain(teacher, range(n_loop, 2 * n_loop), partition_rows)
        peaks = [peak_of(pid) for pid in client.run(os.getpid).values()]
        found = {
            "scheduler": peak_of(client.run_on_scheduler(os.getpid)),
            "client": peak_of(os.getpid()),
            "worker": max(peaks),
            "disk": sum(file.stat().st_size for file in Path(spool).iterdir()),
        }
    assert manifest["n_rows"] == manifest["n_asked"] == n_rows
    n_looped = 2 * n_loop * partition_rows
    return found | {
        "label": n_rows / seconds,
        "loop": n_looped / (before[0] + after[0]),
        "label_cpu": (cpu_end - cpu_start) / n_rows,
        "loop_cpu": (before[1] + after[1]) / n_looped,
    }


def label_once(path: Path, n_rows: int, partition_rows: int, spool: Path) -> dict[str, float]:
    """Label rows to a spool that may be begun."""
    from skdistill.dask import label

    with cluster():
        manifest = label(Noting(joblib.load(path), f"{spool}.log"), collection(n_rows, partition_rows), spool)
    return {"n_asked": manifest["n_asked"], "n_rows": manifest["n_rows"]}


def in_a_process(*arguments: object) -> dict[str, float]:
    """Return what this script prints in a fresh process that holds to one thread."""
    done = subprocess.run(_command(*arguments), check=True, stdout=subprocess.PIPE, text=True, env=_environment())
    return json.loads(done.stdout.splitlines()[-1])


def _command(*arguments: object) -> list[str]:
    return [sys.executable, __file__, *map(str, arguments)]


def _environment() -> dict[str, str]:
    # workers and scheduler import what this script imports
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    return os.environ | ONE_THREAD | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def kill_and_resume(path: Path, n_rows: int, folder: Path) -> dict[str, float]:
    """Kill client, scheduler and workers when half of the files are there, label again, and count the questions."""
    spool, partition_rows = folder / "spool", n_rows // PARTITIONS_TO_KILL
    arguments = ("_once", path, n_rows, partition_rows, spool)
    running = subprocess.Popen(_command(*arguments), env=_environment(), start_new_session=True, stdout=subprocess.PIPE)
    while len(list(spool.glob("part-*.parquet"))) < PARTITIONS_TO_KILL // 2:
        assert running.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    time.sleep(1)
    kept = sorted(spool.glob("part-*.parquet"))
    first = Counter(line.split()[0] for line in Path(f"{spool}.log").read_text().splitlines())
    again = in_a_process(*arguments)
    lines = [line.split() for line in Path(f"{spool}.log").read_text().splitlines()]
    total = Counter(value for value, _ in lines)
    return {
        "rows": n_rows,
        "kept": len(kept) * partition_rows,
        "asked_again": again["n_asked"],
        "in_flight": (sum(first.values()) - len(kept)) * partition_rows,
        "in_spool": package("pyarrow.dataset").dataset(spool).count_rows(),
        "once": sum(count == 1 for count in total.values()) * partition_rows,
        "asked": sum(int(size) for _, size in lines),
    }


def report(found: dict[tuple[str, int], dict[str, float]]) -> None:
    """Print speed and memory for each teacher and number of rows."""
    print("Two workers beside a loop on one core\n")
    header = ["teacher, rows", "loop, rows/s", "label, rows/s", "times", "loop, CPU us/row", "label, CPU us/row"]
    print_table(
        [*header, "times at most"],
        [
            [
                f"{name}, {n_rows:,}",
                f"{one['loop']:,.0f}",
                f"{one['label']:,.0f}",
                f"{one['label'] / one['loop']:.2f}",
                f"{1e6 * one['loop_cpu']:.2f}",
                f"{1e6 * one['label_cpu']:.2f}",
                f"{2 * one['loop_cpu'] / one['label_cpu']:.2f}",
            ]
            for (name, n_rows), one in found.items()
        ],
    )
    print("\nPeak of resident memory, MiB\n")
    print_table(
        ["teacher, rows", "scheduler", "a worker", "client", "Parquet, MiB"],
        [
            [
                f"{name}, {n_rows:,}",
                *(f"{one[part] / MIB:,.0f}" for part in ("scheduler", "worker", "client", "disk")),
            ]
            for (name, n_rows), one in found.items()
        ],
    )


def report_kill(found: dict[str, float]) -> None:
    """Print what was asked in two runs of which the first was killed."""
    print("\nKilled when half of the files were there, and run again\n")
    names = {
        "rows": "rows",
        "kept": "in the spool when it was killed",
        "asked_again": "asked by the second run",
        "in_spool": "in the spool in the end",
        "once": "asked once in both runs",
        "in_flight": "answered when it was killed, and not yet written",
        "asked": "asked in both runs",
    }
    print_table(["", "rows"], [[called, f"{found[name]:,.0f}"] for name, called in names.items()])


def label_command(args: argparse.Namespace) -> None:
    """Run the part on labelling."""
    print_header("Labelling on two workers", "dask", "distributed", "pyarrow", "scikit-learn", "lightgbm")
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        teachers = fit_teachers(folder)
        found = {}
        for called, path in teachers.items():
            for n_rows in args.rows:
                found[called, n_rows] = in_a_process("_measure", path, n_rows, args.partition_rows)
                print(f"{called}, {n_rows:,}: {json.dumps(found[called, n_rows])}", file=sys.stderr)
        report(found)
        if args.kill:
            report_kill(kill_and_resume(next(iter(teachers.values())), args.kill, folder))


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description="Labelling and fitting more rows than memory holds.")
    parts = parser.add_subparsers(dest="part", required=True)
    label = parts.add_parser("label", help="two workers beside one core, and their memory")
    label.add_argument("--rows", type=int, nargs="+", default=list(ROWS), help="default: %(default)s")
    label.add_argument("--partition-rows", type=int, default=PARTITION_ROWS, help="default: %(default)s")
    label.add_argument("--kill", type=int, default=ROWS_TO_KILL, help="rows of the run that is killed; 0 for none")
    label.add_argument("--folder", help="where some 3 GB of Parquet go for a while")
    add_arguments(parts.add_parser("paper", help="what 100 M rows take with more workers, from measured rates"))
    _scale_fit.add_parser(parts)
    for name, call in (("_measure", measure), ("_once", label_once)):
        inner = parts.add_parser(name, help="in a process of its own, as JSON")
        inner.add_argument("path", type=Path)
        inner.add_argument("n_rows", type=int)
        inner.add_argument("partition_rows", type=int)
        if call is label_once:
            inner.add_argument("spool", type=Path)
    return parser.parse_args(arguments)


def main() -> None:
    args = parse()
    given = {name: value for name, value in vars(args).items() if name != "part"}
    if args.part == "_measure":
        print(json.dumps(measure(**given)))
    elif args.part == "_once":
        print(json.dumps(label_once(**given)))
    elif args.part == "paper":
        paper_command(args)
    elif args.part == "fit":
        _scale_fit.command(args)
    else:
        label_command(args)


if __name__ == "__main__":
    main()
