"""What the operations of one client share."""

from __future__ import annotations

from dataclasses import dataclass, field

from ._patience import Patience


@dataclass
class Wire:
    """What the server was found to take. A version before it had Arrow for reads and predictions is asked once."""

    takes_arrow: bool = True


@dataclass(frozen=True)
class Context:
    """Of a client: how patient it is, and what it knows of its server."""

    patience: Patience
    wire: Wire = field(default_factory=Wire)
