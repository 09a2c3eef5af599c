"""What fitting to a Parquet dataset that is larger than memory takes: the part ``fit`` of scale.py.

Rows have 18 columns of normal numbers and two of twelve levels each, a label of two classes, and the answers of a
teacher whose logits are off by half a unit: 202 MB of Parquet for a million. They are made a million at a time and
written in row groups of 131,072. ``DistilledClassifier(random_state=0)`` is fitted to all of them, by the path, and to
the first million in memory, each in a process of its own of one thread.

Memory is the peak of the process's resident memory less what was resident once all packages were imported. Log-loss is
that of 400,000 fresh rows. The floor is what no such fit can do without: to read the files once into frames, and the
matrix products of the steps that were taken, forward and backward. Times are CPU seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from _common import print_header, print_table
from _pool import ONE_THREAD
from skdistill import DistilledClassifier
from tables import package

Array = NDArray[Any]

N_NUMBERS, N_LEVELS, N_UNITS = 18, 12, 24
ROWS, ROWS_A_FILE, ROWS_A_GROUP, ROWS_TO_SCORE = 20_000_000, 1_000_000, 131_072, 400_000
BATCH, HIDDEN = 256, (96, 96)
MIB = 2**20


def make(number: int, n_rows: int) -> Any:
    """Return rows, labels and answers as a frame: the same for the same number."""
    pd = package("pandas")
    fixed, rng = np.random.default_rng(0), np.random.default_rng([1, number])
    weight, bias = fixed.normal(size=(N_NUMBERS, N_UNITS)) / np.sqrt(N_NUMBERS) * 2, fixed.normal(size=N_UNITS)
    last, effects = fixed.normal(size=N_UNITS) / np.sqrt(N_UNITS) * 3, fixed.normal(size=(2, N_LEVELS)) * 0.8
    X, levels = rng.normal(size=(n_rows, N_NUMBERS)), rng.integers(0, N_LEVELS, size=(n_rows, 2))
    logits = np.tanh(X @ weight + bias) @ last + np.sin(3 * X[:, 1] * X[:, 2])
    logits += effects[0][levels[:, 0]] + effects[1][levels[:, 1]] * X[:, 0]
    y = (rng.random(n_rows) < 1 / (1 + np.exp(-logits))).astype(np.int8)
    answers = 1 / (1 + np.exp(-logits - 0.5 * rng.normal(size=n_rows)))
    frame = pd.DataFrame(X, columns=[f"x{at}" for at in range(N_NUMBERS)])
    for at in range(2):
        frame[f"c{at}"] = pd.Categorical.from_codes(levels[:, at], [f"level {level}" for level in range(N_LEVELS)])
    return frame.assign(y=y, p0=1 - answers, p1=answers)


def write(folder: Path, n_rows: int) -> None:
    """Write the files that are not there yet."""
    pa, pq = package("pyarrow"), package("pyarrow.parquet")
    for number, start in enumerate(range(0, n_rows, ROWS_A_FILE)):
        path = folder / f"part{number:03d}.parquet"
        if not path.exists():
            frame = make(number, min(ROWS_A_FILE, n_rows - start))
            pq.write_table(pa.Table.from_pandas(frame), path, row_group_size=ROWS_A_GROUP)


def rows_of(frame: Any) -> Any:
    """Return the columns of the rows."""
    return frame.drop(columns=["y", "p0", "p1"])


def fit(folder: Path, in_memory: bool) -> dict[str, Any]:
    """Fit to a folder, or to its first file in memory; return what it took and gave."""
    import pyarrow.dataset  # noqa: F401
    import sklearn.metrics

    import skdistill.student._mlp_training  # noqa: F401, torch is no part of what the fit takes

    before = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    start, model = process_time(), DistilledClassifier(random_state=0)
    if in_memory:
        frame = package("pandas").read_parquet(folder / "part000.parquet")
        model.fit(rows_of(frame), frame["y"].to_numpy(), teacher_proba=frame[["p0", "p1"]].to_numpy())
    else:
        model.fit(str(folder), "y", teacher_proba=["p0", "p1"])
    seconds = process_time() - start
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    fresh, report = make(10**6, ROWS_TO_SCORE), model.distillation_report_
    first: Any = next(op for op in model.program_.ops if hasattr(op, "offsets"))
    return {
        "seconds": seconds,
        "peak": peak,
        "log_loss": float(sklearn.metrics.log_loss(fresh["y"], model.predict_proba(rows_of(fresh)))),
        "n_rows": report["n_rows"],
        "n_steps": report["n_steps"],
        "n_inputs": len(first.weight),
        "stopped": report["stopped"],
        "curve": report["learning_curve"],
    }


def floor(folder: Path, n_steps: int, n_inputs: int) -> dict[str, float]:
    """Return the CPU seconds of reading the files once, and of the products of steps."""
    import torch

    pq = package("pyarrow.parquet")
    torch.set_num_threads(1)
    start = process_time()
    for path in sorted(folder.glob("*.parquet")):
        for batch in pq.ParquetFile(path).iter_batches(ROWS_A_GROUP, use_threads=False):
            batch.to_pandas()
    reading = process_time() - start
    sizes = [n_inputs, *HIDDEN, 1]
    layers = [(torch.randn(BATCH, a), torch.randn(a, b), torch.randn(BATCH, b)) for a, b in pairwise(sizes)]
    start, few = process_time(), 500
    for _ in range(few):
        for at, (inputs, weight, slopes) in enumerate(layers):
            inputs @ weight
            inputs.T @ slopes
            if at:
                slopes @ weight.T
    return {"reading": reading, "products": (process_time() - start) / few * n_steps}


def in_a_process(*arguments: object) -> dict[str, Any]:
    """Run a part of this file in a process of its own, of one thread."""
    command = [sys.executable, __file__, *map(str, arguments)]
    done = subprocess.run(command, env={**os.environ, **ONE_THREAD}, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def report(whole: dict[str, Any], memory: dict[str, Any], least: dict[str, float], n_rows: int) -> None:
    """Print what was found."""
    seen = whole["curve"][-1]["n_rows"] - whole["curve"][0]["n_rows"]
    lines: list[tuple[str, dict[str, Any]]] = [
        (f"all {n_rows:,}, by path", whole),
        (f"the first {min(n_rows, ROWS_A_FILE):,}, in memory", memory),
    ]
    names = ["rows", "MiB beyond imports", "log-loss", "CPU seconds", "steps"]
    cells = [[f"{one['peak'] / MIB:,.0f}", f"{one['log_loss']:.5f}", f"{one['seconds']:,.0f}"] for _, one in lines]
    print_table(
        names,
        [[name, *own, f"{one['n_steps']:,}"] for (name, one), own in zip(lines, cells, strict=True)],
    )
    each, total = 1e6 / n_rows, sum(least.values())
    print(f"\nStopped: {whole['stopped']}, after {seen:,.0f} rows in blocks. Held-out loss by rows seen:")
    points = whole["curve"][:: max(1, len(whole["curve"]) // 12)]
    print_table(["rows", "loss"], [[f"{one['n_rows']:,.0f}", f"{one['loss']:.5f}"] for one in points])
    print(
        f"\nCPU seconds for a million rows: {whole['seconds'] * each:.1f}; the floor is {total * each:.1f}: reading "
        f"{least['reading'] * each:.1f}, products {least['products'] * each:.1f}; ratio {whole['seconds'] / total:.1f}"
    )


def add_parser(parts: Any) -> None:
    """Add this part to a command line."""
    part = parts.add_parser("fit", help="rows that are larger than memory")
    part.add_argument("--rows", type=int, default=ROWS, help="default: %(default)s")
    part.add_argument("--folder", type=Path, help="where the rows are kept; a temporary folder, if none is given")


def command(args: argparse.Namespace) -> None:
    """Run this part."""
    print_header("Fitting to more rows than memory", "pyarrow", "pandas", "torch", "scikit-learn")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) if args.folder is None else args.folder
        folder.mkdir(parents=True, exist_ok=True)
        write(folder, args.rows)
        whole = in_a_process("whole", folder)
        print(json.dumps(whole), file=sys.stderr)
        memory = in_a_process("memory", folder)
        report(whole, memory, in_a_process("floor", folder, whole["n_steps"], whole["n_inputs"]), args.rows)


if __name__ == "__main__":
    if sys.argv[1] == "floor":
        print(json.dumps(floor(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
    else:
        print(json.dumps(fit(Path(sys.argv[2]), sys.argv[1] == "memory")))
