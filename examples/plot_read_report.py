"""
Read a report
=============

A number alone, such as an agreement of 97 %, does not say where a student is wrong. This entry reads a report of
:func:`skdistill.compare`, step by step, and draws the pictures that belong to it.
"""

# %%
# A teacher and a student
# -----------------------

from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

from skdistill import DistilledClassifier, MLPStudent, compare

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
forest = RandomForestClassifier(300, random_state=0).fit(X_train, y_train)
student = DistilledClassifier(forest, student=MLPStudent((32,)), alpha=0.5, random_state=0).fit(X_train, y_train)

report = compare(forest, {"MLP (32,)": student}, X_test, y_test, X_train=X_train, y_train=y_train)
print(report)

# %%
# ``report.to_html("report.html")`` writes all of this, and what follows, as one page.

report.to_html("report.html")

# %%
# Is it as sure as its teacher?
# -----------------------------
#
# On the left each row is a point: how probable teacher and student find the class that the teacher names. On the right
# is how often each is right when it is this sure; above the diagonal it is right more often than it says.

import matplotlib.pyplot as plt

from skdistill import FidelityDisplay, ReliabilityDisplay, TrainingDisplay

figure, axes = plt.subplots(ncols=2, figsize=(11, 4.8), layout="constrained")
FidelityDisplay.from_estimator(student, X_test, ax=axes[0])
ReliabilityDisplay.from_estimator(student, X_test, y_test, ax=axes[1])
plt.show()

# %%
# Where do they part?
# -------------------
#
# The classes on which they agree least, and the rows on which their answers differ most.

details = report.details["MLP (32,)"]
for one in details.slices[:5]:
    print(f"{one['column']} {one['slice']}: {one['n_rows']} rows, agreement {one['agreement']:.3f}")

figure, axes = plt.subplots(2, 5, figsize=(10, 4.6), layout="constrained")
for ax, one in zip(axes.flat, details.disagreements, strict=True):
    ax.imshow(X_test[one["row"]].reshape(8, 8), cmap="gray_r")
    ax.set_title(f"label {one['label']}\nteacher {one['teacher']}, student {one['student']}", fontsize=9)
    ax.axis("off")
plt.show()

# %%
# Had it finished learning?
# -------------------------

TrainingDisplay.from_estimator(student)
plt.show()
