"""The loss and the batches in torch: value and gradient as in numpy, every row once an epoch, no global state."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.sparse import csr_matrix

from skdistill.losses import CrossEntropy, Targets
from skdistill.student._encoder import Encoded
from skdistill.student._mlp_training import MLP, Rows, TermsLoss

CPU = torch.device("cpu")


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
    _, targets = next(iter(Rows(Encoded(np.zeros((40, 1))), terms, CPU)))
    z = torch.tensor(logits, dtype=torch.float32, requires_grad=True)
    loss = TermsLoss(CrossEntropy(temperature))(z, targets)
    loss.backward()

    assert_allclose(loss.item(), value, rtol=1e-5, atol=1e-5)
    assert_allclose(z.grad.numpy(), gradient, rtol=1e-5, atol=1e-5)


def test_the_torch_loss_is_zero_at_the_teachers_own_logits():
    proba = np.random.default_rng(0).dirichlet(np.ones(3), 20)
    terms = Targets(proba, None).terms(20)
    _, targets = next(iter(Rows(Encoded(np.zeros((20, 1))), terms, CPU)))
    assert abs(TermsLoss(CrossEntropy())(torch.tensor(np.log(proba), dtype=torch.float32), targets).item()) < 1e-6


def rows(n_rows, kind="one-hot", **loading):
    """Return rows that tell which they are: in their number, their sparse column and their target."""
    ids = np.arange(n_rows)
    if kind == "one-hot":
        sparse = csr_matrix((np.ones(n_rows), ids, np.arange(n_rows + 1)))
    else:
        # row i holds i + 1 in each of its first i columns
        sparse = csr_matrix(np.tril(np.ones((n_rows, n_rows)), -1) * (ids + 1.0)[:, None])
    weight = 100.0 * ids + 1
    terms = Targets(np.full((n_rows, 2), 0.5), None, weight).terms(n_rows)
    return Rows(Encoded(ids[:, None].astype(float), sparse), terms, CPU, **loading), weight / weight.mean()


@pytest.mark.parametrize("kind", ["one-hot", "words"])
def test_batches_hold_every_row_once_an_epoch_with_its_own_targets(kind):
    batches, weight = rows(23, kind, batch_size=5, generator=torch.Generator().manual_seed(0))
    epochs = []
    for _ in range(2):
        seen = list(batches)
        assert len(seen) == 5
        ids = torch.cat([inputs["numbers"] for inputs, _ in seen])[:, 0]
        assert sorted(ids.tolist()) == list(range(23))
        assert_allclose(torch.cat([targets[1] for _, targets in seen]), weight[ids.int()], rtol=1e-6)
        for inputs, _ in seen:
            for row, (number,) in enumerate(inputs["numbers"].int().tolist()):
                indices = inputs["indices"][row]
                if kind == "one-hot":
                    assert indices.tolist() == [number]
                else:
                    values = inputs["values"][row]
                    assert indices[values != 0].tolist() == list(range(number))
                    assert set(values[values != 0].tolist()) <= {number + 1.0}
        epochs.append(ids.tolist())
    assert epochs[0] != epochs[1], "shuffled anew each epoch"
    assert epochs[0] != sorted(epochs[0])


def test_batches_without_a_generator_keep_the_order():
    ids = torch.cat([inputs["numbers"] for inputs, _ in rows(7, batch_size=3)[0]])[:, 0]
    assert ids.tolist() == list(range(7))


@pytest.mark.parametrize("kind", ["one-hot", "words"])
@pytest.mark.parametrize("n_columns", [9, 90])
def test_sparse_columns_count_as_dense_ones_would(n_columns, kind):
    rng = np.random.default_rng(0)
    if kind == "one-hot":
        X = np.hstack([np.eye(n)[rng.integers(n, size=12)] for n in (n_columns // 3, n_columns - n_columns // 3)])
    else:
        X = rng.normal(size=(12, n_columns)) * (rng.random((12, n_columns)) < 4 / n_columns)
    net = MLP(2, n_columns, np.count_nonzero(X) / 12, [6, 3], "tanh", 0.0, torch.Generator().manual_seed(0))
    assert net.spreads == (n_columns == 9)
    numbers = rng.normal(size=(12, 2))
    terms = Targets(np.full((12, 3), 1 / 3), None).terms(12)
    inputs, _ = next(iter(Rows(Encoded(numbers, csr_matrix(X)), terms, CPU)))
    (weight, bias), (last, last_bias) = net.layers()
    expected = np.tanh(np.hstack([X, numbers]) @ weight + bias) @ last + last_bias
    for mode in (net.train(), net.eval()):
        assert_allclose(mode(**inputs).detach().numpy(), expected, atol=1e-5)


def test_dropout_silences_hidden_units_in_training_alone(unmoved):
    net = MLP(4, 0, 0.0, [1000, 1000], "relu", 0.25, torch.Generator().manual_seed(0))
    with torch.no_grad():
        # what is left of the hidden units is what comes out
        net.weights[1].copy_(torch.eye(1000))
    Z = torch.ones(1, 4)
    hidden = net.eval()(Z).detach(), net.train()(Z).detach()
    alive = hidden[0] > 0
    silenced = (hidden[1][alive] == 0).float().mean().item()
    assert 0.18 < silenced < 0.32
    kept = alive & (hidden[1] > 0)
    torch.testing.assert_close(hidden[1][kept], hidden[0][kept] / 0.75)


def test_first_weights_come_from_the_generator(unmoved):
    def net(seed):
        return MLP(3, 0, 0.0, [8, 2], "relu", 0.0, torch.Generator().manual_seed(seed))

    first, again, other = net(1), net(1), net(2)
    Z = torch.ones(2, 3)
    assert torch.equal(first(Z), again(Z))
    assert not torch.equal(first(Z), other(Z))
