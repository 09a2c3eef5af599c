"""The frontier: what students of a forest keep of its accuracy, against their bytes.

Run: ``python benchmarks/frontier.py [--table magic] [--seed 0] [--picture frontier.png]`` (some minutes)

The teacher is a forest of 500 trees, the students are a linear one, an additive one, a tree and nets of rising width,
each with the default recipe, and the largest net in int8; the yardstick is that net on labels alone. All are judged
on the 30 % of the rows held out, by skdistill.compare. The tables are those of tables.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _common import one_thread, print_header
from _teachers import member
from skdistill import DistilledClassifier, FrontierDisplay, MLPStudent, Report, compare
from skdistill.compress import quantize
from tables import NAMES, load, package, split

NETS = ((8,), (32,), (96, 96))


def measure(table: str, seed: int) -> Report:
    """Return a report on the forest's students."""
    X, X_test, y, y_test = split(load(table), seed, 20_000)
    forest = member("forest", X, seed).fit(X, y)
    kinds: dict[str, Any] = {name: name for name in ("linear", "additive", "tree")}
    kinds |= {f"net {'-'.join(map(str, sizes))}": MLPStudent(sizes) for sizes in NETS}
    students = {
        name: DistilledClassifier(forest, student=student, random_state=seed).fit(X, y)
        for name, student in kinds.items()
    }
    largest = list(students)[-1]
    labels_only = MLPStudent(NETS[-1], random_state=seed).fit(X, y)
    compressed = {f"{largest}, int8": quantize(students[largest].student_, "int8", X)}
    return compare(forest, students | compressed, X_test, y_test, labels_only=labels_only)


def draw(report: Report, path: Path) -> None:
    """Draw retention against pickled bytes, which the teacher has as well."""
    plt = package("matplotlib.pyplot")
    figure, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
    FrontierDisplay.from_report(report, cost="pickle_bytes", ax=ax)
    figure.savefig(path, dpi=150)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", choices=NAMES, default="magic", metavar="TABLE", help="%(choices)s")
    parser.add_argument("--seed", type=int, default=0, help="the split")
    parser.add_argument("--picture", type=Path, help="draw it to this file")
    given = parser.parse_args(arguments)
    with one_thread():
        print_header(f"The frontier, {given.table}, split {given.seed}, one thread", "scikit-learn", "torch")
        report = measure(given.table, given.seed)
    print(report)
    if given.picture:
        draw(report, given.picture)


if __name__ == "__main__":
    main()
