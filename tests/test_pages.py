"""The code of docs/ runs: of each page every block, from the top to the end, as a reader would run it.

Blocks of Python share the names of their page; a block of C is written to the file that its first line names; blocks
of ``sh`` are run. Blocks of ``bash`` and ``console`` are for the reader alone: they install, download or serve. Nets
train for few epochs here; the site runs the same blocks in full and shows what they print (docs/pages.py).
"""

import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
#: The kind of a block, and its code without the tags of its cell.
BLOCK = re.compile(r"^```(python|c|sh)\n(?::tags: \[.*\]\n\n)?(.*?)^```$", re.DOTALL | re.MULTILINE)
PAGES = [path for path in sorted(DOCS.rglob("*.md")) if "_build" not in path.parts and BLOCK.search(path.read_text())]
#: Other libraries' warnings about themselves.
IGNORED = [
    "ignore:X does not have valid feature names:UserWarning",
    "ignore::DeprecationWarning:(fastapi|starlette|httpx).*",
]


def test_every_block_of_python_is_run_here_and_on_the_site():
    # one that is indented, or named otherwise, would be shown without what it prints
    assert len(PAGES) > 8
    for path in PAGES:
        text = path.read_text()
        blocks = re.findall(r"^\s*```\s*(?:\{code|python|py\b|ipython|c\b|sh\b)", text, re.MULTILINE)
        assert len(blocks) == len(BLOCK.findall(text)), path


@pytest.mark.parametrize(
    "path",
    [path for path in PAGES if path.name not in ("engines.md", "mlflow.md")],
    ids=lambda path: str(path.relative_to(DOCS)),
)
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
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")  # the site shows them


def test_mlflow_serves_the_student_that_its_page_has_logged(tmp_path, monkeypatch):
    if find_spec("mlflow") is None:
        pytest.skip("mlflow is not installed")
    httpx = pytest.importorskip("httpx2")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.chdir(tmp_path)
    text = (DOCS / "recipes" / "mlflow.md").read_text()
    model, *blocks = (code for _, code in BLOCK.findall(text))
    Path("student_model.py").write_text(model)
    # in a process of its own: mlflow warns of itself, and keeps its database open
    script = "\n".join([model, *blocks, "print(logged.model_uri)"])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (shell,), (answer,) = (
        re.findall(rf"^```{kind}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE) for kind in ("bash", "json")
    )
    serve, ask = shell.replace("\\\n", "").splitlines()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = re.sub("models:/m-[0-9a-f]+", done.stdout.split()[-1], serve).replace("5001", port)
    with subprocess.Popen([sys.executable, "-m", *shlex.split(command)], stderr=subprocess.PIPE) as server:
        try:
            for _ in range(1800):
                try:
                    httpx.get(f"http://127.0.0.1:{port}/ping")
                    break
                except httpx.TransportError:
                    assert server.poll() is None, server.stderr.read().decode()
                    time.sleep(0.1)
            url, rows = f"http://127.0.0.1:{port}/invocations", json.loads(shlex.split(ask)[-1])
            found = httpx.post(url, json=rows, timeout=60).json()
            for row in ({"age": 60}, {"age": "old", "city": "Oslo"}):
                assert httpx.post(url, json={"dataframe_records": [row]}).status_code == 400
        finally:
            server.terminate()
    rounded = [{name: round(value, 2) for name, value in row.items()} for row in found["predictions"]]
    assert {"predictions": rounded} == json.loads(answer)
