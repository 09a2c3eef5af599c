"""TreeDisplay: the rules of a tree student as a picture."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import numpy as np

from ..program import shipped
from ._drawing import COLORS, Display


@dataclass(kw_only=True, eq=False, repr=False)
class TreeDisplay(Display):
    """The rules of a tree student, from left to right, with the prediction of each in a box.

    Parameters
    ----------
    lines : list of (int, str)
        The lines of ``export_text``: the depth and the text of each.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes with the plot.
    figure_ : matplotlib Figure
        The figure of these axes.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill import TreeDisplay, TreeStudent
    >>> X = np.arange(100.0)[:, None]
    >>> display = TreeDisplay.from_estimator(TreeStudent(2, smoothing=0).fit(X, X[:, 0] < 40))
    >>> display.lines[:2]
    [(0, 'column 0 <= 39.5'), (1, 'True: 1.00')]
    """

    lines: Sequence[tuple[int, str]]

    @classmethod
    def from_estimator(cls, estimator: Any, *, max_depth: int | None = 4, ax: Any = None) -> TreeDisplay:
        """Plot a tree.

        Parameters
        ----------
        estimator : TreeStudent, TreeStudentRegressor or distiller with such a student
            Fitted.
        max_depth : int or None, default=4
            Maximum depth to show; None shows the whole tree.
        ax : matplotlib Axes, default=None
            The axes to draw on; None for a new figure, as large as the tree needs.

        Returns
        -------
        display : TreeDisplay
            Drawn.

        Raises
        ------
        TypeError
            If the student is not a tree.
        NotFittedError
            If it is not fitted.
        """
        student: Any = shipped(estimator)
        if not hasattr(student, "export_text"):
            raise TypeError(f"{type(student).__name__} has no export_text; expected a tree student.")
        _, *parts = re.split(r"^((?:\|   )*)\|--- ", student.export_text(max_depth), flags=re.MULTILINE)
        lines = [(len(indent) // 4, text.strip()) for indent, text in zip(parts[::2], parts[1::2], strict=True)]
        return cls(lines=lines).plot(ax=ax)

    def plot(self, ax: Any = None) -> TreeDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The axes to draw on; None for a new figure, as large as the tree needs.

        Returns
        -------
        display : TreeDisplay
            Itself.
        """
        depths = [depth for depth, _ in self.lines]
        path, above, below = list[int](), list[int](), [list[float]() for _ in range(len(depths) + 1)]
        for at, depth in enumerate(depths):
            # the root is the last
            above.append(path[depth - 1] if depth else -1)
            path[depth:] = [at]
        ends = sorted(set(range(len(depths))) - set(above))
        # backwards: a line stands in the middle of those below it
        heights, rows = [0.0] * (len(depths) + 1), reversed(range(len(ends)))
        for at in reversed(range(len(depths))):
            heights[at] = float(np.mean(below[at])) if below[at] else float(next(rows))
            below[above[at]].append(heights[at])
        heights[-1] = float(np.mean(below[-1]))
        ax = self._set_axes(ax, figsize=(2.3 * (max(depths) + 1), 0.48 * len(ends) + 0.3))
        ax.set(xlim=(-0.2, max(depths) + 0.8), ylim=(len(ends) - 0.4, -0.6))
        ax.set_axis_off()
        classes = list(dict.fromkeys(self.lines[at][1].rpartition(": ")[0] for at in ends))
        for at, (depth, text) in enumerate(self.lines):
            start, x = (depths[above[at]] if depth else -0.2), depth - 0.12
            y, middle = heights[at], heights[above[at]]
            ax.plot([start, x, x, depth - 0.02], [middle, middle, y, y], color=COLORS["teacher"], linewidth=1, zorder=1)
            box = {"boxstyle": "round,pad=0.35", "linewidth": 0, "facecolor": ax.get_facecolor()}
            if at in ends and text != "...":
                box |= {"facecolor": f"C{classes.index(text.rpartition(': ')[0])}", "alpha": 0.3}
            ax.text(
                depth,
                y,
                "\n".join(wrap(text, 26, max_lines=2, placeholder="…")),
                fontsize=9,
                parse_math=False,
                va="center",
                bbox=box,
            )
        return self
