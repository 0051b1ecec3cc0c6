"""What is shown while a training set is made: a line in a terminal, plain lines in a log, an element in a notebook, or nothing."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace._sse import EventReader
from headrace.progress import Stage, show_progress
from headrace.progress.notebook import Notebook

STAGES = [
    Stage("sending the spine"),
    Stage("view browsing", 250_000, 1_000_000, "rows"),
    Stage("view browsing", 1_000_000, 1_000_000, "rows"),
    Stage("downloading", 12_000_000, None, "bytes"),
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """A second goes by at each look."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def shown(out: io.StringIO, wanted: bool = True) -> str:
    progress = show_progress(wanted, "delays", out, Clock())
    for stage in STAGES:
        progress.show(stage)
    progress.end("1,000,000 rows, 3 features")
    return out.getvalue()


def test_a_line_in_a_terminal_is_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    text = shown(Terminal())
    lines = text.split("\r")[1:]
    assert lines[1].startswith("delays: view browsing [#####               ]  25%  250,000 of 1,000,000 rows  0:02")
    assert lines[3].startswith("delays: downloading  12.0 MB")
    assert text.count("\n") == 1
    assert lines[-1].startswith("delays: 1,000,000 rows, 3 features")
    assert all("\x1b[K" in line for line in lines)


def test_a_log_gets_a_line_a_stage() -> None:
    assert shown(io.StringIO()) == (
        "delays: sending the spine\ndelays: view browsing\ndelays: downloading\n"
        "delays: 1,000,000 rows, 3 features after 0:01\n"
    )


def test_nothing_where_it_is_not_wanted() -> None:
    assert shown(Terminal(), wanted=False) == ""


def test_a_closed_terminal_loses_no_training_set() -> None:
    out = Terminal()
    progress = show_progress(True, "delays", out, Clock())
    out.close()
    progress.show(Stage("sending the spine"))
    progress.end("done")


def test_an_element_of_a_notebook_is_written_over() -> None:
    shown_: list[dict[str, str]] = []

    class Handle:
        def update(self, data: dict[str, str], **_: Any) -> None:
            shown_.append(data)

    def display(data: dict[str, str], **options: Any) -> Handle:
        assert options == {"raw": True, "display_id": True}
        shown_.append(data)
        return Handle()

    progress = Notebook("<delays>", display, Clock())
    for stage in STAGES:
        progress.show(stage)
    progress.end("done")
    assert 'value="0.250"' in shown_[1]["text/html"]
    assert "250,000 of 1,000,000 rows" in shown_[1]["text/plain"]
    assert "&lt;delays&gt;" in shown_[1]["text/html"]
    assert "<progress" not in shown_[-1]["text/html"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["progress", "done"]),
            st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=9),
        ),
        max_size=5,
    ),
    st.lists(st.integers(1, 30), max_size=30),
    st.sampled_from(["\n", "\r\n"]),
)
def test_events_are_the_same_however_their_bytes_come(
    events: list[tuple[str, str]], sizes: list[int], end: str
) -> None:
    text = "".join(f": quiet{end}{end}event: {name}{end}data: {data}{end}{end}" for name, data in events).encode()
    reader = EventReader()
    got = []
    at = 0
    for size in sizes:
        got += reader.feed(text[at : at + size])
        at += size
    got += reader.feed(text[at:])
    assert got == events
