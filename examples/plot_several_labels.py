"""
Several labels
==============

A letter may be about a refund, the delivery and the login at once, or about none of them. A student learns all labels
of a row together from a multilabel teacher. With few letters of its own, it learns more from the teacher than from
labels.
"""

# %%
# Letters to a shop
# -----------------
#
# The data is generated: counts of 20 words in each letter. The teacher, a forest, was fitted on 4,000 letters. The
# student gets 200 others. The columns of the frame name the labels.

from typing import Any

import pandas as pd
from sklearn.datasets import make_multilabel_classification
from sklearn.ensemble import RandomForestClassifier

topics = ["delivery", "refund", "damage", "login", "invoice", "praise", "other"]
X, y = make_multilabel_classification(8_000, n_classes=7, n_labels=2, length=25, random_state=3)
labels = pd.DataFrame(y, columns=topics)
print(labels.head(3))

forest = RandomForestClassifier(200, min_samples_leaf=5, n_jobs=1, random_state=0).fit(X[:4000], labels[:4000])
own, test = slice(4000, 4200), slice(4200, None)

# %%
# A student, and the same net on labels only
# ------------------------------------------
#
# ``predict_proba`` has a column for each label, and ``predict`` returns an indicator matrix.

from skdistill import DistilledClassifier, MLPStudent

student = DistilledClassifier(forest, cv="prefit", random_state=0).fit(X[own], labels[own])
alone = MLPStudent(random_state=0).fit(X[own], labels[own])
print(pd.DataFrame(student.predict_proba(X[test])[:3], columns=student.classes_).round(2))

# %%
# How well is each label predicted?
# ---------------------------------
#
# Average precision is 1 if all letters about a topic rank before all others.

import matplotlib.pyplot as plt
from sklearn.metrics import average_precision_score

proba = {
    "teacher": student.ask_teacher(X[test]),
    "student": student.predict_proba(X[test]),
    "labels only": alone.predict_proba(X[test]),
}
found = pd.DataFrame(
    {name: average_precision_score(y[test], of_model, average=None) for name, of_model in proba.items()}, index=topics
).sort_values("labels only")
print(found.mean().round(3))

looks: dict[str, dict[str, Any]] = {
    "labels only": {"color": "#d97706", "s": 80},
    "student": {"color": "#3b82f6", "s": 80},
    "teacher": {"facecolor": "none", "edgecolor": "#8a8f98", "linewidth": 3, "s": 170},
}
figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
ax.hlines(found.index, found.min(axis=1), found.max(axis=1), color="0.85", linewidth=6, zorder=1)
for name, look in looks.items():
    ax.scatter(found[name], found.index, label=name, zorder=2, **look)
ax.set(xlabel="average precision", title="3,800 letters of the test")
ax.legend(frameon=False, loc="lower right")
ax.spines[["top", "right", "left"]].set_visible(False)
ax.tick_params(axis="y", length=0)
plt.show()

# %%
# Are the probabilities calibrated?
# ---------------------------------
#
# :class:`skdistill.ReliabilityDisplay` shows one label at a time, from the probabilities that it is absent and present.
# On the diagonal, four in five predictions of 80 % are right. The forest is underconfident; its student, which has
# seen labels as well, is closer to the diagonal.

import numpy as np

from skdistill import ReliabilityDisplay

topic = "refund"
at = topics.index(topic)
both = {name: np.column_stack([1 - of_model[:, at], of_model[:, at]]) for name, of_model in proba.items()}
ReliabilityDisplay.from_predictions(y[test][:, at], both["teacher"], both["student"])
plt.title(f"is it about a {topic}?")
plt.show()

# %%
# Missing labels
# --------------
#
# A missing label is NaN. It is ignored in the fit and in scores.

partly = labels[own].astype(float).mask(np.random.default_rng(0).random((200, 7)) < 0.5)
model = DistilledClassifier(forest, cv="prefit", random_state=0).fit(X[own], partly)
half = average_precision_score(y[test], model.predict_proba(X[test]))
print(f"average precision with half of the labels missing {half:.3f}, with all {found['student'].mean():.3f}")
