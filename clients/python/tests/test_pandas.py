"""DataFrames as they are: what the server understood of each is read back from a service that answers what it was asked."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headrace import Client, InvalidError

UTC = "UTC"


def echo(client: Client, **columns: Any) -> pd.DataFrame:
    """What the server understood, under the names that were sent."""
    frame = pd.DataFrame({name: values for name, values in columns.items()})
    return told(client, frame)


def told(client: Client, frame: pd.DataFrame) -> pd.DataFrame:
    answer = client.features("echo", frame)
    return answer.rename(columns=lambda name: name.removeprefix("echoed__"))


def values(series: pd.Series) -> list[Any]:
    return [None if pd.isna(value) else value for value in series]


def refused(client: Client, frame: pd.DataFrame) -> InvalidError:
    with pytest.raises(InvalidError) as caught:
        client.features("echo", frame)
    assert caught.value.code == "HR_INVALID"
    return caught.value


class TestTheIndex:
    def test_an_index_without_a_name_is_not_sent_and_is_on_the_answer(self, plain_client: Client) -> None:
        frame = pd.DataFrame({"s": ["a", "b", "c"]}, index=[7, 7, 3])
        answer = told(plain_client, frame)
        assert answer.index.equals(frame.index)
        assert values(answer["s"]) == ["a", "b", "c"]

    def test_the_index_of_a_selection_is_kept(self, plain_client: Client) -> None:
        frame = pd.DataFrame({"s": ["a", "b", "c"], "l": [1, 2, 3]})
        answer = told(plain_client, frame[frame.l > 1])
        assert list(answer.index) == [1, 2]
        assert frame.join(answer["s"].rename("back"))["back"].isna().tolist() == [True, False, False]

    def test_an_index_with_a_name_is_a_column_of_that_name(self, plain_client: Client) -> None:
        frame = pd.DataFrame({"l": [1, 2]}, index=pd.Index(["a", "b"], name="s"))
        answer = told(plain_client, frame)
        assert values(answer["s"]) == ["a", "b"]
        assert answer.index.name == "s"

    def test_named_levels_of_an_index_are_columns(self, plain_client: Client) -> None:
        index = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["s", "l"])
        answer = told(plain_client, pd.DataFrame({"d": [0.5, 1.5]}, index=index))
        assert values(answer["s"]) == ["a", "b"]
        assert values(answer["l"]) == [1, 2]
        assert answer.index.equals(index)

    def test_an_index_and_a_column_of_one_name_are_refused(self, plain_client: Client) -> None:
        frame = pd.DataFrame({"s": ["a"]}, index=pd.Index(["b"], name="s"))
        assert 'both the index and a column are named "s"' in refused(plain_client, frame).message

    def test_a_time_index(self, plain_client: Client) -> None:
        index = pd.date_range("2026-01-01", periods=2, freq="h", tz="Europe/Vienna", name="at")
        answer = told(plain_client, pd.DataFrame({"l": [1, 2]}, index=index))
        assert list(answer["at"]) == list(index.tz_convert(UTC))


class TestTimes:
    def test_an_aware_time_is_converted_to_utc(self, plain_client: Client) -> None:
        answer = echo(plain_client, at=pd.to_datetime(["2026-07-01 12:00"]).tz_localize("America/New_York"))
        assert values(answer["at"]) == [pd.Timestamp("2026-07-01 16:00", tz=UTC)]

    def test_a_naive_time_is_utc(self, plain_client: Client) -> None:
        answer = echo(plain_client, at=pd.to_datetime(["2026-07-01 12:00"]))
        assert values(answer["at"]) == [pd.Timestamp("2026-07-01 12:00", tz=UTC)]

    def test_nat_is_null(self, plain_client: Client) -> None:
        answer = echo(plain_client, at=pd.Series([pd.NaT, pd.Timestamp("2026-07-01")]))
        assert values(answer["at"]) == [None, pd.Timestamp("2026-07-01", tz=UTC)]

    @pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
    def test_every_unit(self, plain_client: Client, unit: str) -> None:
        answer = echo(plain_client, at=pd.Series(pd.to_datetime(["2026-07-01 12:00:01"])).astype(f"datetime64[{unit}]"))
        assert values(answer["at"]) == [pd.Timestamp("2026-07-01 12:00:01", tz=UTC)]

    def test_nanoseconds_are_refused_with_their_row(self, plain_client: Client) -> None:
        times = np.array(["2026-07-01", "2026-07-01T00:00:00.000000001"], dtype="datetime64[ns]")
        error = refused(plain_client, pd.DataFrame({"at": times}))
        assert 'column "at", row 1' in error.message
        assert "microsecond" in error.message
        assert error.rows == [1]

    def test_times_as_objects_of_several_zones(self, plain_client: Client) -> None:
        vienna = dt.datetime(2026, 7, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=2)))
        naive = dt.datetime(2026, 7, 1, 12)
        answer = echo(plain_client, at=pd.Series([vienna, naive, None, pd.NaT], dtype=object))
        noon = pd.Timestamp("2026-07-01 12:00", tz=UTC)
        assert values(answer["at"]) == [noon - pd.Timedelta(hours=2), noon, None, None]

    def test_a_date_is_its_midnight(self, plain_client: Client) -> None:
        answer = echo(plain_client, at=pd.Series([dt.date(2026, 7, 1), None], dtype=object))
        assert values(answer["at"]) == [pd.Timestamp("2026-07-01", tz=UTC), None]

    def test_dates_and_times_do_not_mix(self, plain_client: Client) -> None:
        frame = pd.DataFrame({"at": pd.Series([dt.date(2026, 7, 1), dt.datetime(2026, 7, 1, 5)], dtype=object)})
        assert "row 1" in refused(plain_client, frame).message


class TestNumbers:
    def test_nullable_ints_keep_all_digits_beside_na(self, plain_client: Client) -> None:
        answer = echo(plain_client, l=pd.array([2**62 + 1, pd.NA, -(2**63)], dtype="Int64"))
        assert answer["l"].dtype == "Int64"
        assert values(answer["l"]) == [2**62 + 1, None, -(2**63)]

    def test_whole_numbers_without_nulls_are_numpys(self, plain_client: Client) -> None:
        answer = echo(plain_client, l=[2**53 + 1], i=[7])
        assert answer["l"].dtype == "int64"
        assert answer["i"].dtype == "int32"
        assert values(answer["l"]) == [2**53 + 1]

    def test_whole_numbers_that_pandas_made_floats(self, plain_client: Client) -> None:
        # One missing value makes a column of ints floats: the server takes whole ones.
        answer = echo(plain_client, l=[1, None, 3])
        assert values(answer["l"]) == [1, None, 3]

    def test_nan_is_null_in_every_dtype(self, plain_client: Client) -> None:
        for column in (
            pd.Series([1.5, np.nan]),
            pd.Series([1.5, np.nan], dtype="Float64"),
            pd.Series([1.5, np.nan], dtype=object),
            pd.Series([1.5, pd.NA], dtype="Float64"),
            pd.Series([1.5, None], dtype="float64[pyarrow]"),
        ):
            assert values(echo(plain_client, d=column)["d"]) == [1.5, None]

    def test_infinities(self, plain_client: Client) -> None:
        assert values(echo(plain_client, d=[np.inf, -np.inf])["d"]) == [np.inf, -np.inf]

    def test_int64s_edges(self, plain_client: Client) -> None:
        edges = [2**63 - 1, -(2**63)]
        assert values(echo(plain_client, l=edges)["l"]) == edges

    @pytest.mark.parametrize("values_", [[1, 2**63], [1, -(2**63) - 1], [1, 2**70]])
    def test_past_int64_is_refused_with_its_row(self, plain_client: Client, values_: list[int]) -> None:
        error = refused(plain_client, pd.DataFrame({"l": pd.Series(values_, dtype=object)}))
        assert f'column "l", row 1: {values_[1]} is past what int64 holds' in error.message

    def test_uint64_past_int64_is_refused(self, plain_client: Client) -> None:
        error = refused(plain_client, pd.DataFrame({"l": np.array([1, 2**64 - 1], dtype="uint64")}))
        assert 'column "l", row 1: 18446744073709551615 is past what int64 holds' in error.message

    @pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
    def test_every_size(self, plain_client: Client, dtype: str) -> None:
        assert values(echo(plain_client, l=np.array([1, 100], dtype=dtype))["l"]) == [1, 100]

    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    def test_every_precision(self, plain_client: Client, dtype: str) -> None:
        assert values(echo(plain_client, d=np.array([0.5, 1.25], dtype=dtype))["d"]) == [0.5, 1.25]

    def test_numpys_scalars_as_objects(self, plain_client: Client) -> None:
        column = pd.Series([np.int64(1), np.float32(2.5), None], dtype=object)
        assert values(echo(plain_client, d=column)["d"]) == [1.0, 2.5, None]

    def test_decimals_are_the_nearest_doubles(self, plain_client: Client) -> None:
        column = pd.Series([Decimal("1.10"), None, Decimal("3")], dtype=object)
        assert values(echo(plain_client, d=column)["d"]) == [1.1, None, 3.0]

    def test_decimals_without_a_fraction_are_whole_numbers(self, plain_client: Client) -> None:
        column = pd.Series([Decimal(2**62 + 1)], dtype=object)
        assert values(echo(plain_client, l=column)["l"]) == [2**62 + 1]

    def test_sparse_columns(self, plain_client: Client) -> None:
        column = pd.Series(pd.arrays.SparseArray([0.0, 0.0, 1.0]))
        assert values(echo(plain_client, d=column)["d"]) == [0.0, 0.0, 1.0]


class TestBooleansTextAndBytes:
    def test_booleans(self, plain_client: Client) -> None:
        answer = echo(plain_client, b=[True, False])
        assert answer["b"].dtype == bool
        assert values(answer["b"]) == [True, False]

    def test_nullable_booleans(self, plain_client: Client) -> None:
        answer = echo(plain_client, b=pd.array([True, pd.NA], dtype="boolean"))
        assert answer["b"].dtype == "boolean"
        assert values(answer["b"]) == [True, None]

    @pytest.mark.parametrize("dtype", [None, "object", "string", "string[pyarrow]", "category"])
    def test_text_of_every_dtype(self, plain_client: Client, dtype: str | None) -> None:
        answer = echo(plain_client, s=pd.Series(["å", None, "…"], dtype=dtype))
        assert values(answer["s"]) == ["å", None, "…"]

    def test_categoricals_of_numbers(self, plain_client: Client) -> None:
        answer = echo(plain_client, l=pd.Series([3, 1, None, 3], dtype="category"))
        assert values(answer["l"]) == [3, 1, None, 3]

    def test_categories_that_nothing_is_of(self, plain_client: Client) -> None:
        answer = echo(plain_client, s=pd.Series(pd.Categorical([None, "b"], categories=["a", "b"])))
        assert values(answer["s"]) == [None, "b"]

    def test_bytes(self, plain_client: Client) -> None:
        assert values(echo(plain_client, y=pd.Series([b"\x00\xff", None], dtype=object))["y"]) == [b"\x00\xff", None]

    def test_lists(self, plain_client: Client) -> None:
        answer = echo(plain_client, tags=pd.Series([["a", "b"], None, [], np.array(["c"], dtype=object)], dtype=object))
        assert [None if one is None else list(one) for one in answer["tags"]] == [["a", "b"], None, [], ["c"]]

    def test_half_a_surrogate_pair_is_refused(self, plain_client: Client) -> None:
        error = refused(plain_client, pd.DataFrame({"s": pd.Series(["a", "\ud800"], dtype=object)}))
        assert 'column "s", row 1' in error.message
        assert "surrogate" in error.message


class TestColumnsThatAreRefused:
    def test_mixed_types_name_the_column_and_the_first_bad_value(self, plain_client: Client) -> None:
        error = refused(plain_client, pd.DataFrame({"s": pd.Series([None, "a", 3, b"x"], dtype=object)}))
        assert error.message == (
            "column \"s\", row 2: 3 is an int, but row 1 holds text: 'a'. A column holds one type."
        )
        assert error.rows == [2]
        assert error.errors[0].path == "rows[2].s"

    @pytest.mark.parametrize(
        "mixed", [["a", b"b"], [True, 1], [1, "a"], [1.5, "a"], [Decimal(1), 1.5], [["a"], "a"]], ids=str
    )
    def test_every_mixture(self, plain_client: Client, mixed: list[Any]) -> None:
        error = refused(plain_client, pd.DataFrame({"s": pd.Series(mixed, dtype=object)}))
        assert 'column "s", row 1' in error.message

    def test_objects_of_no_type(self, plain_client: Client) -> None:
        error = refused(plain_client, pd.DataFrame({"s": pd.Series(["a", {"b": 1}], dtype=object)}))
        assert "column \"s\", row 1: {'b': 1} is of type dict" in error.message

    @pytest.mark.parametrize(
        "column",
        [
            pd.Series(pd.to_timedelta(["1D"])),
            pd.Series(pd.period_range("2020", "2021", freq="Y")),
            pd.Series(pd.interval_range(0, 2)),
            pd.Series(np.array([1j])),
        ],
        ids=["timedelta", "period", "interval", "complex"],
    )
    def test_dtypes_that_headrace_has_no_type_for(self, plain_client: Client, column: pd.Series) -> None:
        error = refused(plain_client, pd.DataFrame({"s": column}))
        assert error.message.startswith('column "s" is of ')

    def test_two_columns_of_one_name(self, plain_client: Client) -> None:
        frame = pd.DataFrame([["a", "b"]], columns=["s", "s"])
        assert refused(plain_client, frame).message == "columns have the same name: s. Rename or drop all but one."

    def test_columns_of_several_levels(self, plain_client: Client) -> None:
        frame = pd.DataFrame([["a"]], columns=pd.MultiIndex.from_tuples([("s", "first")]))
        message = refused(plain_client, frame).message
        assert "2 levels" in message
        assert '"_".join' in message

    def test_a_column_whose_name_is_no_text(self, plain_client: Client) -> None:
        assert "got 0, a int" in refused(plain_client, pd.DataFrame([["a"]])).message


def test_no_rows_give_no_rows_with_the_columns(client: Any) -> None:
    answer = client.features("echo", pd.DataFrame({"s": pd.Series([], dtype=object)}))
    assert len(answer) == 0
    assert "echoed__s" in answer.columns
    assert answer["echoed__l"].dtype == "int64"


def test_a_column_of_nulls_alone(plain_client: Client) -> None:
    answer = echo(plain_client, s=[None, None], l=[1, 2])
    assert values(answer["s"]) == [None, None]
    assert values(answer["l"]) == [1, 2]
