"""The students of regressors: the twins of LinearStudent, MLPStudent and TreeStudent, which learn as these do."""

from __future__ import annotations

from typing import ClassVar

from ._base import RegressingStudent
from ._linear import LinearLearner
from ._mlp import MLPLearner
from ._tree import TreeLearner


class LinearStudentRegressor(LinearLearner, RegressingStudent):
    """A linear student of a regressor: ridge regression on a teacher's answers.

    It minimises ``mean loss + ||weight||**2 / (2 * C * n)``, with ``n`` the sum of the sample
    weights, over encoded columns and the standardised target; intercepts are not penalised. The
    loss is the squared error, or, within DistilledRegressor, the distillation loss. With one column
    or several it is ``Ridge(alpha=1 / (2 * C))``.

    Parameters
    ----------
    C : float, default=1.0
        Inverse of the strength of the penalty, as in scikit-learn's LogisticRegression. The higher
        it is, the closer the targets are followed, noise included.
    max_iter : int, default=1000
        The most iterations of L-BFGS.
    tol : float, default=1e-6
        L-BFGS ends when no component of the gradient is larger, or the loss falls by less than
        1e-9 of itself.
    numeric : {"auto", "standard", "quantile", "piecewise"}, default="auto"
        What becomes of numbers. "standard": standardised, squashed beyond six deviations.
        "quantile": mapped to their rank. "piecewise": standardised, with their piecewise-linear
        encoding over quantile bins beside. "auto": "standard".
    n_bins : int or "auto", default="auto"
        The most bins of a column in the piecewise-linear encoding. "auto" shares some 160 bins
        between the numeric columns, 4 to 16 each, and adds some that single out narrow ranges over
        which the target jumps, such as holidays.
    min_frequency : int, default=5
        A category in fewer rows than this is grouped with the other rare ones.
    max_categories : int, default=256
        The most categories of a column that are told apart, the most frequent ones.
    encoder : transformer, default=None
        Encodes the rows in place of the student's own encoder; `numeric` and the three parameters
        after it then have no say. A ColumnTransformer or Pipeline of scikit-learn's imputers,
        linear scalers and one-hot or ordinal encoders becomes part of the Program; any other runs
        as it is, before the Program, and goes wherever the student goes.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    program_ : Program
        The fitted student; ``program_(X)`` is the bare, unchecked ``predict``, of shape
        (n_rows, n_outputs).
    encoder_ : transformer
        The fitted `encoder`, where it did not become part of the Program: then ``program_`` takes
        what it returns.
    n_iter_ : int
        Iterations taken.
    n_features_in_ : int
        Number of columns seen in fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where they are all strings.

    See Also
    --------
    MLPStudentRegressor : A net, for what is not linear.
    DistilledRegressor : Asks a teacher for the numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill import LinearStudentRegressor
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> LinearStudentRegressor(C=1000).fit(X, [1.0, 3.0, 5.0]).predict([[0.5]]).round(2)
    array([2.])
    """


class MLPStudentRegressor(MLPLearner, RegressingStudent):
    """A multi-layer perceptron that fits a regressor's answers, trained by torch and run without it.

    Trained as MLPStudent is, on the standardised target, with the squared error for a loss, or,
    within DistilledRegressor, the distillation loss.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default=(96, 96)
        Units of each hidden layer; empty for none.
    activation : {"relu", "silu", "tanh"}, default="relu"
        What follows each hidden layer.
    max_epochs : int, default=100
        The most passes over the rows.
    batch_size : int or "auto", default="auto"
        Rows in a step. "auto" is a power of two that gives about twenty steps an epoch, 16 to 128: of many rows more
        steps than MLPStudent takes, as numbers are learnt to a finer degree than classes.
    learning_rate : float, default=4e-3
        The highest learning rate.
    weight_decay : float, default=1e-4
        AdamW's decoupled weight decay.
    dropout : float, default=0.0
        Probability of silencing a hidden unit in a training step.
    averaging : bool, default=True
        Keep a running average of the weights, over some ninth of the steps, in place of the last
        weights.
    n_nets : int, default=1
        Train so many nets of this size, each from weights of its own and, where rows are held out,
        with other rows held out, and answer with their mean. They end as one net, of
        `n_nets` times the units; with several hidden layers most of the weights between these are
        zero, and so it is best with one. Where labels are few or noisy, four nets of 8 units often
        keep more than one of 32.
    early_stopping : bool or "auto", default="auto"
        Hold out rows, keep the weights that fit them best, and end after `patience` epochs without
        a better fit. "auto" does so from 100 rows on. Without it the last weights are kept.
    validation_fraction : float or "auto", default="auto"
        The share of the rows that is held out. "auto" is a tenth, and of fewer than 1,000 rows more:
        100 rows, but no more than a fifth.
    patience : int, default=15
        Epochs to wait for a better fit to the rows held out.
    numeric : {"auto", "standard", "quantile", "piecewise"}, default="auto"
        What becomes of numbers. "standard": standardised, squashed beyond six deviations.
        "quantile": mapped to their rank. "piecewise": standardised, with their piecewise-linear
        encoding over quantile bins beside. "auto": "piecewise".
    n_bins : int or "auto", default="auto"
        The most bins of a column in the piecewise-linear encoding. "auto" shares some 160 bins
        between the numeric columns, 4 to 16 each, and adds some that single out narrow ranges over
        which the target jumps, such as holidays.
    min_frequency : int, default=5
        A category in fewer rows than this is grouped with the other rare ones.
    max_categories : int, default=256
        The most categories of a column that are told apart, the most frequent ones.
    encoder : transformer, default=None
        Encodes the rows in place of the student's own encoder; `numeric` and the three parameters
        after it then have no say. A ColumnTransformer or Pipeline of scikit-learn's imputers,
        linear scalers and one-hot or ordinal encoders becomes part of the Program; any other runs
        as it is, before the Program, and goes wherever the student goes.
    device : str, default="cpu"
        The torch device to train on, such as "cuda".
    random_state : int, RandomState instance or None, default=None
        Seeds the first weights, the rows held out, the batches and the dropout.
    verbose : int, default=0
        1 shows a progress bar with epoch, loss and, where rows are held out, the student's
        R2 against the targets on them.

    Attributes
    ----------
    program_ : Program
        The fitted student; ``program_(X)`` is the bare, unchecked ``predict``, of shape
        (n_rows, n_outputs).
    history_ : list of dict
        For each epoch, of several nets of the first one's, its ``train_loss`` and, where rows are
        held out, ``valid_loss`` and ``valid_fidelity``, the student's R2 against the targets on
        them. Losses are those of the standardised target.
    encoder_ : transformer
        The fitted `encoder`, where it did not become part of the Program: then ``program_`` takes
        what it returns.
    n_iter_ : int
        Epochs trained, of several nets by the first one.
    n_features_in_ : int
        Number of columns seen in fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where they are all strings.

    See Also
    --------
    LinearStudentRegressor : A linear model of a teacher's answers.
    DistilledRegressor : Asks a teacher for the numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill import MLPStudentRegressor
    >>> X = np.random.default_rng(0).normal(size=(400, 2))
    >>> y = 100 + 10 * np.maximum(X[:, 0], X[:, 1])
    >>> student = MLPStudentRegressor((32,), random_state=0).fit(X, y)
    >>> student.score(X, y) > 0.95
    True
    """

    _largest_batch: ClassVar[int] = 128


class TreeStudentRegressor(TreeLearner, RegressingStudent):
    """A single decision tree that fits a regressor's answers: small, fast, and readable.

    Grown as TreeStudent is, on the blend of the teacher's answers and the labels: a split is the
    better, the less the numbers on either side differ from their mean. A leaf answers with the number
    that minimises the loss in it, shrunk towards those of the nodes above it.

    Parameters
    ----------
    max_leaf_nodes : int or None, default=256
        The most leaves. Some 16 are easily read; a few hundred are closer to the teacher.
    max_depth : int or None, default=None
        The most branches between root and leaf; None sets no limit.
    min_samples_leaf : int, default=10
        The fewest rows in a leaf. A row of weight two counts as two, one of less than one as one.
    smoothing : float, default=20.0
        How strongly a node is shrunk towards the one above it: as if so many rows that are like
        that one on average were in it too. Also for the mean target by which categories are
        ordered.
    min_frequency : int, default=5
        A category in fewer rows than this is grouped with the other rare ones.
    max_categories : int, default=256
        The most categories of a column that are told apart, the most frequent ones.
    encoder : transformer, default=None
        Encodes the rows in place of the student's own encoder; the two parameters before it then
        have no say. A ColumnTransformer or Pipeline of scikit-learn's imputers, linear scalers and
        one-hot or ordinal encoders becomes part of the Program; any other runs as it is, before
        the Program, and goes wherever the student goes.
    random_state : int, RandomState instance or None, default=None
        Decides between splits that are equally good.
    verbose : int, default=0
        1 shows a progress bar, of one step, and the loss.

    Attributes
    ----------
    program_ : Program
        The fitted student; ``program_(X)`` is the bare, unchecked ``predict``, of shape
        (n_rows, n_outputs).
    n_leaves_ : int
        The number of leaves.
    encoder_ : transformer
        The fitted `encoder`, where it did not become part of the Program: then ``program_`` takes
        what it returns.
    n_features_in_ : int
        Number of columns seen in fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where they are all strings.

    See Also
    --------
    MLPStudentRegressor : A net, which is mostly closer to the teacher.
    DistilledRegressor : Asks a teacher for the numbers.

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
