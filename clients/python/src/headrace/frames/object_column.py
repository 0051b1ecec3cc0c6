"""A column of Python objects → Arrow, where all are of one kind; else an error that names the first that is not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from .scalars import SENDABLE, NotSendable, is_list, kind_of, plain
from .wire_types import TIMESTAMP, shown, unsent, unsent_value

_NUMBERS = frozenset({"int", "float"})


def object_column(values: Iterable[Any], name: str, path: str) -> pa.Array:
    """Whole numbers and floats mix (as floats), nothing else does. None, NaN, NA and NaT are null. Raises InvalidError."""
    plains: list[Any] = []
    kind: str | None = None
    first = 0
    for row, value in enumerate(values):
        try:
            one = plain(value)
        except NotSendable as error:
            raise unsent_value(path, row, name, str(error)) from None
        plains.append(one)
        if one is None:
            continue
        here = kind_of(one)
        if here not in SENDABLE:
            raise unsent_value(path, row, name, f"{shown(one)} is of type {here}, which Headrace has no type for")
        if kind is None:
            kind, first = here, row
        elif here != kind:
            if {here, kind} != _NUMBERS:
                came = f"{shown(one)} is {_a(here)}, but row {first} holds {_a(kind)}: {shown(plains[first])}"
                raise unsent_value(path, row, name, f"{came}. A column holds one type")
            kind, first = "float", first if kind == "float" else row
    return _array(plains, kind, name, path)


def _array(plains: list[Any], kind: str | None, name: str, path: str) -> pa.Array:
    if kind is None:
        return pa.nulls(len(plains))
    if kind in ("datetime", "date"):
        return pa.array([_micros(value, row, name, path) for row, value in enumerate(plains)], TIMESTAMP)
    if kind == "list":
        plains = [_items(value) for value in plains]
    try:
        return pa.array(plains, _TYPES.get(kind))
    except (pa.ArrowException, OverflowError, ValueError, TypeError) as error:
        for row, value in enumerate(plains):
            try:
                pa.array([value], _TYPES.get(kind))
            except (pa.ArrowException, OverflowError, ValueError, TypeError):
                raise unsent_value(path, row, name, _why(value, kind)) from error
        raise unsent(name, f"cannot be sent: {error}") from error


_TYPES: dict[str, pa.DataType] = {
    "bool": pa.bool_(),
    "int": pa.int64(),
    "float": pa.float64(),
    "text": pa.string(),
    "bytes": pa.binary(),
}


def _why(value: Any, kind: str) -> str:
    if kind == "int":
        return f"{value} is past what int64 holds"
    if kind == "text":
        return f"{ascii(value[:60])} has half of a surrogate pair, which is no text"
    return f"{shown(value)} cannot be sent as {kind}"


def _micros(value: Any, row: int, name: str, path: str) -> dt.datetime | None:
    if value is None:
        return None
    if not isinstance(value, dt.datetime):
        value = dt.datetime(value.year, value.month, value.day)
    if getattr(value, "nanosecond", 0) != 0:
        raise unsent_value(path, row, name, f'{value} is finer than a microsecond; round it, as .floor("us") does')
    moment: dt.datetime = value.to_pydatetime() if hasattr(value, "to_pydatetime") else value
    utc = dt.timezone.utc
    return moment.replace(tzinfo=utc) if moment.tzinfo is None else moment.astimezone(utc)


def _items(value: Any) -> Any:
    return value if value is None else [_items(item) if is_list(item) else plain(item) for item in value]


def _a(kind: str) -> str:
    return kind if kind in ("text", "bytes") else f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
