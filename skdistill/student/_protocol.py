"""The student protocol: the methods that a distiller calls, and the traits that it reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from ..losses import Targets


@dataclass(frozen=True)
class Traits:
    """What a distiller must know of a student before the fit.

    Parameters
    ----------
    softens : bool, default=True
        Whether it divides its own logits by the temperature; without, only temperature 1 makes sense.
    takes_loss : bool, default=True
        Whether it minimises the loss that the targets bring; without, it minimises a loss of its own.
    any_form : bool, default=False
        Whether a row may also be a single object, such as a text.
    in_epochs : bool, default=False
        Whether it learns epoch by epoch: it validates itself on held-out rows, and soft labels keep it from
        memorising labels.
    scalable : bool, default=False
        Whether :func:`scale_logits` can multiply its logits once it is fitted.
    several_labels : bool, default=False
        Whether it fits several labels for each row, with a logit for each.
    listwise : bool, default=False
        Whether it minimises a loss of the rows of a query together; without, it learns scores row by row.
    """

    softens: bool = True
    takes_loss: bool = True
    any_form: bool = False
    in_epochs: bool = False
    scalable: bool = False
    several_labels: bool = False
    listwise: bool = False


@runtime_checkable
class Student(Protocol):
    """An estimator that fits targets: a teacher's answers and labels together.

    A student answers as its task says: a classifier has ``classes_`` and ``predict_proba``, a regressor
    predicts numbers with ``predict``. One whose traits are not the default ones says so in ``_traits``.
    """

    def fit_targets(self, X: Any, targets: Targets) -> Any:
        """Fit to a teacher's answers and labels together.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            The rows.
        targets : Targets
            The teacher's predictions, the labels, their weights, and the loss to minimise.

        Returns
        -------
        self : object
            The fitted student.
        """
        ...

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name, as scikit-learn's estimators do."""
        ...

    def set_params(self, **params: Any) -> Any:
        """Set parameters by name, as scikit-learn's estimators do."""
        ...

    def predict(self, X: Any) -> Any:
        """Predict rows.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            The rows.

        Returns
        -------
        predictions : ndarray of shape (n_rows,) or (n_rows, n_outputs)
            Class labels, or numbers.
        """
        ...


def traits_of(student: Any) -> Traits:
    """Return the traits of a student; those of one that is not skdistill's are the default ones.

    Parameters
    ----------
    student : Student
        Fitted or not.

    Returns
    -------
    traits : Traits
        What a distiller has to know of it.

    Examples
    --------
    >>> from skdistill import LinearStudent, MLPStudent
    >>> from skdistill.student import traits_of
    >>> traits_of(MLPStudent()).in_epochs, traits_of(LinearStudent()).in_epochs
    (True, False)
    """
    found: Traits = getattr(student, "_traits", Traits())
    return found
