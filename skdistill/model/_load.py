"""load, and the classifiers and regressors that it returns."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..program import Bound, Columns, Program, is_frame, read
from ._program_models import ProgramClassifier, ProgramModel, ProgramRegressor


def load(path: str | os.PathLike[str], *, batch_dtype: str = "float64") -> LoadedClassifier | LoadedRegressor:
    """Load a student from a ``.skd`` file written by ``export``.

    This needs only numpy: no scikit-learn, no torch. Nothing in the file is executed.

    Parameters
    ----------
    path : path-like
        The file.
    batch_dtype : {"float64", "float32"}, default="float64"
        The type in which the layers of a net are computed for batches. float32 takes about 0.6 of the time.
        Probabilities, or predictions in standard deviations of the target, then differ by about 1e-6 from those of a
        single row, which are always computed in float64.

    Returns
    -------
    model : LoadedClassifier or LoadedRegressor
        A model that predicts as the student does.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, was not written by skdistill, or was written by a later version in a
        format that this one cannot read; or if `batch_dtype` has another value.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import skdistill
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> student = skdistill.LinearStudent().fit(X, ["no", "no", "yes", "yes"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "student.skd")
    ...     student.export(path)
    ...     skdistill.load(path).predict(X)
    array(['no', 'no', 'yes', 'yes'], dtype='<U3')
    """
    saved = read(path)
    program = Program(saved.program.ops, batch_dtype)
    if saved.classes is None:
        return LoadedRegressor(program, saved.versions, saved.metadata)
    return LoadedClassifier(program, saved.classes, saved.versions, saved.metadata)


class _Loaded(ProgramModel):
    """A loaded model: to scikit-learn it is fitted, and ``fit`` and ``clone`` leave it as it is."""

    n_features_in_: int
    feature_names_in_: NDArray[Any]

    def __init__(
        self, program: Program, versions: dict[str, str] | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        self.program_ = program
        self.versions_ = dict(versions or {})
        self.metadata_ = dict(metadata or {})
        self.n_features_in_ = program.n_columns
        entry = program.ops[0]
        if isinstance(entry, Columns) and entry.names is not None:
            self.feature_names_in_ = np.array(entry.names, dtype=object)

    def _rows(self, X: Any) -> Any:
        """Return rows as the Program takes them; they must be a table with the right number of columns."""
        if type(X) is np.ndarray and X.dtype.kind == "f" and X.shape[1:] == (self.n_features_in_,) and len(X):
            return X
        if isinstance(X, dict) or (isinstance(X, list) and X and all(isinstance(row, dict) for row in X)):
            return X
        if not is_frame(X) and not hasattr(X, "tocsr"):
            cells = np.asarray(X)
            # numpy would turn the numbers beside a string into strings
            X = np.asarray(X, dtype=object) if isinstance(X, list | tuple) and cells.dtype.kind in "US" else cells
            if X.dtype.kind == "c":
                raise ValueError("Complex data not supported: X holds complex numbers.")
        if len(X.shape) != 2:
            raise ValueError(
                f"Expected 2D array, got an X of shape {tuple(X.shape)} instead; expected (n_rows, "
                f"{self.n_features_in_}). One row is X.reshape(1, -1)."
            )
        if X.shape[0] == 0:
            raise ValueError(f"X has shape {tuple(X.shape)}; expected at least one row.")
        if X.shape[1] != self.n_features_in_ and not (is_frame(X) and hasattr(self, "feature_names_in_")):
            raise ValueError(
                f"X has {X.shape[1]} features, but {type(self).__name__} is expecting {self.n_features_in_} features "
                "as input."
            )
        return X

    def fit(self, X: Any, y: Any = None) -> Any:
        """Do nothing: a loaded model is fitted.

        Parameters
        ----------
        X : object
            Ignored.
        y : object
            Ignored.

        Returns
        -------
        self : object
            Unchanged.
        """
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_clone__(self) -> Any:
        return self

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags

        dense, n_outputs = not isinstance(self.program_.ops[0], Bound), self.program_.n_outputs
        return Tags(
            estimator_type="classifier" if n_outputs is None else "regressor",
            target_tags=TargetTags(required=False, multi_output=n_outputs is not None and n_outputs > 1),
            classifier_tags=ClassifierTags(multi_label=self.multilabel_)
            if isinstance(self, LoadedClassifier)
            else None,
            regressor_tags=None if n_outputs is None else RegressorTags(),
            input_tags=InputTags(allow_nan=True, sparse=True, categorical=dense, string=dense),
            requires_fit=False,
        )


class LoadedClassifier(ProgramClassifier, _Loaded):
    """A classifier that predicts with a Program; :func:`load` returns it.

    scikit-learn treats it as a fitted classifier: ``fit`` does nothing, and ``clone`` returns the model itself, as with
    a FrozenEstimator. It can be a teacher. Rows may also be a dict from column name to cell, or a list of such dicts.

    Parameters
    ----------
    program : Program
        The Program, from raw rows to probabilities.
    classes : ndarray of shape (n_classes,)
        The class labels.
    versions : dict of str to str, default=None
        The versions of the packages that wrote the file.
    metadata : dict, default=None
        The metadata in the file.

    Attributes
    ----------
    program_ : Program
        The Program; ``program_(X)`` is ``predict_proba`` without input validation.
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    n_features_in_ : int
        The number of columns.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        The names of the columns, if all of them are strings.
    versions_ : dict of str to str
        The versions of the packages that wrote the file.
    metadata_ : dict
        The metadata in the file, as :func:`skdistill.export.to_file` documents; empty if there is none.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from skdistill import LinearStudent, load
    >>> student = LinearStudent().fit([[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "student.skd")
    ...     student.export(path)
    ...     model = load(path)
    >>> model
    LoadedClassifier(n_columns=1, classes=['no', 'yes'])
    >>> model.predict([[0.5], [2.5]])
    array(['no', 'yes'], dtype='<U3')
    """

    def __init__(
        self,
        program: Program,
        classes: NDArray[Any],
        versions: dict[str, str] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(program, versions, metadata)
        self.classes_ = classes

    def __repr__(self) -> str:
        return f"LoadedClassifier(n_columns={self.n_features_in_}, classes={self.classes_.tolist()})"

    def score(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy; for a multilabel target, the fraction of rows whose labels are all predicted.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns), or list of dict
            Rows.
        y : array-like of shape (n_rows,) or (n_rows, n_labels)
            Their labels. The columns of a frame are matched by name; missing labels are ignored.
        sample_weight : array-like of shape (n_rows,), default=None
            Their weights.

        Returns
        -------
        score : float
            The fraction of correctly predicted rows.
        """
        if self.multilabel_:
            return self._score_of_labels(X, y, sample_weight)
        weights = None if sample_weight is None else np.asarray(sample_weight)
        return float(np.average(self.predict(X) == np.asarray(y), weights=weights))


class LoadedRegressor(ProgramRegressor, _Loaded):
    """A regressor that predicts with a Program; :func:`load` returns it.

    scikit-learn treats it as a fitted regressor: ``fit`` does nothing, and ``clone`` returns the model itself, as with
    a FrozenEstimator. It can be a teacher. Rows may also be a dict from column name to cell, or a list of such dicts.

    Parameters
    ----------
    program : Program
        The Program, from raw rows to predictions.
    versions : dict of str to str, default=None
        The versions of the packages that wrote the file.
    metadata : dict, default=None
        The metadata in the file.

    Attributes
    ----------
    program_ : Program
        The Program; ``program_(X)`` is ``predict`` without input validation and returns shape (n_rows, n_outputs).
    n_features_in_ : int
        The number of columns.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        The names of the columns, if all of them are strings.
    versions_ : dict of str to str
        The versions of the packages that wrote the file.
    metadata_ : dict
        The metadata in the file, as :func:`skdistill.export.to_file` documents; empty if there is none.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from skdistill import LinearStudentRegressor, load
    >>> student = LinearStudentRegressor().fit([[0.0], [1.0], [2.0], [3.0]], [0.0, 2.0, 4.0, 6.0])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "student.skd")
    ...     student.export(path)
    ...     model = load(path)
    >>> model
    LoadedRegressor(n_columns=1, n_outputs=1)
    >>> model.predict([[0.5], [2.5]]).round(2)
    array([1.36, 4.64])
    """

    def __repr__(self) -> str:
        return f"LoadedRegressor(n_columns={self.n_features_in_}, n_outputs={self.program_.n_outputs})"

    def score(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the coefficient of determination, R2.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns), or list of dict
            Rows.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            The true values.
        sample_weight : array-like of shape (n_rows,), default=None
            Their weights.

        Returns
        -------
        score : float
            R2, the mean over outputs.
        """
        y_true = np.asarray(y, dtype=np.float64).reshape(-1, self.program_.n_outputs or 1)
        y_pred = self.predict(X).reshape(y_true.shape)
        weights = np.ones(len(y_true)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        mean = np.average(y_true, axis=0, weights=weights)
        residual, total = weights @ (y_true - y_pred) ** 2, weights @ (y_true - mean) ** 2
        # as scikit-learn defines it for a constant target
        explained = np.where(
            total > 0, 1.0 - residual / np.where(total > 0, total, 1.0), np.where(residual > 0, 0.0, 1.0)
        )
        return float(explained.mean())
