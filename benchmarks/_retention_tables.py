"""The retention benchmark's results as tables: what is kept on each table, what it costs, and the peers'."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from _common import print_table
from _peers import WHOLE
from _students import ABLATIONS, STUDENTS, TEACHERS
from _verdict import KB
from tables import NAMES


def present(frame: Any, column: str, order: Iterable[str]) -> list[str]:
    """Return which of these the frame holds, in their order."""
    found = set(frame[column])
    return [name for name in order if name in found]


def print_kept(frame: Any) -> None:
    """Print accuracy and log-loss of each table's teachers, and the students' share of it."""
    students = present(frame, "student", STUDENTS)
    means = frame.groupby(["table", "student"]).mean(numeric_only=True)
    rows = [_kept(table, means.loc[table], students) for table in present(frame, "table", NAMES)]
    if len(rows) > 1:
        # each table counts the same, whatever was measured of it
        rows.append(_kept("all", means.groupby(level="student").mean(), students))
    header = ["table", "teacher: accuracy", "log-loss"]
    for student in students:
        header += [f"{student}: accuracy", "log-loss"]
    print_table(header, rows)
    print(
        "\nOf a student: over its teacher's; means over teachers and splits. Log-loss: probabilities of 0.001 or more."
    )


def _kept(name: str, found: Any, students: Sequence[str]) -> list[str]:
    teacher = found.mean()
    cells = [name, f"{teacher['teacher_accuracy']:.4f}", f"{teacher['teacher_loss']:.4f}"]
    for student in students:
        if student in found.index:
            cells += [f"{found['accuracy_ratio'][student]:.4f}", f"{found['loss_ratio'][student]:.3f}"]
        else:
            cells += ["-", "-"]
    return cells


def print_ablation(frame: Any) -> None:
    """Print what the default is worth without each of its ingredients, over what was measured of all of them."""
    measured = frame.pivot_table(index=["table", "seed", "teacher"], columns="student", aggfunc="first").dropna()
    labels = measured["loss"]["labels"], measured["accuracy"]["labels"]
    rows = []
    for student in present(frame, "student", ["default", *ABLATIONS, "labels"]):
        loss, accuracy = measured["loss"][student], measured["accuracy"][student]
        kept, loss_kept = measured["accuracy_ratio"][student], measured["loss_ratio"][student]
        rows.append(
            [
                student,
                f"{accuracy.mean():.4f}",
                f"{loss.mean():.4f}",
                f"{kept.mean():.4f}",
                f"{kept.min():.3f}",
                f"{loss_kept.mean():.3f}",
                f"{loss_kept.max():.3f}",
                f"{(loss < labels[0]).mean():.0%}",
                f"{(accuracy >= labels[1]).mean():.0%}",
                f"{measured['fit_cpu'][student].mean():.1f}",
            ]
        )
    header = ["", "accuracy", "log-loss", "accuracy kept", "worst", "log-loss / teacher's", "worst"]
    print_table([*header, "lower log-loss than labels", "accuracy no worse", "fit, s"], rows)
    print(f"\nOver {len(measured)} pairs of table and teacher; kept: the student's over its teacher's.")


def print_costs(frame: Any) -> None:
    """Print what teachers and students take: seconds, bytes, microseconds for a row."""
    rows = []
    for teacher in present(frame, "teacher", TEACHERS):
        found = frame[frame["teacher"] == teacher].drop_duplicates(["table", "seed"])
        fit, row = found["teacher_fit_cpu"], found["teacher_row_us"]
        rows.append([teacher, f"{fit.mean():.1f}", f"{fit.max():.1f}", "", "", "", "", f"{row.median():.0f}"])
    for student in present(frame, "student", STUDENTS):
        found = frame[frame["student"] == student]
        fit, size = found["fit_cpu"], found["bytes"] / KB
        rows.append(
            [
                f"{student} student",
                f"{fit.mean():.1f}",
                f"{fit.max():.1f}",
                f"{size.median():.0f}",
                f"{size.max():.0f}",
                f"{found['agreement'].mean():.3f}",
                f"{found['row_us'].median():.1f}",
                f"{found['frame_us'].median():.0f}",
            ]
        )
    print_table(
        ["", "fit, s", "longest", "KB", "largest", "agreement", "program_(dict), us", "predict_proba, us"], rows
    )
    print(
        f"\nTimes are CPU seconds of one thread; KB: {KB} bytes, the median; agreement: with the teacher, on rows\n"
        "held out; us: one row, the median over tables; predict_proba takes it as a frame of one row."
    )


def print_peers(peers: Any) -> None:
    """Print AutoGluon's accuracy and its time for one row on each table, and what it was given."""
    whole = peers[peers["part"] == WHOLE]
    models = peers[peers["part"] != WHOLE]
    # whatever its ensemble is made of and called
    name = models["model"].where(models["part"] != "teacher", "its teacher").str.removesuffix("_DSTL")
    models = models.assign(model=name.str.replace("RandomForestMSE", "RandomForest"))
    means = models.groupby(["table", "model"]).mean(numeric_only=True)
    columns = list(dict.fromkeys(models.sort_values("part", ascending=False, kind="stable")["model"]))
    rows = []
    for table in present(models, "table", NAMES):
        found = means.loc[table]
        rows.append([table, *(_peer(found, model) for model in columns)])
    print_table(["AutoGluon: accuracy, one row", *columns], rows)
    for version, teacher, student in whole[["version", "teacher_limit", "student_limit"]].drop_duplicates().values:
        print(
            f"\nautogluon.tabular {version}, its defaults, one thread, at most {teacher:.0f} CPU seconds for its "
            f"teacher and {student:.0f} for each student."
        )
    print(
        f"{len(whole)} splits took it {whole['teacher_cpu'].sum():.0f} CPU seconds for the teachers and "
        f"{whole['distil_cpu'].sum():.0f} for the students, its augmentation included.\n"
        "one row: predict_proba of a frame of one row, models kept in memory, the median of its CPU time."
    )


def _peer(found: Any, model: str) -> str:
    if model not in found.index:
        return "-"
    return f"{found['accuracy'][model]:.4f}, {found['row_cpu_us'][model] / 1000:.1f} ms"
