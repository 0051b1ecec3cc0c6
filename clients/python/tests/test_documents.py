"""The notebook, the READMEs and the guide, run on the flights example as `npm run quickstart` leaves it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

from servers import MAKES_SETS, NODE, REPOSITORY, Project, Server, environment

NOTEBOOK = "feature_repo/notebooks/train_delay.ipynb"
ADDRESS = "http://127.0.0.1:8080"


needs_sets = pytest.mark.skipif(not MAKES_SETS, reason="the server has no /v1/training-sets")


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The example, applied, with a model and its online store filled."""
    directory = tmp_path_factory.mktemp("flights")
    make = REPOSITORY / "test/support/flights-project.ts"
    subprocess.run(
        [NODE, "--conditions=headrace-source", str(make), str(directory)],
        check=True,
        timeout=300,
        env=environment(None),
    )
    project = Project(directory)
    project.headrace("apply", "--yes")
    project.headrace("models", "register", "delay_classifier", "feature_repo/models/boosting.onnx")
    project.headrace("materialize", "--from", "2000-01-01T00:00:00Z")
    return project


@pytest.fixture(scope="module")
def flights_server(flights: Project) -> Iterator[Server]:
    with flights.serve() as server:
        yield server


def blocks(page: str, heading: str | None = None) -> list[str]:
    """The Python blocks of a page, or of one section."""
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    if heading is not None:
        text = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run(block: str, server: Server, names: dict[str, Any]) -> None:
    assert ADDRESS in block or "client" in names
    exec(compile(block.replace(ADDRESS, server.url), "block", "exec"), names)


@needs_sets
def test_the_notebook_runs(flights: Project, flights_server: Server) -> None:
    notebook = nbformat.read(flights.directory / NOTEBOOK, as_version=4)
    there = flights.directory / Path(NOTEBOOK).parent
    previous = os.environ.get("HEADRACE_URL")
    os.environ["HEADRACE_URL"] = flights_server.url
    try:
        NotebookClient(
            notebook, timeout=240, kernel_name="python3", resources={"metadata": {"path": str(there)}}
        ).execute()
    finally:
        os.environ.pop("HEADRACE_URL") if previous is None else os.environ.__setitem__("HEADRACE_URL", previous)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    html = " ".join(output.get("data", {}).get("text/html", "") for output in outputs)
    assert "Training set" in html
    assert "20,000 rows" in html
    printed = " ".join(output.get("text", "") for output in outputs)
    auc = re.search(r"AUC (0\.\d+)", printed)
    assert auc is not None and 0.6 < float(auc[1]) < 0.9
    assert "OutcomesResult(accepted=3)" in " ".join(output.get("data", {}).get("text/plain", "") for output in outputs)


def test_the_notebook_lies_in_git_without_outputs() -> None:
    notebook = nbformat.read(REPOSITORY / NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None


@needs_sets
def test_the_readmes_ten_lines_run(flights: Project, flights_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(flights.directory)
    (block,) = blocks("README.md", "Python in ten lines")
    assert len([line for line in block.splitlines() if line.strip()]) <= 10
    names: dict[str, Any] = {}
    run(block, flights_server, names)
    assert names["training"].rows > 100_000
    assert names["predictions"]["probability"].between(0, 1).all()


@needs_sets
@pytest.mark.parametrize("page", ["clients/python/README.md", "docs/guides/python.md"])
def test_a_pages_blocks_run(
    flights: Project, flights_server: Server, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    monkeypatch.chdir(flights.directory)
    found = blocks(page)
    assert len(found) >= 3
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in found:
        run(block, flights_server, names)
    assert isinstance(names["frame"], pd.DataFrame)
