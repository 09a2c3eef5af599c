"""What targets of either kind have in common: some of their rows, and rows without labels below them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
AnyTargets = TypeVar("AnyTargets", bound="RowTargets")


class RowTargets:
    """Targets of rows: frozen dataclasses, of whose fields ROWS hold a value for each row, or None.

    Both kinds have ``labels``, ``sample_weight``, ``held_out`` and ``alpha`` among their fields.
    """

    ROWS: ClassVar[tuple[str, ...]]
    #: The fields that hold the teacher's answers, and what is fitted in place of the labels.
    ANSWERS: ClassVar[str]
    STAND_IN: ClassVar[str]
    #: What marks a row without a label.
    NO_LABEL: ClassVar[float]

    labels: Array | None
    sample_weight: Array | None
    held_out: Array | None
    alpha: float

    def take(self: AnyTargets, rows: Array) -> AnyTargets:
        """Return the targets of some rows, an index or a boolean mask of shape (n_rows,)."""
        chosen: dict[str, Any] = {
            name: None if getattr(self, name) is None else getattr(self, name)[rows] for name in self.ROWS
        }
        return replace(self, **chosen)  # type: ignore[type-var]

    def answered(self) -> Array:
        """Return the teacher's answers, which are there."""
        answers = getattr(self, self.ANSWERS)
        assert answers is not None
        return answers

    def labels_alone(self: AnyTargets) -> AnyTargets:
        """Return targets that leave the labels alone to be learnt, by all rows."""
        return replace(self, **{self.ANSWERS: None, "alpha": 0.0, "held_out": None})  # type: ignore[type-var]

    def with_stand_in(self: AnyTargets, values: Array) -> AnyTargets:
        """Return targets with something to fit in place of the labels, for every row."""
        return replace(self, **{self.STAND_IN: values})  # type: ignore[type-var]

    def labelled(self) -> Array:
        """Tell which rows have a label, shape (n_rows,); there are labels."""
        raise NotImplementedError

    def with_below(self: AnyTargets, told: dict[str, Array], stand_in: Array | None = None) -> AnyTargets:
        """Return targets with those of rows without labels below them.

        Parameters
        ----------
        told : dict of str to ndarray of shape (n_new, ...)
            What the teacher says of the rows below, by field.
        stand_in : ndarray of shape (n_new, ...) or None
            What is fitted in the place of their labels.

        Returns
        -------
        targets : RowTargets
            Of all rows. A row below weighs as much as the average row above.
        """
        weight = self.sample_weight
        values: dict[str, Any] = {
            "labels": self.NO_LABEL,
            "sample_weight": 0.0 if weight is None else weight[weight > 0].mean(),
            self.STAND_IN: stand_in,
            "held_out": False,
            **told,
        }
        n_new = len(told[self.ANSWERS])

        def below(name: str) -> Array | None:
            above = getattr(self, name)
            if above is None:
                return None
            value = values[name]
            if not np.ndim(value):
                value = np.full((n_new, *above.shape[1:]), value, dtype=above.dtype)
            return np.concatenate([above, value])

        return replace(self, **{name: below(name) for name in self.ROWS})  # type: ignore[type-var]
