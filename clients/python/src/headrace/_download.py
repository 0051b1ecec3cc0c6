"""A training set's file → a file here: gone on with where the connection broke, and checked against its hash."""

from __future__ import annotations

import hashlib
import os
from typing import BinaryIO

from ._arrow_body import PARQUET
from ._context import Context
from ._patience import Repeat, may_repeat
from ._problem import problem_of_stream
from ._steps import Request, Steps, Stream, close, open_stream, read, sleep
from ._url import path_of
from .errors import HeadraceError
from .progress import Progress, Stage

#: Other processors' work waits no longer for the display.
_BYTES_BETWEEN = 4_000_000


def download(context: Context, id: str, path: str, progress: Progress) -> Steps[None]:
    """Writes the set's Parquet file to ``path``. Raises HeadraceError; HR_DAMAGED where what came is not what its hash says."""
    patience = context.patience
    digest = hashlib.sha256()
    etag: str | None = None
    failures = 0
    with open(path, "wb") as file:
        while True:
            before = file.tell()
            try:
                stream = yield from open_stream(_request(id, before, etag), patience.timeout)
                try:
                    etag = yield from _begin(stream, file, etag)
                    if file.tell() == 0:
                        digest = hashlib.sha256()
                    yield from _take(stream, file, digest, progress)
                finally:
                    yield from close(stream)
                break
            except HeadraceError as error:
                if not may_repeat(error, Repeat.ALWAYS):
                    raise
                failures = 1 if file.tell() > before else failures + 1
                if failures > patience.retries:
                    raise
                yield from sleep(patience.wait(failures, error))
    _check(etag, digest.hexdigest())


def _request(id: str, have: int, etag: str | None) -> Request:
    headers = {"Accept": PARQUET, "Accept-Encoding": "identity"}
    if have > 0 and etag is not None:
        headers |= {"Range": f"bytes={have}-", "If-Range": etag}
    return Request("GET", path_of("v1", "training-sets", id, "data"), headers)


def _begin(stream: Stream, file: BinaryIO, etag: str | None) -> Steps[str | None]:
    """The ETag of what comes. A whole answer (200) takes the place of what is here already."""
    if stream.status == 206:
        return etag
    if stream.status != 200:
        raise (yield from problem_of_stream(stream))
    file.seek(0)
    file.truncate()
    return stream.headers.get("etag")


def _take(stream: Stream, file: BinaryIO, digest: hashlib._Hash, progress: Progress) -> Steps[None]:
    length = stream.headers.get("content-length", "")
    have = file.tell()
    total = have + int(length) if length.isdecimal() else None
    shown = have
    while (chunk := (yield from read(stream))) is not None:
        file.write(chunk)
        digest.update(chunk)
        have += len(chunk)
        if have - shown >= _BYTES_BETWEEN:
            shown = have
            progress.show(Stage("downloading", have, total, "bytes"))
    if total is not None and have != total:
        raise HeadraceError(f"the file ended after {have} of {total} bytes.", code="HR_CONNECTION_LOST")


def _check(etag: str | None, sha256: str) -> None:
    told = (etag or "").removeprefix("W/").strip('"')
    if len(told) == len(sha256) and all(letter in "0123456789abcdef" for letter in told) and told != sha256:
        raise HeadraceError(
            f"the training set's file came damaged: its SHA-256 is {sha256}, the server says {told}. Fetch it again.",
            code="HR_DAMAGED",
        )


def remove(path: str) -> None:
    """A file that may be gone already."""
    try:
        os.unlink(path)
    except OSError:
        pass
