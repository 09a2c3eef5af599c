"""to_javascript: one module that gives the Program's answers, in Node and in a headless Chromium, and its types."""

import base64
import json
import shutil
import subprocess

import numpy as np
import pytest
from browser_helpers import needs_chromium
from export_helpers import (
    cases,
    date_table,
    fitted,
    mixed_table,
    numeric_table,
    records,
    text_table,
    wild_rows,
)
from helpers import Optional, small_mlp_regressor
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler
from tables_helpers import as_it_is

from skdistill import LinearStudent, LinearStudentRegressor, MLPStudent
from skdistill.export import to_javascript
from skdistill.program import DATE_FORMS, cell_reader

pd = Optional("pandas")

NODE = shutil.which("node")

pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")

#: What a module answers to rows, which come as `as_json` writes them: at once, one by one, and as arrays of cells.
ANSWERS = """
(m, text) => {
  const revive = (_, cell) => (cell?.number ? Number(cell.number) : cell?.date ? new Date(cell.date) : cell);
  const rows = JSON.parse(text, revive);
  const functions = [m.predict, m.predictProba].filter(Boolean);
  for (const f of functions) {
    const all = JSON.stringify(f(rows));
    if (JSON.stringify(rows.map((row) => f(row))) !== all) throw new Error("a row by itself");
    const cells = rows.map((row) => m.columns.map((name) => row[name]));
    if (JSON.stringify(f(cells)) !== all) throw new Error("an array of cells");
  }
  return functions.map((f) => f(rows));
}
"""
MAIN = f"""
import {{ readFileSync }} from "node:fs";
import * as m from "./student.mjs";
console.log(JSON.stringify(({ANSWERS})(m, readFileSync("rows.json", "utf8"))));
"""


def as_json(rows):
    """Return rows, a list of dicts, as JSON."""

    def cell(value):
        if hasattr(value, "timestamp"):
            return {"date": value.isoformat() + "Z"}
        if isinstance(value, float) and not np.isfinite(value):
            return {"number": {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]}
        return value

    return json.dumps([{str(name): cell(value) for name, value in row.items()} for row in rows])


def evaluate(folder, text):
    """Run a module beside an exported one; return what it prints."""
    (folder / "main.mjs").write_text(text, "utf-8")
    done = subprocess.run([NODE, "main.mjs"], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def answers(student, folder, rows):
    to_javascript(student, folder / "student.mjs")
    (folder / "rows.json").write_text(as_json(rows))
    return json.loads(evaluate(folder, MAIN))


def assert_same(found, student, rows, **tolerance):
    """Check labels and probabilities, or predictions, against numpy's."""
    expected = student.program_(rows)
    if len(found) == 1:
        return assert_allclose(np.reshape(found[0], expected.shape), expected, **{"rtol": 1e-9, "atol": 1e-9} | tolerance)
    assert_allclose(found[1], expected, **{"rtol": 1e-9, "atol": 1e-12} | tolerance)
    clear = np.diff(np.sort(expected, axis=1)[:, -2:])[:, 0] > 1e-9
    labels = np.array(found[0], dtype=student.classes_.dtype)
    assert_array_equal(labels[clear], student.classes_[expected.argmax(axis=1)][clear])


def check(student, folder, rows, **tolerance):
    assert_same(answers(student, folder, records(rows)), student, rows, **tolerance)


@pytest.mark.parametrize(("kind", "numeric", "n_classes", "dtype"), cases())
def test_wild_rows_get_the_programs_answers(kind, numeric, n_classes, dtype, tmp_path):
    check(fitted(kind, numeric, n_classes, dtype), tmp_path, wild_rows(mixed_table()[0], 500))


@needs_chromium
def test_in_chromium(tmp_path, browser):
    for case in [("mlp", "piecewise", 26, "float16"), ("linear", "quantile"), ("tree",)]:
        student = fitted(*case)
        to_javascript(student, tmp_path / "student.js")
        module = base64.b64encode((tmp_path / "student.js").read_bytes()).decode()
        rows = wild_rows(mixed_table()[0], 300)
        text = json.dumps(as_json(records(rows)))
        found = browser.value(f"import('data:text/javascript;base64,{module}').then((m) => ({ANSWERS})(m, {text}))")
        assert_same(found, student, rows)
