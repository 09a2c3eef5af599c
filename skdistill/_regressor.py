"""What a fitted student of a regressor and a loaded file have in common: they predict numbers by a Program."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ._face import ProgramModel

Array = NDArray[Any]


class ProgramRegressor(ProgramModel):
    """The predicting method of a regressor that is a Program; numpy is enough for it."""

    def predict(self, X: Any) -> Array:
        """Return the predicted numbers, in the target's own unit.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_rows, n_columns)
            Rows with the columns seen in fit; those of a frame in any order.

        Returns
        -------
        values : ndarray of shape (n_rows,) or (n_rows, n_outputs)
            One number for each row, or one for each of several outputs.
        """
        X = self._rows(X)
        values = self.program_(X)
        return values[:, 0] if values.shape[1] == 1 else values
