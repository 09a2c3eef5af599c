"""fit on Parquet that may be larger than memory: a sample for the recipe, a stream of blocks for the net."""

import pickle

import numpy as np
import pytest
from helpers import RecordingTeacher, small_mlp, small_mlp_regressor
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression

from skdistill import DistilledClassifier, DistilledRegressor
from skdistill.distil import _dataset as dataset_room
from skdistill.distil import _out_of_core as out_of_core
from skdistill.student import _mlp_training as training

pd = pytest.importorskip("pandas")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
pads = pytest.importorskip("pyarrow.dataset")

N_ROWS, BLOCK, SAMPLE = 3000, 256, 600
ANSWERS = {"no": "p_no", "yes": "p_yes"}


def frame_of(n_rows, seed=0):
    """Return rows with a label, a number, a weight and the answers of a teacher."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(n_rows, 3)), columns=["a", "b", "c"])
    frame["city"] = pd.Categorical(rng.choice(["Lima", "Oslo"], n_rows))
    z = 2 * frame["a"] * frame["b"] + np.where(frame["city"] == "Oslo", 1.0, -1.0)
    p = 1 / (1 + np.exp(-z))
    frame["label"] = np.where(rng.random(n_rows) < p, "yes", "no")
    frame["number"] = 50 + 10 * z
    frame["weight"] = rng.choice([1.0, 2.0], n_rows)
    return frame.assign(p_no=1 - p, p_yes=p)


ROWS = ["a", "b", "c", "city"]


def write(folder, frame, n_files=3, **options):
    folder.mkdir(exist_ok=True)
    for number, part in enumerate(np.array_split(np.arange(len(frame)), n_files)):
        table = pa.Table.from_pandas(frame.iloc[part], preserve_index=False)
        pq.write_table(table, folder / f"part{number}.parquet", row_group_size=180, **options)
    return str(folder)


@pytest.fixture(scope="module", autouse=True)
def small_blocks():
    """Blocks and sample of a size at which a few thousand rows are many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset_room, "BLOCK_ROWS", BLOCK)
        patch.setattr(out_of_core, "SAMPLE_ROWS", SAMPLE)
        patch.setattr(out_of_core, "RARE_ROWS", 50)
        patch.setattr(out_of_core, "MORE_ROWS", 100)
        yield


@pytest.fixture(scope="module")
def frame():
    return frame_of(N_ROWS)


@pytest.fixture(scope="module")
def labelled(frame, tmp_path_factory):
    """The folder of rows, labels and answers."""
    return write(tmp_path_factory.mktemp("rows") / "rows", frame[[*ROWS, "label", "p_no", "p_yes"]])


def distiller(teacher=None, max_epochs=1, **params):
    student = small_mlp(batch_size=16, max_epochs=max_epochs, random_state=None)
    return DistilledClassifier(teacher, **{"student": student, "alpha": 0.5, "random_state": 0, **params})


@pytest.fixture(scope="module")
def fitted(labelled):
    """A student of all rows, which are seen three times."""
    return distiller(max_epochs=3).fit(labelled, "label", teacher_proba=ANSWERS)


def test_a_net_learns_from_all_rows_of_a_folder(fitted):
    model = fitted
    report, fresh = model.distillation_report_, frame_of(2000, seed=1)
    assert (report["n_rows"], report["n_left_out"], report["n_labelled"]) == (N_ROWS, 0, N_ROWS)
    assert report["stopped"] == "all rows seen"
    rows, losses = zip(*((point["n_rows"], point["loss"]) for point in report["learning_curve"]), strict=True)
    assert rows[0] == SAMPLE - 60
    assert rows[-1] - rows[0] == 3 * (N_ROWS - 60)
    assert losses[-1] < 0.9 * losses[0]
    assert model.classes_.tolist() == ["no", "yes"]
    # the labels themselves would be right in 83 of 100 rows
    assert (model.predict(fresh[ROWS]) == np.where(fresh["p_yes"] > 0.5, "yes", "no")).mean() > 0.9


def test_the_same_seed_and_files_give_the_same_bytes(fitted, labelled):
    pytest.importorskip("fsspec")
    again, other = (
        distiller(max_epochs=3, random_state=seed).fit(X, "label", teacher_proba=ANSWERS)
        for seed, X in ((0, f"file://{labelled}"), (1, labelled))
    )
    assert pickle.dumps(fitted.student_) == pickle.dumps(again.student_)
    assert pickle.dumps(fitted.student_) != pickle.dumps(other.student_)


def test_the_teacher_is_asked_once_about_each_row_block_by_block(frame, tmp_path):
    def answer(X):
        z = 2 * X["a"] * X["b"] + np.where(X["city"] == "Oslo", 1.0, -1.0)
        return np.column_stack([1 / (1 + np.exp(z)), 1 / (1 + np.exp(-z))])

    teacher = RecordingTeacher(answer)
    path = write(tmp_path / "rows", frame[[*ROWS, "label"]])
    model = distiller(teacher, max_epochs=2, classes=["no", "yes"]).fit(path, "label")
    assert model.distillation_report_["stopped"] == "all rows seen"
    asked = np.sort(np.concatenate([X["a"].to_numpy() for X in teacher.seen]))
    assert_array_equal(asked, np.sort(frame["a"]))
    assert max(map(len, teacher.seen)) <= max(SAMPLE, BLOCK + 180)


def test_an_epoch_has_each_row_once_in_mixed_blocks(labelled):
    rows = dataset_room.ParquetRows(labelled, dataset_room.Roles(("label",)))
    without = np.array([0, 5, 179, 180, N_ROWS - 1])
    orders = []
    for seed in (0, 1):
        blocks = [(table["a"].to_numpy(), positions) for table, positions in rows.blocks(seed, without)]
        orders.append(np.concatenate([positions for _, positions in blocks]))
        assert max(len(positions) for _, positions in blocks) <= BLOCK + BLOCK // 8
        assert_array_equal(np.sort(orders[-1]), np.setdiff1d(np.arange(N_ROWS), without))
        # of several row groups each
        assert min(len(np.unique(positions // 200)) for _, positions in blocks[:-2]) > 3
    assert not np.array_equal(*orders)


def test_a_block_mixes_the_rows_of_a_single_row_group(frame, tmp_path):
    pq.write_table(pa.Table.from_pandas(frame[ROWS]), tmp_path / "rows.parquet")
    rows = dataset_room.ParquetRows(tmp_path / "rows.parquet", dataset_room.Roles())
    blocks = list(rows.blocks(0, np.array([7])))
    assert_array_equal(np.sort(np.concatenate([positions for _, positions in blocks])), np.delete(np.arange(N_ROWS), 7))
    assert all(np.ptp(positions) > N_ROWS / 2 for _, positions in blocks)
    assert all((table["a"].to_numpy() == frame["a"].to_numpy()[positions]).all() for table, positions in blocks)


def test_a_column_may_have_no_type_in_the_first_file_and_more_categories_in_another(frame, tmp_path):
    """As pandas writes a column that is missing throughout, and one of more than 127 categories."""
    path = write(tmp_path / "rows", frame[[*ROWS, "label", "p_no", "p_yes"]], n_files=1)
    first = pq.read_table(f"{path}/part0.parquet")
    at = first.schema.get_field_index("b")
    pq.write_table(first.set_column(at, "b", pa.nulls(N_ROWS)), f"{path}/part0.parquet")
    many = frame.assign(city=pd.Categorical([f"city {row % 500}" for row in range(N_ROWS)]))
    pq.write_table(pa.Table.from_pandas(many[[*ROWS, "label", "p_no", "p_yes"]]), f"{path}/part1.parquet")
    model = distiller().fit(path, "label", teacher_proba=ANSWERS)
    assert model.distillation_report_["n_rows"] == 2 * N_ROWS


def test_a_rare_class_has_more_rows_in_the_sample_and_weights_undo_it(tmp_path):
    frame = frame_of(N_ROWS).assign(label=np.where(np.arange(N_ROWS) % 100 == 7, "rare", "often"))
    rows = dataset_room.ParquetRows(write(tmp_path / "rows", frame), dataset_room.Roles(("label",)))
    sample = rows.sample(SAMPLE, 20, 100, 0, classes=True)
    rare = sample.table["label"].to_numpy() == "rare"
    assert rare.sum() == 20
    assert_allclose(sample.weight[rare].sum() / sample.weight.sum(), 0.01)
    assert_array_equal(sample.table["a"].to_numpy(), frame["a"].to_numpy()[sample.positions])


@pytest.mark.filterwarnings("ignore:teacher_proba says little of these labels")
def test_it_stops_where_twice_as_many_rows_are_no_better(monkeypatch, tmp_path):
    monkeypatch.setattr(training, "_FIRST_STEPS", 20)
    # labels that nothing tells of
    label = np.random.default_rng(1).permutation(frame_of(N_ROWS)["label"])
    frame = frame_of(N_ROWS).assign(label=label, p_no=0.5, p_yes=0.5)
    path = write(tmp_path / "rows", frame[[*ROWS, "label", "p_no", "p_yes"]])
    report = distiller(alpha=0, max_epochs=3).fit(path, "label", teacher_proba=ANSWERS).distillation_report_
    assert report["stopped"] == "flat"
    assert report["n_rows"] + report["n_left_out"] == N_ROWS
    assert report["n_left_out"] > 1000
    student = small_mlp(batch_size=16, max_epochs=1, early_stopping=False)
    whole = distiller(alpha=0, student=student).fit(path, "label", teacher_proba=ANSWERS).distillation_report_
    assert whole["stopped"] == "all rows seen"


def test_a_regressor_learns_weighted_rows_of_a_single_file(frame, tmp_path):
    table = pa.Table.from_pandas(frame[[*ROWS, "number", "weight"]].assign(answer=frame["number"]))
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=300)
    student = small_mlp_regressor(batch_size=16, max_epochs=3)
    model = DistilledRegressor(student=student, alpha=0.5, random_state=0)
    model.fit(tmp_path / "rows.parquet", "number", teacher_pred="answer", sample_weight="weight")
    fresh = frame_of(1000, seed=1)
    assert model.score(fresh[ROWS], fresh["number"]) > 0.85
    # the index that pandas has written is no column
    assert model.n_features_in_ == 4


def test_rows_without_a_label_are_learned_from_answers(frame, tmp_path):
    label = frame["label"].where(np.arange(N_ROWS) % 3 > 0)
    path = write(tmp_path / "rows", frame[[*ROWS, "p_no", "p_yes"]].assign(label=label))
    with pytest.warns(UserWarning, match=r"1000 of 3000 rows have no label in \['label'\]"):
        model = distiller().fit(path, "label", teacher_proba=ANSWERS)
    assert model.distillation_report_["n_labelled"] == 2000


def test_the_only_row_of_a_class_is_not_held_out(frame, tmp_path, monkeypatch):
    monkeypatch.setattr(out_of_core, "_HELD_OUT", 0.9)
    label = frame["label"].where(np.arange(N_ROWS) != 1000, "zebra")
    path = write(tmp_path / "rows", frame[[*ROWS, "p_no", "p_yes"]].assign(label=label, p_zebra=0.0))
    model = distiller().fit(path, "label", teacher_proba=["p_no", "p_yes", "p_zebra"])
    assert model.classes_.tolist() == ["no", "yes", "zebra"]


def test_several_labels_for_each_row(frame, tmp_path):
    labels = frame[ROWS].assign(sunny=(frame["a"] > 0).astype(int), warm=(frame["b"] > 0).astype(int))
    path = write(tmp_path / "rows", labels.assign(p_sunny=labels["sunny"] * 0.9, p_warm=labels["warm"] * 0.9))
    model = distiller(max_epochs=2).fit(path, ["sunny", "warm"], teacher_proba=["p_sunny", "p_warm"])
    assert model.multilabel_
    assert (model.predict(frame[ROWS]) == labels[["sunny", "warm"]]).to_numpy().mean() > 0.9


@pytest.mark.parametrize("student", ["linear", "tree"])
def test_other_students_are_fitted_to_the_sample_and_say_so(student, labelled, frame):
    with pytest.warns(UserWarning, match=r"Student needs all its rows in memory: it is fitted to 600 of the 3000 rows"):
        model = distiller(student=student).fit(labelled, "label", teacher_proba=ANSWERS)
    assert model.distillation_report_["n_left_out"] == N_ROWS - SAMPLE
    assert (model.predict(frame[ROWS]) == frame["label"]).mean() > 0.6


def test_few_rows_are_fitted_as_in_memory(frame, tmp_path):
    few = frame[:SAMPLE]
    path = write(tmp_path / "rows", few[[*ROWS, "label", "p_no", "p_yes"]])
    found = distiller().fit(path, "label", teacher_proba=["p_no", "p_yes"])
    same = distiller().fit(few[ROWS], few["label"], teacher_proba=few[["p_no", "p_yes"]].to_numpy())
    assert found.distillation_report_["learning_curve"] is None
    assert pickle.dumps(found.program_) == pickle.dumps(same.program_)


def test_any_form_of_a_dataset(labelled, frame, tmp_path):
    known = pads.dataset(labelled)
    # what can be read once goes through a temporary file; so does a filtered dataset
    for X in (known, known.scanner().to_reader(), known.filter(pads.field("a") > -10)):
        model = distiller().fit(X, "label", teacher_proba=ANSWERS)
        assert model.distillation_report_["n_rows"] == N_ROWS
    # a column that is in the path alone
    parted = tmp_path / "parted"
    pads.write_dataset(known.to_table(), parted, partitioning=["city"], partitioning_flavor="hive", format="parquet")
    model = distiller().fit(parted, "label", teacher_proba=ANSWERS)
    assert sorted(model.feature_names_in_) == sorted(ROWS)


def test_bad_input_is_refused_before_any_work(frame, labelled, tmp_path):
    teacher = LogisticRegression()
    asks = distiller(lambda X: pytest.fail("the teacher was asked"), classes=["no", "yes"])

    def refused(match, X=labelled, y="label", error=ValueError, model=asks, **others):
        with pytest.raises(error, match=match):
            model.fit(X, y, **others)

    refused("There is no file or directory at X='nowhere.parquet'", "nowhere.parquet", error=FileNotFoundError)
    refused("X has no column 'lable'; its columns are", y="lable")
    refused("X has no column 'p'", teacher_proba=["p_no", "p"])
    refused("y has to name columns of it", y=frame["label"].to_numpy(), error=TypeError)
    refused("sample_weight has to name columns", sample_weight=np.ones(3), error=TypeError)
    refused("is not fitted. Fit the teacher on rows that do", model=distiller(teacher))
    refused("cv=5 fits clones", model=distiller(teacher, cv=5))
    refused("there is no teacher", model=distiller(None))
    refused("rows without a label stand in it", X_unlabeled=frame)
    refused("unexpected arguments", error=TypeError, groups=[1])
    refused("'label' is named twice", sample_weight="label")

    def folder(name, second):
        first = frame[[*ROWS, "label", "weight", "p_no", "p_yes"]][:200]
        path = write(tmp_path / name, first, n_files=1)
        pq.write_table(pa.Table.from_pandas(second(first), preserve_index=False), f"{path}/part9.parquet")
        return path

    refused(r"part9.parquet has other columns .*missing: \['b'\]", folder("gone", lambda one: one.drop(columns="b")))
    refused("Column 'b' is large_string in .*part9", folder("type", lambda one: one.assign(b=one["b"].astype(str))))
    twice = pa.Table.from_arrays([pa.array(frame[one]) for one in ("a", "b", "label")], names=["a", "a", "label"])
    pq.write_table(twice, tmp_path / "twice.parquet")
    refused("twice.parquet' cannot be read as one table: .*duplicate field names", tmp_path / "twice.parquet")
    refused("'b' holds an infinite number in .*part9.*row group 0", folder("inf", lambda one: one.assign(b=np.inf)))
    path = folder("target", lambda one: one.assign(weight=np.inf))
    regressor = DistilledRegressor(lambda X: pytest.fail("the teacher was asked"))
    refused("'weight' holds an infinite number in .*part9", path, y="weight", model=regressor)
    path = folder("weight", lambda one: one.assign(weight=-1.0))
    refused("'weight' holds a weight that is negative", path, sample_weight="weight")
    path = write(tmp_path / "texts", frame[:200][["a", "label"]].assign(none=0, text="1", b=[[1, 2]] * 200), n_files=1)
    refused(r"'b' holds several values in a cell \(list", path)
    path = write(tmp_path / "texts", frame[:200][["a", "label"]].assign(none=0, text="1"), n_files=1)
    refused("'text' is large_string; weights must be numbers", path, sample_weight="text")
    refused("All weights in column 'none' are zero", path, sample_weight="none")
    path = folder("null", lambda one: one.assign(p_no=one["p_no"].where(one["p_no"] > 0.5)))
    refused("Column 'p_no' has missing cells in .*part9", path, teacher_proba=ANSWERS)
    path = folder("sum", lambda one: one.assign(p_no=one["p_no"] * 2))
    refused("teacher_proba in .*part9.* do not sum to one", path, teacher_proba=ANSWERS)
    refused("holds no rows", write(tmp_path / "none", frame[:0], n_files=1))
