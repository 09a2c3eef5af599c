"""From a Parquet dataset to a fitted student: the recipe on a sample of the rows, then a net on a stream of all."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import count
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._checks import listed
from .._sklearn import take_rows
from ..losses import Targets
from ..program import user_level
from ..student import MLPStudent, MLPStudentRegressor, scale_logits, train_on, traits_of
from ..teacher import Teacher
from ._dataset import ParquetRows, Roles, Sample
from ._recipe import TrainingSet, as_chosen, choose
from ._scaling import logit_scale_of
from ._story import Asked, Request, ask, check, constrain, finish, seed_of, train_student

Array = NDArray[Any]

#: Rows that encoder and recipe learn from. The recipe takes 262,144 at most (MOST_ROWS): a net of its size gains little
#: from more. The rest is for rare classes: there are so many rows of each at least, as far as the rest goes.
SAMPLE_ROWS, RARE_ROWS, MORE_ROWS = 200_000, 1_000, 62_144
#: The share of the sample that validates the stream, and that nothing else sees.
_HELD_OUT = 0.1
#: Rows are seen again only until a net has taken so many steps, as in memory.
_MOST_STEPS = 20_000


def _as_frame(table: Any) -> Any:
    return table.to_pandas()


@dataclass(frozen=True)
class _Named:
    """The columns of a dataset, as fit was given them.

    Parameters
    ----------
    y : str, list of str or None
        The columns of labels.
    answers : dict, list of str, str or None
        The columns of the teacher's answers, in a dict by class label.
    weight : str or None
        The column of weights.
    as_rows : callable
        From a table of the other columns to rows.
    """

    y: Any
    answers: Any
    weight: str | None
    as_rows: Callable[[Any], Any]

    @property
    def roles(self) -> Roles:
        answers = self.answers.values() if isinstance(self.answers, Mapping) else _listed(self.answers)
        return Roles(tuple(_listed(self.y)), tuple(answers), self.weight)

    def labels(self, table: Any) -> tuple[Any, Array]:
        """Return the labels of the rows that have one, and which these are, shape (n_rows,)."""
        if self.y is None:
            return None, np.zeros(len(table), dtype=bool)
        if not isinstance(self.y, str):
            return table.select(list(self.y)).to_pandas(), np.ones(len(table), dtype=bool)
        column = table[self.y]
        # whole numbers beside missing ones would become floats
        known = column.is_valid().to_numpy()
        return column.drop_null().to_pandas().to_numpy(), known

    def given(self, table: Any) -> Any:
        """Return the teacher's answers, as fit takes them; None where there are none."""
        if self.answers is None:
            return None
        if isinstance(self.answers, Mapping):
            import pandas as pd

            return pd.DataFrame({label: table[name].to_numpy() for label, name in self.answers.items()})
        values = np.column_stack([table[name].to_numpy() for name in _listed(self.answers)])
        return values if values.shape[1] > 1 else values[:, 0]

    def weights(self, table: Any) -> Array | None:
        return None if self.weight is None else table[self.weight].to_numpy().astype(np.float64)


def fit_dataset(
    model: Any,
    X: Any,
    y: Any,
    *,
    given: Any = None,
    X_unlabeled: Any = None,
    sample_weight: Any = None,
    fit_params: dict[str, Any] | None = None,
    as_rows: Callable[[Any], Any] = _as_frame,
) -> Any:
    """Fit a distiller to a dataset that may be larger than memory.

    Parameters
    ----------
    model : DistilledClassifier or DistilledRegressor
        What is fitted.
    X : str, path-like, pyarrow.dataset.Dataset or pyarrow.RecordBatchReader
        The rows.
    y, given, sample_weight : object
        The names of the columns of labels, of the teacher's answers, and of weights.
    X_unlabeled, fit_params : object
        As in ``fit``; there are none.
    as_rows : callable, default=to a pandas frame
        From a table of pyarrow with the columns of the rows to the rows as teacher and student get them.

    Returns
    -------
    model : DistilledClassifier or DistilledRegressor
        The fitted model.
    """
    named = _Named(*_check_names(model, y, given, X_unlabeled, sample_weight, fit_params or {}), as_rows)
    with ExitStack() as stack:
        dataset = stack.enter_context(ParquetRows(X, named.roles))
        # on disk, so that memory does not grow with the rows
        answers = stack.enter_context(TemporaryFile()) if named.answers is None else None
        return _fit(model, dataset, named, answers)


def _fit(model: Any, dataset: ParquetRows, named: _Named, answers: Any) -> Any:
    """Fit a distiller to a dataset, with a file for the teacher's answers unless they are there already."""
    seed = seed_of(model, model.student)
    classes = model._task.stratified

    def check_answers(table: Any, place: str) -> None:
        # those of several labels are checked when it is clear that labels are
        if named.answers is not None and not isinstance(named.y, list | tuple):
            source = f"{model._task.given} in {place}"
            model._task.check_answers(named.given(table), n_rows=len(table), source=source)

    sample = dataset.sample(SAMPLE_ROWS, RARE_ROWS, MORE_ROWS, seed, classes=classes, check=check_answers)
    n_unlabelled = dataset.n_rows - dataset.n_labelled
    if named.y is not None and n_unlabelled:
        warnings.warn(
            f"{n_unlabelled} of {dataset.n_rows} rows have no label in {listed(_listed(named.y))}: they are learned "
            "from the teacher's answers alone. To leave them out, pass a dataset without them: dataset.filter(...).",
            UserWarning,
            stacklevel=user_level(),
        )
    whole = len(sample.positions) == dataset.n_counted
    streamed = not whole and _is_streamed(model.student)
    valid = np.zeros(len(sample.positions), dtype=bool)
    if streamed:
        n_valid = round(_HELD_OUT * len(valid))
        valid[np.random.RandomState(seed).permutation(len(valid))[:n_valid]] = True
        if classes and isinstance(named.y, str):
            # the last row of a class is learned
            labels = sample.table[named.y].to_pandas().factorize()[0]
            valid &= np.isin(labels, labels[~valid])
    learned = sample.part(~valid)
    request, order = _request(model, dataset, named, learned)
    if not (whole or streamed):
        _warn_of_sample(request.plan.student, dataset, len(learned.positions))
    asked = constrain(model, request, ask(request))
    training_set = choose(request.plan, asked.rows, asked.targets, asked.ask_again, asked.origin)
    student = train_student(training_set, request.plan.student)
    if streamed:
        stream = _Stream(dataset, named, request, asked, training_set, student, sample.part(valid), answers)
        stream.remember(learned.positions[order], asked.targets.answers)
        training_set = stream.train(seed, len(learned.positions))
    elif not whole:
        report = training_set.report | {"n_left_out": dataset.n_rows - len(learned.positions)}
        training_set = replace(training_set, report=report)
    return finish(model, asked, training_set, student)


def _is_streamed(student: Any) -> bool:
    return (isinstance(student, str) and student == "mlp") or isinstance(student, MLPStudent | MLPStudentRegressor)


def _check_names(
    model: Any, y: Any, given: Any, X_unlabeled: Any, sample_weight: Any, fit_params: dict[str, Any]
) -> tuple[Any, Any, Any]:
    """Return the columns of labels, predictions and weights; raise for an unknown column or an unfitted teacher."""
    task = model._task
    if X_unlabeled is not None:
        raise ValueError("X is a dataset: rows without a label stand in it, with a missing cell in the column of y.")
    named = {"y": y, task.given: given, "sample_weight": sample_weight}
    for what, value in named.items():
        one = value is None or isinstance(value, str)
        several = isinstance(value, list | tuple) and value and all(isinstance(name, str) for name in value)
        mapping = (
            what == "teacher_proba"
            and isinstance(value, Mapping)
            and all(isinstance(name, str) for name in value.values())
        )
        if not (one or (several and what != "sample_weight") or mapping):
            raise TypeError(
                f"X is a dataset, and so {what} has to name columns of it: {what}="
                f"{'{label: column, ...}' if what == 'teacher_proba' else repr('column')}; got a "
                f"{type(value).__name__}."
            )
    if given is None:
        fitted_teacher(model, "a dataset", f", or name the columns of its answers: {task.given}=...")
    if fit_params:
        raise TypeError(f"fit() got unexpected arguments {sorted(fit_params)}: no teacher is fitted to a dataset.")
    return (y[0] if isinstance(y, list | tuple) and len(y) == 1 else y), given, sample_weight


def fitted_teacher(model: Any, rows: str, instead: str = "") -> Teacher:
    """Return the teacher of a distiller; raise unless it can be asked without rows to fit it to.

    Parameters
    ----------
    model : Distiller
        Whose teacher it is.
    rows : str
        What X is, for the message.
    instead : str, default=""
        What else may be done, for the message.
    """
    cv = model.cv
    unnamed = getattr(model, "classes", None)
    teacher = Teacher.of(model.teacher, model._task, weights=model.teacher_weights, unnamed=unnamed)
    if not teacher.members:
        fault, remedy = "there is no teacher", "Pass a fitted one"
    elif cv is not None and not (isinstance(cv, str) and cv == "prefit"):
        fault, remedy = f"cv={cv!r} fits clones of the teacher", "Set cv=None or cv='prefit'"
    elif teacher.needs_fit:
        fault, remedy = f"{teacher.name} is not fitted", "Fit the teacher on rows that do"
    else:
        return teacher
    raise ValueError(f"X is {rows}, whose rows need not fit into memory, and {fault}. {remedy}{instead}.")


def _listed(names: Any) -> list[str]:
    return [] if names is None else [names] if isinstance(names, str) else list(names)


def _request(model: Any, dataset: ParquetRows, named: _Named, sample: Sample) -> tuple[Request, Array]:
    """Return the request of a fit to a sample, and the order of its rows: those without a label come last."""
    y, known = named.labels(sample.table)
    known = known if named.y is not None else np.ones(len(known), dtype=bool)
    order = np.concatenate([np.flatnonzero(known), np.flatnonzero(~known)])
    table = sample.table.take(order)
    weight = _combined(named.weights(table), None if sample.weight is None else sample.weight[order])
    rows, n_known = table.select(dataset.names), int(known.sum())
    request = check(
        model,
        named.as_rows(rows.slice(0, n_known)),
        y,
        given=named.given(table),
        X_unlabeled=None if known.all() else named.as_rows(rows.slice(n_known)),
        sample_weight=None if weight is None else weight[:n_known],
        fit_params={},
    )
    return request, order


def _combined(weight: Array | None, other: Array | None) -> Array | None:
    if weight is None or other is None:
        return other if weight is None else weight
    return weight * other


def _warn_of_sample(student: Any, dataset: ParquetRows, n_rows: int) -> None:
    """Warn of a student that needs all its rows at once, and so is fitted to a sample."""
    warnings.warn(
        f"{type(student).__name__} needs all its rows in memory: it is fitted to {n_rows} of the {dataset.n_rows} "
        "rows, drawn by chance. A net (student='mlp') is trained on all.",
        UserWarning,
        stacklevel=user_level(),
    )


class _Stream:
    """A fitted net and all rows of a dataset, block by block, with the teacher's answers.

    Parameters
    ----------
    dataset : ParquetRows
        The rows.
    named : _Named
        Its columns.
    request, asked, training_set : Request, Asked, TrainingSet
        Those of the sample: what was chosen by it holds for all rows.
    student : MLPStudent or MLPStudentRegressor
        Fitted to the sample.
    valid : Sample
        Rows to validate the fit by.
    file : file or None
        For answers of the teacher; None where they are given.
    """

    def __init__(
        self,
        dataset: ParquetRows,
        named: _Named,
        request: Request,
        asked: Asked,
        training_set: TrainingSet,
        student: Any,
        valid: Sample,
        file: Any,
    ) -> None:
        self._dataset, self._named, self._request, self._asked = dataset, named, request, asked
        self._training_set, self._student, self._valid = training_set, student, valid
        # the answers for each row, and whether it was asked
        shape = (dataset.n_rows, asked.teacher.n_targets + 1)
        self._answers = None if file is None else np.memmap(file, np.float32, "w+", shape=shape)

    def remember(self, positions: Array, answers: Array | None) -> None:
        """Keep answers of the teacher for rows, so that it is asked once about each."""
        if self._answers is not None:
            self._answers[positions, :-1] = answers
            self._answers[positions, -1] = 1.0

    def train(self, seed: int, n_before: int) -> TrainingSet:
        """Train the net on; return the training set of the sample, whose report tells of it."""
        student, report = self._student, dict(self._training_set.report)
        n_rows = self._dataset.n_counted - len(self._valid.positions)
        rows, targets = self._targets(self._valid.table, self._valid.positions)
        valid = rows, replace(targets, sample_weight=_combined(targets.sample_weight, self._valid.weight))
        stream = train_on(
            student,
            valid,
            self._blocks(seed),
            n_rows=n_rows,
            most_steps=_MOST_STEPS,
            n_before=n_before,
            seed=seed,
        )
        scale = self._logit_scale(valid)
        scale_logits(student, scale)
        n_left_out = max(0, n_rows - max(stream.n_seen, n_before))
        report |= {
            "n_rows": self._dataset.n_counted - n_left_out,
            "n_left_out": n_left_out,
            "n_labelled": self._dataset.n_labelled,
            "n_steps": report["n_steps"] + stream.n_steps,
            "logit_scale": report["logit_scale"] * scale,
            # the weights have been trained since
            "logit_shift": None,
            "learning_curve": stream.curve,
            "stopped": "flat" if stream.flat else "all rows seen",
        }
        return replace(self._training_set, report=report)

    def _blocks(self, seed: int) -> Iterator[tuple[Any, Targets]]:
        for epoch in count():
            for table, positions in self._dataset.blocks((seed + epoch) % 2**32, self._valid.positions):
                yield self._targets(table, positions)

    def _targets(self, table: Any, positions: Array) -> tuple[Any, Targets]:
        """Return rows and what to fit, by what was chosen for the sample."""
        task, aligned = self._request.task, self._asked.teacher
        rows = self._named.as_rows(table.select(self._dataset.names))
        given = self._named.given(table)
        if given is None:
            values = self._ask(rows, positions)
        else:
            values = aligned.aligned(aligned.teacher.given(given, len(table), self._request.classes))
        loss, alpha, weight = self._request.loss, self._training_set.report["alpha"], self._named.weights(table)
        targets = task.targets(values, aligned.order, None, loss=loss, alpha=alpha, sample_weight=weight)
        y, known = self._named.labels(table)
        if y is not None:
            y = y if task.stratified and isinstance(self._named.y, str) else task.check_y(y, len(y))
            of_known = task.encode(y, aligned.order)
            labels = np.full((len(known), *of_known.shape[1:]), loss.NO_LABEL, dtype=of_known.dtype)
            labels[known] = of_known
            targets = replace(targets, labels=labels)
        return rows, as_chosen(targets, self._training_set.report, ~known)

    def _ask(self, rows: Any, positions: Array) -> Array:
        assert self._answers is not None
        new = np.flatnonzero(self._answers[positions, -1] == 0)
        if len(new):
            self.remember(positions[new], self._asked.teacher.ask(take_rows(rows, new)))
        return np.asarray(self._answers[positions, :-1], dtype=np.float64)

    def _logit_scale(self, valid: tuple[Any, Targets]) -> float:
        """Return what temperature scaling multiplies the logits by, as the recipe does.

        The rows are neither learned nor answered on the way, so that a teacher that has memorised them does not matter.
        """
        rows, targets = valid
        plan, student = self._request.plan, self._student
        chosen = isinstance(plan.alpha, str) and targets.labels is not None
        if not chosen or not traits_of(student).scalable or student.class_weight is not None:
            return 1.0
        known = np.flatnonzero(targets.labelled())
        return logit_scale_of(plan.task, targets, known, plan.task.predict(student, rows)[known])
