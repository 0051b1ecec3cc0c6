"""One line that is written over in a terminal; a line a stage where the output goes to a file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TextIO

from .progress import Stage, clock_text, count_text

_BAR = 20
_SECONDS_BETWEEN = 0.1


class TerminalLine:
    """Written over at most ten times a second, and left standing with its last word."""

    def __init__(self, title: str, out: TextIO, clock: Callable[[], float]) -> None:
        self._title = title
        self._out = out
        self._clock = clock
        self._started = clock()
        self._shown_at = -1.0
        self._what = ""

    def show(self, stage: Stage) -> None:
        now = self._clock()
        if stage.what == self._what and now - self._shown_at < _SECONDS_BETWEEN:
            return
        self._shown_at, self._what = now, stage.what
        share = stage.share
        bar = "" if share is None else f" [{('#' * round(share * _BAR)).ljust(_BAR)}] {share:4.0%}"
        count = count_text(stage)
        self._write(
            f"{self._title}: {stage.what}{bar}{'  ' + count if count else ''}  {clock_text(now - self._started)}"
        )

    def end(self, said: str) -> None:
        self._write(f"{self._title}: {said}  {clock_text(self._clock() - self._started)}")
        _write(self._out, "\n")

    def _write(self, line: str) -> None:
        width = max(20, shutil.get_terminal_size().columns - 1)
        # Back to the start, what is left of a longer line before is erased.
        _write(self._out, f"\r{line[:width]}\x1b[K")


class PlainLines:
    """A line as each stage begins, and one at the end."""

    def __init__(self, title: str, out: TextIO, clock: Callable[[], float]) -> None:
        self._title = title
        self._out = out
        self._clock = clock
        self._started = clock()
        self._what = ""

    def show(self, stage: Stage) -> None:
        if stage.what == self._what:
            return
        self._what = stage.what
        _write(self._out, f"{self._title}: {stage.what}\n")

    def end(self, said: str) -> None:
        _write(self._out, f"{self._title}: {said} after {clock_text(self._clock() - self._started)}\n")


def _write(out: TextIO, text: str) -> None:
    try:
        out.write(text)
        out.flush()
    except (OSError, ValueError):
        pass  # closed, or a full disk: no reason to lose the training set
