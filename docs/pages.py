"""Read a page as a notebook: its blocks of Python, C and sh are run when the site is built, and their output is shown.

A page needs no header for it. Cells share the names of their page and a temporary working directory. An error, or
anything on stderr, fails the build. A block that is indented or within another directive is shown but not run. Tags of
myst-nb can stand at the top of a block: ``:tags: [remove-input]``, say, and an empty line.
"""

from __future__ import annotations

import re

from myst_nb.core.read import read_myst_markdown_notebook
from myst_parser.config.main import MdParserConfig
from nbformat import NotebookNode

#: A block of C, of which the first line names the file, or of shell commands.
_FOREIGN = re.compile(r"^```(c|sh)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def _with_cell(block: re.Match[str]) -> str:
    """Add a hidden cell that writes the file of C, or runs the commands and shows what they print."""
    kind, code = block.groups()
    magic = ("sh", "-eu") if kind == "sh" else ("writefile", code.split()[1])
    tags = "[remove-input]" if kind == "sh" else "[remove-input, remove-output]"
    return f"{block[0]}\n\n```python\n:tags: {tags}\n\nget_ipython().run_cell_magic(*{(*magic, code)!r})\n```"


def read(text: str) -> NotebookNode:
    """Return the notebook that a page is.

    Parameters
    ----------
    text : str
        The page, in MyST Markdown.

    Returns
    -------
    notebook : NotebookNode
        With a code cell for each block that is run.
    """
    # what begins with ::: is a directive, and so are the blocks within it
    config = MdParserConfig(enable_extensions={"colon_fence", "deflist", "dollarmath"})
    notebook = read_myst_markdown_notebook(_FOREIGN.sub(_with_cell, text), config, "python", add_source_map=True)
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook
