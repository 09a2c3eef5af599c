"""Engines that score rows where they are: the code of docs/recipes/engines.md gives the same answers in each of them.

The page's rows are given in the types that engines have beside those of pandas: dictionaries, decimals and times with a
zone, with an empty row group among the others.
"""

import os
import re
import shutil
import subprocess
import sys
from contextlib import chdir
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
from numpy.testing import assert_allclose, assert_array_equal

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

PAGE = Path(__file__).parents[1] / "docs" / "recipes" / "engines.md"
#: The code of each section of the page, by the first word of its heading.
BLOCKS = {
    section.split(maxsplit=1)[0]: re.findall(r"^```python\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    for section in re.split(r"^## ", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]
}
IMPORTS = "import numpy as np\nimport pandas as pd\n"


@pytest.fixture(scope="module")
def scoring(tmp_path_factory):
    """The folder with the page's student and rows, and the answers expected."""
    folder = tmp_path_factory.mktemp("engines")
    make, answer = BLOCKS["A"]
    names = {}
    with chdir(folder):
        exec(make, names)
        exec(answer, names)
        rows = pq.read_table("rows.parquet")
        text = pa.dictionary(pa.int32(), pa.string())
        types = {"plan": text, "city": text, "visits": pa.decimal128(21, 2), "since": pa.timestamp("us", "UTC")}
        rows = rows.cast(
            pa.schema([(name, types.get(name, rows.schema.field(name).type)) for name in rows.column_names])
        )
        with pq.ParquetWriter("rows.parquet", rows.schema) as writer:
            for part in (rows[:2000], rows[:0], rows[2000:]):
                writer.write_table(part)
    return SimpleNamespace(folder=folder, answer=answer, expected=names["expected"])


def check(scoring, engine):
    """Compare what an engine has written with the answers expected, row by row."""
    (written,) = scoring.folder.glob(f"scored-{engine}*")
    found = pq.read_table(written).to_pandas().sort_values("id")
    assert_array_equal(found["id"], scoring.expected["id"])
    assert_allclose(found["proba"], scoring.expected["proba"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("engine", ["DuckDB", "Polars", "Dask"])
# dask's own, by a later pandas
@pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")
def test_an_engine_in_this_process(engine, scoring, monkeypatch):
    pytest.importorskip(engine.lower())
    if engine == "Dask":
        pytest.importorskip("dask.dataframe")
    monkeypatch.chdir(scoring.folder)
    names = {}
    for code in (IMPORTS, scoring.answer, *BLOCKS[engine]):
        exec(compile(code, str(PAGE), "exec"), names)
    check(scoring, engine.lower())


@pytest.mark.parametrize("engine", ["Spark", "Ray"])
def test_an_engine_of_many_processes(engine, scoring):
    package = {"Spark": "pyspark", "Ray": "ray"}[engine]
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    if engine == "Spark" and not (shutil.which("java") or "JAVA_HOME" in os.environ):
        pytest.skip("Java is not installed")
    # in a process of its own: they warn of themselves, and end the processes that they start when it ends
    code = "\n".join([IMPORTS, scoring.answer, *BLOCKS[engine]])
    environment = {
        **os.environ,
        "RAY_USAGE_STATS_ENABLED": "0",
        "SPARK_LOCAL_IP": "127.0.0.1",
        # half of Java's processor time is for code that is run for longer than this
        "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=scoring.folder, env=environment, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stderr
    check(scoring, engine.lower())
