"""The code of docs/ runs: of each page every block, from the top to the end, as a reader would run it.

Blocks of Python share the names of their page; a block of C is written to the file that its first line names; blocks
of ``sh`` are run. Blocks of ``bash`` and ``console`` are for the reader alone: they install, download or serve.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"^```(python|c|sh)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PAGES = [path for path in sorted(DOCS.rglob("*.md")) if "_build" not in path.parts and BLOCK.search(path.read_text())]
#: Other libraries' warnings about themselves.
IGNORED = [
    "ignore:X does not have valid feature names:UserWarning",
    "ignore::DeprecationWarning:(fastapi|starlette|httpx).*",
]


def test_every_block_of_python_is_found():
    assert len(PAGES) > 8
    for path in PAGES:
        text = path.read_text()
        assert len(re.findall(r"^\s*```\s*(?:python|py|c|sh)\b", text, re.MULTILINE)) == len(BLOCK.findall(text)), path


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(DOCS)))
@pytest.mark.filterwarnings(*IGNORED)
@pytest.mark.usefixtures("quick")
def test_page(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for kind, code in BLOCK.findall(path.read_text()):
        if kind == "python":
            exec(compile(code, str(path), "exec"), names)
        elif kind == "c":
            Path(code.split()[1]).write_text(code)
        elif shutil.which("gcc"):
            subprocess.run(["sh", "-euc", code], check=True)
        else:
            pytest.skip("gcc is not installed")
