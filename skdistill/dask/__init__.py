"""A teacher on a cluster: Dask answers the rows partition by partition, and Parquet keeps the answers.

The package dask is imported when rows are labelled, and not before: ``pip install "skdistill[dask]"``.
"""

from ._label import answer, label
from ._spool import Spool, collection_like

__all__ = ["Spool", "answer", "collection_like", "label"]
