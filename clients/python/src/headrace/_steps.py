"""What an operation asks of the outside, as values: one generator says the steps, a driver takes them with or without ``await``.

So ``Client`` and ``AsyncClient`` share all that is not I/O. An operation is a ``Steps[T]``: it yields effects, is sent their
results, and returns a T. What goes wrong outside, an interrupt and a cancellation too, is thrown into it where it waits.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, cast

T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """One HTTP request. ``path`` is below the server's URL. ``content`` is bytes, or makes the body's chunks anew for each try."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    params: tuple[tuple[str, str], ...] = ()
    content: bytes | Callable[[], Iterator[bytes]] | None = None


@dataclass(frozen=True)
class Response:
    """A whole answer. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes = b""


class Stream(Protocol):
    """An answer that is still coming."""

    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Send:
    """→ Response. ``timeout``: seconds without a byte either way before it is given up."""

    request: Request
    timeout: float


@dataclass(frozen=True)
class Open:
    """→ Stream, once its headers are here."""

    request: Request
    timeout: float


@dataclass(frozen=True)
class Read:
    """→ the next bytes, or None at the end."""

    stream: Stream


@dataclass(frozen=True)
class Close:
    """→ None; never fails."""

    stream: Stream


@dataclass(frozen=True)
class Sleep:
    """→ None, after so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Compute:
    """→ what ``work`` returns; away from the event loop where there is one."""

    work: Callable[[], Any]


Effect = Send | Open | Read | Close | Sleep | Compute
Steps = Generator[Effect, Any, T]


def send(request: Request, timeout: float) -> Steps[Response]:
    """The answer, whatever its status. Raises UnreachableError and DeadlineError."""
    return cast(Response, (yield Send(request, timeout)))


def open_stream(request: Request, timeout: float) -> Steps[Stream]:
    """The answer's head, whatever its status; to be closed. Raises UnreachableError and DeadlineError."""
    return cast(Stream, (yield Open(request, timeout)))


def read(stream: Stream) -> Steps[bytes | None]:
    """The next bytes, None at the end. Raises UnreachableError and DeadlineError."""
    return cast("bytes | None", (yield Read(stream)))


def close(stream: Stream) -> Steps[None]:
    """Lets go of an answer, read or not."""
    yield Close(stream)


def sleep(seconds: float) -> Steps[None]:
    """Waits."""
    yield Sleep(seconds)


def compute(work: Callable[[], T]) -> Steps[T]:
    """What takes the processor a while: encoding a frame."""
    return cast(T, (yield Compute(work)))
