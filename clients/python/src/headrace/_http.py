"""What both drivers share of httpx: how requests are made and its errors told."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

import httpx

from ._key import KeyAuth
from ._steps import Request
from ._version import VERSION
from .errors import DeadlineError, HeadraceError, UnreachableError

# Reaching a server takes no longer, whatever the request's own time.
_MOST_TO_CONNECT = 10.0


def client_options(url: str, auth: KeyAuth, verify: ssl.SSLContext | bool) -> dict[str, Any]:
    """What an httpx client is made with. Redirects are not followed: a key goes to one server alone."""
    headers = {"User-Agent": f"headrace-python/{VERSION}"}
    return {"base_url": url, "auth": auth, "headers": headers, "verify": verify, "follow_redirects": False}


def timeout_of(seconds: float) -> httpx.Timeout:
    """Without a byte either way for so long, httpx gives up."""
    return httpx.Timeout(seconds, connect=min(seconds, _MOST_TO_CONNECT))


def request_options(request: Request, seconds: float) -> dict[str, Any]:
    """A request's options but for its content, which differs between the drivers."""
    return {
        "method": request.method,
        "url": request.path.lstrip("/"),
        "headers": dict(request.headers),
        "params": list(request.params) or None,
        "timeout": timeout_of(seconds),
    }


def headers_of(headers: httpx.Headers) -> Mapping[str, str]:
    """By name in lower case."""
    return {name.lower(): value for name, value in headers.items()}


def told(error: httpx.HTTPError, url: str) -> HeadraceError:
    """httpx's error as ours. ``url`` is the server's, which holds no secret."""
    why = str(error) or type(error).__name__
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)):
        message = f"no connection to {url}: {why}. Is the server running, and is that its address?"
        return UnreachableError(message, code="HR_UNREACHABLE")
    if isinstance(error, httpx.TimeoutException):
        return DeadlineError(
            f"{url} did not answer in time; `timeout` is how long a request may take.", code="HR_TIMEOUT"
        )
    return UnreachableError(
        f"the connection to {url} broke before the answer was here: {why}", code="HR_CONNECTION_LOST"
    )
