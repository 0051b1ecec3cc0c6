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
class PushDurability:
    """What a push survives, as was confirmed before the answer. ``disk``: a power cut, for the log's disk has the rows, and the
    online store's the claims of the keys. ``replicas``: how many of the store's replicas have the claims, at least."""

    disk: bool
    replicas: int


@dataclass(frozen=True)
class PushResult:
    """``accepted``: rows that are durable and visible now. ``repeated``: those of them that an earlier push under the same key
    had brought. ``views``: what became of them, by view. ``quarantined``: rows that a rule of the source set apart; they count in
    no feature until somebody puts them back. ``warnings``: rows that were taken though they break a rule, by rule; a repeat has
    none. ``durable``: what all of it survives; None of no rows, and of a server that does not say it."""

    accepted: int
    repeated: int
    views: dict[str, PushedView]
    quarantined: int = 0
    warnings: dict[str, int] = field(default_factory=dict)
    durable: PushDurability | None = None


@dataclass(frozen=True)
class OutcomesResult:
    """``accepted``: outcomes that are on disk."""

    accepted: int
