"""Imports run downwards only, as docs/architecture.md says; optional and private things are imported where they may be.

Rooms are the folders and the loose modules of the package.
"""

import ast
import re
from pathlib import Path

import pytest

import skdistill

HOUSE = Path(skdistill.__file__).parent
MODULES = sorted(HOUSE.rglob("*.py"))

# each room, and the rooms that it may import; a room stands below all that it imports, so that there is no circle
LAYERS = {
    "_version": set(),
    "_sklearn": set(),
    "_threads": set(),
    "losses": set(),
    "program": {"_version"},
    "_checks": {"_sklearn", "program"},
    "export": {"_checks", "_version", "program"},
    "model": {"_sklearn", "export", "losses", "program"},
    "tasks": {"_checks", "losses", "program"},
    "metrics": {"_checks", "_sklearn", "program", "tasks"},
    "teacher": {"_checks", "_sklearn", "program", "tasks"},
    "dask": {"_checks", "_sklearn", "_version", "program", "tasks", "teacher"},
    "student": {"_checks", "_sklearn", "_threads", "losses", "model", "program", "tasks"},
    "compress": {"program", "student", "tasks", "teacher"},
    "distil": {
        "_checks",
        "_sklearn",
        "_threads",
        "dask",
        "losses",
        "metrics",
        "model",
        "program",
        "student",
        "tasks",
        "teacher",
    },
    "search": {
        "_checks",
        "_sklearn",
        "compress",
        "distil",
        "export",
        "metrics",
        "program",
        "student",
        "tasks",
        "teacher",
    },
    "report": {"_checks", "_sklearn", "export", "metrics", "program", "tasks", "teacher"},
    "__main__": {"_version"},
    "__init__": {
        "_version",
        "compress",
        "distil",
        "export",
        "losses",
        "metrics",
        "model",
        "program",
        "report",
        "search",
        "student",
    },
}
#: Not on the page: what they import says nothing of the plan.
NOT_ON_THE_PAGE = {"_version", "__main__", "__init__"}
#: A printer of Python writes out the functions of the ops, and so reads their modules.
READS_MODULES = {"export/_python.py"}


def room_of(path):
    """Return the room of a file: the name of its folder, or of a file at the top."""
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


def of_ours(path):
    """Yield the (room, rest of the module, name) of every import of ours that leaves the file's room."""
    for module, name in imports(path):
        top, *rest = module.split(".")
        if top == "skdistill":
            room, *inside = rest or [name]
            if room != room_of(path):
                yield room, inside, name if rest else None


def named(path):
    return path.relative_to(HOUSE).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_imports_run_downwards_only(path):
    room = room_of(path)
    assert room in LAYERS, f"say in LAYERS what {room} may import"
    assert {other for other, _, _ in of_ours(path)} <= LAYERS[room]


def test_a_room_stands_below_all_that_it_imports():
    rooms = list(LAYERS)
    for room, others in LAYERS.items():
        assert others <= set(rooms[: rooms.index(room)]), room


def test_every_import_that_is_allowed_is_used():
    used = {room: set() for room in LAYERS}
    for path in MODULES:
        used[room_of(path)] |= {other for other, _, _ in of_ours(path)}
    assert used == LAYERS


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_a_room_imports_only_what_another_room_exports(path):
    private = [
        (room, *inside, name)
        for room, inside, name in of_ours(path)
        if inside or (name is not None and name.startswith("_") and name != "__version__")
    ]
    assert not private or named(path) in READS_MODULES


def test_adapted_students_know_ours_and_not_the_other_way_round():
    for path in (HOUSE / "student").glob("*.py"):
        knows = any("adapted" in module.split(".") for module, _ in imports(path))
        assert knows == (path.name == "__init__.py"), path


def test_the_page_of_the_architecture_has_the_same_table():
    text = (Path(__file__).parents[1] / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| .* \| ?(.*) ?\|$", text, re.MULTILINE)
    page = {room: set(re.findall(r"`(\w+)`", others)) for room, others in rows}
    rooms = {room: others - {"_version"} for room, others in LAYERS.items() if room not in NOT_ON_THE_PAGE}
    assert page == rooms
    assert list(page) == list(rooms)


def test_the_reader_of_imports_reads_them():
    # so that the tests here cannot pass by seeing nothing
    training = HOUSE / "student" / "_mlp_training.py"
    assert ("skdistill.losses", "Terms") in set(imports(training))
    assert ("torch", None) in set(imports(training))
    lazy = ("skdistill.export", "to_file")
    assert lazy in set(imports(HOUSE / "model" / "_program_models.py")), "an import inside a function counts"
    assert ("skdistill", "losses") in set(imports(HOUSE / "__init__.py"))
    assert ("sklearn.utils", "_safe_indexing") in set(imports(HOUSE / "_sklearn.py"))
    assert ("losses", [], "Targets") in list(of_ours(HOUSE / "student" / "_protocol.py"))


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_torch_is_imported_where_nets_are_trained(path):
    heavy = {module.split(".")[0] for module, _ in imports(path)} & {"torch", "skorch"}
    training = {f"student/_{name}.py" for name in ("torch_loss", "net_inputs", "nets", "mlp_training")}
    assert (
        not heavy
        or (heavy == {"torch"} and named(path) in training)
        or named(path) == "student/adapted/_net_training.py"
    )


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_private_parts_of_scikit_learn_are_imported_in_one_file(path):
    private = [
        (module, name)
        for module, name in imports(path)
        if module.split(".")[0] == "sklearn"
        and any(part.startswith("_") for part in [*module.split("."), *([name] if name else [])])
    ]
    assert not private or named(path) == "_sklearn.py"


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_every_module_says_what_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text()))
