"""A spine as the body of a request: a frame becomes Parquet as it is sent, a file is sent as it lies, an address is told."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ._arrow_body import JSON, PARQUET
from .errors import InvalidError, invalid
from .frames.pandas_frame import pandas_columns, pandas_table
from .frames.rows import arrow_table
from .frames.wire_types import refuse_duplicates, unsent, wire_column

_CHUNK = 1 << 20
_GROUP_ROWS = 128_000
_FORMS = "a pandas or polars DataFrame, a pyarrow Table or RecordBatchReader, a path of a Parquet or CSV file, or an s3:// address"


@dataclass(frozen=True)
class Spine:
    """``body`` makes the chunks anew for each try; ``is_once``: only a first time. ``frame``: what a pandas frame was like."""

    content_type: str
    body: bytes | Callable[[], Iterator[bytes]]
    is_once: bool = False
    frame: SpineFrame | None = None


@dataclass(frozen=True)
class SpineFrame:
    """Of a pandas spine: its index, the names of the index's levels that were sent as columns, dtypes by column."""

    index: Any
    levels: tuple[str, ...]
    dtypes: dict[str, Any]


def open_spine(given: object) -> Spine:
    """Raises InvalidError for what is no spine, or can't be sent as one."""
    pandas = sys.modules.get("pandas")
    if isinstance(given, (str, os.PathLike)):
        return _of_place(given)
    if pandas is not None and isinstance(given, pandas.DataFrame):
        return _of_pandas(given)
    if isinstance(given, pa.RecordBatchReader):
        schema = _spine_schema(given.schema)
        return Spine(PARQUET, lambda: _parquet(schema, _grouped(given)), is_once=True)
    table = arrow_table(given)
    if table is None:
        raise invalid(f"spine: expected {_FORMS}, got {type(given).__name__}.")
    return Spine(PARQUET, _body_of(table))


def _of_pandas(given: Any) -> Spine:
    columns = pandas_columns(given)
    levels = tuple(name for name in given.index.names if name is not None)
    table = pandas_table(given, "rows")
    frame = SpineFrame(given.index, levels, {name: series.dtype for name, series in columns.items()})
    return Spine(PARQUET, _body_of(table), frame=frame)


def _of_place(given: str | os.PathLike[str]) -> Spine:
    place = os.fspath(given)
    if place.startswith("s3://"):
        return Spine(JSON, json.dumps({"spine": place}).encode("utf-8"))
    if re.match(r"[a-z][a-z0-9+.-]+://", place, re.IGNORECASE):
        scheme = place.partition("://")[0]
        raise invalid(f"spine: {scheme}:// is not taken; expected {_FORMS}.")
    place = os.path.expanduser(place)
    if not os.path.isfile(place):
        raise invalid(f'spine: there is no file "{place}" here.')
    return Spine(_file_type(place), lambda: _file(place))


def _file_type(place: str) -> str:
    if place.lower().endswith(".csv"):
        return "text/csv"
    with open(place, "rb") as file:
        if file.read(4) == b"PAR1":
            return PARQUET
    raise invalid(f'spine: "{place}" is neither Parquet (it does not begin with PAR1) nor named .csv.')


def _file(place: str) -> Iterator[bytes]:
    with open(place, "rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _body_of(table: pa.Table) -> Callable[[], Iterator[bytes]]:
    schema = _spine_schema(table.schema)
    # Times are converted now: what can't be is told before anything is sent.
    columns = [_spine_column(table.column(at), name) for at, name in enumerate(table.column_names)]
    sent = pa.table(columns, schema=schema)
    return lambda: _parquet(
        schema, (sent.slice(at, _GROUP_ROWS) for at in range(0, max(sent.num_rows, 1), _GROUP_ROWS))
    )


def _spine_schema(schema: pa.Schema) -> pa.Schema:
    refuse_duplicates(schema.names)
    return pa.schema([pa.field(field.name, _spine_type(field.type, field.name)) for field in schema])


def _spine_type(kind: pa.DataType, name: str) -> pa.DataType:
    """As it came, for columns come back as they are; times are whole microseconds, and views of text are text."""
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", tz=None if kind.tz is None else "UTC")
    if pa.types.is_dictionary(kind):
        return _spine_type(kind.value_type, name)
    if kind == pa.string_view():
        return pa.large_string()
    if kind == pa.binary_view():
        return pa.large_binary()
    if isinstance(kind, pa.BaseExtensionType) or pa.types.is_duration(kind) or pa.types.is_interval(kind):
        raise unsent(name, f"is of type {kind}, which Headrace has none for")
    return kind


def _spine_column(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        wire_column(column, name, "rows")  # names the row that is finer than a microsecond
    try:
        return column.cast(_spine_type(column.type, name))
    except pa.ArrowInvalid as error:
        raise unsent(name, f"cannot be sent: {error}") from error


def _grouped(reader: pa.RecordBatchReader) -> Iterator[pa.Table]:
    """Batches as tables of enough rows for a row group."""
    waiting: list[pa.RecordBatch] = []
    for batch in reader:
        waiting.append(batch)
        if sum(one.num_rows for one in waiting) >= _GROUP_ROWS:
            yield _converted(pa.Table.from_batches(waiting, reader.schema))
            waiting = []
    yield _converted(pa.Table.from_batches(waiting, reader.schema))


def _converted(table: pa.Table) -> pa.Table:
    columns = [_spine_column(table.column(at), name) for at, name in enumerate(table.column_names)]
    return pa.table(columns, schema=_spine_schema(table.schema))


def _parquet(schema: pa.Schema, tables: Iterator[pa.Table]) -> Iterator[bytes]:
    sink = _Sink()
    # A dictionary pays for text; numbers it makes larger and slower.
    texts = [
        field.name for field in schema if not (pa.types.is_primitive(field.type) or pa.types.is_nested(field.type))
    ]
    try:
        with pq.ParquetWriter(sink, schema, compression="zstd", compression_level=1, use_dictionary=texts) as writer:
            for table in tables:
                writer.write_table(table)
                yield sink.take()
    except pa.ArrowException as error:
        raise InvalidError(f"the spine cannot be written as Parquet: {error}", code="HR_INVALID") from error
    yield sink.take()


class _Sink:
    """A file that keeps what was written until it is taken."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts = []
        return taken

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True
