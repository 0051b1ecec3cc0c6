"""Projects and servers as a user has them: the command line makes and serves them, on a free port."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
REPOSITORY = HERE.parents[3]
ROOT = Path(os.environ.get("HEADRACE_ROOT", REPOSITORY))
#: A repository of a time before there were training sets over HTTP has no such folder; one that has it has the routes, or fails.
MAKES_SETS = (ROOT / "src/serving/http/training-sets").is_dir()
NODE = os.environ.get("HEADRACE_NODE", str(ROOT / "node_modules" / ".bin" / "node"))


@dataclass(frozen=True)
class Server:
    """One that listens."""

    url: str
    process: subprocess.Popen[str]

    @property
    def host(self) -> str:
        return self.url.split("//")[1].rpartition(":")[0]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@dataclass(frozen=True)
class Project:
    """A folder with a configuration, definitions and data."""

    directory: Path

    def headrace(self, *words: str, env: Mapping[str, str] | None = None) -> Any:
        """Runs a command to its end; its one JSON document."""
        run = subprocess.run(
            [NODE, str(ROOT / "src/cli/main.ts"), *words, "--json"],
            cwd=self.directory,
            env=environment(env),
            capture_output=True,
            text=True,
            timeout=120,
        )
        if run.returncode != 0:
            raise RuntimeError(f"headrace {' '.join(words)} ended with {run.returncode}: {run.stderr}")
        return json.loads(run.stdout)

    @contextmanager
    def serve(self, *words: str, env: Mapping[str, str] | None = None) -> Iterator[Server]:
        """Serves it until the block ends."""
        log = (self.directory / "serve.log").open("w")
        process = subprocess.Popen(
            [NODE, str(ROOT / "src/cli/main.ts"), "serve", "--port", "0", "--json", *words],
            cwd=self.directory,
            env=environment(env),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"serve did not start: {(self.directory / 'serve.log').read_text()}")
            server = Server(json.loads(line)["url"], process)
            until_answered(server.url)
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            log.close()

    def copy(self, directory: Path) -> Project:
        """Another like it, of whose server a test may do what it likes."""
        shutil.copytree(self.directory, directory, dirs_exist_ok=True)
        return Project(directory)


def make_project(directory: Path) -> Project:
    """The project of test/support/python-client-project.ts, applied, with a model."""
    make = REPOSITORY / "test/support/python-client-project.ts"
    words: Sequence[str] = [NODE, "--conditions=headrace-source", str(make), str(directory)]
    subprocess.run(words, check=True, timeout=60, env=environment(None))
    project = Project(directory)
    project.headrace("apply", "--yes")
    project.headrace("models", "register", "returns", "quarter.onnx")
    return project


def environment(more: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, "npm_lifecycle_event": "", "INIT_CWD": "", **(more or {})}


def until_answered(url: str, seconds: float = 30) -> None:
    """Until its services and endpoints are read from the registry."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/health/ready", timeout=5):
                return
        except urllib.error.HTTPError as error:
            if error.code in (401, 403):
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"{url} was not ready within {seconds} s")
