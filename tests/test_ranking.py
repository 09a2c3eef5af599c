"""Rankers: teachers of every library, queries kept whole, files in every format, and measures of an order."""

import pickle
import runpy
import shutil

import numpy as np
import pytest
from export_helpers import mixed_table, onnx_feeds, wild_rows
from helpers import Optional, small_mlp_regressor
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.optimize import check_grad
from scipy.stats import kendalltau
from sklearn import config_context
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.linear_model import Ridge
from sklearn.metrics import make_scorer, ndcg_score
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skdistill
from skdistill import DistilledRanker, DistilledRegressor, LinearStudentRegressor, compare, distill_to_budget
from skdistill.compress import prune, quantize
from skdistill.losses import ListwiseCrossEntropy, Targets
from skdistill.metrics import mrr, ndcg, rank_correlation, top_overlap
from skdistill.tasks import RANKS

onnxruntime, lightgbm, xgboost, catboost = map(Optional, ("onnxruntime", "lightgbm", "xgboost", "catboost"))

RNG = np.random.default_rng(0)
SIZES = RNG.integers(4, 16, size=60)
QID = np.repeat(np.arange(60), SIZES)
X = RNG.normal(size=(len(QID), 5))
TRUE = X[:, 0] + np.tanh(2 * X[:, 1])
Y = np.digitize(TRUE + 0.3 * RNG.normal(size=len(QID)), [0.0, 1.0, 1.8])
#: Trees or steps enough to be clearly better than chance.
RANKERS = {
    "lightgbm": lambda: lightgbm.LGBMRanker(n_estimators=20, num_leaves=7, verbose=-1, n_jobs=1),
    "xgboost": lambda: xgboost.XGBRanker(n_estimators=20, max_depth=3, n_jobs=1),
    "catboost": lambda: catboost.CatBoostRanker(iterations=20, verbose=0, thread_count=1, allow_writing_files=False),
    "pipeline": lambda: make_pipeline(StandardScaler(), RANKERS["lightgbm"]()),
    "regressor": Ridge,
}


def true_scores(rows):
    return rows[:, 0] + np.tanh(2 * rows[:, 1])


@pytest.fixture(scope="module")
def net():
    student = small_mlp_regressor(max_epochs=40)
    return DistilledRanker(true_scores, student=student, random_state=0).fit(X, Y, qid=QID)


@pytest.mark.parametrize("cv", [None, 3])
@pytest.mark.parametrize("name", RANKERS)
def test_rankers_of_each_library_are_fitted_with_their_queries(name, cv):
    ranker = RANKERS[name]()
    model = DistilledRanker(ranker, student="linear", cv=cv).fit(X, Y, qid=QID)
    assert model.score(X, Y, qid=QID) > 0.9
    assert model.distillation_report_["origin"] == ("in_sample" if cv is None else "out_of_fold")
    assert rank_correlation(model.ask_teacher(X), model.predict(X), QID) > 0.6
    again = DistilledRanker(model.teacher_, student="linear").fit(X, Y, group=SIZES)
    assert again.teacher_ is model.teacher_
    if cv is None:
        assert_array_equal(again.predict(X), model.predict(X))


@pytest.mark.parametrize("student", ["linear", "additive", "mlp", "tree", "regressor", "pipeline"])
def test_students_of_every_kind_keep_the_order(student):
    kinds = {
        "mlp": small_mlp_regressor(max_epochs=40, n_nets=2),
        "regressor": RandomForestRegressor(20, random_state=0),
        "pipeline": make_pipeline(StandardScaler(), LinearStudentRegressor()),
    }
    model = DistilledRanker(true_scores, student=kinds.get(student, student), alpha=1, random_state=0)
    model.fit(X, qid=QID)
    scores = model.predict(X)
    assert scores.shape == (len(X),)
    assert rank_correlation(TRUE, scores, QID) > 0.65
    backwards = clone(model).set_params(teacher=lambda rows: -7 * true_scores(rows)).fit(X, qid=QID)
    assert rank_correlation(TRUE, backwards.predict(X), QID) < -0.65
    # only differences within a query count, in whatever unit
    given = clone(model).set_params(teacher=None).fit(X, qid=QID, teacher_pred=1e3 * TRUE + 50.0 * QID)
    assert rank_correlation(TRUE, given.predict(X), QID) > 0.65


def test_rankers_of_a_list_count_alike_in_whatever_unit():
    several = [lambda rows: rows[:, 0] + 5.0, lambda rows: 1000.0 * np.tanh(rows[:, 1])]
    model = DistilledRanker(several, student="linear", alpha=1).fit(X, qid=QID)
    scores = np.column_stack([X[:, 0], np.tanh(X[:, 1])])
    units = np.mean([scores[at == QID].std(axis=0) for at in range(60)], axis=0)
    even = (scores / units).mean(axis=1)
    assert rank_correlation(model.ask_teacher(X), even, QID) == pytest.approx(1.0)
    given = DistilledRanker(student="linear", alpha=1).fit(X, qid=QID, teacher_pred=even)
    assert_allclose(model.predict(X), given.predict(X), atol=1e-6)
    crossed = DistilledRanker([Ridge(), RANKERS["lightgbm"]()], student="linear", cv=3).fit(X, Y, qid=QID)
    assert crossed.score(X, Y, qid=QID) > 0.9


@pytest.mark.parametrize("student", ["additive", small_mlp_regressor(max_epochs=5), RandomForestRegressor(5)])
def test_rows_of_a_query_need_not_be_adjacent(student):
    # each query's first rows, then their second ones, and so on
    order = np.argsort(np.arange(len(X)) - np.searchsorted(QID, QID), kind="stable")
    model = DistilledRanker(Ridge(), student=student, cv=list(GroupKFold(2).split(X, Y, QID)), random_state=0)
    place = np.argsort(order)
    folds = [tuple(place[part] for part in fold) for fold in model.cv]
    ids = np.array([f"query {at:02d}" for at in QID])
    shuffled = clone(model).set_params(cv=folds).fit(X[order], Y[order], qid=ids[order])
    assert_array_equal(shuffled.predict(X), model.fit(X, Y, qid=QID).predict(X))


def test_a_choice_among_alternatives_is_a_conditional_logit():
    y = np.zeros(len(X), dtype=int)
    y[np.concatenate([[0], np.cumsum(SIZES)[:-1]])] = 1
    encoder = StandardScaler()
    student = LinearStudentRegressor(C=1.0, encoder=encoder, tol=1e-9)
    model = DistilledRanker(true_scores, student=student, alpha=0).fit(X, y, qid=QID)
    Z = encoder.fit_transform(X)
    weight = model.student_.coef_[0] * X.std(axis=0)
    utility = Z @ weight
    proba = np.exp(utility) / np.bincount(QID, np.exp(utility))[QID]
    # the gradient of the sum of the queries' losses and of the penalty is zero
    assert_allclose(Z.T @ (proba - y) + weight, 0.0, atol=2e-2)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_the_loss_is_that_of_distributions_within_queries(temperature):
    torch = pytest.importorskip("torch")
    from skdistill.student._torch_loss import losses_and_slopes

    loss = ListwiseCrossEntropy(temperature)
    y = np.column_stack([np.where(QID == 3, 0, Y), QID]).astype(float)
    targets = RANKS.targets(TRUE[:, None], None, y, loss=loss, alpha=0.4)
    terms = targets.terms(len(X))
    assert terms.n_outputs == 1
    assert_allclose(np.bincount(QID, terms.soft[:, 0]), 1.0)
    assert_allclose(np.bincount(QID, terms.labels[:, 0]), np.bincount(QID, y[:, 0]) > 0)
    flat = RNG.normal(size=len(X))
    error = check_grad(
        lambda z: terms.value_and_gradient(z[:, None])[0], lambda z: terms.value_and_gradient(z[:, None])[1][:, 0], flat
    )
    assert error < 1e-5
    for soft, goal in ((True, terms.soft), (False, terms.labels)):
        losses, slopes = (loss.soft if soft else loss.hard)(flat[:, None], goal)
        found = losses_and_slopes(loss, torch.as_tensor(flat)[:, None], torch.as_tensor(goal), soft=soft)
        assert_allclose(found[0], losses, atol=1e-6)
        assert_allclose(found[1], slopes / (temperature if soft else 1.0), atol=1e-6)
    perfect = Targets(targets.answers, None, alpha=1.0, loss=loss, task=RANKS).terms(len(X))
    assert perfect.value_and_gradient(targets.answers[:, :1])[0] == pytest.approx(0.0, abs=1e-12)


def test_nets_hold_out_and_batch_whole_queries(net, monkeypatch):
    from skdistill.student import _mlp_training

    jobs, batches = [], []
    run, split = _mlp_training._Run, _mlp_training._Run._batches
    monkeypatch.setattr(run, "_batches", lambda self: batches.append(split(self)) or batches[-1])
    monkeypatch.setattr(
        _mlp_training,
        "_Run",
        lambda student, inputs, some, *rest: jobs.extend(some) or run(student, inputs, some, *rest),
    )
    clone(net).fit(X, Y, qid=QID)
    (job,) = jobs
    assert 0 < len(job.held_out) < len(job.rows)
    assert not np.intersect1d(QID[job.held_out], QID[job.rows]).size
    for one in batches:
        assert_array_equal(np.sort(np.concatenate([batch[0].numpy() for batch in one])), job.rows)
        queries = [np.unique(QID[batch[0].numpy()]) for batch in one]
        assert len(np.concatenate(queries)) == len(np.unique(QID[job.rows]))
    long = clone(net).fit(X, Y, group=[200, 200, len(X) - 400])
    assert np.isfinite(long.predict(X)).all()


def test_scikit_learn_takes_it_as_one_of_its_own(net):
    copy = pickle.loads(pickle.dumps(net.student_))
    assert_array_equal(copy.predict(X), net.predict(X))
    assert clone(net).teacher is true_scores
    with config_context(enable_metadata_routing=True):
        model = DistilledRanker(RANKERS["lightgbm"](), student=LinearStudentRegressor(), cv=2)
        model.set_fit_request(qid=True).set_score_request(qid=True)
        search = GridSearchCV(model, {"alpha": [0.0, 1.0], "student__C": [0.1, 1.0]}, cv=GroupKFold(3))
        assert search.fit(X, Y, qid=QID, groups=QID).best_score_ > 0.9
        scorer = make_scorer(ndcg, k=3).set_score_request(qid=True)
        model = DistilledRanker(true_scores, student="linear", alpha=1).set_fit_request(qid=True)
        search = GridSearchCV(model, {"temperature": [1.0, 2.0]}, cv=GroupKFold(3), scoring=scorer)
        assert search.fit(X, Y, qid=QID, groups=QID).best_score_ > 0.8


@pytest.mark.parametrize("kind", ["additive", "mlp", "tree"])
def test_every_format_answers_alike(kind, tmp_path):
    frame, _ = mixed_table()
    rows, qid = wild_rows(frame), np.arange(len(frame)) // 10
    scores = frame["age"].to_numpy() / 20 + 2.0 * (frame["size"] == "l").to_numpy()
    scores = np.nan_to_num(scores.astype(float))
    student = small_mlp_regressor(hidden_layer_sizes=(12, 8)) if kind == "mlp" else kind
    model = DistilledRanker(None, student=student, alpha=1, random_state=0).fit(frame, qid=qid, teacher_pred=scores)
    expected = model.predict(rows)
    for name in ("student.skd", "student.py", "student.onnx", "student.c", "student.mjs"):
        model.export(tmp_path / name)
    assert_array_equal(skdistill.load(tmp_path / "student.skd").predict(rows), expected)
    assert_allclose(runpy.run_path(str(tmp_path / "student.py"))["predict"](rows).reshape(-1), expected, atol=1e-10)
    onnx = skdistill.export.to_onnx(model)
    (found,) = onnxruntime.InferenceSession(onnx.SerializeToString()).run(None, onnx_feeds(onnx, rows))
    assert_allclose(found[:, 0], expected, atol=2e-3)
    if shutil.which("gcc"):
        assert_allclose(model.compile().predict(rows), expected, atol=2e-3)


def test_a_smaller_student_keeps_the_order(net):
    for small in (quantize(net, "int8"), prune(net, X, max_epochs=20)):
        assert rank_correlation(net.predict(X), small.predict(X), QID) > 0.8


def test_measures_are_those_of_scikit_learn_and_scipy():
    scores = np.round(TRUE + RNG.normal(size=len(X)), 1)
    y = np.where(QID == 5, 0, Y)
    of_queries = list(zip(*(np.split(one, np.cumsum(SIZES)[:-1]) for one in (y, scores, TRUE)), strict=True))
    known = [(labels, found) for labels, found, _ in of_queries if labels.any()]
    for k in (3, 10, None):
        mean = np.mean([ndcg_score([labels], [found], k=k) for labels, found in known])
        assert ndcg(y, scores, QID, k=k) == pytest.approx(mean)
    mixed = RNG.permutation(len(X))
    assert ndcg(y[mixed], scores[mixed], QID[mixed]) == pytest.approx(ndcg(y, scores, QID))
    taus = [kendalltau(teacher, found).statistic for _, found, teacher in of_queries]
    assert rank_correlation(TRUE, scores, QID) == pytest.approx(np.mean(taus))
    assert rank_correlation(TRUE, -TRUE, QID) == pytest.approx(-1.0)
    assert mrr([0, 0, 1, 1, 0], [3, 2, 1, 1, 0], [1, 1, 1, 2, 2]) == pytest.approx((1 / 3 + 1) / 2)
    assert top_overlap(TRUE, TRUE + 50 * QID, QID, k=3) == 1.0
    assert top_overlap([1, 2, 3, 4], [4, 3, 2, 1], [0, 0, 0, 0], k=2) == 0.0
    # nothing to say of an order
    assert np.isnan(
        [ndcg([1, 0], [1, 0], [0, 1]), mrr([0, 0], [1, 0], [0, 0]), rank_correlation([1, 1], [1, 0], [0, 0])]
    ).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "neither was given"),
        ({"qid": QID, "group": SIZES}, "both were given"),
        ({"group": SIZES + 1}, "must hold positive whole numbers that add up to the"),
        ({"qid": QID[1:]}, "The sizes of queries are passed as group"),
        ({"qid": np.where(QID == 2, np.nan, QID)}, "qid is missing in row"),
        ({"qid": np.where(QID == 2, "b", QID.astype(object))}, "qid holds ids of several types .int, str."),
        ({"qid": np.zeros(len(X))}, "of one query; expected at least two"),
        ({"qid": QID, "y": Y - 1}, "zero or more; got -1"),
        ({"qid": QID, "y": None}, "requires y to be passed"),
        ({"qid": QID, "y": Y[1:]}, "y"),
        ({"qid": QID, "y": np.column_stack([Y, Y])}, "one label for each row"),
        ({"qid": QID, "teacher_pred": TRUE[1:]}, "teacher_pred"),
        ({"qid": QID, "weights": 1}, "unexpected arguments"),
    ],
)
def test_bad_input_is_refused(given, message):
    with pytest.raises((ValueError, TypeError), match=message):
        DistilledRanker(true_scores, student="linear").fit(X, **{"y": Y, **given})


def test_what_makes_no_sense_is_refused(net):
    with pytest.raises(ValueError, match="splits queries"):
        DistilledRanker(Ridge(), student="linear", cv=list(KFold(3).split(X))).fit(X, Y, qid=QID)
    with pytest.raises(ValueError, match="learns scores row by row"):
        DistilledRanker(true_scores, student="tree", temperature=2).fit(X, Y, qid=QID)
    with pytest.raises(ValueError, match="is a classifier; DistilledRanker needs"):
        DistilledRanker(lightgbm.LGBMClassifier()).fit(X, Y, qid=QID)
    with pytest.raises(ValueError, match="either qid"):
        net.score(X, Y)
    with pytest.raises(ValueError, match="DistilledRanker"):
        compare(true_scores, {"net": net}, X, Y, latency=False)
    with pytest.raises(ValueError, match="ranker"):
        distill_to_budget(RANKERS["lightgbm"]().fit(X, Y, group=SIZES), X, Y, max_bytes=10_000)
    with pytest.warns(UserWarning, match="the same score"):
        DistilledRanker(lambda rows: np.ones(len(rows)), student="linear").fit(X, Y, qid=QID)
    with pytest.warns(UserWarning, match="its scores fall where the labels rise"):
        DistilledRanker(lambda rows: -true_scores(rows), student="linear").fit(X, Y, qid=QID)


def test_a_student_keeps_its_own_constraints():
    student = LinearStudentRegressor(numeric="piecewise", monotonic_cst=[-1, 1, 0, 0, 0])
    model = DistilledRanker(true_scores, student=student).fit(X, Y, qid=QID)
    rows = np.zeros((50, 5))
    rows[:, 0] = np.linspace(-3, 3, 50)
    assert (np.diff(model.predict(rows)) <= 1e-12).all()


def test_a_transformer_gets_labels_and_no_queries():
    student = LinearStudentRegressor(encoder=SelectKBest(f_regression, k=2))
    assert DistilledRanker(true_scores, student=student).fit(X, Y, qid=QID).score(X, Y, qid=QID) > 0.9


def test_sparse_rows_are_ranked():
    rows = sparse.csr_matrix(np.where(np.abs(X) > 0.5, X, 0.0))
    order = np.argsort(QID % 7, kind="stable")
    model = DistilledRanker(Ridge(), student="linear").fit(rows[order].tocoo(), Y[order], qid=QID[order])
    assert model.score(rows, Y, qid=QID) > 0.85
    assert isinstance(DistilledRegressor(Ridge(), student="linear").fit(rows, Y), DistilledRegressor)
