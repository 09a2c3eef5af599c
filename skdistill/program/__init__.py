"""The Program: a fitted student as data, namely a list of small array operations."""

from . import _ops as ops
from ._cells import (
    Levels,
    Word,
    as_key,
    as_number,
    cell_reader,
    distinct,
    is_missing,
    is_span,
    numbers,
    plain_cells,
    seconds,
    user_level,
    words_in,
)
from ._dask import is_dask, made_up_rows
from ._io import dumps, read
from ._metadata import MOST_OWN, check_metadata, described, versions
from ._of_model import program_of, program_or_none, shipped
from ._ops import (
    ACTIVATIONS,
    BACK,
    DATE_PARTS,
    LARGEST,
    Affine,
    BackTransform,
    Bound,
    Clip,
    DateParts,
    Indicate,
    LookupAffine,
    OneVsRest,
    Op,
    Piecewise,
    Quantiles,
    Relu,
    Sigmoid,
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
    as_labels,
    by_class,
    category_order,
    column_names,
    column_reader,
    held_by,
    in_order,
    is_frame,
    named_columns,
    with_unused,
)
from ._text_cells import DATE_FORMS, date_reader, is_optional, is_short, number_reader
from ._tree import Tree

# Programs, their files, what these say of their origin, and their passes
__all__ = ["Program", "dumps", "program_of", "program_or_none", "read", "run", "shipped"]
__all__ += ["MOST_OWN", "check_metadata", "described", "versions"]
__all__ += ["fold", "join", "rescale", "split"]
# their ops, and what these share
__all__ += [
    "ACTIVATIONS",
    "BACK",
    "DATE_PARTS",
    "LARGEST",
    "Affine",
    "BackTransform",
    "Bound",
    "Clip",
    "Columns",
    "DateParts",
    "Indicate",
]
__all__ += [
    "LookupAffine",
    "OneVsRest",
    "Op",
    "Piecewise",
    "Quantiles",
    "Relu",
    "Sigmoid",
    "Silu",
    "Softmax",
    "Standardize",
    "Tanh",
    "Tree",
]
__all__ += ["Unstandardize", "date_part", "ops", "real_weights", "unsquashed"]
# tables: their columns, and their cells
__all__ += ["by_class", "category_order", "column_names", "column_reader", "in_order", "is_frame", "named_columns"]
__all__ += ["is_dask", "made_up_rows"]
__all__ += ["Levels", "Word", "as_key", "as_labels", "as_number", "cell_reader", "is_missing", "is_span", "numbers"]
__all__ += ["user_level"]
__all__ += [
    "DATE_FORMS",
    "date_reader",
    "distinct",
    "held_by",
    "is_optional",
    "is_short",
    "number_reader",
    "plain_cells",
    "seconds",
    "with_unused",
    "words_in",
]
