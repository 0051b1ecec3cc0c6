"""Tables that steps before made, read by whichever library is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Mapping, NamedTuple, Optional, Sequence


class Table(NamedTuple):
    path: Path
    is_csv: bool


KINDS = ("pandas", "polars", "arrow")


def has(module: str) -> bool:
    return find_spec(module) is not None


def installed_kind() -> str:
    """The first of pandas, polars and Arrow that can read Parquet here. Raises ImportError for none."""
    if has("pandas") and (has("pyarrow") or has("fastparquet")):
        return "pandas"
    if has("polars"):
        return "polars"
    if has("pyarrow"):
        return "arrow"
    raise ImportError(
        "step.table(...) reads by pandas (with pyarrow), polars or pyarrow, and none of them is installed: add one to the "
        "step's requirements"
    )


def read_table(table: Table, kind: Optional[str], columns: Optional[Sequence[str]]) -> Any:
    path, is_csv = table
    wanted = installed_kind() if kind is None else kind
    chosen = None if columns is None else list(columns)
    if wanted == "pandas":
        import pandas

        return pandas.read_csv(path, usecols=chosen) if is_csv else pandas.read_parquet(path, columns=chosen)
    if wanted == "polars":
        import polars

        return polars.read_csv(path, columns=chosen) if is_csv else polars.read_parquet(path, columns=chosen)
    if wanted == "arrow":
        if is_csv:
            from pyarrow import csv

            rows = csv.read_csv(path)
            return rows if chosen is None else rows.select(chosen)
        from pyarrow import parquet

        return parquet.read_table(path, columns=chosen)
    raise ValueError(f"step.table(...) gives {', '.join(KINDS)}, got {wanted!r}")


def table_of(need: Any, name: str, hint: str = "") -> Table:
    """Where the table of a need lies: its `path`, the need itself, or its only Parquet or CSV file."""
    if isinstance(need, str) and _is_table(need):
        return Table(Path(need), _is_csv(need))
    if isinstance(need, Mapping):
        path = need.get("path")
        if isinstance(path, str) and _is_table(path):
            return Table(Path(path), _is_csv(path))
        files = need.get("files")
        held = files.items() if isinstance(files, Mapping) else []
        # Files are kept by their content: only their name in the result says what they are.
        tables = [Table(Path(file["path"]), _is_csv(own)) for own, file in held if _is_table(own)]
        if len(tables) == 1:
            return tables[0]
        if len(tables) > 1:
            raise ValueError(f"{name} has {len(tables)} tables among its files: name one by step.path(...)")
    raise ValueError(
        f"{name} has no table: a training set has one, and a result with a path or file that ends in .parquet or .csv{hint}"
    )


def _is_table(name: str) -> bool:
    return name.lower().endswith((".parquet", ".csv"))


def _is_csv(name: str) -> bool:
    return name.lower().endswith(".csv")
