"""How a training set looks in a notebook."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headrace import TrainingSet


@pytest.fixture
def made(tmp_path: Path) -> TrainingSet:
    """With names that would be markup, a value that is long, and profiles that know more and less."""
    path = tmp_path / "set.parquet"
    pq.write_table(pa.table({"who": ["<b>ada</b>", "x" * 99], "a__b": [1.0, None], "<i>__c": [1, 2]}), path)
    profiles = [
        {"name": "a__b", "type": "float64", "nullRate": 0.5, "mean": 1.0, "histogram": {"counts": [0, 1, 4, 8]}},
        {"name": "<i>__c", "type": "int64", "nullRate": 0, "min": 1, "max": 2**62},
    ]
    record = {
        "id": "0123", "name": "<u>", "service": "s&t", "rows": 2, "features": ["a__b", "<i>__c", "not__profiled"],
        "feature_profiles": profiles, "first_time": "2026-01-01T00:00:00Z", "last_time": "2026-02-01T00:00:00Z",
    }  # fmt: skip
    return TrainingSet(record, str(path))


def test_it_says_what_it_is(made: TrainingSet) -> None:
    html = made._repr_html_()
    assert "2 rows · 3 features of s&amp;t · 2026-01-01 00:00:00 to 2026-02-01 00:00:00" in html
    assert "50.0%" in html
    assert " ▁▄█" in html
    assert str(2**62) in html
    assert "not__profiled" in html


def test_names_and_values_are_no_markup(made: TrainingSet) -> None:
    html = made._repr_html_()
    for markup in ("<b>ada", "<i>__c", "<u>"):
        assert markup not in html
    assert "&lt;b&gt;ada&lt;/b&gt;" in html
    assert "x" * 41 not in html


def test_a_set_without_rows_has_a_head(tmp_path: Path) -> None:
    path = tmp_path / "none.parquet"
    pq.write_table(pa.table({"who": pa.array([], pa.string())}), path)
    made = TrainingSet({"id": "1", "service": "s", "rows": 0, "features": []}, str(path))
    assert "who" in made._repr_html_()
    assert len(made) == 0


CHECKS = [
    {"of": 'source "visits"', "rule": "notNull(<i>)", "onFail": "warn", "failed": 2, "found": None},
    {"of": 'source "visits"', "rule": "oneOf(a)", "onFail": "warn", "failed": 1, "found": "such as b"},
    {"of": 'source "visits"', "rule": "unique(id)", "onFail": "quarantine", "failed": 3, "found": None},
    {"of": 'source "visits"', "rule": "notNull(id)", "onFail": "fail", "failed": 0, "found": None},
]


def test_it_says_what_was_expected_of_its_data_and_is_not_so(tmp_path: Path) -> None:
    path = tmp_path / "checked.parquet"
    pq.write_table(pa.table({"who": ["ada"]}), path)
    view = {"of": 'view "browsing"', "rule": "notNull(pages)", "onFail": "warn", "failed": 1, "found": None}
    stale = {
        "of": 'source "visits"',
        "rule": "fresh(2h)",
        "onFail": "warn",
        "failed": 1,
        "found": "the newest is 3h old",
    }
    record = {
        "id": "0123", "service": "s", "rows": 1, "features": [], "checks": [view],
        "sources": [{"source": "visits", "checks": [*CHECKS, stale]}, {"source": "none"}],
    }  # fmt: skip
    made = TrainingSet(record, str(path))
    assert [(one.of, one.rule, one.rows, one.set_apart) for one in made.broken_rules] == [
        ('source "visits"', "notNull(<i>)", 2, False),
        ('source "visits"', "oneOf(a)", 1, False),
        ('source "visits"', "unique(id)", 3, True),
        ('source "visits"', "fresh(2h)", 1, False),
        ('view "browsing"', "notNull(pages)", 1, False),
    ]
    assert made.unshipped == {}
    # A set's file goes with it: this one has a file of its own.
    silent = {**record, "unshipped": [{"writer": 3, "events": 12}]}
    assert TrainingSet(silent, str(tmp_path / "silent.parquet")).unshipped == {3: 12}
    assert repr(made).endswith(" of 's', 5 rules broken>")
    html = made._repr_html_()
    assert "notNull(&lt;i&gt;): 2 rows break it" in html
    assert "oneOf(a): 1 row breaks it, such as b" in html
    assert "unique(id): 3 set apart, which count in no feature" in html
    assert "fresh(2h): the newest is 3h old" in html
    assert "notNull(id)" not in html
