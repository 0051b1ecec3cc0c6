"""Answers that tell of an error → exceptions with the server's code and words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from ._steps import Response, Steps, Stream, read
from .errors import ErrorDetail, HeadraceError, error_class

_MOST_SHOWN = 200
_MOST_READ = 100_000


def problem_of(response: Response) -> HeadraceError:
    """An answer's error. What is no problem document of ours (a balancer's page) has the code HR_UNEXPECTED_ANSWER."""
    problem = _document(response)
    status = response.status
    wait = retry_after_of(response.headers)
    if problem is None:
        shown = response.content[:_MOST_SHOWN].decode("utf-8", "replace").strip()
        message = f"the server answered {status} without an error of Headrace's{f': {shown}' if shown else '.'}"
        code = "HR_UNEXPECTED_ANSWER"
        return error_class(code, status)(message, code=code, status=status, retry_after=wait)
    code = str(problem["code"])
    details = problem.get("errors")
    return error_class(code, status)(
        str(problem.get("detail") or problem.get("title") or code),
        code=code,
        status=status,
        errors=[_detail(one) for one in details if isinstance(one, dict)] if isinstance(details, list) else [],
        request_id=_text(problem.get("request_id")) or response.headers.get("x-request-id"),
        retry_after=wait,
    )


def problem_of_stream(stream: Stream) -> Steps[HeadraceError]:
    """The same of an answer that is still coming."""
    content = b""
    while len(content) < _MOST_READ and (chunk := (yield from read(stream))) is not None:
        content += chunk
    return problem_of(Response(stream.status, stream.headers, content))


def job_error(error: object) -> HeadraceError:
    """What a job tells of its end: ``{"code", "message"}``."""
    given: Mapping[str, Any] = error if isinstance(error, dict) else {}
    code = str(given.get("code") or "HR_INTERNAL")
    details = given.get("errors")
    return error_class(code, None)(
        str(given.get("message") or "the job failed, and its server did not say why."),
        code=code,
        errors=[_detail(one) for one in details if isinstance(one, dict)] if isinstance(details, list) else [],
    )


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait; None where it doesn't say, or not as HTTP has it."""
    text = headers.get("retry-after", "").strip()
    if text.isdecimal() and len(text) <= 9:
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    zoned = at if at.tzinfo is not None else at.replace(tzinfo=timezone.utc)
    return max(0.0, (zoned - datetime.now(timezone.utc)).total_seconds())


def _document(response: Response) -> dict[str, Any] | None:
    if "json" not in response.headers.get("content-type", ""):
        return None
    try:
        document = json.loads(response.content)
    except ValueError:
        return None
    return document if isinstance(document, dict) and isinstance(document.get("code"), str) else None


def _detail(one: Mapping[str, Any]) -> ErrorDetail:
    return ErrorDetail(str(one.get("path", "")), str(one.get("message", "")))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
