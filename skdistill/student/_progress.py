"""One progress bar for a long fit."""

from __future__ import annotations

from types import TracebackType
from typing import Any


class Progress:
    """A progress bar that shows the latest figures; silent, and tqdm not imported, unless wanted.

    Parameters
    ----------
    verbose : int or bool
        0 shows nothing.
    total : int
        How many steps there are at most.
    name : str
        What is being fitted.
    unit : str
        What a step is called: "epoch".
    """

    def __init__(self, verbose: int | bool, total: int, name: str, unit: str) -> None:
        self.done = 0
        self._bar: Any = None
        if verbose:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=total, desc=name, unit=unit)

    def step(self, n_steps: int = 1, /, **figures: float) -> None:
        """Count a step, or several, and show the figures, such as ``loss=0.31``."""
        self.done += n_steps
        if self._bar is not None:
            self._bar.set_postfix({name: f"{value:.4f}" for name, value in figures.items()}, refresh=False)
            self._bar.update(n_steps)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
