"""Rows → the JSON that the server takes: an object a row, by column name."""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from ..errors import invalid
from .rows import Records, Rows
from .scalars import NotSendable, timestamp_text, to_json
from .wire_types import unsent_value


def json_rows(rows: Rows, start: int, end: int, path: str) -> list[dict[str, Any]]:
    """Rows ``start`` to ``end``; a null is sent as null. Raises InvalidError, naming the row."""
    if isinstance(rows, Records):
        return [_of_record(row, at, path) for at, row in enumerate(rows.records[start:end], start)]
    return _of_table(rows.table.slice(start, end - start))


def to_bytes(document: Mapping[str, Any]) -> bytes:
    """A body's bytes; all its values are JSON's own."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")


def _of_record(row: Mapping[str, Any], at: int, path: str) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in row.items():
        if not isinstance(name, str):
            raise invalid(f"{path}[{at}]: names are text; got {name!r}.", path=f"{path}[{at}]")
        try:
            made[name] = to_json(value)
        except NotSendable as error:
            raise unsent_value(path, at, name, str(error)) from None
    return made


def _of_table(table: pa.Table) -> list[dict[str, Any]]:
    names = table.column_names
    if not names:
        return [{} for _ in range(table.num_rows)]
    columns = [_json_column(column) for column in table.columns]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _json_column(column: pa.ChunkedArray) -> Sequence[Any]:
    of = _writer(column.type)
    values = column.to_pylist()
    return values if of is None else [None if value is None else of(value) for value in values]


def _writer(kind: pa.DataType) -> Callable[[Any], Any] | None:
    """Of a type that is sent; None where Python's value is JSON's."""
    if pa.types.is_floating(kind):
        return _number
    if pa.types.is_timestamp(kind):
        return _time
    if pa.types.is_binary(kind):
        return _base64
    if pa.types.is_list(kind):
        of = _writer(kind.value_type)
        return None if of is None else lambda items: [None if item is None else of(item) for item in items]
    return None


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _time(value: dt.datetime) -> str:
    return timestamp_text(value)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
