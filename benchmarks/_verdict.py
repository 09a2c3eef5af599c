"""What the retention benchmark is to show: each figure, its target, and the rows that fall short of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from _common import print_table
from tables import package

#: The student that is what one would train instead.
RIVAL = "lightgbm100"

KB = 1000
#: A share of rows that differs from another in the last bit does not differ.
SAME = 1e-9

ACCURACY, WORST_ACCURACY = 1.008, 0.985
LOSS, WORST_LOSS = 0.9, 1.08
LOWER_LOSS, NO_WORSE = 0.95, 0.85
#: On how many of the pairs log-loss is below that of the model one would train instead.
BELOW_RIVAL = 0.85
LARGEST, MEDIAN = 256, 100
LONGEST = 60
#: Of the tables; the points that may lie between us and the peer's best; and our share of its time for a row.
PEERS, MARGIN, ROW_SHARE = 0.8, 0.5, 1 / 50


@dataclass(frozen=True)
class Line:
    """One figure.

    Parameters
    ----------
    what : str
        What it is.
    figure : float
        What was found.
    show : str
        The format of figure and target.
    least, most : float or None
        What it is to be at least, or at most; without either it is told and not judged.
    short : sequence of str
        The rows that fall short by themselves.
    """

    what: str
    figure: float
    show: str
    least: float | None = None
    most: float | None = None
    short: Sequence[str] = ()

    @property
    def passed(self) -> bool:
        """Whether the target is met."""
        return (self.least is None or self.figure >= self.least) and (self.most is None or self.figure <= self.most)

    @property
    def target(self) -> str:
        """The target, in words."""
        if self.least is not None:
            return f">= {self.least:{self.show}}"
        return "" if self.most is None else f"<= {self.most:{self.show}}"

    @property
    def verdict(self) -> str:
        """Whether the target is met, in words."""
        if not self.target:
            return ""
        return "pass" if self.passed else "falls short"


def frame_of(rows: Sequence[dict[str, Any]]) -> Any:
    """Return the results as a pandas frame, with the ratios of student to teacher."""
    frame = package("pandas").DataFrame(list(rows))
    for name in ("accuracy", "loss"):
        frame[f"{name}_ratio"] = frame[name] / frame[f"teacher_{name}"]
    return frame


def pairs_of(frame: Any) -> Any:
    """Return the means over the splits, by table and teacher."""
    return frame.groupby(["table", "teacher"], sort=False).mean(numeric_only=True)


def kept(default: Any) -> Iterator[Line]:
    """Yield what the student keeps of its teacher."""
    pairs = pairs_of(default)

    def short(name: str, beyond: Any) -> list[str]:
        return [_splits(default, pair, name) for pair in pairs.index[beyond]]

    ratio = pairs["accuracy_ratio"]
    yield Line("accuracy, student / teacher: mean", ratio.mean(), ".4f", least=ACCURACY)
    yield Line(
        "  worst table and teacher",
        ratio.min(),
        ".4f",
        least=WORST_ACCURACY,
        short=short("accuracy_ratio", ratio < WORST_ACCURACY),
    )
    yield Line("  worst single split", default["accuracy_ratio"].min(), ".4f")
    ratio = pairs["loss_ratio"]
    yield Line("log-loss, student / teacher: mean", ratio.mean(), ".3f", most=LOSS)
    yield Line(
        "  worst table and teacher", ratio.max(), ".3f", most=WORST_LOSS, short=short("loss_ratio", ratio > WORST_LOSS)
    )
    yield Line("  worst single split", default["loss_ratio"].max(), ".3f")


def _splits(frame: Any, pair: tuple[str, str], name: str) -> str:
    found = frame[(frame["table"] == pair[0]) & (frame["teacher"] == pair[1])].sort_values("seed")[name]
    return f"{pair[0]}, {pair[1]}: {found.mean():.3f} (splits {' '.join(f'{ratio:.3f}' for ratio in found)})"


def over_labels(default: Any, labels: Any) -> Iterator[Line]:
    """Yield where distilling beats the student of the same size that learns from labels alone."""
    keys = ["table", "teacher", "seed", "limit"]
    both = default.merge(labels, on=keys, suffixes=("", "_labels"))
    if both.empty:
        return
    pairs = pairs_of(both)
    for name, what, least, met in (
        ("loss", "log-loss below", LOWER_LOSS, pairs["loss"] < pairs["loss_labels"]),
        ("accuracy", "accuracy no worse than", NO_WORSE, pairs["accuracy"] >= pairs["accuracy_labels"] - SAME),
    ):
        short = [
            f"{table}, {teacher}: {row[name]:.4f}, labels {row[f'{name}_labels']:.4f}"
            for (table, teacher), row in pairs[~met].iterrows()
        ]
        title = f"{what} the labels-only student's: of {len(pairs)} tables and teachers"
        yield Line(title, met.mean(), ".1%", least=least, short=short)


def over_rival(default: Any, rival: Any) -> Iterator[Line]:
    """Yield how the student stands to what one would train instead."""
    both = default.merge(rival, on=["table", "teacher", "seed", "limit"], suffixes=("", "_rival"))
    if both.empty:
        return
    name, pairs = rival["student"].iloc[0], pairs_of(both)
    met = pairs["loss"] < pairs["loss_rival"]
    short = [
        f"{table}, {teacher}: {row['loss']:.4f}, {name} {row['loss_rival']:.4f}"
        for (table, teacher), row in pairs[~met].iterrows()
    ]
    title = f"log-loss below that of {name}: of {len(pairs)} tables and teachers"
    yield Line(title, met.mean(), ".1%", least=BELOW_RIVAL, short=short)
    for whose, of in (("", ""), (f", {name}", "_rival")):
        yield Line(f"  one row, quickest{whose}, us: median", both[f"row_us{of}"].median(), ".1f")
        yield Line(f"  one row, predict_proba of a frame{whose}, us: median", both[f"frame_us{of}"].median(), ".0f")


def cost(default: Any) -> Iterator[Line]:
    """Yield what the student costs: bytes of its Program, and time of its fit."""
    size, seconds = default["bytes"] / KB, default["fit_cpu"]

    def short(values: Any, most: float) -> list[str]:
        beyond = default[values > most]
        return [
            f"{row['table']}, {row['teacher']}, seed {row['seed']}: {values[at]:.0f}" for at, row in beyond.iterrows()
        ]

    yield Line("Program, KB: largest", size.max(), ".0f", most=LARGEST, short=short(size, LARGEST))
    yield Line("  median", size.median(), ".0f", most=MEDIAN)
    title = f"fit on {default['rows'].max():,} rows or fewer, CPU seconds: longest"
    yield Line(title, seconds.max(), ".1f", most=LONGEST, short=short(seconds, LONGEST))


def against_peers(ours: Any, peers: Any) -> Iterator[Line]:
    """Yield how the student of the VotingClassifier stands to AutoGluon's students on the same splits.

    Parameters
    ----------
    ours : pandas.DataFrame
        The default students of the VotingClassifier.
    peers : pandas.DataFrame
        AutoGluon's results.
    """
    splits = ["table", "seed", "limit"]
    students = peers[peers["part"] == "student"].sort_values("accuracy")
    rivals = {
        "net": students[students["model"].str.startswith("NeuralNet")],
        "best": students.groupby(splits).tail(1),
        "any": peers[peers["part"] != "teacher"].sort_values("accuracy").groupby(splits).tail(1),
    }
    both = ours[[*splits, "accuracy", "row_us", "frame_us"]]
    for name, rival in rivals.items():
        found = rival[[*splits, "accuracy", "row_cpu_us", "model"]]
        both = both.merge(found, on=splits, suffixes=("", f"_{name}"))
        both = both.rename(columns={"row_cpu_us": f"row_us_{name}", "model": f"model_{name}"})
    if both.empty:
        return
    tables = both.groupby("table", sort=False).mean(numeric_only=True)
    points = {name: 100 * (tables["accuracy"] - tables[f"accuracy_{name}"]) for name in rivals}
    of_tables = f"of {len(tables)} tables"

    def share(what: str, rival: str, least: float, target: float | None) -> Line:
        met = points[rival] >= least - SAME
        short = [f"{table}: {margin:+.2f} points" for table, margin in points[rival][~met].items()]
        return Line(f"{what}: {of_tables}", met.mean(), ".1%", least=target, short=short if target is not None else ())

    yield share("accuracy at least that of AutoGluon's net student", "net", 0, PEERS)
    yield Line("  mean margin over its net, points", points["net"].mean(), "+.2f")
    yield share(f"accuracy within {MARGIN} points of its best student", "best", -MARGIN, PEERS)
    yield share("  of its best, the ensemble of its students included", "any", -MARGIN, None)
    yield Line("  mean margin over its best student, points", points["best"].mean(), "+.2f")
    for what, name in (("program_(dict)", "row_us"), ("predict_proba(frame)", "frame_us")):
        ratio = tables[name] / tables["row_us_best"]
        short = [
            f"{table}: 1/{1 / part:.0f} of {tables['row_us_best'][table]:,.0f} us"
            for table, part in ratio[ratio > ROW_SHARE].items()
        ]
        # the target is for what is shipped
        judged = name == "row_us"
        title = f"{'' if judged else '  '}one row, {what} / its best student's: worst"
        yield Line(title, ratio.max(), ".4f", most=ROW_SHARE if judged else None, short=short if judged else ())


def verdict(frame: Any, peers: Any | None) -> list[Line]:
    """Return the figures of the default student, with their targets.

    Parameters
    ----------
    frame : pandas.DataFrame
        From frame_of.
    peers : pandas.DataFrame or None
        AutoGluon's results.
    """
    default, labels, rival = (frame[frame["student"] == student] for student in ("default", "labels", RIVAL))
    if default.empty:
        return []
    lines = [*kept(default), *over_labels(default, labels), *over_rival(default, rival), *cost(default)]
    voting = default[default["teacher"] == "voting"]
    if peers is not None and not voting.empty:
        lines += against_peers(voting, peers)
    return lines


def print_verdict(lines: Sequence[Line], title: str = "default student") -> None:
    """Print the figures with their targets, and below them which rows fall short."""
    print_table(
        [title, "figure", "target", "verdict"],
        [[line.what, f"{line.figure:{line.show}}", line.target, line.verdict] for line in lines],
    )
    for line in lines:
        if line.short:
            print(f"\nShort of {line.target}, {line.what.strip()}:")
            print("\n".join(f"  {text}" for text in line.short))
