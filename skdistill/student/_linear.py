"""Linear students: multinomial logistic regression on soft targets, ridge regression, and how L-BFGS fits both."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, minimize
from sklearn.exceptions import ConvergenceWarning

from .._sklearn import Interval, not_fitted
from .._threads import one_blas_thread
from ..losses import Targets, Terms, rounded
from ..program import Op
from ._base import ProgramStudent, regressor_init
from ._coefficients import Coefficients, ShapeFunction, read_coefficients, read_shape
from ._encoded import Encoded
from ._further import Further
from ._partial_fit import Learning, LearningClassifier, LearningRegressor
from ._progress import Progress
from ._protocol import Traits

Array = NDArray[Any]


class BaseLinear(Learning):
    """The base of the linear students: parameters, the fit of the weights by L-BFGS, and their meaning."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **ProgramStudent._parameter_constraints,
        "C": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither")],
    }

    _traits = Traits(listwise=True)

    n_iter_: int

    def __init__(
        self,
        *,
        C: float = 1.0,
        max_iter: int = 1000,
        tol: float = 1e-6,
        numeric: str = "auto",
        n_bins: int | str = "auto",
        min_frequency: int = 5,
        max_categories: int = 256,
        encoder: Any = None,
        monotonic_cst: Any = None,
        class_weight: dict[Any, float] | str | None = None,
        verbose: int = 0,
    ) -> None:
        self.C = C
        self.max_iter = max_iter
        self.tol = tol
        self.numeric = numeric
        self.n_bins = n_bins
        self.min_frequency = min_frequency
        self.max_categories = max_categories
        self.encoder = encoder
        self.monotonic_cst = monotonic_cst
        self.class_weight = class_weight
        self.verbose = verbose

    def _fit_weights(self, encoded: Encoded, terms: Terms, first_layer: Callable[[Array, Array], Op]) -> list[Op]:
        before = np.zeros((encoded.n_encoded + 1, terms.n_outputs))
        coef = self._minimise(encoded, terms, before, 1.0 / (self.C * terms.total_weight))
        return [first_layer(coef[:-1], coef[-1])]

    def _learn(self, further: Further, rows: Any, targets: Targets, n_before: int) -> list[tuple[Array, Array]]:
        """Fit the further rows, and stay near what the student was.

        What it answers for the further rows stands for the rows before: Li and Hoiem (2016), "Learning without
        Forgetting", https://arxiv.org/abs/1606.09282. With the penalty on how far weights move, that is the objective
        of a fit to all rows, if those before are distributed as the further ones, up to constants: a linear model's
        loss depends on labels by their sum with each input alone, and its gradient by the weights was zero.
        """
        encoded = further.encode(rows)
        n_rows, answers = encoded.n_rows, self.program_(rows)
        weight = targets.sample_weight
        share = n_before / (n_before + (n_rows if weight is None else weight.sum()))
        before = further.terms(replace(targets, answers=answers, labels=None, alpha=share))
        new = replace(targets, answers=None, soft_labels=targets.answers, alpha=0.0)
        terms = further.terms(new, self.class_weight)
        both = replace(before, labels=terms.labels, label_weight=(1.0 - share) * terms.label_weight)
        ((weight, bias),) = further.layers
        penalty = (1.0 - share) / (self.C * terms.total_weight)
        coef = self._minimise(encoded, both, np.vstack([weight, bias]), penalty)
        return [(coef[:-1], coef[-1])]

    def _minimise(self, encoded: Encoded, terms: Terms, before: Array, penalty: float) -> Array:
        """Return weights, with biases in the last row, that minimise loss and penalty on how far they are from some."""
        n_encoded, n_logits = encoded.n_encoded, terms.n_outputs

        def objective(flat: Array) -> tuple[float, Array]:
            coef = flat.reshape(n_encoded + 1, n_logits)
            weight, bias = coef[:-1], coef[-1]
            value, gradient = terms.value_and_gradient(encoded.times(weight) + bias)
            slope = np.empty_like(coef)
            moved = weight - before[:-1]
            slope[:-1] = encoded.transposed_times(gradient) + penalty * moved
            slope[-1] = gradient.sum(axis=0)
            return value + penalty / 2 * (moved**2).sum(), slope.ravel()

        start, bounds = before.ravel().astype(np.float64), None
        if encoded.signs is not None:
            signs = np.append(encoded.signs, 0)
            bounds = Bounds(np.where(signs > 0, 0.0, -np.inf), np.where(signs < 0, 0.0, np.inf))
        with Progress(self.verbose, self.max_iter, type(self).__name__, "iteration") as progress:
            best = start

            def callback(intermediate_result: Any) -> None:
                nonlocal best
                best = intermediate_result.x.copy()
                progress.step(loss=intermediate_result.fun)

            # one thread: sums that are split over several differ in their last bits, and then a worker process
            # would not give the same bytes
            with one_blas_thread():
                try:
                    result = minimize(
                        objective,
                        start,
                        jac=True,
                        method="L-BFGS-B",
                        bounds=bounds,
                        callback=callback,
                        options={"maxiter": self.max_iter, "gtol": self.tol, "ftol": 1e-9, "maxcor": 20},
                    )
                    best, self.n_iter_ = result.x, int(result.nit)
                except KeyboardInterrupt:
                    if best is start:
                        raise
                    interrupted = f"was interrupted after {progress.done} iterations; the weights so far are kept."
                    warnings.warn(f"{type(self).__name__} {interrupted}", UserWarning, stacklevel=2)
                    self.n_iter_ = progress.done
                else:
                    if self.n_iter_ >= self.max_iter:
                        missed = f"did not converge in max_iter={self.max_iter} iterations."
                        warnings.warn(f"{type(self).__name__} {missed}", ConvergenceWarning, stacklevel=2)
        return rounded(best).reshape(n_encoded + 1, n_logits)

    @property
    def coef_(self) -> Array:
        """The coefficient of each encoded input, shape (n_outputs, n_encoded)."""
        return self._coefficients().coef.T

    @property
    def intercept_(self) -> Array:
        """The intercept of each output, shape (n_outputs,)."""
        return self._coefficients().intercept

    @property
    def coef_names_(self) -> Array:
        """The name of each encoded input, shape (n_encoded,)."""
        return self._coefficients().names

    @property
    def shape_functions_(self) -> dict[str, ShapeFunction]:
        """The shape function of each column with an effect, by the column's name."""
        shapes = [read_shape(self.program_, at, None) for at in np.unique(self._coefficients().sources).tolist()]
        return {shape.column: shape for shape in shapes}

    def shape_function(self, column: int | str, values: Any = None) -> ShapeFunction:
        """Return the contribution of one column to the logits, or to the prediction, as a function of its value.

        The student is an additive model: the contributions of all columns of a row and ``intercept_`` add up to its
        ``decision_function`` or, for a regressor, to its prediction before clipping.

        Parameters
        ----------
        column : int or str
            The position of the column, or its name in the frame that the student was fitted on. If an `encoder` runs
            before the Program, the position among the columns that it returns.
        values : array-like of shape (n_values,) or scalar, default=None
            The raw values at which to evaluate the function. None uses all categories of a categorical column, 0 and 1
            for a column that had no other numbers in training, and values over the training range for other numbers and
            dates, as far as the student knows that range.

        Returns
        -------
        shape : ShapeFunction
            With ``column``, ``values`` of shape (n_values,) and ``contributions`` of shape (n_values, n_outputs). A
            missing value is None, NaN or NaT.

        Raises
        ------
        ValueError
            If there is no such column, or if `values` is None although the student does not know the range of the
            column: it does not keep that of sparse columns, nor of columns that its `encoder` scales.

        Examples
        --------
        >>> import numpy as np
        >>> from skdistill import LinearStudentRegressor
        >>> X = np.array([["a", 1.0], ["b", 2.0], ["a", 3.0], ["b", 4.0]] * 10, dtype=object)
        >>> y = 10.0 * (X[:, 0] == "b") + X[:, 1].astype(float)
        >>> student = LinearStudentRegressor(C=1e4).fit(X, y)
        >>> a, b = student.shape_function(0, ["a", "b"]).contributions[:, 0]
        >>> print(round(b - a, 2))
        10.0
        """
        self._coefficients()
        names = list(getattr(self, "feature_names_in_", [])) if "encoder_" not in vars(self) else []
        n_columns = self.program_.n_columns
        at: Any = names.index(column) if column in names else column
        if not isinstance(at, int | np.integer) or not -n_columns <= at < n_columns:
            raise ValueError(f"There is no column {column!r}; there are {names or n_columns}.")
        return read_shape(self.program_, int(at) % n_columns, values)

    def _coefficients(self) -> Coefficients:
        if "program_" not in vars(self):
            raise not_fitted(self)
        return read_coefficients(self.program_)


class LinearStudent(LearningClassifier, BaseLinear):
    """A linear student: multinomial logistic regression that also fits soft targets.

    It minimises ``mean loss + ||weight||**2 / (2 * C * n)`` over encoded columns, where ``n`` is the weighted number of
    rows; intercepts are not penalised. The loss is the cross-entropy with labels or with soft targets or, within
    DistilledClassifier, a weighted sum of both.

    Parameters
    ----------
    C : float, default=1.0
        Inverse of the strength of the penalty, as in scikit-learn's LogisticRegression. A higher
        value follows the targets more closely, noise included.
    max_iter : int, default=1000
        Maximum number of iterations of L-BFGS.
    tol : float, default=1e-6
        L-BFGS stops when no component of the gradient is larger than this, or when the loss falls by
        less than 1e-9 of itself.
    numeric : {"auto", "standard", "quantile", "piecewise"}, default="auto"
        How numbers are encoded. "standard": scaled by the interquartile range, squashed beyond four deviations.
        "quantile": mapped to their rank. "piecewise": standardised, with a piecewise-linear
        encoding over quantile bins in addition. "auto": "standard".
    n_bins : int or "auto", default="auto"
        Maximum number of bins of a column in the piecewise-linear encoding. "auto" divides about 160 bins among the
        numeric columns, 4 to 16 each, with at most 360 in total. Edges are quantiles. A value that fills more rows than
        a bin is an edge of its own; the other edges are quantiles of the other rows.
    min_frequency : int, default=5
        Categories in fewer rows than this are grouped together. A numeric column is ignored if fewer rows than this
        differ from its most frequent value; missing counts as a value.
    max_categories : int, default=256
        Maximum number of categories of a column that are kept, the most frequent ones.
    encoder : transformer, default=None
        Encodes the rows instead of the student's own encoder; `numeric` and the three parameters after it are then
        ignored. A ColumnTransformer or Pipeline of scikit-learn's imputers, linear scalers and one-hot or ordinal
        encoders becomes part of the Program; any other transformer runs as it is, before the Program, and is stored
        with the student.
    monotonic_cst : array-like of int of shape (n_columns,), dict or None, default=None
        Monotonic constraints: an array with a value for each column, or a dict by column name. 1: the probability of
        ``classes_[1]`` must not decrease with the column; -1: it must not increase; 0: no constraint. Constrained
        columns must be numeric, and there must be two classes. None sets no constraints.
    class_weight : dict, "balanced" or None, default=None
        Weight per class label; multiplies the probability of the class in a soft target.
    verbose : int, default=0
        If 1, show a progress bar.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    program_ : Program
        The fitted student; ``program_(X)`` is ``predict_proba`` without input validation.
    coef_ : ndarray of shape (n_logits, n_encoded)
        Coefficient of each encoded input for each logit; two classes have a single logit, the log odds of the second.
        For a standardised number it is the slope per unit of the raw column. This holds within four deviations (three
        with bins) of the median, where a deviation is the interquartile range divided by 1.349; beyond, numbers are
        squashed to ``4 + log(1 + distance - 4)`` deviations. A quantile score is the rank of a number, scaled to a
        standard deviation of one. A category, or "missing", is an input of 0 or 1; a bin is an input from 0 to 1, the
        position of the number within it.
    intercept_ : ndarray of shape (n_logits,)
        The output for a row whose encoded inputs are all zero.
    coef_names_ : ndarray of shape (n_encoded,)
        Names of the columns of `coef_`, such as "age", "city=Paris", "age missing", "age from 20 to 30" or "month of
        date". Inputs whose weights are all zero are left out.
    shape_functions_ : dict of str to ShapeFunction
        The shape function of each column with an effect, as :meth:`shape_function` returns it.
    encoder_ : transformer
        The fitted `encoder`, if it did not become part of the Program; ``program_`` then takes the rows that it
        returns.
    n_iter_ : int
        Number of iterations taken.
    n_features_in_ : int
        Number of columns seen in fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if all of them are strings.

    See Also
    --------
    MLPStudent : A net, for nonlinear relations.
    DistilledClassifier : Obtains the soft targets from a teacher.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill import LinearStudent
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> soft = np.array([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]])
    >>> LinearStudent(C=100).fit(X, soft).predict_proba(X).round(1)
    array([[0.9, 0.1],
           [0.5, 0.5],
           [0.1, 0.9]])
    """

    # benchmarks/readable.py: it lowers the log-loss, up to a tenth; a regressor, which also searches for change points,
    # does not gain
    _heavy = True


class LinearStudentRegressor(LearningRegressor, BaseLinear):
    """A linear student for regression: ridge regression on a teacher's predictions.

    It minimises ``mean loss + ||weight||**2 / (2 * C * n)`` over encoded columns and the standardised target, where
    ``n`` is the weighted number of rows; intercepts are not penalised. The loss is `loss` or, within
    DistilledRegressor, the distillation loss. With the squared error it is ``Ridge(alpha=1 / (2 * C))``.

    Parameters
    ----------
    C : float, default=1.0
        Inverse of the strength of the penalty, as in scikit-learn's LogisticRegression. A higher
        value follows the targets more closely, noise included.
    max_iter : int, default=1000
        Maximum number of iterations of L-BFGS.
    tol : float, default=1e-6
        L-BFGS stops when no component of the gradient is larger than this, or when the loss falls by
        less than 1e-9 of itself.
    numeric : {"auto", "standard", "quantile", "piecewise"}, default="auto"
        How numbers are encoded. "standard": scaled by the interquartile range, squashed beyond four deviations.
        "quantile": mapped to their rank. "piecewise": standardised, with a piecewise-linear
        encoding over quantile bins in addition. "auto": "standard".
    n_bins : int or "auto", default="auto"
        Maximum number of bins of a column in the piecewise-linear encoding. "auto" divides about 160 bins among the
        numeric columns, 4 to 16 each, with at most 360 in total. It adds bins around change points, narrow ranges in
        which the target changes abruptly, such as holidays.
    min_frequency : int, default=5
        Categories in fewer rows than this are grouped together. A numeric column is ignored if fewer rows than this
        differ from its most frequent value; missing counts as a value.
    max_categories : int, default=256
        Maximum number of categories of a column that are kept, the most frequent ones.
    encoder : transformer, default=None
        Encodes the rows instead of the student's own encoder; `numeric` and the three parameters after it are then
        ignored. A ColumnTransformer or Pipeline of scikit-learn's imputers, linear scalers and one-hot or ordinal
        encoders becomes part of the Program; any other transformer runs as it is, before the Program, and is stored
        with the student.
    monotonic_cst : array-like of int of shape (n_columns,), dict or None, default=None
        Monotonic constraints: an array with a value for each column, or a dict by column name. 1: the prediction must
        not decrease with the column; -1: it must not increase; 0: no constraint. Constrained columns must be numeric,
        and there must be one output. None sets no constraints.
    loss : {"squared_error", "huber"} or Loss, default="squared_error"
        The loss that `fit` minimises. "huber" is :class:`~skdistill.losses.Huber`, for labels with outliers. Targets
        that a distiller passes to `fit_targets` have their own loss.
    clip : bool or "auto", default="auto"
        Whether to clip predictions to the range of the targets, that is, of labels and teacher predictions. "auto"
        clips on one side only, if zero is a natural bound: at the smallest target if no target is negative, at the
        largest if none is positive.
    verbose : int, default=0
        If 1, show a progress bar.

    Attributes
    ----------
    program_ : Program
        The fitted student; ``program_(X)`` is ``predict`` without input validation and returns shape (n_rows,
        n_outputs).
    coef_ : ndarray of shape (n_outputs, n_encoded)
        Coefficient of each encoded input for each output, in the target's unit. For a standardised number it is the
        slope per unit of the raw column. This holds within four deviations (three with bins) of the median, where a
        deviation is the interquartile range divided by 1.349; beyond, numbers are squashed to ``4 + log(1 + distance -
        4)`` deviations. A quantile score is the rank of a number, scaled to a standard deviation of one. A category, or
        "missing", is an input of 0 or 1; a bin is an input from 0 to 1, the position of the number within it.
    intercept_ : ndarray of shape (n_outputs,)
        The output for a row whose encoded inputs are all zero.
    coef_names_ : ndarray of shape (n_encoded,)
        Names of the columns of `coef_`, such as "age", "city=Paris", "age missing", "age from 20 to 30" or "month of
        date". Inputs whose weights are all zero are left out.
    shape_functions_ : dict of str to ShapeFunction
        The shape function of each column with an effect, as :meth:`shape_function` returns it.
    encoder_ : transformer
        The fitted `encoder`, if it did not become part of the Program; ``program_`` then takes the rows that it
        returns.
    n_iter_ : int
        Number of iterations taken.
    n_features_in_ : int
        Number of columns seen in fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if all of them are strings.

    See Also
    --------
    MLPStudentRegressor : A net, for nonlinear relations.
    DistilledRegressor : Obtains the targets from a teacher.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill import LinearStudentRegressor
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> LinearStudentRegressor(C=1000).fit(X, [1.0, 3.0, 5.0]).predict([[0.5]]).round(2)
    array([2.])
    """

    __init__ = regressor_init(BaseLinear.__init__)
