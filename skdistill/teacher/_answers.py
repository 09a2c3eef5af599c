"""Answers: a teacher's predictions, the meaning of their columns, and whether the teacher has seen the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .._checks import listed

#: Where answers come from: a teacher that was fitted on the rows in the same fit; clones that have not seen a row;
#: a teacher that has seen none of them; or a teacher of which nobody says.
Origin = Literal["in_sample", "out_of_fold", "unseen", "unknown"]


@dataclass(frozen=True)
class Answers:
    """A teacher's answers.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_targets)
        Probabilities, each row summing to one; or numbers in the target's unit.
    names : ndarray of shape (n_targets,) or None
        The class labels, or the names of outputs, that the columns stand for; None where nobody says.
    origin : {"in_sample", "out_of_fold", "unseen", "unknown"}
        Whether the teacher has seen the rows.
    """

    values: NDArray[Any]
    names: NDArray[Any] | None
    origin: Origin = "unknown"

    def aligned(self, names: NDArray[Any] | None) -> NDArray[Any]:
        """Return the values with columns in the order of `names`.

        Parameters
        ----------
        names : ndarray of shape (n_wanted,) or None
            A superset of the answers' own names; None leaves the columns as they are.

        Returns
        -------
        values : ndarray of shape (n_rows, n_wanted)
            Zero in columns of which the teacher does not know.

        Raises
        ------
        ValueError
            If the answers have a name that is not among `names`.
        """
        if names is None or self.names is None:
            return self.values
        position = {label: column for column, label in enumerate(names.tolist())}
        own = self.names.tolist()
        if any(label not in position for label in own):
            # a frame's names are often written-out labels: "0", "1"
            position, own = {str(label): column for label, column in position.items()}, [str(label) for label in own]
        unknown = [name for name, label in zip(self.names.tolist(), own, strict=True) if label not in position]
        if unknown:
            raise ValueError(f"The teacher's answers are named {listed(unknown)}, not among {listed(names.tolist())}.")
        values = np.zeros((len(self.values), len(names)))
        values[:, [position[label] for label in own]] = self.values
        return values
