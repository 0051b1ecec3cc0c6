"""pandas DataFrames → Arrow and back.

- A **named index** is data: its levels are sent as columns, as ``reset_index()`` would have it. An index without a name (the
  default one, or what ``df[df.x > 1]`` leaves) is not sent. Either way the answer has the index of what was asked.
- **Missing** is what pandas calls missing: None, NaN, NA and NaT are null, in every dtype.
- Whole numbers, booleans: numpy's dtypes where nothing is missing, else ``Int64`` and the like, so that no digit is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from ..errors import invalid
from .object_column import object_column
from .wire_types import refuse_duplicates, unsent

if TYPE_CHECKING:
    import pandas as pd

_FAST = {
    "string": pa.string(),
    "boolean": pa.bool_(),
    "bytes": pa.binary(),
    "integer": pa.int64(),
    "floating": pa.float64(),
    "mixed-integer-float": pa.float64(),
}


def pandas_table(frame: pd.DataFrame, path: str) -> pa.Table:
    """The index's named levels, then the columns, of whatever Arrow types they have. Raises InvalidError."""
    columns = pandas_columns(frame)
    names = list(columns)
    return pa.table([_array(series, name, path) for name, series in columns.items()], names=names)


def pandas_columns(frame: pd.DataFrame) -> dict[str, pd.Series[Any]]:
    """What is sent of a frame, by name. Raises InvalidError where names are no text, are doubled, or have several levels."""
    if frame.columns.nlevels > 1:
        raise invalid(
            f"the columns have {frame.columns.nlevels} levels; one name a column is sent. "
            'Join them: df.columns = ["_".join(map(str, names)) for names in df.columns].'
        )
    labels = list(frame.columns)
    for label in labels:
        if not isinstance(label, str):
            raise invalid(f"column names are text; got {label!r}, a {type(label).__name__}.")
    refuse_duplicates(labels)
    columns: dict[str, pd.Series[Any]] = {}
    for level, label in enumerate(frame.index.names):
        if label is None:
            continue
        if not isinstance(label, str):
            raise invalid(f"the index's name is {label!r}; one that is sent as a column is text. Name it, or reset it.")
        if label in labels or label in columns:
            raise invalid(
                f'both the index and a column are named "{label}"; which is meant? '
                "Drop one: df.reset_index(drop=True), or df.drop(columns=…)."
            )
        columns[label] = frame.index.get_level_values(level).to_series(index=frame.index)
    for at, label in enumerate(labels):
        columns[label] = frame.iloc[:, at]
    return columns


def to_frame(table: pa.Table, index: pd.Index[Any] | None) -> pd.DataFrame:
    """A table as a frame; see the top for its dtypes. ``index`` is put on it, row by row."""
    import pandas as pd

    nullable = {pa.int8(): pd.Int8Dtype(), pa.int16(): pd.Int16Dtype(), pa.int32(): pd.Int32Dtype()}
    nullable |= {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    nullable |= {pa.uint8(): pd.UInt8Dtype(), pa.uint16(): pd.UInt16Dtype()}
    nullable |= {pa.uint32(): pd.UInt32Dtype(), pa.uint64(): pd.UInt64Dtype()}
    names = table.column_names
    apart = [at for at, column in enumerate(table.columns) if column.type in nullable and column.null_count > 0]
    rest = table.select([at for at in range(len(names)) if at not in apart]).replace_schema_metadata(None)
    frame: pd.DataFrame = rest.unify_dictionaries().to_pandas()
    if rest.num_columns == 0:
        frame = pd.DataFrame(index=pd.RangeIndex(table.num_rows))
    for at in apart:
        column = table.column(at)
        frame.insert(at, names[at], pd.Series(nullable[column.type].__from_arrow__(column)))
    if index is not None:
        frame.index = index
    return frame


def _array(series: pd.Series[Any], name: str, path: str) -> pa.ChunkedArray:
    import pandas as pd

    dtype = series.dtype
    if dtype == object:
        return _chunked(_objects(series, name, path))
    if isinstance(dtype, pd.CategoricalDtype) and dtype.categories.dtype == object:
        # Categories may be anything; each is checked, and the codes are numbers.
        categories = object_column(dtype.categories, name, path)
        codes = pa.array(series.cat.codes.to_numpy(), pa.int32(), mask=series.isna().to_numpy())
        return _chunked(categories.take(codes) if len(categories) else pa.nulls(len(series)))
    if isinstance(dtype, pd.SparseDtype):
        series = series.sparse.to_dense()
    try:
        array = _chunked(pa.Array.from_pandas(series))
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise unsent(name, f"is of dtype {dtype}, which Headrace has no type for") from error
    if pa.types.is_floating(array.type) and not hasattr(dtype, "numpy_dtype"):
        return array
    # Of a nullable dtype, which may hold NaN beside NA.
    return pc.if_else(pc.is_nan(array), None, array) if pa.types.is_floating(array.type) else array


def _objects(series: pd.Series[Any], name: str, path: str) -> pa.Array:
    import pandas as pd

    quick = _FAST.get(pd.api.types.infer_dtype(series, skipna=True))
    if quick is not None:
        try:
            return pa.array(series, quick, from_pandas=True)
        except (pa.ArrowException, OverflowError, ValueError, TypeError):
            pass  # told below, with its row
    return object_column(series, name, path)


def _chunked(array: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
