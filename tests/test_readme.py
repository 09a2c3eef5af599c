"""Every Python block of the README runs, each by itself."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE) if README.exists() else []


def test_the_readme_has_python_blocks():
    assert BLOCKS
    opened = len(re.findall(r"^\s*```\s*(python|py)\b", README.read_text(), re.MULTILINE))
    assert opened == len(BLOCKS), "a block of Python that this test does not run"


@pytest.mark.parametrize("block", BLOCKS, ids=[f"block {number}" for number in range(1, len(BLOCKS) + 1)])
@pytest.mark.usefixtures("quick")
def test_readme_block(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(block, str(README), "exec"), {"__name__": "__main__"})
