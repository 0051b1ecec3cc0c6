"""Rows in any form that users have, as one of two: an Arrow table (frames), or dicts (which stay as they are)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ..errors import InvalidError, invalid
from .pandas_frame import pandas_table, to_frame
from .wire_types import wire_table


@dataclass(frozen=True)
class TableRows:
    """Rows of a frame, in types that are sent. ``back`` makes an answer's table the form that came in."""

    table: pa.Table
    back: Callable[[pa.Table], Any]

    @property
    def count(self) -> int:
        return int(self.table.num_rows)


@dataclass(frozen=True)
class Records:
    """Rows as a list of dicts."""

    records: Sequence[Mapping[str, Any]]

    @property
    def count(self) -> int:
        return len(self.records)

    def back(self, table: pa.Table) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = table.to_pylist()
        return rows


Rows = TableRows | Records

FORMS = "a pandas or polars DataFrame, a pyarrow Table or RecordBatchReader, or a list of dicts"


def read_rows(rows: object, path: str) -> Rows:
    """``path`` is what the server calls the rows: ``rows``, ``inputs``, ``outcomes``. Raises InvalidError."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(rows, pandas.DataFrame):
        index = rows.index
        return TableRows(wire_table(pandas_table(rows, path), path), lambda table: to_frame(table, index))
    table = arrow_table(rows)
    if table is not None:
        return TableRows(wire_table(table, path), _back_of(rows))
    if isinstance(rows, Mapping):
        raise invalid(f"expected {FORMS}; got one {type(rows).__name__}. Put a single row into a list.")
    if isinstance(rows, Sequence) and not isinstance(rows, (str, bytes, bytearray)):
        for at, row in enumerate(rows):
            if not isinstance(row, Mapping):
                raise invalid(f"{path}[{at}]: expected a dict, got {type(row).__name__}.", path=f"{path}[{at}]")
        return Records(rows)
    raise not_rows(rows)


def arrow_table(rows: object) -> pa.Table | None:
    """What is Arrow, polars, or gives itself as Arrow (the PyCapsule interface), as a table; None of anything else."""
    if isinstance(rows, pa.Table):
        return rows
    if isinstance(rows, pa.RecordBatch):
        return pa.Table.from_batches([rows])
    if isinstance(rows, pa.RecordBatchReader):
        return rows.read_all()
    polars = sys.modules.get("polars")
    if polars is not None and isinstance(rows, polars.LazyFrame):
        raise invalid("expected rows, got a LazyFrame; .collect() makes them.")
    if polars is not None and isinstance(rows, polars.DataFrame):
        return rows.to_arrow()
    if hasattr(rows, "__arrow_c_stream__") and not _is_column(rows):
        return pa.RecordBatchReader.from_stream(rows).read_all()
    return None


def not_rows(rows: object) -> InvalidError:
    return invalid(f"expected {FORMS}, got {type(rows).__name__}.")


def _is_column(rows: object) -> bool:
    polars = sys.modules.get("polars")
    pandas = sys.modules.get("pandas")
    return (
        isinstance(rows, (pa.Array, pa.ChunkedArray))
        or (polars is not None and isinstance(rows, polars.Series))
        or (pandas is not None and isinstance(rows, pandas.Series))
    )


def _back_of(rows: object) -> Callable[[pa.Table], Any]:
    polars = sys.modules.get("polars")
    if polars is not None and isinstance(rows, polars.DataFrame):
        return lambda table: polars.from_arrow(table)
    return lambda table: table
