"""A training set's job at the server: begun, followed to its end, cancelled where whoever waits for it goes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from ._arrow_body import JSON
from ._context import Context
from ._json_answer import json_object, unexpected
from ._patience import Repeat, ask, may_repeat
from ._problem import job_error, problem_of_stream
from ._spine import Spine
from ._sse import EventReader
from ._steps import Request, Steps, close, open_stream, read, send, sleep
from ._url import path_of
from .errors import HeadraceError, JobCancelledError
from .progress import Progress, Stage

JOBS = path_of("v1", "training-sets", "jobs")
#: Sending a spine, and fetching a set, take as long as they take; only silence is bounded by the client's timeout.
_LONGEST = 3_600.0
_SECONDS_TO_CANCEL = 3.0
Job = dict[str, Any]


def begin_job(context: Context, params: tuple[tuple[str, str], ...], spine: Spine, key: str) -> Steps[Job]:
    """The job that was made, or that an earlier try under the same key made. Raises HeadraceError."""
    headers = {"Content-Type": spine.content_type, "Accept": JSON, "Idempotency-Key": key}
    request = Request("POST", path_of("v1", "training-sets"), headers, params, spine.body)
    # A reader's rows are gone once they were read, so it is not sent again.
    patience = replace(context.patience, timeout=_LONGEST, retries=0 if spine.is_once else context.patience.retries)
    answer = yield from ask(request, Repeat.ALWAYS, patience, silence=context.patience.timeout)
    job = json_object(answer).get("job")
    if not isinstance(job, dict) or "id" not in job:
        raise unexpected("it has no job", answer.status)
    return job


def follow_job(context: Context, job: Job, progress: Progress) -> Steps[Job]:
    """
    The job as it is when it is done. Raises its own error where it failed, JobCancelledError where it was cancelled, and what the
    connection gives once it is lost for good. Whatever ends the waiting before that (an interrupt, a cancelled task) cancels the job.
    """
    try:
        ended = yield from _until_ended(context, job, progress)
    except GeneratorExit:
        raise
    except BaseException:
        yield from _cancel(job)
        raise
    if ended["state"] == "failed":
        raise job_error(ended.get("error"))
    if ended["state"] == "cancelled":
        error = ended.get("error")
        said = error.get("message") if isinstance(error, dict) else None
        raise JobCancelledError(said or "the training set's job was cancelled at the server.", code="HR_CANCELLED")
    return ended


def _until_ended(context: Context, job: Job, progress: Progress) -> Steps[Job]:
    patience = context.patience
    # Times in a row that the events broke off, and that nothing at all was heard.
    cut, silent = 0, 0
    while job.get("state") not in ("done", "failed", "cancelled"):
        _show(job, progress)
        heard = 0
        try:
            stream = yield from open_stream(_events_of(job), patience.timeout)
            try:
                if stream.status != 200:
                    raise (yield from problem_of_stream(stream))
                events = EventReader()
                while (chunk := (yield from read(stream))) is not None:
                    for _, data in events.feed(chunk):
                        job = _job_of(data)
                        heard += 1
                        _show(job, progress)
            finally:
                yield from close(stream)
            failure = HeadraceError("the job's events ended before the job did.", code="HR_CONNECTION_LOST")
        except HeadraceError as error:
            if not may_repeat(error, Repeat.ALWAYS):
                raise
            failure = error
        if job.get("state") in ("done", "failed", "cancelled"):
            break
        # The first event of each time is how the job stands, not that it goes on.
        cut, silent = 0 if heard > 1 else cut + 1, 0 if heard else silent + 1
        if silent > patience.retries:
            raise failure
        yield from sleep(patience.wait(cut, failure))
    return job


def _cancel(job: Job) -> Steps[None]:
    """Tells the server; where it can't be told, the job ends by itself, as nobody asks about it."""
    try:
        yield from send(Request("DELETE", f"{JOBS}{path_of(str(job['id']))}"), _SECONDS_TO_CANCEL)
    except HeadraceError:
        pass


def _events_of(job: Job) -> Request:
    return Request("GET", f"{JOBS}{path_of(str(job['id']), 'events')}", {"Accept": "text/event-stream"})


def _job_of(data: str) -> Job:
    try:
        job = json.loads(data)
    except ValueError:
        job = None
    if not isinstance(job, dict) or "state" not in job:
        raise unexpected("an event of its stream is no job")
    return job


def _show(job: Job, progress: Progress) -> None:
    at = job.get("progress")
    if isinstance(at, dict):
        progress.show(
            Stage(str(at.get("step") or "at work"), at.get("done"), at.get("total"), str(at.get("unit") or ""))
        )
    else:
        progress.show(Stage("waits for its turn" if job.get("state") == "queued" else "at work"))
