"""Rows as lists of dicts: Python's own values, numpy's and pandas' among them, and back as dicts."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace import Client, InvalidError
from headrace.frames import read_rows
from headrace.frames.json_rows import json_rows

NOON = dt.datetime(2026, 7, 1, 12, tzinfo=dt.timezone.utc)


def echo(client: Client, name: str, *values: Any) -> list[Any]:
    answers = client.features("echo", [{name: value} for value in values])
    return [answer[f"echoed__{name}"] for answer in answers]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("b", np.bool_(True), True),
        ("i", np.int8(3), 3),
        ("l", 2**63 - 1, 2**63 - 1),
        ("l", np.int64(-(2**63)), -(2**63)),
        ("f", np.float32(0.5), 0.5),
        ("d", float("inf"), float("inf")),
        ("d", float("nan"), None),
        ("d", np.float64("nan"), None),
        ("d", Decimal("1.5"), 1.5),
        ("l", Decimal(2**60), 2**60),
        ("s", np.str_("å"), "å"),
        ("s", pd.NA, None),
        ("y", b"\x00\xff", b"\x00\xff"),
        ("y", bytearray(b"a"), b"a"),
        ("at", NOON, NOON),
        ("at", dt.datetime(2026, 7, 1, 12), NOON),
        ("at", dt.datetime(2026, 7, 1, 14, tzinfo=dt.timezone(dt.timedelta(hours=2))), NOON),
        ("at", pd.Timestamp("2026-07-01 12:00", tz="UTC"), NOON),
        ("at", np.datetime64("2026-07-01T12:00:00.000000000"), NOON),
        ("at", pd.NaT, None),
        ("at", np.datetime64("NaT"), None),
        ("at", dt.date(2026, 7, 1), NOON.replace(hour=0)),
        ("at", "2026-07-01T12:00:00Z", NOON),
        ("tags", ["a", "b"], ["a", "b"]),
        ("tags", ("a",), ["a"]),
        ("tags", np.array(["a"]), ["a"]),
    ],
    ids=lambda value: f"{type(value).__name__}",
)
def test_values(plain_client: Client, name: str, value: Any, expected: Any) -> None:
    assert echo(plain_client, name, value) == [expected]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (2**63, 'column "l", row 1: 9223372036854775808 is past what int64 holds'),
        ({"a": 1}, 'column "l", row 1: a value of type dict'),
        ("\ud800", "surrogate"),
        (pd.Timestamp("2026-01-01 00:00:00.000000001"), "finer than a microsecond"),
        (np.datetime64("2026-01-01T00:00:00.000000001"), "finer than a microsecond"),
    ],
    ids=["int", "dict", "surrogate", "Timestamp", "datetime64"],
)
def test_values_that_are_refused(plain_client: Client, value: Any, words: str) -> None:
    with pytest.raises(InvalidError) as caught:
        plain_client.features("echo", [{"l": 1}, {"l": value}])
    assert words in caught.value.message
    assert caught.value.rows == [1]


def test_what_is_no_rows_is_told_what_rows_are(plain_client: Client) -> None:
    for given_ in ({"s": "a"}, "a", 3, ["a"], pd.Series(["a"])):
        with pytest.raises(InvalidError, match="expected"):
            plain_client.features("echo", given_)  # type: ignore[type-var]


def test_names_are_text(plain_client: Client) -> None:
    with pytest.raises(InvalidError, match="names are text; got 1"):
        plain_client.features("echo", [{1: "a"}])  # type: ignore[dict-item]


RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "l": st.none() | st.integers(-(2**63), 2**63 - 1),
            "d": st.none() | st.floats(allow_nan=False, width=32),
            "s": st.none() | st.text(st.characters(codec="utf-8"), max_size=5),
            "b": st.none() | st.booleans(),
            "y": st.none() | st.binary(max_size=4),
            "at": st.none() | st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2250, 1, 1)),
            "tags": st.none() | st.lists(st.none() | st.text(st.characters(codec="utf-8"), max_size=3), max_size=2),
        }
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(RECORDS)
def test_a_frame_of_objects_is_sent_as_its_records_are(records: list[dict[str, Any]]) -> None:
    frame = pd.DataFrame({name: pd.Series([row[name] for row in records], dtype=object) for name in records[0]})
    by_frame = json_rows(read_rows(frame, "rows"), 0, len(records), "rows")
    assert by_frame == json_rows(read_rows(records, "rows"), 0, len(records), "rows")
