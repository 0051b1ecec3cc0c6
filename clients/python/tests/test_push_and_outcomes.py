"""Pushes and outcomes, of both clients."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from typing import Any

import pandas as pd
import polars as pl
import pytest

import headrace._push
from headrace import Client, DataWarning, InvalidError, NotFoundError, PushDurability, PushResult
from servers import Project

NOW = dt.datetime.now(dt.timezone.utc)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(headrace._push, "_MOST_ROWS", 2)
    yield


def purchases(customer: str, count: int) -> pd.DataFrame:
    times = [NOW - dt.timedelta(minutes=count - number) for number in range(count)]
    return pd.DataFrame(
        {"customer": customer, "amount": [float(number) for number in range(count)], "bought_at": times}
    )


def counted(client: Any, customer: str) -> int:
    (row,) = client.features("numbers", [{"customer": customer, "amount": None}])
    return row["history__purchases_1d"]


class TestPush:
    def test_reads_see_what_was_pushed(self, client: Any) -> None:
        who = uuid.uuid4().hex
        result = client.push("purchases", purchases(who, 5))
        assert (result.accepted, result.repeated) == (5, 0)
        assert "history" in result.views
        assert counted(client, who) == 5

    def test_every_form(self, client: Any) -> None:
        who = uuid.uuid4().hex
        frame = purchases(who, 2)
        for rows in (frame, pl.from_pandas(frame), pl.from_pandas(frame).to_arrow(), frame.to_dict("records")):
            assert client.push("purchases", rows).accepted == 2
        assert counted(client, who) == 8

    def test_batches_are_one_result(self, client: Any, small_batches: None) -> None:
        who = uuid.uuid4().hex
        assert client.push("purchases", purchases(who, 5)).accepted == 5
        assert counted(client, who) == 5

    def test_says_what_all_of_it_survives(self, client: Any, small_batches: None) -> None:
        result = client.push("purchases", purchases(uuid.uuid4().hex, 5))
        assert result.durable == PushDurability(disk=True, replicas=0)
        assert client.push("purchases", []).durable is None

    def test_the_least_safe_batch_says_what_a_push_survives(self) -> None:
        def answer(disk: bool, replicas: int) -> dict[str, Any]:
            return {"accepted": 1, "duplicate": False, "views": [], "durable": {"disk": disk, "replicas": replicas}}

        together = headrace._push._summed([answer(True, 1), answer(False, 2)])
        assert together.durable == PushDurability(disk=False, replicas=1)

    def test_tells_what_was_set_apart_and_what_is_warned_of(self, client: Any, small_batches: None) -> None:
        rows = [
            {"customer": uuid.uuid4().hex, "paid": paid, "note": note, "at": NOW}
            for paid, note in [(1.0, "a"), (-1.0, "b"), (2.0, None), (3.0, None), (101.0, "c"), (4.0, None)]
        ]
        key = uuid.uuid4().hex
        first = client.push("payments", rows, idempotency_key=key)
        assert (first.accepted, first.repeated, first.quarantined) == (4, 0, 2)
        assert first.warnings == {"notNull(note)": 3}
        again = client.push("payments", rows, idempotency_key=key)
        assert (again.accepted, again.repeated, again.quarantined) == (4, 4, 2)
        assert client.push("payments", rows[:1]).quarantined == 0

    def test_the_same_under_a_key_counts_once(self, client: Any, small_batches: None) -> None:
        who = uuid.uuid4().hex
        first = client.push("purchases", purchases(who, 5), idempotency_key=f"load-{who}")
        again = client.push("purchases", purchases(who, 5), idempotency_key=f"load-{who}")
        assert (first.accepted, first.repeated) == (5, 0)
        assert (again.accepted, again.repeated) == (5, 5)
        assert counted(client, who) == 5

    def test_other_rows_under_a_key_are_refused(self, client: Any) -> None:
        who = uuid.uuid4().hex
        client.push("purchases", purchases(who, 2), idempotency_key=who)
        with pytest.raises(InvalidError) as caught:
            client.push("purchases", purchases(f"{who}x", 2), idempotency_key=who)
        assert caught.value.code == "HR_IDEMPOTENCY"

    def test_a_key_of_no_text_is_refused(self, client: Any) -> None:
        for key in ("", "a b", "å", "x" * 201, "a\r\nX: b"):
            with pytest.raises(InvalidError, match="idempotency_key"):
                client.push("purchases", [], idempotency_key=key)

    def test_what_was_accepted_before_a_failure_is_told(self, client: Any, small_batches: None) -> None:
        who = uuid.uuid4().hex
        rows = purchases(who, 5).to_dict("records")
        rows[3]["amount"] = "much"
        with pytest.raises(InvalidError) as caught:
            client.push("purchases", rows)
        assert caught.value.rows == [3]
        assert caught.value.rows_done == 2
        assert counted(client, who) == 2

    def test_what_is_expected_of_rows_and_not_so_is_told(self, client: Any, small_batches: None) -> None:
        rows = [
            {"customer": "ada", "celsius": celsius, "unit": unit, "at": NOW}
            for celsius, unit in [(20.0, "C"), (200.0, "C"), (21.0, None), (-300.0, "C"), (22.0, "F")]
        ]
        with pytest.warns(DataWarning) as caught:
            result = client.push("readings", rows)
        assert (result.accepted, result.quarantined) == (3, 2)
        assert result.warnings == {"notNull(unit)": 1, "oneOf(unit, C)": 1}
        (warned,) = caught
        assert str(warned.message).splitlines() == [
            'pushed rows are not what is expected of source "readings":',
            "  2 set apart, which count in no feature",
            "  notNull(unit): 1 taken all the same",
            "  oneOf(unit, C): 1 taken all the same",
        ]

    def test_a_warning_names_the_line_that_pushed(self, plain_client: Client) -> None:
        with pytest.warns(DataWarning) as caught:
            plain_client.push("readings", [{"customer": "ada", "celsius": 99.0, "unit": "C", "at": NOW}])
        assert caught[0].filename == __file__

    def test_no_rows(self, client: Any) -> None:
        assert client.push("purchases", []) == PushResult(0, 0, {})

    def test_an_unknown_source(self, client: Any) -> None:
        with pytest.raises(NotFoundError, match="HR_UNKNOWN_SOURCE"):
            client.push("purchase", [{"customer": "ada"}])


class TestOutcomes:
    def test_are_in_the_log(self, client: Any, project: Project) -> None:
        asked = pd.DataFrame({"customer": ["ada", "ada", "ada"], "amount": 1.0})
        client.push("purchases", purchases("ada", 1))
        predictions = client.predict("checkout", asked)
        told = predictions[["prediction_id"]].assign(value=[True, False, True])
        assert client.outcomes("checkout", told).accepted == 3
        assert client.outcomes("checkout", told).accepted == 3  # again changes nothing

    def test_every_kind_of_value_and_a_time(self, client: Any) -> None:
        (one,) = client.predict("checkout", [{"customer": "ada", "amount": 1.0}])
        for value in (1, 0.5, False, "returned", None):
            told = [{"prediction_id": one["prediction_id"], "value": value, "observed_at": NOW}]
            assert client.outcomes("checkout", told).accepted == 1

    def test_a_time_that_is_missing_is_the_arrival(self, client: Any) -> None:
        (one,) = client.predict("checkout", [{"customer": "ada", "amount": 1.0}])
        told = pd.DataFrame({"prediction_id": [one["prediction_id"]], "value": [1], "observed_at": [pd.NaT]})
        assert client.outcomes("checkout", told).accepted == 1

    def test_a_value_that_was_forgotten_is_no_null(self, client: Any) -> None:
        with pytest.raises(InvalidError) as caught:
            client.outcomes("checkout", [{"prediction_id": "a"}])
        assert caught.value.rows == [0]

    def test_batches(self, client: Any, small_batches: None) -> None:
        told = [{"prediction_id": f"unknown-{number}", "value": number} for number in range(5)]
        assert client.outcomes("checkout", told).accepted == 5


def test_a_plain_client_is_closed_once(project: Project, server: Any) -> None:
    with Client(server.url) as client:
        client.features("echo", [{"s": "a"}])
    with pytest.raises(RuntimeError):
        client.features("echo", [{"s": "a"}])
