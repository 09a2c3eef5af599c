"""A plot as SVG: axes, lines, dots and names, in the colours of whatever page it stands on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

import numpy as np

from .._frontier import place_names

#: Units of the plot's own coordinates. A phone shows them about one to one, so that text stays readable there.
WIDTH, HEIGHT = 360, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 12, 12, 42
#: Width of a character over the height of its line.
_ASPECT = 0.58
_FONT = 12
_LONGEST = 24


def shortened(text: str, longest: int = _LONGEST) -> str:
    """Return a text, its end replaced by an ellipsis where it is too long."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


class Plot:
    """A plot with a linear vertical axis and a linear or logarithmic horizontal one.

    Parameters
    ----------
    x_range, y_range : tuple of float
        What the axes span.
    x_label, y_label : str
        What is written along them.
    log_x : bool, default=False
        Whether the horizontal axis is logarithmic.
    x_format, y_format : callable, default=None
        What is written at a tick; None writes the number.
    """

    def __init__(
        self,
        x_range: tuple[float, float],
        y_range: tuple[float, float],
        x_label: str,
        y_label: str,
        *,
        log_x: bool = False,
        x_format: Callable[[float], str] | None = None,
        y_format: Callable[[float], str] | None = None,
    ) -> None:
        self._log_x = log_x
        self._x_range = tuple(math.log10(end) for end in x_range) if log_x else x_range
        self._y_range = y_range
        self._marks: list[str] = []
        self._points: list[tuple[float, float]] = []
        self._names: list[str] = []
        ticks = [(y_format or _plain)(value) for value in linear_ticks(*y_range)]
        # so that ticks and the label beside them both have room
        self._left = max(_LEFT, 26.0 + _ASPECT * _FONT * max(map(len, ticks), default=0))
        self._axes(x_range, x_label, y_label, x_format or _plain, y_format or _plain)

    def x(self, value: float) -> float:
        """Return where a value of the horizontal axis is."""
        low, high = self._x_range
        at = math.log10(value) if self._log_x else value
        return self._left + (at - low) / (high - low) * (WIDTH - self._left - _RIGHT)

    def y(self, value: float) -> float:
        """Return where a value of the vertical axis is."""
        low, high = self._y_range
        return HEIGHT - _BOTTOM - (value - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM)

    def _axes(
        self,
        x_range: tuple[float, float],
        x_label: str,
        y_label: str,
        x_format: Callable[[float], str],
        y_format: Callable[[float], str],
    ) -> None:
        bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
        for value in linear_ticks(*self._y_range):
            y = self.y(value)
            self._marks.append(f'<path class="grid" d="M{self._left} {y:.1f}H{right}"/>')
            self._text(self._left - 6, y + 4, y_format(value), "tick", "end")
        end = -math.inf
        for value in log_ticks(*x_range) if self._log_x else linear_ticks(*x_range):
            x, text = self.x(value), x_format(value)
            self._marks.append(f'<path class="grid" d="M{x:.1f} {_TOP}V{bottom}"/>')
            half = _ASPECT * _FONT * len(text) / 2
            if x - half > end and x + half <= WIDTH:
                self._text(x, bottom + 16, text, "tick", "middle")
                end = x + half + 4
        self._marks.append(f'<path class="axis" d="M{self._left} {_TOP}V{bottom}H{right}"/>')
        self._text((self._left + right) / 2, HEIGHT - 8, x_label, "label", "middle")
        middle = (_TOP + bottom) / 2
        self._marks.append(
            f'<text class="label" text-anchor="middle" transform="translate(12 {middle}) rotate(-90)">'
            f"{escape(y_label)}</text>"
        )

    def _text(self, x: float, y: float, text: str, kind: str, anchor: str) -> None:
        self._marks.append(f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>')

    def line(self, xs: Sequence[float], ys: Sequence[float], kind: str) -> None:
        """Draw a line through points."""
        path = "L".join(f"{self.x(x):.1f} {self.y(y):.1f}" for x, y in zip(xs, ys, strict=True))
        self._marks.append(f'<path class="line {kind}" d="M{path}"/>')

    def cell(self, box: tuple[float, float, float, float], kind: str, strength: float, hint: str) -> None:
        """Draw a rectangle.

        Parameters
        ----------
        box : tuple of float
            Its left, lower, right and upper end.
        kind : str
            Its class, which colours it.
        strength : float
            How opaque it is, between 0 and 1.
        hint : str
            What is shown when the pointer rests on it.
        """
        left, top = self.x(box[0]), self.y(box[3])
        self._marks.append(
            f'<rect class="cell {kind}" x="{left:.2f}" y="{top:.2f}" width="{self.x(box[2]) - left:.2f}" '
            f'height="{self.y(box[1]) - top:.2f}" fill-opacity="{strength:.3f}"><title>{escape(hint)}</title></rect>'
        )

    def dot(self, x: float, y: float, kind: str, hint: str, *, radius: float = 5.0, name: str | None = None) -> None:
        """Draw a dot, and its name where there is room.

        Parameters
        ----------
        x, y : float
            Where.
        kind : str
            Its class, which colours it; "labels-only" is drawn as a diamond.
        hint : str
            What is shown when the pointer rests on it.
        radius : float, default=5.0
            Its size.
        name : str, default=None
            Its name.
        """
        left, top, r = self.x(x), self.y(y), radius
        if kind == "labels-only":
            shape = f'<path class="dot {kind}" d="M{left:.1f} {top - r - 1:.1f}l{r + 1} {r + 1}l{-r - 1} {r + 1}'
            shape += f'l{-r - 1} {-r - 1}z">'
        else:
            shape = f'<circle class="dot {kind}" cx="{left:.1f}" cy="{top:.1f}" r="{r:.1f}">'
        tag = "path" if kind == "labels-only" else "circle"
        self._marks.append(f"{shape}<title>{escape(hint)}</title></{tag}>")
        if name is not None:
            self._points.append((left, top))
            self._names.append(shortened(name))

    def svg(self, title: str) -> str:
        """Return the plot as an SVG element that a screen reader calls by its title."""
        names = []
        if self._names:
            sizes = [(_ASPECT * _FONT * len(name), _FONT + 1.0) for name in self._names]
            bounds = (self._left + 2.0, 2.0, WIDTH - 2.0, HEIGHT - _BOTTOM - 2.0)
            corners = place_names(np.array(self._points), np.array(sizes), bounds, gap=9.0)
            for (x, y), (width, height), name, corner in zip(self._points, sizes, self._names, corners, strict=True):
                if corner is None:
                    continue
                left, top = corner
                near = (min(max(x, left), left + width), min(max(y, top), top + height))
                if math.dist(near, (x, y)) > 12:
                    names.append(f'<path class="lead" d="M{x:.1f} {y:.1f}L{near[0]:.1f} {near[1]:.1f}"/>')
                names.append(
                    f'<text class="name" x="{left:.1f}" y="{top + height - 3:.1f}" textLength="{width:.1f}" '
                    f'lengthAdjust="spacingAndGlyphs">{escape(name)}</text>'
                )
        return drawing("".join([*self._marks, *names]), WIDTH, HEIGHT, title)


def drawing(content: str, width: float, height: float, title: str) -> str:
    """Return an SVG element that grows and shrinks with its place."""
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(title)}" '
        f'xmlns="http://www.w3.org/2000/svg">{content}</svg>'
    )


def linear_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round numbers within a range, `most` of them at most."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return the powers of ten within a range; twice and five times as much as well where there are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1.0,) if math.log10(high / low) > 3 else (1.0, 2.0, 5.0)
    ticks = [10.0**power * factor for power in powers for factor in factors]
    return [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]


def _plain(value: float) -> str:
    return f"{value:g}"
