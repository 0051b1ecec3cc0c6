"""Features of rows, now: as Arrow where the server has it and a frame came, else as JSON by columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ._arrow_body import ARROW, JSON, arrow_bytes, goes_as_json, read_arrow
from ._batches import in_batches
from ._context import Context
from ._json_answer import json_object, unexpected
from ._patience import Repeat, ask
from ._steps import Request, Response, Steps, compute
from ._url import path_of
from .errors import HeadraceError
from .frames import Rows, TableRows, read_rows
from .frames.json_answers import answer_column, arrow_type
from .frames.json_rows import json_rows, to_bytes
from .frames.wire_types import TIMESTAMP

_PATH = "rows"
#: A read holds the server's loop for its batch; others wait so long.
_MOST_ROWS = 2_000
STATUS = pa.dictionary(pa.int8(), pa.string())


@dataclass(frozen=True)
class Asked:
    """What is asked of a service."""

    service: str
    statuses: bool
    event_times: bool


def read_features(context: Context, asked: Asked, given: object) -> Steps[Any]:
    """Features of the rows, in the form that they came in. Raises HeadraceError."""
    rows: Rows = yield from compute(lambda: read_rows(given, _PATH))
    if isinstance(rows, TableRows) and rows.count > 0 and context.wire.takes_arrow:
        try:
            table = yield from _by_arrow(context, asked, rows)
        except HeadraceError as error:
            if not goes_as_json(error, context.wire):
                raise
            table = yield from _by_json(context, asked, rows)
    else:
        table = yield from _by_json(context, asked, rows)
    return (yield from compute(lambda: rows.back(table)))


def _by_arrow(context: Context, asked: Asked, rows: TableRows) -> Steps[pa.Table]:
    params = tuple((name, "true") for name in ("statuses", "event_times") if getattr(asked, name))

    def encode(start: int, end: int) -> bytes:
        return arrow_bytes(rows.table.slice(start, end - start))

    def send(body: bytes, start: int, end: int) -> Steps[pa.Table]:
        headers = {"Content-Type": ARROW, "Accept": ARROW}
        answer = yield from _ask(context, Request("POST", _path(asked), headers, params, body))
        if ARROW not in answer.headers.get("content-type", ""):
            raise unexpected("it is no Arrow stream", 406)
        return _counted(read_arrow(answer.content), end - start)

    tables = yield from in_batches(rows.count, _MOST_ROWS, encode, send)
    return pa.concat_tables(tables)


def _by_json(context: Context, asked: Asked, rows: Rows) -> Steps[pa.Table]:
    described = yield from _ask(context, Request("GET", path_of("v1", "services", asked.service)))
    types = _feature_types(json_object(described))

    def encode(start: int, end: int) -> bytes:
        return to_bytes({"rows": json_rows(rows, start, end, _PATH), "options": {"layout": "columns"}})

    def send(body: bytes, start: int, end: int) -> Steps[pa.Table]:
        answer = yield from _ask(context, Request("POST", _path(asked), {"Content-Type": JSON}, (), body))
        return _counted(_table_of(json_object(answer), types, asked, end - start), end - start)

    tables = yield from in_batches(rows.count, _MOST_ROWS, encode, send)
    if not tables:
        return _table_of({"features": {name: [] for name in types}, "event_times": {}}, types, asked, 0)
    return pa.concat_tables(tables)


def _ask(context: Context, request: Request) -> Steps[Response]:
    return ask(request, Repeat.ALWAYS, context.patience)


def _path(asked: Asked) -> str:
    return path_of("v1", "services", asked.service, "read")


def _feature_types(service: Mapping[str, Any]) -> dict[str, pa.DataType | None]:
    return {str(one["name"]): arrow_type(str(one["type"])) for one in service.get("features", ())}


def _table_of(answer: Mapping[str, Any], types: Mapping[str, pa.DataType | None], asked: Asked, count: int) -> pa.Table:
    features = {name: answer_column(values, types.get(name)) for name, values in answer["features"].items()}
    columns: dict[str, pa.Array] = dict(features)
    if asked.statuses:
        told = answer.get("statuses", {})
        for name in features:
            values = pa.array(told.get(name) or ["PRESENT"] * count, pa.string())
            columns[f"{name}__status"] = values.dictionary_encode().cast(STATUS)
    if asked.event_times:
        # A stored view's time; what is computed on demand has none.
        times = answer.get("event_times", {})
        for name in features:
            columns[f"{name}__event_time"] = answer_column(
                times.get(name.split("__", 1)[0]) or [None] * count, TIMESTAMP
            )
    return pa.table(columns)


def _counted(table: pa.Table, count: int) -> pa.Table:
    if table.num_rows != count:
        raise unexpected(f"it has {table.num_rows} rows for {count}")
    return table
