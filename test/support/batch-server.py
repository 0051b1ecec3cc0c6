"""AWS Batch for the tests: moto's server (PyPI `moto`), run in this process, with what its Batch lacks put in its place.

What is NOT moto's own, and is only as true as it is written here:
- A job's command runs as a process on this machine, no container: moto wants Docker, or marks jobs as succeeded unrun.
- The parent of an array ends with its children, and TerminateJob of it ends them; children carry their index.
- ListJobs gives running jobs where no status is asked for, children only where their array is named, and pages.
- Reasons of ends (out of memory, time, an image that is not there, a program that is not there) in the words that Batch uses.
- Secrets of a definition come from moto's own Secrets Manager.
- TerminateJob of one whose reason begins with "test: forget" makes it vanish, as none of AWS' calls does.
A second of `attemptDurationSeconds` takes BATCH_SECOND seconds here; BATCH_SLOTS jobs run at once.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from moto.batch.models import BatchBackend, Job
from moto.batch.responses import BatchResponse
from moto.secretsmanager.models import secretsmanager_backends
import moto.server

SECOND = float(os.environ.get("BATCH_SECOND", "1"))
POOL = ThreadPoolExecutor(int(os.environ.get("BATCH_SLOTS", "8")))
GRACE_SECONDS = 30 * SECOND
ENDED = ("SUCCEEDED", "FAILED")
LOCK = threading.RLock()
RUNNING = set()


def end(job, code=None, reason=None, status_reason=None):
    with LOCK:
        job.exit_code = code
        job.container_reason = reason
        if job.job_stopped_reason is None:
            job.job_stopped_reason = status_reason
        job._mark_stopped(success=code == 0 and not job.stop)


def definition_of(job):
    return job.job_definition.container_properties


def variables_of(job):
    own = definition_of(job)
    found = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    for entry in own.get("environment", []) + job.container_overrides.get("environment", []):
        found[entry["name"]] = entry["value"]
    secrets = secretsmanager_backends[job.backend.account_id][job.backend.region_name]
    for entry in own.get("secrets", []):
        found[entry["name"]] = secrets.get_secret_value(entry["valueFrom"], None, None)["SecretString"]
    found["AWS_BATCH_JOB_ID"] = job.job_id
    if "index" in job.array_properties:
        found["AWS_BATCH_JOB_ARRAY_INDEX"] = str(job.array_properties["index"])
    return found


def kill(process, sign):
    try:
        os.killpg(process.pid, sign)
    except ProcessLookupError:
        pass


def run(job):
    with LOCK:
        if job.job_stopped:
            return
        if job.stop:
            return end(job, None)
        image = definition_of(job)["image"]
        if "missing" in image:
            return end(job, None, f"CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {image}: not found", "Task failed to start")
        job.status = "STARTING"
    try:
        variables = variables_of(job)
    except Exception as error:
        return end(job, None, f"ResourceInitializationError: unable to pull secrets or registry auth: {error}", "Task failed to start")
    command = job.container_overrides.get("command") or definition_of(job)["command"]
    with LOCK:
        if job.stop:
            return end(job, None)
        try:
            log = open(os.path.join(os.environ["BATCH_LOGS"], job.job_id.replace(":", "-")), "wb")
            process = subprocess.Popen(command, env=variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        except FileNotFoundError:
            return end(job, 127, f'CannotStartContainerError: Error response from daemon: exec: "{command[0]}": executable file not found in $PATH: unknown', "Task failed to start")
        job.status = "RUNNING"
        RUNNING.add(process)
    limit = job._get_attempt_duration()
    since = time.monotonic()
    told_at = None
    timed_out = False
    while True:
        try:
            code = process.wait(0.05)
            break
        except subprocess.TimeoutExpired:
            now = time.monotonic()
            timed_out = timed_out or (limit is not None and now - since > limit * SECOND)
            if told_at is None and (timed_out or job.stop):
                told_at = now
                process.terminate()  # the container's first process alone is told
            if told_at is not None and now - told_at > GRACE_SECONDS:
                kill(process, signal.SIGKILL)
    kill(process, signal.SIGKILL)  # what it left behind goes with the container
    with LOCK:
        RUNNING.discard(process)
    if timed_out:
        return end(job, 128 - code if code < 0 else code, None, "Job attempt duration exceeded timeout")
    killed = code == -signal.SIGKILL and not job.stop
    end(job, 128 - code if code < 0 else code, "OutOfMemoryError: Container killed due to memory usage" if killed else None, "Essential container in task exited")


def terminate(job, reason):
    with LOCK:
        if reason.startswith("test: forget"):
            job.stop = True
            parent = job.backend._jobs.get(job.job_id.split(":")[0])
            for place in (job.job_queue.jobs, (parent and parent._child_jobs) or []):
                if job in place:
                    place.remove(job)
            job.backend._jobs.pop(job.job_id, None)
        for one in [job, *(job._child_jobs or [])]:
            if one.status in ENDED:
                continue
            one.stop = True
            one.job_stopped_reason = reason
            if one.status not in ("STARTING", "RUNNING") and one._child_jobs is None:
                end(one)


def describe(job):
    with LOCK:
        result = describe_short(job)
        result["jobQueue"] = job.job_queue.arn
        result["container"] = {
            "command": job.container_overrides.get("command", []),
            "environment": job.container_overrides.get("environment", []),
            "resourceRequirements": job.container_overrides.get("resourceRequirements", []),
            **result.get("container", {}),
        }
        if job.timeout:
            result["timeout"] = job.timeout
        return result


short = Job.describe_short


def describe_short(job):
    with LOCK:
        children = job._child_jobs
        counts = None
        if children is not None:
            counts = {status: 0 for status in ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", *ENDED)}
            for child in children:
                counts[child.status] += 1
            if job.status not in ENDED:
                job.status = "PENDING"
                if len(children) == counts["SUCCEEDED"] + counts["FAILED"]:
                    job._mark_stopped(success=counts["FAILED"] == 0)
        result = short(job)
        reason = getattr(job, "container_reason", None)
        if reason is not None:
            result["container"] = {**result.get("container", {}), "reason": reason}
        if counts is not None:
            result["arrayProperties"] = {"size": job.array_size, "statusSummary": counts}
        elif "index" in job.array_properties:
            result["arrayProperties"] = {"index": job.array_properties["index"]}
        return result


def describe_jobs(backend, ids):
    with LOCK:
        return [describe(backend._jobs[id]) for id in (ids or []) if id in backend._jobs]


def listjobs(response):
    backend, asked = response.batch_backend, response._get_param
    filters, array = asked("filters"), asked("arrayJobId")
    with LOCK:
        if array is not None:
            parent = backend._jobs.get(array)
            found = [] if parent is None else list(parent._child_jobs or [])
        else:
            found = [job for job in backend.list_jobs(asked("jobQueue"), None, None, filters) if ":" not in job.job_id]
        listed = [describe_short(job) for job in found]
    if filters is None:
        listed = [job for job in listed if job["status"] == (asked("jobStatus") or "RUNNING")]
    else:
        listed.sort(key=lambda job: -job["createdAt"])
    size = min(int(asked("maxResults") or 1000), 100 if filters else 1000)
    start = int(asked("nextToken") or 0)
    page = {"jobSummaryList": listed[start : start + size]}
    if start + size < len(listed):
        page["nextToken"] = str(start + size)
    return json.dumps(page)


submit = BatchBackend.submit_job


def submit_job(backend, *args, **kwargs):
    size = (kwargs.get("array_properties") or {}).get("size")
    if size is not None and not 2 <= size <= 10_000:
        raise ValueError("an array has 2 to 10,000 children")
    with LOCK:
        answer = submit(backend, *args, **kwargs)
        backend._jobs[answer[1]].array_size = size
        return answer


def stop(*_):
    with LOCK:
        for process in RUNNING:
            kill(process, signal.SIGKILL)
        os._exit(0)


Job.start = lambda job: POOL.submit(run, job)
Job.terminate = terminate
Job.describe_short = describe_short
BatchBackend.describe_jobs = describe_jobs
BatchBackend.submit_job = submit_job
BatchResponse.listjobs = listjobs

moto.server.signal_handler = stop
moto.server.main(sys.argv[1:])
