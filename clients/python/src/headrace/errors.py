"""Every error that a user of this package can meet.

Each has the server's code (``HR_…``, see docs/reference/errors.md) in ``code``; what only a client can meet has a code of its
own: ``HR_UNREACHABLE`` (no connection), ``HR_TIMEOUT`` (no answer in time), ``HR_CONNECTION_LOST`` (cut between request and
answer), ``HR_UNEXPECTED_ANSWER`` (what answered is no Headrace server).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_ROW = re.compile(r"\b(rows|inputs|outcomes)\[(\d+)\]")


@dataclass(frozen=True)
class ErrorDetail:
    """One mistake of several: where it is (``rows[3].origin``) and what is wrong there."""

    path: str
    message: str


class HeadraceError(Exception):
    """What went wrong, in the server's words.

    ``code``: the catalogue's, such as ``HR_INVALID``. ``status``: of HTTP, None where no server answered. ``errors``: each mistake
    with its path; rows count from 0 in what was given to the call, whatever the batches were. ``rows``: those row numbers.
    ``request_id``: by which the server's log has it. ``rows_done``: how many rows of the call were taken before the one that
    failed (batches are sent in order), so a push can go on from there.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int | None = None,
        errors: Sequence[ErrorDetail] = (),
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.errors = tuple(errors)
        self.request_id = request_id
        #: Seconds that the server asks to wait before another try; None where it asks nothing.
        self.retry_after = retry_after
        self.rows_done = 0

    @property
    def rows(self) -> list[int]:
        """Numbers of the rows that the errors name, each once, in order; empty where they name none."""
        paths = (match for error in self.errors for match in _ROW.findall(error.path))
        return sorted({int(number) for _, number in paths})

    def __str__(self) -> str:
        return self.message if self.message.startswith("HR_") else f"{self.code}: {self.message}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r}, code={self.code!r}, status={self.status!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return _revive, (type(self), self.message, self.__dict__)

    def moved(self, offset: int) -> HeadraceError:
        """The same of rows that lie ``offset`` rows further on; itself, changed."""
        self.rows_done = offset
        if offset:
            self.message = _move_rows(self.message, offset)
            self.args = (self.message,)
            self.errors = tuple(
                ErrorDetail(_move_rows(error.path, offset), _move_rows(error.message, offset)) for error in self.errors
            )
        return self


def _revive(kind: type[HeadraceError], message: str, state: dict[str, object]) -> HeadraceError:
    error = kind(message, code=str(state["code"]))
    error.__dict__.update(state)
    return error


def _move_rows(text: str, offset: int) -> str:
    return _ROW.sub(lambda match: f"{match[1]}[{int(match[2]) + offset}]", text)


class InvalidError(HeadraceError, ValueError):
    """What was sent is not what was expected (400, 415, 422), or can't be sent at all: a column of mixed types, say."""


class AuthenticationError(HeadraceError):
    """The server wants a key, and got none or one that is not in force (401)."""


class ForbiddenError(HeadraceError):
    """The key lacks the role or the endpoint, or the server answers to another name (403, 421)."""


class NotFoundError(HeadraceError, LookupError):
    """There is no such service, endpoint, source or training set (404)."""


class ConflictError(HeadraceError):
    """Something changed meanwhile, or nobody can tell what became of a push (409, 412)."""


class TooLargeError(HeadraceError):
    """One row, or a spine, is larger than the server takes (413). Batches that are too large are halved before this is told."""


class OverloadedError(HeadraceError):
    """Too many requests, still after the retries (429); ``retry_after`` has the seconds that the server asks to wait."""


class UnavailableError(HeadraceError):
    """The server or a store behind it does not answer now (502, 503), still after the retries."""


class DeadlineError(HeadraceError, TimeoutError):
    """There was no answer in time: the server's deadline passed (504), or the client's timeout."""


class UnreachableError(HeadraceError, ConnectionError):
    """No connection to the server, or it broke before the answer was here."""


class JobCancelledError(HeadraceError):
    """The training set's job was cancelled at the server: by somebody, or because nobody asked about it."""


_BY_STATUS: dict[int, type[HeadraceError]] = {
    400: InvalidError,
    401: AuthenticationError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    412: ConflictError,
    413: TooLargeError,
    415: InvalidError,
    421: ForbiddenError,
    422: InvalidError,
    429: OverloadedError,
    502: UnavailableError,
    503: UnavailableError,
    504: DeadlineError,
}

# Of an error that comes without a status: a failed job's.
_STATUS_OF_CODE: dict[str, int] = {
    "HR_SPINE": 400,
    "HR_INVALID": 400,
    "HR_UNKNOWN_SERVICE": 404,
    "HR_UNKNOWN_FEATURE": 404,
    "HR_UNKNOWN_TRAINING_SET": 404,
    "HR_EXPECTATION": 422,
    "HR_QUERY": 422,
    "HR_QUERY_LEAKS": 422,
    "HR_SOURCE_UNREADABLE": 422,
    "HR_TRANSFORM_FAILED": 422,
    "HR_INTEGER_OVERFLOW": 422,
    "HR_SOURCE_CHANGED": 409,
    "HR_TOO_LARGE": 413,
    "HR_OVERLOADED": 429,
    "HR_STORAGE_UNAVAILABLE": 503,
    "HR_ONLINE_UNAVAILABLE": 503,
    "HR_STOPPING": 503,
    "HR_JOB_LOST": 503,
}


def error_class(code: str, status: int | None) -> type[HeadraceError]:
    """The class of an error by its status, or, without one, by its code."""
    known = status if status is not None else _STATUS_OF_CODE.get(code)
    return _BY_STATUS.get(known or 0, HeadraceError)


def invalid(message: str, *, path: str | None = None) -> InvalidError:
    """What this client refuses to send, with the code that the server has for it."""
    errors = () if path is None else (ErrorDetail(path, message),)
    return InvalidError(message, code="HR_INVALID", errors=errors)
