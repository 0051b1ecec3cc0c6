"""What is sent again and what is not, through a door that cuts connections before a server that really answers."""

from __future__ import annotations

import datetime as dt
import re
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from gate import Cut, Gate
from headrace import (
    Client,
    DeadlineError,
    HeadraceError,
    OverloadedError,
    TooLargeError,
    UnavailableError,
    UnreachableError,
)
from headrace._patience import Patience, Repeat, ask, may_repeat
from headrace._steps import Request, Response, Send, Sleep
from servers import Project, Server

ASKED = [{"customer": "ada", "amount": 1.0}]


def logged(server: Server) -> float:
    """Predictions that the server has answered."""
    found = re.findall(r"^headrace_predictions_total\{[^}]*\} (\d+)", httpx.get(f"{server.url}/metrics").text, re.M)
    return sum(float(one) for one in found)


class TestConnectionsThatAreCut:
    def test_a_read_is_sent_again(self, make_client: Callable[..., Any], gate: Gate) -> None:
        gate.cuts.extend([Cut(), Cut(50)])
        assert make_client(gate.url).features("echo", [{"s": "a"}])[0]["echoed__s"] == "a"
        assert gate.connections >= 3

    def test_a_prediction_is_not(self, make_client: Callable[..., Any], gate: Gate) -> None:
        gate.cuts.append(Cut())
        with pytest.raises(UnreachableError) as caught:
            make_client(gate.url).predict("checkout", ASKED)
        assert caught.value.code == "HR_CONNECTION_LOST"
        assert gate.requests("POST /v1/endpoints/checkout/predict") == 1

    def test_a_push_is_sent_again_under_its_key_and_counts_once(
        self, make_client: Callable[..., Any], gate: Gate
    ) -> None:
        client = make_client(gate.url)
        who = uuid.uuid4().hex
        row = {"customer": who, "amount": 1.0, "bought_at": dt.datetime.now(dt.timezone.utc)}
        gate.cuts.append(Cut())
        result = client.push("purchases", [row])
        assert (result.accepted, result.repeated) == (1, 1)
        keys = re.findall(rb"(?i)idempotency-key: (\S+)", bytes(gate.sent))
        assert len(keys) == 2
        assert keys[0] == keys[1]
        assert client.features("numbers", [{"customer": who, "amount": 1.0}])[0]["history__purchases_1d"] == 1

    def test_outcomes_are_sent_again(self, make_client: Callable[..., Any], gate: Gate) -> None:
        gate.cuts.append(Cut())
        told = [{"prediction_id": "a", "value": 1}]
        assert make_client(gate.url).outcomes("checkout", told).accepted == 1
        assert gate.requests("POST /v1/endpoints/checkout/outcomes") == 2

    def test_no_more_often_than_it_was_told(self, make_client: Callable[..., Any], gate: Gate) -> None:
        gate.cuts.extend([Cut()] * 9)
        with pytest.raises(UnreachableError):
            make_client(gate.url, retries=2).outcomes("checkout", [{"prediction_id": "a", "value": 1}])
        assert gate.requests("POST /v1/endpoints/checkout/outcomes") == 3


class TestServersThatAreAway:
    def test_is_told_with_a_code(self, make_client: Callable[..., Any], gate: Gate) -> None:
        gate.shut()
        for call in (
            lambda client: client.features("echo", [{"s": "a"}]),
            lambda client: client.predict("checkout", ASKED),
            lambda client: client.push("purchases", ASKED),
        ):
            with pytest.raises(UnreachableError) as caught:
                call(make_client(gate.url, retries=1))
            assert caught.value.code == "HR_UNREACHABLE"
            assert caught.value.status is None
            assert gate.url in caught.value.message
            assert isinstance(caught.value, ConnectionError)

    def test_a_prediction_waits_for_a_server_that_starts(self, gate: Gate) -> None:
        import threading

        gate.shut()
        threading.Timer(0.3, gate.reopen).start()
        with Client(gate.url, retries=20) as client:
            assert client.predict("checkout", ASKED)[0]["probability"] == 0.25


class TestWhatTheServerAsksFor:
    def test_429_waits_as_long_as_it_says(
        self, project: Project, tmp_path: Path, make_client: Callable[..., Any]
    ) -> None:
        own = project.copy(tmp_path)
        with own.serve(env={"HEADRACE_SERVER_RATE_LIMIT": "2"}) as server:
            client = make_client(server.url)
            started = time.monotonic()
            for _ in range(4):
                assert client.predict("checkout", ASKED)[0]["probability"] == 0.25
            assert time.monotonic() - started >= 1
            impatient = make_client(server.url, retries=0)
            with pytest.raises(OverloadedError) as caught:
                for _ in range(9):
                    impatient.predict("checkout", ASKED)
            assert (caught.value.code, caught.value.status) == ("HR_OVERLOADED", 429)
            assert caught.value.retry_after is not None and caught.value.retry_after > 0

    def test_503_without_an_end(self, project: Project, tmp_path: Path) -> None:
        own = project.copy(tmp_path)
        own.headrace("endpoints", "list")
        (tmp_path / "feature_repo/more.ts").write_text(
            "import { endpoint, model, t } from 'headrace';\nimport { numbers } from './shop.ts';\n"
            "export const empty = endpoint('empty', { unit: ['customer'],\n"
            "  model: model('nothing_yet', { features: numbers, outputs: { probability: t.float32() } }) });\n"
        )
        own.headrace("apply", "--yes")
        with own.serve() as server, Client(server.url, retries=1) as client:
            started = time.monotonic()
            with pytest.raises(UnavailableError) as caught:
                client.predict("empty", ASKED)
            assert caught.value.code == "HR_MODEL_NOT_READY"
            assert time.monotonic() - started >= 1


class TestTime:
    def test_the_server_is_told_and_its_word_is_taken(self, make_client: Callable[..., Any], gate: Gate) -> None:
        client = make_client(gate.url, timeout=20.0)
        client.features("echo", [{"s": "a"}])
        told = [int(one) for one in re.findall(rb"(?i)x-request-timeout-ms: (\d+)", bytes(gate.sent))]
        assert all(15_000 < one <= 20_000 for one in told)
        with pytest.raises(DeadlineError) as caught:
            make_client(gate.url, timeout=0.0012).predict("checkout", [{"customer": "ada", "amount": 1.0}] * 900)
        assert caught.value.code in ("HR_DEADLINE", "HR_TIMEOUT")

    @pytest.mark.parametrize("timeout", [0, -1, 3601])
    def test_times_that_are_none(self, timeout: float) -> None:
        with pytest.raises(HeadraceError, match="timeout"):
            Client("http://127.0.0.1:1", timeout=timeout)


class TestSizes:
    def test_batches_that_are_too_large_are_halved(
        self, project: Project, tmp_path: Path, make_client: Callable[..., Any]
    ) -> None:
        own = project.copy(tmp_path)
        env = {"HEADRACE_SERVER_MAX_ROWS": "100", "HEADRACE_SERVER_BODY_LIMIT": "5KB"}
        with own.serve(env=env) as server:
            client = make_client(server.url)
            frame = pd.DataFrame({"customer": "ada", "amount": range(730)}, dtype=object)
            assert len(client.features("numbers", frame)) == 730
            assert client.predict("checkout", frame)["prediction_id"].nunique() == 730
            times = [dt.datetime.now(dt.timezone.utc)] * 730
            assert client.push("purchases", frame.assign(bought_at=times)).accepted == 730
            assert (
                client.outcomes("checkout", [{"prediction_id": str(n), "value": n} for n in range(730)]).accepted == 730
            )

    def test_a_row_that_is_too_large_is_named(self, project: Project, tmp_path: Path) -> None:
        own = project.copy(tmp_path)
        with own.serve(env={"HEADRACE_SERVER_BODY_LIMIT": "5KB"}) as server, Client(server.url) as client:
            with pytest.raises(TooLargeError) as caught:
                client.features("echo", [{"s": "a"}, {"s": "a" * 9_000}, {"s": "b"}])
            assert caught.value.code == "HR_TOO_LARGE"
            assert caught.value.rows_done == 1


def failure(status: int | None, code: str = "HR_X", retry_after: float | None = None) -> HeadraceError:
    return HeadraceError("x", code=code, status=status, retry_after=retry_after)


@pytest.mark.parametrize(
    ("told", "always", "unless_begun"),
    [
        (failure(None, "HR_UNREACHABLE"), True, True),
        (failure(None, "HR_CONNECTION_LOST"), True, False),
        (failure(None, "HR_TIMEOUT"), True, False),
        (failure(429, retry_after=1), True, True),
        (failure(503, retry_after=1), True, True),
        (failure(503), True, False),
        (failure(502), True, False),
        (failure(504), True, False),
        (failure(504, "HR_DEADLINE"), False, False),
        (failure(500), False, False),
        (failure(400), False, False),
        (failure(409, "HR_PUSH_LOST"), False, False),
        (failure(422, "HR_IDEMPOTENCY"), False, False),
    ],
    ids=lambda value: f"{value.status}-{value.code}" if isinstance(value, HeadraceError) else "",
)
def test_what_may_be_repeated(told: HeadraceError, always: bool, unless_begun: bool) -> None:
    assert may_repeat(told, Repeat.ALWAYS) is always
    assert may_repeat(told, Repeat.UNLESS_BEGUN) is unless_begun


def test_waits_double_at_random_up_to_a_bound_and_never_fall_below_what_is_asked_for() -> None:
    """The steps alone, with a clock of their own: no time passes."""
    now = 0.0
    patience = Patience(timeout=100, retries=9, clock=lambda: now, chance=lambda: 1.0)
    steps = ask(Request("GET", "/x"), Repeat.ALWAYS, patience)
    busy = Response(
        503, {"retry-after": "2", "content-type": "application/json"}, b'{"code":"HR_STOPPING","detail":"x"}'
    )
    away = Response(502, {}, b"")
    waits: list[float] = []
    effect: Any = next(steps)
    with pytest.raises(UnavailableError):
        for answer in [busy, *[away] * 20]:
            assert isinstance(effect, Send)
            effect = steps.send(answer)
            assert isinstance(effect, Sleep)
            waits.append(effect.seconds)
            now += effect.seconds
            effect = steps.send(None)
    assert waits == pytest.approx([2.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5])


def test_it_is_not_waited_past_the_end() -> None:
    patience = Patience(timeout=1, clock=lambda: 0.0)
    steps = ask(Request("GET", "/x"), Repeat.ALWAYS, patience)
    next(steps)
    with pytest.raises(OverloadedError):
        steps.send(
            Response(429, {"retry-after": "60", "content-type": "application/json"}, b'{"code":"HR_OVERLOADED"}')
        )
