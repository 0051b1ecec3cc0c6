"""The server's address, checked, and the paths below it."""

from __future__ import annotations

from urllib.parse import quote, urlsplit, urlunsplit

from .errors import invalid


def base_url(url: str) -> str:
    """``url`` without a slash at its end. Raises InvalidError for what is none, or has a user, a query or a fragment in it."""
    try:
        parts = urlsplit(url.strip())
        has_host = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port is not False
    except ValueError:
        has_host = False
    if not has_host:
        raise invalid('expected the server\'s URL, such as "http://127.0.0.1:8080".')
    # Neither shown nor used: a secret in a URL ends up in logs.
    if parts.username is not None or parts.password is not None:
        raise invalid("the URL has a user or password in it; give the key as `key`.")
    if parts.query or parts.fragment:
        raise invalid("the URL has a query or fragment; give scheme, host, port and path alone.")
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def path_of(*segments: str) -> str:
    """A path with each segment quoted: ``path_of("v1", "services", name)``."""
    return "".join(f"/{quote(segment, safe='')}" for segment in segments)
