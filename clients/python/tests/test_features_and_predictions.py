"""Reads and predictions, of both clients: forms, statuses, times, errors that name rows of what was given."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import headrace._predict
import headrace._read_features
from gate import Gate
from headrace import AuthenticationError, Client, InvalidError, NotFoundError
from servers import Server

HOUR = dt.timedelta(hours=1)


@pytest.fixture(scope="session")
def bought(server: Server) -> dt.datetime:
    """Ada bought something an hour ago, for 10; 2^60 + 1 points."""
    at = dt.datetime.now(dt.timezone.utc) - HOUR
    with Client(server.url) as client:
        client.push(
            "purchases",
            [{"customer": "ada", "amount": 10.0, "points": 2**60 + 1, "code": b"\x01", "seen": True, "tags": ["new", None],
              "embedding": [1.0, 2.0, 3.0], "small": 7, "share": 0.5, "bought_at": at}],
        )  # fmt: skip
    return at


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(headrace._read_features, "_MOST_ROWS", 3)
    monkeypatch.setattr(headrace._predict, "_MOST_ROWS", 3)
    yield


class TestFeatures:
    def test_of_dicts_are_dicts(self, client: Any, bought: dt.datetime) -> None:
        ada, bob = client.features(
            "shop_features", [{"customer": "ada", "amount": 3}, {"customer": "bob", "amount": None}]
        )
        assert ada["history__last_points"] == 2**60 + 1
        assert ada["history__last_code"] == b"\x01"
        assert ada["history__last_tags"] == ["new", None]
        assert ada["history__last_embedding"] == [1.0, 2.0, 3.0]
        assert ada["history__last_bought"] == bought
        assert ada["basket__ratio"] == 0.3
        assert bob["history__last_points"] is None
        assert bob["history__purchases_1d"] == 0

    def test_of_a_frame_are_a_frame(self, client: Any, bought: dt.datetime) -> None:
        asked = pd.DataFrame({"customer": ["bob", "ada"], "amount": [1.0, None]}, index=["x", "y"])
        answer = client.features("shop_features", asked)
        assert list(answer.index) == ["x", "y"]
        assert answer["history__last_points"].dtype == "Int64"
        assert answer.loc["y", "history__last_points"] == 2**60 + 1
        assert answer.loc["y", "history__last_bought"] == pd.Timestamp(bought)
        assert list(answer.columns)[0] == "history__last_points"

    def test_of_polars_and_arrow(self, client: Any, bought: dt.datetime) -> None:
        asked = pl.DataFrame({"customer": ["ada"], "amount": [1.0]})
        assert client.features("shop_features", asked)["history__last_small"].to_list() == [7]
        assert client.features("shop_features", asked.to_arrow())["history__last_small"].to_pylist() == [7]

    @pytest.mark.parametrize("form", [pd.DataFrame, pl.DataFrame, pa.table])
    def test_statuses_and_event_times_stand_behind(
        self, client: Any, bought: dt.datetime, form: Callable[..., Any]
    ) -> None:
        asked = form({"customer": ["ada", "bob"], "amount": [1.0, 2.0]})
        answer = client.features("shop_features", asked, statuses=True, event_times=True)
        rows = (
            answer.to_arrow().to_pylist()
            if isinstance(answer, pl.DataFrame)
            else (pa.Table.from_pandas(answer).to_pylist() if isinstance(answer, pd.DataFrame) else answer.to_pylist())
        )
        assert [row["history__last_points__status"] for row in rows] == ["PRESENT", "NOT_FOUND"]
        assert [row["history__purchases_1d__status"] for row in rows][0] == "PRESENT"
        assert [row["history__last_points__event_time"] for row in rows] == [bought, None]
        assert [row["basket__ratio__event_time"] for row in rows] == [None, None]

    def test_int64_keys_keep_all_digits(self, client: Any) -> None:
        accounts = [2**53, 2**53 + 1, 2**63 - 1]
        at = dt.datetime.now(dt.timezone.utc) - HOUR
        client.push("transfers", pd.DataFrame({"account": accounts, "cents": [1, 2, 2**62 + 1], "at": at}))
        answer = client.features("accounts", pd.DataFrame({"account": accounts}))
        assert answer["balances__last_cents"].tolist() == [1, 2, 2**62 + 1]

    def test_batches_are_one_answer(self, client: Any, small_batches: None) -> None:
        asked = pd.DataFrame({"l": range(10)})
        assert client.features("echo", asked)["echoed__l"].tolist() == list(range(10))
        rows = client.features("echo", [{"l": number} for number in range(10)])
        assert [row["echoed__l"] for row in rows] == list(range(10))

    @pytest.mark.parametrize(
        "form", [pd.DataFrame, lambda columns: [{"l": one} for one in columns["l"]]], ids=["frame", "dicts"]
    )
    def test_an_error_names_rows_of_what_was_given(
        self, client: Any, small_batches: None, form: Callable[..., Any]
    ) -> None:
        with pytest.raises(InvalidError) as caught:
            client.features("echo", form({"l": ["1", "2", "3", "4", "x", "5", "y"]}))
        error = caught.value
        assert error.code == "HR_INVALID"
        assert error.status == 400
        assert error.rows == [4]
        assert error.errors[0].path == "rows[4].l"
        assert "rows[4].l: expected int64, got" in error.message
        assert error.rows_done == 3
        assert error.request_id

    def test_an_unknown_service(self, client: Any) -> None:
        with pytest.raises(NotFoundError) as caught:
            client.features("shop_featurs", [{"customer": "ada"}])
        assert caught.value.code == "HR_UNKNOWN_SERVICE"
        assert "shop_features" in str(caught.value)
        assert isinstance(caught.value, LookupError)

    def test_names_are_quoted(self, client: Any) -> None:
        with pytest.raises(NotFoundError) as caught:
            client.features("a/../b?c", [{"customer": "ada"}])
        assert caught.value.code == "HR_UNKNOWN_SERVICE"


class TestPredictions:
    def test_of_dicts(self, client: Any, bought: dt.datetime) -> None:
        (row,) = client.predict("checkout", [{"customer": "ada", "amount": 3}])
        assert set(row) == {"probability", "prediction_id", "version", "variant"}
        assert (row["probability"], row["version"], row["variant"]) == (0.25, 1, "stable")

    def test_of_a_frame(self, client: Any, bought: dt.datetime) -> None:
        answer = client.predict(
            "checkout", pd.DataFrame({"customer": ["ada", "ada"], "amount": [1.0, 2.0]}, index=[3, 9])
        )
        assert list(answer.index) == [3, 9]
        assert answer["probability"].tolist() == [0.25, 0.25]
        assert answer["version"].tolist() == [1, 1]
        assert answer["prediction_id"].nunique() == 2

    def test_of_polars_and_arrow(self, client: Any, bought: dt.datetime) -> None:
        asked = pl.DataFrame({"customer": ["ada"], "amount": [1.0]})
        assert client.predict("checkout", asked)["probability"].to_list() == [0.25]
        assert client.predict("checkout", asked.to_arrow())["probability"].to_pylist() == [0.25]

    def test_batches_are_one_answer(self, client: Any, small_batches: None, bought: dt.datetime) -> None:
        answer = client.predict("checkout", pd.DataFrame({"customer": ["ada"] * 10, "amount": 1.0}))
        assert len(answer) == 10
        assert answer["prediction_id"].nunique() == 10

    def test_no_rows(self, client: Any) -> None:
        answer = client.predict("checkout", pd.DataFrame({"customer": pd.Series([], dtype=object)}))
        assert len(answer) == 0
        assert client.predict("checkout", []) == []

    def test_a_missing_column_is_told_by_its_name(self, client: Any) -> None:
        with pytest.raises(InvalidError) as caught:
            client.predict("checkout", pd.DataFrame({"amount": [1.0]}))
        assert caught.value.errors[0].path == "inputs[0].customer"

    def test_an_unknown_endpoint(self, client: Any) -> None:
        with pytest.raises(NotFoundError, match="HR_UNKNOWN_ENDPOINT"):
            client.predict("chekout", [{"customer": "ada"}])


def test_a_key_is_needed_where_there_are_keys(project: Any, tmp_path: Any, make_client: Callable[..., Any]) -> None:
    own = project.copy(tmp_path)
    key = own.headrace("keys", "create", "notebook", "--role", "read")["key"]
    with own.serve() as server:
        with pytest.raises(AuthenticationError) as caught:
            make_client(server.url).features("echo", [{"s": "a"}])
        assert (caught.value.code, caught.value.status) == ("HR_UNAUTHENTICATED", 401)
        assert make_client(server.url, key).features("echo", [{"s": "a"}])[0]["echoed__s"] == "a"
        with pytest.raises(headrace.ForbiddenError) as refused:
            make_client(server.url, key).predict("checkout", [{"customer": "ada"}])
        assert refused.value.code == "HR_FORBIDDEN"
        assert key not in str(refused.value)


class TestTheWire:
    """Whether Arrow or JSON went over it, seen from between."""

    @pytest.fixture
    def takes_arrow(self, server: Server) -> bool:
        headers = {"content-type": "application/vnd.apache.arrow.stream"}
        return httpx.post(f"{server.url}/v1/services/echo/read", headers=headers, content=b"").status_code != 415

    def test_frames_go_as_arrow_where_the_server_has_it(
        self, make_client: Callable[..., Any], gate: Gate, takes_arrow: bool, bought: dt.datetime
    ) -> None:
        client = make_client(gate.url)
        asked = pd.DataFrame({"customer": ["ada"], "amount": [1.0]})
        client.features("shop_features", asked)
        client.predict("checkout", asked)
        assert bytes(gate.sent).lower().count(b"content-type: application/json") == (0 if takes_arrow else 2)
        # An older server is asked once.
        assert bytes(gate.sent).lower().count(b"content-type: application/vnd.apache.arrow.stream") == (
            2 if takes_arrow else 1
        )

    def test_columns_that_arrow_refuses_go_as_json(self, make_client: Callable[..., Any], gate: Gate) -> None:
        client = make_client(gate.url)
        asked = pd.DataFrame({"at": ["2026-07-01T12:00:00Z"], "l": ["9007199254740993"]})
        answer = client.features("echo", asked)
        assert answer["echoed__at"].tolist() == [pd.Timestamp("2026-07-01 12:00", tz="UTC")]
        assert answer["echoed__l"].tolist() == [2**53 + 1]
        assert b"content-type: application/json" in bytes(gate.sent).lower()

    def test_both_give_the_same(self, server: Server, make_client: Callable[..., Any], bought: dt.datetime) -> None:
        client, older = make_client(server.url), make_client(server.url)
        inner = getattr(older, "_client", older)
        inner._context.wire.takes_arrow = False
        asked = pa.table({"customer": ["ada", "bob"], "amount": [1.0, None]})
        one, other = (
            each.features("shop_features", asked, statuses=True, event_times=True) for each in (client, older)
        )
        assert one.column_names == other.column_names
        for name in one.column_names:
            assert one[name].to_pylist() == other[name].to_pylist(), name
