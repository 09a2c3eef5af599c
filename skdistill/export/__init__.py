"""Export: writes a student's Program in another format, one module for each format."""

from ._c import to_c
from ._files import check_ops, write_files
from ._javascript import to_javascript
from ._metadata import metadata_of
from ._native import Unavailable, compiled
from ._onnx import to_onnx
from ._python import to_python
from ._skd import to_skd
from ._skl2onnx import register_skl2onnx
from ._sql import to_sql
from ._suffix import to_file

__all__ = [
    "Unavailable",
    "check_ops",
    "compiled",
    "metadata_of",
    "register_skl2onnx",
    "to_c",
    "to_file",
    "to_javascript",
    "to_onnx",
    "to_python",
    "to_skd",
    "to_sql",
    "write_files",
]
