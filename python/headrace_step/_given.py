"""Named values that a step is given: one that is not there is told with those that are."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, Dict, Mapping


class NotGiven(KeyError):
    """There is nothing of that name; the sentence says what there is."""

    def __str__(self) -> str:
        # A KeyError shows its sentence in quotes.
        return str(self.args[0])


class Given(Dict[str, Any]):
    """A dict whose missing key raises `NotGiven`; `what` begins its sentence."""

    def __init__(self, members: Mapping[str, Any], what: str) -> None:
        super().__init__(members)
        self._what = what

    def __missing__(self, name: str) -> Any:
        near = get_close_matches(str(name), list(self), n=1)
        hint = f". Did you mean {near[0]!r}?" if near else ""
        raise NotGiven(f"{self._what} {name!r}; it has {', '.join(self) or 'none'}{hint}")
