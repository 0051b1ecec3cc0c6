"""JSON answers, taken apart with an error of their own where they are not what is documented."""

from __future__ import annotations

import json
from typing import Any

from ._steps import Response
from .errors import HeadraceError


def json_object(response: Response) -> dict[str, Any]:
    """The answer's object. Raises HR_UNEXPECTED_ANSWER."""
    try:
        document = json.loads(response.content)
    except ValueError as error:
        raise unexpected(f"it is not JSON: {error}", response.status) from error
    if not isinstance(document, dict):
        raise unexpected(f"expected an object, got {type(document).__name__}", response.status)
    return document


def unexpected(why: str, status: int | None = None) -> HeadraceError:
    """An answer that no Headrace server of these routes gives."""
    return HeadraceError(
        f"the answer is not what Headrace gives: {why}. Is that its server?", code="HR_UNEXPECTED_ANSWER", status=status
    )
