"""The base of our students: validates input, fits the weights, and predicts through a Program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from inspect import Parameter, signature
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.utils import check_array

from .._checks import check_rows, check_weights, listed, row_counts
from .._sklearn import (
    HasMethods,
    Interval,
    StrOptions,
    check_monotonic_cst,
    fit_context,
    in_search,
    not_fitted,
    take_rows,
)
from ..losses import CrossEntropy, Loss, Targets, Terms, regression_loss_of
from ..model import ProgramClassifier, ProgramModel, ProgramRegressor
from ..program import Op, Program, Unstandardize, fold, in_order, is_frame, versions
from ..tasks import CLASSES, NUMBERS, RANKS, Task, task_for
from ._change_points import with_change_points
from ._columns import Column, raw_columns, settled_kinds
from ._encoded import Encoded, Encoder
from ._encoder import ReadTable, as_delivered, fit_encoder, read_table
from ._protocol import Traits
from ._transformers import read_transformer

Array = NDArray[Any]


class ProgramStudent(ProgramModel, BaseEstimator):
    """A student whose fitted form is a Program.

    A subclass says how it is fitted: in :meth:`_fit_weights` how its weights are found, or, where it does
    not begin with an affine map, in :meth:`_fit_layers`. :class:`ClassifierPart` or :class:`RegressorPart`
    adds what it predicts.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "numeric": [StrOptions({"auto", "standard", "quantile", "piecewise"})],
        "n_bins": [Interval(Integral, 2, None, closed="left"), StrOptions({"auto"})],
        "min_frequency": [Interval(Integral, 1, None, closed="left")],
        "max_categories": [Interval(Integral, 1, None, closed="left")],
        "encoder": [HasMethods(["fit", "transform"]), None],
        "monotonic_cst": ["array-like", dict, None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "loss": [StrOptions({"squared_error", "huber"}), Loss],
        "clip": ["boolean", StrOptions({"auto"})],
        "verbose": ["verbose"],
    }

    _traits: ClassVar[Traits] = Traits()
    #: What its targets are.
    _task: ClassVar[Task]
    #: What numeric="auto" stands for.
    _numeric_auto: ClassVar[str] = "standard"
    #: Whether a frequent number has an edge of its own among the bins, which makes for more of them.
    _heavy: ClassVar[bool] = False
    #: What encoded rows are held in.
    _dtype: ClassVar[type[np.floating]] = np.float64

    numeric: str
    n_bins: int | str
    min_frequency: int
    max_categories: int
    encoder: Any
    monotonic_cst: Any = None
    class_weight: dict[Any, float] | str | None = None
    n_features_in_: int
    feature_names_in_: Array
    _fit_metadata: dict[str, Any]

    def _fit_layers(self, encoder: Encoder, X: Any, terms: Terms, sample_weight: Array | None) -> list[Op]:
        """Fit to rows that `encoder` takes; return the ops that turn its ``[codes | numbers]`` into outputs."""
        return self._fit_weights(encoder.encode(X, sample_weight, self._dtype), terms, encoder.first_layer)

    def _fit_weights(self, encoded: Encoded, terms: Terms, first_layer: Callable[[Array, Array], Op]) -> list[Op]:
        """Fit to encoded rows; return the ops that turn them into outputs, the first of them by `first_layer`."""
        raise NotImplementedError

    def _end(self, targets: Targets, terms: Terms) -> Op:
        """Return the op that turns outputs into answers."""
        return targets.task.end(targets, terms)

    def fit_targets(self, X: Any, targets: Targets) -> Any:
        """Fit the student to a teacher's predictions and labels together; distillers call this.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Raw rows, with numbers, categories, dates and missing cells.
        targets : Targets
            The teacher's predictions, the labels, their weights, and the loss to minimise.

        Returns
        -------
        self : object
            The fitted student.

        Raises
        ------
        ValueError
            If a numeric column has an infinite value, or `X` has no rows or columns.
        """
        self._validate_params()
        return self._fit_checked(check_rows(self, X, reset=True), targets)

    def _fit_labels(self, X: Any, y: Any, sample_weight: ArrayLike | None, loss: Loss) -> Any:
        """Fit to labels alone, as the user gave them."""
        X = check_rows(self, X, reset=True)
        weight = check_weights(sample_weight, X)
        task, called = task_for(self._task, y, soft=True), type(self).__name__
        targets = task.only_labels(y, n_rows=X.shape[0], sample_weight=weight, loss=task.as_loss(loss), called=called)
        return self._fit_checked(X, targets, warn=not in_search()[0])

    def _fit_checked(self, X: Any, targets: Targets, *, warn: bool = False) -> Any:
        X, targets = counted_rows(X, targets)
        terms = targets.terms(X.shape[0], self.class_weight)
        self.__dict__.pop("encoder_", None)
        encoder, rows = self._fit_encoder(X, targets, terms)
        if warn:
            encoder.notes.warn()
        layers = self._fit_layers(encoder, rows, terms, targets.sample_weight)
        targets.name_classes(self)
        self.program_ = fold(Program([*encoder.ops, *layers, self._end(targets, terms)]))
        self._fit_metadata = {"report": {"n_rows": X.shape[0]}, "versions": versions()}
        return self

    def _fit_encoder(
        self, X: Any, targets: Targets, terms: Terms, table: ReadTable | None = None
    ) -> tuple[Encoder, Any]:
        """Return the encoder, and the rows as it takes them; their columns may have been read before."""
        if self.encoder is None:
            numeric = self._numeric_auto if self.numeric == "auto" else self.numeric
            # kinds may be settled for a table that these rows are a part of
            columns = None if table is None else table.columns
            if columns is None and not sparse.issparse(X):
                columns = list(raw_columns(X, self.__dict__.pop("_kinds", None)))
            signs = check_constraints(self, self.monotonic_cst, self, columns, terms.n_outputs)
            encoder = fit_encoder(
                X,
                targets.sample_weight,
                numeric=numeric,
                n_bins=self.n_bins,
                min_frequency=self.min_frequency,
                max_categories=self.max_categories,
                columns=columns,
                reads=None if table is None else table.reads,
                heavy=self._heavy,
            )
            if numeric == "piecewise" and self.n_bins == "auto" and targets.task.change_points:
                goal, weight = terms.blended()
                # of a ranker, the last column is the query
                encoder = with_change_points(encoder, X, goal[:, : terms.n_outputs], weight)
            encoder.constrain(signs)
            return encoder, X
        check_constraints(self, self.monotonic_cst, self, None, terms.n_outputs)
        transformer, y = clone(self.encoder), targets.as_y()
        # some transformers, such as TargetEncoder, encode the rows that they learn from differently than new ones
        whole = hasattr(transformer, "fit_transform")
        rows = transformer.fit_transform(X, y) if whole else transformer.fit(X, y).transform(X)
        rows = check_array(rows, dtype=np.float64, accept_sparse="csr", input_name="encoder's output")
        read = None if sparse.issparse(X) else read_transformer(transformer, X)
        if read is not None:
            return read, X
        # it runs as it is, before the Program
        self.encoder_ = transformer
        return as_delivered(rows), rows

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.sparse = True
        tags.input_tags.string = True
        return tags

    def _rows(self, X: Any) -> Any:
        if "program_" not in self.__dict__:
            raise not_fitted(self)
        return self._encoder_rows(X)

    def _encoder_rows(self, X: Any) -> Any:
        """Return rows as the encoder takes them: through the user's transformer, where it runs by itself."""
        X = check_rows(self, X, reset=False)
        if "encoder_" not in self.__dict__:
            return X
        if is_frame(X) and "feature_names_in_" in self.__dict__:
            X = in_order(X, self.feature_names_in_.tolist())
        return self.encoder_.transform(X)


class ClassifierPart(ProgramClassifier, ClassifierMixin, ProgramStudent):
    """The classifier part of a student: fits class labels, soft targets or several labels."""

    _task = CLASSES
    _traits = Traits(scalable=True, several_labels=True)

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Any:
        """Fit the student to labels or to soft targets.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Raw rows, with numbers, categories, dates and missing cells.
        y : array-like of shape (n_rows,), (n_rows, n_classes) or (n_rows, n_labels)
            One label per row; or probabilities of the classes 0, 1, ..., which are floats that sum to one in every row;
            or a multilabel indicator matrix with 1 for each label that the row has, 0 for the others and NaN for a
            missing label.
        sample_weight : array-like of shape (n_rows,), default=None
            Non-negative weights, in any unit. If all are integer multiples of the smallest, they count rows: a row with
            twice the smallest weight counts as two rows. Otherwise they are relative.

        Returns
        -------
        self : object
            The fitted student.

        Raises
        ------
        ValueError
            If a numeric column has an infinite value, a row of `y` does not sum to one, the labels are continuous, or
            there are fewer than two classes.
        """
        return self._fit_labels(X, y, sample_weight, CrossEntropy())

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy; for a multilabel target, the fraction of rows whose labels are all predicted.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows.
        y : array-like of shape (n_rows,) or (n_rows, n_labels)
            Their labels. The columns of a frame are matched by name; missing labels are ignored.
        sample_weight : array-like of shape (n_rows,), default=None
            Their weights.

        Returns
        -------
        score : float
            Between 0 and 1.
        """
        if "program_" in self.__dict__ and self.multilabel_:
            return self._score_of_labels(X, y, sample_weight)
        return super().score(X, y, sample_weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = self._traits.several_labels
        return tags


class RegressorPart(ProgramRegressor, RegressorMixin, ProgramStudent):
    """The regressor part of a student: standardises the target, fits it, and predicts in its unit."""

    _task = NUMBERS

    loss: str | Loss
    clip: bool | str = "auto"
    #: The names of several outputs, if they were fitted as a frame.
    _outputs: NDArray[Any] | None = None

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Any:
        """Fit the student to target values: labels, or a teacher's predictions.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Raw rows, with numbers, categories, dates and missing cells.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Target values.
        sample_weight : array-like of shape (n_rows,), default=None
            Non-negative weights, in any unit. If all are integer multiples of the smallest, they count rows: a row with
            twice the smallest weight counts as two rows. Otherwise they are relative.

        Returns
        -------
        self : object
            The fitted student.

        Raises
        ------
        ValueError
            If a numeric column has an infinite value, `y` is not finite or has another shape, or `loss` is not a
            regression loss.
        """
        self._outputs = self._task.y_names(y)
        return self._fit_labels(X, y, sample_weight, regression_loss_of(self.loss))

    def _end(self, targets: Targets, terms: Terms) -> Op:
        end = super()._end(targets, terms)
        if not self.clip or not isinstance(end, Unstandardize) or targets.task == RANKS:
            return end
        (lower, upper), most = targets.extremes(), np.finfo(np.float64).max
        if isinstance(self.clip, str):
            # zero is the natural edge of prices, counts and durations; far from it, the smallest target is one of few
            near = 2.0 * end.scale
            lower = np.where(lower >= 0, np.where(lower <= near, lower, 0.0), -most)
            upper = np.where(upper <= 0, np.where(upper >= -near, upper, 0.0), most)
        bounds = {"lower": lower} if (lower > -most).any() else {}
        return replace(end, **bounds, **({"upper": upper} if (upper < most).any() else {}))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def regressor_init(init: Callable[..., None]) -> Callable[..., None]:
    """Return the ``__init__`` of a regressor: that of the classifier, with `loss` and `clip` for `class_weight`.

    scikit-learn reads an estimator's parameters off the signature of its ``__init__``, and both estimators of a
    kind share all parameters but these three.

    Parameters
    ----------
    init : callable
        The classifier's ``__init__``, which has a `class_weight`.

    Returns
    -------
    init : callable
        The regressor's.
    """
    loss = Parameter("loss", Parameter.KEYWORD_ONLY, default="squared_error", annotation="str | Loss")
    clip = Parameter("clip", Parameter.KEYWORD_ONLY, default="auto", annotation="bool | str")
    written = signature(init)
    swapped = ((loss, clip) if name == "class_weight" else (one,) for name, one in written.parameters.items())
    own = written.replace(parameters=[one for several in swapped for one in several])

    @wraps(init)
    def as_regressor(self: Any, *args: Any, **params: Any) -> None:
        given = own.bind(self, *args, **params)
        for one in (loss, clip):
            setattr(self, one.name, given.arguments.pop(one.name, one.default))
        init(*given.args, **given.kwargs)
        del self.class_weight

    as_regressor.__signature__ = own  # type: ignore[attr-defined]
    return as_regressor


def counted_rows(X: Any, targets: Targets) -> tuple[Any, Targets]:
    """Return the rows that have any weight, with weights that count rows, whatever their unit was."""
    weight = row_counts(targets.sample_weight)
    if weight is None:
        return X, targets
    targets = replace(targets, sample_weight=weight)
    if weight.all():
        return X, targets
    rows = np.flatnonzero(weight > 0)
    return take_rows(X, rows), targets.take(rows)


def check_learnable(student: Any, X: Any, *, warn: bool) -> ReadTable | None:
    """Raise for rows that `fit` would not accept, and warn of columns that it does not read as they are.

    A distiller asks for that before its teacher does long work.

    Parameters
    ----------
    student : Student
        Not fitted. Of those that are not skdistill's, nothing is known beforehand.
    X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
        The rows, raw.
    warn : bool
        Whether to warn: a fold of a search need not.

    Returns
    -------
    read : ReadTable or None
        The table as the student reads it; None where it does not say so beforehand.

    Raises
    ------
    ValueError
        If a numeric column holds an infinite number, unless the student has an `encoder` that decides on it.

    Warns
    -----
    UserWarning
        Of texts that are read as numbers or dates, of cells that are not, and of columns that are not used.
    """
    if not isinstance(student, ProgramStudent) or student.encoder is not None or sparse.issparse(X):
        return None
    read = read_table(X, student.min_frequency, student.max_categories)
    if warn:
        read.notes.warn()
    return read


def unconstrainable(student: Any) -> str:
    """Return why a student cannot keep constraints of `monotonic_cst`, and the remedy; empty if it can.

    Parameters
    ----------
    student : Student
        Any, not fitted.
    """
    if not isinstance(student, ProgramStudent) or "monotonic_cst" not in student.get_params(deep=False):
        name = getattr(student, "_name", type(student).__name__)
        return f"student {name} has no monotonic_cst; use a LinearStudent, an MLPStudent or a TreeStudent"
    if student.encoder is not None:
        return f"its encoder {type(student.encoder).__name__} may not keep the order of a column; use encoder=None"
    if getattr(student, "activation", "") == "silu":
        return "activation='silu' is not monotone; use 'relu' or 'tanh'"
    return ""


def check_constraints(
    student: Any, monotonic_cst: Any, known: Any, columns: Sequence[Column] | None, n_outputs: int
) -> Array | None:
    """Return the sign of each raw column's effect that constraints ask for: 1, -1, or 0 for any.

    Parameters
    ----------
    student : Student
        Not fitted.
    monotonic_cst : array-like, dict or None
        The constraints.
    known : estimator
        It knows the number of columns and their names.
    columns : sequence of Column or None
        The raw columns; None for sparse rows.
    n_outputs : int
        How many outputs the student has: one for two classes, or for one number.

    Returns
    -------
    signs : ndarray of shape (n_columns,) or None
        None if no column has a constraint.

    Raises
    ------
    ValueError
        If `monotonic_cst` is not one sign for each column, names columns that there are not or that do not hold
        numbers, or the student cannot keep it.
    """
    if monotonic_cst is None:
        return None
    signs = check_monotonic_cst(known, monotonic_cst)
    if not signs.any():
        return None
    if n_outputs > 1:
        raise ValueError("monotonic_cst needs two classes, or one output of a regressor. Use monotonic_cst=None.")
    if reason := unconstrainable(student):
        raise ValueError(f"monotonic_cst cannot be kept: {reason}, or monotonic_cst=None.")
    kinds = ["number"] * len(signs) if columns is None else [column.kind for column in columns]
    wrong = [at for at in np.flatnonzero(signs).tolist() if kinds[at] != "number"]
    if wrong and columns is not None:
        raise ValueError(
            f"monotonic_cst constrains {listed([columns[at].name for at in wrong])}, read as categories, texts or "
            "dates; only numbers can be constrained. Convert them before fit, or give them no constraint."
        )
    return signs


def settle_kinds(student: Any, X: Any) -> dict[str, Any]:
    """Return the attributes by which a student reads the columns of a part of a table as they are read of the whole.

    Parameters
    ----------
    student : Student
        Any; that of another library needs none.
    X : ndarray, sparse matrix or frame of shape (n_rows, n_columns)
        The table, raw.
    """
    if isinstance(student, ProgramStudent) and student.encoder is None and not sparse.issparse(X):
        return {"_kinds": settled_kinds(X)}
    return {}


def scale_logits(student: Any, scale: float, shift: Array | None = None) -> None:
    """Multiply the logits of a fitted student by a number (temperature scaling, Guo et al., 2017), then add others.

    Above one its probabilities become more extreme, below one less so; the predicted classes stay. What is added may
    change them.

    Parameters
    ----------
    student : Student
        Fitted, with the trait `scalable`.
    scale : float
        Positive.
    shift : ndarray of shape (n_logits,) or None, default=None
        What is added then to each logit.
    """
    if scale != 1 or shift is not None:
        *ops, last, end = student.program_.ops
        student.program_ = Program([*ops, last.scaled(scale, 0.0 if shift is None else shift), end])
