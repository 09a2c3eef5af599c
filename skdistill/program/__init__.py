"""The Program: a fitted student as data, namely a list of small array operations."""

from . import _ops as ops
from ._io import dumps, read
from ._of_model import program_of, program_or_none, shipped
from ._ops import (
    ACTIVATIONS,
    LARGEST,
    Affine,
    Bound,
    DateParts,
    Indicate,
    LookupAffine,
    Op,
    Piecewise,
    Quantiles,
    Relu,
    Silu,
    Softmax,
    Standardize,
    Tanh,
    Unstandardize,
    date_part,
    real_weights,
    unsquashed,
)
from ._passes import fold, join, rescale, split
from ._program import Program, run
from ._table import (
    Columns,
    Levels,
    as_key,
    as_labels,
    as_number,
    category_order,
    column_names,
    column_reader,
    in_order,
    is_frame,
    is_missing,
    named_columns,
    numbers,
    seconds,
)
from ._tree import Tree

# Programs, their files and their passes
__all__ = ["Program", "dumps", "program_of", "program_or_none", "read", "run", "shipped"]
__all__ += ["fold", "join", "rescale", "split"]
# their ops, and what these share
__all__ += ["ACTIVATIONS", "LARGEST", "Affine", "Bound", "Columns", "DateParts", "Indicate", "LookupAffine", "Op"]
__all__ += ["Piecewise", "Quantiles", "Relu", "Silu", "Softmax", "Standardize", "Tanh", "Tree", "Unstandardize"]
__all__ += ["date_part", "ops", "real_weights", "unsquashed"]
# tables: their columns, and their cells
__all__ += ["category_order", "column_names", "column_reader", "in_order", "is_frame", "named_columns"]
__all__ += ["Levels", "as_key", "as_labels", "as_number", "is_missing", "numbers", "seconds"]
