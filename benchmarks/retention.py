"""What a student keeps of its teacher: 12 tables, 4 teachers, 5 students, 3 splits; and AutoGluon's students.

Run: ``python benchmarks/retention.py --jobs 2`` (hours; try ``--tables german crx --seeds 0 --rows 300``)

Every result is a line of the CSV as soon as it is there, and what the CSV holds is not measured
again, so a run that was stopped goes on where it was; name another file with ``--out`` for another
recipe. ``--summary`` prints what the CSV holds, with the targets that the default recipe is to
meet. ``--picture retention.png`` draws it.

Teachers are fitted on the raw frame, at most 20,000 rows: a random forest of 500 trees (behind
imputers and one-hot columns), LightGBM of 300 rounds (strings as categories), CatBoost, and a soft
VotingClassifier of the three. Students: "default" is ``DistilledClassifier(teacher,
random_state=seed)``, "linear" and "tree" the same with ``student=``, "labels" the yardstick,
``MLPStudent(random_state=seed)`` on labels alone, and "lightgbm100" what one would train instead, LightGBM of
100 rounds on labels. All are scored on the 30 % of the rows held out.

A process has one thread. Times are its CPU seconds, in which other work on the machine does not
show; the CSV has the seconds by the clock beside them.

``--regression`` measures students of regressors in the same way: 12 tables of numbers, the forest and
LightGBM as teachers, R2 on the rows held out. Its CSV is regression.csv.

``--ablation`` measures what each ingredient of the default is worth: the default with it changed.

``--floor`` adds plain students, of one fit each, to those of ``--students``; the default is to be no worse than the
best of them on nearly all tables.

``--outside`` measures students of teachers that were fitted on other rows: 300 and 2,000 rows at hand, the teacher
fitted on all but those at hand and those to score on; six tables, half of them of numbers. Its CSV is outside.csv.

``--cache FOLDER`` keeps the fitted teachers (some GB for all tables), and another run, with another recipe, takes
them from there. Empty the folder when the teachers in _teachers.py change.

``--peers`` adds AutoGluon's distilled students on the same splits: its own ensemble as teacher, in
a virtual environment that is made with venv and pip (2 to 3 GB, in ``--peers-env``). Twelve tables
take it about an hour of one core. The packages that ship the tables are named in tables.py; the
teachers need ``pip install lightgbm catboost``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

from tqdm import tqdm

import _outside
import _peers
import _regressors
import _students
from _collect import collect, failed
from _common import print_header
from _floor import print_floor
from _ledger import Ledger
from _retention_picture import draw
from _retention_tables import print_ablation, print_costs, print_kept, print_peers
from _verdict import frame_of, print_verdict, verdict
from regression_tables import NAMES as REGRESSION_NAMES
from tables import NAMES, package

ROWS = 20_000


def units_of(args: argparse.Namespace) -> list[_students.Unit]:
    """Return what is asked for, one split of all tables after the other."""
    pairs = tuple(product(args.teachers, args.students, *([args.at_hand] if args.outside else [])))
    make = _outside.Unit if args.outside else _students.Unit
    return [make(table, seed, args.rows, pairs, args.cache) for seed, table in product(args.seeds, args.tables)]


def measure_peers(args: argparse.Namespace, ledger: Ledger) -> None:
    """Measure AutoGluon's students, into their CSV, one split at a time."""
    keys = [
        {"table": table, "seed": seed, "limit": args.rows} for seed, table in product(args.peers_seeds, args.tables)
    ]
    missing = [key for key in keys if not ledger.holds(**key, model=_peers.WHOLE)]
    if not missing:
        return
    python = _peers.environment(args.peers_env)
    limits = _peers.Limits(args.peers_fit_seconds, args.peers_student_seconds)
    done = len(keys) - len(missing)
    with tqdm(total=len(keys), initial=done, unit="split", dynamic_ncols=True) as bar:
        for key in missing:

            def tell(text: str, key: dict[str, Any] = key) -> None:
                bar.set_description(f"AutoGluon, {key['table']} {key['seed']}, {text}")

            logs = args.peers_env / "logs"
            for line in _peers.measure(python, key["table"], key["seed"], args.rows, limits, logs, tell):
                ledger.append(line)
            bar.update()


def summarise(args: argparse.Namespace, students: Ledger, peers: Ledger | None) -> None:
    """Print what the CSVs hold of what was asked for, and draw it."""
    wanted = {"table": args.tables, "seed": args.seeds, "teacher": args.teachers, "student": args.students}
    # of teachers that know other rows, the limit is that of the rows at hand
    wanted |= {"limit": args.at_hand, "teacher_limit": [args.rows]} if args.outside else {"limit": [args.rows]}
    rows = [row for row in students.rows() if all(row[name] in values for name, values in wanted.items())]
    theirs = _measured_peers(args, peers)
    if theirs is not None:
        print_peers(theirs)
        print()
    if not rows:
        return
    if args.outside:
        _outside.summarise(rows, args.students)
        return
    if args.regression:
        _regressors.summarise(rows, args.tables, args.students)
        if args.floor:
            print()
            print_floor(package("pandas").DataFrame(rows), "rmse", "RMSE")
        return
    frame = frame_of(rows)
    if args.ablation is not None:
        print_ablation(frame)
        return
    print_kept(frame)
    print()
    print_costs(frame)
    print()
    print_verdict(verdict(frame, theirs))
    if args.floor:
        print()
        print_floor(frame, "loss", "log-loss")
    if args.picture is not None:
        draw(frame, args.picture)
        print(f"\nDrawn: {args.picture}")


def _measured_peers(args: argparse.Namespace, peers: Ledger | None) -> Any | None:
    """Return AutoGluon's results as a pandas frame, of the splits that were measured to the end."""
    found = [] if peers is None else peers.rows()
    whole = {(row["table"], row["seed"], row["limit"]) for row in found if row["model"] == _peers.WHOLE}
    asked = whole & set(product(args.tables, args.peers_seeds, [args.rows]))
    kept = [row for row in found if (row["table"], row["seed"], row["limit"]) in asked]
    return package("pandas").DataFrame(kept) if kept else None


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description="What a student keeps of its teacher.")

    def several(name: str, choices: Sequence[str], metavar: str) -> None:
        parser.add_argument(
            name, nargs="+", choices=choices, default=list(choices), metavar=metavar, help="%(choices)s"
        )

    parser.add_argument("--regression", action="store_true", help="tables of numbers, and teachers that are regressors")
    parser.add_argument("--outside", action="store_true", help="teachers that were fitted on other rows")
    # what there is to choose from depends on these
    arguments = sys.argv[1:] if arguments is None else arguments
    kind, names = (_regressors, REGRESSION_NAMES) if "--regression" in arguments else (_students, NAMES)
    if "--outside" in arguments:
        kind, names = _outside, _outside.NAMES
    several("--tables", names, "TABLE")
    several("--teachers", kind.TEACHERS, "TEACHER")
    several("--students", kind.STUDENTS, "STUDENT")
    parser.add_argument(
        "--ablation",
        nargs="*",
        choices=list(kind.ABLATIONS),
        metavar="CHANGE",
        help="measure the default with one thing changed beside it: all of %(choices)s, or those named",
    )
    parser.add_argument(
        "--floor", action="store_true", help="measure plain students too, and judge the default by them"
    )
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="SEED", help="the splits (default: 0 1 2)"
    )
    parser.add_argument(
        "--rows", type=int, help=f"at most so many rows to fit on (default: {ROWS}; with --outside all, of the teacher)"
    )
    parser.add_argument(
        "--at-hand",
        type=int,
        nargs="+",
        choices=_outside.AT_HAND,
        default=list(_outside.AT_HAND),
        help="with --outside: how many rows a student has",
    )
    parser.add_argument(
        "--cache", type=Path, metavar="FOLDER", help="keep fitted teachers here, and take them from here"
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes, of one thread each (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="default: retention.csv, regression.csv or outside.csv")
    parser.add_argument("--summary", action="store_true", help="measure nothing, print what the CSV holds")
    parser.add_argument("--picture", type=Path, help="also draw the results to this file")
    peers = parser.add_argument_group("AutoGluon's students")
    peers.add_argument(
        "--peers", choices=["also", "only"], nargs="?", const="also", help="measure them too, or only them"
    )
    peers.add_argument(
        "--peers-seeds", type=int, nargs="+", default=[0], metavar="SEED", help="their splits (default: 0)"
    )
    peers.add_argument(
        "--peers-env",
        type=Path,
        default=Path(tempfile.gettempdir()) / "skdistill-peers",
        help="folder of their virtual environment (default: %(default)s)",
    )
    peers.add_argument("--peers-out", type=Path, default=Path("peers.csv"), help="default: %(default)s")
    peers.add_argument(
        "--peers-fit-seconds", type=float, default=120, help="CPU seconds for the ensemble (default: %(default)s)"
    )
    peers.add_argument(
        "--peers-student-seconds", type=float, default=90, help="CPU seconds for each student (default: %(default)s)"
    )
    args = parser.parse_args(arguments)
    args.kind = kind
    which = "outside" if args.outside else "regression" if args.regression else "retention"
    args.out = args.out or Path(f"{which}.csv")
    if (args.regression or args.outside) and args.peers is not None:
        parser.error(f"--peers are classifiers; leave --{which} out")
    if args.outside and (args.regression or args.floor or args.ablation is not None):
        parser.error("--outside has tables of numbers and students of its own; leave --regression and the like out")
    if args.floor and args.ablation is not None:
        parser.error("--floor and --ablation print tables of their own; leave one of them out")
    if args.ablation is not None:
        args.students = ["default", *(args.ablation or kind.ABLATIONS), "labels"]
    if args.floor:
        args.students = list(dict.fromkeys(["default", *args.students, *_students.FLOOR]))
    args.rows = args.rows if args.rows is not None else 0 if args.outside else ROWS
    for name in ("jobs",) if args.outside else ("rows", "jobs"):
        if getattr(args, name) < 1:
            parser.error(f"--{name} is {getattr(args, name)}; needed is 1 or more")
    if args.summary and not (args.out.exists() or args.peers_out.exists()):
        parser.error(f"--summary reads {args.out} and {args.peers_out}, and there is neither")
    return args


def main() -> int | str:
    args = parse()
    print_header(
        "What a student keeps of its teacher, one thread", "scikit-learn", "pandas", "torch", "lightgbm", "catboost"
    )
    students = Ledger(args.out, args.kind.KEYS, args.kind.FIGURES)
    peers = None
    if args.peers is not None or args.peers_out.exists():
        peers = Ledger(args.peers_out, _peers.KEYS, _peers.FIGURES)
    if not args.summary:
        try:
            if args.peers != "only":
                collect(args.kind.measure, units_of(args), students, args.jobs)
            if peers is not None and args.peers is not None:
                measure_peers(args, peers)
        except KeyboardInterrupt:
            print(f"\nStopped. {args.out} keeps what there is; the same command goes on from there.", file=sys.stderr)
            return 130
        except subprocess.CalledProcessError as error:
            return f"AutoGluon's environment {args.peers_env} could not be made: {error}"
    summarise(args, students, peers)
    return failed([students, peers]) or 0


if __name__ == "__main__":
    sys.exit(main())
