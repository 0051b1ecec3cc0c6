"""What pushes and outcomes give back."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class PushedView:
    """What a push did to a view, in rows: ``written`` changed a record, ``covered`` the view's files hold already, ``ignored``
    have a null key or event time."""

    written: int
    covered: int
    ignored: int


@dataclass(frozen=True)
class PushResult:
    """``accepted``: rows that are durable and visible now. ``repeated``: those of them that an earlier push under the same key
    had brought. ``views``: what became of them, by view. ``quarantined``: rows that a rule of the source's set apart instead
    (``headrace quarantine show``). ``warnings``: rules that rows broke and were taken all the same, with how many did."""

    accepted: int
    repeated: int
    views: dict[str, PushedView]
    quarantined: int = 0
    warnings: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class OutcomesResult:
    """``accepted``: outcomes that are on disk."""

    accepted: int
