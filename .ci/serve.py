"""Predict with a stored student by the installed wheel, where numpy is all that is installed beside it."""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import skdistill

source = Path(__file__).resolve().parents[1]
found = [name for name in ("scipy", "sklearn", "narwhals", "torch", "pandas") if find_spec(name)]
assert not found, f"not numpy alone: {found}"
assert not Path(skdistill.__file__).is_relative_to(source / "skdistill"), skdistill.__file__

stored = json.loads((source / "tests/data/protocol-1.json").read_text())
student = skdistill.load(source / "tests/data/protocol-1.skd")
rows, expected = stored["rows"], np.array(stored["proba"])
cells = np.array([list(row.values()) for row in rows], dtype=object)
for answers in (student.predict_proba(cells), np.vstack([student.predict_proba(row) for row in rows])):
    np.testing.assert_allclose(answers, expected, rtol=1e-6)
print(f"{len(rows)} rows served: skdistill {skdistill.__version__}, numpy {np.__version__}, Python {sys.version}")
