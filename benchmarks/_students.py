"""One table, one split: fit the teachers, fit their students, score both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from _common import one_thread
from _ledger import ERROR
from _scores import accuracy, agreement, loss
from _shelf import Shelf, fingerprint
from _teachers import MEMBERS, boosted, member, numbers, vote
from _verdict import RIVAL
from skdistill import DistilledClassifier, MLPStudent
from tables import load, split

Array = NDArray[Any]

TEACHERS = (*MEMBERS, "voting")
#: What one would train in place of a student: LightGBM of 100 rounds, on labels.
RIVAL_ROUNDS = 100
#: Each is distilled but "labels", the net of the same size that learns from labels alone, and the rival.
STUDENTS = ("default", "linear", "tree", "labels", RIVAL)
#: What the default is to be no worse than: one fit each, without a choice.
FLOOR: dict[str, dict[str, Any]] = {
    "plain": {"alpha": 0.5},
    "plain augmented": {"alpha": 0.5, "augment": 1},
    "teacher augmented": {"alpha": 1.0, "augment": 1},
}
#: The default with one thing changed: what each of its ingredients is worth.
ABLATIONS: dict[str, dict[str, Any]] = {
    "last weights": {"student": MLPStudent(averaging=False)},
    "all epochs": {"student": MLPStudent(early_stopping=False)},
    "numbers standardised": {"student": MLPStudent(numeric="standard")},
    "one net of (96, 96)": {"student": MLPStudent((96, 96))},
    "plain": {"alpha": 0.5},
    "teacher alone": {"alpha": 1.0},
    "no label ensemble": {"label_ensemble": 0},
    "no new rows": {"augment": 0},
    "four new rows each": {"augment": 4},
    "temperature chosen": {"temperature": "auto"},
    "temperature 2": {"temperature": 2.0},
    "cross-fitted": {"cv": 5},
}

KEYS = ("table", "seed", "limit", "teacher", "student")
FIGURES = (
    "rows",
    "accuracy",
    "loss",
    "agreement",
    "fit_seconds",
    "fit_cpu",
    "bytes",
    "row_us",
    "frame_us",
    "teacher_accuracy",
    "teacher_loss",
    "teacher_fit_seconds",
    "teacher_fit_cpu",
    "teacher_row_us",
)
#: One row is asked for so often, and so often in turn before the clock is read.
REPEATS, IN_A_ROW, TEACHER_REPEATS = 15, 20, 5


@dataclass(frozen=True)
class Unit:
    """What one process measures.

    Parameters
    ----------
    table : str
        The table.
    seed : int
        The split, and the seed of teachers and students.
    limit : int
        How many rows to fit on at most.
    pairs : tuple of tuples
        Which teachers and students, and what else `key` takes.
    shelf : Path or None
        The folder of fitted teachers.
    """

    table: str
    seed: int
    limit: int
    pairs: tuple[tuple[Any, ...], ...]
    shelf: Path | None = None

    def key(self, teacher: str, student: str) -> dict[str, Any]:
        """Return the key of a line of the CSV."""
        found = (self.table, self.seed, self.limit, teacher, student)
        return dict(zip(KEYS, found, strict=True))


@dataclass(frozen=True)
class Timed:
    """A fitted model, and what the fit took, in seconds: by the clock, and of this process's threads together."""

    model: Any
    seconds: float
    cpu: float


def fit(model: Any, X: Any, y: Array) -> Timed:
    """Fit a model and take the time."""
    start, start_cpu = perf_counter(), process_time()
    model.fit(X, y)
    return Timed(model, perf_counter() - start, process_time() - start_cpu)


def one_row_us(call: Callable[[], object], repeats: int = REPEATS, in_a_row: int = IN_A_ROW) -> float:
    """Return the median CPU time of a call, in microseconds; CPU time, as other processes add nothing to it."""
    call()
    taken = []
    for _ in range(repeats):
        start = process_time()
        for _ in range(in_a_row):
            call()
        taken.append((process_time() - start) / in_a_row)
    return 1e6 * median(taken)


class Bench:
    """The rows of one unit, with the teachers and the labels-only student that were fitted on them."""

    #: What is distilled, what learns from labels alone, and the method that is asked.
    distiller: Any = DistilledClassifier
    labels_only: Any = MLPStudent
    method = "predict_proba"
    regression = False
    #: What the names of kept teachers start with.
    kept_as = "classes"
    changes: dict[str, dict[str, Any]] = ABLATIONS | FLOOR
    #: The rows to fit on and to score on, and what is to be predicted of the former.
    X: Any
    X_test: Any
    codes: Array

    def __init__(self, unit: Unit, tell: Callable[[str], None]) -> None:
        self.unit, self.tell = unit, tell
        self.read()
        self.shelf = self.make_shelf()
        self._fitted: dict[str, Timed] = {}
        self._faults: dict[str, Exception] = {}

    def make_shelf(self) -> Shelf:
        """Return where teachers of these rows are kept."""
        unit = self.unit
        rows = fingerprint(self.X, self.codes, self.X_test) if unit.shelf is not None else ""
        return Shelf(unit.shelf, f"{self.kept_as}-{unit.table}-{unit.seed}-{unit.limit}", rows)

    def take(self, *pair: Any) -> None:
        """Turn to the rows that a pair of teacher and student is about; here all are about the same."""

    def read(self) -> None:
        """Read the rows, and what is to be predicted of those to fit on."""
        self.X, self.X_test, y, y_test = split(load(self.unit.table), self.unit.seed, self.unit.limit)
        # a VotingClassifier gives its members these
        self.classes, self.codes = np.unique(y, return_inverse=True)
        self.codes_test = np.searchsorted(self.classes, y_test)

    def once(self, name: str, make: Callable[[], Timed]) -> Timed:
        """Return what `make` makes, the first time; what failed once is not tried again."""
        if name in self._faults:
            raise self._faults[name]
        if name not in self._fitted:
            self.tell(name)
            try:
                self._fitted[name] = make()
            except Exception as error:
                self._faults[name] = error
                raise
        return self._fitted[name]

    def teacher(self, kind: str) -> Timed:
        """Return a fitted teacher."""
        if kind == "voting":
            return self.once(kind, partial(self._fit_vote, kind))
        return self.once(kind, lambda: self.shelf.take(kind, lambda: self.fit_member(kind)))

    def fit_member(self, kind: str) -> Timed:
        """Fit a teacher that is no vote of others."""
        return fit(member(kind, self.X, self.unit.seed, self.regression), self.X, self.codes)

    def _fit_vote(self, kind: str) -> Timed:
        fitted = {name: self.teacher(name) for name in MEMBERS}
        voting = vote({name: timed.model for name, timed in fitted.items()}, self.X, self.codes)
        parts = fitted.values()
        return Timed(voting, sum(timed.seconds for timed in parts), sum(timed.cpu for timed in parts))

    def student(self, kind: str, teacher: str) -> Timed:
        """Return a fitted student; those on labels know no teacher, and are fitted once."""
        if kind in ("labels", RIVAL):
            make = self._fit_labels if kind == "labels" else self._fit_rival
            return self.once(f"{kind}, {len(self.codes)} rows", make)
        self.tell(f"{teacher} -> {kind}")
        model = self.distiller(self.teacher(teacher).model, random_state=self.unit.seed)
        if kind != "default":
            model.set_params(**self.changes.get(kind, {"student": kind}))
        return fit(model, self.X, self.codes)

    def _fit_labels(self) -> Timed:
        return fit(self.labels_only(random_state=self.unit.seed), self.X, self.codes)

    def _fit_rival(self) -> Timed:
        return fit(boosted(RIVAL_ROUNDS, self.unit.seed, self.regression), self.X, self.codes)

    def ask(self, model: Any, X: Any) -> Array:
        """Return a model's answers."""
        return getattr(model, self.method)(X)

    def likeness(self, proba: Array, told: Array) -> dict[str, float]:
        """Return how like the teacher's answers a student's are."""
        return {"agreement": agreement(proba, told)}

    def scores(self, proba: Array) -> dict[str, float]:
        """Return accuracy and log-loss of answers for the rows to score."""
        labels = np.arange(len(self.classes))
        return {name: score(self.codes_test, proba, labels) for name, score in (("accuracy", accuracy), ("loss", loss))}

    def teacher_figures(self, kind: str) -> tuple[dict[str, float], Array]:
        """Return the figures of a teacher, and its answers."""
        return self.shelf.take(f"{kind}-answers", lambda: self._teacher_figures(kind))

    def _teacher_figures(self, kind: str) -> tuple[dict[str, float], Array]:
        taught = self.teacher(kind)
        proba = self.ask(taught.model, self.X_test)
        row = self.X_test.iloc[:1]
        scores = {f"teacher_{name}": score for name, score in self.scores(proba).items()}
        return scores | {
            "teacher_fit_seconds": taught.seconds,
            "teacher_fit_cpu": taught.cpu,
            "teacher_row_us": one_row_us(lambda: self.ask(taught.model, row), TEACHER_REPEATS, 1),
        }, proba

    def student_figures(self, kind: str, teacher: str, told: Array) -> dict[str, float]:
        """Return the figures of a student, next to its teacher's answers."""
        learnt = self.student(kind, teacher)
        model = learnt.model
        proba = self.ask(model, self.X_test)
        row = self.X_test.iloc[:1]
        size, bare = self._rival_program(model, row) if kind == RIVAL else self._program(model, row)
        return self.scores(proba) | {
            **self.likeness(proba, told),
            "fit_seconds": learnt.seconds,
            "fit_cpu": learnt.cpu,
            "bytes": size,
            "row_us": one_row_us(bare),
            "frame_us": one_row_us(lambda: self.ask(model, row)),
        }

    def _program(self, model: Any, row: Any) -> tuple[int, Callable[[], object]]:
        """Return the bytes of what is served, and the quickest way to ask it for a row."""
        (cells,) = row.to_dict("records")
        return model.program_.nbytes, lambda: model.program_(cells)

    def _rival_program(self, model: Any, row: Any) -> tuple[int, Callable[[], object]]:
        booster, cells = model[-1].booster_, numbers(model[:-1].transform(row))
        return len(booster.model_to_string()), lambda: booster.predict(cells, num_threads=1)


def measure(
    unit: Unit, tell: Callable[[str], None], make_bench: Callable[..., Bench] = Bench
) -> Iterator[dict[str, Any]]:
    """Yield a line of the CSV for each teacher and student of a unit, ``error`` filled where one failed.

    Parameters
    ----------
    unit : Unit
        What to measure.
    tell : callable
        Told what is under way.
    make_bench : callable, default=Bench
        Reads the rows.
    """
    # the first fit imports torch, which is nobody's time, and what is imported later is not held to one thread
    MLPStudent(max_epochs=1).fit(np.eye(2), [0, 1])
    with one_thread():
        try:
            bench = make_bench(unit, tell)
        except Exception as error:
            yield from (unit.key(*pair) | {ERROR: _words(error)} for pair in unit.pairs)
            return
        for kind in dict.fromkeys(pair[0] for pair in unit.pairs):
            pairs = [pair for pair in unit.pairs if pair[0] == kind]
            try:
                figures, told = bench.teacher_figures(kind)
            except Exception as error:
                yield from (unit.key(*pair) | {ERROR: _words(error)} for pair in pairs)
                continue
            for pair in pairs:
                bench.take(*pair)
                line: dict[str, Any] = unit.key(*pair) | {"rows": len(bench.codes)} | figures
                try:
                    line |= bench.student_figures(pair[1], kind, told)
                except Exception as error:
                    line[ERROR] = _words(error)
                yield line


def _words(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
