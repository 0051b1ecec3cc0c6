"""Values of a JSON answer → Arrow columns, by the names of their types (docs/reference/types.md)."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from .wire_types import TIMESTAMP

_PLAIN = {
    "bool": pa.bool_(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "string": pa.string(),
    "bytes": pa.binary(),
    "timestamp": TIMESTAMP,
}
_NUMBERS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def arrow_type(name: str) -> pa.DataType | None:
    """Of ``int64``, ``list(string)``, ``vector(3)``; None of a name that this version doesn't know."""
    if name.startswith("list(") and name.endswith(")"):
        item = arrow_type(name[len("list(") : -1])
        return None if item is None else pa.list_(item)
    if name.startswith("vector(") and name.endswith(")"):
        return pa.list_(pa.float32(), int(name[len("vector(") : -1]))
    return _PLAIN.get(name)


def answer_column(values: Sequence[Any], kind: pa.DataType | None) -> pa.Array:
    """Values as JSON has them. Without a type it is found from them."""
    if kind is None:
        return pa.array([_NUMBERS.get(value, value) if isinstance(value, str) else value for value in values])
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.string()).cast(kind)
    return pa.array([_value(value, kind) for value in values] if _is_told(kind) else values, kind)


def _is_told(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_binary(kind) or pa.types.is_nested(kind))


def _value(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if isinstance(value, list):
        if pa.types.is_timestamp(kind.value_type):
            return pa.array(value, pa.string()).cast(TIMESTAMP).to_pylist()
        return [_value(item, kind.value_type) for item in value]
    if isinstance(value, str):
        if pa.types.is_floating(kind):
            return _NUMBERS[value]
        if pa.types.is_binary(kind):
            return base64.b64decode(value)
    return value
