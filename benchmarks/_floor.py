"""Whether the default is no worse than plain students, which take one fit each, and what either costs."""

from __future__ import annotations

from typing import Any

from _common import print_table
from _students import FLOOR
from _verdict import SAME, Line, print_verdict

#: How much the score may lie above the best plain student's, and on how many pairs it has to.
SLACK, SHARE = 1.01, 0.95
#: The same of accuracy, in points.
POINTS, ACCURACY_SHARE = 0.3, 0.9
PAIR = ["table", "teacher"]


def pairs_of(frame: Any, figure: str) -> Any:
    """Return a figure of the default and of the plain students, a line for each pair, means over splits."""
    wanted = ["default", *FLOOR]
    found = frame[frame["student"].isin(wanted)]
    wide = found.pivot_table(index=[*PAIR, "seed"], columns="student", values=figure, sort=False)
    # a split counts where all of them were measured
    return wide.reindex(columns=wanted).dropna().groupby(level=PAIR, sort=False).mean()


def score_line(frame: Any, figure: str, word: str) -> Line:
    """Return on which share of pairs the default's score, of which less is better, is near the best of the others."""
    pairs = pairs_of(frame, figure)
    best = pairs[list(FLOOR)]
    ratio = pairs["default"] / best.min(axis=1)
    short = [
        f"{', '.join(pair)}: {ratio[pair]:.3f} times that of {best.loc[pair].idxmin()!r}"
        for pair in pairs.index[ratio > SLACK + SAME]
    ]
    title = f"{word} at most {SLACK - 1:.0%} above the best plain student's: of {len(pairs)} tables and teachers"
    return Line(title, (ratio <= SLACK + SAME).mean(), ".1%", least=SHARE, short=short)


def accuracy_line(frame: Any) -> Line:
    """Return on which share of pairs the default's accuracy is near the best of the others."""
    pairs = pairs_of(frame, "accuracy")
    best = pairs[list(FLOOR)]
    points = 100 * (pairs["default"] - best.max(axis=1))
    short = [
        f"{', '.join(pair)}: {points[pair]:+.2f} points to {best.loc[pair].idxmax()!r}"
        for pair in pairs.index[points < -POINTS - SAME]
    ]
    title = f"accuracy within {POINTS} points of the best plain student's: of {len(pairs)} tables and teachers"
    return Line(title, (points >= -POINTS - SAME).mean(), ".1%", least=ACCURACY_SHARE, short=short)


def print_floor(frame: Any, figure: str, word: str) -> None:
    """Print the default beside the plain students: scores, seconds, and the verdict.

    Parameters
    ----------
    frame : pandas.DataFrame
        The results, a line for each table, split, teacher and student.
    figure : str
        The column that is judged, of which less is better.
    word : str
        What it is called.
    """
    scores, seconds = pairs_of(frame, figure), pairs_of(frame, "fit_cpu")
    if scores.empty:
        return
    best = scores[list(FLOOR)].min(axis=1)
    rows = [
        [
            student,
            f"{(scores[student] / best).mean():.4f}",
            f"{(scores[student] / best).max():.4f}",
            f"{(scores[student] <= best + SAME).mean():.0%}",
            f"{seconds[student].mean():.1f}",
            f"{seconds[student].max():.1f}",
        ]
        for student in scores.columns
    ]
    print_table(["student", f"{word} / best plain", "worst", "the lowest", "fit, CPU s", "longest"], rows)
    params = "; ".join(
        f"{name}: {', '.join(f'{key}={value}' for key, value in changes.items())}" for name, changes in FLOOR.items()
    )
    print(f"\nOver {len(scores)} pairs of table and teacher, means over splits. {params}.\n")
    lines = [score_line(frame, figure, word)]
    if "accuracy" in frame:
        lines.append(accuracy_line(frame))
    print_verdict(lines, "default student beside plain ones")
