"""Print what skdistill and its tests need, as pyproject.toml has it, but for what constraints.txt pins.

Those are torch, of which PyPI has most versions with gigabytes of CUDA alone, and what the pages of docs/ need, Spark's
half a gigabyte among it.
"""

import re
import tomllib
from pathlib import Path

pinned = {line.split("==")[0] for line in Path("constraints.txt").read_text().splitlines()}
project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
extras = project["optional-dependencies"]
for needed in (*project["dependencies"], *extras["export"], *extras["plot"], *extras["sql"], *extras["test"]):
    if ">=" in needed and re.split(r"\[|>=", needed)[0] not in pinned:
        print(needed)
