"""Arrow columns of any type → columns of the types that Headrace has, or an error that names column and value.

===================  =====================================================================
what comes           what is sent
===================  =====================================================================
(u)int8, 16          int32
uint32, 64           int64; past its range: an error
float16              float32
decimal              int64 where it has no fraction digits, else float64
string, binary       of any layout: string, binary
timestamp            microseconds, UTC: an aware one is converted, a naive one is UTC. Finer than a microsecond: an error
date                 its midnight, UTC
dictionary           its values
list                 of these types
===================  =====================================================================
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from ..errors import InvalidError, invalid

TIMESTAMP = pa.timestamp("us", tz="UTC")
_MOST_SHOWN = 60


def wire_table(table: pa.Table, path: str) -> pa.Table:
    """Each column as it is sent. ``path`` is what the rows are called in errors (``rows``, ``inputs``). Raises InvalidError."""
    refuse_duplicates(table.column_names)
    names = table.column_names
    columns = [wire_column(table.column(at), name, path) for at, name in enumerate(names)]
    return pa.table(columns, names=names)


def wire_column(column: pa.ChunkedArray, name: str, path: str) -> pa.ChunkedArray:
    """One column as it is sent. Raises InvalidError."""
    kind = _wire_type(column.type)
    if kind is None:
        raise unsent(name, f"is of Arrow type {column.type}, which Headrace has none for")
    if pa.types.is_dictionary(column.type):
        return wire_column(column.cast(column.type.value_type), name, path)
    if kind == column.type:
        return column
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("us"))
    try:
        if pa.types.is_decimal(column.type) and pa.types.is_floating(kind):
            return column.cast(kind, safe=False)  # the nearest double
        return column.cast(kind)
    except pa.ArrowInvalid as error:
        raise _first_bad(column, kind, name, path) from error


def refuse_duplicates(names: list[str]) -> None:
    """Raises InvalidError where two columns have one name."""
    doubled = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if doubled:
        raise invalid(f"columns have the same name: {', '.join(doubled)}. Rename or drop all but one.")


def unsent(column: str, why: str) -> InvalidError:
    """A column that can't be sent."""
    return invalid(f'column "{column}" {why}.', path=column)


def unsent_value(path: str, row: int, column: str, why: str) -> InvalidError:
    """A value that can't be sent, with its row."""
    return invalid(f'column "{column}", row {row}: {why}.', path=f"{path}[{row}].{column}")


def shown(value: object) -> str:
    """A value for an error, cut short."""
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def _wire_type(kind: pa.DataType) -> pa.DataType | None:
    types = pa.types
    if types.is_boolean(kind) or types.is_null(kind):
        return kind
    if types.is_integer(kind):
        return pa.int32() if kind.bit_width < 32 or kind == pa.int32() else pa.int64()
    if types.is_floating(kind):
        return pa.float64() if kind == pa.float64() else pa.float32()
    if types.is_decimal(kind):
        return pa.int64() if kind.scale <= 0 else pa.float64()
    if types.is_string(kind) or types.is_large_string(kind) or kind == pa.string_view():
        return pa.string()
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return pa.binary()
    if types.is_timestamp(kind) or types.is_date(kind):
        return TIMESTAMP
    if types.is_dictionary(kind):
        return _wire_type(kind.value_type)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        item = _wire_type(kind.value_type)
        return None if item is None else pa.list_(item)
    return None


def _first_bad(column: pa.ChunkedArray, kind: pa.DataType, name: str, path: str) -> InvalidError:
    # The cast names no row: the values are tried one by one, from the first on, only now.
    for row, value in enumerate(column):
        try:
            pa.chunked_array([pa.array([value.as_py()], column.type)]).cast(kind) if not _is_nano(column.type) else (
                _refuse_nanos(value)
            )
        except (pa.ArrowInvalid, ValueError):
            return unsent_value(path, row, name, _why(value, column.type, kind))
    return unsent(name, f"of {column.type} cannot be sent as {kind}")


def _is_nano(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) and kind.unit == "ns")


def _refuse_nanos(value: pa.Scalar) -> None:
    if value.is_valid and value.value % 1000 != 0:
        raise ValueError("finer than a microsecond")


def _why(value: pa.Scalar, kind: pa.DataType, wanted: pa.DataType) -> str:
    if _is_nano(kind):
        micros = pc.cast(value, pa.timestamp("us", tz=kind.tz), safe=False)
        return f'{micros} and {value.value % 1000} ns is finer than a microsecond; round it, as pandas\' .dt.floor("us") does'
    if wanted == pa.int64():
        return f"{value} is past what int64 holds"
    return f"{shown(value.as_py())} cannot be sent as {wanted}"
