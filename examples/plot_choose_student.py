"""
Choose a student
================

A forest is too large for the machine that will serve it. Five students are distilled from it. Which one should you
ship?

:func:`skdistill.compare` evaluates teacher and students on rows that none of them has seen.
:class:`skdistill.FrontierDisplay` plots how much of the teacher's accuracy each keeps against its size.
"""

# %%
# The teacher and the data
# ------------------------
#
# The data is generated: 20 columns, of which ten are informative, and six classes.

from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

X, y = make_classification(
    4000, 20, n_informative=10, n_redundant=4, n_classes=6, n_clusters_per_class=2, class_sep=1.5, random_state=0
)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
forest = RandomForestClassifier(300, random_state=0).fit(X_train, y_train)

# %%
# Students of several sizes
# -------------------------
#
# ``alpha=0.5`` weights teacher and labels equally. The default, ``alpha="auto"``, takes longer and fits better.

from skdistill import DistilledClassifier, MLPStudent

kinds = {
    "linear": "linear",
    "additive": "additive",
    "tree": "tree",
    "MLP (16,)": MLPStudent((16,)),
    "MLP (64, 64)": MLPStudent((64, 64)),
}
students = {
    name: DistilledClassifier(forest, student=student, alpha=0.5, random_state=0).fit(X_train, y_train)
    for name, student in kinds.items()
}

# %%
# What each student keeps and saves
# ---------------------------------
#
# The report also compares each student with the same model fitted to the labels only. It needs the training rows for
# this.

from skdistill import compare

report = compare(forest, students, X_test, y_test, X_train=X_train, y_train=y_train)
print(report)

# %%
# Size and latency
# ----------------
#
# The line is the Pareto front: it joins the students that no other student beats in both respects. Choose the first
# one on it that is good enough.

import matplotlib.pyplot as plt

from skdistill import FrontierDisplay

figure, (left, right) = plt.subplots(ncols=2, figsize=(11, 4.5), layout="constrained", sharey=True)
FrontierDisplay.from_report(report, cost="pickle_bytes", ax=left)
FrontierDisplay.from_report(report, cost="median_us", ax=right)
plt.show()

# %%
# Within a budget
# ---------------
#
# If the size is limited, pass the limit. :func:`skdistill.distill_to_budget` also tries the students in int8 and with
# fewer units. Without ``students=`` it tries its own list of candidates, which takes some minutes.

from skdistill import distill_to_budget

few = {"additive": "additive", "tree": "tree", "MLP (32,)": MLPStudent((32,))}
result = distill_to_budget(
    forest, X_train, y_train, X_valid=X_test, y_valid=y_test, max_bytes=10_000, students=few, random_state=0
)
print(result)

# %%
# Export the choice
# -----------------

students[report.chosen].export("student.skd")
print(report.chosen)
