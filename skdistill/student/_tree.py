"""Students that are one decision tree, small enough to be read."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from .._sklearn import Interval, not_fitted
from ..losses import CrossEntropy, Terms
from ..program import Op
from ._base import ClassifierPart, ProgramStudent, RegressorPart, regressor_init
from ._encoded import Encoder
from ._progress import Progress
from ._protocol import Traits
from ._tree_growing import grow_tree
from ._tree_text import tree_text

Array = NDArray[Any]


class BaseTree(ProgramStudent):
    """The base of the tree students: parameters, growing, and their text."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **ProgramStudent._parameter_constraints,
        "max_leaf_nodes": [Interval(Integral, 2, None, closed="left"), None],
        "max_depth": [Interval(Integral, 1, None, closed="left"), None],
        "min_samples_leaf": [Interval(Integral, 1, None, closed="left")],
        "smoothing": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    }

    n_leaves_: int

    # a tree takes numbers as they are, missing ones included
    numeric = "raw"
    n_bins = "auto"

    def __init__(
        self,
        max_leaf_nodes: int | None = 256,
        *,
        max_depth: int | None = None,
        min_samples_leaf: int = 10,
        smoothing: float = 20.0,
        min_frequency: int = 5,
        max_categories: int = 256,
        encoder: Any = None,
        monotonic_cst: Any = None,
        class_weight: dict[Any, float] | str | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.max_leaf_nodes = max_leaf_nodes
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.smoothing = smoothing
        self.min_frequency = min_frequency
        self.max_categories = max_categories
        self.encoder = encoder
        self.monotonic_cst = monotonic_cst
        self.class_weight = class_weight
        self.random_state = random_state
        self.verbose = verbose

    def _fit_layers(self, encoder: Encoder, X: Any, terms: Terms, sample_weight: Array | None) -> list[Op]:
        loss = terms.loss
        if type(loss) is not CrossEntropy and (
            isinstance(loss, CrossEntropy) or terms.n_outputs != terms.soft.shape[1]
        ):
            raise ValueError(
                f"loss={loss!r} with student {type(self).__name__}: a tree minimises CrossEntropy, or a loss of "
                "numbers with one output for each target. Use a linear student or a net."
            )
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        Z = encoder.read(X)
        with Progress(self.verbose, 1, type(self).__name__, "tree") as progress:
            tree = grow_tree(
                Z,
                encoder.sizes,
                terms,
                sample_weight,
                signs=encoder.signs,
                smoothing=self.smoothing,
                max_leaf_nodes=self.max_leaf_nodes,
                max_depth=self.max_depth,
                min_samples_leaf=self.min_samples_leaf,
                random_state=seed,
            )
            if self.verbose:
                progress.step(loss=terms.value_and_gradient(tree(Z))[0])
        self.n_leaves_ = len(tree.values)
        return [tree]

    def export_text(self, max_depth: int | None = None) -> str:
        """Return the tree as text.

        Parameters
        ----------
        max_depth : int, default=None
            Maximum depth to show; None shows the whole tree.

        Returns
        -------
        text : str
            A line for each side of each branch, and for each leaf its class and probability, or its value.
        """
        if "program_" not in self.__dict__:
            raise not_fitted(self)
        return tree_text(self.program_, getattr(self, "classes_", None), max_depth)


class TreeStudent(ClassifierPart, BaseTree):
    """A single decision tree that fits soft targets: small, fast and readable.

    The tree is grown best-first on the weighted mean of soft targets and labels. Splits minimise the Gini index,
    computed from probabilities instead of labels. Each leaf then gets the logits that minimise its loss, shrunk towards
    those of the nodes above it. Categories are ordered by their mean target, and missing numbers go to the side that
    fits them better; columns are not encoded otherwise.

    Parameters
    ----------
    max_leaf_nodes : int or None, default=256
        Maximum number of leaves. About 16 are easy to read; a few hundred come closer to the teacher.
    max_depth : int or None, default=None
        Maximum number of branches between root and leaf; None sets no limit.
    min_samples_leaf : int, default=10
        Minimum number of rows in a leaf. A row with weight two counts as two rows, a row with a weight below one as
        one.
    smoothing : float, default=20.0
        How strongly a node is shrunk towards its parent, as the number of additional rows with the parent's mean
        target. The mean targets by which categories are ordered are shrunk as well.
    min_frequency : int, default=5
        Categories in fewer rows than this are grouped together. A numeric column is ignored if fewer rows than this
        differ from its most frequent value; missing counts as a value.
    max_categories : int, default=256
        Maximum number of categories of a column that are kept, the most frequent ones.
    encoder : transformer, default=None
        Encodes the rows instead of the student's own encoder; the two parameters before it are then ignored. A
        ColumnTransformer or Pipeline of scikit-learn's imputers, linear scalers and one-hot or ordinal encoders becomes
        part of the Program; any other transformer runs as it is, before the Program, and is stored with the student.
    monotonic_cst : array-like of int of shape (n_columns,), dict or None, default=None
        Monotonic constraints: an array with a value for each column, or a dict by column name. 1: the probability of
        ``classes_[1]`` must not decrease with the column; -1: it must not increase; 0: no constraint. Constrained
        columns must be numeric, and there must be two classes. None sets no constraints.
    class_weight : dict, "balanced" or None, default=None
        Weight per class label; multiplies the probability of the class in a soft target.
    random_state : int, RandomState instance or None, default=None
        Breaks ties between equally good splits.
    verbose : int, default=0
        If 1, show a progress bar of one step, and the loss.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    program_ : Program
        The fitted student; ``program_(X)`` is ``predict_proba`` without input validation.
    n_leaves_ : int
        The number of leaves.
    encoder_ : transformer
        The fitted `encoder`, if it did not become part of the Program; ``program_`` then takes the rows that it
        returns.
    n_features_in_ : int
        Number of columns seen in fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if all of them are strings.

    See Also
    --------
    MLPStudent : A net, which is usually closer to the teacher.
    DistilledClassifier : Obtains the soft targets from a teacher.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill import TreeStudent
    >>> X = np.arange(100.0)[:, None]
    >>> soft = np.where(X < 40, [[0.9, 0.1]], [[0.2, 0.8]])
    >>> student = TreeStudent(2, smoothing=0).fit(X, soft)
    >>> student.predict_proba([[0.0], [99.0]]).round(1)
    array([[0.9, 0.1],
           [0.2, 0.8]])
    >>> print(student.export_text())
    |--- column 0 <= 39.5
    |   |--- 0: 0.90
    |--- column 0 > 39.5 or missing
    |   |--- 1: 0.80
    """

    _traits = Traits(scalable=True)


class TreeStudentRegressor(RegressorPart, BaseTree):
    """A single decision tree for regression: small, fast and readable.

    It is grown like TreeStudent, on the weighted mean of the teacher's predictions and the labels. Splits minimise the
    variance on either side. A leaf predicts the number that minimises its loss, shrunk towards those of the nodes above
    it.

    Parameters
    ----------
    max_leaf_nodes : int or None, default=256
        Maximum number of leaves. About 16 are easy to read; a few hundred come closer to the teacher.
    max_depth : int or None, default=None
        Maximum number of branches between root and leaf; None sets no limit.
    min_samples_leaf : int, default=10
        Minimum number of rows in a leaf. A row with weight two counts as two rows, a row with a weight below one as
        one.
    smoothing : float, default=20.0
        How strongly a node is shrunk towards its parent, as the number of additional rows with the parent's mean
        target. The mean targets by which categories are ordered are shrunk as well.
    min_frequency : int, default=5
        Categories in fewer rows than this are grouped together. A numeric column is ignored if fewer rows than this
        differ from its most frequent value; missing counts as a value.
    max_categories : int, default=256
        Maximum number of categories of a column that are kept, the most frequent ones.
    encoder : transformer, default=None
        Encodes the rows instead of the student's own encoder; the two parameters before it are then ignored. A
        ColumnTransformer or Pipeline of scikit-learn's imputers, linear scalers and one-hot or ordinal encoders becomes
        part of the Program; any other transformer runs as it is, before the Program, and is stored with the student.
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
    random_state : int, RandomState instance or None, default=None
        Breaks ties between equally good splits.
    verbose : int, default=0
        If 1, show a progress bar of one step, and the loss.

    Attributes
    ----------
    program_ : Program
        The fitted student; ``program_(X)`` is ``predict`` without input validation and returns shape (n_rows,
        n_outputs).
    n_leaves_ : int
        The number of leaves.
    encoder_ : transformer
        The fitted `encoder`, if it did not become part of the Program; ``program_`` then takes the rows that it
        returns.
    n_features_in_ : int
        Number of columns seen in fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if all of them are strings.

    See Also
    --------
    MLPStudentRegressor : A net, which is usually closer to the teacher.
    DistilledRegressor : Obtains the targets from a teacher.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill import TreeStudentRegressor
    >>> X = np.arange(100.0)[:, None]
    >>> student = TreeStudentRegressor(2, smoothing=0).fit(X, np.where(X[:, 0] < 40, 1.5, 8.0))
    >>> print(student.export_text())
    |--- column 0 <= 39.5
    |   |--- 1.5
    |--- column 0 > 39.5 or missing
    |   |--- 8
    """

    __init__ = regressor_init(BaseTree.__init__)
