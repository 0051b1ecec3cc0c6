"""Takes an operation's steps one after the other, on this thread."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TypeVar

import httpx

from ._http import headers_of, request_options, told
from ._steps import Close, Compute, Effect, Open, Read, Request, Response, Send, Sleep, Steps, Stream

T = TypeVar("T")


class _SyncStream:
    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.status = response.status_code
        self.headers: Mapping[str, str] = headers_of(response.headers)
        self.chunks: Iterator[bytes] = response.iter_bytes()


class SyncDriver:
    """Runs steps with an httpx client, which it closes."""

    def __init__(self, http: httpx.Client, url: str) -> None:
        self._http = http
        self._url = url

    def run(self, steps: Steps[T]) -> T:
        """The operation's result. An interrupt (Ctrl-C) is thrown into the steps, which tidy up and let it go on."""
        result: object = None
        thrown: BaseException | None = None
        while True:
            try:
                effect = steps.send(result) if thrown is None else steps.throw(thrown)
            except StopIteration as stop:
                done: T = stop.value
                return done
            result, thrown = None, None
            try:
                result = self._perform(effect)
            except BaseException as error:
                thrown = error

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _perform(self, effect: Effect) -> object:
        match effect:
            case Send(request, timeout):
                return self._send(request, timeout)
            case Open(request, timeout):
                return self._open(request, timeout)
            case Read(stream):
                return self._read(stream)
            case Close(stream):
                _response_of(stream).close()
            case Sleep(seconds):
                time.sleep(seconds)
            case Compute(work):
                return work()
        return None

    def _send(self, request: Request, timeout: float) -> Response:
        try:
            answer = self._http.request(**request_options(request, timeout), content=_content(request))
        except httpx.HTTPError as error:
            raise told(error, self._url) from None
        return Response(answer.status_code, headers_of(answer.headers), answer.content)

    def _open(self, request: Request, timeout: float) -> Stream:
        made = self._http.build_request(**request_options(request, timeout), content=_content(request))
        try:
            return _SyncStream(self._http.send(made, stream=True))
        except httpx.HTTPError as error:
            raise told(error, self._url) from None

    def _read(self, stream: Stream) -> bytes | None:
        assert isinstance(stream, _SyncStream)  # made by `_open`
        try:
            return next(stream.chunks, None)
        except httpx.HTTPError as error:
            raise told(error, self._url) from None


def _response_of(stream: Stream) -> httpx.Response:
    assert isinstance(stream, _SyncStream)  # made by `_open`
    return stream.response


def _content(request: Request) -> bytes | Iterator[bytes] | None:
    return request.content() if callable(request.content) else request.content
