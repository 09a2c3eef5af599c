"""
From a forest to a served student
=================================

A forest of 500 trees reads handwritten digits well, but takes tens of milliseconds and megabytes. This example distils
it into a net, stores the net with one byte per weight, and serves it from a fresh process that has only numpy.
"""

# %%
# The teacher
# -----------
#
# Half of the rows are kept for the final evaluation: neither teacher nor student sees them.

from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
forest = RandomForestClassifier(500, random_state=0).fit(X_train, y_train)
print(f"forest: accuracy {forest.score(X_test, y_test):.3f}")

# %%
# The student
# -----------
#
# Pass the fitted teacher. The result is a classifier too. ``distillation_report_`` has its log-loss on held-out rows,
# and that of the same student fitted to the labels only.

from skdistill import DistilledClassifier

model = DistilledClassifier(forest, random_state=0).fit(X_train, y_train)
print(f"student: accuracy {model.score(X_test, y_test):.3f}, {model.program_.nbytes:,} bytes")
report = model.distillation_report_
print(f"weight of the teacher {report['alpha']}, {report['n_new']:,} new rows")
print(f"log-loss on held-out rows: {report['distilled']['log_loss']:.3f} distilled, ", end="")
print(f"{report['labels_only']['log_loss']:.3f} on labels only")

# %%
# Smaller still
# -------------
#
# Quantization stores one byte per weight. The rows give the correlations of inputs, which the rounding uses.

from skdistill.compress import quantize

small = quantize(model, "int8", X_train)
print(f"int8: accuracy {small.score(X_test, y_test):.3f}, {small.program_.nbytes:,} bytes")

# %%
# Serve it
# --------
#
# The file loads with only numpy. The process below cannot import scikit-learn or torch; it predicts the class of one
# row.

import json
import subprocess
import sys
import tempfile
from pathlib import Path

SERVE = """
import json, sys
sys.modules["sklearn"] = sys.modules["torch"] = None
import numpy as np, skdistill
predictor = skdistill.load(sys.argv[1])
print(predictor.predict(np.array([json.loads(sys.argv[2])]))[0])
"""

folder = tempfile.TemporaryDirectory()
path = Path(folder.name, "digits.skd")
small.export(path)
command = [sys.executable, "-c", SERVE, str(path), json.dumps(X_test[0].tolist())]
answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
print(f"the served student reads {answer}, the label is {y_test[0]}; the file has {path.stat().st_size:,} bytes")

# %%
# What it saves
# -------------
#
# The plot shows the bytes of the pickled model or of the file, and the median time of ``predict_proba`` for one row.
# Both axes are logarithmic.

import pickle
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import matplotlib.pyplot as plt


def microseconds(predict: Callable[[Any], Any], repeats: int) -> float:
    """Return the median time of an answer to one row."""
    times = []
    for i in range(repeats):
        row = X_test[i % len(X_test)][None]
        start = perf_counter()
        predict(row)
        times.append(perf_counter() - start)
    return 1e6 * median(times)


forest.set_params(n_jobs=1)
size = len(pickle.dumps(forest))
marks = [
    ("forest, 500 trees", size, microseconds(forest.predict_proba, 20), "C3", (-10, 0), "right"),
    ("student", len(pickle.dumps(model.student_)), microseconds(model.predict_proba, 500), "C0", (10, 0), "left"),
    ("student, int8", path.stat().st_size, microseconds(small.predict_proba, 500), "C2", (-10, 0), "right"),
]
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for name, n_bytes, time, colour, offset, side in marks:
    ax.scatter(n_bytes, time, s=90, color=colour)
    ax.annotate(name, (n_bytes, time), xytext=offset, textcoords="offset points", ha=side, va="center")
    print(f"{name:<18} {n_bytes:>12,} bytes {time:>9,.0f} µs a row")
ax.set(xscale="log", yscale="log", xlabel="bytes", ylabel="µs for one row", title="Digits: the teacher and its student")
ax.grid(alpha=0.3, which="both")
ax.margins(x=0.3, y=0.2)
plt.show()

# %%
folder.cleanup()
