"""Pushes and outcomes. A batch of a push has an Idempotency-Key that stays the same however often it is sent."""

from __future__ import annotations

import uuid
from typing import Any

from ._arrow_body import JSON
from ._batches import in_batches
from ._context import Context
from ._json_answer import json_object
from ._patience import Repeat, ask
from ._steps import Request, Steps, compute
from ._url import path_of
from .data_checks import warn_of
from .errors import invalid
from .frames import Rows, read_rows
from .frames.json_rows import json_rows, to_bytes
from .results import OutcomesResult, PushDurability, PushedView, PushResult

_MOST_ROWS = 5_000
#: The server takes 255 characters; a batch's rows are put behind the caller's.
_LONGEST_KEY = 200


def push(context: Context, source: str, given: object, idempotency_key: str | None) -> Steps[PushResult]:
    """Rows into a source, in order. Raises HeadraceError; its ``rows_done`` were accepted."""
    key = uuid.uuid4().hex if idempotency_key is None else _checked(idempotency_key)
    rows: Rows = yield from compute(lambda: read_rows(given, "rows"))
    path = path_of("v1", "sources", source, "push")

    def encode(start: int, end: int) -> bytes:
        return to_bytes({"rows": json_rows(rows, start, end, "rows")})

    def send(body: bytes, start: int, end: int) -> Steps[dict[str, Any]]:
        headers = {"Content-Type": JSON, "Idempotency-Key": f"{key}:{start}-{end}"}
        answer = yield from ask(Request("POST", path, headers, (), body), Repeat.ALWAYS, context.patience)
        return json_object(answer)

    pushed = _summed((yield from in_batches(rows.count, _MOST_ROWS, encode, send)))
    apart = [f"{pushed.quarantined} set apart, which count in no feature"] if pushed.quarantined else []
    broken = [f"{rule}: {count} taken all the same" for rule, count in pushed.warnings.items()]
    warn_of(f'pushed rows are not what is expected of source "{source}":', [*apart, *broken])
    return pushed


def record_outcomes(context: Context, endpoint: str, given: object) -> Steps[OutcomesResult]:
    """What became of predictions. Sent again an outcome changes nothing, so batches are."""
    rows: Rows = yield from compute(lambda: read_rows(given, "outcomes"))
    path = path_of("v1", "endpoints", endpoint, "outcomes")

    def encode(start: int, end: int) -> bytes:
        made = json_rows(rows, start, end, "outcomes")
        # A value of null takes an outcome back; a time that is null is none.
        return to_bytes({"outcomes": [_without_null_time(outcome) for outcome in made]})

    def send(body: bytes, start: int, end: int) -> Steps[int]:
        request = Request("POST", path, {"Content-Type": JSON}, (), body)
        answer = yield from ask(request, Repeat.ALWAYS, context.patience)
        return int(json_object(answer)["accepted"])

    return OutcomesResult(sum((yield from in_batches(rows.count, _MOST_ROWS, encode, send))))


def _without_null_time(outcome: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in outcome.items() if value is not None or name != "observed_at"}


def _checked(key: str) -> str:
    if not 0 < len(key) <= _LONGEST_KEY or any(not " " < letter <= "~" for letter in key):
        raise invalid(f"idempotency_key: expected 1 to {_LONGEST_KEY} visible ASCII characters, got {key[:60]!r}.")
    return key


def _summed(answers: list[dict[str, Any]]) -> PushResult:
    views: dict[str, PushedView] = {}
    warnings: dict[str, int] = {}
    for answer in answers:
        for broken in answer.get("warnings", ()):
            warnings[broken["rule"]] = warnings.get(broken["rule"], 0) + int(broken["rows"])
        for view in answer["views"]:
            before = views.get(view["view"], PushedView(0, 0, 0))
            views[view["view"]] = PushedView(
                before.written + view["written"], before.covered + view["covered"], before.ignored + view["ignored"]
            )
    return PushResult(
        accepted=sum(answer["accepted"] for answer in answers),
        repeated=sum(answer["accepted"] for answer in answers if answer["duplicate"]),
        views=views,
        quarantined=sum(answer.get("quarantined", 0) for answer in answers),
        warnings=warnings,
        durable=_least([answer["durable"] for answer in answers if "durable" in answer]),
    )


def _least(all_durable: list[dict[str, Any]]) -> PushDurability | None:
    if not all_durable:
        return None
    return PushDurability(
        disk=all(durable["disk"] for durable in all_durable),
        replicas=min(int(durable["replicas"]) for durable in all_durable),
    )
