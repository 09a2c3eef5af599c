"""The package's face: `__all__` is sorted and is what is public, in the package and in its parts."""

import importlib
import inspect
from types import ModuleType

import pytest

import skdistill

PARTS = [
    "skdistill",
    "skdistill.compress",
    "skdistill.dask",
    "skdistill.distil",
    "skdistill.export",
    "skdistill.losses",
    "skdistill.metrics",
    "skdistill.model",
    "skdistill.program",
    "skdistill.report",
    "skdistill.search",
    "skdistill.student",
    "skdistill.student.adapted",
    "skdistill.tasks",
    "skdistill.teacher",
]


@pytest.mark.parametrize("name", PARTS)
def test_every_name_in_all_exists_once(name):
    module = importlib.import_module(name)
    assert len(set(module.__all__)) == len(module.__all__)
    assert all(hasattr(module, member) for member in module.__all__)


def test_the_packages_all_is_sorted():
    assert skdistill.__all__ == sorted(skdistill.__all__)


def test_all_is_what_the_package_shows():
    assert dir(skdistill) == skdistill.__all__
    shown = {
        name
        for name, value in vars(skdistill).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    } - {"TYPE_CHECKING", "Any", "import_module"}
    assert shown <= set(skdistill.__all__)
    with pytest.raises(AttributeError, match="module 'skdistill' has no attribute 'nothing'"):
        skdistill.nothing  # noqa: B018


@pytest.mark.parametrize("name", [name for name in skdistill.__all__ if inspect.isclass(getattr(skdistill, name))])
def test_every_public_method_is_described(name):
    public = getattr(skdistill, name)
    assert public.__doc__
    for member, value in inspect.getmembers(public):
        if not member.startswith("_") and getattr(value, "__module__", "").startswith("skdistill"):
            assert inspect.getdoc(value), f"{name}.{member}"


@pytest.mark.parametrize("name", [name for name in skdistill.__all__ if "Distilled" in name or "Student" in name])
def test_the_docstring_names_every_parameter_and_its_default(name):
    public = getattr(skdistill, name)
    text = inspect.getdoc(public).split("Parameters\n----------\n")[1].split("\nAttributes\n")[0]
    described = dict(line.split(" : ", 1) for line in text.splitlines() if " : " in line and not line.startswith(" "))
    parameters = list(inspect.signature(public).parameters.values())
    assert list(described) == [parameter.name for parameter in parameters]
    for parameter in parameters:
        default = described[parameter.name].split("default=")[1]
        expected = str(parameter.default) if not isinstance(parameter.default, str) else f'"{parameter.default}"'
        assert default == expected or float(default) == parameter.default
