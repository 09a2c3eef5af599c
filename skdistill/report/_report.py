"""The report: results with their forms as text, frame and page."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from ..export import write_files
from ._page import fragment, page
from ._results import Results


@dataclass(frozen=True, repr=False)
class Report(Results):
    """A teacher and its students on the same test rows; :func:`skdistill.compare` makes it.

    Printed, it is a table with its findings; in a notebook, or written by ``to_html``, a page with pictures.

    Parameters
    ----------
    table : dict of str to dict
        The figures of the teacher (``"teacher"``) and of each student: ``kind`` ("teacher", "student" or "labels
        only") and ``model`` (its class); for classifiers ``accuracy``, ``log_loss``, ``retention``, ``fidelity``
        (agreement with the teacher), ``fidelity_log_loss``, ``calibration_error``, ``worst_slice_agreement`` and
        ``worst_slice``; for regressors ``r2``, ``rmse``, ``mae``, ``retention``, ``fidelity`` (R2 against the
        teacher), ``fidelity_rmse``, ``fidelity_mae``, ``worst_slice_rmse`` and ``worst_slice``; and
        ``n_parameters``, ``program_bytes``, ``pickle_bytes``, ``median_us``, ``p99_us`` and ``rows_per_second``.
        None if there is no such figure: a model without a Program has no ``program_bytes``.
    columns : tuple of Column
        The figures that are shown: key, title, format and meaning.
    chosen : str
        The smallest student whose retention is within `tolerance` of the highest.
    scoring : str
        The scorer of the retention.
    tolerance : float
        As given to compare.
    n_rows : int
        The number of test rows.
    classes : ndarray of shape (n_classes,) or None
        The class labels, sorted; None for regressors.
    n_bins, min_rows : int
        As given to compare.
    details : dict of str to Details
        For each model the curves of the pictures, and the slices and rows on which it differs most from the
        teacher.
    environment : dict
        ``machine``, a dict of versions and hardware; if times were measured also ``n_threads`` and
        ``batch_rows``.
    """

    def to_pandas(self) -> Any:
        """Return the table as a pandas DataFrame, a row for each model.

        Returns
        -------
        frame : DataFrame of shape (n_models, n_figures)
            Indexed by the models' names.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError("Report.to_pandas needs the package pandas: pip install pandas") from error
        return pandas.DataFrame.from_dict(self.table, orient="index")

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write the report as one self-contained page.

        The pictures need matplotlib (``pip install skdistill[plot]``); without it the page has none.

        Parameters
        ----------
        path : path-like
            The file to write.

        Raises
        ------
        OSError
            If it cannot be written. Writes are atomic.
        """
        write_files({path: page(self).encode()})

    def _repr_html_(self) -> str:
        return fragment(self)
