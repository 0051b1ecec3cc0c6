"""How long a request may take, and when it is sent again: jittered backoff, and never what might then happen twice."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from ._problem import problem_of
from ._steps import Request, Response, Steps, send, sleep
from .errors import HeadraceError, invalid

_FIRST_WAIT = 0.1
_LONGEST_WAIT = 5.0
# The server's own word on its deadline is better than ours: it gets so many seconds to say it.
_GRACE = 1.0
_LONGEST_DEADLINE_MS = 3_600_000


class Repeat(Enum):
    """What may be sent again."""

    #: Whatever became of the first: reads, and writes that the server knows again (an Idempotency-Key, outcomes).
    ALWAYS = "always"
    #: Only what the server did not begin: it could not be reached, or it said to come again later.
    UNLESS_BEGUN = "unless begun"


@dataclass(frozen=True)
class Patience:
    """``timeout``: seconds for one request, its retries and waits included. ``retries``: how often it is sent again at most."""

    timeout: float = 30.0
    retries: int = 4
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random

    def __post_init__(self) -> None:
        if not 0 < self.timeout <= _LONGEST_DEADLINE_MS / 1000:
            raise invalid(f"timeout: expected seconds above 0 and up to 3600, got {self.timeout!r}.")
        if self.retries < 0:
            raise invalid(f"retries: expected 0 or more, got {self.retries!r}.")

    def wait(self, attempt: int, failure: HeadraceError) -> float:
        """Seconds before the next try: at random up to a bound that doubles, and never less than the server asks for."""
        backoff: float = self.chance() * min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt)
        return backoff if failure.retry_after is None else failure.retry_after + backoff


def ask(request: Request, repeat: Repeat, patience: Patience, silence: float | None = None) -> Steps[Response]:
    """
    The answer of a request that went well (2xx, 304). ``silence``: seconds without a byte either way, where they are fewer than its
    time. Raises the server's error, or the connection's, after the last try.
    """
    deadline = patience.clock() + patience.timeout
    attempt = 0
    while True:
        left = max(deadline - patience.clock(), 0.001)
        try:
            bound = left if silence is None else min(silence, left)
            response = yield from send(_with_deadline(request, left), bound + _GRACE)
            if 200 <= response.status < 300 or response.status == 304:
                return response
            failure = problem_of(response)
        except HeadraceError as error:
            failure = error
        if attempt >= patience.retries or not may_repeat(failure, repeat):
            raise failure
        wait = patience.wait(attempt, failure)
        if patience.clock() + wait >= deadline:
            raise failure
        yield from sleep(wait)
        attempt += 1


def may_repeat(failure: HeadraceError, repeat: Repeat) -> bool:
    """Whether the same request may be sent again after this."""
    if failure.code == "HR_UNREACHABLE":
        return True
    if failure.status in (429, 503) and failure.retry_after is not None:
        return True
    if repeat is Repeat.UNLESS_BEGUN:
        return False
    if failure.code in ("HR_CONNECTION_LOST", "HR_TIMEOUT"):
        return True
    return failure.status in (429, 502, 503, 504) and failure.code != "HR_DEADLINE"


def _with_deadline(request: Request, seconds: float) -> Request:
    milliseconds = min(max(int(seconds * 1000), 1), _LONGEST_DEADLINE_MS)
    return replace(request, headers={**request.headers, "X-Request-Timeout-Ms": str(milliseconds)})
