"""
Rank with a student
===================

A ranker with 300 trees orders the offers of a search. Its student, a net of 95 KB, keeps that order. The same net
learns less from clicks only.
"""

# %%
# Searches and clicks
# -------------------
#
# The data is simulated: 20 offers per search, a few of which were viewed (1), put into the basket (2) or bought (3).
# The ranker was fitted on last year's 1,500 searches. The student gets the 150 searches of this week.

import numpy as np
from lightgbm import LGBMRanker

rng = np.random.default_rng(0)
n_queries, n_offers = 2150, 20
qid = np.repeat(np.arange(n_queries), n_offers)
X = rng.normal(size=(len(qid), 8))
liked = X[:, 0] + np.sin(2 * X[:, 1]) + X[:, 2] * X[:, 3] - 0.5 * X[:, 4] ** 2
y = np.digitize(liked + rng.gumbel(size=len(qid)), [2.0, 3.0, 4.0])

last_year, this_week, test = qid < 1500, (qid >= 1500) & (qid < 1650), qid >= 1650
ranker = LGBMRanker(n_estimators=300, learning_rate=0.05, verbose=-1, n_jobs=1)
ranker.fit(X[last_year], y[last_year], group=[n_offers] * 1500)

# %%
# Two students
# ------------
#
# With ``alpha=0`` a student learns from the clicks only.

from skdistill import DistilledRanker
from skdistill.metrics import rank_correlation

rows, labels, queries = X[this_week], y[this_week], qid[this_week]
student = DistilledRanker(ranker, random_state=0).fit(rows, labels, qid=queries)
alone = DistilledRanker(ranker, alpha=0, random_state=0).fit(rows, labels, qid=queries)
scores = {
    "teacher": ranker.predict(X[test]),
    "student": student.predict(X[test]),
    "labels only": alone.predict(X[test]),
}
for name, of_model in scores.items():
    print(f"{name}: Kendall's tau with the teacher {rank_correlation(scores['teacher'], of_model, qid[test]):.2f}")
print(f"bytes: teacher {len(ranker.booster_.model_to_string()):,}, student {student.program_.nbytes:,}")

# %%
# How good are the first offers?
# ------------------------------
#
# NDCG@k is 1 if the first k offers of each search are the best ones. In this simulation the preference is a smooth
# function, which a net fits better than trees do: the student is even better than its teacher.

import matplotlib.pyplot as plt

from skdistill.metrics import ndcg

colors = {"teacher": "#8a8f98", "student": "#3b82f6", "labels only": "#d97706"}
first = range(1, n_offers + 1)
figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
for name, of_model in scores.items():
    values = [ndcg(y[test], of_model, qid[test], k=k) for k in first]
    ax.plot(first, values, color=colors[name], linewidth=5 if name == "teacher" else 2, label=name)
ax.set(xlabel="the first k offers", ylabel="NDCG@k", title="500 searches of the test")
ax.set_xticks([1, 5, 10, 15, 20])
ax.legend(frameon=False, loc="lower right")
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# One search
# ----------
#
# Each line is an offer of the first test search, from its rank according to the teacher to its rank according to the
# student. Offers that move by more than three places are in colour.

figure, axes = plt.subplots(1, 2, figsize=(9, 4.6), sharey=True, layout="constrained")
one = slice(0, n_offers)
place = {name: np.argsort(np.argsort(-of_model[one])) + 1 for name, of_model in scores.items()}
for ax, name in zip(axes, ["student", "labels only"], strict=True):
    for offer in range(n_offers):
        ends = [place["teacher"][offer], place[name][offer]]
        far = abs(ends[0] - ends[1]) > 3
        ax.plot([0, 1], ends, "o-", color=colors[name] if far else "0.8", linewidth=2.5 if far else 1.5, zorder=2 + far)
    tau = rank_correlation(scores["teacher"][one], scores[name][one], qid[test][one])
    ax.set_title(f"{name}, tau {tau:.2f}", color=colors[name], fontweight="bold")
    ax.set_xticks([0, 1], ["teacher", name])
    ax.set_xlim(-0.15, 1.15)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
axes[0].set_yticks([1, 5, 10, 15, 20])
axes[0].set_ylabel("place in the order")
axes[0].invert_yaxis()
plt.show()

# %%
# The student needs neither LightGBM nor torch: it is a file of numpy operations, and can be exported as C, ONNX, SQL or
# JavaScript.

import skdistill

student.export("ranker.skd")
print((skdistill.load("ranker.skd").predict(X[test]) == scores["student"]).all())
