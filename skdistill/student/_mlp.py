"""Students that are nets: their parameters here, their training in _mlp_training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import copy
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from .._sklearn import Interval, StrOptions, copy_unfitted
from ..losses import Targets, Terms
from ..program import ACTIVATIONS, Op
from ._base import ProgramStudent, regressor_init
from ._encoded import Encoded
from ._further import Further, as_ops
from ._partial_fit import Learning, LearningClassifier, LearningRegressor
from ._protocol import Traits

Array = NDArray[Any]

#: With fewer rows, or queries of a ranker, those held out would say too little.
_FEW_ROWS, _FEW_QUERIES = 100, 10
#: Hidden units of a net; where labels are noisy or nets disagree, nets to average and the hidden units of each.
_HIDDEN, _AVERAGED = (96, 96), (4, (48,), (24,))
#: What a widened net has at most: units in a layer, and weights of four bytes.
_WIDEST, _MOST_WEIGHTS = 192, 60_000


class BaseMLP(Learning):
    """The base of the net students: parameters, and the rows on which torch trains them."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **ProgramStudent._parameter_constraints,
        "hidden_layer_sizes": ["array-like", StrOptions({"auto"})],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "averaging": ["boolean"],
        "n_nets": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean", StrOptions({"auto"})],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), StrOptions({"auto"})],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "device": [str],
        "random_state": ["random_state"],
    }

    _numeric_auto: ClassVar[str] = "piecewise"
    _dtype: ClassVar[type[np.floating]] = np.float32
    _traits = Traits(in_epochs=True, listwise=True)
    #: The largest batch that batch_size="auto" chooses.
    _largest_batch: ClassVar[int] = 256

    history_: list[dict[str, float]]
    n_iter_: int

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] | str = "auto",
        *,
        activation: str = "relu",
        max_epochs: int = 100,
        batch_size: int | str = "auto",
        learning_rate: float = 4e-3,
        weight_decay: float = 1e-4,
        dropout: float = 0.0,
        averaging: bool = True,
        n_nets: int = 1,
        early_stopping: bool | str = "auto",
        validation_fraction: float | str = "auto",
        patience: int = 15,
        numeric: str = "auto",
        n_bins: int | str = "auto",
        min_frequency: int = 5,
        max_categories: int = 256,
        encoder: Any = None,
        monotonic_cst: Any = None,
        class_weight: dict[Any, float] | str | None = None,
        device: str = "cpu",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.averaging = averaging
        self.n_nets = n_nets
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.numeric = numeric
        self.n_bins = n_bins
        self.min_frequency = min_frequency
        self.max_categories = max_categories
        self.encoder = encoder
        self.monotonic_cst = monotonic_cst
        self.class_weight = class_weight
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _fit_weights(
        self,
        encoded: Encoded,
        terms: Terms,
        first_layer: Callable[[Array, Array], Op],
        init: list[tuple[Array, Array]] | None = None,
    ) -> list[Op]:
        self._check_sizes()
        rng = check_random_state(self.random_state)
        # torch is imported here, where a net is trained, and nowhere on the way to a prediction
        from ._mlp_training import Job, train_nets

        jobs = []
        for _ in range(self.n_nets):
            held_out, kept = self._hold_out(terms, rng)
            valid = held_out if self.early_stopping else held_out[:0]
            jobs.append(Job(kept, valid, terms, int(rng.randint(2**31 - 1)), init))
        nets = train_nets(self, encoded, jobs, batch_size=self._rows_in_a_step(len(jobs[0].rows)))
        return self._as_fitted([net.layers for net in nets], nets[0].history, first_layer)

    def _learn_first(self, X: Any, targets: Targets) -> Any:
        # one pass over the rows, as over further ones
        learner = copy(self)
        learner.max_epochs, learner.early_stopping = 1, False
        found, params = vars(learner._fit_checked(X, targets)), self.get_params(deep=False)
        self.__dict__ |= {name: value for name, value in found.items() if name not in params}
        return self

    def _learn(self, further: Further, rows: Any, targets: Targets, n_before: int) -> list[tuple[Array, Array]]:
        """Take the steps of one pass over the rows, at a rate that falls with the root of how many rows were seen.

        Polyak and Juditsky (1992), "Acceleration of Stochastic Approximation by Averaging": so few further rows change
        little, and as many as before much.
        """
        from ._mlp_training import Job, train_nets

        encoded, terms = further.encode(rows), further.terms(targets, self.class_weight)
        # other batches in each call
        seed = (int(check_random_state(self.random_state).randint(2**31 - 1)) + self.n_iter_) % 2**31
        everything = np.arange(encoded.n_rows)
        job = Job(everything, everything[:0], terms, seed, further.layers, further.hidden)
        batch_size = self._rows_in_a_step(encoded.n_rows)
        learner = copy(self)
        learner.learning_rate = self.learning_rate * np.sqrt(encoded.n_rows / (n_before + encoded.n_rows))
        (net,) = train_nets(learner, encoded, [job], batch_size=batch_size, most_steps=1)
        self.history_ = self.history_ + net.history
        self.n_iter_ = len(self.history_)
        return net.layers

    def _as_fitted(
        self,
        nets: list[list[tuple[Array, Array]]],
        history: list[dict[str, float]],
        first_layer: Callable[[Array, Array], Op],
    ) -> list[Op]:
        """Keep the history, and return the ops of trained nets."""
        self.history_ = history
        self.n_iter_ = len(history)
        layers = nets[0] if len(nets) == 1 else _side_by_side(nets)
        return as_ops(layers, first_layer, [ACTIVATIONS[self.activation]()] * (len(layers) - 1))

    def _check_sizes(self) -> None:
        if not all(isinstance(size, Integral) and int(size) >= 1 for size in hidden_units(self)):
            raise ValueError(f"hidden_layer_sizes must hold positive whole numbers; got {self.hidden_layer_sizes}.")

    def _rows_in_a_step(self, n_rows: int) -> int:
        """Return the batch size: as given, or a power of two that gives about twenty steps an epoch."""
        if not isinstance(self.batch_size, str):
            return int(self.batch_size)
        return int(np.clip(2 ** round(np.log2(max(n_rows / 20, 1))), 16, self._largest_batch))

    def _hold_out(self, terms: Terms, rng: np.random.RandomState) -> tuple[Array, Array]:
        """Return the rows to validate the fit by, and those to fit: as they were chosen, else drawn by chance."""
        n_rows, chosen = len(terms.soft), terms.held_out
        enough = n_rows >= _FEW_ROWS
        rows = rng.permutation(n_rows)
        if chosen is not None:
            return np.flatnonzero(chosen), np.flatnonzero(~chosen)
        if terms.queries is not None:
            # whole queries
            query = np.unique(terms.queries, return_inverse=True)[1]
            rows = np.argsort(rng.permutation(query.max() + 1)[query], kind="stable")
            ends = np.flatnonzero(np.diff(query[rows])) + 1
            enough = enough and len(ends) >= _FEW_QUERIES
        n_held_out = 0
        if self.early_stopping is True or (self.early_stopping == "auto" and enough):
            share = self.validation_fraction
            if isinstance(share, str):
                share = float(np.clip(100 / n_rows, 0.1, 0.2))
            n_held_out = max(1, round(share * n_rows))
            if n_held_out >= n_rows:
                raise ValueError(f"validation_fraction={share} of {n_rows} rows leaves none to train on.")
            if terms.queries is not None:
                n_held_out = int(ends[min(int(np.searchsorted(ends, n_held_out)), len(ends) - 1)])
        return np.sort(rows[:n_held_out]), np.sort(rows[n_held_out:])


def hidden_units(student: Any) -> tuple[Any, ...]:
    """Return the units of each hidden layer of a net; none of another student."""
    sizes = getattr(student, "hidden_layer_sizes", ())
    return _HIDDEN if isinstance(sizes, str) else tuple(sizes)


def with_size_of(student: Any, other: Any) -> Any:
    """Return a net, not fitted, with the hidden units and the number of nets of another one."""
    return copy_unfitted(student).set_params(hidden_layer_sizes=other.hidden_layer_sizes, n_nets=other.n_nets)


def several_shallow(student: Any, *, narrow: bool) -> Any:
    """Return the net for few rows and noisy labels: the mean of several shallow ones, `narrow` where nets disagree.

    Where the user has chosen a size or a number of nets, it is the student itself.
    """
    if _is_sized(student):
        return student
    n_nets, wide, slim = _AVERAGED
    return copy_unfitted(student).set_params(hidden_layer_sizes=slim if narrow else wide, n_nets=n_nets)


def widened(student: Any, n_inputs: int, n_outputs: int) -> Any:
    """Return the net for labels with fine structure: two layers as wide as 240 KB of weights allow, at most 192 units.

    Where the user has chosen a size or a number of nets, it is the student itself; also if that allows no more than 96.
    """
    if _is_sized(student):
        return student
    # weights and biases of two layers of n units, and of the outputs: n^2 + (n_inputs + 2 + n_outputs) n + n_outputs
    half = (n_inputs + 2 + n_outputs) / 2
    units = min(_WIDEST, int(math.sqrt(half**2 + _MOST_WEIGHTS - n_outputs) - half)) // 8 * 8
    return student if units <= _HIDDEN[0] else copy_unfitted(student).set_params(hidden_layer_sizes=(units, units))


def _is_sized(student: Any) -> bool:
    return not isinstance(student.hidden_layer_sizes, str) or student.n_nets != 1


def fit_net(
    student: Any,
    encoded: Encoded,
    terms: Terms,
    first_layer: Callable[[Array, Array], Op],
    init: list[tuple[Array, Array]] | None = None,
) -> list[Op]:
    """Train a student's net on rows that are encoded already, and return its ops.

    Parameters
    ----------
    student : MLPStudent or MLPStudentRegressor
        Its parameters say how.
    encoded : Encoded
        The rows.
    terms : Terms
        What to fit.
    first_layer : callable
        From weight and bias to the first op.
    init : list of (ndarray of shape (n_in, n_out), ndarray of shape (n_out,)) or None
        Weight and bias of each layer to start from; None draws them.

    Returns
    -------
    ops : list of Op
        From encoded rows to logits, or to standardised outputs.
    """
    return student._fit_weights(encoded, terms, first_layer, init)


def _side_by_side(nets: list[list[tuple[Array, Array]]]) -> list[tuple[Array, Array]]:
    """Return the layers of one net whose logits are the mean of those of several nets."""
    n_nets, n_layers = len(nets), len(nets[0])
    merged: list[tuple[Array, Array]] = []
    for at, layers in enumerate(zip(*nets, strict=True)):
        n_in, n_out = layers[0][0].shape
        weight, bias = np.zeros((n_nets, n_in, n_nets, n_out)), np.array([bias for _, bias in layers])
        for net, (one, _) in enumerate(layers):
            weight[net, :, net] = one
        # the first layer reads what all of them read, and the last one's answer is their mean
        weight = weight.sum(axis=0, keepdims=True) if at == 0 else weight
        weight, bias = (weight.mean(axis=2), bias.mean(axis=0)) if at == n_layers - 1 else (weight, bias.ravel())
        merged.append((weight.reshape(-1, bias.size).astype(np.float32), bias.astype(np.float32)))
    return merged


class MLPStudent(LearningClassifier, BaseMLP):
    """A multi-layer perceptron that fits soft targets, trained with torch and run without it.

    It is trained with AdamW on shuffled mini-batches. The learning rate warms up over the first 5 % of the steps and
    decays to zero along a cosine. Training uses one thread, so that the same `random_state` gives the same bytes in
    every process.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int or "auto", default="auto"
        Number of units of each hidden layer; empty for none. "auto" is (96, 96). Where fewer than 10,000 rows have a
        label, and the teacher's accuracy on them is far above that of nets of the labels, a distiller's default recipe
        takes ``n_nets=4`` and (48,) instead, or (24,) if these nets disagree. If nets of the labels underfit, it takes
        instead, with any number of rows, two layers of up to 192 units, as wide as 240 KB of weights allow.
    activation : {"relu", "silu", "tanh"}, default="relu"
        Activation function after each hidden layer.
    max_epochs : int, default=100
        Maximum number of epochs.
    batch_size : int or "auto", default="auto"
        Number of rows per step. "auto" is the power of two from 16 to 256 that gives about twenty steps per epoch.
    learning_rate : float, default=4e-3
        The highest learning rate.
    weight_decay : float, default=1e-4
        AdamW's decoupled weight decay.
    dropout : float, default=0.0
        Probability of dropping a hidden unit in a training step.
    averaging : bool, default=True
        Use a running average of the weights, over about the last ninth of the steps, instead of the last weights.
    n_nets : int, default=1
        Number of nets of this size to train, each with its own initial weights and, if rows are held out, its own
        held-out rows. The student predicts with the mean of their logits. They are merged into one net with `n_nets`
        times the units. With more than one hidden layer most weights between the layers of that net are zero, so one
        hidden layer suits best. With few or noisy labels, four nets of 8 units often fit better than one of 32.
    early_stopping : bool or "auto", default="auto"
        Whether to hold out rows, keep the weights that fit them best, and stop after `patience` epochs without
        improvement. "auto" does so with at least 100 rows. Otherwise the last weights are kept.
    validation_fraction : float or "auto", default="auto"
        The fraction of the rows that is held out. "auto" is a tenth; with fewer than 1,000 rows it is
        100 rows, but at most a fifth.
    patience : int, default=15
        Number of epochs without improvement on the held-out rows after which training stops.
    numeric : {"auto", "standard", "quantile", "piecewise"}, default="auto"
        How numbers are encoded. "standard": scaled by the interquartile range, squashed beyond four deviations.
        "quantile": mapped to their rank. "piecewise": standardised, with a piecewise-linear
        encoding over quantile bins in addition. "auto": "piecewise".
    n_bins : int or "auto", default="auto"
        Maximum number of bins of a column in the piecewise-linear encoding. "auto" divides about 160 bins among the
        numeric columns, 4 to 16 each, or fewer where there would be more than 360 in total.
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
        columns must be numeric, there must be two classes, and `activation` must not be "silu". The signs of weights
        are constrained (Runje and Shankaranarayana, 2023, https://arxiv.org/abs/2205.11775). None sets no constraints.
    class_weight : dict, "balanced" or None, default=None
        Weight per class label; multiplies the probability of the class in a soft target.
    device : str, default="cpu"
        The torch device to train on, such as "cuda".
    random_state : int, RandomState instance or None, default=None
        Seeds the initial weights, the held-out rows, the batches and the dropout.
    verbose : int, default=0
        If 1, show a progress bar with the epoch, the loss and, if rows are held out, the student's agreement with the
        targets on them.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    program_ : Program
        The fitted student; ``program_(X)`` is ``predict_proba`` without input validation.
    history_ : list of dict
        For each epoch (of the first net, if `n_nets` is more than one) its ``train_loss`` and, where rows are held out,
        ``valid_loss`` and ``valid_fidelity``, the fraction of them for which student and targets have the same most
        probable class.
    encoder_ : transformer
        The fitted `encoder`, if it did not become part of the Program; ``program_`` then takes the rows that it
        returns.
    n_iter_ : int
        Number of epochs trained (of the first net, if `n_nets` is more than one).
    n_features_in_ : int
        Number of columns seen in fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if all of them are strings.

    See Also
    --------
    LinearStudent : A linear model on soft targets.
    DistilledClassifier : Obtains the soft targets from a teacher.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill import MLPStudent
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> p = 1 / (1 + np.exp(-5 * X[:, 0] * X[:, 1]))
    >>> student = MLPStudent((32,), random_state=0).fit(X, np.column_stack([1 - p, p]))
    >>> bool(student.score(X, (p > 0.5).astype(int)) > 0.9)
    True
    """

    _traits = Traits(in_epochs=True, scalable=True, several_labels=True)


class MLPStudentRegressor(LearningRegressor, BaseMLP):
    """A multi-layer perceptron for regression, trained with torch and run without it.

    It is trained like MLPStudent, on the standardised target. The loss is `loss` or, within DistilledRegressor, the
    distillation loss.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int or "auto", default="auto"
        Number of units of each hidden layer; empty for none. "auto" is (96, 96).
    activation : {"relu", "silu", "tanh"}, default="relu"
        Activation function after each hidden layer.
    max_epochs : int, default=100
        Maximum number of epochs.
    batch_size : int or "auto", default="auto"
        Number of rows per step. "auto" is the power of two from 16 to 128 that gives about twenty steps per epoch. With
        many rows this is more steps than MLPStudent takes, because regression needs a more precise fit than
        classification.
    learning_rate : float, default=4e-3
        The highest learning rate.
    weight_decay : float, default=1e-4
        AdamW's decoupled weight decay.
    dropout : float, default=0.0
        Probability of dropping a hidden unit in a training step.
    averaging : bool, default=True
        Use a running average of the weights, over about the last ninth of the steps, instead of the last weights.
    n_nets : int, default=1
        Number of nets of this size to train, each with its own initial weights and, if rows are held out, its own
        held-out rows. The student predicts with their mean. They are merged into one net with `n_nets` times the units.
        With more than one hidden layer most weights between the layers of that net are zero, so one hidden layer suits
        best. With few or noisy labels, four nets of 8 units often fit better than one of 32.
    early_stopping : bool or "auto", default="auto"
        Whether to hold out rows, keep the weights that fit them best, and stop after `patience` epochs without
        improvement. "auto" does so with at least 100 rows. Otherwise the last weights are kept.
    validation_fraction : float or "auto", default="auto"
        The fraction of the rows that is held out. "auto" is a tenth; with fewer than 1,000 rows it is
        100 rows, but at most a fifth.
    patience : int, default=15
        Number of epochs without improvement on the held-out rows after which training stops.
    numeric : {"auto", "standard", "quantile", "piecewise"}, default="auto"
        How numbers are encoded. "standard": scaled by the interquartile range, squashed beyond four deviations.
        "quantile": mapped to their rank. "piecewise": standardised, with a piecewise-linear
        encoding over quantile bins in addition. "auto": "piecewise".
    n_bins : int or "auto", default="auto"
        Maximum number of bins of a column in the piecewise-linear encoding. "auto" divides about 160 bins among the
        numeric columns, 4 to 16 each, or fewer where there would be more than 360 in total. It adds bins around change
        points, narrow ranges in which the target changes abruptly, such as holidays.
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
        there must be one output, and `activation` must not be "silu". The signs of weights are constrained (Runje and
        Shankaranarayana, 2023, https://arxiv.org/abs/2205.11775). None sets no constraints.
    loss : {"squared_error", "huber"} or Loss, default="squared_error"
        The loss that `fit` minimises. "huber" is :class:`~skdistill.losses.Huber`, for labels with outliers. Targets
        that a distiller passes to `fit_targets` have their own loss.
    clip : bool or "auto", default="auto"
        Whether to clip predictions to the range of the targets, that is, of labels and teacher predictions. "auto"
        clips on one side only, if zero is a natural bound: at the smallest target if no target is negative, at the
        largest if none is positive.
    device : str, default="cpu"
        The torch device to train on, such as "cuda".
    random_state : int, RandomState instance or None, default=None
        Seeds the initial weights, the held-out rows, the batches and the dropout.
    verbose : int, default=0
        If 1, show a progress bar with the epoch, the loss and, if rows are held out, the student's R2 against the
        targets on them.

    Attributes
    ----------
    program_ : Program
        The fitted student; ``program_(X)`` is ``predict`` without input validation and returns shape (n_rows,
        n_outputs).
    history_ : list of dict
        For each epoch (of the first net, if `n_nets` is more than one) its ``train_loss`` and, where rows are held out,
        ``valid_loss`` and ``valid_fidelity``, the student's R2 against the targets on them. Losses refer to the
        standardised target.
    encoder_ : transformer
        The fitted `encoder`, if it did not become part of the Program; ``program_`` then takes the rows that it
        returns.
    n_iter_ : int
        Number of epochs trained (of the first net, if `n_nets` is more than one).
    n_features_in_ : int
        Number of columns seen in fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if all of them are strings.

    See Also
    --------
    LinearStudentRegressor : A linear model of a teacher's predictions.
    DistilledRegressor : Obtains the targets from a teacher.

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

    _largest_batch = 128

    __init__ = regressor_init(BaseMLP.__init__)
