"""Values as plain JSON data: what is not JSON is refused with its place, before it is written."""

from __future__ import annotations

import math
from typing import Any, Mapping


def plain(value: Any, place: str) -> Any:
    """A copy that JSON can hold; numbers and arrays of numpy become Python's.

    Raises ValueError for NaN and infinities, TypeError for what is no JSON. `place` names the value in the sentence.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return finite(value, place)
    if isinstance(value, Mapping):
        return {_key(key, place): plain(member, f"{place}[{key!r}]") for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, f"{place}[{at}]") for at, item in enumerate(value)]
    # Scalars and arrays of numpy, series of pandas and polars.
    for method in ("tolist", "to_list"):
        convert = getattr(value, method, None)
        if callable(convert):
            return plain(convert(), place)
    if callable(getattr(value, "isoformat", None)):
        raise TypeError(f"{place} is a {type(value).__name__}, which JSON has no word for: give its text, value.isoformat()")
    raise TypeError(
        f"{place} is a {type(value).__name__}, and a step gives plain JSON data: None, true or false, numbers, texts, "
        "lists, dicts. Write anything else into step.file(...)"
    )


def finite(value: float, place: str) -> float:
    """The number itself. Raises ValueError for NaN and infinities."""
    number = float(value)
    if math.isfinite(number):
        return number
    raise ValueError(f"{place} is {number}, which JSON has no word for: give None, or leave it out")


def _key(key: Any, place: str) -> str:
    if isinstance(key, str):
        return key
    raise TypeError(f"{place} has the key {key!r} ({type(key).__name__}); keys of JSON are texts")
