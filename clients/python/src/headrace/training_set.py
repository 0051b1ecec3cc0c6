"""A training set that was made: its rows in any form, and what the server knows of how it was made."""

from __future__ import annotations

import os
import shutil
import weakref
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from ._download import remove
from ._html import training_set_html
from ._spine import SpineFrame
from .data_checks import BrokenRule, broken_rules
from .frames.pandas_frame import to_frame

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


class TrainingSet:
    """One row per row of the spine, in its order: the spine's columns first, then the features by full name.

    The rows lie in a temporary file, which goes with this object; ``save`` keeps them.
    """

    def __init__(self, record: dict[str, Any], path: str, frame: SpineFrame | None = None) -> None:
        #: What ``headrace training-set show --json`` prints: sources with their checksums, hashes, times, …
        self.record = record
        self._path = path
        self._frame = frame
        self._finalizer = weakref.finalize(self, remove, path)

    @property
    def id(self) -> str:
        """By which the server and ``headrace training-set`` know it: it follows from definitions, sources, spine and request."""
        return str(self.record["id"])

    @property
    def name(self) -> str | None:
        """The name that it was given."""
        return self.record.get("name")

    @property
    def service(self) -> str:
        """The feature service."""
        return str(self.record["service"])

    @property
    def rows(self) -> int:
        """How many."""
        return int(self.record["rows"])

    @property
    def features(self) -> list[str]:
        """Full names of the feature columns: ``frame[training.features]`` is what a model is fitted to."""
        return list(self.record["features"])

    @property
    def labels(self) -> list[str]:
        """Names of the label columns."""
        return list(self.record.get("labels") or ())

    @property
    def profile(self) -> dict[str, dict[str, Any]]:
        """What the server counted of each feature, by full name: type, share of nulls, and more where it keeps more."""
        return {str(one["name"]): dict(one) for one in self.record.get("feature_profiles") or ()}

    @property
    def broken_rules(self) -> list[BrokenRule]:
        """What is expected of its sources and views (``expect``) and was not so when it was made."""
        return broken_rules(self.record)

    @property
    def unshipped(self) -> dict[int, int]:
        """Writers that did not ship what was pushed to them, so that it is not in the set: by number, how many events wait there."""
        return {int(one["writer"]): int(one["events"]) for one in self.record.get("unshipped") or ()}

    def to_arrow(self) -> pa.Table:
        """The rows as a pyarrow Table. Types: docs/reference/types.md."""
        return pq.read_table(self._path, memory_map=True).replace_schema_metadata(None)

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a DataFrame.

        Of a pandas spine it has the index and, in its columns, the dtypes. Features: whole numbers and booleans are numpy's where
        nothing is missing, else ``Int64`` and ``boolean``; times are aware, in UTC. Raises ImportError without pandas.
        """
        table = self.to_arrow()
        if self._frame is None:
            return to_frame(table, None)
        kept = [name for name in table.column_names if name not in self._frame.levels]
        frame = to_frame(table.select(kept), self._frame.index)
        for name in kept:
            dtype = self._frame.dtypes.get(name)
            if dtype is not None and frame[name].dtype != dtype:
                frame[name] = _as_given(frame[name], dtype)
        return frame

    def to_polars(self) -> pl.DataFrame:
        """The rows as a polars DataFrame. Raises ImportError without polars."""
        import polars

        frame = polars.from_arrow(self.to_arrow())
        assert isinstance(frame, polars.DataFrame)  # of a table it makes no Series
        return frame

    def save(self, path: str | os.PathLike[str]) -> None:
        """Copies the Parquet file, byte for byte as the server has it."""
        shutil.copyfile(self._path, path)

    def __len__(self) -> int:
        return self.rows

    def __repr__(self) -> str:
        name = "" if self.name is None else f" {self.name!r}"
        count = len(self.broken_rules)
        broken = "" if count == 0 else f", {count} rule{'' if count == 1 else 's'} broken"
        said = f"{self.rows:,} rows × {len(self.features)} features of {self.service!r}{broken}"
        return f"<TrainingSet {self.id}{name}: {said}>"

    def _repr_html_(self) -> str:
        return training_set_html(self, _head(self._path))


def _head(path: str, rows: int = 5) -> pa.Table:
    for batch in pq.ParquetFile(path).iter_batches(batch_size=rows):
        return pa.Table.from_batches([batch])
    return pq.read_table(path)


def _as_given(column: pd.Series[Any], dtype: Any) -> pd.Series[Any]:
    """A column of the spine in the dtype that it was given in; as it is, where that can't be (an object column)."""
    import pandas as pd

    if dtype == object:
        return column
    try:
        if isinstance(dtype, pd.DatetimeTZDtype):
            return column.dt.tz_convert(dtype.tz).astype(dtype)
        if getattr(dtype, "kind", "") == "M" and isinstance(column.dtype, pd.DatetimeTZDtype):
            return column.dt.tz_localize(None).astype(dtype)
        return column.astype(dtype)
    except (TypeError, ValueError, AttributeError):
        return column
