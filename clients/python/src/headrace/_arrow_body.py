"""Arrow streams as bodies: what is sent of a frame, what an answer holds, and how a server that has none of it is told."""

from __future__ import annotations

import pyarrow as pa

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


def is_unknown_form(error: HeadraceError) -> bool:
    """Whether the server has no Arrow here: 406 or 415, of a version before it had."""
    return error.status in (406, 415)
