"""The pages in examples/browser and their script: in Node, and in a headless Chromium."""

import functools
import http.server
import json
import runpy
import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
from browser_helpers import needs_chromium
from export_helpers import fitted, mixed_table, numeric_table, records, wild_rows
from numpy.testing import assert_allclose

from skdistill.export import to_onnx

pytest.importorskip("onnx")

EXAMPLE = Path(__file__).parents[1] / "examples" / "browser"

NODE = shutil.which("node")
NPM = shutil.which("npm")

needs_npm = pytest.mark.skipif(not (NODE and NPM), reason="node or npm is not installed")


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """A copy of the example, and its own student."""
    folder = tmp_path_factory.mktemp("site")
    for path in EXAMPLE.iterdir():
        if path.suffix in (".css", ".html", ".mjs", ".json", ".py"):
            shutil.copy(path, folder)
    return folder, runpy.run_path(str(folder / "write_student.py"))["main"]()


@pytest.fixture(scope="module")
def site(example):
    """The example with onnxruntime-web, and a student of mixed columns."""
    folder, _ = example
    command = [NPM, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    subprocess.run(command, cwd=folder, check=True, timeout=300)
    to_onnx(fitted("mlp", "piecewise", 26), folder / "mixed.onnx")
    return folder


RUN = """
import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-web";
import { load, predict } from "./onnx.mjs";

const special = { NaN: NaN, Infinity: Infinity, "-Infinity": -Infinity };
const cell = (_, value) =>
  value?.number ? special[value.number] : value?.date !== undefined ? new Date(value.date) : value;
const found = {};
for (const [name, table] of Object.entries(JSON.parse(process.argv[2]))) {
  const student = await load(ort, new Uint8Array(readFileSync(`${name}.onnx`)));
  const rows = JSON.parse(readFileSync(`${table}.json`, "utf8"), cell);
  const answers = await predict(student, rows);
  for (const at of [0, 1, 2]) {
    const [alone] = await predict(student, [rows[at]]);
    if (JSON.stringify(alone) !== JSON.stringify(answers[at])) throw new Error(`row ${at} by itself`);
  }
  found[name] = { answers, fingerprint: student.fingerprint };
}
console.log(JSON.stringify(found));
"""


def as_json(cell):
    """Return a cell as JSON can hold it, for the script above."""
    if hasattr(cell, "timestamp"):
        return {"date": cell.isoformat() + "Z"}
    if isinstance(cell, float) and not np.isfinite(cell):
        return {"number": {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(cell)]}
    return cell


@needs_npm
def test_node(site):
    tables = {"mixed": mixed_table()[0], "numbers": numeric_table()[0]}
    rows = {name: wild_rows(table, 200) for name, table in tables.items()}
    for name, prefix in {"mixed": "", "numbers": "column "}.items():
        cells = [{f"{prefix}{key}": as_json(cell) for key, cell in row.items()} for row in records(rows[name])]
        (site / f"{name}.json").write_text(json.dumps(cells))
    cases = [
        ("mlp", "piecewise", 26, "mixed"),
        ("linear", "quantile", 2, "mixed"),
        ("tree", "standard", 26, "mixed"),
        ("mlp", "standard", 2, "numbers"),
        ("tree", "standard", 2, "numbers"),
    ]
    students = {}
    for kind, numeric, n_classes, table in cases:
        student = fitted(kind, numeric, n_classes, table=table)
        name = f"{kind}-{numeric}-{table}"
        to_onnx(student, site / f"{name}.onnx", numbers="float64")
        students[name] = (student, table)
    (site / "run.mjs").write_text(RUN)
    command = [NODE, "run.mjs", json.dumps({name: table for name, (_, table) in students.items()})]
    done = subprocess.run(command, cwd=site, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for name, (student, table) in students.items():
        assert found[name]["fingerprint"] == student.program_.fingerprint(student.classes_)
        expected = student.predict_proba(rows[table])
        assert_allclose([answer["probabilities"] for answer in found[name]["answers"]], expected, atol=5e-5)
        clear = np.diff(np.sort(expected, axis=1)[:, -2:])[:, 0] > 1e-5
        labels = np.array([answer["label"] for answer in found[name]["answers"]])
        assert (labels == student.classes_[expected.argmax(axis=1)])[clear].all()


@pytest.fixture
def url(example):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=example[0])
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


FILL = """
([at, text]) => {
  const input = document.querySelector(`[name="${at}"]`);
  input.value = text;
  if (input.value !== text && +input.value !== +text) throw new Error(`${text} is refused`);
  input.dispatchEvent(new Event("input", { bubbles: true }));
}
"""
SHOWN = "Array.from(document.querySelectorAll('tbody tr'), (row) => +row.dataset.probability)"
OVERLAPS = """
(() => {
  const shown = Array.from(document.querySelectorAll("h1, p:not([hidden]), input, select, td, footer"));
  const boxes = shown.map((one) => one.getBoundingClientRect());
  const meet = (p, q) =>
    p.left < q.right - 1 && q.left < p.right - 1 && p.top < q.bottom - 1 && q.top < p.bottom - 1;
  return shown.flatMap((one, at) =>
    shown.filter((_, next) => next > at && meet(boxes[at], boxes[next])).map((next) => one.outerHTML + next.outerHTML),
  );
})()
"""


def check_layout(browser):
    """Check that a page is readable, on a phone as well."""
    for width in (360, 1200):
        browser.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=2, mobile=width < 500
        )
        assert browser.value("document.documentElement.scrollWidth") <= width
        assert browser.value(OVERLAPS) == []


@needs_chromium
def test_the_module_in_chromium(example, url, browser):
    _, model = example
    browser.call("Page.navigate", url=f"{url}/index.html")
    browser.wait_for(f"{SHOWN}.length === 3")
    row = dict.fromkeys(model.feature_names_in_)
    assert_allclose(browser.value(SHOWN), model.program_(row)[0], rtol=1e-9)
    cells = {"room": "suite", "price in €": 120.5, "days ahead": 90, "paid": 1, "arrival": "2025-07-01T15:30"}
    for name, cell in cells.items():
        row[name] = cell
        browser.value(f"({FILL})({json.dumps([name, str(cell)])})")
    assert_allclose(browser.value(SHOWN), model.program_(row)[0], rtol=1e-9)
    assert (
        browser.value("document.querySelector('tr.best td').innerText")
        == model.classes_[model.program_(row)[0].argmax()]
    )
    check_layout(browser)


@needs_npm
@needs_chromium
def test_onnxruntime_web_in_chromium(site, url, browser):
    student = fitted("mlp", "piecewise", 26)
    browser.call("Page.navigate", url=f"{url}/onnx.html")
    browser.wait_for(f"{SHOWN}.length === 3")
    browser.call("Page.navigate", url=f"{url}/onnx.html?student=mixed.onnx")
    browser.wait_for(f"{SHOWN}.length === 26")
    names = student.feature_names_in_.tolist()
    assert browser.value("Array.from(document.querySelectorAll('label'), (one) => one.firstChild.data)") == names
    row = dict.fromkeys(names)
    # the empty form is a row without a single known cell
    assert_allclose(browser.value(SHOWN), student.program_(row)[0], atol=1e-6)
    cells = {"word": "日本", "age": 44.5, "income in €": 1e9, "reading": 1000000.25, "size": "unseen", "member": 1}
    for name, cell in cells.items():
        row[name] = cell
        browser.value(f"({FILL})({json.dumps([names.index(name), str(cell)])})")
    row["since"] = np.datetime64("2020-02-29T05:30")
    browser.value(f"({FILL})({json.dumps([names.index('since'), '2020-02-29T05:30'])})")
    expected = student.program_(row)[0]
    browser.wait_for(f"Math.abs({SHOWN}[{expected.argmax()}] - {expected.max()}) < 1e-6")
    assert_allclose(browser.value(SHOWN), expected, atol=5e-5)
    assert browser.value("document.querySelector('tr.best td').innerText") == student.classes_[expected.argmax()]
    check_layout(browser)
