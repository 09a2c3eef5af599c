"""The check of the built site finds what is broken in it."""

import runpy
from pathlib import Path

import pytest
from browser_helpers import CHROMIUM, needs_chromium

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


@needs_chromium
def test_what_does_not_fit_the_window(tmp_path):
    bodies = {
        "fits": "<article><pre>short</pre></article>",
        "page": '<div style="width: 800px">a</div>',
        "code": '<article><pre style="overflow: auto; width: 300px"><p style="width: 700px">x = 1</p></pre></article>',
    }
    for name, body in bodies.items():
        (tmp_path / f"{name}.html").write_text(f'<!doctype html><body style="margin: 0">{body}')
    too_wide = runpy.run_path(str(CHECK))["too_wide"]
    assert too_wide(tmp_path, [tmp_path / f"{name}.html" for name in bodies], CHROMIUM) == [
        "/page.html: 800 pixels wide in a window of 390",
        "/code.html: 700 pixels in a box of 300: x = 1",
    ]
