"""scikit-learn's diagram of a distiller: from teacher to student, with sizes once it is fitted."""

import re

import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

from skdistill import DistilledClassifier


def labels(model):
    """Return what the diagram's boxes say, in order: names and captions."""
    page = estimator_html_repr(model)
    page = page[page.index('<div class="sk-container"') :]
    found = re.findall(r'<div>(?:<div>)?([^<>]+)</div>(?:<div class="caption">([^<]*)</div>)?', page)
    found += re.findall(r"<label>([^<]+)()</label>", page)
    return {name: caption for name, caption in found if "teacher: " in name or "student: " in name}


def test_sizes_once_fitted(iris, iris_forest):
    model = DistilledClassifier(iris_forest, student="linear")
    assert labels(model) == {"teacher: RandomForestClassifier": "", "student: linear": ""}
    shown = labels(model.fit(iris.X, iris.y))
    program = model.program_
    assert shown["student: LinearStudent"] == f"{program.n_parameters} parameters, {program.nbytes} B"
    assert re.fullmatch(r"[\d.]+ kB pickled", shown["teacher: RandomForestClassifier"])


def test_within_a_pipeline_and_a_search(iris, iris_forest):
    model = DistilledClassifier(RandomForestClassifier(5, random_state=0), student="tree")
    pipeline = make_pipeline(StandardScaler(), model).fit(iris.X, iris.y)
    assert set(labels(pipeline)) == {"teacher: RandomForestClassifier", "student: TreeStudent"}
    search = GridSearchCV(DistilledClassifier(iris_forest, student="linear"), {"alpha": [0.5, 1.0]}, cv=2)
    assert set(labels(search)) == {"teacher: RandomForestClassifier", "student: linear"}
    assert "parameters" in labels(search.fit(iris.X, iris.y))["student: LinearStudent"]


@pytest.mark.parametrize("kind", ["pipeline", "list", "callable", "answers"])
def test_teachers_of_every_kind(iris, iris_forest, kind):
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(iris.X, iris.y)

    def answer(X):
        return iris_forest.predict_proba(X)

    teacher, expected = {
        "pipeline": (pipeline, "teacher: Pipeline"),
        "list": ([iris_forest, answer], "teacher: 2 teachers"),
        "callable": (answer, "teacher: answer"),
        "answers": (None, "teacher: answers alone"),
    }[kind]
    given = {"teacher_proba": iris_forest.predict_proba(iris.X)} if kind == "answers" else {}
    model = DistilledClassifier(teacher, student=LogisticRegression(max_iter=500), alpha=0.5).fit(
        iris.X, iris.y, **given
    )
    shown = labels(model)
    assert expected in shown
    assert "pickled" in shown["student: LogisticRegression"]
