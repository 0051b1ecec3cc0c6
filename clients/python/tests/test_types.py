"""The package under mypy --strict and ruff, and what a user's editor is told of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from servers import REPOSITORY

USER = """
import pandas as pd
import polars as pl
from headrace import AsyncClient, Client, HeadraceError, TrainingSet

client = Client("http://127.0.0.1:8080")
rows = client.predict("delay", [{"origin": "ATL"}])
reveal_type(rows)
reveal_type(client.features("delay_features", pl.DataFrame({"origin": ["ATL"]})))
made = client.training_set("delay_features", "spine.parquet", timestamp="at", labels=["late"])
reveal_type(made)
reveal_type(client.push("flights", rows).accepted)

async def run(client: AsyncClient) -> None:
    reveal_type(await client.predict("delay", rows))

client.training_set("delay_features", "spine.parquet", timestamp="at", boundary="after")
"""


def mypy(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "mypy", *words], cwd=cwd, capture_output=True, text=True, timeout=300)


def test_the_package_is_strictly_typed(tmp_path: Path) -> None:
    config = REPOSITORY / "clients/python/pyproject.toml"
    run = mypy("--config-file", str(config), "--cache-dir", str(tmp_path), "-p", "headrace", cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_users_program_is_told_the_form_that_comes_back(tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(USER)
    run = mypy("--strict", "--cache-dir", str(tmp_path / "cache"), "user.py", cwd=tmp_path)
    told = [
        line.partition('Revealed type is "')[2].rstrip('"') for line in run.stdout.splitlines() if "Revealed" in line
    ]
    assert told == [
        "list[dict[str, Any]]", "polars.dataframe.frame.DataFrame", "headrace.training_set.TrainingSet", "int",
        "list[dict[str, Any]]",
    ]  # fmt: skip
    errors = [line for line in run.stdout.splitlines() if ": error:" in line and "import-untyped" not in line]
    assert len(errors) == 1, run.stdout
    assert "after" in errors[0]


def test_the_sources_are_formatted_and_clean() -> None:
    folder = REPOSITORY / "clients/python"
    for words in (
        ["format", "--check", "--diff", "."],
        ["check", "."],
        ["check", "--config", "pyproject.toml", "../../bench"],
    ):
        run = subprocess.run(
            [sys.executable, "-m", "ruff", *words, "--no-cache"], cwd=folder, capture_output=True, text=True, timeout=60
        )
        assert run.returncode == 0, run.stdout + run.stderr
