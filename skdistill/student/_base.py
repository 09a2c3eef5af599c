"""What every student does: check its input, have the weights fitted, and predict through its Program."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.utils import check_array
from sklearn.utils.multiclass import check_classification_targets

from .._classifier import ProgramClassifier
from .._face import ProgramModel
from .._regressor import ProgramRegressor
from .._validation import (
    HasMethods,
    Interval,
    StrOptions,
    check_numbers,
    check_proba,
    check_rows,
    check_weights,
    fit_context,
    label_column,
    not_fitted,
    take_rows,
)
from ..losses import LossTerms, RegressionTargets, RegressionTerms, Targets
from ..program import Op, Program, Softmax, Unstandardize, fold, in_order, is_frame
from ._change_points import with_change_points
from ._encoder import Encoded, Encoder, as_delivered, check_finite, fit_encoder
from ._transformers import read_transformer

Array = NDArray[Any]
#: What is to be fitted, in classes or in numbers, and the same with all weights folded in.
AnyTargets = Targets | RegressionTargets
AnyTerms = LossTerms | RegressionTerms


class BaseStudent(ProgramModel, BaseEstimator):
    """An estimator that fits a teacher's answers and ends as a Program.

    A ClassifyingStudent or a RegressingStudent says what it answers, and how it is fitted: a
    subclass says in :meth:`_fit_weights` how the weights are found, or, where it does not begin
    with an affine map, in :meth:`_fit_layers`.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "numeric": [StrOptions({"auto", "standard", "quantile", "piecewise"})],
        "n_bins": [Interval(Integral, 2, None, closed="left"), StrOptions({"auto"})],
        "min_frequency": [Interval(Integral, 1, None, closed="left")],
        "max_categories": [Interval(Integral, 1, None, closed="left")],
        "encoder": [HasMethods(["fit", "transform"]), None],
        "verbose": ["verbose"],
    }

    #: What numeric="auto" stands for.
    _numeric_auto: ClassVar[str] = "standard"
    #: What encoded rows are held in.
    _dtype: ClassVar[type[np.floating]] = np.float64

    numeric: str
    n_bins: int | str
    min_frequency: int
    max_categories: int
    encoder: Any
    class_weight: Any = None
    n_features_in_: int
    feature_names_in_: Array

    def _fit_layers(self, encoder: Encoder, X: Any, terms: AnyTerms, sample_weight: Array | None) -> list[Op]:
        """Fit to rows that `encoder` takes; return the ops that turn its ``[codes | numbers]`` into logits."""
        return self._fit_weights(encoder.encode(X, sample_weight, self._dtype), terms, encoder.first_layer)

    def _fit_weights(self, encoded: Encoded, terms: AnyTerms, first_layer: Callable[[Array, Array], Op]) -> list[Op]:
        """Fit to encoded rows; return the ops that turn them into logits, the first of them by `first_layer`."""
        raise NotImplementedError

    def check_learnable(self, X: Any) -> None:
        """Refuse rows that `fit` would refuse for what is in them: a distiller asks before its teacher does long work.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            The rows, raw.

        Raises
        ------
        ValueError
            If a numeric column holds an infinite number, unless an `encoder` is to judge that.
        """
        if self.encoder is None:
            check_finite(X)

    def fit_targets(self, X: Any, targets: AnyTargets) -> Any:
        """Fit to a teacher's answers and labels together: what a distiller calls.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            The rows, raw: numbers, categories, dates, missing cells.
        targets : Targets or RegressionTargets
            The teacher's answers, the labels, and how to blend them.

        Returns
        -------
        self : object
            The fitted student.
        """
        self._validate_params()
        return self._fit_checked(check_rows(self, X, reset=True), targets)

    def _fit_checked(self, X: Any, targets: AnyTargets) -> Any:
        weight = targets.sample_weight
        if weight is not None and not weight.all():
            rows = np.flatnonzero(weight > 0)
            X, targets = take_rows(X, rows), targets.take(rows)
        terms = targets.terms(X.shape[0], self.class_weight)
        self.__dict__.pop("encoder_", None)
        encoder, rows = self._fit_encoder(X, targets, terms)
        layers = self._fit_layers(encoder, rows, terms, targets.sample_weight)
        self.program_ = fold(Program([*encoder.ops, *layers, self._ending(targets, terms)]))
        return self

    def _ending(self, targets: Any, terms: Any) -> Op:
        """Keep what the answers stand for; return the op that ends the Program."""
        raise NotImplementedError

    def _fit_encoder(self, X: Any, targets: AnyTargets, terms: AnyTerms) -> tuple[Encoder, Any]:
        """Return the encoder, and the rows as it takes them."""
        if self.encoder is None:
            numeric = self._numeric_auto if self.numeric == "auto" else self.numeric
            encoder = fit_encoder(
                X,
                targets.sample_weight,
                numeric=numeric,
                n_bins=self.n_bins,
                min_frequency=self.min_frequency,
                max_categories=self.max_categories,
            )
            if numeric == "piecewise" and self.n_bins == "auto" and isinstance(terms, RegressionTerms):
                encoder = with_change_points(encoder, X, *terms.blended())
            return encoder, X
        transformer, y = clone(self.encoder), targets.most_likely()
        # of the rows that it learns from, some, such as TargetEncoder, make something else than of fresh ones
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
        X = check_rows(self, X, reset=False)
        if "encoder_" not in self.__dict__:
            return X
        if is_frame(X) and "feature_names_in_" in self.__dict__:
            X = in_order(X, self.feature_names_in_.tolist())
        return self.encoder_.transform(X)


class ClassifyingStudent(ProgramClassifier, ClassifierMixin, BaseStudent):
    """A student that is a classifier: it fits soft targets."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Any:
        """Fit to labels or to soft targets.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            The rows, raw: numbers, categories, dates, missing cells.
        y : array-like of shape (n_rows,) or (n_rows, n_classes)
            One label for each row, or one row of probabilities, the columns standing for the
            classes 0, 1, ...
        sample_weight : array-like of shape (n_rows,), default=None
            Non-negative weights.

        Returns
        -------
        self : object
            The fitted student.

        Raises
        ------
        ValueError
            If a numeric column holds an infinite number, a row of `y` does not sum to one, the
            labels are continuous, or there are fewer than two classes.
        """
        X = check_rows(self, X, reset=True)
        return self._fit_checked(X, read_labels(self, X, y, check_weights(sample_weight, X)))

    def _ending(self, targets: Targets, terms: LossTerms) -> Op:
        self.classes_ = targets.classes
        return Softmax()

    def scale_logits(self, scale: float) -> None:
        """Multiply the logits by a number: above one the student is surer of itself, below less.

        Parameters
        ----------
        scale : float
            Positive.
        """
        if scale != 1:
            *ops, last, softmax = self.program_.ops
            self.program_ = Program([*ops, last.scaled(scale), softmax])


class RegressingStudent(ProgramRegressor, RegressorMixin, BaseStudent):
    """A student that is a regressor: it fits numbers, and standardises them itself."""

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Any:
        """Fit to numbers: true ones, or those that a teacher predicts.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            The rows, raw: numbers, categories, dates, missing cells.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            One number for each row, or one for each of several outputs.
        sample_weight : array-like of shape (n_rows,), default=None
            Non-negative weights.

        Returns
        -------
        self : object
            The fitted student.

        Raises
        ------
        ValueError
            If a numeric column holds an infinite number, or `y` is not finite or not of that shape.
        """
        X = check_rows(self, X, reset=True)
        return self._fit_checked(X, read_numbers(self, X, y, check_weights(sample_weight, X)))

    def _ending(self, targets: RegressionTargets, terms: RegressionTerms) -> Op:
        return Unstandardize(terms.center, terms.scale)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def read_numbers(student: Any, X: Any, y: Any, sample_weight: Array | None) -> RegressionTargets:
    """Return targets without a teacher, of numbers to predict.

    Parameters
    ----------
    student : estimator
        Who is named in messages.
    X : array-like of shape (n_rows, n_columns)
        The rows.
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        The numbers.
    sample_weight : ndarray of shape (n_rows,) or None
        Non-negative weights.

    Returns
    -------
    targets : RegressionTargets
        With `y` as labels.
    """
    if y is None:
        raise ValueError(f"This {type(student).__name__} estimator requires y to be passed, but the target y is None.")
    return RegressionTargets(None, check_numbers(y, n_rows=X.shape[0], source="y"), sample_weight, alpha=0.0)


def read_labels(student: Any, X: Any, y: Any, sample_weight: Array | None) -> Targets:
    """Return targets without a teacher: `y` holds labels if it is one column, probabilities if it is several.

    Parameters
    ----------
    student : estimator
        Who is named in messages.
    X : array-like of shape (n_rows, n_columns)
        The rows.
    y : array-like of shape (n_rows,) or (n_rows, n_classes)
        Labels, or probabilities.
    sample_weight : ndarray of shape (n_rows,) or None
        Non-negative weights.

    Returns
    -------
    targets : Targets
        With the classes that a row of some weight has; those of probabilities are 0, 1, ...
    """
    if y is None:
        raise ValueError(f"This {type(student).__name__} estimator requires y to be passed, but the target y is None.")
    y = y if hasattr(y, "iloc") else np.asarray(y)
    if y.ndim == 2 and y.shape[1] > 1:
        proba = check_proba(y, n_rows=X.shape[0], n_classes=None, source="y as soft targets")
        return Targets(np.arange(y.shape[1]), proba, None, sample_weight)
    y = label_column(y)
    check_classification_targets(y)
    if len(y) != X.shape[0]:
        raise ValueError(f"X has {X.shape[0]} rows and y has {len(y)}; each row needs one label.")
    seen = y if sample_weight is None else y[sample_weight > 0]
    classes = np.unique(seen)
    if len(classes) < 2:
        raise ValueError(
            f"{type(student).__name__} needs at least two classes in y; the data contain only one class: "
            f"{classes[0]!r}."
        )
    # a row of weight zero may hold a class of its own; any index serves for it
    labels = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
    return Targets(classes, None, labels, sample_weight, alpha=0.0)
