"""A ticket system for each test, and a hub over it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from .ticket_desk import Desk, DeskSandbox


@pytest.fixture
def sandbox() -> Iterator[DeskSandbox]:
    with DeskSandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def desk(sandbox: DeskSandbox, tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path, sandbox.url)
    async with desk.hub:
        yield desk
