"""Exportable.compile: the model whose Program runs as native code, or as numpy where there is no compiler."""

from __future__ import annotations

import warnings
from typing import Any

from ..program import Program, program_of, shipped
from ._load import LoadedClassifier, LoadedRegressor


def compiled_model(model: Any) -> LoadedClassifier | LoadedRegressor:
    """Return a model that answers as a fitted one does, in native code; see :meth:`Exportable.compile`."""
    from ..export import Unavailable, compiled, metadata_of

    program: Program = program_of(model)
    try:
        program = compiled(program)
    except Unavailable as reason:
        warnings.warn(f"Nothing was compiled, and numpy is used instead: {reason}.", UserWarning, stacklevel=3)
    inner, metadata = shipped(model), metadata_of(model, None)
    versions = getattr(inner, "versions_", None)
    if program.n_outputs is not None:
        return LoadedRegressor(program, versions, metadata)
    return LoadedClassifier(program, inner.classes_, versions, metadata)
