"""Boosted trees beside the nets of a label ensemble: when they count, and when there are none."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from helpers import small_mlp, small_mlp_regressor
from scipy import sparse

from skdistill import DistilledClassifier, DistilledRegressor, MLPStudent
from skdistill.distil import _boosted
from skdistill.losses import CrossEntropy

#: Small nets do not learn what trees do.
pytestmark = pytest.mark.filterwarnings("ignore:The student's accuracy:UserWarning")


class OwnLoss(CrossEntropy):
    """A loss of the user's own, which trees do not minimise."""


class DistilledByOwnLoss(DistilledClassifier):
    def _loss(self):
        return OwnLoss()


def steps(n_rows, seed=0, n_columns=4):
    """Rows, and labels that jump where nets are smooth."""
    X = np.random.default_rng(seed).normal(size=(n_rows, n_columns))
    return X, (np.floor(3 * X[:, 0]) % 2 == (X[:, 1] > 0)).astype(int)


def teacher(X):
    p = 0.1 + 0.8 * (np.floor(3 * np.asarray(X)[:, 0]) % 2 == (np.asarray(X)[:, 1] > 0))
    return np.column_stack([1 - p, p])


def report(X, y, *, fit=None, ask=teacher, **params):
    params = {"student": small_mlp(), "label_ensemble": 3, "random_state": 0, **params}
    return DistilledClassifier(ask, **params).fit(X, y, **(fit or {})).distillation_report_


def test_trees_count_where_they_know_more_than_nets(monkeypatch):
    X, y = steps(1700)
    with_trees = report(X, y)
    monkeypatch.setattr(_boosted, "_FEWEST_ROWS", 10_000)
    alone = report(X, y)
    assert with_trees["tree_weight"] > 0.6
    assert alone["tree_weight"] == 0
    # a teacher is compared with nets and trees, and a student on labels is a net
    assert with_trees["teacher_gap"] < alone["teacher_gap"] - 0.1
    assert with_trees["labels_only"] == alone["labels_only"]


def test_a_net_that_learns_far_less_than_trees_is_warned_of():
    X, y = steps(1700)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        report(X, y)
    (warning,) = caught
    assert "does not learn this table as trees do: try student='tree', or serve trees" in str(warning.message)
    assert warning.filename == __file__


def test_nets_count_where_trees_know_no_more():
    X, _ = steps(1700)
    y = (X.sum(axis=1) + np.random.default_rng(1).logistic(size=1700) > 0).astype(int)
    proba = 1 / (1 + np.exp(-X.sum(axis=1)))
    known = {"teacher_proba": np.column_stack([1 - proba, proba])}
    found = report(X, y, ask=None, fit=known, student=MLPStudent(random_state=0))
    assert found["tree_weight"] < 0.4


def test_there_are_none_for_few_rows_many_columns_and_sparse_rows():
    X, y = steps(900)
    assert report(X, y)["tree_weight"] == 0
    X, y = steps(1400, n_columns=430)
    assert report(X, y)["tree_weight"] == 0
    X, y = steps(1400)
    known = {"fit": {"teacher_proba": teacher(X)}, "ask": None}
    assert report(X, y, **known)["tree_weight"] > 0
    assert report(sparse.csr_matrix(X), y, **known)["tree_weight"] == 0


def test_there_are_none_for_other_losses_and_other_targets():
    X, y = steps(1400)
    own = DistilledByOwnLoss(teacher, student=small_mlp(), label_ensemble=3, random_state=0).fit(X, y)
    assert own.distillation_report_["tree_weight"] == 0
    several = np.column_stack([y, X[:, 2] > 0]).astype(int)
    assert report(X, several, ask=None, fit={"teacher_proba": 0.1 + 0.8 * several})["tree_weight"] == 0
    numbers = DistilledRegressor(lambda X: X[:, 0], student=small_mlp_regressor(), label_ensemble=3, random_state=0)
    assert numbers.fit(X, X[:, 0]).distillation_report_["tree_weight"] == 0
    assert report(X, y, label_ensemble=0)["tree_weight"] is None


def test_constant_columns_have_no_trees():
    X, y = steps(1400)
    known = {"ask": None, "fit": {"teacher_proba": teacher(X)}}
    assert report(np.ones((1400, 2)), y, **known)["tree_weight"] == 0


@pytest.mark.parametrize("unit", [1e-9, 1e300])
def test_weights_have_no_unit(unit):
    X, y = steps(1400)
    weight = np.random.default_rng(0).uniform(0.5, 2.0, 1400)
    found, other = (report(X, y, fit={"sample_weight": one})["tree_weight"] for one in (weight, unit * weight))
    assert found == pytest.approx(other, abs=0.02)


def test_threads_are_limited_for_their_own_fit_alone():
    # a thread that imports it in vain leaves a half-made module to the others
    pytest.importorskip("torch")
    import threadpoolctl

    before = threadpoolctl.threadpool_info()
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda seed: report(*steps(1400, seed), augment=0), range(4)))
    assert threadpoolctl.threadpool_info() == before


def test_raw_tables_rare_classes_and_weights():
    X, y = steps(1800)
    rng = np.random.default_rng(0)
    y = np.where(rng.random(1800) < 0.2, 1 - y, y)
    # a class of three rows, which a fold may hold out altogether
    y[:3] = 2
    frame = pd.DataFrame(X, columns=list("abcd")).assign(
        few=rng.choice(["x", "y", "z", None], 1800), many=[f"level {at % 150}" for at in range(1800)]
    )
    frame.loc[::7, "b"] = np.nan

    def ask(rows):
        p = teacher(rows[["a", "b"]].to_numpy())
        return np.column_stack([0.98 * p, np.full(len(p), 0.02)])

    params = {"ask": ask, "classes": [0, 1, 2], "fit": {"sample_weight": rng.uniform(0.5, 2.0, 1800)}}
    found = report(frame, y, **params)
    assert 0 < found["tree_weight"] < 1
    # weights, and nothing of the run, change it
    assert report(frame, y, **params)["tree_weight"] == found["tree_weight"]
    assert report(frame, y, **params | {"fit": {}})["tree_weight"] != found["tree_weight"]


@pytest.mark.parametrize("n_classes", [10, 11])
def test_there_are_none_for_many_classes(n_classes):
    X, _ = steps(1400, n_columns=25)
    y = np.argsort(np.argsort(X[:, 0])) * n_classes // 1400
    found = report(X, y, ask=None, fit={"teacher_proba": np.eye(n_classes)[y]}, label_ensemble=3)
    assert (found["tree_weight"] > 0) == (n_classes == 10)
