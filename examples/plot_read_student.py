"""
Read a student
==============

A boosted ensemble predicts well but does not explain its predictions. An additive student of it is a sum of curves,
one per column. A small tree is a handful of rules. You can read both, and what you read is exactly the model that you
ship.
"""

# %%
# Customers, some of whom leave
# -----------------------------
#
# The data is simulated, so we know what there is to find. Young and old customers leave more often, and so do those
# who pay by the month. Long-standing customers leave less often. Some incomes are missing.

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import train_test_split

rng = np.random.default_rng(0)
n = 6000
X = pd.DataFrame(
    {
        "age": rng.integers(18, 90, n),
        "income": np.where(rng.random(n) < 0.15, np.nan, rng.lognormal(10.3, 0.5, n)),
        "plan": pd.Categorical(rng.choice(["month", "year", "two years"], n, p=[0.5, 0.3, 0.2])),
        "town": pd.Categorical(rng.choice(["Lima", "Oslo", "Paris", "Rome"], n)),
        "since": pd.Timestamp("2018-01-01") + pd.to_timedelta(rng.integers(0, 2500, n), unit="D"),
    }
)
score = (
    ((X["age"] - 52) / 18) ** 2
    + 1.5 * (X["plan"] == "month")
    - 0.8 * (X["town"] == "Oslo")
    + np.where(X["income"].isna(), 1.0, -X["income"] / 40_000)
    + (X["since"] - pd.Timestamp("2021-06-01")).dt.days / 800
)
y = np.where(rng.random(n) < 1 / (1 + np.exp(1.8 - score)), "left", "kept")
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)

# %%
# The teacher needs dates as days; the student takes the raw rows.

from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skdistill import DistilledClassifier

in_days = FunctionTransformer(lambda X: X.assign(since=(X["since"] - pd.Timestamp("2018-01-01")).dt.days))
boosting = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0)
teacher = make_pipeline(in_days, boosting).fit(X_train, y_train)
model = DistilledClassifier(teacher, student="additive", random_state=0).fit(X_train, y_train)
print(f"accuracy: teacher {teacher.score(X_test, y_test):.3f}, student {model.score(X_test, y_test):.3f}")

# %%
# The whole model in one plot
# ---------------------------
#
# :class:`skdistill.ShapeDisplay` plots the contribution of each column to the log odds as a function of its value, most
# important column first. All panels share the vertical axis, so that heights are comparable. Zero is the mean over the
# rows; the grey bars are a histogram of them.

import matplotlib.pyplot as plt

from skdistill import ShapeDisplay

ShapeDisplay.from_estimator(model, X_train)
plt.show()

# %%
# ``shape_functions_`` has the numbers: for each column, the values and their contributions.

town = model.student_.shape_functions_["town"]
print(pd.Series(town.contributions[:, 0], index=town.values).round(2))

# %%
# Why this customer?
# ------------------
#
# ``explain`` returns the contribution of each column for each row. With background rows, these are the student's exact
# SHAP values; together with the intercept they add up to the log odds. They are computed from the Program, so a student
# that was exported and loaded gives the same.

import skdistill

model.export("student.skd")
loaded = skdistill.load("student.skd")
explanation = loaded.explain(X_test, background=X_train)
surest = model.decision_function(X_test).argmax()
print(pd.DataFrame({"cell": X_test.iloc[surest], "adds": explanation.values[surest].round(2)}))
total = explanation.values[surest].sum() + explanation.intercept
print(f"all, and the intercept {explanation.intercept:.2f}: {total:.2f} for {model.classes_[1]}")

# %%
# Rules instead of curves
# -----------------------
#
# Read a small tree from left to right. It keeps less of the teacher's accuracy.

from skdistill import TreeDisplay, TreeStudent

tree = DistilledClassifier(teacher, student=TreeStudent(8), alpha=0.5, random_state=0).fit(X_train, y_train)
print(f"accuracy of the tree: {tree.score(X_test, y_test):.3f}")
TreeDisplay.from_estimator(tree)
plt.show()

# %%
# ``export_text`` returns it as text.

print(tree.student_.export_text(max_depth=2))
