"""A new kind of target is a task, a loss and an op that ends the Program: here ordered grades, outside the package."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from skdistill import DistilledClassifier, LinearStudent, MLPStudent
from skdistill.losses import CrossEntropy
from skdistill.program import Op
from skdistill.tasks import CLASSES, NUMBERS, Classes, task_of
from skdistill.teacher import Teacher


def grade_proba(z, cuts):
    """Return the probability of each grade: a logistic variable of mean z between two cuts."""
    below = 1 / (1 + np.exp(-(cuts - z)))
    return np.diff(np.hstack([np.zeros_like(z), below, np.ones_like(z)]), axis=1)


@dataclass(frozen=True)
class CumulativeLogit(CrossEntropy):
    """Cross-entropy of the teacher's grades, or the labels, with those that one output stands for."""

    cuts: tuple = ()

    def n_outputs(self, n_targets):
        return 1

    def soft(self, Z, goal):
        cuts = np.array(self.cuts)
        below = 1 / (1 + np.exp(-(cuts - Z)))
        p = np.maximum(grade_proba(Z, cuts), 1e-12)
        slope = np.diff(np.hstack([0 * Z, -below * (1 - below), 0 * Z]), axis=1)
        return -(goal * np.log(p)).sum(axis=1), -(goal * slope / p).sum(axis=1, keepdims=True)

    def hard(self, Z, goal):
        return self.soft(Z, np.eye(len(self.cuts) + 1)[goal] if goal.ndim == 1 else goal)


@dataclass(frozen=True, repr=False)
class Grades(Op):
    """From one output to the probability of each grade."""

    ENDS: ClassVar[bool] = True

    cuts: np.ndarray

    def __call__(self, X):
        return grade_proba(X, self.cuts)


class Ordinal(Classes):
    """Labels with an order, of which one number decides."""

    cuts = (-2.0, 0.0, 2.0)

    def loss(self):
        return CumulativeLogit(cuts=self.cuts)

    def end(self, targets, terms):
        return Grades(np.array(self.cuts))


class DistilledGrades(DistilledClassifier):
    """A distiller of ordered grades."""

    _task = Ordinal()

    def _loss(self):
        return self._task.loss()


@pytest.fixture(scope="module")
def graded():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 4))
    z = 2 * X[:, 0] - X[:, 1] + 0.5 * rng.normal(size=1500)
    y = np.digitize(z, Ordinal.cuts)
    return X, y, RandomForestClassifier(50, min_samples_leaf=5, random_state=0).fit(X, y)


@pytest.mark.parametrize("student", [LinearStudent(), MLPStudent((8,), max_epochs=15, random_state=0)])
def test_a_task_of_ones_own_distils_with_any_student(graded, student):
    X, y, forest = graded
    task = Ordinal()
    answers = Teacher.of(forest, task).ask(X)
    targets = task.targets(answers.values, answers.names, None, loss=task.loss(), alpha=1.0)
    proba = student.fit_targets(X, targets).program_(X)
    assert np.allclose(proba.sum(axis=1), 1)
    assert (abs(proba.argmax(axis=1) - y) <= 1).mean() > 0.95
    assert (proba.argmax(axis=1) == y).mean() > 0.7


def test_a_distiller_of_ones_own_needs_a_task_and_a_loss(graded):
    X, y, forest = graded
    model = DistilledGrades(forest, student="linear", alpha=0.5, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.7
    assert model.student_.program_.ops[-2].weight.shape[1] == 1


def test_the_task_of_a_model_is_what_it_can_do(graded):
    from sklearn.linear_model import Ridge

    assert task_of(graded[2]) == CLASSES
    assert task_of(Ridge()) == NUMBERS
    assert task_of(object()) is None


def test_a_tree_refuses_a_loss_that_averages_do_not_minimise(graded):
    X, y, forest = graded
    with pytest.raises(ValueError, match=r"loss=CumulativeLogit.* with student TreeStudent: a tree minimises"):
        DistilledGrades(forest, student="tree", alpha=0.5).fit(X, y)
