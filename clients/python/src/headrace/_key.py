"""The API key: kept so that no repr, log or error shows it."""

from __future__ import annotations

from collections.abc import Generator

import httpx

from .errors import invalid


class KeyAuth(httpx.Auth):
    """Puts the key into each request's header, and nowhere else. Also keeps httpx from taking another out of ``~/.netrc``."""

    __slots__ = ("_header",)

    def __init__(self, key: str | None) -> None:
        if key is not None and (key == "" or any(not "!" <= letter <= "~" for letter in key)):
            raise invalid("the key is empty or has a character that no key has (a space, a line break?).")
        self._header = None if key is None else f"Bearer {key}"

    @property
    def has_key(self) -> bool:
        return self._header is not None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if self._header is not None:
            request.headers["Authorization"] = self._header
        yield request

    def __repr__(self) -> str:
        return "KeyAuth(none)" if self._header is None else "KeyAuth(…)"

    def __reduce__(self) -> str:
        raise TypeError("a key is not pickled: make a Client where it is needed")
