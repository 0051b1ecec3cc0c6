"""An element of a notebook's output that is written over."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

from .progress import Stage, clock_text, count_text

_SECONDS_BETWEEN = 0.2


class Notebook:
    """A bar with its words. ``display`` is IPython's."""

    def __init__(self, title: str, display: Callable[..., Any], clock: Callable[[], float]) -> None:
        self._title = title
        self._display = display
        self._clock = clock
        self._started = clock()
        self._shown_at = -1.0
        self._what = ""
        self._handle: Any = None

    def show(self, stage: Stage) -> None:
        now = self._clock()
        if stage.what == self._what and now - self._shown_at < _SECONDS_BETWEEN:
            return
        self._shown_at, self._what = now, stage.what
        share = stage.share
        value = "" if share is None else f' value="{share:.3f}"'
        words = "  ".join(part for part in (stage.what, count_text(stage), clock_text(now - self._started)) if part)
        self._put(f"{self._title}: {words}", f'<progress max="1"{value} style="width:16em"></progress> ')

    def end(self, said: str) -> None:
        self._put(f"{self._title}: {said}  {clock_text(self._clock() - self._started)}", "")

    def _put(self, words: str, bar: str) -> None:
        # Both forms: a front end without HTML shows the text.
        shown = {"text/plain": words, "text/html": f"<div>{bar}{escape(words)}</div>"}
        if self._handle is None:
            self._handle = self._display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)
