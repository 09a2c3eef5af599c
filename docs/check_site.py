"""Check the built site: every link within it leads somewhere, to the anchor too, and every picture is there.

Run: ``python docs/check_site.py docs/_build/html``. Addresses elsewhere are not asked; but what a page needs to be
shown (scripts, style sheets, pictures) has to come from the site itself, so that it can be read without a network.
"""

from __future__ import annotations

import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """What a page points to, and what can be pointed to in it.

    Parameters
    ----------
    path : Path
        The file.

    Attributes
    ----------
    targets : list of (str, bool)
        The addresses, and whether the page needs what is there to be shown.
    anchors : set of str
        The names of places within the page.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.targets: list[tuple[str, bool]] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the addresses and the anchors of a tag."""
        for name, value in attrs:
            if not value:
                continue
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value)
            elif name == "src":
                self.targets.append((value, True))
            elif name == "href":
                sheet = tag == "link" and dict(attrs).get("rel") in ("stylesheet", "icon")
                self.targets.append((value, sheet))


parse = cache(Page)


def faults(root: Path) -> list[str]:
    """Return what is wrong with the links of a site.

    Parameters
    ----------
    root : Path
        The folder of its pages.

    Returns
    -------
    faults : list of str
        A line for each.
    """
    found = []
    for path in sorted(root.rglob("*.html")):
        if "_static" in path.parts:
            continue
        for target, needed in parse(path).targets:
            parts = urlsplit(target)
            if parts.scheme == "data":
                continue
            if parts.scheme or parts.netloc:
                if needed:
                    found.append(f"{path.relative_to(root)}: needs {target}, which is not of the site")
                continue
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if file.is_dir():
                file /= "index.html"
            if not file.is_file():
                found.append(f"{path.relative_to(root)}: {target} is not there")
            elif parts.fragment and file.suffix == ".html" and unquote(parts.fragment) not in parse(file).anchors:
                found.append(f"{path.relative_to(root)}: {target} has no such place")
    return found


def main() -> int:
    """Print what is wrong with a site, and return how much that is."""
    root = Path(sys.argv[1]).resolve()
    pages = [path for path in root.rglob("*.html") if "_static" not in path.parts]
    wrong = faults(root)
    print("\n".join(wrong) if wrong else f"{len(pages)} pages, every link and picture within them is there")
    return min(len(wrong), 1) if pages else 1


if __name__ == "__main__":
    raise SystemExit(main())
