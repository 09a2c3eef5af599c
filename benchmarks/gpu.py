"""When training a net on a GPU pays: seconds of a fit with ``device="cuda"`` over those on one processor core.

Run: ``python benchmarks/gpu.py`` (three minutes on a machine with a GPU; ``--rows 20000`` for a quick look)

Rows of 20 numbers are fitted by MLPStudent to their labels. Encoding them takes place on the processor, whatever the
device, and once in a fit, so it is timed apart. "Fit" is what encoding and 30 epochs take on the GPU over what they
take on the core, where training uses one thread. Times are of the clock, since no processor counts those of a GPU.

Needs numpy, scikit-learn and a torch that finds the GPU; ``--device cpu`` tries the script without one.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from time import perf_counter
from typing import Any
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray

from _common import print_header, print_table
from skdistill import MLPStudent
from skdistill.student import _mlp_training

Array = NDArray[Any]
#: Rows, and the epochs that are timed.
ROWS = {20_000: 20, 200_000: 3, 1_000_000: 2}
SIZES = ((96, 96), (256, 256))
BATCHES: tuple[int | str, ...] = ("auto", 8_192)
EPOCHS_OF_A_FIT = 30


def made(n_rows: int) -> tuple[Array, Array]:
    """Return rows of 20 numbers, and labels that depend on products of them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 20))
    return X, (X[:, 0] * X[:, 1] + X[:, 2] + rng.normal(size=n_rows) > 0).astype(int)


def seconds(student: MLPStudent, X: Array, y: Array) -> tuple[float, float]:
    """Return what a fit takes before and after training, and what an epoch takes."""
    trained = 0.0

    def timed(*args: Any, train: Any = _mlp_training.train_nets, **kwargs: Any) -> Any:
        nonlocal trained
        start = perf_counter()
        nets = train(*args, **kwargs)
        trained = perf_counter() - start
        return nets

    start = perf_counter()
    with mock.patch.object(_mlp_training, "train_nets", timed):
        student.fit(X, y)
    return perf_counter() - start - trained, trained / len(student.history_)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=list(ROWS), help="numbers of rows")
    parser.add_argument("--device", default="cuda", help="what is compared with the processor")
    options = parser.parse_args(arguments)

    print_header("Training a net: a GPU over one processor core", "torch")
    on_gpu = torch.device(options.device).type == "cuda"
    print(f"  device    {torch.cuda.get_device_name(options.device) if on_gpu else options.device}", end="\n\n")
    # the first call on a GPU starts its libraries
    MLPStudent((8,), max_epochs=1, device=options.device).fit(*made(1_000))
    table = []
    for n_rows in options.rows:
        X, y = made(n_rows)
        for size in SIZES:
            for batch_size in BATCHES:
                shared: dict[str, Any] = {
                    "max_epochs": ROWS.get(n_rows, 3),
                    "batch_size": batch_size,
                    "random_state": 0,
                }
                encoding, core = seconds(MLPStudent(size, **shared), X, y)
                _, gpu = seconds(MLPStudent(size, **shared, device=options.device), X, y)
                fits = [encoding + EPOCHS_OF_A_FIT * epoch for epoch in (gpu, core)]
                cells = [
                    f"{encoding:.2f}",
                    f"{core:.3f}",
                    f"{gpu:.3f}",
                    f"{gpu / core:.2f}",
                    f"{fits[0] / fits[1]:.2f}",
                ]
                table.append([f"{n_rows:,}", str(size), str(batch_size), *cells])
                print(*table[-1], flush=True)
    header = [
        "rows",
        "net",
        "rows a step",
        "encoding, s",
        "epoch, core, s",
        "epoch, GPU, s",
        "epoch, ratio",
        "fit, ratio",
    ]
    print()
    print_table(header, table)


if __name__ == "__main__":
    main()
