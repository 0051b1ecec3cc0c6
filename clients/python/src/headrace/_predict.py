"""Predictions for rows. One is logged and counted at the server, so it is asked again only where it was not begun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from ._arrow_body import ARROW, JSON, arrow_bytes, goes_as_json, read_arrow
from ._batches import in_batches
from ._context import Context
from ._json_answer import json_object, unexpected
from ._patience import Repeat, ask
from ._steps import Request, Steps, compute
from ._url import path_of
from .errors import HeadraceError
from .frames import Rows, TableRows, read_rows
from .frames.json_answers import answer_column
from .frames.json_rows import json_rows, to_bytes

_PATH = "inputs"
_MOST_ROWS = 1_000
#: What stands beside a prediction's outputs.
_BESIDE = {"prediction_id": pa.string(), "version": pa.int64(), "variant": pa.string()}


def predict(context: Context, endpoint: str, given: object) -> Steps[Any]:
    """Outputs, ``prediction_id``, ``version`` and ``variant``, in the form that the rows came in. Raises HeadraceError."""
    rows: Rows = yield from compute(lambda: read_rows(given, _PATH))
    path = path_of("v1", "endpoints", endpoint, "predict")
    if isinstance(rows, TableRows) and context.wire.takes_arrow:
        try:
            tables = yield from _by_arrow(context, path, rows)
        except HeadraceError as error:
            # What is refused so was not begun.
            if not goes_as_json(error, context.wire):
                raise
            tables = yield from _by_json(context, path, rows)
    else:
        tables = yield from _by_json(context, path, rows)
    table = pa.concat_tables(tables, promote_options="permissive") if tables else _none()
    return (yield from compute(lambda: rows.back(table)))


def _by_arrow(context: Context, path: str, rows: TableRows) -> Steps[list[pa.Table]]:
    def encode(start: int, end: int) -> bytes:
        return arrow_bytes(rows.table.slice(start, end - start))

    def send(body: bytes, start: int, end: int) -> Steps[pa.Table]:
        request = Request("POST", path, {"Content-Type": ARROW, "Accept": ARROW}, (), body)
        answer = yield from ask(request, Repeat.UNLESS_BEGUN, context.patience)
        if ARROW not in answer.headers.get("content-type", ""):
            return _counted(_table_of(json_object(answer).get("predictions", ())), end - start)
        return _counted(read_arrow(answer.content).replace_schema_metadata(None), end - start)

    return (yield from in_batches(rows.count, _MOST_ROWS, encode, send))


def _by_json(context: Context, path: str, rows: Rows) -> Steps[list[pa.Table]]:
    def encode(start: int, end: int) -> bytes:
        return to_bytes({"inputs": json_rows(rows, start, end, _PATH)})

    def send(body: bytes, start: int, end: int) -> Steps[pa.Table]:
        request = Request("POST", path, {"Content-Type": JSON}, (), body)
        answer = yield from ask(request, Repeat.UNLESS_BEGUN, context.patience)
        return _counted(_table_of(json_object(answer).get("predictions", ())), end - start)

    return (yield from in_batches(rows.count, _MOST_ROWS, encode, send))


def _table_of(predictions: Sequence[Mapping[str, Any]]) -> pa.Table:
    names = list(predictions[0]["outputs"]) if predictions else []
    columns = {name: answer_column([one["outputs"][name] for one in predictions], None) for name in names}
    beside = {name: pa.array([one[name] for one in predictions], kind) for name, kind in _BESIDE.items()}
    return pa.table({**columns, **beside})


def _none() -> pa.Table:
    return pa.table({name: pa.array([], kind) for name, kind in _BESIDE.items()})


def _counted(table: pa.Table, count: int) -> pa.Table:
    if table.num_rows != count:
        raise unexpected(f"it has {table.num_rows} predictions for {count} rows")
    return table
