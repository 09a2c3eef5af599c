"""
Read a report
=============

Where does a student differ from its teacher? A single number, such as an agreement of 97 %, does not show that. This
example reads a report of :func:`skdistill.compare` step by step, and draws its plots.
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
# Is it as confident as its teacher?
# ----------------------------------
#
# Left: each row is a point, the probability of the teacher's predicted class according to teacher and student. Right:
# the accuracy of each model against its confidence. Above the diagonal, a model is underconfident.

import matplotlib.pyplot as plt

from skdistill import FidelityDisplay, ReliabilityDisplay, TrainingDisplay

figure, axes = plt.subplots(ncols=2, figsize=(11, 4.8), layout="constrained")
FidelityDisplay.from_estimator(student, X_test, ax=axes[0])
ReliabilityDisplay.from_estimator(student, X_test, y_test, ax=axes[1])
plt.show()

# %%
# Where do they disagree?
# -----------------------
#
# The report has the classes with the least agreement, and the rows on which the predictions differ most.

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
# Has the training converged?
# ---------------------------

TrainingDisplay.from_estimator(student)
plt.show()
