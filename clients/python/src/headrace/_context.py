"""What the operations of one client share."""

from __future__ import annotations

from dataclasses import dataclass, field

from ._patience import Patience


@dataclass
class Wire:
    """What the server was found to take. An older one has no Arrow for reads and predictions: it is asked once."""

    takes_arrow: bool = True


@dataclass(frozen=True)
class Context:
    """Of a client: how patient it is, and what it knows of its server."""

    patience: Patience
    wire: Wire = field(default_factory=Wire)
