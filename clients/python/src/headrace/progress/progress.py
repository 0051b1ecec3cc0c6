"""Which display is right here, and what all of them are told."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TextIO


@dataclass(frozen=True)
class Stage:
    """``what`` is under way; ``done`` of ``total`` ``unit`` where that is known."""

    what: str
    done: float | None = None
    total: float | None = None
    unit: str = ""

    @property
    def share(self) -> float | None:
        """From 0 to 1; None where there is no total."""
        if self.done is None or not self.total:
            return None
        return min(1.0, max(0.0, self.done / self.total))


class Progress(Protocol):
    """A display. It never fails the work: what can't be shown isn't."""

    def show(self, stage: Stage) -> None:
        """Where things stand."""

    def end(self, said: str) -> None:
        """The last word."""


class Silent:
    """Shows nothing."""

    def show(self, stage: Stage) -> None:
        pass

    def end(self, said: str) -> None:
        pass


def show_progress(
    wanted: bool, title: str, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
) -> Progress:
    """The display for where this runs; ``stream`` is standard error. Silent where it isn't wanted or there is no stream."""
    from .notebook import Notebook
    from .terminal import PlainLines, TerminalLine

    if not wanted:
        return Silent()
    display = _notebook_display()
    if display is not None:
        return Notebook(title, display, clock)
    out = sys.stderr if stream is None else stream
    if out is None:  # Python without a console has none
        return Silent()
    return TerminalLine(title, out, clock) if out.isatty() else PlainLines(title, out, clock)


def _notebook_display() -> Any:
    """IPython's `display` where a kernel shows what it is given; None elsewhere, in IPython's terminal too."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is None or getattr(shell, "kernel", None) is None:
        return None
    from IPython.display import display

    return display


def clock_text(seconds: float) -> str:
    """``0:07``, ``12:30``."""
    whole = int(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def count_text(stage: Stage) -> str:
    """``450,000 of 1,000,000 rows``; empty where nothing is counted."""
    if stage.done is None:
        return ""
    if stage.unit == "bytes":
        numbers = (
            _megabytes(stage.done) if not stage.total else f"{_megabytes(stage.done)} of {_megabytes(stage.total)}"
        )
        return f"{numbers} MB"
    numbers = f"{stage.done:,.0f}" if not stage.total else f"{stage.done:,.0f} of {stage.total:,.0f}"
    return f"{numbers} {stage.unit}".rstrip()


def _megabytes(count: float) -> str:
    return f"{count / 1e6:,.1f}"
