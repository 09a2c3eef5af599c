"""A teacher on a cluster: Dask answers the rows partition by partition, and Parquet keeps the answers.

The package dask is imported when rows are labelled, and not before: ``pip install "skdistill[dask]"``.
"""

from ._label import answer, label
from ._spool import Layout, Spool

__all__ = ["Layout", "Spool", "answer", "label"]
