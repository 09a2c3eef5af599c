"""Docstrings of all public names: there, complete, and true to the signature."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

import skdistill

numpydoc = pytest.importorskip("numpydoc.validate")

#: Faults of numpydoc's list that the house allows: where it says more in one line, or says it in its own order.
ALLOWED = {
    "GL01",  # text on the line of the quotes
    "GL02",
    "ES01",  # no extended summary
    "SA01",  # no See Also
    "SA04",  # a See Also without description
    "EX01",  # no example: methods are shown with their class
    "RT03",  # returns without description
    "PR06",  # names of types
    "PR08",  # descriptions that begin in lower case
    "PR09",  # or do not end in a full stop
    "RT02",
    "RT04",
    "RT05",
    "SS05",
    "SS06",  # a summary of two lines
    "YD01",
}
REFERENCE = sorted((Path(__file__).parents[1] / "docs" / "api").glob("*.md"))
#: Public by name, for the parts of the house to share, and not for users: the reference leaves them out.
SHARED = {
    "skdistill.dask": {"Layout", "Spool", "answer"},
    "skdistill.export": {"Unavailable", "check_ops", "compiled", "metadata_of", "write_files"},
}


def listed():
    """Return what the reference lists, by module."""
    found = {}
    for page in REFERENCE:
        module = None
        for line in page.read_text().splitlines():
            if line.startswith(".. currentmodule:: "):
                module = line.split()[-1]
            elif re.fullmatch(r"   \w+", line):
                assert line.strip() not in found.setdefault(module, set()), f"{line.strip()} is listed twice"
                found[module].add(line.strip())
    return found


def public():
    """Yield the full name of everything that the reference lists, and of every method of it that is ours."""
    for part, names in listed().items():
        module = importlib.import_module(part)
        for name in names:
            value = getattr(module, name)
            yield f"{part}.{name}"
            if inspect.isclass(value):
                for member, method in inspect.getmembers(value, callable):
                    ours = (getattr(method, "__module__", None) or "").startswith("skdistill")
                    if not member.startswith("_") and ours:
                        yield f"{part}.{name}.{member}"


@pytest.mark.parametrize(
    "part", ["skdistill", "skdistill.compress", "skdistill.dask", "skdistill.export", "skdistill.metrics"]
)
def test_the_reference_lists_every_public_name(part):
    module = importlib.import_module(part)
    names = {name for name in module.__all__ if callable(getattr(module, name))}
    assert listed()[part] == names - (SHARED.get(part, set()))


@pytest.mark.parametrize("name", sorted(public()))
def test_docstring(name):
    found = numpydoc.validate(name)["errors"]
    assert not [f"{code}: {text}" for code, text in found if code not in ALLOWED]


@pytest.mark.parametrize("name", [f"{part}.{name}" for part, names in listed().items() for name in sorted(names)])
def test_every_page_of_the_reference_has_an_example(name):
    part, _, member = name.rpartition(".")
    assert re.search(r"^>>> ", inspect.getdoc(getattr(importlib.import_module(part), member)), re.MULTILINE)


def test_the_names_are_found():
    some = {"skdistill.DistilledClassifier", "skdistill.metrics.latency", "skdistill.MLPStudent.predict"}
    assert some <= set(public())
    assert skdistill.__doc__
