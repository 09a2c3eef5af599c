"""Write a student of raw columns as student.js and student.onnx, for the pages beside this file.

Run: ``python examples/browser/write_student.py``. It ends within seconds.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

from skdistill import DistilledClassifier


def bookings(n_rows: int) -> tuple[pd.DataFrame, pd.Series]:
    """Return made-up bookings, and whether each was kept, moved or cancelled."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "room": rng.choice(["single", "double", "suite", "dormitory"], n_rows, p=[0.3, 0.4, 0.1, 0.2]),
            "price in €": rng.lognormal(4.5, 0.5, n_rows).round(2),
            "days ahead": rng.integers(0, 200, n_rows),
            "paid": rng.random(n_rows) < 0.4,
            "guests": np.where(rng.random(n_rows) < 0.1, np.nan, rng.integers(1, 6, n_rows)),
            "arrival": pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 365 * 24, n_rows), "h"),
        }
    )
    doubt = frame["days ahead"] / 60 + frame["price in €"] / 150 - 3 * frame["paid"] - (frame["room"] == "suite")
    doubt += np.where(frame["arrival"].dt.month.isin([7, 8]), -1, 0) + rng.logistic(size=n_rows)
    kept = pd.Series(np.select([doubt < 1.5, doubt < 2.5], ["kept", "moved"], "cancelled"))
    return frame, kept


def main() -> DistilledClassifier:
    X, y = bookings(3000)
    prepared = X.assign(room=X["room"].astype("category"), arrival=X["arrival"].dt.day_of_year)
    teacher = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0).fit(prepared, y)
    model = DistilledClassifier(student="mlp", random_state=0)
    model.fit(X, y, teacher_proba=teacher.predict_proba(prepared))
    for name in ("student.js", "student.onnx"):
        path = Path(__file__).with_name(name)
        model.export(path)
        print(f"{path}: {path.stat().st_size:,} bytes")
    return model


if __name__ == "__main__":
    main()
