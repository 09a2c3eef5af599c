"""Memory and time of a fit on wide rows: thousands of categories, and hashed words.

Run: ``python benchmarks/wide_tables.py`` (some minutes; needs pandas)

Each student is fitted in a process of its own, whose peak of resident memory is read: once before
the fit, with the rows made and skdistill imported, and once after. A net's part of it is torch.
The rows are made up, with classes that depend on them; no student can beat the accuracy of the best
guess, which is printed beside.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from time import perf_counter, process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from tqdm import tqdm

from _common import peak_memory, print_header, print_table
from skdistill import LinearStudent, MLPStudent
from tables import package

Array = NDArray[Any]

ROWS, ROWS_TO_SCORE = 200_000, 20_000
LEVELS, NUMBERS = 5_000, 4
WORDS, WORDS_IN_A_ROW = 50_000, 30
#: What a fit on the categories may take, in bytes.
LIMIT = 2**30


def draw_zipf(rng: np.random.Generator, n_values: int, size: Any) -> Array:
    """Draw values of which, as with words, the k-th most frequent occurs in proportion to 1 / (k + 10)."""
    edges = np.cumsum(1.0 / (np.arange(n_values) + 10.0))
    return np.searchsorted(edges, rng.random(size) * edges[-1]).astype(np.int32)


def draw_labels(rng: np.random.Generator, logits: Array) -> Array:
    """Draw a label for each row from its logit, three deviations wide."""
    proba = 1.0 / (1.0 + np.exp(-3.0 * (logits - logits.mean()) / logits.std()))
    return np.column_stack([rng.random(len(proba)) < proba, proba > 0.5]).astype(np.int8)


def categories(rng: np.random.Generator, n_rows: int) -> tuple[Any, Array]:
    """Return rows of one column of many levels beside a few numbers; and labels and best guesses."""
    codes = draw_zipf(rng, LEVELS, n_rows)
    numbers = rng.normal(size=(n_rows, NUMBERS))
    logits = rng.normal(size=LEVELS)[codes] + numbers[:, 0] - numbers[:, 1] * numbers[:, 2]
    frame = package("pandas").DataFrame(numbers, columns=[f"number_{index}" for index in range(NUMBERS)])
    frame["shop"] = [f"shop {code}" for code in codes.tolist()]
    return frame, draw_labels(rng, logits)


def words(rng: np.random.Generator, n_rows: int) -> tuple[Any, Array]:
    """Return sparse rows of word counts; and labels and best guesses."""
    indices = draw_zipf(rng, WORDS, (n_rows, WORDS_IN_A_ROW)).ravel()
    # the most frequent words are not the first columns, as they are not after hashing
    indices = rng.permutation(WORDS).astype(np.int32)[indices]
    indptr = np.arange(0, len(indices) + 1, WORDS_IN_A_ROW)
    X = sparse.csr_matrix((np.ones(len(indices)), indices, indptr), shape=(n_rows, WORDS))
    X.sum_duplicates()
    return X, draw_labels(rng, X @ rng.normal(size=WORDS))


#: For each case what makes its rows, and the student.
CASES: dict[str, tuple[Callable[[np.random.Generator, int], tuple[Any, Array]], Callable[[], Any]]] = {
    f"{LEVELS} levels, linear": (categories, LinearStudent),
    f"{LEVELS} levels, mlp": (categories, lambda: MLPStudent(random_state=0)),
    f"{LEVELS} levels, linear, all kept": (categories, lambda: LinearStudent(max_categories=LEVELS, min_frequency=1)),
    f"{LEVELS} levels, mlp, all kept": (
        categories,
        lambda: MLPStudent(max_categories=LEVELS, min_frequency=1, random_state=0),
    ),
    f"{WORDS} words, linear": (words, LinearStudent),
    f"{WORDS} words, mlp": (words, lambda: MLPStudent(random_state=0)),
}


def measure(case: str, n_rows: int) -> dict[str, Any]:
    """Fit one student in this process."""
    make, build = CASES[case]
    X, y = make(np.random.default_rng(0), n_rows + ROWS_TO_SCORE)
    train, test = slice(None, n_rows), slice(n_rows, None)
    X_train = X[train].copy()
    X_test, X = X[test].copy(), None
    student = build()
    before, wall, cpu = peak_memory(), perf_counter(), process_time()
    student.fit(X_train, y[train, 0])
    wall, cpu = perf_counter() - wall, process_time() - cpu
    return {
        "before": before,
        "peak": peak_memory(),
        "seconds": wall,
        "cpu": cpu,
        "rounds": student.n_iter_,
        "accuracy": float(np.mean(student.predict(X_test) == y[test, 0])),
        "best": float(np.mean(y[test, 1] == y[test, 0])),
        "bytes": student.program_.nbytes,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Memory and time of a fit on wide rows.")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows to fit on (default: %(default)s)")
    parser.add_argument("--case", choices=list(CASES), help="measure one in this process and print its figures as JSON")
    args = parser.parse_args()
    if args.case:
        print(json.dumps(measure(args.case, args.rows)))
        return
    print_header(f"Fits on {args.rows} wide rows, each in a process of its own", "scipy", "scikit-learn", "torch")
    rows = []
    for case in tqdm(CASES, unit="fit", dynamic_ncols=True):
        command = [sys.executable, __file__, "--case", case, "--rows", str(args.rows)]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        rows.append(
            [
                case,
                *(f"{found[name] / 2**20:.0f}" for name in ("before", "peak")),
                *(f"{found[name]:.1f}" for name in ("seconds", "cpu")),
                str(found["rounds"]),
                *(f"{found[name]:.4f}" for name in ("accuracy", "best")),
                f"{found['bytes'] / 2**20:.2f}",
                f"{found['peak'] / LIMIT:.2f}",
            ]
        )
    header = ["rows, student", "before, MiB", "peak, MiB", "seconds", "CPU s", "rounds", "accuracy", "best guess"]
    print_table([*header, "Program, MiB", "peak / 1 GiB"], rows)
    dense = args.rows * WORDS * 8 / 2**30
    print(
        "\nrounds: iterations of the linear student, epochs of the net. best guess: the accuracy of whoever knows how\n"
        f"the labels were drawn. As a dense array the words would take {dense:.0f} GiB.\n"
        "Expected: a peak of at most 1 GiB with the levels."
    )


if __name__ == "__main__":
    main()
