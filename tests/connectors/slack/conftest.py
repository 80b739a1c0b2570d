"""A workspace for each test, and a connection to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from banksman_connectors.slack.sandbox import SlackSandbox

from .desk import Desk, open_desk


@pytest.fixture
def slack() -> Iterator[SlackSandbox]:
    with SlackSandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def desk(slack: SlackSandbox) -> AsyncIterator[Desk]:
    desk = open_desk(slack.api_url, slack.token)
    yield desk
    await desk.opened.aclose()
