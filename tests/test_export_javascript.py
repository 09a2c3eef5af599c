"""to_javascript: one module that gives the Program's answers, in Node and in a headless Chromium, and its types."""

import base64
import json
import re
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
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler
from tables_helpers import as_it_is
from test_as_student import STUDENTS, TRANSFORMS, WRAPPERS, calibrated, positive_target, table

import skdistill
from skdistill import LinearStudent, LinearStudentRegressor, MLPStudent, TreeStudent, TreeStudentRegressor, as_student
from skdistill.export import to_javascript

pd = Optional("pandas")

NODE = shutil.which("node")

pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")

#: What a module answers to rows, which come as `as_json` writes them: at once, one by one, and as arrays of cells.
ANSWERS = """
(m, text) => {
  const special = (cell) => ("date" in cell ? new Date(cell.date) : Number(cell.number));
  const rows = JSON.parse(text, (_, cell) => (cell?.special ? special(cell) : cell));
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
            return {"special": True, "date": value.isoformat() + "Z"}
        if isinstance(value, float) and not np.isfinite(value):
            return {"special": True, "number": {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]}
        return value

    return json.dumps([{str(name): cell(value) for name, value in row.items()} for row in rows])


def evaluate(folder, text):
    """Run a module beside an exported one; return what it prints."""
    (folder / "main.mjs").write_text(text, "utf-8")
    done = subprocess.run(
        [NODE, "--disallow-code-generation-from-strings", "main.mjs"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def answers(student, folder, rows):
    to_javascript(student, folder / "student.mjs")
    (folder / "rows.json").write_text(as_json(rows))
    return json.loads(evaluate(folder, MAIN))


def assert_same(found, student, rows, atol=1e-12):
    """Check labels and probabilities, or predictions, against numpy's."""
    expected = student.program_(rows)
    assert_allclose(np.reshape(found[-1], expected.shape), expected, rtol=1e-9, atol=atol)
    if len(found) == 1:
        return
    predicted = student.predict(rows)
    assert_array_equal(np.array(found[0], dtype=predicted.dtype), predicted)


def check(student, folder, rows):
    assert_same(answers(student, folder, records(rows)), student, rows)


@pytest.mark.parametrize(("kind", "numeric", "n_classes", "dtype"), cases())
def test_wild_rows_get_the_programs_answers(kind, numeric, n_classes, dtype, tmp_path):
    check(fitted(kind, numeric, n_classes, dtype), tmp_path, wild_rows(mixed_table()[0], 500))


def test_several_labels(tmp_path):
    frame, _ = mixed_table()
    y = np.column_stack([frame["age"] > 40, frame["member"], frame["level"] > 0.15])
    student = LinearStudent().fit(frame, y)
    check(student, tmp_path, wild_rows(frame, 200))
    assert "predict(rows" in (tmp_path / "student.d.mts").read_text()


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


@pytest.mark.parametrize("kind", ["linear", "mlp", "tree"])
def test_words_are_found_and_texts_are_read(kind, tmp_path):
    rng = np.random.default_rng(0)
    rows = wild_rows(text_table()[0], 600)
    # texts like numbers and dates, most of which are of another form
    numbers = "$1,234.50|-$12|($3.5)|$ 1e+3|1.2e5|26e17|$12,34|5,5 %|12,5%|1 234,5 %|\u22127 %|.5|$.5|1.|1,5|+3|$+3"
    numbers += f"|1'000 %|True|False|{'1' * 70}|1e+999|$||-|( 2 )"
    dates = "31/01/2020|1/2/99|2020-01-31|20200131|31. Jan 2020|Monday, 3 march 2021|2020/1/2 3:04 PM|2/3/21 12:00 am"
    dates += "|30/02/2020|31/12/1969 23:59:59.25|01-06-2020T10:20Z|2020-01-31T05:06:07.25+02:30|2020-01-31 24:00|1/1/1"
    dates += "|2020-13-01|0001-01-01|3/June/2020|2020-01-31T0506-0130| 4.5.2020 UTC "
    for name, texts in {"price": numbers, "share": numbers, "reading": numbers, "signed": dates}.items():
        chosen = rng.choice(np.array(texts.split("|"), dtype=object), len(rows))
        rows[name] = np.where(rng.random(len(rows)) < 0.4, chosen, rows[name])
    check(fitted(kind, table="texts"), tmp_path, rows)


@pytest.mark.parametrize("activation", ["tanh", "silu"])
def test_arrays_of_numbers_and_activations(activation, tmp_path):
    X, y = numeric_table()
    student = MLPStudent((24,), activation=activation, max_epochs=10, learning_rate=0.01, random_state=0).fit(X, y)
    check(student, tmp_path, wild_rows(X, 500))


def test_dates_are_dates_or_texts(tmp_path):
    student = MLPStudent((8,), max_epochs=5, random_state=0).fit(*date_table())
    rng = np.random.default_rng(0)
    # as far as a Date reaches
    ms = [rng.integers(-(86 * 10**14), 86 * 10**14, 300), rng.integers(-(10**13), 10**14, 300), [0, -1, 1]]
    ms = np.concatenate(ms)
    X = pd.DataFrame({"since": ms.astype("datetime64[ms]"), "until": ms[::-1].astype("datetime64[ms]")})
    cells = [[{"special": True, "date": int(cell)} for cell in row] for row in zip(ms, ms[::-1], strict=True)]
    to_javascript(student, tmp_path / "student.mjs")
    (tmp_path / "rows.json").write_text(json.dumps([dict(zip(X, row, strict=True)) for row in cells]))
    assert_same(json.loads(evaluate(tmp_path, MAIN)), student, X)
    texts = ["2020-02-29", "20200229T0506", "1600-03-01 23:59", "1969-12-31T23:59:59.999999", "2021-07-01T00:30+05:30"]
    texts += ["9999-12-31T23:59:59.5Z", "2021-07-01T00:30:15-0800", "0001-01-01", None, "2020-01-01T00:00:00.1234567"]
    rows = [{"since": text, "until": other} for text in texts for other in texts]
    assert_same(answers(student, tmp_path, rows), student, rows)


def test_time_spans_are_seconds(tmp_path):
    X = pd.DataFrame({"lasted": pd.to_timedelta(np.arange(50.0), "h"), "size": np.arange(50) % 7})
    student = LinearStudent().fit(X, np.arange(50) > 20)
    found = answers(student, tmp_path, [{"lasted": 3600.0 * at, "size": at % 7} for at in range(50)])
    assert_same(found, student, X)
    assert "time spans" in (tmp_path / "student.mjs").read_text("utf-8")


def test_rows_that_were_sparse(tmp_path):
    X, y = numeric_table(n_classes=26)
    X = np.nan_to_num(X)
    student = MLPStudent((24, 16), max_epochs=10, random_state=0).fit(sparse.csr_matrix(X), y)
    # of sums of numbers of 1e30, double leaves too few digits
    check(student, tmp_path, np.clip(wild_rows(X, 500), -1e6, 1e6))


def test_a_users_encoder_that_has_become_ops(tmp_path):
    X, y = mixed_table()
    X = X[["word", "age", "reading", "level", "size"]].fillna({"word": "ann", "age": 0.0}).astype({"size": object})
    # a column may be read as a number and as levels, and as levels twice
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", max_categories=4), ["word"]),
        (OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=50), ["word", "size"]),
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["size"]),
        (OneHotEncoder(handle_unknown="ignore"), ["level"]),
        (StandardScaler(), ["age", "level"]),
        (MinMaxScaler(), ["reading"]),
    )
    student = MLPStudent((16,), encoder=encoder, max_epochs=10, learning_rate=0.01, random_state=0).fit(X, y)
    # numbers go into the net as they are
    rows = wild_rows(X, 500).replace([np.inf, -np.inf], 0.0)
    numbers = ["age", "reading"]
    check(student, tmp_path, rows.assign(**{name: rows[name].clip(-1e6, 1e7) for name in numbers}))


@pytest.mark.parametrize("kind", ["linear", "mlp", "tree"])
def test_regressors(kind, tmp_path):
    X, labels = mixed_table()
    score = np.nan_to_num(X["age"].to_numpy()) + (labels == labels[0])
    models = {
        "linear": LinearStudentRegressor(numeric="piecewise"),
        "mlp": small_mlp_regressor(hidden_layer_sizes=(12, 8)),
        "tree": TreeStudentRegressor(30, random_state=0),
    }
    for y in (np.exp(score / 20), np.column_stack([score, -np.exp(score / 20), 1e9 + score])):
        student = clone(models[kind]).fit(X, y)
        found = answers(student, tmp_path, records(wild_rows(X, 300)))
        assert len(found) == 1
        assert_same(found, student, wild_rows(X, 300), atol=1e-9 * np.abs(y).max())


@pytest.mark.parametrize(
    ("kind", "wrapper", "n_classes"),
    [
        *(("linear", name, 2) for name in WRAPPERS),
        *((kind, name, 3) for kind in STUDENTS for name in ("sigmoid", "isotonic")),
        ("tree", "tuned isotonic", 2),
    ],
)
def test_thresholds_and_calibrations(kind, wrapper, n_classes, tmp_path):
    X, y, rows = table(n_classes)
    student = as_student(WRAPPERS[wrapper](STUDENTS[kind]).fit(np.nan_to_num(X), y))
    check(student, tmp_path, np.nan_to_num(rows))


def test_ties_with_a_threshold(tmp_path):
    X, y, rows = table()
    tree = calibrated(TreeStudent(6, random_state=0), "isotonic").fit(X, y)
    for threshold in np.unique(tree.predict_proba(X)[:, 1]):
        check(as_student(tree, threshold=threshold), tmp_path, rows[:200])


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_transformed_targets(transform, tmp_path):
    n_outputs = 2 if transform in ("box-cox", "yeo-johnson", "range") else 1
    X, y, rows = positive_target(n_outputs)
    student = as_student(
        TransformedTargetRegressor(LinearStudentRegressor(clip=False), **TRANSFORMS[transform]).fit(X, y)
    )
    expected = student.predict(rows)
    assert_allclose(answers(student, tmp_path, records(rows))[0], expected, rtol=1e-9, atol=1e-9)


NAMES = ["__proto__", "constructor", "length", "getTime", "a\u2028b\u2029c", "</script><!--", '"\\`${1}']
NAMES += ["", "日本", "e\u0301", "\x00\x7f\n", "*/ x", "\u202e", "😀"]


def test_any_name_of_a_column_a_level_or_a_class(tmp_path):
    rng = np.random.default_rng(0)
    levels = np.array([*NAMES, "\ud800", 0.5, -3, True, 2**60, np.inf], dtype=object)
    frame = pd.DataFrame({name: levels[rng.integers(0, len(levels), 900)] for name in NAMES}, dtype=object)
    y = np.array(NAMES)[rng.integers(0, len(NAMES), 900)]
    student = LinearStudent(min_frequency=1).fit(frame, y)
    found = answers(student, tmp_path, records(frame[:200]))
    proba = student.program_(records(frame[:200]))
    assert_allclose(found[1], proba, rtol=1e-9, atol=1e-12)
    assert found[0] == student.classes_[proba.argmax(axis=1)].tolist()
    for suffix in (".mjs", ".d.mts"):
        text = (tmp_path / "student").with_suffix(suffix).read_text("utf-8")
        assert "</" not in text
        assert all(char.isprintable() or char == "\n" for char in text)
        assert not any(name in text for name in ("constructor", "日本") if suffix == ".mjs" and f'"{name}"' not in text)


def test_a_level_that_reads_like_the_modules_own_code(tmp_path):
    frame = pd.DataFrame({"c": ["f8(a", "new Float64Array(b"] * 100})
    for student in (TreeStudent(), LinearStudent()):
        assert_same(
            answers(student.fit(frame, np.tile([0, 1], 100)), tmp_path, frame.to_dict("records")), student, frame
        )


def test_names_that_are_numbered_and_long_lists_of_names(tmp_path):
    X, y = numeric_table()
    X = np.nan_to_num(np.hstack([X, X]))
    many = [f"name {letter}" for letter in "abcdefg"]
    for names in (
        ["x9", "x10", "x11"],
        ["0", "1", "2"],
        ["x01", "x02", "x03"],
        ["x1", "x2", "y3"],
        many,
        [*many, "a,b"],
    ):
        LinearStudent().fit(pd.DataFrame(X[:, : len(names)], columns=names), y).export(tmp_path / "student.mjs")
        text = 'import { columns } from "./student.mjs"; console.log(JSON.stringify(columns));'
        assert json.loads(evaluate(tmp_path, text)) == names


def test_levels_and_classes_of_other_types(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "whole": pd.Categorical(rng.choice([-1, 1, 20], 300)),
            "truth": pd.Categorical(rng.choice([True, False], 300)),
            "part": pd.Series(rng.choice(np.array([0.5, np.inf, "a", None, True], dtype=object), 300), dtype=object),
        }
    )
    for labels in ([1.0, 2.0], [False, True], [-3, 2**40]):
        y = np.asarray(labels)[rng.integers(0, 2, 300)]
        student = LinearStudent(min_frequency=1).fit(frame, y)
        found = answers(student, tmp_path, frame.to_dict("records"))
        assert_same(found, student, frame)
        assert found[0] == student.predict(frame).tolist()
    frame["whole"] = rng.choice(np.array([2**60 + 1, 5], dtype=object), 300)
    with pytest.raises(TypeError, match=r"a level of column .whole.: 1152921504606846977, of type int"):
        LinearStudent(min_frequency=1).fit(frame.astype({"whole": "category"}), y).export(tmp_path / "other.js")


def test_rows_of_other_columns_and_cells_are_refused(tmp_path):
    student = fitted("linear")
    to_javascript(student, tmp_path / "student.mjs")
    (row,) = records(mixed_table(1)[0])
    row["since"] = "2020-01-01"
    cases = [
        ({**row, "more": 1}, "Row 0: missing columns [], unexpected [more]."),
        ({name: cell for name, cell in row.items() if name != "age"}, "missing columns [age], unexpected []."),
        ([row, list(row.values())[:-1]], "Row 1: expected 8 cells, got 7."),
        ([row, {**row, "age": "old"}], 'Row 1: expected numbers in column "age", got "old".'),
        ({**row, "since": 5}, 'Row 0: expected dates in column "since", got "5".'),
        ({**row, "since": "2020-02-30"}, 'Row 0: expected dates in column "since", got "2020-02-30".'),
        (None, "Row 0: missing columns [word,age,"),
        ("12345678", "Row 0: missing columns [word,age,"),
    ]
    text = f"""
import {{ predict }} from "./student.mjs";
const message = (rows) => {{ try {{ return predict(rows); }} catch (error) {{ return `${{error}}`; }} }};
console.log(JSON.stringify({json.dumps([rows for rows, _ in cases])}.map(message)));
"""
    for found, (_, expected) in zip(json.loads(evaluate(tmp_path, text)), cases, strict=True):
        assert expected in found
        assert found.startswith("TypeError")


def test_what_a_javascript_user_gives(tmp_path):
    X, y = numeric_table()
    student = LinearStudent().fit(pd.DataFrame(X, columns=list("abcde")), y)
    to_javascript(student, tmp_path / "student.mjs")
    text = """
import { classes, columns, predict, predictProba } from "./student.mjs";
const row = { e: undefined, d: "0.2", c: 3n, b: true, a: -1.5 };
const same = [row, [-1.5, true, 3n, "0.2", null], [-1.5, 1, 3, 0.2, NaN], Float64Array.of(-1.5, 1, 3, 0.2, NaN)];
const proba = same.map((one) => predictProba(one));
console.log(JSON.stringify([classes, columns, predict([]), predict(row), predictProba(row), proba]));
"""
    classes, columns, nothing, label, proba, same = json.loads(evaluate(tmp_path, text))
    assert (classes, columns, nothing) == ([0, 1], list("abcde"), [])
    expected = student.program_({"a": -1.5, "b": 1.0, "c": 3.0, "d": 0.2, "e": None})[0]
    assert_allclose(same, [expected] * 4, rtol=1e-9)
    assert proba == same[0]
    assert label == expected.argmax()


def test_only_what_is_needed_is_printed(tmp_path):
    to_javascript(fitted("tree", table="numbers"), tmp_path / "student.js", metadata=False)
    text = (tmp_path / "student.js").read_text("utf-8")
    defined = re.findall(r"^(?:export )?(?:const |let )?(\w+)=", text, re.MULTILINE)
    assert len(defined) <= 20
    assert all(len(re.findall(rf"\b{name}\b", text)) > 1 for name in defined if not name.startswith("predict"))
    assert not re.search("//|/\\*", text.split("\n", 1)[1])


def test_a_module_says_where_it_comes_from(tmp_path):
    own = {"`${1}": ["</script>", "\u2028", "'\"\\ */"], "__proto__": {"a": None}, "é": 1.5}
    to_javascript(fitted("linear", table="numbers"), tmp_path / "student.mjs", metadata=own)
    text = 'import { metadata } from "./student.mjs"; console.log(JSON.stringify(metadata));'
    found = json.loads(evaluate(tmp_path, text))
    assert found["user"] == own
    assert found["student"]["type"].endswith("LinearStudent")
    assert "</script" not in (tmp_path / "student.mjs").read_text("utf-8")


def test_the_same_student_gives_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    student = fitted("mlp", "piecewise", 26)
    student.export(tmp_path / "a.js")
    text = (tmp_path / "a.js").read_text("utf-8")
    assert student.program_.fingerprint(student.classes_) in text
    student.export(tmp_path / "a.skd")
    skdistill.load(tmp_path / "a.skd").export(tmp_path / "a.mjs")
    assert text == (tmp_path / "a.mjs").read_text("utf-8")
    assert (tmp_path / "a.d.ts").read_bytes() == (tmp_path / "a.d.mts").read_bytes()


def test_what_cannot_be_exported_leaves_nothing_behind(tmp_path):
    X, y = numeric_table()
    X = np.nan_to_num(X)
    with pytest.raises(ValueError, match=r"path must be a name that ends in '\.js' or '\.mjs'"):
        to_javascript(fitted("linear"), tmp_path / "model.ts")
    with pytest.raises(NotFittedError):
        to_javascript(LinearStudent(), tmp_path / "model.js")
    with pytest.raises(TypeError, match="encoder of this LinearStudent"):
        to_javascript(LinearStudent(encoder=as_it_is(StandardScaler())).fit(X, y), tmp_path / "model.js")
    with pytest.raises(FileNotFoundError):
        to_javascript(fitted("linear"), tmp_path / "nowhere" / "model.js")
    assert not list(tmp_path.iterdir())


USES = """
import { classes, columns, predict, predictProba, type Class, type Row } from "./student.js";
import { predict as predictMany } from "./regressor.js";
import * as strange from "./strange.js";

const row: Row = {
  word: "ann", age: 44, "income in €": NaN, reading: null, level: 0.1, member: true, size: "s", since: new Date(),
};
const label: Class = predict(row);
const labels: Class[] = predict([row, { ...row, since: "2020-01-01" }]);
const proba: number[] = predictProba(["ann", 44, 1e4, undefined, 0.1, true, "s", null]);
const numbers: [number, number] = predictMany(row);
const many: [number, number][] = predictMany([row]);
const known: "A" | "B" = classes[0];
console.log(label, labels, proba, numbers, many, known, columns.length, strange.predict);
// @ts-expect-error a column is missing
predict({ word: "ann" });
// @ts-expect-error a text is no number
predict({ ...row, age: "old" });
// @ts-expect-error another column
predict({ ...row, more: 1 });
"""


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_types(tmp_path):
    options = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    subprocess.run(["npm", "install", *options, "typescript@^5.6"], cwd=tmp_path, check=True, timeout=300)
    fitted("mlp").export(tmp_path / "student.js")
    rng = np.random.default_rng(0)
    X, _ = mixed_table()
    LinearStudentRegressor().fit(X, rng.normal(size=(len(X), 2))).export(tmp_path / "regressor.js")
    strange = pd.DataFrame({name: rng.choice(np.array(NAMES, dtype=object), 900) for name in NAMES}, dtype=object)
    LinearStudent().fit(strange, rng.choice(NAMES, 900)).export(tmp_path / "strange.js")
    (tmp_path / "uses.ts").write_text(USES, "utf-8")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    command = ["node_modules/.bin/tsc", "--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "uses.ts"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
