"""Imports run downwards only, as DESIGN.md says; optional and private things are imported where they may be."""

import ast
from pathlib import Path

import pytest

import skdistill

HOUSE = Path(skdistill.__file__).parent
MODULES = sorted(HOUSE.rglob("*.py"))

# what each part of the house may know of ours, itself aside; a new part has to say so here
LAYERS = {
    "_version": set(),
    "losses": set(),
    "program": set(),
    "_validation": {"program"},
    "metrics": {"_validation", "program"},
    "teacher": {"_validation", "losses", "program"},
    "export": {"_validation", "_version", "metrics", "program"},
    "_diagram": {"_validation", "metrics"},
    "_face": {"export", "program"},
    "_classifier": {"_face", "losses"},
    "_regressor": {"_face"},
    "_predictor": {"_classifier", "_face", "_regressor", "program"},
    "student": {"_classifier", "_face", "_regressor", "_validation", "losses", "program"},
    "_judge": {"losses"},
    "_recipe": {"_judge", "_validation", "losses", "program", "teacher", "student"},
    "_distiller": {"_diagram", "_face", "_judge", "_recipe", "_validation", "program", "teacher"},
    "_distilled": {"_distiller", "_judge", "_validation", "losses", "student", "teacher"},
    "_distilled_regressor": {"_distiller", "_judge", "_validation", "losses", "student", "teacher"},
    "compress": {"_validation", "export", "losses", "program", "student", "teacher"},
    "search": {
        "_distilled",
        "_distilled_regressor",
        "_judge",
        "_recipe",
        "_validation",
        "compress",
        "losses",
        "metrics",
        "program",
        "student",
        "teacher",
    },
    "_answers": {"_validation", "teacher"},
    "report": {"_answers", "_validation", "export", "metrics", "program", "teacher"},
    "__main__": {"_version"},
    "__init__": {
        "_version",
        "_distilled",
        "_distilled_regressor",
        "_predictor",
        "compress",
        "export",
        "losses",
        "metrics",
        "program",
        "report",
        "search",
        "student",
    },
}


def part_of(path):
    """Return the part of the house that a file is in: the name of its folder, or of a file at the top."""
    inside = path.relative_to(HOUSE).parts
    return inside[0].removesuffix(".py")


def imports(path):
    """Yield every (module, name) that a file imports, anywhere in it, with relative ones written out."""
    package = ["skdistill", *path.relative_to(HOUSE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, None
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield module, alias.name


def named(path):
    return str(path.relative_to(HOUSE))


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_imports_run_downwards_only(path):
    part = part_of(path)
    assert part in LAYERS, f"say in LAYERS what {part} may know"
    known = set()
    for module, name in imports(path):
        if module == "skdistill":
            known.add(name)
        elif module.startswith("skdistill."):
            known.add(module.split(".")[1])
    assert known - {part} <= LAYERS[part]


def test_the_reader_of_imports_reads_them():
    # so that the tests here cannot pass by seeing nothing
    assert ("skdistill.losses", "Terms") in set(imports(HOUSE / "student" / "_mlp_training.py"))
    seen = set(imports(HOUSE / "student" / "_mlp.py"))
    assert ("skdistill.student._mlp_training", "train_mlp") in seen, "an import inside a function counts"
    assert ("skdistill", "losses") in set(imports(HOUSE / "__init__.py"))
    assert ("torch", None) in set(imports(HOUSE / "student" / "_mlp_training.py"))
    assert ("sklearn.utils", "_safe_indexing") in set(imports(HOUSE / "_validation.py"))


#: The files of student/ in which nets are trained.
TRAINING = ("_mlp_training.py", "adapted/_net_training.py")


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_torch_is_imported_where_nets_are_trained(path):
    heavy = {module.split(".")[0] for module, _ in imports(path)} & {"torch", "skorch"}
    assert not heavy or named(path) in {str(Path("student", name)) for name in TRAINING}


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_private_parts_of_scikit_learn_are_imported_in_one_file(path):
    private = [
        (module, name)
        for module, name in imports(path)
        if module.split(".")[0] == "sklearn"
        and any(part.startswith("_") for part in [*module.split("."), *([name] if name else [])])
    ]
    assert not private or named(path) == "_validation.py"


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_every_module_says_what_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text()))
