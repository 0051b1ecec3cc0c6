"""What both clients are made from, checked: the server's URL, the key, how patient they are."""

from __future__ import annotations

import ssl
from typing import Any

from ._context import Context
from ._http import client_options
from ._key import KeyAuth
from ._patience import Patience
from ._url import base_url


class Settings:
    """Raises InvalidError for what can't be."""

    def __init__(self, url: str, key: str | None, timeout: float, retries: int, verify: ssl.SSLContext | bool) -> None:
        self.url = base_url(url)
        self.context = Context(Patience(timeout, retries))
        self._auth = KeyAuth(key)
        self._verify = verify

    def http_options(self) -> dict[str, Any]:
        """What the httpx client is made with."""
        return client_options(self.url, self._auth, self._verify)

    def describe(self, client: str) -> str:
        """A client's repr, which never has the key."""
        return f"<{client} of {self.url}, {'with' if self._auth.has_key else 'without'} a key>"
