"""LinearStudent and MLPStudent by themselves: labels, soft targets, weights, reproducibility, progress, Ctrl-C."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from helpers import small_mlp, small_mlp_regressor
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from skdistill import DistilledClassifier, LinearStudent, MLPStudent, TreeStudent
from skdistill.compress import prune
from skdistill.losses import Terms, softmax
from skdistill.program import run, split


@pytest.fixture(scope="module")
def uneven():
    """400 rows, 5 columns, 2 classes that overlap, 15 % of the second."""
    return make_classification(400, 5, weights=[0.85], class_sep=0.6, flip_y=0.1, random_state=0)


@pytest.fixture(scope="module")
def soft_uneven(uneven):
    """Soft targets for the rows of `uneven`."""
    X, _ = uneven
    p = 1 / (1 + np.exp(1.8 - X[:, 1] - X[:, 2]))
    return np.column_stack([1 - p, p])


# what is learned


def test_the_linear_student_recovers_a_softmax_linear_model():
    rng = np.random.default_rng(0)
    scale, shift = np.array([1, 10, 0.1, 5]), np.array([0, 100, -3, 0])
    W, bias = rng.normal(size=(4, 3)), np.array([0.5, 0, -1])
    X, fresh = rng.normal(size=(2, 1000, 4)) * scale + shift

    def truth(X):
        return softmax((X - shift) / scale @ W + bias)

    student = LinearStudent(C=1000).fit(X, truth(X))
    assert_allclose(student.predict_proba(fresh), truth(fresh), atol=1e-3)


@pytest.mark.parametrize("C", [0.01, 1.0])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 1, 1: 5}])
def test_on_labels_the_linear_student_is_logistic_regression(C, class_weight, iris, uneven):
    for X, y in ((iris.X, iris.y), uneven):
        student = LinearStudent(C=C, class_weight=class_weight).fit(X, y)
        Z = run(student.program_.ops[0](X), student.program_.ops[1:-2])
        known = LogisticRegression(C=C, class_weight=class_weight, tol=1e-8).fit(Z, y)
        assert_allclose(student.predict_proba(X), known.predict_proba(Z), atol=1e-4)


def test_labels_and_the_same_labels_as_probabilities_teach_the_same(student, iris):
    by_label = clone(student).fit(iris.X, iris.y).predict_proba(iris.X)
    by_probability = clone(student).fit(iris.X, np.eye(3)[iris.y]).predict_proba(iris.X)
    assert_allclose(by_label, by_probability, atol=1e-3)


@pytest.mark.parametrize("factor", [7.0, 1e-3])
@pytest.mark.parametrize("whole", [False, True])
def test_multiplying_all_sample_weights_changes_nothing(factor, whole, student, iris, iris_forest):
    rng = np.random.default_rng(0)
    weight = rng.integers(0, 4, 150).astype(float) if whole else rng.uniform(0.1, 2, 150)
    for fits in (student, DistilledClassifier(iris_forest, student=student, alpha=0.5)):
        once = clone(fits).fit(iris.X, iris.y, sample_weight=weight)
        scaled = clone(fits).fit(iris.X, iris.y, sample_weight=factor * weight)
        assert_allclose(scaled.predict_proba(iris.X), once.predict_proba(iris.X), atol=1e-4)


def test_soft_targets_are_followed_and_not_their_argmax(student, uneven, soft_uneven):
    X, _ = uneven
    model = clone(student).fit(X, soft_uneven)
    hard = clone(student).fit(X, soft_uneven.argmax(axis=1))
    gap, hard_gap = (abs(one.predict_proba(X) - soft_uneven).mean() for one in (model, hard))
    assert gap < 0.7 * hard_gap
    assert_array_equal(model.classes_, [0, 1])


@pytest.mark.parametrize("sizes", [(8,), (6, 5), ()])
def test_several_nets_end_as_one_that_answers_with_their_mean_logits(sizes, iris):
    # the nets of one student draw on its random state one after another, as do students that share one
    shared = np.random.RandomState(0)
    alone = [small_mlp(hidden_layer_sizes=sizes, random_state=shared).fit(iris.X, iris.y) for _ in range(3)]
    student = small_mlp(hidden_layer_sizes=sizes, n_nets=3, random_state=np.random.RandomState(0)).fit(iris.X, iris.y)
    assert not np.allclose(alone[0].predict_proba(iris.X), alone[1].predict_proba(iris.X))
    mean = np.mean([np.log(one.predict_proba(iris.X)) for one in alone], axis=0)
    assert_allclose(student.predict_proba(iris.X), softmax(mean), atol=1e-6)
    layers = split(student.program_)[1]
    assert [len(layer.bias) for layer in layers] == [*(3 * size for size in sizes), 3]
    losses = [[epoch["valid_loss"] for epoch in one.history_] for one in (student, alone[0])]
    assert_allclose(*losses, rtol=1e-4)
    assert student.n_iter_ == alone[0].n_iter_
    if sizes:
        pruned = prune(student, iris.X, max_epochs=2)
        assert (pruned.n_nets, pruned.hidden_layer_sizes) == (1, tuple(round(3 * size / 2) for size in sizes))


def test_a_regression_ensemble_predicts_the_mean_of_its_nets(iris):
    y = np.column_stack([iris.X[:, 0] * 10, iris.X[:, 1]])
    shared = np.random.RandomState(0)
    alone = [small_mlp_regressor(random_state=shared).fit(iris.X, y).predict(iris.X) for _ in range(2)]
    student = small_mlp_regressor(n_nets=2, random_state=np.random.RandomState(0)).fit(iris.X, y)
    assert_allclose(student.predict(iris.X), np.mean(alone, axis=0), rtol=1e-5)


def test_a_net_learns_what_is_not_linear():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(600, 2))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    assert MLPStudent((32,), max_epochs=60, random_state=0).fit(X[:400], y[:400]).score(X[400:], y[400:]) > 0.9
    assert LinearStudent().fit(X[:400], y[:400]).score(X[400:], y[400:]) < 0.7


@pytest.mark.parametrize("activation", ["relu", "silu", "tanh"])
@pytest.mark.parametrize("sizes", [(), (8,), [12, 6], np.array([4, 4, 4])])
def test_the_net_has_the_layers_asked_for(activation, sizes, iris):
    net = small_mlp(hidden_layer_sizes=sizes, activation=activation, max_epochs=2).fit(iris.X, iris.y)
    affine = [op.weight.shape for op in net.program_.ops if type(op).__name__ == "Affine"]
    widths = [4, *sizes, 3]
    assert affine == list(pairwise(widths))
    names = [type(op).__name__.lower() for op in net.program_.ops]
    assert names.count(activation) == len(sizes)


def test_every_parameter_of_the_net_changes_what_it_learns(uneven):
    X, y = uneven
    base = small_mlp(max_epochs=4, early_stopping=False)
    changes = (
        {},
        {"batch_size": 7},
        {"learning_rate": 0.02},
        {"weight_decay": 0.5},
        {"dropout": 0.5},
        {"averaging": False},
        {"max_epochs": 5},
        {"early_stopping": True},
        {"early_stopping": True, "validation_fraction": 0.4},
        {"random_state": 1},
    )
    prints = {clone(base).set_params(**change).fit(X, y).program_.fingerprint() for change in changes}
    assert len(prints) == len(changes)


@pytest.mark.parametrize("activation", ["relu", "silu", "tanh"])
def test_early_stopping_keeps_the_weights_that_fit_the_held_out_rows_best(activation, uneven):
    X, y = uneven
    net = small_mlp(early_stopping=True, validation_fraction=0.3, patience=3, max_epochs=200, learning_rate=0.05)
    net.set_params(hidden_layer_sizes=(12, 6), activation=activation).fit(X, y)
    losses = [epoch["valid_loss"] for epoch in net.history_]
    best = int(np.argmin(losses))
    assert net.n_iter_ == len(net.history_) == best + 1 + 3 < 200
    assert all(0 <= epoch["valid_fidelity"] <= 1 for epoch in net.history_)
    # what torch has worked out is what the Program answers; the rows held out are the first of the seeded permutation
    held_out = np.random.RandomState(0).permutation(400)[:120]
    log_proba = net.predict_log_proba(X[held_out])[np.arange(120), y[held_out]]
    assert_allclose(-log_proba.mean(), losses[best], rtol=1e-4)
    fidelity = np.mean(net.predict(X[held_out]) == y[held_out])
    assert_allclose(fidelity, net.history_[best]["valid_fidelity"], atol=1e-6)


def test_early_stopping_is_automatic_from_100_rows_on(uneven):
    X, y = uneven
    assert "valid_loss" not in small_mlp(max_epochs=1).fit(X[:99], y[:99]).history_[0]
    assert "valid_loss" in small_mlp(max_epochs=1).fit(X[:100], y[:100]).history_[0]
    net = small_mlp(max_epochs=20, early_stopping=False).fit(X, y)
    assert net.n_iter_ == 20
    assert "valid_loss" not in net.history_[0]


@pytest.mark.parametrize(("n_rows", "n_held_out"), [(100, 20), (400, 80), (800, 100), (2000, 200)])
def test_a_tenth_is_held_out_and_of_few_rows_more(n_rows, n_held_out, uneven):
    X, y = (np.resize(part, (n_rows, *part.shape[1:])) for part in uneven)
    net = small_mlp(max_epochs=1).fit(X, y)
    rows = np.random.RandomState(0).permutation(n_rows)[:n_held_out]
    log_proba = net.predict_log_proba(X[rows])[np.arange(n_held_out), y[rows]]
    assert_allclose(-log_proba.mean(), net.history_[0]["valid_loss"], rtol=1e-4)


def test_averaging_keeps_the_mean_of_the_weights_in_which_the_last_steps_count_most(uneven, at_each_step):
    weights = []
    at_each_step(lambda number, weight: weights.append(weight[:-1].astype(float)))
    # a step an epoch
    one_layer = small_mlp(hidden_layer_sizes=(), batch_size=400, learning_rate=0.1, early_stopping=False)
    averaged = one_layer.fit(*uneven).program_.ops[-2].weight.ravel()
    # before each step; the last step's are those of a net that keeps no average
    last = clone(one_layer).set_params(averaging=False).fit(*uneven).program_.ops[-2].weight.ravel()
    assert_array_equal(weights[:15], weights[15:])
    expected, *rest = [*weights[:15], last]
    for number, weight in enumerate(rest, start=1):
        expected = expected + (weight - expected) * 9 / (9 + number)
    assert_allclose(averaged, expected, rtol=1e-4)
    assert abs(averaged - last).max() > 1e-3


def test_columns_of_any_size_are_fitted(student, uneven):
    # huge, tiny, constant, nearly constant, and one far outlier
    X, _ = uneven
    y = X[:, 0] > 0
    X = np.column_stack([X * [1e300, 1e-300, 1e12, 1, 1], np.full(400, 0.1), 1e9 + 1e-9 * X[:, 0], X[:, 0]])
    X[3, 4] = 1e308
    X[4, 4] = -1e308
    model = clone(student).fit(X, y)
    assert np.isfinite(model.predict_proba(X)).all()
    assert model.score(X, y) > 0.9


def test_a_linear_fit_that_ran_out_of_iterations_says_so(iris):
    with pytest.warns(ConvergenceWarning, match="LinearStudent did not converge in max_iter=3 iterations"):
        student = LinearStudent(max_iter=3).fit(iris.X, iris.y)
    assert student.n_iter_ == 3


# weights


def test_rows_of_weight_zero_are_no_rows(student, uneven, soft_uneven):
    X, y = uneven
    weight = np.random.default_rng(0).choice([0.0, 1.0, 2.5], 400)
    for target in (y, soft_uneven):
        weighted = clone(student).fit(X, target, sample_weight=weight)
        kept = clone(student).fit(X[weight > 0], target[weight > 0], sample_weight=weight[weight > 0])
        assert weighted.program_.fingerprint() == kept.program_.fingerprint()


def test_a_class_whose_rows_all_weigh_zero_is_no_class(student, iris):
    model = clone(student).fit(iris.X, iris.y, sample_weight=(iris.y < 2).astype(float))
    assert_array_equal(model.classes_, [0, 1])


def test_a_weight_of_two_is_the_row_twice_to_the_linear_student(uneven, soft_uneven):
    X, y = uneven
    counts = np.random.default_rng(0).integers(1, 4, 400)
    for target in (y, soft_uneven):
        weighted = LinearStudent().fit(X, target, sample_weight=counts)
        repeated = LinearStudent().fit(np.repeat(X, counts, axis=0), np.repeat(target, counts, axis=0))
        assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("kind", ["labels", "soft targets"])
def test_weights_are_repetitions_to_the_net_on_average(kind, uneven, soft_uneven):
    # stands in for scikit-learn's check of equivalence, which mini-batches cannot pass exactly
    X, y = uneven
    # both are noisy, so that the weights decide what the best answer is
    target = y if kind == "labels" else 0.8 * np.eye(2)[y] + 0.2 * soft_uneven
    counts = np.where(X[:, 0] > 0, np.where(y == 1, 6, 1), 1)

    # of rows held out, copies would be among the others
    net = small_mlp(max_epochs=20, batch_size=32, early_stopping=False)

    def average(*args, **kwargs):
        nets = [clone(net).set_params(random_state=seed).fit(*args, **kwargs) for seed in range(3)]
        return np.mean([net.predict_proba(X)[:, 1] for net in nets], axis=0)

    weighted = average(X, target, sample_weight=counts)
    repeated = average(np.repeat(X, counts, axis=0), np.repeat(target, counts, axis=0))
    ignored = average(X, target)
    assert abs(weighted - repeated).mean() < 0.35 * abs(ignored - repeated).mean()


def test_class_weight_is_the_sample_weight_of_the_labels(student, uneven):
    X, y = uneven
    if isinstance(student, TreeStudent):
        # a row of weight seven is seven rows in a leaf, one of a class of weight seven is not
        student = TreeStudent(8, min_samples_leaf=1, random_state=0)
    by_class = clone(student).set_params(class_weight={1: 7.0}).fit(X, y).predict_proba(X)[:, 1]
    plain = clone(student).fit(X, y).predict_proba(X)[:, 1]
    # standardised by other weights, and so not the same to the last digit
    by_row = clone(student).fit(X, y, sample_weight=np.where(y == 1, 7.0, 1.0)).predict_proba(X)[:, 1]
    assert (by_class - plain).mean() > 0.1
    assert abs(by_class - by_row).mean() < 0.15 * (by_class - plain).mean()


def test_class_weight_multiplies_the_shares_of_soft_targets(uneven, soft_uneven):
    # each row twice, once for each class, weighted by its share: what the definition says
    X, _ = uneven
    by_class = LinearStudent(class_weight={1: 7.0}, C=1e6).fit(X, soft_uneven)
    shares = np.r_[soft_uneven[:, 0], 7.0 * soft_uneven[:, 1]]
    by_row = LinearStudent(C=1e6).fit(np.vstack([X, X]), np.repeat([0, 1], 400), sample_weight=shares)
    assert_allclose(by_class.predict_proba(X), by_row.predict_proba(X), atol=1e-4)


@pytest.mark.parametrize("kind", ["labels", "soft targets"])
def test_balanced_gives_the_rare_class_its_half(kind, student, uneven, soft_uneven):
    X, y = uneven
    target = y if kind == "labels" else soft_uneven
    shares = np.eye(2)[y] if kind == "labels" else soft_uneven
    balance = 0.5 * shares.sum() / shares.sum(axis=0)
    weight = shares @ balance
    fitted = clone(student).set_params(class_weight="balanced").fit(X, target)
    plain = clone(student).fit(X, target)
    # a fit matches the weighted mass of its targets: a half for each class, not the rare one's share
    assert_allclose(np.average(fitted.predict_proba(X)[:, 1], weights=weight), 0.5, atol=0.05)
    assert np.average(plain.predict_proba(X)[:, 1], weights=weight) < 0.4


# reproducibility


def test_the_same_random_state_gives_the_same_bytes_and_no_global_state_moves(student, unmoved, uneven, soft_uneven):
    import torch

    X, y = uneven
    for target in (y, soft_uneven):
        prints = set()
        for seed in (1, 2):
            with torch.random.fork_rng():
                state = np.random.get_state()
                torch.manual_seed(seed)
                np.random.seed(seed)
                prints.add(pickle.dumps(clone(student).fit(X, target).program_))
                np.random.set_state(state)
        assert len(prints) == 1


def test_the_net_trains_on_one_thread_and_gives_the_others_back(uneven, at_each_step):
    import torch

    X, y = uneven
    before = torch.get_num_threads()
    prints, during = set(), set()
    at_each_step(lambda number, weight: during.add(torch.get_num_threads()))
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            prints.add(small_mlp(max_epochs=3).fit(X, y).program_.fingerprint())
            assert torch.get_num_threads() == threads
            with pytest.raises(ValueError, match="learning_rate"):
                small_mlp(learning_rate=1e30).fit(X, y)
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert len(prints) == 1
    assert during == {1}


def test_a_random_state_instance_moves_on_and_none_differs(uneven):
    X, y = uneven
    rng = np.random.RandomState(0)
    net = small_mlp(max_epochs=2, random_state=rng)
    first, second = (net.fit(X, y).program_.fingerprint() for _ in range(2))
    assert first != second
    assert first == small_mlp(max_epochs=2, random_state=np.random.RandomState(0)).fit(X, y).program_.fingerprint()


def test_refitting_forgets_what_was_learned(student, iris, uneven):
    model = clone(student).fit(*uneven)
    model.fit(iris.X, iris.y)
    assert model.program_.fingerprint() == clone(student).fit(iris.X, iris.y).program_.fingerprint()


# progress and Ctrl-C


def bar_of(capsys):
    captured = capsys.readouterr()
    assert captured.out == ""
    return [text.strip() for text in captured.err.replace("\n", "\r").split("\r") if text.strip()]


def test_verbose_shows_one_bar_with_epoch_loss_and_fidelity(capsys, uneven):
    net = small_mlp(verbose=1, max_epochs=5, early_stopping=True).fit(*uneven)
    shown = bar_of(capsys)
    assert all(text.startswith("MLPStudent") for text in shown), "one bar and nothing beside it"
    assert "5/5" in shown[-1]
    assert "epoch" in shown[-1]
    last = net.history_[-1]
    assert f"loss={last['train_loss']:.4f}" in shown[-1]
    assert f"valid_fidelity={last['valid_fidelity']:.4f}" in shown[-1]


def test_verbose_shows_the_iterations_of_the_linear_student(capsys, iris):
    student = LinearStudent(verbose=1).fit(iris.X, iris.y)
    shown = bar_of(capsys)
    assert all(text.startswith("LinearStudent") for text in shown)
    assert f"{student.n_iter_}/" in shown[-1]
    assert "loss=" in shown[-1]


def test_nothing_is_shown_unless_wanted(student, capsys, iris):
    clone(student).fit(iris.X, iris.y)
    assert bar_of(capsys) == []


def interrupt_in_step(number, at_each_step, ctrl_c):
    at_each_step(lambda step, weight: ctrl_c() if step == number else None)


def test_ctrl_c_ends_the_net_with_the_best_weights_so_far(at_each_step, ctrl_c, unmoved, uneven):
    X, y = uneven
    # a step an epoch
    interrupt_in_step(7, at_each_step, ctrl_c)
    net = small_mlp(max_epochs=50, batch_size=400, early_stopping=True, learning_rate=0.05)
    with pytest.warns(UserWarning, match=r"MLPStudent was interrupted after 6 of 50 epochs; the best weights so far"):
        net.fit(X, y)
    assert net.n_iter_ == len(net.history_) == 6
    held_out = np.random.RandomState(0).permutation(400)[:80]
    log_proba = net.predict_log_proba(X[held_out])[np.arange(80), y[held_out]]
    assert_allclose(-log_proba.mean(), min(epoch["valid_loss"] for epoch in net.history_), rtol=1e-4)


def test_ctrl_c_in_the_middle_of_an_epoch_keeps_the_epochs_before(at_each_step, ctrl_c, uneven):
    X, y = uneven
    interrupt_in_step(70, at_each_step, ctrl_c)
    net = small_mlp(max_epochs=50, batch_size=16, early_stopping=False)  # 25 steps an epoch
    with pytest.warns(UserWarning, match="interrupted after 2 of 50 epochs"):
        net.fit(X, y)
    assert net.n_iter_ == 2
    assert net.predict_proba(X).shape == (400, 2)


def interrupt_in_evaluation(number, monkeypatch, ctrl_c):
    evaluate, calls = Terms.value_and_gradient, []

    def evaluating(self, *args):
        calls.append(1)
        if len(calls) == number:
            ctrl_c()
        return evaluate(self, *args)

    monkeypatch.setattr(Terms, "value_and_gradient", evaluating)


def test_ctrl_c_ends_the_linear_student_with_the_weights_so_far(monkeypatch, ctrl_c, uneven):
    X, y = uneven
    interrupt_in_evaluation(7, monkeypatch, ctrl_c)
    student = LinearStudent()
    with pytest.warns(UserWarning, match=r"LinearStudent was interrupted after \d iterations; the weights so far"):
        student.fit(X, y)
    monkeypatch.undo()
    assert student.n_iter_ > 1
    with pytest.warns(ConvergenceWarning):
        same = LinearStudent(max_iter=student.n_iter_).fit(X, y)
    assert_allclose(student.predict_proba(X), same.predict_proba(X), atol=1e-6)


def test_ctrl_c_before_the_first_epoch_leaves_nothing_fitted(
    layered, monkeypatch, at_each_step, ctrl_c, unmoved, uneven
):
    interrupt_in_step(1, at_each_step, ctrl_c)
    interrupt_in_evaluation(1, monkeypatch, ctrl_c)
    model = clone(layered)
    with pytest.raises(KeyboardInterrupt):
        model.fit(*uneven)
    assert not hasattr(model, "program_")


# what a fitted student is


def test_a_pickled_net_is_kilobytes(digits, digits_forest):
    net = MLPStudent(max_epochs=1, random_state=0).fit(digits.X, digits_forest.predict_proba(digits.X))
    stored = pickle.dumps(net)
    assert len(stored) < 200_000
    again = pickle.loads(stored)
    assert_array_equal(again.predict_proba(digits.X_test), net.predict_proba(digits.X_test))


def test_a_fitted_student_holds_no_training_rows(student, uneven):
    X, y = uneven

    def size(repeats):
        model = clone(student).fit(np.tile(X, (repeats, 1)), np.tile(y, repeats))
        return len(pickle.dumps(model))

    assert abs(size(1) - size(5)) < 1000 < 5 * X.nbytes
