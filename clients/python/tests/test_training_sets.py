"""Training sets, of both clients: every form of a spine, what comes back, interrupts, broken connections."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from gate import Cut, Gate
from headrace import AsyncClient, Client, DataWarning, HeadraceError, InvalidError, NotFoundError, TrainingSet
from servers import MAKES_SETS, Project, Server

SERVICE = "visit_features"
FEATURES = ["browsing__visits_7d", "browsing__minutes_7d", "browsing__last_pages"]
NEW_YEAR = pd.Timestamp("2026-01-01", tz="UTC")


pytestmark = pytest.mark.skipif(not MAKES_SETS, reason="the server has no /v1/training-sets")


def spine(rows: int = 40) -> pd.DataFrame:
    at = NEW_YEAR + pd.to_timedelta(np.arange(rows) * 5 + 30, unit="h")
    return pd.DataFrame(
        {"customer": [f"c{row % 10}" for row in range(rows)], "at": at, "late": np.arange(rows) % 2 == 0}
    )


def oracle(frame: pd.DataFrame) -> list[tuple[int, float, int | None]]:
    """The features by their definition: an hour is a visit of customer hour % 10, of (hour * 7) % 60 minutes."""
    rows = []
    for customer, at in zip(frame["customer"], frame["at"], strict=True):
        now = (at - NEW_YEAR) // pd.Timedelta("1h")
        since = now - 7 * 24  # the tail is aligned to the hop, an hour
        visits = [hour for hour in range(480) if f"c{hour % 10}" == customer and since <= hour <= now]
        pages = max(visits)
        rows.append(
            (len(visits), sum(hour * 7 % 60 for hour in visits) / len(visits), None if pages % 5 == 0 else pages)
        )
    return rows


def told(made: pd.DataFrame) -> list[tuple[int, float, int | None]]:
    rows = made[FEATURES].astype(object).where(made[FEATURES].notna(), None)
    return [(int(a), float(b), None if c is None else int(c)) for a, b, c in rows.itertuples(index=False)]


def make(client: Any, given: Any, **options: Any) -> TrainingSet:
    made: TrainingSet = client.training_set(
        SERVICE, given, timestamp="at", labels=["late"], **{"progress": False, **options}
    )
    return made


class TestASetOfAFrame:
    def test_what_must_be_as_expected_and_is_not_is_an_invalid_error(self, client: Any) -> None:
        asked = pd.DataFrame({"customer": ["c1"], "at": NEW_YEAR - pd.Timedelta("24h")})
        with pytest.raises(InvalidError, match="last_pages") as caught:
            client.training_set("strict_features", asked, timestamp="at", progress=False)
        assert caught.value.code == "HR_EXPECTATION"

    def test_what_is_not_as_expected_is_told(self, client: Any) -> None:
        asked = pd.DataFrame({"customer": ["nobody", "no one"], "at": NEW_YEAR})
        with pytest.warns(DataWarning) as caught:
            made = client.training_set("weather_features", asked, timestamp="at", progress=False)
        (warned,) = caught
        # A set has what was pushed until then: readings of other tests that break rules are among its data, or not yet.
        first, *rules = str(warned.message).splitlines()
        assert first == f"data of training set {made.id} are not what is expected of them:"
        own = [rule for rule in rules if not rule.startswith('  source "readings": ')]
        assert own == ['  view "weather": notNull(last_celsius): 2 rows break it']
        noun = "rule" if len(rules) == 1 else "rules"
        assert repr(made).endswith(f"'weather_features', {len(rules)} {noun} broken>")

    def test_has_the_spines_rows_and_the_features_as_they_were_known(self, client: Any) -> None:
        given = spine()
        made = make(client, given)
        frame = made.to_pandas()
        assert list(frame.columns) == ["customer", "at", "late", *FEATURES]
        pd.testing.assert_frame_equal(frame[["customer", "at", "late"]], given)
        assert told(frame) == oracle(given)

    def test_tells_what_it_is(self, plain_client: Client) -> None:
        made = make(plain_client, spine(), name="of-a-test")
        assert re.fullmatch("[0-9a-f]{16}", made.id)
        assert (made.name, made.service, made.rows, len(made)) == ("of-a-test", SERVICE, 40, 40)
        assert made.features == FEATURES
        assert made.labels == ["late"]
        assert made.record["sources"][0]["source"] == "visits"
        assert set(made.profile) == set(FEATURES)
        assert made.profile["browsing__last_pages"]["type"] == "int64"
        assert repr(made) == f"<TrainingSet {made.id} 'of-a-test': 40 rows × 3 features of 'visit_features'>"
        html = made._repr_html_()
        assert all(feature in html for feature in FEATURES)
        assert "<script" not in html

    def test_is_the_same_for_the_same(self, plain_client: Client) -> None:
        assert make(plain_client, spine()).id == make(plain_client, spine()).id

    def test_boundary_before_leaves_out_what_happened_at_the_very_time(self, plain_client: Client) -> None:
        at = make(plain_client, spine()).to_pandas()
        before = make(plain_client, spine(), boundary="before").to_pandas()
        assert (before["browsing__visits_7d"] <= at["browsing__visits_7d"]).all()
        assert (before["browsing__visits_7d"] < at["browsing__visits_7d"]).any()

    def test_is_found_again(self, client: Any) -> None:
        made = make(client, spine(12), name="found-again")
        for key in (made.id, "found-again"):
            found = client.get_training_set(key, progress=False)
            assert found.id == made.id
            assert found.to_arrow().equals(made.to_arrow())
        assert made.id in [record["id"] for record in client.list_training_sets()]

    def test_goes_to_every_form_and_to_a_file(self, plain_client: Client, tmp_path: Path) -> None:
        made = make(plain_client, spine())
        table = made.to_arrow()
        assert isinstance(table, pa.Table)
        assert table.schema.field("browsing__visits_7d").type == pa.int64()
        assert made.to_polars().equals(pl.from_arrow(table))
        made.save(tmp_path / "set.parquet")
        assert pq.read_table(tmp_path / "set.parquet").equals(table)

    def test_its_file_goes_with_it(self, plain_client: Client) -> None:
        made = make(plain_client, spine(2))
        path = made._path
        assert os.path.exists(path)
        del made
        assert not os.path.exists(path)


class TestFramesAsTheyAre:
    def test_index_zones_categories_and_nullable_ints_come_back(self, plain_client: Client) -> None:
        given = spine(4).assign(
            group=pd.Categorical(["a", None, "b", "a"]),
            size=pd.array([2**62 + 1, None, 3, 4], dtype="Int64"),
            local=pd.to_datetime(["2026-01-01"] * 3 + [None]).tz_localize("Europe/Vienna"),
            naive=pd.to_datetime(["2026-01-01"] * 3 + [None]),
            small=np.arange(4, dtype="int16"),
            text=pd.Series(["å", None, "c", "d"], dtype=object),
        )
        given.index = pd.Index([5, 5, 3, 1])
        frame = make(plain_client, given).to_pandas()
        assert frame.index.equals(given.index)
        for name in given.columns.drop("text"):
            assert frame[name].dtype == given[name].dtype, name
        pd.testing.assert_frame_equal(frame[given.columns.drop("text").tolist()], given.drop(columns="text"))
        assert [None if pd.isna(value) else value for value in frame["text"]] == ["å", None, "c", "d"]

    def test_a_named_index_is_a_column_of_the_spine(self, plain_client: Client) -> None:
        given = spine(4).set_index("customer")
        made = make(plain_client, given)
        assert "customer" in made.to_arrow().column_names
        frame = made.to_pandas()
        assert frame.index.equals(given.index)
        assert told(frame) == oracle(given.reset_index())

    def test_a_mixed_column_is_refused_before_anything_is_sent(
        self, make_client: Callable[..., Any], gate: Gate
    ) -> None:
        given = spine(3).assign(note=pd.Series(["a", 1, "b"], dtype=object))
        with pytest.raises(InvalidError, match='column "note", row 1: 1 is an int, but row 0 holds text'):
            make(make_client(gate.url), given)
        assert gate.connections == 0

    def test_nanoseconds_are_refused_with_their_row(self, plain_client: Client) -> None:
        given = spine(2).assign(at=np.array(["2026-01-02", "2026-01-02T00:00:00.000000001"], dtype="datetime64[ns]"))
        with pytest.raises(InvalidError, match='column "at", row 1'):
            make(plain_client, given)

    def test_no_rows(self, plain_client: Client) -> None:
        made = make(plain_client, spine(3).iloc[:0])
        assert made.rows == 0
        assert list(made.to_pandas().columns) == ["customer", "at", "late", *FEATURES]

    def test_null_keys_give_nulls(self, plain_client: Client) -> None:
        frame = make(plain_client, spine(2).assign(customer=[None, "c1"])).to_pandas()
        assert frame["browsing__visits_7d"].isna().tolist() == [True, False]


class TestSpinesOfOtherForms:
    def test_polars_arrow_and_a_reader(self, plain_client: Client) -> None:
        expected = oracle(spine())
        table = pa.Table.from_pandas(spine(), preserve_index=False)
        for given in (pl.from_pandas(spine()), table, table.to_reader(max_chunksize=7)):
            assert told(make(plain_client, given).to_pandas()) == expected

    def test_files(self, plain_client: Client, tmp_path: Path) -> None:
        table = pa.Table.from_pandas(spine(), preserve_index=False)
        pq.write_table(table, tmp_path / "spine.parquet")
        pyarrow.csv.write_csv(table, tmp_path / "spine.csv")
        for path in (tmp_path / "spine.parquet", str(tmp_path / "spine.csv")):
            assert told(make(plain_client, path).to_pandas()) == oracle(spine())

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ("no-such-file.parquet", "there is no file"),
            ("https://example.com/a.parquet", "https:// is not taken"),
            ({"customer": ["a"]}, "expected a pandas or polars DataFrame"),
        ],
        ids=["file", "address", "dict"],
    )
    def test_what_is_none(self, plain_client: Client, given: Any, words: str) -> None:
        with pytest.raises(InvalidError, match=words):
            make(plain_client, given)

    def test_a_file_that_is_neither(self, plain_client: Client, tmp_path: Path) -> None:
        (tmp_path / "spine.txt").write_text("customer\n")
        with pytest.raises(InvalidError, match="neither Parquet"):
            make(plain_client, tmp_path / "spine.txt")

    def test_a_truncated_file_is_the_servers_error(self, plain_client: Client, tmp_path: Path) -> None:
        pq.write_table(pa.Table.from_pandas(spine()), tmp_path / "whole.parquet")
        whole = (tmp_path / "whole.parquet").read_bytes()
        (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(HeadraceError) as caught:
            make(plain_client, tmp_path / "cut.parquet")
        assert caught.value.code in ("HR_SPINE", "HR_SOURCE_UNREADABLE")


class TestErrors:
    def test_a_spine_without_a_column(self, plain_client: Client) -> None:
        with pytest.raises(HeadraceError) as caught:
            make(plain_client, spine(2).drop(columns="customer"))
        assert caught.value.code == "HR_SPINE"
        assert "customer" in caught.value.message
        assert isinstance(caught.value, InvalidError)

    def test_an_unknown_service(self, plain_client: Client) -> None:
        with pytest.raises(NotFoundError) as caught:
            plain_client.training_set("visit_featurs", spine(2), timestamp="at", progress=False)
        assert caught.value.code == "HR_UNKNOWN_SERVICE"

    def test_an_unknown_set(self, plain_client: Client) -> None:
        with pytest.raises(NotFoundError, match="HR_UNKNOWN_TRAINING_SET"):
            plain_client.get_training_set("nothing", progress=False)

    def test_the_display_has_its_last_word(self, plain_client: Client, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(NotFoundError):
            plain_client.get_training_set("nothing")
        assert capsys.readouterr().err.startswith("nothing: stopped (HR_UNKNOWN_TRAINING_SET)")

    def test_slips_of_the_pen(self, plain_client: Client) -> None:
        with pytest.raises(InvalidError, match=r"\['late'\] is one"):
            plain_client.training_set(SERVICE, spine(2), timestamp="at", labels="late", progress=False)
        with pytest.raises(InvalidError, match='expected "at" or "before"'):
            make(plain_client, spine(2), boundary="after")


BIG = 300_000


@pytest.fixture(scope="module")
def long_spine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that takes seconds."""
    path = tmp_path_factory.mktemp("spine") / "long.parquet"
    rows = np.arange(BIG)
    at = pa.array((rows % 1_700_000) * 1_000_000 + 1_767_225_600_000_000, pa.timestamp("us", "UTC"))
    pq.write_table(
        pa.table({"customer": pa.array([f"c{row % 10}" for row in rows]), "at": at, "late": rows % 2 == 0}), path
    )
    return path


def until_followed(gate: Gate) -> str:
    """Waits until a job's events are asked for through the gate; its id."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = re.search(rb"GET /v1/training-sets/jobs/([\w-]+)/events", bytes(gate.sent))
        if found:
            return found[1].decode()
        time.sleep(0.01)
    raise AssertionError("no job was followed")


def state_of(server: Server, job: str) -> str:
    """Its state, once it has ended."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        state = httpx.get(f"{server.url}/v1/training-sets/jobs/{job}").json()["state"]
        if state not in ("queued", "running"):
            return str(state)
        time.sleep(0.1)
    raise AssertionError("the job goes on")


class TestInterrupts:
    def test_ctrl_c_cancels_the_job(self, server: Server, gate: Gate, long_spine: Path) -> None:
        def interrupt() -> None:
            until_followed(gate)
            time.sleep(0.3)
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt, daemon=True).start()
        with Client(gate.url) as client, pytest.raises(KeyboardInterrupt):
            make(client, long_spine)
        assert gate.requests("DELETE /v1/training-sets/jobs/") == 1
        assert state_of(server, until_followed(gate)) == "cancelled"

    def test_a_cancelled_task_cancels_the_job(self, server: Server, gate: Gate, long_spine: Path) -> None:
        async def run() -> None:
            async with AsyncClient(gate.url) as client:
                task = asyncio.create_task(
                    client.training_set(SERVICE, str(long_spine), timestamp="at", labels=["late"], progress=False)
                )
                await asyncio.to_thread(until_followed, gate)
                await asyncio.sleep(0.3)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

        asyncio.run(run())
        assert gate.requests("DELETE /v1/training-sets/jobs/") == 1
        assert state_of(server, until_followed(gate)) == "cancelled"

    def test_a_job_that_somebody_cancels_says_so(self, server: Server, gate: Gate, long_spine: Path) -> None:
        def cancel() -> None:
            httpx.delete(f"{server.url}/v1/training-sets/jobs/{until_followed(gate)}")

        threading.Thread(target=cancel, daemon=True).start()
        with Client(gate.url) as client, pytest.raises(HeadraceError) as caught:
            make(client, long_spine)
        assert caught.value.code == "HR_CANCELLED"


class TestBrokenConnections:
    def test_events_that_break_off_are_asked_for_again(self, server: Server, gate: Gate, long_spine: Path) -> None:
        def cut() -> None:
            until_followed(gate)
            time.sleep(0.2)
            gate.shut()
            gate.reopen()

        threading.Thread(target=cut, daemon=True).start()
        with Client(gate.url) as client:
            assert make(client, long_spine).rows == BIG
        assert gate.requests("GET /v1/training-sets/jobs/") >= 2
        assert gate.requests("POST /v1/training-sets?") == 1

    def test_a_job_whose_answer_was_lost_is_not_made_twice(self, make_client: Callable[..., Any], gate: Gate) -> None:
        gate.cuts.append(Cut())
        made = make(make_client(gate.url), spine(9))
        assert made.rows == 9
        assert gate.requests("POST /v1/training-sets?") == 2
        keys = re.findall(rb"(?i)idempotency-key: (\w+)", bytes(gate.sent))
        assert len(keys) == 2
        assert keys[0] == keys[1]

    def test_a_download_that_breaks_off_is_gone_on_with(self, server: Server, gate: Gate, long_spine: Path) -> None:
        with Client(server.url) as direct:
            id = make(direct, long_spine).id
        # The record's answer is whole; the file's comes on the same connection and is cut a little later.
        gate.cuts.append(Cut(100_000))
        gate.cuts.append(Cut(50_000))
        with Client(gate.url) as client:
            found = client.get_training_set(id, progress=False)
        assert found.rows == BIG
        assert found.to_arrow().num_rows == BIG
        ranges = re.findall(rb"(?i)range: bytes=(\d+)-", bytes(gate.sent))
        assert [int(one) > 0 for one in ranges] == [True, True]
        assert int(ranges[0]) < int(ranges[1])


def test_a_spine_is_sent_in_pieces(long_spine: Path) -> None:
    from headrace._spine import open_spine

    body = open_spine(pq.ParquetFile(long_spine).read()).body
    assert callable(body)
    pieces = [len(piece) for piece in body()]
    assert len(pieces) > BIG // 128_000
    assert max(pieces) < 8_000_000
    body = open_spine(long_spine).body
    assert callable(body)
    assert max(len(piece) for piece in body()) <= 1 << 20
    assert b"".join(body()) == long_spine.read_bytes()


@pytest.fixture
def busy(project: Project, tmp_path: Path, long_spine: Path) -> Iterator[Server]:
    """A server that makes one set at a time, lets none wait, and is at work."""
    own = project.copy(tmp_path / "busy")
    with own.serve(env={"HEADRACE_SERVER_TRAINING_SET_QUEUE": "0"}) as server:
        yield server


def test_a_server_that_is_full_says_when_to_come_again(busy: Server, long_spine: Path) -> None:
    with (
        Gate(busy.host, busy.port) as gate,
        Client(gate.url, retries=100) as client,
        Client(busy.url, retries=0) as other,
    ):
        thread = threading.Thread(target=lambda: make(client, long_spine), daemon=True)
        thread.start()
        deadline = time.monotonic() + 60
        caught: HeadraceError | None = None
        while caught is None and time.monotonic() < deadline:
            # Only after the long one: before it, it is this one that would keep the server busy.
            if gate.requests("POST /v1/training-sets") == 0:
                time.sleep(0.05)
                continue
            try:
                make(other, spine(2))
            except HeadraceError as error:
                caught = error
        assert caught is not None
        assert (caught.code, caught.status) == ("HR_OVERLOADED", 429)
        assert caught.retry_after is not None
        thread.join(60)


def test_the_time_of_a_set_is_not_bounded_by_the_clients(server: Server, long_spine: Path) -> None:
    with Client(server.url, timeout=1.5) as client:
        assert make(client, long_spine).rows == BIG


def test_a_day_is_a_day(plain_client: Client) -> None:
    # A date as the spine's own type: a column that is no feature comes back as it was.
    given = pa.table(
        {**{n: pa.Table.from_pandas(spine(2))[n] for n in ("customer", "at", "late")}, "day": [dt.date(2026, 1, 1)] * 2}
    )
    assert make(plain_client, given).to_arrow()["day"].to_pylist() == [dt.date(2026, 1, 1)] * 2
