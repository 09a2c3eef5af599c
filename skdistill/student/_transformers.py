"""Translates a user's fitted scikit-learn transformer into ops, if it is one of the common transformers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from ..program import LARGEST, Op, Standardize, as_key, is_missing
from ._encoded import Encoder
from ._encoder import Read, entry_of

Array = NDArray[Any]


class _UnsupportedError(Exception):
    """A transformer, or one of its settings, has no translation into ops."""


@dataclass(frozen=True)
class _Cell:
    """A column on its way through the transformers: ``slope * x + shift`` of a raw column ``x``."""

    source: int
    fill: Any = None
    ranks: dict[Any, int] | None = None
    slope: float = 1.0
    shift: float = 0.0
    levels: dict[Any, int] | None = None
    size: int = 0

    @property
    def raw(self) -> bool:
        """Whether the column is unchanged, apart from filled missing values."""
        return self.ranks is None and self.slope == 1.0 and self.shift == 0.0 and self.levels is None

    def moved(self, slope: float, shift: float) -> _Cell:
        """Return the column times `slope` plus `shift`."""
        if self.levels is not None or slope == 0.0:
            raise _UnsupportedError
        return replace(self, slope=self.slope * slope, shift=self.shift * slope + shift)


def read_transformer(transformer: Any, X: Any) -> Encoder | None:
    """Return an encoder that computes the same as a fitted transformer.

    Supported are ColumnTransformer, Pipeline, OneHotEncoder, OrdinalEncoder, SimpleImputer, the linear
    scalers, FunctionTransformer without a function, and "passthrough". A category that a one-hot
    encoder has not seen sets none of its columns, and a number that is still missing at the end
    becomes zero.

    Parameters
    ----------
    transformer : transformer
        The fitted transformer.
    X : ndarray or frame of shape (n_rows, n_columns)
        The rows that it was fitted on.

    Returns
    -------
    encoder : Encoder or None
        None if a part of the transformer is not supported.
    """
    try:
        cells = _read(transformer, [_Cell(index) for index in range(X.shape[1])])
    except _UnsupportedError:
        return None
    categories = [cell for cell in cells if cell.levels is not None]
    numbers = [cell for cell in cells if cell.levels is None]
    reads = [Read(cell.source, "category", cell.levels, cell.size) for cell in categories]
    reads += [Read(cell.source, "number" if cell.ranks is None else "rank", cell.ranks) for cell in numbers]
    ops: list[Op] = [entry_of(X, reads)]
    if numbers:
        slope, shift = (np.array([getattr(cell, name) for cell in numbers]) for name in ("slope", "shift"))
        mean = -shift / slope
        fill = [m if cell.fill is None else float(cell.fill) for m, cell in zip(mean, numbers, strict=True)]
        ops.append(Standardize(len(categories), mean, 1.0 / slope, np.array(fill), LARGEST))
    return Encoder(ops, unseen="nothing")


def _read(transformer: Any, cells: list[_Cell]) -> list[_Cell]:
    """Return the columns that a transformer outputs for the given columns."""
    if transformer is None or (isinstance(transformer, str) and transformer == "passthrough"):
        return cells
    # a subclass may compute something else
    if type(transformer) not in _READERS:
        raise _UnsupportedError
    return _READERS[type(transformer)](transformer, cells)


def _pipeline(pipeline: Pipeline, cells: list[_Cell]) -> list[_Cell]:
    for _, step in pipeline.steps:
        cells = _read(step, cells)
    return cells


def _column_transformer(transformer: ColumnTransformer, cells: list[_Cell]) -> list[_Cell]:
    if transformer.transformer_weights:
        raise _UnsupportedError
    names = list(getattr(transformer, "feature_names_in_", []))
    found = []
    for _, step, columns in transformer.transformers_:
        if isinstance(step, str) and step == "drop":
            continue
        chosen = [cells[index] for index in _indices(columns, names, len(cells))]
        # a transformer without columns is never fitted
        found += _read(step, chosen) if chosen else []
    return found


def _indices(columns: Any, names: list[str], n_columns: int) -> list[int]:
    if isinstance(columns, str) or np.isscalar(columns):
        # a single column is passed as a vector, which the supported transformers do not accept
        raise _UnsupportedError
    if isinstance(columns, slice):
        start, stop = (names.index(end) if isinstance(end, str) else end for end in (columns.start, columns.stop))
        # a slice by name includes its end
        stop = stop + 1 if isinstance(columns.stop, str) else stop
        return list(range(n_columns))[start : stop : columns.step]
    chosen = list(columns)
    if chosen and all(isinstance(one, bool | np.bool_) for one in chosen):
        return np.flatnonzero(chosen).tolist()
    return [names.index(one) if isinstance(one, str) else int(one) % n_columns for one in chosen]


def _function(transformer: FunctionTransformer, cells: list[_Cell]) -> list[_Cell]:
    if transformer.func is not None:
        raise _UnsupportedError
    return cells


def _imputer(imputer: SimpleImputer, cells: list[_Cell]) -> list[_Cell]:
    if imputer.add_indicator or not is_missing(imputer.missing_values):
        raise _UnsupportedError
    found = []
    for cell, value in zip(cells, imputer.statistics_.tolist(), strict=True):
        if cell.levels is not None or is_missing(value):
            raise _UnsupportedError
        if cell.fill is None:
            cell = replace(cell, fill=value if cell.raw else (value - cell.shift) / cell.slope)
        found.append(cell)
    return found


def _scaler(scaler: Any, cells: list[_Cell]) -> list[_Cell]:
    """Read a scaler that maps ``x`` to ``(x - center) / scale``."""
    if getattr(scaler, "clip", False):
        raise _UnsupportedError
    center, scale = np.zeros(len(cells)), np.ones(len(cells))
    if getattr(scaler, "with_mean", False):
        center = scaler.mean_
    elif getattr(scaler, "with_centering", False):
        center = scaler.center_
    if scaler.scale_ is not None:
        scale = scaler.scale_
    return [cell.moved(1.0 / s, -c / s) for cell, c, s in zip(cells, center, scale, strict=True)]


def _min_max(scaler: MinMaxScaler, cells: list[_Cell]) -> list[_Cell]:
    if scaler.clip:
        raise _UnsupportedError
    return [cell.moved(s, m) for cell, s, m in zip(cells, scaler.scale_, scaler.min_, strict=True)]


def _one_hot(encoder: OneHotEncoder, cells: list[_Cell]) -> list[_Cell]:
    # a dropped category is redundant beside the others and the bias; the student keeps it
    rare_ones = getattr(encoder, "infrequent_categories_", [None] * len(cells))
    found = []
    for cell, categories, rare in zip(cells, encoder.categories_, rare_ones, strict=True):
        if not cell.raw or _keeps_missing(cell, categories):
            raise _UnsupportedError
        rare_keys = set() if rare is None else {as_key(one) for one in rare if not is_missing(one)}
        if rare is not None and any(is_missing(one) for one in rare):
            raise _UnsupportedError
        keys = [as_key(one) for one in categories.tolist() if not is_missing(one)]
        levels = {key: code for code, key in enumerate(key for key in keys if key not in rare_keys)}
        n_codes = len(levels)
        if rare_keys and encoder.handle_unknown not in ("infrequent_if_exist", "warn"):
            levels |= dict.fromkeys(rare_keys, n_codes)
            n_codes += 1
        if cell.fill is not None and as_key(cell.fill) in levels:
            levels[None] = levels[as_key(cell.fill)]
        found.append(replace(cell, levels=levels, size=n_codes + 2))
    return found


def _keeps_missing(cell: _Cell, categories: Array) -> bool:
    """Tell whether missing values remain after an imputer, which does not treat None as NaN as a Program does."""
    return cell.fill is not None and any(is_missing(one) for one in categories.tolist())


def _ordinal(encoder: OrdinalEncoder, cells: list[_Cell]) -> list[_Cell]:
    if encoder.min_frequency is not None or encoder.max_categories is not None:
        raise _UnsupportedError
    unknown: Any = encoder.unknown_value if encoder.handle_unknown == "use_encoded_value" else None
    found = []
    for cell, categories in zip(cells, encoder.categories_, strict=True):
        if not cell.raw or _keeps_missing(cell, categories):
            raise _UnsupportedError
        ranks = {as_key(one): rank for rank, one in enumerate(categories.tolist()) if not is_missing(one)}
        missing = encoder.encoded_missing_value if len(ranks) < len(categories) else None
        if missing is not None and is_missing(missing) and not is_missing(unknown):
            # unknown and missing values would be filled with the same number
            raise _UnsupportedError
        if cell.fill is not None:
            missing = ranks.get(as_key(cell.fill))
        if missing is not None and not is_missing(missing):
            ranks[None] = missing
        found.append(replace(cell, ranks=ranks, fill=None if is_missing(unknown) else unknown))
    return found


_READERS: dict[type, Any] = {
    ColumnTransformer: _column_transformer,
    FunctionTransformer: _function,
    MaxAbsScaler: _scaler,
    MinMaxScaler: _min_max,
    OneHotEncoder: _one_hot,
    OrdinalEncoder: _ordinal,
    Pipeline: _pipeline,
    RobustScaler: _scaler,
    SimpleImputer: _imputer,
    StandardScaler: _scaler,
}
