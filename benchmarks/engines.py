"""What scoring costs in Spark, DuckDB, Polars, Dask and Ray, beside ``predict_proba`` of an array in memory.

Run: ``python benchmarks/engines.py`` (some minutes of two cores; ``--rows 100000`` for a quick look)

A default net of (96, 96) units answers a million rows of 10 numbers by the code of docs/recipes/engines.md: Parquet in,
ids and probabilities out to Parquet. Each engine has one worker, then two: processes in Spark, Dask and Ray, threads in
DuckDB and Polars, which call the student in one process. It is started and has scored 20,000 rows before the clock
starts. CPU seconds are those of all its processes, and do not depend on what else the machine does; rows per second do.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

import skdistill
from _common import print_header, print_table
from _pool import ONE_THREAD
from tables import package

N_ROWS, N_COLUMNS, ROWS_TO_WARM, ROWS_IN_GROUP, BATCH_ROWS = 1_000_000, 10, 20_000, 50_000, 10_000
NAMES = [f"x{at}" for at in range(N_COLUMNS)]

#: Scores a Parquet file to Parquet.
Score = Callable[[str, str], Any]


def plain(student: Any, n_workers: int) -> Iterator[Score]:
    """Score an array in memory; nothing is read or written."""
    rows: dict[str, Any] = {}

    def score(source: str, target: str) -> None:
        student.predict_proba(rows[source])

    folder = Path.cwd()
    for name in ("few.parquet", "many.parquet"):
        rows[name] = package("pandas").read_parquet(folder / name, columns=NAMES).to_numpy()
    yield score


def spark(student: Any, n_workers: int) -> Iterator[Score]:
    """Score with ``mapInPandas`` and a broadcast."""
    session = package("pyspark.sql").SparkSession.builder.master(f"local[{n_workers}]").getOrCreate()
    shared = session.sparkContext.broadcast(student)

    def scored(batches: Any) -> Any:
        for batch in batches:
            yield batch[["id"]].assign(proba=shared.value.predict_proba(batch[NAMES])[:, 0])

    yield (
        lambda source, target: (
            session.read.parquet(source).mapInPandas(scored, "id long, proba double").write.parquet(target)
        )
    )
    session.stop()


def duckdb(student: Any, n_workers: int) -> Iterator[Score]:
    """Score with a function on Arrow data."""
    pa, connection = package("pyarrow"), package("duckdb").connect(config={"threads": n_workers})
    row = f"struct_pack({', '.join(f'{name} := {name}' for name in NAMES)})"

    def scored(chunk: Any) -> Any:
        return pa.array(student.predict_proba(pa.Table.from_struct_array(chunk))[:, 0])

    row_type = connection.sql(f"SELECT {row} FROM 'few.parquet'").types[0]
    connection.create_function("score", scored, [row_type], "DOUBLE", type="arrow", null_handling="special")
    yield lambda source, target: connection.sql(f"SELECT id, score({row}) AS proba FROM '{source}'").write_parquet(
        target
    )
    connection.close()


def polars(student: Any, n_workers: int) -> Iterator[Score]:
    """Score with ``map_batches`` of a lazy frame."""
    pl = package("polars")
    schema = {"id": pl.Int64, "proba": pl.Float64}

    def scored(batch: Any) -> Any:
        if batch.is_empty():
            return pl.DataFrame(schema=schema)
        return batch.select("id", proba=student.predict_proba(batch.select(NAMES))[:, 0])

    yield (
        lambda source, target: (
            pl.scan_parquet(source).map_batches(scored, schema=schema, streamable=True).sink_parquet(target)
        )
    )


def _scored_part(part: Any, student: Any) -> Any:
    return part[["id"]].assign(proba=student.predict_proba(part[NAMES])[:, 0] if len(part) else np.empty(0))


def dask(student: Any, n_workers: int) -> Iterator[Score]:
    """Score with ``map_partitions``."""
    distributed, dd = package("distributed"), package("dask.dataframe")
    options = {"n_workers": n_workers, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.SubprocessCluster(**options) as cluster, distributed.Client(cluster) as client:
        shared = client.scatter(student, broadcast=True)

        def score(source: str, target: str) -> None:
            parts = dd.read_parquet(str(Path(source).resolve()), split_row_groups=True)
            scored = parts.map_partitions(_scored_part, shared, meta={"id": "int64", "proba": "float64"})
            scored.to_parquet(str(Path(target).resolve()))

        yield score


def ray(student: Any, n_workers: int) -> Iterator[Score]:
    """Score with ``map_batches`` and one actor for each worker."""
    ray, pa = package("ray"), package("pyarrow")
    ray.init(num_cpus=n_workers + 1, include_dashboard=False, logging_level="error")

    class Scorer:
        def __init__(self, student: Any) -> None:
            self.student = student

        def __call__(self, batch: Any) -> Any:
            proba = self.student.predict_proba(batch.select(NAMES))[:, 0]
            return batch.select(["id"]).append_column("proba", pa.array(proba))

    def score(source: str, target: str) -> None:
        pool = package("ray.data").ActorPoolStrategy(size=n_workers)
        options = {"batch_format": "pyarrow", "batch_size": BATCH_ROWS, "compute": pool}
        rows = package("ray.data").read_parquet(str(Path(source).resolve()))
        rows.map_batches(Scorer, fn_constructor_args=[student], **options).write_parquet(str(Path(target).resolve()))

    yield score
    ray.shutdown()


ENGINES = {"numpy": plain, "Polars": polars, "DuckDB": duckdb, "Dask": dask, "Spark": spark, "Ray": ray}


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and all that descend from it, those that have ended included."""
    psutil = package("psutil")
    total = 0.0
    for process in (here := psutil.Process(), *here.children(recursive=True)):
        try:
            total += sum(process.cpu_times()[:4])
        except psutil.NoSuchProcess:
            # its parent has its seconds
            continue
    return total


def measure(engine: str, n_workers: int) -> dict[str, float]:
    """Score in the working directory, which holds the student and the rows; return seconds and CPU seconds."""
    student = skdistill.load("student.skd")
    with contextmanager(ENGINES[engine])(student, n_workers) as score:
        score("few.parquet", f"few-{engine}-{n_workers}")
        cpu, start = cpu_seconds(), perf_counter()
        score("many.parquet", f"many-{engine}-{n_workers}")
        return {"seconds": perf_counter() - start, "cpu": cpu_seconds() - cpu}


def prepare(n_rows: int) -> None:
    """Write a student and the rows to the working directory."""
    pd, rng = package("pandas"), np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(n_rows, N_COLUMNS)), columns=NAMES)
    y = (X["x0"] * X["x1"] > X["x2"])[:5000]
    skdistill.MLPStudent(max_epochs=3, random_state=0).fit(X[:5000], y).export("student.skd")
    X.insert(0, "id", np.arange(n_rows))
    for name, rows in (("few", X[:ROWS_TO_WARM]), ("many", X)):
        rows.to_parquet(f"{name}.parquet", row_group_size=ROWS_IN_GROUP)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=N_ROWS, help="default: %(default)s")
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args.one[0], int(args.one[1]))))
        return
    print_header("Scoring in engines", "pandas", "pyarrow", "polars", "duckdb", "dask", "pyspark", "ray")
    environment = (
        os.environ
        | ONE_THREAD
        | {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    )
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        prepare(args.rows)
        for engine in dict.fromkeys(["numpy", *args.engines]):
            for workers in [1] if engine == "numpy" else args.workers:
                command = [sys.executable, __file__, "--one", engine, str(workers)]
                threads = environment | {"POLARS_MAX_THREADS": str(workers)}
                done = subprocess.run(command, capture_output=True, text=True, env=threads)
                if done.returncode:
                    sys.exit(f"{engine}: {done.stderr}")
                found[engine, workers] = json.loads(done.stdout.splitlines()[-1])
                print(engine, workers, found[engine, workers], file=sys.stderr)
        os.chdir("/")
    base = found["numpy", 1]
    header = ["engine, workers", "rows/s", "times numpy's", "CPU us/row", "times numpy's"]
    print_table(
        header,
        [
            [
                f"{engine}, {workers}",
                f"{args.rows / one['seconds']:,.0f}",
                f"{base['seconds'] / one['seconds']:.2f}",
                f"{1e6 * one['cpu'] / args.rows:.2f}",
                f"{one['cpu'] / base['cpu']:.2f}",
            ]
            for (engine, workers), one in found.items()
        ],
    )


if __name__ == "__main__":
    main()
