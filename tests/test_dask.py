"""Dask collections: labelled to a spool that a stopped run goes on from, fitted, and predicted lazily."""

import json
import os
import pickle
import resource
import signal
import threading
import time
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from helpers import CountingForest, ShippedForest, note, notes
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import NotFittedError

from skdistill import DistilledClassifier, DistilledRegressor, LinearStudent, compare, load
from skdistill.dask import label
from skdistill.dask._spool import Spool

dask = pytest.importorskip("dask")
dd, da = pytest.importorskip("dask.dataframe"), pytest.importorskip("dask.array")
pd, pads = pytest.importorskip("pandas"), pytest.importorskip("pyarrow.dataset")

N_PARTITIONS = 4


@pytest.fixture(autouse=True)
def _one_thread(request):
    with dask.config.set(scheduler=None if "cluster" in request.fixturenames else "synchronous"):
        yield


@pytest.fixture(scope="module")
def frame():
    """400 rows of three columns, and labels "no" and "yes"."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(400, 2)), columns=["a", "b"]).assign(city=rng.choice(["Oslo", "Lima"], 400))
    return X, pd.Series(np.where(X["a"] + (X["city"] == "Oslo") > 0.3, "yes", "no"), name="bought")


@pytest.fixture(scope="module")
def forest(frame):
    X, y = frame
    return RandomForestClassifier(10, random_state=0).fit(X[["a", "b"]], y)


@pytest.fixture(scope="module")
def numbers(frame):
    return dd.from_pandas(frame[0][["a", "b"]], npartitions=N_PARTITIONS)


def parts_of(folder):
    return sorted(path.name for path in Path(folder).glob("part-*.parquet"))


class FailsOnce:
    """A teacher that fails on a partition for as long as a file is there."""

    classes = ("no", "yes")

    def __init__(self, model, file, first):
        self.model, self.file, self.first = model, file, first

    def __call__(self, X):
        if Path(self.file).exists() and X.iloc[0, 0] == self.first:
            raise ArithmeticError("no answer today.")
        note(f"{self.file}.log", "ask", X)
        return self.model.predict_proba(X)


def test_the_spool_holds_rows_labels_and_answers_in_order(frame, tmp_path):
    X, y = frame
    teacher = RandomForestRegressor(5, random_state=0).fit(X[["a", "b"]], y == "yes")

    def ask(rows):
        return np.column_stack([p := teacher.predict(rows[["a", "b"]]), 1 - p])

    rows = dd.from_pandas(X.assign(bought=y), npartitions=N_PARTITIONS)
    given = rows[["a", "city", "b"]]
    manifest = label(ask, given, tmp_path, y=rows["bought"], classes=["yes", "no"])
    assert manifest["rows"] == ["a", "city", "b"]
    assert (manifest["y"], manifest["answers"]) == ("bought", ["yes", "no"])
    assert manifest["n_rows"] == manifest["n_asked"] == sum(part["n_rows"] for part in manifest["partitions"]) == 400
    # any reader of Parquet finds the rows once
    found = pads.dataset(tmp_path, format="parquet").to_table().to_pandas()
    assert list(found["city"]) == list(X["city"])
    assert list(found["bought"]) == list(y)
    assert_array_equal(found[["yes", "no"]].to_numpy(), ask(X))
    assert_array_equal(found[["a", "b"]].to_numpy(), X[["a", "b"]].to_numpy())
    stored = json.loads((tmp_path / "_manifest.json").read_text())
    assert all(stored[name] == value for name, value in manifest.items() if name != "n_asked")


def test_arrays_and_regressors_and_any_filesystem(frame):
    X = frame[0][["a", "b"]].to_numpy()
    teacher = RandomForestRegressor(5, random_state=0).fit(X, X[:, 0])
    url = "memory://skdistill-test/spool"
    manifest = label([teacher, teacher], da.from_array(X, chunks=(150, 1)), url)
    assert (manifest["rows"], manifest["answers"]) == (["column 0", "column 1"], ["teacher_pred"])
    assert label([teacher, teacher], da.from_array(X, chunks=(150, 1)), url)["n_asked"] == 0
    import fsspec

    found = pads.dataset("/skdistill-test/spool", format="parquet", filesystem=fsspec.filesystem("memory"))
    assert_allclose(found.to_table()["teacher_pred"].to_numpy(), teacher.predict(X))


def test_what_has_been_answered_is_not_asked_again(frame, numbers, tmp_path):
    X, y = frame
    forest = CountingForest(tmp_path / "log", n_estimators=5).fit(X[["a", "b"]], y)
    spool = tmp_path / "spool"
    label(forest, numbers, spool)
    assert len(notes(tmp_path / "log", "ask")) == N_PARTITIONS
    # as a kill leaves it: one file not written, one half-written under its temporary name; and one that is damaged
    (spool / "part-000000.parquet").unlink()
    (spool / ".part-000000.parquet.00.tmp").write_bytes(b"PAR1")
    whole = (spool / "part-000002.parquet").read_bytes()
    (spool / "part-000002.parquet").write_bytes(whole[:100])
    assert label(forest, numbers, spool)["n_asked"] == 200
    assert len(notes(tmp_path / "log", "ask")) == N_PARTITIONS + 2
    assert sorted(os.listdir(spool)) == ["_manifest.json", *(f"part-00000{at}.parquet" for at in range(4))]
    assert (spool / "part-000002.parquet").read_bytes() == whole
    # a collection that has grown by partitions goes on as well
    more = dd.concat([numbers, numbers.partitions[:1]])
    assert label(forest, more, spool)["n_asked"] == 100


def test_a_teacher_is_recognised_by_its_answers(frame, forest, numbers, tmp_path):
    label(forest, numbers, tmp_path)
    (tmp_path / "part-000001.parquet").unlink()
    # a forest's pickle differs each time
    again = pickle.loads(pickle.dumps(forest))
    again.told = time.time()
    assert label(again, numbers, tmp_path)["n_asked"] == 100
    X, y = frame
    other = RandomForestClassifier(10, random_state=1).fit(X[["a", "b"]], y)
    with pytest.raises(ValueError, match=r"holds the answers of another teacher .*Label to another path"):
        label(other, numbers, tmp_path)


def test_a_teacher_that_differs_in_rare_rows_alone_is_another(frame, tmp_path):
    X = frame[0][["a", "b"]].sort_values("b", ignore_index=True)
    rows = dd.from_pandas(X, npartitions=1)
    one, other = (lambda X, at=at: np.column_stack([X["b"] < at, X["b"] >= at]).astype(float) for at in (1.8, 2.2))
    label(one, rows, tmp_path, classes=["no", "yes"])
    with pytest.raises(ValueError, match="holds the answers of another teacher"):
        label(other, rows, tmp_path, classes=["no", "yes"])


def test_a_teacher_that_differs_where_it_is_unsure_is_another(frame, numbers, tmp_path):
    X, y = frame
    trees = [RandomForestClassifier(5, random_state=seed).fit(X[["a", "b"]], y) for seed in (0, 1)]
    fit = {"student": "linear", "alpha": 1, "spool": tmp_path}
    DistilledClassifier(trees, teacher_weights=[1, 3], **fit).fit(numbers)
    with pytest.raises(ValueError, match="holds the answers of another teacher"):
        DistilledClassifier(trees, teacher_weights=[3, 1], **fit).fit(numbers)


def test_two_runs_to_a_folder_write_the_same(tmp_path):
    spool, other = Spool(str(tmp_path)), Spool(str(tmp_path))

    def write(file):
        other.write("part-000000.parquet", lambda file: file.write(b"rows"))
        other.clear()
        file.write(b"rows")

    spool.write("part-000000.parquet", write)
    assert os.listdir(tmp_path) == ["part-000000.parquet"]


def test_other_rows_than_those_of_the_spool_are_refused(forest, numbers, tmp_path):
    label(forest, numbers, tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}
    parts = [numbers.partitions[at] for at in range(4)]
    other = dd.concat([*parts[:2], parts[2] + 1, parts[3]])
    with pytest.raises(ValueError, match=r"part-000002.parquet holds answers for other rows than partition 2 of 4 has"):
        label(forest, other, tmp_path)
    emptied = dd.concat([*parts[:2], parts[2][parts[2]["a"] > 9], parts[3]])
    with pytest.raises(ValueError, match=r"part-000002.parquet holds answers for other rows than partition 2 of 4 has"):
        label(forest, emptied, tmp_path)
    with pytest.raises(ValueError, match="answers for 4 partitions, and the collection has 3"):
        label(forest, numbers.partitions[:3], tmp_path)
    with pytest.raises(ValueError, match=r"rows with the columns \['a', 'b'\]; here they are \['b', 'a'\]"):
        label(forest, numbers[["b", "a"]], tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)} == before
    (tmp_path / "_manifest.json").unlink()
    with pytest.raises(FileExistsError, match="no manifest of skdistill"):
        label(forest, numbers, tmp_path)


def test_a_teacher_that_fails_on_a_partition(frame, forest, numbers, tmp_path):
    X = frame[0]
    teacher = FailsOnce(forest, tmp_path / "fails", X["a"][200])
    (tmp_path / "fails").touch()
    with pytest.raises(
        RuntimeError, match=r"failed on partition 2 of 4 \(100 rows\): ArithmeticError: no answer today"
    ):
        label(teacher, numbers, tmp_path / "spool", classes=teacher.classes)
    answered = parts_of(tmp_path / "spool")
    assert "part-000002.parquet" not in answered
    (tmp_path / "fails").unlink()
    assert label(teacher, numbers, tmp_path / "spool", classes=teacher.classes)["n_rows"] == 400
    # each partition once, and some rows to recognise the teacher by, which is no estimator
    asked = notes(tmp_path / "fails.log", "ask")
    assert len(asked) == len(set(asked)) == N_PARTITIONS + bool(answered)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda part: part.assign(c=1.0), r"partition 2 of 4 has other columns .*unexpected: \['c'\]"),
        (lambda part: part[["b", "a"]], r"partition 2 of 4 has other columns than the collection \(their order\)"),
        (lambda part: part.assign(b=part["b"].astype(int)), "partition 2 of 4 .*b is int64 instead of float64"),
    ],
)
def test_a_partition_with_other_columns_or_types(frame, forest, tmp_path, change, message):
    X = frame[0][["a", "b"]]

    def read(number):
        part = X.iloc[100 * number : 100 * (number + 1)]
        return change(part) if number == 2 else part

    rows = dd.from_map(read, range(4), meta=X[:0], enforce_metadata=False)
    with pytest.raises(ValueError, match=message):
        label(forest, rows, tmp_path)


def test_an_empty_partition_is_not_asked_about(frame, forest, numbers, tmp_path):
    X, _ = frame
    few = numbers[numbers["a"] > float(X["a"][:100].max())]
    manifest = label(forest, few, tmp_path)
    assert manifest["partitions"][0] == {"file": None, "n_rows": 0}
    assert manifest["n_rows"] == (X["a"] > X["a"][:100].max()).sum() == pads.dataset(tmp_path).count_rows()
    model = DistilledClassifier(forest, student="linear").fit(numbers)
    assert len(model.predict_proba(few.partitions[0]).compute()) == 0
    with pytest.raises(ValueError, match="no rows"):
        label(forest, numbers[numbers["a"] > 1e9], tmp_path / "none")


@contextmanager
def files_of_at_most(n_bytes):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_is_full(frame, forest, tmp_path):
    X = frame[0][["a", "b"]]
    rows = dd.concat([dd.from_pandas(part, npartitions=1) for part in (X[:20], X, X[:30])], interleave_partitions=False)
    with files_of_at_most(5_000), pytest.raises(OSError, match="partition 1 of 3 could not be written: File too large"):
        label(forest, rows, tmp_path)
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".tmp")]
    n_done = sum(part != "part-000001.parquet" for part in parts_of(tmp_path))
    manifest = label(forest, rows, tmp_path)
    assert manifest["n_rows"] == pads.dataset(tmp_path).count_rows() == 450
    assert manifest["n_asked"] <= 450 - 20 * n_done


def test_what_cannot_be_labelled_is_refused_before_any_work(frame, forest, numbers, tmp_path):
    X = frame[0]
    for bad, error, message in [
        ((RandomForestClassifier(), numbers), NotFittedError, "not fitted"),
        ((forest, X), TypeError, "from_pandas"),
        ((forest, numbers[["a"]]), ValueError, "X has 1 columns, but teacher RandomForestClassifier was fitted on 2"),
        ((forest, numbers.rename(columns={"a": "no"})), ValueError, "would be the name of several"),
        ((forest, numbers.rename(columns={"a": 0})), ValueError, "names of columns must be strings"),
    ]:
        with pytest.raises(error, match=message):
            label(*bad, tmp_path)
    with pytest.raises(ValueError, match="X has 4 partitions and y 2"):
        label(forest, numbers, tmp_path, y=numbers["a"].rename("y").repartition(npartitions=2))
    with pytest.raises(TypeError, match="y must be a Dask Series"):
        label(forest, numbers, tmp_path, y=frame[1])
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba", "decision_function"])
def test_predictions_for_a_frame_are_lazy_with_its_index_and_divisions(frame, method, tmp_path):
    X, y = frame
    student = LinearStudent().fit(X, y)
    rows = dd.from_pandas(X, npartitions=N_PARTITIONS)
    student.export(tmp_path / "student.skd")
    distilled = DistilledClassifier(student, student="linear").fit(X)
    for model in (student, load(tmp_path / "student.skd"), distilled):
        lazy, expected = getattr(model, method)(rows), getattr(model, method)(X)
        assert lazy.divisions == rows.divisions
        found = lazy.compute()
        assert_array_equal(found.to_numpy(), expected)
        assert found.index.equals(X.index)
        if found.ndim == 2:
            assert list(lazy.columns) == list(found.columns) == ["no", "yes"]
        assert str(lazy._meta.dtypes) == str(found[:0].dtypes)
    with pytest.raises(ValueError, match="missing"):
        student.predict(rows[["a"]])
    with pytest.raises(ValueError, match="X is a Dask Series; expected a DataFrame"):
        student.predict(rows["a"])


def test_decimals_and_dates_of_parquet_and_objects(frame, tmp_path):
    X, y = frame
    X = X.assign(on=pd.date_range("2020", periods=400).date, price=[Decimal(row) / 4 for row in range(400)])
    X.to_parquet(tmp_path / "rows.parquet", row_group_size=100)
    rows = dd.read_parquet(tmp_path / "rows.parquet", split_row_groups=True)
    student = LinearStudent().fit(X, y)
    teacher = student.predict_proba
    model = DistilledClassifier(teacher, classes=["no", "yes"], student="linear", alpha=1).fit(rows)
    assert_array_equal(model.predict(rows).compute(), model.predict(X))
    with dask.config.set({"dataframe.convert-string": False}):
        rows = dd.from_pandas(X, npartitions=N_PARTITIONS)
    assert str(rows.dtypes["on"]) == "object"
    assert_allclose(student.predict_proba(rows).compute(), student.predict_proba(X), rtol=1e-12)
    objects = da.from_array(X.to_numpy(), chunks=(100, 5))
    student.fit(X.to_numpy(), y)
    assert_array_equal(student.predict(objects).compute(), student.predict(X.to_numpy()))


def test_predictions_for_an_array_are_lazy_with_its_chunks(frame):
    X, y = frame
    X = X[["a", "b"]].to_numpy()
    student = LinearStudent().fit(X, y.to_numpy(dtype="U3"))
    rows = da.from_array(X, chunks=(150, 1))
    proba, labels = student.predict_proba(rows), student.predict(rows)
    assert (proba.shape, proba.chunks, proba.dtype) == ((400, 2), ((150, 150, 100), (2,)), np.float64)
    assert (labels.chunks, labels.dtype) == (((150, 150, 100),), np.dtype("U3"))
    # BLAS may round otherwise for another number of rows
    assert_allclose(proba.compute(), student.predict_proba(X), rtol=1e-12)
    assert_array_equal(labels.compute(), student.predict(X))


def test_fit_of_a_frame_is_that_of_its_rows_and_asks_once(frame, tmp_path):
    X, y = frame
    teacher = CountingForest(tmp_path / "log").fit(X[["a", "b"]], y)
    rows = dd.from_pandas(X.assign(bought=y), npartitions=N_PARTITIONS)
    model = DistilledClassifier(teacher, student="linear", alpha=0.5, spool=tmp_path / "spool")
    model.fit(rows[["a", "b"]], rows["bought"])
    asked = notes(tmp_path / "log", "ask")
    assert len(asked) == len(set(asked)) == N_PARTITIONS
    known = DistilledClassifier(teacher, student="linear", alpha=0.5).fit(X[["a", "b"]], y)
    assert_allclose(model.predict_proba(X[["a", "b"]]), known.predict_proba(X[["a", "b"]]), rtol=1e-9)
    n_asked = len(notes(tmp_path / "log", "ask"))
    model.set_params(student="tree").fit(rows[["a", "b"]], rows["bought"])
    assert len(notes(tmp_path / "log", "ask")) == n_asked


def test_fit_of_an_array_of_numbers(frame):
    X = frame[0][["a", "b"]].to_numpy()
    teacher = RandomForestRegressor(10, random_state=0).fit(X, X[:, 0])
    rows = da.from_array(X, chunks=(150, 2))
    model = DistilledRegressor(teacher, student="linear").fit(rows)
    assert model.score(X, X[:, 0]) > 0.9
    assert_allclose(model.predict(rows).compute(), model.predict(X), rtol=1e-12)


def test_fit_of_a_collection_refuses_what_needs_rows_in_memory(forest, numbers):
    with pytest.raises(TypeError, match="LinearStudent takes rows in memory here, and X is a Dask DataFrame"):
        LinearStudent().fit(numbers, numbers["a"])
    with pytest.raises(TypeError, match=r"X is the path 'rows\.parquet'"):
        LinearStudent().fit("rows.parquet", "bought")
    with pytest.raises(TypeError, match="compare takes rows in memory here"):
        compare(forest, {}, numbers, np.zeros(400))
    with pytest.raises(ValueError, match=r"is not fitted\. Fit the teacher on rows that do"):
        DistilledClassifier(RandomForestClassifier()).fit(numbers)
    with pytest.raises(ValueError, match=r"X and y alone .* sample_weight"):
        DistilledClassifier(forest).fit(numbers, sample_weight=np.ones(400))
    with pytest.raises(ValueError, match="cv=5 fits clones"):
        DistilledClassifier(forest, cv=5).fit(numbers)


@pytest.fixture(scope="module")
def cluster():
    """A client of two workers, each a process of one thread."""
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0", "memory_limit": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        yield client


def test_a_worker_that_is_killed(frame, cluster, tmp_path):
    X, y = frame
    X = X[["a", "b"]]
    teacher = ShippedForest(tmp_path / "log", n_estimators=5).fit(X, y)
    rows = dd.from_pandas(X, npartitions=10)
    victim = next(iter(cluster.run(os.getpid).values()))

    def kill():
        while len(parts_of(tmp_path / "spool")) < 2:
            time.sleep(0.01)
        os.kill(victim, signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    manifest = label(teacher, rows, tmp_path / "spool")
    killer.join()
    assert manifest["n_rows"] == 400
    found = pads.dataset(tmp_path / "spool", format="parquet").to_table().to_pandas()
    assert_array_equal(found[["no", "yes"]].to_numpy(), teacher.predict_proba(X))
    # each worker got the teacher once, the one in the place of the killed one too
    assert 2 <= len(notes(tmp_path / "log", "unpickled")) <= 3
    student = LinearStudent().fit(X, y)
    assert_array_equal(student.predict(rows).compute().to_numpy(), student.predict(X))
