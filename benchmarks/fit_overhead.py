"""What a fit costs: over a bare torch loop, over the teacher's own fit, and over the training of nets.

Run: ``python benchmarks/fit_overhead.py`` (some five minutes; ``--loop``, ``--teacher`` or ``--wide`` for one
of the three; the second needs lightgbm, the third pandas)

Of the first, both sides train the same net from the same targets: as many steps, batches of the same size, AdamW
with the same settings, one thread. The bare loop is what one would write by hand, tensors at hand
and nothing else: shuffle, slice, forward, loss, backward, step. MLPStudent's fit also checks and
encodes the rows, schedules the learning rate, keeps history and compiles the Program; all of that
is in its time.

Two losses are measured: labels alone, where the bare loop calls ``cross_entropy``; and the
distillation loss, where it computes both terms.

Of the second, a teacher is fitted, and students of it; what they take includes asking it. Both are in
CPU seconds, on one thread.

Of the third, default fits of wide frames are parted into the nets' training, the reading of the table (checks, and the
encoding of rows for nets) and all else: new rows, soft labels, choices. What the teacher, which is fitted beforehand,
takes to answer is left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from statistics import median
from time import process_time
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from torch import Tensor, nn
from torch.nn import functional

from _common import median_seconds, one_thread, print_header, print_table
from skdistill import DistilledClassifier, MLPStudent
from skdistill.distil import _story
from skdistill.losses import CrossEntropy
from skdistill.student import NetTable, _mlp_training
from skdistill.tasks import CLASSES
from tables import package

Array = NDArray[np.float64]

LEARNING_RATE, WEIGHT_DECAY = 2e-3, 1e-4
TEMPERATURE, ALPHA = 2.0, 0.5
REPEATS = 7
#: rows, classes, hidden_layer_sizes, batch_size, epochs
CASES: list[tuple[int, int, tuple[int, ...], int, int]] = [
    (20_000, 2, (128, 128), 256, 10),
    (20_000, 10, (128, 128), 256, 10),
    (4_000, 2, (64,), 64, 12),
]
N_TREES, N_ROUNDS = 500, 300
#: rows, classes
OWN = [(2_000, 2), (20_000, 2)]
#: What students are made of, in the order of the table.
STUDENTS: list[dict[str, Any]] = [{}, {"alpha": 0.5}, {"student": "linear"}, {"student": "tree"}]
#: Rows and columns of wide frames, and the share of a fit, without its reading, that may be outside training.
WIDE = [(133, 500), (1_500, 1_500)]
OUTSIDE = 0.10
WIDE_SEEDS = range(9)


def bare_loop(
    Z: Tensor,
    labels: Tensor,
    soft: Tensor | None,
    hidden_layer_sizes: tuple[int, ...],
    batch_size: int,
    epochs: int,
    *,
    fused: bool,
) -> None:
    """Train a net on labels, or on labels and soft targets, with torch alone."""
    n_classes = int(labels.max()) + 1
    layers: list[nn.Module] = []
    width = Z.shape[1]
    for size in hidden_layer_sizes:
        layers += [nn.Linear(width, size), nn.ReLU()]
        width = size
    net = nn.Sequential(*layers, nn.Linear(width, n_classes))
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=fused)
    for _ in range(epochs):
        order = torch.randperm(len(Z))
        for start in range(0, len(Z), batch_size):
            rows = order[start : start + batch_size]
            logits = net(Z[rows])
            loss = functional.cross_entropy(logits, labels[rows])
            if soft is not None:
                log_q = torch.log_softmax(logits / TEMPERATURE, dim=1)
                divergence = functional.kl_div(log_q, soft[rows], reduction="batchmean")
                loss = ALPHA * TEMPERATURE**2 * divergence + (1 - ALPHA) * loss
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()


def measure(
    n_rows: int, n_classes: int, hidden_layer_sizes: tuple[int, ...], batch_size: int, epochs: int
) -> list[list[str]]:
    """Return a row of the table for each loss."""
    X, y = make_classification(n_rows, 20, n_informative=12, n_classes=n_classes, random_state=0)
    proba = np.random.default_rng(0).dirichlet(np.ones(n_classes), n_rows)
    student = MLPStudent(
        hidden_layer_sizes,
        numeric="standard",
        max_epochs=epochs,
        batch_size=batch_size,
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        early_stopping=False,
        random_state=0,
    )
    Z = torch.as_tensor(X, dtype=torch.float32)
    labels = torch.as_tensor(y)
    soft = torch.as_tensor(proba, dtype=torch.float32)
    targets = CLASSES.targets(proba, np.unique(y), y, loss=CrossEntropy(TEMPERATURE), alpha=ALPHA)
    fits: list[tuple[str, Tensor | None, Callable[[], object]]] = [
        ("labels", None, lambda: student.fit(X, y)),
        ("distillation", soft, lambda: student.fit_targets(X, targets)),
    ]
    rows = []
    for name, answers, fit in fits:

        def loop(fused: bool, answers: Tensor | None = answers) -> None:
            bare_loop(Z, labels, answers, hidden_layer_sizes, batch_size, epochs, fused=fused)

        calls = [fit, lambda: loop(True), lambda: loop(False)]
        ours, fused, plain = median_seconds(calls, REPEATS, clock=process_time)
        rows.append(
            [
                name,
                "-".join(map(str, (X.shape[1], *hidden_layer_sizes, n_classes))),
                f"{epochs} x {-(-n_rows // batch_size)}",
                str(batch_size),
                f"{ours:.2f}",
                f"{fused:.2f}",
                f"{plain:.2f}",
                f"{ours / fused:.2f}",
                f"{ours / plain:.2f}",
            ]
        )
    return rows


def own_fit(n_rows: int, n_classes: int) -> list[list[str]]:
    """Return a row of the table for each teacher."""
    X, y = make_classification(n_rows, 20, n_informative=12, n_classes=n_classes, flip_y=0.1, random_state=0)
    boosted = package("lightgbm").LGBMClassifier(n_estimators=N_ROUNDS, n_jobs=1, random_state=0, verbose=-1)
    teachers = {
        f"forest, {N_TREES} trees": RandomForestClassifier(N_TREES, random_state=0),
        f"LightGBM, {N_ROUNDS} rounds": boosted,
    }
    rows = []
    for name, teacher in teachers.items():
        own = cpu_seconds(teacher, X, y)
        ours = [cpu_seconds(DistilledClassifier(teacher, random_state=0, **params), X, y) for params in STUDENTS]
        cells = [f"{seconds:.1f}" for seconds in (own, *ours)]
        rows.append([name, f"{n_rows:,}", str(n_classes), *cells, f"{ours[0] / own:.2f}", f"{ours[1] / own:.2f}"])
    return rows


def cpu_seconds(model: Any, X: Array, y: Array) -> float:
    """Return the CPU seconds of a fit."""
    start = process_time()
    model.fit(X, y)
    return process_time() - start


def loops() -> None:
    """Print what MLPStudent's fit costs over a bare torch loop."""
    rows = [row for case in CASES for row in measure(*case)]
    header = ["loss", "net", "epochs x steps", "batch", "fit, s", "fused, s", "plain, s", "fit / fused", "fit / plain"]
    print_table(header, rows)
    print("\nfit: MLPStudent. fused, plain: the bare loop with AdamW(fused=True) and AdamW(fused=False).")
    print(f"CPU seconds, medians of {REPEATS} runs of each, taken in turn. Expected: fit / fused of 1.2 or less.\n")


def teachers() -> None:
    """Print what distilled students cost over their teachers' own fits."""
    rows = [row for case in OWN for row in own_fit(*case)]
    header = ["teacher", "rows", "classes", "teacher, s", "default, s", "plain, s", "linear, s", "tree, s"]
    print_table([*header, "default / teacher", "plain / teacher"], rows)
    print("\nCPU seconds of one fit, the asking of the teacher included. default: DistilledClassifier(teacher).")
    print('plain: with alpha=0.5. linear, tree: with student="linear", "tree".')


def clocked(seconds: list[float], function: Callable[..., Any], *args: Any, **params: Any) -> Any:
    """Call a function, and append the CPU seconds that it took."""
    start = process_time()
    answer = function(*args, **params)
    seconds.append(process_time() - start)
    return answer


def wide_fit(n_rows: int, n_columns: int, seed: int = 0) -> tuple[float, float, float, float]:
    """Return the CPU seconds of a fit, and those of them in the teacher's answers, in reading and in training."""
    rng = np.random.default_rng(seed)
    X = package("pandas").DataFrame(rng.normal(size=(n_rows, n_columns)), columns=[f"A{at}" for at in range(n_columns)])
    y = (X["A0"] + X["A1"] + 0.3 * rng.normal(size=n_rows) > 0).to_numpy()
    forest = RandomForestClassifier(50, random_state=seed).fit(X, y)
    answering, reading, training, whole = list[float](), list[float](), list[float](), list[float]()

    def read(owner: Any, name: str) -> Any:
        function = getattr(owner, name)
        return patch.object(owner, name, lambda *args, **params: clocked(reading, function, *args, **params))

    model = DistilledClassifier(
        partial(clocked, answering, forest.predict_proba), classes=[False, True], random_state=seed
    )
    with (
        patch.object(_mlp_training, "train_nets", partial(clocked, training, _mlp_training.train_nets)),
        read(_story, "check_learnable"),
        read(NetTable, "__init__"),
        read(NetTable, "add"),
    ):
        clocked(whole, model.fit, X, y)
    return whole[0], sum(answering), sum(reading), sum(training)


def wide() -> None:
    """Print how much of a default fit of wide frames is not training."""
    wide_fit(200, 20)  # imports, and what else is done once
    rows = []
    for case in WIDE:
        # how many epochs the nets take is a matter of the seed
        found = [wide_fit(*case, seed) for seed in WIDE_SEEDS]
        shares = [1.0 - training / (whole - answering - reading) for whole, answering, reading, training in found]
        of_all = [1.0 - training / (whole - answering) for whole, answering, _, training in found]
        seconds = [f"{median(each):.2f}" for each in zip(*found, strict=True)]
        spread = f"{min(shares):.1%} to {max(shares):.1%}"
        rows.append([*map("{:,}".format, case), *seconds, f"{median(shares):.1%}", spread, f"{median(of_all):.1%}"])
    header = ["rows", "columns", "fit, s", "teacher, s", "reading, s", "training, s"]
    print_table([*header, "outside", "least and most", "with reading"], rows)
    print(f"\nCPU seconds, medians of {len(WIDE_SEEDS)} tables. fit: all of it. teacher: its answers alone. reading:")
    print("checks of the table, and the encoding of rows for nets. outside: the share that is not training, of a fit")
    print(f"without answers and reading; expected: at most {OUTSIDE:.0%}. with reading: without answers alone.")


def main() -> None:
    parser = argparse.ArgumentParser(description="What a fit costs: over a loop, a teacher's, and training.")
    parser.add_argument("--loop", action="store_true", help="the bare loop alone")
    parser.add_argument("--teacher", action="store_true", help="the teacher's own fit alone")
    parser.add_argument("--wide", action="store_true", help="wide frames alone")
    args = parser.parse_args()
    everything = not (args.loop or args.teacher or args.wide)
    torch.set_num_threads(1)
    with one_thread():
        print_header("What a fit costs, one thread", "scikit-learn", "torch", "skorch")
        for wanted, part in ((args.loop, loops), (args.teacher, teachers), (args.wide, wide)):
            if wanted or everything:
                part()


if __name__ == "__main__":
    main()
