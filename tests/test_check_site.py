"""The check of the built site finds what is broken in it."""

import runpy
from pathlib import Path

import pytest

CHECK = Path(__file__).parents[1] / "docs" / "check_site.py"


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('<a href="other.html#place">', None),
        ('<a href="https://elsewhere.example/page">', None),
        ('<a href="none.html">', "index.html: none.html is not there"),
        ('<a href="other.html#none">', "index.html: other.html#none has no such place"),
        ('<a href="#none">', "index.html: #none has no such place"),
        ('<img src="none.png">', "index.html: none.png is not there"),
        (
            '<script src="https://elsewhere.example/x.js">',
            "index.html: needs https://elsewhere.example/x.js, which is not of the site",
        ),
    ],
)
def test_faults(tmp_path, body, fault):
    (tmp_path / "index.html").write_text(body)
    (tmp_path / "other.html").write_text('<h1 id="place">')
    faults = runpy.run_path(str(CHECK))["faults"]
    assert faults(tmp_path) == ([] if fault is None else [fault])
