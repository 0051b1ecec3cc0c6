"""Arrow streams as bodies: what is sent of a frame, what an answer holds, and how a server that has none of it is told."""

from __future__ import annotations

import pyarrow as pa

from ._context import Wire
from .errors import HeadraceError

ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
JSON = "application/json"


def arrow_bytes(table: pa.Table) -> bytes:
    """A table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    body: bytes = sink.getvalue().to_pybytes()
    return body


def read_arrow(content: bytes) -> pa.Table:
    """Raises HR_UNEXPECTED_ANSWER for what is no whole Arrow stream."""
    try:
        return pa.ipc.open_stream(content).read_all()
    except pa.ArrowException as error:
        raise HeadraceError(f"the answer is no Arrow stream: {error}", code="HR_UNEXPECTED_ANSWER") from error


def goes_as_json(error: HeadraceError, wire: Wire) -> bool:
    """
    Whether what the server refused as Arrow is to be sent as JSON. A server of a version before it had Arrow (406, 415) is
    remembered. A column whose type the server does not take (text for a time, floats for whole numbers, as pandas makes them
    of ints beside NaN) goes as JSON, where each value counts by itself, and where errors name rows.
    """
    if error.rows_done > 0:
        return False
    if error.status in (406, 415):
        wire.takes_arrow = False
        return True
    return error.code == "HR_INVALID" and len(error.errors) > 0 and not any("[" in one.path for one in error.errors)
