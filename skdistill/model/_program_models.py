"""What a Program answers as: a classifier or a regressor, which exports itself; numpy is enough to predict."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..losses import log_softmax
from ..program import Program, Sigmoid, Softmax
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
            Ends in .skd (for ``skdistill.load``), .onnx, .c (a .h is written beside it), .js or .mjs (a .d.ts or .d.mts
            is written beside it), .py or .sql.
        **options : dict
            The options of the format. Every format has ``metadata``, a dict of what the file is to say of itself beside
            what the fit knows (:func:`skdistill.export.to_file`). .onnx also has ``numbers``, ``missing`` and
            ``logits`` (:func:`skdistill.export.to_onnx`), and .sql ``dialect``, which it needs, and ``table``
            (:func:`skdistill.export.to_sql`).

        Raises
        ------
        ValueError
            If `path` has another suffix, or an option another value.
        NotFittedError
            If the student is not fitted.
        TypeError
            If the student has no Program, the format has no printer for an op of it, or the format
            does not have one of the options; or if the metadata hold something that JSON does not.
        ImportError
            If the format needs a package that is not installed.
        OSError
            If the file cannot be written. No partly written file is left.
        """
        from ..export import to_file

        to_file(self, path, **options)

    def compile(self) -> Any:
        """Return the fitted student as native code: a row takes some 2 microseconds from Python.

        The machine's C compiler (``cc``, ``gcc`` or ``clang``; the environment variable ``CC`` names another) builds
        a shared library once, and checks it against numpy. It stays in ``~/.cache/skdistill`` (below
        ``XDG_CACHE_HOME`` where that is set), keyed by the code and the compiler. Where there is no compiler, a
        warning says so, and numpy answers.

        Returns
        -------
        model : LoadedClassifier or LoadedRegressor
            It takes the same rows and gives the same answers within 1e-4 of a logit, since layers are computed in
            float32. Other threads go on while it answers. A pickle of it answers with numpy until it is compiled
            again.

        Raises
        ------
        NotFittedError
            If the student is not fitted.
        TypeError
            If the student has no Program, or its Program has an op that C has no printer for.

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
        """Return what each column adds to the answer for each row; for linear and additive students.

        The columns of a row and the intercept add up to its ``decision_function``, or, of a regressor, to its
        prediction before `clip` holds it and before a transformed target is transformed back.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; those of a frame in any order.
        background : array-like, sparse matrix or frame of shape (n_background_rows, n_columns), default=None
            Rows to compare with, such as those of the training: each column's mean over them is taken off and added
            to the intercept. What is left are the SHAP values with that background, exactly. None takes nothing
            off: a number adds nothing where it is zero, as with ``coef_``.

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
            If the student is no sum over its columns: a net with hidden layers, or a tree.

        References
        ----------
        Lundberg and Lee (2017), A unified approach to interpreting model predictions,
        https://arxiv.org/abs/1705.07874; corollary 1 has the values of a linear model.

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
        """Whether it was fitted to several labels for each row, and not to one class."""
        return isinstance(self.program_.ops[-1], Sigmoid)

    @on_partitions
    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, or of each label.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; those of a frame in any order.

        Returns
        -------
        proba : ndarray of shape (n_rows, n_classes)
            Probabilities in the order of ``classes_``; each row sums to one, unless they are those of several labels.
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
            Rows with the columns seen in fit; those of a frame in any order.

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
            Rows with the columns seen in fit; those of a frame in any order.

        Returns
        -------
        logits : ndarray of shape (n_rows, n_classes), or (n_rows,) for two classes
            Logits; for two classes those of ``classes_[1]`` over ``classes_[0]``.
        """
        X = self._rows(X)
        logits = self.program_.logits(X)
        return logits[:, 0] if logits.shape[1] == 1 else logits

    @on_partitions
    def predict(self, X: Any) -> Array:
        """Return the most probable class, or that which a threshold decides on (:func:`skdistill.as_student`).

        Where there are several labels, it returns those that are more likely than not.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; those of a frame in any order.

        Returns
        -------
        labels : ndarray of shape (n_rows,) or (n_rows, n_labels)
            Class labels; or one for each of several labels that the row has, and zero for the others.
        """
        X = self._rows(X)
        chosen = self.program_.ops[-1].chosen(self.program_.logits(X))
        return chosen if self.multilabel_ else self.classes_[chosen]


class ProgramRegressor(ProgramModel):
    """How a regressor that is a Program predicts; numpy is enough."""

    @on_partitions
    def predict(self, X: Any) -> Array:
        """Return the predictions, in the target's unit.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; those of a frame in any order.

        Returns
        -------
        values : ndarray of shape (n_rows,) or (n_rows, n_outputs)
            One number for each row, or one for each of several outputs.
        """
        X = self._rows(X)
        values = self.program_(X)
        return values[:, 0] if values.shape[1] == 1 else values
