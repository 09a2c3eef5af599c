"""``python -m skdistill`` prints the versions of skdistill and its dependencies."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from ._version import __version__

#: What is asked for, by the extra that brings it.
PARTS = {
    "needed": ("numpy", "scipy", "scikit-learn", "narwhals", "torch", "skorch"),
    "export": ("onnx", "onnxruntime", "skl2onnx"),
    "plot": ("matplotlib",),
    "dask": ("dask", "distributed"),
    "teachers and frames": ("xgboost", "xgboost-cpu", "lightgbm", "catboost", "pandas", "polars", "pyarrow"),
}


def installed(name: str) -> str | None:
    """Return the version of a distribution, or None where it is not installed; it is not imported."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def main() -> None:
    """Print a table of versions."""
    print(f"skdistill     {__version__}")
    print(f"python        {platform.python_version()} ({sys.executable})")
    print(f"machine       {platform.platform()}")
    for part, names in PARTS.items():
        print(f"\n{part}" if part != "needed" else "")
        for name in names:
            print(f"  {name:<16}{installed(name) or 'not installed'}")


if __name__ == "__main__":
    main()
