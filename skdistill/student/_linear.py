"""LinearStudent: multinomial logistic regression on soft targets, fitted by L-BFGS."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from .._validation import Interval, StrOptions
from ..losses import LossTerms
from ..program import Affine, Op
from ._base import BaseStudent
from ._progress import Progress

Array = NDArray[Any]


class LinearStudent(BaseStudent):
    """A linear student: multinomial logistic regression that also fits soft targets.

    It minimises ``mean loss + ||weight||**2 / (2 * C * n)``, with ``n`` the sum of the sample
    weights, over standardised columns; intercepts are not penalised. The loss is the cross-entropy
    with labels, that with soft targets, or, within DistilledClassifier, their blend.

    Parameters
    ----------
    C : float, default=100.0
        Inverse of the strength of the penalty, as in scikit-learn's LogisticRegression. Soft
        targets need little of it.
    max_iter : int, default=1000
        The most iterations of L-BFGS.
    tol : float, default=1e-8
        L-BFGS ends when no component of the gradient is larger.
    class_weight : dict, "balanced" or None, default=None
        Weight per class label; multiplies the class's share of a soft target.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    program_ : Program
        The fitted student; ``program_(X)`` is the bare, unchecked ``predict_proba``.
    n_iter_ : int
        Iterations taken.
    n_features_in_ : int
        Number of columns seen in fit.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where they are all strings.

    See Also
    --------
    MLPStudent : A net, for what is not linear.
    DistilledClassifier : Asks a teacher for the soft targets.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill import LinearStudent
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> soft = np.array([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]])
    >>> LinearStudent().fit(X, soft).predict_proba(X).round(1)
    array([[0.9, 0.1],
           [0.5, 0.5],
           [0.1, 0.9]])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseStudent._parameter_constraints,
        "C": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    n_iter_: int

    def __init__(
        self,
        *,
        C: float = 100.0,
        max_iter: int = 1000,
        tol: float = 1e-8,
        class_weight: dict[Any, float] | str | None = None,
        verbose: int = 0,
    ) -> None:
        self.C = C
        self.max_iter = max_iter
        self.tol = tol
        self.class_weight = class_weight
        self.verbose = verbose

    def _fit_weights(self, Z: Array, terms: LossTerms) -> list[Op]:
        n_encoded = Z.shape[1]
        n_classes = terms.soft.shape[1]
        n_logits = 1 if n_classes == 2 else n_classes
        penalty = 1.0 / (self.C * terms.total_weight)

        def objective(flat: Array) -> tuple[float, Array]:
            coef = flat.reshape(n_encoded + 1, n_logits)
            weight, bias = coef[:-1], coef[-1]
            value, gradient = terms.value_and_gradient(Z @ weight + bias)
            slope = np.empty_like(coef)
            slope[:-1] = Z.T @ gradient + penalty * weight
            slope[-1] = gradient.sum(axis=0)
            return value + penalty / 2 * (weight**2).sum(), slope.ravel()

        start = np.zeros((n_encoded + 1) * n_logits)
        with Progress(self.verbose, self.max_iter, "LinearStudent", "iteration") as progress:
            best = start

            def callback(intermediate_result: Any) -> None:
                nonlocal best
                best = intermediate_result.x.copy()
                progress.step(loss=intermediate_result.fun)

            # one thread: sums that are split otherwise differ in their last bits, and then the
            # same random_state would not give the same bytes in a worker process
            with threadpool_limits(limits=1, user_api="blas"):
                try:
                    result = minimize(
                        objective,
                        start,
                        jac=True,
                        method="L-BFGS-B",
                        callback=callback,
                        options={"maxiter": self.max_iter, "gtol": self.tol, "ftol": 0.0, "maxcor": 20},
                    )
                except KeyboardInterrupt:
                    if best is start:
                        raise
                    warnings.warn(
                        f"LinearStudent was interrupted after {progress.done} iterations; the weights so far are kept.",
                        UserWarning,
                        stacklevel=2,
                    )
                    self.n_iter_ = progress.done
                else:
                    best = result.x
                    self.n_iter_ = int(result.nit)
                    if result.nit >= self.max_iter:
                        warnings.warn(
                            f"LinearStudent did not converge in max_iter={self.max_iter} iterations.",
                            ConvergenceWarning,
                            stacklevel=2,
                        )
        coef = best.reshape(n_encoded + 1, n_logits).astype(np.float32)
        return [Affine(np.ascontiguousarray(coef[:-1]), np.ascontiguousarray(coef[-1]))]
