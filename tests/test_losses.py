"""The numpy loss: softmax, softening, value, gradient, minimum, and every kind of weight."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.special import rel_entr
from sklearn.linear_model import LinearRegression
from sklearn.utils.class_weight import compute_class_weight

from skdistill import DistilledRegressor
from skdistill.losses import (
    PROBABILITY_FLOOR,
    CrossEntropy,
    Huber,
    Loss,
    Targets,
    distillation_loss,
    log_softmax,
    soften,
    softmax,
)

temperatures = st.floats(0.3, 20)
alphas = st.one_of(st.just(0.0), st.just(1.0), st.floats(0.01, 0.99))


def finite(bound):
    return st.floats(-bound, bound, allow_nan=False, width=64)


@st.composite
def probabilities(draw, n_rows, n_classes, smallest=0.0):
    """Rows of probabilities; zeros among them unless `smallest` forbids."""
    raw = draw(arrays(float, (n_rows, n_classes), elements=st.floats(smallest, 1)))
    raw[raw.sum(axis=1) == 0] = 1.0
    return raw / raw.sum(axis=1, keepdims=True)


@st.composite
def problems(draw, smallest=0.0):
    """Logits, answers, labels (some missing), weights (some zero), temperature and alpha."""
    n_rows, n_classes = draw(st.integers(1, 6)), draw(st.integers(2, 5))
    one_column = n_classes == 2 and draw(st.booleans())
    weight = draw(st.none() | arrays(float, n_rows, elements=st.sampled_from([0.0, 0.5, 1.0, 3.0])))
    if weight is not None and not weight.any():
        weight = None
    return {
        "logits": draw(arrays(float, (n_rows, 1 if one_column else n_classes), elements=finite(8))),
        "proba": draw(probabilities(n_rows, n_classes, smallest)),
        "labels": draw(st.none() | arrays(np.int64, n_rows, elements=st.integers(-1, n_classes - 1))),
        "temperature": draw(temperatures),
        "alpha": draw(alphas),
        "sample_weight": weight,
    }


def written_out(logits, proba, labels, temperature, alpha, sample_weight):
    """The loss as DESIGN.md states it, row by row."""
    total = 0.0
    weights = np.ones(len(logits)) if sample_weight is None else sample_weight
    for i, weight in enumerate(weights):
        z = np.concatenate([[0.0], logits[i]]) if logits.shape[1] == 1 else logits[i]
        p = proba[i]
        if temperature != 1:
            p = np.maximum(p, PROBABILITY_FLOOR) ** (1 / temperature)
            p = p / p.sum()
        q = np.exp(z / temperature) / np.exp(z / temperature).sum()
        total += weight * alpha * temperature**2 * rel_entr(p, q).sum()
        if labels is not None and labels[i] >= 0:
            total -= weight * (1 - alpha) * np.log(np.exp(z[labels[i]]) / np.exp(z).sum())
    return total / weights.sum()


@given(arrays(float, (4, 3), elements=finite(1e100)))
def test_softmax_is_finite_nonnegative_and_sums_to_one_for_any_logits(logits):
    proba = softmax(logits)
    assert np.isfinite(proba).all()
    assert (proba >= 0).all()
    assert_allclose(proba.sum(axis=1), 1, rtol=1e-15)


@given(arrays(float, (5, 1), elements=finite(30)))
def test_one_column_of_logits_stands_for_zero_and_z(z):
    assert_allclose(softmax(z), softmax(np.hstack([np.zeros_like(z), z])), rtol=1e-13)
    assert_allclose(softmax(z)[:, 1], 1 / (1 + np.exp(-z[:, 0])), rtol=1e-12)


def test_log_softmax_is_exact_where_the_probability_underflows():
    assert_allclose(log_softmax([[0.0, -2000.0]]), [[0.0, -2000.0]], rtol=1e-15)


@given(arrays(float, (4, 3), elements=finite(3)), temperatures)
def test_softening_divides_the_logits_by_the_temperature(logits, temperature):
    assert_allclose(soften(softmax(logits), temperature), softmax(logits / temperature), rtol=1e-9)


@given(probabilities(4, 3))
def test_softening_at_temperature_1_gives_the_probabilities_back(proba):
    assert_array_equal(soften(proba, 1), proba)


@given(probabilities(3, 4), st.floats(1.01, 50))
def test_softening_flattens_and_keeps_the_order(proba, temperature):
    softened = soften(proba, temperature)
    assert_allclose(softened.sum(axis=1), 1, rtol=1e-12)
    assert (softened.max(axis=1) <= proba.max(axis=1) + 3 * PROBABILITY_FLOOR).all()
    for before, after in zip(proba, softened, strict=True):
        assert (np.diff(after[np.argsort(before, kind="stable")]) >= -1e-12).all()


def test_softening_reads_anything_below_the_floor_as_the_floor():
    # a forest's exact zero and a booster's 1e-9 say the same: too rare to have been seen
    assert PROBABILITY_FLOOR == 1e-4
    zero = soften([[1.0, 0.0]], 2)
    assert_allclose(zero, soften([[1 - 1e-9, 1e-9]], 2), rtol=1e-6)
    assert_allclose(zero[0, 1] / zero[0, 0], np.sqrt(PROBABILITY_FLOOR), rtol=1e-12)
    assert soften([[1.0, 0.0]], 2, floor=1e-12)[0, 1] < 1e-5


@given(problems())
def test_the_value_is_the_formula_written_out(problem):
    value, _ = distillation_loss(**problem)
    assert_allclose(value, written_out(**problem), rtol=1e-8, atol=1e-8)


@given(problems())
def test_the_gradient_is_the_slope_of_the_value(problem):
    logits = problem.pop("logits")
    _, gradient = distillation_loss(logits, **problem)
    assert gradient.shape == logits.shape
    step = 1e-5
    for index in np.ndindex(logits.shape):
        shift = np.zeros_like(logits)
        shift[index] = step
        above, below = (distillation_loss(z, **problem)[0] for z in (logits + shift, logits - shift))
        assert_allclose(gradient[index], (above - below) / (2 * step), rtol=1e-4, atol=1e-6)


def best_logits(shape, **problem):
    def objective(flat):
        value, gradient = distillation_loss(flat.reshape(shape), **problem)
        return value, gradient.ravel()

    options = {"gtol": 1e-10, "ftol": 0, "maxiter": 5000}
    return minimize(objective, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options=options).x.reshape(shape)


@pytest.mark.parametrize("alpha", [0.2, 0.5, 1.0])
@pytest.mark.parametrize("n_logits", [1, 2, 3])
def test_the_minimum_over_free_logits_is_the_blended_target(alpha, n_logits):
    n_classes = max(2, n_logits)
    proba = np.random.default_rng(0).dirichlet(np.ones(n_classes), 5)
    labels = np.array([0, 1, 1, 0, -1])
    blend = alpha * proba + (1 - alpha) * np.eye(n_classes)[labels]
    blend[4] = proba[4]  # a row without a label takes the teacher's answer alone
    best = best_logits((5, n_logits), proba=proba, labels=labels, alpha=alpha)
    assert_allclose(softmax(best), blend, atol=1e-5)


@pytest.mark.parametrize("temperature", [0.5, 2, 10])
def test_the_minimum_at_alpha_1_is_the_teacher_at_any_temperature(temperature):
    proba = softmax(np.random.default_rng(0).normal(size=(4, 3)))
    best = best_logits((4, 3), proba=proba, temperature=temperature, alpha=1)
    assert_allclose(softmax(best), proba, atol=1e-4)


def test_the_minimum_between_softens_both_sides_and_weighs_by_the_temperature_squared():
    # where the gradient vanishes: alpha * T * (q_T - p_T) + (1 - alpha) * (q_1 - label) = 0
    proba, label, T, alpha = np.array([[0.7, 0.2, 0.1]]), np.array([1]), 3.0, 0.4
    best = best_logits((1, 3), proba=proba, labels=label, temperature=T, alpha=alpha)
    soft_gap = softmax(best / T) - soften(proba, T)
    hard_gap = softmax(best) - np.eye(3)[label]
    assert abs(soft_gap).max() > 0.01
    assert_allclose(alpha * T * soft_gap + (1 - alpha) * hard_gap, 0, atol=1e-6)


@given(problems(), st.data())
def test_a_weight_of_two_is_the_row_twice_and_a_weight_of_zero_no_row(problem, data):
    n_rows = len(problem["logits"])
    counts = data.draw(arrays(np.int64, n_rows, elements=st.integers(0, 2)).filter(lambda counts: counts.any()))
    problem["sample_weight"] = counts.astype(float)
    value, gradient = distillation_loss(**problem)
    rows = np.repeat(np.arange(n_rows), counts)
    repeated = {
        name: problem[name] if problem[name] is None else problem[name][rows] for name in ("logits", "proba", "labels")
    }
    again, by_copy = distillation_loss(**{**problem, **repeated, "sample_weight": None})
    assert_allclose(value, again, rtol=1e-9, atol=1e-12)
    summed = np.zeros_like(gradient)
    np.add.at(summed, rows, by_copy)
    assert_allclose(gradient, summed, rtol=1e-9, atol=1e-12)


@given(problems())
def test_scaling_all_weights_changes_nothing(problem):
    weight = np.ones(len(problem["logits"])) if problem["sample_weight"] is None else problem["sample_weight"]
    once = distillation_loss(**{**problem, "sample_weight": weight})
    scaled = distillation_loss(**{**problem, "sample_weight": 1000 * weight})
    assert_allclose(once[0], scaled[0], rtol=1e-9)
    assert_allclose(once[1], scaled[1], rtol=1e-9, atol=1e-15)


def test_a_class_weight_multiplies_that_classs_share_of_a_soft_target():
    # as if labels were drawn from the teacher's answers and then weighted
    rng = np.random.default_rng(0)
    logits, proba = rng.normal(size=(6, 3)), rng.dirichlet(np.ones(3), 6)
    weight = np.array([1.0, 5.0, 0.5])
    targets = Targets(proba, None, classes=np.arange(3))
    _, gradient = targets.terms(6, {1: 5.0, 2: 0.5}).value_and_gradient(logits)
    expected = sum(weight[k] * proba[:, [k]] * (softmax(logits) - np.eye(3)[k]) for k in range(3)) / 6
    assert_allclose(gradient, expected, rtol=1e-9)


def test_balanced_gives_every_class_the_same_mass():
    rng = np.random.default_rng(0)
    labels = rng.choice(3, 60, p=[0.7, 0.2, 0.1])
    terms = Targets(None, labels, alpha=0.0, classes=np.arange(3)).terms(60, "balanced")
    by_sklearn = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert_allclose(terms.label_weight, by_sklearn[labels], rtol=1e-9)

    proba = rng.dirichlet([8, 2, 1], 60)
    terms = Targets(proba, None, sample_weight=rng.uniform(0.1, 2, 60), classes=np.arange(3)).terms(60, "balanced")
    mass = terms.soft_weight @ terms.soft
    assert_allclose(mass, mass.mean(), rtol=1e-9)


def test_a_class_that_no_row_shows_has_no_say_in_balanced():
    labels = np.array([0, 0, 0, 2])
    terms = Targets(None, labels, alpha=0.0, classes=np.arange(3)).terms(4, "balanced")
    assert_allclose(terms.label_weight, [2 / 3, 2 / 3, 2 / 3, 2], rtol=1e-9)


def test_a_row_whose_only_classes_weigh_nothing_does_not_count():
    terms = Targets(np.array([[1.0, 0.0], [0.5, 0.5]]), None, classes=np.arange(2)).terms(2, {0: 0.0})
    value, gradient = terms.value_and_gradient(np.array([[3.0, -1.0], [0.0, 0.0]]))
    assert np.isfinite(value)
    assert_array_equal(gradient[0], 0)
    assert_allclose(gradient[1], [0.125, -0.125], rtol=1e-9)


@pytest.mark.parametrize(("loss", "name"), [(Huber, "delta"), (CrossEntropy, "temperature")])
def test_a_loss_whose_number_has_no_meaning_is_refused(loss, name):
    for value in (-1, 0, np.nan, np.inf):
        with pytest.raises(ValueError, match=f"{name} must be finite and above zero; got {value}"):
            loss(value)
    for value in ("a", None):
        with pytest.raises(TypeError, match=f"{name} must be a number; got {value!r}"):
            loss(value)
    assert loss(np.float32(2)) == loss(2)


def test_a_loss_of_numbers_that_standardises_nothing_is_refused():
    class Absolute(Loss):
        pass

    with pytest.raises(ValueError, match="derive it from SquaredError"):
        DistilledRegressor(LinearRegression().fit([[0.0], [1.0]], [0, 1]), loss=Absolute()).fit([[0.0], [1.0]], [0, 1])
