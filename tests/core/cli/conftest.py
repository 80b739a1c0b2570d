"""The toy shop, and a desk to work at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.core.cli.shop import Desk, Shop, make_desk


@pytest.fixture
def shop() -> Iterator[Shop]:
    """The systems, with two notes."""
    with Shop() as opened:
        opened.add("milk", "ann")
        opened.add("eggs", "bob")
        yield opened


@pytest.fixture
def desk(tmp_path: Path, shop: Shop) -> Desk:
    """A folder with a configuration, and the command in it."""
    return make_desk(tmp_path, shop)
