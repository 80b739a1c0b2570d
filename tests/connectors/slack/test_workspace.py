"""The same round trips on the sandbox and on emulate, which somebody else wrote: the sandbox must not flatter us."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from tests.peers import servers

from banksman import ABSENT
from banksman._canonical import plain
from banksman.errors import AccessDenied, NotFound
from banksman_connectors.slack.sandbox import SlackSandbox

from .desk import Desk, open_desk


@pytest.fixture(params=["sandbox", pytest.param("emulate", marks=pytest.mark.peer)])
async def workspace(request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    if request.param == "sandbox":
        with SlackSandbox() as slack:
            desk = open_desk(slack.api_url, slack.token)
            yield desk
            await desk.opened.aclose()
    else:
        server: servers.Emulate = request.getfixturevalue("emulate")
        desk = open_desk(f"{server.base_url}/api", server.token)
        yield desk
        await desk.opened.aclose()


def unique(text: str) -> str:
    return f"{text} {uuid.uuid4()}"


async def test_a_post_reads_back_as_predicted_and_is_taken_back(workspace: Desk) -> None:
    change = await workspace.prepare(
        "messages.post", channel="#buyers", text=unique("R&D <https://a.example|x> <!here>")
    )
    posted = await workspace.send("messages.post", change)
    read = await workspace.read("messages.get", channel=posted.channel, message=posted.id)
    assert read == posted
    assert {name: plain(read)[name] for name in change.after} == change.after
    await workspace.do("messages.delete", channel=posted.channel, message=posted.id)
    with pytest.raises(NotFound) as gone:
        await workspace.read("messages.get", channel=posted.channel, message=posted.id)
    assert gone.value.code == "message_not_found"
    with pytest.raises(NotFound):
        await workspace.prepare("messages.delete", channel=posted.channel, message=posted.id)


async def test_an_update_and_its_undo(workspace: Desk) -> None:
    old = unique("late")
    posted = await workspace.do("messages.post", channel="#buyers", text=old)
    change = await workspace.prepare("messages.update", channel="#buyers", message=posted.id, text=unique("moved"))
    updated = await workspace.send("messages.update", change)
    assert (updated.id, updated.text, updated.edited) == (posted.id, change.after["text"], True)
    await workspace.do("messages.update", channel="#buyers", message=posted.id, text=change.before["text"])
    assert (await workspace.read("messages.get", channel=posted.channel, message=posted.id)).text == old


async def test_a_thread(workspace: Desk) -> None:
    first = await workspace.do("messages.post", channel="#logistics", text=unique("where is it?"))
    answer = await workspace.do("messages.post", channel="#logistics", text=unique("at sea"), thread=first.id)
    again = await workspace.do("messages.post", channel="#logistics", text=unique("still"), thread=answer.id)
    assert answer.thread == again.thread == first.id
    listed = await workspace.read("messages.list", channel="#logistics", thread=first.id)
    assert [message.id for message in listed] == [answer.id, again.id]
    top = await workspace.read("messages.list", channel="#logistics", limit=1)
    assert [(message.id, message.replies) for message in top] == [(first.id, 2)]


async def test_a_list_keeps_to_its_window(workspace: Desk) -> None:
    posted = [await workspace.do("messages.post", channel="#buyers", text=unique(text)) for text in "abc"]
    window: dict[str, Any] = {"oldest": posted[0].id, "latest": posted[2].id}
    listed = await workspace.read("messages.list", channel="#buyers", **window)
    assert [message.id for message in listed] == [posted[1].id]


async def test_a_post_is_found_by_its_mark_and_one_that_never_left_is_absent(workspace: Desk) -> None:
    arguments = {"channel": "#buyers", "text": unique("late")}
    since = datetime.now(timezone.utc) - timedelta(seconds=2)
    workspace.key = unique("run")
    change = await workspace.prepare("messages.post", **arguments)
    assert await workspace.reconcile("messages.post", change, since=since, **arguments) is ABSENT
    posted = await workspace.send("messages.post", change)
    workspace.key = unique("another run")
    await workspace.do("messages.post", **arguments)
    assert await workspace.reconcile("messages.post", change, since=since, **arguments) != posted
    workspace.key = change.requests[0].canonical()["body"]["json"]["metadata"]["event_payload"]["key"]
    assert await workspace.reconcile("messages.post", change, since=since, **arguments) == posted


async def test_channels_and_people(workspace: Desk) -> None:
    channel = await workspace.read("channels.get", channel="#buyers")
    assert channel == await workspace.read("channels.get", channel=channel.id)
    assert (channel.name, channel.topic, channel.private) == ("buyers", "Purchase orders", False)
    assert {"buyers", "logistics"} <= {one.name for one in await workspace.read("channels.list")}
    bea = await workspace.read("users.find", email="bea@harbour-works.example")
    assert (bea.name, bea.real_name) == ("bea", "Bea Buyer")
    assert await workspace.read("users.get", user=bea.id) == bea
    assert bea in await workspace.read("users.list")


async def test_what_is_not_there(workspace: Desk) -> None:
    for name, arguments in (
        ("channels.get", {"channel": "C0NOWHERE"}),
        ("channels.get", {"channel": "#nowhere"}),
        ("users.get", {"user": "U0NOBODY"}),
        ("users.find", {"email": "nobody@example.org"}),
    ):
        with pytest.raises(NotFound):
            await workspace.read(name, **arguments)


@pytest.mark.peer
async def test_emulate_refuses_a_post_without_the_scope(emulate: servers.Emulate) -> None:
    desk = open_desk(f"{emulate.base_url}/api", emulate.narrow_token)
    change = await desk.prepare("messages.post", channel="#buyers", text="late")
    with pytest.raises(AccessDenied, match="needed chat:write"):
        await desk.send("messages.post", change)
    await desk.opened.aclose()
