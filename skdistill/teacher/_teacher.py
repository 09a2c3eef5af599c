"""Teacher: made once from what the user passed; all calls of the user's models go through it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import FunctionType, MethodType
from typing import Any

import joblib
import numpy as np
from joblib import Memory
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from .._checks import listed, unite
from .._sklearn import copy_unfitted, has_fit_parameter, is_fitted, n_rows_of, not_fitted, take_params, take_rows
from ..program import column_names, in_order, is_frame, named_columns, user_level
from ..tasks import Task
from ._answers import Answers, Origin
from ._fitted import asks_for_fit, has_been_fitted, is_estimator, models_of
from ._memory import once

Array = NDArray[Any]

#: The name by which a ranker's queries are among the arguments of a teacher's fit, whose libraries call them otherwise.
QUERIES = "queries of rows"


@dataclass(frozen=True)
class _Member:
    """One of the teachers, fitted or not, as the user passed it.

    `key` tells its answers from those of others when they are cached.
    """

    model: Any
    given: Any
    fitted: bool
    key: Any = None

    @property
    def called(self) -> str:
        """What messages call it."""
        own = type(self.model).__name__
        return f"teacher {own if is_estimator(self.model) else getattr(self.model, '__qualname__', own)}"


@dataclass(frozen=True)
class Teacher:
    """The user's teachers, ready to be fitted and asked.

    Made by :meth:`of`, which raises if the value cannot be a teacher. Rows are put into the order of columns that each
    model was fitted on, and answers are matched by the names of their columns, here and nowhere else.

    Parameters
    ----------
    value : estimator, callable, list of these, or None
        As the user gave it, with fitted clones in the place of unfitted estimators once :meth:`fit` was called.
    task : Task
        What it answers: classes or numbers.
    members : tuple
        The single models.
    weights : ndarray of shape (n_teachers,)
        The factor of each; they sum to one, but where the units of answers are taken into account.
    memory : joblib.Memory
        Keeps fitted clones and answers.
    origin : str
        What is known of the rows that it will be asked about, as in :class:`Answers`.
    unnamed : ndarray of shape (n_targets,) or None
        What the columns of answers without names stand for, where the user says.
    """

    value: Any
    task: Task
    members: tuple[_Member, ...]
    weights: Array
    memory: Memory
    origin: Origin = "unknown"
    unnamed: Array | None = None

    @classmethod
    def of(
        cls,
        value: Any,
        task: Task,
        *,
        weights: Sequence[float] | None = None,
        memory: Memory | None = None,
        trial: Any = None,
        unnamed: ArrayLike | None = None,
    ) -> Teacher:
        """Make a Teacher; raise before any work if the value cannot be one.

        Parameters
        ----------
        value : estimator, callable, list of these, or None
            As the user gave it; None where there are answers alone.
        task : Task
            What it has to answer.
        weights : sequence of float or None
            A weight for each model of a list; None weighs them evenly.
        memory : joblib.Memory or None
            Where fitted clones and answers are kept.
        trial : array-like of shape (n_rows, n_columns) or None
            Rows of which the first is shown to an estimator that does not show whether it has been fitted: one that
            answers is.
        unnamed : array-like of shape (n_targets,) or None
            What the columns of answers without names stand for, where the user says.

        Returns
        -------
        teacher : Teacher
            Not yet asked.

        Raises
        ------
        TypeError
            If a teacher is a class, or nothing that can be asked.
        ValueError
            If a teacher answers another kind of target, it is unknown whether it has been fitted, or weights do not
            match the teachers.
        """
        models = [] if value is None else models_of(value)
        if not models and value is not None:
            raise ValueError("teacher is an empty list; expected at least one teacher.")
        for model in models:
            _check_model(model, task)
        made = tuple(_Member(model, model, has_been_fitted(model, task, trial), model) for model in models)
        shares = np.ones(len(models)) if weights is None else np.asarray(weights, dtype=np.float64)
        if shares.shape != (len(models),):
            raise ValueError(
                f"teacher_weights has shape {shares.shape}; expected one weight for each of the {len(models)} teachers."
            )
        if weights is not None and (not np.isfinite(shares).all() or (shares < 0).any() or shares.sum() <= 0):
            raise ValueError(f"teacher_weights must be non-negative and not all zero; got {list(weights)}.")
        columns = None if unnamed is None else np.asarray(unnamed)
        memory = Memory(None) if memory is None else memory
        return cls(value, task, made, shares / shares.sum(), memory, unnamed=columns)

    @staticmethod
    def for_clone(value: Any) -> Any:
        """Return a teacher as a clone of its distiller must hold it.

        A fitted estimator or a callable is what the user made it and stays the same object; an unfitted estimator is
        cloned.
        """
        if isinstance(value, list | tuple):
            return type(value)(Teacher.for_clone(model) for model in value)
        return copy_unfitted(value) if asks_for_fit(value) and hasattr(value, "get_params") else value

    @staticmethod
    def routed_names(value: Any) -> list[tuple[str, Any]]:
        """Return the name under which metadata is routed to each model, and the model."""
        if not isinstance(value, list | tuple):
            return [("teacher", value)]
        return [(f"teacher_{index}", model) for index, model in enumerate(value)]

    @staticmethod
    def input_tags(value: Any) -> list[Any]:
        """Return scikit-learn's tags of the estimators among teachers."""
        return [get_tags(model) for model in models_of(value) if isinstance(model, BaseEstimator)]

    @staticmethod
    def may_take_missing(value: Any) -> bool:
        """Return whether teachers may accept rows with missing numbers: False if one is sure not to.

        The tags of a Pipeline do not say what its imputer does, so it is assumed to take them.
        """
        return all(map(_may_take_missing, models_of(value)))

    @property
    def needs_fit(self) -> bool:
        """Whether any of the models is an estimator that has not been fitted."""
        return not all(member.fitted for member in self.members)

    @property
    def can_answer(self) -> bool:
        """Whether there is a model, and each is fitted."""
        return bool(self.members) and not self.needs_fit

    @property
    def name(self) -> str:
        """What messages call it."""
        return " and ".join(dict.fromkeys(member.called for member in self.members)) or "no teacher"

    @property
    def classes(self) -> Array | None:
        """The union of the class labels that the models know, sorted; None where any of them does not say."""
        several = [known for known in map(self._classes_of, self.members) if known is not None]
        return unite(several) if several and len(several) == len(self.members) else None

    def each(self, X: Any) -> list[tuple[Any, Any]]:
        """Return each fitted model, and the rows with their columns in the order in which it was fitted."""
        return [(member.model, _for_model(member, X)) for member in self.members if member.fitted]

    def check_columns(self, X: Any) -> None:
        """Raise a ValueError where rows do not have the columns that a model was fitted on, in whatever order."""
        if len(getattr(X, "shape", ())) == 2:
            for member in self.members:
                _for_model(member, X)

    def fit(self, X: Any, y: Array, params: Sequence[dict[str, Any]]) -> Teacher:
        """Return the teacher with clones, fitted to rows, in the place of the models that are not fitted.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_columns)
            The rows, as the user gave them.
        y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
            Their labels.
        params : sequence of dict
            Further arguments of ``fit``, for each model.
        """
        y = self.task.for_estimator(y)
        members = [
            member if member.fitted else self._fitted(member.model, X, y, given)
            for member, given in zip(self.members, params, strict=True)
        ]
        models = [member.model for member in members]
        value = models if isinstance(self.value, list | tuple) else models[0]
        return replace(self, value=value, members=tuple(members), origin="in_sample" if self.needs_fit else self.origin)

    def ask(self, X: Any) -> Answers:
        """Return the teacher's answers for rows.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_columns)
            The rows, as the user gave them.

        Returns
        -------
        answers : Answers
            The weighted mean over the models.

        Raises
        ------
        NotFittedError
            If a model is not fitted.
        ValueError
            If there is no model, rows have other columns than a model was fitted on, or answers are not what the
            task needs.
        """
        return self.blended(self.ask_each(X))

    def ask_each(self, X: Any) -> list[Answers]:
        """Return the answers of each model, of which :meth:`ask` returns the weighted mean."""
        if not self.members:
            raise ValueError(f"There is no teacher to ask; give its answers for these rows as {self.task.given}.")
        return [self._ask_one(member, X) for member in self.members]

    def given(
        self, values: Any, n_rows: int, names: ArrayLike | None = None, otherwise: Array | None = None
    ) -> Answers:
        """Return answers that the teacher has given beforehand.

        Parameters
        ----------
        values : array-like of shape (n_rows,) or (n_rows, n_targets)
            The answers: columns by name where the container has names, else in the order of `names`, or of a single
            teacher's ``classes_``, or sorted by label for several teachers.
        n_rows : int
            How many rows there must be.
        names : array-like of shape (n_targets,) or None
            What the user calls the columns.
        otherwise : ndarray of shape (n_targets,) or None
            What they stand for where neither the user nor the teacher says.
        """
        single = self.members[0] if len(self.members) == 1 else None
        known = self.classes if single is None else self._classes_of(single)
        values = self.task.read(values, _attribute(single and single.model, "classes_"), self.task.given)
        known = otherwise if known is None else known
        return self._checked(values, known, known if names is None else np.asarray(names), n_rows, self.task.given)

    def ask_out_of_fold(
        self, X: Any, y: Array, cv: Any, params: Sequence[dict[str, Any]], groups: Any
    ) -> list[Answers]:
        """Return each model's answers, from clones that have not seen the rows that they answer.

        The teacher itself is asked only about rows for which there are no such answers.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_columns)
            The rows, as the user gave them.
        y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
            Their labels.
        cv : "oob", int, cross-validation generator or iterable
            Out-of-bag answers of forests that were fitted on these rows, or of clones that are fitted on folds.
        params : sequence of dict
            Further arguments of each model's ``fit``, for all rows: a clone gets those of its own.
        groups : array-like of shape (n_rows,) or None
            The group of each row, for a `cv` that keeps groups together.

        Returns
        -------
        answers : list of Answers
            One for each model.
        """
        y, answers = self.task.for_estimator(y), []
        oob = isinstance(cv, str)
        # all teachers get the same folds
        folds = [] if oob else list(check_cv(cv, y, classifier=self.task.stratified).split(X, y, groups))
        for member, given in zip(self.members, params, strict=True):
            parts = [self._out_of_bag(member, X)] if oob else self._of_clones(member, X, y, folds, given)
            answers.append(self._merged(member, X, parts))
        return answers

    def check_clones(self, cv: Any) -> None:
        """Raise a ValueError where clones of the models cannot be fitted on folds."""
        for member in self.members:
            if not is_estimator(member.model):
                raise ValueError(f"cv={cv!r} fits clones of the teacher, and {member.called} is no estimator.")
            if (member.fitted and not hasattr(member.model, "get_params")) or is_fitted(copy_unfitted(member.given)):
                raise ValueError(
                    f"cv={cv!r} fits clones of the teacher, and a clone of {member.called} is fitted already."
                )

    def weight_params(self, sample_weight: Array | None, *, refitting: bool) -> list[dict[str, Any]]:
        """Return the sample weights as an argument of each model's fit that takes them.

        Parameters
        ----------
        sample_weight : ndarray of shape (n_rows,) or None
            The weights.
        refitting : bool
            Whether models that are fitted are fitted again, as clones on folds.
        """
        params: list[dict[str, Any]] = []
        for member in self.members:
            fits = sample_weight is not None and (refitting or not member.fitted)
            takes = fits and has_fit_parameter(member.model, "sample_weight")
            params.append({"sample_weight": sample_weight} if takes else {})
            if fits and not takes:
                warnings.warn(
                    f"{member.called} does not appear to accept sample_weight; the weights are used only for the "
                    "student.",
                    stacklevel=user_level(),
                )
        return params

    def _classes_of(self, member: _Member) -> Array | None:
        """Return the classes that a fitted estimator says it knows, as far as they say what its columns stand for."""
        classes = _classes_of(member)
        return None if classes is None else self.task.names_of(classes)

    def blended(self, several: list[Answers]) -> Answers:
        """Return the weighted mean of the models' answers, over all names that any of them knows.

        Parameters
        ----------
        several : list of Answers
            One for each model.

        Raises
        ------
        ValueError
            If models do not have as many columns, and names do not say which is which.
        """
        first, *others = several
        if not others:
            return first
        named = [one.names for one in several if one.names is not None]
        names = self.task.union(named) if named else None
        n_targets = first.values.shape[1] if names is None else len(names)
        for one, member in zip(several, self.members, strict=True):
            if one.names is None and one.values.shape[1] != n_targets:
                known = "" if names is None else f", named {listed(names.tolist())}"
                raise ValueError(
                    f"{member.called} returned {one.values.shape[1]} columns; the other teachers have "
                    f"{n_targets}{known}."
                )
        shares = [weight * one.aligned(names) for one, weight in zip(several, self.weights, strict=True)]
        return Answers(np.sum(shares, axis=0), names, first.origin)

    def _fitted(self, model: Any, X: Any, y: Array, params: dict[str, Any]) -> _Member:
        """Return a clone of a model, fitted."""
        arguments = (model, X, y, params)
        # a forest's trees do not hash alike each time they are loaded; what they were fitted from does
        key = None if self.memory.location is None else joblib.hash(arguments, coerce_mmap=True)
        return _Member(once(self.memory, _fit_clone, arguments), model, True, key)

    def _ask_one(self, member: _Member, X: Any) -> Answers:
        if not member.fitted:
            raise not_fitted(member.model)
        known = self._classes_of(member)
        values = self._raw(member, _for_model(member, X))
        values = self.task.read(values, _attribute(member.model, "classes_"), member.called)
        answers = self._checked(values, known, known, n_rows_of(X), member.called)
        if answers.names is not None:
            return answers
        # a distiller knows the outputs that it was fitted to
        last = member.model.steps[-1][1] if isinstance(member.model, Pipeline) else member.model
        own = _attribute(_attribute(last, "_aligned_teacher"), "order")
        names = self.unnamed if own is None else np.asarray(own)
        return replace(answers, names=names) if names is not None and len(names) == answers.values.shape[1] else answers

    def _checked(self, values: Any, known: Array | None, names: Array | None, n_rows: int, source: str) -> Answers:
        """Return answers, checked: as many as there are classes known, under the names of their container or these."""
        array, found = named_columns(values, names, source)
        n_targets = None if known is None else len(known)
        checked = self.task.check_answers(array, n_rows=n_rows, source=source, n_targets=n_targets)
        # as many names as columns: the task raises for others, and knows the labels to show
        return Answers(checked, found if found is not None and len(found) == checked.shape[1] else None, self.origin)

    def _raw(self, member: _Member, X: Any) -> Any:
        model, memory = member.model, self.memory
        if is_estimator(model):
            return once(memory, _call_method, (model, self.task.method, X), key=(member.key, X, self.task.method))
        if memory.location is None or hasattr(model, "check_call_in_cache"):
            return model(X)
        function = model.func if isinstance(model, partial) else model
        if isinstance(function, FunctionType | MethodType):
            raise ValueError(
                f"memory= cannot detect changes of {member.called}, because it is a function. Cache the function "
                f"itself (teacher=joblib.Memory({str(memory.location)!r}).cache(function)), or call it once and pass "
                f"its predictions to fit as {self.task.given}."
            )
        return once(memory, _call_method, (model, "__call__", X))

    def _of_clones(
        self, member: _Member, X: Any, y: Array, folds: list[tuple[Array, Array]], params: dict[str, Any]
    ) -> list[tuple[Array, Answers]]:
        """Return, for each fold, its rows and the answers of a clone that was fitted on the others."""
        parts, recipe = [], copy_unfitted(member.given)
        for seen, unseen in folds:
            clone = self._fitted(recipe, take_rows(X, seen), y[seen], take_params(X, params, indices=seen))
            parts.append((np.asarray(unseen), self._ask_one(clone, take_rows(X, unseen))))
        return parts

    def _out_of_bag(self, member: _Member, X: Any) -> tuple[Array, Answers]:
        """Return the rows for which a forest has out-of-bag answers, and these."""
        forest = member.model.steps[-1][1] if isinstance(member.model, Pipeline) else member.model
        values = getattr(forest, self.task.out_of_bag, None)
        if values is None:
            raise ValueError(
                f"cv='oob' needs out-of-bag answers, and {member.called} has none: fit a forest with oob_score=True, "
                "or use cv=5."
            )
        if len(values) != X.shape[0]:
            raise ValueError(
                f"cv='oob' needs the rows that {member.called} was fitted on: it has out-of-bag answers for "
                f"{len(values)} rows, and X has {X.shape[0]}."
            )
        values = self.task.read(values, _attribute(forest, "classes_"), member.called)
        values = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
        rows = np.flatnonzero(~self.task.missing_out_of_bag(values))
        known = self._classes_of(member)
        return rows, self._checked(values[rows], known, known, len(rows), f"{member.called}, out of bag,")

    def _merged(self, member: _Member, X: Any, parts: list[tuple[Array, Answers]]) -> Answers:
        """Return the answers of parts of the rows in the rows' order; the model itself answers the others."""
        known = self._classes_of(member)
        rest = np.setdiff1d(np.arange(X.shape[0]), np.concatenate([rows for rows, _ in parts]))
        if len(rest):
            parts = [(rest, self._ask_one(member, take_rows(X, rest))), *parts]
        names = parts[0][1].names if known is None else known
        for _, part in parts:
            if names is not None and part.names is not None and len(unite([names, part.names])) > len(names):
                raise ValueError(
                    f"y holds classes that {member.called} does not know, so its clones cannot be fitted on it."
                )
        aligned = [part.aligned(names) for _, part in parts]
        if len({part.shape[1] for part in aligned}) > 1:
            raise ValueError(
                f"Clones of {member.called} answer with {' or '.join(str(part.shape[1]) for part in aligned)} columns: "
                "not every fold has every class, and the clones have no classes_ that say which. Use a cv that is "
                "stratified, as cv=5 is, or give the teacher a classes_."
            )
        values = np.empty((X.shape[0], aligned[0].shape[1]))
        for (rows, _), own in zip(parts, aligned, strict=True):
            values[rows] = own
        return Answers(values, names, "out_of_fold")


def _check_model(model: Any, task: Task) -> None:
    if isinstance(model, type):
        raise TypeError(f"teacher is the class {model.__name__}; expected an instance: {model.__name__}().")
    if is_estimator(model):
        task.check_teacher(model, _Member(model, model, fitted=True).called)
    elif not callable(model):
        methods = "predict_proba, a callable X -> probabilities" if task.method != "predict" else "predict, a callable"
        raise TypeError(
            f"teacher must be a {task.estimator} with {methods}, a list of these, or None together with {task.given}; "
            f"got {model!r}."
        )


def _may_take_missing(model: Any) -> bool:
    if not isinstance(model, BaseEstimator) or get_tags(model).input_tags.allow_nan:
        return True
    return any(isinstance(one, Pipeline) for one in [model, *model.get_params(deep=True).values()])


def _classes_of(member: _Member) -> Array | None:
    """Return the classes that a fitted estimator says it knows."""
    if not is_estimator(member.model) or not member.fitted:
        return None
    classes = _attribute(member.model, "classes_")
    # an array for each of several outputs raises when the answers are checked
    if classes is None or len(classes) == 0 or np.ndim(classes[0]) > 0:
        return None
    return np.asarray(classes)


def _for_model(member: _Member, X: Any) -> Any:
    """Return rows with columns in the order in which a model was fitted; raise for other columns."""
    if not is_estimator(member.model) or not member.fitted or len(getattr(X, "shape", ())) != 2:
        return X
    expected = _attribute(member.model, "n_features_in_")
    if expected is not None and int(expected) not in (0, X.shape[1]):
        raise ValueError(f"X has {X.shape[1]} columns, but {member.called} was fitted on {int(expected)}.")
    names = _attribute(member.model, "feature_names_in_")
    if names is None:
        # CatBoost calls columns without a name by their numbers
        names = _attribute(member.model, "feature_names_")
        names = None if names is None or list(names) == [str(at) for at in range(len(names))] else names
    if names is None or not is_frame(X):
        return X
    columns = column_names(X)
    own = {_rewritten(name): name for name in columns}
    wanted = [_rewritten(name) for name in names]
    if len(own) < len(columns) or sorted(wanted) != sorted(own):
        if list(map(str, columns)) == list(map(str, names)):
            return X
        missing = [name for name in map(str, names) if _rewritten(name) not in own]
        extra = [name for name in columns if _rewritten(name) not in wanted]
        raise ValueError(
            f"The columns of X are not those that {member.called} was fitted on (missing: {listed(missing)}; "
            f"unexpected: {listed(extra)})."
        )
    return in_order(X, [own[name] for name in wanted])


def _rewritten(name: Any) -> str:
    """Return a column's name as libraries rewrite it: LightGBM puts underscores for spaces."""
    return re.sub(r"\s", "_", str(name))


def _attribute(estimator: Any, name: str) -> Any:
    try:
        return getattr(estimator, name, None)
    except Exception:
        # properties of other libraries raise errors of their own where they have no answer
        return None


def _fit_clone(model: Any, X: Any, y: Any, params: dict[str, Any]) -> Any:
    clone = copy_unfitted(model)
    queries = params.get(QUERIES)
    params = {name: value for name, value in params.items() if name != QUERIES}
    fitted = clone.fit(X, y, **params, **({} if queries is None else _query_params(model, queries)))
    return clone if fitted is None else fitted


def _query_params(model: Any, queries: Array) -> dict[str, Array]:
    """Return the queries of rows, sorted, as the fit of a ranker takes them; nothing for what learns row by row."""
    prefix = ""
    if isinstance(model, Pipeline):
        last, model = model.steps[-1]
        prefix = f"{last}__"
    # XGBoost has a group as well
    for name in ("qid", "group_id", "group"):
        if has_fit_parameter(model, name):
            sizes = np.unique(queries, return_counts=True)[1]
            return {f"{prefix}{name}": sizes if name == "group" else queries}
    return {}


def _call_method(model: Any, method: str, X: Any) -> Any:
    return getattr(model, method)(X)
