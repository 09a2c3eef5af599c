"""The loss and the batches in torch: value and gradient as in numpy, every row once an epoch, no global state."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from skdistill.losses import Targets
from skdistill.student._torch import MLP, DistillationLoss, RowBatches, _tensors


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
    terms = Targets(np.arange(n_classes), proba, labels, weight, temperature, alpha).terms(40, class_weight)
    logits = rng.normal(scale=2, size=(40, n_logits))

    value, gradient = terms.value_and_gradient(logits)
    _, targets = _tensors(np.zeros((40, 1)), terms, torch.device("cpu"))
    z = torch.tensor(logits, dtype=torch.float32, requires_grad=True)
    loss = DistillationLoss(temperature)(z, targets)
    loss.backward()

    assert_allclose(loss.item(), value, rtol=1e-5, atol=1e-5)
    assert_allclose(z.grad.numpy(), gradient, rtol=1e-5, atol=1e-5)


def test_the_torch_loss_is_zero_at_the_teachers_own_logits():
    proba = np.random.default_rng(0).dirichlet(np.ones(3), 20)
    terms = Targets(np.arange(3), proba, None).terms(20)
    _, targets = _tensors(np.zeros((20, 1)), terms, torch.device("cpu"))
    assert abs(DistillationLoss(1.0)(torch.tensor(np.log(proba), dtype=torch.float32), targets).item()) < 1e-6


def rows(n_rows):
    numbers = torch.arange(n_rows, dtype=torch.float32)
    return SimpleNamespace(X=numbers[:, None], y=(10 * numbers, 100 * numbers))


def test_batches_hold_every_row_once_an_epoch_with_its_own_targets():
    batches = RowBatches(rows(23), 5, torch.Generator().manual_seed(0))
    epochs = []
    for _ in range(2):
        seen = list(batches)
        assert len(seen) == len(batches) == 5
        X = torch.cat([batch for batch, _ in seen])[:, 0]
        assert sorted(X.tolist()) == list(range(23))
        assert torch.equal(torch.cat([targets[0] for _, targets in seen]), 10 * X)
        assert torch.equal(torch.cat([targets[1] for _, targets in seen]), 100 * X)
        epochs.append(X.tolist())
    assert epochs[0] != epochs[1], "shuffled anew each epoch"
    assert epochs[0] != sorted(epochs[0])


def test_batches_without_a_generator_keep_the_order():
    X = torch.cat([batch for batch, _ in RowBatches(rows(7), 3)])[:, 0]
    assert X.tolist() == list(range(7))


def test_dropout_silences_hidden_units_in_training_alone(unmoved):
    net = MLP([4, 1000, 2], "relu", 0.25, torch.Generator().manual_seed(0))
    hidden = []
    net.layers[1].register_forward_hook(lambda module, given, out: hidden.append(given[0].detach()))
    Z = torch.ones(1, 4)
    net.eval()
    net(Z)
    net.train()
    net(Z)
    alive = hidden[0] > 0
    silenced = (hidden[1][alive] == 0).float().mean().item()
    assert 0.18 < silenced < 0.32
    kept = alive & (hidden[1] > 0)
    torch.testing.assert_close(hidden[1][kept], hidden[0][kept] / 0.75)


def test_first_weights_come_from_the_generator(unmoved):
    first, again, other = (MLP([3, 8, 2], "relu", 0.0, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    Z = torch.ones(2, 3)
    assert torch.equal(first(Z), again(Z))
    assert not torch.equal(first(Z), other(Z))
