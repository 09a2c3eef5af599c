"""Check the built site: every link within it leads somewhere, to the anchor too, and every page fits its window.

Run: ``python docs/check_site.py docs/_build/html``. Addresses elsewhere are not asked; but what a page needs to be
shown (scripts, style sheets, pictures) has to come from the site itself, so that it can be read without a network.

Widths are measured in Chromium, where that is installed: no page is wider than a window of 1,280 pixels or a phone of
390, and in the former no code and no table has a scroll bar, except reports that the gallery's scripts print.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from functools import cache, partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

#: Shows each page in a frame of each width, and posts what is too wide.
MEASURE = """
<iframe style="border: 0; height: 900px"></iframe>
<script type="module">
const frame = document.querySelector("iframe"), found = [];
for (const page of PAGES)
    for (const width of [1280, 390]) {
        frame.style.width = `${width}px`;
        await new Promise(done => { frame.onload = done; frame.src = page; });
        const inside = frame.contentDocument, wide = inside.scrollingElement.scrollWidth;
        if (wide > width) found.push(`${page}: ${wide} pixels wide in a window of ${width}`);
        if (width === 390) continue;
        for (const box of inside.querySelectorAll("article pre, article .table-wrapper, article .text_html"))
            if (box.scrollWidth > box.clientWidth + 1 && !box.closest(".sphx-glr-script-out")) {
                const longest = box.innerText.split("\\n").reduce((a, b) => a.length < b.length ? b : a).slice(0, 60);
                found.push(`${page}: ${box.scrollWidth} pixels in a box of ${box.clientWidth}: ${longest}`);
            }
    }
await fetch("/", {method: "POST", body: JSON.stringify(found)});
</script>
"""
#: Seconds that Chromium has for all pages.
PATIENCE = 600


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


def too_wide(root: Path, pages: list[Path], chromium: str) -> list[str]:
    """Return what of these pages is wider than the window.

    Parameters
    ----------
    root : Path
        The folder of the site.
    pages : list of Path
        Files in it.
    chromium : str
        The browser.

    Returns
    -------
    found : list of str
        A line for each page, block of code or table.
    """
    names = json.dumps([f"/{page.relative_to(root).as_posix()}" for page in pages])
    answers: Queue[list[str]] = Queue()

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/measure":
                super().do_GET()
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(MEASURE.replace("PAGES", names).encode())

        def do_POST(self) -> None:
            answers.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: Any) -> None: ...

    with (
        ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(root))) as server,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
    ):
        Thread(target=server.serve_forever, daemon=True).start()
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}"]
        address = f"http://127.0.0.1:{server.server_port}/measure"
        with subprocess.Popen(
            [chromium, *options, "--remote-debugging-port=0", address],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as browser:
            try:
                return answers.get(timeout=PATIENCE)
            except Empty:
                return [f"Chromium has not shown all pages within {PATIENCE} seconds"]
            finally:
                browser.terminate()
                server.shutdown()


def main() -> int:
    """Print what is wrong with a site, and return how much that is."""
    root = Path(sys.argv[1]).resolve()
    pages = [path for path in root.rglob("*.html") if "_static" not in path.parts]
    wrong = faults(root)
    chromium = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
    if chromium is None:
        print("Widths are not checked: chromium is not installed.")
    else:
        wrong += too_wide(root, pages, chromium)
    print("\n".join(wrong) if wrong else f"{len(pages)} pages, every link and picture within them is there")
    return min(len(wrong), 1) if pages else 1


if __name__ == "__main__":
    raise SystemExit(main())
