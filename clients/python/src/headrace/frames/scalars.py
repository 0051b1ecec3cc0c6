"""Python's own values, and numpy's and pandas' scalars: which are missing, of what kind they are, and each as JSON has it."""

from __future__ import annotations

import base64
import datetime as dt
import math
import sys
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

_INT64 = range(-(2**63), 2**63)


class NotSendable(Exception):
    """Why a value can't be sent; whoever knows its row and column says the rest."""


def plain(value: Any) -> Any:
    """numpy's scalars as Python's, pandas' missing values and NaN as None; everything else as it is."""
    if value is None or isinstance(value, (str, bool, int)):
        return _builtin(value)
    if isinstance(value, float):
        return None if math.isnan(value) else float(value)
    pandas = sys.modules.get("pandas")
    if pandas is not None and (value is pandas.NA or value is pandas.NaT):
        return None
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic):
        if isinstance(value, numpy.datetime64):
            return _from_datetime64(value, numpy)
        return plain(value.item()) if not isinstance(value.item(), numpy.generic) else value
    if isinstance(value, Decimal) and value.is_nan():
        return None
    return value


def kind_of(value: Any) -> str:
    """Of a plain value, in words; what no column holds is its type's name."""
    for kind, types in _KINDS:
        if isinstance(value, types):
            return kind
    if is_list(value):
        return "list"
    return type(value).__name__


# A bool is an int, and a datetime a date: the narrower comes first.
_KINDS: tuple[tuple[str, type | tuple[type, ...]], ...] = (
    ("bool", bool),
    ("int", int),
    ("float", float),
    ("text", str),
    ("bytes", (bytes, bytearray, memoryview)),
    ("datetime", dt.datetime),
    ("date", dt.date),
    ("decimal", Decimal),
)
SENDABLE = frozenset({"bool", "int", "float", "text", "bytes", "datetime", "date", "decimal", "list"})


def is_list(value: Any) -> bool:
    """A list, tuple or numpy array."""
    if isinstance(value, (list, tuple)):
        return True
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def to_json(value: Any) -> Any:
    """A value as JSON has it. Raises NotSendable."""
    value = plain(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if value not in _INT64:
            raise NotSendable(f"{value} is past what int64 holds")
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, str):
        if not _is_text(value):
            raise NotSendable(f"{ascii(value[:60])} has half of a surrogate pair, which is no text")
        return value
    if isinstance(value, (dt.datetime, dt.date)):
        return timestamp_text(value)
    if isinstance(value, Decimal):
        return to_json(int(value) if value == value.to_integral_value() and value.is_finite() else float(value))
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode("ascii")
    if is_list(value):
        items: Sequence[Any] = value
        return [to_json(item) for item in items]
    raise NotSendable(f"a value of type {type(value).__name__}, which Headrace has no type for")


def timestamp_text(value: dt.date) -> str:
    """RFC 3339 in UTC: an aware time is converted, a naive one is UTC, a date is its midnight. Raises NotSendable."""
    if not isinstance(value, dt.datetime):
        return f"{value.isoformat()}T00:00:00Z"
    if getattr(value, "nanosecond", 0) != 0:  # pandas' Timestamp
        raise NotSendable(f'{value} is finer than a microsecond; round it, as .floor("us") does')
    utc = value if value.tzinfo is None else value.astimezone(dt.timezone.utc)
    return f"{utc.replace(tzinfo=None).isoformat()}Z"


def _builtin(value: Any) -> Any:
    # Subclasses of Python's own, numpy's str_ among them, as what they are.
    if value is None or type(value) in (str, bool, int):
        return value
    return str.__str__(value) if isinstance(value, str) else int(value)


def _from_datetime64(value: Any, numpy: Any) -> Any:
    if numpy.isnat(value):
        return None
    micros = value.astype("datetime64[us]")
    if micros != value:
        raise NotSendable(f"{value} is finer than a microsecond")
    moment = micros.item()
    if not isinstance(moment, dt.date):
        raise NotSendable(f"{value} is past what a datetime holds")
    return moment


def _is_text(value: str) -> bool:
    if value.isascii():
        return True
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
