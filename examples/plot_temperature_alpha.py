"""
Temperature and alpha by grid search
====================================

The temperature softens the probabilities of teacher and student; alpha is the teacher's weight in the loss. Both are
parameters like any other, and :class:`~sklearn.model_selection.GridSearchCV` searches them. The fitted teacher is kept
by reference and never refitted.
"""

# %%
# A teacher fitted on other rows
# ------------------------------
#
# Labels are often scarce for the student. Here the teacher, a net, was fitted on 900 images of digits. The student gets
# the next 150, and the last 597 are for the test.

from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

X, y = load_digits(return_X_y=True)
teacher = MLPClassifier((100,), max_iter=500, random_state=0).fit(X[:900], y[:900])
X_train, y_train, X_test, y_test = X[900:1050], y[900:1050], X[1200:], y[1200:]

# %%
# The search
# ----------

from sklearn.model_selection import GridSearchCV

from skdistill import DistilledClassifier

temperatures, alphas = [1.0, 2.0, 4.0, 8.0], [0.0, 0.25, 0.5, 0.75, 1.0]
search = GridSearchCV(
    DistilledClassifier(teacher, student="linear", random_state=0),
    {"temperature": temperatures, "alpha": alphas},
    scoring="neg_log_loss",
    cv=5,
)
search.fit(X_train, y_train)
print(search.best_params_)

# %%
# Their effect
# ------------
#
# At alpha 0 neither the teacher nor the temperature has an effect.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

loss = -search.cv_results_["mean_test_score"].reshape(len(alphas), len(temperatures))
figure, ax = plt.subplots(figsize=(7, 5), layout="constrained")
image = ax.imshow(loss, cmap="viridis_r", origin="lower", aspect="auto")
middle = (loss.min() + loss.max()) / 2
for (row, column), value in np.ndenumerate(loss):
    color = "white" if value > middle else "black"
    ax.text(column, row, f"{value:.3f}", ha="center", va="center", color=color)
best = np.unravel_index(loss.argmin(), loss.shape)
ax.add_patch(Rectangle((best[1] - 0.48, best[0] - 0.48), 0.96, 0.96, fill=False, edgecolor="#d97706", linewidth=3))
ax.set_xticks(range(len(temperatures)), [f"{value:g}" for value in temperatures])
ax.set_yticks(range(len(alphas)), [f"{value:g}" for value in alphas])
ax.set(xlabel="temperature", ylabel="alpha", title="log-loss, mean over five folds")
figure.colorbar(image, ax=ax, label="log-loss")
plt.show()

# %%
# On the test rows
# ----------------

from sklearn.metrics import accuracy_score, log_loss

from skdistill import LinearStudent

models = {
    "teacher": teacher,
    "labels only": LinearStudent().fit(X_train, y_train),
    "distilled": search.best_estimator_,
}
for name, model in models.items():
    accuracy = accuracy_score(y_test, model.predict(X_test))
    print(f"{name:<12} accuracy {accuracy:.4f}  log-loss {log_loss(y_test, model.predict_proba(X_test)):.4f}")
