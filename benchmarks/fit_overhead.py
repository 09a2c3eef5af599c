"""What MLPStudent's fit costs over a bare torch loop.

Run: ``python benchmarks/fit_overhead.py``

Both sides train the same net from the same targets: as many steps, batches of the same size, AdamW
with the same settings, one thread. The bare loop is what one would write by hand, tensors at hand
and nothing else: shuffle, slice, forward, loss, backward, step. MLPStudent's fit also checks and
encodes the rows, schedules the learning rate, keeps history and compiles the Program; all of that
is in its time.

Two losses are measured: labels alone, where the bare loop calls ``cross_entropy``; and the
distillation loss, where it computes both terms.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import make_classification
from torch import Tensor, nn
from torch.nn import functional

from _common import median_seconds, one_thread, print_header, print_table
from skdistill import MLPStudent
from skdistill.losses import Targets

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
    targets = Targets(np.unique(y), proba, y, None, TEMPERATURE, ALPHA)
    fits: list[tuple[str, Tensor | None, Callable[[], object]]] = [
        ("labels", None, lambda: student.fit(X, y)),
        ("distillation", soft, lambda: student.fit_targets(X, targets)),
    ]
    rows = []
    for name, answers, fit in fits:

        def loop(fused: bool, answers: Tensor | None = answers) -> None:
            bare_loop(Z, labels, answers, hidden_layer_sizes, batch_size, epochs, fused=fused)

        ours, fused, plain = median_seconds([fit, lambda: loop(True), lambda: loop(False)], REPEATS)
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


def main() -> None:
    torch.set_num_threads(1)
    with one_thread():
        print_header("MLPStudent.fit over a bare torch loop, one thread", "scikit-learn", "torch", "skorch")
        rows = [row for case in CASES for row in measure(*case)]
    header = ["loss", "net", "epochs x steps", "batch", "fit, s", "fused, s", "plain, s", "fit / fused", "fit / plain"]
    print_table(header, rows)
    print("\nfit: MLPStudent. fused, plain: the bare loop with AdamW(fused=True) and AdamW(fused=False).")
    print(f"Medians of {REPEATS} runs of each, taken in turn. Expected: fit / fused of 1.2 or less.")


if __name__ == "__main__":
    main()
