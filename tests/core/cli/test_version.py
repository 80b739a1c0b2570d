"""The version is told before anything is imported."""

from __future__ import annotations

import subprocess
import sys

from tests.core.cli.shop import COMMAND, Desk

import banksman

HEAVY = {"anyio", "authlib", "cyclopts", "dbos", "httpx", "jmespath", "pydantic", "rich", "sqlalchemy", "yaml"}


def test_the_version_is_told(desk: Desk) -> None:
    done = desk.run("--version")
    assert (done.code, done.out) == (0, f"banksman {banksman.__version__}\n")


def test_telling_it_imports_nothing_heavy(desk: Desk) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *COMMAND[1:], "--version"],
        env=dict(desk.environment), capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = {line.rsplit("|", 1)[-1].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "banksman" in loaded
    assert loaded & HEAVY == set()


def test_help_names_every_group(desk: Desk) -> None:
    shown = desk.run("--help").out
    for word in ("actions", "approvals", "audit", "call", "connections", "connectors", "init", "run", "runs", "schema"):
        assert f" {word} " in shown
    assert "worker" in shown
    assert "--database" in desk.run("runs", "undo", "--help").out
