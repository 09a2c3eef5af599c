"""What a Program answers as: a classifier or a regressor, which exports itself; numpy is enough to predict."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..losses import log_softmax
from ..program import Program, Sigmoid, Softmax, by_class, is_missing
from ._explain import Explanation, explained
from ._on_partitions import on_partitions

Array = NDArray[Any]


class Exportable:
    """A fitted model that is a Program, or has a student that is one."""

    def export(self, path: str | os.PathLike[str], **options: Any) -> None:
        """Write the fitted student to a file in the format of the path's suffix.

        Parameters
        ----------
        path : path-like
            The file to write. Its suffix is .skd (for ``skdistill.load``), .onnx, .c (which also writes a .h), .js or
            .mjs (which also writes a .d.ts or .d.mts), .py or .sql.
        **options : dict
            Options of the format. All formats take ``metadata``, a dict to store in the file beside the metadata of the
            fit (:func:`skdistill.export.to_file`). .onnx also takes ``numbers``, ``missing`` and ``logits``
            (:func:`skdistill.export.to_onnx`); .sql requires ``dialect`` and takes ``table``
            (:func:`skdistill.export.to_sql`).

        Raises
        ------
        ValueError
            If `path` has another suffix, or an option has an invalid value.
        NotFittedError
            If the student is not fitted.
        TypeError
            If the student has no Program, the format does not support one of its ops or one of the options, or the
            metadata hold an object that JSON cannot represent.
        ImportError
            If the format needs a package that is not installed.
        OSError
            If the file cannot be written. Writes are atomic.
        """
        from ..export import to_file

        to_file(self, path, **options)

    def compile(self) -> Any:
        """Return the fitted student as native code, which predicts a row in about 2 microseconds from Python.

        The machine's C compiler (``cc``, ``gcc`` or ``clang``; the environment variable ``CC`` names another) builds a
        shared library, whose results are compared with numpy's. The library is cached in ``~/.cache/skdistill`` (or
        ``$XDG_CACHE_HOME/skdistill``), keyed by the code and the compiler. Without a compiler, the model warns and uses
        numpy.

        Returns
        -------
        model : LoadedClassifier or LoadedRegressor
            A model that takes the same rows. Its logits agree within 1e-4, because layers are computed in float32.
            Predicting releases the GIL. A pickled copy uses numpy until it is compiled again.

        Raises
        ------
        NotFittedError
            If the student is not fitted.
        TypeError
            If the student has no Program, or C does not support one of its ops.

        Examples
        --------
        >>> from skdistill import LinearStudent
        >>> student = LinearStudent().fit([[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"])
        >>> student.compile().predict([[0.2], [2.9]])
        array(['no', 'yes'], dtype='<U3')
        """
        from ._compile import compiled_model

        return compiled_model(self)


class ProgramModel(Exportable):
    """A model that predicts with a Program; numpy is enough for it."""

    program_: Program

    def _rows(self, X: Any) -> Any:
        """Return rows as the Program takes them, checked."""
        raise NotImplementedError

    def explain(self, X: Any, background: Any = None) -> Explanation:
        """Return the contribution of each column to the prediction for each row; for linear and additive students.

        The contributions and the intercept add up to the row's ``decision_function`` or, for a regressor, to its
        prediction before clipping and before the inverse of a target transform.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; columns of a frame may be in any order.
        background : array-like, sparse matrix or frame of shape (n_background_rows, n_columns), default=None
            Reference rows, such as the training rows. The mean contribution of each column over them is moved into the
            intercept; the contributions are then the exact SHAP values for this background. With None nothing is moved:
            a number contributes nothing if it is zero, as with ``coef_``.

        Returns
        -------
        explanation : Explanation
            With ``values`` of shape (n_rows, n_columns), or (n_rows, n_columns, n_outputs) for more than two classes
            or several outputs, ``intercept`` and ``names``.

        Raises
        ------
        NotFittedError
            If the student is not fitted.
        TypeError
            If the student is not additive in its columns: a net with hidden layers, or a tree.

        References
        ----------
        Lundberg and Lee (2017), A unified approach to interpreting model predictions, https://arxiv.org/abs/1705.07874;
        corollary 1 gives the values of a linear model.

        Examples
        --------
        >>> from skdistill import LinearStudent
        >>> student = LinearStudent().fit([[0.0, 5.0], [1.0, 6.0], [2.0, 4.0], [3.0, 5.0]], [0, 0, 1, 1])
        >>> rows = [[0.5, 4.0], [2.5, 7.0]]
        >>> explanation = student.explain(rows)
        >>> explanation.names
        ['column 0', 'column 1']
        >>> total = explanation.values.sum(axis=1) + explanation.intercept
        >>> print(abs(total - student.decision_function(rows)).max() < 1e-12)
        True
        """
        X = self._rows(X)
        return explained(self.program_, X, None if background is None else self._rows(background))


class ProgramClassifier(ProgramModel):
    """How a classifier that is a Program predicts; numpy is enough.

    A subclass checks rows in ``_rows``.
    """

    classes_: Array

    @property
    def multilabel_(self) -> bool:
        """Whether the target was multilabel."""
        return isinstance(self.program_.ops[-1], Sigmoid)

    @on_partitions
    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, or of each label.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; columns of a frame may be in any order.

        Returns
        -------
        proba : ndarray of shape (n_rows, n_classes)
            Probabilities in the order of ``classes_``. Each row sums to one, except for a multilabel target.
        """
        # the rows are checked first, and with them that there is a Program
        X = self._rows(X)
        return self.program_(X)

    @on_partitions
    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of the probability of each class.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; columns of a frame may be in any order.

        Returns
        -------
        log_proba : ndarray of shape (n_rows, n_classes)
            Natural logarithms, in the order of ``classes_``.
        """
        X = self._rows(X)
        if isinstance(self.program_.ops[-1], Softmax):
            return log_softmax(self.program_.logits(X))
        with np.errstate(divide="ignore"):
            return np.log(self.program_(X))

    @on_partitions
    def decision_function(self, X: Any) -> Array:
        """Return the logits.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; columns of a frame may be in any order.

        Returns
        -------
        logits : ndarray of shape (n_rows, n_classes), or (n_rows,) for two classes
            Logits; for two classes, the log odds of ``classes_[1]``.
        """
        X = self._rows(X)
        logits = self.program_.logits(X)
        return logits[:, 0] if logits.shape[1] == 1 else logits

    @on_partitions
    def predict(self, X: Any) -> Array:
        """Return the most probable class, or the class according to a threshold (:func:`skdistill.as_student`).

        For a multilabel target, return the labels with a probability above one half.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; columns of a frame may be in any order.

        Returns
        -------
        labels : ndarray of shape (n_rows,) or (n_rows, n_labels)
            Class labels; for a multilabel target an indicator matrix.
        """
        X = self._rows(X)
        chosen = self.program_.ops[-1].chosen(self.program_.logits(X))
        return chosen if self.multilabel_ else self.classes_[chosen]

    def _score_of_labels(self, X: Any, y: Any, sample_weight: Any) -> float:
        """Return the share of rows whose known labels are all predicted, among those with any."""
        labels = np.asarray(by_class(y.toarray() if hasattr(y, "toarray") else y, self.classes_))
        predicted = self.predict(X)
        if labels.shape != predicted.shape:
            raise ValueError(f"y has shape {labels.shape}; expected an indicator matrix of shape {predicted.shape}.")
        known = ~np.vectorize(is_missing, otypes=[bool])(labels)
        right = (np.where(known, labels, 0).astype(np.float64) == predicted) | ~known
        weight = np.ones(len(labels)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        return float(np.average(right.all(axis=1), weights=weight * known.any(axis=1)))


class ProgramRegressor(ProgramModel):
    """How a regressor that is a Program predicts; numpy is enough."""

    @on_partitions
    def predict(self, X: Any) -> Array:
        """Return the predictions, in the target's unit.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; columns of a frame may be in any order.

        Returns
        -------
        values : ndarray of shape (n_rows,) or (n_rows, n_outputs)
            Predictions.
        """
        X = self._rows(X)
        values = self.program_(X)
        return values[:, 0] if values.shape[1] == 1 else values
