"""Every bad input is refused with a message that names the argument, says what was seen and what is needed."""

import re
from decimal import Decimal
from itertools import product

import numpy as np
import pytest
from helpers import small_mlp
from numpy.testing import assert_array_equal
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor, VotingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

import skdistill
from skdistill import DistilledClassifier, LinearStudent, MLPStudent, TreeStudent


@pytest.fixture
def refused(iris, monkeypatch):
    """A function that fits a model and expects a refusal with a message, before a student trains."""

    def never(self, *args):
        raise AssertionError("the student trains on bad input")

    def check(message, teacher=None, X=iris.X, y=iris.y, *, error=ValueError, fit=None, **params):
        for name in ("LinearStudent", "MLPStudent"):
            monkeypatch.setattr(f"skdistill.student.{name}.fit_targets", never)
        model = DistilledClassifier(teacher, **{"student": "linear", **params})
        with pytest.raises(error, match=message):
            model.fit(X, y, **(fit or {}))
        assert not hasattr(model, "student_")

    return check


# teachers


def test_a_teacher_without_predict_proba(refused, iris):
    advice = "DistilledClassifier learns from probabilities: {}, or pass a callable X -> probabilities"
    refused(
        "teacher RidgeClassifier has no predict_proba. " + advice.format("wrap it in CalibratedClassifierCV"),
        RidgeClassifier().fit(iris.X, iris.y),
    )
    refused("teacher RidgeClassifier has no predict_proba", RidgeClassifier())
    hard = VotingClassifier([("nb", GaussianNB()), ("lr", LogisticRegression(max_iter=500))])
    refused("teacher VotingClassifier has no predict_proba. " + advice.format("set voting='soft'"), hard)
    refused("teacher Pipeline has no predict_proba", make_pipeline(StandardScaler(), RidgeClassifier()))
    refused("teacher RidgeClassifier has no predict_proba", [GaussianNB(), RidgeClassifier()])


def test_a_support_vector_machine_without_probabilities(refused, iris):
    refused("teacher SVC has no predict_proba", SVC().fit(iris.X, iris.y))


@pytest.mark.parametrize("fitted", [True, False])
def test_a_regressor_as_teacher(fitted, refused, iris):
    for regressor in (
        LinearRegression(),
        RandomForestRegressor(5),
        make_pipeline(StandardScaler(), LinearRegression()),
    ):
        teacher = regressor.fit(iris.X, iris.y) if fitted else regressor
        refused(f"teacher {type(teacher).__name__} is a regressor; DistilledClassifier needs a classifier", teacher)


def test_a_class_in_place_of_an_instance(refused):
    refused(
        r"teacher is the class RandomForestClassifier; expected an instance: RandomForestClassifier\(\)",
        RandomForestClassifier,
        error=TypeError,
    )


@pytest.mark.parametrize("teacher", ["forest", 3, np.zeros((150, 3)), {"a": 1}])
def test_what_is_no_teacher_at_all(teacher, refused):
    refused(
        "teacher must be a classifier with predict_proba, a callable X -> probabilities, a list of these, or None "
        "together with teacher_proba; got",
        teacher,
        error=TypeError,
    )


def test_no_teacher_and_no_answers(refused):
    refused(r"has no teacher. Pass teacher=..., or pass the teacher's predictions to fit \(teacher_proba=...\)")
    refused("teacher is an empty list; expected at least one teacher", [])


def test_teacher_weights_that_do_not_fit(refused, iris_forest):
    two = [iris_forest, iris_forest]
    refused(
        r"teacher_weights has shape \(3,\); expected one weight for each of the 2 teachers",
        two,
        teacher_weights=[1, 2, 3],
    )
    for weights in ([1, -1], [0, 0], [np.nan, 1], [np.inf, 1]):
        refused("teacher_weights must be non-negative and not all zero; got", two, teacher_weights=weights)
    refused("The 'teacher_weights' parameter of DistilledClassifier must be", two, teacher_weights="even")


def test_arguments_for_a_fit_that_does_not_happen(refused, iris_forest):
    refused(
        r"fit\(\) got unexpected arguments \['eval_set'\]: they would go to an unfitted teacher's fit",
        iris_forest,
        error=TypeError,
        fit={"eval_set": 1},
    )


def test_an_unfitted_teacher_without_labels(refused):
    for alpha in (1, "auto"):
        message = f"y is None with alpha={alpha}; labels are needed to fit the teacher"
        refused(message, GaussianNB(), y=None, alpha=alpha)
    refused(
        "y holds 1 class in 150 rows; an unfitted teacher needs two classes or more",
        GaussianNB(),
        y=np.full(150, "a"),
        alpha=1,
    )


def test_a_function_and_memory(refused, tmp_path, iris_forest):
    message = "memory= cannot detect changes of teacher .*, because it is a function. Cache the function itself"
    refused(message, iris_forest.predict_proba, memory=str(tmp_path))
    refused(message, lambda X: iris_forest.predict_proba(X), memory=str(tmp_path))


# answers


def answers(**changes):
    """Good answers for the rows of iris, with some of them changed: answers(row_7=[...])."""
    P = np.full((150, 3), 1 / 3)
    for name, values in changes.items():
        P[int(name.split("_")[1])] = values
    return P


class Teacher(RandomForestClassifier):
    """A fitted forest that answers what a test sets."""

    def predict_proba(self, X):
        return self.answers


BAD_ANSWERS = {
    "NaN": (answers(row_7=[0.5, np.nan, 0.5]), "probability that is not finite: nan in row 7, column 1"),
    "infinite": (answers(row_7=[0, 0, np.inf]), "probability that is not finite: inf in row 7, column 2"),
    "negative": (answers(row_9=[1.25, 0, -0.25]), "probability that is negative: -0.25 in row 9, column 2"),
    "sum": (
        answers(row_3=[0.5, 0.5, 0.5], row_4=[0.9, 0, 0]),
        r"do not sum to one: row 3 sums to 1.5 \(2 of 150 rows are off\). Logits and scores have to be turned into",
    ),
    "rows": (answers()[:149], r"probabilities of shape \(149, 3\); expected \(150, (n_classes|3)\)"),
    "one dimension": (
        np.full(150, 0.5),
        r"shape \(150,\); expected \(150, (n_classes|3)\). For two classes, return both columns: np.column_stack",
    ),
    "three dimensions": (np.zeros((150, 3, 1)), r"probabilities of shape \(150, 3, 1\)"),
    "text": (np.full((150, 3), "a"), "ndarray, not an array of numbers"),
    "nothing": (None, r"probabilities of shape \(\)"),
    "multi-output": (
        [np.full((150, 2), 0.5), np.full((150, 2), 0.5)],
        "a list of 2 arrays, one for each of several outputs. If these are labels, y has to be an indicator matrix: "
        "zeros and ones, NaN where a label is missing. Outputs of several classes are not supported",
    ),
}


@pytest.mark.parametrize(
    ("fault", "way"),
    [
        (fault, way)
        for fault, way in product(BAD_ANSWERS, ["estimator", "callable", "list", "teacher_proba"])
        if (fault, way) != ("nothing", "teacher_proba")  # which means that none were given
    ],
)
def test_answers_that_are_no_probabilities(fault, way, refused, iris):
    given, message = BAD_ANSWERS[fault]
    teacher = Teacher(2, random_state=0).fit(iris.X, iris.y)
    teacher.answers = given

    def function(X):
        return given

    if way == "teacher_proba":
        refused("teacher_proba returned.*" + message, fit={"teacher_proba": given})
    else:
        one = {"estimator": teacher, "callable": function, "list": [GaussianNB(), teacher]}[way]
        name = "teacher .*function" if way == "callable" else "teacher Teacher"
        refused(f"{name} returned.*{message}", one)


def test_answers_with_a_wrong_number_of_columns(refused, iris):
    teacher = Teacher(2, random_state=0).fit(iris.X, iris.y)
    teacher.answers = np.full((150, 4), 0.25)
    refused(r"teacher Teacher returned probabilities of shape \(150, 4\); expected \(150, 3\)", teacher)
    # of a callable, the labels say how many there must be
    refused(
        r"The teacher's answers have 4 columns and y has 3 classes \[0, 1, 2\]. Name the labels that the columns "
        r"stand for: DistilledClassifier\(classes=",
        lambda X: teacher.answers,
    )
    refused(
        r"classes has shape \(3,\); expected a label for each of the 4 columns",
        lambda X: teacher.answers,
        classes=[0, 1, 2],
    )
    refused(
        r"lambda> returned 4 columns; the other teachers have 3, named \[0, 1, 2\]",
        [GaussianNB(), lambda X: teacher.answers],
    )
    refused("returned one column of probabilities; expected two classes or more", lambda X: np.ones((150, 1)))
    refused(
        r"teacher_proba returned probabilities of shape \(150, 4\); expected \(150, 3\)",
        GaussianNB().fit(iris.X, iris.y),
        fit={"teacher_proba": teacher.answers},
    )


def test_a_multi_output_classifier(refused, iris):
    both = np.column_stack([iris.y, iris.y > 0])
    for teacher in (RandomForestClassifier(5), MultiOutputClassifier(GaussianNB())):
        refused(
            "a list of 2 arrays, one for each of several outputs. If these are labels",
            teacher.fit(iris.X, both),
        )


def test_classes_that_are_not_distinct_or_cannot_be_compared(refused, iris, iris_forest):
    refused(
        r"classes are not distinct: \['a', 'a', 'b'\]",
        iris_forest.predict_proba,
        y=np.array(["a", "b"] * 75),
        classes=["a", "a", "b"],
    )
    named = GaussianNB().fit(iris.X, np.array(["a", "b", "c"])[iris.y])
    refused("y holds .*'a'.*which the teacher does not know", iris_forest, y=np.array(["a", "b", "c"])[iris.y])
    for y, alpha in ((iris.y, 0.5), (None, 1)):
        refused(
            r"The teachers' classes cannot be compared with each other: \[\[0, 1, 2\], \['a', 'b', 'c'\]\]",
            [iris_forest, named],
            y=y,
            alpha=alpha,
        )


# rows


def test_rows_with_other_columns_than_the_teacher_saw(refused, iris, iris_forest):
    refused("X has 3 columns, but teacher RandomForestClassifier was fitted on 4", iris_forest, X=iris.X[:, :3])
    refused(
        "X has 3 columns, but teacher Pipeline was fitted on 4",
        make_pipeline(StandardScaler(), GaussianNB()).fit(iris.X, iris.y),
        X=iris.X[:, :3],
    )
    refused(
        "X has 3 columns, but teacher RandomForestClassifier was fitted on 4",
        [GaussianNB(), iris_forest],
        X=iris.X[:, :3],
    )


def test_a_frame_with_other_names_than_the_teacher_saw(refused, iris):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(iris.X, columns=list("abcd"))
    teacher = GaussianNB().fit(frame, iris.y)
    refused(
        r"columns of X are not those that teacher GaussianNB was fitted on \(missing: \['b'\]; unexpected: \['x'\]\)",
        teacher,
        X=frame.rename(columns={"b": "x"}),
    )


ESTIMATORS = {
    "linear": LinearStudent,
    "mlp": small_mlp,
    "tree": TreeStudent,
    "distilled": lambda: DistilledClassifier(GaussianNB(), student="linear"),
}


@pytest.mark.parametrize("make", ESTIMATORS.values(), ids=ESTIMATORS)
def test_rows_that_cannot_be_fitted(make, iris):
    X = iris.X.copy()
    X[5, 2] = np.inf
    with pytest.raises(ValueError, match="nput X contains infinity"):
        make().fit(X, iris.y)
    with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\)"):
        make().fit(iris.X[:0], iris.y[:0])
    with pytest.raises(ValueError, match=r"Found array with 0 feature\(s\)"):
        make().fit(iris.X[:, :0], iris.y)
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array instead"):
        make().fit(iris.X[:, 0], iris.y)
    with pytest.raises(ValueError, match="Found array with dim 3"):
        make().fit(iris.X[:, :, None], iris.y)


@pytest.mark.parametrize("make", ESTIMATORS.values(), ids=ESTIMATORS)
def test_containers_that_hold_no_table(make, iris):
    pd, pl, pa = map(pytest.importorskip, ("pandas", "polars", "pyarrow"))
    frame = pd.DataFrame(iris.X, columns=list("abcd"))
    records = frame.to_dict("records")
    twice = frame.set_axis(list("abca"), axis=1)
    for X, error, message in (
        (records, ValueError, r"^X is a list of dicts. Pass a frame: pandas.DataFrame\(X\).$"),
        (pl.LazyFrame(frame.to_dict("list")), TypeError, r"X is a LazyFrame, .* Pass X.collect\(\)"),
        (pa.RecordBatch.from_pandas(frame), TypeError, r"Pass a table: pyarrow.Table.from_batches\(\[X\]\)"),
        (twice, ValueError, r"columns of the same name: \['a'\]. Rename or drop them"),
    ):
        with pytest.raises(error, match=message):
            make().fit(X, iris.y)
    # fitted, it answers for rows in every form in which its Program does
    model = make().fit(frame, iris.y)
    assert_array_equal(model.predict(records), model.predict(frame))
    assert_array_equal(model.predict(records[0]), model.predict(frame[:1]))


@pytest.mark.parametrize("make", ESTIMATORS.values(), ids=ESTIMATORS)
def test_a_cell_that_cannot_be_read_is_named_with_its_row(make, iris):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(iris.X, columns=list("abcd"))
    model = make().fit(frame, iris.y)
    rows = frame.astype({"c": object})
    rows.loc[7, "c"] = "oops"
    for one in (model, skdistill.LoadedClassifier(model.program_, model.classes_)):
        for these, row in ((rows, 7), (rows[5:9], 2), (rows.to_dict("records"), 7)):
            with pytest.raises(ValueError, match=f"Column 'c' holds 'oops' in row {row}; it held numbers in fit"):
                one.predict(these)


def test_an_infinite_number_is_refused_by_the_name_of_its_column(iris):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(iris.X.copy(), columns=["sl", "sw", "pl", "pw"])
    frame.loc[[5, 9], "pl"] = np.inf, -np.inf
    for student in (LinearStudent(), MLPStudent()):
        with pytest.raises(ValueError, match=r"Column 'pl' holds an infinite number in row 5 \(2 in all\)"):
            student.fit(frame, iris.y)


def test_an_infinite_number_is_refused_before_a_teacher_is_fitted(iris):
    class Slow(GaussianNB):
        def fit(self, X, y):
            raise AssertionError("the teacher was fitted")

    X = iris.X.copy()
    X[5, 2] = np.inf
    for student in ("linear", "mlp", "tree"):
        with pytest.raises(ValueError, match="Column 2 holds an infinite number in row 5"):
            DistilledClassifier(Slow(), student=student).fit(X, iris.y)


def test_a_teacher_that_takes_no_missing_values_is_not_asked_about_them(iris):
    X = iris.X.copy()
    X[5, 2] = np.nan
    model = DistilledClassifier(LogisticRegression(max_iter=1000), student="linear")
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.fit(X, iris.y)
    # its student takes them, and so does the model, as every file that it is exported to
    model.fit(iris.X, iris.y)
    for bad in (np.nan, np.inf, -np.inf):
        X[5, 2] = bad
        assert_array_equal(model.predict_proba(X), model.student_.program_(X))


@pytest.mark.parametrize("make", ESTIMATORS.values(), ids=ESTIMATORS)
def test_rows_that_cannot_be_predicted(make, iris):
    model = make().fit(iris.X, iris.y)
    with pytest.raises(ValueError, match=r"X has 3 features, but .* is expecting 4 features as input"):
        model.predict_proba(iris.X[:, :3])
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array instead"):
        model.predict_log_proba(iris.X[0])
    with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\)"):
        model.decision_function(iris.X[:0])


# labels


@pytest.mark.parametrize("make", ESTIMATORS.values(), ids=ESTIMATORS)
def test_labels_in_an_array_of_objects(make, iris):
    y = (iris.y == 1).tolist()
    for labels in (y, [np.bool_(one) for one in y]):
        assert make().fit(iris.X, np.array(labels, dtype=object)).classes_.tolist() == [False, True]
    for strange, message in (
        ([None, *y[1:]], r"Input y contains NaN: the label of row 0 is None \(1 in all\)"),
        ([7, *map(str, y[1:])], r"y holds strings and \[7\]; class labels must be of one kind"),
        ([Decimal(one) for one in y], r"y holds Decimal\('0'\) of type Decimal; class labels must be strings"),
    ):
        with pytest.raises(ValueError, match=message):
            make().fit(iris.X, np.array(strange, dtype=object))


def test_texts_as_numbers_to_predict(iris):
    for text in ("2020-01-01", "$5"):
        with pytest.raises(ValueError, match=re.escape(f"cell 0 is {text!r}. Turn it into numbers beforehand")):
            skdistill.LinearStudentRegressor().fit(iris.X, [text] * len(iris.X))


@pytest.mark.parametrize("make", ESTIMATORS.values(), ids=ESTIMATORS)
def test_labels_that_are_no_classes(make, iris):
    y = iris.y.astype(float)
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        make().fit(iris.X, y + 0.5 * (np.arange(150) % 2))
    for bad, what in ((np.nan, "NaN"), (np.inf, "infinity")):
        y[5] = bad
        with pytest.raises(ValueError, match=f"Input y contains {what}"):
            make().fit(iris.X, y)
    with pytest.raises(ValueError, match="X has 150 rows and y has 149; each row needs one label"):
        make().fit(iris.X, iris.y[:149])
    with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
        make().fit(iris.X, None)


@pytest.mark.parametrize("make", ESTIMATORS.values(), ids=ESTIMATORS)
def test_one_class_only(make, iris):
    with pytest.raises(ValueError, match=r"y holds 1 class in 50 rows|needs at least two classes.* only one class: "):
        make().fit(iris.X[:50], iris.y[:50])
    with pytest.raises(ValueError, match=r"y holds 1 class in 50 rows|needs at least two classes.* only one class: "):
        make().fit(iris.X, iris.y, sample_weight=iris.y == 0)


def test_one_class_only_with_answers_of_one_column(refused, iris):
    one = GaussianNB().fit(iris.X[:50], iris.y[:50])
    refused(
        "teacher GaussianNB returned one column of probabilities; expected two classes or more", one, y=np.zeros(150)
    )


def test_no_labels_where_alpha_needs_them(refused, iris_forest):
    refused("y is None with alpha=0.5; labels are needed unless alpha=1", iris_forest, y=None, alpha=0.5)
    refused("y is None with alpha=0; labels are needed unless alpha=1", iris_forest, y=None, alpha=0)


def test_several_columns_of_labels(iris, iris_forest):
    with pytest.raises(ValueError, match="y should be a 1d array"):
        DistilledClassifier(iris_forest, student="linear").fit(iris.X, np.column_stack([iris.y, iris.y]))


# soft targets of a student


@pytest.mark.parametrize("make", [LinearStudent, small_mlp])
@pytest.mark.parametrize("fault", ["NaN", "infinite", "negative", "sum", "rows"])
def test_soft_targets_that_are_no_probabilities(make, fault, iris):
    given, message = BAD_ANSWERS[fault]
    with pytest.raises(ValueError, match="y as soft targets returned.*" + message):
        make().fit(iris.X, given)


# weights


@pytest.mark.parametrize("make", ESTIMATORS.values(), ids=ESTIMATORS)
def test_sample_weights_that_are_none(make, iris):
    for bad, message in (
        (np.r_[-1.0, np.ones(149)], "Negative values in data passed to `sample_weight`"),
        (np.r_[np.nan, np.ones(149)], "Input sample_weight contains NaN"),
        (np.zeros(150), "Sample weights must contain at least one non-zero number"),
        (np.ones(149), r"sample_weight.shape == \(149,\), expected \(150,\)"),
        (np.ones((150, 2)), "Sample weights must be 1D array or scalar"),
    ):
        with pytest.raises(ValueError, match=message):
            make().fit(iris.X, iris.y, sample_weight=bad)


@pytest.mark.parametrize("student", [LinearStudent, small_mlp], ids=["linear", "mlp"])
def test_a_class_weight_for_an_unknown_class(student, iris, iris_forest):
    message = r"class_weight names the classes \['rose'\], which are not among the classes \[0, 1, 2\]"
    with pytest.raises(ValueError, match=message):
        student(class_weight={"rose": 2}).fit(iris.X, iris.y)
    with pytest.raises(ValueError, match=message):
        DistilledClassifier(iris_forest, student=student(class_weight={"rose": 2})).fit(iris.X, iris.y)
    with pytest.raises(ValueError, match="The 'class_weight' parameter of"):
        student(class_weight="even").fit(iris.X, iris.y)
    for bad in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="class_weight must hold non-negative numbers; got"):
            student(class_weight={1: bad}).fit(iris.X, iris.y)


# parameters


@pytest.mark.parametrize(
    "params",
    [
        {"temperature": 0},
        {"temperature": -1},
        {"temperature": np.nan},
        {"temperature": np.inf},
        {"temperature": "hot"},
        {"temperature": None},
        {"alpha": 2},
        {"alpha": -0.1},
        {"alpha": np.nan},
        {"alpha": None},
        {"memory": 3},
        {"random_state": "seed"},
        {"verbose": "loud"},
        {"classes": 3},
    ],
    ids=str,
)
def test_parameters_out_of_range(params, refused, iris_forest):
    ((name, value),) = params.items()
    message = f"The '{name}' parameter of DistilledClassifier must be .* Got {re.escape(repr(value))} instead"
    refused(message, iris_forest, **params)


@pytest.mark.parametrize(
    ("estimator", "params"),
    [
        (LinearStudent, {"C": 0}),
        (LinearStudent, {"max_iter": 0}),
        (LinearStudent, {"tol": -1}),
        (MLPStudent, {"hidden_layer_sizes": 5}),
        (MLPStudent, {"activation": "gelu"}),
        (MLPStudent, {"max_epochs": 0}),
        (MLPStudent, {"batch_size": 0}),
        (MLPStudent, {"batch_size": "big"}),
        (MLPStudent, {"learning_rate": 0.0}),
        (MLPStudent, {"weight_decay": -1.0}),
        (MLPStudent, {"dropout": 1.0}),
        (MLPStudent, {"early_stopping": "maybe"}),
        (MLPStudent, {"validation_fraction": 1.0}),
        (MLPStudent, {"patience": 0}),
        (MLPStudent, {"device": 3}),
        (MLPStudent, {"random_state": "seed"}),
        (TreeStudent, {"max_leaf_nodes": 1}),
        (TreeStudent, {"max_depth": 0}),
        (TreeStudent, {"min_samples_leaf": 0.1}),
        (TreeStudent, {"smoothing": -1.0}),
        (TreeStudent, {"random_state": "seed"}),
    ],
    ids=str,
)
def test_parameters_of_students_out_of_range(estimator, params, iris, iris_forest):
    ((name, value),) = params.items()
    message = f"The '{name}' parameter of {estimator.__name__} must be .* Got {re.escape(repr(value))} instead"
    for model in (estimator(**params), DistilledClassifier(iris_forest, student=estimator(**params))):
        with pytest.raises(ValueError, match=message):
            model.fit(iris.X, iris.y)


def test_what_only_training_can_tell_is_wrong(iris):
    for sizes in ((8, 0), (8.5,), ("8",)):
        with pytest.raises(ValueError, match="hidden_layer_sizes must hold positive whole numbers; got"):
            small_mlp(hidden_layer_sizes=sizes).fit(iris.X, iris.y)
    with pytest.raises(ValueError, match="device='warp' is not a device that this torch can use"):
        small_mlp(device="warp").fit(iris.X, iris.y)
    with pytest.raises(ValueError, match=r"validation_fraction=0\.99 of 10 rows leaves none to train on"):
        small_mlp(validation_fraction=0.99, early_stopping=True).fit(iris.X[45:55], iris.y[45:55])
    with pytest.raises(ValueError, match=r"MLPStudent's loss became .* in epoch 1; learning_rate=1e[+]?30 is too high"):
        small_mlp(learning_rate=1e30).fit(iris.X, iris.y)


def never_asked(X):
    raise AssertionError("the teacher is asked although the student cannot learn")


@pytest.mark.parametrize(
    ("student", "error", "message"),
    [
        (LinearStudent, TypeError, "student is the class LinearStudent; expected an instance of it"),
        (
            3,
            TypeError,
            r"student=3 cannot take soft targets; expected one of \['additive', 'linear', 'mlp', 'tree'\], or",
        ),
        (None, TypeError, "student=None cannot take soft targets"),
        (Pipeline([("nothing", "passthrough")]), TypeError, "'passthrough' cannot take soft targets"),
        (StandardScaler(), ValueError, "student StandardScaler has no predict_proba"),
        (make_pipeline(StandardScaler()), ValueError, "student StandardScaler has no predict_proba"),
        (LinearSVC(), ValueError, "student LinearSVC has no predict_proba.* wrap it in CalibratedClassifierCV"),
        (
            KNeighborsClassifier(),
            ValueError,
            "student KNeighborsClassifier cannot take soft targets: .* has no sample_weight",
        ),
        (
            make_pipeline(StandardScaler(), KNeighborsClassifier()),
            ValueError,
            "student KNeighborsClassifier cannot take soft targets",
        ),
        ("forest", ValueError, r"student must be one of \['additive', 'linear', 'mlp', 'tree'\]; got 'forest'"),
    ],
    ids=str,
)
def test_a_student_that_cannot_take_soft_targets(student, error, message, refused):
    refused(message, never_asked, student=student, error=error)


@pytest.mark.parametrize("student", [GaussianNB(), make_pipeline(StandardScaler(), GaussianNB())], ids=str)
def test_a_classifier_cannot_soften_its_own_answers(student, refused):
    refused(
        "temperature=2.0 with student .*GaussianNB.* cannot soften its own side of the loss. Set temperature=1",
        never_asked,
        student=student,
        temperature=2,
    )


# nothing is half done


def test_a_bad_fit_leaves_a_teacher_and_an_earlier_student_as_they_were(iris, iris_forest):
    model = DistilledClassifier(iris_forest, student="linear").fit(iris.X, iris.y)
    before = model.predict_proba(iris.X)
    with pytest.raises(ValueError, match="does not know"):
        model.fit(iris.X, iris.y + 5)
    assert_array_equal(model.predict_proba(iris.X), before)
