"""The operations that make up a Program: each holds fitted numbers and maps rows to rows with numpy.

Weights are stored as float32, the precision of every export format, or smaller: as float16, or as
int8 with a float32 scale for each output. They are always applied in float64. A row's prediction
may depend on its batch by 1e-7 at most, and a float32 sum depends on the shape of the batch by more
than that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Op:
    """One step of a Program, ``(n_rows, n_in) -> (n_rows, n_out)``.

    The first op of a Program, its entry, reads the rows without changing them; every other op may
    overwrite its input array. An op is frozen, and its caches are not part of its state. Arrays that
    are added to rows are cached in the shape of one row, (1, n): numpy broadcasts them faster.
    """

    #: Whether a Program may end in it: it maps outputs to answers.
    ENDS: ClassVar[bool] = False

    @property
    def magnifies(self) -> bool:
        """Whether the op makes much of small differences, so that layers before it are computed in float64."""
        return False

    def __call__(self, X: Array) -> Array:
        """Apply the op to rows of shape (n_rows, n_in)."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """Return the fields of the op by name: arrays and plain values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]

    def scaled(self, scale: float | Array, shift: float | Array = 0.0) -> Op:
        """Return an op whose outputs are ``outputs * scale + shift``; only ops that can produce logits have one.

        Weights of float16 become float32, which holds products more exactly; so do int8 leaves, which have no bias.
        """
        state, changed = self.state(), dict[str, Any]()
        scale = np.asarray(scale, dtype=np.float64)
        for name, steps in (("tables", "tables_scale"), ("weight", "scale"), ("values", "values_scale")):
            if name in state and name != "values" and state[steps] is not None and (scale > 0).all():
                changed[steps] = state[steps] * scale
            elif name in state:
                changed |= {name: real_weights(state[name], state[steps]) * scale, steps: None}
        if not changed:
            raise TypeError(f"{type(self).__name__} does not end in logits.")
        last = "bias" if "bias" in state else "values"
        changed[last] = changed.get(last, state[last] * scale) + shift
        narrow = {name: None if value is None else value.astype(np.float32) for name, value in changed.items()}
        return replace(self, **narrow)  # type: ignore[type-var]

    def chosen(self, logits: Array) -> Array:
        """Return the index of each row's class, of shape (n_rows,), where a classifier ends in the op."""
        return self(logits).argmax(axis=1)

    def __getstate__(self) -> dict[str, Any]:
        return self.state()

    def __repr__(self) -> str:
        state = ", ".join(
            f"{name}={'x'.join(map(str, value.shape)) if isinstance(value, np.ndarray) else repr(value)}"
            for name, value in self.state().items()
        )
        return f"{type(self).__name__}({state})"


def real_weights(weight: Array, scale: Array | None) -> Array:
    """Return weights as the float64 numbers that they stand for.

    Parameters
    ----------
    weight : ndarray of shape (n_in, n_out)
        float32, float16 or int8.
    scale : ndarray of shape (n_out,) or None
        The size of one int8 step, for each output.

    Returns
    -------
    weight : ndarray of shape (n_in, n_out)
        The weights in float64.
    """
    wide = weight.astype(np.float64)
    if scale is not None:
        wide *= scale
    return wide


#: Numbers are clipped to this magnitude; the float32 of the exported formats ends at 3e38.
LARGEST = 1e30


#: The parts of a date, which :func:`date_parts` defines.
DATE_PARTS: tuple[str, ...] = (
    *("month", "day", "weekday", "hour", "time of day", "day of year"),
    *("yearly sine", "yearly cosine", "weekly sine", "weekly cosine", "daily sine", "daily cosine"),
)


@dataclass(frozen=True, eq=False, repr=False)
class DateParts(Op):
    """Append parts of dates: for each ``j``, part ``parts[j]`` of column ``columns[j]``.

    Dates are seconds since 1970 (UTC). A missing date is NaN, and so are its parts; :func:`date_parts` defines them.
    """

    columns: tuple[int, ...]
    parts: tuple[str, ...]

    def __call__(self, X: Array) -> Array:
        return np.concatenate([X, date_parts(X[:, self.columns], self.parts)], axis=1)


def date_part(seconds: Array, part: str) -> Array:
    """Return one part of dates, given and returned in the shape (n_rows,); see :func:`date_parts`."""
    return date_parts(seconds[:, None], (part,))[:, 0]


def date_parts(seconds: Array, parts: tuple[str, ...]) -> Array:
    """Return parts of dates in the proleptic Gregorian calendar, NaN where a date is missing.

    Parameters
    ----------
    seconds : ndarray of shape (n_rows, n_parts)
        Seconds since 1970 (UTC), a column for each part.
    parts : tuple of str
        Members of DATE_PARTS: "month" (1 to 12), "day" (of the month, 1 to 31), "weekday" (0 to 6, Monday first),
        "hour" (0 to 23), "time of day" in hours, or "day of year" (1 to 366, as in a leap year: the first of March is
        the 61st day of every year). The sine and the cosine of a cycle, such as "weekly sine", say where in it a date
        is; a yearly one has 365.2425 days, a year's mean length. They are rounded to a millionth.

    Returns
    -------
    values : ndarray of shape (n_rows, n_parts)
        The parts, as float64.
    """
    # numpy's dates are exact to the day within these years
    seconds = np.minimum(np.maximum(seconds, -1e13), 1e13)
    # a quotient of whole seconds is never rounded up to the next day
    whole = np.floor(seconds)
    days = np.floor(whole / 86400.0)
    values = np.empty(seconds.shape)
    calendar = [at for at, part in enumerate(parts) if part in ("month", "day", "day of year")]
    cycles = [at for at, part in enumerate(parts) if part.endswith("sine")]
    for at, part in enumerate(parts):
        if part == "hour":
            values[:, at] = np.floor((whole[:, at] - days[:, at] * 86400.0) / 3600.0)
        elif part == "time of day":
            values[:, at] = (seconds[:, at] - days[:, at] * 86400.0) / 3600.0
        elif part == "weekday":
            # 1970 began on a Thursday
            values[:, at] = np.mod(days[:, at] + 3.0, 7.0)
    if calendar:
        known = ~np.isnan(days[:, calendar])
        dates = np.where(known, days[:, calendar], 0.0).astype(np.int64).astype("datetime64[D]")
        months = dates.astype("datetime64[M]")
        month, day = months.astype(np.int64) % 12, (dates - months).astype(np.int64) + 1
        before = np.cumsum([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30])[month]
        found = {"month": month + 1, "day": day, "day of year": before + day}
        chosen = [found[parts[at]][:, place] for place, at in enumerate(calendar)]
        values[:, calendar] = np.where(known, np.column_stack(chosen), np.nan)
    if cycles:
        periods = {"yearly": 31556952.0, "weekly": 604800.0, "daily": 86400.0}
        period = np.array([periods[parts[at].split()[0]] for at in cycles])
        phase = np.array([np.pi / 2.0 if parts[at].endswith("cosine") else 0.0 for at in cycles])
        turns = np.floor(seconds[:, cycles] / period)
        angle = (seconds[:, cycles] - period * turns) * (2.0 * np.pi / period)
        # rounded, since libraries differ in the last digit, and ranks or a tree tell equal angles apart by it
        values[:, cycles] = np.rint(1e6 * np.sin(angle + phase)) / 1e6
    return values


@dataclass(frozen=True, eq=False, repr=False)
class Clip(Op):
    """Clip each of `columns` to the range from `lower` to `upper`; a missing value stays missing.

    Beyond the dates seen in fit, what depends on them is held as it was at the last one, and no trend is
    extrapolated. `lower` and `upper` are float64 of shape (n_columns,), in the column's own unit.
    """

    columns: Array
    lower: Array
    upper: Array

    def __call__(self, X: Array) -> Array:
        X[:, self.columns] = np.minimum(np.maximum(X[:, self.columns], self.lower), self.upper)
        return X


@dataclass(frozen=True, eq=False, repr=False)
class Indicate(Op):
    """Append a missing-value indicator for each of `columns`: 1.0 where the value is missing, else 0.0."""

    columns: Array

    def __call__(self, X: Array) -> Array:
        return np.concatenate([X, np.isnan(X[:, self.columns])], axis=1)


@dataclass(frozen=True, eq=False, repr=False)
class Standardize(Op):
    """Standardise the columns from `start` on to ``(x - mean) / scale``, and fill missing values.

    A number more than `limit` deviations from the mean is squashed to ``limit + log(1 + distance)``.
    `mean`, `scale` and `fill` are float64 of shape (n_columns,), in the column's own unit.
    """

    start: int
    mean: Array
    scale: Array
    fill: Array
    limit: float

    @cached_property
    def _as_rows(self) -> tuple[Array, Array, Array]:
        factor = 1.0 / self.scale
        return self.mean[None], factor[None], ((self.fill - self.mean) * factor)[None]

    @cached_property
    def _columns(self) -> slice:
        return slice(self.start, self.start + len(self.mean))

    @cached_property
    def _near(self) -> float:
        return self.limit**2

    @cached_property
    def _only_fills(self) -> bool:
        """Whether the numbers are scaled already, and only missing values remain to be filled."""
        return not self.mean.any() and bool((self.scale == 1.0).all())

    def __call__(self, X: Array) -> Array:
        mean, factor, filled = self._as_rows
        Z = X[:, self._columns]
        if self._only_fills:
            if len(Z) == 1 and np.vdot(Z, Z) <= self._near:
                return X
        elif len(Z) == 1 and np.vdot(Z, Z) < 1e300:
            # one row without missing values, which cannot overflow: the hot loop
            np.subtract(Z, mean, out=Z)
            np.multiply(Z, factor, out=Z)
            if np.vdot(Z, Z) <= self._near:
                return X
        else:
            with np.errstate(over="ignore"):
                np.subtract(Z, mean, out=Z)
                np.multiply(Z, factor, out=Z)
        # one check covers missing, infinite and far numbers, all of which are rare
        far = ~(np.abs(Z) <= self.limit)
        if far.any():
            np.copyto(Z, filled, where=np.isnan(Z))
            Z[far] = self.squashed(Z[far])
        return X

    def squashed(self, Z: Array) -> Array:
        """Return standardised numbers squashed, as they leave the op."""
        Z = np.clip(Z, -LARGEST, LARGEST)
        far = np.abs(Z) > self.limit
        beyond = Z[far]
        Z[far] = np.copysign(self.limit + np.log1p(np.abs(beyond) - self.limit), beyond)
        return Z


def unsquashed(Z: Array, limit: float) -> Array:
    """Return the standardised numbers that a Standardize of some `limit` squashes to these."""
    far = np.maximum(np.abs(Z) - limit, 0.0)
    return np.where(far > 0, np.copysign(limit + np.expm1(far), Z), Z)


@dataclass(frozen=True, eq=False, repr=False)
class Quantiles(Op):
    """Map each column from `start` on through a piecewise-linear curve from ``knots[j]`` to `scores`.

    `knots` has shape (n_columns, n_knots), ascending along each row and in the column's own unit;
    `scores` has shape (n_knots,). A missing number becomes ``fill[j]``, also in the column's unit.
    """

    start: int
    knots: Array
    scores: Array
    fill: Array

    def __call__(self, X: Array) -> Array:
        for index, (knots, fill) in enumerate(zip(self.knots, self.fill, strict=True), start=self.start):
            column = X[:, index]
            np.copyto(column, fill, where=np.isnan(column))
            column[:] = np.interp(column, knots, self.scores)
        return X


@dataclass(frozen=True, eq=False, repr=False)
class Piecewise(Op):
    """Append the piecewise-linear encoding: how far a number reaches into each bin of its column.

    Bin ``j`` gives ``clip((x[columns[j]] - lower[j]) / width[j], 0, 1)`` (Gorishniy, Rubachev and
    Babenko, 2022, "On Embeddings for Numerical Features in Tabular Deep Learning",
    https://arxiv.org/abs/2203.05556).
    """

    columns: Array
    lower: Array
    width: Array

    @cached_property
    def _as_rows(self) -> tuple[Array, Array]:
        return self.lower[None], 1.0 / self.width[None]

    def __call__(self, X: Array) -> Array:
        n_rows, n_before = X.shape
        out = np.empty((n_rows, n_before + len(self.columns)))
        out[:, :n_before] = X
        # numpy is much faster on an array of their own than on columns of `out`
        bins = X.take(self.columns, 1)
        lower, factor = self._as_rows
        np.subtract(bins, lower, out=bins)
        np.multiply(bins, factor, out=bins)
        np.maximum(bins, 0.0, out=bins)
        np.minimum(bins, 1.0, out=out[:, n_before:])
        return out


@dataclass(frozen=True, eq=False, repr=False)
class Bound(Op):
    """The entry of a Program for sparse rows: keeps them sparse and makes their numbers finite."""

    n_columns: int

    def __call__(self, X: Any) -> Any:
        # sparse columns have no names, so a row cannot be a dict
        shape = np.shape(X)
        if len(shape) != 2 or shape[1] != self.n_columns:
            raise ValueError(
                f"Rows are a {type(X).__name__} of shape {tuple(shape)}; expected an array or a sparse matrix of "
                f"shape (n_rows, {self.n_columns})."
            )
        if not hasattr(X, "tocsr"):
            return _bounded(np.array(X, dtype=np.float64))
        X = X.tocsr(copy=True).astype(np.float64, copy=False)
        X.data = _bounded(X.data)
        return X


def _bounded(values: Array) -> Array:
    return np.nan_to_num(values, copy=False, nan=0.0, posinf=LARGEST, neginf=-LARGEST).clip(-LARGEST, LARGEST)


@dataclass(frozen=True, eq=False, repr=False)
class LookupAffine(Op):
    """The first layer on ``[codes | numbers]``: a table row for each code, plus an affine map of the numbers.

    It equals an affine map of one-hot columns and numbers, but the one-hot columns are never built.
    The first ``len(offsets)`` columns hold codes; code ``c`` of column ``j`` selects row
    ``offsets[j] + c`` of `tables`, shape (n_codes, n_out). `weight` has shape (n_numbers, n_out)
    and `bias` shape (n_out,), float32. Tables and weights are float32, float16 or int8. Where they
    are int8, the real tables are ``tables * tables_scale`` and the real weights ``weight * scale``;
    both scales are float32 of shape (n_out,).
    """

    offsets: Array
    tables: Array
    weight: Array
    bias: Array
    tables_scale: Array | None = None
    scale: Array | None = None

    @cached_property
    def _wide(self) -> tuple[Array, Array, Array]:
        tables = real_weights(self.tables, self.tables_scale)
        return tables, real_weights(self.weight, self.scale), self.bias.astype(np.float64)[None]

    def __call__(self, X: Array) -> Array:
        tables, weight, bias = self._wide
        n_codes = len(self.offsets)
        rows = X[:, :n_codes].astype(np.intp)
        rows += self.offsets
        out = np.dot(X[:, n_codes:], weight)
        out += bias
        if len(rows) == 1:
            out += np.add.reduce(tables[rows[0]], axis=0)
        else:
            for column in rows.T:
                out += tables[column]
        return out


@dataclass(frozen=True, eq=False, repr=False)
class Affine(Op):
    """``X @ weight + bias``; `weight` has shape (n_in, n_out), `bias` shape (n_out,), float32.

    `weight` is float32, float16 or int8. Where it is int8, the real weight is ``weight * scale``;
    the scale is float32 of shape (n_out,).
    """

    weight: Array
    bias: Array
    scale: Array | None = None

    @cached_property
    def _wide(self) -> tuple[Array, Array]:
        return real_weights(self.weight, self.scale), self.bias.astype(np.float64)[None]

    def __call__(self, X: Array) -> Array:
        weight, bias = self._wide
        # dot is faster on arrays; only @ supports sparse rows
        out = np.dot(X, weight) if type(X) is np.ndarray else X @ weight
        out += bias
        return out


@dataclass(frozen=True, eq=False, repr=False)
class Relu(Op):
    """``max(x, 0)``."""

    def __call__(self, X: Array) -> Array:
        return np.maximum(X, 0.0, out=X)


@dataclass(frozen=True, eq=False, repr=False)
class Tanh(Op):
    """``tanh(x)``."""

    def __call__(self, X: Array) -> Array:
        return np.tanh(X, out=X)


@dataclass(frozen=True, eq=False, repr=False)
class Silu(Op):
    """``x / (1 + exp(-x))``, also known as swish."""

    def __call__(self, X: Array) -> Array:
        # exp(700) does not overflow yet; silu(-700) is already 0 to the last digit
        gate = np.exp(-np.maximum(X, -700.0))
        gate += 1.0
        return np.divide(X, gate, out=X)


@dataclass(frozen=True, eq=False, repr=False)
class Probabilities(Op):
    """The end of a classifier: turns logits into probabilities, and chooses a class.

    It is the most probable class. Where there is a `cut`, there are two classes and one logit, and it is the second
    class where the logit is at least `cut`: that is a threshold of probabilities, which rise with the logit.
    """

    ENDS: ClassVar[bool] = True

    cut: float | None = None

    def state(self) -> dict[str, Any]:
        """Return the fields of the op by name; those that are None are left out."""
        return {name: value for name, value in super().state().items() if value is not None}

    def chosen(self, logits: Array) -> Array:
        """Return the index of each row's class, of shape (n_rows,)."""
        if self.cut is not None:
            return (logits[:, 0] >= self.cut).astype(np.intp)
        return self(logits).argmax(axis=1)


@dataclass(frozen=True, eq=False, repr=False)
class Softmax(Probabilities):
    """Turn logits into probabilities; a single column ``z`` means the binary logits ``(0, z)``."""

    def __call__(self, X: Array) -> Array:
        if X.shape == (1, 1):
            z = X.item()
            less = math.exp(-abs(z))
            less /= 1.0 + less
            return np.array([[less, 1.0 - less] if z > 0 else [1.0 - less, less]])
        if X.shape[1] == 1:
            proba = np.empty((len(X), 2))
            # the smaller probability is computed; the larger is one minus it
            small = np.exp(-np.abs(X[:, 0]))
            small /= 1.0 + small
            positive = X[:, 0] > 0
            proba[:, 1] = np.where(positive, 1.0 - small, small)
            proba[:, 0] = np.where(positive, small, 1.0 - small)
            return proba
        if len(X) == 1 and X.shape[1] <= 32:
            # for a few numbers, numpy's call overhead exceeds the arithmetic
            (logits,) = X.tolist()
            top = max(logits)
            powers = [math.exp(logit - top) for logit in logits]
            return np.array([powers]) / sum(powers)
        X -= np.maximum.reduce(X, axis=1, keepdims=True)
        np.exp(X, out=X)
        X /= np.add.reduce(X, axis=1, keepdims=True)
        return X

    def chosen(self, logits: Array) -> Array:
        """Return the index of each row's class, of shape (n_rows,)."""
        if self.cut is not None:
            return super().chosen(logits)
        return (logits[:, 0] > 0).astype(np.intp) if logits.shape[1] == 1 else logits.argmax(axis=1)


@dataclass(frozen=True, eq=False, repr=False)
class OneVsRest(Probabilities):
    """Turn each logit into the probability of its class against the rest; these are divided by their sum.

    Logit ``j`` goes through the piecewise-linear curve from ``knots[j]`` to ``scores[j]``, both ascending float64 of
    shape (n_logits, n_knots), or through the logistic function where they are None. A single logit is that of the
    second of two classes. Where all probabilities are zero, each class gets the same.
    """

    knots: Array | None = None
    scores: Array | None = None

    @property
    def magnifies(self) -> bool:
        """Whether the op makes much of small differences: the steps of a curve may be as fine as float32's digits."""
        return self.knots is not None

    def __call__(self, X: Array) -> Array:
        if self.knots is None or self.scores is None:
            # exp(700) does not overflow yet
            P = 1.0 / (1.0 + np.exp(-np.maximum(X, -700.0)))
        else:
            curves = zip(X.T, self.knots, self.scores, strict=True)
            P = np.column_stack([np.interp(x, knots, scores) for x, knots, scores in curves])
        if P.shape[1] == 1:
            return np.hstack([1.0 - P, P])
        total = P.sum(axis=1, keepdims=True)
        return np.divide(P, total, out=np.full_like(P, 1.0 / P.shape[1]), where=total > 0)


@dataclass(frozen=True, eq=False, repr=False)
class Sigmoid(Op):
    """Turn each logit into the probability of its label: the last op of a classifier of several labels."""

    ENDS: ClassVar[bool] = True

    def __call__(self, X: Array) -> Array:
        # the smaller probability is computed; the larger is one minus it
        small = np.exp(-np.abs(X))
        small /= 1.0 + small
        return np.where(X > 0, 1.0 - small, small)

    def chosen(self, logits: Array) -> Array:
        """Return one for each label that is more likely than not, else zero; shape (n_rows, n_labels)."""
        return (logits > 0).astype(np.int64)


@dataclass(frozen=True, eq=False, repr=False)
class Unstandardize(Op):
    """Convert standardised outputs to the target's own unit, ``x * scale + center``: the last op of a regressor.

    `center` and `scale` are float64 of shape (n_outputs,): float32 cannot resolve the seconds of a
    year. So are `lower` and `upper`, between which answers are held; either may be None. An output
    without a bound has the lowest or the highest float64 there.
    """

    ENDS: ClassVar[bool] = True

    center: Array
    scale: Array
    lower: Array | None = None
    upper: Array | None = None

    def state(self) -> dict[str, Any]:
        """Return the fields of the op by name; a bound that is None is left out, as it was before there were bounds."""
        return {name: value for name, value in super().state().items() if value is not None}

    @cached_property
    def _as_rows(self) -> tuple[Array, Array]:
        return self.scale[None], self.center[None]

    def __call__(self, X: Array) -> Array:
        scale, center = self._as_rows
        np.multiply(X, scale, out=X)
        np.add(X, center, out=X)
        if self.lower is not None:
            np.maximum(X, self.lower, out=X)
        if self.upper is not None:
            np.minimum(X, self.upper, out=X)
        return X


#: The functions that turn a transformed target back: numpy's, and the inverses of two power transforms.
BACK = ("exp", "expm1", "log", "log1p", "sqrt", "square", "box-cox", "yeo-johnson")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class BackTransform(Unstandardize):
    """Convert outputs to the unit of a transformed target, hold them to their bounds, and transform them back.

    `function` is one of BACK: a function of numpy, or the inverse of the power transform of that name, whose
    exponents `power` holds, float64 of shape (n_outputs,). Both bounds are there; between them, the function is
    finite. The inverse of the Box-Cox transform is ``(power * x + 1) ** (1 / power)``; that of Yeo and Johnson's is the
    same minus one, and of numbers below zero its mirror image with ``2 - power``.
    """

    function: str
    power: Array | None = None

    @property
    def magnifies(self) -> bool:
        """Whether the op makes much of small differences, as it does where its function is steep at a bound."""
        return self.function not in ("exp", "expm1", "square")

    def __call__(self, X: Array) -> Array:
        X = super().__call__(X)
        if self.power is None:
            return getattr(np, self.function)(X)
        if self.function == "box-cox":
            return np.exp(np.log1p(self.power * X) / self.power)
        power = np.where(X < 0, 2.0 - self.power, self.power)
        return np.copysign(np.expm1(np.log1p(power * np.abs(X)) / power), X)


#: The activations of a net, by the name of the parameter's value.
ACTIVATIONS: dict[str, type[Op]] = {"relu": Relu, "silu": Silu, "tanh": Tanh}
