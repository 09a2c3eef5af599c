"""One table of numbers, one split: fit the teachers, fit their students, score both; and what that is to show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from numpy.typing import NDArray
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

import _students
from _common import print_table
from _verdict import KB, Line, print_verdict
from regression_tables import load, split
from skdistill import DistilledRegressor, MLPStudentRegressor
from tables import package

Array = NDArray[Any]

TEACHERS = ("forest", "lightgbm")
STUDENTS = _students.STUDENTS
#: The default with one thing changed.
ABLATIONS: dict[str, dict[str, Any]] = {
    "plain": {"alpha": 0.5},
    "teacher alone": {"alpha": 1.0},
    "no label ensemble": {"label_ensemble": 0},
    "no new rows": {"augment": 0},
    "cross-fitted": {"cv": 5},
    "Huber's loss": {"loss": "huber"},
}
KEYS = _students.KEYS
FIGURES = (
    "rows",
    "r2",
    "rmse",
    "mae",
    "r2_teacher",
    "fit_seconds",
    "fit_cpu",
    "bytes",
    "row_us",
    "frame_us",
    "teacher_r2",
    "teacher_rmse",
    "teacher_mae",
    "teacher_fit_seconds",
    "teacher_fit_cpu",
    "teacher_row_us",
)
KEPT, WORST_KEPT, BETTER = 1.1, 0.97, 0.9


class RegressionBench(_students.Bench):
    """A Bench of numbers."""

    distiller = DistilledRegressor
    labels_only = MLPStudentRegressor
    method = "predict"
    regression = True
    kept_as = "numbers"
    changes = ABLATIONS | _students.FLOOR

    def read(self) -> None:
        """Read the rows, and what is to be predicted of those to fit on."""
        self.X, self.X_test, self.codes, self.y_test = split(load(self.unit.table), self.unit.seed, self.unit.limit)

    def likeness(self, proba: Array, told: Array) -> dict[str, float]:
        """Return how like the teacher's answers a student's are."""
        return {"r2_teacher": float(r2_score(told, proba))}

    def scores(self, proba: Array) -> dict[str, float]:
        """Return R2, RMSE and MAE of answers for the rows to score."""
        return {
            "r2": float(r2_score(self.y_test, proba)),
            "rmse": float(root_mean_squared_error(self.y_test, proba)),
            "mae": float(mean_absolute_error(self.y_test, proba)),
        }


def measure(unit: _students.Unit, tell: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Yield a line of the CSV for each teacher and student of a unit, as _students.measure does."""
    return _students.measure(unit, tell, RegressionBench)


def summarise(rows: Sequence[dict[str, Any]], tables: Sequence[str], students: Sequence[str]) -> None:
    """Print what is kept on each table, and the figures with their targets."""
    frame = package("pandas").DataFrame(list(rows))
    frame["kept"] = frame["r2"] / frame["teacher_r2"]
    found = [name for name in students if name in set(frame["student"])]
    lines = []
    for (table, teacher), group in frame.groupby(["table", "teacher"], sort=False):
        means = group.groupby("student").mean(numeric_only=True)
        cells = [table, teacher, f"{means['teacher_r2'].iloc[0]:.4f}"]
        for name in found:
            cells += [f"{means['r2'][name]:.4f}", f"{means['kept'][name]:.4f}"] if name in means.index else ["-", "-"]
        lines.append(cells)
    lines.sort(key=lambda cells: tables.index(cells[0]))
    header = ["table", "teacher", "its R2"]
    for name in found:
        header += [f"{name}: R2", "kept"]
    print_table(header, lines)
    print("\nR2 on rows held out, means over splits. kept: the student's R2 over its teacher's.\n")
    print_verdict(_verdict(frame))


def _verdict(frame: Any) -> list[Line]:
    """Return the figures of the default student, with their targets."""
    keys = ["table", "teacher", "seed", "limit"]
    default, labels = (frame[frame["student"] == name] for name in ("default", "labels"))
    if default.empty:
        return []
    pairs = default.groupby(["table", "teacher"], sort=False).mean(numeric_only=True)
    kept = pairs["kept"]
    short = [f"{table}, {teacher}: {value:.4f}" for (table, teacher), value in kept[kept < WORST_KEPT].items()]
    lines = [
        Line("R2, student / teacher: mean", kept.mean(), ".4f", least=KEPT),
        Line("  worst table and teacher", kept.min(), ".4f", least=WORST_KEPT, short=short),
    ]
    both = default.merge(labels, on=keys, suffixes=("", "_labels"))
    if not both.empty:
        means = both.groupby(["table", "teacher"], sort=False).mean(numeric_only=True)
        better = means["rmse"] < means["rmse_labels"]
        short = [
            f"{table}, {teacher}: {row['rmse']:.4g}, labels {row['rmse_labels']:.4g}"
            for (table, teacher), row in means[~better].iterrows()
        ]
        title = f"RMSE below the labels-only student's: of {len(means)} tables and teachers"
        lines.append(Line(title, better.mean(), ".1%", least=BETTER, short=short))
    lines.append(Line("Program, KB: largest", default["bytes"].max() / KB, ".0f"))
    lines.append(Line("fit, CPU seconds: longest", default["fit_cpu"].max(), ".1f"))
    return lines
