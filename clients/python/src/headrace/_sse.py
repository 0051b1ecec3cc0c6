"""Server-sent events from bytes as they come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ._json_answer import unexpected

_LONGEST = 1_000_000


@dataclass
class EventReader:
    """``feed`` gives the (event, data) pairs that are whole by then. Comments, ids and unknown fields are left out."""

    _event: str = ""
    _data: list[str] = field(default_factory=list)
    _bytes: bytes = b""

    def feed(self, chunk: bytes) -> Iterator[tuple[str, str]]:
        """Raises HR_UNEXPECTED_ANSWER where one line has no end."""
        self._bytes += chunk
        *lines, self._bytes = self._bytes.split(b"\n")
        if len(self._bytes) > _LONGEST:
            raise unexpected("a line of its stream has no end")
        for line in lines:
            yield from self._line(line.rstrip(b"\r").decode("utf-8", "replace"))

    def _line(self, line: str) -> Iterator[tuple[str, str]]:
        if line == "":
            if self._data:
                yield self._event or "message", "\n".join(self._data)
            self._event, self._data = "", []
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._event = value
        elif name == "data":
            self._data.append(value)
