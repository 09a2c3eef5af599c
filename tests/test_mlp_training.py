"""The loss and the training of nets in torch: value and gradient as in numpy and by autograd, one net as several."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.sparse import csr_matrix

from skdistill import MLPStudent
from skdistill.losses import CrossEntropy, Huber, SquaredError, Targets
from skdistill.student._encoded import Encoded
from skdistill.student._mlp_training import Job, net_outputs, train_nets
from skdistill.student._net_inputs import Goals, Inputs
from skdistill.student._nets import Nets, flattened, initial_layers
from skdistill.student._torch_loss import TermsLoss, target_arrays

CPU = torch.device("cpu")


def tensors(terms):
    return tuple(
        torch.as_tensor(part, dtype=torch.int64 if part.dtype.kind == "i" else torch.float32)
        for part in target_arrays(terms)
    )


def job(terms, rows=None, held_out=(), seed=0, **more):
    rows = np.arange(len(terms.soft)) if rows is None else np.asarray(rows)
    return Job(rows, np.asarray(held_out, dtype=np.int64), terms, seed, **more)


@pytest.mark.parametrize("n_logits", [1, 2, 4])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0}])
@pytest.mark.parametrize("temperature", [0.7, 1.0, 4.0])
@pytest.mark.parametrize(("alpha", "labelled"), [(0.0, True), (0.4, True), (1.0, True), (1.0, False)])
def test_value_and_gradient_are_those_of_numpy(n_logits, class_weight, temperature, alpha, labelled):
    rng = np.random.default_rng(0)
    n_classes = max(2, n_logits)
    # exact zeros, as a forest gives them, and rows without a label
    proba = rng.multinomial(10, np.full(n_classes, 1 / n_classes), size=40) / 10
    labels = rng.integers(-1, n_classes, 40) if labelled else None
    weight = rng.choice([0.5, 1.0, 2.0], 40)
    targets = Targets(proba, labels, weight, alpha, CrossEntropy(temperature), classes=np.arange(n_classes))
    terms = targets.terms(40, class_weight)
    logits = rng.normal(scale=2, size=(40, n_logits))
    value, gradient = terms.value_and_gradient(logits)

    z = torch.tensor(logits, dtype=torch.float32, requires_grad=True)
    loss = TermsLoss(CrossEntropy(temperature))(z, tensors(terms))
    loss.backward()
    assert_allclose(loss.item(), value, rtol=1e-5, atol=1e-5)
    assert_allclose(z.grad.numpy(), gradient, rtol=1e-5, atol=1e-5)

    goals = Goals([terms], CPU)
    losses, slopes = goals.losses_and_slopes(z.detach(), torch.arange(40))
    assert_allclose((losses + goals.constant).mean().item(), value, rtol=1e-5, atol=1e-5)
    assert_allclose(slopes.numpy() / 40, gradient, rtol=1e-5, atol=1e-5)


class CubedError(SquaredError):
    """A loss of the user's own, which torch knows nothing of."""

    def soft(self, Z, goal):
        off = Z - goal
        return (np.abs(off) ** 3).sum(axis=1), 3.0 * off * np.abs(off)


@pytest.mark.parametrize("loss", [SquaredError(), Huber(0.5), CubedError()])
@pytest.mark.parametrize("alpha", [0.0, 0.4, 1.0])
def test_losses_of_numbers_are_those_of_numpy(loss, alpha):
    rng = np.random.default_rng(0)
    targets = Targets(rng.normal(size=(30, 2)), rng.normal(size=(30, 2)), rng.choice([1.0, 2.0], 30), alpha, loss)
    terms = targets.terms(30)
    outputs = rng.normal(size=(30, 2))
    value, gradient = terms.value_and_gradient(outputs)
    goals = Goals([terms], CPU)
    losses, slopes = goals.losses_and_slopes(torch.tensor(outputs, dtype=torch.float32), torch.arange(30))
    assert_allclose((losses + goals.constant).mean().item(), value, rtol=1e-5, atol=1e-6)
    assert_allclose(slopes.numpy() / 30, gradient, rtol=1e-5, atol=1e-5)


def test_the_torch_loss_is_zero_at_the_teachers_own_logits():
    proba = np.random.default_rng(0).dirichlet(np.ones(3), 20)
    terms = Targets(proba, None).terms(20)
    logits = torch.tensor(np.log(proba), dtype=torch.float32)
    assert abs(TermsLoss(CrossEntropy())(logits, tensors(terms)).item()) < 1e-6


def sparse_rows(kind, n_rows, n_columns, rng):
    if kind == "one-hot":
        halves = (n_columns // 3, n_columns - n_columns // 3)
        return np.hstack([np.eye(n)[rng.integers(n, size=n_rows)] for n in halves])
    return rng.normal(size=(n_rows, n_columns)) * (rng.random((n_rows, n_columns)) < 4 / n_columns)


@pytest.mark.parametrize("activation", ["relu", "silu", "tanh"])
@pytest.mark.parametrize(
    ("kind", "n_columns"), [("none", 0), ("one-hot", 9), ("one-hot", 90), ("words", 9), ("words", 90)]
)
def test_the_gradient_is_that_of_autograd(activation, kind, n_columns):
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(12, 2)).astype(np.float32)
    X = sparse_rows(kind, 12, n_columns, rng) if n_columns else np.empty((12, 0))
    inputs = Inputs(Encoded(numbers, csr_matrix(X) if n_columns else None), CPU)
    if n_columns:
        assert inputs.spreads == (n_columns == 9)
    sizes = [2 + n_columns, 6, 5, 3]
    starts = [initial_layers(sizes, n_columns, inputs.n_active, torch.Generator().manual_seed(at)) for at in range(2)]
    flat = flattened([torch.stack(parts) for parts in zip(*starts, strict=True)])
    nets = Nets(flat, [tuple(part.shape) for part in starts[0]], activation, inputs)
    rows = torch.as_tensor(rng.permutation(12))
    slopes = torch.as_tensor(rng.normal(size=(2, 6, 3)).astype(np.float32))
    outputs = nets.forward(rows, 6).clone()
    nets.backward(6, slopes.clone())

    dense = torch.as_tensor(np.hstack([X, numbers]).astype(np.float32))
    act = {"relu": torch.relu, "silu": torch.nn.functional.silu, "tanh": torch.tanh}[activation]
    for at, parts in enumerate(starts):
        leaves = [part.clone().requires_grad_() for part in parts]
        H = dense[rows[6 * at : 6 * at + 6]]
        for layer in range(3):
            H = H @ leaves[2 * layer] + leaves[2 * layer + 1]
            H = act(H) if layer < 2 else H
        assert_allclose(outputs[at].numpy(), H.detach().numpy(), atol=1e-5)
        H.backward(slopes[at])
        for leaf, found in zip(leaves, nets.slopes, strict=True):
            assert_allclose(found[at].numpy(), leaf.grad.numpy(), atol=1e-5)


def table(n_rows=300, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 4)).astype(np.float32)
    proba = torch.softmax(torch.as_tensor(X[:, :n_classes] * 2), 1).numpy().astype(np.float64)
    return Encoded(X), proba


@pytest.mark.parametrize("activation", ["relu", "silu", "tanh"])
def test_several_nets_are_what_each_would_be_by_itself(activation):
    encoded, proba = table()
    terms = [Targets(proba, proba.argmax(1), None, alpha, classes=np.arange(3)).terms(300) for alpha in (1.0, 0.3)]
    jobs = [
        job(terms[0], np.arange(0, 240), np.arange(240, 300), 1),
        job(terms[1], np.arange(60, 300), np.arange(0, 60), 2),
        # a narrower one has units without weights for a while
        job(terms[0], np.arange(0, 240), np.arange(240, 300), 3, hidden=(3,)),
    ]
    student = MLPStudent((8,), activation=activation, max_epochs=25, patience=4)
    together = train_nets(student, encoded, jobs, batch_size=16)
    for one, net in zip(jobs, together, strict=True):
        (alone,) = train_nets(student, encoded, [one], batch_size=16)
        assert len(alone.history) == len(net.history)
        for pair, other in zip(alone.layers, net.layers, strict=True):
            assert_allclose(pair[0], other[0], atol=2e-4)
        assert len(net.layers[1][0]) == (8 if one.hidden is None else 3)
        assert_allclose(alone.history[-1]["valid_loss"], net.history[-1]["valid_loss"], rtol=1e-3)


def test_a_batch_holds_every_row_once_an_epoch():
    n_rows = 23
    encoded = Encoded(np.eye(n_rows, dtype=np.float32))
    terms = Targets(np.eye(n_rows), None, classes=np.arange(n_rows)).terms(n_rows)
    student = MLPStudent((), max_epochs=1, learning_rate=1e-12, weight_decay=0.0)
    (net,) = train_nets(student, encoded, [job(terms)], batch_size=5)
    # with weights that do not move, the epoch's loss is the mean over all rows, each counted once
    start = initial_layers([n_rows, n_rows], 0, 0.0, torch.Generator().manual_seed(0))
    outputs = np.eye(n_rows) @ start[0].numpy() + start[1].numpy()
    assert_allclose(net.history[0]["train_loss"], terms.value_and_gradient(outputs)[0], rtol=1e-5)


def test_dropout_trains_and_keeps_the_mean():
    encoded, proba = table()
    terms = Targets(proba, None).terms(300)
    student = MLPStudent((64,), max_epochs=60, dropout=0.25, activation="relu")
    (net,) = train_nets(student, encoded, [job(terms)], batch_size=32)
    (outputs,) = net_outputs("relu", encoded, [net.layers], np.arange(300))
    assert (outputs.argmax(1) == proba.argmax(1)).mean() > 0.93
    (without,) = train_nets(MLPStudent((64,), max_epochs=60), encoded, [job(terms)], batch_size=32)
    assert without.history[-1]["train_loss"] < net.history[-1]["train_loss"]


def test_first_weights_come_from_the_generator(unmoved):
    def start(seed):
        return initial_layers([3, 8, 2], 0, 0.0, torch.Generator().manual_seed(seed))

    first, again, other = start(1), start(1), start(2)
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


def test_no_more_steps_are_taken_than_wanted():
    encoded, proba = table()
    student = MLPStudent((8,), max_epochs=30)
    whole = job(Targets(proba, None).terms(300))
    (few,) = train_nets(student, encoded, [whole], batch_size=30, most_steps=45)
    assert len(few.history) == 4
    (one,) = train_nets(student, encoded, [whole], batch_size=30, most_steps=1)
    assert len(one.history) == 1


def test_bins_that_are_worked_out_for_each_batch_are_the_same(monkeypatch, iris):
    student = MLPStudent((8,), max_epochs=5, random_state=0)
    once = student.fit(iris.X, iris.y).predict_proba(iris.X)
    monkeypatch.setattr("skdistill.student._net_inputs._EXPANDED", 0)
    each_time = student.fit(iris.X, iris.y).predict_proba(iris.X)
    assert_allclose(each_time, once, atol=1e-4)
