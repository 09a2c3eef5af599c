"""alpha="auto": what is chosen on rows held out, the label ensemble, new rows, and what the report says."""

from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
from helpers import RecordingTeacher, small_mlp, small_tree
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier, LinearStudent, MLPStudent
from skdistill.distil import _recipe, _scaling
from skdistill.losses import Targets, soften
from skdistill.student import NetTable, widened


def quick_mlp(**params):
    """Return a net that is trained in a hundred steps."""
    return small_mlp(**{"batch_size": 64, "learning_rate": 0.03, **params})


def truth(X):
    """A teacher that knows by what chances the labels are drawn."""
    A = X.toarray() if sparse.issparse(X) else np.asarray(X, dtype=float)
    p = 1 / (1 + np.exp(-2 * (1.5 * A[:, 0] * A[:, 1] + A[:, 2])))
    return np.column_stack([1 - p, p])


def inverted(X):
    return truth(X)[:, ::-1]


def guessing(X):
    """A teacher that is sure of anything, the same for the same row."""
    p = np.modf(1e4 * abs(X[:, 0]))[0].round()
    return np.column_stack([1 - p, p])


def table(n_rows, seed=0):
    X = np.random.default_rng(seed).normal(size=(n_rows, 4))
    return X, (np.random.default_rng(seed + 1).random(n_rows) < truth(X)[:, 1]).astype(int)


def fit(teacher, X, y, fit=None, **params):
    """Fit a net by a recipe with a label ensemble of three."""
    params = {"student": quick_mlp(), "label_ensemble": 3, "random_state": 0, **params}
    return DistilledClassifier(teacher, **params).fit(X, y, **(fit or {}))


def alphas(report):
    return [one["alpha"] for one in report["candidates"]]


#: A teacher that answers against the labels is warned of.
useless = pytest.mark.filterwarnings("ignore:teacher .* says little of these labels:UserWarning")


class Noted:
    """A student that notes all that a recipe fits: rows, targets and the fitted student."""

    fits: ClassVar[list] = []

    def fit_targets(self, X, targets):
        super().fit_targets(X, targets)
        self.fits.append((X, targets, self))
        return self


class NotedLinear(Noted, LinearStudent):
    pass


class NotedNet(Noted, MLPStudent):
    pass


@pytest.fixture
def noted(monkeypatch):
    """What was fitted, in turn."""
    fits = []
    monkeypatch.setattr(Noted, "fits", fits)
    return fits


def known(rows, X):
    """Tell which rows of X are among others."""
    there = {row.tobytes() for row in rows}
    return np.array([row.tobytes() in there for row in X])


# what is chosen


@useless
@pytest.mark.parametrize("student", [quick_mlp(), "linear", "tree"], ids=["mlp", "linear", "tree"])
@pytest.mark.parametrize("teacher", [inverted, guessing])
def test_a_useless_teacher_gets_no_share(teacher, student):
    X, y = table(800 if isinstance(student, MLPStudent) else 400)
    fresh, fresh_y = table(2000, 10)
    size = 3 if isinstance(student, MLPStudent) else "auto"
    model = fit(teacher, X, y, student=student, label_ensemble=size)
    report = model.distillation_report_
    assert report["alpha"] < 0.01
    alone = DistilledClassifier(teacher, student=student, alpha=0, random_state=0).fit(X, y)
    both = [log_loss(fresh_y, one.predict_proba(fresh)) for one in (model, alone)]
    assert both[0] < both[1] + 0.01


@useless
def test_without_a_label_ensemble_the_lowest_weighted_loss_is_chosen():
    X, y = table(300)
    weight = np.random.default_rng(0).lognormal(sigma=2, size=300)
    chosen = set()
    for seed in range(8):
        params = {"student": "tree", "label_ensemble": "auto", "random_state": seed}
        report = fit(guessing, X, y, fit={"sample_weight": weight}, **params).distillation_report_
        best = min(report["candidates"], key=lambda one: one["log_loss"])
        assert report["alpha"] == best["alpha"]
        chosen.add(best["alpha"])
    assert len(chosen) > 1


@pytest.mark.parametrize("student", [quick_mlp(), small_tree()], ids=["mlp", "tree"])
def test_a_teacher_that_knows_more_than_few_labels_is_followed(student):
    (X, y), (fresh, fresh_y) = table(200), table(2000, 10)
    model = fit(truth, X, y, student=student, label_ensemble="auto")
    report = model.distillation_report_
    assert report["alpha"] > 0
    assert report["distilled"]["log_loss"] < report["labels_only"]["log_loss"]
    alone = DistilledClassifier(truth, student=student, alpha=0, random_state=0).fit(X, y)
    both = [log_loss(fresh_y, one.predict_proba(fresh)) for one in (model, alone)]
    assert both[0] < both[1] - 0.02


def seen_noise(n_rows, share):
    """Rows whose labels are flipped by chance, and a tree that has learnt all of them."""
    X, y = table(n_rows)
    y = np.where(np.random.default_rng(5).random(n_rows) < share, 1 - y, y)
    return X, y, DecisionTreeClassifier(random_state=0).fit(X, y)


def test_a_teacher_that_has_seen_the_labels_is_told_from_one_that_has_not():
    X, y = table(600)
    teacher = RecordingTeacher(truth)
    report = fit(teacher, X, y).distillation_report_
    assert (report["origin"], report["memorised"]) == ("unknown", False)
    # it is worth what it is worth on the labels, and it knows all that can be known
    assert report["alpha"] > 0.8
    assert report["n_new"] == 10 * 600
    # each row is asked about once
    assert [len(rows) for rows in teacher.seen] == [600, 6000]

    X, y, tree = seen_noise(600, 0.2)
    report = fit(tree.predict_proba, X, y).distillation_report_
    assert report["memorised"]
    assert report["teacher_gap"] > 0.15
    assert report["alpha"] == 0.25
    # the same tree has not seen labels of other rows
    others, theirs, _ = seen_noise(1200, 0.2)
    report = fit(tree.predict_proba, others[600:], theirs[600:]).distillation_report_
    assert not report["memorised"]
    assert report["alpha"] < 0.5


def test_wide_tables_get_half_as_many_new_rows():
    X, y = table(200)
    wide = np.hstack([X, np.random.default_rng(3).normal(size=(200, 130))])
    quick = {"student": quick_mlp(max_epochs=1), "label_ensemble": 2}
    assert [fit(truth, rows, y, **quick).distillation_report_["n_new"] for rows in (X, wide)] == [2000, 1000]


def test_several_new_rows_near_a_row_are_one_piece_of_evidence():
    X, y = table(2000)
    forest = RandomForestClassifier(50, min_samples_leaf=3, random_state=0).fit(X, y)
    few = {"student": quick_mlp(max_epochs=1), "label_ensemble": 2}
    others = [table(300, seed=100 + 2 * seed) for seed in range(24)]
    reports = [fit(forest, *rows, random_state=at, **few).distillation_report_ for at, rows in enumerate(others)]
    # ten new rows near each were ten pieces once, and a teacher of other rows seemed to have seen two of these tables
    assert sum(report["memorised"] for report in reports) <= 1


@pytest.mark.parametrize(
    ("params", "size"), [({}, ((48,), 4)), ({"hidden_layer_sizes": (8,)}, ((8,), 1)), ({"n_nets": 2}, ("auto", 2))]
)
def test_the_student_of_memorised_noise_is_the_mean_of_shallow_nets_unless_its_size_is_given(params, size):
    X, y, tree = seen_noise(600, 0.2)
    student = MLPStudent(numeric="standard", max_epochs=10, **params)
    found = fit(tree.predict_proba, X, y, student=student).student_
    assert (found.hidden_layer_sizes, found.n_nets) == size


@pytest.mark.parametrize("n_classes", [2, 3])
def test_where_a_class_is_rare_mean_probabilities_agree_with_shares(n_classes, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 3))
    y = np.where(X[:, 0] + 0.5 * rng.normal(size=1500) > 2.2, n_classes - 1, (X[:, 1] > 0) * (n_classes - 2))
    tree = DecisionTreeClassifier(min_samples_leaf=10).fit(X, y)
    fits = [fit(tree, X, y, student=quick_mlp(max_epochs=5), augment=1)]
    monkeypatch.setattr(_scaling, "_RARE", 0.0)
    fits.append(fit(tree, X, y, student=quick_mlp(max_epochs=5), augment=1))
    shifts = [model.distillation_report_["logit_shift"] for model in fits]
    assert shifts[1] is None
    logits = [np.log(model.predict_proba(X)) for model in fits]
    shift = np.r_[0, shifts[0]] if n_classes == 2 else np.array(shifts[0])
    difference = logits[0] - logits[1]
    assert_allclose(difference - difference[:, :1], np.tile(shift - shift[0], (1500, 1)), atol=1e-4)


def test_a_rare_class_is_expected_by_its_share_and_by_what_models_predict_for_the_rows_held_out():
    goals, common = (np.eye(2)[(np.arange(1000) < count).astype(int)] for count in (20, 100))
    unseen, held_out = np.tile([0.984, 0.016], (1000, 1)), np.tile([0.98, 0.02], (10, 1))
    means = _scaling.expected_means(goals, unseen, held_out, (None, None))
    # the models predict 0.8 times the share, and a quarter more for the rows held out
    assert_allclose(means, [0.975, 0.025], atol=1e-3)
    assert _scaling.expected_means(common, unseen, held_out, (None, None)) is None
    # too few rows to say
    assert _scaling.expected_means(goals[10:], unseen[10:], held_out, (None, None)) is None


def checkered(n_rows, noise=0.0, seed=0):
    """Labels of a board of 64 fields, a share of which is changed."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(size=(n_rows, 2))
    y = (np.floor(8 * X).sum(axis=1) % 2).astype(int)
    return X, np.where(rng.random(n_rows) < noise, 1 - y, y)


@pytest.mark.parametrize(
    ("params", "size"), [({}, (192, 192)), ({"hidden_layer_sizes": (96, 96)}, (96, 96)), ({"n_nets": 2}, "auto")]
)
def test_where_nets_underfit_labels_count_in_full_and_the_net_is_wide_unless_its_size_is_given(params, size):
    X, y = checkered(600)
    model = fit(DecisionTreeClassifier().fit(X, y), X, y, student=MLPStudent(max_epochs=10, **params), augment=1)
    report = model.distillation_report_
    assert report["underfits"]
    assert model.student_.hidden_layer_sizes == size


@pytest.mark.parametrize(("n_inputs", "units"), [(5, 192), (250, 144), (450, 104), (600, None)])
def test_a_wide_net_takes_no_more_than_240_kb(n_inputs, units):
    net = widened(MLPStudent(), n_inputs, 3)
    assert net.hidden_layer_sizes == ("auto" if units is None else (units, units))
    if units is not None:
        counts = [(n_in + 1) * n_out for n_in, n_out in pairwise((n_inputs, units, units, 3))]
        assert sum(counts) <= 60_000


def test_labels_count_in_full_only_where_nets_underfit(monkeypatch):
    fitted = []
    goals = Targets.with_soft_labels
    monkeypatch.setattr(
        Targets, "with_soft_labels", lambda self, *args: fitted.append(goals(self, *args)) or fitted[-1]
    )
    for X, y in (checkered(600), checkered(600, noise=0.5)):
        fit(DecisionTreeClassifier().fit(X, y), X, y, student=MLPStudent(max_epochs=10), augment=1)
    fine, noisy = (targets.soft_labels[:600] for targets in fitted)
    assert_array_equal(fine, np.eye(2)[checkered(600)[1]])
    assert ((noisy > 0) & (noisy < 1)).all()


def test_a_teacher_far_ahead_of_nets_that_disagree_keeps_half_and_is_followed_by_narrow_nets():
    # nets cannot tell one column from 300 by 150 rows, and a forest can
    X = np.random.default_rng(0).normal(size=(150, 300))
    y = (X[:, 0] > 0).astype(int)
    student = fit(DecisionTreeClassifier(max_depth=1).fit(X, y), X, y, student=MLPStudent(max_epochs=5))
    assert (student.student_.hidden_layer_sizes, student.student_.n_nets) == ((24,), 4)
    report = student.distillation_report_
    assert report["memorised"]
    assert report["teacher_gap"] > 0.15
    assert report["alpha"] == 0.5


def test_shallow_nets_for_many_rows_are_fitted_to_new_ones_unless_labels_are_noisy(monkeypatch):
    monkeypatch.setattr(_recipe, "_FEW_ROWS", 100)
    rows, train = [], NetTable.fit
    monkeypatch.setattr(
        NetTable, "fit", lambda self, fits, *args: rows.append(len(fits[0].rows)) or train(self, fits, *args)
    )
    wide = np.random.default_rng(0).normal(size=(150, 300))
    clean, stump = (wide[:, 0] > 0).astype(int), DecisionTreeClassifier(max_depth=1)
    fit(stump.fit(wide, clean), wide, clean, student=MLPStudent(max_epochs=5), augment=10)
    assert rows[-1] == 150 + 1500
    X, y, tree = seen_noise(600, 0.2)
    for params, used in (({}, 600), ({"hidden_layer_sizes": (8,)}, 600 + 1200)):
        fit(tree, X, y, student=MLPStudent(numeric="standard", max_epochs=10, **params), augment=2)
        assert rows[-1] == used


def test_a_single_row_without_a_label_does_not_say_whether_nets_disagree():
    X, y, _ = seen_noise(500, 0.3)
    forest, more = RandomForestClassifier(20, random_state=0).fit(X, y), table(4, seed=7)[0]
    alphas = {
        fit(forest, X, y, fit={"X_unlabeled": more[at : at + 1]}, augment=0).distillation_report_["alpha"]
        for at in range(4)
    }
    assert alphas == {0.25}


@pytest.mark.parametrize(
    "teacher",
    [
        RandomForestClassifier(50, min_samples_leaf=5, random_state=0),
        RandomForestClassifier(50, min_samples_leaf=20, random_state=0),
        HistGradientBoostingClassifier(max_iter=30, random_state=0),
    ],
    ids=["small leaves", "large leaves", "boosted trees"],
)
def test_a_teacher_that_has_learnt_a_part_of_the_noise_is_told_as_well(teacher):
    X, y = table(2000)
    teacher = clone(teacher).fit(X[:1000], y[:1000])
    seen, unseen = (fit(teacher, X[rows], y[rows]).distillation_report_ for rows in (slice(1000), slice(1000, 2000)))
    assert (seen["memorised"], unseen["memorised"]) == (True, False)
    assert seen["alpha"] <= 0.5


def test_of_wide_new_rows_some_nets_of_the_label_ensemble_are_asked_in_turn(monkeypatch):
    asked, answers = [], NetTable.answers
    monkeypatch.setattr(
        NetTable, "answers", lambda self, nets, rows: asked.append((len(nets), len(rows))) or answers(self, nets, rows)
    )
    X, y = table(300)
    wide = np.hstack([X, np.zeros((300, 200))])
    short = {"student": quick_mlp(max_epochs=1), "label_ensemble": 10}
    for rows in (X, wide):
        fit(lambda one: truth(one[:, :4]), rows, y, **short)
    # all nets answer the given rows, and one the rows held out
    narrow, few = [(10, 300), *[(10, 300)] * 10, (1, 60)], [(10, 300), *[(7, 150)] * 10, (1, 60)]
    assert asked == narrow + few


def test_each_part_of_the_new_rows_has_the_mean_of_the_nets_whose_turn_it_is(monkeypatch):
    nets, found, ensemble = [], [], _recipe.fit_label_ensemble

    def answers(self, several, rows):
        nets.extend(several if not nets else ())
        at = [next(number for number, net in enumerate(nets) if net is one) for one in several]
        return [np.tile([number / 10, 1 - number / 10], (len(rows), 1)) for number in at]

    monkeypatch.setattr(NetTable, "answers", answers)
    monkeypatch.setattr(_recipe, "_ASKED", ((0, 3),))
    monkeypatch.setattr(_recipe, "fit_label_ensemble", lambda *args: found.append(ensemble(*args)) or found[-1])
    X, y = table(300)
    with pytest.raises(StopIteration):
        # the student is none of these nets
        fit(truth, X, y, student=quick_mlp(max_epochs=1), label_ensemble=4)
    soft = found[0].soft_labels[300:, 0].reshape(4, -1)
    assert_allclose(soft, np.tile([[0.1], [0.2], [0.5 / 3], [0.4 / 3]], (1, 750)))
    assert [len(values) for values in found[0].of_fresh] == [3000] * 3


def test_a_teacher_that_is_always_certain_and_often_wrong_is_made_less_certain():
    X, y = table(600)
    report = fit(DecisionTreeClassifier(random_state=0), X, y, cv=5).distillation_report_
    assert 0.15 <= report["answers_scale"] < 0.5


def test_a_teacher_may_add_a_column_to_the_frame_it_is_asked_about():
    pd = pytest.importorskip("pandas")
    X, y = table(300)

    def ask(rows):
        p = truth(rows[list("abcd")])
        rows["more"] = 1.0
        return p

    frame = pd.DataFrame(X, columns=list("abcd"))
    fitted = DistilledClassifier(ask, student=quick_mlp(max_epochs=2), random_state=0, label_ensemble=3).fit(frame, y)
    assert fitted.distillation_report_["n_rows"] == 300


def test_cv_prefit_says_that_the_teacher_has_not_seen_the_rows():
    X, y, tree = seen_noise(600, 0.2)
    # it has seen them
    with pytest.warns(UserWarning, match=r"its accuracy on these is 1\.0, where models of the labels have 0\.[67]"):
        report = fit(tree, X, y, cv="prefit").distillation_report_
    assert (report["origin"], report["memorised"]) == ("unseen", False)
    assert report["alpha"] > 0.9


def test_given_answers_are_taken_for_answers_of_seen_rows_unless_the_user_says_otherwise():
    X, y = table(600)
    given = {"teacher_proba": truth(X)}
    assert fit(None, X, y, fit=given).distillation_report_["memorised"]
    report = fit(None, X, y, cv="prefit", fit=given).distillation_report_
    assert not report["memorised"]
    assert report["alpha"] > 0.8


@useless
def test_fewer_new_rows_are_made_of_many_and_none_where_nobody_answers_or_none_are_wanted():
    X, y = table(6000)
    assert fit(truth, X, y, student=LinearStudent(), label_ensemble=2).distillation_report_["n_new"] == 10_000
    X, y = X[:400], y[:400]
    for without in (
        fit(truth, X, y, augment=0),
        fit(None, X, y, fit={"teacher_proba": truth(X)}),
        # a teacher that is not fitted is as good as none where its answers are given
        fit(LogisticRegression(), X, y, fit={"teacher_proba": truth(X)}),
        fit(truth, sparse.csr_array(X), y),
    ):
        report = without.distillation_report_
        assert report["alpha"] > 0
        assert report["n_new"] == 0
    assert fit(inverted, X, y, augment=1).distillation_report_["n_new"] == 400


@pytest.mark.parametrize("alpha", ["auto", 1])
def test_the_temperature_is_chosen_among_1_2_and_4(alpha):
    X, y = table(300)
    model = fit(truth, X, y, alpha=alpha, temperature="auto", augment=0)
    report = model.distillation_report_
    chosen = {one["temperature"]: one for one in report["candidates"] if one["alpha"] == report["alpha"]}
    assert set(chosen) == {1, 2, 4}
    assert report["distilled"] == {name: chosen[report["temperature"]][name] for name in report["distilled"]}
    assert len(report["candidates"]) == 3
    # the student is the one of this alpha and temperature
    if alpha == 1:
        same = fit(truth, X, y, alpha=1, temperature=report["temperature"], label_ensemble=0)
        assert model.program_.fingerprint() == same.program_.fingerprint()


def test_a_warmer_teacher_is_chosen_where_that_is_better():
    # of a linear student that cannot follow, a warm teacher asks for less where it is sure
    rng = np.random.default_rng(0)
    X = rng.standard_t(2, size=(3000, 2))
    p = np.where(X[:, 0] + 0.3 * X[:, 0] ** 3 > 0, 0.9999, 0.0001)
    y = (rng.random(3000) < np.where(p > 0.5, 0.8, 0.2)).astype(int)
    by_temperature = {
        temperature: fit(
            None,
            X,
            y,
            student="linear",
            label_ensemble=0,
            alpha=1,
            temperature=temperature,
            fit={"teacher_proba": np.column_stack([1 - p, p])},
        )
        for temperature in ("auto", 1.0, 4.0)
    }
    report = by_temperature["auto"].distillation_report_
    losses = {one["temperature"]: one["log_loss"] for one in report["candidates"]}
    assert report["temperature"] == min(losses, key=losses.get) != 1


def test_a_student_that_cannot_soften_is_tried_at_temperature_1_alone():
    X, y = table(300)
    report = fit(truth, X, y, student=LogisticRegression(), label_ensemble=0, temperature="auto").distillation_report_
    assert [(one["alpha"], one["temperature"]) for one in report["candidates"]] == [(0.5, 1), (1, 1), (0, 1)]


def unsure(X):
    return soften(truth(X), 4)


def test_a_teacher_that_is_less_sure_than_it_could_be_is_made_surer():
    (X, y), (fresh, fresh_y) = table(600), table(3000, 10)
    model = fit(unsure, X, y)
    assert model.distillation_report_["answers_scale"] > 1.5
    as_it_is = fit(unsure, X, y, alpha=1.0)
    losses = [log_loss(fresh_y, one.predict_proba(fresh)) for one in (model, as_it_is)]
    assert losses[0] < losses[1] - 0.02


def test_a_student_that_is_less_sure_than_it_could_be_is_made_surer(monkeypatch):
    # logits begin near zero, and are still small after so few steps
    (X, y), (fresh, fresh_y) = table(1200), table(3000, 10)
    short = {"student": quick_mlp(max_epochs=1, learning_rate=0.003), "augment": 0, "cv": "prefit"}
    model = fit(truth, X, y, **short)
    scale = model.distillation_report_["logit_scale"]
    assert scale > 1.1
    assert fit(truth, X, y, alpha=0.5).distillation_report_["logit_scale"] == 1
    # the same choices, and the logits as they were
    monkeypatch.setattr("skdistill.distil._recipe.scale_logits", lambda student, scale, shift: None)
    plain = fit(truth, X, y, **short)
    assert_allclose(model.decision_function(fresh), scale * plain.decision_function(fresh), rtol=1e-4, atol=1e-4)
    losses = [log_loss(fresh_y, one.predict_proba(fresh)) for one in (model, plain)]
    assert losses[0] < losses[1] - 0.002


# what the report says


SCORES = {"log_loss", "accuracy", "agreement", "rarest_class"}


def scores(proba, y, asked, weight):
    """Return what the report says, by scikit-learn."""
    rates, means = (np.average(one, axis=0, weights=weight) for one in (np.eye(2)[y], proba))
    return {
        "rarest_class": means[rates.argmin()] / rates.min(),
        "log_loss": log_loss(y, proba, sample_weight=weight),
        "accuracy": accuracy_score(y, proba.argmax(axis=1), sample_weight=weight),
        "agreement": accuracy_score(asked.argmax(axis=1), proba.argmax(axis=1), sample_weight=weight),
    }


@pytest.mark.parametrize("weighted", [False, True])
def test_the_report_of_a_choice_among_three(weighted, noted):
    X, y = table(600)
    weight = np.random.default_rng(0).uniform(0.5, 2, 600) if weighted else None
    model = fit(truth, X, y, student=NotedLinear(), label_ensemble="auto", fit={"sample_weight": weight})
    report = model.distillation_report_
    candidates, (rows, targets, last) = noted[:-1], noted[-1]
    assert [targets.alpha for _, targets, _ in candidates] == [0.5, 1, 0]
    held_out = ~known(candidates[0][0], X)
    assert report["n_held_out"] == held_out.sum() == 100
    weight = None if weight is None else weight[held_out]
    for line, (seen, _, student) in zip(report["candidates"], candidates, strict=True):
        assert_array_equal(seen, X[~held_out])
        by_hand = scores(student.predict_proba(X[held_out]), y[held_out], truth(X[held_out]), weight)
        assert {name: line[name] for name in SCORES} == pytest.approx(by_hand)
    by_alpha = {line["alpha"]: {name: line[name] for name in SCORES} for line in report["candidates"]}
    assert report["distilled"] == by_alpha[report["alpha"]]
    assert report["labels_only"] == by_alpha[0]
    assert report["teacher"] == pytest.approx(scores(truth(X[held_out]), y[held_out], truth(X[held_out]), weight))
    # what was chosen is fitted on all rows
    assert_array_equal(rows, X)
    assert targets.alpha == report["alpha"]
    assert model.student_ is last
    counts = {"n_rows": 600, "n_labelled": 600, "n_new": 0, "n_label_models": 0, "temperature": 1}
    counts |= {"teacher_gap": None, "logit_scale": 1, "origin": "unknown"}
    assert {name: report[name] for name in counts} == counts


def test_the_report_of_a_label_ensemble(noted):
    X, y = table(400)
    labelled = np.arange(400) % 8 > 0
    X, y, more = X[labelled], y[labelled], X[~labelled]
    student = NotedLinear()
    model = fit(truth, X, y, student=student, fit={"X_unlabeled": more})
    report = model.distillation_report_
    members, (rows, targets, _) = noted[:3], noted[-1]
    assert len(noted) == 4
    seen = np.array([known(rows, X) for rows, _, _ in members])
    held_out = ~seen.any(axis=0)
    assert report["n_held_out"] == held_out.sum() == 70
    # each member is fitted to labels alone, of all folds but one
    assert_array_equal(seen.sum(axis=0), np.where(held_out, 0, 2))
    assert not any(known(rows, more).any() for rows, _, _ in members)
    assert all(targets.answers is None and targets.alpha == 0 for _, targets, _ in members)
    assert (report["n_rows"], report["n_labelled"], report["n_label_models"]) == (400, 350, 3)
    each = [scores(one.predict_proba(X[held_out]), y[held_out], truth(X[held_out]), None) for _, _, one in members]
    assert report["labels_only"] == pytest.approx({name: np.mean([one[name] for one in each]) for name in SCORES})
    right = np.array([one.predict(X) for _, _, one in members]) == y
    hits = np.where(seen, False, right).any(axis=0)[~held_out]
    teacher = (truth(X).argmax(axis=1) == y)[~held_out]
    assert report["teacher_gap"] == pytest.approx(teacher.mean() - hits.mean())
    # its mean is fitted beside the labels, and in their place where there are none
    assert len(rows) == 400 + report["n_new"]
    mean = np.mean([one.predict_proba(rows) for _, _, one in members], axis=0)
    expected = mean.copy()
    expected[:350] = (mean[:350] + np.eye(2)[y]) / 2
    assert_allclose(targets.soft_labels, expected, atol=1e-12)
    assert targets.held_out is None


@pytest.mark.parametrize(
    "student", [quick_mlp(), LinearStudent(), LogisticRegression()], ids=["mlp", "linear", "adapted"]
)
def test_a_class_weight_counts_once(student):
    X, fresh = table(1000)[0], table(2000, 10)[0]
    y = (np.random.default_rng(1).random(1000) < 1 / (1 + np.exp(3 - 2 * X[:, 0]))).astype(int)
    forest = RandomForestClassifier(50, random_state=0).fit(X, y)
    plain, weighted = (
        fit(forest, X, y, student=clone(student).set_params(class_weight=weight)) for weight in (None, {1: 10.0})
    )
    # the forest has seen the rows, so that the label ensemble has a large share
    assert weighted.distillation_report_["alpha"] <= 0.5
    assert weighted.distillation_report_["logit_scale"] == 1
    p, p_weighted = (model.predict_proba(fresh)[:, 1] for model in (plain, weighted))
    assert abs(p_weighted - 10 * p / (10 * p + 1 - p)).mean() < 0.05


@pytest.mark.parametrize("student", [quick_mlp(max_epochs=5), "tree"], ids=["mlp", "tree"])
def test_the_unit_of_weights_does_not_matter(student):
    X, y = table(300)
    weight = np.random.default_rng(0).integers(1, 4, 300)
    one, other = (fit(truth, X, y, student=student, fit={"sample_weight": unit * weight}) for unit in (1, 1e-3))
    assert_allclose(one.predict_proba(X), other.predict_proba(X), atol=1e-5)


def test_without_early_stopping_nothing_is_validated(at_each_step):
    X, y = table(300)
    steps = []
    at_each_step(lambda step, weight: steps.append(len(weight)))
    student = quick_mlp(max_epochs=3, batch_size=20, early_stopping=False)
    model = fit(truth, X, y, student=student, augment=0)
    assert [sorted(epoch) for epoch in model.student_.history_] == [["train_loss"]] * 4
    # the report is still of rows that the student had not seen
    report = model.distillation_report_
    assert report["n_held_out"] == 60
    assert report["distilled"].keys() == SCORES
    # an ensemble on two thirds of the rows that are not held out, a net on all of these, and three tenths on all rows
    assert len(steps) == 3 * (8 + 12) + 15


def test_ctrl_c_in_the_label_ensemble_goes_on_with_what_it_knows(at_each_step, ctrl_c):
    X, y = table(300)
    # eight steps an epoch
    at_each_step(lambda step, weight: ctrl_c() if step == 20 else None)
    with pytest.warns(UserWarning, match=r"label ensemble was interrupted after 2 of 15 epochs; the best weights"):
        model = fit(truth, X, y, student=quick_mlp(batch_size=16), augment=0)
    assert model.distillation_report_["n_label_models"] == 3
    assert log_loss(y, model.predict_proba(X)) < 0.6


def test_ctrl_c_in_the_fit_of_the_student_ends_it_without_a_last_fit(monkeypatch, at_each_step, ctrl_c):
    X, y, tree = seen_noise(600, 0.2)
    steps, fits, train = [], [], NetTable.fit
    monkeypatch.setattr(NetTable, "fit", lambda self, *args: fits.append(len(steps)) or train(self, *args))

    def stop(step, weight):
        steps.append(step)
        # in the third epoch after the label ensemble
        if len(fits) == 2 and len(steps) == fits[1] + 40:
            ctrl_c()

    at_each_step(stop)
    with pytest.warns(UserWarning, match=r"interrupted after 2 of 15 epochs"):
        stopped = fit(tree, X, y, augment=1.0)
    assert (len(fits), len(stopped.student_.history_)) == (2, 2)


def test_ctrl_c_in_the_first_epoch_of_the_last_fit_keeps_the_fit_before_it(at_each_step, ctrl_c):
    X, y, tree = seen_noise(600, 0.2)
    steps = []
    at_each_step(lambda step, weight: steps.append(step))
    fit(tree, X, y, augment=1.0)
    at_each_step(lambda step, weight: ctrl_c() if step == len(steps) - 1 else None)
    with pytest.warns(UserWarning, match=r"The fit before the last one is kept"):
        stopped = fit(tree, X, y, augment=1.0)
    assert log_loss(y, stopped.predict_proba(X)) < 0.7


def test_ctrl_c_in_a_last_fit_that_starts_anew_keeps_the_fit_before_it(at_each_step, ctrl_c):
    X, y = table(600)
    steps = []
    at_each_step(lambda step, weight: steps.append(step))
    whole = fit(truth, X, y, cv="prefit", augment=1.0)
    # in the second epoch of the last fit, to nine tenths of the rows
    epoch = -(-round(0.9 * 1200) // 64)
    began = len(steps) - epoch * len(whole.student_.history_)
    at_each_step(lambda step, weight: ctrl_c() if step == began + epoch + 2 else None)
    with pytest.warns(UserWarning, match=r"interrupted after 1 of|fit before the last one is kept") as caught:
        stopped = fit(truth, X, y, cv="prefit", augment=1.0)
    assert len(caught) == 2
    fresh, _ = table(2000, seed=9)
    wrong = [abs(model.predict_proba(fresh) - truth(fresh)).mean() for model in (whole, stopped)]
    assert wrong[1] < 2 * wrong[0]


def test_any_number_of_processes_fits_the_same():
    X, y = table(300)
    quick = {"student": quick_mlp(max_epochs=5), "augment": 1.0, "temperature": "auto"}
    one, two = (fit(truth, X, y, n_jobs=n_jobs, **quick) for n_jobs in (None, 2))
    assert len(one.distillation_report_["candidates"]) == 3
    assert one.distillation_report_ == two.distillation_report_
    assert one.program_.fingerprint() == two.program_.fingerprint()


def test_with_a_number_nothing_is_chosen_and_distillation_is_plain(noted):
    X, y = table(300)
    model = fit(truth, X, y, student=NotedLinear(), label_ensemble="auto", alpha=0.25)
    ((rows, targets, _),) = noted
    assert rows is X
    assert (targets.alpha, targets.soft_labels, targets.held_out) == (0.25, None, None)
    assert model.distillation_report_ == {
        "alpha": 0.25,
        "temperature": 1,
        "n_rows": 300,
        "n_labelled": 300,
        "n_new": 0,
        "n_left_out": 0,
        "n_label_models": 0,
        "tree_weight": None,
        "underfits": None,
        "n_steps": 0,
        "teacher_gap": None,
        "memorised": None,
        "answers_scale": 1,
        "logit_scale": 1,
        "logit_shift": None,
        "origin": "unknown",
        "n_held_out": 0,
        "candidates": [],
        "distilled": None,
        "labels_only": None,
        "teacher": None,
        "learning_curve": None,
        "stopped": None,
    }


def test_any_alpha_may_have_a_label_ensemble(noted):
    X, y = table(300)
    report = fit(truth, X, y, student=NotedLinear(), alpha=0.5, label_ensemble=4).distillation_report_
    assert (report["n_label_models"], report["n_new"]) == (4, 0)
    *members, (_, targets, _) = noted
    mean = np.mean([one.predict_proba(X) for _, _, one in members], axis=0)
    assert_allclose(targets.soft_labels, (mean + np.eye(2)[y]) / 2, atol=1e-12)
    with pytest.raises(ValueError, match="label_ensemble=4 needs at least 8 labelled rows; there are 7"):
        fit(truth, X[:7], y[:7], alpha=0.5, label_ensemble=4)
    with pytest.raises(ValueError, match="label_ensemble=4 needs at least 8 labelled rows; there are 0"):
        fit(truth, X, None, alpha=1, label_ensemble=4)
    for wrong in (
        {"label_ensemble": -1},
        {"label_ensemble": 1},
        {"label_ensemble": 0.5},
        {"temperature": "hot"},
        {"alpha": "best"},
    ):
        with pytest.raises(ValueError, match=f"The '{next(iter(wrong))}' parameter of DistilledClassifier must be"):
            fit(truth, X, y, **wrong)


# rows and labels of every kind


@pytest.mark.parametrize("case", ["99 rows", "99 labels", "no labels"])
@pytest.mark.parametrize("student", ["linear", quick_mlp()], ids=["linear", "mlp"])
def test_with_fewer_than_100_labels_nothing_is_chosen(case, student):
    (X, y), more = table(99), table(201, 5)[0]
    y, more = None if case == "no labels" else y, more if case == "99 labels" else None
    params = {"student": student, "label_ensemble": "auto", "fit": {"X_unlabeled": more}}
    model = fit(truth, X, y, temperature="auto", **params)
    report = model.distillation_report_
    alpha = 1 if y is None else 0.5
    assert (report["alpha"], report["temperature"], report["n_label_models"]) == (alpha, 1, 0)
    assert (report["n_held_out"], report["candidates"], report["distilled"]) == (0, [], None)
    same = fit(truth, X, y, alpha=alpha, **params)
    assert model.program_.fingerprint() == same.program_.fingerprint()


def test_with_100_labels_a_fifth_is_held_out():
    X, y = table(100)
    assert fit(truth, X, y, student="linear", label_ensemble="auto").distillation_report_["n_held_out"] == 20


class Words:
    """A fitted teacher of four classes that are words."""

    classes_ = np.array(["a", "b", "c", "d"])

    def fit(self, X, y):
        raise AssertionError("a fitted teacher must not be fitted again")

    def predict_proba(self, X):
        z = 3 * np.column_stack([X[:, 0], X[:, 1], -X[:, 0], 0 * X[:, 0] - 4])
        return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


@useless
@pytest.mark.parametrize("student", [quick_mlp(), "linear"], ids=["mlp", "linear"])
def test_names_rare_classes_rows_without_labels_and_weights(student):
    X = table(300)[0]
    y = Words.classes_[Words().predict_proba(X).argmax(axis=1)]
    # one class of two rows, fewer than folds, and one that no label names
    y[y == "c"] = "b"
    y[:2] = "c"
    weight = np.where(np.arange(260) < 210, np.linspace(0.5, 2, 260), 0.0)
    given = {"fit": {"sample_weight": weight, "X_unlabeled": X[260:]}}
    teacher = Words()
    teacher.fitted_ = True
    size = 3 if isinstance(student, MLPStudent) else "auto"
    model = fit(teacher, X[:260], y[:260], student=student, label_ensemble=size, **given)
    report = model.distillation_report_
    assert (report["n_rows"], report["n_labelled"]) == (250, 210)
    assert report["n_held_out"] == round(0.2 * 210)
    assert_array_equal(model.classes_, Words.classes_)
    proba = model.predict_proba(X)
    assert_allclose(proba.sum(axis=1), 1)
    teacher_pred = teacher.classes_[teacher.predict_proba(X).argmax(axis=1)]
    both = np.isin(teacher_pred, ["a", "b"])
    assert model.score(X[both], teacher_pred[both]) > 0.75


@pytest.mark.parametrize("student", [quick_mlp(), "linear"], ids=["mlp", "linear"])
def test_rows_of_weight_zero_are_no_rows_to_the_recipe(student):
    X, y = table(300)
    weight = np.random.default_rng(0).choice([0.0, 1.0, 2.5], 300)
    kept = weight > 0
    size = 3 if isinstance(student, MLPStudent) else "auto"
    weighted = fit(truth, X, y, student=student, label_ensemble=size, fit={"sample_weight": weight})
    rows = X[kept], y[kept], {"sample_weight": weight[kept]}
    without = fit(truth, *rows, student=student, label_ensemble=size)
    assert weighted.program_.fingerprint() == without.program_.fingerprint()
    assert weighted.distillation_report_ == without.distillation_report_


def skorch_net():
    import torch
    from skorch import NeuralNet

    size = {"module__in_features": 4, "module__out_features": 2}
    return NeuralNet(
        torch.nn.Linear, torch.nn.CrossEntropyLoss, **size, max_epochs=3, lr=0.1, train_split=None, verbose=0
    )


OTHERS = {
    "linear": LinearStudent,
    "tree": small_tree,
    "classifier": lambda: DecisionTreeClassifier(min_samples_leaf=9, random_state=0),
    "pipeline": lambda: make_pipeline(StandardScaler(), quick_mlp()),
    "net": skorch_net,
    "sparse rows": LinearStudent,
    "sparse rows, net": quick_mlp,
}


@pytest.mark.parametrize("kind", OTHERS)
def test_students_of_every_kind_choose_and_are_fitted_again_on_all_rows(kind):
    X, y = table(200)
    X = sparse.csr_array(X) if kind.startswith("sparse") else X
    student = OTHERS[kind]()
    # no label ensemble: any student is then fitted to labels as they are
    model = fit(truth, X, y, student=student, label_ensemble=0, augment=0)
    report = model.distillation_report_
    assert alphas(report) == [0.5, 1, 0]
    assert report["n_label_models"] == report["n_new"] == 0
    plain = fit(truth, X, y, student=student, label_ensemble=0, alpha=report["alpha"])
    assert_array_equal(model.predict_proba(X), plain.predict_proba(X))


def test_texts():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    texts = [f"{rng.choice([['bad', 'dull'], ['good', 'fine']][label])} {rng.choice(['film', 'day'])}" for label in y]
    student = make_pipeline(HashingVectorizer(n_features=64), LinearStudent())
    teacher = make_pipeline(HashingVectorizer(n_features=64), LogisticRegression()).fit(texts, y)
    model = fit(teacher, texts, y, student=student, label_ensemble="auto")
    assert alphas(model.distillation_report_) == [0.5, 1, 0]
    assert model.score(texts, y) == 1


# reproducibility, parameters, searches


def test_the_same_random_state_gives_the_same_bytes_and_report(unmoved):
    X, y = table(200)

    def outcome(seed, **params):
        model = fit(truth, X, y, student=quick_mlp(random_state=None), random_state=seed, **params)
        return model.program_.fingerprint(), model.distillation_report_

    first, again, other = outcome(3), outcome(3), outcome(4)
    assert first == again
    assert first[0] != other[0]
    assert first[1] != other[1]


def test_parameters_and_a_search_over_alpha():
    X, y = table(300)
    default = DistilledClassifier(truth).get_params()
    assert {name: default[name] for name in ("alpha", "temperature", "augment", "label_ensemble", "cv")} == {
        "alpha": "auto",
        "temperature": 1.0,
        "augment": "auto",
        "label_ensemble": "auto",
        "cv": None,
    }
    given = {"alpha": "auto", "temperature": "auto", "augment": 1.5, "label_ensemble": 2, "cv": "oob"}
    copied = clone(DistilledClassifier(truth).set_params(**given)).get_params()
    assert {name: copied[name] for name in given} == given

    model = DistilledClassifier(truth, student=small_tree(), random_state=0)
    grid = {"alpha": ["auto", 0.0, 1.0], "augment": ["auto", 1]}
    search = GridSearchCV(model, grid, cv=2, scoring="neg_log_loss", error_score="raise").fit(X, y)
    by_params = {
        (params["alpha"], params["augment"]): score
        for params, score in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True)
    }
    assert by_params[1.0, 1] > by_params[0.0, 1]
    assert by_params["auto", "auto"] >= min(by_params[0.0, "auto"], by_params[1.0, "auto"])
    assert search.best_estimator_.distillation_report_["alpha"] > 0


def test_of_very_many_rows_some_are_left_out_by_chance(monkeypatch):
    monkeypatch.setattr("skdistill.distil._recipe.MOST_ROWS", 300)
    X, y = table(400)
    teacher = RecordingTeacher(truth)
    report = fit(teacher, X, y).distillation_report_
    assert (report["n_rows"], report["n_left_out"], report["n_labelled"]) == (300, 100, 300)
    # the teacher has answered for all, and is asked about nothing twice
    assert [len(rows) for rows in teacher.seen] == [400, 3000]
    plain = fit(truth, X, y, alpha=0.5, label_ensemble=0).distillation_report_
    assert (plain["n_rows"], plain["n_left_out"]) == (400, 0)


def test_verbose_says_how_long_a_fit_takes_at_most(capsys):
    X, y = table(200)
    fit(truth, X, y, verbose=1)
    assert "3 nets, then the student: about" in capsys.readouterr().err
