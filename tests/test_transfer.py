"""The transfer set: new rows made between neighbours, and the user's own rows without labels."""

import numpy as np
import pytest
from helpers import CountingForest, Optional, RecordingStudent, RecordingTeacher, notes, small_mlp, small_tree
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib import hash as content_hash
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from tables_helpers import customers, every_kind
from test_fuzz_tables import tables

from skdistill import DistilledClassifier
from skdistill.distil import stack
from skdistill.program import is_missing

pl = Optional("polars")
pd = Optional("pandas")


def distilled(X, y=None, *, answer=None, X_unlabeled=None, sample_weight=None, **params):
    """Return a teacher that was asked about rows, and the model that was fitted to its answers."""
    teacher = RecordingTeacher(answer)
    params = {"student": RecordingStudent(), "alpha": 1 if y is None else 0.5, "random_state": 0, **params}
    model = DistilledClassifier(teacher, **params)
    model.fit(X, y, X_unlabeled=X_unlabeled, sample_weight=sample_weight)
    return teacher, model


def made(X, augment=2, **params):
    """Return the new rows as the teacher was asked about them."""
    teacher, _ = distilled(X, augment=augment, **params)
    first, rows = teacher.seen
    assert first is X
    return rows


def cells(X):
    """Return the columns of rows as lists of cells that can be compared, None for a missing value."""
    if hasattr(X, "to_list") or hasattr(X, "tolist"):
        columns = np.asarray(X).T.tolist()
    else:
        columns = [X[name].to_list() for name in X.columns]
    return [[None if is_missing(cell) else cell for cell in column] for column in columns]


def pairs(first, second):
    return set(zip(first, second, strict=True))


# the container, the types and the cells


def wide():
    return every_kind(60)[0]


def objects():
    frame = wide()
    return frame.astype(object).where(frame.notna(), None)


FORMS = {
    "pandas": wide,
    "pandas, another index": lambda: wide().set_axis(np.arange(60)[::-1] // 2),
    "pandas, objects": objects,
    "pandas, numbered columns": lambda: pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3))),
    "pandas, one column": lambda: wide()[["age"]],
    "polars": lambda: pl.from_pandas(wide()).with_columns(pl.col("name").cast(pl.Enum(["ann", "Ann", "zoë", ""]))),
    "array of floats": lambda: wide()[["age", "visits"]].to_numpy(),
    "array of float32": lambda: np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32),
    "array of integers": lambda: np.random.default_rng(0).integers(-(2**40), 2**40, (60, 3)),
    "array of booleans": lambda: np.random.default_rng(0).random((60, 3)) < 0.5,
    "array of objects": lambda: objects()[["plan", "age", "name", "visits", "gone"]].to_numpy(),
}


@pytest.mark.parametrize("form", FORMS)
def test_new_rows_come_in_the_form_of_the_rows_with_cells_that_occur(form):
    X = FORMS[form]()
    teacher, model = distilled(X, np.arange(60) % 2, augment=2)
    rows = teacher.seen[1]
    assert type(rows) is type(X)
    assert rows.shape == (120, X.shape[1])
    if isinstance(X, np.ndarray):
        assert rows.dtype == X.dtype
    else:
        assert list(rows.columns) == list(X.columns)
        assert list(rows.dtypes) == list(X.dtypes)
    if isinstance(X, pd.DataFrame):
        assert rows.index.equals(pd.RangeIndex(120))
    for before, after in zip(cells(X), cells(rows), strict=True):
        assert {(type(cell), cell) for cell in after} <= {(type(cell), cell) for cell in before}
    # the student learns from both, the new ones without labels
    student = model.student_
    whole = student.rows_
    assert type(whole) is type(X)
    assert cells(whole) == [old + new for old, new in zip(cells(X), cells(rows), strict=True)]
    if not isinstance(X, np.ndarray):
        assert list(whole.dtypes) == list(X.dtypes)
    assert_array_equal(student.targets_.labels, np.r_[np.arange(60) % 2, np.full(120, -1)])
    assert model.distillation_report_["n_new"] == 120


@pytest.mark.filterwarnings("ignore:(Not used|Texts are read|Cells unlike|Read as texts|Column .* holds)")
@settings(max_examples=15)
@given(tables(), st.integers(0, 9))
def test_new_rows_of_wild_tables(table, seed):
    X, _, _ = table
    rows = made(X, random_state=seed)
    assert rows.shape == (2 * len(X), X.shape[1])
    assert_array_equal(rows.dtypes, X.dtypes)
    for name in X.columns:
        assert set(map(repr, rows[name].tolist())) <= set(map(repr, X[name].tolist()))


# what is new


def test_numbers_move_between_neighbours_and_not_across_the_table():
    rng = np.random.default_rng(0)
    side = np.where(np.arange(200) % 2, 10, -10)
    X = rng.normal(size=(200, 3)) + side[:, None]
    rows = made(X)
    known = set(map(tuple, X.tolist()))
    assert np.mean([tuple(row) in known for row in rows.tolist()]) < 0.2
    # two clouds stay two clouds
    assert (abs(np.sign(rows).sum(axis=1)) == 3).all()
    # and each is about as wide as it was
    for sign in (-1, 1):
        before, after = X[side * sign > 0], rows[rows[:, 0] * sign > 0]
        assert abs(after.mean(axis=0) - before.mean(axis=0)).max() < 0.25
        assert (abs(after.std(axis=0) / before.std(axis=0) - 1) < 0.3).all()


def test_no_level_meets_a_missing_value_that_it_never_has():
    # rows in pairs, each next to one that is alike but for the question and its answer
    rng = np.random.default_rng(0)
    alike = np.repeat(rng.normal(size=(100, 6)), 2, axis=0) + 0.01 * rng.normal(size=(200, 6))
    asked = np.arange(200) % 2 == 1
    X = pd.DataFrame(alike).set_axis(list("uvwxyz"), axis=1)
    X = X.assign(asked=np.where(asked, "yes", "no"), answer=np.where(asked, rng.normal(size=200), np.nan))
    rows = made(X)
    assert ((rows["asked"] == "yes") == rows["answer"].notna()).all()
    assert len(rows["answer"].unique()) > 50


def test_no_two_levels_meet_that_never_do():
    rng = np.random.default_rng(0)
    n = 300
    country = rng.integers(0, 4, n)
    X = pd.DataFrame(
        {
            "country": np.array(list("abcd"))[country],
            # each country has cities of its own
            "city": pd.Categorical([f"{one}{rng.integers(3)}" for one in country]),
            "size": rng.choice(["s", "m", "l"], n),
            "paint": rng.choice(["red", "green", "blue", "white"], n),
            "few": rng.integers(0, 3, n) + 3 * (country > 1),
            "age": rng.normal(size=n),
        }
    )
    before, after = X, made(X, augment=3)
    levels = ["country", "city", "size", "paint", "few"]
    for first in levels:
        for second in levels:
            assert pairs(after[first], after[second]) <= pairs(before[first], before[second])
    # and yet levels change: there are rows of them that were not there
    whole = [set(X[levels].itertuples(index=False, name=None)) for X in (before, after)]
    assert whole[1] - whole[0]


def test_new_rows_follow_the_random_state():
    X = customers(80)[0]
    first, again, other = (made(X, random_state=seed) for seed in (3, 3, 4))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)
    # where there is none, that of the student
    given = made(X, random_state=None, student=small_tree(random_state=3))
    pd.testing.assert_frame_equal(given, first)


TABLES = {
    "constant columns": np.column_stack([np.zeros(30), np.arange(30.0), np.full(30, np.nan)]),
    "nothing but one row": np.ones((30, 2)),
    "two rows": np.array([[0.0, 1.0], [5.0, 3.0]]),
    "one row for each class": np.array([[0.0, 1.0], [5.0, 3.0], [1.0, 2.0]]),
    "duplicates": np.repeat(np.random.default_rng(0).normal(size=(10, 3)), 3, axis=0),
    "gaps alone": np.full((30, 2), np.nan),
    "huge numbers": np.random.default_rng(0).uniform(-1, 1, (40, 2)) * np.finfo(float).max,
}


@pytest.mark.parametrize("X", TABLES.values(), ids=TABLES)
def test_tables_with_little_to_draw_from(X):
    rows = made(X, augment=1.5)
    assert rows.shape == (round(1.5 * len(X)), X.shape[1])
    for before, after in zip(cells(X), cells(rows), strict=True):
        assert set(after) <= set(before)


def test_of_many_rows_new_ones_are_made_between_neighbours_still():
    side = np.where(np.arange(9_000) % 3, 10, -10)
    X = np.random.default_rng(0).normal(size=(9_000, 3)) + side[:, None]
    rows = made(X, augment=1)
    assert len(rows) == 9_000
    assert (abs(np.sign(rows).sum(axis=1)) == 3).all()
    assert len(np.unique(rows, axis=0)) > 7_000


@pytest.mark.parametrize("offset", [1e15, -1e12, 0.0])
def test_numbers_far_from_zero_are_drawn_as_others_are(offset):
    near = np.round(1_000 * np.random.default_rng(0).normal(size=(600, 2)))
    rows, moved = made(near), made(near + offset)
    assert (moved - offset == rows).mean() > 0.99


def test_of_many_columns_new_rows_are_made_between_neighbours_still():
    X = np.random.default_rng(0).normal(size=(60, 100)) + np.where(np.arange(60) % 2, 3, -3)[:, None]
    rows = made(X)
    assert (abs(np.sign(rows).sum(axis=1)) > 80).all()


def test_memory_asks_once_about_the_new_rows_of_a_fold(tmp_path, iris):
    log = str(tmp_path / "log")
    teacher = CountingForest(log).fit(iris.X, iris.y)
    model = DistilledClassifier(
        teacher, student="linear", alpha=0.5, augment=2, memory=str(tmp_path / "cache"), random_state=0
    )
    GridSearchCV(model, {"temperature": [1, 2, 4]}, cv=2, error_score="raise").fit(iris.X, iris.y)
    asked = notes(log, "ask")
    assert len(asked) == len(set(asked)) == 2 * (2 + 1), "rows and new rows of two folds, and of all rows to refit"


def test_where_no_new_rows_can_be_made_or_answered_is_said_before_a_teacher_is_asked(iris, iris_forest):
    def refused(match, teacher, X, fit=None, **params):
        model = DistilledClassifier(teacher, **{"student": "linear", "alpha": 0.5, "augment": 2, **params})
        with pytest.raises(ValueError, match=match):
            model.fit(X, iris.y, **(fit or {}))

    teacher = RecordingTeacher()
    refused(r"augment=2 needs a table with dense columns; X is sparse", teacher, sparse.csr_array(iris.X))
    texts = make_pipeline(HashingVectorizer(), LogisticRegression())
    refused(r"dense columns; X is not a table.*X_unlabeled for more rows", teacher, ["a"] * 150, student=texts)
    assert teacher.seen == []
    answers = {"teacher_proba": iris_forest.predict_proba(iris.X)}
    refused(r"augment=2 needs a teacher that predicts the new rows, and teacher is None", None, iris.X, answers)
    unfitted = RandomForestClassifier(5)
    refused(r"teacher is not fitted if teacher_proba is passed", unfitted, iris.X, answers)
    # answers for rows without labels have to be given below
    more = {**answers, "X_unlabeled": iris.X}
    refused(r"append those for the 150 rows of X_unlabeled", None, iris.X, more, augment=0)
    with pytest.raises(ValueError, match="The 'augment' parameter of DistilledClassifier must be"):
        DistilledClassifier(iris_forest, augment=-1).fit(iris.X, iris.y)


# the user's own rows


def half(X):
    """A teacher that goes by the first two columns, in a way that no line tells apart."""
    A = np.asarray(X, dtype=float)
    p = 1 / (1 + np.exp(-6 * A[:, 0] * A[:, 1]))
    return np.column_stack([1 - p, p])


def test_rows_without_labels_bring_a_student_nearer_to_its_teacher():
    rng = np.random.default_rng(0)
    X, more, fresh = (rng.normal(size=(n, 4)) for n in (100, 2000, 2000))
    y = (rng.random(100) < half(X)[:, 1]).astype(int)

    def agreement(**fit):
        _, model = distilled(X, y, answer=half, student=small_mlp(learning_rate=0.01), **fit)
        return np.mean(model.predict(fresh) == half(fresh).argmax(axis=1))

    alone, together = agreement(), agreement(X_unlabeled=more)
    assert together > 0.9
    assert together > alone + 0.05


@pytest.mark.filterwarnings("ignore:teacher .* says little of these labels:UserWarning")
@pytest.mark.parametrize("form", ["pandas", "polars", "array", "list", "sparse"])
def test_rows_without_labels_reach_teacher_and_student(form):
    frame, y = customers(80)
    X, more = frame.iloc[:60], frame.iloc[60:].reset_index(drop=True)
    y, columns = y[:60], list(frame.columns)
    if form == "pandas":
        # in another order, and with categories listed otherwise
        more = more[columns[::-1]].astype({"city": str}).astype({"city": "category"})
    elif form == "polars":
        X, more = pl.from_pandas(X), pl.from_pandas(more)[columns[::-1]].cast({"visits": pl.Int8, "city": pl.String})
    else:
        X, more = ((one[["age", "visits"]].fillna(0)).to_numpy() for one in (X, more))
        X, more = (sparse.csr_array(one) if form == "sparse" else one for one in (X, more))
        more = more.tolist() if form == "list" else more
    weight = np.where(np.arange(60) < 10, 0.0, np.linspace(1, 3, 60))
    answer = (lambda rows: np.full((rows.shape[0], 2), 0.5)) if form == "sparse" else None
    teacher, model = distilled(X, y, answer=answer, X_unlabeled=more, sample_weight=weight)
    first, second = teacher.seen
    assert (first.shape[0], second.shape[0]) == (60, 20)
    student = model.student_
    expected = frame.iloc[10:]
    if form in ("pandas", "polars"):
        assert list(second.columns) == columns
        assert list(student.rows_.dtypes) == list(X.dtypes)
        assert cells(student.rows_) == cells(expected)
    else:
        rows = student.rows_.toarray() if form == "sparse" else student.rows_
        assert_array_equal(rows, expected[["age", "visits"]].fillna(0))
    # rows of weight zero are no rows; one without a label weighs as much as the average of the others
    assert_array_equal(student.targets_.labels, np.r_[y[10:], np.full(20, -1)])
    assert_array_equal(student.targets_.sample_weight, np.r_[weight[10:], np.full(20, weight[10:].mean())])
    report = model.distillation_report_
    assert (report["n_rows"], report["n_labelled"], report["n_new"]) == (70, 50, 0)


@pytest.mark.parametrize("form", [list, np.array, lambda rows: pd.Series(rows)], ids=["list", "array", "Series"])
def test_texts_without_labels(form):
    texts = [f"{first} {second}" for first in ("good", "bad", "fine") for second in ("film", "book", "day", "play")]

    def teacher(rows):
        p = np.array([0.1 if "bad" in text else 0.9 for text in rows])
        return np.column_stack([1 - p, p])

    student = make_pipeline(HashingVectorizer(n_features=64), RecordingStudent())
    model = DistilledClassifier(teacher, student=student, alpha=1).fit(form(texts[:3]), X_unlabeled=form(texts[3:]))
    assert model.student_.estimator_[-1].rows_.shape == (12, 64)
    assert (model.predict_proba(texts).argmax(axis=1) == teacher(texts).argmax(axis=1)).all()


def test_new_rows_are_made_of_rows_with_and_without_labels():
    X = np.random.default_rng(0).normal(size=(30, 2))
    teacher, model = distilled(X[:20], np.arange(20) % 2, X_unlabeled=X[20:], augment=2)
    assert [len(rows) for rows in teacher.seen] == [20, 10, 60]
    for before, after in zip(cells(X), cells(teacher.seen[2]), strict=True):
        assert set(after) <= set(before)
        assert set(after) & set(before[20:])
    assert len(model.student_.rows_) == 90


def test_a_search_hands_the_rows_without_labels_to_each_fold(tmp_path, iris):
    log = str(tmp_path / "log")
    teacher = CountingForest(log).fit(iris.X, iris.y)
    more = np.random.default_rng(0).uniform(1, 6, (40, 4))
    model = DistilledClassifier(teacher, student=RecordingStudent(), memory=str(tmp_path / "cache"))
    cv = StratifiedKFold(2)
    search = GridSearchCV(model, {"alpha": [0.5, 1]}, cv=cv, error_score="raise")
    search.fit(iris.X, iris.y, X_unlabeled=more)
    folds = [iris.X[train] for train, _ in cv.split(iris.X, iris.y)]
    assert notes(log, "ask") == [content_hash(rows) for rows in (folds[0], more, folds[1], iris.X)]
    assert_array_equal(search.best_estimator_.student_.rows_, np.vstack([iris.X, more]))


def test_rows_without_labels_that_are_not_like_the_others(iris, iris_forest):
    frame = pd.DataFrame(iris.X, columns=list("abcd"))
    named = RandomForestClassifier(5, random_state=0).fit(frame, iris.y)

    def refused(match, teacher, X, more):
        with pytest.raises(ValueError, match=match):
            DistilledClassifier(teacher, student="linear").fit(X, iris.y, X_unlabeled=more)

    refused(r"missing \['d'\]; unexpected \['e'\]", named, frame, frame.rename(columns={"d": "e"}))
    refused(r"missing \['d'\]", named, frame, frame[list("abc")])
    refused("X has 3 features, but DistilledClassifier is expecting 4", iris_forest, iris.X, iris.X[:, :3])
    refused("0 sample", iris_forest, iris.X, iris.X[:0])
    for X, more in ((iris.X, frame), (frame, iris.X), (iris.X, sparse.csr_array(iris.X))):
        kinds = (
            f"X_unlabeled is of type {type(more).__name__} and X of type {type(X).__name__}; they must be of one kind"
        )
        refused(kinds, iris_forest if X is iris.X else named, X, more)


UNLIKE = {
    "wider numbers": ([1, 2, 3], [2.7, 5.0], [1, 2, 3, 2.7, 5.0]),
    "gaps below": ([True, False, True], [True, None], [True, False, True, True, None]),
    "gaps below numbers": ([1, 2, 3], [4, None], [1, 2, 3, 4, None]),
    "gaps above": ([1.0, None, 3.0], [4, 5], [1, None, 3, 4, 5]),
}


@pytest.mark.parametrize("frames", [pd, pl], ids=["pandas", "polars"])
@pytest.mark.parametrize("case", UNLIKE.values(), ids=UNLIKE)
def test_rows_of_another_type_keep_what_they_hold(frames, case):
    above, below, together = case
    make = frames.DataFrame
    stacked = stack(make({"a": above, "b": ["p", "q", "r"]}), make({"b": ["s", "t"], "a": below}))
    assert list(stacked.columns) == ["a", "b"]
    found = [None if cell is None or cell != cell else cell for cell in stacked["a"].to_list()]
    assert found == together
    assert stacked["b"].to_list() == ["p", "q", "r", "s", "t"]


def test_levels_that_are_new_below_stay_levels():
    # numbers as levels would be read as numbers if they ended as objects
    X = pd.DataFrame({"a": pd.Categorical([1, 2, 1]), "b": pd.Categorical(["p", None, "q"])})
    below = pd.DataFrame({"a": [3, 1], "b": pd.Categorical(["r", None])})
    stacked = stack(X, below)
    assert [dtype.name for dtype in stacked.dtypes] == ["category", "category"]
    assert stacked["a"].tolist() == [1, 2, 1, 3, 1]
    assert stacked["b"].astype(object).where(stacked["b"].notna(), None).tolist() == ["p", None, "q", "r", None]


@pytest.mark.parametrize(
    ("X", "below", "said"),
    [
        (
            lambda: pd.DataFrame({"a": [1, 2]}),
            lambda: pd.DataFrame({"a": ["x", "y"]}),
            "Column 'a' of X_unlabeled is String",
        ),
        (
            lambda: pl.DataFrame({"a": [1, 2]}),
            lambda: pl.DataFrame({"a": ["x", "y"]}),
            "Column 'a' of X_unlabeled is String",
        ),
        (
            lambda: pd.DataFrame({"a": pd.Categorical(["low", "high"], categories=["low", "high"], ordered=True)}),
            lambda: pd.DataFrame({"a": ["middle"]}),
            "Column 'a' of X_unlabeled holds 'middle', which is not a level of that ordered column",
        ),
        (
            lambda: pl.DataFrame({"a": pl.Series(["low", "high"], dtype=pl.Enum(["low", "high"]))}),
            lambda: pl.DataFrame({"a": ["middle"]}),
            "Column 'a' of X_unlabeled is String",
        ),
    ],
    ids=["text below numbers", "the same in polars", "a level without a rank", "the same in polars too"],
)
def test_rows_that_cannot_go_below_are_refused_before_a_teacher_is_asked(X, below, said):
    teacher = RecordingTeacher()
    X, below = X(), below()
    with pytest.raises(ValueError, match=said):
        DistilledClassifier(teacher, student="linear", alpha=1).fit(X, X_unlabeled=below)
    assert teacher.seen == []
