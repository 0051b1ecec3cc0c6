"""The tests' subject is the package as it is installed; their servers are real ones, started here on projects of their own.

``HEADRACE_ROOT``: the repository whose server is started (default: the one that this lies in). ``HEADRACE_NODE``: the Node that runs it.
``HEADRACE_PYTEST_RESULTS``: a file that gets each test's result as a line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gate import Gate
from headrace import AsyncClient, Client
from servers import Project, Server, make_project


class Awaited:
    """An AsyncClient whose methods are awaited here, so that one test is both clients'."""

    def __init__(self, url: str, key: str | None = None, **options: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = AsyncClient(url, key, **options)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)
        return lambda *given, **options: self._loop.run_until_complete(method(*given, **options))

    def close(self) -> None:
        self._loop.run_until_complete(self._client.close())
        self._loop.close()


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="session")
def server(project: Project) -> Iterator[Server]:
    with project.serve() as served:
        yield served


@pytest.fixture(params=[Client, Awaited], ids=["sync", "async"])
def make_client(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Makes clients of both kinds, and closes them."""
    made: list[Any] = []

    def make(url: str, key: str | None = None, **options: Any) -> Any:
        made.append(request.param(url, key, **options))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_client: Callable[..., Any], server: Server) -> Any:
    """A client of the server, of both kinds."""
    return make_client(server.url)


@pytest.fixture
def plain_client(server: Server) -> Iterator[Client]:
    """Where the kind makes no difference."""
    with Client(server.url) as made:
        yield made


@pytest.fixture
def gate(server: Server) -> Iterator[Gate]:
    """A door before the server that can be shut, and can cut who goes through."""
    with Gate(server.host, server.port) as opened:
        yield opened


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    path = os.environ.get("HEADRACE_PYTEST_RESULTS")
    is_result = report.when == "call" or (report.when == "setup" and report.outcome != "passed")
    if path is None or not (is_result or report.outcome == "failed"):
        return
    told = report.longrepr
    said = told[2] if isinstance(told, tuple) else str(told) if told else ""
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"id": report.nodeid, "outcome": report.outcome, "said": said}) + "\n")
