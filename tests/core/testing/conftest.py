"""The recordings of the toy connector, made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import anyio
import pytest

from banksman import Connection, Environment, Settings
from banksman.testing import record_contract

from .toy import EXEMPT, SCRIPT, DeskSandbox, desk


def connection_to(sandbox: DeskSandbox) -> Connection:
    settings = Settings(base_url=f"{sandbox.url}/api")
    auth = {"kind": "bearer", "token": f"literal:{sandbox.token}"}
    return Connection("desk:toy", "desk", environment=Environment.TEST, settings=settings, auth=auth)


def written(folder: Path, *, script: str = SCRIPT, exempt: str = EXEMPT) -> Path:
    """The files that an author writes."""
    (folder / "script.yaml").write_text(script)
    (folder / "exempt.yaml").write_text(exempt)
    return folder


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = written(tmp_path_factory.mktemp("desk"))
    with DeskSandbox() as sandbox:
        anyio.run(record_contract, desk, connection_to(sandbox), folder / "script.yaml", folder)
    return folder


@pytest.fixture
def copied(recorded: Path, tmp_path: Path) -> Path:
    """Recordings that a test may spoil."""
    return Path(shutil.copytree(recorded, tmp_path / "desk"))
