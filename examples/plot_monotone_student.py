"""
Monotonic constraints
=====================

A risk model may have to guarantee that a higher income never raises the risk, whatever a few rows suggest. A student
copies such constraints from its teacher and keeps them by construction. A student of an unconstrained teacher follows
the noise.
"""

# %%
# A teacher with constraints
# --------------------------
#
# The data is simulated: 800 loans. The risk falls with income and rises with debt; one label in ten is wrong.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

rng = np.random.default_rng(0)


def loans(n: int) -> tuple[pd.DataFrame, np.ndarray]:
    X = pd.DataFrame(
        {
            "income": rng.lognormal(10.4, 0.5, n).clip(8_000, 120_000),
            "debt": rng.exponential(0.6, n).clip(0, 3),
            "age": rng.integers(19, 76, n).astype(float),
        }
    )
    logit = 2.2 * np.tanh(X["debt"] - 0.8) - 1.8 * np.log(X["income"] / 30_000) + 1.2 * np.sin(X["age"] / 9)
    y = rng.random(n) < 1 / (1 + np.exp(-logit))
    return X, (y ^ (rng.random(n) < 0.1)).astype(int)


X, y = loans(800)
X_test, y_test = loans(10_000)
rules = {"income": -1, "debt": 1}
teachers = {
    name: HistGradientBoostingClassifier(monotonic_cst=cst, random_state=0).fit(X, y)
    for name, cst in {"constrained": rules, "free": None}.items()
}

# %%
# Two students
# ------------
#
# A distiller copies the constraints of its teacher.

from skdistill import DistilledClassifier

students = {
    name: DistilledClassifier(teacher, student="additive", random_state=0).fit(X, y).student_
    for name, teacher in teachers.items()
}
for name, model in {"constrained teacher": teachers["constrained"], **students}.items():
    before = model.predict_proba(X_test)[:, 1]
    print(f"{name}: AUC {roc_auc_score(y_test, before):.3f}", end="")
    for column, sign in rules.items():
        after = model.predict_proba(X_test.assign(**{column: X_test[column] * 1.05}))[:, 1]
        print(f", {np.mean(sign * (after - before) < -1e-7):.1%} wrong with 5 % more {column}", end="")
    print()

# %%
# What they have learned
# ----------------------
#
# Each curve is the contribution of a column to the log odds. The curves of the constrained student are monotonic for
# income and debt. Age has no constraint, so both curves may bend.

colors = {"constrained": "C0", "free": "C1"}
figure, axes = plt.subplots(1, 3, figsize=(10, 3.2), sharey=True, layout="constrained")
for ax, column in zip(axes, X, strict=True):
    low, high = X[column].quantile([0.01, 0.99])
    values = np.linspace(low, high, 400)
    for name, student in students.items():
        added = student.shape_function(column, values).contributions[:, 0]
        ax.plot(
            values,
            added - np.mean(added),
            color=colors[name],
            label=name,
            linewidth=2 if name == "constrained" else 1.2,
        )
    ax.plot(X[column], np.full(len(X), -4.0), "|", color="0.6", alpha=0.15)
    arrow = {1: " (must rise)", -1: " (must fall)", 0: ""}[rules.get(column, 0)]
    ax.set_title(column + arrow, loc="left")
    ax.locator_params(axis="x", nbins=4)
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("added to the log odds of a default")
axes[0].legend(frameon=False)
plt.show()
