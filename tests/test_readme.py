"""Every Python block of the README runs, each by itself, and prints what the README shows below it."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
TEXT = README.read_text() if README.exists() else ""
BLOCKS = re.findall(r"^```python\n(.*?)^```$(?:(?:(?!^```).)*?^```text\n(.*?)^```$)?", TEXT, re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"[\d,]*\d(?:\.\d+)?")


def test_the_readme_has_python_blocks():
    assert BLOCKS
    opened = len(re.findall(r"^\s*```\s*(python|py)\b", TEXT, re.MULTILINE))
    assert opened == len(BLOCKS), "a block of Python that this test does not run"


@pytest.mark.parametrize(("block", "shown"), BLOCKS, ids=[f"block {number}" for number in range(1, len(BLOCKS) + 1)])
def test_readme_block(block, shown, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(block, str(README), "exec"), {"__name__": "__main__"})
    printed = capsys.readouterr().out
    assert NUMBER.sub("0", printed).split() == NUMBER.sub("0", shown).split()
    # training differs in its last digits from one processor to another
    found, expected = ([float(number.replace(",", "")) for number in NUMBER.findall(text)] for text in (printed, shown))
    assert found == pytest.approx(expected, rel=0.02)
