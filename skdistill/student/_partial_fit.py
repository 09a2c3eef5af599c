"""partial_fit: checks further rows and labels, and keeps the encoder; a kind of student says how it learns them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from .._checks import check_rows, check_weights, listed
from .._sklearn import fit_context
from ..losses import CrossEntropy, Targets, regression_loss_of
from ..program import (
    Bound,
    Columns,
    Op,
    Unstandardize,
    by_class,
    in_order,
    is_frame,
    named_columns,
    user_level,
    versions,
)
from ..tasks import CLASSES, task_for
from ._base import ClassifierPart, ProgramStudent, RegressorPart, counted_rows
from ._columns import raw_columns
from ._encoder import check_finite
from ._further import Further

Array = NDArray[Any]


class Learning(ProgramStudent):
    """A student with a `partial_fit`; its kind says in :meth:`_learn` how the weights are found."""

    def _learn(self, further: Further, rows: Any, targets: Targets, n_before: int) -> list[tuple[Array, Array]]:
        """Return the layers after further rows, whose loss, and those before, they lower."""
        raise NotImplementedError

    def _learn_first(self, X: Any, targets: Targets) -> Any:
        """Learn the first rows of all, and the encoder with them."""
        return self._fit_checked(X, targets)

    def _partial_fit(self, X: Any, targets_of: Callable[[int, Array | None], Targets], sample_weight: Any) -> Any:
        first = "program_" not in self.__dict__
        X = check_rows(self, X, reset=first)
        targets = targets_of(X.shape[0], check_weights(sample_weight, X))
        X, targets = counted_rows(X, targets)
        if first:
            return self._learn_first(X, targets)
        if isinstance(self.program_.ops[0], Columns) and not sparse.issparse(X):
            _check_columns(self.program_.ops[0], X)
        rows = self._encoder_rows(X)
        if isinstance(self.program_.ops[0], Bound) and not sparse.issparse(rows):
            rows = sparse.csr_array(np.asarray(rows, dtype=np.float64))
        further = Further(self, rows)
        n_before = int(self._fit_metadata["report"]["n_rows"])
        layers = self._learn(further, rows, targets, n_before)
        self.program_ = further.with_layers(layers, self._further_end(further, targets))
        self._fit_metadata = {"report": {"n_rows": n_before + X.shape[0]}, "versions": versions()}
        return self

    def _further_end(self, further: Further, targets: Targets) -> Op:
        return further.end


def _check_columns(entry: Columns, X: Any) -> None:
    """Raise for infinite numbers, as a fit does; warn of numbers that vary and that the student does not read."""
    unread = []
    X = in_order(X, list(entry.names)) if is_frame(X) and entry.names is not None else X
    for index, column in enumerate(raw_columns(X, [("number", "")] * X.shape[1])):
        if column.cells.dtype.kind == "f":
            check_finite(column)
        if index not in entry.sources and column.cells.dtype.kind in "fiu" and len(np.unique(column.cells)) > 1:
            unread.append(column.name)
    if unread:
        warnings.warn(
            f"The student does not read the columns {listed(unread)}, which did not vary, or had no effect, in the "
            "rows before. To learn them, fit it anew.",
            UserWarning,
            stacklevel=user_level(),
        )


class LearningClassifier(ClassifierPart, Learning):
    """A classifier with ``partial_fit``."""

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, classes: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Any:
        """Learn further rows with the encoder of the first ones.

        A fitted student continues from its current weights. An unfitted one learns its encoder from these rows, which
        should be at least a few thousand.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Raw rows, with the columns of the first ones.
        y : array-like of shape (n_rows,), (n_rows, n_classes) or (n_rows, n_labels)
            As in ``fit``: labels, soft targets with columns in the order of ``classes_``, or a multilabel indicator
            matrix. Columns of a frame are matched by name with ``classes_``.
        classes : array-like of shape (n_classes,), default=None
            All class labels that will occur. Required in the first call with labels, unless the student is fitted.
        sample_weight : array-like of shape (n_rows,), default=None
            Non-negative weights, as in ``fit``.

        Returns
        -------
        self : object
            The student.

        Raises
        ------
        ValueError
            If `classes` is missing or has changed, `y` has an unknown class, the columns are not those of the first
            rows, or ``class_weight="balanced"``, which needs all rows at once.
        """
        return self._partial_fit(X, partial(self._further_targets, y, classes), sample_weight)

    def _further_targets(self, y: Any, classes: Any, n_rows: int, weight: Array | None) -> Targets:
        if isinstance(self.class_weight, str):
            raise ValueError(
                f"class_weight={self.class_weight!r} needs all rows at once; partial_fit takes a dict of weights."
            )
        fitted, called, loss = "program_" in self.__dict__, type(self).__name__, CrossEntropy()
        task = task_for(CLASSES, y, soft=True)
        several = task != CLASSES
        if fitted and self.multilabel_ != several:
            kinds = ["one class for each row", "several labels for each row"]
            raise ValueError(
                f"The student was fitted to {kinds[self.multilabel_]}, and y holds {kinds[not self.multilabel_]}."
            )
        if several:
            y = by_class(y, self.classes_) if fitted else y
            targets = task.only_labels(y, n_rows=n_rows, sample_weight=weight, loss=task.as_loss(loss), called=called)
            if fitted and targets.n_targets != len(self.classes_):
                raise ValueError(f"y has {targets.n_targets} labels; the student was fitted to {len(self.classes_)}.")
            return replace(targets, classes=self.classes_) if fitted else targets
        named = None if classes is None else np.unique(np.asarray(classes))
        if fitted:
            if named is not None and not np.array_equal(named, self.classes_):
                raise ValueError(f"classes={listed(named.tolist())} are not those of before, {self.classes_.tolist()}.")
            named = self.classes_
        n_classes = None if named is None else len(named)
        y = y if named is None else by_class(y, named)
        proba, labels = CLASSES.soft_or_labels(y, n_rows=n_rows, called=called, n_classes=n_classes)
        if proba is not None:
            named = np.arange(proba.shape[1]) if named is None else named
            return Targets(proba, None, weight, loss=loss, task=task, classes=named)
        if named is None:
            raise ValueError("classes must be passed on the first call to partial_fit: all labels that there will be.")
        assert labels is not None
        index = task.encode_known(labels, named)
        if (index < 0).any():
            unknown = sorted(set(labels[index < 0].tolist()), key=str)
            raise ValueError(f"y holds {listed(unknown)}, not among the classes {listed(named.tolist())}.")
        return Targets(None, index, weight, 0.0, loss, task=task, classes=named)


class LearningRegressor(RegressorPart, Learning):
    """A regressor with ``partial_fit``."""

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Any:
        """Learn further rows with the encoder, and the scale of the target, of the first ones.

        A fitted student continues from its current weights. An unfitted one learns its encoder from these rows, which
        should be at least a few thousand.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Raw rows, with the columns of the first ones.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Target values. Columns of a frame are matched by name with those of the first.
        sample_weight : array-like of shape (n_rows,), default=None
            Non-negative weights, as in ``fit``.

        Returns
        -------
        self : object
            The student.

        Raises
        ------
        ValueError
            If the columns are not those of the first rows, or `y` is not finite or has another number of outputs.
        """
        return self._partial_fit(X, partial(self._further_targets, y), sample_weight)

    def _further_targets(self, y: Any, n_rows: int, weight: Array | None) -> Targets:
        loss, called = regression_loss_of(self.loss), type(self).__name__
        if "program_" not in self.__dict__:
            self._outputs = self._task.y_names(y)
        y = y if self._outputs is None else named_columns(y, self._outputs, "y")[0]
        targets = self._task.only_labels(y, n_rows=n_rows, sample_weight=weight, loss=loss, called=called)
        n_outputs = self.program_.n_outputs if "program_" in self.__dict__ else targets.n_targets
        if targets.n_targets != n_outputs:
            raise ValueError(f"y has {targets.n_targets} outputs; the student was fitted to {n_outputs}.")
        return targets

    def _further_end(self, further: Further, targets: Targets) -> Op:
        """Return the end with bounds that hold the further targets as well."""
        old, new = further.end, self._end(targets, further.terms(targets))
        if type(old) is not Unstandardize or not isinstance(new, Unstandardize):
            return old
        lower = None if old.lower is None or new.lower is None else np.minimum(old.lower, new.lower)
        upper = None if old.upper is None or new.upper is None else np.maximum(old.upper, new.upper)
        return replace(old, lower=lower, upper=upper)
