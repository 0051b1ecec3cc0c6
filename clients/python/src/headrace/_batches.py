"""Rows in batches that the server takes: bounded from the start, halved where it says that one is too large."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ._steps import Steps
from .errors import HeadraceError, TooLargeError

T = TypeVar("T")

#: A server's own defaults are 10,000 rows and 4 MB (`server.maxRows`, `server.bodyLimit`).
MOST_BYTES = 3_500_000


def in_batches(
    count: int,
    most_rows: int,
    encode: Callable[[int, int], bytes],
    send: Callable[[bytes, int, int], Steps[T]],
) -> Steps[list[T]]:
    """
    Answers of the batches, in order, one after the other. ``encode`` makes the body of rows start to end, ``send`` asks for its
    answer. A batch that is too large is halved, and the rest of this call goes in such halves: the same rows and server give the
    same batches each time. Raises the server's error, its rows counted from the call's first one.
    """
    answers: list[T] = []
    start = 0
    while start < count:
        end = min(start + most_rows, count)
        body = encode(start, end)
        if len(body) > MOST_BYTES and end - start > 1:
            most_rows = (end - start + 1) // 2
            continue
        try:
            answers.append((yield from send(body, start, end)))
        except TooLargeError as error:
            if end - start == 1:
                error.moved(start)
                raise
            most_rows = (end - start + 1) // 2
            continue
        except HeadraceError as error:
            error.moved(start)
            raise
        start = end
    return answers
