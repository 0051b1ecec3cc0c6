"""What a project expects of its data and does not find so: told where a training set is made, and where rows are pushed."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SUCH_AS = "such as "


class DataWarning(UserWarning):
    """Data break a rule that the project has for them (``expect``), and were taken all the same or set apart.

    ``warnings.simplefilter("error", DataWarning)`` makes an exception of it.
    """


@dataclass(frozen=True)
class BrokenRule:
    """``of``: the source or view. ``rule``: what is expected of it. ``rows``: how many break it; 1 for a rule of all rows
    together, such as ``fresh``. ``set_apart``: whether they count in no feature. ``found``: what there was instead."""

    of: str
    rule: str
    rows: int
    set_apart: bool
    found: str | None = None

    def __str__(self) -> str:
        if self.set_apart:
            said = f"{self.rows} set apart, which count in no feature"
        elif self.found is not None and not self.found.startswith(_SUCH_AS):
            said = self.found
        else:
            example = "" if self.found is None else f", {self.found}"
            said = f"{self.rows} row{' breaks' if self.rows == 1 else 's break'} it{example}"
        return f"{self.of}: {self.rule}: {said}"


def broken_rules(record: Mapping[str, Any]) -> list[BrokenRule]:
    """Of a training set's record: those of its sources, then those of its views; each once."""
    checks = [check for source in record.get("sources") or () for check in source.get("checks") or ()]
    broken = [
        BrokenRule(one["of"], one["rule"], int(one["failed"]), one["onFail"] == "quarantine", one.get("found"))
        for one in [*checks, *(record.get("checks") or ())]
        if one["failed"] > 0
    ]
    return list(dict.fromkeys(broken))


def warn_of(what: str, told: Sequence[object]) -> None:
    """A DataWarning with a line of each, at the line of the caller's that called this package; nothing where nothing is told."""
    if not told:
        return
    level = 2
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "headrace":
        frame = frame.f_back
        level += 1
    warnings.warn("\n".join([what, *(f"  {one}" for one in told)]), DataWarning, stacklevel=level)
