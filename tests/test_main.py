"""``python -m skdistill`` says what is installed."""

import subprocess
import sys
from importlib.metadata import version

import skdistill


def versions(*options):
    command = [sys.executable, *options, "-m", "skdistill"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return dict(line.split(maxsplit=1) for line in printed.splitlines() if len(line.split()) > 1), printed


def test_versions_of_all_parts_are_printed():
    found, printed = versions()
    assert found["skdistill"] == skdistill.__version__
    assert found["numpy"] == version("numpy")
    assert found["torch"] == version("torch")
    assert found["onnx"] == version("onnx")
    assert "export\n" in printed


def test_what_is_not_installed_is_said(tmp_path):
    # without site-packages nothing but the checkout is there
    found, _ = versions("-S")
    assert found["numpy"] == found["torch"] == "not installed"
