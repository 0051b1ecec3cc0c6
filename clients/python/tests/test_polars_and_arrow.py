"""polars frames and Arrow tables: in, and back in the form that came."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from headrace import Client, InvalidError

NOON = dt.datetime(2026, 7, 1, 12, tzinfo=dt.timezone.utc)


def echo(client: Client, column: pl.Series | pa.Array, name: str) -> list[Any]:
    """What the server understood of one column."""
    given = pl.DataFrame({name: column}) if isinstance(column, pl.Series) else pa.table({name: column})
    answer = client.features("echo", given)
    assert type(answer) is type(given)
    found = answer[f"echoed__{name}"]
    return found.to_list() if isinstance(found, pl.Series) else found.to_pylist()


@pytest.mark.parametrize(
    ("name", "column", "expected"),
    [
        ("b", pl.Series([True, None]), [True, None]),
        ("i", pl.Series([1, None], dtype=pl.Int8), [1, None]),
        ("l", pl.Series([2**62 + 1, None]), [2**62 + 1, None]),
        ("l", pl.Series([2**63 - 1], dtype=pl.UInt64), [2**63 - 1]),
        ("f", pl.Series([0.5], dtype=pl.Float32), [0.5]),
        ("d", pl.Series([0.1, None, float("inf")]), [0.1, None, float("inf")]),
        ("d", pl.Series([Decimal("1.10")], dtype=pl.Decimal(10, 2)), [1.1]),
        ("s", pl.Series(["å", None]), ["å", None]),
        ("s", pl.Series(["a", "b"], dtype=pl.Categorical), ["a", "b"]),
        ("s", pl.Series(["a", "b"], dtype=pl.Enum(["b", "a"])), ["a", "b"]),
        ("y", pl.Series([b"\x00", None]), [b"\x00", None]),
        ("at", pl.Series([dt.datetime(2026, 7, 1, 12)], dtype=pl.Datetime("ms")), [NOON]),
        ("at", pl.Series([dt.datetime(2026, 7, 1, 14)]).dt.replace_time_zone("Europe/Vienna"), [NOON]),
        ("at", pl.Series([dt.date(2026, 7, 1), None]), [NOON.replace(hour=0), None]),
        ("tags", pl.Series([["a"], None, []], dtype=pl.List(pl.String)), [["a"], None, []]),
        ("s", pl.Series([None, None]), [None, None]),
    ],
    ids=lambda value: str(value.dtype) if isinstance(value, pl.Series) else "",
)
def test_polars_types(plain_client: Client, name: str, column: pl.Series, expected: list[Any]) -> None:
    assert echo(plain_client, column, name) == expected


def test_nan_is_nan_in_polars_and_arrow(plain_client: Client) -> None:
    # Unlike in pandas, missing is null there, and NaN a value.
    for column in (pl.Series([float("nan"), None]), pa.array([float("nan"), None])):
        first, second = echo(plain_client, column, "d")
        assert first != first
        assert second is None


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pl.Series([2**63], dtype=pl.UInt64), 'column "l", row 0: 9223372036854775808 is past what int64 holds'),
        (pl.Series([dt.timedelta(1)]), 'column "l" is of Arrow type duration'),
        (pl.Series([dt.time(1)]), 'column "l" is of Arrow type time64'),
        (pl.Series([{"a": 1}]), 'column "l" is of Arrow type struct'),
    ],
    ids=["uint64", "duration", "time", "struct"],
)
def test_polars_types_that_are_refused(plain_client: Client, column: pl.Series, words: str) -> None:
    with pytest.raises(InvalidError) as caught:
        plain_client.features("echo", pl.DataFrame({"l": column}))
    assert words in caught.value.message


def test_a_lazy_frame_is_to_be_collected(plain_client: Client) -> None:
    with pytest.raises(InvalidError, match="collect"):
        plain_client.features("echo", pl.DataFrame({"s": ["a"]}).lazy())  # type: ignore[type-var]


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["a", None], pa.large_string()),
        pa.array(["a", None], pa.string_view()),
        pa.array(["a", None]).dictionary_encode(),
        pa.chunked_array([["a"], [None]]),
    ],
    ids=["large", "view", "dictionary", "chunked"],
)
def test_arrow_layouts_of_text(plain_client: Client, column: pa.Array) -> None:
    answer = plain_client.features("echo", pa.table({"s": column}))
    assert answer["echoed__s"].to_pylist() == ["a", None]


def test_a_reader_gives_a_table(plain_client: Client) -> None:
    table = pa.table({"s": ["a", "b"]})
    answer: Any = plain_client.features("echo", table.to_reader(max_chunksize=1))  # type: ignore[type-var]
    assert isinstance(answer, pa.Table)
    assert answer["echoed__s"].to_pylist() == ["a", "b"]


def test_the_types_of_an_answer_are_those_of_the_definitions(plain_client: Client) -> None:
    answer = plain_client.features("echo", pa.table({"s": pa.array([None], pa.string())}))
    types = {field.name.removeprefix("echoed__"): str(field.type) for field in answer.schema}
    assert types == {
        "b": "bool",
        "i": "int32",
        "l": "int64",
        "f": "float",
        "d": "double",
        "s": "string",
        "y": "binary",
        "at": "timestamp[us, tz=UTC]",
        "tags": types["tags"],
    }
    assert types["tags"].startswith("list<")
