"""The ONNX model of a student answers like the student: every op, every kind of input, alone and within skl2onnx."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
from export_helpers import (
    assert_same_labels,
    assert_same_logits,
    cases,
    date_table,
    dates_of_all_times,
    expected_logits,
    fitted,
    mixed_table,
    numeric_table,
    onnx_feeds,
    text_table,
    wild_rows,
    with_texts_read,
)
from helpers import Optional, small_mlp
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, RobustScaler, StandardScaler

import skdistill
from skdistill import DistilledClassifier, LinearStudent, MLPStudent, TreeStudent
from skdistill.export import register_skl2onnx, to_onnx
from skdistill.program import DATE_PARTS, Op, Program

pd = Optional("pandas")

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
skl2onnx = pytest.importorskip("skl2onnx")
FloatTensorType, StringTensorType = (
    getattr(pytest.importorskip("skl2onnx.common.data_types"), name) for name in ("FloatTensorType", "StringTensorType")
)


def session_of(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model if isinstance(model, str) else model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def input_types(model):
    return {value.name: value.type for value in session_of(model).get_inputs()}


def metadata(model):
    return {entry.key: entry.value for entry in model.metadata_props}


def check(student, rows, **options):
    """Check a student's ONNX model on rows, all at once, one at a time and none; return the model."""
    model = to_onnx(student, logits=True, **options)
    session = session_of(model)
    feeds = onnx_feeds(model, rows)
    expected = expected_logits(student, rows)
    label, proba, logits = session.run(None, feeds)
    assert_same_logits(logits, expected)
    assert_same_labels(label, expected, student.classes_)
    assert label.dtype == (object if student.classes_.dtype.kind in "OU" else np.int64)
    assert proba.dtype == np.float32
    assert_allclose(proba, student.program_(rows), atol=5e-5)
    for row in range(min(300, len(rows))):
        one = session.run(None, {name: values[row : row + 1] for name, values in feeds.items()})
        assert_allclose(one[2], logits[row : row + 1], rtol=1e-5, atol=1e-5)
        assert_allclose(one[1], proba[row : row + 1], atol=1e-5)
    none = session.run(None, {name: values[:0] for name, values in feeds.items()})
    assert [len(one) for one in none] == [0, 0, 0]
    return model


@pytest.mark.parametrize(("kind", "numeric", "n_classes", "dtype"), cases())
def test_parity_on_mixed_columns(kind, numeric, n_classes, dtype):
    student = fitted(kind, numeric, n_classes, dtype)
    rows = wild_rows(mixed_table()[0])
    types = input_types(check(student, rows))
    assert list(types) == list(rows.columns)
    assert types.items() >= {"word": "tensor(string)", "size": "tensor(string)", "since": "tensor(double)"}.items()


@pytest.mark.parametrize("kind", ["linear", "mlp", "tree"])
@pytest.mark.parametrize("missing", ["<missing>", "(red)"])
def test_words_are_found_and_written_numbers_are_numbers(kind, missing):
    student = fitted(kind, table="texts")
    rows = wild_rows(text_table()[0], 500)
    model = to_onnx(student, logits=True, missing=missing)
    found = session_of(model).run(None, onnx_feeds(model, with_texts_read(rows)))
    assert_same_logits(found[2], expected_logits(student, rows))
    assert_allclose(found[1], student.program_(rows), atol=1e-6)


def test_inputs_follow_the_frame_whatever_the_student_uses():
    X, y = text_table()
    everything = input_types(to_onnx(fitted("mlp", table="texts")))
    assert list(everything) == list(X.columns)
    assert everything["city"] == everything["note"] == "tensor(string)"
    with pytest.warns(UserWarning, match="Texts are read|Cells unlike"):
        stump = TreeStudent(max_depth=1, random_state=0).fit(X, y)
    assert len(stump.program_.ops[0].sources) == 1
    assert input_types(to_onnx(stump, numbers="float64")).keys() == everything.keys()
    assert {name for name, kind in input_types(to_onnx(stump)).items() if kind == "tensor(string)"} == {"city", "note"}


@pytest.mark.parametrize("numbers", ["float32", "float64"])
@pytest.mark.parametrize(("kind", "numeric", "n_classes", "dtype"), cases(dtype="float32"))
def test_parity_on_numbers(kind, numeric, n_classes, dtype, numbers):
    student = fitted(kind, numeric, n_classes, dtype, "numbers")
    rows = wild_rows(numeric_table()[0])
    if numbers == "float32":
        # what cannot be said in float32 cannot be asked
        with np.errstate(over="ignore"):
            rows = rows.astype(np.float32).astype(np.float64)
    model = check(student, rows, numbers=numbers)
    assert input_types(model) == {"X": {"float32": "tensor(float)", "float64": "tensor(double)"}[numbers]}
    assert list(session_of(model).get_inputs()[0].shape) == ["N", 5]


@pytest.mark.parametrize("activation", ["silu", "tanh"])
def test_activations(activation):
    X, y = numeric_table(n_classes=3)
    check(small_mlp(activation=activation).fit(X, y), wild_rows(X, 300))


class TestTypeOfNumbers:
    """`numbers="auto"`: float32 where it holds what the student tells apart."""

    rng = np.random.default_rng(0)

    @pytest.mark.parametrize(
        ("numeric", "column", "expected"),
        [
            ("standard", rng.normal(50, 10, 400), "tensor(float)"),
            ("standard", rng.normal(1e6, 1, 400), "tensor(double)"),
            ("piecewise", rng.normal(5, 1, 400), "tensor(float)"),
            # with a bin between 0 and 1e-7
            ("piecewise", np.repeat([0.0, 1e-7, 1.0, 2.0], 100), "tensor(double)"),
            ("quantile", np.repeat([0.0, 1.0, 2.0, 3.0], 100), "tensor(float)"),
            # 0.7 is less in float32, and would fall before the jump at 0.7
            ("quantile", np.repeat([0.1, 0.3, 0.5, 0.7], 100), "tensor(double)"),
        ],
    )
    def test_is_chosen_by_the_encoding(self, numeric, column, expected):
        X = np.column_stack([column, self.rng.permutation(column)])
        y = np.arange(400) % 2
        student = LinearStudent(numeric=numeric).fit(X, y)
        model = to_onnx(student, logits=True)
        assert input_types(model) == {"X": expected}
        # rows that were not rounded before
        assert_same_logits(session_of(model).run(None, onnx_feeds(model, X))[2], expected_logits(student, X))

    def test_is_checked(self):
        with pytest.raises(ValueError, match="numbers='float' is not known"):
            to_onnx(fitted("linear"), numbers="float")


def test_quantiles_of_numbers_beyond_all_knots():
    # the outermost knots are the bounds of numbers in a fit, many times
    X = 1e31 * np.random.default_rng(1).normal(size=(240, 1))
    check(LinearStudent(numeric="quantile").fit(X, X[:, 0] > 0), np.vstack([X, wild_rows(X, 100)]))


def test_dates_of_all_times():
    student, X = small_mlp(max_epochs=5, numeric="piecewise").fit(*date_table()), dates_of_all_times()
    assert set(student.program_.ops[1].parts) == set(DATE_PARTS)
    model = to_onnx(student, logits=True)
    assert_same_logits(session_of(model).run(None, onnx_feeds(model, X))[2], expected_logits(student, X))


class TestInputs:
    def test_metadata_say_what_to_feed(self, tmp_path):
        student = fitted("linear", n_classes=26)
        model = to_onnx(student, tmp_path / "student.onnx")
        assert (tmp_path / "student.onnx").read_bytes() == model.SerializeToString()
        found = metadata(model)
        assert found["skdistill_version"] == skdistill.__version__
        assert found["fingerprint"] == student.program_.fingerprint(student.classes_)
        assert json.loads(found["classes"]) == student.classes_.tolist()
        assert found["missing"] == "<missing>"
        columns = {column["name"]: column for column in json.loads(found["columns"])}
        assert list(columns) == mixed_table()[0].columns.tolist()
        assert [columns[name]["kind"] for name in ("word", "age", "member", "size", "since")] == [
            "text",
            "number",
            "number",
            "text",
            "date",
        ]
        assert columns["size"]["levels"] == ["s", "m", "l"]
        types = {"string": "tensor(string)", "float32": "tensor(float)", "float64": "tensor(double)"}
        assert input_types(model) == {column["input"]: types[column["type"]] for column in columns.values()}
        assert [value.name for value in model.graph.output] == ["label", "probabilities"]

    def test_names_that_outputs_have(self):
        rng = np.random.default_rng(0)
        X = pd.DataFrame(
            {
                "label_": rng.normal(size=200),
                "label": rng.choice(["a", "b"], 200),
                "probabilities": rng.normal(size=200),
                "": rng.normal(size=200),
                "never the same": "x",
            }
        )
        student = LinearStudent().fit(X, (X["label"] == "a") ^ (X["label_"] > 0))
        model = check(student, X)
        assert list(input_types(model)) == ["label_", "label__", "probabilities_", "column 3", "never the same"]
        same = {"name": "never the same", "kind": "text", "input": "never the same", "type": "string"}
        assert json.loads(metadata(model)["columns"])[4] == same

    @pytest.mark.parametrize("named", [True, False])
    def test_the_unit_of_dates_and_time_spans_is_said(self, named):
        X = pd.DataFrame({"lasted": pd.to_timedelta(np.arange(50), "h"), "size": np.arange(50) % 7})
        X["since"] = pd.Timestamp("2020-01-01") + X["lasted"]
        X = X if named else X[["lasted", "size"]].astype(object).to_numpy()
        found = json.loads(metadata(to_onnx(LinearStudent().fit(X, np.arange(50) > 20)))["columns"])
        assert [one.get("unit") for one in found] == ["seconds", None, "seconds since 1970 (UTC)"][: len(found)]

    def test_columns_without_names(self):
        rng = np.random.default_rng(0)
        X = np.column_stack([rng.choice(["a", "b"], 100), rng.normal(size=100)]).astype(object)
        X[:, 1] = X[:, 1].astype(float)
        assert list(input_types(check(LinearStudent().fit(X, X[:, 0] == "a"), X))) == ["column 0", "column 1"]

    def test_categories_that_are_numbers(self):
        rng = np.random.default_rng(0)
        cells = rng.choice([1, 2, 0.1, -3, 2**60], 400)
        X = pd.DataFrame({"code": pd.Categorical(cells), "x": rng.normal(size=400)})
        student = LinearStudent().fit(X, np.where(np.isin(cells, [2, 0.1]), "yes", "no"))
        fresh = pd.DataFrame({"code": [1, 2, 0.1, 0.1 + 1e-12, -3, np.nan, 7, np.inf, 2**60, 0], "x": 0.0})
        assert input_types(check(student, fresh))["code"] == "tensor(double)"
        # one whose levels are all rare
        X = pd.DataFrame({"code": pd.Categorical([1, 2, 3] * 20, categories=[1, 2, 3]), "x": [0.0, 1.0] * 30})
        with pytest.warns(UserWarning, match="'code' \\(3 different values, such as 2, none of them in 50 rows"):
            student = LinearStudent(min_frequency=50).fit(X.mask(X["x"] + X["code"].astype(int) == 1), [0, 1] * 30)
        model = to_onnx(student, logits=True)
        assert input_types(model)["code"] == "tensor(string)"
        assert_same_logits(session_of(model).run(None, onnx_feeds(model, X))[2], expected_logits(student, X))

    def test_missing_texts(self):
        X = pd.DataFrame({"word": ["a", "b", None, ""] * 30, "x": range(120)})
        student = LinearStudent().fit(X, X["word"].isna() | (X["word"] == ""))
        model = check(student, X, missing="?")
        assert metadata(model)["missing"] == "?"
        label = session_of(model).run(["label"], onnx_feeds(model, X))[0]
        assert label.tolist() == [0, 0, 1, 1] * 30
        with pytest.raises(ValueError, match="'word' has a level 'b'; choose another text"):
            to_onnx(student, missing="b")

    def test_levels_that_a_tensor_does_not_tell_apart(self):
        X = pd.DataFrame({"mixed": [1, "1", "a"] * 40, "x": range(120)})
        with pytest.raises(ValueError, match="'mixed' has two levels that are both '1' in a string tensor"):
            to_onnx(LinearStudent().fit(X, [0, 1, 1] * 40))

    def test_no_column_that_varies(self):
        X = pd.DataFrame({"a": [1.0] * 10, "b": ["x"] * 10})
        for student in (LinearStudent(), TreeStudent()):
            model = to_onnx(student.fit(X, [0] * 3 + [1] * 7))
            assert input_types(model) == {"a": "tensor(float)", "b": "tensor(string)"}
            proba = session_of(model).run(["probabilities"], onnx_feeds(model, X))[0]
            assert_allclose(proba, student.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ([False, True], np.int64),
        ([0.0, 2.0], np.int64),
        (["ja", "não 日本"], object),
        (np.array([3, 2**40], dtype=np.uint64), np.int64),
    ],
)
def test_labels(classes, expected):
    y = np.asarray(classes)[[0, 0, 1, 1]]
    model = to_onnx(LinearStudent().fit(np.array([[0.0], [1.0], [2.0], [3.0]]), y))
    label = session_of(model).run(["label"], {"X": np.array([[0], [3]], np.float32)})[0]
    assert label.dtype == expected
    assert label.tolist() == ([str(one) for one in classes] if expected is object else [int(one) for one in classes])


def test_a_users_transformer():
    X, y = mixed_table(n_classes=3)
    X["size"] = X["size"].astype(object).mask(X["age"] > 50)
    # an imputer does not take None for NaN
    X["word"] = X["word"].where(X["word"].notna(), np.nan)
    filled = SimpleImputer(strategy="constant", fill_value="zoë")
    encoder = make_column_transformer(
        (make_pipeline(filled, OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=20)), ["word"]),
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=9), ["size"]),
        (make_pipeline(SimpleImputer(), StandardScaler()), ["age", "reading"]),
        (RobustScaler(), ["income in €"]),
    )
    rows = wild_rows(X, 500)
    for student in (LinearStudent(encoder=encoder), small_mlp(encoder=encoder)):
        check(student.fit(X, y), rows)


def test_a_student_of_sparse_rows():
    rng = np.random.default_rng(0)
    X = np.where(rng.random((300, 6)) < 0.6, 0.0, rng.normal(size=(300, 6)) * [1, 1e3, 1e-3, 1e12, 1, 1])
    y = (X @ [1, 1e-3, 1e3, 1e-12, 1, -1] > 0).astype(int)
    rows = X.copy()
    rows[::3, 0] = np.nan
    rows[1::5, 4] = [1e30, -1e30, np.inf] * 20
    for student in (LinearStudent(), small_mlp()):
        check(student.fit(sparse.csr_array(X), y), rows)


@pytest.mark.parametrize("dtype", [case.values[3] for case in cases(kind="mlp", numeric="standard", n_classes=2)])
def test_weights_are_stored_in_their_dtype(dtype):
    student = fitted("mlp", "standard", 26, dtype)
    held = sum(array.nbytes for array in map(onnx.numpy_helper.to_array, to_onnx(student).graph.initializer))
    weights = [op.weight for op in student.program_.ops if hasattr(op, "weight")]
    assert all(weight.dtype == dtype for weight in weights)
    assert held < sum(weight.nbytes for weight in weights) + 4000


def test_a_distilled_classifier_exports_its_student(iris, iris_forest, monkeypatch):
    # both may not be exported within a second
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    model = DistilledClassifier(iris_forest, student="linear").fit(iris.X, iris.y)
    assert to_onnx(model) == to_onnx(model.student_)


def test_what_cannot_be_written(tmp_path, monkeypatch):
    class Strange(Op):
        """An op of somebody else."""

    student = fitted("linear", table="numbers")
    strange = pickle.loads(pickle.dumps(student))
    ops = list(strange.program_.ops)
    strange.program_ = Program([*ops[:-1], Strange(), ops[-1]])
    path = tmp_path / "student.onnx"
    with pytest.raises(TypeError, match="ONNX does not support the op Strange"):
        to_onnx(strange, path)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"to_onnx needs the package onnx: pip install skdistill\[export\]"):
        to_onnx(student, path)
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r"register_skl2onnx needs the package skl2onnx: pip install"):
        register_skl2onnx()
    assert not list(tmp_path.iterdir())


SERVE = """
import sys

# a process with onnxruntime and numpy: whatever else is installed here cannot be imported
class OnnxruntimeAlone:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("skdistill", "sklearn", "scipy", "torch", "onnx", "pandas"):
            raise ImportError(f"{name} is not installed here")

sys.meta_path.insert(0, OnnxruntimeAlone())
import numpy as np, onnxruntime, json
session = onnxruntime.InferenceSession(sys.argv[1])
X = np.array(json.load(open(sys.argv[2])))
print(json.dumps(session.run(["probabilities"], {"X": X})[0].tolist()))
"""


def test_a_process_with_onnxruntime_alone(tmp_path):
    student = fitted("mlp", "piecewise", 26, "float32", "numbers")
    to_onnx(student, tmp_path / "student.onnx", numbers="float64")
    X = numeric_table()[0][:50]
    (tmp_path / "rows.json").write_text(json.dumps(X.tolist()))
    done = subprocess.run(
        [sys.executable, "-c", SERVE, str(tmp_path / "student.onnx"), str(tmp_path / "rows.json")],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert_allclose(json.loads(done.stdout), student.predict_proba(X), atol=1e-6)


class TestSkl2onnx:
    @pytest.fixture(autouse=True)
    def registered(self):
        register_skl2onnx()

    @pytest.mark.parametrize("student", [LinearStudent(), small_mlp(), TreeStudent()], ids=["linear", "mlp", "tree"])
    def test_a_pipeline_of_numbers(self, student, iris):
        names = np.array(["setosa", "versicolor", "virginica"])[iris.y]
        forest = RandomForestClassifier(20, random_state=0)
        model = make_pipeline(StandardScaler(), DistilledClassifier(forest, student=student)).fit(iris.X, names)
        X = iris.X.astype(np.float32)
        onx = skl2onnx.to_onnx(model, X[:1], options={"zipmap": False})
        onnx.checker.check_model(onx, full_check=True)
        label, proba = session_of(onx).run(["label", "probabilities"], {"X": X})
        assert_allclose(proba, model.predict_proba(X), atol=1e-4)
        assert (label == model.predict(X)).mean() > 0.98
        # as skl2onnx answers of itself: a dict for each row
        label, dicts = session_of(skl2onnx.to_onnx(model, X[:1])).run(None, {"X": X})
        assert_allclose([[row[name] for name in model.classes_] for row in dicts], proba, atol=1e-7)

    def test_a_student_by_itself_takes_raw_columns(self):
        X, y = mixed_table(n_classes=3)
        X = X[["word", "age", "size", "level"]]
        student = LinearStudent().fit(X, y)
        rows = wild_rows(X, 300)
        with np.errstate(over="ignore"):
            rows = rows.astype({"age": np.float32, "level": np.float32})
        # in another order: they go by their names
        types = [("age", FloatTensorType), ("size", StringTensorType), ("level", FloatTensorType)]
        types = [(name, kind([None, 1])) for name, kind in [*types, ("word", StringTensorType)]]
        onx = skl2onnx.convert_sklearn(student, initial_types=types, options={"zipmap": False})
        feeds = onnx_feeds(to_onnx(student, numbers="float32"), rows)
        proba = session_of(onx).run(["probabilities"], feeds)[0]
        assert_allclose(proba, student.predict_proba(rows), atol=1e-5)
        types = [(name, FloatTensorType([None, 1])) for name in X.columns]
        with pytest.raises(TypeError, match="'size' is read as text; its input is one of float32"):
            skl2onnx.convert_sklearn(student, initial_types=types)
        types = [(name, StringTensorType([None, 1])) for name in X.columns]
        with pytest.raises(TypeError, match="'age' is read as a number; its input is one of strings"):
            skl2onnx.convert_sklearn(student, initial_types=types)

    def test_a_column_transformer_in_front(self):
        X, y = mixed_table(n_classes=3)
        prepare = make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore", sparse_output=False), [0]), (StandardScaler(), [1, 2])
        )
        X = np.column_stack([X["word"].fillna("none"), X["income in €"], X["level"]]).astype(object)
        model = make_pipeline(prepare, MLPStudent((8,), max_epochs=5, random_state=0)).fit(X, y)
        types = [("word", StringTensorType([None, 1])), ("rest", FloatTensorType([None, 2]))]
        onx = skl2onnx.convert_sklearn(model, initial_types=types, options={"zipmap": False})
        feeds = {"word": X[:, :1], "rest": X[:, 1:].astype(np.float32)}
        proba = session_of(onx).run(["probabilities"], feeds)[0]
        assert_allclose(proba, model.predict_proba(X), atol=1e-4)

    def test_other_columns_than_those_of_fit(self):
        student = fitted("linear", table="numbers")
        with pytest.raises(ValueError, match="gets 4 columns; it was fitted on 5"):
            skl2onnx.to_onnx(student, np.zeros((1, 4), np.float32))
        with pytest.raises(TypeError, match="Input 'X' is a Complex64TensorType"):
            skl2onnx.to_onnx(student, np.zeros((1, 5), np.complex64))
