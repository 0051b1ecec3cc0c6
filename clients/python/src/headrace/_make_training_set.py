"""A training set, from the spine to the file here; and one that was made before."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ._context import Context
from ._download import download, remove
from ._job import begin_job, follow_job
from ._json_answer import json_object, unexpected
from ._patience import Repeat, ask
from ._spine import SpineFrame, open_spine
from ._steps import Request, Steps, compute
from ._url import path_of
from .data_checks import warn_of
from .errors import invalid
from .progress import Progress, Stage, show_progress
from .training_set import TrainingSet

SETS = path_of("v1", "training-sets")


@dataclass(frozen=True)
class AskedSet:
    """What is asked for; see ``Client.training_set``."""

    service: str
    timestamp: str
    labels: Sequence[str]
    boundary: str
    name: str | None


def make_training_set(context: Context, asked: AskedSet, given: object, shows: bool) -> Steps[TrainingSet]:
    """Raises HeadraceError. An interrupt cancels the job at the server and goes on."""
    params = _params(asked)
    spine = yield from compute(lambda: open_spine(given))
    progress = show_progress(shows, asked.name or asked.service)
    progress.show(Stage("sending the spine"))

    def make() -> Steps[TrainingSet]:
        job = yield from begin_job(context, params, spine, uuid.uuid4().hex)
        ended = yield from follow_job(context, job, progress)
        return (yield from _fetch(context, str(ended["training_set"]), spine.frame, progress))

    made = yield from _shown_to_the_end(make(), progress)
    warn_of(f"data of training set {made.id} are not what is expected of them:", made.broken_rules)
    silent = [f"writer {writer}: {events} events, as it last reported" for writer, events in made.unshipped.items()]
    warn_of(f"training set {made.id} lacks events of servers that did not ship them:", silent)
    return made


def get_training_set(context: Context, id: str, shows: bool) -> Steps[TrainingSet]:
    """One that was made before, by its id or name. Raises HeadraceError."""
    progress = show_progress(shows, id)
    return (yield from _shown_to_the_end(_fetch(context, id, None, progress), progress))


def _shown_to_the_end(steps: Steps[TrainingSet], progress: Progress) -> Steps[TrainingSet]:
    """The display's last word is said however they end: a line of a terminal is left whole."""
    try:
        made = yield from steps
    except GeneratorExit:
        raise
    except BaseException as error:
        progress.end(f"stopped ({getattr(error, 'code', type(error).__name__)})")
        raise
    progress.end(f"{made.rows:,} rows, {len(made.features)} features")
    return made


def list_training_sets(context: Context) -> Steps[list[dict[str, Any]]]:
    """Records, newest first. Raises HeadraceError."""
    answer = yield from ask(Request("GET", SETS), Repeat.ALWAYS, context.patience)
    sets = json_object(answer).get("training_sets")
    if not isinstance(sets, list):
        raise unexpected("it has no training_sets", answer.status)
    return sets


def _params(asked: AskedSet) -> tuple[tuple[str, str], ...]:
    if asked.boundary not in ("at", "before"):
        raise invalid(f'boundary: expected "at" or "before", got {asked.boundary!r}.')
    if isinstance(asked.labels, str):
        raise invalid(f"labels: expected a list of columns, got text; [{asked.labels!r}] is one.")
    params = [("service", asked.service), ("timestamp", asked.timestamp)]
    params += [("label", label) for label in asked.labels]
    if asked.boundary != "at":
        params.append(("boundary", asked.boundary))
    if asked.name is not None:
        params.append(("name", asked.name))
    return tuple(params)


def _fetch(context: Context, id: str, frame: SpineFrame | None, progress: Progress) -> Steps[TrainingSet]:
    answer = yield from ask(Request("GET", f"{SETS}{path_of(id)}"), Repeat.ALWAYS, context.patience)
    record = json_object(answer)
    handle, path = tempfile.mkstemp(prefix="headrace-", suffix=".parquet")
    os.close(handle)
    try:
        progress.show(Stage("downloading"))
        yield from download(context, str(record["id"]), path, progress)
        return TrainingSet(record, path, frame)
    except BaseException:
        remove(path)
        raise
