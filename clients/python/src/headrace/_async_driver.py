"""Takes an operation's steps on an event loop; what computes for long goes to a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TypeVar

import httpx

from ._http import headers_of, request_options, told
from ._steps import Close, Compute, Effect, Open, Read, Request, Response, Send, Sleep, Steps, Stream

T = TypeVar("T")


class _AsyncStream:
    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.status = response.status_code
        self.headers: Mapping[str, str] = headers_of(response.headers)
        self.chunks: AsyncIterator[bytes] = response.aiter_bytes()


class AsyncDriver:
    """Runs steps with an httpx client, which it closes."""

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        self._http = http
        self._url = url

    async def run(self, steps: Steps[T]) -> T:
        """The operation's result. A cancellation is thrown into the steps, which tidy up and let it go on."""
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
                result = await self._perform(effect)
            except BaseException as error:
                thrown = error

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def _perform(self, effect: Effect) -> object:
        match effect:
            case Send(request, timeout):
                return await self._send(request, timeout)
            case Open(request, timeout):
                return await self._open(request, timeout)
            case Read(stream):
                return await self._read(stream)
            case Close(stream):
                await _response_of(stream).aclose()
            case Sleep(seconds):
                await asyncio.sleep(seconds)
            case Compute(work):
                return await asyncio.to_thread(work)
        return None

    async def _send(self, request: Request, timeout: float) -> Response:
        try:
            answer = await self._http.request(**request_options(request, timeout), content=_content(request))
        except httpx.HTTPError as error:
            raise told(error, self._url) from None
        return Response(answer.status_code, headers_of(answer.headers), answer.content)

    async def _open(self, request: Request, timeout: float) -> Stream:
        made = self._http.build_request(**request_options(request, timeout), content=_content(request))
        try:
            return _AsyncStream(await self._http.send(made, stream=True))
        except httpx.HTTPError as error:
            raise told(error, self._url) from None

    async def _read(self, stream: Stream) -> bytes | None:
        assert isinstance(stream, _AsyncStream)  # made by `_open`
        try:
            return await anext(stream.chunks, None)
        except httpx.HTTPError as error:
            raise told(error, self._url) from None


def _response_of(stream: Stream) -> httpx.Response:
    assert isinstance(stream, _AsyncStream)  # made by `_open`
    return stream.response


def _content(request: Request) -> bytes | AsyncIterator[bytes] | None:
    return _chunks(request.content()) if callable(request.content) else request.content


async def _chunks(content: Iterator[bytes]) -> AsyncIterator[bytes]:
    # Reading a file and encoding a frame take their time.
    while (chunk := await asyncio.to_thread(next, content, None)) is not None:
        yield chunk
