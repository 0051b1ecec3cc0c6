"""How a training set looks in a notebook: what it is, each feature with its nulls as a bar and its values' histogram, the first
rows."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from .training_set import TrainingSet

_MOST_FEATURES = 30
_MOST_COLUMNS = 12
_LONGEST = 40
_STEPS = " ▁▂▃▄▅▆▇█"
_BAR = (
    '<span style="display:inline-block;width:6em;height:.7em;background:rgba(128,128,128,.2)">'
    '<span style="display:block;height:100%;width:{percent:.1f}%;background:#c0504d"></span></span>'
)


def training_set_html(made: TrainingSet, head: pa.Table) -> str:
    """HTML without scripts; every name and value is escaped."""
    record = made.record
    name = "" if made.name is None else f" “{escape(made.name)}”"
    times = [str(record[key])[:19].replace("T", " ") for key in ("first_time", "last_time") if record.get(key)]
    said = [f"{made.rows:,} rows", f"{len(made.features)} features of {made.service}", *[" to ".join(times)]]
    about = " · ".join(escape(part) for part in said if part)
    return (
        f"<div><b>Training set</b> <code>{escape(made.id)}</code>{name}<br>{about}{_broken(made)}"
        f"<details open><summary>Features</summary>{_features(made)}</details>"
        f"<details><summary>First rows</summary>{_rows(head)}</details></div>"
    )


def _broken(made: TrainingSet) -> str:
    """What is not as expected, where one looks first."""
    lines = "".join(f"<li>{escape(str(rule))}</li>" for rule in made.broken_rules)
    return f'<p style="color:#c0504d;margin:.5em 0 0">Not as expected:</p><ul>{lines}</ul>' if lines else ""


def _features(made: TrainingSet) -> str:
    profile = made.profile
    rows = [_feature(name, profile.get(name, {})) for name in made.features[:_MOST_FEATURES]]
    more = len(made.features) - _MOST_FEATURES
    return _table(["feature", "type", "null", "mean", "least", "most", "how they lie"], rows) + (
        f"<p>… and {more} more</p>" if more > 0 else ""
    )


def _feature(name: str, profile: dict[str, Any]) -> list[str]:
    rate = profile.get("nullRate", profile.get("null_rate"))
    bar = "" if rate is None else f"{_BAR.format(percent=float(rate) * 100)} {float(rate):.1%}"
    figures = [_figure(profile.get(key)) for key in ("mean", "min", "max")]
    return [f"<code>{escape(name)}</code>", escape(str(profile.get("type", ""))), bar, *figures, _bars(profile)]


def _bars(profile: dict[str, Any]) -> str:
    """A histogram in a line of text, where the server keeps one."""
    histogram = profile.get("histogram")
    counts = histogram.get("counts") if isinstance(histogram, dict) else None
    if not isinstance(counts, list) or not counts or max(counts) <= 0:
        return ""
    most = max(counts)
    return "".join(_STEPS[0 if count <= 0 else max(1, round(count / most * 8))] for count in counts)


def _figure(value: object) -> str:
    if value is None:
        return ""
    return escape(f"{value:,.4g}" if isinstance(value, float) else str(value)[:_LONGEST])


def _rows(head: pa.Table) -> str:
    shown = head.select(range(min(head.num_columns, _MOST_COLUMNS)))
    more = ["…"] if head.num_columns > _MOST_COLUMNS else []
    rows = [[_cell(value) for value in row.values()] + more for row in shown.to_pylist()]
    return _table([escape(name) for name in shown.column_names] + more, rows)


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return escape(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    top = "".join(f'<th style="text-align:left">{cell}</th>' for cell in head)
    body = "".join(
        "<tr>" + "".join(f'<td style="text-align:left">{cell}</td>' for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
